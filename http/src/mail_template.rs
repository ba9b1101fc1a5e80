//! A look at a mail's own words before they are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use keiin_domain::mail_template::Wording;
use keiin_domain::role::Permission;
use keiin_projections::mail_template::{example, of_id};
use serde_json::json;

use crate::api::{Path, PathParams};
use crate::app::App;
use crate::console::{common, fields, render};
use crate::ledger::reader;
use crate::problem::Problem;
use crate::serve::Peer;

/// Where its form goes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/mail-templates/{id}/preview", post(preview))
}

/// The page of a mail's words with what was typed, and that with example values. Nothing is kept.
async fn preview(State(app): State<Arc<App>>, Path(path): PathParams, request: Request) -> Result<Response, Problem> {
    const NAME: &str = "preview_mail_template";
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, Permission("mail_template.set"), NAME).await?;
    let fields = fields(&app, &head, body).await?;
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    let id = path.get("id").cloned().unwrap_or_default();
    let (kind, language) = of_id(&id).ok_or_else(Problem::not_found)?;
    let wording = Wording::check(kind, field("subject"), field("text"))?;
    let shown = example(&app.read, &principal.who(), language, &wording)?;
    let peer = Peer::of(&head);
    let mut context = common(&app, &format!("/mail-templates/{id}"), peer, Some(&principal)).await?;
    let asked = BTreeMap::from([("id".to_owned(), id)]);
    context["get_mail_template"] = app.queries.run(&app, &principal, "get_mail_template", asked, &call).await?;
    context["draft"] = json!(wording);
    context["shown"] = json!(shown);
    render(&app, peer.lang, "mail_template", &context, StatusCode::OK)
}
