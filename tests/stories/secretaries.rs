//! Secretaries of a law office (FM-26, FM-27): nothing before the mailbox confirms, only for their lawyers after, and every
//! press of the button is told to the lawyer, whose link ends it.

use keiin_tests::company::text;
use keiin_tests::operation::{example, operations};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server};
use serde_json::{Value, json};

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

fn get(company: &Company, who: &Credential, path: &str) -> Answer {
    company.client.send(&who.on(Call::new("GET", path)))
}

fn mails(company: &Company, tie: &str, template: &str) -> Vec<Value> {
    company.mailed(tie, template);
    let all = company.get("/v1/mails?limit=200")["items"].as_array().expect("a list").clone();
    all.into_iter().filter(|mail| mail["object"]["id"] == tie && mail["template"] == template).collect()
}

#[test]
fn fm_26_before_the_mailbox_confirms_everything_is_forbidden() {
    let (_deployment, _server, company) = company("office");
    let (lawyer, lawyers) = company.new_member("lawyer");
    let (tie, secretary, email) = company.assign_secretary(&lawyers);
    let login = company.join_secretary(&secretary, &email);
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    let mut tried = 0;
    for operation in operations(&document) {
        if operation.is_public || operation.permission.is_none() {
            continue;
        }
        let answer = company.client.send(&login.on(example(&company, &operation).call()));
        assert_eq!(answer.status, 403, "{}: {}", operation.name, answer.text());
        tried += 1;
    }
    assert!(tried > 60, "{tried}");
    assert_eq!(get(&company, &login, "/v1/visits").code(), "secretary.not_confirmed");
    for page in ["/", "/visits", "/account", "/members"] {
        get(&company, &login, page).expect(403);
    }

    // The link is in the mail to the secretary and nowhere else.
    let mail = mails(&company, &tie, "secretary_confirm").remove(0);
    assert_eq!((&mail["to"]["email"], mail.get("link")), (&json!(email), None));
    let secret = company.secretary_secret(&tie, "sec");
    assert!(!mail.to_string().contains(&secret));
    let page = company.client.get(&format!("/secretary/confirm/{secret}")).expect(200).text();
    assert!(page.contains(&format!("/do/v1/secretary_confirmations/{secret}/confirm")));
    get(&company, &login, "/v1/visits").expect(403);
    let press = format!("/do/v1/secretary_confirmations/{secret}/confirm");
    let form = Call::new("POST", &press).bytes("application/x-www-form-urlencoded", "_key=a&_next=/login");
    company.client.send(&form).expect(303);
    get(&company, &login, "/v1/visits").expect(200);

    // They act for their lawyer and for nobody else.
    let mut visit = company.visit_body();
    let register = |host: &str, visit: &mut Value| {
        visit["host_id"] = json!(host);
        company.client.send(&login.on(Call::new("POST", "/v1/visits").json(visit)))
    };
    let theirs = text(&register(&lawyer, &mut visit).expect(201).json(), "id");
    assert_eq!(register(&company.owner, &mut visit).expect(403).code(), "visit.own_only");
    let (others, _) = company.new_visit();
    get(&company, &login, &format!("/v1/visits/{theirs}")).expect(200);
    get(&company, &login, &format!("/v1/visits/{others}")).expect(404);
    let list = get(&company, &login, "/v1/visits").expect(200).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    get(&company, &login, "/v1/documents").expect(403);

    // A lawyer who is out has nobody who acts for them.
    company.suspend(&lawyer, false);
    assert_eq!(get(&company, &login, "/v1/visits").expect(403).code(), "secretary.not_confirmed");
}

#[test]
fn fm_27_every_press_is_told_to_the_lawyer_whose_link_ends_it() {
    let (_deployment, _server, company) = company("presses");
    let (_, lawyers) = company.new_member("lawyer");
    let (tie, secretary, email) = company.assign_secretary(&lawyers);
    let login = company.join_secretary(&secretary, &email);
    company.confirm_secretary(&tie);
    company.confirm_secretary(&tie);
    let told = mails(&company, &tie, "secretary_confirmed");
    assert_eq!(told.len(), 2, "each press: {told:?}");
    let lawyer = text(&get(&company, &lawyers, "/v1/me").json(), "email");
    assert!(told.iter().all(|mail| mail["to"]["email"] == lawyer.as_str() && mail.get("link").is_none()));
    get(&company, &login, "/v1/visits").expect(200);
    let secret = company.secretary_secret(&tie, "srv");
    // A mail scanner that opens the link changes nothing.
    company.client.get(&format!("/secretary/refuse/{secret}")).expect(200);
    get(&company, &login, "/v1/visits").expect(200);
    let refuse = || company.client.post(&format!("/v1/secretary_refusals/{secret}/refuse"), &json!({}));
    refuse().expect(200);
    assert_eq!(get(&company, &login, "/v1/visits").expect(403).code(), "secretary.not_confirmed");
    assert_eq!(refuse().expect(410).code(), "secretary.gone");
    company.client.get(&format!("/secretary/refuse/{secret}")).expect(410);
    let used = company.secretary_secret(&tie, "sec");
    company.client.post(&format!("/v1/secretary_confirmations/{used}/confirm"), &json!({})).expect(410);
    let view = get(&company, &lawyers, &format!("/v1/secretaries/{tie}")).expect(200).json();
    assert_eq!(view["status"], "ended");
    let kinds = company.get(&format!("/v1/events?object={tie}&kind=secretary"));
    let kinds: Vec<&str> =
        kinds["items"].as_array().expect("a list").iter().filter_map(|e| e["kind"].as_str()).collect();
    let all = ["secretary.revoked", "secretary.confirmed", "secretary.confirmed", "secretary.assigned"];
    assert_eq!(kinds, all);
    // Taken on again, it begins from the start; a secretary is not made in another way.
    let body = json!({ "name": "Again", "email": email });
    company.client.send(&lawyers.on(Call::new("POST", "/v1/secretaries").key("again").json(&body))).expect(201);
    get(&company, &login, "/v1/visits").expect(403);
    company.confirm_secretary(&tie);
    get(&company, &login, "/v1/visits").expect(200);
    let body = json!({ "name": "X", "email": "x@presses.example", "role": "secretary" });
    let invite = Call::new("POST", "/v1/members").key("x").json(&body);
    assert_eq!(company.send(invite).expect(422).code(), "member.bad_role");
}
