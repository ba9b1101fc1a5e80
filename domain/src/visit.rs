//! Visits: who comes, when, to whom; the code that lets them in; that they came and left (RN-01 to RN-07). What is known of
//! a visitor is sealed under a subject of its own for each visit.
//!
//! Every visitor has a visit of their own, with a code and a subject of their own. An appointment of several visitors is
//! several visits that know each other's ids; what is done to all of them is one append.
//!
//! What makes a create unique: nothing but its id; two people may come at the same time. Codes are unique in the company.

mod after;
mod appointment;
mod at_kiosk;
mod commands;
mod companions;
mod correction;
mod hours;
mod kiosk_v1;
mod reminder;
#[cfg(test)]
mod tests;
mod undated;
mod v1;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::after::*;
pub use self::appointment::*;
pub use self::at_kiosk::*;
pub use self::commands::*;
pub use self::companions::*;
pub use self::correction::*;
use self::kiosk_v1::{CheckedInV1, WalkedInV1};
pub use self::reminder::*;
use self::undated::{MatchedV1, WalkedInV2};
use self::v1::{ChangedV1, RegisteredV1};
use crate::command::{Aggregate, On, Rejection};
use crate::context::Context;
use crate::date::{Date, instant};
use crate::kiosk::Kiosk;
use crate::reception::{Agreed, Answers};
use crate::role::Role;
use crate::sealed::{Person, Sealed};
use crate::{codes, events};

/// How long before the start a code works.
pub const EARLY_US: i64 = 30 * 60 * 1_000_000;
/// Longest visit, in days.
pub const DAYS_MAX: i64 = 31;
/// Longest period pass, in days.
pub const PERIOD_DAYS_MAX: i64 = 366;
/// Most members beside the host.
pub const CO_HOSTS_MAX: usize = 10;
/// Most visitors of one appointment.
pub const VISITORS_MAX: usize = 20;
/// Digits of a passcode.
pub const PASSCODE_DIGITS: u32 = 8;

events! {
    /// What happens to a visit.
    VisitEvent {
        Registered = "visit.registered" v 2, was RegisteredV1 v 1;
        Changed = "visit.changed" v 2, was ChangedV1 v 1;
        Rescheduled = "visit.rescheduled" v 1;
        Reminded = "visit.reminded" v 1;
        Corrected = "visit.corrected" v 1;
        Cancelled = "visit.cancelled" v 1;
        VisitorAdded = "visit.visitor_added" v 1;
        CheckedIn = "visit.checked_in" v 2, was CheckedInV1 v 1;
        CheckedOut = "visit.checked_out" v 1;
        WalkedIn = "visit.walked_in" v 3, was WalkedInV2 v 2, was WalkedInV1 v 1;
        Announced = "visit.announced" v 1;
        Escalated = "visit.escalated" v 1;
        Acknowledged = "visit.acknowledged" v 1;
        Matched = "visit.matched" v 2, was MatchedV1 v 1;
        ScreeningFailed = "visit.screening_failed" v 1;
        Overridden = "visit.overridden" v 1;
        TurnedAway = "visit.turned_away" v 1;
        ErasureOrdered = "visit.erasure_ordered" v 1;
    }
}

/// What lets a visitor in: a secret for the QR code and a number to type. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Code {
    /// SHA-256 of the pass's secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Eight digits.
    pub passcode: String,
}

codes! {
    /// A day of the week.
    Weekday {
        /// Monday.
        Mon = 1 "mon",
        /// Tuesday.
        Tue = 2 "tue",
        /// Wednesday.
        Wed = 3 "wed",
        /// Thursday.
        Thu = 4 "thu",
        /// Friday.
        Fri = 5 "fri",
        /// Saturday.
        Sat = 6 "sat",
        /// Sunday.
        Sun = 7 "sun",
    }
}

codes! {
    /// Which language a visitor reads, as far as it is known.
    VisitorLanguage {
        /// Japanese.
        Ja = 1 "ja",
        /// English.
        En = 2 "en",
    }
}

/// Somebody is expected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// The visits of all visitors of the appointment, this one included, in the order in which they were named; the first
    /// one's id is the appointment's. Empty where there is one visitor only.
    pub appointment: Vec<Uuid>,
    /// Name, reading, company, address, note.
    pub visitor: Sealed<Person>,
    /// In which they are written to; both, where it is not known.
    pub language: Option<VisitorLanguage>,
    /// The member who is visited.
    pub host_id: Uuid,
    /// Members who see the visit as the host does; the host is not among them.
    pub co_hosts: Vec<Uuid>,
    /// The member who registered it; nobody's, where a program did.
    pub registered_by: Option<Uuid>,
    /// Where, as kiosks name the place.
    pub location: String,
    /// From when, microseconds UTC.
    pub starts_at_us: i64,
    /// Until when, microseconds UTC.
    pub ends_at_us: i64,
    /// On which days of the week the code of a period pass works, sorted: from the start's day to the end's, each day from
    /// the start's time to the end's. Empty for a visit that takes place once.
    pub weekdays: Vec<Weekday>,
    /// Lets them in.
    pub code: Code,
}

/// Everything after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Name, reading, company, address, note.
    pub visitor: Sealed<Person>,
    /// In which they are written to; both, where it is not known.
    pub language: Option<VisitorLanguage>,
    /// The member who is visited.
    pub host_id: Uuid,
    /// Members who see the visit as the host does; the host is not among them.
    pub co_hosts: Vec<Uuid>,
    /// Where, as kiosks name the place.
    pub location: String,
    /// From when, microseconds UTC.
    pub starts_at_us: i64,
    /// Until when, microseconds UTC.
    pub ends_at_us: i64,
    /// See [`Registered::weekdays`].
    pub weekdays: Vec<Weekday>,
    /// A new one if and only if time or place moved; the one before lets nobody in any more.
    pub code: Option<Code>,
}

/// Time or place of the whole appointment moved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rescheduled {
    /// Where, as kiosks name the place.
    pub location: String,
    /// From when, microseconds UTC.
    pub starts_at_us: i64,
    /// Until when, microseconds UTC.
    pub ends_at_us: i64,
    /// See [`Registered::weekdays`].
    pub weekdays: Vec<Weekday>,
    /// The one before lets nobody in any more.
    pub code: Code,
}

/// The visitor is written to on the day before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reminded {
    /// Of which start, microseconds UTC.
    pub starts_at_us: i64,
}

/// What was written down of a visit was wrong. The records that say so stay as they are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Corrected {
    /// Why.
    pub reason: String,
    /// Everything known of the visitor, as it is right; absent where that did not change.
    pub visitor: Option<Sealed<Person>>,
    /// When they really came, microseconds UTC; absent where that did not change.
    pub arrived_at_us: Option<i64>,
    /// When they really left, microseconds UTC; absent where that did not change.
    pub left_at_us: Option<i64>,
}

/// Nobody is expected any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why; may be empty.
    pub reason: String,
}

/// The visitor came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckedIn {
    /// After the visit should have ended.
    pub late: bool,
    /// Civil day; a visit over several days lets its visitor in once a day.
    pub day: Date,
    /// What the reception asked; `None` where it asked nothing, or nothing was answered.
    pub answers: Option<Sealed<Answers>>,
    /// What they agreed to, where the reception asks for that.
    pub consent: Option<Agreed>,
}

/// The visitor left.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckedOut {}

/// Somebody came who was not expected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WalkedIn {
    /// Name and company; the note is the purpose.
    pub visitor: Sealed<Person>,
    /// The kiosk's.
    pub location: String,
    /// For checking out.
    pub passcode: String,
    /// Whom they came to see, where they said it.
    pub host_id: Option<Uuid>,
    /// How many they are; 0 where nobody asked.
    pub people: u32,
    /// What the reception asked beside that.
    pub answers: Option<Sealed<Answers>>,
    /// What they agreed to, where the reception asks for that.
    pub consent: Option<Agreed>,
    /// Civil day; old records do not say it.
    pub day: Option<Date>,
}

codes! {
    /// Where a visit stands. Nobody came = expected, and the last day is over.
    VisitStatus {
        /// Not here yet.
        Expected = 1 "expected",
        /// In the house.
        CheckedIn = 2 "checked_in",
        /// Left.
        CheckedOut = 3 "checked_out",
        /// Called off.
        Cancelled = 4 "cancelled",
        /// At the door, for the reception to decide.
        Held = 5 "held",
        /// Not let in.
        TurnedAway = 6 "turned_away",
    }
}

/// A code and where it was given out for.
#[derive(Debug)]
pub struct Issued {
    /// Of the pass's secret; zeros for walk-ins, who have no pass.
    pub secret_hash: [u8; 32],
    /// Eight digits.
    pub passcode: String,
    /// Where it works.
    pub location: String,
}

/// State of a visit.
#[derive(Debug, Default)]
pub struct Visit {
    /// `None` before anything happened.
    pub status: Option<VisitStatus>,
    /// Whose fields the visitor's are; nil before anything happened.
    pub visitor_subject: Uuid,
    /// What is known of the visitor, sealed. Opened only for what stays in one decision: a replay never looks inside.
    pub visitor: Option<Sealed<Person>>,
    /// See [`Registered::appointment`].
    pub appointment: Vec<Uuid>,
    /// Nil for walk-ins to nobody in particular.
    pub host_id: Uuid,
    /// Who sees it as the host does.
    pub co_hosts: Vec<Uuid>,
    /// Who registered it.
    pub registered_by: Option<Uuid>,
    /// Where.
    pub location: String,
    /// From when, microseconds UTC.
    pub starts_at_us: i64,
    /// Until when, microseconds UTC.
    pub ends_at_us: i64,
    /// See [`Registered::weekdays`].
    pub weekdays: Vec<Weekday>,
    /// Of which start the visitor was reminded, microseconds UTC.
    pub reminded_of_us: Option<i64>,
    /// Every code ever given out, the valid one last.
    pub codes: Vec<Issued>,
    /// Of the last check-in.
    pub came_on: Option<Date>,
    /// What has followed the present arrival.
    pub after: After,
    /// What is known of the visitor goes, or is gone.
    pub erasure_ordered: bool,
}

impl Aggregate for Visit {
    type Event = VisitEvent;
    const STREAM: &'static str = "visit";
    fn apply(&mut self, event: VisitEvent) {
        match event {
            VisitEvent::Registered(e) => {
                self.status = Some(VisitStatus::Expected);
                self.is_now(e.visitor);
                (self.appointment, self.registered_by) = (e.appointment, e.registered_by);
                (self.host_id, self.co_hosts) = (e.host_id, e.co_hosts);
                self.takes_place(e.location, e.starts_at_us, e.ends_at_us, e.weekdays);
                self.take_code(e.code.secret_hash, e.code.passcode);
            }
            VisitEvent::Changed(e) => {
                self.is_now(e.visitor);
                (self.host_id, self.co_hosts) = (e.host_id, e.co_hosts);
                self.takes_place(e.location, e.starts_at_us, e.ends_at_us, e.weekdays);
                if let Some(code) = e.code {
                    self.take_code(code.secret_hash, code.passcode);
                }
            }
            VisitEvent::Rescheduled(e) => {
                self.takes_place(e.location, e.starts_at_us, e.ends_at_us, e.weekdays);
                self.take_code(e.code.secret_hash, e.code.passcode);
            }
            VisitEvent::VisitorAdded(e) => self.appointment = e.appointment,
            VisitEvent::Reminded(e) => self.reminded_of_us = Some(e.starts_at_us),
            VisitEvent::Corrected(e) => e.visitor.into_iter().for_each(|visitor| self.is_now(visitor)),
            VisitEvent::Cancelled(_) => self.status = Some(VisitStatus::Cancelled),
            VisitEvent::CheckedIn(e) => {
                (self.status, self.came_on) = (Some(VisitStatus::CheckedIn), Some(e.day));
                self.after = After::default();
            }
            VisitEvent::CheckedOut(_) => self.status = Some(VisitStatus::CheckedOut),
            VisitEvent::WalkedIn(e) => {
                self.status = Some(VisitStatus::CheckedIn);
                self.is_now(e.visitor);
                (self.host_id, self.location) = (e.host_id.unwrap_or_default(), e.location);
                self.came_on = e.day;
                self.take_code([0; 32], e.passcode);
            }
            after => self.follow(after),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<VisitEvent> {
        tests::samples()
    }
}

impl Visit {
    /// What comes after an arrival.
    fn follow(&mut self, event: VisitEvent) {
        match event {
            VisitEvent::Announced(e) => {
                self.after.announced = true;
                self.after.notices.extend(e.to);
            }
            VisitEvent::Escalated(e) => {
                self.after.escalated = true;
                self.after.notices.extend(e.to);
            }
            VisitEvent::Acknowledged(e) => self.after.answer = Some(e.answer),
            VisitEvent::Matched(e) => {
                if let Some(visitor) = e.visitor {
                    self.wait(visitor, e.location);
                }
                if e.moment == MatchMoment::Arrived {
                    (self.after.held_for, self.after.held_on) = (e.entries, e.day);
                    self.after.escalated = false;
                }
            }
            VisitEvent::ScreeningFailed(e) => {
                if let Some(visitor) = e.visitor {
                    self.wait(visitor, e.location);
                }
                (self.after.unscreened, self.after.held_on) = (true, Some(e.day));
                self.after.escalated = false;
            }
            VisitEvent::TurnedAway(_) => self.status = Some(VisitStatus::TurnedAway),
            VisitEvent::ErasureOrdered(_) => self.erasure_ordered = true,
            _ => {}
        }
    }

    fn take_code(&mut self, secret_hash: [u8; 32], passcode: String) {
        self.codes.push(Issued { secret_hash, passcode, location: self.location.clone() });
    }

    fn is_now(&mut self, visitor: Sealed<Person>) {
        self.visitor_subject = visitor.subject;
        self.visitor = Some(visitor);
    }

    fn takes_place(&mut self, location: String, starts_at_us: i64, ends_at_us: i64, weekdays: Vec<Weekday>) {
        (self.location, self.weekdays) = (location, weekdays);
        (self.starts_at_us, self.ends_at_us) = (starts_at_us, ends_at_us);
    }

    /// Refuses whom the visit does not concern. See [`is_own`].
    fn must_be_own(&self, ctx: &Context) -> Result<(), Rejection> {
        let hosts = [&[self.host_id], &self.co_hosts[..]].concat();
        is_own(ctx, &hosts, self.registered_by)
    }
}

/// Members and lawyers handle visits to themselves, as host or beside the host, and those that they registered;
/// secretaries those to their lawyers; the reception, admins and owners handle all (RN-C45).
fn is_own(ctx: &Context, hosts: &[Uuid], registered_by: Option<Uuid>) -> Result<(), Rejection> {
    let mut concerned = hosts.iter().copied().chain(registered_by);
    let may = match ctx.actor.role {
        Role::Member | Role::Lawyer => ctx.member.is_some_and(|me| concerned.any(|id| id == me)),
        Role::Secretary => hosts.iter().any(|host| ctx.acts_for.contains(host)),
        _ => true,
    };
    if may { Ok(()) } else { Err(Rejection::new("visit.own_only")) }
}

/// A code as typed or scanned: a passcode loses what people put between its digits, a pass's secret stays as it is.
fn plain(code: &str) -> String {
    let digits: String = crate::text::compatible(code).chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if is_passcode(&digits) { digits } else { code.trim().to_owned() }
}

fn is_passcode(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit())
}

impl On<Visit> {
    fn must_exist(&self) -> Result<(), Rejection> {
        if self.exists() { Ok(()) } else { Err(Rejection::new("visit.unknown")) }
    }

    /// Is this code good at this kiosk? A code of another place is unknown there; one that was replaced is answered with
    /// the new time.
    fn accept(&self, code: &str, kiosk: &On<Kiosk>, ctx: &mut Context) -> Result<(), Rejection> {
        kiosk.must_be_paired()?;
        let code = plain(code);
        let hash = ctx.world.hash(&code);
        let known = self.codes.iter().rposition(|c| c.passcode == code || c.secret_hash == hash);
        match known.filter(|i| self.codes[*i].location == kiosk.location) {
            None => Err(Rejection::at("visit.unknown_code", "/code")),
            Some(i) if i + 1 < self.codes.len() => {
                Err(Rejection::expected("visit.code_replaced", "/code", instant(self.starts_at_us)))
            }
            Some(_) => Ok(()),
        }
    }

    /// The visitor comes in. `early` is how long before the start that is allowed; `None` = any time.
    fn enter(&self, early: Option<i64>, ctx: &Context) -> Result<CheckedIn, Rejection> {
        let another_day = self.came_on.is_some_and(|day| day < ctx.today);
        match self.status {
            None => return Err(Rejection::new("visit.unknown")),
            Some(VisitStatus::Cancelled | VisitStatus::TurnedAway) => return Err(Rejection::new("visit.cancelled")),
            // A visit over several days begins anew each day, also when the visitor forgot to check out.
            Some(VisitStatus::CheckedIn) if !another_day => return Err(Rejection::new("visit.already_checked_in")),
            Some(VisitStatus::CheckedOut) if !another_day => return Err(Rejection::new("visit.already_checked_out")),
            Some(VisitStatus::CheckedIn | VisitStatus::CheckedOut | VisitStatus::Expected | VisitStatus::Held) => {}
        }
        if ctx.today > self.last_day() {
            return Err(Rejection::new("visit.expired"));
        }
        if let Some(early) = early {
            self.must_be_open(early, ctx)?;
        }
        let closes_at_us = self.hours(ctx.today).map_or(self.ends_at_us, |hours| hours.end);
        Ok(CheckedIn { late: ctx.now_us > closes_at_us, day: ctx.today, answers: None, consent: None })
    }

    /// The visitor leaves.
    fn leave(&self) -> Result<CheckedOut, Rejection> {
        match self.status {
            None => Err(Rejection::new("visit.unknown")),
            Some(VisitStatus::CheckedIn) => Ok(CheckedOut {}),
            Some(VisitStatus::CheckedOut) => Err(Rejection::new("visit.already_checked_out")),
            Some(_) => Err(Rejection::new("visit.not_checked_in")),
        }
    }
}
