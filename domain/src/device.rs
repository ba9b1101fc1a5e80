//! Devices: browsers and programs by which a member has logged in (FM-25). One that was not seen before is told of by mail,
//! with a link that says "this was not me". Which browser it is, a cookie knows; here are the facts.
//!
//! What makes a create unique: the cookie and the member, whose device's id is kept apart from the ledger.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::events;
use crate::factor::Factor;
use crate::member::password::REQUIRED_US;
use crate::member::{Member, MemberStatus, PasswordResetRequired};
use crate::role::{Permission, Role};
use crate::session::{Ended, LoginMethod, Session, SessionEnd};

/// The link in the mail works for this long.
pub const ALERT_US: i64 = 7 * 24 * 3_600 * 1_000_000;

events! {
    /// What happens to a device.
    DeviceEvent {
        Seen = "device.seen" v 1;
        Used = "device.used" v 1;
        Forgotten = "device.forgotten" v 1;
        Disowned = "device.disowned" v 1;
    }
}

/// A member logged in by it for the first time. Where from is in the record's context.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Who.
    pub member_id: Uuid,
    /// The login.
    pub session_id: Uuid,
    /// The link of the mail that goes out; `None` for the device on which the account was made.
    pub alert: Option<Alert>,
}

/// What the link of a mail is known by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// SHA-256 of its secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when it works, microseconds UTC.
    pub expires_at_us: i64,
}

/// The member logged in by it again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Used {
    /// The login.
    pub session_id: Uuid,
}

/// The next login by it is one by a new device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forgotten {}

/// Whoever holds the mailed link says that it is not theirs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Disowned {}

/// State of a device.
#[derive(Debug, Default)]
pub struct Device {
    /// Whose; `None` as long as nobody has logged in by it.
    pub member_id: Option<Uuid>,
    /// Neither forgotten nor disowned.
    pub is_known: bool,
    /// The login that the mail was about.
    pub session_id: Uuid,
    /// The link that is out.
    pub alert: Option<Alert>,
}

impl Aggregate for Device {
    type Event = DeviceEvent;
    const STREAM: &'static str = "device";
    fn apply(&mut self, event: DeviceEvent) {
        match event {
            DeviceEvent::Seen(e) => {
                let (member_id, is_known) = (Some(e.member_id), true);
                *self = Device { member_id, is_known, session_id: e.session_id, alert: e.alert };
            }
            DeviceEvent::Used(_) => {}
            // The link stays good: it is about the login that was.
            DeviceEvent::Forgotten(_) => self.is_known = false,
            DeviceEvent::Disowned(_) => (self.is_known, self.alert) = (false, None),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<DeviceEvent> {
        tests::samples()
    }
}

impl On<Device> {
    /// What a login by it is.
    pub fn logged_in(&self, member: Uuid, session: Uuid, method: LoginMethod, ctx: &mut Context) -> Emit {
        if self.is_known && self.member_id == Some(member) {
            return self.emit(Used { session_id: session });
        }
        let is_asked_for = method != LoginMethod::Joining;
        let alert = is_asked_for
            .then(|| Alert { secret_hash: ctx.world.secret("nme", self.id), expires_at_us: ctx.now_us + ALERT_US });
        self.emit(Seen { member_id: member, session_id: session, alert })
    }
}

impl Alert {
    /// Whether a secret with this hash says something now, or why not.
    pub fn check(alert: Option<Alert>, link: Option<[u8; 32]>, now_us: i64) -> Result<(), Rejection> {
        let alert = alert.filter(|alert| Some(alert.secret_hash) == link);
        match alert.ok_or(Rejection::new("device.alert_gone"))? {
            alert if now_us < alert.expires_at_us => Ok(()),
            _ => Err(Rejection::new("device.alert_expired")),
        }
    }
}

/// Forgets one of one's own devices, or as owner or admin anybody's: the next login by it is told of again. Forgotten
/// already = nothing to do.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetDevice {}

impl Command for ForgetDevice {
    type On = On<Device>;
    const NAME: &'static str = "forget_device";
    const ROUTE: Route = Route::post("/v1/devices/{id}/forget");
    const PERMISSION: Permission = Permission("me.forget_device");
    const REJECTS: &'static [&'static str] = &["device.unknown"];
    fn decide(self, device: &On<Device>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let anybodys = matches!(ctx.actor.role, Role::Owner | Role::Admin | Role::System);
        // What is not yours is as unknown to you as what does not exist.
        if device.member_id.is_none() || !(anybodys || device.member_id == ctx.member) {
            return Err(Rejection::new("device.unknown"));
        }
        Ok(if device.is_known { vec![device.emit(Forgotten {})] } else { vec![] })
    }
}

/// "This was not me", said by who holds the mailed link, once: that login ends, the device is forgotten, passkeys that were
/// added and accounts that were linked since are gone, and the member must set a new password, by which all other logins end.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisownLogin {}

impl Command for DisownLogin {
    type On = (On<Device>, On<Session>, On<Member>, On<Factor>);
    const NAME: &'static str = "disown_login";
    const ROUTE: Route = Route::post("/v1/login_alerts/{token}/disown");
    const PERMISSION: Permission = Permission("link.disown_login");
    const REJECTS: &'static [&'static str] = &["device.alert_gone", "device.alert_expired"];
    fn linked(&self, device: &On<Device>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let member = device.member_id.ok_or(Rejection::new("device.alert_gone"))?;
        Ok(vec![device.session_id, member, member])
    }
    fn decide(self, (device, session, member, factor): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Alert::check(device.alert, ctx.link, ctx.now_us)?;
        let mut emits = vec![device.emit(Disowned {})];
        if session.member_id.is_some() && !session.ended {
            emits.push(session.emit(Ended { reason: SessionEnd::Revoked }));
        }
        if member.status == Some(MemberStatus::Active) {
            let secret_hash = ctx.world.secret("rst", member.id);
            emits.push(member.emit(PasswordResetRequired { secret_hash, expires_at_us: ctx.now_us + REQUIRED_US }));
        }
        let since_us = device.alert.map_or(i64::MAX, |alert| alert.expires_at_us - ALERT_US);
        emits.extend(factor.without_passkeys_since(since_us));
        emits.extend(factor.without_accounts_since(since_us));
        emits.extend(factor.without_phone_since(since_us));
        Ok(emits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Registered;
    use crate::session::{StartSession, Started};
    use crate::testing::*;

    const DEVICE: Uuid = Uuid::from_u128(0xde);
    const SESSION: Uuid = Uuid::from_u128(0x5e);
    const LATER: Uuid = Uuid::from_u128(0x5f);

    fn ready() -> Scene {
        let anna = Registered { person: sealed(ANNA, &person("佐藤 杏奈", "")), role: Role::Member };
        scene().given::<Member>(ANNA, anna).by_system()
    }

    fn start(method: LoginMethod) -> StartSession {
        StartSession { member_id: ANNA, device_id: DEVICE, method, confirmed_by: None, break_glass: String::new() }
    }

    fn seen() -> Scene {
        ready().when(SESSION, start(LoginMethod::Password)).accepted()
    }

    #[test]
    fn fm_25_the_first_login_by_a_device_asks_for_a_mail_and_the_second_does_not() {
        let scene = ready().when(SESSION, start(LoginMethod::Password));
        let alert = Alert { secret_hash: hash("keiin_nme_1"), expires_at_us: us("2026-11-09T09:00:00+09:00") };
        let told = Seen { member_id: ANNA, session_id: SESSION, alert: Some(alert) };
        let started = |id| emit::<Session>(id, Started { member_id: ANNA, method: LoginMethod::Password });
        let scene = scene.then([started(SESSION), emit::<Device>(DEVICE, told)]);
        let used = emit::<Device>(DEVICE, Used { session_id: LATER });
        let scene = scene.when(LATER, start(LoginMethod::Password)).then([started(LATER), used]);
        // Forgotten, it is new again.
        let forgotten = scene.by(Role::Admin).when(DEVICE, ForgetDevice {});
        let scene = forgotten.then([emit::<Device>(DEVICE, Forgotten {})]).when(DEVICE, ForgetDevice {}).then([]);
        let scene = scene.by_system().when(Uuid::from_u128(0x60), start(LoginMethod::Password)).accepted();
        assert!(scene.now::<Device>(DEVICE).is_known && scene.world.secrets.len() == 2);
    }

    #[test]
    fn the_device_on_which_an_account_is_made_is_not_told_of() {
        let scene = ready().when(SESSION, start(LoginMethod::Joining)).accepted();
        let device = scene.now::<Device>(DEVICE);
        assert_eq!((device.is_known, device.alert, scene.world.secrets.len()), (true, None, 0));
        scene.by_link("keiin_nme_1").when(DEVICE, DisownLogin {}).refused("device.alert_gone");
    }

    #[test]
    fn whose_it_was_not_ends_the_login_forgets_the_device_and_forces_a_new_password_once() {
        let scene = seen().by_link("keiin_nme_1");
        let ended = emit::<Session>(SESSION, Ended { reason: SessionEnd::Revoked });
        let reset =
            PasswordResetRequired { secret_hash: hash("keiin_rst_2"), expires_at_us: us("2026-11-05T09:00:00+09:00") };
        let all = [emit::<Device>(DEVICE, Disowned {}), ended, emit::<Member>(ANNA, reset)];
        let race = scene.clone().race((DEVICE, DisownLogin {}), (DEVICE, DisownLogin {}));
        race.refused("device.alert_gone");
        let scene = scene.when(DEVICE, DisownLogin {}).then(all);
        assert!(scene.now::<Member>(ANNA).must_reset && !scene.now::<Device>(DEVICE).is_known);
        scene.when(DEVICE, DisownLogin {}).refused("device.alert_gone");
    }

    #[test]
    fn a_passkey_that_was_added_since_goes_with_the_login() {
        use crate::factor::passkey::{PasskeyAdded, PasskeyRemoved};
        use crate::sealed::Label;
        let added = |passkey_id, time: &str| {
            let name = sealed(ANNA, &Label { text: "鍵".into() });
            PasskeyAdded { passkey_id, name, first: false, added_at_us: us(time) }
        };
        let scene = seen().given::<Factor>(ANNA, added(SESSION, "2026-11-02T08:59:59+09:00"));
        let scene = scene.given::<Factor>(ANNA, added(LATER, "2026-11-02T09:00:00+09:00")).by_link("keiin_nme_1");
        let mut asked = scene.clone();
        let gone = emit::<Factor>(ANNA, PasskeyRemoved { passkey_id: LATER, last: false });
        assert_eq!(asked.ask(DEVICE, DisownLogin {}).expect("accepted").last(), Some(&gone));
    }

    #[test]
    fn the_link_works_after_the_device_was_forgotten_and_the_login_has_ended() {
        let scene = seen().by(Role::Admin).when(DEVICE, ForgetDevice {}).accepted();
        let end = crate::session::EndSession { reason: SessionEnd::Logout };
        let scene = scene.by_system().when(SESSION, end).accepted().by_link("keiin_nme_1");
        let scene = scene.when(DEVICE, DisownLogin {}).accepted();
        assert!(scene.now::<Member>(ANNA).must_reset);
    }

    #[test]
    fn another_members_device_is_new_to_me() {
        let scene = seen().given::<Member>(BEN, Registered { person: somebody(), role: Role::Member });
        let mine = StartSession { member_id: BEN, ..start(LoginMethod::Password) };
        let scene = scene.when(LATER, mine).accepted();
        assert_eq!(scene.now::<Device>(DEVICE).member_id, Some(BEN));
    }

    #[test]
    fn every_refusal() {
        scene().when(DEVICE, ForgetDevice {}).refused("device.unknown");
        seen().by(Role::Member).when(DEVICE, ForgetDevice {}).refused("device.unknown");
        seen().by(Role::Member).by_login(ANNA, SESSION).when(DEVICE, ForgetDevice {}).accepted();
        covered::<ForgetDevice>();
        scene().by_link("keiin_nme_1").when(DEVICE, DisownLogin {}).refused("device.alert_gone");
        let scene = seen().by_link("keiin_nme_7").when(DEVICE, DisownLogin {}).refused("device.alert_gone");
        let scene = scene.by_link("keiin_nme_1").at("2026-11-09T09:00:00+09:00");
        scene.when(DEVICE, DisownLogin {}).refused("device.alert_expired");
        covered::<DisownLogin>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<DeviceEvent> {
        let alert = Alert { secret_hash: [7; 32], expires_at_us: SAMPLE_US };
        vec![
            Seen { member_id: SAMPLE_ID, session_id: SAMPLE_ID, alert: Some(alert) }.into(),
            Used { session_id: SAMPLE_ID }.into(),
            Forgotten {}.into(),
            Disowned {}.into(),
        ]
    }
}
