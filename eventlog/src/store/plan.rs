//! From a call's appends to commits: known ids, expectations, limits, grouping. Every engine calls [`plan`] inside the
//! step that holds its heads, and then writes what comes out; nothing here touches storage but through [`View`].

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::LazyLock;

use uuid::Uuid;

use super::{Outcome, Read};
use crate::chain::{self, Append, Commit, Expectation, Head, Span};
use crate::clear::{CLOSED, RESTORED};
use crate::record::{MAX_BYTES, MAX_RECORDS, Stream};
use crate::sign::Signers;

/// What an engine shows of its state while it holds it still.
///
/// Nearly every append is new, and nearly every stream that is expected to be absent is. An engine whose tables refuse a
/// second append id and a second version of a stream by themselves need not look for either: [`plan_fresh`] takes both
/// for granted, and if writing then meets one that is there, the engine takes all back and asks [`plan`].
pub(super) trait View {
    /// How reading fails.
    type Error;
    /// The head of a ledger.
    fn head(&mut self, ledger: Uuid) -> Result<Option<Head>, Self::Error>;
    /// Positions of a stored append. Damage that is met on the way there is this append's trouble alone.
    fn find_append(&mut self, ledger: Uuid, append_id: Uuid) -> Result<Read<Option<Span>>, Self::Error>;
    /// Version of a stream's last record.
    fn version(&mut self, ledger: Uuid, stream: &Stream) -> Result<Option<u64>, Self::Error>;
}

impl Append {
    /// Is the stream of this expectation one whose absence writing the append shows?
    pub(super) fn shows_absence(&self, at: usize) -> bool {
        let Expectation { stream, version } = &self.expect[at];
        version.is_none() && has(&self.drafts, at, |draft| draft.stream == *stream)
    }

    /// Is there nothing in it that has to be looked up?
    pub(super) fn is_all_new(&self) -> bool {
        (0..self.expect.len()).all(|at| self.shows_absence(at))
            && (0..self.drafts.len()).all(|at| has(&self.expect, at, |e| e.stream == self.drafts[at].stream))
    }
}

/// Is there such an item? Drafts and expectations nearly always stand in the same order: a look at the same place first.
fn has<T>(items: &[T], at: usize, is_it: impl Fn(&T) -> bool) -> bool {
    items.get(at).is_some_and(&is_it) || items.iter().any(is_it)
}

/// What to write, and what to answer once that is durable.
pub(super) struct Plan {
    /// In the order to write; several of one ledger follow each other.
    pub commits: Vec<Commit>,
    /// One per append, in the order given. `Committed`, and `Known` of an append of the same call, hold only after the
    /// commits are durable; [`Plan::unwritten`] replaces them if that fails.
    pub outcomes: Vec<Outcome>,
    written: Vec<bool>,
}

impl Plan {
    /// The answers when the commits were not written, or perhaps not.
    pub fn unwritten(self, instead: Outcome) -> Vec<Outcome> {
        let pairs = self.outcomes.into_iter().zip(self.written);
        pairs.map(|(outcome, written)| if written { instead.clone() } else { outcome }).collect()
    }
}

/// One ledger's part of a call.
struct Part<'a> {
    head: Head,
    // What the head will be after the accepted appends, as far as the rules need it.
    ahead: Head,
    fresh: bool,
    accepted: Vec<usize>,
    streams: HashMap<&'a Stream, Versions>,
}

/// A stream's last version as it will be after the accepted appends, and the version that its first new record gets.
struct Versions {
    ahead: Option<u64>,
    next: u64,
}

/// Decides what becomes of each append and chains and signs those that are written.
pub(super) fn plan<V: View, A: Borrow<Append>>(
    view: &mut V,
    appends: &[A],
    signers: &dyn Signers,
) -> Result<Plan, V::Error> {
    planned(view, appends, signers, false)
}

/// The same as far as all appends are written, with no look at what is hoped to be new. `None`: ask [`plan`].
pub(super) fn plan_fresh<V: View, A: Borrow<Append>>(
    view: &mut V,
    appends: &[A],
    signers: &dyn Signers,
) -> Result<Option<Plan>, V::Error> {
    let plan = planned(view, appends, signers, true)?;
    Ok(plan.written.iter().all(|written| *written).then_some(plan))
}

fn planned<V: View, A: Borrow<Append>>(
    view: &mut V,
    appends: &[A],
    signers: &dyn Signers,
    fresh: bool,
) -> Result<Plan, V::Error> {
    let appends: Vec<&Append> = appends.iter().map(Borrow::borrow).collect();
    let Decided { parts, outcomes, written } = decide(view, &appends, fresh)?;
    if fresh && written.contains(&false) {
        return Ok(Plan { commits: vec![], outcomes, written });
    }
    let mut plan = Plan { commits: vec![], outcomes, written };
    for (accepted, result) in sign_all(parts, &appends, signers) {
        match result {
            Ok(commits) => plan.commits.extend(commits),
            Err(reason) => {
                // Also appends that were found beside a refused one of the same id.
                let ids: Vec<_> = accepted.iter().map(|at| (appends[*at].ledger, appends[*at].append_id)).collect();
                for (at, append) in appends.iter().enumerate() {
                    if plan.written[at] && ids.contains(&(append.ledger, append.append_id)) {
                        plan.written[at] = false;
                        plan.outcomes[at] = Outcome::Refused(reason.clone());
                    }
                }
            }
        }
    }
    Ok(plan)
}

/// What becomes of each append, and which of them are written.
struct Decided<'a> {
    parts: Vec<Part<'a>>,
    outcomes: Vec<Outcome>,
    written: Vec<bool>,
}

fn decide<'a, V: View>(view: &mut V, appends: &[&'a Append], fresh: bool) -> Result<Decided<'a>, V::Error> {
    let mut parts: Vec<Part<'_>> = vec![];
    let mut part_of: HashMap<Uuid, usize> = HashMap::new();
    let mut same_call: HashMap<(Uuid, Uuid), Span> = HashMap::new();
    let mut outcomes = Vec::with_capacity(appends.len());
    let mut written = vec![false; appends.len()];
    for (at, append) in appends.iter().enumerate() {
        let id = (append.ledger, append.append_id);
        if let Some(span) = same_call.get(&id) {
            written[at] = true;
            outcomes.push(Outcome::Known(*span));
            continue;
        }
        let found = if fresh { Ok(None) } else { view.find_append(append.ledger, append.append_id)? };
        match found {
            Ok(None) => {}
            Ok(Some(span)) => {
                outcomes.push(Outcome::Known(span));
                continue;
            }
            Err(damage) => {
                outcomes.push(Outcome::Unknown(damage.to_string()));
                continue;
            }
        }
        let part = match part_of.get(&append.ledger) {
            Some(part) => &mut parts[*part],
            None => {
                let head = view.head(append.ledger)?.unwrap_or_else(|| Head::empty(append.ledger));
                part_of.insert(append.ledger, parts.len());
                parts.push(Part { ahead: head.clone(), head, fresh, accepted: vec![], streams: HashMap::new() });
                parts.last_mut().expect("just pushed")
            }
        };
        let outcome = part.consider(view, at, append)?;
        if let Outcome::Committed(span) = outcome {
            same_call.insert(id, span);
            written[at] = true;
        }
        outcomes.push(outcome);
    }
    Ok(Decided { parts, outcomes, written })
}

impl<'a> Part<'a> {
    fn consider<V: View>(&mut self, view: &mut V, at: usize, append: &'a Append) -> Result<Outcome, V::Error> {
        if let Err(e) = append.check_on(&self.ahead) {
            return Ok(Outcome::Refused(e.0.to_owned()));
        }
        for (at, Expectation { stream, version }) in append.expect.iter().enumerate() {
            let hoped = self.fresh && append.shows_absence(at);
            let now = self.versions(view, stream, hoped)?.ahead;
            if now != *version {
                return Ok(Outcome::Moved { stream: stream.clone(), version: now });
            }
        }
        for draft in &append.drafts {
            let versions = self.versions(view, &draft.stream, false)?;
            versions.ahead = Some(versions.ahead.map_or(0, |v| v + 1));
        }
        let first = self.ahead.size;
        self.ahead.size += append.drafts.len() as u64;
        self.ahead.last_time_us = append.time_us;
        self.ahead.last_append = append.append_id;
        self.ahead.closed = append.drafts[0].event_kind == CLOSED;
        self.ahead.generation += u16::from(append.drafts[0].event_kind == RESTORED);
        self.accepted.push(at);
        Ok(Outcome::Committed(Span { first, last: self.ahead.size - 1 }))
    }

    /// The stream as it will be. `absent`: it is taken to be new where nothing is known of it yet.
    fn versions<V: View>(&mut self, view: &mut V, stream: &'a Stream, absent: bool) -> Result<&mut Versions, V::Error> {
        Ok(match self.streams.entry(stream) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let stored = if absent { None } else { view.version(self.head.ledger, stream)? };
                new.insert(Versions { ahead: stored, next: stored.map_or(0, |v| v + 1) })
            }
        })
    }

    /// Chains the accepted appends: one commit, unless a `ledger.*` record or a limit asks for several.
    fn chain(&mut self, appends: &[&Append], signers: &dyn Signers) -> Result<Vec<Commit>, String> {
        let mut commits: Vec<Commit> = vec![];
        let mut group: Vec<&Append> = vec![];
        let (mut records, mut bytes) = (0, 0);
        let mut head = self.head.clone();
        let mut version = |stream: &Stream| {
            let versions = self.streams.get_mut(stream).expect("every stream that is written was considered");
            versions.next += 1;
            versions.next - 1
        };
        let mut flush = |group: &mut Vec<&Append>, commits: &mut Vec<Commit>| -> Result<(), String> {
            if !group.is_empty() {
                let commit = chain::chain(&head, group, &mut version, signers).map_err(|e| e.0.to_owned())?;
                head = commit.head.clone();
                commits.push(commit);
                group.clear();
            }
            Ok(())
        };
        for append in self.accepted.iter().map(|at| appends[*at]) {
            let (more, size) = (append.drafts.len(), append.bytes());
            let clear = append.is_clear() || group.last().is_some_and(|last| last.is_clear());
            if clear || records + more > MAX_RECORDS || bytes + size > MAX_BYTES {
                flush(&mut group, &mut commits)?;
                (records, bytes) = (0, 0);
            }
            group.push(append);
            records += more;
            bytes += size;
        }
        flush(&mut group, &mut commits)?;
        Ok(commits)
    }
}

type Signed = (Vec<usize>, Result<Vec<Commit>, String>);

/// Read once: asking takes several system calls.
static CORES: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// Hashing and signing are most of the work: with several ledgers in a call, all cores share it.
fn sign_all(parts: Vec<Part<'_>>, appends: &[&Append], signers: &dyn Signers) -> Vec<Signed> {
    let one = |mut part: Part<'_>| {
        let commits = part.chain(appends, signers);
        (part.accepted, commits)
    };
    let mut parts: Vec<Part<'_>> = parts.into_iter().filter(|part| !part.accepted.is_empty()).collect();
    let cores = CORES.min(parts.len() / 4);
    if cores < 2 {
        return parts.into_iter().map(one).collect();
    }
    let share = parts.len().div_ceil(cores);
    let mut shares = vec![];
    while !parts.is_empty() {
        shares.push(parts.split_off(parts.len().saturating_sub(share)));
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || share.into_iter().map(one).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|t| t.join().expect("chaining and signing do not panic")).collect()
    })
}
