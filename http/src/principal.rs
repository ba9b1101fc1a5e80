//! Who is calling, and may they: authentication before anything else of a request is read, then the permission check.
//!
//! Invariant: [`crate::execute::execute`] takes an [`Allowed`], and only this file can make one.

use std::marker::PhantomData;
use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, USER_AGENT};
use keiin_domain::command::{Aggregate, Command, On};
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::kiosk::Kiosk;
use keiin_domain::member::{Member, MemberStatus};
use keiin_domain::role::{Permission, Role};
use keiin_domain::sealed::Origin;
use keiin_domain::token::Token;
use keiin_projections::query::Who;
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;
use crate::session::{self, SESSION};
use crate::{clock, random};

/// Cookie of a kiosk's browser.
pub const KIOSK_COOKIE: &str = "keiin_kiosk";

/// Who calls.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The company.
    pub ledger: Uuid,
    /// As the ledger will name them.
    pub actor: Actor,
    /// The member behind it: themselves, or whose token it is.
    pub member: Option<Uuid>,
    /// Of a login.
    pub session_id: Option<Uuid>,
    /// Of an access token; `None` = everything the role may.
    pub scopes: Option<Vec<String>>,
}

/// Proof that a permission was checked for this command.
pub struct Allowed<C> {
    principal: Principal,
    command: PhantomData<fn() -> C>,
}

impl<C> Allowed<C> {
    /// Who was allowed.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl Principal {
    /// The server itself, acting in a ledger.
    pub fn system(ledger: Uuid) -> Principal {
        let actor = Actor { kind: actor_kind::SYSTEM, id: Uuid::nil(), role: Role::System };
        Principal { ledger, actor, member: None, session_id: None, scopes: None }
    }

    /// A member for whom the server does what no permission covers: their own sign-up, login and logout.
    pub fn member(ledger: Uuid, id: Uuid, session_id: Option<Uuid>) -> Principal {
        let actor = Actor { kind: actor_kind::MEMBER, id, role: Role::System };
        Principal { ledger, actor, member: Some(id), session_id, scopes: None }
    }

    /// For queries.
    pub fn who(&self) -> Who {
        Who { ledger: self.ledger, actor: self.actor, member: self.member, now_us: crate::clock::now_us() }
    }

    /// May they?
    pub fn may(&self, permission: Permission) -> bool {
        let by_scope = self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&permission.scope()));
        by_scope && self.actor.role.permits(permission)
    }

    /// The check itself; the caller counts a refusal as a denial.
    pub fn check(&self, permission: Permission) -> Result<(), Problem> {
        if self.may(permission) { Ok(()) } else { Err(Problem::new("access.forbidden")) }
    }

    /// Permission for a command, as the proof that `execute` wants.
    pub fn allow<C: Command>(&self) -> Result<Allowed<C>, Problem> {
        self.check(C::PERMISSION)?;
        Ok(Allowed { principal: self.clone(), command: PhantomData })
    }
}

/// Secrets in a path (`/v1/links/{token}/…`): which kind a path takes, by its first segment.
pub fn kind_of_path(path: &str) -> Option<&'static str> {
    match path.strip_prefix("/v1/")?.split('/').next()? {
        "links" => Some("lnk"),
        "invitations" => Some("inv"),
        "passes" => Some("pas"),
        _ => None,
    }
}

/// Who holds a secret of a path. A secret that leads nowhere looks like a path that is not there.
pub fn by_link(app: &App, kind: &str, secret: &str) -> Result<Principal, Problem> {
    if random::kind_of(secret) != Some(kind) {
        return Err(Problem::not_found());
    }
    let entry = app.vault.get(kind, &random::hash(secret))?.ok_or_else(Problem::not_found)?;
    let actor = Actor { kind: actor_kind::LINK_HOLDER, id: entry.owner, role: Role::LinkHolder };
    Ok(Principal { ledger: entry.ledger, actor, member: None, session_id: None, scopes: None })
}

/// Who sends these headers: an access token or a kiosk's secret as bearer, or the cookie of a login or a kiosk.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Principal, Problem> {
    authenticated(app, headers, true).await
}

/// Whether a request that goes on and on is still made by somebody who may make it. A login does not live on by that.
pub async fn authenticate_again(app: &App, headers: &HeaderMap) -> Result<Principal, Problem> {
    authenticated(app, headers, false).await
}

async fn authenticated(app: &App, headers: &HeaderMap, is_use: bool) -> Result<Principal, Problem> {
    let unauthenticated = || Problem::new("access.unauthenticated");
    if let Some(value) = headers.get(AUTHORIZATION) {
        let secret = value.to_str().ok().and_then(|v| v.strip_prefix("Bearer ")).ok_or_else(unauthenticated)?;
        return match random::kind_of(secret) {
            Some("pat") => by_token(app, secret).await,
            Some("kio") => by_kiosk(app, secret).await,
            _ => Err(unauthenticated()),
        };
    }
    if let Some(secret) = cookie(headers, app.config.session_cookie()) {
        return by_session(app, &secret, is_use).await;
    }
    match cookie(headers, KIOSK_COOKIE) {
        Some(secret) => by_kiosk(app, &secret).await,
        None => Err(unauthenticated()),
    }
}

/// A login; its member may have been suspended a moment ago, so the ledger is asked, not a copy.
async fn by_session(app: &App, secret: &str, is_use: bool) -> Result<Principal, Problem> {
    let gone = || Problem::new("access.unauthenticated");
    let entry = app.vault.get(SESSION, &random::hash(secret))?.ok_or_else(gone)?;
    let session = session::Session::of(&entry).ok_or_else(gone)?;
    if !session.is_live(&entry, clock::now_us()) {
        return Err(gone());
    }
    if is_use {
        session.touch(app, &entry)?;
    }
    let role = active_role(app, entry.ledger, entry.owner).await?.ok_or_else(gone)?;
    let actor = Actor { kind: actor_kind::MEMBER, id: entry.owner, role };
    let (member, session_id) = (Some(entry.owner), Some(session.id));
    Ok(Principal { ledger: entry.ledger, actor, member, session_id, scopes: None })
}

async fn by_token(app: &App, secret: &str) -> Result<Principal, Problem> {
    let gone = || Problem::new("access.unauthenticated");
    let entry = app.vault.get("pat", &random::hash(secret))?.ok_or_else(gone)?;
    let token: On<Token> = load(app, entry.ledger, entry.owner).await?;
    if token.revoked || !token.exists() || clock::now_us() >= token.expires_at_us {
        return Err(gone());
    }
    let role = active_role(app, entry.ledger, token.member_id).await?.ok_or_else(gone)?;
    let actor = Actor { kind: actor_kind::API_CLIENT, id: entry.owner, role };
    let (member, scopes) = (Some(token.member_id), Some(token.scopes.clone()));
    Ok(Principal { ledger: entry.ledger, actor, member, session_id: None, scopes })
}

/// Which kiosk's secret it is.
pub async fn by_kiosk(app: &App, secret: &str) -> Result<Principal, Problem> {
    let gone = || Problem::new("access.unauthenticated");
    let entry = app.vault.get("kio", &random::hash(secret))?.ok_or_else(gone)?;
    let kiosk: On<Kiosk> = load(app, entry.ledger, entry.owner).await?;
    if kiosk.revoked || !kiosk.exists() {
        return Err(gone());
    }
    let actor = Actor { kind: actor_kind::DEVICE, id: entry.owner, role: Role::Device };
    Ok(Principal { ledger: entry.ledger, actor, member: None, session_id: None, scopes: None })
}

/// The role of a member who may act now.
pub async fn active_role(app: &App, ledger: Uuid, member: Uuid) -> Result<Option<Role>, Problem> {
    let member: On<Member> = load(app, ledger, member).await?;
    Ok(if member.status == Some(MemberStatus::Active) { member.role } else { None })
}

/// Folds one aggregate as the ledger has it now.
pub async fn load<A: Aggregate>(app: &App, ledger: Uuid, id: Uuid) -> Result<On<A>, Problem> {
    let events = crate::execute::events(app, ledger, A::STREAM, id).await?;
    On::fold(id, &events).map_err(Problem::failed)
}

/// The value of a cookie.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|v| v.split("; ")).find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        (found == name && !value.is_empty()).then(|| value.to_owned())
    })
}

/// Where a request comes from: the peer, or what a trusted proxy says it forwarded for.
pub fn origin(app: &App, peer: IpAddr, headers: &HeaderMap) -> Origin {
    let forwarded = || {
        let value = headers.get("x-forwarded-for")?.to_str().ok()?;
        // The proxy appends; what the client wrote stands before it and is not believed.
        value.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    };
    let ip = if app.config.trusts_proxy(peer) { forwarded().unwrap_or(peer) } else { peer };
    let agent = headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("");
    Origin { ip: ip.to_string(), user_agent: agent.chars().take(200).collect() }
}
