//! What desks and kiosks do with visits.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Visit;
use crate::blocklist::Blocklist;
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;

/// Checks a visitor in at the reception desk: without a code, also before the window opens.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveVisitor {}

impl Command for ReceiveVisitor {
    type On = (On<Visit>, On<Blocklist>);
    const NAME: &'static str = "receive_visitor";
    const ROUTE: Route = Route::anytime("/v1/visits/{id}/check_in");
    const PERMISSION: Permission = Permission("visit.receive");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown", "visit.own_only", "visit.cancelled", "visit.already_checked_in", "visit.already_checked_out",
        "visit.expired", "visit.ask_reception", "visit.not_screened",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (visit, list): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        visit.must_be_own(ctx)?;
        let came = visit.enter(None, ctx)?;
        visit.must_be_clear(list, ctx)?;
        Ok(vec![visit.emit(came)])
    }
    fn turned_away(&self, (visit, list): &Self::On, why: &Rejection, ctx: &mut Context) -> Vec<Emit> {
        visit.sent_to_reception(list, why, ctx)
    }
}

/// Checks a visitor out at the reception desk.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseVisitor {}

impl Command for ReleaseVisitor {
    type On = On<Visit>;
    const NAME: &'static str = "release_visitor";
    const ROUTE: Route = Route::anytime("/v1/visits/{id}/check_out");
    const PERMISSION: Permission = Permission("visit.receive");
    const REJECTS: &'static [&'static str] =
        &["visit.unknown", "visit.own_only", "visit.not_checked_in", "visit.already_checked_out"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        visit.must_be_own(ctx)?;
        Ok(vec![visit.emit(visit.leave()?)])
    }
}
