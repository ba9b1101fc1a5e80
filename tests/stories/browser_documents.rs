//! J5, as three people click through it: a quote that a second person approves, then order confirmation, delivery slip, invoice,
//! payment and receipt, each made from the one before; the customer, who opens the link, registers and finds what comes later in
//! their inbox; a correction; and what a tax inspection searches and takes away.

use std::process::Command;
use std::time::{Duration, Instant};

use keiin_tests::company::{PASSWORD, text};
use keiin_tests::{Browser, Company, Deployment, Server, python, report};
use serde_json::json;

/// The customer's.
const EMAIL: &str = "yamazaki@seiki.example";

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

    /// Sends the document on the page to the customer. Returns the delivery.
    fn send(&self) -> String {
        let writer = &self.writer;
        let newest = || self.company.get("/v1/deliveries?limit=1")["items"][0]["id"].clone();
        let before = newest();
        writer.click("[popovertarget=send]");
        writer.fill("#send [name=to_name]", "山﨑 隆");
        writer.fill("#send [name=to_email]", EMAIL);
        writer.click("#send button[type=submit]");
        // The page may name the customer already.
        let deadline = Instant::now() + Duration::from_secs(20);
        while newest() == before {
            assert!(Instant::now() < deadline, "nothing was sent");
            std::thread::sleep(Duration::from_millis(20));
        }
        writer.wait_for_text("aside", "山﨑 隆");
        newest().as_str().expect("an id").to_owned()
    }

    /// The customer opens the link on a telephone, registers and logs in.
    fn customer(&self, delivery: &str) -> Browser {
        self.company.mailed(delivery, "delivery");
        let phone = Browser::open("ja");
        phone.resize(390, 844);
        phone.goto(&self.server.rebase(&self.company.mailed_link(delivery)));
        phone.click("main form button");
        phone.wait_for("#f-password");
        phone.fill("#f-name", "山﨑 隆");
        phone.fill("#f-password", "nine quiet otters at noon");
        phone.click("form[action$='/register'] button");
        phone.wait_for("form[action='/login']");
        phone.fill("#f-email", EMAIL);
        phone.fill("#f-password", "nine quiet otters at noon");
        phone.click("form[action='/login'] button");
        phone.wait_for("a[href^='/inbox/']");
        phone
    }

    /// The customer finds a delivery in the inbox; its mail has no link that opens it by itself.
    fn arrives(&self, phone: &Browser, delivery: &str, number: &str) {
        self.company.mailed(delivery, "inbox");
        phone.goto(&self.at("/inbox"));
        phone.click(&format!("a[href='/inbox/{delivery}']"));
        phone.wait_for_text("main", number);
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
    let phone = deal.customer(&deal.send());
    writer.goto(&invoice);
    deal.confirm(writer, "pay", "記録しました");
    writer.wait_for_text("aside", "入金済み");
    deal.next("receipt", "領収書");
    assert!(writer.text("article.a4").contains("但し、搬送治具の製作として"));
    assert!(writer.text("article.a4").contains("収入印紙"));
    deal.issue("RCP");
    writer.screenshot("j5_receipt");
    deal.arrives(&phone, &deal.send(), "RCP-");
    let receipt = writer.url().split('?').next().expect("a path").to_owned();
    corrected(&deal, &phone, &invoice);
    inspected(&deal, &invoice);
    writer.goto(&receipt);

    // Back along the deal, to the quote.
    for number in ["INV-", "DLV-", "CNF-", "QUO-"] {
        writer.click("#deal + ul li:first-child a");
        writer.wait_for_text("h1", number);
    }
    assert_eq!(writer.url(), quote);
    for browser in [writer, approver, &phone] {
        let said: Vec<String> = browser.console().into_iter().filter(|line| !line.contains("422")).collect();
        assert!(said.is_empty(), "{said:?}");
    }
    report!("documents journey=J5 people=3 documents=5 keyboard=approval");
}

/// A line was wrong: a new revision, with the reason, reaches the customer as well.
fn corrected(deal: &Deal, phone: &Browser, invoice: &str) {
    let writer = &deal.writer;
    writer.goto(&format!("{invoice}/edit"));
    writer.fill("[name='lines.0.description']", "搬送治具一式の製作");
    writer.fill("[name=reason]", "品名の誤り");
    writer.click(".save-bar button[type=submit]");
    writer.wait_for_text("article.a4", "搬送治具一式の製作");
    let delivery = deal.send();
    deal.arrives(phone, &delivery, "INV-");
    phone.screenshot("j5_inbox_corrected");
    let document = deal.company.get(&format!("/v1/documents/{}", invoice.rsplit('/').next().expect("an id")));
    assert_eq!(document["revision"], 2, "{document}");
}

/// Who inspects searches by day, amount and counterparty together, and takes the files of what is found, every revision.
fn inspected(deal: &Deal, invoice: &str) {
    let (writer, company) = (&deal.writer, &deal.company);
    company.new_document();
    company.printed(invoice.rsplit('/').next().expect("an id"));
    writer.goto(&deal.at("/documents"));
    writer.click("details.fold summary");
    writer.eval(
        "const form = document.querySelector('.audit-bar');
         const today = new Date(Date.now() + 9 * 3600e3).toISOString().slice(0, 10);
         Object.entries({ from: today, to: today, total_min: 170000, total_max: 171000 })
             .forEach(([name, value]) => { form.elements[name].value = value; });
         const client = form.elements.client_id;
         client.value = [...client.options].find((one) => one.text.includes('山﨑精機')).value;
         form.requestSubmit();",
    );
    writer.wait_for("a.chip-on[href*='total_max']");
    assert_eq!(writer.count("tbody tr"), 5, "{}", writer.text("tbody"));
    writer.screenshot("j5_inspected");
    writer.click("details.fold a[href^='/documents/export']");
    writer.wait_for("[formaction='/v1/documents/audit.zip']");
    // The browser's own request of the button's form, with its bytes.
    let archive = writer.eval(
        "return (async () => { const button = document.querySelector(\"[formaction='/v1/documents/audit.zip']\"); \
         const body = new URLSearchParams(new FormData(button.form)); \
         const answer = await fetch(button.formAction, { method: 'POST', body }); \
         return Array.from(new Uint8Array(await answer.arrayBuffer())); })()",
    );
    let archive: Vec<u8> = serde_json::from_value(archive).expect("bytes");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tax-audit.zip");
    std::fs::write(&file, archive).expect("the archive can be kept");
    let listed = Command::new(python()).args(["-m", "zipfile", "-l"]).arg(&file).output().expect("python3 runs");
    let listed = String::from_utf8_lossy(&listed.stdout);
    let files = |part: &str| listed.lines().filter(|line| line.contains(".pdf") && line.contains(part)).count();
    assert_eq!((files("INV-"), files("RCP-"), files("")), (2, 1, 6), "{listed}");
}
