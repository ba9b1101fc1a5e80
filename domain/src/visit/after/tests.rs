use super::super::tests::{KIOSK, VISIT, check_in, expected, ready, walk_in};
use super::super::*;
use super::*;
use crate::blocklist::{AddToBlocklist, BlockKind, RemoveFromBlocklist};
use crate::event::Event;
use crate::role::Role;
use crate::sealed::Label;
use crate::testing::*;

/// The day of `expected`.
const MONDAY: Date = Date(20_759);

/// The visitor of `expected` is here since nine o'clock.
fn here() -> Scene {
    expected().at("2026-11-02T09:00:00+09:00").when(VISIT, check_in("keiin_pas_1")).accepted()
}

fn notice(member_id: Uuid, secret: &str) -> Notice {
    Notice { member_id, secret_hash: hash(secret) }
}

fn announced() -> Scene {
    let to = vec![notice(ANNA, "keiin_ans_3")];
    here().by_system().when(VISIT, AnnounceVisitor {}).then([emit::<Visit>(VISIT, Announced { to })])
}

fn acknowledged(member_id: Uuid, answer: VisitAnswer) -> Emit {
    emit::<Visit>(VISIT, Acknowledged { member_id: Some(member_id), answer })
}

fn answer(answer: VisitAnswer) -> AnswerNotice {
    AnswerNotice { answer }
}

fn block(value: &str) -> AddToBlocklist {
    AddToBlocklist { kind: BlockKind::Name, value: value.into(), reason: String::new() }
}

/// What is written when the kiosk sends somebody to the reception.
fn held(scene: &mut Scene) -> Vec<Emit> {
    scene.turned_away(VISIT, check_in("keiin_pas_1"))
}

fn reason(text: &str) -> Label {
    Label { text: text.into() }
}

#[test]
fn hosts_are_told_once_and_answer_by_the_mail() {
    let s = announced().when(VISIT, AnnounceVisitor {}).then([]);
    let s = s.by_link("keiin_ans_3").when(VISIT, answer(VisitAnswer::Coming));
    let s = s.then([acknowledged(ANNA, VisitAnswer::Coming)]);
    let s = s.when(VISIT, answer(VisitAnswer::Coming)).then([]);
    let s = s.when(VISIT, answer(VisitAnswer::SomeoneElse)).then([acknowledged(ANNA, VisitAnswer::SomeoneElse)]);
    let s = s.by_link("keiin_ans_4").when(VISIT, answer(VisitAnswer::Wait)).refused("visit.notice_gone");
    let s = s.by(Role::Receptionist).when(VISIT, ReleaseVisitor {}).accepted();
    s.by_link("keiin_ans_3").when(VISIT, answer(VisitAnswer::Wait)).refused("visit.not_checked_in");
}

#[test]
fn the_reception_is_told_once_where_nobody_answers() {
    let tell = || EscalateVisit { to: vec![BEN] };
    let why = EscalationReason::NoAnswer;
    let to = vec![notice(BEN, "keiin_ans_4")];
    let s = announced().when(VISIT, tell()).then([emit::<Visit>(VISIT, Escalated { why, to })]);
    let s = s.when(VISIT, tell()).then([]);
    s.by_link("keiin_ans_4").when(VISIT, answer(VisitAnswer::Coming)).then([acknowledged(BEN, VisitAnswer::Coming)]);

    let s = announced().by_link("keiin_ans_3").when(VISIT, answer(VisitAnswer::Wait)).accepted();
    let s = s.by_system().when(VISIT, tell()).then([]);
    s.by(Role::Owner).when(VISIT, ReleaseVisitor {}).accepted().by_system().when(VISIT, tell()).then([]);
}

#[test]
fn where_nobody_is_visited_the_reception_is_told_at_once() {
    let s = ready().by_kiosk(KIOSK).when(VISIT, walk_in()).accepted().by_system();
    let s = s.when(VISIT, AnnounceVisitor {}).then([]);
    let to = vec![notice(BEN, "keiin_ans_2")];
    let escalated = Escalated { why: EscalationReason::NobodyToAsk, to };
    s.when(VISIT, EscalateVisit { to: vec![BEN] }).then([emit::<Visit>(VISIT, escalated)]);
}

#[test]
fn each_arrival_is_announced() {
    let week = crate::visit::tests::register_until("2026-11-06T18:00:00+09:00");
    let s = ready().when(VISIT, week).accepted().by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00");
    let s = s.when(VISIT, check_in("keiin_pas_1")).accepted().by_system();
    let s = s.when(VISIT, AnnounceVisitor {}).accepted().by_link("keiin_ans_3");
    let s = s.when(VISIT, answer(VisitAnswer::Coming)).accepted().by_kiosk(KIOSK);
    let s = s.at("2026-11-03T09:00:00+09:00").when(VISIT, check_in("keiin_pas_1")).accepted();
    let s = s.by_link("keiin_ans_3").when(VISIT, answer(VisitAnswer::Wait)).refused("visit.notice_gone");
    let to = vec![notice(ANNA, "keiin_ans_4")];
    s.by_system().when(VISIT, AnnounceVisitor {}).then([emit::<Visit>(VISIT, Announced { to })]);
}

#[test]
fn the_host_answers_in_the_console_and_so_does_whoever_was_told() {
    let say = |answer| AcknowledgeVisit { answer };
    let s = announced()
        .by(Role::Member)
        .by_login(BEN, KIOSK)
        .when(VISIT, say(VisitAnswer::Coming))
        .refused("visit.own_only");
    let s = s.by_login(ANNA, BEN).when(VISIT, say(VisitAnswer::Coming));
    let s = s.then([acknowledged(ANNA, VisitAnswer::Coming)]);
    let s = s.by_system().when(VISIT, EscalateVisit { to: vec![ME] }).then([]);
    let s = s.by(Role::Receptionist).when(VISIT, say(VisitAnswer::Wait)).then([acknowledged(ME, VisitAnswer::Wait)]);
    let told = announced().when(VISIT, EscalateVisit { to: vec![ME] }).accepted().by(Role::Member);
    told.when(VISIT, say(VisitAnswer::Wait)).accepted();
    s.when(VISIT, ReleaseVisitor {}).accepted().when(VISIT, say(VisitAnswer::Coming)).refused("visit.not_checked_in");
}

#[test]
fn whom_the_blocklist_names_the_kiosk_sends_to_the_reception() {
    let mut s = expected().by(Role::Receptionist).when(ANNA, block("吉田一郎")).accepted();
    let entry = s.world.subject_of("blocked_name", "吉田一郎");
    s = s.by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00");
    s = s.when(VISIT, check_in("keiin_pas_1")).refused("visit.ask_reception");
    let (moment, entries) = (MatchMoment::Arrived, vec![entry]);
    let matched =
        Matched { moment, entries: entries.clone(), visitor: None, location: String::new(), day: Some(MONDAY) };
    assert_eq!(held(&mut s), [emit::<Visit>(VISIT, matched.clone())]);
    s = s.given::<Visit>(VISIT, matched);
    assert_eq!(held(&mut s), [], "once");
    let s = s.by(Role::Receptionist).when(VISIT, ReceiveVisitor {}).refused("visit.ask_reception");
    let to = vec![notice(BEN, "keiin_ans_3")];
    let escalated = Escalated { why: EscalationReason::Blocklist, to };
    let s = s.by_system().when(VISIT, EscalateVisit { to: vec![BEN] }).then([emit::<Visit>(VISIT, escalated)]);
    let let_in = LetVisitorIn { reason: "同姓同名".into() };
    let s = s.by(Role::Receptionist).when(VISIT, let_in).then([
        emit::<Visit>(VISIT, Overridden { entries, reason: sealed(FRESH, &reason("同姓同名")) }),
        emit::<Visit>(VISIT, CheckedIn { late: false, day: Date::of(2026, 11, 2), answers: None, consent: None }),
    ]);
    assert_eq!(s.now::<Visit>(VISIT).status, Some(VisitStatus::CheckedIn));
}

#[test]
fn an_entry_that_is_removed_names_nobody() {
    let mut s = expected().by(Role::Receptionist).when(ANNA, block("𠮷田 一郎")).accepted();
    let entry = s.world.subject_of("blocked_name", "吉田一郎");
    s = s.when(entry, RemoveFromBlocklist {}).accepted().by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00");
    s.when(VISIT, check_in("keiin_pas_1")).accepted();
}

#[test]
fn an_entry_that_comes_in_the_same_moment_counts() {
    let s = expected().at("2026-11-02T09:00:00+09:00").by(Role::Owner);
    s.race((ANNA, block("𠮷田 一郎")), (VISIT, ReceiveVisitor {})).refused("visit.ask_reception");
}

#[test]
fn a_company_or_a_host_on_the_list_is_enough() {
    for (kind, value) in [
        (BlockKind::Company, "国立印刷局(株)"),
        (BlockKind::Email, "YOSHIDA@example.jp"),
        (BlockKind::Email, "@Example.jp"),
        (BlockKind::Name, "よしだ いちろう"),
    ] {
        let entry = AddToBlocklist { kind, value: value.into(), reason: String::new() };
        let s = expected().by(Role::Owner).when(ANNA, entry).accepted();
        s.when(VISIT, ReceiveVisitor {}).refused("visit.ask_reception");
    }
}

#[test]
fn of_an_erased_visitor_nobody_can_say_that_they_are_not_named() {
    let mut s = expected().by(Role::Owner).when(ANNA, block("somebody else")).accepted();
    s.world.erased.push(FRESH);
    let s = s.when(VISIT, ReceiveVisitor {}).refused("visit.not_screened");
    s.when(VISIT, LetVisitorIn { reason: "確認済み".into() }).accepted();
}

#[test]
fn where_the_blocklist_cannot_be_asked_the_reception_decides() {
    let mut s = expected().by(Role::Owner).when(ANNA, block("somebody else")).accepted();
    s.world.is_silent = true;
    s = s.by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00");
    s = s.when(VISIT, check_in("keiin_pas_1")).refused("visit.not_screened");
    let failed = ScreeningFailed { visitor: None, location: String::new(), day: MONDAY };
    assert_eq!(held(&mut s), [emit::<Visit>(VISIT, failed.clone())]);
    s = s.given::<Visit>(VISIT, failed);
    assert_eq!(held(&mut s), [], "once");
    let to = vec![notice(BEN, "keiin_ans_3")];
    let escalated = Escalated { why: EscalationReason::NotScreened, to };
    let s = s.by_system().when(VISIT, EscalateVisit { to: vec![BEN] }).then([emit::<Visit>(VISIT, escalated)]);
    let s = s.when(VISIT, EscalateVisit { to: vec![BEN] }).then([]).by(Role::Receptionist);
    s.clone().when(VISIT, TurnVisitorAway { reason: String::new() }).accepted();
    let let_in = LetVisitorIn { reason: "名刺で確認".into() };
    let s = s.when(VISIT, let_in).then([
        emit::<Visit>(VISIT, Overridden { entries: vec![], reason: sealed(FRESH, &reason("名刺で確認")) }),
        emit::<Visit>(VISIT, CheckedIn { late: false, day: Date::of(2026, 11, 2), answers: None, consent: None }),
    ]);
    assert!(!s.now::<Visit>(VISIT).after.is_stopped());

    // Whoever has no appointment waits as somebody whom the list names does.
    let mut s = ready().when(ANNA, block("somebody else")).accepted().by_kiosk(KIOSK);
    s.world.is_silent = true;
    s = s.when(VISIT, walk_in()).refused("visit.not_screened");
    let visitor = Some(sealed(FRESH, &Person { note: "納品".into(), ..person("髙橋 誠", "") }));
    let failed = ScreeningFailed { visitor, location: "本社".into(), day: MONDAY };
    assert_eq!(s.turned_away(VISIT, walk_in()), [emit::<Visit>(VISIT, failed.clone())]);
    let s = s.given::<Visit>(VISIT, failed).by(Role::Receptionist);
    assert_eq!(s.now::<Visit>(VISIT).status, Some(VisitStatus::Held));
    s.when(VISIT, LetVisitorIn { reason: "確認済み".into() }).accepted();
    // Nobody is listed: there is nothing to ask.
    let mut s = expected().at("2026-11-02T09:00:00+09:00");
    s.world.is_silent = true;
    s.when(VISIT, check_in("keiin_pas_1")).accepted();
}

#[test]
fn the_reception_is_told_again_of_another_entry_and_on_a_later_day() {
    let week = crate::visit::tests::register_until("2026-11-06T18:00:00+09:00");
    let mut s = ready().when(VISIT, week).accepted().by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00");
    s = s
        .when(VISIT, check_in("keiin_pas_1"))
        .accepted()
        .by(Role::Receptionist)
        .when(VISIT, ReleaseVisitor {})
        .accepted();
    s = s.when(ANNA, block("𠮷田 一郎")).accepted().at("2026-11-03T09:00:00+09:00").by_kiosk(KIOSK);
    for value in ["よしだ いちろう", "国立印刷局"] {
        let [stopped] = &held(&mut s)[..] else { panic!("one record for {value}") };
        let VisitEvent::Matched(matched) = VisitEvent::read(&stopped.event).expect("a visit's") else {
            panic!("{stopped:?}")
        };
        s = s.given::<Visit>(VISIT, matched).by_system().when(VISIT, EscalateVisit { to: vec![BEN] }).accepted();
        assert!(s.now::<Visit>(VISIT).after.escalated);
        let kind = if value == "国立印刷局" { BlockKind::Company } else { BlockKind::Name };
        let more = AddToBlocklist { kind, value: value.into(), reason: String::new() };
        s = s.by(Role::Receptionist).when(BEN, more).accepted().by_kiosk(KIOSK);
    }
    // The same entries on another day are news.
    assert_eq!(held(&mut s).len(), 1, "a third entry");
    let [stopped] = &held(&mut s)[..] else { panic!("one record") };
    let VisitEvent::Matched(matched) = VisitEvent::read(&stopped.event).expect("a visit's") else {
        panic!("{stopped:?}")
    };
    s = s.given::<Visit>(VISIT, matched);
    assert_eq!(held(&mut s), [], "once a day");
    s = s.at("2026-11-04T09:00:00+09:00");
    assert_eq!(held(&mut s).len(), 1);
    s.by(Role::Receptionist).when(VISIT, TurnVisitorAway { reason: String::new() }).accepted();
}

#[test]
fn whoever_may_come_again_is_not_erased_yet() {
    let until = |ends_at: &str| ready().when(VISIT, crate::visit::tests::register_until(ends_at)).accepted();
    let left = |s: Scene| {
        let s = s.by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00").when(VISIT, check_in("keiin_pas_1")).accepted();
        s.by(Role::Owner).when(VISIT, ReleaseVisitor {}).accepted()
    };
    left(until("2026-11-02T10:00:00+09:00")).when(VISIT, EraseVisitor {}).accepted();
    let s = left(until("2026-11-03T10:00:00+09:00")).when(VISIT, EraseVisitor {}).refused("visit.not_over");
    s.at("2026-11-03T09:00:00+09:00").when(VISIT, EraseVisitor {}).accepted();
    let s = ready().by_kiosk(KIOSK).when(VISIT, walk_in()).accepted().by(Role::Owner);
    s.when(VISIT, ReleaseVisitor {}).accepted().when(VISIT, EraseVisitor {}).accepted();
}

#[test]
fn a_walk_in_whom_the_blocklist_names_waits_at_the_door() {
    let mut s = ready().when(ANNA, block("高橋誠")).accepted().by_kiosk(KIOSK);
    let entry = s.world.subject_of("blocked_name", "高橋誠");
    s = s.when(VISIT, walk_in()).refused("visit.ask_reception");
    let visitor = Person { note: "納品".into(), ..person("髙橋 誠", "") };
    let emits = s.turned_away(VISIT, walk_in());
    let (moment, entries) = (MatchMoment::Arrived, vec![entry]);
    let visitor = Some(sealed(FRESH, &visitor));
    let matched = Matched { moment, entries: entries.clone(), visitor, location: "本社".into(), day: Some(MONDAY) };
    assert_eq!(emits, [emit::<Visit>(VISIT, matched.clone())]);
    let s = s.given::<Visit>(VISIT, matched).by(Role::Receptionist);
    let away = s.clone().when(VISIT, TurnVisitorAway { reason: "お断り".into() });
    let away = away.then([emit::<Visit>(VISIT, TurnedAway { reason: sealed(FRESH, &reason("お断り")) })]);
    away.when(VISIT, LetVisitorIn { reason: "誤り".into() }).refused("visit.cancelled");
    s.when(VISIT, LetVisitorIn { reason: "誤り".into() }).then([
        emit::<Visit>(VISIT, Overridden { entries, reason: sealed(FRESH, &reason("誤り")) }),
        emit::<Visit>(VISIT, CheckedIn { late: false, day: Date::of(2026, 11, 2), answers: None, consent: None }),
    ]);
}

#[test]
fn a_match_is_known_from_the_registration_on() {
    let mut s = expected().by(Role::Owner).when(ANNA, block("𠮷田 一郎")).accepted();
    let entry = s.world.subject_of("blocked_name", "吉田一郎");
    let (moment, entries) = (MatchMoment::Registered, vec![entry]);
    let matched = Matched { moment, entries, visitor: None, location: String::new(), day: Some(MONDAY) };
    let s = s.by_system().when(VISIT, ScreenVisitor {}).then([emit::<Visit>(VISIT, matched)]);
    assert!(s.now::<Visit>(VISIT).after.held_for.is_empty(), "it keeps nobody waiting yet");
    expected().by_system().when(VISIT, ScreenVisitor {}).then([]);
}

#[test]
fn a_visitor_is_erased_when_the_visit_is_over() {
    let ordered = |by_policy| emit::<Visit>(VISIT, ErasureOrdered { by_policy });
    let s = here().by(Role::Owner).when(VISIT, EraseVisitor {}).refused("visit.not_over");
    let s = s.when(VISIT, ReleaseVisitor {}).accepted();
    let s = s.stale().when(VISIT, EraseVisitor {}).refused("access.confirm_first");
    let by_system = s.clone().by_system().when(VISIT, RetireVisitor {}).then([ordered(true)]);
    by_system.when(VISIT, RetireVisitor {}).then([]);
    let s = expected().by(Role::Owner).when(VISIT, EraseVisitor {}).refused("visit.not_over");
    let s = s.at("2026-11-03T00:00:00+09:00").when(VISIT, EraseVisitor {}).then([ordered(false)]);
    s.when(VISIT, EraseVisitor {}).refused("visit.already_erased");
}

#[test]
fn every_refusal_after_the_arrival() {
    let say = || AcknowledgeVisit { answer: VisitAnswer::Coming };
    let let_in = || LetVisitorIn { reason: "可".into() };
    let away = || TurnVisitorAway { reason: String::new() };
    let s = expected().by_system().when(KIOSK, AnnounceVisitor {}).refused("visit.unknown");
    let s = s.when(VISIT, AnnounceVisitor {}).refused("visit.not_checked_in");
    covered::<AnnounceVisitor>();
    let s = s.when(KIOSK, EscalateVisit { to: vec![] }).refused("visit.unknown");
    covered::<EscalateVisit>();
    let s = s.when(KIOSK, ScreenVisitor {}).refused("visit.unknown");
    covered::<ScreenVisitor>();
    let s = s.when(KIOSK, RetireVisitor {}).refused("visit.unknown");
    covered::<RetireVisitor>();
    let s = s.when(KIOSK, answer(VisitAnswer::Wait)).refused("visit.unknown").by(Role::Member).by_login(BEN, KIOSK);
    let s = s.when(VISIT, say()).refused("visit.own_only").by(Role::Owner);
    let s = s.when(KIOSK, say()).refused("visit.unknown").when(VISIT, say()).refused("visit.not_checked_in");
    covered::<AcknowledgeVisit>();
    let s = s.when(KIOSK, let_in()).refused("visit.unknown").when(VISIT, let_in()).refused("visit.not_named");
    let s = refuses_bad_text(s, VISIT, "/reason", true, 400, |reason| LetVisitorIn { reason });
    let s = refuses_bad_text(s, VISIT, "/reason", false, 400, |reason| TurnVisitorAway { reason });
    let s = s.when(KIOSK, away()).refused("visit.unknown");
    let s = s.when(KIOSK, EraseVisitor {}).refused("visit.unknown");
    let s = s.when(VISIT, EraseVisitor {}).refused("visit.not_over");
    let s = s.at("2026-11-03T00:00:00+09:00").when(VISIT, let_in()).refused("visit.expired");
    s.clone().stale().when(VISIT, EraseVisitor {}).refused("access.confirm_first");
    let erased = s.when(VISIT, EraseVisitor {}).accepted();
    erased.when(VISIT, EraseVisitor {}).refused("visit.already_erased");
    covered::<EraseVisitor>();

    let s = here().by(Role::Owner).when(VISIT, let_in()).refused("visit.already_checked_in");
    let s = s.when(VISIT, away()).refused("visit.wrong_state");
    covered::<TurnVisitorAway>();
    let s = s.by_link("keiin_ans_9").when(VISIT, answer(VisitAnswer::Wait)).refused("visit.notice_gone");
    let s = s.by(Role::Owner).when(VISIT, ReleaseVisitor {}).accepted();
    s.when(VISIT, let_in()).refused("visit.already_checked_out");
    let s = announced().by(Role::Owner).when(VISIT, ReleaseVisitor {}).accepted().by_link("keiin_ans_3");
    s.when(VISIT, answer(VisitAnswer::Wait)).refused("visit.not_checked_in");
    covered::<AnswerNotice>();
    let s = expected()
        .by(Role::Owner)
        .when(VISIT, CancelVisit { reason: String::new(), whole_appointment: false })
        .accepted();
    s.when(VISIT, let_in()).refused("visit.cancelled");
    covered::<LetVisitorIn>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<VisitEvent> {
    let to = || vec![Notice { member_id: SAMPLE_ID, secret_hash: [0xab; 32] }];
    let reason = || sealed(Uuid::from_u128(SAMPLE_ID.as_u128() + 1), &reason("同姓同名"));
    vec![
        Announced { to: to() }.into(),
        Escalated { why: EscalationReason::NoAnswer, to: to() }.into(),
        Acknowledged { member_id: Some(SAMPLE_ID), answer: VisitAnswer::Coming }.into(),
        Matched {
            moment: MatchMoment::Arrived,
            entries: vec![SAMPLE_ID],
            visitor: Some(somebody()),
            location: "本社".into(),
            day: Some(SAMPLE_DAY),
        }
        .into(),
        ScreeningFailed { visitor: Some(somebody()), location: "本社".into(), day: SAMPLE_DAY }.into(),
        Overridden { entries: vec![SAMPLE_ID], reason: reason() }.into(),
        TurnedAway { reason: reason() }.into(),
        ErasureOrdered { by_policy: true }.into(),
    ]
}
