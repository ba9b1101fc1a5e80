//! How every PostgreSQL database of ours is reached: one place for the settings that durability and isolation rest on.
//!
//! Whoever connects becomes the role [`ROLE`], which owns nothing and cannot pass row-level security. Tables are made by
//! the login role, if it may; a login that is only a member of [`ROLE`] serves as well once they are there.
//!
//! Invariants:
//! * Off loopback the server's certificate is checked; a plain connection is refused.
//! * `fsync` and `full_page_writes` are on, `synchronous_commit` is never off, nothing limits the time of a commit.
//! * A standby is never taken for the primary, and a primary of an earlier timeline not for that of a later one.
//! * A commit that the server answers with a warning is not a success ([`commit`]): a cancelled wait for the standby ends so.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Postgres, Row};
use tracing::instrument::WithSubscriber;

use crate::sql::{OpenError, SqlError};

/// Everything runs as this role. It is made with the first database and may log in nowhere.
pub const ROLE: &str = "keiin_app";
/// How long getting a connection may take.
const CONNECT: Duration = Duration::from_millis(1_000);
/// How long making the tables may take.
const PREPARE: Duration = Duration::from_secs(60);
/// After a failure nobody tries for so long, so that a queue of callers does not wait one after the other.
const REST: Duration = Duration::from_millis(250);

/// Where a database is. `postgres://user:password@host:port/database?sslmode=…`; several hosts, separated by commas, are
/// one database and its standbys.
#[derive(Clone)]
pub struct Address {
    hosts: Vec<PgConnectOptions>,
    shown: String,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Does this text name a PostgreSQL database?
pub fn is_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

impl Address {
    /// Reads a URL. Refuses what would send anything in the clear to another machine.
    pub fn parse(url: &str) -> Result<Address, OpenError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let hidden = rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts);
        let shown = format!("postgres://{}", hidden.split('?').next().unwrap_or(hidden));
        let unfit = |reason: String| OpenError::new(&shown, reason);
        if !is_url(url) {
            return Err(unfit("a database is named as postgres://user@host/database".into()));
        }
        let (login, hosts) = rest.rsplit_once('@').map_or(("", rest), |(login, hosts)| (login, hosts));
        let (hosts, path) = hosts.split_once('/').ok_or_else(|| unfit("the database's name is missing".into()))?;
        let at = if login.is_empty() { String::new() } else { format!("{login}@") };
        let mut all = vec![];
        for host in hosts.split(',') {
            let one = format!("{scheme}://{at}{host}/{path}");
            let options: PgConnectOptions = one.parse().map_err(|e: sqlx::Error| unfit(e.to_string()))?;
            if options.get_database().is_none_or(str::is_empty) {
                return Err(unfit("the database's name is missing".into()));
            }
            all.push(secure(options, &shown)?.statement_cache_capacity(256).application_name("keiin"));
        }
        Ok(Address { hosts: all, shown })
    }

    /// Is it the same database as another, as far as the names tell?
    pub fn is_same(&self, other: &Address) -> bool {
        let key = |o: &PgConnectOptions| (o.get_host().to_owned(), o.get_port(), o.get_database().map(str::to_owned));
        self.hosts.iter().any(|mine| other.hosts.iter().any(|theirs| key(mine) == key(theirs)))
    }
}

fn secure(options: PgConnectOptions, shown: &str) -> Result<PgConnectOptions, OpenError> {
    let host = options.get_host();
    let near = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match options.get_ssl_mode() {
        _ if near => Ok(options),
        PgSslMode::VerifyCa | PgSslMode::VerifyFull => Ok(options),
        // What is not said in the URL.
        PgSslMode::Prefer => Ok(options.ssl_mode(PgSslMode::VerifyFull)),
        _ => {
            Err(OpenError::new(shown, "off this machine the server's certificate must be checked: sslmode=verify-full"))
        }
    }
}

/// What must be in a database before anybody uses it.
pub enum Setup {
    /// Kept data: numbered steps, each run once.
    Steps(&'static str, &'static [(&'static str, &'static str)]),
    /// What can be made again: the schema is dropped and made anew when `fingerprint` changes.
    Cache {
        /// Name of the schema.
        schema: &'static str,
        /// Changes with the statements.
        fingerprint: String,
        /// Makes everything in the empty schema.
        statements: String,
    },
}

impl Setup {
    fn schema(&self) -> &'static str {
        match self {
            Setup::Steps(schema, _) | Setup::Cache { schema, .. } => schema,
        }
    }
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

/// Connections to one database. Clones share them.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    pool: PgPool,
    address: Address,
    at: AtomicUsize,
    // Highest timeline that was seen.
    timeline: Arc<AtomicI64>,
    rest_until: Mutex<Option<Instant>>,
    // Idle connections from before are closed instead of used.
    trusted_since: Arc<Mutex<Instant>>,
}

impl Pool {
    /// Makes what is missing, as far as the login role may, checks what everything rests on, and connects.
    pub async fn open(address: &Address, setup: &Setup, connections: u32) -> Result<Pool, OpenError> {
        let unfit = |reason: String| OpenError::new(address, reason);
        let (at, mut owner) = primary(address).await?;
        let prepared = tokio::time::timeout(PREPARE, prepare(&mut owner, setup)).await;
        prepared
            .map_err(|_| unfit("it does not commit; is the standby away that it waits for?".into()))?
            .map_err(|e| unfit(e.0))?;
        let _ = owner.close().await;
        let timeline = Arc::new(AtomicI64::new(0));
        let trusted_since = Arc::new(Mutex::new(Instant::now()));
        let (schema, seen) = (setup.schema(), timeline.clone());
        let (trusted, raised) = (trusted_since.clone(), trusted_since.clone());
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            // One host that hangs must leave time for the next one.
            .acquire_timeout(CONNECT / address.hosts.len() as u32)
            .test_before_acquire(false)
            .idle_timeout(Duration::from_secs(300))
            .before_acquire(move |_, meta| {
                let trusted = meta.age <= trusted.lock().unwrap_or_else(|e| e.into_inner()).elapsed();
                Box::pin(async move { Ok(trusted) })
            })
            .after_connect(move |connection, _| {
                let (seen, raised) = (seen.clone(), raised.clone());
                Box::pin(async move {
                    let before = seen.load(Ordering::SeqCst);
                    settle(connection, schema, &seen).await?;
                    if seen.load(Ordering::SeqCst) > before {
                        *raised.lock().unwrap_or_else(|e| e.into_inner()) = Instant::now();
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(address.hosts[at].clone());
        let pool = Pool(Arc::new(Inner {
            pool,
            address: address.clone(),
            at: AtomicUsize::new(at),
            timeline,
            rest_until: Mutex::new(None),
            trusted_since,
        }));
        let mut connection = pool.acquire().await.map_err(|e| unfit(e.to_string()))?;
        check(&mut connection, schema).await.map_err(|e| unfit(e.0))?;
        Ok(pool)
    }

    /// A connection as [`ROLE`], within about a second; the next host is tried if one is away or a standby.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, SqlError> {
        let resting = || self.0.rest_until.lock().unwrap_or_else(|e| e.into_inner());
        if resting().is_some_and(|until| Instant::now() < until) {
            return Err(SqlError::Away(format!("{} did not answer a moment ago", self.0.address)));
        }
        let deadline = tokio::time::Instant::now() + CONNECT;
        let hosts = &self.0.address.hosts;
        let mut last = String::from("no answer");
        for _ in 0..hosts.len().max(2) {
            match tokio::time::timeout_at(deadline, self.0.pool.acquire()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => break,
            }
            let next = (self.0.at.fetch_add(1, Ordering::SeqCst) + 1) % hosts.len();
            self.0.pool.set_connect_options(hosts[next].clone());
        }
        self.rest();
        Err(SqlError::Away(format!("{}: {last}", self.0.address)))
    }

    /// Nobody tries for a moment: somebody has just waited in vain.
    pub fn rest(&self) {
        self.suspect();
        *self.0.rest_until.lock().unwrap_or_else(|e| e.into_inner()) = Some(Instant::now() + REST);
    }

    /// One connection has failed: those that are idle now are not used any more.
    pub fn suspect(&self) {
        *self.0.trusted_since.lock().unwrap_or_else(|e| e.into_inner()) = Instant::now();
    }

    /// A connection that hears what other nodes announce; it is one of the pool's.
    pub async fn listener(&self) -> Result<PgListener, SqlError> {
        PgListener::connect_with(&self.0.pool).await.map_err(sql_error)
    }

    /// Which history the database is in: raised by every promotion of a standby. 0 before the first connection.
    pub fn timeline(&self) -> i64 {
        self.0.timeline.load(Ordering::SeqCst)
    }

    /// Where it is, without the password.
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// Ends every connection.
    pub async fn close(&self) {
        self.0.pool.close().await;
    }
}

/// Drops a connection that may be in the middle of something; the server takes its transaction back.
pub fn discard(connection: PoolConnection<Postgres>) {
    drop(connection.detach());
}

/// What a statement failed of.
pub fn sql_error(error: sqlx::Error) -> SqlError {
    let text = error.to_string();
    let Some(code) = error.as_database_error().and_then(|e| e.code()) else {
        return match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => SqlError::Away(text),
            _ => SqlError::Failed(text),
        };
    };
    match &*code {
        "53100" => SqlError::Full,
        "55P03" | "40001" | "40P01" | "57014" => SqlError::Busy,
        // Read only: a primary that became a standby.
        "25006" => SqlError::Away(text),
        _ if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => SqlError::Away(text),
        _ => SqlError::Failed(text),
    }
}

/// Commits the open transaction. Only `Ok` means durable, on the standbys too where the server is told to wait for them:
/// a wait that was cancelled is answered by a warning (SQLSTATE 01000) and a success, and is `Unknown` here.
pub async fn commit(connection: &mut PgConnection) -> Result<(), SqlError> {
    let committed = WARNED.scope(Cell::new(false), async {
        let committed = connection.execute("COMMIT").with_subscriber(LISTENER.clone()).await;
        (committed, WARNED.with(Cell::get))
    });
    match committed.await {
        (Ok(_), false) => Ok(()),
        (Ok(_), true) => Err(SqlError::Unknown("committed here, but perhaps not on the standby".into())),
        // The server has said what it did.
        (Err(error), _) if error.as_database_error().is_some_and(|e| e.code().is_some_and(|c| is_refusal(&c))) => {
            Err(sql_error(error))
        }
        (Err(error), _) => Err(SqlError::Unknown(error.to_string())),
    }
}

/// Classes of errors after which a transaction is certainly gone: constraints (23), serialisation (40), transaction state
/// (25). A shutdown (57) may come after the commit.
fn is_refusal(code: &str) -> bool {
    ["23", "25", "40", "53100"].iter().any(|class| code.starts_with(class))
}

tokio::task_local! {
    static WARNED: Cell<bool>;
}

/// sqlx hands warnings of the server to `tracing` and to nobody else.
static LISTENER: LazyLock<tracing::Dispatch> = LazyLock::new(|| tracing::Dispatch::new(Listener));

struct Listener;

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice" && *metadata.level() <= tracing::Level::WARN
    }
    fn max_level_hint(&self) -> Option<tracing::metadata::LevelFilter> {
        Some(tracing::metadata::LevelFilter::WARN)
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        if self.enabled(event.metadata()) {
            let _ = WARNED.try_with(|warned| warned.set(true));
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Says to other nodes of a deployment that this one is there, for as long as it is held.
pub struct Presence(tokio::task::JoinHandle<()>);

/// Number of the advisory lock that nodes hold, together or alone.
const NODES: i64 = 0x6b65_6969_6e00_0001;
/// How often a node looks whether it still holds its lock.
const LOOK: Duration = Duration::from_secs(2);

impl Presence {
    /// Refuses to begin if this node must be `alone` and is not, or if another one must be. Lost with the connection and
    /// taken again; if that is not possible any more, the process ends.
    pub async fn enter(address: &Address, alone: bool) -> Result<Presence, OpenError> {
        let mut held = Some(lock_nodes(address, alone).await?);
        let address = address.clone();
        Ok(Presence(tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                if let Some(connection) = &mut held
                    && !matches!(tokio::time::timeout(LOOK, connection.ping()).await, Ok(Ok(())))
                {
                    held = None;
                }
                if held.is_none() {
                    match lock_nodes(&address, alone).await {
                        Ok(connection) => held = Some(connection),
                        Err(error) if error.reason.contains(ALONE) => {
                            eprintln!("keiin: {error}");
                            std::process::exit(3);
                        }
                        // The database is away; nothing can be written meanwhile.
                        Err(_) => {}
                    }
                }
            }
        })))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const ALONE: &str = "several nodes need a shared vault and a shared anchor";

async fn lock_nodes(address: &Address, alone: bool) -> Result<PgConnection, OpenError> {
    let (_, mut connection) = primary(address).await?;
    let lock = if alone { "SELECT pg_try_advisory_lock($1)" } else { "SELECT pg_try_advisory_lock_shared($1)" };
    let got: Result<bool, _> = sqlx::query_scalar(lock).bind(NODES).fetch_one(&mut connection).await;
    match got {
        Ok(true) => Ok(connection),
        Ok(false) => Err(OpenError::new(
            address,
            format!(
                "another node is running on it; {ALONE}: --vault postgres://… --anchor postgres://…, on every node"
            ),
        )),
        Err(error) => Err(OpenError::new(address, error)),
    }
}

struct Unfit(String);

impl From<sqlx::Error> for Unfit {
    fn from(error: sqlx::Error) -> Unfit {
        Unfit(error.to_string())
    }
}

/// Connects as the login role to the host that takes writes; of several that do, to the one that was promoted last.
async fn primary(address: &Address) -> Result<(usize, PgConnection), OpenError> {
    let mut last = String::new();
    let mut found: Option<(i64, usize, PgConnection)> = None;
    for (at, host) in address.hosts.iter().enumerate() {
        match tokio::time::timeout(CONNECT * 3, look(host)).await {
            Ok(Ok((timeline, connection))) => {
                if found.as_ref().is_none_or(|(known, ..)| *known < timeline) {
                    found = Some((timeline, at, connection));
                }
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = "no answer; is it running, and may this machine reach it?".into(),
        }
    }
    found.map(|(_, at, connection)| (at, connection)).ok_or_else(|| OpenError::new(address, last))
}

async fn look(host: &PgConnectOptions) -> Result<(i64, PgConnection), String> {
    let mut connection = PgConnection::connect_with(host).await.map_err(|e| e.to_string())?;
    let standby: Result<bool, _> = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut connection).await;
    if standby.map_err(|e| e.to_string())? {
        return Err("it is a standby; name the primary too".into());
    }
    let timeline = sqlx::query_scalar(TIMELINE).fetch_one(&mut connection).await.map_err(|e| e.to_string())?;
    Ok((timeline, connection))
}

/// Role, schema and tables, by a login role that may; otherwise they must be there already.
async fn prepare(owner: &mut PgConnection, setup: &Setup) -> Result<(), Unfit> {
    for setting in ["fsync", "full_page_writes"] {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut *owner).await?;
        if value != "on" {
            return Err(Unfit(format!(
                "its server runs with {setting} = {value}: a power cut loses what was acknowledged"
            )));
        }
    }
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

/// The history that a primary is in; a promotion begins the next one.
const TIMELINE: &str = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int8";

/// Every new connection of a pool.
async fn settle(connection: &mut PgConnection, schema: &str, seen: &AtomicI64) -> Result<(), sqlx::Error> {
    let refused = |text: &str| sqlx::Error::Protocol(text.to_owned());
    let settings = format!(
        "SET ROLE {ROLE}; SET search_path = {schema}; SET statement_timeout = 0; SET lock_timeout = 0;
         SET idle_in_transaction_session_timeout = '15s'; SET keiin.scope = '';
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    );
    connection.execute(AssertSqlSafe(settings)).await?;
    let standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut *connection).await?;
    if standby {
        return Err(refused("it is a standby"));
    }
    let timeline: i64 = sqlx::query_scalar(TIMELINE).fetch_one(&mut *connection).await?;
    if timeline < seen.fetch_max(timeline, Ordering::SeqCst) {
        return Err(refused("it is a former primary: another server was promoted since"));
    }
    Ok(())
}

/// That the role can neither change the rules nor pass them.
async fn check(connection: &mut PgConnection, schema: &str) -> Result<(), Unfit> {
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
