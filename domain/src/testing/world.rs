//! A world without chance, for decisions in tests.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::context::{Unavailable, World};
use crate::terms::{Text, TextName};
use crate::webhook::{SigningKeys, WebhookKind};

/// A world without chance.
#[derive(Clone, Default)]
pub struct TestWorld {
    ids: u128,
    facts: BTreeMap<(&'static str, String), Uuid>,
    owners: BTreeMap<(&'static str, String), Uuid>,
    /// Every secret and passcode, oldest first.
    pub secrets: Vec<String>,
    /// Whose app was set up.
    pub kept_totp: Vec<Uuid>,
    /// Passwords by the name of their hash: the member's id, for the one that they joined with.
    pub passwords: BTreeMap<Uuid, String>,
    /// Whose keys were destroyed.
    pub erased: Vec<Uuid>,
    /// The vault does not answer [`World::try_known_subject`].
    pub is_silent: bool,
}

/// The same for the same text.
pub fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    text.bytes().enumerate().for_each(|(i, b)| hash[i % 32] ^= b.rotate_left(i as u32 / 32));
    hash
}

/// Terms and privacy policy of this version; the world's is 2.
pub fn texts(version: &str) -> Vec<Text> {
    let both = [("terms", TextName::Terms), ("privacy", TextName::Privacy)];
    let all = both.into_iter().flat_map(|text| ["ja", "en"].map(|lang| (text, lang)));
    all.map(|((text, name), lang)| Text {
        name,
        version: version.into(),
        lang: lang.into(),
        sha256: hash(&format!("{text} {lang} {version}")),
    })
    .collect()
}

impl TestWorld {
    /// The person behind a fact, as commands will find them.
    pub fn subject_of(&mut self, namespace: &'static str, fact: &str) -> Uuid {
        self.fact(namespace, fact)
    }

    fn keep(&mut self, kind: &'static str, text: String, owner: Uuid) -> String {
        self.owners.insert((kind, text.clone()), owner);
        self.secrets.push(text.clone());
        text
    }

    fn fact(&mut self, namespace: &'static str, fact: &str) -> Uuid {
        let next = Uuid::from_u128(0xfac700 + self.facts.len() as u128);
        *self.facts.entry((namespace, fact.to_owned())).or_insert(next)
    }
}

impl World for TestWorld {
    fn pages(&mut self, sha256: &[u8; 32]) -> Option<u32> {
        // The first byte says it; 0 is a file that is not there.
        (sha256[0] > 0).then_some(u32::from(sha256[0]))
    }
    fn fresh_id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(0xf000 + self.ids)
    }
    fn seal(&mut self, _: Uuid, plain: &[u8]) -> (u16, Vec<u8>) {
        (1, plain.to_vec())
    }
    fn subject_for(&mut self, namespace: &'static str, fact: &str) -> Uuid {
        self.fact(namespace, fact)
    }
    fn known_subject(&mut self, namespace: &'static str, fact: &str) -> Option<Uuid> {
        self.facts.get(&(namespace, fact.to_owned())).copied()
    }
    fn try_known_subject(&mut self, namespace: &'static str, fact: &str) -> Result<Option<Uuid>, Unavailable> {
        if self.is_silent { Err(Unavailable) } else { Ok(self.known_subject(namespace, fact)) }
    }
    fn fingerprint(&mut self, namespace: &'static str, fact: &str) -> Uuid {
        self.fact(namespace, fact)
    }
    fn secret(&mut self, kind: &'static str, owner: Uuid) -> [u8; 32] {
        let text = format!("keiin_{kind}_{}", self.secrets.len() + 1);
        hash(&TestWorld::keep(self, kind, text, owner))
    }
    fn passcode(&mut self, owner: Uuid, digits: u32) -> String {
        let text = format!("{:0width$}", self.secrets.len() + 1, width = digits as usize);
        TestWorld::keep(self, "passcode", text, owner)
    }
    fn mail_code(&mut self, owner: Uuid, digits: u32, _: i64) -> String {
        let text = format!("{:0width$}", self.secrets.len() + 1, width = digits as usize);
        TestWorld::keep(self, "code", text, owner)
    }
    fn texts(&mut self) -> Vec<Text> {
        texts("2")
    }
    fn owner_of(&mut self, kind: &'static str, secret: &str) -> Option<Uuid> {
        self.owners.get(&(kind, secret.to_owned())).copied()
    }
    fn hash(&mut self, secret: &str) -> [u8; 32] {
        hash(secret)
    }
    fn recovery_code(&mut self, member: Uuid) -> [u8; 32] {
        let text = format!("recovery{:08}", self.secrets.len() + 1);
        hash(&TestWorld::keep(self, "rec", text, member))
    }
    fn totp_step(&mut self, _: Uuid, _: bool, code: &str, _: i64) -> Option<u64> {
        code.parse().ok()
    }
    fn keep_totp(&mut self, member: Uuid) {
        self.kept_totp.push(member);
    }
    fn set_password(&mut self, credential: Uuid, _: Uuid, password: &str) {
        self.passwords.insert(credential, password.to_owned());
    }
    fn is_password(&mut self, credential: Uuid, password: &str) -> bool {
        self.passwords.get(&credential).is_some_and(|held| held == password)
    }
    fn signing_keys(&mut self, webhook: Uuid) -> SigningKeys {
        let text = format!("whsec_{}", self.secrets.len() + 1);
        let public_key = hash(&TestWorld::keep(self, "whs", text, webhook));
        SigningKeys { id: self.fresh_id(), public_key }
    }
    fn keep(&mut self, kind: &'static str, owner: Uuid, text: &str) -> Uuid {
        TestWorld::keep(self, kind, text.to_owned(), owner);
        self.fresh_id()
    }
    fn may_send_to(&mut self, _: WebhookKind, url: &str) -> bool {
        !url.contains("//10.")
    }
    fn open(&mut self, subject: Uuid, _: u16, sealed: &[u8]) -> Option<Vec<u8>> {
        (!self.erased.contains(&subject)).then(|| sealed.to_vec())
    }
    fn is_erased(&mut self, subject: Uuid) -> bool {
        self.erased.contains(&subject)
    }
}
