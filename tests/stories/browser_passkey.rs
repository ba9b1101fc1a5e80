//! Passkeys in a real browser, with Chromium's virtual authenticator (RN-23): made, used to log in, to go on after the password
//! and to confirm, renamed and removed. Japanese on a wide screen, English on a phone.

use keiin_tests::company::PASSWORD;
use keiin_tests::{Browser, Company, Deployment};

#[test]
fn rn_23_a_passkey_is_made_and_used_by_clicking() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "touch");
    let port = server.url.rsplit(':').next().expect("a port");
    for (lang, width, toast_removed) in [("ja", 1280, "削除しました"), ("en", 390, "removed")] {
        let (id, secret) = company.invite("member");
        let join = serde_json::json!({ "name": "Touch", "password": PASSWORD });
        company.client.post(&format!("/v1/invitations/{secret}/accept"), &join).expect(200);
        let member = company.get(&format!("/v1/members/{id}"));
        let email = member["email"].as_str().expect("an address").to_owned();
        let browser = Browser::open(lang);
        browser.resize(width, 900);
        // Browsers make passkeys for names, not for addresses.
        let at = |path: &str| format!("http://localhost:{port}{path}");
        let shot = |name: &str| browser.screenshot(&format!("{lang}-{width}-passkey_{name}"));
        let key = browser.add_authenticator(true);
        let password = || {
            browser.goto(&at("/login"));
            browser.fill("[name=email]", &email);
            browser.fill("[name=password]", PASSWORD);
            browser.click("form[action='/login'] button");
        };
        let log_out = || {
            browser.goto(&at("/account"));
            browser.eval("document.querySelector('form[action=\"/logout\"]').submit()");
            browser.wait_for("form[action='/login']");
        };
        password();
        browser.wait_for("body.app");
        browser.goto(&at("/account"));
        browser.fill("[data-passkey=register] [name=name]", "ノートPC");
        shot("none");
        // An authenticator that does not know its owner makes none.
        browser.set_verified(&key, false);
        browser.click("[data-passkey=register] button");
        browser.wait_for("[data-passkey=register] [data-why]:not([hidden])");
        shot("refused");
        browser.set_verified(&key, true);
        browser.click("[data-passkey=register] button");
        browser.wait_for_text("#passkey-codes", "-");
        assert_eq!(browser.text("#passkey-codes").lines().count(), 10);
        shot("codes");
        browser.click("a[href='/account?done=passkey-added']");
        browser.wait_for_text(".plain-list b", "ノートPC");
        shot("account");

        // Alone.
        log_out();
        shot("login");
        browser.click("[data-passkey=log-in] button");
        browser.wait_for("body.app");
        // After the password.
        log_out();
        password();
        browser.wait_for("form[action='/login/code']");
        shot("second_step");
        browser.click("[data-passkey=log-in] button");
        browser.wait_for("body.app");
        // Again, because it must be them.
        browser.goto(&at("/confirm?next=/account"));
        shot("confirm");
        browser.click("[data-passkey=confirm] button");
        browser.wait_for("#passkeys");

        browser.click("details summary");
        browser.fill("#f-name-1", "My laptop");
        browser.click("form[action='/do/v1/me/passkeys/rename'] button");
        browser.wait_for_text(".plain-list b", "My laptop");
        browser.click("details summary");
        browser.click("form[action='/do/v1/me/passkeys/remove'] button");
        browser.wait_for_text(".toast", toast_removed);
        assert_eq!(browser.count("form[action='/do/v1/me/passkeys/remove']"), 0);
        // What is not known any more lets nobody in, and says so.
        log_out();
        browser.click("[data-passkey=log-in] button");
        browser.wait_for("[data-why]:not([hidden])");
        shot("unknown");
        let refused: Vec<String> =
            browser.console().into_iter().filter(|line| line.contains("Security Policy")).collect();
        assert_eq!(refused, Vec::<String>::new());
    }
}
