//! Where a deployment's data is, and how it is opened: files in the data directory, databases on PostgreSQL servers, or an
//! EventStoreDB cluster for the ledgers.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use keiin_eventlog::anchor::Anchorer;
use keiin_eventlog::kept::Place;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::log::Log;
use keiin_eventlog::postgres::{self, Address, Lead, Presence, Role};
use keiin_eventlog::scrub::Scrub;
use keiin_eventlog::sign::NoSigners;
use keiin_eventlog::store::mirror::Receive;
use keiin_eventlog::store::postgres::PostgresStore;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::store::{Signers, Store, StoreError};
use keiin_eventlog::vault::Vault;
use keiin_projections::PROJECTIONS;
use keiin_projections::database::Database;
use keiin_projections::runner::Runner;

use crate::config::{BadConfig, Config};
use crate::datadir::DataDir;

/// How long a node that has become the leader waits for its predecessor to notice and to finish.
const BEFORE_LEADING: Duration = Duration::from_secs(10);

/// The ledgers.
#[derive(Clone, Debug)]
pub enum LogPlace {
    /// A file of ours.
    File(PathBuf),
    /// A database on a server, which other nodes may use as well.
    Postgres(Address),
    /// An EventStoreDB cluster, with a file of this node's own to read from.
    Cluster {
        /// `esdb://…`
        url: String,
        /// The copy.
        mirror: PathBuf,
    },
}

/// The three kept stores and the read models.
#[derive(Clone, Debug)]
pub struct Stores {
    /// The ledgers.
    pub log: LogPlace,
    /// Keys and secrets.
    pub vault: Place,
    /// What checkpoints said.
    pub anchor: Place,
    read: PathBuf,
}

impl Stores {
    /// What the settings say. Log, vault and anchor must not share a database: each is there to outlive or to contradict
    /// another.
    pub fn of(config: &Config, data: &DataDir) -> Result<Stores, BadConfig> {
        let is_cluster = ["esdb://", "esdb+discover://"].iter().any(|scheme| config.database.starts_with(scheme));
        let log = if is_cluster {
            #[cfg(feature = "eventstore")]
            keiin_eventlog::store::eventstore::check_url(&config.database)
                .map_err(|error| BadConfig::new(format!("database: {error}")))?;
            LogPlace::Cluster { url: config.database.clone(), mirror: data.log() }
        } else {
            address(&config.database, "database")?.map_or(LogPlace::File(data.log()), LogPlace::Postgres)
        };
        let place = |url: &str, name: &str, file: PathBuf| {
            Ok::<_, BadConfig>(address(url, name)?.map_or(Place::File(file), Place::Postgres))
        };
        let vault = place(&config.vault, "vault", data.vault())?;
        let anchor = place(&config.anchor, "anchor", data.anchor())?;
        let stores = Stores { log, vault, anchor, read: data.read() };
        let all = [("database", stores.log_address()), ("vault", of(&stores.vault)), ("anchor", of(&stores.anchor))];
        for (n, (name, one)) in all.iter().enumerate() {
            for (other_name, other) in &all[n + 1..] {
                if let (Some(one), Some(other)) = (one, other)
                    && one.is_same(other)
                {
                    return Err(BadConfig::new(format!(
                        "{name} and {other_name} are one database ({one}): give each its own, or a backup of one would be \
                         a backup of both"
                    )));
                }
            }
        }
        Ok(stores)
    }

    fn log_address(&self) -> Option<&Address> {
        match &self.log {
            LogPlace::Postgres(address) => Some(address),
            LogPlace::File(_) | LogPlace::Cluster { .. } => None,
        }
    }

    /// Opens the ledgers for writing.
    pub async fn open_log(&self, signers: Arc<dyn Signers>) -> anyhow::Result<Arc<dyn Store>> {
        match &self.log {
            #[cfg(feature = "eventstore")]
            LogPlace::Cluster { url, mirror } => {
                use keiin_eventlog::store::eventstore::EventStoreStore;
                let mirror = SqliteStore::open(mirror, Arc::new(NoSigners))?;
                let mirror = mirror.on_fatal(Box::new(|cause| stop("mirror's", cause)));
                let store = EventStoreStore::open(url, mirror, signers)?;
                // A mirror that lags behind would look like a log that was rolled back.
                let reached = tokio::time::timeout(Duration::from_secs(60), store.caught_up()).await;
                reached
                    .map_err(|_| anyhow::anyhow!("the cluster has not been reached for a minute; is it running?"))?;
                Ok(Arc::new(store))
            }
            _ => Ok(self.open_mirror(signers).await?),
        }
    }

    /// The same, also for commits that were chained and signed elsewhere.
    pub async fn open_mirror(&self, signers: Arc<dyn Signers>) -> anyhow::Result<Arc<dyn Receive>> {
        Ok(match &self.log {
            LogPlace::File(path) => {
                let store = SqliteStore::open(path, signers)?;
                Arc::new(store.on_fatal(Box::new(|cause| stop("ledgers'", cause))))
            }
            LogPlace::Postgres(address) => Arc::new(PostgresStore::open(address, signers).await?),
            LogPlace::Cluster { .. } if cfg!(feature = "eventstore") => {
                bail!("ledgers are not moved into or out of an EventStoreDB cluster")
            }
            LogPlace::Cluster { .. } => {
                bail!("this program was built without EventStoreDB: cargo build --features eventstore")
            }
        })
    }

    /// Opens the ledgers beside whoever writes them; nothing is signed, so nothing is written.
    pub async fn open_log_reader(&self) -> anyhow::Result<Arc<dyn Store>> {
        Ok(match &self.log {
            LogPlace::File(path) | LogPlace::Cluster { mirror: path, .. } => Arc::new(SqliteStore::open_reader(path)?),
            LogPlace::Postgres(address) => Arc::new(PostgresStore::open(address, Arc::new(NoSigners)).await?),
        })
    }

    /// Reads everything again in the background: a file with readers of its own.
    pub fn scrub(&self, log: &Log, anchorer: &Arc<Anchorer>, keyring: &Keyring) -> Scrub {
        let (place, store) = (self.log.clone(), log.store().clone());
        let fresh = move || match &place {
            LogPlace::File(path) | LogPlace::Cluster { mirror: path, .. } => match SqliteStore::open_reader(path) {
                Ok(store) => Ok(Arc::new(store) as Arc<dyn Store>),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            },
            LogPlace::Postgres(_) => Ok(store.clone()),
        };
        Scrub::new(anchorer, keyring.public_keys(), Box::new(fresh))
    }

    /// Where the read models are: beside the ledgers, so that all nodes share them.
    pub fn read_models(&self) -> Database {
        match &self.log {
            LogPlace::File(_) | LogPlace::Cluster { .. } => Database::sqlite(&self.read),
            LogPlace::Postgres(address) => Database::postgres(address.clone()),
        }
    }

    /// Is anything on a server?
    pub fn is_on_servers(&self) -> bool {
        !matches!(self.log, LogPlace::File(_)) || of(&self.vault).is_some() || of(&self.anchor).is_some()
    }

    /// Is there no ledger yet?
    pub async fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(!self.log_exists() || self.open_log_reader().await?.heads(None, 1).await?.is_empty())
    }

    /// A new deployment begins in an empty database: what is there belongs to another.
    pub async fn check_empty(&self) -> anyhow::Result<()> {
        let LogPlace::Postgres(address) = &self.log else { return Ok(()) };
        if self.is_empty().await? {
            return Ok(());
        }
        let text = format!("{address} holds the ledgers of another deployment already; name an empty database");
        Err(crate::cli::Unusable(text).into())
    }

    /// The same for a measurement, which leaves its databases as they were: nothing of ours may be there, not even tables.
    pub async fn check_bare(&self) -> anyhow::Result<()> {
        for address in self.addresses() {
            let found = postgres::schemas(address).await?.join(", ");
            if !found.is_empty() {
                let text = format!("{address} holds data of Keiin's already ({found}); name an empty database");
                return Err(crate::cli::Unusable(text).into());
            }
        }
        Ok(())
    }

    /// Drops everything of ours from the databases.
    pub async fn clear(&self) -> anyhow::Result<()> {
        for address in self.addresses() {
            postgres::drop_schemas(address).await?;
        }
        Ok(())
    }

    fn addresses(&self) -> impl Iterator<Item = &Address> {
        [self.log_address(), of(&self.vault), of(&self.anchor)].into_iter().flatten()
    }

    /// Drops what was folded: it may know more than the ledgers do after a restore. The next start folds anew.
    pub async fn forget_read_models(&self, log: &Log, vault: &Arc<Vault>) -> anyhow::Result<()> {
        if !matches!(self.log, LogPlace::Postgres(_)) {
            for suffix in ["", "-wal", "-shm"] {
                let mut path = self.read.clone().into_os_string();
                path.push(suffix);
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
            return Ok(());
        }
        let runner = Runner::open(self.read_models(), log.clone(), vault.clone(), PROJECTIONS).await?;
        runner.rebuild().await?;
        Ok(())
    }

    /// Are there ledgers already? For what needs no server to answer.
    pub fn log_exists(&self) -> bool {
        match &self.log {
            LogPlace::File(path) => path.exists(),
            LogPlace::Postgres(_) | LogPlace::Cluster { .. } => true,
        }
    }

    /// Where nodes of this deployment meet: the database of the ledgers, or with a cluster that of the anchor or the vault.
    fn meeting_place(&self) -> Option<&Address> {
        match &self.log {
            LogPlace::File(_) => None,
            LogPlace::Postgres(address) => Some(address),
            LogPlace::Cluster { .. } => of(&self.anchor).or(of(&self.vault)),
        }
    }

    /// Who does what must not be done twice, where read models, and with them the leases of effects, are each node's own;
    /// `None` where every node may.
    pub fn lead(&self) -> Option<Lead> {
        let shares_leases = !matches!(self.log, LogPlace::Cluster { .. });
        self.meeting_place().filter(|_| !shares_leases).map(|address| Lead::stand(address, BEFORE_LEADING))
    }

    /// Says to other nodes that this one is there. A vault or an anchor in a file of this node's own means that there can
    /// be no other.
    pub async fn presence(&self) -> anyhow::Result<Option<Presence>> {
        let alone = matches!(self.vault, Place::File(_)) || matches!(self.anchor, Place::File(_));
        self.enter(if alone { Role::OnlyNode } else { Role::Node }).await
    }

    /// Refuses while any node runs, and keeps them all away for as long as it is held: for what must not meet a write. Files
    /// have the data directory's lock for that.
    pub async fn absence_of_nodes(&self) -> anyhow::Result<Option<Presence>> {
        self.enter(Role::Mover).await
    }

    async fn enter(&self, role: Role) -> anyhow::Result<Option<Presence>> {
        let Some(address) = self.meeting_place() else { return Ok(None) };
        Ok(Some(Presence::enter(address, role).await?))
    }
}

/// Nothing may be acknowledged after a failed sync, and no retry can make it good: the next start checks the tail. The
/// message may go to the disk that has just failed; it must not keep the process from ending.
pub fn stop(whose: &str, cause: &str) {
    let _ = writeln!(std::io::stderr(), "keiin: a write to the {whose} file has failed, stopping: {cause}");
    std::process::exit(3);
}

fn of(place: &Place) -> Option<&Address> {
    match place {
        Place::Postgres(address) => Some(address),
        Place::File(_) => None,
    }
}

fn address(url: &str, name: &str) -> Result<Option<Address>, BadConfig> {
    if url.is_empty() {
        return Ok(None);
    }
    if !postgres::is_url(url) {
        return Err(BadConfig::new(format!(
            "{name}: a database is named as postgres://user@host/database (or esdb://…)"
        )));
    }
    Address::parse(url).map(Some).map_err(|error| BadConfig::new(format!("{name}: {error}")))
}
