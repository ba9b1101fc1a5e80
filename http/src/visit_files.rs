//! The history of visits as a file, and the script by which a browser keeps the evacuation list when the network is gone.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keiin_domain::role::Permission;
use keiin_formats::csv::{VisitRow, visits};
use keiin_projections::query::Query;
use keiin_projections::visit::{ArrivalView, ListVisitHistory};
use serde_json::json;

use crate::api::query_string;
use crate::app::App;
use crate::ledger::reader;
use crate::listing_file::{self, Wanted};
use crate::problem::Problem;
use crate::session_api::Operation;

const READ: Permission = Permission("visit.read");

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[Operation {
    permission: Some(READ),
    params: ListVisitHistory::PARAMS,
    answer: "text/csv",
    ..Operation::new(NAME, "GET", "/v1/visit_history.csv")
}];
const NAME: &str = "list_visit_history_csv";

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/v1/visit_history.csv", get(csv)).route("/evacuation-worker.js", get(worker))
}

/// The history as a table. With `check`, which characters the encoding cannot write, instead of the file.
async fn csv(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, NAME).await?;
    let mut params = query_string(head.uri.query().unwrap_or(""))?;
    let wanted = Wanted::take(&head, &mut params)?;
    let page = |params: &_| ListVisitHistory::page(&app.read, &principal.who(), params);
    let found = listing_file::all(params, ListVisitHistory::PARAMS, page)?;
    let rows: Vec<VisitRow> = found.into_iter().map(row).collect();
    Ok(wanted.answer(&visits(&rows, wanted.language), "attachment; filename=\"visits.csv\""))
}

fn row(view: ArrivalView) -> VisitRow {
    let recorded = view.recorded.as_ref();
    VisitRow {
        status: view.status,
        visitor: view.visitor.name.unwrap_or_default(),
        kana: view.visitor.kana.unwrap_or_default(),
        company: view.visitor.company.unwrap_or_default(),
        host: view.host.and_then(|host| host.name).unwrap_or_default(),
        location: view.location,
        starts_at_us: view.starts_at.map(|at| at.0),
        ends_at_us: view.ends_at.map(|at| at.0),
        arrived_at_us: view.arrived_at.map(|at| at.0),
        left_at_us: view.left_at.map(|at| at.0),
        walk_in: view.walk_in,
        id: view.id.to_string(),
        position: view.position,
        recorded_arrived_at_us: recorded.and_then(|was| was.arrived_at).map(|at| at.0),
        recorded_left_at_us: recorded.and_then(|was| was.left_at).map(|at| at.0),
        correction: view.recorded.map(|was| was.reason).unwrap_or_default(),
    }
}

/// The worker's script. It is served at the top, because a worker may answer for nothing above its own path, and it is always
/// asked for anew; the files that it keeps stand in it by their hashed names.
async fn worker(State(app): State<Arc<App>>) -> Response {
    let kept =
        ["tokens.css", "app.css", "app.js", "evacuation.js", "icons.svg", "mark.svg", "visit_after.js", "passkey.js"];
    let paths: Vec<&str> = kept.iter().filter_map(|name| app.assets.path(name)).collect();
    let script = format!("const SHELL = {};\n{}", json!(paths), include_str!("../assets/evacuation-worker.js"));
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "no-cache")], script).into_response()
}
