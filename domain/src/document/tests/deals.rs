//! Approval, conversion, withholding tax: what happens to documents between the first quote and the receipt.

use super::*;
use crate::command::Command;
use crate::role::Role;

/// The company wants a second look.
fn careful() -> Scene {
    let careful = tenant::Changed { approval_required: true, ..company() };
    ready().given::<Tenant>(TENANT, careful).when(DOCUMENT, draft()).accepted()
}

fn give_back() -> RejectDocument {
    RejectDocument { reason: "単価が違います".into() }
}

/// Somebody else.
fn boss(scene: Scene) -> Scene {
    scene.by(Role::Admin).by_login(BEN, FRESH)
}

fn convert(document_type: DocumentType) -> ConvertDocument {
    ConvertDocument { origin_id: DOCUMENT, document_type, date: None, date_due: None }
}

#[test]
fn where_approval_is_required_nothing_is_issued_that_nobody_else_has_seen() {
    let scene = careful().when(DOCUMENT, issue()).refused("document.not_approved");
    let scene = scene.when(DOCUMENT, RequestApproval {});
    let scene = scene.then([emit::<Document>(DOCUMENT, ApprovalRequested { by: ME })]);
    let scene = scene.when(DOCUMENT, RequestApproval {}).then([]);
    let scene = scene.when(DOCUMENT, issue()).refused("document.not_approved");
    let scene = scene.when(DOCUMENT, ApproveDocument {}).refused("document.own_approval");
    let scene = boss(scene).when(DOCUMENT, ApproveDocument {});
    let scene = scene.then([emit::<Document>(DOCUMENT, Approved {})]);
    scene.when(DOCUMENT, issue()).accepted();
}

#[test]
fn whoever_writes_in_a_draft_needs_a_new_approval() {
    let asked = careful().when(DOCUMENT, RequestApproval {}).accepted();
    let approved = boss(asked.clone()).when(DOCUMENT, ApproveDocument {}).accepted();
    let written = approved.clone().when(DOCUMENT, set(lines())).accepted();
    written.when(DOCUMENT, issue()).refused("document.not_approved");
    let title = ChangeDocument { title: Some("12月分".into()), ..ChangeDocument::default() };
    let written = approved.when(DOCUMENT, title).accepted();
    written.when(DOCUMENT, issue()).refused("document.not_approved");
    let back = boss(asked).when(DOCUMENT, give_back()).accepted();
    let back = back.when(DOCUMENT, issue()).refused("document.not_approved");
    let again = back.when(DOCUMENT, RequestApproval {}).accepted();
    assert_eq!(again.now::<Document>(DOCUMENT).approval, Approval::Requested(BEN));
}

#[test]
fn who_answers_last_meets_what_was_written_meanwhile() {
    let asked = careful().when(DOCUMENT, RequestApproval {}).accepted();
    boss(asked).race((DOCUMENT, set(lines())), (DOCUMENT, ApproveDocument {})).refused("document.not_requested");
}

#[test]
fn every_refusal_of_an_approval() {
    fn refuse<C: Command>(command: impl Fn() -> C, s: Scene) -> Scene {
        let s = s.when(OTHER, command()).refused("document.unknown");
        let s = s.when(DOCUMENT, command()).refused("document.not_requested");
        let asked = s.clone().when(DOCUMENT, RequestApproval {}).accepted();
        let asked = asked.when(DOCUMENT, command()).refused("document.own_approval");
        let void = boss(asked).when(DOCUMENT, cancel()).accepted();
        void.when(DOCUMENT, command()).refused("document.cancelled");
        let out = s.clone().when(DOCUMENT, issue()).accepted();
        out.when(DOCUMENT, command()).refused("document.already_issued");
        s
    }
    let s = refuse(|| ApproveDocument {}, drafted());
    let s = refuse(give_back, s);
    let asked = boss(s.clone().when(DOCUMENT, RequestApproval {}).accepted());
    refuses_bad_text(asked, DOCUMENT, "/reason", true, 400, |reason| RejectDocument { reason });
    covered::<ApproveDocument>();
    covered::<RejectDocument>();

    let s = s.when(OTHER, RequestApproval {}).refused("document.unknown");
    let empty = s.clone().when(DOCUMENT, set(vec![])).accepted();
    empty.when(DOCUMENT, RequestApproval {}).refused_at("document.no_lines", "/lines");
    let void = s.clone().when(DOCUMENT, cancel()).accepted();
    void.when(DOCUMENT, RequestApproval {}).refused("document.cancelled");
    s.when(DOCUMENT, issue()).accepted().when(DOCUMENT, RequestApproval {}).refused("document.already_issued");
    covered::<RequestApproval>();
}

#[test]
fn the_next_document_of_a_deal_has_the_same_client_and_lines() {
    let quote = DraftDocument { document_type: DocumentType::Quote, ..draft() };
    let scene = ready().when(DOCUMENT, quote).accepted().when(DOCUMENT, issue()).accepted();
    let made = Drafted {
        document_type: DocumentType::Invoice,
        origin: Some(DOCUMENT),
        head: Head { date_due: None, ..head("11月分") },
        tax_rounding: Rounding::Floor,
        body: scene.now::<Document>(DOCUMENT).state.draft.unwrap().body,
    };
    scene.when(OTHER, convert(DocumentType::Invoice)).then([
        emit::<Document>(OTHER, made),
        emit::<Document>(DOCUMENT, Converted { to: OTHER, document_type: DocumentType::Invoice }),
    ]);
}

#[test]
fn a_receipt_follows_a_paid_invoice() {
    let scene = issued().when(OTHER, convert(DocumentType::Receipt)).refused("document.not_paid");
    let scene = scene.when(DOCUMENT, pay(109_978)).accepted();
    let scene = scene.when(OTHER, convert(DocumentType::Receipt)).accepted();
    let receipt = scene.now::<Document>(OTHER).state.draft.unwrap().head;
    assert_eq!((receipt.proviso.as_str(), receipt.has_tax_stamp), ("11月分", true), "99,999 yen without tax");
    let small = DraftDocument { lines: vec![line("1", "49999", TaxRate::Standard)], ..draft() };
    let scene = ready().when(DOCUMENT, small).accepted().when(DOCUMENT, issue()).accepted();
    let scene = scene.when(DOCUMENT, pay(54_998)).accepted().when(OTHER, convert(DocumentType::Receipt)).accepted();
    assert!(!scene.now::<Document>(OTHER).state.draft.unwrap().head.has_tax_stamp);
}

#[test]
fn every_refusal_of_a_conversion() {
    let s = ready().when(OTHER, convert(DocumentType::Invoice)).refused_at("document.unknown_origin", "/origin_id");
    let s = s.when(DOCUMENT, draft()).accepted();
    let s = s.when(OTHER, convert(DocumentType::Receipt)).refused("document.not_issued");
    let s = s.when(DOCUMENT, issue()).accepted();
    for back in [DocumentType::Quote, DocumentType::Acceptance, DocumentType::Invoice] {
        s.clone().when(OTHER, convert(back)).refused_at("document.not_convertible", "/document_type");
    }
    let paid = s.clone().when(DOCUMENT, pay(109_978)).accepted();
    let early = ConvertDocument {
        date: Some(Date::of(2026, 11, 2)),
        date_due: Some(Date::of(2026, 11, 1)),
        ..convert(DocumentType::Receipt)
    };
    paid.when(OTHER, early).refused_at("document.due_before_date", "/date_due");
    let s = s.when(OTHER, convert(DocumentType::Receipt)).refused("document.not_paid");
    let s = s.when(DOCUMENT, cancel()).accepted();
    s.when(OTHER, convert(DocumentType::Receipt)).refused("document.cancelled");
    covered::<ConvertDocument>();
}

#[test]
fn only_an_invoice_becomes_a_receipt_and_nothing_goes_back() {
    for (from, into) in
        DocumentType::ALL.iter().flat_map(|from| DocumentType::ALL.iter().map(move |into| (*from, *into)))
    {
        let expected = into > from && (into != DocumentType::Receipt || from == DocumentType::Invoice);
        assert_eq!(from.leads_to(into), expected, "{from:?} {into:?}");
    }
}

#[test]
fn a_payer_keeps_back_income_tax_of_fees_and_pays_the_rest() {
    let fee = LineInput { has_jp_withholding_tax: true, ..line("1", "100000", TaxRate::Standard) };
    let costs = line("1", "5000", TaxRate::Standard);
    let command = DraftDocument { lines: vec![fee.clone(), costs], ..draft() };
    let scene = ready().when(DOCUMENT, command).accepted().when(DOCUMENT, issue()).accepted();
    let body = scene.now::<Document>(DOCUMENT).state.draft.unwrap().body;
    assert_eq!((body.totals.total, body.jp_withholding_tax), (Money::yen(115_500), Money::yen(10_210)));
    let scene = scene.when(DOCUMENT, pay(105_291)).refused_expecting("document.overpaid", "/amount/amount", "105290");
    let scene = scene.when(DOCUMENT, pay(105_290)).accepted();
    assert_eq!(scene.now::<Document>(DOCUMENT).status(), Some(DocumentStatus::Paid));
    // Where the price contains the tax, it is kept back of that.
    let with_tax = LineInput { unit_price: "110000".into(), tax_inclusive: true, ..fee };
    let scene = ready().when(DOCUMENT, DraftDocument { lines: vec![with_tax], ..draft() }).accepted();
    let body = scene.now::<Document>(DOCUMENT).state.draft.unwrap().body;
    assert_eq!((body.totals.total, body.jp_withholding_tax), (Money::yen(110_000), Money::yen(11_231)));
}

#[test]
fn a_company_rounds_its_documents_as_its_settings_say() {
    let up = tenant::Changed { tax_rounding: Rounding::Ceil, ..company() };
    let scene = ready().given::<Tenant>(TENANT, up);
    let scene = scene.when(DOCUMENT, DraftDocument { lines: vec![line("1", "1", TaxRate::Standard)], ..draft() });
    assert_eq!(scene.accepted().now::<Document>(DOCUMENT).state.draft.unwrap().body.totals.tax, Money::yen(1));
}

#[test]
fn what_was_written_before_is_read_as_it_was_meant() {
    let golden = include_str!("../../../golden/document.drafted.v1.hex").trim();
    let bytes = (0..golden.len()).step_by(2).map(|i| u8::from_str_radix(&golden[i..i + 2], 16).unwrap()).collect();
    let stored = crate::event::Stored { kind: "document.drafted".into(), version: 1, bytes };
    let DocumentEvent::Drafted(drafted) = DocumentEvent::read(&stored).unwrap() else { panic!("{stored:?}") };
    assert_eq!((drafted.head.title.as_str(), drafted.origin, drafted.head.has_hanko), ("11月分", None, false));
    assert_eq!((drafted.body.lines.len(), drafted.body.jp_withholding_tax), (1, Money::yen(0)));
}

#[test]
fn what_stands_on_paper_is_read_from_the_same_records() {
    let scene = drafted();
    assert_eq!(scene.now::<Printed>(DOCUMENT).revision(), 0);
    let scene = scene.when(DOCUMENT, issue()).accepted();
    assert_eq!(scene.now::<Printed>(DOCUMENT).revision(), 1);
    let scene = scene.when(DOCUMENT, correct(vec![line("2", "1000", TaxRate::Reduced)])).accepted();
    let printed = scene.now::<Printed>(DOCUMENT).state;
    assert_eq!((printed.revision(), printed.corrected.unwrap().reason.as_str()), (2, "数量の誤り"));
    assert_eq!(printed.draft.unwrap().body.totals.total, Money::yen(2_160));
    assert_eq!((printed.issued.unwrap().number.as_str(), printed.cancelled), ("INV-2026-0001", false));
    let scene = scene.when(DOCUMENT, cancel()).accepted();
    assert!(scene.now::<Printed>(DOCUMENT).cancelled);
}
