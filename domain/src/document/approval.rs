//! Approval: somebody else looks at a draft before it may be issued. Whether that must be, the company's settings say.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Approval, ApprovalRequested, Approved, Document, Rejected};
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::text;

/// Asks somebody else to look at a draft. Whoever writes in it afterwards takes the request back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestApproval {}

impl Command for RequestApproval {
    type On = On<Document>;
    const NAME: &'static str = "request_approval";
    const ROUTE: Route = Route::post("/v1/documents/{id}/request_approval");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] =
        &["document.unknown", "document.already_issued", "document.cancelled", "document.no_lines"];
    fn decide(self, document: &On<Document>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if document.open()?.body.lines.is_empty() {
            return Err(Rejection::at("document.no_lines", "/lines"));
        }
        if matches!(document.approval, Approval::Requested(_) | Approval::Approved) {
            return Ok(vec![]);
        }
        Ok(vec![document.emit(ApprovalRequested { by: ctx.member.unwrap_or(ctx.actor.id) })])
    }
}

impl On<Document> {
    /// Waits for an answer, and from somebody else than whoever asks now.
    fn waiting(&self, ctx: &Context) -> Result<(), Rejection> {
        self.open()?;
        match self.approval {
            Approval::Requested(by) if by == ctx.member.unwrap_or(ctx.actor.id) => {
                Err(Rejection::new("document.own_approval"))
            }
            Approval::Requested(_) => Ok(()),
            _ => Err(Rejection::new("document.not_requested")),
        }
    }
}

/// Approves a draft as it is. Not by whoever asked for it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveDocument {}

impl Command for ApproveDocument {
    type On = On<Document>;
    const NAME: &'static str = "approve_document";
    const ROUTE: Route = Route::post("/v1/documents/{id}/approve");
    const PERMISSION: Permission = Permission("approval.give");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.already_issued", "document.cancelled", "document.not_requested",
        "document.own_approval",
    ];
    fn decide(self, document: &On<Document>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        document.waiting(ctx)?;
        Ok(vec![document.emit(Approved {})])
    }
}

/// Gives a draft back. Not by whoever asked for the approval.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectDocument {
    /// What must change, at most 400 characters.
    pub reason: String,
}

impl Command for RejectDocument {
    type On = On<Document>;
    const NAME: &'static str = "reject_document";
    const ROUTE: Route = Route::post("/v1/documents/{id}/reject");
    const PERMISSION: Permission = Permission("approval.give");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.already_issued", "document.cancelled", "document.not_requested",
        "document.own_approval", "text.required", "text.too_long", "text.control_character",
    ];
    fn decide(self, document: &On<Document>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        document.waiting(ctx)?;
        Ok(vec![document.emit(Rejected { reason: text::line(&self.reason, "/reason", 400)? })])
    }
}
