//! Permission sets: what a company lets some of its members do, where none of the fixed roles fits. A member's role is one
//! of the fixed ones or one of these ([`RoleChoice`]); beside the set they may what everybody in the company may.
//!
//! Invariants: a set holds no right over people, rights or security, and nothing that only an owner may
//! ([`Permission::is_grantable`]); nobody makes or gives a set with a permission that they do not have; a set that somebody
//! holds is not deleted. Names are unique in a company: the boundary `permission_sets/<tenant>` knows names and holders, and
//! every command that names, gives or takes a set writes it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::{Permission, Permissions, Role};
use crate::{events, text};

/// Most sets of a company.
pub const SETS_MAX: usize = 50;

events! {
    /// What happens to a permission set.
    PermissionSetEvent {
        Defined = "permission_set.defined" v 1;
        Changed = "permission_set.changed" v 1;
        Deleted = "permission_set.deleted" v 1;
    }
}

/// A new set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Defined {
    /// What people call it.
    pub name: String,
    /// Sorted, each once.
    pub permissions: Vec<String>,
}

/// The set after the change; it holds for everybody who has it, from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// What people call it.
    pub name: String,
    /// Sorted, each once.
    pub permissions: Vec<String>,
}

/// Nobody can be given it any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deleted {}

/// State of a permission set.
#[derive(Debug, Default)]
pub struct PermissionSet {
    /// What people call it.
    pub name: String,
    /// As named in the last event.
    pub permissions: Vec<String>,
    /// Nobody can be given it any more.
    pub deleted: bool,
}

impl Aggregate for PermissionSet {
    type Event = PermissionSetEvent;
    const STREAM: &'static str = "permission_set";
    fn apply(&mut self, event: PermissionSetEvent) {
        match event {
            PermissionSetEvent::Defined(e) => (self.name, self.permissions) = (e.name, e.permissions),
            PermissionSetEvent::Changed(e) => (self.name, self.permissions) = (e.name, e.permissions),
            PermissionSetEvent::Deleted(_) => self.deleted = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<PermissionSetEvent> {
        tests::samples()
    }
}

impl PermissionSet {
    /// What whoever holds it may.
    pub fn rights(&self) -> Permissions {
        Permissions::named(self.permissions.iter().map(String::as_str))
    }
}

impl On<PermissionSet> {
    fn must_live(&self) -> Result<(), Rejection> {
        match (self.exists(), self.deleted) {
            (false, _) => Err(Rejection::new("permission_set.unknown")),
            (_, true) => Err(Rejection::new("permission_set.gone")),
            _ => Ok(()),
        }
    }

    /// Whether it can be given to somebody by whoever acts.
    pub fn must_be_given_by(&self, ctx: &Context) -> Result<(), Rejection> {
        if !self.exists() || self.deleted {
            return Err(Rejection::at("member.bad_role", "/role"));
        }
        match self.permissions.iter().any(|name| !has(ctx, name)) {
            true => Err(Rejection::at("permission_set.beyond_own", "/role")),
            false => Ok(()),
        }
    }
}

/// Whether whoever acts has this permission. One that no set can hold any more gives nobody anything.
fn has(ctx: &Context, name: &str) -> bool {
    Permission::grantable().find(|p| p.0 == name).is_none_or(|permission| ctx.actor.may(permission))
}

events! {
    /// Which sets a company has and who holds them.
    PermissionSetsEvent {
        Named = "permission_sets.named" v 1;
        Dropped = "permission_sets.dropped" v 1;
        Given = "permission_sets.given" v 1;
        Taken = "permission_sets.taken" v 1;
    }
}

/// A set has this name now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Named {
    /// Which.
    pub permission_set: Uuid,
    /// What people call it.
    pub name: String,
}

/// One set fewer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dropped {
    /// Which.
    pub permission_set: Uuid,
}

/// A member holds this set from now on, and no other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Given {
    /// Which.
    pub permission_set: Uuid,
    /// To whom.
    pub member: Uuid,
}

/// A member holds no set any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// From whom.
    pub member: Uuid,
}

/// The boundary `permission_sets/<tenant>`.
#[derive(Debug, Default)]
pub struct PermissionSets {
    names: BTreeMap<Uuid, String>,
    holders: BTreeMap<Uuid, Uuid>,
}

impl Aggregate for PermissionSets {
    type Event = PermissionSetsEvent;
    const STREAM: &'static str = "permission_sets";
    fn apply(&mut self, event: PermissionSetsEvent) {
        match event {
            PermissionSetsEvent::Named(e) => drop(self.names.insert(e.permission_set, e.name)),
            PermissionSetsEvent::Dropped(e) => drop(self.names.remove(&e.permission_set)),
            PermissionSetsEvent::Given(e) => drop(self.holders.insert(e.member, e.permission_set)),
            PermissionSetsEvent::Taken(e) => drop(self.holders.remove(&e.member)),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<PermissionSetsEvent> {
        tests::boundary_samples()
    }
}

impl On<PermissionSets> {
    /// The event that this change needs on the boundary.
    pub fn moved(&self, member: Uuid, to: Option<Uuid>) -> Option<Emit> {
        match to {
            to if self.holders.get(&member).copied() == to => None,
            Some(permission_set) => Some(self.emit(Given { permission_set, member })),
            None => Some(self.emit(Taken { member })),
        }
    }

    fn must_be_free(&self, set: Uuid, name: &str) -> Result<(), Rejection> {
        let same = |other: &String| other.to_lowercase() == name.to_lowercase();
        match self.names.iter().any(|(id, other)| *id != set && same(other)) {
            true => Err(Rejection::at("permission_set.name_taken", "/name")),
            false => Ok(()),
        }
    }
}

/// What somebody is to be. In JSON the name of a fixed role, or the id of one of the company's own permission sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleChoice {
    /// One of the fixed roles.
    Fixed(Role),
    /// One of the company's own sets.
    Own(Uuid),
}

impl RoleChoice {
    /// The role.
    pub fn role(self) -> Role {
        match self {
            RoleChoice::Fixed(role) => role,
            RoleChoice::Own(_) => Role::Custom,
        }
    }

    /// The set, if it is one.
    pub fn set(self) -> Option<Uuid> {
        match self {
            RoleChoice::Fixed(_) => None,
            RoleChoice::Own(set) => Some(set),
        }
    }

    /// Whether whoever acts can give it, `set` being the one that it names.
    pub fn check(self, set: &On<PermissionSet>, ctx: &Context) -> Result<(), Rejection> {
        match self {
            RoleChoice::Own(_) => set.must_be_given_by(ctx),
            RoleChoice::Fixed(role) if role.is_for_members() => Ok(()),
            RoleChoice::Fixed(_) => Err(Rejection::at("member.bad_role", "/role")),
        }
    }
}

impl From<Role> for RoleChoice {
    fn from(role: Role) -> RoleChoice {
        RoleChoice::Fixed(role)
    }
}

impl<'de> Deserialize<'de> for RoleChoice {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        let set = || Uuid::parse_str(&text).ok().filter(|id| id.to_string() == *text).map(RoleChoice::Own);
        let role = Role::from_name(&text).map(RoleChoice::Fixed).or_else(set);
        role.ok_or_else(|| serde::de::Error::custom("neither a role nor the id of a permission set"))
    }
}

/// Makes a permission set.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefinePermissionSet {
    /// What people call it, at most 40 characters; no two sets have the same.
    pub name: String,
    /// `noun.verb`, at least one. What changes a thing needs the permission to see it.
    #[serde(default)]
    pub permissions: Vec<String>,
}

/// The name and the permissions, checked and sorted.
fn check(
    name: &str,
    mut permissions: Vec<String>,
    set: Uuid,
    sets: &On<PermissionSets>,
    ctx: &Context,
) -> Result<(String, Vec<String>), Rejection> {
    let name = text::line(name, "/name", 40)?;
    sets.must_be_free(set, &name)?;
    if permissions.is_empty() {
        return Err(Rejection::at("permission_set.no_permissions", "/permissions"));
    }
    for (i, text) in permissions.iter().enumerate() {
        let pointer = format!("/permissions/{i}");
        let Some(permission) = Permission::grantable().find(|p| p.0 == text) else {
            return Err(Rejection::at("permission_set.unknown_permission", pointer));
        };
        if !ctx.actor.may(permission) {
            return Err(Rejection::at("permission_set.beyond_own", pointer));
        }
        if let Some(needed) = permission.needs().filter(|needed| !permissions.iter().any(|p| p == needed.0)) {
            return Err(Rejection::expected("permission_set.needs_read", pointer, needed.0));
        }
    }
    permissions.sort();
    permissions.dedup();
    Ok((name, permissions))
}

impl Command for DefinePermissionSet {
    type On = (On<PermissionSet>, On<PermissionSets>);
    const NAME: &'static str = "define_permission_set";
    const ROUTE: Route = Route::create("/v1/permission_sets");
    const PERMISSION: Permission = Permission("permission_set.define");
    const REJECTS: &'static [&'static str] = &[
        "permission_set.too_many",
        "permission_set.name_taken",
        "permission_set.no_permissions",
        "permission_set.unknown_permission",
        "permission_set.beyond_own",
        "permission_set.needs_read",
        "text.required",
        "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (set, sets): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if sets.names.len() >= SETS_MAX {
            return Err(Rejection::new("permission_set.too_many"));
        }
        let (name, permissions) = check(&self.name, self.permissions, set.id, sets, ctx)?;
        let named = Named { permission_set: set.id, name: name.clone() };
        Ok(vec![set.emit(Defined { name, permissions }), sets.emit(named)])
    }
}

/// Replaces a set's name and permissions. Whoever holds it may from now on what it says then.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePermissionSet {
    /// What people call it, at most 40 characters; no two sets have the same.
    pub name: String,
    /// `noun.verb`, at least one. What changes a thing needs the permission to see it.
    #[serde(default)]
    pub permissions: Vec<String>,
}

impl Command for ChangePermissionSet {
    type On = (On<PermissionSet>, On<PermissionSets>);
    const NAME: &'static str = "change_permission_set";
    const ROUTE: Route = Route::put("/v1/permission_sets/{id}");
    const PERMISSION: Permission = Permission("permission_set.define");
    const REJECTS: &'static [&'static str] = &[
        "permission_set.unknown",
        "permission_set.gone",
        "permission_set.name_taken",
        "permission_set.no_permissions",
        "permission_set.unknown_permission",
        "permission_set.beyond_own",
        "permission_set.needs_read",
        "text.required",
        "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (set, sets): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        set.must_live()?;
        let (name, permissions) = check(&self.name, self.permissions, set.id, sets, ctx)?;
        if (&name, &permissions) == (&set.name, &set.permissions) {
            return Ok(vec![]);
        }
        let renamed = (name != set.name).then(|| sets.emit(Named { permission_set: set.id, name: name.clone() }));
        Ok([Some(set.emit(Changed { name, permissions })), renamed].into_iter().flatten().collect())
    }
}

/// Deletes a set that nobody holds, invited people included.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeletePermissionSet {}

impl Command for DeletePermissionSet {
    type On = (On<PermissionSet>, On<PermissionSets>);
    const NAME: &'static str = "delete_permission_set";
    const ROUTE: Route = Route::post("/v1/permission_sets/{id}/delete");
    const PERMISSION: Permission = Permission("permission_set.define");
    const REJECTS: &'static [&'static str] =
        &["permission_set.unknown", "permission_set.gone", "permission_set.in_use"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (set, sets): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        set.must_live()?;
        if sets.holders.values().any(|held| *held == set.id) {
            return Err(Rejection::new("permission_set.in_use"));
        }
        Ok(vec![set.emit(Deleted {}), sets.emit(Dropped { permission_set: set.id })])
    }
}
