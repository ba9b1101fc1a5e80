//! Sending: the command, and what other commands use to send.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Delivery, EXPIRES_IN_DAYS, EXPIRES_IN_DAYS_MAX, Enclosed, InboxDelivered, LinkIssued, MAX_DOCUMENTS, VIEW_LIMIT_MAX,
};
use crate::attachment::Attached;
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::DAY_US;
use crate::document::{Document, DocumentStatus};
use crate::member::{Member, MemberStatus};
use crate::paper::Paper;
use crate::role::{Permission, Role};
use crate::sealed::Person;
use crate::text;

/// Most characters of a passcode.
pub(super) const PASSCODE_LENGTH: usize = 40;

/// Sends somebody issued documents: into their inbox, if they have an account with this company; else by a link that is
/// mailed to them. Expiry, view limit and passcode are the link's; who has an account logs in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendDocument {
    /// What, in this order: 1 to 20 documents, each issued and not cancelled.
    pub document_ids: Vec<Uuid>,
    /// To whom, at most 80 characters.
    pub to_name: String,
    /// Where the mail goes.
    pub to_email: String,
    /// In the mail, at most 1,000 characters.
    #[serde(default)]
    pub message: String,
    /// 1 to 90; 14 if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub expires_in_days: Option<u32>,
    /// 1 to 1,000; no limit if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub view_limit: Option<u32>,
    /// What the recipient must type beside the link, 4 to 40 characters; tell them by another way than this mail. None if
    /// absent or empty.
    #[serde(default)]
    pub passcode: String,
}

impl Command for SendDocument {
    type On = (On<Delivery>, On<Member>, Vec<(On<Document>, On<Paper>)>);
    const NAME: &'static str = "send_document";
    const ROUTE: Route = Route::create("/v1/deliveries");
    const PERMISSION: Permission = Permission("delivery.send");
    const REJECTS: &'static [&'static str] = &[
        "delivery.no_document", "delivery.too_many_documents", "delivery.document_twice", "delivery.unknown_document",
        "delivery.not_issued", "delivery.unprintable", "delivery.bad_email", "delivery.bad_expiry",
        "delivery.bad_view_limit", "delivery.bad_passcode", "delivery.recipient_suspended", "text.required",
        "text.too_long", "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let papers = papers(&self.document_ids)?;
        let email = email(&self.to_email, "")?;
        Ok([target, account(&email, ctx)].into_iter().chain(papers).collect())
    }
    fn decide(self, (delivery, member, papers): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let documents = enclose(papers)?;
        let passcode = passcode(&self.passcode, "")?;
        let recipient = addressee(&self.to_name, &self.to_email, &self.message, "")?;
        let link = Link::check(self.expires_in_days, self.view_limit)?;
        let (subject, has_passcode) = (ctx.fresh_id(), passcode.is_some());
        let attachments = vec![];
        let sending = Sending { documents, attachments, recipient, subject, link, has_passcode };
        let sent = send(delivery, member, sending, ctx)?;
        if let Some(passcode) = passcode {
            ctx.world.set_password(delivery.id, delivery.id, &passcode);
        }
        Ok(vec![sent])
    }
}

/// How long and how often a link works.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Days from when it is mailed.
    pub expires_in_days: u32,
    /// Openings.
    pub view_limit: Option<u32>,
}

impl Link {
    /// Refuses with `delivery.bad_expiry`, `delivery.bad_view_limit`.
    pub fn check(expires_in_days: Option<u32>, view_limit: Option<u32>) -> Result<Link, Rejection> {
        if view_limit.is_some_and(|limit| !(1..=VIEW_LIMIT_MAX).contains(&limit)) {
            return Err(Rejection::at("delivery.bad_view_limit", "/view_limit"));
        }
        Ok(Link { expires_in_days: days(expires_in_days)?, view_limit })
    }
}

fn days(days: Option<u32>) -> Result<u32, Rejection> {
    let days = days.unwrap_or(EXPIRES_IN_DAYS);
    match (1..=EXPIRES_IN_DAYS_MAX).contains(&days) {
        true => Ok(days),
        false => Err(Rejection::at("delivery.bad_expiry", "/expires_in_days")),
    }
}

pub(super) fn expiry(expires_in_days: Option<u32>, now_us: i64) -> Result<i64, Rejection> {
    Ok(now_us + i64::from(days(expires_in_days)?) * DAY_US)
}

/// What goes to one recipient, checked.
#[derive(Clone, Debug)]
pub struct Sending {
    /// What, in this order.
    pub documents: Vec<Enclosed>,
    /// The sender's own files with them.
    pub attachments: Vec<Attached>,
    /// To whom; the note is the message.
    pub recipient: Person,
    /// Under which that is sealed where there is no account.
    pub subject: Uuid,
    /// Of the link, where one is mailed.
    pub link: Link,
    /// Was one set under the delivery's id?
    pub has_passcode: bool,
}

/// Sends: into the inbox of `member`, if that is an account of a recipient; else by link. Refuses with
/// `delivery.recipient_suspended`.
pub fn send(
    delivery: &On<Delivery>,
    member: &On<Member>,
    sending: Sending,
    ctx: &mut Context,
) -> Result<Emit, Rejection> {
    let Sending { documents, attachments, recipient, subject, link, has_passcode } = sending;
    let account = member.status.filter(|_| member.role == Some(Role::Recipient));
    if account == Some(MemberStatus::Suspended) {
        return Err(Rejection::at("delivery.recipient_suspended", "/to_email"));
    }
    if account == Some(MemberStatus::Active) {
        let recipient = ctx.seal(member.id, &recipient);
        let (member_id, sent_by) = (member.id, ctx.member);
        return Ok(delivery.emit(InboxDelivered { documents, attachments, recipient, member_id, sent_by }));
    }
    Ok(delivery.emit(LinkIssued {
        documents,
        attachments,
        recipient: ctx.seal(subject, &recipient),
        secret_hash: ctx.world.secret("lnk", delivery.id),
        expires_at_us: ctx.now_us + i64::from(link.expires_in_days) * DAY_US,
        view_limit: link.view_limit,
        has_passcode,
        sent_by: ctx.member,
    }))
}

/// The account of who reads mails at this address; nil where there is none.
pub fn account(email: &str, ctx: &mut Context) -> Uuid {
    ctx.world.known_subject("member", email).unwrap_or_default()
}

/// Ids of documents and their papers, as states of commands want them: each twice. Refuses with `delivery.no_document`,
/// `delivery.too_many_documents`, `delivery.document_twice`.
pub fn papers(documents: &[Uuid]) -> Result<Vec<Uuid>, Rejection> {
    if documents.is_empty() {
        return Err(Rejection::at("delivery.no_document", "/document_ids"));
    }
    if documents.len() > MAX_DOCUMENTS {
        return Err(Rejection::at("delivery.too_many_documents", "/document_ids"));
    }
    if let Some(twice) = (1..documents.len()).find(|i| documents[..*i].contains(&documents[*i])) {
        return Err(Rejection::at("delivery.document_twice", format!("/document_ids/{twice}")));
    }
    Ok(documents.iter().flat_map(|id| [*id, *id]).collect())
}

/// Documents as they would go out now. Refuses with `delivery.unknown_document`, `delivery.not_issued`,
/// `delivery.unprintable`.
pub fn enclose(papers: &[(On<Document>, On<Paper>)]) -> Result<Vec<Enclosed>, Rejection> {
    let one = |(i, (document, paper)): (usize, &(On<Document>, On<Paper>))| {
        let at = |code| Err(Rejection::at(code, format!("/document_ids/{i}")));
        match document.status() {
            None => at("delivery.unknown_document"),
            Some(DocumentStatus::Issued | DocumentStatus::Paid) if paper.lacks(document.revision) => {
                at("delivery.unprintable")
            }
            Some(DocumentStatus::Issued | DocumentStatus::Paid) => {
                Ok(Enclosed { document_id: document.id, revision: document.revision })
            }
            Some(_) => at("delivery.not_issued"),
        }
    };
    papers.iter().enumerate().map(one).collect()
}

fn email(text: &str, at: &str) -> Result<String, Rejection> {
    text::email(text).ok_or_else(|| Rejection::at("delivery.bad_email", format!("{at}/to_email")))
}

/// Who a mail goes to; `at` is the pointer to where `to_name` and `to_email` stand. Refuses with `delivery.bad_email` and
/// for bad text.
pub fn addressee(name: &str, address: &str, message: &str, at: &str) -> Result<Person, Rejection> {
    Ok(Person {
        name: text::line(name, &format!("{at}/to_name"), 80)?,
        email: email(address, at)?,
        note: text::prose(message, "/message", 1_000)?,
        ..Person::default()
    })
}

/// A passcode as typed, `None` where there shall be none. Refuses with `delivery.bad_passcode` and for bad text.
pub fn passcode(typed: &str, at: &str) -> Result<Option<String>, Rejection> {
    let pointer = format!("{at}/passcode");
    let passcode = text::optional_line(typed, &pointer, PASSCODE_LENGTH)?;
    match passcode.chars().count() {
        0 => Ok(None),
        1..4 => Err(Rejection::at("delivery.bad_passcode", pointer)),
        _ => Ok(Some(passcode)),
    }
}
