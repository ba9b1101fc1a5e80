//! The demonstration company: two weeks of a small factory, played through the same commands that people send.
//!
//! Invariants:
//! * Everybody's password is public, so a deployment that holds the demonstration is served on loopback only.
//! * What marks it is an entry of its vault, written last: a demonstration that was interrupted is none.

mod content;
mod plan;
mod play;
mod repeats;
mod sending;
mod stage;
mod support;

use anyhow::Context;
use keiin_domain::catalog;
use keiin_domain::kiosk::PairKiosk;
use keiin_domain::role::Role;
use keiin_domain::token::{IssueToken, Token};
use keiin_eventlog::vault::Entry;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use self::content::{PEOPLE, RECIPIENT, SLUG};
use self::plan::Calendar;
use crate::app::App;
use crate::cli::Unusable;
use crate::execute::{Call, execute};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::session::LOGIN_LINK;
use crate::{clock, ledger, random};

/// The password of everybody in the demonstration.
pub const PASSWORD: &str = "demo-for-everybody-2026";
/// How long the printed login link works.
const LOGIN_LINK_US: i64 = 15 * 60 * 1_000_000;
/// Entry kind and lookup of the mark.
const MARK: &str = "demo";

/// What marks a deployment as the demonstration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Demo {
    /// The company.
    pub tenant: Uuid,
    /// Its owner.
    pub owner: Uuid,
    /// Secret of a kiosk.
    kiosk: String,
    /// The owner's access token: its id and secret.
    token: (Uuid, String),
}

/// When a demonstration that is made now began.
pub fn start_us(now_us: i64) -> i64 {
    now_us - plan::LENGTH_US
}

/// The mark of this deployment, if it is a demonstration.
pub fn find(app: &App) -> Result<Option<Demo>, Problem> {
    let entry = app.vault.get(MARK, MARK.as_bytes())?;
    Ok(entry.and_then(|entry| serde_json::from_slice(&entry.value).ok()))
}

/// Plays the demonstration into an empty deployment.
pub async fn make(app: &App, now_us: i64) -> anyhow::Result<Demo> {
    let played = play::play(app, Calendar { now_us }).await?;
    let owner = stage::member(played.ledger, played.owner, Role::Owner);
    let token = issue_token(app, &owner, now_us).await.map_err(stage::refused)?;
    let demo = Demo { tenant: played.ledger, owner: played.owner, kiosk: played.kiosk, token };
    mark(app, &demo, now_us).map_err(stage::refused)?;
    app.runner.catch_up().await.context("read models")?;
    app.anchorer.anchor_now(crate::app::ROOT).await?;
    app.anchorer.anchor_now(played.ledger).await?;
    Ok(demo)
}

fn mark(app: &App, demo: &Demo, now_us: i64) -> Result<(), Problem> {
    Ok(app.vault.put(&[Entry {
        kind: MARK.into(),
        lookup: MARK.into(),
        ledger: demo.tenant,
        // Nobody's: it stays when a person is erased.
        owner: demo.tenant,
        value: serde_json::to_vec(demo).map_err(Problem::failed)?,
        created_us: now_us,
        expires_us: None,
    }])?)
}

/// A token with everything that the owner may.
async fn issue_token(app: &App, owner: &Principal, now_us: i64) -> Result<(Uuid, String), Problem> {
    let issue =
        IssueToken { name: "demo".into(), scopes: catalog::scopes().into_iter().collect(), expires_in_days: Some(365) };
    let done = execute(app, &owner.allow::<IssueToken>()?, issue, &Call::internal(now_us)).await?;
    let secret = done.secrets.into_iter().next().ok_or_else(|| Problem::failed("a token has a secret"))?;
    Ok((done.id, secret.1))
}

impl Demo {
    /// Everything that the command prints: a login link that works once, the kiosk's link and the access token. Whatever
    /// somebody has withdrawn since is made again.
    pub async fn links(&mut self, app: &App) -> Result<Value, Problem> {
        let now_us = clock::now_us();
        let owner = stage::member(self.tenant, self.owner, Role::Owner);
        let token = principal::load::<Token>(app, self.tenant, self.token.0).await?;
        if token.revoked || now_us >= token.expires_at_us {
            self.token = issue_token(app, &owner, now_us).await?;
            mark(app, self, now_us)?;
        }
        if principal::by_kiosk(app, &self.kiosk).await.is_err() {
            let pair = PairKiosk { name: "受付".into(), location: content::HEAD_OFFICE.into() };
            let done = execute(app, &owner.allow::<PairKiosk>()?, pair, &Call::internal(now_us)).await?;
            self.kiosk = done.secrets.into_iter().next().ok_or_else(|| Problem::failed("a kiosk has a secret"))?.1;
            mark(app, self, now_us)?;
        }
        let login = random::secret("log");
        app.vault.put(&[Entry {
            kind: LOGIN_LINK.into(),
            lookup: random::hash(&login).to_vec(),
            ledger: self.tenant,
            owner: self.owner,
            value: vec![],
            created_us: now_us,
            expires_us: Some(now_us + LOGIN_LINK_US),
        }])?;
        let (origin, vkey) = ledger::verifier_key(app, self.tenant).await?;
        let url = app.public_url();
        Ok(json!({
            "tenant": self.tenant,
            "slug": SLUG,
            "login_link": format!("{url}/login/{login}"),
            "kiosk_link": format!("{url}/kiosk/pair/{}", self.kiosk),
            "api_token": self.token.1,
            "vkey": vkey,
            "origin": origin,
            "data": app.data.root(),
            "url": url,
        }))
    }
}

/// For the login page of a demonstration: who there is, and the password.
pub fn hint(app: &App) -> Option<Value> {
    // The login page stands also while the vault is away.
    if !app.config.is_private() || find(app).ok().flatten().is_none() {
        return None;
    }
    let people: Vec<Value> = PEOPLE
        .iter()
        .chain([&RECIPIENT])
        .map(|person| json!({ "name": person.name, "role": person.role, "email": person.email }))
        .collect();
    Some(json!({ "password": PASSWORD, "people": people }))
}

/// Everybody knows its passwords, so a demonstration does not leave the machine.
pub fn check_private(app: &App) -> anyhow::Result<()> {
    let found = find(app).map_err(stage::refused)?;
    if found.is_none() || app.config.is_private() {
        return Ok(());
    }
    Err(Unusable(
        "this is the demonstration, whose passwords everybody knows: serve it on 127.0.0.1, and without \
                  --behind-proxy"
            .into(),
    )
    .into())
}
