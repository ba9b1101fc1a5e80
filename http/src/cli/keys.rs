//! `keiin keys`, `erase-subject`: on a stopped deployment, because they change what the server holds in memory.

use std::sync::Arc;

use clap::{Args, Subcommand};
use keiin_eventlog::anchor::Stamp;
use keiin_eventlog::life;
use keiin_eventlog::note::VerifierKey;
use keiin_eventlog::sign::PublicKey;
use serde_json::json;
use uuid::Uuid;

use super::{DONE, DataArg, Format, Unusable, tenant_id};
use crate::app::{App, ROOT};
use crate::{clock, ledger, random};

/// Show or rotate the keys.
#[derive(Args)]
pub struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// The key that checks each company's checkpoints, for auditors to pin.
    Show(Show),
    /// A new signing key, key-encryption key, or data key of a company. Old records stay readable and verifiable.
    Rotate(Rotate),
}

#[derive(Args)]
struct Show {
    #[command(flatten)]
    data: DataArg,
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Args)]
struct Rotate {
    #[command(flatten)]
    data: DataArg,
    /// Which: `signing` (all ledgers), `kek`, or `data` (needs --tenant).
    #[arg(long, default_value = "signing", value_parser = ["signing", "kek", "data"])]
    which: String,
    /// For data keys: the company's short name or id.
    #[arg(long)]
    tenant: Option<String>,
    #[arg(long, default_value = "text")]
    format: Format,
}

impl Keys {
    pub async fn run(self) -> anyhow::Result<u8> {
        match self.action {
            Action::Show(show) => show.run().await,
            Action::Rotate(rotate) => rotate.run().await,
        }
    }
}

async fn open(data: &DataArg) -> anyhow::Result<Arc<App>> {
    let (config, dir) = data.open()?;
    App::open(config, dir).await
}

async fn ledgers(app: &App) -> anyhow::Result<Vec<Uuid>> {
    let tenants = app.tenants().await.map_err(|p| anyhow::anyhow!("the ledgers cannot be listed ({})", p.code))?;
    Ok([ROOT].into_iter().chain(tenants).collect())
}

impl Show {
    async fn run(self) -> anyhow::Result<u8> {
        let app = open(&self.data).await?;
        for ledger in ledgers(&app).await? {
            let (origin, vkey) = ledger::verifier_key(&app, ledger)
                .await
                .map_err(|p| anyhow::anyhow!("the key of {ledger} cannot be shown ({})", p.code))?;
            match self.format {
                Format::Json => println!("{}", json!({ "ledger": ledger, "origin": origin, "vkey": vkey })),
                Format::Text => println!("{vkey}"),
            }
        }
        Ok(DONE)
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<u8> {
        let app = open(&self.data).await?;
        match self.which.as_str() {
            "kek" => {
                app.keyring.prepare_kek()?;
                let rows = app.vault.rewrap(app.keyring.kek()?)?;
                app.keyring.finish_kek()?;
                self.say(json!({ "rotated": "kek", "companies": rows }), &format!("Wrapped {rows} root keys again"));
            }
            "data" => {
                let tenant = self.tenant.as_deref().ok_or_else(|| Unusable("name the company with --tenant".into()))?;
                let ledger = tenant_id(&app, tenant).await?;
                let epoch = app.vault.rotate_data_key(ledger)?;
                let text = format!("New records are sealed under data key {epoch}");
                self.say(json!({ "rotated": "data", "ledger": ledger, "epoch": epoch }), &text);
            }
            _ => {
                let signer = app.keyring.rotate_signing()?.public();
                for ledger in ledgers(&app).await? {
                    rotate(&app, ledger, signer, stamp(clock::now_us())).await?;
                    let (origin, _) = ledger::verifier_key(&app, ledger)
                        .await
                        .map_err(|p| anyhow::anyhow!("the key of {ledger} cannot be shown ({})", p.code))?;
                    let vkey = VerifierKey::new(&origin, signer)?.to_string();
                    self.say(json!({ "rotated": "signing", "ledger": ledger, "vkey": vkey }), &vkey);
                }
            }
        }
        Ok(DONE)
    }

    fn say(&self, value: serde_json::Value, text: &str) {
        match self.format {
            Format::Json => println!("{value}"),
            Format::Text => println!("{text}"),
        }
    }
}

/// Hands a ledger over to another signer and anchors.
pub async fn rotate(app: &App, ledger: Uuid, signer: PublicKey, stamp: Stamp) -> anyhow::Result<()> {
    life::rotate_key(&app.log, &app.keyring, ledger, signer, stamp).await?;
    app.anchorer.anchor_now(ledger).await?;
    Ok(())
}

/// For records of the ledger itself.
pub fn stamp(now_us: i64) -> Stamp {
    Stamp { time_us: u64::try_from(now_us).unwrap_or(0), append_id: random::id_at(now_us) }
}

/// Destroy a person's keys.
#[derive(Args)]
pub struct EraseSubject {
    #[command(flatten)]
    data: DataArg,
    /// The company: short name or id.
    #[arg(long)]
    tenant: String,
    /// The person's id, as the audit trail shows it.
    #[arg(long)]
    subject: Uuid,
    #[arg(long, default_value = "text")]
    format: Format,
}

impl EraseSubject {
    pub async fn run(self) -> anyhow::Result<u8> {
        let app = open(&self.data).await?;
        let ledger = tenant_id(&app, &self.tenant).await?;
        let position = erase(&app, ledger, self.subject, stamp(clock::now_us())).await?;
        match self.format {
            Format::Json => println!("{}", json!({ "subject": self.subject, "position": position })),
            Format::Text => println!(
                "Erased at position {position}. Backups of the vault older than this still hold the key: the erasure is \
                 complete when the last of them is gone."
            ),
        }
        Ok(DONE)
    }
}

/// Destroys the keys, writes the record, scrubs the read models and anchors. Returns the record's position.
pub async fn erase(app: &App, ledger: Uuid, subject: Uuid, stamp: Stamp) -> anyhow::Result<u64> {
    if app.vault.newest_subject_key(ledger, subject)?.is_none() {
        return Err(Unusable(format!("{subject} has no keys in this company: unknown, or erased already")).into());
    }
    let span = life::erase_subject(&app.log, &app.vault, ledger, subject, stamp).await?;
    app.anchorer.watch_vault()?;
    app.runner.catch_up().await?;
    app.anchorer.anchor_now(ledger).await?;
    Ok(span.last)
}
