//! Logins: a password or an account elsewhere, and a second factor where one is on; or a passkey. Whatever a login began with,
//! it ends in [`begin`]. A session is an entry of the vault: the secret's hash finds it, so neither a dump of the vault nor
//! one of the ledger holds anything that logs in.

mod kept;
pub mod ways;

use keiin_domain::command::On;
use keiin_domain::factor::account::LinkedBy;
use keiin_domain::factor::{self, Factor, UseFactor};
use keiin_domain::member::{Member, MemberStatus};
use keiin_domain::role::Role;
use keiin_domain::security::Security;
use keiin_domain::session::{
    ConfirmSession, EndSession, LoginMethod, LoginRefusal, Proof, RefuseLogin, SessionEnd, StartSession,
};
use keiin_domain::text;
use keiin_eventlog::vault::Entry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::kept::Session;
use self::ways::Way;
use crate::app::App;
use crate::execute::{Call, execute};
use crate::lockout::Target;
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::{device, lockout, oidc, password, random, sms};

/// Entry kind of sessions.
pub const SESSION: &str = "session";
/// Entry kind of the one-time login link that `demo` prints.
pub const LOGIN_LINK: &str = "login";
/// A session ends this long after its last request.
pub const IDLE_US: i64 = 2 * 3_600 * 1_000_000;
/// A session ends this long after its start, used or not.
pub const ABSOLUTE_US: i64 = 12 * 3_600 * 1_000_000;

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
    /// Why an owner must come in from a network that the company does not allow, at most 200 characters. With it, `company`
    /// and a second factor are needed, and it is recorded.
    #[serde(default)]
    pub break_glass: String,
}

/// What a right password leads to.
pub enum Step {
    /// A session.
    In(Box<LoggedIn>),
    /// A second factor is asked for.
    Pending {
        /// Stands for the login so far.
        secret: String,
        /// What would do: `totp`, `passkey`, `sms`, `recovery_code`.
        factors: Vec<&'static str>,
    },
}

/// Entry kind of logins that wait for a code.
pub const PENDING: &str = "pending_login";
/// How long a login waits for its code.
const PENDING_US: i64 = 10 * 60 * 1_000_000;
/// Wrong codes that end a login.
const CODES: u8 = 5;

/// What the vault keeps of a login that waits for a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    #[serde(flatten)]
    way: Way,
    wrong: u8,
    break_glass: String,
    /// As of the password that was right.
    passwords: u32,
}

/// A login that succeeded: the secret goes into the cookie, or to the API client.
pub struct LoggedIn {
    /// For the cookie.
    pub secret: String,
    /// Who.
    pub principal: Principal,
    /// For the device's cookie; `None` where that stays as it is.
    pub device: Option<String>,
}

/// Checks a login. Unknown address, wrong password, wrong company and a member who may not look the same to the caller
/// and take as long.
pub async fn login(app: &App, login: &Login, call: &Call) -> Result<Step, Problem> {
    let wrong = || Problem::new("access.wrong_credentials");
    let email = text::email(&login.email).unwrap_or_default();
    let break_glass = text::optional_line(&login.break_glass, "/break_glass", 200)?;
    let candidates = candidates(app, &email, login.company.trim(), !break_glass.is_empty(), call).await?;
    let password = lockout::guess_password(app, &email, &candidates, call)?;
    let mut matched = vec![];
    let mut known = None;
    for candidate in &candidates {
        known = Some(*candidate);
        let (is_right, state) = password::check(app, candidate.ledger, candidate.member, &login.password).await?;
        if is_right {
            let may = state.status == Some(MemberStatus::Active) && !state.must_reset;
            matched.push((TenantMember { passwords: state.passwords, ..*candidate }, may));
        }
    }
    if candidates.is_empty() {
        // The same work all the same, so that the time does not tell whether the address exists.
        password::check(app, Uuid::nil(), Uuid::nil(), &login.password).await?;
    }
    if !matched.is_empty() {
        password.forget(app)?;
    }
    match matched[..] {
        [(one, may)] => {
            if !may {
                refuse(app, Some(one), LoginRefusal::Inactive, call).await?;
                return Err(wrong());
            }
            begin(app, one, LoginMethod::Password.into(), None, break_glass, call).await
        }
        [] => {
            let reason = if known.is_some() { LoginRefusal::WrongPassword } else { LoginRefusal::UnknownMember };
            refuse(app, known, reason, call).await?;
            Err(wrong())
        }
        _ => Err(Problem::at("access.wrong_credentials", "/company")),
    }
}

/// What follows when somebody has shown who they are: a session, or the question for a second factor, unless `proof` is one.
pub async fn begin(
    app: &App,
    who: TenantMember,
    way: Way,
    proof: Option<Proof>,
    break_glass: String,
    call: &Call,
) -> Result<Step, Problem> {
    let factor: On<Factor> = principal::load(app, who.ledger, who.member).await?;
    let security: On<Security> = principal::load(app, who.ledger, who.ledger).await?;
    if proof.is_none() && factor.is_on(security.sms) {
        let pending = Pending { way, wrong: 0, break_glass, passwords: who.passwords };
        let secret = random::secret("pnd");
        let (created_us, expires_us) = (call.now_us, Some(call.now_us + PENDING_US));
        app.vault.put(&[pending.entry(who, random::hash(&secret).to_vec(), created_us, expires_us)?])?;
        let sms = app.sms.is_some() && factor.may_text(&security, false).is_ok();
        let (totp, passkey) = (factor.totp.is_some(), !factor.passkeys.is_empty());
        let factors = [("totp", totp), ("passkey", passkey), ("sms", sms), ("recovery_code", true)];
        let factors = factors.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect();
        return Ok(Step::Pending { secret, factors });
    }
    if !break_glass.is_empty() {
        let actor = principal::active(app, who.ledger, who.member).await?;
        if proof.is_none() || actor.is_none_or(|actor| actor.role != Role::Owner) {
            refuse(app, Some(who), LoginRefusal::Network, call).await?;
            return Err(Problem::new("access.network"));
        }
    }
    let logged_in = open(app, who, way.method, proof, break_glass, call).await?;
    if let Some(identity) = &way.link
        && let Err(problem) = oidc::link(app, &logged_in.principal, identity, LinkedBy::Address, call).await
    {
        // They are in; another login of theirs may have linked one at the same moment.
        tracing::warn!(code = problem.code, "an account elsewhere was not linked");
    }
    Ok(Step::In(Box::new(logged_in)))
}

/// The same for whoever has shown a second factor: there is no further question.
async fn finish(
    app: &App,
    who: TenantMember,
    way: Way,
    proof: Proof,
    break_glass: String,
    call: &Call,
) -> Result<LoggedIn, Problem> {
    match begin(app, who, way, Some(proof), break_glass, call).await? {
        Step::In(logged_in) => Ok(*logged_in),
        Step::Pending { .. } => Err(Problem::failed("a proven login waits")),
    }
}

impl Pending {
    fn entry(
        &self,
        who: TenantMember,
        lookup: Vec<u8>,
        created_us: i64,
        expires_us: Option<i64>,
    ) -> Result<Entry, Problem> {
        let value = serde_json::to_vec(self).map_err(Problem::failed)?;
        let (ledger, owner) = (who.ledger, who.member);
        Ok(Entry { kind: PENDING.into(), lookup, ledger, owner, value, created_us, expires_us })
    }
}

/// A login that waits, taken out: two guesses at the same time count as two.
async fn take_pending(app: &App, secret: &str, call: &Call) -> Result<(Entry, Pending, TenantMember), Problem> {
    waiting(app, secret, app.vault.take(PENDING, &random::hash(secret))?, call).await
}

/// Whose login waits behind this secret; it goes on waiting.
pub async fn whose_pending(app: &App, secret: &str, call: &Call) -> Result<TenantMember, Problem> {
    let (_, _, who) = waiting(app, secret, app.vault.get(PENDING, &random::hash(secret))?, call).await?;
    Ok(who)
}

async fn waiting(
    app: &App,
    secret: &str,
    entry: Option<Entry>,
    call: &Call,
) -> Result<(Entry, Pending, TenantMember), Problem> {
    let gone = || Problem::at("access.gone", "/pending");
    let entry = entry.filter(|_| random::kind_of(secret) == Some("pnd")).ok_or_else(gone)?;
    if entry.expires_us.is_none_or(|at| call.now_us >= at) {
        return Err(gone());
    }
    let pending: Pending = serde_json::from_slice(&entry.value).map_err(Problem::failed)?;
    let who = TenantMember { ledger: entry.ledger, member: entry.owner, passwords: pending.passwords };
    if principal::load::<Member>(app, who.ledger, who.member).await?.passwords != who.passwords {
        return Err(gone());
    }
    Ok((entry, pending, who))
}

/// The second step of a login: the code. A few wrong ones end it.
pub async fn second_step(app: &App, secret: &str, code: &str, call: &Call) -> Result<LoggedIn, Problem> {
    let (entry, mut pending, who) = take_pending(app, secret, call).await?;
    let asked = Target::proof(who.ledger, who.member);
    if let Err(problem) = asked.guess(app, call.now_us) {
        app.vault.put(&[entry])?;
        return Err(problem);
    }
    let proof = match use_code(app, who, secret, code, call).await {
        Ok(proof) => proof,
        Err(problem) => {
            pending.wrong += 1;
            if pending.wrong < CODES {
                app.vault.put(&[pending.entry(who, entry.lookup, entry.created_us, entry.expires_us)?])?;
            }
            refuse(app, Some(who), LoginRefusal::WrongCode, call).await?;
            return Err(problem);
        }
    };
    asked.forget(app)?;
    finish(app, who, pending.way, proof, pending.break_glass, call).await
}

/// Uses a code of somebody's second factor; one that was sent is good only where this secret is.
async fn use_code(app: &App, who: TenantMember, secret: &str, code: &str, call: &Call) -> Result<Proof, Problem> {
    if sms::is_used(app, who, secret, code, call).await? {
        return Ok(Proof::Sms);
    }
    let allowed = Principal::system(who.ledger).allow::<UseFactor>()?;
    let (member_id, code) = (who.member, code.to_owned());
    let is_totp = factor::digits(&code).len() == 6;
    let call = Call { key: None, target: None, if_match: None, ..call.clone() };
    let used = execute(app, &allowed, UseFactor { member_id, code }, &call).await;
    let wrong = |problem: Problem| match problem.code {
        "factor.wrong_code" | "factor.none" => Problem::at("access.wrong_code", "/code"),
        _ => problem,
    };
    used.map_err(wrong)?;
    Ok(if is_totp { Proof::Totp } else { Proof::RecoveryCode })
}

/// Whoever is logged in shows again that it is them: by a code where a second factor is on, else by their password. The
/// session's secret changes; the old one is worth nothing.
pub async fn confirm(
    app: &App,
    secret: &str,
    principal: &Principal,
    proof: &str,
    call: &Call,
) -> Result<String, Problem> {
    let forbidden = || Problem::new("access.forbidden");
    let member = principal.member.filter(|_| principal.session_id.is_some()).ok_or_else(forbidden)?;
    let who = TenantMember { ledger: principal.ledger, member, passwords: 0 };
    let asked = Target::proof(who.ledger, member);
    asked.guess(app, call.now_us)?;
    let factor: On<Factor> = principal::load(app, who.ledger, member).await?;
    let security: On<Security> = principal::load(app, who.ledger, who.ledger).await?;
    let by = if factor.is_on(security.sms) {
        use_code(app, who, secret, proof, call).await?
    } else if password::check(app, who.ledger, member, proof).await?.0 {
        Proof::Password
    } else {
        refuse(app, Some(who), LoginRefusal::WrongPassword, call).await?;
        return Err(Problem::at("access.wrong_code", "/proof"));
    };
    asked.forget(app)?;
    confirmed(app, secret, principal, by, call).await
}

/// What follows when whoever is logged in has shown that it is them: it is written down, and the secret changes.
pub async fn confirmed(
    app: &App,
    secret: &str,
    principal: &Principal,
    by: Proof,
    call: &Call,
) -> Result<String, Problem> {
    let forbidden = || Problem::new("access.forbidden");
    let (Some(id), Some(member)) = (principal.session_id, principal.member) else { return Err(forbidden()) };
    let allowed = Principal::member(principal.ledger, member, Some(id)).allow::<ConfirmSession>()?;
    let step = Call { key: None, if_match: None, target: Some(id), ..call.clone() };
    execute(app, &allowed, ConfirmSession { by }, &step).await?;
    // Last, so that whatever fails before leaves the caller with a secret that works.
    let entry = app.vault.take(SESSION, &random::hash(secret))?.ok_or_else(forbidden)?;
    let session = Session::of(&entry).ok_or_else(forbidden)?;
    let second_factor = session.second_factor || by != Proof::Password;
    let sms_only = match by {
        Proof::Sms => session.sms_only || !session.second_factor,
        Proof::Password => session.sms_only,
        _ => false,
    };
    let session = Session { confirmed_us: call.now_us, seen_us: call.now_us, second_factor, sms_only, ..session };
    let fresh = random::secret("ses");
    let value = serde_json::to_vec(&session).map_err(Problem::failed)?;
    app.vault.put(&[Entry { lookup: random::hash(&fresh).to_vec(), value, ..entry }])?;
    Ok(fresh)
}

/// Whose address this is: in the named company, or in all of them. Before any password is looked at, companies that let
/// nobody in from here are left out; one that was named says so to everybody, whoever they are.
async fn candidates(
    app: &App,
    email: &str,
    slug: &str,
    break_glass: bool,
    call: &Call,
) -> Result<Vec<TenantMember>, Problem> {
    let ledgers = match slug {
        "" => app.tenants().await?,
        slug => app.tenant_by_slug(slug).await?.into_iter().collect(),
    };
    let mut found = vec![];
    for ledger in ledgers {
        let member = app.vault.find_subject(ledger, "member", email)?;
        if member.is_none() && slug.is_empty() {
            continue;
        }
        let security: On<Security> = principal::load(app, ledger, ledger).await?;
        let known = member.map(|member| TenantMember { ledger, member, passwords: 0 });
        let breaks_in = break_glass && !slug.is_empty();
        if !security.allows(call.from()) && !breaks_in {
            if known.is_some() {
                refuse(app, known, LoginRefusal::Network, call).await?;
            }
            if !slug.is_empty() {
                return Err(Problem::new("access.network"));
            }
            continue;
        }
        found.extend(known);
    }
    Ok(found)
}

/// A member of a company.
#[derive(Clone, Copy, Debug)]
pub struct TenantMember {
    /// The company.
    pub ledger: Uuid,
    /// The member.
    pub member: Uuid,
    /// How many passwords they had had when they showed who they are ([`Session::passwords`]).
    pub passwords: u32,
}

/// Writes down that a login was refused.
pub async fn refuse(app: &App, known: Option<TenantMember>, reason: LoginRefusal, call: &Call) -> Result<(), Problem> {
    // Unknown callers go to the root ledger; nothing of what they typed is kept.
    let ledger = known.map_or(Uuid::nil(), |k| k.ledger);
    let allowed = Principal::system(ledger).allow::<RefuseLogin>()?;
    let member_id = known.map(|k| k.member);
    let call = Call { key: None, target: None, if_match: None, ..call.clone() };
    execute(app, &allowed, RefuseLogin { member_id, reason }, &call).await?;
    Ok(())
}

/// A session for a member who showed who they are in a way that takes no second factor: by joining, by the server's link.
pub async fn start(
    app: &App,
    ledger: Uuid,
    member: Uuid,
    method: LoginMethod,
    call: &Call,
) -> Result<LoggedIn, Problem> {
    let passwords = principal::load::<Member>(app, ledger, member).await?.passwords;
    open(app, TenantMember { ledger, member, passwords }, method, None, String::new(), call).await
}

async fn open(
    app: &App,
    who: TenantMember,
    method: LoginMethod,
    confirmed_by: Option<Proof>,
    break_glass: String,
    call: &Call,
) -> Result<LoggedIn, Problem> {
    let TenantMember { ledger, member, .. } = who;
    let actor = principal::active(app, ledger, member).await?;
    let actor = actor.ok_or_else(|| Problem::new("access.wrong_credentials"))?;
    let secret = random::secret("ses");
    let session = Session {
        id: random::id_at(call.now_us),
        seen_us: call.now_us,
        confirmed_us: call.now_us,
        second_factor: confirmed_by.is_some(),
        sms_only: confirmed_by == Some(Proof::Sms),
        from_anywhere: !break_glass.is_empty(),
        passwords: who.passwords,
    };
    let security: On<Security> = principal::load(app, ledger, ledger).await?;
    let principal = Principal {
        member: Some(member),
        acts_for: principal::acts_for(app, ledger, actor.role, member).await?,
        session_id: Some(session.id),
        confirmed_us: Some(call.now_us),
        must_enrol: security.second_factor_required && !session.has_factor(&security),
        ..Principal::new(ledger, actor)
    };
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
    let device = device::recognise(app, who, call)?;
    let call = Call { key: None, if_match: None, target: None, new_id: Some(session.id), ..call.clone() };
    let start = StartSession { member_id: member, device_id: device.id, method, confirmed_by, break_glass };
    execute(app, &allowed, start, &call).await?;
    Ok(LoggedIn { secret, principal, device: Some(device.secret) })
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
