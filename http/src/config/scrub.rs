//! `[scrub]`: reading the stored records again.

use serde::{Deserialize, Serialize};

use super::BadConfig;

/// Reading the stored records again, before somebody needs them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scrub {
    /// Seconds from the beginning of one round to that of the next; 0 = never.
    pub every_s: u64,
    /// How much of one core a round may take, in percent.
    pub share_percent: u32,
}

impl Default for Scrub {
    fn default() -> Self {
        Scrub { every_s: 12 * 3_600, share_percent: 5 }
    }
}

impl Scrub {
    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), BadConfig> {
        match self.share_percent {
            1..=100 => Ok(()),
            _ => Err(BadConfig::new("scrub.share_percent: 1 to 100 percent of one core")),
        }
    }
}
