//! Ledgers in an EventStoreDB or KurrentDB cluster: one stream per ledger, every read from a local mirror.
//!
//! How a ledger maps onto its stream is in `docs/EVENTSTORE.md`. Invariants:
//! * The one commit point is the cluster's answer to one append call, and one call is one commit. The expected revision is
//!   the compare-and-swap: two commits on one head cannot both be written.
//! * The server knows an event by its id and number and never looks at its bytes. The id is made from the leaf hash, so
//!   that "it is there already" can only be said of the same record.
//! * A commit whose outcome is not known is sent again with the same bytes until it is. Nothing else is built for its ledger
//!   meanwhile.
//! * [`Inner::catch_up`] is the only way into the mirror: what the cluster holds, whole commits, checked; also for our own.
//!   A caller is answered after its records are in the mirror.

mod cluster;
mod follow;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::mirror::{Mirror, received, replaces_the_signer};
use super::{Append, Head, Indexed, Outcome, Pending, Read, Signers, Span, Store, StoreError, TileRow};
use crate::chain::Commit;
use crate::clear::{Clear, OPENED, VERSION};
use crate::record::{Hash, MAX_RECORDS, Record, Stream};
use crate::sign::PublicKey;
use cluster::{Answer, Cluster, Prepared, Records, lock, unavailable};

/// How long a ledger's write may take before its outcome is called unknown. A call with many ledgers may take longer, as long
/// as the cluster keeps answering.
const PATIENCE: Duration = Duration::from_secs(2);
/// Append calls under way at once; servers allow 100 streams on a connection.
const CALLS: usize = 64;
/// First and longest pause before the same is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// Most bytes that are gathered for one write of the mirror.
const MIRROR_BYTES: usize = 4 << 20;

/// Why the engine cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The connection string cannot be read.
    #[error("not a connection string (esdb://user:password@host:2113,host:2113?tls=true): {0}")]
    Url(String),
    /// Another machine would be reached without TLS, or without its certificate being checked.
    #[error("off this machine {0} must be reached over TLS, with its certificate checked")]
    InClear(String),
    /// The client installs a TLS provider for the whole process, and panics in the background if there is one already.
    #[error(
        "a default TLS provider was installed before the EventStoreDB client; build own TLS with a provider instead"
    )]
    TlsProvider,
    /// No thread for the follower.
    #[error("no thread to follow the cluster: {0}")]
    Thread(std::io::Error),
}

/// Can a cluster be reached by this connection string? Connects to nobody.
pub fn check_url(url: &str) -> Result<(), OpenError> {
    cluster::settings(url).map(drop)
}

/// The engine.
pub struct EventStoreStore {
    inner: Arc<Inner>,
    stop: watch::Sender<bool>,
    follower: Mutex<mpsc::Receiver<()>>,
}

struct Inner {
    cluster: Cluster,
    mirror: Arc<dyn Mirror>,
    signers: Arc<dyn Signers>,
    // What each ledger has under way. The lock is held from planning to the last answer.
    ledgers: Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<Option<Prepared>>>>>,
    room: Arc<Semaphore>,
    // When the cluster last gave a certain answer to a write.
    answered: Mutex<Instant>,
    caught_up: watch::Sender<bool>,
}

/// A commit that cannot be settled now.
enum Unsettled {
    Never(String),
    Unknown(String),
}

impl EventStoreStore {
    /// The engine on a cluster, with `mirror` as the place of every read. It connects when it must, and goes on while the
    /// cluster is away. Call it on a tokio runtime.
    pub fn open(url: &str, mirror: impl Mirror, signers: Arc<dyn Signers>) -> Result<EventStoreStore, OpenError> {
        EventStoreStore::open_named(url, "keiin", mirror, signers)
    }

    /// The same for one of several deployments on a cluster: the streams are called `<name>-<ledger>`.
    pub fn open_named(
        url: &str,
        name: &str,
        mirror: impl Mirror,
        signers: Arc<dyn Signers>,
    ) -> Result<EventStoreStore, OpenError> {
        let inner = Arc::new(Inner {
            cluster: Cluster::new(url, name)?,
            mirror: Arc::new(mirror),
            signers,
            ledgers: Mutex::default(),
            room: Arc::new(Semaphore::new(CALLS)),
            answered: Mutex::new(Instant::now()),
            caught_up: watch::Sender::new(false),
        });
        let stop = watch::Sender::new(false);
        let (ended, follower) = mpsc::channel();
        let (following, stopped) = (inner.clone(), stop.subscribe());
        // On a thread of its own: see `cluster::News::next`.
        let thread = std::thread::Builder::new().name("eventstore-follow".to_owned());
        let run = move || {
            following.cluster.runtime().block_on(following.follow(stopped));
            drop(ended);
        };
        thread.spawn(run).map_err(OpenError::Thread)?;
        Ok(EventStoreStore { inner, stop, follower: Mutex::new(follower) })
    }

    /// Resolves once the mirror holds what the cluster held when it was first reached. Before that, reads may miss records
    /// that other nodes wrote; start nothing that compares the log with an anchor.
    pub async fn caught_up(&self) {
        // The sender lives as long as `self`.
        let _ = self.inner.caught_up.subscribe().wait_for(|done| *done).await;
    }
}

impl Drop for EventStoreStore {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // It has the mirror, which somebody may want to open again. It stops at once, unless it cannot: see `News::next`.
        let _ = lock(&self.follower).recv_timeout(PATIENCE);
    }
}

impl Inner {
    /// Sends a commit until it is known whether it was written, and brings the mirror to what the cluster then holds.
    async fn settle(&self, ledger: Uuid, commit: &Prepared, deadline: Instant) -> Result<bool, Unsettled> {
        let mut pause = PAUSES.0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // An answer that was lost leaves time for a second call.
            let answer = self.cluster.append(ledger, commit, left.min(PATIENCE / 2)).await;
            let landed = matches!(answer, Answer::Landed);
            if !matches!(answer, Answer::Unknown(_)) {
                *lock(&self.answered) = Instant::now();
            }
            let reason = match answer {
                Answer::Landed | Answer::Lost => match timeout_at(deadline, self.catch_up(ledger)).await {
                    Ok(Ok(size)) if landed && size >= commit.size() => return Ok(true),
                    Ok(Ok(size)) if !landed && size > commit.first => return Ok(false),
                    Ok(Ok(size)) => {
                        unavailable(format!("its stream and the mirror do not meet at {size}; was it restored?"))
                            .to_string()
                    }
                    Ok(Err(error @ StoreError::Damaged { .. })) => return Err(Unsettled::Unknown(error.to_string())),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => unavailable("no answer").to_string(),
                },
                Answer::Never(reason) => return Err(Unsettled::Never(reason)),
                Answer::Unknown(reason) => reason,
            };
            if Instant::now() + pause >= deadline {
                return Err(Unsettled::Unknown(reason));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Takes what the cluster holds beyond the mirror into the mirror. Returns the ledger's size there.
    async fn catch_up(&self, ledger: Uuid) -> Read<u64> {
        let mut head = self.mirror.head(ledger).await?.unwrap_or_else(|| Head::empty(ledger));
        let mut records = self.cluster.records(ledger, head.size).await?;
        let (mut whole, mut bytes) = (vec![], 0);
        let ended = loop {
            match self.next_commit(&head, &mut records).await {
                Ok(Some(commit)) => {
                    bytes += commit
                        .records
                        .iter()
                        .map(|r| r.leaf.len() + r.body.as_ref().map_or(0, Vec::len))
                        .sum::<usize>();
                    head = commit.head.clone();
                    whole.push(commit);
                }
                Ok(None) => break Ok(head.size),
                Err(error) => break Err(error),
            }
            // The recovery key of a ledger is looked for in the mirror: its first record goes there at once.
            if bytes > MIRROR_BYTES || whole[0].spans[0].first == 0 {
                self.mirror.apply(std::mem::take(&mut whole)).await?;
                bytes = 0;
            }
        };
        // What came before the damage is sound.
        if !whole.is_empty() {
            self.mirror.apply(whole).await?;
        }
        ended
    }

    /// Records up to the next signature, checked as the commit after `head`.
    async fn next_commit(&self, head: &Head, records: &mut Records<'_>) -> Read<Option<Commit>> {
        let mut open = vec![];
        while let Some(stored) = records.next().await? {
            let damaged = |reason: &str| StoreError::Damaged {
                ledger: head.ledger,
                position: stored.revision,
                reason: format!("the cluster's event {reason}"),
            };
            if stored.revision != head.size + open.len() as u64 {
                return Err(damaged("does not follow the last one; was the stream cut?"));
            }
            let Some(record) = stored.record else { return Err(damaged("is no record")) };
            let signed = record.signature.is_some();
            open.push(record);
            if signed {
                return self.check(head, open).await.map(Some);
            }
            if open.len() == MAX_RECORDS {
                return Err(damaged("ends no commit, nor do those before it"));
            }
        }
        Ok(None)
    }

    /// What every mirror asks of a commit.
    async fn check(&self, head: &Head, records: Vec<Record>) -> Read<Commit> {
        let replaced = records.first().is_some_and(replaces_the_signer);
        let recovery = if replaced { self.recovery_key(head.ledger).await? } else { None };
        received(head, recovery, records)
    }

    async fn recovery_key(&self, ledger: Uuid) -> Read<Option<PublicKey>> {
        let first = self.mirror.read(ledger, 0, 1).await?.into_iter().next();
        let opened = first.and_then(|record| Clear::parse(OPENED, VERSION, record.body.as_deref()?).ok());
        Ok(if let Some(Clear::Opened { recovery, .. }) = opened { recovery } else { None })
    }
}

impl Store for EventStoreStore {
    fn commit(&self, batch: Vec<Append>) -> Pending<'_, Vec<Outcome>> {
        let begun = Instant::now();
        Box::pin(async move {
            let mut parts: HashMap<Uuid, (Vec<usize>, Vec<Append>)> = HashMap::new();
            let mut outcomes = vec![Outcome::Unknown("the engine has stopped".to_owned()); batch.len()];
            for (at, append) in batch.into_iter().enumerate() {
                let part = parts.entry(append.ledger).or_default();
                part.0.push(at);
                part.1.push(append);
            }
            let mut calls = JoinSet::new();
            for (ledger, (places, appends)) in parts {
                let inner = self.inner.clone();
                calls.spawn(async move {
                    let _room = inner.room.clone().acquire_owned().await;
                    let deadline = begun.max(*lock(&inner.answered)) + PATIENCE;
                    (places, inner.write(ledger, appends, deadline).await)
                });
            }
            while let Some(call) = calls.join_next().await {
                let Ok((places, answers)) = call else { continue };
                for (at, outcome) in places.into_iter().zip(answers) {
                    outcomes[at] = outcome;
                }
            }
            outcomes
        })
    }

    fn head(&self, ledger: Uuid) -> Pending<'_, Read<Option<Head>>> {
        self.inner.mirror.head(ledger)
    }

    fn heads(&self, after: Option<Uuid>, limit: usize) -> Pending<'_, Read<Vec<Head>>> {
        self.inner.mirror.heads(after, limit)
    }

    fn read(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        self.inner.mirror.read(ledger, from, limit)
    }

    fn leaf_hashes(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Hash>>> {
        self.inner.mirror.leaf_hashes(ledger, from, limit)
    }

    fn stream_version(&self, ledger: Uuid, stream: Stream) -> Pending<'_, Read<Option<u64>>> {
        self.inner.mirror.stream_version(ledger, stream)
    }

    fn read_stream(&self, ledger: Uuid, stream: Stream, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        self.inner.mirror.read_stream(ledger, stream, from, limit)
    }

    /// Found is durable: the mirror holds only what the cluster lets be read.
    fn find_append(&self, ledger: Uuid, append_id: Uuid) -> Pending<'_, Read<Option<Span>>> {
        self.inner.mirror.find_append(ledger, append_id)
    }

    fn indexed(&self, ledger: Uuid, size: u64) -> Pending<'_, Read<Indexed>> {
        self.inner.mirror.indexed(ledger, size)
    }

    fn broken(&self) -> Pending<'_, Read<Option<String>>> {
        self.inner.mirror.broken()
    }

    fn tile(&self, ledger: Uuid, level: u8, index: u64) -> Pending<'_, Read<Option<TileRow>>> {
        self.inner.mirror.tile(ledger, level, index)
    }

    fn put_tiles(&self, ledger: Uuid, tiles: Vec<TileRow>) -> Pending<'_, Read<()>> {
        self.inner.mirror.put_tiles(ledger, tiles)
    }

    /// From the mirror. The cluster cannot erase an event, so it keeps the sealed bytes; see `docs/EVENTSTORE.md`.
    fn drop_bodies(&self, ledger: Uuid) -> Pending<'_, Read<()>> {
        self.inner.mirror.drop_bodies(ledger)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.inner.mirror.changed()
    }
}
