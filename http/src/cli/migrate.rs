//! `keiin migrate`: a company, or a whole deployment, goes on in another data directory with other databases and other
//! keys. Both must be stopped. Every step may be repeated, so an interrupted move is ended by the same command.
//!
//! Ledger by ledger: the keys are copied, wrapped anew; the last record here hands the ledger over to the receiver's
//! signer; every commit is checked and written there as it stands; both sides are verified as an auditor would; last, the
//! anchor here remembers that the ledger has moved, and nothing is written to it any more.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::Args;
use keiin_domain::provision::TakeSlug;
use keiin_eventlog::anchor::Anchorer;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::life;
use keiin_eventlog::log::Log;
use keiin_eventlog::postgres::Presence;
use keiin_eventlog::store::mirror::{self, Receive};
use keiin_eventlog::vault::Vault;
use keiin_eventlog::verify::{Options, Verdict, verify};
use serde_json::json;
use uuid::Uuid;

use super::{DONE, Format, StoreArgs, Unusable};
use crate::app::{App, ROOT};
use crate::clock;
use crate::config::Config;
use crate::datadir::{DataDir, Lock};
use crate::execute::{Call, execute};
use crate::export::{Range, Source, write};
use crate::principal::Principal;
use crate::stores::Stores;

/// Records read at once.
const PAGE: usize = 1_024;

/// Move a company or a whole deployment to another data directory and other databases.
#[derive(Args, Clone)]
pub struct Migrate {
    /// Data directory to move from. Its databases are those of its settings.
    #[arg(long)]
    from: PathBuf,
    /// Data directory to move to. For a whole deployment it is made, with keys of its own.
    #[arg(long)]
    to: PathBuf,
    /// Only this company (short name or id), into a deployment that exists. Without it, everything.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    stores: StoreArgs,
    #[arg(long, default_value = "text")]
    format: Format,
}

/// One side.
struct Side {
    data: DataDir,
    config: Config,
    keyring: Arc<Keyring>,
    vault: Arc<Vault>,
    log: Log,
    mirror: Arc<dyn Receive>,
    anchorer: Arc<Anchorer>,
    _presence: Option<Presence>,
    _lock: Lock,
}

impl Side {
    async fn open(config: Config, data: DataDir) -> anyhow::Result<Side> {
        let lock = data.lock()?;
        let stores = Stores::of(&config, &data)?;
        let presence = stores.presence().await?;
        let keyring = Arc::new(Keyring::open(&data.keys(&config.keys))?);
        let vault = Arc::new(Vault::open(&stores.vault, keyring.kek()?)?);
        let mirror = stores.open_mirror(keyring.clone()).await?;
        let log = Log::open(mirror.clone());
        let anchorer =
            Anchorer::open(&stores.anchor, log.clone(), vault.clone(), keyring.clone(), &config.log_name).await?;
        if let Some((ledger, why)) = anchorer.refusals().first() {
            bail!("{}: ledger {ledger} is refused: {why}", data.root().display());
        }
        Ok(Side { data, config, keyring, vault, log, mirror, anchorer, _presence: presence, _lock: lock })
    }

    /// The whole ledger as a bundle, checked as an auditor would who trusts nobody.
    async fn verified(&self, ledger: Uuid) -> anyhow::Result<u64> {
        let path = self.data.root().join("tmp").join(format!("migrate-{ledger}.bundle"));
        let source = Source { log: &self.log, anchorer: &self.anchorer, vault: None, only: None };
        let report = async {
            write(&source, ledger, Range::default(), File::create(&path)?).await?;
            let options = Options { deep: true, ..Options::default() };
            anyhow::Ok(verify(BufReader::new(File::open(&path)?), &options))
        };
        let report = report.await;
        let _ = std::fs::remove_file(&path);
        let report = report?;
        let reason = report.reason.unwrap_or_default();
        ensure!(report.verdict == Verdict::Verified, "{}: ledger {ledger}: {reason}", self.data.root().display());
        Ok(report.size)
    }
}

impl Migrate {
    pub async fn run(self) -> anyhow::Result<u8> {
        // In a runtime of its own: its end is the end of every thread that has the files open.
        let (moved, company) = {
            let this = self.clone();
            tokio::task::spawn_blocking(move || tokio::runtime::Runtime::new()?.block_on(this.move_ledgers())).await??
        };
        if let Some((ledger, slug)) = company {
            // The receiver's own books say whose short name it is.
            let app = App::open(self.stores.over(Config::read(&self.to().config())?), self.to()).await?;
            let call = Call::internal(clock::now_us());
            let taking = Principal::system(ROOT).allow::<TakeSlug>().map_err(|p| anyhow::anyhow!(p.code))?;
            if app.tenant_by_slug(&slug).await.map_err(|p| anyhow::anyhow!(p.code))? != Some(ledger) {
                let taken = execute(&app, &taking, TakeSlug { tenant: ledger, slug: slug.clone() }, &call).await;
                taken.map_err(|p| anyhow::anyhow!("{slug} is taken there ({}); rename one of the two", p.code))?;
            }
        }
        let to = self.to.display().to_string();
        match self.format {
            Format::Json => println!("{}", json!({ "moved": moved, "to": to })),
            Format::Text => println!("Moved {moved} ledger(s)\nNext: keiin serve --data {to}"),
        }
        Ok(DONE)
    }

    fn to(&self) -> DataDir {
        DataDir::new(&self.to)
    }

    async fn move_ledgers(self) -> anyhow::Result<(usize, Option<(Uuid, String)>)> {
        let data = DataDir::new(&self.from);
        data.must_be_ours().map_err(|error| Unusable(format!("{error:#}")))?;
        let config = Config::read(&data.config())?;
        let company = match &self.tenant {
            Some(tenant) => Some(self.company(&config, &data, tenant).await?),
            None => None,
        };
        let from = Side::open(config, data).await?;
        let to = self.receiver(&from, company.is_some()).await?;
        let all = match &company {
            Some((ledger, _)) => vec![*ledger],
            None => from.log.ledgers().await?,
        };
        for ledger in &all {
            self.move_one(&from, &to, *ledger).await.with_context(|| format!("ledger {ledger}"))?;
        }
        Ok((all.len(), company))
    }

    /// Id and short name, looked up in the deployment that it leaves.
    async fn company(&self, config: &Config, data: &DataDir, tenant: &str) -> anyhow::Result<(Uuid, String)> {
        let (config, data, tenant) = (config.clone(), data.clone(), tenant.to_owned());
        // Opened and closed again before the move begins.
        let find = async move {
            let app = App::open(config, data).await?;
            let ledger = super::tenant_id(&app, &tenant).await?;
            let company = app.represent(&Principal::system(ledger), "tenant", ledger).await;
            let company = company.map_err(|p| anyhow::anyhow!("the company cannot be read ({})", p.code))?;
            let slug = company.as_ref().and_then(|company| company["slug"].as_str());
            Ok((ledger, slug.context("the company has no short name")?.to_owned()))
        };
        let own_runtime = move || tokio::runtime::Runtime::new()?.block_on(find);
        tokio::task::spawn_blocking(own_runtime).await?
    }

    async fn receiver(&self, from: &Side, company: bool) -> anyhow::Result<Side> {
        let data = self.to();
        if !data.is_ours() {
            if company {
                let text = format!("{} is no deployment; make one with keiin init", self.to.display());
                return Err(Unusable(text).into());
            }
            let config = self.stores.over(Config { log_name: from.config.log_name.clone(), ..Config::default() });
            Stores::of(&config, &data)?.check_empty().await?;
            data.create(&config.log_name, &self.stores.given()).map_err(|error| Unusable(format!("{error:#}")))?;
            Keyring::create(&data.keys(Path::new("")))?;
        }
        let config = self.stores.over(Config::read(&data.config())?);
        if config.log_name != from.config.log_name {
            let text = format!(
                "the log names differ ({} and {}), and a ledger's name is in every proof of it: make the receiver with \
                 --log-name {}",
                from.config.log_name, config.log_name, from.config.log_name
            );
            return Err(Unusable(text).into());
        }
        let to = Side::open(config, data).await?;
        // The first record of the root ledger tells two deployments apart.
        let (here, there) = (from.log.leaf_hashes(ROOT, 0, 1).await?, to.log.leaf_hashes(ROOT, 0, 1).await?);
        if !company && !there.is_empty() && here != there {
            let text = format!(
                "{} holds another deployment; name one company with --tenant, or an empty directory",
                self.to.display()
            );
            return Err(Unusable(text).into());
        }
        Ok(to)
    }

    async fn move_one(&self, from: &Side, to: &Side, ledger: Uuid) -> anyhow::Result<()> {
        let signer = to.keyring.current().public();
        let handed_over = from.log.head(ledger).await?.is_some_and(|head| head.signer == signer);
        if !handed_over {
            // The last checkpoint that this side signs; after the hand-over it cannot sign one.
            from.anchorer.anchor_now(ledger).await?;
        }
        from.verified(ledger).await?;
        from.vault.copy_to(&to.vault, ledger)?;
        let stamp = super::keys::stamp(clock::now_us());
        life::hand_over(&from.log, ledger, signer, stamp).await?;
        let copied = copy(from, to, ledger).await?;
        to.anchorer.anchor_now(ledger).await?;
        let size = to.verified(ledger).await?;
        let last = from.anchorer.latest(ledger).context("it was anchored")?;
        if last.size < size {
            let grown = to.anchorer.consistency(ledger, last.size, size).await?;
            ensure!(grown.root_from == last.root, "what arrived does not begin with what was anchored here");
        }
        from.anchorer.set_moved(ledger, &format!("{} ({})", to.data.root().display(), to.config.log_name))?;
        let text = format!("ledger {ledger}: {size} events, {copied} of them written now");
        match self.format {
            Format::Json => println!("{}", json!({ "ledger": ledger, "events": size, "written": copied })),
            Format::Text => println!("{text}"),
        }
        Ok(())
    }
}

/// Writes every commit that the receiver does not have yet. Each is checked like one from a stranger.
async fn copy(from: &Side, to: &Side, ledger: Uuid) -> anyhow::Result<u64> {
    let recovery = life::recovery_key(&from.log, ledger).await?;
    let mut head = to.log.head(ledger).await?.unwrap_or_else(|| keiin_eventlog::store::Head::empty(ledger));
    let end = from.log.head(ledger).await?.map_or(0, |head| head.size);
    let (started, mut waiting) = (head.size, vec![]);
    let mut at = head.size;
    while at < end {
        let records = from.log.read(ledger, at, PAGE).await?;
        ensure!(!records.is_empty(), "the log ends at position {at}");
        at += records.len() as u64;
        let mut commits = vec![];
        for record in records {
            let is_last = record.signature.is_some();
            waiting.push(record);
            if is_last {
                let commit = mirror::received(&head, recovery, std::mem::take(&mut waiting))?;
                head = commit.head.clone();
                commits.push(commit);
            }
        }
        to.mirror.apply(commits).await?;
    }
    ensure!(waiting.is_empty(), "the log ends within a commit");
    Ok(head.size - started)
}
