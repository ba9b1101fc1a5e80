//! Seeing every command, aggregate and class of personal data. Routes, OpenAPI paths, permission matrix, event catalogue,
//! guard sweep and golden files are built from the one visible list, [`crate::nouns`].

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::command::{Aggregate, Command};
use crate::event::Event;
pub use crate::nouns as catalog;
use crate::role::Permission;
use crate::sealed::Personal;

/// Whoever needs to see all of it.
pub trait Visit {
    /// A command. Those with [`crate::command::Route::internal`] are sent by the server alone.
    fn command<C: Command>(&mut self) {}
    /// A permission that queries ask for; they are not known here.
    fn reading(&mut self, _permission: &'static str) {}
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
        fn reading(&mut self, permission: &'static str) {
            self.0.insert(Permission(permission));
        }
    }
    let mut all = Collect(BTreeSet::new());
    catalog(&mut all);
    all.0
}

/// Every kind of event that is written now or ever was, the log's own beside.
pub fn event_kinds() -> BTreeSet<&'static str> {
    struct Collect(BTreeSet<&'static str>);
    impl Visit for Collect {
        fn aggregate<A: Aggregate>(&mut self) {
            self.0.extend(A::Event::KINDS.iter().map(|(kind, _)| *kind));
        }
    }
    let mut all = Collect(BTreeSet::new());
    catalog(&mut all);
    all.0
}

/// Every scope that an access token can have.
pub fn scopes() -> BTreeSet<String> {
    permissions().into_iter().filter(|p| p.has_scope()).map(Permission::scope).collect()
}
