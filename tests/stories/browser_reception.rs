//! Somebody is at the door, as the people inside see it: the reception decides about whom the blocklist names; and the evacuation
//! list opens and is ticked off when the server is gone. How a host hears and answers is in `browser_journey.rs`.

use keiin_tests::tablet::{is_content, pair};
use keiin_tests::{Browser, Call, Company, Credential, Deployment};
use serde_json::json;

fn expect_and_check_in(company: &Company, kiosk: &Credential, name: &str) {
    let mut body = company.visit_body();
    body["visitor_name"] = json!(name);
    let made = company.ok(Call::new("POST", "/v1/visits").json(&body));
    let call = Call::new("POST", "/v1/kiosk/check_in").json(&json!({ "code": made["secret"] }));
    company.client.send(&kiosk.on(call)).expect(200);
}

#[test]
fn the_reception_decides_about_whom_the_blocklist_names() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "genkan");
    let owner = Browser::open("en");
    owner.log_in(&server.url, "owner@genkan.example", "/visits");
    let at = |path: &str| format!("{}{path}", server.url);

    // Whom the blocklist names: the owner sees it at once, decides on the visit's page.
    owner.goto(&at("/visits/blocklist"));
    owner.fill("[name=value]", "ﾀｶﾊｼ ﾏｺﾄ");
    owner.fill("[name=reason]", "Caused a flood");
    owner.click("main form[action='/do/v1/blocklist_entries'] .btn-main");
    owner.wait_for_text(".plain-list", "Caused a flood");
    owner.screenshot("reception_blocklist");
    let tablet = Browser::open("ja");
    pair(&company, &tablet, &server);
    tablet.goto(&at("/kiosk?view=walk_in"));
    tablet.fill(".face:not([hidden]) [name=visitor_name]", "たかはし まこと");
    tablet.click(".face:not([hidden]) form button[type=submit]");
    tablet.wait_for_text("body[data-view=wait] .face:not([hidden]) h1", "受付におたずねください");
    tablet.screenshot("kiosk-wait");
    is_content(&tablet);
    owner.wait_for_text(".doors", "blocklist");
    owner.click(".door .btn");
    owner.wait_for("#held");
    owner.screenshot("reception_held");
    owner.fill("form[action$='/let_in'] [name=reason]", "Somebody else of that name");
    owner.click("form[action$='/let_in'] button");
    owner.wait_for_text(".sheet-head .badge", "");
    let held = owner.url();
    let held = held.rsplit('/').next().and_then(|id| id.split('?').next()).expect("an id").to_owned();
    owner.wait_for_text(".toast", "");
    assert_eq!(company.get(&format!("/v1/visits/{held}"))["status"], "arrived");

    // How they want to be told.
    owner.goto(&at("/visits/policy"));
    owner.fill("[name='escalate_after_min:int']", "3");
    owner.fill("[name='keep_days:int']", "90");
    owner.click(".save-bar button");
    owner.wait_for_text(".toast", "");
    let policy = company.get("/v1/visit_policy");
    assert_eq!((&policy["escalate_after_min"], &policy["keep_days"]), (&json!(3), &json!(90)));
    owner.screenshot("reception_policy");
}

#[test]
fn the_evacuation_list_opens_and_is_ticked_off_without_a_server() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "hinan");
    let kiosk = company.new_kiosk().1;
    for name in ["山本 さくら", "鈴木 遼"] {
        expect_and_check_in(&company, &kiosk, name);
    }
    let owner = Browser::open("ja");
    owner.log_in(&server.url, "owner@hinan.example", "/visits");
    let list = format!("{}/evacuation", server.url);
    owner.goto(&list);
    owner.wait_for_text("[data-missing]", "2");
    owner.wait_for("html[data-kept=true]");
    owner.screenshot("reception_evacuation");
    // The worker answers from the next visit on, and keeps what the server says.
    owner.goto(&list);
    wait_until_kept(&owner);
    // Whoever logs out leaves nothing on the device.
    owner.click("form[action='/logout'] button");
    owner.wait_for("[name=password]");
    owner.goto(&list);
    owner.wait_for("[name=password]");
    assert!(!kept(&owner));
    owner.log_in(&server.url, "owner@hinan.example", "/visits");
    owner.goto(&list);
    wait_until_kept(&owner);
    owner.click("[data-tick]");
    owner.wait_for_text("[data-safe]", "1");

    // The server is gone; the list is not, nor what was ticked.
    assert_eq!(server.stop(), 0);
    owner.goto(&list);
    owner.wait_for_text("[data-safe]", "1");
    assert_eq!(owner.count("[data-tick]"), 2);
    assert!(owner.text("main").contains("鈴木 遼"));
    let age = owner.text("[data-age]");
    assert!(age.contains("たった今") || age.contains("分前"), "{age}");
    owner.click("tr:nth-of-type(2) [data-tick]");
    owner.wait_for_text("[data-missing]", "0");
    owner.eval("document.querySelector('[data-evacuation]').dataset.evacuation = new Date(Date.now() - 7 * 60000).toISOString()");
    owner.wait_for_text("[data-age]", "7分前");
    owner.screenshot("reception_evacuation_offline");
    owner.resize(390, 844);
    owner.screenshot("reception_evacuation_phone");
    owner.goto(&list);
    owner.wait_for_text("[data-safe]", "2");
}

/// Is there a copy?
fn kept(browser: &Browser) -> bool {
    let script = "caches.open('evacuation').then(cache => \
        cache.match('/evacuation')).then(copy => { document.documentElement.dataset.copy = String(Boolean(copy)); });";
    browser.eval(script);
    browser.wait_for("html[data-copy]");
    let copy =
        "const copy = document.documentElement.dataset.copy; delete document.documentElement.dataset.copy; return copy";
    browser.eval(copy) == "true"
}

fn wait_until_kept(browser: &Browser) {
    for _ in 0..100 {
        if kept(browser) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("no copy of the list was kept");
}
