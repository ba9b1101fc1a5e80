//! Own files in the console: the form of a sending order without a script, and a click through from the chosen file to the one
//! that the recipient saves.

use std::time::{Duration, Instant};

use fantoccini::Locator;
use keiin_tests::attachments::{a4, content_type, form};
use keiin_tests::company::{PASSWORD, text};
use keiin_tests::{Answer, Browser, Call, Company, Credential, Deployment};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The console's form without a script: three buttons of one form.
#[test]
fn the_form_works_without_a_script() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let client = company.new_client();
    let draft = text(&company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client))), "id");
    let document = text(&company.printed(&company.issue(&draft)), "id");
    let fields = |more: &[(&'static str, String)]| {
        let mut all = vec![
            ("_key", format!("form {}", company.next())),
            ("client_id", client.clone()),
            ("document_ids.0", document.clone()),
            ("by_mail.0.to_name", "吉田 一郎".to_owned()),
            ("by_mail.0.to_email", "yoshida@client.example".to_owned()),
        ];
        all.extend_from_slice(more);
        all
    };
    let send = |fields: Vec<(&str, String)>, files: &[(&str, &[u8])]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let call = Call::new("POST", &format!("/clients/{client}/send")).bytes(&content_type(), form(&fields, files));
        company.client.send(&company.login.on(call))
    };
    let attach = || ("_do", "attach".to_owned());
    let page = send(fields(&[attach()]), &[("約款.pdf", &a4("terms")), ("別紙.pdf", &a4("annex"))]).expect(200).text();
    assert!(page.contains("約款.pdf") && page.contains("別紙.pdf") && page.contains("value=\"吉田 一郎\""), "{page}");
    let hidden = |page: &str| -> Vec<String> {
        let found = page.split("name=\"attachments.").skip(1);
        found.map(|rest| rest.split("value=\"").nth(1).expect("a value")[..36].to_owned()).collect()
    };
    let ids = hidden(&page);
    assert_eq!(ids.len(), 2);
    let taken = [("attachments.0", ids[0].clone()), ("attachments.1", ids[1].clone())];
    let page =
        send(fields(&[taken.clone().to_vec(), vec![("_remove", ids[1].clone())]].concat()), &[]).expect(200).text();
    assert_eq!(hidden(&page), ids[..1]);
    refused_page(&send(fields(&[taken[0].clone(), attach()]), &[("a.pdf", b"no PDF at all")]), 422, &ids[0]);
    let mut bad = fields(&taken[..1]);
    bad.retain(|(name, _)| *name != "by_mail.0.to_email");
    bad.push(("by_mail.0.to_email", "yoshida".to_owned()));
    refused_page(&send(bad, &[]), 422, &ids[0]);
    // A file that was only chosen goes along, too.
    let placed = send(fields(&taken[..1]), &[("最後.pdf", &a4("last"))]).expect(303);
    let order = placed.header("location").expect("where to go").to_owned();
    assert!(order.starts_with("/sending-orders/") && order.ends_with("?done=sending-placed"), "{order}");
    let shown = company.client.send(&company.login.on(Call::new("GET", &order))).expect(200).text();
    assert!(shown.contains("約款.pdf") && shown.contains("最後.pdf") && !shown.contains("別紙.pdf"), "{shown}");
    let nobody = Call::new("POST", &format!("/clients/{client}/send")).bytes(&content_type(), form(&[], &[]));
    assert_eq!(company.client.send(&Credential::Nobody.on(nobody)).status, 303, "to the login");
}

/// The form again, with what is wrong and what was there.
#[track_caller]
fn refused_page(answer: &Answer, status: u16, id: &str) {
    let page = answer.text();
    assert!(
        answer.status == status && page.contains("role=\"alert\"") && page.contains(id),
        "{} {page}",
        answer.status
    );
    assert!(page.contains("value=\"吉田 一郎\""), "{page}");
}

fn attach(browser: &Browser, css: &str, file: &std::path::Path) {
    browser.wait_for(css);
    let path = file.to_str().expect("a path").to_owned();
    browser.run(async |c| c.find(Locator::Css(css)).await?.send_keys(&path).await);
}

#[test]
fn a_chosen_file_arrives_at_the_recipient_byte_for_byte() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "tenpu");
    let client = company.address_body();
    let client = text(&company.ok(Call::new("POST", "/v1/clients").json(&client)), "id");
    let draft = text(&company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client))), "id");
    text(&company.printed(&company.issue(&draft)), "id");
    let file = a4("Terms of delivery");
    let chosen = [deployment.folder().join("納品条件.pdf"), deployment.folder().join("memo.txt")];
    std::fs::write(&chosen[0], &file).expect("written");
    std::fs::write(&chosen[1], "no PDF").expect("written");

    let office = Browser::open("ja");
    office.goto(&format!("{}/login", server.url));
    office.fill("[name=email]", "owner@tenpu.example");
    office.fill("[name=password]", PASSWORD);
    office.click("main button[type=submit]");
    office.wait_for(".spine");
    office.goto(&format!("{}/clients/{client}/send", server.url));
    office.click("[name='document_ids.0']");
    office.fill("[name='by_mail.0.to_name']", "吉田 一郎");
    office.fill("[name='by_mail.0.to_email']", "yoshida@client.example");
    // What is no PDF is refused in place, and nothing that was typed is lost.
    attach(&office, "[name=files]", &chosen[1]);
    office.click("[name=_do][value=attach]");
    office.wait_for_text(".errors", "PDFではありません");
    office.eval("document.querySelector('[name=files]').value = ''");
    attach(&office, "[name=files]", &chosen[0]);
    office.click("[name=_do][value=attach]");
    office.wait_for_text("[aria-labelledby=own-files]", "納品条件.pdf");
    let kept = office.eval("return document.querySelector(\"[name='by_mail.0.to_name']\").value");
    assert_eq!(kept, "吉田 一郎");
    for (width, name) in [(1280, "wide"), (390, "phone")] {
        office.resize(width, 900);
        office.eval("document.querySelector('#own-files').scrollIntoView()");
        office.screenshot(&format!("attachments-form-{name}"));
    }
    office.resize(1280, 900);
    office.click(".save-bar .btn-main");
    office.wait_for("form[action$='/release']");
    office.wait_for_text("[aria-labelledby=own-files]", "納品条件.pdf");
    office.screenshot("attachments-order");
    let order = office.url().rsplit('/').next().expect("an id").split('?').next().expect("an id").to_owned();
    office.click("form[action$='/release'] button");
    let deadline = Instant::now() + Duration::from_secs(60);
    let delivery = loop {
        let found = company.get(&format!("/v1/sending-orders/{order}"));
        if let Some(delivery) = found["recipients"][0]["delivery_id"].as_str() {
            break delivery.to_owned();
        }
        assert!(Instant::now() < deadline, "{found}");
        std::thread::sleep(Duration::from_millis(50));
    };
    // The recipient's telephone.
    let phone = Browser::open("ja");
    phone.resize(390, 844);
    phone.goto(&server.rebase(&company.mailed_link(&delivery)));
    phone.wait_for_text("main", "添付ファイル1点");
    phone.screenshot("attachments-landing");
    phone.click("main form button");
    phone.wait_for_text("[aria-labelledby=own-files]", "納品条件.pdf");
    phone.eval("document.querySelector('#own-files').scrollIntoView()");
    phone.screenshot("attachments-link");
    in_english(&company, &server.url, &server.rebase(&company.mailed_link(&delivery)), &client, &chosen[1]);
    // The browser's own request of the button's form, with its bytes.
    let taken = phone.eval(
        "return (async () => { const f = document.querySelector('[aria-labelledby=own-files] form'); \
         const a = await fetch(f.action, { method: 'POST', body: new URLSearchParams(new FormData(f)) }); \
         return [a.headers.get('content-disposition'), Array.from(new Uint8Array(await a.arrayBuffer()))]; })()",
    );
    let bytes: Vec<u8> = serde_json::from_value(taken[1].clone()).expect("bytes");
    assert_eq!(Sha256::digest(&bytes), Sha256::digest(&file), "{}", taken[0]);
    assert!(taken[0].as_str().is_some_and(|said| said.starts_with("attachment;")), "{}", taken[0]);
    company.settle();
    let told: Value = company.get(&format!("/v1/deliveries/{delivery}"));
    assert_eq!(told["attachments"][0]["downloads"], json!(1), "{told}");
}

/// The same pages for who reads English: the recipient's on a telephone, the form with a refusal.
fn in_english(company: &Company, url: &str, link: &str, client: &str, no_pdf: &std::path::Path) {
    let browser = Browser::open("en");
    browser.resize(390, 844);
    browser.goto(link);
    browser.wait_for_text("main", "1 attachment");
    browser.click("main form button");
    browser.wait_for_text("[aria-labelledby=own-files]", "1 page");
    browser.screenshot("attachments-link-en");
    browser.resize(1280, 900);
    browser.goto(&format!("{url}/login"));
    browser.fill("[name=email]", &format!("owner@{}.example", company.slug));
    browser.fill("[name=password]", PASSWORD);
    browser.click("main button[type=submit]");
    browser.wait_for(".spine");
    browser.goto(&format!("{url}/clients/{client}/send"));
    attach(&browser, "[name=files]", no_pdf);
    browser.click("[name=_do][value=attach]");
    browser.wait_for_text(".errors", "This is no PDF");
    browser.screenshot("attachments-form-en");
}
