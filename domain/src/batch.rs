//! Batches: orders to issue many drafts. Each is issued as if by hand, under the same rules, in an append of its own that also
//! notes what came of it.
//!
//! The notes are not in the batch's stream: each is in the stream `batch_part` under its document's id, so that the last
//! append costs what the first did. It expects the batch unmoved: a batch that was cancelled issues nothing any more.
//!
//! What makes a create unique: nothing but its id; no document is issued twice, however often it is ordered.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::client::Client;
use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::document::{Document, number_and_issue};
use crate::events;
use crate::role::Permission;
use crate::series::{Series, series_id};
use crate::tenant::Tenant;

/// Most documents of a batch.
pub const MAX_DOCUMENTS: usize = 1_000;

events! {
    /// What happens to a batch.
    BatchEvent {
        Ordered = "batch.ordered" v 1;
        Cancelled = "batch.cancelled" v 1;
    }
}

events! {
    /// What came of a document in a batch.
    PartEvent {
        DocumentIssued = "batch.document_issued" v 1;
        DocumentFailed = "batch.document_failed" v 1;
    }
}

/// A new batch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ordered {
    /// Whose order it is: a member's, on whose behalf the server acts, or a program's.
    pub by: Uuid,
    /// In the order of their numbers.
    pub documents: Vec<Uuid>,
}

/// What was not issued until now will not be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancelled {}

/// A document of a batch was issued.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DocumentIssued {
    /// Of which.
    pub batch: Uuid,
}

/// A document of a batch was not issued.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DocumentFailed {
    /// Of which.
    pub batch: Uuid,
    /// Why: a rule's code.
    pub code: String,
    /// Where in the document; may be empty.
    pub pointer: String,
}

/// State of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// `None` before anything happened.
    pub ordered: Option<Ordered>,
    /// Nothing more is issued.
    pub cancelled: bool,
}

impl Aggregate for Batch {
    type Event = BatchEvent;
    const STREAM: &'static str = "batch";
    fn apply(&mut self, event: BatchEvent) {
        match event {
            BatchEvent::Ordered(ordered) => self.ordered = Some(ordered),
            BatchEvent::Cancelled(_) => self.cancelled = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<BatchEvent> {
        tests::samples()
    }
}

/// What batches have made of a document.
#[derive(Debug, Default)]
pub struct Part {
    /// Batches that are done with it.
    pub done: BTreeSet<Uuid>,
}

impl Aggregate for Part {
    type Event = PartEvent;
    const STREAM: &'static str = "batch_part";
    fn apply(&mut self, event: PartEvent) {
        self.done.insert(match event {
            PartEvent::DocumentIssued(e) => e.batch,
            PartEvent::DocumentFailed(e) => e.batch,
        });
    }
    #[cfg(test)]
    fn samples() -> Vec<PartEvent> {
        tests::part_samples()
    }
}

/// Issues many drafts, one after the other, by itself. What cannot be issued is told of and does not stop the others.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderBatch {
    /// Drafts, in the order of the numbers that they shall get; 1 to 1,000, each once.
    pub documents: Vec<Uuid>,
}

impl Command for OrderBatch {
    type On = On<Batch>;
    const NAME: &'static str = "order_batch";
    const ROUTE: Route = Route::create("/v1/batches");
    const PERMISSION: Permission = Permission("document.issue");
    const REJECTS: &'static [&'static str] = &["batch.empty", "batch.too_many", "batch.named_twice"];
    fn decide(self, batch: &On<Batch>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let documents = self.documents;
        if documents.is_empty() {
            return Err(Rejection::at("batch.empty", "/documents"));
        }
        if documents.len() > MAX_DOCUMENTS {
            return Err(Rejection::at("batch.too_many", "/documents"));
        }
        let mut seen = BTreeSet::new();
        if let Some(n) = documents.iter().position(|id| !seen.insert(*id)) {
            return Err(Rejection::at("batch.named_twice", format!("/documents/{n}")));
        }
        let by = ctx.member.unwrap_or(ctx.actor.id);
        Ok(vec![batch.emit(Ordered { by, documents })])
    }
}

/// Stops a batch: what is issued stays issued, the rest stay drafts.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBatch {}

impl Command for CancelBatch {
    type On = On<Batch>;
    const NAME: &'static str = "cancel_batch";
    const ROUTE: Route = Route::post("/v1/batches/{id}/cancel");
    const PERMISSION: Permission = Permission("document.issue");
    const REJECTS: &'static [&'static str] = &["batch.unknown", "batch.already_cancelled"];
    fn decide(self, batch: &On<Batch>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if !batch.exists() {
            return Err(Rejection::new("batch.unknown"));
        }
        if batch.cancelled {
            return Err(Rejection::new("batch.already_cancelled"));
        }
        Ok(vec![batch.emit(Cancelled {})])
    }
}

/// Issues one document of a batch. Nothing, where that was tried already or the batch was cancelled.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueInBatch {
    /// Which.
    pub batch: Uuid,
}

impl Command for IssueInBatch {
    type On = (On<Document>, On<Part>, On<Batch>, On<Tenant>, On<Series>, On<Client>);
    const NAME: &'static str = "issue_in_batch";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("batch.run");
    const REJECTS: &'static [&'static str] = &["batch.unknown"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, target, self.batch, ctx.tenant])
    }
    fn linked(&self, document: &On<Document>, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        // What is no draft gets no number and goes to nobody.
        let Ok(draft) = document.open() else { return Ok(vec![Uuid::nil(), Uuid::nil()]) };
        Ok(vec![series_id(draft.document_type, ctx), draft.head.client_id])
    }
    fn decide(self, on: &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let (document, part, batch, tenant, series, client) = on;
        let ordered = batch.ordered.as_ref().ok_or(Rejection::new("batch.unknown"))?;
        let is_mine = ordered.documents.contains(&document.id);
        if batch.cancelled || !is_mine || part.done.contains(&batch.id) {
            return Ok(vec![]);
        }
        let draft = document.open();
        let issued =
            draft.and_then(|d| number_and_issue(document, d, document.approval, (series, tenant, client), ctx));
        match issued {
            Ok(issued) => Ok([issued, vec![part.emit(DocumentIssued { batch: batch.id })]].concat()),
            Err(Rejection { code, at }) => {
                let pointer = at.into_iter().next().map(|fault| fault.pointer).unwrap_or_default();
                Ok(vec![part.emit(DocumentFailed { batch: batch.id, code: code.into(), pointer })])
            }
        }
    }
}
