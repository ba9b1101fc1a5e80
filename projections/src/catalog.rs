//! Every projection and every query, in one visible list. Routes, OpenAPI paths, permission matrix and guard sweep are
//! built from it, as from the commands' catalog.

use crate::query::Query;
use crate::runner::Projection;
use crate::{member, tenant};

/// Folded in this order.
pub static PROJECTIONS: &[Projection] = &[tenant::PROJECTION, member::PROJECTION];

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
}
