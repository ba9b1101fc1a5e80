//! Operations around passkeys: log in by one, confirm by one, add one. Each is two requests, with the authenticator's answer
//! in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use keiin_domain::command::Command;
use keiin_domain::factor::passkey::AddPasskey;
use keiin_domain::session::Proof;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::api::{POSITION, identify, read_body};
use crate::app::App;
use crate::execute::Call;
use crate::passkey::{self, NewPasskey};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::session::{self, LoggedIn};
use crate::session_api::{Operation, arriving, created, me, own_secret, set_session};
use crate::{denial, json, random};

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation { public: true, ..Operation::new("begin_passkey", "POST", "/v1/sessions/passkey/begin") },
    Operation { public: true, status: 201, ..Operation::new("log_in_by_passkey", "POST", "/v1/sessions/passkey") },
    Operation::new("confirm_by_passkey", "POST", "/v1/me/confirm/passkey"),
    Operation {
        permission: Some(AddPasskey::PERMISSION),
        ..Operation::new("begin_new_passkey", "POST", "/v1/me/passkeys/begin")
    },
    Operation {
        permission: Some(AddPasskey::PERMISSION),
        status: 201,
        ..Operation::new("register_passkey", "POST", "/v1/me/passkeys")
    },
];

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/sessions/passkey/begin", post(begin))
        .route("/v1/sessions/passkey", post(log_in))
        .route("/v1/me/confirm/passkey", post(confirm))
        .route("/v1/me/passkeys/begin", post(begin_new))
        .route("/v1/me/passkeys", post(register))
}

/// What a passkey shows.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyLogin {
    /// What the first request was answered with.
    pub ceremony: String,
    /// What the browser answered, as JSON (`PublicKeyCredential.toJSON()`).
    #[schema(value_type = Object)]
    pub credential: Map<String, Value>,
    /// Of a login that waits for its second step; empty = the passkey alone logs in.
    #[serde(default)]
    pub pending: String,
}

/// The same for somebody who is logged in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyProof {
    /// What the first request was answered with.
    pub ceremony: String,
    /// What the browser answered, as JSON (`PublicKeyCredential.toJSON()`).
    #[schema(value_type = Object)]
    pub credential: Map<String, Value>,
}

async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let call = arriving(&app, &head)?;
    json::strict_or_empty(&read_body(&app, &head, body).await?)?;
    Ok(axum::Json(passkey::begin_proving(&app, &call)?).into_response())
}

async fn log_in(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let call = arriving(&app, &head)?;
    let form: PasskeyLogin = json::read(&read_body(&app, &head, body).await?)?;
    // Before the challenge is used up.
    if !form.pending.is_empty() && random::kind_of(&form.pending) != Some("pnd") {
        return Err(Problem::at("access.gone", "/pending"));
    }
    let proven = passkey::prove(&app, &form.ceremony, form.credential, &call).await?;
    created(&app, &session::ways::by_passkey(&app, proven, &form.pending, &call).await?).await
}

async fn confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "confirm_by_passkey").await?;
    let secret = own_secret(&app, &head, &principal)?;
    let form: PasskeyProof = json::read(&read_body(&app, &head, body).await?)?;
    app.limiter.guess(format!("code {}", principal.actor.id))?;
    let proven = passkey::prove(&app, &form.ceremony, form.credential, &call).await?;
    if (proven.ledger, Some(proven.subject)) != (principal.ledger, principal.member) {
        return Err(Problem::at("access.wrong_passkey", "/credential"));
    }
    let secret = session::confirmed(&app, &secret, &principal, Proof::Passkey, &call).await?;
    let principal = Principal { confirmed_us: Some(call.now_us), must_enrol: false, ..principal };
    let mut response = axum::Json(me(&app, &principal).await?).into_response();
    set_session(&app, &mut response, &LoggedIn { secret, principal, device: None });
    Ok(response)
}

/// Who may add one: whoever logged in, for themselves.
async fn adding(app: &App, head: &Parts, operation: &str) -> Result<(Principal, Call), Problem> {
    let (principal, call) = identify(app, &BTreeMap::new(), head, operation).await?;
    if let Err(problem) = principal.allow::<AddPasskey>() {
        denial::denied(app, &principal, operation, &call).await;
        return Err(problem);
    }
    own_secret(app, head, &principal)?;
    Ok((principal, call))
}

async fn begin_new(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = adding(&app, &head, "begin_new_passkey").await?;
    json::strict_or_empty(&read_body(&app, &head, body).await?)?;
    // Asked now, so that nobody touches their key in vain.
    if !principal.is_fresh(call.now_us) {
        return Err(Problem::new("access.confirm_first"));
    }
    let me = me(&app, &principal).await?;
    let name = |field: &str| me[field].as_str().filter(|text| !text.is_empty()).unwrap_or("member");
    let subject = principal.member.unwrap_or(principal.actor.id);
    let begun = passkey::begin_making(&app, principal.ledger, subject, (name("email"), name("name")), &call)?;
    Ok(axum::Json(begun).into_response())
}

async fn register(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = adding(&app, &head, "register_passkey").await?;
    let made: NewPasskey = json::read(&read_body(&app, &head, body).await?)?;
    let subject = principal.member.unwrap_or(principal.actor.id);
    let done = passkey::finish_making(&app, &principal.allow::<AddPasskey>()?, subject, made, &call).await?;
    let codes: Vec<&String> = done.secrets.iter().map(|(_, text)| text).collect();
    let mut answer = json!({ "id": done.id });
    if !codes.is_empty() {
        answer["recovery_codes"] = json!(codes);
    }
    let mut response = (StatusCode::CREATED, axum::Json(answer)).into_response();
    if let Some(span) = done.span {
        app.wait(principal.ledger, span.last).await?;
        response.headers_mut().insert(POSITION, span.last.into());
    }
    Ok(response)
}
