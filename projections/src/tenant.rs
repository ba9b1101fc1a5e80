//! The company itself: what its settings page and its documents show.

use keiin_domain::command::Aggregate;
use keiin_domain::event::Event;
use keiin_domain::role::Permission;
use keiin_domain::tenant::{Tenant, TenantEvent};
use rusqlite::types::Value;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Param, Params, Query, Read, Refusal, Who, uuid_at};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, int, text};

/// One row a company.
pub static TENANTS: Table = Table {
    name: "tenants",
    key: &[blob("id")],
    columns: &[
        text("name"),
        text("slug"),
        text("registration_number"),
        text("address"),
        text("bank_details"),
        int("version"),
        int("position"),
    ],
    indexes: &[],
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "tenant", revision: 1, tables: &[&TENANTS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Tenant::STREAM {
        return Ok(());
    }
    let version = Value::Integer(fact.leaf.stream_version as i64);
    let position = Value::Integer(fact.leaf.position as i64);
    let key = vec![fact.id()];
    let text = |t: String| Value::Text(t);
    match TenantEvent::read(&fact.event).map_err(|e| e.to_string())? {
        TenantEvent::Opened(e) => {
            let empty = || text(String::new());
            out.put(&TENANTS, key, vec![text(e.name), text(e.slug), empty(), empty(), empty(), version, position]);
        }
        TenantEvent::Changed(e) => out.set(
            &TENANTS,
            key,
            vec![
                ("name", text(e.name)),
                ("registration_number", text(e.registration_number)),
                ("address", text(e.address)),
                ("bank_details", text(e.bank_details)),
                ("version", version),
                ("position", position),
            ],
        ),
    }
    Ok(())
}

/// The company, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenantView {
    /// Also the ledger's id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Registered name.
    pub name: String,
    /// Short name in addresses.
    pub slug: String,
    /// `T` and 13 digits, or empty.
    pub registration_number: String,
    /// One line, may be empty.
    pub address: String,
    /// Several lines, may be empty.
    pub bank_details: String,
}

/// The caller's company.
pub struct GetTenant;

impl Query for GetTenant {
    const NAME: &'static str = "get_tenant";
    const PATH: &'static str = "/v1/tenant";
    const PERMISSION: Permission = Permission("tenant.read");
    const PARAMS: &'static [Param] = &[];
    type Answer = TenantView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        let key = crate::table::id(who.ledger);
        read.one(who, "SELECT * FROM tenants WHERE ledger = ? AND id = ?", key, |row| {
            Ok(TenantView {
                id: uuid_at(row, "id")?,
                version: row.get::<_, i64>("version")? as u64,
                position: row.get::<_, i64>("position")? as u64,
                name: row.get("name")?,
                slug: row.get("slug")?,
                registration_number: row.get("registration_number")?,
                address: row.get("address")?,
                bank_details: row.get("bank_details")?,
            })
        })
    }
}
