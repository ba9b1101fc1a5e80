//! What the server does once somebody is at the door: hosts are told at once, the reception where nobody answers, and what the
//! company does not want to know any longer is erased. All of it is done right after the command that causes it; what a stop
//! leaves undone, the timer's next round does. Each of these commands does nothing the second time.

use keiin_domain::blocklist::RemoveFromBlocklist;
use keiin_domain::command::{Aggregate, Command};
use keiin_domain::visit::{
    ASK_RECEPTION, AddVisitors, AnnounceVisitor, ChangeVisit, CheckIn, EraseVisitor, EscalateVisit, LetVisitorIn,
    NOT_SCREENED, ReceiveVisitor, RegisterVisit, RetireVisitor, ScreenVisitor, Visit, WalkIn,
};
use keiin_eventlog::record::Leaf;
use keiin_eventlog::store::Span;
use keiin_projections::{blocklist, visit};
use uuid::Uuid;

use crate::app::App;
use crate::cli::keys;
use crate::execute::{Call, Done, by_server};
use crate::principal::Principal;
use crate::problem::Problem;

/// Most of each kind that one round does.
const ROUND: usize = 200;

/// What follows a command right away. That something did not succeed is no refusal of what was done: the timer tries again.
pub async fn follow(app: &App, command: &str, ledger: Uuid, done: &Result<Done, Problem>, now_us: i64) {
    let followed = match done {
        Ok(done) => follow_up(app, command, ledger, done, now_us).await,
        Err(why) if [ASK_RECEPTION, NOT_SCREENED].contains(&why.code) => escalate(app, now_us).await,
        Err(_) => Ok(()),
    };
    if let Err(problem) = followed {
        tracing::warn!(code = problem.code, command, "what follows a visit waits for another try");
    }
}

async fn follow_up(app: &App, command: &str, ledger: Uuid, done: &Done, now_us: i64) -> Result<(), Problem> {
    let comes_in = [CheckIn::NAME, WalkIn::NAME, ReceiveVisitor::NAME, LetVisitorIn::NAME];
    let names = [RegisterVisit::NAME, ChangeVisit::NAME, AddVisitors::NAME];
    let Some(span) = done.span else { return Ok(()) };
    if comes_in.contains(&command) {
        let call = Call { cause: Some(span.last), ..Call::internal(now_us).on(done.id) };
        let told = by_server(app, &Principal::system(ledger), AnnounceVisitor {}, &call).await?;
        if told.span.is_none() {
            app.wait(ledger, span.last).await?;
            escalate(app, now_us).await?;
        }
    } else if names.contains(&command) {
        screen(app, ledger, span, now_us).await?;
    } else if command == EraseVisitor::NAME {
        app.wait(ledger, span.last).await?;
        if let Some(subject) = visit::visitor_of(&app.read, ledger, done.id)? {
            erase(app, ledger, subject, now_us).await?;
        }
    } else if command == RemoveFromBlocklist::NAME {
        erase(app, ledger, done.id, now_us).await?;
    }
    Ok(())
}

/// Compares the visitors of new and changed visits, all that an append made, with the blocklist. That somebody else comes, too,
/// says nothing new of who came before.
pub async fn screen(app: &App, ledger: Uuid, span: Span, now_us: i64) -> Result<(), Problem> {
    let records = app.log.read(ledger, span.first, (span.last - span.first + 1) as usize).await?;
    let mut visits: Vec<Uuid> = vec![];
    for record in &records {
        let leaf = Leaf::decode(&record.leaf).map_err(Problem::failed)?;
        let is_new = leaf.stream.kind == Visit::STREAM && leaf.event_kind != "visit.visitor_added";
        if is_new && !visits.contains(&leaf.stream.id) {
            visits.push(leaf.stream.id);
        }
    }
    for visit in visits {
        let call = Call { cause: Some(span.last), ..Call::internal(now_us).on(visit) };
        by_server(app, &Principal::system(ledger), ScreenVisitor {}, &call).await?;
    }
    Ok(())
}

/// One round of the timer.
pub async fn round(app: &App, now_us: i64) -> Result<(), Problem> {
    for (ledger, id) in visit::unannounced(&app.read, now_us, ROUND)? {
        one(app, ledger, id, AnnounceVisitor {}, now_us).await;
    }
    escalate(app, now_us).await?;
    for (ledger, id) in visit::kept_too_long(&app.read, now_us, ROUND)? {
        one(app, ledger, id, RetireVisitor {}, now_us).await;
    }
    let subjects = [visit::unerased(&app.read, ROUND)?, blocklist::unerased(&app.read, ROUND)?].concat();
    for (ledger, subject) in subjects {
        erase(app, ledger, subject, now_us).await?;
    }
    Ok(())
}

/// Tells receptions of everybody to whom nobody comes.
async fn escalate(app: &App, now_us: i64) -> Result<(), Problem> {
    for (ledger, id) in visit::unanswered(&app.read, now_us, ROUND)? {
        let to = visit::reception(&app.read, ledger)?;
        one(app, ledger, id, EscalateVisit { to }, now_us).await;
    }
    Ok(())
}

/// One command; a visit with which it does not succeed keeps none of the others waiting.
async fn one<C: Command>(app: &App, ledger: Uuid, id: Uuid, command: C, now_us: i64) {
    let done = by_server(app, &Principal::system(ledger), command, &Call::internal(now_us).on(id)).await;
    if let Err(problem) = done {
        tracing::warn!(code = problem.code, visit = %id, command = C::NAME, "a visit waits for another try");
    }
}

/// Destroys a person's keys, unless another node was faster.
pub async fn erase(app: &App, ledger: Uuid, subject: Uuid, now_us: i64) -> Result<(), Problem> {
    if app.vault.newest_subject_key(ledger, subject)?.is_some() {
        keys::erase(app, ledger, subject, keys::stamp(now_us)).await.map_err(Problem::failed)?;
    }
    Ok(())
}
