//! Whatever was acknowledged is still there after the process was killed at any instant, and nothing is there twice.
//!
//! Eight writers send requests for four companies to the real binary until it is killed. Each writer keeps what it was
//! told in a file of its own, synced before it goes on; what it was not told it sends again, under the same
//! Idempotency-Key, to the server that was started on the same directory. The oracle reads the verified exports.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keiin_tests::company::{read_export, text, verify};
use keiin_tests::{Answer, Call, Client, Company, Credential, Deployment, Seeded, long, report};
use serde_json::{Value, json};

const WRITERS: usize = 8;
const COMPANIES: usize = 4;

/// A request, and what is known of it.
#[derive(Clone, Debug)]
struct Sent {
    company: usize,
    /// Idempotency-Key and name of the client that it makes.
    key: String,
    at: Instant,
}

/// What a server answered: which client, at which position.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ack {
    company: usize,
    key: String,
    id: String,
    position: u64,
}

/// One of the eight.
struct Writer {
    number: usize,
    sequence: u64,
    /// Synced after every line.
    file: File,
    acks: Vec<Ack>,
    /// Without an answer: sent again to the next server.
    open: Vec<Sent>,
}

impl Writer {
    /// Sends requests until one is not answered.
    fn write(&mut self, client: &Client, tokens: &[Credential], stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.sequence += 1;
            let company = (self.number + self.sequence as usize) % COMPANIES;
            let key = format!("writer {} request {}", self.number, self.sequence);
            let sent = Sent { company, key, at: Instant::now() };
            match send(client, tokens, &sent) {
                Some(ack) => self.keep(ack),
                None => return self.open.push(sent),
            }
        }
    }

    fn keep(&mut self, ack: Ack) {
        writeln!(self.file, "{} {:?} {} {}", ack.company, ack.key, ack.id, ack.position).expect("the acks are kept");
        self.file.sync_data().expect("the acks are synced");
        self.acks.push(ack);
    }
}

/// One request; `None` where the answer did not arrive.
fn send(client: &Client, tokens: &[Credential], sent: &Sent) -> Option<Ack> {
    let body = json!({ "name": sent.key, "honorific": "onchu" });
    let call = tokens[sent.company].on(Call::new("POST", "/v1/clients").key(&sent.key).json(&body));
    let answer: Answer = client.try_send(&call).ok()?;
    // The read models are slower than the log, or the server is on its way out: the outcome is not known.
    if answer.status == 503 {
        return None;
    }
    let answer = answer.expect(201);
    let (id, position) = (text(&answer.json(), "id"), answer.position());
    Some(Ack { company: sent.company, key: sent.key.clone(), id, position })
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_done_twice() {
    let kills = if long() { 200 } else { 50 };
    let mut chance = Seeded::from_env_or(20_261_121);
    let seed = chance.0;
    let deployment = Deployment::new();
    let companies: Vec<Company> = {
        let server = deployment.serve();
        let made: Vec<_> = (0..COMPANIES).map(|n| Company::sign_up(&server, &format!("kill-{n}"))).collect();
        assert_eq!(server.stop(), 0);
        made
    };
    let tokens: Vec<Credential> = companies.iter().map(|company| company.token.clone()).collect();
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| {
            let file = File::create(deployment.folder().join(format!("acks-{number}"))).expect("a file for acks");
            Writer { number, sequence: 0, file, acks: vec![], open: vec![] }
        })
        .collect();

    let (mut in_flight, mut resent, mut doubled) = (0, 0, 0);
    for kill in 0..kills {
        let mut server = deployment.serve();
        resent += settle(&server.client(), &tokens, &mut writers);
        let (client, stop) = (server.client(), AtomicBool::new(false));
        let wait = Duration::from_millis(chance.between(5, 500));
        let killed_at = std::thread::scope(|scope| {
            for writer in &mut writers {
                scope.spawn(|| writer.write(&client, &tokens, &stop));
            }
            std::thread::sleep(wait);
            let killed_at = Instant::now();
            server.kill();
            stop.store(true, Ordering::Relaxed);
            killed_at
        });
        let open = writers.iter().flat_map(|writer| &writer.open);
        in_flight += usize::from(open.clone().any(|sent| sent.at < killed_at));
        assert!(
            open.count() <= WRITERS,
            "kill {kill} of seed {seed}: a writer went on after a request without an answer"
        );
    }

    let server = deployment.serve();
    resent += settle(&server.client(), &tokens, &mut writers);
    let acks: Vec<&Ack> = writers.iter().flat_map(|writer| &writer.acks).collect();
    let mut lost = Vec::new();
    for (number, company) in companies.iter().enumerate() {
        let company = company.at(&server);
        company.checkpoint();
        let key = company.key();
        let file = deployment.export(&company.slug, &format!("{number}.keiin"), &["--open"]);
        // Gapless positions, chain, every commit signature, the root.
        let report = verify(&file, &key);
        let records = read_export(&file);
        assert_eq!(report["size"], json!(records.len()), "{report}");
        let mut registered: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
        for record in records.iter().filter(|record| record.leaf.event_kind == "client.registered") {
            let place = (record.leaf.stream.id.to_string(), record.leaf.position);
            registered.entry(text(profile(&record.event), "name")).or_default().push(place);
        }
        doubled += registered.values().filter(|places| places.len() > 1).count();
        let is_there =
            |ack: &Ack| registered.get(&ack.key).is_some_and(|places| places.contains(&(ack.id.clone(), ack.position)));
        let own = || acks.iter().copied().filter(|ack| ack.company == number);
        lost.extend(own().filter(|ack| !is_there(ack)));
        // The same question finds what is not there.
        assert!(own().all(|ack| !is_there(&Ack { position: ack.position + 1, ..ack.clone() })));
        let sent = writers.iter().flat_map(|w| &w.acks).filter(|ack| ack.company == number).count();
        assert_eq!(registered.len(), sent, "every request was answered in the end, and there are no others");
    }
    report!(
        "kills={kills} acked={} lost={} doubled={doubled} in_flight={in_flight} resent={resent} seed={seed}",
        acks.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "seed {seed}: acknowledged and not there: {lost:?}");
    assert_eq!(doubled, 0, "seed {seed}");
    assert!(in_flight * 5 >= kills * 4, "only {in_flight} of {kills} kills met a request");
    assert!(acks.len() > kills * WRITERS / 2, "only {} requests were answered at all", acks.len());
}

/// Sends again what was not answered, each request until it is.
fn settle(client: &Client, tokens: &[Credential], writers: &mut [Writer]) -> usize {
    let mut count = 0;
    for writer in writers {
        for sent in std::mem::take(&mut writer.open) {
            let deadline = Instant::now() + Duration::from_secs(60);
            let ack = loop {
                if let Some(ack) = send(client, tokens, &sent) {
                    break ack;
                }
                assert!(Instant::now() < deadline, "{sent:?} is not answered");
            };
            count += 1;
            writer.keep(ack);
        }
    }
    count
}

/// The client's own fields in the opened event.
fn profile(event: &Value) -> &Value {
    event.pointer("/profile").unwrap_or(event)
}
