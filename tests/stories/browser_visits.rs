//! An appointment with companions and a co-host is registered, moved, cancelled, and a record corrected, as somebody clicks
//! through it; a calendar address is made, and a list of visits imported, on a telephone and in English.

use keiin_tests::{Browser, Call, Company, Deployment};
use serde_json::json;

#[test]
fn an_appointment_from_its_form_to_its_correction() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "raihou");
    let anna = company.new_member("member").0;
    let browser = Browser::open("ja");
    let at = |path: &str| format!("{}{path}", server.url);
    browser.log_in(&server.url, "owner@raihou.example", "/visits");
    browser.click(".page-head a[href='/visits/new']");
    browser.fill("[name=visitor_name]", "山本 さくら");
    browser.fill("[name=visitor_email]", "sakura@example.jp");
    browser.click("details:has([name='companions.0.name']) > summary");
    browser.fill("[name='companions.0.name']", "Robert Brown");
    browser.select("[name='companions.0.language']", "en");
    browser.fill("[name='companions.1.name']", "鈴木 一郎");
    browser.eval(
        "for (const [name, time] of [['starts_at', '2031-04-01T09:00'], ['ends_at', '2031-04-30T18:00']])
           document.querySelector(`[name='${name}:local']`).value = time;",
    );
    browser.fill("[name=location]", "本社 受付");
    browser.click("details:has([name='weekdays.0']) > summary");
    browser.click("[name='weekdays.0']");
    browser.click("[name='weekdays.2']");
    browser.click("details:has([name^='co_hosts.']) > summary");
    // In the middle of the window: the bar with the button lies over its lower end.
    browser.eval(&format!("document.querySelector(`[name^='co_hosts.'][value='{anna}']`).click()"));
    browser.click(".save-bar button[type=submit]");
    // A pass each, with whose it is.
    browser.wait_for(".flash-pass");
    let passes = browser.texts(".flash-pass .secret b");
    assert_eq!(passes.len(), 3, "{passes:?}");
    assert!(passes[1].contains("Robert Brown") && passes[2].contains("鈴木 一郎"), "{passes:?}");
    browser.wait_for_text(".pairs", "期間入館証");
    let visit = company.get("/v1/visits?q=Sakura").clone();
    assert_eq!(visit["items"], json!([]));
    let list = company.get("/v1/visits");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(list["items"][0]["weekdays"], json!(["mon", "wed"]));

    // Somebody joins.
    let first = list["items"].as_array().unwrap().iter().find(|v| v["visitor"]["name"] == "山本 さくら").unwrap();
    browser.goto(&at(&format!("/visits/{}", first["id"].as_str().expect("an id"))));
    let joins = "details:has(form[action$='/companions'])";
    browser.click(&format!("{joins} > summary"));
    browser.screenshot("visit_join_form");
    browser.fill(&format!("{joins} [name='companions.0.name']"), "田辺 花");
    browser.eval("document.querySelector(\"form[action$='/companions'] .save-bar button\").click()");
    browser.wait_for(".flash-pass");
    let passes = browser.texts(".flash-pass .secret b");
    assert!(passes.len() == 1 && passes[0].contains("田辺 花"), "{passes:?}");
    assert_eq!(browser.eval("return scrollY"), 0, "what is shown once is in sight");
    browser.screenshot("visit_joined");
    browser.wait_for_text("[aria-labelledby=others]", "田辺 花");

    // The whole appointment moves; one of its visitors is called off, then the others.
    let first = list["items"].as_array().unwrap().iter().find(|v| v["visitor"]["name"] == "山本 さくら").unwrap();
    let id = first["id"].as_str().expect("an id").to_owned();
    browser.goto(&at(&format!("/visits/{id}")));
    browser.click(&format!("a[href='/visits/{id}/schedule']"));
    browser.fill("[name=location]", "別館");
    browser.click(".save-bar button[type=submit]");
    browser.wait_for_text(".pairs", "別館");
    let places = company.get("/v1/visits");
    assert!(places["items"].as_array().unwrap().iter().all(|v| v["location"] == "別館"), "{places}");
    browser.click("[aria-labelledby=others] li:first-child a");
    browser.wait_for_text("h1", "Robert Brown");
    browser.click("[aria-labelledby=cancel] button[type=submit]");
    browser.wait_for_text(".slips", "取消済み");
    browser.goto(&at(&format!("/visits/{id}")));
    browser.click("[name='whole_appointment:bool']");
    browser.click("[aria-labelledby=cancel] button[type=submit]");
    browser.wait_for_text(".slips", "取消済み");
    let left = company.get("/v1/visits?status=expected");
    assert_eq!(left["items"], json!([]));

    // Somebody who came is corrected.
    let came = company.ok(Call::new("POST", "/v1/visits").json(&company.visit_body()))["id"].clone();
    let path = format!("/visits/{}", came.as_str().expect("an id"));
    browser.goto(&at(&path));
    browser.click(".page-head button[type=submit]");
    browser.click(&format!("a[href='{path}/correct']"));
    browser.fill("[name=visitor_name]", "髙橋 一郎");
    browser.fill("[name=reason]", "名札の読み違い");
    browser.click(".save-bar button[type=submit]");
    browser.wait_for_text("h1", "髙橋 一郎");
    browser.wait_for_text(".pairs", "名札の読み違い");

    // A calendar's address: made, shown once, ended.
    browser.resize(390, 844);
    browser.goto(&at("/visits/calendar?lang=en"));
    browser.click("form[action='/do/v1/me/calendar_feed'] button");
    assert!(browser.text("#flash-link").ends_with(".ics"));
    browser.goto(&at("/visits/calendar"));
    browser.click("form[action='/do/v1/me/calendar_feed/end'] button");
    browser.wait_for_text("main", "There is no address yet.");
    assert_eq!(browser.console(), Vec::<String>::new());
}
