//! Permission sets: what a company's own roles may, and how many people hold each.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::permission_set::{PermissionSet, PermissionSetEvent};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Json, Row, Seen, Time, col, json};

/// One row a set.
pub static PERMISSION_SETS: Table = Table {
    name: "permission_sets",
    key: &[blob("id")],
    columns: &[
        text("name"),
        text("permissions"),
        int("deleted"),
        int("changed_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection =
    Projection { name: "permission_set", revision: 1, tables: &[&PERMISSION_SETS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != PermissionSet::STREAM {
        return Ok(());
    }
    let says = |name: String, permissions: Vec<String>| {
        [
            ("name", cell(name)),
            ("permissions", cell(json(&permissions))),
            ("deleted", cell(false)),
            ("changed_at", cell(fact.time_us())),
        ]
    };
    match fact.read()? {
        PermissionSetEvent::Defined(e) => out.born(&PERMISSION_SETS, fact, says(e.name, e.permissions)),
        PermissionSetEvent::Changed(e) => out.changed(&PERMISSION_SETS, fact, says(e.name, e.permissions)),
        PermissionSetEvent::Deleted(_) => out.changed(&PERMISSION_SETS, fact, [("deleted", cell(true))]),
    }
    Ok(())
}

/// A permission set, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PermissionSetView {
    /// Its id; what a member's `role` is set to.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// What people call it.
    pub name: String,
    /// `noun.verb`.
    pub permissions: Vec<String>,
    /// How many people hold it, invited and suspended ones included.
    pub holders: u64,
    /// `active` or `deleted`.
    pub status: String,
    /// When it became as it is.
    pub changed_at: Time,
}

/// Sets with their `status` and how many people hold them.
pub const FROM: &str = "(SELECT s.*, CASE WHEN s.deleted = 1 THEN 'deleted' ELSE 'active' END AS status,
        (SELECT count(*) FROM members m WHERE m.ledger = s.ledger AND m.permission_set = s.id
           AND m.status IN ('invited', 'active', 'suspended')) AS holders
      FROM permission_sets s)";

fn view(row: &Row) -> Seen<PermissionSetView> {
    Ok(PermissionSetView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        name: col(row, "name")?,
        permissions: col::<Json<_>>(row, "permissions")?.0,
        holders: col(row, "holders")?,
        status: col(row, "status")?,
        changed_at: col(row, "changed_at")?,
    })
}

/// The sets that people can be given, newest first.
pub struct ListPermissionSets;

impl Query for ListPermissionSets {
    const NAME: &'static str = "list_permission_sets";
    const PATH: &'static str = "/v1/permission_sets";
    const PERMISSION: Permission = Permission("permission_set.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<PermissionSetView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.list(who, FROM, Filter::new().and("t.status = ?", Some("active")), params, view)
    }
}

/// One set.
pub struct GetPermissionSet;

impl Query for GetPermissionSet {
    const NAME: &'static str = "get_permission_set";
    const PATH: &'static str = "/v1/permission_sets/{id}";
    const PERMISSION: Permission = Permission("permission_set.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = PermissionSetView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), view)
    }
}
