//! Logins by password. A session is an entry of the vault: the secret's hash finds it, so neither a dump of the vault nor
//! one of the ledger holds anything that logs in.

use argon2::password_hash::{PasswordVerifier, phc::PasswordHash};
use keiin_domain::member::MemberStatus;
use keiin_domain::session::{EndSession, LoginMethod, LoginRefusal, RefuseLogin, SessionEnd, StartSession};
use keiin_domain::text;
use keiin_eventlog::vault::Entry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::execute::{Call, execute};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::random;
use crate::world::{self, PASSWORD};

/// Entry kind of sessions.
pub const SESSION: &str = "session";
/// Entry kind of the one-time login link that `demo` prints.
pub const LOGIN_LINK: &str = "login";
/// A session ends this long after its last request.
pub const IDLE_US: i64 = 2 * 3_600 * 1_000_000;
/// A session ends this long after its start, used or not.
pub const ABSOLUTE_US: i64 = 12 * 3_600 * 1_000_000;
/// How exactly the last request is remembered.
const TOUCH_US: i64 = 60 * 1_000_000;

/// What the vault keeps of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Also its stream in the ledger.
    pub id: Uuid,
    /// Microseconds UTC.
    pub seen_us: i64,
}

impl Session {
    /// Reads an entry.
    pub fn of(entry: &Entry) -> Option<Session> {
        serde_json::from_slice(&entry.value).ok()
    }

    /// Neither idle for too long nor too old. A clock that stepped back revives nothing: what has ended was removed.
    pub fn is_live(&self, entry: &Entry, now_us: i64) -> bool {
        now_us < self.seen_us + IDLE_US && entry.expires_us.is_some_and(|at| now_us < at)
    }

    /// Remembers that it was used.
    pub fn touch(&self, app: &App, entry: &Entry) -> Result<(), Problem> {
        let now_us = crate::clock::now_us();
        if now_us < self.seen_us + TOUCH_US {
            return Ok(());
        }
        let session = Session { seen_us: now_us, ..self.clone() };
        let value = serde_json::to_vec(&session).map_err(Problem::failed)?;
        Ok(app.vault.put(&[Entry { value, ..entry.clone() }])?)
    }
}

/// A login request.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The member's address.
    pub email: String,
    /// Their password.
    pub password: String,
    /// The company's short name; needed only where one address belongs to several companies.
    #[serde(default)]
    pub company: String,
}

/// A login that succeeded: the secret goes into the cookie, or to the API client.
pub struct LoggedIn {
    /// For the cookie.
    pub secret: String,
    /// Who.
    pub principal: Principal,
}

/// Checks a login. Unknown address, wrong password, wrong company and a member who may not look the same to the caller
/// and take as long.
pub async fn login(app: &App, login: &Login, call: &Call) -> Result<LoggedIn, Problem> {
    let wrong = || Problem::new("access.wrong_credentials");
    let email = text::email(&login.email).unwrap_or_default();
    let candidates = candidates(app, &email, login.company.trim()).await?;
    let mut matched = vec![];
    let mut known = None;
    for candidate in &candidates {
        known = Some(*candidate);
        if check_password(app, candidate.member, &login.password).await? {
            matched.push(*candidate);
        }
    }
    if candidates.is_empty() {
        // Hash all the same, so that the time does not tell whether the address exists.
        verify(nobodys_hash(), login.password.clone()).await;
    }
    match matched[..] {
        [one] => {
            let status = principal::load::<keiin_domain::member::Member>(app, one.ledger, one.member).await?.status;
            if status != Some(MemberStatus::Active) {
                refuse(app, Some(one), LoginRefusal::Inactive, call).await?;
                return Err(wrong());
            }
            start(app, one.ledger, one.member, LoginMethod::Password, call).await
        }
        [] => {
            let reason = if known.is_some() { LoginRefusal::WrongPassword } else { LoginRefusal::UnknownMember };
            refuse(app, known, reason, call).await?;
            Err(wrong())
        }
        _ => Err(Problem::at("access.wrong_credentials", "/company")),
    }
}

/// Whose address this is: in the named company, or in all of them.
async fn candidates(app: &App, email: &str, slug: &str) -> Result<Vec<TenantMember>, Problem> {
    let ledgers = match slug {
        "" => app.tenants().await?,
        slug => app.tenant_by_slug(slug).await?.into_iter().collect(),
    };
    let mut found = vec![];
    for ledger in ledgers {
        if let Some(member) = app.vault.find_subject(ledger, "member", email)? {
            found.push(TenantMember { ledger, member });
        }
    }
    Ok(found)
}

/// A hash that no password matches, of the same cost as any other.
fn nobodys_hash() -> String {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| world::hash_password(&random::secret("none"))).clone()
}

/// A member of a company.
#[derive(Clone, Copy, Debug)]
pub struct TenantMember {
    /// The company.
    pub ledger: Uuid,
    /// The member.
    pub member: Uuid,
}

async fn refuse(app: &App, known: Option<TenantMember>, reason: LoginRefusal, call: &Call) -> Result<(), Problem> {
    // Unknown callers go to the root ledger; nothing of what they typed is kept.
    let ledger = known.map_or(Uuid::nil(), |k| k.ledger);
    let allowed = Principal::system(ledger).allow::<RefuseLogin>()?;
    let member_id = known.map(|k| k.member);
    let call = Call { key: None, target: None, if_match: None, ..call.clone() };
    execute(app, &allowed, RefuseLogin { member_id, reason }, &call).await?;
    Ok(())
}

/// Begins a session for a member who showed who they are.
pub async fn start(
    app: &App,
    ledger: Uuid,
    member: Uuid,
    method: LoginMethod,
    call: &Call,
) -> Result<LoggedIn, Problem> {
    let role = principal::active_role(app, ledger, member).await?;
    let role = role.ok_or_else(|| Problem::new("access.wrong_credentials"))?;
    let secret = random::secret("ses");
    let session = Session { id: random::id_at(call.now_us), seen_us: call.now_us };
    let actor = keiin_domain::context::Actor { kind: keiin_domain::context::actor_kind::MEMBER, id: member, role };
    let who = Principal { ledger, actor, member: Some(member), session_id: Some(session.id), scopes: None };
    // The entry first: a session that nobody was told of is harmless, one that is not in the vault is no session.
    app.vault.put(&[Entry {
        kind: SESSION.into(),
        lookup: random::hash(&secret).to_vec(),
        ledger,
        owner: member,
        value: serde_json::to_vec(&session).map_err(Problem::failed)?,
        created_us: call.now_us,
        expires_us: Some(call.now_us + ABSOLUTE_US),
    }])?;
    let allowed = Principal::member(ledger, member, Some(session.id)).allow::<StartSession>()?;
    let call = Call { key: None, if_match: None, target: None, new_id: Some(session.id), ..call.clone() };
    execute(app, &allowed, StartSession { member_id: member, method }, &call).await?;
    Ok(LoggedIn { secret, principal: who })
}

/// Ends a session: the entry goes first, so that it is over even if the rest fails.
pub async fn end(app: &App, secret: &str, principal: &Principal, call: &Call) -> Result<(), Problem> {
    app.vault.delete(SESSION, &random::hash(secret))?;
    let (Some(id), Some(member)) = (principal.session_id, principal.member) else { return Ok(()) };
    let allowed = Principal::member(principal.ledger, member, Some(id)).allow::<EndSession>()?;
    execute(app, &allowed, EndSession { reason: SessionEnd::Logout }, &Call { target: Some(id), ..call.clone() })
        .await?;
    Ok(())
}

async fn check_password(app: &App, member: Uuid, password: &str) -> Result<bool, Problem> {
    let Some(entry) = app.vault.get(PASSWORD, member.as_bytes())? else {
        verify(nobodys_hash(), password.to_owned()).await;
        return Ok(false);
    };
    let hash = String::from_utf8(entry.value).map_err(Problem::failed)?;
    Ok(verify(hash, password.to_owned()).await)
}

/// Argon2id takes tens of milliseconds of one core; a few at once are enough for one machine.
async fn verify(hash: String, password: String) -> bool {
    static HASHING: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);
    let Ok(_turn) = HASHING.acquire().await else { return false };
    let check = move || {
        let Ok(hash) = PasswordHash::new(&hash) else { return false };
        world::argon2().verify_password(password.as_bytes(), &hash).is_ok()
    };
    tokio::task::spawn_blocking(check).await.unwrap_or(false)
}
