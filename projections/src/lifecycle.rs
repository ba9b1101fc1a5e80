//! The life of one person's access (RN-C46): invited, let in, given rights, logged in, kept out, erased; who did each, and
//! where it stands in the ledger. Made from the trail when it is asked for: nothing is kept for it.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::factor::Factor;
use keiin_domain::identity::Identity;
use keiin_domain::member::Member;
use keiin_domain::role::Permission;
use keiin_domain::secretary::Secretaries;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event::{self, EventView};
use crate::member::{self, MemberView};
use crate::query::{Filter, Kind, Param, Params, Query, Read, Refusal, Who};
use crate::table::cell;
use crate::view::{Time, col};

/// Most records of a person's access that are shown, the newest.
const MOST: usize = 1_000;
/// Streams of a person's access; their id is the person's.
const STREAMS: [&str; 4] = [Member::STREAM, Identity::STREAM, Factor::STREAM, Secretaries::STREAM];
/// What happens at every login, and would hide the rest; logins are counted.
const DAILY: [&str; 2] = ["factor.totp_used", "factor.recovery_code_used"];

/// A person's access from its beginning to its end.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Lifecycle {
    /// Whose.
    pub object: Whose,
    /// As they are now.
    pub member: MemberView,
    /// How often they logged in.
    pub logins: u64,
    /// When for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_login_at: Option<Time>,
    /// When for the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_login_at: Option<Time>,
    /// Records of what they did themselves, for a search by `actor`.
    pub actions: u64,
    /// What happened to their access, oldest first; at most the newest 1,000.
    pub entries: Vec<Entry>,
}

/// Whose access.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Whose {
    /// `member`.
    pub kind: &'static str,
    /// The member.
    pub id: Uuid,
}

/// One thing that happened to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entry {
    /// The record: when, who, its position and hash.
    #[serde(flatten)]
    pub record: EventView,
    /// What it says, personal fields opened; absent where this build cannot read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub event: Option<Value>,
}

/// The life of a member's access. Who may not read the whole trail sees their own.
pub struct GetLifecycle;

impl Query for GetLifecycle {
    const NAME: &'static str = "get_lifecycle";
    const PATH: &'static str = "/v1/members/{id}/lifecycle";
    const PERMISSION: Permission = Permission("event.read_own");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = Lifecycle;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let id = params.id("id").ok_or(Refusal::NotFound)?;
        if !who.actor.may(Permission("event.read")) && who.person() != id {
            return Err(Refusal::NotFound);
        }
        let member = member::one(read, who, id)?;
        let streams = STREAMS.map(|stream| format!("'{stream}'")).join(", ");
        let daily = DAILY.map(|kind| format!("'{kind}'")).join(", ");
        let own = format!("t.stream_kind IN ({streams}) AND t.kind NOT IN ({daily}) AND t.stream_id = ?");
        let mut records = event::newest_of(read, who, Filter::new().and(&own, Some(id)), MOST)?;
        let erasures = Filter::new().and("t.kind = ?", Some("ledger.subject_erased"));
        let mut erased = vec![];
        for record in event::newest_of(read, who, erasures, MOST)? {
            let said = event::said_at(read, who, record.position).await?;
            if said.as_ref().is_some_and(|said| said["subject"] == id.to_string()) {
                erased.push(record);
            }
        }
        records.extend(erased);
        records.sort_by_key(|record| record.position);
        let mut entries = vec![];
        for record in records {
            let event = event::said_at(read, who, record.position).await?;
            entries.push(Entry { record, event });
        }
        let logins = "SELECT count(*) AS n, min(t.started_at) AS first, max(t.started_at) AS last FROM sessions t
                      WHERE t.ledger = :ledger AND t.member_id = ?";
        let logins = read.rows(who, logins, vec![cell(id)], |row| {
            Ok((col::<u64>(row, "n")?, col(row, "first")?, col(row, "last")?))
        })?;
        let (logins, first_login_at, last_login_at) = logins.into_iter().next().unwrap_or((0, None, None));
        let actions = "SELECT count(*) AS n FROM events t WHERE t.ledger = :ledger AND t.principal = ?";
        let actions = read.rows(who, actions, vec![cell(id)], |row| col::<u64>(row, "n"))?.pop().unwrap_or(0);
        let object = Whose { kind: Member::STREAM, id };
        Ok(Lifecycle { object, member, logins, first_login_at, last_login_at, actions, entries })
    }
}

/// The life of a member's access, as [`GetLifecycle`] shows it.
pub async fn of(read: &Read, who: &Who, params: &Params) -> Result<Lifecycle, Refusal> {
    GetLifecycle::run(read, who, params).await
}

/// The same as CSV (RFC 4180, UTF-8 with a byte order mark), times in Japan: a line for each thing that happened.
pub fn csv(life: &Lifecycle) -> Vec<u8> {
    const HEADER: [&str; 9] =
        ["position", "time", "kind", "actor_kind", "actor_id", "actor", "details", "leaf_hash", "anchored"];
    let mut csv = format!("\u{feff}{}", event::line(HEADER.map(String::from)));
    for Entry { record, event: said } in &life.entries {
        csv.push_str(&event::line([
            record.position.to_string(),
            event::japan(record.time),
            record.kind.clone(),
            record.actor.kind.to_owned(),
            record.actor.id.map(|id| id.to_string()).unwrap_or_default(),
            record.actor.name.clone().unwrap_or_default(),
            said.as_ref().map(Value::to_string).unwrap_or_default(),
            record.hash.clone(),
            record.anchored.to_string(),
        ]));
    }
    csv.into_bytes()
}
