//! Members: who belongs to the company, as lists and as the names beside what they did.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::member::{Member, MemberEvent, MemberStatus};
use keiin_domain::role::{Permission, Role};
use keiin_domain::sealed::{Person, Sealed};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Columns, Table, Value, Writes, blob, cell, int, personal, text};
use crate::view::{Row, Seen, Time, col};

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
        int("invited_at"),
        int("joined_at"),
        int("expires_at"),
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
pub const PROJECTION: Projection = Projection { name: "member", revision: 2, tables: &[&MEMBERS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Member::STREAM {
        return Ok(());
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
            out.born(&MEMBERS, fact, row.chain([("expires_at", cell(e.expires_at_us))]).collect::<Columns>());
        }
        MemberEvent::InvitationRevoked(_) => out.changed(&MEMBERS, fact, [status(MemberStatus::Revoked)]),
        MemberEvent::Joined(e) => {
            let name = e.person.open(keys).map(|person| ("name", cell(person.name)));
            let joined = [status(MemberStatus::Active), ("joined_at", now), ("expires_at", cell(None::<i64>))];
            out.changed(&MEMBERS, fact, joined.into_iter().chain(name).collect::<Columns>());
        }
        MemberEvent::RoleChanged(e) => out.changed(&MEMBERS, fact, [("role", cell(e.to.name()))]),
        MemberEvent::Suspended(_) => out.changed(&MEMBERS, fact, [status(MemberStatus::Suspended)]),
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
    let subject = cell(sealed.subject);
    let (name, email) = sealed.open(keys).map(|p| (p.name, p.email)).unzip();
    [("subject", subject), ("name", cell(name)), ("email", cell(email)), ("role", cell(role.name()))].into_iter()
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
    pub expires_at: Option<Time>,
    /// When the invitation went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_at: Option<Time>,
    /// When the invitation was accepted, or the company signed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Time>,
    /// Only a new password logs in; a link for it was mailed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub must_reset_password: bool,
    /// The person was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// Members as they are kept.
pub const FROM: &str = "members";

fn view(row: &Row) -> Seen<MemberView> {
    let name: Option<String> = col(row, "name")?;
    Ok(MemberView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        erased: name.is_none(),
        name,
        email: col(row, "email")?,
        role: col(row, "role")?,
        status: col(row, "status")?,
        expires_at: col(row, "expires_at")?,
        invited_at: col(row, "invited_at")?,
        joined_at: col(row, "joined_at")?,
        must_reset_password: col::<Option<bool>>(row, "must_reset")?.unwrap_or(false),
    })
}

/// All members, newest first.
pub struct ListMembers;

impl Query for ListMembers {
    const NAME: &'static str = "list_members";
    const PATH: &'static str = "/v1/members";
    const PERMISSION: Permission = Permission("member.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["invited", "active", "suspended", "removed", "revoked"]) },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<MemberView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter =
            Filter::new().and("t.status = ?", params.text("status")).like(&["name", "email"], params.text("q"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, Filter::new())?, ..page })
    }
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
