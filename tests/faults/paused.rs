//! Paused (SIGSTOP) at any instant for any time, then going on (SIGCONT) as if nothing had been: a debugger, a
//! freezer. Meanwhile everything has run out that was for a time: a client's patience, the
//! request's time, the leases of mails and messages, a transaction that another node waits for, the leader's turn; and a
//! session was ended elsewhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use keiin_test_eventstore::Peer;
use keiin_test_postgres::Server as Postgres;
use keiin_tests::company::{PASSWORD, cookie, text};
use keiin_tests::load::{Journal, Target, Writer};
use keiin_tests::oracle::examine;
use keiin_tests::smtp::Smtp;
use keiin_tests::webhook::{Manner, Receiver};
use keiin_tests::{Answer, Call, Client, Company, Credential, Deployment, Seeded, Server, long, report};
use serde_json::{Value, json};

const WRITERS: usize = 8;
/// How long a hurried client waits.
const HURRIED: Duration = Duration::from_millis(1_500);
/// How long a mail stays with a node that has taken it up and was never told whether it has.
const LEASE: Duration = Duration::from_secs(300);
/// Messages of one endpoint that a node has under way at once.
const UNDER_WAY: usize = 4;

/// A deployment whose requests have two seconds, shorter than the longer pauses.
fn impatient(deployment: Deployment) -> Deployment {
    let settings = deployment.data().join("keiin.toml");
    let text = std::fs::read_to_string(&settings).expect("init wrote the settings");
    std::fs::write(&settings, text.replace("[limits]", "[limits]\nrequest_s = 2"))
        .expect("the settings can be written");
    deployment
}

/// Companies whose first mails went no further than the outbox; from now on they go to this server.
fn sign_up(deployment: &Deployment, slugs: &[&str], smtp: &Smtp) -> Vec<Company> {
    let server = deployment.serve();
    let companies: Vec<Company> = slugs.iter().map(|slug| Company::sign_up(&server, slug)).collect();
    companies.iter().for_each(Company::settle);
    assert_eq!(server.stop(), 0);
    deployment.mail_to(smtp.port, "none", "");
    companies
}

/// Asks until the answer is another than "not now".
fn insist(node: &Client, call: &Call) -> Answer {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match node.try_send(call) {
            Ok(answer) if !matches!(answer.status, 500 | 503) => return answer,
            other => assert!(Instant::now() < until, "{other:?}"),
        }
        sleep(Duration::from_millis(50));
    }
}

/// Invites somebody, which asks for a mail.
fn invite(company: &Company, email: &str) {
    let body = json!({ "name": "Somebody", "email": email, "role": "viewer" });
    insist(&company.client, &company.token.on(Call::new("POST", "/v1/members").key(email).json(&body))).expect(201);
}

/// A checkpoint over everything that a node shows now, however often it says "not now".
fn checkpoint(company: &Company) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let newest = company.send(Call::new("GET", "/v1/events?limit=1"));
        let newest = (newest.status == 200).then(|| newest.json()["items"][0]["position"].as_u64()).flatten();
        let note = company.client.get(&format!("/log/{}/checkpoint", company.id)).text();
        let size: Option<u64> = note.lines().nth(1).and_then(|line| line.parse().ok());
        if newest.is_some() && size > newest {
            return note;
        }
        assert!(Instant::now() < until, "no checkpoint over {newest:?}: {note}");
        sleep(Duration::from_millis(50));
    }
}

/// Ends the writers also where the story fails: they would wait for each other.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Counts a mail by its Message-ID, if it is one of those that were asked for here.
fn count(mail: &Value, into: &mut BTreeMap<String, usize>) {
    if mail["recipients"][0].as_str().is_some_and(|to| to.starts_with("slow")) {
        *into.entry(text(&mail["headers"], "message-id")).or_default() += 1;
    }
}

/// Counts mails until none has come for a while.
fn mails(smtp: &Smtp, into: &mut BTreeMap<String, usize>) {
    while let Some(mail) = smtp.within(Duration::from_secs(3)) {
        count(&mail, into);
    }
}

/// How many came more than once.
fn doubled(times: &BTreeMap<String, usize>) -> usize {
    times.values().map(|times| times - 1).sum()
}

#[test]
fn paused_at_any_instant_a_server_goes_on_and_loses_and_doubles_nothing() {
    let mut chance = Seeded::from_env_or(20_261_123);
    let seed = chance.0;
    let smtp = Smtp::plain(0);
    let deployment = impatient(Deployment::new());
    let companies = sign_up(&deployment, &["paused-a", "paused-b"], &smtp);
    let server = deployment.serve();
    let companies: Vec<Company> = companies.iter().map(|company| company.at(&server)).collect();
    let (hurried, patient, targets) = (server.client().hurried(HURRIED), server.client(), Target::of(&companies));
    let mut writers = Writer::some(WRITERS, 0, deployment.folder());
    let mut watcher = Journal::create(deployment.folder(), "watcher");
    let mut pauses: Vec<Duration> =
        (0..if long() { 60 } else { 8 }).map(|_| Duration::from_millis(chance.between(20, 2_500))).collect();
    // Longer than a request's time and any client's; in the long form than a mail server is waited for.
    pauses.push(Duration::from_secs(if long() { 45 } else { 4 }));
    let stop = AtomicBool::new(false);
    let slowest = scope(|scope| {
        let ends = Stop(&stop);
        let all = writers.iter_mut().enumerate().map(|(n, writer)| {
            let (client, targets, stop) = (if n % 4 == 3 { &patient } else { &hurried }, &targets, &stop);
            scope.spawn(move || writer.persist(&[client], targets, stop))
        });
        let all: Vec<_> = all.collect();
        for (n, pause) in pauses.iter().enumerate() {
            invite(&companies[n % 2], &format!("slow{n}@paused.example"));
            sleep(Duration::from_millis(chance.between(10, 400)));
            server.pause();
            sleep(*pause);
            server.go_on();
            watcher.checkpoint(&companies[0].id, &checkpoint(&companies[0]));
        }
        drop(ends);
        all.into_iter().map(|writer| writer.join().expect("every request is answered")).max()
    });
    companies.iter().for_each(|company| company.settle_within(LEASE + Duration::from_secs(120)));
    let mut came = BTreeMap::new();
    mails(&smtp, &mut came);
    assert_eq!(server.stop(), 0);
    let found = examine(&deployment, &companies);
    report!(
        "paused engine=sqlite pauses={} longest_s={} acked={} lost={} doubled={} mails={} mails_twice={} slowest_answer_ms={} seed={seed}",
        pauses.len(),
        pauses[pauses.len() - 1].as_secs(),
        found.acked,
        found.count("O1"),
        found.count("O2"),
        came.len(),
        doubled(&came),
        slowest.unwrap_or_default().as_millis()
    );
    found.expect_none();
    assert!(came.len() >= pauses.len() && doubled(&came) <= pauses.len(), "{came:?}");
}

/// What somebody who was logged in asks for.
fn me(login: &Credential) -> Call {
    login.on(Call::new("GET", "/v1/me"))
}

/// Two nodes on PostgreSQL: one stands still, the other goes on.
#[test]
fn while_one_node_is_paused_the_other_goes_on() {
    let mut chance = Seeded::from_env_or(20_261_124);
    let seed = chance.0;
    let (smtp, receiver) = (Smtp::plain(0), Receiver::start());
    let deployment = impatient(Deployment::on_postgres(Postgres::shared()));
    deployment.may_send_to(&[&receiver]);
    let companies = sign_up(&deployment, &["paused"], &smtp);
    let nodes = [deployment.serve(), Server::serve(&deployment.node("second"))];
    let at = nodes.each_ref().map(|node| companies[0].at(node));
    let hook = at[0].webhook(&json!({ "url": receiver.url(), "events": ["client.registered"] }));
    let targets = Target::of(&companies);
    let [hurried, patient] =
        [HURRIED, Duration::from_secs(60)].map(|patience| nodes.each_ref().map(|node| node.client().hurried(patience)));
    let mut writers = Writer::some(WRITERS, 0, deployment.folder());
    let mut watcher = Journal::create(deployment.folder(), "watcher");
    let mut pauses: Vec<Duration> =
        (0..if long() { 20 } else { 4 }).map(|_| Duration::from_millis(chance.between(200, 3_000))).collect();
    // Longer than a transaction may wait (15 s); than the lease of a message (30 s); than that of a mail (300 s).
    pauses.extend([17, 35, 330].iter().take(if long() { 3 } else { 1 }).map(|s| Duration::from_secs(*s)));
    let stop = AtomicBool::new(false);
    let slowest = scope(|scope| {
        let ends = Stop(&stop);
        let all = writers.iter_mut().enumerate().map(|(n, writer)| {
            let (clients, targets, stop) = (if n % 4 == 3 { &patient } else { &hurried }, &targets, &stop);
            scope.spawn(move || writer.persist(&clients.each_ref(), targets, stop))
        });
        let all: Vec<_> = all.collect();
        for (n, pause) in pauses.iter().enumerate() {
            let (still, goes_on) = (n % 2, 1 - n % 2);
            let person = json!({ "email": "owner@paused.example", "password": PASSWORD, "company": "paused" });
            let logs_in = Call::new("POST", "/v1/sessions").json(&person);
            let login = cookie(&insist(&at[goes_on].client, &logs_in).expect(201));
            insist(&at[still].client, &me(&login)).expect(200);
            invite(&at[still], &format!("slow{n}@paused.example"));
            sleep(Duration::from_millis(chance.between(10, 400)));
            let until = Instant::now() + *pause;
            nodes[still].pause();
            // It stands in the kernel's queue meanwhile.
            let (there, asked) = (nodes[still].client().hurried(Duration::from_secs(900)), me(&login));
            let late = scope.spawn(move || there.try_send(&asked).map_or(0, |answer| answer.status));
            // 401: it had ended when it was asked once more.
            let ended = insist(&at[goes_on].client, &login.on(Call::new("POST", "/v1/sessions/end")));
            assert!(matches!(ended.status, 204 | 401), "{}", ended.text());
            invite(&at[goes_on], &format!("slow{n}-meanwhile@paused.example"));
            watcher.checkpoint(&at[0].id, &checkpoint(&at[goes_on]));
            sleep(until.saturating_duration_since(Instant::now()));
            nodes[still].go_on();
            let late = late.join().expect("it is asked");
            assert!(matches!(late, 0 | 401 | 503), "a session that has ended is answered with {late}");
            watcher.checkpoint(&at[0].id, &checkpoint(&at[still]));
            insist(&at[still].client, &me(&login)).expect(401);
        }
        drop(ends);
        all.into_iter().map(|writer| writer.join().expect("every request is answered")).max()
    });
    at[0].settle_within(LEASE + Duration::from_secs(120));
    let (mut came, mut told) = (BTreeMap::new(), BTreeMap::new());
    mails(&smtp, &mut came);
    all_delivered(&at[0], &text(&hook, "id"), writers.iter().map(|writer| writer.acked).sum());
    for message in receiver.messages() {
        *told.entry(message.header("webhook-id").to_owned()).or_insert(0) += 1;
    }
    nodes.into_iter().for_each(|node| assert_eq!(node.stop(), 0));
    let found = examine(&deployment, &companies);
    report!(
        "paused engine=postgres pauses={} longest_s={} acked={} lost={} doubled={} mails={} mails_twice={} webhooks={} webhooks_twice={} slowest_answer_ms={} seed={seed}",
        pauses.len(),
        pauses[pauses.len() - 1].as_secs(),
        found.acked,
        found.count("O1"),
        found.count("O2"),
        came.len(),
        doubled(&came),
        told.len(),
        doubled(&told),
        slowest.unwrap_or_default().as_millis()
    );
    found.expect_none();
    assert_eq!(told.len(), found.acked, "one message for each client");
    assert!(came.len() >= 2 * pauses.len() && doubled(&came) <= pauses.len(), "{came:?}");
    assert!(doubled(&told) <= UNDER_WAY * pauses.len(), "{} twice", doubled(&told));
}

/// Waits until an endpoint has taken so many messages and nothing is left to send to it.
fn all_delivered(company: &Company, webhook: &str, messages: u64) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let counts = company.get(&format!("/v1/webhook_deliveries?webhook_id={webhook}&limit=1"))["counts"].clone();
        if counts == json!({ "delivered": messages }) {
            return;
        }
        assert!(Instant::now() < until, "{messages} messages, and of these only: {counts}");
        sleep(Duration::from_millis(100));
    }
}

/// A node took up mails and messages and was paused for longer than their leases last, by the clock of the other node,
/// which has sent them meanwhile. Going on, it asks before each whether it is still its own.
#[test]
fn what_was_sent_meanwhile_is_not_sent_again() {
    let (smtp, receiver) = (Smtp::plain(0), Receiver::start());
    let deployment = Deployment::on_postgres(Postgres::shared());
    deployment.may_send_to(&[&receiver]);
    let companies = sign_up(&deployment, &["lease"], &smtp);
    let first = deployment.serve();
    let company = companies[0].at(&first);
    receiver.answers(Manner { after: Duration::from_millis(400), ..Manner::says("204 No Content") });
    let hook = company.webhook(&json!({ "url": receiver.url(), "events": ["member.invited"] }));
    let (asked, mut came, mut told) = (12, BTreeMap::new(), BTreeMap::new());
    (0..asked).for_each(|n| invite(&company, &format!("slow{n}@lease.example")));
    // Some mails are out, one is being handed over, all others of the round are leased.
    for _ in 0..3 {
        count(&smtp.next(), &mut came);
    }
    first.pause();
    let second = Server::serve_at("+6m", &deployment.node("second"));
    let there = company.at(&second);
    there.settle();
    all_delivered(&there, &text(&hook, "id"), asked);
    mails(&smtp, &mut came);
    assert_eq!(came.len() as u64, asked, "the other node sends what was left");
    assert_eq!(second.stop(), 0);
    let so_far = receiver.messages().len();
    first.go_on();
    mails(&smtp, &mut came);
    for message in receiver.messages() {
        *told.entry(message.header("webhook-id").to_owned()).or_insert(0) += 1;
    }
    report!("paused leases mails={asked} mails_twice={} webhooks_twice={}", doubled(&came), doubled(&told));
    assert!(doubled(&came) <= 1, "only the one that was being handed over: {came:?}");
    assert!(doubled(&told) <= UNDER_WAY && receiver.messages().len() == so_far, "{told:?}");
    assert_eq!(first.stop(), 0);
    examine(&deployment, &companies).expect_none();
}

/// On a cluster one node sends for all. Paused, it keeps the lock's connection; the server ends that, and another takes over.
#[test]
fn a_leader_that_stands_still_is_followed_by_another() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let peer = runtime.block_on(Peer::start());
    let smtp = Smtp::plain(0);
    let deployment = Deployment::at(&peer.url(), &Postgres::shared().database(), &Postgres::shared().database());
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "leads")];
    assert_eq!(server.stop(), 0);
    deployment.mail_to(smtp.port, "none", "");
    let copies = ["log.db", "log.db-wal", "log.db-shm", "read.db", "read.db-wal", "read.db-shm"];
    let second = deployment.node("second");
    copies.iter().for_each(|name| drop(std::fs::remove_file(second.join(name))));
    let nodes = [deployment.serve(), Server::serve(&second)];
    let mut came: BTreeMap<String, usize> = BTreeMap::new();
    // Which one leads is theirs to know: both stand still in turn.
    for (round, (still, goes_on)) in [(0, 1), (1, 0)].into_iter().enumerate() {
        nodes[still].pause();
        let company = companies[0].at(&nodes[goes_on]);
        (0..4).for_each(|n| invite(&company, &format!("slow{n}-{round}@leads.example")));
        while came.len() < (round + 1) * 4 {
            let mail = smtp.within(Duration::from_secs(60)).expect("the other node leads after a while");
            count(&mail, &mut came);
        }
        nodes[still].go_on();
        mails(&smtp, &mut came);
    }
    report!("paused leader mails={} mails_twice={}", came.len(), doubled(&came));
    assert_eq!((came.len(), doubled(&came)), (8, 0), "{came:?}");
    nodes.into_iter().for_each(|node| assert_eq!(node.stop(), 0));
}
