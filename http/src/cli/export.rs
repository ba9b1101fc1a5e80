//! `keiin export`: also beside a running server, because it only reads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use keiin_domain::command::{Aggregate, On};
use keiin_domain::provision::Slug;
use keiin_eventlog::anchor::Anchorer;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::log::Log;
use keiin_eventlog::record::Stream;
use keiin_eventlog::vault::Vault;
use keiin_projections::fact::Fact;
use serde_json::json;
use uuid::Uuid;

use super::{DONE, DataArg, Format, Unusable, unknown_tenant};
use crate::app::ROOT;
use crate::export::{Range, Source, write};
use crate::stores::Stores;

/// How long a ledger that has no checkpoint yet is waited for, and how often is looked.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Write a company's ledger, or a range of it, as a bundle that anybody can verify.
#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    data: DataArg,
    /// The company: short name or id.
    #[arg(long)]
    tenant: String,
    /// File to write; it must not exist.
    #[arg(long)]
    out: PathBuf,
    /// First position.
    #[arg(long)]
    from: Option<u64>,
    /// Position after the last.
    #[arg(long)]
    to: Option<u64>,
    /// Also what the sealed bodies say, with the secret of each record as the proof.
    #[arg(long)]
    open: bool,
    #[arg(long, default_value = "text")]
    format: Format,
}

impl Export {
    pub async fn run(self) -> anyhow::Result<u8> {
        let (config, data) = self.data.open()?;
        let stores = Stores::of(&config, &data)?;
        let log = Log::open(stores.open_log_reader().await?);
        let anchorer = || Anchorer::open_reader(&stores.anchor, log.clone(), &config.log_name);
        let mut anchored = anchorer()?;
        anchored.watch_history().await?;
        let by_id = Uuid::parse_str(&self.tenant).ok();
        // Without --open and with an id, an export needs no key at all.
        let vault = if self.open || by_id.is_none() {
            let keyring = Keyring::open(&data.keys(&config.keys))?;
            Some(Vault::open_reader(&stores.vault, keyring.kek()?)?)
        } else {
            None
        };
        let ledger = match (by_id, &vault) {
            (Some(id), _) => id,
            (None, Some(vault)) => by_slug(&log, vault, &self.tenant).await?,
            (None, None) => return Err(unknown_tenant(&self.tenant).into()),
        };
        // The server beside us anchors a new ledger a moment after its first record.
        let deadline = Instant::now() + PATIENCE;
        while anchored.latest(ledger).is_none() && log.head(ledger).await?.is_some() && Instant::now() < deadline {
            tokio::time::sleep(PAUSE).await;
            anchored = anchorer()?;
        }
        let file = File::create_new(&self.out).map_err(|error| Unusable(format!("{}: {error}", self.out.display())))?;
        let source = Source { log: &log, anchorer: &anchored, vault: vault.as_ref(), only: None };
        let range = Range { from: self.from, to: self.to, open: self.open };
        let exported = match write(&source, ledger, range, &file).await {
            Ok(exported) => exported,
            Err(error) => {
                std::fs::remove_file(&self.out).context("the unfinished file could not be removed")?;
                return Err(error);
            }
        };
        file.sync_all()?;
        // Its name as well, or a power cut takes the whole file away.
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        let path = self.out.display().to_string();
        match self.format {
            Format::Json => println!(
                "{}",
                json!({ "out": path, "first": exported.first, "events": exported.count, "size": exported.size })
            ),
            Format::Text => println!("Wrote {} events to {path}\nNext: keiin verify {path}", exported.count),
        }
        Ok(DONE)
    }
}

/// Whose short name it is: in the root ledger, under the name's fingerprint.
async fn by_slug(log: &Log, vault: &Vault, slug: &str) -> anyhow::Result<Uuid> {
    let id = vault.fingerprint(ROOT, Slug::STREAM, slug)?;
    let records = log.read_stream(ROOT, &Stream::new(Slug::STREAM, id), 0, 10).await?;
    let events =
        records.iter().map(|record| Ok(Fact::open(record, vault)?.event)).collect::<anyhow::Result<Vec<_>>>()?;
    On::<Slug>::fold(id, &events)?.tenant.ok_or_else(|| unknown_tenant(slug).into())
}
