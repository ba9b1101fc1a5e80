//! Accounts elsewhere in a real browser (FM-24): switched on by the owner, linked, used to log in. Japanese on a wide screen,
//! English on a phone.

use keiin_tests::company::{PASSWORD, text};
use keiin_tests::provider::{Provider, deployment, verified};
use keiin_tests::{Browser, Company};
use serde_json::json;

#[test]
fn fm_24_an_account_is_switched_on_linked_and_used_by_clicking() {
    let provider = Provider::start("/accounts");
    let deployment = deployment(&[provider.settings("google", &provider.issuer)]);
    let server = deployment.serve();
    for (lang, width) in [("ja", 1280), ("en", 390)] {
        let company = Company::sign_up(&server, &format!("clicks-{lang}"));
        let (id, email, _) = company.new_person();
        let owner = text(&company.get(&format!("/v1/members/{}", company.owner)), "email");
        let browser = Browser::open(lang);
        browser.resize(width, 900);
        let at = |path: &str| format!("{}{path}", server.url);
        let shot = |name: &str| browser.screenshot(&format!("{lang}-{width}-account_{name}"));
        let log_in = |email: &str| {
            browser.goto(&at("/login"));
            browser.fill("[name=email]", email);
            browser.fill("[name=password]", PASSWORD);
            browser.click("form[action='/login'] button");
            browser.wait_for("body.app");
        };
        let log_out = || {
            browser.goto(&at("/account"));
            browser.eval("document.querySelector('form[action=\"/logout\"]').submit()");
            browser.wait_for("a[href='/login/with/google']");
        };
        // The owner lets people in by it.
        log_in(&owner);
        browser.goto(&at("/security"));
        browser.click("#f-providers [value=google]");
        shot("security");
        browser.click(".save-bar button");
        browser.wait_for(".toast");

        // A member links an account that has another address.
        provider.says(&verified(&format!("s-{lang}"), "private@example.com"), &json!({}));
        log_out();
        log_in(&email);
        browser.goto(&at("/account"));
        shot("none");
        browser.click("form[action='/account/link/google'] button");
        browser.wait_for_text("section[aria-labelledby=accounts] .plain-list", "private@example.com");
        shot("linked");

        log_out();
        shot("login");
        browser.click("a[href='/login/with/google']");
        browser.wait_for("body.app");
        let newest = &company.told("session.started")[0];
        assert_eq!((text(newest, "member_id"), text(newest, "method")), (id, "google".to_owned()));

        // What does not hold is said on the login page.
        log_out();
        provider.says(&verified("s-x", &email), &json!({ "key": "strange" }));
        browser.click("a[href='/login/with/google']");
        browser.wait_for(".errors");
        shot("refused");
        let refused: Vec<String> =
            browser.console().into_iter().filter(|line| line.contains("Security Policy")).collect();
        assert_eq!(refused, Vec::<String>::new());
    }
}
