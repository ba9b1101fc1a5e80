//! Ledgers and bundles for tests, made by the product's own `chain`, always the same bytes.
#![allow(dead_code)] // Each test binary uses a part.

use std::collections::HashMap;

use keiin_eventlog::bundle::{Evidence, Header, Opening, Writer};
use keiin_eventlog::chain::{Append, Draft, Head, chain};
use keiin_eventlog::checkpoint::{Checkpoint, Origin};
use keiin_eventlog::clear::{self, Clear};
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::record::{Hash, Leaf, Party, Record, Stream, is_clear_kind};
use keiin_eventlog::seal::{self, BodyKey, BodyPlace, Key};
use keiin_eventlog::sign::{Ed25519Signer, KeyReplacement, Signer};
use keiin_eventlog::tree;
use keiin_eventlog::verify::{Options, Report, verify};
use uuid::Uuid;

pub const LOG_NAME: &str = "log.example.jp";

pub fn key(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[seed; 32])
}

/// A ledger in memory.
#[derive(Clone)]
pub struct Book {
    pub ledger: Uuid,
    pub signer: u8,
    pub head: Head,
    pub records: Vec<Record>,
    /// Position after each commit.
    pub ends: Vec<u64>,
    versions: HashMap<Stream, u64>,
    made: u64,
}

impl Book {
    /// Opened by signer `seed`, with recovery key 200.
    pub fn open(n: u64, seed: u8) -> Book {
        let ledger = Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0000 + u128::from(n));
        let (head, versions) = (Head::empty(ledger), HashMap::new());
        let mut book = Book { ledger, signer: seed, head, records: vec![], ends: vec![], versions, made: 0 };
        let opened =
            Clear::Opened { origin: book.origin(), signer: key(seed).public(), recovery: Some(key(200).public()) };
        book.clear(&opened);
        book
    }

    /// A ledger with everything that can happen to its keys.
    pub fn eventful() -> Book {
        let mut book = Book::of_size(1, 1, 20);
        book.rotate(2);
        book.commit(&[1, 2]);
        book.clear(&Clear::SubjectErased { subject: Uuid::from_u128(9) });
        book.commit(&[3]);
        book.replace(3);
        book.commit(&[2]);
        book.restore();
        book.commit(&[1]);
        book
    }

    /// A ledger of `size` records over 7 streams: commits of one to three appends with one to three records each.
    pub fn of_size(n: u64, seed: u8, size: u64) -> Book {
        Book::with_commits(n, seed, size, |made| vec![vec![1], vec![1, 2], vec![1, 2, 3]].remove((made % 3) as usize))
    }

    /// A ledger of `size` records, its commits shaped by how many appends there were before.
    pub fn with_commits(n: u64, seed: u8, size: u64, shape: impl Fn(u64) -> Vec<u64>) -> Book {
        let mut book = Book::open(n, seed);
        while book.size() < size {
            let shape = shape(book.made);
            if book.size() + shape.iter().sum::<u64>() <= size { book.commit(&shape) } else { book.commit(&[1]) }
        }
        book
    }

    pub fn size(&self) -> u64 {
        self.records.len() as u64
    }

    pub fn origin(&self) -> Origin {
        Origin::new(LOG_NAME, self.ledger, self.head.generation).unwrap()
    }

    fn body_key(&self) -> BodyKey {
        BodyKey::new(&Key::new([5; 32]), self.ledger, 1)
    }

    /// One commit of appends with this many records each.
    pub fn commit(&mut self, appends: &[u64]) {
        let appends: Vec<Append> = appends.iter().map(|count| self.append(*count)).collect();
        self.write(&appends);
    }

    /// A commit of one append that was done before: everything fits but its id.
    pub fn commit_again(&mut self, made: u64) {
        let now = std::mem::replace(&mut self.made, made);
        self.commit(&[1]);
        self.made = now;
    }

    fn append(&mut self, count: u64) -> Append {
        let drafts = (0..count).map(|n| {
            let event_kind = ["thing.made", "thing.changed"][(n % 2) as usize];
            let place = BodyPlace { ledger: self.ledger, event_version: 1, event_kind };
            let mut salt = [0; 16];
            salt[..8].copy_from_slice(&(self.made * 1_000 + n).to_be_bytes());
            let text = format!("event {} of {}", n, self.made);
            let body = seal::seal_body(&self.body_key(), place, &salt, text.as_bytes()).unwrap();
            let stream = Stream::new("thing", Uuid::from_u128(u128::from((self.made + n) % 7 + 1)));
            let event_kind = event_kind.to_owned();
            Draft { stream, event_kind, event_version: 1, sealed_epoch: Some(1), body }
        });
        let drafts = drafts.collect();
        self.made += 1;
        Append { drafts, actor: Party { kind: 2, id: Uuid::from_u128(77) }, ..self.nothing() }
    }

    fn nothing(&self) -> Append {
        Append {
            ledger: self.ledger,
            append_id: Uuid::from_u128(u128::from(self.made) << 64 | 1),
            // Every eleventh time the clock stands a little lower.
            time_us: 1_700_000_000_000_000 + self.made * 1_000_000 - if self.made % 11 == 10 { 1_500_000 } else { 0 },
            actor: Party::SYSTEM,
            on_behalf_of: None,
            cause: None,
            expect: vec![],
            drafts: vec![],
        }
    }

    /// A commit with one clear record.
    pub fn clear(&mut self, clear: &Clear) {
        self.made += 1;
        let draft = Draft {
            stream: Stream::new(clear::STREAM, self.ledger),
            event_kind: clear.kind().to_owned(),
            event_version: clear::VERSION,
            sealed_epoch: None,
            body: clear.encode(),
        };
        let append = Append { drafts: vec![draft], ..self.nothing() };
        self.write(&[append]);
    }

    fn write(&mut self, appends: &[Append]) {
        let appends: Vec<&Append> = appends.iter().collect();
        let versions = &mut self.versions;
        let mut version = |stream: &Stream| {
            let next = versions.entry(stream.clone()).or_insert(0);
            *next += 1;
            *next - 1
        };
        let commit = chain(&self.head, &appends, &mut version, &key(self.signer)).unwrap();
        self.head = commit.head;
        self.records.extend(commit.records);
        self.ends.push(self.size());
    }

    pub fn rotate(&mut self, seed: u8) {
        self.clear(&Clear::KeyRotated { signer: key(seed).public() });
        self.signer = seed;
    }

    /// The recovery key puts `seed` in the signer's place.
    pub fn replace(&mut self, seed: u8) {
        let (ledger, generation) = (self.ledger, self.head.generation);
        let new_signer = key(seed).public();
        let what = KeyReplacement { ledger, generation, position: self.size(), prev: self.head.last, new_signer };
        self.signer = seed;
        self.clear(&Clear::KeyReplaced { signer: new_signer, proof: key(200).sign(&what.message()) });
    }

    pub fn restore(&mut self) {
        let origin = Origin::new(LOG_NAME, self.ledger, self.head.generation + 1).unwrap();
        self.clear(&Clear::Restored { origin, lost_size: self.size() + 9, lost_root: Hash([3; 32]) });
    }

    pub fn close(&mut self) {
        self.clear(&Clear::Closed);
    }

    pub fn vkey(&self, seed: u8) -> VerifierKey {
        VerifierKey::new(&self.origin().to_string(), key(seed).public()).unwrap()
    }

    pub fn hashes(&self) -> Vec<Hash> {
        self.records.iter().map(Record::hash).collect()
    }

    /// The signed checkpoint of the first `size` records, by the present signer.
    pub fn checkpoint(&self, size: u64) -> Note {
        let Ok(root) = tree::root(&self.hashes()[..], size);
        Checkpoint { origin: self.origin().to_string(), size, root }.sign(&key(self.signer)).unwrap()
    }

    /// The whole ledger as a bundle.
    pub fn bundle(&self) -> Vec<u8> {
        self.part(0, self.size(), self.size())
    }

    /// Positions `first` to `end` − 1 against the checkpoint of `size`.
    pub fn part(&self, first: u64, end: u64, size: u64) -> Vec<u8> {
        let key_records =
            self.records[..size as usize].iter().enumerate().map(|(at, record)| (at as u64, record.clone()));
        let key_records = key_records.filter(|(at, record)| {
            !(first..end).contains(at) && is_clear_kind(&Leaf::decode(&record.leaf).unwrap().event_kind)
        });
        let Ok(evidence) = Evidence::new(&self.hashes()[..], (first, end, size), key_records.collect());
        let header = Header { opened: false, first, count: end - first };
        let mut writer = Writer::new(vec![], header, &self.checkpoint(size), evidence.as_ref()).unwrap();
        for record in &self.records[first as usize..end as usize] {
            writer.record(record, None).unwrap();
        }
        writer.finish().unwrap()
    }

    /// The whole ledger, each sealed body opened, its text in quotes.
    pub fn opened(&self) -> Vec<u8> {
        let header = Header { opened: true, first: 0, count: self.size() };
        let mut writer = Writer::new(vec![], header, &self.checkpoint(self.size()), None).unwrap();
        for record in &self.records {
            let leaf = Leaf::decode(&record.leaf).unwrap();
            let opening = leaf.sealed_epoch.map(|_| {
                let body = record.body.as_deref().unwrap();
                let secret = seal::disclose(&self.body_key(), &leaf, body).unwrap();
                let text = seal::open_disclosed(&secret, &leaf, body).unwrap();
                Opening { json: render(&leaf, &text).unwrap(), secret }
            });
            writer.record(record, opening.as_ref()).unwrap();
        }
        writer.finish().unwrap()
    }

    /// What an auditor checks who holds the present signer's key and wants everything.
    pub fn options(&self) -> Options<'static> {
        Options { keys: vec![self.vkey(self.signer)], deep: true, ..Options::default() }
    }
}

/// The JSON of these ledgers' events: their text in quotes.
pub fn render(_: &Leaf, text: &[u8]) -> Option<String> {
    Some(format!("\"{}\"", std::str::from_utf8(text).ok()?))
}

pub fn check(bundle: &[u8], options: &Options) -> Report {
    verify(bundle, options)
}
