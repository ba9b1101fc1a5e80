//! What the databases can do without us, on this disk and in this minute. One load, one line of JSON:
//!
//! ```text
//! raw floor                                  append 400 bytes to a file, fdatasync, one after the other
//! raw signatures                             Ed25519 checked in one equation, 1,024 at a time, on all cores
//! raw sqlite ROWS EVENTS                     ROWS a transaction; WAL, synchronous FULL; one table, no index
//! raw sqlite-unique ROWS EVENTS              the same, where a stream's version and an append's id may stand there once
//! raw postgres URL insert CONNECTIONS EVENTS one row a commit
//! raw postgres URL unnest CONNECTIONS ROWS EVENTS
//! raw message-db URL CONNECTIONS EVENTS      its own function, a category a connection: its best mode
//! ```

use std::io::Write;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ed25519_dalek::{Signer, SigningKey};
use keiin_benches::percentile;
use rusqlite::Connection;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Executor};
use tokio::task::JoinSet;

const BODY: [u8; 400] = [0x5a; 400];
/// Names of streams are random, so that an index over them is written at random places.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &str| text.parse::<u64>().context("a number");
    let (events, mut latencies, took) = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor"] => floor()?,
        ["signatures"] => signatures()?,
        ["sqlite", rows, events] => sqlite(false, number(rows)?, number(events)?)?,
        ["sqlite-unique", rows, events] => sqlite(true, number(rows)?, number(events)?)?,
        ["postgres", url, "insert", connections, events] => {
            postgres(url, Kind::Rows(1), number(connections)?, number(events)?).await?
        }
        ["postgres", url, "unnest", connections, rows, events] => {
            postgres(url, Kind::Rows(number(rows)?), number(connections)?, number(events)?).await?
        }
        ["message-db", url, connections, events] => {
            postgres(url, Kind::MessageDb, number(connections)?, number(events)?).await?
        }
        _ => bail!("usage: see the first lines of benches/bin/raw.rs"),
    };
    let rate = events as f64 / took.as_secs_f64();
    let (p50, p99) = (percentile(&mut latencies, 0.5), percentile(&mut latencies, 0.99));
    println!(
        "{}",
        json!({ "events_per_s": rate as u64, "p50_us": p50.as_micros() as u64, "p99_us": p99.as_micros() as u64,
                "events": events })
    );
    Ok(())
}

type Measured = (u64, Vec<Duration>, Duration);

fn floor() -> anyhow::Result<Measured> {
    let mut file = tempfile::tempfile()?;
    let (started, mut latencies) = (Instant::now(), vec![]);
    while started.elapsed() < Duration::from_millis(500) {
        let asked = Instant::now();
        file.write_all(&BODY)?;
        file.sync_data()?;
        latencies.push(asked.elapsed());
    }
    Ok((latencies.len() as u64, latencies, started.elapsed()))
}

fn signatures() -> anyhow::Result<Measured> {
    const TOGETHER: usize = 1_024;
    const TIMES: usize = 20;
    let key = SigningKey::from_bytes(&[7; 32]);
    let messages: Vec<_> = (0..TOGETHER).map(|n| [n.to_be_bytes(), [0x5a; 8]].concat().repeat(5)).collect();
    let signatures: Vec<_> = messages.iter().map(|message| key.sign(message)).collect();
    let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
    let keys = vec![key.verifying_key(); TOGETHER];
    let started = Instant::now();
    let core = || {
        let one = |_| {
            let asked = Instant::now();
            ed25519_dalek::verify_batch(&messages, &signatures, &keys).context("a batch does not hold")?;
            Ok(asked.elapsed())
        };
        (0..TIMES).map(one).collect::<anyhow::Result<Vec<_>>>()
    };
    let cores = std::thread::available_parallelism()?.get();
    let latencies: Vec<_> = std::thread::scope(|scope| {
        let cores: Vec<_> = (0..cores).map(|_| scope.spawn(core)).collect();
        cores.into_iter().map(|core| core.join().expect("a check does not panic")).collect::<anyhow::Result<_>>()
    })?;
    Ok(((TOGETHER * TIMES * cores) as u64, latencies.concat(), started.elapsed()))
}

const BARE: &str = "CREATE TABLE event (no INTEGER PRIMARY KEY, body BLOB NOT NULL)";
const UNIQUE: &str = "CREATE TABLE event (no INTEGER PRIMARY KEY, stream BLOB NOT NULL, version INTEGER NOT NULL,
    append BLOB NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (stream, version), UNIQUE (append, place))";

fn sqlite(unique: bool, rows: u64, events: u64) -> anyhow::Result<Measured> {
    let dir = tempfile::tempdir()?;
    let conn = open(&dir.path().join("raw.db"), if unique { UNIQUE } else { BARE })?;
    let insert = match unique {
        true => "INSERT INTO event (body, stream, version, append, place) VALUES (?1, ?2, 0, ?3, ?4)",
        false => "INSERT INTO event (body) VALUES (?1)",
    };
    // As ours are: in the order of time, and random behind that.
    let id = |n: u64| [n.to_be_bytes(), n.wrapping_mul(GOLDEN).to_be_bytes()].concat();
    let (started, mut latencies) = (Instant::now(), vec![]);
    for append in 0..events.div_ceil(rows) {
        let asked = Instant::now();
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut insert = conn.prepare_cached(insert)?;
        for row in 0..rows {
            match unique {
                true => insert.execute((&BODY[..], id(append * rows + row), id(append), row as i64))?,
                false => insert.execute([&BODY[..]])?,
            };
        }
        conn.prepare_cached("COMMIT")?.execute([])?;
        latencies.push(asked.elapsed());
    }
    Ok((latencies.len() as u64 * rows, latencies, started.elapsed()))
}

fn open(path: &Path, table: &str) -> anyhow::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    conn.execute_batch("PRAGMA synchronous = FULL")?;
    conn.execute_batch(table)?;
    Ok(conn)
}

#[derive(Clone, Copy)]
enum Kind {
    Rows(u64),
    MessageDb,
}

async fn postgres(url: &str, kind: Kind, connections: u64, events: u64) -> anyhow::Result<Measured> {
    let mut options = PgConnectOptions::from_str(url)?;
    let mut open = vec![];
    match kind {
        Kind::MessageDb => options = options.options([("search_path", "message_store,public")]),
        Kind::Rows(_) => {
            let mut conn = options.connect().await?;
            conn.execute("DROP TABLE IF EXISTS raw_event").await?;
            conn.execute("CREATE TABLE raw_event (no BIGSERIAL PRIMARY KEY, body BYTEA NOT NULL)").await?;
        }
    }
    for _ in 0..connections {
        open.push(options.connect().await?);
    }
    let rows = if let Kind::Rows(rows) = kind { rows } else { 1 };
    let appends = events.div_ceil(rows);
    let started = Instant::now();
    let mut running = JoinSet::new();
    for (conn, n) in open.into_iter().zip(0..) {
        running.spawn(client(conn, kind, (n, connections, appends)));
    }
    let mut latencies = vec![];
    while let Some(done) = running.join_next().await {
        latencies.extend(done??);
    }
    Ok((latencies.len() as u64 * rows, latencies, started.elapsed()))
}

async fn client(
    mut conn: PgConnection,
    kind: Kind,
    (number, connections, appends): (u64, u64, u64),
) -> anyhow::Result<Vec<Duration>> {
    let bodies = |rows: u64| (0..rows).map(|_| BODY.to_vec()).collect::<Vec<_>>();
    // message-db stores JSON.
    let text = format!("{{\"x\":\"{}\"}}", "z".repeat(392));
    let mut latencies = vec![];
    for n in (number..appends).step_by(connections as usize) {
        let asked = Instant::now();
        match kind {
            Kind::Rows(1) => {
                sqlx::query("INSERT INTO raw_event (body) VALUES ($1)").bind(&BODY[..]).execute(&mut conn).await?
            }
            Kind::Rows(rows) => {
                let insert = "INSERT INTO raw_event (body) SELECT * FROM UNNEST($1::bytea[])";
                sqlx::query(insert).bind(bodies(rows)).execute(&mut conn).await?
            }
            Kind::MessageDb => {
                let random = (n + 1).wrapping_mul(GOLDEN);
                let stream = format!("c{number}-{random:016x}");
                let write = "SELECT write_message(gen_random_uuid()::varchar, $1::varchar, 'ClientRegistered'::varchar, $2::jsonb)";
                sqlx::query(write).bind(stream).bind(&text).execute(&mut conn).await?
            }
        };
        latencies.push(asked.elapsed());
    }
    Ok(latencies)
}
