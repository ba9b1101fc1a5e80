//! [`super`] on rusqlite.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};

use super::{Row, SqlError, Value};
use crate::sqlite::say;

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> SqlError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => SqlError::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => SqlError::Busy,
            _ => SqlError::Failed(error.to_string()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(n) => ValueRef::Integer(*n),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// SQLite takes `$1` for a name; numbers are `?1`.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

pub(super) fn query(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
    let mut statement = connection.prepare_cached(&numbered(sql))?;
    let names: Arc<[String]> = statement.column_names().into_iter().map(String::from).collect();
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        let read = |at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(n) => Value::Integer(n),
                ValueRef::Real(_) => return Err(SqlError::Failed(format!("column {} is no whole number", names[at]))),
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            })
        };
        let values = (0..names.len()).map(read).collect::<Result<_, SqlError>>()?;
        found.push(Row { names: names.clone(), values });
    }
    Ok(found)
}

pub(super) fn execute(connection: &Connection, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
    Ok(connection.prepare_cached(&numbered(sql))?.execute(params_from_iter(values))? as u64)
}

pub(super) fn insert(
    connection: &Connection,
    table: &str,
    columns: &[&str],
    rows: &[Vec<Value>],
) -> Result<(), SqlError> {
    let marks = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "));
    let mut statement = connection.prepare_cached(&sql)?;
    for row in rows {
        statement.execute(params_from_iter(row))?;
    }
    Ok(())
}

pub(super) fn transact<T, E>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<Result<T, E>, SqlError> {
    // What a panic has left open.
    roll_back(connection);
    say(connection, "BEGIN IMMEDIATE")?;
    let done = match work(connection) {
        Ok(done) => done,
        Err(error) => {
            roll_back(connection);
            return Ok(Err(error));
        }
    };
    match say(connection, "COMMIT").map_err(SqlError::from) {
        Ok(()) => Ok(Ok(done)),
        Err(error) => {
            roll_back(connection);
            // A failed sync: what was written may be durable.
            Err(if let SqlError::Failed(reason) = error { SqlError::Unknown(reason) } else { error })
        }
    }
}

/// What cannot be taken back was taken back already.
fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        let _ = say(connection, "ROLLBACK");
    }
}
