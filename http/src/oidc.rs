//! Logins by an account elsewhere (OpenID Connect, authorization code with PKCE S256): sends the browser to the provider, and
//! makes of what comes back an [`Identity`]. Whose identity it is, `session/ways.rs` decides.
//!
//! Invariants:
//! * A login that is under way belongs to the browser that began it; it is good once, for ten minutes, for one provider.
//! * An identity is the issuer's name for somebody (`iss` and `sub`), never an address.
//! * The vault says which account it is; whether it counts, the ledger says.
//! * What is refused is written down: in the member's ledger where it is known whose login it was to be, else in the root's.

mod provider;

use std::collections::BTreeMap;

use keiin_domain::command::On;
use keiin_domain::factor::Factor;
use keiin_domain::factor::account::{LinkAccount, LinkedBy, Provider};
use keiin_domain::session::LoginRefusal;
use keiin_eventlog::vault::Entry;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::provider::{Identity, Providers};
use self::provider::{Secrets, Wrong};
use crate::app::{App, ROOT};
use crate::execute::{Call, Done, execute};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::random;
use crate::session::{self, TenantMember};

/// Entry kind of logins that are under way.
const FLOW: &str = "oidc_flow";
/// Entry kind of accounts that are linked; found by the hash of company, issuer and subject.
const ACCOUNT: &str = "oidc_account";
/// How long the way there and back may take.
const WAITS_US: i64 = 10 * 60 * 1_000_000;

/// What is wanted of the provider's answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Wish {
    /// Short name of the company to log in to; empty = the one that the account belongs to.
    pub company: String,
    /// Where to go then.
    pub next: String,
    /// Link the account to who is logged in by this session; `None` = log in.
    pub session: Option<Uuid>,
}

/// What the vault keeps of a login that is under way.
#[derive(Serialize, Deserialize)]
struct Flow {
    provider: Provider,
    nonce: String,
    verifier: String,
    /// Hash of the browser's cookie.
    browser: [u8; 32],
    wish: Wish,
}

/// What the vault keeps of a linked account.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Its name in the ledger.
    id: Uuid,
}

/// A login that has begun.
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// For the browser's cookie.
    pub browser: String,
}

/// A login that has come back.
pub struct Back {
    /// Who.
    pub identity: Identity,
    /// What it was wanted for.
    pub wish: Wish,
}

/// The provider of a path.
pub fn provider(name: Option<&String>) -> Result<Provider, Problem> {
    name.and_then(|name| Provider::from_name(name)).ok_or_else(Problem::not_found)
}

fn back(app: &App, provider: Provider) -> String {
    format!("{}/login/with/{}/back", app.public_url(), provider.name())
}

/// Begins a login, or the linking of an account for `who`. `browser` is the cookie of an earlier one.
pub async fn begin(
    app: &App,
    provider: Provider,
    who: (Uuid, Uuid),
    wish: Wish,
    browser: Option<String>,
    call: &Call,
) -> Result<Begun, Problem> {
    let client = app.config.oidc.client(provider).ok_or_else(Problem::not_found)?;
    let about = app.providers.about(client, call.now_us).await.map_err(|wrong| unreachable(provider, &wrong))?;
    let known = browser.filter(|secret| random::kind_of(secret) == Some("bro"));
    let (state, browser) = (random::secret("oid"), known.unwrap_or_else(|| random::secret("bro")));
    // What the secrets of this file say that they are for would only be noise in another's hands.
    let (nonce, verifier) = (random::secret("non"), random::secret("ver"));
    let secrets = Secrets { state: &state, nonce: &nonce, verifier: &verifier, back: &back(app, provider) };
    let url = about.url(client, &secrets).map_err(|wrong| unreachable(provider, &wrong))?;
    let flow = Flow { provider, nonce, verifier, browser: random::hash(&browser), wish };
    app.vault.put(&[Entry {
        kind: FLOW.into(),
        lookup: random::hash(&state).to_vec(),
        ledger: who.0,
        owner: who.1,
        value: serde_json::to_vec(&flow).map_err(Problem::failed)?,
        created_us: call.now_us,
        expires_us: Some(call.now_us + WAITS_US),
    }])?;
    Ok(Begun { url, browser })
}

/// The way back. Whatever comes of it, the state is used up.
pub async fn finish(
    app: &App,
    provider: Provider,
    params: BTreeMap<String, String>,
    browser: Option<String>,
    call: &Call,
) -> Result<Back, Problem> {
    let client = app.config.oidc.client(provider).ok_or_else(Problem::not_found)?;
    let [state, code] = ["state", "code"].map(|name| params.get(name).cloned().unwrap_or_default());
    let taken = match random::kind_of(&state) {
        Some("oid") => app.vault.take(FLOW, &random::hash(&state))?,
        _ => None,
    };
    let mut whose = None;
    let Some(entry) = taken.filter(|entry| entry.expires_us.is_some_and(|at| call.now_us < at)) else {
        return refused(app, whose, LoginRefusal::ProviderState, "access.provider_state", call).await;
    };
    let flow: Flow = serde_json::from_slice(&entry.value).map_err(Problem::failed)?;
    if entry.ledger != ROOT {
        whose = Some(TenantMember { ledger: entry.ledger, member: entry.owner, passwords: 0 });
    }
    if flow.provider != provider || browser.map(|secret| random::hash(&secret)) != Some(flow.browser) {
        return refused(app, whose, LoginRefusal::ProviderState, "access.provider_state", call).await;
    }
    let about = app.providers.about(client, call.now_us).await.map_err(|wrong| unreachable(provider, &wrong))?;
    if !about.sent(params.get("iss").map(String::as_str)) {
        tracing::warn!(provider = provider.name(), "refused: the way back names another issuer");
        return refused(app, whose, LoginRefusal::ProviderAnswer, "access.provider_answer", call).await;
    }
    if params.contains_key("error") || code.is_empty() {
        return refused(app, whose, LoginRefusal::ProviderRefused, "access.provider_refused", call).await;
    }
    let back = back(app, provider);
    let secrets = Secrets { state: &state, nonce: &flow.nonce, verifier: &flow.verifier, back: &back };
    match app.providers.identity(provider, client, &secrets, code, call.now_us).await {
        Ok(identity) => Ok(Back { identity, wish: flow.wish }),
        Err(wrong @ Wrong::Unreachable(_)) => Err(unreachable(provider, &wrong)),
        Err(wrong) => {
            tracing::warn!(provider = provider.name(), %wrong, "a login by an account elsewhere was refused");
            refused(app, whose, LoginRefusal::ProviderAnswer, "access.provider_answer", call).await
        }
    }
}

async fn refused<T>(
    app: &App,
    whose: Option<TenantMember>,
    reason: LoginRefusal,
    code: &'static str,
    call: &Call,
) -> Result<T, Problem> {
    session::refuse(app, whose, reason, call).await?;
    Err(Problem::new(code))
}

fn unreachable(provider: Provider, wrong: &Wrong) -> Problem {
    tracing::error!(provider = provider.name(), %wrong, "a provider of identities cannot be used");
    Problem::new("access.provider_unreachable")
}

impl Identity {
    /// In each company something else, so that two companies do not learn from the vault that they share somebody.
    fn lookup(&self, ledger: Uuid) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [ledger.as_bytes(), self.issuer.as_bytes(), self.subject.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }

    /// Who in this company is known by it.
    pub async fn member(&self, app: &App, ledger: Uuid) -> Result<Option<Uuid>, Problem> {
        let Some(entry) = app.vault.get(ACCOUNT, &self.lookup(ledger))? else { return Ok(None) };
        let Kept { id } = serde_json::from_slice(&entry.value).map_err(Problem::failed)?;
        let factor: On<Factor> = principal::load(app, ledger, entry.owner).await?;
        Ok(factor.accounts.iter().any(|account| account.id == id).then_some(entry.owner))
    }
}

/// Links an account to who is logged in.
pub async fn link(
    app: &App,
    principal: &Principal,
    identity: &Identity,
    by: LinkedBy,
    call: &Call,
) -> Result<Done, Problem> {
    let (ledger, allowed) = (principal.ledger, principal.allow::<LinkAccount>()?);
    let member_id = principal.member.ok_or_else(|| Problem::new("access.forbidden"))?;
    if identity.member(app, ledger).await?.is_some_and(|other| other != member_id) {
        return Err(Problem::new("access.account_taken"));
    }
    let (account_id, provider, address) = (random::id_at(call.now_us), identity.provider, identity.address.clone());
    let entry = Entry {
        kind: ACCOUNT.into(),
        lookup: identity.lookup(ledger),
        ledger,
        owner: member_id,
        value: serde_json::to_vec(&Kept { id: account_id }).map_err(Problem::failed)?,
        created_us: call.now_us,
        expires_us: None,
    };
    let command = LinkAccount { member_id, account_id, provider, address, by };
    let step = Call { key: None, if_match: None, target: None, ..call.clone() };
    let before = app.vault.get(ACCOUNT, &entry.lookup)?;
    app.vault.put(std::slice::from_ref(&entry))?;
    let done = execute(app, &allowed, command, &step).await;
    if done.is_err() {
        match before {
            Some(before) => app.vault.put(&[before])?,
            None => {
                app.vault.delete(ACCOUNT, &entry.lookup)?;
            }
        }
    }
    done
}
