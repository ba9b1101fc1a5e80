//! Pages around codes by SMS. Each says where the code went, or why none did; what was typed stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

use super::api::{enrol, enrolling, recovery_codes, to_confirm, to_enrol, to_log_in};
use crate::api::identify;
use crate::app::App;
use crate::console::{common, redirect, render};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::public::form;
use crate::serve::{Peer, problem_view};
use crate::session::{self, LoggedIn};
use crate::session_api::{arriving, me, set_session};

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/login/sms", post(log_in))
        .route("/confirm/sms", post(confirm))
        .route("/account/phone", post(begin))
        .route("/account/phone/code", post(finish))
}

/// A page with what came of sending a code: `texted`, or the problem and the seconds to wait.
async fn page(
    app: &App,
    head: &Parts,
    (template, principal): (&str, Option<&Principal>),
    values: &BTreeMap<String, String>,
    (name, came): (&str, Result<Value, Problem>),
) -> Result<Response, Problem> {
    let peer = Peer::of(head);
    let mut context = common(app, head.uri.path(), peer, principal).await?;
    context["values"] = json!(values);
    let status = match came {
        Ok(value) => {
            context[name] = value;
            StatusCode::OK
        }
        Err(problem) => {
            context["problem"] = problem_view(app, &problem, peer);
            if problem.code == "access.sms_limit" {
                context["wait_s"] = json!(problem.retry_after.unwrap_or(1));
            }
            problem.status
        }
    };
    render(app, peer.lang, template, &context, status)
}

async fn log_in(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let call = arriving(&app, &head)?;
    let values = form(&app, &head, body).await?;
    let pending = values.get("pending").map_or("", String::as_str);
    let sent = to_log_in(&app, pending, Peer::of(&head), &call).await;
    page(&app, &head, ("login_code", None), &values, ("texted", sent)).await
}

async fn confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "send_confirm_code").await?;
    let mut values = form(&app, &head, body).await?;
    let sent = to_confirm(&app, &head, &principal, &call).await;
    let me = me(&app, &principal).await?;
    for name in ["second_factor", "passkeys", "phone"] {
        values.insert(name.into(), me[name].to_string());
    }
    page(&app, &head, ("confirm", None), &values, ("texted", sent)).await
}

/// Sends a code to a new phone. The form may bring along what shows that it is still them, as forms under `/do` do.
async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (mut principal, call, mut secret) = enrolling(&app, &head, "begin_phone").await?;
    let mut values = form(&app, &head, body).await?;
    let proof = values.remove("_proof").filter(|proof| !proof.is_empty());
    let is_new = proof.is_some();
    if let Some(proof) = proof {
        secret = session::confirm(&app, &secret, &principal, &proof, &call).await?;
        principal.confirmed_us = Some(call.now_us);
    }
    let number = values.get("number").map_or("", String::as_str);
    let sent = to_enrol(&app, &principal, &secret, number, Peer::of(&head), &call).await;
    let mut response = page(&app, &head, ("account_phone", Some(&principal)), &values, ("texted", sent)).await?;
    if is_new {
        set_session(&app, &mut response, &LoggedIn { secret, principal, device: None });
    }
    Ok(response)
}

async fn finish(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call, secret) = enrolling(&app, &head, "register_phone").await?;
    let values = form(&app, &head, body).await?;
    let code = values.get("code").map_or("", String::as_str);
    let codes = match enrol(&app, &principal, &secret, code, &call).await {
        Ok(done) if done.secrets.is_empty() => return Ok(redirect("/account?done=phone-on", false)),
        Ok(done) => Ok(recovery_codes(&done)),
        Err(problem) => Err(problem),
    };
    page(&app, &head, ("account_phone", Some(&principal)), &values, ("recovery_codes", codes)).await
}
