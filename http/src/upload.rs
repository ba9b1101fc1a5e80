//! A file that a browser's form brings along (`multipart/form-data`, RFC 7578): only as much of it as our own forms need.

use memchr::memmem;

use crate::problem::Problem;

/// The content of the field with this name; empty if nothing was chosen.
pub fn field<'a>(content_type: &str, body: &'a [u8], name: &str) -> Result<&'a [u8], Problem> {
    let wrong = || Problem::new("request.wrong_content_type");
    let (kind, rest) = content_type.split_once(';').ok_or_else(wrong)?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(wrong());
    }
    let boundary = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary=")).ok_or_else(wrong)?;
    let mark = format!("\r\n--{}", boundary.trim_matches('"'));
    // The first boundary has no line before it.
    let mut rest = body.strip_prefix(&mark.as_bytes()[2..]).ok_or_else(wrong)?;
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let head_ends = memmem::find(part, b"\r\n\r\n").ok_or_else(wrong)?;
        let (head, content) = (String::from_utf8_lossy(&part[..head_ends]), &part[head_ends + 4..]);
        let ends = memmem::find(content, mark.as_bytes()).ok_or_else(wrong)?;
        if head.lines().any(|line| is_named(line, name)) {
            return Ok(&content[..ends]);
        }
        rest = &content[ends + mark.len()..];
    }
    Err(Problem::at("request.bad_field", format!("/{name}")))
}

fn is_named(line: &str, name: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.strip_prefix("content-disposition:")
        .is_some_and(|rest| rest.split(';').any(|part| part.trim() == format!("name=\"{name}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_found_whatever_is_in_it() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nfile\r\n--x\r\nContent-Disposition: form-data; \
            name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\r\n--y\r\n\x82\xA0\r\n--x--\r\n";
        let kind = "multipart/form-data; boundary=x";
        assert_eq!(field(kind, body, "file").unwrap(), b"a,b\r\n--y\r\n\x82\xA0");
        assert_eq!(field(kind, body, "note").unwrap(), b"file");
        assert_eq!(field(kind, body, "other").unwrap_err().code, "request.bad_field");
        for (kind, body) in [("text/csv", &body[..]), ("multipart/form-data", body), (kind, b"--x\r\n"), (kind, b"")] {
            assert!(field(kind, body, "file").is_err(), "{kind}");
        }
        assert!(field(kind, &body[..60], "file").is_err(), "cut off");
    }
}
