//! What the company does before a visit: registers, changes, moves and cancels it.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    CO_HOSTS_MAX, Cancelled, Changed, Code, DAYS_MAX, PASSCODE_DIGITS, PERIOD_DAYS_MAX, Registered, Rescheduled,
    VISITORS_MAX, Visit, VisitStatus, VisitorLanguage, Weekday, is_own,
};
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::{DAY_US, parse_instant};
use crate::member::{Member, MemberStatus};
use crate::role::Permission;
use crate::sealed::Person;
use crate::text;

/// Registers a visit; its code exists from then on. The pass is mailed where an address is given.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
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
    /// In which language they are written to; both, if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub visitor_language: Option<VisitorLanguage>,
    /// Who else comes to the same appointment, at most 19. Each has a visit and a code of their own.
    #[serde(default)]
    pub companions: Vec<Companion>,
    /// The member who is visited.
    pub host_id: Uuid,
    /// Members who see the visit as the host does, at most 10.
    #[serde(default)]
    pub co_hosts: Vec<Uuid>,
    /// Where, as kiosks name the place; at most 80 characters.
    pub location: String,
    /// RFC 3339.
    pub starts_at: String,
    /// RFC 3339; after the start, at most 31 days.
    pub ends_at: String,
    /// A period pass: the code works on these days of the week only, from the start's day to the end's (at most 366
    /// days), each day from the start's time to the end's. Absent for a visit that takes place once.
    #[serde(default)]
    pub weekdays: Vec<Weekday>,
    /// About the visitor, at most 400 characters.
    #[serde(default)]
    pub note: String,
}

/// Another visitor of an appointment.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Who comes, at most 80 characters.
    pub name: String,
    /// Reading, at most 80 characters.
    #[serde(default)]
    pub kana: String,
    /// From where, at most 80 characters.
    #[serde(default)]
    pub company: String,
    /// Where the pass goes.
    #[serde(default)]
    pub email: String,
    /// In which language they are written to; both, if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub language: Option<VisitorLanguage>,
}

impl Companion {
    /// Reads who somebody is; `at` is where their name stands in the request, without the last word.
    pub(super) fn check(&self, at: &str) -> Result<Person, Rejection> {
        let email = match self.email.trim() {
            "" => String::new(),
            email => text::email(email).ok_or_else(|| Rejection::at("visit.bad_email", format!("{at}email")))?,
        };
        Ok(Person {
            name: text::line(&self.name, &format!("{at}name"), 80)?,
            kana: text::optional_line(&text::compatible(&self.kana), &format!("{at}kana"), 80)?,
            email,
            company: text::optional_line(&self.company, &format!("{at}company"), 80)?,
            note: String::new(),
        })
    }
}

/// Time and place as sent, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Schedule {
    location: String,
    starts_at_us: i64,
    ends_at_us: i64,
    weekdays: Vec<Weekday>,
}

impl Schedule {
    fn check(
        location: &str,
        starts_at: &str,
        ends_at: &str,
        weekdays: &[Weekday],
        ctx: &Context,
    ) -> Result<Schedule, Rejection> {
        let time =
            |text: &str, pointer: &str| parse_instant(text).ok_or_else(|| Rejection::at("visit.bad_time", pointer));
        let (starts_at_us, ends_at_us) = (time(starts_at, "/starts_at")?, time(ends_at, "/ends_at")?);
        let mut weekdays = weekdays.to_vec();
        weekdays.sort();
        weekdays.dedup();
        let days = if weekdays.is_empty() { DAYS_MAX } else { PERIOD_DAYS_MAX };
        if ends_at_us <= starts_at_us || ends_at_us - starts_at_us > days * DAY_US {
            return Err(Rejection::at("visit.bad_period", "/ends_at"));
        }
        if ends_at_us <= ctx.now_us {
            return Err(Rejection::at("visit.in_the_past", "/ends_at"));
        }
        let planned = Visit { starts_at_us, ends_at_us, weekdays: weekdays.clone(), ..Visit::default() };
        let opens = planned.next_hours(planned.first_day()).is_some_and(|hours| !hours.is_empty());
        if !weekdays.is_empty() && !opens {
            return Err(Rejection::at("visit.bad_weekdays", "/weekdays"));
        }
        Ok(Schedule { location: text::line(location, "/location", 80)?, starts_at_us, ends_at_us, weekdays })
    }

    /// That of a visit as it is.
    fn of(visit: &Visit) -> Schedule {
        let Visit { location, starts_at_us, ends_at_us, weekdays, .. } = visit;
        let (location, weekdays) = (location.clone(), weekdays.clone());
        Schedule { location, starts_at_us: *starts_at_us, ends_at_us: *ends_at_us, weekdays }
    }
}

impl RegisterVisit {
    /// The host, and then each other member once.
    fn hosts(&self) -> Result<Vec<Uuid>, Rejection> {
        if self.co_hosts.len() > CO_HOSTS_MAX {
            return Err(Rejection::at("visit.too_many_hosts", "/co_hosts"));
        }
        let mut hosts = vec![self.host_id];
        self.co_hosts.iter().for_each(|id| {
            if !hosts.contains(id) {
                hosts.push(*id);
            }
        });
        Ok(hosts)
    }

    /// The members, known and able to receive somebody; those beside the host. `registered_by` is who did.
    fn check_hosts<'a>(
        &self,
        members: impl Iterator<Item = &'a On<Member>>,
        registered_by: Option<Uuid>,
        ctx: &Context,
    ) -> Result<Vec<Uuid>, Rejection> {
        let active = members.filter(|member| member.status == Some(MemberStatus::Active));
        let active: Vec<Uuid> = active.map(|member| member.id).collect();
        let is_active = |id: &Uuid| active.contains(id);
        if !is_active(&self.host_id) {
            return Err(Rejection::at("visit.unknown_host", "/host_id"));
        }
        if let Some(i) = self.co_hosts.iter().position(|id| !is_active(id)) {
            return Err(Rejection::at("visit.unknown_host", format!("/co_hosts/{i}")));
        }
        let hosts = self.hosts()?;
        is_own(ctx, &hosts, registered_by)?;
        Ok(hosts[1..].to_vec())
    }

    fn schedule(&self, ctx: &Context) -> Result<Schedule, Rejection> {
        Schedule::check(&self.location, &self.starts_at, &self.ends_at, &self.weekdays, ctx)
    }

    fn visitor(&self) -> Result<Person, Rejection> {
        let first = Companion {
            name: self.visitor_name.clone(),
            kana: self.visitor_kana.clone(),
            company: self.visitor_company.clone(),
            email: self.visitor_email.clone(),
            language: self.visitor_language,
        };
        Ok(Person { note: text::prose(&self.note, "/note", 400)?, ..first.check("/visitor_")? })
    }
}

pub(super) fn new_code(visit: Uuid, ctx: &mut Context) -> Code {
    let secret_hash = ctx.world.secret("pas", visit);
    Code { secret_hash, passcode: ctx.world.passcode(visit, PASSCODE_DIGITS) }
}

impl Command for RegisterVisit {
    /// The visit of each companion stands beside a member. Where there are more of the ones than of the others, the first
    /// visit and the host stand in for who is not there.
    type On = (On<Visit>, Vec<(On<Visit>, On<Member>)>);
    const NAME: &'static str = "register_visit";
    const ROUTE: Route = Route::create("/v1/visits");
    const PERMISSION: Permission = Permission("visit.register");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown_host", "visit.own_only", "visit.bad_time", "visit.bad_period", "visit.bad_weekdays",
        "visit.in_the_past", "visit.bad_email", "visit.too_many_hosts", "visit.too_many_visitors", "text.required",
        "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        if self.companions.len() >= VISITORS_MAX {
            return Err(Rejection::at("visit.too_many_visitors", "/companions"));
        }
        let (hosts, companions) = (self.hosts()?, self.companions.len());
        let mut ids = vec![target];
        for i in 0..hosts.len().max(companions) {
            let visit = if i < companions { ctx.fresh_id() } else { target };
            ids.extend([visit, hosts.get(i).copied().unwrap_or(self.host_id)]);
        }
        Ok(ids)
    }
    fn decide(self, (visit, beside): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        // Of a member: a program that acts for itself is nobody's visit.
        let registered_by = ctx.member;
        let co_hosts = self.check_hosts(beside.iter().map(|(_, member)| member), None, ctx)?;
        let Schedule { location, starts_at_us, ends_at_us, weekdays } = self.schedule(ctx)?;
        let mut visitors = vec![(visit, self.visitor()?, self.visitor_language)];
        for (i, (companion, (visit, _))) in self.companions.iter().zip(beside).enumerate() {
            visitors.push((visit, companion.check(&format!("/companions/{i}/"))?, companion.language));
        }
        let ids: Vec<Uuid> = visitors.iter().map(|(visit, ..)| visit.id).collect();
        let appointment = if ids.len() > 1 { ids } else { vec![] };
        let register = |(visit, person, language): (&On<Visit>, Person, Option<VisitorLanguage>)| {
            let subject = ctx.fresh_id();
            visit.emit(Registered {
                appointment: appointment.clone(),
                visitor: ctx.seal(subject, &person),
                language,
                host_id: self.host_id,
                co_hosts: co_hosts.clone(),
                registered_by,
                location: location.clone(),
                starts_at_us,
                ends_at_us,
                weekdays: weekdays.clone(),
                code: new_code(visit.id, ctx),
            })
        };
        Ok(visitors.into_iter().map(register).collect())
    }
}

/// Replaces what is known of one visit that has not begun, of a period pass also between its days. If time or place move,
/// the visitor gets a new code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ChangeVisit(pub RegisterVisit);

impl Command for ChangeVisit {
    type On = (On<Visit>, Vec<On<Member>>);
    const NAME: &'static str = "change_visit";
    const ROUTE: Route = Route::put("/v1/visits/{id}");
    const PERMISSION: Permission = Permission("visit.change");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown", "visit.wrong_state", "visit.unknown_host", "visit.own_only", "visit.bad_time",
        "visit.bad_period", "visit.bad_weekdays", "visit.in_the_past", "visit.bad_email", "visit.too_many_hosts",
        "visit.companions_fixed", "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok([vec![target], self.0.hosts()?].concat())
    }
    fn decide(self, (visit, members): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_be_ahead(ctx)?;
        visit.must_be_own(ctx)?;
        if !self.0.companions.is_empty() {
            return Err(Rejection::at("visit.companions_fixed", "/companions"));
        }
        let co_hosts = self.0.check_hosts(members.iter(), visit.registered_by, ctx)?;
        let schedule = self.0.schedule(ctx)?;
        let moved = schedule != Schedule::of(visit);
        let visitor = self.0.visitor()?;
        let Schedule { location, starts_at_us, ends_at_us, weekdays } = schedule;
        Ok(vec![visit.emit(Changed {
            visitor: ctx.seal(visit.visitor_subject, &visitor),
            language: self.0.visitor_language,
            host_id: self.0.host_id,
            co_hosts,
            location,
            starts_at_us,
            ends_at_us,
            weekdays,
            code: moved.then(|| new_code(visit.id, ctx)),
        })])
    }
}

impl On<Visit> {
    /// Refuses what is over, called off, or going on. A period pass is ahead again when its visitor has left, or forgot to
    /// on an earlier day.
    pub(super) fn must_be_ahead(&self, ctx: &Context) -> Result<(), Rejection> {
        self.must_exist()?;
        let has_more_days = !self.weekdays.is_empty() && self.last_day() >= ctx.today;
        let is_ahead = match self.status {
            Some(VisitStatus::Expected) => true,
            Some(VisitStatus::CheckedOut) => has_more_days,
            Some(VisitStatus::CheckedIn) => has_more_days && self.came_on.is_some_and(|day| day < ctx.today),
            Some(VisitStatus::Held | VisitStatus::TurnedAway | VisitStatus::Cancelled) | None => false,
        };
        if is_ahead { Ok(()) } else { Err(Rejection::new("visit.wrong_state")) }
    }

    /// The visits of the appointment's other visitors.
    pub(super) fn companions(&self) -> Vec<Uuid> {
        self.appointment.iter().copied().filter(|id| *id != self.id).collect()
    }
}

/// Moves an appointment, for all of its visitors who are still expected: they get new codes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RescheduleAppointment {
    /// Where, as kiosks name the place; at most 80 characters.
    pub location: String,
    /// RFC 3339.
    pub starts_at: String,
    /// RFC 3339; after the start, at most 31 days, of a period pass at most 366.
    pub ends_at: String,
    /// A period pass: see register_visit.
    #[serde(default)]
    pub weekdays: Vec<Weekday>,
}

impl Command for RescheduleAppointment {
    type On = (On<Visit>, Vec<On<Visit>>);
    const NAME: &'static str = "reschedule_appointment";
    const ROUTE: Route = Route::put("/v1/visits/{id}/schedule");
    const PERMISSION: Permission = Permission("visit.change");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown", "visit.wrong_state", "visit.own_only", "visit.bad_time", "visit.bad_period",
        "visit.bad_weekdays", "visit.in_the_past", "text.required", "text.too_long", "text.control_character",
    ];
    fn linked(&self, visit: &On<Visit>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(visit.companions())
    }
    fn decide(self, (visit, companions): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_be_ahead(ctx)?;
        visit.must_be_own(ctx)?;
        let schedule = Schedule::check(&self.location, &self.starts_at, &self.ends_at, &self.weekdays, ctx)?;
        let all = [visit].into_iter().chain(companions.iter().filter(|other| concerned(other, ctx)));
        let moved: Vec<_> = all.filter(|visit| schedule != Schedule::of(visit)).collect();
        let moved = moved.into_iter().map(|visit| {
            let Schedule { location, starts_at_us, ends_at_us, weekdays } = schedule.clone();
            visit.emit(Rescheduled { location, starts_at_us, ends_at_us, weekdays, code: new_code(visit.id, ctx) })
        });
        Ok(moved.collect())
    }
}

/// Another visit of the same appointment that what is done to all is done to as well: still ahead, and theirs who acts.
fn concerned(other: &On<Visit>, ctx: &Context) -> bool {
    other.must_be_ahead(ctx).is_ok() && other.must_be_own(ctx).is_ok()
}

/// Calls a visit off that has not begun; its code lets nobody in any more.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelVisit {
    /// Shown in the trail, at most 400 characters.
    #[serde(default)]
    pub reason: String,
    /// For all visitors of the appointment who are still expected.
    #[serde(default)]
    pub whole_appointment: bool,
}

impl Command for CancelVisit {
    type On = (On<Visit>, Vec<On<Visit>>);
    const NAME: &'static str = "cancel_visit";
    const ROUTE: Route = Route::post("/v1/visits/{id}/cancel");
    const PERMISSION: Permission = Permission("visit.cancel");
    const REJECTS: &'static [&'static str] =
        &["visit.unknown", "visit.wrong_state", "visit.own_only", "text.too_long", "text.control_character"];
    fn linked(&self, visit: &On<Visit>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(if self.whole_appointment { visit.companions() } else { vec![] })
    }
    fn decide(self, (visit, companions): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_be_ahead(ctx)?;
        visit.must_be_own(ctx)?;
        let reason = text::optional_line(&self.reason, "/reason", 400)?;
        let all = [visit].into_iter().chain(companions.iter().filter(|other| concerned(other, ctx)));
        Ok(all.map(|visit| visit.emit(Cancelled { reason: reason.clone() })).collect())
    }
}
