//! What a company wants of its reception. One row at most.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use keiin_domain::visit_policy::{ESCALATE_AFTER_MIN, NoticeContent, VisitPolicy, VisitPolicyEvent};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Json, col, json};

/// One row a company that has said something.
pub static VISIT_POLICIES: Table = Table {
    name: "visit_policies",
    key: &[blob("id")],
    columns: &[
        int("escalate_after_min"),
        text("tell"),
        text("notice"),
        int("keep_days"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "visit_policy", revision: 1, tables: &[&VISIT_POLICIES], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != VisitPolicy::STREAM {
        return Ok(());
    }
    let VisitPolicyEvent::Changed(e) = fact.read()?;
    let columns = [
        ("escalate_after_min", cell(e.escalate_after_min)),
        ("tell", cell(json(&e.tell))),
        ("notice", cell(e.notice.name())),
        ("keep_days", cell(e.keep_days)),
    ];
    out.born(&VISIT_POLICIES, fact, columns);
    Ok(())
}

/// What a company wants of its reception.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitPolicyView {
    /// Minutes without an answer after which the reception is told.
    pub escalate_after_min: u16,
    /// Whom then; nobody = whoever has the role of the reception, else the owners.
    pub tell: Vec<Uuid>,
    /// What mails say of who came: `nothing`, `name` or `name_and_company`.
    pub notice: String,
    /// Days after the visit on which the visitor is erased; absent = never by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u16>,
}

/// What the company wants of its reception.
pub struct GetVisitPolicy;

impl Query for GetVisitPolicy {
    const NAME: &'static str = "get_visit_policy";
    const PATH: &'static str = "/v1/visit_policy";
    const PERMISSION: Permission = Permission("visit_policy.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = VisitPolicyView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        let found = read.one(who, "visit_policies", Some(who.ledger), |row| {
            Ok(VisitPolicyView {
                escalate_after_min: col(row, "escalate_after_min")?,
                tell: col::<Json<_>>(row, "tell")?.0,
                notice: col(row, "notice")?,
                keep_days: col(row, "keep_days")?,
            })
        });
        let silent = || VisitPolicyView {
            escalate_after_min: ESCALATE_AFTER_MIN,
            tell: vec![],
            notice: NoticeContent::default().name().to_owned(),
            keep_days: None,
        };
        if matches!(found, Err(Refusal::NotFound)) { Ok(silent()) } else { found }
    }
}
