//! What must be in a database before anybody uses it, and what must hold there.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::{Address, ROLE, primary};
use crate::sql::OpenError;

/// What must be in a database before anybody uses it.
pub enum Setup {
    /// Kept data: numbered steps, each run once.
    Steps(&'static str, &'static [(&'static str, &'static str)]),
    /// What can be made again: the schema is dropped and made anew when `fingerprint` changes.
    Cache {
        /// Name of the schema.
        schema: String,
        /// Changes with the statements.
        fingerprint: String,
        /// Makes everything in the empty schema.
        statements: String,
    },
}

impl Setup {
    pub(super) fn schema(&self) -> &str {
        match self {
            Setup::Steps(schema, _) => schema,
            Setup::Cache { schema, .. } => schema,
        }
    }
}

/// The schemas of ours that a database has.
pub async fn schemas(address: &Address) -> Result<Vec<String>, OpenError> {
    let (_, mut owner) = primary(address).await?;
    let sql = "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname, 'keiin_') ORDER BY nspname";
    let found = sqlx::query_scalar(sql).fetch_all(&mut owner).await;
    let _ = owner.close().await;
    found.map_err(|e| OpenError::new(address, e.to_string()))
}

/// Drops the schemas of ours, with everything in them, by the login that owns them. The role stays: it belongs to the
/// whole server.
pub async fn drop_schemas(address: &Address) -> Result<(), OpenError> {
    let (_, mut owner) = primary(address).await?;
    for schema in schemas(address).await? {
        let sql = format!("SET lock_timeout = '10s'; DROP SCHEMA \"{schema}\" CASCADE");
        owner.execute(AssertSqlSafe(sql)).await.map_err(|e| OpenError::new(address, e.to_string()))?;
    }
    let _ = owner.close().await;
    Ok(())
}

/// A policy under which a table shows the rows of the current scope (`crate::sql::Scope`) only, also to its owner. For
/// tables whose column `ledger` holds 16 bytes (BYTEA) or a UUID.
pub fn policy(table: &str, column: &str) -> String {
    let scope = "(SELECT current_setting('keiin.scope', true))";
    let seen = format!("{scope} = '*' OR {column} = ANY ((SELECT string_to_array({scope}, ','))::text[])");
    format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY company ON {table} USING ({seen}) WITH CHECK ({seen});"
    )
}

/// Why a database cannot be used.
pub(super) struct Unfit(pub String);

impl From<sqlx::Error> for Unfit {
    fn from(error: sqlx::Error) -> Unfit {
        Unfit(error.to_string())
    }
}

/// That what the server says to have committed is on its disk: settings that only whoever runs the server can change.
/// `data_sync_retry`: after a failed sync nobody knows what is on the disk, and a second one that succeeds says nothing.
pub(super) async fn is_durable(connection: &mut PgConnection) -> Result<(), Unfit> {
    let wrong = sqlx::query_as(
        "SELECT name, current_setting(name), wanted, what FROM (VALUES
           ('fsync', 'on', 'a power cut loses what was acknowledged'),
           ('full_page_writes', 'on', 'a power cut in the middle of a page loses what was acknowledged'),
           ('data_sync_retry', 'off', 'after a failed sync it may acknowledge what is not on the disk'))
         AS rule (name, wanted, what) WHERE current_setting(name) <> wanted LIMIT 1",
    );
    let wrong: Option<(String, String, String, String)> = wrong.fetch_optional(&mut *connection).await?;
    match wrong {
        None => Ok(()),
        Some((name, setting, wanted, what)) => {
            Err(Unfit(format!("its server runs with {name} = {setting}: {what}; set {name} = {wanted} and restart it")))
        }
    }
}

/// Role, schema and tables, by a login role that may; otherwise they must be there already.
pub(super) async fn prepare(owner: &mut PgConnection, setup: &Setup) -> Result<(), Unfit> {
    is_durable(owner).await?;
    let schema = setup.schema();
    // Two nodes that start at once make things one after the other.
    sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))").bind(schema).execute(&mut *owner).await?;
    let done = prepare_alone(owner, setup, schema).await;
    sqlx::query("SELECT pg_advisory_unlock(hashtextextended($1, 0))").bind(schema).execute(&mut *owner).await?;
    done
}

async fn prepare_alone(owner: &mut PgConnection, setup: &Setup, schema: &str) -> Result<(), Unfit> {
    let flag = |sql: &'static str| sqlx::query_scalar::<_, bool>(sql);
    let may_create = flag("SELECT has_database_privilege(current_database(), 'CREATE')").fetch_one(&mut *owner).await?;
    let schema_is_there = flag("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
        .bind(schema)
        .fetch_one(&mut *owner)
        .await?;
    let mine =
        flag("SELECT coalesce((SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = $1), false)")
            .bind(schema)
            .fetch_one(&mut *owner)
            .await?;
    if !(mine || may_create && !schema_is_there) {
        return is_prepared(owner, setup, schema).await;
    }
    let has_role =
        flag("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'keiin_app')").fetch_one(&mut *owner).await?;
    if !has_role {
        let made = owner.execute("CREATE ROLE keiin_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE").await;
        // Another database's first node may have been faster: roles belong to the whole server.
        match made {
            Ok(_) => {}
            Err(e) if e.as_database_error().is_some_and(|e| matches!(e.code().as_deref(), Some("42710" | "23505"))) => {
            }
            Err(e) => {
                return Err(Unfit(format!(
                    "{e}; as an administrator: CREATE ROLE keiin_app NOLOGIN; GRANT keiin_app TO CURRENT_USER"
                )));
            }
        }
    }
    if !flag("SELECT pg_has_role('keiin_app', 'MEMBER')").fetch_one(&mut *owner).await? {
        owner.execute("GRANT keiin_app TO CURRENT_USER").await?;
    }
    // Nothing is written where nothing is missing: on a former primary, no commit would ever be answered.
    let granted = flag(
        "SELECT coalesce((SELECT has_schema_privilege('keiin_app', oid, 'USAGE') FROM pg_namespace WHERE nspname = $1), false)",
    );
    if granted.bind(schema).fetch_one(&mut *owner).await? && is_prepared(owner, setup, schema).await.is_ok() {
        return Ok(());
    }
    match setup {
        Setup::Steps(_, steps) => {
            let text = format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path = {schema}");
            owner.execute(AssertSqlSafe(text)).await?;
            let mut migrator = migrator(steps);
            migrator.set_locking(false);
            migrator
                .run_direct(None, &mut *owner, false)
                .await
                .map_err(|e| Unfit(format!("its tables do not fit this program: {e}")))?;
            let grant =
                format!("GRANT USAGE ON SCHEMA {schema} TO keiin_app; GRANT SELECT ON _sqlx_migrations TO keiin_app");
            owner.execute(AssertSqlSafe(grant)).await?;
        }
        Setup::Cache { fingerprint, statements, .. } => {
            let text = format!(
                "BEGIN; DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; SET LOCAL search_path = {schema};
                 {statements};
                 CREATE TABLE made (fingerprint TEXT NOT NULL); INSERT INTO made VALUES ('{fingerprint}');
                 GRANT USAGE ON SCHEMA {schema} TO keiin_app; GRANT SELECT ON made TO keiin_app; COMMIT"
            );
            owner.execute(AssertSqlSafe(text)).await?;
        }
    }
    Ok(())
}

fn migrator(steps: &'static [(&'static str, &'static str)]) -> Migrator {
    let step = |(at, (name, sql)): (usize, &(&'static str, &'static str))| {
        let sql = sqlx::SqlSafeStr::into_sql_str(*sql);
        Migration::new(at as i64 + 1, (*name).into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(steps.iter().enumerate().map(step).collect())
}

/// For a login role that may not make anything.
async fn is_prepared(connection: &mut PgConnection, setup: &Setup, schema: &str) -> Result<(), Unfit> {
    let fits = match setup {
        Setup::Steps(_, steps) => {
            let newest = format!("SELECT coalesce(max(version), 0) FROM {schema}._sqlx_migrations WHERE success");
            let newest: Result<i64, _> = sqlx::query_scalar(AssertSqlSafe(newest)).fetch_one(&mut *connection).await;
            newest.is_ok_and(|newest| newest == steps.len() as i64)
        }
        Setup::Cache { fingerprint, .. } => {
            let made = format!("SELECT fingerprint FROM {schema}.made");
            let made: Result<String, _> = sqlx::query_scalar(AssertSqlSafe(made)).fetch_one(&mut *connection).await;
            made.is_ok_and(|made| made == *fingerprint)
        }
    };
    if fits {
        return Ok(());
    }
    Err(Unfit(format!(
        "its schema {schema} is missing or of another version, and this login may not make it; \
         run `keiin init` once with the login that owns the database"
    )))
}

/// That the role can neither change the rules nor pass them.
pub(super) async fn check(connection: &mut PgConnection, schema: &str) -> Result<(), Unfit> {
    let row = sqlx::query(
        "SELECT current_user::text AS name, rolsuper OR rolbypassrls AS mighty,
                (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = $1 AND pg_has_role(c.relowner, 'USAGE')) AS owned,
                (SELECT string_agg(c.relname, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'ledger'
                 WHERE n.nspname = $1 AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)) AS bare
         FROM pg_roles WHERE rolname = current_user",
    )
    .bind(schema)
    .fetch_one(&mut *connection)
    .await?;
    let (name, mighty, owned): (String, bool, i64) = (row.get("name"), row.get("mighty"), row.get("owned"));
    if name != ROLE || mighty || owned > 0 {
        return Err(Unfit(format!(
            "{name} must own nothing and be neither superuser nor BYPASSRLS; it owns {owned} tables"
        )));
    }
    if let Some(bare) = row.get::<Option<String>, _>("bare") {
        return Err(Unfit(format!("row-level security is not forced on {bare}")));
    }
    Ok(())
}
