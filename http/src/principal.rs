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
use keiin_domain::permission_set::PermissionSet;
use keiin_domain::role::{Permission, Role};
use keiin_domain::sealed::Origin;
use keiin_domain::secretary::Secretaries;
use keiin_domain::security::Security;
use keiin_domain::token::Token;
use keiin_projections::query::Who;
use uuid::Uuid;

use crate::app::App;
use crate::limit::Work;
use crate::oauth::held;
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
    /// For whom else they act: a secretary's lawyers, who may act themselves and whose mail was confirmed.
    pub acts_for: Vec<Uuid>,
    /// Of a login.
    pub session_id: Option<Uuid>,
    /// Of an access token; `None` = everything the role may.
    pub scopes: Option<Vec<String>>,
    /// When whoever logged in has last shown that it is them, microseconds UTC; `None` = there is no login.
    pub confirmed_us: Option<i64>,
    /// The company requires a second factor and this login has none: it may set one up and nothing else.
    pub must_enrol: bool,
    /// SHA-256 of the secret in the link that brought them.
    pub link: Option<[u8; 32]>,
}

/// How long somebody who has shown that it is them counts as present.
pub const FRESH_US: i64 = 10 * 60 * 1_000_000;

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
    /// Somebody without a login, a member or scopes.
    pub fn new(ledger: Uuid, actor: Actor) -> Principal {
        let (member, session_id, scopes, confirmed_us) = (None, None, None, None);
        Principal {
            ledger,
            actor,
            member,
            acts_for: vec![],
            session_id,
            scopes,
            confirmed_us,
            must_enrol: false,
            link: None,
        }
    }

    /// The server itself, acting in a ledger.
    pub fn system(ledger: Uuid) -> Principal {
        Principal::new(ledger, Actor::new(actor_kind::SYSTEM, Uuid::nil(), Role::System))
    }

    /// The server itself, on behalf of the member who asked for it, where one did.
    pub fn system_for(ledger: Uuid, by: Option<Uuid>) -> Principal {
        Principal { member: by, ..Principal::system(ledger) }
    }

    /// A member for whom the server does what no permission covers: their own sign-up, login and logout.
    pub fn member(ledger: Uuid, id: Uuid, session_id: Option<Uuid>) -> Principal {
        let actor = Actor::new(actor_kind::MEMBER, id, Role::System);
        Principal { member: Some(id), session_id, ..Principal::new(ledger, actor) }
    }

    /// Has this person shown a moment ago that it is them? The server always has, a token never.
    pub fn is_fresh(&self, now_us: i64) -> bool {
        let logged_in = self.confirmed_us.is_some_and(|at| now_us < at + FRESH_US);
        logged_in || self.actor.role == Role::System && self.session_id.is_none()
    }

    /// For queries.
    pub fn who(&self) -> Who {
        let (acts_for, now_us) = (self.acts_for.clone(), crate::clock::now_us());
        Who { ledger: self.ledger, actor: self.actor, member: self.member, acts_for, now_us }
    }

    /// A secretary who acts for nobody may do nothing (FM-26).
    pub fn is_unconfirmed(&self) -> bool {
        self.actor.role == Role::Secretary && self.acts_for.is_empty()
    }

    /// May they?
    pub fn may(&self, permission: Permission) -> bool {
        if self.must_enrol && permission.noun() != "me" || self.is_unconfirmed() {
            return false;
        }
        let by_scope = self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&permission.scope()));
        by_scope && self.actor.may(permission)
    }

    /// The check itself; the caller counts a refusal as a denial.
    pub fn check(&self, permission: Permission) -> Result<(), Problem> {
        match self.may(permission) {
            true => Ok(()),
            false if self.is_unconfirmed() => Err(Problem::new("secretary.not_confirmed")),
            false if self.must_enrol => Err(Problem::new("access.second_factor_required")),
            false => Err(Problem::new("access.forbidden")),
        }
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
        "password_resets" => Some("rst"),
        "secretary_confirmations" => Some("sec"),
        "secretary_refusals" => Some("srv"),
        "visit_notices" => Some("ans"),
        "login_alerts" => Some("nme"),
        "sign_ups" => Some("sgn"),
        _ => None,
    }
}

/// Who holds a secret of a path. A secret that leads nowhere looks like a path that is not there.
pub fn by_link(app: &App, kind: &str, secret: &str) -> Result<Principal, Problem> {
    if random::kind_of(secret) != Some(kind) {
        return Err(Problem::not_found());
    }
    let hash = random::hash(secret);
    let entry = app.vault.get(kind, &hash)?.ok_or_else(Problem::not_found)?;
    let actor = Actor::new(actor_kind::LINK_HOLDER, entry.owner, Role::LinkHolder);
    Ok(Principal { link: Some(hash), ..Principal::new(entry.ledger, actor) })
}

/// Who sends these headers: an access token or a kiosk's secret as bearer, or the cookie of a login or a kiosk.
pub async fn authenticate(app: &App, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Principal, Problem> {
    authenticated(app, headers, from, true).await
}

/// Whether a request that goes on and on is still made by somebody who may make it. A login does not live on by that.
pub async fn authenticate_again(app: &App, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Principal, Problem> {
    authenticated(app, headers, from, false).await
}

async fn authenticated(
    app: &App,
    headers: &HeaderMap,
    from: Option<IpAddr>,
    is_use: bool,
) -> Result<Principal, Problem> {
    let unauthenticated = || Problem::new("access.unauthenticated");
    if let Some(value) = headers.get(AUTHORIZATION) {
        let secret = value.to_str().ok().and_then(|v| v.strip_prefix("Bearer ")).ok_or_else(unauthenticated)?;
        return match random::kind_of(secret) {
            Some("pat") => by_token(app, secret, from).await,
            Some(held::ACCESS) => by_access_token(app, secret, from).await,
            Some("kio") => by_kiosk(app, secret).await,
            _ => Err(unauthenticated()),
        };
    }
    if let Some(secret) = cookie(headers, app.config.session_cookie()) {
        return by_session(app, &secret, from, is_use).await;
    }
    match cookie(headers, KIOSK_COOKIE) {
        Some(secret) => by_kiosk(app, &secret).await,
        None => Err(unauthenticated()),
    }
}

/// A login. Whether it has ended, its member may still act, and the company lets people come from here, the ledger is
/// asked and not a copy: each may have changed a moment ago.
async fn by_session(app: &App, secret: &str, from: Option<IpAddr>, is_use: bool) -> Result<Principal, Problem> {
    let gone = || Problem::new("access.unauthenticated");
    let entry = app.vault.get(SESSION, &random::hash(secret))?.ok_or_else(gone)?;
    let _turn = app.limiter.turn(entry.ledger, Work::Core).await;
    let session = session::Session::of(&entry).ok_or_else(gone)?;
    if !session.is_live(&entry, clock::now_us()) {
        return Err(gone());
    }
    let (ledger, member) = (entry.ledger, entry.owner);
    if load::<keiin_domain::session::Session>(app, ledger, session.id).await?.ended {
        return Err(gone());
    }
    let state: On<Member> = load(app, ledger, member).await?;
    if !state.keeps(session.id, session.passwords) {
        return Err(gone());
    }
    let actor = acting(app, ledger, &state, actor_kind::MEMBER, member).await?.ok_or_else(gone)?;
    let security: On<Security> = load(app, ledger, ledger).await?;
    if !session.from_anywhere && !security.allows(from) {
        return Err(Problem::new("access.network"));
    }
    if is_use {
        session.touch(app, &entry)?;
    }
    Ok(Principal {
        member: Some(member),
        acts_for: acts_for(app, ledger, actor.role, member).await?,
        session_id: Some(session.id),
        confirmed_us: Some(session.confirmed_us),
        must_enrol: security.second_factor_required && !session.has_factor(&security),
        ..Principal::new(ledger, actor)
    })
}

async fn by_token(app: &App, secret: &str, from: Option<IpAddr>) -> Result<Principal, Problem> {
    let gone = || Problem::new("access.unauthenticated");
    let entry = app.vault.get("pat", &random::hash(secret))?.ok_or_else(gone)?;
    let _turn = app.limiter.turn(entry.ledger, Work::Core).await;
    let token: On<Token> = load(app, entry.ledger, entry.owner).await?;
    if token.revoked || !token.exists() || clock::now_us() >= token.expires_at_us {
        return Err(gone());
    }
    let member: On<Member> = load(app, entry.ledger, token.member_id).await?;
    let actor = acting(app, entry.ledger, &member, actor_kind::API_CLIENT, entry.owner).await?.ok_or_else(gone)?;
    if !load::<Security>(app, entry.ledger, entry.ledger).await?.allows(from) {
        return Err(Problem::new("access.network"));
    }
    let acts_for = acts_for(app, entry.ledger, actor.role, token.member_id).await?;
    let (member, scopes) = (Some(token.member_id), Some(token.scopes.clone()));
    Ok(Principal { member, acts_for, scopes, ..Principal::new(entry.ledger, actor) })
}

/// An application's token, for a member or for itself.
async fn by_access_token(app: &App, secret: &str, from: Option<IpAddr>) -> Result<Principal, Problem> {
    let held = held::by_secret(app, secret).await?.ok_or_else(|| Problem::new("access.unauthenticated"))?;
    if !load::<Security>(app, held.ledger, held.ledger).await?.allows(from) {
        return Err(Problem::new("access.network"));
    }
    let acts_for = match held.member {
        Some(member) => acts_for(app, held.ledger, member.role, member.id).await?,
        None => vec![],
    };
    Ok(Principal { acts_for, ..held.principal() })
}

/// Which kiosk's secret it is.
pub async fn by_kiosk(app: &App, secret: &str) -> Result<Principal, Problem> {
    let gone = || Problem::new("access.unauthenticated");
    let entry = app.vault.get("kio", &random::hash(secret))?.ok_or_else(gone)?;
    let kiosk: On<Kiosk> = load(app, entry.ledger, entry.owner).await?;
    if kiosk.revoked || !kiosk.exists() {
        return Err(gone());
    }
    let actor = Actor::new(actor_kind::DEVICE, entry.owner, Role::Device);
    Ok(Principal::new(entry.ledger, actor))
}

/// For whom a secretary acts now: every lawyer whose mail was confirmed, as long as the lawyer may act.
pub async fn acts_for(app: &App, ledger: Uuid, role: Role, member: Uuid) -> Result<Vec<Uuid>, Problem> {
    let mut lawyers = vec![];
    if role == Role::Secretary {
        for lawyer in &load::<Secretaries>(app, ledger, member).await?.lawyers {
            if active(app, ledger, *lawyer).await?.is_some() {
                lawyers.push(*lawyer);
            }
        }
    }
    Ok(lawyers)
}

/// A member as who acts now, if they may act at all.
pub async fn active(app: &App, ledger: Uuid, member: Uuid) -> Result<Option<Actor>, Problem> {
    let state: On<Member> = load(app, ledger, member).await?;
    acting(app, ledger, &state, actor_kind::MEMBER, member).await
}

/// Whoever acts as a member, with the rights that the member has now. What a set of the company allows is asked of the
/// ledger, like everything else that may have changed a moment ago.
async fn acting(app: &App, ledger: Uuid, member: &Member, kind: u8, id: Uuid) -> Result<Option<Actor>, Problem> {
    let Some(role) = member.role.filter(|_| member.status == Some(MemberStatus::Active)) else { return Ok(None) };
    // A customer with an account is written down as one who holds a link, which is how they came.
    let kind = if role == Role::Recipient && kind == actor_kind::MEMBER { actor_kind::LINK_HOLDER } else { kind };
    let own = match member.permission_set {
        Some(set) => Some(load::<PermissionSet>(app, ledger, set).await?.rights()),
        None => None,
    };
    Ok(Some(Actor { own, ..Actor::new(kind, id, role) }))
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
