//! `keiin restore`: after backups were put back. First every erasure that the ledgers record is done again in the vault,
//! then a ledger that lost anchored records may go on as a new generation, if the operator says so.

use std::sync::Arc;

use clap::Args;
use keiin_eventlog::anchor::{Anchorer, Refusal};
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::life;
use keiin_eventlog::log::Log;
use keiin_eventlog::vault::Vault;
use serde_json::json;

use super::{DONE, DataArg, FAILED, Format};
use crate::clock;
use crate::stores::Stores;

/// Make a data directory fit to serve after backups were put back.
#[derive(Args)]
pub struct Restore {
    #[command(flatten)]
    data: DataArg,
    /// Let ledgers that lost events go on as a new generation. The loss stays visible for ever.
    #[arg(long)]
    accept_loss: bool,
    #[arg(long, default_value = "text")]
    format: Format,
}

impl Restore {
    pub async fn run(self) -> anyhow::Result<u8> {
        let (config, data) = self.data.open()?;
        let _lock = data.lock()?;
        let stores = Stores::of(&config, &data)?;
        let _presence = stores.presence().await?;
        let keyring = Arc::new(Keyring::open(&data.keys(&config.keys))?);
        let vault = Arc::new(Vault::open(&stores.vault, keyring.kek()?)?);
        let log = Log::open(stores.open_log(keyring.clone()).await?);
        for ledger in log.ledgers().await? {
            let again = life::erase_again(&log, &vault, ledger).await?;
            if again > 0 {
                let text = format!("ledger {ledger}: erased {again} person(s) again");
                self.say(json!({ "ledger": ledger, "erased_again": again }), &text);
            }
        }
        let anchorer = Anchorer::open(&stores.anchor, log.clone(), vault.clone(), keyring, &config.log_name).await?;
        let mut open = 0;
        for (ledger, why) in anchorer.refusals() {
            if !matches!(why, Refusal::RolledBack { .. }) || !self.accept_loss {
                open += 1;
                let text = format!("ledger {ledger}: {why}");
                self.say(json!({ "ledger": ledger, "refused": why.to_string() }), &text);
                continue;
            }
            let restored = anchorer.restore(ledger, super::keys::stamp(clock::now_us())).await?;
            let text =
                format!("ledger {ledger}: goes on as generation {} at {} events", restored.generation, restored.size);
            self.say(json!({ "ledger": ledger, "generation": restored.generation, "size": restored.size }), &text);
        }
        // The read models may know what is lost; the next start folds them anew.
        stores.forget_read_models(&log, &vault).await?;
        if open > 0 {
            eprintln!("keiin: {open} ledger(s) cannot be served; --accept-loss lets those go on that lost events");
            return Ok(FAILED);
        }
        self.say(json!({ "fit": true }), "Fit to serve");
        Ok(DONE)
    }

    fn say(&self, value: serde_json::Value, text: &str) {
        match self.format {
            Format::Json => println!("{value}"),
            Format::Text => println!("{text}"),
        }
    }
}
