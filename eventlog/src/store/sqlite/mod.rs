//! Ledgers in one SQLite file: the default engine. One writer thread, a few readers; the tables are in
//! `migrations/sqlite/log`.
//!
//! Invariants:
//! * The one commit point is the `COMMIT` in [`write`].
//! * A failed sync is fatal: what was written may be durable or not, and a second sync could lie. The engine answers
//!   `Unknown`, refuses everything afterwards and calls the fatal hook, which ends the process; the next start syncs the
//!   write-ahead log before it believes the tail.
//! * One process writes. Others may read ([`SqliteStore::open_reader`]).

mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};
use uuid::Uuid;

use super::mirror::{Mirror, Receive};
use super::{Append, Head, Indexed, Outcome, Pending, Read, Signers, Span, Store, StoreError, TileRow};
use crate::chain::Commit;
use crate::record::{Hash, Record, Stream};
pub use crate::sql::OpenError;
use crate::sqlite;

const STEPS: &[M<'_>] = &[
    M::up(include_str!("../../../../migrations/sqlite/log/0001_log.sql")),
    M::up(include_str!("../../../../migrations/sqlite/log/0002_mirror.sql")),
    M::up(include_str!("../../../../migrations/sqlite/log/0003_stream_records.sql")),
];
const READERS: usize = 4;

/// What is called once when the engine must not go on. The argument says why.
pub type FatalHook = Box<dyn Fn(&str) + Send + Sync>;

/// The engine.
pub struct SqliteStore {
    path: PathBuf,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    readers: Arc<Mutex<Vec<Connection>>>,
    room: Arc<Semaphore>,
    shared: Arc<Shared>,
}

/// What writer and readers know of each other.
struct Shared {
    changed: watch::Sender<u64>,
    dead: AtomicBool,
    fatal: OnceLock<FatalHook>,
}

impl Shared {
    fn die(&self, reason: &str) {
        let first = !self.dead.swap(true, Ordering::SeqCst);
        if let Some(hook) = self.fatal.get().filter(|_| first) {
            hook(reason);
        }
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }
}

/// Work for the writer's thread.
enum Job {
    Commit(Vec<Append>, oneshot::Sender<Vec<Outcome>>),
    Tiles(Uuid, Vec<TileRow>, oneshot::Sender<Read<()>>),
    DropBodies(Uuid, oneshot::Sender<Read<()>>),
    Apply(Vec<Commit>, oneshot::Sender<Read<()>>),
    Place(Vec<u8>, oneshot::Sender<Read<()>>),
}

impl SqliteStore {
    /// Opens or makes the file and becomes its writer.
    pub fn open(path: &Path, signers: Arc<dyn Signers>) -> Result<SqliteStore, OpenError> {
        let conn = sqlite::open(path, &Migrations::from_slice(STEPS))?;
        let mut store = SqliteStore::readers(path)?;
        let writer = write::Writer::new(conn, signers, store.shared.clone())
            .map_err(|error| OpenError::new(path.display(), error))?;
        let (jobs, queue) = mpsc::channel();
        store.jobs = Some(jobs);
        let thread = std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || writer.run(queue));
        let no_thread = |e| OpenError::new(path.display(), format!("no thread for its writer: {e}"));
        store.writer = Some(thread.map_err(no_thread)?);
        Ok(store)
    }

    /// Opens an existing file for reading, beside a process that writes. Every commit is refused.
    pub fn open_reader(path: &Path) -> Result<SqliteStore, OpenError> {
        SqliteStore::readers(path)
    }

    /// Sets what is called when the engine must not go on; the binary ends the process there.
    pub fn on_fatal(self, hook: FatalHook) -> SqliteStore {
        let _ = self.shared.fatal.set(hook);
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file as it will be when the write-ahead log has been moved into it.
    pub async fn bytes(&self) -> Read<u64> {
        let pragma = |conn: &Connection, name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
        self.query(move |conn| {
            let (pages, size): (i64, i64) = (pragma(conn, "page_count")?, pragma(conn, "page_size")?);
            Ok((pages * size) as u64)
        })
        .await
    }

    fn readers(path: &Path) -> Result<SqliteStore, OpenError> {
        let readers = (0..READERS).map(|_| sqlite::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        let shared = Shared { changed: watch::Sender::new(0), dead: AtomicBool::new(false), fatal: OnceLock::new() };
        Ok(SqliteStore {
            path: path.to_owned(),
            jobs: None,
            writer: None,
            readers: Arc::new(Mutex::new(readers)),
            room: Arc::new(Semaphore::new(READERS)),
            shared: Arc::new(shared),
        })
    }

    /// Hands the writer a job whose only answer is that it is done.
    fn have_done<'a>(
        &'a self,
        job: impl FnOnce(oneshot::Sender<Read<()>>) -> Job + Send + 'a,
    ) -> Pending<'a, Read<()>> {
        Box::pin(async move {
            let answer = self.ask(job).await;
            answer.unwrap_or_else(|| Err(if self.jobs.is_none() { read_only() } else { stopped() }))
        })
    }

    /// Hands a job to the writer and waits for its answer.
    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Option<T> {
        let (answer, wait) = oneshot::channel();
        self.jobs.as_ref()?.send(job(answer)).ok()?;
        wait.await.ok()
    }

    /// Runs a query that may read much, on a thread of its own, within one snapshot.
    fn query<'a, T, F>(&'a self, query: F) -> Pending<'a, Read<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Read<T> + Send + 'static,
    {
        Box::pin(async move {
            let _room = self.room().await?;
            let readers = self.readers.clone();
            let result = tokio::task::spawn_blocking(move || on_a_reader(&readers, query));
            result.await.map_err(|e| StoreError::Unavailable(format!("a read has failed: {e}")))?
        })
    }

    /// Runs a query that reads rows by their keys, here: it takes less than waking another thread.
    fn look<'a, T: Send>(&'a self, query: impl FnOnce(&Connection) -> Read<T> + Send + 'a) -> Pending<'a, Read<T>> {
        Box::pin(async move {
            let _room = self.room().await?;
            on_a_reader(&self.readers, query)
        })
    }

    /// A permit stands for a connection.
    async fn room(&self) -> Read<SemaphorePermit<'_>> {
        if self.shared.is_dead() {
            return Err(stopped());
        }
        self.room.acquire().await.map_err(|_| StoreError::Unavailable("the store is closing".to_owned()))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn on_a_reader<T>(readers: &Mutex<Vec<Connection>>, query: impl FnOnce(&Connection) -> Read<T>) -> Read<T> {
    let lock = || readers.lock().unwrap_or_else(|e| e.into_inner());
    let conn = lock().pop().expect("a permit stands for a connection");
    let result = read::in_snapshot(&conn, query);
    lock().push(conn);
    result
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store has stopped after a failed write; restart the server".to_owned())
}

fn read_only() -> StoreError {
    StoreError::Unavailable("the store is open for reading only".to_owned())
}

impl Store for SqliteStore {
    fn commit(&self, batch: Vec<Append>) -> Pending<'_, Vec<Outcome>> {
        Box::pin(async move {
            let count = batch.len();
            if self.jobs.is_none() {
                return vec![Outcome::Refused(read_only().to_string()); count];
            }
            let answer = self.ask(|answer| Job::Commit(batch, answer)).await;
            answer.unwrap_or_else(|| vec![Outcome::Unknown(stopped().to_string()); count])
        })
    }

    fn head(&self, ledger: Uuid) -> Pending<'_, Read<Option<Head>>> {
        self.look(move |conn| Ok(read::ledger(conn, ledger)?.map(|row| row.head)))
    }

    fn heads(&self, after: Option<Uuid>, limit: usize) -> Pending<'_, Read<Vec<Head>>> {
        self.look(move |conn| read::heads(conn, after, limit))
    }

    fn read(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        self.query(move |conn| match read::ledger(conn, ledger)? {
            Some(row) => read::page(conn, &row, from, limit),
            None => Ok(vec![]),
        })
    }

    fn leaf_hashes(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Hash>>> {
        self.query(move |conn| match read::ledger(conn, ledger)? {
            Some(row) => read::leaf_hashes(conn, &row, from, limit),
            None => Ok(vec![]),
        })
    }

    fn stream_version(&self, ledger: Uuid, stream: Stream) -> Pending<'_, Read<Option<u64>>> {
        self.look(move |conn| match read::ledger(conn, ledger)? {
            Some(row) => Ok(read::version(conn, row.no, &stream)?),
            None => Ok(None),
        })
    }

    fn read_stream(&self, ledger: Uuid, stream: Stream, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        self.look(move |conn| match read::ledger(conn, ledger)? {
            Some(row) => read::stream_records(conn, &row, &stream, from, limit),
            None => Ok(vec![]),
        })
    }

    fn find_append(&self, ledger: Uuid, append_id: Uuid) -> Pending<'_, Read<Option<Span>>> {
        self.look(move |conn| match read::ledger(conn, ledger)? {
            Some(row) => read::find_append(conn, row.no, ledger, append_id)?,
            None => Ok(None),
        })
    }

    fn indexed(&self, ledger: Uuid, size: u64) -> Pending<'_, Read<Indexed>> {
        self.query(move |conn| match read::ledger(conn, ledger)? {
            Some(row) => read::indexed(conn, &row, size),
            None => Ok(Indexed::default()),
        })
    }

    fn broken(&self) -> Pending<'_, Read<Option<String>>> {
        self.query(read::broken)
    }

    fn tile(&self, ledger: Uuid, level: u8, index: u64) -> Pending<'_, Read<Option<TileRow>>> {
        self.look(move |conn| match read::ledger(conn, ledger)? {
            Some(row) => read::tile(conn, row.no, level, index),
            None => Ok(None),
        })
    }

    fn put_tiles(&self, ledger: Uuid, tiles: Vec<TileRow>) -> Pending<'_, Read<()>> {
        self.have_done(move |answer| Job::Tiles(ledger, tiles, answer))
    }

    fn drop_bodies(&self, ledger: Uuid) -> Pending<'_, Read<()>> {
        self.have_done(move |answer| Job::DropBodies(ledger, answer))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }
}

impl Receive for SqliteStore {
    fn apply(&self, commits: Vec<Commit>) -> Pending<'_, Read<()>> {
        self.have_done(move |answer| Job::Apply(commits, answer))
    }
}

impl Mirror for SqliteStore {
    fn place(&self) -> Pending<'_, Read<Option<Vec<u8>>>> {
        self.query(|conn| Ok(read::place(conn)?))
    }

    fn put_place(&self, place: Vec<u8>) -> Pending<'_, Read<()>> {
        self.have_done(move |answer| Job::Place(place, answer))
    }
}
