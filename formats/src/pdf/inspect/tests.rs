use super::*;

/// A PDF of hand-made objects, the first of which is the catalog; `more` goes into the trailer.
fn pdf(objects: &[&str], more: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut offsets = vec![];
    for (n, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", n + 1).bytes());
    }
    let (table, size) = (file.len(), objects.len() + 1);
    file.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").bytes());
    offsets.iter().for_each(|at| file.extend(format!("{at:010} 00000 n \n").bytes()));
    file.extend(format!("trailer\n<< /Size {size} /Root 1 0 R {more}>>\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

const PAGES: &str = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>";

/// With this in the catalog, on a page of this size, and with these objects from 5 on.
fn with(catalog: &str, size: &str, more: &[&str]) -> Vec<u8> {
    let catalog = format!("<< /Type /Catalog /Pages 2 0 R {catalog} >>");
    let page = format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Contents 4 0 R >>");
    let content = "<< /Length 4 >>\nstream\nq Q\n\nendstream";
    pdf(&[&[catalog.as_str(), PAGES, page.as_str(), content], more].concat(), "")
}

fn of(catalog: &str, more: &[&str]) -> Result<Inspected, Unfit> {
    inspect(with(catalog, "595.28 841.89", more), 10)
}

#[test]
fn pages_are_counted_and_measured() {
    assert_eq!(of("", &[]), Ok(Inspected { pages: 1, is_printable: true }));
    for (size, is_printable) in [("842 595", true), ("612 792", false), ("595 842", true), ("595 1684", false)] {
        let found = inspect(with("", size, &[]), 10);
        assert_eq!(found, Ok(Inspected { pages: 1, is_printable }), "{size}");
    }
    assert_eq!(inspect(with("", "595 842", &[]), 0), Err(Unfit::TooManyPages));
}

#[test]
fn what_is_no_whole_pdf_is_refused() {
    let file = with("", "595 842", &[]);
    assert_eq!(inspect(vec![], 10), Err(Unfit::NotPdf));
    assert_eq!(inspect(b"PK\x03\x04 a zip, by its name a.pdf".to_vec(), 10), Err(Unfit::NotPdf));
    assert_eq!(inspect([b"<html>", &file[..]].concat(), 10), Err(Unfit::NotPdf));
    assert_eq!(inspect(file[..file.len() / 2].to_vec(), 10), Err(Unfit::Broken));
    assert_eq!(inspect(b"%PDF-1.7\nnothing\n%%EOF\n".to_vec(), 10), Err(Unfit::Broken));
}

#[test]
fn what_is_encrypted_is_refused_also_with_an_empty_password() {
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>";
    let catalog = "<< /Type /Catalog /Pages 2 0 R >>";
    for name in ["Encrypt", "Encr#79pt", "#45ncrypt"] {
        let file = pdf(&[catalog, PAGES, page], &format!("/{name} << /Filter /Standard /V 1 /R 2 /P -4 >> "));
        assert_eq!(inspect(file, 10), Err(Unfit::Encrypted), "{name}");
    }
}

#[test]
fn what_acts_by_itself_is_refused() {
    for (catalog, more) in [
        ("/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>", &[][..]),
        ("/OpenAction 5 0 R", &["<< /S /J#61vaScript /JS 6 0 R >>", "(x)"]),
        ("/OpenAction << /S /Named /N /Print >>", &[]),
        ("/OpenAction << /S /URI /URI (http://a.example) >>", &[]),
        ("/OpenAction << /S /GoTo /D [3 0 R /Fit] /Next << /S /URI /URI (http://a.example) >> >>", &[]),
        ("/AA << /WC << /S /URI /URI (http://a.example) >> >>", &[]),
        ("/Names << /JavaScript << /Names [(a) 5 0 R] >> >>", &["<< /S /JavaScript >>"]),
        ("", &["<< /S /Launch /F (cmd.exe) >>"]),
        ("", &["[ [ << /A << /S /Launch >> >> ] ]"]),
        ("", &["<< /S /SubmitForm /F (http://a.example) >>"]),
        ("", &["<< /S 6 0 R >>", "/GoToR"]),
        ("", &["<< /Type /Annot /Subtype /RichMedia >>"]),
        ("", &["<< /Type /Annot /Subtype /Movie >>"]),
        ("", &["<< /JS (x) >>"]),
    ] {
        assert_eq!(of(catalog, more), Err(Unfit::Active), "{catalog} {more:?}");
    }
}

#[test]
fn what_hides_a_file_or_is_another_form_for_each_reader_is_refused() {
    assert_eq!(of("/Names << /EmbeddedFiles << /Names [] >> >>", &[]), Err(Unfit::Embedded));
    assert_eq!(of("", &["<< /Type /Filespec /EF << /F 6 0 R >> >>", "null"]), Err(Unfit::Embedded));
    assert_eq!(of("", &["<< /Subtype /FileAttachment >>"]), Err(Unfit::Embedded));
    assert_eq!(of("", &["<< /S /GoToE >>"]), Err(Unfit::Embedded));
    assert_eq!(of("/AcroForm << /XFA 5 0 R /Fields [] >>", &["(x)"]), Err(Unfit::Dynamic));
}

#[test]
fn what_no_table_names_is_found_all_the_same() {
    let mut file = with("", "595 842", &[]);
    let hidden = b"9 0 obj\n<< /S /Launch /F (cmd.exe) >>\nendobj\n";
    let at = file.windows(4).position(|at| at == b"xref").expect("a table");
    file.splice(at..at, hidden.iter().copied());
    assert_eq!(inspect(file, 10), Err(Unfit::Active));
}

#[test]
fn links_and_places_to_begin_at_are_no_harm() {
    let link = "<< /Type /Annot /Subtype /Link /A << /S /URI /URI (https://a.example) >> >>";
    let catalog = "/OpenAction [3 0 R /Fit] /PageMode /UseOutlines /StructTreeRoot << /S /P >>";
    assert_eq!(of(catalog, &[link, "<< /S /GoTo /D (a) >>"]), Ok(Inspected { pages: 1, is_printable: true }));
    assert!(of("/OpenAction << /S /GoTo /D [3 0 R /Fit] >>", &[]).is_ok());
    // A comment, a text and a name that only begins alike.
    assert!(of("/EncryptMetadata false /Launched true", &["(what /Java Script is)"]).is_ok());
}
