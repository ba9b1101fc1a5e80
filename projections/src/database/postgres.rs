//! The schema of PostgreSQL: every table of the projections under row-level security. The login that owns the database makes
//! another one beside it when a table or a projection's revision changes; whoever serves may only read and write rows.
//! What is kept of effects is in a schema that all versions share. Why: `docs/decisions/0044-rolling-upgrade.md`.

use std::time::Duration;

use keiin_eventlog::postgres::{Address, ROLE, Setup, policy};
use keiin_eventlog::record::Hash;
use keiin_eventlog::sql::postgres::Client;
use keiin_eventlog::sql::{Connection, OpenError, Scope, SqlError};

use crate::runner::Projection;
use crate::table::{Column, Table};

/// Connections of a node to its read models.
const CONNECTIONS: u32 = 16;
/// How long a reader waits for an answer. A statement of a rebuild may take longer.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What the names of all versions' schemas begin with.
pub const FAMILY: &str = "keiin_read";
/// What is kept of effects, whatever version a node is of.
const EFFECTS: Setup = Setup::Steps(
    "keiin_effects",
    &[("effects", include_str!("../../../migrations/postgres/effects/0001_effects.sql"))],
);

const POSITIONS: &str =
    "positions (projection TEXT COLLATE \"C\" NOT NULL, ledger BYTEA NOT NULL, next BIGINT NOT NULL,
        stopped TEXT COLLATE \"C\", PRIMARY KEY (projection, ledger))";

/// Opens the schema of this version; makes it if it is missing.
pub fn open(address: &Address, projections: &[Projection]) -> Result<Client, OpenError> {
    let (schema, fingerprint, statements) = (schema(projections), fingerprint(projections), statements(projections));
    let tables = Setup::Cache { schema, fingerprint, statements };
    Client::open(address, vec![tables, EFFECTS], CONNECTIONS, PATIENCE)
}

/// The schema of this version: another version of the tables is another schema, beside it.
pub fn schema(projections: &[Projection]) -> String {
    format!("{FAMILY}_{}", &fingerprint(projections)[..12])
}

/// Has nothing ever been folded?
pub fn is_empty(client: &Client) -> Result<bool, SqlError> {
    let mut connection = Connection::Postgres(client.clone());
    Ok(connection.row(Scope::All, "SELECT 1 FROM positions LIMIT 1", &[])?.is_none())
}

/// Changes with the tables and the folds' revisions.
fn fingerprint(projections: &[Projection]) -> String {
    let revisions: Vec<String> = projections.iter().map(|p| format!("{} {}", p.name, p.revision)).collect();
    Hash::of(format!("{}\n{}", statements(projections), revisions.join("\n")).as_bytes()).to_string()
}

fn statements(projections: &[Projection]) -> String {
    let tables = projections.iter().flat_map(|p| p.tables).map(|table| made(table));
    [format!("CREATE TABLE {POSITIONS};\n{}", guarded("positions"))].into_iter().chain(tables).collect()
}

fn made(table: &Table) -> String {
    let name = table.name;
    let column = |c: &Column| match c.kind {
        "TEXT" => format!("{} TEXT COLLATE \"C\"", c.name),
        "BLOB" => format!("{} BYTEA", c.name),
        kind => format!("{} {kind}", c.name),
    };
    let columns: Vec<String> = table.key.iter().chain(table.columns).map(column).collect();
    let key: Vec<&str> = table.key.iter().map(|c| c.name).collect();
    let (columns, key) = (columns.join(", "), key.join(", "));
    let mut sql = format!("CREATE TABLE {name} (ledger BYTEA NOT NULL, {columns}, PRIMARY KEY (ledger, {key}));\n");
    for (n, columns) in table.indexed().enumerate() {
        sql.push_str(&format!("CREATE INDEX {name}_{n} ON {name} (ledger, {columns});\n"));
    }
    sql + &guarded(name)
}

fn guarded(table: &str) -> String {
    let policy = policy(table, "encode(ledger, 'hex')");
    format!("{policy}\nGRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {ROLE};\n")
}
