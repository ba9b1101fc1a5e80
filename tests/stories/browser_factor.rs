//! A second factor as a member clicks it: set an app up, keep the recovery codes, log in with a code, confirm a change that
//! only somebody who is there may make. Japanese on a wide screen, English on a phone.

use keiin_tests::authenticator::Authenticator;
use keiin_tests::company::PASSWORD;
use keiin_tests::{Browser, Company, Deployment};

#[test]
fn an_app_is_set_up_and_used_by_clicking() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "clicks");
    let owner = format!("owner@{}.example", company.slug);
    for (lang, width) in [("ja", 1280), ("en", 390)] {
        let browser = Browser::open(lang);
        browser.resize(width, 900);
        let at = |path: &str| format!("{}{path}", server.url);
        let shot = |name: &str| browser.screenshot(&format!("{lang}-{width}-factor_{name}"));
        let log_in = || {
            browser.goto(&at("/login"));
            browser.fill("[name=email]", &owner);
            browser.fill("[name=password]", PASSWORD);
            browser.click("main button[type=submit]");
        };
        log_in();
        browser.wait_for(".figures");
        browser.goto(&at("/account"));
        shot("off");
        browser.click("form[action='/account/totp'] button");
        browser.wait_for("#seed");
        shot("set_up");
        let mut app = Authenticator::new(&browser.text("#seed"));
        browser.fill("[name=code]", "000000");
        browser.click("form[data-plain] button");
        browser.wait_for(".errors");
        shot("wrong_code");
        browser.fill("[name=code]", &app.next_code());
        browser.click("form[data-plain] button");
        browser.wait_for("#flash-codes");
        assert_eq!(browser.text("#flash-codes").lines().count(), 10);
        shot("codes");

        // The login asks for it now.
        browser.goto(&at("/account"));
        browser.eval("document.querySelector('form[action=\"/logout\"]').submit()");
        browser.wait_for("form[action='/login']");
        log_in();
        browser.wait_for("form[action='/login/code']");
        shot("login");
        browser.fill("[name=code]", "111111");
        browser.click("main button[type=submit]");
        browser.wait_for(".errors");
        browser.fill("[name=code]", &app.next_code());
        browser.click("main button[type=submit]");
        browser.wait_for(".figures");

        // Company-wide settings, and the factor off again.
        browser.goto(&at("/security"));
        shot("security");
        browser.fill("[name='networks.0']", "10.0.0.0/8");
        browser.click("main form button[type=submit]");
        browser.wait_for(".errors a[data-field='networks']");
        shot("locked_out");
        browser.goto(&at("/account"));
        browser.click("form[action='/do/v1/me/factor/totp/remove'] button");
        browser.wait_for("form[action='/account/totp']");
        let refused: Vec<String> =
            browser.console().into_iter().filter(|line| line.contains("Security Policy")).collect();
        assert_eq!(refused, Vec::<String>::new());
    }
}
