//! What a company wants of its reception once somebody is at the door: whom to tell, after how long, what a notice says, and how
//! long visitors are known. One stream a company, `visit_policy/<tenant>`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::member::{Member, MemberStatus};
use crate::role::Permission;
use crate::{codes, events};

/// Minutes without an answer after which the reception is told, where a company says nothing else.
pub const ESCALATE_AFTER_MIN: u16 = 5;
/// Longest such wait.
pub const ESCALATE_MAX_MIN: u16 = 120;
/// Most members that are told.
pub const TELL_MAX: usize = 20;
/// Longest time for which visitors are kept, in days: 30 years.
pub const KEEP_MAX_DAYS: u16 = 10_957;

events! {
    /// What happens to it.
    VisitPolicyEvent {
        Changed = "visit_policy.changed" v 1;
    }
}

codes! {
    /// What a mail says of who came (RN-10). Never an address.
    #[derive(Default)]
    NoticeContent {
        /// That somebody is there.
        Nothing = 1 "nothing",
        /// Who.
        #[default]
        Name = 2 "name",
        /// Who, and from where.
        NameAndCompany = 3 "name_and_company",
    }
}

/// Everything after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Minutes without an answer after which the reception is told.
    pub escalate_after_min: u16,
    /// Whom then; nobody = whoever has the role of the reception, else the owners.
    pub tell: Vec<Uuid>,
    /// What mails say of who came.
    pub notice: NoticeContent,
    /// Days after the visit on which the visitor is erased; `None` = never by itself (RN-15).
    pub keep_days: Option<u16>,
}

/// State.
#[derive(Debug, Default)]
pub struct VisitPolicy {
    /// See [`Changed`].
    pub keep_days: Option<u16>,
}

impl Aggregate for VisitPolicy {
    type Event = VisitPolicyEvent;
    const STREAM: &'static str = "visit_policy";
    fn apply(&mut self, event: VisitPolicyEvent) {
        let VisitPolicyEvent::Changed(e) = event;
        self.keep_days = e.keep_days;
    }
    #[cfg(test)]
    fn samples() -> Vec<VisitPolicyEvent> {
        tests::samples()
    }
}

/// Says how visitors are announced and how long they are known. Absent = as it is where nothing was said.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeVisitPolicy {
    /// Minutes without an answer after which the reception is told, 1 to 120; 5 if absent.
    #[serde(default = "escalate_after_min")]
    pub escalate_after_min: u16,
    /// Up to 20 members who are told then; nobody = whoever has the role of the reception, else the owners.
    #[serde(default)]
    pub tell: Vec<Uuid>,
    /// What mails say of who came; the name if absent.
    #[serde(default)]
    pub notice: NoticeContent,
    /// Days after the visit on which what is known of the visitor is erased, 1 to 10957; absent = never by itself.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub keep_days: Option<u16>,
}

fn escalate_after_min() -> u16 {
    ESCALATE_AFTER_MIN
}

impl Command for ChangeVisitPolicy {
    type On = (On<VisitPolicy>, Vec<On<Member>>);
    const NAME: &'static str = "change_visit_policy";
    const ROUTE: Route = Route::post("/v1/visit_policy");
    const PERMISSION: Permission = Permission("visit_policy.change");
    const REJECTS: &'static [&'static str] =
        &["visit_policy.bad_minutes", "visit_policy.too_many", "visit_policy.unknown_member", "visit_policy.bad_days"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        if self.tell.len() > TELL_MAX {
            return Err(Rejection::at("visit_policy.too_many", "/tell"));
        }
        let mut tell = self.tell.clone();
        tell.sort();
        tell.dedup();
        Ok([ctx.tenant].into_iter().chain(tell).collect())
    }
    fn decide(self, (policy, members): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if !(1..=ESCALATE_MAX_MIN).contains(&self.escalate_after_min) {
            return Err(Rejection::at("visit_policy.bad_minutes", "/escalate_after_min"));
        }
        if self.keep_days.is_some_and(|days| !(1..=KEEP_MAX_DAYS).contains(&days)) {
            return Err(Rejection::at("visit_policy.bad_days", "/keep_days"));
        }
        if members.iter().any(|member| member.status != Some(MemberStatus::Active)) {
            return Err(Rejection::at("visit_policy.unknown_member", "/tell"));
        }
        Ok(vec![policy.emit(Changed {
            escalate_after_min: self.escalate_after_min,
            tell: members.iter().map(|member| member.id).collect(),
            notice: self.notice,
            keep_days: self.keep_days,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member;
    use crate::role::Role;
    use crate::testing::*;

    fn change() -> ChangeVisitPolicy {
        let notice = NoticeContent::NameAndCompany;
        ChangeVisitPolicy { escalate_after_min: 3, tell: vec![BEN, ANNA, BEN], notice, keep_days: Some(90) }
    }

    fn with_members() -> Scene {
        let joined = |id| member::Registered { person: sealed(id, &person("誰か", "")), role: Role::Receptionist };
        scene().given::<Member>(ANNA, joined(ANNA)).given::<Member>(BEN, joined(BEN))
    }

    #[test]
    fn a_company_says_whom_to_tell_and_how_long_to_know() {
        let notice = NoticeContent::NameAndCompany;
        let changed = Changed { escalate_after_min: 3, tell: vec![ANNA, BEN], notice, keep_days: Some(90) };
        let s = with_members().when(TENANT, change()).then([emit::<VisitPolicy>(TENANT, changed)]);
        assert_eq!(s.now::<VisitPolicy>(TENANT).keep_days, Some(90));
    }

    #[test]
    fn every_refusal() {
        let mut s = with_members();
        for escalate_after_min in [0, 121] {
            let change = ChangeVisitPolicy { escalate_after_min, ..change() };
            s = s.when(TENANT, change).refused_at("visit_policy.bad_minutes", "/escalate_after_min");
        }
        for days in [0, 10_958] {
            let change = ChangeVisitPolicy { keep_days: Some(days), ..change() };
            s = s.when(TENANT, change).refused_at("visit_policy.bad_days", "/keep_days");
        }
        let stranger = ChangeVisitPolicy { tell: vec![ME], ..change() };
        let s = s.when(TENANT, stranger).refused_at("visit_policy.unknown_member", "/tell");
        let crowd = ChangeVisitPolicy { tell: (0..21).map(Uuid::from_u128).collect(), ..change() };
        s.when(TENANT, crowd).refused_at("visit_policy.too_many", "/tell");
        covered::<ChangeVisitPolicy>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<VisitPolicyEvent> {
        let (tell, notice) = (vec![SAMPLE_ID], NoticeContent::Name);
        vec![Changed { escalate_after_min: 5, tell, notice, keep_days: Some(90) }.into()]
    }
}
