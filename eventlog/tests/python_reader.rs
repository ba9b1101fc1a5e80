//! The Python reader in `docs/reader/`, written from `docs/LOG-FORMAT.md` alone, gives the same verdicts as `verify`.

mod book;

use std::path::{Path, PathBuf};
use std::process::Command;

use book::{Book, check, key};
use keiin_eventlog::checkpoint::Checkpoint;
use keiin_eventlog::clear::Clear;
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::record::Hash;
use keiin_eventlog::sign::Signer;
use keiin_eventlog::verify::{Options, Verdict};
use serde_json::Value;

fn reader() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reader/keiin_verify.py")
}

/// Both readers on all these bundles: verdict, position, size and open ends must be equal. Gives the verdicts.
fn compare(name: &str, keys: Vec<VerifierKey>, checkpoints: Vec<Note>, bundles: &[Vec<u8>]) -> Vec<Verdict> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.arg(reader());
    for key in &keys {
        command.arg("--key").arg(key.to_string());
    }
    for (n, note) in checkpoints.iter().enumerate() {
        let path = dir.path().join(format!("checkpoint-{n}"));
        std::fs::write(&path, note.to_string()).unwrap();
        command.arg("--checkpoint").arg(path);
    }
    for (n, bundle) in bundles.iter().enumerate() {
        let path = dir.path().join(format!("{n:04}.keiin"));
        std::fs::write(&path, bundle).unwrap();
        command.arg(path);
    }
    let output = command.output().expect("python3 is needed: apt-get install python3 python3-cryptography");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("No module named"), "{errors}\napt-get install python3-cryptography");
    assert!(errors.is_empty(), "{errors}");
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), bundles.len(), "{name}");

    let options = Options { keys, checkpoints, deep: true, ..Options::default() };
    let mut verdicts = vec![];
    for (n, (bundle, theirs)) in bundles.iter().zip(lines).enumerate() {
        let ours = check(bundle, &options);
        let what = format!("{name} {n}:\n  ours   {ours:?}\n  theirs {theirs}");
        assert_eq!(theirs["verdict"], ours.verdict.to_string(), "{what}");
        assert_eq!(theirs["first_bad_position"].as_u64(), ours.first_bad_position, "{what}");
        let open: Vec<String> = ours.not_established.iter().map(ToString::to_string).collect();
        assert_eq!(theirs["not_established"], Value::from(open), "{what}");
        if ours.verdict == Verdict::Verified {
            assert_eq!(theirs["events"], ours.events, "{what}");
            assert_eq!(theirs["root"], ours.root.unwrap().to_string(), "{what}");
        }
        verdicts.push(ours.verdict);
    }
    let count = |verdict| verdicts.iter().filter(|v| **v == verdict).count();
    let (verified, refuted) = (count(Verdict::Verified), count(Verdict::Refuted));
    println!("{name}: verified={verified} refuted={refuted} unusable={}", count(Verdict::Unusable));
    verdicts
}

#[test]
fn good_bundles() {
    let book = Book::eventful();
    let mut closed = Book::of_size(1, 1, 20);
    closed.close();
    let mut emptied = closed.clone();
    emptied.records[1..20].iter_mut().for_each(|record| record.body = None);
    let (first, end) = (book.ends[3], book.ends[8]);
    let parts = [book.part(first, end, book.size()), book.part(0, end, book.size()), book.part(first, 32, book.size())];
    let parts = parts.into_iter().filter(|part| check(part, &book.options()).verdict == Verdict::Verified);
    let mut bundles = vec![book.bundle(), book.opened()];
    bundles.extend(parts);
    for keys in [vec![], vec![book.vkey(3)], vec![book.vkey(1)], vec![book.vkey(9), book.vkey(3)]] {
        let verdicts = compare("eventful", keys, vec![], &bundles);
        assert!(verdicts.len() >= 4 && verdicts.iter().all(|v| *v == Verdict::Verified));
    }
    let verdicts = compare("closed", vec![closed.vkey(1)], vec![], &[closed.bundle(), emptied.bundle()]);
    assert_eq!(verdicts, [Verdict::Verified; 2]);
    assert_eq!(compare("stranger", vec![book.vkey(9)], vec![], &[book.bundle()]), [Verdict::Refuted]);
}

#[test]
fn flipped_bytes() {
    let book = Book::eventful();
    let (first, end) = (book.ends[3], book.ends[8]);
    for (name, bundle) in
        [("whole", book.bundle()), ("opened", book.opened()), ("part", book.part(first, end, book.size()))]
    {
        let flipped = (0..bundle.len()).step_by(37).map(|at| {
            let mut other = bundle.clone();
            other[at] ^= if at % 2 == 0 { 1 << (at % 8) } else { 0xff };
            other
        });
        let flipped: Vec<Vec<u8>> = flipped.collect();
        assert!(flipped.len() >= 60);
        let verdicts = compare(name, vec![book.vkey(3)], vec![], &flipped);
        // In an opened bundle the JSON text is for people; both readers say that they have not compared it.
        assert!(name == "opened" || !verdicts.contains(&Verdict::Verified));
    }
}

#[test]
fn every_byte_of_a_short_bundle() {
    let mut book = Book::open(1, 1);
    book.commit(&[1, 2]);
    book.rotate(2);
    book.commit(&[1]);
    let bundle = book.bundle();
    let flipped: Vec<Vec<u8>> = (0..bundle.len())
        .map(|at| {
            let mut other = bundle.clone();
            other[at] ^= 1 << (at % 8);
            other
        })
        .collect();
    let verdicts = compare("every byte", vec![book.vkey(2)], vec![], &flipped);
    assert!(!verdicts.contains(&Verdict::Verified));
}

#[test]
fn cuts_rearrangements_and_false_signers() {
    let book = Book::eventful();
    let whole = book.bundle();
    let mut bundles: Vec<Vec<u8>> = (0..40).map(|n| whole[..whole.len() * n / 40].to_vec()).collect();
    bundles.push([&whole[..], b"x"].concat());
    for at in [1, 5, 12, 20, 21, 30] {
        let with = |change: &dyn Fn(&mut Book)| {
            let mut other = book.clone();
            change(&mut other);
            other.bundle()
        };
        bundles.push(with(&|b| b.records.swap(at, at - 1)));
        bundles.push(with(&|b| drop(b.records.remove(at))));
        bundles.push(with(&|b| b.records[at].signature = None));
        bundles.push(with(&|b| b.records[at].body = None));
        bundles.push(with(&|b| b.records[at] = Book::of_size(2, 1, 40).records[at].clone()));
    }
    let mut wrong_proof = Book::of_size(1, 1, 10);
    wrong_proof.signer = 3;
    wrong_proof.clear(&Clear::KeyReplaced { signer: key(3).public(), proof: [7; 64] });
    let mut only_named = Book::of_size(1, 9, 10);
    only_named.clear(&Clear::KeyRotated { signer: key(3).public() });
    only_named.replace(8);
    let mut by_another = book.clone();
    by_another.signer = 9;
    let mut twice = book.clone();
    twice.commit_again(4);
    let done_twice = check(&twice.bundle(), &book.options());
    assert_eq!(done_twice.first_bad_position, Some(book.size()), "{done_twice:?}");
    bundles.push(twice.bundle());
    bundles.extend([wrong_proof.bundle(), only_named.bundle(), by_another.bundle(), Book::of_size(1, 9, 40).bundle()]);
    bundles.retain(|bundle| *bundle != whole);
    assert!(bundles.len() >= 60);
    let verdicts = compare("rearranged", vec![book.vkey(3)], vec![], &bundles);
    assert!(!verdicts.contains(&Verdict::Verified));
}

#[test]
fn known_checkpoints() {
    let book = Book::of_size(1, 1, 40);
    let mut longer = book.clone();
    longer.commit(&[1]);
    let wrong = Checkpoint { origin: book.origin().to_string(), size: 20, root: Hash::ZERO }.sign(&key(1)).unwrap();
    let forged = book.checkpoint(17).to_string().replace("\n17\n", "\n18\n");
    let forged = Note::parse(forged.as_bytes()).unwrap();
    let bundles = [book.bundle(), book.part(book.ends[5], book.ends[9], 40)];
    for (n, note) in
        [book.checkpoint(0), book.checkpoint(17), book.checkpoint(40), longer.checkpoint(41), wrong, forged]
            .into_iter()
            .enumerate()
    {
        let verdicts = compare("checkpoint", vec![book.vkey(1)], vec![note], &bundles);
        assert_eq!(verdicts[0] == Verdict::Verified, n < 3, "{n}");
    }
}
