//! Exports: a ledger, or a range of it, as a bundle that anybody verifies offline (`docs/LOG-FORMAT.md`, section 5).

use std::collections::HashSet;
use std::io::{BufWriter, Write};

use anyhow::{Context, bail};
use keiin_domain::command::Command;
use keiin_domain::envelope;
use keiin_domain::event::Stored;
use keiin_domain::json::event_json;
use keiin_domain::log::RecordExport;
use keiin_domain::sealed::Open;
use keiin_eventlog::anchor::Anchorer;
use keiin_eventlog::bundle::{Evidence, Header, Opening, Writer};
use keiin_eventlog::log::Log;
use keiin_eventlog::record::{Leaf, Record, is_clear_kind};
use keiin_eventlog::seal::{self, Key};
use keiin_eventlog::vault::Vault;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::execute::{Call, execute};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::random;

/// Records read from the log at once.
const PAGE: usize = 1_000;

/// What an export that opens only some documents opens of each.
const OPENED: [&str; 2] = ["document", "paper"];

/// What to export from; also beside a running server.
pub struct Source<'a> {
    /// The ledgers.
    pub log: &'a Log,
    /// The checkpoints.
    pub anchorer: &'a Anchorer,
    /// Needed only for opened exports.
    pub vault: Option<&'a Vault>,
    /// An opened export opens only what happened to these documents and their papers.
    pub only: Option<&'a HashSet<Uuid>>,
}

/// Which part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// First position; 0 if absent.
    pub from: Option<u64>,
    /// Position after the last; the checkpoint's size if absent.
    pub to: Option<u64>,
    /// With each record's secret and text.
    pub open: bool,
}

/// What was exported.
#[derive(Clone, Copy, Debug)]
pub struct Exported {
    /// First position.
    pub first: u64,
    /// Records.
    pub count: u64,
    /// Size of the ledger that the checkpoint speaks of.
    pub size: u64,
}

/// Writes a bundle that ends in the last anchored checkpoint.
pub async fn write(source: &Source<'_>, ledger: Uuid, range: Range, out: impl Write) -> anyhow::Result<Exported> {
    let anchored =
        source.anchorer.latest(ledger).context("this ledger has no checkpoint yet; start the server once")?;
    let size = anchored.size;
    let (first, end) = (range.from.unwrap_or(0), range.to.unwrap_or(size));
    if first >= end || end > size {
        bail!("the range {first}..{end} does not lie within the {size} records of the last checkpoint");
    }
    let (first, end) = (commit_start(source.log, ledger, first).await?, commit_end(source.log, ledger, end).await?);
    let is_whole = first == 0 && end == size;
    let evidence = if is_whole {
        None
    } else {
        let keys = key_records(source.log, ledger, first, end, size).await?;
        source.anchorer.with_tree(&anchored, |tree| Evidence::new(tree, (first, end, size), keys.clone())).await?
    };
    let header = Header { opened: range.open, first, count: end - first };
    let mut writer = Writer::new(BufWriter::new(out), header, &anchored.checkpoint, evidence.as_ref())?;
    let mut at = first;
    while at < end {
        let wanted = PAGE.min((end - at) as usize);
        let records = source.log.read(ledger, at, wanted).await?;
        if records.is_empty() {
            bail!("the log ends at position {at}, before its checkpoint");
        }
        for record in &records {
            let opening = if range.open { opening(source, record)? } else { None };
            writer.record(record, opening.as_ref())?;
        }
        at += records.len() as u64;
    }
    writer.finish()?;
    Ok(Exported { first, count: end - first, size })
}

/// A bundle begins and ends between commits, so a range grows to the commits that it touches: down to the record after
/// the last signature before `first`.
async fn commit_start(log: &Log, ledger: Uuid, mut first: u64) -> anyhow::Result<u64> {
    while first > 0 {
        let from = first.saturating_sub(PAGE as u64);
        let before = log.read(ledger, from, (first - from) as usize).await?;
        if let Some(back) = before.iter().rev().position(|record| record.signature.is_some()) {
            return Ok(first - back as u64);
        }
        first = from;
    }
    Ok(0)
}

/// Up to the first signature at or after the record before `end`.
async fn commit_end(log: &Log, ledger: Uuid, end: u64) -> anyhow::Result<u64> {
    let mut at = end - 1;
    loop {
        let records = log.read(ledger, at, PAGE).await?;
        if let Some(ahead) = records.iter().position(|record| record.signature.is_some()) {
            return Ok(at + ahead as u64 + 1);
        }
        anyhow::ensure!(!records.is_empty(), "the log ends inside a commit at position {at}");
        at += records.len() as u64;
    }
}

/// The `ledger.*` records outside a range: whoever checks the range follows the signer through them.
async fn key_records(log: &Log, ledger: Uuid, first: u64, end: u64, size: u64) -> anyhow::Result<Vec<(u64, Record)>> {
    let stream = keiin_eventlog::record::Stream::new(keiin_eventlog::clear::STREAM, ledger);
    let (mut found, mut version) = (vec![], 0);
    loop {
        let records = log.read_stream(ledger, &stream, version, PAGE).await?;
        if records.is_empty() {
            return Ok(found);
        }
        version += records.len() as u64;
        for record in records {
            let position = Leaf::decode(&record.leaf)?.position;
            if position < size && !(first..end).contains(&position) {
                found.push((position, record));
            }
        }
    }
}

fn opening(source: &Source<'_>, record: &Record) -> anyhow::Result<Option<Opening>> {
    let leaf = Leaf::decode(&record.leaf)?;
    if is_clear_kind(&leaf.event_kind) {
        return Ok(None);
    }
    let stream = &leaf.stream;
    let wanted = |ids: &HashSet<Uuid>| OPENED.contains(&stream.kind.as_str()) && ids.contains(&stream.id);
    if !source.only.is_none_or(wanted) {
        return Ok(None);
    }
    let vault = source.vault.context("an opened export needs the vault")?;
    let body = record.body.as_deref().context("the body was dropped")?;
    let secret = secret(vault, &leaf, body)?;
    let json = rendered(&leaf, &seal::open_disclosed(&secret, &leaf, body)?);
    Ok(Some(Opening { secret, json: json.unwrap_or_default() }))
}

/// The secret of a sealed record, which opens this record and no other.
pub fn secret(vault: &Vault, leaf: &Leaf, body: &[u8]) -> anyhow::Result<Key> {
    let epoch = leaf.sealed_epoch.context("a sealed record has an epoch")?;
    Ok(seal::disclose(&vault.body_key(leaf.ledger, epoch)?, leaf, body)?)
}

/// The JSON of an opened body. Personal fields stay closed: the secret of a record does not open them.
pub fn rendered(leaf: &Leaf, text: &[u8]) -> Option<String> {
    struct Closed;
    impl Open for Closed {
        fn open(&self, _: Uuid, _: u16, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }
    let (_, event) = envelope::read(text)?;
    let event = Stored { kind: leaf.event_kind.clone(), version: leaf.event_version, bytes: event.to_vec() };
    let mut json = event_json(&leaf.stream.kind, &event, &Closed)?;
    close(&mut json);
    Some(json.to_string())
}

/// What cannot be opened here is sealed, not erased.
fn close(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.remove("erased").is_some() {
                fields.insert("sealed".into(), Value::Bool(true));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// The caller's whole ledger, in a file that is gone when it is closed. The export is an event of that ledger.
pub async fn to_file(app: &App, principal: &Principal, call: &Call) -> Result<tokio::fs::File, Problem> {
    app.anchorer.anchor_now(principal.ledger).await?;
    let path = app.data.root().join("tmp").join(format!("{}.keiin", random::id_at(call.now_us)));
    let file = std::fs::File::create_new(&path).map_err(Problem::failed)?;
    let source = Source { log: &app.log, anchorer: &app.anchorer, vault: Some(&app.vault), only: None };
    let exported = write(&source, principal.ledger, Range::default(), &file).await;
    let reopened = tokio::fs::File::open(&path).await;
    // The open file stays readable; the name is not needed any more.
    std::fs::remove_file(&path).map_err(Problem::failed)?;
    let exported = exported.map_err(|error| Problem::failed(format!("{error:#}")))?;
    record(app, principal, call, RecordExport { from: exported.first, size: exported.size }).await?;
    reopened.map_err(Problem::failed)
}

/// Writes down what somebody took. Who may take it may have it written down.
pub async fn record<C: Command>(app: &App, principal: &Principal, call: &Call, command: C) -> Result<(), Problem> {
    let allowed = Principal {
        actor: keiin_domain::context::Actor { role: keiin_domain::role::Role::System, ..principal.actor },
        scopes: None,
        ..principal.clone()
    }
    .allow::<C>()?;
    execute(app, &allowed, command, &Call { key: None, target: None, if_match: None, ..call.clone() }).await?;
    Ok(())
}
