//! Authorizations: which applications act for whom.

use keiin_domain::authorization::{Authorization, AuthorizationEvent};
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::{Permission, Role};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Json, Named, Row, Seen, Time, col, filled, json};

/// One row an authorization.
pub static AUTHORIZATIONS: Table = Table {
    name: "authorizations",
    key: &[blob("id")],
    columns: &[
        blob("application_id"),
        blob("member_id"),
        int("revocations"),
        text("scopes"),
        text("ended"),
        int("given_at"),
        int("expires_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "application_id", "member_id"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "authorization", revision: 1, tables: &[&AUTHORIZATIONS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Authorization::STREAM {
        return Ok(());
    }
    match fact.read()? {
        AuthorizationEvent::Given(e) => {
            let columns = [
                ("application_id", cell(e.application_id)),
                ("member_id", cell(e.member_id)),
                ("revocations", cell(e.revocations)),
                ("scopes", cell(json(&e.scopes))),
                ("ended", cell("")),
                ("given_at", cell(fact.time_us())),
                ("expires_at", cell(e.expires_at_us)),
            ];
            out.born(&AUTHORIZATIONS, fact, columns);
        }
        AuthorizationEvent::Redeemed(_) => out.changed(&AUTHORIZATIONS, fact, []),
        AuthorizationEvent::Revoked(e) => out.changed(&AUTHORIZATIONS, fact, [("ended", cell(e.reason.name()))]),
    }
    Ok(())
}

/// An authorization, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuthorizationView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Who acts.
    pub application: Named,
    /// For whom.
    pub member: Named,
    /// What it may, never more than the member may.
    pub scopes: Vec<String>,
    /// `active`, `revoked` or `expired`.
    pub status: String,
    /// Why it was revoked: `application`, `member`, `administrator`, `code_reused` or `refresh_reused`; absent where it was
    /// not, or with all of its application's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Since when.
    pub given_at: Time,
    /// Until when at most.
    pub expires_at: Time,
}

/// Authorizations with their `status` and the names of both sides.
pub const FROM: &str = "(SELECT g.*, a.name AS application_name, m.name AS member_name,
        CASE WHEN g.ended <> '' OR a.disabled = 1 OR g.revocations <> a.revocations THEN 'revoked'
             WHEN g.expires_at <= :now THEN 'expired' ELSE 'active' END AS status
      FROM authorizations g JOIN applications a ON a.ledger = g.ledger AND a.id = g.application_id
      LEFT JOIN members m ON m.ledger = g.ledger AND m.id = g.member_id)";

fn view(row: &Row) -> Seen<AuthorizationView> {
    Ok(AuthorizationView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        application: Named { id: col(row, "application_id")?, name: col(row, "application_name")? },
        member: Named { id: col(row, "member_id")?, name: col(row, "member_name")? },
        scopes: col::<Json<_>>(row, "scopes")?.0,
        status: col(row, "status")?,
        ended: filled(col(row, "ended")?),
        given_at: col(row, "given_at")?,
        expires_at: col(row, "expires_at")?,
    })
}

/// Everybody's authorizations, newest first.
pub struct ListAuthorizations;

impl Query for ListAuthorizations {
    const NAME: &'static str = "list_authorizations";
    const PATH: &'static str = "/v1/authorizations";
    const PERMISSION: Permission = Permission("application.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[
        Param { name: "application_id", kind: Kind::Id },
        Param { name: "status", kind: Kind::OneOf(&["active", "revoked", "expired"]) },
    ];
    const LIST: bool = true;
    type Answer = Listing<AuthorizationView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new()
            .and("t.application_id = ?", params.id("application_id"))
            .and("t.status = ?", params.text("status"));
        read.list(who, FROM, filter, params, view)
    }
}

/// One's own authorizations that hold, newest first.
pub struct ListMyAuthorizations;

impl Query for ListMyAuthorizations {
    const NAME: &'static str = "list_my_authorizations";
    const PATH: &'static str = "/v1/me/authorizations";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<AuthorizationView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let own = Filter::new().and("t.member_id = ?", Some(who.person())).and("t.status = ?", Some("active"));
        read.list(who, FROM, own, params, view)
    }
}

/// One authorization: one's own, or as owner or admin anybody's.
pub struct GetAuthorization;

impl Query for GetAuthorization {
    const NAME: &'static str = "get_authorization";
    const PATH: &'static str = "/v1/authorizations/{id}";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = AuthorizationView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let authorization = read.one(who, FROM, params.id("id"), view)?;
        let anybodys = matches!(who.actor.role, Role::Owner | Role::Admin | Role::System);
        if anybodys || authorization.member.id == who.person() { Ok(authorization) } else { Err(Refusal::NotFound) }
    }
}
