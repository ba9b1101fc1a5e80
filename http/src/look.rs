//! Looks at data about persons, as events in the company's own ledger: one for each actor, object, way and hour.
//!
//! Invariants:
//! * Exactly one: the append's id follows from actor, object, way and hour, so the log takes it once, whoever else is
//!   looking at the same moment, on whichever node, also after a restart. What is remembered here only saves asking it.
//! * The record is durable before the answer leaves. When the ledger cannot be written, what is privileged is not shown.
//!   What is personal is: somebody at a reception desk must not stand before an empty screen because a disk is full. The
//!   look is kept and written later with the time at which it happened; what is lost by a restart meanwhile was in the log
//!   of the process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keiin_domain::command::{Aggregate, Command};
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::data::{Data, DataClass, Look, RecordView};
use keiin_domain::member::Member;
use keiin_domain::role::Role;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::clock;
use crate::execute::{Call, execute, request_hash};
use crate::principal::Principal;
use crate::problem::Problem;

const HOUR_US: i64 = 3_600 * 1_000_000;
/// Looks of this hour that are remembered; more are asked of the ledger.
const REMEMBERED: usize = 100_000;
/// Looks that wait for a ledger; what comes on top is lost and logged.
const WAITING: usize = 10_000;

/// What somebody looks at.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Seen {
    /// Kind of its stream.
    pub kind: String,
    /// Its id.
    pub id: Uuid,
    /// How far it may go.
    pub class: DataClass,
    /// How it was seen.
    pub how: Look,
}

/// The hour since 1970, and who (company, actor) has seen what in it.
type Known = (i64, HashSet<(Uuid, Uuid, Seen)>);

/// Looks of this hour that stand in a ledger, and those that wait for one.
#[derive(Default)]
pub struct Looks {
    known: Mutex<Known>,
    waiting: Mutex<Vec<(Principal, Seen, Call)>>,
}

impl Looks {
    fn knows(&self, principal: &Principal, seen: &Seen, hour: i64) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.0 == hour && known.1.contains(&(principal.ledger, principal.actor.id, seen.clone()))
    }

    fn remember(&self, principal: &Principal, seen: &Seen, hour: i64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != hour || known.1.len() >= REMEMBERED {
            *known = (hour, HashSet::new());
        }
        known.1.insert((principal.ledger, principal.actor.id, seen.clone()));
    }

    fn wait(&self, principal: &Principal, seen: &Seen, call: &Call) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = waiting.len() < WAITING;
        if room {
            waiting.push((principal.clone(), seen.clone(), call.clone()));
        }
        room
    }
}

/// What the answer to a query about one thing shows, if looking at it is an event: the record, mail or object that the
/// answer names as its own `object`, else the query's noun under the answer's id.
pub fn shown(query: &str, class: DataClass, answer: &Value) -> Option<Seen> {
    let noun = query.strip_prefix("get_")?;
    let about = answer.get("object");
    let kind = about.and_then(|object| object["kind"].as_str()).unwrap_or(noun);
    let id = about.unwrap_or(answer)["id"].as_str()?.parse().ok()?;
    Some(Seen { kind: kind.to_owned(), id, class, how: Look::Shown })
}

/// Writes down that somebody looked, unless it stands there already for this hour. An error means: do not show it.
pub async fn record(app: &App, principal: &Principal, seen: Seen, call: &Call) -> Result<(), Problem> {
    let own = seen.kind == Member::STREAM && principal.member == Some(seen.id);
    // A look at a record of looks is none, or reading the trail would never end.
    let endless = seen.kind == Data::STREAM;
    if !seen.class.is_recorded() || own || endless || principal.actor.kind == actor_kind::SYSTEM {
        return Ok(());
    }
    let hour = call.now_us.div_euclid(HOUR_US);
    if app.looks.knows(principal, &seen, hour) {
        return Ok(());
    }
    match write(app, principal, &seen, call, None).await {
        Ok(()) => app.looks.remember(principal, &seen, hour),
        Err(problem) if seen.class == DataClass::Privileged => return Err(problem),
        Err(problem) => {
            metrics::counter!("keiin_looks_delayed_total").increment(1);
            let kept = app.looks.wait(principal, &seen, call);
            let (actor, kind, id) = (principal.actor.id, &seen.kind, seen.id);
            tracing::error!(code = problem.code, ledger = %principal.ledger, %actor, kind, %id, kept, "a look waits");
        }
    }
    Ok(())
}

async fn write(
    app: &App,
    principal: &Principal,
    seen: &Seen,
    call: &Call,
    later_us: Option<i64>,
) -> Result<(), Problem> {
    // The server writes it down, in the name of who looked.
    let actor = Actor { role: Role::System, ..principal.actor };
    let writer = Principal { actor, scopes: None, must_enrol: false, ..principal.clone() };
    let hour = call.now_us.div_euclid(HOUR_US);
    let key = format!("{} {} {} {} {hour}", actor.id, seen.kind, seen.id, seen.how.name());
    let call = Call {
        target: None,
        new_id: None,
        if_match: None,
        request_hash: request_hash(&writer, RecordView::NAME, None, key.as_bytes()),
        key: Some(key),
        now_us: later_us.unwrap_or(call.now_us),
        occurred_at_us: later_us.map(|_| call.now_us),
        ..call.clone()
    };
    let Seen { kind, id, class, how } = seen.clone();
    execute(app, &writer.allow::<RecordView>()?, RecordView { kind, id, class, how }, &call).await?;
    Ok(())
}

/// Writes what had to wait.
pub async fn run(app: Arc<App>) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        let waiting = std::mem::take(&mut *app.looks.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for (principal, seen, call) in waiting {
            if write(&app, &principal, &seen, &call, Some(clock::now_us())).await.is_err() {
                app.looks.wait(&principal, &seen, &call);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_ledger_to_write_to_only_what_is_privileged_stays_hidden() {
        let folder = std::env::temp_dir().join(format!("keiin-look-{}", crate::random::digits(12)));
        let data = crate::datadir::DataDir::new(&folder);
        data.create("localhost", &[]).unwrap();
        let app = App::open(crate::config::Config::default(), data).await.unwrap();
        let actor = Actor::new(actor_kind::MEMBER, Uuid::from_u128(1), Role::Owner);
        let nowhere = Principal::new(Uuid::from_u128(2), actor);
        let call = Call::internal(1_793_577_600_000_000);
        let look = |class| Seen { kind: "visit".into(), id: Uuid::from_u128(3), class, how: Look::Shown };
        record(&app, &nowhere, look(DataClass::Personal), &call).await.unwrap();
        assert_eq!(app.looks.waiting.lock().unwrap().len(), 1, "it is written later");
        record(&app, &nowhere, look(DataClass::Privileged), &call).await.unwrap_err();
        record(&app, &nowhere, look(DataClass::Internal), &call).await.unwrap();
        assert_eq!(app.looks.waiting.lock().unwrap().len(), 1);
        drop(app);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_answer_says_what_it_shows() {
        let id = Uuid::from_u128(7);
        let seen = |query, answer: Value| shown(query, DataClass::Personal, &answer).map(|s| (s.kind, s.id));
        assert_eq!(seen("get_member", json!({ "id": id })), Some(("member".into(), id)));
        let about = json!({ "id": "42-0", "object": { "kind": "visit", "id": id } });
        assert_eq!(seen("get_mail", about), Some(("visit".into(), id)));
        assert_eq!(seen("list_members", json!({ "items": [] })), None);
    }
}
