//! CSV that somebody made, in whatever their program writes.
//!
//! Cells are told apart in bytes: no second byte of a CP932 character is a quote, a comma or the end of a line. Then each cell
//! is decoded by itself, so that what cannot be read is said with its place.

use encoding_rs::SHIFT_JIS;

use super::{BOM, Encoding};

/// Why a file cannot be read. Rows and columns are counted from 1.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// Neither UTF-8 nor CP932; of a file that begins with UTF-8's mark, no UTF-8.
    #[error(
        "row {row}, column {column} is neither UTF-8 nor Shift_JIS (CP932): save the file as \"CSV UTF-8\" and try again"
    )]
    Bytes {
        /// Of the first cell that cannot be read.
        row: usize,
        /// Of the same.
        column: usize,
    },
    /// Everything after it would be one cell.
    #[error("a quotation mark is opened and not closed; the last row that begins before the end of the file is {row}")]
    Quote {
        /// Of the last record, as far as they can be told apart.
        row: usize,
    },
}

/// How it is written, and every row with its cells. Lines end by CRLF, LF or CR; empty lines are left out; rows may differ in
/// length. Nothing is trimmed and no leading `'` removed.
pub fn read(bytes: &[u8]) -> Result<(Encoding, Vec<Vec<String>>), Error> {
    let marked = bytes.strip_prefix(BOM);
    let records = records(marked.unwrap_or(bytes), b',')?;
    decoded(marked.is_some(), &records)
}

fn decoded(is_marked: bool, records: &[::csv::ByteRecord]) -> Result<(Encoding, Vec<Vec<String>>), Error> {
    let utf8 = decode(records, utf8);
    if is_marked {
        return utf8.map(|rows| (Encoding::Utf8Bom, rows)).map_err(Place::error);
    }
    let in_utf8 = match utf8 {
        Ok(rows) => return Ok((Encoding::Utf8, rows)),
        Err(place) => place,
    };
    // Bytes of UTF-8 often make sense as CP932, those of CP932 hardly ever as UTF-8.
    if mostly_utf8(records) {
        return Err(in_utf8.error());
    }
    decode(records, cp932).map(|rows| (Encoding::Cp932, rows)).map_err(Place::error)
}

/// A file of whose making nothing is known: what separates its cells, and where each row stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sheet {
    /// How characters are bytes.
    pub encoding: Encoding,
    /// Comma, semicolon or tab: what its first line has most of.
    pub separator: char,
    /// Every row that is not empty.
    pub rows: Vec<Record>,
}

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Line of the file on which it begins, from 1. A cell may hold lines of its own.
    pub line: usize,
    /// Its cells.
    pub cells: Vec<String>,
}

/// As [`read`], also for files with semicolons or tabs. In errors, `row` is a line of the file.
pub fn open(bytes: &[u8]) -> Result<Sheet, Error> {
    let body = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let separator = separator(body);
    let all = records(body, separator)?;
    let lines = lines(body, &all);
    let line = |row: usize| lines.get(row - 1).copied().unwrap_or(row);
    let (encoding, rows) = decoded(bytes.len() > body.len(), &all).map_err(|error| match error {
        Error::Bytes { row, column } => Error::Bytes { row: line(row), column },
        Error::Quote { row } => Error::Quote { row: line(row) },
    })?;
    let records = rows.into_iter().enumerate().map(|(n, cells)| Record { line: line(n + 1), cells });
    let filled = records.filter(|record| record.cells.iter().any(|cell| !cell.trim().is_empty()));
    Ok(Sheet { encoding, separator: char::from(separator), rows: filled.collect() })
}

/// On which line each record begins. What the reader calls its position is where the one before ended: empty lines follow.
fn lines(body: &[u8], records: &[::csv::ByteRecord]) -> Vec<usize> {
    let (mut at, mut line) = (0, 1);
    let begins = records.iter().map(|record| record.position().map_or(0, |position| position.byte() as usize));
    begins
        .map(|begin| {
            while at < body.len() && (at < begin || matches!(body[at], b'\r' | b'\n')) {
                // CRLF ends a line once.
                line += usize::from(body[at] == b'\n' || (body[at] == b'\r' && body.get(at + 1) != Some(&b'\n')));
                at += 1;
            }
            line
        })
        .collect()
}

fn separator(body: &[u8]) -> u8 {
    let (mut is_quoted, mut counts) = (false, [(0usize, b','), (0, b';'), (0, b'\t')]);
    for byte in body.iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')) {
        is_quoted ^= *byte == b'"';
        counts.iter_mut().filter(|(_, one)| !is_quoted && one == byte).for_each(|(count, _)| *count += 1);
    }
    // Of as many the comma: the last of the largest wins.
    counts.into_iter().rev().max_by_key(|(count, _)| *count).map_or(b',', |(_, one)| one)
}

/// Row and column, from 1.
#[derive(Clone, Copy)]
struct Place(usize, usize);

impl Place {
    fn error(self) -> Error {
        Error::Bytes { row: self.0, column: self.1 }
    }
}

fn records(bytes: &[u8], separator: u8) -> Result<Vec<::csv::ByteRecord>, Error> {
    let mut reader =
        ::csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(bytes);
    let mut records = Vec::new();
    for record in reader.byte_records() {
        let row = records.len() + 1;
        // Neither lengths nor encodings are looked at and memory does not fail: there is no error left to come.
        records.push(record.map_err(|_| Error::Bytes { row, column: 1 })?);
    }
    // Quotes come in pairs: around a cell, and doubled inside of one.
    if bytes.iter().filter(|b| **b == b'"').count() % 2 == 1 {
        return Err(Error::Quote { row: records.len() });
    }
    Ok(records)
}

fn decode(records: &[::csv::ByteRecord], cell: fn(&[u8]) -> Option<String>) -> Result<Vec<Vec<String>>, Place> {
    let row = |(row, record): (usize, &::csv::ByteRecord)| {
        let cells = record.iter().enumerate().map(|(column, bytes)| cell(bytes).ok_or(Place(row + 1, column + 1)));
        cells.collect::<Result<Vec<String>, Place>>()
    };
    records.iter().enumerate().map(row).collect()
}

/// Is at least half of what is not ASCII Japanese in UTF-8, three bytes a character? Then the rest is damage. Two bytes are not
/// counted: ﾐｷ in CP932 is з in UTF-8.
fn mostly_utf8(records: &[::csv::ByteRecord]) -> bool {
    let cells = || records.iter().flatten().filter(|cell| !cell.is_ascii());
    let japanese = |cell: &&[u8]| utf8(cell).is_some_and(|text| text.contains(|c| c >= '\u{800}'));
    let (fits, all) = (cells().filter(japanese).count(), cells().count());
    fits > 0 && fits * 2 >= all
}

/// A zero byte is what UTF-16 looks like, which is not read.
fn utf8(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).map(str::to_owned)
}

fn cp932(bytes: &[u8]) -> Option<String> {
    let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes)?;
    // 0x80 is no character of CP932; the web's table reads it as a control character.
    (!text.contains(['\0', '\u{80}'])).then(|| text.into_owned())
}
