//! Operations around codes by SMS: have one sent to log in or to confirm, enrol a phone.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use keiin_domain::command::Command;
use keiin_domain::factor::phone::EnrolPhone;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Asked, plain, take};
use crate::api::{POSITION, identify, read_body};
use crate::app::App;
use crate::execute::{Call, Done, execute};
use crate::lockout::Target;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session::{TenantMember, whose_pending};
use crate::session_api::{Operation, arriving, own_secret};
use crate::{denial, json};

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation { public: true, status: 202, ..Operation::new("send_login_code", "POST", "/v1/sessions/sms") },
    Operation { status: 202, ..Operation::new("send_confirm_code", "POST", "/v1/me/confirm/sms") },
    Operation { permission: ENROL, status: 202, ..Operation::new("begin_phone", "POST", "/v1/me/phone/begin") },
    Operation { permission: ENROL, status: 201, ..Operation::new("register_phone", "POST", "/v1/me/phone") },
];

const ENROL: Option<keiin_domain::role::Permission> = Some(EnrolPhone::PERMISSION);

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/sessions/sms", post(log_in))
        .route("/v1/me/confirm/sms", post(confirm))
        .route("/v1/me/phone/begin", post(begin))
        .route("/v1/me/phone", post(register))
}

/// A login that waits for its second step.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitingLogin {
    /// What the first step answered with.
    pub pending: String,
}

/// A phone to enrol.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPhone {
    /// `+819012345678`, or as it is dialled in Japan.
    pub number: String,
}

/// What was sent to it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneCode {
    /// Six digits.
    pub code: String,
}

fn accepted(sent: Value) -> Response {
    (StatusCode::ACCEPTED, axum::Json(sent)).into_response()
}

async fn log_in(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let call = arriving(&app, &head)?;
    let form: WaitingLogin = json::read(&read_body(&app, &head, body).await?)?;
    Ok(accepted(to_log_in(&app, &form.pending, Peer::of(&head), &call).await?))
}

/// Sends a code for a login that waits.
pub async fn to_log_in(app: &App, pending: &str, peer: Peer, call: &Call) -> Result<Value, Problem> {
    let who = whose_pending(app, pending, call).await?;
    super::send(app, Asked { who, secret: pending, new: None, lang: peer.lang }, call).await
}

async fn confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "send_confirm_code").await?;
    own_secret(&app, &head, &principal)?;
    json::strict_or_empty(&read_body(&app, &head, body).await?)?;
    Ok(accepted(to_confirm(&app, &head, &principal, &call).await?))
}

/// Sends a code to whoever is logged in.
pub async fn to_confirm(app: &App, head: &Parts, principal: &Principal, call: &Call) -> Result<Value, Problem> {
    let secret = own_secret(app, head, principal)?;
    let asked = Asked { who: person(principal)?, secret: &secret, new: None, lang: Peer::of(head).lang };
    super::send(app, asked, call).await
}

fn person(principal: &Principal) -> Result<TenantMember, Problem> {
    let member = principal.member.ok_or_else(|| Problem::new("access.forbidden"))?;
    Ok(TenantMember { ledger: principal.ledger, member, passwords: 0 })
}

/// Who may enrol one: whoever logged in, for themselves.
pub async fn enrolling(app: &App, head: &Parts, operation: &str) -> Result<(Principal, Call, String), Problem> {
    let (principal, call) = identify(app, &BTreeMap::new(), head, operation).await?;
    if let Err(problem) = principal.allow::<EnrolPhone>() {
        denial::denied(app, &principal, operation, &call).await;
        return Err(problem);
    }
    let secret = own_secret(app, head, &principal)?;
    Ok((principal, call, secret))
}

async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call, secret) = enrolling(&app, &head, "begin_phone").await?;
    let form: NewPhone = json::read(&read_body(&app, &head, body).await?)?;
    Ok(accepted(to_enrol(&app, &principal, &secret, &form.number, Peer::of(&head), &call).await?))
}

/// Sends a code to a phone that is to be enrolled, for somebody who is certainly there.
pub async fn to_enrol(
    app: &App,
    principal: &Principal,
    secret: &str,
    number: &str,
    peer: Peer,
    call: &Call,
) -> Result<Value, Problem> {
    if !principal.is_fresh(call.now_us) {
        return Err(Problem::new("access.confirm_first"));
    }
    super::send(app, Asked { who: person(principal)?, secret, new: Some(number), lang: peer.lang }, call).await
}

async fn register(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call, secret) = enrolling(&app, &head, "register_phone").await?;
    let form: PhoneCode = json::read(&read_body(&app, &head, body).await?)?;
    let done = enrol(&app, &principal, &secret, &form.code, &call).await?;
    let mut answer = json!({});
    if !done.secrets.is_empty() {
        answer["recovery_codes"] = recovery_codes(&done);
    }
    let mut response = (StatusCode::CREATED, axum::Json(answer)).into_response();
    if let Some(span) = done.span {
        response.headers_mut().insert(POSITION, span.last.into());
    }
    Ok(response)
}

/// The recovery codes that came with it; none where there were some already.
pub fn recovery_codes(done: &Done) -> Value {
    json!(done.secrets.iter().map(|(_, text)| text).collect::<Vec<_>>())
}

/// Enrols the phone that the code was sent to.
pub async fn enrol(app: &App, principal: &Principal, secret: &str, code: &str, call: &Call) -> Result<Done, Problem> {
    let who = person(principal)?;
    // Said before the code is used up.
    if !principal.is_fresh(call.now_us) {
        return Err(Problem::new("access.confirm_first"));
    }
    let guess = Target::proof(who.ledger, who.member);
    guess.guess(app, call.now_us)?;
    let asked = Asked { who, secret, new: Some(""), lang: crate::locale::Lang::En };
    let kept = take(app, asked, code, call.now_us)?.ok_or_else(|| Problem::at("factor.wrong_code", "/code"))?;
    guess.forget(app)?;
    let command = EnrolPhone { member_id: who.member, code_id: kept.id, number: kept.number };
    let done = execute(app, &principal.allow::<EnrolPhone>()?, command, &plain(call)).await?;
    if let Some(span) = &done.span {
        app.wait(who.ledger, span.last).await?;
    }
    Ok(done)
}
