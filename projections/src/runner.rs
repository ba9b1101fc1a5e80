//! Follows the ledgers and folds them into the read models.
//!
//! Invariants:
//! * A fold's writes and the move of its position are one transaction, and the position moves by compare-and-swap: two
//!   runners never fold a record twice, be they in one process or on two nodes.
//! * A record that a projection cannot fold stops that projection for that ledger, with the reason kept; nothing is
//!   skipped, nothing else stops.
//! * The read models may be deleted at any time; effects' outcomes are events, so even the outbox comes back.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use keiin_eventlog::log::Log;
use keiin_eventlog::sql::postgres::Client;
use keiin_eventlog::sql::{Connection, OpenError, Row, Scope, SqlError, Tx};
use keiin_eventlog::values;
use keiin_eventlog::vault::Vault;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::database::{Database, Opened, Version, sqlite};
use crate::fact::{Fact, Opener, Unreadable};
use crate::sink::Live;
use crate::table::{self, Table, Value, Write, Writes, cell, id};

mod rebuild;

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

/// How often a node looks for what others have appended, where nothing wakes it.
const ROUND: Duration = Duration::from_secs(1);
/// How often it is looked for tables that no node works with.
const LOOK_FOR_UNUSED: Duration = Duration::from_secs(20);
/// After how long of that they are dropped: a node that only starts again finds them as they were.
const UNUSED: Duration = Duration::from_secs(60);
/// How often somebody who waits looks for what another node has folded.
const LOOK: Duration = Duration::from_millis(50);

/// Something about the read models went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ReadModelError {
    /// The database said no.
    #[error("read model: {0}")]
    Sql(#[from] SqlError),
    /// The database cannot be used as it is.
    #[error("read model: {0}")]
    Open(#[from] OpenError),
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

/// The writer of the read models on this node.
pub struct Runner {
    log: Log,
    vault: Arc<Vault>,
    projections: &'static [Projection],
    connection: Mutex<Connection>,
    /// Where other nodes fold too: a way beside `connection`.
    shared: Option<Client>,
    /// Which tables they are, where nodes of other versions have others beside.
    version: Option<Version>,
    /// Next position per ledger that every projection has folded up to, as far as this node knows.
    done: watch::Sender<HashMap<Uuid, u64>>,
    /// Something was scrubbed and may still stand in SQLite's write-ahead log.
    overwritten: AtomicBool,
    /// One rebuild at a time.
    rebuilding: tokio::sync::Mutex<()>,
}

impl Runner {
    /// Opens the read models; makes what is missing. A changed revision is rebuilt before this returns.
    pub async fn open(
        database: Database,
        log: Log,
        vault: Arc<Vault>,
        projections: &'static [Projection],
    ) -> Result<Arc<Runner>, ReadModelError> {
        let version = database.enter(projections).await?;
        let Opened { mut connection, unfilled } = database.open(projections)?;
        // What stopped may have been mended by an upgrade; what was not stops again.
        let go_on = "UPDATE positions SET stopped = NULL WHERE stopped IS NOT NULL";
        connection.write(Scope::All, |tx| tx.execute(go_on, &[]))?;
        let (done, _) = watch::channel(HashMap::new());
        let runner = Arc::new(Runner {
            log,
            vault,
            projections,
            shared: match &connection {
                Connection::Postgres(client) => Some(client.clone()),
                Connection::Sqlite(_) => None,
            },
            connection: Mutex::new(connection),
            version,
            done,
            overwritten: AtomicBool::new(false),
            rebuilding: tokio::sync::Mutex::new(()),
        });
        runner.forget(&runner.lock())?;
        if unfilled {
            runner.rebuild().await?;
        }
        Ok(runner)
    }

    /// Follows the log until the process ends. Trouble with the store is retried; nothing is skipped.
    pub async fn follow(self: Arc<Self>) {
        let mut changed = self.log.changed();
        loop {
            let wait = match self.catch_up().await {
                Ok(()) if self.shared.is_some() => ROUND,
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
        let at = self.positions(&mut self.lock(), ledger)?;
        let Some(from) = slowest(&at) else { return Ok(false) };
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
        self.fold_facts(ledger, from, &facts, at)?;
        Ok(true)
    }

    /// Folds and publishes; nothing of it happens if somebody else moved a position meanwhile.
    fn fold_facts(
        &self,
        ledger: Uuid,
        from: u64,
        facts: &[Result<Fact, Unreadable>],
        mut at: Vec<Position>,
    ) -> Result<(), ReadModelError> {
        let opener = Opener { vault: &self.vault, ledger };
        let (was, mut writes) = (at.clone(), vec![]);
        for (projection, position) in self.projections.iter().zip(&mut at).filter(|(_, p)| p.stopped.is_none()) {
            for fact in facts.iter().skip((position.next - from) as usize) {
                fold(projection, fact, &opener, position, &mut writes);
            }
            if let Some(reason) = &position.stopped {
                let at = position.next;
                tracing::error!(projection = projection.name, %ledger, position = at, reason, "projection stopped");
            }
        }
        let erased = writes.iter().any(|write| matches!(write, Write::Scrub(..)));
        let mut connection = self.lock();
        let done = connection.write(Scope::Ledger(ledger), |tx| {
            self.claim(tx, ledger)?;
            self.move_on(tx, ledger, &was, &at)?;
            Live::write(tx, ledger, writes).map_err(Halt::Sql)
        });
        match done {
            Ok(()) => {}
            Err(Halt::Moved) => return Ok(()),
            Err(Halt::Sql(error)) => return Err(error.into()),
        }
        if erased {
            self.forget(&connection)?;
        }
        self.publish(ledger, from + facts.len() as u64);
        Ok(())
    }

    /// Moves the positions of a ledger, if they still stand where they were.
    fn move_on(&self, tx: &mut Tx<'_>, ledger: Uuid, was: &[Position], now: &[Position]) -> Result<(), Halt> {
        let mut groups: BTreeMap<(u64, &Position), Vec<&str>> = BTreeMap::new();
        for ((projection, was), now) in self.projections.iter().zip(was).zip(now).filter(|((_, was), now)| was != now) {
            groups.entry((was.next, now)).or_default().push(projection.name);
        }
        for ((was, now), names) in groups {
            if was == 0 {
                for name in &names {
                    let sql =
                        "INSERT INTO positions (projection, ledger, next) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
                    tx.execute(sql, &values![*name, ledger])?;
                }
            }
            let marks: Vec<String> = (5..5 + names.len()).map(|n| format!("${n}")).collect();
            let sql = format!(
                "UPDATE positions SET next = $1, stopped = $2 WHERE ledger = $3 AND next = $4 AND stopped IS NULL
                 AND projection IN ({})",
                marks.join(", ")
            );
            let mut values = values![now.next, now.stopped.clone(), ledger, was].to_vec();
            values.extend(names.iter().copied().map(cell));
            if tx.execute(&sql, &values)? != names.len() as u64 {
                return Err(Halt::Moved);
            }
        }
        Ok(())
    }

    /// Says how far a ledger is folded. Called with the connection held, so that it never runs behind a rebuild.
    fn publish(&self, ledger: Uuid, next: u64) {
        self.done.send_modify(|done| {
            done.insert(ledger, next);
        });
    }

    /// Where each projection stands in a ledger.
    fn positions(&self, connection: &mut Connection, ledger: Uuid) -> Result<Vec<Position>, SqlError> {
        let marks: Vec<String> = (2..2 + self.projections.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT projection, next, stopped FROM positions WHERE ledger = $1 AND projection IN ({})",
            marks.join(", ")
        );
        let values: Vec<Value> =
            [id(ledger)].into_iter().chain(self.projections.iter().map(|p| cell(p.name))).collect();
        let mut at = vec![Position::default(); self.projections.len()];
        for row in connection.query(Scope::Ledger(ledger), &sql, &values)? {
            let name: String = row.get(0)?;
            for (position, _) in at.iter_mut().zip(self.projections).filter(|(_, p)| p.name == name) {
                *position = Position { next: row.get(1)?, stopped: row.get(2)? };
            }
        }
        Ok(at)
    }

    /// Waits until the read models hold `position`, whoever folds it; false when `patience` ran out.
    pub async fn wait(&self, ledger: Uuid, position: u64, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut done = self.done.subscribe();
        loop {
            let there = done.wait_for(|done| done.get(&ledger).is_some_and(|next| *next > position));
            let until = if self.shared.is_some() { deadline.min(Instant::now() + LOOK) } else { deadline };
            if let Ok(found) = tokio::time::timeout_at(until, there).await {
                return found.is_ok();
            }
            if self.is_folded_elsewhere(ledger, position) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    fn is_folded_elsewhere(&self, ledger: Uuid, position: u64) -> bool {
        let Some(client) = &self.shared else { return false };
        let at = self.positions(&mut Connection::Postgres(client.clone()), ledger);
        at.is_ok_and(|at| slowest(&at).is_some_and(|next| next > position))
    }

    /// On PostgreSQL: nobody else folds this ledger into these tables before the transaction ends.
    fn claim(&self, tx: &mut Tx<'_>, ledger: Uuid) -> Result<(), SqlError> {
        let Some(Version { schema, .. }) = &self.version else { return Ok(()) };
        let sql = "SELECT 1 FROM pg_advisory_xact_lock(hashtextextended($1, 0))";
        tx.row(sql, &values![format!("{schema} {ledger}")]).map(|_| ())
    }

    /// Drops other versions' tables once no node has worked with them for a while; until the process ends.
    pub async fn tidy(self: Arc<Self>) {
        let Some(mut others) = self.version.as_ref().map(Version::others) else { return };
        loop {
            tokio::time::sleep(LOOK_FOR_UNUSED).await;
            // A database that is away is said by everything else.
            for schema in others.drop_after(UNUSED).await.unwrap_or_default() {
                tracing::info!(schema, "read models of another version are dropped: no node uses them");
            }
        }
    }

    /// Drops them now, unless a node works with them; their names.
    pub async fn drop_unused(&self) -> Result<Vec<String>, ReadModelError> {
        let Some(version) = &self.version else { return Ok(vec![]) };
        Ok(version.others().drop_after(Duration::ZERO).await?)
    }

    /// Per ledger, the next position that is to be folded; changes whenever something was.
    pub fn folded(&self) -> watch::Receiver<HashMap<Uuid, u64>> {
        self.done.subscribe()
    }

    /// Projections that wait for an upgrade or a repair.
    pub fn stopped(&self) -> Result<Vec<Stopped>, ReadModelError> {
        let sql = "SELECT projection, ledger, next, stopped FROM positions WHERE stopped IS NOT NULL
                   ORDER BY projection, ledger";
        let rows = self.lock().query(Scope::All, sql, &[])?;
        let stopped = |row: &Row| -> Result<Stopped, SqlError> {
            Ok(Stopped { projection: row.get(0)?, ledger: row.get(1)?, position: row.get(2)?, reason: row.get(3)? })
        };
        Ok(rows.iter().map(stopped).collect::<Result<_, _>>()?)
    }

    /// Empties SQLite's write-ahead log now, or, if a reader is in the way, at the next catch-up.
    fn forget(&self, connection: &Connection) -> Result<(), ReadModelError> {
        let done = sqlite::forget_overwritten(connection);
        self.overwritten.store(!matches!(done, Ok(true)), Ordering::SeqCst);
        if done? { Ok(()) } else { Err(ReadModelError::Busy) }
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().expect("no fold panics while it holds the connection")
    }

    fn tables(&self) -> Vec<&'static Table> {
        self.projections.iter().flat_map(|p| p.tables.iter().copied()).collect()
    }

    /// A canonical dump of every read table.
    pub fn dump(&self) -> Result<String, ReadModelError> {
        Ok(table::dump(&mut self.lock(), &self.tables())?)
    }
}

/// Where one projection stands in one ledger.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    next: u64,
    stopped: Option<String>,
}

/// Up to where every projection that goes on has folded; `None` if none does.
fn slowest(at: &[Position]) -> Option<u64> {
    at.iter().filter(|p| p.stopped.is_none()).map(|p| p.next).min()
}

/// Why a fold is taken back.
enum Halt {
    /// Somebody else has folded it.
    Moved,
    Sql(SqlError),
}

impl From<SqlError> for Halt {
    fn from(error: SqlError) -> Halt {
        Halt::Sql(error)
    }
}

/// One record into one projection, unless that has stopped: adds the changes and moves the position, or stops it.
fn fold(
    projection: &Projection,
    fact: &Result<Fact, Unreadable>,
    opener: &Opener,
    position: &mut Position,
    writes: &mut Vec<Write>,
) {
    if position.stopped.is_some() {
        return;
    }
    let mut own = Writes::default();
    let folded = fact.as_ref().map_err(|unreadable| unreadable.reason.clone()).and_then(|fact| {
        if let Some(subject) = erased_subject(fact) {
            let personal = projection.tables.iter().filter(|table| table.is_personal());
            own.0.extend(personal.map(|table| Write::Scrub(table, subject)));
        }
        (projection.fold)(fact, opener, &mut own)
    });
    match folded {
        Ok(()) => {
            position.next += 1;
            writes.append(&mut own.0);
        }
        Err(reason) => position.stopped = Some(reason),
    }
}

fn erased_subject(fact: &Fact) -> Option<Uuid> {
    use keiin_eventlog::clear::{self, Clear};
    if fact.event.kind != clear::SUBJECT_ERASED {
        return None;
    }
    match Clear::parse(&fact.event.kind, fact.event.version, &fact.event.bytes) {
        Ok(Clear::SubjectErased { subject }) => Some(subject),
        _ => None,
    }
}
