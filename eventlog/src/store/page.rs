//! The checks of every read: a body against its leaf, a leaf against what stands beside it.

use uuid::Uuid;

use super::{Read, StoreError};
use crate::chain::check_link;
use crate::record::{Hash, Leaf, Record, Stream};

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
