//! Corrections after the fact (RN-07).

use super::*;

fn because(reason: &str) -> CorrectVisit {
    CorrectVisit { reason: reason.into(), ..CorrectVisit::default() }
}

/// The visitor of [`register`] came at nine and left at ten; the owner acts.
fn left() -> Scene {
    let s = expected().at("2026-11-02T09:00:00+09:00").when(VISIT, check_in("keiin_pas_1")).accepted();
    let s = s.at("2026-11-02T10:00:00+09:00").when(VISIT, check_out("keiin_pas_1")).accepted();
    s.by(Role::Owner).at("2026-11-02T12:00:00+09:00")
}

#[test]
fn a_correction_is_one_more_record() {
    let all = CorrectVisit {
        visitor_name: Some("吉田 一朗".into()),
        visitor_company: Some(String::new()),
        arrived_at: Some("2026-11-02T08:55:00+09:00".into()),
        left_at: Some("2026-11-02T10:05:00+09:00".into()),
        ..because("名札の読み違い")
    };
    let right = Person { name: "吉田 一朗".into(), company: String::new(), ..visitor() };
    let corrected = Corrected {
        reason: "名札の読み違い".into(),
        visitor: Some(sealed(FRESH, &right)),
        arrived_at_us: Some(us("2026-11-02T08:55:00+09:00")),
        left_at_us: Some(us("2026-11-02T10:05:00+09:00")),
    };
    let s = left().when(VISIT, all).then([emit::<Visit>(VISIT, corrected)]);
    let visit = s.now::<Visit>(VISIT);
    assert_eq!((visit.visitor_subject, visit.visitor.clone()), (FRESH, Some(sealed(FRESH, &right))));
    assert_eq!(visit.status, Some(VisitStatus::CheckedOut));
}

#[test]
fn every_refusal_of_a_correction() {
    let arrived = |time: &str| CorrectVisit { arrived_at: Some(time.into()), ..because("誤記") };
    let gone = |time: &str| CorrectVisit { left_at: Some(time.into()), ..because("誤記") };
    let name = |name: String| CorrectVisit { visitor_name: Some(name), ..because("誤記") };
    let nine = "2026-11-02T09:00:00+09:00";
    let s = expected().by(Role::Owner).when(OTHER, because("誤記")).refused("visit.unknown");
    let s = s.when(VISIT, arrived(nine)).refused("visit.not_checked_in");
    let inside = s.at(nine).when(VISIT, ReceiveVisitor {}).accepted();
    inside.when(VISIT, gone(nine)).refused_at("visit.not_checked_out", "/left_at");

    let s = left().by(Role::Member).by_login(BEN, SAMPLE_ID).when(VISIT, name("名".into())).refused("visit.own_only");
    let s = s.by(Role::Owner).when(VISIT, because("誤記")).refused("visit.nothing_corrected");
    let s = s.when(VISIT, name(register().visitor_name)).refused("visit.nothing_corrected");
    let s = s.when(VISIT, arrived("9")).refused_at("visit.bad_time", "/arrived_at");
    let s = s.when(VISIT, arrived("2026-11-02T12:00:01+09:00")).refused_at("visit.not_yet", "/arrived_at");
    let s = s.when(VISIT, arrived("2026-11-01T09:00:00+09:00")).refused_at("visit.bad_period", "/arrived_at");
    let s = s.when(VISIT, gone("2026-11-01T23:00:00+09:00")).refused_at("visit.bad_period", "/left_at");
    let both = CorrectVisit { left_at: Some("2026-11-02T08:59:00+09:00".into()), ..arrived(nine) };
    let s = s.when(VISIT, both).refused_at("visit.bad_period", "/left_at");
    let s = refuses_bad_text(s, VISIT, "/visitor_name", true, 80, name);
    let s = refuses_bad_text(s, VISIT, "/reason", true, 400, |reason| CorrectVisit { reason, ..arrived(nine) });
    let mut erased = s;
    erased.world.erased.push(FRESH);
    let erased = erased.when(VISIT, name("名".into())).refused("visit.visitor_gone");
    // Times are nobody's name.
    erased.when(VISIT, arrived(nine)).accepted();
    covered::<CorrectVisit>();
}
