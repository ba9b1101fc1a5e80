//! How the company guards its accounts, as its settings page shows it.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::factor::account::Provider;
use keiin_domain::role::Permission;
use keiin_domain::security::{Security, SecurityEvent};
use serde::Serialize;
use utoipa::ToSchema;

use crate::fact::{Fact, Opener};
use crate::query::{Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Json, col, json};

/// One row a company that ever changed its settings.
pub static SECURITY: Table = Table {
    name: "security",
    key: &[blob("id")],
    columns: &[
        int("second_factor_required"),
        text("networks"),
        text("providers"),
        int("sms"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "security", revision: 3, tables: &[&SECURITY], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Security::STREAM {
        return Ok(());
    }
    let SecurityEvent::Changed(e) = fact.read()?;
    let required = ("second_factor_required", cell(e.second_factor_required));
    let (networks, providers) = (cell(json(&e.networks)), cell(json(&e.providers)));
    let sms = ("sms", cell(e.sms));
    out.born(&SECURITY, fact, [required, ("networks", networks), ("providers", providers), sms]);
    Ok(())
}

/// The settings, as shown.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SecurityView {
    /// Who has no second factor may only set one up.
    pub second_factor_required: bool,
    /// Networks that people and programs may come from; empty = anywhere.
    pub networks: Vec<String>,
    /// By whose accounts people may log in.
    pub providers: Vec<Provider>,
    /// Codes by SMS are a second factor.
    pub sms: bool,
}

/// The caller's company's settings.
pub struct GetSecurity;

impl Query for GetSecurity {
    const NAME: &'static str = "get_security";
    const PATH: &'static str = "/v1/security";
    const PERMISSION: Permission = Permission("security.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = SecurityView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        let found = read.one(who, "security", Some(who.ledger), |row| {
            let second_factor_required = col(row, "second_factor_required")?;
            let (networks, providers) = (col::<Json<_>>(row, "networks")?.0, col::<Json<_>>(row, "providers")?.0);
            Ok(SecurityView { second_factor_required, networks, providers, sms: col(row, "sms")? })
        });
        if matches!(found, Err(Refusal::NotFound)) { Ok(SecurityView::default()) } else { found }
    }
}
