//! A connection that somebody works with, under a scope and against a clock.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs};
use sqlx::{AssertSqlSafe, Executor, FromRow, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::postgres::{self, Pool};
use crate::sql::SqlError;

/// How long a write or the beginning of a read may take in all, one wait after the other, so that whoever asked has an
/// answer within two seconds whatever the server does.
pub(super) const ANSWER: Duration = Duration::from_millis(1_700);
/// How long the first answer may take; after that the server is taken to be away.
const FIRST: Duration = Duration::from_millis(1_000);
/// How long a read may take once the server has answered.
const READ: Duration = Duration::from_secs(10);
/// How long everything before a commit may take.
const WRITE: Duration = Duration::from_millis(1_500);
/// How long a commit is waited for. It goes on without us.
const COMMIT: Duration = Duration::from_millis(1_000);
/// How long a commit that nobody waits for keeps its connection.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Said once on every connection. Statements of the log find their rows by one index each. Left alone, the planner would
/// keep for a growing table what it found good for an empty one, or plan a statement anew each time, which takes longer
/// than running it.
pub(super) const PREPARED: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
     SET jit = off; SET plan_cache_mode = force_generic_plan; SET bytea_output = hex;
     PREPARE lock_what_is_free (uuid[]) AS
       SELECT ledger, size, last_hash, last_time_us, last_append, generation, signer, closed FROM heads
       WHERE ledger = ANY ($1) ORDER BY ledger FOR UPDATE SKIP LOCKED";

/// Given back to the pool only between two transactions; dropped in the middle of something, the connection is closed,
/// and the server takes its transaction back.
pub(super) struct Session {
    pool: Pool,
    connection: Option<PoolConnection<Postgres>>,
    /// Of the statement.
    deadline: Instant,
    /// Of everything, the commit included.
    until: Instant,
    _room: Option<OwnedSemaphorePermit>,
}

impl Session {
    /// For one statement that reads one ledger, or all.
    pub async fn reading(pool: &Pool, ledger: Option<Uuid>) -> Result<Session, SqlError> {
        let scope = ledger.map_or("*".to_owned(), |ledger| ledger.to_string());
        let until = Instant::now() + ANSWER;
        let (mut session, _) = Session::open(pool, format!("SET keiin.scope = '{scope}'"), None, until).await?;
        session.deadline = Instant::now() + READ;
        Ok(session)
    }

    /// A transaction that writes to these ledgers. Waits for locks end after `patience`, everything at `until`. `room`
    /// bounds how many commits can be under way, also those that nobody waits for any more.
    pub async fn writing(
        pool: &Pool,
        room: &Arc<Semaphore>,
        ledgers: &[Uuid],
        patience: Duration,
        until: Instant,
    ) -> Result<Session, SqlError> {
        let (session, _) = Session::begin(pool, room, ledgers, patience, until, "").await?;
        Ok(session)
    }

    /// The same, with the locks of those ledgers that nobody else holds, in one message: their heads.
    pub async fn locking(
        pool: &Pool,
        room: &Arc<Semaphore>,
        ledgers: &[Uuid],
        patience: Duration,
        until: Instant,
    ) -> Result<(Session, Vec<PgRow>), SqlError> {
        Session::begin(pool, room, ledgers, patience, until, &lock_what_is_free(ledgers)).await
    }

    async fn begin(
        pool: &Pool,
        room: &Arc<Semaphore>,
        ledgers: &[Uuid],
        patience: Duration,
        until: Instant,
        first: &str,
    ) -> Result<(Session, Vec<PgRow>), SqlError> {
        let stuck = || SqlError::Away("earlier commits are still waiting for the server".to_owned());
        let soon = until.min(Instant::now() + FIRST);
        let room = timeout_at(soon, room.clone().acquire_owned()).await.map_err(|_| stuck())?.map_err(|_| stuck())?;
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL keiin.scope = '{}'; SET LOCAL lock_timeout = {};
             {first}",
            list(ledgers),
            patience.as_millis()
        );
        let (mut session, rows) = Session::open(pool, sql, Some(room), until).await?;
        session.deadline = until.min(Instant::now() + WRITE);
        Ok((session, rows))
    }

    async fn open(
        pool: &Pool,
        sql: String,
        room: Option<OwnedSemaphorePermit>,
        until: Instant,
    ) -> Result<(Session, Vec<PgRow>), SqlError> {
        let mut session = Session { pool: pool.clone(), connection: None, deadline: until, until, _room: room };
        // A server that was restarted has closed what is idle here: the second connection is a new one.
        for _ in 0..2 {
            let acquired = timeout_at(until, pool.acquire()).await.unwrap_or_else(|_| Err(late(pool)));
            session.connection = Some(acquired?);
            session.deadline = until.min(Instant::now() + FIRST);
            match session.simple(sql.clone()).await {
                Err(SqlError::Away(_)) if session.deadline > Instant::now() => session.discard(),
                done => return done.map(|rows| (session, rows)),
            }
        }
        Err(SqlError::Away("the server ends every connection".to_owned()))
    }

    /// For what may take minutes, and is awaited by nobody who is in a hurry.
    pub fn take_time(&mut self) {
        self.until = Instant::now() + FORGOTTEN;
        self.deadline = self.until;
    }

    /// Statements without parameters, in one message; the rows of all of them.
    pub async fn simple(&mut self, sql: String) -> Result<Vec<PgRow>, SqlError> {
        let (pool, deadline) = (self.pool.clone(), self.deadline);
        let connection = self.connection()?;
        in_time(&pool, deadline, connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)))).await
    }

    /// How many rows it has changed.
    pub async fn execute(&mut self, query: Query<'_, Postgres, PgArguments>) -> Result<u64, SqlError> {
        let (pool, deadline) = (self.pool.clone(), self.deadline);
        let connection = self.connection()?;
        in_time(&pool, deadline, query.execute(&mut **connection)).await.map(|done| done.rows_affected())
    }

    /// The rows of a statement.
    pub async fn rows<T>(&mut self, query: QueryAs<'_, Postgres, T, PgArguments>) -> Result<Vec<T>, SqlError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (pool, deadline) = (self.pool.clone(), self.deadline);
        let connection = self.connection()?;
        in_time(&pool, deadline, query.fetch_all(&mut **connection)).await
    }

    /// Gives the connection back after a read.
    pub fn done(mut self) {
        self.connection = None;
    }

    /// Takes the transaction back.
    pub async fn roll_back(mut self) -> Result<(), SqlError> {
        self.simple("ROLLBACK".to_owned()).await?;
        self.done();
        Ok(())
    }

    /// Commits. Only `Ok` is durable. The server is never told to stop: if it takes too long, the outcome is unknown, and
    /// the commit goes on behind our back.
    pub async fn commit(mut self) -> Result<(), SqlError> {
        let (pool, soon) = (self.pool.clone(), self.until.min(Instant::now() + COMMIT));
        let mut pending = Box::pin(async move {
            let done = postgres::commit(self.connection()?).await;
            if done.is_ok() {
                self.done();
            }
            done
        });
        match timeout_at(soon, &mut pending).await {
            Ok(Err(SqlError::Unknown(reason))) => {
                pool.suspect();
                Err(SqlError::Unknown(reason))
            }
            Ok(done) => done,
            Err(_) => {
                pool.suspect();
                tokio::spawn(timeout(FORGOTTEN, pending));
                Err(SqlError::Unknown("the server did not answer in time".to_owned()))
            }
        }
    }

    fn connection(&mut self) -> Result<&mut PoolConnection<Postgres>, SqlError> {
        self.connection.as_mut().ok_or_else(|| SqlError::Away("the connection was lost".to_owned()))
    }

    fn discard(&mut self) {
        if let Some(connection) = self.connection.take() {
            postgres::discard(connection);
        }
    }
}

/// Locks ledgers, in their order, but passes over those that somebody else holds. Answers their heads.
pub(super) fn lock_what_is_free(ledgers: &[Uuid]) -> String {
    format!("EXECUTE lock_what_is_free ('{{{}}}')", list(ledgers))
}

fn list(ledgers: &[Uuid]) -> String {
    let mut list = String::with_capacity(ledgers.len() * 37);
    for (n, ledger) in ledgers.iter().enumerate() {
        let _ = write!(list, "{}{ledger}", if n == 0 { "" } else { "," });
    }
    list
}

impl Drop for Session {
    fn drop(&mut self) {
        self.discard();
    }
}

async fn in_time<T>(
    pool: &Pool,
    deadline: Instant,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, SqlError> {
    match timeout_at(deadline, work).await {
        Ok(done) => done.map_err(|error| {
            let error = postgres::sql_error(error);
            if matches!(error, SqlError::Away(_)) {
                pool.suspect();
            }
            error
        }),
        Err(_) => Err(late(pool)),
    }
}

fn late(pool: &Pool) -> SqlError {
    pool.rest();
    SqlError::Away("the server did not answer in time".to_owned())
}
