//! J6: a document goes out by post, as people do it in their browsers. The office orders it, the clerk prints it, sticks the label
//! on, hands it over with its tracking number; the envelope comes back, the office corrects the address (ML-32, ML-33, ML-34).

use keiin_tests::company::{PASSWORD, text};
use keiin_tests::{Browser, Call, Company, Deployment, poppler, report};
use serde_json::{Value, json};

const ENTER: &str = "\u{e007}";
const SPACE: &str = "\u{e00d}";

fn press(browser: &Browser, keys: &str) {
    browser.run(async |c| c.active_element().await?.send_keys(keys).await);
}

fn log_in(browser: &Browser, url: &str, email: &str) {
    browser.goto(&format!("{url}/login"));
    browser.fill("[name=email]", email);
    browser.fill("[name=password]", PASSWORD);
    browser.click("main button[type=submit]");
    browser.wait_for(".spine");
}

/// Kinds of the records about an item, the oldest first; looks with what they were for.
fn trail(company: &Company, id: &str) -> Vec<String> {
    let events = company.get(&format!("/v1/events?object={id}&limit=200"));
    let found = events["items"].as_array().expect("items").iter().rev();
    let told = |event: &Value| match text(event, "kind") {
        kind if kind == "postal_item.accessed" => {
            let record = company.get(&format!("/v1/events/{}", event["position"]));
            text(&record["event"], "purpose")
        }
        kind => kind,
    };
    found.map(told).collect()
}

#[test]
fn j6_a_document_goes_out_by_post_and_comes_back() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "yubinkyoku");
    let about = json!({ "name": "株式会社ミナト製作所", "registration_number": "T7000012050002", "address": "東京都港区芝公園4-2-8" });
    company.ok(Call::new("PUT", "/v1/tenant").if_match(&company.etag("/v1/tenant")).json(&about));
    let client = json!({
        "name": "独立行政法人国際総合技術開発研究機構東日本統括本部広域連携推進事業部先端素材応用研究開発第一部門企画調整室",
        "honorific": "onchu", "postal_code": "105-8445", "region": "東京都", "locality": "港区",
        "street_address": "虎ノ門2-2-5", "extended_address": "共同通信会館5階",
    });
    let client = text(&company.ok(Call::new("POST", "/v1/clients").json(&client)), "id");
    let draft = text(&company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client))), "id");
    let document = text(&company.printed(&company.issue(&draft)), "id");
    let (clerk_id, clerk_login) = company.new_member("postal_clerk");
    let clerk_mail = text(&company.get(&format!("/v1/members/{clerk_id}")), "email");

    // The office orders it from the document's page, registered.
    let office = Browser::open("ja");
    log_in(&office, &server.url, "owner@yubinkyoku.example");
    office.goto(&format!("{}/documents/{document}", server.url));
    office.click("[popovertarget=post]");
    office.fill("#post [name=department]", "経理部");
    office.click("#post [name='extras.1']");
    office.fill("#post [name=message]", "いつもお世話になっております。");
    office.screenshot("post_order");
    office.click("#post button[type=submit]");
    office.wait_for_text("h1", "郵便物");
    office.screenshot("post_item");
    let id = text(&company.get("/v1/postal-items")["items"][0], "id");
    let item = company.get(&format!("/v1/postal-items/{id}"));
    assert_eq!(item["postage"]["amount"], json!(110 + 350));
    // A second one, without a number, and a third to cancel.
    let plain = company.new_postal_item("queued");
    let third = company.new_postal_item("queued");

    // The clerk logs in, sees the queue and nothing of documents.
    let clerk = Browser::open("ja");
    log_in(&clerk, &server.url, &clerk_mail);
    assert_eq!(clerk.count(".nav a[href='/documents']"), 0);
    clerk.click(".nav a[href='/print-station']");
    clerk.wait_for_text("h1", "郵便の印刷");
    assert_eq!(clerk.count("[name=item]"), 3);
    clerk.click(&format!("[name=item][value='{id}']"));
    clerk.screenshot("post_station");
    // The buttons open another window; what comes into it is asked for here.
    for action in ["/print-station/print-job", "/print-station/labels"] {
        let script = "const body = new URLSearchParams(new FormData(document.querySelector('main form')));
            return fetch(arguments[0], { method: 'POST', body }).then((answer) => answer.headers.get('content-type'));";
        assert_eq!(clerk.eval_with(script, vec![json!(action)]), json!("application/pdf"), "{action}");
    }
    let job = format!("/v1/postal-items/{id}/pdf?purpose=print");
    let job = company.client.send(&clerk_login.on(Call::new("GET", &job))).expect(200);
    let words = poppler::text(&job.body);
    for wanted in ["〒105-8445", "東京都港区虎ノ門2-2-5", "共同通信会館5階", "経理部", "書類送付のご案内", "請求書"]
    {
        assert!(words.contains(wanted), "{wanted} in {words}");
    }
    // All of them are marked as printed, then the registered one gets its number from the scanner: digits and Enter.
    clerk.goto(&format!("{}/print-station", server.url));
    clerk.wait_for("[name=item]");
    for tick in [&id, &plain] {
        clerk.eval_with("document.querySelector(arguments[0]).focus()", vec![json!(format!("[value='{tick}']"))]);
        press(&clerk, SPACE);
    }
    clerk.click("[formaction='/print-station/printed']");
    clerk.wait_for_text(".toast", "印刷済みにしました");
    clerk.screenshot("post_station_out");
    assert_eq!(
        clerk.eval("return document.activeElement.name"),
        json!("tracking_number"),
        "the field waits for the scanner"
    );
    press(&clerk, "123-45-67890-3");
    press(&clerk, ENTER);
    clerk.wait_for_text(".toast", "発送を記録しました");
    clerk.eval_with(
        "document.querySelector(arguments[0]).focus()",
        vec![json!(format!("[form=ticked][value='{plain}']"))],
    );
    press(&clerk, SPACE);
    clerk.click("button[form=ticked]:not([formaction])");
    clerk.wait_for_text(".toast", "発送を記録しました");
    assert_eq!(company.get(&format!("/v1/postal-items/{plain}"))["status"], json!("dispatched"));
    let item = company.get(&format!("/v1/postal-items/{id}"));
    assert_eq!((&item["tracking_number"], &item["paid"]["amount"]), (&json!("12345678903"), &json!(460)));

    // From here on the clerk does not see it any more.
    clerk.goto(&format!("{}/postal-items/{id}", server.url));
    clerk.wait_for_text("h1", "もう郵便係には見えません");
    clerk.screenshot("post_clerk_refused");
    clerk.console();
    let again = company.client.send(&clerk_login.on(Call::new("GET", &format!("/v1/postal-items/{id}"))));
    assert_eq!(again.expect(403).code(), "postal_item.handed_over");

    // It comes back: typed from the envelope.
    clerk.goto(&format!("{}/print-station/returns", server.url));
    press(&clerk, &text(&item, "reference").to_lowercase());
    press(&clerk, ENTER);
    clerk.wait_for("[name=reason]");
    clerk.select("[name=reason]", "moved");
    clerk.screenshot("post_returns");
    clerk.click(".plain-list button[type=submit]");
    clerk.wait_for_text(".toast", "返送を記録しました");

    // The office sees why, corrects the address; it waits at the print station again.
    office.goto(&format!("{}/postal-items/{id}", server.url));
    office.wait_for_text(".note-bad", "転居");
    office.screenshot("post_returned");
    office.click("[popovertarget=again]");
    office.fill("#again [name='to.street_address']", "芝公園4-2-8");
    office.click("#again button[type=submit]");
    office.wait_for_text(".toast", "もう一度、印刷待ちに入れました");
    office.goto(&format!("{}/postal-items/{third}", server.url));
    office.click("[popovertarget=cancel]");
    office.click("#cancel button[type=submit]");
    office.wait_for_text(".toast", "郵送を取りやめました");
    office.goto(&format!("{}/postal-items", server.url));
    office.wait_for(".table");
    office.screenshot("post_items");

    let told = trail(&company, &id);
    let wanted = [
        "postal_item.queued", "print", "label", "postal_item.printed", "postal_item.dispatched",
        "postal_item.returned", "postal_item.requeued",
    ];
    let mut rest = told.iter();
    for kind in wanted {
        assert!(rest.any(|one| one == kind), "{kind} in {told:?}");
    }
    assert!(told.iter().any(|kind| kind == "data.viewed"), "the page itself is a look: {told:?}");
    assert!(trail(&company, &document).iter().any(|kind| kind == "print"), "found by the document, too");

    // Somebody without the right sees neither link nor page; in English, on a telephone.
    let (viewer_id, _) = company.new_member("viewer");
    let viewer = Browser::open("en");
    viewer.resize(390, 844);
    log_in(&viewer, &server.url, &text(&company.get(&format!("/v1/members/{viewer_id}")), "email"));
    assert_eq!(viewer.count(".nav a[href='/postal-items']") + viewer.count(".nav a[href='/print-station']"), 0);
    let phone = Browser::open("en");
    phone.resize(390, 844);
    log_in(&phone, &server.url, &clerk_mail);
    phone.goto(&format!("{}/print-station", server.url));
    phone.wait_for_text("h1", "Print station");
    phone.screenshot("post_station_phone");
    let desk = Browser::open("en");
    log_in(&desk, &server.url, "owner@yubinkyoku.example");
    desk.goto(&format!("{}/print-station", server.url));
    desk.wait_for_text("h1", "Print station");
    desk.screenshot("post_station_en");
    for browser in [&office, &clerk, &phone, &desk] {
        assert_eq!(browser.console(), Vec::<String>::new());
    }
    report!("post journey=order,print,label,dispatch,return,again looks={}", told.len());
}
