//! Which nodes of a deployment run: all of them, or one alone.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::Instant;

use super::{Address, primary};
use crate::sql::OpenError;

/// Says to others who work on the ledgers that this one is there, for as long as it is held.
pub struct Presence(tokio::task::JoinHandle<()>);

/// As what somebody is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A node beside others: they share vault and anchor.
    Node,
    /// A node that must be the only one: its vault or its anchor is a file of its own.
    OnlyNode,
    /// Whoever moves ledgers away or takes them in, while no node runs.
    Mover,
}

impl Role {
    fn is_alone(self) -> bool {
        self != Role::Node
    }

    /// Why this one cannot be there now, and what to do.
    fn refusal(self) -> &'static str {
        match self {
            Role::Node => {
                "somebody works on it alone: `keiin migrate`, or a node whose vault or anchor is a file; several nodes \
                 need a shared vault and a shared anchor: --vault postgres://… --anchor postgres://…, on every node"
            }
            Role::OnlyNode => {
                "another node is running on it; several nodes need a shared vault and a shared anchor: \
                 --vault postgres://… --anchor postgres://…, on every node"
            }
            Role::Mover => {
                "a node is running on it, or another move; stop every node on both sides, then run the same command again"
            }
        }
    }
}

/// Number of the advisory lock that nodes hold, together or alone.
const NODES: i64 = 0x6b65_6969_6e00_0001;
/// How often a node looks whether it still holds its lock.
const LOOK: Duration = Duration::from_secs(2);
/// How long whoever comes waits for the one who is just leaving: the server notices the end of a connection a little later.
const LEAVING: Duration = Duration::from_secs(2);

impl Presence {
    /// Refuses to begin where somebody is with whom this one cannot be. Lost with the connection and taken again; if that
    /// is not possible any more, the process ends.
    pub async fn enter(address: &Address, role: Role) -> Result<Presence, OpenError> {
        let deadline = Instant::now() + LEAVING;
        let mut held = loop {
            match lock_nodes(address, role).await? {
                None if Instant::now() < deadline => tokio::time::sleep(LEAVING / 20).await,
                None => return Err(OpenError::new(address, role.refusal())),
                held => break held,
            }
        };
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
                    match lock_nodes(&address, role).await {
                        Ok(Some(connection)) => held = Some(connection),
                        Ok(None) => {
                            eprintln!("keiin: {address}: {}", role.refusal());
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

/// `None` = somebody else is there.
async fn lock_nodes(address: &Address, role: Role) -> Result<Option<PgConnection>, OpenError> {
    let (_, mut connection) = primary(address).await?;
    let lock =
        if role.is_alone() { "SELECT pg_try_advisory_lock($1)" } else { "SELECT pg_try_advisory_lock_shared($1)" };
    let got: Result<bool, _> = sqlx::query_scalar(lock).bind(NODES).fetch_one(&mut connection).await;
    got.map(|got| got.then_some(connection)).map_err(|error| OpenError::new(address, error))
}
