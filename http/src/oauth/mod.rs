//! The OAuth 2.0 authorization server (RFC 6749 as RFC 9700 narrows it): endpoints, and what they answer when they refuse.
//! The rules are the domain's ([`keiin_domain::application`], [`keiin_domain::authorization`]); here is the protocol around them.
//!
//! Invariants: nothing is issued but by [`token`]; a browser is sent nowhere but to a registered URI ([`authorize`]); tokens
//! are opaque, and whether one holds is asked of the ledger at every use ([`held`]). There is no implicit and no password grant.

mod authorize;
mod client;
pub mod held;
mod inspect;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{HeaderName, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keiin_domain::application::GrantType;
use keiin_domain::authorization::RevokeAuthorization;
use keiin_domain::command::Command;
use serde_json::{Map, Value, json};

pub use self::inspect::{Introspection, Revocation};
pub use self::token::TokenRequest;
use crate::app::App;
use crate::console;
use crate::problem::Problem;
use crate::session_api::Operation;

/// Operations of this folder for programs.
pub const OPERATIONS: &[Operation] = &[
    Operation { public: true, ..Operation::new("get_oauth_metadata", "GET", METADATA) },
    Operation { public: true, ..Operation::new(token::NAME, "POST", "/oauth/token") },
    Operation { public: true, ..Operation::new(inspect::REVOKE, "POST", "/oauth/revoke") },
    Operation { public: true, ..Operation::new(inspect::INTROSPECT, "POST", "/oauth/introspect") },
    Operation {
        permission: Some(RevokeAuthorization::PERMISSION),
        ..Operation::new(inspect::REVOKE_MINE, "POST", "/v1/me/authorizations/revoke")
    },
];

/// What the description of the API says of the endpoints that take a form.
pub const ABOUT: &str = "RFC 6749, 7009 and 7662. A confidential client authenticates by HTTP Basic or by client_id and \
    client_secret in the body, a public one sends its client_id. Refusals are those of RFC 6749 5.2.";

/// How the description of the API names the flows.
pub fn security_scheme() -> Value {
    let words = |scope: String| (scope.clone(), json!(scope));
    let scopes: Map<String, Value> = keiin_domain::catalog::scopes().into_iter().map(words).collect();
    json!({
        "type": "oauth2",
        "description": "What an operation needs is its x-scope.",
        "flows": {
            "authorizationCode": {
                "authorizationUrl": "/oauth/authorize", "tokenUrl": "/oauth/token", "refreshUrl": "/oauth/token",
                "scopes": scopes,
            },
            "clientCredentials": { "tokenUrl": "/oauth/token", "scopes": scopes },
        },
    })
}

const METADATA: &str = "/.well-known/oauth-authorization-server";

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route(METADATA, get(metadata))
        .route("/oauth/authorize", get(authorize::page).post(authorize::decide))
        .route("/oauth/token", post(token::post))
        .route("/oauth/revoke", post(inspect::revoke))
        .route("/oauth/introspect", post(inspect::introspect))
        .route("/v1/me/authorizations/revoke", post(inspect::revoke_mine))
        .route("/account/authorizations/revoke", post(inspect::revoke_mine_by_form))
}

/// Endpoints for programs: what goes wrong there is said in JSON.
pub fn is_for_programs(path: &str) -> bool {
    path == METADATA || matches!(path, "/oauth/token" | "/oauth/revoke" | "/oauth/introspect")
}

/// What this server is and can (RFC 8414).
async fn metadata(State(app): State<Arc<App>>) -> Response {
    let url = app.public_url();
    let at = |path: &str| format!("{url}{path}");
    let client_auth = ["client_secret_basic", "client_secret_post", "none"];
    axum::Json(json!({
        "issuer": url,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "scopes_supported": keiin_domain::catalog::scopes(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GrantType::ALL,
        "token_endpoint_auth_methods_supported": client_auth,
        "revocation_endpoint_auth_methods_supported": client_auth,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "service_documentation": at("/docs"),
        "ui_locales_supported": ["ja", "en"],
    }))
    .into_response()
}

/// A refusal as RFC 6749 5.2 words it.
#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    error: &'static str,
    about: &'static str,
    retry_after: Option<u64>,
}

impl Refused {
    /// 400 with one of the standard's codes and a sentence for whoever wrote the client.
    const fn new(error: &'static str, about: &'static str) -> Refused {
        Refused { status: StatusCode::BAD_REQUEST, error, about, retry_after: None }
    }

    /// Who did not show which client it is.
    const fn client() -> Refused {
        let about = "The client is unknown or disabled, or did not show that it is this client.";
        Refused { status: StatusCode::UNAUTHORIZED, ..Refused::new("invalid_client", about) }
    }
}

/// What the rules say of a request by a client that has shown who it is.
impl From<Problem> for Refused {
    fn from(problem: Problem) -> Refused {
        let used = "The code or token is unknown, expired, used or revoked, or was made for another request.";
        let refused = match problem.code {
            "application.disabled" => Refused::client(),
            "application.grant_type" => {
                Refused::new("unauthorized_client", "The application is not registered for this grant type.")
            }
            "application.scope" => Refused::new("invalid_scope", "A scope is not among those that it may have."),
            "access.network" => {
                let about = "The company does not let programs come from this address.";
                Refused { status: StatusCode::FORBIDDEN, ..Refused::new("access_denied", about) }
            }
            // What a rule does not know of: a code, a token.
            "request.not_found" => Refused::new("invalid_grant", used),
            code if code.starts_with("authorization.") => Refused::new("invalid_grant", used),
            "request.wrong_content_type" => Refused::new("invalid_request", "Send application/x-www-form-urlencoded."),
            _ if problem.status.is_client_error() && problem.status != StatusCode::TOO_MANY_REQUESTS => {
                Refused::new("invalid_request", "The request cannot be read.")
            }
            _ => {
                let passing = matches!(problem.status.as_u16(), 429 | 503 | 507);
                let error = if passing { "temporarily_unavailable" } else { "server_error" };
                Refused { status: problem.status, ..Refused::new(error, "Try again later.") }
            }
        };
        Refused { retry_after: problem.retry_after, ..refused }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.about });
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"keiin\""));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A good answer, kept by nobody on the way (RFC 6749 5.1; `Cache-Control: no-store` is on every answer of ours).
fn answer(body: &Value) -> Response {
    let headers: [(HeaderName, &str); 1] = [(PRAGMA, "no-cache")];
    (headers, axum::Json(body)).into_response()
}

/// Parameters of a request to an endpoint: each once, those without a value as if they were not there (RFC 6749 3.2).
type Params = BTreeMap<String, String>;

fn once(pairs: Vec<(String, String)>) -> Result<Params, Refused> {
    let mut params = Params::new();
    for (name, value) in pairs {
        if params.insert(name, value).is_some() {
            return Err(Refused::new("invalid_request", "A parameter is there twice."));
        }
    }
    params.retain(|_, value| !value.is_empty());
    Ok(params)
}

/// The parameters in a body. What stands in an address ends up in logs, so nothing may stand there.
async fn params(app: &App, head: &Parts, body: Body) -> Result<Params, Refused> {
    if head.uri.query().is_some() {
        return Err(Refused::new("invalid_request", "Send parameters in the body only."));
    }
    once(console::fields(app, head, body).await?)
}

/// Parameters as the struct that names those we know.
fn typed<T: serde::de::DeserializeOwned>(params: Params) -> Result<T, Refused> {
    let map: Map<String, Value> = params.into_iter().map(|(name, value)| (name, json!(value))).collect();
    serde_json::from_value(Value::Object(map))
        .map_err(|_| Refused::new("invalid_request", "A parameter is missing that this request needs."))
}

/// Scopes of a parameter: words between spaces, each once.
fn scopes(text: Option<&str>) -> Option<Vec<String>> {
    text.map(|text| text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect())
}
