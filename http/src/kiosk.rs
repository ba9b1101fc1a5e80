//! The kiosk: a page that asks visitors for their code, or who they are, in both languages at once. It sees its own place and
//! one visit at a time. What it cannot send it keeps, and what is refused later the reception hears of.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keiin_domain::command::Command;
use keiin_domain::kiosk::{Kiosk, RecordScanRefusal, Scan};
use keiin_domain::reception::Reception;
use keiin_domain::visit::{ASK_RECEPTION, CheckIn, CheckOut, NOT_SCREENED, Visit, WalkIn};
use keiin_projections::reception::{FlowView, ReceptionView};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{self, Path, PathParams, query_string};
use crate::app::App;
use crate::command::Entry;
use crate::console::{common, fields, nested, redirect, render};
use crate::execute::{Call, Done, by_server};
use crate::locale::Lang;
use crate::principal::{self, KIOSK_COOKIE, Principal, cookie};
use crate::problem::Problem;
use crate::public::{Fields, tenant};
use crate::serve::{Peer, problem_view};
use crate::session_api::{arriving, set_cookie, visiting};
use crate::{headers, random};

/// How long before now a code may have been taken for us to believe the kiosk's clock, microseconds.
const KEPT_AT_MOST_US: i64 = 24 * 3_600 * 1_000_000;

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/kiosk", get(page))
        .route("/kiosk/pair/{secret}", get(pair))
        .route("/kiosk/check_in", post(|s, r| form::<CheckIn>(s, r, "in")))
        .route("/kiosk/check_out", post(|s, r| form::<CheckOut>(s, r, "out")))
        .route("/kiosk/walk_in", post(|s, r| form::<WalkIn>(s, r, "walk_in")))
        .route("/kiosk/hosts", get(|s, h| asked(s, h, "get_kiosk_hosts", None)))
        .route(
            "/kiosk/told/{id}",
            get(|s, Path(path): PathParams, h| asked(s, h, "get_kiosk_notice", path.get("id").cloned())),
        )
        .route("/kiosk/alive", get(alive))
        .route("/kiosk/app.webmanifest", get(manifest))
        .route("/kiosk/worker.js", get(worker))
}

/// The visit after check-in, check-out or a walk-in: of it no more than the visitor needs.
pub async fn seen(app: &App, server: &Principal, done: &Done) -> Result<Value, Problem> {
    let visit = app.represent(server, done.kind, done.id).await?.ok_or_else(Problem::not_found)?;
    let mut answer = json!({ "id": done.id, "status": visit["status"], "location": visit["location"] });
    if let Some(name) = visit["visitor"].get("name") {
        answer["visitor"] = json!({ "name": name });
    }
    if let Some(name) = visit.get("host").and_then(|host| host.get("name")) {
        answer["host"] = json!({ "name": name });
    }
    Ok(answer)
}

async fn page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let peer = Peer::of(&head);
    let mut context = common(&app, "/kiosk", peer, None).await?;
    let view = query_string(head.uri.query().unwrap_or(""))?.remove("view").unwrap_or_default();
    // Other screens come of what a visitor sends.
    let view = if matches!(view.as_str(), "out" | "walk_in") { view } else { String::new() };
    context["params"] = json!({ "view": view });
    let status = match identified(&app, &head).await {
        Ok(principal) => {
            place(&app, &principal, &mut context).await?;
            StatusCode::OK
        }
        Err(_) if cookie(&head.headers, KIOSK_COOKIE).is_none() => StatusCode::OK,
        Err(problem) => {
            context["params"] = json!({ "view": "revoked" });
            problem.status
        }
    };
    show(&app, peer, context, None, status)
}

/// The page in both languages, the visitor's first.
fn show(
    app: &App,
    peer: Peer,
    mut context: Value,
    problem: Option<&Problem>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let mut faces = vec![];
    let order = if peer.lang == Lang::Ja { [Lang::Ja, Lang::En] } else { [Lang::En, Lang::Ja] };
    for lang in order {
        context["lang"] = json!(lang.code());
        if let Some(problem) = problem {
            context["problem"] = problem_view(app, problem, Peer { lang, ..peer });
        }
        let html = app.pages.render("kiosk_face", lang, &context).map_err(|e| Problem::failed(format!("{e:#}")))?;
        let title = app.texts.get(lang, "kiosk-title", &[]);
        faces.push(json!({ "lang": lang.code(), "html": html, "title": title }));
    }
    context["lang"] = json!(peer.lang.code());
    context["faces"] = json!(faces);
    let mut response = render(app, peer.lang, "kiosk", &context, status)?;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(headers::KIOSK_CSP));
    Ok(response)
}

/// Where the kiosk stands, and what is asked there.
async fn place(app: &App, principal: &Principal, context: &mut Value) -> Result<(), Problem> {
    let kiosk = principal::load::<Kiosk>(app, principal.ledger, principal.actor.id).await?;
    let reception = principal::load::<Reception>(app, principal.ledger, principal.ledger).await?;
    let flow: FlowView = ReceptionView::from(reception.state.0).flow;
    context["kiosk"] = json!({ "location": kiosk.location });
    context["tenant"] = tenant(app, principal.ledger).await?;
    context["flow"] = serde_json::to_value(flow).map_err(Problem::failed)?;
    Ok(())
}

/// The kiosk whose cookie this is; a member's login in the same browser does not matter here.
async fn identified(app: &App, head: &Parts) -> Result<Principal, Problem> {
    let mut headers = HeaderMap::new();
    let secret = cookie(&head.headers, KIOSK_COOKIE).ok_or_else(|| Problem::new("access.unauthenticated"))?;
    let bearer = format!("Bearer {secret}").parse().map_err(|_| Problem::new("access.unauthenticated"))?;
    headers.insert(axum::http::header::AUTHORIZATION, bearer);
    principal::authenticate(app, &headers, None).await
}

async fn pair(State(app): State<Arc<App>>, Path(secret): Path<String>, head: Parts) -> Result<Response, Problem> {
    arriving(&app, &head)?;
    if random::kind_of(&secret) != Some("kio") || app.vault.get("kio", &random::hash(&secret))?.is_none() {
        return Err(Problem::not_found());
    }
    let mut response = redirect("/kiosk", false);
    set_cookie(&app, &mut response, KIOSK_COOKIE, &secret, 365 * 86_400);
    Ok(response)
}

/// What a visitor sends. A check-in is sent with the code alone first: what the reception asks beside it is shown once the
/// code was found good, and is no refusal.
async fn form<C: Command>(
    State(app): State<Arc<App>>,
    request: Request,
    what: &'static str,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let peer = Peer::of(&head);
    let call = visiting(&app, &head)?;
    let mut context = common(&app, "/kiosk", peer, None).await?;
    let principal = match identified(&app, &head).await {
        Ok(principal) => principal,
        Err(problem) => {
            context["params"] = json!({ "view": "revoked" });
            return show(&app, peer, context, None, problem.status);
        }
    };
    place(&app, &principal, &mut context).await?;
    let values = fields(&app, &head, body).await?;
    let outcome = match nested(&values) {
        Ok(body) => sent::<C>(&app, &principal, call, &values, body).await,
        Err(problem) => Err(problem),
    };
    let values: Fields = values.into_iter().collect();
    match outcome {
        Ok(visit) => {
            if let Some(id) = visit["id"].as_str().and_then(|id| Uuid::parse_str(id).ok()).filter(|_| what == "walk_in")
            {
                // Whoever came without an appointment has no pass: the code for leaving is shown here.
                let visit = principal::load::<Visit>(&app, principal.ledger, id).await?;
                context["passcode"] = json!(visit.codes.last().map_or("", |code| &code.passcode));
            }
            context["visit"] = visit;
            context["params"] = json!({ "view": format!("done_{what}") });
            show(&app, peer, context, None, StatusCode::OK)
        }
        Err(problem) => {
            let asks = what == "in" && is_about_answers(&problem);
            let view = if asks {
                "ask"
            } else if is_told(&problem) {
                "wait"
            } else {
                what
            };
            context["params"] = if view == "in" { json!({}) } else { json!({ "view": view }) };
            let is_news = !asks || values.contains_key("_asked");
            context["values"] = json!(values);
            show(&app, peer, context, Some(&problem).filter(|_| is_news), problem.status)
        }
    }
}

/// Does somebody have to answer, and not to come another time?
fn is_about_answers(problem: &Problem) -> bool {
    problem.errors.iter().any(|fault| fault.pointer.starts_with("/answers/") || fault.pointer == "/consent")
}

async fn sent<C: Command>(
    app: &App,
    principal: &Principal,
    call: Call,
    values: &[(String, String)],
    body: Value,
) -> Result<Value, Problem> {
    let hidden = |name: &str| values.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let key = hidden("_key").filter(|key| (1..=255).contains(&key.len())).map(str::to_owned);
    let taken_at_us = hidden("_since").and_then(|since| since.parse::<i64>().ok()?.checked_mul(1_000));
    // A kiosk's clock is believed within a day: what it took later or before has no other time than now.
    let taken_at_us = taken_at_us.filter(|at| (call.now_us - KEPT_AT_MOST_US..=call.now_us).contains(at));
    let call = Call { key, occurred_at_us: taken_at_us, ..call };
    let kept = hidden("_since").map(|_| taken_at_us.unwrap_or(call.now_us));
    match api::run(app, &Entry::of::<C>(), principal, call.clone(), body).await {
        Ok(response) => {
            let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.map_err(Problem::failed)?;
            serde_json::from_slice(&bytes).map_err(Problem::failed)
        }
        Err(problem) => {
            if let Some((taken_at_us, scan)) =
                kept.zip(Scan::from_name(C::NAME)).filter(|_| is_final(&problem) && !is_told(&problem))
            {
                let code = hidden("code").unwrap_or("").to_owned();
                let refusal = RecordScanRefusal { code, scan, refusal: problem.code.into(), taken_at_us };
                // Sent again after an answer that was lost, it is the same refusal.
                let key = call.key.as_ref().map(|key| format!("refused {key}"));
                let call = Call { key, request_hash: [0; 32], occurred_at_us: None, ..call };
                by_server(app, principal, refusal, &call).await?;
            }
            Err(problem)
        }
    }
}

/// Will it be refused again, however often it is sent?
fn is_final(problem: &Problem) -> bool {
    problem.status.is_client_error() && !matches!(problem.status.as_u16(), 401 | 429)
}

/// Does the reception know already that somebody waits, by the visit itself?
fn is_told(problem: &Problem) -> bool {
    [ASK_RECEPTION, NOT_SCREENED].contains(&problem.code)
}

/// A question of the page.
async fn asked(
    State(app): State<Arc<App>>,
    head: Parts,
    query: &'static str,
    id: Option<String>,
) -> Result<Response, Problem> {
    let call = visiting(&app, &head)?;
    let Some(principal) = still(&app, &head).await? else { return Ok(StatusCode::UNAUTHORIZED.into_response()) };
    let mut params = query_string(head.uri.query().unwrap_or(""))?;
    params.extend(id.map(|id| ("id".to_owned(), id)));
    Ok(axum::Json(app.queries.run(&app, &principal, query, params, &call).await?).into_response())
}

/// May this device still do anything? A kiosk asks every now and then, and says so on its screen.
async fn alive(State(app): State<Arc<App>>, head: Parts) -> Result<StatusCode, Problem> {
    visiting(&app, &head)?;
    let still = still(&app, &head).await?;
    Ok(still.map_or(StatusCode::UNAUTHORIZED, |_| StatusCode::NO_CONTENT))
}

/// The kiosk, as long as it is one. A script that asks wants no login page.
async fn still(app: &App, head: &Parts) -> Result<Option<Principal>, Problem> {
    match identified(app, head).await {
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => Ok(None),
        other => other.map(Some),
    }
}

/// What makes the page an app on a tablet: <https://www.w3.org/TR/appmanifest/>.
async fn manifest(State(app): State<Arc<App>>, head: Parts) -> Response {
    let lang = Peer::of(&head).lang;
    let text = |key| app.texts.get(lang, key, &[]);
    let icon = |name: &str, sizes: &str, purpose: &str| json!({ "src": app.assets.path(name), "sizes": sizes, "type": "image/png", "purpose": purpose });
    let manifest = json!({
        "id": "/kiosk", "start_url": "/kiosk", "scope": "/kiosk", "display": "fullscreen",
        "name": text("kiosk-app"), "short_name": text("kiosk-title"), "lang": lang.code(),
        "background_color": "#f3f3ee", "theme_color": "#f3f3ee",
        "icons": [
            icon("kiosk_192.png", "192x192", "any"), icon("kiosk_512.png", "512x512", "any"),
            icon("kiosk_512.png", "512x512", "maskable"),
        ],
    });
    ([(CONTENT_TYPE, "application/manifest+json")], manifest.to_string()).into_response()
}

/// The service worker. It has no hash in its name, because browsers look for a new one under the old name.
async fn worker(State(app): State<Arc<App>>) -> Response {
    let path = app.assets.path("kiosk_worker.js").and_then(|path| path.strip_prefix("/assets/")).unwrap_or("");
    let mut response = app.assets.serve(path);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("service-worker-allowed"), HeaderValue::from_static("/kiosk"));
    response
}
