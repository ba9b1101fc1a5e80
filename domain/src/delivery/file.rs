//! Which file of a delivery is taken: a document's, or an attachment.

use uuid::Uuid;

use super::{Delivery, Downloaded};
use crate::attachment::Attached;
use crate::command::{Emit, On, Rejection};
use crate::context::Context;
use crate::paper::Paper;

/// One file of a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// The newest of this document.
    Document(Uuid),
    /// This attachment.
    Attachment(Uuid),
}

impl Wanted {
    /// As commands say it. Refuses with `delivery.one_file` unless it is one of both.
    pub(super) fn of(document: Option<Uuid>, attachment: Option<Uuid>) -> Result<Wanted, Rejection> {
        match (document, attachment) {
            (Some(id), None) => Ok(Wanted::Document(id)),
            (None, Some(id)) => Ok(Wanted::Attachment(id)),
            _ => Err(Rejection::at("delivery.one_file", "/document_id")),
        }
    }

    /// Of the document or of the attachment.
    pub(super) fn id(self) -> Uuid {
        match self {
            Wanted::Document(id) | Wanted::Attachment(id) => id,
        }
    }
}

impl On<Delivery> {
    /// Is this one of its documents?
    pub(super) fn must_hold(&self, document: Uuid) -> Result<(), Rejection> {
        match self.documents.iter().any(|one| one.document_id == document) {
            true => Ok(()),
            false => Err(Rejection::at("delivery.unknown_document", "/document_id")),
        }
    }

    /// Is this one of its files?
    pub(super) fn must_hold_file(&self, wanted: Wanted) -> Result<(), Rejection> {
        match wanted {
            Wanted::Document(id) => self.must_hold(id),
            Wanted::Attachment(id) if self.attachments.iter().any(|one| one.attachment_id == id) => Ok(()),
            Wanted::Attachment(_) => Err(Rejection::at("delivery.unknown_attachment", "/attachment_id")),
        }
    }

    /// That a file goes out, `paper` being the document's where it is one's.
    pub(super) fn file_taken(&self, wanted: Wanted, paper: &On<Paper>, ctx: &mut Context) -> Result<Emit, Rejection> {
        match wanted {
            Wanted::Document(_) => self.taken(paper),
            Wanted::Attachment(id) if ctx.world.is_erased(id) => Err(Rejection::new("delivery.attachment_erased")),
            Wanted::Attachment(id) => {
                let file = self.attachments.iter().find(|one| one.attachment_id == id);
                let file = file.ok_or(Rejection::at("delivery.unknown_attachment", "/attachment_id"))?;
                Ok(self.attachment_taken(file))
            }
        }
    }

    /// That an attachment goes out.
    pub(super) fn attachment_taken(&self, file: &Attached) -> Emit {
        let (attachment_id, sha256) = (Some(file.attachment_id), file.sha256);
        self.emit(Downloaded { document_id: None, revision: None, attachment_id, sha256 })
    }

    /// That the newest file of a document goes out.
    pub(super) fn taken(&self, paper: &On<Paper>) -> Result<Emit, Rejection> {
        match paper.files.last() {
            Some((revision, Some(sha256))) => Ok(self.emit(Downloaded {
                document_id: Some(paper.id),
                revision: Some(*revision),
                attachment_id: None,
                sha256: *sha256,
            })),
            _ => Err(Rejection::new("delivery.not_printed")),
        }
    }
}
