//! Forms are read by other code than JSON bodies; whatever a form says, the server answers 4xx and writes nothing.

use keiin_tests::operation::{Operation, example, operations};
use keiin_tests::{Call, Company, Deployment, report};
use serde_json::Value;

#[test]
fn no_form_breaks_anything() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "forms");
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    let forms = [
        "",
        "&&&",
        "=",
        "=x",
        "x",
        "%",
        "%00=%00",
        "%ff=%ff",
        "a.b.c=1&a=2",
        "a=1&a.b=2",
        "a.0=1&a.b=2",
        "a.99999999999=1",
        "a.200.b=1",
        "lines.0=1",
        "lines.0.description=x&lines.0.description=y",
        "reason:int=x",
        "reason:bool=maybe",
        "reason:float=1.5",
        ":int=1",
        "name:int:int=1",
        "_if_match=v77&_if_match=v78",
        "_if_match=v-1",
        "_if_match=99",
        "_method=DELETE",
        "_next=//evil.example",
        "_next=javascript:alert(1)",
        "_key=",
        "unknown=x",
        "__proto__.x=1",
        "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1",
    ];
    let (mut tried, long) = (0, format!("x={}", "y".repeat(500_000)));
    // Where nothing must be said, a form that says nothing is a good one.
    let says_something = |operation: &&Operation| {
        let required = operation.body.as_ref().is_some_and(|body| body["required"].is_array());
        !operation.is_public && (required || operation.body.is_some() && operation.headers.contains(&"If-Match".into()))
    };
    for operation in operations(&document).iter().filter(says_something) {
        let good = example(&company, operation);
        let before = company.mark();
        for form in forms.iter().copied().chain([long.as_str(), &deep_form()]) {
            let version = if form.contains("_if_match") { "" } else { "&_if_match=v99999" };
            let call = Call::new("POST", &format!("/do{}", good.target()));
            let call = call.bytes("application/x-www-form-urlencoded", format!("{form}&_key=one{version}"));
            let Ok(answer) = company.client.try_send(&company.login.on(call)) else {
                // Refused before it was read to its end; the server is still there.
                company.client.get("/livez").expect(200);
                continue;
            };
            assert!((300..500).contains(&answer.status), "{} {form:.60}: {}", operation.name, answer.status);
            assert!(answer.header("location").is_none_or(|to| to.starts_with('/') && !to.starts_with("//")), "{form}");
            tried += 1;
        }
        let written = company.event_after(before).filter(|event| event["kind"] != "access.denied");
        assert_eq!(written, None, "{}", operation.name);
    }
    report!("bad_input forms={tried} 5xx=0");
}

fn deep_form() -> String {
    format!("x{}=1", ".x".repeat(50_000))
}
