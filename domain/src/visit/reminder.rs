//! A mail to the visitor on the day before: of a period pass, before its first day and the first of every week. One a day
//! would be read by nobody.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Reminded, Visit, Weekday};
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::date::{DAY_US, Date, ZONE_S, parse_instant};
use crate::role::Permission;

/// When a visitor is reminded of a visit that starts then, microseconds UTC: at 9 in the morning of the day before in
/// Japan, which is midnight UTC.
pub fn reminds_at_us(starts_at_us: i64) -> i64 {
    i64::from(Date::at(starts_at_us, ZONE_S).plus(-1).0) * DAY_US
}

impl Visit {
    /// Of which start on this day a visitor is reminded, microseconds UTC.
    pub fn reminds_of(&self, day: Date) -> Option<i64> {
        if self.weekdays.is_empty() {
            return (day == self.first_day()).then_some(self.starts_at_us);
        }
        let hours = self.hours(day)?;
        let is_first = self.next_hours(self.first_day()).as_ref() == Some(&hours);
        let begins_week = self.weekdays.first() == Some(&Weekday::of(day));
        (is_first || begins_week).then_some(hours.start)
    }
}

/// Reminds a visitor. What was called off, moved, begun, or reminded of before is left alone.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemindVisitor {
    /// Of which start, RFC 3339.
    pub starts_at: String,
}

impl Command for RemindVisitor {
    type On = On<Visit>;
    const NAME: &'static str = "remind_visitor";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("visit.remind");
    const REJECTS: &'static [&'static str] = &["visit.unknown"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        let is_right = |at: &i64| visit.reminds_of(Date::at(*at, ZONE_S)) == Some(*at);
        let Some(starts_at_us) = parse_instant(&self.starts_at).filter(is_right) else { return Ok(vec![]) };
        let is_due = visit.must_be_ahead(ctx).is_ok()
            && visit.reminded_of_us != Some(starts_at_us)
            && (reminds_at_us(starts_at_us)..starts_at_us).contains(&ctx.now_us);
        Ok(if is_due { vec![visit.emit(Reminded { starts_at_us })] } else { vec![] })
    }
}
