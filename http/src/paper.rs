//! Documents on paper. Each revision is printed once, soon after it was issued, and the file's hash becomes an event; the
//! file itself stays in the vault, found by that hash. Nothing is printed twice: a later version of the layout changes no
//! file that is out.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::ETAG;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use keiin_domain::client::{Client, Profile};
use keiin_domain::command::{Fault, On};
use keiin_domain::document::{Drafted, Printed, Sender};
use keiin_domain::paper::{Paper as Files, RecordRendering};
use keiin_domain::role::Permission;
use keiin_domain::tenant::Tenant;
use keiin_eventlog::vault::Entry;
use keiin_formats::pdf::{self, Error, Missing};
use keiin_formats::{Correction, Paper};
use keiin_projections::query::{Kind, Param};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::api::{self, Path, PathParams, query_string};
use crate::app::App;
use crate::clock;
use crate::execute::{Call, by_server};
use crate::ledger::{download, reader};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::session_api::Operation;

/// Kind of the files in the vault; looked up by their SHA-256.
pub const FILE: &str = "pdf";
/// Kind of the secrets in QR codes.
pub const SECRET: &str = "chk";
/// Documents printed in one round.
const ROUND: usize = 100;
/// How often it is looked for what a restart interrupted.
const QUIET: Duration = Duration::from_secs(60);
const NAME: &str = "get_document_pdf";

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[Operation {
    permission: Some(Permission("document.read")),
    params: &[Param { name: "revision", kind: Kind::Number }],
    answer: "application/pdf",
    ..Operation::new(NAME, "GET", "/v1/documents/{id}/pdf")
}];

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/v1/documents/{id}/pdf", get(file))
}

/// Prints what is issued and corrected, until the server stops.
pub async fn run(app: Arc<App>) {
    let mut folded = app.runner.folded();
    while !*app.stopping.borrow() {
        match round(&app, clock::now_us()).await {
            Ok(ROUND) => continue,
            Ok(_) => {}
            Err(problem) => tracing::warn!(code = problem.code, "documents wait for being printed"),
        }
        app.rest(&mut folded, QUIET).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One round; returns how many documents it printed. What cannot be printed now is tried again in a later round.
pub async fn round(app: &App, now_us: i64) -> Result<usize, Problem> {
    let waiting = keiin_projections::document::unprinted(&app.read, ROUND)?;
    let mut printed = 0;
    for (ledger, document) in waiting {
        if *app.stopping.borrow() {
            break;
        }
        match print(app, ledger, document, now_us).await {
            Ok(()) => printed += 1,
            Err(problem) => tracing::warn!(code = problem.code, %document, "a document waits for being printed"),
        }
    }
    Ok(printed)
}

/// Prints the newest revision, keeps the file, then writes its hash down: no hash is without its file.
async fn print(app: &App, ledger: Uuid, document: Uuid, now_us: i64) -> Result<(), Problem> {
    let printed = principal::load::<Printed>(app, ledger, document).await?;
    let Some(paper) = issued(app, ledger, &printed)? else { return Ok(()) };
    let revision = paper.revision;
    let command = match rendered(paper).await? {
        Ok(bytes) => {
            let sha256: [u8; 32] = Sha256::digest(&bytes).into();
            let size = u32::try_from(bytes.len()).map_err(Problem::failed)?;
            let (kind, lookup) = (FILE.to_owned(), sha256.to_vec());
            let entry =
                Entry { kind, lookup, ledger, owner: document, value: bytes, created_us: now_us, expires_us: None };
            app.vault.put(&[entry])?;
            RecordRendering { revision, sha256, size, missing: vec![] }
        }
        Err(missing) => {
            let missing = missing.iter().map(|one| format!("{}: {}", one.field, one.character)).collect();
            RecordRendering { revision, sha256: [0; 32], size: 0, missing }
        }
    };
    by_server(app, &Principal::system(ledger), command, &Call::internal(now_us).on(document)).await?;
    Ok(())
}

/// The file, or the characters that the font lacks.
async fn rendered(paper: Paper) -> Result<Result<Vec<u8>, Vec<Missing>>, Problem> {
    let rendered = tokio::task::spawn_blocking(move || pdf::render(&paper)).await.map_err(Problem::failed)?;
    match rendered {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(Error::Missing(missing)) => Ok(Err(missing)),
        Err(other) => Err(Problem::failed(other)),
    }
}

/// What stands on the paper of an issued document.
pub async fn of(app: &App, ledger: Uuid, document: Uuid) -> Result<Paper, Problem> {
    let printed = principal::load::<Printed>(app, ledger, document).await?;
    if printed.draft.is_none() {
        return Err(Problem::not_found());
    }
    issued(app, ledger, &printed)?.ok_or_else(|| Problem::new("document.not_issued"))
}

fn issued(app: &App, ledger: Uuid, printed: &On<Printed>) -> Result<Option<Paper>, Problem> {
    let (Some(draft), Some(issued)) = (&printed.draft, &printed.issued) else { return Ok(None) };
    let correction = printed.corrected.as_ref().map(|correction| Correction {
        reason: correction.reason.clone(),
        replaces_number: issued.number.clone(),
        replaces_revision: correction.revision - 1,
    });
    let secrets = app.vault.list(SECRET, ledger, Some(printed.id))?;
    let secret = secrets.into_iter().next_back().and_then(|entry| String::from_utf8(entry.value).ok());
    Ok(Some(Paper {
        number: issued.number.clone(),
        revision: printed.revision(),
        correction,
        issued_on: issued.issued_on,
        sender: issued.sender.clone(),
        verify_url: secret.map(|secret| format!("{}/check/{secret}", app.public_url())).unwrap_or_default(),
        ..written(draft, issued.recipient.clone())
    }))
}

/// What stands on the paper of a draft, as it would be issued today.
async fn drafted(app: &App, ledger: Uuid, draft: &Drafted) -> Result<Paper, Problem> {
    let tenant = principal::load::<Tenant>(app, ledger, ledger).await?.state;
    let client = principal::load::<Client>(app, ledger, draft.head.client_id).await?.state;
    let recipient = client.profile.ok_or_else(Problem::not_found)?;
    let Tenant { name, registration_number, address, bank_details, .. } = tenant;
    let sender = Sender { name, registration_number, address, bank_details };
    Ok(Paper { sender, ..written(draft, recipient) })
}

/// What people wrote; the number and the sender come with the issue.
fn written(draft: &Drafted, recipient: Profile) -> Paper {
    let (head, body) = (&draft.head, &draft.body);
    Paper {
        document_type: draft.document_type,
        number: String::new(),
        revision: 1,
        correction: None,
        title: head.title.clone(),
        sender: Sender::default(),
        recipient,
        issued_on: head.date,
        date: head.date,
        date_due: head.date_due,
        lines: body.lines.clone(),
        totals: body.totals.clone(),
        note: head.note.clone(),
        withholding: Some(body.jp_withholding_tax).filter(|tax| tax.amount > 0),
        proviso: head.proviso.clone(),
        has_tax_stamp: head.has_tax_stamp,
        has_hanko: head.has_hanko,
        verify_url: String::new(),
    }
}

/// The file of a document's newest revision, or of the one that is asked for; of a draft, how it would look.
async fn file(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, Permission("document.read"), NAME).await?;
    let id = api::id(&path, "id")?;
    let params = query_string(head.uri.query().unwrap_or(""))?;
    let bad = || Problem::at("request.bad_parameter", "/revision");
    let wanted = params.get("revision").map(|text| text.parse::<u32>().map_err(|_| bad())).transpose()?;
    let printed = principal::load::<Printed>(&app, principal.ledger, id).await?;
    let draft = printed.draft.as_ref().ok_or_else(Problem::not_found)?;
    let Some(issued) = &printed.issued else {
        let paper = drafted(&app, principal.ledger, draft).await?;
        let bytes = rendered(paper).await?.map_err(|missing| lacking(&missing))?;
        return Ok(shown(bytes, draft.document_type.name(), None));
    };
    let revision = wanted.unwrap_or(printed.revision());
    if revision == 0 || revision > printed.revision() {
        return Err(Problem::not_found());
    }
    let (sha256, bytes) = stored(&app, principal.ledger, id, revision).await?;
    Ok(shown(bytes, &file_name(&issued.number, revision), Some(sha256)))
}

/// A revision's file as it was printed.
async fn stored(app: &App, ledger: Uuid, document: Uuid, revision: u32) -> Result<([u8; 32], Vec<u8>), Problem> {
    let files = principal::load::<Files>(app, ledger, document).await?.state.files;
    let Some((_, found)) = files.iter().rev().find(|(of, _)| *of == revision) else {
        return Err(Problem { retry_after: Some(1), ..Problem::new("document.not_printed") });
    };
    let sha256 = found.ok_or_else(|| Problem::new("document.unprintable"))?;
    Ok((sha256, kept(app, &sha256)?))
}

/// The file that the ledger means by this hash.
pub fn kept(app: &App, sha256: &[u8; 32]) -> Result<Vec<u8>, Problem> {
    let entry = app.vault.get(FILE, sha256)?.ok_or_else(Problem::not_found)?;
    // The vault's own seal says that these bytes are what was put there; the hash says that it is what the ledger means.
    if <[u8; 32]>::from(Sha256::digest(&entry.value)) != *sha256 {
        return Err(Problem::failed("a stored file does not hash to what the ledger says"));
    }
    Ok(entry.value)
}

/// What a revision's file is called, without its ending.
pub fn file_name(number: &str, revision: u32) -> String {
    if revision == 1 { number.to_owned() } else { format!("{number}-{revision}") }
}

/// A draft that cannot be printed: in which fields stand the characters that the font lacks.
fn lacking(missing: &[Missing]) -> Problem {
    let at = |one: &Missing| Fault { pointer: one.field.clone(), expected: None };
    Problem { errors: missing.iter().map(at).collect(), ..Problem::new("document.unprintable") }
}

fn shown(bytes: Vec<u8>, name: &str, sha256: Option<[u8; 32]>) -> Response {
    let mut response = download(bytes, "application/pdf", &format!("inline; filename=\"{name}.pdf\""));
    if let Some(Ok(tag)) = sha256.map(|hash| HeaderValue::from_str(&format!("\"{}\"", hex::encode(hash)))) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
