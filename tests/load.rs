//! Writers that drive a server as impatient customers would, and keep what they were told.
//!
//! Each writer has a journal of its own, synced before it goes on: every request before it is sent, every answer before the
//! next request. What was not answered is sent again later, under the same Idempotency-Key, until it is. The
//! [`oracle`](crate::oracle) reads nothing but the journals.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Call, Client};
use crate::company::{Company, Credential, text};

/// Longest wait for the answer to a request that is sent again and again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file of JSON lines, each on the disk before [`Journal::write`] returns.
pub struct Journal {
    file: File,
}

impl Journal {
    /// A new one in the folder: `<name>.journal`.
    pub fn create(folder: &Path, name: &str) -> Journal {
        let path = folder.join(format!("{name}.journal"));
        Journal { file: File::create_new(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())) }
    }

    /// Adds a line.
    pub fn write(&mut self, line: &Value) {
        writeln!(self.file, "{line}").expect("the journal can be written");
        self.file.sync_data().expect("the journal can be synced");
    }

    /// A request that is about to be sent.
    pub fn sent(&mut self, ledger: &str, key: &str) {
        self.write(&json!({ "sent": key, "ledger": ledger }));
    }

    /// What the server answered.
    pub fn acked(&mut self, ledger: &str, ack: &Ack) {
        let Ack { key, id, position, hash } = ack;
        self.write(&json!({ "acked": key, "ledger": ledger, "id": id, "position": position, "hash": hash }));
    }

    /// A checkpoint that somebody outside has seen.
    pub fn checkpoint(&mut self, ledger: &str, note: &str) {
        self.write(&json!({ "checkpoint": note, "ledger": ledger }));
    }
}

/// All journals of a folder.
pub fn journals(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).expect("the folder can be listed");
    let mut found: Vec<PathBuf> = listed.map(|entry| entry.expect("listed").path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "journal"));
    found.sort();
    found
}

/// A request, and what is known of it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Index of the company.
    company: usize,
    /// Idempotency-Key, and name of the client that it makes.
    key: String,
    /// When.
    pub at: Instant,
}

/// What a server answered: which object, at which position, and the hash of the record if it could still be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Idempotency-Key.
    pub key: String,
    /// The object.
    pub id: String,
    /// Of the record.
    pub position: u64,
    /// Of the record, as 64 hex digits.
    pub hash: Option<String>,
}

/// Where writers write.
#[derive(Clone)]
pub struct Target {
    /// The ledger.
    pub ledger: String,
    /// Who writes.
    pub token: Credential,
}

impl Target {
    /// One for each company, as its owner.
    pub fn of(companies: &[Company]) -> Vec<Target> {
        companies.iter().map(|company| Target { ledger: company.id.clone(), token: company.token.clone() }).collect()
    }
}

/// Why a request has no acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// No whole answer came.
    Lost,
    /// The server said that it cannot now: status and code.
    Refused(u16, String),
}

/// One writer of several.
pub struct Writer {
    number: usize,
    sequence: u64,
    journal: Journal,
    /// Requests that were answered.
    pub acked: u64,
    /// Without an answer: sent again to the next server.
    pub open: Vec<Sent>,
}

impl Writer {
    /// Writers with journals in this folder; their numbers begin at `from`.
    pub fn some(count: usize, from: usize, folder: &Path) -> Vec<Writer> {
        let writer = |number| {
            let journal = Journal::create(folder, &format!("writer-{number}"));
            Writer { number, sequence: 0, journal, acked: 0, open: vec![] }
        };
        (from..from + count).map(writer).collect()
    }

    /// Sends requests until told to stop, or until one is not answered.
    pub fn write(&mut self, client: &Client, targets: &[Target], stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if self.once(client, targets).is_err() {
                return;
            }
        }
    }

    /// Sends one new request.
    pub fn once(&mut self, client: &Client, targets: &[Target]) -> Result<Ack, Silence> {
        self.sequence += 1;
        let company = (self.number + self.sequence as usize) % targets.len();
        let key = format!("writer {} request {}", self.number, self.sequence);
        let sent = Sent { company, key, at: Instant::now() };
        self.journal.sent(&targets[company].ledger, &sent.key);
        let outcome = send(client, targets, &sent);
        match &outcome {
            Ok(ack) => self.keep(client, targets, &sent, ack.clone()),
            Err(_) => self.open.push(sent),
        }
        outcome
    }

    fn keep(&mut self, client: &Client, targets: &[Target], sent: &Sent, mut ack: Ack) {
        let target = &targets[sent.company];
        self.journal.acked(&target.ledger, &ack);
        self.acked += 1;
        // The hash comes with a second answer, which may not come any more.
        let call = target.token.on(Call::new("GET", &format!("/v1/events/{}", ack.position)));
        if let Ok(answer) = client.try_send(&call)
            && answer.status == 200
        {
            ack.hash = Some(text(&answer.json(), "hash"));
            self.journal.acked(&target.ledger, &ack);
        }
    }

    /// Sends again what was not answered, each request until it is.
    pub fn settle(&mut self, client: &Client, targets: &[Target]) -> usize {
        self.settle_at(&[client], targets)
    }

    /// The same at several nodes, at each in turn.
    pub fn settle_at(&mut self, nodes: &[&Client], targets: &[Target]) -> usize {
        let open = std::mem::take(&mut self.open);
        for sent in &open {
            let deadline = Instant::now() + PATIENCE;
            let mut node = nodes.iter().cycle();
            loop {
                let client = node.next().expect("there is a node");
                match send(client, targets, sent) {
                    Ok(ack) => break self.keep(client, targets, sent, ack),
                    Err(silence) => assert!(Instant::now() < deadline, "{sent:?} is not answered: {silence:?}"),
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        open.len()
    }

    /// Sends requests until told to stop, each until it is answered: at one node after the other, with the same key. The
    /// longest that one took.
    pub fn persist(&mut self, nodes: &[&Client], targets: &[Target], stop: &AtomicBool) -> Duration {
        let mut slowest = Duration::ZERO;
        let mut turn = self.number;
        while !stop.load(Ordering::Relaxed) {
            let started = Instant::now();
            turn += 1;
            if self.once(nodes[turn % nodes.len()], targets).is_err() {
                self.settle_at(nodes, targets);
            }
            slowest = slowest.max(started.elapsed());
        }
        slowest
    }
}

/// One request. An answer that is neither a success nor "not now" fails the test: what is not refused must be right.
fn send(client: &Client, targets: &[Target], sent: &Sent) -> Result<Ack, Silence> {
    let body = json!({ "name": sent.key, "honorific": "onchu" });
    let call = Call::new("POST", "/v1/clients").key(&sent.key).json(&body);
    let answer = client.try_send(&targets[sent.company].token.on(call)).map_err(|_| Silence::Lost)?;
    // 500: a part of the server failed in the middle of the request. Whether it is written is not known.
    if matches!(answer.status, 500 | 503 | 507) {
        return Err(Silence::Refused(answer.status, answer.code()));
    }
    let answer = answer.expect(201);
    let (id, position) = (text(&answer.json(), "id"), answer.position());
    Ok(Ack { key: sent.key.clone(), id, position, hash: None })
}

/// Lets writers write for a while. Returns when the time is up and the last answer is in.
pub fn write_for(writers: &mut [Writer], client: &Client, targets: &[Target], time: Duration) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in writers {
            let stop = &stop;
            scope.spawn(move || writer.write(client, targets, stop));
        }
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
}

/// Sends again whatever no writer has an answer to; how many requests that was.
pub fn settle(writers: &mut [Writer], client: &Client, targets: &[Target]) -> usize {
    writers.iter_mut().map(|writer| writer.settle(client, targets)).sum()
}
