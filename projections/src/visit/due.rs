//! Visits that something is to be done with: visitors to remind, a member's calendar.

use keiin_domain::date::{DAY_US, Date, ZONE_S};
use keiin_domain::visit::{Weekday, reminds_at_us};
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use uuid::Uuid;

use super::{VisitView, from, of_members, view};
use crate::query::{Filter, Read, Refusal, Who, day_start_us};
use crate::view::{Row, Seen, Time, col};

/// A visitor who is to be reminded now.
#[derive(Clone, Copy, Debug)]
pub struct Reminder {
    /// Of which company.
    pub ledger: Uuid,
    /// Which visit.
    pub id: Uuid,
    /// Of which start.
    pub starts_at: Time,
    /// Position of the last record about it.
    pub position: u64,
}

/// Whom to remind, of all companies: of what begins later today, after a stop, and of what begins tomorrow. Visitors without
/// an address are left alone, and so is what was registered or moved when the time to remind was over: a pass went out with
/// the day on it. Of which days a visitor is reminded says [`keiin_domain::visit::Visit::reminds_of`].
pub fn reminders(read: &Read, now_us: i64, limit: usize) -> Result<Vec<Reminder>, Refusal> {
    let today = Date::at(now_us, ZONE_S);
    let mut found = vec![];
    for day in [today, today.plus(1)] {
        let reminds_at = reminds_at_us(day_start_us(day));
        if reminds_at <= now_us {
            found.extend(reminders_of(read, day, reminds_at, now_us, limit)?);
        }
    }
    Ok(found)
}

fn reminders_of(
    read: &Read,
    day: Date,
    reminds_at_us: i64,
    now_us: i64,
    limit: usize,
) -> Result<Vec<Reminder>, Refusal> {
    // A period pass begins each day at the same time of day.
    let start = format!("($1 + (first_at + {ZONE_S}000000) % {DAY_US})");
    let sql = format!(
        "SELECT ledger, id, {start} AS starts_at, position FROM visits
         WHERE (state = 'expected' OR (weekdays <> '' AND state IN ('arrived', 'left'))) AND visitor_email <> ''
           AND first_at < $2 AND over_at >= $2 AND (first_at >= $1 OR weekdays LIKE $3) AND {start} > $4
           AND planned_at < $5 AND coalesce(reminded_of, 0) < $1 ORDER BY first_at, id LIMIT $6"
    );
    let (begins_us, ends_us) = (day_start_us(day), day_start_us(day.plus(1)));
    let begins_week = format!("{}%", Weekday::of(day).name());
    let values = values![begins_us, ends_us, begins_week, now_us, reminds_at_us, limit as u64];
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, &sql, &values)?))?;
    let reminder = |row: &Row| {
        Ok(Reminder {
            ledger: row.get(0)?,
            id: row.get(1)?,
            starts_at: col(row, "starts_at")?,
            position: col(row, "position")?,
        })
    };
    Ok(rows.iter().map(reminder).collect::<Seen<_>>()?)
}

/// Visits to a member, or registered by them, that end after this time and before that, the latest first.
pub fn concerning(
    read: &Read,
    who: &Who,
    member: Uuid,
    from_us: i64,
    to_us: i64,
    most: usize,
) -> Result<Vec<VisitView>, Refusal> {
    let filter = Filter::new()
        .and("t.walk_in = ?", Some(false))
        .and("t.ends_at >= ?", Some(from_us))
        .and("t.starts_at < ?", Some(to_us));
    read.some(who, &from(), of_members(filter, vec![member], true, "id"), most, view)
}
