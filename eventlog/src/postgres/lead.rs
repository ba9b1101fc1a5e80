//! One of several nodes does what must not be done twice, where nothing else that they share says who has begun it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout};

use super::{Address, primary};

/// Number of the advisory lock that the leader holds.
const LEADER: i64 = 0x6b65_6969_6e00_0002;
/// How often the leader looks whether it still is, and others whether they are now.
const LOOK: Duration = Duration::from_secs(2);

/// A node that leads, or would. Ends with the value.
pub struct Lead {
    leads: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Lead {
    /// Stands for election in this database. Who gets the lock waits for `settle` before it leads: longer than a former
    /// leader, whose connection broke, needs to notice that (two looks), and to finish what it was doing.
    pub fn stand(address: &Address, settle: Duration) -> Lead {
        let leads = Arc::new(AtomicBool::new(false));
        let (address, own) = (address.clone(), leads.clone());
        let task = tokio::spawn(async move {
            loop {
                if let Some(mut held) = take(&address).await {
                    sleep(settle).await;
                    while matches!(timeout(LOOK, held.ping()).await, Ok(Ok(()))) {
                        own.store(true, Ordering::SeqCst);
                        sleep(LOOK).await;
                    }
                    own.store(false, Ordering::SeqCst);
                }
                sleep(LOOK).await;
            }
        });
        Lead { leads, task }
    }

    /// Does this node lead?
    pub fn is_ours(&self) -> bool {
        self.leads.load(Ordering::SeqCst)
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connection that holds the lock; `None` if another node has it, or the database is away.
async fn take(address: &Address) -> Option<PgConnection> {
    let (_, mut connection) = primary(address).await.ok()?;
    let got: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEADER).fetch_one(&mut connection).await.ok()?;
    got.then_some(connection)
}
