//! The one place where the process asks for randomness.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Bytes from the operating system.
#[expect(clippy::disallowed_methods, reason = "randomness enters here")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("without the system's randomness no secret can be made");
    bytes
}

/// A UUIDv7 at an instant: ids sort by the time they were made.
pub fn id_at(now_us: i64) -> Uuid {
    let millis = u64::try_from(now_us / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes()).into_uuid()
}

/// A secret that shows what it is for: `keiin_<kind>_<43 base64url>`, 256 random bits.
pub fn secret(kind: &str) -> String {
    format!("keiin_{kind}_{}", URL_SAFE_NO_PAD.encode(bytes::<32>()))
}

/// The kind of a well-formed secret.
pub fn kind_of(secret: &str) -> Option<&str> {
    let (kind, rest) = secret.strip_prefix("keiin_")?.split_once('_')?;
    let shaped = rest.len() == 43 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (shaped && kind.len() <= 4 && kind.bytes().all(|b| b.is_ascii_lowercase())).then_some(kind)
}

/// A recovery code: 80 random bits in four groups, in letters and digits that are not mistaken for each other.
pub fn recovery_code() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let mut code = String::new();
    for (i, byte) in bytes::<16>().into_iter().enumerate() {
        if i > 0 && i % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    code
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A decimal number of this many digits, evenly distributed.
pub fn digits(count: u32) -> String {
    let bound = 10u64.pow(count);
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let number = u64::from_be_bytes(bytes());
        if number < fair {
            return format!("{:0width$}", number % bound, width = count as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_recognised_by_their_shape() {
        let secret = secret("lnk");
        assert_eq!(kind_of(&secret), Some("lnk"));
        assert_eq!(kind_of(&secret[..40]), None);
        assert_eq!(kind_of("keiin_../_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), None);
        assert_eq!(digits(8).len(), 8);
    }
}
