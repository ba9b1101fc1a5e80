//! When the stored records are read again, and what operators see of it: `GET /scrub` on the operators' port (and `POST`
//! to read everything now), figures in `/metrics`, a line in the log, `keiin doctor`. What companies see of it is in [`crate::verification`].
//!
//! Damage refuses the ledger it is in, which `/readyz` reports; see [`keiin_eventlog::scrub`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use keiin_eventlog::keys::Keyring;
use keiin_eventlog::scrub::{Round, Scrub};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::clock;
use crate::config::Scrub as Settings;
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

/// A round that is under way, kept in `scrub-round.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Begun {
    /// When it began, microseconds UTC.
    pub began_us: i64,
    /// Of the process that reads.
    pub pid: u32,
}

/// The scrub of a running deployment.
pub struct Scrubbing {
    scrub: Scrub,
    verifications: Verifications,
    file: PathBuf,
    begun: PathBuf,
    last: Mutex<Option<Finished>>,
    /// When the rounds began that are under way: the one in the background, and those that an operator asked for.
    under_way: Mutex<Vec<Instant>>,
}

impl Scrubbing {
    /// With the result of the last round of an earlier process.
    pub fn new(scrub: Scrub, data: &DataDir, keyring: Arc<Keyring>) -> Scrubbing {
        let (file, begun) = (data.scrub(), data.scrub_round());
        let verifications = Verifications::new(keyring, data.verifications());
        Scrubbing { scrub, verifications, last: Mutex::new(last(&file)), file, begun, under_way: Mutex::default() }
    }

    /// What rounds found in each company's ledger.
    pub fn verifications(&self) -> &Verifications {
        &self.verifications
    }

    /// What the last round found; `None` before the first is over.
    pub fn last(&self) -> Option<Finished> {
        self.last.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Does a round take longer than the next one may wait? One that is under way, or the last one.
    pub fn is_behind(&self, settings: &Settings) -> bool {
        let under_way: Vec<f64> = self.under_way().iter().map(|began| began.elapsed().as_secs_f64()).collect();
        is_longer(under_way.into_iter().chain(self.last().map(|last| last.seconds)), settings)
    }

    fn under_way(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.under_way.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Reads everything once, working `share` percent of the time. Blocks.
    pub fn round(&self, handle: &tokio::runtime::Handle, share: u32) -> Finished {
        let (began_us, started) = (clock::now_us(), Instant::now());
        self.begin(began_us, started);
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
        self.end(started);
        finished
    }

    /// What is written here and not there is missed by `keiin doctor` alone.
    fn begin(&self, began_us: i64, began: Instant) {
        let mut under_way = self.under_way();
        if under_way.is_empty() {
            let _ = write(&self.begun, &Begun { began_us, pid: std::process::id() });
        }
        under_way.push(began);
    }

    fn end(&self, began: Instant) {
        let mut under_way = self.under_way();
        under_way.retain(|one| *one != began);
        if under_way.is_empty() {
            let _ = std::fs::remove_file(&self.begun);
        }
    }
}

fn is_longer(mut seconds: impl Iterator<Item = f64>, settings: &Settings) -> bool {
    settings.every_s > 0 && seconds.any(|seconds| seconds > settings.every_s as f64)
}

/// Why the scrub falls behind, from what is in the data directory, and what to do about it.
pub fn trouble(data: &DataDir, settings: &Settings, now_us: i64) -> Option<(String, String)> {
    let begun: Option<Begun> =
        std::fs::read(data.scrub_round()).ok().and_then(|news| serde_json::from_slice(&news).ok());
    let begun = begun.filter(|begun| Path::new(&format!("/proc/{}", begun.pid)).exists());
    let under_way = begun.map(|begun| now_us.saturating_sub(begun.began_us) as f64 / 1e6);
    let took = last(&data.scrub()).map(|last| last.seconds);
    let seconds = under_way.into_iter().chain(took).fold(0.0, f64::max);
    let late = is_longer([seconds].into_iter(), settings);
    late.then(|| (format!("it falls behind: a round takes {seconds:.0} s or more"), advice(seconds, settings)))
}

/// A round's time follows from its share of the time.
fn advice(seconds: f64, settings: &Settings) -> String {
    let Settings { every_s, share_percent } = settings;
    let enough = (f64::from(*share_percent) * seconds / *every_s as f64 * 1.2).ceil();
    let how =
        if enough <= 100.0 { format!("share_percent = {enough}") } else { format!("every_s = {:.0}", seconds * 1.2) };
    format!("[scrub] every_s is {every_s}, share_percent {share_percent}: set {how} or more in keiin.toml")
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
        let mut round = std::pin::pin!(on_its_own_thread(&app, share));
        if tokio::time::timeout(every, &mut round).await.is_err() {
            tracing::warn!(
                every_s = every.as_secs(),
                share_percent = share,
                "the scrub falls behind: its round is not over yet"
            );
            if let Some(last) = round.await {
                let advice = advice(last.seconds, &app.config.scrub);
                tracing::warn!(seconds = last.seconds as u64, advice, "the scrub has fallen behind");
            }
        }
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
