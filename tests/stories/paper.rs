//! Documents on paper: printed by the server after the issue, the same file for ever, checked by strangers.

use keiin_tests::company::{lines, text};
use keiin_tests::{Answer, Call, Company, Deployment, poppler};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Of bytes, as 64 hex digits.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pdf(company: &Company, id: &str, query: &str) -> Answer {
    company.send(Call::new("GET", &format!("/v1/documents/{id}/pdf{query}")))
}

/// An invoice to a client of this name.
fn issued_to(company: &Company, name: &str) -> String {
    let client = json!({ "name": name, "honorific": "onchu" });
    let client = text(&company.ok(Call::new("POST", "/v1/clients").json(&client)), "id");
    let draft = company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client)));
    let path = format!("/v1/documents/{}", text(&draft, "id"));
    company.ok(Call::new("POST", &format!("{path}/issue")).if_match(&company.etag(&path)));
    text(&draft, "id")
}

#[test]
fn what_is_issued_is_printed_once_and_stays_the_same_file() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "printer");
    let id = issued_to(&company, "髙﨑㈱");
    let document = company.printed(&id);
    let file = pdf(&company, &id, "").expect(200);
    assert_eq!(file.header("content-type"), Some("application/pdf"));
    assert_eq!(file.header("content-disposition"), Some("inline; filename=\"INV-2026-0001.pdf\""));
    assert_eq!(document["pdf"], json!({ "sha256": sha256(&file.body), "size": file.body.len() }));
    let shown = poppler::text(&file.body);
    for wanted in ["INV-2026-0001", "髙﨑㈱", "御中", "1,100"] {
        assert!(shown.contains(wanted), "{wanted} is not in {shown}");
    }

    // The ledger says so, in a record of its own; the version that a client holds has not moved.
    let events = company.get(&format!("/v1/events?object={id}"));
    let kinds: Vec<&str> =
        events["items"].as_array().expect("items").iter().filter_map(|e| e["kind"].as_str()).collect();
    assert_eq!(kinds, ["document.rendered", "document.issued", "document.drafted"]);

    // A correction is another file; the first stays.
    let path = format!("/v1/documents/{id}");
    let mut other = lines();
    other[0]["quantity"] = json!("2");
    let correct = json!({ "lines": other, "reason": "数量の誤り" });
    company.ok(Call::new("POST", &format!("{path}/correct")).json(&correct).if_match(&company.etag(&path)));
    let second = company.printed(&id)["pdf"]["sha256"].clone();
    assert_ne!(second, document["pdf"]["sha256"]);
    assert_eq!(pdf(&company, &id, "?revision=1").expect(200).body, file.body);
    assert_eq!(second, sha256(&pdf(&company, &id, "").expect(200).body));
    pdf(&company, &id, "?revision=3").expect(404);
    pdf(&company, &id, "?revision=0").expect(404);
    pdf(&company, &id, "?revision=x").expect(400);

    // After a restart it is the same file, not another print.
    assert_eq!(server.stop(), 0);
    let server = deployment.serve();
    let company = company.at(&server);
    assert_eq!(pdf(&company, &id, "?revision=1").expect(200).body, file.body);
}

#[test]
fn a_draft_shows_how_it_would_look() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "previewer");
    let id = company.new_draft();
    let file = pdf(&company, &id, "").expect(200);
    let shown = poppler::text(&file.body);
    assert!(shown.contains("下書き") && shown.contains("1,100"), "{shown}");
    let events = company.get(&format!("/v1/events?object={id}"));
    assert_eq!(events["items"].as_array().map(Vec::len), Some(1), "a preview leaves nothing behind");
}

#[test]
fn a_character_that_the_font_lacks_is_reported_and_nothing_is_sent() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "lacking");
    let id = issued_to(&company, "𠮷田商店");
    assert_eq!(company.printed(&id)["missing"], json!(["/recipient/name: 𠮷"]));
    assert_eq!(pdf(&company, &id, "").expect(422).code(), "document.unprintable");
    let send = json!({ "document_ids": [id], "to_name": "山田", "to_email": "yamada@client.example" });
    let answer = company.send(Call::new("POST", "/v1/deliveries").key("send").json(&send)).expect(422);
    assert_eq!(answer.code(), "delivery.unprintable");
}

#[test]
fn a_stranger_with_the_file_learns_that_it_is_genuine_and_nothing_else() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "checked");
    let id = issued_to(&company, "山田商事");
    let hash = company.printed(&id)["pdf"]["sha256"].as_str().expect("a hash").to_owned();
    let stranger = server.client();
    let answer = stranger.get(&format!("/v1/checks/{hash}")).expect(200);
    let said = answer.json();
    let fields: Vec<&String> = said.as_object().expect("an object").keys().collect();
    let known = [
        "cancelled", "company", "document_type", "issued_on", "newest_revision", "number", "proof", "record",
        "revision", "vkey",
    ];
    assert_eq!(fields, known);
    assert!(!answer.text().contains("山田商事") && !answer.text().contains("1100"), "{}", answer.text());
    assert_eq!((&said["number"], &said["revision"]), (&json!("INV-2026-0001"), &json!(1)));

    // The paper's own page, behind the code on it.
    let secret = keiin_tests::mailbox::vault_secret(&deployment.data(), "chk", &company.id, &id);
    let page = stranger.get(&format!("/check/{secret}")).expect(200).text();
    assert!(page.contains("INV-2026-0001") && !page.contains("山田商事") && !page.contains("1,100"), "{page}");
    let path = format!("/v1/documents/{id}");
    let cancel = Call::new("POST", &format!("{path}/cancel")).json(&json!({ "reason": "重複" }));
    company.ok(cancel.if_match(&company.etag(&path)));
    assert_eq!(stranger.get(&format!("/v1/checks/{hash}")).expect(200).json()["cancelled"], json!(true));

    // Guesses find nothing.
    stranger.get(&format!("/v1/checks/{}", hash.to_uppercase())).expect(404);
    stranger.get(&format!("/check/{}x", &secret[..secret.len() - 1])).expect(404);
    for n in 0..20 {
        stranger.get(&format!("/v1/checks/{n:064x}")).expect(404);
    }
}

#[test]
fn two_hundred_documents_issued_at_once_are_all_printed() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "press");
    let client = company.new_client();
    let ids: Vec<String> = (0..if keiin_tests::long() { 200 } else { 20 })
        .map(|_| {
            let draft = company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client)));
            let path = format!("/v1/documents/{}", text(&draft, "id"));
            company.ok(Call::new("POST", &format!("{path}/issue")).if_match(&company.etag(&path)));
            text(&draft, "id")
        })
        .collect();
    // Stopped in the middle of it, it goes on after the next start.
    assert_eq!(server.stop(), 0);
    let server = deployment.serve();
    let company = company.at(&server);
    let hashes: std::collections::BTreeSet<String> =
        ids.iter().map(|id| company.printed(id)["pdf"]["sha256"].to_string()).collect();
    assert_eq!(hashes.len(), ids.len(), "no two papers are alike");
}

#[test]
fn rn_c08_documents_leave_as_tables_lines_and_xml() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "leaving");
    let id = issued_to(&company, "髙﨑商店𠮷 =cmd");
    let other = issued_to(&company, "=HYPERLINK(\"x\")");
    company.mark();
    let get = |path: &str| company.send(Call::new("GET", path));
    let table = get("/v1/documents.csv?from=2026-11-01&to=2026-11-30&total_min=1100&total_max=1100").expect(200);
    assert!(table.body.starts_with(b"\xef\xbb\xbf") && table.text().contains("\r\n"));
    for wanted in ["INV-2026-0001", "INV-2026-0002", "髙﨑商店𠮷 =cmd", "'=HYPERLINK"] {
        assert!(table.text().contains(wanted), "{wanted} is not in {}", table.text());
    }
    assert_eq!(get("/v1/documents.csv?total_min=1101").expect(200).text().lines().count(), 1);
    let check = get("/v1/documents.csv?encoding=cp932&check=true").expect(200).json();
    assert_eq!(check["unmappable"].as_array().map(Vec::len), Some(1), "{check}");
    assert_eq!(check["unmappable"][0]["character"], "𠮷");
    let bytes = get("/v1/documents.csv?encoding=cp932").expect(200).body;
    assert!(bytes.windows(2).any(|pair| pair == [0xfb, 0xfc]), "髙 in CP932");
    let lines = get("/v1/documents.jsonl?encoding=utf8_bom&from=&client_id=").expect(200).text();
    let ids: Vec<String> = lines.lines().map(|line| text(&serde_json::from_str(line).expect("JSON"), "id")).collect();
    assert_eq!(ids, [other, id.clone()]);
    assert_eq!(get("/v1/documents.csv?encoding=latin1").expect(400).code(), "request.bad_parameter");
    assert_eq!(get("/v1/documents.csv?nothing=1").expect(400).code(), "request.bad_parameter");

    // What an inspector asks of the numbers.
    let numbers = get("/v1/documents/numbers").expect(200).json();
    let series = json!({ "series": "INV-2026", "documents": 2, "last": 2, "missing": 0, "doubled": 0 });
    assert_eq!(numbers["items"], json!([series]));

    // Peppol wants a day by which to pay; the answer says which rule.
    let refused = get(&format!("/v1/documents/{id}/pint.xml")).expect(422);
    assert_eq!(refused.code(), "document.not_pint");
    assert!(refused.text().contains("ibr-co-25"), "{}", refused.text());
    let mut body = company.draft_body(&company.new_client());
    body["date_due"] = json!("2026-12-31");
    let due = company.issue(&text(&company.ok(Call::new("POST", "/v1/documents").json(&body)), "id"));
    let xml = get(&format!("/v1/documents/{due}/pint.xml?edition=pint1")).expect(200).text();
    assert!(xml.contains("urn:peppol:pint:billing-1@jp-1") && xml.contains("INV-2026-0003"), "{xml}");
}
