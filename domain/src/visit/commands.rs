//! What desks and kiosks do with visits.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Visit;
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;

/// Checks a visitor in at the reception desk: without a code, also before the window opens.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveVisitor {}

impl Command for ReceiveVisitor {
    type On = On<Visit>;
    const NAME: &'static str = "receive_visitor";
    const ROUTE: Route = Route::post("/v1/visits/{id}/check_in");
    const PERMISSION: Permission = Permission("visit.receive");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown", "visit.own_only", "visit.cancelled", "visit.already_checked_in", "visit.already_checked_out",
        "visit.expired",
    ];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        visit.must_be_own(ctx)?;
        Ok(vec![visit.emit(visit.enter(None, ctx)?)])
    }
}

/// Checks a visitor out at the reception desk.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseVisitor {}

impl Command for ReleaseVisitor {
    type On = On<Visit>;
    const NAME: &'static str = "release_visitor";
    const ROUTE: Route = Route::post("/v1/visits/{id}/check_out");
    const PERMISSION: Permission = Permission("visit.receive");
    const REJECTS: &'static [&'static str] =
        &["visit.unknown", "visit.own_only", "visit.not_checked_in", "visit.already_checked_out"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        visit.must_be_own(ctx)?;
        Ok(vec![visit.emit(visit.leave()?)])
    }
}
