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
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Row, Seen, Time, col};

/// One row a kiosk.
pub static KIOSKS: Table = Table {
    name: "kiosks",
    key: &[blob("id")],
    columns: &[
        text("name"),
        text("location"),
        text("status"),
        int("paired_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "kiosk", revision: 1, tables: &[&KIOSKS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Kiosk::STREAM {
        return Ok(());
    }
    match fact.read()? {
        KioskEvent::Paired(e) => {
            let columns = [
                ("name", cell(e.name)),
                ("location", cell(e.location)),
                ("status", cell("paired")),
                ("paired_at", cell(fact.time_us())),
            ];
            out.born(&KIOSKS, fact, columns);
        }
        KioskEvent::Revoked(_) => out.changed(&KIOSKS, fact, [("status", cell("revoked"))]),
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
            Filter::new().and("t.status = ?", params.text("status")).like(&["name", "location"], params.text("q"));
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
