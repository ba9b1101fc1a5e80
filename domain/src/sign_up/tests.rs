use super::*;
use crate::terms::Accepted;
use crate::terms::tests::{accept, accepted};
use crate::testing::*;

const SIGN_UP: Uuid = Uuid::from_u128(0x51);

fn verify(code: &str) -> VerifyEmailCode {
    VerifyEmailCode { code: code.into() }
}

fn submit(slug: &str) -> SubmitSignUp {
    SubmitSignUp { tenant: BEN, slug: slug.into(), must_pay: false }
}

fn pay() -> RequestPayment {
    RequestPayment { provider: "development".into(), reference: "r1".into(), amount: Money::yen(1_100) }
}

fn agree() -> AcceptFirstTerms {
    let AcceptTerms { terms, privacy } = accept();
    AcceptFirstTerms { terms, privacy }
}

/// The address was given; the code is the world's last secret.
fn requested() -> Scene {
    scene().by_system().when(SIGN_UP, RequestSignUp { email: "Hanako@example.jp".into() }).accepted()
}

fn verified() -> Scene {
    let scene = requested();
    let code = scene.world.secrets[0].clone();
    scene.when(SIGN_UP, verify(&code)).accepted()
}

fn agreed() -> Scene {
    verified().when(SIGN_UP, agree()).accepted()
}

#[test]
fn el_15_an_address_gets_a_code_and_stays_sealed() {
    let mut scene = scene().by_system();
    let now_us = us("2026-11-02T09:00:00+09:00");
    let person = sealed(SIGN_UP, &person("", "hanako@example.jp"));
    let request = RequestSignUp { email: "Hanako@example.jp".into() };
    scene = scene.when(SIGN_UP, request).accepted();
    let code = scene.world.secrets[0].clone();
    assert_eq!(code.len(), DIGITS as usize);
    let state = scene.now::<SignUp>(SIGN_UP);
    assert_eq!((state.person.clone(), state.expires_at_us), (Some(person), now_us + OPEN_US));
    let issued = CodeIssued { code_hash: hash(&keyed(SIGN_UP, &code)), expires_at_us: now_us + CODE_US };
    assert_eq!(state.code, Some(issued));
    let scene = scene.when(SIGN_UP, verify(&code)).then([emit::<SignUp>(SIGN_UP, CodeVerified {})]);
    scene.when(SIGN_UP, verify("again")).then([]).when(SIGN_UP, RenewEmailCode {}).then([]);
}

#[test]
fn a_code_may_be_typed_with_spaces_and_in_full_width() {
    let scene = requested();
    let wide: String = scene.world.secrets[0].chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect();
    let typed = format!(" {} {}", wide.chars().take(3).collect::<String>(), wide.chars().skip(3).collect::<String>());
    scene.when(SIGN_UP, verify(&typed)).then([emit::<SignUp>(SIGN_UP, CodeVerified {})]);
}

#[test]
fn el_17_the_sixth_wrong_code_locks() {
    let mut scene = requested();
    let right = scene.world.secrets[0].clone();
    for n in 1..=6 {
        let refused = emit::<SignUp>(SIGN_UP, CodeRefused { locked: n == 6 });
        scene = scene.when(SIGN_UP, verify("000000")).then([refused]);
    }
    let scene = scene.when(SIGN_UP, verify(&right)).refused("sign_up.locked");
    scene.when(SIGN_UP, RenewEmailCode {}).refused("sign_up.locked");
}

#[test]
fn el_17_another_code_does_not_bring_new_tries_and_ends_the_one_before() {
    let mut scene = requested();
    let first = scene.world.secrets[0].clone();
    for _ in 0..5 {
        scene = scene.when(SIGN_UP, verify("000000")).accepted();
    }
    let scene = scene.when(SIGN_UP, RenewEmailCode {}).accepted();
    assert_eq!(scene.world.secrets.len(), 2);
    let refused = emit::<SignUp>(SIGN_UP, CodeRefused { locked: true });
    scene.when(SIGN_UP, verify(&first)).then([refused]);
}

#[test]
fn el_17_a_code_is_good_for_a_quarter_of_an_hour() {
    let scene = requested().at("2026-11-02T09:15:00+09:00");
    let code = scene.world.secrets[0].clone();
    let scene = scene.when(SIGN_UP, verify(&code)).refused_at("sign_up.code_expired", "/code");
    let scene = scene.when(SIGN_UP, RenewEmailCode {}).accepted();
    let code = scene.world.secrets[1].clone();
    scene.when(SIGN_UP, verify(&code)).then([emit::<SignUp>(SIGN_UP, CodeVerified {})]);
}

#[test]
fn el_16_a_payment_is_asked_for_and_confirmed_once() {
    let PaymentRequested { provider, reference, amount } = paid();
    let requested = emit::<SignUp>(SIGN_UP, PaymentRequested { provider, reference, amount });
    let scene = agreed().when(SIGN_UP, pay()).then([requested]);
    let must_pay = SubmitSignUp { must_pay: true, ..submit("minato") };
    let scene = scene.when(SIGN_UP, must_pay.clone()).refused("sign_up.payment_first");
    let confirm = || ConfirmPayment { reference: "r1".into() };
    let confirmed = emit::<SignUp>(SIGN_UP, PaymentConfirmed { reference: "r1".into() });
    let scene = scene.when(SIGN_UP, confirm()).then([confirmed]);
    scene.when(SIGN_UP, confirm()).then([]).when(SIGN_UP, must_pay).accepted();
}

fn paid() -> PaymentRequested {
    PaymentRequested { provider: "development".into(), reference: "r1".into(), amount: Money::yen(1_100) }
}

#[test]
fn ledger_and_short_name_are_fixed_once_and_of_two_companies_one_gets_the_name() {
    let mut scene = agreed();
    let slug = scene.world.subject_of("slug", "minato");
    let (taken, submitted) =
        (Taken { tenant: BEN, slug: "minato".into() }, Submitted { tenant: BEN, slug: "minato".into() });
    let fixed = [emit::<Slug>(slug, taken), emit::<SignUp>(SIGN_UP, submitted)];
    scene.clone().when(SIGN_UP, submit("minato")).then(fixed);
    // Two tabs at once: the second finds that it is done.
    scene.clone().race((SIGN_UP, submit("minato")), (SIGN_UP, submit("minato"))).then([]);
    let tabs = scene.clone().race((SIGN_UP, submit("minato")), (SIGN_UP, submit("other")));
    tabs.refused_expecting("sign_up.slug_fixed", "/slug", "minato");
    let other = Uuid::from_u128(0x52);
    let scene = scene.given::<SignUp>(other, CodeVerified {}).given::<Terms>(other, accepted());
    let scene = scene.given::<SignUp>(other, Requested { person: somebody(), expires_at_us: i64::MAX });
    let scene = scene.race((SIGN_UP, submit("minato")), (other, SubmitSignUp { tenant: ANNA, ..submit("minato") }));
    let scene = scene.refused_at("tenant.slug_taken", "/slug");
    let provisioned = emit::<SignUp>(SIGN_UP, Provisioned { tenant: BEN });
    let scene = scene.when(SIGN_UP, ProvisionTenant {}).then([provisioned]);
    scene.when(SIGN_UP, ProvisionTenant {}).then([]);
}

#[test]
fn el_18_steps_are_not_skipped() {
    let s = requested().when(SIGN_UP, agree()).refused("sign_up.code_first");
    let s = s.when(SIGN_UP, pay()).refused("sign_up.code_first");
    s.when(SIGN_UP, submit("minato")).refused("sign_up.code_first");
    let s = verified().when(SIGN_UP, submit("minato")).refused("sign_up.terms_first");
    s.when(SIGN_UP, pay()).refused("sign_up.terms_first");
    // Terms that were replaced meanwhile are shown again.
    let old = Accepted { texts: texts("1") };
    verified().given::<Terms>(SIGN_UP, old).when(SIGN_UP, submit("minato")).refused("sign_up.terms_first");
}

#[test]
fn every_refusal() {
    let bad = || RequestSignUp { email: "a@b".into() };
    let s = scene().by_system().when(SIGN_UP, bad()).refused_at("member.bad_email", "/email");
    covered::<RequestSignUp>();

    let locked = requested().given::<SignUp>(SIGN_UP, CodeRefused { locked: true });
    let late = agreed().at("2026-11-03T09:00:00+09:00");
    let both = [(locked, "sign_up.locked"), (late, "sign_up.expired")];
    for (scene, code) in both {
        let s = scene.when(SIGN_UP, RenewEmailCode {}).refused(code).when(SIGN_UP, verify("1")).refused(code);
        let s = s.when(SIGN_UP, agree()).refused(code).when(SIGN_UP, pay()).refused(code);
        s.when(SIGN_UP, submit("minato")).refused(code);
    }
    let expired = requested().at("2026-11-02T09:15:00+09:00");
    expired.when(SIGN_UP, verify("1")).refused_at("sign_up.code_expired", "/code");
    covered::<RenewEmailCode>();
    covered::<VerifyEmailCode>();

    let s = s.when(SIGN_UP, ProvisionTenant {}).refused("sign_up.not_submitted");
    covered::<ProvisionTenant>();
    drop(s);

    let unknown = AcceptFirstTerms { terms: String::new(), ..agree() };
    let s = verified().when(SIGN_UP, unknown).refused_at("terms.not_in_force", "/terms");
    let s = s.when(SIGN_UP, pay()).refused("sign_up.terms_first");
    let s = s.when(SIGN_UP, submit("minato")).refused("sign_up.terms_first");
    requested().when(SIGN_UP, agree()).refused("sign_up.code_first").when(SIGN_UP, pay()).refused("sign_up.code_first");
    let confirm = ConfirmPayment { reference: "r2".into() };
    s.when(SIGN_UP, confirm).refused_at("sign_up.unknown_payment", "/reference");
    let s = agreed().given::<SignUp>(SIGN_UP, PaymentConfirmed { reference: "r1".into() });
    s.when(SIGN_UP, pay()).refused("sign_up.already_paid");
    covered::<AcceptFirstTerms>();
    covered::<RequestPayment>();
    covered::<ConfirmPayment>();

    requested().when(SIGN_UP, submit("minato")).refused("sign_up.code_first");
    let s = agreed().when(SIGN_UP, submit("Minato")).refused_at("tenant.bad_slug", "/slug");
    let s = s.when(SIGN_UP, SubmitSignUp { must_pay: true, ..submit("minato") }).refused("sign_up.payment_first");
    let mut s = s;
    let slug = s.world.subject_of("slug", "taken");
    let s = s.given::<Slug>(slug, Taken { tenant: ANNA, slug: "taken".into() });
    let s = s.when(SIGN_UP, submit("taken")).refused_at("tenant.slug_taken", "/slug");
    let s = s.when(SIGN_UP, submit("minato")).accepted();
    s.when(SIGN_UP, submit("other")).refused_expecting("sign_up.slug_fixed", "/slug", "minato");
    covered::<SubmitSignUp>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<SignUpEvent> {
    vec![
        Requested { person: somebody(), expires_at_us: SAMPLE_US }.into(),
        CodeIssued { code_hash: [7; 32], expires_at_us: SAMPLE_US }.into(),
        CodeRefused { locked: true }.into(),
        CodeVerified {}.into(),
        paid().into(),
        PaymentConfirmed { reference: "r1".into() }.into(),
        Submitted { tenant: SAMPLE_ID, slug: "minato".into() }.into(),
        Provisioned { tenant: SAMPLE_ID }.into(),
    ]
}
