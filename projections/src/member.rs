//! Members: who belongs to the company, as lists and as the names beside what they did.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::identity::{Identity, IdentityEvent};
use keiin_domain::member::{Member, MemberEvent, MemberStatus};
use keiin_domain::role::{Permission, Role};
use keiin_domain::sealed::{Person, Sealed};
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Columns, Table, Value, Writes, blob, cell, int, personal, text};
use crate::view::{Named, Row, Seen, SqlError, Time, col};

/// One row a member.
pub static MEMBERS: Table = Table {
    name: "members",
    key: &[blob("id")],
    columns: &[
        blob("subject"),
        personal("name"),
        personal("email"),
        personal("name_search"),
        personal("email_search"),
        text("role"),
        blob("permission_set"),
        blob("invited_by"),
        text("status"),
        int("invited_at"),
        int("joined_at"),
        int("expires_at"),
        text("suspended_reason"),
        int("emergency"),
        text("check_result"),
        text("check_source"),
        int("checked_at"),
        int("must_reset"),
        int("reset_expires_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "status"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "member", revision: 4, tables: &[&MEMBERS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    match fact.stream() {
        Member::STREAM => {}
        Identity::STREAM => {
            let IdentityEvent::VerifiedByPhone(e) = fact.read()?;
            let check = [
                ("check_result", cell(e.result.name())),
                ("check_source", cell(e.number_source.name())),
                ("checked_at", cell(e.called_at_us)),
            ];
            out.set(&MEMBERS, [fact.id()], check);
            return Ok(());
        }
        _ => return Ok(()),
    }
    let status = |status: MemberStatus| ("status", cell(status.name()));
    let now = cell(fact.time_us());
    match fact.read()? {
        MemberEvent::Registered(e) => {
            let row = person(&e.person, e.role, keys).chain([status(MemberStatus::Active), ("joined_at", now)]);
            out.born(&MEMBERS, fact, row.collect::<Columns>());
        }
        MemberEvent::Invited(e) => {
            let row = person(&e.person, e.role, keys).chain([status(MemberStatus::Invited), ("invited_at", now)]);
            let terms = [
                ("expires_at", cell(e.expires_at_us)),
                ("permission_set", cell(e.permission_set)),
                ("invited_by", cell(e.invited_by)),
            ];
            out.born(&MEMBERS, fact, row.chain(terms).collect::<Columns>());
        }
        MemberEvent::InvitationRevoked(_) => out.changed(&MEMBERS, fact, [status(MemberStatus::Revoked)]),
        MemberEvent::InvitationExpired(_) => out.changed(&MEMBERS, fact, [status(MemberStatus::Expired)]),
        MemberEvent::Joined(e) => {
            let name = e.person.open(keys).map_or(vec![], |person| {
                vec![("name_search", cell(search::folded(&person.name))), ("name", cell(person.name))]
            });
            let joined = [status(MemberStatus::Active), ("joined_at", now), ("expires_at", cell(None::<i64>))];
            out.changed(&MEMBERS, fact, joined.into_iter().chain(name).collect::<Columns>());
        }
        MemberEvent::RoleChanged(e) => {
            let now = [("role", cell(e.to.name())), ("permission_set", cell(e.to_permission_set))];
            out.changed(&MEMBERS, fact, now);
        }
        MemberEvent::Suspended(e) => {
            let columns = [
                status(MemberStatus::Suspended),
                ("suspended_reason", cell(e.reason)),
                ("emergency", cell(e.emergency)),
                ("check_result", cell(None::<String>)),
            ];
            out.changed(&MEMBERS, fact, columns);
        }
        MemberEvent::Reinstated(_) => out.changed(&MEMBERS, fact, [status(MemberStatus::Active)]),
        MemberEvent::Removed(_) => out.changed(&MEMBERS, fact, [status(MemberStatus::Removed)]),
        MemberEvent::PasswordChanged(_) => {
            let done = [("must_reset", cell(None::<bool>)), ("reset_expires_at", cell(None::<i64>))];
            out.changed(&MEMBERS, fact, done);
        }
        MemberEvent::PasswordResetRequired(e) => {
            let link = [("must_reset", cell(true)), ("reset_expires_at", cell(e.expires_at_us))];
            out.changed(&MEMBERS, fact, link);
        }
        MemberEvent::PasswordResetRequested(e) => {
            out.changed(&MEMBERS, fact, [("reset_expires_at", cell(e.expires_at_us))]);
        }
    }
    Ok(())
}

fn person(sealed: &Sealed<Person>, role: Role, keys: &Opener) -> impl Iterator<Item = (&'static str, Value)> {
    let (name, email) = sealed.open(keys).map(|p| (p.name, p.email)).unzip();
    let searched = |text: &Option<String>| cell(text.as_deref().map(search::folded));
    [
        ("subject", cell(sealed.subject)),
        ("name_search", searched(&name)),
        ("email_search", searched(&email)),
        ("name", cell(name)),
        ("email", cell(email)),
        ("role", cell(role.name())),
    ]
    .into_iter()
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
    /// A role of members, or `custom`.
    pub role: String,
    /// One of the company's own, where the role is `custom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_set: Option<Named>,
    /// Which member invited them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<Named>,
    /// `invited`, `active`, `suspended`, `removed`, `revoked` or `expired`.
    pub status: String,
    /// Of the invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When the invitation went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_at: Option<Time>,
    /// When the invitation was accepted, or the company signed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Time>,
    /// Why they are suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_reason: Option<String>,
    /// Suspended because somebody else may be acting in their name: only who was called back is let in again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub emergency: bool,
    /// The last call to make sure, since they were suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_check: Option<PhoneCheckView>,
    /// Only a new password logs in; a link for it was mailed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub must_reset_password: bool,
    /// The person was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// A call to a suspended member. The number is in the trail alone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PhoneCheckView {
    /// `confirmed`, `denied` or `not_reached`.
    pub result: String,
    /// Where the number came from.
    pub number_source: String,
    /// When.
    pub called_at: Time,
}

/// A member who can be named in a list.
#[derive(Clone, Debug)]
pub struct Colleague {
    /// Their id.
    pub id: Uuid,
    /// As they are called.
    pub name: String,
    /// By which they log in.
    pub email: String,
}

/// Every active member of the company.
pub fn directory(read: &Read, who: &Who) -> Result<Vec<Colleague>, Refusal> {
    let sql = "SELECT id, name, email FROM members WHERE ledger = :ledger AND status = 'active' AND name IS NOT NULL";
    read.rows(who, sql, vec![], |row| {
        Ok(Colleague { id: col(row, "id")?, name: col(row, "name")?, email: col(row, "email")? })
    })
}

/// Members with the names of their set and of who invited them.
pub const FROM: &str = "(SELECT m.*, s.name AS set_name, i.name AS inviter FROM members m
      LEFT JOIN permission_sets s ON s.ledger = m.ledger AND s.id = m.permission_set
      LEFT JOIN members i ON i.ledger = m.ledger AND i.id = m.invited_by)";

fn view(row: &Row) -> Seen<MemberView> {
    let name: Option<String> = col(row, "name")?;
    let named = |id: &str, name: &str| {
        let id: Option<Uuid> = col(row, id)?;
        Ok::<_, SqlError>(match id {
            Some(id) => Some(Named { id, name: col(row, name)? }),
            None => None,
        })
    };
    let status: String = col(row, "status")?;
    let suspended = status == "suspended";
    let phone_check = match col::<Option<String>>(row, "check_result")?.filter(|_| suspended) {
        Some(result) => Some(PhoneCheckView {
            result,
            number_source: col(row, "check_source")?,
            called_at: col(row, "checked_at")?,
        }),
        None => None,
    };
    Ok(MemberView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        erased: name.is_none(),
        name,
        email: col(row, "email")?,
        role: col(row, "role")?,
        permission_set: named("permission_set", "set_name")?,
        invited_by: named("invited_by", "inviter")?,
        suspended_reason: col::<Option<String>>(row, "suspended_reason")?.filter(|_| suspended),
        emergency: suspended && col::<Option<bool>>(row, "emergency")?.unwrap_or(false),
        phone_check,
        status,
        expires_at: col(row, "expires_at")?,
        invited_at: col(row, "invited_at")?,
        joined_at: col(row, "joined_at")?,
        must_reset_password: col::<Option<bool>>(row, "must_reset")?.unwrap_or(false),
    })
}

/// All members, newest first; customers with an inbox only where `kind` asks for them.
pub struct ListMembers;

impl Query for ListMembers {
    const NAME: &'static str = "list_members";
    const PATH: &'static str = "/v1/members";
    const PERMISSION: Permission = Permission("member.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param {
            name: "status",
            kind: Kind::OneOf(&["invited", "active", "suspended", "removed", "revoked", "expired"]),
        },
        Param { name: "kind", kind: Kind::OneOf(&["colleague", "recipient"]) },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<MemberView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let recipients = params.text("kind") == Some("recipient");
        let of_kind = || {
            let role = Some(Role::Recipient.name());
            Filter::new().and(if recipients { "t.role = ?" } else { "t.role <> ?" }, role)
        };
        let filter = of_kind()
            .and("t.status = ?", params.text("status"))
            .search(&search::in_any(&["t.name_search", "t.email_search"]), params.text("q"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, of_kind())?, ..page })
    }
}

/// One member of the company.
pub(crate) fn one(read: &Read, who: &Who, id: Uuid) -> Result<MemberView, Refusal> {
    read.one(who, FROM, Some(id), view)
}

/// One member.
pub struct GetMember;

impl Query for GetMember {
    const NAME: &'static str = "get_member";
    const PATH: &'static str = "/v1/members/{id}";
    const PERMISSION: Permission = Permission("member.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = MemberView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), view)
    }
}

/// Invitations whose time is up and whose end is not written yet: company and member, the longest overdue first.
pub fn due(read: &Read, now_us: i64, limit: usize) -> Result<Vec<(Uuid, Uuid)>, Refusal> {
    let sql = "SELECT ledger, id FROM members WHERE status = 'invited' AND expires_at <= $1
               ORDER BY expires_at LIMIT $2";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![now_us, limit as u64])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}
