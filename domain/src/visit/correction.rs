//! What was written down wrongly is put right by one more record; the first ones stay (RN-07).

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Corrected, Visit, VisitStatus};
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::{Date, ZONE_S, parse_instant};
use crate::role::Permission;
use crate::sealed::Person;
use crate::text;

/// Corrects what is known of a visitor who has come, and when they came and left. What is absent stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectVisit {
    /// Why, at most 400 characters.
    pub reason: String,
    /// Who came, at most 80 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub visitor_name: Option<String>,
    /// Reading, at most 80 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub visitor_kana: Option<String>,
    /// From where, at most 80 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub visitor_company: Option<String>,
    /// When they really came, RFC 3339; on the day on which they came.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub arrived_at: Option<String>,
    /// When they really left, RFC 3339; not before they came.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub left_at: Option<String>,
}

impl CorrectVisit {
    /// The visitor as they are now said to be; `None` if nothing is said of them.
    fn visitor(&self, visit: &Visit, ctx: &mut Context) -> Result<Option<Person>, Rejection> {
        let CorrectVisit { visitor_name, visitor_kana, visitor_company, .. } = self;
        if [visitor_name, visitor_kana, visitor_company].into_iter().all(Option::is_none) {
            return Ok(None);
        }
        let known = visit.visitor.as_ref().and_then(|sealed| ctx.open(sealed));
        let mut person = known.ok_or(Rejection::new("visit.visitor_gone"))?;
        let before = person.clone();
        if let Some(name) = visitor_name {
            person.name = text::line(name, "/visitor_name", 80)?;
        }
        if let Some(kana) = visitor_kana {
            person.kana = text::optional_line(&text::compatible(kana), "/visitor_kana", 80)?;
        }
        if let Some(company) = visitor_company {
            person.company = text::optional_line(company, "/visitor_company", 80)?;
        }
        Ok((person != before).then_some(person))
    }
}

/// A time that has passed.
fn past(time: &Option<String>, pointer: &str, ctx: &Context) -> Result<Option<i64>, Rejection> {
    let Some(time) = time else { return Ok(None) };
    let time_us = parse_instant(time).ok_or_else(|| Rejection::at("visit.bad_time", pointer))?;
    if time_us > ctx.now_us { Err(Rejection::at("visit.not_yet", pointer)) } else { Ok(Some(time_us)) }
}

impl Command for CorrectVisit {
    type On = On<Visit>;
    const NAME: &'static str = "correct_visit";
    const ROUTE: Route = Route::post("/v1/visits/{id}/correct");
    const PERMISSION: Permission = Permission("visit.correct");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown", "visit.own_only", "visit.not_checked_in", "visit.not_checked_out", "visit.visitor_gone",
        "visit.bad_time", "visit.not_yet", "visit.bad_period", "visit.nothing_corrected", "text.required",
        "text.too_long", "text.control_character",
    ];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        visit.must_be_own(ctx)?;
        let has_left = match visit.status {
            Some(VisitStatus::CheckedIn) => false,
            Some(VisitStatus::CheckedOut) => true,
            _ => return Err(Rejection::new("visit.not_checked_in")),
        };
        let reason = text::line(&self.reason, "/reason", 400)?;
        let visitor = self.visitor(visit, ctx)?;
        let arrived_at_us = past(&self.arrived_at, "/arrived_at", ctx)?;
        let left_at_us = past(&self.left_at, "/left_at", ctx)?;
        if left_at_us.is_some() && !has_left {
            return Err(Rejection::at("visit.not_checked_out", "/left_at"));
        }
        let day = |time_us: i64| Date::at(time_us, ZONE_S);
        if arrived_at_us.zip(visit.came_on).is_some_and(|(at, came_on)| day(at) != came_on) {
            return Err(Rejection::at("visit.bad_period", "/arrived_at"));
        }
        let is_before = arrived_at_us.zip(left_at_us).is_some_and(|(arrived, left)| left < arrived)
            || left_at_us.zip(visit.came_on).is_some_and(|(left, came_on)| day(left) < came_on);
        if is_before {
            return Err(Rejection::at("visit.bad_period", "/left_at"));
        }
        if visitor.is_none() && arrived_at_us.is_none() && left_at_us.is_none() {
            return Err(Rejection::new("visit.nothing_corrected"));
        }
        let visitor = visitor.map(|person| ctx.seal(visit.visitor_subject, &person));
        Ok(vec![visit.emit(Corrected { reason, visitor, arrived_at_us, left_at_us })])
    }
}
