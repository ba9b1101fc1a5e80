//! What operators look at, in a company that let them: the same queries as its people ask, by a role of its own.
//!
//! Invariants:
//! * Without a grant that is in force, as the company's ledger has it now, everything is refused (ML-24, MN-05), also
//!   whether there is such a company.
//! * A grant opens the classes of data that it names and no other (ML-49); one for a single thing opens that thing.
//! * Every look, also at a list, is in the company's ledger before its answer leaves (ML-23); when it cannot be, nothing is
//!   shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use keiin_domain::command::On;
use keiin_domain::context::Actor;
use keiin_domain::data::RecordVendorView;
use keiin_domain::grant::Grant;
use keiin_domain::role::Role;
use keiin_projections::grant;
use serde_json::Value;
use uuid::Uuid;

use super::{Operating, act, authenticate};
use crate::api::{Path, PathParams, query_string};
use crate::app::{App, ROOT};
use crate::denial;
use crate::execute::{Call, execute};
use crate::look::{self, Seen};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::query::Entry;

/// `GET /operator/v1/companies/{company}/{path of a query, without /v1/}`.
pub async fn look(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let operating = authenticate(&app, &head, "look").await?;
    let text = |name: &str| path.get(name).map(String::as_str).unwrap_or_default();
    let (entry, in_path) = query_at(&app, &format!("/v1/{}", text("path"))).ok_or_else(Problem::not_found)?;
    let mut params = query_string(head.uri.query().unwrap_or(""))?;
    params.extend(in_path);
    let company = act::company_of(&app, text("company")).await?;
    let answer = seen(&app, &operating, company, entry, params).await;
    if let Err(problem) = &answer
        && matches!(problem.code, "access.grant" | "access.forbidden")
    {
        let refused = operating.within(company.unwrap_or(ROOT), Role::Vendor);
        denial::denied(&app, &refused, entry.name, &operating.call).await;
    }
    Ok(axum::Json(answer?).into_response())
}

/// The query that a path leads to, and what stands in the path.
fn query_at<'a>(app: &'a App, path: &str) -> Option<(&'a Entry, BTreeMap<String, String>)> {
    app.queries.iter().find_map(|entry| Some((entry, crate::console::path_params(entry.path, path)?)))
}

async fn seen(
    app: &App,
    operating: &Operating,
    company: Option<Uuid>,
    entry: &Entry,
    params: BTreeMap<String, String>,
) -> Result<Value, Problem> {
    let ungranted = || Problem::new("access.grant");
    let ledger = company.ok_or_else(ungranted)?;
    let vendor = operating.within(ledger, Role::Vendor);
    vendor.check(entry.permission)?;
    let grants = in_force(app, &vendor, operating.call.now_us).await?;
    let mut covering =
        grants.into_iter().filter(|grant| grant.covers(entry.class) && (!entry.list || grant.object.is_none()));
    let mut covering: Vec<On<Grant>> = covering.by_ref().collect();
    if covering.is_empty() {
        return Err(ungranted());
    }
    let answer = app.queries.ask(app, &vendor, entry.name, params).await?;
    let about = look::shown(entry.name, entry.class, &answer);
    let of = about.as_ref().map(|seen| seen.id);
    covering.retain(|grant| grant.object.is_none() || grant.object == of);
    let grant = covering.first().ok_or_else(ungranted)?;
    record(app, &vendor, grant, entry, about, &operating.call).await?;
    Ok(answer)
}

/// The operator's grants that are in force in this company.
async fn in_force(app: &App, vendor: &Principal, now_us: i64) -> Result<Vec<On<Grant>>, Problem> {
    let mut grants = vec![];
    for id in grant::perhaps_in_force(&app.read, &vendor.who())? {
        let grant: On<Grant> = principal::load(app, vendor.ledger, id).await?;
        if grant.is_in_force(now_us) && grant.operator == vendor.actor.id {
            grants.push(grant);
        }
    }
    Ok(grants)
}

async fn record(
    app: &App,
    vendor: &Principal,
    grant: &On<Grant>,
    entry: &Entry,
    about: Option<Seen>,
    call: &Call,
) -> Result<(), Problem> {
    let Some(purpose) = grant.purpose else { return Err(Problem::new("access.grant")) };
    let writer = Principal { actor: Actor { role: Role::System, ..vendor.actor }, ..vendor.clone() };
    let look = RecordVendorView {
        id: about.map_or(vendor.ledger, |seen| seen.id),
        grant: grant.id,
        purpose,
        operation: entry.name.to_owned(),
        class: entry.class,
    };
    execute(app, &writer.allow::<RecordVendorView>()?, look, &Call { key: None, ..call.clone() }).await?;
    Ok(())
}
