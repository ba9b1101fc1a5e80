//! Verifying bundles, as an auditor does.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Instant;

use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::note::VerifierKey;
use keiin_eventlog::verify::{Options, Verdict, verify};
use serde_json::json;
use uuid::Uuid;

use super::deployment::Deployment;
use super::{Clock, Measured, Settings, append};
use crate::app::App;
use crate::export::{self, Range, Source};

/// The bundles are verified this often; the rate is that of all passes.
const PASSES: u32 = 5;

pub async fn run(place: &Deployment, settings: &Settings, deep: bool) -> anyhow::Result<Measured> {
    append::fill(place, settings, false).await?;
    let mut bundles = vec![];
    for ledger in &place.ledgers {
        bundles.push(bundle(&place.app, *ledger, deep).await?);
    }
    let clock = Clock::start();
    let (mut events, mut signatures, mut latencies) = (0, 0, vec![]);
    for _ in 0..PASSES {
        let asked = Instant::now();
        (events, signatures) = tokio::task::block_in_place(|| pass(&bundles))?;
        latencies.push(asked.elapsed());
    }
    let took = clock.stop().each_of(PASSES);
    let bytes: u64 = bundles.iter().map(|(path, _)| Ok(std::fs::metadata(path)?.len())).sum::<std::io::Result<_>>()?;
    let more = vec![
        ("deep", json!(deep)),
        ("signatures", json!(signatures)),
        ("signatures_per_s", json!((signatures as f64 / took.wall.as_secs_f64()) as u64)),
        ("bundle_bytes", json!(bytes)),
    ];
    Ok(Measured { events, took, latencies, more })
}

/// A ledger as a bundle, and how it is to be verified: with its key given.
async fn bundle(app: &App, ledger: Uuid, deep: bool) -> anyhow::Result<(PathBuf, Options<'static>)> {
    app.anchorer.anchor_now(ledger).await?;
    let origin = Origin::new(&app.config.log_name, ledger, 1)?.to_string();
    let key = VerifierKey::new(&origin, app.keyring.current().public())?;
    let path = app.data.root().join(format!("{ledger}.keiin"));
    let source = Source { log: &app.log, anchorer: &app.anchorer, vault: None, only: None };
    export::write(&source, ledger, Range::default(), File::create(&path)?).await?;
    Ok((path, Options { keys: vec![key], deep, ..Options::default() }))
}

/// Every bundle once; how many events and signatures were verified.
fn pass(bundles: &[(PathBuf, Options<'_>)]) -> anyhow::Result<(u64, u64)> {
    let (mut events, mut signatures) = (0, 0);
    for (path, options) in bundles {
        let report = verify(BufReader::with_capacity(1 << 18, File::open(path)?), options);
        anyhow::ensure!(report.verdict == Verdict::Verified, "not verified: {:?}", report.reason);
        events += report.events;
        signatures += report.signatures;
    }
    Ok((events, signatures))
}
