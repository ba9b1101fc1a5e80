//! Secretaries: for which lawyer somebody acts, and whether their mailbox has confirmed it.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::{Permission, Role};
use keiin_domain::secretary::{Secretary, SecretaryEvent};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int};
use crate::view::{Named, Row, Seen, Time, col};

/// One row a tie between a secretary and a lawyer.
pub static SECRETARIES: Table = Table {
    name: "secretaries",
    key: &[blob("id")],
    columns: &[
        blob("secretary"),
        blob("lawyer"),
        int("expires_at"),
        int("confirmed_at"),
        int("ended"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "secretary", revision: 1, tables: &[&SECRETARIES], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Secretary::STREAM {
        return Ok(());
    }
    match fact.read()? {
        SecretaryEvent::Assigned(e) => {
            let columns = [
                ("secretary", cell(e.secretary)),
                ("lawyer", cell(e.lawyer)),
                ("expires_at", cell(e.expires_at_us)),
                ("ended", cell(false)),
            ];
            out.born(&SECRETARIES, fact, columns);
        }
        SecretaryEvent::Confirmed(_) => out.changed(&SECRETARIES, fact, [("confirmed_at", cell(fact.time_us()))]),
        SecretaryEvent::Revoked(_) => out.changed(&SECRETARIES, fact, [("ended", cell(true))]),
    }
    Ok(())
}

/// A secretary of a lawyer, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SecretaryView {
    /// Of the two together.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Who acts.
    pub secretary: Named,
    /// For whom.
    pub lawyer: Named,
    /// `waiting` for the press of the button, `confirmed`, `expired` before it was pressed, or `ended`.
    pub status: String,
    /// Until when the button works.
    pub expires_at: Time,
    /// When it was pressed for the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Time>,
}

/// Secretaries with both names and their `status`.
pub const FROM: &str = "(SELECT s.*, a.name AS secretary_name, l.name AS lawyer_name,
        CASE WHEN s.ended = 1 THEN 'ended' WHEN s.confirmed_at IS NOT NULL THEN 'confirmed'
          WHEN s.expires_at <= :now THEN 'expired' ELSE 'waiting' END AS status
      FROM secretaries s
      LEFT JOIN members a ON a.ledger = s.ledger AND a.id = s.secretary
      LEFT JOIN members l ON l.ledger = s.ledger AND l.id = s.lawyer)";

fn view(row: &Row) -> Seen<SecretaryView> {
    Ok(SecretaryView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        secretary: Named { id: col(row, "secretary")?, name: col(row, "secretary_name")? },
        lawyer: Named { id: col(row, "lawyer")?, name: col(row, "lawyer_name")? },
        status: col(row, "status")?,
        expires_at: col(row, "expires_at")?,
        confirmed_at: col(row, "confirmed_at")?,
    })
}

/// A lawyer sees their own.
fn own_only(who: &Who) -> Option<Uuid> {
    (who.actor.role == Role::Lawyer).then_some(who.person())
}

/// All secretaries, newest first.
pub struct ListSecretaries;

impl Query for ListSecretaries {
    const NAME: &'static str = "list_secretaries";
    const PATH: &'static str = "/v1/secretaries";
    const PERMISSION: Permission = Permission("secretary.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<SecretaryView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.list(who, FROM, Filter::new().and("t.lawyer = ?", own_only(who)), params, view)
    }
}

/// One of them.
pub struct GetSecretary;

impl Query for GetSecretary {
    const NAME: &'static str = "get_secretary";
    const PATH: &'static str = "/v1/secretaries/{id}";
    const PERMISSION: Permission = Permission("secretary.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = SecretaryView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let found = read.one(who, FROM, params.id("id"), view)?;
        let theirs = own_only(who).is_some_and(|own| found.lawyer.id != own);
        if theirs { Err(Refusal::NotFound) } else { Ok(found) }
    }
}
