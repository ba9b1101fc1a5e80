//! Kiosks: the devices at the receptions.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::kiosk::{Kiosk, KioskEvent};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Named, Row, Seen, SqlError, Time, col};
use crate::visit::visible_by;

/// One row a kiosk.
pub static KIOSKS: Table = Table {
    name: "kiosks",
    key: &[blob("id")],
    columns: &[
        text("name"),
        text("location"),
        text("search"),
        text("status"),
        int("paired_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// One row a code that a kiosk had kept and that was refused.
pub static REFUSALS: Table = Table {
    name: "scan_refusals",
    key: &[int("position")],
    columns: &[blob("kiosk_id"), blob("visit_id"), text("scan"), text("refusal"), int("taken_at"), int("refused_at")],
    indexes: &[],
    only_grows: true,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "kiosk", revision: 3, tables: &[&KIOSKS, &REFUSALS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Kiosk::STREAM {
        return Ok(());
    }
    match fact.read()? {
        KioskEvent::Paired(e) => {
            let columns = [
                ("search", cell(search::lines(&[&e.name, &e.location]))),
                ("name", cell(e.name)),
                ("location", cell(e.location)),
                ("status", cell("paired")),
                ("paired_at", cell(fact.time_us())),
            ];
            out.born(&KIOSKS, fact, columns);
        }
        KioskEvent::Revoked(_) => out.changed(&KIOSKS, fact, [("status", cell("revoked"))]),
        KioskEvent::ScanRefused(e) => {
            let columns = [
                ("kiosk_id", fact.id()),
                ("visit_id", cell(e.visit_id)),
                ("scan", cell(e.scan.name())),
                ("refusal", cell(e.refusal)),
                ("taken_at", cell(e.taken_at_us)),
                ("refused_at", cell(fact.time_us())),
            ];
            out.put(&REFUSALS, [cell(fact.leaf.position)], columns);
            out.changed(&KIOSKS, fact, []);
        }
    }
    Ok(())
}

/// Kiosks as they are kept.
pub const FROM: &str = "kiosks";

/// A kiosk, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KioskView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub location: String,
    /// `paired` or `revoked`.
    pub status: String,
    /// Since when.
    pub paired_at: Time,
}

fn view(row: &Row) -> Seen<KioskView> {
    Ok(KioskView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        name: col(row, "name")?,
        location: col(row, "location")?,
        status: col(row, "status")?,
        paired_at: col(row, "paired_at")?,
    })
}

/// All kiosks, newest first.
pub struct ListKiosks;

impl Query for ListKiosks {
    const NAME: &'static str = "list_kiosks";
    const PATH: &'static str = "/v1/kiosks";
    const PERMISSION: Permission = Permission("device.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] =
        &[Param { name: "status", kind: Kind::OneOf(&["paired", "revoked"]) }, Param { name: "q", kind: Kind::Text }];
    const LIST: bool = true;
    type Answer = Listing<KioskView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter =
            Filter::new().and("t.status = ?", params.text("status")).search(&search::has("t.search"), params.text("q"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, Filter::new())?, ..page })
    }
}

/// One kiosk.
pub struct GetKiosk;

impl Query for GetKiosk {
    const NAME: &'static str = "get_kiosk";
    const PATH: &'static str = "/v1/kiosks/{id}";
    const PERMISSION: Permission = Permission("device.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = KioskView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), view)
    }
}

/// How long a refusal waits for somebody, microseconds: a visitor who was not helped within a day has gone.
const OPEN_US: i64 = 24 * 3_600 * 1_000_000;

/// A code that a kiosk had kept while the network was down, and that was refused afterwards.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScanRefusalView {
    /// Its record.
    pub position: u64,
    /// The kiosk that took it.
    pub kiosk: Named,
    /// Where the kiosk stands.
    pub location: String,
    /// `check_in`, `check_out` or `walk_in`.
    pub scan: String,
    /// The visit behind the code; absent where there is none. Its name is the visitor's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visit: Option<Named>,
    /// Why not: the code of the refusal.
    pub refusal: String,
    /// When the kiosk took it, by the kiosk's clock.
    pub taken_at: Time,
    /// When it was refused.
    pub refused_at: Time,
    /// Somebody may still be waiting: it is no day old, and what the visitor wanted has not been done since.
    pub open: bool,
}

/// Refused codes with what is derived.
pub fn refusals() -> String {
    format!(
        "(SELECT r.ledger, r.position AS since, r.kiosk_id AS id, r.position, r.visit_id, r.scan, r.refusal, r.taken_at,
            r.refused_at, k.name AS kiosk_name, k.location, v.visitor_name, v.host_id, v.registered_by,
            CASE WHEN r.refused_at > :now - {OPEN_US} AND coalesce(CASE r.scan WHEN 'check_out' THEN v.left_at
              ELSE v.arrived_at END, 0) < r.taken_at THEN 1 ELSE 0 END AS open
          FROM scan_refusals r JOIN kiosks k ON k.ledger = r.ledger AND k.id = r.kiosk_id
          LEFT JOIN visits v ON v.ledger = r.ledger AND v.id = r.visit_id)"
    )
}

/// Refused codes of kiosks, newest first.
pub struct ListScanRefusals;

impl Query for ListScanRefusals {
    const NAME: &'static str = "list_scan_refusals";
    const PATH: &'static str = "/v1/scan_refusals";
    const PERMISSION: Permission = Permission("visit.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "open", kind: Kind::OneOf(&["true", "false"]) }];
    const LIST: bool = true;
    type Answer = Listing<ScanRefusalView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let open = params.text("open").map(|open| open == "true");
        let filter = visible_by(Filter::new(), who, "visit_id").and("t.open = ?", open);
        read.list(who, &refusals(), filter, params, |row| {
            let visit: Option<Uuid> = col(row, "visit_id")?;
            Ok(ScanRefusalView {
                position: col(row, "position")?,
                kiosk: Named { id: col(row, "id")?, name: col(row, "kiosk_name")? },
                location: col(row, "location")?,
                scan: col(row, "scan")?,
                visit: visit.map(|id| Ok::<_, SqlError>(Named { id, name: col(row, "visitor_name")? })).transpose()?,
                refusal: col(row, "refusal")?,
                taken_at: col(row, "taken_at")?,
                refused_at: col(row, "refused_at")?,
                open: col(row, "open")?,
            })
        })
    }
}
