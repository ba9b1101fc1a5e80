//! Passkeys: which ones somebody has.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::factor::{Factor, FactorEvent};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, personal};
use crate::view::{Row, Seen, Time, col};

/// One row a passkey that is good.
pub static PASSKEYS: Table = Table {
    name: "passkeys",
    key: &[blob("id")],
    columns: &[
        blob("member_id"),
        blob("subject"),
        personal("name"),
        int("added_at"),
        int("used_at"),
        int("since"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "passkey", revision: 1, tables: &[&PASSKEYS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Factor::STREAM {
        return Ok(());
    }
    let position = || cell(fact.leaf.position);
    match fact.read()? {
        FactorEvent::PasskeyAdded(e) => {
            let columns = [
                ("member_id", fact.id()),
                ("subject", cell(e.name.subject)),
                ("name", cell(e.name.open(keys).map(|name| name.text))),
                ("added_at", cell(fact.time_us())),
                ("since", position()),
                ("position", position()),
            ];
            out.put(&PASSKEYS, [cell(e.passkey_id)], columns);
        }
        FactorEvent::PasskeyRenamed(e) => {
            let name = cell(e.name.open(keys).map(|name| name.text));
            out.set(&PASSKEYS, [cell(e.passkey_id)], [("name", name), ("position", position())]);
        }
        FactorEvent::PasskeyUsed(e) => {
            let columns = [("used_at", cell(fact.time_us())), ("position", position())];
            out.set(&PASSKEYS, [cell(e.passkey_id)], columns);
        }
        FactorEvent::PasskeyRemoved(e) => out.delete(&PASSKEYS, [cell(e.passkey_id)]),
        _ => {}
    }
    Ok(())
}

/// A passkey, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeyView {
    /// Its name in the ledger.
    pub id: Uuid,
    /// Last record about it.
    pub position: u64,
    /// What its owner calls it; absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Since when.
    pub added_at: Time,
    /// When it was used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Time>,
}

/// Passkeys as they are kept.
pub const FROM: &str = "passkeys";

fn view(row: &Row) -> Seen<PasskeyView> {
    Ok(PasskeyView {
        id: col(row, "id")?,
        position: col(row, "position")?,
        name: col(row, "name")?,
        added_at: col(row, "added_at")?,
        used_at: col(row, "used_at")?,
    })
}

/// One's own passkeys, newest first.
pub struct ListPasskeys;

impl Query for ListPasskeys {
    const NAME: &'static str = "list_passkeys";
    const PATH: &'static str = "/v1/me/passkeys";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<PasskeyView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.list(who, FROM, Filter::new().and("t.member_id = ?", Some(who.person())), params, view)
    }
}
