//! Passkeys of a member (WebAuthn): each is a second factor, and a login by itself. The public keys are apart from the
//! ledger; that one was added, used or removed is here, and the count of its signatures, so that of a key and its copy one
//! is refused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Factor, fresh_codes, own, theirs};
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::sealed::{Label, Sealed};
use crate::text;

/// Most passkeys of a member.
pub const PASSKEYS_MAX: usize = 20;
/// Longest name of one, in characters.
pub const NAME_MAX: usize = 60;

/// A passkey was added.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasskeyAdded {
    /// Names its public key, which is kept apart from the ledger.
    pub passkey_id: Uuid,
    /// What its owner calls it.
    pub name: Sealed<Label>,
    /// There was no second factor before.
    pub first: bool,
    /// When, microseconds UTC.
    pub added_at_us: i64,
}

/// Its owner calls it something else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasskeyRenamed {
    /// Which.
    pub passkey_id: Uuid,
    /// What they call it now.
    pub name: Sealed<Label>,
}

/// Its owner showed by it who they are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasskeyUsed {
    /// Which.
    pub passkey_id: Uuid,
    /// Signatures that it has made, as it says; 0 = it does not count.
    pub counter: u32,
}

/// A passkey is good no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasskeyRemoved {
    /// Which.
    pub passkey_id: Uuid,
    /// No second factor is left; the recovery codes end with it.
    pub last: bool,
}

/// State of a passkey.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passkey {
    /// See [`PasskeyAdded`].
    pub id: Uuid,
    /// When it was added, microseconds UTC.
    pub added_at_us: i64,
    /// The highest count that it showed.
    pub counter: u32,
}

impl Factor {
    /// The passkey with this name.
    pub fn passkey(&self, id: Uuid) -> Option<&Passkey> {
        self.passkeys.iter().find(|passkey| passkey.id == id)
    }

    pub(super) fn added(&mut self, PasskeyAdded { passkey_id: id, added_at_us, .. }: PasskeyAdded) {
        self.passkeys.push(Passkey { id, added_at_us, counter: 0 });
    }

    pub(super) fn used(&mut self, e: &PasskeyUsed) {
        self.passkeys.iter_mut().filter(|passkey| passkey.id == e.passkey_id).for_each(|p| p.counter = e.counter);
    }

    pub(super) fn removed(&mut self, e: &PasskeyRemoved) {
        self.passkeys.retain(|passkey| passkey.id != e.passkey_id);
        if e.last {
            self.codes.clear();
        }
    }
}

impl On<Factor> {
    /// Takes away what was added at this time or later.
    pub fn without_passkeys_since(&self, since_us: i64) -> Vec<Emit> {
        let gone: Vec<Uuid> = self.passkeys.iter().filter(|p| p.added_at_us >= since_us).map(|p| p.id).collect();
        let phone_left = self.phone.as_ref().is_some_and(|phone| phone.enrolled_at_us < since_us);
        let none_left = self.totp.is_none() && !phone_left && gone.len() == self.passkeys.len();
        let last = gone.last().copied().filter(|_| none_left);
        gone.iter().map(|id| self.emit(PasskeyRemoved { passkey_id: *id, last: last == Some(*id) })).collect()
    }

    fn must_have(&self, passkey: Uuid) -> Result<&Passkey, Rejection> {
        self.passkey(passkey).ok_or(Rejection::at("factor.unknown_passkey", "/passkey_id"))
    }
}

/// Adds a passkey that was just made and proven. The first second factor brings recovery codes along.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    /// Whose.
    pub member_id: Uuid,
    /// Names its public key.
    pub passkey_id: Uuid,
    /// What its owner calls it, at most 60 characters.
    pub name: String,
}

impl Command for AddPasskey {
    type On = On<Factor>;
    const NAME: &'static str = "add_passkey";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "factor.not_a_member", "factor.too_many_passkeys", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![theirs(self.member_id, ctx)?])
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        if factor.passkeys.len() >= PASSKEYS_MAX {
            return Err(Rejection::new("factor.too_many_passkeys"));
        }
        let text = text::line(&self.name, "/name", NAME_MAX)?;
        let name = ctx.seal(factor.id, &Label { text });
        let (passkey_id, first, added_at_us) = (self.passkey_id, !factor.has_any(), ctx.now_us);
        let added = factor.emit(PasskeyAdded { passkey_id, name, first, added_at_us });
        let codes = first.then(|| fresh_codes(factor, ctx));
        Ok([Some(added), codes].into_iter().flatten().collect())
    }
}

/// Calls one of one's own passkeys something else.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenamePasskey {
    /// Which.
    pub passkey_id: Uuid,
    /// At most 60 characters.
    pub name: String,
}

impl Command for RenamePasskey {
    type On = On<Factor>;
    const NAME: &'static str = "rename_passkey";
    const ROUTE: Route = Route::post("/v1/me/passkeys/rename");
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] =
        &["factor.not_a_member", "factor.unknown_passkey", "text.required", "text.too_long", "text.control_character"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let passkey_id = factor.must_have(self.passkey_id)?.id;
        let text = text::line(&self.name, "/name", NAME_MAX)?;
        Ok(vec![factor.emit(PasskeyRenamed { passkey_id, name: ctx.seal(factor.id, &Label { text }) })])
    }
}

/// Takes one of one's own passkeys away. With the last second factor the recovery codes end.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovePasskey {
    /// Which.
    pub passkey_id: Uuid,
}

impl Command for RemovePasskey {
    type On = On<Factor>;
    const NAME: &'static str = "remove_passkey";
    const ROUTE: Route = Route::post("/v1/me/passkeys/remove");
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] = &["access.confirm_first", "factor.not_a_member", "factor.unknown_passkey"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let passkey_id = factor.must_have(self.passkey_id)?.id;
        ctx.must_be_fresh()?;
        let last = factor.totp.is_none() && factor.phone.is_none() && factor.passkeys.len() == 1;
        Ok(vec![factor.emit(PasskeyRemoved { passkey_id, last })])
    }
}

/// Writes down that a passkey was used: its signature was checked. A count that did not rise is that of a copy.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsePasskey {
    /// Whose.
    pub member_id: Uuid,
    /// Which.
    pub passkey_id: Uuid,
    /// Signatures that it has made, as it says; 0 = it does not count.
    pub counter: u32,
}

impl Command for UsePasskey {
    type On = On<Factor>;
    const NAME: &'static str = "use_passkey";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.use_factor");
    const REJECTS: &'static [&'static str] = &["factor.unknown_passkey", "factor.copied_passkey"];
    fn streams(&self, _: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![self.member_id])
    }
    fn decide(self, factor: &On<Factor>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let known = factor.must_have(self.passkey_id)?.counter;
        let counts = self.counter > 0 || known > 0;
        if counts && self.counter <= known {
            return Err(Rejection::new("factor.copied_passkey"));
        }
        Ok(vec![factor.emit(PasskeyUsed { passkey_id: self.passkey_id, counter: self.counter })])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::factor::{
        EnrolTotp, FactorEvent, IssueRecoveryCodes, RECOVERY_CODES, RemoveTotp, Reset, ResetFactor, TotpEnrolled,
        TotpRemoved, UseFactor,
    };
    use crate::role::Role;
    use crate::testing::*;

    const KEY: Uuid = Uuid::from_u128(0x9a55);
    const OTHER: Uuid = Uuid::from_u128(0x9a56);

    fn add(passkey_id: Uuid) -> AddPasskey {
        AddPasskey { member_id: ME, passkey_id, name: "ノートPC".into() }
    }

    fn has_one() -> Scene {
        scene().when(ME, add(KEY)).accepted()
    }

    fn used(counter: u32) -> UsePasskey {
        UsePasskey { member_id: ME, passkey_id: KEY, counter }
    }

    fn remove(passkey_id: Uuid) -> RemovePasskey {
        RemovePasskey { passkey_id }
    }

    #[test]
    fn the_first_one_is_a_second_factor_with_recovery_codes_and_the_last_takes_them_along() {
        let scene = has_one();
        let factor = scene.now::<Factor>(ME);
        assert!(factor.is_on(false) && factor.totp.is_none());
        assert_eq!((factor.passkeys.len(), factor.codes.len()), (1, RECOVERY_CODES));
        let scene = scene.when(ME, add(OTHER)).accepted();
        assert_eq!(scene.world.secrets.len(), RECOVERY_CODES, "no new ones with the second");
        let removed = |passkey_id, last| emit::<Factor>(ME, PasskeyRemoved { passkey_id, last });
        let scene = scene.when(ME, remove(KEY)).then([removed(KEY, false)]);
        let scene = scene.when(ME, remove(OTHER)).then([removed(OTHER, true)]);
        assert!(!scene.now::<Factor>(ME).is_on(false) && scene.now::<Factor>(ME).codes.is_empty());
    }

    #[test]
    fn recovery_codes_work_without_an_app_and_six_digits_do_not() {
        let scene = has_one();
        let code = scene.world.secrets[0].clone();
        let by = |code: &str| UseFactor { member_id: ME, code: code.into() };
        let scene = scene.by_system().when(ME, by("000100")).refused_at("factor.wrong_code", "/code");
        let scene = scene.when(ME, by(&code)).accepted();
        scene.by(Role::Member).when(ME, IssueRecoveryCodes {}).accepted();
    }

    #[test]
    fn an_app_that_goes_leaves_passkeys_with_new_recovery_codes() {
        let scene = has_one().when(ME, EnrolTotp { code: "000100".into() }).accepted();
        let scene = scene.when(ME, RemoveTotp {}).accepted();
        let factor = scene.now::<Factor>(ME);
        assert_eq!((factor.is_on(false), factor.totp, factor.codes.len()), (true, None, RECOVERY_CODES));
        let alone = scene_with_app().when(ME, RemoveTotp {});
        alone.then([emit::<Factor>(ME, TotpRemoved {})]);
    }

    fn scene_with_app() -> Scene {
        scene().given::<Factor>(ME, TotpEnrolled { step: 1 })
    }

    #[test]
    fn a_count_rises_or_stays_nought_and_of_a_key_and_its_copy_one_is_refused() {
        let scene = has_one().by_system();
        let event = |counter| emit::<Factor>(ME, PasskeyUsed { passkey_id: KEY, counter });
        let scene = scene.when(ME, used(0)).then([event(0)]).when(ME, used(0)).then([event(0)]);
        let scene = scene.when(ME, used(7)).then([event(7)]);
        for old in [7, 6, 0] {
            scene.clone().when(ME, used(old)).refused("factor.copied_passkey");
        }
        scene.race((ME, used(8)), (ME, used(8))).refused("factor.copied_passkey");
    }

    #[test]
    fn names_are_sealed_and_changed() {
        let name = |text: &str| sealed(ME, &Label { text: text.into() });
        let renamed = emit::<Factor>(ME, PasskeyRenamed { passkey_id: KEY, name: name("職場の鍵") });
        has_one().when(ME, RenamePasskey { passkey_id: KEY, name: " 職場の鍵 ".into() }).then([renamed]);
    }

    #[test]
    fn a_reset_takes_them_away_and_so_does_whoever_disowns_a_login_with_what_came_since() {
        let annas = |scene: Scene, id, time: &str| {
            let name = sealed(ANNA, &Label { text: "鍵".into() });
            let added = PasskeyAdded { passkey_id: id, name, first: false, added_at_us: us(time) };
            scene.given::<Factor>(ANNA, added)
        };
        let scene = annas(scene(), KEY, "2026-11-01T09:00:00+09:00");
        let scene = annas(scene, OTHER, "2026-11-02T09:00:00+09:00");
        let factor = scene.now::<Factor>(ANNA);
        let removed = |passkey_id, last| emit::<Factor>(ANNA, PasskeyRemoved { passkey_id, last });
        assert_eq!(factor.without_passkeys_since(us("2026-11-02T09:00:00+09:00")), [removed(OTHER, false)]);
        let reset = ResetFactor { reason: "電話で本人を確認した".into() };
        let end = emit::<Factor>(ANNA, Reset { reason: reset.reason.clone() });
        let scene = scene.when(ANNA, reset).then([removed(KEY, false), removed(OTHER, true), end]);
        assert!(!scene.now::<Factor>(ANNA).is_on(false));
    }

    #[test]
    fn every_refusal() {
        scene().stale().when(ME, add(KEY)).refused("access.confirm_first");
        let others = AddPasskey { member_id: ANNA, ..add(KEY) };
        scene().when(ANNA, others).refused("factor.not_a_member");
        let many = (0..PASSKEYS_MAX).fold(scene(), |s, n| s.when(ME, add(Uuid::from_u128(n as u128))).accepted());
        many.when(ME, add(KEY)).refused("factor.too_many_passkeys");
        refuses_bad_text(scene(), ME, "/name", true, 60, |name| AddPasskey { name, ..add(KEY) });
        covered::<AddPasskey>();

        let rename = |passkey_id| RenamePasskey { passkey_id, name: "鍵".into() };
        let s = has_one().when(ME, rename(OTHER)).refused_at("factor.unknown_passkey", "/passkey_id");
        let s = refuses_bad_text(s, ME, "/name", true, 60, |name| RenamePasskey { passkey_id: KEY, name });
        let s = s.when(ME, remove(OTHER)).refused_at("factor.unknown_passkey", "/passkey_id");
        let s = s.stale().when(ME, remove(KEY)).refused("access.confirm_first").by_system();
        let s = s.when(ME, rename(KEY)).refused("factor.not_a_member");
        let s = s.when(ME, remove(KEY)).refused("factor.not_a_member");
        covered::<RenamePasskey>();
        covered::<RemovePasskey>();

        let s = s.when(ME, used(3)).accepted().when(ME, used(3)).refused("factor.copied_passkey");
        let unknown = UsePasskey { passkey_id: OTHER, ..used(3) };
        s.when(ME, unknown).refused_at("factor.unknown_passkey", "/passkey_id");
        covered::<UsePasskey>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<FactorEvent> {
        let (passkey_id, subject) = (SAMPLE_ID, Uuid::from_u128(SAMPLE_ID.as_u128() + 1));
        let name = |text: &str| sealed(subject, &Label { text: text.into() });
        vec![
            PasskeyAdded { passkey_id, name: name("ノートPC"), first: true, added_at_us: SAMPLE_US }.into(),
            PasskeyRenamed { passkey_id, name: name("職場のノートPC") }.into(),
            PasskeyUsed { passkey_id, counter: 7 }.into(),
            PasskeyRemoved { passkey_id, last: true }.into(),
        ]
    }
}
