//! Everything that reads bytes from outside, as one function each: for the fuzzer (`tests/fuzz`) and, with a corpus of good
//! bytes and seeded changes to them, for every run of the tests (`tests/faults/decoders.rs`).
//!
//! A target panics when a decoder does, and when it accepts what its own encoder would not have written: no two byte
//! strings may mean the same.

mod seeds;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use keiin::{client_import, console, upload, visit_import};
use keiin_domain::catalog::{Visit, catalog};
use keiin_domain::command::{Aggregate, Command};
use keiin_domain::envelope;
use keiin_domain::event::{Event, Stored};
use keiin_eventlog::bundle::{Entry, Reader};
use keiin_eventlog::checkpoint::{Checkpoint, Origin};
use keiin_eventlog::clear::Clear;
use keiin_eventlog::framed;
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::proof::Proof;
use keiin_eventlog::record::{Hash, Leaf};
use keiin_eventlog::seal::{self, BodyKey, BodyPlace, Key, KeyName, KeyType, SubjectKeyId};
use keiin_eventlog::sign::{Ed25519Signer, Signer};
use keiin_eventlog::tiles::Tile;
use keiin_eventlog::verify::{Options, verify};
use keiin_formats::csv;
use keiin_projections::cursor;
use keiin_projections::event::Place;
use keiin_projections::member::Colleague;
use uuid::Uuid;

pub use self::seeds::seeds;

/// A decoder: takes any bytes and must not panic.
pub type Target = fn(&[u8]);

/// Every decoder by name; the fuzzer has one program for each.
pub const TARGETS: &[(&str, Target)] = &[
    ("leaf", leaf),
    ("bundle", bundle),
    ("checkpoint", checkpoint),
    ("note", note),
    ("proof", proof),
    ("verifier_key", verifier_key),
    ("tile_path", tile_path),
    ("clear_body", clear_body),
    ("sealed_body", sealed_body),
    ("envelope", envelope_),
    ("event", event),
    ("cluster_event", cluster_event),
    ("cursor", cursor_),
    ("feed_cursor", feed_cursor),
    ("http_body", http_body),
    ("form", form),
    ("multipart", multipart),
    ("clients_csv", clients_csv),
    ("visits_csv", visits_csv),
];

/// Runs one by name.
pub fn run(target: &str, bytes: &[u8]) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).expect("a known target");
    run(bytes);
}

const LEDGER: Uuid = Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_000a);
const CURSOR_KEY: [u8; 32] = [9; 32];

fn key() -> Key {
    Key::new([5; 32])
}

fn body_key() -> BodyKey {
    BodyKey::new(&key(), LEDGER, 1)
}

fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(&[1; 32])
}

fn origin() -> Origin {
    Origin::new("log.example.jp", LEDGER, 1).expect("an origin")
}

fn leaf(bytes: &[u8]) {
    if let Ok(leaf) = Leaf::decode(bytes) {
        assert_eq!(leaf.encode(), bytes);
    }
}

fn bundle(bytes: &[u8]) {
    let key = VerifierKey::new(&origin().to_string(), signer().public()).expect("a key");
    let report = verify(bytes, &Options { keys: vec![key], deep: true, ..Options::default() });
    assert!(report.reason.is_some() || report.events > 0);
    if let Ok(mut reader) = Reader::new(bytes) {
        let mut entry = Entry::default();
        while let Ok(true) = reader.read(&mut entry) {
            leaf(&entry.leaf);
        }
    }
}

fn checkpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.text(), text);
    }
    if let Ok(origin) = text.parse::<Origin>() {
        assert_eq!(origin.to_string(), text);
    }
}

fn note(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let key = VerifierKey::new(&origin().to_string(), signer().public()).expect("a key");
        let _ = Checkpoint::open(&note, &[key]);
    }
}

fn proof(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(proof) = text.parse::<Proof>() {
        assert_eq!(proof.to_string(), text);
        let _ = proof.verify(&Hash::of_leaf(bytes), &[]);
    }
}

fn verifier_key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
}

fn tile_path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(tile) = text.parse::<Tile>() {
        assert_eq!(tile.to_string(), text);
    }
}

/// The first byte chooses the kind.
fn clear_body(bytes: &[u8]) {
    const KINDS: [&str; 6] = ["opened", "key_rotated", "key_replaced", "restored", "subject_erased", "closed"];
    let Some((which, body)) = bytes.split_first() else { return };
    let kind = format!("ledger.{}", KINDS[usize::from(*which) % KINDS.len()]);
    if let Ok(clear) = Clear::parse(&kind, 1, body) {
        assert_eq!((clear.kind(), &clear.encode()[..]), (&kind[..], body));
    }
}

fn sealed_leaf() -> Leaf {
    Leaf::decode(&seeds::ledger()[1].leaf).expect("a leaf")
}

/// A body, a personal value and a wrapped key: all of them boxes.
fn sealed_body(bytes: &[u8]) {
    let leaf = sealed_leaf();
    if let Ok(text) = seal::open_body(&body_key(), &leaf, bytes) {
        let salt = seal::salt_of(bytes).expect("an opened box has a salt");
        let again = seal::seal_body(&body_key(), BodyPlace::of(&leaf), &salt, &text).expect("sealed");
        assert_eq!(again, bytes);
        assert_eq!(
            seal::open_disclosed(&seal::disclose(&body_key(), &leaf, bytes).expect("disclosed"), &leaf, bytes),
            Ok(text)
        );
    }
    let subject = SubjectKeyId { ledger: LEDGER, subject: Uuid::from_u128(3), version: 1 };
    let _ = seal::open_value(&key(), subject, bytes);
    let name = KeyName { key_type: KeyType::Data, ledger: LEDGER, id: LEDGER, version: 1 };
    let _ = seal::unwrap_key(&key(), name, bytes);
    let _ = seal::open_chunk(&key(), 0, true, bytes);
}

fn envelope_(bytes: &[u8]) {
    if let Some((context, event)) = envelope::read(bytes) {
        assert_eq!(envelope::write(context.as_ref(), event), bytes);
    }
}

/// The first two bytes choose the kind and version among all that there are.
fn event(bytes: &[u8]) {
    struct Try<'a> {
        which: usize,
        bytes: &'a [u8],
    }
    impl Visit for Try<'_> {
        fn aggregate<A: Aggregate>(&mut self) {
            let kinds = A::Event::KINDS;
            if let Some((kind, version)) = kinds.get(self.which) {
                let stored = Stored { kind: (*kind).to_owned(), version: *version, bytes: self.bytes.to_vec() };
                if let Ok(event) = A::Event::read(&stored)
                    && event.kind() == *kind
                    && event.store().version == *version
                {
                    assert_eq!(event.store().bytes, self.bytes);
                }
            }
            self.which = self.which.wrapping_sub(kinds.len());
        }
    }
    let Some((which, bytes)) = bytes.split_first_chunk() else { return };
    catalog(&mut Try { which: usize::from(u16::from_be_bytes(*which)) % kinds().len(), bytes });
}

/// Every (kind, version) of an event, in the order of the catalog.
fn kinds() -> Vec<(&'static str, u16)> {
    struct Collect(Vec<(&'static str, u16)>);
    impl Visit for Collect {
        fn aggregate<A: Aggregate>(&mut self) {
            self.0.extend(A::Event::KINDS);
        }
    }
    let mut all = Collect(vec![]);
    catalog(&mut all);
    all.0
}

fn cursor_(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some((since, id)) = cursor::open(&CURSOR_KEY, text) {
        assert_eq!(cursor::seal(&CURSOR_KEY, since, &id), text);
    }
}

fn feed_cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(place) = Place::of_cursor(&CURSOR_KEY, LEDGER, text) {
        assert_eq!(place.cursor(&CURSOR_KEY, LEDGER), text);
    }
}

/// An event of a cluster's stream. The first byte says how much of the end is its metadata.
fn cluster_event(bytes: &[u8]) {
    let Some((metadata, bytes)) = bytes.split_first() else { return };
    let (data, metadata) = bytes.split_at(bytes.len().saturating_sub(usize::from(*metadata)));
    if let Some(record) = framed::read(data, metadata) {
        assert_eq!(framed::write(&record), (data.to_vec(), metadata.to_vec()));
        leaf(&record.leaf);
    }
}

/// The first two bytes choose the command.
fn http_body(bytes: &[u8]) {
    struct Try<'a> {
        which: usize,
        body: &'a [u8],
    }
    impl Visit for Try<'_> {
        fn command<C: Command>(&mut self) {
            if self.which == 0 {
                let _ = keiin::json::read::<C>(self.body);
            }
            self.which = self.which.wrapping_sub(1);
        }
    }
    let Some((which, body)) = bytes.split_first_chunk() else { return };
    catalog(&mut Try { which: usize::from(u16::from_be_bytes(*which)) % commands(), body });
    if let Ok(value) = keiin::json::strict_or_empty(body)
        && !body.is_empty()
    {
        // Whatever is accepted is the same again: one reading only.
        let again = value.to_string();
        assert_eq!(keiin::json::strict_or_empty(again.as_bytes()).ok(), Some(value));
    }
}

/// A form of the console, and the JSON that it becomes.
fn form(bytes: &[u8]) {
    let fields = console::pairs(bytes);
    let again = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    assert_eq!(console::pairs(again.as_bytes()), fields);
    if let Ok(value) = console::nested(&fields) {
        assert_eq!(keiin::json::strict_or_empty(value.to_string().as_bytes()).ok(), Some(value));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = keiin::api::query_string(text);
    }
}

/// Largest form with files that is read here.
const FORM_MAX: usize = 64 << 10;

/// A form with files: the first line is its media type, with the boundary. In one piece or in many it is the same form.
fn multipart(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (kind, body) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Ok(head) = Request::builder().header(CONTENT_TYPE, kind).body(()) else { return };
    let head = head.into_parts().0;
    let read = |body: Body| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(upload::form(&head, body, FORM_MAX)).map_err(|problem| problem.code)
    };
    let whole = read(Body::from(body.to_vec()));
    let pieces: Vec<_> = body.chunks(7).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let pieced = read(Body::from_stream(futures_util::stream::iter(pieces)));
    assert_eq!(format!("{whole:?}"), format!("{pieced:?}"));
}

fn clients_csv(bytes: &[u8]) {
    table(bytes);
    if let Ok(rows) = client_import::sheet::read(bytes) {
        for row in &rows.rows {
            let (mut client, _) = client_import::sheet::client(&rows, row);
            client_import::sheet::COLUMNS.iter().for_each(|column| {
                client_import::sheet::mend(&mut client, column.field);
            });
        }
    }
}

fn visits_csv(bytes: &[u8]) {
    table(bytes);
    let colleague = Colleague { id: Uuid::from_u128(1), name: "佐藤 健".into(), email: "ken@example.jp".into() };
    let members = visit_import::sheet::Directory::new(vec![colleague], None);
    if let Ok(rows) = visit_import::sheet::read(bytes) {
        for row in &rows.rows {
            let mut read = visit_import::sheet::visit(&rows, row, &members);
            visit_import::sheet::COLUMNS.iter().for_each(|column| {
                visit_import::sheet::mend(&mut read.visit, column.field);
            });
        }
    }
}

/// What was read of a table is read again when it is written.
fn table(bytes: &[u8]) {
    // A second byte order mark would be the first one then.
    let is_marked = |rows: &[Vec<String>]| rows.first().is_some_and(|row| row[0].starts_with('\u{feff}'));
    if let Ok((_, rows)) = csv::read(bytes)
        && !is_marked(&rows)
    {
        let cells = |row: &Vec<String>| row.iter().cloned().map(csv::Cell::Text).collect();
        let table = csv::Table {
            columns: rows.first().cloned().unwrap_or_default(),
            rows: rows.iter().skip(1).map(cells).collect(),
        };
        let again = csv::read(&table.write(csv::Encoding::Utf8).bytes).map(|(_, rows)| rows);
        assert!(again.as_ref() == Ok(&rows) || rows.is_empty(), "{rows:?} becomes {again:?}");
    }
}

fn commands() -> usize {
    struct Count(usize);
    impl Visit for Count {
        fn command<C: Command>(&mut self) {
            self.0 += 1;
        }
    }
    let mut all = Count(0);
    catalog(&mut all);
    all.0
}
