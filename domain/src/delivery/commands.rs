//! What senders and recipients do with a delivery once it is there.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::file::Wanted;
use super::send::{PASSCODE_LENGTH, expiry};
use super::{Closed, Delivery, LinkExpired, LinkOpened, LinkReissued, LinkRevoked, OpenRefused, Withdrawn};
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::member::Member;
use crate::paper::Paper;
use crate::role::Permission;
use crate::text;

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

/// Takes a document's file, or an attachment: one of both. Sent by who holds the link, after opening it. Where openings are
/// limited, each allows every file once.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownloadDocument {
    /// Which of the delivery's documents.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub document_id: Option<Uuid>,
    /// Which of its attachments.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub attachment_id: Option<Uuid>,
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
        "delivery.one_file", "delivery.unknown_document", "delivery.unknown_attachment", "delivery.attachment_erased",
        "delivery.not_printed", "text.too_long", "text.control_character",
    ];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default(), self.document_id.unwrap_or_default()])
    }
    fn decide(self, (delivery, sender, paper): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        match delivery.closed_to_recipient(sender, ctx.link, ctx.now_us) {
            Some(Closed::ViewLimit) | None => {}
            Some(closed) => return Err(closed.rejection()),
        }
        let wanted = Wanted::of(self.document_id, self.attachment_id)?;
        delivery.must_hold_file(wanted)?;
        if delivery.views == delivery.views_before {
            return Err(Rejection::new("delivery.not_opened"));
        }
        let taken = delivery.downloads.iter().filter(|id| **id == wanted.id()).count();
        if delivery.view_limit.is_some() && taken >= delivery.views as usize {
            return Err(Rejection::new("delivery.view_limit"));
        }
        if let Some(wrong) = delivery.wrong_passcode(&self.passcode, ctx)? {
            return Ok(vec![wrong]);
        }
        Ok(vec![delivery.file_taken(wanted, paper, ctx)?])
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
