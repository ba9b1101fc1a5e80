//! Verifying a bundle offline: what an auditor runs. Rules: `docs/LOG-FORMAT.md`, section 9.
//!
//! It fails closed: the verdict is "verified" only when every check passed, and what was not checked or cannot be known
//! is listed. Keys and older checkpoints come from the auditor, never from the bundle. One pass, bounded memory.

mod keys;
mod multiples;
mod signatures;
mod walk;

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use crate::bundle::{At, BundleError, Evidence, Header, Reader};
use crate::checkpoint::{Checkpoint, Origin};
use crate::clear::{self, Clear};
use crate::note::{Note, NoteError, VerifierKey};
use crate::record::{Hash, Leaf, Stream, is_clear_kind};
use crate::tree;
use walk::Walk;

/// What the auditor knows and wants.
#[derive(Default)]
pub struct Options<'a> {
    /// Keys that the auditor got elsewhere than from the bundle.
    pub keys: Vec<VerifierKey>,
    /// The origin that the checkpoint must have.
    pub origin: Option<String>,
    /// Checkpoints that the auditor has seen before, or got from others: the bundle must be consistent with each.
    pub checkpoints: Vec<Note>,
    /// The ledger must have at least this many records.
    pub min_size: Option<u64>,
    /// How far the newest record's time may be from now.
    pub max_age: Option<MaxAge>,
    /// What must not stay open.
    pub require: Vec<Gap>,
    /// Check every commit signature, not only those of key records and of the first and last commit.
    pub deep: bool,
    /// How the writer turns an opened body into JSON; without it, opened texts are not compared.
    pub render: Option<&'a Render<'a>>,
}

/// The JSON text of an opened body, `None` for a kind or version that is not known.
pub type Render<'a> = dyn Fn(&Leaf, &[u8]) -> Option<String> + 'a;

/// A limit on the newest record's age. The clock is the caller's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxAge {
    /// Now, microseconds since 1970-01-01 UTC.
    pub now_us: u64,
    /// Largest distance allowed, in microseconds, in either direction.
    pub at_most_us: u64,
}

/// What a verdict can leave open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Gap {
    /// No key was given: the bundle was checked with the key that it names itself.
    KeyPinned,
    /// The newest signer was not given; an older one that was given handed over to it.
    NewestKeyPinned,
    /// Not every commit signature was checked.
    CommitSignatures,
    /// Bodies of a closed ledger are no longer there.
    Bodies,
    /// Nobody outside has confirmed that the same log is shown to everyone.
    Witnessed,
    /// The JSON texts of opened events were not compared with the bodies.
    OpenedJson,
}

impl Gap {
    const ALL: [(Gap, &str); 6] = [
        (Gap::KeyPinned, "key_pinned"),
        (Gap::NewestKeyPinned, "newest_key_pinned"),
        (Gap::CommitSignatures, "commit_signatures"),
        (Gap::Bodies, "bodies"),
        (Gap::Witnessed, "witnessed"),
        (Gap::OpenedJson, "opened_json"),
    ];
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Gap::ALL.iter().find(|(gap, _)| gap == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// A name that is none of those a verdict can leave open.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "unknown requirement: known are key_pinned, newest_key_pinned, commit_signatures, bodies, witnessed, opened_json"
)]
pub struct UnknownGap;

impl FromStr for Gap {
    type Err = UnknownGap;

    fn from_str(text: &str) -> Result<Gap, UnknownGap> {
        Gap::ALL.iter().find(|(_, name)| *name == text).map(|(gap, _)| *gap).ok_or(UnknownGap)
    }
}

/// The outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every check passed.
    Verified,
    /// A check failed.
    Refuted,
    /// There was nothing to check: no bundle, not readable, or not comparable with what was given.
    Unusable,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Verified => "verified",
            Verdict::Refuted => "refuted",
            Verdict::Unusable => "unusable",
        })
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The outcome.
    pub verdict: Verdict,
    /// Records that were checked.
    pub events: u64,
    /// Records in the ledger, as the checkpoint says.
    pub size: u64,
    /// The checkpoint's root.
    pub root: Option<Hash>,
    /// The checkpoint's origin.
    pub origin: Option<String>,
    /// The first record that is wrong, where one can be named.
    pub first_bad_position: Option<u64>,
    /// Why it was not verified.
    pub reason: Option<String>,
    /// What was not checked or cannot be known, in fixed order; filled when all other checks passed.
    pub not_established: Vec<Gap>,
    /// Commits in the bundle.
    pub commits: u64,
    /// Commit signatures that were checked.
    pub signatures: u64,
}

/// Why verifying stopped.
#[derive(Debug)]
struct Fault {
    verdict: Verdict,
    position: Option<u64>,
    reason: String,
}

impl Fault {
    fn refuted(position: impl Into<Option<u64>>, reason: impl Into<String>) -> Fault {
        Fault { verdict: Verdict::Refuted, position: position.into(), reason: reason.into() }
    }

    fn unusable(reason: impl Into<String>) -> Fault {
        Fault { verdict: Verdict::Unusable, position: None, reason: reason.into() }
    }
}

impl From<BundleError> for Fault {
    fn from(error: BundleError) -> Fault {
        let reason = error.to_string();
        match error {
            BundleError::Broken { at: At::Record(position), .. } => Fault::refuted(position, reason),
            BundleError::Broken { at: At::Header, .. } => Fault::refuted(None, format!("header: {reason}")),
            BundleError::Broken { at: At::Checkpoint, .. } => Fault::refuted(None, format!("checkpoint: {reason}")),
            BundleError::Broken { at: At::Evidence, .. } => Fault::refuted(None, format!("evidence: {reason}")),
            BundleError::Io(_) | BundleError::NotABundle => Fault::unusable(reason),
        }
    }
}

/// Verifies a bundle.
pub fn verify(source: impl Read, options: &Options) -> Report {
    let mut report = Report {
        verdict: Verdict::Verified,
        events: 0,
        size: 0,
        root: None,
        origin: None,
        first_bad_position: None,
        reason: None,
        not_established: vec![],
        commits: 0,
        signatures: 0,
    };
    if let Err(fault) = check(source, options, &mut report) {
        report.verdict = fault.verdict;
        report.first_bad_position = fault.position;
        report.reason = Some(fault.reason);
    }
    report
}

fn check(source: impl Read, options: &Options, report: &mut Report) -> Result<(), Fault> {
    let mut reader = Reader::new(source)?;
    let header = *reader.header();
    let checkpoint = Checkpoint::parse(reader.checkpoint().text()).map_err(|e| Fault::refuted(None, e.to_string()))?;
    report.size = checkpoint.size;
    report.root = Some(checkpoint.root);
    report.origin = Some(checkpoint.origin.clone());
    let origin: Origin =
        checkpoint.origin.parse().map_err(|_| refuted("the checkpoint's origin is not of a ledger"))?;
    if options.origin.as_ref().is_some_and(|wanted| *wanted != checkpoint.origin) {
        return Err(refuted("the checkpoint is of another origin than the one asked for"));
    }
    let evidence = evidence_of(&reader, &header, &checkpoint)?.cloned();
    let outside = outside_records(evidence.as_ref(), &header, &checkpoint, &origin)?;

    let mut walk = Walk::new(options, header, &origin, evidence.as_ref())?;
    let (before, after): (Vec<_>, Vec<_>) = outside.into_iter().partition(|record| record.leaf.position < header.first);
    before.iter().try_for_each(|record| walk.outside(record))?;
    let walked = walk.records(&mut reader).and_then(|()| after.iter().try_for_each(|record| walk.outside(record)));
    report.events = walk.events();
    report.commits = walk.commits();
    // A false signature at an earlier position comes before whatever stopped the walk.
    let signatures = walk.settle(walked);
    report.signatures = walk.signatures();
    signatures?;

    let right = evidence.as_ref().map_or(&[][..], |evidence| &evidence.right);
    if walk.root_behind(right, checkpoint.size) != Some(checkpoint.root) {
        return Err(refuted("the records do not give the checkpoint's root"));
    }
    check_signer(&mut walk, reader.checkpoint(), &checkpoint, options)?;
    compare_with_known(&walk, &header, &checkpoint, &origin, options)?;
    check_wishes(&walk, &checkpoint, options)?;
    report.not_established = gaps(&walk, options)?;
    match options.require.iter().find(|gap| report.not_established.contains(gap)) {
        Some(gap) => Err(refuted(format!("required, but not established: {gap}"))),
        None => Ok(()),
    }
}

fn refuted(reason: impl Into<String>) -> Fault {
    Fault::refuted(None, reason)
}

fn evidence_of<'r, R: Read>(
    reader: &'r Reader<R>,
    header: &Header,
    is: &Checkpoint,
) -> Result<Option<&'r Evidence>, Fault> {
    if header.end() > is.size {
        return Err(refuted("the bundle holds more records than its checkpoint covers"));
    }
    let whole = header.first == 0 && header.end() == is.size;
    match reader.evidence() {
        Some(_) if whole => Err(refuted("evidence in a bundle that holds the whole ledger")),
        None if !whole => {
            Err(refuted("the bundle holds a part of the ledger and no evidence that it belongs to the checkpoint"))
        }
        evidence => Ok(evidence),
    }
}

/// A `ledger.*` record outside the bundle's range, shown to be in the checkpoint's tree.
struct Outside {
    leaf: Leaf,
    hash: Hash,
    clear: Clear,
    signature: Option<[u8; 64]>,
}

fn outside_records(
    all: Option<&Evidence>,
    header: &Header,
    is: &Checkpoint,
    origin: &Origin,
) -> Result<Vec<Outside>, Fault> {
    let mut outside: Vec<Outside> = vec![];
    for key_record in all.iter().flat_map(|evidence| &evidence.key_records) {
        let record = &key_record.record;
        let leaf = Leaf::decode(&record.leaf).map_err(|e| refuted(format!("evidence: {e}")))?;
        let fault = |reason: &str| Fault::refuted(leaf.position, format!("evidence: {reason}"));
        let body = record.body.as_deref().ok_or_else(|| fault("a key record without its body"))?;
        let ours = leaf.ledger == origin.ledger() && leaf.stream == Stream::new(clear::STREAM, leaf.ledger);
        let names_keys = is_clear_kind(&leaf.event_kind) && leaf.event_kind != clear::SUBJECT_ERASED;
        if !names_keys || leaf.count != 1 || Hash::of(body) != leaf.body_hash || !ours {
            return Err(fault("not a key record of this ledger"));
        }
        if outside.last().is_some_and(|last| last.leaf.position >= leaf.position)
            || (header.first..header.end()).contains(&leaf.position)
        {
            return Err(fault("key records out of order"));
        }
        let hash = record.hash();
        if !tree::verify_inclusion(leaf.position, is.size, &hash, &key_record.path, &is.root) {
            return Err(fault("a key record is not in the checkpoint's tree"));
        }
        let clear = Clear::parse(&leaf.event_kind, leaf.event_version, body).map_err(|e| fault(&e.to_string()))?;
        if clear == Clear::Closed && leaf.position + 1 != is.size {
            return Err(fault("records after ledger.closed"));
        }
        outside.push(Outside { hash, clear, signature: record.signature, leaf });
    }
    Ok(outside)
}

fn check_signer(walk: &mut Walk, note: &Note, checkpoint: &Checkpoint, options: &Options) -> Result<(), Fault> {
    let (origin, signer) = walk.keys.in_force().map_err(refuted)?;
    if origin.to_string() != checkpoint.origin {
        return Err(refuted("the checkpoint's origin is not the one that the ledger names"));
    }
    let ours = VerifierKey::new(&checkpoint.origin, signer).map_err(|e| refuted(e.to_string()))?;
    let known: Vec<VerifierKey> = [ours.clone()].into_iter().chain(options.keys.iter().cloned()).collect();
    let good = note.verify(&known).map_err(|error| refuted(format!("checkpoint: {error}")))?;
    if !good.contains(&&ours) {
        return Err(refuted("the checkpoint is not signed by the signer that the ledger names"));
    }
    walk.keys.has_signed(&signer);
    if !options.keys.is_empty() && !walk.keys.pinned_has_signed() {
        return Err(refuted("none of the given keys has signed this ledger"));
    }
    Ok(())
}

fn compare_with_known(
    walk: &Walk,
    header: &Header,
    is: &Checkpoint,
    origin: &Origin,
    options: &Options,
) -> Result<(), Fault> {
    for note in &options.checkpoints {
        if let Err(NoteError::BadSignature(name)) = note.verify(&options.keys) {
            return Err(Fault::unusable(format!("a checkpoint that was given has a false signature of {name}")));
        }
        let known =
            Checkpoint::parse(note.text()).map_err(|e| Fault::unusable(format!("a checkpoint that was given: {e}")))?;
        let its: Option<Origin> = known.origin.parse().ok();
        if !its.is_some_and(|its| its.ledger() == origin.ledger() && its.log_name() == origin.log_name()) {
            return Err(refuted(format!("a checkpoint that was given is of another log, {}", known.origin)));
        }
        let size = known.size;
        if size > is.size {
            let lost = size - is.size;
            return Err(refuted(format!(
                "rolled back or cut off: a known checkpoint has {size} records, {lost} more than this bundle's"
            )));
        }
        let root = if size == is.size { Some(is.root) } else { walk.root_at(size) };
        match root {
            Some(root) if root == known.root => {}
            Some(_) => {
                return Err(refuted(format!(
                    "rewritten: the first {size} records are not those of a known checkpoint"
                )));
            }
            None => {
                let (first, end) = (header.first, header.end());
                let reason = format!(
                    "a known checkpoint of size {size} cannot be compared with positions {first} to {}",
                    end - 1
                );
                return Err(Fault::unusable(format!("{reason}: ask for an export of the whole ledger")));
            }
        }
    }
    Ok(())
}

fn check_wishes(walk: &Walk, checkpoint: &Checkpoint, options: &Options) -> Result<(), Fault> {
    if options.min_size.is_some_and(|least| checkpoint.size < least) {
        return Err(refuted("the ledger has fewer records than were asked for"));
    }
    if let Some(MaxAge { now_us, at_most_us }) = options.max_age
        && now_us.abs_diff(walk.newest_time_us()) > at_most_us
    {
        return Err(refuted("the newest record's time is further from now than was allowed"));
    }
    Ok(())
}

fn gaps(walk: &Walk, options: &Options) -> Result<Vec<Gap>, Fault> {
    let signer = walk.keys.in_force().map_err(refuted)?.1;
    let newest_pinned = walk.keys.is_pinned(&signer);
    let open = [
        (Gap::KeyPinned, options.keys.is_empty()),
        (Gap::NewestKeyPinned, !newest_pinned),
        (Gap::CommitSignatures, !options.deep || walk.unsigned_outside()),
        (Gap::Bodies, walk.bodies_absent()),
        (Gap::Witnessed, true),
        (Gap::OpenedJson, walk.opened_unread()),
    ];
    Ok(open.into_iter().filter(|(_, open)| *open).map(|(gap, _)| gap).collect())
}
