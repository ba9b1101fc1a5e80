//! Other terms for a recurrence. The client stays: for another one it is another recurrence.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Cadence, EVERY_MONTHS_MAX, LAST_DAY, Mode, Recurrence, may};
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::Date;
use crate::document::DocumentType;
use crate::role::Permission;
use crate::template::Template;

/// Everything after the change, except the client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Whose order it is from now on: a member's, on whose behalf the server acts, or a program's.
    pub by: Uuid,
    /// From which.
    pub template_id: Uuid,
    /// The template's, which never changes.
    pub document_type: DocumentType,
    /// When.
    pub cadence: Cadence,
    /// A draft, or more.
    pub mode: Mode,
    /// The next date, also while it is paused.
    pub next_on: Date,
}

/// Replaces what a recurrence makes and when, from its next date on. What was made stays, and no date comes twice.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRecurrence {
    /// From which.
    pub template_id: Uuid,
    /// Months from one date to the next, 1 to 60.
    pub every_months: u8,
    /// 1 to 28, or 31 for the month's last, whichever that is.
    pub day: u8,
    /// The next date is the first such day from here on; not before today, and after the last date that has come. Absent: it
    /// stays in the month in which it was to be, or comes as soon after as it can.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub starts_on: Option<Date>,
    /// The last day that can be a date; absent = without end.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub ends_on: Option<Date>,
    /// `issue` asks for the right to issue.
    pub mode: Mode,
}

impl Command for ChangeRecurrence {
    type On = (On<Recurrence>, On<Template>);
    const NAME: &'static str = "change_recurrence";
    const ROUTE: Route = Route::put("/v1/recurrences/{id}");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "recurrence.unknown", "recurrence.over", "recurrence.may_not_issue", "recurrence.bad_interval",
        "recurrence.bad_day", "recurrence.starts_in_past", "recurrence.no_date", "document.unknown_template",
        "document.template_archived",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.template_id])
    }
    fn decide(self, (recurrence, template): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let ChangeRecurrence { template_id, every_months, day, starts_on, ends_on, mode } = self;
        let plan = recurrence.going()?;
        // Whoever may not issue changes nothing of what issues by itself.
        may(plan.mode, ctx)?;
        may(mode, ctx)?;
        let document_type = template.usable()?.document_type;
        checked(every_months, day)?;
        let earliest = recurrence.last_on.map_or(ctx.today, |last| last.plus(1).max(ctx.today));
        if starts_on.is_some_and(|start| start < ctx.today) {
            return Err(Rejection::at("recurrence.starts_in_past", "/starts_on"));
        }
        let month_of = |date: Date| Date::of(date.ymd().0, date.ymd().1, 1);
        let asked = starts_on.or(recurrence.next_on.map(month_of));
        let cadence =
            Cadence { every_months, day, starts_on: asked.map_or(earliest, |day| day.max(earliest)), ends_on };
        let next_on = cadence.next(cadence.starts_on).ok_or(Rejection::at("recurrence.no_date", "/ends_on"))?;
        let by = ctx.member.unwrap_or(ctx.actor.id);
        Ok(vec![recurrence.emit(Changed { by, template_id, document_type, cadence, mode, next_on })])
    }
}

/// How often, and on which day.
pub(super) fn checked(every_months: u8, day: u8) -> Result<(), Rejection> {
    if !(1..=EVERY_MONTHS_MAX).contains(&every_months) {
        return Err(Rejection::at("recurrence.bad_interval", "/every_months"));
    }
    if !matches!(day, 1..=28 | LAST_DAY) {
        return Err(Rejection::at("recurrence.bad_day", "/day"));
    }
    Ok(())
}
