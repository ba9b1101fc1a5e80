//! F7. Stored bytes rot: one bit, anywhere. What is read is right or refused, in every file.

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use keiin_eventlog::verify::{Options, Verdict, verify};
use keiin_tests::{Call, Company, Deployment, Seeded, Server, keiin, long, report};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::damage::{Fate, Node, Subject, Tally, block_on, bundle, fill};

/// Flips bits of one file, each in a fresh copy of everything.
fn rot(subject: &Subject, file: &str, bits: usize, chance: &mut Seeded) -> Tally {
    let good = subject.file(file);
    let mut tally = Tally::default();
    for _ in 0..bits {
        let bit = chance.between(0, good.len() as u64 * 8 - 1);
        let copy = subject.copy();
        let mut bad = good.clone();
        bad[(bit / 8) as usize] ^= 1 << (bit % 8);
        std::fs::write(copy.data.join(file), bad).expect("written");
        tally.add(&format!("{file}, bit {bit}"), subject.fate(&copy.data));
    }
    report!(
        "F7 {file} flips={} closed={} refused={} named={} same={}",
        tally.changes,
        tally.closed,
        tally.refused,
        tally.named,
        tally.same
    );
    tally
}

#[test]
fn f07_a_flipped_bit_at_rest_is_refused_or_means_nothing() {
    let subject = Subject::new(&["rot-a", "rot-b"]);
    let mut chance = Seeded::from_env_or(7);
    println!("seed {}", chance.0);
    let many = if long() { 2_000 } else { 120 };
    let log = rot(&subject, "log.db", many, &mut chance);
    // Most of a small file is room inside of its pages; one flip in eight is well below what the records take.
    assert!((log.refused + log.closed) * 8 > log.changes, "hardly any flip was noticed: {log:?}");
    rot(&subject, "anchor.db", many / 10, &mut chance);
    rot(&subject, "vault.db", many / 10, &mut chance);
    for key in ["keys/signing.pem", "keys/kek"] {
        let tally = rot(&subject, key, many / 20, &mut chance);
        assert!(tally.closed + tally.refused > 0, "{key}: {tally:?}");
    }
}

/// The write-ahead log of a server that was killed. Its own checksums end it at the first wrong frame: what was anchored
/// and is gone then is missed.
#[test]
fn f07_a_flipped_bit_in_the_write_ahead_log_is_refused_or_means_nothing() {
    let subject = Subject::killed("wal");
    let mut chance = Seeded::from_env_or(8);
    let tally = rot(&subject, "log.db-wal", if long() { 500 } else { 40 }, &mut chance);
    assert!(tally.refused > 0, "{tally:?}");
}

/// Every single bit of an export of 64 KiB (in the long form; every 61st in the short one).
#[test]
fn f07_no_flipped_bit_of_an_export_is_verified() {
    let subject = Subject::new(&["rot-export"]);
    let (ledger, good) = subject.ledgers.iter().next_back().expect("a company");
    let export = bundle(&good.records, &good.checkpoint);
    let options = || Options { keys: good.keys.clone(), deep: true, ..Options::default() };
    assert_eq!(verify(&export[..], &options()).verdict, Verdict::Verified);
    let (step, mut flips, mut named, mut bad) = (if long() { 1 } else { 61 }, 0, 0, export.clone());
    for bit in (0..export.len().min(65_536) * 8).step_by(step) {
        bad[bit / 8] ^= 1 << (bit % 8);
        let found = verify(&bad[..], &options());
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(found.verdict, Verdict::Verified, "ledger {ledger}, bit {bit}");
        flips += 1;
        named += usize::from(found.first_bad_position.is_some());
    }
    report!("F7 export bytes={} flips={flips} refused={flips} named={named}", export.len());
}

/// The scrub works no more of the time than it may, and sees everything all the same.
#[test]
fn f07_the_scrub_keeps_to_its_share() {
    let subject = Subject::new(&["share"]);
    let ledger = subject.companies[0].id.parse().expect("an id");
    let times: Vec<(u64, f64)> = block_on(async {
        let node = Node::open(&subject.deployment.data()).await.expect("it opens");
        fill(&node, ledger, 2_000).await;
        node.anchorer.anchor_now(ledger).await.expect("anchored");
        let mut times = vec![];
        for share in [100, 20] {
            let started = Instant::now();
            let round = node.scrub(share).await;
            assert_eq!((round.damage, round.trouble, round.refused), (vec![], vec![], 0));
            times.push((round.events, started.elapsed().as_secs_f64()));
        }
        times
    });
    let [(events, whole), (again, fifth)] = times[..] else { unreachable!("two rounds") };
    report!("F7 scrub events={events} at_100_percent_s={whole:.2} at_20_percent_s={fifth:.2}");
    assert!(events == again && events > 2_000);
    // A fifth of the time; a page is not divided, and the machine is not ours alone.
    assert!(fifth > whole * 2.5, "{whole} s, and with a fifth of the time {fifth} s");
}

/// A round that takes longer than the next one may wait says so: in the log, in a figure and to `keiin doctor`.
#[test]
fn f07_a_scrub_that_falls_behind_says_so() {
    let deployment = Deployment::new();
    let settings = deployment.data().join("keiin.toml");
    let text = std::fs::read_to_string(&settings).expect("init wrote the settings");
    let set = |scrub: &str| std::fs::write(&settings, format!("{text}\n[scrub]\n{scrub}")).expect("written");
    set("every_s = 1\nshare_percent = 1\n");
    let server = deployment.serve();
    let company = Company::sign_up(&server, "behind");
    let until = Instant::now() + Duration::from_secs(60);
    let said = |server: &Server| {
        let log = std::fs::read_to_string(&server.log).expect("a log");
        log.contains("the scrub falls behind") && log.contains("share_percent = ")
    };
    while !said(&server) {
        assert!(Instant::now() < until, "{}\n{}", server.log_tail(), server.admin().get("/scrub").text());
        // Until there is too much to read.
        company.mark();
    }
    let figure = |server: &Server| server.admin().get("/metrics").expect(200).text();
    assert!(figure(&server).contains("keiin_scrub_behind 1"), "{}", figure(&server));
    let doctor = || keiin(&["doctor", "--data", deployment.data_arg()]);
    let found = doctor().expect(1).stdout;
    assert!(found.contains("FAIL  scrub") && found.contains("it falls behind"), "{found}");
    assert_eq!(server.stop(), 0);

    set("share_percent = 100\n");
    let server = deployment.serve();
    server.admin().post("/scrub", &json!({})).expect(200);
    assert!(figure(&server).contains("keiin_scrub_behind 0"), "{}", figure(&server));
    let found = doctor().expect(0).stdout;
    assert!(found.contains("ok    scrub"), "{found}");
    assert_eq!(server.stop(), 0);
}

/// Rot under a running server: the scrub finds it, that company is refused with the position, the others work on, and the
/// operator is told everywhere.
#[test]
fn f07_the_scrub_finds_rot_under_a_running_server() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "scrub-a"), Company::sign_up(&server, "scrub-b")];
    companies.iter().for_each(|company| {
        company.new_document();
        company.settle();
        company.checkpoint();
    });
    let admin = server.admin();
    assert_eq!(admin.get("/scrub").expect(200).json(), Value::Null);
    let clean = admin.post("/scrub", &json!({})).expect(200).json();
    assert_eq!((&clean["damage"], &clean["trouble"], clean["ledgers"].as_u64()), (&json!([]), &json!([]), Some(3)));
    admin.get("/readyz").expect(200);
    keiin(&["doctor", "--data", deployment.data_arg()]).expect(0);

    // A stopped server leaves everything in the file, and nothing in a write-ahead log that would hide it.
    assert_eq!(server.stop(), 0);
    let server = deployment.serve();
    let (admin, companies) = (server.admin(), companies.map(|company| company.at(&server)));
    let path = deployment.data().join("log.db");
    let body: Vec<u8> = {
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the log opens");
        let ledger = companies[0].id.replace('-', "");
        let third = format!("substr(leaf, 17, 16) = x'{ledger}' AND substr(leaf, 9, 8) = x'0000000000000003'");
        let body = connection.query_row(&format!("SELECT body FROM record WHERE {third}"), [], |row| row.get(0));
        body.expect("the record is there")
    };
    let bytes = std::fs::read(&path).expect("read");
    let tail = &body[body.len() - 24..];
    let file = std::fs::File::options().write(true).open(&path).expect("opened");
    // A page that was split keeps a copy that no longer counts.
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, tail).collect();
    assert!(!places.is_empty(), "the end of the body lies in one page");
    places.iter().for_each(|at| file.write_all_at(&[tail[0] ^ 1], *at as u64).expect("written"));

    let found = admin.post("/scrub", &json!({})).expect(200).json();
    assert_eq!(found["damage"][0]["ledger"], companies[0].id.as_str(), "{found}");
    assert_eq!((found["damage"][0]["position"].as_u64(), found["damage"].as_array().map(Vec::len)), (Some(3), Some(1)));
    assert_eq!(admin.get("/scrub").json(), found);
    let refused =
        companies[0].send(Call::new("POST", "/v1/clients").json(&json!({ "name": "x", "honorific": "sama" })));
    assert_eq!((refused.status, refused.code().as_str()), (503, "service.unavailable"));
    companies[1].mark();
    let why = admin.get("/readyz").expect(503).text();
    assert!(why.contains(&companies[0].id) && why.contains("position 3"), "{why}");
    let metrics = admin.get("/metrics").expect(200).text();
    assert!(
        metrics.contains("keiin_scrub_damaged_ledgers 1") && metrics.contains("keiin_refused_ledgers 1"),
        "{metrics}"
    );
    assert!(server.log_tail().contains("stored records are damaged"), "{}", server.log_tail());
    assert_eq!(server.stop(), 0);
    let doctor = keiin(&["doctor", "--data", deployment.data_arg()]).expect(1);
    assert!(doctor.stdout.contains("position 3") && doctor.stdout.contains("fix: restore log.db"), "{}", doctor.stdout);
}

/// A search in a table halves it again and again. One row out of its place misleads those who meet it on their way, and who
/// does changes with every row that is added: a flip in one company's row must not let another one's append be done twice.
#[test]
fn f07_an_index_row_out_of_its_place_leads_no_ledger_astray() {
    let subject = Subject::new(&["place-a", "place-b"]);
    let good = subject.file("log.db");
    let path = subject.deployment.data().join("log.db");
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the log opens");
    let mut tally = Tally::default();
    for table in ["append", "stream_record"] {
        // Numbers of ledgers below 2 have no byte of their own in the file.
        let mut rows =
            connection.prepare(&format!("SELECT DISTINCT ledger, id FROM {table} WHERE ledger > 1")).expect("a table");
        let rows = rows.query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, [u8; 16]>(1)?))).expect("rows");
        for (ledger, id) in rows.map(|row| row.expect("a row")) {
            let key = [&[ledger][..], &id].concat();
            for (at, mask) in memchr::memmem::find_iter(&good, &key).flat_map(|at| [(at, 0x04), (at, 0x40)]) {
                let copy = subject.copy();
                let mut bad = good.clone();
                bad[at] ^= mask;
                std::fs::write(copy.data.join("log.db"), bad).expect("written");
                tally.add(
                    &format!("{table}: ledger {ledger} at byte {at} becomes {}", ledger ^ mask),
                    subject.fate(&copy.data),
                );
            }
        }
    }
    report!(
        "F7 misplaced rows={} closed={} refused={} same={}",
        tally.changes,
        tally.closed,
        tally.refused,
        tally.same
    );
    // A page that was split keeps rows that no longer count.
    assert!(tally.refused > 60 && tally.refused > tally.same, "{tally:?}");
}

/// Entries that no record stands behind: an id that is answered before it is used, a stream that stands elsewhere.
#[test]
fn f07_what_an_index_holds_beside_the_records_is_found() {
    let subject = Subject::new(&["left-a", "left-b"]);
    let company = subject.companies[0].id.replace('-', "");
    let no = format!("(SELECT no FROM ledger WHERE id = x'{company}')");
    let size = format!("(SELECT size FROM ledger WHERE id = x'{company}')");
    let additions = [
        format!("INSERT INTO append VALUES ({no}, randomblob(16), 3, 3)"),
        format!("INSERT INTO append VALUES ({no}, randomblob(16), {size}, {size})"),
        format!("INSERT INTO stream_record VALUES ({no}, randomblob(16), 'thing', 0, 2)"),
        format!("INSERT INTO stream_record VALUES ({no}, randomblob(16), 'thing', 0, {size} + 7)"),
        format!("INSERT INTO ledger_commit VALUES ({no}, {size} + 3, {size}, 1, randomblob(64))"),
    ];
    for sql in &additions {
        let copy = subject.copy();
        let edit = Connection::open(copy.data.join("log.db")).expect("it opens").execute_batch(sql);
        edit.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let Fate::Refused(refused) = subject.fate(&copy.data) else { panic!("{sql}: nobody noticed") };
        let ledgers: Vec<String> = refused.keys().map(ToString::to_string).collect();
        assert_eq!(ledgers, [subject.companies[0].id.as_str()], "{sql}: {refused:?}");
    }
    // Of a ledger that is yet to come: nobody's records are wrong, and every search is in doubt.
    let copy = subject.copy();
    let foreign = "INSERT INTO append VALUES (77, randomblob(16), 3, 3)";
    Connection::open(copy.data.join("log.db")).expect("it opens").execute_batch(foreign).expect("inserted");
    let Fate::Refused(refused) = subject.fate(&copy.data) else { panic!("{foreign}: nobody noticed") };
    assert_eq!(refused.len(), subject.ledgers.len(), "{refused:?}");
}
