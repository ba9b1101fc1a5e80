//! What becomes due by itself: links, invitations and grants whose time is up, entries of the vault that expired, addresses
//! of sign-ups that were over long ago, counters of who has been quiet; the documents of recurrences; mails that remind
//! visitors of tomorrow; and what follows visits.
//! No reader depends on this loop: an expired link answers 410 even if its event is not written yet.

use std::sync::Arc;
use std::time::Duration;

use keiin_domain::command::Command;
use keiin_domain::date::{Date, ZONE_S, instant};
use keiin_domain::delivery::ExpireLink;
use keiin_domain::grant::ExpireGrant;
use keiin_domain::member::ExpireInvitation;
use keiin_domain::recurrence::FireRecurrence;
use keiin_domain::visit::RemindVisitor;
use keiin_projections::recurrence::{self, Due};
use uuid::Uuid;

use crate::app::App;
use crate::clock;
use crate::execute::{Call, by_server};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::signup;

/// Most links, and most invitations, that one round expires.
const ROUND: usize = 200;

/// Most dates that one recurrence makes up for in one round; the rest come in the next.
const CATCH_UP: usize = 24;

/// Runs due commands until the process ends.
pub async fn run(app: Arc<App>) {
    let mut tick = tokio::time::interval(Duration::from_secs(15));
    loop {
        tick.tick().await;
        if let Err(problem) = round(&app, clock::now_us()).await {
            tracing::warn!(code = problem.code, "timers wait for another try");
        }
        app.limiter.tidy();
    }
}

/// One round; returns how many links, invitations and grants it expired.
pub async fn round(app: &App, now_us: i64) -> Result<usize, Problem> {
    let links = keiin_projections::delivery::due(&app.read, now_us, ROUND)?;
    expire(app, ExpireLink {}, &links, now_us).await?;
    let invitations = keiin_projections::member::due(&app.read, now_us, ROUND)?;
    expire(app, ExpireInvitation {}, &invitations, now_us).await?;
    let grants = keiin_projections::grant::due(&app.read, now_us, ROUND)?;
    expire(app, ExpireGrant {}, &grants, now_us).await?;
    fire(app, now_us).await?;
    remind(app, now_us).await?;
    crate::reception::round(app, now_us).await?;
    crate::attachment::round(app, now_us).await?;
    app.vault.purge_expired(now_us)?;
    signup::forget(app, now_us, ROUND).await?;
    Ok(links.len() + invitations.len() + grants.len())
}

async fn expire<C: Command>(app: &App, command: C, due: &[(Uuid, Uuid)], now_us: i64) -> Result<(), Problem> {
    for (ledger, id) in due {
        by_server(app, &Principal::system(*ledger), command.clone(), &Call::internal(now_us).on(*id)).await?;
    }
    Ok(())
}

/// Makes the documents of the dates that have come, after a stop of all that have passed, each in its turn. A recurrence
/// that cannot be fired now keeps none of the others waiting.
async fn fire(app: &App, now_us: i64) -> Result<(), Problem> {
    let today = Date::at(now_us, ZONE_S);
    for _ in 0..CATCH_UP {
        let mut fired = false;
        for due in recurrence::due(&app.read, today, ROUND)? {
            match fire_one(app, &due, now_us).await {
                Ok(done) => fired |= done,
                Err(problem) => {
                    tracing::warn!(code = problem.code, recurrence = %due.id, "a date waits for another try")
                }
            }
        }
        if !fired {
            break;
        }
    }
    Ok(())
}

/// Reminds visitors of tomorrow, after a stop also later in the day. One who cannot be reminded now keeps nobody waiting.
pub async fn remind(app: &App, now_us: i64) -> Result<(), Problem> {
    for due in keiin_projections::visit::reminders(&app.read, now_us, ROUND)? {
        let call = Call { cause: Some(due.position), ..Call::internal(now_us).on(due.id) };
        let command = RemindVisitor { starts_at: instant(due.starts_at.0) };
        if let Err(problem) = by_server(app, &Principal::system(due.ledger), command, &call).await {
            tracing::warn!(code = problem.code, visit = %due.id, "a reminder waits for another try");
        }
    }
    Ok(())
}

/// One date; false if another node was first.
async fn fire_one(app: &App, due: &Due, now_us: i64) -> Result<bool, Problem> {
    let call = Call { cause: Some(due.since), ..Call::internal(now_us).on(due.id) };
    let server = Principal::system_for(due.ledger, due.by);
    let done = by_server(app, &server, FireRecurrence { date: due.date }, &call).await?;
    Ok(done.span.is_some())
}
