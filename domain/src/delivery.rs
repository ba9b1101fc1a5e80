//! Deliveries: documents to one recipient, by a secure link (ML-35, ML-36) or, once they have an account, into their inbox
//! (ML-38). A link's secret is known to the recipient alone; we keep its hash. A passcode, if there is one, reaches the
//! recipient by another way than the mail.
//!
//! What makes a create unique: nothing but its id; a retried request is held by its Idempotency-Key, which is required.
//! Resending keeps the delivery and gives it a new link, which ends the one before.

mod before;
mod commands;
mod file;
mod inbox;
mod send;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::before::{DownloadedV1, InboxDeliveredV1, LinkIssuedV1, LinkIssuedV2, LinkIssuedV3, OpenedV1};
pub use self::commands::*;
pub use self::inbox::*;
pub use self::send::*;
use crate::attachment::Attached;
use crate::command::{Aggregate, On, Rejection};
use crate::date::Date;
use crate::event::hex32;
use crate::member::Member;
use crate::sealed::{Person, Sealed};
use crate::{codes, events};

/// Days that a link works when nothing is said.
pub const EXPIRES_IN_DAYS: u32 = 14;
/// Most days that a link works.
pub const EXPIRES_IN_DAYS_MAX: u32 = 90;
/// Most views that a limit may allow.
pub const VIEW_LIMIT_MAX: u32 = 1_000;
/// Most documents of one delivery.
pub const MAX_DOCUMENTS: usize = 20;
/// Wrong passcodes after which a link is locked until it is sent again.
pub const PASSCODE_TRIES: u32 = 5;

events! {
    /// What happens to a delivery.
    DeliveryEvent {
        LinkIssued = "delivery.link_issued" v 4, was LinkIssuedV3 v 3, was LinkIssuedV2 v 2, was LinkIssuedV1 v 1;
        LinkReissued = "delivery.link_reissued" v 1;
        LinkOpened = "delivery.link_opened" v 1;
        Downloaded = "delivery.downloaded" v 2, was DownloadedV1 v 1;
        LinkExpired = "delivery.link_expired" v 1;
        LinkRevoked = "delivery.link_revoked" v 1;
        OpenRefused = "delivery.open_refused" v 1;
        RecipientRegistered = "delivery.recipient_registered" v 1;
        InboxDelivered = "delivery.inbox_delivered" v 2, was InboxDeliveredV1 v 1;
        Opened = "delivery.opened" v 2, was OpenedV1 v 1;
        Replied = "delivery.replied" v 1;
        Withdrawn = "delivery.withdrawn" v 1;
    }
}

/// The mail with the link is to go out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkIssued {
    /// What, in this order; at least one.
    pub documents: Vec<Enclosed>,
    /// The sender's own files with them.
    pub attachments: Vec<Attached>,
    /// To whom; the note is the message.
    pub recipient: Sealed<Person>,
    /// SHA-256 of the link's secret.
    #[serde(with = "hex32")]
    pub secret_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
    /// How often it may be opened.
    pub view_limit: Option<u32>,
    /// Does it take a passcode, too? Only a slow hash of it is kept, apart from the ledger.
    pub has_passcode: bool,
    /// Which member sent it, also by a token.
    pub sent_by: Option<Uuid>,
}

/// A document of a delivery. Part of events: frozen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Enclosed {
    /// Which.
    pub document_id: Uuid,
    /// Its revision when it was sent; the link shows the newest.
    pub revision: u32,
}

/// The mail goes out again with another link; the one before ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkReissued {
    /// SHA-256 of the new link's secret.
    #[serde(with = "hex32")]
    pub secret_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
}

/// The recipient looked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkOpened {
    /// From 1.
    pub view: u32,
}

/// The recipient took a file: a document's or an attachment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Downloaded {
    /// Which document.
    pub document_id: Option<Uuid>,
    /// Its revision then.
    pub revision: Option<u32>,
    /// Or which attachment.
    pub attachment_id: Option<Uuid>,
    /// Of the file.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
}

/// Time is up. Stored, so that a clock stepping back revives nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkExpired {}

/// Withdrawn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkRevoked {
    /// Why; may be empty.
    pub reason: String,
}

/// Somebody with the link came in vain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenRefused {
    /// Why.
    pub reason: Closed,
}

/// Who holds the link made an account: what was behind it is in their inbox, too, and what is sent to them from now on goes
/// there and by no link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecipientRegistered {
    /// The account.
    pub member_id: Uuid,
}

/// Into the inbox of somebody who has an account; a mail says that there is something, and nothing of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InboxDelivered {
    /// What, in this order; at least one.
    pub documents: Vec<Enclosed>,
    /// The sender's own files with them.
    pub attachments: Vec<Attached>,
    /// To whom; the note is the message.
    pub recipient: Sealed<Person>,
    /// The account.
    pub member_id: Uuid,
    /// Which member sent it, also by a token.
    pub sent_by: Option<Uuid>,
}

/// The recipient looked, logged in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// From 1; openings of a link count as well.
    pub view: u32,
    /// Civil day. One a day: an inbox is come back to.
    pub day: Option<Date>,
}

/// The recipient answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Replied {
    /// The note is what they wrote.
    pub reply: Sealed<Person>,
}

/// Taken out of the inbox again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Why; may be empty.
    pub reason: String,
}

codes! {
    /// Why a link does not open.
    Closed {
        /// Time is up.
        Expired = 1 "expired",
        /// Withdrawn.
        Revoked = 2 "revoked",
        /// Opened as often as allowed.
        ViewLimit = 3 "view_limit",
        /// Who sent it was suspended in an emergency.
        OnHold = 4 "on_hold",
        /// The passcode was another one.
        WrongPasscode = 5 "wrong_passcode",
        /// The passcode was wrong too often.
        Locked = 6 "locked",
        /// It was sent again: there is a newer link.
        Replaced = 7 "replaced",
    }
}

impl Closed {
    fn rejection(self) -> Rejection {
        Rejection::new(match self {
            Closed::Expired => "delivery.expired",
            Closed::Revoked => "delivery.revoked",
            Closed::ViewLimit => "delivery.view_limit",
            Closed::OnHold => "delivery.on_hold",
            Closed::WrongPasscode | Closed::Locked => "delivery.locked",
            Closed::Replaced => "delivery.replaced",
        })
    }
}

/// State of a delivery.
#[derive(Debug, Default)]
pub struct Delivery {
    /// What; empty before anything happened.
    pub documents: Vec<Enclosed>,
    /// The sender's own files with them.
    pub attachments: Vec<Attached>,
    /// To whom.
    pub recipient: Option<Sealed<Person>>,
    /// The account of whom, where they have one.
    pub member: Option<Uuid>,
    /// Came into the inbox; there is no link.
    pub is_in_inbox: bool,
    /// SHA-256 of the newest link's secret.
    pub secret_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
    /// How often each link may be opened.
    pub view_limit: Option<u32>,
    /// How often it was opened, by all its links.
    pub views: u32,
    /// The day on which the recipient last looked, logged in.
    pub looked_on: Option<Date>,
    /// How often by those before the newest.
    pub views_before: u32,
    /// The documents and attachments whose files were taken, each time.
    pub downloads: Vec<Uuid>,
    /// Does it take a passcode, too?
    pub has_passcode: bool,
    /// Wrong passcodes for the newest link.
    pub wrong: u32,
    /// Which member sent it.
    pub sent_by: Option<Uuid>,
    /// Was seen to be over.
    pub expired: bool,
    /// Withdrawn.
    pub revoked: bool,
}

impl Aggregate for Delivery {
    type Event = DeliveryEvent;
    const STREAM: &'static str = "delivery";
    fn apply(&mut self, event: DeliveryEvent) {
        match event {
            DeliveryEvent::LinkIssued(e) => {
                *self = Delivery {
                    documents: e.documents,
                    attachments: e.attachments,
                    recipient: Some(e.recipient),
                    secret_hash: e.secret_hash,
                    expires_at_us: e.expires_at_us,
                    view_limit: e.view_limit,
                    has_passcode: e.has_passcode,
                    sent_by: e.sent_by,
                    ..Delivery::default()
                };
            }
            DeliveryEvent::LinkReissued(e) => {
                (self.secret_hash, self.expires_at_us) = (e.secret_hash, e.expires_at_us);
                (self.views_before, self.wrong, self.expired) = (self.views, 0, false);
            }
            DeliveryEvent::LinkOpened(e) => self.views = e.view,
            DeliveryEvent::Downloaded(e) => self.downloads.extend(e.document_id.or(e.attachment_id)),
            DeliveryEvent::LinkExpired(_) => self.expired = true,
            DeliveryEvent::LinkRevoked(_) => self.revoked = true,
            DeliveryEvent::RecipientRegistered(e) => self.member = Some(e.member_id),
            DeliveryEvent::InboxDelivered(e) => {
                *self = Delivery {
                    documents: e.documents,
                    attachments: e.attachments,
                    recipient: Some(e.recipient),
                    member: Some(e.member_id),
                    is_in_inbox: true,
                    sent_by: e.sent_by,
                    ..Delivery::default()
                };
            }
            DeliveryEvent::Opened(e) => (self.views, self.looked_on) = (e.view, e.day),
            DeliveryEvent::Replied(_) => {}
            DeliveryEvent::Withdrawn(_) => self.revoked = true,
            DeliveryEvent::OpenRefused(e) => self.wrong += u32::from(e.reason == Closed::WrongPasscode),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<DeliveryEvent> {
        tests::samples()
    }
}

impl Delivery {
    /// Why it does not open at this time for who holds this link, `sender` being who sent it; `None` if it does. As long as
    /// somebody else may be acting in the sender's name, nothing that they sent opens (FM-29).
    pub fn closed_to_recipient(&self, sender: &Member, link: Option<[u8; 32]>, now_us: i64) -> Option<Closed> {
        let replaced = link.is_some_and(|hash| hash != self.secret_hash).then_some(Closed::Replaced);
        let closed = self.ended().or(replaced).or_else(|| self.closed(now_us));
        closed.or(sender.emergency.then_some(Closed::OnHold))
    }

    /// Why its link is over at this time; `None` if it is not. The first reason that held stays the answer. What is in an
    /// inbox stays there until it is withdrawn.
    pub fn closed(&self, now_us: i64) -> Option<Closed> {
        self.ended().or(match () {
            () if self.is_in_inbox => None,
            () if now_us >= self.expires_at_us => Some(Closed::Expired),
            () if self.wrong >= PASSCODE_TRIES => Some(Closed::Locked),
            () if self.view_limit.is_some_and(|limit| self.views - self.views_before >= limit) => {
                Some(Closed::ViewLimit)
            }
            () => None,
        })
    }

    fn ended(&self) -> Option<Closed> {
        match () {
            () if self.expired => Some(Closed::Expired),
            () if self.revoked => Some(Closed::Revoked),
            () => None,
        }
    }
}

impl On<Delivery> {
    fn must_exist(&self) -> Result<(), Rejection> {
        if self.exists() { Ok(()) } else { Err(Rejection::new("delivery.unknown")) }
    }
}
