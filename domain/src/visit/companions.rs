//! Who else comes to an appointment that was made before. Nobody is taken out of one: the visit of who does not come is
//! cancelled by itself, and its code lets nobody in any more.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Companion, Registered, VISITORS_MAX, Visit, new_code};
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;

/// Somebody else comes to the same appointment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VisitorAdded {
    /// The visits of all its visitors from now on; see [`Registered::appointment`].
    pub appointment: Vec<Uuid>,
}

/// Adds visitors to an appointment that is still ahead: to the same hosts, at the same place and time. Each has a visit and a
/// code of their own, and gets the pass by mail where an address is given.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddVisitors {
    /// Who else comes; an appointment has at most 20 visitors, those who were cancelled included.
    pub companions: Vec<Companion>,
}

impl Command for AddVisitors {
    /// The visits of who is new, and then those of the appointment's other visitors.
    type On = (On<Visit>, Vec<On<Visit>>);
    const NAME: &'static str = "add_visitors";
    const ROUTE: Route = Route::post("/v1/visits/{id}/companions");
    const PERMISSION: Permission = Permission("visit.register");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown", "visit.wrong_state", "visit.own_only", "visit.too_many_visitors", "visit.bad_email",
        "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        match self.companions.len() {
            0 => Err(Rejection::at("text.required", "/companions/0/name")),
            n if n >= VISITORS_MAX => Err(Rejection::at("visit.too_many_visitors", "/companions")),
            n => Ok([target].into_iter().chain((0..n).map(|_| ctx.fresh_id())).collect()),
        }
    }
    fn linked(&self, visit: &On<Visit>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(visit.companions())
    }
    fn decide(self, (visit, others): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_be_ahead(ctx)?;
        visit.must_be_own(ctx)?;
        if visit.last_day() < ctx.today {
            return Err(Rejection::new("visit.wrong_state"));
        }
        let (new, present) = others.split_at(self.companions.len());
        let before = if visit.appointment.is_empty() { vec![visit.id] } else { visit.appointment.clone() };
        let appointment: Vec<Uuid> = before.into_iter().chain(new.iter().map(|visit| visit.id)).collect();
        if appointment.len() > VISITORS_MAX {
            return Err(Rejection::at("visit.too_many_visitors", "/companions"));
        }
        let told = [visit].into_iter().chain(present);
        let mut emits: Vec<Emit> =
            told.map(|visit| visit.emit(VisitorAdded { appointment: appointment.clone() })).collect();
        for (i, (companion, one)) in self.companions.iter().zip(new).enumerate() {
            let person = companion.check(&format!("/companions/{i}/"))?;
            let subject = ctx.fresh_id();
            emits.push(one.emit(Registered {
                appointment: appointment.clone(),
                visitor: ctx.seal(subject, &person),
                language: companion.language,
                host_id: visit.host_id,
                co_hosts: visit.co_hosts.clone(),
                registered_by: ctx.member,
                location: visit.location.clone(),
                starts_at_us: visit.starts_at_us,
                ends_at_us: visit.ends_at_us,
                weekdays: visit.weekdays.clone(),
                code: new_code(one.id, ctx),
            }));
        }
        Ok(emits)
    }
}
