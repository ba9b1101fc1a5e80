//! Printed documents, and what another reader makes of a PDF: poppler's.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::company::Company;
use crate::tool;

/// Longest wait for the printer.
const PATIENCE: Duration = Duration::from_secs(60);

impl Company {
    /// A document, once its newest revision was printed or could not be.
    pub fn printed(&self, id: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let document = self.get(&format!("/v1/documents/{id}"));
            if document.get("pdf").is_some() || document.get("missing").is_some() {
                return document;
            }
            assert!(Instant::now() < deadline, "not printed after {PATIENCE:?}: {document}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// All text, set as on the paper.
pub fn text(pdf: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("paper.pdf");
    std::fs::write(&file, pdf).expect("written");
    let out = Command::new(tool("pdftotext", "poppler-utils")).arg("-layout").arg(&file).arg("-").output();
    let out = out.expect("it runs");
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("text")
}
