//! What a decision may mint: ids, keys, secrets, password hashes. All of it lives in memory until [`Minted::store`] makes
//! it durable, right before the append. What a failed append leaves behind is a key that seals nothing.

use std::collections::HashMap;

use keiin_domain::context::{Unavailable, World};
use keiin_domain::terms::Text;
use keiin_domain::webhook::{SigningKeys, WebhookKind};
use keiin_domain::{access_token, authorization};
use keiin_eventlog::seal::{self, Key, SubjectKeyId};
use keiin_eventlog::vault::{Entry, NewSubjectKey, Vault, VaultError};
use uuid::Uuid;

use crate::app::App;
use crate::config::Passwords;
use crate::legal::Legal;
use crate::oauth::held;
use crate::outbound::Outbound;
use crate::password::{self, PASSWORD};
use crate::signup::CODE;
use crate::webhook::sign::{KEYS, Keys};
use crate::{factor, random, room};

/// Entry kind of passcodes, found by the passcode's fingerprint; all other secrets are found by their hash.
pub const PASSCODE: &str = "passcode";

/// How long the vault keeps a secret's entry, where it does not keep it for good. A code or refresh token that comes again
/// must be known for as long as what was made from it may live.
fn lifetime_us(kind: &str) -> Option<i64> {
    match kind {
        // Who came is told and answered within the day.
        "ans" => Some(2 * 86_400 * 1_000_000),
        held::ACCESS => Some(access_token::LIFE_US),
        held::REFRESH | held::CODE => Some(authorization::AUTHORIZATION_US),
        _ => None,
    }
}

/// One command's world.
pub struct Minted<'a> {
    vault: &'a Vault,
    legal: &'a Legal,
    outbound: &'a Outbound,
    passwords: Passwords,
    ledger: Uuid,
    now_us: i64,
    subject_keys: HashMap<Uuid, Key>,
    new_keys: Vec<NewSubjectKey>,
    entries: Vec<Entry>,
    /// Kind and lookup of the secrets that are stored.
    stored: Vec<(&'static str, Vec<u8>)>,
    /// The secrets of this command, for its answer: kind and text.
    pub secrets: Vec<(&'static str, String)>,
    /// Nothing is kept of what is minted, not even a number that nobody else may get meanwhile.
    rehearses: bool,
    /// `World` cannot fail, so the first failure waits here.
    failed: Option<VaultError>,
}

impl<'a> Minted<'a> {
    /// An empty one.
    pub fn new(app: &'a App, ledger: Uuid, now_us: i64) -> Minted<'a> {
        let (vault, legal, outbound) = (&*app.vault, &app.legal, &*app.outbound);
        let passwords = app.config.passwords;
        let (subject_keys, new_keys, entries, stored, secrets) = Default::default();
        Minted {
            vault,
            legal,
            outbound,
            passwords,
            ledger,
            now_us,
            subject_keys,
            new_keys,
            entries,
            stored,
            secrets,
            rehearses: false,
            failed: None,
        }
    }

    /// One for a decision that comes to nothing.
    pub fn rehearsing(app: &'a App, ledger: Uuid, now_us: i64) -> Minted<'a> {
        Minted { rehearses: true, ..Minted::new(app, ledger, now_us) }
    }

    /// Makes everything durable that the events will rely on.
    pub fn store(&mut self) -> Result<(), VaultError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.vault.put_subjects(self.ledger, &self.new_keys)?;
        self.vault.put(&self.entries)?;
        if !(self.new_keys.is_empty() && self.entries.is_empty()) {
            room::Store::Beside.fitted();
        }
        self.new_keys.clear();
        self.entries.clear();
        Ok(())
    }

    /// Takes the secrets out again, because nothing was written that relies on them: mails lead by the newest secret.
    pub fn take_back(&mut self) -> Result<(), VaultError> {
        self.stored.drain(..).try_for_each(|(kind, hash)| self.vault.delete(kind, &hash).map(|_| ()))
    }

    /// The first failure, if there was one: what was decided on top of it must not be used.
    pub fn check(&mut self) -> Result<(), VaultError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn or_fail<T>(&mut self, answer: Result<T, VaultError>, instead: T) -> T {
        answer.unwrap_or_else(|error| {
            self.failed.get_or_insert(error);
            instead
        })
    }

    fn entry(&self, kind: &str, lookup: Vec<u8>, owner: Uuid, value: Vec<u8>) -> Entry {
        let (ledger, created_us) = (self.ledger, self.now_us);
        Entry { kind: kind.into(), lookup, ledger, owner, value, created_us, expires_us: None }
    }

    /// The current key of a person, minted if there is none.
    fn subject_key(&mut self, subject: Uuid) -> (u16, Key) {
        let known = self.vault.newest_subject_key(self.ledger, subject);
        if let Some(known) = self.or_fail(known, None) {
            return known;
        }
        let key = self.subject_keys.entry(subject).or_insert_with(|| {
            let key = seal::fresh_key();
            self.new_keys.push(NewSubjectKey { subject, version: 1, key: key.clone() });
            key
        });
        (1, key.clone())
    }
}

impl World for Minted<'_> {
    fn fresh_id(&mut self) -> Uuid {
        random::id_at(self.now_us)
    }

    fn seal(&mut self, subject: Uuid, plain: &[u8]) -> (u16, Vec<u8>) {
        let (version, key) = self.subject_key(subject);
        let id = SubjectKeyId { ledger: self.ledger, subject, version };
        let sealed = seal::seal_value(&key, id, &seal::fresh_salt(), plain);
        (version, sealed.expect("the domain bounds personal fields far below the format's limit"))
    }

    fn subject_for(&mut self, namespace: &'static str, fact: &str) -> Uuid {
        let subject = self.vault.subject_for(self.ledger, namespace, fact);
        self.or_fail(subject, Uuid::nil())
    }

    fn known_subject(&mut self, namespace: &'static str, fact: &str) -> Option<Uuid> {
        let subject = self.vault.find_subject(self.ledger, namespace, fact);
        self.or_fail(subject, None)
    }

    fn try_known_subject(&mut self, namespace: &'static str, fact: &str) -> Result<Option<Uuid>, Unavailable> {
        self.vault.find_subject(self.ledger, namespace, fact).map_err(|error| {
            tracing::warn!(%error, namespace, "the vault cannot say whether it knows somebody");
            Unavailable
        })
    }

    fn fingerprint(&mut self, namespace: &'static str, fact: &str) -> Uuid {
        let id = self.vault.fingerprint(self.ledger, namespace, fact);
        self.or_fail(id, Uuid::nil())
    }

    fn secret(&mut self, kind: &'static str, owner: Uuid) -> [u8; 32] {
        let text = random::secret(kind);
        let hash = random::hash(&text);
        // A link is rendered again when its mail is sent or shown; of what is shown once, the hash is enough.
        let kept = if matches!(kind, "inv" | "lnk" | "pas" | "chk" | "rst" | "nme" | "sec" | "srv" | "ans") {
            text.clone().into_bytes()
        } else {
            vec![]
        };
        let expires_us = lifetime_us(kind).map(|us| self.now_us + us);
        self.entries.push(Entry { expires_us, ..self.entry(kind, hash.to_vec(), owner, kept) });
        self.secrets.push((kind, text));
        self.stored.push((kind, hash.to_vec()));
        hash
    }

    fn passcode(&mut self, owner: Uuid, digits: u32) -> String {
        // A few numbers are taken at any time; the chance of a long search is nil, so it is bounded only for form's sake.
        for _ in 0..1_000 {
            let code = random::digits(digits);
            if self.rehearses {
                return code;
            }
            let Some(lookup) = self.passcode_lookup(&code) else { break };
            let entry = self.entry(PASSCODE, lookup.clone(), owner, code.clone().into_bytes());
            let stored = self.vault.put_new(&entry);
            if self.or_fail(stored, true) {
                self.stored.push((PASSCODE, lookup));
                return code;
            }
        }
        String::new()
    }

    fn mail_code(&mut self, owner: Uuid, digits: u32, until_us: i64) -> String {
        let code = random::digits(digits);
        let entry = self.entry(CODE, owner.as_bytes().to_vec(), owner, code.clone().into_bytes());
        self.entries.push(Entry { expires_us: Some(until_us), ..entry });
        code
    }

    fn texts(&mut self) -> Vec<Text> {
        self.legal.in_force()
    }

    fn owner_of(&mut self, kind: &'static str, secret: &str) -> Option<Uuid> {
        let lookup = if kind == PASSCODE { self.passcode_lookup(secret)? } else { random::hash(secret).to_vec() };
        let found = self.vault.get(kind, &lookup);
        let entry = self.or_fail(found, None)?;
        (entry.ledger == self.ledger).then_some(entry.owner)
    }

    fn hash(&mut self, secret: &str) -> [u8; 32] {
        random::hash(secret)
    }

    fn recovery_code(&mut self, _: Uuid) -> [u8; 32] {
        let text = random::recovery_code();
        self.secrets.push(("rec", text.clone()));
        random::hash(&text.replace('-', ""))
    }

    fn totp_step(&mut self, member: Uuid, new: bool, code: &str, now_us: i64) -> Option<u64> {
        let found = factor::totp(self.vault, member, new, now_us);
        self.or_fail(found, None)?.check(code, u64::try_from(now_us / 1_000_000).ok()?)
    }

    fn keep_totp(&mut self, member: Uuid) {
        let found = self.vault.get(factor::TOTP_NEW, member.as_bytes());
        if let Some(entry) = self.or_fail(found, None) {
            self.entries.push(Entry { kind: factor::TOTP.into(), expires_us: None, ..entry });
        }
    }

    fn set_password(&mut self, credential: Uuid, member: Uuid, password: &str) {
        let hash = password::hash(self.passwords, password);
        self.entries.push(self.entry(PASSWORD, credential.as_bytes().to_vec(), member, hash.into_bytes()));
    }

    fn is_password(&mut self, credential: Uuid, password: &str) -> bool {
        let found = self.vault.get(PASSWORD, credential.as_bytes());
        let entry = self.or_fail(found, None).filter(|entry| entry.ledger == self.ledger);
        entry
            .and_then(|entry| String::from_utf8(entry.value).ok())
            .is_some_and(|hash| password::matches(&hash, password))
    }

    fn signing_keys(&mut self, webhook: Uuid) -> SigningKeys {
        let (id, keys) = (random::id_at(self.now_us), Keys::new());
        self.entries.push(self.entry(KEYS, id.as_bytes().to_vec(), webhook, keys.to_bytes()));
        self.stored.push((KEYS, id.as_bytes().to_vec()));
        self.secrets.push((KEYS, keys.secret_text()));
        SigningKeys { id, public_key: keys.public() }
    }

    fn keep(&mut self, kind: &'static str, owner: Uuid, text: &str) -> Uuid {
        let id = random::id_at(self.now_us);
        self.entries.push(self.entry(kind, id.as_bytes().to_vec(), owner, text.as_bytes().to_vec()));
        self.stored.push((kind, id.as_bytes().to_vec()));
        id
    }

    fn may_send_to(&mut self, kind: WebhookKind, url: &str) -> bool {
        match kind {
            WebhookKind::Standard => self.outbound.permits(url),
            WebhookKind::Slack => self.outbound.is_slack(url) && self.outbound.permits(url),
        }
    }

    fn pages(&mut self, sha256: &[u8; 32]) -> Option<u32> {
        let found = self.vault.get(crate::paper::FILE, sha256);
        let entry = self.or_fail(found, None).filter(|entry| entry.ledger == self.ledger)?;
        keiin_formats::pdf::pages(entry.value)
    }

    fn open(&mut self, subject: Uuid, key_version: u16, sealed: &[u8]) -> Option<Vec<u8>> {
        let id = SubjectKeyId { ledger: self.ledger, subject, version: key_version };
        let key = self.vault.subject_key(id.ledger, subject, key_version);
        let key = self.or_fail(key, None)?;
        seal::open_value(&key, id, sealed).ok()
    }

    fn is_erased(&mut self, subject: Uuid) -> bool {
        let erased = self.vault.is_erased(self.ledger, subject);
        self.or_fail(erased, false)
    }
}

impl Minted<'_> {
    fn passcode_lookup(&mut self, code: &str) -> Option<Vec<u8>> {
        let id = self.vault.fingerprint(self.ledger, PASSCODE, code);
        let id = self.or_fail(id, Uuid::nil());
        (!id.is_nil()).then(|| id.as_bytes().to_vec())
    }
}
