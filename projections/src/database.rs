//! Where the read models are: a file of SQLite, or a schema of a PostgreSQL database. Either may be dropped at any time
//! and belongs into no backup.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use keiin_eventlog::postgres::{Address, InUse, Unused};
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

    /// Says to other nodes with which tables this one works, where they share the place.
    pub(crate) async fn enter(&self, projections: &[Projection]) -> Result<Option<Version>, OpenError> {
        let At::Postgres(address, _) = &self.0 else { return Ok(None) };
        let schema = postgres::schema(projections);
        let _in_use = InUse::enter(address, &schema).await?;
        Ok(Some(Version { schema, address: address.clone(), _in_use }))
    }

    /// Makes tables that are missing; in a file, all of them anew where they do not fit.
    pub(crate) fn open(&self, projections: &[Projection]) -> Result<Opened, OpenError> {
        match &self.0 {
            At::Sqlite(path) => {
                let (connection, unfilled) =
                    sqlite::open(path, projections).map_err(|e| OpenError::new(path.display(), e))?;
                Ok(Opened { connection, unfilled })
            }
            At::Postgres(address, shared) => {
                let client = postgres::open(address, projections)?;
                let unfilled = postgres::is_empty(&client).map_err(|e| OpenError::new(address, e))?;
                *shared.write().unwrap_or_else(|e| e.into_inner()) = Some(client.clone());
                Ok(Opened { connection: Connection::Postgres(client), unfilled })
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
}

/// The part of a shared place that nodes of this version work with.
pub(crate) struct Version {
    /// Its schema.
    pub schema: String,
    address: Address,
    _in_use: InUse,
}

impl Version {
    /// The other versions' parts that nobody uses.
    pub fn others(&self) -> Unused {
        Unused::new(&self.address, postgres::FAMILY, &self.schema)
    }
}
