//! Loads for `keiin bench`: each runs alone, on a deployment of its own, through the same code that serves.

mod append;
mod deployment;
mod documents;
mod events;
mod http;
mod rebuild;
mod replay;
mod verify;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use self::deployment::{Deployment, Site};
use crate::app::App;
use crate::cli::block_on;
use crate::config::Config;

/// Events of one append where a ledger is only filled.
const FILL: u64 = 500;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// Appends through the log.
    Append,
    /// Reading, checking, opening and decoding.
    Replay,
    /// Verifying a bundle.
    Verify {
        /// With every signature.
        deep: bool,
    },
    /// Folding all read models.
    Rebuild,
    /// Commands over HTTP.
    Http,
    /// Documents, from the draft to the list.
    Documents,
}

impl Load {
    /// What is used of the settings, and so what the figures say. Where appends only fill a ledger they are large ones; a
    /// request of the API is one event; documents are one company's.
    fn uses(self, settings: Settings) -> Settings {
        let (batch, ledgers) = match self {
            Load::Append | Load::Verify { .. } => (settings.batch, settings.ledgers),
            Load::Replay | Load::Rebuild => (settings.batch.max(100), settings.ledgers),
            Load::Http => (1, settings.ledgers),
            Load::Documents => (1, 1),
        };
        Settings { batch, ledgers, ..settings }
    }
}

/// How much of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names the databases; empty = files.
    pub config: Config,
    /// At the same time.
    pub clients: u64,
    /// Events of one append.
    pub batch: u64,
    /// Events altogether.
    pub events: u64,
    /// Ledgers that take turns.
    pub ledgers: u64,
}

/// What came out.
pub struct Figures {
    settings: Settings,
    engine: &'static str,
    measured: Measured,
}

/// One load's own part of the figures.
struct Measured {
    /// Events that were handled, once.
    events: u64,
    /// In this time. Where the same is done several times, the mean of all.
    took: Took,
    /// Of each unit of work.
    latencies: Vec<Duration>,
    /// More keys of the JSON.
    more: Vec<(&'static str, Value)>,
}

/// How long something took.
#[derive(Clone, Copy)]
struct Took {
    /// On the wall.
    wall: Duration,
    /// CPU time of the process, all threads.
    cpu: Duration,
}

impl Took {
    /// The mean of so many times.
    fn each_of(self, times: u32) -> Took {
        Took { wall: self.wall / times, cpu: self.cpu / times }
    }
}

/// Started where a load's preparations end.
struct Clock(Instant, Duration);

impl Clock {
    fn start() -> Clock {
        Clock(Instant::now(), cpu_time())
    }

    fn stop(&self) -> Took {
        Took { wall: self.0.elapsed(), cpu: cpu_time().saturating_sub(self.1) }
    }
}

/// Runs one load and removes what it made, also when somebody has waited long enough.
pub fn run(load: Load, settings: Settings) -> anyhow::Result<Figures> {
    let settings = load.uses(settings);
    let site = block_on(Site::make(&settings))?;
    // On a runtime of its own: nothing that serves is left when the databases are emptied.
    let measured = block_on(async {
        tokio::select! {
            measured = measure(&site, load, &settings) => measured,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted; nothing is left behind"),
        }
    });
    let engine = site.engine();
    let cleared = block_on(site.clear());
    let measured = measured?;
    cleared?;
    Ok(Figures { settings, engine, measured })
}

/// Registers so many clients in a company's ledger, every fourth with a contact, as `keiin bench rebuild` does: for
/// measurements of a server on a deployment that stays. The read models are behind when this returns.
pub async fn fill(app: Arc<App>, ledger: Uuid, events: u64) -> anyhow::Result<()> {
    let settings = Settings { config: Config::default(), clients: 8, batch: FILL, events, ledgers: 1 };
    append::fill(&Deployment { app, ledgers: vec![ledger] }, &settings, true).await?;
    Ok(())
}

async fn measure(site: &Site, load: Load, settings: &Settings) -> anyhow::Result<Measured> {
    let place = site.open(settings).await?;
    let mut measured = match load {
        Load::Append => append::run(&place, settings).await?,
        Load::Replay => replay::run(&place, settings).await?,
        Load::Verify { deep } => verify::run(&place, settings, deep).await?,
        Load::Rebuild => rebuild::run(&place, settings).await?,
        Load::Http => http::run(&place, settings).await?,
        Load::Documents => documents::run(&place, settings).await?,
    };
    if load == Load::Append
        && let Some(bytes) = site.bytes().await
    {
        measured.more.push(("bytes_per_event", json!(bytes / measured.events.max(1))));
    }
    Ok(measured)
}

impl Figures {
    /// One line. The first eight keys are always there; more may follow.
    pub fn json(&self) -> Value {
        let (p50, p99) = self.percentiles();
        let mut all = json!({
            "events_per_s": self.rate(),
            "p50_us": p50.as_micros() as u64,
            "p99_us": p99.as_micros() as u64,
            "events": self.measured.events,
            "clients": self.settings.clients,
            "batch": self.settings.batch,
            "ledgers": self.settings.ledgers,
            "engine": self.engine,
            "cpu_us_per_event": self.measured.took.cpu.as_micros() as f64 / self.measured.events.max(1) as f64,
            "resident_mib": status_kib("VmRSS") / 1024,
            "peak_mib": status_kib("VmHWM") / 1024,
        });
        for (key, value) in &self.measured.more {
            all[key] = value.clone();
        }
        all
    }

    /// For people.
    pub fn text(&self) -> String {
        let (p50, p99) = self.percentiles();
        let Settings { clients, batch, ledgers, .. } = &self.settings;
        let mut text = format!(
            "{} events/s ({} events in {:.2} s; {clients} clients, batches of {batch}, {ledgers} ledgers, {})\n\
             p50 {} µs, p99 {} µs",
            self.rate(),
            self.measured.events,
            self.measured.took.wall.as_secs_f64(),
            self.engine,
            p50.as_micros(),
            p99.as_micros(),
        );
        for (key, value) in &self.measured.more {
            text.push_str(&format!("\n{key} {value}"));
        }
        text
    }

    fn rate(&self) -> u64 {
        (self.measured.events as f64 / self.measured.took.wall.as_secs_f64().max(f64::EPSILON)) as u64
    }

    fn percentiles(&self) -> (Duration, Duration) {
        let mut sorted = self.measured.latencies.clone();
        (percentile(&mut sorted, 0.5), percentile(&mut sorted, 0.99))
    }
}

fn percentile(values: &mut [Duration], part: f64) -> Duration {
    values.sort_unstable();
    let at = (values.len() as f64 * part) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// A figure in KiB that Linux keeps of this process; 0 elsewhere.
fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// User and system time of all threads so far, to a hundredth of a second; 0 where there is no /proc.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in the second field may hold anything but ends with the last parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or(vec![], |(_, rest)| rest.split_whitespace().collect());
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
