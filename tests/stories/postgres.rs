//! A deployment on PostgreSQL: nodes beside each other, a database that goes away and comes back, a standby that takes over.
//! (The other stories run on PostgreSQL too: `KEIIN_TEST_ENGINE=postgres`.)

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keiin_test_postgres::Server as Postgres;
use keiin_tests::company::{Company, Deployment};
use keiin_tests::load::{Silence, Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Call, Follow, Server, keiin, report};
use serde_json::json;

fn new_client(name: &str) -> Call {
    Call::new("POST", "/v1/clients").key(name).json(&json!({ "name": name, "honorific": "onchu" }))
}

/// ML-26, EL-44: two nodes take writes for the same companies; one is killed; the other goes on with the same keys.
#[test]
fn any_node_takes_any_write_and_a_killed_one_is_not_missed() {
    let deployment = Deployment::on_postgres(Postgres::shared());
    let first = deployment.serve();
    let companies = [Company::sign_up(&first, "minato")];
    let company = &companies[0];
    let mut second = Server::serve(&deployment.node("second"));

    // Written here, read there; sessions and tokens hold on both.
    let there = company.at(&second);
    let client = company.new_client();
    let deadline = Instant::now() + Duration::from_secs(5);
    while there.send(Call::new("GET", &format!("/v1/clients/{client}"))).status != 200 {
        assert!(Instant::now() < deadline, "the other node does not see it");
        std::thread::sleep(Duration::from_millis(20));
    }

    let targets = Target::of(&companies);
    let mut writers = Writer::some(6, 0, deployment.folder());
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (lane, writer) in writers.iter_mut().enumerate() {
            let (nodes, targets, answered) = ([first.client(), second.client()], &targets, &answered);
            scope.spawn(move || {
                for n in 0..40 {
                    // Whoever gets no answer asks the node that is left, with the same key.
                    if writer.once(&nodes[(lane + n) % 2], targets).is_err() {
                        writer.settle(&nodes[0], targets);
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        while answered.load(Ordering::SeqCst) < 90 {
            std::thread::sleep(Duration::from_millis(5));
        }
        second.kill();
    });
    assert_eq!(first.stop(), 0);
    let found = examine(&deployment, &companies);
    assert_eq!(found.acked, 240);
    report!("postgres nodes: acked={} lost={} doubled={}", found.acked, found.count("O1"), found.count("O2"));
    found.expect_none();
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
    let companies = [Company::sign_up(&server, "minato")];
    let (company, client, targets) = (&companies[0], server.client(), Target::of(&companies));
    let mut writers = Writer::some(8, 0, deployment.folder());
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
            let ask = |writer: &mut Writer| {
                let started = Instant::now();
                (writer.once(&client, &targets).err(), started.elapsed())
            };
            let refusals = std::thread::scope(|scope| {
                let asks: Vec<_> = writers.iter_mut().map(|writer| scope.spawn(|| ask(writer))).collect();
                asks.into_iter().map(|ask| ask.join().unwrap()).collect::<Vec<_>>()
            });
            for (silence, took) in refusals {
                assert!(matches!(silence, Some(Silence::Refused(503, _))), "{silence:?}");
                slowest = slowest.max(took);
            }
            let answer = company.send(new_client("away"));
            assert!(answer.status == 503 && answer.header("retry-after").is_some(), "{}", answer.text());
            std::thread::sleep(Duration::from_millis(150));
        }
        assert!(slowest < Duration::from_millis(2_000), "hang={hang}: {slowest:?}");
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
        let back = back.elapsed();
        let refused = settle(&mut writers, &client, &targets);
        report!(
            "postgres away: hang={hang} {refused} refused, slowest {} ms, back after {} ms",
            slowest.as_millis(),
            back.as_millis()
        );
    }
    let grown = memory_kib(server.pid()).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
    assert_eq!(server.stop(), 0);
    examine(&deployment, &companies).expect_none();
}

fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
}

/// Why a database cannot be used reaches operators: the log, `/readyz` on their port, `keiin doctor`. Nobody else.
#[test]
fn operators_and_nobody_else_learn_why_a_database_is_away() {
    let postgres = Postgres::start();
    postgres.sql("postgres", "CREATE ROLE app SUPERUSER LOGIN PASSWORD 'Hamlet-quince-41'");
    let hba = postgres.data().join("pg_hba.conf");
    let trusting = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("host all app 127.0.0.1/32 scram-sha-256\n{trusting}")).unwrap();
    postgres.sql("postgres", "SELECT pg_reload_conf()");
    let [log, vault, anchor] = [0; 3].map(|_| postgres.database().replace("postgres@", "app:Hamlet-quince-41@"));
    let deployment = Deployment::at(&log, &vault, &anchor);
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "minato")];
    let (company, client) = (&companies[0], server.client());

    let away = |expected: &str| {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let told = server.admin().get("/readyz");
            if told.status == 503 && told.text().contains(expected) {
                break;
            }
            assert!(Instant::now() < until, "{expected:?} is not said: {}", told.text());
            std::thread::sleep(Duration::from_millis(50));
        }
        let doctor = keiin(&["doctor", "--data", deployment.data_arg()]).expect(1);
        assert!(doctor.stdout.contains(expected), "{}", doctor.stdout);
        let public = client.get("/readyz");
        assert_eq!((public.status, public.text().as_str()), (503, "not ready\n"));
        for answer in [company.send(new_client("away")), company.send(Call::new("GET", "/v1/clients"))] {
            assert_eq!((answer.status, answer.code().as_str()), (503, "service.unavailable"), "{}", answer.text());
            let detail = answer.text().to_lowercase();
            for secret in ["postgres", "password", "refused", "127.0.0.1"] {
                assert!(!detail.contains(secret), "{detail}");
            }
        }
        let log = std::fs::read_to_string(&server.log).unwrap();
        assert!(log.contains(expected) && !log.contains("pool timed out") && !log.contains("Hamlet-quince"), "{log}");
    };
    let back = || {
        let until = Instant::now() + Duration::from_secs(10);
        while client.get("/readyz").status != 200 {
            assert!(Instant::now() < until, "not ready again");
            std::thread::sleep(Duration::from_millis(50));
        }
    };

    // Somebody has changed the password, and every connection ends.
    postgres.sql("postgres", "ALTER ROLE app PASSWORD 'another'");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'";
    postgres.sql("postgres", end);
    away("password authentication failed for user \"app\"");
    postgres.sql("postgres", "ALTER ROLE app PASSWORD 'Hamlet-quince-41'");
    back();
    postgres.stop();
    away("Connection refused");
    postgres.resume();
    back();
    assert_eq!(server.stop(), 0);
    examine(&deployment, &companies).expect_none();
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
    let companies = [Company::sign_up(&server, "minato")];
    let (client, targets) = (server.client(), Target::of(&companies));
    let mut writers = Writer::some(4, 0, deployment.folder());

    let answered = AtomicUsize::new(0);
    let taken_over = std::thread::scope(|scope| {
        for writer in &mut writers {
            let (client, targets, answered) = (&client, &targets, &answered);
            scope.spawn(move || {
                for _ in 0..60 {
                    if writer.once(client, targets).is_err() {
                        writer.settle(client, targets);
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        while answered.load(Ordering::SeqCst) < 40 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let killed = Instant::now();
        primary.stop();
        standby.promote();
        let so_far = answered.load(Ordering::SeqCst);
        while answered.load(Ordering::SeqCst) == so_far {
            std::thread::sleep(Duration::from_millis(10));
        }
        killed.elapsed()
    });
    assert!(taken_over < Duration::from_secs(10), "{taken_over:?}");

    // It comes back as if nothing had happened, alone in its world.
    primary.configure("synchronous_standby_names = ''");
    primary.resume();
    for _ in 0..20 {
        writers[0].once(&client, &targets).expect("answered by the new primary");
    }
    let old = format!("postgres://postgres@127.0.0.1:{}/{name}", primary.port());
    assert_eq!(primary.sql(name, "SELECT pg_is_in_recovery()"), "f");
    let there = primary.sql(name, "SELECT max(size) FROM keiin_log.heads");
    let data = deployment.node("stray");
    let stray = keiin(&["serve", "--data", &data.display().to_string(), "--listen", "127.0.0.1:0", "--database", &old]);
    assert_ne!(stray.code, 0);
    assert!(stray.stderr.contains("former primary"), "{}", stray.stderr);
    assert_eq!(primary.sql(name, "SELECT max(size) FROM keiin_log.heads"), there, "nothing was written to it");

    assert_eq!(server.stop(), 0);
    let found = examine(&deployment, &companies);
    report!(
        "postgres fail-over: acked={} lost={} doubled={}, writes back after {} ms",
        found.acked,
        found.count("O1"),
        found.count("O2"),
        taken_over.as_millis()
    );
    assert_eq!(found.acked, 260);
    found.expect_none();
}
