//! Every command, aggregate and class of personal data, in one visible list. Routes, OpenAPI paths, permission matrix,
//! event catalogue, guard sweep and golden files are built from it.

use crate::command::{Aggregate, Command};
use crate::sealed::{Origin, Person, Personal};
use crate::{member, tenant};

/// Whoever needs to see all of it.
pub trait Visit {
    /// A command that is reached over HTTP.
    fn command<C: Command>(&mut self) {}
    /// An aggregate and its events.
    fn aggregate<A: Aggregate>(&mut self) {}
    /// A class of personal data.
    fn personal<P: Personal>(&mut self) {}
}

/// The list.
pub fn catalog(v: &mut impl Visit) {
    v.personal::<Person>();
    v.personal::<Origin>();

    v.aggregate::<tenant::Tenant>();
    v.command::<tenant::ChangeTenant>();

    v.aggregate::<member::Member>();
    v.aggregate::<member::Owners>();
    v.command::<member::InviteMember>();
    v.command::<member::RevokeInvitation>();
    v.command::<member::AcceptInvitation>();
    v.command::<member::ChangeRole>();
    v.command::<member::SuspendMember>();
    v.command::<member::ReinstateMember>();
    v.command::<member::RemoveMember>();
}
