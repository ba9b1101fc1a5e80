//! Recurrences: what is made every few months, and what became of each date. Nothing here is personal.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::date::Date;
use keiin_domain::recurrence::{Recurrence, RecurrenceEvent};
use keiin_domain::role::Permission;
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::document::ClientOf;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Named, Row, Seen, col, filled};

/// Dates that are shown of one recurrence, the newest.
const DATES_SHOWN: u32 = 100;

/// One row a recurrence. `next_on` is NULL once there is no date any more.
pub static RECURRENCES: Table = Table {
    name: "recurrences",
    key: &[blob("id")],
    columns: &[
        blob("set_up_by"),
        blob("template_id"),
        blob("client_id"),
        text("document_type"),
        int("every_months"),
        int("day"),
        int("starts_on"),
        int("ends_on"),
        text("mode"),
        int("next_on"),
        text("status"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "status, next_on", "client_id", "template_id"],
    only_grows: false,
};

/// One row a date that came.
pub static DATES: Table = Table {
    name: "recurrence_dates",
    key: &[blob("recurrence_id"), int("date")],
    columns: &[blob("document_id"), int("issued"), text("code")],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection =
    Projection { name: "recurrence", revision: 2, tables: &[&RECURRENCES, &DATES], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Recurrence::STREAM {
        return Ok(());
    }
    // A date is the last where no other follows.
    let then = |next_on: Option<Date>| {
        [("next_on", cell(next_on)), ("status", cell(if next_on.is_some() { "active" } else { "ended" }))]
    };
    let mut came = |date: Date, document: Option<Uuid>, issued: bool, code: String| {
        let columns = [("document_id", cell(document)), ("issued", cell(issued)), ("code", cell(code))];
        out.put(&DATES, [fact.id(), cell(date)], columns);
    };
    match fact.read()? {
        RecurrenceEvent::SetUp(e) => {
            let columns = [
                ("set_up_by", cell(e.by)),
                ("template_id", cell(e.template_id)),
                ("client_id", cell(e.client_id)),
                ("document_type", cell(e.document_type.name())),
                ("every_months", cell(e.cadence.every_months)),
                ("day", cell(e.cadence.day)),
                ("starts_on", cell(e.cadence.starts_on)),
                ("ends_on", cell(e.cadence.ends_on)),
                ("mode", cell(e.mode.name())),
                ("next_on", cell(e.next_on)),
                ("status", cell("active")),
            ];
            out.born(&RECURRENCES, fact, columns);
        }
        RecurrenceEvent::Changed(e) => {
            let columns = [
                ("set_up_by", cell(e.by)),
                ("template_id", cell(e.template_id)),
                ("document_type", cell(e.document_type.name())),
                ("every_months", cell(e.cadence.every_months)),
                ("day", cell(e.cadence.day)),
                ("starts_on", cell(e.cadence.starts_on)),
                ("ends_on", cell(e.cadence.ends_on)),
                ("mode", cell(e.mode.name())),
                ("next_on", cell(e.next_on)),
            ];
            out.changed(&RECURRENCES, fact, columns);
        }
        RecurrenceEvent::Paused(_) => out.changed(&RECURRENCES, fact, [("status", cell("paused"))]),
        RecurrenceEvent::Resumed(e) => out.changed(&RECURRENCES, fact, then(e.next_on)),
        RecurrenceEvent::Ended(_) => out.changed(&RECURRENCES, fact, then(None)),
        RecurrenceEvent::Fired(e) => {
            came(e.date, Some(e.document_id), e.issued, e.code);
            out.changed(&RECURRENCES, fact, then(e.next_on));
        }
        RecurrenceEvent::Failed(e) => {
            came(e.date, None, false, e.code);
            out.changed(&RECURRENCES, fact, then(e.next_on));
        }
    }
    Ok(())
}

/// A date that has come and is not done.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Of which company.
    pub ledger: Uuid,
    /// Which recurrence.
    pub id: Uuid,
    /// Which date.
    pub date: Date,
    /// On whose behalf; nobody's, where a program set it up.
    pub by: Option<Uuid>,
    /// Position of the record that set it up.
    pub since: u64,
}

/// What is due, of all companies, the oldest first.
pub fn due(read: &Read, today: Date, limit: usize) -> Result<Vec<Due>, Refusal> {
    let sql = "SELECT r.ledger, r.id, r.next_on, m.id, r.since FROM recurrences r
               LEFT JOIN members m ON m.ledger = r.ledger AND m.id = r.set_up_by
               WHERE r.status = 'active' AND r.next_on <= $1 ORDER BY r.next_on, r.id LIMIT $2";
    let today = i64::from(today.0);
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![today, limit as u64])?))?;
    let due = |row: &Row| {
        Ok(Due {
            ledger: row.get(0)?,
            id: row.get(1)?,
            date: col(row, "next_on")?,
            by: row.get(3)?,
            since: row.get(4)?,
        })
    };
    Ok(rows.iter().map(due).collect::<Seen<_>>()?)
}

/// A recurrence, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecurrenceView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Who set it up or changed it last, on whose behalf the server acts: a member, or a program.
    pub set_up_by: Uuid,
    /// From which template, as it is called today.
    pub template: Named,
    /// The template's.
    pub document_type: String,
    /// To whom, as the client is called today.
    pub client: ClientOf,
    /// Months from one date to the next.
    pub every_months: u8,
    /// 1 to 28, or 31 for the month's last.
    pub day: u8,
    /// The first date is not before it.
    pub starts_on: Date,
    /// The last day that can be a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_on: Option<Date>,
    /// `draft` or `issue`.
    pub mode: String,
    /// `active`, `paused` or `ended`.
    pub status: String,
    /// The next date, while it is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_on: Option<Date>,
    /// What became of its newest 100 dates, the newest first. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<Vec<DateView>>,
}

/// What became of a date.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DateView {
    /// Which.
    pub date: Date,
    /// `issued`, `draft` or `failed`.
    pub outcome: &'static str,
    /// Its document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<Uuid>,
    /// The document's number, from the issue on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Why there is none, or why it stayed a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Recurrences with the names of their templates and clients.
pub const FROM: &str = "(SELECT r.*, t.name AS template_name, c.name AS client_name, c.honorific AS client_honorific
     FROM recurrences r LEFT JOIN templates t ON t.ledger = r.ledger AND t.id = r.template_id
     LEFT JOIN clients c ON c.ledger = r.ledger AND c.id = r.client_id)";

fn view(row: &Row) -> Seen<RecurrenceView> {
    let status: String = col(row, "status")?;
    let next_on: Option<Date> = col(row, "next_on")?;
    Ok(RecurrenceView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        set_up_by: col(row, "set_up_by")?,
        template: Named { id: col(row, "template_id")?, name: col(row, "template_name")? },
        document_type: col(row, "document_type")?,
        client: ClientOf {
            id: col(row, "client_id")?,
            name: col::<Option<_>>(row, "client_name")?.unwrap_or_default(),
            honorific: col::<Option<_>>(row, "client_honorific")?.unwrap_or_default(),
        },
        every_months: col(row, "every_months")?,
        day: col(row, "day")?,
        starts_on: col(row, "starts_on")?,
        ends_on: col(row, "ends_on")?,
        mode: col(row, "mode")?,
        next_on: next_on.filter(|_| status == "active"),
        status,
        dates: None,
    })
}

fn date(row: &Row) -> Seen<DateView> {
    let document_id: Option<Uuid> = col(row, "document_id")?;
    let outcome = match (document_id, col(row, "issued")?) {
        (None, _) => "failed",
        (Some(_), true) => "issued",
        (Some(_), false) => "draft",
    };
    let (number, code) = (col(row, "number")?, filled(col(row, "code")?));
    Ok(DateView { date: col(row, "date")?, outcome, document_id, number, code })
}

/// All recurrences, newest first.
pub struct ListRecurrences;

impl Query for ListRecurrences {
    const NAME: &'static str = "list_recurrences";
    const PATH: &'static str = "/v1/recurrences";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["active", "paused", "ended"]) },
        Param { name: "client_id", kind: Kind::Id },
        Param { name: "template_id", kind: Kind::Id },
    ];
    const LIST: bool = true;
    type Answer = Listing<RecurrenceView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new()
            .and("t.status = ?", params.text("status"))
            .and("t.client_id = ?", params.id("client_id"))
            .and("t.template_id = ?", params.id("template_id"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, "recurrences", Filter::new())?, ..page })
    }
}

/// One recurrence with what became of its dates.
pub struct GetRecurrence;

impl Query for GetRecurrence {
    const NAME: &'static str = "get_recurrence";
    const PATH: &'static str = "/v1/recurrences/{id}";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = RecurrenceView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let recurrence = read.one(who, FROM, params.id("id"), view)?;
        let sql = "SELECT x.date, x.document_id, x.issued, x.code, d.number FROM recurrence_dates x
            LEFT JOIN documents d ON d.ledger = x.ledger AND d.id = x.document_id
            WHERE x.ledger = :ledger AND x.recurrence_id = ? ORDER BY x.date DESC LIMIT ?";
        let dates = read.rows(who, sql, vec![cell(recurrence.id), cell(DATES_SHOWN)], date)?;
        Ok(RecurrenceView { dates: Some(dates), ..recurrence })
    }
}
