//! Attachments, and where each goes: into which sending order, delivery and postal item, and how often its recipient took it.

use keiin_domain::attachment::{Attached, Attachment, AttachmentEvent};
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::delivery::{Delivery, DeliveryEvent};
use keiin_domain::postal_item::{PostalEvent, PostalItem};
use keiin_domain::role::Permission;
use keiin_domain::sending_order::{SendingOrder, SendingOrderEvent};
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Kind, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Value, Writes, blob, cell, int, personal, text};
use crate::view::{Row, Seen, Time, col};

/// One row an attachment.
pub static ATTACHMENTS: Table = Table {
    name: "attachments",
    key: &[blob("id")],
    columns: &[
        blob("subject"),
        personal("name"),
        text("status"),
        int("size"),
        blob("sha256"),
        int("pages"),
        int("is_printable"),
        int("is_scanned"),
        blob("received_by"),
        int("received_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["status"],
    only_grows: false,
};

/// One row an attachment of an order, a delivery or a postal item.
pub static ENCLOSED: Table = Table {
    name: "enclosed_attachments",
    key: &[blob("holder_id"), blob("attachment_id")],
    columns: &[int("n"), int("downloads"), int("last_downloaded_at")],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection =
    Projection { name: "attachment", revision: 1, tables: &[&ATTACHMENTS, &ENCLOSED], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    match fact.stream() {
        Attachment::STREAM => own(fact, keys, out)?,
        SendingOrder::STREAM => {
            if let SendingOrderEvent::Placed(e) = fact.read()? {
                enclosed(fact, &e.attachments, out);
            }
        }
        PostalItem::STREAM => {
            if let PostalEvent::Queued(e) = fact.read()? {
                enclosed(fact, &e.attachments, out);
            }
        }
        Delivery::STREAM => match fact.read()? {
            DeliveryEvent::LinkIssued(e) => enclosed(fact, &e.attachments, out),
            DeliveryEvent::InboxDelivered(e) => enclosed(fact, &e.attachments, out),
            DeliveryEvent::Downloaded(e) => {
                if let Some(attachment) = e.attachment_id {
                    let key = || [fact.id(), cell(attachment)];
                    out.add(&ENCLOSED, key(), "downloads", 1);
                    out.set(&ENCLOSED, key(), [("last_downloaded_at", cell(fact.time_us()))]);
                }
            }
            _ => {}
        },
        _ => {}
    }
    Ok(())
}

fn own(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    match fact.read()? {
        AttachmentEvent::Received(e) => {
            let columns = [
                ("subject", cell(e.name.subject)),
                ("name", cell(e.name.open(keys).map(|name| name.text))),
                ("status", cell("received")),
                ("size", cell(e.size)),
                ("sha256", cell(e.sha256)),
                ("pages", cell(e.pages)),
                ("is_printable", cell(e.is_printable)),
                ("is_scanned", cell(e.is_scanned)),
                ("received_by", cell(e.received_by)),
                ("received_at", cell(fact.time_us())),
            ];
            out.born(&ATTACHMENTS, fact, columns);
        }
        AttachmentEvent::EnclosedIn(_) => out.changed(&ATTACHMENTS, fact, [("status", cell("enclosed"))]),
        AttachmentEvent::Removed(_) => out.changed(&ATTACHMENTS, fact, [("status", cell("removed"))]),
    }
    Ok(())
}

fn enclosed(fact: &Fact, files: &[Attached], out: &mut Writes) {
    for (n, one) in (0u32..).zip(files) {
        out.put(&ENCLOSED, [fact.id(), cell(one.attachment_id)], [("n", cell(n)), ("downloads", cell(0u32))]);
    }
}

/// Attachments that were taken back and are not erased yet: company and subject.
pub fn unerased(read: &Read, limit: usize) -> Result<Vec<(Uuid, Uuid)>, Refusal> {
    let sql = "SELECT ledger, subject FROM attachments WHERE status = 'removed' AND name IS NOT NULL LIMIT $1";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![limit as u64])?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}

/// An attachment, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttachmentView {
    /// Its id, and the subject by which it is erased.
    pub id: Uuid,
    /// Stream version.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// What the file is called; absent once it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `received`, `enclosed` once a sending order names it, or `removed`.
    pub status: String,
    /// Bytes of the file.
    pub size: u32,
    /// From 1.
    pub pages: u32,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    /// Can it go out by post, too? Every page is A4.
    pub is_printable: bool,
    /// Did the deployment's scanner look at it?
    pub is_scanned: bool,
    /// Which member brought it, also by a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_by: Option<Uuid>,
    /// When.
    pub received_at: Time,
}

fn hex(hash: [u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn view(row: &Row) -> Seen<AttachmentView> {
    Ok(AttachmentView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        name: col(row, "name")?,
        status: col(row, "status")?,
        size: col(row, "size")?,
        pages: col(row, "pages")?,
        sha256: hex(col(row, "sha256")?),
        is_printable: col(row, "is_printable")?,
        is_scanned: col(row, "is_scanned")?,
        received_by: col(row, "received_by")?,
        received_at: col(row, "received_at")?,
    })
}

/// One attachment.
pub struct GetAttachment;

impl Query for GetAttachment {
    const NAME: &'static str = "get_attachment";
    const PATH: &'static str = "/v1/attachments/{id}";
    const PERMISSION: Permission = Permission("sending_order.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = AttachmentView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, "attachments", params.id("id"), view)
    }
}

/// An attachment of an order, a delivery or a postal item.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttachmentOf {
    /// Its id.
    pub id: Uuid,
    /// What the file is called; absent once it was erased, and then it goes out no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Bytes of the file.
    pub size: u32,
    /// From 1.
    pub pages: u32,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    /// How often the recipient took it.
    pub downloads: u32,
    /// When they took it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_downloaded_at: Option<Time>,
}

/// Attachments of some orders, deliveries or postal items, each with whose it is, in the order of the sender.
pub(crate) fn of(read: &Read, who: &Who, holders: &[Uuid]) -> Result<Vec<(Uuid, AttachmentOf)>, Refusal> {
    if holders.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<Value> = holders.iter().map(|id| cell(*id)).collect();
    let sql = format!(
        "SELECT x.*, a.name, a.size, a.pages, a.sha256 FROM enclosed_attachments x
         JOIN attachments a ON a.ledger = x.ledger AND a.id = x.attachment_id
         WHERE x.ledger = :ledger AND x.holder_id IN ({}) ORDER BY x.n",
        vec!["?"; ids.len()].join(", ")
    );
    read.rows(who, &sql, ids, |row| {
        let one = AttachmentOf {
            id: col(row, "attachment_id")?,
            name: col(row, "name")?,
            size: col(row, "size")?,
            pages: col(row, "pages")?,
            sha256: hex(col(row, "sha256")?),
            downloads: col(row, "downloads")?,
            last_downloaded_at: col(row, "last_downloaded_at")?,
        };
        Ok((col::<Uuid>(row, "holder_id")?, one))
    })
}
