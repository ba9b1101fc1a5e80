//! Several hosts, several visitors, period passes, reminders.

use super::*;
use crate::context::World;

/// Who comes along.
fn companion(name: &str) -> Companion {
    Companion { name: name.into(), ..Companion::default() }
}

/// Three visitors to the host and [`BEN`].
fn three() -> RegisterVisit {
    let companions = vec![companion("二人目"), companion("三人目")];
    RegisterVisit { companions, co_hosts: vec![BEN, ANNA, BEN], ..register() }
}

fn with_ben() -> Scene {
    let ben = member::Registered { person: sealed(BEN, &person("弁", "")), role: Role::Member };
    ready().given::<Member>(BEN, ben)
}

/// The ids of the visits of [`three`]: fresh ids are for the companions, then for everybody's subject.
const SECOND: Uuid = FRESH;
const THIRD: Uuid = Uuid::from_u128(FRESH.as_u128() + 1);

#[test]
fn rn_02_each_visitor_of_an_appointment_has_a_visit_a_subject_and_a_code_of_their_own() {
    let s = with_ben().when(VISIT, three()).accepted();
    let visits = [VISIT, SECOND, THIRD].map(|id| s.now::<Visit>(id));
    for (i, visit) in visits.iter().enumerate() {
        assert_eq!(visit.appointment, [VISIT, SECOND, THIRD]);
        assert_eq!((visit.host_id, &visit.co_hosts[..], visit.registered_by), (ANNA, &[BEN][..], Some(ME)));
        let others = visits.iter().enumerate().filter(|(n, _)| *n != i).map(|(_, other)| other);
        for other in others {
            assert_ne!(visit.visitor_subject, other.visitor_subject);
            assert_ne!(visit.codes[0].secret_hash, other.codes[0].secret_hash);
            assert_ne!(visit.codes[0].passcode, other.codes[0].passcode);
        }
    }
    // Secrets are minted in the order of the visitors: a pass and a passcode each.
    let s = s.at("2026-11-02T09:00:00+09:00").by_kiosk(KIOSK);
    let s = s.when(THIRD, check_in("keiin_pas_5")).accepted();
    s.when(SECOND, check_in("00000004"))
        .accepted()
        .when(SECOND, check_in("00000004"))
        .refused("visit.already_checked_in");
}

#[test]
fn an_appointment_is_registered_as_a_whole_or_not_at_all() {
    let bad = |last: Companion| RegisterVisit { companions: vec![companion("二人目"), last], ..register() };
    let s = ready().when(VISIT, bad(companion(" "))).refused_at("text.required", "/companions/1/name");
    let s = s.when(VISIT, bad(Companion { email: "@".into(), ..companion("三人目") }));
    let s = s.refused_at("visit.bad_email", "/companions/1/email");
    let nineteen = RegisterVisit { companions: vec![companion("同行"); 19], ..register() };
    s.when(VISIT, nineteen).accepted();
}

#[test]
fn an_appointment_moves_with_all_who_are_still_expected() {
    let afternoon = || RescheduleAppointment {
        location: "本社".into(),
        starts_at: "2026-11-02T14:00:00+09:00".into(),
        ends_at: "2026-11-02T15:00:00+09:00".into(),
        weekdays: vec![],
    };
    let s = with_ben().when(VISIT, three()).accepted().at("2026-11-02T09:00:00+09:00");
    let s = s.when(SECOND, ReceiveVisitor {}).accepted();
    let s = s.race((THIRD, cancel("")), (VISIT, afternoon())).accepted();
    assert_eq!(s.now::<Visit>(VISIT).codes.len(), 2);
    assert_eq!(s.now::<Visit>(SECOND).codes.len(), 1, "who is here is not asked to come again");
    assert_eq!(s.now::<Visit>(THIRD).status, Some(VisitStatus::Cancelled));
    let s = s.by_kiosk(KIOSK).when(VISIT, check_in("keiin_pas_1"));
    let s = s.refused_expecting("visit.code_replaced", "/code", "2026-11-02T05:00:00Z").by(Role::Owner);
    // Nothing moves twice.
    s.when(VISIT, afternoon()).then([]);
}

#[test]
fn one_visitor_or_the_whole_appointment_is_cancelled() {
    let all = || CancelVisit { reason: "延期".into(), whole_appointment: true };
    let status = |s: &Scene, id| s.now::<Visit>(id).status.map(VisitStatus::name);
    let s = with_ben().when(VISIT, three()).accepted();
    let one = s.clone().when(SECOND, cancel("")).then([emit::<Visit>(SECOND, Cancelled { reason: String::new() })]);
    assert_eq!(
        [VISIT, SECOND, THIRD].map(|id| status(&one, id)),
        [Some("expected"), Some("cancelled"), Some("expected")]
    );
    let rest = one.when(THIRD, all()).accepted();
    assert_eq!([VISIT, SECOND, THIRD].map(|id| status(&rest, id)), [Some("cancelled"); 3]);
    s.race((SECOND, cancel("")), (VISIT, all()))
        .then([VISIT, THIRD].map(|id| emit::<Visit>(id, Cancelled { reason: "延期".into() })));
}

#[test]
fn rn_c45_hosts_and_whoever_registered_it_handle_a_visit() {
    let beside = |co_hosts: Vec<Uuid>| RegisterVisit { co_hosts, ..register() };
    let me = member::Registered { person: sealed(ME, &person("私", "")), role: Role::Member };
    let s = with_ben().given::<Member>(ME, me).by(Role::Member);
    let s = s.when(VISIT, beside(vec![BEN])).refused("visit.own_only").when(VISIT, beside(vec![ME])).accepted();
    // They hand it over and still see it through: it was them who asked the visitor to come.
    let s = s.when(VISIT, ChangeVisit(beside(vec![BEN]))).accepted();
    let s = s.when(VISIT, cancel("")).accepted();
    // Of what others registered, only the hosts.
    let s = s.by(Role::Owner).when(OTHER, beside(vec![BEN])).accepted().by(Role::Member);
    let s = s.by_login(ANNA, SAMPLE_ID).when(OTHER, ChangeVisit(beside(vec![BEN]))).accepted();
    let s = s.by_login(BEN, SAMPLE_ID).when(OTHER, ReceiveVisitor {}).accepted();
    s.by_secretary(&[BEN]).when(OTHER, ReleaseVisitor {}).accepted();
}

#[test]
fn a_secretary_who_registered_a_visit_loses_it_with_the_lawyer() {
    let s = with_ben().by_secretary(&[BEN]).when(VISIT, RegisterVisit { host_id: BEN, ..register() }).accepted();
    s.by_secretary(&[ANNA]).when(VISIT, cancel("")).refused("visit.own_only");
}

/// From Monday the 2nd to Friday the 13th, on working days, 09:00 to 18:00.
fn supplier() -> RegisterVisit {
    use Weekday::{Fri, Mon, Thu, Tue, Wed};
    RegisterVisit { weekdays: vec![Fri, Mon, Tue, Wed, Thu, Fri], ..week() }
}

/// A check-in with the supplier's pass at this time.
fn at(s: &Scene, time: &str) -> Outcome {
    s.clone().by_kiosk(KIOSK).at(time).when(VISIT, check_in("keiin_pas_1"))
}

#[test]
fn a_period_pass_lets_in_on_its_days_at_its_time_and_once_a_day() {
    let s = ready().when(VISIT, supplier()).accepted();
    at(&s, "2026-11-02T08:29:59+09:00").refused_expecting("visit.too_early", "/code", "2026-11-01T23:30:00Z");
    at(&s, "2026-11-02T08:30:00+09:00").then([came(false, 2)]);
    at(&s, "2026-11-02T18:00:00+09:00").then([came(false, 2)]);
    at(&s, "2026-11-02T18:00:00.000001+09:00").refused_expecting("visit.not_now", "/code", "2026-11-02T23:30:00Z");
    // On Saturday it says Monday, on the last evening that it is over.
    at(&s, "2026-11-07T10:00:00+09:00").refused_expecting("visit.not_now", "/code", "2026-11-08T23:30:00Z");
    at(&s, "2026-11-13T18:01:00+09:00").refused("visit.expired");
    at(&s, "2026-11-14T09:00:00+09:00").refused("visit.expired");

    let mut day = s.by_kiosk(KIOSK);
    for date in ["02", "03", "04", "05", "06", "09", "13"] {
        day = day.at(&format!("2026-11-{date}T08:40:00+09:00"));
        day = day.when(VISIT, check_in("keiin_pas_1")).accepted();
        day = day.when(VISIT, check_out("keiin_pas_1")).accepted();
        day = day.when(VISIT, check_in("keiin_pas_1")).refused("visit.already_checked_out");
    }
}

#[test]
fn a_period_pass_from_friday_is_too_early_before_and_opens_on_its_first_day() {
    let fridays = RegisterVisit { weekdays: vec![Weekday::Fri], ..supplier() };
    let s = ready().when(VISIT, fridays).accepted();
    at(&s, "2026-11-03T10:00:00+09:00").refused_expecting("visit.not_now", "/code", "2026-11-05T23:30:00Z");
    let later = RegisterVisit { starts_at: "2026-11-04T09:00:00+09:00".into(), ..supplier() };
    let s = ready().when(VISIT, later).accepted();
    at(&s, "2026-11-03T10:00:00+09:00").refused_expecting("visit.too_early", "/code", "2026-11-03T23:30:00Z");
}

#[test]
fn the_reception_sees_who_comes_with_a_period_pass_also_outside_of_its_time() {
    let s = ready().when(VISIT, supplier()).accepted().by(Role::Receptionist);
    s.at("2026-11-07T19:00:00+09:00").when(VISIT, ReceiveVisitor {}).accepted();
}

#[test]
fn a_period_pass_takes_a_year_and_ends_later_in_the_day_than_it_begins() {
    let until = |ends_at: &str| RegisterVisit { ends_at: ends_at.into(), ..supplier() };
    ready().when(VISIT, until("2027-11-03T09:00:00+09:00")).refused_at("visit.bad_weekdays", "/weekdays");
    ready().when(VISIT, until("2027-11-02T18:00:00+09:00")).accepted();
    ready().when(VISIT, until("2027-11-04T18:00:00+09:00")).refused_at("visit.bad_period", "/ends_at");
    // Midnight is the end of a day.
    let s = ready().when(VISIT, until("2026-11-07T00:00:00+09:00")).accepted();
    at(&s, "2026-11-06T23:59:00+09:00").then([came(false, 6)]);
}

#[test]
fn a_period_pass_is_changed_between_its_days_and_not_while_its_visitor_is_in() {
    let evening = ChangeVisit(RegisterVisit { ends_at: "2026-11-13T20:00:00+09:00".into(), ..supplier() });
    let s = ready().when(VISIT, supplier()).accepted().at("2026-11-02T09:00:00+09:00");
    let s = s.when(VISIT, ReceiveVisitor {}).accepted();
    let s = s.when(VISIT, evening.clone()).refused("visit.wrong_state");
    s.clone().at("2026-11-03T08:00:00+09:00").when(VISIT, evening.clone()).accepted();
    let s = s.when(VISIT, ReleaseVisitor {}).accepted().when(VISIT, evening).accepted();
    s.when(VISIT, cancel("")).accepted().when(VISIT, cancel("")).refused("visit.wrong_state");
}

#[test]
fn every_refusal_of_a_move() {
    let to = |location: &str, starts_at: &str, ends_at: &str, weekdays: &[Weekday]| RescheduleAppointment {
        location: location.into(),
        starts_at: starts_at.into(),
        ends_at: ends_at.into(),
        weekdays: weekdays.to_vec(),
    };
    let (nine, ten) = ("2026-11-02T09:00:00+09:00", "2026-11-02T10:00:00+09:00");
    let s = expected().by(Role::Owner).when(OTHER, to("本社", nine, ten, &[])).refused("visit.unknown");
    let s = s.by(Role::Member).when(VISIT, to("工場", nine, ten, &[])).accepted();
    let s =
        s.by_login(BEN, SAMPLE_ID).when(VISIT, to("本社", nine, ten, &[])).refused("visit.own_only").by(Role::Owner);
    let s = s.when(VISIT, to("本社", "9", ten, &[])).refused_at("visit.bad_time", "/starts_at");
    let s = s.when(VISIT, to("本社", ten, nine, &[])).refused_at("visit.bad_period", "/ends_at");
    let s = s.when(VISIT, to("本社", nine, ten, &[Weekday::Sun])).refused_at("visit.bad_weekdays", "/weekdays");
    let s = refuses_bad_text(s, VISIT, "/location", true, 80, |location| to(&location, nine, ten, &[]));
    let past = s.clone().at(ten).when(VISIT, to("本社", nine, ten, &[]));
    past.refused_at("visit.in_the_past", "/ends_at");
    let s = s.when(VISIT, cancel("")).accepted().when(VISIT, to("本社", nine, ten, &[]));
    s.refused("visit.wrong_state");
    covered::<RescheduleAppointment>();
}

#[test]
fn a_reminder_goes_once_on_the_day_before() {
    let remind = |starts_at: &str| RemindVisitor { starts_at: starts_at.into() };
    let (start, end) = ("2026-11-04T09:00:00+09:00", "2026-11-04T10:00:00+09:00");
    let plan = || RegisterVisit { starts_at: start.into(), ends_at: end.into(), ..register() };
    assert_eq!(crate::date::instant(reminds_at_us(us(start))), "2026-11-03T00:00:00Z");
    assert_eq!(crate::date::instant(reminds_at_us(us("2026-11-04T00:00:00+09:00"))), "2026-11-03T00:00:00Z");
    assert_eq!(crate::date::instant(reminds_at_us(us("2026-11-04T23:59:00+09:00"))), "2026-11-03T00:00:00Z");
    let s = ready().when(VISIT, plan()).accepted().by_system();
    let s = s.at("2026-11-03T08:59:59+09:00").when(VISIT, remind(start)).then([]);
    let sent = |starts_at: &str| [emit::<Visit>(VISIT, Reminded { starts_at_us: us(starts_at) })];
    // Late after a stop, but not when they are due already.
    s.clone().at(start).when(VISIT, remind(start)).then([]);
    let s = s.at("2026-11-03T20:00:00+09:00").when(VISIT, remind(start)).then(sent(start));
    let s = s.when(VISIT, remind(start)).then([]);
    // A later date is another one.
    let moved = RegisterVisit {
        starts_at: "2026-11-05T09:00:00+09:00".into(),
        ends_at: "2026-11-05T10:00:00+09:00".into(),
        ..plan()
    };
    let s = s.by(Role::Owner).when(VISIT, ChangeVisit(moved.clone())).accepted().by_system();
    let s = s.at("2026-11-04T09:00:00+09:00").when(VISIT, remind(start)).then([]);
    s.clone().when(VISIT, remind(&moved.starts_at)).then(sent(&moved.starts_at));
    let s = s.by(Role::Owner).when(VISIT, cancel("")).accepted().by_system();
    s.when(VISIT, remind(&moved.starts_at)).then([]).when(OTHER, remind(start)).refused("visit.unknown");
    covered::<RemindVisitor>();
}

/// Mondays and Wednesdays from Wednesday, 2026-11-04, to the Wednesday a week later, 9:00 to 18:00.
fn pass() -> RegisterVisit {
    RegisterVisit {
        starts_at: "2026-11-04T09:00:00+09:00".into(),
        ends_at: "2026-11-11T18:00:00+09:00".into(),
        weekdays: vec![Weekday::Mon, Weekday::Wed],
        ..register()
    }
}

#[test]
fn of_a_period_pass_its_first_day_and_the_first_of_each_week_are_reminded_of() {
    let remind = |s: Scene, day: u32| {
        let eve = format!("2026-11-{:02}T09:00:00+09:00", day - 1);
        s.at(&eve).when(VISIT, RemindVisitor { starts_at: format!("2026-11-{day:02}T09:00:00+09:00") })
    };
    let sent =
        |day: u32| [emit::<Visit>(VISIT, Reminded { starts_at_us: us(&format!("2026-11-{day:02}T09:00:00+09:00")) })];
    let s = ready().when(VISIT, pass()).accepted();
    let code = s.world.secrets[0].clone();
    let s = remind(s.by_system(), 4).then(sent(4));
    // They came and left on the first day, and are reminded of the next week, once, and not of its second day.
    let s = s.by_kiosk(KIOSK).at("2026-11-04T09:00:00+09:00").when(VISIT, check_in(&code)).accepted();
    let s = s.when(VISIT, check_out(&code)).accepted().by_system();
    let s = remind(remind(s, 9).then(sent(9)), 9).then([]);
    remind(s.clone(), 10).then([]);
    remind(s.clone(), 11).then([]);
    let s = s.by(Role::Owner).when(VISIT, cancel("")).accepted().by_system();
    remind(s, 16).then([]);
    // It begins on a day that is none of its own: the first day is the one on which it lets in.
    let s = ready().when(VISIT, RegisterVisit { starts_at: "2026-11-03T09:00:00+09:00".into(), ..pass() }).accepted();
    remind(remind(s.by_system(), 3).then([]), 4).then(sent(4));
}

#[test]
fn somebody_else_comes_to_an_appointment_that_was_made_before() {
    let somebody =
        |name: &str| Companion { name: name.into(), language: Some(VisitorLanguage::En), ..Companion::default() };
    let add = |names: &[&str]| AddVisitors { companions: names.iter().map(|name| somebody(name)).collect() };
    let with = RegisterVisit { co_hosts: vec![ANNA, BEN], ..register() };
    let ben = member::Registered { person: sealed(BEN, &person("ベン", "")), role: Role::Member };
    let s = ready().given::<Member>(BEN, ben).when(VISIT, with).accepted();
    let next = s.world.clone().fresh_id();
    let (all, s) = (vec![VISIT, next], s.when(VISIT, add(&["Robert Brown"])));
    let subject = Uuid::from_u128(next.as_u128() + 1);
    let registered = |appointment: Vec<Uuid>, name: &str, subject: Uuid, code: Code| Registered {
        appointment,
        visitor: sealed(subject, &person(name, "")),
        language: Some(VisitorLanguage::En),
        host_id: ANNA,
        co_hosts: vec![BEN],
        registered_by: Some(ME),
        location: "本社".into(),
        starts_at_us: us("2026-11-02T09:00:00+09:00"),
        ends_at_us: us("2026-11-02T10:00:00+09:00"),
        weekdays: vec![],
        code,
    };
    let code = Code { secret_hash: hash("keiin_pas_3"), passcode: "00000004".into() };
    let s = s.then([
        emit::<Visit>(VISIT, VisitorAdded { appointment: all.clone() }),
        emit::<Visit>(next, registered(all.clone(), "Robert Brown", subject, code)),
    ]);
    // Who came later adds somebody as well, and what is done to the appointment is done to all three.
    let s = s.when(next, add(&["Carol"])).accepted();
    assert_eq!(s.now::<Visit>(VISIT).appointment.len(), 3);
    assert_eq!(s.now::<Visit>(VISIT).appointment, s.now::<Visit>(next).appointment);
    let third = s.now::<Visit>(VISIT).appointment[2];
    let s = s.when(third, cancel("")).accepted();
    let all = CancelVisit { reason: String::new(), whole_appointment: true };
    s.clone().when(VISIT, all).then([VISIT, next].map(|id| emit::<Visit>(id, Cancelled { reason: String::new() })));

    let s = s.when(OTHER, add(&["Dave"])).refused("visit.unknown");
    let s = s.when(VISIT, add(&[])).refused_at("text.required", "/companions/0/name");
    let s = s.when(VISIT, add(&[""; 20])).refused_at("visit.too_many_visitors", "/companions");
    let s = s.when(VISIT, add(&["x"; 18])).refused_at("visit.too_many_visitors", "/companions");
    let email = Companion { email: "at home".into(), ..somebody("Eve") };
    let s = s.when(VISIT, AddVisitors { companions: vec![email] }).refused_at("visit.bad_email", "/companions/0/email");
    let s = refuses_bad_text(s, VISIT, "/companions/0/name", true, 80, |name| add(&[&name]));
    let s = s.when(third, add(&["Dave"])).refused("visit.wrong_state");
    let other = s.clone().by(Role::Member).by_login(Uuid::from_u128(0x99), SAMPLE_ID).when(VISIT, add(&["Dave"]));
    other.refused("visit.own_only");
    s.at("2026-11-03T00:00:00+09:00").when(VISIT, add(&["Dave"])).refused("visit.wrong_state");
    covered::<AddVisitors>();
}

#[test]
fn old_events_are_visits_of_one_visitor_to_one_host() {
    let v1 = include_str!("../../../golden/visit.registered.v1.hex");
    let bytes: Vec<u8> =
        (0..v1.trim().len() / 2).map(|i| u8::from_str_radix(&v1.trim()[2 * i..2 * i + 2], 16).expect("hex")).collect();
    let stored = crate::event::Stored { kind: "visit.registered".into(), version: 1, bytes };
    let VisitEvent::Registered(e) = crate::event::Event::read(&stored).expect("decodes") else { panic!() };
    assert_eq!((e.appointment, e.co_hosts, e.weekdays, e.registered_by, e.language), Default::default());
    assert_eq!((e.host_id, e.ends_at_us), (SAMPLE_ID, SAMPLE_US + 1));
}
