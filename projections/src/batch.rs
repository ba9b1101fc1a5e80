//! Batches: how far each has come. Nothing here is personal.

use keiin_domain::batch::{Batch, BatchEvent, Part, PartEvent};
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Row, Seen, Time, col, filled};

/// One row a batch.
pub static BATCHES: Table = Table {
    name: "batches",
    key: &[blob("id")],
    columns: &[
        blob("ordered_by"),
        int("ordered_at"),
        int("total"),
        int("issued"),
        int("failed"),
        int("waiting"),
        int("cancelled"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "cancelled, waiting"],
    only_grows: false,
};

/// One row a document of a batch.
pub static PARTS: Table = Table {
    name: "batch_parts",
    key: &[blob("batch_id"), blob("document_id")],
    columns: &[int("n"), text("outcome"), text("code"), text("pointer")],
    indexes: &["outcome, batch_id, n"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "batch", revision: 1, tables: &[&BATCHES, &PARTS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    match fact.stream() {
        Batch::STREAM => match fact.read()? {
            BatchEvent::Ordered(e) => {
                for (n, document) in e.documents.iter().enumerate() {
                    let columns = [("n", cell(n as u64)), ("outcome", cell("waiting"))];
                    out.put(&PARTS, [fact.id(), cell(*document)], columns);
                }
                let columns = [
                    ("ordered_by", cell(e.by)),
                    ("ordered_at", cell(fact.time_us())),
                    ("total", cell(e.documents.len() as u64)),
                    ("issued", cell(0u32)),
                    ("failed", cell(0u32)),
                    ("waiting", cell(e.documents.len() as u64)),
                    ("cancelled", cell(false)),
                ];
                out.born(&BATCHES, fact, columns);
            }
            BatchEvent::Cancelled(_) => out.changed(&BATCHES, fact, [("cancelled", cell(true))]),
        },
        Part::STREAM => {
            let (batch, outcome, code, pointer) = match fact.read()? {
                PartEvent::DocumentIssued(e) => (e.batch, "issued", None, None),
                PartEvent::DocumentFailed(e) => (e.batch, "failed", Some(e.code), Some(e.pointer)),
            };
            let columns = [("outcome", cell(outcome)), ("code", cell(code)), ("pointer", cell(pointer))];
            out.set(&PARTS, [cell(batch), fact.id()], columns);
            out.add(&BATCHES, [cell(batch)], outcome, 1);
            out.add(&BATCHES, [cell(batch)], "waiting", -1);
            out.set(&BATCHES, [cell(batch)], [("position", cell(fact.leaf.position))]);
        }
        _ => {}
    }
    Ok(())
}

/// A document whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Of which company.
    pub ledger: Uuid,
    /// Which batch.
    pub batch: Uuid,
    /// Which document.
    pub document: Uuid,
    /// On whose behalf; nobody's, where a program ordered it.
    pub by: Option<Uuid>,
    /// Position of the record that ordered it.
    pub since: u64,
}

/// Documents that wait in batches of all companies; those of one batch in its order.
pub fn waiting(read: &Read, limit: usize) -> Result<Vec<Turn>, Refusal> {
    // Asked after every change of any company: one look into the index of each.
    let sql = "SELECT b.ledger, b.id, x.document_id, m.id, b.since FROM positions p
               JOIN batches b ON b.ledger = p.ledger AND b.cancelled = 0 AND b.waiting > 0
               JOIN batch_parts x ON x.ledger = b.ledger AND x.outcome = 'waiting' AND x.batch_id = b.id
               LEFT JOIN members m ON m.ledger = b.ledger AND m.id = b.ordered_by
               WHERE p.projection = 'batch' ORDER BY b.ordered_at, b.id, x.n LIMIT $1";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![limit as u64])?))?;
    let turn = |row: &Row| {
        let (ledger, batch, document) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Turn { ledger, batch, document, by: row.get(3)?, since: row.get(4)? })
    };
    Ok(rows.iter().map(turn).collect::<Seen<_>>()?)
}

/// A batch, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// `running`, `finished` or `cancelled`.
    pub status: String,
    /// Who ordered it, on whose behalf the server acts: a member, or a program.
    pub ordered_by: Uuid,
    /// When.
    pub ordered_at: Time,
    /// Documents in it.
    pub total: u64,
    /// Issued so far.
    pub issued: u64,
    /// Refused so far.
    pub failed: u64,
    /// Neither: of a cancelled batch, what stays as it was.
    pub waiting: u64,
    /// What became of each, in the batch's order. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<Vec<PartView>>,
}

/// What became of a document in a batch.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartView {
    /// Which.
    pub document_id: Uuid,
    /// `waiting`, `issued` or `failed`.
    pub outcome: String,
    /// Its type; absent for what is no document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_type: Option<String>,
    /// Its subject line; absent for what is no document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its number, from the issue on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Where in the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// Batches with their `status`.
pub const FROM: &str = "(SELECT b.*, CASE WHEN b.waiting = 0 THEN 'finished' WHEN b.cancelled = 1 THEN 'cancelled'
       ELSE 'running' END AS status FROM batches b)";

fn view(row: &Row) -> Seen<BatchView> {
    Ok(BatchView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        status: col(row, "status")?,
        ordered_by: col(row, "ordered_by")?,
        ordered_at: col(row, "ordered_at")?,
        total: col(row, "total")?,
        issued: col(row, "issued")?,
        failed: col(row, "failed")?,
        waiting: col(row, "waiting")?,
        documents: None,
    })
}

fn part(row: &Row) -> Seen<PartView> {
    let text = |column| Ok::<_, crate::view::SqlError>(col::<Option<String>>(row, column)?.and_then(filled));
    Ok(PartView {
        document_id: col(row, "document_id")?,
        outcome: col(row, "outcome")?,
        document_type: text("document_type")?,
        title: text("title")?,
        number: text("number")?,
        code: text("code")?,
        pointer: text("pointer")?,
    })
}

/// All batches, newest first.
pub struct ListBatches;

impl Query for ListBatches {
    const NAME: &'static str = "list_batches";
    const PATH: &'static str = "/v1/batches";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] =
        &[Param { name: "status", kind: Kind::OneOf(&["running", "finished", "cancelled"]) }];
    const LIST: bool = true;
    type Answer = Listing<BatchView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new().and("t.status = ?", params.text("status"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, Filter::new())?, ..page })
    }
}

/// One batch with what became of each document.
pub struct GetBatch;

impl Query for GetBatch {
    const NAME: &'static str = "get_batch";
    const PATH: &'static str = "/v1/batches/{id}";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = BatchView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let batch = read.one(who, FROM, params.id("id"), view)?;
        let sql = "SELECT x.document_id, x.outcome, x.code, x.pointer, d.document_type, d.title, d.number
            FROM batch_parts x LEFT JOIN documents d ON d.ledger = x.ledger AND d.id = x.document_id
            WHERE x.ledger = :ledger AND x.batch_id = ? ORDER BY x.n";
        let documents = read.rows(who, sql, vec![cell(batch.id)], part)?;
        Ok(BatchView { documents: Some(documents), ..batch })
    }
}
