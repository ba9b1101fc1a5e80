use super::*;
use crate::date::Date;
use crate::document::{DocumentStatus, DocumentType, DraftDocument, IssueDocument, LineInput};
use crate::money::Rounding;
use crate::series::NumberTaken;
use crate::tax::TaxRate;
use crate::tenant;
use crate::testing::*;

const BATCH: Uuid = Uuid::from_u128(0xba);
const OTHER: Uuid = Uuid::from_u128(0xbb);
const CLIENT: Uuid = Uuid::from_u128(0xc1);

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0xd000 + n)
}

fn draft(lines: usize) -> DraftDocument {
    let line = LineInput {
        description: "紙".into(),
        quantity: "1".into(),
        unit: String::new(),
        unit_price: "1000".into(),
        tax_rate: TaxRate::Standard,
        tax_inclusive: false,
        has_jp_withholding_tax: false,
    };
    DraftDocument {
        document_type: DocumentType::Invoice,
        client_id: CLIENT,
        title: "11月分".into(),
        date: Date::of(2026, 11, 2),
        date_due: None,
        note: String::new(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: true,
        tax_rounding: None,
        lines: vec![line; lines],
        totals: None,
    }
}

fn company(approval_required: bool) -> tenant::Changed {
    tenant::Changed {
        name: "株式会社ミナト製作所".into(),
        registration_number: "T7000012050002".into(),
        address: "東京都港区芝公園1-1-1".into(),
        bank_details: String::new(),
        tax_rounding: Rounding::Floor,
        approval_required,
        fiscal_year_end: 3,
        retention_years: 7,
    }
}

/// Three drafts, the second without lines.
fn ready() -> Scene {
    let client = registered_client("国立印刷局");
    let scene = scene().given::<Tenant>(TENANT, company(false)).given::<Client>(CLIENT, client);
    [1, 0, 1].into_iter().zip(1..).fold(scene, |scene, (lines, n)| scene.when(id(n), draft(lines)).accepted())
}

fn order(documents: &[u128]) -> OrderBatch {
    OrderBatch { documents: documents.iter().map(|n| id(*n)).collect() }
}

fn next() -> IssueInBatch {
    IssueInBatch { batch: BATCH }
}

fn failed(n: u128, code: &str, pointer: &str) -> Emit {
    emit::<Part>(id(n), DocumentFailed { batch: BATCH, code: code.into(), pointer: pointer.into() })
}

/// Kinds of events that come of a document's turn.
fn kinds(scene: &mut Scene, n: u128) -> Vec<String> {
    scene.ask(id(n), next()).expect("it never refuses").into_iter().map(|emit| emit.event.kind).collect()
}

#[test]
fn each_document_is_issued_as_by_hand_and_noted_in_the_same_append() {
    let s = ready().when(BATCH, order(&[1, 2, 3, 4]));
    let documents = [1, 2, 3, 4].map(id).to_vec();
    let s = s.then([emit::<Batch>(BATCH, Ordered { by: ME, documents })]);
    let mut s = s.by_system();
    assert_eq!(kinds(&mut s, 1), ["document.issued", "series.number_taken", "batch.document_issued"]);
    let s = s.when(id(1), next()).accepted();
    let s = s.when(id(2), next()).then([failed(2, "document.no_lines", "/lines")]);
    let s = s.when(id(3), next()).accepted();
    let s = s.when(id(4), next()).then([failed(4, "document.unknown", "")]);
    let numbers = [1, 2, 3].map(|n| s.now::<Document>(id(n)).number.clone());
    assert_eq!(numbers, ["INV-2026-0001", "", "INV-2026-0002"], "a refusal leaves no gap");
    // Asked again, after a crash or by another node: nothing.
    let s = [1, 2, 3, 4].into_iter().fold(s, |s, n| s.when(id(n), next()).then([]));
    // What is not in it is not touched.
    let s = s.when(id(5), draft(1)).accepted().when(id(5), next()).then([]);
    assert_eq!(s.now::<Document>(id(5)).status(), Some(DocumentStatus::Draft));
}

#[test]
fn two_nodes_at_one_document_issue_it_once() {
    let s = ready().when(BATCH, order(&[1])).accepted().by_system();
    s.clone().race((id(1), next()), (id(1), next())).then([]);
    s.race((id(1), IssueDocument {}), (id(1), next())).then([failed(1, "document.already_issued", "")]);
}

#[test]
fn what_was_cancelled_issues_nothing_any_more() {
    let s = ready().when(BATCH, order(&[1, 3])).accepted().when(id(1), next()).accepted();
    s.clone().race((BATCH, CancelBatch {}), (id(3), next())).then([]);
    let s = s.when(BATCH, CancelBatch {}).then([emit::<Batch>(BATCH, Cancelled {})]);
    let s = s.when(id(3), next()).then([]);
    // What is left can be ordered anew.
    let s = s.when(OTHER, order(&[3])).accepted().when(id(3), IssueInBatch { batch: OTHER }).accepted();
    assert_eq!(s.now::<Document>(id(3)).number, "INV-2026-0002");
    assert_eq!(s.now::<Document>(id(1)).number, "INV-2026-0001");
}

#[test]
fn the_rule_of_four_eyes_holds_in_a_batch() {
    let s = ready().given::<Tenant>(TENANT, company(true)).when(BATCH, order(&[1])).accepted();
    s.when(id(1), next()).then([failed(1, "document.not_approved", "")]);
}

#[test]
fn every_refusal() {
    let s = scene().when(BATCH, order(&[])).refused_at("batch.empty", "/documents");
    let many: Vec<u128> = (0..1_001).collect();
    let s = s.when(BATCH, order(&many)).refused_at("batch.too_many", "/documents");
    let s = s.when(BATCH, order(&[1, 2, 1])).refused_at("batch.named_twice", "/documents/2");
    covered::<OrderBatch>();
    let s = s.when(BATCH, CancelBatch {}).refused("batch.unknown");
    let s = s.when(id(1), next()).refused("batch.unknown");
    let s = s.when(BATCH, order(&many[..1_000])).accepted().when(BATCH, CancelBatch {}).accepted();
    _ = s.when(BATCH, CancelBatch {}).refused("batch.already_cancelled");
    covered::<CancelBatch>();
    covered::<IssueInBatch>();
}

#[test]
fn a_series_is_known_by_its_last_event() {
    let taken = |number| NumberTaken { number, document: id(1) };
    let whole = scene().given::<Series>(BATCH, taken(1)).given::<Series>(BATCH, taken(2));
    let last = scene().given::<Series>(BATCH, taken(2));
    const { assert!(Series::LAST) };
    assert_eq!(whole.now::<Series>(BATCH).last, last.now::<Series>(BATCH).last);
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<BatchEvent> {
    vec![Ordered { by: SAMPLE_ID, documents: vec![SAMPLE_ID] }.into(), Cancelled {}.into()]
}

/// The same of parts.
pub fn part_samples() -> Vec<PartEvent> {
    let (batch, code, pointer) = (SAMPLE_ID, "document.no_lines".to_owned(), "/lines".to_owned());
    vec![DocumentIssued { batch }.into(), DocumentFailed { batch, code, pointer }.into()]
}
