//! What goes out by post: its papers, and the print station, where somebody prints them and hands them over.
//!
//! Invariants:
//! * Nothing is shown before the look at it is in the ledger (`postal_item.accessed`, ML-34), one for each item and each time.
//! * Whoever handles the post (`postal_clerk`) is shown nothing of an item that is not to go out any more (ML-33); the ledger
//!   decides that together with the look, not a read model.

mod papers;
mod station;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use keiin_domain::command::Aggregate;
use keiin_domain::postal_item::{PostalItem, PostalPurpose};
use keiin_domain::role::{Permission, Role};
use keiin_formats::pdf::post::Layout;
use keiin_projections::query::{Kind, Param};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use self::papers::Posted;
use crate::api::{self, Path, PathParams, query_string};
use crate::app::App;
use crate::execute::{Call, Done};
use crate::json;
use crate::ledger::{download, reader};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::session_api::Operation;

const READ: Permission = Permission("postal_item.read");
const HANDLE: Permission = Permission("postal_item.handle");
/// Items of one print job, one sheet of labels after the other, or one list.
const MOST: usize = 100;
const PDF: &str = "application/pdf";
const LAYOUTS: &[&str] = &["12", "24"];

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        permission: Some(READ),
        params: &[Param { name: "purpose", kind: Kind::OneOf(&["preview", "print"]) }],
        answer: PDF,
        ..Operation::new("get_postal_item_pdf", "GET", "/v1/postal-items/{id}/pdf")
    },
    Operation {
        permission: Some(READ),
        params: &[Param { name: "layout", kind: Kind::OneOf(LAYOUTS) }, Param { name: "first", kind: Kind::Number }],
        answer: PDF,
        ..Operation::new("get_postal_item_label", "GET", "/v1/postal-items/{id}/label")
    },
    Operation {
        permission: Some(HANDLE),
        answer: PDF,
        ..Operation::new("make_print_job", "POST", "/v1/postal-items/print-jobs")
    },
    Operation {
        permission: Some(HANDLE),
        answer: PDF,
        ..Operation::new("make_label_sheet", "POST", "/v1/postal-items/label-sheets")
    },
    Operation {
        permission: Some(HANDLE),
        answer: PDF,
        ..Operation::new("make_manifest", "POST", "/v1/postal-items/manifests")
    },
];

/// Their routes, and the print station's forms.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/postal-items/{id}/pdf", get(one_pdf))
        .route("/v1/postal-items/{id}/label", get(one_label))
        .route("/v1/postal-items/print-jobs", post(post_print_job))
        .route("/v1/postal-items/label-sheets", post(post_labels))
        .route("/v1/postal-items/manifests", post(post_manifest))
        .merge(station::router())
}

/// Which items, in this order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemSelection {
    /// 1 to 100, each once.
    pub item_ids: Vec<Uuid>,
}

/// Labels of which items, on which sheet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelSheet {
    /// 1 to 100, each once.
    pub item_ids: Vec<Uuid>,
    /// Labels on a sheet: `12` (86.4 × 42.3 mm) or `24` (66.0 × 33.9 mm).
    #[serde(default)]
    pub layout: String,
    /// The first free place of the sheet, counted row by row from 1; 1 if absent.
    #[serde(default)]
    pub first: u32,
}

/// Is this answer for somebody who handles the post and nothing else?
pub fn is_for_clerk(principal: &Principal, done: &Done) -> bool {
    principal.actor.role == Role::PostalClerk && done.kind == PostalItem::STREAM
}

/// What they have done, without whom it goes to: after the hand-over that is not theirs to see (ML-33).
pub async fn done_by_clerk(app: &App, server: &Principal, done: &Done) -> Result<Value, Problem> {
    let mut found = app.represent(server, done.kind, done.id).await?.unwrap_or_default();
    if let Some(fields) = found.as_object_mut() {
        let kept = ["id", "version", "position", "reference", "status", "service", "is_tracked", "tracking_number"];
        fields.retain(|name, _| kept.contains(&name.as_str()));
    }
    Ok(found)
}

async fn one_pdf(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = reader(&app, &head, READ, OPERATIONS[0].name).await?;
    let params = api::params(query_string(head.uri.query().unwrap_or(""))?, &[OPERATIONS[0].params])?;
    let purpose = if params.text("purpose") == Some("print") { PostalPurpose::Print } else { PostalPurpose::Preview };
    let items = look(&app, &principal, &call, &[api::id(&path, "id")?], purpose, OPERATIONS[0].name).await?;
    print_job(&app, &principal, items).await
}

async fn one_label(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let name = OPERATIONS[1].name;
    let (principal, call) = reader(&app, &head, READ, name).await?;
    let params = api::params(query_string(head.uri.query().unwrap_or(""))?, &[OPERATIONS[1].params])?;
    let first = params.number("first").unwrap_or(1);
    let layout = layout(params.text("layout").unwrap_or_default(), first)?;
    let items = look(&app, &principal, &call, &[api::id(&path, "id")?], PostalPurpose::Label, name).await?;
    labels(items, layout, first, &call).await
}

async fn post_print_job(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, HANDLE, OPERATIONS[2].name).await?;
    let asked: ItemSelection = json::read(&api::read_body(&app, &head, body).await?)?;
    let ids = chosen(asked.item_ids)?;
    let items = look(&app, &principal, &call, &ids, PostalPurpose::Print, OPERATIONS[2].name).await?;
    print_job(&app, &principal, items).await
}

async fn post_labels(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, HANDLE, OPERATIONS[3].name).await?;
    let asked: LabelSheet = json::read(&api::read_body(&app, &head, body).await?)?;
    let first = u64::from(asked.first.max(1));
    let (ids, layout) = (chosen(asked.item_ids)?, layout(&asked.layout, first)?);
    let items = look(&app, &principal, &call, &ids, PostalPurpose::Label, OPERATIONS[3].name).await?;
    labels(items, layout, first, &call).await
}

async fn post_manifest(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, HANDLE, OPERATIONS[4].name).await?;
    let asked: ItemSelection = json::read(&api::read_body(&app, &head, body).await?)?;
    let ids = chosen(asked.item_ids)?;
    let items = look(&app, &principal, &call, &ids, PostalPurpose::Manifest, OPERATIONS[4].name).await?;
    manifest(&app, &principal, items, &call).await
}

/// Which items, each once.
fn chosen(ids: Vec<Uuid>) -> Result<Vec<Uuid>, Problem> {
    let mut seen = BTreeSet::new();
    match ids.iter().all(|id| seen.insert(*id)) && (1..=MOST).contains(&ids.len()) {
        true => Ok(ids),
        false => Err(Problem::at("postal_item.bad_selection", "/item_ids")),
    }
}

fn layout(name: &str, first: u64) -> Result<Layout, Problem> {
    let layout = match name {
        "" | "12" => Layout::Twelve,
        "24" => Layout::TwentyFour,
        _ => return Err(Problem::at("postal_item.bad_layout", "/layout")),
    };
    match (1..=layout.places() as u64).contains(&first) {
        true => Ok(layout),
        false => Err(Problem::at("postal_item.bad_layout", "/first")),
    }
}

/// Writes down that somebody looks, and hands out what they see. All or nothing: a print job with an item missing in the middle
/// would put papers into wrong envelopes.
async fn look(
    app: &App,
    principal: &Principal,
    call: &Call,
    ids: &[Uuid],
    purpose: PostalPurpose,
    operation: &str,
) -> Result<Vec<Posted>, Problem> {
    let mut items = vec![];
    for id in ids {
        match papers::open(app, principal, call, *id, purpose).await {
            Ok(item) => items.push(item),
            Err(problem) => {
                if problem.status == axum::http::StatusCode::FORBIDDEN {
                    crate::denial::denied(app, principal, operation, call).await;
                }
                return Err(problem);
            }
        }
    }
    Ok(items)
}

async fn print_job(app: &App, principal: &Principal, items: Vec<Posted>) -> Result<Response, Problem> {
    let name = match &items[..] {
        [one] => one.item.reference.clone(),
        _ => "post".to_owned(),
    };
    let bytes = papers::print_job(app, principal.ledger, items).await?;
    Ok(download(bytes, PDF, &format!("inline; filename=\"{name}.pdf\"")))
}

async fn labels(items: Vec<Posted>, layout: Layout, first: u64, call: &Call) -> Result<Response, Problem> {
    let first = usize::try_from(first).map_err(Problem::failed)?;
    let bytes = papers::labels(items, layout, first, call.now_us).await?;
    Ok(download(bytes, PDF, "inline; filename=\"labels.pdf\""))
}

async fn manifest(app: &App, principal: &Principal, items: Vec<Posted>, call: &Call) -> Result<Response, Problem> {
    let bytes = papers::manifest(app, principal.ledger, items, call.now_us).await?;
    Ok(download(bytes, PDF, "inline; filename=\"manifest.pdf\""))
}
