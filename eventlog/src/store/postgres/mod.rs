//! Ledgers in a PostgreSQL database: any number of nodes, and any node takes any write. The tables are in
//! `migrations/postgres/log`.
//!
//! Invariants:
//! * The one commit point is the `COMMIT` in [`write`], and only [`postgres::commit`]'s `Ok` is an acknowledgement.
//! * Who writes to a ledger holds its row in `heads` from before it reads until after the commit: positions have no gap,
//!   and what a decision rests on does not move. No node waits for a ledger while it holds another.
//! * What is visible need not be durable (a wait for the standby that was cancelled leaves such records), so an append
//!   that is found is answered only after a later commit of ours, which puts everything before it on the standby, too.
//! * Whoever writes has an answer within two seconds, and nothing limits the time of a commit on the server.

mod apply;
mod follow;
mod read;
mod session;
mod write;

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use uuid::Uuid;

use self::session::{ANSWER, Session};
use super::{Append, Head, Indexed, Outcome, Pending, Read, Signers, Span, Store, StoreError, TileRow};
use crate::postgres::{Address, Pool, Setup};
use crate::record::{Hash, Record, Stream};
pub use crate::sql::OpenError;
use crate::sql::SqlError;

const SETUP: Setup =
    Setup::Steps("keiin_log", &[("log", include_str!("../../../../migrations/postgres/log/0001_log.sql"))]);
/// One writes, one listens, the others read.
const CONNECTIONS: u32 = 12;
const COMMITS: usize = 4;

/// The engine.
pub struct PostgresStore {
    pool: Pool,
    // Commits that can be under way, those included that nobody waits for any more.
    room: Arc<Semaphore>,
    signers: Arc<dyn Signers>,
    changed: watch::Sender<u64>,
    // Set by each commit of this node; the follower tells the others.
    committed: Arc<Notify>,
    follower: AbortHandle,
}

impl PostgresStore {
    /// Connects, and makes the tables if they are missing and the login may. Must be called within a tokio runtime, which
    /// the engine lives on.
    pub async fn open(address: &Address, signers: Arc<dyn Signers>) -> Result<PostgresStore, OpenError> {
        let pool = Pool::open(address, &[SETUP], CONNECTIONS, session::PREPARED).await?;
        let changed = watch::Sender::new(0);
        let committed = Arc::new(Notify::new());
        let follower = tokio::spawn(follow::follow(pool.clone(), changed.clone(), committed.clone())).abort_handle();
        let room = Arc::new(Semaphore::new(COMMITS));
        Ok(PostgresStore { pool, room, signers, changed, committed, follower })
    }

    /// Ends every connection. Dropping the engine does the same, later.
    pub async fn close(&self) {
        self.follower.abort();
        self.pool.close().await;
    }

    fn wake(&self) {
        self.changed.send_modify(|n| *n += 1);
        self.committed.notify_one();
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> StoreError {
        StoreError::Unavailable(error.to_string())
    }
}

impl Store for PostgresStore {
    fn commit(&self, batch: Vec<Append>) -> Pending<'_, Vec<Outcome>> {
        Box::pin(self.write(batch))
    }

    fn head(&self, ledger: Uuid) -> Pending<'_, Read<Option<Head>>> {
        Box::pin(async move { Session::reading(&self.pool, Some(ledger)).await?.head(ledger).await })
    }

    fn heads(&self, after: Option<Uuid>, limit: usize) -> Pending<'_, Read<Vec<Head>>> {
        Box::pin(async move { Session::reading(&self.pool, None).await?.heads(after, limit).await })
    }

    fn read(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        Box::pin(async move { Session::reading(&self.pool, Some(ledger)).await?.page(ledger, from, limit).await })
    }

    fn leaf_hashes(&self, ledger: Uuid, from: u64, limit: usize) -> Pending<'_, Read<Vec<Hash>>> {
        Box::pin(
            async move { Session::reading(&self.pool, Some(ledger)).await?.leaf_hashes(ledger, from, limit).await },
        )
    }

    fn stream_version(&self, ledger: Uuid, stream: Stream) -> Pending<'_, Read<Option<u64>>> {
        Box::pin(async move { Session::reading(&self.pool, Some(ledger)).await?.stream_version(ledger, &stream).await })
    }

    fn read_stream(&self, ledger: Uuid, stream: Stream, from: u64, limit: usize) -> Pending<'_, Read<Vec<Record>>> {
        Box::pin(async move {
            Session::reading(&self.pool, Some(ledger)).await?.stream_records(ledger, &stream, from, limit).await
        })
    }

    /// A hit costs a commit, which makes it durable.
    fn find_append(&self, ledger: Uuid, append_id: Uuid) -> Pending<'_, Read<Option<Span>>> {
        Box::pin(async move {
            let seen = Session::reading(&self.pool, Some(ledger)).await?.find_append(ledger, append_id).await?;
            if seen.is_none() {
                return Ok(None);
            }
            let until = Instant::now() + ANSWER;
            Ok(self.settle(&[(ledger, append_id)], until).await?.get(&(ledger, append_id)).copied())
        })
    }

    fn indexed(&self, ledger: Uuid, size: u64) -> Pending<'_, Read<Indexed>> {
        Box::pin(async move { Session::reading(&self.pool, Some(ledger)).await?.indexed(ledger, size).await })
    }

    fn tile(&self, ledger: Uuid, level: u8, index: u64) -> Pending<'_, Read<Option<TileRow>>> {
        Box::pin(async move { Session::reading(&self.pool, Some(ledger)).await?.tile(ledger, level, index).await })
    }

    fn put_tiles(&self, ledger: Uuid, tiles: Vec<TileRow>) -> Pending<'_, Read<()>> {
        Box::pin(self.write_tiles(ledger, tiles))
    }

    fn drop_bodies(&self, ledger: Uuid) -> Pending<'_, Read<()>> {
        Box::pin(self.empty(ledger))
    }

    fn history(&self) -> Pending<'_, Read<Option<(i64, i64)>>> {
        Box::pin(async move { Session::reading(&self.pool, None).await?.history().await.map(Some) })
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
