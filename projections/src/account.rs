//! Accounts at a provider of identities by which somebody logs in.

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
use crate::table::{Table, Writes, blob, cell, int, personal, text};
use crate::view::{Row, Seen, Time, col};

/// One row an account that is linked.
pub static ACCOUNTS: Table = Table {
    name: "accounts",
    key: &[blob("id")],
    columns: &[
        blob("member_id"),
        blob("subject"),
        text("provider"),
        personal("address"),
        text("linked_by"),
        int("linked_at"),
        int("since"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "account", revision: 1, tables: &[&ACCOUNTS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Factor::STREAM {
        return Ok(());
    }
    match fact.read()? {
        FactorEvent::AccountLinked(e) => {
            let columns = [
                ("member_id", fact.id()),
                ("subject", cell(e.address.subject)),
                ("provider", cell(e.provider.name())),
                ("address", cell(e.address.open(keys).map(|address| address.text))),
                ("linked_by", cell(e.by.name())),
                ("linked_at", cell(fact.time_us())),
                ("since", cell(fact.leaf.position)),
                ("position", cell(fact.leaf.position)),
            ];
            out.put(&ACCOUNTS, [cell(e.account_id)], columns);
        }
        FactorEvent::AccountUnlinked(e) => out.delete(&ACCOUNTS, [cell(e.account_id)]),
        _ => {}
    }
    Ok(())
}

/// An account elsewhere, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// Its name in the ledger.
    pub id: Uuid,
    /// Last record about it.
    pub position: u64,
    /// Where it is.
    pub provider: String,
    /// The address that it had there; absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it was linked by.
    pub linked_by: String,
    /// Since when.
    pub linked_at: Time,
}

/// Accounts as they are kept.
pub const FROM: &str = "accounts";

fn view(row: &Row) -> Seen<AccountView> {
    Ok(AccountView {
        id: col(row, "id")?,
        position: col(row, "position")?,
        provider: col(row, "provider")?,
        address: col(row, "address")?,
        linked_by: col(row, "linked_by")?,
        linked_at: col(row, "linked_at")?,
    })
}

/// One's own accounts elsewhere, newest first.
pub struct ListAccounts;

impl Query for ListAccounts {
    const NAME: &'static str = "list_accounts";
    const PATH: &'static str = "/v1/me/accounts";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<AccountView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.list(who, FROM, Filter::new().and("t.member_id = ?", Some(who.person())), params, view)
    }
}
