//! Items: the company's catalog of what it sells. A line of a document is filled in from an item and holds its values from
//! then on: what becomes of the item later changes no document.
//!
//! What makes a create unique: nothing but its id. A code is for searching; two sizes of one article may share it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::document::LineInput;
use crate::money::Decimal;
use crate::role::Permission;
use crate::tax::TaxRate;
use crate::{events, text};

events! {
    /// What happens to an item.
    ItemEvent {
        Registered = "item.registered" v 1;
        Changed = "item.changed" v 1;
        Archived = "item.archived" v 1;
    }
}

/// What a line is filled in with. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Details {
    /// The company's own; may be empty.
    pub code: String,
    /// What.
    pub description: String,
    /// Of what one counts; may be empty.
    pub unit: String,
    /// For one.
    pub unit_price: Decimal,
    /// Which tax.
    pub tax_rate: TaxRate,
    /// Does the price contain the tax?
    pub tax_inclusive: bool,
    /// Is it a fee of which the payer keeps income tax back?
    pub has_jp_withholding_tax: bool,
}

impl Details {
    /// A line of so many.
    pub fn line(&self, quantity: &str) -> LineInput {
        LineInput {
            description: self.description.clone(),
            quantity: quantity.into(),
            unit: self.unit.clone(),
            unit_price: self.unit_price.to_string(),
            tax_rate: self.tax_rate,
            tax_inclusive: self.tax_inclusive,
            has_jp_withholding_tax: self.has_jp_withholding_tax,
        }
    }
}

/// A new item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// As written.
    pub details: Details,
}

/// Everything after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// As written.
    pub details: Details,
}

/// No new lines from it; the history stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Archived {}

/// State of an item.
#[derive(Debug, Default)]
pub struct Item {
    /// `None` before anything happened.
    pub details: Option<Details>,
    /// No new lines from it.
    pub archived: bool,
}

impl Aggregate for Item {
    type Event = ItemEvent;
    const STREAM: &'static str = "item";
    fn apply(&mut self, event: ItemEvent) {
        match event {
            ItemEvent::Registered(Registered { details }) | ItemEvent::Changed(Changed { details }) => {
                self.details = Some(details);
            }
            ItemEvent::Archived(_) => self.archived = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<ItemEvent> {
        tests::samples()
    }
}

impl On<Item> {
    fn live(&self) -> Result<&Details, Rejection> {
        let details = self.details.as_ref().ok_or(Rejection::new("item.unknown"))?;
        if self.archived { Err(Rejection::new("item.archived")) } else { Ok(details) }
    }
}

/// A new item of the catalog. Absent = empty, or no.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterItem {
    /// The company's own, at most 40 characters.
    #[serde(default)]
    pub code: String,
    /// What; at most 120 characters.
    pub description: String,
    /// Of what one counts; at most 16 characters.
    #[serde(default)]
    pub unit: String,
    /// For one: a decimal with at most four places; negative for a discount.
    pub unit_price: String,
    /// Percent of tax.
    pub tax_rate: TaxRate,
    /// Does the price contain the tax?
    #[serde(default)]
    pub tax_inclusive: bool,
    /// Is it a fee of which the payer keeps income tax back (10.21 %)?
    #[serde(default)]
    pub has_jp_withholding_tax: bool,
}

impl RegisterItem {
    fn check(self) -> Result<Details, Rejection> {
        Ok(Details {
            code: text::optional_line(&self.code, "/code", 40)?,
            description: text::line(&self.description, "/description", 120)?,
            unit: text::optional_line(&self.unit, "/unit", 16)?,
            unit_price: Decimal::field(&self.unit_price, "/unit_price")?,
            tax_rate: self.tax_rate,
            tax_inclusive: self.tax_inclusive,
            has_jp_withholding_tax: self.has_jp_withholding_tax,
        })
    }
}

impl Command for RegisterItem {
    type On = On<Item>;
    const NAME: &'static str = "register_item";
    const ROUTE: Route = Route::create("/v1/items");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] =
        &["money.bad_decimal", "text.required", "text.too_long", "text.control_character"];
    fn decide(self, item: &On<Item>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Ok(vec![item.emit(Registered { details: self.check()? })])
    }
}

/// Replaces what is known of an item. Lines that were filled in from it stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ChangeItem(pub RegisterItem);

impl Command for ChangeItem {
    type On = On<Item>;
    const NAME: &'static str = "change_item";
    const ROUTE: Route = Route::put("/v1/items/{id}");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "item.unknown", "item.archived", "money.bad_decimal", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, item: &On<Item>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let before = item.live()?;
        let details = self.0.check()?;
        Ok(if details == *before { vec![] } else { vec![item.emit(Changed { details })] })
    }
}

/// Takes an item out of the catalog; lines that were filled in from it stay.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveItem {}

impl Command for ArchiveItem {
    type On = On<Item>;
    const NAME: &'static str = "archive_item";
    const ROUTE: Route = Route::post("/v1/items/{id}/archive");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &["item.unknown", "item.archived"];
    fn decide(self, item: &On<Item>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        item.live()?;
        Ok(vec![item.emit(Archived {})])
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::testing::*;

    const ITEM: Uuid = Uuid::from_u128(0x17);

    fn register() -> RegisterItem {
        RegisterItem {
            code: "JIG-1".into(),
            description: "搬送治具".into(),
            unit: "台".into(),
            unit_price: "120000.5".into(),
            tax_rate: TaxRate::Standard,
            tax_inclusive: false,
            has_jp_withholding_tax: false,
        }
    }

    fn details() -> Details {
        Details {
            code: "JIG-1".into(),
            description: "搬送治具".into(),
            unit: "台".into(),
            unit_price: Decimal(1_200_005_000),
            tax_rate: TaxRate::Standard,
            tax_inclusive: false,
            has_jp_withholding_tax: false,
        }
    }

    #[test]
    fn an_item_is_changed_and_taken_out() {
        let s = scene().when(ITEM, register()).then([emit::<Item>(ITEM, Registered { details: details() })]);
        let s = s.when(ITEM, ChangeItem(register())).then([]);
        let cheaper = RegisterItem { code: String::new(), unit_price: "-1".into(), ..register() };
        let details = Details { code: String::new(), unit_price: Decimal(-10_000), ..details() };
        let s = s.when(ITEM, ChangeItem(cheaper)).then([emit::<Item>(ITEM, Changed { details })]);
        let s = s.when(ITEM, ArchiveItem {}).then([emit::<Item>(ITEM, Archived {})]);
        assert!(s.now::<Item>(ITEM).archived);
    }

    #[test]
    fn every_refusal() {
        let s = scene().when(ITEM, RegisterItem { unit_price: "1e3".into(), ..register() });
        let s = s.refused_at("money.bad_decimal", "/unit_price");
        let s = refuses_bad_text(s, ITEM, "/description", true, 120, |d| RegisterItem { description: d, ..register() });
        let s = refuses_bad_text(s, ITEM, "/code", false, 40, |code| RegisterItem { code, ..register() });
        let s = refuses_bad_text(s, ITEM, "/unit", false, 16, |unit| RegisterItem { unit, ..register() });
        covered::<RegisterItem>();

        let s = s.when(ITEM, ChangeItem(register())).refused("item.unknown");
        let s = s.when(ITEM, ArchiveItem {}).refused("item.unknown");
        let s = s.when(ITEM, register()).accepted();
        let s = s.when(ITEM, ChangeItem(RegisterItem { unit_price: String::new(), ..register() }));
        let s = s.refused_at("money.bad_decimal", "/unit_price");
        let change = |description| ChangeItem(RegisterItem { description, ..register() });
        let s = refuses_bad_text(s, ITEM, "/description", true, 120, change);
        let s = s.when(ITEM, ArchiveItem {}).accepted();
        let s = s.when(ITEM, ChangeItem(register())).refused("item.archived");
        _ = s.when(ITEM, ArchiveItem {}).refused("item.archived");
        covered::<ChangeItem>();
        covered::<ArchiveItem>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<ItemEvent> {
        let details = || Details { has_jp_withholding_tax: true, tax_inclusive: true, ..details() };
        vec![Registered { details: details() }.into(), Changed { details: details() }.into(), Archived {}.into()]
    }
}
