//! What becomes slower, or larger, as ledgers grow:
//!
//!     growth [--only ledger,bundle,served] [--database URL] [--ledgers N] [--subscribers N] [--idle-s N] [--format text|json] [SIZE …]
//!
//! One deployment grows from size to size (default 10000 100000 1000000 events). `ledger` is the log alone, `bundle` its export
//! and verification at the largest size (one ledger only), `served` a company on a real server: its start, its lists, its
//! memory with 1,000 idle subscribers (`--subscribers`), looked at when they have been idle for 20 seconds (`--idle-s`): each
//! was sent a sign of life by then, and its rights were asked for again. What must not share memory runs in a process of its own.
//!
//! With `--database` (`postgres://user@host/database`) ledgers and read models are on that server, in databases that are made
//! beside the one named and dropped at the end; vault and anchor stay files. A bundle is the same on every engine and is
//! left out.
//!
//! Prints each load as JSON, one object a line: to stdout with `--format json`, else to stderr, and the table to stdout.

mod database;
mod ledger;
mod served;
mod table;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use database::Database;
use served::Served;
use table::Table;

const USAGE: &str = "usage: growth [--only ledger,bundle,served] [--database URL] [--ledgers N] [--subscribers N] \
    [--idle-s N] [--format text|json] [SIZE …]";
const PARTS: [&str; 3] = ["ledger", "bundle", "served"];

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // A load in a process of its own.
    let figures = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["verify", file, key, deep] => ledger::check(Path::new(file), key, deep == "deep")?,
        ["start", dir] => alone(ledger::start(Path::new(dir), None))?,
        ["start", dir, url] => alone(ledger::start(Path::new(dir), Some(url)))?,
        ["fill", data, company, events] => alone(served::fill(Path::new(data), company.parse()?, events.parse()?))?,
        _ => return Growth::read(args)?.run(),
    };
    println!("{figures}");
    Ok(())
}

/// In a runtime of its own, whose end is the end of every thread that had the files open.
fn alone<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// What this program prints about one load, run in a process of its own.
fn child(args: &[&str]) -> anyhow::Result<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    let out = command.args(args).stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(out.status.success(), "{command:?} failed");
    let text = String::from_utf8(out.stdout)?;
    serde_json::from_str(text.trim()).with_context(|| format!("no figures in {text}"))
}

struct Growth {
    only: Vec<String>,
    database: Option<String>,
    ledgers: u64,
    subscribers: usize,
    idle: Duration,
    json: bool,
    sizes: Vec<u64>,
    table: Table,
}

impl Growth {
    fn read(args: Vec<String>) -> anyhow::Result<Growth> {
        let idle = Duration::from_secs(20);
        let mut growth = Growth {
            only: vec![],
            database: None,
            ledgers: 1,
            subscribers: 1_000,
            idle,
            json: false,
            sizes: vec![],
            table: Table::default(),
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value; {USAGE}"));
            match arg.as_str() {
                "--only" => growth.only = value()?.split(',').map(str::to_owned).collect(),
                "--database" => growth.database = Some(value()?),
                "--ledgers" => growth.ledgers = value()?.parse().context(USAGE)?,
                "--subscribers" => growth.subscribers = value()?.parse().context(USAGE)?,
                "--idle-s" => growth.idle = Duration::from_secs(value()?.parse().context(USAGE)?),
                "--format" => growth.json = value()? == "json",
                size => growth.sizes.push(size.parse().context(USAGE)?),
            }
        }
        if growth.only.is_empty() {
            growth.only = PARTS.map(str::to_owned).to_vec();
            growth.only.retain(|part| growth.database.is_none() || part != "bundle");
        }
        let bundled = growth.database.is_some() && growth.does("bundle");
        anyhow::ensure!(!bundled, "a bundle is the same on every engine: leave it out, or --database");
        anyhow::ensure!(growth.only.iter().all(|part| PARTS.contains(&part.as_str())), USAGE);
        anyhow::ensure!(growth.ledgers > 0 && growth.sizes.is_sorted(), USAGE);
        if growth.sizes.is_empty() {
            growth.sizes = vec![10_000, 100_000, 1_000_000];
        }
        Ok(growth)
    }

    fn does(&self, part: &str) -> bool {
        self.only.iter().any(|only| only == part)
    }

    fn run(mut self) -> anyhow::Result<()> {
        if self.does("ledger") || self.does("bundle") {
            self.ledger()?;
        }
        if self.does("served") {
            self.served()?;
        }
        if !self.json {
            print!("{}", self.table.text());
        }
        Ok(())
    }

    fn database(&self, part: &str) -> anyhow::Result<Option<Database>> {
        self.database.as_ref().map(|server| Database::beside(server, part)).transpose()
    }

    fn ledger(&mut self) -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().to_str().context("temporary paths are text")?;
        let database = self.database("ledger")?;
        let url = database.as_ref().map(|database| database.url.as_str());
        let mut grown = ledger::Grown::new(self.ledgers);
        let mut last = 0;
        for size in self.sizes.clone() {
            let figures = alone(ledger::grow(dir.path(), url, &mut grown, size))?;
            self.take(size, &figures);
            let args: Vec<&str> = ["start", path].into_iter().chain(url).collect();
            self.take(size, &child(&args)?);
            last = size;
        }
        if self.ledgers == 1 && self.does("bundle") {
            let file = dir.path().join("bundle.keiin");
            let (figures, key) = alone(ledger::export(dir.path(), &file))?;
            self.take(last, &figures);
            for deep in ["plain", "deep"] {
                let file = file.to_str().context("temporary paths are text")?;
                self.take(last, &child(&["verify", file, &key, deep])?);
            }
        }
        Ok(())
    }

    fn served(&mut self) -> anyhow::Result<()> {
        let database = self.database("served")?;
        let mut served = Served::make(database.as_ref().map(|database| database.url.as_str()));
        for size in self.sizes.clone() {
            let missing = size.saturating_sub(served.events()).to_string();
            let figures = child(&["fill", served.data(), served.company(), &missing])?;
            self.take(size, &figures);
            for figures in served.measure(self.subscribers, self.idle)? {
                self.take(size, &figures);
            }
        }
        Ok(())
    }

    fn take(&mut self, size: u64, figures: &Value) {
        let mut line = json!({ "size": size });
        if let (Some(line), Some(figures)) = (line.as_object_mut(), figures.as_object()) {
            line.extend(figures.clone());
        }
        match self.json {
            true => println!("{line}"),
            false => eprintln!("{line}"),
        }
        self.table.take(size, figures);
    }
}
