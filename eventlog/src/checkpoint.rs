//! Origins and checkpoints: the signed statement of what a ledger contains.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Longest log name, in characters.
pub const MAX_LOG_NAME: usize = 64;

/// The name of a log: `<log name>/<ledger uuid>`, and `/<generation>` from the second generation on.
///
/// The log name is chosen once for a deployment. It looks like a host name, need not resolve, and names no customer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Origin {
    log_name: String,
    ledger: Uuid,
    generation: u16,
}

/// A text that is no origin, or a log name that is not like a host name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "an origin is <log name>/<ledger uuid in lower case>, then /<generation> from 2 on; the log name is like a host name, at most 64 of a-z 0-9 . -"
)]
pub struct BadOrigin;

impl Origin {
    /// The origin of a ledger's generation (from 1).
    pub fn new(log_name: &str, ledger: Uuid, generation: u16) -> Result<Origin, BadOrigin> {
        if !is_log_name(log_name) || generation == 0 {
            return Err(BadOrigin);
        }
        Ok(Origin { log_name: log_name.to_owned(), ledger, generation })
    }

    /// The deployment's log name.
    pub fn log_name(&self) -> &str {
        &self.log_name
    }

    /// The tenant.
    pub fn ledger(&self) -> Uuid {
        self.ledger
    }

    /// From 1.
    pub fn generation(&self) -> u16 {
        self.generation
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.log_name, self.ledger)?;
        if self.generation > 1 { write!(f, "/{}", self.generation) } else { Ok(()) }
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Origin, BadOrigin> {
        let mut parts = text.split('/');
        let log_name = parts.next().ok_or(BadOrigin)?;
        let ledger = parts.next().and_then(|id| id.parse().ok()).ok_or(BadOrigin)?;
        let generation = parts.next().map_or(Ok(1), str::parse).map_err(|_| BadOrigin)?;
        let origin = Origin::new(log_name, ledger, generation)?;
        // Refuses other spellings of the id or the number, and whatever follows.
        if origin.to_string() == text { Ok(origin) } else { Err(BadOrigin) }
    }
}

/// Like a host name: labels of `a-z 0-9 -`, separated by single dots, no hyphen at a label's ends, at most 64 characters.
pub fn is_log_name(name: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    name.len() <= MAX_LOG_NAME && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_read_back_and_have_one_spelling() {
        let id = Uuid::from_u128(0x018f0000_0000_7000_8000_00000000000a);
        for generation in [1, 2, 65_535] {
            let origin = Origin::new("log.example.jp", id, generation).unwrap();
            assert_eq!(origin.to_string().parse(), Ok(origin));
        }
        for bad in [
            "log.example.jp",
            "log.example.jp/018F0000-0000-7000-8000-00000000000a",
            "log.example.jp/018f0000000070008000000000000000",
            "log.example.jp/018f0000-0000-7000-8000-00000000000a/1",
            "log.example.jp/018f0000-0000-7000-8000-00000000000a/02",
            "log.example.jp/018f0000-0000-7000-8000-00000000000a/2/",
            "https://log.example.jp/018f0000-0000-7000-8000-00000000000a",
            "Log/018f0000-0000-7000-8000-00000000000a",
            "-log/018f0000-0000-7000-8000-00000000000a",
            "a..b/018f0000-0000-7000-8000-00000000000a",
            "/018f0000-0000-7000-8000-00000000000a",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(BadOrigin), "{bad}");
        }
        assert!(!is_log_name(&"a".repeat(65)));
    }
}
