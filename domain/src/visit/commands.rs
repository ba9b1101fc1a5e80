//! What people and kiosks do with visits.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Cancelled, Changed, Code, DAYS_MAX, PASSCODE_DIGITS, Registered, Visit, VisitStatus};
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::date::{DAY_US, parse_instant};
use crate::member::{Member, MemberStatus};
use crate::role::{Permission, Role};
use crate::sealed::Person;
use crate::text;

/// Registers a visit; its code exists from then on. The pass is mailed where an address is given.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterVisit {
    /// Who comes, at most 80 characters.
    pub visitor_name: String,
    /// Reading, at most 80 characters.
    #[serde(default)]
    pub visitor_kana: String,
    /// From where, at most 80 characters.
    #[serde(default)]
    pub visitor_company: String,
    /// Where the pass goes.
    #[serde(default)]
    pub visitor_email: String,
    /// The member who is visited.
    pub host_id: Uuid,
    /// Where, as kiosks name the place; at most 80 characters.
    pub location: String,
    /// RFC 3339.
    pub starts_at: String,
    /// RFC 3339; after the start, at most 31 days.
    pub ends_at: String,
    /// About the visitor, at most 400 characters.
    #[serde(default)]
    pub note: String,
}

/// A visit as sent, checked.
struct Plan {
    visitor: Person,
    location: String,
    starts_at_us: i64,
    ends_at_us: i64,
}

impl RegisterVisit {
    fn check(&self, host: &On<Member>, ctx: &Context) -> Result<Plan, Rejection> {
        if host.status != Some(MemberStatus::Active) {
            return Err(Rejection::at("visit.unknown_host", "/host_id"));
        }
        own_visits_only(ctx, self.host_id)?;
        let time =
            |text: &str, pointer: &str| parse_instant(text).ok_or_else(|| Rejection::at("visit.bad_time", pointer));
        let (starts_at_us, ends_at_us) = (time(&self.starts_at, "/starts_at")?, time(&self.ends_at, "/ends_at")?);
        if ends_at_us <= starts_at_us || ends_at_us - starts_at_us > DAYS_MAX * DAY_US {
            return Err(Rejection::at("visit.bad_period", "/ends_at"));
        }
        if ends_at_us <= ctx.now_us {
            return Err(Rejection::at("visit.in_the_past", "/ends_at"));
        }
        let email = match self.visitor_email.trim() {
            "" => String::new(),
            email => text::email(email).ok_or(Rejection::at("visit.bad_email", "/visitor_email"))?,
        };
        Ok(Plan {
            visitor: Person {
                name: text::line(&self.visitor_name, "/visitor_name", 80)?,
                kana: text::optional_line(&text::compatible(&self.visitor_kana), "/visitor_kana", 80)?,
                email,
                company: text::optional_line(&self.visitor_company, "/visitor_company", 80)?,
                note: text::prose(&self.note, "/note", 400)?,
            },
            location: text::line(&self.location, "/location", 80)?,
            starts_at_us,
            ends_at_us,
        })
    }
}

/// Members and lawyers handle visits to themselves, secretaries those to their lawyers; the reception, admins and owners
/// handle all.
fn own_visits_only(ctx: &Context, host_id: Uuid) -> Result<(), Rejection> {
    let may = match ctx.actor.role {
        Role::Member | Role::Lawyer => ctx.member == Some(host_id),
        Role::Secretary => ctx.acts_for.contains(&host_id),
        _ => true,
    };
    if may { Ok(()) } else { Err(Rejection::new("visit.own_only")) }
}

fn new_code(visit: &On<Visit>, ctx: &mut Context) -> Code {
    let secret_hash = ctx.world.secret("pas", visit.id);
    Code { secret_hash, passcode: ctx.world.passcode(visit.id, PASSCODE_DIGITS) }
}

impl Command for RegisterVisit {
    type On = (On<Visit>, On<Member>);
    const NAME: &'static str = "register_visit";
    const ROUTE: Route = Route::create("/v1/visits");
    const PERMISSION: Permission = Permission("visit.register");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown_host", "visit.own_only", "visit.bad_time", "visit.bad_period", "visit.in_the_past",
        "visit.bad_email", "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.host_id])
    }
    fn decide(self, (visit, host): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let Plan { visitor, location, starts_at_us, ends_at_us } = self.check(host, ctx)?;
        let subject = ctx.fresh_id();
        Ok(vec![visit.emit(Registered {
            visitor: ctx.seal(subject, &visitor),
            host_id: self.host_id,
            location,
            starts_at_us,
            ends_at_us,
            code: new_code(visit, ctx),
        })])
    }
}

/// Replaces what is known of a visit that has not begun. If time or place move, the visitor gets a new code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ChangeVisit(pub RegisterVisit);

impl Command for ChangeVisit {
    type On = (On<Visit>, On<Member>);
    const NAME: &'static str = "change_visit";
    const ROUTE: Route = Route::put("/v1/visits/{id}");
    const PERMISSION: Permission = Permission("visit.change");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown", "visit.wrong_state", "visit.unknown_host", "visit.own_only", "visit.bad_time",
        "visit.bad_period", "visit.in_the_past", "visit.bad_email", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.0.host_id])
    }
    fn decide(self, (visit, host): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        must_be_expected(visit)?;
        own_visits_only(ctx, visit.host_id)?;
        let Plan { visitor, location, starts_at_us, ends_at_us } = self.0.check(host, ctx)?;
        let moved = (&location, starts_at_us, ends_at_us) != (&visit.location, visit.starts_at_us, visit.ends_at_us);
        Ok(vec![visit.emit(Changed {
            visitor: ctx.seal(visit.visitor_subject, &visitor),
            host_id: self.0.host_id,
            location,
            starts_at_us,
            ends_at_us,
            code: moved.then(|| new_code(visit, ctx)),
        })])
    }
}

fn must_be_expected(visit: &On<Visit>) -> Result<(), Rejection> {
    match visit.status {
        None => Err(Rejection::new("visit.unknown")),
        Some(VisitStatus::Expected) => Ok(()),
        Some(_) => Err(Rejection::new("visit.wrong_state")),
    }
}

/// Calls a visit off that has not begun; its code lets nobody in any more.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelVisit {
    /// Shown in the trail, at most 400 characters.
    #[serde(default)]
    pub reason: String,
}

impl Command for CancelVisit {
    type On = On<Visit>;
    const NAME: &'static str = "cancel_visit";
    const ROUTE: Route = Route::post("/v1/visits/{id}/cancel");
    const PERMISSION: Permission = Permission("visit.cancel");
    const REJECTS: &'static [&'static str] =
        &["visit.unknown", "visit.wrong_state", "visit.own_only", "text.too_long", "text.control_character"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        must_be_expected(visit)?;
        own_visits_only(ctx, visit.host_id)?;
        Ok(vec![visit.emit(Cancelled { reason: text::optional_line(&self.reason, "/reason", 400)? })])
    }
}

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
        own_visits_only(ctx, visit.host_id)?;
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
        own_visits_only(ctx, visit.host_id)?;
        Ok(vec![visit.emit(visit.leave()?)])
    }
}
