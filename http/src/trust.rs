//! How this deployment is kept, for anybody who wants to know: taken from what it runs with, never typed (RN-C33, MN-16,
//! ML-18).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keiin_domain::member::INVITATION_US;
use keiin_domain::password;
use keiin_projections::operator;
use serde_json::{Value, json};

use crate::app::{App, ROOT};
use crate::console::{common, render};
use crate::principal::{self, FRESH_US, Principal};
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session::{ABSOLUTE_US, IDLE_US};
use crate::session_api::{Operation, visiting};
use crate::{ledger, lockout, tls, verification};

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[Operation { public: true, ..Operation::new("get_trust", "GET", "/v1/trust") }];

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/v1/trust", get(get_trust)).route("/trust", get(page))
}

async fn get_trust(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    visiting(&app, &head)?;
    Ok(axum::Json(facts(&app).await?).into_response())
}

async fn page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let call = visiting(&app, &head)?;
    let peer = Peer::of(&head);
    let mut context = common(&app, "/trust", peer, None).await?;
    context["trust"] = facts(&app).await?;
    // Whoever is logged in sees what was verified of their own company; to anybody else it is the same page.
    let reader = principal::authenticate(&app, &head.headers, call.from()).await.ok();
    if let Some(reader) = reader.filter(|reader| reader.may(verification::READ)) {
        context["verification"] = verification::view(&app, reader.ledger);
    }
    render(&app, peer.lang, "trust", &context, StatusCode::OK)
}

async fn facts(app: &App) -> Result<Value, Problem> {
    let seconds = |us: i64| us / 1_000_000;
    let (passwords, limits) = (app.config.passwords, &app.config.limits);
    let (origin, vkey) = ledger::verifier_key(app, ROOT).await?;
    let transport = match (app.config.tls.is_on(), app.config.proxy.trusted.is_empty()) {
        (true, _) => "tls",
        (false, false) => "proxy",
        (false, true) => "loopback",
    };
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "passwords": {
            "hash": "argon2id",
            "memory_kib": passwords.memory_kib,
            "passes": passwords.passes,
            "shortest": password::MIN,
            "longest": password::MAX,
            "common_refused": password::common().count(),
        },
        "guesses": {
            "free": lockout::FREE,
            "longest_wait_s": lockout::LONGEST_S,
            "most": lockout::MOST,
            "a_minute": limits.logins_a_minute,
        },
        "sessions": {
            "idle_s": seconds(IDLE_US),
            "longest_s": seconds(ABSOLUTE_US),
            "fresh_s": seconds(FRESH_US),
            "invitation_s": seconds(INVITATION_US),
        },
        "transport": {
            "by": transport,
            "suites": tls::suites(),
        },
        "at_rest": { "cipher": "AES-256-GCM", "derivation": "HKDF-SHA-256" },
        "ledger": { "hash": "SHA-256", "signature": "Ed25519", "origin": origin, "vkey": vkey },
        "verification": { "every_s": app.config.scrub.every_s },
        "operators": {
            "working": operator::counts(&app.read, &Principal::system(ROOT).who())?,
            "accounts": crate::operator::working(app)?,
            "log_in_by": if app.config.operators.is_on() { "certificate" } else { "nothing" },
            "grant_hours": app.config.operators.grant_hours,
            "review_days": app.config.operators.review_days,
        },
        "limits": {
            "requests_a_minute": limits.requests_a_minute,
            "requests_a_minute_company": limits.requests_a_minute_company,
            "commands_at_once_a_company": limits.commands_at_once_a_company,
            "body": limits.body,
        },
    }))
}
