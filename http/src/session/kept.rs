//! What the vault keeps of a session.

use keiin_domain::security::Security;
use keiin_eventlog::vault::Entry;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::IDLE_US;
use crate::app::App;
use crate::problem::Problem;

/// How exactly the last request is remembered.
const TOUCH_US: i64 = 60 * 1_000_000;

/// What the vault keeps of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Also its stream in the ledger.
    pub id: Uuid,
    /// Of its last request, microseconds UTC.
    pub seen_us: i64,
    /// When its member last showed that it is them, microseconds UTC.
    pub confirmed_us: i64,
    /// Did a second factor come with it?
    pub second_factor: bool,
    /// Only codes by SMS did.
    #[serde(default)]
    pub sms_only: bool,
    /// The owner's way in when the company's list of networks has become wrong.
    pub from_anywhere: bool,
    /// See [`keiin_domain::member::Member::passwords`]: it belongs to the password that its member had then.
    pub passwords: u32,
}

impl Session {
    /// Reads an entry.
    pub fn of(entry: &Entry) -> Option<Session> {
        serde_json::from_slice(&entry.value).ok()
    }

    /// Neither idle for too long nor too old. A clock that stepped back revives nothing: what has ended was removed.
    pub fn is_live(&self, entry: &Entry, now_us: i64) -> bool {
        now_us < self.seen_us + IDLE_US && entry.expires_us.is_some_and(|at| now_us < at)
    }

    /// Did a second factor come with it that the company still takes for one?
    pub fn has_factor(&self, security: &Security) -> bool {
        self.second_factor && (security.sms || !self.sms_only)
    }

    /// Remembers that it was used.
    pub fn touch(&self, app: &App, entry: &Entry) -> Result<(), Problem> {
        let now_us = crate::clock::now_us();
        if now_us < self.seen_us + TOUCH_US {
            return Ok(());
        }
        let session = Session { seen_us: now_us, ..self.clone() };
        let value = serde_json::to_vec(&session).map_err(Problem::failed)?;
        Ok(app.vault.put(&[Entry { value, ..entry.clone() }])?)
    }
}
