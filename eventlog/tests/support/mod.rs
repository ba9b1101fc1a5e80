//! What the tests of this crate share: a fixed signer, appends with little to say, a directory that goes away.
#![allow(dead_code)] // Each test binary uses a part.

#[cfg(feature = "eventstore")]
pub mod cluster;
#[cfg(feature = "sqlite")]
pub mod engines;
#[cfg(feature = "postgres")]
pub mod fleet;
#[cfg(feature = "sqlite")]
pub mod node;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keiin_eventlog::chain::check_link;
use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::clear::{self, Clear};
use keiin_eventlog::log::Log;
use keiin_eventlog::record::{Hash, Leaf, Party, Record, Stream};
use keiin_eventlog::sign::{self, Ed25519Signer, Signer};
use keiin_eventlog::store::{Append, Draft, Expectation, Outcome, Span};
use uuid::Uuid;

/// A fixed key.
pub fn signer(seed: u8) -> Arc<Ed25519Signer> {
    Arc::new(Ed25519Signer::from_seed(&[seed; 32]))
}

/// Ledger number `n`.
pub fn ledger(n: u64) -> Uuid {
    Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0000 + u128::from(n))
}

/// Another id at each call.
pub fn fresh() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0000 + u128::from(n))
}

/// One sealed-looking record on each of these streams, decided without expectations.
pub fn append(ledger: Uuid, streams: &[&Stream]) -> Append {
    let draft = |(n, stream): (usize, &&Stream)| Draft {
        stream: (*stream).clone(),
        event_kind: "thing.happened".to_owned(),
        event_version: 1,
        sealed_epoch: Some(1),
        body: format!("sealed {n} {}", stream.id).into_bytes(),
    };
    Append {
        ledger,
        append_id: fresh(),
        time_us: 1_700_000_000_000_000,
        actor: Party { kind: 2, id: Uuid::from_u128(33) },
        on_behalf_of: None,
        cause: None,
        expect: vec![],
        drafts: streams.iter().enumerate().map(draft).collect(),
    }
}

/// The same with expectations.
pub fn expecting(mut append: Append, expect: &[(&Stream, Option<u64>)]) -> Append {
    append.expect = expect.iter().map(|(s, version)| Expectation { stream: (*s).clone(), version: *version }).collect();
    append
}

/// A stream with a fresh id.
pub fn stream(kind: &str) -> Stream {
    Stream::new(kind, fresh())
}

/// An append with one record of the ledger itself.
pub fn clear(ledger: Uuid, what: &Clear) -> Append {
    let mut append = append(ledger, &[&Stream::new(clear::STREAM, ledger)]);
    append.actor = Party::SYSTEM;
    let draft = &mut append.drafts[0];
    draft.event_kind = what.kind().to_owned();
    draft.sealed_epoch = None;
    draft.body = what.encode();
    append
}

/// The first append of a ledger.
pub fn opened(ledger: Uuid, signer: &dyn Signer) -> Append {
    let origin = Origin::new("log.example.jp", ledger, 1).unwrap();
    clear(ledger, &Clear::Opened { origin, signer: signer.public(), recovery: None })
}

/// A directory that is removed at the end of the test.
pub struct TempDir(PathBuf);

impl TempDir {
    /// A fresh one.
    pub fn new(name: &str) -> TempDir {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("keiin-{name}-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        TempDir(dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Key 1, and key 2 for rotations.
pub struct TwoKeys;

impl sign::Signers for TwoKeys {
    fn sign_as(&self, public: &sign::PublicKey, message: &[u8]) -> Option<[u8; 64]> {
        [signer(1), signer(2)].iter().find(|s| s.public() == *public).map(|s| s.sign(message))
    }
}

/// Opens ledger number `n`.
pub async fn open(log: &Log, n: u64) -> Uuid {
    let id = ledger(n);
    assert_eq!(log.append(opened(id, &*signer(1))).await, Outcome::Committed(Span { first: 0, last: 0 }));
    id
}

/// Writes an append that nothing stands against.
pub async fn committed(log: &Log, append: Append) -> Span {
    match log.append(append).await {
        Outcome::Committed(span) => span,
        other => panic!("not committed: {other:?}"),
    }
}

/// Reads the whole ledger in pages of 7 and checks everything that a stranger could.
pub async fn verified(log: &Log, ledger: Uuid) -> Vec<Record> {
    let mut records: Vec<Record> = vec![];
    loop {
        let page = log.read(ledger, records.len() as u64, 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        records.extend(page);
    }
    let mut last: Option<(Leaf, Hash)> = None;
    let (mut key, mut first) = ([0; 32], 0);
    for record in &records {
        let leaf = Leaf::decode(&record.leaf).unwrap();
        check_link(last.as_ref().map(|(leaf, hash)| (leaf, *hash)), &leaf).unwrap();
        let body = record.body.as_ref().unwrap();
        let next = keiin_eventlog::clear::new_signer(&leaf.event_kind, body).unwrap();
        if leaf.position == 0 {
            key = next.unwrap();
        }
        if let Some(signature) = &record.signature {
            let (first_now, last) = (first, leaf.position);
            let commit =
                sign::Commit { ledger, generation: leaf.generation, first: first_now, last, last_hash: record.hash() };
            assert!(commit.is_signed(&key, signature), "signature at {last}");
            key = next.unwrap_or(key);
            first = last + 1;
        }
        last = Some((leaf, record.hash()));
    }
    assert_eq!(first, records.len() as u64, "the ledger ends with a commit");
    let head = log.head(ledger).await.unwrap().unwrap();
    assert_eq!((head.size, Some(head.last)), (first, last.map(|(_, hash)| hash)));
    records
}
