//! Webhooks: endpoints, where and of what they are told, and the orders to send again. What was sent to them is kept beside,
//! in `webhook_deliveries` ([`delivery`]), which a rebuild leaves alone.

pub mod delivery;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use keiin_domain::webhook::{About, SigningKeys, Webhook, WebhookEvent};
use keiin_eventlog::sql::Scope;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Columns, Table, Writes, blob, cell, int, text};
use crate::view::{Json, Row, Seen, Time, col, json};

/// One row an endpoint. `counts_from` is the record since which it is told of what happens.
pub static WEBHOOKS: Table = Table {
    name: "webhooks",
    key: &[blob("id")],
    columns: &[
        text("kind"),
        text("description"),
        text("url"),
        blob("kept_url"),
        text("events"),
        text("language"),
        int("names_visitors"),
        text("off"),
        int("removed"),
        blob("keys_id"),
        blob("public_key"),
        blob("prior_id"),
        blob("prior_key"),
        int("prior_until"),
        int("registered_at"),
        int("secret_at"),
        int("off_at"),
        int("off_status"),
        int("counts_from"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// Orders to send again: one row a record.
pub static REPLAYS: Table = Table {
    name: "webhook_replays",
    key: &[int("position")],
    columns: &[blob("webhook_id"), int("first"), int("last")],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "webhook", revision: 1, tables: &[&WEBHOOKS, &REPLAYS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Webhook::STREAM {
        return Ok(());
    }
    let position = fact.leaf.position;
    match fact.read()? {
        WebhookEvent::Registered(e) => {
            let mut columns = about(e.about);
            columns.extend([
                ("kind", cell(e.kind.name())),
                ("off", cell("")),
                ("removed", cell(false)),
                ("registered_at", cell(fact.time_us())),
                ("counts_from", cell(position)),
            ]);
            out.born(&WEBHOOKS, fact, columns);
        }
        WebhookEvent::Changed(e) => out.changed(&WEBHOOKS, fact, about(e.about)),
        WebhookEvent::SecretIssued(e) => {
            let columns = [
                ("keys_id", cell(e.keys.id)),
                ("public_key", cell(e.keys.public_key)),
                ("prior_id", cell(e.prior.map(|keys| keys.id))),
                ("prior_key", cell(e.prior.map(|keys| keys.public_key))),
                ("prior_until", cell(e.prior_until_us)),
                ("secret_at", cell(fact.time_us())),
            ];
            out.changed(&WEBHOOKS, fact, columns);
        }
        WebhookEvent::Enabled(_) => {
            out.changed(&WEBHOOKS, fact, [("off", cell("")), ("counts_from", cell(position))]);
        }
        WebhookEvent::Disabled(e) => {
            let columns =
                [("off", cell(e.why.name())), ("off_at", cell(fact.time_us())), ("off_status", cell(e.status))];
            out.changed(&WEBHOOKS, fact, columns);
        }
        WebhookEvent::ReplayOrdered(e) => {
            let columns = [("webhook_id", fact.id()), ("first", cell(e.first)), ("last", cell(e.last))];
            out.put(&REPLAYS, [cell(position)], columns);
            out.changed(&WEBHOOKS, fact, []);
        }
        WebhookEvent::Pinged(_) | WebhookEvent::DeliveryFailed(_) => out.changed(&WEBHOOKS, fact, []),
        WebhookEvent::Removed(_) => out.changed(&WEBHOOKS, fact, [("removed", cell(true))]),
    }
    Ok(())
}

fn about(about: About) -> Columns {
    vec![
        ("description", cell(about.description)),
        ("url", cell(about.url)),
        ("kept_url", cell(about.kept_url)),
        ("events", cell(json(&about.events))),
        ("language", cell(about.language.name())),
        ("names_visitors", cell(about.names_visitors)),
    ]
}

/// An endpoint, as its messages need it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Whose.
    pub ledger: Uuid,
    /// Which.
    pub id: Uuid,
    /// Slack, and not Standard Webhooks.
    pub is_slack: bool,
    /// Where messages go, unless the vault has the address.
    pub url: String,
    /// By which the vault finds the address.
    pub kept_url: Option<Uuid>,
    /// What it wants.
    pub events: Vec<String>,
    /// `ja` or `en`.
    pub language: String,
    /// Sentences may name visitors.
    pub names_visitors: bool,
    /// What messages are signed with.
    pub keys: Option<SigningKeys>,
    /// What they are signed with beside that, until when.
    pub prior: Option<(SigningKeys, i64)>,
    /// Record since which it is told of what happens.
    pub counts_from: u64,
}

/// Columns by which messages are sent.
const ENDPOINT: &str = "w.ledger, w.id, w.kind, w.url, w.kept_url, w.events, w.language, w.names_visitors, w.keys_id,
    w.public_key, w.prior_id, w.prior_key, w.prior_until, w.counts_from";

fn endpoint(row: &Row) -> Seen<Endpoint> {
    let keys = |id: &str, key: &str| -> Seen<Option<SigningKeys>> {
        let found: (Option<Uuid>, Option<[u8; 32]>) = (col(row, id)?, col(row, key)?);
        Ok(found.0.zip(found.1).map(|(id, public_key)| SigningKeys { id, public_key }))
    };
    Ok(Endpoint {
        ledger: col(row, "ledger")?,
        id: col(row, "id")?,
        is_slack: col::<String>(row, "kind")? == "slack",
        url: col(row, "url")?,
        kept_url: col(row, "kept_url")?,
        events: col::<Json<_>>(row, "events")?.0,
        language: col(row, "language")?,
        names_visitors: col(row, "names_visitors")?,
        keys: keys("keys_id", "public_key")?,
        prior: keys("prior_id", "prior_key")?.zip(col::<Option<i64>>(row, "prior_until")?),
        counts_from: col(row, "counts_from")?,
    })
}

/// Every endpoint of every company that is on.
pub fn endpoints(read: &Read) -> Result<Vec<Endpoint>, Refusal> {
    let sql = format!("SELECT {ENDPOINT} FROM webhooks w WHERE w.off = '' AND w.removed = 0 ORDER BY w.ledger, w.id");
    read.sql(|connection| Ok(connection.query(Scope::All, &sql, &[])?.iter().map(endpoint).collect::<Seen<_>>()?))
}

/// One of them, if it still is on.
pub fn endpoint_now(read: &Read, ledger: Uuid, id: Uuid) -> Result<Option<Endpoint>, Refusal> {
    let sql =
        format!("SELECT {ENDPOINT} FROM webhooks w WHERE w.ledger = $1 AND w.id = $2 AND w.off = '' AND w.removed = 0");
    let values = [cell(ledger), cell(id)];
    let rows = read.sql(|connection| Ok(connection.query(Scope::Ledger(ledger), &sql, &values)?))?;
    Ok(rows.first().map(endpoint).transpose()?)
}

/// An endpoint, as shown. Its secret was shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// `standard` or `slack`.
    pub kind: String,
    /// What people call it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where messages go; of Slack's address only the host.
    pub url: String,
    /// Kinds of events that it wants.
    pub events: Vec<String>,
    /// Language of Slack's sentences.
    pub language: String,
    /// Slack's sentences may name visitors.
    pub names_visitors: bool,
    /// `on`, `off` (by hand), `gone` (it answered 410), `failing` (it took nothing for days) or `removed`.
    pub status: String,
    /// HTTP status of the answer that switched it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_status: Option<u16>,
    /// Since when it is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_at: Option<Time>,
    /// Ed25519 key that checks `v1a` signatures: `whpk_` and 32 bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The key before, while it still signs beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_public_key: Option<String>,
    /// Until when secret and key before sign beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_until: Option<Time>,
    /// Since when.
    pub registered_at: Time,
    /// Since when it has its present secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_at: Option<Time>,
    /// Messages that wait.
    pub waiting: u64,
    /// When a message was last taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Time>,
    /// Since when it has taken nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Time>,
}

/// Endpoints with their `status` and what waits for them.
pub const FROM: &str = "(SELECT w.*, CASE WHEN w.removed = 1 THEN 'removed' WHEN w.off = '' THEN 'on'
        WHEN w.off = 'by_hand' THEN 'off' ELSE w.off END AS status,
        (SELECT count(*) FROM webhook_deliveries d WHERE d.ledger = w.ledger AND d.webhook_id = w.id
            AND d.status = 'queued') AS waiting,
        (SELECT max(d.done_at) FROM webhook_deliveries d WHERE d.ledger = w.ledger AND d.webhook_id = w.id
            AND d.status = 'delivered') AS delivered_at,
        (SELECT c.failing_since FROM webhook_cursors c WHERE c.ledger = w.ledger AND c.webhook_id = w.id)
            AS failing_since
      FROM webhooks w)";

fn key_text(key: [u8; 32]) -> String {
    format!("whpk_{}", STANDARD.encode(key))
}

fn view(row: &Row, who: &Who) -> Seen<WebhookView> {
    let status: String = col(row, "status")?;
    let is_off = status != "on";
    let prior_until = col::<Option<i64>>(row, "prior_until")?.filter(|until| *until > who.now_us);
    Ok(WebhookView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        kind: col(row, "kind")?,
        description: col(row, "description")?,
        url: col(row, "url")?,
        events: col::<Json<_>>(row, "events")?.0,
        language: col(row, "language")?,
        names_visitors: col(row, "names_visitors")?,
        off_status: col::<Option<u16>>(row, "off_status")?.filter(|status| is_off && *status > 0),
        off_at: col::<Option<Time>>(row, "off_at")?.filter(|_| is_off),
        public_key: col::<Option<_>>(row, "public_key")?.map(key_text),
        prior_public_key: col::<Option<_>>(row, "prior_key")?.filter(|_| prior_until.is_some()).map(key_text),
        prior_until: prior_until.map(Time),
        registered_at: col(row, "registered_at")?,
        secret_at: col(row, "secret_at")?,
        waiting: col(row, "waiting")?,
        delivered_at: col(row, "delivered_at")?,
        failing_since: col(row, "failing_since")?,
        status,
    })
}

/// All endpoints, newest first.
pub struct ListWebhooks;

impl Query for ListWebhooks {
    const NAME: &'static str = "list_webhooks";
    const PATH: &'static str = "/v1/webhooks";
    const PERMISSION: Permission = Permission("webhook.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "status", kind: Kind::OneOf(&["on", "off", "gone", "failing"]) }];
    const LIST: bool = true;
    type Answer = Listing<WebhookView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new().and("t.status = ?", params.text("status")).and("t.status <> ?", Some("removed"));
        read.list(who, FROM, filter, params, |row| view(row, who))
    }
}

/// One endpoint.
pub struct GetWebhook;

impl Query for GetWebhook {
    const NAME: &'static str = "get_webhook";
    const PATH: &'static str = "/v1/webhooks/{id}";
    const PERMISSION: Permission = Permission("webhook.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = WebhookView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), |row| view(row, who))
    }
}
