//! Postal items: documents that go out on paper, by post (ML-32). An order is queued; at the print station somebody prints it,
//! puts it into its envelope and hands it over; what comes back is queued again under a corrected address.
//!
//! Who handles the post may not be who handles the documents: the role `postal_clerk` sees an item until it is handed over and
//! not longer (ML-33), and each look at its papers, its label or the list of a hand-over is an event (ML-34).
//!
//! Address and message are sealed under a subject of the item's own. What makes a create unique: nothing but its id; a retried
//! request is held by its Idempotency-Key, which is required.

mod access;
mod address;
mod before;
mod commands;
mod order;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::access::*;
pub use self::address::*;
use self::before::{PrintedV1, QueuedV1};
pub use self::commands::*;
pub use self::order::*;
use crate::attachment::Attached;
use crate::command::{Aggregate, On, Rejection};
use crate::date::Date;
use crate::event::hex32;
use crate::money::Money;
use crate::postage::{Envelope, Extra, Service};
use crate::sealed::Sealed;
use crate::{codes, events};

/// Most documents of one item.
pub const MAX_DOCUMENTS: usize = 20;

events! {
    /// What happens to a postal item.
    PostalEvent {
        Queued = "postal_item.queued" v 2, was QueuedV1 v 1;
        Printed = "postal_item.printed" v 2, was PrintedV1 v 1;
        Dispatched = "postal_item.dispatched" v 1;
        Returned = "postal_item.returned" v 1;
        Requeued = "postal_item.requeued" v 1;
        Cancelled = "postal_item.cancelled" v 1;
    }
}

codes! {
    /// Where an item stands.
    PostalStatus {
        /// Waits at the print station.
        Queued = 1 "queued",
        /// On paper, not yet handed over.
        Printed = 2 "printed",
        /// Handed over.
        Dispatched = 3 "dispatched",
        /// Came back.
        Returned = 4 "returned",
        /// Will not go out.
        Cancelled = 5 "cancelled",
    }
}

codes! {
    /// Who takes it along. Invoices and letters are 信書: only who is licensed for them may (信書便法).
    #[derive(Default)]
    Carrier {
        /// 日本郵便.
        #[default]
        JapanPost = 1 "japan_post",
        /// 佐川急便, 飛脚特定信書便: always tracked.
        Sagawa = 2 "sagawa",
    }
}

codes! {
    /// Why mail came back.
    ReturnReason {
        /// あて所に尋ねあたりません.
        UnknownAddress = 1 "unknown_address",
        /// 転居先不明, or the time of forwarding is over.
        Moved = 2 "moved",
        /// 受取拒絶.
        Refused = 3 "refused",
        /// 保管期間経過.
        NotCollected = 4 "not_collected",
        /// Anything else.
        Other = 5 "other",
    }
}

/// A document of an item: exactly this file. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PostedFile {
    /// Which document.
    pub document_id: Uuid,
    /// Its revision.
    pub revision: u32,
    /// Of the file.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
    /// A4 pages, one on each sheet.
    pub pages: u32,
}

/// To be printed and handed over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Queued {
    /// What, in this order.
    pub files: Vec<PostedFile>,
    /// The sender's own files behind them.
    pub attachments: Vec<Attached>,
    /// The client whose address was taken, if one's was.
    pub client_id: Option<Uuid>,
    /// To whom, with the message of the cover sheet.
    pub recipient: Sealed<PostalAddress>,
    /// How.
    pub service: Service,
    /// With what beside.
    pub extras: Vec<Extra>,
    /// In what.
    pub envelope: Envelope,
    /// With a cover sheet, on which the address stands for the window?
    pub has_cover: bool,
    /// A4 sheets, with the cover sheet.
    pub sheets: u32,
    /// Estimated, with the envelope, in grams.
    pub weight_g: u32,
    /// Estimated.
    pub postage: Money,
    /// Civil day of the order: the cover sheet's.
    pub ordered_on: Date,
    /// Which member ordered it, also by a token.
    pub ordered_by: Option<Uuid>,
}

/// On paper.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Printed {
    /// What was printed, in this order.
    pub files: Vec<PostedFile>,
    /// The sender's own files behind them.
    pub attachments: Vec<Attached>,
    /// With the cover sheet?
    pub has_cover: bool,
    /// With a label?
    pub has_label: bool,
}

/// Handed over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dispatched {
    /// To whom.
    pub carrier: Carrier,
    /// By which it is tracked; empty where the service has none.
    pub tracking_number: String,
    /// Really paid.
    pub postage: Money,
    /// Civil day of the hand-over.
    pub dispatched_on: Date,
}

/// It came back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Returned {
    /// Why.
    pub reason: ReturnReason,
    /// Civil day on which it came.
    pub returned_on: Date,
}

/// To be printed and handed over again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Requeued {
    /// To whom now, under the subject that the item has.
    pub recipient: Sealed<PostalAddress>,
}

/// It will not go out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why; may be empty.
    pub reason: String,
}

/// State of an item.
#[derive(Debug, Default)]
pub struct PostalItem {
    /// As ordered; `None` before anything happened.
    pub queued: Option<Queued>,
    /// Where it stands.
    pub status: Option<PostalStatus>,
    /// To whom, as it was said last.
    pub recipient: Option<Sealed<PostalAddress>>,
    /// Of the last hand-over.
    pub dispatched: Option<Dispatched>,
}

impl Aggregate for PostalItem {
    type Event = PostalEvent;
    const STREAM: &'static str = "postal_item";
    fn apply(&mut self, event: PostalEvent) {
        self.status = Some(match event {
            PostalEvent::Queued(e) => {
                self.recipient = Some(e.recipient.clone());
                self.queued = Some(e);
                PostalStatus::Queued
            }
            PostalEvent::Printed(_) => PostalStatus::Printed,
            PostalEvent::Dispatched(e) => {
                self.dispatched = Some(e);
                PostalStatus::Dispatched
            }
            PostalEvent::Returned(_) => PostalStatus::Returned,
            PostalEvent::Requeued(e) => {
                self.recipient = Some(e.recipient);
                PostalStatus::Queued
            }
            PostalEvent::Cancelled(_) => PostalStatus::Cancelled,
        });
    }
    #[cfg(test)]
    fn samples() -> Vec<PostalEvent> {
        tests::samples()
    }
}

impl PostalItem {
    /// Is it still to go out? As long as it is, whoever handles the post sees it.
    pub fn is_open(&self) -> bool {
        matches!(self.status, Some(PostalStatus::Queued | PostalStatus::Printed))
    }
}

impl On<PostalItem> {
    /// What was ordered, if the item stands where it must.
    fn at(&self, wanted: &[PostalStatus]) -> Result<&Queued, Rejection> {
        let queued = self.queued.as_ref().ok_or(Rejection::new("postal_item.unknown"))?;
        match self.status {
            Some(status) if wanted.contains(&status) => Ok(queued),
            _ => Err(Rejection::new("postal_item.wrong_state")),
        }
    }
}

/// What people call an item at the print station and on the envelope: eight characters that cannot be mistaken for others,
/// from the random end of its id.
pub fn reference(id: Uuid) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = id.as_u128();
    let letter = |at: u32| char::from(LETTERS[(bits >> (35 - 5 * at)) as usize & 31]);
    let text: String = (0..8).map(letter).collect();
    format!("{}-{}", &text[..4], &text[4..])
}
