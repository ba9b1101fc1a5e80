//! Secure links: what their holder sees and takes, and how a refusal is recorded.
//!
//! Nothing of the content is behind an address: a GET says who sent something and until when, everything else is a POST,
//! which no mail scanner sends.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use keiin_domain::command::Command;
use keiin_domain::delivery::{Closed, Delivery, DeliveryEvent, DownloadDocument, Downloaded, OpenLink, RefuseOpen};
use keiin_domain::document::Printed;
use keiin_domain::event::Event;
use keiin_domain::member::Member;
use keiin_projections::fact::Fact;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{self, Path, PathParams};
use crate::app::App;
use crate::command::Entry;
use crate::console::{common, render};
use crate::execute::{Call, Done, execute};
use crate::ledger::{disposition, download};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::public::{self, Fields, holder, page, tenant};
use crate::serve::Peer;
use crate::session_api::{Operation, visiting};
use crate::{attachment, clock, json, paper};

/// What a recipient's copy does not show: the company's own book-keeping.
const BOOKKEEPING: [&str; 9] = [
    "paid", "delivery_status", "overdue", "client", "approval", "approval_reason", "origin", "conversions",
    "retain_until",
];

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[Operation {
    public: true,
    answer: "application/pdf",
    ..Operation::new(DownloadDocument::NAME, "POST", "/v1/links/{token}/downloads")
}];

/// Their routes, and the pages.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/links/{token}/downloads", post(post_download))
        .route("/l/{token}", get(landing).post(open))
        .route("/l/{token}/file", post(download_form))
}

/// The documents behind a link that was just opened.
pub async fn opened(app: &App, holder: &Principal, done: &Done) -> Result<Value, Problem> {
    happened(app, holder, done).await?;
    content(app, holder.ledger, holder.actor.id).await
}

/// The account that was just made with a link.
pub async fn registered(app: &App, holder: &Principal, done: &Done) -> Result<Value, Problem> {
    match happened(app, holder, done).await? {
        DeliveryEvent::RecipientRegistered(e) => Ok(json!({ "id": e.member_id, "status": "active" })),
        _ => Err(Problem::failed("a registration that is none")),
    }
}

/// What a recipient is shown of a delivery: its documents, and nothing else of the company.
pub async fn content(app: &App, ledger: Uuid, delivery: Uuid) -> Result<Value, Problem> {
    let server = Principal::system(ledger);
    let delivery = view(app, &server, "delivery", delivery).await?;
    let mut documents = vec![];
    for one in delivery["documents"].as_array().into_iter().flatten() {
        let id = one["id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
        let mut document = view(app, &server, "document", id.ok_or_else(Problem::not_found)?).await?;
        if let Some(fields) = document.as_object_mut() {
            fields.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
        }
        documents.push(document);
    }
    let mut answer = json!({ "id": delivery["id"], "documents": documents });
    let shown = [
        "to", "message", "expires_at", "views", "view_limit", "has_passcode", "status", "recipient_id", "issued_at",
        "replies", "attachments",
    ];
    for field in shown {
        if let Some(value) = delivery.get(field) {
            answer[field] = value.clone();
        }
    }
    Ok(answer)
}

/// What was asked for with a link came to. A wrong passcode is an event, too, so that no guess is free.
async fn happened(app: &App, holder: &Principal, done: &Done) -> Result<DeliveryEvent, Problem> {
    let span = done.span.ok_or_else(|| Problem::failed("an opening without a record"))?;
    let record = app.log.read(holder.ledger, span.first, 1).await?.pop().ok_or_else(Problem::not_found)?;
    let fact = Fact::open(&record, &app.vault).map_err(Problem::failed)?;
    match DeliveryEvent::read(&fact.event).map_err(Problem::failed)? {
        DeliveryEvent::OpenRefused(_) => Err(Problem::at("access.wrong_passcode", "/passcode")),
        event => Ok(event),
    }
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

/// Who comes with a link, and how.
fn coming(app: &App, path: &BTreeMap<String, String>, head: &Parts) -> Result<(Principal, Call), Problem> {
    Ok((holder(app, path, head, "lnk")?, visiting(app, head)?))
}

/// The landing page: whose link it is and until when, and nothing of the content.
async fn landing(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (holder, call) = coming(&app, &path, &head)?;
    let link = outside(&app, &holder, &call).await?;
    page(&app, &head, "link_landing", json!({ "link": link })).await
}

/// What is said of a link before it is opened; a closed one is refused, which is recorded.
async fn outside(app: &App, holder: &Principal, call: &Call) -> Result<Value, Problem> {
    let delivery = principal::load::<Delivery>(app, holder.ledger, holder.actor.id).await?;
    let sender: Member = match delivery.sent_by {
        Some(sender) => principal::load::<Member>(app, holder.ledger, sender).await?.state,
        None => Member::default(),
    };
    if let Some(closed) = delivery.closed_to_recipient(&sender, holder.link, clock::now_us()) {
        refused(app, holder, call).await;
        return Err(Problem::new(match closed {
            Closed::OnHold => "delivery.on_hold",
            Closed::Locked => "delivery.locked",
            Closed::Replaced => "delivery.replaced",
            _ => "access.gone",
        }));
    }
    let view = view(app, &Principal::system(holder.ledger), "delivery", holder.actor.id).await?;
    let types: Vec<&Value> =
        view["documents"].as_array().into_iter().flatten().map(|one| &one["document_type"]).collect();
    Ok(json!({
        "tenant": tenant(app, holder.ledger).await?,
        "document_type": types.first(),
        "documents": types.len(),
        "attachments": delivery.attachments.len(),
        "has_passcode": delivery.has_passcode,
        "expires_at": keiin_domain::date::instant(delivery.expires_at_us),
    }))
}

/// The documents, by the button of the landing page. A wrong passcode shows that page again.
async fn open(State(app): State<Arc<App>>, Path(path): PathParams, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (peer, (holder, call)) = (Peer::of(&head), coming(&app, &path, &head)?);
    let passcode = passcode(&public::form(&app, &head, body).await?);
    let opening = Call { target: Some(holder.actor.id), ..call.clone() };
    let body = json!({ "passcode": passcode });
    let mut context = common(&app, head.uri.path(), peer, None).await?;
    let response = match api::run(&app, &Entry::of::<OpenLink>(), &holder, opening, body).await {
        Ok(response) => response,
        Err(problem) if !problem.errors.is_empty() => {
            context["link"] = outside(&app, &holder, &call).await?;
            context["problem"] = crate::serve::problem_view(&app, &problem, peer);
            return render(&app, peer.lang, "link_landing", &context, problem.status);
        }
        Err(problem) => return Err(problem),
    };
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 22).await.map_err(Problem::failed)?;
    let opened: Value = serde_json::from_slice(&bytes).map_err(Problem::failed)?;
    context["documents"] = opened["documents"].clone();
    context["delivery"] = opened;
    context["passcode"] = json!(passcode);
    context["token"] = json!(path.get("token"));
    context["tenant"] = tenant(&app, holder.ledger).await?;
    render(&app, peer.lang, "link_document", &context, StatusCode::OK)
}

fn passcode(form: &Fields) -> String {
    form.get("passcode").cloned().unwrap_or_default()
}

/// A file, by its button.
async fn download_form(
    State(app): State<Arc<App>>,
    Path(path): PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (holder, call) = coming(&app, &path, &head)?;
    let form = public::form(&app, &head, body).await?;
    let (document_id, attachment_id) = (id_in(&form, "document_id"), id_in(&form, "attachment_id"));
    take(&app, &holder, &call, DownloadDocument { document_id, attachment_id, passcode: passcode(&form) }).await
}

/// The id in a field of a form, if there is one.
pub fn id_in(form: &Fields, name: &str) -> Option<Uuid> {
    form.get(name).and_then(|id| Uuid::parse_str(id).ok())
}

/// A file, by the API.
async fn post_download(
    State(app): State<Arc<App>>,
    Path(path): PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (holder, call) = coming(&app, &path, &head)?;
    let body = api::read_body(&app, &head, body).await?;
    take(&app, &holder, &call, json::read(&body)?).await
}

/// Hands a file out, after the record that it was handed out.
async fn take(app: &App, holder: &Principal, call: &Call, command: DownloadDocument) -> Result<Response, Problem> {
    let allowed = holder.allow::<DownloadDocument>()?;
    // Each time is a download of its own.
    let call = Call { target: Some(holder.actor.id), key: None, ..call.clone() };
    let done = match execute(app, &allowed, command, &call).await {
        Ok(done) => done,
        Err(problem) => {
            refused(app, holder, &call).await;
            return Err(problem);
        }
    };
    let DeliveryEvent::Downloaded(taken) = happened(app, holder, &done).await? else {
        return Err(Problem::failed("a download that is none"));
    };
    let (name, bytes) = file(app, holder.ledger, &taken).await?;
    Ok(download(bytes, "application/pdf", &disposition("attachment", &name)))
}

/// The file that a record says was handed out, and what it is called.
pub async fn file(app: &App, ledger: Uuid, taken: &Downloaded) -> Result<(String, Vec<u8>), Problem> {
    if let Some(attachment) = taken.attachment_id {
        return attachment::of(app, ledger, attachment).await;
    }
    let (document, revision) = taken.document_id.zip(taken.revision).ok_or_else(Problem::not_found)?;
    let bytes = paper::kept(app, &taken.sha256)?;
    let printed = principal::load::<Printed>(app, ledger, document).await?;
    let issued = printed.issued.as_ref().ok_or_else(Problem::not_found)?;
    Ok((format!("{}.pdf", paper::file_name(&issued.number, revision)), bytes))
}
