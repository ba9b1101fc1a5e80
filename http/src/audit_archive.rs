//! What a tax inspection takes away (電子帳簿保存法 施行規則 2-6, 4-1): the documents that a search finds, every file that was
//! made of them, and the signed ledger that proves both, in one archive that is checked without us.
//!
//! Invariants:
//! * Files are read one at a time and the archive grows on the disk, in a file that is gone when it is closed.
//! * Every file hashes to what the ledger says, or there is no archive.
//! * The bundle is the whole ledger, closed but for the records of these documents: who gets the archive reads what was
//!   asked for, and sees that nothing else is missing.
//! * What left is an event, with the archive's own hash.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::post;
use keiin_domain::date::instant;
use keiin_domain::document::{Corrected, DocumentEvent};
use keiin_domain::log::RecordAuditDownload;
use keiin_domain::paper::PaperEvent;
use keiin_domain::role::Permission;
use keiin_eventlog::record::Stream;
use keiin_formats::csv::{Cell, Encoding, Language, Table, documents};
use keiin_projections::document::{DocumentView, ListDocuments};
use keiin_projections::fact::Fact;
use keiin_projections::query::Query;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::api::query_string;
use crate::app::App;
use crate::console::fields;
use crate::document_files::{all, row};
use crate::execute::Call;
use crate::export::{self, Range, Source};
use crate::ledger::{download, reader, verifier_key};
use crate::locale::Lang;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session_api::Operation;
use crate::{paper, random};

const EXPORT: Permission = Permission("log.export");
const NAME: &str = "download_audit_archive";
const PATH: &str = "/v1/documents/audit.zip";
/// Records read from a stream at once.
const PAGE: usize = 1_000;
/// The small reader, so that the archive can be checked where nothing of ours is installed.
const READER: &str = include_str!("../../docs/reader/keiin_verify.py");
const README_JA: &str = include_str!("../archive/README.ja.txt");
const README_EN: &str = include_str!("../archive/README.en.txt");

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[Operation {
    permission: Some(EXPORT),
    params: ListDocuments::PARAMS,
    answer: "application/zip",
    ..Operation::new(NAME, "POST", PATH)
}];

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route(PATH, post(archive))
}

async fn archive(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = reader(&app, &head, EXPORT, NAME).await?;
    principal.check(ListDocuments::PERMISSION)?;
    if principal.session_id.is_some() && !principal.is_fresh(call.now_us) {
        return Err(Problem::new("access.confirm_first"));
    }
    let mut params = query_string(head.uri.query().unwrap_or(""))?;
    // The console's form names the same filters in its body, beside the encoding of the plain list.
    if head.headers.get(CONTENT_TYPE).is_some() {
        params.extend(fields(&app, &head, body).await?.into_iter().filter(|(name, _)| name != "encoding"));
    }
    let file = to_file(&app, &principal, &call, params, Peer::of(&head).lang).await?;
    let body = axum::body::Body::from_stream(tokio_util::io::ReaderStream::new(file));
    let mut response = download(vec![], "application/zip", "attachment; filename=\"tax-audit.zip\"");
    *response.body_mut() = body;
    response.headers_mut().remove(CONTENT_LENGTH);
    Ok(response)
}

/// One revision of a document as a file.
struct Printed {
    revision: u32,
    sha256: [u8; 32],
    size: u32,
    position: u64,
    at_us: i64,
}

/// What the streams of a document say: its files and why it was corrected.
#[derive(Default)]
struct History {
    files: Vec<Printed>,
    corrections: Vec<Corrected>,
}

async fn history(app: &App, ledger: Uuid, document: Uuid) -> Result<History, Problem> {
    let mut found = History::default();
    for kind in ["document", "paper"] {
        let (stream, mut from) = (Stream::new(kind, document), 0);
        loop {
            let records = app.log.read_stream(ledger, &stream, from, PAGE).await?;
            from += records.len() as u64;
            for record in &records {
                let fact = Fact::open(record, &app.vault).map_err(Problem::failed)?;
                match kind {
                    "document" => {
                        if let DocumentEvent::Corrected(event) = fact.read().map_err(Problem::failed)? {
                            found.corrections.push(event);
                        }
                    }
                    _ => {
                        if let PaperEvent::Rendered(e) = fact.read().map_err(Problem::failed)? {
                            let (position, at_us) = (fact.leaf.position, fact.time_us());
                            found.files.push(Printed {
                                revision: e.revision,
                                sha256: e.sha256,
                                size: e.size,
                                position,
                                at_us,
                            });
                        }
                    }
                }
            }
            if records.len() < PAGE {
                break;
            }
        }
    }
    Ok(found)
}

/// The archive of what the filters find, the drafts left out.
async fn to_file(
    app: &App,
    principal: &Principal,
    call: &Call,
    params: BTreeMap<String, String>,
    lang: Lang,
) -> Result<tokio::fs::File, Problem> {
    let said: Vec<String> =
        params.iter().filter(|(_, v)| !v.is_empty()).map(|(name, value)| format!("{name}={value}")).collect();
    let mut found = all(app, principal, params)?;
    found.retain(|document| document.number.is_some());
    app.anchorer.anchor_now(principal.ledger).await?;
    let path = app.data.root().join("tmp").join(format!("{}.zip", random::id_at(call.now_us)));
    let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(Problem::failed)?;
    // The open file stays readable; the name is not needed any more.
    std::fs::remove_file(&path).map_err(Problem::failed)?;
    let documents = found.len() as u64;
    let (mut file, files) = fill(app, principal, ZipWriter::new(file), found, lang).await?;
    let sha256 = hash(&mut file).map_err(Problem::failed)?;
    let command = RecordAuditDownload { filters: said, documents, files, sha256 };
    export::record(app, principal, call, command).await?;
    Ok(tokio::fs::File::from_std(file))
}

/// Of all that is in it; afterwards it is read from its beginning.
fn hash(file: &mut File) -> std::io::Result<[u8; 32]> {
    let (mut hash, mut block) = (Sha256::new(), vec![0; 1 << 16]);
    file.rewind()?;
    loop {
        match file.read(&mut block)? {
            0 => break,
            some => hash.update(&block[..some]),
        }
    }
    file.rewind()?;
    Ok(hash.finalize().into())
}

async fn fill(
    app: &App,
    principal: &Principal,
    mut zip: ZipWriter<File>,
    found: Vec<DocumentView>,
    lang: Lang,
) -> Result<(File, u64), Problem> {
    // Nothing is compressed: what is in it has the same bytes there, and files of a bundle's size need the longer fields.
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let (ledger, ja) = (principal.ledger, lang == Lang::Ja);
    let ids: HashSet<Uuid> = found.iter().map(|document| document.id).collect();
    let (mut rows, mut index, mut kept) = (vec![], vec![], vec![]);
    for document in found {
        let History { files, corrections } = history(app, ledger, document.id).await?;
        let number = document.number.clone().unwrap_or_default();
        let mut newest = String::new();
        for file in &files {
            let bytes = paper::kept(app, &file.sha256)?;
            newest = format!("pdf/{}.pdf", paper::file_name(&number, file.revision));
            zip.start_file(newest.as_str(), options).map_err(Problem::failed)?;
            zip.write_all(&bytes).map_err(Problem::failed)?;
            let reason = corrections.iter().find(|one| one.revision == file.revision);
            index.push(vec![
                Cell::Text(newest.clone()),
                Cell::Text(number.clone()),
                Cell::Number(file.revision.into()),
                Cell::Text(reason.map(|one| one.reason.clone()).unwrap_or_default()),
                Cell::Text(hex::encode(file.sha256)),
                Cell::Number(file.size.into()),
                Cell::Text(instant(file.at_us)),
                Cell::Number(i64::try_from(file.position).unwrap_or(i64::MAX)),
            ]);
        }
        let reasons: Vec<String> = corrections.iter().map(|one| format!("{}: {}", one.revision, one.reason)).collect();
        kept.push([
            Cell::Text(reasons.join(" / ")),
            Cell::Text(document.cancelled_reason.clone().unwrap_or_default()),
            Cell::Text(newest),
            Cell::Date(document.retain_until),
        ]);
        rows.push(row(document)?);
    }
    let mut list = documents(&rows, if ja { Language::Ja } else { Language::En });
    list.columns.extend(titles(
        lang,
        ["訂正", "取消の理由", "ファイル", "保存期限"],
        ["Corrections", "Why cancelled", "File", "Keep until"],
    ));
    list.rows.iter_mut().zip(kept).for_each(|(row, more)| row.extend(more));
    let files = index.len() as u64;
    let columns = titles(
        lang,
        ["ファイル", "書類番号", "版", "訂正の理由", "SHA-256", "バイト数", "作成日時", "台帳位置"],
        ["File", "Number", "Revision", "Why corrected", "SHA-256", "Bytes", "Made at", "Ledger position"],
    );
    let index = Table { columns: columns.to_vec(), rows: index };
    let (origin, key) = verifier_key(app, ledger).await?;
    for (name, bytes) in [
        ("documents.csv", list.write(Encoding::Utf8Bom).bytes),
        ("index.csv", index.write(Encoding::Utf8Bom).bytes),
        ("README.ja.txt", README_JA.replace("{key}", &key).replace("{origin}", &origin).into_bytes()),
        ("README.en.txt", README_EN.replace("{key}", &key).replace("{origin}", &origin).into_bytes()),
        ("key.txt", format!("{key}\n").into_bytes()),
        ("keiin_verify.py", READER.as_bytes().to_vec()),
    ] {
        zip.start_file(name, options).map_err(Problem::failed)?;
        zip.write_all(&bytes).map_err(Problem::failed)?;
    }
    zip.start_file("ledger.keiin", options.large_file(true)).map_err(Problem::failed)?;
    let source = Source { log: &app.log, anchorer: &app.anchorer, vault: Some(&app.vault), only: Some(&ids) };
    let whole = Range { open: true, ..Range::default() };
    let written = export::write(&source, ledger, whole, &mut zip).await;
    written.map_err(|error| Problem::failed(format!("{error:#}")))?;
    Ok((zip.finish().map_err(Problem::failed)?, files))
}

fn titles<const N: usize>(lang: Lang, ja: [&str; N], en: [&str; N]) -> [String; N] {
    if lang == Lang::Ja { ja } else { en }.map(str::to_owned)
}
