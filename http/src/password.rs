//! Passwords: how they are hashed (ML-18, RN-14), compared, and what ends with one. No hash leaves the vault, and no password
//! is written anywhere.
//!
//! A hash is found by the name that the ledger gives it, so which password counts is decided by the record of its change
//! and not by what was written to the vault last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use keiin_domain::command::{Command, On};
use keiin_domain::member::password::{ChangePassword, RequestPasswordReset, ResetPassword, SetPassword, credential};
use keiin_domain::member::{Member, RemoveMember, SuspendMember};
use keiin_domain::password::normalised;
use keiin_domain::session::{EndSession, LoginRefusal, SessionEnd};
use keiin_domain::text;
use keiin_domain::token::RevokeToken;
use keiin_eventlog::vault::Entry;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::config::Passwords;
use crate::execute::{Call, execute};
use crate::lockout::Target;
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::random;
use crate::session::{self, PENDING, SESSION, Session, TenantMember};

/// Entry kind of password hashes.
pub const PASSWORD: &str = "password";
/// Forgotten passwords that wait at once for their link.
const WAITING: usize = 1_000;

/// Argon2id (RFC 9106), one lane.
fn argon2(settings: Passwords) -> Argon2<'static> {
    let params = Params::new(settings.memory_kib, settings.passes, 1, None).expect("settings are checked when read");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// PHC string of a password under a fresh salt.
pub fn hash(settings: Passwords, password: &str) -> String {
    let salt = random::bytes::<16>();
    let hash = argon2(settings).hash_password_with_salt(normalised(password).as_bytes(), &salt);
    hash.expect("length and salt are in range").to_string()
}

/// Whether a password has this PHC string; its parameters are its own.
pub fn matches(hash: &str, password: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(normalised(password).as_bytes(), &hash).is_ok()
}

/// Was this PHC string made with other settings?
fn is_outdated(settings: Passwords, hash: &str) -> bool {
    let params = PasswordHash::new(hash).ok().and_then(|hash| Params::try_from(&hash).ok());
    params.is_none_or(|params| (params.m_cost(), params.t_cost()) != (settings.memory_kib, settings.passes))
}

/// A hash that no password has, of the same cost as any other.
fn nobodys(settings: Passwords) -> String {
    static HASHES: Mutex<Option<HashMap<(u32, u32), String>>> = Mutex::new(None);
    let mut hashes = HASHES.lock().unwrap_or_else(|e| e.into_inner());
    let key = (settings.memory_kib, settings.passes);
    hashes.get_or_insert_default().entry(key).or_insert_with(|| hash(settings, &random::secret("none"))).clone()
}

/// Whether this is the member's password, and the member as they were then. One that is right and was hashed with other
/// settings is hashed again. For somebody who does not exist it takes as long.
pub async fn check(app: &App, ledger: Uuid, member: Uuid, password: &str) -> Result<(bool, On<Member>), Problem> {
    let settings = app.config.passwords;
    let member: On<Member> = principal::load(app, ledger, member).await?;
    let entry = app.vault.get(PASSWORD, credential(&member).as_bytes())?;
    let Some(entry) = entry.filter(|entry| entry.ledger == ledger) else {
        verify(nobodys(settings), password.to_owned()).await;
        return Ok((false, member));
    };
    let stored = String::from_utf8(entry.value.clone()).map_err(Problem::failed)?;
    let outdated = is_outdated(settings, &stored);
    if !verify(stored, password.to_owned()).await {
        return Ok((false, member));
    }
    if outdated {
        // Under the same name: if another password came meanwhile, nobody looks here any more.
        let value = tokio::task::block_in_place(|| hash(settings, password)).into_bytes();
        app.vault.put(&[Entry { value, ..entry }])?;
    }
    Ok((true, member))
}

/// Argon2id takes tens of milliseconds of one core; a few at once are enough for one machine.
async fn verify(hash: String, password: String) -> bool {
    static HASHING: Semaphore = Semaphore::const_new(2);
    let Ok(_turn) = HASHING.acquire().await else { return false };
    tokio::task::spawn_blocking(move || matches(&hash, &password)).await.unwrap_or(false)
}

/// Commands after which logins and hashes are over.
pub fn ends_logins(command: &str) -> bool {
    let [suspend, remove] = [SuspendMember::NAME, RemoveMember::NAME];
    [ChangePassword::NAME, ResetPassword::NAME, SetPassword::NAME, suspend, remove].contains(&command)
}

/// Writes down that somebody who is logged in did not know the password.
pub async fn refused(app: &App, ledger: Uuid, member: Uuid, call: &Call) -> Result<(), Problem> {
    let who = TenantMember { ledger, member, passwords: 0 };
    session::refuse(app, Some(who), LoginRefusal::WrongPassword, call).await
}

/// Takes out of the vault what the ledger has ended already, and says so of each login. Repeating it changes nothing.
pub async fn tidy(app: &App, ledger: Uuid, member: Uuid, call: &Call) -> Result<(), Problem> {
    let state: On<Member> = principal::load(app, ledger, member).await?;
    let current = credential(&state);
    for entry in app.vault.list(PASSWORD, ledger, Some(member))? {
        if entry.lookup != current.as_bytes() {
            app.vault.delete(PASSWORD, &entry.lookup)?;
        }
    }
    app.vault.delete_owned(ledger, member, PENDING)?;
    let view = app.represent(&Principal::system(ledger), "member", member).await?;
    if let Some(email) = view.as_ref().and_then(|view| view["email"].as_str()) {
        Target::password(app, email)?.forget(app)?;
    }
    for entry in app.vault.list(SESSION, ledger, Some(member))? {
        let Some(session) = Session::of(&entry).filter(|session| !state.keeps(session.id, session.passwords)) else {
            continue;
        };
        app.vault.delete(SESSION, &entry.lookup)?;
        let allowed = Principal::member(ledger, member, Some(session.id)).allow::<EndSession>()?;
        let call = Call { key: None, if_match: None, target: Some(session.id), ..call.clone() };
        execute(app, &allowed, EndSession { reason: SessionEnd::Revoked }, &call).await?;
    }
    if state.emergency {
        end_tokens(app, ledger, member, call).await?;
    }
    Ok(())
}

/// Whoever may have been somebody else may have made tokens: they are over for good, and not only while the member is
/// suspended. Repeated before the suspension is lifted, so that none is forgotten.
async fn end_tokens(app: &App, ledger: Uuid, member: Uuid, call: &Call) -> Result<(), Problem> {
    let server = Principal::system(ledger);
    for token in keiin_projections::token::active_of(&app.read, &server.who(), member)? {
        let call = Call { key: None, if_match: None, target: Some(token), ..call.clone() };
        match execute(app, &server.allow::<RevokeToken>()?, RevokeToken {}, &call).await {
            Err(problem) if problem.code == "token.already_revoked" => {}
            other => drop(other?),
        }
    }
    Ok(())
}

/// Somebody says that they forgot their password.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    /// The member's address.
    pub email: String,
    /// The company's short name; empty = all companies that the address belongs to.
    #[serde(default)]
    pub company: String,
}

/// Sees to it that whoever has this address is mailed a link. What comes of it happens after the answer, so neither answer
/// nor time tell whether there is such an address.
pub fn forgotten(app: &Arc<App>, form: Forgotten, call: Call) -> Result<(), Problem> {
    static ROOM: Semaphore = Semaphore::const_new(WAITING);
    static TURN: Semaphore = Semaphore::const_new(1);
    let room = ROOM.try_acquire().map_err(|_| Problem::new("service.unavailable"))?;
    let app = app.clone();
    tokio::spawn(async move {
        let (_room, _turn) = (room, TURN.acquire().await);
        if let Err(problem) = request(&app, &form, &call).await {
            tracing::warn!(code = problem.code, "a link for a forgotten password could not be made");
        }
    });
    Ok(())
}

async fn request(app: &App, form: &Forgotten, call: &Call) -> Result<(), Problem> {
    let email = text::email(&form.email).unwrap_or_default();
    for TenantMember { ledger, member, .. } in members(app, &email, form.company.trim()).await? {
        let allowed = Principal::system(ledger).allow::<RequestPasswordReset>()?;
        let call = Call { key: None, if_match: None, target: Some(member), ..call.clone() };
        match execute(app, &allowed, RequestPasswordReset {}, &call).await {
            // An address that was typed somewhere without being invited.
            Err(problem) if problem.code == "request.not_found" => {}
            other => drop(other?),
        }
    }
    Ok(())
}

async fn members(app: &App, email: &str, slug: &str) -> Result<Vec<TenantMember>, Problem> {
    let ledgers = match slug {
        "" => app.tenants().await?,
        slug => app.tenant_by_slug(slug).await?.into_iter().collect(),
    };
    let mut found = vec![];
    for ledger in ledgers {
        let member = app.vault.find_subject(ledger, "member", email)?;
        found.extend(member.map(|member| TenantMember { ledger, member, passwords: 0 }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWASP: Passwords = Passwords { memory_kib: 19_456, passes: 2 };

    #[test]
    fn ml_18_two_of_the_same_are_two_hashes_and_neither_is_the_password() {
        let [a, b] = [(); 2].map(|()| hash(OWASP, "correct horse battery"));
        assert!(a.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && a != b, "{a} {b}");
        for hash in [&a, &b] {
            assert!(matches(hash, "correct horse battery") && !matches(hash, "correct horse batterz"));
            assert!(!hash.contains("horse"));
        }
    }

    #[test]
    fn a_password_typed_in_another_width_is_the_same() {
        let hash = hash(OWASP, "ガギグゲゴ 12345 ABCDE");
        assert!(matches(&hash, "ｶﾞｷﾞｸﾞｹﾞｺﾞ　１２３４５　ＡＢＣＤＥ"));
    }

    #[test]
    fn rn_14_hashes_of_other_settings_are_known_and_still_good() {
        let raised = Passwords { memory_kib: 24_576, passes: 3 };
        let hash = hash(OWASP, "correct horse battery");
        assert!(is_outdated(raised, &hash) && !is_outdated(OWASP, &hash));
        assert!(matches(&hash, "correct horse battery"));
    }
}
