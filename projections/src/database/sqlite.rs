//! The file of SQLite: how it is opened and kept. The only place of the read models that knows the driver.

use std::path::Path;
use std::time::Duration;

use keiin_eventlog::sql::{self, SqlError, Tx};
use rusqlite::{Connection, OptionalExtension};

use crate::runner::Projection;
use crate::table::Table;

const STATE: &str = "
    CREATE TABLE IF NOT EXISTS positions (
        projection TEXT NOT NULL, ledger BLOB NOT NULL, next BIGINT NOT NULL, stopped TEXT,
        PRIMARY KEY (projection, ledger)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS revisions (projection TEXT PRIMARY KEY, revision BIGINT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS effect_attempts (
        ledger BLOB NOT NULL, position BIGINT NOT NULL, n BIGINT NOT NULL, attempts BIGINT NOT NULL,
        next_at BIGINT NOT NULL, PRIMARY KEY (ledger, position, n)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS webhook_cursors (
        ledger BLOB NOT NULL, webhook_id BLOB NOT NULL, next BIGINT NOT NULL, failing_since BIGINT,
        PRIMARY KEY (ledger, webhook_id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS webhook_deliveries (
        ledger BLOB NOT NULL, id BLOB NOT NULL, webhook_id BLOB NOT NULL, position BIGINT NOT NULL, kind TEXT NOT NULL,
        status TEXT NOT NULL, attempts BIGINT NOT NULL, next_at BIGINT NOT NULL, queued_at BIGINT NOT NULL,
        done_at BIGINT, tries TEXT NOT NULL, PRIMARY KEY (ledger, id)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS webhook_deliveries_0 ON webhook_deliveries (ledger, webhook_id, status, next_at);";

/// Tables that are no projection's.
const KEPT: [&str; 5] = ["positions", "revisions", "effect_attempts", "webhook_cursors", "webhook_deliveries"];

/// Opens the file with the settings that every connection to it needs.
pub fn connect(path: &Path) -> Result<Connection, SqlError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    sql::keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

/// Opens it, makes what is missing and drops what is nobody's. True if a projection's revision is another one.
pub fn open(path: &Path, projections: &[Projection]) -> Result<(sql::Connection, bool), SqlError> {
    let connection = connect(path)?;
    connection.execute_batch(STATE)?;
    let mut changed = false;
    for projection in projections {
        changed |= revision(&connection, projection)? != Some(projection.revision);
    }
    drop_others(&connection, projections)?;
    // Any ANALYZE makes the table of statistics.
    connection.execute_batch("ANALYZE sqlite_schema")?;
    for table in projections.iter().flat_map(|p| p.tables) {
        create(&connection, table)?;
    }
    Ok((sql::Connection::Sqlite(connection), changed))
}

fn create(connection: &Connection, table: &Table) -> Result<(), SqlError> {
    let sql = "SELECT count(*) FROM sqlite_master WHERE name = ?";
    let there: bool = connection.query_row(sql, [table.name], |row| row.get(0))?;
    if !there {
        for statement in ddl(table, table.name) {
            connection.execute_batch(&statement)?;
        }
        advise(connection, table)?;
    }
    Ok(())
}

/// Statements that make a table under another name (for a rebuild beside the live one).
fn ddl(table: &Table, name: &str) -> Vec<String> {
    let columns: Vec<String> =
        table.key.iter().chain(table.columns).map(|c| format!("{} {}", c.name, c.kind)).collect();
    let key: Vec<&str> = table.key.iter().map(|c| c.name).collect();
    let mut statements = vec![format!(
        "CREATE TABLE {name} (ledger BLOB NOT NULL, {}, PRIMARY KEY (ledger, {})) WITHOUT ROWID",
        columns.join(", "),
        key.join(", ")
    )];
    for (n, columns) in table.indexed().enumerate() {
        statements.push(format!("CREATE INDEX {name}_{n} ON {name} (ledger, {columns})"));
    }
    statements
}

/// What the planner shall believe of a table: a company has many rows, a further column narrows a lot. Measured
/// statistics would be of the table when it was small, and connections read them only when they open.
fn advise(connection: &Connection, table: &Table) -> Result<(), SqlError> {
    let mut insert = connection.prepare_cached("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)")?;
    let stat = |columns: usize| format!("10000000 1000000{}", " 100".repeat(columns));
    connection.execute("DELETE FROM sqlite_stat1 WHERE tbl = ?", [table.name])?;
    insert.execute((table.name, table.name, format!("10000000 1000000{}", " 1".repeat(table.key.len()))))?;
    for (n, columns) in table.indexed().enumerate() {
        insert.execute((table.name, format!("{}_{n}", table.name), stat(columns.split(',').count())))?;
    }
    Ok(())
}

/// Memory for pages, in KiB (a negative `cache_size`, SQLite's default), and while a rebuild sorts whole tables: with less,
/// pages of an index are written out and read again as it grows.
const CACHE_KIB: i64 = 2_000;
const REBUILD_CACHE_KIB: i64 = 64_000;

/// Makes empty tables beside the live ones, without indexes.
pub fn create_beside(tx: &Tx<'_>, tables: &[&'static Table]) -> Result<(), SqlError> {
    let Tx::Sqlite(connection) = tx else { return Ok(()) };
    connection.pragma_update(None, "cache_size", -REBUILD_CACHE_KIB)?;
    for table in tables {
        let beside = format!("{}_beside", table.name);
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {beside}; {}", ddl(table, &beside)[0]))?;
    }
    Ok(())
}

/// Puts the tables beside in the place of the live ones, inside the caller's transaction: no reader sees a part.
pub fn swap(tx: &Tx<'_>, projections: &[Projection]) -> Result<(), SqlError> {
    let Tx::Sqlite(connection) = tx else { return Ok(()) };
    for table in projections.iter().flat_map(|p| p.tables) {
        connection.execute_batch(&format!("DROP TABLE {0}; ALTER TABLE {0}_beside RENAME TO {0}", table.name))?;
        // An index's name is free once the old table is gone.
        for index in &ddl(table, table.name)[1..] {
            connection.execute_batch(index)?;
        }
        advise(connection, table)?;
    }
    connection.execute_batch("DELETE FROM positions; DELETE FROM revisions;")?;
    for projection in projections {
        connection.execute("INSERT INTO revisions VALUES (?, ?)", (projection.name, projection.revision))?;
    }
    Ok(connection.pragma_update(None, "cache_size", -CACHE_KIB)?)
}

/// What a scrub or a rebuild overwrote must not survive in the write-ahead log. Waits for readers up to the busy timeout;
/// false if one is still in the way. PostgreSQL vacuums by itself.
pub fn forget_overwritten(connection: &sql::Connection) -> Result<bool, SqlError> {
    let sql::Connection::Sqlite(connection) = connection else { return Ok(true) };
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(!busy)
}

/// Tables that no projection has any more, or that an interrupted rebuild left, would escape every scrub.
fn drop_others(connection: &Connection, projections: &[Projection]) -> Result<(), SqlError> {
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let found: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let known = |name: &str| projections.iter().flat_map(|p| p.tables).any(|table| table.name == name);
    for name in found.iter().filter(|name| !known(name) && !KEPT.contains(&name.as_str())) {
        connection.execute_batch(&format!("DROP TABLE \"{name}\""))?;
    }
    Ok(())
}

fn revision(connection: &Connection, projection: &Projection) -> Result<Option<i64>, SqlError> {
    let sql = "SELECT revision FROM revisions WHERE projection = ?";
    Ok(connection.query_row(sql, [projection.name], |row| row.get(0)).optional()?)
}
