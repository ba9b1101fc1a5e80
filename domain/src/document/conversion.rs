//! The next document of a deal, made from the one before: quote → order → delivery → acceptance → invoice → receipt.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::commands::due;
use super::{Converted, Document, DocumentStatus, DocumentType, Drafted, Head};
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::Date;
use crate::role::Permission;

/// A receipt over less than this, without consumption tax, needs no revenue stamp (Stamp Tax Act, table 1, no. 17).
const STAMP_FREE_YEN: i64 = 50_000;

impl DocumentType {
    /// Can one of the other type be made from one of this? Every step of a deal may be left out, none goes back.
    pub fn leads_to(self, other: DocumentType) -> bool {
        other.code() > self.code() && (other != DocumentType::Receipt || self == DocumentType::Invoice)
    }
}

/// Drafts the next document of a deal from an issued one, with its client and its lines. A receipt follows an invoice that is
/// paid.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvertDocument {
    /// From which.
    pub origin_id: Uuid,
    /// Into what.
    pub document_type: DocumentType,
    /// Date of the transaction; today if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub date: Option<Date>,
    /// When to pay or until when it holds; not before `date`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub date_due: Option<Date>,
}

impl Command for ConvertDocument {
    type On = (On<Document>, On<Document>);
    const NAME: &'static str = "convert_document";
    const ROUTE: Route = Route::create("/v1/documents/conversions");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown_origin", "document.not_issued", "document.cancelled", "document.not_convertible",
        "document.not_paid", "document.due_before_date",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.origin_id])
    }
    fn decide(self, (document, origin): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if !origin.exists() {
            return Err(Rejection::at("document.unknown_origin", "/origin_id"));
        }
        let (from, document_type) = (origin.out()?, self.document_type);
        if !from.document_type.leads_to(document_type) {
            return Err(Rejection::at("document.not_convertible", "/document_type"));
        }
        let is_receipt = document_type == DocumentType::Receipt;
        if is_receipt && origin.status() != Some(DocumentStatus::Paid) {
            return Err(Rejection::new("document.not_paid"));
        }
        let date = self.date.unwrap_or(ctx.today);
        let head = Head {
            date,
            date_due: due(date, self.date_due)?,
            proviso: if is_receipt { from.head.title.clone() } else { String::new() },
            has_tax_stamp: is_receipt && from.body.totals.subtotal.amount >= STAMP_FREE_YEN,
            ..from.head.clone()
        };
        let (tax_rounding, body) = (from.tax_rounding, from.body.clone());
        let drafted = Drafted { document_type, origin: Some(origin.id), head, tax_rounding, body };
        Ok(vec![document.emit(drafted), origin.emit(Converted { to: document.id, document_type })])
    }
}
