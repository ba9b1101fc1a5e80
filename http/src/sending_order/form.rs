//! The console's form of a sending order: people of the client to tick and others to type, an envelope beside, and what the
//! postage comes to before the order is placed. Works without a script.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::post;
use keiin_domain::command::Command;
use keiin_domain::event::Event;
use keiin_domain::postal_item::{PostalEvent, QueuePostalItem};
use keiin_domain::sending_order::PlaceSendingOrder;
use serde_json::{Value, json};

use crate::api::{self, Path, PathParams};
use crate::app::App;
use crate::command::Entry;
use crate::console::{common, fields, nested, redirect, render};
use crate::execute::{Call, rehearse};
use crate::json;
use crate::ledger::reader;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;

/// Where its buttons go.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/clients/{id}/send/look", post(look)).route("/clients/{id}/send", post(place))
}

type Fields = Vec<(String, String)>;

/// The order that a form says, as the API takes it. Who was typed comes first, so that a refusal points at their field.
fn order(fields: &Fields, client: &Value) -> Result<Value, Problem> {
    let mut order = nested(fields)?;
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    let mut by_mail = order["by_mail"].as_array().cloned().unwrap_or_default();
    let people = client["contacts"].as_array().map_or(&[][..], Vec::as_slice);
    for (_, id) in fields.iter().filter(|(name, _)| name == "_person") {
        let person = people.iter().find(|person| person["id"] == id.as_str() && person["email"].is_string());
        let person = person.ok_or_else(Problem::not_found)?;
        let passcode = field(&format!("_passcode.{id}"));
        // An address that is nobody's in particular is the client's.
        let name = person["name"].as_str().or(client["name"].as_str()).unwrap_or("");
        by_mail.push(json!({ "to_name": name, "to_email": person["email"], "passcode": passcode }));
    }
    order["by_mail"] = by_mail.into();
    // What stands in the part about post holds only where a service was chosen.
    if order["by_post"][0]["service"].is_null() {
        order["by_post"] = json!([]);
    }
    order["client_id"] = client["id"].clone();
    Ok(order)
}

/// What goes into an envelope of the order and what it costs; `None` where a document is not printed yet.
async fn envelope(
    app: &App,
    principal: &Principal,
    call: &Call,
    order: &Value,
    to: &Value,
) -> Result<Option<Value>, Problem> {
    let mut item = to.clone();
    for name in ["document_ids", "client_id", "message"] {
        if let Some(value) = order.get(name) {
            item[name] = value.clone();
        }
    }
    let emits = match rehearse(app, principal, json::typed::<QueuePostalItem>(item)?, call).await {
        Err(problem) if problem.code == "postal_item.no_file" => return Ok(None),
        rehearsed => rehearsed?,
    };
    let event = emits.first().map(|emit| PostalEvent::read(&emit.event)).transpose().map_err(Problem::failed)?;
    let Some(PostalEvent::Queued(queued)) = event else { return Ok(None) };
    Ok(Some(json!({
        "envelope": queued.envelope, "service": queued.service, "sheets": queued.sheets,
        "weight_g": queued.weight_g, "postage": queued.postage,
    })))
}

struct Asked {
    principal: Principal,
    call: Call,
    fields: Fields,
    client: Value,
}

async fn asked(
    app: &App,
    head: &Parts,
    path: BTreeMap<String, String>,
    body: axum::body::Body,
) -> Result<Asked, Problem> {
    let (principal, call) = reader(app, head, PlaceSendingOrder::PERMISSION, PlaceSendingOrder::NAME).await?;
    let fields = fields(app, head, body).await?;
    let client = app.queries.run(app, &principal, "get_client", path, &call).await?;
    Ok(Asked { principal, call, fields, client })
}

/// The page again with what was typed and what it comes to. Nothing is ordered.
async fn look(State(app): State<Arc<App>>, Path(path): PathParams, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let Asked { principal, call, fields, client } = asked(&app, &head, path, body).await?;
    let order = order(&fields, &client)?;
    rehearse(&app, &principal, json::typed::<PlaceSendingOrder>(order.clone())?, &call).await?;
    let mut envelopes = vec![];
    for to in order["by_post"].as_array().into_iter().flatten() {
        envelopes.push(envelope(&app, &principal, &call, &order, to).await?);
    }
    let peer = Peer::of(&head);
    let id = client["id"].as_str().unwrap_or("").to_owned();
    let mut context = common(&app, &format!("/clients/{id}/send"), peer, Some(&principal)).await?;
    let documents = [("client_id", id), ("limit", "200".to_owned())].map(|(name, value)| (name.to_owned(), value));
    let documents = app.queries.run(&app, &principal, "list_documents", documents.into(), &call).await?;
    context["list_documents"] = documents;
    context["get_client"] = client;
    let people = fields.iter().filter(|(name, _)| name == "_person").map(|(_, id)| json!(id));
    context["ticked"] = people.collect();
    context["values"] =
        fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into();
    context["looked"] =
        json!({ "recipients": order["by_mail"].as_array().map_or(0, Vec::len), "envelopes": envelopes });
    render(&app, peer.lang, "sending_order_new", &context, StatusCode::OK)
}

/// Places the order; then its page shows it before it is released.
async fn place(State(app): State<Arc<App>>, Path(path): PathParams, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let fragment = head.headers.contains_key("hx-request");
    let Asked { principal, call, fields, client } = asked(&app, &head, path, body).await?;
    let key = fields.iter().find(|(name, _)| name == "_key").map(|(_, key)| key.clone());
    let key =
        key.filter(|key| (1..=255).contains(&key.len())).ok_or_else(|| Problem::new("idempotency.key_required"))?;
    let order = order(&fields, &client)?;
    let call = Call { key: Some(key), ..call };
    let answer = api::run(&app, &Entry::of::<PlaceSendingOrder>(), &principal, call, order).await?;
    let placed = to_bytes(answer.into_body(), 1 << 22).await.map_err(Problem::failed)?;
    let placed: Value = serde_json::from_slice(&placed).map_err(Problem::failed)?;
    let id = placed["id"].as_str().unwrap_or("");
    Ok(redirect(&format!("/sending-orders/{id}?done=sending-placed"), fragment))
}
