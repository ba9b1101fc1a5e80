//! Every page, in both languages and three widths, in a real browser: nothing is refused by the content security policy,
//! nothing scrolls sideways, nothing shows a name that only programs know.

use std::collections::BTreeSet;

use keiin::console::PAGES;
use keiin_tests::{Browser, Client, Demo, Server, report, repository_files, root};
use serde_json::{Value, json};

/// A desk, a tablet, a telephone.
const WIDTHS: [u32; 3] = [1280, 820, 390];
/// The page about the interface, whose readers are programmers: operations have their names there.
const FOR_PROGRAMMERS: &str = "docs";

/// Tables that are wider than their place, so that their last column has to be scrolled to.
const CUT_OFF: &str = "return Array.from(document.querySelectorAll('.table-wrap'))\
    .filter(wrap => wrap.checkVisibility() && wrap.scrollWidth > wrap.clientWidth)\
    .map(wrap => `a table of ${wrap.scrollWidth} px in ${wrap.clientWidth} px`)";

/// A page to look at.
struct Look {
    name: String,
    path: String,
    /// A page that says why not comes with an error status, which the browser notes.
    refused: bool,
}

fn look(name: &str, path: impl Into<String>) -> Look {
    Look { name: name.to_owned(), path: path.into(), refused: false }
}

/// All ids of a list, newest first, that fit.
fn ids(client: &Client, list: &str, fits: impl Fn(&Value) -> bool) -> Vec<String> {
    let items = client.get(&format!("/v1/{list}?limit=200")).expect(200).json();
    let items = items["items"].as_array().expect("a list").clone();
    items.iter().filter(|item| fits(item)).map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

/// Creates something whose link goes out by mail, and takes the link from the outbox.
fn link(client: &Client, path: &str, body: &Value) -> String {
    let call = keiin_tests::Call::new("POST", path).json(body).key(&format!("{path} for the pictures"));
    let done = client.send(&call).expect(201);
    let id = done.json()["id"].clone();
    let mails = client.get(&format!("/v1/mails?limit=200&after={}", done.position())).expect(200).json();
    let mail = mails["items"].as_array().expect("a list").iter().find(|mail| mail["object"]["id"] == id);
    let mail = mail.unwrap_or_else(|| panic!("no mail about {id}: {}", mails["items"][0]));
    let mail = client.get(&format!("/v1/mails/{}", mail["id"].as_str().expect("an id"))).expect(200).json();
    let link = mail["link"].as_str().unwrap_or_else(|| panic!("no link in {mail}")).to_owned();
    link.strip_prefix(&client.url).expect("links lead to this server").to_owned()
}

/// Every page of the console with every kind of object, and the pages without a login.
fn all(client: &Client, kiosk: &str) -> Vec<Look> {
    let set = json!({ "name": "請求書の確認", "permissions": ["document.read", "document.issue", "client.read"] });
    client.post("/v1/permission_sets", &set).expect(201);
    let secretary = json!({ "name": "墨田 澄", "email": "sumi@minato.example" });
    let assign = keiin_tests::Call::new("POST", "/v1/secretaries").key("secretary").json(&secretary);
    client.send(&assign).expect(201);
    let item = json!({ "code": "KAM-10", "description": "コピー用紙 A4", "unit": "箱", "unit_price": "2480", "tax_rate": "10" });
    client.post("/v1/items", &item).expect(201);
    let lines = json!([{ "description": "{month}月分 保守", "quantity": "1", "unit": "式", "unit_price": "50000", "tax_rate": "10" }]);
    let template = json!({ "name": "月次保守", "document_type": "invoice", "title": "{year}年{month}月分 保守料",
        "due_days": 30, "lines": lines });
    let template = client.post("/v1/templates", &template).expect(201).json()["id"].clone();
    let monthly = json!({ "template_id": template, "client_id": ids(client, "clients", |c| c["archived"] == false)[0],
        "every_months": 1, "day": 31, "starts_on": "2099-01-01", "mode": "issue" });
    client.post("/v1/recurrences", &monthly).expect(201);
    let chosen = ids(client, "documents", |d| d["status"] == "issued").swap_remove(0);
    client.post("/v1/batches", &json!({ "documents": [chosen] })).expect(201);
    let paper = client.get(&format!("/v1/documents/{chosen}")).expect(200).json();
    let order = json!({ "document_ids": [chosen], "client_id": paper["client"]["id"] });
    client.send(&keiin_tests::Call::new("POST", "/v1/postal-items").key("post").json(&order)).expect(201);
    let order = json!({ "document_ids": [chosen], "client_id": paper["client"]["id"], "by_post": [{}], "message": "ご確認ください。",
        "by_mail": [{ "to_name": "経理ご担当者", "to_email": "keiri@client.example" }] });
    client.send(&keiin_tests::Call::new("POST", "/v1/sending-orders").key("sending").json(&order)).expect(201);
    let hook = json!({ "url": "https://hooks.example/keiin", "events": ["document.*", "delivery.opened"] });
    client.post("/v1/webhooks", &hook).expect(201);
    let first = |list: &str| ids(client, list, |_| true).swap_remove(0);
    let of = |list: &str, field: &str, value: &str| ids(client, list, |item| item[field] == value).swap_remove(0);
    let mut looks = Vec::new();
    for page in PAGES {
        let noun = page.path.split('/').nth(1).unwrap_or_default();
        match page.path {
            "/documents/{id}" => {
                for status in ["draft", "issued", "paid", "cancelled"] {
                    let id = of("documents", "status", status);
                    looks.push(look(&format!("document_{status}"), format!("/documents/{id}")));
                }
            }
            "/documents/{id}/edit" => {
                let id = of("documents", "status", "draft");
                looks.push(look("document_edit", format!("/documents/{id}/edit")));
            }
            "/mail-templates/{id}" => looks.push(look("mail_template", "/mail-templates/delivery-ja")),
            "/clients/{id}/send" => {
                let client = paper["client"]["id"].as_str().expect("an id");
                looks.push(look("sending_order_new", format!("/clients/{client}/send?document={chosen}")));
            }
            // Of recipients: `inbox.rs`.
            "/inbox" => {}
            "/outbox/{id}" => looks.push(look("mail", format!("/outbox/{}", first("mails")))),
            "/visits/{id}" => {
                for status in ["expected", "left"] {
                    let id = of("visits", "status", status);
                    looks.push(look(&format!("visit_{status}"), format!("/visits/{id}")));
                }
                for id in ids(client, "visits", |visit| visit["visitor"]["erased"] == true) {
                    looks.push(look("visit_erased", format!("/visits/{id}")));
                }
            }
            path if path.contains("{id}") => {
                looks.push(look(page.template, path.replace("{id}", &first(noun))));
            }
            "/audit/{position}" => {
                let events = client.get("/v1/events?kind=document.issued&limit=1").expect(200).json();
                let position = &events["items"][0]["position"];
                looks.push(look("event", format!("/audit/{position}")));
                looks.push(look("event_first", "/audit/0"));
            }
            path => looks.push(look(page.template, path)),
        }
    }
    assert!(looks.iter().all(|look| !look.path.contains('{')), "a page whose path nobody filled in");
    let member = json!({ "name": "新田 歩", "email": "ayumi@minato.example", "role": "member" });
    // Whoever looks is logged in with another address.
    looks.push(Look { refused: true, ..look("invite_other", link(client, "/v1/members", &member)) });
    let suspended = of("members", "role", "accountant");
    let path = format!("/v1/members/{suspended}");
    let tag = client.get(&path).etag().to_owned();
    let reason = json!({ "reason": "身に覚えのない送信", "emergency": true });
    let suspend = keiin_tests::Call::new("POST", &format!("{path}/suspend")).if_match(&tag).json(&reason);
    client.send(&suspend).expect(200);
    looks.push(look("member_suspended", format!("/members/{suspended}")));
    looks.push(look("lifecycle_suspended", format!("/members/{suspended}/lifecycle")));
    looks.push(look("permission_set_new", "/permission_sets/new"));
    let issued = of("documents", "status", "issued");
    let delivery =
        json!({ "document_ids": [issued], "to_name": "新田 歩", "to_email": "a@example.jp", "expires_in_days": 3 });
    looks.push(look("link_landing", link(client, "/v1/deliveries", &delivery)));
    let host = of("members", "status", "active");
    let visit = json!({
        "visitor_name": "新田 歩", "visitor_email": "a@example.jp", "starts_at": "2031-04-01T10:00:00+09:00", "ends_at": "2031-04-01T11:00:00+09:00",
        "location": "本社 1階受付", "host_id": host,
    });
    looks.push(look("pass", link(client, "/v1/visits", &visit)));
    let mut together = visit.clone();
    together["companions"] = json!([{ "name": "同行 一郎", "company": "株式会社みなと商事" }, { "name": "Bob" }]);
    together["co_hosts"] = json!(ids(client, "members", |member| member["status"] == "active"));
    together["visitor_language"] = json!("en");
    together["weekdays"] = json!(["mon", "tue", "fri"]);
    together["ends_at"] = json!("2031-09-30T18:00:00+09:00");
    let made = client.send(&keiin_tests::Call::new("POST", "/v1/visits").json(&together)).expect(201).json();
    let period = made["id"].as_str().expect("an id").to_owned();
    looks.push(look("visit_period", format!("/visits/{period}")));
    looks.push(look("visit_together_schedule", format!("/visits/{period}/schedule")));
    let pass = made["link"].as_str().and_then(|link| link.strip_prefix(&client.url)).expect("a link to this server");
    looks.push(look("pass_period", pass));
    looks.push(look("visit_left_correct", format!("/visits/{}/correct", of("visits", "status", "left"))));
    looks.push(look("visits_import", "/visits/import"));
    looks.push(look("login", "/login"));
    looks.push(look("signup", "/signup"));
    looks.push(look("trust", "/trust"));
    looks.push(look("terms", "/terms"));
    looks.push(look("privacy", "/privacy"));
    looks.push(look("docs", "/docs"));
    looks.push(look("check", "/check"));
    looks.push(look("documents_export_asked", "/documents/export?from=2020-01-01&total_min=1000"));
    looks.push(look("problem", "/problems/access.gone"));
    looks.push(look("audit_filtered", "/audit?kind=document.issued&from=2020-01-01"));
    looks.push(look("documents_none", "/documents?q=nothingofthatname"));
    looks.push(look("documents_searched", "/documents?from=2020-01-01&total_min=1000&total_max=500000"));
    looks.push(look("document_new_receipt", "/documents/new?document_type=receipt"));
    let requested = of("documents", "approval", "requested");
    looks.push(look("document_requested", format!("/documents/{requested}")));
    looks.push(look("document_receipt", format!("/documents/{}", of("documents", "document_type", "receipt"))));
    let withheld = ids(client, "documents", |d| d["jp_withholding_tax"]["amount"] != 0).swap_remove(0);
    looks.push(look("document_withheld", format!("/documents/{withheld}")));
    looks.push(Look { refused: true, ..look("not_found", "/nowhere") });
    looks.push(Look { refused: true, ..look("link_unknown", format!("/l/keiin_lnk_{}", "A".repeat(43))) });
    looks.push(look("kiosk_unpaired", "/kiosk"));
    looks.push(look("kiosk_paired", kiosk));
    looks.push(look("kiosk_walk_in", "/kiosk?view=walk_in"));
    looks.push(look("kiosk_out", "/kiosk?view=out"));
    looks
}

/// First parts of the texts' keys: `problem` of `problem-access-gone`.
fn prefixes() -> BTreeSet<String> {
    let files = repository_files().into_iter().filter(|path| path.starts_with("http/locales/"));
    let texts = files.map(|path| std::fs::read_to_string(root().join(path)).expect("readable"));
    let lines: Vec<String> = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let keys = lines.iter().filter_map(|line| line.split_once(" =")).map(|(key, _)| key);
    keys.filter_map(|key| key.split_once('-')).map(|(prefix, _)| prefix.to_owned()).filter(|p| !p.is_empty()).collect()
}

/// What is wrong with the page that the browser shows, whatever its width.
fn wrong(browser: &Browser, name: &str, lang: &str, prefixes: &BTreeSet<String>) -> Vec<String> {
    let seen = browser.eval_with(
        "const words = new Set();
         const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
         while (walk.nextNode()) {
           const parent = walk.currentNode.parentElement;
           if (parent.closest('code, pre, .mono, script, style, noscript') || !parent.checkVisibility()) continue;
           for (const word of walk.currentNode.data.split(/[\\s()（）:：,、。「」]+/)) words.add(word);
         }
         const prefixes = new Set(arguments[0]);
         const raw = [...words].filter(w => /^[a-z]+(_[a-z]+)+$/.test(w)
           || (/^[a-z]+(-[a-z0-9]+)+$/.test(w) && prefixes.has(w.split('-')[0]))
           || /^(document|visit|member|tenant|client|delivery|session|access|mail|kiosk|token|ledger)\\.[a-z_]+$/.test(w));
         return { lang: document.documentElement.lang, raw, styled: document.querySelectorAll('[style]').length,
           title: document.title, scripts: document.querySelectorAll('script:not([src])').length }",
        vec![json!(prefixes)],
    );
    let mut wrong = Vec::new();
    if seen["lang"] != lang {
        wrong.push(format!("its language is {}", seen["lang"]));
    }
    let raw = seen["raw"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let raw: Vec<_> = raw.collect();
    if !raw.is_empty() && name != FOR_PROGRAMMERS {
        wrong.push(format!("identifiers are shown: {raw:?}"));
    }
    if seen["styled"] != 0 || seen["scripts"] != 0 {
        wrong.push(format!("{} style attributes, {} inline scripts", seen["styled"], seen["scripts"]));
    }
    if seen["title"].as_str().is_none_or(|title| title.trim().is_empty()) {
        wrong.push("it has no title".to_owned());
    }
    wrong
}

fn in_language(lang: &str) {
    let demo = Demo::copy();
    let server = Server::start(&demo.data(), &["demo"]);
    let printed = |field: &str| server.printed[field].as_str().expect("demo prints it").to_owned();
    let client = server.client().with_token(&printed("api_token"));
    let browser = Browser::open(lang);
    browser.goto(&printed("login_link"));
    browser.wait_for(".figures");
    let (prefixes, mut findings) = (prefixes(), Vec::new());
    assert!(prefixes.contains("problem") && prefixes.contains("kind"));
    let looks = all(&client, printed("kiosk_link").strip_prefix(&server.url).expect("leads to this server"));
    browser.console();
    for Look { name, path, refused } in &looks {
        browser.resize(WIDTHS[0], 900);
        browser.goto(&format!("{}{path}", server.url));
        let mut found = wrong(&browser, name, lang, &prefixes);
        for width in WIDTHS {
            browser.resize(width, 900);
            let size = browser.eval("return [innerWidth, document.documentElement.scrollWidth]");
            if size[0] != width {
                found.push(format!("the window is {} and not {width} wide", size[0]));
            }
            if size[1].as_u64() > size[0].as_u64() {
                found.push(format!("at {width} px it is {} px wide", size[1]));
            }
            let cut = browser.eval(CUT_OFF);
            if cut != json!([]) {
                found.push(format!("at {width} px this is cut off: {cut}"));
            }
            browser.screenshot(&format!("{lang}-{width}-{name}"));
        }
        let noted = browser.console();
        found.extend(
            noted.into_iter().filter(|line| !(*refused && line.contains("the server responded with a status"))),
        );
        findings.extend(found.into_iter().map(|what| format!("{name} {path}: {what}")));
    }
    report!("browser_pages {lang} pages={} widths={} findings={}", looks.len(), WIDTHS.len(), findings.len());
    assert!(findings.is_empty(), "{lang}:\n{}", findings.join("\n"));
}

#[test]
fn every_page_in_japanese() {
    in_language("ja");
}

#[test]
fn every_page_in_english() {
    in_language("en");
}
