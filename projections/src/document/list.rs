//! The list of documents: what it is filtered by, searched by, and the figures above it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use keiin_domain::data::DataClass;
use keiin_domain::money::Money;
use keiin_domain::role::Permission;

use super::view::{DocumentView, view};
use super::{FROM, PAID, status};
use crate::query::{Figure, Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Source, Who};
use crate::search;
use crate::view::col;

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
        let (counts, figures) = summed(read, who, params.text("document_type"))?;
        Ok(Listing { counts: Some(counts), figures: Some(figures), ..page })
    }
}

impl ListDocuments {
    /// One page without counts and figures: for whoever reads them all.
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
            .search(&searched(params.text("q").unwrap_or_default()), params.text("q"));
        read.list_within(who, vec![Source { rows: &NARROW, filter, each: 1 }], &FROM, params, view)
    }
}

/// What documents are filtered by, and no more: a filter that few documents pass reads one index and not every document.
static NARROW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "(SELECT d.ledger, d.id, d.since, d.search, d.number_search, d.document_type, d.client_id, d.date, d.total, d.approval,
            {status} AS status,
            CASE WHEN d.document_type = 'invoice' AND d.date_due < :today AND {status} = 'issued' THEN 1 ELSE 0 END AS overdue
          FROM documents d)",
        status = status()
    )
});

/// By title, number, client, or a total as it stands on paper: `¥1,848,000`.
fn searched(typed: &str) -> String {
    let [title, number, client] = ["t.search", "t.number_search", "c.search"].map(search::has);
    let clients = format!("t.client_id IN (SELECT c.id FROM clients c WHERE c.ledger = :ledger AND {client})");
    let digits: String = search::folded(typed).chars().filter(|c| !matches!(c, '¥' | '円' | ',')).collect();
    let total = digits.parse::<u32>().map_or(String::new(), |total| format!(" OR t.total = {total}"));
    format!("{title} OR {number} OR {clients}{total}")
}

type Counts = BTreeMap<String, u64>;
type Figures = BTreeMap<String, Figure>;

/// How many there are by status, and of those: what invoices still lack (`open`), what of that is late (`overdue`), what waits
/// for an approval (`requested`). One walk through one index whose order is that of the groups, so nothing is sorted.
fn summed(read: &Read, who: &Who, document_type: Option<&str>) -> Result<(Counts, Figures), Refusal> {
    let (mut counts, mut figures) = (Counts::new(), Figures::new());
    read.rows(who, &sums(), vec![], |row| {
        let kind: String = col(row, "document_type")?;
        if document_type.is_some_and(|wanted| wanted != kind) {
            return Ok(());
        }
        let (n, open): (u64, u64) = (col(row, "n")?, col(row, "open")?);
        let mut count = |status: &str, n: u64| {
            if n > 0 {
                *counts.entry(status.to_owned()).or_default() += n;
            }
        };
        let mut figure = |name: &str, n: u64, amount: Money| {
            let figure = figures.entry(name.to_owned()).or_insert(Figure { count: 0, amount: Money::yen(0) });
            (figure.count, figure.amount.amount) = (figure.count + n, figure.amount.amount + amount.amount);
        };
        if col(row, "cancelled")? {
            count("cancelled", n);
        } else if col::<u32>(row, "revision")? == 0 {
            count("draft", n);
            if col::<String>(row, "approval")? == "requested" {
                figure("requested", n, col(row, "total")?);
            }
        } else {
            count("paid", n - open);
            count("issued", open);
            if kind == "invoice" {
                let late: u64 = col(row, "late")?;
                count("overdue", late);
                figure("open", open, col(row, "lacks")?);
                figure("overdue", late, col(row, "late_lacks")?);
            }
        }
        Ok(())
    })?;
    Ok((counts, figures))
}

fn sums() -> String {
    const LATE: &str = "d.date_due < :today";
    const LACKS: &str = "d.total - d.withheld - d.paid";
    format!(
        "SELECT d.cancelled, d.revision, d.document_type, d.approval, count(*) AS n, CAST(sum(d.total) AS BIGINT) AS total,
           count(*) FILTER (WHERE NOT {PAID}) AS open,
           CAST(coalesce(sum({LACKS}) FILTER (WHERE NOT {PAID}), 0) AS BIGINT) AS lacks,
           count(*) FILTER (WHERE {LATE} AND NOT {PAID}) AS late,
           CAST(coalesce(sum({LACKS}) FILTER (WHERE {LATE} AND NOT {PAID}), 0) AS BIGINT) AS late_lacks
         FROM documents d WHERE d.ledger = :ledger GROUP BY d.cancelled, d.revision, d.document_type, d.approval"
    )
}

#[cfg(test)]
mod tests {
    use keiin_eventlog::sql::Scope;

    use super::*;
    use crate::database::Database;
    use crate::{client, document};

    /// 100,000 documents are a list like any other only as long as nothing is read but an index, and nothing is sorted that is
    /// not on the page.
    #[test]
    fn what_is_asked_of_all_documents_reads_one_index() {
        let dir = tempfile::tempdir().unwrap();
        let projections = [document::PROJECTION, client::PROJECTION];
        let mut database = Database::sqlite(dir.path().join("read.db")).open(&projections).unwrap().connection;
        let mut plan = |sql: &str| -> Vec<String> {
            let sql = sql.replace(":ledger", "x'00'").replace(":today", "0").replace('?', "'%x%'");
            let rows = database.query(Scope::All, &format!("EXPLAIN QUERY PLAN {sql}"), &[]).unwrap();
            rows.iter().map(|row| row.get(3).unwrap()).collect()
        };
        let narrow = |filter: &str| {
            let narrow = NARROW.as_str();
            format!(
                "SELECT t.id FROM {narrow} t WHERE t.ledger = :ledger AND ({filter}) ORDER BY t.since DESC, t.id DESC"
            )
        };
        let all = [
            "1 = 1", "t.status = 'draft'", "t.overdue = 1", "t.total >= 1", "t.date >= 1 AND t.date <= 9",
            "t.approval = 'none'",
        ];
        for filter in all.into_iter().chain([searched("x").as_str(), searched("¥1,000").as_str()]) {
            let steps = plan(&narrow(filter));
            assert!(steps[0].contains("COVERING INDEX documents_0 (ledger=?)"), "{filter}: {steps:?}");
            let wrong = |step: &&String| step.starts_with("SCAN") || step.ends_with("TEMP B-TREE FOR ORDER BY");
            assert_eq!(steps.iter().find(wrong), None, "{filter}: {steps:?}");
            let clients = steps.iter().find(|step| step.starts_with("SEARCH c "));
            assert!(
                clients.is_none_or(|step| step.contains("COVERING INDEX clients_0 (ledger=?)")),
                "{filter}: {steps:?}"
            );
        }
        assert_eq!(plan(&sums()), ["SEARCH d USING COVERING INDEX documents_2 (ledger=?)"]);
    }
}
