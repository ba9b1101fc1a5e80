//! Passkeys (WebAuthn): a person proves with a key of their device that it is them, and who they are. Works for whoever has
//! an id in a ledger: members of a company, operators in the root ledger.
//!
//! Invariants:
//! * A challenge is good once and for five minutes; it waits in the vault between the two requests of a ceremony.
//! * User verification is required, so that a passkey alone is two factors.
//! * The vault's entry says which key it is; whether it still counts, and how often it has signed, the ledger says.

use keiin_domain::command::On;
use keiin_domain::factor::Factor;
use keiin_domain::factor::passkey::{AddPasskey, NAME_MAX, UsePasskey};
use keiin_domain::session::LoginRefusal;
use keiin_domain::text;
use keiin_eventlog::vault::Entry;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::app::{App, ROOT};
use crate::execute::{Call, Done, execute};
use crate::principal::{self, Allowed, Principal};
use crate::problem::Problem;
use crate::random;
use crate::session::{self, TenantMember};

/// Entry kind of public keys; found by the SHA-256 of the credential's id.
pub const PASSKEY: &str = "passkey";
/// Entry kind of challenges for a passkey that is being made.
const MAKING: &str = "passkey_making";
/// Entry kind of challenges for a passkey that is being used.
const PROVING: &str = "passkey_proving";
/// How long a challenge waits.
const WAITS_US: i64 = 5 * 60 * 1_000_000;

/// What the vault keeps of a passkey.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Its name in the ledger.
    id: Uuid,
    key: Passkey,
}

/// Who showed by a passkey that it is them.
#[derive(Clone, Copy, Debug)]
pub struct Proven {
    /// Of a company, or the root ledger.
    pub ledger: Uuid,
    /// A member, or whoever else has one.
    pub subject: Uuid,
    /// Its name in the ledger.
    pub passkey: Uuid,
}

/// Who we are to authenticators. Browsers take a name only: on a bare address that is `localhost`, where passkeys can be
/// tried out.
fn authority(app: &App) -> Result<Webauthn, Problem> {
    let mut url = Url::parse(&app.public_url()).map_err(Problem::failed)?;
    if url.domain().is_none() {
        url.set_host(Some("localhost")).map_err(Problem::failed)?;
    }
    let name = url.domain().unwrap_or("localhost").to_owned();
    let builder = WebauthnBuilder::new(&name, &url).map_err(Problem::failed)?.rp_name("Keiin");
    builder.build().map_err(Problem::failed)
}

/// The first half of making one: what the browser asks its authenticator, and what stands for the ceremony. `names` are shown
/// by the authenticator when it is used: account and person.
pub fn begin_making(
    app: &App,
    ledger: Uuid,
    subject: Uuid,
    names: (&str, &str),
    call: &Call,
) -> Result<Value, Problem> {
    let mine = app.vault.list(PASSKEY, ledger, Some(subject))?;
    let mine = mine.iter().filter_map(|entry| serde_json::from_slice::<Kept>(&entry.value).ok());
    let known: Vec<CredentialID> = mine.map(|kept| kept.key.cred_id().clone()).collect();
    let begun = authority(app)?.start_passkey_registration(subject, names.0, names.1, Some(known));
    let (options, state) = begun.map_err(Problem::failed)?;
    let mut options = json!(options);
    // So that it can log in by itself, without an address being asked for first.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("required");
    options["publicKey"]["authenticatorSelection"]["requireResidentKey"] = json!(true);
    wait(app, MAKING, (ledger, subject), &state, options, call)
}

/// The second half: checks what the authenticator made, and adds it under a name of its owner's choice.
pub async fn finish_making(
    app: &App,
    allowed: &Allowed<AddPasskey>,
    subject: Uuid,
    made: NewPasskey,
    call: &Call,
) -> Result<Done, Problem> {
    let ledger = allowed.principal().ledger;
    let bad = || Problem::at("access.bad_passkey", "/credential");
    // What can be read at once is, before the challenge is used up.
    text::line(&made.name, "/name", NAME_MAX)?;
    let credential: RegisterPublicKeyCredential = serde_json::from_value(made.credential.into()).map_err(|_| bad())?;
    let (entry, state): (_, PasskeyRegistration) = waited(app, MAKING, &made.ceremony, call)?;
    if (entry.ledger, entry.owner) != (ledger, subject) {
        return Err(Problem::at("access.gone", "/ceremony"));
    }
    let key = authority(app)?.finish_passkey_registration(&credential, &state).map_err(|_| bad())?;
    let kept = Kept { id: random::id_at(call.now_us), key };
    let entry = Entry {
        kind: PASSKEY.into(),
        lookup: lookup(kept.key.cred_id()),
        value: serde_json::to_vec(&kept).map_err(Problem::failed)?,
        created_us: call.now_us,
        expires_us: None,
        ..entry
    };
    if !app.vault.put_new(&entry)? {
        return Err(Problem::at("access.passkey_exists", "/credential"));
    }
    let command = AddPasskey { member_id: subject, passkey_id: kept.id, name: made.name };
    let call = Call { key: None, if_match: None, target: None, ..call.clone() };
    let done = execute(app, allowed, command, &call).await;
    if done.is_err() {
        app.vault.delete(PASSKEY, &entry.lookup)?;
    }
    done
}

/// A passkey that was just made.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// From the first half.
    pub ceremony: String,
    /// What its owner calls it, at most 60 characters.
    pub name: String,
    /// What the browser answered, as JSON (`PublicKeyCredential.toJSON()`).
    #[schema(value_type = Object)]
    pub credential: Map<String, Value>,
}

/// The first half of using one, by whoever it may be.
pub fn begin_proving(app: &App, call: &Call) -> Result<Value, Problem> {
    let (options, state) = authority(app)?.start_discoverable_authentication().map_err(Problem::failed)?;
    let mut options = json!(options);
    // A dialog of its own; not a hint in a field.
    options.as_object_mut().map(|options| options.remove("mediation"));
    wait(app, PROVING, (ROOT, Uuid::nil()), &state, options, call)
}

/// The second half: who it is. What is refused is written down where it is known whose key it was; a count that did not
/// rise is that of a copy.
pub async fn prove(app: &App, ceremony: &str, credential: Map<String, Value>, call: &Call) -> Result<Proven, Problem> {
    let wrong = || Problem::at("access.wrong_passkey", "/credential");
    let shown: PublicKeyCredential = serde_json::from_value(credential.into()).map_err(|_| wrong())?;
    let (_, state): (_, DiscoverableAuthentication) = waited(app, PROVING, ceremony, call)?;
    let Some(entry) = app.vault.get(PASSKEY, &lookup(&shown.raw_id))? else {
        session::refuse(app, None, LoginRefusal::WrongPasskey, call).await?;
        return Err(wrong());
    };
    let Kept { id, mut key } = serde_json::from_slice(&entry.value).map_err(Problem::failed)?;
    let proven = Proven { ledger: entry.ledger, subject: entry.owner, passkey: id };
    let who = TenantMember { ledger: entry.ledger, member: entry.owner, passwords: 0 };
    let authority = authority(app)?;
    let is_theirs = authority.identify_discoverable_authentication(&shown).is_ok_and(|(user, _)| user == entry.owner);
    let factor: On<Factor> = principal::load(app, entry.ledger, entry.owner).await?;
    let checked = tokio::task::block_in_place(|| authority.finish_discoverable_authentication_v2(&shown, state, &key));
    let refusal = match &checked {
        Ok(_) if is_theirs && factor.passkey(id).is_some() => None,
        Err(WebauthnError::CredentialPossibleCompromise) => Some(LoginRefusal::CopiedPasskey),
        _ => Some(LoginRefusal::WrongPasskey),
    };
    if let Some(reason) = refusal {
        session::refuse(app, Some(who), reason, call).await?;
        return Err(wrong());
    }
    let result = checked.map_err(Problem::failed)?;
    let command = UsePasskey { member_id: entry.owner, passkey_id: id, counter: result.counter() };
    let allowed = Principal::system(entry.ledger).allow::<UsePasskey>()?;
    let step = Call { key: None, if_match: None, target: None, ..call.clone() };
    match execute(app, &allowed, command, &step).await {
        Err(problem) if problem.code.starts_with("factor.") => {
            session::refuse(app, Some(who), LoginRefusal::CopiedPasskey, call).await?;
            return Err(wrong());
        }
        other => other?,
    };
    if key.update_credential(&result) == Some(true) {
        let value = serde_json::to_vec(&Kept { id, key }).map_err(Problem::failed)?;
        app.vault.put(&[Entry { value, ..entry }])?;
    }
    Ok(proven)
}

fn lookup(credential: &[u8]) -> Vec<u8> {
    Sha256::digest(credential).to_vec()
}

/// Keeps a challenge until its answer comes.
fn wait(
    app: &App,
    kind: &str,
    (ledger, owner): (Uuid, Uuid),
    state: &impl Serialize,
    options: Value,
    call: &Call,
) -> Result<Value, Problem> {
    let ceremony = random::secret("pky");
    app.vault.put(&[Entry {
        kind: kind.into(),
        lookup: random::hash(&ceremony).to_vec(),
        ledger,
        owner,
        value: serde_json::to_vec(state).map_err(Problem::failed)?,
        created_us: call.now_us,
        expires_us: Some(call.now_us + WAITS_US),
    }])?;
    Ok(json!({ "ceremony": ceremony, "options": options }))
}

/// Takes it out: whatever comes of the answer, there is no second one.
fn waited<T: DeserializeOwned>(app: &App, kind: &str, ceremony: &str, call: &Call) -> Result<(Entry, T), Problem> {
    let gone = || Problem::at("access.gone", "/ceremony");
    if random::kind_of(ceremony) != Some("pky") {
        return Err(gone());
    }
    let entry = app.vault.take(kind, &random::hash(ceremony))?.ok_or_else(gone)?;
    if entry.expires_us.is_none_or(|at| call.now_us >= at) {
        return Err(gone());
    }
    let state = serde_json::from_slice(&entry.value).map_err(Problem::failed)?;
    Ok((entry, state))
}
