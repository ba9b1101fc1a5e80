//! A deployment for one measurement: begun in empty places, opened as every command opens one, removed at the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keiin_eventlog::keys::Keyring;
use keiin_eventlog::store::sqlite::SqliteStore;
use uuid::Uuid;

use super::Settings;
use crate::app::{App, ROOT};
use crate::cli::Unusable;
use crate::config::{Config, Limits};
use crate::datadir::DataDir;
use crate::stores::{LogPlace, Stores};
use crate::{clock, random};

/// Name in every proof of a measurement.
const LOG_NAME: &str = "bench.keiin.localhost";
/// Ledgers that are opened at the same time.
const SIDE_BY_SIDE: usize = 64;

/// Where a measurement takes place: a data directory of its own, and the databases that were named.
pub struct Site {
    config: Config,
    data: DataDir,
    stores: Stores,
    _dir: Temporary,
}

/// Removed with everything in it when dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Site {
    /// Bytes of the log's file, `None` where it is not a file.
    pub async fn bytes(&self) -> Option<u64> {
        let LogPlace::File(log) = &self.stores.log else { return None };
        SqliteStore::open_reader(log).ok()?.bytes().await.ok()
    }

    /// Makes the directory. Databases that hold anything of ours are refused, because [`Site::clear`] empties them.
    pub async fn make(settings: &Settings) -> anyhow::Result<Site> {
        let root = std::env::temp_dir().join(format!("keiin-bench-{}", random::digits(12)));
        let limits = Limits {
            requests_a_minute: u32::MAX,
            requests_a_minute_company: u32::MAX,
            logins_a_minute: u32::MAX,
            ..Limits::default()
        };
        let config = Config { log_name: LOG_NAME.into(), limits, ..settings.config.clone() };
        let data = DataDir::new(&root);
        let stores = Stores::of(&config, &data)?;
        stores.check_bare().await?;
        let dir = Temporary(root);
        data.create(LOG_NAME, &[])?;
        Keyring::create(&data.keys(Path::new("")))?;
        Ok(Site { config, data, stores, _dir: dir })
    }

    /// What the ledgers are kept by.
    pub fn engine(&self) -> &'static str {
        match self.stores.log {
            LogPlace::File(_) => "sqlite",
            LogPlace::Postgres(_) => "postgresql",
            LogPlace::Cluster { .. } => "eventstore",
        }
    }

    /// Opens the deployment, and as many ledgers as were asked for.
    pub async fn open(&self, settings: &Settings) -> anyhow::Result<Deployment> {
        let app = App::open(self.config.clone(), self.data.clone()).await?;
        // What a cluster holds is known once it is open. The root ledger begins with one record.
        if app.log.heads(None, 2).await?.iter().any(|head| head.ledger != ROOT || head.size > 1) {
            return Err(Unusable("that cluster holds ledgers already; name an empty one".into()).into());
        }
        let ledgers = (0..settings.ledgers).map(|_| random::id_at(clock::now_us())).collect::<Vec<_>>();
        for some in ledgers.chunks(SIDE_BY_SIDE) {
            let mut opening = tokio::task::JoinSet::new();
            for ledger in some.iter().copied() {
                let app = app.clone();
                opening.spawn(async move { app.open_ledger(ledger, clock::now_us()).await });
            }
            while let Some(opened) = opening.join_next().await {
                opened??;
            }
        }
        Ok(Deployment { app, ledgers })
    }

    /// Takes everything away again. The deployment must be closed. A cluster keeps its streams.
    pub async fn clear(self) -> anyhow::Result<()> {
        self.stores.clear().await
    }
}

/// An open deployment.
pub struct Deployment {
    /// The server without its listeners.
    pub app: Arc<App>,
    /// Open ledgers, as many as were asked for.
    pub ledgers: Vec<Uuid>,
}
