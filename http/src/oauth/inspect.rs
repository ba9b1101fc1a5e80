//! What becomes of tokens: given back (RFC 7009), asked about (RFC 7662), taken away by the member who consented.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use keiin_domain::access_token::{AccessToken, RevokeAccess};
use keiin_domain::application::Application;
use keiin_domain::authorization::{Authorization, RevokeAuthorization};
use keiin_domain::command::On;
use keiin_projections::application::client_id;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::client::{self, Client};
use super::held::{self, ACCESS, REFRESH, entry};
use super::{Refused, answer, params, typed};
use crate::api::{identify, read_body};
use crate::app::App;
use crate::console::redirect;
use crate::execute::{Call, execute};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::session_api::visiting;
use crate::{clock, denial, json};

/// Names of the operations.
pub const REVOKE: &str = "oauth_revoke";
/// See [`REVOKE`].
pub const INTROSPECT: &str = "oauth_introspect";
/// See [`REVOKE`].
pub const REVOKE_MINE: &str = "revoke_my_authorizations";

/// A client gives a token back. A refresh token takes everything with it that was made from the same consent.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Revocation {
    /// An access or refresh token of this client.
    pub token: String,
    /// Not needed: a token says what it is.
    pub token_type_hint: Option<String>,
    /// Where HTTP Basic does not say it.
    pub client_id: Option<String>,
    /// Where HTTP Basic does not say it.
    pub client_secret: Option<String>,
}

/// A confidential client asks what a token of its company is worth.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Introspection {
    /// An access or refresh token.
    pub token: String,
    /// Not needed: a token says what it is.
    pub token_type_hint: Option<String>,
    /// Where HTTP Basic does not say it.
    pub client_id: Option<String>,
    /// Where HTTP Basic does not say it.
    pub client_secret: Option<String>,
}

/// A token, by its own secret, in the client's company.
async fn token_of(app: &App, client: &Client, kind: &str, secret: &str) -> Result<Option<On<AccessToken>>, Problem> {
    let Some(entry) = entry(app, kind, secret)?.filter(|entry| entry.ledger == client.ledger) else { return Ok(None) };
    principal::load(app, client.ledger, entry.owner).await.map(Some)
}

/// RFC 7009. A token that is unknown is as good as revoked; another client's is refused.
pub async fn revoke(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let call = visiting(&app, &head)?;
    let params = params(&app, &head, body).await?;
    let client = client::authenticate(&app, &head, &params, REVOKE, &call).await?;
    let call = Call { key: None, ..call };
    let Revocation { token: secret, .. } = typed(params)?;
    for kind in [ACCESS, REFRESH] {
        let Some(token) = token_of(&app, &client, kind, &secret).await? else { continue };
        if token.issued.as_ref().is_none_or(|issued| issued.application_id != client.application.id) {
            client.denied(&app, REVOKE, &call).await;
            return Err(Refused::new("unauthorized_client", "The token was not issued to this client."));
        }
        let call = Call { if_match: None, ..call.clone() };
        let member = member_of(&app, &client, token.authorization()).await?;
        let principal = client.principal(member);
        match token.authorization().filter(|_| kind == REFRESH) {
            Some(authorization) => {
                execute(&app, &principal.allow()?, RevokeAuthorization {}, &call.on(authorization)).await?
            }
            None => execute(&app, &principal.allow()?, RevokeAccess {}, &call.on(token.id)).await?,
        };
    }
    Ok(answer(&json!({})))
}

async fn member_of(app: &App, client: &Client, authorization: Option<Uuid>) -> Result<Option<Uuid>, Problem> {
    let Some(authorization) = authorization else { return Ok(None) };
    let authorization: On<Authorization> = principal::load(app, client.ledger, authorization).await?;
    Ok(authorization.given.as_ref().map(|given| given.member_id))
}

/// RFC 7662. Whatever does not hold, for whatever reason, is not active and nothing else is said of it.
pub async fn introspect(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let call = visiting(&app, &head)?;
    let params = params(&app, &head, body).await?;
    let client = client::authenticate(&app, &head, &params, INTROSPECT, &call).await?;
    if !client.application.confidential {
        client.denied(&app, INTROSPECT, &call).await;
        return Err(Refused::client());
    }
    let Introspection { token, .. } = typed(params)?;
    let found = match access(&app, &client, &token).await? {
        None => refresh(&app, &client, &token).await?,
        access => access,
    };
    Ok(answer(&found.unwrap_or_else(|| json!({ "active": false }))))
}

async fn access(app: &App, client: &Client, secret: &str) -> Result<Option<Value>, Problem> {
    let held = held::by_secret(app, secret).await?.filter(|held| held.ledger == client.ledger);
    let Some(held) = held else { return Ok(None) };
    let issued_at_us = held.expires_at_us - keiin_domain::access_token::LIFE_US;
    Ok(Some(json!({
        "active": true,
        "token_type": "Bearer",
        "scope": held.scopes.join(" "),
        "client_id": client_id(held.ledger, held.application),
        "sub": held.member.map_or(held.application, |member| member.id),
        "iat": issued_at_us / 1_000_000,
        "exp": held.expires_at_us / 1_000_000,
        "iss": app.public_url(),
    })))
}

async fn refresh(app: &App, client: &Client, secret: &str) -> Result<Option<Value>, Problem> {
    let Some(token) = token_of(app, client, REFRESH, secret).await?.filter(|token| !token.refreshed) else {
        return Ok(None);
    };
    let (Some(issued), Some(authorization)) = (&token.issued, token.authorization()) else { return Ok(None) };
    let application: On<Application> = principal::load(app, client.ledger, issued.application_id).await?;
    let authorization: On<Authorization> = principal::load(app, client.ledger, authorization).await?;
    let Some(given) = authorization.holds(&application, clock::now_us()).filter(|_| !application.disabled) else {
        return Ok(None);
    };
    if principal::active(app, client.ledger, given.member_id).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(json!({
        "active": true,
        "scope": given.scopes.join(" "),
        "client_id": client_id(client.ledger, application.id),
        "sub": given.member_id,
        "exp": given.expires_at_us / 1_000_000,
        "iss": app.public_url(),
    })))
}

/// A member takes back everything that they allowed.
pub async fn revoke_mine(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = member(&app, &head).await?;
    json::strict_or_empty(&read_body(&app, &head, body).await?)?;
    let revoked = take_back(&app, &principal, &call).await?;
    Ok(axum::Json(json!({ "revoked": revoked })).into_response())
}

/// The same, on one's own page.
pub async fn revoke_mine_by_form(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = member(&app, &head).await?;
    take_back(&app, &principal, &call).await?;
    Ok(redirect("/account?done=authorizations-revoked", false))
}

async fn member(app: &App, head: &Parts) -> Result<(Principal, Call), Problem> {
    let (principal, call) = identify(app, &BTreeMap::new(), head, REVOKE_MINE).await?;
    if let Err(problem) = principal.allow::<RevokeAuthorization>() {
        denial::denied(app, &principal, REVOKE_MINE, &call).await;
        return Err(problem);
    }
    Ok((principal, call))
}

/// One by one, so that each is an event; what holds is looked up once everything before is in the read models.
async fn take_back(app: &App, principal: &Principal, call: &Call) -> Result<u64, Problem> {
    let allowed = principal.allow::<RevokeAuthorization>()?;
    let mut revoked = 0;
    let mut last = app.log.head(principal.ledger).await?.map_or(0, |head| head.size.saturating_sub(1));
    loop {
        app.wait(principal.ledger, last).await?;
        let asked = BTreeMap::from([("limit".to_owned(), "200".to_owned())]);
        let authorizations = app.queries.ask(app, principal, "list_my_authorizations", asked).await?;
        let ids: Vec<Uuid> = authorizations["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|authorization| authorization["id"].as_str()?.parse().ok())
            .collect();
        let before = revoked;
        for id in ids {
            let done = execute(app, &allowed, RevokeAuthorization {}, &call.clone().on(id)).await?;
            if let Some(span) = done.span {
                (revoked, last) = (revoked + 1, span.last);
            }
        }
        if revoked == before {
            return Ok(revoked);
        }
    }
}
