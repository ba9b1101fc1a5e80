//! Clients from a CSV file: first what would come of it, then every good row as a client of its own.
//!
//! Invariants:
//! * The check writes nothing into the ledger; it decides each row as the command would and forgets what was decided.
//! * A row's idempotency key follows from the request's key (or the file's hash) and the row's line. Whoever sends the same
//!   again, after an error or a crash in the middle, gets what is missing and nothing twice.
//! * Between the console's two steps the file lies in the vault, under the company's key, for an hour.

mod sheet;

use std::collections::{BTreeMap, HashMap};
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
use futures_util::{StreamExt, TryStreamExt, stream};
use keiin_domain::client::RegisterClient;
use keiin_domain::command::Command;
use keiin_domain::role::Permission;
use keiin_eventlog::vault::Entry;
use keiin_formats::csv::{Cell, Encoding, Table};
use keiin_projections::query::{Kind, Param};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::sheet::{Clients, Column, ROWS_MAX};
use crate::api::{self, query_string};
use crate::app::App;
use crate::console::{common, fields, render};
use crate::execute::{self, Call, execute};
use crate::ledger::{download, reader};
use crate::limit::Work;
use crate::locale::Lang;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session_api::Operation;
use crate::upload;

const REGISTER: Permission = Permission("client.register");
const NAME: &str = "import_clients";
const TEMPLATE: &str = "get_client_template";
const PARAMS: &[Param] = &[
    Param { name: "check", kind: Kind::OneOf(&["true"]) },
    Param { name: "duplicates", kind: Kind::OneOf(&["take", "skip"]) },
];
/// Largest file.
const BYTES_MAX: usize = 5 << 20;
/// Kind of a file in the vault that was checked and not yet taken.
const FILE: &str = "csv";
/// How long it lies there.
const FILE_US: i64 = 3_600 * 1_000_000;
/// Rows that are registered at once: each waits for the disk, and they share the wait.
const AT_ONCE: usize = 16;

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation { permission: Some(REGISTER), params: PARAMS, ..Operation::new(NAME, "POST", "/v1/clients/imports") },
    Operation {
        permission: Some(REGISTER),
        answer: "text/csv",
        ..Operation::new(TEMPLATE, "GET", "/v1/clients/imports/template.csv")
    },
];

/// What the request body is; for the API's description.
pub const ABOUT: &str = "A CSV file of at most 5,000 rows and 5 MiB, in UTF-8 or CP932, with titles in its first row. \
    `check=true` writes nothing. The same file under the same Idempotency-Key doubles nothing.";

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/clients/imports", post(import))
        .route("/v1/clients/imports/template.csv", get(template))
        .route("/clients/import", get(page).post(form))
}

/// What is said of a row.
#[derive(Clone, Debug, Serialize)]
struct Remark {
    /// Line of the file on which the row begins.
    line: usize,
    /// From 1; absent where it concerns the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// The column's title in the file, or the field that is missing.
    #[serde(skip_serializing_if = "String::is_empty")]
    field: String,
    /// What is wrong.
    code: &'static str,
    /// The same in words.
    title: String,
    /// What to do.
    detail: String,
}

/// What came, or would come, of a file.
#[derive(Debug, Serialize)]
struct Report {
    /// `utf8`, `utf8_bom` or `cp932`.
    encoding: &'static str,
    /// Below the titles.
    rows: usize,
    /// Rows that can be taken.
    good: usize,
    /// Rows that were taken now or by an earlier request for the same; 0 for a check.
    imported: usize,
    /// Good rows that were left out as duplicates.
    skipped: usize,
    /// Titles of columns that are not read.
    ignored_columns: Vec<String>,
    /// Why rows cannot be taken.
    errors: Vec<Remark>,
    /// Rows like another one, or like a client that is there.
    duplicates: Vec<Remark>,
    /// The rows that were not taken as CSV (UTF-8 with a mark), with the reason in one more column; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<String>,
}

/// How a file is to be read.
struct Wish {
    check: bool,
    skip: bool,
    /// Of the request, or the file's hash.
    key: String,
    lang: Lang,
}

async fn import(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
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

fn file_key(file: &[u8]) -> String {
    format!("file {}", hex::encode(Sha256::digest(file)))
}

/// Reads, decides every row, and unless it is a check registers the good ones.
async fn run(app: &App, principal: &Principal, call: &Call, file: &[u8], wish: &Wish) -> Result<Report, Problem> {
    let clients = Clients::read(file)?;
    let mut seen: HashMap<String, usize> = HashMap::new();
    let (mut errors, mut duplicates, mut taken, mut rejected) = (vec![], vec![], vec![], vec![]);
    let mut skipped = 0;
    for (n, row) in clients.rows.iter().enumerate() {
        let _turn = app.limiter.turn(principal.ledger, Work::Core).await;
        let (client, honorific) = clients.client(row);
        let bad_honorific = honorific.is_none().then(|| ("client.bad_honorific", "honorific".to_owned()));
        let more = faults(app, principal, call, &client)?;
        let told = bad_honorific.into_iter().chain(more);
        let told: Vec<_> = told.map(|(code, field)| remark(app, wish.lang, &clients, row.line, code, &field)).collect();
        if !told.is_empty() {
            let reasons: Vec<String> = told.iter().map(|fault| format!("{}: {}", fault.field, fault.title)).collect();
            rejected.push((n, reasons.join(" / ")));
            errors.extend(told);
            continue;
        }
        let key = row_key(&wish.key, row.line);
        let twin = twin(app, principal, &mut seen, &client, row.line)?;
        if let Some((code, field)) = twin
            && !execute::is_done::<RegisterClient>(app, principal, &key).await?
        {
            let remark = remark(app, wish.lang, &clients, row.line, code, field);
            if wish.skip {
                rejected.push((n, remark.title.clone()));
                skipped += 1;
            }
            duplicates.push(remark);
            if wish.skip {
                continue;
            }
        }
        taken.push((key, client));
    }
    let good = taken.len() + skipped;
    let imported = if wish.check { 0 } else { register(app, principal, call, file, taken).await? };
    let names = clients.titles.iter().zip(&clients.columns);
    Ok(Report {
        encoding: match clients.encoding {
            Encoding::Utf8 => "utf8",
            Encoding::Utf8Bom => "utf8_bom",
            Encoding::Cp932 => "cp932",
        },
        rows: clients.rows.len(),
        good,
        imported,
        skipped,
        ignored_columns: names.filter(|(_, column)| column.is_none()).map(|(title, _)| title.clone()).collect(),
        errors,
        duplicates,
        rejected: (!rejected.is_empty()).then(|| returned(app, wish.lang, &clients, &rejected)),
    })
}

/// Everything that the command refuses of a row, each with its field: what is refused is taken for right, and the command asked
/// again, until it refuses nothing more.
fn faults(
    app: &App,
    principal: &Principal,
    call: &Call,
    client: &RegisterClient,
) -> Result<Vec<(&'static str, String)>, Problem> {
    let (mut client, mut found) = (client.clone(), vec![]);
    while let Err(problem) = execute::rehearse(app, principal, client.clone(), call) {
        if problem.status.is_server_error() {
            return Err(problem);
        }
        let field = problem.errors.first().map_or(String::new(), |fault| sheet::field_of(&fault.pointer));
        let is_mended = sheet::mend(&mut client, &field);
        found.push((problem.code, field));
        if !is_mended || found.len() > sheet::COLUMNS.len() {
            break;
        }
    }
    Ok(found)
}

fn row_key(key: &str, line: usize) -> String {
    format!("import {} {line}", hex::encode(Sha256::digest(key)))
}

/// Is there another one like it: in an earlier row, or already registered? Never a reason to refuse by itself.
fn twin(
    app: &App,
    principal: &Principal,
    seen: &mut HashMap<String, usize>,
    client: &RegisterClient,
    line: usize,
) -> Result<Option<(&'static str, &'static str)>, Problem> {
    let number = keiin_domain::registration_number::normalise(&client.registration_number).unwrap_or_default();
    let name = client.name.trim().to_owned();
    let in_file = [format!("n {name}"), format!("t {number}")];
    let known = in_file.iter().filter(|key| *key != "t ").any(|key| seen.contains_key(key));
    in_file.into_iter().for_each(|key| _ = seen.entry(key).or_insert(line));
    if known {
        return Ok(Some(("import.duplicate_row", "name")));
    }
    let there = keiin_projections::client::duplicates(&app.read, &principal.who(), None, &name, &number)?;
    Ok((!there.is_empty()).then_some(("import.duplicate_client", "name")))
}

/// Each row a command of its own. A retry finds those that were carried out.
async fn register(
    app: &App,
    principal: &Principal,
    call: &Call,
    file: &[u8],
    rows: Vec<(String, RegisterClient)>,
) -> Result<usize, Problem> {
    let allowed = principal.allow::<RegisterClient>()?;
    let request_hash = execute::request_hash(principal, RegisterClient::NAME, None, file);
    let all = rows.into_iter().map(|(key, client)| {
        let call = Call { key: Some(key), request_hash, ..call.clone() };
        let allowed = &allowed;
        async move { execute(app, allowed, client, &call).await }
    });
    let done: Vec<_> = stream::iter(all).buffered(AT_ONCE).try_collect().await?;
    if let Some(last) = done.iter().filter_map(|done| done.span).map(|span| span.last).max() {
        app.wait(principal.ledger, last).await?;
    }
    Ok(done.len())
}

fn remark(app: &App, lang: Lang, clients: &Clients, line: usize, code: &'static str, field: &str) -> Remark {
    let column = clients.place(field);
    let known = sheet::COLUMNS.iter().find(|column| column.field == field).map(|column| column.title(lang));
    let title = column.and_then(|at| clients.titles.get(at - 1)).map(String::as_str).or(known);
    let key = format!("problem-{}", code.replace(['.', '_'], "-"));
    let (field, title, detail) = (
        title.unwrap_or(field).to_owned(),
        app.texts.get(lang, &key, &[]),
        app.texts.get(lang, &format!("{key}-detail"), &[]),
    );
    Remark { line, column, field, code, title, detail }
}

/// Rows as they came, with one more column.
fn returned(app: &App, lang: Lang, clients: &Clients, rejected: &[(usize, String)]) -> String {
    let mut columns = clients.titles.clone();
    columns.push(app.texts.get(lang, "import-reason", &[]));
    let row = |(n, reason): &(usize, String)| {
        let cells = &clients.rows[*n].cells;
        let cells = (0..clients.titles.len()).map(|at| cells.get(at).cloned().unwrap_or_default());
        cells.chain([reason.clone()]).map(Cell::Text).collect()
    };
    let file = Table { columns, rows: rejected.iter().map(row).collect() }.write(Encoding::Utf8Bom);
    String::from_utf8_lossy(&file.bytes).into_owned()
}

async fn template(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    reader(&app, &head, REGISTER, TEMPLATE).await?;
    let file = sheet::template(Peer::of(&head).lang).write(Encoding::Utf8Bom);
    Ok(download(file.bytes, "text/csv; charset=utf-8", "attachment; filename=\"clients.csv\""))
}

async fn page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, REGISTER, NAME).await?;
    show(&app, &principal, &head, None).await
}

async fn show(app: &App, principal: &Principal, head: &Parts, came: Option<Value>) -> Result<Response, Problem> {
    let peer = Peer::of(head);
    let lang = peer.lang;
    let mut context = common(app, "/clients/import", peer, Some(principal)).await?;
    context["columns"] = sheet::COLUMNS.iter().map(|column: &Column| json!(column.title(lang))).collect();
    context["rows_max"] = json!(ROWS_MAX);
    context["came"] = came.unwrap_or(Value::Null);
    render(app, lang, "clients_import", &context, StatusCode::OK)
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

/// Puts a checked file away; its name leads nobody else to it.
fn keep(app: &App, principal: &Principal, call: &Call, file: &[u8]) -> Result<String, Problem> {
    let mut hash = Sha256::new();
    [principal.ledger.as_bytes(), principal.actor.id.as_bytes(), file].iter().for_each(|part| hash.update(part));
    let id: [u8; 32] = hash.finalize().into();
    app.vault.put(&[Entry {
        kind: FILE.to_owned(),
        lookup: id.to_vec(),
        ledger: principal.ledger,
        owner: principal.actor.id,
        value: file.to_vec(),
        created_us: call.now_us,
        expires_us: Some(call.now_us + FILE_US),
    }])?;
    Ok(hex::encode(id))
}

fn kept(app: &App, principal: &Principal, call: &Call, id: &str) -> Result<Vec<u8>, Problem> {
    let gone = || Problem::new("import.gone");
    let id = hex::decode(id).map_err(|_| gone())?;
    let entry = app.vault.get(FILE, &id)?.ok_or_else(gone)?;
    let is_own = entry.ledger == principal.ledger && entry.owner == principal.actor.id;
    if is_own && entry.expires_us.is_some_and(|until| call.now_us < until) { Ok(entry.value) } else { Err(gone()) }
}
