//! The audit trail: one row a record, in the order of the log. It holds who, when, what and the record's hash, nothing that
//! is personal: the names beside them are joined from the other read models, so an erasure reaches the trail too.

mod changes;
mod csv;
mod detail;
mod feed;

use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::changes::Change;
pub use self::csv::{CsvPages, csv};
pub(crate) use self::csv::{japan, line};
pub(crate) use self::detail::said_at;
pub use self::detail::{AppendView, ContextView, EventDetail, GetEvent, origin_at};
pub use self::feed::{FEED_PARAMS, Place, newest, page, place_at};
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{ActorView, Row, Seen, SqlError, Time, col};

/// One row a record. `principal` is for whom it was done, else who did it: the person that a search for "who" means.
pub static EVENTS: Table = Table {
    name: "events",
    key: &[int("position")],
    columns: &[
        int("time"),
        int("actor_kind"),
        blob("actor_id"),
        int("behalf_kind"),
        blob("behalf_id"),
        blob("principal"),
        text("kind"),
        text("stream_kind"),
        blob("stream_id"),
        int("stream_version"),
        blob("hash"),
    ],
    indexes: &["principal", "stream_id", "stream_kind", "kind"],
    only_grows: true,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "event", revision: 1, tables: &[&EVENTS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    let leaf = &fact.leaf;
    let columns = [
        ("time", cell(fact.time_us())),
        ("actor_kind", cell(leaf.actor.kind)),
        ("actor_id", cell(leaf.actor.id)),
        ("behalf_kind", cell(leaf.on_behalf_of.map(|party| party.kind))),
        ("behalf_id", cell(leaf.on_behalf_of.map(|party| party.id))),
        ("principal", cell(leaf.on_behalf_of.unwrap_or(leaf.actor).id)),
        ("kind", cell(leaf.event_kind.as_str())),
        ("stream_kind", cell(fact.stream())),
        ("stream_id", fact.id()),
        ("stream_version", cell(leaf.stream_version)),
        ("hash", cell(fact.hash.0)),
    ];
    out.put(&EVENTS, [cell(leaf.position)], columns);
    Ok(())
}

/// A record, as the trail lists it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its place in the ledger.
    pub position: u64,
    /// What the writer's clock said.
    pub time: Time,
    /// Who did it.
    pub actor: ActorView,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<ActorView>,
    /// `noun.verb_past`.
    pub kind: String,
    /// What it happened to.
    pub object: EventObject,
    /// Leaf hash, 64 hex digits.
    pub hash: String,
    /// The last anchored checkpoint covers it.
    pub anchored: bool,
}

/// What a record is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventObject {
    /// Stream kind.
    pub kind: String,
    /// Stream id.
    pub id: Uuid,
    /// What people call it today; absent where the person was erased or it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A party's name: of a member, a program, a kiosk, an operator, or whoever holds a link, an invitation or a pass.
macro_rules! name_of {
    ($kind:literal, $id:literal) => {
        concat!(
            "CASE ",
            $kind,
            " WHEN 2 THEN (SELECT x.name FROM members x WHERE x.ledger = e.ledger AND x.id = ",
            $id,
            ")",
            " WHEN 3 THEN coalesce(",
            "(SELECT x.name FROM tokens x WHERE x.ledger = e.ledger AND x.id = ",
            $id,
            "),",
            "(SELECT x.name FROM applications x WHERE x.ledger = e.ledger AND x.id = ",
            $id,
            "))",
            " WHEN 4 THEN (SELECT x.name FROM kiosks x WHERE x.ledger = e.ledger AND x.id = ",
            $id,
            ")",
            " WHEN 6 THEN (SELECT x.name FROM vendors x WHERE x.ledger = e.ledger AND x.id = ",
            $id,
            ")",
            " WHEN 5 THEN coalesce(",
            "(SELECT x.to_name FROM deliveries x WHERE x.ledger = e.ledger AND x.id = ",
            $id,
            "),",
            "(SELECT x.visitor_name FROM visits x WHERE x.ledger = e.ledger AND x.id = ",
            $id,
            "),",
            "(SELECT x.name FROM members x WHERE x.ledger = e.ledger AND x.id = ",
            $id,
            ")) END"
        )
    };
}

/// Records with the names of those who acted and of what they acted on.
pub const FROM: &str = concat!(
    "(SELECT e.*, e.position AS since, e.hash AS id, ",
    name_of!("e.actor_kind", "e.actor_id"),
    " AS actor_name, ",
    name_of!("e.behalf_kind", "e.behalf_id"),
    " AS behalf_name, CASE e.stream_kind
        WHEN 'tenant' THEN (SELECT x.name FROM tenants x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'member' THEN (SELECT x.name FROM members x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'client' THEN (SELECT x.name FROM clients x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'document' THEN (SELECT ltrim(coalesce(x.number, '') || ' ' || x.title) FROM documents x
            WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'item' THEN (SELECT x.description FROM items x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'template' THEN (SELECT x.name FROM templates x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'recurrence' THEN (SELECT t.name || ' ' || c.name FROM recurrences x
            JOIN templates t ON t.ledger = x.ledger AND t.id = x.template_id
            JOIN clients c ON c.ledger = x.ledger AND c.id = x.client_id
            WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'batch_part' THEN (SELECT ltrim(coalesce(x.number, '') || ' ' || x.title) FROM documents x
            WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'delivery' THEN (SELECT ltrim(coalesce(o.number, '') || ' ' || o.title) FROM deliveries x
            JOIN documents o ON o.ledger = x.ledger AND o.id = x.document_id
            WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'visit' THEN (SELECT x.visitor_name FROM visits x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'kiosk' THEN (SELECT x.name FROM kiosks x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'token' THEN (SELECT x.name FROM tokens x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'permission_set' THEN (SELECT x.name FROM permission_sets x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'grant' THEN (SELECT v.name FROM grants x JOIN vendors v ON v.ledger = x.ledger AND v.id = x.operator_id
            WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'data' THEN coalesce(
            (SELECT x.name FROM members x WHERE x.ledger = e.ledger AND x.id = e.stream_id),
            (SELECT x.name FROM clients x WHERE x.ledger = e.ledger AND x.id = e.stream_id),
            (SELECT x.visitor_name FROM visits x WHERE x.ledger = e.ledger AND x.id = e.stream_id),
            (SELECT ltrim(coalesce(o.number, '') || ' ' || o.title) FROM documents o
                WHERE o.ledger = e.ledger AND o.id = e.stream_id),
            (SELECT ltrim(coalesce(o.number, '') || ' ' || o.title) FROM deliveries x
                JOIN documents o ON o.ledger = x.ledger AND o.id = x.document_id
                WHERE x.ledger = e.ledger AND x.id = e.stream_id))
        WHEN 'application' THEN (SELECT x.name FROM applications x WHERE x.ledger = e.ledger AND x.id = e.stream_id)
        WHEN 'authorization' THEN (SELECT x.name FROM authorizations g JOIN applications x ON x.ledger = g.ledger AND x.id = g.application_id
            WHERE g.ledger = e.ledger AND g.id = e.stream_id)
        WHEN 'access' THEN coalesce(
            (SELECT x.name FROM members x WHERE x.ledger = e.ledger AND x.id = e.stream_id),
            (SELECT x.name FROM applications x WHERE x.ledger = e.ledger AND x.id = e.stream_id))
      END AS label FROM events e)"
);

fn view(row: &Row, anchored: u64) -> Seen<EventView> {
    let position = col(row, "position")?;
    let behalf: Option<u8> = col(row, "behalf_kind")?;
    let for_whom = |kind| Ok::<_, SqlError>(ActorView::of(kind, col(row, "behalf_id")?, col(row, "behalf_name")?));
    Ok(EventView {
        position,
        time: col(row, "time")?,
        actor: ActorView::of(col(row, "actor_kind")?, col(row, "actor_id")?, col(row, "actor_name")?),
        on_behalf_of: behalf.map(for_whom).transpose()?,
        kind: col(row, "kind")?,
        object: EventObject { kind: col(row, "stream_kind")?, id: col(row, "stream_id")?, label: col(row, "label")? },
        hash: keiin_eventlog::record::Hash(col(row, "hash")?).to_string(),
        anchored: position < anchored,
    })
}

/// Who may not read the whole trail sees what they did themselves.
fn own_only(who: &Who) -> Option<Uuid> {
    (!who.actor.may(Permission("event.read"))).then_some(who.person())
}

fn anchored(read: &Read, who: &Who) -> u64 {
    read.beside.as_ref().map_or(0, |server| server.anchored(who.ledger))
}

/// The newest records of a filter, whoever may see them.
pub(crate) fn newest_of(read: &Read, who: &Who, filter: Filter, most: usize) -> Result<Vec<EventView>, Refusal> {
    let anchored = anchored(read, who);
    read.some(who, FROM, filter, most, |row| view(row, anchored))
}

fn filter(who: &Who, params: &Params) -> Filter {
    let (kind, noun) = match params.text("kind") {
        Some(kind) if kind.contains('.') => (Some(kind), None),
        noun => (None, noun),
    };
    // No index serves a period: in the order of the list, the rows of a period stand together.
    Filter::new()
        .and("t.principal = ?", own_only(who))
        .and("t.principal = ?", params.id("actor"))
        .and("t.stream_id = ?", params.id("object"))
        .and("t.kind = ?", kind)
        .and("t.stream_kind = ?", noun)
        .and("+t.time >= ?", params.day_start_us("from"))
        .and("+t.time < ?", params.day_end_us("to"))
}

/// The trail, newest first. `kind` is an event kind (`document.issued`) or a noun (`document`); `from` and `to` are days in
/// Japan, both included.
pub struct ListEvents;

impl Query for ListEvents {
    const NAME: &'static str = "list_events";
    const PATH: &'static str = "/v1/events";
    const PERMISSION: Permission = Permission("event.read_own");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "actor", kind: Kind::Id },
        Param { name: "object", kind: Kind::Id },
        Param { name: "kind", kind: Kind::Text },
        Param { name: "from", kind: Kind::Day },
        Param { name: "to", kind: Kind::Day },
    ];
    const LIST: bool = true;
    type Answer = Listing<EventView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let anchored = anchored(read, who);
        read.list(who, FROM, filter(who, params), params, |row| view(row, anchored))
    }
}
