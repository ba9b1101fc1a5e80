//! What lines come to, without writing anything: the document form asks while somebody types, a program before it drafts.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use keiin_domain::command::present;
use keiin_domain::document::{LineInput, compute};
use keiin_domain::money::{Money, Rounding};
use keiin_domain::role::Permission;
use keiin_domain::tenant::Tenant;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::read_body;
use crate::app::App;
use crate::ledger::reader;
use crate::problem::Problem;
use crate::session_api::Operation;
use crate::{json, principal};

const NAME: &str = "compute_totals";
const PATH: &str = "/v1/documents/totals";
const DRAFT: Permission = Permission("document.draft");

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[Operation { permission: Some(DRAFT), ..Operation::new(NAME, "POST", PATH) }];

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route(PATH, post(totals))
}

/// Lines to add up, as a draft would have them.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComputeTotals {
    /// At most 100.
    pub lines: Vec<LineInput>,
    /// Of tax and of lines; the company's own if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub tax_rounding: Option<Rounding>,
}

async fn totals(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, _) = reader(&app, &head, DRAFT, NAME).await?;
    let asked: ComputeTotals = json::read(&read_body(&app, &head, body).await?)?;
    let rounding = match asked.tax_rounding {
        Some(rounding) => rounding,
        None => principal::load::<Tenant>(&app, principal.ledger, principal.ledger).await?.tax_rounding,
    };
    let body = compute(&asked.lines, None, rounding)?;
    let lines: Vec<Value> = body.lines.iter().map(|line| json!({ "amount": line.amount })).collect();
    let answer = json!({
        "lines": lines, "totals": body.totals, "jp_withholding_tax": body.jp_withholding_tax,
        "payable": Money::yen(body.payable()),
    });
    Ok(axum::Json(answer).into_response())
}
