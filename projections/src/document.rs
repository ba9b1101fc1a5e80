//! Documents: lists and details. What a document's delivery came to, and whether it is overdue, is computed when asked.
//!
//! The names in a document are companies' names as printed, so nothing here is personal.

mod view;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::document::{Body, Document, DocumentEvent, Head, Line};
use keiin_domain::paper::{Paper, PaperEvent};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;

use self::view::view;
pub use self::view::{ClientOf, DocumentOf, DocumentView, LineView, PdfOf, RecipientOf};
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use uuid::Uuid;

use crate::delivery;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Columns, Table, Value, Writes, blob, cell, int, text};
use crate::view::{Json, Seen, col, json};

/// One row a document. `number` is NULL before the issue, `cancelled_reason` unless cancelled.
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
        text("cancelled_reason"),
        int("unprinted"),
        text("pdf_sha256"),
        int("pdf_size"),
        text("missing"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &[
        // Every filter of the list is decided in this index alone, newest first.
        "since, document_type, client_id, date, total, approval, cancelled_reason, number, paid, withheld, date_due, title",
        "client_id, since",
        // The counts by status.
        "cancelled_reason, number, paid, total, withheld, document_type, date_due",
        "date",
        "origin",
        "unprinted",
    ],
    only_grows: false,
};

/// Lines apart from their document: lists never read them.
pub static LINES: Table =
    Table { name: "document_lines", key: &[blob("id")], columns: &[text("lines")], indexes: &[], only_grows: false };

/// The projection.
pub const PROJECTION: Projection = Projection { name: "document", revision: 4, tables: &[&DOCUMENTS, &LINES], fold };

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
        // The other one says where it comes from.
        DocumentEvent::Converted(_) => out.changed(&DOCUMENTS, fact, []),
        DocumentEvent::Cancelled(e) => {
            out.changed(&DOCUMENTS, fact, [("cancelled_reason", cell(e.reason)), ("unprinted", cell(false))]);
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
        ("title", cell(head.title)),
        ("date", cell(head.date)),
        ("date_due", cell(head.date_due)),
        ("note", cell(head.note)),
        ("proviso", cell(head.proviso)),
        ("has_tax_stamp", cell(head.has_tax_stamp)),
        ("has_hanko", cell(head.has_hanko)),
    ]
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
          FROM (SELECT d.*, c.name AS client_name, c.honorific AS client_honorific, {STATUS} AS status,
                  o.document_type AS origin_type, o.number AS origin_number, y.fiscal_year_end, y.retention_years
                FROM documents d LEFT JOIN clients c ON c.ledger = d.ledger AND c.id = d.client_id
                LEFT JOIN tenants y ON y.ledger = d.ledger AND y.id = d.ledger
                LEFT JOIN documents o ON o.ledger = d.ledger AND o.id = d.origin) s)",
        delivery = *delivery::FROM
    )
});

const STATUS: &str = "CASE WHEN d.cancelled_reason IS NOT NULL THEN 'cancelled' WHEN d.number IS NULL THEN 'draft'
    WHEN d.paid > 0 AND d.paid >= d.total - d.withheld THEN 'paid' ELSE 'issued' END";

const OVERDUE: &str = "CASE WHEN d.document_type = 'invoice' AND d.cancelled_reason IS NULL AND d.number IS NOT NULL
    AND NOT (d.paid > 0 AND d.paid >= d.total - d.withheld) AND d.date_due < :today THEN 1 ELSE 0 END";

/// What documents are filtered by, and no more: a filter that few documents pass reads one index and not every document.
static NARROW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "(SELECT d.ledger, d.id, d.since, d.document_type, d.client_id, d.date, d.total, d.approval, d.title, d.number,
            {STATUS} AS status, {OVERDUE} AS overdue,
            (SELECT c.name FROM clients c WHERE c.ledger = d.ledger AND c.id = d.client_id) AS client_name
          FROM documents d)"
    )
});

/// Documents whose newest revision was not printed yet: company and document, the oldest first.
pub fn unprinted(read: &Read, limit: usize) -> Result<Vec<(Uuid, Uuid)>, Refusal> {
    // Asked after every change of any company: one look into the index of each.
    let sql = "SELECT d.ledger, d.id FROM positions p JOIN documents d ON d.ledger = p.ledger AND d.unprinted = 1
               WHERE p.projection = 'document' ORDER BY d.issued_at LIMIT $1";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![limit as u64])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}

/// All documents, newest first. `from` and `to` are days of the documents' own date, `total_min` and `total_max` yen; what is
/// given is combined (電子帳簿保存法 施行規則 2-6-5: by date, amount and counterparty, in ranges, two or more together).
pub struct ListDocuments;

impl Query for ListDocuments {
    const NAME: &'static str = "list_documents";
    const PATH: &'static str = "/v1/documents";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["draft", "issued", "paid", "cancelled", "overdue"]) },
        Param {
            name: "document_type",
            kind: Kind::OneOf(&[
                "quote", "order_slip", "order_confirmation", "delivery_slip", "acceptance", "invoice", "receipt",
            ]),
        },
        Param { name: "client_id", kind: Kind::Id },
        Param { name: "from", kind: Kind::Day },
        Param { name: "to", kind: Kind::Day },
        Param { name: "total_min", kind: Kind::Number },
        Param { name: "total_max", kind: Kind::Number },
        Param { name: "approval", kind: Kind::OneOf(&["none", "requested", "approved", "rejected"]) },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<DocumentView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let page = ListDocuments::page(read, who, params)?;
        let counted = format!(
            "SELECT {STATUS} AS status, count(*) AS n, CAST(sum({OVERDUE}) AS BIGINT) AS late
             FROM documents d WHERE d.ledger = :ledger GROUP BY 1"
        );
        let by_status = read.rows(who, &counted, vec![], |row| {
            Ok((col::<String>(row, "status")?, col::<u64>(row, "n")?, col::<u64>(row, "late")?))
        })?;
        let late: u64 = by_status.iter().map(|(_, _, late)| late).sum();
        let mut counts: BTreeMap<String, u64> = by_status.into_iter().map(|(status, n, _)| (status, n)).collect();
        counts.extend((late > 0).then(|| ("overdue".to_owned(), late)));
        let counts = Some(counts);
        Ok(Listing { counts, ..page })
    }
}

impl ListDocuments {
    /// One page without the counts: for whoever reads them all.
    pub fn page(read: &Read, who: &Who, params: &Params) -> Result<Listing<DocumentView>, Refusal> {
        let overdue = params.text("status") == Some("overdue");
        let filter = Filter::new()
            .and("t.status = ?", params.text("status").filter(|_| !overdue))
            .and("t.overdue = ?", overdue.then_some(true))
            .and("t.document_type = ?", params.text("document_type"))
            .and("t.client_id = ?", params.id("client_id"))
            .and("t.date >= ?", params.day("from"))
            .and("t.date <= ?", params.day("to"))
            .and("t.total >= ?", params.number("total_min"))
            .and("t.total <= ?", params.number("total_max"))
            .and("t.approval = ?", params.text("approval"))
            .like(&["title", "number", "client_name"], params.text("q"));
        read.list_within(who, &NARROW, &FROM, filter, params, view)
    }
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
