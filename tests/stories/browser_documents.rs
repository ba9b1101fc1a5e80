//! J5 up to the sending, as two people click through it: a quote that a second person approves, then order confirmation,
//! delivery slip, invoice, payment and receipt, each made from the one before.

use keiin_tests::company::{PASSWORD, text};
use keiin_tests::{Browser, Company, Deployment, Server, report};
use serde_json::json;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// The company and the two who take part, both in Japanese.
struct Deal {
    _deployment: Deployment,
    server: Server,
    company: Company,
    writer: Browser,
    approver: Browser,
}

impl Deal {
    fn begin() -> Deal {
        let deployment = Deployment::new();
        let server = deployment.serve();
        let company = Company::sign_up(&server, "torihiki");
        let deal = Deal {
            writer: Browser::open("ja"),
            approver: Browser::open("ja"),
            _deployment: deployment,
            server,
            company,
        };
        let admin = deal.company.new_member("admin").0;
        let admin = text(&deal.company.get(&format!("/v1/members/{admin}")), "email");
        for (browser, email) in [(&deal.writer, "owner@torihiki.example"), (&deal.approver, admin.as_str())] {
            browser.goto(&deal.at("/login"));
            browser.fill("[name=email]", email);
            browser.fill("[name=password]", PASSWORD);
            browser.click("main button[type=submit]");
            browser.wait_for(".figures");
        }
        deal
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    /// Turns "somebody else must approve" on or off.
    fn toggle_approval(&self) {
        self.writer.goto(&self.at("/settings"));
        self.writer.wait_for("#f-approval_required");
        // Away from the bar at the foot, which stays where it is.
        self.writer.eval("document.querySelector('#f-approval_required').scrollIntoView({ block: 'center' })");
        self.writer.click("#f-approval_required");
        self.writer.click(".save-bar button[type=submit]");
        self.writer.wait_for(".toast");
    }

    /// Writes a quote with one line of which the tax is rounded, and returns its page.
    fn quote(&self) -> String {
        let writer = &self.writer;
        writer.goto(&self.at("/clients"));
        writer.click(".page-head a[href='/clients/new']");
        writer.fill("[name=name]", "有限会社山﨑精機");
        writer.click(".save-bar button[type=submit]");
        writer.wait_for(".toast");
        writer.click("a[href^='/documents/new']");
        writer.click(".chips a[href*='document_type=quote']");
        writer.fill("[name=title]", "搬送治具の製作");
        for (n, (description, price)) in [("治具の製作", "120000"), ("据付", "35005")].into_iter().enumerate() {
            for (field, typed) in [("description", description), ("quantity", "1"), ("unit_price", price)] {
                writer.fill(&format!("[name='lines.{n}.{field}']"), typed);
            }
        }
        // What it comes to, from the server, while it is typed; a number that is none says so in its row.
        writer.wait_for_text("[data-totals]", "¥170,505");
        writer.fill("[name='lines.1.unit_price']", "3万");
        writer.wait_for_text("tr:nth-child(2) [data-why]", "小数は4けたまで");
        writer.fill("[name='lines.1.unit_price']", "35005");
        writer.wait_for_text("tr:nth-child(2) [data-amount]", "¥35,005");
        writer.click(".save-bar button[type=submit]");
        writer.wait_for("article.a4");
        assert!(writer.text("article .totals").contains("¥170,505"));
        let page = writer.url();
        page.split('?').next().expect("a path").to_owned()
    }

    /// Opens a dialog of the page, and sends it.
    fn confirm(&self, browser: &Browser, dialog: &str, done: &str) {
        browser.click(&format!("[popovertarget={dialog}]"));
        browser.click(&format!("#{dialog} button[type=submit]"));
        browser.wait_for_text(".toast", done);
    }

    fn issue(&self, prefix: &str) {
        self.confirm(&self.writer, "issue", "発行しました");
        self.writer.wait_for_text("article.a4", &format!("{prefix}-"));
    }

    /// Makes the next document from the one on the page.
    fn next(&self, document_type: &str, name: &str) {
        self.writer.click("[popovertarget=next]");
        self.writer.select("#next [name=document_type]", document_type);
        self.writer.click("#next button[type=submit]");
        self.writer.wait_for_text("article.a4 h2", name);
        assert!(self.writer.text("article.a4").contains("搬送治具の製作"));
    }
}

/// Presses Tab until the element that matches has the focus, as somebody without a mouse does, then Enter.
fn reach_and_press(browser: &Browser, css: &str) {
    for _ in 0..80 {
        let there = browser.eval_with("return document.activeElement.matches(arguments[0])", vec![json!(css)]);
        let key = if there == true { ENTER } else { TAB };
        browser.run(async |c| c.active_element().await?.send_keys(key).await);
        if there == true {
            return;
        }
    }
    panic!("{css} is not reached by Tab; the focus is on {}", browser.eval("return document.activeElement.outerHTML"));
}

#[test]
fn j5_a_deal_from_the_quote_to_the_receipt() {
    let deal = Deal::begin();
    let (writer, approver) = (&deal.writer, &deal.approver);
    deal.toggle_approval();
    let quote = deal.quote();

    // Nobody issues it alone; the colleague is asked.
    assert_eq!(writer.count("[popovertarget=issue]"), 0);
    deal.confirm(writer, "ask", "依頼しました");
    assert!(writer.text("aside").contains("承認待ち"));
    assert_eq!(writer.count("[popovertarget=approve]"), 0, "not by whoever asked");

    // The colleague finds it on the first page, gives it back once with a reason, and later approves it by keyboard alone.
    approver.goto(&deal.at("/"));
    approver.click("main a[href^='/documents/']:not([href*='?'])");
    approver.wait_for("article.a4");
    approver.click("[popovertarget=reject]");
    approver.fill("#reject [name=reason]", "支払期限を入れてください");
    approver.click("#reject button[type=submit]");
    approver.wait_for_text(".toast", "差し戻しました");
    writer.goto(&quote);
    writer.wait_for_text(".note", "支払期限を入れてください");
    writer.screenshot("j5_given_back");
    deal.confirm(writer, "ask", "依頼しました");
    approver.goto(&quote);
    reach_and_press(approver, "[popovertarget=approve]");
    approver.wait_for("#approve:popover-open");
    approver.screenshot("j5_approve");
    reach_and_press(approver, "#approve button[type=submit]");
    approver.wait_for_text(".toast", "承認しました");
    assert!(approver.text("aside").contains("承認済み"), "{}", approver.text("aside"));

    writer.goto(&quote);
    deal.issue("QUO");
    deal.toggle_approval();
    writer.goto(&quote);
    deal.next("order_confirmation", "注文請書");
    deal.issue("CNF");
    deal.next("delivery_slip", "納品書");
    deal.issue("DLV");
    deal.next("invoice", "請求書");
    deal.issue("INV");
    let invoice = writer.url().split('?').next().expect("a path").to_owned();
    assert_eq!(writer.count("[popovertarget=next]"), 0, "no receipt for what is not paid");
    writer.screenshot("j5_invoice");
    writer.click("[popovertarget=send]");
    writer.fill("#send [name=to_name]", "山﨑 隆");
    writer.fill("#send [name=to_email]", "yamazaki@seiki.example");
    writer.click("#send button[type=submit]");
    writer.wait_for_text("aside", "山﨑 隆");
    writer.goto(&invoice);
    deal.confirm(writer, "pay", "記録しました");
    writer.wait_for_text("aside", "入金済み");
    deal.next("receipt", "領収書");
    assert!(writer.text("article.a4").contains("但し、搬送治具の製作として"));
    assert!(writer.text("article.a4").contains("収入印紙"));
    deal.issue("RCP");
    writer.screenshot("j5_receipt");

    // Back along the deal, to the quote.
    for number in ["INV-", "DLV-", "CNF-", "QUO-"] {
        writer.click("#deal + ul li:first-child a");
        writer.wait_for_text("h1", number);
    }
    assert_eq!(writer.url(), quote);
    for browser in [writer, approver] {
        let said: Vec<String> = browser.console().into_iter().filter(|line| !line.contains("422")).collect();
        assert!(said.is_empty(), "{said:?}");
    }
    report!("documents journey=J5 people=2 documents=5 keyboard=approval");
}
