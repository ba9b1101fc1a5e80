//! Documents: quotes, orders, invoices and the rest. Drafted freely; once issued they change only by corrections that keep
//! the number, raise the revision and stay in the history.
//!
//! What makes a create unique: nothing but its id until it is issued; then its number, unique and without gaps in the series
//! of its type and year (`series.rs`).

mod approval;
mod commands;
mod conversion;
mod issue;
mod presets;
mod printed;
mod v1;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::approval::*;
pub use self::commands::*;
pub use self::conversion::*;
pub use self::issue::*;
pub use self::presets::*;
pub use self::printed::*;
use self::v1::{ChangedV1, CorrectedV1, DraftedV1, IssuedV1, LinesSetV1};
use crate::client::Profile;
use crate::command::{Aggregate, On, Rejection};
use crate::date::Date;
use crate::event::hex32;
use crate::money::{Decimal, Money, Rounding};
use crate::tax::{TaxRate, Totals};
use crate::{codes, events};

/// Most lines of a document. With the lengths that lines allow, a body stays below 65,536 bytes.
pub const MAX_LINES: usize = 100;

events! {
    /// What happens to a document.
    DocumentEvent {
        Drafted = "document.drafted" v 2, was DraftedV1 v 1;
        LinesSet = "document.lines_set" v 2, was LinesSetV1 v 1;
        Changed = "document.changed" v 2, was ChangedV1 v 1;
        ApprovalRequested = "document.approval_requested" v 1;
        Approved = "document.approved" v 1;
        Rejected = "document.rejected" v 1;
        Issued = "document.issued" v 2, was IssuedV1 v 1;
        Corrected = "document.corrected" v 2, was CorrectedV1 v 1;
        Converted = "document.converted" v 1;
        Cancelled = "document.cancelled" v 1;
        PaymentRecorded = "document.payment_recorded" v 1;
        Accepted = "document.accepted" v 1;
    }
}

codes! {
    /// What kind of paper.
    DocumentType {
        /// 見積書.
        Quote = 1 "quote",
        /// 発注書.
        OrderSlip = 2 "order_slip",
        /// 注文請書.
        OrderConfirmation = 3 "order_confirmation",
        /// 納品書.
        DeliverySlip = 4 "delivery_slip",
        /// 検収書.
        Acceptance = 5 "acceptance",
        /// 請求書.
        Invoice = 6 "invoice",
        /// 領収書.
        Receipt = 7 "receipt",
    }
}

impl DocumentType {
    /// What its numbers begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            DocumentType::Quote => "QUO",
            DocumentType::OrderSlip => "ORD",
            DocumentType::OrderConfirmation => "CNF",
            DocumentType::DeliverySlip => "DLV",
            DocumentType::Acceptance => "ACC",
            DocumentType::Invoice => "INV",
            DocumentType::Receipt => "RCP",
        }
    }
}

codes! {
    /// Where a document stands.
    DocumentStatus {
        /// Being written.
        Draft = 1 "draft",
        /// Out, numbered, immutable.
        Issued = 2 "issued",
        /// Paid in full.
        Paid = 3 "paid",
        /// Void; keeps its number.
        Cancelled = 4 "cancelled",
    }
}

/// One line as held. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub description: String,
    /// How many.
    pub quantity: Decimal,
    /// Of what; may be empty.
    pub unit: String,
    /// For one.
    pub unit_price: Decimal,
    /// Which tax. The reduced rate is marked on paper.
    pub tax_rate: TaxRate,
    /// Does the price contain the tax? The same in all lines of a document.
    pub tax_inclusive: bool,
    /// Quantity × price, rounded as the document rounds.
    pub amount: Money,
    /// Is it a fee of which the payer keeps income tax back?
    pub has_jp_withholding_tax: bool,
}

/// Lines and what they come to. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Body {
    /// In order.
    pub lines: Vec<Line>,
    /// Computed.
    pub totals: Totals,
    /// What the payer keeps back of the total; 0 where there is no such fee.
    pub jp_withholding_tax: Money,
}

impl Body {
    /// What is to be paid in the end, in minor units.
    pub fn payable(&self) -> i64 {
        self.totals.total.amount - self.jp_withholding_tax.amount
    }
}

/// What stands around the lines. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// To whom.
    pub client_id: Uuid,
    /// Subject line.
    pub title: String,
    /// Date of the transaction, as printed.
    pub date: Date,
    /// When to pay or until when it holds.
    pub date_due: Option<Date>,
    /// As printed; may be empty.
    pub note: String,
    /// 但し書き: on a receipt, for what; may be empty.
    pub proviso: String,
    /// A receipt's frame for the revenue stamp.
    pub has_tax_stamp: bool,
    /// The frame for the seal.
    pub has_hanko: bool,
}

/// A new draft.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Drafted {
    /// Never changes.
    pub document_type: DocumentType,
    /// The document that it was made from.
    pub origin: Option<Uuid>,
    /// As written.
    pub head: Head,
    /// Of tax and of lines.
    pub tax_rounding: Rounding,
    /// As written and computed.
    pub body: Body,
}

/// Other lines in a draft.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinesSet {
    /// As written and computed.
    pub body: Body,
}

/// Another head of a draft.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Everything after the change.
    pub head: Head,
}

/// Somebody else is to look at a draft.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApprovalRequested {
    /// Who asked, and cannot approve it: a member, or a program.
    pub by: Uuid,
}

/// The draft may be issued as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approved {}

/// The draft may not be issued as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rejected {
    /// Why.
    pub reason: String,
}

/// Who issued it, as printed then.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Sender {
    /// Registered name.
    pub name: String,
    /// Qualified-invoice number, or empty.
    pub registration_number: String,
    /// One line.
    pub address: String,
    /// Several lines.
    pub bank_details: String,
}

/// Out, with everything that must not change later: number, sender, recipient, totals.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// `INV-2026-0001`.
    pub number: String,
    /// Civil day of the issue; its year is the series'.
    pub issued_on: Date,
    /// As printed.
    pub sender: Sender,
    /// As printed.
    pub recipient: Profile,
    /// As printed.
    pub totals: Totals,
    /// SHA-256 of the secret in the paper's QR code, by which whoever holds the paper sees whether it is genuine; zeros where
    /// there is none.
    #[serde(with = "hex32")]
    pub secret_hash: [u8; 32],
}

/// Other lines in an issued document: same number, next revision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Corrected {
    /// From 2 on.
    pub revision: u32,
    /// Why.
    pub reason: String,
    /// As written and computed.
    pub body: Body,
}

/// Another document was made from it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Converted {
    /// Which.
    pub to: Uuid,
    /// Of what kind.
    pub document_type: DocumentType,
}

/// Void. Its number is not given again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why.
    pub reason: String,
}

/// Money came in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentRecorded {
    /// How much.
    pub amount: Money,
    /// When it came.
    pub date: Date,
}

/// The recipient of a quote took the offer, logged in to their inbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// As it stood then.
    pub revision: u32,
    /// What brought it to them.
    pub delivery_id: Uuid,
}

/// State of a document.
#[derive(Debug, Default)]
pub struct Document {
    /// As drafted and changed; `None` before anything happened.
    pub draft: Option<Drafted>,
    /// Of the draft as it is.
    pub approval: Approval,
    /// Empty until issued.
    pub number: String,
    /// 1 once issued, one more with each correction.
    pub revision: u32,
    /// What came in, in minor units.
    pub paid: i64,
    /// Void.
    pub cancelled: bool,
    /// The newest revision that its recipient accepted; 0 = none.
    pub accepted: u32,
}

/// Whether somebody else has looked at a draft.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub enum Approval {
    /// Nobody has asked, or it was changed since.
    #[default]
    None,
    /// Who asked.
    Requested(Uuid),
    /// It may be issued.
    Approved,
    /// It must be changed first.
    Rejected,
}

impl Aggregate for Document {
    type Event = DocumentEvent;
    const STREAM: &'static str = "document";
    fn apply(&mut self, event: DocumentEvent) {
        match (event, &mut self.draft) {
            (DocumentEvent::Drafted(e), draft) => *draft = Some(e),
            (DocumentEvent::LinesSet(e), Some(draft)) => (draft.body, self.approval) = (e.body, Approval::None),
            (DocumentEvent::Changed(e), Some(draft)) => (draft.head, self.approval) = (e.head, Approval::None),
            (DocumentEvent::ApprovalRequested(e), _) => self.approval = Approval::Requested(e.by),
            (DocumentEvent::Approved(_), _) => self.approval = Approval::Approved,
            (DocumentEvent::Rejected(_), _) => self.approval = Approval::Rejected,
            (DocumentEvent::Issued(e), _) => (self.number, self.revision) = (e.number, 1),
            (DocumentEvent::Corrected(e), Some(draft)) => (draft.body, self.revision) = (e.body, e.revision),
            (DocumentEvent::Cancelled(_), _) => self.cancelled = true,
            (DocumentEvent::PaymentRecorded(e), _) => self.paid = self.paid.saturating_add(e.amount.amount),
            (DocumentEvent::Accepted(e), _) => self.accepted = e.revision,
            (DocumentEvent::Converted(_), _) => {}
            (DocumentEvent::LinesSet(_) | DocumentEvent::Changed(_) | DocumentEvent::Corrected(_), None) => {}
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<DocumentEvent> {
        samples::samples()
    }
}

impl Document {
    /// `None` before anything happened.
    pub fn status(&self) -> Option<DocumentStatus> {
        let draft = self.draft.as_ref()?;
        let payable = draft.body.payable();
        Some(match () {
            () if self.cancelled => DocumentStatus::Cancelled,
            () if self.number.is_empty() => DocumentStatus::Draft,
            () if self.paid > 0 && self.paid >= payable => DocumentStatus::Paid,
            () => DocumentStatus::Issued,
        })
    }
}

impl On<Document> {
    /// The draft, if it still is one. Issued is immutable.
    pub(crate) fn open(&self) -> Result<&Drafted, Rejection> {
        let draft = self.draft.as_ref().ok_or(Rejection::new("document.unknown"))?;
        match self.status() {
            Some(DocumentStatus::Draft) => Ok(draft),
            Some(DocumentStatus::Cancelled) => Err(Rejection::new("document.cancelled")),
            _ => Err(Rejection::new("document.already_issued")),
        }
    }

    /// What was issued, if it is out and not void.
    fn out(&self) -> Result<&Drafted, Rejection> {
        let draft = self.draft.as_ref().ok_or(Rejection::new("document.unknown"))?;
        match self.status() {
            Some(DocumentStatus::Issued | DocumentStatus::Paid) => Ok(draft),
            Some(DocumentStatus::Cancelled) => Err(Rejection::new("document.cancelled")),
            _ => Err(Rejection::new("document.not_issued")),
        }
    }
}
