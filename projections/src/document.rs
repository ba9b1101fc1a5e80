//! Documents: lists and details. What a document's delivery came to, and whether it is overdue, is computed when asked.
//!
//! The names in a document are companies' names as printed, so nothing here is personal.

mod list;
mod view;

use std::sync::LazyLock;

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::document::{Body, Document, DocumentEvent, Head, Line};
use keiin_domain::paper::{Paper, PaperEvent};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::list::ListDocuments;
use self::view::view;
pub use self::view::{ClientOf, DocumentOf, DocumentView, LineView, PdfOf, RecipientOf};
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use uuid::Uuid;

use crate::delivery;
use crate::fact::{Fact, Opener};
use crate::query::{Kind, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Columns, Table, Value, Writes, blob, cell, int, text};
use crate::view::{Json, Seen, col, json};

/// One row a document. `number` is NULL before the issue, `cancelled_reason` unless cancelled; `search` is the folded title.
pub static DOCUMENTS: Table = Table {
    name: "documents",
    key: &[blob("id")],
    columns: &[
        text("document_type"),
        blob("client_id"),
        text("title"),
        int("date"),
        int("date_due"),
        text("note"),
        text("proviso"),
        int("has_tax_stamp"),
        int("has_hanko"),
        blob("origin"),
        text("approval"),
        text("approval_reason"),
        text("number"),
        int("revision"),
        text("tax_rounding"),
        text("totals"),
        int("total"),
        int("withheld"),
        int("paid"),
        text("sender"),
        text("recipient"),
        int("issued_at"),
        int("cancelled"),
        text("cancelled_reason"),
        text("search"),
        text("number_search"),
        int("accepted_at"),
        int("accepted_revision"),
        int("unprinted"),
        text("pdf_sha256"),
        int("pdf_size"),
        text("missing"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &[
        // Every filter of the list is decided in this index alone, newest first. Nothing long is in it: PostgreSQL takes
        // 2,704 bytes an entry.
        "since, id, search, number_search, client_id, document_type, date, total, approval, cancelled, revision, paid, withheld, date_due",
        "client_id, since",
        // The figures above the list.
        "cancelled, revision, document_type, approval, total, withheld, paid, date_due",
        "origin",
        "unprinted",
    ],
    only_grows: false,
};

/// Lines apart from their document: lists never read them.
pub static LINES: Table =
    Table { name: "document_lines", key: &[blob("id")], columns: &[text("lines")], indexes: &[], only_grows: false };

/// The projection.
pub const PROJECTION: Projection = Projection { name: "document", revision: 7, tables: &[&DOCUMENTS, &LINES], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    match fact.stream() {
        Document::STREAM => {}
        Paper::STREAM => return print(fact, out),
        _ => return Ok(()),
    }
    let lines = |out: &mut Writes, lines: &[Line]| out.put(&LINES, [fact.id()], [("lines", cell(json(&lines)))]);
    match fact.read()? {
        DocumentEvent::Drafted(e) => {
            lines(out, &e.body.lines);
            let mut columns = head(e.head);
            columns.extend([("document_type", cell(e.document_type.name())), ("origin", cell(e.origin))]);
            columns.extend(amounts(&e.body));
            columns.push(("tax_rounding", cell(e.tax_rounding.name())));
            columns.extend([("revision", cell(0u32)), ("paid", cell(0u32)), ("unprinted", cell(false))]);
            columns.push(("cancelled", cell(false)));
            columns.extend(approval("none", None));
            out.born(&DOCUMENTS, fact, columns);
        }
        DocumentEvent::LinesSet(e) => {
            lines(out, &e.body.lines);
            out.changed(&DOCUMENTS, fact, [&amounts(&e.body)[..], &approval("none", None)[..]].concat());
        }
        DocumentEvent::Changed(e) => {
            out.changed(&DOCUMENTS, fact, [&head(e.head)[..], &approval("none", None)[..]].concat());
        }
        DocumentEvent::ApprovalRequested(_) => out.changed(&DOCUMENTS, fact, approval("requested", None)),
        DocumentEvent::Approved(_) => out.changed(&DOCUMENTS, fact, approval("approved", None)),
        DocumentEvent::Rejected(e) => out.changed(&DOCUMENTS, fact, approval("rejected", Some(e.reason))),
        DocumentEvent::Issued(e) => {
            let columns = [
                ("number_search", cell(searched(&e.number))),
                ("number", cell(e.number)),
                ("revision", cell(1u32)),
                ("sender", cell(json(&e.sender))),
                ("recipient", cell(json(&e.recipient))),
                ("issued_at", cell(fact.time_us())),
                ("unprinted", cell(true)),
            ];
            out.changed(&DOCUMENTS, fact, columns);
        }
        DocumentEvent::Corrected(e) => {
            lines(out, &e.body.lines);
            let mut columns = amounts(&e.body).to_vec();
            columns.extend([("revision", cell(e.revision)), ("unprinted", cell(true))]);
            columns.extend(file(None, None, None));
            out.changed(&DOCUMENTS, fact, columns);
        }
        DocumentEvent::Accepted(e) => {
            let columns = [("accepted_at", cell(fact.time_us())), ("accepted_revision", cell(e.revision))];
            out.changed(&DOCUMENTS, fact, columns);
        }
        // The other one says where it comes from.
        DocumentEvent::Converted(_) => out.changed(&DOCUMENTS, fact, []),
        DocumentEvent::Cancelled(e) => {
            out.changed(
                &DOCUMENTS,
                fact,
                [("cancelled", cell(true)), ("cancelled_reason", cell(e.reason)), ("unprinted", cell(false))],
            );
        }
        DocumentEvent::PaymentRecorded(e) => {
            out.add(&DOCUMENTS, [fact.id()], "paid", e.amount.amount);
            out.changed(&DOCUMENTS, fact, []);
        }
    }
    Ok(())
}

/// What came of printing it. The document's own version stays.
fn print(fact: &Fact, out: &mut Writes) -> Result<(), String> {
    let columns = match fact.read()? {
        PaperEvent::Rendered(e) => {
            let hash = e.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
            file(Some(hash), Some(e.size), None)
        }
        PaperEvent::RenderingFailed(e) => file(None, None, Some(json(&e.missing))),
    };
    out.set(&DOCUMENTS, [fact.id()], [&columns[..], &[("unprinted", cell(false))]].concat());
    Ok(())
}

fn head(head: Head) -> Columns {
    vec![
        ("client_id", cell(head.client_id)),
        ("search", cell(searched(&head.title))),
        ("title", cell(head.title)),
        ("date", cell(head.date)),
        ("date_due", cell(head.date_due)),
        ("note", cell(head.note)),
        ("proviso", cell(head.proviso)),
        ("has_tax_stamp", cell(head.has_tax_stamp)),
        ("has_hanko", cell(head.has_hanko)),
    ]
}

/// What is searched of a document; its client is found by what the client is called today. Folding makes eighteen of some
/// letters, and entries of an index are bounded.
fn searched(text: &str) -> String {
    search::folded(text).chars().take(300).collect()
}

fn amounts(body: &Body) -> [(&'static str, Value); 3] {
    let Body { totals, jp_withholding_tax, .. } = body;
    [
        ("totals", cell(json(totals))),
        ("total", cell(totals.total.amount)),
        ("withheld", cell(jp_withholding_tax.amount)),
    ]
}

fn file(sha256: Option<String>, size: Option<u32>, missing: Option<String>) -> [(&'static str, Value); 3] {
    [("pdf_sha256", cell(sha256)), ("pdf_size", cell(size)), ("missing", cell(missing))]
}

fn approval(state: &'static str, reason: Option<String>) -> [(&'static str, Value); 2] {
    [("approval", cell(state)), ("approval_reason", cell(reason))]
}

/// Documents with what is derived: `status`, the client's names, `delivery_status`, `overdue`.
pub static FROM: LazyLock<String> = LazyLock::new(|| {
    format!(
        "(SELECT s.*,
            CASE WHEN s.document_type = 'invoice' AND s.status = 'issued' AND s.date_due < :today THEN 1 ELSE 0 END AS overdue,
            (SELECT v.status FROM {delivery} v WHERE v.ledger = s.ledger AND v.id IN (SELECT x.delivery_id
               FROM delivery_documents x WHERE x.ledger = s.ledger AND x.document_id = s.id)
             ORDER BY v.since DESC LIMIT 1) AS delivery_status
          FROM (SELECT d.*, c.name AS client_name, c.honorific AS client_honorific, {status} AS status,
                  o.document_type AS origin_type, o.number AS origin_number, y.fiscal_year_end, y.retention_years
                FROM documents d LEFT JOIN clients c ON c.ledger = d.ledger AND c.id = d.client_id
                LEFT JOIN tenants y ON y.ledger = d.ledger AND y.id = d.ledger
                LEFT JOIN documents o ON o.ledger = d.ledger AND o.id = d.origin) s)",
        delivery = *delivery::FROM,
        status = status()
    )
});

/// Everything that a document `d` asks for has come in.
const PAID: &str = "(d.paid > 0 AND d.paid >= d.total - d.withheld)";

/// What a document `d` is at.
fn status() -> String {
    format!(
        "CASE WHEN d.cancelled = 1 THEN 'cancelled' WHEN d.revision = 0 THEN 'draft' WHEN {PAID} THEN 'paid' ELSE 'issued' END"
    )
}

/// Documents whose newest revision was not printed yet: company and document, the oldest first.
pub fn unprinted(read: &Read, limit: usize) -> Result<Vec<(Uuid, Uuid)>, Refusal> {
    // Asked after every change of any company: one look into the index of each.
    let sql = "SELECT d.ledger, d.id FROM positions p JOIN documents d ON d.ledger = p.ledger AND d.unprinted = 1
               WHERE p.projection = 'document' ORDER BY d.issued_at LIMIT $1";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![limit as u64])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}

/// A series of numbers: one type of document in one year.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeriesView {
    /// `INV-2026`.
    pub series: String,
    /// Documents with a number of it.
    pub documents: u64,
    /// The highest number.
    pub last: u64,
    /// Numbers up to it that no document has. None, by construction.
    pub missing: u64,
    /// Documents whose number another one has as well. None, by construction.
    pub doubled: u64,
}

/// All series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NumberSeries {
    /// By name.
    pub items: Vec<SeriesView>,
}

/// The report that an inspector asks for: whether numbers are missing or given twice. It counts what is there and does not
/// ask how numbers are given.
pub struct GetNumberSeries;

impl Query for GetNumberSeries {
    const NAME: &'static str = "get_number_series";
    const PATH: &'static str = "/v1/documents/numbers";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = NumberSeries;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        // `INV-2026-0001`: three letters, a year, the number.
        let counted = "SELECT substr(d.number, 1, 8) AS series, count(*) AS documents,
              count(DISTINCT d.number) AS numbers, max(CAST(substr(d.number, 10) AS BIGINT)) AS last
            FROM documents d WHERE d.ledger = :ledger AND d.number IS NOT NULL GROUP BY 1 ORDER BY 1";
        let items = read.rows(who, counted, vec![], |row| {
            let (documents, numbers, last): (u64, u64, u64) =
                (col(row, "documents")?, col(row, "numbers")?, col(row, "last")?);
            let (missing, doubled) = (last.saturating_sub(numbers), documents - numbers);
            Ok(SeriesView { series: col(row, "series")?, documents, last, missing, doubled })
        })?;
        Ok(NumberSeries { items })
    }
}

/// One document with its lines.
pub struct GetDocument;

impl Query for GetDocument {
    const NAME: &'static str = "get_document";
    const PATH: &'static str = "/v1/documents/{id}";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = DocumentView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let document = read.one(who, &FROM, params.id("id"), view)?;
        let Json(lines) = read.one(who, "document_lines", params.id("id"), |row| col(row, "lines"))?;
        let made = "SELECT d.id, d.document_type, d.number FROM documents d
            WHERE d.ledger = :ledger AND d.origin = ? ORDER BY d.since, d.id LIMIT 100";
        let conversions = read.rows(who, made, vec![cell(document.id)], |row| {
            Ok(DocumentOf {
                id: col(row, "id")?,
                document_type: col(row, "document_type")?,
                number: col(row, "number")?,
            })
        })?;
        Ok(DocumentView { lines: Some(lines), conversions: Some(conversions), ..document })
    }
}
