//! The print station's forms: one list of items with ticks, and a button for each thing that is done with what is ticked. Without
//! a script, from the keyboard or with a scanner.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use keiin_domain::command::Command;
use keiin_domain::postal_item::{Carrier, DispatchPostalItem, PostalPurpose, PrintPostalItem};
use uuid::Uuid;

use super::{HANDLE, chosen, labels, layout, look, manifest, print_job};
use crate::app::App;
use crate::console::{fields, is_local, redirect};
use crate::execute::{Call, execute};
use crate::ledger::reader;
use crate::principal::Principal;
use crate::problem::Problem;

/// Where its forms go.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/print-station/print-job", post(print))
        .route("/print-station/labels", post(label))
        .route("/print-station/manifest", post(list))
        .route("/print-station/printed", post(printed))
        .route("/print-station/dispatched", post(dispatched))
}

/// What a form of the station says.
struct Form {
    ids: Vec<Uuid>,
    fields: Vec<(String, String)>,
}

impl Form {
    fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

async fn form(app: &App, request: Request, name: &str) -> Result<(Principal, Call, Form), Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(app, &head, HANDLE, name).await?;
    let fields = fields(app, &head, body).await?;
    let ids = fields.iter().filter(|(name, _)| name == "item").map(|(_, id)| Uuid::parse_str(id));
    let ids = ids.collect::<Result<Vec<_>, _>>().map_err(|_| Problem::not_found())?;
    Ok((principal, call, Form { ids: chosen(ids)?, fields }))
}

async fn print(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    const NAME: &str = "make_print_job";
    let (principal, call, form) = form(&app, request, NAME).await?;
    let items = look(&app, &principal, &call, &form.ids, PostalPurpose::Print, NAME).await?;
    print_job(&app, &principal, items).await
}

async fn label(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    const NAME: &str = "make_label_sheet";
    let (principal, call, form) = form(&app, request, NAME).await?;
    let first = form.text("first").trim().parse().unwrap_or(1);
    let layout = layout(form.text("layout"), first)?;
    let items = look(&app, &principal, &call, &form.ids, PostalPurpose::Label, NAME).await?;
    labels(items, layout, first, &call).await
}

async fn list(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    const NAME: &str = "make_manifest";
    let (principal, call, form) = form(&app, request, NAME).await?;
    let items = look(&app, &principal, &call, &form.ids, PostalPurpose::Manifest, NAME).await?;
    manifest(&app, &principal, items, &call).await
}

/// Says of each that it is on paper. Where one is refused, those before it stay said.
async fn printed(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (principal, call, form) = form(&app, request, PrintPostalItem::NAME).await?;
    let with_label = !form.text("with_label").is_empty();
    say(&app, &principal, &call, &form, PrintPostalItem { with_label }).await
}

/// Says of each that it was handed over, today and at the price that was estimated. What has a tracking number is refused: it
/// has its own field.
async fn dispatched(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (principal, call, form) = form(&app, request, DispatchPostalItem::NAME).await?;
    let (carrier, tracking_number) = (Carrier::JapanPost, String::new());
    let plain = DispatchPostalItem { carrier, tracking_number, postage: None, dispatched_on: None };
    say(&app, &principal, &call, &form, plain).await
}

async fn say<C: Command>(
    app: &App,
    principal: &Principal,
    call: &Call,
    form: &Form,
    command: C,
) -> Result<Response, Problem> {
    let allowed = principal.allow::<C>()?;
    let mut last = None;
    for id in &form.ids {
        let done = execute(app, &allowed, command.clone(), &call.clone().on(*id)).await?;
        last = done.span.map(|span| span.last).or(last);
    }
    if let Some(last) = last {
        app.wait(principal.ledger, last).await?;
    }
    let next = form.text("_next");
    Ok(redirect(if is_local(next) { next } else { "/print-station" }, false))
}
