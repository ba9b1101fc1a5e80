//! The demonstration: made once, whole or not at all, full of what there is to see, and never off this machine.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use keiin_tests::server::command;
use keiin_tests::{Call, Demo, Server, keiin, report};
use serde_json::Value;
use tempfile::TempDir;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is text"))
}

#[test]
fn one_line_says_where_to_go() {
    let demo = Demo::copy();
    for field in ["tenant", "slug", "url", "login_link", "kiosk_link", "api_token", "vkey", "origin", "data"] {
        assert!(!demo.text(field).is_empty(), "{field}");
    }
    assert_eq!(demo.text("slug"), "minato");
    assert!(demo.text("vkey").starts_with(demo.text("origin")), "{}", demo.info);
    assert!(demo.text("origin").ends_with(demo.text("tenant")), "{}", demo.info);
}

/// How many items of a list have which value of a field.
fn counts(list: &Value, field: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for item in list["items"].as_array().expect("a list") {
        *counts.entry(item[field].as_str().unwrap_or("-").to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn every_state_can_be_seen() {
    let demo = Demo::copy();
    let (_server, client) = demo.serve();
    let list = |path: &str| client.get(path).expect(200).json();
    let has = |counts: &BTreeMap<String, usize>, states: &[&str]| {
        for state in states {
            assert!(counts.contains_key(*state), "no {state} in {counts:?}");
        }
    };

    let members = list("/v1/members");
    has(&counts(&members, "role"), &["owner", "admin", "member", "accountant", "auditor"]);
    has(&counts(&members, "name"), &["田中 花子", "佐藤 健", "Emily Clark", "髙橋 誠", "監査 太郎"]);
    let clients = list("/v1/clients");
    let names: Vec<&str> = clients["items"].as_array().expect("a list").iter().map(|c| text(&c["name"])).collect();
    assert_eq!(names.len(), 6);
    assert!(names.iter().any(|name| name.contains('﨑')), "{names:?}");
    assert!(names.iter().any(|name| name.chars().count() == 60), "{names:?}");

    let documents = list("/v1/documents?limit=200");
    has(&counts(&documents, "status"), &["draft", "issued", "paid", "cancelled"]);
    has(&counts(&documents, "delivery_status"), &["sent", "opened", "failed", "expired", "revoked"]);
    let types = ["quote", "order_slip", "order_confirmation", "delivery_slip", "acceptance", "invoice", "receipt"];
    has(&counts(&documents, "document_type"), &types);
    let items = documents["items"].as_array().expect("a list");
    assert!(items.iter().any(|d| d["overdue"] == true), "one is overdue");
    assert!(items.iter().any(|d| d["revision"] == 2), "one is corrected");
    has(&counts(&documents, "approval"), &["requested"]);
    assert!(items.iter().any(|d| d["jp_withholding_tax"]["amount"].as_i64() > Some(0)), "of one, tax is kept back");
    // A deal, from the receipt back to the quote.
    let mut at = items.iter().find(|d| d["proviso"] == "搬送治具の製作").expect("a receipt says for what");
    let mut deal = vec![text(&at["document_type"])];
    while let Some(origin) = at["origin"]["id"].as_str() {
        at = items.iter().find(|d| d["id"] == origin).expect("what it was made from");
        deal.push(text(&at["document_type"]));
    }
    assert_eq!(deal, ["receipt", "invoice", "delivery_slip", "order_confirmation", "quote"]);

    let visits = list("/v1/visits?limit=200");
    assert_eq!(visits["items"].as_array().map(Vec::len), Some(20));
    has(&counts(&visits, "status"), &["expected", "arrived", "left", "cancelled", "no_show"]);
    let erased = visits["items"].as_array().expect("a list").iter().filter(|v| v["visitor"]["erased"] == true);
    assert_eq!(erased.count(), 1);

    // Support access: one grant that was used and ended, one that waits for the company; who may ask is on the trust page.
    let grants = list("/v1/grants");
    has(&counts(&grants, "status"), &["ended", "approved"]);
    assert!(grants["items"].as_array().expect("a list").iter().any(|grant| grant["looks"] == 2), "{grants}");
    assert_eq!(list("/v1/trust")["operators"]["accounts"].as_array().map(Vec::len), Some(2));

    // A batch of which one document could not be issued, and what recurs.
    let batches = list("/v1/batches");
    let batch = &batches["items"][0];
    assert_eq!((&batch["status"], &batch["issued"], &batch["failed"]), (&"finished".into(), &2.into(), &1.into()));
    assert_eq!(list("/v1/recurrences")["items"][0]["status"], "active");
    // What goes out by other ways: letters, an order into an inbox and by post, mails in the company's words.
    let items = list("/v1/postal-items")["items"].clone();
    let by = |status: &str| items.as_array().into_iter().flatten().filter(|one| one["status"] == status).count();
    assert_eq!((by("dispatched"), by("queued")), (1, 2), "{items}");
    let order = &list("/v1/sending-orders")["items"][0];
    assert_eq!((&order["status"], &order["handed_over"]), (&"finished".into(), &2.into()), "{order}");
    assert_eq!(list("/v1/mail-templates/delivery-ja")["is_own"], true);
    let answered = list("/v1/deliveries");
    let answered = answered["items"].as_array().into_iter().flatten().filter(|one| one["channel"] == "inbox");
    assert_eq!(answered.count(), 1);

    let mails = list("/v1/mails?limit=200");
    let failed: Vec<&Value> =
        mails["items"].as_array().expect("a list").iter().filter(|m| m["status"] == "failed").collect();
    assert_eq!((failed.len(), &failed[0]["code"]), (1, &Value::from(550)));
}

#[test]
fn the_trail_is_two_weeks_in_the_order_of_time() {
    let demo = Demo::copy();
    let (_server, client) = demo.serve();
    let (mut events, mut cursor) = (vec![], String::new());
    loop {
        let page = client.get(&format!("/v1/events?limit=200{cursor}")).expect(200).json();
        events.extend(page["items"].as_array().expect("a list").clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    events.reverse();
    assert!(events.len() >= 200, "{} events", events.len());
    let kinds: Vec<&str> = events.iter().map(|event| text(&event["kind"])).collect();
    for kind in [
        "ledger.key_rotated", "ledger.subject_erased", "session.refused", "access.denied", "delivery.link_expired",
        "delivery.link_revoked", "delivery.open_refused", "document.corrected", "visit.changed", "visit.walked_in",
        "mail.failed",
    ] {
        assert!(kinds.contains(&kind), "no {kind}");
    }
    let time = |event: &Value| keiin_domain::date::parse_instant(text(&event["time"])).expect("RFC 3339");
    assert!(events.windows(2).all(|two| time(&two[0]) <= time(&two[1])), "time never goes back");
    let (first, last) = (time(&events[0]), time(&events[events.len() - 1]));
    let day_us = 86_400_000_000;
    assert!(last - first > 13 * day_us && last - first <= 14 * day_us, "{} to {}", events[0], events[events.len() - 1]);
    report!("demo events={} members=5 clients=6 documents=29 visits=20", events.len());
}

#[test]
fn an_auditor_verifies_it_and_sees_the_refusal() {
    let demo = Demo::copy();
    let path = |name: &str| demo.folder().join(name).display().to_string();
    let (data, bundle, changed) = (demo.data().display().to_string(), path("a.keiin"), path("b.keiin"));
    keiin(&["export", "--data", &data, "--tenant", "minato", "--out", &bundle]).expect(0);
    let verify = |file: &str, code: i32| {
        keiin(&["verify", file, "--key", demo.text("vkey"), "--deep", "--format", "json"]).expect(code).json()
    };
    let verdict = verify(&bundle, 0);
    assert_eq!(verdict["verdict"], "verified");
    assert!(verdict["events"].as_u64() >= Some(200), "{verdict}");
    keiin(&["demo-tamper", &bundle, "--out", &changed]).expect(0);
    let verdict = verify(&changed, 1);
    assert_eq!(verdict["verdict"], "refuted");
    assert!(verdict["first_bad_position"].is_u64(), "{verdict}");
}

/// `demo --no-serve` on a directory.
fn again(data: &str) -> Value {
    keiin(&["demo", "--no-serve", "--format", "json", "--data", data]).expect(0).json()
}

#[test]
fn a_second_run_finds_the_same_company() {
    let demo = Demo::copy();
    let data = demo.data().display().to_string();
    let (second, third) = (again(&data), again(&data));
    for field in ["tenant", "vkey", "origin", "api_token"] {
        assert_eq!(second[field], demo.info[field], "{field}");
        assert_eq!(third[field], demo.info[field], "{field}");
    }
    assert_ne!(second["login_link"], third["login_link"]);

    let server = Server::start(&demo.data(), &["demo"]);
    assert!(!server.url.ends_with(":0"), "the real port: {}", server.url);
    assert_eq!(server.printed["url"], server.url.as_str());
    // Each link that was printed logs in, once.
    for link in [&third["login_link"], &server.printed["login_link"]] {
        let path = server.rebase(text(link)).replace(&server.url, "");
        let answer = server.client().send(&Call::new("GET", &path));
        assert_eq!(answer.status, 303);
        assert!(answer.header("set-cookie").is_some_and(|cookie| cookie.starts_with("keiin=")), "a session");
        assert_eq!(server.client().get(&path).status, 410);
    }
    let kiosk = server.rebase(text(&server.printed["kiosk_link"])).replace(&server.url, "");
    assert_eq!(server.client().get(&kiosk).status, 303);
    let client = server.client().with_token(text(&server.printed["api_token"]));
    assert_eq!(client.get("/v1/visits?limit=200").expect(200).json()["items"].as_array().map(Vec::len), Some(20));
}

#[test]
fn what_is_not_a_demonstration_is_left_alone() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = folder.path().join("mine");
    fs::create_dir(&data).expect("a folder");
    fs::write(data.join("thesis.txt"), "years of work").expect("a file");
    let data = data.display().to_string();
    let refused = keiin(&["demo", "--no-serve", "--data", &data]).expect(2);
    assert!(refused.stderr.contains(&data), "{}", refused.stderr);
    assert_eq!(fs::read_dir(&data).expect("it is there").count(), 1);

    // Nor is what bears the name of the unfinished one.
    let fresh = folder.path().join("fresh").display().to_string();
    keiin(&["init", "--data", &format!("{fresh}.making")]).expect(0);
    keiin(&["demo", "--no-serve", "--data", &fresh]).expect(2);
    assert!(fs::exists(format!("{fresh}.making/keys")).expect("readable"));

    let own = folder.path().join("own").display().to_string();
    keiin(&["init", "--data", &own]).expect(0);
    keiin(&["demo", "--no-serve", "--data", &own]).expect(2);
}

#[test]
fn whoever_interrupts_it_finds_a_whole_one_the_next_time() {
    let folder = TempDir::new().expect("a temporary folder");
    let (data, making) = (folder.path().join("demo"), folder.path().join("demo.making"));
    let arg = data.display().to_string();
    let mut child = command(&["demo", "--no-serve", "--data", &arg])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("keiin starts");
    // In the middle: there are records, and more would come.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fs::metadata(making.join("log.db-wal")).is_ok_and(|wal| wal.len() > 200_000) {
        assert!(
            Instant::now() < deadline && child.try_wait().expect("ours").is_none(),
            "it ended before it was killed"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    assert!(!data.exists(), "half a demonstration has no place");
    let made = again(&arg);
    assert!(!making.exists());
    let bundle = folder.path().join("a.keiin").display().to_string();
    let exported =
        keiin(&["export", "--data", &arg, "--tenant", text(&made["slug"]), "--out", &bundle, "--format", "json"]);
    assert!(exported.expect(0).json()["events"].as_u64() >= Some(200));
}

#[test]
fn a_demonstration_does_not_leave_the_machine() {
    let demo = Demo::copy();
    let data = demo.data().display().to_string();
    let everywhere = ["--data", &data, "--listen", "0.0.0.0:0"];
    keiin(&[&["demo"][..], &everywhere].concat()).expect(2);
    keiin(&[&["serve"][..], &everywhere, &["--behind-proxy", "10.0.0.0/8"]].concat()).expect(2);
    let behind = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--behind-proxy", "10.0.0.0/8"];
    keiin(&behind).expect(2);

    let server = Server::serve(&demo.data());
    let page = server.client().get("/login").expect(200).text();
    assert!(page.contains("hanako.tanaka@minato.example"), "the login page says who there is");
}
