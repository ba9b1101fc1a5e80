//! How appends become records: positions, predecessors, stream versions, one signature. Pure; every engine calls it
//! while it holds the ledger's head, so the rules stand in one place.
//!
//! Invariants between two records are in [`check_link`]; the verifier uses the same function.

use uuid::Uuid;

use crate::clear::{self, CLOSED, Clear, OPENED, RESTORED};
use crate::record::{Hash, Leaf, LeafError, MAX_BODY, MAX_BYTES, MAX_RECORDS, Party, Record, Stream, is_clear_kind};
use crate::sign::{self, Signers};

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
            must(draft.sealed_epoch != Some(0), "data-key epoch is 0")?;
            must(draft.sealed_epoch.is_none() == is_clear_kind(&draft.event_kind), "sealing does not fit the kind")?;
            must(crate::record::is_stream_kind(&draft.stream.kind), "stream kind is not a name")?;
            must(crate::record::is_event_kind(&draft.event_kind), "event kind is not a name")?;
            must(draft.event_version >= 1, "event version is 0")?;
            if is_clear_kind(&draft.event_kind) {
                draft.clear()?;
                must(draft.stream == Stream::new(clear::STREAM, self.ledger), "ledger.* record in another stream")?;
            }
        }
        Ok(())
    }

    /// Can it follow `head`? All that can go wrong with one append goes wrong here, so that a bad one fails alone.
    pub fn check_on(&self, head: &Head) -> Result<(), LeafError> {
        let must = |holds: bool, what| if holds { Ok(()) } else { Err(LeafError(what)) };
        self.check()?;
        must(!head.closed, "the ledger is closed")?;
        let clear = if self.is_clear() { Some(self.drafts[0].clear()?) } else { None };
        must(head.size > 0 || matches!(clear, Some(Clear::Opened { .. })), "the ledger is not open yet")?;
        match clear {
            Some(Clear::Opened { origin, .. }) => {
                must(head.size == 0, "the ledger is open already")?;
                must(
                    origin.ledger() == self.ledger && origin.generation() == 1,
                    "origin of another ledger or generation",
                )?;
            }
            Some(Clear::Restored { origin, .. }) => {
                let next = head.generation.checked_add(1).ok_or(LeafError("no generation left"))?;
                must(
                    origin.ledger() == self.ledger && origin.generation() == next,
                    "origin of another ledger or generation",
                )?;
            }
            _ => {}
        }
        let mut last = self.leaf(self.drafts.len() - 1, head, 0, Hash::ZERO);
        last.position = head.size + self.drafts.len() as u64 - 1;
        last.prev = Hash::ZERO;
        last.check()
    }

    /// Draft `index` as the record that follows `at`.
    fn leaf(&self, index: usize, at: &Head, stream_version: u64, body_hash: Hash) -> Leaf {
        let draft = &self.drafts[index];
        Leaf {
            sealed_epoch: draft.sealed_epoch,
            time_went_back: at.size > 0 && self.time_us < at.last_time_us,
            generation: at.generation,
            event_version: draft.event_version,
            position: at.size,
            ledger: at.ledger,
            prev: at.last,
            time_us: self.time_us,
            append_id: self.append_id,
            index: index as u16,
            count: self.drafts.len() as u16,
            cause: self.cause,
            stream: draft.stream.clone(),
            stream_version,
            actor: self.actor,
            on_behalf_of: self.on_behalf_of,
            body_len: draft.body.len() as u32,
            body_hash,
            event_kind: draft.event_kind.clone(),
        }
    }
}

impl Draft {
    /// What a `ledger.*` draft says.
    fn clear(&self) -> Result<Clear, LeafError> {
        Ok(Clear::parse(&self.event_kind, self.event_version, &self.body)?)
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
/// `version` says which version the next record of a stream gets, and counts it. The caller has asked [`Append::check_on`] and the expectations, kept the limits of a commit, and put an append with a `ledger.*`
/// record into a commit of its own. The only error left is a signing key that is not here.
pub fn chain(
    head: &Head,
    appends: &[&Append],
    version: &mut dyn FnMut(&Stream) -> u64,
    signers: &dyn Signers,
) -> Result<Commit, LeafError> {
    let mut at = head.clone();
    let mut commit = Commit { records: vec![], leaves: vec![], spans: vec![], head: head.clone() };
    let mut signer = head.signer;
    for append in appends {
        let first = at.size;
        for (index, draft) in append.drafts.iter().enumerate() {
            let clear = if is_clear_kind(&draft.event_kind) { Some(draft.clear()?) } else { None };
            match clear {
                Some(Clear::Opened { signer: new, .. }) => {
                    signer = new;
                    at.signer = new;
                }
                Some(Clear::KeyRotated { signer: new }) => at.signer = new,
                // A lost signer cannot sign its own replacement: the recovery key's proof in the body speaks for the new one.
                Some(Clear::KeyReplaced { signer: new, .. }) => {
                    signer = new;
                    at.signer = new;
                }
                Some(Clear::Restored { .. }) => at.generation += 1,
                Some(Clear::Closed) => at.closed = true,
                Some(Clear::SubjectErased { .. }) | None => {}
            }
            let leaf = append.leaf(index, &at, version(&draft.stream), Hash::of(&draft.body));
            let record = Record { leaf: leaf.encode(), body: Some(draft.body.clone()), signature: None };
            at.size += 1;
            at.last = record.hash();
            at.last_time_us = append.time_us;
            at.last_append = append.append_id;
            commit.records.push(record);
            commit.leaves.push(leaf);
        }
        commit.spans.push(Span { first, last: at.size - 1 });
    }
    let message = sign::commit_message(head.ledger, at.generation, head.size, at.size - 1, &at.last);
    let signature =
        signers.sign_as(&signer, &message).ok_or(LeafError("the key that must sign this ledger is not here"))?;
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
        return must(leaf.event_kind == OPENED, "first record is not ledger.opened");
    };
    must(leaf.position == last.position + 1, "position does not follow")?;
    must(leaf.ledger == last.ledger, "record of another ledger")?;
    must(leaf.prev == last_hash, "link to the previous record does not match")?;
    must(leaf.time_went_back == (leaf.time_us < last.time_us), "time flag does not match the times")?;
    let restored = leaf.event_kind == RESTORED;
    must(last.generation.checked_add(u16::from(restored)) == Some(leaf.generation), "generation does not follow")?;
    must(last.event_kind != CLOSED, "record after ledger.closed")?;
    must(leaf.event_kind != OPENED, "ledger.opened a second time")?;
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
