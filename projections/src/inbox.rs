//! The inbox of a recipient with an account: what was delivered to them by this company, and nothing else of it.

use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::attachment::{self, AttachmentOf};
use crate::delivery::{DocumentOf, FROM, ReplyView, beside, of, searched_papers};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::view::{Row, Seen, Time, col, filled};

/// A delivery, as its recipient sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InboxItemView {
    /// The delivery's id.
    pub id: Uuid,
    /// Last record about it.
    pub position: u64,
    /// What, in the order of the sender.
    pub documents: Vec<DocumentOf>,
    /// The sender's own files with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentOf>,
    /// What the sender wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was sent.
    pub sent_at: Time,
    /// Never opened.
    pub is_new: bool,
    /// What was answered, the oldest first.
    pub replies: Vec<ReplyView>,
}

fn view(row: &Row) -> Seen<InboxItemView> {
    Ok(InboxItemView {
        id: col(row, "id")?,
        position: col(row, "position")?,
        documents: vec![],
        attachments: vec![],
        message: col::<Option<_>>(row, "message")?.and_then(filled),
        sent_at: col(row, "issued_at")?,
        is_new: col::<u32>(row, "views")? == 0,
        replies: vec![],
    })
}

/// Everything in one's inbox, newest first. What was withdrawn is not in it any more.
pub struct ListInbox;

impl Query for ListInbox {
    const NAME: &'static str = "list_inbox";
    const PATH: &'static str = "/v1/inbox";
    const PERMISSION: Permission = Permission("inbox.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "from", kind: Kind::Day },
        Param { name: "to", kind: Kind::Day },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<InboxItemView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new()
            .and("t.member_id = ?", Some(who.member.unwrap_or_default()))
            .and("t.revoked = ?", Some(false))
            .and("t.issued_at >= ?", params.day_start_us("from"))
            .and("t.issued_at < ?", params.day_end_us("to"))
            .search(&searched_papers(), params.text("q"));
        let mut page = read.list(who, &FROM, filter, params, view)?;
        let ids: Vec<Uuid> = page.items.iter().map(|one| one.id).collect();
        let (documents, replies) = beside(read, who, &ids)?;
        let attachments = attachment::of(read, who, &ids)?;
        for item in &mut page.items {
            item.attachments = of(item.id, &attachments);
            item.documents = of(item.id, &documents);
            item.replies = of(item.id, &replies);
        }
        Ok(page)
    }
}
