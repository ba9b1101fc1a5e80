//! `[passwords]`: what checking a password costs.

use serde::{Deserialize, Serialize};

use super::BadConfig;

/// What checking a password costs (Argon2id). Raised settings apply to a password from its next login on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Passwords {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Passwords {
    /// The least that OWASP's password storage cheat sheet names.
    fn default() -> Self {
        Passwords { memory_kib: 19_456, passes: 2 }
    }
}

impl Passwords {
    /// Refuses what is too cheap, or would take all memory.
    pub fn check(&self) -> Result<(), BadConfig> {
        match (19_456..=1 << 20).contains(&self.memory_kib) && (2..=16).contains(&self.passes) {
            true => Ok(()),
            false => Err(BadConfig::new("passwords: memory_kib 19456 (19 MiB) to 1048576, passes 2 to 16")),
        }
    }
}
