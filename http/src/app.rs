//! Everything that a request needs, opened once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use keiin_domain::command::Aggregate;
use keiin_domain::provision::Slug;
use keiin_eventlog::anchor::{Anchorer, Stamp};
use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::life;
use keiin_eventlog::log::Log;
use keiin_eventlog::postgres::{Lead, Presence};
use keiin_eventlog::vault::Vault;
use keiin_projections::catalog::PROJECTIONS;
use keiin_projections::query::Read;
use keiin_projections::runner::Runner;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::assets::Assets;
use crate::config::Config;
use crate::datadir::{DataDir, Lock};
use crate::denial::Denials;
use crate::feed::Feed;
use crate::legal::Legal;
use crate::limit::Limiter;
use crate::locale::Texts;
use crate::look::Looks;
use crate::mail::Desk;
use crate::oidc::Providers;
use crate::outbound::Outbound;
use crate::page::Pages;
use crate::payment::{self, Payment};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::query::Queries;
use crate::scrub::Scrubbing;
use crate::sms::provider::Sms;
use crate::smtp::Smtp;
use crate::stores::{self, Stores};
use crate::{clock, random};

/// The ledger of the deployment itself.
pub const ROOT: Uuid = Uuid::nil();
/// How long an answer waits for the caller's own read models.
const PATIENCE: Duration = Duration::from_secs(2);

/// A running deployment.
pub struct App {
    /// Settings.
    pub config: Config,
    /// Files.
    pub data: DataDir,
    /// Key files.
    pub keyring: Arc<Keyring>,
    /// Keys and secrets.
    pub vault: Arc<Vault>,
    /// The ledgers.
    pub log: Log,
    /// Checkpoints and proofs.
    pub anchorer: Arc<Anchorer>,
    /// The read models' writer.
    pub runner: Arc<Runner>,
    /// The read models' readers.
    pub read: Read,
    /// Every query by name.
    pub queries: Queries,
    /// Texts in both languages.
    pub texts: Arc<Texts>,
    /// Texts of mails.
    pub desk: Arc<Desk>,
    /// Files of the pages.
    pub assets: Arc<Assets>,
    /// Templates.
    pub pages: Pages,
    /// Refusals that wait for their minute to end.
    pub denials: Denials,
    /// Who has seen what in this hour.
    pub looks: Looks,
    /// Who asks too often.
    pub limiter: Limiter,
    /// Reading the stored records again.
    pub scrubbing: Arc<Scrubbing>,
    /// Who takes our mails over; `None` = they go no further than the outbox.
    pub smtp: Option<Smtp>,
    /// Sends to addresses that companies chose.
    pub outbound: Arc<Outbound>,
    /// Who sends codes to phones; `None` = there are none.
    pub sms: Option<Arc<dyn Sms>>,
    /// Terms of use and privacy policy.
    pub legal: Legal,
    /// Who takes payments of those who sign up; `None` = there is nothing to pay.
    pub payment: Option<Arc<dyn Payment>>,
    /// Who says who somebody is.
    pub providers: Providers,
    /// Who follows the trail.
    pub feed: Feed,
    /// True once the server stops: streams end, no mail is begun.
    pub stopping: watch::Sender<bool>,
    /// Where only one of several nodes may send mails and messages.
    lead: Option<Lead>,
    _presence: Option<Presence>,
    _lock: Lock,
}

impl App {
    /// Opens a data directory for writing. Everything durable is checked before this returns.
    pub async fn open(config: Config, data: DataDir) -> anyhow::Result<Arc<App>> {
        App::open_at(config, data, clock::now_us()).await
    }

    /// The same; a new deployment says that it began at `now_us`.
    pub async fn open_at(config: Config, data: DataDir, now_us: i64) -> anyhow::Result<Arc<App>> {
        data.must_be_ours()?;
        let lock = data.lock()?;
        let stores = Stores::of(&config, &data)?;
        let presence = stores.presence().await?;
        let keys = data.keys(&config.keys);
        let keyring = Arc::new(if Keyring::exists(&keys) || stores.log_exists() {
            Keyring::open(&keys)?
        } else {
            Keyring::create(&keys)?
        });
        let vault = Arc::new(Vault::open(&stores.vault, keyring.kek()?)?);
        vault.on_fatal(Box::new(|cause| stores::stop("vault's", cause)));
        let log = Log::open(stores.open_log(keyring.clone()).await?);
        let anchorer =
            Anchorer::open(&stores.anchor, log.clone(), vault.clone(), keyring.clone(), &config.log_name).await?;
        anchorer.on_fatal(Box::new(|cause| stores::stop("anchor's", cause)));
        open_ledger(&log, &vault, &keyring, &config.log_name, ROOT, now_us).await?;
        let read_models = stores.read_models();
        let runner = Runner::open(read_models.clone(), log.clone(), vault.clone(), PROJECTIONS).await?;
        runner.catch_up().await.context("read models")?;
        // Cursors must survive a restart and be alike on all nodes, so their key follows from the root ledger's.
        let cursor_key = Sha256::digest(vault.fingerprint(ROOT, "cursor", "v1")?).into();
        let (texts, assets) = (Arc::new(Texts::new()?), Arc::new(Assets::new()));
        let desk = Desk {
            vault: vault.clone(),
            anchorer: anchorer.clone(),
            texts: texts.clone(),
            public_url: config.url(),
            contact: config.contact(),
            mail_from: config.mail.from.clone(),
        };
        let desk = Arc::new(desk);
        let read = Read::new(read_models, log.clone(), vault.clone(), cursor_key).beside(desk.clone());
        let app = Arc::new(App {
            denials: Denials::default(),
            looks: Looks::default(),
            limiter: Limiter::new(&config.limits),
            scrubbing: Arc::new(Scrubbing::new(stores.scrub(&log, &anchorer, &keyring), &data, keyring.clone())),
            smtp: Smtp::of(&config)?,
            outbound: Arc::new(Outbound::of(&config).context("requests to others")?),
            sms: crate::sms::provider::of(&config, &data)?,
            legal: Legal::of(&config)?,
            payment: payment::provider(&config, &vault)?,
            providers: Providers::new().context("providers of identities")?,
            feed: Feed::new(),
            stopping: watch::Sender::new(false),
            pages: Pages::new(texts.clone(), assets.clone()).context("templates")?,
            texts,
            desk,
            assets,
            queries: Queries::all(),
            config,
            data,
            keyring,
            vault,
            log,
            anchorer,
            runner,
            read,
            lead: stores.lead(),
            _presence: presence,
            _lock: lock,
        });
        Ok(app)
    }

    /// Starts what runs beside the requests: read models, checkpoints, effects, denials, the scrub. The handle is that of
    /// the mails, which end by themselves once the server is [stopping](App::stopping).
    pub fn start(self: &Arc<App>) -> JoinHandle<()> {
        tokio::spawn(self.runner.clone().follow());
        tokio::spawn(self.runner.clone().tidy());
        tokio::spawn(self.anchorer.clone().follow());
        tokio::spawn(crate::timer::run(self.clone()));
        tokio::spawn(crate::denial::run(self.clone()));
        tokio::spawn(crate::look::run(self.clone()));
        tokio::spawn(crate::scrub::run(self.clone()));
        tokio::spawn(crate::feed::run(self.clone()));
        tokio::spawn(crate::paper::run(self.clone()));
        tokio::spawn(crate::batch::run(self.clone()));
        tokio::spawn(crate::sending_order::run(self.clone()));
        tokio::spawn(crate::webhook::run(self.clone()));
        tokio::spawn(crate::bounce::run(self.clone()));
        tokio::spawn(crate::mail::run(self.clone()))
    }

    /// May this node send mails and messages to webhooks now? Where nodes share the leases of these, every one may.
    pub fn sends(&self) -> bool {
        self.lead.as_ref().is_none_or(Lead::is_ours)
    }

    /// Waits until something has changed, the server stops, or this long.
    pub async fn rest<T>(&self, changed: &mut watch::Receiver<T>, longest: Duration) {
        let mut stopping = self.stopping.subscribe();
        let _ = tokio::time::timeout(longest, async {
            tokio::select! { _ = changed.changed() => {}, _ = stopping.wait_for(|stops| *stops) => {} }
        })
        .await;
    }

    /// Does rounds of work that records ask for, until the server stops. Each says how much it did; after one that did nothing
    /// the next comes with the next change, or after this long for what a restart or an error left.
    pub async fn rounds(&self, waits: &str, quiet: Duration, round: impl AsyncFn(&App, i64) -> Result<usize, Problem>) {
        let mut folded = self.runner.folded();
        while !*self.stopping.borrow() {
            match round(self, crate::clock::now_us()).await {
                Ok(done) if done > 0 => continue,
                Ok(_) => {}
                Err(problem) => tracing::warn!(code = problem.code, "{waits}"),
            }
            self.rest(&mut folded, quiet).await;
            // What comes in this moment is one round.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Opens a company's ledger: keys, then its first record. May be repeated.
    pub async fn open_ledger(&self, ledger: Uuid, now_us: i64) -> anyhow::Result<()> {
        open_ledger(&self.log, &self.vault, &self.keyring, &self.config.log_name, ledger, now_us).await
    }

    /// Every company.
    pub async fn tenants(&self) -> Result<Vec<Uuid>, Problem> {
        let mut ledgers = self.log.ledgers().await?;
        ledgers.retain(|ledger| *ledger != ROOT);
        Ok(ledgers)
    }

    /// The company with this short name.
    pub async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Uuid>, Problem> {
        let id = self.vault.fingerprint(ROOT, Slug::STREAM, slug)?;
        Ok(principal::load::<Slug>(self, ROOT, id).await?.tenant)
    }

    /// Waits until the caller sees what they wrote.
    pub async fn wait(&self, ledger: Uuid, position: u64) -> Result<(), Problem> {
        if self.runner.wait(ledger, position, PATIENCE).await { Ok(()) } else { Err(Problem::new("service.behind")) }
    }

    /// An object as its query shows it; `None` where the kind has no view.
    pub async fn represent(&self, principal: &Principal, kind: &str, id: Uuid) -> Result<Option<Value>, Problem> {
        let name = format!("get_{kind}");
        if !self.queries.has(&name) {
            return Ok(None);
        }
        // A company has one view, without an id.
        let entry = self.queries.get(&name).filter(|entry| entry.params.iter().any(|p| p.name == "id"));
        let params = entry.map(|_| ("id".to_owned(), id.to_string())).into_iter().collect();
        self.queries.ask(self, principal, &name, params).await.map(Some)
    }

    /// What links begin with.
    pub fn public_url(&self) -> String {
        self.config.url()
    }
}

async fn open_ledger(
    log: &Log,
    vault: &Arc<Vault>,
    keyring: &Keyring,
    log_name: &str,
    ledger: Uuid,
    now_us: i64,
) -> anyhow::Result<()> {
    let stamp = Stamp { time_us: u64::try_from(now_us).unwrap_or(0), append_id: random::id_at(now_us) };
    let origin = Origin::new(log_name, ledger, 1)?;
    life::open(log, vault, origin, keyring.current().public(), None, stamp).await?;
    Ok(())
}
