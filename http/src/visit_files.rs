//! The history of visits as a file, and the script by which a browser keeps the evacuation list when the network is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keiin_domain::role::Permission;
use keiin_formats::csv::{Encoding, Language, VisitRow, visits};
use keiin_projections::query::{Kind, MAX_LIMIT, Param, Query};
use keiin_projections::visit::{ArrivalView, ListVisitHistory};
use serde_json::json;

use crate::api::{self, query_string};
use crate::app::App;
use crate::ledger::{download, reader};
use crate::locale::Lang;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session_api::Operation;

const READ: Permission = Permission("visit.read");
/// Rows of one file. What is more is asked for in parts, by date.
const MOST: usize = 50_000;
const CSV: &[Param] = &[
    Param { name: "encoding", kind: Kind::OneOf(&["utf8_bom", "cp932", "utf8"]) },
    Param { name: "check", kind: Kind::OneOf(&["true"]) },
];

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

/// Everything that fits, the latest first.
fn all(app: &App, principal: &Principal, params: BTreeMap<String, String>) -> Result<Vec<ArrivalView>, Problem> {
    let mut params = api::params(params, &[ListVisitHistory::PARAMS])?;
    params.0.insert("limit".into(), MAX_LIMIT.to_string());
    let mut found = vec![];
    loop {
        let page = ListVisitHistory::page(&app.read, &principal.who(), &params)?;
        found.extend(page.items);
        if found.len() > MOST {
            return Err(Problem::at("document.too_many", "/from"));
        }
        let Some(next) = page.next else { return Ok(found) };
        params.0.insert("cursor".into(), next);
    }
}

/// The history as a table. With `check`, which characters the encoding cannot write, instead of the file.
async fn csv(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, NAME).await?;
    let mut params = query_string(head.uri.query().unwrap_or(""))?;
    let own = CSV.iter().filter_map(|param| params.remove_entry(param.name)).collect();
    let own = api::params(own, &[CSV])?;
    let encoding = match own.text("encoding") {
        Some("cp932") => Encoding::Cp932,
        Some("utf8") => Encoding::Utf8,
        _ => Encoding::Utf8Bom,
    };
    let language = if Peer::of(&head).lang == Lang::Ja { Language::Ja } else { Language::En };
    let rows: Vec<VisitRow> = all(&app, &principal, params)?.into_iter().map(row).collect();
    let file = visits(&rows, language).write(encoding);
    if own.text("check").is_some() {
        let lost = file.unmappable.iter();
        let lost = lost.map(|one| json!({ "row": one.row, "column": one.column, "character": one.character }));
        return Ok(axum::Json(json!({ "unmappable": lost.collect::<Vec<_>>() })).into_response());
    }
    let kind = if encoding == Encoding::Cp932 { "text/csv; charset=windows-31j" } else { "text/csv; charset=utf-8" };
    Ok(download(file.bytes, kind, "attachment; filename=\"visits.csv\""))
}

fn row(view: ArrivalView) -> VisitRow {
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
