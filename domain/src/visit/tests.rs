mod appointments;
mod at_kiosk;
mod corrections;

use super::*;
use crate::blocklist::{AddToBlocklist, BlockKind};
use crate::kiosk::{self, Paired, RevokeKiosk};
use crate::member::{self, Member};
use crate::reception::{Answer, Words};
use crate::role::Role;
use crate::testing::*;

pub(super) const VISIT: Uuid = Uuid::from_u128(0x51);
const OTHER: Uuid = Uuid::from_u128(0x52);
pub(super) const KIOSK: Uuid = Uuid::from_u128(0x61);
const ELSEWHERE: Uuid = Uuid::from_u128(0x62);

fn paired(location: &str) -> Paired {
    Paired { name: "受付".into(), location: location.into(), secret_hash: [7; 32] }
}

/// A host and two kiosks at two places. It is Monday, 2026-11-02, 08:00.
pub(super) fn ready() -> Scene {
    let host = member::Registered { person: sealed(ANNA, &person("佐藤 杏奈", "")), role: Role::Member };
    scene()
        .given::<Member>(ANNA, host)
        .given::<Kiosk>(KIOSK, paired("本社"))
        .given::<Kiosk>(ELSEWHERE, paired("工場"))
        .at("2026-11-02T08:00:00+09:00")
}

/// Monday, 09:00 to 10:00.
fn register() -> RegisterVisit {
    RegisterVisit {
        visitor_name: "𠮷田 一郎".into(),
        visitor_kana: "ﾖｼﾀﾞ ｲﾁﾛｳ".into(),
        visitor_company: "国立印刷局".into(),
        visitor_email: "Yoshida@example.jp".into(),
        host_id: ANNA,
        location: "本社".into(),
        starts_at: "2026-11-02T09:00:00+09:00".into(),
        ends_at: "2026-11-02T10:00:00+09:00".into(),
        note: "車椅子".into(),
        ..RegisterVisit::default()
    }
}

/// Calls the visit of [`register`] off.
fn cancel(reason: &str) -> CancelVisit {
    CancelVisit { reason: reason.into(), whole_appointment: false }
}

/// The blocklist names the visitor of [`register`].
fn named(scene: Scene) -> Scene {
    let (kind, value, reason) = (BlockKind::Name, "𠮷田 一郎".into(), String::new());
    scene.by(Role::Owner).when(ANNA, AddToBlocklist { kind, value, reason }).accepted()
}

/// The same, over several days.
pub(super) fn register_until(ends_at: &str) -> RegisterVisit {
    RegisterVisit { ends_at: ends_at.into(), ..register() }
}

fn visitor() -> Person {
    Person {
        kana: "ヨシダ イチロウ".into(),
        company: "国立印刷局".into(),
        note: "車椅子".into(),
        ..person("𠮷田 一郎", "yoshida@example.jp")
    }
}

/// The visit of [`register`], its pass `keiin_pas_1`, its passcode `00000002`; the kiosk acts.
pub(super) fn expected() -> Scene {
    ready().when(VISIT, register()).accepted().by_kiosk(KIOSK)
}

pub(super) fn check_in(code: &str) -> CheckIn {
    CheckIn { code: code.into(), answers: vec![], consent: String::new() }
}

fn check_out(code: &str) -> CheckOut {
    CheckOut { code: code.into() }
}

fn came(late: bool, day: u32) -> crate::command::Emit {
    emit::<Visit>(VISIT, CheckedIn { late, day: Date::of(2026, 11, day), answers: None, consent: None })
}

/// The same visit, two hours later.
fn later() -> ChangeVisit {
    let (starts_at, ends_at) = ("2026-11-02T11:00:00+09:00".into(), "2026-11-02T12:00:00+09:00".into());
    ChangeVisit(RegisterVisit { starts_at, ends_at, ..register() })
}

/// From Monday, 09:00, to Friday of the next week, 18:00.
fn week() -> RegisterVisit {
    RegisterVisit { ends_at: "2026-11-13T18:00:00+09:00".into(), ..register() }
}

pub(super) fn walk_in() -> WalkIn {
    WalkIn { visitor_name: "髙橋 誠".into(), purpose: "納品".into(), ..WalkIn::default() }
}

#[test]
fn registering_makes_the_code_at_once() {
    ready().when(VISIT, register()).then([emit::<Visit>(
        VISIT,
        Registered {
            appointment: vec![],
            visitor: sealed(FRESH, &visitor()),
            language: None,
            host_id: ANNA,
            co_hosts: vec![],
            registered_by: Some(ME),
            location: "本社".into(),
            starts_at_us: us("2026-11-02T09:00:00+09:00"),
            ends_at_us: us("2026-11-02T10:00:00+09:00"),
            weekdays: vec![],
            code: Code { secret_hash: hash("keiin_pas_1"), passcode: "00000002".into() },
        },
    )]);
}

#[test]
fn a_code_works_from_thirty_minutes_before_to_the_end_of_the_day() {
    let too_early = ("visit.too_early", "/code", "2026-11-01T23:30:00Z");
    let s = expected().at("2026-11-02T08:29:59+09:00").when(VISIT, check_in("keiin_pas_1"));
    let s = s.refused_expecting(too_early.0, too_early.1, too_early.2);
    let at = |s: &Scene, time: &str| s.clone().at(time).when(VISIT, check_in("keiin_pas_1"));
    at(&s, "2026-11-02T08:30:00+09:00").then([came(false, 2)]);
    at(&s, "2026-11-02T10:00:00+09:00").then([came(false, 2)]);
    at(&s, "2026-11-02T10:01:00+09:00").then([came(true, 2)]);
    at(&s, "2026-11-02T23:59:59+09:00").then([came(true, 2)]);
    at(&s, "2026-11-03T00:00:00+09:00").refused("visit.expired");
}

#[test]
fn the_number_is_as_good_as_the_pass_however_it_is_typed() {
    for code in ["00000002", "0000 0002", "００００－０００２", " 0000-0002 "] {
        expected().at("2026-11-02T09:00:00+09:00").when(VISIT, check_in(code)).then([came(false, 2)]);
    }
}

#[test]
fn at_another_place_a_code_is_unknown() {
    let s = expected().at("2026-11-02T09:00:00+09:00").by_kiosk(ELSEWHERE);
    let s = s.when(VISIT, check_in("keiin_pas_1")).refused_at("visit.unknown_code", "/code");
    let s = s.when(VISIT, check_in("keiin_pas_9")).refused_at("visit.unknown_code", "/code");
    s.when(VISIT, check_in("99999999")).refused_at("visit.unknown_code", "/code");
}

#[test]
fn a_code_lets_in_once() {
    let s = expected().at("2026-11-02T09:00:00+09:00");
    let s = s.race((VISIT, check_in("keiin_pas_1")), (VISIT, check_in("00000002")));
    let s = s.refused("visit.already_checked_in");
    let s = s.when(VISIT, check_out("00000002")).then([emit::<Visit>(VISIT, CheckedOut {})]);
    let s = s.when(VISIT, check_in("00000002")).refused("visit.already_checked_out");
    s.when(VISIT, check_out("00000002")).refused("visit.already_checked_out");
}

#[test]
fn nobody_leaves_before_coming() {
    let s = expected().at("2026-11-02T09:00:00+09:00");
    let s = s.when(VISIT, check_out("keiin_pas_1")).refused("visit.not_checked_in");
    s.by(Role::Receptionist).when(VISIT, ReleaseVisitor {}).refused("visit.not_checked_in");
}

#[test]
fn a_moved_appointment_gives_a_new_code_and_the_old_one_tells_the_new_time() {
    let changed = |code| Changed {
        visitor: sealed(FRESH, &visitor()),
        language: None,
        host_id: ANNA,
        co_hosts: vec![],
        location: "本社".into(),
        starts_at_us: us("2026-11-02T11:00:00+09:00"),
        ends_at_us: us("2026-11-02T12:00:00+09:00"),
        weekdays: vec![],
        code,
    };
    let code = Code { secret_hash: hash("keiin_pas_3"), passcode: "00000004".into() };
    let s = expected().by(Role::Receptionist).when(VISIT, later()).then([emit::<Visit>(VISIT, changed(Some(code)))]);
    // Nothing moved: the code stays.
    let s = s.when(VISIT, later()).then([emit::<Visit>(VISIT, changed(None))]);
    let s = s.by_kiosk(KIOSK).at("2026-11-02T10:45:00+09:00").when(VISIT, check_in("keiin_pas_1"));
    let s = s.refused_expecting("visit.code_replaced", "/code", "2026-11-02T02:00:00Z");
    s.when(VISIT, check_in("00000004")).then([came(false, 2)]);
}

#[test]
fn who_comes_to_the_old_place_hears_that_it_moved() {
    let moved = ChangeVisit(RegisterVisit { location: "工場".into(), ..register() });
    let s = expected().by(Role::Receptionist).when(VISIT, moved).accepted().at("2026-11-02T09:00:00+09:00");
    let s = s.by_kiosk(KIOSK).when(VISIT, check_in("keiin_pas_1"));
    let s = s.refused_expecting("visit.code_replaced", "/code", "2026-11-02T00:00:00Z");
    let s = s.when(VISIT, check_in("keiin_pas_3")).refused_at("visit.unknown_code", "/code");
    s.by_kiosk(ELSEWHERE).when(VISIT, check_in("keiin_pas_3")).then([came(false, 2)]);
}

#[test]
fn a_pass_from_monday_to_friday_lets_in_once_a_day() {
    let week = RegisterVisit { ends_at: "2026-11-06T18:00:00+09:00".into(), ..register() };
    let mut s = ready().when(VISIT, week).accepted().by_kiosk(KIOSK);
    for day in 2..=6 {
        s = s.at(&format!("2026-11-0{day}T08:40:00+09:00"));
        s = s.when(VISIT, check_in("keiin_pas_1")).then([came(false, day)]);
        s = s.when(VISIT, check_out("keiin_pas_1")).accepted();
        s = s.when(VISIT, check_in("keiin_pas_1")).refused("visit.already_checked_out");
    }
    s.at("2026-11-07T08:40:00+09:00").when(VISIT, check_in("keiin_pas_1")).refused("visit.expired");
}

#[test]
fn who_forgot_to_check_out_comes_in_the_next_day() {
    let week = RegisterVisit { ends_at: "2026-11-06T18:00:00+09:00".into(), ..register() };
    let s = ready().when(VISIT, week).accepted().by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00");
    let s = s.when(VISIT, check_in("keiin_pas_1")).accepted();
    let s = s.when(VISIT, check_in("keiin_pas_1")).refused("visit.already_checked_in");
    s.at("2026-11-03T07:00:00+09:00").when(VISIT, check_in("keiin_pas_1")).then([came(false, 3)]);
}

#[test]
fn a_visit_takes_thirty_one_days_at_most() {
    let until = |ends_at: &str| RegisterVisit { ends_at: ends_at.into(), ..register() };
    ready().when(VISIT, until("2026-12-03T09:00:00+09:00")).accepted();
    ready().when(VISIT, until("2026-12-03T09:00:00.000001+09:00")).refused_at("visit.bad_period", "/ends_at");
}

#[test]
fn a_visit_until_midnight_is_over_at_midnight() {
    let evening = RegisterVisit { ends_at: "2026-11-03T00:00:00+09:00".into(), ..register() };
    let s = ready().when(VISIT, evening).accepted().by_kiosk(KIOSK);
    s.at("2026-11-03T00:00:00+09:00").when(VISIT, check_in("keiin_pas_1")).refused("visit.expired");
}

#[test]
fn the_reception_lets_in_without_a_code_also_early() {
    let s = expected().by(Role::Receptionist).at("2026-11-02T06:00:00+09:00");
    let s = s.when(VISIT, ReceiveVisitor {}).then([came(false, 2)]);
    s.when(VISIT, ReleaseVisitor {}).then([emit::<Visit>(VISIT, CheckedOut {})]);
}

#[test]
fn who_was_not_expected_can_come_and_leave() {
    let visitor = Person { note: "納品".into(), ..person("髙橋 誠", "") };
    let s = ready().by_kiosk(KIOSK).when(VISIT, walk_in()).then([emit::<Visit>(
        VISIT,
        WalkedIn {
            visitor: sealed(FRESH, &visitor),
            location: "本社".into(),
            passcode: "00000001".into(),
            host_id: None,
            people: 0,
            answers: None,
            consent: None,
            day: Some(Date::of(2026, 11, 2)),
        },
    )]);
    s.when(VISIT, check_out("00000001")).then([emit::<Visit>(VISIT, CheckedOut {})]);
}

#[test]
fn two_visitors_have_two_codes_and_two_subjects() {
    let s = expected().by(Role::Owner).when(OTHER, register()).accepted();
    let (one, two) = (s.now::<Visit>(VISIT), s.now::<Visit>(OTHER));
    assert_ne!(one.codes[0].secret_hash, two.codes[0].secret_hash);
    assert_ne!(one.codes[0].passcode, two.codes[0].passcode);
    assert_ne!(one.visitor_subject, two.visitor_subject);
}

#[test]
fn a_member_handles_visits_to_themselves_also_through_a_token() {
    let own = RegisterVisit { host_id: ME, ..register() };
    let host = member::Registered { person: sealed(ME, &person("私", "")), role: Role::Member };
    let s = ready().given::<Member>(ME, host).by(Role::Member);
    let s = s.when(VISIT, register()).refused("visit.own_only");
    let s = s.when(VISIT, own.clone()).accepted().by_token(BEN).when(OTHER, own).accepted();
    s.by(Role::Member).when(VISIT, ReceiveVisitor {}).accepted();
}

#[test]
fn fm_26_a_secretary_handles_visits_to_their_lawyers_and_to_nobody_else() {
    let host = register().host_id;
    let s = ready().by_secretary(&[BEN, host]).when(VISIT, register()).accepted();
    let s = s.by_secretary(&[BEN]).when(OTHER, register()).refused("visit.own_only");
    let s = s.by_secretary(&[]).when(VISIT, ReceiveVisitor {}).refused("visit.own_only");
    s.by(Role::Lawyer).when(OTHER, register()).refused("visit.own_only");
}

#[test]
fn every_refusal_of_a_registration() {
    fn refuse<C: crate::command::Command>(mut s: Scene, command: impl Fn(RegisterVisit) -> C) -> Scene {
        let fault = |code, pointer, plan| (code, pointer, command(plan));
        let faults = [
            fault("visit.unknown_host", "/host_id", RegisterVisit { host_id: BEN, ..register() }),
            fault("visit.bad_time", "/starts_at", RegisterVisit { starts_at: "2026-11-02 09:00".into(), ..register() }),
            fault("visit.bad_time", "/ends_at", RegisterVisit { ends_at: "10:00".into(), ..register() }),
            fault("visit.bad_period", "/ends_at", RegisterVisit { ends_at: register().starts_at, ..register() }),
            fault(
                "visit.bad_period",
                "/ends_at",
                RegisterVisit { ends_at: "2026-12-03T09:00:01+09:00".into(), ..register() },
            ),
            fault("visit.bad_email", "/visitor_email", RegisterVisit { visitor_email: "@".into(), ..register() }),
            fault("visit.unknown_host", "/co_hosts/1", RegisterVisit { co_hosts: vec![ANNA, BEN], ..register() }),
            fault("visit.too_many_hosts", "/co_hosts", RegisterVisit { co_hosts: vec![ANNA; 11], ..register() }),
            fault("visit.bad_weekdays", "/weekdays", RegisterVisit { weekdays: vec![Weekday::Tue], ..register() }),
        ];
        for (code, pointer, command) in faults {
            s = s.when(VISIT, command).refused_at(code, pointer);
        }
        s = refuses_bad_text(s, VISIT, "/visitor_name", true, 80, |visitor_name| {
            command(RegisterVisit { visitor_name, ..register() })
        });
        s = refuses_bad_text(s, VISIT, "/visitor_kana", false, 80, |visitor_kana| {
            command(RegisterVisit { visitor_kana, ..register() })
        });
        s = refuses_bad_text(s, VISIT, "/visitor_company", false, 80, |visitor_company| {
            command(RegisterVisit { visitor_company, ..register() })
        });
        s = refuses_bad_text(s, VISIT, "/location", true, 80, |location| {
            command(RegisterVisit { location, ..register() })
        });
        s = refuses_bad_text(s, VISIT, "/note", false, 400, |note| command(RegisterVisit { note, ..register() }));
        let s = s.by(Role::Member).by_login(BEN, SAMPLE_ID).when(VISIT, command(register()));
        let s = s.refused("visit.own_only").by(Role::Owner);
        let over = s.clone().at("2026-11-02T10:00:00+09:00").when(VISIT, command(register()));
        over.refused_at("visit.in_the_past", "/ends_at");
        s
    }
    let twenty = RegisterVisit { companions: vec![Companion::default(); 20], ..register() };
    refuse(ready(), |plan| plan).when(VISIT, twenty).refused_at("visit.too_many_visitors", "/companions");
    covered::<RegisterVisit>();

    let s = refuse(expected().by(Role::Owner), ChangeVisit);
    let s = s.when(OTHER, later()).refused("visit.unknown");
    let more = ChangeVisit(RegisterVisit { companions: vec![Companion::default()], ..register() });
    let s = s.when(VISIT, more).refused_at("visit.companions_fixed", "/companions");
    s.when(VISIT, cancel("")).accepted().when(VISIT, later()).refused("visit.wrong_state");
    covered::<ChangeVisit>();
}

#[test]
fn every_refusal_at_the_desk() {
    let called_off = || cancel("延期");
    let s = expected().by(Role::Member).by_login(BEN, SAMPLE_ID).at("2026-11-02T09:00:00+09:00");
    let s = s.when(VISIT, called_off()).refused("visit.own_only");
    let s = s.when(VISIT, ReceiveVisitor {}).refused("visit.own_only");
    let s = s.when(VISIT, ReleaseVisitor {}).refused("visit.own_only");
    let s = s.by(Role::Receptionist).when(OTHER, called_off()).refused("visit.unknown");
    let s = s.when(OTHER, ReceiveVisitor {}).refused("visit.unknown");
    let s = s.when(OTHER, ReleaseVisitor {}).refused("visit.unknown");
    let s = refuses_bad_text(s, VISIT, "/reason", false, 400, |reason| cancel(&reason));
    let cancelled = s.clone().when(VISIT, called_off());
    let cancelled = cancelled.then([emit::<Visit>(VISIT, Cancelled { reason: "延期".into() })]);
    let cancelled = cancelled.when(VISIT, called_off()).refused("visit.wrong_state");
    cancelled.when(VISIT, ReceiveVisitor {}).refused("visit.cancelled");
    s.clone().at("2026-11-03T09:00:00+09:00").when(VISIT, ReceiveVisitor {}).refused("visit.expired");
    let s = s.when(VISIT, ReleaseVisitor {}).refused("visit.not_checked_in");
    let s = s.when(VISIT, ReceiveVisitor {}).accepted();
    let s = s.when(VISIT, ReceiveVisitor {}).refused("visit.already_checked_in");
    let s = s.when(VISIT, called_off()).refused("visit.wrong_state");
    let s = s.when(VISIT, ReleaseVisitor {}).accepted();
    let s = s.when(VISIT, ReleaseVisitor {}).refused("visit.already_checked_out");
    s.when(VISIT, ReceiveVisitor {}).refused("visit.already_checked_out");
    let mut s = named(expected()).when(VISIT, ReceiveVisitor {}).refused("visit.ask_reception");
    s.world.is_silent = true;
    s.when(VISIT, ReceiveVisitor {}).refused("visit.not_screened");
    covered::<CancelVisit>();
    covered::<ReceiveVisitor>();
    covered::<ReleaseVisitor>();
}

#[test]
fn a_kiosk_that_is_revoked_while_somebody_checks_in_lets_nobody_in() {
    let s = expected().at("2026-11-02T09:00:00+09:00");
    s.race((KIOSK, kiosk::RevokeKiosk {}), (VISIT, check_in("keiin_pas_1"))).refused("kiosk.revoked");
}

fn answered() -> Sealed<Answers> {
    let words = |ja: &str, en: &str| Words { ja: ja.into(), en: en.into() };
    let (question, answer) = (words("車で来ましたか", "Did you come by car?"), words("はい", "Yes"));
    sealed(somebody().subject, &Answers { answers: vec![Answer { question, answer }] })
}

fn agreed() -> Agreed {
    Agreed { text_hash: [0xcd; 32] }
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<VisitEvent> {
    let mut samples = vec![
        Registered {
            appointment: vec![SAMPLE_ID, ANNA],
            visitor: somebody(),
            language: Some(VisitorLanguage::En),
            host_id: SAMPLE_ID,
            co_hosts: vec![BEN],
            registered_by: Some(ME),
            location: "本社".into(),
            starts_at_us: SAMPLE_US,
            ends_at_us: SAMPLE_US + 1,
            weekdays: vec![Weekday::Mon, Weekday::Sun],
            code: Code { secret_hash: [0xab; 32], passcode: "01234567".into() },
        }
        .into(),
        Changed {
            visitor: somebody(),
            language: Some(VisitorLanguage::En),
            host_id: SAMPLE_ID,
            co_hosts: vec![BEN],
            location: "本社".into(),
            starts_at_us: SAMPLE_US,
            ends_at_us: SAMPLE_US + 1,
            weekdays: vec![Weekday::Mon, Weekday::Sun],
            code: Some(Code { secret_hash: [0xab; 32], passcode: "01234567".into() }),
        }
        .into(),
        Rescheduled {
            location: "本社".into(),
            starts_at_us: SAMPLE_US,
            ends_at_us: SAMPLE_US + 1,
            weekdays: vec![Weekday::Mon, Weekday::Sun],
            code: Code { secret_hash: [0xab; 32], passcode: "01234567".into() },
        }
        .into(),
        Reminded { starts_at_us: SAMPLE_US }.into(),
        Corrected {
            reason: "読み違い".into(),
            visitor: Some(somebody()),
            arrived_at_us: Some(SAMPLE_US),
            left_at_us: Some(SAMPLE_US + 1),
        }
        .into(),
        Cancelled { reason: "延期".into() }.into(),
        VisitorAdded { appointment: vec![SAMPLE_ID, ANNA] }.into(),
        CheckedIn { late: true, day: SAMPLE_DAY, answers: Some(answered()), consent: Some(agreed()) }.into(),
        CheckedOut {}.into(),
        WalkedIn {
            visitor: somebody(),
            location: "本社".into(),
            passcode: "01234567".into(),
            host_id: Some(SAMPLE_ID),
            people: 2,
            answers: Some(answered()),
            consent: Some(agreed()),
            day: Some(SAMPLE_DAY),
        }
        .into(),
    ];
    samples.extend(super::after::tests::samples());
    samples
}
