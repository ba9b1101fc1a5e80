//! The anchor: what each ledger's last checkpoint said, kept apart from the log, so that an old log cannot pass for the
//! newest; and the task that signs checkpoints and grows the tiles that proofs are made from.
//!
//! Invariants:
//! * No checkpoint and no proof leaves here before the anchor holds it.
//! * A checkpoint is signed only over leaves that were read back from the store, twice, and that continue what was
//!   anchored before.
//! * A ledger whose stored leaves do not give the anchored root is refused; the others serve.

mod check;
mod state;
mod tiler;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

pub use self::check::{Refusal, Stamp};
use self::state::State;
pub use self::tiler::{Fetched, Miss};
use crate::chain::Head;
use crate::checkpoint::{Checkpoint, Origin};
use crate::kept::Place;
use crate::keys::Keyring;
use crate::log::Log;
use crate::note::Note;
use crate::proof::Proof;
use crate::record::Hash;
use crate::sql::{OpenError, SqlError};
use crate::store::StoreError;
use crate::tiles::{Edge, TileError, TiledTree};
use crate::tree;
use crate::vault::{Vault, VaultError};

/// How long changes are collected before they are anchored.
const PACE: Duration = Duration::from_millis(250);
/// Ledgers that are prepared side by side and anchored by one write.
const SIDE_BY_SIDE: usize = 64;
/// Right edges kept in memory, at most about 10 KiB each.
const EDGES: usize = 1_000;

/// A ledger as the anchor holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchored {
    /// The tenant.
    pub ledger: Uuid,
    /// Generation of the last record.
    pub generation: u16,
    /// Number of records.
    pub size: u64,
    /// Leaf hash of the last record.
    pub head: Hash,
    /// Root over all of them.
    pub root: Hash,
    /// The signed checkpoint that says so.
    pub checkpoint: Note,
}

/// Hashes that show the tree of `from` leaves to be the beginning of the tree of `to` leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consistency {
    /// Smaller size.
    pub from: u64,
    /// Larger size.
    pub to: u64,
    /// Root at `from`.
    pub root_from: Hash,
    /// Root at `to`.
    pub root_to: Hash,
    /// The proof.
    pub hashes: Vec<Hash>,
}

/// Why there is no checkpoint or proof.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// Reading the log failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger contradicts its anchor.
    #[error("ledger {0} is refused: {1}")]
    Refused(Uuid, Refusal),
    /// There is no such ledger.
    #[error("there is no ledger {0}")]
    NoLedger(Uuid),
    /// The ledger ends before that.
    #[error("the ledger has {0} records")]
    Beyond(u64),
    /// The key files do not hold the ledger's signer.
    #[error("the signing key of ledger {0} is not in the key directory; put it back from your key backup")]
    NoSigner(Uuid),
    /// Another server, a failed write, a wrong row.
    #[error("anchor: {0}")]
    File(String),
    /// An old copy of the vault was put back.
    #[error(
        "this vault is of generation {vault}, the anchor has seen {anchor}: an old copy, in which erased persons still have keys; put the newest vault back, or run `keiin restore`"
    )]
    OldVault {
        /// The vault's.
        vault: u64,
        /// The anchor's.
        anchor: u64,
    },
    /// The log's database is not the newest of its replicas.
    #[error(
        "the log's database is a former primary (timeline {timeline}, and {newest} was seen): connect to the server that was promoted"
    )]
    FormerPrimary {
        /// Its timeline.
        timeline: i64,
        /// The newest that was seen.
        newest: i64,
    },
    /// The vault did not answer.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<SqlError> for AnchorError {
    fn from(error: SqlError) -> AnchorError {
        AnchorError::File(error.to_string())
    }
}

/// Result of a call.
pub type Answer<T> = Result<T, AnchorError>;

type EdgeSlot = Arc<AsyncMutex<Option<Edge>>>;

/// Anchors ledgers and proves from what is anchored.
pub struct Anchorer {
    state: Arc<State>,
    log: Log,
    vault: Option<Arc<Vault>>,
    keys: Option<Arc<Keyring>>,
    log_name: String,
    latest: RwLock<HashMap<Uuid, Arc<Anchored>>>,
    edges: Mutex<HashMap<Uuid, EdgeSlot>>,
    refused: RwLock<HashMap<Uuid, Refusal>>,
    trouble: Mutex<Option<String>>,
    anchored: watch::Sender<u64>,
}

/// A checkpoint that was signed and waits for the anchor.
struct Prepared {
    from: Option<Anchored>,
    to: Anchored,
    edge: Edge,
    slot: OwnedMutexGuard<Option<Edge>>,
}

impl Anchorer {
    /// Opens the anchor's file and holds every anchored ledger against it: the root is computed again from stored leaf
    /// bytes. A ledger that contradicts it is refused from here on ([`Anchorer::refusals`]), in the log as well.
    pub async fn open(
        place: impl Into<Place>,
        log: Log,
        vault: Arc<Vault>,
        keys: Arc<Keyring>,
        log_name: &str,
    ) -> Answer<Arc<Anchorer>> {
        let mut anchorer = Anchorer::with(State::open(&place.into())?, log, log_name)?;
        (anchorer.vault, anchorer.keys) = (Some(vault), Some(keys));
        anchorer.watch_vault()?;
        anchorer.watch_history().await?;
        let anchorer = Arc::new(anchorer);
        anchorer.check_all().await?;
        Ok(anchorer)
    }

    /// Opens the anchor beside the process that writes it: for exports and checks. It proves, and signs nothing.
    pub fn open_reader(place: impl Into<Place>, log: Log, log_name: &str) -> Answer<Arc<Anchorer>> {
        Ok(Arc::new(Anchorer::with(State::open_reader(&place.into())?, log, log_name)?))
    }

    fn with(state: State, log: Log, log_name: &str) -> Answer<Anchorer> {
        let latest = state.all()?.into_iter().map(|anchored| (anchored.ledger, Arc::new(anchored))).collect();
        for (ledger, to) in state.moved()? {
            log.end(ledger, &check::moved(&to));
        }
        Ok(Anchorer {
            state: Arc::new(state),
            log,
            vault: None,
            keys: None,
            log_name: log_name.to_owned(),
            latest: RwLock::new(latest),
            edges: Mutex::default(),
            refused: RwLock::default(),
            trouble: Mutex::default(),
            anchored: watch::Sender::new(0),
        })
    }

    /// The last anchored state of a ledger, with its signed checkpoint.
    pub fn latest(&self, ledger: Uuid) -> Option<Arc<Anchored>> {
        self.latest.read().unwrap_or_else(|e| e.into_inner()).get(&ledger).cloned()
    }

    /// The signed checkpoint of exactly this size, if it was kept.
    pub fn checkpoint(&self, ledger: Uuid, size: u64) -> Answer<Option<Note>> {
        self.state.checkpoint(ledger, size)
    }

    /// Sizes that have a checkpoint in the current generation, newest first.
    pub fn checkpoint_sizes(&self, ledger: Uuid, limit: usize) -> Answer<Vec<u64>> {
        let generation = self.latest(ledger).map_or(1, |anchored| anchored.generation);
        self.state.sizes(ledger, generation, limit)
    }

    /// What the last round of anchoring could not do, for health checks.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Changes whenever something was anchored.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.anchored.subscribe()
    }

    /// Anchors whatever changes, for as long as the log is open. Spawn it once.
    pub async fn follow(self: Arc<Self>) {
        let mut changed = self.log.changed();
        loop {
            let trouble = self.clone().round().await.err().map(|e| e.to_string());
            let failed = trouble.is_some();
            *self.trouble.lock().unwrap_or_else(|e| e.into_inner()) = trouble;
            if failed {
                tokio::time::sleep(PACE * 4).await;
            } else if changed.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Anchors every ledger that has changed. One that fails does not hold up the others.
    async fn round(self: Arc<Self>) -> Answer<()> {
        self.watch_vault()?;
        self.watch_history().await?;
        let (mut after, mut worst) = (None, Ok(()));
        loop {
            let heads = self.log.heads(after, 1_000).await?;
            let Some(last) = heads.last() else { return worst };
            after = Some(last.ledger);
            let stale = heads.iter().filter(|head| {
                let known = self.latest(head.ledger);
                known.is_none_or(|known| (known.size, known.generation) != (head.size, head.generation))
                    && self.refusal(head.ledger).is_none()
                    // The last record of one that has moved is its new owner's to anchor.
                    && !self.log.has_ended(head.ledger)
            });
            let stale: Vec<Uuid> = stale.map(|head| head.ledger).collect();
            let stale = self.still_stale(stale, &heads).await?;
            for some in stale.chunks(SIDE_BY_SIDE) {
                let mut tasks = JoinSet::new();
                for ledger in some {
                    let (this, ledger) = (self.clone(), *ledger);
                    tasks.spawn(async move { this.prepare(ledger).await });
                }
                let mut ready = vec![];
                while let Some(done) = tasks.join_next().await {
                    match done.unwrap_or_else(|e| Err(AnchorError::File(e.to_string()))) {
                        Ok(prepared) => ready.extend(prepared),
                        Err(error) => worst = Err(error),
                    }
                }
                self.publish(ready).await?;
            }
        }
    }

    /// Other nodes anchor as well: takes over what they did, and answers what is left to do.
    async fn still_stale(&self, stale: Vec<Uuid>, heads: &[Head]) -> Answer<Vec<Uuid>> {
        if !self.state.is_shared() || stale.is_empty() {
            return Ok(stale);
        }
        self.reload(&stale).await?;
        let anchored = |ledger: Uuid| self.latest(ledger).map_or((0, 0), |known| (known.generation, known.size));
        let behind =
            |ledger: &Uuid| heads.iter().any(|h| h.ledger == *ledger && anchored(*ledger) < (h.generation, h.size));
        Ok(stale.into_iter().filter(behind).collect())
    }

    /// Reads again what the anchor holds of these ledgers.
    async fn reload(&self, ledgers: &[Uuid]) -> Answer<()> {
        let (state, ledgers) = (self.state.clone(), ledgers.to_vec());
        let rows = tokio::task::spawn_blocking(move || state.some(&ledgers)).await;
        let rows = rows.unwrap_or_else(|e| Err(AnchorError::File(e.to_string())))?;
        let mut latest = self.latest.write().unwrap_or_else(|e| e.into_inner());
        for row in rows {
            let newer = |known: &Arc<Anchored>| (known.generation, known.size) < (row.generation, row.size);
            if latest.get(&row.ledger).is_none_or(newer) {
                latest.insert(row.ledger, Arc::new(row));
            }
        }
        Ok(())
    }

    /// Anchors a ledger as it is now.
    pub async fn anchor_now(&self, ledger: Uuid) -> Answer<Arc<Anchored>> {
        if let Some(prepared) = self.prepare(ledger).await? {
            self.publish(vec![prepared]).await?;
        }
        self.latest(ledger).ok_or(AnchorError::NoLedger(ledger))
    }

    /// An anchored state that contains this position; anchors now if none does yet.
    pub async fn wait_for(&self, ledger: Uuid, position: u64) -> Answer<Arc<Anchored>> {
        self.must_serve(ledger)?;
        match self.latest(ledger) {
            Some(anchored) if anchored.size > position => Ok(anchored),
            Some(anchored) if self.keys.is_none() => Err(AnchorError::Beyond(anchored.size)),
            _ => {
                let anchored = self.anchor_now(ledger).await?;
                if anchored.size > position { Ok(anchored) } else { Err(AnchorError::Beyond(anchored.size)) }
            }
        }
    }

    /// The receipt of a record: its path to the newest anchored checkpoint.
    pub async fn proof(&self, ledger: Uuid, position: u64) -> Answer<Proof> {
        let anchored = self.wait_for(ledger, position).await?;
        let leaf = self.log.leaf_hashes(ledger, position, 1).await?;
        let leaf = leaf.first().ok_or(AnchorError::Beyond(anchored.size))?;
        let fits = |path: &Vec<Hash>| tree::verify_inclusion(position, anchored.size, leaf, path, &anchored.root);
        let path = self.proven(&anchored, |tree| tree.inclusion(position), fits).await?;
        Ok(Proof { extra: None, index: position, path, checkpoint: anchored.checkpoint.clone() })
    }

    /// Shows that the ledger of `to` records grew from the one of `from` records (0 < `from` ≤ `to` ≤ anchored size).
    pub async fn consistency(&self, ledger: Uuid, from: u64, to: u64) -> Answer<Consistency> {
        self.must_serve(ledger)?;
        let anchored = self.latest(ledger).ok_or(AnchorError::NoLedger(ledger))?;
        if from == 0 || from > to || to > anchored.size {
            return Err(AnchorError::Beyond(anchored.size));
        }
        let ask = |tree: &TiledTree<'_, Fetched>| {
            let (root_from, root_to) = (tree::root(tree, from)?, tree::root(tree, to)?);
            let proof = Consistency { from, to, root_from, root_to, hashes: tree::consistency(tree, from, to)? };
            Ok((proof, tree.consistency(to)?))
        };
        // The larger of the two is itself shown to lead to what was anchored.
        let fits = |(proof, onward): &(Consistency, Vec<Hash>)| {
            tree::verify_consistency(from, to, &proof.hashes, &proof.root_from, &proof.root_to)
                && tree::verify_consistency(to, anchored.size, onward, &proof.root_to, &anchored.root)
        };
        Ok(self.proven(&anchored, ask, fits).await?.0)
    }

    /// Runs `ask` on the anchored tree of a ledger: for evidence in exports. Its root was compared with the anchor.
    pub async fn with_tree<T>(
        &self,
        anchored: &Anchored,
        ask: impl Fn(&TiledTree<'_, Fetched>) -> Result<T, TileError<Miss>>,
    ) -> Answer<T> {
        self.must_serve(anchored.ledger)?;
        self.proven(anchored, |tree| Ok((tree.root()?, ask(tree)?)), |(root, _)| *root == anchored.root)
            .await
            .map(|(_, t)| t)
    }

    /// Asks the tiles; if they do not give what fits, builds them anew from the records and asks once more.
    async fn proven<T>(
        &self,
        anchored: &Anchored,
        ask: impl Fn(&TiledTree<'_, Fetched>) -> Result<T, TileError<Miss>>,
        fits: impl Fn(&T) -> bool,
    ) -> Answer<T> {
        let ledger = anchored.ledger;
        if let Some(found) = tiler::with_tree(&self.log, ledger, anchored.size, &ask).await?.filter(&fits) {
            return Ok(found);
        }
        {
            let mut slot = self.slot(ledger).lock_owned().await;
            let mut edge = Edge::new();
            tiler::grow(&self.log, ledger, &mut edge, anchored.size).await?;
            // The slot's own edge may be further ahead: let the next anchoring load it again.
            *slot = None;
            if edge.root() != anchored.root {
                return Err(self.refuse(ledger, Refusal::Changed { size: anchored.size, position: None }));
            }
        }
        let found = tiler::with_tree(&self.log, ledger, anchored.size, &ask).await?.filter(&fits);
        found.ok_or_else(|| AnchorError::File(format!("ledger {ledger}: its tiles cannot be built")))
    }

    fn slot(&self, ledger: Uuid) -> EdgeSlot {
        let mut edges = self.edges.lock().unwrap_or_else(|e| e.into_inner());
        if edges.len() > EDGES {
            edges.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        edges.entry(ledger).or_default().clone()
    }

    /// Signs a checkpoint of the ledger as it is now; `None` = the anchor holds it already.
    async fn prepare(&self, ledger: Uuid) -> Answer<Option<Prepared>> {
        self.must_serve(ledger)?;
        let keys = self.keys.as_ref().ok_or_else(|| AnchorError::File("opened for reading only".to_owned()))?;
        let mut slot = self.slot(ledger).lock_owned().await;
        // In this order: with other nodes at work, the log may only have grown since it was anchored.
        let from = self.latest(ledger);
        let head = self.log.head(ledger).await?.ok_or(AnchorError::NoLedger(ledger))?;
        let mut edge = match &from {
            None => Edge::new(),
            Some(from) if (from.size, from.generation) == (head.size, head.generation) => return Ok(None),
            Some(from) if head.generation > from.generation => {
                self.check_restored(from, &head).await?;
                Edge::new()
            }
            Some(from) if head.size < from.size => {
                return Err(self.refuse(ledger, Refusal::RolledBack { missing: from.size - head.size }));
            }
            Some(from) => {
                let known = slot.take().filter(|edge| edge.size() == from.size && edge.root() == from.root);
                let before = self.log.leaf_hashes(ledger, from.size - 1, 1).await?;
                if before.first() != Some(&from.head) {
                    let position = Some(from.size - 1);
                    return Err(self.refuse(ledger, Refusal::Changed { size: from.size, position }));
                }
                match known {
                    Some(edge) => edge,
                    None => self.edge_of(from).await?,
                }
            }
        };
        *slot = None;
        let last = tiler::grow(&self.log, ledger, &mut edge, head.size).await?;
        if last != Some(head.last) {
            let reason = "leaf does not match the head".to_owned();
            return Err(StoreError::Damaged { ledger, position: head.size - 1, reason }.into());
        }
        let origin =
            Origin::new(&self.log_name, ledger, head.generation).map_err(|e| AnchorError::File(e.to_string()))?;
        let signer = keys.signer(&head.signer).ok_or(AnchorError::NoSigner(ledger))?;
        let checkpoint = Checkpoint { origin: origin.to_string(), size: head.size, root: edge.root() };
        let note = checkpoint.sign(&*signer).map_err(|e| AnchorError::File(e.to_string()))?;
        let to = Anchored {
            ledger,
            generation: head.generation,
            size: head.size,
            head: head.last,
            root: checkpoint.root,
            checkpoint: note,
        };
        Ok(Some(Prepared { from: from.map(|from| (*from).clone()), to, edge, slot }))
    }

    /// The right edge at the anchored size: from tiles if they give the anchored root, else from the records.
    async fn edge_of(&self, anchored: &Anchored) -> Answer<Edge> {
        let stored = tiler::load_edge(&self.log, anchored.ledger, anchored.size).await?;
        if let Some(edge) = stored.filter(|edge| edge.root() == anchored.root) {
            return Ok(edge);
        }
        let mut edge = Edge::new();
        tiler::grow(&self.log, anchored.ledger, &mut edge, anchored.size).await?;
        if edge.root() != anchored.root {
            let why = Refusal::Changed { size: anchored.size, position: None };
            return Err(self.refuse(anchored.ledger, why));
        }
        Ok(edge)
    }

    /// Anchors what was prepared; only then anybody sees it.
    async fn publish(&self, ready: Vec<Prepared>) -> Answer<()> {
        if ready.is_empty() {
            return Ok(());
        }
        let steps: Vec<_> = ready.iter().map(|p| (p.from.clone(), p.to.clone())).collect();
        let state = self.state.clone();
        let written = tokio::task::spawn_blocking(move || state.advance(&steps)).await;
        if let Err(elsewhere) = written.unwrap_or_else(|e| Err(AnchorError::File(e.to_string())))? {
            if self.state.is_shared() {
                // Another node was faster with one of them; the next round goes on from there.
                let ledgers: Vec<Uuid> = ready.iter().map(|p| p.to.ledger).collect();
                return self.reload(&ledgers).await;
            }
            let text = format!("ledger {elsewhere} was anchored by somebody else; is a second server running?");
            return Err(AnchorError::File(text));
        }
        let mut latest = self.latest.write().unwrap_or_else(|e| e.into_inner());
        for Prepared { to, edge, mut slot, .. } in ready {
            *slot = Some(edge);
            latest.insert(to.ledger, Arc::new(to));
        }
        drop(latest);
        self.anchored.send_modify(|n| *n += 1);
        Ok(())
    }
}
