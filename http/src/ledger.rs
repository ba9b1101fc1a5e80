//! The ledger's own face: checkpoint and hash tiles for anybody, proofs and the filtered trail for who may read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keiin_domain::command::Aggregate;
use keiin_domain::data::{DataClass, Look};
use keiin_domain::log::Log;
use keiin_domain::role::Permission;
use keiin_eventlog::anchor::AnchorError;
use keiin_eventlog::note::VerifierKey;
use keiin_projections::event::{FEED_PARAMS, ListEvents};
use keiin_projections::query::{Kind, Param, Query};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Path, PathParams, id, identify, query_string};
use crate::app::App;
use crate::execute::Call;
use crate::look::{self, Seen};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::session_api::Operation;
use crate::{denial, export, feed};

const READ: Permission = Permission("log.read");
/// Reads the trail, at least what one did oneself.
pub const TRAIL: Permission = Permission("event.read_own");
const EXPORT: Permission = Permission("log.export");
const SIZES: &[Param] = &[Param { name: "from", kind: Kind::Number }, Param { name: "to", kind: Kind::Number }];
const BYTES: &str = "application/octet-stream";

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        permission: Some(READ),
        answer: "text/plain",
        ..Operation::new("get_event_proof", "GET", "/v1/events/{position}/proof")
    },
    Operation { permission: Some(READ), ..Operation::new("get_log_key", "GET", "/v1/log/key") },
    Operation {
        permission: Some(READ),
        params: SIZES,
        ..Operation::new("get_log_consistency", "GET", "/v1/log/consistency")
    },
    Operation {
        permission: Some(TRAIL),
        params: ListEvents::PARAMS,
        answer: "text/csv",
        ..Operation::new("list_events_csv", "GET", "/v1/events.csv")
    },
    Operation {
        permission: Some(TRAIL),
        answer: "text/csv",
        ..Operation::new("get_lifecycle_csv", "GET", "/v1/members/{id}/lifecycle.csv")
    },
    Operation {
        permission: Some(TRAIL),
        params: FEED_PARAMS,
        answer: "text/event-stream",
        ..Operation::new(feed::NAME, "GET", feed::PATH)
    },
    Operation { permission: Some(EXPORT), answer: BYTES, ..Operation::new("create_export", "POST", "/v1/exports") },
    Operation {
        public: true,
        answer: "text/plain",
        ..Operation::new("get_checkpoint", "GET", "/log/{ledger}/checkpoint")
    },
    Operation {
        public: true,
        answer: BYTES,
        ..Operation::new("get_tile", "GET", "/log/{ledger}/tile/{level}/{*index}")
    },
];

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/events/{position}/proof", get(proof))
        .route("/v1/log/key", get(key))
        .route("/v1/log/consistency", get(consistency))
        .route("/v1/events.csv", get(csv))
        .route("/v1/members/{id}/lifecycle.csv", get(lifecycle))
        .route(feed::PATH, get(feed::stream))
        .route("/v1/exports", post(create_export))
        .route("/log/{ledger}/checkpoint", get(checkpoint))
        .route("/log/{ledger}/tile/{level}/{*index}", get(tile))
}

impl From<AnchorError> for Problem {
    fn from(error: AnchorError) -> Problem {
        match error {
            AnchorError::Store(error) => error.into(),
            AnchorError::NoLedger(_) | AnchorError::Beyond(_) => Problem::not_found(),
            other => Problem::failed(other),
        }
    }
}

/// Who calls, once they may.
pub async fn reader(app: &App, head: &Parts, permission: Permission, name: &str) -> Result<(Principal, Call), Problem> {
    let (principal, call) = identify(app, &BTreeMap::new(), head, name).await?;
    if let Err(problem) = principal.check(permission) {
        denial::denied(app, &principal, name, &call).await;
        return Err(problem);
    }
    Ok((principal, call))
}

/// The key that checks this ledger's checkpoints, as the server says it; an auditor pins it from elsewhere.
pub async fn verifier_key(app: &App, ledger: Uuid) -> Result<(String, String), Problem> {
    let head = app.log.head(ledger).await?.ok_or_else(Problem::not_found)?;
    let origin = keiin_eventlog::checkpoint::Origin::new(&app.config.log_name, ledger, head.generation);
    let origin = origin.map_err(Problem::failed)?.to_string();
    let key = VerifierKey::new(&origin, head.signer).map_err(Problem::failed)?;
    Ok((origin, key.to_string()))
}

/// What every page says of the ledger.
pub async fn summary(app: &App, ledger: Uuid) -> Result<Value, Problem> {
    let head = app.log.head(ledger).await?.ok_or_else(Problem::not_found)?;
    let (origin, vkey) = verifier_key(app, ledger).await?;
    let anchored = app.anchorer.latest(ledger);
    Ok(json!({
        "id": ledger,
        "origin": origin,
        "size": head.size,
        "checkpoint_size": anchored.map_or(0, |a| a.size),
        "vkey": vkey,
    }))
}

async fn proof(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, "get_event_proof").await?;
    let position = path.get("position").and_then(|p| p.parse().ok()).ok_or_else(Problem::not_found)?;
    let proof = app.anchorer.proof(principal.ledger, position).await?;
    let name = format!("attachment; filename=\"{position}.tlog-proof\"");
    Ok(download(proof.to_string().into_bytes(), "text/plain; charset=utf-8", &name))
}

async fn key(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, "get_log_key").await?;
    let (origin, vkey) = verifier_key(&app, principal.ledger).await?;
    Ok(axum::Json(json!({ "origin": origin, "vkey": vkey })).into_response())
}

async fn consistency(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, "get_log_consistency").await?;
    let params = query_string(head.uri.query().unwrap_or(""))?;
    let number = |name: &'static str| {
        let found = params.get(name).and_then(|text| text.parse::<u64>().ok());
        found.ok_or_else(|| Problem::at("request.bad_parameter", format!("/{name}")))
    };
    let proof = app.anchorer.consistency(principal.ledger, number("from")?, number("to")?).await?;
    let hashes: Vec<String> = proof.hashes.iter().map(|hash| STANDARD.encode(hash.0)).collect();
    Ok(axum::Json(json!({
        "from": proof.from,
        "to": proof.to,
        "root_from": STANDARD.encode(proof.root_from.0),
        "root_to": STANDARD.encode(proof.root_to.0),
        "hashes": hashes,
    }))
    .into_response())
}

async fn csv(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = reader(&app, &head, TRAIL, "list_events_csv").await?;
    let entry = app.queries.get("list_events").ok_or_else(Problem::not_found)?;
    let params = entry.read_params(query_string(head.uri.query().unwrap_or(""))?)?;
    let bytes = keiin_projections::event::csv(&app.read, &principal.who(), &params)?;
    let (kind, class) = (Log::STREAM.to_owned(), DataClass::Personal);
    look::record(&app, &principal, Seen { kind, id: principal.ledger, class, how: Look::Downloaded }, &call).await?;
    Ok(download(bytes, "text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""))
}

async fn lifecycle(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = reader(&app, &head, TRAIL, "get_lifecycle_csv").await?;
    let entry = app.queries.get("get_lifecycle").ok_or_else(Problem::not_found)?;
    let params = entry.read_params(path)?;
    let life = keiin_projections::lifecycle::of(&app.read, &principal.who(), &params).await?;
    let (kind, id, class) = (life.object.kind.to_owned(), life.object.id, DataClass::Personal);
    look::record(&app, &principal, Seen { kind, id, class, how: Look::Downloaded }, &call).await?;
    let bytes = keiin_projections::lifecycle::csv(&life);
    Ok(download(bytes, "text/csv; charset=utf-8", "attachment; filename=\"lifecycle.csv\""))
}

/// The whole ledger as a bundle that `keiin verify` reads. The export itself is an event.
async fn create_export(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "create_export").await?;
    if let Err(problem) = principal.check(EXPORT) {
        denial::denied(&app, &principal, "create_export", &call).await;
        return Err(problem);
    }
    // A login left open on a desk takes nothing away; a program says what it may by its scopes.
    if principal.session_id.is_some() && !principal.is_fresh(call.now_us) {
        return Err(Problem::new("access.confirm_first"));
    }
    let file = export::to_file(&app, &principal, &call).await?;
    let body = axum::body::Body::from_stream(tokio_util::io::ReaderStream::new(file));
    let mut response = download(vec![], "application/octet-stream", "attachment; filename=\"ledger.keiin\"");
    *response.body_mut() = body;
    response.headers_mut().remove(CONTENT_LENGTH);
    Ok(response)
}

async fn checkpoint(State(app): State<Arc<App>>, Path(path): PathParams) -> Result<Response, Problem> {
    let ledger = id(&path, "ledger")?;
    let anchored = app.anchorer.latest(ledger).ok_or_else(Problem::not_found)?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], anchored.checkpoint.to_string()).into_response())
}

/// C2SP tlog-tiles: full tiles never change; a partial one is cut from what is stored.
async fn tile(State(app): State<Arc<App>>, Path(path): PathParams) -> Result<Response, Problem> {
    use keiin_eventlog::tiles::{Holds, Tile};
    let ledger = id(&path, "ledger")?;
    let text = format!(
        "tile/{}/{}",
        path.get("level").map_or("", String::as_str),
        path.get("index").map_or("", String::as_str)
    );
    let wanted: Tile = text.parse().map_err(|_| Problem::not_found())?;
    let Holds::Hashes(level) = wanted.holds else { return Err(Problem::not_found()) };
    let size = app.anchorer.latest(ledger).ok_or_else(Problem::not_found)?.size;
    // Only what the published checkpoint covers: a tile may already hold more.
    let published = Tile::of(level, wanted.index, size).is_some_and(|now| wanted.width <= now.width);
    let stored = app.log.tile(ledger, level, wanted.index).await?.ok_or_else(Problem::not_found)?;
    let width = usize::from(wanted.width);
    if !published || stored.hashes.len() < width {
        return Err(Problem::not_found());
    }
    let bytes: Vec<u8> = stored.hashes[..width].iter().flat_map(|hash| hash.0).collect();
    let mut response = ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    Ok(response)
}

/// `Content-Disposition` of a file with this name, also where it is not ASCII (RFC 6266, RFC 8187).
pub fn disposition(how: &str, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && !"\"\\%".contains(c) || c == ' ' { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let mut full = String::new();
    for byte in name.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => full.push(char::from(byte)),
            false => full.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{how}; filename=\"{ascii}\"; filename*=UTF-8''{full}")
}

/// Bytes to keep.
pub fn download(bytes: Vec<u8>, content_type: &'static str, disposition: &str) -> Response {
    let mut response = ([(CONTENT_TYPE, content_type)], bytes).into_response();
    if let Ok(value) = HeaderValue::from_str(disposition) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}
