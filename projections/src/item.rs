//! Items: the catalog. Nothing here is personal.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::item::{Details, Item, ItemEvent};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Columns, Table, Writes, blob, cell, int, text};
use crate::view::{Row, Seen, col, filled};

/// One row an item.
pub static ITEMS: Table = Table {
    name: "items",
    key: &[blob("id")],
    columns: &[
        text("code"),
        text("description"),
        text("unit"),
        text("unit_price"),
        text("tax_rate"),
        int("tax_inclusive"),
        int("has_jp_withholding_tax"),
        text("search"),
        text("status"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "status, since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "item", revision: 2, tables: &[&ITEMS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Item::STREAM {
        return Ok(());
    }
    match fact.read()? {
        ItemEvent::Registered(e) => {
            let mut columns = columns(e.details);
            columns.push(("status", cell("active")));
            out.born(&ITEMS, fact, columns);
        }
        ItemEvent::Changed(e) => out.changed(&ITEMS, fact, columns(e.details)),
        ItemEvent::Archived(_) => out.changed(&ITEMS, fact, [("status", cell("archived"))]),
    }
    Ok(())
}

fn columns(details: Details) -> Columns {
    vec![
        ("search", cell(search::lines(&[&details.code, &details.description]))),
        ("code", cell(details.code)),
        ("description", cell(details.description)),
        ("unit", cell(details.unit)),
        ("unit_price", cell(details.unit_price.to_string())),
        ("tax_rate", cell(details.tax_rate.name())),
        ("tax_inclusive", cell(details.tax_inclusive)),
        ("has_jp_withholding_tax", cell(details.has_jp_withholding_tax)),
    ]
}

/// An item, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ItemView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// The company's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What.
    pub description: String,
    /// Of what one counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// For one: a decimal with at most four places.
    pub unit_price: String,
    /// Percent of tax.
    pub tax_rate: String,
    /// Does the price contain the tax?
    pub tax_inclusive: bool,
    /// Is it a fee of which the payer keeps income tax back?
    pub has_jp_withholding_tax: bool,
    /// No new lines from it.
    pub archived: bool,
}

/// What the list shows.
pub const FROM: &str = "items";

fn view(row: &Row) -> Seen<ItemView> {
    Ok(ItemView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        code: filled(col(row, "code")?),
        description: col(row, "description")?,
        unit: filled(col(row, "unit")?),
        unit_price: col(row, "unit_price")?,
        tax_rate: col(row, "tax_rate")?,
        tax_inclusive: col(row, "tax_inclusive")?,
        has_jp_withholding_tax: col(row, "has_jp_withholding_tax")?,
        archived: col::<String>(row, "status")? == "archived",
    })
}

/// The catalog, newest first.
pub struct ListItems;

impl Query for ListItems {
    const NAME: &'static str = "list_items";
    const PATH: &'static str = "/v1/items";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] =
        &[Param { name: "status", kind: Kind::OneOf(&["active", "archived"]) }, Param { name: "q", kind: Kind::Text }];
    const LIST: bool = true;
    type Answer = Listing<ItemView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new().and("t.status = ?", params.text("status"));
        let page = read.list(who, FROM, filter.search(&search::has("t.search"), params.text("q")), params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, Filter::new())?, ..page })
    }
}

/// One item.
pub struct GetItem;

impl Query for GetItem {
    const NAME: &'static str = "get_item";
    const PATH: &'static str = "/v1/items/{id}";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = ItemView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), view)
    }
}
