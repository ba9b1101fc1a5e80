//! Sessions: who logged in and out, and who was refused. The server sends these commands; passwords and cookies are its
//! business, not ours. Where from is in the record's context.
//!
//! What makes a create unique: nothing but its id.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::device::Device;
use crate::member::{Member, MemberStatus};
use crate::role::{Permission, Role};
use crate::{codes, events};

events! {
    /// What happens to a session.
    SessionEvent {
        Started = "session.started" v 1;
        Confirmed = "session.confirmed" v 1;
        GlassBroken = "session.glass_broken" v 1;
        Ended = "session.ended" v 1;
        Refused = "session.refused" v 1;
    }
}

codes! {
    /// How somebody showed who they are.
    LoginMethod {
        /// Address and password.
        Password = 1 "password",
        /// A link that the server printed for whoever started it.
        LoginLink = 2 "login_link",
        /// By accepting an invitation or signing up.
        Joining = 3 "joining",
        /// A passkey alone.
        Passkey = 4 "passkey",
        /// A Google account.
        Google = 5 "google",
        /// A Microsoft account.
        Microsoft = 6 "microsoft",
    }
}

codes! {
    /// How somebody showed that it is still them.
    Proof {
        /// Their password.
        Password = 1 "password",
        /// A code of their app.
        Totp = 2 "totp",
        /// A recovery code.
        RecoveryCode = 3 "recovery_code",
        /// A passkey.
        Passkey = 4 "passkey",
        /// A code that was sent to their phone.
        Sms = 5 "sms",
    }
}

codes! {
    /// Why a session is over.
    SessionEnd {
        /// Logged out.
        Logout = 1 "logout",
        /// Time was up.
        Expired = 2 "expired",
        /// Ended by somebody else, or because the member may no more.
        Revoked = 3 "revoked",
    }
}

codes! {
    /// Why a login was refused.
    LoginRefusal {
        /// No such member.
        UnknownMember = 1 "unknown_member",
        /// Another password.
        WrongPassword = 2 "wrong_password",
        /// The member may not for now, or no more.
        Inactive = 3 "inactive",
        /// Too many attempts.
        Throttled = 4 "throttled",
        /// A wrong code of the second factor.
        WrongCode = 5 "wrong_code",
        /// From a network that the company does not allow.
        Network = 6 "network",
        /// Not by that passkey, or by none that is known.
        WrongPasskey = 7 "wrong_passkey",
        /// The passkey's count of signatures did not rise: there is a copy of it.
        CopiedPasskey = 8 "copied_passkey",
        /// The way back from a provider of identities led nowhere: begun by another browser, done already, or too long ago.
        ProviderState = 9 "provider_state",
        /// The provider did not say who it is.
        ProviderRefused = 10 "provider_refused",
        /// What the provider said does not hold: not signed by it, not for us, not for this login, not now.
        ProviderAnswer = 11 "provider_answer",
        /// The account there is linked to nobody, and its address is not verified.
        UnverifiedAddress = 12 "unverified_address",
        /// The member has linked another account of this provider.
        OtherAccount = 13 "other_account",
        /// The company lets nobody in by this provider.
        ProviderOff = 14 "provider_off",
    }
}

/// Somebody logged in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Started {
    /// Who.
    pub member_id: Uuid,
    /// How.
    pub method: LoginMethod,
}

/// Whoever holds the session showed again that it is them: with its login, or later.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Confirmed {
    /// How.
    pub by: Proof,
}

/// An owner came in from a network that the company does not allow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GlassBroken {
    /// Why.
    pub reason: String,
}

/// The session is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// Why.
    pub reason: SessionEnd,
}

/// A login was refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// Whose account it was for, where it is known.
    pub member_id: Option<Uuid>,
    /// Why.
    pub reason: LoginRefusal,
}

/// State of a session.
#[derive(Debug, Default)]
pub struct Session {
    /// Whose; `None` for a refused one.
    pub member_id: Option<Uuid>,
    /// Over.
    pub ended: bool,
}

impl Aggregate for Session {
    type Event = SessionEvent;
    const STREAM: &'static str = "session";
    fn apply(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Started(e) => self.member_id = Some(e.member_id),
            SessionEvent::Ended(_) => self.ended = true,
            SessionEvent::Confirmed(_) | SessionEvent::GlassBroken(_) | SessionEvent::Refused(_) => {}
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<SessionEvent> {
        tests::samples()
    }
}

/// Starts a session for a member who has shown who they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartSession {
    /// Who.
    pub member_id: Uuid,
    /// By which device.
    pub device_id: Uuid,
    /// How.
    pub method: LoginMethod,
    /// The second factor that came with it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub confirmed_by: Option<Proof>,
    /// Why an owner comes from a network that the company does not allow; empty otherwise.
    #[serde(default)]
    pub break_glass: String,
}

impl Command for StartSession {
    type On = (On<Session>, On<Member>, On<Device>);
    const NAME: &'static str = "start_session";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.start");
    const REJECTS: &'static [&'static str] = &["session.inactive_member"];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.member_id, self.device_id])
    }
    fn decide(self, (session, member, device): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if member.status != Some(MemberStatus::Active) {
            return Err(Rejection::new("session.inactive_member"));
        }
        let started = session.emit(Started { member_id: self.member_id, method: self.method });
        let confirmed = self.confirmed_by.map(|by| session.emit(Confirmed { by }));
        let glass = Some(self.break_glass).filter(|reason| !reason.is_empty());
        let glass = glass.map(|reason| session.emit(GlassBroken { reason }));
        let by = device.logged_in(self.member_id, session.id, self.method, ctx);
        Ok([started].into_iter().chain(confirmed).chain(glass).chain([by]).collect())
    }
}

/// Ends a session. Over already = nothing to do.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSession {
    /// Why.
    pub reason: SessionEnd,
}

impl Command for EndSession {
    type On = On<Session>;
    const NAME: &'static str = "end_session";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.end");
    const REJECTS: &'static [&'static str] = &["session.unknown"];
    fn decide(self, session: &On<Session>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if session.member_id.is_none() {
            return Err(Rejection::new("session.unknown"));
        }
        Ok(if session.ended { vec![] } else { vec![session.emit(Ended { reason: self.reason })] })
    }
}

/// Writes down that whoever holds the session showed again that it is them.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmSession {
    /// How.
    pub by: Proof,
}

impl Command for ConfirmSession {
    type On = On<Session>;
    const NAME: &'static str = "confirm_session";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.confirm");
    const REJECTS: &'static [&'static str] = &["session.unknown", "session.over"];
    fn decide(self, session: &On<Session>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        session.member_id.ok_or(Rejection::new("session.unknown"))?;
        if session.ended {
            return Err(Rejection::new("session.over"));
        }
        Ok(vec![session.emit(Confirmed { by: self.by })])
    }
}

/// Ends one of one's own sessions, or as owner or admin anybody's. Over already = nothing to do.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeSession {}

impl Command for RevokeSession {
    type On = On<Session>;
    const NAME: &'static str = "revoke_session";
    const ROUTE: Route = Route::post("/v1/sessions/{id}/revoke");
    const PERMISSION: Permission = Permission("me.revoke_session");
    const REJECTS: &'static [&'static str] = &["session.unknown"];
    fn decide(self, session: &On<Session>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let anybodys = matches!(ctx.actor.role, Role::Owner | Role::Admin | Role::System);
        // What is not yours is as unknown to you as what does not exist.
        if session.member_id.is_none() || !(anybodys || session.member_id == ctx.member) {
            return Err(Rejection::new("session.unknown"));
        }
        Ok(if session.ended { vec![] } else { vec![session.emit(Ended { reason: SessionEnd::Revoked })] })
    }
}

/// Writes down that a login was refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseLogin {
    /// Whose account it was for, where it is known.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub member_id: Option<Uuid>,
    /// Why.
    pub reason: LoginRefusal,
}

impl Command for RefuseLogin {
    type On = On<Session>;
    const NAME: &'static str = "refuse_login";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("session.refuse");
    const REJECTS: &'static [&'static str] = &[];
    fn decide(self, session: &On<Session>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Ok(vec![session.emit(Refused { member_id: self.member_id, reason: self.reason })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{Registered, SuspendMember};
    use crate::owners::{OwnerAdded, Owners};
    use crate::testing::*;

    const SESSION: Uuid = Uuid::from_u128(0x5e);

    const DEVICE: Uuid = Uuid::from_u128(0xde);

    fn start() -> StartSession {
        let (confirmed_by, break_glass) = (None, String::new());
        StartSession { member_id: ANNA, device_id: DEVICE, method: LoginMethod::Password, confirmed_by, break_glass }
    }

    /// The device is known from before.
    fn used() -> Emit {
        emit::<Device>(DEVICE, crate::device::Used { session_id: SESSION })
    }

    fn ready() -> Scene {
        let anna = Registered { person: sealed(ANNA, &person("佐藤 杏奈", "")), role: Role::Member };
        let seen = crate::device::Seen { member_id: ANNA, session_id: FRESH, alert: None };
        let scene = scene().given::<Member>(ANNA, anna).given::<Device>(DEVICE, seen);
        scene.given::<Owners>(crate::testing::TENANT, OwnerAdded { member: ME })
    }

    #[test]
    fn a_session_starts_and_ends_once() {
        let started = Started { member_id: ANNA, method: LoginMethod::Password };
        let end = |reason| EndSession { reason };
        let s = ready().when(SESSION, start()).then([emit::<Session>(SESSION, started), used()]);
        let ended = emit::<Session>(SESSION, Ended { reason: SessionEnd::Logout });
        s.when(SESSION, end(SessionEnd::Logout)).then([ended]).when(SESSION, end(SessionEnd::Expired)).then([]);
    }

    #[test]
    fn a_session_is_confirmed_with_its_login_or_later_and_not_when_it_is_over() {
        let confirmed = |by| emit::<Session>(SESSION, Confirmed { by });
        let glass = GlassBroken { reason: "回線の障害".into() };
        let emergency = StartSession { break_glass: glass.reason.clone(), ..start() };
        let started = emit::<Session>(SESSION, Started { member_id: ANNA, method: LoginMethod::Password });
        ready().when(SESSION, emergency).then([started, emit::<Session>(SESSION, glass), used()]);
        let started = Started { member_id: ANNA, method: LoginMethod::Password };
        let with_code = StartSession { confirmed_by: Some(Proof::Totp), ..start() };
        let s = ready().when(SESSION, with_code);
        let s = s.then([emit::<Session>(SESSION, started), confirmed(Proof::Totp), used()]).by_system();
        let s = s.when(SESSION, ConfirmSession { by: Proof::Password }).then([confirmed(Proof::Password)]);
        let s = s.when(SESSION, EndSession { reason: SessionEnd::Logout }).accepted();
        s.when(SESSION, ConfirmSession { by: Proof::Password }).refused("session.over");
    }

    #[test]
    fn one_ends_ones_own_session_and_an_owner_anybodys() {
        let s = ready().by_system().when(SESSION, start()).accepted();
        let others = s.clone().by(Role::Member);
        others.when(SESSION, RevokeSession {}).refused("session.unknown");
        let ended = emit::<Session>(SESSION, Ended { reason: SessionEnd::Revoked });
        s.by(Role::Owner).when(SESSION, RevokeSession {}).then([ended]).when(SESSION, RevokeSession {}).then([]);
    }

    #[test]
    fn a_login_meets_a_suspension() {
        let suspend = SuspendMember { reason: "端末の紛失".into(), emergency: false };
        ready().race((ANNA, suspend), (SESSION, start())).refused("session.inactive_member");
    }

    #[test]
    fn a_refused_login_is_written_down_and_is_no_session() {
        let (member_id, reason) = (Some(ANNA), LoginRefusal::WrongPassword);
        let s = scene().when(SESSION, RefuseLogin { member_id, reason });
        let s = s.then([emit::<Session>(SESSION, Refused { member_id, reason })]);
        s.when(SESSION, EndSession { reason: SessionEnd::Logout }).refused("session.unknown");
    }

    #[test]
    fn every_refusal() {
        scene().when(SESSION, start()).refused("session.inactive_member");
        scene().when(SESSION, EndSession { reason: SessionEnd::Revoked }).refused("session.unknown");
        covered::<StartSession>();
        scene().when(SESSION, ConfirmSession { by: Proof::Totp }).refused("session.unknown");
        let s = ready().by_system().when(SESSION, start()).accepted();
        let s = s.when(SESSION, EndSession { reason: SessionEnd::Logout }).accepted();
        s.when(SESSION, ConfirmSession { by: Proof::Totp }).refused("session.over");
        scene().when(SESSION, RevokeSession {}).refused("session.unknown");
        covered::<ConfirmSession>();
        covered::<RevokeSession>();
        covered::<EndSession>();
        covered::<RefuseLogin>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<SessionEvent> {
        vec![
            Started { member_id: SAMPLE_ID, method: LoginMethod::Password }.into(),
            Confirmed { by: Proof::Totp }.into(),
            GlassBroken { reason: "許可した回線の障害".into() }.into(),
            Ended { reason: SessionEnd::Logout }.into(),
            Refused { member_id: Some(SAMPLE_ID), reason: LoginRefusal::WrongPassword }.into(),
        ]
    }
}
