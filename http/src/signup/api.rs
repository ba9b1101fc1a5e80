//! Sign-up for programs. The secret that the first answer holds stands in the path of every further request.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keiin_domain::sign_up::{AcceptFirstTerms, RequestSignUp, VerifyEmailCode};
use keiin_domain::terms::AcceptTerms;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{NewTenant, accept, holder, pay, provision, renew, request, standing, verify};
use crate::api::{POSITION, PathParams, read_body};
use crate::app::App;
use crate::execute::Call;
use crate::json;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::session_api::{Operation, arriving, set_session};

const fn public(name: &'static str, method: &'static str, path: &'static str) -> Operation {
    Operation { public: true, ..Operation::new(name, method, path) }
}

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation { status: 201, ..public("request_sign_up", "POST", "/v1/sign_ups") },
    public("get_sign_up", "GET", "/v1/sign_ups/{token}"),
    public("renew_email_code", "POST", "/v1/sign_ups/{token}/code"),
    public("verify_email_code", "POST", "/v1/sign_ups/{token}/verify"),
    public("accept_first_terms", "POST", "/v1/sign_ups/{token}/terms"),
    public("begin_payment", "POST", "/v1/sign_ups/{token}/payment"),
    Operation { status: 201, ..public("provision_tenant", "POST", "/v1/sign_ups/{token}/tenant") },
];

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/sign_ups", post(post_request))
        .route("/v1/sign_ups/{token}", get(get_standing))
        .route("/v1/sign_ups/{token}/code", post(post_renew))
        .route("/v1/sign_ups/{token}/verify", post(post_verify))
        .route("/v1/sign_ups/{token}/terms", post(post_terms))
        .route("/v1/sign_ups/{token}/payment", post(post_payment))
        .route("/v1/sign_ups/{token}/tenant", post(post_tenant))
}

/// Whose sign-up a request is about, and what comes with it. A secret is looked at before the body is read.
fn arrived(app: &App, path: &PathParams, head: &Parts) -> Result<(Principal, Call), Problem> {
    let call = arriving(app, head)?;
    let secret = path.0.get("token").map_or("", String::as_str);
    Ok((holder(app, secret)?, call))
}

async fn body<T: DeserializeOwned>(app: &App, head: &Parts, body: axum::body::Body) -> Result<T, Problem> {
    json::read(&read_body(app, head, body).await?)
}

async fn shown(app: &App, holder: &Principal, call: &Call) -> Result<Response, Problem> {
    Ok(axum::Json(standing(app, holder, call).await?.view(app)).into_response())
}

async fn post_request(State(app): State<Arc<App>>, asked: Request) -> Result<Response, Problem> {
    let (head, content) = asked.into_parts();
    let call = arriving(&app, &head)?;
    let form: RequestSignUp = body(&app, &head, content).await?;
    let secret = request(&app, &form.email, &call).await?;
    let mut view = standing(&app, &holder(&app, &secret)?, &call).await?.view(&app);
    view["secret"] = json!(secret);
    Ok((StatusCode::CREATED, axum::Json(view)).into_response())
}

async fn get_standing(State(app): State<Arc<App>>, path: PathParams, head: Parts) -> Result<Response, Problem> {
    let (holder, call) = arrived(&app, &path, &head)?;
    shown(&app, &holder, &call).await
}

async fn post_renew(State(app): State<Arc<App>>, path: PathParams, asked: Request) -> Result<Response, Problem> {
    let (head, content) = asked.into_parts();
    let (holder, call) = arrived(&app, &path, &head)?;
    json::strict_or_empty(&read_body(&app, &head, content).await?)?;
    renew(&app, &holder, &call).await?;
    shown(&app, &holder, &call).await
}

async fn post_verify(State(app): State<Arc<App>>, path: PathParams, asked: Request) -> Result<Response, Problem> {
    let (head, content) = asked.into_parts();
    let (holder, call) = arrived(&app, &path, &head)?;
    let form: VerifyEmailCode = body(&app, &head, content).await?;
    verify(&app, &holder, &form.code, &call).await?;
    shown(&app, &holder, &call).await
}

async fn post_terms(State(app): State<Arc<App>>, path: PathParams, asked: Request) -> Result<Response, Problem> {
    let (head, content) = asked.into_parts();
    let (holder, call) = arrived(&app, &path, &head)?;
    let AcceptFirstTerms { terms, privacy } = body(&app, &head, content).await?;
    accept(&app, &holder, AcceptTerms { terms, privacy }, &call).await?;
    shown(&app, &holder, &call).await
}

async fn post_payment(State(app): State<Arc<App>>, path: PathParams, asked: Request) -> Result<Response, Problem> {
    let (head, content) = asked.into_parts();
    let (holder, call) = arrived(&app, &path, &head)?;
    json::strict_or_empty(&read_body(&app, &head, content).await?)?;
    let url = pay(&app, &holder, &call).await?;
    let mut view = standing(&app, &holder, &call).await?.view(&app);
    if let Some(url) = url {
        view["payment_url"] = json!(url);
    }
    Ok(axum::Json(view).into_response())
}

async fn post_tenant(State(app): State<Arc<App>>, path: PathParams, asked: Request) -> Result<Response, Problem> {
    let (head, content) = asked.into_parts();
    let (holder, call) = arrived(&app, &path, &head)?;
    let form: NewTenant = body(&app, &head, content).await?;
    let (logged_in, last) = provision(&app, &holder, form, &call).await?;
    let ledger = logged_in.principal.ledger;
    let view = app.represent(&Principal::system(ledger), "tenant", ledger).await?;
    let view = view.unwrap_or_else(|| json!({ "id": ledger }));
    let mut response = (StatusCode::CREATED, axum::Json(view)).into_response();
    response.headers_mut().insert(POSITION, last.into());
    set_session(&app, &mut response, &logged_in);
    Ok(response)
}
