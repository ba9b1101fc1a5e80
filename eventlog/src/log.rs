//! The log as its users hold it: appends of all ledgers are collected while the last commit is being written, and one
//! write answers everybody who waited. Drain, then sync: an append that comes alone is written at once, without a timer.
//!
//! Reads go straight to the store.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use uuid::Uuid;

use crate::record::{Hash, Record, Stream};
use crate::store::{Append, Head, Outcome, Read, Span, Store, StoreError, TileRow};

/// Most records in one write over all ledgers.
pub const MAX_GROUP_RECORDS: usize = 1_024;
/// Most bytes of leaves and bodies in one write over all ledgers, unless a single append is larger.
pub const MAX_GROUP_BYTES: usize = 4 << 20;
/// What is written next without a pause, in KiB that wait.
const ENOUGH_KIB: usize = 512;
/// Most KiB that wait or are being written; an append counts as 1 KiB at least. Beyond: [`Outcome::Busy`].
pub const MAX_WAITING_KIB: usize = 64 << 10;

struct Waiting {
    append: Append,
    answer: oneshot::Sender<Outcome>,
    _room: OwnedSemaphorePermit,
}

/// A handle; clones share the log.
#[derive(Clone)]
pub struct Log {
    store: Arc<dyn Store>,
    queue: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    refused: Arc<RwLock<HashMap<Uuid, String>>>,
    ended: Arc<RwLock<HashMap<Uuid, String>>>,
    fenced: Arc<RwLock<Option<String>>>,
}

impl Log {
    /// Starts the writer on the current tokio runtime. It ends when the last handle is dropped.
    pub fn open(store: Arc<dyn Store>) -> Log {
        let (queue, waiting) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(MAX_WAITING_KIB));
        tokio::spawn(write_groups(store.clone(), waiting, room.clone()));
        Log { store, queue, room, refused: Arc::default(), ended: Arc::default(), fenced: Arc::default() }
    }

    /// Writes one append. Dropping the future does not take the append back: sent again, it is found by its id.
    pub async fn append(&self, append: Append) -> Outcome {
        if let Err(e) = append.check() {
            return Outcome::Refused(e.0.to_owned());
        }
        if let Err(refused) = self.must_serve(append.ledger) {
            return Outcome::Refused(refused.to_string());
        }
        if let Some(reason) = self.ended.read().unwrap_or_else(|e| e.into_inner()).get(&append.ledger) {
            return Outcome::Refused(format!("ledger {} takes nothing more: {reason}", append.ledger));
        }
        if self.fenced.read().unwrap_or_else(|e| e.into_inner()).is_some() {
            return Outcome::Busy;
        }
        let (ledger, append_id) = (append.ledger, append.append_id);
        let kib = append.bytes().div_ceil(1024).max(1) as u32;
        let Ok(_room) = self.room.clone().try_acquire_many_owned(kib) else { return Outcome::Busy };
        let (answer, outcome) = oneshot::channel();
        let stopped = || Outcome::Unknown("the log's writer has stopped; restart the server".to_owned());
        if self.queue.send(Waiting { append, answer, _room }).is_err() {
            return stopped();
        }
        match outcome.await.unwrap_or_else(|_| stopped()) {
            // Found is durable here, or the store would not answer; not found proves nothing.
            Outcome::Unknown(reason) => match self.store.find_append(ledger, append_id).await {
                Ok(Some(span)) => Outcome::Known(span),
                _ => Outcome::Unknown(reason),
            },
            outcome => outcome,
        }
    }

    /// Neither reads nor writes this ledger any more: it contradicts its anchor. Other ledgers are served.
    pub fn refuse(&self, ledger: Uuid, reason: &str) {
        self.refused.write().unwrap_or_else(|e| e.into_inner()).insert(ledger, reason.to_owned());
    }

    /// Takes a refusal back.
    pub fn serve_again(&self, ledger: Uuid) {
        self.refused.write().unwrap_or_else(|e| e.into_inner()).remove(&ledger);
    }

    /// Writes nothing more to this ledger; it stays readable.
    pub fn end(&self, ledger: Uuid, reason: &str) {
        self.ended.write().unwrap_or_else(|e| e.into_inner()).insert(ledger, reason.to_owned());
    }

    /// Was [`Log::end`] said of it?
    pub fn has_ended(&self, ledger: Uuid) -> bool {
        self.ended.read().unwrap_or_else(|e| e.into_inner()).contains_key(&ledger)
    }

    /// Writes nothing to this store any more: it is not the newest of its replicas.
    pub fn fence(&self, reason: &str) {
        *self.fenced.write().unwrap_or_else(|e| e.into_inner()) = Some(reason.to_owned());
    }

    /// Takes [`Log::fence`] back.
    pub fn unfence(&self) {
        *self.fenced.write().unwrap_or_else(|e| e.into_inner()) = None;
    }

    /// Why a ledger is refused, if it is.
    pub fn refusal(&self, ledger: Uuid) -> Option<String> {
        self.refused.read().unwrap_or_else(|e| e.into_inner()).get(&ledger).cloned()
    }

    fn must_serve(&self, ledger: Uuid) -> Read<()> {
        let refused = |why| StoreError::Unavailable(format!("ledger {ledger} is refused: {why}"));
        self.refusal(ledger).map_or(Ok(()), |why| Err(refused(why)))
    }

    /// The engine itself, which serves refused ledgers as well: for those who look into them.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// See [`Store::head`].
    pub async fn head(&self, ledger: Uuid) -> Read<Option<Head>> {
        self.store.head(ledger).await
    }

    /// See [`Store::heads`].
    pub async fn heads(&self, after: Option<Uuid>, limit: usize) -> Read<Vec<Head>> {
        self.store.heads(after, limit).await
    }

    /// Every ledger, in the order of their ids.
    pub async fn ledgers(&self) -> Read<Vec<Uuid>> {
        let (mut ledgers, mut after) = (vec![], None);
        loop {
            let heads = self.heads(after, 1_000).await?;
            let Some(last) = heads.last() else { return Ok(ledgers) };
            after = Some(last.ledger);
            ledgers.extend(heads.iter().map(|head| head.ledger));
        }
    }

    /// See [`Store::read`].
    pub async fn read(&self, ledger: Uuid, from: u64, limit: usize) -> Read<Vec<Record>> {
        self.must_serve(ledger)?;
        self.store.read(ledger, from, limit).await
    }

    /// See [`Store::leaf_hashes`].
    pub async fn leaf_hashes(&self, ledger: Uuid, from: u64, limit: usize) -> Read<Vec<Hash>> {
        self.must_serve(ledger)?;
        self.store.leaf_hashes(ledger, from, limit).await
    }

    /// See [`Store::stream_version`].
    pub async fn stream_version(&self, ledger: Uuid, stream: &Stream) -> Read<Option<u64>> {
        self.must_serve(ledger)?;
        self.store.stream_version(ledger, stream.clone()).await
    }

    /// See [`Store::read_stream`].
    pub async fn read_stream(&self, ledger: Uuid, stream: &Stream, from: u64, limit: usize) -> Read<Vec<Record>> {
        self.must_serve(ledger)?;
        self.store.read_stream(ledger, stream.clone(), from, limit).await
    }

    /// See [`Store::find_append`].
    pub async fn find_append(&self, ledger: Uuid, append_id: Uuid) -> Read<Option<Span>> {
        self.must_serve(ledger)?;
        self.store.find_append(ledger, append_id).await
    }

    /// See [`Store::tile`].
    pub async fn tile(&self, ledger: Uuid, level: u8, index: u64) -> Read<Option<TileRow>> {
        self.must_serve(ledger)?;
        self.store.tile(ledger, level, index).await
    }

    /// Changes whenever something was committed. A follower reads up to the head, waits for this, and reads on.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.store.changed()
    }
}

async fn write_groups(store: Arc<dyn Store>, mut waiting: mpsc::UnboundedReceiver<Waiting>, room: Arc<Semaphore>) {
    let mut held: Option<Waiting> = None;
    loop {
        let first = match held.take() {
            Some(first) => first,
            None => match waiting.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let (mut records, mut bytes) = (first.append.drafts.len(), first.append.bytes());
        let mut group = vec![first];
        while let Ok(next) = waiting.try_recv() {
            records += next.append.drafts.len();
            bytes += next.append.bytes();
            if records > MAX_GROUP_RECORDS || bytes > MAX_GROUP_BYTES {
                held = Some(next);
                break;
            }
            group.push(next);
        }
        let mut answers = Vec::with_capacity(group.len());
        let mut batch = Vec::with_capacity(group.len());
        for Waiting { append, answer, _room } in group {
            batch.push(append);
            answers.push((answer, _room));
        }
        let outcomes = store.commit(batch).await;
        for ((answer, _room), outcome) in answers.into_iter().zip(outcomes) {
            // A caller that has gone away finds its append by the id.
            let _ = answer.send(outcome);
        }
        // Whoever was answered and has more to write gets into the next group, not into the one after it; unless so much
        // waits already that the disk would wait for them.
        if MAX_WAITING_KIB - room.available_permits() < ENOUGH_KIB {
            tokio::task::yield_now().await;
        }
    }
}
