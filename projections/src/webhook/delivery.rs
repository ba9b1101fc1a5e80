//! Messages to endpoints: what waits, what was tried, what came of it. These rows are no projection: they are made by going
//! over the records once for each endpoint, and a rebuild leaves them alone.
//!
//! Invariant: a row and the cursor's move past its record are one transaction, so a record is passed once and not lost.

use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::data::DataClass;
use keiin_domain::role::{Permission, Role};
use keiin_domain::webhook::wants;
use keiin_eventlog::record::Hash;
use keiin_eventlog::sql::{Scope, Tx};
use keiin_eventlog::values;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Endpoint;
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who, rfc3339};
use crate::table::cell;
use crate::view::{Json, Row, Seen, SqlError, Time, col, json};

/// Records that a cursor passes at once.
const PAGE: u64 = 500;
/// How long a message that was handed out is not handed out again, microseconds: longer than any answer is waited for.
pub const LEASE_US: i64 = 30 * 1_000_000;
/// How long what is done is remembered, microseconds.
const KEPT_US: i64 = 30 * 86_400 * 1_000_000;
/// Most tries that a message remembers.
const TRIES_MAX: usize = 20;

const SYSTEM: Actor = Actor::new(actor_kind::SYSTEM, Uuid::nil(), Role::System);

/// By which a message is known, here and at its receiver: the same whenever it is sent.
pub fn message_id(ledger: Uuid, webhook: Uuid, position: u64) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(ledger);
    hash.update(webhook);
    hash.update(position.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// How far the endpoint's cursor is: the next record; `None` where it has none yet.
pub fn cursor(read: &Read, of: &Endpoint) -> Result<Option<u64>, Refusal> {
    let sql = "SELECT next FROM webhook_cursors WHERE ledger = $1 AND webhook_id = $2";
    let row =
        read.sql(|connection| Ok(connection.row(Scope::Ledger(of.ledger), sql, &values![of.ledger, of.id])?))?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Moves the endpoint's cursor from `from` over the next records, and queues what it wants of them. Where the cursor stands
/// now; the same if there was nothing.
pub fn pass(read: &Read, of: &Endpoint, from: u64, now_us: i64) -> Result<u64, Refusal> {
    let who = Who { ledger: of.ledger, actor: SYSTEM, member: None, acts_for: vec![], now_us };
    let found = between(read, &who, from, from + PAGE - 1)?;
    let Some(next) = found.last().map(|record| record.position + 1) else { return Ok(from) };
    let (mut fresh, mut again) = (vec![], vec![]);
    for record in found {
        if record.stream_id != of.id {
            if wants(&of.events, &record.kind) {
                fresh.push(record);
            }
        } else if record.kind == "webhook.pinged" {
            fresh.push(record);
        } else if record.kind == "webhook.replay_ordered" {
            let ordered = "SELECT first, last FROM webhook_replays WHERE ledger = :ledger AND position = ?";
            let range = read.rows(&who, ordered, vec![cell(record.position)], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let Some((first, last)) = range.first().copied() else { continue };
            let mut records = between(read, &who, first, u64::min(last, record.position))?;
            records
                .retain(|r| if r.stream_id == of.id { r.kind == "webhook.pinged" } else { wants(&of.events, &r.kind) });
            again.extend(records);
        }
    }
    read.sql(|connection| {
        let stands = connection.write(Scope::Ledger(of.ledger), |tx| {
            // Another node may have been faster: its rows are there, as far as it has come and no further.
            let sql = "INSERT INTO webhook_cursors (ledger, webhook_id, next) VALUES ($1, $2, $3)
                       ON CONFLICT (ledger, webhook_id) DO UPDATE SET next = $3 WHERE webhook_cursors.next <= $4";
            if tx.execute(sql, &values![of.ledger, of.id, next, from])? == 0 {
                let sql = "SELECT next FROM webhook_cursors WHERE ledger = $1 AND webhook_id = $2";
                let row = tx.row(sql, &values![of.ledger, of.id])?;
                return Ok::<_, SqlError>(row.map(|row| row.get(0)).transpose()?.unwrap_or(from));
            }
            fresh.iter().try_for_each(|record| queue(tx, of, record, "NOTHING", now_us))?;
            let anew = "UPDATE SET status = 'queued', attempts = 0, next_at = $6, done_at = NULL";
            again.iter().try_for_each(|record| queue(tx, of, record, anew, now_us))?;
            Ok(next)
        })?;
        Ok(stands)
    })
}

fn queue(tx: &mut Tx<'_>, of: &Endpoint, record: &Passed, if_there: &str, now_us: i64) -> Result<(), SqlError> {
    let sql = format!(
        "INSERT INTO webhook_deliveries (ledger, id, webhook_id, position, kind, status, attempts, next_at, queued_at, tries)
         VALUES ($1, $2, $3, $4, $5, 'queued', 0, $6, $6, '[]') ON CONFLICT (ledger, id) DO {if_there}"
    );
    let id = message_id(of.ledger, of.id, record.position);
    tx.execute(&sql, &values![of.ledger, id, of.id, record.position, record.kind.as_str(), now_us]).map(|_| ())
}

/// A record, as a cursor sees it.
struct Passed {
    position: u64,
    kind: String,
    stream_id: Uuid,
}

fn between(read: &Read, who: &Who, first: u64, last: u64) -> Result<Vec<Passed>, Refusal> {
    let sql = "SELECT position, kind, stream_id FROM events
               WHERE ledger = :ledger AND position >= ? AND position <= ? ORDER BY position";
    read.rows(who, sql, vec![cell(first), cell(last)], |row| {
        Ok(Passed { position: row.get(0)?, kind: row.get(1)?, stream_id: row.get(2)? })
    })
}

/// Endpoints for which something must go out now, each with its company.
pub fn due(read: &Read, now_us: i64) -> Result<Vec<(Uuid, Uuid)>, Refusal> {
    let sql = "SELECT DISTINCT d.ledger, d.webhook_id FROM webhook_deliveries d
               JOIN webhooks w ON w.ledger = d.ledger AND w.id = d.webhook_id AND w.off = '' AND w.removed = 0
               WHERE d.status = 'queued' AND d.next_at <= $1";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![now_us])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}

/// A message to be sent now.
#[derive(Clone, Debug)]
pub struct Message {
    /// See [`message_id`].
    pub id: Uuid,
    /// Of the record.
    pub position: u64,
    /// Of the record.
    pub kind: String,
    /// Of the record.
    pub time: Time,
    /// Of the record.
    pub hash: Hash,
    /// What it is about.
    pub object_kind: String,
    /// What it is about.
    pub object_id: Uuid,
    /// What people call that today. May be a person's name: see [`Message::is_about_persons`].
    pub label: Option<String>,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

impl Message {
    /// Is the label of its object a person's name?
    pub fn is_about_persons(&self) -> bool {
        let things =
            ["document", "batch_part", "delivery", "item", "template", "kiosk", "token", "application", "tenant"];
        !things.contains(&self.object_kind.as_str())
    }
}

/// Hands out the endpoint's oldest messages that must go out now; each is leased for [`LEASE_US`] and must be [`finish`]ed
/// or [given back](give_back); right before it is sent, [`hold`] must have said that it is still ours.
pub fn take(read: &Read, of: &Endpoint, now_us: i64, most: u64) -> Result<Vec<Message>, Refusal> {
    let who = Who { ledger: of.ledger, actor: SYSTEM, member: None, acts_for: vec![], now_us };
    let sql = format!(
        "SELECT d.id AS message, d.attempts, t.* FROM webhook_deliveries d
         JOIN {} t ON t.ledger = d.ledger AND t.position = d.position
         WHERE d.ledger = :ledger AND d.webhook_id = ? AND d.status = 'queued' AND d.next_at <= :now
         ORDER BY d.position LIMIT ?",
        crate::event::FROM
    );
    let found = read.rows(&who, &sql, vec![cell(of.id), cell(most)], |row| {
        Ok(Message {
            id: col(row, "message")?,
            position: col(row, "position")?,
            kind: col(row, "kind")?,
            time: col(row, "time")?,
            hash: Hash(col(row, "hash")?),
            object_kind: col(row, "stream_kind")?,
            object_id: col(row, "stream_id")?,
            label: col(row, "label")?,
            attempts: col::<u32>(row, "attempts")? + 1,
        })
    })?;
    let lease = "UPDATE webhook_deliveries SET attempts = $3, next_at = $4
                 WHERE ledger = $1 AND id = $2 AND status = 'queued' AND attempts = $3 - 1";
    read.sql(|connection| {
        let mut mine = vec![];
        connection.write(Scope::Ledger(of.ledger), |tx| {
            for message in found {
                if tx.execute(lease, &values![of.ledger, message.id, message.attempts, now_us + LEASE_US])? > 0 {
                    mine.push(message);
                }
            }
            Ok::<_, SqlError>(())
        })?;
        Ok(mine)
    })
}

/// What is still ours of a message: nobody has taken it since this attempt began.
const OURS: &str = "ledger = $1 AND id = $2 AND status = 'queued' AND attempts = $3";

/// Is a message that was handed out still ours? Then it is leased anew. Whoever was paused, or waited long for their turn, may
/// find that another node has taken it meanwhile.
pub fn hold(read: &Read, of: &Endpoint, message: &Message, now_us: i64) -> Result<bool, Refusal> {
    let sql = format!("UPDATE webhook_deliveries SET next_at = $4 WHERE {OURS}");
    let values = values![of.ledger, message.id, message.attempts, now_us + LEASE_US];
    read.sql(|connection| Ok(connection.write(Scope::Ledger(of.ledger), |tx| tx.execute(&sql, &values))? > 0))
}

/// Puts a message back that was not tried, unless another node has taken it meanwhile.
pub fn give_back(read: &Read, of: &Endpoint, message: &Message, now_us: i64) -> Result<(), Refusal> {
    let sql = format!("UPDATE webhook_deliveries SET attempts = attempts - 1, next_at = $4 WHERE {OURS}");
    write(read, of.ledger, &sql, &values![of.ledger, message.id, message.attempts, now_us])
}

/// One try.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Try {
    /// When, RFC 3339.
    pub at: String,
    /// HTTP status of the answer; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// The first 1 KiB of the answer, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// What a try came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was taken.
    Delivered,
    /// It is tried again then, microseconds UTC.
    Later(i64),
    /// It is given up.
    Dead,
}

/// Writes down what a try came to; since when the endpoint has taken nothing, microseconds UTC. Where another node has taken
/// the message meanwhile, only a success counts: that it was not taken here is no news then.
pub fn finish(
    read: &Read,
    of: &Endpoint,
    message: &Message,
    tried: Try,
    outcome: Outcome,
    now_us: i64,
) -> Result<Option<i64>, Refusal> {
    let (status, next_at, done_at) = match outcome {
        Outcome::Delivered => ("delivered", 0, Some(now_us)),
        Outcome::Later(at) => ("queued", at, None),
        Outcome::Dead => ("dead", 0, Some(now_us)),
    };
    let failing = (outcome != Outcome::Delivered).then_some(now_us);
    read.sql(|connection| {
        let since = connection.write(Scope::Ledger(of.ledger), |tx| {
            let known = "SELECT tries FROM webhook_deliveries WHERE ledger = $1 AND id = $2";
            let row = tx.row(known, &values![of.ledger, message.id])?;
            let mut tries: Vec<Try> = row.map(|row| col::<Json<_>>(&row, "tries")).transpose()?.map_or(vec![], |t| t.0);
            tries.push(tried);
            let tries = json(&tries.split_off(tries.len().saturating_sub(TRIES_MAX)));
            let sql = "UPDATE webhook_deliveries SET tries = $3 WHERE ledger = $1 AND id = $2";
            tx.execute(sql, &values![of.ledger, message.id, tries])?;
            // Fewer attempts than ours: it was ordered once more since, which is another sending.
            let ours = if outcome == Outcome::Delivered { "attempts >= $3" } else { "status = 'queued' AND attempts = $3" };
            let sql = format!(
                "UPDATE webhook_deliveries SET status = $4, next_at = $5, done_at = $6 WHERE ledger = $1 AND id = $2 AND {ours}"
            );
            let values = values![of.ledger, message.id, message.attempts, status, next_at, done_at];
            if tx.execute(&sql, &values)? > 0 {
                let sql = "UPDATE webhook_cursors SET failing_since = CASE WHEN $3 = 0 THEN NULL ELSE coalesce(failing_since, $3) END
                           WHERE ledger = $1 AND webhook_id = $2";
                tx.execute(sql, &values![of.ledger, of.id, failing.unwrap_or(0)])?;
            }
            let sql = "SELECT failing_since FROM webhook_cursors WHERE ledger = $1 AND webhook_id = $2";
            let row = tx.row(sql, &values![of.ledger, of.id])?;
            Ok::<Option<i64>, SqlError>(row.map(|row| row.get(0)).transpose()?.flatten())
        })?;
        Ok(since)
    })
}

/// Forgets since when an endpoint has taken nothing.
pub fn begin_anew(read: &Read, of: &Endpoint) -> Result<(), Refusal> {
    let sql = "UPDATE webhook_cursors SET failing_since = NULL WHERE ledger = $1 AND webhook_id = $2";
    write(read, of.ledger, sql, &values![of.ledger, of.id])
}

/// The record before which nothing waits for the endpoint any more.
pub fn settled(read: &Read, of: &Endpoint) -> Result<Option<u64>, Refusal> {
    let sql =
        "SELECT coalesce((SELECT min(d.position) FROM webhook_deliveries d WHERE d.ledger = $1 AND d.webhook_id = $2
                 AND d.status = 'queued'), c.next) FROM webhook_cursors c WHERE c.ledger = $1 AND c.webhook_id = $2";
    let row =
        read.sql(|connection| Ok(connection.row(Scope::Ledger(of.ledger), sql, &values![of.ledger, of.id])?))?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Forgets what was done long ago, what was for endpoints that are gone, and since when an endpoint that is off failed.
pub fn forget(read: &Read, now_us: i64) -> Result<(), Refusal> {
    let gone = "SELECT ledger, id, removed FROM webhooks WHERE off <> '' OR removed = 1";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, gone, &[])?))?;
    let old = "SELECT DISTINCT ledger FROM webhook_deliveries WHERE status <> 'queued' AND done_at < $1";
    let ledgers = read.sql(|connection| Ok(connection.query(Scope::All, old, &values![now_us - KEPT_US])?))?;
    for row in &rows {
        let (ledger, id): (Uuid, Uuid) = (row.get(0)?, row.get(1)?);
        let statement = match row.get::<bool>(2)? {
            true => "DELETE FROM webhook_deliveries WHERE ledger = $1 AND webhook_id = $2",
            false => "UPDATE webhook_cursors SET failing_since = NULL WHERE ledger = $1 AND webhook_id = $2",
        };
        write(read, ledger, statement, &values![ledger, id])?;
    }
    for row in &ledgers {
        let ledger: Uuid = row.get(0)?;
        let statement = "DELETE FROM webhook_deliveries WHERE ledger = $1 AND status <> 'queued' AND done_at < $2";
        write(read, ledger, statement, &values![ledger, now_us - KEPT_US])?;
    }
    Ok(())
}

fn write(read: &Read, ledger: Uuid, sql: &str, values: &[crate::table::Value]) -> Result<(), Refusal> {
    read.sql(|connection| {
        connection.write(Scope::Ledger(ledger), |tx| tx.execute(sql, values))?;
        Ok(())
    })
}

/// A message, as its company sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookDeliveryView {
    /// Its id; `msg_` and its digits are the `webhook-id`.
    pub id: Uuid,
    /// To which endpoint.
    pub webhook_id: Uuid,
    /// The header `webhook-id`.
    pub message_id: String,
    /// Position of the record that it is about.
    pub position: u64,
    /// Kind of the record that it is about.
    pub kind: String,
    /// `queued`, `delivered` or `dead` (given up).
    pub status: String,
    /// How often it was tried since it was asked for.
    pub attempts: u32,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
    /// Since when it waits or waited.
    pub queued_at: Time,
    /// When it was taken or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Time>,
    /// The last 20 tries, the oldest first.
    pub tries: Vec<Try>,
}

/// Messages; `since` is the position of their record.
pub const FROM: &str = "(SELECT d.*, d.position AS since FROM webhook_deliveries d)";

fn view(row: &Row) -> Seen<WebhookDeliveryView> {
    let (id, status): (Uuid, String) = (col(row, "id")?, col(row, "status")?);
    Ok(WebhookDeliveryView {
        id,
        webhook_id: col(row, "webhook_id")?,
        message_id: header(id),
        position: col(row, "position")?,
        kind: col(row, "kind")?,
        attempts: col(row, "attempts")?,
        next_at: (status == "queued").then(|| col(row, "next_at")).transpose()?,
        queued_at: col(row, "queued_at")?,
        done_at: col(row, "done_at")?,
        tries: col::<Json<_>>(row, "tries")?.0,
        status,
    })
}

/// The header `webhook-id` of a message.
pub fn header(id: Uuid) -> String {
    format!("msg_{}", id.simple())
}

/// When a try was.
pub fn at(now_us: i64) -> String {
    rfc3339(now_us)
}

/// What was sent to endpoints or waits for it, the newest record first; what is done is kept for 30 days.
pub struct ListWebhookDeliveries;

impl Query for ListWebhookDeliveries {
    const NAME: &'static str = "list_webhook_deliveries";
    const PATH: &'static str = "/v1/webhook_deliveries";
    const PERMISSION: Permission = Permission("webhook.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[
        Param { name: "webhook_id", kind: Kind::Id },
        Param { name: "status", kind: Kind::OneOf(&["queued", "delivered", "dead"]) },
    ];
    const LIST: bool = true;
    type Answer = Listing<WebhookDeliveryView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let of = Filter::new().and("t.webhook_id = ?", params.id("webhook_id"));
        let filter = of.clone().and("t.status = ?", params.text("status"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, of)?, ..page })
    }
}

/// One message.
pub struct GetWebhookDelivery;

impl Query for GetWebhookDelivery {
    const NAME: &'static str = "get_webhook_delivery";
    const PATH: &'static str = "/v1/webhook_deliveries/{id}";
    const PERMISSION: Permission = Permission("webhook.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = WebhookDeliveryView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), view)
    }
}
