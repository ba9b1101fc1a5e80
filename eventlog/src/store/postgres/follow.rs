//! Hears that another node has committed, and tells the others that this one has. A notice only shortens the wait: once a
//! second the ledgers' sizes are looked at, whatever was heard.
//!
//! Notices are sent outside the commits that they are about, several commits by one: a `NOTIFY` inside a transaction
//! makes all commits of the database wait for each other.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{AssertSqlSafe, Executor};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::postgres::Pool;

const CHANNEL: &str = "keiin_log";
/// How often is looked without having heard anything.
const POLL: Duration = Duration::from_secs(1);
/// How close upon each other notices are sent.
const PACE: Duration = Duration::from_millis(20);

/// Runs for as long as the engine lives.
pub(super) async fn follow(pool: Pool, changed: watch::Sender<u64>, committed: Arc<Notify>) {
    let mut known = None;
    loop {
        let listener = timeout(POLL, pool.listener()).await;
        if let Ok(Ok(mut listener)) = listener {
            // Whatever ends it, a new connection is made: a dead one is noticed by the look at the sizes.
            let _ = listen(&mut listener, &mut known, &changed, &committed).await;
        }
        changed.send_modify(|n| *n += 1);
        tokio::time::sleep(POLL).await;
    }
}

async fn listen(
    listener: &mut PgListener,
    known: &mut Option<i64>,
    changed: &watch::Sender<u64>,
    committed: &Notify,
) -> Result<(), sqlx::Error> {
    let late = |_| sqlx::Error::PoolTimedOut;
    listener.eager_reconnect(false);
    timeout(POLL, listener.listen(CHANNEL)).await.map_err(late)??;
    timeout(POLL, listener.execute("SET keiin.scope = '*'")).await.map_err(late)??;
    let me = sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()");
    let me = timeout(POLL, me.fetch_one(&mut *listener)).await.map_err(late)??;
    let announce = format!("BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}; COMMIT");
    let mut tick = interval(POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = Instant::now();
    loop {
        tokio::select! {
            heard = listener.try_recv() => match heard? {
                Some(notice) if notice.process_id() != me as u32 => changed.send_modify(|n| *n += 1),
                Some(_) => {}
                None => return Ok(()),
            },
            _ = tick.tick() => {
                let size = sqlx::query_scalar("SELECT coalesce(sum(size), 0)::int8 FROM heads");
                let size = timeout(POLL, size.fetch_one(&mut *listener)).await.map_err(late)??;
                if known.replace(size) != Some(size) {
                    changed.send_modify(|n| *n += 1);
                }
            }
            () = async { sleep_until(next).await; committed.notified().await } => {
                next = Instant::now() + PACE;
                let sql = sqlx::raw_sql(AssertSqlSafe(announce.as_str()));
                timeout(POLL, listener.execute(sql)).await.map_err(late)??;
            }
        }
    }
}
