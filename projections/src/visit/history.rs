//! Who came and who did not: a row for every arrival, and one for each visit to which nobody came yet or at all. A visit over
//! several days has as many rows as it had arrivals.

use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use keiin_domain::visit::Corrected;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{RecordedView, STATUS, VisitorView, own_only, recorded, visible, visitor_view};
use crate::fact::Fact;
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::search;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Named, Row, Seen, SqlError, Time, col};

/// One row of the history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ArrivalView {
    /// The visit.
    pub id: Uuid,
    /// Position of the record of the arrival; of the visit's last record where there is none.
    pub position: u64,
    /// Who, as they were known for this visit.
    pub visitor: VisitorView,
    /// Who was visited; nobody for most who came without an appointment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Named>,
    /// Where.
    pub location: String,
    /// From when they were expected; absent for who was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Time>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// `expected`, `arrived`, `left`, `no_show`, `cancelled`, `held` or `turned_away`.
    pub status: String,
    /// When they came, as it was corrected last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at: Option<Time>,
    /// When they left; absent where they never checked out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Time>,
    /// What was recorded at first, where it was corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedView>,
    /// Was not expected.
    pub walk_in: bool,
    /// Came after the visit should have ended.
    pub late: bool,
}

/// One row a correction; what it leaves as it is is NULL.
pub static CORRECTIONS: Table = Table {
    name: "visit_corrections",
    key: &[int("position")],
    columns: &[blob("visit_id"), int("arrived_at"), int("left_at"), text("reason")],
    indexes: &["visit_id, position"],
    only_grows: true,
};

pub(super) fn corrected(fact: &Fact, e: Corrected, out: &mut Writes) {
    let columns = [
        ("visit_id", fact.id()),
        ("arrived_at", cell(e.arrived_at_us)),
        ("left_at", cell(e.left_at_us)),
        ("reason", cell(e.reason)),
    ];
    out.put(&CORRECTIONS, [cell(fact.leaf.position)], columns);
}

/// What was last said to be right about the arrival `i`: a correction is of the arrival before it. NULL where nobody said so.
pub(super) fn right(column: &str) -> String {
    format!(
        "(SELECT c.{column} FROM visit_corrections c WHERE c.ledger = i.ledger AND c.visit_id = i.visit_id
           AND c.position > i.position AND c.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM visit_moves x
             WHERE x.ledger = i.ledger AND x.visit_id = i.visit_id AND x.entered = 1 AND x.position > i.position
               AND x.position < c.position) ORDER BY c.position DESC LIMIT 1)"
    )
}

/// What stands for the move after an arrival: the first record of leaving or coming again.
const NEXT: &str = "(SELECT x.position FROM visit_moves x WHERE x.ledger = i.ledger AND x.visit_id = i.visit_id
     AND x.position > i.position ORDER BY x.position LIMIT 1)";

/// Arrivals, and visits without one.
pub fn history_from() -> String {
    let columns = "v.ledger, v.id, v.visitor_name, v.visitor_kana, v.visitor_company, v.visitor_email, v.search, v.host_id, v.registered_by,
         h.name AS host_name, v.location, CASE WHEN v.walk_in = 1 THEN NULL ELSE v.starts_at END AS starts_at, v.ends_at,
         v.walk_in";
    let joined = "LEFT JOIN members h ON h.ledger = v.ledger AND h.id = v.host_id";
    let (arrived, left, reason) = (right("arrived_at"), right("left_at"), right("reason"));
    format!(
        "(SELECT {columns}, coalesce({arrived}, i.at) AS since, coalesce({arrived}, i.at) AS arrived_at,
            CASE WHEN o.entered = 0 THEN coalesce({left}, o.at) END AS left_at, i.at AS recorded_arrived_at,
            CASE WHEN o.entered = 0 THEN o.at END AS recorded_left_at, {reason} AS correction, i.late, i.position, CASE WHEN o.position IS NULL THEN 'arrived' ELSE 'left' END AS status
          FROM visit_moves i JOIN visits v ON v.ledger = i.ledger AND v.id = i.visit_id {joined}
          LEFT JOIN visit_moves o ON o.ledger = i.ledger AND o.position = {NEXT}
          WHERE i.entered = 1
          UNION ALL
          SELECT {columns}, v.starts_at AS since, NULL AS arrived_at, NULL AS left_at, NULL AS recorded_arrived_at,
            NULL AS recorded_left_at, NULL AS correction, 0 AS late, v.position, {STATUS} AS status
          FROM visits v {joined} WHERE v.arrived_at IS NULL)"
    )
}

fn view(row: &Row) -> Seen<ArrivalView> {
    let host: Option<Uuid> = col(row, "host_id")?;
    Ok(ArrivalView {
        id: col(row, "id")?,
        position: col(row, "position")?,
        visitor: visitor_view(row)?,
        host: host.map(|id| Ok::<_, SqlError>(Named { id, name: col(row, "host_name")? })).transpose()?,
        location: col(row, "location")?,
        starts_at: col(row, "starts_at")?,
        ends_at: col(row, "ends_at")?,
        status: col(row, "status")?,
        arrived_at: col(row, "arrived_at")?,
        left_at: col(row, "left_at")?,
        recorded: recorded(row)?,
        walk_in: col(row, "walk_in")?,
        late: col(row, "late")?,
    })
}

/// The history, the latest first. `from` and `to` are days in Japan: of the arrival, or of the start where nobody came; `q` is
/// searched in name, reading and company whatever the width, kind of kana, case or form of a kanji.
pub struct ListVisitHistory;

impl ListVisitHistory {
    /// A page of it.
    pub fn page(read: &Read, who: &Who, params: &Params) -> Result<Listing<ArrivalView>, Refusal> {
        let walk_in = params.text("how").map(|how| how == "walk_in");
        let filter = visible(Filter::new(), who)
            .and("t.status = ?", params.text("status"))
            .and("t.host_id = ?", params.id("host_id"))
            .and("t.location = ?", params.text("location"))
            .and("t.walk_in = ?", walk_in)
            .and("t.since >= ?", params.day_start_us("from"))
            .and("t.since < ?", params.day_end_us("to"))
            .search(&search::has("t.search"), params.text("q"));
        read.list(who, &history_from(), filter, params, view)
    }
}

impl Query for ListVisitHistory {
    const NAME: &'static str = "list_visit_history";
    const PATH: &'static str = "/v1/visit_history";
    const PERMISSION: Permission = Permission("visit.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param {
            name: "status",
            kind: Kind::OneOf(&["expected", "arrived", "left", "no_show", "cancelled", "held", "turned_away"]),
        },
        Param { name: "how", kind: Kind::OneOf(&["appointment", "walk_in"]) },
        Param { name: "host_id", kind: Kind::Id },
        Param { name: "location", kind: Kind::Text },
        Param { name: "from", kind: Kind::Day },
        Param { name: "to", kind: Kind::Day },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<ArrivalView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        ListVisitHistory::page(read, who, params)
    }
}

/// Everybody who is in the house now, by place.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvacuationView {
    /// When it was asked.
    pub as_of: Time,
    /// Places in the order of their names.
    pub places: Vec<PlaceView>,
    /// How many people.
    pub count: u64,
}

/// Who is at one place.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlaceView {
    /// As kiosks name it.
    pub location: String,
    /// Who came first stands first.
    pub people: Vec<PresentView>,
}

/// Somebody in the house.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PresentView {
    /// The visit.
    pub id: Uuid,
    /// Who.
    pub visitor: VisitorView,
    /// Whom they visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Named>,
    /// Since when.
    pub arrived_at: Time,
}

/// The list for an evacuation: everybody who came in and did not leave. Not narrowed to one's own visitors, where the role does
/// that elsewhere: then there is none.
pub struct GetPresentVisitors;

impl Query for GetPresentVisitors {
    const NAME: &'static str = "get_present_visitors";
    const PATH: &'static str = "/v1/present_visitors";
    const PERMISSION: Permission = Permission("visit.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[];
    type Answer = EvacuationView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        if own_only(who).is_some() {
            return Err(Refusal::Forbidden("access.forbidden"));
        }
        let sql = "SELECT t.*, h.name AS host_name FROM visits t LEFT JOIN members h ON h.ledger = t.ledger AND h.id = t.host_id
                   WHERE t.ledger = :ledger AND t.state = 'arrived' ORDER BY t.location, t.arrived_at, t.id";
        let found = read.rows(who, sql, vec![], |row| {
            let host: Option<Uuid> = col(row, "host_id")?;
            let person = PresentView {
                id: col(row, "id")?,
                visitor: visitor_view(row)?,
                host: host.map(|id| Ok::<_, SqlError>(Named { id, name: col(row, "host_name")? })).transpose()?,
                arrived_at: col(row, "arrived_at")?,
            };
            Ok((col::<String>(row, "location")?, person))
        })?;
        let mut view = EvacuationView { as_of: Time(who.now_us), places: vec![], count: found.len() as u64 };
        for (location, person) in found {
            match view.places.last_mut().filter(|place| place.location == location) {
                Some(place) => place.people.push(person),
                None => view.places.push(PlaceView { location, people: vec![person] }),
            }
        }
        Ok(view)
    }
}
