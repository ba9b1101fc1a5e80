//! Webhooks: where programs elsewhere are told of records. A message holds a record's place and nothing personal; what
//! became of each is kept beside the ledger, and only what somebody must know is an event: a message that was given up, an
//! endpoint that was switched off.
//!
//! What makes a create unique: nothing but its id. The boundary `webhooks/<tenant>` counts them: every record is sent to each,
//! so there is a limit.

mod commands;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::commands::*;
use crate::command::{Aggregate, On, Rejection};
use crate::{codes, events};

/// Most endpoints of a company.
pub const WEBHOOKS_MAX: usize = 20;
/// Most records that one order sends again.
pub const REPLAY_MAX: u64 = 1_000;
/// How long the secret before the present one signs beside it, microseconds.
pub const OVERLAP_US: i64 = 24 * 3_600 * 1_000_000;

events! {
    /// What happens to an endpoint.
    WebhookEvent {
        Registered = "webhook.registered" v 1;
        Changed = "webhook.changed" v 1;
        SecretIssued = "webhook.secret_issued" v 1;
        Enabled = "webhook.enabled" v 1;
        Disabled = "webhook.disabled" v 1;
        Pinged = "webhook.pinged" v 1;
        ReplayOrdered = "webhook.replay_ordered" v 1;
        DeliveryFailed = "webhook.delivery_failed" v 1;
        Removed = "webhook.removed" v 1;
    }
}

codes! {
    /// What is sent.
    #[derive(Default)]
    WebhookKind {
        /// A signed message by Standard Webhooks.
        #[default]
        Standard = 1 "standard",
        /// A sentence to a channel of Slack.
        Slack = 2 "slack",
    }
}

codes! {
    /// Language of sentences.
    #[derive(Default)]
    WebhookLanguage {
        /// Japanese.
        #[default]
        Ja = 1 "ja",
        /// English.
        En = 2 "en",
    }
}

codes! {
    /// Why an endpoint gets nothing.
    WebhookOff {
        /// Somebody switched it off.
        ByHand = 1 "by_hand",
        /// It answered 410: it is gone for good.
        Gone = 2 "gone",
        /// It took nothing for days.
        Failing = 3 "failing",
    }
}

/// An endpoint was made known; it is on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// What is sent.
    pub kind: WebhookKind,
    /// See [`About`].
    pub about: About,
}

/// It is reached elsewhere, or told of other things.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// See [`About`].
    pub about: About,
}

/// Where and of what an endpoint is told.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct About {
    /// What people call it; may be empty.
    pub description: String,
    /// Where messages go. Of an address that is a secret only its host.
    pub url: String,
    /// By which the vault finds an address that is a secret.
    pub kept_url: Option<Uuid>,
    /// Kinds of events, sorted, each once: `*`, `document.*`, `document.issued`.
    pub events: Vec<String>,
    /// Of sentences.
    pub language: WebhookLanguage,
    /// Sentences may name visitors.
    pub names_visitors: bool,
}

/// What its messages are signed with from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecretIssued {
    /// The new pair.
    pub keys: SigningKeys,
    /// The pair before, which signs beside it for a while.
    pub prior: Option<SigningKeys>,
    /// Until when, microseconds UTC; 0 where there is none.
    pub prior_until_us: i64,
}

/// A secret and an Ed25519 key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SigningKeys {
    /// By which the vault finds both.
    pub id: Uuid,
    /// Ed25519 public key (RFC 8032).
    #[serde(with = "crate::event::hex32")]
    pub public_key: [u8; 32],
}

/// It is told of what happens from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Enabled {}

/// It is told nothing any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Disabled {
    /// Why.
    pub why: WebhookOff,
    /// HTTP status of its last answer; 0 where there was none, or somebody switched it off.
    pub status: u16,
    /// Owners of the company who get a mail about it, sorted.
    pub mail_to: Vec<Uuid>,
}

/// Somebody wants to see whether a message arrives: this one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pinged {}

/// Records are to be sent once more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplayOrdered {
    /// Position of the first.
    pub first: u64,
    /// Position of the last; records that are not there yet are not meant.
    pub last: u64,
}

/// A message was given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeliveryFailed {
    /// Position of the record that it is about.
    pub of_position: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// HTTP status of the last answer; 0 where there was none.
    pub status: u16,
}

/// It is gone, with its secrets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removed {}

/// State of an endpoint.
#[derive(Debug, Default)]
pub struct Webhook {
    /// What is sent.
    pub kind: WebhookKind,
    /// Where and of what it is told.
    pub about: About,
    /// What its messages are signed with; Slack's are not.
    pub keys: Option<SigningKeys>,
    /// Why it is told nothing; `None` = it is on.
    pub off: Option<WebhookOff>,
    /// It is gone.
    pub removed: bool,
}

impl Aggregate for Webhook {
    type Event = WebhookEvent;
    const STREAM: &'static str = "webhook";
    fn apply(&mut self, event: WebhookEvent) {
        match event {
            WebhookEvent::Registered(e) => (self.kind, self.about) = (e.kind, e.about),
            WebhookEvent::Changed(e) => self.about = e.about,
            WebhookEvent::SecretIssued(e) => self.keys = Some(e.keys),
            WebhookEvent::Enabled(_) => self.off = None,
            WebhookEvent::Disabled(e) => self.off = Some(e.why),
            WebhookEvent::Removed(_) => self.removed = true,
            WebhookEvent::Pinged(_) | WebhookEvent::ReplayOrdered(_) | WebhookEvent::DeliveryFailed(_) => {}
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<WebhookEvent> {
        tests::samples()
    }
}

impl On<Webhook> {
    fn must_live(&self) -> Result<(), Rejection> {
        match (self.exists(), self.removed) {
            (false, _) => Err(Rejection::new("webhook.unknown")),
            (_, true) => Err(Rejection::new("webhook.gone")),
            _ => Ok(()),
        }
    }

    fn must_be_on(&self) -> Result<(), Rejection> {
        self.must_live()?;
        if self.off.is_some() { Err(Rejection::new("webhook.off")) } else { Ok(()) }
    }
}

/// Does an endpoint that wants these kinds hear of this one?
pub fn wants(events: &[String], kind: &str) -> bool {
    events.iter().any(|wanted| match wanted.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => wanted == kind,
    })
}

events! {
    /// How many endpoints a company has.
    WebhooksEvent {
        Added = "webhooks.added" v 1;
        Dropped = "webhooks.dropped" v 1;
    }
}

/// One more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Added {
    /// Which.
    pub webhook: Uuid,
}

/// One fewer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dropped {
    /// Which.
    pub webhook: Uuid,
}

/// The boundary `webhooks/<tenant>`.
#[derive(Debug, Default)]
pub struct Webhooks {
    all: Vec<Uuid>,
}

impl Aggregate for Webhooks {
    type Event = WebhooksEvent;
    const STREAM: &'static str = "webhooks";
    fn apply(&mut self, event: WebhooksEvent) {
        match event {
            WebhooksEvent::Added(e) => self.all.push(e.webhook),
            WebhooksEvent::Dropped(e) => self.all.retain(|webhook| *webhook != e.webhook),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<WebhooksEvent> {
        tests::boundary_samples()
    }
}
