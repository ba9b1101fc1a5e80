//! Visits: who is expected, who is in the house, who came and left. Nobody came = the visit is still expected and its last
//! day in Japan is over; that is computed when asked.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::date::{Date, ZONE_S};
use keiin_domain::reception::{Agreed, Answer, Answers};
use keiin_domain::role::{Permission, Role};
use keiin_domain::sealed::{Person, Sealed};
use keiin_domain::visit::{Visit, VisitEvent};
use keiin_eventlog::record::Hash;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who, day_start_us};
use crate::runner::Projection;
use crate::table::{Columns, Table, Writes, blob, cell, int, personal, text};
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
        blob("host_id"),
        text("location"),
        int("starts_at"),
        int("ends_at"),
        int("over_at"),
        text("state"),
        int("arrived_at"),
        int("left_at"),
        int("walk_in"),
        int("late"),
        int("people"),
        personal("answers"),
        text("consent"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "state, over_at", "host_id, since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "visit", revision: 2, tables: &[&VISITS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Visit::STREAM {
        return Ok(());
    }
    // A kiosk that was cut off says later when a visitor came.
    let now = cell(fact.happened_us());
    match fact.read()? {
        VisitEvent::Registered(e) => {
            let mut columns = visitor(&e.visitor, keys);
            columns.extend(plan(e.host_id, e.location, e.starts_at_us, e.ends_at_us));
            columns.extend([("state", cell("expected")), ("walk_in", cell(false)), ("late", cell(false))]);
            out.born(&VISITS, fact, columns);
        }
        VisitEvent::Changed(e) => {
            let mut columns = visitor(&e.visitor, keys);
            columns.extend(plan(e.host_id, e.location, e.starts_at_us, e.ends_at_us));
            out.changed(&VISITS, fact, columns);
        }
        VisitEvent::Cancelled(_) => out.changed(&VISITS, fact, [("state", cell("cancelled"))]),
        VisitEvent::CheckedIn(e) => {
            let came = [("state", cell("arrived")), ("arrived_at", now), ("late", cell(e.late))];
            let mut columns = [&came[..], &[("left_at", cell(None::<i64>))]].concat();
            columns.extend(said(&e.answers, &e.consent, keys));
            out.changed(&VISITS, fact, columns);
        }
        VisitEvent::CheckedOut(_) => out.changed(&VISITS, fact, [("state", cell("left")), ("left_at", now)]),
        VisitEvent::WalkedIn(e) => {
            let mut columns = visitor(&e.visitor, keys);
            columns.extend([("since", now.clone()), ("starts_at", now.clone()), ("arrived_at", now)]);
            columns.extend([("location", cell(e.location)), ("host_id", cell(e.host_id))]);
            columns.push(("people", cell((e.people > 0).then_some(e.people))));
            columns.extend(said(&e.answers, &e.consent, keys));
            columns.extend([("state", cell("arrived")), ("walk_in", cell(true)), ("late", cell(false))]);
            out.born(&VISITS, fact, columns);
        }
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
    ]
}

/// What the reception asked, and what was agreed to.
fn said(answers: &Option<Sealed<Answers>>, consent: &Option<Agreed>, keys: &Opener) -> Columns {
    let answers = answers.as_ref().and_then(|sealed| sealed.open(keys)).map(|opened| json(&opened.answers));
    let consent = consent.as_ref().map(|agreed| Hash(agreed.text_hash).to_string());
    vec![("answers", cell(answers)), ("consent", cell(consent))]
}

fn plan(host_id: Uuid, location: String, starts_at_us: i64, ends_at_us: i64) -> Columns {
    vec![
        ("host_id", cell(host_id)),
        ("location", cell(location)),
        ("since", cell(starts_at_us)),
        ("starts_at", cell(starts_at_us)),
        ("ends_at", cell(ends_at_us)),
        ("over_at", cell(day_start_us(Date::at(ends_at_us - 1, ZONE_S).plus(1)))),
    ]
}

/// A visit, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Who comes.
    pub visitor: VisitorView,
    /// Who is visited; of a walk-in only where they said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Named>,
    /// Where.
    pub location: String,
    /// From when; for a walk-in, when they came.
    pub starts_at: Time,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// `expected`, `arrived`, `left`, `cancelled` or `no_show`.
    pub status: String,
    /// When they came last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at: Option<Time>,
    /// When they left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Time>,
    /// Was not expected.
    pub walk_in: bool,
    /// Came after the visit should have ended.
    pub late: bool,
    /// About the visitor; a walk-in's purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How many came with a walk-in, themselves included, where the reception asks for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
    /// What the visitor answered at the kiosk, last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// SHA-256 of the text that the visitor agreed to, last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
}

/// A visitor; only `erased` once the person was erased.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitorView {
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kana: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Where the pass goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The person was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

const STATUS: &str = "CASE WHEN v.state = 'expected' AND v.over_at <= :now THEN 'no_show' ELSE v.state END";

/// Visits with what is derived.
pub fn from() -> String {
    format!(
        "(SELECT v.*, m.name AS host_name, {STATUS} AS status
          FROM visits v LEFT JOIN members m ON m.ledger = v.ledger AND m.id = v.host_id)"
    )
}

fn view(row: &Row) -> Seen<VisitView> {
    let text = |column| Ok::<_, SqlError>(col::<Option<String>>(row, column)?.and_then(filled));
    let name: Option<String> = col(row, "visitor_name")?;
    let host: Option<Uuid> = col(row, "host_id")?;
    Ok(VisitView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        visitor: VisitorView {
            erased: name.is_none(),
            name,
            kana: text("visitor_kana")?,
            company: text("visitor_company")?,
            email: text("visitor_email")?,
        },
        host: host.map(|id| Ok::<_, SqlError>(Named { id, name: col(row, "host_name")? })).transpose()?,
        location: col(row, "location")?,
        starts_at: col(row, "starts_at")?,
        ends_at: col(row, "ends_at")?,
        status: col(row, "status")?,
        arrived_at: col(row, "arrived_at")?,
        left_at: col(row, "left_at")?,
        walk_in: col(row, "walk_in")?,
        late: col(row, "late")?,
        note: text("note")?,
        people: col(row, "people")?,
        answers: col::<Option<Json<_>>>(row, "answers")?.map(|answers| answers.0).unwrap_or_default(),
        consent: col(row, "consent")?,
    })
}

/// Members, lawyers and viewers see visits to themselves, a secretary those to the lawyers who took them on.
pub(crate) fn own_only(who: &Who) -> Option<Vec<Uuid>> {
    match who.actor.role {
        Role::Member | Role::Viewer | Role::Lawyer => Some(vec![who.person()]),
        Role::Secretary => Some(who.acts_for.clone()),
        _ => None,
    }
}

/// All visits, the latest start first. `from` and `to` are days on which they start.
pub struct ListVisits;

impl Query for ListVisits {
    const NAME: &'static str = "list_visits";
    const PATH: &'static str = "/v1/visits";
    const PERMISSION: Permission = Permission("visit.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["expected", "arrived", "left", "cancelled", "no_show"]) },
        Param { name: "host_id", kind: Kind::Id },
        Param { name: "from", kind: Kind::Day },
        Param { name: "to", kind: Kind::Day },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<VisitView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let searched = ["visitor_name", "visitor_kana", "visitor_company", "location", "host_name"];
        let filter = Filter::new()
            .among("t.host_id", own_only(who))
            .and("t.status = ?", params.text("status"))
            .and("t.host_id = ?", params.id("host_id"))
            .and("t.starts_at >= ?", params.day_start_us("from"))
            .and("t.starts_at < ?", params.day_end_us("to"))
            .like(&searched, params.text("q"));
        let page = read.list(who, &from(), filter, params, view)?;
        let counted = format!("(SELECT v.ledger, v.host_id, {STATUS} AS status FROM visits v)");
        let own = Filter::new().among("t.host_id", own_only(who));
        Ok(Listing { counts: read.counts(who, &counted, own)?, ..page })
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
        let visit = read.one(who, &from(), params.id("id"), view)?;
        let theirs = own_only(who).is_some_and(|own| visit.host.as_ref().is_none_or(|host| !own.contains(&host.id)));
        if theirs { Err(Refusal::NotFound) } else { Ok(visit) }
    }
}
