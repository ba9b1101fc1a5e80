//! The JSON API: one handler for every command, one for every query, mounted from the catalogs.
//!
//! Order, the same everywhere: who calls, may they, headers, body, decide. A stranger is told nothing before the first
//! two; the body of a request that is refused there is never read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, LINK, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, patch, post, put};
use keiin_domain::attachment::RemoveAttachment;
use keiin_domain::command::Command;
use keiin_domain::factor::ResetFactor;
use keiin_domain::mail::SendMailAgain;
use keiin_domain::member::password::ChangePassword;
use keiin_domain::member::{AcceptInvitation, ReinstateMember};
use keiin_domain::visit::AddVisitors;
use keiin_projections::query::{Param, Params};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::command::{ENTRIES, Entry};
use crate::execute::{Call, Done, request_hash};
use crate::lockout::Target;
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::serve::Peer;
use crate::{clock, denial, json};

/// Name of the header that says where a write stands in the ledger.
pub const POSITION: &str = "keiin-position";

/// What stands in a path. A path that is no text leads nowhere.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        let found = axum::extract::Path::<T>::from_request_parts(head, state).await;
        found.map(|axum::extract::Path(path)| Path(path)).map_err(|_| Problem::not_found())
    }
}

/// Parameters in a path.
pub type PathParams = Path<BTreeMap<String, String>>;

/// Routes of every command and query.
pub fn router(app: &App) -> Router<Arc<App>> {
    let mut router = Router::new();
    for entry in ENTRIES.iter() {
        let handler = move |State(app): State<Arc<App>>, Path(path): PathParams, request: Request| async move {
            command(&app, entry, path, request).await
        };
        let method: MethodRouter<Arc<App>> = match entry.route.method {
            "POST" => post(handler),
            "PUT" => put(handler),
            _ => patch(handler),
        };
        router = router.route(entry.route.path, method);
    }
    for entry in app.queries.iter() {
        let (name, link) = (entry.name, entry.path);
        let handler = move |State(app): State<Arc<App>>, Path(path): PathParams, head: Parts| async move {
            query(&app, name, link, path, head).await
        };
        router = router.route(entry.path, get(handler));
    }
    router
}

/// Who sends a request, by the secret in its path or by its headers; what each may ask in a minute is counted here.
pub async fn identify(
    app: &App,
    path: &BTreeMap<String, String>,
    head: &Parts,
    operation: &str,
) -> Result<(Principal, Call), Problem> {
    let peer = Peer::of(head);
    let origin = principal::origin(app, peer.ip, &head.headers);
    let ip = origin.ip.clone();
    let call =
        Call { request_id: Some(peer.request_id), origin: Some(origin), now_us: clock::now_us(), ..Call::default() };
    let found = match (path.get("token"), principal::kind_of_path(head.uri.path())) {
        (Some(secret), Some(kind)) => match principal::by_link(app, kind, secret) {
            Ok(found) => Ok(found),
            Err(problem) => app.limiter.guess(format!("link {ip}")).and(Err(problem)),
        },
        _ => principal::authenticate(app, &head.headers, call.from()).await,
    };
    match found {
        Ok(principal) => {
            app.limiter.request(format!("{} {}", principal.ledger, principal.actor.id))?;
            app.limiter.company(principal.ledger)?;
            Ok((principal, call))
        }
        Err(problem) => {
            app.limiter.request(format!("address {ip}"))?;
            denial::denied_stranger(app, operation, &call).await;
            Err(problem)
        }
    }
}

async fn command(
    app: &App,
    entry: &Entry,
    path: BTreeMap<String, String>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = identify(app, &path, &head, entry.name).await?;
    if principal.check(entry.permission).is_err() {
        denial::denied(app, &principal, entry.name, &call).await;
        let unconfirmed = principal.is_unconfirmed();
        return Err(Problem::new(if unconfirmed { "secretary.not_confirmed" } else { "access.forbidden" }));
    }
    if entry.name == AcceptInvitation::NAME {
        crate::invitation::is_for_caller(app, &principal, &head.headers, call.from()).await?;
    }
    let call = Call {
        target: target(&path, &principal)?,
        key: idempotency_key(&head.headers, entry.needs_key)?,
        if_match: if_match(&head.headers, entry.needs_version())?,
        ..call
    };
    let body = read_body(app, &head, body).await?;
    run(app, entry, &principal, call, json::strict_or_empty(&body)?).await
}

/// A command whose request was read: the API and the console's forms meet here.
pub async fn run(
    app: &App,
    entry: &Entry,
    principal: &Principal,
    call: Call,
    body: Value,
) -> Result<Response, Problem> {
    principal.check(entry.permission)?;
    let canonical = serde_json::to_vec(&body).map_err(Problem::failed)?;
    let request_hash = request_hash(principal, entry.name, call.target, &canonical);
    let call = Call { request_hash, ..call };
    let guess = principal.member.filter(|_| entry.name == ChangePassword::NAME);
    let guess = guess.map(|member| Target::proof(principal.ledger, member));
    if let Some(guess) = guess {
        // The password so far is a guess, once there is one.
        json::typed::<ChangePassword>(body.clone())?;
        guess.guess(app, call.now_us)?;
    }
    if let Some(member) = call.target.filter(|_| entry.name == ReinstateMember::NAME) {
        crate::password::tidy(app, principal.ledger, member, &call).await?;
    }
    let said = body.clone();
    let done = entry.run(app, principal, &call, body).await;
    if let Some(guess) = guess
        && done.as_ref().map_or_else(|problem| problem.code.starts_with("member.password_"), |_| true)
    {
        guess.forget(app)?;
    }
    if let Some(member) = principal.member
        && done.as_ref().is_err_and(|problem| problem.code == "member.wrong_password")
    {
        crate::password::refused(app, principal.ledger, member, &call).await?;
    }
    if let Ok(done) = &done {
        follow(app, entry.name, &said, principal.ledger, done, &call).await?;
    }
    if matches!(entry.name, "open_link" | "register_recipient") && done.is_err() {
        crate::link::refused(app, principal, &call).await;
    }
    crate::reception::follow(app, entry.name, principal.ledger, &done, call.now_us).await;
    answer(app, entry, principal, done?).await
}

/// What the vault must be rid of when a command is done.
async fn follow(app: &App, command: &str, body: &Value, ledger: Uuid, done: &Done, call: &Call) -> Result<(), Problem> {
    let id = done.id;
    if crate::password::ends_logins(command) {
        if let Some(span) = done.span {
            app.wait(ledger, span.last).await?;
        }
        crate::password::tidy(app, ledger, id, call).await?;
    }
    if command == SendMailAgain::NAME
        && let (Some(position), Some(n)) = (body["effect_position"].as_u64(), body["n"].as_u64())
    {
        keiin_projections::mail::anew(&app.read, ledger, position, n as u16)?;
    }
    if let Some(span) = done.span
        && command.contains("webhook")
    {
        crate::webhook::tidy(app, command, ledger, id, span.last).await?;
    }
    if command == RemoveAttachment::NAME {
        if let Some(span) = done.span {
            app.wait(ledger, span.last).await?;
        }
        crate::attachment::erase(app, ledger, id, call.now_us).await?;
    }
    if command == ResetFactor::NAME {
        Target::proof(ledger, id).forget(app)?;
    }
    crate::device::tidy(app, command, ledger, id, call).await
}

/// The object: its id in the path, or what the secret in the path leads to. What is no id leads nowhere.
pub fn target(path: &BTreeMap<String, String>, principal: &Principal) -> Result<Option<Uuid>, Problem> {
    if path.contains_key("token") {
        return Ok(Some(principal.actor.id));
    }
    let Some(text) = path.get("id") else { return Ok(None) };
    let id = Uuid::parse_str(text).ok().filter(|id| id.to_string() == *text);
    id.map(Some).ok_or_else(Problem::not_found)
}

/// The request's own key, which may have to be there.
pub fn idempotency_key(headers: &HeaderMap, needed: bool) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return if needed { Err(Problem::new("idempotency.key_required")) } else { Ok(None) };
    };
    let key = value.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| Problem::at("request.bad_header", "/Idempotency-Key"))
}

fn if_match(headers: &HeaderMap, needed: bool) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH).filter(|_| needed) else {
        return if needed { Err(Problem::new("request.version_required")) } else { Ok(None) };
    };
    let version = value.to_str().ok().and_then(|text| text.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok());
    version.map(Some).ok_or_else(|| Problem::at("request.bad_header", "/If-Match"))
}

/// The body of a JSON request, within the limit and of the right type.
pub async fn read_body(app: &App, head: &Parts, body: Body) -> Result<Vec<u8>, Problem> {
    let content_type = head.headers.get(CONTENT_TYPE);
    let bytes = whole(app, head, body).await?;
    let is_json = content_type.and_then(|t| t.to_str().ok()).is_some_and(|t| {
        let essence = t.split(';').next().unwrap_or("").trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    if !bytes.is_empty() && !is_json {
        return Err(Problem::new("request.wrong_content_type"));
    }
    Ok(bytes.to_vec())
}

/// A body within the limit. One that says beforehand that it is too long is not read at all.
pub async fn whole(app: &App, head: &Parts, body: Body) -> Result<Bytes, Problem> {
    within(head, body, app.config.limits.body).await
}

/// The same, within a limit of its own.
pub async fn within(head: &Parts, body: Body, limit: usize) -> Result<Bytes, Problem> {
    announced(head, limit)?;
    to_bytes(body, limit).await.map_err(|_| Problem::new("request.too_large"))
}

/// Refuses what is too long by its own word.
pub fn announced(head: &Parts, limit: usize) -> Result<(), Problem> {
    let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) { Err(Problem::new("request.too_large")) } else { Ok(()) }
}

async fn answer(app: &App, entry: &Entry, principal: &Principal, done: Done) -> Result<Response, Problem> {
    if let Some(span) = done.span {
        app.wait(principal.ledger, span.last).await?;
    }
    let mut body = representation(app, entry.name, principal, &done).await?;
    let passes = done.secrets.iter().filter(|(kind, _)| *kind == "pas");
    let passes: Vec<Value> = passes
        .map(|(_, text)| json!({ "secret": text, "link": format!("{}/pass/{text}", app.public_url()) }))
        .collect();
    let adds = entry.name == AddVisitors::NAME;
    if passes.len() > 1 || adds {
        // In the order of the visitors.
        body["passes"] = passes.into();
    }
    for (kind, text) in &done.secrets {
        let page = match *kind {
            // The first visitor's is the object's; who was added later has none of it.
            "pas" if adds => continue,
            "pas" if body.get("secret").is_some() => continue,
            "pas" => "pass",
            "cal" => {
                body["link"] = json!(format!("{}/calendar/{text}.ics", app.public_url()));
                ""
            }
            "kio" => "kiosk/pair",
            "pat" | "app" | "whs" => "",
            "rec" => {
                let codes = body["recovery_codes"].as_array().cloned().unwrap_or_default();
                body["recovery_codes"] = codes.into_iter().chain([json!(text)]).collect();
                continue;
            }
            // Invitations and secure links are for their recipients' eyes.
            _ => continue,
        };
        body["secret"] = json!(text);
        if !page.is_empty() {
            body["link"] = json!(format!("{}/{page}/{text}", app.public_url()));
        }
    }
    let version = body.get("version").and_then(Value::as_u64);
    let location = format!("{}/{}", entry.route.path, done.id);
    let status = if entry.route.creates { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, axum::Json(body)).into_response();
    let headers = response.headers_mut();
    if let Some(span) = done.span {
        headers.insert(POSITION, span.last.into());
    }
    if let Some(tag) = version.and_then(|v| HeaderValue::from_str(&format!("\"v{v}\"")).ok()) {
        headers.insert(ETAG, tag);
    }
    if entry.route.creates
        && let Ok(location) = HeaderValue::from_str(&location)
    {
        headers.insert(LOCATION, location);
    }
    Ok(response)
}

/// The object as its own query shows it. Who holds a link or stands at a kiosk is shown what that is for and no more.
async fn representation(app: &App, name: &str, principal: &Principal, done: &Done) -> Result<Value, Problem> {
    let server = Principal::system(principal.ledger);
    match name {
        "open_link" => crate::link::opened(app, principal, done).await,
        "send_mail_again" => Ok(json!({ "status": "queued" })),
        "register_recipient" => crate::link::registered(app, principal, done).await,
        "open_delivery" => crate::link::content(app, principal.ledger, done.id).await,
        "reply_to_delivery" => Ok(json!({ "id": done.id, "status": "replied" })),
        "accept_quote" => Ok(json!({ "id": done.id, "status": "accepted" })),
        "accept_invitation" | "set_password" => Ok(json!({ "id": done.id, "status": "active" })),
        "confirm_secretary" => Ok(json!({ "id": done.id, "status": "confirmed" })),
        "refuse_secretary" => Ok(json!({ "id": done.id, "status": "ended" })),
        "answer_notice" => Ok(json!({ "id": done.id, "status": "answered" })),
        "disown_login" => Ok(json!({ "id": done.id, "status": "disowned" })),
        _ if principal.actor.role == keiin_domain::role::Role::Device => crate::kiosk::seen(app, &server, done).await,
        _ if crate::post::is_for_clerk(principal, done) => crate::post::done_by_clerk(app, &server, done).await,
        _ => {
            // The right to do a thing includes seeing what one just did.
            let found = app.represent(&server, done.kind, done.id).await?;
            Ok(found.unwrap_or_else(|| json!({ "id": done.id })))
        }
    }
}

async fn query(
    app: &App,
    name: &'static str,
    route: &'static str,
    path: BTreeMap<String, String>,
    head: Parts,
) -> Result<Response, Problem> {
    let (principal, call) = identify(app, &path, &head, name).await?;
    let mut params = query_string(head.uri.query().unwrap_or(""))?;
    if let Some(after) = params.remove("after") {
        let position = after.parse().map_err(|_| Problem::at("request.bad_parameter", "/after"))?;
        app.wait(principal.ledger, position).await?;
    }
    if path.keys().any(|name| params.contains_key(name)) {
        return Err(Problem::at("request.bad_parameter", ""));
    }
    params.extend(path);
    let asked = params.clone();
    let body = match app.queries.run(app, &principal, name, params, &call).await {
        Err(problem) if problem.status == StatusCode::FORBIDDEN => {
            denial::denied(app, &principal, name, &call).await;
            return Err(problem);
        }
        other => other?,
    };
    let mut response = axum::Json(&body).into_response();
    if let Some(version) = body.get("version").and_then(Value::as_u64)
        && let Ok(tag) = HeaderValue::from_str(&format!("\"v{version}\""))
    {
        response.headers_mut().insert(ETAG, tag);
    }
    if let Some(next) = body.get("next").and_then(Value::as_str) {
        let mut link = format!("<{route}?cursor={next}");
        for (name, value) in asked.iter().filter(|(name, _)| *name != "cursor") {
            link.push_str(&format!("&{name}={}", percent(value)));
        }
        if let Ok(link) = HeaderValue::from_str(&format!("{link}>; rel=\"next\"")) {
            response.headers_mut().insert(LINK, link);
        }
    }
    Ok(response)
}

/// The id that stands under this name in a path.
pub fn id(path: &BTreeMap<String, String>, name: &str) -> Result<Uuid, Problem> {
    path.get(name).and_then(|text| Uuid::parse_str(text).ok()).ok_or_else(Problem::not_found)
}

/// Parameters of a query string, each known and of its kind.
pub fn params(given: BTreeMap<String, String>, known: &[&[Param]]) -> Result<Params, Problem> {
    Params::read(given, known).map_err(|name| Problem::at("request.bad_parameter", format!("/{name}")))
}

/// Name-value pairs of a query string; a name that comes twice is refused.
pub fn query_string(query: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut params = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "lang" {
            continue;
        }
        if params.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(Problem::at("request.bad_parameter", format!("/{name}")));
        }
    }
    Ok(params)
}

fn percent(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
