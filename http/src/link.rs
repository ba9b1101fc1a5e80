//! Secure links: what their holder sees, and how a refused opening is recorded.

use keiin_domain::delivery::RefuseOpen;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::execute::{Call, execute};
use crate::principal::Principal;
use crate::problem::Problem;

/// What a recipient's copy does not show: the company's own book-keeping.
const BOOKKEEPING: [&str; 9] = [
    "paid", "delivery_status", "overdue", "client", "approval", "approval_reason", "origin", "conversions",
    "retain_until",
];

/// The document behind a link that was just opened; nothing else of the company.
pub async fn opened(app: &App, holder: &Principal) -> Result<Value, Problem> {
    let server = Principal::system(holder.ledger);
    let delivery = view(app, &server, "delivery", holder.actor.id).await?;
    let id = delivery["document"]["id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
    let mut document = view(app, &server, "document", id.ok_or_else(Problem::not_found)?).await?;
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
    }
    let mut answer = json!({ "id": holder.actor.id, "document": document });
    for field in ["to", "message", "expires_at", "views", "view_limit", "status"] {
        if let Some(value) = delivery.get(field) {
            answer[field] = value.clone();
        }
    }
    Ok(answer)
}

/// An expired or revoked link was tried: an event, so that the sender sees it.
pub async fn refused(app: &App, holder: &Principal, call: &Call) {
    let Ok(allowed) = holder.allow::<RefuseOpen>() else { return };
    let call = Call { key: None, target: Some(holder.actor.id), if_match: None, ..call.clone() };
    if let Err(problem) = execute(app, &allowed, RefuseOpen {}, &call).await {
        tracing::warn!(code = problem.code, "a refused opening could not be recorded");
    }
}

async fn view(app: &App, server: &Principal, kind: &str, id: Uuid) -> Result<Value, Problem> {
    app.represent(server, kind, id).await?.ok_or_else(Problem::not_found)
}
