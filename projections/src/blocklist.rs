//! The blocklist, for the reception alone.

use keiin_domain::blocklist::{BlocklistEntry, BlocklistEntryEvent};
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Table, Writes, blob, cell, int, personal, text};
use crate::view::{Row, Seen, Time, col, filled};

/// One row an entry.
pub static BLOCKLIST_ENTRIES: Table = Table {
    name: "blocklist_entries",
    key: &[blob("id")],
    columns: &[
        blob("subject"),
        text("kind"),
        personal("value"),
        personal("reason"),
        personal("search"),
        text("status"),
        int("added_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "status"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "blocklist", revision: 1, tables: &[&BLOCKLIST_ENTRIES], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != BlocklistEntry::STREAM {
        return Ok(());
    }
    match fact.read()? {
        BlocklistEntryEvent::Added(e) => {
            let blocked = e.entry.open(keys);
            let columns = [
                ("subject", cell(e.entry.subject)),
                ("kind", cell(e.kind.name())),
                ("value", cell(blocked.as_ref().map(|blocked| blocked.value.as_str()))),
                ("reason", cell(blocked.as_ref().map(|blocked| blocked.reason.as_str()))),
                ("search", cell(blocked.as_ref().map(|blocked| search::lines(&[&blocked.value, &blocked.reason])))),
                ("status", cell("listed")),
                ("added_at", cell(fact.time_us())),
            ];
            out.born(&BLOCKLIST_ENTRIES, fact, columns);
        }
        BlocklistEntryEvent::Removed(_) => out.changed(&BLOCKLIST_ENTRIES, fact, [("status", cell("removed"))]),
    }
    Ok(())
}

/// Entries that were removed and are not erased yet: company and subject.
pub fn unerased(read: &Read, limit: usize) -> Result<Vec<(Uuid, Uuid)>, Refusal> {
    let sql = "SELECT ledger, subject FROM blocklist_entries WHERE status = 'removed' AND value IS NOT NULL LIMIT $1";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![limit as u64])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}

/// An entry, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BlocklistEntryView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// `name`, `company` or `email`.
    pub kind: String,
    /// What it names; absent once it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the reception should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `listed` or `removed`.
    pub status: String,
    /// Since when.
    pub added_at: Time,
}

fn view(row: &Row) -> Seen<BlocklistEntryView> {
    Ok(BlocklistEntryView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        kind: col(row, "kind")?,
        value: col(row, "value")?,
        reason: col::<Option<String>>(row, "reason")?.and_then(filled),
        status: col(row, "status")?,
        added_at: col(row, "added_at")?,
    })
}

/// The blocklist, newest first.
pub struct ListBlocklistEntries;

impl Query for ListBlocklistEntries {
    const NAME: &'static str = "list_blocklist_entries";
    const PATH: &'static str = "/v1/blocklist_entries";
    const PERMISSION: Permission = Permission("blocklist_entry.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] =
        &[Param { name: "status", kind: Kind::OneOf(&["listed", "removed"]) }, Param { name: "q", kind: Kind::Text }];
    const LIST: bool = true;
    type Answer = Listing<BlocklistEntryView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter =
            Filter::new().and("t.status = ?", params.text("status")).search(&search::has("t.search"), params.text("q"));
        let page = read.list(who, "blocklist_entries", filter, params, view)?;
        Ok(Listing { counts: read.counts(who, "blocklist_entries", Filter::new())?, ..page })
    }
}

/// One entry.
pub struct GetBlocklistEntry;

impl Query for GetBlocklistEntry {
    const NAME: &'static str = "get_blocklist_entry";
    const PATH: &'static str = "/v1/blocklist_entries/{id}";
    const PERMISSION: Permission = Permission("blocklist_entry.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = BlocklistEntryView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, "blocklist_entries", params.id("id"), view)
    }
}
