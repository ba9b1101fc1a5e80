//! `keiin verify` and `demo-tamper`: need nothing but the file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::record::Leaf;
use keiin_eventlog::tamper::tamper;
use keiin_eventlog::verify::{Gap, MaxAge, Options, Report, Verdict, verify};
use serde_json::json;

use super::{DONE, FAILED, Format, UNUSABLE, Unusable};
use crate::clock;

/// Check a bundle offline.
#[derive(Args)]
pub struct Verify {
    /// The bundle.
    file: PathBuf,
    /// Key that you got elsewhere than from the bundle (`name+hash+key`); may be given several times.
    #[arg(long)]
    key: Vec<String>,
    /// The origin that the checkpoint must have.
    #[arg(long)]
    origin: Option<String>,
    /// A checkpoint that you kept; may be given several times.
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
    /// The ledger must have at least this many records.
    #[arg(long)]
    min_size: Option<u64>,
    /// The newest record may be this old: `90s`, `15m`, `36h`, `7d`.
    #[arg(long, value_parser = duration_us)]
    max_age: Option<u64>,
    /// What must not stay open, separated by commas: key_pinned, newest_key_pinned, commit_signatures, bodies, witnessed.
    #[arg(long, value_delimiter = ',')]
    require: Vec<Gap>,
    /// Check every commit signature.
    #[arg(long)]
    deep: bool,
    #[arg(long, default_value = "text")]
    format: Format,
}

impl Verify {
    pub fn run(self) -> anyhow::Result<u8> {
        let report = match self.check() {
            Ok(report) => report,
            Err(reason) => {
                if self.format == Format::Json {
                    println!(
                        "{}",
                        json!({
                            "verdict": "unusable", "events": 0, "size": 0, "reason": format!("{reason:#}"), "not_established": [],
                        })
                    );
                } else {
                    eprintln!("keiin: {reason:#}");
                }
                return Ok(UNUSABLE);
            }
        };
        match self.format {
            Format::Json => println!("{}", as_json(&report)),
            Format::Text => print_text(&report),
        }
        Ok(match report.verdict {
            Verdict::Verified => DONE,
            Verdict::Refuted => FAILED,
            Verdict::Unusable => UNUSABLE,
        })
    }

    fn check(&self) -> anyhow::Result<Report> {
        let named = |path: &PathBuf, error: &dyn std::fmt::Display| Unusable(format!("{}: {error}", path.display()));
        let mut keys = vec![];
        for key in &self.key {
            let parsed: Result<VerifierKey, _> = key.parse();
            keys.push(parsed.map_err(|error| Unusable(format!("--key {key}: {error}")))?);
        }
        let mut checkpoints = vec![];
        for path in &self.checkpoint {
            let bytes = std::fs::read(path).map_err(|error| named(path, &error))?;
            checkpoints.push(Note::parse(&bytes).map_err(|error| named(path, &error))?);
        }
        let now_us = u64::try_from(clock::now_us()).unwrap_or(0);
        let render = |leaf: &Leaf, text: &[u8]| rendered(leaf, text);
        let options = Options {
            keys,
            origin: self.origin.clone(),
            checkpoints,
            min_size: self.min_size,
            max_age: self.max_age.map(|at_most_us| MaxAge { now_us, at_most_us }),
            require: self.require.clone(),
            deep: self.deep,
            render: Some(&render),
        };
        let file = File::open(&self.file).map_err(|error| named(&self.file, &error))?;
        Ok(verify(BufReader::with_capacity(1 << 18, file), &options))
    }
}

/// The JSON of an opened body. Personal fields stay boxes: their keys are not in a bundle.
fn rendered(leaf: &Leaf, text: &[u8]) -> Option<String> {
    crate::export::rendered(leaf, text)
}

fn as_json(report: &Report) -> serde_json::Value {
    let open: Vec<String> = report.not_established.iter().map(Gap::to_string).collect();
    json!({
        "verdict": report.verdict.to_string(),
        "events": report.events,
        "size": report.size,
        "root": report.root.map(|root| root.to_string()),
        "origin": report.origin,
        "first_bad_position": report.first_bad_position,
        "reason": report.reason,
        "not_established": open,
        "commits": report.commits,
        "signatures": report.signatures,
    })
}

fn print_text(report: &Report) {
    match report.verdict {
        Verdict::Verified => println!("Verified: {} events of {}", report.events, report.size),
        Verdict::Refuted => match report.first_bad_position {
            Some(position) => println!("REFUTED at position {position}"),
            None => println!("REFUTED"),
        },
        Verdict::Unusable => println!("Unusable"),
    }
    if let Some(reason) = &report.reason {
        println!("  reason: {reason}");
    }
    if let Some(origin) = &report.origin {
        println!("  origin: {origin}");
    }
    if let Some(root) = &report.root {
        println!("  root:   {root}");
    }
    println!("  commit signatures checked: {} of {}", report.signatures, report.commits);
    for gap in &report.not_established {
        println!("  not established: {gap} ({})", meaning(*gap));
    }
}

fn meaning(gap: Gap) -> &'static str {
    match gap {
        Gap::KeyPinned => "no --key was given: the key came from the bundle itself",
        Gap::NewestKeyPinned => "the newest signer was not given with --key",
        Gap::CommitSignatures => "not every commit signature was checked; add --deep",
        Gap::Bodies => "bodies of a closed ledger are no longer there",
        Gap::Witnessed => "nobody outside has confirmed that everyone is shown this same log",
        Gap::OpenedJson => "the texts of opened events were not compared",
    }
}

fn duration_us(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text} is no duration such as 90s, 15m, 36h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    count.checked_mul(seconds * 1_000_000).ok_or_else(wrong)
}

/// Flip one byte of a record.
#[derive(Args)]
pub struct Tamper {
    /// The bundle.
    file: PathBuf,
    /// File to write; it must not exist.
    #[arg(long)]
    out: PathBuf,
    /// Position of the record; the middle one if absent.
    #[arg(long)]
    position: Option<u64>,
}

impl Tamper {
    pub fn run(self) -> anyhow::Result<u8> {
        let unusable = |error: &dyn std::fmt::Display| Unusable(error.to_string());
        let input = File::open(&self.file).map_err(|e| unusable(&format!("{}: {e}", self.file.display())))?;
        let output = File::create_new(&self.out).map_err(|e| unusable(&format!("{}: {e}", self.out.display())))?;
        let mut output = BufWriter::new(output);
        let flipped = tamper(BufReader::new(input), &mut output, self.position);
        let flipped = match flipped {
            Ok(flipped) => flipped,
            Err(error) => {
                std::fs::remove_file(&self.out)?;
                return Err(unusable(&error).into());
            }
        };
        output.flush()?;
        println!("Flipped one byte of record {}: {}", flipped.position, self.out.display());
        println!("Next: keiin verify {}", self.out.display());
        Ok(DONE)
    }
}
