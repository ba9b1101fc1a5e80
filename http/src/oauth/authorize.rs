//! `/oauth/authorize`: a member is asked whether an application may act for them, and the answer goes back to it.
//!
//! Invariant: the browser is sent to a redirect URI only after it was found, letter by letter, among those of a client of the
//! member's own company; whatever is wrong before that is said on a page of ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keiin_domain::authorization::GiveAuthorization;
use serde_json::json;

use super::client::{self, Client};
use super::held::CODE;
use super::{Params, scopes};
use crate::api::{identify, query_string};
use crate::app::App;
use crate::console::{common, fields, redirect, render};
use crate::execute::{Call, execute};
use crate::headers;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;

/// What the browser brings along, and what goes into the form so that it comes back.
const PARAMS: &[&str] = &[
    "response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "code_challenge",
    "code_challenge_method", "request", "request_uri",
];

/// A request whose redirect URI is known to be the client's.
struct Asked {
    client: Client,
    redirect_uri: String,
    state: Option<String>,
}

/// Who is asked, and from where; a login, because only a person can consent.
async fn person(app: &App, head: &Parts) -> Result<(Principal, Call), Problem> {
    let (principal, call) = identify(app, &BTreeMap::new(), head, "authorize").await?;
    if principal.must_enrol {
        return Err(Problem::new("access.second_factor_required"));
    }
    match principal.session_id {
        Some(_) => Ok((principal, Call { key: None, target: None, ..call })),
        None => Err(Problem::new("access.forbidden")),
    }
}

/// The client and where its answer goes. Nothing is redirected unless this succeeds.
async fn asked(app: &App, principal: &Principal, params: &Params) -> Result<Asked, Problem> {
    let unknown = || Problem::new("oauth.unknown_client");
    let client_id = params.get("client_id").ok_or_else(unknown)?;
    // Of another company is unknown here, and not looked up.
    client::parts_of(client_id).filter(|(ledger, _)| *ledger == principal.ledger).ok_or_else(unknown)?;
    let client = client::find(app, client_id).await?.ok_or_else(unknown)?;
    if client.application.disabled {
        return Err(unknown());
    }
    let registered = params.get("redirect_uri").filter(|uri| client.application.redirect_uris.contains(uri));
    let redirect_uri = registered.cloned().ok_or_else(|| Problem::new("oauth.redirect_uri"))?;
    Ok(Asked { client, redirect_uri, state: params.get("state").cloned() })
}

impl Asked {
    /// What the member is asked to agree to, or the error that the client is told.
    fn authorization(&self, params: &Params) -> Result<(GiveAuthorization, Vec<String>), &'static str> {
        let given = |name: &str| params.get(name).map(String::as_str);
        match given("response_type") {
            Some("code") => {}
            None => return Err("invalid_request"),
            Some(_) => return Err("unsupported_response_type"),
        }
        if given("response_mode").is_some_and(|mode| mode != "query") {
            return Err("invalid_request");
        }
        for (name, error) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")] {
            if given(name).is_some() {
                return Err(error);
            }
        }
        // No method means `plain` (RFC 7636 4.3), which we do not take; nor none at all (RFC 9700 2.1.1).
        let challenge = given("code_challenge").filter(|_| given("code_challenge_method") == Some("S256"));
        let challenge = challenge.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok());
        let authorization = GiveAuthorization {
            application_id: self.client.application.id,
            scopes: scopes(given("scope")),
            redirect_uri: self.redirect_uri.clone(),
            challenge: challenge.ok_or("invalid_request")?,
        };
        match authorization.check(&self.client.application) {
            Ok(scopes) => Ok((authorization, scopes)),
            Err(rejection) if rejection.code == "application.scope" => Err("invalid_scope"),
            Err(_) => Err("unauthorized_client"),
        }
    }

    /// Back to the client: with a code or an error, its `state`, and who answers (RFC 9207). 303: what was posted to us is not
    /// posted to it.
    fn answer(&self, app: &App, name: &str, value: &str) -> Response {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, value);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &app.public_url());
        let mark = if self.redirect_uri.contains('?') { '&' } else { '?' };
        redirect(&format!("{}{mark}{}", self.redirect_uri, query.finish()), false)
    }

    /// What a page's form may lead to: browsers hold the redirect after it to this as well.
    fn form_target(&self) -> &str {
        let uri = self.redirect_uri.as_str();
        let scheme = uri.find(':').map_or(uri.len(), |colon| colon + 1);
        match uri[scheme..].strip_prefix("//") {
            // A policy cannot name an IPv6 address.
            Some(rest) if !rest.starts_with('[') => {
                let host = rest.find(['/', '?']).unwrap_or(rest.len());
                &uri[..scheme + 2 + host]
            }
            _ => &uri[..scheme],
        }
    }
}

/// Those of the parameters that we know, without those that are empty.
fn known(params: Params) -> Params {
    params.into_iter().filter(|(name, value)| PARAMS.contains(&name.as_str()) && !value.is_empty()).collect()
}

/// The consent page.
pub async fn page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = person(&app, &head).await?;
    let params = known(query_string(head.uri.query().unwrap_or(""))?);
    let asked = asked(&app, &principal, &params).await?;
    let scopes = match asked.authorization(&params) {
        Ok((_, scopes)) => scopes,
        Err(error) => return Ok(asked.answer(&app, "error", error)),
    };
    let peer = Peer::of(&head);
    let mut context = common(&app, "/oauth/authorize", peer, Some(&principal)).await?;
    context["application"] = json!({ "name": asked.client.application.name, "redirect_uri": asked.redirect_uri });
    context["scopes"] = json!(scopes);
    context["asked"] = json!(params);
    context["query"] = json!(form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish());
    context["authorization_days"] = json!(keiin_domain::authorization::AUTHORIZATION_US / keiin_domain::date::DAY_US);
    let mut response = render(&app, peer.lang, "consent", &context, StatusCode::OK)?;
    let policy = HeaderValue::from_str(&headers::policy_with_form_to(asked.form_target()));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy.map_err(Problem::failed)?);
    Ok(response)
}

/// The member's answer. The form brings the whole question back, and it is looked at anew.
pub async fn decide(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = person(&app, &head).await?;
    let mut params = Params::new();
    for (name, value) in fields(&app, &head, body).await? {
        if params.insert(name.clone(), value).is_some() {
            return Err(Problem::at("request.bad_field", format!("/{name}")));
        }
    }
    let decision = params.remove("decision").unwrap_or_default();
    let params = known(params);
    let asked = asked(&app, &principal, &params).await?;
    let authorization = match (asked.authorization(&params), decision.as_str()) {
        (Err(error), _) => return Ok(asked.answer(&app, "error", error)),
        (Ok((authorization, _)), "allow") => authorization,
        (Ok(_), _) => return Ok(asked.answer(&app, "error", "access_denied")),
    };
    let allowed = principal.allow::<GiveAuthorization>()?;
    let done = execute(&app, &allowed, authorization, &call).await?;
    let code = done.secrets.iter().find(|(kind, _)| *kind == CODE);
    let (_, code) = code.ok_or_else(|| Problem::failed("an authorization without a code"))?;
    Ok(asked.answer(&app, "code", code))
}
