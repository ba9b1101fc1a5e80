//! Documents, as they are shown.

use keiin_domain::date::Date;
use keiin_domain::document::Sender;
use keiin_domain::money::Money;
use keiin_domain::retention::until;
use keiin_domain::tax::{TaxRate, Totals};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::view::{Json, Row, Seen, Time, col};

/// A document, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DocumentView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// `quote`, `order_slip`, `order_confirmation`, `delivery_slip`, `acceptance`, `invoice` or `receipt`.
    pub document_type: String,
    /// `draft`, `issued`, `paid` or `cancelled`.
    pub status: String,
    /// From the issue on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// 0 for a draft, 1 once issued, one more with each correction.
    pub revision: u32,
    /// Subject line.
    pub title: String,
    /// To whom, as the client is called today.
    pub client: ClientOf,
    /// Date of the transaction.
    pub date: Date,
    /// When to pay or until when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_due: Option<Date>,
    /// As printed; may be empty.
    pub note: String,
    /// On a receipt, for what; may be empty.
    pub proviso: String,
    /// A receipt's frame for the revenue stamp.
    pub has_tax_stamp: bool,
    /// The frame for the seal.
    pub has_hanko: bool,
    /// `none`, `requested`, `approved` or `rejected`, of the draft as it is.
    pub approval: String,
    /// What must change, once it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_reason: Option<String>,
    /// The document that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<DocumentOf>,
    /// Documents that were made from it, the oldest first. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversions: Option<Vec<DocumentOf>>,
    /// Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LineView>>,
    /// How its lines and its tax are rounded: `floor`, `half_up` or `ceil`.
    pub tax_rounding: String,
    /// What it comes to.
    pub totals: Totals,
    /// Income tax that the payer keeps back of the total; 0 without such fees.
    pub jp_withholding_tax: Money,
    /// What came in.
    pub paid: Money,
    /// As printed when it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// As printed when it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<RecipientOf>,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Time>,
    /// The file of its newest revision: there as soon as it was printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pdf: Option<PdfOf>,
    /// Why its newest revision could not be printed: characters that the font lacks, each with its field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// The last day on which the law wants it kept.
    pub retain_until: Date,
    /// Why it is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_reason: Option<String>,
    /// When the recipient of a quote accepted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Time>,
    /// Which revision they accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_revision: Option<u32>,
    /// What its newest delivery came to: `sending`, `sent`, `opened`, `failed`, `expired` or `revoked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_status: Option<String>,
    /// An issued invoice whose day has passed in Japan.
    pub overdue: bool,
}

/// Another document of the same deal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DocumentOf {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub document_type: String,
    /// From the issue on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
}

/// A document's file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PdfOf {
    /// 64 hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u32,
}

/// A document's client.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientOf {
    /// Its id.
    pub id: Uuid,
    /// Registered name.
    pub name: String,
    /// `onchu` or `sama`.
    pub honorific: String,
}

/// A client as printed on a document.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecipientOf {
    /// Registered name.
    pub name: String,
    /// `onchu` or `sama`.
    pub honorific: String,
    /// `T` and 13 digits, or empty.
    pub registration_number: String,
    /// Seven digits, or empty.
    pub postal_code: String,
    /// Prefecture.
    pub region: String,
    /// City, ward.
    pub locality: String,
    /// Block and house.
    pub street_address: String,
    /// Building and floor.
    pub extended_address: String,
}

/// A line of a document.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LineView {
    /// What.
    pub description: String,
    /// Decimal with at most four places.
    pub quantity: String,
    /// Of what; may be empty.
    pub unit: String,
    /// Decimal with at most four places.
    pub unit_price: String,
    /// Percent.
    pub tax_rate: TaxRate,
    /// The price contains the tax.
    pub tax_inclusive: bool,
    /// Quantity × price.
    pub amount: Money,
    /// A fee of which the payer keeps income tax back.
    pub has_jp_withholding_tax: bool,
}

pub(super) fn view(row: &Row) -> Seen<DocumentView> {
    Ok(DocumentView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        document_type: col(row, "document_type")?,
        status: col(row, "status")?,
        number: col(row, "number")?,
        revision: col(row, "revision")?,
        title: col(row, "title")?,
        client: ClientOf {
            id: col(row, "client_id")?,
            name: col::<Option<_>>(row, "client_name")?.unwrap_or_default(),
            honorific: col::<Option<_>>(row, "client_honorific")?.unwrap_or_default(),
        },
        date: col(row, "date")?,
        date_due: col(row, "date_due")?,
        note: col(row, "note")?,
        proviso: col(row, "proviso")?,
        has_tax_stamp: col(row, "has_tax_stamp")?,
        has_hanko: col(row, "has_hanko")?,
        approval: col(row, "approval")?,
        approval_reason: col(row, "approval_reason")?,
        origin: match col::<Option<_>>(row, "origin")? {
            Some(id) => {
                Some(DocumentOf { id, document_type: col(row, "origin_type")?, number: col(row, "origin_number")? })
            }
            None => None,
        },
        conversions: None,
        lines: None,
        tax_rounding: col(row, "tax_rounding")?,
        totals: col::<Json<_>>(row, "totals")?.0,
        jp_withholding_tax: col(row, "withheld")?,
        paid: col(row, "paid")?,
        sender: col::<Option<Json<_>>>(row, "sender")?.map(|json| json.0),
        recipient: col::<Option<Json<_>>>(row, "recipient")?.map(|json| json.0),
        issued_at: col(row, "issued_at")?,
        pdf: match col::<Option<_>>(row, "pdf_sha256")? {
            Some(sha256) => Some(PdfOf { sha256, size: col(row, "pdf_size")? }),
            None => None,
        },
        missing: col::<Option<Json<_>>>(row, "missing")?.map(|json| json.0),
        retain_until: until(col(row, "date")?, col(row, "fiscal_year_end")?, col(row, "retention_years")?),
        cancelled_reason: col(row, "cancelled_reason")?,
        accepted_at: col(row, "accepted_at")?,
        accepted_revision: col(row, "accepted_revision")?,
        delivery_status: col(row, "delivery_status")?,
        overdue: col(row, "overdue")?,
    })
}
