//! Batches of documents to issue: one after the other, each in its own append. What was done is in the ledger, so a server
//! that died goes on where it stopped, and two nodes at one batch issue nothing twice.

use std::sync::Arc;
use std::time::Duration;

use keiin_domain::batch::{IssueInBatch, MAX_DOCUMENTS};
use keiin_projections::batch::{Turn, waiting};
use keiin_projections::document::ListDocuments;
use keiin_projections::query::{MAX_LIMIT, Query};
use serde_json::Value;
use uuid::Uuid;

use crate::api::query_string;
use crate::app::App;
use crate::execute::{Call, execute};
use crate::principal::Principal;
use crate::problem::Problem;

/// Documents of one round; their rows are read at once and folded before the next.
const ROUND: usize = 100;
/// How often it is looked for what a restart or an error left.
const QUIET: Duration = Duration::from_secs(15);

/// All drafts of a list with these filters, in the order in which they were made; one more than a batch takes, if there are
/// that many. For whoever orders what they see and more.
pub async fn matching(app: &App, principal: &Principal, filters: &str) -> Result<Vec<Value>, Problem> {
    let mut params = query_string(filters.trim_start_matches('?'))?;
    params.retain(|name, value| !value.is_empty() && name != "done");
    params.extend([("status".to_owned(), "draft".to_owned()), ("limit".to_owned(), MAX_LIMIT.to_string())]);
    params.remove("cursor");
    let mut found = vec![];
    while found.len() <= MAX_DOCUMENTS {
        let page = app.queries.ask(app, principal, ListDocuments::NAME, params.clone()).await?;
        found.extend(page["items"].as_array().into_iter().flatten().map(|document| document["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        params.insert("cursor".to_owned(), next.to_owned());
    }
    found.reverse();
    Ok(found)
}

/// Issues what batches order, until the server stops.
pub async fn run(app: Arc<App>) {
    app.rounds("batches wait for another try", QUIET, round).await;
}

/// One round; returns how many documents it issued or noted as refused.
pub async fn round(app: &App, now_us: i64) -> Result<usize, Problem> {
    let mut done: Vec<(Uuid, u64)> = vec![];
    for turn in waiting(&app.read, ROUND)? {
        if *app.stopping.borrow() {
            break;
        }
        match issue(app, &turn, now_us).await {
            Ok(last) => done.extend(last.map(|last| (turn.ledger, last))),
            Err(problem) => {
                tracing::warn!(code = problem.code, batch = %turn.batch, "a document waits for another try")
            }
        }
    }
    for (ledger, last) in &done {
        app.wait(*ledger, *last).await?;
    }
    Ok(done.len())
}

/// One document; where its last record stands, if it was not done before.
async fn issue(app: &App, turn: &Turn, now_us: i64) -> Result<Option<u64>, Problem> {
    let allowed = Principal::system_for(turn.ledger, turn.by).allow::<IssueInBatch>()?;
    // As a new object: what is no document has its place in the batch all the same.
    let call = Call { new_id: Some(turn.document), cause: Some(turn.since), ..Call::internal(now_us) };
    let done = execute(app, &allowed, IssueInBatch { batch: turn.batch }, &call).await?;
    Ok(done.span.map(|span| span.last))
}
