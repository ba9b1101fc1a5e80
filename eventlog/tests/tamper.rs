//! No changed byte survives, and no rearranged, cut, spliced or re-signed ledger does.
//!
//! The auditor holds the signer's key and checks everything. `KEIIN_TEST_LONG=1` flips every byte of the long bundle.

mod book;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use book::{Book, check, key};
use keiin_eventlog::bundle::{At, BundleError, Entry, Header, Reader, Writer};
use keiin_eventlog::checkpoint::{Checkpoint, Origin};
use keiin_eventlog::clear::Clear;
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::record::{Hash, Leaf, Record};
use keiin_eventlog::sign::{Commit, Signer};
use keiin_eventlog::tree;
use keiin_eventlog::verify::{Options, Report, Verdict};

/// Where each record's frame lies in a whole bundle, and the bytes of its framing: lengths and signature mark.
fn frames(bundle: &[u8]) -> Vec<(Range<usize>, Vec<usize>)> {
    let size = |at: usize, width: usize| bundle[at..at + width].iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
    let mut at = 24;
    for _section in ["checkpoint", "evidence"] {
        at += 4 + size(at, 4);
    }
    let mut frames = vec![];
    while at < bundle.len() {
        let body = at + 2 + size(at, 2);
        let mark = body + 4 + if bundle[body] == 0xff { 0 } else { size(body, 4) };
        let end = mark + 1 + usize::from(bundle[mark]) * 64;
        let framing = [at, at + 1].into_iter().chain(body..body + 4).chain([mark]).collect();
        frames.push((at..end, framing));
        at = end;
    }
    frames
}

/// Counts of what a run of flips came to.
#[derive(Default)]
struct Tally {
    flips: AtomicUsize,
    refuted: AtomicUsize,
    unusable: AtomicUsize,
    named: AtomicUsize,
    survivors: AtomicUsize,
}

/// Changes each of these bytes in two ways, one bit and all bits, and verifies each time.
fn flip(name: &str, book: &Book, bundle: &[u8], bytes: &[usize]) {
    let (tally, next) = (Tally::default(), AtomicUsize::new(0));
    let frames = frames(bundle);
    let work = || {
        let (mut bundle, options) = (bundle.to_vec(), book.options());
        let add = |counter: &AtomicUsize| counter.fetch_add(1, Ordering::Relaxed);
        while let Some(at) = bytes.get(add(&next)) {
            for mask in [1 << (at % 8), 0xff] {
                bundle[*at] ^= mask;
                let report = check(&bundle, &options);
                bundle[*at] ^= mask;
                add(&tally.flips);
                match report.verdict {
                    Verdict::Refuted => add(&tally.refuted),
                    Verdict::Unusable => add(&tally.unusable),
                    Verdict::Verified => add(&tally.survivors),
                };
                let within = frames.iter().position(|(frame, _)| frame.contains(at));
                if report.first_bad_position.is_some() && report.first_bad_position == within.map(|p| p as u64) {
                    add(&tally.named);
                }
                assert_ne!(report.verdict, Verdict::Verified, "byte {at} ^ {mask:#x} survived");
                assert_eq!(report.verdict == Verdict::Unusable, *at < 7, "byte {at}: {report:?}");
                // A broken frame may be noticed one record later; anything else names the record itself.
                let framing = |frame: &(Range<usize>, Vec<usize>)| frame.1.contains(at);
                if let Some(position) = within.filter(|p| !framing(&frames[*p])) {
                    assert_eq!(report.first_bad_position, Some(position as u64), "byte {at} ^ {mask:#x}: {report:?}");
                }
            }
        }
    };
    thread::scope(|scope| {
        (0..thread::available_parallelism().map_or(2, usize::from)).for_each(|_| drop(scope.spawn(work)));
    });
    let [flips, refuted, unusable, named, survivors] =
        [tally.flips, tally.refuted, tally.unusable, tally.named, tally.survivors].map(AtomicUsize::into_inner);
    println!("{name}: flips={flips} refuted={refuted} unusable={unusable} named={named} survivors={survivors}");
    assert_eq!((refuted + unusable, survivors), (flips, 0));
    assert_eq!(flips, bytes.len() * 2);
}

#[test]
fn no_flipped_byte_of_a_short_bundle_survives() {
    let book = Book::with_commits(1, 1, 50, |made| if made % 2 == 0 { vec![2, 1, 3, 1] } else { vec![1] });
    let bundle = book.bundle();
    assert_eq!(check(&bundle, &book.options()).verdict, Verdict::Verified);
    flip("50 events", &book, &bundle, &(0..bundle.len()).collect::<Vec<_>>());
}

#[test]
fn no_flipped_byte_of_a_long_bundle_survives() {
    let book = Book::with_commits(1, 1, 1_000, |_| [1, 2, 3].repeat(20));
    let bundle = book.bundle();
    assert_eq!(check(&bundle, &book.options()).verdict, Verdict::Verified);
    let bytes = if std::env::var("KEIIN_TEST_LONG").is_ok_and(|v| v == "1") {
        (0..bundle.len()).collect()
    } else {
        let framing = frames(&bundle).into_iter().flat_map(|(_, framing)| framing);
        let before = 0..frames(&bundle)[0].0.start;
        let mut some: Vec<usize> = before.chain((0..bundle.len()).step_by(97)).chain(framing).collect();
        some.sort_unstable();
        some.dedup();
        some
    };
    flip("1,000 events", &book, &bundle, &bytes);
}

/// Who signs anew after a change, and what.
#[derive(Clone, Copy)]
enum Signs {
    /// Somebody without any key: the old signatures and the old checkpoint stay.
    Nobody,
    /// This key, every commit and the checkpoint.
    Key(u8),
}

/// The ledger after a change to its records, its links mended from the first change on, as a bundle.
fn forged(book: &Book, signs: Signs, change: impl FnOnce(&mut Vec<Record>)) -> Vec<u8> {
    let mut forged = book.clone();
    change(&mut forged.records);
    let (mut prev, mut first) = (Hash::ZERO, 0);
    for (at, record) in forged.records.iter_mut().enumerate() {
        let mut leaf = Leaf::decode(&record.leaf).unwrap();
        (leaf.position, leaf.prev) = (at as u64, prev);
        record.leaf = leaf.encode();
        prev = record.hash();
        if let (Some(signature), Signs::Key(seed)) = (&mut record.signature, signs) {
            let (ledger, generation, last) = (leaf.ledger, leaf.generation, leaf.position);
            *signature = key(seed).sign(&Commit { ledger, generation, first, last, last_hash: prev }.message());
        }
        first = if record.signature.is_some() { leaf.position + 1 } else { first };
    }
    match signs {
        Signs::Nobody => bundle_of(&forged.records, &book.checkpoint(book.size())),
        Signs::Key(seed) => {
            forged.signer = seed;
            bundle_of(&forged.records, &forged.checkpoint(forged.size()))
        }
    }
}

/// Records as they are, with this checkpoint.
fn bundle_of(records: &[Record], checkpoint: &Note) -> Vec<u8> {
    let header = Header { opened: false, first: 0, count: records.len() as u64 };
    let mut writer = Writer::new(vec![], header, checkpoint, None).unwrap();
    records.iter().for_each(|record| writer.record(record, None).unwrap());
    writer.finish().unwrap()
}

fn change_leaf(record: &mut Record, change: impl FnOnce(&mut Leaf)) {
    let mut leaf = Leaf::decode(&record.leaf).unwrap();
    change(&mut leaf);
    record.leaf = leaf.encode();
}

fn refuted(report: &Report, position: impl Into<Option<u64>>, reason: &str) {
    assert_eq!((report.verdict, report.first_bad_position), (Verdict::Refuted, position.into()), "{report:?}");
    assert!(report.reason.as_ref().is_some_and(|given| given.contains(reason)), "{report:?}");
}

fn shallow(book: &Book) -> Options<'static> {
    Options { deep: false, ..book.options() }
}

/// 40 records. One commit is positions 20 to 23: an append of one record and one of three.
fn book() -> Book {
    let mut book = Book::open(1, 1);
    (0..6).for_each(|_| book.commit(&[1, 2]));
    book.commit(&[1]);
    book.commit(&[1, 3]);
    (0..8).for_each(|_| book.commit(&[2]));
    assert_eq!((book.size(), book.ends[6]), (40, 19));
    book
}

#[test]
fn a_file_cut_anywhere_is_refuted() {
    let book = book();
    let bundle = book.bundle();
    for (position, (frame, _)) in frames(&bundle).into_iter().enumerate() {
        for end in [frame.start, frame.start + 1, frame.end - 1] {
            refuted(&check(&bundle[..end], &book.options()), position as u64, "cut off");
        }
    }
    refuted(&check(&[&bundle[..], b"\n"].concat(), &book.options()), 40, "bytes after the last record");
}

#[test]
fn dropped_doubled_and_swapped_records_are_named() {
    let book = book();
    let old = book.checkpoint(40);
    let with = |change: &dyn Fn(&mut Vec<Record>)| {
        let mut records = book.records.clone();
        change(&mut records);
        check(&bundle_of(&records, &old), &shallow(&book))
    };
    refuted(&with(&|records| drop(records.remove(21))), None, "a part of the ledger and no evidence");
    refuted(&with(&|records| records.insert(21, records[20].clone())), None, "more records than its checkpoint covers");
    refuted(&with(&|records| records[21] = records[20].clone()), 21, "position 20 where 21 belongs");
    refuted(&with(&|records| records.swap(20, 21)), 20, "position 21 where 20 belongs");
    let shortened = |records: &mut Vec<Record>| {
        records.remove(21);
        records.push(records[38].clone());
    };
    refuted(&with(&shortened), 21, "position 22 where 21 belongs");
    refuted(&with(&|records| records[21].body = records[22].body.clone()), 21, "the body");
    refuted(&with(&|records| records[21].signature = records[23].signature), 21, "inside an append");
}

#[test]
fn a_record_of_another_ledger_is_named() {
    let (book, other) = (book(), Book::of_size(2, 1, 40));
    let mut records = book.records.clone();
    records[21] = other.records[21].clone();
    refuted(&check(&bundle_of(&records, &book.checkpoint(40)), &shallow(&book)), 21, "a record of another ledger");
    let whole = bundle_of(&other.records, &other.checkpoint(40));
    refuted(&check(&whole, &book.options()), None, "none of the given keys has signed");
    let lent = bundle_of(&other.records, &book.checkpoint(40));
    refuted(&check(&lent, &book.options()), 0, "a record of another ledger");
}

#[test]
fn mended_links_do_not_help_without_the_key() {
    let book = book();
    let later =
        |records: &mut Vec<Record>| change_leaf(&mut records[21], |leaf| leaf.actor.id = uuid::Uuid::from_u128(78));
    // The append of three has one actor; its other two records follow.
    let change = |records: &mut Vec<Record>| {
        later(records);
        records[22..24].iter_mut().for_each(|r| change_leaf(r, |leaf| leaf.actor.id = uuid::Uuid::from_u128(78)));
    };
    let leaf = Leaf::decode(&book.records[21].leaf).unwrap();
    assert_eq!((leaf.index, leaf.count, book.records[23].signature.is_some()), (0, 3, true));
    let deep = check(&forged(&book, Signs::Nobody, change), &book.options());
    refuted(&deep, 23, "signature does not hold");
    // Without --deep the last commit's signature is still checked, and nothing after the change can keep its own.
    refuted(&check(&forged(&book, Signs::Nobody, change), &shallow(&book)), 39, "signature does not hold");
    let two = check(&forged(&book, Signs::Nobody, later), &book.options());
    refuted(&two, 22, "two actors in one append");
}

#[test]
fn another_key_signs_nothing_here() {
    let book = book();
    let resigned = forged(&book, Signs::Key(9), |_| ());
    refuted(&check(&resigned, &book.options()), 0, "signature does not hold");
    refuted(&check(&resigned, &Options::default()), 0, "signature does not hold");
    let reopened = Book::of_size(1, 9, 40).bundle();
    refuted(&check(&reopened, &book.options()), None, "none of the given keys has signed");
    let mut checkpoint_only = book.clone();
    checkpoint_only.signer = 9;
    let checkpoint_only = bundle_of(&book.records, &checkpoint_only.checkpoint(40));
    refuted(&check(&checkpoint_only, &Options::default()), None, "signed by none of the known keys");
}

/// Anyone can name a public key in a ledger of their own, and have a recovery key of their own take over from it.
#[test]
fn a_given_key_that_is_only_named_proves_nothing() {
    let mut book = Book::of_size(1, 9, 10);
    book.clear(&Clear::KeyRotated { signer: key(1).public() });
    book.replace(8);
    book.commit(&[1]);
    assert_eq!(check(&book.bundle(), &Options::default()).verdict, Verdict::Verified, "well formed");
    for deep in [false, true] {
        let options = Options { keys: vec![book.vkey(1)], deep, ..Options::default() };
        refuted(&check(&book.bundle(), &options), None, "none of the given keys has signed");
    }
}

#[test]
fn a_key_changes_only_by_the_old_key_or_the_recovery_key() {
    let mut book = Book::of_size(1, 1, 10);
    book.signer = 2;
    let rotation = Clear::KeyRotated { signer: key(2).public() };
    let mut by_the_new = book.clone();
    by_the_new.head.signer = key(2).public();
    by_the_new.clear(&rotation);
    refuted(&check(&by_the_new.bundle(), &Options::default()), 10, "signature does not hold");
    let false_proof = Clear::KeyReplaced { signer: key(2).public(), proof: [7; 64] };
    book.clear(&false_proof);
    refuted(&check(&book.bundle(), &Options::default()), 10, "the recovery key has not signed");

    let mut rotated = Book::of_size(1, 1, 10);
    rotated.rotate(2);
    let mut old = rotated.clone();
    old.signer = 1;
    let by_the_old = bundle_of(&rotated.records, &old.checkpoint(11));
    refuted(
        &check(&by_the_old, &Options { keys: vec![book.vkey(1)], ..Options::default() }),
        None,
        "not signed by the signer",
    );
}

#[test]
fn a_small_order_key_is_no_signer() {
    // The eight points of small order, in their usual encodings.
    let points = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    ];
    let mut book = Book::of_size(1, 1, 10);
    book.rotate(2);
    for point in points {
        let signer = hex::decode(point).unwrap().try_into().unwrap();
        let body = Clear::KeyRotated { signer }.encode();
        let weak = forged(&book, Signs::Key(1), |records| {
            let hash = Hash::of(&body);
            change_leaf(&mut records[10], |leaf| leaf.body_hash = hash);
            records[10].body = Some(body);
        });
        refuted(&check(&weak, &Options::default()), 10, "not a usable Ed25519 key");
        assert!(VerifierKey::new("log", signer).is_err());
    }
}

#[test]
fn even_the_key_cannot_break_a_rule() {
    let mut book = book();
    book.close();
    let rule = |position: u64, reason: &str, change: &dyn Fn(&mut Vec<Record>)| {
        refuted(&check(&forged(&book, Signs::Key(1), change), &book.options()), position, reason);
    };
    let leaf = |at: usize, change: &'static dyn Fn(&mut Leaf)| {
        move |records: &mut Vec<Record>| change_leaf(&mut records[at], change)
    };
    rule(21, "stream's version", &leaf(21, &|leaf| leaf.stream_version += 1));
    rule(21, "append is not complete", &leaf(20, &|leaf| leaf.count += 1));
    rule(21, "generation", &leaf(21, &|leaf| leaf.generation = 2));
    rule(21, "time flag", &leaf(21, &|leaf| leaf.time_went_back = true));
    rule(24, "two appends with one id", &|records| {
        let id = Leaf::decode(&records[23].leaf).unwrap().append_id;
        change_leaf(&mut records[24], |leaf| leaf.append_id = id);
    });
    rule(24, "an id that the ledger has already", &|records| {
        let id = Leaf::decode(&records[1].leaf).unwrap().append_id;
        change_leaf(&mut records[24], |leaf| leaf.append_id = id);
    });
    rule(0, "names another ledger", &|records| {
        let origin = Origin::new(book::LOG_NAME, uuid::Uuid::from_u128(5), 1).unwrap();
        let body = Clear::Opened { origin, signer: key(1).public(), recovery: None }.encode();
        change_leaf(&mut records[0], |leaf| (leaf.body_len, leaf.body_hash) = (body.len() as u32, Hash::of(&body)));
        records[0].body = Some(body);
    });
    rule(40, "shares its commit", &|records| records[39].signature = None);
    rule(
        40,
        "ledger's own stream",
        &leaf(40, &|leaf| (leaf.stream.kind, leaf.stream_version) = ("book".to_owned(), 0)),
    );
    rule(40, "ends inside a commit", &|records| records[40].signature = None);
    rule(41, "record after ledger.closed", &|records| {
        let mut more = records[39].clone();
        change_leaf(&mut more, |leaf| (leaf.append_id, leaf.time_us) = (uuid::Uuid::from_u128(99), leaf.time_us * 2));
        records.push(more);
    });
}

#[test]
fn two_commits_cannot_pass_for_one() {
    let book = book();
    let at = book.ends[4] as usize - 1;
    let mut records = book.records.clone();
    records[at].signature = None;
    let merged = bundle_of(&records, &book.checkpoint(40));
    refuted(&check(&merged, &book.options()), book.ends[5] - 1, "signature does not hold");
}

#[test]
fn an_old_state_is_refuted_by_whoever_knows_a_newer_one() {
    let book = book();
    let mut old = book.clone();
    old.records.truncate(book.ends[6] as usize);
    assert_eq!(check(&old.bundle(), &book.options()).verdict, Verdict::Verified, "a true statement about an old state");
    let known = Options { checkpoints: vec![book.checkpoint(40)], ..book.options() };
    refuted(&check(&old.bundle(), &known), None, "rolled back or cut off: a known checkpoint has 40 records");
    refuted(&check(&old.bundle(), &Options { min_size: Some(40), ..book.options() }), None, "fewer records");
    let mut other = Book::of_size(1, 1, old.size());
    other.commit(&[3]);
    let known = Options { checkpoints: vec![book.checkpoint(other.size())], ..book.options() };
    refuted(&check(&other.bundle(), &known), None, "rewritten");
}

#[test]
fn false_evidence_is_refuted() {
    let mut book = book();
    book.rotate(2);
    book.commit(&[1, 2, 3]);
    let (first, end) = (book.ends[3], book.ends[6]);
    let good = book.part(first, end, book.size());
    let options = Options { keys: vec![book.vkey(1)], deep: true, ..Options::default() };
    assert_eq!(check(&good, &options).verdict, Verdict::Verified);
    let rewrite = |change: &dyn Fn(&mut keiin_eventlog::bundle::Evidence)| {
        let mut reader = Reader::new(&good[..]).unwrap();
        let mut evidence = reader.evidence().unwrap().clone();
        change(&mut evidence);
        let mut writer = Writer::new(vec![], *reader.header(), reader.checkpoint(), Some(&evidence)).unwrap();
        let mut entry = Entry::default();
        while reader.read(&mut entry).unwrap() {
            writer.record(&entry.record(), None).unwrap();
        }
        check(&writer.finish().unwrap(), &options)
    };
    refuted(&rewrite(&|e| e.left[0] = Hash::ZERO), None, "do not give the checkpoint's root");
    refuted(&rewrite(&|e| e.left.truncate(1)), None, "not the subtrees before");
    refuted(&rewrite(&|e| e.right[0] = Hash::ZERO), None, "do not give the checkpoint's root");
    refuted(&rewrite(&|e| e.right.push(Hash::ZERO)), None, "do not give the checkpoint's root");
    refuted(&rewrite(&|e| drop(e.key_records.remove(0))), first, "nothing says who signs");
    refuted(&rewrite(&|e| drop(e.key_records.pop())), None, "signed by none");
    refuted(&rewrite(&|e| e.key_records.reverse()), 0, "out of order");
    refuted(&rewrite(&|e| e.key_records[1].path[0] = Hash::ZERO), 40, "not in the checkpoint's tree");
    refuted(&rewrite(&|e| e.key_records[1].record.body = None), 40, "without its body");
    refuted(&rewrite(&|e| e.key_records[1].record.signature = None), 40, "without a signature");
    refuted(&rewrite(&|e| e.key_records[1].record.signature = Some([0; 64])), 40, "signature does not hold");

    // A part that begins or ends inside a commit shows it.
    let inside = book.part(first, end - 1, book.size());
    refuted(&check(&inside, &options), end - 2, "ends inside a commit");
    let begins = check(&book.part(first + 1, end, book.size()), &options);
    assert_eq!(begins.verdict, Verdict::Refuted, "{begins:?}");
    for at in 0..good.len() {
        let mut other = good.clone();
        other[at] ^= 1;
        assert_ne!(check(&other, &options).verdict, Verdict::Verified, "byte {at}");
    }
}

#[test]
fn a_wrong_length_ends_the_reading_before_memory_is_asked_for() {
    let mut bundle = book().bundle();
    bundle[24..28].fill(0xff);
    let error = Reader::new(&bundle[..]).err().unwrap();
    assert!(matches!(error, BundleError::Broken { at: At::Checkpoint, what: "a section is too long" }), "{error:?}");
}

#[test]
fn a_checkpoint_of_another_tree_is_refuted() {
    let book = book();
    let hashes = book.hashes();
    let Ok(root) = tree::root(&hashes[..], 39);
    let wrong = Checkpoint { origin: book.origin().to_string(), size: 40, root }.sign(&key(1)).unwrap();
    refuted(&check(&bundle_of(&book.records, &wrong), &book.options()), None, "do not give the checkpoint's root");
}
