//! What stands on paper: a second reading of a document's stream, for whoever prints it.

use super::{Corrected, Document, DocumentEvent, Drafted, Issued};
use crate::command::Aggregate;

/// Everything that is printed of a document.
#[derive(Debug, Default)]
pub struct Printed {
    /// As it is now; `None` before anything happened.
    pub draft: Option<Drafted>,
    /// Number and parties; `None` for a draft.
    pub issued: Option<Issued>,
    /// The last correction.
    pub corrected: Option<Corrected>,
    /// Void.
    pub cancelled: bool,
}

impl Printed {
    /// 0 for a draft, 1 once issued, one more with each correction.
    pub fn revision(&self) -> u32 {
        let corrected = self.corrected.as_ref().map(|correction| correction.revision);
        corrected.unwrap_or(u32::from(self.issued.is_some()))
    }
}

impl Aggregate for Printed {
    type Event = DocumentEvent;
    const STREAM: &'static str = Document::STREAM;
    fn apply(&mut self, event: DocumentEvent) {
        match (event, &mut self.draft) {
            (DocumentEvent::Drafted(e), draft) => *draft = Some(e),
            (DocumentEvent::LinesSet(e), Some(draft)) => draft.body = e.body,
            (DocumentEvent::Changed(e), Some(draft)) => draft.head = e.head,
            (DocumentEvent::Issued(e), _) => self.issued = Some(e),
            (DocumentEvent::Corrected(e), Some(draft)) => {
                draft.body = e.body.clone();
                self.corrected = Some(e);
            }
            (DocumentEvent::Cancelled(_), _) => self.cancelled = true,
            _ => {}
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<DocumentEvent> {
        Document::samples()
    }
}
