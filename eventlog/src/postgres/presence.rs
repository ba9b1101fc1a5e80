//! Which nodes of a deployment run: all of them, or one alone.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::{Address, primary};
use crate::sql::OpenError;

/// Says to other nodes of a deployment that this one is there, for as long as it is held.
pub struct Presence(tokio::task::JoinHandle<()>);

/// Number of the advisory lock that nodes hold, together or alone.
const NODES: i64 = 0x6b65_6969_6e00_0001;
/// How often a node looks whether it still holds its lock.
const LOOK: Duration = Duration::from_secs(2);

impl Presence {
    /// Refuses to begin if this node must be `alone` and is not, or if another one must be. Lost with the connection and
    /// taken again; if that is not possible any more, the process ends.
    pub async fn enter(address: &Address, alone: bool) -> Result<Presence, OpenError> {
        let mut held = Some(lock_nodes(address, alone).await?);
        let address = address.clone();
        Ok(Presence(tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                if let Some(connection) = &mut held
                    && !matches!(tokio::time::timeout(LOOK, connection.ping()).await, Ok(Ok(())))
                {
                    held = None;
                }
                if held.is_none() {
                    match lock_nodes(&address, alone).await {
                        Ok(connection) => held = Some(connection),
                        Err(error) if error.reason.contains(ALONE) => {
                            eprintln!("keiin: {error}");
                            std::process::exit(3);
                        }
                        // The database is away; nothing can be written meanwhile.
                        Err(_) => {}
                    }
                }
            }
        })))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const ALONE: &str = "several nodes need a shared vault and a shared anchor";

async fn lock_nodes(address: &Address, alone: bool) -> Result<PgConnection, OpenError> {
    let (_, mut connection) = primary(address).await?;
    let lock = if alone { "SELECT pg_try_advisory_lock($1)" } else { "SELECT pg_try_advisory_lock_shared($1)" };
    let got: Result<bool, _> = sqlx::query_scalar(lock).bind(NODES).fetch_one(&mut connection).await;
    match got {
        Ok(true) => Ok(connection),
        Ok(false) => Err(OpenError::new(
            address,
            format!(
                "another node is running on it; {ALONE}: --vault postgres://… --anchor postgres://…, on every node"
            ),
        )),
        Err(error) => Err(OpenError::new(address, error)),
    }
}
