//! `keiin migrate`: a company, or a whole deployment, goes on in another data directory with other databases and other
//! keys. Both must be stopped, and are kept so meanwhile. Every step may be repeated, so an interrupted move is ended by
//! the same command.
//!
//! Ledger by ledger: the keys are copied, wrapped anew; the last record here hands the ledger over to the receiver's
//! signer; every commit is checked and written there as it stands; both sides are verified as an auditor would who knows
//! the keys of both; last, the anchor here remembers that the ledger has moved, and nothing is written to it any more.
//!
//! Invariant: keys are copied only before the ledger has arrived. What the receiver made since is never written over.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::Args;
use keiin_domain::provision::TakeSlug;
use keiin_eventlog::anchor::Anchorer;
use keiin_eventlog::checkpoint::Checkpoint;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::life;
use keiin_eventlog::log::Log;
use keiin_eventlog::note::VerifierKey;
use keiin_eventlog::postgres::Presence;
use keiin_eventlog::sign::PublicKey;
use keiin_eventlog::store::mirror::{self, Receive};
use keiin_eventlog::vault::Vault;
use keiin_eventlog::verify::{Gap, Options, Verdict, verify};
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
use crate::stores::{LogPlace, Stores};

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
        let presence = stores.absence_of_nodes().await?;
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

    /// The whole ledger as a bundle, checked as an auditor would who knows nothing but these keys.
    async fn verified(&self, ledger: Uuid, keys: &[PublicKey]) -> anyhow::Result<u64> {
        let anchored = self.anchorer.latest(ledger).context("it was anchored")?;
        let name = Checkpoint::parse(anchored.checkpoint.text())?.origin;
        let keys = keys.iter().map(|key| VerifierKey::new(&name, *key)).collect::<Result<_, _>>()?;
        let path = self.data.root().join("tmp").join(format!("migrate-{ledger}.bundle"));
        let source = Source { log: &self.log, anchorer: &self.anchorer, vault: None, only: None };
        let report = async {
            write(&source, ledger, Range::default(), File::create(&path)?).await?;
            let require = vec![Gap::KeyPinned, Gap::NewestKeyPinned, Gap::CommitSignatures];
            let options = Options { keys, require, deep: true, ..Options::default() };
            anyhow::Ok(verify(BufReader::new(File::open(&path)?), &options))
        };
        let report = report.await;
        let _ = std::fs::remove_file(&path);
        let report = report?;
        let reason = report.reason.unwrap_or_default();
        ensure!(
            report.verdict == Verdict::Verified,
            "{} is not what its keys signed: {reason}",
            self.data.root().display()
        );
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
            let stores = Stores::of(&config, &data)?;
            if let LogPlace::Cluster { .. } = stores.log {
                let text = "ledgers are not moved into an EventStoreDB cluster; name a PostgreSQL database, or none";
                return Err(Unusable(text.to_owned()).into());
            }
            stores.check_empty().await?;
            data.create(&config.log_name, &self.stores.given()).map_err(|error| Unusable(format!("{error:#}")))?;
            Keyring::create(&data.keys(Path::new("")))?;
        }
        let config = self.stores.over(Config::read(&data.config())?);
        let keys = data.keys(&config.keys);
        if !company && !Keyring::exists(&keys) && Stores::of(&config, &data)?.is_empty().await? {
            // A move was cut off before the receiver had its keys.
            Keyring::create(&keys)?;
        }
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
        let head = from.log.head(ledger).await?.context("its first record is missing")?;
        let signer = to.keyring.current().public();
        let has_arrived = to.log.leaf_hashes(ledger, head.size - 1, 1).await? == [head.last];
        if has_arrived && from.log.has_ended(ledger) {
            return self.say(ledger, head.size, 0);
        }
        if from.log.has_ended(ledger) && head.signer != signer {
            bail!("it has moved to another place already; move it on from there");
        }
        let mut known = from.keyring.public_keys();
        let mut copied = 0;
        if !has_arrived {
            if head.signer != signer {
                // The last checkpoint that this side signs; after the hand-over it cannot sign one.
                from.anchorer.anchor_now(ledger).await?;
            }
            from.verified(ledger, &known).await?;
            // Once to see that they can go over, and again when nothing can follow any more that needs a new one.
            from.vault.copy_to(&to.vault, ledger)?;
            life::hand_over(&from.log, ledger, signer, super::keys::stamp(clock::now_us())).await?;
            from.vault.copy_to(&to.vault, ledger)?;
            copied = copy(from, to, ledger).await?;
        }
        to.anchorer.anchor_now(ledger).await?;
        known.extend(to.keyring.public_keys());
        let size = to.verified(ledger, &known).await?;
        let last = from.anchorer.latest(ledger).context("it was anchored")?;
        if last.size < size {
            let grown = to.anchorer.consistency(ledger, last.size, size).await?;
            ensure!(grown.root_from == last.root, "what arrived does not begin with what was anchored here");
        }
        from.anchorer.set_moved(ledger, &format!("{} ({})", to.data.root().display(), to.config.log_name))?;
        self.say(ledger, size, copied)
    }

    fn say(&self, ledger: Uuid, events: u64, written: u64) -> anyhow::Result<()> {
        match self.format {
            Format::Json => println!("{}", json!({ "ledger": ledger, "events": events, "written": written })),
            Format::Text => println!("ledger {ledger}: {events} events, {written} of them written now"),
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
