//! Sending orders that were released: each recipient in their turn, each in an append of their own. Who was handed over is in
//! the ledger, so a server that died goes on where it stopped, and two nodes at one order send nothing twice.

pub mod form;

use std::sync::Arc;
use std::time::Duration;

use keiin_domain::sending_order::HandOver;
use keiin_projections::sending_order::{Turn, waiting};

use crate::app::App;
use crate::execute::{Call, execute};
use crate::principal::Principal;
use crate::problem::Problem;

/// Recipients of one round; their rows are read at once and folded before the next.
const ROUND: usize = 100;
/// How often it is looked for what a restart or an error left.
const QUIET: Duration = Duration::from_secs(15);

/// Hands over what orders say, until the server stops.
pub async fn run(app: Arc<App>) {
    app.rounds("sending orders wait for another try", QUIET, round).await;
}

/// One round; returns how many recipients it handed over or noted as refused.
pub async fn round(app: &App, now_us: i64) -> Result<usize, Problem> {
    let mut done = vec![];
    for turn in waiting(&app.read, ROUND)? {
        if *app.stopping.borrow() {
            break;
        }
        match hand_over(app, &turn, now_us).await {
            Ok(last) => done.extend(last.map(|last| (turn.ledger, last))),
            Err(problem) => {
                tracing::warn!(code = problem.code, order = %turn.order, "a recipient waits for another try")
            }
        }
    }
    for (ledger, last) in &done {
        app.wait(*ledger, *last).await?;
    }
    Ok(done.len())
}

/// One recipient; where the last record of it stands, if their turn had not come before.
async fn hand_over(app: &App, turn: &Turn, now_us: i64) -> Result<Option<u64>, Problem> {
    let allowed = Principal::system_for(turn.ledger, turn.by).allow::<HandOver>()?;
    let call = Call { cause: Some(turn.since), ..Call::internal(now_us).on(turn.order) };
    let done = execute(app, &allowed, HandOver { n: turn.n }, &call).await?;
    Ok(done.span.map(|span| span.last))
}
