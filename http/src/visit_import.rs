//! Visits from a CSV file: first what would come of it, then every good row as a visit of its own. What holds for every
//! import stands in [`crate::import`].

mod sheet;

use std::collections::{BTreeMap, HashSet};
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
use keiin_domain::visit::RegisterVisit;
use keiin_formats::csv::Encoding;
use keiin_projections::member::directory;
use keiin_projections::query::{Kind, Param};
use serde_json::{Value, json};

use self::sheet::{Directory, Row};
use crate::api::{self, query_string};
use crate::app::App;
use crate::console::{common, fields, render};
use crate::execute::{self, Call};
use crate::import::{self, BYTES_MAX, ROWS_MAX, Report, Wish, faults, file_key, keep, kept, register, row_key};
use crate::ledger::{download, reader};
use crate::limit::Work;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session_api::Operation;
use crate::upload;

const REGISTER: Permission = Permission("visit.register");
const NAME: &str = "import_visits";
const TEMPLATE: &str = "get_visit_template";
const PARAMS: &[Param] = &[
    Param { name: "check", kind: Kind::OneOf(&["true"]) },
    Param { name: "duplicates", kind: Kind::OneOf(&["take", "skip"]) },
];

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation { permission: Some(REGISTER), params: PARAMS, ..Operation::new(NAME, "POST", "/v1/visits/imports") },
    Operation {
        permission: Some(REGISTER),
        answer: "text/csv",
        ..Operation::new(TEMPLATE, "GET", "/v1/visits/imports/template.csv")
    },
];

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/visits/imports", post(import_file))
        .route("/v1/visits/imports/template.csv", get(template))
        .route("/visits/import", get(page).post(form))
}

async fn import_file(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, REGISTER, NAME).await?;
    let params = api::params(query_string(head.uri.query().unwrap_or(""))?, &[PARAMS])?;
    let is_csv = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/csv"));
    if !is_csv {
        return Err(Problem::new("request.wrong_content_type"));
    }
    let file = api::within(&head, body, BYTES_MAX).await?;
    let key = api::idempotency_key(&head.headers, false)?.unwrap_or_else(|| file_key(&file));
    let (check, skip) = (params.text("check").is_some(), params.text("duplicates") == Some("skip"));
    let wish = Wish { check, skip, key, lang: Peer::of(&head).lang };
    let report = run(&app, &principal, &call, &file, &wish).await?;
    Ok(axum::Json(report).into_response())
}

/// Reads, decides every row, and unless it is a check registers the good ones.
async fn run(app: &App, principal: &Principal, call: &Call, file: &[u8], wish: &Wish) -> Result<Report, Problem> {
    let rows = sheet::read(file)?;
    let members = Directory::new(directory(&app.read, &principal.who())?, principal.member);
    let mut seen = HashSet::new();
    let (mut errors, mut duplicates, mut taken, mut rejected) = (vec![], vec![], vec![], vec![]);
    let mut skipped = 0;
    for (n, row) in rows.rows.iter().enumerate() {
        let _turn = app.limiter.turn(principal.ledger, Work::Core).await;
        let Row { visit, faults: mut told } = sheet::visit(&rows, row, &members);
        let more = faults(app, principal, call, &visit, sheet::field_of, sheet::mend).await?;
        // What is not understood was left out, and the rule asks for it again.
        let more: Vec<_> = more.into_iter().filter(|(_, field)| told.iter().all(|(_, known)| known != field)).collect();
        told.extend(more);
        let remark = |code, field: &str| rows.remark(app, wish.lang, sheet::COLUMNS, row.line, code, field);
        if !told.is_empty() {
            let told: Vec<_> = told.iter().map(|(code, field)| remark(code, field)).collect();
            let reasons: Vec<String> = told.iter().map(|fault| format!("{}: {}", fault.field, fault.title)).collect();
            rejected.push((n, reasons.join(" / ")));
            errors.extend(told);
            continue;
        }
        let key = row_key(&wish.key, row.line);
        let same = (visit.visitor_name.trim().to_owned(), visit.starts_at.clone(), visit.location.trim().to_owned());
        if !seen.insert(same) && !execute::is_done::<RegisterVisit>(app, principal, &key).await? {
            let remark = remark("import.duplicate_row", "visitor_name");
            if wish.skip {
                rejected.push((n, remark.title.clone()));
                skipped += 1;
            }
            duplicates.push(remark);
            if wish.skip {
                continue;
            }
        }
        taken.push((key, visit));
    }
    let good = taken.len() + skipped;
    let imported = if wish.check { 0 } else { register(app, principal, call, file, taken).await? };
    Ok(Report {
        encoding: rows.encoding_name(),
        rows: rows.rows.len(),
        good,
        imported,
        skipped,
        ignored_columns: rows.ignored(),
        errors,
        duplicates,
        rejected: (!rejected.is_empty()).then(|| rows.returned(app, wish.lang, &rejected)),
    })
}

async fn template(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    reader(&app, &head, REGISTER, TEMPLATE).await?;
    let file = import::template(sheet::COLUMNS, Peer::of(&head).lang).write(Encoding::Utf8Bom);
    Ok(download(file.bytes, "text/csv; charset=utf-8", "attachment; filename=\"visits.csv\""))
}

async fn page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, REGISTER, NAME).await?;
    show(&app, &principal, &head, None).await
}

async fn show(app: &App, principal: &Principal, head: &Parts, came: Option<Value>) -> Result<Response, Problem> {
    let peer = Peer::of(head);
    let lang = peer.lang;
    let mut context = common(app, "/visits/import", peer, Some(principal)).await?;
    context["columns"] = sheet::COLUMNS.iter().map(|column| json!(column.title(lang))).collect();
    context["rows_max"] = json!(ROWS_MAX);
    context["came"] = came.unwrap_or(Value::Null);
    render(app, lang, "visits_import", &context, StatusCode::OK)
}

/// The console's two steps: a file is checked, and then what was checked is taken.
async fn form(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, REGISTER, NAME).await?;
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
    let report = run(&app, &principal, &call, &file, &wish).await?;
    let rejected = report.rejected.as_ref().map(|text| format!("data:text/csv;base64,{}", STANDARD.encode(text)));
    let came = json!({ "report": report, "file": id, "check": wish.check, "rejected": rejected });
    show(&app, &principal, &head, Some(came)).await
}
