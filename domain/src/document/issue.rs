//! The issue, which gives a number and the printed form, and corrections of what was issued.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::commands::{LineInput, compute};
use super::{Approval, Corrected, Document, DocumentType, Drafted, Issued, Sender};
use crate::client::Client;
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::series::{Series, series_id};
use crate::tenant::Tenant;
use crate::text;

/// Sends a document out into the world: from now on it has a number and does not change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueDocument {}

impl Command for IssueDocument {
    type On = (On<Document>, On<Series>, On<Tenant>, On<Client>);
    const NAME: &'static str = "issue_document";
    const ROUTE: Route = Route::post("/v1/documents/{id}/issue");
    const PERMISSION: Permission = Permission("document.issue");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.already_issued", "document.cancelled", "document.no_lines",
        "document.not_qualified", "document.not_approved", "document.unknown_client", "document.client_archived",
    ];
    fn linked(&self, document: &On<Document>, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let draft = document.open()?;
        Ok(vec![series_id(draft.document_type, ctx), ctx.tenant, draft.head.client_id])
    }
    fn decide(self, (document, series, tenant, client): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let draft = document.open()?;
        number_and_issue(document, draft, document.approval, (series, tenant, client), ctx)
    }
}

/// The rules of an issue, whoever asks for it: by hand, on a date, or in a batch. The document's event and the number's.
pub fn number_and_issue(
    document: &On<Document>,
    draft: &Drafted,
    approval: Approval,
    (series, tenant, client): (&On<Series>, &On<Tenant>, &On<Client>),
    ctx: &mut Context,
) -> Result<Vec<Emit>, Rejection> {
    let recipient = client.addressable()?.clone();
    if draft.body.lines.is_empty() {
        return Err(Rejection::at("document.no_lines", "/lines"));
    }
    // What a qualified invoice must show (Consumption Tax Act 57-4): we have all of it but, perhaps, our own number.
    if draft.document_type == DocumentType::Invoice && tenant.registration_number.is_empty() {
        return Err(Rejection::new("document.not_qualified"));
    }
    if tenant.approval_required && approval != Approval::Approved {
        return Err(Rejection::new("document.not_approved"));
    }
    let (number, taken) = series.take(document.id);
    let issued = Issued {
        number: format!("{}-{}-{number:04}", draft.document_type.prefix(), ctx.today.ymd().0),
        issued_on: ctx.today,
        sender: Sender {
            name: tenant.name.clone(),
            registration_number: tenant.registration_number.clone(),
            address: tenant.address.clone(),
            bank_details: tenant.bank_details.clone(),
        },
        recipient,
        totals: draft.body.totals.clone(),
        secret_hash: ctx.world.secret("chk", document.id),
    };
    Ok(vec![document.emit(issued), taken])
}

/// Puts other lines into an issued document. The number stays, the revision rises, both are in the history.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectDocument {
    /// At least one, at most 100.
    pub lines: Vec<LineInput>,
    /// Shown in the trail, at most 400 characters.
    pub reason: String,
}

impl Command for CorrectDocument {
    type On = On<Document>;
    const NAME: &'static str = "correct_document";
    const ROUTE: Route = Route::post("/v1/documents/{id}/correct");
    const PERMISSION: Permission = Permission("document.issue");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.not_issued", "document.cancelled", "document.no_lines",
        "document.too_many_lines", "document.negative_total", "document.below_payments", "money.bad_decimal",
        "money.overflow", "tax.mixed_inclusion", "text.required", "text.too_long", "text.control_character",
    ];
    fn decide(self, document: &On<Document>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let draft = document.out()?;
        let reason = text::line(&self.reason, "/reason", 400)?;
        if self.lines.is_empty() {
            return Err(Rejection::at("document.no_lines", "/lines"));
        }
        let body = compute(&self.lines, None, draft.tax_rounding)?;
        if body.payable() < document.paid {
            return Err(Rejection::at("document.below_payments", "/lines"));
        }
        Ok(vec![document.emit(Corrected { revision: document.revision + 1, reason, body })])
    }
}
