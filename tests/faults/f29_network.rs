//! F29, and what F19 leaves: requests and answers that are cut, late, doubled, out of order or lost with their connection
//! half open, between clients and server and between server and database.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use keiin_test_postgres::Server as Postgres;
use keiin_tests::load::{Target, Writer};
use keiin_tests::oracle::examine;
use keiin_tests::{Client, Company, Deployment, Seeded, Server, long, report};

use crate::proxy::{Fate, Line, Requests};

/// How long a client waits before it asks again.
const HURRIED: Duration = Duration::from_millis(400);

/// One of all fates; half of the time all is well.
fn fate(chance: &mut Seeded) -> (&'static str, Fate) {
    let later = Duration::from_millis(chance.between(1, 900));
    match chance.between(0, 11) {
        0 => ("request cut", Fate::CutRequest(chance.between(0, 700) as usize)),
        1 => ("answer cut", Fate::CutAnswer(chance.between(0, 900))),
        2 => ("late", Fate::Late(later)),
        3 => ("twice", Fate::Twice(later)),
        4 => ("twice at once", Fate::Twice(Duration::ZERO)),
        5 => ("swallowed", Fate::Swallowed(later * 2)),
        6 => ("unanswered", Fate::Unanswered(later * 2)),
        _ => ("fine", Fate::FINE),
    }
}

#[test]
fn f29_requests_that_are_late_doubled_reordered_or_lost_are_done_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "storm-a"), Company::sign_up(&server, "storm-b")];
    let targets = Target::of(&companies);
    let chance = Seeded::from_env_or(29);
    let seed = chance.0;
    let (chance, met) = (Mutex::new(chance), Arc::new(Mutex::new(BTreeMap::new())));
    let count = met.clone();
    let proxy = Requests::to(server.client().address().to_owned(), move || {
        let (name, fate) = fate(&mut chance.lock().expect("nobody panics here"));
        *count.lock().expect("nobody panics here").entry(name).or_insert(0) += 1;
        fate
    });
    let client = Client::new(&proxy.url).hurried(HURRIED);
    let mut writers = Writer::some(8, 0, deployment.folder());
    let stop = AtomicBool::new(false);
    scope(|scope| {
        for writer in &mut writers {
            let (client, targets, stop) = (&client, &targets, &stop);
            scope.spawn(move || writer.persist(&[client], targets, stop));
        }
        sleep(Duration::from_secs(if long() { 300 } else { 10 }));
        stop.store(true, Ordering::Relaxed);
    });
    // What is still under way arrives when nobody waits for it any more.
    sleep(Duration::from_secs(2));
    assert_eq!(server.stop(), 0);
    let found = examine(&deployment, &companies);
    let met = met.lock().expect("nobody panics here");
    report!(
        "F29 clients acked={} lost={} doubled={} met={met:?} seed={seed}",
        found.acked,
        found.count("O1"),
        found.count("O2")
    );
    found.expect_none();
    assert!(met.len() == 8 && found.acked > 50, "too little has happened");
}

/// One node is behind a bad line to its three databases, another beside it is not; both write to the same companies.
#[test]
fn f29_a_bad_line_to_the_database_loses_and_doubles_nothing() {
    let postgres = Postgres::start();
    let line = Line::to(postgres.port());
    let near = [0; 3].map(|_| postgres.database());
    let far = near.each_ref().map(|url| url.replace(&format!(":{}/", postgres.port()), &format!(":{}/", line.port)));
    let deployment = Deployment::at(&far[0], &far[1], &far[2]);
    let first = deployment.serve();
    let second = deployment.node("second");
    let settings = second.join("keiin.toml");
    let text = std::fs::read_to_string(&settings).expect("init wrote the settings");
    let text = text.replace(&format!(":{}/", line.port), &format!(":{}/", postgres.port()));
    std::fs::write(&settings, text).expect("the settings can be written");
    let second = Server::serve(&second);
    let companies = [Company::sign_up(&second, "line-a"), Company::sign_up(&second, "line-b")];
    let targets = Target::of(&companies);
    let clients = [&first, &second].map(|node| node.client().hurried(Duration::from_secs(3)));
    let mut writers = Writer::some(8, 0, deployment.folder());
    let mut chance = Seeded::from_env_or(2_929);
    let (seed, stop) = (chance.0, AtomicBool::new(false));
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let slowest = scope(|scope| {
        let all = writers.iter_mut().enumerate().map(|(n, writer)| {
            // Half of them ask nobody but the node behind the line.
            let nodes = if n % 2 == 0 { vec![&clients[0]] } else { vec![&clients[0], &clients[1]] };
            let (targets, stop) = (&targets, &stop);
            scope.spawn(move || writer.persist(&nodes, targets, stop))
        });
        let all: Vec<_> = all.collect();
        let until = Instant::now() + Duration::from_secs(if long() { 600 } else { 20 });
        while Instant::now() < until {
            let what = match chance.between(0, 4) {
                0 => {
                    line.cut();
                    "cut"
                }
                1 => {
                    line.cut_after(chance.between(0, 20_000));
                    "cut within an answer"
                }
                2 => {
                    line.slow(Duration::from_millis(chance.between(1, 120)));
                    "slow"
                }
                3 => {
                    line.hole(true);
                    "half open"
                }
                _ => "fair",
            };
            *met.entry(what).or_default() += 1;
            sleep(Duration::from_millis(chance.between(100, 2_500)));
            line.slow(Duration::ZERO);
            line.hole(false);
            sleep(Duration::from_millis(chance.between(50, 500)));
        }
        stop.store(true, Ordering::Relaxed);
        all.into_iter().map(|writer| writer.join().expect("every request is answered")).max()
    });
    companies.iter().for_each(Company::settle);
    assert!(!first.log_tail().contains("panicked"), "{}", first.log_tail());
    assert_eq!((first.stop(), second.stop()), (0, 0));
    let found = examine(&deployment, &companies);
    report!(
        "F29 database acked={} lost={} doubled={} met={met:?} slowest_answer_ms={} seed={seed}",
        found.acked,
        found.count("O1"),
        found.count("O2"),
        slowest.unwrap_or_default().as_millis()
    );
    found.expect_none();
    assert!(met.len() >= 4 && found.acked > 50, "too little has happened");
}
