//! What senders and recipients do with a delivery.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Closed, Delivery, EXPIRES_IN_DAYS, EXPIRES_IN_DAYS_MAX, Enclosed, InboxDelivered, LinkExpired, LinkIssued,
    LinkOpened, LinkReissued, LinkRevoked, MAX_DOCUMENTS, OpenRefused, VIEW_LIMIT_MAX, Withdrawn,
};
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
const PASSCODE_LENGTH: usize = 40;

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

fn expiry(days: Option<u32>, now_us: i64) -> Result<i64, Rejection> {
    let days = days.unwrap_or(EXPIRES_IN_DAYS);
    if !(1..=EXPIRES_IN_DAYS_MAX).contains(&days) {
        return Err(Rejection::at("delivery.bad_expiry", "/expires_in_days"));
    }
    Ok(now_us + i64::from(days) * DAY_US)
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
        if self.document_ids.is_empty() {
            return Err(Rejection::at("delivery.no_document", "/document_ids"));
        }
        if self.document_ids.len() > MAX_DOCUMENTS {
            return Err(Rejection::at("delivery.too_many_documents", "/document_ids"));
        }
        if let Some(twice) =
            (1..self.document_ids.len()).find(|i| self.document_ids[..*i].contains(&self.document_ids[*i]))
        {
            return Err(Rejection::at("delivery.document_twice", format!("/document_ids/{twice}")));
        }
        let email = text::email(&self.to_email).ok_or(Rejection::at("delivery.bad_email", "/to_email"))?;
        let member = ctx.world.known_subject("member", &email).unwrap_or_default();
        Ok([target, member].into_iter().chain(self.document_ids.iter().flat_map(|id| [*id, *id])).collect())
    }
    fn decide(self, (delivery, member, papers): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let mut documents = vec![];
        for (i, (document, paper)) in papers.iter().enumerate() {
            let at = |code| Err(Rejection::at(code, format!("/document_ids/{i}")));
            match document.status() {
                None => return at("delivery.unknown_document"),
                Some(DocumentStatus::Issued | DocumentStatus::Paid) => {}
                Some(_) => return at("delivery.not_issued"),
            }
            if paper.lacks(document.revision) {
                return at("delivery.unprintable");
            }
            documents.push(Enclosed { document_id: document.id, revision: document.revision });
        }
        if self.view_limit.is_some_and(|limit| !(1..=VIEW_LIMIT_MAX).contains(&limit)) {
            return Err(Rejection::at("delivery.bad_view_limit", "/view_limit"));
        }
        let passcode = text::optional_line(&self.passcode, "/passcode", PASSCODE_LENGTH)?;
        if (1..4).contains(&passcode.chars().count()) {
            return Err(Rejection::at("delivery.bad_passcode", "/passcode"));
        }
        let recipient = Person {
            name: text::line(&self.to_name, "/to_name", 80)?,
            email: text::email(&self.to_email).ok_or(Rejection::at("delivery.bad_email", "/to_email"))?,
            note: text::prose(&self.message, "/message", 1_000)?,
            ..Person::default()
        };
        let expires_at_us = expiry(self.expires_in_days, ctx.now_us)?;
        if member.role == Some(Role::Recipient) && member.status == Some(MemberStatus::Suspended) {
            return Err(Rejection::at("delivery.recipient_suspended", "/to_email"));
        }
        if member.role == Some(Role::Recipient) && member.status == Some(MemberStatus::Active) {
            let recipient = ctx.seal(member.id, &recipient);
            let (member_id, sent_by) = (member.id, ctx.member);
            return Ok(vec![delivery.emit(InboxDelivered { documents, recipient, member_id, sent_by })]);
        }
        let subject = ctx.fresh_id();
        if !passcode.is_empty() {
            ctx.world.set_password(delivery.id, delivery.id, &passcode);
        }
        Ok(vec![delivery.emit(LinkIssued {
            documents,
            recipient: ctx.seal(subject, &recipient),
            secret_hash: ctx.world.secret("lnk", delivery.id),
            expires_at_us,
            view_limit: self.view_limit,
            has_passcode: !passcode.is_empty(),
            sent_by: ctx.member,
        })])
    }
}

/// Mails the recipient a new link, which ends the one before; also where that has expired, was opened as often as allowed or
/// was locked. Recipient, documents, view limit and passcode stay.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendLink {
    /// 1 to 90; 14 if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub expires_in_days: Option<u32>,
}

impl Command for ResendLink {
    type On = On<Delivery>;
    const NAME: &'static str = "resend_link";
    const ROUTE: Route = Route::anytime("/v1/deliveries/{id}/resend");
    const PERMISSION: Permission = Permission("delivery.send");
    const REJECTS: &'static [&'static str] =
        &["delivery.unknown", "delivery.already_revoked", "delivery.in_inbox", "delivery.bad_expiry"];
    const NEEDS_KEY: bool = true;
    fn decide(self, delivery: &On<Delivery>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        if delivery.revoked {
            return Err(Rejection::new("delivery.already_revoked"));
        }
        if delivery.is_in_inbox {
            return Err(Rejection::new("delivery.in_inbox"));
        }
        let expires_at_us = expiry(self.expires_in_days, ctx.now_us)?;
        let secret_hash = ctx.world.secret("lnk", delivery.id);
        Ok(vec![delivery.emit(LinkReissued { secret_hash, expires_at_us })])
    }
}

/// Withdraws what was sent: its link opens nothing any more, and it is in no inbox.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeLink {
    /// Shown in the trail, at most 400 characters.
    #[serde(default)]
    pub reason: String,
}

impl Command for RevokeLink {
    type On = On<Delivery>;
    const NAME: &'static str = "revoke_link";
    const ROUTE: Route = Route::anytime("/v1/deliveries/{id}/revoke");
    const PERMISSION: Permission = Permission("delivery.send");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown", "delivery.already_revoked", "delivery.already_expired", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, delivery: &On<Delivery>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        match delivery.closed(ctx.now_us) {
            Some(Closed::Revoked) => return Err(Rejection::new("delivery.already_revoked")),
            // What is in an inbox is there longer than its link.
            Some(Closed::Expired) if delivery.member.is_none() => {
                return Err(Rejection::new("delivery.already_expired"));
            }
            _ => {}
        }
        let reason = text::optional_line(&self.reason, "/reason", 400)?;
        Ok(vec![match delivery.is_in_inbox {
            true => delivery.emit(Withdrawn { reason }),
            false => delivery.emit(LinkRevoked { reason }),
        }])
    }
}

impl On<Delivery> {
    /// Is this the passcode, where one is asked for? A wrong one is an event, so that two guesses at once are two guesses;
    /// none at all is no guess.
    pub(super) fn wrong_passcode(&self, given: &str, ctx: &mut Context) -> Result<Option<Emit>, Rejection> {
        let given = text::optional_line(given, "/passcode", PASSCODE_LENGTH)?;
        if !self.has_passcode {
            return Ok(None);
        }
        if given.is_empty() {
            return Err(Rejection::at("delivery.passcode_required", "/passcode"));
        }
        let right = ctx.world.is_password(self.id, &given);
        Ok((!right).then(|| self.emit(OpenRefused { reason: Closed::WrongPasscode })))
    }
}

/// Opens the documents; sent by who holds the link. A wrong passcode is written down as a refusal.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenLink {
    /// Where the link asks for one.
    #[serde(default)]
    pub passcode: String,
}

impl Command for OpenLink {
    type On = (On<Delivery>, On<Member>);
    const NAME: &'static str = "open_link";
    const ROUTE: Route = Route::post("/v1/links/{token}/open");
    const PERMISSION: Permission = Permission("link.open");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown", "delivery.expired", "delivery.revoked", "delivery.view_limit", "delivery.on_hold",
        "delivery.locked", "delivery.replaced", "delivery.passcode_required", "text.too_long",
        "text.control_character",
    ];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default()])
    }
    fn decide(self, (delivery, sender): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        if let Some(closed) = delivery.closed_to_recipient(sender, ctx.link, ctx.now_us) {
            return Err(closed.rejection());
        }
        let wrong = delivery.wrong_passcode(&self.passcode, ctx)?;
        Ok(vec![wrong.unwrap_or_else(|| delivery.emit(LinkOpened { view: delivery.views + 1 }))])
    }
}

/// Takes a document's file; sent by who holds the link, after opening it. Where openings are limited, each allows every
/// file once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownloadDocument {
    /// Which of the delivery's.
    pub document_id: Uuid,
    /// Where the link asks for one.
    #[serde(default)]
    pub passcode: String,
}

impl Command for DownloadDocument {
    type On = (On<Delivery>, On<Member>, On<Paper>);
    const NAME: &'static str = "download_document";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("link.open");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown", "delivery.expired", "delivery.revoked", "delivery.view_limit", "delivery.on_hold",
        "delivery.locked", "delivery.replaced", "delivery.passcode_required", "delivery.not_opened",
        "delivery.unknown_document", "delivery.not_printed", "text.too_long", "text.control_character",
    ];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default(), self.document_id])
    }
    fn decide(self, (delivery, sender, paper): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        match delivery.closed_to_recipient(sender, ctx.link, ctx.now_us) {
            Some(Closed::ViewLimit) | None => {}
            Some(closed) => return Err(closed.rejection()),
        }
        let document_id = self.document_id;
        delivery.must_hold(document_id)?;
        if delivery.views == delivery.views_before {
            return Err(Rejection::new("delivery.not_opened"));
        }
        let taken = delivery.downloads.iter().filter(|id| **id == document_id).count();
        if delivery.view_limit.is_some() && taken >= delivery.views as usize {
            return Err(Rejection::new("delivery.view_limit"));
        }
        if let Some(wrong) = delivery.wrong_passcode(&self.passcode, ctx)? {
            return Ok(vec![wrong]);
        }
        Ok(vec![delivery.taken(paper)?])
    }
}

/// Writes down that an opening was refused, and the expiry where it is seen for the first time. The server sends it after
/// it has refused [`OpenLink`] or [`DownloadDocument`].
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseOpen {}

impl Command for RefuseOpen {
    type On = (On<Delivery>, On<Member>);
    const NAME: &'static str = "refuse_open";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("link.open");
    const REJECTS: &'static [&'static str] = &["delivery.unknown"];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default()])
    }
    fn decide(self, (delivery, sender): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        let Some(reason) = delivery.closed_to_recipient(sender, ctx.link, ctx.now_us) else { return Ok(vec![]) };
        let first_seen = reason == Closed::Expired && !delivery.expired;
        let expired = first_seen.then(|| delivery.emit(LinkExpired {}));
        Ok(expired.into_iter().chain([delivery.emit(OpenRefused { reason })]).collect())
    }
}

/// Writes the expiry down when its time has come; sent by the server's timer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpireLink {}

impl Command for ExpireLink {
    type On = On<Delivery>;
    const NAME: &'static str = "expire_link";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("delivery.expire");
    const REJECTS: &'static [&'static str] = &["delivery.unknown", "delivery.not_due"];
    fn decide(self, delivery: &On<Delivery>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        if delivery.expired || delivery.revoked {
            return Ok(vec![]);
        }
        if ctx.now_us < delivery.expires_at_us {
            return Err(Rejection::new("delivery.not_due"));
        }
        Ok(vec![delivery.emit(LinkExpired {})])
    }
}
