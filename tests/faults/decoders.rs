//! No bytes make a decoder panic, and none are read in two ways. The same targets are run by the fuzzer
//! (`tests/fuzz/README.md`) for as long as one likes.

use std::time::{Duration, Instant};

use keiin_eventlog::note::Note;
use keiin_eventlog::proof::Proof;
use keiin_eventlog::record::Leaf;
use keiin_eventlog::verify::{Options, Verdict, verify};
use keiin_tests::decoders::{TARGETS, Target, seeds};
use keiin_tests::{Seeded, long, report};

/// Longest that one input may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A change as a fuzzer makes it.
fn mutated(seed: &[u8], other: &[u8], chance: &mut Seeded) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..chance.between(1, 4) {
        let len = bytes.len() as u64;
        let at = chance.between(0, len) as usize;
        match chance.between(0, 7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.between(0, 7),
            1 if at < bytes.len() => {
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'"', b' '][chance.between(0, 7) as usize]
            }
            2 => bytes.insert(at, chance.bits() as u8),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            5 => {
                let end = (at + chance.between(1, 40) as usize).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = chance.between(0, len) as usize;
                bytes.splice(to..to, piece);
            }
            6 => {
                let from = chance.between(0, other.len() as u64) as usize;
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            _ => bytes.extend((0..chance.between(1, 9)).map(|_| chance.bits() as u8)),
        }
    }
    bytes
}

fn run(name: &str, target: Target, bytes: &[u8]) -> Duration {
    let started = Instant::now();
    let ended = std::panic::catch_unwind(|| target(bytes));
    assert!(ended.is_ok(), "{name} panics on {}", hex::encode(bytes));
    started.elapsed()
}

#[test]
fn decoders_take_any_bytes() {
    let mut chance = Seeded::from_env_or(4);
    println!("seed {}", chance.0);
    let times = if long() { 1_000_000 } else { 20_000 };
    for (name, target) in TARGETS {
        let corpus = seeds(name);
        assert!(!corpus.is_empty(), "{name} has no good bytes to begin with");
        // Verifying costs a thousand times what decoding does.
        let times = if *name == "bundle" { times / 10 } else { times };
        let mut slowest = Duration::ZERO;
        for seed in &corpus {
            slowest = slowest.max(run(name, *target, seed));
        }
        for _ in 0..times {
            let one = &corpus[chance.between(0, corpus.len() as u64 - 1) as usize];
            let other = &corpus[chance.between(0, corpus.len() as u64 - 1) as usize];
            slowest = slowest.max(run(name, *target, &mutated(one, other, &mut chance)));
        }
        assert!(slowest < PATIENCE, "{name} took {slowest:?}");
        report!("decoder {name} seeds={} changed={times} panics=0 slowest_us={}", corpus.len(), slowest.as_micros());
    }
}

/// The corpus is good, or the changes would begin with bytes that no decoder looks into; and the fuzzer has every target.
#[test]
fn decoders_begin_with_good_bytes() {
    for bundle in seeds("bundle") {
        let report = verify(&bundle[..], &Options { deep: true, ..Options::default() });
        assert_eq!(report.verdict, Verdict::Verified, "{report:?}");
    }
    assert!(seeds("leaf").iter().all(|leaf| Leaf::decode(leaf).is_ok()));
    assert!(seeds("note").iter().all(|note| Note::parse(note).is_ok()));
    let proofs = seeds("proof").into_iter().map(|proof| String::from_utf8(proof).expect("text"));
    assert!(proofs.into_iter().all(|proof| proof.parse::<Proof>().is_ok()));
    assert!(seeds("envelope").iter().all(|body| keiin_domain::envelope::read(body).is_some()));
    assert!(seeds("event").len() > 30 && seeds("http_body").len() > 30);
    let manifest =
        std::fs::read_to_string(keiin_tests::root().join("tests/fuzz/Cargo.toml")).expect("the fuzzer's crate");
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "tests/fuzz has no target {name}");
    }
}
