//! A member's password after the first one: changed by themselves, asked for anew by who runs the company, forgotten. Nobody
//! sets another's: whoever wants a change has a link mailed to the member, and no secret is in an event.
//!
//! Invariant: with every change all logins end but the one that made it, by the event alone: a login knows how many changes
//! there had been when it began ([`Member::keeps`]).

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Member, MemberStatus, PasswordChanged, PasswordResetRequested, PasswordResetRequired, only_owners_touch_owners,
};
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::password;
use crate::role::Permission;
use crate::sealed::Person;
use crate::tenant::Tenant;

/// A link for a new password that somebody else asked for works for this long, like an invitation.
pub const REQUIRED_US: i64 = 72 * 3_600 * 1_000_000;
/// A link for a forgotten password works for this long.
pub const REQUESTED_US: i64 = 3_600 * 1_000_000;
/// So long no second link goes out to who forgot: whoever knows an address can ask.
pub const PAUSE_US: i64 = 5 * 60 * 1_000_000;

/// A link that is out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reset {
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// Until when it works, microseconds UTC.
    pub expires_at_us: i64,
}

impl Reset {
    /// Whether a secret with this hash sets a password now, or why not.
    pub fn check(reset: Option<Reset>, link: Option<[u8; 32]>, now_us: i64) -> Result<(), Rejection> {
        let reset = reset.filter(|reset| Some(reset.secret_hash) == link);
        match reset.ok_or(Rejection::new("member.reset_gone"))? {
            reset if now_us < reset.expires_at_us => Ok(()),
            _ => Err(Rejection::new("member.reset_expired")),
        }
    }
}

/// [`password::check`] against what is known of this person and company. `names` come with the request. An erased person has
/// no names; nobody else's decision depends on them.
pub fn check(
    password: &str,
    member: &Member,
    tenant: &Tenant,
    names: &[&str],
    ctx: &mut Context,
) -> Result<(), Rejection> {
    let people: Vec<Person> = member.people.iter().filter_map(|person| ctx.open(person)).collect();
    let people = people.iter().flat_map(|person| [person.name.as_str(), person.kana.as_str(), person.email.as_str()]);
    let about: Vec<&str> =
        people.chain([tenant.name.as_str(), tenant.slug.as_str()]).chain(names.iter().copied()).collect();
    password::check(password, &about)
}

/// Changes one's own password. All other logins end.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The one so far; may be absent right after a confirmation.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub current: Option<String>,
    /// 15 to 128 characters.
    pub password: String,
}

impl Command for ChangePassword {
    type On = (On<Member>, On<Tenant>);
    const NAME: &'static str = "change_password";
    const ROUTE: Route = Route::post("/v1/me/password");
    const PERMISSION: Permission = Permission("me.change_password");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "member.unknown", "member.wrong_state", "member.wrong_password",
        "member.password_same", "member.password_too_short", "member.password_too_long", "member.password_common",
        "member.password_personal", "member.password_pattern",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.member.ok_or(Rejection::new("member.unknown"))?, ctx.tenant])
    }
    fn decide(self, (member, tenant): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Active])?;
        match &self.current {
            None => ctx.must_be_fresh()?,
            Some(current) if ctx.world.is_password(credential(member), current) => {}
            Some(_) => return Err(Rejection::at("member.wrong_password", "/current")),
        }
        let credential = keep(member, tenant, &self.password, ctx)?;
        Ok(vec![member.emit(PasswordChanged { credential, kept_session: ctx.session })])
    }
}

/// The name of the hash that a login is checked against.
pub fn credential(member: &On<Member>) -> Uuid {
    member.credential.unwrap_or(member.id)
}

/// Keeps the new password, if it may be one, under a name of its own: of two changes at once, the one that was written wins.
fn keep(member: &On<Member>, tenant: &Tenant, password: &str, ctx: &mut Context) -> Result<Uuid, Rejection> {
    check(password, member, tenant, &[], ctx)?;
    if ctx.world.is_password(credential(member), password) {
        return Err(Rejection::at("member.password_same", "/password"));
    }
    let credential = ctx.fresh_id();
    ctx.world.set_password(credential, member.id, password);
    Ok(credential)
}

/// Makes another member set a new password: the old one logs in no more, all logins end, and a link goes to their address.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {}

impl Command for ResetPassword {
    type On = On<Member>;
    const NAME: &'static str = "reset_password";
    const ROUTE: Route = Route::post("/v1/members/{id}/reset_password");
    const PERMISSION: Permission = Permission("security.reset_password");
    const REJECTS: &'static [&'static str] =
        &["access.confirm_first", "member.unknown", "member.wrong_state", "member.owner_only", "member.own_password"];
    const NEEDS_KEY: bool = true;
    fn decide(self, member: &On<Member>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Active])?;
        ctx.must_be_fresh()?;
        let role = member.role.ok_or(Rejection::new("member.unknown"))?;
        only_owners_touch_owners(ctx, role, role)?;
        // Whoever shut themselves out like this might be the last who can let anybody in.
        if ctx.member == Some(member.id) {
            return Err(Rejection::new("member.own_password"));
        }
        let secret_hash = ctx.world.secret("rst", member.id);
        Ok(vec![member.emit(PasswordResetRequired { secret_hash, expires_at_us: ctx.now_us + REQUIRED_US })])
    }
}

/// Mails a link to who forgot the password. Nothing happens for who may not log in, to whom a link went out a moment ago, or
/// who was sent one by the company that is still good.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestPasswordReset {}

impl Command for RequestPasswordReset {
    type On = On<Member>;
    const NAME: &'static str = "request_password_reset";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.request_reset");
    const REJECTS: &'static [&'static str] = &[];
    fn decide(self, member: &On<Member>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let pause = if member.must_reset { 0 } else { REQUESTED_US - PAUSE_US };
        let waits = member.reset.is_some_and(|reset| ctx.now_us + pause < reset.expires_at_us);
        if member.status != Some(MemberStatus::Active) || waits {
            return Ok(vec![]);
        }
        let secret_hash = ctx.world.secret("rst", member.id);
        Ok(vec![member.emit(PasswordResetRequested { secret_hash, expires_at_us: ctx.now_us + REQUESTED_US })])
    }
}

/// Sets a new password; sent by who holds the link. It logs nobody in, and second factors stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// 15 to 128 characters.
    pub password: String,
}

impl Command for SetPassword {
    type On = (On<Member>, On<Tenant>);
    const NAME: &'static str = "set_password";
    const ROUTE: Route = Route::post("/v1/password_resets/{token}/accept");
    const PERMISSION: Permission = Permission("link.set_password");
    const REJECTS: &'static [&'static str] = &[
        "member.reset_gone", "member.reset_expired", "member.password_same", "member.password_too_short",
        "member.password_too_long", "member.password_common", "member.password_personal", "member.password_pattern",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (member, tenant): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let reset = member.reset.filter(|_| member.status == Some(MemberStatus::Active));
        Reset::check(reset, ctx.link, ctx.now_us)?;
        let credential = keep(member, tenant, &self.password, ctx)?;
        Ok(vec![member.emit(PasswordChanged { credential, kept_session: None })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{Registered, SuspendMember};
    use crate::owners::{OwnerAdded, Owners};
    use crate::role::Role;
    use crate::tenant::Opened;
    use crate::testing::*;

    const OLD: &str = "correct horse battery";
    const NEW: &str = "ein Kuchen für Oma im Zug";
    const LOGIN: Uuid = Uuid::from_u128(0x5e);

    fn ready() -> Scene {
        let anna =
            Registered { person: sealed(ANNA, &person("佐藤 杏奈", "anna.sato@example.jp")), role: Role::Member };
        let opened =
            Opened { name: "株式会社ミナト製作所".into(), slug: "minato".into(), terms: String::new() };
        let mut scene = scene().given::<Tenant>(TENANT, opened).given::<Member>(ANNA, anna);
        scene.world.passwords.insert(ANNA, OLD.into());
        scene.given::<Owners>(TENANT, OwnerAdded { member: ME })
    }

    fn change(password: &str) -> ChangePassword {
        ChangePassword { current: Some(OLD.into()), password: password.into() }
    }

    fn set(password: &str) -> SetPassword {
        SetPassword { password: password.into() }
    }

    fn refuses_weak<C: Command>(scene: Scene, command: impl Fn(&str) -> C) -> Scene {
        let weak = [
            ("member.password_too_short", "短い".to_owned()),
            ("member.password_too_long", "長い".repeat(65)),
            ("member.password_common", "password12345678".to_owned()),
            // Of the address, which only the box knows, and of the company.
            ("member.password_personal", "Anna-Sato-Minato".to_owned()),
            ("member.password_pattern", "123456789012345".to_owned()),
            ("member.password_same", OLD.to_owned()),
        ];
        weak.iter()
            .fold(scene, |scene, (code, password)| scene.when(ANNA, command(password)).refused_at(code, "/password"))
    }

    #[test]
    fn el_06_a_member_changes_their_own_and_all_other_logins_end() {
        let scene = ready().by_login(ANNA, LOGIN);
        let before = scene.now::<Member>(ANNA).passwords;
        let changed = PasswordChanged { credential: FRESH, kept_session: Some(LOGIN) };
        let scene = scene.when(FRESH, change(NEW)).then([emit::<Member>(ANNA, changed)]);
        assert_eq!(scene.world.passwords[&FRESH], NEW);
        let anna = scene.now::<Member>(ANNA);
        assert!(anna.keeps(LOGIN, before) && !anna.keeps(FRESH, before) && anna.keeps(FRESH, before + 1));
    }

    #[test]
    fn rn_35_a_forced_reset_shuts_out_until_the_mailed_link_was_used_once() {
        let scene = ready().by(Role::Admin).when(ANNA, ResetPassword {}).accepted();
        let anna = scene.now::<Member>(ANNA);
        assert!(anna.must_reset && !anna.keeps(LOGIN, 0));
        // Nobody prolongs or replaces the company's link by saying that they forgot.
        let scene = scene.by_system().when(ANNA, RequestPasswordReset {}).then([]);
        let scene = scene.by_link("keiin_rst_1").when(ANNA, set(NEW));
        let scene = scene.then([emit::<Member>(ANNA, PasswordChanged { credential: FRESH, kept_session: None })]);
        let anna = scene.now::<Member>(ANNA);
        assert_eq!((anna.must_reset, credential(&anna)), (false, FRESH));
        scene.when(ANNA, set(OLD)).refused("member.reset_gone");
    }

    #[test]
    fn a_forgotten_password_is_replaced_by_the_newest_link_within_an_hour() {
        let ask = |scene: Scene| scene.by_system().when(ANNA, RequestPasswordReset {});
        let scene = ask(ready()).accepted();
        let scene = ask(scene.at("2026-11-02T09:04:59+09:00")).then([]);
        let scene = ask(scene.at("2026-11-02T09:05:00+09:00")).accepted();
        assert!(!scene.now::<Member>(ANNA).must_reset);
        let scene = scene.by_link("keiin_rst_1").when(ANNA, set(NEW)).refused("member.reset_gone");
        let late = scene.clone().at("2026-11-02T10:05:00+09:00").by_link("keiin_rst_2");
        late.when(ANNA, set(NEW)).refused("member.reset_expired");
        let scene = scene.at("2026-11-02T10:04:59+09:00").by_link("keiin_rst_2");
        scene.clone().race((ANNA, set(NEW)), (ANNA, set("noch ein anderer Satz"))).refused("member.reset_gone");
        // A change by the member themselves ends the link too.
        let scene = scene.by(Role::Member).by_login(ANNA, LOGIN).when(FRESH, change(NEW)).accepted();
        scene.by_link("keiin_rst_2").when(ANNA, set(OLD)).refused("member.reset_gone");
    }

    #[test]
    fn who_may_not_log_in_gets_no_link_and_cannot_use_one() {
        let scene = ready().by_system().when(ANNA, RequestPasswordReset {}).accepted();
        let suspend = SuspendMember { reason: "端末の紛失".into(), emergency: false };
        let scene = scene.by(Role::Owner).when(ANNA, suspend).accepted().at("2026-11-02T09:30:00+09:00");
        let scene = scene.by_system().when(ANNA, RequestPasswordReset {}).then([]);
        scene.by_link("keiin_rst_1").when(ANNA, set(NEW)).refused("member.reset_gone");
        scene_of_nobody();
    }

    fn scene_of_nobody() {
        scene().by_system().when(ANNA, RequestPasswordReset {}).then([]);
        covered::<RequestPasswordReset>();
    }

    #[test]
    fn every_refusal() {
        let s = refuses_weak(ready().by_login(ANNA, LOGIN), change);
        let wrong = ChangePassword { current: Some("another".into()), password: NEW.into() };
        let s = s.when(FRESH, wrong).refused_at("member.wrong_password", "/current");
        // Without it, only right after a confirmation.
        let none = ChangePassword { current: None, password: NEW.into() };
        s.clone().when(FRESH, none.clone()).accepted();
        let s = s.stale().when(FRESH, none).refused("access.confirm_first");
        s.by_system().when(FRESH, change(NEW)).refused("member.unknown");
        scene().when(FRESH, change(NEW)).refused("member.unknown");
        let suspended = ready().when(ANNA, SuspendMember { reason: "x".into(), emergency: false }).accepted();
        suspended.clone().by_login(ANNA, LOGIN).when(FRESH, change(NEW)).refused("member.wrong_state");
        suspended.when(ANNA, ResetPassword {}).refused("member.wrong_state");
        covered::<ChangePassword>();

        scene().when(ANNA, ResetPassword {}).refused("member.unknown");
        let me = Registered { person: sealed(ME, &person("田中 花子", "hanako@example.jp")), role: Role::Owner };
        ready().stale().when(ANNA, ResetPassword {}).refused("access.confirm_first");
        let s = ready().given::<Member>(ME, me).when(ME, ResetPassword {}).refused("member.own_password");
        s.by(Role::Admin).when(ME, ResetPassword {}).refused("member.owner_only");
        covered::<ResetPassword>();

        let s = ready().by(Role::Admin).when(ANNA, ResetPassword {}).accepted();
        let s = s.by_link("keiin_rst_7").when(ANNA, set(NEW)).refused("member.reset_gone");
        let s = refuses_weak(s.by_link("keiin_rst_1"), set);
        s.at("2026-11-05T09:00:00+09:00").when(ANNA, set(NEW)).refused("member.reset_expired");
        covered::<SetPassword>();
    }
}
