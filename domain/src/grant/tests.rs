use super::*;
use crate::role::Role;
use crate::testing::*;

fn request(classes: &[DataClass]) -> RequestGrant {
    RequestGrant {
        operator_name: "鈴木 一郎".into(),
        operator_kind: OperatorKind::Support,
        purpose: Purpose::Inquiry,
        classes: classes.to_vec(),
        object: None,
        reason: "The invoice of 2 November cannot be opened".into(),
        hours: 24,
        hours_max: HOURS,
    }
}

fn approve() -> ApproveGrant {
    ApproveGrant { operator_name: "高橋 二郎".into() }
}

fn end() -> EndGrant {
    EndGrant { reason: String::new() }
}

const INTERNAL: &[DataClass] = &[DataClass::Internal];
/// The grant.
const G: Uuid = FRESH;

/// Asked for by [`ANNA`], approved by [`BEN`].
fn approved(scene: Scene, classes: &[DataClass]) -> Scene {
    let scene = scene.by_operator(ANNA).when(G, request(classes)).accepted();
    scene.by_operator(BEN).when(G, approve()).accepted().by(Role::Owner)
}

fn in_force(scene: &Scene) -> bool {
    scene.now::<Grant>(G).is_in_force(us("2026-11-02T10:00:00+09:00"))
}

#[test]
fn mn_05_ml_48_a_grant_takes_two_operators_and_the_company_and_ends_by_itself() {
    let person = |id, name: &str| sealed(id, &Person { name: name.into(), ..Person::default() });
    let requested = Requested {
        operator: ANNA,
        person: person(ANNA, "鈴木 一郎"),
        kind: OperatorKind::Support,
        purpose: Purpose::Inquiry,
        classes: vec![DataClass::Internal, DataClass::Personal],
        object: None,
        reason: "The invoice of 2 November cannot be opened".into(),
        expires_at_us: us("2026-11-03T09:00:00+09:00"),
    };
    let classes = [DataClass::Personal, DataClass::Internal, DataClass::Personal];
    let owned = scene().given::<Owners>(TENANT, crate::owners::OwnerAdded { member: ME });
    let s = owned.by_operator(ANNA).when(G, request(&classes)).then([emit::<Grant>(G, requested)]);
    let s = s.by(Role::Owner).when(G, OpenGrant {}).refused("grant.not_approved");
    let s = s.by_operator(ANNA).when(G, approve()).refused("grant.own_approval");
    let agreed = Approved { by: BEN, person: person(BEN, "高橋 二郎"), told_at_once: false, mail_to: vec![ME] };
    let s = s.by_operator(BEN).when(G, approve()).then([emit::<Grant>(G, agreed)]);
    assert!(!in_force(&s), "the company has not said anything");
    let s = s.by(Role::Owner).when(G, OpenGrant {}).then([emit::<Grant>(G, Opened { by: ME })]);
    assert!(in_force(&s));
    assert!(s.now::<Grant>(G).covers(DataClass::Personal) && !s.now::<Grant>(G).covers(DataClass::Privileged));
    let s = s.by_system().when(G, ExpireGrant {}).refused("grant.not_due").at("2026-11-03T09:00:00+09:00");
    assert!(!s.now::<Grant>(G).is_in_force(us("2026-11-03T09:00:00+09:00")), "also before it is written down");
    let s = s.when(G, ExpireGrant {}).then([emit::<Grant>(G, Expired {})]).when(G, ExpireGrant {}).then([]);
    s.when(ME, ExpireGrant {}).refused("grant.unknown");
    covered::<ExpireGrant>();
}

#[test]
fn ml_49_what_is_privileged_takes_two_people_of_the_company_whatever_its_setting_is() {
    let told = ChangeSupport { told_at_once: true };
    let changed = emit::<Support>(TENANT, SupportChanged { told_at_once: true });
    let s = scene().when(TENANT, told.clone()).then([changed]).when(TENANT, told.clone()).then([]);
    let asked = approved(s.clone(), INTERNAL);
    assert!(in_force(&asked), "told, not asked");
    asked.when(G, OpenGrant {}).refused("grant.already_open");
    let s = approved(s, &[DataClass::Privileged]);
    assert!(!in_force(&s));
    let s = s.when(G, OpenGrant {}).accepted();
    assert!(!in_force(&s));
    let s = s.when(G, OpenGrant {}).refused("grant.second_person");
    let s = s.by_login(BEN, ANNA).when(G, OpenGrant {}).then([emit::<Grant>(G, Opened { by: BEN })]);
    assert!(in_force(&s));
    s.stale().when(TENANT, told).refused("access.confirm_first");
    covered::<ChangeSupport>();
}

#[test]
fn the_company_refuses_or_ends_it_and_an_operator_gives_it_back() {
    let denied = emit::<Grant>(G, Denied { reason: "Not now".into() });
    let s = approved(scene(), INTERNAL).when(G, EndGrant { reason: "Not now".into() }).then([denied]);
    let s = s.when(G, OpenGrant {}).refused("grant.over").when(G, end()).refused("grant.over");
    let _ = s.by_operator(BEN).when(G, approve()).refused("grant.over");
    let s = approved(scene(), INTERNAL).when(G, OpenGrant {}).accepted();
    let ended = || emit::<Grant>(G, Ended { reason: String::new() });
    assert!(!in_force(&s.clone().when(G, end()).then([ended()])));
    let s = refuses_bad_text(s, G, "/reason", false, 200, |reason| EndGrant { reason });
    s.when(ME, end()).refused("grant.unknown").by_operator(ANNA).when(G, end()).then([ended()]);
    covered::<EndGrant>();
}

#[test]
fn fm_13_what_was_done_is_signed_off_by_somebody_else() {
    let s = approved(scene(), INTERNAL).when(G, OpenGrant {}).accepted();
    let review = |note: &str| ReviewGrant { note: note.into() };
    let s = s.by_operator(BEN).when(G, review("")).refused("grant.not_over");
    let s =
        s.by(Role::Owner).when(G, end()).accepted().by_operator(ANNA).when(G, review("")).refused("grant.own_review");
    let s = refuses_bad_text(s.by_operator(BEN), G, "/note", false, 500, |note| ReviewGrant { note });
    let reviewed = Reviewed { by: BEN, note: "Two looks, both at the invoice".into() };
    let s = s.when(G, review("Two looks, both at the invoice")).then([emit::<Grant>(G, reviewed)]);
    s.when(G, review("")).refused("grant.already_reviewed").when(ME, review("")).refused("grant.unknown");
    covered::<ReviewGrant>();
}

#[test]
fn every_refusal() {
    let s = scene().by_operator(ANNA);
    // FM-15: whatever else is right.
    let leads = RequestGrant { operator_kind: OperatorKind::Management, ..request(INTERNAL) };
    let s = s.when(G, leads).refused("grant.management_never");
    let s = s.when(G, request(&[])).refused_at("grant.no_classes", "/classes");
    for hours in [0, HOURS + 1] {
        let bad = RequestGrant { hours, ..request(INTERNAL) };
        let _ = s.clone().when(G, bad).refused_expecting("grant.bad_hours", "/hours", "1–72");
    }
    let s = refuses_bad_text(s, G, "/reason", true, 200, |reason| RequestGrant { reason, ..request(INTERNAL) });
    covered::<RequestGrant>();
    let s = s.by_operator(BEN).when(G, approve()).refused("grant.unknown");
    let s = approved(s, INTERNAL).by_operator(BEN).when(G, approve()).refused("grant.already_approved");
    let s = s.by_operator(ANNA).when(G, approve()).refused("grant.own_approval").by(Role::Owner);
    let s = s.when(ME, OpenGrant {}).refused("grant.unknown");
    let s = s.stale().when(G, OpenGrant {}).refused("access.confirm_first").by_system();
    let s = s.when(G, end()).accepted().by_operator(BEN).when(G, approve()).refused("grant.over");
    covered::<ApproveGrant>();
    let mut fresh = approved(scene(), &[DataClass::Privileged]).when(G, OpenGrant {}).accepted();
    assert!(fresh.ask(G, OpenGrant {}).is_err_and(|refused| refused.code == "grant.second_person"));
    let s2 = approved(scene(), INTERNAL).when(G, OpenGrant {}).accepted().when(G, OpenGrant {});
    let _ = s2.refused("grant.already_open");
    let unasked = scene().by_operator(ANNA).when(G, request(INTERNAL)).accepted().by(Role::Owner);
    let _ = unasked.when(G, OpenGrant {}).refused("grant.not_approved");
    s.by(Role::Owner).when(G, end()).refused("grant.over");
    let over = approved(scene(), INTERNAL).when(G, end()).accepted().when(G, OpenGrant {});
    let _ = over.refused("grant.over");
    covered::<OpenGrant>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<GrantEvent> {
    vec![
        Requested {
            operator: SAMPLE_ID,
            person: somebody(),
            kind: OperatorKind::Support,
            purpose: Purpose::Inquiry,
            classes: vec![DataClass::Internal, DataClass::Personal],
            object: Some(SAMPLE_ID),
            reason: "請求書が開けない".into(),
            expires_at_us: SAMPLE_US,
        }
        .into(),
        Approved { by: SAMPLE_ID, person: somebody(), told_at_once: false, mail_to: vec![SAMPLE_ID] }.into(),
        Opened { by: SAMPLE_ID }.into(),
        Denied { reason: "不要".into() }.into(),
        Ended { reason: "完了".into() }.into(),
        Expired {}.into(),
        Reviewed { by: SAMPLE_ID, note: "確認済み".into() }.into(),
    ]
}

pub fn support_samples() -> Vec<SupportEvent> {
    vec![SupportChanged { told_at_once: true }.into()]
}
