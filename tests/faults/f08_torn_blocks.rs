//! F8. Blocks of a file are torn, zeroed, doubled, swapped, cut off, or something else stands behind them.

use keiin_eventlog::verify::{Options, Verdict, verify};
use keiin_tests::{Seeded, long, report};

use crate::damage::{Fate, Subject, Tally, bundle};

const BLOCK: u64 = 4_096;

/// One change of blocks, and its name.
fn spoil(bytes: &mut Vec<u8>, block: u64, chance: &mut Seeded) -> String {
    let blocks = (bytes.len() as u64).div_ceil(block);
    let (a, b) = (chance.between(0, blocks - 1), chance.between(0, blocks - 1));
    let range = |n: u64| (n * block) as usize..((n + 1) * block).min(bytes.len() as u64) as usize;
    let (ra, rb) = (range(a), range(b));
    match chance.between(0, 5) {
        0 => {
            let from = ra.start + chance.between(1, 7) as usize * block as usize / 8;
            bytes[from.min(ra.end)..ra.end].fill(0);
            format!("block {a} torn at {from}")
        }
        1 => {
            bytes[ra].fill(0);
            format!("block {a} zeroed")
        }
        2 => {
            let len = ra.len().min(rb.len());
            bytes.copy_within(ra.start..ra.start + len, rb.start);
            format!("block {b} overwritten with block {a}")
        }
        3 => {
            let len = ra.len().min(rb.len());
            let (one, other) = (bytes[ra.start..ra.start + len].to_vec(), bytes[rb.start..rb.start + len].to_vec());
            bytes[ra.start..ra.start + len].copy_from_slice(&other);
            bytes[rb.start..rb.start + len].copy_from_slice(&one);
            format!("blocks {a} and {b} swapped")
        }
        4 => {
            let left = chance.between(0, bytes.len() as u64 - 1) as usize;
            bytes.truncate(left);
            format!("cut to {left} bytes")
        }
        _ => {
            let garbage: Vec<u8> = (0..chance.between(1, 9_000)).map(|_| chance.bits() as u8).collect();
            bytes.extend(&garbage);
            format!("{} bytes of garbage behind", garbage.len())
        }
    }
}

fn run(subject: &Subject, file: &str, times: usize, chance: &mut Seeded) -> (Tally, usize) {
    let (mut tally, mut rolled_back) = (Tally::default(), 0);
    for _ in 0..times {
        let copy = subject.copy();
        let mut bytes = subject.file(file);
        let what = spoil(&mut bytes, BLOCK, chance);
        std::fs::write(copy.data.join(file), bytes).expect("written");
        let fate = subject.fate(&copy.data);
        if let Fate::Refused(ledgers) = &fate {
            rolled_back += usize::from(ledgers.values().any(|why| why.contains("below the checkpoint")));
        }
        tally.add(&format!("{file}: {what}"), fate);
    }
    let Tally { changes, closed, refused, same, .. } = tally;
    report!("F8 {file} changes={changes} closed={closed} refused={refused} rolled_back={rolled_back} same={same}");
    (tally, rolled_back)
}

#[test]
fn f08_torn_zeroed_swapped_and_cut_blocks_are_refused_or_mean_nothing() {
    let subject = Subject::new(&["torn-a", "torn-b"]);
    let mut chance = Seeded::from_env_or(80);
    println!("seed {}", chance.0);
    let times = if long() { 2_000 } else { 80 };
    let (log, _) = run(&subject, "log.db", times, &mut chance);
    assert!(log.closed > 0 && log.refused > 0, "{log:?}");
    run(&subject, "anchor.db", times / 8, &mut chance);
    run(&subject, "vault.db", times / 8, &mut chance);
}

/// The end of the write-ahead log is gone, after what stood there was anchored: the events are missed and counted.
#[test]
fn f08_a_tail_below_the_checkpoint_is_never_quietly_accepted() {
    let subject = Subject::killed("tail");
    let mut chance = Seeded::from_env_or(81);
    let (tally, rolled_back) = run(&subject, "log.db-wal", if long() { 500 } else { 30 }, &mut chance);
    assert!(rolled_back * 2 > tally.refused && rolled_back > 5, "{tally:?}");
}

#[test]
fn f08_no_rearranged_export_is_verified() {
    let subject = Subject::new(&["torn-export"]);
    let good = subject.ledgers.values().next_back().expect("a company");
    let export = bundle(&good.records, &good.checkpoint);
    let mut chance = Seeded::from_env_or(82);
    let (mut changed, mut named) = (0, 0);
    for _ in 0..if long() { 20_000 } else { 1_000 } {
        let mut bad = export.clone();
        let what = spoil(&mut bad, 256, &mut chance);
        if bad == export {
            continue;
        }
        let options = Options { keys: good.keys.clone(), deep: true, ..Options::default() };
        let found = verify(&bad[..], &options);
        assert_ne!(found.verdict, Verdict::Verified, "{what}");
        changed += 1;
        named += usize::from(found.first_bad_position.is_some());
    }
    report!("F8 export changes={changed} refused={changed} named={named}");
}
