//! A deployment for one measurement: made empty, removed at the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_eventlog::anchor::{Anchorer, Stamp};
use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::life;
use keiin_eventlog::log::Log;
use keiin_eventlog::postgres::{self, Address};
use keiin_eventlog::store::Store;
use keiin_eventlog::store::postgres::PostgresStore;
use uuid::Uuid;

use super::Settings;
use crate::app::App;
use crate::cli::Unusable;
use crate::config::{Config, Limits};
use crate::datadir::DataDir;
use crate::{clock, random};

/// Name in every proof of a measurement.
const LOG_NAME: &str = "bench.keiin.localhost";
/// Ledgers that are opened at the same time.
const SIDE_BY_SIDE: usize = 64;
/// How long the writer may take to end.
const CLOSING: Duration = Duration::from_secs(10);

/// An open deployment and its directory.
pub struct Deployment {
    /// The server without its listeners, on SQLite.
    pub app: Arc<App>,
    /// What is measured: the server's own log, or one in the database.
    pub log: Log,
    /// Checkpoints of that log.
    pub anchorer: Arc<Anchorer>,
    /// Open ledgers, as many as were asked for.
    pub ledgers: Vec<Uuid>,
    engine: &'static str,
    _dir: Temporary,
}

/// Removed with everything in it when dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Deployment {
    /// Makes it, with all ledgers opened.
    pub async fn make(settings: &Settings) -> anyhow::Result<Deployment> {
        let root = std::env::temp_dir().join(format!("keiin-bench-{}", random::digits(12)));
        let dir = Temporary(root.clone());
        let data = DataDir::new(root);
        data.create(LOG_NAME, &[])?;
        Keyring::create(&data.keys(std::path::Path::new("")))?;
        let limits = Limits { requests_a_minute: u32::MAX, logins_a_minute: u32::MAX, ..Limits::default() };
        let app = App::open(Config { log_name: LOG_NAME.into(), limits, ..Config::default() }, data).await?;
        let (engine, log, anchorer) = engine(settings.database.as_deref(), &app).await?;
        let ledgers = (0..settings.ledgers).map(|_| random::id_at(clock::now_us())).collect::<Vec<_>>();
        for some in ledgers.chunks(SIDE_BY_SIDE) {
            let mut opening = tokio::task::JoinSet::new();
            for ledger in some {
                opening.spawn(open_ledger(app.clone(), log.clone(), *ledger));
            }
            while let Some(opened) = opening.join_next().await {
                opened??;
            }
        }
        Ok(Deployment { app, log, anchorer, ledgers, engine, _dir: dir })
    }

    /// What the log runs on.
    pub fn engine(&self) -> &'static str {
        self.engine
    }

    /// Closes the log, so that everything is in its file; the file's bytes, `None` where it is not a file.
    pub async fn close(self) -> Option<u64> {
        let Deployment { app, log: ours, anchorer, engine, _dir, .. } = self;
        let (log, wal) = (app.data.log(), app.data.root().join("log.db-wal"));
        drop((app, ours, anchorer));
        let deadline = Instant::now() + CLOSING;
        // The writer moves its write-ahead log into the file before it ends.
        while wal.exists() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let found = std::fs::metadata(log).ok().filter(|_| engine == "sqlite" && !wal.exists());
        found.map(|found| found.len())
    }
}

/// The engine's name, its log and what anchors it.
async fn engine(database: Option<&str>, app: &App) -> anyhow::Result<(&'static str, Log, Arc<Anchorer>)> {
    let (name, store): (_, Arc<dyn Store>) = match database {
        None => return Ok(("sqlite", app.log.clone(), app.anchorer.clone())),
        Some(url) if postgres::is_url(url) => {
            let address = Address::parse(url).map_err(|error| Unusable(error.to_string()))?;
            ("postgresql", Arc::new(PostgresStore::open(&address, app.keyring.clone()).await?))
        }
        Some(url) => return Err(Unusable(format!("{url} is no database that can be measured: postgres://…")).into()),
    };
    let log = Log::open(store);
    if !log.heads(None, 1).await?.is_empty() {
        return Err(Unusable("that database holds ledgers already; name an empty one".into()).into());
    }
    let anchor = app.data.root().join("bench-anchor.db");
    let anchorer =
        Anchorer::open(&anchor, log.clone(), app.vault.clone(), app.keyring.clone(), &app.config.log_name).await?;
    Ok((name, log, anchorer))
}

async fn open_ledger(app: Arc<App>, log: Log, ledger: Uuid) -> anyhow::Result<()> {
    let now_us = clock::now_us();
    let stamp = Stamp { time_us: u64::try_from(now_us).unwrap_or(0), append_id: random::id_at(now_us) };
    let origin = Origin::new(&app.config.log_name, ledger, 1)?;
    life::open(&log, &app.vault, origin, app.keyring.current().public(), None, stamp).await?;
    Ok(())
}
