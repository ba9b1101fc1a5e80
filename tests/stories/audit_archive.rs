//! What a tax inspection takes away: one archive with the list, every file and the ledger, checked with other people's programs
//! and with the small reader that lies in it. One altered byte is found.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use keiin_tests::company::{lines, read_export, text, verify};
use keiin_tests::{Call, Company, Deployment, python, report};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn issued(company: &Company, name: &str, date: &str) -> String {
    let client = json!({ "name": name, "honorific": "onchu" });
    let client = text(&company.ok(Call::new("POST", "/v1/clients").json(&client)), "id");
    let mut draft = company.draft_body(&client);
    draft["date"] = json!(date);
    let id = text(&company.ok(Call::new("POST", "/v1/documents").json(&draft)), "id");
    company.issue(&id);
    company.printed(&id);
    id
}

/// Unpacks by Python's own library, which checks every sum.
fn unpack(archive: &Path, into: &Path) {
    for way in [vec!["-t"], vec!["-e"]] {
        let mut command = Command::new(python());
        command.args(["-m", "zipfile"]).args(&way).arg(archive);
        if way == ["-e"] {
            command.arg(into);
        }
        let ran = command.output().expect("python3 runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// A CSV file of ours in which no cell needs quotes: its rows by title.
fn table(file: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(file).expect("it is in the archive");
    let mut rows = text.trim_start_matches('\u{FEFF}').split_terminator("\r\n");
    let titles: Vec<&str> = rows.next().expect("titles").split(',').collect();
    let row = |row: &str| titles.iter().map(|title| title.to_string()).zip(row.split(',').map(str::to_owned)).collect();
    rows.map(row).collect()
}

fn reader(folder: &Path, key: &str) -> (Option<i32>, String) {
    let mut command = Command::new(python());
    let ran = command.current_dir(folder).args(["keiin_verify.py", "--key", key, "ledger.keiin"]).output();
    let ran = ran.expect("python3 runs");
    (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[test]
fn an_inspector_checks_everything_without_us() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "inspected");
    let first = issued(&company, "髙橋商店", "2026-04-10");
    issued(&company, "=危険", "2026-05-10");
    let other = issued(&company, "範囲の外", "2027-01-10");
    let path = format!("/v1/documents/{first}");
    let mut more = lines();
    more[0]["quantity"] = json!("2");
    let correct = json!({ "lines": more, "reason": "数量の誤り" });
    company.ok(Call::new("POST", &format!("{path}/correct")).json(&correct).if_match(&company.etag(&path)));
    company.printed(&first);
    company.new_draft();
    company.settle();

    let range = "?from=2026-04-01&to=2026-12-31";
    let answer = company.send(Call::new("POST", &format!("/v1/documents/audit.zip{range}"))).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/zip"));
    let (archive, folder) = (deployment.folder().join("audit.zip"), deployment.folder().join("audit"));
    std::fs::write(&archive, &answer.body).expect("the archive can be kept");
    unpack(&archive, &folder);

    // The list says what the filter finds, with corrections; drafts and other dates are not in it.
    let documents = table(&folder.join("documents.csv"));
    let numbers: Vec<&str> = documents.iter().map(|row| row["書類番号"].as_str()).collect();
    assert_eq!(numbers, ["INV-2026-0002", "INV-2026-0001"]);
    assert_eq!((documents[1]["訂正"].as_str(), documents[1]["版"].as_str()), ("2: 数量の誤り", "2"));
    assert_eq!(documents[0]["取引先"], "'=危険", "no formula");
    assert!(documents.iter().all(|row| row["保存期限"].len() == 10), "{documents:?}");

    // The ledger verifies with the key that is known from elsewhere, by our program and by the small one.
    let (ledger, key) = (folder.join("ledger.keiin"), company.key());
    assert_eq!(std::fs::read_to_string(folder.join("key.txt")).expect("a key").trim(), key);
    verify(&ledger, &key);
    assert_eq!(reader(&folder, &key).0, Some(0), "{}", reader(&folder, &key).1);

    // Every revision is a file; each hashes to what its record in the ledger says.
    let records = read_export(&ledger);
    let index = table(&folder.join("index.csv"));
    let names: Vec<&str> = index.iter().map(|row| row["ファイル"].as_str()).collect();
    assert_eq!(names, ["pdf/INV-2026-0002.pdf", "pdf/INV-2026-0001.pdf", "pdf/INV-2026-0001-2.pdf"]);
    for row in &index {
        let position: usize = row["台帳位置"].parse().expect("a position");
        let (record, bytes) = (&records[position], std::fs::read(folder.join(&row["ファイル"])).expect("a file"));
        assert_eq!((record.leaf.position, record.leaf.event_kind.as_str()), (position as u64, "document.rendered"));
        assert_eq!(record.event["sha256"], sha256(&bytes));
        assert_eq!(row["SHA-256"], sha256(&bytes));
    }
    // What was not asked for stays closed.
    let open = |record: &&keiin_tests::company::Exported| record.event != Value::Null;
    let asked: Vec<String> = documents.iter().map(|row| row["台帳位置"].clone()).collect();
    assert_eq!(asked.len(), 2);
    assert!(records.iter().filter(open).all(|r| ["document", "paper"].contains(&r.leaf.stream.kind.as_str())));
    assert!(records.iter().filter(open).all(|r| r.leaf.stream.id.to_string() != other));

    // That it was taken is an event, with the archive's hash and what was asked for.
    let events = company.get("/v1/events?kind=log.audit_downloaded");
    let position = events["items"][0]["position"].as_u64().expect("an event");
    let event = company.get(&format!("/v1/events/{position}"))["event"].clone();
    let filters = json!(["from=2026-04-01", "to=2026-12-31"]);
    assert_eq!(event, json!({ "documents": 2, "files": 3, "filters": filters, "sha256": sha256(&answer.body) }));

    // One byte anywhere is found: in a file by its hash, in the ledger by both readers.
    let pdf = folder.join(names[1]);
    let mut bytes = std::fs::read(&pdf).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert_ne!(sha256(&bytes), index[1]["SHA-256"]);
    let mut bytes = std::fs::read(&ledger).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&ledger, bytes).expect("it can be written");
    assert_ne!(reader(&folder, &key).0, Some(0));
    let ledger = ledger.to_str().expect("text");
    assert_ne!(keiin_tests::keiin(&["verify", ledger, "--deep", "--key", &key]).code, 0);

    // Only whoever may take the ledger away, and a login only right after it has shown that it is them.
    let scopes = ["documents:read".to_owned()];
    let (_, token) = company.issue_token(&scopes);
    company.client.send(&token.on(Call::new("POST", "/v1/documents/audit.zip"))).expect(403);
    report!("tax_audit documents=2 files=3 bytes={} altered_bytes_found=2", answer.body.len());
}
