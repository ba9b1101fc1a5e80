//! What `verify` accepts, and what it then says it could not establish. Refusals are in `tamper.rs`.

mod book;

use book::{Book, check, key, render};
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::sign::Signer;
use keiin_eventlog::tamper::tamper;
use keiin_eventlog::verify::{Gap, MaxAge, Options, Report, Verdict};

fn gaps(report: &Report) -> Vec<String> {
    assert_eq!((report.verdict, &report.reason), (Verdict::Verified, &None), "{report:?}");
    report.not_established.iter().map(Gap::to_string).collect()
}

fn refused(report: &Report, verdict: Verdict, position: Option<u64>, reason: &str) {
    assert_eq!((report.verdict, report.first_bad_position), (verdict, position), "{report:?}");
    assert!(report.reason.as_ref().is_some_and(|given| given.contains(reason)), "{report:?}");
}

#[test]
fn a_whole_ledger_is_verified_and_the_open_ends_are_named() {
    let book = Book::of_size(1, 1, 50);
    let report = check(&book.bundle(), &Options::default());
    assert_eq!(gaps(&report), ["key_pinned", "newest_key_pinned", "commit_signatures", "witnessed"]);
    assert_eq!((report.events, report.size, report.first_bad_position), (50, 50, None));
    assert_eq!(report.commits, book.ends.len() as u64);
    assert_eq!(report.signatures, 2, "the first and the last commit");

    let report = check(&book.bundle(), &book.options());
    assert_eq!(gaps(&report), ["witnessed"]);
    assert_eq!(report.signatures, book.ends.len() as u64);
}

#[test]
fn the_signer_is_followed_through_every_change() {
    let book = Book::eventful();
    for seed in [1, 2, 3] {
        let options = Options { keys: vec![book.vkey(seed)], deep: true, ..Options::default() };
        let open = if seed == 3 { vec!["witnessed"] } else { vec!["newest_key_pinned", "witnessed"] };
        assert_eq!(gaps(&check(&book.bundle(), &options)), open, "signer {seed}");
        let shallow = Options { deep: false, ..options };
        assert_eq!(check(&book.bundle(), &shallow).verdict, Verdict::Verified, "signer {seed}");
    }
    let stranger = Options { keys: vec![book.vkey(9)], ..Options::default() };
    refused(&check(&book.bundle(), &stranger), Verdict::Refuted, None, "none of the given keys has signed");
    let elsewhere = VerifierKey::new("log.example.jp/018f0000-0000-7000-8000-00000000ffff", key(3).public()).unwrap();
    let elsewhere = Options { keys: vec![elsewhere], ..Options::default() };
    refused(&check(&book.bundle(), &elsewhere), Verdict::Refuted, None, "none of the given keys has signed");
}

#[test]
fn every_part_between_two_commits_is_verified_against_the_checkpoint() {
    let book = Book::eventful();
    let mut starts = vec![0];
    starts.extend(&book.ends);
    for (n, first) in starts.iter().enumerate() {
        for end in &starts[n + 1..] {
            let report = check(&book.part(*first, *end, book.size()), &book.options());
            assert_eq!(gaps(&report), ["witnessed"], "{first} to {end}");
            assert_eq!((report.events, report.size), (end - first, book.size()));
        }
    }
}

#[test]
fn earlier_checkpoints_must_fit() {
    let book = Book::of_size(1, 1, 50);
    let with = |checkpoints: Vec<Note>| Options { checkpoints, ..book.options() };
    for size in 0..=50 {
        assert_eq!(check(&book.bundle(), &with(vec![book.checkpoint(size)])).verdict, Verdict::Verified, "{size}");
    }
    let many = with(vec![book.checkpoint(7), book.checkpoint(50), book.checkpoint(7), book.checkpoint(1)]);
    assert_eq!(check(&book.bundle(), &many).verdict, Verdict::Verified);

    let mut longer = book.clone();
    longer.commit(&[1, 3]);
    let newer = with(vec![longer.checkpoint(54)]);
    refused(&check(&book.bundle(), &newer), Verdict::Refuted, None, "rolled back or cut off");
    let other = with(vec![Book::of_size(1, 2, 50).checkpoint(20)]);
    refused(&check(&book.bundle(), &other), Verdict::Refuted, None, "rewritten");
    let foreign = with(vec![Book::of_size(2, 1, 50).checkpoint(20)]);
    refused(&check(&book.bundle(), &foreign), Verdict::Refuted, None, "of another log");

    let part = book.part(book.ends[5], book.ends[9], 50);
    for at in [book.ends[5], book.ends[9], 50] {
        assert_eq!(check(&part, &with(vec![book.checkpoint(at)])).verdict, Verdict::Verified, "{at}");
    }
    for at in [book.ends[5] - 1, book.ends[9] + 1] {
        let report = check(&part, &with(vec![book.checkpoint(at)]));
        refused(&report, Verdict::Unusable, None, "ask for an export of the whole ledger");
    }
}

#[test]
fn wishes_are_kept() {
    let book = Book::of_size(1, 1, 50);
    let newest_us = 1_700_000_000_000_000 + 1_000_000 * 30;
    let wish = |change: &dyn Fn(&mut Options)| {
        let mut options = book.options();
        change(&mut options);
        check(&book.bundle(), &options)
    };
    assert_eq!(wish(&|o| o.min_size = Some(50)).verdict, Verdict::Verified);
    refused(&wish(&|o| o.min_size = Some(51)), Verdict::Refuted, None, "fewer records");
    let age = |now_us, at_most_us| Some(MaxAge { now_us, at_most_us });
    assert_eq!(wish(&|o| o.max_age = age(newest_us, 60_000_000)).verdict, Verdict::Verified);
    refused(&wish(&|o| o.max_age = age(newest_us + 90_000_000, 60_000_000)), Verdict::Refuted, None, "newest record");
    refused(&wish(&|o| o.max_age = age(newest_us - 90_000_000, 60_000_000)), Verdict::Refuted, None, "newest record");
    assert_eq!(wish(&|o| o.origin = Some(book.origin().to_string())).verdict, Verdict::Verified);
    refused(&wish(&|o| o.origin = Some("log.example.jp".to_owned())), Verdict::Refuted, None, "another origin");
    assert_eq!(wish(&|o| o.require = vec![Gap::KeyPinned, Gap::CommitSignatures]).verdict, Verdict::Verified);
    let report = wish(&|o| o.require = vec![Gap::Witnessed]);
    refused(&report, Verdict::Refuted, None, "required, but not established: witnessed");
    assert_eq!(report.not_established, [Gap::Witnessed]);
    assert_eq!("key_pinned".parse(), Ok(Gap::KeyPinned));
    assert!("keys".parse::<Gap>().is_err());
}

#[test]
fn bodies_may_be_gone_after_the_end_and_only_all_of_them() {
    let mut book = Book::of_size(1, 1, 30);
    let without = |book: &Book, which: &dyn Fn(usize) -> bool| {
        let mut book = book.clone();
        for (at, record) in book.records.iter_mut().enumerate() {
            let clear = at == 0 || at == 30;
            if !clear && which(at) {
                record.body = None;
            }
        }
        book
    };
    let open = without(&book, &|at| at == 7);
    refused(&check(&open.bundle(), &book.options()), Verdict::Refuted, Some(7), "not closed");
    book.close();
    assert_eq!(gaps(&check(&without(&book, &|_| true).bundle(), &book.options())), ["bodies", "witnessed"]);
    assert_eq!(gaps(&check(&book.bundle(), &book.options())), ["witnessed"]);
    let some = without(&book, &|at| at > 7);
    refused(&check(&some.bundle(), &book.options()), Verdict::Refuted, Some(8), "only as a whole");
    let (first, end) = (book.ends[3], book.ends[6]);
    let part = without(&book, &|_| true).part(first, end, 31);
    assert_eq!(gaps(&check(&part, &book.options())), ["bodies", "witnessed"]);
}

#[test]
fn opened_events_are_opened_again() {
    let book = Book::of_size(1, 1, 20);
    assert_eq!(gaps(&check(&book.opened(), &book.options())), ["witnessed", "opened_json"]);
    let reading = Options { render: Some(&render), ..book.options() };
    assert_eq!(gaps(&check(&book.opened(), &reading)), ["witnessed"]);
    let bytes = book.opened();
    let text = b"\"event 0 of ";
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    let mut other = bytes.clone();
    other[at + 7] = b'9';
    refused(&check(&other, &reading), Verdict::Refuted, Some(1), "not what the body says");
    let mut other = bytes;
    other[at - 10] ^= 1;
    refused(&check(&other, &reading), Verdict::Refuted, Some(1), "the key does not belong");
}

#[test]
fn a_flipped_byte_is_named() {
    let book = Book::of_size(1, 1, 50);
    for position in [None, Some(0), Some(17), Some(49)] {
        let mut out = vec![];
        let flipped = tamper(&book.bundle()[..], &mut out, position).unwrap();
        assert_eq!(flipped.position, position.unwrap_or(25));
        assert_eq!(out.iter().zip(book.bundle()).filter(|(a, b)| **a != *b).count(), 1);
        refused(&check(&out, &Options::default()), Verdict::Refuted, Some(flipped.position), "the body was changed");
    }
    let error = tamper(&book.bundle()[..], std::io::sink(), Some(50)).unwrap_err();
    assert_eq!(error.to_string(), "the bundle holds positions 0 to 49, not 50");
}

#[test]
fn what_is_no_bundle_is_unusable() {
    for bytes in [&b""[..], b"KEIIN", b"%PDF-1.7 and so on", b"keiin1\n"] {
        refused(&check(bytes, &Options::default()), Verdict::Unusable, None, "not a Keiin bundle");
    }
}
