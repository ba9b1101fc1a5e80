//! [`super`] on PostgreSQL. sqlx is asynchronous, so its connections live on a small runtime of their own, and the caller
//! waits for the answer as it would for a disk.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo};
use sqlx::{AssertSqlSafe, Column, Encode, Executor, PgConnection, Postgres, Row as _, Type, TypeInfo, ValueRef};

use super::{OpenError, Row, Scope, SqlError, Value};
use crate::postgres::{self, Address, Pool, Setup};

/// Rows inserted by one statement.
const ROWS: usize = 1_000;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).thread_name("postgres").enable_all();
    runtime.build().expect("a process that cannot start threads cannot serve")
});

/// Runs on the runtime of the connections and waits. Other tasks of the caller's runtime go on.
fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    RUNTIME.spawn(async move {
        let _ = answer.send(work.await);
    });
    let wait = move || answered.recv().expect("the statement's task does not panic");
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}

/// A way to one database.
#[derive(Clone)]
pub struct Client {
    pool: Pool,
    patience: Duration,
}

impl Client {
    /// Opens it; `patience` is for each statement.
    pub fn open(
        address: &Address,
        setups: Vec<Setup>,
        connections: u32,
        patience: Duration,
    ) -> Result<Client, OpenError> {
        let address = address.clone();
        let pool = wait(async move { Pool::open(&address, &setups, connections, "").await })?;
        Ok(Client { pool, patience })
    }

    /// The same connections, with more time for each statement.
    pub fn patient(&self, patience: Duration) -> Client {
        Client { pool: self.pool.clone(), patience }
    }

    /// See [`Pool::timeline`].
    pub fn timeline(&self) -> i64 {
        self.pool.timeline()
    }

    pub(super) fn query(&self, scope: Scope, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let (pool, sql, arguments, patience) = (self.pool.clone(), sql.to_owned(), arguments(values)?, self.patience);
        wait(async move {
            let mut connection = pool.acquire().await?;
            let answer = tokio::time::timeout(patience, async {
                enter(&mut connection, scope, false).await?;
                fetch(&mut connection, sql, arguments).await
            });
            let answer = answer.await;
            settled(&pool, connection, answer).1
        })
    }

    pub(super) fn begin(&self, scope: Scope) -> Result<Held, SqlError> {
        let (pool, patience) = (self.pool.clone(), self.patience);
        let connection = wait(async move {
            let mut connection = pool.acquire().await?;
            let begun = tokio::time::timeout(patience, enter(&mut connection, scope, true)).await;
            match settled(&pool, connection, begun) {
                (Some(connection), Ok(())) => Ok(connection),
                (_, Err(error)) => Err(error),
                (None, Ok(())) => unreachable!("a connection is kept unless there was an error"),
            }
        })?;
        Ok(Held { pool: self.pool.clone(), connection: Some(connection), patience })
    }
}

/// A connection with an open transaction.
pub struct Held {
    pool: Pool,
    connection: Option<PoolConnection<Postgres>>,
    patience: Duration,
}

impl Held {
    pub(super) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let (sql, arguments) = (sql.to_owned(), arguments(values)?);
        self.run(move |mut connection| async move {
            let rows = fetch(&mut connection, sql, arguments).await;
            (connection, rows)
        })
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        let (sql, arguments) = (sql.to_owned(), arguments(values)?);
        self.run(move |mut connection| async move {
            let done = connection.execute(sqlx::query_with(AssertSqlSafe(sql), arguments)).await;
            (connection, done.map(|done| done.rows_affected()).map_err(postgres::sql_error))
        })
    }

    pub(super) fn insert(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<(), SqlError> {
        for some in rows.chunks(ROWS) {
            let (sql, arguments) = unnest(table, columns, some)?;
            self.run(move |mut connection| async move {
                let done = connection.execute(sqlx::query_with(AssertSqlSafe(sql), arguments)).await;
                (connection, done.map(|_| ()).map_err(postgres::sql_error))
            })?;
        }
        Ok(())
    }

    pub(super) fn commit(mut self) -> Result<(), SqlError> {
        // However long it takes up to the limit: nobody cancels a commit on the server.
        self.run(move |mut connection| async move {
            let committed = postgres::commit(&mut connection).await;
            (connection, committed)
        })
        .map_err(|error| match error {
            SqlError::Away(text) => SqlError::Unknown(text),
            error => error,
        })
    }

    pub(super) fn roll_back(mut self) {
        let _ = self.run(|mut connection| async move {
            let done = connection.execute("ROLLBACK").await;
            (connection, done.map(|_| ()).map_err(postgres::sql_error))
        });
    }

    fn run<T: Send + 'static, W>(
        &mut self,
        work: impl FnOnce(PoolConnection<Postgres>) -> W + Send + 'static,
    ) -> Result<T, SqlError>
    where
        W: Future<Output = (PoolConnection<Postgres>, Result<T, SqlError>)> + Send + 'static,
    {
        let gone = || SqlError::Away("the connection was lost".to_owned());
        let (connection, pool, patience) = (self.connection.take().ok_or_else(gone)?, self.pool.clone(), self.patience);
        let (connection, answer) = wait(async move {
            match tokio::time::timeout(patience, work(connection)).await {
                Ok((connection, answer)) => settled(&pool, connection, Ok(answer)),
                // The connection went with the future.
                Err(_) => {
                    pool.rest();
                    (None, Err(late()))
                }
            }
        });
        self.connection = connection;
        answer
    }
}

impl Drop for Held {
    /// Neither committed nor rolled back: whatever it is in the middle of must not meet the next user.
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            RUNTIME.spawn(async move { postgres::discard(connection) });
        }
    }
}

fn late() -> SqlError {
    SqlError::Away("no answer in time".to_owned())
}

/// Keeps a connection that is fit for the next statement, and drops one that may be in the middle of something.
fn settled<T>(
    pool: &Pool,
    connection: PoolConnection<Postgres>,
    answer: Result<Result<T, SqlError>, tokio::time::error::Elapsed>,
) -> (Option<PoolConnection<Postgres>>, Result<T, SqlError>) {
    match answer {
        Ok(answer) if !matches!(answer, Err(SqlError::Away(_) | SqlError::Unknown(_))) => (Some(connection), answer),
        other => {
            postgres::discard(connection);
            if other.is_err() {
                pool.rest();
            }
            (None, other.unwrap_or_else(|_| Err(late())))
        }
    }
}

/// Sets whose rows are seen; for the transaction that it opens, or for the next statement.
async fn enter(connection: &mut PgConnection, scope: Scope, transaction: bool) -> Result<(), SqlError> {
    let text = match scope {
        Scope::Ledger(ledger) => ledger.simple().to_string(),
        Scope::All => "*".to_owned(),
    };
    let sql = if transaction {
        format!("BEGIN; SET LOCAL keiin.scope = '{text}'")
    } else {
        format!("SET keiin.scope = '{text}'")
    };
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(|_| ()).map_err(postgres::sql_error)
}

async fn fetch(connection: &mut PgConnection, sql: String, arguments: PgArguments) -> Result<Vec<Row>, SqlError> {
    let rows = connection.fetch_all(sqlx::query_with(AssertSqlSafe(sql), arguments)).await;
    let rows = rows.map_err(postgres::sql_error)?;
    let names: Arc<[String]> = match rows.first() {
        Some(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
        None => return Ok(vec![]),
    };
    rows.iter().map(|row| Ok(Row { names: names.clone(), values: read(row)? })).collect()
}

fn read(row: &PgRow) -> Result<Vec<Value>, SqlError> {
    let one = |at: usize| -> Result<Value, SqlError> {
        let raw = row.try_get_raw(at).map_err(postgres::sql_error)?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        let kind = raw.type_info().name().to_owned();
        let value = match kind.as_str() {
            "INT8" => row.try_get(at).map(Value::Integer),
            "INT4" => row.try_get::<i32, _>(at).map(|n| Value::Integer(n.into())),
            "INT2" => row.try_get::<i16, _>(at).map(|n| Value::Integer(n.into())),
            "BOOL" => row.try_get::<bool, _>(at).map(|flag| Value::Integer(flag.into())),
            "BYTEA" => row.try_get(at).map(Value::Blob),
            "UUID" => row.try_get::<uuid::Uuid, _>(at).map(|id| Value::Blob(id.as_bytes().to_vec())),
            _ => row.try_get_unchecked(at).map(Value::Text),
        };
        value.map_err(|e| SqlError::Failed(format!("column {} of type {kind}: {e}", row.columns()[at].name())))
    };
    (0..row.columns().len()).map(one).collect()
}

/// A statement that inserts rows of which each column is one array. Where no row holds anything, the column is left out.
fn unnest(table: &str, columns: &[&str], rows: &[Vec<Value>]) -> Result<(String, PgArguments), SqlError> {
    let (mut names, mut arrays, mut arguments) = (vec![], vec![], PgArguments::default());
    for (at, name) in columns.iter().enumerate() {
        let column = || rows.iter().map(|row| row.get(at).unwrap_or(&Value::Null));
        let Some(first) = column().find(|value| **value != Value::Null) else { continue };
        macro_rules! array {
            ($kind:ident, $array:literal) => {{
                let one = |value: &Value| match value {
                    Value::Null => Ok(None),
                    Value::$kind(held) => Ok(Some(held.clone())),
                    _ => Err(SqlError::Failed(format!("column {name} holds different kinds of values"))),
                };
                let all = column().map(one).collect::<Result<Vec<_>, _>>()?;
                ($array, sqlx::Arguments::add(&mut arguments, all))
            }};
        }
        let (kind, added) = match first {
            Value::Integer(_) => array!(Integer, "int8[]"),
            Value::Text(_) => array!(Text, "text[]"),
            Value::Blob(_) | Value::Null => array!(Blob, "bytea[]"),
        };
        added.map_err(|e| SqlError::Failed(e.to_string()))?;
        names.push(*name);
        arrays.push(format!("${}::{kind}", names.len()));
    }
    let (names, arrays) = (names.join(", "), arrays.join(", "));
    Ok((format!("INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})"), arguments))
}

fn arguments(values: &[Value]) -> Result<PgArguments, SqlError> {
    let mut arguments = PgArguments::default();
    for value in values {
        sqlx::Arguments::add(&mut arguments, value).map_err(|e| SqlError::Failed(e.to_string()))?;
    }
    Ok(arguments)
}

impl Type<Postgres> for Value {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Value {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Integer(n) => Encode::<Postgres>::encode_by_ref(n, buffer),
            Value::Text(text) => Encode::<Postgres>::encode_by_ref(text, buffer),
            Value::Blob(bytes) => Encode::<Postgres>::encode_by_ref(bytes, buffer),
        }
    }

    /// Nothing has the type that the statement gives it.
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(match self {
            Value::Null => PgTypeInfo::with_oid(Oid(0)),
            Value::Integer(_) => <i64 as Type<Postgres>>::type_info(),
            Value::Text(_) => <String as Type<Postgres>>::type_info(),
            Value::Blob(_) => <Vec<u8> as Type<Postgres>>::type_info(),
        })
    }
}
