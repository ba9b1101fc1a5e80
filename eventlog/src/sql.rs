//! One small way to ask SQLite and PostgreSQL the same thing: vault, anchor and read models write their SQL once, with
//! `$1`, `$2`, … and portable types (BIGINT, TEXT, BLOB on SQLite and BYTEA on PostgreSQL; ids are 16 bytes, flags 0 and 1).
//! The hot path of the log does not go through here.
//!
//! The calls block, on the disk or on the server, as SQLite's always have.
//!
//! Invariants:
//! * What a transaction wrote is durable when it returns `Ok`.
//! * On PostgreSQL every statement runs under a [`Scope`], and row-level security shows it nothing else.

use std::sync::Arc;

use uuid::Uuid;

pub use crate::sqlite::keep_plans;
pub mod postgres;
pub(crate) mod sqlite;

/// A value in a column. Sorted as the databases sort.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number, a time, a flag.
    Integer(i64),
    /// Text.
    Text(String),
    /// An id, a hash, encoded bytes.
    Blob(Vec<u8>),
}

/// What can be put into a column.
pub trait ToValue {
    /// The column's value.
    fn to_value(self) -> Value;
}

/// What can be read from a column.
pub trait FromValue: Sized {
    /// `None` = the column holds something else.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! integers {
    ($($kind:ty)+) => { $(
        impl ToValue for $kind {
            fn to_value(self) -> Value { Value::Integer(self as i64) }
        }
        impl FromValue for $kind {
            fn from_value(value: &Value) -> Option<Self> {
                match value { Value::Integer(n) => <$kind>::try_from(*n).ok(), _ => None }
            }
        }
    )+ };
}

integers! { i64 u64 i32 u32 u16 u8 }

impl ToValue for Value {
    fn to_value(self) -> Value {
        self
    }
}

impl ToValue for bool {
    fn to_value(self) -> Value {
        Value::Integer(i64::from(self))
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        matches!(value, Value::Integer(_)).then(|| *value != Value::Integer(0))
    }
}

impl ToValue for &str {
    fn to_value(self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl ToValue for String {
    fn to_value(self) -> Value {
        Value::Text(self)
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl ToValue for &[u8] {
    fn to_value(self) -> Value {
        Value::Blob(self.to_vec())
    }
}

impl ToValue for Vec<u8> {
    fn to_value(self) -> Value {
        Value::Blob(self)
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(self) -> Value {
        Value::Blob(self.to_vec())
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => bytes.as_slice().try_into().ok(),
            _ => None,
        }
    }
}

impl ToValue for Uuid {
    fn to_value(self) -> Value {
        Value::Blob(self.as_bytes().to_vec())
    }
}

impl FromValue for Uuid {
    fn from_value(value: &Value) -> Option<Self> {
        <[u8; 16]>::from_value(value).map(Uuid::from_bytes)
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(self) -> Value {
        self.map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// Values of a statement's parameters, in the order of their numbers.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::sql::ToValue::to_value($value)),*] };
}

/// Why a statement has no result.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SqlError {
    /// No room. Nothing was written; the same may succeed later.
    #[error("no room on the disk of the database")]
    Full,
    /// Somebody else holds it. Nothing was written; the same may succeed later.
    #[error("the database is in use; try again")]
    Busy,
    /// It cannot be reached or did not answer in time. Nothing was written; the same may succeed later.
    #[error("the database cannot be reached: {0}")]
    Away(String),
    /// Committing failed: written or not. The same, sent again, must be harmless.
    #[error("it is not known whether the database has committed: {0}")]
    Unknown(String),
    /// Anything else: a failed write, a wrong statement, a column that holds something else.
    #[error("{0}")]
    Failed(String),
}

/// A database cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{at}: {reason}")]
pub struct OpenError {
    /// The file, or the address without its password.
    pub at: String,
    /// What does not hold, and what to do.
    pub reason: String,
}

impl OpenError {
    /// From what is displayed.
    pub fn new(at: impl std::fmt::Display, reason: impl std::fmt::Display) -> OpenError {
        OpenError { at: at.to_string(), reason: reason.to_string() }
    }
}

/// A row that was read.
#[derive(Clone, Debug)]
pub struct Row {
    names: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    /// A column by its place, from 0.
    pub fn get<T: FromValue>(&self, at: usize) -> Result<T, SqlError> {
        let value = self.values.get(at).ok_or_else(|| SqlError::Failed(format!("no column {at}")))?;
        T::from_value(value).ok_or_else(|| self.unfit(at))
    }

    /// A column by its name.
    pub fn named<T: FromValue>(&self, name: &str) -> Result<T, SqlError> {
        self.get(self.place(name)?)
    }

    /// A column's value by its name.
    pub fn value(&self, name: &str) -> Result<&Value, SqlError> {
        Ok(&self.values[self.place(name)?])
    }

    /// All values.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    fn place(&self, name: &str) -> Result<usize, SqlError> {
        let at = self.names.iter().position(|n| n == name);
        at.ok_or_else(|| SqlError::Failed(format!("no column {name}")))
    }

    fn unfit(&self, at: usize) -> SqlError {
        SqlError::Failed(format!("column {} holds something else", self.names[at]))
    }
}

/// Whose rows a statement may see and write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One company's.
    Ledger(Uuid),
    /// Every company's: for work of the deployment itself, never for a request.
    All,
}

/// A connection to SQLite, or a way to PostgreSQL's.
pub enum Connection {
    /// The file.
    Sqlite(rusqlite::Connection),
    /// The server; clones share its connections.
    Postgres(postgres::Client),
}

/// An open transaction.
pub enum Tx<'a> {
    /// On SQLite.
    Sqlite(&'a rusqlite::Connection),
    /// On PostgreSQL.
    Postgres(&'a mut postgres::Held),
}

impl Connection {
    /// Is it PostgreSQL? For the few statements that differ.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Connection::Postgres(_))
    }

    /// Rows of one statement.
    pub fn query(&mut self, scope: Scope, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        match self {
            Connection::Sqlite(connection) => sqlite::query(connection, sql, values),
            Connection::Postgres(client) => client.query(scope, sql, values),
        }
    }

    /// The first row of one statement, if there is one.
    pub fn row(&mut self, scope: Scope, sql: &str, values: &[Value]) -> Result<Option<Row>, SqlError> {
        Ok(self.query(scope, sql, values)?.into_iter().next())
    }

    /// One transaction, durable when it returns `Ok`. An error of `work` takes everything back. With
    /// [`SqlError::Unknown`] the caller may have to find out what became of it, or repeat it.
    pub fn write<T, E: From<SqlError>>(
        &mut self,
        scope: Scope,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transact(scope, work)?
    }

    /// The same; the outer error is that of beginning and committing.
    pub fn transact<T, E>(
        &mut self,
        scope: Scope,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>, SqlError> {
        match self {
            Connection::Sqlite(connection) => sqlite::transact(connection, |c| work(&mut Tx::Sqlite(c))),
            Connection::Postgres(client) => {
                let mut held = client.begin(scope)?;
                match work(&mut Tx::Postgres(&mut held)) {
                    Ok(done) => held.commit().map(|()| Ok(done)),
                    Err(error) => {
                        held.roll_back();
                        Ok(Err(error))
                    }
                }
            }
        }
    }
}

impl Tx<'_> {
    /// Is it PostgreSQL? For the few statements that differ.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Tx::Postgres(_))
    }

    /// Rows of one statement.
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        match self {
            Tx::Sqlite(connection) => sqlite::query(connection, sql, values),
            Tx::Postgres(held) => held.query(sql, values),
        }
    }

    /// The first row of one statement, if there is one.
    pub fn row(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, SqlError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// Runs a statement; how many rows it changed.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        match self {
            Tx::Sqlite(connection) => sqlite::execute(connection, sql, values),
            Tx::Postgres(held) => held.execute(sql, values),
        }
    }

    /// Inserts rows, each as wide as `columns`, in bulk. On PostgreSQL a column of them holds one kind of values, and has no
    /// default.
    pub fn insert(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<(), SqlError> {
        match self {
            Tx::Sqlite(connection) => sqlite::insert(connection, table, columns, &rows),
            Tx::Postgres(held) => held.insert(table, columns, rows),
        }
    }
}
