//! PDF files that companies bring, made by hand, and how they are brought.

use serde_json::Value;

use crate::client::{Answer, Call};
use crate::company::{Company, Credential, text};

/// Between the parts of a form.
const MARK: &str = "6d3a-between-files";

/// What `Content-Type` says of [`form`].
pub fn content_type() -> String {
    format!("multipart/form-data; boundary={MARK}")
}

/// A form with these fields and files: names and contents.
pub fn form(fields: &[(&str, &str)], files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = vec![];
    for (name, value) in fields {
        body.extend(format!("--{MARK}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    for (name, bytes) in files {
        let head = format!("Content-Disposition: form-data; name=\"files\"; filename=\"{name}\"");
        body.extend(format!("--{MARK}\r\n{head}\r\nContent-Type: application/pdf\r\n\r\n").bytes());
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{MARK}--\r\n").bytes());
    body
}

/// A PDF of these objects, the first of which is its catalog.
pub fn pdf_of(objects: &[String]) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut offsets = vec![];
    for (n, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", n + 1).bytes());
    }
    let (table, size) = (file.len(), objects.len() + 1);
    file.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").bytes());
    offsets.iter().for_each(|at| file.extend(format!("{at:010} 00000 n \n").bytes()));
    file.extend(format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

/// Pages of this size (points, such as `595 842`), each of which says this in Latin letters; `catalog` goes into its catalog.
pub fn pdf(says: &str, pages: usize, size: &str, catalog: &str) -> Vec<u8> {
    let drawn = format!("BT /F1 24 Tf 72 720 Td ({says}) Tj ET");
    let kids: Vec<String> = (0..pages).map(|n| format!("{} 0 R", n + 5)).collect();
    let page = format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Contents 3 0 R /Resources << /Font << /F1 4 0 R >> >> >>"
    );
    let mut objects = vec![
        format!("<< /Type /Catalog /Pages 2 0 R {catalog} >>"),
        format!("<< /Type /Pages /Kids [{}] /Count {pages} >>", kids.join(" ")),
        format!("<< /Length {} >>\nstream\n{drawn}\nendstream", drawn.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    objects.extend((0..pages).map(|_| page.clone()));
    pdf_of(&objects)
}

/// One A4 page.
pub fn a4(says: &str) -> Vec<u8> {
    pdf(says, 1, "595 842", "")
}

impl Company {
    /// Brings files, under a key of their own.
    pub fn bring(&self, who: &Credential, files: &[(&str, &[u8])]) -> Answer {
        let key = format!("files {}", self.next());
        let call = Call::new("POST", "/v1/attachments").key(&key).bytes(&content_type(), form(&[], files));
        self.client.send(&who.on(call))
    }

    /// An attachment of one A4 page.
    pub fn new_attachment(&self) -> String {
        let name = format!("Attachment {} of {}.pdf", self.next(), self.slug);
        let taken: Value = self.bring(&self.token, &[(&name, &a4(&name))]).expect(201).json();
        text(&taken["items"][0], "id")
    }
}
