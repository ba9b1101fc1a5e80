//! EL-15 to EL-20 as somebody clicks through them, in both languages, on a desk and on a telephone, the code and the
//! welcome by a real mail; and the same by keyboard alone.

use fantoccini::key::Key;
use keiin_tests::company::text;
use keiin_tests::smtp::Smtp;
use keiin_tests::{Browser, Deployment, Server};
use serde_json::json;

const PASSWORD: &str = "tsuki-no-usagi-2026";

/// Somebody who joins, and what they see.
struct Joining<'a> {
    server: &'a Server,
    smtp: &'a Smtp,
    browser: &'a Browser,
    name: String,
    width: u32,
}

impl Joining<'_> {
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    fn email(&self) -> String {
        format!("hanako@{}.example", self.name)
    }

    /// Pictures the step, which must fit the window.
    fn look(&self, step: &str) {
        let size = self.browser.eval("return [innerWidth, document.documentElement.scrollWidth]");
        assert_eq!(size[0], self.width);
        assert!(size[1].as_u64() <= Some(u64::from(self.width)), "{step}: it is {} wide", size[1]);
        let heading = self.browser.eval("return document.querySelectorAll('h1').length");
        assert_eq!(heading, 1, "{step}: one heading");
        self.browser.screenshot(&format!("{}-signup_{step}", self.name));
    }

    fn clicks(&self, lang: &str) {
        let browser = self.browser;
        browser.resize(self.width, 900);
        browser.goto(&self.at("/signup"));
        assert_eq!(browser.eval("return document.documentElement.lang"), lang);
        self.look("1_email");
        browser.fill("[name=email]", &self.email());
        browser.click("main button[type=submit]");
        browser.wait_for("[name=code]");
        assert!(browser.text("main").contains(&self.email()), "where the code went");
        let code = self.smtp.code_to(&self.email());
        assert!(!browser.text("main").contains(&code), "the mail brings it, not the page");
        browser.fill("[name=code]", if code == "111111" { "222222" } else { "111111" });
        browser.click("form[action='/signup/code'] button");
        browser.wait_for(".errors");
        self.look("2_wrong_code");
        browser.fill("[name=code]", &code);
        browser.click("form[action='/signup/code'] button");
        browser.wait_for("[name=terms]");
        self.look("3_terms");
        // Without both boxes the form does not go.
        browser.click("[name=terms]");
        browser.click("main button[type=submit]");
        assert_eq!(browser.count("[name=privacy]:invalid"), 1);
        browser.click("[name=privacy]");
        browser.click("main button[type=submit]");
        browser.wait_for("form[action='/signup/payment']");
        self.look("4_payment");
        browser.click("form[action='/signup/payment'] button");
        browser.wait_for("form[action^='/signup/pay/']");
        self.look("4_provider");
        browser.click("form[action^='/signup/pay/'] button");
        browser.wait_for("[name=company]");
        for (field, text) in [("company", "株式会社つき"), ("slug", "No!"), ("name", "月野 花子")] {
            browser.fill(&format!("[name={field}]"), text);
        }
        browser.fill("[name=password]", PASSWORD);
        browser.click("main button[type=submit]");
        browser.wait_for(".errors");
        self.look("5_refused");
        let kept = browser.eval(
            "return [document.querySelector('[name=company]').value, document.querySelector('[name=password]').value]",
        );
        assert_eq!(kept, json!(["株式会社つき", ""]), "what was typed stays, but no password");
        browser.fill("[name=slug]", &self.name);
        browser.fill("[name=password]", PASSWORD);
        browser.click("main button[type=submit]");
        browser.wait_for(".figures");
        self.look("6_inside");
        let welcome = self.smtp.next_to(&self.email());
        assert!(!text(&welcome, "body").contains(PASSWORD), "EL-20");
        let refused: Vec<_> = browser.console().into_iter().filter(|line| line.contains("Security Policy")).collect();
        assert_eq!(refused, Vec::<String>::new());
        browser.eval("document.querySelector('form[action=\"/logout\"]').submit()");
        browser.wait_for("form[action='/login']");
    }

    /// Goes on with Tab until this has the focus, which must be seen to be there.
    fn tab_to(&self, css: &str) {
        for _ in 0..40 {
            let here =
                "const e = document.activeElement; return [e.matches(arguments[0]), e.matches(':focus-visible')]";
            if self.browser.eval_with(here, vec![json!(css)]) == json!([true, true]) {
                let style = "const s = getComputedStyle(document.activeElement);
                             return s.outlineStyle !== 'none' || s.boxShadow !== 'none'";
                assert_eq!(self.browser.eval(style), true, "{css}: the focus is not seen");
                return;
            }
            self.press(&String::from(char::from(Key::Tab)));
        }
        panic!("{}: no Tab leads to {css}", self.browser.url());
    }

    fn press(&self, keys: &str) {
        self.browser.run(async |c| c.active_element().await?.send_keys(keys).await);
    }

    fn types(&self, css: &str, keys: &str) {
        self.tab_to(css);
        self.press(keys);
    }

    fn by_keyboard(&self) {
        let browser = self.browser;
        let enter = String::from(char::from(Key::Enter));
        browser.resize(self.width, 900);
        browser.goto(&self.at("/signup"));
        self.types("[name=email]", &format!("{}{enter}", self.email()));
        browser.wait_for("[name=code]");
        let code = self.smtp.code_to(&self.email());
        self.types("[name=code]", &format!("{code}{enter}"));
        browser.wait_for("[name=terms]");
        self.tab_to(".legal-box");
        self.types("[name=terms]", " ");
        self.types("[name=privacy]", " ");
        self.types("form[action='/signup/terms'] button", &enter);
        browser.wait_for("form[action='/signup/payment']");
        self.types("form[action='/signup/payment'] button", &enter);
        browser.wait_for("form[action^='/signup/pay/']");
        self.types("form[action^='/signup/pay/'] button", &enter);
        browser.wait_for("[name=company]");
        self.types("[name=company]", "Keys KK");
        self.types("[name=slug]", &self.name);
        self.types("[name=name]", "Kay Board");
        self.types("[name=password]", &format!("{PASSWORD}{enter}"));
        browser.wait_for(".figures");
    }
}

fn deployment(smtp: &Smtp) -> Deployment {
    let deployment = Deployment::new();
    deployment.mail_to(smtp.port, "none", "");
    let path = deployment.data().join("keiin.toml");
    let settings = std::fs::read_to_string(&path).expect("settings");
    let more = "[signup]\npayment = \"development\"\nprice_jpy = 1100\n\n[support]\ncontact = \"help@keiin.example\"";
    std::fs::write(&path, format!("{settings}\n{more}\n")).expect("settings can be written");
    deployment
}

#[test]
fn el_15_to_20_by_clicking() {
    let smtp = Smtp::plain(0);
    let deployment = deployment(&smtp);
    let server = deployment.serve();
    for lang in ["ja", "en"] {
        let browser = Browser::open(lang);
        for width in [1280, 390] {
            let name = format!("{lang}-{width}");
            Joining { server: &server, smtp: &smtp, browser: &browser, name, width }.clicks(lang);
        }
    }
}

#[test]
fn el_15_to_20_by_keyboard_alone() {
    let smtp = Smtp::plain(0);
    let deployment = deployment(&smtp);
    let server = deployment.serve();
    let browser = Browser::open("ja");
    Joining { server: &server, smtp: &smtp, browser: &browser, name: "keyboard".into(), width: 1280 }.by_keyboard();
}
