//! Every command, aggregate and class of personal data, in one visible list. Routes, OpenAPI paths, permission matrix,
//! event catalogue, guard sweep and golden files are built from it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::command::{Aggregate, Command};
use crate::role::{Permission, READS};
use crate::sealed::{Origin, Person, Personal};
use crate::{
    access, client, delivery, document, kiosk, log, mail, member, owners, provision, series, session, tenant, token,
    visit,
};

/// Whoever needs to see all of it.
pub trait Visit {
    /// A command. Those with [`crate::command::Route::internal`] are sent by the server alone.
    fn command<C: Command>(&mut self) {}
    /// An aggregate and its events.
    fn aggregate<A: Aggregate>(&mut self) {}
    /// A class of personal data.
    fn personal<P: Personal>(&mut self) {}
}

/// Every permission that commands and queries ask for.
pub fn permissions() -> BTreeSet<Permission> {
    struct Collect(BTreeSet<Permission>);
    impl Visit for Collect {
        fn command<C: Command>(&mut self) {
            self.0.insert(C::PERMISSION);
        }
    }
    let mut all = Collect(READS.iter().copied().collect());
    catalog(&mut all);
    all.0
}

/// Every scope that an access token can have. None lets it make tokens, with more scopes than its own.
pub fn scopes() -> BTreeSet<String> {
    let grantable = |p: &Permission| !p.is_outside() && (p.noun() != "token" || p.reads());
    permissions().into_iter().filter(grantable).map(Permission::scope).collect()
}

/// The list.
pub fn catalog(v: &mut impl Visit) {
    v.personal::<Person>();
    v.personal::<Origin>();

    v.aggregate::<provision::Slug>();
    v.command::<provision::TakeSlug>();

    v.aggregate::<tenant::Tenant>();
    v.command::<tenant::ChangeTenant>();

    v.aggregate::<member::Member>();
    v.aggregate::<owners::Owners>();
    v.command::<member::InviteMember>();
    v.command::<member::RevokeInvitation>();
    v.command::<member::AcceptInvitation>();
    v.command::<member::ChangeRole>();
    v.command::<member::SuspendMember>();
    v.command::<member::ReinstateMember>();
    v.command::<member::RemoveMember>();

    v.aggregate::<client::Client>();
    v.command::<client::RegisterClient>();
    v.command::<client::ChangeClient>();
    v.command::<client::ArchiveClient>();

    v.aggregate::<document::Document>();
    v.aggregate::<series::Series>();
    v.command::<document::DraftDocument>();
    v.command::<document::SetLines>();
    v.command::<document::ChangeDocument>();
    v.command::<document::IssueDocument>();
    v.command::<document::CorrectDocument>();
    v.command::<document::CancelDocument>();
    v.command::<document::RecordPayment>();

    v.aggregate::<delivery::Delivery>();
    v.command::<delivery::SendDocument>();
    v.command::<delivery::RevokeLink>();
    v.command::<delivery::OpenLink>();
    v.command::<delivery::RefuseOpen>();
    v.command::<delivery::ExpireLink>();

    v.aggregate::<visit::Visit>();
    v.command::<visit::RegisterVisit>();
    v.command::<visit::ChangeVisit>();
    v.command::<visit::CancelVisit>();
    v.command::<visit::ReceiveVisitor>();
    v.command::<visit::ReleaseVisitor>();
    v.command::<visit::CheckIn>();
    v.command::<visit::CheckOut>();
    v.command::<visit::WalkIn>();

    v.aggregate::<kiosk::Kiosk>();
    v.command::<kiosk::PairKiosk>();
    v.command::<kiosk::RevokeKiosk>();

    v.aggregate::<token::Token>();
    v.command::<token::IssueToken>();
    v.command::<token::RevokeToken>();

    v.aggregate::<session::Session>();
    v.command::<session::StartSession>();
    v.command::<session::EndSession>();
    v.command::<session::RefuseLogin>();

    v.aggregate::<access::Access>();
    v.command::<access::RecordDenial>();

    v.aggregate::<mail::Mail>();
    v.command::<mail::RecordMail>();

    v.aggregate::<log::Log>();
    v.command::<log::RecordExport>();
}
