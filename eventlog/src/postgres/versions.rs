//! Versions of what can be made again ([`Setup::Cache`](super::Setup)): each version of the program has a schema of its own,
//! so that nodes of two versions serve side by side. Every node holds a lock on the name of the schema that it works with;
//! one on which nobody has held a lock for a while is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{Address, primary};
use crate::sql::OpenError;

/// How often a node looks whether it still holds its lock.
const LOOK: Duration = Duration::from_secs(2);
/// The advisory lock on a schema's name.
const LOCK: &str = "hashtextextended('in use: ' || $1, 0)";

/// Says to other nodes that this one works with a schema, for as long as it is held.
pub struct InUse(tokio::task::JoinHandle<()>);

impl InUse {
    /// Before the schema is made, so that it is never there without somebody who uses it. Lost with the connection and taken
    /// again; if the schema was dropped meanwhile, the process ends: its next start makes it anew.
    pub async fn enter(address: &Address, schema: &str) -> Result<InUse, OpenError> {
        let mut held = Some(hold(address, schema).await?);
        let (address, schema) = (address.clone(), schema.to_owned());
        Ok(InUse(tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                if let Some(connection) = &mut held
                    && !matches!(tokio::time::timeout(LOOK, connection.ping()).await, Ok(Ok(())))
                {
                    held = None;
                }
                if held.is_none()
                    && let Ok(mut connection) = hold(&address, &schema).await
                    && let Ok(is_there) = is_there(&mut connection, &schema).await
                {
                    if !is_there {
                        eprintln!(
                            "keiin: {address}: the schema {schema} was dropped while nobody used it; start again"
                        );
                        std::process::exit(3);
                    }
                    held = Some(connection);
                }
            }
        })))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits while somebody drops it.
async fn hold(address: &Address, schema: &str) -> Result<PgConnection, OpenError> {
    let (_, mut connection) = primary(address).await?;
    let lock = format!("SELECT pg_advisory_lock_shared({LOCK})");
    let held = sqlx::query(AssertSqlSafe(lock)).bind(schema).execute(&mut connection).await;
    held.map(|_| connection).map_err(|e| OpenError::new(address, e))
}

async fn is_there(connection: &mut PgConnection, schema: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
    sqlx::query_scalar(sql).bind(schema).fetch_one(connection).await
}

/// Schemas of other versions that nobody uses.
pub struct Unused {
    address: Address,
    /// What their names begin with.
    family: String,
    /// The one in use here.
    own: String,
    since: BTreeMap<String, Instant>,
    told: BTreeSet<String>,
}

impl Unused {
    /// Of those whose names are `family` or begin with it and an underscore, all but `own`.
    pub fn new(address: &Address, family: &str, own: &str) -> Unused {
        let (family, own) = (family.to_owned(), own.to_owned());
        Unused { address: address.clone(), family, own, since: BTreeMap::new(), told: BTreeSet::new() }
    }

    /// Drops those that nobody has used since a look that was at least `grace` ago; their names. A login that does not own
    /// them says once that they are there.
    pub async fn drop_after(&mut self, grace: Duration) -> Result<Vec<String>, OpenError> {
        let (_, mut connection) = primary(&self.address).await?;
        let dropped = self.look(&mut connection, grace).await;
        let _ = connection.close().await;
        dropped.map_err(|e| OpenError::new(&self.address, e))
    }

    async fn look(&mut self, connection: &mut PgConnection, grace: Duration) -> Result<Vec<String>, sqlx::Error> {
        let sql = "SELECT nspname::text, pg_has_role(nspowner, 'USAGE') FROM pg_namespace
                   WHERE nspname <> $1 AND (nspname = $2 OR starts_with(nspname, $2 || '_')) ORDER BY nspname";
        let others: Vec<(String, bool)> =
            sqlx::query_as(sql).bind(&self.own).bind(&self.family).fetch_all(&mut *connection).await?;
        self.since.retain(|known, _| others.iter().any(|(name, _)| name == known));
        let mut dropped = vec![];
        for (schema, is_ours) in others {
            let lock = format!("SELECT pg_try_advisory_lock({LOCK})");
            let free: bool = sqlx::query_scalar(AssertSqlSafe(lock)).bind(&schema).fetch_one(&mut *connection).await?;
            if !free {
                self.since.remove(&schema);
                continue;
            }
            let since = *self.since.entry(schema.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= grace {
                if is_ours {
                    let drop = format!("SET lock_timeout = '10s'; DROP SCHEMA \"{schema}\" CASCADE");
                    connection.execute(AssertSqlSafe(drop)).await?;
                    dropped.push(schema.clone());
                } else if self.told.insert(schema.clone()) {
                    tracing::warn!(
                        schema,
                        "no node uses these read models any more; `keiin init` with the owner's login drops them"
                    );
                }
            }
            let unlock = format!("SELECT pg_advisory_unlock({LOCK})");
            sqlx::query(AssertSqlSafe(unlock)).bind(&schema).execute(&mut *connection).await?;
        }
        Ok(dropped)
    }
}
