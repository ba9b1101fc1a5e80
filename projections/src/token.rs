//! Personal access tokens: what programs may do for whom, and until when.

use keiin_domain::command::Aggregate;
use keiin_domain::context::actor_kind;
use keiin_domain::data::DataClass;
use keiin_domain::role::{Permission, Role};
use keiin_domain::token::{Token, TokenEvent};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{ActorView, Json, Row, Seen, Time, col, json};

/// One row a token.
pub static TOKENS: Table = Table {
    name: "tokens",
    key: &[blob("id")],
    columns: &[
        blob("member_id"),
        text("name"),
        text("scopes"),
        int("revoked"),
        int("expires_at"),
        int("issued_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "token", revision: 1, tables: &[&TOKENS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Token::STREAM {
        return Ok(());
    }
    match fact.read()? {
        TokenEvent::Issued(e) => {
            let columns = [
                ("member_id", cell(e.member_id)),
                ("name", cell(e.name)),
                ("scopes", cell(json(&e.scopes))),
                ("revoked", cell(false)),
                ("expires_at", cell(e.expires_at_us)),
                ("issued_at", cell(fact.time_us())),
            ];
            out.born(&TOKENS, fact, columns);
        }
        TokenEvent::Revoked(_) => out.changed(&TOKENS, fact, [("revoked", cell(true))]),
    }
    Ok(())
}

/// A token, as shown. Its secret was shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// What people call it.
    pub name: String,
    /// `<nouns>:read` or `<nouns>:write`.
    pub scopes: Vec<String>,
    /// `active`, `revoked` or `expired`.
    pub status: String,
    /// Until when.
    pub expires_at: Time,
    /// For whom it acts.
    pub created_by: ActorView,
    /// Since when.
    pub issued_at: Time,
}

/// Tokens with their `status` and the name of the member they act for.
pub const FROM: &str = "(SELECT k.*, m.name AS member_name,
        CASE WHEN k.revoked = 1 THEN 'revoked' WHEN k.expires_at <= :now THEN 'expired' ELSE 'active' END AS status
      FROM tokens k LEFT JOIN members m ON m.ledger = k.ledger AND m.id = k.member_id)";

fn view(row: &Row) -> Seen<TokenView> {
    Ok(TokenView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        name: col(row, "name")?,
        scopes: col::<Json<_>>(row, "scopes")?.0,
        status: col(row, "status")?,
        expires_at: col(row, "expires_at")?,
        created_by: ActorView::of(actor_kind::MEMBER, col(row, "member_id")?, col(row, "member_name")?),
        issued_at: col(row, "issued_at")?,
    })
}

/// Owners, admins and auditors see all tokens; anybody else their own.
fn own_only(who: &Who) -> Option<Uuid> {
    let all = matches!(who.actor.role, Role::Owner | Role::Admin | Role::Auditor | Role::System);
    (!all).then_some(who.person())
}

/// Tokens that act for this member.
pub fn active_of(read: &Read, who: &Who, member: Uuid) -> Result<Vec<Uuid>, Refusal> {
    let sql = "SELECT t.id FROM tokens t WHERE t.ledger = :ledger AND t.member_id = ? AND t.revoked = 0";
    read.rows(who, sql, vec![cell(member)], |row| col(row, "id"))
}

/// All tokens, newest first.
pub struct ListTokens;

impl Query for ListTokens {
    const NAME: &'static str = "list_tokens";
    const PATH: &'static str = "/v1/tokens";
    const PERMISSION: Permission = Permission("token.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "status", kind: Kind::OneOf(&["active", "revoked", "expired"]) }];
    const LIST: bool = true;
    type Answer = Listing<TokenView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new().and("t.member_id = ?", own_only(who)).and("t.status = ?", params.text("status"));
        read.list(who, FROM, filter, params, view)
    }
}

/// One token.
pub struct GetToken;

impl Query for GetToken {
    const NAME: &'static str = "get_token";
    const PATH: &'static str = "/v1/tokens/{id}";
    const PERMISSION: Permission = Permission("token.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = TokenView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let token = read.one(who, FROM, params.id("id"), view)?;
        let theirs = own_only(who).is_some_and(|own| token.created_by.id != Some(own));
        if theirs { Err(Refusal::NotFound) } else { Ok(token) }
    }
}
