//! `POST /oauth/token`: a code, a refresh token or the client itself becomes an access token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use keiin_domain::access_token::{AccessToken, LIFE_US};
use keiin_domain::authorization::{Authorization, IssueAccess, RedeemCode, RefreshAccess};
use keiin_domain::command::{Command, On};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::client::{self, Client};
use super::held::{ACCESS, CODE, REFRESH, entry};
use super::{Refused, answer, params, scopes, typed};
use crate::app::App;
use crate::execute::{Call, execute};
use crate::principal;
use crate::session_api::visiting;

/// Name of the operation.
pub const NAME: &str = "oauth_token";

/// What a client asks for. Confidential clients authenticate by HTTP Basic or in the body, public ones name themselves.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `authorization_code`, `refresh_token` or `client_credentials`.
    pub grant_type: String,
    /// Where HTTP Basic does not say it.
    pub client_id: Option<String>,
    /// Where HTTP Basic does not say it.
    pub client_secret: Option<String>,
    /// Of `authorization_code`.
    pub code: Option<String>,
    /// Of `authorization_code`: the same as at `/oauth/authorize`.
    pub redirect_uri: Option<String>,
    /// Of `authorization_code`: 43 to 128 characters (RFC 7636).
    pub code_verifier: Option<String>,
    /// Of `refresh_token`.
    pub refresh_token: Option<String>,
    /// Of `refresh_token` and `client_credentials`: less than everything, separated by spaces.
    pub scope: Option<String>,
}

/// The endpoint.
pub async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let call = visiting(&app, &head)?;
    let params = params(&app, &head, body).await?;
    let client = client::authenticate(&app, &head, &params, NAME, &call).await?;
    let call = Call { key: None, ..call };
    let issued = match typed(params) {
        Ok(request) => issue(&app, &client, request, &call).await,
        Err(refused) => Err(refused),
    };
    if issued.as_ref().is_err_and(|refused| refused.status.is_client_error()) {
        client.denied(&app, NAME, &call).await;
    }
    issued
}

async fn issue(app: &App, client: &Client, request: TokenRequest, call: &Call) -> Result<Response, Refused> {
    let application_id = client.application.id;
    let missing = || Refused::new("invalid_request", "A parameter is missing that this grant type needs.");
    let scopes = scopes(request.scope.as_deref());
    match request.grant_type.as_str() {
        "client_credentials" => {
            app.limiter.guess(format!("application {application_id}"))?;
            run(app, client, None, IssueAccess { application_id, scopes }, call).await
        }
        "authorization_code" => {
            let code = request.code.ok_or_else(missing)?;
            let redirect_uri = request.redirect_uri.ok_or_else(missing)?;
            let verifier = request.code_verifier.filter(|text| is_verifier(text)).ok_or_else(missing)?;
            let authorization = entry(app, CODE, &code)?.filter(|entry| entry.ledger == client.ledger);
            let member = for_whom(app, client, authorization.map(|entry| entry.owner)).await?;
            run(app, client, member, RedeemCode { application_id, code, redirect_uri, verifier }, call).await
        }
        "refresh_token" => {
            let refresh_token = request.refresh_token.ok_or_else(missing)?;
            let before = entry(app, REFRESH, &refresh_token)?.filter(|entry| entry.ledger == client.ledger);
            let authorization = match before {
                Some(entry) => principal::load::<AccessToken>(app, client.ledger, entry.owner).await?.authorization(),
                None => None,
            };
            let member = for_whom(app, client, authorization).await?;
            run(app, client, member, RefreshAccess { application_id, refresh_token, scopes }, call).await
        }
        _ => Err(Refused::new("unsupported_grant_type", "There is no such grant type here.")),
    }
}

/// RFC 7636 4.1: 43 to 128 unreserved characters.
fn is_verifier(text: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// The member of an authorization of this client, who must be able to act now. Many tries at one authorization are slowed down.
async fn for_whom(app: &App, client: &Client, authorization: Option<Uuid>) -> Result<Option<Uuid>, Refused> {
    let Some(id) = authorization else { return Ok(None) };
    let authorization: On<Authorization> = principal::load(app, client.ledger, id).await?;
    let given = authorization.given.as_ref().filter(|given| given.application_id == client.application.id);
    let Some(member) = given.map(|given| given.member_id) else { return Ok(None) };
    app.limiter.guess(format!("authorization {id}"))?;
    match principal::active(app, client.ledger, member).await? {
        Some(_) => Ok(Some(member)),
        None => Err(Refused::new("invalid_grant", "The member for whom it acts may not act now.")),
    }
}

/// Carries it out and answers with what was made. Where nothing was made, a code or refresh token came again: then its authorization
/// was just ended.
async fn run<C: Command>(
    app: &App,
    client: &Client,
    member: Option<Uuid>,
    command: C,
    call: &Call,
) -> Result<Response, Refused> {
    let allowed = client.principal(member).allow::<C>()?;
    let done = execute(app, &allowed, command, call).await?;
    let secret = |kind: &str| done.secrets.iter().find(|(made, _)| *made == kind).map(|(_, text)| text.as_str());
    let reused = || Refused::new("invalid_grant", "It was used before: everything that was made from it is revoked.");
    let access_token = secret(ACCESS).ok_or_else(reused)?;
    let made = entry(app, ACCESS, access_token)?.ok_or_else(reused)?;
    let token: On<AccessToken> = principal::load(app, client.ledger, made.owner).await?;
    let scopes = token.issued.as_ref().map_or(String::new(), |issued| issued.scopes.join(" "));
    let mut body = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": LIFE_US / 1_000_000,
        "scope": scopes,
    });
    if let Some(refresh_token) = secret(REFRESH) {
        body["refresh_token"] = json!(refresh_token);
    }
    Ok(answer(&body))
}
