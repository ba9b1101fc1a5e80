//! What a company sees of the scrub (RN-C37): the report of the last round that verified its ledger, as a signed note that
//! anybody can check with the key that they hold for the checkpoints. The text is `docs/LOG-FORMAT.md`, section 10.
//!
//! A report is signed when the round is over, by the key of the checkpoint that the ledger was held against, and kept as it
//! was signed: what is shown is read from the note, after its signature was checked again. There is none of a ledger in
//! which something is wrong: nobody is served from it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keiin_domain::date::{instant, parse_instant};
use keiin_domain::role::Permission;
use keiin_eventlog::checkpoint::{Checkpoint, Origin};
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::scrub::Checked;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::ledger::{download, reader};
use crate::problem::Problem;
use crate::session_api::Operation;

/// First line of a report. No origin has a space: no report can pass for a checkpoint.
const TITLE: &str = "Keiin verification report 1";
/// Last line. Of what is not verified there is no report.
const RESULT: &str = "result verified";
/// Sees one's own company's.
pub const READ: Permission = Permission("log.read");

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation { permission: Some(READ), ..Operation::new("get_verification", "GET", "/v1/log/verification") },
    Operation {
        permission: Some(READ),
        answer: "text/plain",
        ..Operation::new("get_verification_note", "GET", "/v1/log/verification.note")
    },
];

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/v1/log/verification", get(verification)).route("/v1/log/verification.note", get(note))
}

/// What a round found in one ledger: it verified up to a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Report {
    /// When its first record was read, microseconds UTC.
    began_us: i64,
    /// When the verdict was there.
    ended_us: i64,
    /// The checkpoint that it was held against.
    checkpoint: Checkpoint,
    /// Commits up to it.
    commits: u64,
    /// Commit signatures that were checked.
    signatures: u64,
}

impl Report {
    /// What is signed. The root is written as `keiin verify` prints it.
    fn text(&self) -> String {
        let Checkpoint { origin, size, root } = &self.checkpoint;
        let (began, ended, root) = (instant(self.began_us), instant(self.ended_us), hex::encode(root.0));
        let (commits, signatures) = (self.commits, self.signatures);
        format!(
            "{TITLE}\norigin {origin}\nrecords {size}\nroot {root}\nbegan {began}\nended {ended}\ncommits {commits}\n\
             signatures {signatures}\n{RESULT}\n"
        )
    }

    /// Reads exactly what [`Report::text`] writes.
    fn parse(text: &str) -> Option<Report> {
        let mut lines = text.split_terminator('\n').skip(1);
        let mut next = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let (origin, size, root) = (next("origin")?, next("records")?, next("root")?);
        let root = STANDARD.encode(hex::decode(root).ok()?);
        let report = Report {
            checkpoint: Checkpoint::parse(&format!("{origin}\n{size}\n{root}\n")).ok()?,
            began_us: parse_instant(next("began")?)?,
            ended_us: parse_instant(next("ended")?)?,
            commits: next("commits")?.parse().ok()?,
            signatures: next("signatures")?.parse().ok()?,
        };
        (report.text() == text).then_some(report)
    }
}

/// A report whose signature holds.
struct Signed {
    report: Report,
    note: Note,
    key: VerifierKey,
}

impl Signed {
    /// Signs what a round found, as the checkpoint is signed that it was held against.
    fn new(keyring: &Keyring, report: Report, checkpoint: &Note) -> Option<Signed> {
        let key = signer_of(keyring, checkpoint, &report.checkpoint.origin)?;
        let note = Note::sign(&report.text(), key.name(), &*keyring.signer(key.public())?).ok()?;
        Some(Signed { report, note, key })
    }

    /// Reads a kept one; `None` if it is none, or not signed by us.
    fn open(keyring: &Keyring, text: &str) -> Option<Signed> {
        let note = Note::parse(text.as_bytes()).ok()?;
        let report = Report::parse(note.text())?;
        let key = signer_of(keyring, &note, &report.checkpoint.origin)?;
        Some(Signed { report, note, key })
    }

    fn view(&self) -> Value {
        let Report { began_us, ended_us, checkpoint, commits, signatures } = &self.report;
        json!({
            "began_at": instant(*began_us),
            "ended_at": instant(*ended_us),
            "records": checkpoint.size,
            "commits": commits,
            "signatures": signatures,
            "result": "verified",
            "origin": checkpoint.origin,
            "root": hex::encode(checkpoint.root.0),
            "vkey": self.key.to_string(),
        })
    }
}

/// Which of our keys has signed this note under the name of this ledger.
fn signer_of(keyring: &Keyring, note: &Note, origin: &str) -> Option<VerifierKey> {
    let ours: Vec<VerifierKey> =
        keyring.public_keys().into_iter().filter_map(|public| VerifierKey::new(origin, public).ok()).collect();
    note.verify(&ours).ok()?.first().map(|key| (*key).clone())
}

/// The last report of each ledger, as this node made it.
pub struct Verifications {
    keyring: Arc<Keyring>,
    file: PathBuf,
    notes: RwLock<BTreeMap<Uuid, String>>,
}

impl Verifications {
    /// With those that an earlier process has kept in this file.
    pub fn new(keyring: Arc<Keyring>, file: PathBuf) -> Verifications {
        let kept = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Verifications { keyring, file, notes: RwLock::new(kept.unwrap_or_default()) }
    }

    /// Signs and keeps what a round found that started at `started`, which was `began_us`. A ledger that could not be read
    /// this time keeps its earlier report, and that one's date.
    pub fn keep(&self, sound: &[Checked], started: Instant, began_us: i64) -> std::io::Result<()> {
        let at = |moment: Instant| {
            let since = moment.saturating_duration_since(started).as_micros();
            began_us.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
        };
        let mut notes = self.notes.read().unwrap_or_else(|e| e.into_inner()).clone();
        for found in sound {
            let Ok(checkpoint) = Checkpoint::parse(found.checkpoint.text()) else { continue };
            let (commits, signatures) = (found.commits, found.signatures);
            let report =
                Report { began_us: at(found.began), ended_us: at(found.ended), checkpoint, commits, signatures };
            match Signed::new(&self.keyring, report, &found.checkpoint) {
                Some(signed) => drop(notes.insert(found.ledger, signed.note.to_string())),
                None => tracing::warn!(ledger = %found.ledger, "no key at hand that signs a verification report"),
            }
        }
        let kept = crate::scrub::write(&self.file, &notes);
        *self.notes.write().unwrap_or_else(|e| e.into_inner()) = notes;
        kept
    }

    fn of(&self, ledger: Uuid) -> Option<Signed> {
        let text = self.notes.read().unwrap_or_else(|e| e.into_inner()).get(&ledger).cloned()?;
        // A file that somebody swapped says nothing of another company.
        Signed::open(&self.keyring, &text).filter(|signed| {
            signed.report.checkpoint.origin.parse::<Origin>().is_ok_and(|origin| origin.ledger() == ledger)
        })
    }
}

/// How often stored records are verified, and what the last round found in this ledger.
pub fn view(app: &App, ledger: Uuid) -> Value {
    let mut view = json!({ "every_s": app.config.scrub.every_s });
    if let Some(signed) = app.scrubbing.verifications().of(ledger) {
        view["last"] = signed.view();
    }
    view
}

async fn verification(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, "get_verification").await?;
    Ok(axum::Json(view(&app, principal.ledger)).into_response())
}

async fn note(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, READ, "get_verification_note").await?;
    let signed = app.scrubbing.verifications().of(principal.ledger);
    let note = signed.ok_or_else(|| Problem::new("verification.not_yet"))?.note.to_string();
    Ok(download(note.into_bytes(), "text/plain; charset=utf-8", "attachment; filename=\"verification.note\""))
}

#[cfg(test)]
mod tests {
    use keiin_eventlog::record::Hash;

    use super::*;

    fn report() -> Report {
        let origin = "log.example/018f0000-0000-7000-8000-00000000000a".to_owned();
        let checkpoint = Checkpoint { origin, size: 7, root: Hash([7; 32]) };
        Report {
            began_us: 1_795_405_800_000_000,
            ended_us: 1_795_405_801_250_000,
            checkpoint,
            commits: 3,
            signatures: 3,
        }
    }

    #[test]
    fn a_report_has_one_spelling_and_is_no_checkpoint() {
        let text = report().text();
        assert_eq!(
            text,
            "Keiin verification report 1\norigin log.example/018f0000-0000-7000-8000-00000000000a\nrecords 7\n\
             root 0707070707070707070707070707070707070707070707070707070707070707\nbegan 2026-11-23T03:50:00Z\n\
             ended 2026-11-23T03:50:01.250000Z\ncommits 3\nsignatures 3\nresult verified\n"
        );
        assert_eq!(Report::parse(&text), Some(report()));
        assert!(Checkpoint::parse(&text).is_err());
        for bad in [
            text.replace("report 1", "report 2"),
            text.replace("records 7", "records 07"),
            text.replace("root 07", "root 7"),
            text.replace("03:50:00Z", "12:50:00+09:00"),
            text.replace("result verified", "result refuted"),
            text.replace("commits 3\n", ""),
            format!("{text}more\n"),
        ] {
            assert_eq!(Report::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn what_was_kept_is_shown_only_with_our_signature_and_to_whom_it_is_about() {
        let folder = std::env::temp_dir().join(format!("keiin-verified-{}", crate::random::digits(12)));
        let keyring = Arc::new(Keyring::create(&folder.join("keys")).unwrap());
        let (file, ledger) = (folder.join("kept.json"), Uuid::from_u128(0x018f0000_0000_7000_8000_00000000000a));
        let started = Instant::now();
        let checkpoint = report().checkpoint.sign(&*keyring.current()).unwrap();
        let sound = Checked { ledger, began: started, ended: started, checkpoint, commits: 3, signatures: 3 };
        let made = Verifications::new(keyring.clone(), file.clone());
        assert!(made.of(ledger).is_none());
        made.keep(&[sound], started, report().began_us).unwrap();
        // By another process; after a rotation the older key still counts as ours.
        keyring.rotate_signing().unwrap();
        let kept = Verifications::new(keyring.clone(), file.clone());
        assert_eq!(kept.of(ledger).unwrap().report, Report { ended_us: report().began_us, ..report() });
        assert!(kept.of(Uuid::from_u128(1)).is_none());
        // Another company's report in this one's place, a changed figure, a stranger's signature.
        let text = std::fs::read_to_string(&file).unwrap();
        for changed in [text.replacen("018f", "018e", 1), text.replace("commits 3", "commits 4")] {
            std::fs::write(&file, &changed).unwrap();
            let read = Verifications::new(keyring.clone(), file.clone());
            assert!(
                [ledger, Uuid::from_u128(0x018e0000_0000_7000_8000_00000000000a)].iter().all(|l| read.of(*l).is_none())
            );
        }
        std::fs::write(&file, text).unwrap();
        let other = Arc::new(Keyring::create(&folder.join("others")).unwrap());
        assert!(Verifications::new(other, file).of(ledger).is_none());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
