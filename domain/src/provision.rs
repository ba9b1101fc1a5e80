//! Short names of companies, in the root ledger. What makes one unique: its stream id is the name's fingerprint, so of two
//! companies that ask for one name at once, one gets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::events;
use crate::role::Permission;

events! {
    /// What happens to a short name.
    SlugEvent {
        Taken = "slug.taken" v 1;
    }
}

/// A company got this short name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// The company's ledger.
    pub tenant: Uuid,
    /// The name.
    pub slug: String,
}

/// State of a short name.
#[derive(Debug, Default)]
pub struct Slug {
    /// Whose it is.
    pub tenant: Option<Uuid>,
}

impl Aggregate for Slug {
    type Event = SlugEvent;
    const STREAM: &'static str = "slug";
    fn apply(&mut self, event: SlugEvent) {
        let SlugEvent::Taken(e) = event;
        self.tenant = Some(e.tenant);
    }
    #[cfg(test)]
    fn samples() -> Vec<SlugEvent> {
        tests::samples()
    }
}

/// Gives its short name to a company that moves in from another deployment. Asking again for the same company changes
/// nothing, so a move that was interrupted can go on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeSlug {
    /// The company's ledger.
    pub tenant: Uuid,
    /// The name, checked before.
    pub slug: String,
}

impl Command for TakeSlug {
    type On = On<Slug>;
    const NAME: &'static str = "take_slug";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("slug.take");
    const REJECTS: &'static [&'static str] = &["tenant.slug_taken"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.world.fingerprint(Slug::STREAM, &self.slug)])
    }
    fn decide(self, slug: &On<Slug>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        match slug.tenant {
            None => Ok(vec![slug.emit(Taken { tenant: self.tenant, slug: self.slug })]),
            Some(tenant) if tenant == self.tenant => Ok(vec![]),
            Some(_) => Err(Rejection::at("tenant.slug_taken", "/slug")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn of_two_companies_one_gets_the_name() {
        let take = |tenant| TakeSlug { tenant, slug: "minato".into() };
        let mut scene = scene().by_system();
        let id = scene.world.subject_of("slug", "minato");
        let taken = Taken { tenant: BEN, slug: "minato".into() };
        scene.clone().when(FRESH, take(BEN)).then([emit::<Slug>(id, taken)]);
        let scene = scene.race((FRESH, take(BEN)), (FRESH, take(ANNA))).refused_at("tenant.slug_taken", "/slug");
        scene.when(FRESH, take(BEN)).then([]);
        covered::<TakeSlug>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<SlugEvent> {
        vec![Taken { tenant: SAMPLE_ID, slug: "minato".into() }.into()]
    }
}
