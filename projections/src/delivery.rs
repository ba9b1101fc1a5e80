//! Deliveries: what went to whom by secure link, and what became of it. Whether its mail went out stands with the mails
//! and is joined; whether time is up is computed when asked.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::delivery::{Delivery, DeliveryEvent};
use keiin_domain::role::Permission;
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::client::Recipient;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, personal};
use crate::view::{Row, Seen, Time, col, filled};

/// One row a delivery.
pub static DELIVERIES: Table = Table {
    name: "deliveries",
    key: &[blob("id")],
    columns: &[
        blob("document_id"),
        blob("subject"),
        personal("to_name"),
        personal("to_email"),
        personal("message"),
        int("expires_at"),
        int("view_limit"),
        int("views"),
        int("issued_at"),
        int("last_opened_at"),
        int("expired"),
        int("revoked"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "document_id, since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "delivery", revision: 1, tables: &[&DELIVERIES], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Delivery::STREAM {
        return Ok(());
    }
    match fact.read()? {
        DeliveryEvent::LinkIssued(e) => {
            let to = e.recipient.open(keys);
            let columns = [
                ("document_id", cell(e.document_id)),
                ("subject", cell(e.recipient.subject)),
                ("to_name", cell(to.as_ref().map(|p| p.name.as_str()))),
                ("to_email", cell(to.as_ref().map(|p| p.email.as_str()))),
                ("message", cell(to.as_ref().map(|p| p.note.as_str()))),
                ("expires_at", cell(e.expires_at_us)),
                ("view_limit", cell(e.view_limit)),
                ("views", cell(0u32)),
                ("issued_at", cell(fact.time_us())),
                ("expired", cell(false)),
                ("revoked", cell(false)),
            ];
            out.born(&DELIVERIES, fact, columns);
        }
        DeliveryEvent::LinkOpened(e) => {
            out.changed(&DELIVERIES, fact, [("views", cell(e.view)), ("last_opened_at", cell(fact.time_us()))]);
        }
        DeliveryEvent::LinkExpired(_) => out.changed(&DELIVERIES, fact, [("expired", cell(true))]),
        DeliveryEvent::LinkRevoked(_) => out.changed(&DELIVERIES, fact, [("revoked", cell(true))]),
        DeliveryEvent::OpenRefused(_) => out.changed(&DELIVERIES, fact, []),
    }
    Ok(())
}

/// Links whose time is up and whose expiry is not written yet: company and delivery, the longest overdue first.
pub fn due(read: &Read, now_us: i64, limit: usize) -> Result<Vec<(Uuid, Uuid)>, Refusal> {
    let sql = "SELECT ledger, id FROM deliveries WHERE expired = 0 AND revoked = 0 AND expires_at <= $1
               ORDER BY expires_at LIMIT $2";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![now_us, limit as u64])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}

/// A delivery, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// What.
    pub document: DocumentOf,
    /// To whom.
    pub to: Recipient,
    /// What was written in the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `revoked`; else `opened` if it ever was; else `failed`, `expired`, `sent` or `sending`.
    pub status: String,
    /// Until when the link works.
    pub expires_at: Time,
    /// How often it was opened.
    pub views: u32,
    /// How often it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_limit: Option<u32>,
    /// When it was ordered.
    pub issued_at: Time,
    /// When it was opened last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_opened_at: Option<Time>,
    /// What the mail server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A delivery's document.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DocumentOf {
    /// Its id.
    pub id: Uuid,
    /// Its number.
    pub number: String,
    /// Its subject line.
    pub title: String,
}

/// Deliveries with what is derived: `status`, `failure`, the document's number and title.
pub const FROM: &str = "(SELECT d.*, o.number, o.title,
        CASE WHEN m.state IN ('failed', 'dead') THEN trim(CAST(m.code AS TEXT) || ' ' || m.diagnostic) END AS failure,
        CASE WHEN d.revoked = 1 THEN 'revoked' WHEN d.views > 0 THEN 'opened'
             WHEN m.state IN ('failed', 'dead') THEN 'failed'
             WHEN d.expired = 1 OR d.expires_at <= :now THEN 'expired'
             WHEN m.state = 'sent' THEN 'sent' ELSE 'sending' END AS status
      FROM deliveries d
      LEFT JOIN documents o ON o.ledger = d.ledger AND o.id = d.document_id
      LEFT JOIN effects m ON m.ledger = d.ledger AND m.position = d.since AND m.n = 0)";

fn view(row: &Row) -> Seen<DeliveryView> {
    Ok(DeliveryView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        document: DocumentOf {
            id: col(row, "document_id")?,
            number: col::<Option<_>>(row, "number")?.unwrap_or_default(),
            title: col::<Option<_>>(row, "title")?.unwrap_or_default(),
        },
        to: Recipient::read(row, "to_name", "to_email")?,
        message: col::<Option<_>>(row, "message")?.and_then(filled),
        status: col(row, "status")?,
        expires_at: col(row, "expires_at")?,
        views: col(row, "views")?,
        view_limit: col(row, "view_limit")?,
        issued_at: col(row, "issued_at")?,
        last_opened_at: col(row, "last_opened_at")?,
        failure: col(row, "failure")?,
    })
}

/// All deliveries, newest first. `from` and `to` are days on which they were ordered.
pub struct ListDeliveries;

impl Query for ListDeliveries {
    const NAME: &'static str = "list_deliveries";
    const PATH: &'static str = "/v1/deliveries";
    const PERMISSION: Permission = Permission("delivery.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["sending", "sent", "failed", "opened", "expired", "revoked"]) },
        Param { name: "document_id", kind: Kind::Id },
        Param { name: "from", kind: Kind::Day },
        Param { name: "to", kind: Kind::Day },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<DeliveryView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new()
            .and("t.status = ?", params.text("status"))
            .and("t.document_id = ?", params.id("document_id"))
            .and("t.issued_at >= ?", params.day_start_us("from"))
            .and("t.issued_at < ?", params.day_end_us("to"))
            .like(&["number", "title", "to_name", "to_email"], params.text("q"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, Filter::new())?, ..page })
    }
}

/// One delivery.
pub struct GetDelivery;

impl Query for GetDelivery {
    const NAME: &'static str = "get_delivery";
    const PATH: &'static str = "/v1/deliveries/{id}";
    const PERMISSION: Permission = Permission("delivery.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = DeliveryView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), view)
    }
}
