//! The inbox: what a recipient with an account sees and takes of what was sent to them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use keiin_domain::command::Command;
use keiin_domain::delivery::{DeliveryEvent, Downloaded, OpenDelivery, TakeFile, TakeFiles};
use keiin_domain::event::Event;
use keiin_domain::role::Permission;
use keiin_projections::fact::Fact;
use serde_json::json;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::api::{self, Path, PathParams, identify};
use crate::app::App;
use crate::console::{common, render};
use crate::execute::{Call, Done, execute};
use crate::ledger::{disposition, download};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session_api::Operation;
use crate::{denial, link, public};

const OPENS: Option<Permission> = Some(OpenDelivery::PERMISSION);

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        permission: OPENS,
        answer: "application/pdf",
        ..Operation::new(TakeFile::NAME, "POST", "/v1/inbox/{id}/files")
    },
    Operation {
        permission: OPENS,
        answer: "application/zip",
        ..Operation::new(TakeFiles::NAME, "POST", "/v1/inbox/{id}/files.zip")
    },
];

/// Their routes, and the pages.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/inbox/{id}/files", post(post_file))
        .route("/v1/inbox/{id}/files.zip", post(post_files))
        .route("/inbox/{id}", get(item))
        .route("/inbox/{id}/file", post(file_form))
        .route("/inbox/{id}/files", post(files_form))
}

/// Who comes, to which delivery. Whoever has no inbox is refused, which is recorded.
async fn coming<C: Command>(
    app: &App,
    path: &BTreeMap<String, String>,
    head: &Parts,
) -> Result<(Principal, Call), Problem> {
    let (principal, call) = identify(app, path, head, C::NAME).await?;
    if let Err(problem) = principal.check(C::PERMISSION) {
        denial::denied(app, &principal, C::NAME, &call).await;
        return Err(problem);
    }
    Ok((principal, Call { target: Some(api::id(path, "id")?), ..call }))
}

/// What was delivered: the page. To look at it is an event.
async fn item(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = coming::<OpenDelivery>(&app, &path, &head).await?;
    let done = execute(&app, &principal.allow()?, OpenDelivery {}, &call).await?;
    if let Some(span) = done.span {
        app.wait(principal.ledger, span.last).await?;
    }
    let peer = Peer::of(&head);
    let mut context = common(&app, head.uri.path(), peer, Some(&principal)).await?;
    context["delivery"] = link::content(&app, principal.ledger, done.id).await?;
    context["tenant"] = public::tenant(&app, principal.ledger).await?;
    context["params"] = json!(api::query_string(head.uri.query().unwrap_or(""))?);
    render(&app, peer.lang, "inbox_item", &context, StatusCode::OK)
}

/// A file, by its button.
async fn file_form(State(app): State<Arc<App>>, Path(path): PathParams, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = coming::<TakeFile>(&app, &path, &head).await?;
    let form = public::form(&app, &head, body).await?;
    let (document_id, attachment_id) = (link::id_in(&form, "document_id"), link::id_in(&form, "attachment_id"));
    take(&app, &principal, TakeFile { document_id, attachment_id }, &call).await
}

/// A file, by the API.
async fn post_file(State(app): State<Arc<App>>, Path(path): PathParams, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = coming::<TakeFile>(&app, &path, &head).await?;
    let body = api::read_body(&app, &head, body).await?;
    take(&app, &principal, crate::json::read(&body)?, &call).await
}

/// All files, by the button.
async fn files_form(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = coming::<TakeFiles>(&app, &path, &head).await?;
    take_all(&app, &principal, TakeFiles {}, &call).await
}

/// All files, by the API.
async fn post_files(
    State(app): State<Arc<App>>,
    Path(path): PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = coming::<TakeFiles>(&app, &path, &head).await?;
    let body = api::read_body(&app, &head, body).await?;
    let command: TakeFiles = crate::json::typed(crate::json::strict_or_empty(&body)?)?;
    take_all(&app, &principal, command, &call).await
}

async fn take(app: &App, principal: &Principal, command: TakeFile, call: &Call) -> Result<Response, Problem> {
    let done = execute(app, &principal.allow()?, command, call).await?;
    let taken = taken(app, principal, &done).await?.pop().ok_or_else(Problem::not_found)?;
    let (name, bytes) = link::file(app, principal.ledger, &taken).await?;
    Ok(download(bytes, "application/pdf", &disposition("attachment", &name)))
}

/// One archive; at most twenty documents and ten attachments, as many as a delivery holds. Files of one name are numbered.
async fn take_all(app: &App, principal: &Principal, command: TakeFiles, call: &Call) -> Result<Response, Problem> {
    let done = execute(app, &principal.allow()?, command, call).await?;
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    // The PDFs are compressed already.
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut names = BTreeSet::new();
    for one in taken(app, principal, &done).await? {
        let (name, bytes) = link::file(app, principal.ledger, &one).await?;
        let stem = name.trim_end_matches(".pdf");
        let numbered = (2..).map(|n| format!("{stem} ({n}).pdf"));
        let free = [name.clone()].into_iter().chain(numbered).find(|name| names.insert(name.to_lowercase()));
        zip.start_file(free.unwrap_or(name), options).map_err(Problem::failed)?;
        zip.write_all(&bytes).map_err(Problem::failed)?;
    }
    let bytes = zip.finish().map_err(Problem::failed)?.into_inner();
    Ok(download(bytes, "application/zip", "attachment; filename=\"documents.zip\""))
}

/// What the records of a taking say went out.
async fn taken(app: &App, principal: &Principal, done: &Done) -> Result<Vec<Downloaded>, Problem> {
    let span = done.span.ok_or_else(|| Problem::failed("a download without a record"))?;
    let records = app.log.read(principal.ledger, span.first, (span.last - span.first + 1) as usize).await?;
    let mut taken = vec![];
    for record in &records {
        let fact = Fact::open(record, &app.vault).map_err(Problem::failed)?;
        if let DeliveryEvent::Downloaded(one) = DeliveryEvent::read(&fact.event).map_err(Problem::failed)? {
            taken.push(one);
        }
    }
    Ok(taken)
}
