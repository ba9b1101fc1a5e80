//! What is measured, in the order of a round: peer, ours, peer, ours.

use std::process::Command;

use anyhow::Context;

use super::peers::Peers;
use super::{Figures, median};

/// One measurement.
pub struct Cell {
    /// As the tables name it.
    pub name: &'static str,
    /// The program that measures it once and prints one line of JSON.
    pub command: Box<Run>,
}

type Run = dyn Fn(&Peers, &Figures) -> anyhow::Result<Command>;

fn cell(name: &'static str, command: impl Fn(&Peers, &Figures) -> anyhow::Result<Command> + 'static) -> Cell {
    Cell { name, command: Box::new(command) }
}

fn raw(name: &'static str, args: &'static str) -> Cell {
    cell(name, move |peers, _| Ok(peers.raw(args)))
}

/// `{pg}` stands for the address of an empty database.
fn raw_postgres(name: &'static str, args: &'static str) -> Cell {
    cell(name, move |peers, _| Ok(peers.raw(&args.replace("{pg}", &peers.database()))))
}

fn umadb(name: &'static str, args: &'static str) -> Cell {
    cell(name, move |peers, _| peers.umadb(args))
}

fn message_db(name: &'static str, args: &'static str) -> Cell {
    cell(name, move |peers, _| Ok(peers.raw(&args.replace("{url}", peers.message_db()?))))
}

fn ours(name: &'static str, args: &'static str) -> Cell {
    cell(name, move |peers, _| Ok(peers.keiin(args)))
}

fn ours_postgres(name: &'static str, args: &'static str) -> Cell {
    cell(name, move |peers, _| Ok(peers.keiin(&format!("{args} --database {}", peers.database()))))
}

fn our_mean_group(kind: &str, figures: &Figures) -> anyhow::Result<String> {
    let mean = median(figures, "SQLite, 32 writers", "events_per_write").context("ours was not measured")?;
    Ok(format!("{kind} {} 50000", mean.round().max(1.0)))
}

/// All cells.
pub fn cells() -> Vec<Cell> {
    vec![
        raw("fdatasync floor", "floor"),
        raw("raw SQLite, 1", "sqlite 1 5000"),
        ours("SQLite, 1 writer", "append --clients 1 --events 5000"),
        umadb("UmaDB, 32 clients", "append 32 1 8000"),
        ours("SQLite, 32 writers", "append --clients 32 --events 30000"),
        cell("raw SQLite, our mean group", |peers, figures| Ok(peers.raw(&our_mean_group("sqlite", figures)?))),
        cell("unique SQLite, our mean group", |peers, figures| {
            Ok(peers.raw(&our_mean_group("sqlite-unique", figures)?))
        }),
        ours("SQLite, 512 writers", "append --clients 512 --events 40000"),
        umadb("UmaDB, 1 client", "append 1 1 2000"),
        ours("SQLite, 8 writers", "append --clients 8 --events 15000"),
        umadb("UmaDB, 8 clients", "append 8 1 5000"),
        ours("SQLite, 32 writers, 10 ledgers", "append --clients 32 --events 30000 --ledgers 10"),
        raw("raw SQLite, 10", "sqlite 10 30000"),
        ours("SQLite, 32 writers, 10,000 ledgers", "append --clients 32 --events 20000 --ledgers 10000"),
        raw("raw SQLite, 100", "sqlite 100 60000"),
        raw("raw SQLite, 1000", "sqlite 1000 100000"),
        raw("unique SQLite, 1000", "sqlite-unique 1000 100000"),
        ours("SQLite, 1000 a command", "append --clients 4 --batch 1000 --events 100000"),
        umadb("UmaDB, 32 clients, 100 a batch", "append 32 100 100000"),
        umadb("UmaDB, 1 client, 100 a batch", "append 1 100 40000"),
        umadb("UmaDB, 8 clients, 100 a batch", "append 8 100 80000"),
        ours("HTTP, 32 connections", "http --clients 32 --events 8000"),
        umadb("UmaDB, read all", "read 1 1 100000"),
        ours("replay", "replay --events 200000"),
        ours("verify", "verify --events 100000 --batch 100 --clients 1"),
        raw("batch verification", "signatures"),
        ours("verify --deep", "verify --deep --events 20000 --batch 1 --clients 1"),
        ours("rebuild", "rebuild --events 60000"),
        raw_postgres("PostgreSQL INSERT, 1", "postgres {pg} insert 1 3000"),
        ours_postgres("PostgreSQL, 1 writer", "append --clients 1 --events 3000"),
        raw_postgres("PostgreSQL INSERT, 8", "postgres {pg} insert 8 10000"),
        raw_postgres("PostgreSQL INSERT, 32", "postgres {pg} insert 32 10000"),
        ours_postgres("PostgreSQL, 32 writers", "append --clients 32 --events 20000"),
        message_db("message-db, 1", "message-db {url} 1 3000"),
        message_db("message-db, 8", "message-db {url} 8 6000"),
        message_db("message-db, 32", "message-db {url} 32 6000"),
        raw_postgres("PostgreSQL UNNEST 10 × 8", "postgres {pg} unnest 8 10 40000"),
        raw_postgres("PostgreSQL UNNEST 100 × 8", "postgres {pg} unnest 8 100 80000"),
        raw_postgres("PostgreSQL UNNEST 1000 × 1", "postgres {pg} unnest 1 1000 80000"),
        raw_postgres("PostgreSQL UNNEST 1000 × 8", "postgres {pg} unnest 8 1000 80000"),
        ours_postgres("PostgreSQL, 1000 a command", "append --clients 4 --batch 1000 --events 60000"),
    ]
}
