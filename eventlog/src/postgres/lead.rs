//! One of several nodes does what must not be done twice, where nothing else that they share says who has begun it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use super::{Address, primary};

/// Number of the advisory lock that the leader holds.
const LEADER: i64 = 0x6b65_6969_6e00_0002;
/// How often the leader looks whether it still is, and others whether they are now.
const LOOK: Duration = Duration::from_secs(2);
/// How long a look holds. A leader that was paused does not lead when it goes on.
const HOLDS: Duration = Duration::from_secs(5);

/// A node that leads, or would. Ends with the value.
pub struct Lead {
    until: Arc<Mutex<Option<Instant>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Lead {
    /// Stands for election in this database. Who gets the lock waits for `settle` before it leads: longer than a former
    /// leader, whose connection broke, needs to notice that (two looks), and to finish what it was doing.
    pub fn stand(address: &Address, settle: Duration) -> Lead {
        let until = Arc::new(Mutex::new(None));
        let (address, own) = (address.clone(), until.clone());
        let task = tokio::spawn(async move {
            loop {
                if let Some(mut held) = take(&address).await {
                    sleep(settle).await;
                    loop {
                        let looked = Instant::now();
                        if !matches!(timeout(LOOK, held.ping()).await, Ok(Ok(()))) {
                            break;
                        }
                        *lock(&own) = Some(looked + HOLDS);
                        sleep(LOOK).await;
                    }
                    *lock(&own) = None;
                }
                sleep(LOOK).await;
            }
        });
        Lead { until, task }
    }

    /// Does this node lead?
    pub fn is_ours(&self) -> bool {
        lock(&self.until).is_some_and(|until| Instant::now() < until)
    }
}

fn lock(until: &Mutex<Option<Instant>>) -> MutexGuard<'_, Option<Instant>> {
    until.lock().unwrap_or_else(|e| e.into_inner())
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connection that holds the lock; `None` if another node has it, or the database is away.
///
/// The server ends it after 15 s of silence, longer than a new leader settles: the kernel of a node that is paused keeps its
/// connections open, and nobody would lead until it goes on. (PostgreSQL 14 and later know the setting.)
async fn take(address: &Address) -> Option<PgConnection> {
    let (_, mut connection) = primary(address).await.ok()?;
    let got: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEADER).fetch_one(&mut connection).await.ok()?;
    let impatient = "SELECT set_config(name, '15s', false) FROM pg_settings WHERE name = 'idle_session_timeout'";
    sqlx::query(impatient).execute(&mut connection).await.ok()?;
    got.then_some(connection)
}
