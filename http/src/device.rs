//! Which device a login comes from: a cookie of its own that outlives logins. Its secret is in the browser alone; the vault
//! keeps a hash of it together with the member, so neither the vault nor a ledger tells that two people share a browser.

use keiin_domain::command::Command;
use keiin_domain::device::{Device, DisownLogin, ForgetDevice};
use keiin_eventlog::vault::{Entry, Vault, VaultError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::app::App;
use crate::execute::Call;
use crate::problem::Problem;
use crate::session::TenantMember;
use crate::{password, principal, random};

/// Entry kind of devices.
const DEVICE: &str = "device";
/// A device by which nobody logs in for this long is new again; as long as browsers keep a cookie.
pub const KEPT_US: i64 = 400 * 24 * 3_600 * 1_000_000;

/// What the vault keeps of a device.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Its stream in the ledger.
    pub id: Uuid,
    /// Where the first login came from, for the mail about it.
    pub ip: String,
    /// Which browser or program that was.
    pub user_agent: String,
}

/// A device by which somebody logs in.
pub struct Known {
    /// Its stream in the ledger.
    pub id: Uuid,
    /// For the cookie.
    pub secret: String,
}

/// The device that this call comes from: the one whose cookie it brought, or a new one.
pub fn recognise(app: &App, who: TenantMember, call: &Call) -> Result<Known, Problem> {
    let secret = brought(call).map_or_else(|| random::secret("dev"), str::to_owned);
    let lookup = lookup(&secret, who);
    let (created_us, kept) = match entry(app, &lookup, call)? {
        Some(entry) => (entry.created_us, kept(&entry)),
        None => {
            let origin = call.origin.clone().unwrap_or_default();
            let id = random::id_at(call.now_us);
            (call.now_us, Kept { id, ip: origin.ip, user_agent: origin.user_agent })
        }
    };
    let value = serde_json::to_vec(&kept).map_err(Problem::failed)?;
    let (ledger, owner) = (who.ledger, who.member);
    let expires_us = Some(call.now_us + KEPT_US);
    app.vault.put(&[Entry { kind: DEVICE.into(), lookup, ledger, owner, value, created_us, expires_us }])?;
    Ok(Known { id: kept.id, secret })
}

/// The device that this call comes from, if this member has logged in by it.
pub fn known(app: &App, who: TenantMember, call: &Call) -> Result<Option<Uuid>, Problem> {
    let Some(secret) = brought(call) else { return Ok(None) };
    Ok(entry(app, &lookup(secret, who), call)?.map(|entry| kept(&entry).id))
}

fn brought(call: &Call) -> Option<&str> {
    call.device.as_deref().filter(|secret| random::kind_of(secret) == Some("dev"))
}

fn lookup(secret: &str, who: TenantMember) -> Vec<u8> {
    let mut lookup = Sha256::new();
    lookup.update(random::hash(secret));
    lookup.update(who.ledger);
    lookup.update(who.member);
    lookup.finalize().to_vec()
}

fn entry(app: &App, lookup: &[u8], call: &Call) -> Result<Option<Entry>, Problem> {
    let entry = app.vault.get(DEVICE, lookup)?;
    Ok(entry.filter(|entry| entry.expires_us.is_some_and(|at| call.now_us < at)))
}

fn kept(entry: &Entry) -> Kept {
    serde_json::from_slice(&entry.value).unwrap_or_default()
}

/// What is kept of a device of a member.
pub fn find(vault: &Vault, ledger: Uuid, member: Uuid, device: Uuid) -> Result<Option<(Entry, Kept)>, VaultError> {
    let mut entries = vault.list(DEVICE, ledger, Some(member))?.into_iter().map(|entry| (kept(&entry), entry));
    Ok(entries.find(|(kept, _)| kept.id == device).map(|(kept, entry)| (entry, kept)))
}

/// Takes out of the vault what the ledger has ended already.
pub async fn tidy(app: &App, command: &str, ledger: Uuid, device: Uuid, call: &Call) -> Result<(), Problem> {
    if ![ForgetDevice::NAME, DisownLogin::NAME].contains(&command) {
        return Ok(());
    }
    let Some(member) = principal::load::<Device>(app, ledger, device).await?.member_id else { return Ok(()) };
    if command == DisownLogin::NAME {
        password::tidy(app, ledger, member, call).await?;
    }
    if let Some((entry, _)) = find(&app.vault, ledger, member, device)? {
        app.vault.delete(DEVICE, &entry.lookup)?;
    }
    Ok(())
}
