//! What is done to members: invite, let in, change roles, suspend, remove.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::*;
use crate::command::Route;
use crate::context::Context;
use crate::identity::Identity;
use crate::permission_set::{PermissionSet, PermissionSets, RoleChoice};
use crate::role::Permission;
use crate::tenant::Tenant;
use crate::text;

/// Invites somebody by mail. Unique by address: the member's stream id is the subject behind it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteMember {
    /// As the colleague will see it until they change it, at most 80 characters.
    pub name: String,
    /// Where the invitation goes.
    pub email: String,
    /// What they will be: the name of a role, or the id of one of the company's own permission sets.
    #[schema(value_type = String)]
    pub role: RoleChoice,
}

impl Command for InviteMember {
    type On = (On<Member>, On<PermissionSets>, On<PermissionSet>);
    const NAME: &'static str = "invite_member";
    const ROUTE: Route = Route::create("/v1/members");
    const PERMISSION: Permission = Permission("member.invite");
    const REJECTS: &'static [&'static str] = &[
        "member.bad_email", "member.bad_role", "member.already_invited", "member.already_member", "member.owner_only",
        "permission_set.beyond_own", "text.required", "text.too_long", "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        Ok(vec![ctx.world.subject_for("member", &email), ctx.tenant, self.role.set().unwrap_or_default()])
    }
    fn decide(self, (member, sets, set): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let name = text::line(&self.name, "/name", 80)?;
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        self.role.check(set, ctx)?;
        if self.role.role() == Role::Owner {
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
        // The clock may have been faster than the server that writes it down.
        let expired = (member.status == Some(MemberStatus::Invited)).then(|| member.emit(member.expired()));
        let invited = member.emit(Invited {
            person: ctx.seal(member.id, &person),
            role: self.role.role(),
            permission_set: self.role.set(),
            invited_by: ctx.member,
            secret_hash: ctx.world.secret("inv", member.id),
            expires_at_us: ctx.now_us + INVITATION_US,
        });
        Ok([expired, Some(invited), sets.moved(member.id, self.role.set())].into_iter().flatten().collect())
    }
}

/// Withdraws an invitation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeInvitation {}

impl Command for RevokeInvitation {
    type On = (On<Member>, On<PermissionSets>);
    const NAME: &'static str = "revoke_invitation";
    const ROUTE: Route = Route::post("/v1/members/{id}/revoke_invitation");
    const PERMISSION: Permission = Permission("member.invite");
    const REJECTS: &'static [&'static str] = &["member.unknown", "member.wrong_state"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (member, sets): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Invited])?;
        let invited = member.people.first().cloned();
        let revoked = member.emit(InvitationRevoked { invited, invited_by: member.invited_by });
        Ok([Some(revoked), sets.moved(member.id, None)].into_iter().flatten().collect())
    }
}

/// Writes down that nobody accepted an invitation in time (ML-41, ML-44).
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpireInvitation {}

impl Command for ExpireInvitation {
    type On = (On<Member>, On<PermissionSets>);
    const NAME: &'static str = "expire_invitation";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("member.expire_invitation");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (member, sets): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if member.status != Some(MemberStatus::Invited) || ctx.now_us < member.expires_at_us {
            return Ok(vec![]);
        }
        let expired = member.emit(member.expired());
        Ok([Some(expired), sets.moved(member.id, None)].into_iter().flatten().collect())
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
            Some(MemberStatus::Invited | MemberStatus::Expired) => {
                return Err(Rejection::new("member.invitation_expired"));
            }
            Some(_) => return Err(Rejection::new("member.invitation_gone")),
        }
        let name = text::line(&self.name, "/name", 80)?;
        password::check(&self.password, member, tenant, &[&name], ctx)?;
        ctx.world.set_password(member.id, member.id, &self.password);
        // The address is in the invitation; what is empty here stays as it was.
        let person = ctx.seal(member.id, &Person { name, ..Person::default() });
        let invited = member.people.first().cloned();
        Ok(vec![member.emit(Joined { person, invited, invited_by: member.invited_by })])
    }
}

/// Gives a member another role.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRole {
    /// What they will be: the name of a role, or the id of one of the company's own permission sets.
    #[schema(value_type = String)]
    pub role: RoleChoice,
}

impl Command for ChangeRole {
    type On = (On<Member>, On<Owners>, On<PermissionSets>, On<PermissionSet>);
    const NAME: &'static str = "change_role";
    const ROUTE: Route = Route::put("/v1/members/{id}/role");
    const PERMISSION: Permission = Permission("member.change_role");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "member.unknown", "member.wrong_state", "member.bad_role", "member.is_recipient",
        "member.owner_only", "member.last_owner", "permission_set.beyond_own",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant, ctx.tenant, self.role.set().unwrap_or_default()])
    }
    fn decide(self, (member, owners, sets, set): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Active, MemberStatus::Suspended, MemberStatus::Invited])?;
        self.role.check(set, ctx)?;
        // A customer's account never turns into a colleague's: whoever joins is invited.
        if member.role == Some(Role::Recipient) {
            return Err(Rejection::at("member.is_recipient", "/role"));
        }
        let from = member.role.ok_or(Rejection::new("member.unknown"))?;
        let (to, to_permission_set) = (self.role.role(), self.role.set());
        if (from, member.permission_set) == (to, to_permission_set) {
            return Ok(vec![]);
        }
        only_owners_touch_owners(ctx, from, to)?;
        if to == Role::Owner && member.status != Some(MemberStatus::Active) {
            return Err(Rejection::new("member.wrong_state"));
        }
        // A suspended owner has left the boundary already.
        let was_owner = from == Role::Owner && member.status == Some(MemberStatus::Active);
        let boundary = owners.moved(member.id, was_owner, to == Role::Owner)?;
        let changed = RoleChanged { from, to, from_permission_set: member.permission_set, to_permission_set };
        let held = sets.moved(member.id, to_permission_set);
        Ok([Some(member.emit(changed)), boundary, held].into_iter().flatten().collect())
    }
}

pub(super) fn only_owners_touch_owners(ctx: &Context, from: Role, to: Role) -> Result<(), Rejection> {
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
    /// Somebody else may be acting in their name: their tokens end for good, too, and they are let in again only after a
    /// call to a number that the company knew before.
    #[serde(default)]
    pub emergency: bool,
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
        Ok([Some(member.emit(Suspended { reason, emergency: self.emergency })), boundary]
            .into_iter()
            .flatten()
            .collect())
    }
}

/// Lets a suspended member in again; after an emergency only once a call has confirmed that it is them who ask.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReinstateMember {}

impl Command for ReinstateMember {
    type On = (On<Member>, On<Owners>, On<Identity>);
    const NAME: &'static str = "reinstate_member";
    const ROUTE: Route = Route::post("/v1/members/{id}/reinstate");
    const PERMISSION: Permission = Permission("member.suspend");
    const REJECTS: &'static [&'static str] =
        &["access.confirm_first", "member.unknown", "member.wrong_state", "member.owner_only", "identity.check_first"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant, target])
    }
    fn decide(self, (member, owners, identity): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Suspended])?;
        let role = member.role.ok_or(Rejection::new("member.unknown"))?;
        only_owners_touch_owners(ctx, role, role)?;
        if member.emergency && identity.confirmed != Some(member.suspensions) {
            return Err(Rejection::new("identity.check_first"));
        }
        let boundary = owners.moved(member.id, false, role == Role::Owner)?;
        Ok([Some(member.emit(Reinstated {})), boundary].into_iter().flatten().collect())
    }
}

/// Takes a member out of the company; what they did stays theirs in the history (ML-15).
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveMember {}

impl Command for RemoveMember {
    type On = (On<Member>, On<Owners>, On<PermissionSets>);
    const NAME: &'static str = "remove_member";
    const ROUTE: Route = Route::post("/v1/members/{id}/remove");
    const PERMISSION: Permission = Permission("member.remove");
    const REJECTS: &'static [&'static str] =
        &["access.confirm_first", "member.unknown", "member.wrong_state", "member.owner_only", "member.last_owner"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant, ctx.tenant])
    }
    fn decide(self, (member, owners, sets): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.must_be(&[MemberStatus::Active, MemberStatus::Suspended])?;
        let role = member.role.ok_or(Rejection::new("member.unknown"))?;
        only_owners_touch_owners(ctx, role, role)?;
        let was_owner = role == Role::Owner && member.status == Some(MemberStatus::Active);
        let boundary = owners.moved(member.id, was_owner, false)?;
        let held = sets.moved(member.id, None);
        Ok([Some(member.emit(Removed {})), boundary, held].into_iter().flatten().collect())
    }
}
