//! Grants: an operator may look at a company's data, for a purpose, at some classes of it, until some time (MN-05, ML-48).
//! Everything about a grant is in the company's own ledger. The operator asks, a second operator approves, the company opens
//! it; where the company has said so beforehand, it is told at once instead of asked. Its owners get a mail in both cases. What is privileged always needs two
//! people of the company.
//!
//! What makes a create unique: nothing but its id. A second grant gives nothing that the first did not.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::{Context, actor_kind};
use crate::data::DataClass;
use crate::operator::OperatorKind;
use crate::owners::Owners;
use crate::role::Permission;
use crate::sealed::{Person, Sealed};
use crate::{codes, events, text};

codes! {
    /// What an operator may look for; nothing else (FM-17).
    Purpose {
        /// Running the service that the company uses.
        Service = 1 "service",
        /// Billing for it.
        Billing = 2 "billing",
        /// Figures over many companies that show none.
        AggregateAnalysis = 3 "aggregate_analysis",
        /// A report that this company asked for.
        IndividualReport = 4 "individual_report",
        /// Telling about an event that the company takes part in.
        EventInfo = 5 "event_info",
        /// Answering a question of the company's.
        Inquiry = 6 "inquiry",
        /// Finding what is broken.
        Bug = 7 "bug",
        /// Making the service better.
        Improvement = 8 "improvement",
        /// A survey that the company agreed to.
        Survey = 9 "survey",
        /// A campaign that the company agreed to.
        Campaign = 10 "campaign",
    }
}

events! {
    /// What happens to a grant.
    GrantEvent {
        Requested = "grant.requested" v 1;
        Approved = "grant.approved" v 1;
        Opened = "grant.opened" v 1;
        Denied = "grant.denied" v 1;
        Ended = "grant.ended" v 1;
        Expired = "grant.expired" v 1;
        Reviewed = "grant.reviewed" v 1;
    }
}

/// An operator asks to look.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Requested {
    /// Who.
    pub operator: Uuid,
    /// Their name.
    pub person: Sealed<Person>,
    /// What they do.
    pub kind: OperatorKind,
    /// What for.
    pub purpose: Purpose,
    /// Which data; sorted.
    pub classes: Vec<DataClass>,
    /// Only this one thing of it.
    pub object: Option<Uuid>,
    /// In words.
    pub reason: String,
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
}

/// A second operator agrees.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approved {
    /// Who.
    pub by: Uuid,
    /// Their name.
    pub person: Sealed<Person>,
    /// The company has chosen to be told instead of asked.
    pub told_at_once: bool,
    /// Owners of the company who get a mail about it, sorted.
    pub mail_to: Vec<Uuid>,
}

/// A person of the company agrees.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// Who.
    pub by: Uuid,
}

/// The company does not agree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Denied {
    /// Why; may be empty.
    pub reason: String,
}

/// It was in force and is no more, before its time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// Why; may be empty.
    pub reason: String,
}

/// Its time is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Expired {}

/// Another operator has looked at what was done with it (FM-13).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reviewed {
    /// Who.
    pub by: Uuid,
    /// What they found; may be empty.
    pub note: String,
}

/// State of a grant.
#[derive(Debug, Default)]
pub struct Grant {
    /// Whose.
    pub operator: Uuid,
    /// What for; `None` before it was asked for.
    pub purpose: Option<Purpose>,
    /// Which data.
    pub classes: Vec<DataClass>,
    /// Only this one thing of it.
    pub object: Option<Uuid>,
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
    approved: bool,
    told_at_once: bool,
    opened_by: Vec<Uuid>,
    over: bool,
    reviewed: bool,
}

impl Aggregate for Grant {
    type Event = GrantEvent;
    const STREAM: &'static str = "grant";
    fn apply(&mut self, event: GrantEvent) {
        match event {
            GrantEvent::Requested(e) => {
                (self.operator, self.purpose, self.object) = (e.operator, Some(e.purpose), e.object);
                (self.classes, self.expires_at_us) = (e.classes, e.expires_at_us);
            }
            GrantEvent::Approved(e) => (self.approved, self.told_at_once) = (true, e.told_at_once),
            GrantEvent::Opened(e) => self.opened_by.push(e.by),
            GrantEvent::Denied(_) | GrantEvent::Ended(_) | GrantEvent::Expired(_) => self.over = true,
            GrantEvent::Reviewed(_) => self.reviewed = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<GrantEvent> {
        tests::samples()
    }
}

impl Grant {
    /// How many people of the company must agree: two where it concerns what a profession keeps to itself.
    pub fn openings_needed(&self) -> usize {
        match self.classes.contains(&DataClass::Privileged) {
            true => 2,
            false => usize::from(!self.told_at_once),
        }
    }

    /// May its operator look now?
    pub fn is_in_force(&self, now_us: i64) -> bool {
        let agreed = self.approved && self.opened_by.len() >= self.openings_needed();
        agreed && !self.over && now_us < self.expires_at_us
    }

    /// Does it open data of this class?
    pub fn covers(&self, class: DataClass) -> bool {
        class == DataClass::Public || self.classes.contains(&class)
    }
}

impl On<Grant> {
    fn must_stand(&self, now_us: i64) -> Result<(), Rejection> {
        if self.purpose.is_none() {
            return Err(Rejection::new("grant.unknown"));
        }
        let over = self.over || now_us >= self.expires_at_us;
        if over { Err(Rejection::new("grant.over")) } else { Ok(()) }
    }
}

/// Most hours of a grant where the deployment sets nothing.
pub const HOURS: u32 = 72;

/// Asks to look. The server adds who asks.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestGrant {
    /// The operator's name.
    pub operator_name: String,
    /// What they do.
    pub operator_kind: OperatorKind,
    /// What for.
    pub purpose: Purpose,
    /// Which data.
    pub classes: Vec<DataClass>,
    /// Only this one thing of it.
    #[serde(default, deserialize_with = "present")]
    pub object: Option<Uuid>,
    /// In words, at most 200 characters.
    pub reason: String,
    /// For how long from now.
    pub hours: u32,
    /// The longest that the deployment allows.
    pub hours_max: u32,
}

impl Command for RequestGrant {
    type On = On<Grant>;
    const NAME: &'static str = "request_grant";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.request_grant");
    const REJECTS: &'static [&'static str] = &[
        "grant.management_never", "grant.no_classes", "grant.bad_hours", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, grant: &On<Grant>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if self.operator_kind == OperatorKind::Management {
            return Err(Rejection::new("grant.management_never"));
        }
        let mut classes = self.classes;
        classes.sort();
        classes.dedup();
        if classes.is_empty() {
            return Err(Rejection::at("grant.no_classes", "/classes"));
        }
        if self.hours == 0 || self.hours > self.hours_max {
            return Err(Rejection::expected("grant.bad_hours", "/hours", format!("1–{}", self.hours_max)));
        }
        let operator = ctx.actor.id;
        let person = ctx.seal(operator, &Person { name: self.operator_name, ..Person::default() });
        Ok(vec![grant.emit(Requested {
            operator,
            person,
            kind: self.operator_kind,
            purpose: self.purpose,
            classes,
            object: self.object,
            reason: text::line(&self.reason, "/reason", 200)?,
            expires_at_us: ctx.now_us + i64::from(self.hours) * 3_600_000_000,
        })])
    }
}

/// Agrees, as the second operator.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveGrant {
    /// The second operator's name.
    pub operator_name: String,
}

impl Command for ApproveGrant {
    type On = (On<Grant>, On<Support>, On<Owners>);
    const NAME: &'static str = "approve_grant";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.approve_grant");
    const REJECTS: &'static [&'static str] =
        &["grant.unknown", "grant.over", "grant.own_approval", "grant.already_approved"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant, ctx.tenant])
    }
    fn decide(self, (grant, support, owners): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        grant.must_stand(ctx.now_us)?;
        let by = ctx.actor.id;
        if by == grant.operator {
            return Err(Rejection::new("grant.own_approval"));
        }
        if grant.approved {
            return Err(Rejection::new("grant.already_approved"));
        }
        let person = ctx.seal(by, &Person { name: self.operator_name, ..Person::default() });
        let (told_at_once, mail_to) = (support.told_at_once, owners.members());
        Ok(vec![grant.emit(Approved { by, person, told_at_once, mail_to })])
    }
}

/// Lets the operator look.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenGrant {}

impl Command for OpenGrant {
    type On = On<Grant>;
    const NAME: &'static str = "open_grant";
    const ROUTE: Route = Route::post("/v1/grants/{id}/open");
    const PERMISSION: Permission = Permission("grant.open");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "grant.unknown", "grant.over", "grant.not_approved", "grant.already_open",
        "grant.second_person",
    ];
    fn decide(self, grant: &On<Grant>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        grant.must_stand(ctx.now_us)?;
        if !grant.approved {
            return Err(Rejection::new("grant.not_approved"));
        }
        if grant.is_in_force(ctx.now_us) {
            return Err(Rejection::new("grant.already_open"));
        }
        let by = ctx.member.unwrap_or(ctx.actor.id);
        if grant.opened_by.contains(&by) {
            return Err(Rejection::new("grant.second_person"));
        }
        Ok(vec![grant.emit(Opened { by })])
    }
}

/// Refuses a grant, or ends it at once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndGrant {
    /// Why, at most 200 characters.
    #[serde(default)]
    pub reason: String,
}

impl Command for EndGrant {
    type On = On<Grant>;
    const NAME: &'static str = "end_grant";
    const ROUTE: Route = Route::post("/v1/grants/{id}/end");
    const PERMISSION: Permission = Permission("grant.end");
    const REJECTS: &'static [&'static str] =
        &["grant.unknown", "grant.over", "text.too_long", "text.control_character"];
    fn decide(self, grant: &On<Grant>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        grant.must_stand(ctx.now_us)?;
        let reason = text::optional_line(&self.reason, "/reason", 200)?;
        let operators = ctx.actor.kind == actor_kind::OPERATOR;
        Ok(vec![match grant.is_in_force(ctx.now_us) || operators {
            true => grant.emit(Ended { reason }),
            false => grant.emit(Denied { reason }),
        }])
    }
}

/// Writes the end of a grant down when its time has come; sent by the server's timer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpireGrant {}

impl Command for ExpireGrant {
    type On = On<Grant>;
    const NAME: &'static str = "expire_grant";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("grant.expire");
    const REJECTS: &'static [&'static str] = &["grant.unknown", "grant.not_due"];
    fn decide(self, grant: &On<Grant>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if grant.purpose.is_none() {
            return Err(Rejection::new("grant.unknown"));
        }
        if grant.over {
            return Ok(vec![]);
        }
        if ctx.now_us < grant.expires_at_us {
            return Err(Rejection::new("grant.not_due"));
        }
        Ok(vec![grant.emit(Expired {})])
    }
}

/// Signs off what was done with a grant that is over.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewGrant {
    /// What was found, at most 500 characters.
    #[serde(default)]
    pub note: String,
}

impl Command for ReviewGrant {
    type On = On<Grant>;
    const NAME: &'static str = "review_grant";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.review_grant");
    const REJECTS: &'static [&'static str] = &[
        "grant.unknown", "grant.not_over", "grant.own_review", "grant.already_reviewed", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, grant: &On<Grant>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if grant.purpose.is_none() {
            return Err(Rejection::new("grant.unknown"));
        }
        if !grant.over && ctx.now_us < grant.expires_at_us {
            return Err(Rejection::new("grant.not_over"));
        }
        if grant.operator == ctx.actor.id {
            return Err(Rejection::new("grant.own_review"));
        }
        if grant.reviewed {
            return Err(Rejection::new("grant.already_reviewed"));
        }
        let note = text::optional_line(&self.note, "/note", 500)?;
        Ok(vec![grant.emit(Reviewed { by: ctx.actor.id, note })])
    }
}

events! {
    /// What happens to a company's word on support.
    SupportEvent {
        SupportChanged = "support.changed" v 1;
    }
}

/// The company's word after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SupportChanged {
    /// It wants to be told of grants instead of asked.
    pub told_at_once: bool,
}

/// A company's word on support. As long as it said nothing, it is asked. The stream's id is the company's.
#[derive(Debug, Default)]
pub struct Support {
    /// See [`SupportChanged`].
    pub told_at_once: bool,
}

impl Aggregate for Support {
    type Event = SupportEvent;
    const STREAM: &'static str = "support";
    fn apply(&mut self, event: SupportEvent) {
        let SupportEvent::SupportChanged(e) = event;
        self.told_at_once = e.told_at_once;
    }
    #[cfg(test)]
    fn samples() -> Vec<SupportEvent> {
        tests::support_samples()
    }
}

/// Says whether the company is asked before an operator looks, or told.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSupport {
    /// Told instead of asked. What is privileged is asked for all the same, of two people.
    #[serde(default)]
    pub told_at_once: bool,
}

impl Command for ChangeSupport {
    type On = On<Support>;
    const NAME: &'static str = "change_support";
    const ROUTE: Route = Route::post("/v1/support");
    const PERMISSION: Permission = Permission("support.change");
    const REJECTS: &'static [&'static str] = &["access.confirm_first"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.tenant])
    }
    fn decide(self, support: &On<Support>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        if self.told_at_once == support.told_at_once {
            return Ok(vec![]);
        }
        Ok(vec![support.emit(SupportChanged { told_at_once: self.told_at_once })])
    }
}
