//! A company's first day, as its people click through it: sign up, invite a colleague, send an invoice, receive a visitor,
//! and find all of it in the ledger under the right names.

use std::time::Duration;

use keiin_tests::{Browser, Server, keiin, report};
use serde_json::json;

const OWNER: &str = "青葉 一郎";
const COLLEAGUE: &str = "Mary Stone";
const OWNER_PASSWORD: &str = "aoba-no-himitsu-2026";
const COLLEAGUE_PASSWORD: &str = "correct horse battery staple";

/// Everybody who takes part.
struct Day {
    server: Server,
    /// The owner's browser, in Japanese.
    owner: Browser,
    /// The colleague's, in English.
    colleague: Browser,
    /// Outside of the company: the recipient, the visitor, the tablet at the door.
    outside: Browser,
}

impl Day {
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    /// Opens the newest mail with this button in it, and returns where the button leads.
    fn link_in_newest_mail(&self, page: &str) -> String {
        let button = format!("main a.btn-main[href*='/{page}/']");
        for _ in 0..100 {
            self.owner.goto(&self.at("/outbox"));
            if self.owner.count("td.main a") > 0 {
                self.owner.click("td.main a");
                self.owner.wait_for(".text-body");
                if self.owner.count(&button) > 0 {
                    return self
                        .owner
                        .eval_with("return document.querySelector(arguments[0]).href", vec![json!(button)])
                        .as_str()
                        .expect("an address")
                        .to_owned();
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no mail with a link to /{page}/ in the outbox");
    }

    fn sign_up(&self) {
        let owner = &self.owner;
        owner.goto(&self.at("/"));
        owner.wait_for("form[action='/login']");
        owner.click(".card-foot a[href='/signup']");
        owner.wait_for("[name=email]");
        owner.fill("[name=email]", "ichiro@aoba.example");
        owner.click("main button[type=submit]");
        owner.wait_for("[name=code]");
        let code = owner.text("#development-code");
        owner.fill("[name=code]", &code);
        owner.click("main button[type=submit]");
        owner.wait_for("[name=terms]");
        owner.click("[name=terms]");
        owner.click("[name=privacy]");
        owner.click("main button[type=submit]");
        owner.wait_for("[name=company]");
        for (field, text) in [("company", "株式会社あおば"), ("slug", "aoba"), ("name", OWNER)] {
            owner.fill(&format!("[name={field}]"), text);
        }
        owner.fill("[name=password]", OWNER_PASSWORD);
        owner.click("main button[type=submit]");
        owner.wait_for(".figures");
        assert_eq!(owner.eval("return document.documentElement.lang"), "ja");
        assert!(owner.text("h1").contains(OWNER), "{}", owner.text("h1"));
    }

    fn invite(&self) {
        let owner = &self.owner;
        owner.click("a[href='/members']");
        owner.click("[popovertarget=invite]");
        owner.fill("#invite [name=name]", COLLEAGUE);
        owner.fill("#invite [name=email]", "mary@aoba.example");
        owner.click("#invite [value=admin]");
        owner.click("#invite button[type=submit]");
        owner.wait_for_text("main", COLLEAGUE);
        let link = self.link_in_newest_mail("invite");
        let colleague = &self.colleague;
        colleague.goto(&link);
        assert_eq!(colleague.eval("return document.documentElement.lang"), "en");
        assert!(colleague.text("h1").contains("株式会社あおば"));
        colleague.fill("[name=password]", COLLEAGUE_PASSWORD);
        colleague.click("main button[type=submit]");
        colleague.wait_for("form[action='/login']");
    }

    /// Only the password has to be typed again.
    fn log_in_at_the_second_try(&self) {
        let colleague = &self.colleague;
        let value = |field: &str| {
            let script = format!("return document.querySelector('[name={field}]').value");
            colleague.eval(&script).as_str().expect("text").to_owned()
        };
        colleague.fill("[name=email]", "mary@aoba.example");
        colleague.fill("[name=tenant]", "aoba");
        colleague.fill("[name=password]", "wrong horse battery staple");
        colleague.click("main button[type=submit]");
        colleague.wait_for(".errors");
        assert!(!colleague.text(".errors h2").is_empty());
        assert_eq!([value("email"), value("tenant"), value("password")], ["mary@aoba.example", "aoba", ""]);
        colleague.fill("[name=password]", COLLEAGUE_PASSWORD);
        colleague.click("main button[type=submit]");
        colleague.wait_for(".figures");
        assert!(colleague.text("h1").contains(COLLEAGUE));
    }

    /// Returns the invoice's page.
    fn draft_and_issue(&self) -> String {
        let owner = &self.owner;
        owner.goto(&self.at("/clients"));
        owner.click(".page-head a[href='/clients/new']");
        owner.fill("[name=name]", "有限会社ひまわり");
        owner.click(".save-bar button[type=submit]");
        owner.click("a[href^='/documents/new']");
        owner.fill("[name=title]", "11月分の部品");
        for n in 0..3 {
            for (field, text) in [("description", "座金"), ("quantity", "1"), ("unit_price", "35")] {
                owner.fill(&format!("[name='lines.{n}.{field}']"), text);
            }
        }
        // Three times ¥35: the tax of 10.5 is rounded once for the rate, not 3.5 for each line.
        owner.wait_for_text("[data-totals]", "¥10\n");
        owner.click(".save-bar button[type=submit]");
        owner.wait_for("article.a4");
        let page = owner.url();
        let totals = owner.text("article .totals");
        assert!(totals.contains("¥105") && totals.contains("¥10\n") && totals.contains("¥115"), "{totals}");

        // Without the number of a registered issuer it would be no qualified invoice.
        owner.click("[popovertarget=issue]");
        owner.click("#issue button[type=submit]");
        owner.wait_for("#issue .errors");
        owner.goto(&self.at("/settings"));
        owner.fill("[name=registration_number]", "T7000012050002");
        owner.click(".save-bar button[type=submit]");
        owner.wait_for(".toast");
        owner.goto(&page);
        owner.click("[popovertarget=issue]");
        owner.click("#issue button[type=submit]");
        owner.wait_for("[popovertarget=send]");
        assert!(owner.text("article.a4").contains("T7000012050002"));
        page.split('?').next().expect("a path").to_owned()
    }

    fn send_and_revoke(&self, invoice: &str) {
        let owner = &self.owner;
        owner.goto(invoice);
        let number = owner.text("article .from .num");
        owner.click("[popovertarget=send]");
        owner.fill("#send [name=to_name]", "日向 葵");
        owner.fill("#send [name=to_email]", "aoi@himawari.example");
        owner.click("#send button[type=submit]");
        owner.wait_for_text("aside", "日向 葵");
        let link = self.link_in_newest_mail("l");

        let recipient = &self.outside;
        recipient.goto(&link);
        recipient.wait_for("form[method=post] button");
        let source = recipient.eval("return document.documentElement.outerHTML");
        let source = source.as_str().expect("text");
        for content in [number.as_str(), "11月分の部品", "座金", "115", "日向", "ひまわり", "T7000012050002"]
        {
            assert!(!source.contains(content), "{content} is shown before anybody asked for it");
        }
        recipient.click("main button[type=submit]");
        recipient.wait_for_text("article.a4", &number);
        let sheet = recipient.text("article.a4");
        assert!(["11月分の部品", "座金", "¥115", "ひまわり"].iter().all(|part| sheet.contains(part)), "{sheet}");

        // The colleague finds it opened, and takes it back.
        self.colleague.goto(&self.at("/deliveries"));
        self.colleague.wait_for_text("tbody", "Opened");
        self.colleague.click("form[action$='/revoke'] button");
        self.colleague.wait_for(".toast");
        recipient.goto(&link);
        recipient.wait_for_text("main", "もう使えません");
        let path = link.strip_prefix(&self.server.url).expect("links lead to this server");
        self.server.client().get(path).expect(410);
        recipient.console(); // the browser notes that the page was a 410
    }

    fn receive_a_visitor(&self) {
        let owner = &self.owner;
        owner.goto(&self.at("/visits"));
        owner.click(".page-head a[href='/visits/new']");
        owner.fill("[name=visitor_name]", "秋山 修");
        owner.fill("[name=visitor_company]", "秋山商事");
        // What the date picker would set: in ten minutes, for an hour, in Japan.
        owner.wait_for("[name='ends_at:local']");
        owner.eval(
            "for (const [name, minutes] of [['starts_at', 10], ['ends_at', 70]]) {
               const japan = new Date(Date.now() + (540 + minutes) * 60e3).toISOString().slice(0, 16);
               document.querySelector(`[name='${name}:local']`).value = japan;
             }",
        );
        owner.fill("[name=location]", "本社 受付");
        owner.click(".save-bar button[type=submit]");
        let pass = owner.text("#flash-link");

        let outside = &self.outside;
        outside.goto(&pass);
        outside.wait_for(".qr svg path");
        let passcode = outside.text(".passcode");
        let digits: Vec<char> = passcode.chars().filter(char::is_ascii_digit).collect();
        assert!(digits.len() >= 6, "{passcode}");
        assert!(outside.text(".pass-name").contains("秋山 修"));

        owner.goto(&self.at("/kiosks"));
        owner.click("[popovertarget=pair]");
        owner.fill("#pair [name=name]", "玄関のタブレット");
        owner.fill("#pair [name=location]", "本社 受付");
        owner.click("#pair button[type=submit]");
        let kiosk = owner.text("#flash-link");
        outside.goto(&kiosk);
        outside.wait_for(".keys");
        assert_eq!(outside.url(), self.at("/kiosk"));
        for digit in digits {
            outside.click(&format!("[data-key='{digit}']"));
        }
        outside.click("main form button[type=submit]");
        outside.wait_for_text(".kiosk-done", "秋山 修");
        outside.wait_for_text(".kiosk-done", OWNER);

        owner.goto(&self.at("/visits"));
        owner.wait_for_text("tbody", "秋山 修");
        owner.wait_for_text("tbody .badge", "来訪中");
    }

    /// The ledger's page: what happened, and who did it.
    fn ledger(&self) -> Vec<(String, String)> {
        self.owner.goto(&self.at("/audit"));
        self.owner.wait_for("#events td.main");
        let script = "return Array.from(document.querySelectorAll('#events tr:has(td.main)'),\
                      r => [r.querySelector('td.main').innerText, r.querySelector('td.main2').innerText.split('\\n')[0]])";
        let rows = self.owner.eval(script);
        let text = |v: &serde_json::Value| v.as_str().expect("text").to_owned();
        rows.as_array().expect("a list").iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
    }
}

#[test]
fn a_companys_first_day() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    keiin(&["init", "--data", data.to_str().expect("text")]).expect(0);
    let server = Server::serve(&data);
    let day = Day { server, owner: Browser::open("ja"), colleague: Browser::open("en"), outside: Browser::open("ja") };
    day.sign_up();
    day.invite();
    day.log_in_at_the_second_try();
    let invoice = day.draft_and_issue();
    day.send_and_revoke(&invoice);
    day.receive_a_visitor();

    let ledger = day.ledger();
    let wanted = [
        ("会社を登録", OWNER),
        ("オーナーを登録", OWNER),
        ("ログイン", OWNER),
        ("メンバーを招待", OWNER),
        ("メンバーが参加", COLLEAGUE),
        ("ログイン", COLLEAGUE),
        ("取引先を登録", OWNER),
        ("書類の下書きを作成", OWNER),
        ("会社の情報を変更", OWNER),
        ("書類を発行", OWNER),
        ("書類を送付", OWNER),
        ("メールを送信", "システム（自動）"),
        ("宛先が開封", "日向 葵"),
        ("リンクを停止", COLLEAGUE),
        ("来訪を登録", OWNER),
        ("受付端末を登録", OWNER),
        ("来訪者が入館", "玄関のタブレット"),
    ];
    let listed = |(kind, actor): (&str, &str)| ledger.iter().any(|(k, a)| k == kind && a == actor);
    let missing: Vec<_> = wanted.into_iter().filter(|one| !listed(*one)).collect();
    assert!(missing.is_empty(), "not in the ledger: {missing:#?}\nit has {ledger:#?}");
    report!("browser_day records={} browsers=3", ledger.len());
    for (who, browser) in [("owner", &day.owner), ("colleague", &day.colleague), ("outside", &day.outside)] {
        let complaints = browser.console();
        // Refusals on purpose are answers with an error status, which browsers note.
        let complaints: Vec<_> =
            complaints.iter().filter(|line| !line.contains("the server responded with a status of 4")).collect();
        assert!(complaints.is_empty(), "{who}: {complaints:#?}");
    }
}
