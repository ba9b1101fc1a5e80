//! Documents on their way to a recipient who has nothing but a link (ML-35 to ML-37).

use keiin_tests::company::text;
use keiin_tests::poppler;
use keiin_tests::{Answer, Browser, Call, Company, Deployment, Server, long, report};
use serde_json::{Value, json};

/// What is sent and to whom; returns the delivery and its link's secret.
fn send(company: &Company, more: Value) -> (String, String) {
    let n = company.next();
    let mut body = json!({ "to_name": "受取 花子", "to_email": format!("receiver{n}@client.example") });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let id = text(&company.ok(Call::new("POST", "/v1/deliveries").key(&format!("send {n}")).json(&body)), "id");
    let link = link(company, &id);
    (id, link)
}

fn link(company: &Company, delivery: &str) -> String {
    company.mailed_link(delivery).rsplit('/').next().expect("a secret").to_owned()
}

fn open(company: &Company, link: &str, passcode: &str) -> Answer {
    company.client.post(&format!("/v1/links/{link}/open"), &json!({ "passcode": passcode }))
}

fn take(company: &Company, link: &str, document: &str, passcode: &str) -> Answer {
    let body = json!({ "document_id": document, "passcode": passcode });
    company.client.post(&format!("/v1/links/{link}/downloads"), &body)
}

/// Kinds of the events of a delivery, the oldest first; who looked at it is told apart.
fn trail(company: &Company, delivery: &str) -> Vec<String> {
    let events = company.get(&format!("/v1/events?object={delivery}&limit=200"));
    let mut kinds: Vec<String> =
        events["items"].as_array().expect("a list").iter().map(|event| text(event, "kind")).collect();
    kinds.retain(|kind| kind.starts_with("delivery."));
    kinds.reverse();
    kinds
}

#[test]
fn ml_35_several_documents_go_by_one_link_and_the_mail_holds_none_of_them() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "sender");
    let documents = [company.new_document(), company.new_document(), company.issue(&company.new_draft_of("quote"))];
    for id in &documents {
        company.printed(id);
    }
    let (delivery, link) = send(&company, json!({ "document_ids": documents, "message": "三通お送りします。" }));
    let mail = company.mailed(&delivery, "delivery");
    let body = text(&mail, "body");
    for number in ["INV-2026-0001", "INV-2026-0002", "QUO-2026-0001"] {
        assert!(body.contains(number), "{body}");
    }
    assert!(body.contains("三通お送りします。") && !body.contains("1,100") && body.contains(&link), "{body}");

    let opened = open(&company, &link, "").expect(200).json();
    let shown: Vec<_> = opened["documents"].as_array().expect("a list").iter().map(|one| text(one, "id")).collect();
    assert_eq!(shown, documents, "in the sender's order");
    assert!(opened["documents"][0].get("client").is_none() && opened["documents"][0].get("paid").is_none());
    for id in &documents {
        let taken = take(&company, &link, id, "").expect(200);
        let stored = company.send(Call::new("GET", &format!("/v1/documents/{id}/pdf"))).expect(200);
        assert_eq!(taken.header("content-type"), Some("application/pdf"));
        assert_eq!(taken.header("cache-control"), Some("no-store"));
        assert_eq!(taken.body, stored.body);
        assert!(poppler::text(&taken.body).contains("1,100"));
    }
    // Of this delivery and nothing else.
    let other = company.new_document();
    company.printed(&other);
    assert_eq!(take(&company, &link, &other, "").expect(422).code(), "delivery.unknown_document");
    let view = company.get(&format!("/v1/deliveries/{delivery}"));
    let downloads: Vec<_> = view["documents"].as_array().expect("a list").iter().map(|one| &one["downloads"]).collect();
    assert_eq!(downloads, [&json!(1), &json!(1), &json!(1)]);
    let downloaded = "delivery.downloaded";
    assert_eq!(
        trail(&company, &delivery),
        ["delivery.link_issued", "delivery.link_opened", downloaded, downloaded, downloaded]
    );
    // Where it was opened from is written down, sealed for the company.
    let events = company.get(&format!("/v1/events?object={delivery}&kind={downloaded}"));
    let event = company.get(&format!("/v1/events/{}", events["items"][0]["position"]));
    assert_eq!(event["context"]["ip"], "127.0.0.1", "{event}");
    // Every document of it knows that it was delivered, and each list finds it.
    for id in &documents {
        assert_eq!(company.get(&format!("/v1/documents/{id}"))["delivery_status"], "opened");
        assert_eq!(company.get(&format!("/v1/deliveries?document_id={id}"))["items"][0]["id"], delivery.as_str());
    }
    assert_eq!(company.get("/v1/deliveries?q=QUO-2026")["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn ml_36_a_link_that_is_over_shows_nothing_and_sending_again_replaces_it() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "again");
    let document = company.new_document();
    company.printed(&document);
    let (delivery, first) =
        send(&company, json!({ "document_ids": [document], "view_limit": 1, "expires_in_days": 1 }));
    open(&company, &first, "").expect(200);
    take(&company, &first, &document, "").expect(200);
    assert_eq!(take(&company, &first, &document, "").expect(410).code(), "delivery.view_limit");
    assert_eq!(open(&company, &first, "").expect(410).code(), "delivery.view_limit");

    let path = format!("/v1/deliveries/{delivery}");
    // That the last opening was refused is another version.
    company.mark();
    let again = Call::new("POST", &format!("{path}/resend")).key("again").json(&json!({ "expires_in_days": 2 }));
    company.ok(again.if_match(&company.etag(&path)));
    company.settle();
    let second = link(&company, &delivery);
    assert_ne!(first, second);
    for answer in [open(&company, &first, ""), take(&company, &first, &document, "")] {
        assert_eq!(answer.expect(410).code(), "delivery.replaced");
    }
    let page = company.client.get(&format!("/l/{first}"));
    assert!(page.status == 410 && !page.text().contains("INV-2026"), "{}", page.text());
    open(&company, &second, "").expect(200);

    // Its days are over, whatever was opened before.
    assert_eq!(server.stop(), 0);
    let server = Server::serve_at("+3d", &deployment.data());
    let company = company.at(&server);
    for answer in [open(&company, &second, ""), take(&company, &second, &document, "")] {
        assert_eq!(answer.expect(410).code(), "delivery.expired");
    }
    let page = company.client.get(&format!("/l/{second}"));
    assert!(page.status == 410 && !page.text().contains("INV-2026"), "{}", page.text());
    let trail = trail(&company, &delivery);
    assert_eq!(trail.iter().filter(|kind| *kind == "delivery.link_expired").count(), 1, "{trail:?}");
    assert!(trail.iter().filter(|kind| *kind == "delivery.open_refused").count() >= 5, "{trail:?}");
}

#[test]
fn a_passcode_is_guessed_five_times_and_no_more_also_at_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "guarded");
    let document = company.new_document();
    company.printed(&document);
    let (delivery, link) = send(&company, json!({ "document_ids": [document], "passcode": "4711" }));
    assert!(!text(&company.mailed(&delivery, "delivery"), "body").contains("4711"), "it goes another way");
    assert_eq!(open(&company, &link, "").expect(403).code(), "delivery.passcode_required");
    let wrong = open(&company, &link, "0000").expect(403);
    assert_eq!(
        (wrong.code().as_str(), &wrong.json()["errors"][0]["pointer"]),
        ("access.wrong_passcode", &json!("/passcode"))
    );
    open(&company, &link, "4711").expect(200);
    assert_eq!(take(&company, &link, &document, "0000").expect(403).code(), "access.wrong_passcode");
    take(&company, &link, &document, "4711").expect(200);

    // Twenty at once: three guesses are left.
    let codes: Vec<String> = std::thread::scope(|scope| {
        let guess = |n: usize| {
            let (client, link) = (server.client(), link.clone());
            scope.spawn(move || {
                let body = json!({ "passcode": format!("{n:04}") });
                client.post(&format!("/v1/links/{link}/open"), &body).expect(403).code()
            })
        };
        let guesses: Vec<_> = (0..20).map(guess).collect();
        guesses.into_iter().map(|one| one.join().expect("it answers")).collect()
    });
    assert_eq!(codes.iter().filter(|code| *code == "access.wrong_passcode").count(), 3, "{codes:?}");
    assert_eq!(open(&company, &link, "4711").expect(403).code(), "delivery.locked");
    assert_eq!(company.get(&format!("/v1/deliveries/{delivery}"))["status"], "locked");
}

#[test]
fn ml_37_guesses_at_links_find_nothing_and_are_slowed_down() {
    let deployment = Deployment::limited();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "guessed");
    let (_, link) = company.new_delivery();
    let (mut unknown, mut too_many) = (0, 0);
    for n in 0..if long() { 10_000 } else { 500 } {
        let guess = format!("keiin_lnk_{n:0>43}");
        let answer = if n % 2 == 0 { open(&company, &guess, "") } else { company.client.get(&format!("/l/{guess}")) };
        match answer.status {
            404 => unknown += 1,
            429 => too_many += 1,
            other => panic!("{other}: {}", answer.text()),
        }
    }
    report!("guesses at links: unknown={unknown} too_many={too_many}");
    assert!(unknown >= 10 && too_many > unknown, "{unknown} {too_many}");
    // The store has the link's hash and no link.
    for file in ["log.db", "read.db", "vault.db"] {
        let bytes = std::fs::read(deployment.data().join(file)).expect("it is there");
        assert_eq!(memchr::memmem::find(&bytes, link.as_bytes()), None, "{file}");
    }
}

#[test]
fn a_recipient_opens_several_documents_with_a_passcode_on_a_telephone() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "phone");
    let documents = [company.new_document(), company.issue(&company.new_draft_of("quote"))];
    for id in &documents {
        company.printed(id);
    }
    for language in ["ja", "en"] {
        let (_, link) = send(&company, json!({ "document_ids": documents, "passcode": "4711" }));
        let browser = Browser::open(language);
        browser.resize(390, 844);
        browser.goto(&format!("{}/l/{link}", server.url));
        browser.screenshot(&format!("link-landing-{language}"));
        browser.fill("#f-passcode", "4712");
        browser.click("main form button");
        browser.wait_for("[role=alert]");
        browser.screenshot(&format!("link-wrong-{language}"));
        // That the server refused, the browser notes for itself.
        browser.console();
        browser.fill("#f-passcode", "4711");
        browser.click("main form button");
        browser.wait_for("nav[aria-labelledby=all]");
        assert_eq!(browser.count("main section form[action$='/file']"), 2);
        browser.screenshot(&format!("link-opened-{language}"));
        assert_eq!(browser.console(), Vec::<String>::new());
    }
}
