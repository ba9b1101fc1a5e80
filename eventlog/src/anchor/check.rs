//! Holding the log against the anchor: at start, when something does not fit, and when an operator lets a ledger go on
//! after a loss.

use std::fmt;
use std::sync::Arc;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::tiler::CHUNK;
use super::{AnchorError, Anchored, Anchorer, Answer};
use crate::chain::{Append, Draft, Head};
use crate::checkpoint::Origin;
use crate::clear::{self, Clear};
use crate::kept::FatalHook;
use crate::record::{Leaf, Party, Stream};
use crate::store::{Outcome, StoreError};
use crate::tree::Frontier;

/// Ledgers that are checked side by side at start.
const SIDE_BY_SIDE: usize = 4;

/// Why a ledger is not served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Anchored records are gone: an old copy of the log was put back, or its end was cut off.
    RolledBack {
        /// How many.
        missing: u64,
    },
    /// The stored leaves do not give the anchored root: somebody changed records.
    Changed {
        /// The anchored size.
        size: u64,
        /// The first position that does not fit, if it is known.
        position: Option<u64>,
    },
    /// Stored bytes do not hold together: the scrub found it.
    Damaged {
        /// The first position that is wrong, if it is known.
        position: Option<u64>,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::RolledBack { missing } => {
                write!(
                    f,
                    "rolled back, {missing} events below the checkpoint; put the newest log back, or let it go on as a new generation with `keiin restore`"
                )
            }
            Refusal::Changed { size, position: Some(position) } => {
                write!(
                    f,
                    "changed at position {position}, below the checkpoint of {size} events; restore the log from a backup"
                )
            }
            Refusal::Changed { size, position: None } => {
                write!(f, "changed somewhere below the checkpoint of {size} events; restore the log from a backup")
            }
            Refusal::Damaged { position: Some(position), reason } => {
                write!(f, "damaged at position {position}: {reason}; restore the log from a backup")
            }
            Refusal::Damaged { position: None, reason } => {
                write!(f, "damaged: {reason}; restore the log from a backup")
            }
        }
    }
}

/// What an append needs that only the layer above has: the clock and a fresh id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The writer's clock, microseconds since 1970-01-01 UTC.
    pub time_us: u64,
    /// Never nil; the same again for a retry.
    pub append_id: Uuid,
}

impl Stamp {
    /// An append of the system itself with one `ledger.*` record.
    pub fn append(&self, ledger: Uuid, what: &Clear) -> Append {
        let stream = Stream::new(clear::STREAM, ledger);
        let draft = Draft {
            stream,
            event_kind: what.kind().to_owned(),
            event_version: clear::VERSION,
            sealed_epoch: None,
            body: what.encode(),
        };
        Append {
            ledger,
            append_id: self.append_id,
            time_us: self.time_us,
            actor: Party::SYSTEM,
            on_behalf_of: None,
            cause: None,
            expect: vec![],
            drafts: vec![draft],
        }
    }
}

impl Anchorer {
    pub(super) fn refusal(&self, ledger: Uuid) -> Option<Refusal> {
        self.refused.read().unwrap_or_else(|e| e.into_inner()).get(&ledger).cloned()
    }

    pub(super) fn must_serve(&self, ledger: Uuid) -> Answer<()> {
        self.refusal(ledger).map_or(Ok(()), |why| Err(AnchorError::Refused(ledger, why)))
    }

    /// Nobody writes or reads this ledger any more, until a restart with the right log or [`Anchorer::restore`].
    pub(super) fn refuse(&self, ledger: Uuid, why: Refusal) -> AnchorError {
        self.log.refuse(ledger, &why.to_string());
        self.refused.write().unwrap_or_else(|e| e.into_inner()).insert(ledger, why.clone());
        AnchorError::Refused(ledger, why)
    }

    /// Nobody reads or writes this ledger any more: the scrub found stored bytes that do not hold together.
    pub fn refuse_damaged(&self, ledger: Uuid, position: Option<u64>, reason: &str) {
        self.refuse(ledger, Refusal::Damaged { position, reason: reason.to_owned() });
    }

    /// Sets what is called once when a write to the anchor's file has failed and the process must end.
    pub fn on_fatal(&self, hook: FatalHook) {
        self.state.on_fatal(hook);
    }

    /// Ledgers that are refused, and why.
    pub fn refusals(&self) -> Vec<(Uuid, Refusal)> {
        let refused = self.refused.read().unwrap_or_else(|e| e.into_inner());
        refused.iter().map(|(ledger, why)| (*ledger, why.clone())).collect()
    }

    /// Is this ledger refused?
    pub fn is_refused(&self, ledger: Uuid) -> bool {
        self.refusal(ledger).is_some()
    }

    /// Every ledger that has a checkpoint, in the order of their ids.
    pub fn anchored_ledgers(&self) -> Vec<Uuid> {
        let latest = self.latest.read().unwrap_or_else(|e| e.into_inner());
        let mut ledgers: Vec<Uuid> = latest.keys().copied().collect();
        ledgers.sort_unstable();
        ledgers
    }

    /// An old vault is refused; a newer one is remembered. Call it after each erasure; the follower does, too.
    pub fn watch_vault(&self) -> Answer<()> {
        let Some(vault) = &self.vault else { return Ok(()) };
        let (vault, anchor) = (vault.generation()?, self.state.vault_generation()?);
        match vault.cmp(&anchor) {
            std::cmp::Ordering::Less => Err(AnchorError::OldVault { vault, anchor }),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => self.state.raise_vault_generation(vault),
        }
    }

    /// A database whose history is older than one that was seen is a former primary: another server was promoted since,
    /// and has taken records that this one does not know. Nothing is written to it.
    pub async fn watch_history(&self) -> Answer<()> {
        let Some((system, timeline)) = self.log.store().history().await? else { return Ok(()) };
        let newest = self.state.newest_timeline(system, timeline, self.keys.is_some())?;
        if newest > timeline {
            self.log.fence(&format!("it is a former primary: timeline {timeline}, and {newest} was seen"));
            return Err(AnchorError::FormerPrimary { timeline, newest });
        }
        self.log.unfence();
        Ok(())
    }

    /// Ends a ledger here: it goes on in the deployment that is named. What it has stays readable.
    pub fn set_moved(&self, ledger: Uuid, to: &str) -> Answer<()> {
        self.state.set_moved(ledger, to)?;
        self.log.end(ledger, &moved(to));
        Ok(())
    }

    /// Checks every anchored ledger.
    pub(super) async fn check_all(self: &Arc<Self>) -> Answer<()> {
        let ledgers: Vec<Uuid> = self.latest.read().unwrap_or_else(|e| e.into_inner()).keys().copied().collect();
        let mut tasks: JoinSet<Answer<()>> = JoinSet::new();
        for ledger in ledgers {
            if tasks.len() >= SIDE_BY_SIDE {
                settle(tasks.join_next().await)?;
            }
            let this = self.clone();
            tasks.spawn(async move { this.verify_anchored(ledger).await });
        }
        while let Some(done) = tasks.join_next().await {
            settle(Some(done))?;
        }
        Ok(())
    }

    /// Computes the root at the anchored size again from stored leaf bytes. A ledger that does not give it is refused.
    pub async fn verify_anchored(&self, ledger: Uuid) -> Answer<()> {
        let Some(anchored) = self.latest(ledger) else { return Ok(()) };
        let store = self.log.store();
        let size = store.head(ledger).await?.map_or(0, |head| head.size);
        let generation = store.head(ledger).await?.map_or(0, |head| head.generation);
        if generation > anchored.generation {
            let head = store.head(ledger).await?.ok_or(AnchorError::NoLedger(ledger))?;
            return self.check_restored(&anchored, &head).await;
        }
        if size < anchored.size {
            return Err(self.refuse(ledger, Refusal::RolledBack { missing: anchored.size - size }));
        }
        let mut tree = Frontier::new();
        let mut last = None;
        while tree.size() < anchored.size {
            let count = (anchored.size - tree.size()).min(CHUNK) as usize;
            let hashes = match store.leaf_hashes(ledger, tree.size(), count).await {
                Ok(hashes) => hashes,
                Err(StoreError::Damaged { position, .. }) => {
                    let why = Refusal::Changed { size: anchored.size, position: Some(position) };
                    return Err(self.refuse(ledger, why));
                }
                Err(other) => return Err(other.into()),
            };
            last = hashes.last().copied();
            hashes.into_iter().for_each(|hash| tree.append(hash));
        }
        if let Some(head) = store.head(ledger).await?.filter(|head| head.size == anchored.size) {
            let newest = store.read(ledger, head.size - 1, 1).await;
            if let Err(error) = newest.and_then(|newest| crate::scrub::check_head(&head, newest.first())) {
                let StoreError::Damaged { position, reason, .. } = error else { return Err(error.into()) };
                return Err(self.refuse(ledger, Refusal::Damaged { position: Some(position), reason }));
            }
        }
        if tree.root() != anchored.root || last != Some(anchored.head) {
            let position = self.first_difference(&anchored).await?;
            return Err(self.refuse(ledger, Refusal::Changed { size: anchored.size, position }));
        }
        Ok(())
    }

    /// Where the stored leaves leave the tiles that were written with them: a hint, as tiles can be changed as well.
    async fn first_difference(&self, anchored: &Anchored) -> Answer<Option<u64>> {
        let (store, mut at) = (self.log.store(), 0);
        while at < anchored.size {
            let hashes = store.leaf_hashes(anchored.ledger, at, 256).await?;
            let Some(tile) = store.tile(anchored.ledger, 0, at / 256).await? else { return Ok(None) };
            if let Some(n) = hashes.iter().zip(&tile.hashes).position(|(stored, tiled)| stored != tiled) {
                return Ok(Some(at + n as u64));
            }
            at += 256;
        }
        Ok(None)
    }

    /// A ledger of the next generation must say in its own words what it lost.
    pub(super) async fn check_restored(&self, anchored: &Anchored, head: &Head) -> Answer<()> {
        let (store, ledger) = (self.log.store(), anchored.ledger);
        let stream = Stream::new(clear::STREAM, ledger);
        let mut from = 0;
        loop {
            let records = store.read_stream(ledger, stream.clone(), from, 100).await?;
            if records.is_empty() {
                return Err(self.refuse(ledger, Refusal::Changed { size: anchored.size, position: None }));
            }
            from += records.len() as u64;
            for record in records {
                let (Ok(leaf), Some(body)) = (Leaf::decode(&record.leaf), &record.body) else { continue };
                let says = Clear::parse(&leaf.event_kind, leaf.event_version, body);
                if let Ok(Clear::Restored { lost_size, lost_root, .. }) = says {
                    let next = leaf.generation == anchored.generation + 1 && head.generation == leaf.generation;
                    if next && (lost_size, lost_root) == (anchored.size, anchored.root) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Lets a refused ledger go on as a new generation, after an operator has said that what is missing stays missing.
    /// Its next record says what had been anchored; auditors who hold the old checkpoint see the break.
    pub async fn restore(&self, ledger: Uuid, stamp: Stamp) -> Answer<Arc<Anchored>> {
        let anchored = self.latest(ledger).ok_or(AnchorError::NoLedger(ledger))?;
        if self.refusal(ledger).is_none() {
            return Err(AnchorError::File(format!(
                "ledger {ledger} agrees with its anchor; there is nothing to restore"
            )));
        }
        let store = self.log.store();
        let head = store.head(ledger).await?.ok_or(AnchorError::NoLedger(ledger))?;
        // What is there must hold together, or no signature should stand behind it.
        let mut at = 0;
        while at < head.size {
            at += store.leaf_hashes(ledger, at, CHUNK as usize).await?.len() as u64;
        }
        let generation =
            anchored.generation.checked_add(1).ok_or(AnchorError::File("no generation left".to_owned()))?;
        let origin = Origin::new(&self.log_name, ledger, generation).map_err(|e| AnchorError::File(e.to_string()))?;
        let restored = Clear::Restored { origin, lost_size: anchored.size, lost_root: anchored.root };
        let outcome = store.commit(vec![stamp.append(ledger, &restored)]).await;
        match outcome.first() {
            Some(Outcome::Committed(_) | Outcome::Known(_)) => {}
            other => return Err(AnchorError::File(format!("ledger.restored could not be written: {other:?}"))),
        }
        self.refused.write().unwrap_or_else(|e| e.into_inner()).remove(&ledger);
        self.log.serve_again(ledger);
        self.anchor_now(ledger).await
    }
}

pub(super) fn moved(to: &str) -> String {
    format!("it was moved to {to}; use it there")
}

/// A refused ledger is not the caller's trouble; anything else is.
fn settle(done: Option<Result<Answer<()>, tokio::task::JoinError>>) -> Answer<()> {
    match done {
        Some(Ok(Ok(()))) | Some(Ok(Err(AnchorError::Refused(..)))) | None => Ok(()),
        Some(Ok(Err(error))) => Err(error),
        Some(Err(panic)) => Err(AnchorError::File(panic.to_string())),
    }
}
