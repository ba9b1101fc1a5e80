//! Ledgers in memory: for tests, and wrapped with faults. "Durable" lasts as long as the process.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;
use uuid::Uuid;

use super::page::{self, Page};
use super::plan::{View, plan};
use super::{Append, Head, Indexed, Outcome, Pending, Read, Signers, Span, Store, StoreError, TileRow};
use crate::chain::Commit;
use crate::record::{Leaf, Record, Stream};

#[derive(Default)]
struct Ledger {
    head: Option<Head>,
    records: Vec<Record>,
    appends: HashMap<Uuid, Span>,
    streams: HashMap<Stream, Vec<u64>>,
    tiles: HashMap<(u8, u64), TileRow>,
    bodies_dropped: bool,
}

/// The engine.
pub struct MemoryStore {
    ledgers: Mutex<BTreeMap<Uuid, Ledger>>,
    signers: Arc<dyn Signers>,
    changed: watch::Sender<u64>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(signers: Arc<dyn Signers>) -> MemoryStore {
        MemoryStore { ledgers: Mutex::default(), signers, changed: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Ledger>> {
        self.ledgers.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Changes a stored record behind the checks, as an intruder would. For tests of what notices it.
    pub fn tamper(&self, ledger: Uuid, position: u64, change: impl FnOnce(&mut Record)) {
        let mut ledgers = self.lock();
        if let Some(record) = ledgers.get_mut(&ledger).and_then(|l| l.records.get_mut(position as usize)) {
            change(record);
        }
    }

    fn commit_now(&self, batch: &[Append]) -> Vec<Outcome> {
        let mut ledgers = self.lock();
        let Ok(plan) = plan(&mut *ledgers, batch, &*self.signers);
        let changed = !plan.commits.is_empty();
        for commit in plan.commits {
            let ledger = ledgers.entry(commit.head.ledger).or_default();
            ledger.add(commit);
        }
        drop(ledgers);
        if changed {
            self.changed.send_modify(|n| *n += 1);
        }
        plan.outcomes
    }

    /// Runs `read` on a ledger; a ledger that does not exist reads as the default.
    fn with<T: Default>(&self, ledger: Uuid, read: impl FnOnce(&Ledger) -> Read<T>) -> Read<T> {
        self.lock().get(&ledger).map_or_else(|| Ok(T::default()), read)
    }
}

impl Ledger {
    fn add(&mut self, commit: Commit) {
        for leaf in commit.leaves {
            self.streams.entry(leaf.stream).or_default().push(leaf.position);
            let first = leaf.position - u64::from(leaf.index);
            let span = Span { first, last: first + u64::from(leaf.count) - 1 };
            self.appends.insert(leaf.append_id, span);
        }
        self.records.extend(commit.records);
        self.head = Some(commit.head);
    }

    fn page(&self, ledger: Uuid, from: u64, limit: usize) -> Read<Vec<Record>> {
        let Some(head) = &self.head else { return Ok(vec![]) };
        let start = usize::try_from(from).map_or(self.records.len(), |at| at.min(self.records.len()));
        let end = start.saturating_add(limit).min(self.records.len());
        let last_hash = match self.records.get(end) {
            Some(next) => Leaf::decode(&next.leaf).map_err(|e| damaged(ledger, end as u64, e.0))?.prev,
            None => head.last,
        };
        let before = start.checked_sub(1).map(|at| self.records[at].leaf.clone());
        let records = self.records[start..end].to_vec();
        if records.is_empty() {
            return Ok(records);
        }
        Page { first: from, before, records, last_hash, bodies_dropped: self.bodies_dropped }.check(ledger)
    }
}

fn damaged(ledger: Uuid, position: u64, reason: &str) -> StoreError {
    StoreError::Damaged { ledger, position, reason: reason.to_owned() }
}

impl View for BTreeMap<Uuid, Ledger> {
    type Error = Infallible;

    fn head(&mut self, ledger: Uuid) -> Result<Option<Head>, Infallible> {
        Ok(self.get(&ledger).and_then(|l| l.head.clone()))
    }

    fn find_append(&mut self, ledger: Uuid, append_id: Uuid) -> Result<Read<Option<Span>>, Infallible> {
        Ok(Ok(self.get(&ledger).and_then(|l| l.appends.get(&append_id).copied())))
    }

    fn version(&mut self, ledger: Uuid, stream: &Stream) -> Result<Option<u64>, Infallible> {
        let positions = self.get(&ledger).and_then(|l| l.streams.get(stream));
        Ok(positions.and_then(|p| (p.len() as u64).checked_sub(1)))
    }
}

impl Store for MemoryStore {
    fn commit(&self, batch: Vec<Append>) -> Pending<'_, Vec<Outcome>> {
        Box::pin(async move { self.commit_now(&batch) })
    }

    fn head(&self, ledger: Uuid) -> Pending<'_, Read<Option<Head>>> {
        Box::pin(async move { self.with(ledger, |l| Ok(l.head.clone())) })
    }

    fn heads(&self, after: Option<Uuid>, limit: usize) -> Pending<'_, Read<Vec<Head>>> {
        Box::pin(async move {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            let ledgers = self.lock();
            Ok(ledgers.range((start, Bound::Unbounded)).filter_map(|(_, l)| l.head.clone()).take(limit).collect())
        })
    }

    fn read(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        Box::pin(async move { self.with(ledger, |l| l.page(ledger, from, limit)) })
    }

    fn stream_version(&self, ledger: Uuid, stream: Stream) -> Pending<'_, Read<Option<u64>>> {
        Box::pin(async move {
            let Ok(version) = self.lock().version(ledger, &stream);
            Ok(version)
        })
    }

    fn read_stream(&self, ledger: Uuid, stream: Stream, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        Box::pin(async move {
            self.with(ledger, |l| {
                let positions = l.streams.get(&stream).map_or(&[][..], Vec::as_slice);
                let skip = usize::try_from(from).unwrap_or(usize::MAX);
                let mut records = vec![];
                for (version, position) in (from..).zip(positions.iter().skip(skip).take(limit)) {
                    let record = l.page(ledger, *position, 1)?.remove(0);
                    page::check_in_stream(&record, ledger, *position, &stream, version)?;
                    records.push(record);
                }
                Ok(records)
            })
        })
    }

    fn find_append(&self, ledger: Uuid, append_id: Uuid) -> Pending<'_, Read<Option<Span>>> {
        Box::pin(async move { self.with(ledger, |l| Ok(l.appends.get(&append_id).copied())) })
    }

    fn indexed(&self, ledger: Uuid, size: u64) -> Pending<'_, Read<Indexed>> {
        Box::pin(async move {
            self.with(ledger, |l| {
                let below = usize::try_from(size).map_or(l.records.len(), |size| size.min(l.records.len()));
                Ok(Indexed {
                    appends: l.appends.values().filter(|span| span.first < size).count() as u64,
                    streamed: l.streams.values().flatten().filter(|position| **position < size).count() as u64,
                    commits: l.records[..below].iter().filter(|record| record.signature.is_some()).count() as u64,
                })
            })
        })
    }

    fn tile(&self, ledger: Uuid, level: u8, index: u64) -> Pending<'_, Read<Option<TileRow>>> {
        Box::pin(async move { self.with(ledger, |l| Ok(l.tiles.get(&(level, index)).cloned())) })
    }

    fn put_tiles(&self, ledger: Uuid, tiles: Vec<TileRow>) -> Pending<'_, Read<()>> {
        Box::pin(async move {
            let mut ledgers = self.lock();
            let known = ledgers.entry(ledger).or_default();
            known.tiles.extend(tiles.into_iter().map(|tile| ((tile.level, tile.index), tile)));
            Ok(())
        })
    }

    fn drop_bodies(&self, ledger: Uuid) -> Pending<'_, Read<()>> {
        Box::pin(async move {
            let mut ledgers = self.lock();
            let known = ledgers.get_mut(&ledger).filter(|l| l.head.as_ref().is_some_and(|h| h.closed));
            let known =
                known.ok_or_else(|| StoreError::Unavailable("only a closed ledger's bodies may be dropped".into()))?;
            known.bodies_dropped = true;
            for record in &mut known.records {
                page::drop_body(record);
            }
            Ok(())
        })
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
