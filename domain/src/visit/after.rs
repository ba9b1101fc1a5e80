//! What follows when somebody is at the door: their hosts are told and answer, the reception is told where nobody does; who is on
//! the blocklist waits for the reception; and in the end what is known of a visitor goes.

mod commands;
#[cfg(test)]
pub(super) mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::commands::*;
use super::{Visit, VisitStatus};
use crate::blocklist::Blocklist;
use crate::codes;
use crate::command::{Emit, On, Rejection};
use crate::context::Context;
use crate::date::Date;
use crate::sealed::{Label, Person, Sealed};

codes! {
    /// What a host says.
    VisitAnswer {
        /// On the way.
        Coming = 1 "coming",
        /// The visitor is to take a seat.
        Wait = 2 "wait",
        /// Somebody else will come.
        SomeoneElse = 3 "someone_else",
    }
}

codes! {
    /// Why the reception is told.
    EscalationReason {
        /// No host has answered in time.
        NoAnswer = 1 "no_answer",
        /// Nobody is visited.
        NobodyToAsk = 2 "nobody_to_ask",
        /// The blocklist names the visitor.
        Blocklist = 3 "blocklist",
        /// Nobody could say whether the blocklist names the visitor.
        NotScreened = 4 "not_screened",
    }
}

codes! {
    /// When the blocklist was asked.
    MatchMoment {
        /// As the visit was registered or changed.
        Registered = 1 "registered",
        /// As the visitor wanted to come in.
        Arrived = 2 "arrived",
    }
}

/// Somebody who is told by mail, and the secret in it by which they can answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Who.
    pub member_id: Uuid,
    /// SHA-256 of the secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
}

/// Whoever is visited was told that the visitor is here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Announced {
    /// A mail each.
    pub to: Vec<Notice>,
}

/// The reception was told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Escalated {
    /// Why.
    pub why: EscalationReason,
    /// A mail each.
    pub to: Vec<Notice>,
}

/// Somebody who was told answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who; absent where a program did.
    pub member_id: Option<Uuid>,
    /// What.
    pub answer: VisitAnswer,
}

/// The blocklist names the visitor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Matched {
    /// When it was asked.
    pub moment: MatchMoment,
    /// Entries that do.
    pub entries: Vec<Uuid>,
    /// Of somebody who came without an appointment, and waits now; else known already.
    pub visitor: Option<Sealed<Person>>,
    /// Where they wait; empty where the visit says it.
    pub location: String,
    /// Civil day; old records do not say it.
    pub day: Option<Date>,
}

/// Nobody could say whether the blocklist names a visitor who wanted to come in: the vault could not be asked, or what was
/// known of the visitor is erased. The reception decides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScreeningFailed {
    /// Of somebody who came without an appointment, and waits now; else known already.
    pub visitor: Option<Sealed<Person>>,
    /// Where they wait; empty where the visit says it.
    pub location: String,
    /// Civil day.
    pub day: Date,
}

/// The reception lets somebody in all the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Overridden {
    /// Entries that name the visitor.
    pub entries: Vec<Uuid>,
    /// Why; about the visitor, and sealed as such.
    pub reason: Sealed<Label>,
}

/// The reception did not let them in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TurnedAway {
    /// Why; about the visitor, and sealed as such.
    pub reason: Sealed<Label>,
}

/// What is known of the visitor is to be erased; `ledger.subject_erased` follows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErasureOrdered {
    /// Because the time is up that the company keeps visitors for; else by hand.
    pub by_policy: bool,
}

/// What has followed the present arrival.
#[derive(Debug, Default)]
pub struct After {
    /// The hosts were told.
    pub announced: bool,
    /// The reception was told.
    pub escalated: bool,
    /// Who can answer by mail.
    pub notices: Vec<Notice>,
    /// The last answer.
    pub answer: Option<VisitAnswer>,
    /// Entries for which the visitor was not let in.
    pub held_for: Vec<Uuid>,
    /// Civil day on which they were stopped last.
    pub held_on: Option<Date>,
    /// The visitor was not let in because nobody could say whether the blocklist names them.
    pub unscreened: bool,
}

impl After {
    /// Somebody is at the door who was not let in: the reception decides.
    pub fn is_stopped(&self) -> bool {
        !self.held_for.is_empty() || self.unscreened
    }
}

impl Visit {
    /// Whom to tell that the visitor is here.
    fn hosts(&self) -> Vec<Uuid> {
        [self.host_id].into_iter().chain(self.co_hosts.iter().copied()).filter(|host| !host.is_nil()).collect()
    }

    /// Takes in that somebody without an appointment is at the door and waits.
    pub(super) fn wait(&mut self, visitor: Sealed<Person>, location: String) {
        (self.status, self.visitor_subject) = (Some(VisitStatus::Held), visitor.subject);
        (self.visitor, self.location) = (Some(visitor), location);
        // The reception may let them in whenever it wants to.
        self.ends_at_us = i64::MAX;
    }
}

impl On<Visit> {
    /// Does the blocklist name this visitor? `None` where nobody knows, which is no "no": the vault cannot be asked, or the
    /// visitor was erased.
    fn is_named(&self, list: &On<Blocklist>, ctx: &mut Context) -> Option<Vec<Uuid>> {
        if list.entries.is_empty() {
            return Some(vec![]);
        }
        let person = ctx.open(self.visitor.as_ref()?)?;
        list.matches(&person, ctx).ok()
    }

    /// Nobody whom the blocklist names comes in by themselves: the reception decides.
    pub(super) fn must_be_clear(&self, list: &On<Blocklist>, ctx: &mut Context) -> Result<(), Rejection> {
        refuse_named(self.is_named(list, ctx))
    }

    /// What is written when somebody who is expected was sent to the reception; once a day for the same entries.
    pub(super) fn sent_to_reception(&self, list: &On<Blocklist>, why: &Rejection, ctx: &mut Context) -> Vec<Emit> {
        let known = match why.code {
            ASK_RECEPTION => self.is_named(list, ctx),
            NOT_SCREENED => None,
            _ => return vec![],
        };
        let is_known = self.after.held_on == Some(ctx.today)
            && known.as_ref().map_or(self.after.unscreened, |entries| *entries == self.after.held_for);
        if is_known { vec![] } else { vec![self.stopped(known, None, String::new(), ctx.today)] }
    }

    /// The record of who was stopped at the door: by these entries, or because nobody knows whether by any.
    pub(super) fn stopped(
        &self,
        known: Option<Vec<Uuid>>,
        visitor: Option<Sealed<Person>>,
        location: String,
        day: Date,
    ) -> Emit {
        let moment = MatchMoment::Arrived;
        match known {
            Some(entries) => self.emit(Matched { moment, entries, visitor, location, day: Some(day) }),
            None => self.emit(ScreeningFailed { visitor, location, day }),
        }
    }
}

/// Lets nobody by whom the blocklist names, or of whom nobody knows whether it does.
pub(super) fn refuse_named(entries: Option<Vec<Uuid>>) -> Result<(), Rejection> {
    match entries {
        Some(entries) if entries.is_empty() => Ok(()),
        Some(_) => Err(Rejection::new(ASK_RECEPTION)),
        None => Err(Rejection::new(NOT_SCREENED)),
    }
}

/// Refusal of whoever the blocklist names: it does not say why.
pub const ASK_RECEPTION: &str = "visit.ask_reception";
/// Refusal where nobody can say whether it does.
pub const NOT_SCREENED: &str = "visit.not_screened";

/// A notice to each of them.
fn notices(visit: &On<Visit>, members: &[Uuid], ctx: &mut Context) -> Vec<Notice> {
    let notice = |member_id: &Uuid| Notice { member_id: *member_id, secret_hash: ctx.world.secret("ans", visit.id) };
    members.iter().map(notice).collect()
}
