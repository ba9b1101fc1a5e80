//! No bytes make a decoder panic, and none are read in two ways. The same targets are run by the fuzzer
//! (`tests/fuzz/README.md`) for as long as one likes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keiin::{client_import, visit_import};
use keiin_eventlog::framed;
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

/// The corpus is good, or the changes would begin with bytes that no decoder looks into.
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
    assert!(seeds("cluster_event").iter().all(|event| framed::read(&event[1..], &[]).is_some()));
    for (name, columns) in
        [("clients_csv", client_import::sheet::COLUMNS), ("visits_csv", visit_import::sheet::COLUMNS)]
    {
        for file in seeds(name) {
            let read = if name == "clients_csv" { client_import::sheet::read } else { visit_import::sheet::read };
            let rows = read(&file).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
            assert_eq!((rows.rows.len(), rows.columns.iter().flatten().count()), (1, columns.len()), "{name}");
        }
    }
}

/// The fuzzer's crate needs a compiler for libFuzzer and is built by hand, so what is in it is held here: a program for each
/// decoder, of one line, and a decoder for each program.
#[test]
fn every_decoder_is_a_program_of_the_fuzzer() {
    // What that line calls. If this no longer compiles, the line has to change.
    const RUN: fn(&str, &[u8]) = keiin_tests::decoders::run;
    RUN("leaf", b"");
    let fuzz = keiin_tests::root().join("tests/fuzz");
    let text =
        |file: &str| std::fs::read_to_string(fuzz.join(file)).unwrap_or_else(|e| panic!("tests/fuzz/{file}: {e}"));
    let manifest: toml::Table = text("Cargo.toml").parse().expect("a manifest");
    let programs = manifest["bin"].as_array().expect("programs");
    let named =
        |key: &str| programs.iter().map(|bin| bin[key].as_str().expect("text").to_owned()).collect::<BTreeSet<_>>();
    let all = |path: fn(&str) -> String| TARGETS.iter().map(|(name, _)| path(name)).collect::<BTreeSet<_>>();
    assert_eq!(named("name"), all(str::to_owned));
    assert_eq!(named("path"), all(|name| format!("fuzz_targets/{name}.rs")));
    for (name, _) in TARGETS {
        let line = format!("libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keiin_tests::decoders::run({name:?}, bytes));");
        assert_eq!(text(&format!("fuzz_targets/{name}.rs")), format!("#![no_main]\n\n{line}\n"));
    }
    let known = text("README.md");
    assert!(TARGETS.iter().all(|(name, _)| known.contains(name)), "tests/fuzz/README.md does not name every target");
}
