//! `keiin bench`: how fast this machine and this database are, one load at a time.

use clap::{Args, Subcommand};

use super::{DONE, Format, StoreArgs};
use crate::bench::{self, Settings};
use crate::config::Config;

/// Measure one load alone, on a temporary deployment that is removed afterwards.
///
/// Events are real ones (a client is registered) of 400 bytes before they are sealed. The deployment is made in the
/// directory for temporary files; set TMPDIR to measure another disk. Databases that are named must hold nothing of
/// Keiin's; they are left so.
#[derive(Args)]
pub struct Bench {
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// Append through the log: each client waits for its answer before it sends the next append. p50 and p99 are of one
    /// append of --batch events, sealing included.
    Append(Common),
    /// Read, check, open and decode everything. p50 and p99 are of a page of 1,000 events.
    Replay(Common),
    /// Verify a bundle of each ledger, with its key given. p50 and p99 are of a pass over all of them; there are five, and
    /// the rate is that of all.
    Verify(Verify),
    /// Fold all read models again. p50 and p99 are of a whole rebuild, of which there are three; the lists are asked
    /// afterwards.
    Rebuild(Common),
    /// A whole command over HTTP on keep-alive connections: authenticate, permit, decide, append, fold, answer. p50 and
    /// p99 are of one request.
    Http(Common),
    /// Documents of one company: drafted by --clients at the same time, issued in four series, printed, and found by every
    /// filter of their list. --events is how many. The rate, p50 and p99 are those of issuing; all others are named.
    Documents(Common),
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    stores: StoreArgs,
    /// Who append, or ask, at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    clients: u64,
    /// Events of one append. For replay and rebuild, which only fill ledgers with appends, at least 100; requests and
    /// documents are one event each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    batch: u64,
    /// Events altogether, made up to whole batches.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Ledgers that take turns. Documents are one company's.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    ledgers: u64,
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Args)]
struct Verify {
    #[command(flatten)]
    common: Common,
    /// Check every commit signature. With `--batch 1 --clients 1` there is one an event.
    #[arg(long)]
    deep: bool,
}

impl Bench {
    pub fn run(self) -> anyhow::Result<u8> {
        let (common, load) = match self.load {
            Load::Append(common) => (common, bench::Load::Append),
            Load::Replay(common) => (common, bench::Load::Replay),
            Load::Verify(Verify { common, deep }) => (common, bench::Load::Verify { deep }),
            Load::Rebuild(common) => (common, bench::Load::Rebuild),
            Load::Http(common) => (common, bench::Load::Http),
            Load::Documents(common) => (common, bench::Load::Documents),
        };
        let Common { stores, clients, batch, events, ledgers, format } = common;
        let settings = Settings { config: stores.over(Config::default()), clients, batch, events, ledgers };
        let figures = bench::run(load, settings)?;
        match format {
            Format::Json => println!("{}", figures.json()),
            Format::Text => println!("{}", figures.text()),
        }
        Ok(DONE)
    }
}
