//! Recurrences: a template becomes a document for a client every few months, by itself.
//!
//! Each date has one document or one failure: what the timer does is decided on the recurrence's own stream, in the same
//! append as the draft. Events say which date is next, so no reader computes it from a clock.
//!
//! What makes a create unique: nothing but its id; a client may get two of the same.

mod cadence;
mod change;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::cadence::{Cadence, LAST_DAY};
pub use self::change::{ChangeRecurrence, Changed};
use crate::client::Client;
use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::Date;
use crate::document::{Approval, Document, DocumentType, number_and_issue};
use crate::role::Permission;
use crate::series::{Series, series_id};
use crate::template::Template;
use crate::tenant::Tenant;
use crate::{codes, events};

/// Most months from one date to the next.
pub const EVERY_MONTHS_MAX: u8 = 60;
/// A date that is noticed more than this many days late gets no document any more.
pub const LATE_DAYS: i32 = 366;
/// What a date that was too late failed with.
pub const TOO_LATE: &str = "recurrence.too_late";
const ISSUE: Permission = Permission("document.issue");

events! {
    /// What happens to a recurrence.
    RecurrenceEvent {
        SetUp = "recurrence.set_up" v 1;
        Changed = "recurrence.changed" v 1;
        Paused = "recurrence.paused" v 1;
        Resumed = "recurrence.resumed" v 1;
        Ended = "recurrence.ended" v 1;
        Fired = "recurrence.fired" v 1;
        Failed = "recurrence.failed" v 1;
    }
}

codes! {
    /// What is made of a date.
    Mode {
        /// A draft.
        Draft = 1 "draft",
        /// An issued document, where the company's rules let it be issued as it is.
        Issue = 2 "issue",
    }
}

/// A new recurrence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetUp {
    /// Whose order it is: a member's, on whose behalf the server acts, or a program's.
    pub by: Uuid,
    /// From which.
    pub template_id: Uuid,
    /// The template's, which never changes.
    pub document_type: DocumentType,
    /// To whom.
    pub client_id: Uuid,
    /// When.
    pub cadence: Cadence,
    /// A draft, or more.
    pub mode: Mode,
    /// The first date.
    pub next_on: Date,
}

/// Dates pass without documents from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Paused {}

/// It goes on; dates that passed meanwhile are left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resumed {
    /// The next date; `None` = there is none any more.
    pub next_on: Option<Date>,
}

/// No more dates, for good.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {}

/// A date has its document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fired {
    /// The date.
    pub date: Date,
    /// The document.
    pub document_id: Uuid,
    /// Was it issued as well?
    pub issued: bool,
    /// Why it stayed a draft though it was to be issued: a rule's code, or empty.
    pub code: String,
    /// The next date; `None` = there is none any more.
    pub next_on: Option<Date>,
}

/// A date has no document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// The date.
    pub date: Date,
    /// Why: a rule's code.
    pub code: String,
    /// The next date; `None` = there is none any more.
    pub next_on: Option<Date>,
}

/// State of a recurrence.
#[derive(Debug, Default)]
pub struct Recurrence {
    /// `None` before anything happened.
    pub plan: Option<SetUp>,
    /// The next date, also while it is paused; `None` = there is none any more.
    pub next_on: Option<Date>,
    /// No documents for now.
    pub paused: bool,
    /// The last date that has come, with a document or without.
    pub last_on: Option<Date>,
}

impl Aggregate for Recurrence {
    type Event = RecurrenceEvent;
    const STREAM: &'static str = "recurrence";
    fn apply(&mut self, event: RecurrenceEvent) {
        match event {
            RecurrenceEvent::SetUp(e) => (self.next_on, self.plan) = (Some(e.next_on), Some(e)),
            RecurrenceEvent::Changed(e) => {
                self.next_on = Some(e.next_on);
                if let Some(plan) = &mut self.plan {
                    let Changed { by, template_id, document_type, cadence, mode, next_on } = e;
                    *plan = SetUp { by, template_id, document_type, cadence, mode, next_on, client_id: plan.client_id };
                }
            }
            RecurrenceEvent::Paused(_) => self.paused = true,
            RecurrenceEvent::Resumed(Resumed { next_on }) => (self.next_on, self.paused) = (next_on, false),
            RecurrenceEvent::Ended(_) => self.next_on = None,
            RecurrenceEvent::Fired(Fired { date, next_on, .. })
            | RecurrenceEvent::Failed(Failed { date, next_on, .. }) => {
                (self.last_on, self.next_on) = (Some(date), next_on);
            }
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<RecurrenceEvent> {
        tests::samples()
    }
}

impl On<Recurrence> {
    fn going(&self) -> Result<&SetUp, Rejection> {
        let plan = self.plan.as_ref().ok_or(Rejection::new("recurrence.unknown"))?;
        if self.next_on.is_none() { Err(Rejection::new("recurrence.over")) } else { Ok(plan) }
    }
}

/// What issues by itself is set up by whoever may issue.
fn may(mode: Mode, ctx: &Context) -> Result<(), Rejection> {
    match mode {
        Mode::Issue if !ctx.actor.may(ISSUE) => Err(Rejection::at("recurrence.may_not_issue", "/mode")),
        _ => Ok(()),
    }
}

/// Makes a document of a template for a client every few months, by itself.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUpRecurrence {
    /// From which.
    pub template_id: Uuid,
    /// To whom.
    pub client_id: Uuid,
    /// Months from one date to the next, 1 to 60.
    pub every_months: u8,
    /// 1 to 28, or 31 for the month's last, whichever that is.
    pub day: u8,
    /// The first date is the first such day from here on; not before today.
    pub starts_on: Date,
    /// The last day that can be a date; absent = without end.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub ends_on: Option<Date>,
    /// `issue` asks for the right to issue.
    pub mode: Mode,
}

impl Command for SetUpRecurrence {
    type On = (On<Recurrence>, On<Template>, On<Client>);
    const NAME: &'static str = "set_up_recurrence";
    const ROUTE: Route = Route::create("/v1/recurrences");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "recurrence.may_not_issue", "recurrence.bad_interval", "recurrence.bad_day", "recurrence.starts_in_past",
        "recurrence.no_date", "document.unknown_template", "document.template_archived", "document.unknown_client",
        "document.client_archived",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.template_id, self.client_id])
    }
    fn decide(self, (recurrence, template, client): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let SetUpRecurrence { template_id, client_id, every_months, day, starts_on, ends_on, mode } = self;
        may(mode, ctx)?;
        let document_type = template.usable()?.document_type;
        client.addressable()?;
        change::checked(every_months, day)?;
        if starts_on < ctx.today {
            return Err(Rejection::at("recurrence.starts_in_past", "/starts_on"));
        }
        let cadence = Cadence { every_months, day, starts_on, ends_on };
        let next_on = cadence.next(starts_on).ok_or(Rejection::at("recurrence.no_date", "/ends_on"))?;
        let by = ctx.member.unwrap_or(ctx.actor.id);
        let set_up = SetUp { by, template_id, document_type, client_id, cadence, mode, next_on };
        Ok(vec![recurrence.emit(set_up)])
    }
}

/// Lets dates pass without documents until it is resumed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRecurrence {}

impl Command for PauseRecurrence {
    type On = On<Recurrence>;
    const NAME: &'static str = "pause_recurrence";
    const ROUTE: Route = Route::post("/v1/recurrences/{id}/pause");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &["recurrence.unknown", "recurrence.over", "recurrence.already_paused"];
    fn decide(self, recurrence: &On<Recurrence>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        recurrence.going()?;
        if recurrence.paused {
            return Err(Rejection::new("recurrence.already_paused"));
        }
        Ok(vec![recurrence.emit(Paused {})])
    }
}

/// Goes on with the first date from today on; those that passed meanwhile are left out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRecurrence {}

impl Command for ResumeRecurrence {
    type On = On<Recurrence>;
    const NAME: &'static str = "resume_recurrence";
    const ROUTE: Route = Route::post("/v1/recurrences/{id}/resume");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] =
        &["recurrence.unknown", "recurrence.over", "recurrence.not_paused", "recurrence.may_not_issue"];
    fn decide(self, recurrence: &On<Recurrence>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let plan = recurrence.going()?;
        if !recurrence.paused {
            return Err(Rejection::new("recurrence.not_paused"));
        }
        may(plan.mode, ctx)?;
        let from = recurrence.next_on.map_or(ctx.today, |next| next.max(ctx.today));
        Ok(vec![recurrence.emit(Resumed { next_on: plan.cadence.next(from) })])
    }
}

/// Ends a recurrence for good; its documents stay.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndRecurrence {}

impl Command for EndRecurrence {
    type On = On<Recurrence>;
    const NAME: &'static str = "end_recurrence";
    const ROUTE: Route = Route::post("/v1/recurrences/{id}/end");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &["recurrence.unknown", "recurrence.over"];
    fn decide(self, recurrence: &On<Recurrence>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        recurrence.going()?;
        Ok(vec![recurrence.emit(Ended {})])
    }
}

/// What the timer does with a date that has come. Nothing, where it was done already or is not to be done any more.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FireRecurrence {
    /// Which.
    pub date: Date,
}

impl Command for FireRecurrence {
    type On = (On<Recurrence>, On<Template>, On<Client>, On<Tenant>, On<Document>, On<Series>);
    const NAME: &'static str = "fire_recurrence";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("recurrence.fire");
    const REJECTS: &'static [&'static str] = &["recurrence.unknown"];
    fn linked(&self, recurrence: &On<Recurrence>, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let plan = recurrence.plan.as_ref().ok_or(Rejection::new("recurrence.unknown"))?;
        let series = series_id(plan.document_type, ctx);
        Ok(vec![plan.template_id, plan.client_id, ctx.tenant, ctx.fresh_id(), series])
    }
    fn decide(self, on: &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let (recurrence, template, client, tenant, document, series) = on;
        let plan = recurrence.plan.as_ref().ok_or(Rejection::new("recurrence.unknown"))?;
        let date = self.date;
        if recurrence.paused || recurrence.next_on != Some(date) || date > ctx.today {
            return Ok(vec![]);
        }
        let next_on = plan.cadence.next(date.plus(1));
        let drafted = || {
            if ctx.today.0 - date.0 > LATE_DAYS {
                return Err(Rejection::new(TOO_LATE));
            }
            client.addressable()?;
            template.usable()?.draft(plan.client_id, date, tenant.tax_rounding)
        };
        let drafted = match drafted() {
            Ok(drafted) => drafted,
            Err(Rejection { code, .. }) => {
                return Ok(vec![recurrence.emit(Failed { date, code: code.into(), next_on })]);
            }
        };
        let mut emits = vec![document.emit(drafted.clone())];
        let (mut issued, mut code) = (false, String::new());
        if plan.mode == Mode::Issue {
            match number_and_issue(document, &drafted, Approval::None, (series, tenant, client), ctx) {
                Ok(more) => (issued, emits) = (true, [emits, more].concat()),
                Err(refused) => code = refused.code.into(),
            }
        }
        emits.push(recurrence.emit(Fired { date, document_id: document.id, issued, code, next_on }));
        Ok(emits)
    }
}
