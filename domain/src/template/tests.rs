use proptest::prelude::*;

use super::*;
use crate::client::Client;
use crate::document::{DraftDocument, SetLines};
use crate::money::{Decimal, Money};
use crate::tax::TaxRate;
use crate::testing::*;

const TEMPLATE: Uuid = Uuid::from_u128(0x7e1);
const DOCUMENT: Uuid = Uuid::from_u128(0xd1);
const CLIENT: Uuid = Uuid::from_u128(0xc1);

fn line() -> LineInput {
    LineInput {
        description: "{month}月分 保守".into(),
        quantity: "1".into(),
        unit: "式".into(),
        unit_price: "50000".into(),
        tax_rate: TaxRate::Standard,
        tax_inclusive: false,
        has_jp_withholding_tax: false,
    }
}

fn define() -> DefineTemplate {
    DefineTemplate {
        name: "月次保守".into(),
        document_type: DocumentType::Invoice,
        title: "{year}年{month}月分".into(),
        note: String::new(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: true,
        due_days: Some(30),
        tax_rounding: None,
        lines: vec![line()],
    }
}

fn preset() -> Preset {
    let held = Line {
        description: "{month}月分 保守".into(),
        quantity: Decimal(10_000),
        unit: "式".into(),
        unit_price: Decimal(500_000_000),
        tax_rate: TaxRate::Standard,
        tax_inclusive: false,
        amount: Money::yen(50_000),
        has_jp_withholding_tax: false,
    };
    Preset {
        name: "月次保守".into(),
        document_type: DocumentType::Invoice,
        title: "{year}年{month}月分".into(),
        note: String::new(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: true,
        due_days: Some(30),
        tax_rounding: None,
        lines: vec![held],
    }
}

fn document() -> DraftDocument {
    DraftDocument {
        document_type: DocumentType::Invoice,
        client_id: CLIENT,
        title: "11月分".into(),
        date: Date::of(2026, 11, 2),
        date_due: Some(Date::of(2026, 11, 30)),
        note: "お振込みください。".into(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: true,
        tax_rounding: Some(Rounding::Ceil),
        lines: vec![LineInput { description: "保守".into(), ..line() }],
        totals: None,
    }
}

#[test]
fn a_template_is_defined_changed_and_taken_out() {
    let s = scene().when(TEMPLATE, define()).then([emit::<Template>(TEMPLATE, Defined { preset: preset() })]);
    let s = s.when(TEMPLATE, ChangeTemplate(define())).then([]);
    let other = DefineTemplate { due_days: None, lines: vec![], ..define() };
    let changed = Preset { due_days: None, lines: vec![], ..preset() };
    let s = s.when(TEMPLATE, ChangeTemplate(other)).then([emit::<Template>(TEMPLATE, Changed { preset: changed })]);
    s.when(TEMPLATE, ArchiveTemplate {}).then([emit::<Template>(TEMPLATE, Archived {})]);
}

#[test]
fn a_document_becomes_a_template_without_its_client_and_its_dates() {
    let s = scene().given::<Client>(CLIENT, registered_client("国立印刷局"));
    let s = s.when(DOCUMENT, document()).accepted();
    let save = SaveAsTemplate { document_id: DOCUMENT, name: "月次保守".into() };
    let s = s.when(TEMPLATE, save.clone()).accepted();
    let saved = s.now::<Template>(TEMPLATE).state.preset.unwrap();
    let made = saved.draft(CLIENT, Date::of(2027, 2, 1), Rounding::Floor).unwrap();
    assert_eq!((made.head.title.as_str(), made.head.date_due), ("11月分", Some(Date::of(2027, 3, 1))));
    assert_eq!((made.tax_rounding, made.body.totals.total), (Rounding::Ceil, Money::yen(55_000)));

    let s = s.when(TEMPLATE, SaveAsTemplate { document_id: TEMPLATE, ..save.clone() });
    let s = s.refused_at("template.unknown_document", "/document_id");
    let s = refuses_bad_text(s, TEMPLATE, "/name", true, 60, |name| SaveAsTemplate { name, ..save.clone() });
    let braces = vec![LineInput { description: "{部品}".into(), ..line() }];
    let s = s.when(DOCUMENT, SetLines { lines: braces, totals: None }).accepted();
    _ = s.when(TEMPLATE, save).refused_at("template.unknown_placeholder", "/document_id");
    covered::<SaveAsTemplate>();
}

/// What both commands refuse.
fn refusals<C: Command>(s: Scene, command: fn(DefineTemplate) -> C) -> Scene {
    let lines = |line: LineInput| command(DefineTemplate { lines: vec![line], ..define() });
    let s = s.when(TEMPLATE, command(DefineTemplate { due_days: Some(366), ..define() }));
    let s = s.refused_at("template.bad_due_days", "/due_days");
    let s = s.when(TEMPLATE, command(DefineTemplate { lines: vec![line(); 101], ..define() }));
    let s = s.refused_at("document.too_many_lines", "/lines");
    let s = s.when(TEMPLATE, lines(LineInput { unit_price: "-1".into(), ..line() }));
    let s = s.refused_at("document.negative_total", "/lines");
    let s = s.when(TEMPLATE, lines(LineInput { quantity: "x".into(), ..line() }));
    let s = s.refused_at("money.bad_decimal", "/lines/0/quantity");
    let s = s.when(TEMPLATE, lines(LineInput { quantity: "900000000000000".into(), ..line() }));
    let s = s.refused_at("money.overflow", "/lines/0/unit_price");
    let mixed = vec![line(), LineInput { tax_inclusive: true, ..line() }];
    let s = s.when(TEMPLATE, command(DefineTemplate { lines: mixed, ..define() }));
    let s = s.refused_at("tax.mixed_inclusion", "/lines/1/tax_inclusive");
    for bad in ["{}", "{monat}", "{ year }", "{year", "year}", "{{year}}", "{Year}", "{year}{"] {
        let title = DefineTemplate { title: bad.into(), ..define() };
        _ = s.clone().when(TEMPLATE, command(title)).refused_at("template.unknown_placeholder", "/title");
    }
    let s = s.when(TEMPLATE, command(DefineTemplate { note: "{prev_moth}".into(), ..define() }));
    let s = s.refused_at("template.unknown_placeholder", "/note");
    let s = s.when(TEMPLATE, lines(LineInput { description: "{x}".into(), ..line() }));
    let s = s.refused_at("template.unknown_placeholder", "/lines/0/description");
    let s = refuses_bad_text(s, TEMPLATE, "/name", true, 60, |name| command(DefineTemplate { name, ..define() }));
    let s = refuses_bad_text(s, TEMPLATE, "/title", true, 80, |title| command(DefineTemplate { title, ..define() }));
    let s = refuses_bad_text(s, TEMPLATE, "/note", false, 400, |note| command(DefineTemplate { note, ..define() }));
    refuses_bad_text(s, TEMPLATE, "/proviso", false, 80, |proviso| command(DefineTemplate { proviso, ..define() }))
}

#[test]
fn every_refusal() {
    let s = refusals(scene(), |define| define);
    covered::<DefineTemplate>();
    let s = s.when(TEMPLATE, ChangeTemplate(define())).refused("template.unknown");
    let s = s.when(TEMPLATE, ArchiveTemplate {}).refused("template.unknown");
    let s = refusals(s.when(TEMPLATE, define()).accepted(), ChangeTemplate);
    let receipt = DefineTemplate { document_type: DocumentType::Receipt, ..define() };
    let s = s.when(TEMPLATE, ChangeTemplate(receipt));
    let s = s.refused_expecting("template.other_type", "/document_type", "invoice");
    let s = s.when(TEMPLATE, ArchiveTemplate {}).accepted();
    let s = s.when(TEMPLATE, ChangeTemplate(define())).refused("template.archived");
    _ = s.when(TEMPLATE, ArchiveTemplate {}).refused("template.archived");
    covered::<ChangeTemplate>();
    covered::<ArchiveTemplate>();
}

proptest! {
    /// What fits in a template fits in its documents, on every day of four-digit years.
    #[test]
    fn what_is_filled_in_is_shorter_than_its_placeholder(days in -719_162i32..=2_932_896) {
        for name in PLACEHOLDERS {
            let placeholder = format!("{{{name}}}");
            prop_assert!(fill(&placeholder, Date(days)).chars().count() <= placeholder.len());
        }
    }
}

#[test]
fn the_months_around_a_turn_of_the_year() {
    let all = "{year} {month} {day} {prev_month} {prev_month_year} {next_month} {next_month_year}";
    assert_eq!(fill(all, Date::of(2027, 1, 31)), "2027 1 31 12 2026 2 2027");
    assert_eq!(fill(all, Date::of(2026, 12, 1)), "2026 12 1 11 2026 1 2027");
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<TemplateEvent> {
    let whole = || Preset {
        note: "{next_month}月末日までに".into(),
        proviso: "保守料".into(),
        tax_rounding: Some(Rounding::HalfUp),
        ..preset()
    };
    vec![Defined { preset: whole() }.into(), Changed { preset: whole() }.into(), Archived {}.into()]
}
