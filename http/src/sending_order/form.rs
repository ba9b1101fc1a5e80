//! The console's form of a sending order: people of the client to tick and others to type, files of one's own, an envelope
//! beside, and what the postage comes to. One form with four buttons, without a script: "attach" takes the chosen files,
//! "remove" takes one back, "look" says what it would come to, and the last one places the order. The first three show the form
//! again with all that was typed.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use keiin_domain::attachment::{Attachment, MAX_TOTAL_BYTES, RemoveAttachment};
use keiin_domain::command::{Aggregate, Command};
use keiin_domain::date::{Date, ZONE_S};
use keiin_domain::event::Event;
use keiin_domain::postal_item::{PostalEvent, QueuePostalItem, Weighed, weigh};
use keiin_domain::sending_order::PlaceSendingOrder;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::api::{self, Path, PathParams};
use crate::app::App;
use crate::attachment::{take, too_large};
use crate::command::Entry;
use crate::console::{nested, page_again, redirect};
use crate::execute::{Call, rehearse};
use crate::json;
use crate::ledger::reader;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::{Peer, problem_view};
use crate::upload::{self, Form};

/// Where its buttons go.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/clients/{id}/send", post(send))
}

/// What the form says of attachments that were taken already.
const TAKEN: &str = "attachments.";

/// Whoever fills it in, and what they have said so far.
struct Asked<'a> {
    app: &'a App,
    principal: Principal,
    call: Call,
    client: Value,
    /// Of the form: nothing that is ordered by it is ordered twice.
    key: String,
    form: Form,
    /// Attachments that stand in the form.
    taken: Vec<Uuid>,
}

/// What a button led to.
enum Done {
    /// The form again, with what the order would come to if that was asked.
    Again(Value),
    /// The order's id.
    Placed(String),
}

async fn send(State(app): State<Arc<App>>, Path(path): PathParams, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, PlaceSendingOrder::PERMISSION, PlaceSendingOrder::NAME).await?;
    let fragment = head.headers.contains_key("hx-request");
    let mut form = upload::form(&head, body, MAX_TOTAL_BYTES as usize).await.map_err(too_large)?;
    let key = form.text("_key").to_owned();
    if !(1..=255).contains(&key.len()) {
        return Err(Problem::new("idempotency.key_required"));
    }
    let client = app.queries.run(&app, &principal, "get_client", path, &call).await?;
    let taken = form.fields.iter().filter(|(name, _)| name.starts_with(TAKEN)).map(|(_, id)| Uuid::parse_str(id));
    let taken = taken.collect::<Result<Vec<_>, _>>().map_err(|_| Problem::not_found())?;
    form.fields.retain(|(name, _)| !name.starts_with(TAKEN));
    let mut asked = Asked { app: &app, principal, call, client, key, form, taken };
    let (looked, problem) = match asked.act().await {
        Ok(Done::Placed(id)) => return Ok(redirect(&format!("/sending-orders/{id}?done=sending-placed"), fragment)),
        Ok(Done::Again(looked)) => (looked, None),
        // There is nothing to mend in the form.
        Err(problem) if fragment || !problem.status.is_client_error() || problem.status == StatusCode::NOT_FOUND => {
            return Err(problem);
        }
        Err(problem) => (Value::Null, Some(problem)),
    };
    let mut more = asked.said().await;
    more["looked"] = looked;
    let mut status = StatusCode::OK;
    if let Some(problem) = problem {
        more["problem"] = problem_view(&app, &problem, Peer::of(&head));
        status = problem.status;
    }
    page_again(&app, &head, (&asked.principal, &asked.call), more, status).await
}

/// The form has one field for all files.
fn in_form(mut problem: Problem) -> Problem {
    let files = problem.errors.iter_mut().filter(|fault| fault.pointer.starts_with("/files/"));
    files.for_each(|fault| fault.pointer = "/files".to_owned());
    problem
}

impl Asked<'_> {
    /// Does what the pressed button says.
    async fn act(&mut self) -> Result<Done, Problem> {
        if let Ok(id) = Uuid::parse_str(self.form.text("_remove")) {
            // Only what stands in this form: another's id is nothing to take back here.
            if let Some(at) = self.taken.iter().position(|one| *one == id) {
                self.taken.remove(at);
                let call = Call { target: Some(id), ..self.call.clone() };
                api::run(self.app, &Entry::of::<RemoveAttachment>(), &self.principal, call, json!({})).await?;
            }
            return Ok(Done::Again(Value::Null));
        }
        let files = std::mem::take(&mut self.form.files);
        let button = self.form.text("_do").to_owned();
        if !files.is_empty() {
            // The same files of the same form are taken once, however often a button is pressed.
            let mut hash = Sha256::new();
            files.iter().for_each(|file| hash.update(Sha256::digest(&file.bytes)));
            let key = format!("{} {}", self.key, hex::encode(hash.finalize()));
            let (ids, _) = take(self.app, &self.principal, &self.call, Some(&key), files).await.map_err(in_form)?;
            let new: Vec<Uuid> = ids.into_iter().filter(|id| !self.taken.contains(id)).collect();
            self.taken.extend(new);
        } else if button == "attach" {
            return Err(Problem::at("attachment.none", "/files"));
        }
        match button.as_str() {
            "attach" => Ok(Done::Again(Value::Null)),
            "look" => Ok(Done::Again(self.look().await?)),
            _ => Ok(Done::Placed(self.place().await?)),
        }
    }

    /// The order that the form says, as the API takes it. Who was typed comes first, so that a refusal points at their field.
    fn order(&self) -> Result<Value, Problem> {
        let taken = self.taken.iter().enumerate().map(|(n, id)| (format!("{TAKEN}{n}"), id.to_string()));
        let fields: Vec<(String, String)> = self.form.fields.iter().cloned().chain(taken).collect();
        let mut order = nested(&fields)?;
        let mut by_mail = order["by_mail"].as_array().cloned().unwrap_or_default();
        let people = self.client["contacts"].as_array().map_or(&[][..], Vec::as_slice);
        for id in self.ticked() {
            let person = people.iter().find(|person| person["id"] == id && person["email"].is_string());
            let person = person.ok_or_else(Problem::not_found)?;
            let passcode = self.form.text(&format!("_passcode.{id}"));
            // An address that is nobody's in particular is the client's.
            let name = person["name"].as_str().or(self.client["name"].as_str()).unwrap_or("");
            by_mail.push(json!({ "to_name": name, "to_email": person["email"], "passcode": passcode }));
        }
        order["by_mail"] = by_mail.into();
        // What stands in the part about post holds only where a service was chosen.
        if order["by_post"][0]["service"].is_null() {
            order["by_post"] = json!([]);
        }
        order["client_id"] = self.client["id"].clone();
        Ok(order)
    }

    /// People of the client who are ticked.
    fn ticked(&self) -> impl Iterator<Item = &str> {
        self.form.fields.iter().filter(|(name, _)| name == "_person").map(|(_, id)| id.as_str())
    }

    /// What the order would come to. Nothing is ordered.
    async fn look(&self) -> Result<Value, Problem> {
        let order = self.order()?;
        let command = json::typed::<PlaceSendingOrder>(order.clone())?;
        rehearse(self.app, &self.principal, command, &self.call).await?;
        let pages = self.attached().await.iter().filter_map(|file| file["pages"].as_u64()).sum::<u64>();
        let mut envelopes = vec![];
        for to in order["by_post"].as_array().into_iter().flatten() {
            envelopes.push(self.envelope(&order, to, pages as u32).await?);
        }
        Ok(json!({ "recipients": order["by_mail"].as_array().map_or(0, Vec::len), "envelopes": envelopes }))
    }

    /// What goes into an envelope of the order, with so many pages of attachments, and what it costs; `None` where a document
    /// is not printed yet.
    async fn envelope(&self, order: &Value, to: &Value, pages: u32) -> Result<Option<Value>, Problem> {
        let mut item = to.clone();
        for name in ["document_ids", "client_id", "message"] {
            if let Some(value) = order.get(name) {
                item[name] = value.clone();
            }
        }
        let command = json::typed::<QueuePostalItem>(item)?;
        let (wanted, agreed) = (command.envelope, command.postage);
        let emits = match rehearse(self.app, &self.principal, command, &self.call).await {
            Err(problem) if problem.code == "postal_item.no_file" => return Ok(None),
            rehearsed => rehearsed?,
        };
        let event = emits.first().map(|emit| PostalEvent::read(&emit.event)).transpose().map_err(Problem::failed)?;
        let Some(PostalEvent::Queued(queued)) = event else { return Ok(None) };
        // Only an order has attachments.
        let (service, sheets) = (queued.service, queued.sheets + pages);
        let today = Date::at(self.call.now_us, ZONE_S);
        let Weighed { envelope, weight_g, postage } = weigh(service, &queued.extras, wanted, sheets, "", today)?;
        let postage = agreed.unwrap_or(postage);
        Ok(Some(json!({
            "envelope": envelope, "service": service, "sheets": sheets, "weight_g": weight_g, "postage": postage,
        })))
    }

    /// Places the order; then its page shows it before it is released.
    async fn place(&self) -> Result<String, Problem> {
        let call = Call { key: Some(self.key.clone()), ..self.call.clone() };
        let answer =
            api::run(self.app, &Entry::of::<PlaceSendingOrder>(), &self.principal, call, self.order()?).await?;
        let placed = to_bytes(answer.into_body(), 1 << 22).await.map_err(Problem::failed)?;
        let placed: Value = serde_json::from_slice(&placed).map_err(Problem::failed)?;
        Ok(placed["id"].as_str().unwrap_or_default().to_owned())
    }

    /// The attachments that stand in the form, as they are shown. Of one that was erased nothing is.
    async fn attached(&self) -> Vec<Value> {
        let mut files = vec![];
        for id in &self.taken {
            let found = self.app.represent(&Principal::system(self.principal.ledger), Attachment::STREAM, *id).await;
            files.extend(found.ok().flatten().filter(|file| file.get("name").is_some()));
        }
        files
    }

    /// What the form held, for showing it again.
    async fn said(&self) -> Value {
        let files = self.attached().await;
        let values: Map<String, Value> =
            self.form.fields.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        json!({ "values": values, "ticked": self.ticked().collect::<Vec<_>>(), "files": files })
    }
}
