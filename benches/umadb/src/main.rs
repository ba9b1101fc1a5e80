//! Loads for an UmaDB server: `keiin-bench-umadb URL append|read CLIENTS BATCH EVENTS` prints one line of JSON.
//!
//! Each client has a connection of its own and waits for its answer before it appends again, as `keiin bench append`
//! does. Events are 400 bytes with one tag of their own and no condition: the least that an application could ask for.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::json;
use umadb_client::AsyncUmaDbClient;
use umadb_dcb::{DcbEvent, DcbEventStoreAsync};

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, load, clients, batch, events] = &args[..] else {
        return Err("usage: keiin-bench-umadb URL append|read CLIENTS BATCH EVENTS".into());
    };
    let (clients, batch, events): (u64, u64, u64) = (clients.parse()?, batch.parse()?, events.parse()?);
    let started;
    let (mut latencies, count) = match load.as_str() {
        "append" => {
            let mut open = vec![];
            for _ in 0..clients {
                open.push(AsyncUmaDbClient::connect(url.clone(), None, None, None).await?);
            }
            started = Instant::now();
            let running = open.into_iter().zip(0..).map(|(client, n)| {
                tokio::spawn(append(client, n, clients, batch, events.div_ceil(batch)))
            });
            let mut latencies = vec![];
            for done in running.collect::<Vec<_>>() {
                latencies.extend(done.await??);
            }
            let count = latencies.len() as u64 * batch;
            (latencies, count)
        }
        "read" => {
            let client = AsyncUmaDbClient::connect(url.clone(), None, Some(1_000), None).await?;
            started = Instant::now();
            let mut answer = client.read(None, None, false, Some(events as u32)).await?;
            let (mut count, mut bytes) = (0u64, 0);
            while let Some(event) = answer.next().await {
                bytes += event?.event.data.len();
                count += 1;
            }
            assert_eq!(bytes as u64, count * 400);
            (vec![started.elapsed()], count)
        }
        other => return Err(format!("{other} is no load").into()),
    };
    let took = started.elapsed();
    latencies.sort_unstable();
    let at = |part: f64| latencies[((latencies.len() as f64 * part) as usize).min(latencies.len() - 1)];
    println!(
        "{}",
        json!({ "events_per_s": (count as f64 / took.as_secs_f64()) as u64, "p50_us": at(0.5).as_micros() as u64,
                "p99_us": at(0.99).as_micros() as u64, "events": count, "clients": clients, "batch": batch,
                "engine": "umadb" })
    );
    Ok(())
}

async fn append(
    client: AsyncUmaDbClient,
    number: u64,
    clients: u64,
    batch: u64,
    appends: u64,
) -> Result<Vec<Duration>, Failed> {
    let mut latencies = vec![];
    for n in (number..appends).step_by(clients as usize) {
        let asked = Instant::now();
        let event = |k: u64| {
            DcbEvent::new().event_type("client.registered").tags([format!("client:{n}-{k}")]).data(vec![0x5a; 400])
        };
        client.append((0..batch).map(event).collect(), None, None).await?;
        latencies.push(asked.elapsed());
    }
    Ok(latencies)
}
