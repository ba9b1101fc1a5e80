mod deals;
mod presets;

use super::*;
use crate::client::{Archived, Client};
use crate::event::Event;
use crate::series::{NumberTaken, Series};
use crate::tax::{ClaimedTotals, RateTotal};
use crate::tenant::{self, Tenant};
use crate::testing::*;

const DOCUMENT: Uuid = Uuid::from_u128(0xd1);
const OTHER: Uuid = Uuid::from_u128(0xd2);
const CLIENT: Uuid = Uuid::from_u128(0xc1);

fn company() -> tenant::Changed {
    tenant::Changed {
        name: "株式会社ミナト製作所".into(),
        registration_number: "T7000012050002".into(),
        address: "東京都港区芝公園1-1-1".into(),
        bank_details: "みなと銀行".into(),
        tax_rounding: Rounding::Floor,
        approval_required: false,
        fiscal_year_end: 3,
        retention_years: 7,
    }
}

/// A qualified company with one client.
fn ready() -> Scene {
    let client = registered_client("国立印刷局");
    scene().given::<Tenant>(TENANT, company()).given::<Client>(CLIENT, client)
}

fn line(quantity: &str, unit_price: &str, tax_rate: TaxRate) -> LineInput {
    LineInput {
        description: "紙".into(),
        quantity: quantity.into(),
        unit: "箱".into(),
        unit_price: unit_price.into(),
        tax_rate,
        tax_inclusive: false,
        has_jp_withholding_tax: false,
    }
}

fn lines() -> Vec<LineInput> {
    vec![line("1", "1000", TaxRate::Reduced), line("1", "98999", TaxRate::Standard)]
}

fn draft() -> DraftDocument {
    DraftDocument {
        document_type: DocumentType::Invoice,
        client_id: CLIENT,
        title: "11月分".into(),
        date: Date::of(2026, 11, 2),
        date_due: Some(Date::of(2026, 11, 30)),
        note: String::new(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: true,
        tax_rounding: None,
        lines: lines(),
        totals: None,
    }
}

fn held(quantity: &str, unit_price: &str, tax_rate: TaxRate, amount: i64) -> Line {
    Line {
        description: "紙".into(),
        quantity: Decimal::parse(quantity).unwrap(),
        unit: "箱".into(),
        unit_price: Decimal::parse(unit_price).unwrap(),
        tax_rate,
        tax_inclusive: false,
        amount: Money::yen(amount),
        has_jp_withholding_tax: false,
    }
}

/// What stands around the lines of [`draft`].
fn head(title: &str) -> Head {
    Head {
        client_id: CLIENT,
        title: title.into(),
        date: Date::of(2026, 11, 2),
        date_due: Some(Date::of(2026, 11, 30)),
        note: String::new(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: true,
    }
}

fn totals() -> Totals {
    let part = |tax_rate, subtotal, tax| RateTotal { tax_rate, subtotal: Money::yen(subtotal), tax: Money::yen(tax) };
    Totals {
        by_rate: vec![part(TaxRate::Reduced, 1_000, 80), part(TaxRate::Standard, 98_999, 9_899)],
        subtotal: Money::yen(99_999),
        tax: Money::yen(9_979),
        total: Money::yen(109_978),
    }
}

fn issue() -> IssueDocument {
    IssueDocument {}
}

fn correct(lines: Vec<LineInput>) -> CorrectDocument {
    CorrectDocument { lines, reason: "数量の誤り".into() }
}

fn cancel() -> CancelDocument {
    CancelDocument { reason: "重複".into() }
}

fn pay(amount: i64) -> RecordPayment {
    RecordPayment { amount: Money::yen(amount), date: Date::of(2026, 11, 20) }
}

fn set(lines: Vec<LineInput>) -> SetLines {
    SetLines { lines, totals: None }
}

fn drafted() -> Scene {
    ready().when(DOCUMENT, draft()).accepted()
}

fn issued() -> Scene {
    drafted().when(DOCUMENT, issue()).accepted()
}

#[test]
fn a_draft_holds_what_was_written_and_what_it_comes_to() {
    ready().when(DOCUMENT, draft()).then([emit::<Document>(
        DOCUMENT,
        Drafted {
            document_type: DocumentType::Invoice,
            origin: None,
            head: head("11月分"),
            tax_rounding: Rounding::Floor,
            body: Body {
                lines: vec![held("1", "1000", TaxRate::Reduced, 1_000), held("1", "98999", TaxRate::Standard, 98_999)],
                totals: totals(),
                jp_withholding_tax: Money::yen(0),
            },
        },
    )]);
}

#[test]
fn a_document_may_be_due_on_its_day() {
    ready().when(DOCUMENT, DraftDocument { date_due: Some(draft().date), ..draft() }).accepted();
}

#[test]
fn totals_that_are_sent_must_be_right() {
    let claimed: ClaimedTotals = serde_json::from_str(
        r#"{"by_rate": [{"tax_rate": "8", "subtotal": 10000}, {"tax_rate": "10", "subtotal": 98999}],
            "tax": "10699.9", "total": 99999}"#,
    )
    .unwrap();
    let mut scene = ready();
    let command = DraftDocument { totals: Some(claimed), ..draft() };
    let rejection = scene.ask(DOCUMENT, command).unwrap_err();
    let at: Vec<_> = rejection.at.iter().map(|f| (f.pointer.as_str(), f.expected.as_deref().unwrap())).collect();
    assert_eq!(rejection.code, "tax.totals_differ");
    assert_eq!(at, [("/totals/by_rate/0/subtotal", "1000"), ("/totals/tax", "9979"), ("/totals/total", "109978")]);
}

#[test]
fn the_issue_takes_a_number_and_holds_what_is_printed() {
    let mut scene = drafted();
    let series = scene.world.subject_of("series", "invoice/2026");
    let scene = scene.when(DOCUMENT, issue()).then([
        emit::<Document>(
            DOCUMENT,
            Issued {
                number: "INV-2026-0001".into(),
                issued_on: Date::of(2026, 11, 2),
                sender: Sender {
                    name: "株式会社ミナト製作所".into(),
                    registration_number: "T7000012050002".into(),
                    address: "東京都港区芝公園1-1-1".into(),
                    bank_details: "みなと銀行".into(),
                },
                recipient: profile("国立印刷局"),
                totals: totals(),
                secret_hash: hash("keiin_chk_1"),
            },
        ),
        emit::<Series>(series, NumberTaken { number: 1, document: DOCUMENT }),
    ]);
    assert_eq!(scene.now::<Document>(DOCUMENT).status(), Some(DocumentStatus::Issued));
}

#[test]
fn numbers_have_no_gaps_and_none_is_given_twice() {
    let quote = |id| (id, DraftDocument { document_type: DocumentType::Quote, ..draft() });
    let mut scene = issued();
    // A draft that never goes out, a void one and another type leave no gap.
    let (id, other_type) = quote(Uuid::from_u128(1));
    scene = scene.when(id, other_type).accepted().when(id, issue()).accepted();
    scene = scene.when(DOCUMENT, cancel()).accepted();
    for n in 2..=12 {
        let id = Uuid::from_u128(0xd00 + n);
        scene = scene.when(id, draft()).accepted().when(id, issue()).accepted();
        assert_eq!(scene.now::<Document>(id).number, format!("INV-2026-{n:04}"));
    }
    assert_eq!(scene.now::<Document>(id).number, "QUO-2026-0001");
    // The next year begins when it begins in Japan.
    let scene = scene.at("2026-12-31T15:00:00Z").when(OTHER, draft()).accepted().when(OTHER, issue()).accepted();
    assert_eq!(scene.now::<Document>(OTHER).number, "INV-2027-0001");
}

#[test]
fn two_issues_at_once_get_two_numbers() {
    let scene = drafted().when(OTHER, draft()).accepted();
    let scene = scene.race((DOCUMENT, issue()), (OTHER, issue())).accepted();
    assert_eq!(scene.now::<Document>(DOCUMENT).number, "INV-2026-0001");
    assert_eq!(scene.now::<Document>(OTHER).number, "INV-2026-0002");
    drafted().race((DOCUMENT, issue()), (DOCUMENT, issue())).refused("document.already_issued");
}

#[test]
fn an_issue_meets_a_change_of_the_client_or_the_company() {
    drafted()
        .race((CLIENT, crate::client::ArchiveClient {}), (DOCUMENT, issue()))
        .refused_at("document.client_archived", "/client_id");
    drafted().race((DOCUMENT, set(vec![])), (DOCUMENT, issue())).refused_at("document.no_lines", "/lines");
}

#[test]
fn issued_is_immutable() {
    let s = issued().when(DOCUMENT, set(lines())).refused("document.already_issued");
    let s = s.when(DOCUMENT, ChangeDocument::default()).refused("document.already_issued");
    let before = s.now::<Document>(DOCUMENT);
    // What changes elsewhere does not reach it.
    let renamed = tenant::Changed { name: "他社".into(), ..company() };
    let s = s.given::<Tenant>(TENANT, renamed).given::<Client>(CLIENT, Archived {});
    assert_eq!(s.now::<Document>(DOCUMENT).version, before.version);
}

#[test]
fn a_correction_keeps_the_number_and_raises_the_revision() {
    let twice = vec![line("2", "1000", TaxRate::Reduced)];
    let scene = issued().when(DOCUMENT, correct(twice.clone())).accepted();
    let document = scene.now::<Document>(DOCUMENT);
    assert_eq!((document.number.as_str(), document.revision), ("INV-2026-0001", 2));
    assert_eq!(document.state.draft.unwrap().body.totals.total, Money::yen(2_160));
    let scene = scene.when(DOCUMENT, correct(twice)).accepted();
    assert_eq!(scene.now::<Document>(DOCUMENT).revision, 3);
}

#[test]
fn an_invoice_is_paid_when_all_of_it_came_in() {
    let scene = issued().when(DOCUMENT, pay(100_000)).accepted();
    assert_eq!(scene.now::<Document>(DOCUMENT).status(), Some(DocumentStatus::Issued));
    let scene = scene.when(DOCUMENT, pay(9_979)).refused_expecting("document.overpaid", "/amount/amount", "9978");
    let scene = scene.when(DOCUMENT, pay(9_978)).accepted();
    assert_eq!(scene.now::<Document>(DOCUMENT).status(), Some(DocumentStatus::Paid));
    // A correction may open it again, never fall below what was paid.
    let same = correct(vec![line("1", "109978", TaxRate::Zero)]);
    let scene = scene.when(DOCUMENT, same).accepted();
    assert_eq!(scene.now::<Document>(DOCUMENT).status(), Some(DocumentStatus::Paid));
    let less = correct(vec![line("1", "109977", TaxRate::Zero)]);
    let scene = scene.when(DOCUMENT, less).refused_at("document.below_payments", "/lines");
    let scene = scene.when(DOCUMENT, correct(vec![line("1", "200000", TaxRate::Zero)])).accepted();
    assert_eq!(scene.now::<Document>(DOCUMENT).status(), Some(DocumentStatus::Issued));
}

#[test]
fn an_invoice_over_nothing_waits_for_nothing_and_is_not_paid() {
    let scene = issued().when(DOCUMENT, correct(vec![line("0", "1000", TaxRate::Standard)])).accepted();
    assert_eq!(scene.now::<Document>(DOCUMENT).status(), Some(DocumentStatus::Issued));
}

#[test]
fn only_an_invoice_needs_the_company_to_be_registered() {
    let unregistered = tenant::Changed { registration_number: String::new(), ..company() };
    let scene = drafted().given::<Tenant>(TENANT, unregistered);
    let scene = scene.when(DOCUMENT, issue()).refused("document.not_qualified");
    let quote = DraftDocument { document_type: DocumentType::Quote, ..draft() };
    scene.when(OTHER, quote).accepted().when(OTHER, issue()).accepted();
}

#[test]
fn lines_are_rounded_as_the_document_says() {
    let half = vec![line("0.5", "333", TaxRate::Standard)];
    for (rounding, amount, tax) in [(Rounding::Floor, 166, 16), (Rounding::HalfUp, 167, 17), (Rounding::Ceil, 167, 17)]
    {
        let command = DraftDocument { tax_rounding: Some(rounding), lines: half.clone(), ..draft() };
        let scene = ready().when(DOCUMENT, command).accepted().when(DOCUMENT, set(half.clone())).accepted();
        let totals = scene.now::<Document>(DOCUMENT).state.draft.unwrap().body.totals;
        assert_eq!((totals.subtotal, totals.tax), (Money::yen(amount), Money::yen(tax)), "{rounding:?}");
    }
}

#[test]
fn a_change_says_what_holds_after_it() {
    let change = ChangeDocument { title: Some("12月分".into()), ..ChangeDocument::default() };
    let changed = Changed { head: head("12月分") };
    drafted()
        .when(DOCUMENT, change.clone())
        .then([emit::<Document>(DOCUMENT, changed)])
        .when(DOCUMENT, change)
        .then([]);
}

#[test]
fn the_longest_draft_fits_into_a_record() {
    let widest = "𠮷";
    let longest = LineInput {
        description: widest.repeat(120),
        quantity: "9999.9999".into(),
        unit: widest.repeat(16),
        unit_price: "999999999.9999".into(),
        ..line("1", "1", TaxRate::Standard)
    };
    let command = DraftDocument {
        title: widest.repeat(80),
        note: widest.repeat(400),
        lines: vec![longest; MAX_LINES],
        ..draft()
    };
    let body = ready().ask(DOCUMENT, command).unwrap()[0].event.bytes.len();
    // 65,536 less the box and the context of the append.
    assert!(body < 64_000, "{body} bytes");
}

#[test]
fn every_refusal_of_lines() {
    fn refuse<C: crate::command::Command>(mut s: Scene, command: impl Fn(Vec<LineInput>) -> C) -> Scene {
        let one = |line: LineInput| command(vec![line]);
        let good = || line("1", "1", TaxRate::Standard);
        s = s.when(DOCUMENT, command(vec![good(); 101])).refused_at("document.too_many_lines", "/lines");
        s = s
            .when(DOCUMENT, one(line("1.00001", "1", TaxRate::Zero)))
            .refused_at("money.bad_decimal", "/lines/0/quantity");
        s = s
            .when(DOCUMENT, one(line("1", "1e3", TaxRate::Zero)))
            .refused_at("money.bad_decimal", "/lines/0/unit_price");
        let huge = line("99999999999", "99999999999", TaxRate::Zero);
        s = s.when(DOCUMENT, one(huge)).refused_at("money.overflow", "/lines/0/unit_price");
        let most = line("1", "9007199254740991", TaxRate::Zero);
        s = s.when(DOCUMENT, one(most)).refused_at("money.bad_decimal", "/lines/0/unit_price");
        let most = line("10", "900719925474099.1", TaxRate::Zero);
        s = s.when(DOCUMENT, command(vec![most.clone(), most])).refused("money.overflow");
        s = s.when(DOCUMENT, one(line("-1", "1", TaxRate::Zero))).refused_at("document.negative_total", "/lines");
        let inclusive = LineInput { tax_inclusive: true, ..good() };
        let mixed = command(vec![good(), inclusive]);
        s = s.when(DOCUMENT, mixed).refused_at("tax.mixed_inclusion", "/lines/1/tax_inclusive");
        s = refuses_bad_text(s, DOCUMENT, "/lines/0/description", true, 120, |description| {
            one(LineInput { description, ..good() })
        });
        refuses_bad_text(s, DOCUMENT, "/lines/0/unit", false, 16, |unit| one(LineInput { unit, ..good() }))
    }
    let wrong: ClaimedTotals = serde_json::from_str(r#"{"total": 1}"#).unwrap();

    let s = refuse(ready(), |lines| DraftDocument { lines, ..draft() });
    let s = s.when(DOCUMENT, DraftDocument { totals: Some(wrong.clone()), ..draft() });
    let s = s.refused_expecting("tax.totals_differ", "/totals/total", "109978");
    let s = s.when(DOCUMENT, DraftDocument { client_id: OTHER, ..draft() });
    let s = s.refused_at("document.unknown_client", "/client_id");
    let s = s.when(DOCUMENT, DraftDocument { date_due: Some(Date::of(2026, 11, 1)), ..draft() });
    let s = s.refused_at("document.due_before_date", "/date_due");
    let s = refuses_bad_text(s, DOCUMENT, "/title", true, 80, |title| DraftDocument { title, ..draft() });
    let s = refuses_bad_text(s, DOCUMENT, "/proviso", false, 80, |proviso| DraftDocument { proviso, ..draft() });
    let s = refuses_bad_text(s, DOCUMENT, "/note", false, 400, |note| DraftDocument { note, ..draft() });
    let s = s.given::<Client>(CLIENT, Archived {}).when(DOCUMENT, draft());
    s.refused_at("document.client_archived", "/client_id");
    covered::<DraftDocument>();

    let s = refuse(drafted(), set);
    let s = s.when(DOCUMENT, SetLines { lines: lines(), totals: Some(wrong) });
    let s = s.refused_expecting("tax.totals_differ", "/totals/total", "109978");
    let s = s.when(OTHER, set(lines())).refused("document.unknown");
    let s = s.when(DOCUMENT, issue()).accepted().when(DOCUMENT, set(lines())).refused("document.already_issued");
    s.when(DOCUMENT, cancel()).accepted().when(DOCUMENT, set(lines())).refused("document.cancelled");
    covered::<SetLines>();

    let s = refuse(issued(), correct);
    let s = s.when(OTHER, correct(lines())).refused("document.unknown");
    let s = s.when(DOCUMENT, correct(vec![])).refused_at("document.no_lines", "/lines");
    let s =
        refuses_bad_text(s, DOCUMENT, "/reason", true, 400, |reason| CorrectDocument { reason, ..correct(lines()) });
    let s = s.when(OTHER, draft()).accepted().when(OTHER, correct(lines())).refused("document.not_issued");
    let s = s.when(OTHER, cancel()).accepted().when(OTHER, correct(lines())).refused("document.cancelled");
    let s = s.when(DOCUMENT, pay(109_978)).accepted();
    s.when(DOCUMENT, correct(vec![line("1", "1", TaxRate::Zero)])).refused_at("document.below_payments", "/lines");
    covered::<CorrectDocument>();
}

#[test]
fn every_refusal_of_the_rest() {
    let client = |id| ChangeDocument { client_id: Some(id), ..ChangeDocument::default() };
    let s = drafted().when(OTHER, client(CLIENT)).refused("document.unknown");
    let s = s.when(DOCUMENT, client(OTHER)).refused_at("document.unknown_client", "/client_id");
    let early = ChangeDocument { date_due: Some(Date::of(2026, 11, 1)), ..ChangeDocument::default() };
    let s = s.when(DOCUMENT, early).refused_at("document.due_before_date", "/date_due");
    let late = ChangeDocument { date: Some(Date::of(2026, 12, 1)), ..ChangeDocument::default() };
    let s = s.when(DOCUMENT, late).refused_at("document.due_before_date", "/date_due");
    let title = |title| ChangeDocument { title: Some(title), ..ChangeDocument::default() };
    let s = refuses_bad_text(s, DOCUMENT, "/title", true, 80, title);
    let note = |note| ChangeDocument { note: Some(note), ..ChangeDocument::default() };
    let proviso = |proviso| ChangeDocument { proviso: Some(proviso), ..ChangeDocument::default() };
    let s = refuses_bad_text(s, DOCUMENT, "/proviso", false, 80, proviso);
    let s = refuses_bad_text(s, DOCUMENT, "/note", false, 400, note);
    let archived = s.clone().given::<Client>(CLIENT, Archived {});
    let archived = archived.when(DOCUMENT, client(CLIENT)).refused_at("document.client_archived", "/client_id");
    archived.when(DOCUMENT, issue()).refused_at("document.client_archived", "/client_id");

    let s = s.when(OTHER, issue()).refused("document.unknown");
    let empty = DraftDocument { lines: vec![], ..draft() };
    let s = s.when(OTHER, empty).accepted().when(OTHER, issue()).refused_at("document.no_lines", "/lines");
    let s = s.when(OTHER, cancel()).accepted().when(OTHER, issue()).refused("document.cancelled");
    let s = s.when(OTHER, client(CLIENT)).refused("document.cancelled");
    let s = s.when(DOCUMENT, issue()).accepted().when(DOCUMENT, issue()).refused("document.already_issued");
    s.when(DOCUMENT, client(CLIENT)).refused("document.already_issued");
    let nowhere = ready().given::<Document>(DOCUMENT, orphan());
    let careful = tenant::Changed { approval_required: true, ..company() };
    drafted().given::<Tenant>(TENANT, careful).when(DOCUMENT, issue()).refused("document.not_approved");
    nowhere.when(DOCUMENT, issue()).refused_at("document.unknown_client", "/client_id");
    scene()
        .given::<Client>(CLIENT, registered_client("国立印刷局"))
        .when(DOCUMENT, draft())
        .accepted()
        .when(DOCUMENT, issue())
        .refused("document.not_qualified");
    covered::<ChangeDocument>();
    covered::<IssueDocument>();

    let s = issued().when(OTHER, cancel()).refused("document.unknown");
    let s = refuses_bad_text(s, DOCUMENT, "/reason", true, 400, |reason| CancelDocument { reason });
    let s = s.when(OTHER, pay(1)).refused("document.unknown");
    let s = s.when(DOCUMENT, pay(0)).refused_at("document.bad_amount", "/amount/amount");
    let s = s.when(DOCUMENT, pay(-1)).refused_at("document.bad_amount", "/amount/amount");
    let s = s.when(DOCUMENT, pay(i64::MAX)).refused_expecting("document.overpaid", "/amount/amount", "109978");
    let s = s.when(OTHER, draft()).accepted().when(OTHER, pay(1)).refused("document.not_issued");
    let s = s.when(OTHER, cancel()).accepted().when(OTHER, cancel()).refused("document.cancelled");
    let s = s.when(OTHER, pay(1)).refused("document.cancelled");
    s.when(DOCUMENT, pay(1)).accepted().when(DOCUMENT, cancel()).refused("document.has_payments");
    let quote = DraftDocument { document_type: DocumentType::Quote, ..draft() };
    let s = ready().when(DOCUMENT, quote).accepted().when(DOCUMENT, issue()).accepted();
    s.when(DOCUMENT, pay(1)).refused("document.not_payable");
    covered::<CancelDocument>();
    covered::<RecordPayment>();
}

/// A draft whose client is not there: no command makes one, a damaged import might.
fn orphan() -> Drafted {
    Drafted {
        document_type: DocumentType::Quote,
        origin: None,
        head: Head { client_id: OTHER, ..head("11月分") },
        tax_rounding: Rounding::Floor,
        body: Body { lines: vec![held("1", "1", TaxRate::Zero, 1)], ..Body::default() },
    }
}

proptest::proptest! {
    #[test]
    fn no_lines_panic_and_totals_are_the_sum_of_what_is_shown(
        cells in proptest::collection::vec(("-?[0-9]{1,12}(\\.[0-9]{0,5})?", "-?[0-9]{1,9}(\\.[0-9]{1,4})?"), 1..8),
        inclusive: bool,
    ) {
        let lines = cells.iter().map(|(quantity, price)| LineInput {
            tax_inclusive: inclusive,
            ..line(quantity, price, TaxRate::Standard)
        });
        let mut scene = ready();
        if let Ok(events) = scene.ask(DOCUMENT, DraftDocument { lines: lines.collect(), ..draft() }) {
            let scene = scene.given::<Document>(DOCUMENT, DocumentEvent::read(&events[0].event).unwrap());
            let draft = scene.now::<Document>(DOCUMENT).state.draft.unwrap();
            let shown: i64 = draft.body.lines.iter().map(|line| line.amount.amount).sum();
            let totals = draft.body.totals;
            proptest::prop_assert_eq!(shown, if inclusive { totals.total.amount } else { totals.subtotal.amount });
        }
    }
}
