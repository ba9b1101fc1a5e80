//! A member's phone, to which codes go by SMS (RN-23). It is a second factor where the company allows it; NIST SP 800-63B-4,
//! 3.1.3.3, calls it restricted, so that is off until somebody switches it on. Codes themselves are apart from the ledger;
//! that one was sent and used is here, so that of two logins with one code one is refused.

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Factor, fresh_codes, own, theirs};
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::sealed::{Personal, Sealed};
use crate::security::Security;
use crate::text;

/// Codes that wait to be typed, at most; a newer one takes the oldest one's place.
const WAITING: usize = 4;

/// A phone's number. Whole in the record's box; whoever reads the trail sees its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// E.164: `+` and at most 15 digits.
    #[serde(serialize_with = "shown")]
    pub number: String,
}

impl Personal for PhoneNumber {
    const CLASS: &'static str = "phone";
}

fn shown<S: Serializer>(number: &str, s: S) -> Result<S::Ok, S::Error> {
    if s.is_human_readable() { s.serialize_str(&masked(number)) } else { s.serialize_str(number) }
}

/// A number as it is shown: `••••5678`.
pub fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    format!("••••{}", digits[digits.len().saturating_sub(4)..].iter().collect::<String>())
}

/// A number as it is dialled from anywhere (E.164), whatever its width and however its digits are set apart. Japanese
/// numbers may come as they are dialled in Japan; of those only mobile ones take an SMS.
pub fn e164(typed: &str) -> Option<String> {
    let apart = |c: char| c.is_whitespace() || "-().‐‑‒–—−ー".contains(c);
    let plain: String = text::compatible(typed).chars().filter(|c| !apart(*c)).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let in_japan = match plain.strip_prefix("+81") {
        Some(rest) => Some(rest.strip_prefix('0').unwrap_or(rest)),
        None => plain.strip_prefix('0'),
    };
    match in_japan {
        Some(rest) if rest.len() == 10 && ["60", "70", "80", "90"].contains(&&rest[..2]) => Some(format!("+81{rest}")),
        None if plain.starts_with('+') && (8..=15).contains(&digits.len()) && !digits.starts_with('0') => Some(plain),
        _ => None,
    }
}

/// Codes by SMS go to this phone from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PhoneEnrolled {
    /// Its number.
    pub number: Sealed<PhoneNumber>,
    /// The code that showed that it is at hand.
    pub code_id: Uuid,
    /// There was no second factor before.
    pub first: bool,
    /// When, microseconds UTC.
    pub enrolled_at_us: i64,
}

/// No code goes there any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PhoneRemoved {
    /// No second factor is left; the recovery codes end with it.
    pub last: bool,
}

/// A code was handed to whoever sends SMS for us.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeSent {
    /// Names the code, which is kept apart from the ledger.
    pub code_id: Uuid,
    /// They took it over; otherwise the code is good for nothing.
    pub taken_over: bool,
}

/// A code that was sent was used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PhoneUsed {
    /// Which.
    pub code_id: Uuid,
}

/// State of a member's phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phone {
    /// See [`PhoneEnrolled`]. No rule looks inside.
    pub number: Sealed<PhoneNumber>,
    /// See [`PhoneEnrolled`].
    pub enrolled_at_us: i64,
}

impl Factor {
    /// May a code be sent: to a phone that is to be enrolled, or to the one that is?
    pub fn may_text(&self, security: &Security, new: bool) -> Result<(), Rejection> {
        if !security.sms {
            return Err(Rejection::new("factor.sms_off"));
        }
        match (new, &self.phone) {
            (true, Some(_)) => Err(Rejection::new("factor.phone_exists")),
            (false, None) => Err(Rejection::new("factor.no_phone")),
            _ => Ok(()),
        }
    }

    fn waits(&self, code: Uuid) -> Result<(), Rejection> {
        if self.texted.contains(&code) { Ok(()) } else { Err(Rejection::at("factor.wrong_code", "/code")) }
    }

    pub(super) fn sent(&mut self, e: &CodeSent) {
        if e.taken_over {
            self.texted.push(e.code_id);
            self.texted.drain(..self.texted.len().saturating_sub(WAITING));
        }
    }

    pub(super) fn typed(&mut self, code: Uuid) {
        self.texted.retain(|waiting| *waiting != code);
    }

    pub(super) fn phone_enrolled(&mut self, e: PhoneEnrolled) {
        self.typed(e.code_id);
        self.phone = Some(Phone { number: e.number, enrolled_at_us: e.enrolled_at_us });
    }

    pub(super) fn phone_removed(&mut self, e: &PhoneRemoved) {
        self.phone = None;
        self.texted.clear();
        if e.last {
            self.codes.clear();
        }
    }
}

impl On<Factor> {
    /// Takes the phone away, if it was enrolled at this time or later. Where passkeys go as well, theirs is the last one.
    pub fn without_phone_since(&self, since_us: i64) -> Option<Emit> {
        let phone = self.phone.as_ref().filter(|phone| phone.enrolled_at_us >= since_us);
        phone.map(|_| self.emit(PhoneRemoved { last: self.totp.is_none() && self.passkeys.is_empty() }))
    }
}

/// Writes down that a code was sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendCode {
    /// To whom.
    pub member_id: Uuid,
    /// Names the code.
    pub code_id: Uuid,
    /// To a phone that is to be enrolled.
    pub new: bool,
    /// Whoever sends it took it over.
    pub taken_over: bool,
}

impl Command for SendCode {
    type On = (On<Factor>, On<Security>);
    const NAME: &'static str = "send_code";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.use_factor");
    const REJECTS: &'static [&'static str] = &["factor.sms_off", "factor.phone_exists", "factor.no_phone"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![self.member_id, ctx.tenant])
    }
    fn decide(self, (factor, security): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        factor.may_text(security, self.new)?;
        Ok(vec![factor.emit(CodeSent { code_id: self.code_id, taken_over: self.taken_over })])
    }
}

/// Enrols a phone whose holder has just typed the code that was sent to it. The first second factor brings recovery codes
/// along.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolPhone {
    /// Whose.
    pub member_id: Uuid,
    /// Names the code.
    pub code_id: Uuid,
    /// Where it was sent to.
    pub number: String,
}

impl Command for EnrolPhone {
    type On = (On<Factor>, On<Security>);
    const NAME: &'static str = "enrol_phone";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "factor.not_a_member", "factor.sms_off", "factor.phone_exists", "factor.wrong_code",
        "factor.bad_phone",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![theirs(self.member_id, ctx)?, ctx.tenant])
    }
    fn decide(self, (factor, security): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        factor.may_text(security, true)?;
        factor.waits(self.code_id)?;
        let number = e164(&self.number).ok_or(Rejection::at("factor.bad_phone", "/number"))?;
        let number = ctx.seal(factor.id, &PhoneNumber { number });
        let (code_id, first, enrolled_at_us) = (self.code_id, !factor.has_any(), ctx.now_us);
        let enrolled = factor.emit(PhoneEnrolled { number, code_id, first, enrolled_at_us });
        let codes = first.then(|| fresh_codes(factor, ctx));
        Ok([Some(enrolled), codes].into_iter().flatten().collect())
    }
}

/// Takes one's own phone away. With the last second factor the recovery codes end.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovePhone {}

impl Command for RemovePhone {
    type On = On<Factor>;
    const NAME: &'static str = "remove_phone";
    const ROUTE: Route = Route::post("/v1/me/phone/remove");
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] = &["access.confirm_first", "factor.not_a_member", "factor.no_phone"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let gone = factor.without_phone_since(i64::MIN).ok_or(Rejection::new("factor.no_phone"))?;
        ctx.must_be_fresh()?;
        Ok(vec![gone])
    }
}

/// Writes down that a code was typed, by whoever it was sent to.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsePhone {
    /// Whose phone.
    pub member_id: Uuid,
    /// Names the code.
    pub code_id: Uuid,
}

impl Command for UsePhone {
    type On = (On<Factor>, On<Security>);
    const NAME: &'static str = "use_phone";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.use_factor");
    const REJECTS: &'static [&'static str] = &["factor.sms_off", "factor.no_phone", "factor.wrong_code"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![self.member_id, ctx.tenant])
    }
    fn decide(self, (factor, security): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        factor.may_text(security, false)?;
        factor.waits(self.code_id)?;
        Ok(vec![factor.emit(PhoneUsed { code_id: self.code_id })])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::factor::passkey::{AddPasskey, PasskeyRemoved, RemovePasskey};
    use crate::factor::{
        EnrolTotp, FactorEvent, IssueRecoveryCodes, RECOVERY_CODES, RemoveTotp, Reset, ResetFactor, UseFactor,
    };
    use crate::role::Role;
    use crate::security::Changed;
    use crate::testing::*;

    const CODE: Uuid = Uuid::from_u128(0xc0de);
    const OTHER: Uuid = Uuid::from_u128(0xc0df);

    fn settings(sms: bool) -> Changed {
        Changed { second_factor_required: false, networks: vec![], providers: vec![], sms }
    }

    fn allowed() -> Scene {
        scene().given::<Security>(TENANT, settings(true))
    }

    fn send(code_id: Uuid, new: bool) -> SendCode {
        SendCode { member_id: ME, code_id, new, taken_over: true }
    }

    fn enrol() -> EnrolPhone {
        EnrolPhone { member_id: ME, code_id: CODE, number: "０９０ー１２３４ー５６７８".into() }
    }

    fn used(code_id: Uuid) -> UsePhone {
        UsePhone { member_id: ME, code_id }
    }

    fn enrolled() -> Scene {
        allowed().by_system().when(ME, send(CODE, true)).accepted().by(Role::Member).when(ME, enrol()).accepted()
    }

    #[test]
    fn numbers_are_kept_as_they_are_dialled_from_anywhere() {
        for (typed, number) in [
            ("090-1234-5678", "+819012345678"),
            ("０８０（１２３４）５６７８", "+818012345678"),
            (" 070ー1234ー5678 ", "+817012345678"),
            ("06012345678", "+816012345678"),
            ("+81 90 1234 5678", "+819012345678"),
            ("+81 (0)90-1234-5678", "+819012345678"),
            ("+1 (202) 555-0123", "+12025550123"),
            ("+44 7700 900123", "+447700900123"),
        ] {
            assert_eq!(e164(typed).as_deref(), Some(number), "{typed}");
        }
        for bad in [
            "", "+", "0", "03-1234-5678", "+81 3 1234 5678", "0120-123-456", "090-1234-567", "090-1234-56789",
            "9012345678", "+0123456789", "+1234567", "+1234567890123456", "+81+9012345678", "++819012345678",
            "090-1234-567x", "+١٢٠٢٥٥٥٠١٢٣", "090\u{0}12345678", "+8190123456é8",
        ] {
            assert_eq!(e164(bad), None, "{bad:?}");
        }
        assert_eq!((masked("+819012345678").as_str(), masked("1").as_str()), ("••••5678", "••••1"));
    }

    #[test]
    fn the_number_is_whole_in_the_box_and_masked_for_readers() {
        let number = PhoneNumber { number: "+819012345678".into() };
        let bytes = crate::event::encode(&number);
        assert_eq!(crate::event::decode::<PhoneNumber>(&bytes), Some(number.clone()));
        assert_eq!(serde_json::to_string(&number).unwrap(), "{\"number\":\"••••5678\"}");
    }

    #[test]
    fn rn_23_a_phone_is_enrolled_with_a_code_and_is_a_second_factor_where_the_company_allows_it() {
        let number = sealed(ME, &PhoneNumber { number: "+819012345678".into() });
        let scene = enrolled();
        let factor = scene.now::<Factor>(ME);
        assert_eq!(factor.phone.as_ref().map(|phone| &phone.number), Some(&number));
        assert!(factor.is_on(true) && !factor.is_on(false) && factor.has_any());
        assert_eq!(factor.codes.len(), RECOVERY_CODES);
        let recovery = UseFactor { member_id: ME, code: scene.world.secrets[0].clone() };
        let scene = scene.by_system().when(ME, recovery).accepted().by(Role::Member);
        let scene = scene.when(ME, IssueRecoveryCodes {}).accepted();
        let removed = |last| emit::<Factor>(ME, PhoneRemoved { last });
        let alone = scene.clone().when(ME, RemovePhone {}).then([removed(true)]);
        assert!(!alone.now::<Factor>(ME).has_any() && alone.now::<Factor>(ME).codes.is_empty());
        // Beside another one it is neither the first nor the last.
        let scene = scene.when(ME, EnrolTotp { code: "000100".into() }).accepted();
        scene.clone().when(ME, RemovePhone {}).then([removed(false)]);
        let scene = scene.when(ME, RemoveTotp {}).accepted();
        assert_eq!(scene.now::<Factor>(ME).codes.len(), RECOVERY_CODES);
        let key = AddPasskey { member_id: ME, passkey_id: OTHER, name: "鍵".into() };
        let gone = emit::<Factor>(ME, PasskeyRemoved { passkey_id: OTHER, last: false });
        scene.when(ME, key).accepted().when(ME, RemovePasskey { passkey_id: OTHER }).then([gone]);
    }

    #[test]
    fn rn_23_a_code_is_good_once_and_only_if_it_left() {
        let scene = enrolled().by_system().when(ME, used(CODE)).refused_at("factor.wrong_code", "/code");
        let lost = SendCode { taken_over: false, ..send(OTHER, false) };
        let scene = scene.when(ME, lost).accepted().when(ME, used(OTHER)).refused_at("factor.wrong_code", "/code");
        let scene = scene.when(ME, send(OTHER, false)).accepted();
        let event = emit::<Factor>(ME, PhoneUsed { code_id: OTHER });
        scene.clone().race((ME, used(OTHER)), (ME, used(OTHER))).refused_at("factor.wrong_code", "/code");
        scene.when(ME, used(OTHER)).then([event]).when(ME, used(OTHER)).refused_at("factor.wrong_code", "/code");
    }

    #[test]
    fn a_newer_code_takes_the_oldest_ones_place() {
        let code = |n: usize| Uuid::from_u128(n as u128);
        let many = (0..=WAITING).fold(enrolled().by_system(), |s, n| s.when(ME, send(code(n), false)).accepted());
        let many = many.when(ME, used(code(0))).refused_at("factor.wrong_code", "/code");
        many.when(ME, used(code(1))).accepted();
    }

    #[test]
    fn a_reset_takes_it_away_and_so_does_whoever_disowns_a_login_since() {
        let number = sealed(ANNA, &PhoneNumber { number: "+819012345678".into() });
        let at = us("2026-11-02T09:00:00+09:00");
        let scene = allowed();
        let scene =
            scene.given::<Factor>(ANNA, PhoneEnrolled { number, code_id: CODE, first: true, enrolled_at_us: at });
        let factor = scene.now::<Factor>(ANNA);
        let removed = emit::<Factor>(ANNA, PhoneRemoved { last: true });
        assert_eq!((factor.without_phone_since(at + 1), factor.without_phone_since(at)), (None, Some(removed.clone())));
        let reset = ResetFactor { reason: "電話で本人を確認した".into() };
        let end = emit::<Factor>(ANNA, Reset { reason: reset.reason.clone() });
        scene.when(ANNA, reset).then([removed, end]);
    }

    #[test]
    fn every_refusal() {
        let s = scene().by_system().when(ME, send(CODE, true)).refused("factor.sms_off");
        s.when(ME, used(CODE)).refused("factor.sms_off");
        let s = allowed().by_system().when(ME, send(CODE, false)).refused("factor.no_phone");
        s.when(ME, used(CODE)).refused("factor.no_phone");
        let s = enrolled().when(ME, send(OTHER, true)).refused("factor.phone_exists");
        s.by_system().when(ME, used(OTHER)).refused_at("factor.wrong_code", "/code");
        covered::<SendCode>();
        covered::<UsePhone>();

        let s = allowed().when(ME, enrol()).refused_at("factor.wrong_code", "/code");
        let s = s.by_system().when(ME, send(CODE, true)).accepted().by(Role::Member);
        let s = s.when(ANNA, EnrolPhone { member_id: ANNA, ..enrol() }).refused("factor.not_a_member");
        let s = s.when(ME, EnrolPhone { number: "03-1234-5678".into(), ..enrol() });
        let s = s.refused_at("factor.bad_phone", "/number");
        s.clone().stale().when(ME, enrol()).refused("access.confirm_first");
        s.clone().given::<Security>(TENANT, settings(false)).when(ME, enrol()).refused("factor.sms_off");
        enrolled().when(ME, enrol()).refused("factor.phone_exists");
        covered::<EnrolPhone>();

        let s = scene().when(ME, RemovePhone {}).refused("factor.no_phone").by_system();
        s.when(ME, RemovePhone {}).refused("factor.not_a_member");
        enrolled().stale().when(ME, RemovePhone {}).refused("access.confirm_first");
        covered::<RemovePhone>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<FactorEvent> {
        let subject = Uuid::from_u128(SAMPLE_ID.as_u128() + 1);
        let number = sealed(subject, &PhoneNumber { number: "+819012345678".into() });
        vec![
            PhoneEnrolled { number, code_id: SAMPLE_ID, first: true, enrolled_at_us: SAMPLE_US }.into(),
            PhoneRemoved { last: true }.into(),
            CodeSent { code_id: SAMPLE_ID, taken_over: true }.into(),
            PhoneUsed { code_id: SAMPLE_ID }.into(),
        ]
    }
}
