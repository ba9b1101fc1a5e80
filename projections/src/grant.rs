//! Grants: who of the deployment's operators may look at what, for the company that it concerns, and what they looked at.

use std::collections::BTreeMap;

use keiin_domain::command::Aggregate;
use keiin_domain::data::{Data, DataClass, DataEvent};
use keiin_domain::grant::{Grant, GrantEvent, Support, SupportEvent};
use keiin_domain::role::Permission;
use keiin_domain::sealed::{Person, Sealed};
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, OURS, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, id, int, personal, text};
use crate::view::{Json, Named, Row, Seen, Time, col, json};

/// One row a grant.
pub static GRANTS: Table = Table {
    name: "grants",
    key: &[blob("id")],
    columns: &[
        blob("operator_id"),
        text("kind"),
        text("purpose"),
        text("classes"),
        int("privileged"),
        blob("object_id"),
        text("reason"),
        int("requested_at"),
        int("expires_at"),
        blob("approved_by"),
        int("told_at_once"),
        int("opened"),
        text("over"),
        int("reviewed_at"),
        text("review"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// One row an operator who ever asked or approved here.
pub static VENDORS: Table = Table {
    name: "vendors",
    key: &[blob("id")],
    columns: &[blob("subject"), personal("name")],
    indexes: &[],
    only_grows: false,
};

/// One row a look of an operator.
pub static VENDOR_LOOKS: Table = Table {
    name: "vendor_looks",
    key: &[int("position")],
    columns: &[blob("grant_id"), text("operation"), text("class"), blob("object_id"), int("time")],
    indexes: &["grant_id"],
    only_grows: true,
};

/// One row a company that said how it wants to be asked.
pub static SUPPORT: Table = Table {
    name: "support",
    key: &[blob("id")],
    columns: &[int("told_at_once"), int("since"), int("version"), int("position")],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection =
    Projection { name: "grant", revision: 1, tables: &[&GRANTS, &VENDORS, &VENDOR_LOOKS, &SUPPORT], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    match fact.stream() {
        Grant::STREAM => grant(fact, keys, out)?,
        Support::STREAM => {
            let SupportEvent::SupportChanged(e) = fact.read()?;
            out.born(&SUPPORT, fact, [("told_at_once", cell(e.told_at_once))]);
        }
        Data::STREAM => {
            if let DataEvent::TenantDataViewed(e) = fact.read()? {
                let columns = [
                    ("grant_id", cell(e.grant)),
                    ("operation", cell(e.operation)),
                    ("class", cell(e.class.name())),
                    ("object_id", fact.id()),
                    ("time", cell(fact.time_us())),
                ];
                out.put(&VENDOR_LOOKS, [cell(fact.leaf.position)], columns);
            }
        }
        _ => {}
    }
    Ok(())
}

fn grant(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    match fact.read()? {
        GrantEvent::Requested(e) => {
            vendor(&e.person, keys, out);
            let columns = [
                ("operator_id", cell(e.operator)),
                ("kind", cell(e.kind.name())),
                ("purpose", cell(e.purpose.name())),
                ("classes", cell(json(&e.classes))),
                ("privileged", cell(e.classes.contains(&DataClass::Privileged))),
                ("object_id", cell(e.object)),
                ("reason", cell(e.reason)),
                ("requested_at", cell(fact.time_us())),
                ("expires_at", cell(e.expires_at_us)),
                ("told_at_once", cell(false)),
                ("opened", cell(0_u32)),
                ("over", cell("")),
            ];
            out.born(&GRANTS, fact, columns);
        }
        GrantEvent::Approved(e) => {
            vendor(&e.person, keys, out);
            let told = ("told_at_once", cell(e.told_at_once));
            out.changed(&GRANTS, fact, [("approved_by", cell(e.by)), told]);
        }
        GrantEvent::Opened(_) => {
            out.changed(&GRANTS, fact, []);
            out.add(&GRANTS, [fact.id()], "opened", 1);
        }
        GrantEvent::Denied(_) => out.changed(&GRANTS, fact, [("over", cell("denied"))]),
        GrantEvent::Ended(_) => out.changed(&GRANTS, fact, [("over", cell("ended"))]),
        GrantEvent::Expired(_) => out.changed(&GRANTS, fact, [("over", cell("expired"))]),
        GrantEvent::Reviewed(e) => {
            out.changed(&GRANTS, fact, [("reviewed_at", cell(fact.time_us())), ("review", cell(e.note))]);
        }
    }
    Ok(())
}

fn vendor(person: &Sealed<Person>, keys: &Opener, out: &mut Writes) {
    let name = person.open(keys).map(|person| person.name);
    out.put(&VENDORS, [id(person.subject)], [("subject", cell(person.subject)), ("name", cell(name))]);
}

/// Grants with the names of their operators, where they stand, and how often they were used.
pub const FROM: &str = "(SELECT g.*, o.name AS operator_name, a.name AS approver_name, c.name AS company,
        CASE WHEN g.privileged = 1 THEN 2 WHEN g.told_at_once = 1 THEN 0 ELSE 1 END AS needed,
        CASE WHEN g.over <> '' THEN g.over WHEN g.expires_at <= :now THEN 'expired'
          WHEN g.approved_by IS NULL THEN 'requested'
          WHEN g.opened < CASE WHEN g.privileged = 1 THEN 2 WHEN g.told_at_once = 1 THEN 0 ELSE 1 END THEN 'approved'
          ELSE 'open' END AS status,
        (SELECT count(*) FROM vendor_looks l WHERE l.ledger = g.ledger AND l.grant_id = g.id) AS looks
      FROM grants g
      LEFT JOIN vendors o ON o.ledger = g.ledger AND o.id = g.operator_id
      LEFT JOIN vendors a ON a.ledger = g.ledger AND a.id = g.approved_by
      LEFT JOIN tenants c ON c.ledger = g.ledger AND c.id = g.ledger)";

/// A grant, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GrantView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Whose data.
    pub company: Named,
    /// Who asked.
    pub operator: Named,
    /// `support` or `engineering`.
    pub kind: String,
    /// What for: one of ten codes.
    pub purpose: String,
    /// Which data: `internal`, `personal`, `privileged`.
    pub classes: Vec<String>,
    /// Only this one thing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<Uuid>,
    /// In words.
    pub reason: String,
    /// `requested` (waits for a second operator), `approved` (waits for the company), `open`, `denied`, `ended`, `expired`.
    pub status: String,
    /// When it was asked for.
    pub requested_at: Time,
    /// Until when.
    pub expires_at: Time,
    /// The second operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Named>,
    /// How many people of the company have opened it.
    pub opened: u32,
    /// How many must.
    pub openings_needed: u32,
    /// How often something was looked at.
    pub looks: u64,
    /// When another operator signed off what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<Time>,
    /// What they found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
}

impl GrantView {
    /// It is over, and nobody has signed off what was done (FM-13).
    pub fn is_unreviewed(&self) -> bool {
        let was_used = self.looks > 0 || matches!(self.status.as_str(), "ended" | "expired");
        was_used && self.reviewed_at.is_none() && !matches!(self.status.as_str(), "requested" | "approved" | "open")
    }
}

fn view(row: &Row) -> Seen<GrantView> {
    let approver: Option<Uuid> = col(row, "approved_by")?;
    let approved_by = approver.map(|id| Ok::<_, crate::view::SqlError>(Named { id, name: col(row, "approver_name")? }));
    Ok(GrantView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        company: Named { id: col(row, "ledger")?, name: col(row, "company")? },
        operator: Named { id: col(row, "operator_id")?, name: col(row, "operator_name")? },
        kind: col(row, "kind")?,
        purpose: col(row, "purpose")?,
        classes: col::<Json<_>>(row, "classes")?.0,
        object_id: col(row, "object_id")?,
        reason: col(row, "reason")?,
        status: col(row, "status")?,
        requested_at: col(row, "requested_at")?,
        expires_at: col(row, "expires_at")?,
        approved_by: approved_by.transpose()?,
        opened: col(row, "opened")?,
        openings_needed: col(row, "needed")?,
        looks: col(row, "looks")?,
        reviewed_at: col(row, "reviewed_at")?,
        review: col::<Option<_>>(row, "review")?.filter(|text: &String| !text.is_empty()),
    })
}

const STATUSES: &[&str] = &["requested", "approved", "open", "denied", "ended", "expired"];

/// What operators asked for, newest first.
pub struct ListGrants;

impl Query for ListGrants {
    const NAME: &'static str = "list_grants";
    const PATH: &'static str = "/v1/grants";
    const PERMISSION: Permission = Permission("grant.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] =
        &[Param { name: "status", kind: Kind::OneOf(STATUSES) }, Param { name: "purpose", kind: Kind::Text }];
    const LIST: bool = true;
    type Answer = Listing<GrantView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new();
        let filter = filter.and("t.status = ?", params.text("status")).and("t.purpose = ?", params.text("purpose"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, Filter::new())?, ..page })
    }
}

/// A grant and what was looked at by it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GrantDetail {
    /// As in the list.
    #[serde(flatten)]
    pub listed: GrantView,
    /// The newest looks, at most 200; all of them are in the trail.
    pub seen: Vec<LookView>,
}

/// A look of an operator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LookView {
    /// Its record in the trail.
    pub position: u64,
    /// When.
    pub time: Time,
    /// Name of the query.
    pub operation: String,
    /// How far that data may go.
    pub class: String,
    /// What they looked at; of a list, the company.
    pub object_id: Uuid,
}

/// One grant.
pub struct GetGrant;

impl Query for GetGrant {
    const NAME: &'static str = "get_grant";
    const PATH: &'static str = "/v1/grants/{id}";
    const PERMISSION: Permission = Permission("grant.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = GrantDetail;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let listed = read.one(who, FROM, params.id("id"), view)?;
        let by_it = Filter::new().and("t.grant_id = ?", Some(listed.id));
        let from = "(SELECT l.*, l.position AS since, l.position AS id FROM vendor_looks l)";
        let seen = read.some(who, from, by_it, 200, |row| {
            Ok(LookView {
                position: col(row, "position")?,
                time: col(row, "time")?,
                operation: col(row, "operation")?,
                class: col(row, "class")?,
                object_id: col(row, "object_id")?,
            })
        })?;
        Ok(GrantDetail { listed, seen })
    }
}

/// How a company is asked, what it was asked for, and who runs the deployment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SupportView {
    /// It wants to be told of grants instead of asked.
    pub told_at_once: bool,
    /// How many grants there were by purpose (FM-17).
    pub purposes: BTreeMap<String, u64>,
    /// How many operators there are by what they do (MN-04).
    pub operators: BTreeMap<String, u64>,
}

/// The caller's company and support.
pub struct GetSupport;

impl Query for GetSupport {
    const NAME: &'static str = "get_support";
    const PATH: &'static str = "/v1/support";
    const PERMISSION: Permission = Permission("support.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = SupportView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        let told = read.one(who, "support", Some(who.ledger), |row| col(row, "told_at_once"));
        let told_at_once = if matches!(told, Err(Refusal::NotFound)) { false } else { told? };
        let sql = format!("SELECT t.purpose, count(*) FROM grants t WHERE {OURS} GROUP BY t.purpose");
        let counted = read.rows(who, &sql, vec![], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(SupportView {
            told_at_once,
            purposes: counted.into_iter().collect(),
            operators: crate::operator::counts(read, who)?,
        })
    }
}

/// How many grants of a company wait for it, or are open now: what whoever runs it should know at once.
pub fn waiting(read: &Read, who: &Who) -> Result<u64, Refusal> {
    let sql = format!(
        "SELECT count(*) FROM grants t WHERE {OURS} AND t.over = '' AND t.expires_at > :now AND t.approved_by IS NOT NULL"
    );
    Ok(read.rows(who, &sql, vec![], |row| row.get(0))?.pop().unwrap_or(0))
}

/// Grants of every company, for operators: those whose sign-off waits first, then the newest.
pub fn of_all(read: &Read, now_us: i64, most: usize) -> Result<Vec<GrantView>, Refusal> {
    let from = FROM.replace(":now", "$1");
    let sql = format!(
        "SELECT * FROM {from} t ORDER BY
           CASE WHEN t.status IN ('ended', 'expired') AND t.reviewed_at IS NULL THEN 0 ELSE 1 END, t.requested_at DESC LIMIT $2"
    );
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, &sql, &values![now_us, most as u64])?))?;
    Ok(rows.iter().map(view).collect::<Seen<_>>()?)
}

/// How many grants there were by purpose, over all companies (FM-17).
pub fn purposes(read: &Read) -> Result<BTreeMap<String, u64>, Refusal> {
    let sql = "SELECT purpose, count(*) FROM grants GROUP BY purpose";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &[])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}

/// Grants that an operator may have in a company now; the ledger knows.
pub fn perhaps_in_force(read: &Read, who: &Who) -> Result<Vec<Uuid>, Refusal> {
    let sql = format!(
        "SELECT t.id FROM grants t WHERE {OURS} AND t.operator_id = ? AND t.over = '' AND t.expires_at > :now
           ORDER BY t.since"
    );
    read.rows(who, &sql, vec![cell(who.actor.id)], |row| row.get(0))
}

/// Grants whose time is up and whose end is not written yet: company and grant.
pub fn due(read: &Read, now_us: i64, limit: usize) -> Result<Vec<(Uuid, Uuid)>, Refusal> {
    let sql = "SELECT ledger, id FROM grants WHERE over = '' AND expires_at <= $1 ORDER BY expires_at LIMIT $2";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![now_us, limit as u64])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}
