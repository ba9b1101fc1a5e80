//! Members: the people of a company. A member's id is the random subject id behind their address, so inviting the same
//! address twice meets the same stream, and erasing the person erases what is sealed under that id.
//!
//! Boundary: the last owner cannot go (`owners.rs`).

pub mod password;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::owners::Owners;
use crate::role::{Permission, Role};
use crate::sealed::{Person, Sealed};
use crate::tenant::Tenant;
use crate::{codes, events, text};

/// An invitation can be accepted for this long (ML-41).
pub const INVITATION_US: i64 = 72 * 3_600 * 1_000_000;

events! {
    /// What happens to a member.
    MemberEvent {
        Registered = "member.registered" v 1;
        Invited = "member.invited" v 1;
        InvitationRevoked = "member.invitation_revoked" v 1;
        Joined = "member.joined" v 1;
        RoleChanged = "member.role_changed" v 1;
        Suspended = "member.suspended" v 1;
        Reinstated = "member.reinstated" v 1;
        Removed = "member.removed" v 1;
        PasswordChanged = "member.password_changed" v 1;
        PasswordResetRequired = "member.password_reset_required" v 1;
        PasswordResetRequested = "member.password_reset_requested" v 1;
    }
}

/// The owner who signed the company up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// Name and address.
    pub person: Sealed<Person>,
    /// Always owner today.
    pub role: Role,
}

/// Somebody was invited by mail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Invited {
    /// Name and address.
    pub person: Sealed<Person>,
    /// What they will be.
    pub role: Role,
    /// SHA-256 of the link's secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
}

/// The invitation was withdrawn before it was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InvitationRevoked {}

/// The invitation was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// Name as the person gave it; empty fields stay as they were.
    pub person: Sealed<Person>,
}

/// Another role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoleChanged {
    /// Before.
    pub from: Role,
    /// After.
    pub to: Role,
}

/// No access until reinstated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suspended {
    /// Why.
    pub reason: String,
}

/// Access again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reinstated {}

/// No access any more; the history stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removed {}

/// Another password, which is nowhere in the ledger. All logins but this one are over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// Names its hash, which is kept apart from the ledger.
    pub credential: Uuid,
    /// The login by which it was changed; `None` where a mailed link was used.
    pub kept_session: Option<Uuid>,
}

/// Somebody who runs the company wants another password: the old one does not log in any more, and all logins are over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasswordResetRequired {
    /// SHA-256 of the link's secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when the link works, microseconds UTC.
    pub expires_at_us: i64,
}

/// Somebody says that they forgot the password. Until the link is used, the old one is good.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasswordResetRequested {
    /// SHA-256 of the link's secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when the link works, microseconds UTC.
    pub expires_at_us: i64,
}

codes! {
    /// Where a member stands.
    MemberStatus {
        /// Mail is out, not accepted yet.
        Invited = 1 "invited",
        /// Can log in.
        Active = 2 "active",
        /// Cannot log in for now.
        Suspended = 3 "suspended",
        /// Cannot log in any more.
        Removed = 4 "removed",
        /// Never came.
        Revoked = 5 "revoked",
    }
}

/// State of a member.
#[derive(Debug, Default)]
pub struct Member {
    /// `None` before anything happened.
    pub status: Option<MemberStatus>,
    /// `None` before anything happened.
    pub role: Option<Role>,
    /// Of the invitation.
    pub expires_at_us: i64,
    /// How often all logins that were there have ended, because of another password. A login knows the number it began
    /// with.
    pub passwords: u32,
    /// The one login that went on at the last time.
    pub kept_session: Option<Uuid>,
    /// Names the hash of the password; `None` = of the one that they joined with, which has the member's id.
    pub credential: Option<Uuid>,
    /// Only a new password logs in.
    pub must_reset: bool,
    /// The link that is out for a new password.
    pub reset: Option<password::Reset>,
    /// Name and address, sealed.
    pub people: Vec<Sealed<Person>>,
}

impl Aggregate for Member {
    type Event = MemberEvent;
    const STREAM: &'static str = "member";
    fn apply(&mut self, event: MemberEvent) {
        match event {
            MemberEvent::Registered(e) => {
                (self.status, self.role) = (Some(MemberStatus::Active), Some(e.role));
                self.people = vec![e.person];
            }
            MemberEvent::Invited(e) => {
                (self.status, self.role) = (Some(MemberStatus::Invited), Some(e.role));
                self.expires_at_us = e.expires_at_us;
                self.people = vec![e.person];
            }
            MemberEvent::InvitationRevoked(_) => self.status = Some(MemberStatus::Revoked),
            MemberEvent::Joined(e) => {
                self.status = Some(MemberStatus::Active);
                self.people.push(e.person);
                self.credential = None;
                self.all_logins_end(None);
            }
            MemberEvent::Reinstated(_) => self.status = Some(MemberStatus::Active),
            MemberEvent::RoleChanged(e) => self.role = Some(e.to),
            MemberEvent::Suspended(_) => self.status = Some(MemberStatus::Suspended),
            MemberEvent::Removed(_) => self.status = Some(MemberStatus::Removed),
            MemberEvent::PasswordChanged(e) => {
                self.credential = Some(e.credential);
                self.all_logins_end(e.kept_session);
            }
            MemberEvent::PasswordResetRequired(e) => {
                self.all_logins_end(None);
                self.must_reset = true;
                self.reset = Some(password::Reset { secret_hash: e.secret_hash, expires_at_us: e.expires_at_us });
            }
            MemberEvent::PasswordResetRequested(e) => {
                self.reset = Some(password::Reset { secret_hash: e.secret_hash, expires_at_us: e.expires_at_us });
            }
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<MemberEvent> {
        tests::samples()
    }
}

impl Member {
    fn all_logins_end(&mut self, but: Option<Uuid>) {
        self.passwords += 1;
        self.kept_session = but;
        (self.must_reset, self.reset) = (false, None);
    }

    /// Whether a login of this member that began when `passwords` was this goes on.
    pub fn keeps(&self, session: Uuid, passwords: u32) -> bool {
        self.passwords == passwords || self.kept_session == Some(session)
    }

    fn must_be(&self, allowed: &[MemberStatus]) -> Result<(), Rejection> {
        match self.status {
            None => Err(Rejection::new("member.unknown")),
            Some(status) if allowed.contains(&status) => Ok(()),
            Some(_) => Err(Rejection::new("member.wrong_state")),
        }
    }
}

/// Invites somebody by mail. Unique by address: the member's stream id is the subject behind it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteMember {
    /// As the colleague will see it until they change it, at most 80 characters.
    pub name: String,
    /// Where the invitation goes.
    pub email: String,
    /// What they will be.
    pub role: Role,
}

impl Command for InviteMember {
    type On = On<Member>;
    const NAME: &'static str = "invite_member";
    const ROUTE: Route = Route::create("/v1/members");
    const PERMISSION: Permission = Permission("member.invite");
    const REJECTS: &'static [&'static str] = &[
        "member.bad_email", "member.bad_role", "member.already_invited", "member.already_member", "member.owner_only",
        "text.required", "text.too_long", "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        Ok(vec![ctx.world.subject_for("member", &email)])
    }
    fn decide(self, member: &On<Member>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let name = text::line(&self.name, "/name", 80)?;
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        if !self.role.is_for_members() {
            return Err(Rejection::at("member.bad_role", "/role"));
        }
        if self.role == Role::Owner {
            return Err(Rejection::at("member.owner_only", "/role"));
        }
        match member.status {
            Some(MemberStatus::Invited) if ctx.now_us < member.expires_at_us => {
                return Err(Rejection::at("member.already_invited", "/email"));
            }
            Some(MemberStatus::Active | MemberStatus::Suspended) => {
                return Err(Rejection::at("member.already_member", "/email"));
            }
            _ => {}
        }
        let person = Person { name, email, ..Person::default() };
        Ok(vec![member.emit(Invited {
            person: ctx.seal(member.id, &person),
            role: self.role,
            secret_hash: ctx.world.secret("inv", member.id),
            expires_at_us: ctx.now_us + INVITATION_US,
        })])
    }
}

/// Withdraws an invitation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeInvitation {}

impl Command for RevokeInvitation {
    type On = On<Member>;
    const NAME: &'static str = "revoke_invitation";
    const ROUTE: Route = Route::post("/v1/members/{id}/revoke_invitation");
    const PERMISSION: Permission = Permission("member.invite");
    const REJECTS: &'static [&'static str] = &["member.unknown", "member.wrong_state"];
    fn decide(self, member: &On<Member>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Invited])?;
        Ok(vec![member.emit(InvitationRevoked {})])
    }
}

/// Accepts an invitation; sent by who holds its link. One of two at once wins.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// As it will stand in the history, at most 80 characters.
    pub name: String,
    /// 15 to 128 characters.
    pub password: String,
}

impl Command for AcceptInvitation {
    type On = (On<Member>, On<Tenant>);
    const NAME: &'static str = "accept_invitation";
    const ROUTE: Route = Route::post("/v1/invitations/{token}/accept");
    const PERMISSION: Permission = Permission("invitation.accept");
    const REJECTS: &'static [&'static str] = &[
        "member.unknown", "member.invitation_expired", "member.invitation_gone", "member.password_too_short",
        "member.password_too_long", "member.password_common", "member.password_personal", "member.password_pattern",
        "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (member, tenant): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        match member.status {
            None => return Err(Rejection::new("member.unknown")),
            Some(MemberStatus::Invited) if ctx.now_us < member.expires_at_us => {}
            Some(MemberStatus::Invited) => return Err(Rejection::new("member.invitation_expired")),
            Some(_) => return Err(Rejection::new("member.invitation_gone")),
        }
        let name = text::line(&self.name, "/name", 80)?;
        password::check(&self.password, member, tenant, &[&name], ctx)?;
        ctx.world.set_password(member.id, member.id, &self.password);
        // The address is in the invitation; what is empty here stays as it was.
        Ok(vec![member.emit(Joined { person: ctx.seal(member.id, &Person { name, ..Person::default() }) })])
    }
}

/// Gives a member another role.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRole {
    /// What they will be.
    pub role: Role,
}

impl Command for ChangeRole {
    type On = (On<Member>, On<Owners>);
    const NAME: &'static str = "change_role";
    const ROUTE: Route = Route::put("/v1/members/{id}/role");
    const PERMISSION: Permission = Permission("member.change_role");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "member.unknown", "member.wrong_state", "member.bad_role", "member.owner_only",
        "member.last_owner",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (member, owners): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Active, MemberStatus::Suspended, MemberStatus::Invited])?;
        if !self.role.is_for_members() {
            return Err(Rejection::at("member.bad_role", "/role"));
        }
        let from = member.role.ok_or(Rejection::new("member.unknown"))?;
        if from == self.role {
            return Ok(vec![]);
        }
        only_owners_touch_owners(ctx, from, self.role)?;
        if self.role == Role::Owner && member.status != Some(MemberStatus::Active) {
            return Err(Rejection::new("member.wrong_state"));
        }
        // A suspended owner has left the boundary already.
        let was_owner = from == Role::Owner && member.status == Some(MemberStatus::Active);
        let boundary = owners.moved(member.id, was_owner, self.role == Role::Owner)?;
        Ok([Some(member.emit(RoleChanged { from, to: self.role })), boundary].into_iter().flatten().collect())
    }
}

fn only_owners_touch_owners(ctx: &Context, from: Role, to: Role) -> Result<(), Rejection> {
    let touches = from == Role::Owner || to == Role::Owner;
    if touches && !matches!(ctx.actor.role, Role::Owner | Role::System) {
        return Err(Rejection::new("member.owner_only"));
    }
    // Whoever comes and goes among the owners is decided by somebody who is certainly there.
    if touches { ctx.must_be_fresh() } else { Ok(()) }
}

/// Shuts a member out for now: sessions, tokens and links end at once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendMember {
    /// Shown in the trail, at most 400 characters.
    pub reason: String,
}

impl Command for SuspendMember {
    type On = (On<Member>, On<Owners>);
    const NAME: &'static str = "suspend_member";
    const ROUTE: Route = Route::post("/v1/members/{id}/suspend");
    const PERMISSION: Permission = Permission("member.suspend");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "member.unknown", "member.wrong_state", "member.owner_only", "member.last_owner",
        "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (member, owners): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Active])?;
        let reason = text::line(&self.reason, "/reason", 400)?;
        let role = member.role.ok_or(Rejection::new("member.unknown"))?;
        only_owners_touch_owners(ctx, role, role)?;
        // A suspended owner cannot act, so the company would be without one.
        let boundary = owners.moved(member.id, role == Role::Owner, false)?;
        Ok([Some(member.emit(Suspended { reason })), boundary].into_iter().flatten().collect())
    }
}

/// Lets a suspended member in again.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReinstateMember {}

impl Command for ReinstateMember {
    type On = (On<Member>, On<Owners>);
    const NAME: &'static str = "reinstate_member";
    const ROUTE: Route = Route::post("/v1/members/{id}/reinstate");
    const PERMISSION: Permission = Permission("member.suspend");
    const REJECTS: &'static [&'static str] =
        &["access.confirm_first", "member.unknown", "member.wrong_state", "member.owner_only"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (member, owners): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Suspended])?;
        let role = member.role.ok_or(Rejection::new("member.unknown"))?;
        only_owners_touch_owners(ctx, role, role)?;
        let boundary = owners.moved(member.id, false, role == Role::Owner)?;
        Ok([Some(member.emit(Reinstated {})), boundary].into_iter().flatten().collect())
    }
}

/// Takes a member out of the company; what they did stays theirs in the history (ML-15).
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveMember {}

impl Command for RemoveMember {
    type On = (On<Member>, On<Owners>);
    const NAME: &'static str = "remove_member";
    const ROUTE: Route = Route::post("/v1/members/{id}/remove");
    const PERMISSION: Permission = Permission("member.remove");
    const REJECTS: &'static [&'static str] =
        &["access.confirm_first", "member.unknown", "member.wrong_state", "member.owner_only", "member.last_owner"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (member, owners): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Active, MemberStatus::Suspended])?;
        let role = member.role.ok_or(Rejection::new("member.unknown"))?;
        only_owners_touch_owners(ctx, role, role)?;
        let was_owner = role == Role::Owner && member.status == Some(MemberStatus::Active);
        let boundary = owners.moved(member.id, was_owner, false)?;
        Ok([Some(member.emit(Removed {})), boundary].into_iter().flatten().collect())
    }
}
