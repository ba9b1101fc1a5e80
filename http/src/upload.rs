//! Files that a browser's form brings along (`multipart/form-data`, RFC 7578).
//!
//! Invariants:
//! * All of it is bounded before it is in memory: the whole, each text, the number of parts.
//! * What the browser says about a file is a claim: its name is cut to something that can be shown, and nothing is decided
//!   by its type.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use keiin_domain::text::is_direction_override;
use multer::{Constraints, Error, Multipart, SizeLimit};

use crate::api;
use crate::problem::Problem;

/// Most fields and files of one form.
const PARTS_MAX: usize = 300;
/// Longest text of a field, bytes.
const TEXT_MAX: usize = 64 << 10;
/// What boundaries and headers may take beside the files, bytes.
const AROUND_MAX: usize = 64 << 10;
/// Longest name of a file that is kept, characters.
const NAME_MAX: usize = 200;

/// A form that was read to its end.
#[derive(Debug, Default)]
pub struct Form {
    /// Texts by their field's name, in the form's order.
    pub fields: Vec<(String, String)>,
    /// What was chosen, in the form's order. A file input that was left empty is not here.
    pub files: Vec<File>,
}

/// A file as the browser sent it.
#[derive(Debug)]
pub struct File {
    /// The input's name.
    pub field: String,
    /// What it was called, without folders and control characters; never empty.
    pub name: String,
    /// What the browser takes it for, such as `application/pdf`; may be empty, and is not to be trusted.
    pub content_type: String,
    /// The content.
    pub bytes: Bytes,
}

impl Form {
    /// The text of a field; empty where it is missing.
    pub fn text(&self, field: &str) -> &str {
        self.fields.iter().find(|(name, _)| name == field).map_or("", |(_, text)| text)
    }

    /// The first file of an input.
    pub fn file(&self, field: &str) -> Option<&File> {
        self.files.iter().find(|file| file.field == field)
    }
}

/// Is it such a form? Others are read by [`crate::console::fields`].
pub fn is_multipart(head: &Parts) -> bool {
    content_type(head).get(..19).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"))
}

fn content_type(head: &Parts) -> &str {
    head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("")
}

/// Reads a form whose files have at most `limit` bytes together. What is too long by its own word is not read at all.
pub async fn form(head: &Parts, body: Body, limit: usize) -> Result<Form, Problem> {
    let boundary = multer::parse_boundary(content_type(head)).ok().filter(|mark| (1..=70).contains(&mark.len()));
    let boundary = boundary.ok_or_else(|| Problem::new("request.wrong_content_type"))?;
    let whole = limit + AROUND_MAX;
    api::announced(head, whole)?;
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(whole as u64).per_field(limit as u64));
    let mut parts = Multipart::with_constraints(body.into_data_stream(), boundary, limits);
    let (mut form, mut left) = (Form::default(), limit);
    while let Some(part) = parts.next_field().await.map_err(wrong)? {
        if form.fields.len() + form.files.len() == PARTS_MAX {
            return Err(Problem::new("request.too_large"));
        }
        // A part without a name is nobody's field.
        let Some(field) = part.name().map(str::to_owned) else { return Err(Problem::at("request.bad_field", "")) };
        let named = part.file_name().map(shown);
        let content_type = part.content_type().map_or(String::new(), ToString::to_string);
        let bytes = part.bytes().await.map_err(wrong)?;
        match named {
            None if bytes.len() > TEXT_MAX => return Err(Problem::new("request.too_large")),
            None => {
                let text = String::from_utf8(bytes.to_vec());
                let text = text.map_err(|_| Problem::at("request.bad_field", format!("/{field}")))?;
                form.fields.push((field, text));
            }
            Some(name) if name.is_empty() && bytes.is_empty() => {}
            Some(name) => {
                left = left.checked_sub(bytes.len()).ok_or_else(|| Problem::new("request.too_large"))?;
                let name = if name.is_empty() { "file".to_owned() } else { name };
                form.files.push(File { field, name, content_type, bytes });
            }
        }
    }
    Ok(form)
}

/// A file's name without the folders that some browsers put before it, and without what cannot be seen.
fn shown(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let seen = last.chars().filter(|c| !c.is_control() && !is_direction_override(*c));
    let seen: String = seen.take(NAME_MAX).collect();
    seen.trim().to_owned()
}

fn wrong(error: Error) -> Problem {
    match error {
        Error::FieldSizeExceeded { .. } | Error::StreamSizeExceeded { .. } => Problem::new("request.too_large"),
        _ => Problem::at("request.bad_field", ""),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const KIND: &str = "multipart/form-data; boundary=x";
    const FORM: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nfile\r\n--x\r\nContent-Disposition: form-data; \
        name=\"file\"; filename=\"C:\\here\\a.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\r\n--y\r\n\x82\xA0\r\n--x\r\n\
        Content-Disposition: form-data; name=\"none\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n";

    async fn read(kind: &str, body: impl Into<Body>, limit: usize) -> Result<Form, &'static str> {
        let head = Request::builder().header(CONTENT_TYPE, kind).body(()).unwrap().into_parts().0;
        form(&head, body.into(), limit).await.map_err(|problem| problem.code)
    }

    fn part(head: &str, text: &str) -> String {
        format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n")
    }

    #[tokio::test]
    async fn fields_and_files_are_found_whatever_is_in_them() {
        let form = read(KIND, FORM, 100).await.unwrap();
        assert_eq!((form.text("note"), form.text("other")), ("file", ""));
        let file = form.file("file").unwrap();
        assert_eq!((file.name.as_str(), file.content_type.as_str()), ("a.csv", "text/csv"));
        assert_eq!(&file.bytes[..], b"a,b\r\n--y\r\n\x82\xA0");
        assert!(form.file("none").is_none(), "nothing was chosen");
        let quoted = "multipart/form-data; charset=utf-8; boundary=\"x\"";
        assert_eq!(read(quoted, FORM, 100).await.unwrap().files.len(), 1);
        // Byte by byte, as a slow network brings it.
        let bytes = futures_util::stream::iter(FORM.iter().map(|byte| Ok::<_, std::io::Error>(vec![*byte])));
        let slow = read(KIND, Body::from_stream(bytes), 100).await.unwrap();
        assert_eq!((slow.fields, slow.files.len()), (form.fields, 1));
    }

    #[tokio::test]
    async fn what_is_no_such_form_is_refused() {
        for kind in
            ["text/csv", "multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary=", ""]
        {
            assert_eq!(read(kind, FORM, 100).await.unwrap_err(), "request.wrong_content_type", "{kind}");
        }
        for end in 0..FORM.len() - 4 {
            assert!(read(KIND, FORM[..end].to_vec(), 100).await.is_err(), "cut off after {end}");
        }
        for body in [
            part("filename=\"a\"", "no name"),
            part("name=\"a", "an open quote"),
            "--x\r\nX: y\r\n\r\nno disposition\r\n".to_owned(),
            "--x\r\n\0: y\r\n\r\nno header\r\n".to_owned(),
        ] {
            assert_eq!(read(KIND, body + "--x--\r\n", 100).await.unwrap_err(), "request.bad_field");
        }
        let mut latin = part("name=\"a\"", "?").into_bytes();
        let at = latin.len() - 3;
        latin[at] = 0xE9;
        latin.extend(b"--x--\r\n");
        assert_eq!(read(KIND, latin, 100).await.unwrap_err(), "request.bad_field", "not UTF-8");
    }

    #[tokio::test]
    async fn sizes_are_bounded() {
        let file = |bytes: usize| part("name=\"f\"; filename=\"f\"", &"a".repeat(bytes));
        assert_eq!(read(KIND, file(100) + "--x--", 100).await.unwrap().files[0].bytes.len(), 100);
        let long_head = part(&format!("name=\"{}\"", "n".repeat(AROUND_MAX + 200)), "");
        for body in [
            file(101),
            file(60) + &file(60),
            part("name=\"t\"", &"a".repeat(TEXT_MAX + 1)),
            part("name=\"t\"", "a").repeat(PARTS_MAX + 1),
            long_head,
            "a".repeat(AROUND_MAX + 200),
        ] {
            assert_eq!(read(KIND, body + "--x--", 100).await.unwrap_err(), "request.too_large");
        }
        let head = Request::builder().header(CONTENT_TYPE, KIND).header("content-length", "99999999").body(()).unwrap();
        let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        assert_eq!(form(&head.into_parts().0, never, 100).await.unwrap_err().code, "request.too_large");
    }

    #[test]
    fn names_are_only_shown() {
        assert_eq!(shown("../../etc/passwd"), "passwd");
        assert_eq!(shown("\u{202E}fdp.exe\0 "), "fdp.exe");
        assert_eq!(shown("請求書 2026.pdf"), "請求書 2026.pdf");
        assert_eq!(shown(&"長".repeat(300)).chars().count(), NAME_MAX);
        assert_eq!(shown("a/"), "");
    }
}
