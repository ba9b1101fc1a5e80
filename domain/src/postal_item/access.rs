//! Who looked at what goes out by post (ML-34): each look is an event, also the second one of the same person. It stands beside
//! the item, and beside each document that was shown, so that a search for either finds it.
//!
//! A look is decided on the item's own stream: of two who come at once, one handing it over and one looking, the second sees
//! what the first has done.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::PostalItem;
use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::{Permission, Role};
use crate::{codes, events};

codes! {
    /// What somebody looked for.
    PostalPurpose {
        /// To see it on a screen: all of it.
        Preview = 1 "preview",
        /// To print it: all of it.
        Print = 2 "print",
        /// To print its label: the address.
        Label = 3 "label",
        /// For the list of a hand-over: name and postal code.
        Manifest = 4 "manifest",
    }
}

impl PostalPurpose {
    /// Are the documents shown, too?
    pub fn shows_documents(self) -> bool {
        matches!(self, PostalPurpose::Preview | PostalPurpose::Print)
    }
}

events! {
    /// Who looked.
    PostalAccessEvent {
        Accessed = "postal_item.accessed" v 1;
    }
}

/// Somebody looked; who, says the record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Accessed {
    /// At which item, or at a document as part of it.
    pub item: Uuid,
    /// What for.
    pub purpose: PostalPurpose,
}

/// Nothing is decided from looks. The stream's id is the item's, or the document's.
#[derive(Debug, Default)]
pub struct PostalAccess {}

impl Aggregate for PostalAccess {
    type Event = PostalAccessEvent;
    const STREAM: &'static str = "postal_access";
    const LAST: bool = true;
    fn apply(&mut self, _: PostalAccessEvent) {}
    #[cfg(test)]
    fn samples() -> Vec<PostalAccessEvent> {
        super::tests::access_samples()
    }
}

/// Writes down that somebody looks, before they are shown anything. Whoever handles the post looks at nothing any more that was
/// handed over or cancelled (ML-33).
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessPostalItem {
    /// What for.
    pub purpose: PostalPurpose,
}

impl Command for AccessPostalItem {
    type On = (On<PostalItem>, Vec<On<PostalAccess>>);
    const NAME: &'static str = "access_postal_item";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("postal_item.read");
    const REJECTS: &'static [&'static str] = &["postal_item.unknown", "postal_item.handed_over"];
    fn linked(&self, item: &On<PostalItem>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let shown = item.queued.iter().filter(|_| self.purpose.shows_documents()).flat_map(|queued| &queued.files);
        Ok([item.id].into_iter().chain(shown.map(|file| file.document_id)).collect())
    }
    fn decide(self, (item, beside): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if !item.exists() {
            return Err(Rejection::new("postal_item.unknown"));
        }
        if ctx.actor.role == Role::PostalClerk && !item.is_open() {
            return Err(Rejection::new("postal_item.handed_over"));
        }
        let accessed = Accessed { item: item.id, purpose: self.purpose };
        Ok(beside.iter().map(|place| place.emit(accessed.clone())).collect())
    }
}
