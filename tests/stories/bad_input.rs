//! Whatever is sent, the server answers 4xx with a code, names the place in the request where a field is at fault, and
//! writes nothing. The cases are made from the OpenAPI document, so a new field is tested from its first day.

use std::time::Duration;

use keiin_tests::operation::{Example, Operation, example, operations, resolve};
use keiin_tests::{Answer, Call, Company, Deployment, report};
use serde_json::{Value, json};

/// One body that must be refused.
struct Case {
    about: String,
    body: Vec<u8>,
    content_type: &'static str,
    /// Where the refusal points, if it is about one field.
    pointer: Option<String>,
}

const JSON: &str = "application/json";

#[test]
fn nothing_but_a_good_request_is_carried_out() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "strict");
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    let operations: Vec<_> = operations(&document).into_iter().filter(|o| o.body.is_some()).collect();
    let (mut all, mut faults) = (0, Vec::new());
    for operation in &operations {
        let good = example(&company, operation);
        let before = company.mark();
        let mut cases = unreadable(&good);
        cases.extend(misfits(&document, operation, &good));
        let mut count = cases.len();
        for case in &cases {
            let call = good.head().bytes(case.content_type, case.body.clone());
            let Ok(answer) = company.client.try_send(&good.sender.on(call)) else {
                faults.push(format!("{}, {}: no answer", operation.name, case.about));
                continue;
            };
            faults.extend(wrong(&answer, case).map(|fault| format!("{}, {}: {fault}", operation.name, case.about)));
        }
        for (about, call) in bad_headers(&good) {
            let Ok(answer) = company.client.try_send(&good.sender.on(call)) else {
                faults.push(format!("{}, {about}: no answer", operation.name));
                continue;
            };
            if !(400..500).contains(&answer.status) || answer.code().is_empty() {
                faults.push(format!("{}, {about}: {} {}", operation.name, answer.status, answer.text()));
            }
            count += 1;
        }
        assert!(count >= 30, "{}: only {count} cases", operation.name);
        faults.extend(company.event_after(before).map(|event| format!("{} wrote {event}", operation.name)));
        // Nothing has happened: what the request needs is still as it was.
        let mut answer = company.client.send(&good.sender.on(good.call()));
        // Wrong passwords in a row make the next one wait.
        while let Some(Ok(seconds)) = answer.header("retry-after").map(str::parse::<u64>) {
            assert!(answer.status == 429 && seconds <= 8, "{}: {}", operation.name, answer.text());
            std::thread::sleep(Duration::from_secs(seconds));
            answer = company.client.send(&good.sender.on(good.call()));
        }
        if !(200..300).contains(&answer.status) {
            faults.push(format!("{} is refused after the sweep: {}", operation.name, answer.text()));
        }
        all += count;
    }
    assert!(faults.is_empty(), "{} of {all}:\n  {}", faults.len(), faults.join("\n  "));
    report!("bad_input cases={all} operations={} 5xx=0", operations.len());
}

/// What is wrong with the answer to a bad request.
fn wrong(answer: &Answer, case: &Case) -> Option<String> {
    let shown = || format!("{} {}", answer.status, answer.text());
    if !(400..500).contains(&answer.status) || answer.code().is_empty() {
        return Some(shown());
    }
    // Who logs in is not told which part was wrong.
    let pointer = case.pointer.as_ref().filter(|_| answer.status != 401)?;
    let errors = answer.json()["errors"].clone();
    let named = errors.as_array().into_iter().flatten().any(|error| {
        // Text that is no JSON at all has no fields.
        error["pointer"]
            .as_str()
            .is_some_and(|at| at.starts_with(pointer.as_str()) || answer.code() == "request.not_json")
    });
    (!named).then(|| format!("no pointer to {pointer}: {}", shown()))
}

fn case(about: &str, body: impl Into<Vec<u8>>) -> Case {
    Case { about: about.to_owned(), body: body.into(), content_type: JSON, pointer: None }
}

/// Bodies that no operation takes, whatever its fields are.
fn unreadable(good: &Example) -> Vec<Case> {
    let body = good.body.as_ref().expect("it has one").to_string();
    let deep = |open: &str, close: &str| format!("{{\"x\":{}1{}}}", open.repeat(50_000), close.repeat(50_000));
    let mut cases = vec![
        case("null", "null"),
        case("a list", "[]"),
        case("a list around it", format!("[{body}]")),
        case("a text", "\"x\""),
        case("a number", "1"),
        case("a boolean", "true"),
        case("a number out of range", "1e400"),
        case("half a body", &body[..body.len() - 1]),
        case("two bodies", format!("{body}{body}")),
        case("something after it", format!("{body}x")),
        case("a comment", format!("/* */{body}")),
        case("NaN", "{\"x\":NaN}"),
        case("single quotes", "{'x':1}"),
        case("a trailing comma", "{\"x\":1,}"),
        case("no quotes", "{x:1}"),
        case("a control character in a key", b"{\"\x01\":1}".to_vec()),
        case("no UTF-8", b"{\"\xff\":1}".to_vec()),
        case("a byte order mark", format!("\u{feff}{body}")),
        case("UTF-16", body.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
        case("only white space", " \r\n\t "),
        case("only a NUL", "\0"),
        case("deep lists", deep("[", "]")),
        case("deep objects", deep("{\"x\":", "}")),
        case("deep lists without an end", "[".repeat(500_000)),
        case("a lone surrogate in a key", r#"{"\ud800":1}"#),
        case(
            "a hundred thousand keys",
            format!("{{{}}}", (0..100_000).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>().join(",")),
        ),
        case("a number with a thousand digits", format!("{{\"x\":{}}}", "9".repeat(1_000))),
    ];
    for name in ["unknown", "Id", "__proto__", "tenant", ""] {
        let mut other = good.body.clone().expect("it has one");
        other[name] = json!("x");
        cases.push(Case {
            pointer: Some(format!("/{name}")),
            ..case(&format!("unknown key {name:?}"), other.to_string())
        });
    }
    let twice = "{\"x\":1,\"x\":2}";
    cases.push(Case { pointer: Some("/x".into()), ..case("a key twice", twice) });
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ""]
    {
        cases.push(Case { content_type, ..case(&format!("sent as {content_type:?}"), body.clone()) });
    }
    cases
}

/// For each field, at any depth, values that do not fit.
fn misfits(document: &Value, operation: &Operation, good: &Example) -> Vec<Case> {
    let mut places = Vec::new();
    let schema = operation.body.as_ref().expect("it has a body");
    collect(document, schema, "", good.body.as_ref().expect("it has a body"), &mut places);
    let mut cases = Vec::new();
    for Place { pointer, schema, required } in places {
        let field = pointer.rsplit('/').next().expect("a pointer has a last part");
        let mut add = |about: &str, body: String| {
            let about = format!("{pointer} {about}");
            cases.push(Case { pointer: Some(pointer.clone()), ..case(&about, body) });
        };
        let with = |text: &str| replaced(good, &pointer, Some(text));
        if required {
            add("missing", replaced(good, &pointer, None));
        }
        add("null", with("null"));
        add("twice", with(&format!("1,\"{field}\":1")));
        add("1e400", with("1e400"));
        add("a lone surrogate", with(r#""\ud83d""#));
        add("deep", with(&format!("{}{}", "[".repeat(50_000), "]".repeat(50_000))));
        for (kind, text) in
            [("string", "\"x\""), ("integer", "7"), ("boolean", "true"), ("array", "[7]"), ("object", "{\"x\":7}")]
        {
            if schema["type"] != kind {
                add(&format!("of type {kind}"), with(text));
            }
        }
        match schema["type"].as_str() {
            Some("string") => {
                add("too long", with(&format!("\"{}\"", "x".repeat(100_000))));
                let is_shaped = schema.get("format").is_some() || schema.get("enum").is_some();
                if is_shaped {
                    add("of no such shape", with("\"no such thing\""));
                    add("empty", with("\"\""));
                }
                // A password may hold anything that can be typed.
                if field != "password" {
                    add("with a NUL", with(r#""x\u0000y""#));
                    add("with an escape", with(r#""x\u001by""#));
                    add("written backwards", with("\"x\u{202e}y\""));
                }
            }
            Some("integer") => {
                for (about, text) in
                    [("negative", "-1"), ("beyond 64 bits", "99999999999999999999"), ("a fraction", "1.5")]
                {
                    add(about, with(text));
                }
            }
            Some("array") => add("too many", with(&format!("[{}]", vec!["{}"; 10_000].join(",")))),
            _ => {}
        }
    }
    cases
}

/// A field and what the document says of it.
struct Place {
    pointer: String,
    schema: Value,
    required: bool,
}

fn collect(document: &Value, schema: &Value, at: &str, good: &Value, places: &mut Vec<Place>) {
    let schema = resolve(document, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let pointer = format!("{at}/{name}");
        let field = resolve(document, &strip(field));
        let required = schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
        places.push(Place { pointer: pointer.clone(), schema: field.clone(), required });
        match field["type"].as_str() {
            Some("object") if good.get(name).is_some() => collect(document, &field, &pointer, &good[name], places),
            Some("array") if good[name].get(0).is_some() => {
                collect(document, &field["items"], &format!("{pointer}/0"), &good[name][0], places);
            }
            _ => {}
        }
    }
}

/// An optional field's schema is its only alternative.
fn strip(schema: &Value) -> Value {
    let alternatives = schema["oneOf"].as_array().or(schema["allOf"].as_array());
    alternatives.and_then(|all| all.iter().find(|one| one["type"] != "null")).unwrap_or(schema).clone()
}

/// The good body with the JSON text of one field exchanged, or the field taken out.
fn replaced(good: &Example, pointer: &str, text: Option<&str>) -> String {
    const MARK: &str = "\"@mark@\"";
    let mut body = good.body.clone().expect("it has a body");
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer has a last part");
    let parent = body.pointer_mut(parent).expect("the good body has what is around the field");
    let parent = parent.as_object_mut().expect("fields are in objects");
    match text {
        None => drop(parent.remove(field)),
        Some(_) => drop(parent.insert(field.to_owned(), json!("@mark@"))),
    }
    body.to_string().replacen(MARK, text.unwrap_or(MARK), 1)
}

/// The good body under headers that are wrong, and paths that lead nowhere.
fn bad_headers(good: &Example) -> Vec<(String, Call)> {
    let body = good.body.clone().expect("it has a body");
    let call = |example: &Example| example.head().json(&body);
    let mut calls = Vec::new();
    let mut vary = |name: &'static str, values: &[&str]| {
        let mut without = good.clone();
        without.headers.retain(|(header, _)| *header != name);
        calls.push((format!("without {name}"), call(&without)));
        for value in values {
            calls.push((format!("{name}: {value:.20}"), call(&without).header(name, value)));
        }
    };
    if good.headers.iter().any(|(name, _)| *name == "If-Match") {
        vary(
            "If-Match",
            &["*", "v0", "\"0\"", "\"v-1\"", "\"v99999\"", "\"v99999999999999999999\"", "W/\"v0\"", "\"v0\", \"v1\""],
        );
    }
    if good.headers.iter().any(|(name, _)| *name == "Idempotency-Key") {
        vary("Idempotency-Key", &["", &"k".repeat(256), "schl\u{fc}ssel"]);
    }
    if good.params.contains_key("id") {
        for id in ["x", "00000000-0000-0000-0000-000000000000", "..%2f..%2fetc", "%00", "%ff", "'", &"9".repeat(4_000)]
        {
            calls.push((format!("id {id:.20}"), call(&good.with("id", id))));
        }
    }
    if good.params.contains_key("token") {
        for token in ["x", "keiin_lnk_x", "%00", "%ff", &"a".repeat(4_000)] {
            calls.push((format!("token {token:.20}"), call(&good.with("token", token))));
        }
    }
    calls
}

#[test]
fn no_query_string_breaks_anything() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "queries");
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    let mut tried = 0;
    for operation in operations(&document).iter().filter(|o| o.method == "GET") {
        let good = example(&company, operation);
        let names = operation.query.iter().map(|(name, _)| name.as_str()).chain(["unknown", "after", "lang"]);
        for name in names {
            for value in [
                "x",
                "",
                "-1",
                "0",
                "1.5",
                "99999999999999999999",
                "%00",
                "%ff",
                "%",
                "'%20OR%201=1--",
                "2026-13-40",
                "null",
                &"x".repeat(5_000),
            ] {
                let call =
                    Call::new("GET", &format!("{}?{name}={value}", good.target().split('?').next().expect("a path")));
                let answer = company.client.send(&good.sender.on(call));
                // Waiting for a position that does not come is answered with 503.
                let behind = answer.status == 503 && answer.code() == "service.behind";
                assert!(answer.status < 500 || behind, "{}: {} {}", answer.asked, answer.status, answer.text());
                tried += 1;
            }
        }
        let twice = operation.query.first().map(|(name, _)| format!("{}?{name}=1&{name}=1", good.target()));
        if let Some(twice) = twice {
            assert_eq!(company.send(Call::new("GET", &twice)).status, 400, "{twice}");
        }
    }
    report!("bad_input query_strings={tried} 5xx=0");
}

/// Proofs are asked for by number: none of them is a number that breaks anything.
#[test]
fn no_position_size_or_tile_breaks_anything() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "numbers");
    company.checkpoint();
    let numbers =
        ["0", "1", "3", "-1", "+1", "01", "255", "256", "4294967296", "9007199254740993", "18446744073709551615"];
    let mut paths = Vec::new();
    for from in numbers {
        paths.extend([
            format!("/v1/events/{from}"),
            format!("/v1/events/{from}/proof"),
            format!("/v1/mails/{from}-{from}"),
        ]);
        paths.extend(numbers.iter().map(|to| format!("/v1/log/consistency?from={from}&to={to}")));
        paths.extend(numbers.iter().map(|level| format!("/log/{}/tile/{level}/{from}", company.id)));
        paths.extend(numbers.iter().map(|width| format!("/log/{}/tile/0/000.p/{width}", company.id)));
    }
    paths.extend(
        ["x000/000", "000/000", "entries/000", "0/x001/x234/067", "0/..%2f000"]
            .map(|tile| format!("/log/{}/tile/{tile}", company.id)),
    );
    let mut found = 0;
    for path in &paths {
        let answer = company.send(Call::new("GET", path));
        // A checkpoint that has not come yet is worth another try.
        assert!(answer.status < 500 || answer.code() == "proof.not_yet", "{path}: {} {}", answer.status, answer.text());
        found += usize::from(answer.status == 200);
    }
    assert!(found > 5, "only {found} of {} are there at all", paths.len());
}

#[test]
fn a_body_that_is_too_long_is_not_waited_for() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "lengthy");
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    for operation in operations(&document).into_iter().filter(|operation| operation.body.is_some()) {
        let good = example(&company, &operation);
        let lines: String = good.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        for length in [(1 << 20) + 1, u64::MAX] {
            let request = format!(
                "{} {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\n{}{lines}\r\n",
                good.method,
                good.target(),
                good.sender.lines(),
            );
            let (answer, took) = company.client.raw(request.as_bytes(), Duration::from_secs(5));
            let answer = String::from_utf8_lossy(&answer);
            // What no length can be is HTTP's own refusal.
            let code = answer.contains("\"code\":\"request.too_large\"") || length == u64::MAX;
            assert!(answer.starts_with("HTTP/1.1 4") && code, "{}: {answer}", operation.name);
            assert!(took < Duration::from_secs(1), "{}: answered after {took:?}", operation.name);
        }
    }
}

#[test]
fn a_request_that_is_no_http_ends_without_an_answer_of_ours() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20));
    let many: String = (0..2_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let many = format!("GET /livez HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    for request in ["\0\0\0\0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", &long, &many] {
        let (answer, _) = server.client().raw(request.as_bytes(), Duration::from_secs(2));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{request:.40}: {answer:.200}");
    }
    server.client().get("/livez").expect(200);
}
