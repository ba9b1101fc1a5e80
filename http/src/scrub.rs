//! When the stored records are read again, and what operators see of it: `GET /scrub` on the operators' port (and `POST`
//! to read everything now), figures in `/metrics`, a line in the log, `keiin doctor`. What companies see of it is in [`crate::verification`].
//!
//! Damage refuses the ledger it is in, which `/readyz` reports; see [`keiin_eventlog::scrub`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keiin_eventlog::keys::Keyring;
use keiin_eventlog::scrub::{Round, Scrub};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::clock;
use crate::datadir::DataDir;
use crate::verification::Verifications;

/// First look at whether a round is due, after the start: the rebuilds and mails of a start come first.
const AFTER_START: Duration = Duration::from_secs(60);

/// What a finished round found, kept in `scrub.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finished {
    /// When it began, microseconds UTC.
    pub began_us: i64,
    /// How long it took.
    pub seconds: f64,
    /// Ledgers that were read.
    pub ledgers: u64,
    /// Records that were read.
    pub events: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Ledgers that were refused already.
    pub refused: u64,
    /// Damage.
    pub damage: Vec<Damage>,
    /// Why something could not be read.
    pub trouble: Vec<String>,
}

/// Damage in one company's ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Damage {
    /// Which.
    pub ledger: Uuid,
    /// The first record that is wrong, if it is known.
    pub position: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

/// The scrub of a running deployment.
pub struct Scrubbing {
    scrub: Scrub,
    verifications: Verifications,
    file: PathBuf,
    last: Mutex<Option<Finished>>,
}

impl Scrubbing {
    /// With the result of the last round of an earlier process.
    pub fn new(scrub: Scrub, data: &DataDir, keyring: Arc<Keyring>) -> Scrubbing {
        let file = data.scrub();
        let verifications = Verifications::new(keyring, data.verifications());
        Scrubbing { last: Mutex::new(last(&file)), scrub, verifications, file }
    }

    /// What rounds found in each company's ledger.
    pub fn verifications(&self) -> &Verifications {
        &self.verifications
    }

    /// What the last round found; `None` before the first is over.
    pub fn last(&self) -> Option<Finished> {
        self.last.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Reads everything once, working `share` percent of the time. Blocks.
    pub fn round(&self, handle: &tokio::runtime::Handle, share: u32) -> Finished {
        let (began_us, started) = (clock::now_us(), Instant::now());
        let Round { ledgers, events, bytes, refused, sound, damage, trouble } = self.scrub.round(handle, share);
        for found in &damage {
            let (ledger, position, reason) = (found.ledger, found.position, &found.reason);
            tracing::error!(%ledger, ?position, reason, "stored records are damaged; this ledger is refused from now on");
        }
        for cause in &trouble {
            tracing::warn!(cause, "the scrub could not read a ledger");
        }
        let damage = damage.into_iter();
        let damage = damage.map(|d| Damage { ledger: d.ledger, position: d.position, reason: d.reason }).collect();
        let seconds = started.elapsed().as_secs_f64();
        let finished = Finished { began_us, seconds, ledgers, events, bytes, refused, damage, trouble };
        let kept = write(&self.file, &finished).and_then(|()| self.verifications.keep(&sound, started, began_us));
        if let Err(error) = kept {
            tracing::warn!(%error, "the result of the scrub could not be kept");
        }
        *self.last.lock().unwrap_or_else(|e| e.into_inner()) = Some(finished.clone());
        finished
    }
}

/// What the last finished round found, of whatever process.
pub fn last(file: &Path) -> Option<Finished> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Written beside, then renamed: a reader never sees a part. It is only news; losing it loses nothing.
pub fn write(file: &Path, news: &impl Serialize) -> std::io::Result<()> {
    let beside = file.with_extension("json.writing");
    std::fs::write(&beside, serde_json::to_vec(news)?)?;
    std::fs::rename(beside, file)
}

/// Starts rounds as they become due, for as long as the deployment is open. A round has a thread of its own, so that it
/// neither takes a worker from the requests nor keeps the runtime from ending.
pub async fn run(app: Arc<App>) {
    let every = Duration::from_secs(app.config.scrub.every_s);
    let share = app.config.scrub.share_percent;
    if every.is_zero() {
        return;
    }
    tokio::time::sleep(AFTER_START.min(every)).await;
    loop {
        let age_us = app.scrubbing.last().map(|last| clock::now_us().saturating_sub(last.began_us));
        // A clock that was set back must not put the next round off.
        let age = age_us.and_then(|us| u64::try_from(us).ok()).map_or(every, Duration::from_micros);
        if let Some(wait) = every.checked_sub(age).filter(|wait| !wait.is_zero()) {
            tokio::time::sleep(wait).await;
        }
        on_its_own_thread(&app, share).await;
        // Rounds that take longer than `every` do not run without a pause.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// One round; `None` if there is no thread for it, or the deployment is closing.
pub async fn on_its_own_thread(app: &Arc<App>, share: u32) -> Option<Finished> {
    let (handle, scrubbing) = (tokio::runtime::Handle::current(), app.scrubbing.clone());
    let (answer, wait) = tokio::sync::oneshot::channel();
    let work = move || drop(answer.send(scrubbing.round(&handle, share)));
    let thread = std::thread::Builder::new().name("scrub".to_owned()).spawn(work);
    match thread {
        Ok(_) => wait.await.ok(),
        Err(error) => {
            tracing::warn!(%error, "no thread for the scrub");
            None
        }
    }
}
