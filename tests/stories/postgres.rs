//! A deployment on PostgreSQL: nodes beside each other, a database that goes away and comes back, a standby that takes over,
//! and the way there from files. (The other stories run on PostgreSQL too: `KEIIN_TEST_ENGINE=postgres`.)

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keiin_test_postgres::Server as Postgres;
use keiin_tests::company::{Company, Deployment, Exported, read_export, verify};
use keiin_tests::{Call, Demo, Follow, Server, keiin, report};
use serde_json::{Value, json};

fn positions(records: &[Exported]) -> Vec<u64> {
    records.iter().map(|record| record.leaf.position).collect()
}

fn names(record: &Exported, name: &str) -> bool {
    record.leaf.event_kind == "client.registered" && record.event.to_string().contains(&format!("\"{name}\""))
}

fn new_client(name: &str) -> Call {
    Call::new("POST", "/v1/clients").key(name).json(&json!({ "name": name, "honorific": "onchu" }))
}

/// ML-26, EL-44: two nodes take writes for the same companies; one is killed; the other goes on with the same keys.
#[test]
fn any_node_takes_any_write_and_a_killed_one_is_not_missed() {
    let deployment = Deployment::on_postgres(Postgres::shared());
    let first = deployment.serve();
    let company = Company::sign_up(&first, "minato");
    let mut second = Server::serve(&deployment.node("second"));

    // Written here, read there; sessions and tokens hold on both.
    let there = company.at(&second);
    let client = company.new_client();
    let deadline = Instant::now() + Duration::from_secs(5);
    while there.send(Call::new("GET", &format!("/v1/clients/{client}"))).status != 200 {
        assert!(Instant::now() < deadline, "the other node does not see it");
        std::thread::sleep(Duration::from_millis(20));
    }

    let (acked, killed) = (std::sync::Mutex::new(vec![]), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for lane in 0..6 {
            let (company, acked, killed) = (company.lane(lane), &acked, &killed);
            let urls = [first.client(), second.client()];
            scope.spawn(move || {
                for n in 0..40 {
                    let name = format!("lane {lane} number {n}");
                    // Whoever gets no answer asks the other node with the same key.
                    let answer = (0..50).find_map(|attempt| {
                        let client = &urls[(lane as usize + n + attempt) % 2];
                        let answer = client.try_send(&company.token.on(new_client(&name))).ok();
                        answer.filter(|answer| answer.status != 503).or_else(|| {
                            std::thread::sleep(Duration::from_millis(50));
                            None
                        })
                    });
                    let answer = answer.expect("one of two nodes answers").expect(201);
                    acked.lock().unwrap().push((name, answer.position()));
                    if lane == 0 && n == 15 {
                        killed.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
        while !killed.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        second.kill();
    });

    let acked = acked.into_inner().unwrap();
    assert_eq!(acked.len(), 240);
    company.checkpoint();
    let records = read_export(&deployment.export("minato", "nodes.keiin", &["--open"]));
    verify(&deployment.export("minato", "closed.keiin", &[]), &company.key());
    assert_eq!(positions(&records), (0..records.len() as u64).collect::<Vec<_>>());
    for (name, position) in &acked {
        assert!(names(&records[*position as usize], name), "{position}");
        assert_eq!(records.iter().filter(|record| names(record, name)).count(), 1, "{name}");
    }
    report!("postgres nodes: acked={} lost=0 doubled=0", acked.len());
}

/// A feed's cursor is good on every node: one follower changes between them, both are written to.
#[test]
fn a_feed_goes_on_at_another_node() {
    let deployment = Deployment::on_postgres(Postgres::shared());
    let first = deployment.serve();
    let company = Company::sign_up(&first, "minato");
    let second = Server::serve(&deployment.node("second"));
    let nodes = [company.at(&first), company.at(&second)];
    let (mut told, mut cursor) = (vec![], None);
    for round in 0..10 {
        let last = nodes[round % 2].mark();
        // What the other node has not folded yet is waited for.
        let reader = &nodes[(round / 2) % 2].client;
        let query = if round == 0 { "?after=0" } else { "" };
        let mut follow = Follow::open(reader, &company.token, query, cursor.as_deref());
        told.extend(follow.up_to(last).iter().map(|event| event.position()));
        cursor = follow.last;
    }
    assert_eq!(told, (1..=told.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_second_node_needs_a_shared_vault_and_a_shared_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("one").display().to_string();
    let database = Postgres::shared().database();
    keiin(&["init", "--data", &data, "--database", &database]).expect(0);
    let _first = Server::serve(&folder.path().join("one"));
    let copied = Command::new("cp").arg("-a").arg(&data).arg(folder.path().join("two")).status().unwrap();
    assert!(copied.success());
    let two = folder.path().join("two").display().to_string();
    let refused = keiin(&["serve", "--data", &two, "--listen", "127.0.0.1:0"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("--anchor postgres://"), "{}", refused.stderr);

    // One database for two of the three is refused before anything is made.
    let three = folder.path().join("three").display().to_string();
    let empty = Postgres::shared().database();
    let same = keiin(&["init", "--data", &three, "--database", &empty, "--anchor", &empty]).expect(2);
    assert!(same.stderr.contains("one database"), "{}", same.stderr);
    // So is a database that belongs to somebody else, and a connection in the clear to another machine.
    keiin(&["init", "--data", &three, "--database", &database]).expect(2);
    let plain = "postgres://keiin@db.example.jp/keiin?sslmode=disable";
    let plain = keiin(&["init", "--data", &three, "--database", plain]).expect(2);
    assert!(plain.stderr.contains("verify-full"), "{}", plain.stderr);
    assert!(!folder.path().join("three").exists());
}

/// MN-25, MN-27, F12: stopped, then hanging. Writes are refused within 2 s, pages say so, the login page stays up, and the
/// server recovers within 5 s by itself.
#[test]
fn f12_a_database_that_is_away_is_said_and_forgotten_when_it_is_back() {
    let postgres = Postgres::start();
    let deployment = Deployment::on_postgres(&postgres);
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    company.settle();
    let before = memory_kib(server.pid());

    for hang in [false, true] {
        if hang {
            postgres.signal("STOP")
        } else {
            postgres.stop()
        }
        let away = Instant::now();
        let mut slowest = Duration::ZERO;
        while away.elapsed() < Duration::from_secs(6) {
            let answers = std::thread::scope(|scope| {
                let asks: Vec<_> = (0..8)
                    .map(|n| {
                        let company = company.lane(100 + n);
                        scope.spawn(move || {
                            let started = Instant::now();
                            let answer = company.send(new_client(&format!("away {n}")));
                            (answer, started.elapsed())
                        })
                    })
                    .collect();
                asks.into_iter().map(|ask| ask.join().unwrap()).collect::<Vec<_>>()
            });
            for (answer, took) in answers {
                assert_eq!(answer.status, 503, "{}", answer.text());
                assert!(answer.header("retry-after").is_some());
                slowest = slowest.max(took);
            }
        }
        assert!(slowest < Duration::from_millis(2_300), "hang={hang}: {slowest:?}");
        assert_eq!(server.client().get("/livez").status, 200);
        assert_eq!(server.client().get("/readyz").status, 503);
        assert_eq!(server.client().get("/login").expect(200).status, 200);
        for (lang, text) in [("en", "Not available right now"), ("ja", "ただいま利用できません")] {
            let call = company.login.on(Call::new("GET", &format!("/clients?lang={lang}")));
            let page = server.client().send(&call).expect(503);
            assert!(page.text().contains(text) && page.header("retry-after").is_some(), "{}", page.text());
        }
        if hang {
            postgres.signal("CONT")
        } else {
            postgres.resume()
        }
        let back = Instant::now();
        while company.send(new_client(&format!("back {hang}"))).status != 201 {
            assert!(back.elapsed() < Duration::from_secs(5), "hang={hang}: not back after 5 s");
            std::thread::sleep(Duration::from_millis(100));
        }
        while server.client().get("/readyz").status != 200 {
            assert!(back.elapsed() < Duration::from_secs(5), "hang={hang}: not ready after 5 s");
            std::thread::sleep(Duration::from_millis(100));
        }
        report!(
            "postgres away: hang={hang} slowest refusal {} ms, back after {} ms",
            slowest.as_millis(),
            back.elapsed().as_millis()
        );
    }
    let grown = memory_kib(server.pid()).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
    company.checkpoint();
    verify(&deployment.export("minato", "away.keiin", &[]), &company.key());
}

fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
}

/// FM-08, F13: the primary is killed, the standby that it had to wait for is promoted; nothing acknowledged is lost, writes
/// go on without a restart, and the former primary is not taken back.
#[test]
fn f13_a_standby_takes_over_and_the_old_primary_stays_out() {
    let primary = Postgres::start();
    let others = Postgres::shared();
    let standby = Postgres::standby(&primary, "standby");
    let name = "keiin";
    primary.sql("postgres", &format!("CREATE DATABASE {name}"));
    primary.wait_for_standby("standby");
    let both = format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{name}", primary.port(), standby.port());
    let deployment = Deployment::at(&both, &others.database(), &others.database());
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");

    let acked = std::sync::Mutex::new(vec![]);
    let taken_over = std::thread::scope(|scope| {
        for lane in 0..4 {
            let (company, acked) = (company.lane(lane), &acked);
            scope.spawn(move || {
                for n in 0..60 {
                    let name = format!("lane {lane} number {n}");
                    let deadline = Instant::now() + Duration::from_secs(40);
                    loop {
                        let answer = company.client.try_send(&company.token.on(new_client(&name)));
                        match answer {
                            Ok(answer) if answer.status == 201 => {
                                acked.lock().unwrap().push((name, answer.position()));
                                break;
                            }
                            Ok(answer) if answer.status != 503 => panic!("{}", answer.text()),
                            _ => assert!(Instant::now() < deadline, "no write for 40 s"),
                        }
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
            });
        }
        while acked.lock().unwrap().len() < 40 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let killed = Instant::now();
        primary.stop();
        standby.promote();
        let so_far = acked.lock().unwrap().len();
        while acked.lock().unwrap().len() == so_far {
            std::thread::sleep(Duration::from_millis(10));
        }
        killed.elapsed()
    });
    assert!(taken_over < Duration::from_secs(10), "{taken_over:?}");

    // It comes back as if nothing had happened, alone in its world.
    primary.configure("synchronous_standby_names = ''");
    primary.resume();
    for n in 0..20 {
        company.ok(new_client(&format!("after {n}")));
    }
    let old = format!("postgres://postgres@127.0.0.1:{}/{name}", primary.port());
    assert_eq!(primary.sql(name, "SELECT pg_is_in_recovery()"), "f");
    let there = primary.sql(name, "SELECT max(size) FROM keiin_log.heads");
    let data = deployment.node("stray");
    let stray = keiin(&["serve", "--data", &data.display().to_string(), "--listen", "127.0.0.1:0", "--database", &old]);
    assert_ne!(stray.code, 0);
    assert!(stray.stderr.contains("former primary"), "{}", stray.stderr);
    assert_eq!(primary.sql(name, "SELECT max(size) FROM keiin_log.heads"), there, "nothing was written to it");

    company.checkpoint();
    let records = read_export(&deployment.export("minato", "taken-over.keiin", &["--open"]));
    verify(&deployment.export("minato", "closed.keiin", &[]), &company.key());
    assert_eq!(positions(&records), (0..records.len() as u64).collect::<Vec<_>>());
    let acked = acked.into_inner().unwrap();
    for (name, position) in &acked {
        assert!(names(&records[*position as usize], name), "{position}");
        assert_eq!(records.iter().filter(|record| names(record, name)).count(), 1, "{name}");
    }
    report!(
        "postgres fail-over: acked={} lost=0 doubled=0, writes back after {} ms",
        acked.len(),
        taken_over.as_millis()
    );
}

/// The demonstration moves from files to PostgreSQL with keys of its own; the old deployment takes nothing more.
#[test]
fn a_deployment_moves_to_postgresql() {
    let demo = Demo::copy();
    let (from, to) = (demo.data().display().to_string(), demo.folder().join("moved").display().to_string());
    let ledger = demo.text("tenant").to_owned();
    let before = demo.folder().join("before.keiin").display().to_string();
    keiin(&["export", "--data", &from, "--tenant", &ledger, "--out", &before]).expect(0);
    let urls = [0; 3].map(|_| Postgres::shared().database());
    let migrate = ["migrate", "--from", &from, "--to", &to, "--format", "json"];
    let stores = ["--database", &urls[0], "--vault", &urls[1], "--anchor", &urls[2]];
    let moved = keiin(&[&migrate[..], &stores].concat()).expect(0).json();
    assert_eq!(moved["moved"], 2, "the company's ledger and the root ledger");
    // Again is harmless, as after an interruption.
    keiin(&[&migrate[..], &stores].concat()).expect(0);

    let server = Server::serve(&demo.folder().join("moved"));
    let client = server.client().with_token(demo.text("api_token"));
    assert!(client.get("/v1/documents?limit=1").expect(200).json()["items"][0].is_object());
    client.post("/v1/clients", &json!({ "name": "株式会社引越先", "honorific": "onchu" })).expect(201);
    let key = client.get("/v1/log/key").expect(200).json()["vkey"].as_str().expect("a key").to_owned();
    std::thread::sleep(Duration::from_millis(1_500));
    let after = demo.folder().join("after.keiin").display().to_string();
    keiin(&["export", "--data", &to, "--tenant", &ledger, "--out", &after]).expect(0);
    let verdict = verify(std::path::Path::new(&after), &key);
    let old = keiin(&["verify", &before, "--deep", "--format", "json"]).expect(0).json();
    assert_eq!(verdict["origin"], old["origin"]);
    assert!(verdict["events"].as_u64() > old["events"].as_u64().map(|n| n + 1));

    let (old, left) = demo.serve();
    // It stays ready: nothing here waits for what only the receiver can sign.
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(old.client().get("/readyz").status, 200);
    let refused = left.post("/v1/clients", &json!({ "name": "株式会社置去り", "honorific": "onchu" }));
    assert_eq!((refused.status, refused.json()["code"].clone()), (410, Value::from("service.moved")));
    left.get("/v1/documents").expect(200);
}

/// One company leaves a deployment for another that exists.
#[test]
fn a_company_moves_to_another_deployment() {
    let (here, there) = (Deployment::new(), Deployment::on_postgres(Postgres::shared()));
    let (company, stays) = {
        let server = here.serve();
        let company = Company::sign_up(&server, "movers");
        company.new_document();
        company.settle();
        let stays = Company::sign_up(&server, "stayers");
        server.stop();
        (company, stays)
    };
    let neighbour = {
        let server = there.serve();
        let neighbour = Company::sign_up(&server, "neighbours");
        server.stop();
        neighbour
    };
    let args = ["migrate", "--from", here.data_arg(), "--to", there.data_arg(), "--tenant"];
    keiin(&[&args[..], &["movers"]].concat()).expect(0);
    let server = there.serve();
    let moved = company.at(&server);
    moved.new_document();
    moved.log_in("owner@movers.example");
    neighbour.at(&server).new_client();
    moved.checkpoint();
    verify(&there.export("movers", "movers.keiin", &[]), &moved.key());

    let old = here.serve();
    assert_eq!(company.at(&old).send(new_client("too late")).status, 410);
    stays.at(&old).new_client();
}
