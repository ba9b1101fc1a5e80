//! The catalog fills in a row while somebody types, drafts are ticked and issued at once, and a document is set up to recur,
//! as somebody clicks through it; first in Japanese, then the progress of a batch in English on a telephone.

use keiin_tests::company::{PASSWORD, text};
use keiin_tests::{Browser, Call, Company, Deployment, report};
use serde_json::json;

const TAB: &str = "\u{e004}";
const SPACE: &str = "\u{e00d}";
const ENTER: &str = "\u{e007}";

/// Sends keys to whatever has the focus.
fn press(browser: &Browser, keys: &str) {
    browser.run(async |c| c.active_element().await?.send_keys(keys).await);
}

#[test]
fn what_repeats_is_written_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "kurikaeshi");
    let about = json!({ "name": "株式会社くりかえし", "registration_number": "T7000012050002" });
    company.ok(Call::new("PUT", "/v1/tenant").if_match(&company.etag("/v1/tenant")).json(&about));
    let client = company.new_client();
    let browser = Browser::open("ja");
    let at = |path: &str| format!("{}{path}", server.url);
    browser.goto(&at("/login"));
    browser.fill("[name=email]", "owner@kurikaeshi.example");
    browser.fill("[name=password]", PASSWORD);
    browser.click("main button[type=submit]");
    browser.wait_for(".figures");

    // An item of the catalog, written on its page.
    browser.click(".nav a[href='/items']");
    browser.click(".page-head a[href='/items/new']");
    for (field, typed) in [("description", "月次保守"), ("unit", "式"), ("unit_price", "48000")] {
        browser.fill(&format!("[name={field}]"), typed);
    }
    browser.click(".save-bar button[type=submit]");
    browser.wait_for_text(".slips", "月次保守");

    // Its description typed into a row fills in the rest, from the keyboard alone.
    browser.goto(&at("/documents/new?document_type=invoice"));
    browser.select("[name=client_id]", &client);
    browser.fill("[name=title]", "11月分 保守料");
    browser.fill("[name='lines.0.description']", "月次保守");
    press(&browser, TAB);
    browser.wait_for_text("tr:first-child [data-amount]", "¥48,000");
    browser.wait_for_text("[data-totals]", "¥52,800");
    // What somebody has written stays.
    browser.fill("[name='lines.1.unit_price']", "500");
    browser.fill("[name='lines.1.quantity']", "2");
    browser.fill("[name='lines.1.description']", "月次保守");
    browser.wait_for_text("tr:nth-child(2) [data-amount]", "¥1,000");
    browser.click(".save-bar button[type=submit]");
    browser.wait_for("article.a4");

    // The document becomes a template, the template recurs.
    browser.click("[popovertarget=template]");
    browser.fill("#template [name=name]", "月次保守");
    browser.click("#template button[type=submit]");
    browser.wait_for_text(".toast", "ひな形を保存しました");
    browser.fill("[name=title]", "{year}年{month}月分 保守料");
    press(&browser, ENTER);
    browser.wait_for("[name=title][value^='{year}']");
    browser.click("a[href^='/recurrences/new']");
    browser.select("[name=client_id]", &client);
    browser.select("[name=mode]", "issue");
    browser.screenshot("repeat_recurrence_new");
    browser.click(".save-bar button[type=submit]");
    browser.wait_for_text(".toast", "定期作成を始めました");
    assert!(browser.text(".badge").contains("実行中"));
    browser.screenshot("repeat_recurrence");

    // Three drafts, ticked from the keyboard, issued at once.
    (0..2).for_each(|_| drop(company.new_draft()));
    browser.goto(&at("/documents?status=draft"));
    browser.wait_for(".tick");
    let drafts = browser.count(".tick");
    assert!(drafts >= 3, "{drafts}");
    browser.eval("document.querySelector('.tick').focus()");
    press(&browser, SPACE);
    for _ in 1..drafts {
        for _ in 0..9 {
            press(&browser, TAB);
            if browser.eval("return document.activeElement.matches('.tick')") == true {
                break;
            }
        }
        press(&browser, SPACE);
    }
    assert_eq!(browser.count(".tick:checked"), drafts);
    browser.screenshot("repeat_ticked");
    browser.eval("document.querySelector('.bulk button').focus()");
    press(&browser, ENTER);
    browser.wait_for_text("h1", "一括発行");
    // The page shows by itself that it is over.
    browser.wait_for_text(".page-head .badge", "完了");
    browser.screenshot("repeat_batch");
    let batch = text(&company.get("/v1/batches")["items"][0], "id");
    assert_eq!(company.get(&format!("/v1/batches/{batch}"))["issued"], json!(drafts));

    let phone = Browser::open("en");
    phone.resize(390, 844);
    phone.goto(&at("/login"));
    phone.fill("[name=email]", "owner@kurikaeshi.example");
    phone.fill("[name=password]", PASSWORD);
    phone.click("main button[type=submit]");
    phone.wait_for(".figures");
    phone.goto(&at(&format!("/batches/{batch}")));
    phone.wait_for_text(".page-head .badge", "Finished");
    phone.screenshot("repeat_batch_phone");
    phone.goto(&at("/documents"));
    phone.screenshot("repeat_documents_phone");
    for browser in [&browser, &phone] {
        assert_eq!(browser.console(), Vec::<String>::new());
    }
    report!("repeats journey=catalog,template,recurrence,batch keyboard=tick");
}
