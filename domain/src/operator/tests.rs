use super::*;
use crate::role::Role;
use crate::testing::*;

const CERTIFICATE: &str =
    "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB";

fn register(first: char) -> RegisterOperator {
    let certificate_sha256 = first.to_string().repeat(64);
    RegisterOperator {
        name: "鈴木 一郎".into(),
        email: "suzuki@keiin.example".into(),
        kind: OperatorKind::Support,
        certificate_sha256,
    }
}

fn screen() -> ScreenOperator {
    ScreenOperator { record: "Identity and contract, folder 12".into() }
}

/// The first two accounts, made where the machine is.
fn founded() -> Scene {
    let mut scene = scene().by_system();
    for (id, first) in [(ANNA, 'a'), (BEN, 'b')] {
        scene = scene.when(id, register(first)).accepted().when(id, screen()).accepted();
        scene = scene.when(id, ApproveOperator {}).accepted();
    }
    scene
}

#[test]
fn fm_16_an_account_works_once_it_was_screened_and_a_second_operator_approved_it() {
    let scene = founded();
    assert_eq!(scene.now::<Operators>(TENANT).working, [ANNA, BEN]);
    // From then on nothing is approved where nobody is known.
    let third = FRESH;
    let scene = scene.by_operator(ANNA).when(third, register('c')).accepted();
    let scene = scene.when(third, ApproveOperator {}).refused("operator.not_screened");
    let scene = scene.when(third, screen()).accepted();
    let scene = scene.when(third, ApproveOperator {}).refused("operator.second_person");
    let scene = scene.by_operator(third).when(third, ApproveOperator {}).refused("operator.own_account");
    let scene = scene.by_system().when(third, ApproveOperator {}).refused("operator.second_person");
    assert!(!scene.now::<Operator>(third).works());
    let added = emit::<Operators>(TENANT, OperatorAdded { operator: third });
    let approved = emit::<Operator>(third, Approved { by: BEN });
    let scene = scene.by_operator(BEN).when(third, ApproveOperator {}).then([approved, added]);
    assert!(scene.now::<Operator>(third).works());
    let scene = scene.when(third, ApproveOperator {}).refused("operator.already_approved");
    let removed = scene.when(third, RemoveOperator { reason: "Left".into() }).accepted();
    assert!(!removed.now::<Operator>(third).works());
    assert_eq!(removed.now::<Operators>(TENANT).working, [ANNA, BEN]);
    let s = removed.when(third, ApproveOperator {}).refused("operator.removed");
    s.when(ME, ApproveOperator {}).refused("operator.unknown");
    covered::<ApproveOperator>();
}

#[test]
fn two_accounts_at_once_cannot_both_be_the_second_of_the_machine() {
    let mut scene = scene().by_system();
    for (id, first) in [(ANNA, 'a'), (BEN, 'b'), (FRESH, 'c')] {
        scene = scene.when(id, register(first)).accepted().when(id, screen()).accepted();
    }
    let scene = scene.when(ANNA, ApproveOperator {}).accepted();
    scene.race((BEN, ApproveOperator {}), (FRESH, ApproveOperator {})).refused("operator.second_person");
}

#[test]
fn a_certificate_is_one_persons_for_ever() {
    let scene = founded().by_operator(BEN);
    let s = scene.when(FRESH, register('a')).refused_at("operator.certificate_taken", "/certificate_sha256");
    let replace = |text: &str| ReplaceCertificate { certificate_sha256: text.into() };
    let replaced = emit::<Operator>(ANNA, CertificateReplaced { by: BEN, certificate: [0xab; 32] });
    let left = emit::<Operators>(TENANT, OperatorLeft { operator: ANNA });
    let mut world = s.clone();
    let stream = certificate_stream(&[0xab; 32], &mut world.world);
    let s = s.when(ANNA, replace(CERTIFICATE)).then([
        replaced,
        emit::<Certificate>(stream, Taken { operator: ANNA }),
        left,
    ]);
    assert_eq!(s.now::<Operator>(ANNA).certificate, [0xab; 32]);
    let taken = "operator.certificate_taken";
    let s = s.when(ANNA, replace(&"a".repeat(64))).refused_at(taken, "/certificate_sha256");
    for bad in ["", "ab", &"g".repeat(64), &"a".repeat(65)] {
        let bad_certificate = "operator.bad_certificate";
        let refused = s.clone().when(ANNA, replace(bad)).refused_at(bad_certificate, "/certificate_sha256");
        let bad = RegisterOperator { certificate_sha256: bad.into(), ..register('d') };
        let _ = refused.when(FRESH, bad).refused_at(bad_certificate, "/certificate_sha256");
    }
    let s = s.when(BEN, replace(&"e".repeat(64))).refused("operator.own_account");
    let s = s.when(ME, replace(&"e".repeat(64))).refused("operator.unknown");
    let s = s.when(ANNA, RemoveOperator { reason: "Left".into() }).accepted();
    s.when(ANNA, replace(&"f".repeat(64))).refused("operator.removed");
    covered::<ReplaceCertificate>();
}

#[test]
fn fm_16_whoever_gives_another_a_certificate_does_not_become_two_people() {
    let replace = ReplaceCertificate { certificate_sha256: CERTIFICATE.into() };
    let scene = founded().by_operator(BEN).when(ANNA, replace).accepted();
    assert!(!scene.now::<Operator>(ANNA).works());
    assert_eq!(scene.now::<Operators>(TENANT).working, [BEN]);
    let scene = scene.when(ANNA, ApproveOperator {}).refused("operator.second_person");
    let scene = scene.by_operator(ANNA).when(ANNA, ApproveOperator {}).refused("operator.own_account");
    // Of three the third approves; where none is left, the machine is the second.
    let third = scene.clone().by_operator(FRESH).when(ANNA, ApproveOperator {}).accepted();
    assert!(third.now::<Operator>(ANNA).works());
    let machine = scene.by_system().when(ANNA, ApproveOperator {}).accepted();
    assert_eq!(machine.now::<Operators>(TENANT).working, [BEN, ANNA]);
}

#[test]
fn every_refusal() {
    let s = founded().by_operator(ANNA);
    let s = refuses_bad_text(s, FRESH, "/name", true, 80, |name| RegisterOperator { name, ..register('d') });
    let bad = RegisterOperator { email: "nowhere".into(), ..register('d') };
    let s = s.when(FRESH, bad).refused_at("operator.bad_email", "/email");
    let bad = RegisterOperator { certificate_sha256: "x".into(), ..register('d') };
    let s = s.when(FRESH, bad).refused_at("operator.bad_certificate", "/certificate_sha256");
    let s = s.when(FRESH, register('b')).refused_at("operator.certificate_taken", "/certificate_sha256");
    covered::<RegisterOperator>();

    let s = refuses_bad_text(s, BEN, "/record", true, 500, |record| ScreenOperator { record });
    let s = s.when(ANNA, screen()).refused("operator.own_account").when(ME, screen()).refused("operator.unknown");
    let s = s.when(ANNA, ReviewOperator {}).refused("operator.own_account");
    let reviewed = emit::<Operator>(BEN, Reviewed { by: ANNA });
    let s = s.when(BEN, ReviewOperator {}).then([reviewed]).when(ME, ReviewOperator {}).refused("operator.unknown");
    let s = refuses_bad_text(s, BEN, "/reason", true, 200, |reason| RemoveOperator { reason });
    let remove = || RemoveOperator { reason: "Left".into() };
    let s = s.when(ME, remove()).refused("operator.unknown").when(BEN, remove()).accepted();
    let s = s.when(BEN, remove()).refused("operator.removed").when(BEN, screen()).refused("operator.removed");
    s.when(BEN, ReviewOperator {}).refused("operator.removed");
    covered::<ScreenOperator>();
    covered::<ReviewOperator>();
    covered::<RemoveOperator>();
}

#[test]
fn no_operator_sees_a_company_by_being_one() {
    for permission in crate::catalog::permissions() {
        let may = Role::Operator.permits(permission);
        assert_eq!(may, matches!(permission.noun(), "operator") || permission.0 == "grant.end", "{}", permission.0);
        assert!(!Role::Vendor.permits(permission) || permission.reads(), "{} changes something", permission.0);
        assert!(!permission.noun().eq("operator") || !Role::Owner.permits(permission), "{}", permission.0);
    }
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<OperatorEvent> {
    vec![
        Registered { person: somebody(), kind: OperatorKind::Engineering, by: SAMPLE_ID, certificate: [0xab; 32] }
            .into(),
        Screened { record: somebody(), by: SAMPLE_ID }.into(),
        Approved { by: SAMPLE_ID }.into(),
        CertificateReplaced { by: SAMPLE_ID, certificate: [0xcd; 32] }.into(),
        Reviewed { by: SAMPLE_ID }.into(),
        Removed { reason: "退職".into() }.into(),
    ]
}

pub fn certificate_samples() -> Vec<CertificateEvent> {
    vec![Taken { operator: SAMPLE_ID }.into()]
}

pub fn operators_samples() -> Vec<OperatorsEvent> {
    vec![OperatorAdded { operator: SAMPLE_ID }.into(), OperatorLeft { operator: SAMPLE_ID }.into()]
}
