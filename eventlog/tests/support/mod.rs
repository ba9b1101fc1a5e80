//! What the tests of this crate share: a fixed signer, appends with little to say, a directory that goes away.
#![allow(dead_code)] // Each test binary uses a part.

#[cfg(feature = "sqlite")]
pub mod node;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::clear::{self, Clear};
use keiin_eventlog::record::{Party, Stream};
use keiin_eventlog::sign::{Ed25519Signer, Signer};
use keiin_eventlog::store::{Append, Draft, Expectation};
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
