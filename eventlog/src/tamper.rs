//! Flips one byte of one record in a bundle, for people who want to see the refusal.

use std::io::{self, Read, Write};

use crate::bundle::{BundleError, Entry, Reader, Writer};

/// What was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flipped {
    /// Position of the record.
    pub position: u64,
    /// `body` or, where there is none, `leaf`.
    pub part: &'static str,
    /// Which byte of that part, from 0.
    pub byte: usize,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum TamperError {
    /// The bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The new file.
    #[error("the changed bundle cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The bundle has no such record.
    #[error("the bundle holds positions {first} to {last}, not {asked}")]
    NoSuchPosition {
        /// Position of the bundle's first record.
        first: u64,
        /// Position of its last record.
        last: u64,
        /// What was asked for.
        asked: u64,
    },
}

/// Copies a bundle and flips every bit of one byte in the record at `position`, or in the one in the middle.
pub fn tamper(input: impl Read, output: impl Write, position: Option<u64>) -> Result<Flipped, TamperError> {
    let mut reader = Reader::new(input)?;
    let header = *reader.header();
    let (first, last) = (header.first, header.end() - 1);
    let position = position.unwrap_or(first + header.count / 2);
    if !(first..=last).contains(&position) {
        return Err(TamperError::NoSuchPosition { first, last, asked: position });
    }
    let mut writer = Writer::new(io::BufWriter::new(output), header, reader.checkpoint(), reader.evidence())?;
    let mut flipped = Flipped { position, part: "leaf", byte: 0 };
    let mut entry = Entry::default();
    let mut at = first;
    while reader.read(&mut entry)? {
        if at == position {
            let (part, bytes) =
                if entry.body.is_empty() { ("leaf", &mut entry.leaf) } else { ("body", &mut entry.body) };
            let byte = bytes.len() / 2;
            bytes[byte] ^= 0xff;
            flipped = Flipped { position, part, byte };
        }
        writer.record(&entry.record(), entry.opening.as_ref())?;
        at += 1;
    }
    writer.finish()?;
    Ok(flipped)
}
