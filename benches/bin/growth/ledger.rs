//! A ledger, or several, of one event of 400 bytes after another, through the log alone: 20 events of a stream lie far apart.
//! Measured at each size: appends of one event, loads of a stream; in a fresh process the start, proofs and memory; a bundle
//! and its verification.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
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
use keiin_eventlog::postgres::Address;
use keiin_eventlog::record::{Leaf, Party, Stream};
use keiin_eventlog::seal::{self, BodyPlace};
use keiin_eventlog::store::Outcome;
use keiin_eventlog::store::Store;
use keiin_eventlog::store::postgres::PostgresStore;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::vault::Vault;
use keiin_eventlog::verify::{Options, verify};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database;

const LOG_NAME: &str = "bench.example";
/// Most events of one append while the ledgers grow.
const BATCH: u64 = 500;
/// Events of a stream, one in each of as many appends.
const STREAM: u64 = 20;
/// Bytes of an event before it is sealed.
const BODY: usize = 400;
/// Appends and loads that are measured at each size.
const SAMPLES: u64 = 1_000;

struct Open {
    log: Log,
    vault: Arc<Vault>,
    keyring: Arc<Keyring>,
    anchorer: Arc<Anchorer>,
}

/// The log is in the database, where one is named; everything else is in the directory.
async fn open(dir: &Path, database: Option<&str>) -> anyhow::Result<Open> {
    let keys = dir.join("keys");
    let keyring = Arc::new(if keys.exists() { Keyring::open(&keys)? } else { Keyring::create(&keys)? });
    let vault = Arc::new(Vault::open(&dir.join("vault.db"), keyring.kek()?)?);
    let store: Arc<dyn Store> = match database {
        Some(url) => Arc::new(PostgresStore::open(&Address::parse(url)?, keyring.clone()).await?),
        None => Arc::new(SqliteStore::open(&dir.join("log.db"), keyring.clone())?),
    };
    let log = Log::open(store);
    let anchor = dir.join("anchor.db");
    let anchorer = Anchorer::open(&anchor, log.clone(), vault.clone(), keyring.clone(), LOG_NAME).await?;
    Ok(Open { log, vault, keyring, anchorer })
}

/// How far the deployment has grown. Append n goes to ledger n mod `ledgers`.
pub struct Grown {
    ledgers: u64,
    batch: u64,
    appends: u64,
}

impl Grown {
    /// Not yet.
    pub fn new(ledgers: u64) -> Grown {
        Grown { ledgers, batch: (BATCH / ledgers).max(1), appends: 0 }
    }

    fn ledger(&self, append: u64) -> Uuid {
        Uuid::from_u128(u128::from(append % self.ledgers) + 1)
    }

    /// The stream of the nth event of an append: [`STREAM`] appends of a ledger in a row share their streams.
    fn stream(&self, append: u64, n: u64) -> Stream {
        let round = append / self.ledgers / STREAM;
        let number = round * self.batch + n;
        Stream::new("bench", Uuid::from_u128(u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | 1))
    }

    fn append(&self, open: &Open, append: u64, count: u64) -> anyhow::Result<Append> {
        let ledger = self.ledger(append);
        let key = open.vault.current_body_key(ledger)?;
        let text = vec![0x5a; BODY];
        let draft = |n: u64| -> anyhow::Result<Draft> {
            let place = BodyPlace { ledger, event_version: 1, event_kind: "bench.happened" };
            Ok(Draft {
                stream: self.stream(append, n),
                event_kind: "bench.happened".into(),
                event_version: 1,
                sealed_epoch: Some(key.epoch()),
                body: seal::seal_body(&key, place, &seal::fresh_salt(), &text)?,
            })
        };
        Ok(Append {
            ledger,
            append_id: Uuid::from_u128(u128::from(append) + 1),
            time_us: 2 + append,
            actor: Party::SYSTEM,
            on_behalf_of: None,
            cause: None,
            expect: vec![],
            drafts: (0..count).map(draft).collect::<anyhow::Result<_>>()?,
        })
    }
}

/// Grows the deployment in `dir` to so many events; appends and loads there.
pub async fn grow(dir: &Path, database: Option<&str>, grown: &mut Grown, size: u64) -> anyhow::Result<Value> {
    let open = open(dir, database).await?;
    if grown.appends == 0 {
        for n in 0..grown.ledgers {
            let ledger = grown.ledger(n);
            let stamp = Stamp { time_us: 1, append_id: Uuid::from_u128(u128::MAX - u128::from(n)) };
            let origin = Origin::new(LOG_NAME, ledger, 1)?;
            life::open(&open.log, &open.vault, origin, open.keyring.current().public(), None, stamp).await?;
        }
    }
    let (started, before) = (Instant::now(), grown.appends);
    while grown.appends * grown.batch < size {
        // As many appends at a time as the last write needs to be large, one a ledger.
        let mut under_way = tokio::task::JoinSet::new();
        for _ in 0..(BATCH / grown.batch) {
            let (append, log) = (grown.append(&open, grown.appends, grown.batch)?, open.log.clone());
            under_way.spawn(async move { log.append(append).await });
            grown.appends += 1;
        }
        while let Some(outcome) = under_way.join_next().await {
            let outcome = outcome?;
            anyhow::ensure!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        }
    }
    let rate = ((grown.appends - before) * grown.batch) as f64 / started.elapsed().as_secs_f64();
    let mut loads = vec![];
    for n in 0..SAMPLES {
        // A whole stream, not the last one.
        let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (grown.appends * 9 / 10).max(1);
        let (ledger, stream) = (grown.ledger(random), grown.stream(random, random % grown.batch));
        let asked = Instant::now();
        for record in open.log.read_stream(ledger, &stream, 0, 1_000).await? {
            let leaf = Leaf::decode(&record.leaf)?;
            let key = open.vault.body_key(ledger, leaf.sealed_epoch.context("sealed")?)?;
            std::hint::black_box(seal::open_body(&key, &leaf, record.body.as_deref().context("a body")?)?);
        }
        loads.push(asked.elapsed());
    }
    let mut appends = vec![];
    for n in 0..SAMPLES {
        let append = Append {
            append_id: Uuid::from_u128(1 << 100 | u128::from(size) << 32 | u128::from(n)),
            ..grown.append(&open, n, 1)?
        };
        let asked = Instant::now();
        let outcome = open.log.append(append).await;
        anyhow::ensure!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        appends.push(asked.elapsed());
    }
    let anchored = Instant::now();
    for n in 0..grown.ledgers {
        open.anchorer.anchor_now(grown.ledger(n)).await?;
    }
    let bytes = match database {
        Some(url) => database::bytes(url).await?,
        None => std::fs::metadata(dir.join("log.db"))?.len(),
    };
    let us = |times: &mut [_], part| percentile(times, part).as_micros() as u64;
    Ok(json!({ "load": "grow", "events": size, "ledgers": grown.ledgers, "bulk_events_per_s": rate as u64,
                "append_p50_us": us(&mut appends, 0.5), "append_p99_us": us(&mut appends, 0.99),
                "stream_p50_us": us(&mut loads, 0.5), "stream_p99_us": us(&mut loads, 0.99),
                "anchor_ms": anchored.elapsed().as_millis() as u64, "bytes_per_event": bytes / size.max(1) }))
}

/// A fresh process: how long until it serves, the first proof, later proofs, memory.
pub async fn start(dir: &Path, database: Option<&str>) -> anyhow::Result<Value> {
    let started = Instant::now();
    let open = open(dir, database).await?;
    let ready = started.elapsed();
    let ledgers = open.log.ledgers().await?;
    let (mut first, mut times, mut events) = (None, vec![], 0);
    for ledger in &ledgers {
        events += open.anchorer.latest(*ledger).context("anchored")?.size;
    }
    for n in 0..10_000u64 {
        let ledger = ledgers[n as usize % ledgers.len()];
        let size = open.anchorer.latest(ledger).context("anchored")?.size;
        let position = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
        let asked = Instant::now();
        open.anchorer.proof(ledger, position).await?;
        first.get_or_insert(asked.elapsed());
        times.push(asked.elapsed());
    }
    let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    Ok(json!({ "load": "start", "events": events, "ledgers": ledgers.len(), "ready_ms": ready.as_millis() as u64,
                "first_proof_us": first.unwrap_or_default().as_micros() as u64,
                "proof_p50_us": p50.as_micros() as u64, "proof_p99_us": p99.as_micros() as u64,
                "resident_mib": memory_kib("self", "VmRSS") / 1024 }))
}

/// The first ledger as a bundle, and with its figures the key that checks it.
pub async fn export(dir: &Path, file: &Path) -> anyhow::Result<(Value, String)> {
    let open = open(dir, None).await?;
    let ledger = Uuid::from_u128(1);
    let anchored = open.anchorer.latest(ledger).context("anchored")?;
    let started = Instant::now();
    let header = Header { opened: false, first: 0, count: anchored.size };
    let mut writer = Writer::new(BufWriter::new(File::create(file)?), header, &anchored.checkpoint, None)?;
    let mut at = 0;
    while at < anchored.size {
        let records = open.log.read(ledger, at, 1_000).await?;
        records.iter().try_for_each(|record| writer.record(record, None))?;
        at += records.len() as u64;
    }
    writer.finish()?;
    let rate = anchored.size as f64 / started.elapsed().as_secs_f64();
    let figures = json!({ "load": "export", "events": anchored.size, "events_per_s": rate as u64 });
    let origin = Origin::new(LOG_NAME, ledger, 1)?.to_string();
    let key = keiin_eventlog::note::VerifierKey::new(&origin, open.keyring.current().public())?;
    Ok((figures, key.to_string()))
}

/// Verifies a bundle.
pub fn check(file: &Path, key: &str, deep: bool) -> anyhow::Result<Value> {
    let started = Instant::now();
    let options = Options { keys: vec![key.parse()?], deep, ..Options::default() };
    let report = verify(BufReader::with_capacity(1 << 18, File::open(file)?), &options);
    let rate = report.events as f64 / started.elapsed().as_secs_f64();
    Ok(json!({ "load": if deep { "verify --deep" } else { "verify" }, "events": report.events,
                "events_per_s": rate as u64, "verdict": report.verdict.to_string(),
                "signatures": report.signatures, "peak_mib": memory_kib("self", "VmHWM") / 1024 }))
}
