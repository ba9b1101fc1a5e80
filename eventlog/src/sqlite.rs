//! How every SQLite file of ours is opened: one place for the settings that durability rests on.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rusqlite_migration::Migrations;

use crate::sql::OpenError;

/// First release without the WAL-reset corruption bug.
const LEAST_VERSION: i32 = 3_051_003;

/// Opens (or makes, mode 0600) a file for its one writer. The tail is believed only after every byte of the write-ahead
/// log has been synced into the file.
pub(crate) fn open(path: &Path, migrations: &Migrations<'_>) -> Result<Connection, OpenError> {
    let at = |error: rusqlite::Error| OpenError::new(path.display(), error);
    let unfit = |reason: String| OpenError::new(path.display(), reason);
    if rusqlite::version_number() < LEAST_VERSION {
        return Err(unfit(format!("SQLite {} can corrupt a database; 3.51.3 is needed", rusqlite::version())));
    }
    let is_new = !path.exists();
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| unfit(format!("cannot be opened for writing: {e}")))?;
    // SQLite syncs what it puts into the file; the file's name is ours to sync.
    if let Some(folder) = path.parent().filter(|folder| is_new && !folder.as_os_str().is_empty()) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|e| unfit(format!("its directory cannot be synced: {e}")))?;
    }
    let mut conn = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE)).map_err(at)?;
    settle(&conn).map_err(at)?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).map_err(at)?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;").map_err(at)?;
    let synchronous: i64 = conn.query_row("PRAGMA synchronous", [], |r| r.get(0)).map_err(at)?;
    if mode != "wal" || synchronous != 2 {
        return Err(unfit(format!("journal_mode {mode}, synchronous {synchronous}: WAL and FULL (2) are needed")));
    }
    if !checkpoint(&conn, "TRUNCATE").map_err(at)? {
        return Err(unfit(
            "another process is reading it; wait for that export or check to end, then start again".into(),
        ));
    }
    migrations.to_latest(&mut conn).map_err(|e| unfit(format!("its tables do not fit this program: {e}")))?;
    Ok(conn)
}

/// Opens an existing file for reading only.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let at = |error: rusqlite::Error| OpenError::new(path.display(), error);
    let conn = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY)).map_err(at)?;
    settle(&conn).map_err(at)?;
    Ok(conn)
}

/// A statement is planned once, whatever is bound to it. Without this, each that has `LIMIT ?` or `LIKE ?` is parsed and
/// planned again at every use, because the value could lead to another plan.
pub fn keep_plans(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// `BEGIN`, `COMMIT`, `ROLLBACK`: parsed once, because every read and every write says them.
pub(crate) fn say(conn: &Connection, words: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(words)?.execute([]).map(|_| ())
}

/// Moves the write-ahead log into the file. `false` = readers kept it from doing all of it.
pub(crate) fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<bool> {
    let busy: i64 = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |r| r.get(0))?;
    Ok(busy == 0)
}

/// Is the disk full? Then nothing was written, and the same may succeed later.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Do the file's own structures contradict each other?
pub(crate) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Does such a row stand there already?
pub(crate) fn is_taken(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation))
}

/// Does somebody else hold the file?
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn settle(conn: &Connection) -> rusqlite::Result<()> {
    keep_plans(conn)?;
    conn.set_prepared_statement_cache_capacity(256);
    conn.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;")
}
