//! Visits: who is expected, who is in the house, who came and left. Nobody came = the visit is still expected and its last
//! day in Japan is over; that is computed when asked.
//!
//! Times of arrival and leaving are shown as they were corrected last; what the records said is beside them.

mod after;
mod due;
mod figures;
mod history;
mod views;

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::date::{Date, ZONE_S};
use keiin_domain::reception::{Agreed, Answers};
use keiin_domain::role::{Permission, Role};
use keiin_domain::sealed::{Person, Sealed};
use keiin_domain::visit::{CO_HOSTS_MAX, Matched, ScreeningFailed, VISITORS_MAX, Visit, VisitEvent, Weekday};
use keiin_eventlog::record::Hash;
use uuid::Uuid;

pub use self::after::*;
pub use self::due::{Reminder, concerning, reminders};
pub use self::figures::*;
pub use self::history::*;
pub use self::views::*;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who, day_start_us};
use crate::runner::Projection;
use crate::search;
use crate::table::{Columns, Table, Value, Writes, blob, cell, int, personal, text};
use crate::view::{Json, Named, Row, Seen, SqlError, Time, col, filled, json};

/// One row a visit, listed by its start. Its codes are in no read model.
pub static VISITS: Table = Table {
    name: "visits",
    key: &[blob("id")],
    columns: &[
        blob("subject"),
        personal("visitor_name"),
        personal("visitor_kana"),
        personal("visitor_company"),
        personal("visitor_email"),
        personal("note"),
        text("language"),
        blob("appointment_id"),
        int("appointment_place"),
        personal("search"),
        blob("host_id"),
        blob("registered_by"),
        text("location"),
        text("location_search"),
        int("starts_at"),
        int("ends_at"),
        text("weekdays"),
        int("over_at"),
        int("sequence"),
        int("first_at"),
        int("planned_at"),
        int("reminded_of"),
        text("state"),
        int("arrived_at"),
        int("left_at"),
        int("recorded_arrived_at"),
        int("recorded_left_at"),
        text("correction"),
        int("walk_in"),
        int("late"),
        int("people"),
        personal("answers"),
        text("consent"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "state, over_at", "host_id, since", "appointment_id"],
    only_grows: false,
};

/// One row a member beside the host.
pub static HOSTS: Table = Table {
    name: "visit_hosts",
    key: &[blob("visit_id"), int("n")],
    columns: &[blob("member_id")],
    indexes: &["member_id, visit_id"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "visit", revision: 4, tables: &[&VISITS, &HOSTS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Visit::STREAM {
        return Ok(());
    }
    // A kiosk that was cut off says later when a visitor came.
    let now = cell(fact.happened_us());
    match fact.read()? {
        VisitEvent::Registered(e) => {
            beside(fact, &e.co_hosts, out);
            let mut columns = visitor(&e.visitor, keys);
            columns.extend(plan(fact, e.location, e.starts_at_us, e.ends_at_us, &e.weekdays));
            columns.extend([("host_id", cell(e.host_id)), ("registered_by", cell(e.registered_by))]);
            columns.extend(appointment(fact, &e.appointment));
            columns.push(("language", cell(e.language.map(|language| language.name()))));
            columns.extend([("state", cell("expected")), ("walk_in", cell(false)), ("late", cell(false))]);
            columns.push(("sequence", cell(0u32)));
            out.born(&VISITS, fact, columns);
        }
        VisitEvent::Changed(e) => {
            beside(fact, &e.co_hosts, out);
            let mut columns = visitor(&e.visitor, keys);
            columns.extend([("host_id", cell(e.host_id)), ("language", cell(e.language.map(|l| l.name())))]);
            if e.code.is_some() {
                columns.extend(plan(fact, e.location, e.starts_at_us, e.ends_at_us, &e.weekdays));
            }
            out.changed(&VISITS, fact, columns);
            out.add(&VISITS, [fact.id()], "sequence", 1);
        }
        VisitEvent::Rescheduled(e) => {
            out.changed(&VISITS, fact, plan(fact, e.location, e.starts_at_us, e.ends_at_us, &e.weekdays));
            out.add(&VISITS, [fact.id()], "sequence", 1);
        }
        VisitEvent::VisitorAdded(e) => out.changed(&VISITS, fact, appointment(fact, &e.appointment)),
        VisitEvent::Reminded(e) => out.changed(&VISITS, fact, [("reminded_of", cell(e.starts_at_us))]),
        VisitEvent::Corrected(e) => {
            let mut columns = e.visitor.map_or(vec![], |right| visitor(&right, keys));
            columns.push(("correction", cell(e.reason)));
            columns.extend(e.arrived_at_us.map(|at| ("arrived_at", cell(at))));
            columns.extend(e.left_at_us.map(|at| ("left_at", cell(at))));
            out.changed(&VISITS, fact, columns);
        }
        VisitEvent::Cancelled(_) => {
            out.changed(&VISITS, fact, [("state", cell("cancelled"))]);
            out.add(&VISITS, [fact.id()], "sequence", 1);
        }
        VisitEvent::CheckedIn(e) => {
            let came = [("state", cell("arrived")), ("arrived_at", now.clone()), ("late", cell(e.late))];
            let first = [("recorded_arrived_at", now), ("left_at", cell(None::<i64>))];
            let none = [("recorded_left_at", cell(None::<i64>))];
            let mut columns = [&came[..], &first, &none].concat();
            columns.extend(said(&e.answers, &e.consent, keys));
            out.changed(&VISITS, fact, columns);
        }
        VisitEvent::CheckedOut(_) => {
            let left = [("state", cell("left")), ("left_at", now.clone()), ("recorded_left_at", now)];
            out.changed(&VISITS, fact, left);
        }
        VisitEvent::WalkedIn(e) => {
            let mut columns = visitor(&e.visitor, keys);
            columns.extend([("since", now.clone()), ("starts_at", now.clone()), ("arrived_at", now.clone())]);
            columns.push(("recorded_arrived_at", now));
            columns.extend(place(e.location));
            columns.push(("host_id", cell(e.host_id)));
            columns.push(("people", cell((e.people > 0).then_some(e.people))));
            columns.extend(said(&e.answers, &e.consent, keys));
            columns.extend([("state", cell("arrived")), ("walk_in", cell(true)), ("late", cell(false))]);
            out.born(&VISITS, fact, columns);
        }
        VisitEvent::Matched(Matched { visitor: Some(sealed), location, .. })
        | VisitEvent::ScreeningFailed(ScreeningFailed { visitor: Some(sealed), location, .. }) => {
            let mut columns = visitor(&sealed, keys);
            columns.extend(place(location));
            columns.extend([("since", now.clone()), ("starts_at", now)]);
            columns.extend([("state", cell("held")), ("walk_in", cell(true)), ("late", cell(false))]);
            out.born(&VISITS, fact, columns);
        }
        VisitEvent::TurnedAway(_) => out.changed(&VISITS, fact, [("state", cell("turned_away"))]),
        // What follows an arrival has a table of its own; the version moves on.
        _ => out.changed(&VISITS, fact, []),
    }
    Ok(())
}

fn visitor(sealed: &Sealed<Person>, keys: &Opener) -> Columns {
    let person = sealed.open(keys);
    let part = |part: fn(&Person) -> &str| cell(person.as_ref().map(part));
    vec![
        ("subject", cell(sealed.subject)),
        ("visitor_name", part(|p| &p.name)),
        ("visitor_kana", part(|p| &p.kana)),
        ("visitor_company", part(|p| &p.company)),
        ("visitor_email", part(|p| &p.email)),
        ("note", part(|p| &p.note)),
        ("search", cell(person.as_ref().map(|p| search::lines(&[&p.name, &p.kana, &p.company])))),
    ]
}

/// Who else comes, and which of them this visit is.
fn appointment(fact: &Fact, visits: &[Uuid]) -> Columns {
    let place = visits.iter().position(|visit| *visit == fact.leaf.stream.id);
    vec![
        ("appointment_id", cell(visits.first().copied())),
        ("appointment_place", cell(place.map(|place| place as u64))),
    ]
}

/// What the reception asked, and what was agreed to.
fn said(answers: &Option<Sealed<Answers>>, consent: &Option<Agreed>, keys: &Opener) -> Columns {
    let answers = answers.as_ref().and_then(|sealed| sealed.open(keys)).map(|opened| json(&opened.answers));
    let consent = consent.as_ref().map(|agreed| Hash(agreed.text_hash).to_string());
    vec![("answers", cell(answers)), ("consent", cell(consent))]
}

/// Time and place; of a period pass also when it lets in first. When that was said is kept for reminders.
fn plan(fact: &Fact, location: String, starts_at_us: i64, ends_at_us: i64, weekdays: &[Weekday]) -> Columns {
    let planned = Visit { starts_at_us, ends_at_us, weekdays: weekdays.to_vec(), ..Visit::default() };
    let first_at = planned.next_hours(planned.first_day()).map_or(starts_at_us, |hours| hours.start);
    let weekdays: Vec<&str> = weekdays.iter().map(|day| day.name()).collect();
    let mut columns = vec![
        ("since", cell(starts_at_us)),
        ("starts_at", cell(starts_at_us)),
        ("ends_at", cell(ends_at_us)),
        ("weekdays", cell(weekdays.join(" "))),
        ("over_at", cell(day_start_us(Date::at(ends_at_us - 1, ZONE_S).plus(1)))),
        ("first_at", cell(first_at)),
        ("planned_at", cell(fact.time_us())),
    ];
    columns.extend(place(location));
    columns
}

fn place(location: String) -> [(&'static str, Value); 2] {
    [("location_search", cell(search::folded(&location))), ("location", cell(location))]
}

/// Members beside the host take the place of those before.
fn beside(fact: &Fact, members: &[Uuid], out: &mut Writes) {
    for n in 0..CO_HOSTS_MAX {
        let key = [fact.id(), cell(n as u64)];
        match members.get(n) {
            Some(member) => out.put(&HOSTS, key, [("member_id", cell(*member))]),
            None if fact.leaf.stream_version > 0 => out.delete(&HOSTS, key),
            None => {}
        }
    }
}

const STATUS: &str = "CASE WHEN v.state = 'expected' AND v.over_at <= :now THEN 'no_show' ELSE v.state END";

/// Visits with what is derived.
pub fn from() -> String {
    format!(
        "(SELECT v.*, m.name AS host_name, m.name_search AS host_search, r.name AS registered_by_name,
            {STATUS} AS status
          FROM visits v LEFT JOIN members m ON m.ledger = v.ledger AND m.id = v.host_id
          LEFT JOIN members r ON r.ledger = v.ledger AND r.id = v.registered_by)"
    )
}

fn view(row: &Row) -> Seen<VisitView> {
    let named = |id: &str, name: &str| {
        let id: Option<Uuid> = col(row, id)?;
        id.map(|id| Ok::<_, SqlError>(Named { id, name: col(row, name)? })).transpose()
    };
    let weekdays: Option<String> = col(row, "weekdays")?;
    Ok(VisitView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        visitor: visitor_view(row)?,
        host: named("host_id", "host_name")?,
        co_hosts: None,
        registered_by: named("registered_by", "registered_by_name")?,
        appointment_id: col(row, "appointment_id")?,
        companions: None,
        location: col(row, "location")?,
        starts_at: col(row, "starts_at")?,
        ends_at: col(row, "ends_at")?,
        weekdays: weekdays.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        language: col(row, "language")?,
        sequence: col::<Option<u32>>(row, "sequence")?.unwrap_or(0),
        status: col(row, "status")?,
        arrived_at: col(row, "arrived_at")?,
        left_at: col(row, "left_at")?,
        recorded: recorded(row)?,
        walk_in: col(row, "walk_in")?,
        late: col(row, "late")?,
        note: col::<Option<String>>(row, "note")?.and_then(filled),
        people: col(row, "people")?,
        answers: col::<Option<Json<_>>>(row, "answers")?.map(|answers| answers.0).unwrap_or_default(),
        consent: col(row, "consent")?,
        after: None,
    })
}

fn visitor_view(row: &Row) -> Seen<VisitorView> {
    let text = |column| Ok::<_, SqlError>(col::<Option<String>>(row, column)?.and_then(filled));
    let name: Option<String> = col(row, "visitor_name")?;
    Ok(VisitorView {
        erased: name.is_none(),
        name,
        kana: text("visitor_kana")?,
        company: text("visitor_company")?,
        email: text("visitor_email")?,
    })
}

fn recorded(row: &Row) -> Seen<Option<RecordedView>> {
    let Some(reason) = col::<Option<String>>(row, "correction")? else { return Ok(None) };
    let before = |recorded: &str, now: &str| {
        let (recorded, now): (Option<Time>, Option<Time>) = (col(row, recorded)?, col(row, now)?);
        Ok::<_, SqlError>(recorded.filter(|at| Some(*at) != now))
    };
    let (arrived_at, left_at) = (before("recorded_arrived_at", "arrived_at")?, before("recorded_left_at", "left_at")?);
    Ok(Some(RecordedView { arrived_at, left_at, reason }))
}

/// Of which members somebody sees the visits, and whether also those that they registered for others (RN-C45): members,
/// lawyers and viewers their own, a secretary those of the lawyers who took them on, the others all.
fn own_only(who: &Who) -> Option<(Vec<Uuid>, bool)> {
    match who.actor.role {
        Role::Member | Role::Viewer | Role::Lawyer => Some((vec![who.person()], true)),
        Role::Secretary => Some((who.acts_for.clone(), false)),
        _ => None,
    }
}

/// Narrows a list of visits to those that somebody sees. Its rows have the columns `id`, `host_id` and `registered_by`.
fn visible(filter: Filter, who: &Who) -> Filter {
    visible_by(filter, who, "id")
}

/// The same of a list whose rows have the visit's id in this column.
pub(crate) fn visible_by(filter: Filter, who: &Who, visit: &str) -> Filter {
    let Some((own, registered)) = own_only(who) else { return filter };
    of_members(filter, own, registered, visit)
}

/// Narrows a list of visits to those to these members, or registered by them.
fn of_members(filter: Filter, members: Vec<Uuid>, registered: bool, visit: &str) -> Filter {
    let of = format!("b.ledger = t.ledger AND b.visit_id = t.{visit} AND b.member_id {{in}}");
    let beside = format!("EXISTS (SELECT 1 FROM visit_hosts b WHERE {of})");
    let by = if registered { " OR t.registered_by {in}" } else { "" };
    filter.any_of(&format!("(t.host_id {{in}} OR {beside}{by})"), members)
}

/// All visits, the latest start first. `from` and `to` are days on which they start.
pub struct ListVisits;

impl Query for ListVisits {
    const NAME: &'static str = "list_visits";
    const PATH: &'static str = "/v1/visits";
    const PERMISSION: Permission = Permission("visit.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param {
            name: "status",
            kind: Kind::OneOf(&["expected", "arrived", "left", "cancelled", "no_show", "held", "turned_away"]),
        },
        Param { name: "host_id", kind: Kind::Id },
        Param { name: "from", kind: Kind::Day },
        Param { name: "to", kind: Kind::Day },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<VisitView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let searched = search::in_any(&["t.search", "t.location_search", "t.host_search"]);
        let filter = Filter::new()
            .and("t.status = ?", params.text("status"))
            .and("t.host_id = ?", params.id("host_id"))
            .and("t.starts_at >= ?", params.day_start_us("from"))
            .and("t.starts_at < ?", params.day_end_us("to"))
            .search(&searched, params.text("q"));
        let page = read.list(who, &from(), visible(filter, who), params, view)?;
        let counted = format!("(SELECT v.ledger, v.id, v.host_id, v.registered_by, {STATUS} AS status FROM visits v)");
        Ok(Listing { counts: read.counts(who, &counted, visible(Filter::new(), who))?, ..page })
    }
}

/// One visit.
pub struct GetVisit;

impl Query for GetVisit {
    const NAME: &'static str = "get_visit";
    const PATH: &'static str = "/v1/visits/{id}";
    const PERMISSION: Permission = Permission("visit.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = VisitView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let found = visible(Filter::new().and("t.id = ?", params.id("id")), who);
        let visit = read.some(who, &from(), found, 1, view)?.pop().ok_or(Refusal::NotFound)?;
        let sql = "SELECT b.member_id, m.name FROM visit_hosts b
            LEFT JOIN members m ON m.ledger = b.ledger AND m.id = b.member_id
            WHERE b.ledger = :ledger AND b.visit_id = ? ORDER BY b.n";
        let named = |row: &Row| Ok(Named { id: col(row, "member_id")?, name: col(row, "name")? });
        let co_hosts = read.rows(who, sql, vec![cell(visit.id)], named)?;
        let companions = match visit.appointment_id {
            Some(appointment) => companions(read, who, appointment, visit.id)?,
            None => vec![],
        };
        let (co_hosts, companions) = (some(co_hosts), some(companions));
        let after = Some(after::of(read, who, visit.id)?);
        Ok(VisitView { co_hosts, companions, after, ..visit })
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// The other visits of an appointment that somebody sees.
fn companions(read: &Read, who: &Who, appointment: Uuid, but: Uuid) -> Result<Vec<CompanionView>, Refusal> {
    let others = Filter::new().and("t.appointment_id = ?", Some(appointment)).and("t.id <> ?", Some(but));
    let view = |row: &Row| {
        let (id, status) = (col(row, "id")?, col(row, "status")?);
        Ok((col::<u32>(row, "appointment_place")?, CompanionView { id, visitor: visitor_view(row)?, status }))
    };
    let mut found = read.some(who, &from(), visible(others, who), VISITORS_MAX, view)?;
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, companion)| companion).collect())
}
