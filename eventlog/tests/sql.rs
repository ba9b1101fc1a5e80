//! SQLite and PostgreSQL answer the same to the same statements; PostgreSQL also keeps companies apart by itself.

use std::time::{Duration, Instant};

use keiin_eventlog::postgres::{self, Address, Setup};
use keiin_eventlog::sql::postgres::Client;
use keiin_eventlog::sql::{Connection, Scope, SqlError, Value};
use keiin_eventlog::values;
use keiin_test_postgres::Server;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use uuid::Uuid;

const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);

fn setup() -> Setup {
    let statements = format!(
        "CREATE TABLE item (ledger BYTEA NOT NULL, n BIGINT NOT NULL, name TEXT, PRIMARY KEY (ledger, n)); {};
         GRANT SELECT, INSERT, UPDATE, DELETE ON item TO keiin_app",
        postgres::policy("item", "encode(ledger, 'hex')")
    );
    Setup::Cache { schema: "things".into(), fingerprint: "1".into(), statements }
}

fn on_postgres(url: &str) -> Connection {
    let client = Client::open(&Address::parse(url).unwrap(), vec![setup()], 4, Duration::from_secs(2)).unwrap();
    Connection::Postgres(client)
}

fn on_sqlite() -> Connection {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE item (ledger BLOB NOT NULL, n BIGINT NOT NULL, name TEXT, PRIMARY KEY (ledger, n))",
        )
        .unwrap();
    Connection::Sqlite(connection)
}

#[test]
fn both_engines_answer_the_same() {
    for mut db in [on_sqlite(), on_postgres(&Server::shared().database())] {
        let rows = vec![
            values![A, 1u64, "請求書"].to_vec(),
            values![A, 2u64, None::<String>].to_vec(),
            values![A, 3u64, "三"].to_vec(),
        ];
        db.write(Scope::Ledger(A), |tx| tx.insert("item", &["ledger", "n", "name"], rows)).unwrap();
        let done = db.write(Scope::Ledger(A), |tx| {
            tx.execute("UPDATE item SET name = $2 WHERE ledger = $1 AND n = $3", &values![A, None::<String>, 3u8])?;
            tx.execute("DELETE FROM item WHERE ledger = $1 AND n = $2", &values![A, 2i64])
        });
        assert_eq!(done, Ok(1));
        let undone: Result<(), SqlError> = db.write(Scope::Ledger(A), |tx| {
            tx.execute("DELETE FROM item", &[])?;
            Err(SqlError::Busy)
        });
        assert_eq!(undone, Err(SqlError::Busy));
        let rows = db.query(Scope::Ledger(A), "SELECT n, name, ledger FROM item ORDER BY n", &[]).unwrap();
        let found: Vec<(u64, Option<String>, Uuid)> =
            rows.iter().map(|r| (r.get(0).unwrap(), r.named("name").unwrap(), r.get(2).unwrap())).collect();
        assert_eq!(found, [(1, Some("請求書".into()), A), (3, None, A)]);
        assert_eq!(rows[0].values()[0], Value::Integer(1));
        assert!(rows[0].get::<String>(0).is_err() && rows[0].named::<u8>("other").is_err());
        let count = db.row(Scope::All, "SELECT count(*) FROM item WHERE ledger = $1", &values![A]).unwrap().unwrap();
        assert_eq!(count.get::<i64>(0), Ok(2));
        let twice = db.write(Scope::Ledger(A), |tx| tx.execute("INSERT INTO item VALUES ($1, 1, 'x')", &values![A]));
        assert!(matches!(twice, Err(SqlError::Failed(_))), "{twice:?}");
    }
}

#[test]
fn a_scope_sees_and_writes_its_own_rows_only() {
    let mut db = on_postgres(&Server::shared().database());
    for ledger in [A, B] {
        let row = vec![values![ledger, 1u64, "x"].to_vec()];
        db.write(Scope::Ledger(ledger), |tx| tx.insert("item", &["ledger", "n", "name"], row)).unwrap();
    }
    let count = |db: &mut Connection, scope| {
        db.row(scope, "SELECT count(*) FROM item", &[]).unwrap().unwrap().get::<i64>(0).unwrap()
    };
    assert_eq!([Scope::Ledger(A), Scope::Ledger(B), Scope::All].map(|scope| count(&mut db, scope)), [1, 1, 2]);
    assert_eq!(count(&mut db, Scope::Ledger(Uuid::from_u128(0xc))), 0);
    let elsewhere = db.write(Scope::Ledger(A), |tx| tx.execute("INSERT INTO item VALUES ($1, 2, 'x')", &values![B]));
    assert!(matches!(elsewhere, Err(SqlError::Failed(text)) if text.contains("row-level security")));
    assert_eq!(db.write(Scope::Ledger(A), |tx| tx.execute("UPDATE item SET name = 'mine'", &[])), Ok(1));
    assert_eq!(db.write(Scope::Ledger(A), |tx| tx.execute("DELETE FROM item WHERE ledger = $1", &values![B])), Ok(0));
}

#[test]
fn a_login_that_owns_nothing_serves_once_the_tables_are_there() {
    let server = Server::shared();
    let url = server.database();
    let name = url.rsplit('/').next().unwrap();
    server.sql(
        "postgres",
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'plain') THEN
                CREATE ROLE plain LOGIN; END IF; END $$",
    );
    let plain = url.replace("postgres@", "plain@");
    let open = |url: &str| Client::open(&Address::parse(url).unwrap(), vec![setup()], 2, Duration::from_secs(2));
    let refused = open(&plain).err().unwrap();
    assert!(refused.reason.contains("keiin init"), "{refused}");
    on_postgres(&url);
    server.sql("postgres", "GRANT keiin_app TO plain");
    open(&plain).unwrap();
    // A table that row-level security does not cover stops the start.
    server.sql(name, "ALTER TABLE things.item NO FORCE ROW LEVEL SECURITY");
    let refused = open(&plain).err().unwrap();
    assert!(refused.reason.contains("not forced on item"), "{refused}");
    server.sql(name, "ALTER TABLE things.item FORCE ROW LEVEL SECURITY; ALTER TABLE things.item OWNER TO keiin_app");
    assert!(open(&plain).err().unwrap().reason.contains("own nothing"));
}

#[test]
fn addresses_are_checked_and_show_no_password() {
    let shown = |url: &str| Address::parse(url).map(|a| a.to_string()).map_err(|e| e.to_string());
    assert_eq!(shown("postgres://u:secret@127.0.0.1:5433/keiin"), Ok("postgres://127.0.0.1:5433/keiin".into()));
    assert_eq!(shown("postgres://u:secret@db1,db2:5433/k?sslmode=verify-full"), Ok("postgres://db1,db2:5433/k".into()));
    for plain in ["disable", "allow", "require", "verify-ca"] {
        let refused = shown(&format!("postgres://u:secret@db.example/keiin?sslmode={plain}")).unwrap_err();
        assert!(refused.contains("verify-full") && !refused.contains("secret"), "{refused}");
    }
    for bad in ["mysql://x/y", "postgres://host", "postgres://host/", "keiin"] {
        assert!(Address::parse(bad).is_err(), "{bad}");
    }
    let same = |a: &str, b: &str| Address::parse(a).unwrap().is_same(&Address::parse(b).unwrap());
    assert!(same("postgres://a@localhost/x", "postgres://b@localhost/x"));
    assert!(!same("postgres://a@localhost/x", "postgres://a@localhost/y"));
}

#[test]
fn a_server_that_is_gone_or_hangs_is_answered_soon_and_used_again_when_it_is_back() {
    let server = Server::start();
    let mut db = on_postgres(&server.database());
    let mut ask = || db.row(Scope::All, "SELECT count(*) FROM item", &[]).map(|_| ());
    assert_eq!(ask(), Ok(()));
    server.stop();
    let started = Instant::now();
    for _ in 0..8 {
        assert!(matches!(ask(), Err(SqlError::Away(_))));
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    server.resume();
    let back = Instant::now();
    while ask().is_err() {
        assert!(back.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(50));
    }
    server.signal("STOP");
    let started = Instant::now();
    assert!(matches!(ask(), Err(SqlError::Away(_))));
    assert!(started.elapsed() < Duration::from_millis(3_500), "{:?}", started.elapsed());
    server.signal("CONT");
    let back = Instant::now();
    while ask().is_err() {
        assert!(back.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn try_open(url: &str) -> Result<Connection, String> {
    let client = Client::open(&Address::parse(url).unwrap(), vec![setup()], 4, Duration::from_secs(2));
    client.map(Connection::Postgres).map_err(|e| e.reason)
}

#[test]
fn a_server_that_may_lose_what_it_has_committed_is_refused() {
    let server = Server::start();
    let url = server.database();
    for (wrong, right) in [
        ("fsync = off", "fsync = on"),
        ("full_page_writes = off", "full_page_writes = on"),
        ("data_sync_retry = on", "data_sync_retry = off"),
    ] {
        for (setting, fits) in [(wrong, false), (right, true)] {
            server.configure(setting);
            server.stop();
            server.resume();
            let opened = try_open(&url).map(|_| ());
            assert_eq!(opened.is_ok(), fits, "{setting}: {opened:?}");
            if let Err(reason) = opened {
                assert!(reason.contains(wrong) && reason.contains(&format!("set {right}")), "{reason}");
            }
        }
    }
    // Somebody changes it later: no new connection is used until it is put right.
    let mut db = try_open(&url).unwrap();
    let mut ask = || db.row(Scope::All, "SELECT count(*) FROM item", &[]).map(|_| ());
    let set = |sql: &str, to: &str| {
        server.sql("postgres", sql);
        server.sql("postgres", "SELECT pg_reload_conf()");
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.sql("postgres", "SHOW full_page_writes") != to {
            assert!(Instant::now() < deadline, "the setting is not taken over");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    set("ALTER SYSTEM SET full_page_writes = off", "off");
    assert_eq!(ask(), Ok(()), "the connections from before are as they were");
    server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keiin'");
    for _ in 0..3 {
        let refused = ask();
        assert!(matches!(refused, Err(SqlError::Away(_))), "{refused:?}");
        std::thread::sleep(Duration::from_millis(400));
    }
    set("ALTER SYSTEM SET full_page_writes = on", "on");
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = ask() {
        assert!(Instant::now() < deadline, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn whatever_the_database_is_set_to_commits_wait_for_the_disk() {
    let server = Server::shared();
    let url = server.database();
    let name = url.rsplit('/').next().unwrap();
    for (set, held) in
        [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
    {
        server.sql(name, &format!("ALTER DATABASE {name} SET synchronous_commit = {set}"));
        let mut db = try_open(&url).unwrap();
        let told = db.row(Scope::All, "SELECT current_setting('synchronous_commit')", &[]).unwrap().unwrap();
        assert_eq!(told.get(0), Ok(held.to_owned()), "{set}");
    }
}

/// An authority, and what it says of a server: (its own certificate, the server's, the server's key), PEM.
fn certified(name: &str) -> (String, String, String) {
    let (root, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&root).unwrap().pem();
    let server = CertificateParams::new([name.to_owned()]).unwrap();
    let signed = server.signed_by(&key, &Issuer::new(params, root)).unwrap();
    (certificate, signed.pem(), key.serialize_pem())
}

#[test]
fn a_server_must_show_a_certificate_of_the_right_authority_for_its_own_name() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let (root, certificate, key) = certified("localhost");
    for (name, text) in [("right.pem", root), ("wrong.pem", certified("localhost").0)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let plain = server.database();
    let name = plain.rsplit('/').next().unwrap();
    let url = |host: &str, mode: &str, root: &str| {
        let root = folder.path().join(root).display().to_string();
        format!("postgres://postgres@{host}:{}/{name}?sslmode={mode}&sslrootcert={root}", server.port())
    };
    // It speaks no TLS yet, and nothing is sent in the clear instead.
    let refused = try_open(&url("localhost", "verify-full", "right.pem")).map(|_| ()).unwrap_err();
    assert!(refused.contains("TLS"), "{refused}");
    server.speak_tls(&certificate, &key);
    server.stop();
    server.resume();
    let encrypted =
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'keiin'";
    let _right = try_open(&url("localhost", "verify-full", "right.pem")).unwrap();
    assert_eq!(server.sql("postgres", encrypted), "t");
    let _plain = try_open(&format!("{plain}?sslmode=disable")).unwrap();
    assert_eq!(server.sql("postgres", encrypted), "f", "the control");
    let wrong_authority = try_open(&url("localhost", "verify-full", "wrong.pem")).map(|_| ()).unwrap_err();
    assert!(wrong_authority.contains("UnknownIssuer") || wrong_authority.contains("BadSignature"), "{wrong_authority}");
    let wrong_name = try_open(&url("127.0.0.1", "verify-full", "right.pem")).map(|_| ()).unwrap_err();
    assert!(wrong_name.contains("NotValidForName") || wrong_name.contains("not valid for name"), "{wrong_name}");
}
