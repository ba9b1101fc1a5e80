//! How every PostgreSQL database of ours is reached: one place for the settings that durability and isolation rest on.
//!
//! Whoever connects becomes the role [`ROLE`], which owns nothing and cannot pass row-level security. Tables are made by
//! the login role, if it may; a login that is only a member of [`ROLE`] serves as well once they are there.
//!
//! Invariants:
//! * Off loopback the server's certificate is checked; a plain connection is refused.
//! * `fsync` and `full_page_writes` are on, `data_sync_retry` is off, `synchronous_commit` is `on` or `remote_apply`; nothing
//!   limits the time of a commit. A standby that is promoted is asked as well.
//! * A standby is never taken for the primary, and a primary of an earlier timeline not for that of a later one.
//! * A commit that the server answers with a warning is not a success ([`commit`]): a cancelled wait for the standby ends so.

mod lead;
mod presence;
mod setup;
mod versions;

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Postgres};
use tracing::instrument::WithSubscriber;

pub use self::lead::Lead;
pub use self::presence::{Presence, Role};
pub use self::setup::{Setup, drop_schemas, policy, schemas};
use self::setup::{check, is_durable, prepare};
pub use self::versions::{InUse, Unused};
use crate::near::is_near;
use crate::sql::{OpenError, SqlError};

/// Everything runs as this role. It is made with the first database and may log in nowhere.
pub const ROLE: &str = "keiin_app";
/// How long getting a connection may take; asking why there is none comes on top.
const CONNECT: Duration = Duration::from_millis(750);
/// How long making the tables may take.
const PREPARE: Duration = Duration::from_secs(60);
/// After a failure nobody tries for so long, so that a queue of callers does not wait one after the other.
const REST: Duration = Duration::from_millis(250);
/// How long all hosts are asked why they give no connection.
const ASK: Duration = Duration::from_millis(250);

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
    let near = options.get_socket().is_some() || is_near(options.get_host());
    match options.get_ssl_mode() {
        // It would leave out the name, and the client's check of an authority alone picks among providers of TLS that were
        // not chosen: it ends in a panic.
        PgSslMode::VerifyCa => {
            Err(OpenError::new(shown, "sslmode=verify-ca does not check the server's name: say verify-full"))
        }
        _ if near => Ok(options),
        PgSslMode::VerifyFull => Ok(options),
        // What is not said in the URL.
        PgSslMode::Prefer => Ok(options.ssl_mode(PgSslMode::VerifyFull)),
        _ => {
            Err(OpenError::new(shown, "off this machine the server's certificate must be checked: sslmode=verify-full"))
        }
    }
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
    /// Why there was no connection the last time, and when that was asked.
    why: tokio::sync::Mutex<Option<(Instant, String)>>,
    path: Arc<str>,
    // Idle connections from before are closed instead of used.
    trusted_since: Arc<Mutex<Instant>>,
}

impl Pool {
    /// Makes what is missing, as far as the login role may, checks what everything rests on, and connects. A table is looked
    /// for in the schemas of `setups`, in this order. `prepared` is run on every new connection: settings that never change,
    /// and statements to `EXECUTE`.
    pub async fn open(
        address: &Address,
        setups: &[Setup],
        connections: u32,
        prepared: &'static str,
    ) -> Result<Pool, OpenError> {
        let unfit = |reason: String| OpenError::new(address, reason);
        let (at, mut owner) = primary(address).await?;
        for setup in setups {
            let made = tokio::time::timeout(PREPARE, prepare(&mut owner, setup)).await;
            made.map_err(|_| unfit("it does not commit; is the standby away that it waits for?".into()))?
                .map_err(|e| unfit(e.0))?;
        }
        let _ = owner.close().await;
        let timeline = Arc::new(AtomicI64::new(0));
        let trusted_since = Arc::new(Mutex::new(Instant::now()));
        let schemas: Vec<&str> = setups.iter().map(Setup::schema).collect();
        let path: Arc<str> = schemas.join(", ").into();
        let (asked, seen) = (path.clone(), timeline.clone());
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
                let (seen, raised, path) = (seen.clone(), raised.clone(), path.clone());
                Box::pin(async move {
                    let before = seen.load(Ordering::SeqCst);
                    settle(connection, &path, &seen).await?;
                    connection.execute(prepared).await?;
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
            why: tokio::sync::Mutex::new(None),
            path: asked,
            trusted_since,
        }));
        let mut connection = pool.acquire().await.map_err(|e| unfit(e.to_string()))?;
        for schema in schemas {
            check(&mut connection, schema).await.map_err(|e| unfit(e.0))?;
        }
        Ok(pool)
    }

    /// A connection as [`ROLE`], within about a second; the next host is tried if one is away or a standby.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, SqlError> {
        let resting = || self.0.rest_until.lock().unwrap_or_else(|e| e.into_inner());
        if resting().is_some_and(|until| Instant::now() < until) {
            // Whoever asks it now tells the others soon.
            let known = self.0.why.try_lock().ok().and_then(|known| known.as_ref().map(|(_, why)| format!(": {why}")));
            let why = known.unwrap_or_default();
            return Err(SqlError::Away(format!("{} did not answer a moment ago{why}", self.0.address)));
        }
        let began = Instant::now();
        let hosts = &self.0.address.hosts;
        for _ in 0..hosts.len().max(2) {
            match tokio::time::timeout_at((began + CONNECT).into(), self.0.pool.acquire()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(_)) => {}
                Err(_) => break,
            }
            let next = (self.0.at.fetch_add(1, Ordering::SeqCst) + 1) % hosts.len();
            self.0.pool.set_connect_options(hosts[next].clone());
        }
        self.rest();
        let why = self.why(began).await;
        // Asking took its time: whoever waited for the same thing behind this caller must not wait as long again.
        self.rest();
        Err(SqlError::Away(format!("{}: {why}", self.0.address)))
    }

    /// Why there is no connection. The pool itself says but that it waited in vain, so each host is asked once, for all who
    /// waited together since `began`.
    async fn why(&self, began: Instant) -> String {
        let mut known = self.0.why.lock().await;
        if let Some((_, why)) = known.as_ref().filter(|(asked, _)| *asked > began) {
            return why.clone();
        }
        let asked = Instant::now();
        let hosts = &self.0.address.hosts;
        let mut reasons = vec![];
        for host in hosts {
            let why = self.reason(host, ASK / hosts.len() as u32).await;
            let named = format!("{}:{}: {why}", host.get_host(), host.get_port());
            reasons.push(if hosts.len() == 1 { why } else { named });
        }
        let why = reasons.join("; ");
        *known = Some((asked, why.clone()));
        why
    }

    async fn reason(&self, host: &PgConnectOptions, patience: Duration) -> String {
        let tried = tokio::time::timeout(patience, async {
            let mut connection = PgConnection::connect_with(host).await?;
            settle(&mut connection, &self.0.path, &self.0.timeline).await?;
            connection.close().await
        });
        match tried.await {
            Ok(Ok(())) => format!("it answers, but all {} connections are in use", self.0.pool.size()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer; is it running, and may this machine reach it?".to_owned(),
        }
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
        // Read only: a primary that became a standby. And a transaction that the server ended: we were paused in it.
        "25006" | "25P03" => SqlError::Away(text),
        _ if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => SqlError::Away(text),
        _ => SqlError::Failed(text),
    }
}

/// Commits the open transaction. Only `Ok` means durable, on the standbys too where the server is told to wait for them:
/// a wait that was cancelled is answered by a warning (SQLSTATE 01000) and a success, and is `Unknown` here.
pub async fn commit(connection: &mut PgConnection) -> Result<(), SqlError> {
    match warned(connection, "COMMIT").await {
        (Ok(()), false) => Ok(()),
        (Ok(()), true) => Err(SqlError::Unknown("committed here, but perhaps not on the standby".into())),
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

/// sqlx hands warnings of the server to `tracing` and to nobody else. Two of them: while a process has but one
/// dispatcher, `tracing` asks the thread that first meets a place whether anybody listens there, and remembers a no for
/// every other thread.
static LISTENERS: LazyLock<[tracing::Dispatch; 2]> =
    LazyLock::new(|| [(); 2].map(|()| tracing::Dispatch::new(Listener)));

/// Runs a statement; says whether the server answered it with a warning.
async fn warned(connection: &mut PgConnection, sql: &'static str) -> (Result<(), sqlx::Error>, bool) {
    let listened = WARNED.scope(Cell::new(false), async {
        let done = connection.execute(sql).with_subscriber(LISTENERS[0].clone()).await;
        (done.map(|_| ()), WARNED.with(Cell::get))
    });
    listened.await
}

/// Everything about unknown outcomes rests on warnings being heard, so it is tried before anything is written.
async fn must_hear(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (done, heard) = warned(connection, "DO $$ BEGIN RAISE WARNING 'heard'; END $$").await;
    done?;
    let (done, silence) = warned(connection, "SELECT 1").await;
    done?;
    if heard && !silence { Ok(()) } else { Err(sqlx::Error::Protocol("warnings of the server are not heard".into())) }
}

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

/// The history that a primary is in; a promotion begins the next one.
const TIMELINE: &str = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int8";

/// Every new connection of a pool.
async fn settle(connection: &mut PgConnection, path: &str, seen: &AtomicI64) -> Result<(), sqlx::Error> {
    let refused = |text: &str| sqlx::Error::Protocol(text.to_owned());
    let settings = format!(
        "SET ROLE {ROLE}; SET search_path = {path}; SET statement_timeout = 0; SET lock_timeout = 0;
         SET idle_in_transaction_session_timeout = '15s'; SET keiin.scope = ''; SET client_min_messages = warning;
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"
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
    is_durable(connection).await.map_err(|unfit| refused(&unfit.0))?;
    must_hear(connection).await
}
