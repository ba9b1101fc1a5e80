//! A store that follows another one: an engine whose records live in a cluster serves every read from one of these.
//!
//! Invariant: only whole commits enter, checked against the head they stand on and against their signature, so a mirror
//! is a prefix of its cluster's ledgers at every moment.

use super::{Pending, Read, Store, StoreError};
use crate::chain::{Commit, Head, Span, check_link};
use crate::clear::{CLOSED, Clear, KEY_REPLACED, OPENED, RESTORED, VERSION};
use crate::record::{Hash, Leaf, Record, is_clear_kind};
use crate::sign::{self, PublicKey};

const ALONE: &str = "a ledger.* record shares its commit";

/// A store that takes commits chained and signed elsewhere.
pub trait Receive: Store {
    /// Adds commits, in order; those that are here already are passed over. `Ok` means durable and visible.
    /// They come from [`received`]; a commit that does not follow its ledger's head is refused.
    fn apply(&self, commits: Vec<Commit>) -> Pending<'_, Read<()>>;
}

/// One that writes nothing of its own: a copy of what a cluster holds.
pub trait Mirror: Receive {
    /// What [`Mirror::put_place`] kept last: where its owner goes on reading.
    fn place(&self) -> Pending<'_, Read<Option<Vec<u8>>>>;
    /// Keeps the place. It may lag behind the commits, never run ahead of them.
    fn put_place(&self, place: Vec<u8>) -> Pending<'_, Read<()>>;
}

/// Records read elsewhere, from the one after `head` to the next signature, as the commit that they must be.
/// `recovery` is the ledger's recovery key; see [`replaces_the_signer`].
pub fn received(head: &Head, recovery: Option<PublicKey>, records: Vec<Record>) -> Read<Commit> {
    let mut commit = Commit { records: vec![], leaves: vec![], spans: vec![], head: head.clone() };
    let mut at = head.size;
    let result = records.into_iter().try_for_each(|record| {
        at = commit.head.size;
        commit.push(record, recovery)
    });
    result.and_then(|()| commit.finish(head)).map_err(|reason| StoreError::Damaged {
        ledger: head.ledger,
        position: at,
        reason: reason.to_owned(),
    })?;
    Ok(commit)
}

/// Does this record put a new signer in the place of a lost one? Then only the ledger's recovery key, named by its first
/// record, can speak for it.
pub fn replaces_the_signer(record: &Record) -> bool {
    Leaf::decode(&record.leaf).is_ok_and(|leaf| leaf.event_kind == KEY_REPLACED)
}

impl Commit {
    fn push(&mut self, record: Record, recovery: Option<PublicKey>) -> Result<(), &'static str> {
        let leaf = Leaf::decode(&record.leaf).map_err(|e| e.0)?;
        match self.leaves.last() {
            Some(last) => check_link(Some((last, self.head.last)), &leaf).map_err(|e| e.0)?,
            None => check_first(&self.head, &leaf)?,
        }
        let body = record.body.as_deref().ok_or("body is missing")?;
        must(body.len() == leaf.body_len as usize && Hash::of(body) == leaf.body_hash, "body does not match its hash")?;
        let head = &mut self.head;
        must(!self.leaves.last().is_some_and(|l| l.position > 0 && is_clear_kind(&l.event_kind)), ALONE)?;
        if is_clear_kind(&leaf.event_kind) {
            must(leaf.position == 0 || self.records.is_empty(), ALONE)?;
            must(leaf.count == 1, "a ledger.* record shares its append")?;
            match Clear::parse(&leaf.event_kind, VERSION, body).map_err(|e| e.0)? {
                Clear::Opened { signer, .. } | Clear::KeyRotated { signer } => head.signer = signer,
                Clear::KeyReplaced { signer, proof } => {
                    let recovery = recovery.ok_or("the signer was replaced, and the ledger has no recovery key")?;
                    let (ledger, generation) = (leaf.ledger, leaf.generation);
                    let what = sign::KeyReplacement {
                        ledger,
                        generation,
                        position: leaf.position,
                        prev: leaf.prev,
                        new_signer: signer,
                    };
                    let proved = sign::verify(&recovery, &what.message(), &proof);
                    must(proved, "the recovery key has not signed this replacement")?;
                    head.signer = signer;
                }
                Clear::Restored { .. } | Clear::SubjectErased { .. } | Clear::Closed => {}
            }
        }
        head.closed = leaf.event_kind == CLOSED;
        head.generation = leaf.generation;
        head.last = record.hash();
        head.last_time_us = leaf.time_us;
        head.last_append = leaf.append_id;
        head.size += 1;
        if leaf.index == 0 {
            self.spans.push(Span { first: leaf.position, last: leaf.position + u64::from(leaf.count) - 1 });
        }
        self.leaves.push(leaf);
        self.records.push(record);
        Ok(())
    }

    /// The whole of it: appends complete, a signature at the end and nowhere else, by the key that holds here.
    fn finish(&self, before: &Head) -> Result<(), &'static str> {
        let (Some(last), Some((record, rest))) = (self.leaves.last(), self.records.split_last()) else {
            return Err("commit without records");
        };
        must(last.index + 1 == last.count, "the commit ends within an append")?;
        must(rest.iter().all(|r| r.signature.is_none()), "a signature within the commit")?;
        // A first signer, and one that takes the place of a lost one, sign the record that names them.
        let names_itself = before.size == 0 || last.event_kind == KEY_REPLACED;
        let signer = if names_itself { self.head.signer } else { before.signer };
        let commit = sign::Commit {
            ledger: before.ledger,
            generation: last.generation,
            first: before.size,
            last: last.position,
            last_hash: self.head.last,
        };
        let signature = record.signature.ok_or("the commit is not signed")?;
        must(commit.is_signed(&signer, &signature), "the commit's signature is not its signer's")
    }
}

/// [`check_link`] for the record after a head.
fn check_first(head: &Head, leaf: &Leaf) -> Result<(), &'static str> {
    must(leaf.ledger == head.ledger, "record of another ledger")?;
    if head.size == 0 {
        return check_link(None, leaf).map_err(|e| e.0);
    }
    must(leaf.position == head.size, "position does not follow")?;
    must(leaf.prev == head.last, "link to the previous record does not match")?;
    must(leaf.time_went_back == (leaf.time_us < head.last_time_us), "time flag does not match the times")?;
    let restored = u16::from(leaf.event_kind == RESTORED);
    must(head.generation.checked_add(restored) == Some(leaf.generation), "generation does not follow")?;
    must(!head.closed, "record after ledger.closed")?;
    must(leaf.event_kind != OPENED, "ledger.opened a second time")?;
    must(leaf.index == 0, "append begins in the middle")?;
    must(leaf.append_id != head.last_append, "two appends with one id")
}

fn must(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}
