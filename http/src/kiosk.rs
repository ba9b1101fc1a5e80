//! What a kiosk is shown: the visit it just handled, and of it no more than the visitor needs.

use serde_json::{Value, json};

use crate::app::App;
use crate::execute::Done;
use crate::principal::Principal;
use crate::problem::Problem;

/// The visit after check-in, check-out or a walk-in.
pub async fn seen(app: &App, server: &Principal, done: &Done) -> Result<Value, Problem> {
    let visit = app.represent(server, done.kind, done.id).await?.ok_or_else(Problem::not_found)?;
    let mut answer = json!({ "id": done.id, "status": visit["status"], "location": visit["location"] });
    if let Some(name) = visit["visitor"].get("name") {
        answer["visitor"] = json!({ "name": name });
    }
    if let Some(name) = visit.get("host").and_then(|host| host.get("name")) {
        answer["host"] = json!({ "name": name });
    }
    Ok(answer)
}
