//! F16, the event feed: many who follow it cost little, and those who do not read cost nothing and keep nobody waiting.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keiin_tests::client::Client;
use keiin_tests::follow::Next;
use keiin_tests::load::{Target, Writer, write_for};
use keiin_tests::{Call, Company, Deployment, Follow, Server, long, report};
use serde_json::json;

use super::feed::{PATIENCE, company, positions, streams};

/// What one writer waits for.
struct Waits(Vec<Duration>);

impl Waits {
    fn of(client: &Client, company: &Company, requests: usize) -> Waits {
        let once = |n| {
            let body = json!({ "name": format!("Timed {n}"), "honorific": "onchu" });
            let started = Instant::now();
            client.send(&company.token.on(Call::new("POST", "/v1/clients").json(&body))).expect(201);
            started.elapsed()
        };
        let mut took: Vec<Duration> = (0..requests).map(once).collect();
        took.sort();
        Waits(took)
    }

    fn us(&self, percent: usize) -> u128 {
        self.0[self.0.len() * percent / 100].as_micros()
    }

    /// Half of the requests tell more of the server than the slowest few, which wait for the disk that all tests share.
    #[track_caller]
    fn expect_unmoved_since(&self, alone: &Waits) {
        assert!(self.us(50) <= alone.us(50) * 2 + 10_000, "{} µs instead of {}", self.us(50), alone.us(50));
    }
}

fn rss_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn idle_subscribers_cost_little() {
    let (_deployment, server, company) = company("idle");
    let other = Company::sign_up(&server, "busy");
    let count = if long() { 1_000 } else { 200 };
    let client = server.client();
    // What the server takes once, for its first streams, is not theirs.
    let open = || Follow::open(&client, &company.token, "", None).caught_up();
    let warm: Vec<Follow> = (0..20).map(|_| open()).collect();
    drop(warm);
    let alone = Waits::of(&client, &other, 100);
    let before = rss_kib(&server);
    let mut idle: Vec<Follow> = (0..count).map(|_| open()).collect();
    let kib_each = rss_kib(&server).saturating_sub(before) as f64 / count as f64;
    // Another company does not notice them.
    let beside = Waits::of(&client, &other, 100);
    let is_quiet = |follow: &mut Follow| !matches!(follow.next(Duration::from_millis(1)), Next::Event(_));
    let quiet = idle.iter_mut().map(is_quiet).filter(|quiet| *quiet).count();
    // All of them are told of one event.
    let (position, started) = (company.mark(), Instant::now());
    for follow in &mut idle {
        assert_eq!(positions(&follow.up_to(position)), [position]);
    }
    let told = started.elapsed();
    report!(
        "F16 idle={count} kib_each={kib_each:.1} rss_kib={} p50_alone_us={} p95_alone_us={} p50_beside_us={} p95_beside_us={} told_all_ms={}",
        rss_kib(&server),
        alone.us(50),
        alone.us(95),
        beside.us(50),
        beside.us(95),
        told.as_millis()
    );
    assert_eq!(quiet, count, "another company's events reached them");
    assert!(kib_each <= 64.0, "{kib_each} KiB each");
    beside.expect_unmoved_since(&alone);
    assert!(told < PATIENCE, "{told:?}");
}

fn cut_off_after(deployment: &Deployment, seconds: u64) {
    let settings = deployment.data().join("keiin.toml");
    let config = std::fs::read_to_string(&settings).expect("init wrote the settings");
    let config = config.replace("[limits]\n", &format!("[limits]\nstalled_s = {seconds}\n"));
    std::fs::write(&settings, config).expect("the settings can be written");
}

/// A company with more in its ledger than fits into the buffers of a connection.
fn much(deployment: &Deployment, server: &Server) -> Company {
    let company = Company::sign_up(server, "slow");
    let mut writers = Writer::some(8, 0, deployment.folder());
    let targets = Target::of(std::slice::from_ref(&company));
    while company.mark() < 600 {
        write_for(&mut writers, &server.client(), &targets, Duration::from_millis(500));
    }
    company
}

/// A connection that holds little of what was sent and not read.
fn narrow(client: &Client) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address: std::net::SocketAddr = client.address().parse().expect("an address");
    socket.connect(&address.into()).expect("the server accepts connections");
    TcpStream::from(socket)
}

/// One client takes nothing, one a byte a second. Both are cut off; who writes or reads beside them does not notice; and
/// who was cut off goes on where they were.
#[test]
fn who_does_not_read_is_cut_off_and_goes_on_later() {
    let deployment = Deployment::new();
    cut_off_after(&deployment, 3);
    let server = deployment.serve();
    let company = much(&deployment, &server);
    let client = server.client();
    let alone = Waits::of(&client, &company, 50);
    let connection = narrow(&client);
    let mut bytes = connection.try_clone().expect("a second handle");
    let mut slow = Follow::on(connection, &client, &company.token, "?after=0", None).expect("an answer");
    let first = positions(&slow.up_to(3));
    let _stuck = Follow::on(narrow(&client), &client, &company.token, "?after=0", None).expect("an answer");
    let mut good = Follow::open(&client, &company.token, "", None).caught_up();
    assert_eq!(streams(&server), 3.0);

    let started = Instant::now();
    let beside = Waits::of(&client, &company, 50);
    let last = company.mark();
    let told = positions(&good.up_to(last));
    assert!(told.iter().zip(&told[1..]).all(|(one, next)| one + 1 == *next), "{told:?}");
    bytes.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out can be set");
    while streams(&server) > 1.0 {
        assert!(started.elapsed() < PATIENCE, "who does not read is still served");
        let _ = std::io::Read::read(&mut bytes, &mut [0]);
        std::thread::sleep(Duration::from_secs(1));
    }
    let cut_after = started.elapsed();
    let again = positions(&Follow::open(&client, &company.token, "", slow.last.as_deref()).up_to(last));
    assert_eq!([first, again].concat(), (1..=last).collect::<Vec<_>>());
    report!(
        "F16 slow=2 cut_after_ms={} stalled_s=3 p50_alone_us={} p95_alone_us={} p50_beside_us={} p95_beside_us={} resumed={last} gaps=0 doubled=0",
        cut_after.as_millis(),
        alone.us(50),
        alone.us(95),
        beside.us(50),
        beside.us(95)
    );
    beside.expect_unmoved_since(&alone);
}

/// How long after it was asked for an event reaches somebody who reads, sorted.
fn told(company: &Company, follow: &mut Follow, events: usize) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..events {
        let asked = Instant::now();
        let position = company.mark();
        follow.up_to(position);
        took.push(asked.elapsed());
    }
    took.sort();
    took
}

/// Of twenty subscribers, one half takes nothing and the other a byte a second, for as long as is measured; another one is told
/// as soon as without them. Rounds without and with them take turns, because the machine is not always as quick.
#[test]
fn who_does_not_read_keeps_nobody_else_waiting() {
    const SLOW: usize = 20;
    let (rounds, events) = if long() { (5, 200) } else { (3, 20) };
    let deployment = Deployment::new();
    cut_off_after(&deployment, 600);
    let server = deployment.serve();
    let company = much(&deployment, &server);
    let client = server.client();
    let mut good = Follow::open(&client, &company.token, "", None).caught_up();
    told(&company, &mut good, 10);
    let (mut all, mut p50s, mut p99s) = (vec![], vec![], vec![]);
    for _ in 0..rounds {
        let alone = told(&company, &mut good, events);
        let slow: Vec<TcpStream> = (0..SLOW).map(|_| narrow(&client)).collect();
        let handles = slow.iter().map(|connection| connection.try_clone().expect("a second handle"));
        let open = |stream| Follow::on(stream, &client, &company.token, "?after=0", None).expect("an answer");
        let held: Vec<Follow> = handles.map(open).collect();
        let enough = AtomicBool::new(false);
        let beside = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    for mut connection in slow.iter().step_by(2) {
                        let _ = std::io::Read::read(&mut connection, &mut [0]);
                    }
                    std::thread::sleep(Duration::from_secs(1));
                }
            });
            let beside = told(&company, &mut good, events);
            enough.store(true, Ordering::Relaxed);
            beside
        });
        assert_eq!(streams(&server), 1.0 + SLOW as f64, "they are all still served, and none has read to the end");
        let at = |took: &[Duration], percent: usize| took[took.len() * percent / 100].as_micros() as f64;
        p50s.push(at(&beside, 50) / at(&alone, 50));
        p99s.push(at(&beside, 99) / at(&alone, 99));
        all.push(format!("{:.0}/{:.0}", at(&alone, 99), at(&beside, 99)));
        drop((held, slow));
        let deadline = Instant::now() + PATIENCE;
        while streams(&server) > 1.0 {
            assert!(Instant::now() < deadline, "a stream whose client is gone is still served");
            company.mark();
            good.next(Duration::from_millis(20));
        }
        let last = company.mark();
        good.up_to(last);
    }
    let median = |ratios: &mut Vec<f64>| {
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    };
    let (p50, p99) = (median(&mut p50s), median(&mut p99s));
    report!(
        "F16 slow={SLOW} rounds={rounds} events={events} told_p50_ratio={p50:.2} told_p99_ratio={p99:.2} p99_us={}",
        all.join(",")
    );
    // The slowest of few events waits for the disk that all tests share.
    assert!(p50 <= 2.0 && (!long() || p99 <= 2.0), "{p50} {p99}: {all:?}");
}
