//! `[attachments]`: files that companies send along with documents.

use keiin_domain::attachment::MAX_TOTAL_BYTES;
use serde::{Deserialize, Serialize};

use super::BadConfig;

/// Longest that a scanner may be given, seconds.
const LONGEST_S: u64 = 600;

/// Files that companies send along with documents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attachments {
    /// Bytes of one file.
    pub max_bytes: u32,
    /// A program that looks at each file, with its arguments; it gets the file on its stdin. Exit code 0 = clean, 1 = found
    /// something; whatever else comes of it, the file is not taken. Empty = there is none.
    pub scan_command: Vec<String>,
    /// Seconds that it has for one file. `limits.request_s` must leave room for it.
    pub scan_timeout_s: u64,
}

impl Default for Attachments {
    fn default() -> Self {
        Attachments { max_bytes: 10 << 20, scan_command: vec![], scan_timeout_s: 20 }
    }
}

impl Attachments {
    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), BadConfig> {
        if !(1..=MAX_TOTAL_BYTES).contains(&self.max_bytes) {
            return Err(BadConfig::new(format!("attachments.max_bytes: 1 to {MAX_TOTAL_BYTES} bytes (20 MiB)")));
        }
        if !(1..=LONGEST_S).contains(&self.scan_timeout_s) {
            return Err(BadConfig::new(format!("attachments.scan_timeout_s: 1 to {LONGEST_S} seconds")));
        }
        if self.scan_command.first().is_some_and(|program| program.trim().is_empty()) {
            return Err(BadConfig::new(
                "attachments.scan_command: a list of the program and its arguments, such as [\"clamdscan\", \"-\"]",
            ));
        }
        Ok(())
    }
}
