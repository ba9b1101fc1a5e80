//! What imports from CSV files have in common: each good row becomes a command of its own.
//!
//! Invariants:
//! * The check writes nothing into the ledger; it decides each row as the command would and forgets what was decided.
//! * A row's idempotency key follows from the request's key (or the file's hash) and the row's line. Whoever sends the same
//!   again, after an error or a crash in the middle, gets what is missing and nothing twice.
//! * Between the console's two steps the file lies in the vault, under the company's key, for an hour.

mod pages;

use futures_util::{StreamExt, TryStreamExt, stream};
use keiin_domain::command::Command;
use keiin_eventlog::vault::Entry;
use keiin_formats::csv::{Cell, Encoding, Record, Sheet, Table, open};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use self::pages::{Import, PARAMS, router};
use crate::app::App;
use crate::execute::{self, Call, execute};
use crate::locale::Lang;
use crate::principal::Principal;
use crate::problem::Problem;

/// Most rows of one file.
pub const ROWS_MAX: usize = 5_000;
/// Largest file.
pub const BYTES_MAX: usize = 5 << 20;
/// What the request body is; for the API's description.
pub const ABOUT: &str = "A CSV file of at most 5,000 rows and 5 MiB, in UTF-8 or CP932, with titles in its first row. \
    `check=true` writes nothing. The same file under the same Idempotency-Key doubles nothing.";

/// Kind of a file in the vault that was checked and not yet taken.
const FILE: &str = "csv";
/// How long it lies there.
const FILE_US: i64 = 3_600 * 1_000_000;
/// Rows that are registered at once: each waits for the disk, and they share the wait.
const AT_ONCE: usize = 16;

/// A column: the name of its field, its title in Japanese and in English, and other titles that mean the same.
pub struct Column {
    /// As in the API, or what stands for it in one cell.
    pub field: &'static str,
    ja: &'static str,
    en: &'static str,
    also: &'static [&'static str],
}

/// Declares one.
pub const fn column(field: &'static str, ja: &'static str, en: &'static str, also: &'static [&'static str]) -> Column {
    Column { field, ja, en, also }
}

impl Column {
    /// Its title.
    pub fn title(&self, lang: Lang) -> &'static str {
        if lang == Lang::Ja { self.ja } else { self.en }
    }

    fn is_called(&self, title: &str) -> bool {
        [self.field, self.ja, self.en].iter().chain(self.also).any(|name| name.eq_ignore_ascii_case(title))
    }
}

/// An empty table to fill in.
pub fn template(columns: &[Column], lang: Lang) -> Table {
    Table { columns: columns.iter().map(|column| column.title(lang).to_owned()).collect(), rows: vec![] }
}

/// A file that was understood as far as its columns.
pub struct Rows {
    /// How its characters are written.
    pub encoding: Encoding,
    /// What its columns are, in their order; `None` is not read.
    pub columns: Vec<Option<&'static Column>>,
    /// The titles as they stand there.
    pub titles: Vec<String>,
    /// The others.
    pub rows: Vec<Record>,
}

impl Rows {
    /// What the bytes hold, or why nothing can be read from them. `needed` columns must be there, else `missing` is said.
    pub fn read(
        bytes: &[u8],
        known: &'static [Column],
        needed: &[&str],
        missing: &'static str,
    ) -> Result<Rows, Problem> {
        let Sheet { encoding, rows, .. } = open(bytes).map_err(|error| {
            use keiin_formats::csv::Error::{Bytes, Quote};
            match error {
                Bytes { row, column } => Problem::at("import.unreadable", format!("/lines/{row}/{column}")),
                Quote { row } => Problem::at("import.open_quote", format!("/lines/{row}")),
            }
        })?;
        let mut rows = rows.into_iter();
        let titles: Vec<String> = rows.next().map_or(vec![], |row| row.cells);
        let titles: Vec<String> = titles.into_iter().map(|title| title.trim().to_owned()).collect();
        let find = |title: &String| known.iter().find(|column| column.is_called(&plain(title)));
        let columns: Vec<Option<&Column>> = titles.iter().map(find).collect();
        for (n, column) in columns.iter().enumerate().filter_map(|(n, column)| Some((n, (*column)?))) {
            if columns[..n].iter().flatten().any(|other| other.field == column.field) {
                return Err(Problem::at("import.column_twice", format!("/lines/1/{}", n + 1)));
            }
        }
        let has = |field: &&str| columns.iter().flatten().any(|column| column.field == *field);
        if !needed.iter().all(has) {
            return Err(Problem::at(missing, "/lines/1"));
        }
        let rows: Vec<Record> = rows.collect();
        if rows.len() > ROWS_MAX {
            return Err(Problem::at("import.too_many_rows", format!("/lines/{}", rows[ROWS_MAX].line)));
        }
        Ok(Rows { encoding, columns, titles, rows })
    }

    /// The place of a field's column, from 1.
    pub fn place(&self, field: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.is_some_and(|column| column.field == field)).map(|at| at + 1)
    }

    /// A row's text in a field's column.
    pub fn text(&self, row: &Record, field: &str) -> String {
        let cell = self.place(field).and_then(|at| row.cells.get(at - 1));
        cell.map_or(String::new(), |cell| plain(cell))
    }

    /// Titles of columns that are not read.
    pub fn ignored(&self) -> Vec<String> {
        let names = self.titles.iter().zip(&self.columns);
        names.filter(|(_, column)| column.is_none()).map(|(title, _)| title.clone()).collect()
    }

    /// `utf8`, `utf8_bom` or `cp932`.
    pub fn encoding_name(&self) -> &'static str {
        match self.encoding {
            Encoding::Utf8 => "utf8",
            Encoding::Utf8Bom => "utf8_bom",
            Encoding::Cp932 => "cp932",
        }
    }

    /// What is said of a line, in words.
    pub fn remark(
        &self,
        app: &App,
        lang: Lang,
        known: &[Column],
        line: usize,
        code: &'static str,
        field: &str,
    ) -> Remark {
        let column = self.place(field);
        let name = known.iter().find(|column| column.field == field).map(|column| column.title(lang));
        let title = column.and_then(|at| self.titles.get(at - 1)).map(String::as_str).or(name);
        let key = format!("problem-{}", code.replace(['.', '_'], "-"));
        let (field, title, detail) = (
            title.unwrap_or(field).to_owned(),
            app.texts.get(lang, &key, &[]),
            app.texts.get(lang, &format!("{key}-detail"), &[]),
        );
        Remark { line, column, field, code, title, detail }
    }

    /// Rows as they came, with one more column: why they were not taken.
    pub fn returned(&self, app: &App, lang: Lang, rejected: &[(usize, String)]) -> String {
        let mut columns = self.titles.clone();
        columns.push(app.texts.get(lang, "import-reason", &[]));
        let row = |(n, reason): &(usize, String)| {
            let cells = &self.rows[*n].cells;
            let cells = (0..self.titles.len()).map(|at| cells.get(at).cloned().unwrap_or_default());
            cells.chain([reason.clone()]).map(Cell::Text).collect()
        };
        let file = Table { columns, rows: rejected.iter().map(row).collect() }.write(Encoding::Utf8Bom);
        String::from_utf8_lossy(&file.bytes).into_owned()
    }
}

/// A cell's text. What looks like a formula is text like any other; the `'` that our own files put before one is taken off.
fn plain(cell: &str) -> String {
    let text = cell.trim();
    let kept = text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']));
    kept.unwrap_or(text).to_owned()
}

/// What is said of a row.
#[derive(Clone, Debug, Serialize)]
pub struct Remark {
    /// Line of the file on which the row begins.
    pub line: usize,
    /// From 1; absent where it concerns the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The column's title in the file, or the field that is missing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What is wrong.
    pub code: &'static str,
    /// The same in words.
    pub title: String,
    /// What to do.
    pub detail: String,
}

/// What came, or would come, of a file.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `utf8`, `utf8_bom` or `cp932`.
    pub encoding: &'static str,
    /// Below the titles.
    pub rows: usize,
    /// Rows that can be taken.
    pub good: usize,
    /// Rows that were taken now or by an earlier request for the same; 0 for a check.
    pub imported: usize,
    /// Good rows that were left out as duplicates.
    pub skipped: usize,
    /// Titles of columns that are not read.
    pub ignored_columns: Vec<String>,
    /// Why rows cannot be taken.
    pub errors: Vec<Remark>,
    /// Rows like another one, or like one that is there.
    pub duplicates: Vec<Remark>,
    /// The rows that were not taken as CSV (UTF-8 with a mark), with the reason in one more column; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

/// How a file is to be read.
pub struct Wish {
    /// Write nothing.
    pub check: bool,
    /// Leave duplicates out.
    pub skip: bool,
    /// Of the request, or the file's hash.
    pub key: String,
    /// Of what is said.
    pub lang: Lang,
}

/// The key of a file that came without one.
pub fn file_key(file: &[u8]) -> String {
    format!("file {}", hex::encode(Sha256::digest(file)))
}

/// The key of a row's command.
pub fn row_key(key: &str, line: usize) -> String {
    format!("import {} {line}", hex::encode(Sha256::digest(key)))
}

/// Everything that the command refuses of a row, each with its field: what is refused is taken for right, and the command
/// asked again, until it refuses nothing more. `mend` puts something right into a field, or says that there is no such.
pub async fn faults<C: Command>(
    app: &App,
    principal: &Principal,
    call: &Call,
    command: &C,
    field_of: impl Fn(&str) -> String,
    mend: impl Fn(&mut C, &str) -> bool,
) -> Result<Vec<(&'static str, String)>, Problem> {
    let (mut command, mut found) = (command.clone(), vec![]);
    while let Err(problem) = execute::rehearse(app, principal, command.clone(), call).await {
        if problem.status.is_server_error() {
            return Err(problem);
        }
        let field = problem.errors.first().map_or(String::new(), |fault| field_of(&fault.pointer));
        let is_mended = mend(&mut command, &field) && found.iter().all(|(_, other)| *other != field);
        found.push((problem.code, field));
        if !is_mended {
            break;
        }
    }
    Ok(found)
}

/// Each row a command of its own. A retry finds those that were carried out.
pub async fn register<C: Command>(
    app: &App,
    principal: &Principal,
    call: &Call,
    file: &[u8],
    rows: Vec<(String, C)>,
) -> Result<usize, Problem> {
    let allowed = principal.allow::<C>()?;
    let request_hash = execute::request_hash(principal, C::NAME, None, file);
    let all = rows.into_iter().map(|(key, command)| {
        let call = Call { key: Some(key), request_hash, ..call.clone() };
        let allowed = &allowed;
        async move {
            let done = execute(app, allowed, command, &call).await;
            crate::reception::follow(app, C::NAME, principal.ledger, &done, call.now_us).await;
            done
        }
    });
    let done: Vec<_> = stream::iter(all).buffered(AT_ONCE).try_collect().await?;
    if let Some(last) = done.iter().filter_map(|done| done.span).map(|span| span.last).max() {
        app.wait(principal.ledger, last).await?;
    }
    Ok(done.len())
}

/// Puts a checked file away; its name leads nobody else to it.
pub fn keep(app: &App, principal: &Principal, call: &Call, file: &[u8]) -> Result<String, Problem> {
    let mut hash = Sha256::new();
    [principal.ledger.as_bytes(), principal.actor.id.as_bytes(), file].iter().for_each(|part| hash.update(part));
    let id: [u8; 32] = hash.finalize().into();
    app.vault.put(&[Entry {
        kind: FILE.to_owned(),
        lookup: id.to_vec(),
        ledger: principal.ledger,
        owner: principal.actor.id,
        value: file.to_vec(),
        created_us: call.now_us,
        expires_us: Some(call.now_us + FILE_US),
    }])?;
    Ok(hex::encode(id))
}

/// What was put away, for whoever did it.
pub fn kept(app: &App, principal: &Principal, call: &Call, id: &str) -> Result<Vec<u8>, Problem> {
    let gone = || Problem::new("import.gone");
    let id = hex::decode(id).map_err(|_| gone())?;
    let entry = app.vault.get(FILE, &id)?.ok_or_else(gone)?;
    let is_own = entry.ledger == principal.ledger && entry.owner == principal.actor.id;
    if is_own && entry.expires_us.is_some_and(|until| call.now_us < until) { Ok(entry.value) } else { Err(gone()) }
}
