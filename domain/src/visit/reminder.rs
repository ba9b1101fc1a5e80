//! A mail to the visitor on the day before.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Reminded, Visit, VisitStatus};
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::date::{DAY_US, Date, ZONE_S, parse_instant};
use crate::role::Permission;

/// When a visitor is reminded of a visit that starts then, microseconds UTC: at 9 in the morning of the day before in
/// Japan, which is midnight UTC.
pub fn reminds_at_us(starts_at_us: i64) -> i64 {
    i64::from(Date::at(starts_at_us, ZONE_S).plus(-1).0) * DAY_US
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
        let starts_at_us = visit.starts_at_us;
        let is_due = visit.status == Some(VisitStatus::Expected)
            && parse_instant(&self.starts_at) == Some(starts_at_us)
            && visit.reminded_of_us != Some(starts_at_us)
            && (reminds_at_us(starts_at_us)..starts_at_us).contains(&ctx.now_us);
        Ok(if is_due { vec![visit.emit(Reminded { starts_at_us })] } else { vec![] })
    }
}
