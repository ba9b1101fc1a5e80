//! Sending orders: documents to several recipients by several ways (into an inbox, by secure link, by post) in one order.
//! It is looked at, may be approved by a second person, and goes out when somebody releases it; until then it can be
//! cancelled, and after that as far as it is not handed over yet.
//!
//! Each recipient is handed over in an append of its own, which makes the delivery or the postal item and notes it here; so
//! nothing goes out twice, and who cannot be reached stops nobody. Which of inbox and link it is shows then.
//!
//! What makes a create unique: nothing but its id; a retried request is held by its Idempotency-Key, which is required.

mod before;
mod commands;
mod hand_over;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::before::PlacedV1;
pub use self::commands::*;
pub use self::hand_over::*;
use crate::attachment::Attached;
use crate::command::{Aggregate, On, Rejection};
use crate::delivery::Enclosed;
use crate::events;
use crate::money::Money;
use crate::postage::{Envelope, Extra, Service};
use crate::postal_item::PostalAddress;
use crate::sealed::{Person, Sealed};

/// Most recipients of an order, by all ways together.
pub const MAX_RECIPIENTS: usize = 50;

events! {
    /// What happens to a sending order.
    SendingOrderEvent {
        Placed = "sending_order.placed" v 2, was PlacedV1 v 1;
        Approved = "sending_order.approved" v 1;
        Rejected = "sending_order.rejected" v 1;
        Released = "sending_order.released" v 1;
        Cancelled = "sending_order.cancelled" v 1;
        HandedOver = "sending_order.handed_over" v 1;
        Failed = "sending_order.failed" v 1;
    }
}

/// Documents are to go out. Recipients are counted from 0, those by mail first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Placed {
    /// What, as it was looked at; nothing else goes out.
    pub documents: Vec<Enclosed>,
    /// Own files with them, in this order.
    pub attachments: Vec<Attached>,
    /// Whose documents they are, where something goes by post.
    pub client_id: Option<Uuid>,
    /// By mail: into the inbox, or by link.
    pub by_mail: Vec<ByMail>,
    /// On paper.
    pub by_post: Vec<ByPost>,
    /// How long a link works, from when it is mailed.
    pub expires_in_days: u32,
    /// How often it may be opened.
    pub view_limit: Option<u32>,
    /// Does it need a second person's approval?
    pub asks_approval: bool,
    /// Which member placed it, also by a token.
    pub placed_by: Option<Uuid>,
}

/// A recipient by mail. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ByMail {
    /// The delivery that it will be.
    pub delivery_id: Uuid,
    /// To whom; the note is the message.
    pub recipient: Sealed<Person>,
    /// Does a link take a passcode, too? Only a slow hash of it is kept, apart from the ledger.
    pub has_passcode: bool,
}

/// A recipient by post. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ByPost {
    /// The postal item that it will be.
    pub postal_item_id: Uuid,
    /// To whom, with the message.
    pub recipient: Sealed<PostalAddress>,
    /// How.
    pub service: Service,
    /// With what beside.
    pub extras: Vec<Extra>,
    /// In what; by the number of sheets if `None`.
    pub envelope: Option<Envelope>,
    /// With a cover sheet?
    pub has_cover: bool,
    /// Instead of the table's.
    pub postage: Option<Money>,
}

/// A second person looked at it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approved {}

/// A second person does not want it to go out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rejected {
    /// Why.
    pub reason: String,
}

/// It goes out now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Released {
    /// On whose behalf: a member's, or a program's.
    pub by: Uuid,
}

/// What was not handed over until now will not be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why; may be empty.
    pub reason: String,
}

/// A recipient's turn came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HandedOver {
    /// Which recipient.
    pub n: u32,
}

/// A recipient's turn came in vain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// Which recipient.
    pub n: u32,
    /// Why: a rule's code.
    pub code: String,
    /// Where in the order; may be empty.
    pub pointer: String,
}

/// Where an order stands that was placed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Waits for a second person.
    Asked,
    /// May be released.
    Ready,
    /// Goes out, or did.
    Released,
    /// A second person said no.
    Rejected,
    /// Called off.
    Cancelled,
}

/// State of a sending order.
#[derive(Debug, Default)]
pub struct SendingOrder {
    /// `None` before anything happened.
    pub placed: Option<Placed>,
    /// Since then.
    pub stage: Option<Stage>,
    /// Recipients whose turn came.
    pub done: BTreeSet<u32>,
}

impl Aggregate for SendingOrder {
    type Event = SendingOrderEvent;
    const STREAM: &'static str = "sending_order";
    fn apply(&mut self, event: SendingOrderEvent) {
        let stage = match event {
            SendingOrderEvent::Placed(placed) => {
                let stage = if placed.asks_approval { Stage::Asked } else { Stage::Ready };
                self.placed = Some(placed);
                stage
            }
            SendingOrderEvent::Approved(_) => Stage::Ready,
            SendingOrderEvent::Rejected(_) => Stage::Rejected,
            SendingOrderEvent::Released(_) => Stage::Released,
            SendingOrderEvent::Cancelled(_) => Stage::Cancelled,
            SendingOrderEvent::HandedOver(HandedOver { n }) | SendingOrderEvent::Failed(Failed { n, .. }) => {
                self.done.insert(n);
                return;
            }
        };
        self.stage = Some(stage);
    }
    #[cfg(test)]
    fn samples() -> Vec<SendingOrderEvent> {
        tests::samples()
    }
}

impl Placed {
    /// How many recipients it has.
    pub fn recipients(&self) -> usize {
        self.by_mail.len() + self.by_post.len()
    }
}

impl On<SendingOrder> {
    fn placed(&self) -> Result<(&Placed, Stage), Rejection> {
        self.placed.as_ref().zip(self.stage).ok_or(Rejection::new("sending_order.unknown"))
    }

    /// Waits for a second person, and this is one.
    fn must_be_asked_of(&self, member: Option<Uuid>) -> Result<(), Rejection> {
        let (placed, stage) = self.placed()?;
        match stage {
            Stage::Asked if member.is_some() && member == placed.placed_by => {
                Err(Rejection::new("sending_order.own_approval"))
            }
            Stage::Asked => Ok(()),
            _ => Err(Rejection::new("sending_order.not_asked")),
        }
    }
}
