//! What operators do: accounts in the root ledger, grants in the ledger of the company that they concern.

use keiin_domain::command::Command;
use keiin_domain::data::DataClass;
use keiin_domain::grant::{ApproveGrant, EndGrant, Purpose, RequestGrant, ReviewGrant};
use keiin_domain::operator::{
    ApproveOperator, RegisterOperator, RemoveOperator, ReplaceCertificate, ReviewOperator, ScreenOperator,
};
use keiin_domain::role::Role;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Operating;
use crate::app::App;
use crate::execute::{Call, execute, request_hash};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::{denial, json as strict};

/// What an operator asks a company for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// Its short name or id.
    company: String,
    purpose: Purpose,
    classes: Vec<DataClass>,
    #[serde(default)]
    object: Option<Uuid>,
    reason: String,
    hours: u32,
}

/// Carries out `operators/{id}/approve` and its like; answers with the object's id and where its records stand.
pub async fn run(
    app: &App,
    operating: &Operating,
    path: &str,
    key: Option<String>,
    body: Value,
) -> Result<Value, Problem> {
    let parts: Vec<&str> = path.split('/').collect();
    let own = &operating.principal;
    match parts[..] {
        ["operators"] => done::<RegisterOperator>(app, operating, own, None, key, body).await,
        ["operators", id, verb] => {
            let on = Some(id_of(id)?);
            match verb {
                "screen" => done::<ScreenOperator>(app, operating, own, on, key, body).await,
                "approve" => done::<ApproveOperator>(app, operating, own, on, key, body).await,
                "certificate" => done::<ReplaceCertificate>(app, operating, own, on, key, body).await,
                "review" => done::<ReviewOperator>(app, operating, own, on, key, body).await,
                "remove" => done::<RemoveOperator>(app, operating, own, on, key, body).await,
                _ => Err(Problem::not_found()),
            }
        }
        ["grants"] => {
            let Ask { company, purpose, classes, object, reason, hours } = strict::typed(body)?;
            let ledger = company_of(app, &company).await?.ok_or_else(|| Problem::at("grant.no_company", "/company"))?;
            let mut asked = json!({
                "operator_name": operating.name(app)?,
                "operator_kind": operating.kind,
                "purpose": purpose,
                "classes": classes,
                "reason": reason,
                "hours": hours,
                "hours_max": app.config.operators.grant_hours,
            });
            if let Some(object) = object {
                asked["object"] = json!(object);
            }
            let there = operating.within(ledger, Role::Operator);
            done::<RequestGrant>(app, operating, &there, None, key, asked).await
        }
        ["companies", company, "grants", id, verb] => {
            let ledger = company_of(app, company).await?.ok_or_else(Problem::not_found)?;
            let (there, on) = (operating.within(ledger, Role::Operator), Some(id_of(id)?));
            match verb {
                "approve" => {
                    let named = json!({ "operator_name": operating.name(app)? });
                    done::<ApproveGrant>(app, operating, &there, on, key, named).await
                }
                "end" => done::<EndGrant>(app, operating, &there, on, key, body).await,
                "review" => done::<ReviewGrant>(app, operating, &there, on, key, body).await,
                _ => Err(Problem::not_found()),
            }
        }
        _ => Err(Problem::not_found()),
    }
}

/// The company with this short name or id.
pub async fn company_of(app: &App, text: &str) -> Result<Option<Uuid>, Problem> {
    match Uuid::parse_str(text) {
        Ok(id) => Ok(app.tenants().await?.contains(&id).then_some(id)),
        Err(_) => app.tenant_by_slug(text.trim()).await,
    }
}

fn id_of(text: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(text).ok().filter(|id| id.to_string() == text).ok_or_else(Problem::not_found)
}

async fn done<C: Command>(
    app: &App,
    operating: &Operating,
    principal: &Principal,
    target: Option<Uuid>,
    key: Option<String>,
    body: Value,
) -> Result<Value, Problem> {
    let allowed = match principal.allow::<C>() {
        Ok(allowed) => allowed,
        Err(problem) => {
            denial::denied(app, principal, C::NAME, &operating.call).await;
            return Err(problem);
        }
    };
    let canonical = serde_json::to_vec(&body).map_err(Problem::failed)?;
    let request_hash = request_hash(principal, C::NAME, target, &canonical);
    let call = Call { target, key, request_hash, ..operating.call.clone() };
    let done = execute(app, &allowed, strict::typed::<C>(body)?, &call).await?;
    if let Some(span) = done.span {
        app.wait(principal.ledger, span.last).await?;
    }
    Ok(json!({ "id": done.id, "position": done.span.map(|span| span.last) }))
}
