//! What people and the server do once somebody is at the door.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Acknowledged, Announced, ErasureOrdered, Escalated, EscalationReason, MatchMoment, Matched, Overridden, TurnedAway,
    VisitAnswer, notices,
};
use crate::blocklist::Blocklist;
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::sealed::Label;
use crate::text;
use crate::visit::{Visit, VisitStatus};

fn must_be_here(visit: &On<Visit>) -> Result<(), Rejection> {
    visit.must_exist()?;
    if visit.status == Some(VisitStatus::CheckedIn) { Ok(()) } else { Err(Rejection::new("visit.not_checked_in")) }
}

/// Tells the hosts that their visitor is here, once for each arrival.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnounceVisitor {}

impl Command for AnnounceVisitor {
    type On = On<Visit>;
    const NAME: &'static str = "announce_visitor";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("visit.announce");
    const REJECTS: &'static [&'static str] = &["visit.unknown", "visit.not_checked_in"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        must_be_here(visit)?;
        let hosts = visit.hosts();
        if visit.after.announced || hosts.is_empty() {
            return Ok(vec![]);
        }
        let to = notices(visit, &hosts, ctx);
        Ok(vec![visit.emit(Announced { to })])
    }
}

/// Tells the reception, once for each arrival: nobody answers, nobody is visited, the blocklist names the visitor, or nobody
/// can say whether it does.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalateVisit {
    /// Whom.
    pub to: Vec<Uuid>,
}

impl Command for EscalateVisit {
    type On = On<Visit>;
    const NAME: &'static str = "escalate_visit";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("visit.escalate");
    const REJECTS: &'static [&'static str] = &["visit.unknown"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        let after = &visit.after;
        let why = match visit.status {
            Some(VisitStatus::Cancelled | VisitStatus::TurnedAway) | None => return Ok(vec![]),
            _ if after.escalated => return Ok(vec![]),
            // Also of a period pass whose visitor came before: what stopped them is gone once they are let in.
            _ if !after.held_for.is_empty() => EscalationReason::Blocklist,
            _ if after.unscreened => EscalationReason::NotScreened,
            Some(VisitStatus::CheckedIn) if visit.hosts().is_empty() && after.answer.is_none() => {
                EscalationReason::NobodyToAsk
            }
            Some(VisitStatus::CheckedIn) if after.answer.is_none() => EscalationReason::NoAnswer,
            _ => return Ok(vec![]),
        };
        let to = notices(visit, &self.to, ctx);
        Ok(vec![visit.emit(Escalated { why, to })])
    }
}

fn answered(visit: &On<Visit>, member_id: Option<Uuid>, answer: VisitAnswer) -> Vec<Emit> {
    let same = visit.after.answer == Some(answer);
    if same { vec![] } else { vec![visit.emit(Acknowledged { member_id, answer })] }
}

/// Says to a visitor who is here whether somebody comes: the host, or the reception for them.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeVisit {
    /// What to tell the visitor.
    pub answer: VisitAnswer,
}

impl Command for AcknowledgeVisit {
    type On = On<Visit>;
    const NAME: &'static str = "acknowledge_visit";
    const ROUTE: Route = Route::anytime("/v1/visits/{id}/acknowledge");
    const PERMISSION: Permission = Permission("visit.acknowledge");
    const REJECTS: &'static [&'static str] = &["visit.unknown", "visit.own_only", "visit.not_checked_in"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        let told = ctx.member.is_some_and(|me| visit.after.notices.iter().any(|notice| notice.member_id == me));
        if !told {
            visit.must_be_own(ctx)?;
        }
        must_be_here(visit)?;
        Ok(answered(visit, ctx.member, self.answer))
    }
}

/// The same by the link in a mail, as long as the visitor is here.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerNotice {
    /// What to tell the visitor.
    pub answer: VisitAnswer,
}

impl Command for AnswerNotice {
    type On = On<Visit>;
    const NAME: &'static str = "answer_notice";
    const ROUTE: Route = Route::post("/v1/visit_notices/{token}/answer");
    const PERMISSION: Permission = Permission("link.answer_notice");
    const REJECTS: &'static [&'static str] = &["visit.unknown", "visit.notice_gone", "visit.not_checked_in"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        let notice = visit.after.notices.iter().find(|notice| ctx.link == Some(notice.secret_hash));
        let member = notice.ok_or(Rejection::new("visit.notice_gone"))?.member_id;
        must_be_here(visit)?;
        Ok(answered(visit, Some(member), self.answer))
    }
}

/// Compares the visitor of a new or changed visit with the blocklist. It is compared again when they come.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScreenVisitor {}

impl Command for ScreenVisitor {
    type On = (On<Visit>, On<Blocklist>);
    const NAME: &'static str = "screen_visitor";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("visit.screen");
    const REJECTS: &'static [&'static str] = &["visit.unknown"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (visit, list): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        let entries = visit.is_named(list, ctx).unwrap_or_default();
        if visit.status != Some(VisitStatus::Expected) || entries.is_empty() {
            return Ok(vec![]);
        }
        let (moment, location) = (MatchMoment::Registered, String::new());
        Ok(vec![visit.emit(Matched { moment, entries, visitor: None, location, day: Some(ctx.today) })])
    }
}

/// Lets somebody in whom the blocklist names, or of whom nobody could say whether it does.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LetVisitorIn {
    /// Why all the same, 1 to 400 characters.
    pub reason: String,
}

impl Command for LetVisitorIn {
    type On = (On<Visit>, On<Blocklist>);
    const NAME: &'static str = "let_visitor_in";
    const ROUTE: Route = Route::anytime("/v1/visits/{id}/let_in");
    const PERMISSION: Permission = Permission("blocklist_entry.override");
    const REJECTS: &'static [&'static str] = &[
        "visit.unknown", "visit.not_named", "visit.cancelled", "visit.already_checked_in", "visit.already_checked_out",
        "visit.expired", "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (visit, list): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        let reason = Label { text: text::line(&self.reason, "/reason", 400)? };
        let came = visit.enter(None, ctx)?;
        // Where nobody knows, somebody has to decide all the same.
        let known = visit.is_named(list, ctx);
        let must_decide = known.as_ref().is_none_or(|entries| !entries.is_empty()) || visit.after.unscreened;
        let entries = known.unwrap_or_default();
        if !must_decide && visit.status != Some(VisitStatus::Held) {
            return Err(Rejection::new("visit.not_named"));
        }
        let reason = ctx.seal(visit.visitor_subject, &reason);
        Ok(vec![visit.emit(Overridden { entries, reason }), visit.emit(came)])
    }
}

/// Does not let somebody in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnVisitorAway {
    /// Why, at most 400 characters.
    #[serde(default)]
    pub reason: String,
}

impl Command for TurnVisitorAway {
    type On = On<Visit>;
    const NAME: &'static str = "turn_visitor_away";
    const ROUTE: Route = Route::anytime("/v1/visits/{id}/turn_away");
    const PERMISSION: Permission = Permission("blocklist_entry.override");
    const REJECTS: &'static [&'static str] =
        &["visit.unknown", "visit.wrong_state", "text.too_long", "text.control_character"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        let waits = match visit.status {
            Some(VisitStatus::Expected | VisitStatus::Held) => true,
            Some(VisitStatus::CheckedIn | VisitStatus::CheckedOut) => visit.after.is_stopped(),
            Some(VisitStatus::Cancelled | VisitStatus::TurnedAway) | None => false,
        };
        if !waits {
            return Err(Rejection::new("visit.wrong_state"));
        }
        let reason = Label { text: text::optional_line(&self.reason, "/reason", 400)? };
        let reason = ctx.seal(visit.visitor_subject, &reason);
        Ok(vec![visit.emit(TurnedAway { reason })])
    }
}

/// Erases what is known of the visitor of a visit that is over. That they came, and when, stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseVisitor {}

impl Command for EraseVisitor {
    type On = On<Visit>;
    const NAME: &'static str = "erase_visitor";
    const ROUTE: Route = Route::anytime("/v1/visits/{id}/erase");
    const PERMISSION: Permission = Permission("visitor.erase");
    const REJECTS: &'static [&'static str] =
        &["visit.unknown", "visit.not_over", "visit.already_erased", "access.confirm_first"];
    fn decide(self, visit: &On<Visit>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        ctx.must_be_fresh()?;
        if visit.erasure_ordered {
            return Err(Rejection::new("visit.already_erased"));
        }
        let over = match visit.status {
            Some(VisitStatus::Expected) => visit.last_day() < ctx.today,
            // Whoever was not expected has no other day; whoever was may come again as long as there is one.
            Some(VisitStatus::CheckedOut) => visit.codes.is_empty() || visit.last_day() <= ctx.today,
            Some(VisitStatus::CheckedIn | VisitStatus::Held) | None => false,
            Some(VisitStatus::Cancelled | VisitStatus::TurnedAway) => true,
        };
        match over {
            true => Ok(vec![visit.emit(ErasureOrdered { by_policy: false })]),
            false => Err(Rejection::new("visit.not_over")),
        }
    }
}

/// The same when the time is up for which the company keeps visitors, also of who never checked out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireVisitor {}

impl Command for RetireVisitor {
    type On = On<Visit>;
    const NAME: &'static str = "retire_visitor";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("visitor.retire");
    const REJECTS: &'static [&'static str] = &["visit.unknown"];
    fn decide(self, visit: &On<Visit>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.must_exist()?;
        let ordered = visit.emit(ErasureOrdered { by_policy: true });
        Ok(if visit.erasure_ordered { vec![] } else { vec![ordered] })
    }
}
