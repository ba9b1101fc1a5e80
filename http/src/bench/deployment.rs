//! A deployment for one measurement: made empty, removed at the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_eventlog::keys::Keyring;
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
    /// The server without its listeners.
    pub app: Arc<App>,
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
        data.create(LOG_NAME)?;
        Keyring::create(&data.keys(std::path::Path::new("")))?;
        let (engine, config) = engine(settings.database.as_deref())?;
        let app = App::open(config, data).await?;
        let ledgers = (0..settings.ledgers).map(|_| random::id_at(clock::now_us())).collect::<Vec<_>>();
        for some in ledgers.chunks(SIDE_BY_SIDE) {
            let mut opening = tokio::task::JoinSet::new();
            for ledger in some {
                let (app, ledger) = (app.clone(), *ledger);
                opening.spawn(async move { app.open_ledger(ledger, clock::now_us()).await });
            }
            while let Some(opened) = opening.join_next().await {
                opened??;
            }
        }
        Ok(Deployment { app, ledgers, engine, _dir: dir })
    }

    /// What the log runs on.
    pub fn engine(&self) -> &'static str {
        self.engine
    }

    /// Closes the log, so that everything is in its file; the file's bytes, `None` where it is not a file.
    pub async fn close(self) -> Option<u64> {
        let Deployment { app, engine, _dir, .. } = self;
        let (log, wal) = (app.data.log(), app.data.root().join("log.db-wal"));
        drop(app);
        let deadline = Instant::now() + CLOSING;
        // The writer moves its write-ahead log into the file before it ends.
        while wal.exists() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let found = std::fs::metadata(log).ok().filter(|_| engine == "sqlite" && !wal.exists());
        found.map(|found| found.len())
    }
}

/// The engine's name and the settings that choose it. The limits must not be what is measured.
fn engine(database: Option<&str>) -> anyhow::Result<(&'static str, Config)> {
    let limits = Limits { requests_a_minute: u32::MAX, logins_a_minute: u32::MAX, ..Limits::default() };
    let config = Config { log_name: LOG_NAME.into(), limits, ..Config::default() };
    match database {
        None => Ok(("sqlite", config)),
        Some(url) => {
            let scheme = url.split("://").next().unwrap_or(url);
            Err(Unusable(format!("{scheme} is no engine of this build: leave --database out for SQLite")).into())
        }
    }
}
