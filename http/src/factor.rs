//! Setting up an authenticator app (TOTP, RFC 6238): the seed is made here, kept in the vault for a quarter of an hour, and
//! becomes the member's when the command `enrol_totp` comes with its first code.

use keiin_eventlog::vault::{Entry, Vault, VaultError};
use serde_json::{Value, json};
use totp_rs::{Builder, Totp};
use uuid::Uuid;

use crate::app::App;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::{public, random};

/// Entry kind of seeds; found by the member's id.
pub const TOTP: &str = "totp";
/// Entry kind of seeds that no code has confirmed yet.
pub const TOTP_NEW: &str = "totp_new";
/// How long a seed waits for its first code.
const WAITS_US: i64 = 15 * 60 * 1_000_000;
/// Name of the service in the app.
const ISSUER: &str = "Keiin";

/// The member's app, or the one that is being set up. Six digits, 30 seconds, one step of tolerance: what every app takes.
pub fn totp(vault: &Vault, member: Uuid, new: bool, now_us: i64) -> Result<Option<Totp>, VaultError> {
    let entry = vault.get(if new { TOTP_NEW } else { TOTP }, member.as_bytes())?;
    let entry = entry.filter(|entry| entry.expires_us.is_none_or(|at| now_us < at));
    Ok(entry.and_then(|entry| Builder::new().with_secret(entry.value).build().ok()))
}

/// Makes a seed for the caller: as text to type, as an address that apps open, and as a QR code of that address. An app that
/// is in use already goes on until the new one's first code has come.
pub async fn begin(app: &App, principal: &Principal, now_us: i64) -> Result<Value, Problem> {
    let member = principal.member.filter(|_| principal.session_id.is_some());
    let member = member.ok_or_else(|| Problem::new("access.forbidden"))?;
    let seed = random::bytes::<20>();
    app.vault.put(&[Entry {
        kind: TOTP_NEW.into(),
        lookup: member.as_bytes().to_vec(),
        ledger: principal.ledger,
        owner: member,
        value: seed.to_vec(),
        created_us: now_us,
        expires_us: Some(now_us + WAITS_US),
    }])?;
    let server = Principal::system(principal.ledger);
    let view = app.represent(&server, "member", member).await?.unwrap_or_default();
    // A colon would end the issuer.
    let account = view["email"].as_str().filter(|email| !email.contains(':')).unwrap_or("member").to_owned();
    let totp = Builder::new().with_secret(seed.to_vec()).with_account_name(account).with_issuer(Some(ISSUER));
    let totp = totp.build().map_err(Problem::failed)?;
    let uri = totp.to_url().map_err(Problem::failed)?;
    Ok(json!({ "secret": totp.secret().to_base32(), "qr": public::qr(&uri)?, "uri": uri }))
}
