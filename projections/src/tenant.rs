//! The company itself: what its settings page and its documents show.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::money::Rounding;
use keiin_domain::role::Permission;
use keiin_domain::tenant::{FISCAL_YEAR_END, RETENTION_YEARS, Tenant, TenantEvent};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Value, Writes, blob, cell, int, text};
use crate::view::col;

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
        text("tax_rounding"),
        int("approval_required"),
        int("fiscal_year_end"),
        int("retention_years"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "tenant", revision: 2, tables: &[&TENANTS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Tenant::STREAM {
        return Ok(());
    }
    match fact.read()? {
        TenantEvent::Opened(e) => {
            let empty = ["registration_number", "address", "bank_details"].map(|column| (column, cell("")));
            let named = [("name", cell(e.name)), ("slug", cell(e.slug))];
            let rules = rules(Rounding::default(), false, FISCAL_YEAR_END, RETENTION_YEARS);
            out.born(&TENANTS, fact, [&named[..], &empty[..], &rules[..]].concat());
        }
        TenantEvent::Changed(e) => {
            let columns = [
                ("name", cell(e.name)),
                ("registration_number", cell(e.registration_number)),
                ("address", cell(e.address)),
                ("bank_details", cell(e.bank_details)),
            ];
            let rules = rules(e.tax_rounding, e.approval_required, e.fiscal_year_end, e.retention_years);
            out.changed(&TENANTS, fact, [&columns[..], &rules[..]].concat());
        }
    }
    Ok(())
}

fn rules(rounding: Rounding, approval: bool, fiscal_year_end: u8, years: u8) -> [(&'static str, Value); 4] {
    [
        ("tax_rounding", cell(rounding.name())),
        ("approval_required", cell(approval)),
        ("fiscal_year_end", cell(fiscal_year_end)),
        ("retention_years", cell(years)),
    ]
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
    /// `floor`, `half_up` or `ceil`, where a document says nothing else.
    pub tax_rounding: String,
    /// Somebody else must look at a document before it is issued.
    pub approval_required: bool,
    /// Month in which the fiscal year ends, 1 to 12.
    pub fiscal_year_end: u8,
    /// How long documents are kept: 7 or 10 years.
    pub retention_years: u8,
}

/// The caller's company.
pub struct GetTenant;

impl Query for GetTenant {
    const NAME: &'static str = "get_tenant";
    const PATH: &'static str = "/v1/tenant";
    const PERMISSION: Permission = Permission("tenant.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = TenantView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, "tenants", Some(who.ledger), |row| {
            Ok(TenantView {
                id: col(row, "id")?,
                version: col(row, "version")?,
                position: col(row, "position")?,
                name: col(row, "name")?,
                slug: col(row, "slug")?,
                registration_number: col(row, "registration_number")?,
                address: col(row, "address")?,
                bank_details: col(row, "bank_details")?,
                tax_rounding: col(row, "tax_rounding")?,
                approval_required: col(row, "approval_required")?,
                fiscal_year_end: col(row, "fiscal_year_end")?,
                retention_years: col(row, "retention_years")?,
            })
        })
    }
}
