//! Sending orders: what goes to whom by which way, and what became of it at each. Where a recipient was handed over, their
//! status is that of the delivery or the postal item.

use std::sync::LazyLock;

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::date::DAY_US;
use keiin_domain::mail_template::MailKind;
use keiin_domain::postal_item::PostalAddress;
use keiin_domain::role::Permission;
use keiin_domain::sending_order::{Placed, SendingOrder, SendingOrderEvent};
use keiin_domain::visit::VisitorLanguage;
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::attachment::{self, AttachmentOf};
use crate::client::Recipient;
use crate::delivery;
use crate::fact::{Fact, Opener};
use crate::mail::Letter;
use crate::mail_template;
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Columns, Table, Writes, blob, cell, int, personal, text};
use crate::view::{Row, Seen, Time, col, filled};

/// One row an order.
pub static ORDERS: Table = Table {
    name: "sending_orders",
    key: &[blob("id")],
    columns: &[
        text("stage"),
        int("asks_approval"),
        blob("client_id"),
        blob("placed_by"),
        int("placed_at"),
        blob("released_by"),
        text("reason"),
        int("expires_in_days"),
        int("view_limit"),
        int("total"),
        int("handed_over"),
        int("failed"),
        int("waiting"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "stage, waiting"],
    only_grows: false,
};

/// One row a document of an order.
pub static DOCUMENTS: Table = Table {
    name: "sending_documents",
    key: &[blob("order_id"), blob("document_id")],
    columns: &[int("n"), int("revision")],
    indexes: &["document_id"],
    only_grows: false,
};

/// One row a recipient of an order.
pub static RECIPIENTS: Table = Table {
    name: "sending_recipients",
    key: &[blob("order_id"), int("n")],
    columns: &[
        text("way"),
        blob("target"),
        blob("subject"),
        personal("to_name"),
        personal("to_email"),
        personal("address"),
        personal("message"),
        int("has_passcode"),
        text("service"),
        text("outcome"),
        text("code"),
        text("pointer"),
    ],
    indexes: &["outcome, order_id, n"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection =
    Projection { name: "sending_order", revision: 1, tables: &[&ORDERS, &DOCUMENTS, &RECIPIENTS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != SendingOrder::STREAM {
        return Ok(());
    }
    let mut stage = |stage: &str, more: Columns| {
        out.changed(&ORDERS, fact, [vec![("stage", cell(stage))], more].concat());
    };
    match fact.read()? {
        SendingOrderEvent::Placed(e) => placed(fact, e, keys, out),
        SendingOrderEvent::Approved(_) => stage("ready", vec![]),
        SendingOrderEvent::Rejected(e) => stage("rejected", vec![("reason", cell(e.reason))]),
        SendingOrderEvent::Released(e) => stage("released", vec![("released_by", cell(e.by))]),
        SendingOrderEvent::Cancelled(e) => stage("cancelled", vec![("reason", cell(e.reason))]),
        SendingOrderEvent::HandedOver(e) => turn(fact, e.n, "handed_over", vec![], out),
        SendingOrderEvent::Failed(e) => {
            turn(fact, e.n, "failed", vec![("code", cell(e.code)), ("pointer", cell(e.pointer))], out);
        }
    }
    Ok(())
}

fn placed(fact: &Fact, e: Placed, keys: &Opener, out: &mut Writes) {
    for (n, one) in (0u32..).zip(&e.documents) {
        out.put(&DOCUMENTS, [fact.id(), cell(one.document_id)], [("n", cell(n)), ("revision", cell(one.revision))]);
    }
    let by_mail = e.by_mail.iter().map(|one| {
        let to = one.recipient.open(keys);
        vec![
            ("way", cell("mail")),
            ("target", cell(one.delivery_id)),
            ("subject", cell(one.recipient.subject)),
            ("to_name", cell(to.as_ref().map(|to| to.name.as_str()))),
            ("to_email", cell(to.as_ref().map(|to| to.email.as_str()))),
            ("message", cell(to.as_ref().map(|to| to.note.as_str()))),
            ("has_passcode", cell(one.has_passcode)),
        ]
    });
    let by_post = e.by_post.iter().map(|one| {
        let to = one.recipient.open(keys);
        vec![
            ("way", cell("post")),
            ("target", cell(one.postal_item_id)),
            ("subject", cell(one.recipient.subject)),
            ("to_name", cell(to.as_ref().map(|to| to.name.as_str()))),
            ("address", cell(to.as_ref().map(in_one_line))),
            ("message", cell(to.as_ref().map(|to| to.message.as_str()))),
            ("has_passcode", cell(false)),
            ("service", cell(one.service.name())),
        ]
    });
    for (n, mut columns) in (0u32..).zip(by_mail.chain(by_post).collect::<Vec<Columns>>()) {
        columns.push(("outcome", cell("waiting")));
        out.put(&RECIPIENTS, [fact.id(), cell(n)], columns);
    }
    let total = e.recipients() as u64;
    let columns = [
        ("stage", cell(if e.asks_approval { "asked" } else { "ready" })),
        ("asks_approval", cell(e.asks_approval)),
        ("client_id", cell(e.client_id)),
        ("placed_by", cell(e.placed_by)),
        ("placed_at", cell(fact.time_us())),
        ("expires_in_days", cell(e.expires_in_days)),
        ("view_limit", cell(e.view_limit)),
        ("total", cell(total)),
        ("handed_over", cell(0u32)),
        ("failed", cell(0u32)),
        ("waiting", cell(total)),
    ];
    out.born(&ORDERS, fact, columns);
}

fn in_one_line(to: &PostalAddress) -> String {
    let (front, back) = to.postal_code.split_at_checked(3).unwrap_or((&to.postal_code, ""));
    let street = format!("〒{front}-{back} {}{}{}", to.region, to.locality, to.street_address);
    let parts = [street.as_str(), &to.extended_address, &to.department, &to.attention];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// That a recipient's turn came.
fn turn(fact: &Fact, n: u32, outcome: &'static str, mut columns: Columns, out: &mut Writes) {
    columns.push(("outcome", cell(outcome)));
    out.set(&RECIPIENTS, [fact.id(), cell(n)], columns);
    out.add(&ORDERS, [fact.id()], outcome, 1);
    out.add(&ORDERS, [fact.id()], "waiting", -1);
    out.changed(&ORDERS, fact, []);
}

/// A recipient whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Of which company.
    pub ledger: Uuid,
    /// Which order.
    pub order: Uuid,
    /// Which recipient.
    pub n: u32,
    /// On whose behalf; nobody's, where a program released it.
    pub by: Option<Uuid>,
    /// Position of the record that placed the order.
    pub since: u64,
}

/// Recipients who wait in released orders of all companies; those of one order in its order. What is still to be printed is
/// waited for.
pub fn waiting(read: &Read, limit: usize) -> Result<Vec<Turn>, Refusal> {
    // Asked after every change of any company: one look into the index of each.
    let sql = "SELECT o.ledger, o.id, x.n, m.id, o.since FROM positions p
               JOIN sending_orders o ON o.ledger = p.ledger AND o.stage = 'released' AND o.waiting > 0
               JOIN sending_recipients x ON x.ledger = o.ledger AND x.outcome = 'waiting' AND x.order_id = o.id
               LEFT JOIN members m ON m.ledger = o.ledger AND m.id = o.released_by
               WHERE p.projection = 'sending_order' AND NOT EXISTS
                 (SELECT 1 FROM sending_documents y JOIN documents u ON u.ledger = y.ledger AND u.id = y.document_id
                  AND u.unprinted = 1 WHERE y.ledger = o.ledger AND y.order_id = o.id)
               ORDER BY o.placed_at, o.id, x.n LIMIT $1";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![limit as u64])?))?;
    let turn = |row: &Row| {
        let (ledger, order, n) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Turn { ledger, order, n, by: row.get(3)?, since: row.get(4)? })
    };
    Ok(rows.iter().map(turn).collect::<Seen<_>>()?)
}

/// A sending order, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SendingOrderView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// `asked` (waits for a second person), `ready`, `sending`, `finished`, `rejected` or `cancelled`.
    pub status: String,
    /// Did it need a second person's approval?
    pub asks_approval: bool,
    /// Whose documents they are, where something goes by post.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Uuid>,
    /// Which member placed it, also by a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_by: Option<Uuid>,
    /// When.
    pub placed_at: Time,
    /// Why it was rejected or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many days a link works.
    pub expires_in_days: u32,
    /// How often a link may be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_limit: Option<u32>,
    /// Recipients.
    pub total: u64,
    /// To whom it was handed over so far.
    pub handed_over: u64,
    /// To whom it could not be.
    pub failed: u64,
    /// Neither: of a cancelled order, who gets nothing.
    pub waiting: u64,
    /// What, in the order of the sender.
    pub documents: Vec<DocumentIn>,
    /// Own files with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentOf>,
    /// To whom. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Vec<RecipientView>>,
    /// In mails and on cover sheets. Only in the detail; absent once everybody was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A document of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DocumentIn {
    /// Its id.
    pub id: Uuid,
    /// Of what kind.
    pub document_type: String,
    /// Its number.
    pub number: String,
    /// Its subject line.
    pub title: String,
    /// Its revision when the order was placed; no other goes out.
    pub revision: u32,
}

/// A recipient of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecipientView {
    /// From 0.
    pub n: u32,
    /// `inbox`, `secure_link` or `post`. Before the hand-over, what it would be now.
    pub channel: String,
    /// To whom.
    pub to: Recipient,
    /// Where, by post: in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How, by post.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Must they type a passcode, too?
    pub has_passcode: bool,
    /// `waiting`, `failed`, or the status of the delivery or the postal item.
    pub status: String,
    /// What the hand-over made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<Uuid>,
    /// What the hand-over made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_item_id: Option<Uuid>,
    /// Why they got nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Where in the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The mail as it would go out now, but for its link. Only before the hand-over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailText>,
}

/// A mail's text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MailText {
    /// Subject line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// Orders with their `status`.
pub const FROM: &str = "(SELECT o.*, CASE WHEN o.waiting = 0 THEN 'finished' WHEN o.stage = 'released' THEN 'sending'
       ELSE o.stage END AS status FROM sending_orders o)";

fn view(row: &Row) -> Seen<SendingOrderView> {
    Ok(SendingOrderView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        status: col(row, "status")?,
        asks_approval: col(row, "asks_approval")?,
        client_id: col(row, "client_id")?,
        placed_by: col(row, "placed_by")?,
        placed_at: col(row, "placed_at")?,
        reason: col::<Option<_>>(row, "reason")?.and_then(filled),
        expires_in_days: col(row, "expires_in_days")?,
        view_limit: col(row, "view_limit")?,
        total: col(row, "total")?,
        handed_over: col(row, "handed_over")?,
        failed: col(row, "failed")?,
        waiting: col(row, "waiting")?,
        documents: vec![],
        attachments: vec![],
        recipients: None,
        message: None,
    })
}

/// Fills in the documents.
fn with_documents(read: &Read, who: &Who, mut orders: Vec<SendingOrderView>) -> Result<Vec<SendingOrderView>, Refusal> {
    if orders.is_empty() {
        return Ok(orders);
    }
    let places = vec!["?"; orders.len()].join(", ");
    let sql = format!(
        "SELECT x.*, o.document_type, o.number, o.title FROM sending_documents x
         JOIN documents o ON o.ledger = x.ledger AND o.id = x.document_id
         WHERE x.ledger = :ledger AND x.order_id IN ({places}) ORDER BY x.n"
    );
    let documents = read.rows(who, &sql, orders.iter().map(|one| cell(one.id)).collect(), |row| {
        let document = DocumentIn {
            id: col(row, "document_id")?,
            document_type: col(row, "document_type")?,
            number: col::<Option<_>>(row, "number")?.unwrap_or_default(),
            title: col(row, "title")?,
            revision: col(row, "revision")?,
        };
        Ok((col::<Uuid>(row, "order_id")?, document))
    })?;
    let attachments = attachment::of(read, who, &orders.iter().map(|one| one.id).collect::<Vec<_>>())?;
    for one in &mut orders {
        one.attachments = delivery::of(one.id, &attachments);
        one.documents = delivery::of(one.id, &documents);
    }
    Ok(orders)
}

/// Recipients with what became of each.
static TO: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT x.*, coalesce(d.status, i.status, x.outcome) AS status,
            CASE WHEN x.way = 'post' THEN 'post' WHEN d.channel IS NOT NULL THEN d.channel
                 WHEN EXISTS (SELECT 1 FROM members m WHERE m.ledger = x.ledger AND m.role = 'recipient'
                   AND m.status = 'active' AND m.email = x.to_email) THEN 'inbox' ELSE 'secure_link' END AS channel
         FROM sending_recipients x
         LEFT JOIN {} d ON d.ledger = x.ledger AND d.id = x.target
         LEFT JOIN postal_items i ON i.ledger = x.ledger AND i.id = x.target
         WHERE x.ledger = :ledger AND x.order_id = ? ORDER BY x.n",
        &*delivery::FROM
    )
});

fn recipient(row: &Row) -> Seen<(RecipientView, Option<String>)> {
    let channel: String = col(row, "channel")?;
    let is_out = col::<String>(row, "outcome")? == "handed_over";
    let target: Option<Uuid> = Some(col(row, "target")?).filter(|_| is_out);
    let recipient = RecipientView {
        n: col(row, "n")?,
        to: Recipient::read(row, "to_name", "to_email")?,
        address: col(row, "address")?,
        service: col(row, "service")?,
        has_passcode: col(row, "has_passcode")?,
        status: col(row, "status")?,
        delivery_id: target.filter(|_| channel != "post"),
        postal_item_id: target.filter(|_| channel == "post"),
        code: col(row, "code")?,
        pointer: col::<Option<_>>(row, "pointer")?.and_then(filled),
        mail: None,
        channel,
    };
    Ok((recipient, col::<Option<_>>(row, "message")?.and_then(filled)))
}

/// All sending orders, newest first.
pub struct ListSendingOrders;

impl Query for ListSendingOrders {
    const NAME: &'static str = "list_sending_orders";
    const PATH: &'static str = "/v1/sending-orders";
    const PERMISSION: Permission = Permission("sending_order.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[
        Param {
            name: "status",
            kind: Kind::OneOf(&["asked", "ready", "sending", "finished", "rejected", "cancelled"]),
        },
        Param { name: "document_id", kind: Kind::Id },
    ];
    const LIST: bool = true;
    type Answer = Listing<SendingOrderView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new().and("t.status = ?", params.text("status")).and(
            "t.id IN (SELECT x.order_id FROM sending_documents x WHERE x.ledger = t.ledger AND x.document_id = ?)",
            params.id("document_id"),
        );
        let page = read.list(who, FROM, filter, params, view)?;
        let counts = read.counts(who, FROM, Filter::new())?;
        Ok(Listing { counts, items: with_documents(read, who, page.items)?, ..page })
    }
}

/// One sending order with what became of it at each recipient.
pub struct GetSendingOrder;

impl Query for GetSendingOrder {
    const NAME: &'static str = "get_sending_order";
    const PATH: &'static str = "/v1/sending-orders/{id}";
    const PERMISSION: Permission = Permission("sending_order.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = SendingOrderView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let found = read.one(who, FROM, params.id("id"), view)?;
        let order = with_documents(read, who, vec![found])?.pop().ok_or(Refusal::NotFound)?;
        let recipients = read.rows(who, &TO, vec![cell(order.id)], recipient)?;
        let message = recipients.iter().find_map(|(_, message)| message.clone());
        let order = SendingOrderView { message, ..order };
        let recipients = recipients.into_iter().map(|(recipient, _)| {
            let mail = mail(read, who, &order, &recipient);
            RecipientView { mail, ..recipient }
        });
        Ok(SendingOrderView { recipients: Some(recipients.collect()), ..order })
    }
}

/// The mail to somebody whose turn has not come.
fn mail(read: &Read, who: &Who, order: &SendingOrderView, to: &RecipientView) -> Option<MailText> {
    let first = order.documents.first()?;
    if to.channel == "post" || to.status != "waiting" || to.to.erased {
        return None;
    }
    let numbers: Vec<&str> = order.documents.iter().map(|one| one.number.as_str()).collect();
    let company = read.rows(who, "SELECT name FROM tenants WHERE ledger = :ledger", vec![], |row| col(row, "name"));
    let kind = if to.channel == "inbox" { MailKind::Inbox } else { MailKind::Delivery };
    let text = read.beside.as_ref()?.render(&Letter {
        ledger: who.ledger,
        template: kind.name().to_owned(),
        own_ja: mail_template::own(read, who, kind, VisitorLanguage::Ja).ok()?,
        own_en: mail_template::own(read, who, kind, VisitorLanguage::En).ok()?,
        queued_at: Time(who.now_us),
        to: to.to.clone(),
        company: company.ok()?.pop(),
        document_number: Some(numbers.join(", ")),
        document_title: Some(first.title.clone()),
        message: order.message.clone(),
        expires_at: Some(Time(who.now_us + i64::from(order.expires_in_days) * DAY_US)),
        ..Letter::default()
    });
    Some(MailText { subject: text.subject, body: text.body })
}
