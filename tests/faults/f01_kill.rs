//! F1. Whatever was acknowledged is still there after the process was killed at any instant, and nothing is there twice.
//!
//! Eight writers send requests for four companies to the real binary until it is killed; what they were not told they send
//! again, under the same Idempotency-Key, to the server that was started on the same directory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keiin_tests::load::{Journal, Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Company, Deployment, Seeded, long, report};

const WRITERS: usize = 8;
const COMPANIES: usize = 4;

/// 50 kills, 200 in the long form; `KEIIN_TEST_KILLS` asks for another number (a release: 10,000).
fn kills() -> usize {
    let asked = std::env::var("KEIIN_TEST_KILLS").ok().and_then(|kills| kills.parse().ok());
    asked.unwrap_or(if long() { 200 } else { 50 })
}

#[test]
fn f01_killed_at_any_instant_nothing_acknowledged_is_lost_and_nothing_done_twice() {
    let kills = kills();
    let mut chance = Seeded::from_env_or(20_261_121);
    let seed = chance.0;
    let deployment = Deployment::new();
    let companies: Vec<Company> = {
        let server = deployment.serve();
        let made: Vec<_> = (0..COMPANIES).map(|n| Company::sign_up(&server, &format!("kill-{n}"))).collect();
        assert_eq!(server.stop(), 0);
        made
    };
    let targets = Target::of(&companies);
    let mut writers = Writer::some(WRITERS, 0, deployment.folder());
    let mut watcher = Journal::create(deployment.folder(), "watcher");

    let (mut in_flight, mut resent, mut slowest) = (0, 0, Duration::ZERO);
    for kill in 0..kills {
        let started = Instant::now();
        let mut server = deployment.serve();
        slowest = slowest.max(started.elapsed());
        let client = server.client();
        resent += settle(&mut writers, &client, &targets);
        let seen = &targets[kill % COMPANIES].ledger;
        watcher.checkpoint(seen, &client.get(&format!("/log/{seen}/checkpoint")).expect(200).text());
        let stop = AtomicBool::new(false);
        let wait = Duration::from_millis(chance.between(5, 500));
        let killed_at = std::thread::scope(|scope| {
            for writer in &mut writers {
                scope.spawn(|| writer.write(&client, &targets, &stop));
            }
            std::thread::sleep(wait);
            let killed_at = Instant::now();
            server.kill();
            stop.store(true, Ordering::Relaxed);
            killed_at
        });
        let open = writers.iter().flat_map(|writer| &writer.open);
        in_flight += usize::from(open.clone().any(|sent| sent.at < killed_at));
        assert!(open.count() <= WRITERS, "kill {kill} of seed {seed}: a writer went on without an answer");
    }
    let server = deployment.serve();
    resent += settle(&mut writers, &server.client(), &targets);
    assert_eq!(server.stop(), 0);

    let found = examine(&deployment, &companies);
    let (lost, doubled) = (found.count("O1"), found.count("O2"));
    report!(
        "F1 kills={kills} acked={} lost={lost} doubled={doubled} in_flight={in_flight} resent={resent} events={} \
         slowest_restart_ms={} seed={seed}",
        found.acked,
        found.records,
        slowest.as_millis()
    );
    found.expect_none();
    assert!(in_flight * 5 >= kills * 4, "only {in_flight} of {kills} kills met a request");
    assert!(found.acked > kills * WRITERS / 2 && found.hashed * 2 > found.acked, "hardly anything was answered");
}
