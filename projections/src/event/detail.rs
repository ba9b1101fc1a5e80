//! One record in full: opened from the log, not from a read model, with everything that a reader needs to check its hash.

use keiin_domain::data::DataClass;
use keiin_domain::date::instant;
use keiin_domain::envelope::ContextV1;
use keiin_domain::json::event_json;
use keiin_domain::role::Permission;
use keiin_domain::sealed::{Open, Origin};
use keiin_eventlog::record::{Record, is_clear_kind};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Change, EventView, FROM, anchored, changes, own_only, view};
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Param, Params, Query, Read, Refusal, Who};
use crate::view::filled;

/// Most earlier records of the object that are read to find what was before.
const LOOK_BACK: u64 = 500;
/// Most records of the object that are listed beside.
const HISTORY: usize = 100;

/// A record in full.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventDetail {
    /// As in the list.
    #[serde(flatten)]
    pub listed: EventView,
    /// Its place in the object's stream, from 0.
    pub version: u64,
    /// Version of the event's layout, from 1.
    pub event_version: u16,
    /// What it says, personal fields opened; absent where this build cannot read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub event: Option<Value>,
    /// Its fields before and after.
    pub changes: Vec<Change>,
    /// How the command came about.
    pub context: ContextView,
    /// What was appended together.
    pub append: AppendView,
    /// The leaf's bytes in hex: what the hash is taken of, after a byte 0.
    pub leaf: String,
    /// SHA-256 of the stored body, in hex.
    pub body_hash: String,
    /// Leaf hash of the record before, in hex.
    pub prev: String,
    /// The object's records, newest first.
    pub history: Vec<EventView>,
}

/// How a command came about.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ContextView {
    /// Of the HTTP request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// Address that it came from; absent once its period or person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ContextView {
    fn of(context: ContextV1, open: &dyn Open) -> ContextView {
        let origin = context.origin.and_then(|origin| origin.open(open)).unwrap_or_default();
        ContextView {
            request_id: context.request_id,
            ip: filled(origin.ip),
            user_agent: filled(origin.user_agent),
            reason: filled(context.reason),
        }
    }
}

/// What was appended together, all or nothing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppendView {
    /// Its id.
    pub id: Uuid,
    /// The record's place in it, from 0.
    pub index: u16,
    /// How many records it has.
    pub count: u16,
}

/// One record.
pub struct GetEvent;

impl Query for GetEvent {
    const NAME: &'static str = "get_event";
    const PATH: &'static str = "/v1/events/{position}";
    const PERMISSION: Permission = Permission("event.read_own");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "position", kind: Kind::Number }];
    type Answer = EventDetail;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let position = params.number("position").ok_or(Refusal::NotFound)?;
        let anchored = anchored(read, who);
        let visible = Filter::new().and("t.principal = ?", own_only(who));
        let found = visible.clone().and("t.position = ?", Some(position));
        let listed = read.some(who, FROM, found, 1, |row| view(row, anchored))?.pop().ok_or(Refusal::NotFound)?;
        let object = visible.and("t.stream_id = ?", Some(listed.object.id));
        let object = object.and("t.stream_kind = ?", Some(listed.object.kind.as_str()));
        let history = read.some(who, FROM, object, HISTORY, |row| view(row, anchored))?;

        let keys = Opener { vault: &read.vault, ledger: who.ledger };
        let record = record_at(read, who, position).await?;
        let leaf = keiin_eventlog::record::Leaf::decode(&record.leaf).map_err(|_| Refusal::NotFound)?;
        let first = position - u64::from(leaf.index);
        let opening = if first == position { record.clone() } else { record_at(read, who, first).await? };
        let context = Fact::open(&opening, &read.vault).ok().and_then(|fact| fact.context).unwrap_or_default();
        let event = Fact::open(&record, &read.vault).ok().and_then(|fact| json(&fact, &keys));

        let from = leaf.stream_version.saturating_sub(LOOK_BACK);
        let before = (leaf.stream_version - from) as usize;
        let records = match before {
            0 => vec![],
            _ => read.log.read_stream(who.ledger, &leaf.stream, from, before).await?,
        };
        let facts = records.iter().filter_map(|record| Fact::open(record, &read.vault).ok());
        let earlier: Vec<Value> = facts.filter_map(|fact| Some(when(&fact, json(&fact, &keys)?))).collect();
        let changes = match &event {
            Some(event) if !is_clear_kind(&leaf.event_kind) => {
                changes::changes(&leaf.event_kind, event, earlier.iter())
            }
            _ => vec![],
        };
        Ok(EventDetail {
            listed,
            version: leaf.stream_version,
            event_version: leaf.event_version,
            event,
            changes,
            context: ContextView::of(context, &keys),
            append: AppendView { id: leaf.append_id, index: leaf.index, count: leaf.count },
            leaf: record.leaf.iter().map(|byte| format!("{byte:02x}")).collect(),
            body_hash: leaf.body_hash.to_string(),
            prev: leaf.prev.to_string(),
            history,
        })
    }
}

/// Where the append came from that begins here; `None` once that was erased.
pub async fn origin_at(read: &Read, who: &Who, position: u64) -> Result<Option<Origin>, Refusal> {
    let keys = Opener { vault: &read.vault, ledger: who.ledger };
    let context = Fact::open(&record_at(read, who, position).await?, &read.vault).ok().and_then(|fact| fact.context);
    Ok(context.and_then(|context| context.origin).and_then(|origin| origin.open(&keys)))
}

/// What a record says; `None` where this build cannot read it.
pub(crate) async fn said_at(read: &Read, who: &Who, position: u64) -> Result<Option<Value>, Refusal> {
    let keys = Opener { vault: &read.vault, ledger: who.ledger };
    let record = record_at(read, who, position).await?;
    Ok(Fact::open(&record, &read.vault).ok().and_then(|fact| json(&fact, &keys)))
}

async fn record_at(read: &Read, who: &Who, position: u64) -> Result<Record, Refusal> {
    read.log.read(who.ledger, position, 1).await?.pop().ok_or(Refusal::NotFound)
}

/// An event as JSON; the clear bodies of the ledger's own records are lines of a name and a value.
/// With what a record says by its own time, so that a correction has something to stand beside.
fn when(fact: &Fact, mut event: Value) -> Value {
    let field = match fact.event.kind.as_str() {
        "visit.checked_in" | "visit.walked_in" => "arrived_at",
        "visit.checked_out" => "left_at",
        _ => return event,
    };
    if let Some(fields) = event.as_object_mut() {
        fields.insert(field.to_owned(), instant(fact.time_us()).into());
    }
    event
}

fn json(fact: &Fact, keys: &Opener) -> Option<Value> {
    if !is_clear_kind(&fact.event.kind) {
        return event_json(fact.stream(), &fact.event, keys);
    }
    let lines = std::str::from_utf8(&fact.event.bytes).ok()?.lines().skip(1);
    Some(
        lines
            .filter_map(|line| line.split_once(' '))
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect(),
    )
}
