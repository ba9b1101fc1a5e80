//! What is filled in instead of written: a line from the catalog, a draft from a template. Values are copied.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::commands::{LineInput, compute};
use super::{Document, Line, LinesSet};
use crate::client::Client;
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::Date;
use crate::item::Item;
use crate::money::Decimal;
use crate::role::Permission;
use crate::template::Template;
use crate::tenant::Tenant;

impl From<&Line> for LineInput {
    fn from(line: &Line) -> LineInput {
        LineInput {
            description: line.description.clone(),
            quantity: line.quantity.to_string(),
            unit: line.unit.clone(),
            unit_price: line.unit_price.to_string(),
            tax_rate: line.tax_rate,
            tax_inclusive: line.tax_inclusive,
            has_jp_withholding_tax: line.has_jp_withholding_tax,
        }
    }
}

/// Adds a line from the catalog to a draft, with the item's values of today.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddLine {
    /// Of the catalog.
    pub item_id: Uuid,
    /// How many: a decimal with at most four places.
    #[serde(default = "one")]
    pub quantity: String,
}

fn one() -> String {
    "1".to_owned()
}

impl Command for AddLine {
    type On = (On<Document>, On<Item>);
    const NAME: &'static str = "add_line";
    const ROUTE: Route = Route::post("/v1/documents/{id}/add_line");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.already_issued", "document.cancelled", "document.unknown_item",
        "document.item_archived", "document.too_many_lines", "document.negative_total", "money.bad_decimal",
        "money.overflow", "tax.mixed_inclusion",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.item_id])
    }
    fn decide(self, (document, item): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let draft = document.open()?;
        let details = item.details.as_ref().ok_or(Rejection::at("document.unknown_item", "/item_id"))?;
        if item.archived {
            return Err(Rejection::at("document.item_archived", "/item_id"));
        }
        Decimal::field(&self.quantity, "/quantity")?;
        let lines: Vec<LineInput> = draft.body.lines.iter().map(LineInput::from).collect();
        let lines = [lines, vec![details.line(&self.quantity)]].concat();
        let here = |refused: Rejection| Rejection::at(refused.code, "/item_id");
        let body = compute(&lines, None, draft.tax_rounding).map_err(here)?;
        Ok(vec![document.emit(LinesSet { body })])
    }
}

/// Drafts a document from a template, for a client.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftFromTemplate {
    /// From which.
    pub template_id: Uuid,
    /// To whom.
    pub client_id: Uuid,
    /// Date of the transaction, which placeholders are filled in from; today if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub date: Option<Date>,
}

impl Command for DraftFromTemplate {
    type On = (On<Document>, On<Template>, On<Client>, On<Tenant>);
    const NAME: &'static str = "draft_from_template";
    const ROUTE: Route = Route::create("/v1/documents/from_template");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown_template", "document.template_archived", "document.unknown_client",
        "document.client_archived", "document.negative_total", "money.overflow",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.template_id, self.client_id, ctx.tenant])
    }
    fn decide(
        self,
        (document, template, client, tenant): &Self::On,
        ctx: &mut Context,
    ) -> Result<Vec<Emit>, Rejection> {
        let preset = template.usable()?;
        client.addressable()?;
        let date = self.date.unwrap_or(ctx.today);
        Ok(vec![document.emit(preset.draft(self.client_id, date, tenant.tax_rounding)?)])
    }
}
