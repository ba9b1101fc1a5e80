//! Deliveries: one document to one recipient by a secure link (ML-35, ML-36). The link's secret is known to the recipient
//! alone; we keep its hash.
//!
//! What makes a create unique: nothing but its id. Sending the same document to the same person again is a resend, with a
//! link of its own; a retried request is held by its Idempotency-Key, which is required.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::DAY_US;
use crate::document::{Document, DocumentStatus};
use crate::member::Member;
use crate::paper::Paper;
use crate::role::Permission;
use crate::sealed::{Person, Sealed};
use crate::{codes, events, text};

/// Days that a link works when nothing is said.
pub const EXPIRES_IN_DAYS: u32 = 14;
/// Most days that a link works.
pub const EXPIRES_IN_DAYS_MAX: u32 = 90;
/// Most views that a limit may allow.
pub const VIEW_LIMIT_MAX: u32 = 1_000;

events! {
    /// What happens to a delivery.
    DeliveryEvent {
        LinkIssued = "delivery.link_issued" v 2, was LinkIssuedV1 v 1;
        LinkOpened = "delivery.link_opened" v 1;
        LinkExpired = "delivery.link_expired" v 1;
        LinkRevoked = "delivery.link_revoked" v 1;
        OpenRefused = "delivery.open_refused" v 1;
    }
}

/// The mail with the link is to go out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkIssued {
    /// What.
    pub document_id: Uuid,
    /// Its revision then; the link shows the newest.
    pub revision: u32,
    /// To whom; the note is the message.
    pub recipient: Sealed<Person>,
    /// SHA-256 of the link's secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
    /// How often it may be opened.
    pub view_limit: Option<u32>,
    /// Which member sent it, also by a token.
    pub sent_by: Option<Uuid>,
}

/// Frozen: as it was written before it said who sent it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkIssuedV1 {
    document_id: Uuid,
    revision: u32,
    recipient: Sealed<Person>,
    #[serde(with = "crate::event::hex32")]
    secret_hash: [u8; 32],
    expires_at_us: i64,
    view_limit: Option<u32>,
}

impl From<LinkIssuedV1> for LinkIssued {
    fn from(old: LinkIssuedV1) -> LinkIssued {
        let LinkIssuedV1 { document_id, revision, recipient, secret_hash, expires_at_us, view_limit } = old;
        LinkIssued { document_id, revision, recipient, secret_hash, expires_at_us, view_limit, sent_by: None }
    }
}

/// The recipient looked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkOpened {
    /// From 1.
    pub view: u32,
}

/// Time is up. Stored, so that a clock stepping back revives nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkExpired {}

/// Withdrawn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkRevoked {
    /// Why; may be empty.
    pub reason: String,
}

/// Somebody with the link came in vain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenRefused {
    /// Why.
    pub reason: Closed,
}

codes! {
    /// Why a link does not open.
    Closed {
        /// Time is up.
        Expired = 1 "expired",
        /// Withdrawn.
        Revoked = 2 "revoked",
        /// Opened as often as allowed.
        ViewLimit = 3 "view_limit",
        /// Who sent it was suspended in an emergency.
        OnHold = 4 "on_hold",
    }
}

impl Closed {
    fn rejection(self) -> Rejection {
        Rejection::new(match self {
            Closed::Expired => "delivery.expired",
            Closed::Revoked => "delivery.revoked",
            Closed::ViewLimit => "delivery.view_limit",
            Closed::OnHold => "delivery.on_hold",
        })
    }
}

/// State of a delivery.
#[derive(Debug, Default)]
pub struct Delivery {
    /// What; nil before anything happened.
    pub document_id: Uuid,
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
    /// How often it may be opened.
    pub view_limit: Option<u32>,
    /// How often it was.
    pub views: u32,
    /// Which member sent it.
    pub sent_by: Option<Uuid>,
    /// Was seen to be over.
    pub expired: bool,
    /// Withdrawn.
    pub revoked: bool,
}

impl Aggregate for Delivery {
    type Event = DeliveryEvent;
    const STREAM: &'static str = "delivery";
    fn apply(&mut self, event: DeliveryEvent) {
        match event {
            DeliveryEvent::LinkIssued(e) => {
                (self.document_id, self.expires_at_us, self.view_limit) =
                    (e.document_id, e.expires_at_us, e.view_limit);
                self.sent_by = e.sent_by;
            }
            DeliveryEvent::LinkOpened(e) => self.views = e.view,
            DeliveryEvent::LinkExpired(_) => self.expired = true,
            DeliveryEvent::LinkRevoked(_) => self.revoked = true,
            DeliveryEvent::OpenRefused(_) => {}
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<DeliveryEvent> {
        tests::samples()
    }
}

impl Delivery {
    /// Why it does not open at this time for its recipient, `sender` being who sent it; `None` if it does. As long as
    /// somebody else may be acting in the sender's name, nothing that they sent opens (FM-29).
    pub fn closed_to_recipient(&self, sender: &Member, now_us: i64) -> Option<Closed> {
        self.closed(now_us).or(sender.emergency.then_some(Closed::OnHold))
    }

    /// Why it is over at this time; `None` if it is not. The first reason that held stays the answer.
    pub fn closed(&self, now_us: i64) -> Option<Closed> {
        match () {
            () if self.expired => Some(Closed::Expired),
            () if self.revoked => Some(Closed::Revoked),
            () if now_us >= self.expires_at_us => Some(Closed::Expired),
            () if self.view_limit.is_some_and(|limit| self.views >= limit) => Some(Closed::ViewLimit),
            () => None,
        }
    }
}

impl On<Delivery> {
    fn must_exist(&self) -> Result<(), Rejection> {
        if self.exists() { Ok(()) } else { Err(Rejection::new("delivery.unknown")) }
    }
}

/// Mails somebody a link to an issued document.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendDocument {
    /// What: issued, not cancelled.
    pub document_id: Uuid,
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
}

impl Command for SendDocument {
    type On = (On<Delivery>, On<Document>, On<Paper>);
    const NAME: &'static str = "send_document";
    const ROUTE: Route = Route::create("/v1/deliveries");
    const PERMISSION: Permission = Permission("delivery.send");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown_document", "delivery.not_issued", "delivery.unprintable", "delivery.bad_email",
        "delivery.bad_expiry", "delivery.bad_view_limit", "text.required", "text.too_long", "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.document_id, self.document_id])
    }
    fn decide(self, (delivery, document, paper): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        match document.status() {
            None => return Err(Rejection::at("delivery.unknown_document", "/document_id")),
            Some(DocumentStatus::Issued | DocumentStatus::Paid) => {}
            Some(_) => return Err(Rejection::at("delivery.not_issued", "/document_id")),
        }
        if paper.lacks(document.revision) {
            return Err(Rejection::at("delivery.unprintable", "/document_id"));
        }
        let days = self.expires_in_days.unwrap_or(EXPIRES_IN_DAYS);
        if !(1..=EXPIRES_IN_DAYS_MAX).contains(&days) {
            return Err(Rejection::at("delivery.bad_expiry", "/expires_in_days"));
        }
        if self.view_limit.is_some_and(|limit| !(1..=VIEW_LIMIT_MAX).contains(&limit)) {
            return Err(Rejection::at("delivery.bad_view_limit", "/view_limit"));
        }
        let recipient = Person {
            name: text::line(&self.to_name, "/to_name", 80)?,
            email: text::email(&self.to_email).ok_or(Rejection::at("delivery.bad_email", "/to_email"))?,
            note: text::prose(&self.message, "/message", 1_000)?,
            ..Person::default()
        };
        let subject = ctx.fresh_id();
        Ok(vec![delivery.emit(LinkIssued {
            document_id: document.id,
            revision: document.revision,
            recipient: ctx.seal(subject, &recipient),
            secret_hash: ctx.world.secret("lnk", delivery.id),
            expires_at_us: ctx.now_us + i64::from(days) * DAY_US,
            view_limit: self.view_limit,
            sent_by: ctx.member,
        })])
    }
}

/// Withdraws a link.
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
    const ROUTE: Route = Route::post("/v1/deliveries/{id}/revoke");
    const PERMISSION: Permission = Permission("delivery.send");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown", "delivery.already_revoked", "delivery.already_expired", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, delivery: &On<Delivery>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        match delivery.closed(ctx.now_us) {
            Some(Closed::Revoked) => return Err(Rejection::new("delivery.already_revoked")),
            Some(Closed::Expired) => return Err(Rejection::new("delivery.already_expired")),
            Some(Closed::ViewLimit | Closed::OnHold) | None => {}
        }
        Ok(vec![delivery.emit(LinkRevoked { reason: text::optional_line(&self.reason, "/reason", 400)? })])
    }
}

/// Opens the document; sent by who holds the link.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenLink {}

impl Command for OpenLink {
    type On = (On<Delivery>, On<Member>);
    const NAME: &'static str = "open_link";
    const ROUTE: Route = Route::post("/v1/links/{token}/open");
    const PERMISSION: Permission = Permission("link.open");
    const REJECTS: &'static [&'static str] =
        &["delivery.unknown", "delivery.expired", "delivery.revoked", "delivery.view_limit", "delivery.on_hold"];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default()])
    }
    fn decide(self, (delivery, sender): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        match delivery.closed_to_recipient(sender, ctx.now_us) {
            Some(closed) => Err(closed.rejection()),
            None => Ok(vec![delivery.emit(LinkOpened { view: delivery.views + 1 })]),
        }
    }
}

/// Writes down that an opening was refused, and the expiry where it is seen for the first time. The server sends it after
/// it has refused [`OpenLink`].
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
        let Some(reason) = delivery.closed_to_recipient(sender, ctx.now_us) else { return Ok(vec![]) };
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
