//! The bundle, `.keiin`: what is exported and verified offline. Layout: `docs/LOG-FORMAT.md`, section 8.
//!
//! ```text
//! "KEIIN1\n" | u8 opened | u64 first | u64 count
//! u32 length | checkpoint, a signed note
//! u32 length | evidence, empty when the bundle holds the whole ledger
//! count records, each followed by its opening when `opened` is 1
//! ```
//!
//! What a record must be compared with comes before the records, so that a reader needs one pass and no memory of it.
//! A bundle begins and ends at commit boundaries. Nothing follows the last record.

use std::io::{self, BufRead, BufReader, Read, Write};

use crate::clear;
use crate::note::{MAX_NOTE, Note};
use crate::record::{FIXED, Hash, Leaf, MAX_BODY, MAX_LEAF, MAX_NUMBER, Record};
use crate::seal::Key;
use crate::tree::{self, Subtrees};

/// The first bytes of every bundle.
pub const MAGIC: &[u8; 7] = b"KEIIN1\n";
/// Longest evidence, in bytes.
pub const MAX_EVIDENCE: usize = 16 << 20;
/// Longest JSON text of an opened event, in bytes.
pub const MAX_JSON: usize = 1 << 20;

const ABSENT: u32 = u32::MAX;

/// What the first 24 bytes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Does an opening follow each record?
    pub opened: bool,
    /// Position of the first record.
    pub first: u64,
    /// Number of records, at least 1.
    pub count: u64,
}

impl Header {
    /// Position after the last record.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }
}

/// What a bundle with a part of the ledger needs besides, so that it can be compared with the checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// Roots of the full subtrees before the first record ([`tree::cover`] from 0), left to right.
    pub left: Vec<Hash>,
    /// Roots of the full subtrees behind the last record, up to the checkpoint's size.
    pub right: Vec<Hash>,
    /// The `ledger.*` records outside the bundle, in order: they tell whose signatures count. Erasures of persons tell
    /// nothing about that and are not among them.
    pub key_records: Vec<KeyRecord>,
}

/// A `ledger.*` record outside the bundle's range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRecord {
    /// Inclusion path to the checkpoint's root.
    pub path: Vec<Hash>,
    /// The record, with its body.
    pub record: Record,
}

impl Evidence {
    /// Evidence for the records from `first` to `end` − 1 in the tree of `size` leaves; `None` when that is the whole tree.
    /// `key_records` are the `ledger.*` records outside that range, each with its position, in order; erasures are left out.
    pub fn new<S: Subtrees + ?Sized>(
        tree: &S,
        (first, end, size): (u64, u64, u64),
        key_records: Vec<(u64, Record)>,
    ) -> Result<Option<Evidence>, S::Error> {
        if first == 0 && end == size {
            return Ok(None);
        }
        let hashes = |start, end| -> Result<Vec<Hash>, S::Error> {
            tree::cover(start, end).into_iter().map(|(level, index)| tree.subtree(level, index)).collect()
        };
        let is_erasure = |r: &Record| Leaf::decode(&r.leaf).is_ok_and(|leaf| leaf.event_kind == clear::SUBJECT_ERASED);
        let key_records: Result<_, S::Error> = key_records
            .into_iter()
            .filter(|(_, record)| !is_erasure(record))
            .map(|(position, record)| Ok(KeyRecord { path: tree::inclusion(tree, position, size)?, record }))
            .collect();
        Ok(Some(Evidence { left: hashes(0, first)?, right: hashes(end, size)?, key_records: key_records? }))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![];
        for hashes in [&self.left, &self.right] {
            put_hashes(&mut out, hashes);
        }
        out.extend((self.key_records.len() as u16).to_be_bytes());
        for key_record in &self.key_records {
            put_hashes(&mut out, &key_record.path);
            put_record(&mut out, &key_record.record);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Evidence, BundleError> {
        let mut input = Input { bytes, at: At::Evidence };
        let left = input.hashes()?;
        let right = input.hashes()?;
        let count = u16::from_be_bytes(input.array()?);
        let mut key_records = vec![];
        for _ in 0..count {
            let path = input.hashes()?;
            let mut entry = Entry::default();
            input.frame(&mut entry)?;
            key_records.push(KeyRecord { path, record: entry.record() });
        }
        if input.bytes.is_empty() {
            Ok(Evidence { left, right, key_records })
        } else {
            Err(input.broken("bytes after its end"))
        }
    }
}

/// What opens one record to the reader of the bundle.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The record secret ([`crate::seal::disclose`]).
    pub secret: Key,
    /// The event as JSON, for people. What counts is the text that the secret opens.
    pub json: String,
}

fn put_hashes(out: &mut Vec<u8>, hashes: &[Hash]) {
    out.push(hashes.len() as u8);
    hashes.iter().for_each(|hash| out.extend(hash.0));
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    out.extend((record.leaf.len() as u16).to_be_bytes());
    out.extend(&record.leaf);
    match &record.body {
        Some(body) => {
            out.extend((body.len() as u32).to_be_bytes());
            out.extend(body);
        }
        None => out.extend(ABSENT.to_be_bytes()),
    }
    out.push(u8::from(record.signature.is_some()));
    out.extend(record.signature.iter().flatten());
}

/// Writes a bundle, record by record.
pub struct Writer<W> {
    out: W,
    opened: bool,
    left: u64,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a bundle. `evidence` is present exactly when the bundle is not the checkpoint's whole tree.
    pub fn new(mut out: W, header: Header, checkpoint: &Note, evidence: Option<&Evidence>) -> io::Result<Writer<W>> {
        if evidence.is_some_and(|evidence| evidence.key_records.len() > usize::from(u16::MAX)) {
            return Err(io::Error::other("more than 65,535 key records"));
        }
        out.write_all(MAGIC)?;
        out.write_all(&[u8::from(header.opened)])?;
        out.write_all(&header.first.to_be_bytes())?;
        out.write_all(&header.count.to_be_bytes())?;
        let sections = [checkpoint.to_string().into_bytes(), evidence.map_or(vec![], Evidence::encode)];
        for (section, most) in sections.into_iter().zip([MAX_NOTE, MAX_EVIDENCE]) {
            if section.len() > most {
                return Err(io::Error::other("the checkpoint or the evidence is too long for a bundle"));
            }
            out.write_all(&(section.len() as u32).to_be_bytes())?;
            out.write_all(&section)?;
        }
        Ok(Writer { out, opened: header.opened, left: header.count, buffer: vec![] })
    }

    /// Adds the next record. `opening` is for bundles that were begun as opened; sealed records only.
    pub fn record(&mut self, record: &Record, opening: Option<&Opening>) -> io::Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("more records than the header says"))?;
        self.buffer.clear();
        put_record(&mut self.buffer, record);
        match opening {
            Some(opening) if opening.json.len() > MAX_JSON => {
                return Err(io::Error::other("the text of an opened event is longer than 1 MiB"));
            }
            Some(opening) if self.opened => {
                self.buffer.push(1);
                self.buffer.extend(opening.secret.expose());
                self.buffer.extend((opening.json.len() as u32).to_be_bytes());
                self.buffer.extend(opening.json.as_bytes());
            }
            Some(_) => return Err(io::Error::other("an opening in a bundle that was not begun as opened")),
            None if self.opened => self.buffer.push(0),
            None => {}
        }
        self.out.write_all(&self.buffer)
    }

    /// The output, for whoever takes away what is finished.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the bundle and gives the output back, flushed. Errors when records are missing.
    pub fn finish(mut self) -> io::Result<W> {
        if self.left > 0 {
            return Err(io::Error::other(format!("{} records fewer than the header says", self.left)));
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Where in a bundle something is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// In the first 24 bytes.
    Header,
    /// In the checkpoint.
    Checkpoint,
    /// In the evidence.
    Evidence,
    /// In the record at this position, or right behind the last one.
    Record(u64),
}

/// Why bytes are no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Reading failed.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("not a Keiin bundle: the file does not begin with KEIIN1")]
    NotABundle,
    /// A bundle that breaks the format.
    #[error("{what}")]
    Broken {
        /// Where.
        at: At,
        /// What.
        what: &'static str,
    },
}

/// A record as it was read, with room that is used again for the next one.
#[derive(Default, Debug)]
pub struct Entry {
    /// Encoded leaf.
    pub leaf: Vec<u8>,
    /// Stored body; empty when absent.
    pub body: Vec<u8>,
    /// Was the body left out?
    pub body_absent: bool,
    /// Commit signature.
    pub signature: Option<[u8; 64]>,
    /// What opens it.
    pub opening: Option<Opening>,
}

impl Entry {
    /// The record by itself.
    pub fn record(&self) -> Record {
        let body = (!self.body_absent).then(|| self.body.clone());
        Record { leaf: self.leaf.clone(), body, signature: self.signature }
    }
}

/// Reads a bundle, record by record, in bounded memory. It checks the framing and nothing else.
pub struct Reader<R> {
    input: Input<BufReader<R>>,
    header: Header,
    checkpoint: Note,
    evidence: Option<Evidence>,
    next: u64,
}

impl<R: Read> Reader<R> {
    /// Reads all that comes before the records.
    pub fn new(source: R) -> Result<Reader<R>, BundleError> {
        let mut input = Input { bytes: BufReader::with_capacity(1 << 18, source), at: At::Header };
        let magic: [u8; 7] = input.array().map_err(|error| match error {
            BundleError::Broken { .. } => BundleError::NotABundle,
            other => other,
        })?;
        if magic != *MAGIC {
            return Err(BundleError::NotABundle);
        }
        let [opened] = input.array()?;
        let header = Header {
            opened: opened == 1,
            first: u64::from_be_bytes(input.array()?),
            count: u64::from_be_bytes(input.array()?),
        };
        input.must(opened <= 1, "unknown contents")?;
        input.must(header.count >= 1, "no records")?;
        input.must(header.first < MAX_NUMBER && header.count <= MAX_NUMBER - header.first, "positions out of range")?;

        input.at = At::Checkpoint;
        let checkpoint = input.section(MAX_NOTE)?;
        let checkpoint = Note::parse(&checkpoint).map_err(|_| input.broken("the checkpoint is not a signed note"))?;
        input.at = At::Evidence;
        let evidence = input.section(MAX_EVIDENCE)?;
        let evidence = if evidence.is_empty() { None } else { Some(Evidence::decode(&evidence)?) };
        Ok(Reader { input, header, checkpoint, evidence, next: header.first })
    }

    /// What the first bytes say.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The checkpoint, unchecked.
    pub fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// The evidence, unchecked.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }

    /// Reads the next record into `entry`. False after the last one, when nothing follows it.
    pub fn read(&mut self, entry: &mut Entry) -> Result<bool, BundleError> {
        self.input.at = At::Record(self.next);
        if self.next == self.header.end() {
            let nothing = self.input.bytes.fill_buf()?.is_empty();
            return self.input.must(nothing, "bytes after the last record").map(|()| false);
        }
        self.input.frame(entry)?;
        entry.opening = None;
        if self.header.opened {
            let [present] = self.input.array()?;
            self.input.must(present <= 1, "unknown kind of opening")?;
            if present == 1 {
                let secret = Key::new(self.input.array()?);
                let json = String::from_utf8(self.input.section(MAX_JSON)?);
                let json = json.map_err(|_| self.input.broken("the opened text is not UTF-8"))?;
                entry.opening = Some(Opening { secret, json });
            }
        }
        self.next += 1;
        Ok(true)
    }
}

/// Bytes to read, and where in the bundle they are.
struct Input<R> {
    bytes: R,
    at: At,
}

impl<R: Read> Input<R> {
    fn broken(&self, what: &'static str) -> BundleError {
        BundleError::Broken { at: self.at, what }
    }

    fn must(&self, holds: bool, what: &'static str) -> Result<(), BundleError> {
        if holds { Ok(()) } else { Err(self.broken(what)) }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), BundleError> {
        self.bytes.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.broken("the file ends here: it was cut off"),
            _ => BundleError::Io(error),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BundleError> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    fn vector(&mut self, length: usize, into: &mut Vec<u8>) -> Result<(), BundleError> {
        into.resize(length, 0);
        self.fill(into)
    }

    fn section(&mut self, most: usize) -> Result<Vec<u8>, BundleError> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        self.must(length <= most, "a section is too long")?;
        let mut section = vec![];
        self.vector(length, &mut section)?;
        Ok(section)
    }

    fn hashes(&mut self) -> Result<Vec<Hash>, BundleError> {
        let [count] = self.array()?;
        (0..count).map(|_| self.array().map(Hash)).collect()
    }

    fn frame(&mut self, entry: &mut Entry) -> Result<(), BundleError> {
        let leaf = usize::from(u16::from_be_bytes(self.array()?));
        self.must((FIXED + 4..=MAX_LEAF).contains(&leaf), "leaf length out of range")?;
        self.vector(leaf, &mut entry.leaf)?;
        let body = u32::from_be_bytes(self.array()?);
        entry.body_absent = body == ABSENT;
        let body = if entry.body_absent { 0 } else { body as usize };
        self.must(body <= MAX_BODY, "body length out of range")?;
        self.vector(body, &mut entry.body)?;
        let [signed] = self.array()?;
        self.must(signed <= 1, "unknown kind of signature")?;
        entry.signature = if signed == 1 { Some(self.array()?) } else { None };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Ed25519Signer;

    fn records() -> Vec<Record> {
        let record = |n: u8| Record { leaf: vec![n; 210], body: Some(vec![n; 40]), signature: None };
        vec![
            record(1),
            Record { body: None, ..record(2) },
            Record { body: Some(vec![]), signature: Some([9; 64]), ..record(3) },
        ]
    }

    fn note() -> Note {
        Note::sign("text\n", "log.example", &Ed25519Signer::from_seed(&[1; 32])).unwrap()
    }

    fn evidence() -> Evidence {
        let key_records = vec![KeyRecord { path: vec![Hash([4; 32])], record: records().remove(2) }];
        Evidence { left: vec![], right: vec![Hash([1; 32]), Hash([2; 32])], key_records }
    }

    fn bundle(opened: bool, evidence: Option<&Evidence>) -> Vec<u8> {
        let header = Header { opened, first: 5, count: 3 };
        let mut writer = Writer::new(vec![], header, &note(), evidence).unwrap();
        for (n, record) in records().iter().enumerate() {
            let opening = Opening { secret: Key::new([7; 32]), json: "{}".to_owned() };
            writer.record(record, (opened && n == 0).then_some(&opening)).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Record>, BundleError> {
        let mut reader = Reader::new(bytes)?;
        let mut entry = Entry::default();
        let mut all = vec![];
        while reader.read(&mut entry)? {
            all.push(entry.record());
        }
        Ok(all)
    }

    #[test]
    fn what_is_written_reads_back() {
        for opened in [false, true] {
            for evidence in [None, Some(evidence())] {
                let bytes = bundle(opened, evidence.as_ref());
                let mut reader = Reader::new(&bytes[..]).unwrap();
                assert_eq!(reader.header(), &Header { opened, first: 5, count: 3 });
                assert_eq!((reader.checkpoint(), reader.evidence()), (&note(), evidence.as_ref()));
                let mut entry = Entry::default();
                assert!(reader.read(&mut entry).unwrap());
                assert_eq!(entry.opening.is_some(), opened);
                assert_eq!(read(&bytes).unwrap(), records());
            }
        }
    }

    #[test]
    fn cut_or_longer_bytes_are_refused() {
        let bytes = bundle(true, Some(&evidence()));
        for end in 0..bytes.len() {
            let error = read(&bytes[..end]).unwrap_err();
            assert_eq!(matches!(error, BundleError::NotABundle), end < 7, "{end}: {error}");
        }
        let longer = read(&[&bytes[..], &[0]].concat()).unwrap_err();
        assert!(matches!(longer, BundleError::Broken { at: At::Record(8), .. }), "{longer:?}");
    }

    #[test]
    fn a_writer_holds_to_its_header() {
        let header = Header { opened: false, first: 0, count: 1 };
        let mut writer = Writer::new(vec![], header, &note(), None).unwrap();
        let opening = Opening { secret: Key::new([7; 32]), json: String::new() };
        assert!(Writer::new(vec![], header, &note(), None).unwrap().finish().is_err());
        assert!(Writer::new(vec![], header, &note(), None).unwrap().record(&records()[0], Some(&opening)).is_err());
        writer.record(&records()[0], None).unwrap();
        assert!(writer.record(&records()[1], None).is_err());
    }
}
