//! Ours and what a user would pick instead, in one interleaved run on one disk: each round measures every cell once, one
//! after the other, and the medians of all rounds are compared with the targets. Run it with `benches/run`, which fetches
//! the peers and builds everything; a peer that is not there leaves its rows empty.
//!
//! Prints what it does to stderr, a table (Markdown) to stdout, and all figures as JSON into `--json FILE`.

mod cells;
mod peers;
mod targets;

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

use cells::{Cell, cells};
use peers::Peers;

/// Every figure of a cell, round by round.
pub type Figures = BTreeMap<&'static str, Vec<Value>>;

fn main() -> anyhow::Result<()> {
    let (mut rounds, mut file, mut only) = (5, None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--rounds" => rounds = value()?.parse()?,
            "--json" => file = Some(value()?),
            "--only" => only = Some(value()?),
            _ => anyhow::bail!("usage: compare [--rounds N] [--json FILE] [--only PART OF A CELL'S NAME]"),
        }
    }
    let peers = Peers::start()?;
    let load_before = uptime();
    let mut figures = Figures::new();
    let mut absent: BTreeMap<&'static str, String> = BTreeMap::new();
    for round in 1..=rounds {
        for cell in cells() {
            if only.as_ref().is_some_and(|only| !cell.name.contains(only.as_str())) || absent.contains_key(cell.name) {
                continue;
            }
            match measure(&cell, &peers, &figures) {
                Ok(found) => {
                    let rate = found["events_per_s"].as_u64().unwrap_or(0);
                    let (p50, p99) = (&found["p50_us"], &found["p99_us"]);
                    eprintln!("{round}/{rounds} {:<28} {rate:>9}/s  p50 {p50} µs  p99 {p99} µs", cell.name);
                    figures.entry(cell.name).or_default().push(found);
                }
                Err(why) => {
                    eprintln!("{round}/{rounds} {:<28} {why:#}", cell.name);
                    absent.insert(cell.name, format!("{why:#}"));
                }
            }
        }
    }
    let machine = json!({ "cpu": cpu(), "cores": cores(), "memory_kib": memory(), "load_before": load_before,
                          "load_after": uptime(), "rounds": rounds, "postgres": peers.postgres_version(),
                          "settings": { "sqlite": "WAL, synchronous FULL", "postgres": "fsync on, synchronous_commit on" } });
    if let Some(file) = file {
        let all = json!({ "machine": machine, "figures": figures, "absent": absent });
        std::fs::write(&file, format!("{all}\n")).with_context(|| file.clone())?;
    }
    print(&machine, &figures, &absent);
    Ok(())
}

fn measure(cell: &Cell, peers: &Peers, figures: &Figures) -> anyhow::Result<Value> {
    let mut command: Command = (cell.command)(peers, figures)?;
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), "{}", err.lines().last().unwrap_or("it failed and says nothing"));
    serde_json::from_str(out.lines().last().unwrap_or("")).with_context(|| format!("no figures in {out}"))
}

/// The median of one figure over all rounds.
pub fn median(figures: &Figures, cell: &str, key: &str) -> Option<f64> {
    let mut values: Vec<f64> = figures.get(cell)?.iter().filter_map(|found| found[key].as_f64()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn print(machine: &Value, figures: &Figures, absent: &BTreeMap<&'static str, String>) {
    println!(
        "{} cores, {}; load {} before and {} after;",
        machine["cores"],
        text(&machine["cpu"]),
        text(&machine["load_before"]),
        text(&machine["load_after"])
    );
    println!("{}; medians of {} rounds\n", text(&machine["postgres"]), machine["rounds"]);
    println!("| load | events/s | smallest to largest | p50 µs | p99 µs |\n|---|---|---|---|---|");
    for cell in cells() {
        let Some(found) = figures.get(cell.name) else { continue };
        let get = |key: &str| median(figures, cell.name, key).unwrap_or(0.0) as u64;
        let rates = found.iter().filter_map(|f| f["events_per_s"].as_u64());
        let (least, most) = (rates.clone().min().unwrap_or(0), rates.max().unwrap_or(0));
        let (rate, p50, p99) = (get("events_per_s"), get("p50_us"), get("p99_us"));
        println!("| {} | {} | {} to {} | {p50} | {p99} |", cell.name, short(rate), short(least), short(most));
    }
    println!("\n| # | what | ours | against | ratio | target | |\n|---|---|---|---|---|---|---|");
    targets::rows(figures).iter().for_each(|row| println!("{row}"));
    if !absent.is_empty() {
        println!("\nNot measured:");
        absent.iter().for_each(|(cell, why)| println!("* {cell}: {why}"));
    }
}

/// Three digits are more than the noise allows.
pub fn short(number: u64) -> String {
    match number {
        1_000_000.. => format!("{:.2} M", number as f64 / 1e6),
        10_000.. => format!("{:.1} k", number as f64 / 1e3),
        1_000.. => format!("{:.2} k", number as f64 / 1e3),
        _ => number.to_string(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("unknown")
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("unknown".to_owned(), |(_, name)| name.to_owned())
}

/// Of this machine.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn uptime() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("unknown").to_owned()
}
