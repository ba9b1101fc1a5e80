//! Attachments: a company's own PDF files, looked at before they are taken.
//!
//! Invariants:
//! * Nothing is taken that was not looked at: its size, what is in it, and by the deployment's own scanner where there is
//!   one. Whatever cannot be looked at is not taken.
//! * The file is in the vault before the event that names it. A mark stands beside it until that event is known to be there;
//!   a file whose mark is old and that no event names is removed ([`round`]).
//! * No file is read in this process that another one, with limits, has not read to its end.

pub mod inspect;
mod process;
pub mod scan;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keiin_domain::attachment::{Attachment, MAX_ATTACHMENTS, MAX_TOTAL_BYTES, NAME_LENGTH, ReceiveAttachment};
use keiin_domain::command::{Aggregate, Command, Fault};
use keiin_domain::data::{DataClass, Look};
use keiin_domain::role::Permission;
use keiin_eventlog::vault::Entry;
use keiin_formats::pdf::Inspected;
use keiin_projections::fact::Opener;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::api::{self, POSITION, Path, PathParams};
use crate::app::{App, ROOT};
use crate::execute::{Call, execute, request_hash};
use crate::ledger::{disposition, download, reader};
use crate::look::{self, Seen};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::session_api::Operation;
use crate::upload::{self, File};
use crate::{random, reception};

/// Kind of the files in the vault; looked up by the attachment's id.
const FILE: &str = "att";
/// Kind of the marks of files whose event is not there yet. They belong to no company, so that all are found at once.
const MARK: &str = "atm";
/// A mark older than this belongs to no request that is under way.
const FORGOTTEN_US: i64 = 3_600 * 1_000_000;
/// Attachments that one round erases.
const ROUND: usize = 100;
const PLACE: Permission = ReceiveAttachment::PERMISSION;
const READ: Permission = Permission("sending_order.read");
const PDF: &str = "get_attachment_pdf";
/// What the request body is; for the API's description.
pub const ABOUT: &str = "A form with 1 to 10 PDF files, 20 MiB together. Each is looked at before it is taken. The same \
    files under the same Idempotency-Key double nothing.";

/// What it is refused with; for the API's description.
pub const REJECTS: &[&str] = &[
    "attachment.none", "attachment.too_many", "attachment.too_large", "attachment.not_pdf", "attachment.broken",
    "attachment.encrypted", "attachment.too_many_pages", "attachment.active_content", "attachment.embedded_file",
    "attachment.dynamic_form", "attachment.infected", "attachment.not_scanned",
];

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        permission: Some(PLACE),
        status: 201,
        ..Operation::new("receive_attachments", "POST", "/v1/attachments")
    },
    Operation {
        permission: Some(READ),
        answer: "application/pdf",
        ..Operation::new(PDF, "GET", "/v1/attachments/{id}/pdf")
    },
];

/// Their routes, and the form.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/v1/attachments", post(receive)).route("/v1/attachments/{id}/pdf", get(file))
}

async fn receive(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, PLACE, OPERATIONS[0].name).await?;
    let key = api::idempotency_key(&head.headers, false)?;
    let form = upload::form(&head, body, MAX_TOTAL_BYTES as usize).await.map_err(too_large)?;
    let (ids, last) = take(&app, &principal, &call, key.as_deref(), form.files).await?;
    let server = Principal::system(principal.ledger);
    let mut items = vec![];
    for id in ids {
        items.push(app.represent(&server, Attachment::STREAM, id).await?.ok_or_else(Problem::not_found)?);
    }
    let position = last.map(|last| [(POSITION, last.to_string())]);
    Ok((StatusCode::CREATED, position.unwrap_or_default(), axum::Json(json!({ "items": items }))).into_response())
}

/// A form that is too long is a file that is too long.
pub fn too_large(problem: Problem) -> Problem {
    if problem.code == "request.too_large" { Problem::at("attachment.too_large", "/files") } else { problem }
}

/// Looks at all of them, and takes them if all are fit; their ids in order, and the last record's position.
pub async fn take(
    app: &App,
    principal: &Principal,
    call: &Call,
    key: Option<&str>,
    files: Vec<File>,
) -> Result<(Vec<Uuid>, Option<u64>), Problem> {
    match files.len() {
        0 => return Err(Problem::at("attachment.none", "/files")),
        1..=MAX_ATTACHMENTS => {}
        _ => return Err(Problem::at("attachment.too_many", "/files")),
    }
    let mut looked = vec![];
    for (n, file) in files.into_iter().enumerate() {
        let found = look_at(app, &file.bytes).await.map_err(|problem| placed(problem, n))?;
        looked.push((file, found));
    }
    let (mut ids, mut last) = (vec![], None);
    for (n, (file, found)) in looked.into_iter().enumerate() {
        let key = key.map(|key| format!("attachment {} {n}", hex::encode(Sha256::digest(key))));
        let (id, position) = keep(app, principal, call, key, file, found).await.map_err(|p| placed(p, n))?;
        ids.push(id);
        last = position.max(last);
    }
    if let Some(last) = last {
        app.wait(principal.ledger, last).await?;
    }
    Ok((ids, last))
}

/// The `n`-th file is why.
fn placed(problem: Problem, n: usize) -> Problem {
    let errors = vec![Fault { pointer: format!("/files/{n}"), expected: None }];
    if problem.code.starts_with("attachment.") { Problem { errors, ..problem } } else { problem }
}

/// What the file is like, and whether a scanner has looked at it.
async fn look_at(app: &App, bytes: &Bytes) -> Result<(Inspected, bool), Problem> {
    let settings = &app.config.attachments;
    if bytes.len() > settings.max_bytes as usize {
        return Err(Problem::new("attachment.too_large"));
    }
    let found = inspect::inspected(bytes).await?;
    Ok((found, scan::scanned(settings, bytes).await?))
}

/// Puts a file into the vault, then writes down that it was taken. Where the same was taken before, that one stays.
async fn keep(
    app: &App,
    principal: &Principal,
    call: &Call,
    key: Option<String>,
    file: File,
    (found, is_scanned): (Inspected, bool),
) -> Result<(Uuid, Option<u64>), Problem> {
    let id = random::id_at(call.now_us);
    let sha256: [u8; 32] = Sha256::digest(&file.bytes).into();
    let size = u32::try_from(file.bytes.len()).map_err(Problem::failed)?;
    let entry = |kind: &str, ledger: Uuid, value: Vec<u8>| Entry {
        kind: kind.to_owned(),
        lookup: id.as_bytes().to_vec(),
        ledger,
        owner: id,
        value,
        created_us: call.now_us,
        expires_us: None,
    };
    let mark = entry(MARK, ROOT, principal.ledger.as_bytes().to_vec());
    let both = [mark, entry(FILE, principal.ledger, file.bytes.to_vec())];
    let vault = app.vault.clone();
    tokio::task::spawn_blocking(move || vault.put(&both)).await.map_err(Problem::failed)??;
    let Inspected { pages, is_printable } = found;
    let name = file_name(&file.name);
    let said = format!("{name}\n{}", hex::encode(sha256));
    let request_hash = request_hash(principal, ReceiveAttachment::NAME, None, said.as_bytes());
    let command = ReceiveAttachment { name, size, sha256, pages, is_printable, is_scanned };
    let call = Call { target: None, new_id: Some(id), if_match: None, key, request_hash, ..call.clone() };
    // After an error nobody knows whether the event is there; the mark stays until it is looked for.
    let done = execute(app, &principal.allow()?, command, &call).await?;
    if done.id != id {
        app.vault.delete(FILE, id.as_bytes())?;
    }
    app.vault.delete(MARK, id.as_bytes())?;
    Ok((done.id, done.span.map(|span| span.last)))
}

/// A name that can be shown and saved anywhere: one line without folders, not hidden, of bounded length, ending like what it is.
fn file_name(given: &str) -> String {
    let shown = given.trim_start_matches('.').trim();
    let stem = match shown.len().checked_sub(4).and_then(|at| shown.split_at_checked(at)) {
        Some((stem, ending)) if ending.eq_ignore_ascii_case(".pdf") => stem,
        _ => shown,
    };
    let stem: String = stem.chars().filter(|c| !"\"*:<>?|".contains(*c)).take(NAME_LENGTH - 4).collect();
    let stem = stem.trim();
    format!("{}.pdf", if stem.is_empty() { "file" } else { stem })
}

/// The file, as staff see it. To take it is a look at it.
async fn file(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = reader(&app, &head, READ, PDF).await?;
    let id = api::id(&path, "id")?;
    let (name, bytes) = of(&app, principal.ledger, id).await?;
    let seen = Seen { kind: Attachment::STREAM.to_owned(), id, class: DataClass::Personal, how: Look::Downloaded };
    look::record(&app, &principal, seen, &call).await?;
    Ok(download(bytes, "application/pdf", &disposition("inline", &name)))
}

/// An attachment's name and file: what its event says, or nothing.
pub async fn of(app: &App, ledger: Uuid, id: Uuid) -> Result<(String, Vec<u8>), Problem> {
    let attachment = principal::load::<Attachment>(app, ledger, id).await?.state;
    let received = attachment.received.ok_or_else(Problem::not_found)?;
    let gone = || Problem::new("attachment.gone");
    if attachment.is_removed {
        return Err(gone());
    }
    let name = received.name.open(&Opener { vault: &app.vault, ledger }).ok_or_else(gone)?;
    let entry = app.vault.get(FILE, id.as_bytes())?.filter(|entry| entry.ledger == ledger).ok_or_else(gone)?;
    // The vault's own seal says that these bytes are what was put there; the hash says that it is what the ledger means.
    if <[u8; 32]>::from(Sha256::digest(&entry.value)) != received.sha256 {
        return Err(Problem::failed("a stored attachment does not hash to what the ledger says"));
    }
    Ok((name.text, entry.value))
}

/// Destroys what was taken back.
pub async fn erase(app: &App, ledger: Uuid, id: Uuid, now_us: i64) -> Result<(), Problem> {
    reception::erase(app, ledger, id, now_us).await
}

/// One round of the timer: files that no event names after an hour are removed, and what was taken back is destroyed.
pub async fn round(app: &App, now_us: i64) -> Result<(), Problem> {
    for mark in app.vault.list(MARK, ROOT, None)? {
        if mark.created_us > now_us - FORGOTTEN_US {
            continue;
        }
        let ledger = Uuid::from_slice(&mark.value).map_err(Problem::failed)?;
        if !principal::load::<Attachment>(app, ledger, mark.owner).await?.exists() {
            app.vault.delete(FILE, &mark.lookup)?;
        }
        app.vault.delete(MARK, &mark.lookup)?;
    }
    for (ledger, id) in keiin_projections::attachment::unerased(&app.read, ROUND)? {
        erase(app, ledger, id, now_us).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded() {
        for (given, name) in [
            ("約款.pdf", "約款.pdf"),
            ("約款.PDF", "約款.pdf"),
            ("..pdf", "pdf.pdf"),
            (".pdf", "pdf.pdf"),
            ("", "file.pdf"),
            ("invoice.exe", "invoice.exe.pdf"),
            ("a\"b<c>|?.pdf", "abc.pdf"),
            ("約", "約.pdf"),
        ] {
            assert_eq!(file_name(given), name, "{given}");
        }
        assert_eq!(file_name(&"長".repeat(300)).chars().count(), NAME_LENGTH);
    }
}
