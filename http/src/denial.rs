//! Refused access, counted per principal and minute: the first refusal and then one event a minute with its count, so
//! that an attack is in the ledger without filling it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keiin_domain::access::RecordDenial;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::role::Role;
use uuid::Uuid;

use crate::app::{App, ROOT};
use crate::clock;
use crate::execute::{Call, execute};
use crate::principal::Principal;
use crate::problem::Problem;

const MINUTE_US: i64 = 60 * 1_000_000;

/// Refusals not yet written.
#[derive(Default)]
pub struct Denials(Mutex<HashMap<(Uuid, Uuid), Count>>);

struct Count {
    principal: Principal,
    operation: String,
    since_us: i64,
    waiting: u32,
}

impl Denials {
    /// Counts a refusal. Says whether it is the first of its minute, which is written at once.
    fn count(&self, principal: &Principal, operation: &str, now_us: i64) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let key = (principal.ledger, principal.actor.id);
        match counts.get_mut(&key) {
            Some(count) => {
                count.waiting += 1;
                count.operation = operation.to_owned();
                false
            }
            None => {
                let (principal, operation) = (principal.clone(), operation.to_owned());
                counts.insert(key, Count { principal, operation, since_us: now_us, waiting: 0 });
                true
            }
        }
    }

    /// Takes out what a minute has passed over.
    fn due(&self, now_us: i64) -> Vec<Count> {
        let mut counts = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let due: Vec<_> =
            counts.iter().filter(|(_, c)| now_us >= c.since_us + MINUTE_US).map(|(key, _)| *key).collect();
        due.iter().filter_map(|key| counts.remove(key)).filter(|count| count.waiting > 0).collect()
    }
}

/// Records that somebody known was refused.
pub async fn denied(app: &App, principal: &Principal, operation: &str, call: &Call) {
    if app.denials.count(principal, operation, call.now_us)
        && let Err(problem) = write(app, principal, operation, 1, call).await
    {
        tracing::warn!(code = problem.code, "a denial could not be recorded");
    }
}

/// Records that somebody unknown was refused, in the root ledger.
pub async fn denied_stranger(app: &App, operation: &str, call: &Call) {
    let actor = Actor::new(actor_kind::ANONYMOUS, Uuid::nil(), Role::LinkHolder);
    let nobody = Principal::new(ROOT, actor);
    denied(app, &nobody, operation, call).await;
}

async fn write(app: &App, principal: &Principal, operation: &str, count: u32, call: &Call) -> Result<(), Problem> {
    // The server writes it down, in the name of who was refused.
    let writer = Principal { scopes: None, ..principal.clone() };
    let allowed =
        Principal { actor: Actor { role: Role::System, ..writer.actor }, ..writer }.allow::<RecordDenial>()?;
    let call = Call { key: None, target: None, if_match: None, ..call.clone() };
    execute(app, &allowed, RecordDenial { operation: operation.to_owned(), count }, &call).await?;
    Ok(())
}

/// Writes the counts of past minutes.
pub async fn run(app: Arc<App>) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        let now_us = clock::now_us();
        for count in app.denials.due(now_us) {
            let call = Call::internal(now_us);
            if let Err(problem) = write(&app, &count.principal, &count.operation, count.waiting, &call).await {
                tracing::warn!(code = problem.code, "denials could not be recorded");
            }
        }
    }
}
