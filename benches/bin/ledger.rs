//! One ledger of many events: append, start-up, proofs, export, verification.
//!
//! `cargo run --release -p keiin-benches --bin ledger -- [EVENTS]` (default 1,000,000) prints one JSON object a line.
//! Verification and start-up run in processes of their own, so that their peak memory is theirs.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use keiin_benches::{memory_kib, percentile};
use keiin_eventlog::anchor::{Anchorer, Stamp};
use keiin_eventlog::bundle::{Header, Writer};
use keiin_eventlog::chain::{Append, Draft};
use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::life;
use keiin_eventlog::log::Log;
use keiin_eventlog::record::{Party, Stream};
use keiin_eventlog::seal::{self, BodyPlace};
use keiin_eventlog::store::Outcome;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::vault::Vault;
use keiin_eventlog::verify::{Options, verify};
use serde_json::json;
use uuid::Uuid;

const LOG_NAME: &str = "bench.example";
const LEDGER: Uuid = Uuid::from_u128(1);
/// Events of one append while the ledger grows.
const BATCH: u64 = 500;
/// Bytes of an event before it is sealed.
const BODY: usize = 400;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["verify", file, key, deep] => check(Path::new(file), key, deep == "deep"),
        ["start", dir] => alone(start(Path::new(dir))),
        [] => all(1_000_000),
        [events] => all(events.parse().context("the number of events")?),
        _ => anyhow::bail!("usage: ledger [EVENTS]"),
    }
}

/// In a runtime of its own, whose end is the end of every thread that had the files open.
fn alone<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

struct Open {
    log: Log,
    vault: Arc<Vault>,
    keyring: Arc<Keyring>,
    anchorer: Arc<Anchorer>,
}

async fn open(dir: &Path) -> anyhow::Result<Open> {
    let keys = dir.join("keys");
    let keyring = Arc::new(if keys.exists() { Keyring::open(&keys)? } else { Keyring::create(&keys)? });
    let vault = Arc::new(Vault::open(&dir.join("vault.db"), keyring.kek()?)?);
    let log = Log::open(Arc::new(SqliteStore::open(&dir.join("log.db"), keyring.clone())?));
    let anchor = dir.join("anchor.db");
    let anchorer = Anchorer::open(&anchor, log.clone(), vault.clone(), keyring.clone(), LOG_NAME).await?;
    Ok(Open { log, vault, keyring, anchorer })
}

fn all(events: u64) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    alone(grow(dir.path(), events))?;
    let me = std::env::current_exe()?;
    child(Command::new(&me).arg("start").arg(dir.path()))?;
    let file = dir.path().join("bundle.keiin");
    let key = alone(export(dir.path(), &file))?;
    for deep in ["plain", "deep"] {
        child(Command::new(&me).arg("verify").arg(&file).arg(&key).arg(deep))?;
    }
    Ok(())
}

fn child(command: &mut Command) -> anyhow::Result<()> {
    anyhow::ensure!(command.status()?.success(), "{command:?} failed");
    Ok(())
}

async fn grow(dir: &Path, events: u64) -> anyhow::Result<()> {
    let open = open(dir).await?;
    let origin = Origin::new(LOG_NAME, LEDGER, 1)?;
    let stamp = Stamp { time_us: 1, append_id: Uuid::from_u128(u128::MAX) };
    life::open(&open.log, &open.vault, origin, open.keyring.current().public(), None, stamp).await?;
    let (epoch, key) = open.vault.current_data_key(LEDGER)?;
    let started = Instant::now();
    let text = vec![0x5a; BODY];
    for batch in 0..events / BATCH {
        let draft = |n: u64| -> anyhow::Result<Draft> {
            let place = BodyPlace { ledger: LEDGER, event_version: 1, event_kind: "bench.happened" };
            Ok(Draft {
                stream: Stream::new("bench", Uuid::from_u128(u128::from(batch * BATCH + n) + 2)),
                event_kind: "bench.happened".into(),
                event_version: 1,
                sealed_epoch: Some(epoch),
                body: seal::seal_body(&key, epoch, place, &seal::fresh_salt(), &text)?,
            })
        };
        let append = Append {
            ledger: LEDGER,
            append_id: Uuid::from_u128(u128::from(batch) + 1),
            time_us: 2 + batch,
            actor: Party::SYSTEM,
            on_behalf_of: None,
            cause: None,
            expect: vec![],
            drafts: (0..BATCH).map(draft).collect::<anyhow::Result<_>>()?,
        };
        let outcome = open.log.append(append).await;
        anyhow::ensure!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    }
    let seconds = started.elapsed().as_secs_f64();
    open.anchorer.anchor_now(LEDGER).await?;
    let bytes = std::fs::metadata(dir.join("log.db"))?.len();
    println!(
        "{}",
        json!({ "load": "append", "events": events, "batch": BATCH, "events_per_s": (events as f64 / seconds) as u64,
                "bytes_per_event": bytes / events.max(1) })
    );
    Ok(())
}

/// A fresh process: how long until it serves, the first proof, later proofs, memory.
async fn start(dir: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let open = open(dir).await?;
    let ready = started.elapsed();
    let size = open.anchorer.latest(LEDGER).context("anchored")?.size;
    let (mut first, mut times) = (None, vec![]);
    for n in 0..10_000u64 {
        let position = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
        let asked = Instant::now();
        open.anchorer.proof(LEDGER, position).await?;
        first.get_or_insert(asked.elapsed());
        times.push(asked.elapsed());
    }
    let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    println!(
        "{}",
        json!({ "load": "start", "events": size, "ready_ms": ready.as_millis() as u64,
                "first_proof_us": first.unwrap_or_default().as_micros() as u64,
                "proof_p50_us": p50.as_micros() as u64, "proof_p99_us": p99.as_micros() as u64,
                "resident_mib": memory_kib("VmRSS") / 1024 })
    );
    Ok(())
}

async fn export(dir: &Path, file: &Path) -> anyhow::Result<String> {
    let open = open(dir).await?;
    let anchored = open.anchorer.latest(LEDGER).context("anchored")?;
    let started = Instant::now();
    let header = Header { opened: false, first: 0, count: anchored.size };
    let mut writer = Writer::new(BufWriter::new(File::create(file)?), header, &anchored.checkpoint, None)?;
    let mut at = 0;
    while at < anchored.size {
        let records = open.log.read(LEDGER, at, 1_000).await?;
        records.iter().try_for_each(|record| writer.record(record, None))?;
        at += records.len() as u64;
    }
    writer.finish()?;
    let rate = anchored.size as f64 / started.elapsed().as_secs_f64();
    println!("{}", json!({ "load": "export", "events": anchored.size, "events_per_s": rate as u64 }));
    let origin = Origin::new(LOG_NAME, LEDGER, 1)?.to_string();
    Ok(keiin_eventlog::note::VerifierKey::new(&origin, open.keyring.current().public())?.to_string())
}

fn check(file: &Path, key: &str, deep: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    let options = Options { keys: vec![key.parse()?], deep, ..Options::default() };
    let report = verify(BufReader::with_capacity(1 << 18, File::open(file)?), &options);
    let rate = report.events as f64 / started.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({ "load": if deep { "verify --deep" } else { "verify" }, "events": report.events,
                "events_per_s": rate as u64, "verdict": report.verdict.to_string(),
                "signatures": report.signatures, "peak_mib": memory_kib("VmHWM") / 1024 })
    );
    Ok(())
}
