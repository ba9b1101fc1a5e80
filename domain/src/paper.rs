//! Documents on paper: what the PDF of each revision hashes to, or why there is none. The server prints by itself, soon after
//! the issue and each correction.
//!
//! The stream's id is the document's. It is not the document's own stream: nobody who holds a document's version (If-Match)
//! has to begin anew because it was printed meanwhile.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::document::Document;
use crate::event::hex32;
use crate::events;
use crate::role::Permission;

events! {
    /// What becomes of the paper.
    PaperEvent {
        Rendered = "document.rendered" v 1;
        RenderingFailed = "document.rendering_failed" v 1;
    }
}

/// A revision was printed as PDF.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rendered {
    /// Which revision.
    pub revision: u32,
    /// Of the file.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
    /// Bytes of the file.
    pub size: u32,
}

/// A revision cannot be printed as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RenderingFailed {
    /// Which revision.
    pub revision: u32,
    /// Characters that the font lacks, each with the field where it stands: `/recipient/name: 𠮷`.
    pub missing: Vec<String>,
}

/// State of the paper.
#[derive(Debug, Default)]
pub struct Paper {
    /// Each in its record, the oldest first: a hash, or none where the revision could not be printed.
    pub files: Vec<(u32, Option<[u8; 32]>)>,
}

impl Aggregate for Paper {
    type Event = PaperEvent;
    const STREAM: &'static str = "paper";
    fn apply(&mut self, event: PaperEvent) {
        self.files.push(match event {
            PaperEvent::Rendered(e) => (e.revision, Some(e.sha256)),
            PaperEvent::RenderingFailed(e) => (e.revision, None),
        });
    }
    #[cfg(test)]
    fn samples() -> Vec<PaperEvent> {
        tests::samples()
    }
}

impl Paper {
    /// Was this revision tried, and is there no file of it?
    pub fn lacks(&self, revision: u32) -> bool {
        self.files.last() == Some(&(revision, None))
    }
}

/// Writes down what came of printing a revision.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordRendering {
    /// Which revision.
    pub revision: u32,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Bytes of the file.
    pub size: u32,
    /// Characters that the font lacks, each with its field. If there are any, there is no file.
    #[serde(default)]
    pub missing: Vec<String>,
}

impl Command for RecordRendering {
    type On = (On<Document>, On<Paper>);
    const NAME: &'static str = "record_rendering";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("document.render");
    const REJECTS: &'static [&'static str] = &["document.unknown", "document.not_issued", "document.other_revision"];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, target])
    }
    fn decide(self, (document, paper): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let RecordRendering { revision, sha256, size, missing } = self;
        if !document.exists() {
            return Err(Rejection::new("document.unknown"));
        }
        if document.number.is_empty() {
            return Err(Rejection::new("document.not_issued"));
        }
        if revision != document.revision {
            return Err(Rejection::new("document.other_revision"));
        }
        // Two nodes may print at once; the first is what holds, and their files are the same.
        if paper.files.last().is_some_and(|(printed, _)| *printed == revision) {
            return Ok(vec![]);
        }
        Ok(vec![match missing.is_empty() {
            true => paper.emit(Rendered { revision, sha256, size }),
            false => paper.emit(RenderingFailed { revision, missing }),
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::date::Date;
    use crate::document::{CorrectDocument, DocumentType, DraftDocument, IssueDocument, LineInput};
    use crate::tax::TaxRate;
    use crate::testing::*;

    const DOCUMENT: Uuid = Uuid::from_u128(0xd1);
    const CLIENT: Uuid = Uuid::from_u128(0xc1);

    fn lines() -> Vec<LineInput> {
        vec![LineInput {
            description: "紙".into(),
            quantity: "1".into(),
            unit: String::new(),
            unit_price: "1".into(),
            tax_rate: TaxRate::Zero,
            tax_inclusive: false,
            has_jp_withholding_tax: false,
        }]
    }

    fn drafted() -> Scene {
        let draft = DraftDocument {
            document_type: DocumentType::Quote,
            client_id: CLIENT,
            title: "見積".into(),
            date: Date::of(2026, 11, 2),
            date_due: None,
            note: String::new(),
            proviso: String::new(),
            has_tax_stamp: false,
            has_hanko: true,
            tax_rounding: None,
            lines: lines(),
            totals: None,
        };
        let client = registered_client("国立印刷局");
        scene().given::<Client>(CLIENT, client).when(DOCUMENT, draft).accepted()
    }

    fn print(revision: u32, missing: &[&str]) -> RecordRendering {
        let missing = missing.iter().map(|text| (*text).into()).collect();
        RecordRendering { revision, sha256: [8; 32], size: 24_576, missing }
    }

    #[test]
    fn what_is_printed_is_written_down_once_for_each_revision() {
        let s = drafted().when(CLIENT, print(1, &[])).refused("document.unknown");
        let s = s.when(DOCUMENT, print(0, &[])).refused("document.not_issued");
        let s = s.when(DOCUMENT, IssueDocument {}).accepted();
        let s = s.when(DOCUMENT, print(2, &[])).refused("document.other_revision");
        let version = s.now::<Document>(DOCUMENT).version;
        let s = s.when(DOCUMENT, print(1, &[]));
        let s = s.then([emit::<Paper>(DOCUMENT, Rendered { revision: 1, sha256: [8; 32], size: 24_576 })]);
        let s = s.when(DOCUMENT, print(1, &["note: 𠮷"])).then([]);
        assert_eq!(s.now::<Document>(DOCUMENT).version, version, "the document itself has not moved");
        let correct = CorrectDocument { lines: lines(), reason: "数量の誤り".into() };
        let s = s.when(DOCUMENT, correct).accepted().when(DOCUMENT, print(2, &["note: 𠮷"]));
        let failed = RenderingFailed { revision: 2, missing: vec!["note: 𠮷".into()] };
        let s = s.then([emit::<Paper>(DOCUMENT, failed)]);
        let paper = s.now::<Paper>(DOCUMENT);
        assert_eq!(paper.files, [(1, Some([8; 32])), (2, None)]);
        assert!(paper.lacks(2) && !paper.lacks(1));
        covered::<RecordRendering>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<PaperEvent> {
        vec![
            Rendered { revision: 1, sha256: [8; 32], size: 24_576 }.into(),
            RenderingFailed { revision: 1, missing: vec!["/recipient/name: 𠮷".into()] }.into(),
        ]
    }
}
