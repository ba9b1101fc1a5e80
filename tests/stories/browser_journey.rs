//! J7: a day at the reception, with a real browser for each of the people in it and a real mail server between them.

use std::path::Path;

use keiin_tests::canary::{assert_absent, assert_present};
use keiin_tests::company::{text, verify};
use keiin_tests::smtp::Smtp;
use keiin_tests::tablet::{fits, is_content, pair, wait_for_number};
use keiin_tests::{Browser, Call, Company, Deployment, film};
use serde_json::{Value, json};

use crate::appointments::{file, read_qr};

/// Who comes; erased in the end.
const VISITOR: &str = "鸛籠 さくら";

/// What the reception wants to know of everybody, and what they agree to.
fn asks(company: &Company) {
    let both = |ja: &str, en: &str| json!({ "ja": ja, "en": en });
    let question = |field: &str, more: Value| {
        let mut question = json!({ "field": field, "walk_in": true, "required": field == "name" });
        question.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        question
    };
    let parking =
        json!({ "label": both("車で来ましたか", "Did you come by car?"), "check_in": true, "required": true });
    let flow = json!({
        "questions": [question("name", json!({})), question("company", json!({})), question("yes_no", parking)],
        "consent": both("館内で撮影しません。", "I will take no pictures inside."),
        "walk_ins": true, "check_outs": true, "hosts": "everybody",
    });
    company.ok(Call::new("POST", "/v1/reception").json(&flow));
}

/// A mail to somebody with this in it; others may come between.
fn mail_with(smtp: &Smtp, to: &str, with: &str) -> Value {
    std::iter::repeat_with(|| smtp.next_to(to)).find(|mail| text(mail, "body").contains(with)).expect("it comes")
}

/// Holds the pass up to the camera of whatever screen is shown.
fn hold_up(tablet: &Browser) {
    tablet.wait_for("[data-camera]:not([hidden])");
    tablet.click(".face:not([hidden]) [data-camera]");
}

/// Registers a visitor of now to a host, as the owner clicks it; the visit's id.
fn register(desk: &Browser, url: &str, host: &str) -> String {
    desk.goto(&format!("{url}/visits/new"));
    desk.fill("[name=visitor_name]", VISITOR);
    desk.fill("[name=visitor_company]", "株式会社みなと商事");
    desk.fill("[name=visitor_email]", "sakura@example.jp");
    desk.fill("[name=location]", "Reception");
    desk.eval(
        "const at = ms => new Date(Date.now() + 9 * 3600e3 + ms).toISOString().slice(0, 16);
         for (const [name, ms] of [['starts_at', 0], ['ends_at', 3600e3]])
           document.querySelector(`[name='${name}:local']`).value = at(ms);",
    );
    desk.select("[name=host_id]", host);
    desk.click(".save-bar button[type=submit]");
    desk.wait_for(".flash-pass");
    let url = desk.url();
    url.rsplit('/').next().and_then(|id| id.split('?').next()).expect("an id").to_owned()
}

/// The film of the pass that is in the visitor's mail.
fn film_of(mail: &Value, picture: &Path) -> String {
    let secret = read_qr(&file(mail, "pass.png").1);
    film::write(picture, &secret);
    secret
}

#[test]
fn j7_a_day_at_the_reception() {
    let smtp = Smtp::plain(0);
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "raihou");
    let (host, _) = company.new_member("member");
    let host_email = text(&company.get(&format!("/v1/members/{host}")), "email");
    assert_eq!(server.stop(), 0);
    deployment.mail_to(smtp.port, "none", "");
    let server = deployment.serve();
    let company = company.at(&server);
    asks(&company);

    // The owner registers who comes; the visitor has the pass in their mail.
    let desk = Browser::open("ja");
    desk.log_in(&server.url, "owner@raihou.example", "/visits");
    let visit = register(&desk, &server.url, &host);
    let path = format!("/v1/visits/{visit}");
    let picture = deployment.folder().join("pass.y4m");
    let secret = film_of(&mail_with(&smtp, "sakura@example.jp", "/pass/"), &picture);
    assert_eq!(company.get(&path)["status"], "expected");

    // The host looks at something else.
    let colleague = Browser::open("en");
    colleague.log_in(&server.url, &host_email, "/clients");
    assert_eq!(colleague.count(".door"), 0);

    // At the door: the language, the pass, a question and the consent.
    let tablet = Browser::filming("ja", &picture);
    tablet.resize(1280, 800);
    pair(&company, &tablet, &server);
    assert!(fits(&tablet), "the start scrolls");
    tablet.click(".face:not([hidden]) [data-speak=en]");
    tablet.wait_for_text(".face:not([hidden]) h1", "Welcome");
    hold_up(&tablet);
    tablet.wait_for_text(".face:not([hidden]) .kiosk-form", "Did you come by car?");
    tablet.screenshot("j7_ask");
    tablet.click(".face:not([hidden]) .kiosk-form .option");
    tablet.click(".face:not([hidden]) .kiosk-consent .option");
    tablet.click(".face:not([hidden]) form button[type=submit]");
    tablet.wait_for_text(".face:not([hidden]) .told [data-done]:not([hidden])", "has been told");
    wait_for_number(&tablet, "told");
    tablet.screenshot("j7_told");

    // The host hears of it by mail, and on the page that is open, and answers there.
    let mail = mail_with(&smtp, &host_email, "/answer/");
    assert!(text(&mail, "body").contains(VISITOR), "{mail}");
    colleague.wait_for_text(".doors", VISITOR);
    colleague.screenshot("j7_banner");
    colleague.resize(390, 844);
    colleague.screenshot("j7_banner_phone");
    colleague.resize(1280, 900);
    colleague.click(".door .btn-main");
    colleague.wait_for(".toast");
    let seen = company.get(&path);
    assert_eq!((&seen["status"], &seen["after"]["answer"]), (&json!("arrived"), &json!("coming")), "{seen}");
    assert_eq!(seen["answers"][0]["answer"], json!({ "ja": "はい", "en": "Yes" }), "{seen}");
    assert_eq!(seen["consent"], company.get("/v1/reception")["consent"]["hash"]);
    colleague.goto(&format!("{}/clients", server.url));
    assert_eq!(colleague.count(".door"), 0, "answered");

    // Somebody comes without an appointment, and goes with the number that they got.
    tablet.goto(&format!("{}/kiosk?view=walk_in&lang=ja", server.url));
    tablet.fill(".face:not([hidden]) [name=visitor_name]", "飛込 次郎");
    tablet.click(".face:not([hidden]) .kiosk-form .option:nth-of-type(2)");
    tablet.click(".face:not([hidden]) .kiosk-consent .option");
    tablet.screenshot("j7_walk_in");
    tablet.click(".face:not([hidden]) form button[type=submit]");
    let number = tablet.text(".face:not([hidden]) .passcode");
    tablet.goto(&format!("{}/kiosk?view=out", server.url));
    tablet.fill(".face:not([hidden]) .code-input", &number);
    tablet.click(".face:not([hidden]) form button[type=submit]");
    tablet.wait_for_text(".face:not([hidden]) main .kiosk-done", "退館を記録しました");

    // The same code lets the visitor out.
    tablet.goto(&format!("{}/kiosk?view=out", server.url));
    assert!(fits(&tablet), "the way out scrolls");
    hold_up(&tablet);
    tablet.wait_for_text(".face:not([hidden]) main .kiosk-done", "退館を記録しました");
    is_content(&tablet);

    // What the day was.
    desk.goto(&format!("{}/visits/history", server.url));
    desk.wait_for_text("main", VISITOR);
    desk.wait_for_text("main", "飛込 次郎");
    desk.screenshot("j7_history");
    let sheet = company.send(Call::new("GET", "/v1/visit_history.csv?lang=en&encoding=utf8")).expect(200).text();
    let rows: Vec<&str> = sheet.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{sheet}");
    assert!(rows.iter().all(|row| row.starts_with("left,")), "{sheet}");
    desk.goto(&format!("{}/visits/figures", server.url));
    let charts = desk.eval("return Array.from(document.querySelectorAll('svg[role=img] title'), t => t.textContent)");
    let charts = charts.as_array().expect("three charts");
    assert!(charts.len() == 3 && charts[0].as_str().is_some_and(|says| says.contains("2件")), "{charts:?}");
    desk.screenshot("j7_figures");

    // The visitor is forgotten; that they came is proved as before.
    company.settle();
    drop(assert_present(&deployment.data(), VISITOR));
    desk.goto(&format!("{}/visits/{visit}", server.url));
    desk.click("details:has(form[action$='/erase']) > summary");
    desk.click("form[action$='/erase'] button[type=submit]");
    desk.wait_for_text("main", "消去されました");
    assert_eq!(company.get(&path)["visitor"], json!({ "erased": true }));
    let history = company.get("/v1/visit_history?how=appointment");
    assert!(history["items"][0]["arrived_at"].is_string() && history["items"][0]["left_at"].is_string(), "{history}");
    company.checkpoint();
    let (key, export) = (company.key(), deployment.export("raihou", "day.keiin", &["--open"]));
    verify(&export, &key);
    is_content(&desk);
    is_content(&colleague);
    assert_eq!(server.stop(), 0);
    assert_absent(&deployment.data(), VISITOR, |_| false);
    assert!(!std::fs::read(&export).expect("the export").windows(secret.len()).any(|part| part == secret.as_bytes()));
}
