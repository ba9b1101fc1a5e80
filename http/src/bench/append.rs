//! Appends through the log, and the ledgers that the other loads need.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_eventlog::store::Outcome;
use serde_json::json;
use tokio::task::JoinSet;

use super::deployment::Deployment;
use super::{Clock, Measured, Settings, events};

/// How long a client that was turned away waits before it tries again.
const AGAIN: Duration = Duration::from_millis(1);

pub async fn run(place: &Deployment, settings: &Settings) -> anyhow::Result<Measured> {
    let commits = place.app.log.changed();
    let before = *commits.borrow();
    let clock = Clock::start();
    let latencies = fill(place, settings, false).await?;
    let took = clock.stop();
    let events = latencies.len() as u64 * settings.batch;
    let writes = (*commits.borrow() - before).max(1);
    Ok(Measured { events, took, latencies, more: vec![("events_per_write", json!(events as f64 / writes as f64))] })
}

/// Appends what was asked for, in whole batches; how long each took.
pub async fn fill(place: &Deployment, settings: &Settings, contacts: bool) -> anyhow::Result<Vec<Duration>> {
    let appends = settings.events.div_ceil(settings.batch);
    let ledgers = Arc::new(place.ledgers.clone());
    let mut clients = JoinSet::new();
    for client in 0..settings.clients.min(appends) {
        let app = place.app.clone();
        let (ledgers, settings) = (ledgers.clone(), settings.clone());
        clients.spawn(async move {
            let mut latencies = vec![];
            for n in (client..appends).step_by(settings.clients as usize) {
                let ledger = ledgers[n as usize % ledgers.len()];
                let asked = Instant::now();
                let append = events::append(&app.vault, ledger, settings.batch, contacts)?;
                loop {
                    match app.log.append(append.clone()).await {
                        Outcome::Committed(_) => break,
                        Outcome::Busy => tokio::time::sleep(AGAIN).await,
                        other => anyhow::bail!("an append was not written: {other:?}"),
                    }
                }
                latencies.push(asked.elapsed());
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::with_capacity(appends as usize);
    while let Some(done) = clients.join_next().await {
        latencies.extend(done??);
    }
    Ok(latencies)
}
