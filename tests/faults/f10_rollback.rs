//! F10. An old copy of the log is put back: it does not pass for the newest, and it goes on only after an operator said so.

use std::path::Path;
use std::time::{Duration, Instant};

use keiin_tests::company::read_export;
use keiin_tests::load::{Journal, Target, Writer};
use keiin_tests::oracle::examine;
use keiin_tests::{Call, Company, Demo, Deployment, keiin};
use serde_json::json;

fn set_aside(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let name = |path: &Path| path.with_file_name(format!("{}{suffix}", path.file_name().expect("name").display()));
        let _ = std::fs::remove_file(name(to));
        if name(from).exists() {
            std::fs::copy(name(from), name(to)).expect("copied");
        }
    }
}

#[test]
fn f10_an_old_log_is_refused_until_the_loss_is_accepted() {
    let demo = Demo::copy();
    let (log, old) = (demo.data().join("log.db"), demo.folder().join("old-log.db"));
    set_aside(&log, &old);

    let (server, client) = demo.serve();
    client.post("/v1/clients", &json!({ "name": "株式会社あとから", "honorific": "onchu" })).expect(201);
    let checkpoint = format!("/log/{}/checkpoint", demo.text("tenant"));
    let size = |text: &str| text.lines().nth(1).and_then(|line| line.parse::<u64>().ok()).expect("a size");
    let before = size(&keiin_tests::Client::get(&client, &checkpoint).text());
    let patience = Instant::now() + Duration::from_secs(20);
    let kept = loop {
        // The change is anchored within a second; a loaded machine gets more.
        let text = client.get(&checkpoint).text();
        let head = client.get("/v1/events?limit=1").json()["items"][0]["position"].as_u64().expect("a position");
        if size(&text) > head || Instant::now() > patience {
            break text;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(size(&kept) >= before);
    server.stop();

    set_aside(&old, &log);
    let data = demo.data().display().to_string();
    let refused = keiin(&["restore", "--data", &data, "--format", "json"]).expect(1);
    assert!(refused.stdout.contains("below the checkpoint"), "{}", refused.stdout);
    let accepted = keiin(&["restore", "--data", &data, "--accept-loss", "--format", "json"]).expect(0);
    assert!(accepted.stdout.contains("\"generation\":2"), "{}", accepted.stdout);

    // Who kept the checkpoint sees the break; who did not sees that there was one.
    let bundle = demo.folder().join("restored.keiin").display().to_string();
    keiin(&["export", "--data", &data, "--tenant", demo.text("tenant"), "--out", &bundle]).expect(0);
    let verdict = keiin(&["verify", &bundle, "--deep", "--format", "json"]).expect(0).json();
    assert!(verdict["origin"].as_str().expect("an origin").ends_with("/2"), "{verdict}");
    let checkpoint = demo.folder().join("kept.txt");
    std::fs::write(&checkpoint, kept).expect("written");
    let kept = checkpoint.display().to_string();
    let ran = keiin(&["verify", &bundle, "--checkpoint", &kept, "--format", "json"]);
    assert_ne!(ran.json()["verdict"], "verified");

    let (_server, client) = demo.serve();
    client.get("/v1/clients").expect(200);
    client.post("/v1/clients", &json!({ "name": "株式会社それから", "honorific": "onchu" })).expect(201);
}

/// Two companies, of which one has gone on since: it is neither read nor written nor signed until the loss was accepted,
/// the other works on. Nobody is ever shown two histories of one size.
#[test]
fn f10_only_the_ledger_that_lost_something_is_refused() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "rolled-back"), Company::sign_up(&server, "untouched")];
    let [behind, untouched] = &companies;
    companies.iter().for_each(|company| drop((company.new_client(), company.settle(), company.checkpoint())));
    assert_eq!(server.stop(), 0);
    let (log, old) = (deployment.data().join("log.db"), deployment.folder().join("old-log.db"));
    set_aside(&log, &old);

    let server = deployment.serve();
    let mut watcher = Journal::create(deployment.folder(), "watcher");
    let mut writers = Writer::some(1, 0, deployment.folder());
    let targets = Target::of(&companies[..1]);
    let lost: Vec<_> = (0..7).map(|_| writers[0].once(&server.client(), &targets).expect("answered")).collect();
    let seen = behind.at(&server).checkpoint();
    watcher.checkpoint(&behind.id, &seen);
    assert_eq!(server.stop(), 0);
    set_aside(&old, &log);

    let server = keiin_tests::Server::start_unready(&deployment.data(), &["serve"]);
    let [behind, untouched] = [behind.at(&server), untouched.at(&server)];
    let body = json!({ "name": "After", "honorific": "onchu" });
    let asked = [
        behind.send(Call::new("POST", "/v1/clients").json(&body)),
        behind.send(Call::new("GET", "/v1/events?limit=1")),
        behind.send(Call::new("GET", &format!("/v1/events/{}/proof", lost[0].position))),
    ];
    for answer in asked {
        assert!(matches!(answer.status, 503 | 404), "{} {}: {}", answer.status, answer.asked, answer.text());
    }
    // What was published stays published: the newest checkpoint, or none, never an older one.
    let shown = server.client().get(&format!("/log/{}/checkpoint", behind.id));
    assert!(shown.status == 503 || shown.text() == seen, "{}", shown.text());
    untouched.mark();
    let why = server.admin().get("/readyz").expect(503).text();
    assert!(why.contains(&behind.id) && why.contains("events below the checkpoint"), "{why}");
    assert_eq!(server.stop(), 0);

    let restored = keiin(&["restore", "--data", deployment.data_arg(), "--accept-loss", "--format", "json"]).expect(0);
    assert!(restored.stdout.contains("\"generation\":2"), "{}", restored.stdout);
    // The recovery is an event, the other company is as it was, and the oracle misses exactly what was lost.
    let found = examine(&deployment, &companies);
    assert_eq!((found.count("O1"), found.count("O2")), (7, 0), "{:#?}", found.complaints);
    assert!(found.complaints.iter().all(|c| ["O1", "O3", "O6"].contains(&c.oracle)), "{:#?}", found.complaints);
    let records = read_export(&deployment.folder().join("oracle-rolled-back.keiin"));
    let kinds: Vec<&str> = records.iter().map(|record| record.leaf.event_kind.as_str()).collect();
    assert!(kinds.contains(&"ledger.restored"), "{kinds:?}");
}
