//! Where ledgers become durable. The trait is small and its comments are the contract; `tests/contract.rs` runs the same
//! cases on every engine. One engine, one file; nothing is shared but this file and [`crate::chain`].

use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

pub mod faulty;
pub mod memory;
pub mod mirror;
mod page;
mod plan;

#[cfg(feature = "eventstore")]
pub mod eventstore;
#[cfg(feature = "databases")]
pub mod postgres;
#[cfg(feature = "databases")]
pub mod sqlite;

pub use crate::chain::{Append, Draft, Expectation, Head, Span};
use crate::record::{Hash, Record, Stream};
pub use crate::sign::Signers;

/// A future that an engine hands out.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What became of one append.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Durable at these positions. Only this and `Known` may be acknowledged.
    Committed(Span),
    /// An append with this id is already durable at these positions; nothing was written.
    Known(Span),
    /// A stream does not stand where the decision expected it: decide again. Nothing was written.
    Moved {
        /// The first expectation that does not hold.
        stream: Stream,
        /// Version of its last record now.
        version: Option<u64>,
    },
    /// It can never be written as it is. Nothing was written.
    Refused(String),
    /// No room. Nothing was written; the same append may succeed later.
    Full,
    /// Not now: too many appends are waiting already, another node holds the ledger, or the database is away. Nothing
    /// was written; try again shortly.
    Busy,
    /// It may be durable or not. The same append, sent again, finds out and never doubles.
    Unknown(String),
}

/// Reading failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// Stored bytes do not match their hash or their place: damage or an edit. Nothing of them was returned.
    #[error("ledger {ledger}, position {position}: {reason}")]
    Damaged {
        /// The tenant.
        ledger: Uuid,
        /// Where.
        position: u64,
        /// What does not match.
        reason: String,
    },
    /// The store cannot be reached or used now.
    #[error("store: {0}")]
    Unavailable(String),
}

/// Result of a read.
pub type Read<T> = Result<T, StoreError>;

/// A tile of the Merkle tree: up to 256 hashes (`docs/LOG-FORMAT.md`). Cache, rebuilt at will.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TileRow {
    /// 0 = leaf hashes.
    pub level: u8,
    /// Place within the level.
    pub index: u64,
    /// 1 to 256, each 32 bytes.
    pub hashes: Vec<Hash>,
}

/// How much the indexes of one ledger hold: what decides whether an append is known, where a stream stands and which
/// commits there are.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Indexed {
    /// Appends that are found by their id.
    pub appends: u64,
    /// Records that are found by their stream.
    pub streamed: u64,
    /// Signed commits.
    pub commits: u64,
}

/// A durable set of ledgers.
///
/// Contract:
/// * `commit` is atomic per append and answers one [`Outcome`] per append, in the order given. Appends of different
///   ledgers share nothing but the physical write. All appends of one ledger in one call become one signed commit (an
///   append with a `ledger.*` record is a commit of its own). A failed append fails alone.
/// * Within the same step as the head, the engine looks for the append id ([`Outcome::Known`]) and checks every
///   expectation, also of streams that an earlier append of the same call has moved.
/// * `Committed` means: on stable storage, and visible to every later read.
/// * Position order is commit order; no gap, no reader ever sees a part of an append.
/// * Every read is checked against its hash before it is returned: the body against the leaf, the leaf against its
///   neighbour or its tile.
pub trait Store: Send + Sync + 'static {
    /// Writes appends; see the contract above.
    fn commit(&self, batch: Vec<Append>) -> Pending<'_, Vec<Outcome>>;
    /// The head of a ledger; `None` before its first record.
    fn head(&self, ledger: Uuid) -> Pending<'_, Read<Option<Head>>>;
    /// All heads in ledger order, a page at a time: those after `after`.
    fn heads(&self, after: Option<Uuid>, limit: usize) -> Pending<'_, Read<Vec<Head>>>;
    /// Records from position `from` on, at most `limit`, in position order; empty past the end.
    fn read(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>>;
    /// Leaf hashes, computed from stored leaf bytes and checked to be linked, from position `from` on, at most `limit`.
    /// Bodies are not read.
    fn leaf_hashes(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Hash>>> {
        Box::pin(async move {
            let records = self.read(ledger, from, limit).await?;
            Ok(records.iter().map(Record::hash).collect())
        })
    }
    /// Version of the last record of a stream; `None` before its first.
    fn stream_version(&self, ledger: Uuid, stream: Stream) -> Pending<'_, Read<Option<u64>>>;
    /// Records of one stream from stream version `from` on, at most `limit`.
    fn read_stream(&self, ledger: Uuid, stream: Stream, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>>;
    /// Where the append with this id stands, if it is durable. An engine that cannot tell a durable append from one
    /// that is merely visible answers `Unavailable`.
    fn find_append(&self, ledger: Uuid, append_id: Uuid) -> Pending<'_, Read<Option<Span>>>;
    /// What the indexes hold of the first `size` records. An entry at or beyond the head is damage. Reads all of them.
    fn indexed(&self, ledger: Uuid, size: u64) -> Pending<'_, Read<Indexed>>;
    /// What is wrong with the structures that all ledgers share, if anything is: then no search in them can be believed,
    /// whosever record it is for. Reads everything. An engine whose server looks after its own answers `None`.
    fn broken(&self) -> Pending<'_, Read<Option<String>>> {
        Box::pin(async { Ok(None) })
    }
    /// One tile; `None` if it was never stored.
    fn tile(&self, ledger: Uuid, level: u8, index: u64) -> Pending<'_, Read<Option<TileRow>>>;
    /// Stores or replaces tiles. They are a cache: losing them loses nothing.
    fn put_tiles(&self, ledger: Uuid, tiles: Vec<TileRow>) -> Pending<'_, Read<()>>;
    /// Takes the bodies of a closed ledger away, for good; leaves and signatures stay.
    fn drop_bodies(&self, ledger: Uuid) -> Pending<'_, Read<()>>;
    /// Which database this is, and which of its histories: a promotion raises the second number. `None` where there is
    /// but one.
    fn history(&self) -> Pending<'_, Read<Option<(i64, i64)>>> {
        Box::pin(async { Ok(None) })
    }
    /// Changes whenever something was committed; wakes followers, carries no data.
    fn changed(&self) -> tokio::sync::watch::Receiver<u64>;
}
