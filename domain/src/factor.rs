//! How a member shows who they are beside their password: an authenticator app (TOTP, RFC 6238), passkeys and recovery
//! codes and codes by SMS as second factors, and accounts elsewhere. The stream's id is the member's; seeds are in the vault, codes that were
//! used are here, so that of two logins with one code one is refused.
//!
//! What makes a create unique: the member.

pub mod account;
pub mod passkey;
pub mod phone;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::{Permission, Role};
use crate::{events, text};
use account::{Account, AccountLinked, AccountUnlinked};
use passkey::{Passkey, PasskeyAdded, PasskeyRemoved, PasskeyRenamed, PasskeyUsed};
use phone::{CodeSent, Phone, PhoneEnrolled, PhoneRemoved, PhoneUsed};

/// Recovery codes that are made at once.
pub const RECOVERY_CODES: usize = 10;

events! {
    /// What happens to a member's second factors.
    FactorEvent {
        TotpEnrolled = "factor.totp_enrolled" v 1;
        TotpUsed = "factor.totp_used" v 1;
        TotpRemoved = "factor.totp_removed" v 1;
        RecoveryCodesIssued = "factor.recovery_codes_issued" v 1;
        RecoveryCodeUsed = "factor.recovery_code_used" v 1;
        Reset = "factor.reset" v 1;
        PasskeyAdded = "factor.passkey_added" v 1;
        PasskeyRenamed = "factor.passkey_renamed" v 1;
        PasskeyUsed = "factor.passkey_used" v 1;
        PasskeyRemoved = "factor.passkey_removed" v 1;
        AccountLinked = "factor.account_linked" v 1;
        AccountUnlinked = "factor.account_unlinked" v 1;
        PhoneEnrolled = "factor.phone_enrolled" v 1;
        PhoneRemoved = "factor.phone_removed" v 1;
        CodeSent = "factor.code_sent" v 1;
        PhoneUsed = "factor.phone_used" v 1;
    }
}

/// An authenticator app was set up; its first code was shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TotpEnrolled {
    /// Time step (30 s since 1970) of that code: it and older ones are good no more.
    pub step: u64,
}

/// A code of the app was used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TotpUsed {
    /// Its time step.
    pub step: u64,
}

/// The app is not asked for any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TotpRemoved {}

/// New recovery codes; older ones are good no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecoveryCodesIssued {
    /// What they are known by.
    pub codes: Vec<CodeHash>,
}

/// SHA-256 of a recovery code, which has 80 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeHash {
    /// The hash.
    #[serde(with = "crate::event::hex32")]
    pub hash: [u8; 32],
}

/// A recovery code was used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecoveryCodeUsed {
    /// Which.
    pub code: CodeHash,
}

/// Somebody who runs the company took all second factors away: the phone is lost, and so are the codes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reset {
    /// Why, and how it was made sure who asked.
    pub reason: String,
}

/// State of a member's second factors.
#[derive(Debug, Default)]
pub struct Factor {
    /// Step of the newest code that was used; `None` = no app.
    pub totp: Option<u64>,
    /// Recovery codes that are still good.
    pub codes: Vec<CodeHash>,
    /// Passkeys that are good.
    pub passkeys: Vec<Passkey>,
    /// Accounts elsewhere by which they may log in, at most one a provider. None is a second factor.
    pub accounts: Vec<Account>,
    /// Where codes by SMS go.
    pub phone: Option<Phone>,
    /// Codes that were sent and not used yet.
    pub texted: Vec<Uuid>,
}

impl Factor {
    /// Is one asked for? A phone counts where the company allows codes by SMS ([`crate::security::Security::sms`]).
    pub fn is_on(&self, sms: bool) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty() || sms && self.phone.is_some()
    }

    /// Is there one, whether it is asked for or not?
    pub fn has_any(&self) -> bool {
        self.is_on(true)
    }
}

impl Aggregate for Factor {
    type Event = FactorEvent;
    const STREAM: &'static str = "factor";
    fn apply(&mut self, event: FactorEvent) {
        match event {
            FactorEvent::TotpEnrolled(TotpEnrolled { step }) | FactorEvent::TotpUsed(TotpUsed { step }) => {
                self.totp = Some(step);
            }
            FactorEvent::RecoveryCodesIssued(e) => self.codes = e.codes,
            FactorEvent::RecoveryCodeUsed(e) => self.codes.retain(|code| *code != e.code),
            FactorEvent::TotpRemoved(_) => {
                self.totp = None;
                self.codes.clear();
            }
            FactorEvent::Reset(_) => {
                *self = Factor { accounts: std::mem::take(&mut self.accounts), ..Factor::default() }
            }
            FactorEvent::PasskeyAdded(e) => self.added(e),
            FactorEvent::PasskeyRenamed(_) => {}
            FactorEvent::PasskeyUsed(e) => self.used(&e),
            FactorEvent::PasskeyRemoved(e) => self.removed(&e),
            FactorEvent::AccountLinked(e) => {
                let AccountLinked { account_id: id, provider, linked_at_us, .. } = e;
                self.accounts.push(Account { id, provider, linked_at_us });
            }
            FactorEvent::AccountUnlinked(e) => self.accounts.retain(|account| account.id != e.account_id),
            FactorEvent::PhoneEnrolled(e) => self.phone_enrolled(e),
            FactorEvent::PhoneRemoved(e) => self.phone_removed(&e),
            FactorEvent::CodeSent(e) => self.sent(&e),
            FactorEvent::PhoneUsed(e) => self.typed(e.code_id),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<FactorEvent> {
        tests::samples()
    }
}

impl On<Factor> {
    fn must_be_on(&self) -> Result<(), Rejection> {
        if self.has_any() { Ok(()) } else { Err(Rejection::new("factor.none")) }
    }
}

fn own(ctx: &Context) -> Result<Vec<Uuid>, Rejection> {
    Ok(vec![ctx.member.ok_or(Rejection::new("factor.not_a_member"))?])
}

/// The member whose factor changes: the actor, or whom the server acts for.
fn theirs(member: Uuid, ctx: &Context) -> Result<Uuid, Rejection> {
    if ctx.member != Some(member) && ctx.actor.role != Role::System {
        return Err(Rejection::new("factor.not_a_member"));
    }
    Ok(member)
}

fn fresh_codes(factor: &On<Factor>, ctx: &mut Context) -> Emit {
    let codes = (0..RECOVERY_CODES).map(|_| CodeHash { hash: ctx.world.recovery_code(factor.id) }).collect();
    factor.emit(RecoveryCodesIssued { codes })
}

/// Switches the app on that was shown its seed a moment ago, with the first code that it shows. Answers with recovery codes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolTotp {
    /// Six digits.
    pub code: String,
}

impl Command for EnrolTotp {
    type On = On<Factor>;
    const NAME: &'static str = "enrol_totp";
    const ROUTE: Route = Route::post("/v1/me/factor/totp");
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] = &["factor.not_a_member", "factor.exists", "factor.wrong_code"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if factor.totp.is_some() {
            return Err(Rejection::new("factor.exists"));
        }
        let step = ctx.world.totp_step(factor.id, true, &digits(&self.code), ctx.now_us);
        let step = step.ok_or(Rejection::at("factor.wrong_code", "/code"))?;
        ctx.world.keep_totp(factor.id);
        Ok(vec![factor.emit(TotpEnrolled { step }), fresh_codes(factor, ctx)])
    }
}

/// The app is not asked for any more; the recovery codes end with it. Where another second factor is left, there are new ones.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveTotp {}

impl Command for RemoveTotp {
    type On = On<Factor>;
    const NAME: &'static str = "remove_totp";
    const ROUTE: Route = Route::post("/v1/me/factor/totp/remove");
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] = &["access.confirm_first", "factor.not_a_member", "factor.none"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        factor.totp.ok_or(Rejection::new("factor.none"))?;
        let is_left = !factor.passkeys.is_empty() || factor.phone.is_some();
        let codes = is_left.then(|| fresh_codes(factor, ctx));
        Ok([Some(factor.emit(TotpRemoved {})), codes].into_iter().flatten().collect())
    }
}

/// Makes new recovery codes; older ones are good no more.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueRecoveryCodes {}

impl Command for IssueRecoveryCodes {
    type On = On<Factor>;
    const NAME: &'static str = "issue_recovery_codes";
    const ROUTE: Route = Route::post("/v1/me/factor/recovery_codes");
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] = &["access.confirm_first", "factor.not_a_member", "factor.none"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        factor.must_be_on()?;
        Ok(vec![fresh_codes(factor, ctx)])
    }
}

/// Takes all second factors of a member away, because they are lost. The member's next login asks for the password alone,
/// and for a new factor where the company requires one.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetFactor {
    /// Why, and how it was made sure who asked; at most 200 characters.
    pub reason: String,
}

impl Command for ResetFactor {
    type On = On<Factor>;
    const NAME: &'static str = "reset_factor";
    const ROUTE: Route = Route::post("/v1/factors/{id}/reset");
    const PERMISSION: Permission = Permission("security.reset_factor");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "factor.none", "factor.own", "text.required", "text.too_long", "text.control_character",
    ];
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        // Whoever could take their own away would need none.
        if ctx.member == Some(factor.id) {
            return Err(Rejection::new("factor.own"));
        }
        factor.must_be_on()?;
        let reason = text::line(&self.reason, "/reason", 200)?;
        let (passkeys, phone) = (factor.without_passkeys_since(i64::MIN), factor.without_phone_since(i64::MIN));
        Ok(passkeys.into_iter().chain(phone).chain([factor.emit(Reset { reason })]).collect())
    }
}

/// Uses a code: six digits of the app, or a recovery code. Each is good once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseFactor {
    /// Whose.
    pub member_id: Uuid,
    /// What was typed; spaces and hyphens do not count.
    pub code: String,
}

impl Command for UseFactor {
    type On = On<Factor>;
    const NAME: &'static str = "use_factor";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.use_factor");
    const REJECTS: &'static [&'static str] = &["factor.none", "factor.wrong_code"];
    fn streams(&self, _: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![self.member_id])
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        factor.must_be_on()?;
        let wrong = || Rejection::at("factor.wrong_code", "/code");
        let code = digits(&self.code);
        if code.len() == 6 {
            let used = factor.totp.ok_or_else(wrong)?;
            let step = ctx.world.totp_step(factor.id, false, &code, ctx.now_us).filter(|step| *step > used);
            return Ok(vec![factor.emit(TotpUsed { step: step.ok_or_else(wrong)? })]);
        }
        let code = CodeHash { hash: ctx.world.hash(&recovery(&self.code)) };
        if !factor.codes.contains(&code) {
            return Err(wrong());
        }
        Ok(vec![factor.emit(RecoveryCodeUsed { code })])
    }
}

/// The digits of what was typed, whatever their width, if it is nothing but digits, spaces and hyphens.
pub fn digits(typed: &str) -> String {
    let code: String = text::compatible(typed).chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if code.bytes().all(|b| b.is_ascii_digit()) { code } else { String::new() }
}

/// A recovery code as it was made, whatever it looks like when typed.
fn recovery(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;
    use crate::testing::*;

    /// In the test world, the code of step n is n, written with six digits.
    fn code(step: u64) -> String {
        format!("{step:06}")
    }

    fn enrolled() -> Scene {
        scene().when(ME, EnrolTotp { code: code(100) }).accepted()
    }

    fn used(code: &str) -> UseFactor {
        UseFactor { member_id: ME, code: code.into() }
    }

    #[test]
    fn an_app_is_set_up_with_its_first_code_and_ten_recovery_codes() {
        let scene = enrolled();
        let factor = scene.now::<Factor>(ME);
        assert_eq!((factor.totp, factor.codes.len()), (Some(100), RECOVERY_CODES));
        assert_eq!(scene.world.kept_totp, [ME]);
    }

    #[test]
    fn a_code_is_good_once_and_older_ones_never_again() {
        let scene = enrolled().by_system();
        // The first one was used to set the app up.
        let scene = scene.when(ME, used(&code(100))).refused_at("factor.wrong_code", "/code");
        let scene = scene.when(ME, used(" ０００-102 ")).then([emit::<Factor>(ME, TotpUsed { step: 102 })]);
        for old in [102, 101, 99] {
            scene.clone().when(ME, used(&code(old))).refused_at("factor.wrong_code", "/code");
        }
        scene.when(ME, used(&code(103))).accepted();
    }

    #[test]
    fn of_two_logins_with_one_code_one_is_refused() {
        let race = enrolled().by_system().race((ME, used(&code(101))), (ME, used(&code(101))));
        race.refused_at("factor.wrong_code", "/code");
    }

    #[test]
    fn a_recovery_code_is_good_once_and_until_there_are_new_ones() {
        let scene = enrolled();
        let codes: Vec<String> = scene.world.secrets.clone();
        let scene = scene.by_system().when(ME, used(&codes[0].to_uppercase())).accepted();
        assert_eq!(scene.now::<Factor>(ME).codes.len(), RECOVERY_CODES - 1);
        let scene = scene.when(ME, used(&codes[0])).refused_at("factor.wrong_code", "/code");
        let scene = scene.by(Role::Member).when(ME, IssueRecoveryCodes {}).accepted().by_system();
        let scene = scene.when(ME, used(&codes[1])).refused_at("factor.wrong_code", "/code");
        let newest = scene.world.secrets.last().expect("a code").clone();
        scene.when(ME, used(&newest)).accepted();
    }

    #[test]
    fn what_was_lost_is_taken_away_by_somebody_else() {
        let reset = || ResetFactor { reason: "電話で本人を確認した".into() };
        let annas = scene().given::<Factor>(ANNA, TotpEnrolled { step: 7 });
        let scene = annas.when(ANNA, reset()).then([emit::<Factor>(ANNA, Reset { reason: reset().reason })]);
        assert_eq!(scene.now::<Factor>(ANNA).totp, None);
        enrolled().when(ME, reset()).refused("factor.own");
    }

    #[test]
    fn every_refusal() {
        let s = scene()
            .given::<Factor>(ME, TotpEnrolled { step: 1 })
            .given::<Factor>(ANNA, TotpEnrolled { step: 1 })
            .stale();
        let s = s.when(ME, RemoveTotp {}).refused("access.confirm_first");
        let s = s.when(ME, IssueRecoveryCodes {}).refused("access.confirm_first");
        s.when(ANNA, ResetFactor { reason: "x".into() }).refused("access.confirm_first");
        let s = scene().when(ME, EnrolTotp { code: "12345x".into() }).refused_at("factor.wrong_code", "/code");
        let s = s.when(ME, EnrolTotp { code: String::new() }).refused_at("factor.wrong_code", "/code");
        let s = s.when(ME, RemoveTotp {}).refused("factor.none").when(ME, IssueRecoveryCodes {}).refused("factor.none");
        let s = s.when(ANNA, ResetFactor { reason: "x".into() }).refused("factor.none");
        let s = s.when(ME, used("000101")).refused("factor.none");
        let s = s.when(ME, EnrolTotp { code: code(100) }).accepted();
        let s = s.when(ME, EnrolTotp { code: code(101) }).refused("factor.exists");
        let s = s.when(ME, used("ffff-ffff")).refused_at("factor.wrong_code", "/code");
        let s = s.when(ME, RemoveTotp {}).then([emit::<Factor>(ME, TotpRemoved {})]);
        let s = s.given::<Factor>(ANNA, TotpEnrolled { step: 7 });
        let s = refuses_bad_text(s, ANNA, "/reason", true, 200, |reason| ResetFactor { reason });
        let s =
            s.when(ANNA, ResetFactor { reason: "x".into() }).accepted().given::<Factor>(ME, TotpEnrolled { step: 1 });
        let s = s.when(ME, ResetFactor { reason: "x".into() }).refused("factor.own").by_system();
        let s = s.when(ME, EnrolTotp { code: code(1) }).refused("factor.not_a_member");
        let s = s.when(ME, RemoveTotp {}).refused("factor.not_a_member");
        s.when(ME, IssueRecoveryCodes {}).refused("factor.not_a_member");
        covered::<EnrolTotp>();
        covered::<RemoveTotp>();
        covered::<IssueRecoveryCodes>();
        covered::<ResetFactor>();
        covered::<UseFactor>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<FactorEvent> {
        let code = CodeHash { hash: [7; 32] };
        let mut samples = vec![
            TotpEnrolled { step: 59_785_920 }.into(),
            TotpUsed { step: 59_785_921 }.into(),
            TotpRemoved {}.into(),
            RecoveryCodesIssued { codes: vec![code, CodeHash { hash: [8; 32] }] }.into(),
            RecoveryCodeUsed { code }.into(),
            Reset { reason: "電話で本人を確認した".into() }.into(),
        ];
        samples.extend(passkey::tests::samples());
        samples.extend(account::tests::samples());
        samples.extend(phone::tests::samples());
        samples
    }
}
