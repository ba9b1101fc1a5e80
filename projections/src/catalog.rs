//! Seeing every query. Routes, OpenAPI paths, permission matrix and guard sweep are built from the two visible lists,
//! [`crate::PROJECTIONS`] and [`crate::queries`].

use crate::query::Query;
pub use crate::{PROJECTIONS, queries};

/// Whoever needs to see every query.
pub trait VisitQueries {
    /// One query.
    fn query<Q: Query>(&mut self);
}
