//! How appends become records: positions, predecessors, stream versions, one signature. Pure; every engine calls it
//! while it holds the ledger's head, so the rules stand in one place.
//!
//! Invariants between two records are in [`check_link`]; the verifier uses the same function.

use std::collections::HashMap;

use uuid::Uuid;

use crate::clear;
use crate::record::{Hash, Leaf, LeafError, MAX_BODY, MAX_BYTES, MAX_RECORDS, Party, Record, Stream, is_clear_kind};
use crate::sign::{self, Signer};

/// One record to be, without place in the ledger yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Whose record it will be.
    pub stream: Stream,
    /// `noun.verb_past`.
    pub event_kind: String,
    /// Version of the event's layout, from 1.
    pub event_version: u16,
    /// Epoch of the data key that sealed the body; `None` for `ledger.*` only.
    pub sealed_epoch: Option<u32>,
    /// The bytes to store, sealed before they came here.
    pub body: Vec<u8>,
}

/// What a command found when it decided: this stream stood at this version, or did not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// Any stream that was read, written or not.
    pub stream: Stream,
    /// Version of its last record; `None` = no record yet.
    pub version: Option<u64>,
}

/// The records that one command produced: all of them or none, in one ledger.
#[derive(Clone, Debug)]
pub struct Append {
    /// The tenant.
    pub ledger: Uuid,
    /// Never nil. A second append with the same id is answered with the first one's positions.
    pub append_id: Uuid,
    /// The writer's clock, microseconds since 1970-01-01 UTC.
    pub time_us: u64,
    /// Who did it.
    pub actor: Party,
    /// For whom.
    pub on_behalf_of: Option<Party>,
    /// Position of the record that caused it.
    pub cause: Option<u64>,
    /// Every stream that the decision rests on.
    pub expect: Vec<Expectation>,
    /// 1 to [`MAX_RECORDS`].
    pub drafts: Vec<Draft>,
}

impl Append {
    /// Bytes that this append adds to the limits of append and commit.
    pub fn bytes(&self) -> usize {
        self.drafts
            .iter()
            .map(|d| crate::record::FIXED + 2 + d.stream.kind.len() + d.event_kind.len() + d.body.len())
            .sum()
    }

    /// Does it hold a key record or another `ledger.*` kind? Such an append is always a commit of its own.
    pub fn is_clear(&self) -> bool {
        self.drafts.iter().any(|d| is_clear_kind(&d.event_kind))
    }

    /// Refuses what could never become a record, before it is queued.
    pub fn check(&self) -> Result<(), LeafError> {
        let must = |holds: bool, what| if holds { Ok(()) } else { Err(LeafError(what)) };
        must(!self.drafts.is_empty(), "append without records")?;
        must(self.drafts.len() <= MAX_RECORDS, "more than 1,024 records in one append")?;
        must(self.bytes() <= MAX_BYTES, "more than 900,000 bytes in one append")?;
        must(!self.is_clear() || self.drafts.len() == 1, "a ledger.* record stands alone in its append")?;
        for draft in &self.drafts {
            must(draft.body.len() <= MAX_BODY, "body too long")?;
            must(draft.sealed_epoch.is_none() == is_clear_kind(&draft.event_kind), "sealing does not fit the kind")?;
            must(crate::record::is_stream_kind(&draft.stream.kind), "stream kind is not a name")?;
            must(crate::record::is_event_kind(&draft.event_kind), "event kind is not a name")?;
        }
        Ok(())
    }
}

/// Where a ledger ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The tenant.
    pub ledger: Uuid,
    /// Number of records.
    pub size: u64,
    /// Leaf hash of the last record; zero when empty.
    pub last: Hash,
    /// Time of the last record.
    pub last_time_us: u64,
    /// Append id of the last record.
    pub last_append: Uuid,
    /// Generation of the next record.
    pub generation: u16,
    /// Public key that signs the next commit; zero when empty.
    pub signer: [u8; 32],
    /// `ledger.closed` was written: nothing may follow.
    pub closed: bool,
}

impl Head {
    /// The head of a ledger that has no record yet.
    pub fn empty(ledger: Uuid) -> Head {
        Head {
            ledger,
            size: 0,
            last: Hash::ZERO,
            last_time_us: 0,
            last_append: Uuid::nil(),
            generation: 1,
            signer: [0; 32],
            closed: false,
        }
    }
}

/// First and last position, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Position of the first record.
    pub first: u64,
    /// Position of the last record.
    pub last: u64,
}

/// A commit ready to be written: nothing of it is visible before the engine has made all of it durable.
#[derive(Debug)]
pub struct Commit {
    /// In position order; the last one carries the signature.
    pub records: Vec<Record>,
    /// The same, decoded: what the engine needs for its indexes.
    pub leaves: Vec<Leaf>,
    /// Positions of each append, in the order given.
    pub spans: Vec<Span>,
    /// The ledger's head afterwards.
    pub head: Head,
}

/// Turns the appends of one ledger into one signed commit on top of `head`.
///
/// `next_version` holds, for every stream that is written, the version its next record gets; absent = 0. The caller has
/// checked expectations and limits, and has put an append with a `ledger.*` record into a commit of its own.
pub fn chain(
    head: &Head,
    appends: &[&Append],
    next_version: &mut HashMap<Stream, u64>,
    signers: &dyn sign::Signers,
) -> Result<Commit, LeafError> {
    if head.closed {
        return Err(LeafError("the ledger is closed"));
    }
    let mut at = head.clone();
    let mut commit = Commit { records: vec![], leaves: vec![], spans: vec![], head: head.clone() };
    let mut signer = head.signer;
    for append in appends {
        append.check()?;
        let first = at.size;
        for (index, draft) in append.drafts.iter().enumerate() {
            if at.size == 0 {
                signer = clear::opened_signer(&draft.event_kind, &draft.body)?;
                at.signer = signer;
            }
            if draft.event_kind == clear::RESTORED {
                at.generation += 1;
            }
            let version = next_version.entry(draft.stream.clone()).or_insert(0);
            let leaf = Leaf {
                sealed_epoch: draft.sealed_epoch,
                time_went_back: append.time_us < at.last_time_us,
                generation: at.generation,
                event_version: draft.event_version,
                position: at.size,
                ledger: head.ledger,
                prev: at.last,
                time_us: append.time_us,
                append_id: append.append_id,
                index: index as u16,
                count: append.drafts.len() as u16,
                cause: append.cause,
                stream: draft.stream.clone(),
                stream_version: *version,
                actor: append.actor,
                on_behalf_of: append.on_behalf_of,
                body_len: draft.body.len() as u32,
                body_hash: Hash::of(&draft.body),
                event_kind: draft.event_kind.clone(),
            };
            leaf.check()?;
            *version += 1;
            let record = Record { leaf: leaf.encode(), body: Some(draft.body.clone()), signature: None };
            if let Some(new) = clear::new_signer(&draft.event_kind, &draft.body)? {
                at.signer = new;
            }
            at.closed |= draft.event_kind == clear::CLOSED;
            at.size += 1;
            at.last = record.hash();
            at.last_time_us = append.time_us;
            at.last_append = append.append_id;
            commit.records.push(record);
            commit.leaves.push(leaf);
        }
        commit.spans.push(Span { first, last: at.size - 1 });
    }
    // A replaced key cannot sign its own replacement: the lost signer is gone, the recovery proof in the body speaks.
    if commit.leaves.last().is_some_and(|leaf| leaf.event_kind == clear::KEY_REPLACED) {
        signer = at.signer;
    }
    let message = sign::commit_message(head.ledger, at.generation, head.size, at.size - 1, &at.last);
    let signature =
        signers.signer(&signer).ok_or(LeafError("the key that must sign this ledger is not here"))?.sign(&message);
    commit.records.last_mut().ok_or(LeafError("commit without records"))?.signature = Some(signature);
    commit.head = at;
    Ok(commit)
}

/// The rules between a record and the one before it (`None` at position 0).
pub fn check_link(before: Option<(&Leaf, Hash)>, leaf: &Leaf) -> Result<(), LeafError> {
    let must = |holds: bool, what| if holds { Ok(()) } else { Err(LeafError(what)) };
    let Some((last, last_hash)) = before else {
        must(leaf.position == 0, "first record is not at position 0")?;
        must(leaf.generation == 1, "first generation is not 1")?;
        must(!leaf.time_went_back, "time flag without a previous record")?;
        must(leaf.index == 0, "append begins in the middle")?;
        return must(leaf.event_kind == clear::OPENED, "first record is not ledger.opened");
    };
    must(leaf.position == last.position + 1, "position does not follow")?;
    must(leaf.ledger == last.ledger, "record of another ledger")?;
    must(leaf.prev == last_hash, "link to the previous record does not match")?;
    must(leaf.time_went_back == (leaf.time_us < last.time_us), "time flag does not match the times")?;
    let restored = leaf.event_kind == clear::RESTORED;
    must(leaf.generation == last.generation + u16::from(restored), "generation does not follow")?;
    must(last.event_kind != clear::CLOSED, "record after ledger.closed")?;
    must(leaf.event_kind != clear::OPENED, "ledger.opened a second time")?;
    if last.index + 1 < last.count {
        must(leaf.index == last.index + 1, "append is not complete")?;
        must(leaf.append_id == last.append_id && leaf.count == last.count, "append is not complete")?;
        must(leaf.time_us == last.time_us, "two times in one append")?;
        must(leaf.actor == last.actor && leaf.on_behalf_of == last.on_behalf_of, "two actors in one append")?;
        must(leaf.cause == last.cause, "two causes in one append")
    } else {
        must(leaf.index == 0, "append begins in the middle")?;
        must(leaf.append_id != last.append_id, "two appends with one id")
    }
}

/// A signer that knows exactly one key.
impl<S: Signer> sign::Signers for S {
    fn signer(&self, public: &[u8; 32]) -> Option<&dyn Signer> {
        (self.public() == *public).then_some(self)
    }
}
