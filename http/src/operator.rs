//! The operators' plane, on the operators' port alone: who runs the deployment, what they ask companies for, and what they
//! look at. No route of the customers' port leads here (EL-42).
//!
//! An operator is known by the client certificate of the connection and by nothing else: there is no password, no cookie
//! and no token (RN-C50, FM-06). The certificate must come from the deployment's authority, which TLS checks, and belong to
//! an account that works, which the root ledger is asked at every request.

pub mod act;
pub mod look;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keiin_domain::command::On;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::grant::Purpose;
use keiin_domain::operator::{Certificate, Operator, OperatorKind, certificate_stream};
use keiin_domain::role::{Permission, Role};
use keiin_projections::operator::{OperatorView, WorkingView};
use keiin_projections::{grant, operator};
use serde_json::{Value, json};

use crate::api::{Path, query_string, read_body};
use crate::app::{App, ROOT};
use crate::execute::Call;
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::serve::Peer;
use crate::world::Minted;
use crate::{clock, console, denial, json as strict, random};

/// Sees operators and grants.
const READ: Permission = Permission("operator.read");
/// Grants that the plane shows.
const SHOWN: usize = 200;
const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// Its routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/assets/{name}", get(asset))
        .route("/operator", get(page))
        .route("/operator/v1/plane", get(plane))
        .route("/operator/v1/companies/{company}/{*path}", get(look::look).post(command))
        .route("/operator/v1/{*path}", post(command))
        .route("/operator/do/{*path}", post(form))
}

/// Only the networks that the settings name are answered (MN-03); whether the process lives may be asked from anywhere.
pub async fn from_our_networks(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let open = matches!(request.uri().path(), "/livez" | "/readyz");
    let from = Peer::caller(request.extensions()).0;
    if open || app.config.operators.lets_in(from) {
        return next.run(request).await;
    }
    tracing::warn!(%from, "the operators' port was asked from a network that is not named");
    (StatusCode::FORBIDDEN, "not from here\n").into_response()
}

/// Where operators have accounts, only they set the server to work (`POST /rebuild`, `POST /scrub`); figures are for machines
/// too.
pub async fn maintains(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !app.config.operators.is_on() || *request.method() != Method::POST {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    match authenticate(&app, &head, "maintain").await {
        Ok(_) => next.run(Request::from_parts(head, body)).await,
        Err(problem) => (problem.status, format!("{}\n", problem.code)).into_response(),
    }
}

/// Who logged in by the connection's certificate.
#[derive(Clone, Debug)]
pub struct Operating {
    /// In the root ledger.
    pub principal: Principal,
    /// What they do.
    pub kind: OperatorKind,
    /// What came with the request.
    pub call: Call,
}

impl Operating {
    /// The same operator in a company's ledger.
    pub fn within(&self, ledger: uuid::Uuid, role: Role) -> Principal {
        Principal::new(ledger, Actor { role, ..self.principal.actor })
    }

    /// Their name, for the company that they ask.
    pub fn name(&self, app: &App) -> Result<String, Problem> {
        let own = accounts(app, &self.principal)?.into_iter().find(|account| account.id == self.principal.actor.id);
        Ok(own.and_then(|account| account.name).unwrap_or_default())
    }
}

/// Asks the root ledger whose certificate it is, and whether their account works.
pub async fn authenticate(app: &App, head: &Parts, operation: &str) -> Result<Operating, Problem> {
    let peer = Peer::of(head);
    let origin = principal::origin(app, peer.ip, &head.headers);
    let now_us = clock::now_us();
    let call = Call { request_id: Some(peer.request_id), origin: Some(origin), now_us, ..Call::default() };
    let refused = || Problem::new("access.certificate");
    let found = match Peer::caller(&head.extensions).1 {
        None => None,
        Some(certificate) => {
            let mut world = Minted::new(app, ROOT, now_us);
            let stream = certificate_stream(&certificate, &mut world);
            world.check()?;
            let held: On<Certificate> = principal::load(app, ROOT, stream).await?;
            match held.operator {
                None => None,
                Some(id) => {
                    let account: On<Operator> = principal::load(app, ROOT, id).await?;
                    let kind = account.kind.filter(|_| account.works() && account.certificate == certificate);
                    kind.map(|kind| (id, kind))
                }
            }
        }
    };
    let Some((id, kind)) = found else {
        app.limiter.request(format!("address {}", peer.ip))?;
        denial::denied_stranger(app, operation, &call).await;
        return Err(refused());
    };
    app.limiter.request(format!("{ROOT} {id}"))?;
    let actor = Actor::new(actor_kind::OPERATOR, id, Role::Operator);
    Ok(Operating { principal: Principal::new(ROOT, actor), kind, call })
}

/// All accounts.
fn accounts(app: &App, principal: &Principal) -> Result<Vec<OperatorView>, Problem> {
    Ok(operator::list(&app.read, &principal.who(), review_due_before_us(app))?)
}

/// An account that nobody reviewed since then is due.
fn review_due_before_us(app: &App) -> i64 {
    clock::now_us() - i64::from(app.config.operators.review_days) * DAY_US
}

/// Who runs the deployment, as anybody may know it: what they do, since when, and when that was last looked at (MN-04).
pub fn working(app: &App) -> Result<Vec<WorkingView>, Problem> {
    Ok(operator::working(&app.read, &Principal::system(ROOT).who(), review_due_before_us(app))?)
}

/// How many reviews are due: accounts, and grants that are over. For the figures.
pub fn reviews_due(app: &App) -> Result<usize, Problem> {
    let accounts = accounts(app, &Principal::system(ROOT))?;
    let grants = grant::of_all(&app.read, clock::now_us(), usize::MAX >> 1)?;
    Ok(accounts.iter().filter(|a| a.review_due).count() + grants.iter().filter(|g| g.is_unreviewed()).count())
}

/// What the plane shows: accounts, grants with those that wait for a sign-off, and how many there were by purpose.
fn shown(app: &App, operating: &Operating) -> Result<Value, Problem> {
    operating.principal.check(READ)?;
    let grants = grant::of_all(&app.read, clock::now_us(), SHOWN)?;
    let unreviewed: Vec<_> = grants.iter().filter(|grant| grant.is_unreviewed()).map(|grant| grant.id).collect();
    // Every code, also those that nobody ever used.
    let counted = grant::purposes(&app.read)?;
    let purposes: BTreeMap<&str, u64> =
        Purpose::ALL.iter().map(|p| (p.name(), counted.get(p.name()).copied().unwrap_or(0))).collect();
    Ok(json!({
        "me": { "id": operating.principal.actor.id, "kind": operating.kind, "name": operating.name(app)? },
        "operators": accounts(app, &operating.principal)?,
        "grants": grants,
        "unreviewed": unreviewed,
        "purposes": purposes,
        "grant_hours": app.config.operators.grant_hours,
    }))
}

async fn asset(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    app.assets.serve(&name)
}

async fn plane(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let operating = authenticate(&app, &head, "get_plane").await?;
    Ok(axum::Json(shown(&app, &operating)?).into_response())
}

async fn page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let operating = authenticate(&app, &head, "get_plane").await?;
    let peer = Peer::of(&head);
    let mut context = console::common(&app, head.uri.path(), peer, None).await?;
    context["plane"] = shown(&app, &operating)?;
    context["params"] = json!(query_string(head.uri.query().unwrap_or(""))?);
    context["purposes"] = json!(Purpose::ALL.iter().map(|purpose| purpose.name()).collect::<Vec<_>>());
    context["operator_kinds"] = json!(OperatorKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>());
    console::render(&app, peer.lang, "operator", &context, StatusCode::OK)
}

/// A command as JSON: `POST /operator/v1/…`.
async fn command(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let operating = authenticate(&app, &head, "operate").await?;
    let path = head.uri.path().strip_prefix("/operator/v1/").unwrap_or_default().to_owned();
    let key = head.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let body = strict::strict_or_empty(&read_body(&app, &head, body).await?)?;
    let done = act::run(&app, &operating, &path, key, body).await?;
    Ok(axum::Json(done).into_response())
}

/// The same from a form: `POST /operator/do/…`, and back to the plane.
async fn form(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body): (Parts, Body) = request.into_parts();
    let operating = authenticate(&app, &head, "operate").await?;
    let path = head.uri.path().strip_prefix("/operator/do/").unwrap_or_default().to_owned();
    let fields = console::fields(&app, &head, body).await?;
    let key = fields.iter().find(|(name, _)| name == "_key").map(|(_, key)| key.clone());
    act::run(&app, &operating, &path, key.or_else(|| Some(random::secret("key"))), console::nested(&fields)?).await?;
    Ok(console::redirect("/operator?done=recorded", head.headers.contains_key("hx-request")))
}
