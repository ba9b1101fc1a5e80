//! A paper as PDF/A: A4, one face embedded, the same bytes for the same paper.
//!
//! Level 2u: everything that 2b asks, and every letter can be copied out. The library's validator refuses to write a file
//! that breaks the standard.

mod face;
mod foot;
mod head;
mod inspect;
mod merge;
pub mod post;
mod qr;
mod sheet;
mod table;
mod words;

use std::collections::BTreeSet;

use keiin_domain::date::Date;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::{Document, SerializeSettings};

use self::face::Weight;
pub use self::inspect::{Inspected, Unfit, inspect};
pub use self::merge::{merge, pages};
use self::sheet::Sheet;
use crate::Paper;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A paper with an empty box in it is worse than none.
    #[error("the font lacks {} character(s); the first is {} in {}", .0.len(), .0[0].character, .0[0].field)]
    Missing(Vec<Missing>),
    /// What the QR code would hold.
    #[error("the verification address is too long: three lines of small print hold it")]
    VerifyUrl,
    /// The library found that the file would break PDF/A; the paper cannot cause that.
    #[error("the file would not be PDF/A: {0}")]
    Standard(String),
}

/// A character that cannot be printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Where it stands: a JSON pointer into the paper, such as `/recipient/name` or `/lines/3/description`.
    pub field: String,
    /// Which.
    pub character: char,
}

/// Every character that the font lacks, once a field, in the order of the paper. Empty: it can be printed.
pub fn missing(paper: &Paper) -> Vec<Missing> {
    let mut missing = Vec::new();
    for (field, text) in texts(paper) {
        let mut seen = BTreeSet::new();
        let lacking = text.chars().filter(|c| !face::has(Weight::Regular, *c) && seen.insert(*c));
        missing.extend(lacking.map(|character| Missing { field: field.clone(), character }));
    }
    missing
}

/// A text with 〓 (geta) for what the font lacks: for what only describes, such as the name of somebody's file.
pub fn described(text: &str) -> String {
    text.chars().map(|c| if face::has(Weight::Regular, c) { c } else { '〓' }).collect()
}

/// Everything that people wrote.
pub(crate) fn texts(paper: &Paper) -> Vec<(String, &str)> {
    let (from, to) = (&paper.sender, &paper.recipient);
    let mut texts = vec![
        ("/number", &paper.number),
        ("/title", &paper.title),
        ("/sender/name", &from.name),
        ("/sender/registration_number", &from.registration_number),
        ("/sender/address", &from.address),
        ("/sender/bank_details", &from.bank_details),
        ("/recipient/name", &to.name),
        ("/recipient/postal_code", &to.postal_code),
        ("/recipient/region", &to.region),
        ("/recipient/locality", &to.locality),
        ("/recipient/street_address", &to.street_address),
        ("/recipient/extended_address", &to.extended_address),
        ("/note", &paper.note),
        ("/proviso", &paper.proviso),
        ("/verify_url", &paper.verify_url),
    ];
    if let Some(correction) = &paper.correction {
        texts.push(("/correction/reason", &correction.reason));
        texts.push(("/correction/replaces_number", &correction.replaces_number));
    }
    let mut texts: Vec<_> = texts.into_iter().map(|(field, text)| (field.to_owned(), text.as_str())).collect();
    for (at, line) in paper.lines.iter().enumerate() {
        texts.push((format!("/lines/{at}/description"), &line.description));
        texts.push((format!("/lines/{at}/unit"), &line.unit));
    }
    texts
}

/// The file.
pub fn render(paper: &Paper) -> Result<Vec<u8>, Error> {
    let missing = missing(paper);
    if !missing.is_empty() {
        return Err(Error::Missing(missing));
    }
    write(lay_out(paper)?, metadata(paper))
}

/// Pages as a file.
fn write(sheet: Sheet, metadata: Metadata) -> Result<Vec<u8>, Error> {
    let mut document = Document::new_with(settings()?);
    document.set_metadata(metadata);
    for page in sheet.into_pages() {
        let size = PageSettings::from_wh(sheet::WIDTH, sheet::HEIGHT).expect("A4 is a size");
        let mut on = document.start_page_with(size);
        let mut surface = on.surface();
        page.draw(&mut surface);
        surface.finish();
        on.finish();
    }
    document.finish().map_err(|error| Error::Standard(error.to_string()))
}

fn lay_out(paper: &Paper) -> Result<Sheet, Error> {
    let mut sheet = Sheet::new(if paper.verify_url.is_empty() { 0.0 } else { foot::CODE_ROOM });
    sheet.running(|sheet| foot::running(sheet, paper));
    head::draw(&mut sheet, paper);
    table::draw(&mut sheet, &paper.lines);
    foot::draw(&mut sheet, paper);
    foot::edges(&mut sheet, paper).map_err(|qr::TooLong| Error::VerifyUrl)?;
    Ok(sheet)
}

fn settings() -> Result<SerializeSettings, Error> {
    let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A2_U).finish();
    let configuration = configuration.map_err(|error| Error::Standard(format!("{error:?}")))?;
    Ok(SerializeSettings { configuration, enable_tagging: false, ..SerializeSettings::default() })
}

/// What the file says about itself: nothing but what the paper says.
fn metadata(paper: &Paper) -> Metadata {
    let title = words::of(paper.document_type).title;
    Metadata::new()
        .title(format!("{title} {}", paper.number))
        .authors(vec![paper.sender.name.clone()])
        .description(paper.title.clone())
        .language("ja".to_owned())
        .creator("Keiin".to_owned())
        .document_id(format!("{} {} {}", paper.sender.registration_number, paper.number, paper.revision))
        .creation_date(day(paper.issued_on))
}

/// The day's first instant in Japan.
fn day(date: Date) -> DateTime {
    let (year, month, day) = date.ymd();
    let year = u16::try_from(year).unwrap_or_default();
    let small = |n: u32| u8::try_from(n).unwrap_or(1);
    DateTime::new(year)
        .month(small(month))
        .day(small(day))
        .hour(0)
        .minute(0)
        .second(0)
        .utc_offset_hour(9)
        .utc_offset_minute(0)
}
