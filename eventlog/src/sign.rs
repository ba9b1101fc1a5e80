//! Signatures: what is signed for a commit, who signs, and how a signature is checked. Layout: `docs/LOG-FORMAT.md`, section 3.
//!
//! Ed25519 (RFC 8032). Checking is strict: small-order keys and signatures, and scalars that are not reduced, are
//! refused, so nobody can make a signature that fits two messages.

use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::record::Hash;

/// A raw Ed25519 public key.
pub type PublicKey = [u8; 32];

/// Signs for the deployment: a key in memory, or a device behind a wire.
pub trait Signer: Send + Sync {
    /// The public key that checks this signer's signatures.
    fn public(&self) -> PublicKey;
    /// The Ed25519 signature of `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// The keys at hand: the one in force, and during a rotation the next.
pub trait Signers: Send + Sync {
    /// The signature of `message` under the key with this public half, if it is here.
    fn sign_as(&self, public: &PublicKey, message: &[u8]) -> Option<[u8; 64]>;
}

/// A signer that knows exactly one key.
impl<S: Signer> Signers for S {
    fn sign_as(&self, public: &PublicKey, message: &[u8]) -> Option<[u8; 64]> {
        (self.public() == *public).then(|| self.sign(message))
    }
}

/// Nobody: whoever opens a store with this can write nothing.
pub struct NoSigners;

impl Signers for NoSigners {
    fn sign_as(&self, _: &PublicKey, _: &[u8]) -> Option<[u8; 64]> {
        None
    }
}

/// What a commit signature covers: through the chain, every record up to `last`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commit {
    /// The tenant.
    pub ledger: Uuid,
    /// The generation of the commit's records.
    pub generation: u16,
    /// Position of the commit's first record.
    pub first: u64,
    /// Position of its last record, which carries the signature.
    pub last: u64,
    /// Leaf hash of the last record.
    pub last_hash: Hash,
}

impl Commit {
    /// The 83 bytes that are signed.
    pub fn message(&self) -> Vec<u8> {
        commit_message(self.ledger, self.generation, self.first, self.last, &self.last_hash)
    }

    /// Whether `signature` is this commit's under `public`.
    pub fn is_signed(&self, public: &PublicKey, signature: &[u8; 64]) -> bool {
        verify(public, &self.message(), signature)
    }
}

/// What the offline recovery key signs to put a new signer in the place of a lost one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyReplacement {
    /// The tenant.
    pub ledger: Uuid,
    /// The generation of the `ledger.key_replaced` record.
    pub generation: u16,
    /// Its position.
    pub position: u64,
    /// Leaf hash of the record before it.
    pub prev: Hash,
    /// The signer from this record on.
    pub new_signer: PublicKey,
}

impl KeyReplacement {
    /// The bytes that are signed.
    pub fn message(&self) -> Vec<u8> {
        let mut m = domain("keiin/v1/key-replaced", self.ledger, self.generation);
        m.extend(self.position.to_be_bytes());
        m.extend(self.prev.0);
        m.extend(self.new_signer);
        m
    }
}

/// The 83 bytes that are signed for a commit; the arguments are the fields of [`Commit`].
pub fn commit_message(ledger: Uuid, generation: u16, first: u64, last: u64, last_hash: &Hash) -> Vec<u8> {
    let mut m = domain("keiin/v1/commit", ledger, generation);
    m.extend(first.to_be_bytes());
    m.extend(last.to_be_bytes());
    m.extend(last_hash.0);
    m
}

// A zero byte at the front: no note begins with one, so no bytes are valid both as a note and as this.
fn domain(label: &str, ledger: Uuid, generation: u16) -> Vec<u8> {
    [&[0], label.as_bytes(), &[0], ledger.as_bytes(), &generation.to_be_bytes()].concat()
}

/// Strict check of one signature. Keys that are no points, or of small order, verify nothing.
pub fn verify(public: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    let key = VerifyingKey::from_bytes(public);
    key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

/// Whether a signer may be named by this key: a point of full order.
pub fn is_usable(public: &PublicKey) -> bool {
    VerifyingKey::from_bytes(public).is_ok_and(|key| !key.is_weak())
}

/// A private key in memory. Wiped when dropped, never printed.
pub struct Ed25519Signer(SigningKey);

/// A file that holds no PKCS#8 Ed25519 private key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an Ed25519 private key in PKCS#8 PEM form (as `openssl genpkey -algorithm ed25519` writes it)")]
pub struct BadKeyFile;

impl Ed25519Signer {
    /// The key of RFC 8032 for these 32 secret bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Ed25519Signer {
        Ed25519Signer(SigningKey::from_bytes(seed))
    }

    /// Reads a PKCS#8 PEM text, as this type or `openssl` writes it.
    pub fn from_pem(pem: &str) -> Result<Ed25519Signer, BadKeyFile> {
        SigningKey::from_pkcs8_pem(pem).map(Ed25519Signer).map_err(|_| BadKeyFile)
    }

    /// The PKCS#8 PEM text of the private key, without the public half: version 1, which every OpenSSL reads.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).expect("32 bytes always encode")
    }
}

impl Signer for Ed25519Signer {
    fn public(&self) -> PublicKey {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ed25519Signer({})", hex::encode(self.public()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Ed25519Signer {
        Ed25519Signer::from_seed(&std::array::from_fn(|i| i as u8))
    }

    fn hash(text: &str) -> Hash {
        Hash(hex::decode(text).unwrap().try_into().unwrap())
    }

    fn commit() -> Commit {
        Commit {
            ledger: Uuid::from_u128(0x018f0000_0000_7000_8000_00000000000a),
            generation: 1,
            first: 0,
            last: 1,
            last_hash: hash("398b94667375863e49fffa14f46e9eda336885e7c7d3c971ebb458804d4514e5"),
        }
    }

    /// The vector of the format (`docs/LOG-FORMAT.md`, section 6).
    #[test]
    fn the_vector_signs_alike() {
        let signature = signer().sign(&commit().message());
        assert_eq!(commit().message().len(), 83);
        assert_eq!(
            hex::encode(signature),
            "9470f1e92a2a89b01f29694866036d106f670472f9f3eee6bbfa3cbf3d67be30f42b1fd9cb1db5eb6310fb8f2ad8803b4dd96d09c1627ec26e0fc0f8e74a9b02"
        );
        assert!(commit().is_signed(&signer().public(), &signature));
    }

    #[test]
    fn every_field_is_signed() {
        let signature = signer().sign(&commit().message());
        for other in [
            Commit { ledger: Uuid::nil(), ..commit() },
            Commit { generation: 2, ..commit() },
            Commit { first: 1, ..commit() },
            Commit { last: 2, ..commit() },
            Commit { last_hash: Hash::ZERO, ..commit() },
        ] {
            assert!(!other.is_signed(&signer().public(), &signature), "{other:?}");
        }
    }

    #[test]
    fn a_small_order_key_verifies_nothing() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!is_usable(&neutral));
        assert!(!verify(&neutral, b"anything", &signature));
        assert!(is_usable(&signer().public()));
    }

    #[test]
    fn a_key_file_reads_back() {
        let pem = signer().to_pem();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(Ed25519Signer::from_pem(&pem).unwrap().public(), signer().public());
        assert_eq!(Ed25519Signer::from_pem("hello").unwrap_err(), BadKeyFile);
        assert!(!format!("{:?}", signer()).contains("0001020304"));
    }
}
