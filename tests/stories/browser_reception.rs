//! Somebody is at the door, as the people inside see it: it shows on whatever page is open, without a reload; the host answers
//! there or from the mail; the reception decides about whom the blocklist names; and the evacuation list opens and is ticked
//! off when the server is gone.

use keiin_tests::company::{PASSWORD, text};
use keiin_tests::{Browser, Call, Company, Credential, Deployment, Server};
use serde_json::{Value, json};

fn logged_in(server: &Server, language: &str, email: &str) -> Browser {
    let browser = Browser::open(language);
    browser.goto(&format!("{}/login", server.url));
    browser.fill("[name=email]", email);
    browser.fill("[name=password]", PASSWORD);
    browser.click("main button[type=submit]");
    browser.wait_for("a[href='/visits']");
    browser
}

fn expect_and_check_in(company: &Company, kiosk: &Credential, name: &str, host: &str) -> String {
    let mut body = company.visit_body();
    (body["visitor_name"], body["host_id"]) = (json!(name), json!(host));
    let made = company.ok(Call::new("POST", "/v1/visits").json(&body));
    let call = Call::new("POST", "/v1/kiosk/check_in").json(&json!({ "code": made["secret"] }));
    company.client.send(&kiosk.on(call)).expect(200);
    text(&made, "id")
}

#[test]
fn who_is_at_the_door_shows_by_itself_and_is_answered_with_a_click() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "genkan");
    let (host, _) = company.new_member("member");
    let email = text(&company.get(&format!("/v1/members/{host}")), "email");
    let kiosk = company.new_kiosk().1;
    let member = logged_in(&server, "ja", &email);
    let owner = logged_in(&server, "en", "owner@genkan.example");
    let at = |path: &str| format!("{}{path}", server.url);

    // The host has some other page open; nobody touches it.
    member.goto(&at("/clients"));
    assert_eq!(member.count(".door"), 0);
    let visit = expect_and_check_in(&company, &kiosk, "山本 さくら", &host);
    member.wait_for_text(".doors", "山本 さくら");
    assert!(member.text(".doors").contains("お待ちです"), "{}", member.text(".doors"));
    member.screenshot("reception_banner");
    member.resize(390, 844);
    member.screenshot("reception_banner_phone");
    member.resize(1280, 900);
    member.click(".door .btn-main");
    member.wait_for_text(".toast", "返事を記録しました");
    assert_eq!(company.get(&format!("/v1/visits/{visit}"))["after"]["answer"], "coming");
    member.goto(&at("/clients"));
    member.wait_for("h1");
    assert_eq!(member.count(".door"), 0, "answered");

    // From the mail, by whoever holds it.
    expect_and_check_in(&company, &kiosk, "鈴木 遼", &host);
    let mails = company.get("/v1/mails?template=arrival&limit=1");
    let mail = mails["items"][0]["id"].as_str().expect("a mail").to_owned();
    assert_eq!(company.get(&format!("/v1/mails/{mail}"))["link"], Value::Null, "a link is for its reader's eyes");
    let told = company.get("/v1/waiting_visits")["items"].as_array().expect("a list").len();
    assert_eq!(told, 0, "it is the member's visitor, not the owner's");

    // Whom the blocklist names: the owner sees it at once, decides on the visit's page.
    owner.goto(&at("/visits/blocklist"));
    owner.fill("[name=value]", "ﾀｶﾊｼ ﾏｺﾄ");
    owner.fill("[name=reason]", "Caused a flood");
    owner.click("main form[action='/do/v1/blocklist_entries'] .btn-main");
    owner.wait_for_text(".plain-list", "Caused a flood");
    owner.screenshot("reception_blocklist");
    let walk_in = Call::new("POST", "/v1/kiosk/walk_in").json(&json!({ "visitor_name": "たかはし まこと" }));
    assert_eq!(company.client.send(&kiosk.on(walk_in)).expect(403).code(), "visit.ask_reception");
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
    for (path, name) in [("/visits/history", "history"), ("/visits/figures", "figures"), ("/visits", "visits")] {
        for (width, height, at_width) in [(1280, 900, ""), (390, 844, "_phone")] {
            owner.resize(width, height);
            owner.goto(&at(path));
            owner.wait_for("h1");
            owner.screenshot(&format!("reception_{name}{at_width}"));
        }
    }
    owner.goto(&at("/visits/figures"));
    let says =
        owner.eval("return Array.from(document.querySelectorAll('svg[role=img] title')).map(t => t.textContent)");
    let says = says.as_array().expect("three charts").clone();
    assert!(says.len() == 3 && says[0].as_str().is_some_and(|text| text.contains("3 arrivals")), "{says:?}");
}

#[test]
fn the_evacuation_list_opens_and_is_ticked_off_without_a_server() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "hinan");
    let kiosk = company.new_kiosk().1;
    for name in ["山本 さくら", "鈴木 遼"] {
        expect_and_check_in(&company, &kiosk, name, &company.owner);
    }
    let owner = logged_in(&server, "ja", "owner@hinan.example");
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
    owner.fill("[name=email]", "owner@hinan.example");
    owner.fill("[name=password]", PASSWORD);
    owner.click("main button[type=submit]");
    owner.wait_for("a[href='/visits']");
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
