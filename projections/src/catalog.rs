//! Every projection and every query, in one visible list. Routes, OpenAPI paths, permission matrix and guard sweep are
//! built from it, as from the commands' catalog.

use crate::query::Query;
use crate::runner::Projection;
use crate::{client, delivery, document, event, kiosk, mail, member, tenant, token, visit};

/// Folded in this order.
pub static PROJECTIONS: &[Projection] = &[
    tenant::PROJECTION,
    member::PROJECTION,
    client::PROJECTION,
    document::PROJECTION,
    delivery::PROJECTION,
    visit::PROJECTION,
    kiosk::PROJECTION,
    token::PROJECTION,
    mail::PROJECTION,
    event::PROJECTION,
];

/// Whoever needs to see every query.
pub trait VisitQueries {
    /// One query.
    fn query<Q: Query>(&mut self);
}

/// The list.
pub fn queries(v: &mut impl VisitQueries) {
    v.query::<tenant::GetTenant>();
    v.query::<member::ListMembers>();
    v.query::<member::GetMember>();
    v.query::<client::ListClients>();
    v.query::<client::GetClient>();
    v.query::<document::ListDocuments>();
    v.query::<document::GetDocument>();
    v.query::<delivery::ListDeliveries>();
    v.query::<delivery::GetDelivery>();
    v.query::<visit::ListVisits>();
    v.query::<visit::GetVisit>();
    v.query::<kiosk::ListKiosks>();
    v.query::<kiosk::GetKiosk>();
    v.query::<token::ListTokens>();
    v.query::<token::GetToken>();
    v.query::<mail::ListMails>();
    v.query::<mail::GetMail>();
    v.query::<event::ListEvents>();
    v.query::<event::GetEvent>();
}
