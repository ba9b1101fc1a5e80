//! The server: routes put together, and what every request passes through.
//!
//! From the outside in: security headers, request id and language, time limit, panics, problems rendered, cross-site
//! requests refused, the handler.

mod listen;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keiin_domain::command::Fault;
use serde_json::{Value, json};
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use crate::app::App;
use crate::locale::Lang;
use crate::problem::Problem;
use crate::tls::Caller;
use crate::{
    api, check, clock, console, document_files, headers, ledger, legal, oauth, openapi, operator, paper, principal,
    random, session_api, signup, totals, trust,
};

pub(crate) use self::listen::{Patience, serving};
pub use self::listen::{Sockets, run};

/// Cookie that remembers the language.
pub const LANG_COOKIE: &str = "keiin_lang";

/// What is known of a request before anybody looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The other end of the connection.
    pub ip: IpAddr,
    /// In the answer, in the log and in the event.
    pub request_id: Uuid,
    /// For texts.
    pub lang: Lang,
}

impl Peer {
    /// Of a request that came through the layers.
    pub fn of(head: &Parts) -> Peer {
        Peer::at(&head.extensions)
    }

    /// The other end of the connection: its address, and SHA-256 of the certificate that it showed.
    pub fn caller(extensions: &Extensions) -> (IpAddr, Option<[u8; 32]>) {
        let caller = extensions.get::<Caller>();
        caller.map_or((IpAddr::from([0, 0, 0, 0]), None), |caller| (caller.address.ip(), caller.certificate))
    }

    fn at(extensions: &Extensions) -> Peer {
        let unknown = Peer { ip: IpAddr::from([0, 0, 0, 0]), request_id: Uuid::nil(), lang: Lang::Ja };
        extensions.get::<Peer>().copied().unwrap_or(unknown)
    }
}

/// Everything that people reach.
pub fn router(app: Arc<App>) -> Router {
    let routes = api::router(&app)
        .merge(session_api::router())
        .merge(signup::api::router())
        .merge(signup::pages::router())
        .merge(legal::router())
        .merge(crate::passkey_api::router())
        .merge(crate::sms::api::router())
        .merge(ledger::router())
        .merge(paper::router())
        .merge(check::router())
        .merge(crate::inbox::router())
        .merge(crate::link::router())
        .merge(document_files::router())
        .merge(crate::visit_files::router())
        .merge(oauth::router())
        .merge(totals::router())
        .merge(crate::import::router::<crate::client_import::Clients>())
        .merge(crate::visit::router())
        .merge(crate::import::router::<crate::visit_import::Visits>())
        .merge(crate::audit_archive::router())
        .merge(crate::post::router())
        .merge(crate::mail_template::router())
        .merge(crate::sending_order::form::router())
        .merge(crate::attachment::router())
        .merge(trust::router())
        .merge(crate::verification::router())
        .merge(openapi::router())
        .merge(console::router())
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready));
    layered(app, routes)
}

/// What every request to these routes passes through.
fn layered(app: Arc<App>, routes: Router<Arc<App>>) -> Router {
    let limit = Duration::from_secs(app.config.limits.request_s);
    routes
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::new("request.method_not_allowed") })
        .layer(middleware::from_fn(same_site))
        .layer(middleware::from_fn_with_state(app.clone(), render_problems))
        .layer(CatchPanicLayer::custom(|_| Problem::failed("a handler panicked").into_response()))
        .layer(middleware::from_fn(move |request: Request, next: Next| async move {
            let answer = tokio::time::timeout(limit, next.run(request)).await;
            answer.unwrap_or_else(|_| Problem::new("request.timeout").into_response())
        }))
        .layer(middleware::from_fn_with_state(app.clone(), render_problems))
        .layer(middleware::from_fn_with_state(app.clone(), arrive))
        .layer(middleware::from_fn_with_state(app.clone(), secure))
        .with_state(app)
}

/// What operators reach: never on a public address.
pub fn admin_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/rebuild", axum::routing::post(rebuild))
        .route("/scrub", get(scrubbed).post(scrub_now))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready_or_why))
        .layer(middleware::from_fn_with_state(app.clone(), operator::maintains))
        .layer(middleware::from_fn(same_site))
        .layer(middleware::from_fn_with_state(app.clone(), arrive))
        .layer(middleware::from_fn_with_state(app.clone(), secure))
        .with_state(app.clone())
        .merge(layered(app.clone(), operator::router()))
        .layer(middleware::from_fn_with_state(app, operator::from_our_networks))
}

/// For load balancers: a stranger learns whether, not why.
async fn ready(State(app): State<Arc<App>>) -> Response {
    match trouble(&app).await {
        None => "ready\n".into_response(),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response(),
    }
}

/// For operators: why.
async fn ready_or_why(State(app): State<Arc<App>>) -> Response {
    match trouble(&app).await {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

async fn trouble(app: &App) -> Option<String> {
    if let Err(error) = app.log.head(crate::app::ROOT).await {
        return Some(error.to_string());
    }
    match app.runner.stopped() {
        Ok(stopped) if stopped.is_empty() => {}
        Ok(stopped) => return Some(format!("{} read model(s) have stopped: {}", stopped.len(), stopped[0].reason)),
        Err(error) => return Some(error.to_string()),
    }
    let refused = app.anchorer.refusals();
    let refused = refused.first().map(|(ledger, why)| format!("ledger {ledger} is refused: {why}"));
    refused.or_else(|| app.anchorer.trouble())
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let Some(handle) = crate::metrics::handle() else { return StatusCode::NOT_FOUND.into_response() };
    crate::metrics::observe(&app).await;
    handle.render().into_response()
}

async fn rebuild(State(app): State<Arc<App>>) -> Response {
    match app.runner.rebuild().await {
        Ok(count) => axum::Json(json!({ "events": count })).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// What the last scrub found; null before the first.
async fn scrubbed(State(app): State<Arc<App>>) -> Response {
    axum::Json(json!(app.scrubbing.last())).into_response()
}

/// Reads every stored record now, as fast as it goes.
async fn scrub_now(State(app): State<Arc<App>>) -> Response {
    match crate::scrub::on_its_own_thread(&app, 100).await {
        Some(finished) => axum::Json(json!(finished)).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn arrive(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = random::id_at(clock::now_us());
    let ip = Peer::caller(request.extensions()).0;
    let headers = request.headers();
    let wish = request.uri().query().and_then(|query| {
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "lang").map(|(_, value)| value.into_owned())
    });
    let cookie = principal::cookie(headers, LANG_COOKIE);
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    let lang = Lang::negotiate(wish.as_deref(), cookie.as_deref(), accept);
    request.extensions_mut().insert(Peer { ip, request_id, lang });
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    if let Some(wish) = wish.as_deref().and_then(Lang::parse) {
        let secure = if app.config.is_https() { "; Secure" } else { "" };
        let cookie = format!("{LANG_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax{secure}", wish.code());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    // Paths can hold secrets (links, passes): the log gets the first segment only.
    let area = path.split('/').find(|s| !s.is_empty()).unwrap_or("").to_owned();
    crate::metrics::count(&method, &area, response.status().as_u16(), started.elapsed());
    tracing::debug!(%request_id, %method, area, status = response.status().as_u16(), "answered");
    response
}

async fn secure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    headers::secure(response.headers_mut(), app.config.is_https());
    response
}

/// Browsers say where a request comes from; one from another site that would change something is refused. Calls with a
/// bearer token are exempt: no browser adds that by itself.
async fn same_site(request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let headers = request.headers();
    if safe || headers.contains_key(header::AUTHORIZATION) || is_same_site(headers) {
        return next.run(request).await;
    }
    Problem::new("request.cross_site").into_response()
}

fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = text("host").unwrap_or("");
            origin.split_once("://").is_some_and(|(_, rest)| rest == host)
        }
        // No browser of today sends neither with a form.
        (None, None) => true,
    }
}

async fn render_problems(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let peer = Peer::at(request.extensions());
    let wants = Wants::of(&request);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let asked = request.uri().path_and_query().filter(|_| reads).map_or("/", |asked| asked.as_str()).to_owned();
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let view = problem_view(&app, &problem, peer);
    let body = match wants {
        Wants::Json => return problem_json(response, &view),
        // Whoever only looked lost nothing that they typed.
        Wants::Page if reads && problem.status == StatusCode::NOT_FOUND => {
            console::problem_page(&app, peer.lang, "not_found", &view)
        }
        Wants::Page if reads => console::problem_page(&app, peer.lang, "problem", &view),
        Wants::Page => console::problem_page(&app, peer.lang, "refused", &view),
        Wants::Fragment => console::problem_page(&app, peer.lang, "partials/errors", &view),
    };
    *response.body_mut() = body.into();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    let elsewhere = match problem.code {
        "access.unauthenticated" => Some(login_page(&asked)),
        "access.second_factor_required" => Some(HeaderValue::from_static("/account")),
        _ => None,
    };
    if let Some(elsewhere) = elsewhere.filter(|_| wants == Wants::Page) {
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, elsewhere);
    }
    response
}

/// The login page that leads on to what was asked for.
fn login_page(asked: &str) -> HeaderValue {
    let next: String = form_urlencoded::byte_serialize(asked.as_bytes()).collect();
    let page = if asked == "/" { "/login".to_owned() } else { format!("/login?next={next}") };
    HeaderValue::from_str(&page).unwrap_or(HeaderValue::from_static("/login"))
}

fn problem_json(mut response: Response, view: &Value) -> Response {
    *response.body_mut() = view.to_string().into();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(header::CONTENT_LENGTH);
    response
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Json,
    Page,
    Fragment,
}

impl Wants {
    fn of(request: &Request) -> Wants {
        let path = request.uri().path();
        let program = path.starts_with("/v1/")
            || path.starts_with("/operator/v1/")
            || path.starts_with("/log/")
            || path == "/openapi.json"
            || oauth::is_for_programs(path);
        match (program, request.headers().contains_key("hx-request")) {
            (true, _) => Wants::Json,
            (false, true) => Wants::Fragment,
            (false, false) => Wants::Page,
        }
    }
}

/// A problem with its texts (RFC 9457).
pub fn problem_view(app: &App, problem: &Problem, peer: Peer) -> Value {
    let key = format!("problem-{}", problem.code.replace(['.', '_'], "-"));
    let text = |suffix: &str| app.texts.get(peer.lang, &format!("{key}{suffix}"), &[]);
    let errors: Vec<Value> = problem.errors.iter().map(|fault| fault_view(fault, &text("-detail"))).collect();
    let mut view = json!({
        "type": format!("/problems/{}", problem.code),
        "title": text(""),
        "status": problem.status.as_u16(),
        "code": problem.code,
        "detail": text("-detail"),
        "instance": peer.request_id,
    });
    if !errors.is_empty() {
        view["errors"] = json!(errors);
    }
    view
}

fn fault_view(fault: &Fault, detail: &str) -> Value {
    let mut view = json!({ "pointer": fault.pointer, "detail": detail });
    if let Some(expected) = &fault.expected {
        view["expected"] = json!(expected);
    }
    view
}

#[cfg(test)]
mod tests;
