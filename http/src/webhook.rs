//! Messages to endpoints (decision 33): each record that an endpoint wants is sent to it, signed by Standard Webhooks or as a
//! sentence to Slack, and tried again for three days.
//!
//! Invariants:
//! * At least once: a message counts as delivered when its receiver has said so and that is written down. A second copy has
//!   the first one's id.
//! * One endpoint keeps no other waiting: each has a lane of its own with [`AT_ONCE`] messages under way, and a company
//!   [`LANES_A_COMPANY`] lanes that take turns.
//! * What an event must say (given up, switched off) is in the ledger before the message is done with.

pub mod sign;
pub mod text;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use keiin_domain::command::Command;
use keiin_domain::webhook::{GiveUpWebhook, KEPT_URL, RemoveWebhook, SuspendWebhook, WebhookOff};
use keiin_eventlog::vault::Entry;
use keiin_projections::webhook::delivery::{self, Message, Outcome, Try};
use keiin_projections::webhook::{Endpoint, endpoint_now, endpoints};
use tokio::sync::Semaphore;
use uuid::Uuid;

use self::sign::{KEYS, Keys};
use crate::app::App;
use crate::execute::{Call, by_server};
use crate::outbound::{Answer, Sent};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::{clock, random};

/// Messages of one endpoint that are under way at once.
const AT_ONCE: usize = 4;
/// Lanes of one company that go on at once.
const LANES_A_COMPANY: usize = 8;
/// Messages that this process has under way at once.
const ALL_AT_ONCE: usize = 64;
/// How often it is looked for what has become due.
const QUIET: Duration = Duration::from_secs(2);
/// How often it is noted in the vault how far everything is settled, and what is old is forgotten, microseconds.
const TIDY_US: i64 = 60 * 1_000_000;
/// Pages of records that one endpoint's cursor passes in a round.
const PAGES: usize = 10;
/// Waits after each try that failed, seconds: the schedule that Standard Webhooks recommends. After the last one a message
/// is given up.
const WAITS_S: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// An endpoint that has taken nothing for so long is switched off, microseconds.
const FAILING_US: i64 = 5 * 86_400 * 1_000_000;
/// Most of an answer that is kept, bytes.
const ANSWER_KEPT: usize = 1 << 10;
/// Vault entries that say up to which record an endpoint's messages are settled.
const SETTLED: &str = "whc";

/// What is under way.
struct Lanes {
    busy: Mutex<HashSet<(Uuid, Uuid)>>,
    companies: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
    all: Semaphore,
}

impl Lanes {
    fn busy(&self) -> MutexGuard<'_, HashSet<(Uuid, Uuid)>> {
        self.busy.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn of(&self, company: Uuid) -> Arc<Semaphore> {
        let mut companies = self.companies.lock().unwrap_or_else(|e| e.into_inner());
        companies.entry(company).or_insert_with(|| Arc::new(Semaphore::new(LANES_A_COMPANY))).clone()
    }
}

/// Sends messages until the server stops.
pub async fn run(app: Arc<App>) {
    if !app.outbound.is_on() {
        return;
    }
    let lanes = Lanes { busy: Mutex::default(), companies: Mutex::default(), all: Semaphore::new(ALL_AT_ONCE) };
    let lanes = Arc::new(lanes);
    let mut folded = app.runner.folded();
    let (mut passed, mut tidied_us) = (HashMap::new(), 0);
    while !*app.stopping.borrow() {
        let now_us = clock::now_us();
        folded.mark_unchanged();
        if let Err(problem) = round(&app, &lanes, &mut passed, now_us).await {
            tracing::warn!(code = problem.code, "messages to webhooks wait for another try");
        }
        if !(tidied_us..tidied_us + TIDY_US).contains(&now_us) {
            tidied_us = now_us;
            if let Err(problem) = settle(&app, now_us) {
                tracing::warn!(code = problem.code, "it could not be noted how far webhooks are settled");
            }
        }
        app.rest(&mut folded, QUIET).await;
        // What comes in this moment is one round.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Passes the records that are new and opens a lane for every endpoint for which something is due. `passed` knows how far
/// each cursor is.
async fn round(
    app: &Arc<App>,
    lanes: &Arc<Lanes>,
    passed: &mut HashMap<(Uuid, Uuid), u64>,
    now_us: i64,
) -> Result<(), Problem> {
    let all = if app.sends() { endpoints(&app.read)? } else { vec![] };
    passed.retain(|key, _| all.iter().any(|of| (of.ledger, of.id) == *key));
    for of in &all {
        let folded = app.runner.folded().borrow().get(&of.ledger).copied().unwrap_or(0);
        let key = (of.ledger, of.id);
        let known = match passed.get(&key) {
            Some(next) => *next,
            None => begin(app, of)?,
        };
        let mut next = known.max(of.counts_from + 1);
        for _ in 0..PAGES {
            if next >= folded {
                break;
            }
            let reached = delivery::pass(&app.read, of, next, now_us)?;
            if reached == next {
                break;
            }
            next = reached;
        }
        passed.insert(key, next);
    }
    if all.is_empty() {
        return Ok(());
    }
    for key in delivery::due(&app.read, now_us)? {
        if lanes.busy().insert(key) {
            let (app, lanes) = (app.clone(), lanes.clone());
            tokio::spawn(async move {
                if let Err(problem) = lane(&app, &lanes, key).await {
                    tracing::warn!(code = problem.code, webhook = %key.1, "an endpoint waits for another try");
                }
                lanes.busy().remove(&key);
            });
        }
    }
    Ok(())
}

/// Where an endpoint's cursor begins: where it was; else, if the read models were lost, where all was settled.
fn begin(app: &App, of: &Endpoint) -> Result<u64, Problem> {
    if let Some(next) = delivery::cursor(&app.read, of)? {
        return Ok(next);
    }
    let kept = app.vault.get(SETTLED, of.id.as_bytes())?.and_then(|entry| entry.value.try_into().ok());
    Ok(kept.map_or(0, u64::from_be_bytes))
}

/// Notes in the vault how far everything is settled, where that has moved, and forgets what is old.
fn settle(app: &App, now_us: i64) -> Result<(), Problem> {
    for of in endpoints(&app.read)? {
        let Some(settled) = delivery::settled(&app.read, &of)? else { continue };
        let value = settled.to_be_bytes().to_vec();
        let lookup = of.id.as_bytes().to_vec();
        if app.vault.get(SETTLED, &lookup)?.is_none_or(|entry| entry.value != value) {
            let (kind, ledger, owner) = (SETTLED.to_owned(), of.ledger, of.id);
            let entry = Entry { kind, lookup, ledger, owner, value, created_us: now_us, expires_us: None };
            app.vault.put(&[entry])?;
        }
    }
    Ok(delivery::forget(&app.read, now_us)?)
}

/// Sends what is due for one endpoint, until nothing is.
async fn lane(app: &App, lanes: &Lanes, (ledger, id): (Uuid, Uuid)) -> Result<(), Problem> {
    let company = lanes.of(ledger);
    while !*app.stopping.borrow() && app.sends() {
        let _turn = company.acquire().await;
        let Some(of) = endpoint_now(&app.read, ledger, id)? else { break };
        let messages = delivery::take(&app.read, &of, clock::now_us(), AT_ONCE as u64)?;
        if messages.is_empty() {
            break;
        }
        let sent: Vec<Result<(), Problem>> =
            iter(messages).map(|message| send(app, lanes, &of, message)).buffer_unordered(AT_ONCE).collect().await;
        sent.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}

/// Sends one message and notes what came of it.
async fn send(app: &App, lanes: &Lanes, of: &Endpoint, message: Message) -> Result<(), Problem> {
    let _turn = lanes.all.acquire().await;
    let now_us = clock::now_us();
    if *app.stopping.borrow() || !app.sends() {
        return Ok(delivery::give_back(&app.read, of, &message, now_us)?);
    }
    if !delivery::hold(&app.read, of, &message, now_us)? {
        return Ok(());
    }
    let Sent { answer, took } = match address(app, of)? {
        Some(url) => {
            let (headers, body) = written(app, of, &message, now_us)?;
            app.outbound.post(&url, &headers, body).await
        }
        None => Sent { answer: Err("its address is lost: enter it again".to_owned()), took: Duration::ZERO },
    };
    let done_us = clock::now_us();
    let outcome = outcome(&answer, message.attempts, done_us);
    let status = answer.as_ref().map_or(0, |answer| answer.status);
    let tried = Try {
        at: delivery::at(now_us),
        status: answer.as_ref().ok().map(|answer| answer.status),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        answer: answer.as_ref().map_or_else(|_| String::new(), |answer| beginning(&answer.body)),
        error: answer.as_ref().err().cloned().unwrap_or_default(),
    };
    let (server, call) = (Principal::system(of.ledger), Call::internal(done_us).on(of.id));
    let suspend = |why| SuspendWebhook { why, status };
    // What somebody else has taken up meanwhile is theirs to give up.
    let ours = outcome != Outcome::Dead || delivery::hold(&app.read, of, &message, done_us)?;
    if ours && status == GONE {
        by_server(app, &server, suspend(WebhookOff::Gone), &call).await?;
    } else if ours && outcome == Outcome::Dead {
        let given_up = GiveUpWebhook { of_position: message.position, attempts: message.attempts, status };
        let call = Call { cause: Some(message.position), ..call.clone() };
        by_server(app, &server, given_up, &call).await?;
    }
    let failing_since = delivery::finish(&app.read, of, &message, tried, outcome, done_us)?;
    if failing_since.is_some_and(|since| since <= done_us - FAILING_US) {
        by_server(app, &server, suspend(WebhookOff::Failing), &call).await?;
        // Whoever switches it on again, however soon, gives it as long as before.
        delivery::begin_anew(&app.read, of)?;
    }
    Ok(())
}

/// The status that says "do not come again" (RFC 9110, 15.5.11).
const GONE: u16 = 410;

/// What a try came to: taken, gone for good, or to be tried again when the schedule or the receiver says so.
fn outcome(answer: &Result<Answer, String>, attempts: u32, now_us: i64) -> Outcome {
    let asked = match answer {
        Ok(answer) if (200..300).contains(&answer.status) => return Outcome::Delivered,
        Ok(answer) if answer.status == GONE => return Outcome::Dead,
        Ok(answer) if matches!(answer.status, 429 | 503) => answer.retry_after_s.map_or(0, i64::from),
        _ => 0,
    };
    let Some(wait) = WAITS_S.get(attempts.max(1) as usize - 1) else { return Outcome::Dead };
    let wait_ms = asked.min(86_400).max(*wait) * 1_000;
    // So that what failed together does not come back together.
    let chance = i64::from(u16::from_be_bytes(random::bytes())) * wait_ms / 10 / i64::from(u16::MAX);
    Outcome::Later(now_us + (wait_ms + chance) * 1_000)
}

/// Where messages go: as it was registered, or from the vault if it is a secret.
fn address(app: &App, of: &Endpoint) -> Result<Option<String>, Problem> {
    let Some(kept) = of.kept_url else { return Ok(Some(of.url.clone())) };
    let entry = app.vault.get(KEPT_URL, kept.as_bytes())?.filter(|entry| entry.owner == of.id);
    Ok(entry.and_then(|entry| String::from_utf8(entry.value).ok()))
}

type Headers = Vec<(&'static str, String)>;

/// Headers and body of a message.
fn written(app: &App, of: &Endpoint, message: &Message, now_us: i64) -> Result<(Headers, String), Problem> {
    if of.is_slack {
        return Ok((vec![], text::sentence(app, of, message)));
    }
    let (id, timestamp) = (delivery::header(message.id), now_us / 1_000_000);
    let body = text::body(of.ledger, message);
    let prior = of.prior.filter(|(_, until)| now_us < *until).map(|(keys, _)| keys);
    let mut signatures = vec![];
    for keys in of.keys.iter().chain(&prior) {
        let entry = app.vault.get(KEYS, keys.id.as_bytes())?;
        let keys = entry.and_then(|entry| Keys::of_bytes(&entry.value));
        signatures.extend(keys.map(|keys| keys.sign(&id, timestamp, &body)));
    }
    let headers = vec![
        ("webhook-id", id),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    Ok((headers, body))
}

/// The first part of an answer, as text that can be shown.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(ANSWER_KEPT)]);
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

/// Rids the vault of keys and addresses that no message needs any more.
pub async fn tidy(app: &App, command: &str, ledger: Uuid, webhook: Uuid, position: u64) -> Result<(), Problem> {
    app.wait(ledger, position).await?;
    if command == RemoveWebhook::NAME {
        for kind in [KEYS, KEPT_URL, SETTLED] {
            app.vault.delete_owned(ledger, webhook, kind)?;
        }
        return Ok(());
    }
    let Some(of) = endpoint_now(&app.read, ledger, webhook)? else { return Ok(()) };
    let needed = [of.keys.map(|keys| keys.id), of.prior.map(|(keys, _)| keys.id), of.kept_url];
    for kind in [KEYS, KEPT_URL] {
        for entry in app.vault.list(kind, ledger, Some(webhook))? {
            if !needed.iter().flatten().any(|id| id.as_bytes() == entry.lookup.as_slice()) {
                app.vault.delete(kind, &entry.lookup)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, retry_after_s: Option<u32>) -> Result<Answer, String> {
        Ok(Answer { status, retry_after_s, body: vec![] })
    }

    fn wait_s(answer: &Result<Answer, String>, attempts: u32) -> i64 {
        match outcome(answer, attempts, 0) {
            Outcome::Later(at) => at / 1_000_000,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_tried_for_days_and_then_given_up() {
        let down: Result<Answer, String> = Err("connection refused".into());
        let mut all = 0;
        for (attempts, wait) in (1..).zip(WAITS_S) {
            for answer in [&down, &said(500, None), &said(302, None), &said(404, None), &said(400, Some(9_999_999))] {
                assert!((wait..=wait + wait / 10).contains(&wait_s(answer, attempts)), "{attempts}");
            }
            all += wait;
        }
        assert!((3 * 86_400..4 * 86_400).contains(&all));
        assert_eq!(outcome(&down, 10, 0), Outcome::Dead);
        for taken in [200, 201, 204, 299] {
            assert_eq!(outcome(&said(taken, None), 1, 0), Outcome::Delivered);
        }
        assert_eq!(outcome(&said(410, None), 1, 0), Outcome::Dead);
    }

    #[test]
    fn a_receiver_that_says_when_is_heard_within_a_day() {
        assert!((600..=660).contains(&wait_s(&said(429, Some(600)), 1)));
        assert!((600..=660).contains(&wait_s(&said(503, Some(600)), 1)));
        assert!((300..=330).contains(&wait_s(&said(503, Some(1)), 2)), "never before the schedule");
        assert!((86_400..=95_040).contains(&wait_s(&said(429, Some(u32::MAX)), 1)));
    }

    #[test]
    fn of_an_answer_the_beginning_is_kept_as_text() {
        assert_eq!(beginning(b"<b>\x1b[31mno\r\nway\0"), "<b>[31mno\nway");
        assert_eq!(beginning(&[b'a'; 5_000]).len(), 1_024);
        assert!(beginning(&[0xff; 10]).chars().all(|c| c == '\u{fffd}'));
    }
}
