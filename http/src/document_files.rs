//! Documents as files for other programs: the list for a tax inspection (CSV, JSON Lines), one invoice as JP PINT XML.
//!
//! What a list shows is what `list_documents` shows for the same parameters: the same right, the same filters.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use keiin_domain::command::Fault;
use keiin_domain::date::{Date, ZONE_S};
use keiin_domain::document::{DocumentStatus, DocumentType};
use keiin_domain::role::Permission;
use keiin_formats::csv::{Row, documents};
use keiin_formats::pint::{self, Edition, Parties};
use keiin_projections::document::{DocumentView, ListDocuments};
use keiin_projections::query::{Kind, Param, Query};

use crate::api::{self, Path, PathParams, query_string};
use crate::app::App;
use crate::ledger::{download, reader};
use crate::listing_file::{self, Wanted};
use crate::paper;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::session_api::Operation;

const READ: Permission = Permission("document.read");
const PINT: &[Param] = &[Param { name: "edition", kind: Kind::OneOf(&["billing3", "pint1"]) }];

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        permission: Some(READ),
        params: ListDocuments::PARAMS,
        answer: "text/csv",
        ..Operation::new("list_documents_csv", "GET", "/v1/documents.csv")
    },
    Operation {
        permission: Some(READ),
        params: ListDocuments::PARAMS,
        answer: "application/jsonl",
        ..Operation::new("list_documents_jsonl", "GET", "/v1/documents.jsonl")
    },
    Operation {
        permission: Some(READ),
        params: PINT,
        answer: "application/xml",
        ..Operation::new("get_document_pint", "GET", "/v1/documents/{id}/pint.xml")
    },
];

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/documents.csv", get(csv))
        .route("/v1/documents.jsonl", get(jsonl))
        .route("/v1/documents/{id}/pint.xml", get(pint))
}

/// All documents that fit, the newest first.
pub fn all(app: &App, principal: &Principal, params: BTreeMap<String, String>) -> Result<Vec<DocumentView>, Problem> {
    listing_file::all(params, ListDocuments::PARAMS, |params| ListDocuments::page(&app.read, &principal.who(), params))
}

/// The list as a table. With `check`, which characters the encoding cannot write, instead of the file.
async fn csv(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, "list_documents_csv").await?;
    let mut params = query_string(head.uri.query().unwrap_or(""))?;
    let wanted = Wanted::take(&head, &mut params)?;
    let found = all(&app, &principal, params)?;
    let rows = found.into_iter().map(row).collect::<Result<Vec<_>, Problem>>()?;
    Ok(wanted.answer(&documents(&rows, wanted.language), "attachment; filename=\"documents.csv\""))
}

/// A document as a row of the list.
pub fn row(view: DocumentView) -> Result<Row, Problem> {
    let broken = || Problem::failed("a document's row does not read");
    let sha256 = view.pdf.and_then(|pdf| hex::decode(pdf.sha256).ok()).and_then(|bytes| bytes.try_into().ok());
    Ok(Row {
        document_type: DocumentType::from_name(&view.document_type).ok_or_else(broken)?,
        number: view.number.unwrap_or_default(),
        revision: view.revision,
        issued_on: view.issued_at.map(|at| Date::at(at.0, ZONE_S)),
        date: view.date,
        date_due: view.date_due,
        counterparty: view.recipient.as_ref().map_or(view.client.name, |recipient| recipient.name.clone()),
        counterparty_registration_number: view.recipient.map(|r| r.registration_number).unwrap_or_default(),
        title: view.title,
        totals: view.totals,
        withholding: view.jp_withholding_tax,
        paid: view.paid,
        status: DocumentStatus::from_name(&view.status).ok_or_else(broken)?,
        pdf_sha256: sha256,
        position: view.position,
    })
}

/// The list as the API shows it, a line each.
async fn jsonl(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, "list_documents_jsonl").await?;
    let mut params = query_string(head.uri.query().unwrap_or(""))?;
    // The page's form has one button for each kind of file; these lines are always UTF-8.
    params.remove("encoding");
    let mut bytes = vec![];
    for view in all(&app, &principal, params)? {
        serde_json::to_writer(&mut bytes, &view).map_err(Problem::failed)?;
        bytes.push(b'\n');
    }
    Ok(download(bytes, "application/jsonl", "attachment; filename=\"documents.jsonl\""))
}

/// An issued invoice for Peppol, or every rule that it breaks, each with its field.
async fn pint(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, "get_document_pint").await?;
    let id = api::id(&path, "id")?;
    let paper = paper::of(&app, principal.ledger, id).await?;
    if paper.document_type != DocumentType::Invoice {
        return Err(Problem::new("document.not_pint"));
    }
    let params = query_string(head.uri.query().unwrap_or(""))?;
    let params = api::params(params, &[PINT])?;
    let edition = if params.text("edition") == Some("pint1") { Edition::Pint1 } else { Edition::Billing3 };
    let xml = pint::invoice(&paper, &Parties::default(), edition).map_err(|violations| {
        let at = |one: &pint::Violation| Fault {
            pointer: one.field.clone(),
            expected: Some(format!("{}: {}", one.rule, one.message)),
        };
        Problem { errors: violations.iter().map(at).collect(), ..Problem::new("document.not_pint") }
    })?;
    let name = format!("attachment; filename=\"{}.xml\"", paper.number);
    Ok(download(xml.into_bytes(), "application/xml", &name))
}
