//! Follows the ledgers and folds them into the read models.
//!
//! Invariants:
//! * A fold's writes and the move of its position are one transaction, and the position moves by compare-and-swap: two
//!   runners never fold a record twice.
//! * A record that a projection cannot fold stops that projection for that ledger, with the reason kept; nothing is
//!   skipped, nothing else stops.
//! * `read.db` may be deleted at any time; effects' outcomes are events, so even the outbox comes back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use keiin_eventlog::log::Log;
use keiin_eventlog::record::Record;
use keiin_eventlog::vault::Vault;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use tokio::sync::watch;
use uuid::Uuid;

use crate::fact::{Fact, Opener, Unreadable};
use crate::table::{self, Live, Memory, Sink, Table, Writes};

/// A read model: tables, a revision and a pure fold.
pub struct Projection {
    /// Its name, also in `positions`.
    pub name: &'static str,
    /// Raised when the fold or a table changes: the next start rebuilds.
    pub revision: i64,
    /// What it owns.
    pub tables: &'static [&'static Table],
    /// Takes one record in. The error stops this projection for this ledger.
    pub fold: fn(&Fact, &Opener, &mut Writes) -> Result<(), String>,
}

/// Records read from the log at once.
const PAGE: usize = 500;
/// Heads read at once.
const HEADS: usize = 500;

const STATE: &str = "
    CREATE TABLE IF NOT EXISTS positions (
        projection TEXT NOT NULL, ledger BLOB NOT NULL, next BIGINT NOT NULL, stopped TEXT,
        PRIMARY KEY (projection, ledger)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS revisions (projection TEXT PRIMARY KEY, revision BIGINT NOT NULL) WITHOUT ROWID;";

/// Tables that are no projection's.
const KEPT: [&str; 3] = ["positions", "revisions", "effect_attempts"];

/// Something about the read models went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ReadModelError {
    /// SQLite said no.
    #[error("read model: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The log said no.
    #[error("read model: {0}")]
    Store(#[from] keiin_eventlog::store::StoreError),
    /// Erased text may still stand in the write-ahead log, because a reader holds on to it.
    #[error("read model: a reader keeps what was erased in the write-ahead log; it is tried again")]
    Busy,
}

/// A projection that waits for an upgrade or a repair.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Stopped {
    /// Which.
    pub projection: String,
    /// Whose records.
    pub ledger: Uuid,
    /// Where it waits.
    pub position: u64,
    /// Why.
    pub reason: String,
}

/// Opens `read.db` with the settings that every connection to it needs.
pub fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

/// The one writer of `read.db`.
pub struct Runner {
    path: PathBuf,
    log: Log,
    vault: Arc<Vault>,
    projections: &'static [Projection],
    connection: Mutex<Connection>,
    /// Next position per ledger that every projection has folded up to.
    done: watch::Sender<HashMap<Uuid, u64>>,
    /// Something was scrubbed and may still stand in the write-ahead log.
    overwritten: AtomicBool,
    /// One rebuild at a time.
    rebuilding: tokio::sync::Mutex<()>,
}

impl Runner {
    /// Opens the read models; makes what is missing. A changed revision is rebuilt before this returns.
    pub async fn open(
        path: &Path,
        log: Log,
        vault: Arc<Vault>,
        projections: &'static [Projection],
    ) -> Result<Arc<Runner>, ReadModelError> {
        let connection = connect(path)?;
        connection.execute_batch(STATE)?;
        connection.execute_batch(crate::mail::ATTEMPTS)?;
        let revisions: Vec<_> = projections.iter().map(|p| revision(&connection, p)).collect::<Result<_, _>>()?;
        let changed = revisions.iter().zip(projections).any(|(found, p)| *found != Some(p.revision));
        drop_others(&connection, projections)?;
        for projection in projections {
            table::create(&connection, projection.tables)?;
        }
        // What stopped may have been mended by an upgrade; what was not stops again.
        connection.execute("UPDATE positions SET stopped = NULL", [])?;
        forget_overwritten(&connection)?;
        let (done, _) = watch::channel(HashMap::new());
        let runner = Arc::new(Runner {
            path: path.to_owned(),
            log,
            vault,
            projections,
            connection: Mutex::new(connection),
            done,
            overwritten: AtomicBool::new(false),
            rebuilding: tokio::sync::Mutex::new(()),
        });
        if changed {
            runner.rebuild().await?;
        }
        Ok(runner)
    }

    /// Where this runner's `read.db` is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Follows the log until the process ends. Trouble with the store is retried; nothing is skipped.
    pub async fn follow(self: Arc<Self>) {
        let mut changed = self.log.changed();
        loop {
            let wait = match self.catch_up().await {
                Ok(()) => Duration::from_secs(60),
                Err(error) => {
                    tracing::warn!(%error, "read models lag behind");
                    Duration::from_millis(500)
                }
            };
            let _ = tokio::time::timeout(wait, changed.changed()).await;
        }
    }

    /// Folds everything that is durable now.
    pub async fn catch_up(&self) -> Result<(), ReadModelError> {
        if self.overwritten.load(Ordering::SeqCst) {
            self.forget(&self.lock())?;
        }
        let mut after = None;
        loop {
            let heads = self.log.heads(after, HEADS).await?;
            let Some(last) = heads.last() else { return Ok(()) };
            after = Some(last.ledger);
            for head in &heads {
                while self.done.borrow().get(&head.ledger).copied().unwrap_or(0) < head.size {
                    if !self.fold_page(head.ledger, head.size).await? {
                        break;
                    }
                }
            }
        }
    }

    /// Folds one page of a ledger; false when every projection has stopped or is done.
    async fn fold_page(&self, ledger: Uuid, size: u64) -> Result<bool, ReadModelError> {
        let at = self.positions(ledger)?;
        let Some(from) = at.iter().filter(|p| p.stopped.is_none()).map(|p| p.next).min() else { return Ok(false) };
        if from >= size {
            let _held = self.lock();
            self.publish(ledger, from);
            return Ok(false);
        }
        let records = self.log.read(ledger, from, PAGE).await?;
        if records.is_empty() {
            return Ok(false);
        }
        let facts: Vec<_> = records.iter().map(|record| Fact::open(record, &self.vault)).collect();
        self.fold_facts(ledger, from, &facts, &at)?;
        Ok(true)
    }

    /// Folds and publishes; nothing of it happens if somebody else moved a position meanwhile.
    fn fold_facts(
        &self,
        ledger: Uuid,
        from: u64,
        facts: &[Result<Fact, Unreadable>],
        at: &[Position],
    ) -> Result<(), ReadModelError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let opener = Opener { vault: &self.vault, ledger };
        let mut erased = false;
        for (projection, position) in self.projections.iter().zip(at).filter(|(_, p)| p.stopped.is_none()) {
            let skip = (position.next - from) as usize;
            let mut next = position.next;
            let mut stopped = None;
            for fact in facts.iter().skip(skip) {
                match fold(projection, fact, &opener, &mut Live(&transaction)) {
                    Ok(scrubbed) => erased |= scrubbed,
                    Err(Halt::Sql(error)) => return Err(error.into()),
                    Err(Halt::Poison(reason)) => {
                        stopped = Some(reason);
                        break;
                    }
                }
                next += 1;
            }
            let moved = transaction.execute(
                "INSERT INTO positions (projection, ledger, next, stopped) VALUES (?1, ?2, ?3, ?5)
                 ON CONFLICT (projection, ledger) DO UPDATE SET next = ?3, stopped = ?5 WHERE next = ?4",
                (projection.name, table::id(ledger), next as i64, position.next as i64, &stopped),
            )?;
            if moved == 0 {
                return Ok(());
            }
            if let Some(reason) = stopped {
                tracing::error!(projection = projection.name, %ledger, position = next, reason, "projection stopped");
            }
        }
        transaction.commit()?;
        if erased {
            self.forget(&connection)?;
        }
        self.publish(ledger, from + facts.len() as u64);
        Ok(())
    }

    /// Says how far a ledger is folded. Called with the connection held, so that it never runs behind a rebuild.
    fn publish(&self, ledger: Uuid, next: u64) {
        self.done.send_modify(|done| {
            done.insert(ledger, next);
        });
    }

    fn positions(&self, ledger: Uuid) -> Result<Vec<Position>, ReadModelError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT next, stopped FROM positions WHERE projection = ?1 AND ledger = ?2")?;
        let read = |p: &Projection| {
            statement
                .query_row((p.name, table::id(ledger)), |row| {
                    Ok(Position { next: row.get::<_, i64>(0)? as u64, stopped: row.get(1)? })
                })
                .optional()
                .map(Option::unwrap_or_default)
        };
        Ok(self.projections.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// Waits until the read models hold `position`; false when `patience` ran out.
    pub async fn wait(&self, ledger: Uuid, position: u64, patience: Duration) -> bool {
        let mut done = self.done.subscribe();
        let there = done.wait_for(|done| done.get(&ledger).is_some_and(|next| *next > position));
        matches!(tokio::time::timeout(patience, there).await, Ok(Ok(_)))
    }

    /// Projections that wait for an upgrade or a repair.
    pub fn stopped(&self) -> Result<Vec<Stopped>, ReadModelError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT projection, ledger, next, stopped FROM positions WHERE stopped IS NOT NULL")?;
        let rows = statement.query_map([], |row| {
            let ledger: [u8; 16] = row.get(1)?;
            Ok(Stopped {
                projection: row.get(0)?,
                ledger: Uuid::from_bytes(ledger),
                position: row.get::<_, i64>(2)? as u64,
                reason: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Folds everything from zero in memory, ledger by ledger, writes it sorted beside the live tables and swaps. Readers see
    /// the old tables until the new ones are whole; what was appended meanwhile is folded on top. Returns the records folded.
    pub async fn rebuild(&self) -> Result<u64, ReadModelError> {
        let _alone = self.rebuilding.lock().await;
        let tables: Vec<&'static Table> = self.projections.iter().flat_map(|p| p.tables.iter().copied()).collect();
        table::create_beside(&self.lock(), &tables)?;
        let mut reached: Vec<(Uuid, Vec<Position>)> = vec![];
        let mut count = 0;
        let mut after = None;
        loop {
            let heads = self.log.heads(after, HEADS).await?;
            let Some(last) = heads.last() else { break };
            after = Some(last.ledger);
            for head in &heads {
                let mut memory = Memory::default();
                let mut at: Vec<Position> = self.projections.iter().map(|_| Position::default()).collect();
                let mut from = 0;
                while from < head.size {
                    let wanted = PAGE.min((head.size - from) as usize);
                    let records = self.log.read(head.ledger, from, wanted).await?;
                    if records.is_empty() {
                        break;
                    }
                    for record in &records {
                        self.fold_in_memory(head.ledger, record, &mut memory, &mut at)?;
                    }
                    from += records.len() as u64;
                    memory.write_out_grown(&mut self.lock())?;
                }
                count += from;
                memory.write_out(&mut self.lock())?;
                reached.push((head.ledger, at));
            }
        }
        self.swap_in(&tables, &reached)?;
        self.catch_up().await?;
        Ok(count)
    }

    /// Puts the rebuilt tables in place, with the positions that they stand at.
    fn swap_in(&self, tables: &[&'static Table], reached: &[(Uuid, Vec<Position>)]) -> Result<(), ReadModelError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        table::swap(&transaction, tables)?;
        transaction.execute_batch("DELETE FROM positions; DELETE FROM revisions;")?;
        for (n, projection) in self.projections.iter().enumerate() {
            transaction.execute("INSERT INTO revisions VALUES (?1, ?2)", (projection.name, projection.revision))?;
            for (ledger, at) in reached {
                let row = (projection.name, table::id(*ledger), at[n].next as i64, &at[n].stopped);
                transaction.execute("INSERT INTO positions VALUES (?1, ?2, ?3, ?4)", row)?;
            }
        }
        transaction.commit()?;
        // If a reader is in the way now, the catch-up that follows tries again.
        let _ = self.forget(&connection);
        // Lower than before where records arrived meanwhile: they are folded again, on top of the new tables.
        let slowest = |at: &[Position]| at.iter().filter(|p| p.stopped.is_none()).map(|p| p.next).min().unwrap_or(0);
        self.done.send_modify(|done| *done = reached.iter().map(|(ledger, at)| (*ledger, slowest(at))).collect());
        Ok(())
    }

    fn fold_in_memory(
        &self,
        ledger: Uuid,
        record: &Record,
        memory: &mut Memory,
        at: &mut [Position],
    ) -> Result<(), ReadModelError> {
        let fact = Fact::open(record, &self.vault);
        let opener = Opener { vault: &self.vault, ledger };
        for (projection, position) in self.projections.iter().zip(at).filter(|(_, p)| p.stopped.is_none()) {
            match fold(projection, &fact, &opener, memory) {
                Ok(_) => position.next += 1,
                Err(Halt::Sql(error)) => return Err(error.into()),
                Err(Halt::Poison(reason)) => position.stopped = Some(reason),
            }
        }
        Ok(())
    }

    /// Empties the write-ahead log now, or, if a reader is in the way, at the next catch-up.
    fn forget(&self, connection: &Connection) -> Result<(), ReadModelError> {
        let outcome = forget_overwritten(connection);
        self.overwritten.store(outcome.is_err(), Ordering::SeqCst);
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().expect("no fold panics while it holds the connection")
    }

    /// A canonical dump of every read table.
    pub fn dump(&self) -> Result<String, ReadModelError> {
        let connection = self.lock();
        let tables: Vec<&'static Table> = self.projections.iter().flat_map(|p| p.tables.iter().copied()).collect();
        Ok(table::dump(&connection, &tables)?)
    }
}

#[derive(Default)]
struct Position {
    next: u64,
    stopped: Option<String>,
}

enum Halt {
    Sql(rusqlite::Error),
    Poison(String),
}

/// One record into one projection. True when it scrubbed a person.
fn fold(
    projection: &Projection,
    fact: &Result<Fact, Unreadable>,
    opener: &Opener,
    sink: &mut dyn Sink,
) -> Result<bool, Halt> {
    let fact = fact.as_ref().map_err(|unreadable| Halt::Poison(unreadable.reason.clone()))?;
    if let Some(subject) = erased_subject(fact) {
        sink.scrub(opener.ledger, projection.tables, subject).map_err(Halt::Sql)?;
    }
    let mut writes = Writes::default();
    (projection.fold)(fact, opener, &mut writes).map_err(Halt::Poison)?;
    for write in writes.0 {
        sink.write(opener.ledger, write).map_err(Halt::Sql)?;
    }
    Ok(erased_subject(fact).is_some())
}

fn erased_subject(fact: &Fact) -> Option<Uuid> {
    use keiin_eventlog::clear::{self, Clear};
    match Clear::parse(&fact.event.kind, fact.event.version, &fact.event.bytes) {
        Ok(Clear::SubjectErased { subject }) if fact.event.kind == clear::SUBJECT_ERASED => Some(subject),
        _ => None,
    }
}

/// What a scrub or a rebuild overwrote must not survive in the write-ahead log. Waits for readers up to the busy timeout.
fn forget_overwritten(connection: &Connection) -> Result<(), ReadModelError> {
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy { Err(ReadModelError::Busy) } else { Ok(()) }
}

/// Tables that no projection has any more, or that an interrupted rebuild left, would escape every scrub.
fn drop_others(connection: &Connection, projections: &[Projection]) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let found: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let known = |name: &str| projections.iter().flat_map(|p| p.tables).any(|table| table.name == name);
    for name in found.iter().filter(|name| !known(name) && !KEPT.contains(&name.as_str())) {
        connection.execute_batch(&format!("DROP TABLE \"{name}\""))?;
    }
    Ok(())
}

fn revision(connection: &Connection, projection: &Projection) -> rusqlite::Result<Option<i64>> {
    connection
        .query_row("SELECT revision FROM revisions WHERE projection = ?1", [projection.name], |row| row.get(0))
        .optional()
}
