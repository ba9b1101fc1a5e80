//! Reading everything back: each body against its leaf, each leaf against the next, opened and decoded.

use std::time::Instant;

use keiin_domain::client::ClientEvent;
use keiin_projections::fact::Fact;

use super::deployment::Deployment;
use super::{Clock, Measured, Settings, append};

/// Events read at once.
const PAGE: usize = 1_000;

pub async fn run(place: &Deployment, settings: &Settings) -> anyhow::Result<Measured> {
    append::fill(place, settings, false).await?;
    let clock = Clock::start();
    let (mut events, mut latencies) = (0, vec![]);
    for ledger in &place.ledgers {
        // Position 0 opens the ledger.
        let mut at = 1;
        loop {
            let asked = Instant::now();
            let records = place.app.log.read(*ledger, at, PAGE).await?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                let fact = Fact::open(record, &place.app.vault)?;
                let event: ClientEvent = fact.read().map_err(anyhow::Error::msg)?;
                std::hint::black_box(event);
            }
            at += records.len() as u64;
            events += records.len() as u64;
            latencies.push(asked.elapsed());
        }
    }
    Ok(Measured { events, took: clock.stop(), latencies, more: vec![] })
}
