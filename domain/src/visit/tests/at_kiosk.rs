//! Visitors at a kiosk whose reception asks something.

use super::*;
use crate::reception::{ChangeReception, Field, GivenAnswer, GivenQuestion, GivenWords, HostNames};

fn words(ja: &str, en: &str) -> GivenWords {
    GivenWords { ja: ja.into(), en: en.into() }
}

fn asks(field: Field, label: &str, [walk_in, check_in, required]: [bool; 3]) -> GivenQuestion {
    GivenQuestion { field, label: words(label, label), choices: vec![], walk_in, check_in, required }
}

/// Asks everything: of walk-ins and of whoever was expected.
fn asking() -> ChangeReception {
    let meals = vec![words("要る", "Yes"), words("要らない", "No")];
    ChangeReception {
        questions: vec![
            asks(Field::Name, "お名前", [true, false, true]),
            asks(Field::Company, "会社", [true, false, true]),
            asks(Field::Purpose, "用件", [true, false, true]),
            asks(Field::Host, "訪問先", [true, false, true]),
            asks(Field::People, "人数", [true, true, true]),
            asks(Field::YesNo, "車", [true, true, false]),
            GivenQuestion { choices: meals, ..asks(Field::Choice, "昼食", [true, true, true]) },
        ],
        consent: words("撮影を控えます。", "I will take no pictures."),
        walk_ins: true,
        check_outs: true,
        hosts: HostNames::Chosen,
        shown_hosts: vec![ANNA],
    }
}

fn text_hash() -> [u8; 32] {
    hash("撮影を控えます。\nI will take no pictures.")
}

fn consent() -> String {
    text_hash().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn says(question: &str, answer: &str) -> GivenAnswer {
    GivenAnswer { question: question.into(), answer: answer.into() }
}

fn kept(question: &str, ja: &str, en: &str) -> Answer {
    let question = Words { ja: question.into(), en: question.into() };
    Answer { question, answer: Words { ja: ja.into(), en: en.into() } }
}

/// [`expected`], at a reception that asks; the kiosk acts at nine.
fn asked() -> Scene {
    let s = expected().by(Role::Owner).when(TENANT, asking()).accepted();
    s.by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00")
}

fn comes(answers: Vec<GivenAnswer>) -> CheckIn {
    CheckIn { answers, consent: consent(), ..check_in("keiin_pas_1") }
}

fn all() -> Vec<GivenAnswer> {
    vec![says("人数", "３"), says("車", "yes"), says("昼食", "要らない")]
}

fn walks_in() -> WalkIn {
    WalkIn {
        visitor_company: "髙橋運輸".into(),
        host_id: Some(ANNA),
        people: 2,
        answers: vec![says("昼食", "要る")],
        consent: consent(),
        ..walk_in()
    }
}

#[test]
fn rn_c22_answers_and_what_was_agreed_to_are_kept_with_the_check_in() {
    let answers = vec![kept("人数", "3", "3"), kept("車", "はい", "Yes"), kept("昼食", "要らない", "No")];
    let came = CheckedIn {
        late: false,
        day: Date::of(2026, 11, 2),
        answers: Some(sealed(FRESH, &Answers { answers })),
        consent: Some(Agreed { text_hash: text_hash() }),
    };
    asked().when(VISIT, comes(all())).then([emit::<Visit>(VISIT, came)]);
}

#[test]
fn rn_c22_the_code_is_looked_at_before_anything_is_asked() {
    let s = asked();
    let s = s.when(VISIT, check_in("keiin_pas_9")).refused_at("visit.unknown_code", "/code");
    let early = s.clone().at("2026-11-02T08:00:00+09:00").when(VISIT, check_in("keiin_pas_1"));
    early.refused_expecting("visit.too_early", "/code", "2026-11-01T23:30:00Z");
    s.when(VISIT, check_in("keiin_pas_1")).refused_at("reception.answer_required", "/answers/0/answer");
}

#[test]
fn whoever_was_not_expected_says_whom_they_come_to_see() {
    let visitor = Person { company: "髙橋運輸".into(), note: "納品".into(), ..person("髙橋 誠", "") };
    let fresh = FRESH;
    let s = ready().when(TENANT, asking()).accepted().by_kiosk(KIOSK);
    let s = s.when(VISIT, walks_in()).then([emit::<Visit>(
        VISIT,
        WalkedIn {
            visitor: sealed(fresh, &visitor),
            location: "本社".into(),
            passcode: "00000001".into(),
            host_id: Some(ANNA),
            people: 2,
            answers: Some(sealed(fresh, &Answers { answers: vec![kept("昼食", "要る", "Yes")] })),
            consent: Some(Agreed { text_hash: text_hash() }),
            day: Some(Date::of(2026, 11, 2)),
        },
    )]);
    assert_eq!(s.now::<Visit>(VISIT).host_id, ANNA);
}

/// Everything that a reception refuses, at the kiosk.
fn refuses_what_the_reception_does_not_take() {
    let s = asked();
    let with = |n: usize, answer: &str| {
        let mut answers = all();
        answers[n].answer = answer.into();
        comes(answers)
    };
    let s = s.when(VISIT, with(0, "")).refused_at("reception.answer_required", "/answers/0/answer");
    let s = s.when(VISIT, with(0, "100")).refused_at("reception.bad_answer", "/answers/0/answer");
    let s = s.when(VISIT, with(1, "maybe")).refused_at("reception.bad_answer", "/answers/1/answer");
    let s = s.when(VISIT, with(2, "半分")).refused_at("reception.bad_answer", "/answers/2/answer");
    let s = s.when(VISIT, with(1, &"長".repeat(201))).refused_at("text.too_long", "/answers/1/answer");
    let s = s.when(VISIT, with(1, "a\0b")).refused_at("text.control_character", "/answers/1/answer");
    let other = comes(vec![says("靴", "27")]);
    let s = s.when(VISIT, other).refused_at("reception.unknown_question", "/answers/0/question");
    let s = s.when(VISIT, CheckIn { consent: String::new(), ..comes(all()) });
    let s = s.refused_at("reception.consent_required", "/consent");
    let s = s.when(VISIT, CheckIn { consent: "0".repeat(64), ..comes(all()) });
    let s = s.refused_at("reception.consent_changed", "/consent");

    let refuses =
        |s: Scene, code: &str, pointer: &str, walk_in: WalkIn| s.when(OTHER, walk_in).refused_at(code, pointer);
    let required = "reception.answer_required";
    let s = refuses(s, required, "/visitor_company", WalkIn { visitor_company: String::new(), ..walks_in() });
    let s = refuses(s, required, "/purpose", WalkIn { purpose: String::new(), ..walks_in() });
    let s = refuses(s, required, "/host_id", WalkIn { host_id: None, ..walks_in() });
    let s = refuses(s, required, "/people", WalkIn { people: 0, ..walks_in() });
    let s = refuses(s, "reception.bad_answer", "/people", WalkIn { people: 100, ..walks_in() });
    let s = refuses(s, required, "/answers/1/answer", WalkIn { answers: vec![], ..walks_in() });
    // The number of people has a field of its own there.
    let s = refuses(s, "reception.unknown_question", "/answers/0/question", WalkIn { answers: all(), ..walks_in() });
    let s = refuses(s, "reception.consent_required", "/consent", WalkIn { consent: String::new(), ..walks_in() });
    let s = refuses(s, "reception.consent_changed", "/consent", WalkIn { consent: "x".into(), ..walks_in() });
    // Nobody's name but those that may be shown, and only of who is there.
    let s = refuses(s, "visit.unknown_host", "/host_id", WalkIn { host_id: Some(BEN), ..walks_in() });
    let nobody = ChangeReception { hosts: HostNames::Everybody, ..asking() };
    let s = s.by(Role::Owner).when(TENANT, nobody).accepted().by_kiosk(KIOSK);
    let s = refuses(s, "visit.unknown_host", "/host_id", WalkIn { host_id: Some(BEN), ..walks_in() });

    let s = s.when(VISIT, comes(all())).accepted();
    let s = s.by(Role::Owner).when(TENANT, asking_nothing()).accepted().by_kiosk(KIOSK);
    let s = s.when(VISIT, check_out("keiin_pas_1")).refused("reception.no_check_outs");
    s.when(OTHER, walk_in()).refused("reception.no_walk_ins");
}

/// Every way but that of the expected is shut, and nothing is asked.
fn asking_nothing() -> ChangeReception {
    ChangeReception {
        questions: vec![],
        consent: GivenWords::default(),
        walk_ins: false,
        check_outs: false,
        hosts: HostNames::Nobody,
        shown_hosts: vec![],
    }
}

#[test]
fn every_refusal_of_a_kiosk() {
    let code = "keiin_pas_1";
    let s = expected();
    let s = s.when(VISIT, check_in("")).refused_at("visit.unknown_code", "/code");
    let s = s.when(VISIT, check_in(code)).refused_expecting("visit.too_early", "/code", "2026-11-01T23:30:00Z");
    let s = s.when(VISIT, check_out("keiin_pas_2")).refused_at("visit.unknown_code", "/code");
    let s = s.by_kiosk(BEN).when(VISIT, check_in(code)).refused("kiosk.unknown");
    let s = s.when(VISIT, check_out(code)).refused("kiosk.unknown");
    let s = refuses_bad_text(s.by_kiosk(KIOSK), OTHER, "/visitor_name", true, 80, |visitor_name| WalkIn {
        visitor_name,
        ..walk_in()
    });
    let s = refuses_bad_text(s, OTHER, "/purpose", false, 400, |purpose| WalkIn { purpose, ..walk_in() });
    let s = s.by_kiosk(BEN).when(OTHER, walk_in()).refused("kiosk.unknown").by(Role::Owner);
    let shut = s.clone().when(ELSEWHERE, RevokeKiosk {}).accepted().by_kiosk(ELSEWHERE);
    let shut = shut.when(VISIT, check_in(code)).refused("kiosk.revoked");
    let shut = shut.when(VISIT, check_out(code)).refused("kiosk.revoked");
    shut.when(OTHER, walk_in()).refused("kiosk.revoked");

    let moved = s.clone().when(VISIT, later()).accepted().by_kiosk(KIOSK);
    let moved = moved.when(VISIT, check_in(code));
    let moved =
        moved.refused_expecting("visit.code_replaced", "/code", "2026-11-02T02:00:00Z").when(VISIT, check_out(code));
    moved.refused_expecting("visit.code_replaced", "/code", "2026-11-02T02:00:00Z");
    let cancelled = s
        .clone()
        .when(VISIT, CancelVisit { reason: String::new(), whole_appointment: false })
        .accepted()
        .by_kiosk(KIOSK);
    let cancelled = cancelled.when(VISIT, check_in(code)).refused("visit.cancelled");
    cancelled.when(VISIT, check_out(code)).refused("visit.not_checked_in");

    let s = s.by_kiosk(KIOSK);
    s.clone().at("2026-11-03T09:00:00+09:00").when(VISIT, check_in(code)).refused("visit.expired");
    let s = s.at("2026-11-02T09:00:00+09:00").when(VISIT, check_out(code)).refused("visit.not_checked_in");
    let s = s.when(VISIT, check_in(code)).accepted().when(VISIT, check_in(code)).refused("visit.already_checked_in");
    let s = s.when(VISIT, check_out(code)).accepted().when(VISIT, check_out(code));
    let s = s.refused("visit.already_checked_out").when(VISIT, check_in(code)).refused("visit.already_checked_out");
    let mondays = RegisterVisit { weekdays: vec![Weekday::Mon], ..week() };
    let s = s.by(Role::Owner).at("2026-11-02T08:00:00+09:00").when(OTHER, mondays).accepted().by_kiosk(KIOSK);
    let s = s.at("2026-11-03T10:00:00+09:00").when(OTHER, check_in("keiin_pas_3"));
    s.refused_expecting("visit.not_now", "/code", "2026-11-08T23:30:00Z");
    let named = named(expected()).by_kiosk(KIOSK).at("2026-11-02T09:00:00+09:00");
    let named = named.when(VISIT, check_in(code)).refused("visit.ask_reception");
    let one_of_them = WalkIn { visitor_name: "吉田 一郎".into(), ..walk_in() };
    let mut named = named.when(OTHER, one_of_them).refused("visit.ask_reception");
    named.world.is_silent = true;
    let named = named.when(VISIT, check_in(code)).refused("visit.not_screened");
    named.when(OTHER, walk_in()).refused("visit.not_screened");
    refuses_what_the_reception_does_not_take();
    covered::<CheckIn>();
    covered::<CheckOut>();
    covered::<WalkIn>();
}
