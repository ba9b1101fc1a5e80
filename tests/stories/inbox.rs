//! Recipients with an account: they register by a link, and from then on what is sent to them is in their inbox and in no
//! mail (ML-38). Journey J5, its end.

use std::process::Command;

use keiin_tests::company::text;
use keiin_tests::{Answer, Browser, Call, Company, Credential, Deployment, python};
use serde_json::{Value, json};

fn as_recipient(company: &Company, login: &Credential, call: Call) -> Answer {
    company.client.send(&login.on(call))
}

fn inbox(company: &Company, login: &Credential) -> Vec<Value> {
    company.settle();
    let list = as_recipient(company, login, Call::new("GET", "/v1/inbox")).expect(200).json();
    list["items"].as_array().expect("a list").clone()
}

fn open(company: &Company, login: &Credential, id: &str) -> Answer {
    as_recipient(company, login, Call::new("POST", &format!("/v1/inbox/{id}/open")).json(&json!({})))
}

#[test]
fn ml_38_after_registering_documents_arrive_in_the_inbox_and_no_link_is_mailed() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "inbox");
    let (email, login) = company.new_recipient();
    // What they registered with is there already.
    let first = inbox(&company, &login);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["is_new"], false, "it was opened by its link");

    let documents = [company.issue(&company.new_draft_of("quote")), company.new_document()];
    documents.iter().for_each(|id| drop(company.printed(id)));
    let body = json!({
        "document_ids": documents, "to_name": "受取 花子", "to_email": email.to_uppercase(), "message": "ご確認ください。",
    });
    let sent = company.ok(Call::new("POST", "/v1/deliveries").key("second").json(&body));
    let id = text(&sent, "id");
    assert_eq!((&sent["channel"], sent.get("expires_at")), (&json!("inbox"), None), "{sent}");
    let mail = company.mailed(&id, "inbox");
    let words = text(&mail, "body");
    assert!(text(&mail, "link").ends_with(&format!("/inbox/{id}")), "{mail}");
    for hidden in ["INV-", "QUO-", "ご確認", "/l/", "keiin_lnk"] {
        assert!(!words.contains(hidden), "{words}");
    }

    let items = inbox(&company, &login);
    assert_eq!((items.len(), &items[0]["id"], &items[0]["is_new"]), (2, &json!(id), &json!(true)));
    let opened = open(&company, &login, &id).expect(200).json();
    let shown: Vec<String> =
        opened["documents"].as_array().expect("a list").iter().map(|one| text(one, "id")).collect();
    assert_eq!(shown, documents);
    assert!(opened["documents"][0].get("client").is_none() && opened["documents"][1].get("paid").is_none());

    // One file, and all of them; both are what was issued, byte for byte.
    let path = format!("/v1/inbox/{id}/files");
    let one = as_recipient(&company, &login, Call::new("POST", &path).json(&json!({ "document_id": documents[1] })));
    let stored = company.send(Call::new("GET", &format!("/v1/documents/{}/pdf", documents[1]))).expect(200);
    assert_eq!(one.expect(200).body, stored.body);
    let all = as_recipient(&company, &login, Call::new("POST", &format!("{path}.zip")).json(&json!({}))).expect(200);
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("documents.zip");
    std::fs::write(&archive, &all.body).expect("the file is written");
    let taken = Command::new(python()).args(["-m", "zipfile", "-e"]).arg(&archive).arg(folder.path()).status();
    assert!(taken.expect("python runs").success());
    assert!(std::fs::read(folder.path().join("QUO-2026-0001.pdf")).expect("it is there").starts_with(b"%PDF"));
    let invoice = std::fs::read(folder.path().join("INV-2026-0002.pdf")).expect("it is there");
    assert_eq!(invoice, stored.body);

    // They answer and accept; the sender hears of both, and the trail says who did it.
    let reply =
        Call::new("POST", &format!("/v1/inbox/{id}/replies")).key("r").json(&json!({ "text": "承知しました。" }));
    as_recipient(&company, &login, reply).expect(200);
    let accept = json!({ "document_id": documents[0], "revision": 1 });
    let acceptance = Call::new("POST", &format!("/v1/inbox/{id}/acceptances"));
    as_recipient(&company, &login, acceptance.clone().json(&accept)).expect(200);
    let again = as_recipient(&company, &login, acceptance.clone().json(&accept)).expect(409);
    assert_eq!(again.code(), "document.already_accepted");
    let invoice = json!({ "document_id": documents[1], "revision": 1 });
    assert_eq!(as_recipient(&company, &login, acceptance.json(&invoice)).expect(422).code(), "document.no_quote");
    let view = company.get(&format!("/v1/deliveries/{id}"));
    assert_eq!((&view["status"], &view["replies"][0]["text"]), (&json!("opened"), &json!("承知しました。")), "{view}");
    assert!(company.get(&format!("/v1/documents/{}", documents[0]))["accepted_at"].is_string());
    for template in ["reply", "acceptance"] {
        let mail = company.mailed(&id, template);
        assert_eq!(text(&mail["to"], "email"), "owner@inbox.example");
        assert!(!text(&mail, "body").contains("承知"), "what was written stays where it is");
    }
    let events = company.get(&format!("/v1/events?object={id}&limit=200"));
    let mut kinds: Vec<(String, String)> = vec![];
    for event in events["items"].as_array().expect("a list") {
        kinds.push((text(event, "kind"), text(&event["actor"], "kind")));
    }
    for kind in ["delivery.opened", "delivery.downloaded", "delivery.replied"] {
        assert!(kinds.contains(&(kind.into(), "link_holder".into())), "{kind}: {kinds:?}");
    }
    assert_eq!(kinds.iter().filter(|(kind, _)| kind == "delivery.downloaded").count(), 3);
    let who = events["items"].as_array().into_iter().flatten().find(|event| event["kind"] == "delivery.opened");
    assert_eq!(who.expect("it is there")["actor"]["name"], "Recipient of inbox");
}

#[test]
fn an_inbox_shows_its_own_and_nothing_else_of_the_company() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let (here, there) = (Company::sign_up(&server, "here"), Company::sign_up(&server, "there"));
    let (email, login) = here.new_recipient();
    let (_, stranger) = here.new_recipient();
    let document = here.new_document();
    here.printed(&document);
    let id = here.send_to(&email, &document);
    for other in [&stranger, &here.login, &here.token] {
        let seen = open(&here, other, &id);
        assert!(seen.status == 404 || seen.status == 403, "{}", seen.text());
    }
    let unknown = open(&here, &stranger, "0193a000-0000-7000-8000-000000000001").expect(404);
    assert_eq!(unknown.code(), open(&here, &stranger, &id).code(), "nobody learns what there is");
    // Of the office they see nothing, neither by API nor by page.
    for path in
        ["/v1/documents", "/v1/members", "/v1/clients", "/v1/events", "/v1/deliveries", "/v1/tenant", "/v1/mails"]
    {
        as_recipient(&here, &login, Call::new("GET", path)).expect(403);
    }
    let home = as_recipient(&here, &login, Call::new("GET", "/"));
    assert_eq!((home.status, home.header("location")), (303, Some("/inbox")));
    let page = as_recipient(&here, &login, Call::new("GET", "/inbox")).expect(200).text();
    for hidden in ["/documents", "/members", "/settings", "/audit"] {
        assert!(!page.contains(&format!("href=\"{hidden}")), "{hidden}");
    }
    as_recipient(&here, &login, Call::new("GET", "/account")).expect(200);

    // The same person at another company is another account, which knows nothing of this one.
    let theirs = there.new_document();
    there.printed(&theirs);
    let delivery = there.send_to(&email, &theirs);
    let sent = there.get(&format!("/v1/deliveries/{delivery}"));
    assert_eq!(sent["channel"], "secure_link", "no account there yet");
    let link = there.mailed_link(&delivery);
    let link = link.rsplit('/').next().expect("a secret");
    there.client.post(&format!("/v1/links/{link}/open"), &json!({})).expect(200);
    let register = json!({ "name": "受取 花子", "password": "nine quiet otters at noon" });
    there.client.post(&format!("/v1/links/{link}/register"), &register).expect(200);
    let twice = there.client.post(&format!("/v1/links/{link}/register"), &register).expect(409);
    assert_eq!(twice.code(), "member.already_member");
    let body = json!({ "email": email, "password": "nine quiet otters at noon", "company": "there" });
    let elsewhere = there.client.post("/v1/sessions", &body).expect(201);
    let elsewhere = keiin_tests::company::cookie(&elsewhere);
    assert_eq!(inbox(&there, &elsewhere).len(), 1);
    assert_eq!(open(&there, &elsewhere, &id).expect(404).code(), unknown.code());
    assert_eq!(open(&there, &login, &delivery).expect(404).code(), unknown.code());

    // Withdrawn: gone for the recipient, in the office's list and history.
    here.ok(Call::new("POST", &format!("/v1/deliveries/{id}/revoke")).json(&json!({ "reason": "誤送付" })));
    assert_eq!(open(&here, &login, &id).expect(410).code(), "delivery.revoked");
    assert_eq!(inbox(&here, &login).len(), 1);
    assert_eq!(here.get(&format!("/v1/deliveries/{id}"))["status"], "revoked");

    // The office sees who has an account, apart from its own people, and can shut one out.
    let recipients = here.get("/v1/members?kind=recipient");
    assert_eq!(recipients["items"].as_array().map(Vec::len), Some(2));
    let colleagues = here.get("/v1/members?limit=200");
    let roles = colleagues["items"].as_array().expect("a list");
    assert!(roles.iter().all(|one| one["role"] != "recipient"), "{colleagues}");
    let member = recipients["items"].as_array().into_iter().flatten().find(|one| one["email"] == email.as_str());
    let path = format!("/v1/members/{}", text(member.expect("is listed"), "id"));
    let role = Call::new("PUT", &format!("{path}/role")).if_match(&here.etag(&path)).json(&json!({ "role": "admin" }));
    assert_eq!(here.client.send(&here.login.on(role)).expect(422).code(), "member.is_recipient");
    here.suspend(path.rsplit('/').next().expect("an id"), false);
    assert_eq!(as_recipient(&here, &login, Call::new("GET", "/v1/inbox")).status, 401);
    let more = json!({ "document_ids": [document], "to_name": "x", "to_email": email });
    let refused = here.send(Call::new("POST", "/v1/deliveries").key("no").json(&more)).expect(422);
    assert_eq!(refused.code(), "delivery.recipient_suspended");
}

/// Journey J5, its end, as the recipient clicks through it on a telephone.
#[test]
fn j5_a_recipient_registers_reads_accepts_and_answers_on_a_telephone() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "journey5");
    for language in ["ja", "en"] {
        let quote = company.issue(&company.new_draft_of("quote"));
        company.printed(&quote);
        let (n, password) = (company.next(), "nine quiet otters at noon");
        let email = format!("hanako{n}@client.example");
        let delivery = company.send_to(&email, &quote);
        let browser = Browser::open(language);
        browser.resize(390, 844);
        let link = company.mailed_link(&delivery);
        browser.goto(&format!("{}/l/{}", server.url, link.rsplit('/').next().expect("a secret")));
        browser.click("main form button");
        browser.wait_for("#f-password");
        browser.fill("#f-name", "受取 花子");
        browser.fill("#f-password", "short");
        browser.screenshot(&format!("register-{language}"));
        browser.eval("document.querySelector('#f-password').minLength = 0");
        browser.click("form[action$='/register'] button");
        browser.wait_for("[role=alert]");
        browser.console();
        browser.screenshot(&format!("register-wrong-{language}"));
        browser.fill("#f-password", password);
        browser.click("form[action$='/register'] button");
        browser.wait_for("form[action='/login']");
        browser.screenshot(&format!("registered-{language}"));
        browser.fill("#f-email", &email);
        browser.fill("#f-password", password);
        browser.click("form[action='/login'] button");
        browser.wait_for("a[href^='/inbox/']");

        // Something new, with another document, which no mail names.
        let both = [company.issue(&company.new_draft_of("quote")), company.new_document()];
        both.iter().for_each(|id| drop(company.printed(id)));
        let body =
            json!({ "document_ids": both, "to_name": "受取 花子", "to_email": email, "message": "お見積です。" });
        let sent = company.ok(Call::new("POST", "/v1/deliveries").key(&format!("new {n}")).json(&body));
        let id = text(&sent, "id");
        company.mailed(&id, "inbox");
        browser.goto(&format!("{}/inbox", server.url));
        browser.screenshot(&format!("inbox-{language}"));
        browser.click(&format!("a.btn[href='/inbox/{id}']"));
        browser.wait_for("#answer");
        browser.screenshot(&format!("inbox-item-{language}"));
        browser.click("button[popovertarget^='accept-']");
        browser.wait_for(".dialog:popover-open");
        browser.screenshot(&format!("inbox-accept-{language}"));
        browser.click(".dialog:popover-open button[type=submit]");
        browser.wait_for(".badge-done");
        browser.fill("#f-text", "承知しました。\nよろしくお願いいたします。");
        browser.click("form[action$='/replies'] button");
        browser.wait_for("#answer + ul");
        browser.screenshot(&format!("inbox-answered-{language}"));
        browser.goto(&format!("{}/account", server.url));
        browser.screenshot(&format!("inbox-account-{language}"));
        assert_eq!(browser.console(), Vec::<String>::new());
        let view = company.get(&format!("/v1/deliveries/{id}"));
        assert!(view["documents"][0]["accepted_at"].is_string() && view["replies"][0]["text"].is_string(), "{view}");
    }
    // What the office sees of it.
    let office = Browser::open("ja");
    office.goto(&format!("{}/login", server.url));
    office.fill("#f-email", "owner@journey5.example");
    office.fill("#f-password", keiin_tests::company::PASSWORD);
    office.click("form[action='/login'] button");
    office.wait_for(".figures");
    for (name, path) in [("deliveries", "/deliveries"), ("recipients", "/members?kind=recipient")] {
        office.goto(&format!("{}{path}", server.url));
        office.screenshot(&format!("office-{name}"));
    }
    office.goto(&format!("{}/deliveries", server.url));
    office.click("td.side2 a");
    office.wait_for("#life");
    office.screenshot("office-delivery");
    assert_eq!(office.console(), Vec::<String>::new());
}
