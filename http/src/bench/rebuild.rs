//! Folding all read models again, and the lists on top of them.

use std::collections::BTreeMap;
use std::time::Instant;

use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::role::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use super::deployment::Deployment;
use super::{Clock, Measured, Settings, append, percentile};
use crate::principal::Principal;

/// Rebuilds; the rate is that of their mean.
const TIMES: u32 = 3;
/// How often each list is asked.
const QUERIES: usize = 200;

pub async fn run(place: &Deployment, settings: &Settings) -> anyhow::Result<Measured> {
    append::fill(place, settings, true).await?;
    let clock = Clock::start();
    let (mut events, mut latencies) = (0, vec![]);
    for _ in 0..TIMES {
        let asked = Instant::now();
        events = place.app.runner.rebuild().await?;
        latencies.push(asked.elapsed());
    }
    let took = clock.stop().each_of(TIMES);
    let more = vec![
        ("list_clients_us", list(place, "list_clients", &[]).await?),
        ("filtered_clients_us", list(place, "list_clients", &[("q", "0f")]).await?),
        ("list_events_us", list(place, "list_events", &[]).await?),
    ];
    Ok(Measured { events, took, latencies, more })
}

/// p50 and p99 of a list's first page, as the owner of the first company sees it.
async fn list(place: &Deployment, query: &str, params: &[(&str, &str)]) -> anyhow::Result<Value> {
    let id = Uuid::max();
    let actor = Actor::new(actor_kind::MEMBER, id, Role::Owner);
    let owner = Principal { member: Some(id), ..Principal::new(place.ledgers[0], actor) };
    let params: BTreeMap<_, _> = params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let mut times = vec![];
    for _ in 0..QUERIES {
        let asked = Instant::now();
        let page = place.app.queries.ask(&place.app, &owner, query, params.clone()).await;
        page.map_err(|p| anyhow::anyhow!("{query} was refused ({})", p.code))?;
        times.push(asked.elapsed());
    }
    let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    Ok(json!({ "p50": p50.as_micros() as u64, "p99": p99.as_micros() as u64 }))
}
