//! Sealing: who can read a body. Layout: `docs/LOG-FORMAT.md`, section 4.
//!
//! Every sealing uses a key of its own, derived from a fresh random salt, so a nonce of zeros is safe and a retry or a
//! restored backup cannot use a key twice. A box commits to its key: handing out the secret of one record opens that
//! record and nothing else, and it cannot open it to two different texts.
//!
//! Architecture invariant: everything here is pure. Salts, nonces and keys are arguments; `fresh_salt`, `fresh_nonce`
//! and `fresh_key` are the only functions that ask the system, and only a writer has them.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::record::{Hash, Leaf, MAX_BODY};

#[cfg(test)]
mod tests;

/// Random bytes that make each sealing's key its own.
pub type Salt = [u8; 16];
/// Random bytes for wrapping a key.
pub type WrapNonce = [u8; 12];

/// Bytes that a box adds to its plaintext: salt, commitment, tag.
pub const OVERHEAD: usize = 16 + 32 + 16;
/// Longest plaintext of a body, so that its box fits into [`MAX_BODY`].
pub const MAX_PLAINTEXT: usize = MAX_BODY - OVERHEAD;
/// Longest plaintext of one chunk of a blob.
pub const MAX_CHUNK: usize = 1 << 20;
/// Bytes of a wrapped key: nonce, key, tag.
pub const WRAPPED: usize = 12 + 32 + 16;

/// 32 secret bytes: wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    /// The secret bytes, for a key file or a disclosure. Everything else passes the key itself.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// Why something was not sealed or opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The plaintext does not fit.
    #[error("the text is too long to be sealed")]
    TooLong,
    /// Shorter than any box, or longer than allowed.
    #[error("the sealed bytes are cut off or too long")]
    Length,
    /// The record is in the clear.
    #[error("the record is not sealed")]
    NotSealed,
    /// The box was sealed under another key, or changed.
    #[error("the key does not belong to these sealed bytes")]
    WrongKey,
    /// The key fits, the bytes or their surroundings were changed.
    #[error("the sealed bytes or what they belong to were changed")]
    Changed,
}

/// `L(s)` of the format: a length byte, then the text.
fn name(text: &str) -> Vec<u8> {
    let len = u8::try_from(text.len()).expect("labels, kinds and namespaces are constants below 256 bytes");
    [&[len], text.as_bytes()].concat()
}

/// HKDF-Expand-SHA256 with `key` as the pseudo-random key (RFC 5869, section 2.3).
pub fn kdf(key: &Key, label: &str, context: &[&[u8]]) -> Key {
    expand(&pseudo_random(key), label, context)
}

/// The key as HKDF takes it, for more than one key that is derived from it.
fn pseudo_random(key: &Key) -> Hkdf<Sha256> {
    Hkdf::from_prk(&key.0).expect("32 bytes are a whole pseudo-random key")
}

fn expand(key: &Hkdf<Sha256>, label: &str, context: &[&[u8]]) -> Key {
    let len = [u8::try_from(label.len()).expect("labels are constants below 256 bytes")];
    // `L(label)`, then at most four fields.
    let mut info = [&len[..], label.as_bytes(), &[], &[], &[], &[]];
    info[2..2 + context.len()].copy_from_slice(context);
    let mut out = [0; 32];
    key.expand_multi_info(&info, &mut out).expect("32 bytes are one block");
    Key(out)
}

// ---- Boxes: one secret, one box

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new((&key.0).into())
}

pub(crate) fn close_box(secret: &Key, salt: &Salt, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let payload = Payload { msg: plaintext, aad };
    let secret = pseudo_random(secret);
    let text = cipher(&expand(&secret, "keiin/v1/key", &[])).encrypt(&Nonce::from([0; 12]), payload);
    let text = text.expect("AES-GCM takes any text below 64 GiB");
    [&salt[..], expand(&secret, "keiin/v1/commitment", &[]).expose(), &text].concat()
}

pub(crate) fn open_box(secret: &Key, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    if sealed.len() < OVERHEAD {
        return Err(SealError::Length);
    }
    // The commitment comes first: a ciphertext alone could be made to open under two keys.
    let secret = pseudo_random(secret);
    let commitment = expand(&secret, "keiin/v1/commitment", &[]);
    if !bool::from(commitment.expose()[..].ct_eq(&sealed[16..48])) {
        return Err(SealError::WrongKey);
    }
    let payload = Payload { msg: &sealed[48..], aad };
    let open = cipher(&expand(&secret, "keiin/v1/key", &[])).decrypt(&Nonce::from([0; 12]), payload);
    open.map_err(|_| SealError::Changed)
}

/// The salt at the head of a box.
pub fn salt_of(sealed: &[u8]) -> Result<Salt, SealError> {
    if sealed.len() < OVERHEAD {
        return Err(SealError::Length);
    }
    Ok(sealed[..16].try_into().expect("16 bytes"))
}

// ---- Bodies

/// What a body belongs to. It is authenticated with the body, so a body cannot be moved to another ledger or kind.
#[derive(Clone, Copy, Debug)]
pub struct BodyPlace<'a> {
    /// The tenant.
    pub ledger: Uuid,
    /// Version of the event's layout.
    pub event_version: u16,
    /// `noun.verb_past`.
    pub event_kind: &'a str,
}

impl<'a> BodyPlace<'a> {
    /// The place that a leaf names.
    pub fn of(leaf: &'a Leaf) -> BodyPlace<'a> {
        BodyPlace { ledger: leaf.ledger, event_version: leaf.event_version, event_kind: &leaf.event_kind }
    }

    fn aad(&self) -> Vec<u8> {
        let version = self.event_version.to_be_bytes();
        [&name("keiin/v1/body-aad")[..], self.ledger.as_bytes(), &version, &name(self.event_kind)].concat()
    }
}

/// Seals and opens the bodies of one ledger and epoch: derived once from the epoch's data key, used for every record.
#[derive(Clone, Debug)]
pub struct BodyKey {
    root: Key,
    epoch: u32,
}

impl BodyKey {
    /// `data_key` is the ledger's key of this epoch.
    pub fn new(data_key: &Key, ledger: Uuid, epoch: u32) -> BodyKey {
        BodyKey { root: kdf(data_key, "keiin/v1/body", &[ledger.as_bytes(), &epoch.to_be_bytes()]), epoch }
    }

    /// What leaves name that it seals.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The secret of one record: opens its body and no other.
    pub fn record_secret(&self, salt: &Salt) -> Key {
        kdf(&self.root, "keiin/v1/record", &[salt])
    }
}

/// Seals a body. `salt` must be fresh at every sealing, also of the same event.
pub fn seal_body(key: &BodyKey, place: BodyPlace, salt: &Salt, text: &[u8]) -> Result<Vec<u8>, SealError> {
    if text.len() > MAX_PLAINTEXT {
        return Err(SealError::TooLong);
    }
    Ok(close_box(&key.record_secret(salt), salt, &place.aad(), text))
}

/// The record secret of a stored record, for disclosing it. Errors when the key is not the one that sealed the body.
pub fn disclose(key: &BodyKey, leaf: &Leaf, body: &[u8]) -> Result<Key, SealError> {
    if leaf.sealed_epoch.is_none() {
        return Err(SealError::NotSealed);
    }
    let secret = key.record_secret(&salt_of(body)?);
    open_disclosed(&secret, leaf, body)?;
    Ok(secret)
}

/// Opens a stored body with the key of its ledger and its leaf's epoch.
pub fn open_body(key: &BodyKey, leaf: &Leaf, body: &[u8]) -> Result<Vec<u8>, SealError> {
    if leaf.sealed_epoch.is_none() {
        return Err(SealError::NotSealed);
    }
    open_disclosed(&key.record_secret(&salt_of(body)?), leaf, body)
}

/// Opens a stored body with its disclosed record secret.
pub fn open_disclosed(secret: &Key, leaf: &Leaf, body: &[u8]) -> Result<Vec<u8>, SealError> {
    open_box(secret, &BodyPlace::of(leaf).aad(), body)
}

// ---- Personal fields

/// Whose field it is, and under which of their keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubjectKeyId {
    /// The tenant.
    pub ledger: Uuid,
    /// The person.
    pub subject: Uuid,
    /// Version of the person's key.
    pub version: u16,
}

impl SubjectKeyId {
    fn secret(&self, subject_key: &Key, salt: &Salt) -> Key {
        let version = self.version.to_be_bytes();
        kdf(subject_key, "keiin/v1/value", &[self.ledger.as_bytes(), self.subject.as_bytes(), &version, salt])
    }

    fn aad(&self) -> Vec<u8> {
        [&name("keiin/v1/value-aad")[..], self.ledger.as_bytes(), self.subject.as_bytes()].concat()
    }
}

/// Seals personal fields of one subject. The box goes into an event's body.
pub fn seal_value(subject_key: &Key, id: SubjectKeyId, salt: &Salt, text: &[u8]) -> Result<Vec<u8>, SealError> {
    if text.len() > MAX_PLAINTEXT {
        return Err(SealError::TooLong);
    }
    Ok(close_box(&id.secret(subject_key, salt), salt, &id.aad(), text))
}

/// Opens what [`seal_value`] made.
pub fn open_value(subject_key: &Key, id: SubjectKeyId, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    open_box(&id.secret(subject_key, &salt_of(sealed)?), &id.aad(), sealed)
}

// ---- Wrapped keys

/// Which key is wrapped. Its parent is the deployment's key for a root, the tenant root for the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum KeyType {
    /// A tenant's root key; id nil, version 0 or what the caller counts.
    TenantRoot = 1,
    /// Seals bodies; the version is the epoch.
    Data = 2,
    /// Seals one person's fields; the id is the subject.
    Subject = 3,
}

/// The name of a wrapped key, authenticated with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyName {
    /// What it is for.
    pub key_type: KeyType,
    /// The tenant.
    pub ledger: Uuid,
    /// Subject, or nil.
    pub id: Uuid,
    /// Epoch or version.
    pub version: u32,
}

impl KeyName {
    fn aad(&self) -> Vec<u8> {
        let version = self.version.to_be_bytes();
        let label = name("keiin/v1/wrap-aad");
        [&label[..], &[self.key_type as u8], self.ledger.as_bytes(), self.id.as_bytes(), &version].concat()
    }
}

/// Wraps a key under its parent. `nonce` must be fresh.
pub fn wrap_key(parent: &Key, key_name: KeyName, nonce: &WrapNonce, key: &Key) -> [u8; WRAPPED] {
    let payload = Payload { msg: key.expose(), aad: &key_name.aad() };
    let text = cipher(&kdf(parent, "keiin/v1/wrap", &[])).encrypt(&Nonce::from(*nonce), payload);
    let mut out = [0; WRAPPED];
    out[..12].copy_from_slice(nonce);
    out[12..].copy_from_slice(&text.expect("32 bytes are not too long"));
    out
}

/// Unwraps what [`wrap_key`] made, under the same name only.
pub fn unwrap_key(parent: &Key, key_name: KeyName, wrapped: &[u8]) -> Result<Key, SealError> {
    if wrapped.len() != WRAPPED {
        return Err(SealError::Length);
    }
    let nonce: WrapNonce = wrapped[..12].try_into().expect("12 bytes");
    let payload = Payload { msg: &wrapped[12..], aad: &key_name.aad() };
    let open = cipher(&kdf(parent, "keiin/v1/wrap", &[])).decrypt(&Nonce::from(nonce), payload);
    let mut open = open.map_err(|_| SealError::Changed)?;
    let key = Key(open[..].try_into().map_err(|_| SealError::Length)?);
    open.zeroize();
    Ok(key)
}

// ---- Keyed names: fingerprints and append ids

fn keyed_id(tenant_root: &Key, ledger: Uuid, parts: &[&[u8]]) -> Uuid {
    let key = kdf(tenant_root, "keiin/v1/fingerprint", &[ledger.as_bytes()]);
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    let tag = mac.finalize().into_bytes();
    Uuid::from_bytes(tag[..16].try_into().expect("16 of 32 bytes"))
}

/// The stream id of a unique fact. `fact` must be canonical already (NFKC, trimmed; addresses in lower case);
/// `namespace` is a constant such as `invoice_number`.
pub fn fingerprint(tenant_root: &Key, ledger: Uuid, namespace: &str, fact: &str) -> Uuid {
    keyed_id(tenant_root, ledger, &[&name(namespace), fact.as_bytes()])
}

/// The append id of a command that came with an Idempotency-Key: a retry gets the same one.
pub fn append_id(tenant_root: &Key, ledger: Uuid, principal: Uuid, command: &str, idempotency_key: &str) -> Uuid {
    let retry = Hash::of(idempotency_key.as_bytes());
    keyed_id(tenant_root, ledger, &[&name("append"), principal.as_bytes(), &name(command), &retry.0])
}

// ---- Blobs

fn chunk_aad(chunk: u32, last: bool) -> Vec<u8> {
    [&name("keiin/v1/blob-aad")[..], &chunk.to_be_bytes(), &[u8::from(last)]].concat()
}

/// Seals one chunk of a blob, numbered from 0; exactly the final one is `last`. `salt` must be fresh.
pub fn seal_chunk(blob_key: &Key, chunk: u32, last: bool, salt: &Salt, text: &[u8]) -> Result<Vec<u8>, SealError> {
    if text.len() > MAX_CHUNK {
        return Err(SealError::TooLong);
    }
    Ok(close_box(&kdf(blob_key, "keiin/v1/blob", &[salt]), salt, &chunk_aad(chunk, last), text))
}

/// Opens what [`seal_chunk`] made, at the same place only.
pub fn open_chunk(blob_key: &Key, chunk: u32, last: bool, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    if sealed.len() > MAX_CHUNK + OVERHEAD {
        return Err(SealError::Length);
    }
    let secret = kdf(blob_key, "keiin/v1/blob", &[&salt_of(sealed)?]);
    open_box(&secret, &chunk_aad(chunk, last), sealed)
}

// ---- Randomness, for writers only

#[cfg(feature = "store")]
#[expect(clippy::disallowed_methods, reason = "the one place where salts and keys are made")]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("without the system's randomness nothing can be sealed");
    bytes
}

/// A salt from the operating system.
#[cfg(feature = "store")]
pub fn fresh_salt() -> Salt {
    random()
}

/// A nonce for [`wrap_key`] from the operating system.
#[cfg(feature = "store")]
pub fn fresh_nonce() -> WrapNonce {
    random()
}

/// A key from the operating system.
#[cfg(feature = "store")]
pub fn fresh_key() -> Key {
    Key(random())
}
