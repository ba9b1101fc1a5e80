//! Deliveries: what went to whom by secure link or into an inbox, and what became of it. Whether its mail went out stands with the mails
//! and is joined; whether time is up is computed when asked.

use std::sync::LazyLock;

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::delivery::{Closed, Delivery, DeliveryEvent, Enclosed, PASSCODE_TRIES};
use keiin_domain::role::Permission;
use keiin_domain::sealed::{Person, Sealed};
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::attachment::{self, AttachmentOf};
use crate::client::Recipient;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Columns, Table, Value, Writes, blob, cell, int, personal, text};
use crate::view::{Row, Seen, Time, col, filled};

/// One row a delivery.
pub static DELIVERIES: Table = Table {
    name: "deliveries",
    key: &[blob("id")],
    columns: &[
        text("channel"),
        blob("document_id"),
        blob("member_id"),
        blob("sent_by"),
        blob("subject"),
        personal("to_name"),
        personal("to_email"),
        personal("message"),
        personal("search"),
        int("expires_at"),
        int("view_limit"),
        int("has_passcode"),
        int("views"),
        int("wrong"),
        int("issued_at"),
        int("mailed"),
        int("last_opened_at"),
        int("expired"),
        int("revoked"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "member_id"],
    only_grows: false,
};

/// One row an answer of a recipient.
pub static REPLIES: Table = Table {
    name: "delivery_replies",
    key: &[blob("delivery_id"), int("n")],
    columns: &[blob("subject"), personal("text"), int("replied_at")],
    indexes: &[],
    only_grows: false,
};

/// One row a document of a delivery.
pub static ENCLOSED: Table = Table {
    name: "delivery_documents",
    key: &[blob("delivery_id"), blob("document_id")],
    columns: &[int("n"), int("revision"), int("downloads"), int("last_downloaded_at")],
    indexes: &["document_id"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection =
    Projection { name: "delivery", revision: 4, tables: &[&DELIVERIES, &ENCLOSED, &REPLIES], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Delivery::STREAM {
        return Ok(());
    }
    match fact.read()? {
        DeliveryEvent::LinkIssued(e) => {
            let mut columns = sent(fact, &e.documents, &e.recipient, e.sent_by, keys, out);
            columns.extend([
                ("channel", cell("secure_link")),
                ("expires_at", cell(e.expires_at_us)),
                ("view_limit", cell(e.view_limit)),
                ("has_passcode", cell(e.has_passcode)),
            ]);
            out.born(&DELIVERIES, fact, columns);
        }
        DeliveryEvent::InboxDelivered(e) => {
            let mut columns = sent(fact, &e.documents, &e.recipient, e.sent_by, keys, out);
            columns.extend([
                ("channel", cell("inbox")),
                ("member_id", cell(e.member_id)),
                ("has_passcode", cell(false)),
            ]);
            out.born(&DELIVERIES, fact, columns);
        }
        DeliveryEvent::RecipientRegistered(e) => {
            out.changed(&DELIVERIES, fact, [("member_id", cell(e.member_id))]);
        }
        DeliveryEvent::Opened(e) => {
            out.changed(&DELIVERIES, fact, [("views", cell(e.view)), ("last_opened_at", cell(fact.time_us()))]);
        }
        DeliveryEvent::Replied(e) => {
            let text = e.reply.open(keys).map(|reply| reply.note);
            let columns =
                [("subject", cell(e.reply.subject)), ("text", cell(text)), ("replied_at", cell(fact.time_us()))];
            out.put(&REPLIES, [fact.id(), cell(fact.leaf.position)], columns);
            out.changed(&DELIVERIES, fact, []);
        }
        DeliveryEvent::Withdrawn(_) => out.changed(&DELIVERIES, fact, [("revoked", cell(true))]),
        DeliveryEvent::LinkReissued(e) => {
            let columns = [
                ("expires_at", cell(e.expires_at_us)),
                ("mailed", cell(fact.leaf.position)),
                ("wrong", cell(0u32)),
                ("expired", cell(false)),
            ];
            out.changed(&DELIVERIES, fact, columns);
        }
        DeliveryEvent::Downloaded(e) => {
            if let Some(document) = e.document_id {
                let key = || [fact.id(), cell(document)];
                out.add(&ENCLOSED, key(), "downloads", 1);
                out.set(&ENCLOSED, key(), [("last_downloaded_at", cell(fact.time_us()))]);
            }
            out.changed(&DELIVERIES, fact, []);
        }
        DeliveryEvent::LinkOpened(e) => {
            out.changed(&DELIVERIES, fact, [("views", cell(e.view)), ("last_opened_at", cell(fact.time_us()))]);
        }
        DeliveryEvent::LinkExpired(_) => out.changed(&DELIVERIES, fact, [("expired", cell(true))]),
        DeliveryEvent::LinkRevoked(_) => out.changed(&DELIVERIES, fact, [("revoked", cell(true))]),
        DeliveryEvent::OpenRefused(e) => {
            out.add(&DELIVERIES, [fact.id()], "wrong", i64::from(e.reason == Closed::WrongPasscode));
            out.changed(&DELIVERIES, fact, []);
        }
    }
    Ok(())
}

/// What every delivery begins with; its documents have rows of their own.
fn sent(
    fact: &Fact,
    documents: &[Enclosed],
    recipient: &Sealed<Person>,
    sent_by: Option<Uuid>,
    keys: &Opener,
    out: &mut Writes,
) -> Columns {
    for (n, one) in (0u32..).zip(documents) {
        let columns = [("n", cell(n)), ("revision", cell(one.revision)), ("downloads", cell(0u32))];
        out.put(&ENCLOSED, [fact.id(), cell(one.document_id)], columns);
    }
    let to = recipient.open(keys);
    vec![
        ("document_id", cell(documents.first().map(|one| one.document_id))),
        ("sent_by", cell(sent_by)),
        ("subject", cell(recipient.subject)),
        ("to_name", cell(to.as_ref().map(|p| p.name.as_str()))),
        ("to_email", cell(to.as_ref().map(|p| p.email.as_str()))),
        ("message", cell(to.as_ref().map(|p| p.note.as_str()))),
        ("search", cell(to.as_ref().map(|p| search::lines(&[&p.name, &p.email])))),
        ("views", cell(0u32)),
        ("wrong", cell(0u32)),
        ("issued_at", cell(fact.time_us())),
        ("mailed", cell(fact.leaf.position)),
        ("expired", cell(false)),
        ("revoked", cell(false)),
    ]
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
    /// `secure_link` or `inbox`.
    pub channel: String,
    /// What, in the order of the sender.
    pub documents: Vec<DocumentOf>,
    /// The sender's own files with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentOf>,
    /// To whom.
    pub to: Recipient,
    /// What was written in the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The recipient's account, where they have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<Uuid>,
    /// What they answered, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<ReplyView>,
    /// `revoked` or `locked`; else `opened` if it ever was; else `delivered` into an inbox, `failed`, `expired`, `sent` or
    /// `sending`.
    pub status: String,
    /// Until when the link works, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// How often it was opened.
    pub views: u32,
    /// How often it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_limit: Option<u32>,
    /// Must the recipient type a passcode, too?
    pub has_passcode: bool,
    /// When it was ordered.
    pub issued_at: Time,
    /// When it was opened last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_opened_at: Option<Time>,
    /// What the mail server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// An answer of a recipient.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplyView {
    /// Absent once they were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When.
    pub replied_at: Time,
}

/// A delivery's document.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DocumentOf {
    /// Its id.
    pub id: Uuid,
    /// Of what kind.
    pub document_type: String,
    /// Its number.
    pub number: String,
    /// Its subject line.
    pub title: String,
    /// Its revision when it was sent.
    pub revision: u32,
    /// How often the recipient took its file.
    pub downloads: u32,
    /// When they took it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_downloaded_at: Option<Time>,
    /// When they accepted it, where it is a quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Time>,
}

/// Deliveries with what is derived: `status` and `failure`.
pub static FROM: LazyLock<String> = LazyLock::new(|| {
    format!(
        "(SELECT d.*,
        CASE WHEN m.state IN ('failed', 'dead', 'bounced') THEN trim(coalesce(CAST(m.code AS TEXT), '') || ' ' || m.diagnostic) END AS failure,
        CASE WHEN d.revoked = 1 THEN 'revoked' WHEN d.wrong >= {PASSCODE_TRIES} THEN 'locked'
             WHEN d.views > 0 THEN 'opened' WHEN d.channel = 'inbox' THEN 'delivered'
             WHEN m.state IN ('failed', 'dead', 'bounced') THEN 'failed'
             WHEN d.expired = 1 OR d.expires_at <= :now THEN 'expired'
             WHEN m.state = 'sent' THEN 'sent' ELSE 'sending' END AS status
      FROM deliveries d
      LEFT JOIN effects m ON m.ledger = d.ledger AND m.position = d.mailed AND m.n = 0)"
    )
});

fn view(row: &Row) -> Seen<DeliveryView> {
    Ok(DeliveryView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        channel: col(row, "channel")?,
        documents: vec![],
        attachments: vec![],
        recipient_id: col(row, "member_id")?,
        replies: vec![],
        to: Recipient::read(row, "to_name", "to_email")?,
        message: col::<Option<_>>(row, "message")?.and_then(filled),
        status: col(row, "status")?,
        expires_at: col(row, "expires_at")?,
        views: col(row, "views")?,
        view_limit: col(row, "view_limit")?,
        has_passcode: col(row, "has_passcode")?,
        issued_at: col(row, "issued_at")?,
        last_opened_at: col(row, "last_opened_at")?,
        failure: col(row, "failure")?,
    })
}

/// Documents and answers of some deliveries, each with the delivery's id.
pub(crate) type Beside = (Vec<(Uuid, DocumentOf)>, Vec<(Uuid, ReplyView)>);

/// What stands beside some deliveries.
pub(crate) fn beside(read: &Read, who: &Who, deliveries: &[Uuid]) -> Result<Beside, Refusal> {
    if deliveries.is_empty() {
        return Ok((vec![], vec![]));
    }
    let ids = || deliveries.iter().map(|id| cell(*id)).collect::<Vec<Value>>();
    let places = vec!["?"; deliveries.len()].join(", ");
    let sql = format!(
        "SELECT x.*, o.document_type, o.number, o.title, o.accepted_at FROM delivery_documents x
         JOIN documents o ON o.ledger = x.ledger AND o.id = x.document_id
         WHERE x.ledger = :ledger AND x.delivery_id IN ({places}) ORDER BY x.n"
    );
    let documents = read.rows(who, &sql, ids(), |row| {
        let document = DocumentOf {
            id: col(row, "document_id")?,
            document_type: col(row, "document_type")?,
            number: col::<Option<_>>(row, "number")?.unwrap_or_default(),
            title: col(row, "title")?,
            revision: col(row, "revision")?,
            downloads: col(row, "downloads")?,
            last_downloaded_at: col(row, "last_downloaded_at")?,
            accepted_at: col(row, "accepted_at")?,
        };
        Ok((col::<Uuid>(row, "delivery_id")?, document))
    })?;
    let sql = format!(
        "SELECT * FROM delivery_replies WHERE ledger = :ledger AND delivery_id IN ({places}) ORDER BY delivery_id, n"
    );
    let replies = read.rows(who, &sql, ids(), |row| {
        let reply = ReplyView { text: col(row, "text")?, replied_at: col(row, "replied_at")? };
        Ok((col::<Uuid>(row, "delivery_id")?, reply))
    })?;
    Ok((documents, replies))
}

/// Fills in what stands beside.
fn enclosed(read: &Read, who: &Who, mut deliveries: Vec<DeliveryView>) -> Result<Vec<DeliveryView>, Refusal> {
    let ids: Vec<Uuid> = deliveries.iter().map(|one| one.id).collect();
    let (documents, replies) = beside(read, who, &ids)?;
    let attachments = attachment::of(read, who, &ids)?;
    for one in &mut deliveries {
        one.attachments = of(one.id, &attachments);
        one.documents = of(one.id, &documents);
        one.replies = of(one.id, &replies);
    }
    Ok(deliveries)
}

/// What is of this delivery.
pub(crate) fn of<T: Clone>(delivery: Uuid, all: &[(Uuid, T)]) -> Vec<T> {
    all.iter().filter(|(id, _)| *id == delivery).map(|(_, one)| one.clone()).collect()
}

/// That a pattern stands in the number or the title of one of a delivery's documents.
pub(crate) fn searched_papers() -> String {
    let found = search::in_any(&["o.number_search", "o.search"]);
    format!(
        "t.id IN (SELECT x.delivery_id FROM documents o JOIN delivery_documents x ON x.ledger = o.ledger
           AND x.document_id = o.id WHERE o.ledger = :ledger AND ({found}))"
    )
}

/// What becomes of a delivery.
const STATUS: &[&str] = &["sending", "sent", "failed", "delivered", "opened", "expired", "locked", "revoked"];

/// All deliveries, newest first. `from` and `to` are days on which they were ordered.
pub struct ListDeliveries;

impl Query for ListDeliveries {
    const NAME: &'static str = "list_deliveries";
    const PATH: &'static str = "/v1/deliveries";
    const PERMISSION: Permission = Permission("delivery.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(STATUS) },
        Param { name: "channel", kind: Kind::OneOf(&["secure_link", "inbox"]) },
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
            .and("t.channel = ?", params.text("channel"))
            .and(
                "t.id IN (SELECT x.delivery_id FROM delivery_documents x WHERE x.ledger = t.ledger AND x.document_id = ?)",
                params.id("document_id"),
            )
            .and("t.issued_at >= ?", params.day_start_us("from"))
            .and("t.issued_at < ?", params.day_end_us("to"))
            .search(&format!("{} OR {}", search::has("t.search"), searched_papers()), params.text("q"));
        let page = read.list(who, &FROM, filter, params, view)?;
        let counts = read.counts(who, &FROM, Filter::new())?;
        Ok(Listing { counts, items: enclosed(read, who, page.items)?, ..page })
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
        let found = read.one(who, &FROM, params.id("id"), view)?;
        enclosed(read, who, vec![found])?.pop().ok_or(Refusal::NotFound)
    }
}
