//! An engine that fails on purpose, around any other one. For tests of everything above the store.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;
use uuid::Uuid;

use super::{Append, Head, Indexed, Outcome, Pending, Read, Span, Store, StoreError, TileRow};
use crate::record::{Record, Stream};

/// What goes wrong at a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing was written; the caller cannot know.
    Before,
    /// Everything was written; the caller cannot know.
    After,
}

/// Wraps an engine; commits are counted from 1.
pub struct FaultyStore<S> {
    inner: S,
    faults: Mutex<HashMap<u64, Fault>>,
    commits: AtomicU64,
    held: watch::Sender<bool>,
    // After a fault nothing tells a durable append from one that is about to vanish, until a commit has gone through.
    doubtful: AtomicBool,
}

impl<S: Store> FaultyStore<S> {
    /// No faults yet.
    pub fn new(inner: S) -> FaultyStore<S> {
        FaultyStore {
            inner,
            faults: Mutex::default(),
            commits: AtomicU64::new(0),
            held: watch::Sender::new(false),
            doubtful: AtomicBool::new(false),
        }
    }

    /// Lets commit number `at` (from 1) fail.
    pub fn fail(&self, at: u64, fault: Fault) {
        self.faults.lock().unwrap_or_else(|e| e.into_inner()).insert(at, fault);
    }

    /// How many commits have begun.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// Holds every commit that begins from now on, until [`FaultyStore::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets held commits go on.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// The engine inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn commit(&self, batch: Vec<Append>) -> Pending<'_, Vec<Outcome>> {
        Box::pin(async move {
            let at = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
            let _ = self.held.subscribe().wait_for(|held| !held).await;
            let fault = self.faults.lock().unwrap_or_else(|e| e.into_inner()).remove(&at);
            let unknown = vec![Outcome::Unknown(format!("fault injected at commit {at}")); batch.len()];
            self.doubtful.store(fault.is_some(), Ordering::SeqCst);
            match fault {
                None => self.inner.commit(batch).await,
                Some(Fault::Before) => unknown,
                Some(Fault::After) => {
                    self.inner.commit(batch).await;
                    unknown
                }
            }
        })
    }

    fn find_append(&self, ledger: Uuid, append_id: Uuid) -> Pending<'_, Read<Option<Span>>> {
        if self.doubtful.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Unavailable("a commit has just failed".to_owned())) });
        }
        self.inner.find_append(ledger, append_id)
    }

    fn indexed(&self, ledger: Uuid, size: u64) -> Pending<'_, Read<Indexed>> {
        self.inner.indexed(ledger, size)
    }

    fn broken(&self) -> Pending<'_, Read<Option<String>>> {
        self.inner.broken()
    }

    fn head(&self, ledger: Uuid) -> Pending<'_, Read<Option<Head>>> {
        self.inner.head(ledger)
    }

    fn heads(&self, after: Option<Uuid>, limit: usize) -> Pending<'_, Read<Vec<Head>>> {
        self.inner.heads(after, limit)
    }

    fn read(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        self.inner.read(ledger, from, limit)
    }

    fn stream_version(&self, ledger: Uuid, stream: Stream) -> Pending<'_, Read<Option<u64>>> {
        self.inner.stream_version(ledger, stream)
    }

    fn read_stream(&self, ledger: Uuid, stream: Stream, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        self.inner.read_stream(ledger, stream, from, limit)
    }

    fn tile(&self, ledger: Uuid, level: u8, index: u64) -> Pending<'_, Read<Option<TileRow>>> {
        self.inner.tile(ledger, level, index)
    }

    fn put_tiles(&self, ledger: Uuid, tiles: Vec<TileRow>) -> Pending<'_, Read<()>> {
        self.inner.put_tiles(ledger, tiles)
    }

    fn drop_bodies(&self, ledger: Uuid) -> Pending<'_, Read<()>> {
        self.inner.drop_bodies(ledger)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed()
    }
}
