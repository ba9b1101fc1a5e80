//! An old copy of the log is put back: it does not pass for the newest, and it goes on only after an operator said so.

use std::path::Path;
use std::time::{Duration, Instant};

use keiin_tests::{Demo, keiin};
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
fn an_old_log_is_refused_until_the_loss_is_accepted() {
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
