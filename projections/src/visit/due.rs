//! Visits that something is to be done with: visitors to remind, a member's calendar.

use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use uuid::Uuid;

use super::{VisitView, from, of_members, view};
use crate::query::{Filter, Read, Refusal, Who};
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

/// Whom to remind, of all companies, the longest due first. Visitors without an address are left alone.
pub fn reminders(read: &Read, now_us: i64, limit: usize) -> Result<Vec<Reminder>, Refusal> {
    let sql = "SELECT ledger, id, starts_at, position FROM visits WHERE state = 'expected' AND remind_at <= $1
                 AND starts_at > $1 AND visitor_email <> '' ORDER BY remind_at, id LIMIT $2";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![now_us, limit as u64])?))?;
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
