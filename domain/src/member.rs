//! Members: the people of a company. A member's id is the random subject id behind their address, so inviting the same
//! address twice meets the same stream, and erasing the person erases what is sealed under that id.
//!
//! Boundary: the last owner cannot go (`owners.rs`).

mod commands;
mod old;
pub mod password;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::commands::*;
use self::old::*;
use crate::command::{Aggregate, Command, Emit, On, Rejection};
use crate::owners::Owners;
use crate::role::Role;
use crate::sealed::{Person, Sealed};
use crate::{codes, events};

/// An invitation can be accepted for this long (ML-41).
pub const INVITATION_US: i64 = 72 * 3_600 * 1_000_000;

events! {
    /// What happens to a member.
    MemberEvent {
        Registered = "member.registered" v 1;
        Invited = "member.invited" v 2, was InvitedV1 v 1;
        InvitationRevoked = "member.invitation_revoked" v 2, was InvitationRevokedV1 v 1;
        InvitationExpired = "member.invitation_expired" v 1;
        Joined = "member.joined" v 2, was JoinedV1 v 1;
        RoleChanged = "member.role_changed" v 2, was RoleChangedV1 v 1;
        Suspended = "member.suspended" v 2, was SuspendedV1 v 1;
        Reinstated = "member.reinstated" v 1;
        Removed = "member.removed" v 1;
        PasswordChanged = "member.password_changed" v 1;
        PasswordResetRequired = "member.password_reset_required" v 1;
        PasswordResetRequested = "member.password_reset_requested" v 1;
    }
}

/// Somebody made an account for themselves: the owner who signed the company up, or a customer by a link that was mailed
/// to them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// Name and address.
    pub person: Sealed<Person>,
    /// Owner or recipient.
    pub role: Role,
}

/// Somebody was invited by mail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Invited {
    /// Name and address.
    pub person: Sealed<Person>,
    /// What they will be.
    pub role: Role,
    /// Which set of the company, where the role is [`Role::Custom`].
    pub permission_set: Option<Uuid>,
    /// Which member invited them.
    pub invited_by: Option<Uuid>,
    /// SHA-256 of the link's secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
}

/// The invitation was withdrawn before it was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InvitationRevoked {
    /// Who was invited, as the invitation had it.
    pub invited: Option<Sealed<Person>>,
    /// Which member had invited them.
    pub invited_by: Option<Uuid>,
}

/// Nobody accepted the invitation in time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InvitationExpired {
    /// Who was invited, as the invitation had it.
    pub invited: Option<Sealed<Person>>,
    /// Which member had invited them.
    pub invited_by: Option<Uuid>,
}

/// The invitation was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// Name as the person gave it; empty fields stay as they were.
    pub person: Sealed<Person>,
    /// Who was invited, as the invitation had it.
    pub invited: Option<Sealed<Person>>,
    /// Which member had invited them.
    pub invited_by: Option<Uuid>,
}

/// Another role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoleChanged {
    /// Before.
    pub from: Role,
    /// After.
    pub to: Role,
    /// Which set of the company, where the role before was [`Role::Custom`].
    pub from_permission_set: Option<Uuid>,
    /// Which set of the company, where the role is [`Role::Custom`].
    pub to_permission_set: Option<Uuid>,
}

/// No access until reinstated, and all logins are over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suspended {
    /// Why.
    pub reason: String,
    /// Somebody else may be acting in their name: their tokens are over, too, and only who was called back under a number
    /// that the company knew before is let in again.
    pub emergency: bool,
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
        /// The invitation was withdrawn.
        Revoked = 5 "revoked",
        /// The invitation was not accepted in time.
        Expired = 6 "expired",
    }
}

/// State of a member.
#[derive(Debug, Default)]
pub struct Member {
    /// `None` before anything happened.
    pub status: Option<MemberStatus>,
    /// `None` before anything happened.
    pub role: Option<Role>,
    /// Which set of the company, where the role is [`Role::Custom`].
    pub permission_set: Option<Uuid>,
    /// Who invited them.
    pub invited_by: Option<Uuid>,
    /// Of the invitation.
    pub expires_at_us: i64,
    /// How often all logins that were there have ended, because of another password or a suspension. A login knows the
    /// number it began with.
    pub passwords: u32,
    /// The one login that went on at the last time.
    pub kept_session: Option<Uuid>,
    /// Names the hash of the password; `None` = of the one that they joined with, which has the member's id.
    pub credential: Option<Uuid>,
    /// Only a new password logs in.
    pub must_reset: bool,
    /// The link that is out for a new password.
    pub reset: Option<password::Reset>,
    /// How often they were suspended.
    pub suspensions: u32,
    /// Suspended because somebody else may be acting in their name, and not let in again since.
    pub emergency: bool,
    /// Name and address, sealed.
    pub people: Vec<Sealed<Person>>,
}

impl Aggregate for Member {
    type Event = MemberEvent;
    const STREAM: &'static str = "member";
    fn apply(&mut self, event: MemberEvent) {
        match event {
            MemberEvent::Registered(e) => {
                if self.status.is_some() {
                    // Somebody who was here before begins anew.
                    (self.credential, self.permission_set, self.emergency) = (None, None, false);
                    self.all_logins_end(None);
                }
                (self.status, self.role) = (Some(MemberStatus::Active), Some(e.role));
                self.people = vec![e.person];
            }
            MemberEvent::Invited(e) => {
                (self.status, self.role) = (Some(MemberStatus::Invited), Some(e.role));
                (self.permission_set, self.invited_by) = (e.permission_set, e.invited_by);
                (self.expires_at_us, self.emergency) = (e.expires_at_us, false);
                self.people = vec![e.person];
            }
            MemberEvent::InvitationRevoked(_) => self.status = Some(MemberStatus::Revoked),
            MemberEvent::InvitationExpired(_) => self.status = Some(MemberStatus::Expired),
            MemberEvent::Joined(e) => {
                self.status = Some(MemberStatus::Active);
                self.people.push(e.person);
                self.credential = None;
                self.all_logins_end(None);
            }
            MemberEvent::Reinstated(_) => (self.status, self.emergency) = (Some(MemberStatus::Active), false),
            MemberEvent::RoleChanged(e) => (self.role, self.permission_set) = (Some(e.to), e.to_permission_set),
            MemberEvent::Suspended(e) => {
                (self.status, self.emergency) = (Some(MemberStatus::Suspended), e.emergency);
                self.suspensions += 1;
                (self.passwords, self.kept_session) = (self.passwords + 1, None);
            }
            MemberEvent::Removed(_) => {
                self.status = Some(MemberStatus::Removed);
                (self.passwords, self.kept_session) = (self.passwords + 1, None);
            }
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

    fn expired(&self) -> InvitationExpired {
        InvitationExpired { invited: self.people.first().cloned(), invited_by: self.invited_by }
    }

    fn must_be(&self, allowed: &[MemberStatus]) -> Result<(), Rejection> {
        match self.status {
            None => Err(Rejection::new("member.unknown")),
            Some(status) if allowed.contains(&status) => Ok(()),
            Some(_) => Err(Rejection::new("member.wrong_state")),
        }
    }
}
