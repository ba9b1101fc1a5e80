//! The list of documents that a tax inspection asks for: what 電子帳簿保存法 wants to be searched by (date, amount,
//! counterparty), what consumption tax is computed from, and where the proof is.

use keiin_domain::date::Date;
use keiin_domain::document::{DocumentStatus, DocumentType};
use keiin_domain::money::Money;
use keiin_domain::tax::{RateTotal, TaxRate, Totals};

use super::{Cell, Table};

/// Of the titles, the types and the states.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// Japanese.
    #[default]
    Ja,
    /// English.
    En,
}

/// Titles in Japanese.
pub const HEADERS_JA: [&str; 20] = [
    "書類種別", "書類番号", "版", "発行日", "取引年月日", "期日", "取引先", "取引先登録番号", "件名", "10%対象(税抜)",
    "10%消費税", "8%対象(税抜)", "8%消費税", "対象外", "合計(税込)", "源泉徴収税額", "入金額", "状態", "PDF SHA-256",
    "台帳位置",
];

/// Titles in English.
pub const HEADERS_EN: [&str; 20] = [
    "Document type",
    "Number",
    "Revision",
    "Issue date",
    "Transaction date",
    "Due date",
    "Counterparty",
    "Counterparty registration number",
    "Title",
    "Subtotal 10 %",
    "Tax 10 %",
    "Subtotal 8 %",
    "Tax 8 %",
    "Exempt",
    "Total",
    "Withholding tax",
    "Paid",
    "Status",
    "PDF SHA-256",
    "Ledger position",
];

/// One document. What is `None` or empty is an empty cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What kind of paper.
    pub document_type: DocumentType,
    /// As given at the issue; empty before it.
    pub number: String,
    /// 1 for the original; 0 before the issue.
    pub revision: u32,
    /// Civil day of the issue.
    pub issued_on: Option<Date>,
    /// Of the transaction.
    pub date: Date,
    /// When to pay or until when it holds.
    pub date_due: Option<Date>,
    /// To whom.
    pub counterparty: String,
    /// Their registration number, or empty.
    pub counterparty_registration_number: String,
    /// Subject line.
    pub title: String,
    /// Of the lines.
    pub totals: Totals,
    /// What the payer keeps back; 0 where nothing.
    pub withholding: Money,
    /// What came in.
    pub paid: Money,
    /// Where it stands.
    pub status: DocumentStatus,
    /// Of the file that was sent, if it was printed.
    pub pdf_sha256: Option<[u8; 32]>,
    /// Of the record that issued it, in the company's ledger.
    pub position: u64,
}

/// The list, one row a document, in the order given.
pub fn documents(rows: &[Row], language: Language) -> Table {
    let columns = if language == Language::Ja { HEADERS_JA } else { HEADERS_EN };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.iter().map(|row| cells(row, language)).collect() }
}

fn cells(row: &Row, language: Language) -> Vec<Cell> {
    let day = |date: Option<Date>| date.map_or(Cell::Text(String::new()), Cell::Date);
    let part = |rate: TaxRate, of: fn(&RateTotal) -> Money| {
        let part = row.totals.by_rate.iter().find(|part| part.tax_rate == rate);
        Cell::Number(part.map_or(0, |part| of(part).amount))
    };
    vec![
        Cell::Text(kind(row.document_type, language).to_owned()),
        Cell::Text(row.number.clone()),
        Cell::Number(i64::from(row.revision)),
        day(row.issued_on),
        Cell::Date(row.date),
        day(row.date_due),
        Cell::Text(row.counterparty.clone()),
        Cell::Text(row.counterparty_registration_number.clone()),
        Cell::Text(row.title.clone()),
        part(TaxRate::Standard, |part| part.subtotal),
        part(TaxRate::Standard, |part| part.tax),
        part(TaxRate::Reduced, |part| part.subtotal),
        part(TaxRate::Reduced, |part| part.tax),
        part(TaxRate::Zero, |part| part.subtotal),
        Cell::Number(row.totals.total.amount),
        Cell::Number(row.withholding.amount),
        Cell::Number(row.paid.amount),
        Cell::Text(status(row.status, language).to_owned()),
        Cell::Text(row.pdf_sha256.map(hex::encode).unwrap_or_default()),
        Cell::Number(i64::try_from(row.position).expect("a ledger has fewer than 2^63 records")),
    ]
}

fn kind(document_type: DocumentType, language: Language) -> &'static str {
    let (ja, en) = match document_type {
        DocumentType::Quote => ("見積書", "Quote"),
        DocumentType::OrderSlip => ("発注書", "Order slip"),
        DocumentType::OrderConfirmation => ("注文請書", "Order confirmation"),
        DocumentType::DeliverySlip => ("納品書", "Delivery slip"),
        DocumentType::Acceptance => ("検収書", "Acceptance"),
        DocumentType::Invoice => ("請求書", "Invoice"),
        DocumentType::Receipt => ("領収書", "Receipt"),
    };
    if language == Language::Ja { ja } else { en }
}

fn status(status: DocumentStatus, language: Language) -> &'static str {
    let (ja, en) = match status {
        DocumentStatus::Draft => ("下書き", "Draft"),
        DocumentStatus::Issued => ("発行済み", "Issued"),
        DocumentStatus::Paid => ("入金済み", "Paid"),
        DocumentStatus::Cancelled => ("取消", "Cancelled"),
    };
    if language == Language::Ja { ja } else { en }
}
