//! Members: who belongs to the company, as lists and as the names beside what they did.

use keiin_domain::command::Aggregate;
use keiin_domain::event::Event;
use keiin_domain::member::{Member, MemberEvent, MemberStatus};
use keiin_domain::role::{Permission, Role};
use keiin_domain::sealed::{Open, Person, Sealed};
use rusqlite::Row;
use rusqlite::types::Value;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who, uuid_at};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, id, int, maybe, personal, text};

/// One row a member.
pub static MEMBERS: Table = Table {
    name: "members",
    key: &[blob("id")],
    columns: &[
        blob("subject"),
        personal("name"),
        personal("email"),
        text("role"),
        text("status"),
        int("version"),
        int("position"),
        int("since"),
        int("invited_at"),
        int("joined_at"),
        int("expires_at"),
    ],
    indexes: &["since"],
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "member", revision: 1, tables: &[&MEMBERS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Member::STREAM {
        return Ok(());
    }
    let key = || vec![fact.id()];
    let time = Value::Integer(fact.leaf.time_us as i64);
    let status = |s: MemberStatus| ("status", Value::Text(s.name().into()));
    let role = |r: Role| ("role", Value::Text(r.name().into()));
    let mut changes = vec![];
    match MemberEvent::read(&fact.event).map_err(|e| e.to_string())? {
        MemberEvent::Registered(e) => {
            out.put(&MEMBERS, key(), new_row(fact, keys, &e.person, e.role, MemberStatus::Active));
            changes.push(("joined_at", time));
        }
        MemberEvent::Invited(e) => {
            out.put(&MEMBERS, key(), new_row(fact, keys, &e.person, e.role, MemberStatus::Invited));
            changes.extend([("invited_at", time), ("expires_at", Value::Integer(e.expires_at_us))]);
        }
        MemberEvent::InvitationRevoked(_) => changes.push(status(MemberStatus::Revoked)),
        MemberEvent::Joined(e) => {
            changes.extend([status(MemberStatus::Active), ("joined_at", time), ("expires_at", Value::Null)]);
            if let Some(person) = e.person.open(keys) {
                changes.push(("name", Value::Text(person.name)));
            }
        }
        MemberEvent::RoleChanged(e) => changes.push(role(e.to)),
        MemberEvent::Suspended(_) => changes.push(status(MemberStatus::Suspended)),
        MemberEvent::Reinstated(_) => changes.push(status(MemberStatus::Active)),
        MemberEvent::Removed(_) => changes.push(status(MemberStatus::Removed)),
    }
    changes.push(("version", Value::Integer(fact.leaf.stream_version as i64)));
    changes.push(("position", Value::Integer(fact.leaf.position as i64)));
    out.set(&MEMBERS, key(), changes);
    Ok(())
}

fn new_row(fact: &Fact, keys: &dyn Open, sealed: &Sealed<Person>, role: Role, status: MemberStatus) -> Vec<Value> {
    let person = sealed.open(keys);
    vec![
        id(sealed.subject),
        maybe(person.as_ref().map(|p| p.name.as_str())),
        maybe(person.as_ref().map(|p| p.email.as_str())),
        Value::Text(role.name().into()),
        Value::Text(status.name().into()),
        Value::Null,
        Value::Null,
        Value::Integer(fact.leaf.position as i64),
        Value::Null,
        Value::Null,
        Value::Null,
    ]
}

/// A member, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// Also the subject of what is sealed about them.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about them.
    pub position: u64,
    /// Absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A role of members.
    pub role: String,
    /// `invited`, `active`, `suspended`, `removed` or `revoked`.
    pub status: String,
    /// Of the invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When the invitation went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_at: Option<String>,
    /// When the invitation was accepted, or the company signed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<String>,
    /// The person was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

const SELECT: &str = "SELECT since, id, * FROM members";

fn view(row: &Row) -> rusqlite::Result<MemberView> {
    let name: Option<String> = row.get("name")?;
    let time = |column| row.get::<_, Option<i64>>(column).map(|t| t.map(crate::query::rfc3339));
    Ok(MemberView {
        id: uuid_at(row, "id")?,
        version: row.get::<_, i64>("version")? as u64,
        position: row.get::<_, i64>("position")? as u64,
        erased: name.is_none(),
        name,
        email: row.get("email")?,
        role: row.get("role")?,
        status: row.get("status")?,
        expires_at: time("expires_at")?,
        invited_at: time("invited_at")?,
        joined_at: time("joined_at")?,
    })
}

/// All members, newest first.
pub struct ListMembers;

impl Query for ListMembers {
    const NAME: &'static str = "list_members";
    const PATH: &'static str = "/v1/members";
    const PERMISSION: Permission = Permission("member.read");
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["invited", "active", "suspended", "removed", "revoked"]) },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<MemberView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::of(who)
            .and("status = ?", params.text("status").map(str::to_owned))
            .like("name || ' ' || email LIKE ? ESCAPE '\\'", params.text("q"));
        let mut list = read.list(SELECT, ("since", "id"), filter, params, view)?;
        list.counts = Some(read.counts(who, "SELECT status, count(*) FROM members WHERE ledger = ? GROUP BY status")?);
        Ok(list)
    }
}

/// One member.
pub struct GetMember;

impl Query for GetMember {
    const NAME: &'static str = "get_member";
    const PATH: &'static str = "/v1/members/{id}";
    const PERMISSION: Permission = Permission("member.read");
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = MemberView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let key = id(params.id("id").ok_or(Refusal::NotFound)?);
        read.one(who, "SELECT * FROM members WHERE ledger = ? AND id = ?", key, view)
    }
}
