//! A small database that must lose nothing, for vault and anchor: a file, or PostgreSQL.
//!
//! Invariants:
//! * What a write made is on stable storage when it returns `Ok`.
//! * After a failed write to the file nothing is asked of it any more, until a restart: it may be durable or not. Whoever
//!   asked to be told ([`Kept::on_fatal`]) ends the process there.

use std::path::Path;
use std::time::Duration;

use crate::postgres::{Address, Setup};
use crate::sql::{Connection, OpenError, Row, Scope, SqlError, Tx, Value};
use crate::sqlite;
use rusqlite_migration::{M, Migrations};

/// Writes after which a file's write-ahead log is moved into it.
const CHECKPOINT_WRITES: usize = 300;
/// How long PostgreSQL may take for one statement. Requests wait for the vault.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// Connections to PostgreSQL.
const CONNECTIONS: u32 = 4;

/// Where a kept database is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file of ours.
    File(std::path::PathBuf),
    /// A database of its own on a PostgreSQL server.
    Postgres(Address),
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Place {
        Place::File(path.to_owned())
    }
}

impl From<&std::path::PathBuf> for Place {
    fn from(path: &std::path::PathBuf) -> Place {
        Place::File(path.clone())
    }
}

impl From<&Place> for Place {
    fn from(place: &Place) -> Place {
        place.clone()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Postgres(address) => address.fmt(f),
        }
    }
}

/// What makes its tables.
pub(crate) struct Tables {
    /// On SQLite.
    pub sqlite: &'static [M<'static>],
    /// On PostgreSQL: the schema's name, and its steps with their names.
    pub postgres: (&'static str, &'static [(&'static str, &'static str)]),
}

/// The opened database.
pub(crate) struct Kept {
    connection: Connection,
    writes: usize,
    stopped: Option<String>,
    fatal: Option<FatalHook>,
}

/// What is called once when a database must not be used any more. The argument says why.
pub type FatalHook = Box<dyn Fn(&str) + Send + Sync>;

impl Kept {
    /// Opens or makes it, for writing.
    pub fn open(place: &Place, tables: &Tables) -> Result<Kept, OpenError> {
        let connection = match place {
            Place::File(path) => {
                let connection = sqlite::open(path, &Migrations::from_slice(tables.sqlite))?;
                let secure = connection.query_row("PRAGMA secure_delete = ON", [], |row| row.get::<_, i64>(0));
                if secure.map_err(|e| OpenError::new(place, e))? != 1 {
                    return Err(OpenError::new(place, "this SQLite does not overwrite what it deletes"));
                }
                Connection::Sqlite(connection)
            }
            Place::Postgres(address) => Kept::on_server(address, tables)?,
        };
        Ok(Kept { connection, writes: 0, stopped: None, fatal: None })
    }

    /// Opens one that exists, for reading, beside whoever writes it.
    pub fn open_reader(place: &Place, tables: &Tables) -> Result<Kept, OpenError> {
        let connection = match place {
            Place::File(path) => Connection::Sqlite(sqlite::open_reader(path)?),
            Place::Postgres(address) => Kept::on_server(address, tables)?,
        };
        Ok(Kept { connection, writes: 0, stopped: None, fatal: None })
    }

    fn on_server(address: &Address, tables: &Tables) -> Result<Connection, OpenError> {
        let setup = Setup::Steps(tables.postgres.0, tables.postgres.1);
        let client = crate::sql::postgres::Client::open(address, vec![setup], CONNECTIONS, PATIENCE)?;
        Ok(Connection::Postgres(client))
    }

    /// Can other processes write to it at the same time?
    pub fn is_shared(&self) -> bool {
        self.connection.is_postgres()
    }

    /// Sets what is called when a write has failed and nothing more is asked of the file.
    pub fn on_fatal(&mut self, hook: FatalHook) {
        self.fatal = Some(hook);
    }

    fn stop(&mut self, reason: &str) {
        if self.stopped.is_none()
            && let Some(hook) = &self.fatal
        {
            hook(reason);
        }
        self.stopped.get_or_insert_with(|| reason.to_owned());
    }

    /// Why nothing is asked of it any more.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Rows of one statement.
    pub fn query(&mut self, scope: Scope, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.connection.query(scope, sql, values)
    }

    /// The first row of one statement, if there is one.
    pub fn row(&mut self, scope: Scope, sql: &str, values: &[Value]) -> Result<Option<Row>, SqlError> {
        self.connection.row(scope, sql, values)
    }

    /// One transaction, durable when it returns `Ok`; an error of `work` takes it back.
    pub fn write<T, E: From<SqlError>>(
        &mut self,
        scope: Scope,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = self.connection.transact(scope, work);
        if !self.is_shared() {
            if let Err(SqlError::Unknown(reason)) = &done {
                let reason = reason.clone();
                self.stop(&reason);
            }
            self.writes += 1;
            if self.writes >= CHECKPOINT_WRITES && self.stopped.is_none() {
                // What was written is written: no room here only means later.
                match self.checkpoint("PASSIVE") {
                    Ok(_) | Err(SqlError::Full | SqlError::Busy) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        done?
    }

    /// Moves a file's write-ahead log into it; `false` = a reader kept it from doing all of it.
    pub fn checkpoint(&mut self, mode: &str) -> Result<bool, SqlError> {
        let Connection::Sqlite(connection) = &self.connection else { return Ok(true) };
        let done = sqlite::checkpoint(connection, mode);
        self.writes = 0;
        done.map_err(|error| self.failed(error))
    }

    /// Writes a file anew, so that nothing of what was deleted is left in it. Overwriting deleted cells is not enough: rows
    /// that moved between pages leave stale copies in the pages they came from (4,000 rows, 400 deleted: parts of about 5
    /// were still there). PostgreSQL's own vacuum does what it does, soon (see the tables' settings).
    pub fn compact(&mut self) -> Result<(), SqlError> {
        let Connection::Sqlite(connection) = &self.connection else { return Ok(()) };
        let done = connection.execute_batch("VACUUM");
        done.map_err(|error| self.failed(error))
    }

    fn failed(&mut self, error: rusqlite::Error) -> SqlError {
        let error = SqlError::from(error);
        if let SqlError::Failed(reason) = &error {
            let reason = reason.clone();
            self.stop(&reason);
        }
        error
    }
}
