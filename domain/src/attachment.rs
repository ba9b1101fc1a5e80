//! Attachments: a company's own PDF files that go out with documents in a sending order.
//!
//! The ledger says what a file is: bytes, pages, SHA-256, and that it was looked at before it was taken. The file lies sealed
//! in the vault, under the same subject as its name: the attachment's own id. Whoever erases that subject erases name and
//! file; what went out with it still says that something did.
//!
//! What makes a create unique: nothing but its id; a retried request is held by its Idempotency-Key.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::event::hex32;
use crate::events;
use crate::role::Permission;
use crate::sealed::{Label, Sealed};
use crate::text;

#[cfg(test)]
mod tests;

/// Most attachments of one order.
pub const MAX_ATTACHMENTS: usize = 10;
/// Most bytes of an order's attachments together. A recipient takes them by telephone, too.
pub const MAX_TOTAL_BYTES: u32 = 20 << 20;
/// Most characters of a file's name.
pub const NAME_LENGTH: usize = 120;

events! {
    /// What happens to an attachment.
    AttachmentEvent {
        Received = "attachment.received" v 1;
        EnclosedIn = "attachment.enclosed" v 1;
        Removed = "attachment.removed" v 1;
    }
}

/// A file was looked at and taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Received {
    /// What it is called; the subject is the attachment's id.
    pub name: Sealed<Label>,
    /// Bytes of the file.
    pub size: u32,
    /// Of the file.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
    /// From 1.
    pub pages: u32,
    /// Every page is A4 and can be put among other papers.
    pub is_printable: bool,
    /// The deployment's own scanner found nothing in it; there need not be one.
    pub is_scanned: bool,
    /// Which member brought it, also by a token.
    pub received_by: Option<Uuid>,
}

/// A sending order names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnclosedIn {
    /// Which.
    pub order_id: Uuid,
}

/// It was taken back before anything named it. Its subject is erased next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removed {}

/// An attachment as it goes out: exactly this file. Part of events: frozen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attached {
    /// Which.
    pub attachment_id: Uuid,
    /// Of the file.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
    /// Bytes of the file.
    pub size: u32,
    /// From 1.
    pub pages: u32,
}

/// State of an attachment.
#[derive(Debug, Default)]
pub struct Attachment {
    /// `None` before anything happened.
    pub received: Option<Received>,
    /// Does an order name it?
    pub is_enclosed: bool,
    /// Was it taken back?
    pub is_removed: bool,
}

impl Aggregate for Attachment {
    type Event = AttachmentEvent;
    const STREAM: &'static str = "attachment";
    fn apply(&mut self, event: AttachmentEvent) {
        match event {
            AttachmentEvent::Received(e) => self.received = Some(e),
            AttachmentEvent::EnclosedIn(_) => self.is_enclosed = true,
            AttachmentEvent::Removed(_) => self.is_removed = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<AttachmentEvent> {
        tests::samples()
    }
}

/// Takes a file that was looked at. The server sends it, in the name of who brought the file.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveAttachment {
    /// Without folders, at most 120 characters.
    pub name: String,
    /// Bytes of the file.
    pub size: u32,
    /// Of the file.
    pub sha256: [u8; 32],
    /// From 1.
    pub pages: u32,
    /// See [`Received::is_printable`].
    pub is_printable: bool,
    /// See [`Received::is_scanned`].
    pub is_scanned: bool,
}

impl Command for ReceiveAttachment {
    type On = On<Attachment>;
    const NAME: &'static str = "receive_attachment";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sending_order.place");
    const REJECTS: &'static [&'static str] =
        &["attachment.bad_name", "text.required", "text.too_long", "text.control_character"];
    fn decide(self, attachment: &On<Attachment>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let ReceiveAttachment { name, size, sha256, pages, is_printable, is_scanned } = self;
        let text = text::line(&name, "/name", NAME_LENGTH)?;
        if text.contains(['/', '\\']) || text.starts_with('.') {
            return Err(Rejection::at("attachment.bad_name", "/name"));
        }
        let name = ctx.seal(attachment.id, &Label { text });
        let received_by = ctx.member;
        Ok(vec![attachment.emit(Received { name, size, sha256, pages, is_printable, is_scanned, received_by })])
    }
}

/// Takes a file back that no order names. Name and file are destroyed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveAttachment {}

impl Command for RemoveAttachment {
    type On = On<Attachment>;
    const NAME: &'static str = "remove_attachment";
    const ROUTE: Route = Route::anytime("/v1/attachments/{id}/remove");
    const PERMISSION: Permission = Permission("sending_order.place");
    const REJECTS: &'static [&'static str] =
        &["attachment.unknown", "attachment.enclosed", "attachment.already_removed"];
    fn decide(self, attachment: &On<Attachment>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        match () {
            () if !attachment.exists() => Err(Rejection::new("attachment.unknown")),
            () if attachment.is_enclosed => Err(Rejection::new("attachment.enclosed")),
            () if attachment.is_removed => Err(Rejection::new("attachment.already_removed")),
            () => Ok(vec![attachment.emit(Removed {})]),
        }
    }
}

/// Ids of an order's attachments, the rest of the places nil. Refuses with `sending_order.` and `too_many_attachments`,
/// `attachment_twice`.
pub fn places(ids: &[Uuid]) -> Result<[Uuid; MAX_ATTACHMENTS], Rejection> {
    if ids.len() > MAX_ATTACHMENTS {
        return Err(Rejection::at("sending_order.too_many_attachments", "/attachments"));
    }
    if let Some(twice) = (1..ids.len()).find(|i| ids[..*i].contains(&ids[*i])) {
        return Err(Rejection::at("sending_order.attachment_twice", format!("/attachments/{twice}")));
    }
    Ok(std::array::from_fn(|i| ids.get(i).copied().unwrap_or_default()))
}

/// Attachments as they would go out now, also on paper if `is_posted`. Refuses with `sending_order.` and
/// `unknown_attachment`, `attachment_erased`, `attachment_not_printable`, `attachments_too_large`.
pub fn attach(files: &[On<Attachment>], is_posted: bool, ctx: &mut Context) -> Result<Vec<Attached>, Rejection> {
    let mut attached = vec![];
    for (i, file) in files.iter().enumerate() {
        let at = |code| Err(Rejection::at(code, format!("/attachments/{i}")));
        let Some(received) = &file.received else { return at("sending_order.unknown_attachment") };
        if file.is_removed || ctx.world.is_erased(file.id) {
            return at("sending_order.attachment_erased");
        }
        if is_posted && !received.is_printable {
            return at("sending_order.attachment_not_printable");
        }
        let Received { sha256, size, pages, .. } = *received;
        attached.push(Attached { attachment_id: file.id, sha256, size, pages });
    }
    let together: u64 = attached.iter().map(|one| u64::from(one.size)).sum();
    match together > u64::from(MAX_TOTAL_BYTES) {
        true => Err(Rejection::at("sending_order.attachments_too_large", "/attachments")),
        false => Ok(attached),
    }
}

/// The place of the first of these files that was erased.
pub fn erased(files: &[Attached], ctx: &mut Context) -> Option<usize> {
    files.iter().position(|file| ctx.world.is_erased(file.attachment_id))
}
