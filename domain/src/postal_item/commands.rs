//! What happens to an item after it was ordered.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::order::{POSTAGE_MAX, is_tracked, unchanged};
use super::{
    AddressInput, Cancelled, Carrier, Dispatched, PostalAddress, PostalItem, PostalStatus, Printed, Requeued,
    ReturnReason, Returned,
};
use crate::attachment;
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::Date;
use crate::document::Document;
use crate::money::Money;
use crate::paper::Paper;
use crate::postage::{has_right_digit, tracking_number};
use crate::role::Permission;
use crate::text;

/// An item and its documents.
type WithPapers = (On<PostalItem>, Vec<(On<Document>, On<Paper>)>);

/// Ids of an item's documents and papers, as [`WithPapers`] wants them.
fn papers(item: &PostalItem) -> Vec<Uuid> {
    let files = item.queued.iter().flat_map(|queued| &queued.files);
    files.flat_map(|file| [file.document_id, file.document_id]).collect()
}

/// A civil day, today if absent: not in the future.
fn day(day: Option<Date>, pointer: &str, ctx: &Context) -> Result<Date, Rejection> {
    let day = day.unwrap_or(ctx.today);
    if day > ctx.today { Err(Rejection::at("postal_item.bad_day", pointer)) } else { Ok(day) }
}

/// Says that an item is on paper; also again, when a sheet was spoilt. Of a document that was corrected or cancelled meanwhile
/// nothing goes out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrintPostalItem {
    /// Was a label printed, too?
    #[serde(default)]
    pub with_label: bool,
}

impl Command for PrintPostalItem {
    type On = WithPapers;
    const NAME: &'static str = "print_postal_item";
    const ROUTE: Route = Route::post("/v1/postal-items/{id}/print");
    const PERMISSION: Permission = Permission("postal_item.handle");
    const REJECTS: &'static [&'static str] = &[
        "postal_item.unknown", "postal_item.wrong_state", "postal_item.document_changed",
        "postal_item.attachment_erased",
    ];
    fn linked(&self, item: &On<PostalItem>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(papers(item))
    }
    fn decide(self, (item, papers): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let queued = item.at(&[PostalStatus::Queued, PostalStatus::Printed])?;
        unchanged(&queued.files, papers)?;
        if attachment::erased(&queued.attachments, ctx).is_some() {
            return Err(Rejection::new("postal_item.attachment_erased"));
        }
        let (files, attachments) = (queued.files.clone(), queued.attachments.clone());
        let (has_cover, has_label) = (queued.has_cover, self.with_label);
        Ok(vec![item.emit(Printed { files, attachments, has_cover, has_label })])
    }
}

/// Says that an item was handed over to the post office.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchPostalItem {
    /// Who took it along; Japan Post if absent.
    #[serde(default)]
    pub carrier: Carrier,
    /// Where the service or the carrier has one, it must be there: 11 to 13 digits, hyphens as you like, the last a check digit.
    #[serde(default)]
    pub tracking_number: String,
    /// Really paid, 1 to 100,000 yen; what was estimated if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub postage: Option<Money>,
    /// Today if absent; not in the future.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub dispatched_on: Option<Date>,
}

impl Command for DispatchPostalItem {
    type On = On<PostalItem>;
    const NAME: &'static str = "dispatch_postal_item";
    const ROUTE: Route = Route::post("/v1/postal-items/{id}/dispatch");
    const PERMISSION: Permission = Permission("postal_item.handle");
    const REJECTS: &'static [&'static str] = &[
        "postal_item.unknown", "postal_item.wrong_state", "postal_item.tracking_required", "postal_item.not_tracked",
        "postal_item.bad_tracking", "postal_item.bad_check_digit", "postal_item.bad_postage", "postal_item.bad_day",
        "text.too_long", "text.control_character",
    ];
    fn decide(self, item: &On<PostalItem>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        const AT: &str = "/tracking_number";
        let typed = text::optional_line(&self.tracking_number, AT, 40)?;
        let queued = item.at(&[PostalStatus::Printed])?;
        let carrier = self.carrier;
        let tracking_number = match (typed.is_empty(), carrier == Carrier::Sagawa || is_tracked(queued)) {
            (true, true) => return Err(Rejection::at("postal_item.tracking_required", AT)),
            (false, false) => return Err(Rejection::at("postal_item.not_tracked", AT)),
            (true, false) => String::new(),
            (false, true) => tracking_number(&typed).ok_or(Rejection::at("postal_item.bad_tracking", AT))?,
        };
        if !tracking_number.is_empty() && !has_right_digit(&tracking_number) {
            return Err(Rejection::at("postal_item.bad_check_digit", AT));
        }
        let postage = self.postage.unwrap_or(queued.postage);
        if !(1..=POSTAGE_MAX).contains(&postage.amount) {
            return Err(Rejection::at("postal_item.bad_postage", "/postage"));
        }
        let dispatched_on = day(self.dispatched_on, "/dispatched_on", ctx)?;
        Ok(vec![item.emit(Dispatched { carrier, tracking_number, postage, dispatched_on })])
    }
}

/// Says that an item came back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnPostalItem {
    /// Why, as the post office wrote on it.
    pub reason: ReturnReason,
    /// Today if absent; not in the future, not before it was handed over.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub returned_on: Option<Date>,
}

impl Command for ReturnPostalItem {
    type On = On<PostalItem>;
    const NAME: &'static str = "return_postal_item";
    const ROUTE: Route = Route::post("/v1/postal-items/{id}/return");
    const PERMISSION: Permission = Permission("postal_item.handle");
    const REJECTS: &'static [&'static str] = &["postal_item.unknown", "postal_item.wrong_state", "postal_item.bad_day"];
    fn decide(self, item: &On<PostalItem>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        item.at(&[PostalStatus::Dispatched])?;
        let returned_on = day(self.returned_on, "/returned_on", ctx)?;
        if item.dispatched.as_ref().is_some_and(|out| returned_on < out.dispatched_on) {
            return Err(Rejection::at("postal_item.bad_day", "/returned_on"));
        }
        Ok(vec![item.emit(Returned { reason: self.reason, returned_on })])
    }
}

/// Stops an item, as long as it was not handed over: a printed one is taken out of its envelope.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelPostalItem {
    /// Shown in the trail, at most 400 characters.
    #[serde(default)]
    pub reason: String,
}

impl Command for CancelPostalItem {
    type On = On<PostalItem>;
    const NAME: &'static str = "cancel_postal_item";
    const ROUTE: Route = Route::post("/v1/postal-items/{id}/cancel");
    const PERMISSION: Permission = Permission("postal_item.queue");
    const REJECTS: &'static [&'static str] =
        &["postal_item.unknown", "postal_item.wrong_state", "text.too_long", "text.control_character"];
    fn decide(self, item: &On<PostalItem>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let reason = text::optional_line(&self.reason, "/reason", 400)?;
        item.at(&[PostalStatus::Queued, PostalStatus::Printed])?;
        Ok(vec![item.emit(Cancelled { reason })])
    }
}

/// Queues an item again that came back, under a corrected address. Service and postage stay.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequeuePostalItem {
    /// Where it goes now.
    pub to: AddressInput,
    /// Where in the company, at most 80 characters.
    #[serde(default)]
    pub department: String,
    /// Whose hands in the company, without 様; at most 80 characters.
    #[serde(default)]
    pub attention: String,
    /// On the cover sheet, at most 600 characters.
    #[serde(default)]
    pub message: String,
}

impl Command for RequeuePostalItem {
    type On = WithPapers;
    const NAME: &'static str = "requeue_postal_item";
    const ROUTE: Route = Route::post("/v1/postal-items/{id}/requeue");
    const PERMISSION: Permission = Permission("postal_item.queue");
    const REJECTS: &'static [&'static str] = &[
        "postal_item.unknown", "postal_item.wrong_state", "postal_item.document_changed",
        "postal_item.bad_postal_code", "text.required", "text.too_long", "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn linked(&self, item: &On<PostalItem>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(papers(item))
    }
    fn decide(self, (item, papers): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let to = PostalAddress {
            department: text::optional_line(&self.department, "/department", 80)?,
            attention: text::optional_line(&self.attention, "/attention", 80)?,
            message: text::prose(&self.message, "/message", 600)?,
            ..self.to.check("/to")?
        };
        let queued = item.at(&[PostalStatus::Returned])?;
        unchanged(&queued.files, papers)?;
        let subject = queued.recipient.subject;
        Ok(vec![item.emit(Requeued { recipient: ctx.seal(subject, &to) })])
    }
}
