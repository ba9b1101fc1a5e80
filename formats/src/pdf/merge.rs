//! Files that exist already, as they are: how many pages they have, and several of them as one print job.

use std::sync::Arc;

use krilla::pdf::{Pdf, PdfDocument};
use krilla::{Document, SerializeSettings};

use super::Error;

fn read(file: Vec<u8>) -> Option<Pdf> {
    Pdf::new(file).ok()
}

/// How many pages a file has; `None` if it is no PDF.
pub fn pages(file: Vec<u8>) -> Option<u32> {
    read(file).and_then(|pdf| u32::try_from(pdf.pages().len()).ok()).filter(|pages| *pages > 0)
}

/// All pages of some files in one, in this order; the same files give the same bytes. What comes out is for a printer and not for
/// an archive: the files keep their pages, and not what they say about themselves.
pub fn merge(files: Vec<Vec<u8>>) -> Result<Vec<u8>, Error> {
    let mut document = Document::new_with(SerializeSettings::default());
    for file in files {
        let pdf = read(file).ok_or_else(|| Error::Standard("a file to be merged is no PDF".to_owned()))?;
        let all: Vec<usize> = (0..pdf.pages().len()).collect();
        document.embed_pdf_pages(&PdfDocument::new(Arc::new(pdf)), &all);
    }
    document.finish().map_err(|error| Error::Standard(format!("{error:?}")))
}
