//! Lines from the catalog, drafts from templates.

use super::*;
use crate::item::{self, Item};
use crate::template::{self, Preset, Template};

const ITEM: Uuid = Uuid::from_u128(0x17);
const TEMPLATE: Uuid = Uuid::from_u128(0x7e1);

fn details(unit_price: i64, tax_inclusive: bool) -> item::Details {
    item::Details {
        code: "JIG-1".into(),
        description: "搬送治具".into(),
        unit: "台".into(),
        unit_price: Decimal(unit_price),
        tax_rate: TaxRate::Standard,
        tax_inclusive,
        has_jp_withholding_tax: false,
    }
}

fn drafted() -> Scene {
    let item = item::Registered { details: details(1_000_000, false) };
    ready().given::<Item>(ITEM, item).when(DOCUMENT, draft()).accepted()
}

fn add(quantity: &str) -> AddLine {
    AddLine { item_id: ITEM, quantity: quantity.into() }
}

#[test]
fn a_line_from_the_catalog_holds_what_the_item_was_then() {
    let s = drafted().when(DOCUMENT, add("2.5")).accepted();
    let s = s.given::<Item>(ITEM, item::Changed { details: details(9_990_000, false) });
    let draft = s.now::<Document>(DOCUMENT).state.draft.unwrap();
    let added = draft.body.lines.last().unwrap();
    assert_eq!((draft.body.lines.len(), added.description.as_str(), added.amount), (3, "搬送治具", Money::yen(250)));
    let taxed = draft.body.totals.by_rate.iter().find(|part| part.tax_rate == TaxRate::Standard).unwrap();
    assert_eq!(taxed.subtotal, Money::yen(98_999 + 250));
}

#[test]
fn every_refusal_of_a_line_from_the_catalog() {
    let s = scene().when(DOCUMENT, add("1")).refused("document.unknown");
    let s = s.given::<Client>(CLIENT, registered_client("国立印刷局"));
    let s = s.when(DOCUMENT, draft()).accepted().when(DOCUMENT, add("1"));
    s.refused_at("document.unknown_item", "/item_id");
    let s = drafted().when(DOCUMENT, add("1 000")).refused_at("money.bad_decimal", "/quantity");
    let s = s.when(DOCUMENT, add("-9999")).refused_at("document.negative_total", "/item_id");
    let s = s.when(DOCUMENT, add("900000000000000")).refused_at("money.overflow", "/item_id");
    let inclusive = s.clone().given::<Item>(ITEM, item::Changed { details: details(1, true) });
    inclusive.when(DOCUMENT, add("1")).refused_at("tax.mixed_inclusion", "/item_id");
    let many = SetLines { lines: vec![line("1", "1", TaxRate::Zero); MAX_LINES], totals: None };
    let full = s.clone().when(DOCUMENT, many).accepted();
    full.when(DOCUMENT, add("1")).refused_at("document.too_many_lines", "/item_id");
    let gone = s.clone().given::<Item>(ITEM, item::Archived {});
    gone.when(DOCUMENT, add("1")).refused_at("document.item_archived", "/item_id");
    let void = s.clone().given::<Document>(DOCUMENT, Cancelled { reason: "重複".into() });
    void.when(DOCUMENT, add("1")).refused("document.cancelled");
    let s = s.when(DOCUMENT, IssueDocument {}).accepted();
    _ = s.when(DOCUMENT, add("1")).refused("document.already_issued");
    covered::<AddLine>();
}

/// A template with one line, as it might be by this rounding or the company's.
fn preset(quantity: i64, unit_price: i64, tax_rounding: Option<Rounding>) -> Preset {
    let line = Line {
        description: "{prev_month_year}年{prev_month}月分 保守".into(),
        quantity: Decimal(quantity),
        unit: "式".into(),
        unit_price: Decimal(unit_price),
        tax_rate: TaxRate::Zero,
        tax_inclusive: false,
        amount: Money::yen(0),
        has_jp_withholding_tax: false,
    };
    Preset {
        name: "月次保守".into(),
        document_type: DocumentType::Invoice,
        title: "{year}年{month}月分".into(),
        note: "{next_month}月末日までに".into(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: true,
        due_days: Some(30),
        tax_rounding,
        lines: vec![line],
    }
}

fn from(client_id: Uuid, date: Option<Date>) -> DraftFromTemplate {
    DraftFromTemplate { template_id: TEMPLATE, client_id, date }
}

#[test]
fn a_draft_from_a_template_is_filled_in_from_its_date() {
    let s = ready().given::<Template>(TEMPLATE, template::Defined { preset: preset(15_000, 10_000, None) });
    let s = s.when(DOCUMENT, from(CLIENT, Some(Date::of(2027, 1, 31)))).accepted();
    let drafted = s.now::<Document>(DOCUMENT).state.draft.unwrap();
    let Head { title, note, date, date_due, has_hanko, .. } = &drafted.head;
    assert_eq!((title.as_str(), note.as_str()), ("2027年1月分", "2月末日までに"));
    assert_eq!((*date, *date_due, *has_hanko), (Date::of(2027, 1, 31), Some(Date::of(2027, 3, 2)), true));
    let line = &drafted.body.lines[0];
    // The company rounds down: its own rounding, where the template says none.
    assert_eq!((line.description.as_str(), line.amount), ("2026年12月分 保守", Money::yen(1)));
    assert_eq!((drafted.tax_rounding, drafted.origin), (Rounding::Floor, None));

    let s = s.given::<Template>(TEMPLATE, template::Changed { preset: preset(15_000, 10_000, Some(Rounding::Ceil)) });
    let s = s.when(OTHER, from(CLIENT, None)).accepted();
    let drafted = s.now::<Document>(OTHER).state.draft.unwrap();
    assert_eq!((drafted.head.date, drafted.body.totals.total), (Date::of(2026, 11, 2), Money::yen(2)));
    assert_eq!(s.now::<Document>(DOCUMENT).state.draft.unwrap().body.totals.total, Money::yen(1), "as it was made");
}

#[test]
fn every_refusal_of_a_draft_from_a_template() {
    let s = ready().when(DOCUMENT, from(CLIENT, None)).refused_at("document.unknown_template", "/template_id");
    let s = s.given::<Template>(TEMPLATE, template::Defined { preset: preset(10_000, 10_000, None) });
    let s = s.when(DOCUMENT, from(OTHER, None)).refused_at("document.unknown_client", "/client_id");
    let archived = s.clone().given::<Client>(CLIENT, Archived {});
    archived.when(DOCUMENT, from(CLIENT, None)).refused_at("document.client_archived", "/client_id");
    let gone = s.clone().given::<Template>(TEMPLATE, template::Archived {});
    gone.when(DOCUMENT, from(CLIENT, None)).refused_at("document.template_archived", "/template_id");
    // What fits when the template is written may not fit as the company rounds since.
    let up = tenant::Changed { tax_rounding: Rounding::Ceil, ..company() };
    let s = s.given::<Tenant>(TENANT, up);
    let half = |unit_price| template::Changed { preset: preset(10_000, unit_price, None) };
    let negative = s.clone().given::<Template>(TEMPLATE, half(-5_000));
    negative.when(DOCUMENT, from(CLIENT, None)).refused_at("document.negative_total", "/template_id");
    let largest = template::Changed { preset: preset(10_000_000, 90_071_992_547_409_915, None) };
    let s = s.given::<Template>(TEMPLATE, largest);
    _ = s.when(DOCUMENT, from(CLIENT, None)).refused_at("money.overflow", "/template_id");
    covered::<DraftFromTemplate>();
}
