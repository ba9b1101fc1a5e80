//! Postal items as they are shown.

use keiin_domain::date::Date;
use keiin_domain::money::Money;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::attachment::AttachmentOf;
use crate::view::Time;

/// A postal item, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PostalItemView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// What people call it: it stands on the cover sheet and on the label.
    pub reference: String,
    /// `queued`, `printed`, `dispatched`, `returned` or `cancelled`.
    pub status: String,
    /// To whom.
    pub to: PostalRecipient,
    /// Where it goes. Only in the detail; absent once the recipient was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<PostalAddressView>,
    /// On the cover sheet. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The client whose address was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Uuid>,
    /// What, in this order.
    pub documents: Vec<PostedView>,
    /// The sender's own files behind them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentOf>,
    /// `letter`, `letter_pack_light` or `letter_pack_plus`.
    pub service: String,
    /// `express`, `simple_registered`, `specific_record`.
    pub extras: Vec<String>,
    /// Does the post office give it a number to track it by?
    pub is_tracked: bool,
    /// `long_3` or `kaku_2`.
    pub envelope: String,
    /// Does it have a cover sheet?
    pub has_cover: bool,
    /// A4 sheets, with the cover sheet.
    pub sheets: u32,
    /// Estimated, in grams.
    pub weight_g: u32,
    /// Estimated.
    pub postage: Money,
    /// Really paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<Money>,
    /// Who took it along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// By which it is tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The member who ordered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered_by: Option<Uuid>,
    /// When.
    pub ordered_at: Time,
    /// When it was printed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub printed_at: Option<Time>,
    /// When it was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatched_on: Option<Date>,
    /// When it came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned_on: Option<Date>,
    /// Why: `unknown_address`, `moved`, `refused`, `not_collected` or `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_reason: Option<String>,
    /// Why it does not go out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_reason: Option<String>,
}

/// To whom; only `erased` once they were erased.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PostalRecipient {
    /// Company, or person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where in the company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Whose hands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<String>,
    /// `onchu` or `sama`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honorific: Option<String>,
    /// The recipient was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// Where it goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PostalAddressView {
    /// Seven digits.
    pub postal_code: String,
    /// Prefecture; may be empty.
    pub region: String,
    /// City, ward; may be empty.
    pub locality: String,
    /// Block and house.
    pub street_address: String,
    /// Building and floor; may be empty.
    pub extended_address: String,
}

/// A document of an item.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PostedView {
    /// Its id.
    pub id: Uuid,
    /// Of what kind.
    pub document_type: String,
    /// Its number.
    pub number: String,
    /// Its subject line.
    pub title: String,
    /// The revision that goes out.
    pub revision: u32,
    /// A4 pages.
    pub pages: u32,
    /// Of the file that goes out, in hexadecimal.
    pub sha256: String,
}

/// What waits at the print station.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrintQueue {
    /// The oldest first, at most 200.
    pub items: Vec<PostalItemView>,
    /// How many wait to be printed.
    pub queued: u64,
    /// How many wait to be handed over.
    pub printed: u64,
}

/// What was handed over, as far as its envelope shows it: enough to say that it came back.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandedOverList {
    /// Usually one; none where nothing has this reference or number, or nothing was asked for.
    pub items: Vec<HandedOver>,
}

/// An item that was handed over, without anything personal.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandedOver {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// What stands on the envelope.
    pub reference: String,
    /// `dispatched`, `returned` or `cancelled`.
    pub status: String,
    /// How it went.
    pub service: String,
    /// When it was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatched_on: Option<Date>,
    /// Why it came back, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_reason: Option<String>,
}
