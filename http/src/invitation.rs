//! Invitations: whom a link is for.

use std::net::IpAddr;

use axum::http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::principal::{self, Principal};
use crate::problem::Problem;

/// An invitation is bound to one address (ML-40): whoever is logged in, anywhere on this server, with another one is refused.
/// Who is not logged in shows by the mailed link that the address is theirs.
pub async fn is_for_caller(
    app: &App,
    holder: &Principal,
    headers: &HeaderMap,
    from: Option<IpAddr>,
) -> Result<(), Problem> {
    let Ok(caller) = principal::authenticate_again(app, headers, from).await else { return Ok(()) };
    let Some(member) = caller.member else { return Ok(()) };
    let theirs = address(app, caller.ledger, member).await?;
    match theirs.is_some() && theirs == address(app, holder.ledger, holder.actor.id).await? {
        true => Ok(()),
        false => Err(Problem::new("invitation.other_address")),
    }
}

async fn address(app: &App, ledger: Uuid, member: Uuid) -> Result<Option<String>, Problem> {
    let view = app.represent(&Principal::system(ledger), "member", member).await?;
    Ok(view.and_then(|view| view.get("email").and_then(Value::as_str).map(str::to_owned)))
}
