//! Everything that reads bytes from outside, as one function each: for the fuzzer (`tests/fuzz`) and, with a corpus of good
//! bytes and seeded changes to them, for every run of the tests (`tests/faults/decoders.rs`).
//!
//! A target panics when a decoder does, and when it accepts what its own encoder would not have written: no two byte
//! strings may mean the same.

use keiin_domain::catalog::{Visit, catalog};
use keiin_domain::command::{Aggregate, Command};
use keiin_domain::envelope;
use keiin_domain::event::{Event, Stored};
use keiin_eventlog::bundle::{Entry, Header, Reader, Writer};
use keiin_eventlog::checkpoint::{Checkpoint, Origin};
use keiin_eventlog::clear::Clear;
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::proof::Proof;
use keiin_eventlog::record::{Hash, Leaf, Party, Record, Stream};
use keiin_eventlog::seal::{self, BodyKey, BodyPlace, Key, KeyName, KeyType, SubjectKeyId};
use keiin_eventlog::sign::{Commit, Ed25519Signer, Signer};
use keiin_eventlog::sql::Value;
use keiin_eventlog::tiles::Tile;
use keiin_eventlog::tree::Frontier;
use keiin_eventlog::verify::{Options, verify};
use keiin_projections::cursor;
use uuid::Uuid;

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
    ("cursor", cursor_),
    ("http_body", http_body),
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
    Leaf::decode(&ledger()[1].leaf).expect("a leaf")
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

/// The first byte chooses the command.
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
    let Some((which, body)) = bytes.split_first() else { return };
    catalog(&mut Try { which: usize::from(*which) % commands(), body });
    if let Ok(value) = keiin::json::strict_or_empty(body)
        && !body.is_empty()
    {
        // Whatever is accepted is the same again: one reading only.
        let again = value.to_string();
        assert_eq!(keiin::json::strict_or_empty(again.as_bytes()).ok(), Some(value));
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

// ---- Good bytes to begin with

/// A small ledger: opened, two sealed records in one commit, closed.
fn ledger() -> Vec<Record> {
    let (signer, mut prev, mut records) = (signer(), Hash::ZERO, vec![]);
    let opened = Clear::Opened { origin: origin(), signer: signer.public(), recovery: None };
    let bodies = [opened.encode(), sealed(1), sealed(2), Clear::Closed.encode()];
    let kinds = ["ledger.opened", "thing.happened", "thing.happened", "ledger.closed"];
    for (position, (body, kind)) in (0..).zip(bodies.into_iter().zip(kinds)) {
        let clear = kind.starts_with("ledger.");
        let stream = if clear { Stream::new("ledger", LEDGER) } else { Stream::new("thing", Uuid::from_u128(4)) };
        let leaf = Leaf {
            sealed_epoch: (!clear).then_some(1),
            time_went_back: false,
            generation: 1,
            event_version: 1,
            position,
            ledger: LEDGER,
            prev,
            time_us: 1_700_000_000_000_000 + position,
            append_id: Uuid::from_u128(u128::from(21 + position)),
            index: 0,
            count: 1,
            cause: None,
            stream,
            stream_version: [0, 0, 1, 1][position as usize],
            actor: if clear { Party::SYSTEM } else { Party { kind: 2, id: Uuid::from_u128(33) } },
            on_behalf_of: None,
            body_len: body.len() as u32,
            body_hash: Hash::of(&body),
            event_kind: kind.to_owned(),
        };
        let leaf = leaf.encode();
        prev = Hash::of_leaf(&leaf);
        let first = if position == 2 { 1 } else { position };
        let commit = Commit { ledger: LEDGER, generation: 1, first, last: position, last_hash: prev };
        let signature = (position != 1).then(|| signer.sign(&commit.message()));
        records.push(Record { leaf, body: Some(body), signature });
    }
    records
}

fn sealed(n: u8) -> Vec<u8> {
    let place = BodyPlace { ledger: LEDGER, event_version: 1, event_kind: "thing.happened" };
    seal::seal_body(&body_key(), place, &[n; 16], b"what happened").expect("sealed")
}

/// Good bytes for a target: where a fuzzer, or a seeded change, begins.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let records = ledger();
    let mut tree = Frontier::new();
    records.iter().for_each(|record| tree.append(record.hash()));
    let last = Checkpoint { origin: origin().to_string(), size: records.len() as u64, root: tree.root() };
    let signed = last.sign(&signer()).expect("signed");
    match target {
        "leaf" => records.into_iter().map(|record| record.leaf).collect(),
        "bundle" => {
            let header = Header { opened: false, first: 0, count: records.len() as u64 };
            let mut writer = Writer::new(vec![], header, &signed, None).expect("a bundle");
            records.iter().for_each(|record| writer.record(record, None).expect("a record"));
            vec![writer.finish().expect("whole")]
        }
        "checkpoint" => vec![last.text().into_bytes(), last.origin.into_bytes()],
        "note" => vec![signed.to_string().into_bytes()],
        "proof" => {
            let path = vec![records[0].hash(), records[1].hash()];
            let proof = |extra| Proof { extra, index: 2, path: path.clone(), checkpoint: signed.clone() };
            [None, Some(b"extra".to_vec())].into_iter().map(|extra| proof(extra).to_string().into_bytes()).collect()
        }
        "verifier_key" => {
            vec![VerifierKey::new(&last.origin, signer().public()).expect("a key").to_string().into_bytes()]
        }
        "tile_path" => {
            ["tile/0/x001/234.p/5", "tile/data/000", "tile/1/000"].map(|path| path.as_bytes().to_vec()).into()
        }
        "clear_body" => {
            let rotated = Clear::KeyRotated { signer: signer().public() };
            let erased = Clear::SubjectErased { subject: Uuid::from_u128(8) };
            let restored = Clear::Restored { origin: origin(), lost_size: 9, lost_root: last.root };
            let replaced = Clear::KeyReplaced { signer: signer().public(), proof: [7; 64] };
            let opened = Clear::Opened { origin: origin(), signer: signer().public(), recovery: Some([3; 32]) };
            let all = [opened, rotated, replaced, restored, erased, Clear::Closed];
            (0..).zip(all).map(|(n, clear)| [&[n][..], &clear.encode()].concat()).collect()
        }
        "sealed_body" => vec![sealed(1), sealed(2)],
        "envelope" => {
            let context = envelope::ContextV1 { reason: "理由".into(), ..Default::default() };
            vec![envelope::write(Some(&context), b"event"), envelope::write(None, b"event")]
        }
        "event" => golden(),
        "cursor" => [Value::Integer(7), Value::Blob(vec![1; 16])]
            .iter()
            .map(|id| cursor::seal(&CURSOR_KEY, 1_700_000_000_000_000, id).into_bytes())
            .collect(),
        "http_body" => (0..commands() as u8).map(|n| [&[n], HTTP_BODY.as_bytes()].concat()).collect(),
        _ => vec![],
    }
}

/// A bit of every kind of field that commands have.
const HTTP_BODY: &str = r#"{"name":"株式会社ミナト","email":"a@example.jp","role":"member","amount":{"amount":109978,"currency":"JPY"},"lines":[{"description":"\u5951\u5370","quantity":"1.5","unit_price":"1000","tax_rate":"10"}],"date":"2026-11-21","starts_at":"2026-11-21T00:00:00Z","honorific":"onchu","id":"0193a000-0000-7000-8000-000000000001","flag":true}"#;

/// The frozen bytes of every event, each behind the two bytes that choose its kind.
fn golden() -> Vec<Vec<u8>> {
    let folder = crate::root().join("domain/golden");
    let read = |(n, (kind, version)): (u16, (&str, u16))| {
        let text = std::fs::read_to_string(folder.join(format!("{kind}.v{version}.hex"))).ok()?;
        let bytes = hex::decode(text.lines().next()?.trim()).ok()?;
        Some([&n.to_be_bytes()[..], &bytes].concat())
    };
    (0..).zip(kinds()).filter_map(read).collect()
}
