//! The ways by which a file comes, alike for every import: in one request of the API, and in the console's two steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keiin_domain::role::Permission;
use keiin_formats::csv::Encoding;
use keiin_projections::query::{Kind, Param};
use serde_json::{Value, json};

use super::{BYTES_MAX, Column, ROWS_MAX, Report, Wish, file_key, keep, kept, template};
use crate::api::{self, query_string};
use crate::app::App;
use crate::console::{common, fields, render};
use crate::execute::Call;
use crate::ledger::{download, reader};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session_api::Operation;
use crate::upload;

/// Parameters of a request with a file.
pub const PARAMS: &[Param] = &[
    Param { name: "check", kind: Kind::OneOf(&["true"]) },
    Param { name: "duplicates", kind: Kind::OneOf(&["take", "skip"]) },
];

/// What comes from a file, row by row.
pub trait Import: 'static {
    /// Many of it, as paths say it: `clients`.
    const NOUN: &'static str;
    /// Who may.
    const PERMISSION: Permission;
    /// Taking a file, and the empty one to fill in.
    const OPERATIONS: &'static [Operation; 2];
    /// What a file may have.
    const COLUMNS: &'static [Column];

    /// Reads, decides every row, and unless it is a check registers the good ones.
    fn run(
        app: &App,
        principal: &Principal,
        call: &Call,
        file: &[u8],
        wish: &Wish,
    ) -> impl Future<Output = Result<Report, Problem>> + Send;
}

/// Routes of an import.
pub fn router<I: Import>() -> Router<Arc<App>> {
    let [import, template] = I::OPERATIONS;
    Router::new()
        .route(import.path, post(import_file::<I>))
        .route(template.path, get(empty_file::<I>))
        .route(&page_path::<I>(), get(page::<I>).post(form::<I>))
}

fn page_path<I: Import>() -> String {
    format!("/{}/import", I::NOUN)
}

async fn import_file<I: Import>(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, I::PERMISSION, I::OPERATIONS[0].name).await?;
    let params = api::params(query_string(head.uri.query().unwrap_or(""))?, &[PARAMS])?;
    let is_csv = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/csv"));
    if !is_csv {
        return Err(Problem::new("request.wrong_content_type"));
    }
    let file = api::within(&head, body, BYTES_MAX).await?;
    let key = api::idempotency_key(&head.headers, false)?.unwrap_or_else(|| file_key(&file));
    let (check, skip) = (params.text("check").is_some(), params.text("duplicates") == Some("skip"));
    let wish = Wish { check, skip, key, lang: Peer::of(&head).lang };
    let report = I::run(&app, &principal, &call, &file, &wish).await?;
    Ok(axum::Json(report).into_response())
}

async fn empty_file<I: Import>(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    reader(&app, &head, I::PERMISSION, I::OPERATIONS[1].name).await?;
    let file = template(I::COLUMNS, Peer::of(&head).lang).write(Encoding::Utf8Bom);
    let name = format!("attachment; filename=\"{}.csv\"", I::NOUN);
    Ok(download(file.bytes, "text/csv; charset=utf-8", &name))
}

async fn page<I: Import>(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, I::PERMISSION, I::OPERATIONS[0].name).await?;
    show::<I>(&app, &principal, &head, Value::Null).await
}

async fn show<I: Import>(app: &App, principal: &Principal, head: &Parts, came: Value) -> Result<Response, Problem> {
    let peer = Peer::of(head);
    let lang = peer.lang;
    let mut context = common(app, &page_path::<I>(), peer, Some(principal)).await?;
    context["noun"] = json!(I::NOUN);
    context["columns"] = I::COLUMNS.iter().map(|column| json!(column.title(lang))).collect();
    context["rows_max"] = json!(ROWS_MAX);
    context["came"] = came;
    render(app, lang, "import", &context, StatusCode::OK)
}

/// The console's two steps: a file is checked, and then what was checked is taken.
async fn form<I: Import>(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, I::PERMISSION, I::OPERATIONS[0].name).await?;
    let lang = Peer::of(&head).lang;
    let (file, id, wish) = if upload::is_multipart(&head) {
        let form = upload::form(&head, body, BYTES_MAX).await?;
        let file = form.file("file").ok_or_else(|| Problem::at("request.bad_field", "/file"))?.bytes.to_vec();
        let id = keep(&app, &principal, &call, &file)?;
        (file, id, Wish { check: true, skip: false, key: String::new(), lang })
    } else {
        let given: BTreeMap<String, String> = fields(&app, &head, body).await?.into_iter().collect();
        let id = given.get("file").cloned().unwrap_or_default();
        let file = kept(&app, &principal, &call, &id)?;
        (file, id, Wish { check: false, skip: given.contains_key("skip"), key: String::new(), lang })
    };
    let wish = Wish { key: file_key(&file), ..wish };
    let report = I::run(&app, &principal, &call, &file, &wish).await?;
    let rejected = report.rejected.as_ref().map(|text| format!("data:text/csv;base64,{}", STANDARD.encode(text)));
    let came = json!({ "report": report, "file": id, "check": wish.check, "rejected": rejected });
    show::<I>(&app, &principal, &head, came).await
}
