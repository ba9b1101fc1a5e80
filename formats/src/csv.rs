//! Tables as CSV (RFC 4180: commas, CRLF, quotes doubled), for spreadsheets and for programs, and CSV read back.
//!
//! Excel knows what is UTF-8 only by its byte order mark; older programs in Japan want CP932 (windows-31j, what they call
//! Shift_JIS), which has no character for many names. A file is written all the same, with 〓 for those, and a report says
//! where each stands. Both open in a program that runs what looks like a formula, so a text that begins like one gets a
//! leading `'` there (OWASP, "CSV injection"); for programs nothing is changed.

mod documents;
mod read;
mod visits;

use std::borrow::Cow;

use encoding_rs::SHIFT_JIS;
use keiin_domain::date::Date;

pub use self::documents::{HEADERS_EN, HEADERS_JA, Language, Row, documents};
pub use self::read::{Error, Record, Sheet, open, read};
pub use self::visits::{VisitRow, visits};

/// Byte order mark of UTF-8.
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// 下駄: what Japanese typesetters put where a character is missing.
const GETA: char = '〓';

/// How characters become bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// For Excel: UTF-8 with a byte order mark.
    Utf8Bom,
    /// For Excel and older programs: windows-31j.
    Cp932,
    /// For programs: UTF-8 as it is.
    Utf8,
}

/// What stands in one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// What people wrote; harmless in a spreadsheet.
    Text(String),
    /// An amount or a count; below zero it stays a number.
    Number(i64),
    /// `2026-11-22`.
    Date(Date),
}

/// Titles and what stands below them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    /// First row.
    pub columns: Vec<String>,
    /// The others; each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

/// A character that CP932 lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unmappable {
    /// In the file, counted from 1: the titles are row 1.
    pub row: usize,
    /// Counted from 1.
    pub column: usize,
    /// Which.
    pub character: char,
    /// What stands there instead: its twin in CP932, or 〓.
    pub written: char,
}

/// A table as a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Its content.
    pub bytes: Vec<u8>,
    /// In the order of the file; always empty for UTF-8.
    pub unmappable: Vec<Unmappable>,
}

impl Table {
    /// The file.
    pub fn write(&self, encoding: Encoding) -> File {
        let mut file = File { bytes: Vec::new(), unmappable: Vec::new() };
        if encoding == Encoding::Utf8Bom {
            file.bytes.extend_from_slice(BOM);
        }
        let mut writer =
            ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).flexible(true).from_writer(&mut file.bytes);
        let titles = self.columns.iter().map(|title| text(title, encoding)).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| cell.text(encoding)).collect::<Vec<_>>());
        for (row, cells) in std::iter::once::<Vec<Cow<str>>>(titles).chain(rows).enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                let (row, column) = (row + 1, column + 1);
                let lost = |character, written| file.unmappable.push(Unmappable { row, column, character, written });
                let bytes =
                    if encoding == Encoding::Cp932 { cp932(cell, lost) } else { Cow::Borrowed(cell.as_bytes()) };
                writer.write_field(&bytes).expect("memory takes what is written to it");
            }
            writer.write_record(None::<&[u8]>).expect("memory takes what is written to it");
        }
        drop(writer);
        file
    }
}

impl Cell {
    fn text(&self, encoding: Encoding) -> Cow<'_, str> {
        match self {
            Cell::Text(written) => text(written, encoding),
            Cell::Number(number) => Cow::Owned(number.to_string()),
            Cell::Date(date) => Cow::Owned(date.to_string()),
        }
    }
}

/// What a spreadsheet takes for the beginning of a formula. The full-width signs are here because Excel in Japan takes them
/// for their ASCII twins, the minus sign because CP932 writes it as a full-width hyphen.
const FORMULA: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '\u{2212}'];

fn text(written: &str, encoding: Encoding) -> Cow<'_, str> {
    match encoding != Encoding::Utf8 && written.starts_with(FORMULA) {
        true => Cow::Owned(format!("'{written}")),
        false => Cow::Borrowed(written),
    }
}

/// A text in CP932; `lost` hears of each character that it cannot hold.
fn cp932<'a>(text: &'a str, mut lost: impl FnMut(char, char)) -> Cow<'a, [u8]> {
    if text.is_ascii() {
        return Cow::Borrowed(text.as_bytes());
    }
    let held: String = text
        .chars()
        .map(|c| match twin(c) {
            _ if holds(c) => c,
            twin => {
                lost(c, twin);
                twin
            }
        })
        .collect();
    Cow::Owned(SHIFT_JIS.encode(&held).0.into_owned())
}

/// Is the character read back as it was written? The encoder alone would take ¥ for a backslash.
fn holds(c: char) -> bool {
    let mut utf8 = [0; 4];
    let text = c.encode_utf8(&mut utf8);
    let (bytes, _, unmappable) = SHIFT_JIS.encode(text);
    // 0x80 is no character of CP932; the web's table has a control character there.
    c != '\u{80}' && !unmappable && SHIFT_JIS.decode_without_bom_handling(&bytes).0 == *text
}

/// The sign of JIS X 0208 that Unicode has twice and CP932 maps to the other one: what everybody reads as the same.
fn twin(c: char) -> char {
    match c {
        '¢' => '￠',
        '£' => '￡',
        '¥' => '￥',
        '¬' => '￢',
        '‾' => '￣',
        '—' => '―',
        '‖' => '∥',
        '−' => '－',
        '〜' => '～',
        _ => GETA,
    }
}
