//! Documents: lists and details. What a document's delivery came to, and whether it is overdue, is computed when asked.
//!
//! The names in a document are companies' names as printed, so nothing here is personal.

use std::sync::LazyLock;

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::date::Date;
use keiin_domain::document::{Document, DocumentEvent, Line, Sender};
use keiin_domain::money::Money;
use keiin_domain::role::Permission;
use keiin_domain::tax::{TaxRate, Totals};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::delivery;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Columns, Table, Value, Writes, blob, cell, int, text};
use crate::view::{Json, Row, Seen, Time, col, json};

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
        text("number"),
        int("revision"),
        text("totals"),
        int("total"),
        int("paid"),
        text("sender"),
        text("recipient"),
        int("issued_at"),
        text("cancelled_reason"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "client_id, since", "cancelled_reason, number, paid, total"],
    only_grows: false,
};

/// Lines apart from their document: lists never read them.
pub static LINES: Table =
    Table { name: "document_lines", key: &[blob("id")], columns: &[text("lines")], indexes: &[], only_grows: false };

/// The projection.
pub const PROJECTION: Projection = Projection { name: "document", revision: 1, tables: &[&DOCUMENTS, &LINES], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Document::STREAM {
        return Ok(());
    }
    let lines = |out: &mut Writes, lines: &[Line]| out.put(&LINES, [fact.id()], [("lines", cell(json(&lines)))]);
    match fact.read()? {
        DocumentEvent::Drafted(e) => {
            lines(out, &e.lines);
            let mut columns = head(e.client_id, e.title, e.date, e.date_due, e.note);
            columns.extend([("document_type", cell(e.document_type.name())), ("revision", cell(0u32))]);
            columns.extend(totals(&e.totals));
            columns.push(("paid", cell(0u32)));
            out.born(&DOCUMENTS, fact, columns);
        }
        DocumentEvent::LinesSet(e) => {
            lines(out, &e.lines);
            out.changed(&DOCUMENTS, fact, totals(&e.totals));
        }
        DocumentEvent::Changed(e) => {
            out.changed(&DOCUMENTS, fact, head(e.client_id, e.title, e.date, e.date_due, e.note));
        }
        DocumentEvent::Issued(e) => {
            let mut columns = totals(&e.totals).to_vec();
            columns.extend([("number", cell(e.number)), ("revision", cell(1u32))]);
            columns.extend([("sender", cell(json(&e.sender))), ("recipient", cell(json(&e.recipient)))]);
            columns.push(("issued_at", cell(fact.time_us())));
            out.changed(&DOCUMENTS, fact, columns);
        }
        DocumentEvent::Corrected(e) => {
            lines(out, &e.lines);
            let mut columns = totals(&e.totals).to_vec();
            columns.push(("revision", cell(e.revision)));
            out.changed(&DOCUMENTS, fact, columns);
        }
        DocumentEvent::Cancelled(e) => out.changed(&DOCUMENTS, fact, [("cancelled_reason", cell(e.reason))]),
        DocumentEvent::PaymentRecorded(e) => {
            out.add(&DOCUMENTS, [fact.id()], "paid", e.amount.amount);
            out.changed(&DOCUMENTS, fact, []);
        }
    }
    Ok(())
}

fn head(client_id: Uuid, title: String, date: Date, date_due: Option<Date>, note: String) -> Columns {
    vec![
        ("client_id", cell(client_id)),
        ("title", cell(title)),
        ("date", cell(date)),
        ("date_due", cell(date_due)),
        ("note", cell(note)),
    ]
}

fn totals(totals: &Totals) -> [(&'static str, Value); 2] {
    [("totals", cell(json(totals))), ("total", cell(totals.total.amount))]
}

/// A document, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DocumentView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// `quote`, `order_slip`, `order_confirmation`, `delivery_slip`, `acceptance`, `invoice` or `receipt`.
    pub document_type: String,
    /// `draft`, `issued`, `paid` or `cancelled`.
    pub status: String,
    /// From the issue on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// 0 for a draft, 1 once issued, one more with each correction.
    pub revision: u32,
    /// Subject line.
    pub title: String,
    /// To whom, as the client is called today.
    pub client: ClientOf,
    /// Date of the transaction.
    pub date: Date,
    /// When to pay or until when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_due: Option<Date>,
    /// As printed; may be empty.
    pub note: String,
    /// Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LineView>>,
    /// What it comes to.
    pub totals: Totals,
    /// What came in.
    pub paid: Money,
    /// As printed when it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// As printed when it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<RecipientOf>,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Time>,
    /// Why it is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_reason: Option<String>,
    /// What its newest delivery came to: `sending`, `sent`, `opened`, `failed`, `expired` or `revoked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_status: Option<String>,
    /// An issued invoice whose day has passed in Japan.
    pub overdue: bool,
}

/// A document's client.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientOf {
    /// Its id.
    pub id: Uuid,
    /// Registered name.
    pub name: String,
    /// `onchu` or `sama`.
    pub honorific: String,
}

/// A client as printed on a document.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecipientOf {
    /// Registered name.
    pub name: String,
    /// `onchu` or `sama`.
    pub honorific: String,
    /// `T` and 13 digits, or empty.
    pub registration_number: String,
    /// Seven digits, or empty.
    pub postal_code: String,
    /// Prefecture.
    pub region: String,
    /// City, ward.
    pub locality: String,
    /// Block and house.
    pub street_address: String,
    /// Building and floor.
    pub extended_address: String,
}

/// A line of a document.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LineView {
    /// What.
    pub description: String,
    /// Decimal with at most four places.
    pub quantity: String,
    /// Of what; may be empty.
    pub unit: String,
    /// Decimal with at most four places.
    pub unit_price: String,
    /// Percent.
    pub tax_rate: TaxRate,
    /// The price contains the tax.
    pub tax_inclusive: bool,
    /// Quantity × price.
    pub amount: Money,
}

/// Documents with what is derived: `status`, the client's names, `delivery_status`, `overdue`.
pub static FROM: LazyLock<String> = LazyLock::new(|| {
    format!(
        "(SELECT s.*,
            CASE WHEN s.document_type = 'invoice' AND s.status = 'issued' AND s.date_due < :today THEN 1 ELSE 0 END AS overdue,
            (SELECT v.status FROM {delivery} v WHERE v.ledger = s.ledger AND v.document_id = s.id
             ORDER BY v.since DESC LIMIT 1) AS delivery_status
          FROM (SELECT d.*, c.name AS client_name, c.honorific AS client_honorific, {STATUS} AS status
                FROM documents d LEFT JOIN clients c ON c.ledger = d.ledger AND c.id = d.client_id) s)",
        delivery = delivery::FROM
    )
});

const STATUS: &str = "CASE WHEN d.cancelled_reason IS NOT NULL THEN 'cancelled' WHEN d.number IS NULL THEN 'draft'
    WHEN d.paid > 0 AND d.paid >= d.total THEN 'paid' ELSE 'issued' END";

fn view(row: &Row) -> Seen<DocumentView> {
    Ok(DocumentView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        document_type: col(row, "document_type")?,
        status: col(row, "status")?,
        number: col(row, "number")?,
        revision: col(row, "revision")?,
        title: col(row, "title")?,
        client: ClientOf {
            id: col(row, "client_id")?,
            name: col::<Option<_>>(row, "client_name")?.unwrap_or_default(),
            honorific: col::<Option<_>>(row, "client_honorific")?.unwrap_or_default(),
        },
        date: col(row, "date")?,
        date_due: col(row, "date_due")?,
        note: col(row, "note")?,
        lines: None,
        totals: col::<Json<_>>(row, "totals")?.0,
        paid: col(row, "paid")?,
        sender: col::<Option<Json<_>>>(row, "sender")?.map(|json| json.0),
        recipient: col::<Option<Json<_>>>(row, "recipient")?.map(|json| json.0),
        issued_at: col(row, "issued_at")?,
        cancelled_reason: col(row, "cancelled_reason")?,
        delivery_status: col(row, "delivery_status")?,
        overdue: col(row, "overdue")?,
    })
}

/// All documents, newest first. `from` and `to` are days of the documents' own date.
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
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<DocumentView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let overdue = params.text("status") == Some("overdue");
        let filter = Filter::new()
            .and("t.status = ?", params.text("status").filter(|_| !overdue))
            .and("t.overdue = ?", overdue.then_some(true))
            .and("t.document_type = ?", params.text("document_type"))
            .and("t.client_id = ?", params.id("client_id"))
            .and("t.date >= ?", params.day("from"))
            .and("t.date <= ?", params.day("to"))
            .like(&["title", "number", "client_name"], params.text("q"));
        let page = read.list(who, &FROM, filter, params, view)?;
        let counted = format!("(SELECT d.ledger, {STATUS} AS status FROM documents d)");
        let mut counts = read.counts(who, &counted, Filter::new())?;
        let late = "(SELECT d.ledger, 'overdue' AS status FROM documents d
            WHERE d.document_type = 'invoice' AND d.number IS NOT NULL AND d.cancelled_reason IS NULL
              AND NOT (d.paid > 0 AND d.paid >= d.total) AND d.date_due < :today)";
        if let (Some(counts), Some(late)) = (&mut counts, read.counts(who, late, Filter::new())?) {
            counts.extend(late);
        }
        Ok(Listing { counts, ..page })
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
        Ok(DocumentView { lines: Some(lines), ..document })
    }
}
