//! The schema of PostgreSQL: every table of the projections under row-level security. The login that owns it makes it anew
//! when a table or a projection's revision changes; whoever serves may only read and write rows.

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

const STATE: [&str; 4] = [
    "positions (projection TEXT COLLATE \"C\" NOT NULL, ledger BYTEA NOT NULL, next BIGINT NOT NULL,
        stopped TEXT COLLATE \"C\", PRIMARY KEY (projection, ledger))",
    "effect_attempts (ledger BYTEA NOT NULL, position BIGINT NOT NULL, n BIGINT NOT NULL, attempts BIGINT NOT NULL,
        next_at BIGINT NOT NULL, PRIMARY KEY (ledger, position, n))",
    "webhook_cursors (ledger BYTEA NOT NULL, webhook_id BYTEA NOT NULL, next BIGINT NOT NULL, failing_since BIGINT,
        PRIMARY KEY (ledger, webhook_id))",
    "webhook_deliveries (ledger BYTEA NOT NULL, id BYTEA NOT NULL, webhook_id BYTEA NOT NULL, position BIGINT NOT NULL,
        kind TEXT COLLATE \"C\" NOT NULL, status TEXT COLLATE \"C\" NOT NULL, attempts BIGINT NOT NULL,
        next_at BIGINT NOT NULL, queued_at BIGINT NOT NULL, done_at BIGINT, tries TEXT COLLATE \"C\" NOT NULL,
        PRIMARY KEY (ledger, id))",
];

/// Of what is kept beside.
const INDEX: &str = "CREATE INDEX webhook_deliveries_0 ON webhook_deliveries (ledger, webhook_id, status, next_at);\n";

/// Opens the schema; makes it if it is missing or of another version.
pub fn open(address: &Address, projections: &[Projection]) -> Result<Client, OpenError> {
    let statements = statements(projections);
    let fingerprint = fingerprint(projections);
    Client::open(address, Setup::Cache { schema: "keiin_read", fingerprint, statements }, CONNECTIONS, PATIENCE)
}

/// Has nothing ever been folded?
pub fn is_empty(client: &Client) -> Result<bool, SqlError> {
    let mut connection = Connection::Postgres(client.clone());
    Ok(connection.row(Scope::All, "SELECT 1 FROM positions LIMIT 1", &[])?.is_none())
}

/// Changes with the tables and the folds' revisions.
pub fn fingerprint(projections: &[Projection]) -> String {
    let revisions: Vec<String> = projections.iter().map(|p| format!("{} {}", p.name, p.revision)).collect();
    Hash::of(format!("{}\n{}", statements(projections), revisions.join("\n")).as_bytes()).to_string()
}

fn statements(projections: &[Projection]) -> String {
    let tables = projections.iter().flat_map(|p| p.tables).map(|table| made(table));
    let state = STATE.iter().map(|columns| {
        let name = columns.split(' ').next().unwrap_or(columns);
        format!("CREATE TABLE {columns};\n{}", guarded(name))
    });
    state.chain(tables).chain([INDEX.to_owned()]).collect()
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
