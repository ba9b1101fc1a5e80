//! A company's own PDF files in a sending order: they are looked at before they are taken, go out by link, into inboxes and on
//! paper, and are destroyed with their subject.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keiin_eventlog::vault::Entry;
use keiin_tests::attachments::{a4, content_type, form, pdf, pdf_of};
use keiin_tests::canary::{assert_absent, assert_present};
use keiin_tests::company::text;
use keiin_tests::mailbox::{vault, vault_at_rest};
use keiin_tests::{Answer, Call, Company, Deployment, keiin, poppler, python, report};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
}

/// Ids of what was taken.
fn ids(answer: Answer) -> Vec<String> {
    answer.expect(201).json()["items"].as_array().expect("a list").iter().map(|one| text(one, "id")).collect()
}

fn invoice(company: &Company) -> String {
    text(&company.printed(&company.new_document()), "id")
}

fn place(company: &Company, body: &Value) -> Answer {
    company.send(Call::new("POST", "/v1/sending-orders").key(&format!("order {}", company.next())).json(body))
}

/// Lets an order go out; the order, once everybody's turn came.
fn release(company: &Company, id: &str) -> Value {
    let path = format!("/v1/sending-orders/{id}");
    company.ok(Call::new("POST", &format!("{path}/release")).if_match(&company.etag(&path)).json(&json!({})));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let order = company.get(&path);
        if order["status"] == "finished" {
            return order;
        }
        assert!(Instant::now() < deadline, "{order}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Files in the vault, and marks of files whose event is not known to be there.
fn kept(data: &Path, company: &str) -> (usize, usize) {
    let (vault, ledger) = (vault(data), Uuid::parse_str(company).expect("an id"));
    let count = |kind, ledger| vault.list(kind, ledger, None).expect("the vault answers").len();
    (count("att", ledger), count("atm", Uuid::nil()))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn own_files_reach_everybody_by_their_way() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let document = invoice(&company);
    let (inbox, login) = company.new_recipient();
    let (drawn, long) = (a4("Terms of delivery"), pdf("Catalogue", 3, "595 842", ""));
    let files = ids(company.bring(&company.token, &[("約款 2026.pdf", &drawn), ("../catalogue.PDF", &long)]));
    let seen = company.get(&format!("/v1/attachments/{}", files[1]));
    let about = (&seen["name"], &seen["pages"], &seen["size"], &seen["is_printable"], &seen["is_scanned"]);
    assert_eq!(about, (&json!("catalogue.pdf"), &json!(3), &json!(long.len()), &json!(true), &json!(false)));
    assert_eq!((&seen["sha256"], &seen["status"]), (&json!(sha256(&long)), &json!("received")));
    let own = company.send(Call::new("GET", &format!("/v1/attachments/{}/pdf", files[0]))).expect(200);
    assert_eq!(own.body, drawn);
    let kind = own.header("content-disposition").expect("a name");
    assert!(kind.starts_with("inline") && kind.ends_with("filename*=UTF-8''%E7%B4%84%E6%AC%BE%202026.pdf"), "{kind}");

    let body = json!({
        "document_ids": [document], "attachments": files, "by_post": [{ "to": company.address_body() }],
        "by_mail": [
            { "to_name": "吉田 一郎", "to_email": "yoshida@client.example" },
            { "to_name": "受信箱の方", "to_email": inbox },
        ],
    });
    let id = text(&place(&company, &body).expect(201).json(), "id");
    let order = company.get(&format!("/v1/sending-orders/{id}"));
    let names = |all: &Value| -> Vec<String> {
        all["attachments"].as_array().expect("files").iter().map(|one| text(one, "name")).collect()
    };
    assert_eq!(names(&order), ["約款 2026.pdf", "catalogue.pdf"]);
    let order = release(&company, &id);
    assert_eq!((&order["handed_over"], &order["failed"]), (&json!(3), &json!(0)), "{order}");
    let target = |n: usize, field: &str| text(&order["recipients"][n], field);

    // By the link: told of, taken, written down with its hash.
    let delivery = target(0, "delivery_id");
    let link = company.mailed_link(&delivery).rsplit('/').next().expect("a secret").to_owned();
    let opened = company.client.post(&format!("/v1/links/{link}/open"), &json!({})).expect(200).json();
    assert_eq!(names(&opened), ["約款 2026.pdf", "catalogue.pdf"]);
    let take = json!({ "attachment_id": files[0] });
    let taken = company.client.post(&format!("/v1/links/{link}/downloads"), &take).expect(200);
    assert_eq!(taken.body, drawn);
    company.settle();
    let events = company.get(&format!("/v1/events?object={delivery}&kind=delivery.downloaded"));
    let event = company.get(&format!("/v1/events/{}", events["items"][0]["position"]))["event"].clone();
    assert_eq!((&event["attachment_id"], &event["sha256"]), (&json!(files[0]), &json!(sha256(&drawn))), "{event}");
    let told = company.get(&format!("/v1/deliveries/{delivery}"));
    assert_eq!((&told["attachments"][0]["downloads"], &told["attachments"][1]["downloads"]), (&json!(1), &json!(0)));

    // In the inbox: one, and all with the document.
    let path = format!("/v1/inbox/{}/files", target(1, "delivery_id"));
    let one = company.client.send(&login.on(Call::new("POST", &path).json(&json!({ "attachment_id": files[1] }))));
    assert_eq!(one.expect(200).body, long);
    let zip = company.client.send(&login.on(Call::new("POST", &format!("{path}.zip")).json(&json!({})))).expect(200);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("all.zip"), zip.body).expect("written");
    let unpacked = Command::new(python()).args(["-m", "zipfile", "-e", "all.zip", "."]).current_dir(&folder).status();
    assert!(unpacked.expect("python runs").success());
    assert_eq!(std::fs::read(folder.path().join("約款 2026.pdf")).expect("it is there"), drawn);
    assert_eq!(std::fs::read(folder.path().join("catalogue.pdf")).expect("it is there"), long);

    // On paper: behind the documents, and on the cover sheet.
    let item = target(2, "postal_item_id");
    let shown = company.get(&format!("/v1/postal-items/{item}"));
    assert_eq!((&shown["sheets"], names(&shown).len()), (&json!(6), 2), "a cover, an invoice, one page, three pages");
    let job = company.send(Call::new("GET", &format!("/v1/postal-items/{item}/pdf?purpose=print"))).expect(200);
    let words = poppler::text(&job.body);
    let pages: Vec<&str> = words.trim_end_matches('\u{c}').split('\u{c}').collect();
    assert_eq!(pages.len(), 6, "{words}");
    assert!(pages[0].contains("添付資料") && pages[0].contains("catalogue"), "{}", pages[0]);
    assert!(pages[2].contains("Terms of delivery") && pages[3..].iter().all(|page| page.contains("Catalogue")));
}

#[test]
fn what_is_unfit_is_refused_by_name_and_leaves_nothing() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let with = |catalog: &str| pdf("x", 1, "595 842", catalog);
    let good = a4("good");
    let encrypted = String::from_utf8(good.clone()).expect("ASCII");
    let encrypted = encrypted.replace("/Root", "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 >> /Root").into_bytes();
    let mut large = good.clone();
    large.splice(9..9, format!("%{}\n", "x".repeat(10 << 20)).bytes());
    let before = company.mark();
    let cases: Vec<(&str, u16, Vec<u8>)> = vec![
        ("attachment.not_pdf", 422, b"MZ\x90\x00 this program is called a.pdf".to_vec()),
        ("attachment.not_pdf", 422, [b"<script>", &good[..]].concat()),
        ("attachment.broken", 422, good[..good.len() / 2].to_vec()),
        ("attachment.broken", 422, b"%PDF-1.7\n%%EOF\n".to_vec()),
        ("attachment.encrypted", 422, encrypted),
        ("attachment.too_many_pages", 422, pdf("x", 201, "595 842", "")),
        ("attachment.active_content", 422, with("/OpenAction << /S /JavaScript /JS (app.alert) >>")),
        ("attachment.active_content", 422, with("/AA << /WC << /S /#4caunch /F (cmd.exe) >> >>")),
        ("attachment.active_content", 422, with("/OpenAction << /S /URI /URI (http://a.example) >>")),
        ("attachment.embedded_file", 422, with("/Names << /EmbeddedFiles << /Names [] >> >>")),
        ("attachment.dynamic_form", 422, with("/AcroForm << /XFA (x) /Fields [] >>")),
        ("attachment.too_large", 413, large),
    ];
    for (code, status, file) in &cases {
        let answer = company.bring(&company.token, &[("good.pdf", &good), ("bad.pdf", file)]);
        refused(&answer, *status, code);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/files/1", "{}", answer.text());
    }
    refused(&company.bring(&company.token, &[]), 422, "attachment.none");
    refused(&company.bring(&company.token, &vec![("a.pdf", &good[..]); 11]), 422, "attachment.too_many");
    // What is too long by its own word is not read at all.
    let head = format!(
        "POST /v1/attachments HTTP/1.1\r\nHost: {}\r\n{}Content-Type: {}\r\nContent-Length: 99999999\r\n\r\n",
        company.client.address(),
        company.token.lines(),
        content_type()
    );
    let (answer, _) = company.client.raw(head.as_bytes(), Duration::from_secs(2));
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("\"attachment.too_large\""), "{answer}");
    let json = Call::new("POST", "/v1/attachments").json(&json!({}));
    refused(&company.send(json), 415, "request.wrong_content_type");
    assert_eq!(company.event_after(before), None, "nothing was taken, also not of the good ones");
    assert_eq!(kept(&deployment.data(), &company.id), (0, 0));
    report!("attachments refused={} taken=0", cases.len());
}

#[test]
fn a_file_that_breaks_its_reader_breaks_nothing_else() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let object = |inner: String| {
        let own = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"];
        let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>";
        pdf_of(&own.iter().chain([&page]).map(|text| (*text).to_owned()).chain([inner]).collect::<Vec<_>>())
    };
    let began = Instant::now();
    // Lists within lists, dictionaries within dictionaries, pages that are their own children.
    let deep = object("[".repeat(1 << 20));
    let wide = object("<</A".repeat(1 << 20));
    let cycle = String::from_utf8(a4("x")).expect("ASCII").replace("/Kids [5 0 R]", "/Kids [2 0 R]").into_bytes();
    for file in [deep, wide, cycle] {
        refused(&company.bring(&company.token, &[("a.pdf", &file)]), 422, "attachment.broken");
    }
    assert!(began.elapsed() < Duration::from_secs(90));
    ids(company.bring(&company.token, &[("a.pdf", &a4("The next one is taken"))]));
}

#[test]
fn changed_files_are_taken_or_refused_and_never_an_error_of_ours() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let good = a4("seed");
    let (mut taken, mut state) = (0, 0x2545_f491_4f6c_dd1d_u64);
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..40 {
        let mut file = good.clone();
        for _ in 0..=next(4) {
            let at = next(file.len());
            match next(3) {
                0 => file[at] = next(256) as u8,
                1 => drop(file.drain(at..(at + 1 + next(40)).min(file.len()))),
                _ => {
                    let piece = file[at..(at + 60).min(file.len())].to_vec();
                    file.splice(at..at, piece);
                }
            }
        }
        let answer = company.bring(&company.token, &[("a.pdf", &file)]);
        assert!(matches!(answer.status, 201 | 422), "{} {}", answer.status, answer.text());
        taken += usize::from(answer.status == 201);
    }
    assert_eq!(kept(&deployment.data(), &company.id), (taken, 0));
    report!("attachments changed=40 taken={taken} errors=0");
}

/// A scanner of the story's own, and the settings that name it.
fn scanner(deployment: &Deployment, script: &str, timeout_s: u64) {
    let program = deployment.folder().join("scanner");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    let settings = deployment.data().join("keiin.toml");
    let text = std::fs::read_to_string(&settings).expect("settings");
    let text = text.split("\n[attachments]").next().expect("a beginning").to_owned();
    let own = format!("\n[attachments]\nscan_command = [{program:?}, \"-\"]\nscan_timeout_s = {timeout_s}\n");
    std::fs::write(&settings, text + &own).expect("written");
}

#[test]
fn a_scanner_decides_and_what_it_cannot_scan_is_not_taken() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut company = Company::sign_up(&server, "minato");
    server.stop();
    let marked = a4("X5O-TEST-FILE");
    let finds = "[ \"$1\" = - ] && ! env | grep -q KEIIN || exit 9\nif grep -q X5O-TEST-FILE; then echo 'stdin: Test FOUND'; \
                 exit 1; fi";
    for (script, timeout_s, marked_code, clean_code) in [
        (finds, 20, "attachment.infected", ""),
        ("cat > /dev/null; exit 2", 20, "attachment.not_scanned", "attachment.not_scanned"),
        ("kill -9 $$", 20, "attachment.not_scanned", "attachment.not_scanned"),
        ("exit 0", 20, "", ""),
        ("cat > /dev/null; sleep 60", 1, "attachment.not_scanned", "attachment.not_scanned"),
    ] {
        scanner(&deployment, script, timeout_s);
        let server = deployment.serve();
        company = company.at(&server);
        for (file, code) in [(&marked, marked_code), (&a4("clean"), clean_code)] {
            let answer = company.bring(&company.token, &[("customer-name.pdf", file)]);
            if code.is_empty() {
                assert_eq!(answer.expect(201).json()["items"][0]["is_scanned"], true);
            } else {
                refused(&answer, if code == "attachment.infected" { 422 } else { 503 }, code);
            }
        }
        let log = std::fs::read_to_string(&server.log).expect("a log");
        assert!(!log.contains("customer-name"), "{log}");
        assert!(marked_code != "attachment.infected" || log.contains("Test FOUND"), "{log}");
        server.stop();
    }
    // Not there: said at the start and by the doctor, and nothing is taken.
    std::fs::remove_file(deployment.folder().join("scanner")).expect("removed");
    let doctor = keiin(&["doctor", "--data", deployment.data_arg()]).expect(1);
    assert!(doctor.stdout.contains("attachments.scan_command: there is no program"), "{}", doctor.stdout);
    let server = deployment.serve();
    assert!(server.log_tail().contains("attachments.scan_command: there is no program"), "{}", server.log_tail());
    let company = company.at(&server);
    refused(&company.bring(&company.token, &[("a.pdf", &a4("clean"))]), 503, "attachment.not_scanned");
}

#[test]
fn the_same_files_under_the_same_key_are_taken_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let send = |files: &[(&str, &[u8])]| {
        let call = Call::new("POST", "/v1/attachments").key("once");
        company.send(call.bytes(&content_type(), form(&[], files)))
    };
    let (one, two) = (a4("one"), a4("two"));
    let first = ids(send(&[("one.pdf", &one), ("two.pdf", &two)]));
    assert_eq!(ids(send(&[("one.pdf", &one), ("two.pdf", &two)])), first);
    refused(&send(&[("one.pdf", &two)]), 422, "idempotency.key_reused");
    let (files, _) = kept(&deployment.data(), &company.id);
    assert!((2..=3).contains(&files), "what was refused waits to be cleared away: {files}");
}

#[test]
fn another_companys_file_looks_like_nothing() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let ours = Company::sign_up(&server, "ours");
    let theirs = Company::sign_up(&server, "theirs");
    let file = ours.new_attachment();
    for path in [format!("/v1/attachments/{file}"), format!("/v1/attachments/{file}/pdf")] {
        refused(&theirs.send(Call::new("GET", &path)), 404, "request.not_found");
    }
    let to = json!([{ "to_name": "誰か", "to_email": "somebody@client.example" }]);
    let body = json!({ "document_ids": [invoice(&theirs)], "attachments": [file], "by_mail": to });
    let answer = place(&theirs, &body);
    refused(&answer, 422, "sending_order.unknown_attachment");
    assert_eq!(answer.json()["errors"][0]["pointer"], "/attachments/0");
    let own = place(&ours, &json!({ "document_ids": [invoice(&ours)], "attachments": [file], "by_mail": to }));
    let id = text(&own.expect(201).json(), "id");
    let order = release(&ours, &id);
    // A recipient of something else takes nothing of it.
    let (_, link) = ours.new_delivery();
    ours.client.post(&format!("/v1/links/{link}/open"), &json!({})).expect(200);
    let take = ours.client.post(&format!("/v1/links/{link}/downloads"), &json!({ "attachment_id": file }));
    refused(&take, 422, "delivery.unknown_attachment");
    assert_eq!(order["handed_over"], 1);
}

#[test]
fn what_was_erased_or_taken_back_is_in_no_file() {
    const NAME: &str = "Gallivant-Quokka-terms";
    const SAYS: &str = "Xanthic perspicacity clause 7781";
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut company = Company::sign_up(&server, "minato");
    let file = ids(company.bring(&company.token, &[(&format!("{NAME}.pdf"), &a4(SAYS))])).remove(0);
    let to = json!([{ "to_name": "誰か", "to_email": "somebody@client.example" }]);
    let body = json!({ "document_ids": [invoice(&company)], "attachments": [file], "by_mail": to });
    let order = release(&company, &text(&place(&company, &body).expect(201).json(), "id"));
    let delivery = text(&order["recipients"][0], "delivery_id");
    let link = company.mailed_link(&delivery).rsplit('/').next().expect("a secret").to_owned();
    company.settle();
    // Whoever exports gets the sealed form, and the file is in no file in the clear, the read models' name apart.
    let export = deployment.export("minato", "minato.bundle", &[]);
    server.kill();
    let is_read_model =
        |file: &Path| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("read.db"));
    assert_present(&deployment.data(), NAME);
    assert_absent(deployment.folder(), NAME, is_read_model);
    assert_absent(deployment.folder(), SAYS, |_| false);
    assert!(export.metadata().is_ok_and(|file| file.len() > 0));

    let erase = ["erase-subject", "--data", deployment.data_arg(), "--tenant", "minato", "--subject", &file];
    keiin(&erase).expect(0);
    assert_absent(deployment.folder(), NAME, |_| false);
    server = deployment.serve();
    company = company.at(&server);
    assert_eq!(kept(&deployment.data(), &company.id), (0, 0));
    assert_eq!(company.get(&format!("/v1/attachments/{file}")).get("name"), None);
    refused(&company.send(Call::new("GET", &format!("/v1/attachments/{file}/pdf"))), 410, "attachment.gone");
    let opened = company.client.post(&format!("/v1/links/{link}/open"), &json!({})).expect(200).json();
    assert_eq!(opened["attachments"][0].get("name"), None, "that something went out is still told");
    let take = company.client.post(&format!("/v1/links/{link}/downloads"), &json!({ "attachment_id": file }));
    refused(&take, 410, "delivery.attachment_erased");
    // Taken back before anything names it: the same at once. What an order names stays.
    let other = ids(company.bring(&company.token, &[(&format!("{NAME}-2.pdf"), &a4("y"))])).remove(0);
    company.ok(Call::new("POST", &format!("/v1/attachments/{other}/remove")).json(&json!({})));
    assert_eq!(kept(&deployment.data(), &company.id), (0, 0));
    let again = company.send(Call::new("POST", &format!("/v1/attachments/{file}/remove")).json(&json!({})));
    refused(&again, 409, "attachment.enclosed");
    server.kill();
    assert_absent(deployment.folder(), NAME, |_| false);
}

#[test]
fn a_server_that_dies_leaves_no_event_without_its_file_and_no_file_for_ever() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut company = Company::sign_up(&server, "minato");
    let acknowledged = ids(company.bring(&company.token, &[("first.pdf", &a4("first"))])).remove(0);
    let so_many = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..3)
        .map(|n| {
            let (client, token, so_many) = (company.client.clone(), company.token.clone(), so_many.clone());
            std::thread::spawn(move || {
                let mut taken = vec![];
                for i in 0..200 {
                    let file = a4(&format!("{n} {i}"));
                    let call = Call::new("POST", "/v1/attachments").bytes(&content_type(), form(&[], &[("f", &file)]));
                    match client.try_send(&token.on(call)) {
                        Ok(answer) if answer.status == 201 => taken.extend(ids(answer)),
                        _ => break,
                    }
                    if so_many.fetch_add(1, Ordering::Relaxed) > 150 {
                        break;
                    }
                }
                taken
            })
        })
        .collect();
    // In the middle, and before one page of the list would not hold them all.
    let deadline = Instant::now() + Duration::from_secs(60);
    while so_many.load(Ordering::Relaxed) < 60 {
        assert!(Instant::now() < deadline, "only {so_many:?} were taken");
        std::thread::sleep(Duration::from_millis(5));
    }
    server.kill();
    let mut taken: Vec<String> = writers.into_iter().flat_map(|writer| writer.join().expect("it ended")).collect();
    taken.push(acknowledged.clone());
    // As if it had died between the file and its event, and between the event and the mark's end.
    let (ledger, nobodys) = (Uuid::parse_str(&company.id).expect("an id"), Uuid::from_u128(7));
    let at_rest = vault_at_rest(&deployment.data());
    let entry = |kind: &str, ledger, id: Uuid, value: Vec<u8>| Entry {
        kind: kind.to_owned(),
        lookup: id.as_bytes().to_vec(),
        ledger,
        owner: id,
        value,
        created_us: 0,
        expires_us: None,
    };
    let ours = || ledger.as_bytes().to_vec();
    let first = Uuid::parse_str(&acknowledged).expect("an id");
    let left = [
        entry("att", ledger, nobodys, a4("left behind")),
        entry("atm", Uuid::nil(), nobodys, ours()),
        entry("atm", Uuid::nil(), first, ours()),
    ];
    at_rest.put(&left).expect("the vault takes them");
    drop(at_rest);
    server = deployment.serve();
    company = company.at(&server);
    let events = company.get("/v1/events?kind=attachment.received&limit=200");
    let events = events["items"].as_array().expect("events").iter().map(|event| text(&event["object"], "id"));
    let events: Vec<String> = events.collect();
    for id in &taken {
        assert!(events.contains(id), "{id} was acknowledged");
    }
    for id in &events {
        company.send(Call::new("GET", &format!("/v1/attachments/{id}/pdf"))).expect(200);
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_there = |id: Uuid| vault(&deployment.data()).get("att", id.as_bytes()).expect("it answers").is_some();
    while is_there(nobodys) {
        assert!(Instant::now() < deadline, "what no event names is still there");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(is_there(first), "what an event names stays");
    report!("attachments acknowledged={} after_the_kill={} lost=0", taken.len(), events.len());
}
