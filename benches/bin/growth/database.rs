//! A database of one part of the growth, on a server that runs already: made empty, and dropped at the end.

use anyhow::Context;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::alone;

/// Dropped with everything in it when this is.
pub struct Database {
    server: String,
    name: String,
    /// Where it is.
    pub url: String,
}

impl Database {
    /// Beside the database that `server` names, whose login must be allowed to make one.
    pub fn beside(server: &str, part: &str) -> anyhow::Result<Database> {
        let name = format!("keiin_growth_{part}_{}", std::process::id());
        let (place, options) = server.split_once('?').map_or((server, String::new()), |(p, o)| (p, format!("?{o}")));
        let (host, _) = place.rsplit_once('/').context("a database is named as postgres://user@host/database")?;
        let url = format!("{host}/{name}{options}");
        alone(run(server, format!("CREATE DATABASE {name}")))?;
        Ok(Database { server: server.to_owned(), name, url })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(error) = alone(run(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name))) {
            eprintln!("the database {} is left: {error:#}", self.name);
        }
    }
}

async fn run(url: &str, sql: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Of the ledgers: their tables with indexes.
pub async fn bytes(url: &str) -> anyhow::Result<u64> {
    let mut connection = PgConnection::connect(url).await?;
    let sql = "SELECT sum(pg_total_relation_size(c.oid))::int8 FROM pg_class c
               JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'keiin_log' AND c.relkind = 'r'";
    let bytes: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(bytes.unsigned_abs())
}
