//! Operators: who runs the deployment. Rows of the root ledger alone; no route of a company leads to them but their number.

use std::collections::BTreeMap;

use keiin_domain::command::Aggregate;
use keiin_domain::operator::{Operator, OperatorEvent};
use serde::Serialize;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, personal, text};
use crate::view::{Row, Seen, Time, col};

/// One row an account.
pub static OPERATORS: Table = Table {
    name: "operators",
    key: &[blob("id")],
    columns: &[
        blob("subject"),
        personal("name"),
        personal("email"),
        personal("screening"),
        text("kind"),
        text("status"),
        blob("asked_by"),
        blob("screened_by"),
        blob("approved_by"),
        int("approved_at"),
        int("reviewed_at"),
        blob("certificate"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "operator", revision: 2, tables: &[&OPERATORS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Operator::STREAM {
        return Ok(());
    }
    let now = cell(fact.time_us());
    match fact.read()? {
        OperatorEvent::Registered(e) => {
            let (name, email) = e.person.open(keys).map(|p| (p.name, p.email)).unzip();
            let columns = [
                ("subject", cell(e.person.subject)),
                ("name", cell(name)),
                ("email", cell(email)),
                ("kind", cell(e.kind.name())),
                ("status", cell("registered")),
                ("asked_by", cell(e.by)),
                ("certificate", cell(e.certificate)),
            ];
            out.born(&OPERATORS, fact, columns);
        }
        OperatorEvent::Screened(e) => {
            let record = e.record.open(keys).map(|p| p.note);
            out.changed(&OPERATORS, fact, [("screening", cell(record)), ("screened_by", cell(e.by))]);
        }
        OperatorEvent::Approved(e) => {
            let approved = [("approved_by", cell(e.by)), ("approved_at", now.clone()), ("reviewed_at", now)];
            out.changed(&OPERATORS, fact, [&approved[..], &[("status", cell("working"))]].concat());
        }
        OperatorEvent::CertificateReplaced(e) => {
            let columns =
                [("certificate", cell(e.certificate)), ("asked_by", cell(e.by)), ("status", cell("registered"))];
            out.changed(&OPERATORS, fact, columns);
        }
        OperatorEvent::Reviewed(_) => out.changed(&OPERATORS, fact, [("reviewed_at", now)]),
        OperatorEvent::Removed(_) => out.changed(&OPERATORS, fact, [("status", cell("removed"))]),
    }
    Ok(())
}

/// An account, as operators are shown it.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorView {
    /// Its id.
    pub id: Uuid,
    /// Absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `support`, `engineering` or `management`.
    pub kind: String,
    /// `registered` (waits for a second operator), `working` or `removed`.
    pub status: String,
    /// What was looked at before they could work here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screening: Option<String>,
    /// Somebody has written that down.
    pub screened: bool,
    /// Who asked for the account or its newest certificate, and cannot approve it; the nil id where the machine is.
    pub asked_by: Uuid,
    /// The second person; the nil id where the machine is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Uuid>,
    /// Since when it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Time>,
    /// When somebody last said that it is still needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<Time>,
    /// That was too long ago.
    pub review_due: bool,
    /// SHA-256 of the certificate, 64 hex digits.
    pub certificate_sha256: String,
}

fn view(row: &Row, due_before_us: i64) -> Seen<OperatorView> {
    let reviewed_at: Option<Time> = col(row, "reviewed_at")?;
    let status: String = col(row, "status")?;
    let certificate: [u8; 32] = col(row, "certificate")?;
    Ok(OperatorView {
        id: col(row, "id")?,
        name: col(row, "name")?,
        email: col(row, "email")?,
        kind: col(row, "kind")?,
        screening: col(row, "screening")?,
        screened: col::<Option<Uuid>>(row, "screened_by")?.is_some(),
        asked_by: col(row, "asked_by")?,
        approved_by: col(row, "approved_by")?,
        approved_at: col(row, "approved_at")?,
        review_due: status == "working" && reviewed_at.is_some_and(|at| at.0 < due_before_us),
        status,
        reviewed_at,
        certificate_sha256: certificate.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

/// All accounts, newest first. One that nobody reviewed since `due_before_us` is due. `who` is in the root ledger.
pub fn list(read: &Read, who: &Who, due_before_us: i64) -> Result<Vec<OperatorView>, Refusal> {
    read.some(who, "operators", Filter::new(), 1_000, |row| view(row, due_before_us))
}

/// An account that works, as anybody may know of it: a person's name is nobody's business who is not asked by them.
#[derive(Clone, Debug, Serialize)]
pub struct WorkingView {
    /// `support`, `engineering` or `management`.
    pub kind: String,
    /// Since when it works.
    pub since: Time,
    /// When another operator last said that it is still needed.
    pub reviewed_at: Time,
    /// That was too long ago.
    pub review_due: bool,
}

/// The accounts that work, the oldest first (MN-04). `who` is in the root ledger.
pub fn working(read: &Read, who: &Who, due_before_us: i64) -> Result<Vec<WorkingView>, Refusal> {
    let mut all: Vec<WorkingView> = list(read, who, due_before_us)?
        .into_iter()
        .filter(|account| account.status == "working")
        .filter_map(|account| {
            let (since, reviewed_at) = (account.approved_at?, account.reviewed_at?);
            Some(WorkingView { kind: account.kind, since, reviewed_at, review_due: account.review_due })
        })
        .collect();
    all.sort_by_key(|account| account.since.0);
    Ok(all)
}

/// How many accounts work, by what their people do; for anybody.
pub fn counts(read: &Read, who: &Who) -> Result<BTreeMap<String, u64>, Refusal> {
    let root = Who { ledger: Uuid::nil(), ..who.clone() };
    let sql =
        "SELECT t.kind, count(*) FROM operators t WHERE t.ledger = :ledger AND t.status = 'working' GROUP BY t.kind";
    Ok(read.rows(&root, sql, vec![], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
}
