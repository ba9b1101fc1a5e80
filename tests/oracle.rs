//! Holds a store against what its users were told. Every fault story ends here.
//!
//! | oracle | what must hold |
//! |---|---|
//! | O1 | every acknowledged event is in the ledger, at its position and with its hash |
//! | O2 | a request is in the ledger once if it was answered, at most once if not |
//! | O3 | positions without gaps, chain, every commit signature |
//! | O4 | every checkpoint that was ever seen leads to the newest; sizes never shrink, one root for one size |
//! | O5 | the read models equal those of a rebuild from nothing |
//! | O6 | what the server answers now is what was acknowledged |
//! | O7 | our verifier and the independent one in `docs/reader` agree |
//!
//! The oracle believes nothing but the journals ([`crate::load`]), and must itself be shown to notice
//! (`tests/faults/oracle.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use keiin::stores::LogPlace;
use keiin_projections::table::{self, Table};
use serde_json::Value;

use crate::client::Call;
use crate::company::{Company, Deployment, Exported, read_export, text};
use crate::load::{Ack, journals};
use crate::mailbox::stores;
use crate::server::keiin;

/// Acknowledged objects of a company that are asked for again.
const ASKED_AGAIN: usize = 25;

/// What the journals say about one ledger.
#[derive(Clone, Default, Debug)]
pub struct Told {
    /// Every request that was ever sent, by its key.
    pub sent: BTreeSet<String>,
    /// Every acknowledgement, by its key. A hash that came later is in it.
    pub acked: BTreeMap<String, Ack>,
    /// Two acknowledgements of one request that differ.
    pub contradictions: Vec<String>,
    /// Checkpoints in the order in which they were seen.
    pub checkpoints: Vec<String>,
}

/// Reads all journals of a folder; by ledger.
pub fn read_journals(folder: &Path) -> BTreeMap<String, Told> {
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    for path in journals(folder) {
        let lines = std::fs::read_to_string(&path).expect("a journal can be read");
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {e}: {line}", path.display()));
            let told = all.entry(text(&line, "ledger")).or_default();
            if let Some(key) = line["sent"].as_str() {
                told.sent.insert(key.to_owned());
            } else if let Some(key) = line["acked"].as_str() {
                let position = line["position"].as_u64().expect("an acknowledgement has a position");
                let hash = line["hash"].as_str().map(str::to_owned);
                let ack = Ack { key: key.to_owned(), id: text(&line, "id"), position, hash };
                told.add(ack);
            } else if let Some(note) = line["checkpoint"].as_str() {
                told.checkpoints.push(note.to_owned());
            }
        }
    }
    all
}

impl Told {
    fn add(&mut self, ack: Ack) {
        if let Some(known) = self.acked.get_mut(&ack.key) {
            if (&known.id, known.position) != (&ack.id, ack.position) {
                self.contradictions.push(format!("{known:?} and {ack:?}"));
            }
            known.hash = ack.hash.or(known.hash.take());
        } else {
            self.acked.insert(ack.key.clone(), ack);
        }
    }
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// `O1` to `O7`.
    pub oracle: &'static str,
    /// What.
    pub what: String,
}

/// What the oracle found.
#[derive(Clone, Default, Debug)]
pub struct Findings {
    /// Acknowledged requests.
    pub acked: usize,
    /// Of these, those whose hash is known too.
    pub hashed: usize,
    /// Records in the ledgers.
    pub records: usize,
    /// Checkpoints that were seen.
    pub checkpoints: usize,
    /// What must not be.
    pub complaints: Vec<Complaint>,
}

impl Findings {
    fn complain(&mut self, oracle: &'static str, what: impl Into<String>) {
        self.complaints.push(Complaint { oracle, what: what.into() });
    }

    /// How many complaints of this oracle.
    pub fn count(&self, oracle: &str) -> usize {
        self.complaints.iter().filter(|complaint| complaint.oracle == oracle).count()
    }

    /// Fails with everything that was found.
    #[track_caller]
    pub fn expect_none(&self) {
        assert!(self.complaints.is_empty(), "{:#?}", self.complaints);
    }

    /// O1 and O2: the records of a ledger against what was told of it.
    pub fn judge(&mut self, told: &Told, records: &[Exported]) {
        self.acked += told.acked.len();
        self.records += records.len();
        for contradiction in &told.contradictions {
            self.complain("O1", format!("two answers to one request: {contradiction}"));
        }
        let mut made: BTreeMap<&str, Vec<&Exported>> = BTreeMap::new();
        for record in records.iter().filter(|record| record.leaf.event_kind == "client.registered") {
            let name = record.event.pointer("/profile/name").or(record.event.get("name")).and_then(Value::as_str);
            made.entry(name.unwrap_or_default()).or_default().push(record);
        }
        for ack in told.acked.values() {
            self.hashed += usize::from(ack.hash.is_some());
            let found = made.get(ack.key.as_str()).map(Vec::as_slice).unwrap_or_default();
            let there = |record: &&&Exported| {
                record.leaf.position == ack.position && record.leaf.stream.id.to_string() == ack.id
            };
            match found.iter().find(there) {
                None => self.complain("O1", format!("acknowledged and not there: {ack:?}")),
                Some(record) if ack.hash.as_ref().is_some_and(|hash| *hash != record.hash) => {
                    self.complain("O1", format!("acknowledged and changed: {ack:?}, now {}", record.hash))
                }
                Some(_) => {}
            }
        }
        for (key, places) in made.iter().filter(|(key, _)| told.sent.contains(**key)) {
            if places.len() > 1 {
                let places: Vec<u64> = places.iter().map(|record| record.leaf.position).collect();
                self.complain("O2", format!("{key:?} is there at {places:?}"));
            }
        }
    }

    /// O4 without the ledger: the checkpoints among themselves.
    fn judge_checkpoints(&mut self, told: &Told) {
        self.checkpoints += told.checkpoints.len();
        let (mut newest, mut roots) = ((1, 0), BTreeMap::new());
        for note in &told.checkpoints {
            let lines: Vec<&str> = note.lines().collect();
            let generation: u64 = lines[0].split('/').nth(2).map_or(1, |number| number.parse().expect("a generation"));
            let here = (generation, lines[1].parse::<u64>().expect("a checkpoint has a size"));
            if here < newest {
                self.complain("O4", format!("generation and size {here:?} were seen after {newest:?}"));
            }
            newest = here;
            if *roots.entry(here).or_insert(lines[2]) != lines[2] {
                self.complain("O4", format!("two roots of generation and size {here:?}"));
            }
        }
    }
}

/// All oracles, over a deployment that nobody serves now and the journals around it. It is served for a while.
pub fn examine(deployment: &Deployment, companies: &[Company]) -> Findings {
    let told = read_journals(deployment.folder());
    let mut findings = Findings::default();
    let server = deployment.serve();
    let nothing = Told::default();
    for company in companies {
        let company = company.at(&server);
        let told = told.get(&company.id).unwrap_or(&nothing);
        company.mark();
        let mut seen = told.clone();
        seen.checkpoints.push(company.checkpoint());
        findings.judge_checkpoints(&seen);
        let name = format!("oracle-{}.keiin", company.slug);
        let _ = std::fs::remove_file(deployment.folder().join(&name));
        let file = deployment.export(&company.slug, &name, &["--open"]);
        verify_twice(&mut findings, &file, &company.key(), &seen.checkpoints);
        findings.judge(told, &read_export(&file));
        for ack in told.acked.values().rev().take(ASKED_AGAIN) {
            let answer = company.send(Call::new("GET", &format!("/v1/clients/{}", ack.id)));
            if answer.status != 200 || text(&answer.json(), "name") != ack.key {
                findings.complain("O6", format!("{ack:?} is answered with {} {}", answer.status, answer.text()));
            }
        }
        company.mark();
        company.settle();
    }
    assert_eq!(server.stop(), 0);
    let (live, rebuilt) = (dump(&deployment.data()), rebuilt(deployment));
    if live != rebuilt {
        let differing = live.lines().zip(rebuilt.lines()).find(|(a, b)| a != b);
        findings.complain(
            "O5",
            format!("{differing:?}; {} against {} rows", live.lines().count(), rebuilt.lines().count()),
        );
    }
    findings
}

/// O3, O4 and O7: both verifiers, with the key pinned and everything that was ever published.
fn verify_twice(findings: &mut Findings, file: &Path, key: &str, checkpoints: &[String]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = file.to_str().expect("temporary paths are text");
    let mut ours: Vec<String> = vec!["verify".into(), path.into(), "--deep".into(), "--format".into(), "json".into()];
    let mut theirs: Vec<String> = vec![];
    for (n, note) in checkpoints.iter().enumerate() {
        let name = folder.path().join(n.to_string());
        std::fs::write(&name, note).expect("a checkpoint can be written");
        let name = name.to_str().expect("temporary paths are text");
        theirs.extend(["--checkpoint".into(), name.into()]);
    }
    theirs.extend(["--key".into(), key.into()]);
    ours.extend(theirs.iter().cloned());
    let ran = keiin(&ours.iter().map(String::as_str).collect::<Vec<_>>());
    let report = ran.json();
    if (ran.code, &report["verdict"]) != (0, &Value::from("verified")) {
        findings.complain("O3", format!("{report}"));
    }
    let reader = crate::root().join("docs/reader/keiin_verify.py");
    let out = Command::new(crate::python()).arg(reader).args(&theirs).arg(path).output().expect("python runs");
    let second: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
    let verified = report["verdict"] == "verified";
    let fields = ["verdict", "first_bad_position", "size", "root"];
    for field in &fields[..if verified { 4 } else { 2 }] {
        if report[field] != second[field] {
            findings.complain("O7", format!("{field}: {} and {}", report[field], second[field]));
        }
    }
}

/// Every read table of a deployment as text.
pub fn dump(data: &Path) -> String {
    let mut connection = stores(data).read_models().look().expect("the read models open");
    let tables: Vec<&'static Table> =
        keiin_projections::PROJECTIONS.iter().flat_map(|projection| projection.tables.iter().copied()).collect();
    table::dump(&mut connection, &tables).expect("the read models can be read")
}

/// The read models rebuilt from nothing: of a copy, or, in a database, in the place of those that were there. Nobody may be
/// writing.
pub fn rebuilt(deployment: &Deployment) -> String {
    if matches!(stores(&deployment.data()).log, LogPlace::Postgres(_)) {
        keiin(&["rebuild", "--data", deployment.data_arg()]).expect(0);
        return dump(&deployment.data());
    }
    let copy = tempfile::tempdir_in(deployment.folder()).expect("a temporary folder");
    let data = copy.path().join("data");
    let copied = Command::new("cp").arg("-a").arg(deployment.data()).arg(&data).status().expect("cp runs");
    assert!(copied.success());
    keiin(&["rebuild", "--data", data.to_str().expect("temporary paths are text")]).expect(0);
    dump(&data)
}
