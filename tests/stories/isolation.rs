//! A stranger learns nothing (ML-03, ML-04). Without a credential the answer is 401 before the body is read; with another company's it is
//! the answer that an id gets which nobody has. Every refusal here is one of a request that succeeds for the owner.

use std::collections::BTreeSet;
use std::time::Duration;

use keiin_tests::company::text;
use keiin_tests::operation::{Example, Operation, WITH_OPERATORS, example, object_of, operations, resolve};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server, report, root};
use serde_json::{Value, json};
use uuid::Uuid;

/// An id that nobody has.
const NOBODYS: &str = "01890000-0000-7000-8000-00000000dead";
/// A well-formed secret that nobody was given.
const UNGIVEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn document() -> Value {
    serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON")
}

/// A server with two companies that have nothing to do with each other.
fn two() -> (Deployment, Server, Company, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let ours = Company::sign_up(&server, "ours-4711");
    let theirs = Company::sign_up(&server, "theirs-0815");
    (deployment, server, ours, theirs)
}

/// Status and body; what differs from request to request is taken out.
fn seen(answer: &Answer) -> (u16, Value) {
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(answer.text()));
    if let Some(fields) = body.as_object_mut() {
        fields.remove("instance");
    }
    (answer.status, body)
}

#[track_caller]
fn is_done(answer: &Answer) {
    assert!((200..300).contains(&answer.status), "{}: {} {}", answer.asked, answer.status, answer.text());
}

/// The other company's credential of the same sort; `None` where the request's own secret is the credential.
fn same_sort(operation: &Operation, sender: &Credential, ours: &Company, theirs: &Company) -> Option<Credential> {
    match sender {
        _ if operation.path.starts_with("/v1/inbox") => Some(theirs.new_recipient().1),
        Credential::Nobody => None,
        sender if *sender == ours.token => Some(theirs.token.clone()),
        Credential::Cookie(_) => Some(theirs.login.clone()),
        Credential::Bearer(_) => Some(theirs.new_kiosk().1),
    }
}

#[test]
fn public_operations_are_a_list_that_only_shrinks() {
    let list = std::fs::read_to_string(root().join("tests/stories/public_operations.txt")).expect("the list is there");
    let listed: BTreeSet<String> = list.lines().map(str::to_owned).collect();
    let public: BTreeSet<String> =
        operations(&document()).into_iter().filter(|o| o.is_public).map(|o| o.name).collect();
    assert_eq!(public, listed, "an operation that needs no login is new, or one on the list needs one by now");
}

#[test]
fn without_a_credential_nothing_is_read_and_nothing_is_said() {
    let (_deployment, server, ours, _) = two();
    let mut sweep = 0;
    for operation in operations(&document()) {
        let mut example = example(&ours, &operation);
        if operation.is_public {
            // The secret in the path is the credential; sign-up, login and the public log have none to check.
            let Some(secret) = example.params.get("token").cloned() else { continue };
            let kind = secret.split('_').nth(1).expect("secrets say their kind");
            example = example.with("token", &format!("keiin_{kind}_{UNGIVEN}"));
        }
        let (status, code) =
            if operation.is_public { (404, "request.not_found") } else { (401, "access.unauthenticated") };
        let lines: String = example.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        for credential in ["", "Authorization: Bearer nonsense\r\n", &bearer("pat"), &bearer("kio"), &bearer("ses")] {
            let request = format!(
                "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: 1048576\r\n{credential}{lines}\r\n",
                example.method,
                example.target(),
                server.client().address(),
            );
            let (answer, took) = server.client().raw(request.as_bytes(), Duration::from_secs(5));
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{}: {answer}", operation.name);
            assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{}: {answer}", operation.name);
            assert!(took < Duration::from_secs(1), "{}: answered after {took:?}", operation.name);
            sweep += 1;
        }
        let answer = ours.client.send(&example_of_owner(&ours, &operation, example));
        is_done(&answer);
    }
    report!("isolation without_credential={sweep} refused={sweep}");
}

fn bearer(kind: &str) -> String {
    format!("Authorization: Bearer keiin_{kind}_{UNGIVEN}\r\n")
}

/// The request that a stranger just failed with, as it succeeds.
fn example_of_owner(ours: &Company, operation: &Operation, tried: Example) -> Call {
    let right = if operation.is_public { example(ours, operation) } else { tried };
    right.sender.on(right.call())
}

#[test]
fn what_another_company_has_looks_like_nothing() {
    let (_deployment, _server, ours, theirs) = two();
    let document = document();
    let operations = operations(&document);
    let (mut by_path, mut by_field, mut by_query, mut lists) = (0, 0, 0, 0);
    for operation in operations.iter().filter(|operation| !operation.is_public) {
        let twin = example(&ours, operation);
        let Some(stranger) = same_sort(operation, &twin.sender, &ours, &theirs) else { continue };
        let uuids = |name: &str, schema: &Value| {
            let schema = resolve(&document, schema);
            let many = resolve(&document, &schema["items"])["format"] == "uuid";
            (many || schema["format"] == "uuid").then(|| (name.to_owned(), many, object_for(&ours, name)))
        };
        let fields = operation.body.iter().flat_map(|body| body["properties"].as_object()).flatten();
        // A batch is ordered without looking at its drafts; each is looked at when its turn comes, see below.
        let fields =
            fields.filter(|(name, _)| (operation.name.as_str(), name.as_str()) != ("order_batch", "documents"));
        let fields: Vec<_> = fields.filter_map(|(name, schema)| uuids(name, schema)).collect();
        let params: Vec<_> = operation.query.iter().filter_map(|(name, schema)| uuids(name, schema)).collect();
        let before = ours.mark();
        if let Some(id) = twin.params.get("id") {
            let other = if Uuid::parse_str(id).is_err() { "4000000000-0" } else { NOBODYS };
            let tried = theirs.client.send(&stranger.on(twin.call()));
            let nothing = theirs.client.send(&stranger.on(twin.with("id", other).call()));
            assert_eq!(tried.status, 404, "{}: {}", operation.name, tried.text());
            assert_eq!(seen(&tried), seen(&nothing), "{}", operation.name);
            by_path += 1;
        } else if operation.method == "GET" {
            // Their own view of the same path.
            let answer = theirs.client.send(&stranger.on(twin.call()));
            is_done(&answer);
            assert!(!answer.text().contains(&ours.slug) && !answer.text().contains(&ours.id), "{}", operation.name);
            lists += 1;
        }
        for (field, many, id) in &fields {
            let own = example(&theirs, operation);
            let with = |id: &str| {
                let mut changed = own.clone();
                let value = if *many { json!([id]) } else { json!(id) };
                changed.body.as_mut().expect("it has fields")[field] = value;
                theirs.client.send(&own.sender.on(changed.call()))
            };
            let tried = with(id);
            assert!((400..500).contains(&tried.status), "{} {field}: {}", operation.name, tried.text());
            assert_eq!(seen(&tried), seen(&with(NOBODYS)), "{} {field}", operation.name);
            is_done(&theirs.client.send(&own.sender.on(own.call())));
            by_field += 1;
        }
        for (name, _, id) in &params {
            let call = |id: &str| Call::new("GET", &format!("{}?{name}={id}", operation.path));
            let tried = theirs.client.send(&stranger.on(call(id)));
            let nothing = theirs.client.send(&stranger.on(call(NOBODYS)));
            assert_eq!(seen(&tried), seen(&nothing), "{} {name}", operation.name);
            assert!(!tried.text().contains(&ours.slug), "{} {name}", operation.name);
            by_query += 1;
        }
        assert_eq!(ours.event_after(before), None, "{}", operation.name);
        // The version in If-Match still fits: nothing happened to it.
        is_done(&ours.client.send(&twin.sender.on(twin.call())));
    }
    assert!(by_path > 25 && by_field >= 5 && by_query >= 5 && lists > 10, "{by_path} {by_field} {by_query} {lists}");
    report!("isolation by_path={by_path} by_field={by_field} by_query={by_query} own_lists={lists} leaks=0");
}

#[test]
fn a_batch_issues_nothing_of_another_company() {
    let (_deployment, _server, ours, theirs) = two();
    let draft = ours.new_draft();
    let body = json!({ "documents": [draft, NOBODYS] });
    let batch = text(&theirs.ok(Call::new("POST", "/v1/batches").key("theirs").json(&body)), "id");
    let path = format!("/v1/batches/{batch}");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while theirs.get(&path)["waiting"] != 0 {
        assert!(std::time::Instant::now() < deadline, "{}", theirs.get(&path));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let done = theirs.get(&path);
    let fate = |at: usize| (&done["documents"][at]["outcome"], &done["documents"][at]["code"]);
    assert_eq!(fate(0), fate(1), "{done}");
    assert_eq!(fate(0), (&json!("failed"), &json!("document.unknown")), "{done}");
    assert_eq!(ours.get(&format!("/v1/documents/{draft}"))["status"], "draft");
}

/// One of our objects that a field or parameter of this name can mean.
fn object_for(ours: &Company, name: &str) -> String {
    match name {
        "client_id" => ours.new_client(),
        "webhook_id" => ours.new_webhook(),
        "application_id" => ours.new_application(&[]).id,
        "document_id" | "document_ids" | "object" => ours.new_document(),
        "attachments" | "attachment_id" => ours.new_attachment(),
        "origin_id" => ours.issue(&ours.new_draft_of("quote")),
        "template_id" => ours.new_template(),
        "item_id" => ours.new_item(),
        "item_ids" => ours.new_postal_item("queued"),
        "host_id" | "co_hosts" | "shown_hosts" | "actor" | "tell" => ours.owner.clone(),
        "passkey_id" => text(&ours.new_passkey(&ours.new_member("viewer").1).1, "id"),
        other => panic!("which object does {other} mean?"),
    }
}

#[test]
fn a_kiosk_knows_only_its_own_companys_codes() {
    let (_deployment, _server, ours, theirs) = two();
    let kiosk = theirs.new_kiosk().1;
    let code = |path: &str, code: &str| {
        seen(&theirs.client.send(&kiosk.on(Call::new("POST", path).json(&json!({ "code": code })))))
    };
    let (_, secret) = ours.new_visit();
    for path in ["/v1/kiosk/check_in", "/v1/kiosk/check_out"] {
        let nothing = code(path, &format!("keiin_pas_{UNGIVEN}"));
        assert_eq!(nothing.0, 404);
        assert_eq!(code(path, &secret), nothing);
    }
    let here = ours.new_kiosk().1;
    let check_in = Call::new("POST", "/v1/kiosk/check_in").json(&json!({ "code": secret }));
    is_done(&ours.client.send(&here.on(check_in)));
}

#[test]
fn a_cursor_is_good_for_the_company_that_got_it() {
    let (_deployment, _server, ours, theirs) = two();
    for (path, make) in
        [("/v1/clients", Company::new_client as fn(&Company) -> String), ("/v1/documents", Company::new_draft)]
    {
        for company in [&ours, &theirs] {
            make(company);
            make(company);
        }
        let cursor = text(&ours.get(&format!("{path}?limit=1")), "next");
        let next = |company: &Company| company.send(Call::new("GET", &format!("{path}?limit=1&cursor={cursor}")));
        assert_eq!(next(&ours).status, 200);
        let tried = next(&theirs);
        assert!(!tried.text().contains(&ours.slug), "{}", tried.text());
        assert!(tried.status == 400 || tried.text().contains(&theirs.slug), "{} {}", tried.status, tried.text());
    }
}

#[test]
fn the_console_shows_and_does_nothing_across_companies() {
    let (_deployment, _server, ours, theirs) = two();
    let (mut pages, mut forms) = (0, 0);
    for page in keiin::console::PAGES.iter().filter(|page| page.path.contains("{id}")) {
        let query = page.loads.iter().find(|name| name.starts_with("get_")).expect("a page of one thing loads it");
        if WITH_OPERATORS.contains(query) {
            continue;
        }
        let id = object_of(&ours, query).expect("the sweeps can make one");
        let show = |company: &Company, id: &str| {
            let call = Call::new("GET", &page.path.replace("{id}", id));
            company.client.send(&company.login.on(call))
        };
        let other = if Uuid::parse_str(&id).is_err() { "4000000000-0" } else { NOBODYS };
        let own = show(&ours, &id).expect(200).text();
        assert!(own.contains(&ours.slug), "{} shows nothing of the object", page.path);
        let tried = show(&theirs, &id).expect(404).text().replace(&id, other);
        assert!(!tried.contains(&ours.slug), "{}", page.path);
        let nothing = show(&theirs, other).expect(404).text();
        assert_eq!(without_ids(&tried), without_ids(&nothing), "{}", page.path);
        pages += 1;
    }
    for operation in operations(&document()).iter().filter(|o| is_form(o) && o.path.contains("{id}")) {
        let twin = example(&ours, operation);
        let before = ours.mark();
        let mut fields = vec![];
        flatten("", twin.body.as_ref().expect("it has one"), &mut fields);
        let version = twin.headers.iter().find(|(name, _)| *name == "If-Match").map(|(_, v)| v.replace('"', ""));
        fields.extend(version.map(|version| ("_if_match".to_owned(), version)));
        fields.push(("_key".to_owned(), format!("form {}", ours.next())));
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let is_inbox = operation.path.starts_with("/v1/inbox");
        let theirs_login = if is_inbox { theirs.new_recipient().1 } else { theirs.login.clone() };
        let ours_login = if is_inbox { twin.sender.clone() } else { ours.login.clone() };
        let send = |company: &Company, login: &Credential| {
            let call = Call::new("POST", &format!("/do{}", twin.target()));
            let call = call.bytes("application/x-www-form-urlencoded", body.join("&"));
            company.client.send(&login.on(call))
        };
        let tried = send(&theirs, &theirs_login);
        assert_eq!(tried.status, 404, "{}: {}", operation.name, tried.text());
        assert!(!tried.text().contains(&ours.slug), "{}", operation.name);
        assert_eq!(ours.event_after(before), None, "{}", operation.name);
        // Where to go next, or at once the page that shows a new secret.
        assert!(matches!(send(&ours, &ours_login).status, 200 | 303), "{}", operation.name);
        forms += 1;
    }
    assert!(pages >= 6 && forms >= 15, "{pages} pages, {forms} forms");
    report!("isolation pages={pages} forms={forms} leaks=0");
}

/// Is it a command, which a form sends? Files are asked for in their own way.
fn is_form(operation: &Operation) -> bool {
    operation.body.is_some() && !["application/pdf", "application/zip"].contains(&operation.answer.as_str())
}

/// A page without what is fresh in every answer: ids, keys of forms.
fn without_ids(page: &str) -> String {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    page.split(|c: char| !is_part(c) && !c.is_alphanumeric())
        .filter(|word| word.len() < 32)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A JSON body as the fields of a form.
fn flatten(name: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(part, value)| flatten(&below(part), value, fields)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| flatten(&below(&at.to_string()), value, fields));
        }
        Value::Number(n) => fields.push((format!("{name}:int"), n.to_string())),
        Value::Bool(b) => fields.push((format!("{name}:bool"), b.to_string())),
        Value::String(text) => fields.push((name.to_owned(), text.clone())),
        Value::Null => {}
    }
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
