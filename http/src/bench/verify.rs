//! Verifying a bundle, as an auditor does.

use std::fs::File;
use std::io::BufReader;
use std::time::Instant;

use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::note::VerifierKey;
use keiin_eventlog::verify::{Options, Report, Verdict, verify};
use serde_json::json;

use super::deployment::Deployment;
use super::{Clock, Measured, Settings, append};
use crate::export::{self, Range, Source};

/// The bundle is verified this often; the rate is that of all passes.
const PASSES: u32 = 5;

pub async fn run(place: &Deployment, settings: &Settings, deep: bool) -> anyhow::Result<Measured> {
    append::fill(place, settings, false).await?;
    let (app, ledger) = (&place.app, place.ledgers[0]);
    app.anchorer.anchor_now(ledger).await?;
    let origin = Origin::new(&app.config.log_name, ledger, 1)?.to_string();
    let key = VerifierKey::new(&origin, app.keyring.current().public())?;
    let path = app.data.root().join("bundle.keiin");
    let source = Source { log: &app.log, anchorer: &app.anchorer, vault: None, only: None };
    export::write(&source, ledger, Range::default(), File::create(&path)?).await?;

    let options = Options { keys: vec![key], deep, ..Options::default() };
    let clock = Clock::start();
    let (mut events, mut latencies, mut last) = (0, vec![], None);
    for _ in 0..PASSES {
        let asked = Instant::now();
        let report = tokio::task::block_in_place(|| -> anyhow::Result<Report> {
            Ok(verify(BufReader::with_capacity(1 << 18, File::open(&path)?), &options))
        })?;
        anyhow::ensure!(report.verdict == Verdict::Verified, "not verified: {:?}", report.reason);
        latencies.push(asked.elapsed());
        events += report.events;
        last = Some(report);
    }
    let took = clock.stop();
    let signatures = last.map_or(0, |report| report.signatures);
    let a_second = (signatures as f64 * f64::from(PASSES) / took.wall.as_secs_f64()) as u64;
    let more = vec![
        ("deep", json!(deep)),
        ("signatures", json!(signatures)),
        ("signatures_per_s", json!(a_second)),
        ("bundle_bytes", json!(std::fs::metadata(&path)?.len())),
    ];
    Ok(Measured { events, took, latencies, more })
}
