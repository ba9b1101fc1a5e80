//! Where the read models are: a file of SQLite, or a schema of a PostgreSQL database. Either may be dropped at any time
//! and belongs into no backup.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use keiin_eventlog::postgres::Address;
use keiin_eventlog::sql::postgres::Client;
use keiin_eventlog::sql::{Connection, OpenError, SqlError};

use crate::PROJECTIONS;
use crate::runner::Projection;

mod postgres;
pub(crate) mod sqlite;

/// A place for read models. Clones are the same place and share its connections.
#[derive(Clone)]
pub struct Database(At);

#[derive(Clone)]
enum At {
    Sqlite(PathBuf),
    Postgres(Address, Arc<RwLock<Option<Client>>>),
}

impl Database {
    /// A file, made when it is opened.
    pub fn sqlite(path: impl AsRef<Path>) -> Database {
        Database(At::Sqlite(path.as_ref().to_owned()))
    }

    /// A schema of its own in this database, made when it is opened, if the login may.
    pub fn postgres(address: Address) -> Database {
        Database(At::Postgres(address, Arc::default()))
    }

    /// Makes tables that are missing, and all of them anew where they do not fit.
    pub(crate) fn open(&self, projections: &[Projection]) -> Result<Opened, OpenError> {
        match &self.0 {
            At::Sqlite(path) => {
                let (connection, unfilled) =
                    sqlite::open(path, projections).map_err(|e| OpenError::new(path.display(), e))?;
                Ok(Opened { connection, unfilled, fingerprint: None })
            }
            At::Postgres(address, shared) => {
                let client = postgres::open(address, projections)?;
                let unfilled = postgres::is_empty(&client).map_err(|e| OpenError::new(address, e))?;
                *shared.write().unwrap_or_else(|e| e.into_inner()) = Some(client.clone());
                let fingerprint = Some(postgres::fingerprint(projections));
                Ok(Opened { connection: Connection::Postgres(client), unfilled, fingerprint })
            }
        }
    }

    /// A connection to what another process has folded, or folds.
    pub fn look(&self) -> Result<Connection, OpenError> {
        match &self.0 {
            At::Sqlite(path) => {
                let connection = sqlite::connect(path).map_err(|e| OpenError::new(path.display(), e))?;
                Ok(Connection::Sqlite(connection))
            }
            At::Postgres(address, _) => Ok(Connection::Postgres(postgres::open(address, PROJECTIONS)?)),
        }
    }

    /// A connection of its own, once a runner has opened the place.
    pub fn connect(&self) -> Result<Connection, SqlError> {
        match &self.0 {
            At::Sqlite(path) => Ok(Connection::Sqlite(sqlite::connect(path)?)),
            At::Postgres(address, shared) => {
                let client = shared.read().unwrap_or_else(|e| e.into_inner()).clone();
                let client = client.ok_or_else(|| SqlError::Away(format!("{address}: not opened yet")))?;
                Ok(Connection::Postgres(client))
            }
        }
    }
}

/// What a runner needs of the place.
pub(crate) struct Opened {
    pub connection: Connection,
    /// Everything is to be folded from zero.
    pub unfilled: bool,
    /// Which version of the tables it is, where another node may make them anew.
    pub fingerprint: Option<String>,
}
