//! Events of members as they were written once. Frozen: each is read as its newest version.

use serde::{Deserialize, Serialize};

use super::{InvitationRevoked, Invited, Joined, RoleChanged, Suspended};
use crate::role::Role;
use crate::sealed::{Person, Sealed};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InvitedV1 {
    pub person: Sealed<Person>,
    pub role: Role,
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    pub expires_at_us: i64,
}

impl From<InvitedV1> for Invited {
    fn from(old: InvitedV1) -> Invited {
        let InvitedV1 { person, role, secret_hash, expires_at_us } = old;
        Invited { person, role, permission_set: None, invited_by: None, secret_hash, expires_at_us }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InvitationRevokedV1 {}

impl From<InvitationRevokedV1> for InvitationRevoked {
    fn from(_: InvitationRevokedV1) -> InvitationRevoked {
        InvitationRevoked { invited: None, invited_by: None }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JoinedV1 {
    pub person: Sealed<Person>,
}

impl From<JoinedV1> for Joined {
    fn from(old: JoinedV1) -> Joined {
        Joined { person: old.person, invited: None, invited_by: None }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoleChangedV1 {
    pub from: Role,
    pub to: Role,
}

impl From<RoleChangedV1> for RoleChanged {
    fn from(old: RoleChangedV1) -> RoleChanged {
        RoleChanged { from: old.from, to: old.to, from_permission_set: None, to_permission_set: None }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SuspendedV1 {
    pub reason: String,
}

impl From<SuspendedV1> for Suspended {
    fn from(old: SuspendedV1) -> Suspended {
        Suspended { reason: old.reason, emergency: false }
    }
}
