//! Is this paper genuine? Whoever holds a document, or scans its QR code, sees whether this company issued exactly this file,
//! without an account, and nothing that does not stand on the paper anyway.
//!
//! The file never leaves the reader's device: the browser hashes it, asks for that hash, and checks the record that holds it,
//! the record's place in the ledger and the checkpoint's signature by itself (`check.js`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keiin_domain::command::Aggregate;
use keiin_domain::document::Printed;
use keiin_domain::paper::Paper;
use keiin_eventlog::record::{Leaf, Stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Path, PathParams};
use crate::app::App;
use crate::ledger::verifier_key;
use crate::problem::Problem;
use crate::public::{holder, page, tenant};
use crate::serve::Peer;
use crate::session_api::Operation;
use crate::{export, paper, principal};

/// Operations of this file.
pub const OPERATIONS: &[Operation] =
    &[Operation { public: true, ..Operation::new("check_file", "GET", "/v1/checks/{sha256}") }];

/// Their routes, and the pages.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/checks/{sha256}", get(check_file))
        .route("/check", get(any_page))
        .route("/check/{token}", get(paper_page))
}

/// What is said of a document: what stands on its paper, less what it is about.
async fn told(app: &App, ledger: Uuid, document: Uuid) -> Result<Value, Problem> {
    let printed = principal::load::<Printed>(app, ledger, document).await?;
    let (Some(draft), Some(issued)) = (&printed.draft, &printed.issued) else { return Err(Problem::not_found()) };
    Ok(json!({
        "company": { "name": issued.sender.name, "registration_number": issued.sender.registration_number },
        "document_type": draft.document_type.name(),
        "number": issued.number,
        "issued_on": issued.issued_on,
        "newest_revision": printed.revision(),
        "cancelled": printed.cancelled,
    }))
}

/// The record in which the ledger holds a file's hash, opened, with its proof: all that a reader needs to check it.
async fn check_file(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let origin = principal::origin(&app, Peer::of(&head).ip, &head.headers);
    let found = match hash(path.get("sha256").map_or("", String::as_str)) {
        Some(sha256) => app.vault.get(paper::FILE, &sha256)?.map(|entry| (sha256, entry)),
        None => None,
    };
    let Some((sha256, entry)) = found else {
        app.limiter.guess(format!("check {}", origin.ip))?;
        return Err(Problem::not_found());
    };
    let (ledger, document) = (entry.ledger, entry.owner);
    let files = principal::load::<Paper>(&app, ledger, document).await?.state.files;
    let at = files.iter().position(|(_, file)| *file == Some(sha256)).ok_or_else(Problem::not_found)?;
    let stream = Stream::new(Paper::STREAM, document);
    let record = app.log.read_stream(ledger, &stream, at as u64, 1).await?.pop().ok_or_else(Problem::not_found)?;
    let (leaf, body) = (Leaf::decode(&record.leaf).map_err(Problem::failed)?, record.body.unwrap_or_default());
    let secret = export::secret(&app.vault, &leaf, &body).map_err(Problem::failed)?;
    let proof = app.anchorer.proof(ledger, leaf.position).await?;
    let (_, vkey) = verifier_key(&app, ledger).await?;
    let mut answer = told(&app, ledger, document).await?;
    answer["revision"] = json!(files[at].0);
    answer["record"] = json!({
        "position": leaf.position,
        "time": keiin_domain::date::instant(leaf.time_us as i64),
        "leaf": hex::encode(&record.leaf),
        "body": hex::encode(&body),
        "secret": hex::encode(secret.expose()),
    });
    answer["proof"] = json!(proof.to_string());
    answer["vkey"] = json!(vkey);
    Ok(axum::Json(answer).into_response())
}

/// 64 lower-case hex digits.
fn hash(text: &str) -> Option<[u8; 32]> {
    let bytes = hex::decode(text).ok().filter(|bytes| hex::encode(bytes) == text)?;
    bytes.try_into().ok()
}

/// For whoever has a file and no QR code.
async fn any_page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    page(&app, &head, "check", json!({})).await
}

/// Behind a QR code: whose paper it is, whether it still holds, and a place for the file.
async fn paper_page(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let holder = holder(&app, &path, &head, paper::SECRET)?;
    let paper = told(&app, holder.ledger, holder.actor.id).await?;
    let tenant = tenant(&app, holder.ledger).await?;
    page(&app, &head, "check", json!({ "paper": paper, "tenant": tenant })).await
}
