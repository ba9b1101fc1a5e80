//! The way through the records: each on its own, against the one before, and into the tree.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use uuid::Uuid;

use super::keys::Keys;
use super::signatures::{Job, Signatures};
use super::{Fault, Options, Outside};
use crate::bundle::{Entry, Evidence, Header, Opening, Reader};
use crate::chain::check_link;
use crate::checkpoint::{Checkpoint, Origin};
use crate::clear::{self, Clear};
use crate::record::{Hash, Leaf, MAX_BYTES, MAX_RECORDS, Stream, is_clear_kind};
use crate::seal;
use crate::sign::Commit;
use crate::tree::{self, Frontier};

/// State after some of the records.
pub(super) struct Walk<'o> {
    options: &'o Options<'o>,
    header: Header,
    ledger: Uuid,
    pub(super) keys: Keys,
    frontier: Frontier,
    last: Option<(Leaf, Hash)>,
    streams: Streams,
    /// Ids of the appends seen: one that is there twice was done twice.
    appends: HashSet<Uuid>,
    commit: Open,
    commits: u64,
    signatures: Signatures,
    /// The newest commit whose signature was not added: the last one of all must be.
    unchecked: Option<Job>,
    unsigned_outside: bool,
    first_absent: Option<u64>,
    first_sealed_present: Option<u64>,
    opened_unread: bool,
    /// Sizes of the auditor's checkpoints, ascending, and the roots found there.
    wanted: Vec<u64>,
    roots: HashMap<u64, Hash>,
}

/// The commit that is being read.
#[derive(Default)]
struct Open {
    first: u64,
    records: usize,
    bytes: usize,
    /// Holds a `ledger.*` record other than `ledger.opened`, which is a commit of its own.
    alone: bool,
}

/// Why a record stopped the walk.
enum Stop {
    Fault(Fault),
    /// Its `prev` is not the hash of the record before: one of the two was changed.
    Unlinked(Box<Leaf>, Hash),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl<'o> Walk<'o> {
    /// Before the first record.
    pub(super) fn new(
        options: &'o Options,
        header: Header,
        origin: &Origin,
        evidence: Option<&Evidence>,
    ) -> Result<Walk<'o>, Fault> {
        let left = evidence.map_or(vec![], |evidence| evidence.left.clone());
        let frontier = Frontier::from_peaks(header.first, left);
        let known = options.checkpoints.iter().filter_map(|note| Checkpoint::parse(note.text()).ok());
        let mut wanted: Vec<u64> =
            known.map(|checkpoint| checkpoint.size).filter(|size| *size >= header.first).collect();
        wanted.sort_unstable_by(|a, b| b.cmp(a));
        let mut walk = Walk {
            options,
            header,
            ledger: origin.ledger(),
            keys: Keys::new(origin, &options.keys),
            frontier: frontier.ok_or_else(|| super::refuted("evidence: not the subtrees before the first record"))?,
            last: None,
            streams: Streams { whole: header.first == 0, kinds: HashMap::new(), next: HashMap::new() },
            appends: HashSet::new(),
            commit: Open { first: header.first, ..Open::default() },
            commits: 0,
            signatures: Signatures::default(),
            unchecked: None,
            unsigned_outside: false,
            first_absent: None,
            first_sealed_present: None,
            opened_unread: false,
            wanted,
            roots: HashMap::from([(0, tree::empty_root())]),
        };
        walk.note_root();
        Ok(walk)
    }

    /// Takes in a key record that is not in the bundle's range.
    pub(super) fn outside(&mut self, record: &Outside) -> Result<(), Fault> {
        let position = record.leaf.position;
        let signer = self.keys.apply(&record.leaf, &record.clear).map_err(|reason| Fault::refuted(position, reason))?;
        // Every one but ledger.opened is a commit of its own; that one may have been followed by others.
        let Some(signature) = record.signature else {
            self.unsigned_outside |= record.leaf.event_kind == clear::OPENED;
            let signed = record.leaf.event_kind == clear::OPENED;
            return if signed {
                Ok(())
            } else {
                Err(Fault::refuted(position, "evidence: a key record without a signature"))
            };
        };
        let (ledger, generation) = (record.leaf.ledger, record.leaf.generation);
        let commit = Commit { ledger, generation, first: position, last: position, last_hash: record.hash };
        self.keys.has_signed(&signer);
        self.signatures.add(Job { commit, signer, signature });
        Ok(())
    }

    /// Goes through all records of the bundle.
    pub(super) fn records(&mut self, reader: &mut Reader<impl Read>) -> Result<(), Fault> {
        let mut entry = Entry::default();
        while reader.read(&mut entry)? {
            match self.record(&entry) {
                Ok(()) => {}
                Err(Stop::Fault(fault)) => return Err(fault),
                Err(Stop::Unlinked(leaf, hash)) => return Err(self.unlinked(&leaf, hash, &entry, reader)),
            }
            if self.signatures.is_refuted() {
                break;
            }
        }
        if self.commit.records > 0 && !self.signatures.is_refuted() {
            return Err(Fault::refuted(self.header.end() - 1, "the bundle ends inside a commit"));
        }
        self.check_newest();
        Ok(())
    }

    fn record(&mut self, entry: &Entry) -> Result<(), Stop> {
        let expected = self.frontier.size();
        let fault = |reason: &str| Fault::refuted(expected, reason);
        let leaf = Leaf::decode(&entry.leaf).map_err(|error| fault(&error.to_string()))?;
        let hash = Hash::of_leaf(&entry.leaf);
        if leaf.position != expected {
            return Err(fault(&format!("position {} where {expected} belongs", leaf.position)).into());
        }
        if leaf.ledger != self.ledger {
            return Err(fault("a record of another ledger").into());
        }
        match &self.last {
            Some((_, last_hash)) if leaf.prev != *last_hash => return Err(Stop::Unlinked(Box::new(leaf), hash)),
            Some((last, last_hash)) => check_link(Some((last, *last_hash)), &leaf),
            None if expected == 0 => check_link(None, &leaf),
            None if leaf.index != 0 => return Err(fault("the bundle begins inside an append").into()),
            None => {
                let before = self.keys.in_force().map_err(fault)?.0.generation();
                let restored = u16::from(leaf.event_kind == clear::RESTORED);
                if before.checked_add(restored) != Some(leaf.generation) {
                    return Err(fault("the generation is not the one that the key records before it name").into());
                }
                Ok(())
            }
        }
        .map_err(|error| fault(&error.to_string()))?;

        if leaf.index == 0 && !self.appends.insert(leaf.append_id) {
            return Err(fault("an append with an id that the ledger has already").into());
        }
        let clear = self.body(&leaf, entry).map_err(|reason| fault(&reason))?;
        self.streams.check(&leaf).map_err(fault)?;
        self.commit(&leaf, hash, clear, entry).map_err(fault)?;
        self.last = Some((leaf, hash));
        self.frontier.append(hash);
        self.note_root();
        Ok(())
    }

    /// Length, hash and opening of a body. Gives what a clear one says.
    fn body(&mut self, leaf: &Leaf, entry: &Entry) -> Result<Option<Clear>, String> {
        let clear = is_clear_kind(&leaf.event_kind);
        if entry.body_absent {
            self.first_absent = self.first_absent.or(Some(leaf.position));
            return match (clear, &entry.opening) {
                (true, _) => Err("the body of a ledger.* record is not there".to_owned()),
                (false, Some(_)) => Err("an opening without a body".to_owned()),
                (false, None) => Ok(None),
            };
        }
        if entry.body.len() != leaf.body_len as usize {
            return Err("the body has another length than the leaf says".to_owned());
        }
        if Hash::of(&entry.body) != leaf.body_hash {
            return Err("the body was changed: its hash is not the one in the leaf".to_owned());
        }
        if clear {
            let clear = Clear::parse(&leaf.event_kind, leaf.event_version, &entry.body).map_err(|e| e.to_string())?;
            return if entry.opening.is_none() {
                Ok(Some(clear))
            } else {
                Err("an opening of a clear record".to_owned())
            };
        }
        self.first_sealed_present = self.first_sealed_present.or(Some(leaf.position));
        if let Some(opening) = &entry.opening {
            self.opening(leaf, &entry.body, opening)?;
        }
        Ok(None)
    }

    fn opening(&mut self, leaf: &Leaf, body: &[u8], opening: &Opening) -> Result<(), String> {
        let text =
            seal::open_disclosed(&opening.secret, leaf, body).map_err(|error| format!("opened event: {error}"))?;
        match self.options.render.map(|render| render(leaf, &text)) {
            None => self.opened_unread = true,
            Some(None) => self.opened_unread = true,
            Some(Some(json)) if json == opening.json => {}
            Some(Some(_)) => return Err("opened event: the text is not what the body says".to_owned()),
        }
        Ok(())
    }

    /// Boundaries and signatures of commits.
    fn commit(&mut self, leaf: &Leaf, hash: Hash, clear: Option<Clear>, entry: &Entry) -> Result<(), &'static str> {
        let must = |holds: bool, what| if holds { Ok(()) } else { Err(what) };
        let key_record = clear.as_ref().is_some_and(|clear| !matches!(clear, Clear::Opened { .. }));
        must(!self.commit.alone && (!key_record || self.commit.records == 0), "a ledger.* record shares its commit")?;
        self.commit.alone |= key_record;
        self.commit.records += 1;
        self.commit.bytes += entry.leaf.len() + leaf.body_len as usize;
        must(self.commit.records <= MAX_RECORDS, "more than 1,024 records in one commit")?;
        must(self.commit.bytes <= MAX_BYTES, "more than 900,000 bytes in one commit")?;
        let signer = match &clear {
            Some(clear) => {
                must(leaf.count == 1, "a ledger.* record shares its append")?;
                let ours = leaf.stream.kind == clear::STREAM && leaf.stream.id == leaf.ledger;
                must(ours, "a ledger.* record outside the ledger's own stream")?;
                self.keys.apply(leaf, clear)?
            }
            None => self.keys.in_force()?.1,
        };
        let Some(signature) = entry.signature else { return Ok(()) };
        must(leaf.index + 1 == leaf.count, "a commit ends inside an append")?;
        let first = self.commit.first;
        let commit =
            Commit { ledger: leaf.ledger, generation: leaf.generation, first, last: leaf.position, last_hash: hash };
        // What a lost signer has signed must be seen before somebody else speaks for the ledger.
        if leaf.event_kind == clear::KEY_REPLACED {
            self.check_newest();
        }
        self.unchecked = Some(Job { commit, signer, signature });
        if self.options.deep || first == self.header.first || key_record {
            self.check_newest();
        }
        self.commits += 1;
        self.commit = Open { first: leaf.position + 1, ..Open::default() };
        Ok(())
    }

    fn check_newest(&mut self) {
        if let Some(job) = self.unchecked.take() {
            self.keys.has_signed(&job.signer);
            self.signatures.add(job);
        }
    }

    /// Two neighbours do not fit: which of them was changed? The one that a third witness does not know: the next
    /// record's link, or at the end the commit's signature.
    fn unlinked(&self, leaf: &Leaf, hash: Hash, entry: &Entry, reader: &mut Reader<impl Read>) -> Fault {
        let mut next = Entry::default();
        let vouched = match reader.read(&mut next) {
            Ok(true) => Leaf::decode(&next.leaf).is_ok_and(|next| next.prev == hash),
            Ok(false) => entry.signature.is_some_and(|signature| {
                let (ledger, generation, first) = (leaf.ledger, leaf.generation, self.commit.first);
                let commit = Commit { ledger, generation, first, last: leaf.position, last_hash: hash };
                self.keys.in_force().is_ok_and(|(_, signer)| commit.is_signed(&signer, &signature))
            }),
            Err(_) => false,
        };
        let here = leaf.position;
        if vouched {
            Fault::refuted(here - 1, format!("the record was changed: record {here} links to another one"))
        } else {
            Fault::refuted(here, "the record does not link to the one before it")
        }
    }

    /// What stopped the walk, or a false signature if that is at an earlier position, or missing bodies.
    pub(super) fn settle(&mut self, walked: Result<(), Fault>) -> Result<(), Fault> {
        let false_signature = self.signatures.first_false();
        let fault_at = walked.as_ref().err().map(|fault| fault.position.unwrap_or(u64::MAX));
        match (false_signature, fault_at) {
            (Some(position), at) if at.is_none_or(|at| position <= at) => {
                return Err(Fault::refuted(position, "the commit's signature does not hold"));
            }
            _ => walked?,
        }
        match (self.first_absent, self.first_sealed_present) {
            (None, _) => Ok(()),
            (Some(absent), _) if !self.keys.closed => {
                Err(Fault::refuted(absent, "the body is not there, and the ledger is not closed"))
            }
            (Some(absent), Some(present)) => Err(Fault::refuted(
                absent.max(present),
                "some bodies are there and some are not: they go only as a whole",
            )),
            (Some(_), None) => Ok(()),
        }
    }

    fn note_root(&mut self) {
        while self.wanted.last() == Some(&self.frontier.size()) {
            self.roots.insert(self.frontier.size(), self.frontier.root());
            self.wanted.pop();
        }
    }

    /// Root of the first `size` records, where it was asked for and the bundle could tell.
    pub(super) fn root_at(&self, size: u64) -> Option<Hash> {
        self.roots.get(&size).copied()
    }

    /// Root of the whole tree, with the subtrees behind the bundle; `None` when they are not the right ones.
    pub(super) fn root_behind(&self, right: &[Hash], size: u64) -> Option<Hash> {
        let cover = tree::cover(self.frontier.size(), size);
        let mut whole = self.frontier.clone();
        let fits = cover.len() == right.len()
            && cover.iter().zip(right).all(|((level, _), hash)| whole.append_subtree(*level, *hash));
        fits.then(|| whole.root())
    }

    pub(super) fn events(&self) -> u64 {
        self.frontier.size() - self.header.first
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    pub(super) fn signatures(&self) -> u64 {
        self.signatures.checked()
    }

    pub(super) fn newest_time_us(&self) -> u64 {
        self.last.as_ref().map_or(0, |(leaf, _)| leaf.time_us)
    }

    pub(super) fn unsigned_outside(&self) -> bool {
        self.unsigned_outside
    }

    pub(super) fn bodies_absent(&self) -> bool {
        self.first_absent.is_some()
    }

    pub(super) fn opened_unread(&self) -> bool {
        self.opened_unread
    }
}

/// The next version of every stream seen. In a bundle that does not begin at position 0, a stream's first record may
/// have any version.
struct Streams {
    whole: bool,
    kinds: HashMap<String, u32>,
    next: HashMap<(u32, Uuid), u64>,
}

impl Streams {
    fn check(&mut self, leaf: &Leaf) -> Result<(), &'static str> {
        let Stream { kind, id } = &leaf.stream;
        if kind == clear::STREAM && *id != leaf.ledger {
            return Err("a stream of kind ledger that is not the ledger's own");
        }
        let kind = match self.kinds.get(kind) {
            Some(known) => *known,
            None => {
                let new = self.kinds.len() as u32;
                self.kinds.insert(kind.clone(), new);
                new
            }
        };
        let next = self.next.entry((kind, *id)).or_insert(if self.whole { 0 } else { leaf.stream_version });
        if leaf.stream_version != *next {
            return Err("the stream's version does not follow");
        }
        *next = next.checked_add(1).ok_or("stream version out of range")?;
        Ok(())
    }
}
