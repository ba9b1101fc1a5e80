//! Signatures of messages by Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec of 2023-08):
//! `webhook-signature` holds, separated by spaces, `v1,` with HMAC-SHA256 and `v1a,` with Ed25519, both in base64, over
//! `id.timestamp.body`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use keiin_eventlog::sign::{Ed25519Signer, Signer};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::random;

/// Vault entries of an endpoint's keys: 32 bytes of secret, then the 32 of RFC 8032's private key.
pub const KEYS: &str = "whs";

/// What an endpoint's messages are signed with.
pub struct Keys {
    secret: Zeroizing<[u8; 32]>,
    seed: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Fresh ones.
    pub fn new() -> Keys {
        Keys { secret: Zeroizing::new(random::bytes()), seed: Zeroizing::new(random::bytes()) }
    }

    /// As the vault keeps them.
    pub fn of_bytes(bytes: &[u8]) -> Option<Keys> {
        let (secret, seed) = bytes.split_first_chunk::<32>()?;
        Some(Keys { secret: Zeroizing::new(*secret), seed: Zeroizing::new(seed.try_into().ok()?) })
    }

    /// For the vault.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.secret[..], &self.seed[..]].concat()
    }

    /// The secret as its receiver is given it.
    pub fn secret_text(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.secret[..]))
    }

    /// The Ed25519 public key.
    pub fn public(&self) -> [u8; 32] {
        Ed25519Signer::from_seed(&self.seed).public()
    }

    /// Both signatures of a message.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let text = format!("{id}.{timestamp}.{body}");
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret[..]).expect("a key of any length is one");
        mac.update(text.as_bytes());
        let mac = STANDARD.encode(mac.finalize().into_bytes());
        let signature = STANDARD.encode(Ed25519Signer::from_seed(&self.seed).sign(text.as_bytes()));
        format!("v1,{mac} v1a,{signature}")
    }
}

impl Default for Keys {
    fn default() -> Keys {
        Keys::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by Python's `hmac` and `cryptography` over the same text.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let mut bytes = [0; 64];
        bytes.iter_mut().zip(0..).for_each(|(byte, n)| *byte = n);
        let keys = Keys::of_bytes(&bytes).unwrap();
        assert_eq!(keys.secret_text(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        let signed = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        let (mac, signature) = (
            "v1,O4Gjv1HqPqsMrjmczoggs/sWA8gZD0VyHG+fLh4+ktI=",
            "v1a,V8EXERgKyJkqshfo9YHaq0jb2UfIPx862+hfyqxd7Hra3PNUNE5rt1tmiD/Fccfe7flg3r0KbYt+RNUU6ovmBw==",
        );
        assert_eq!(signed, format!("{mac} {signature}"));
        assert_eq!(Keys::of_bytes(&keys.to_bytes()).unwrap().public(), keys.public());
        assert!(Keys::of_bytes(&bytes[..63]).is_none() && Keys::of_bytes(&[0; 65]).is_none());
    }
}
