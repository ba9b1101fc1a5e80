//! A second factor as a member clicks it: set an app up, keep the recovery codes, log in with a code, confirm a change that
//! only somebody who is there may make. Japanese on a wide screen, English on a phone.

use keiin_tests::authenticator::Authenticator;
use keiin_tests::company::PASSWORD;
use keiin_tests::sms::{Exchange, new_number};
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

#[test]
fn a_phone_is_enrolled_and_used_by_clicking() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "texting");
    company.allow_sms();
    let exchange = Exchange::shared();
    for (lang, width) in [("ja", 1280), ("en", 390)] {
        let (id, _) = company.new_member("member");
        let email = company.get(&format!("/v1/members/{id}"))["email"].as_str().expect("an address").to_owned();
        let (browser, number) = (Browser::open(lang), new_number());
        browser.resize(width, 900);
        let at = |path: &str| format!("{}{path}", server.url);
        let shot = |name: &str| browser.screenshot(&format!("{lang}-{width}-sms_{name}"));
        let log_in = || {
            browser.goto(&at("/login"));
            browser.fill("[name=email]", &email);
            browser.fill("[name=password]", PASSWORD);
            browser.click("main button[type=submit]");
        };
        log_in();
        browser.wait_for("form[action='/logout']");
        browser.goto(&at("/account"));
        browser.fill("form[action='/account/phone'] [name=number]", "03-1234-5678");
        browser.click("form[action='/account/phone'] button");
        browser.wait_for(".errors a[data-field='number']");
        shot("bad_number");
        browser.fill("[name=number]", &number.replace("+81", "0"));
        browser.click("form[action='/account/phone'] button");
        browser.wait_for(".note[role=status]");
        shot("enrol");
        browser.fill("[name=code]", &exchange.code(&number));
        browser.click("form[action='/account/phone/code'] button");
        browser.wait_for("#flash-codes");
        assert_eq!(browser.text("#flash-codes").lines().count(), 10);
        shot("codes");
        browser.goto(&at("/account"));
        shot("account");
        browser.eval("document.querySelector('form[action=\"/logout\"]').submit()");
        browser.wait_for("form[action='/login']");

        log_in();
        browser.wait_for("form[action='/login/sms']");
        shot("login");
        browser.click("form[action='/login/sms'] button");
        browser.wait_for(".note[role=status]");
        assert!(browser.text(".note[role=status]").contains(&number[number.len() - 4..]));
        shot("sent");
        browser.click("form[action='/login/sms'] button");
        browser.wait_for(".errors");
        shot("wait");
        browser.fill("[name=code]", &exchange.code(&number));
        browser.click("form[action='/login/code'] button");
        browser.wait_for("form[action='/logout']");

        browser.goto(&at("/confirm"));
        browser.click("form[action='/confirm/sms'] button");
        browser.wait_for(".note[role=status]");
        browser.fill("[name=proof]", &exchange.code(&number));
        browser.click("form[action='/confirm'] button");
        browser.wait_for("form[action='/do/v1/me/phone/remove']");
        browser.click("form[action='/do/v1/me/phone/remove'] button");
        browser.wait_for("form[action='/account/phone']");
        let refused: Vec<String> =
            browser.console().into_iter().filter(|line| line.contains("Security Policy")).collect();
        assert_eq!(refused, Vec::<String>::new());
    }
    let browser = Browser::open("ja");
    browser.resize(1280, 900);
    browser.goto(&format!("{}/login", server.url));
    browser.fill("[name=email]", &format!("owner@{}.example", company.slug));
    browser.fill("[name=password]", PASSWORD);
    browser.click("main button[type=submit]");
    browser.wait_for(".figures");
    browser.goto(&format!("{}/security", server.url));
    browser.screenshot("ja-1280-sms_security");
    assert_eq!(browser.count("#f-sms:checked"), 1);
}
