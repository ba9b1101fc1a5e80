use super::*;
use crate::client;
use crate::document::{Drafted, Issued, Line};
use crate::money::{Decimal, Money, Rounding};
use crate::role::Role;
use crate::tax::TaxRate;
use crate::template::{self, Preset};
use crate::tenant;
use crate::testing::*;

const RECURRENCE: Uuid = Uuid::from_u128(0x4ec);
const TEMPLATE: Uuid = Uuid::from_u128(0x7e1);
const CLIENT: Uuid = Uuid::from_u128(0xc1);
/// The day of [`scene`].
const TODAY: Date = SAMPLE_DAY;

fn preset(lines: usize) -> Preset {
    let line = Line {
        description: "保守".into(),
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
        lines: vec![line; lines],
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

fn ready() -> Scene {
    let client = registered_client("国立印刷局");
    let scene = scene().given::<Tenant>(TENANT, company(false)).given::<Client>(CLIENT, client);
    scene.given::<Template>(TEMPLATE, template::Defined { preset: preset(1) })
}

fn set_up(mode: Mode) -> SetUpRecurrence {
    SetUpRecurrence {
        template_id: TEMPLATE,
        client_id: CLIENT,
        every_months: 1,
        day: LAST_DAY,
        starts_on: TODAY,
        ends_on: None,
        mode,
    }
}

fn begun(mode: Mode) -> Scene {
    ready().when(RECURRENCE, set_up(mode)).accepted()
}

fn fire(date: Date) -> FireRecurrence {
    FireRecurrence { date }
}

/// Dates that came, each with its document's number or `draft`, or with the code of its failure.
fn history(mut scene: Scene, dates: &[Date]) -> (Scene, Vec<(Date, String)>) {
    let mut found = vec![];
    for date in dates {
        let emits = scene.ask(RECURRENCE, fire(*date)).expect("it never refuses");
        scene = scene.when(RECURRENCE, fire(*date)).accepted();
        let says = |kind: &str| emits.iter().find(|emit| emit.event.kind == kind);
        let said = match (says("document.issued"), says("recurrence.failed")) {
            (Some(emit), _) => crate::event::decode::<Issued>(&emit.event.bytes).expect("decodes").number,
            (_, Some(emit)) => crate::event::decode::<Failed>(&emit.event.bytes).expect("decodes").code,
            _ if says("document.drafted").is_some() => "draft".to_owned(),
            _ => continue,
        };
        found.push((*date, said));
    }
    (scene, found)
}

#[test]
fn each_date_gets_one_document_dated_as_it_was_due() {
    let ends = [(2026, 11, 30), (2026, 12, 31), (2027, 1, 31), (2027, 2, 28)].map(|(y, m, d)| Date::of(y, m, d));
    let s = begun(Mode::Issue);
    let early = s.clone().when(RECURRENCE, fire(ends[0])).then([]);
    assert_eq!(early.now::<Recurrence>(RECURRENCE).next_on, Some(ends[0]));

    // Three months without a server: each date is made up for, on the day itself as on this one, and none twice.
    let s = s.by_system().at("2027-02-28T00:00:00+09:00");
    let ask = [ends[1], ends[0], ends[0], ends[1], ends[3], ends[2], ends[3], ends[3]];
    let (s, found) = history(s, &ask);
    let numbers = ["INV-2027-0001", "INV-2027-0002", "INV-2027-0003", "INV-2027-0004"].map(str::to_owned);
    assert_eq!(found, ends.into_iter().zip(numbers).collect::<Vec<_>>());
    let mut s = s.at("2027-03-31T00:00:00+09:00");
    let emits = s.ask(RECURRENCE, fire(Date::of(2027, 3, 31))).unwrap();
    let drafted = crate::event::decode::<Drafted>(&emits[0].event.bytes).unwrap();
    assert_eq!((drafted.head.date, drafted.head.title.as_str()), (Date::of(2027, 3, 31), "2027年3月分"));
    assert_eq!(emits.last().unwrap().stream, "recurrence");
}

#[test]
fn two_nodes_that_fire_a_date_make_one_document() {
    let (date, s) = (Date::of(2026, 11, 30), begun(Mode::Draft).by_system().at("2026-11-30T00:00:00+09:00"));
    let s = s.race((RECURRENCE, fire(date)), (RECURRENCE, fire(date))).then([]);
    assert_eq!(s.now::<Recurrence>(RECURRENCE).next_on, Some(Date::of(2026, 12, 31)));
}

#[test]
fn what_cannot_be_issued_stays_a_draft_that_says_why() {
    let date = Date::of(2026, 11, 30);
    let at = |s: Scene| s.by_system().at("2026-11-30T12:00:00+09:00");
    let why = |s: Scene| {
        let s = s.when(RECURRENCE, fire(date)).accepted();
        assert_eq!(s.now::<Series>(s.world.clone().subject_of("series", "invoice/2026")).last, 0, "no number");
        s
    };
    let mut s = at(begun(Mode::Issue).given::<Tenant>(TENANT, company(true)));
    let emits = s.ask(RECURRENCE, fire(date)).unwrap();
    let fired = crate::event::decode::<Fired>(&emits.last().unwrap().event.bytes).unwrap();
    assert_eq!((emits.len(), fired.issued, fired.code.as_str()), (2, false, "document.not_approved"));
    why(s);
    let mut s = at(begun(Mode::Issue).given::<Template>(TEMPLATE, template::Changed { preset: preset(0) }));
    let emits = s.ask(RECURRENCE, fire(date)).unwrap();
    let fired = crate::event::decode::<Fired>(&emits.last().unwrap().event.bytes).unwrap();
    assert_eq!((fired.issued, fired.code.as_str()), (false, "document.no_lines"));
    why(s);
}

#[test]
fn a_date_without_template_or_client_fails_and_the_next_is_tried() {
    let date = Date::of(2026, 11, 30);
    let s = begun(Mode::Draft).given::<Client>(CLIENT, client::Archived {});
    let s = s.by_system().at("2026-11-30T00:00:00+09:00");
    let next_on = Some(Date::of(2026, 12, 31));
    let failed = |code: &str| Failed { date, code: code.into(), next_on };
    s.when(RECURRENCE, fire(date)).then([emit::<Recurrence>(RECURRENCE, failed("document.client_archived"))]);
    let s = begun(Mode::Draft).given::<Template>(TEMPLATE, template::Archived {});
    let s = s.by_system().at("2026-11-30T00:00:00+09:00");
    s.when(RECURRENCE, fire(date)).then([emit::<Recurrence>(RECURRENCE, failed("document.template_archived"))]);
    let s = begun(Mode::Draft).by_system().at("2027-12-02T00:00:00+09:00");
    s.when(RECURRENCE, fire(date)).then([emit::<Recurrence>(RECURRENCE, failed("recurrence.too_late"))]);
    let s = begun(Mode::Draft).by_system().at("2027-12-01T00:00:00+09:00");
    assert_eq!(history(s, &[date]).1, [(date, "draft".to_owned())], "a year is not too late");
}

#[test]
fn what_passes_while_it_is_paused_is_left_out() {
    let s = begun(Mode::Draft).when(RECURRENCE, PauseRecurrence {}).then([emit::<Recurrence>(RECURRENCE, Paused {})]);
    let s = s.at("2027-01-15T09:00:00+09:00").when(RECURRENCE, fire(Date::of(2026, 11, 30))).then([]);
    let next_on = Some(Date::of(2027, 1, 31));
    let s = s.when(RECURRENCE, ResumeRecurrence {}).then([emit::<Recurrence>(RECURRENCE, Resumed { next_on })]);
    let s = s.when(RECURRENCE, EndRecurrence {}).then([emit::<Recurrence>(RECURRENCE, Ended {})]);
    s.at("2027-01-31T09:00:00+09:00").when(RECURRENCE, fire(Date::of(2027, 1, 31))).then([]);

    // Resumed on the day on which it was paused, it has not forgotten the date after one that it has fired.
    let s = begun(Mode::Draft).at("2026-11-30T09:00:00+09:00");
    let s = s.when(RECURRENCE, fire(Date::of(2026, 11, 30))).accepted();
    let s = s.when(RECURRENCE, PauseRecurrence {}).accepted().when(RECURRENCE, ResumeRecurrence {}).accepted();
    assert_eq!(s.now::<Recurrence>(RECURRENCE).next_on, Some(Date::of(2026, 12, 31)));
}

#[test]
fn it_ends_by_itself_after_its_last_date() {
    let ends_on = Some(Date::of(2026, 12, 31));
    let s = ready().when(RECURRENCE, SetUpRecurrence { ends_on, ..set_up(Mode::Draft) }).accepted();
    let s = s.at("2026-12-31T00:00:00+09:00");
    let (s, found) = history(s, &[Date::of(2026, 11, 30), Date::of(2026, 12, 31), Date::of(2027, 1, 31)]);
    assert_eq!((found.len(), s.now::<Recurrence>(RECURRENCE).next_on), (2, None));
    _ = s.when(RECURRENCE, PauseRecurrence {}).refused("recurrence.over");
}

fn change(mode: Mode) -> ChangeRecurrence {
    ChangeRecurrence { template_id: TEMPLATE, every_months: 1, day: LAST_DAY, starts_on: None, ends_on: None, mode }
}

fn next(s: &Scene) -> Option<Date> {
    s.now::<Recurrence>(RECURRENCE).next_on
}

#[test]
fn other_terms_hold_from_the_next_date_on() {
    // Quarterly from November on; one date has come.
    let s = ready().when(RECURRENCE, SetUpRecurrence { every_months: 3, ..set_up(Mode::Draft) }).accepted();
    let s = s.at("2026-11-30T09:00:00+09:00").when(RECURRENCE, fire(Date::of(2026, 11, 30))).accepted();
    assert_eq!(next(&s), Some(Date::of(2027, 2, 28)));
    let to = |change: ChangeRecurrence| next(&s.clone().when(RECURRENCE, change).accepted());
    // Another day stays in the month; another interval counts from it.
    let quarterly = ChangeRecurrence { every_months: 3, ..change(Mode::Draft) };
    assert_eq!(to(ChangeRecurrence { day: 10, ..quarterly.clone() }), Some(Date::of(2027, 2, 10)));
    assert_eq!(to(ChangeRecurrence { every_months: 12, ..quarterly.clone() }), Some(Date::of(2027, 2, 28)));
    let from = ChangeRecurrence { starts_on: Some(Date::of(2026, 12, 1)), ..quarterly.clone() };
    assert_eq!(to(from), Some(Date::of(2026, 12, 31)), "sooner, where that is asked for");
    let same_day = ChangeRecurrence { starts_on: Some(Date::of(2026, 11, 30)), ..quarterly.clone() };
    assert_eq!(to(same_day), Some(Date::of(2026, 12, 31)), "the date that has come does not come again");
    let over = ChangeRecurrence { ends_on: Some(Date::of(2027, 2, 27)), ..quarterly.clone() };
    s.clone().when(RECURRENCE, over).refused_at("recurrence.no_date", "/ends_on");

    // The month's day has passed: the first one after it, and the months count from there.
    let late = s.clone().at("2027-02-20T09:00:00+09:00");
    let late = late.when(RECURRENCE, ChangeRecurrence { day: 10, ..quarterly.clone() }).accepted();
    assert_eq!(next(&late), Some(Date::of(2027, 3, 10)));
    let late = late.at("2027-03-10T09:00:00+09:00").when(RECURRENCE, fire(Date::of(2027, 3, 10))).accepted();
    assert_eq!(next(&late), Some(Date::of(2027, 6, 10)));

    // A paused one stays so; whoever changed it last is whose order it is.
    let paused = s.when(RECURRENCE, PauseRecurrence {}).accepted().when(RECURRENCE, change(Mode::Issue)).accepted();
    let state = paused.now::<Recurrence>(RECURRENCE);
    assert!(
        state.paused && state.plan.as_ref().is_some_and(|plan| plan.client_id == CLIENT && plan.mode == Mode::Issue)
    );
    paused.when(RECURRENCE, fire(Date::of(2027, 2, 28))).then([]);
}

#[test]
fn every_refusal_of_a_change() {
    let s = ready().when(RECURRENCE, change(Mode::Draft)).refused("recurrence.unknown");
    let s = s.when(RECURRENCE, set_up(Mode::Draft)).accepted();
    let with = |s: Scene, change: ChangeRecurrence, code: &'static str, at: &str| {
        s.when(RECURRENCE, change).refused_at(code, at)
    };
    let draft = || change(Mode::Draft);
    let s = with(s, ChangeRecurrence { every_months: 0, ..draft() }, "recurrence.bad_interval", "/every_months");
    let s = with(s, ChangeRecurrence { day: 29, ..draft() }, "recurrence.bad_day", "/day");
    let past = ChangeRecurrence { starts_on: Some(TODAY.plus(-1)), ..draft() };
    let s = with(s, past, "recurrence.starts_in_past", "/starts_on");
    let s = with(s, ChangeRecurrence { ends_on: Some(TODAY), ..draft() }, "recurrence.no_date", "/ends_on");
    let s = with(s, ChangeRecurrence { template_id: CLIENT, ..draft() }, "document.unknown_template", "/template_id");
    let gone = s.clone().given::<Template>(TEMPLATE, template::Archived {});
    with(gone, draft(), "document.template_archived", "/template_id");
    let s = with(s.by(Role::Custom), change(Mode::Issue), "recurrence.may_not_issue", "/mode");
    let s = s.by(Role::Owner).when(RECURRENCE, change(Mode::Issue)).accepted();
    let s = with(s.by(Role::Custom), draft(), "recurrence.may_not_issue", "/mode");
    let s = s.when(RECURRENCE, EndRecurrence {}).accepted();
    s.when(RECURRENCE, draft()).refused("recurrence.over");
    covered::<ChangeRecurrence>();
}

#[test]
fn every_refusal() {
    let s = ready().when(RECURRENCE, SetUpRecurrence { every_months: 0, ..set_up(Mode::Draft) });
    let s = s.refused_at("recurrence.bad_interval", "/every_months");
    let s = s.when(RECURRENCE, SetUpRecurrence { every_months: 61, ..set_up(Mode::Draft) });
    let s = s.refused_at("recurrence.bad_interval", "/every_months");
    let s = [0, 29, 30, 32].into_iter().fold(s, |s, day| {
        s.when(RECURRENCE, SetUpRecurrence { day, ..set_up(Mode::Draft) }).refused_at("recurrence.bad_day", "/day")
    });
    let s = s.when(RECURRENCE, SetUpRecurrence { starts_on: TODAY.plus(-1), ..set_up(Mode::Draft) });
    let s = s.refused_at("recurrence.starts_in_past", "/starts_on");
    let s = s.when(RECURRENCE, SetUpRecurrence { ends_on: Some(TODAY.plus(27)), ..set_up(Mode::Draft) });
    let s = s.refused_at("recurrence.no_date", "/ends_on");
    let s = s.when(RECURRENCE, SetUpRecurrence { template_id: CLIENT, ..set_up(Mode::Draft) });
    let s = s.refused_at("document.unknown_template", "/template_id");
    let s = s.when(RECURRENCE, SetUpRecurrence { client_id: TEMPLATE, ..set_up(Mode::Draft) });
    let s = s.refused_at("document.unknown_client", "/client_id");
    let gone = s.clone().given::<Template>(TEMPLATE, template::Archived {});
    gone.when(RECURRENCE, set_up(Mode::Draft)).refused_at("document.template_archived", "/template_id");
    let gone = s.clone().given::<Client>(CLIENT, client::Archived {});
    gone.when(RECURRENCE, set_up(Mode::Draft)).refused_at("document.client_archived", "/client_id");
    // Somebody who may draft and not issue.
    let s = s.by(Role::Custom).when(RECURRENCE, set_up(Mode::Issue)).refused_at("recurrence.may_not_issue", "/mode");
    covered::<SetUpRecurrence>();

    let s = s.when(RECURRENCE, fire(TODAY)).refused("recurrence.unknown");
    covered::<FireRecurrence>();
    let s = s.when(RECURRENCE, PauseRecurrence {}).refused("recurrence.unknown");
    let s = s.when(RECURRENCE, ResumeRecurrence {}).refused("recurrence.unknown");
    let s = s.when(RECURRENCE, EndRecurrence {}).refused("recurrence.unknown");
    let s = s.by(Role::Owner).when(RECURRENCE, set_up(Mode::Issue)).accepted();
    let s = s.when(RECURRENCE, ResumeRecurrence {}).refused("recurrence.not_paused");
    let s = s.when(RECURRENCE, PauseRecurrence {}).accepted();
    let s = s.when(RECURRENCE, PauseRecurrence {}).refused("recurrence.already_paused");
    let s = s.by(Role::Custom).when(RECURRENCE, ResumeRecurrence {});
    let s = s.refused_at("recurrence.may_not_issue", "/mode");
    let s = s.when(RECURRENCE, EndRecurrence {}).accepted();
    let s = s.when(RECURRENCE, EndRecurrence {}).refused("recurrence.over");
    let s = s.when(RECURRENCE, PauseRecurrence {}).refused("recurrence.over");
    _ = s.when(RECURRENCE, ResumeRecurrence {}).refused("recurrence.over");
    covered::<PauseRecurrence>();
    covered::<ResumeRecurrence>();
    covered::<EndRecurrence>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<RecurrenceEvent> {
    let ends_on = Some(SAMPLE_DAY.plus(365));
    let cadence = Cadence { every_months: 3, day: LAST_DAY, starts_on: SAMPLE_DAY, ends_on };
    let (date, next_on) = (SAMPLE_DAY.plus(28), Some(SAMPLE_DAY.plus(28)));
    vec![
        SetUp {
            by: SAMPLE_ID,
            template_id: SAMPLE_ID,
            document_type: DocumentType::Invoice,
            client_id: SAMPLE_ID,
            cadence,
            mode: Mode::Issue,
            next_on: date,
        }
        .into(),
        Changed {
            by: SAMPLE_ID,
            template_id: SAMPLE_ID,
            document_type: DocumentType::Quote,
            cadence,
            mode: Mode::Draft,
            next_on: date,
        }
        .into(),
        Paused {}.into(),
        Resumed { next_on }.into(),
        Ended {}.into(),
        Fired { date, document_id: SAMPLE_ID, issued: false, code: "document.not_approved".into(), next_on }.into(),
        Failed { date, code: "document.client_archived".into(), next_on }.into(),
    ]
}
