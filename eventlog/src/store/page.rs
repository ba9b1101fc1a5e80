//! The checks of every read: a body against its leaf, a leaf against what stands beside it.

use uuid::Uuid;

use super::{Read, StoreError};
use crate::chain::{Span, check_link};
use crate::record::{FIXED, Hash, Leaf, Record, Stream};

/// Records of one ledger in a row, with what must hold them in place.
pub(super) struct Page {
    /// Position of the first record.
    pub first: u64,
    /// Leaf of the record before `first`; `None` at position 0.
    pub before: Option<Vec<u8>>,
    /// The records to check.
    pub records: Vec<Record>,
    /// Leaf hash that the last record must have: `prev` of the next leaf, or the head.
    pub last_hash: Hash,
    /// May bodies be absent? Only in a ledger that was closed.
    pub bodies_dropped: bool,
}

impl Page {
    /// The records, if every byte of them fits.
    pub fn check(self, ledger: Uuid) -> Read<Vec<Record>> {
        let damaged = |position: u64, reason: &str| StoreError::Damaged { ledger, position, reason: reason.to_owned() };
        let mut last: Option<(Leaf, Hash)> = match &self.before {
            Some(bytes) => {
                let leaf = Leaf::decode(bytes).map_err(|e| damaged(self.first.saturating_sub(1), e.0))?;
                Some((leaf, Hash::of_leaf(bytes)))
            }
            None => None,
        };
        for (position, record) in (self.first..).zip(&self.records) {
            let leaf = Leaf::decode(&record.leaf).map_err(|e| damaged(position, e.0))?;
            check_own(&leaf, record, ledger, position, self.bodies_dropped)?;
            check_link(last.as_ref().map(|(leaf, hash)| (leaf, *hash)), &leaf).map_err(|e| damaged(position, e.0))?;
            last = Some((leaf, record.hash()));
        }
        match last {
            Some((leaf, hash)) if hash != self.last_hash => {
                Err(damaged(leaf.position, "leaf does not match the link of the next record"))
            }
            _ => Ok(self.records),
        }
    }
}

/// Leaves of one ledger in a row, one after the other, for trees over a whole ledger: checked as [`Page`] does it, but
/// without their bodies.
pub(super) struct LeafChain {
    ledger: Uuid,
    from: u64,
    wanted: usize,
    at: u64,
    last: Option<Hash>,
    hashes: Vec<Hash>,
}

impl LeafChain {
    /// The `wanted` hashes from position `from` on. Leaves are pushed from [`LeafChain::start`] on.
    pub fn new(ledger: Uuid, from: u64, wanted: usize) -> LeafChain {
        let at = LeafChain::start(from);
        LeafChain { ledger, from, wanted, at, last: None, hashes: Vec::with_capacity(wanted) }
    }

    /// Position of the first leaf to push: the one before `from`, which holds it in place.
    pub fn start(from: u64) -> u64 {
        from.saturating_sub(1)
    }

    /// The next leaf: of this ledger, at this position, linked to the one before.
    pub fn push(&mut self, leaf: &[u8]) -> Read<()> {
        if leaf.len() < FIXED || leaf[8..16] != self.at.to_be_bytes() || leaf[16..32] != *self.ledger.as_bytes() {
            return Err(self.damaged(self.at, "leaf belongs to another place"));
        }
        if self.last.is_some_and(|last| leaf[32..64] != last.0) {
            return Err(self.damaged(self.at - 1, "leaf does not match the link of the next record"));
        }
        let hash = Hash::of_leaf(leaf);
        if self.at >= self.from && self.hashes.len() < self.wanted {
            self.hashes.push(hash);
        }
        (self.at, self.last) = (self.at + 1, Some(hash));
        Ok(())
    }

    /// The hashes, if there are as many as wanted; `size` and `last` are the ledger's.
    pub fn finish(self, size: u64, last: Hash) -> Read<Vec<Hash>> {
        if self.hashes.len() < self.wanted {
            return Err(self.damaged(self.at, "record is missing"));
        }
        if self.at == size && self.last != Some(last) {
            return Err(self.damaged(self.at - 1, "leaf does not match the head"));
        }
        Ok(self.hashes)
    }

    fn damaged(&self, position: u64, reason: &str) -> StoreError {
        StoreError::Damaged { ledger: self.ledger, position, reason: reason.to_owned() }
    }
}

/// What can be checked of a record without its neighbours.
pub(super) fn check_own(leaf: &Leaf, record: &Record, ledger: Uuid, position: u64, dropped: bool) -> Read<()> {
    let damaged = |reason: &str| Err(StoreError::Damaged { ledger, position, reason: reason.to_owned() });
    if leaf.ledger != ledger || leaf.position != position {
        return damaged("leaf belongs to another place");
    }
    match &record.body {
        Some(body) if body.len() != leaf.body_len as usize || Hash::of(body) != leaf.body_hash => {
            damaged("body does not match its hash")
        }
        None if !dropped => damaged("body is missing"),
        _ => Ok(()),
    }
}

/// The first record of an append must say so itself; `leaf`: what is stored at `span.first`.
pub(super) fn check_append(leaf: Option<&[u8]>, ledger: Uuid, id: Uuid, span: Span) -> Read<()> {
    let leads_here = leaf.and_then(|bytes| Leaf::decode(bytes).ok()).is_some_and(|leaf| {
        let is = (leaf.ledger, leaf.append_id, leaf.index, leaf.position);
        is == (ledger, id, 0, span.first) && leaf.position.checked_add(u64::from(leaf.count) - 1) == Some(span.last)
    });
    let reason = || "the index of appends leads to another record".to_owned();
    let damaged = || StoreError::Damaged { ledger, position: span.first, reason: reason() };
    if leads_here { Ok(()) } else { Err(damaged()) }
}

/// A record of a stream must say so itself.
pub(super) fn check_in_stream(record: &Record, ledger: Uuid, position: u64, stream: &Stream, version: u64) -> Read<()> {
    let damaged = |reason: &str| StoreError::Damaged { ledger, position, reason: reason.to_owned() };
    let leaf = Leaf::decode(&record.leaf).map_err(|e| damaged(e.0))?;
    if leaf.stream != *stream || leaf.stream_version != version {
        return Err(damaged("leaf belongs to another stream"));
    }
    Ok(())
}

/// The bodies of `ledger.*` records are not sealed and stay: they name the signers.
pub(super) fn drop_body(record: &mut Record) {
    if record.leaf.get(2) == Some(&1) {
        record.body = None;
    }
}
