//! The PostgreSQL engine where things go wrong around it: several nodes, a server that is away, an answer that is lost, a
//! standby that is gone, a fail-over. Names begin with the fault of `docs/RELIABILITY.md`. `KEIIN_TEST_LONG=1`: more of it.
#![cfg(feature = "postgres")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_eventlog::anchor::{Anchorer, Refusal};
use keiin_eventlog::kept::Place;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::log::Log;
use keiin_eventlog::postgres::{Address, Lead, Presence, Role};
use keiin_eventlog::store::postgres::PostgresStore;
use keiin_eventlog::store::{Outcome, Span, StoreError};
use keiin_eventlog::vault::{Entry, Vault};
use keiin_test_postgres::Server;
use sqlx::{AssertSqlSafe, Connection, Executor};
use support::fleet::*;
use support::node::LOG_NAME;
use support::*;
use uuid::Uuid;

fn is_long() -> bool {
    std::env::var("KEIIN_TEST_LONG").is_ok_and(|long| long == "1")
}

async fn store(url: &str) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(&Address::parse(url).unwrap(), Arc::new(TwoKeys)).await.unwrap())
}

async fn node(url: &str) -> Log {
    Log::open(store(url).await)
}

/// Sends it until it is durable.
async fn at_last(log: &Log, append: &keiin_eventlog::store::Append) -> Span {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match log.append(append.clone()).await {
            Outcome::Committed(span) | Outcome::Known(span) => return span,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_two_nodes_with_four_writers_each_leave_gapless_ledgers() {
    let url = Server::shared().database();
    let nodes = [node(&url).await, node(&url).await];
    let ids = [open(&nodes[0], 1).await, open(&nodes[1], 2).await];
    let most = if is_long() { 12_500 } else { 60 };
    // Every writer of the first node meets one of the second on its ledger.
    let acked = Fleet::launch(&nodes, 4, &ids, most).finish().await;
    assert_eq!(acked.len(), 8 * most);
    for log in &nodes {
        nothing_is_lost(log, &ids, &acked).await;
        assert_eq!(log.head(ids[0]).await.unwrap().unwrap().size, 1 + 8 * most as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_two_nodes_that_open_one_ledger_open_it_once() {
    let url = Server::shared().database();
    let nodes = [node(&url).await, node(&url).await];
    for n in 0..20 {
        let both = [0, 1].map(|at: usize| {
            let log = nodes[at].clone();
            tokio::spawn(async move { log.append(opened(ledger(n), &*signer(1))).await })
        });
        let mut opened = 0;
        for one in both {
            match one.await.unwrap() {
                Outcome::Committed(_) => opened += 1,
                Outcome::Refused(reason) => assert_eq!(reason, "the ledger is open already"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((opened, verified(&nodes[0], ledger(n)).await.len()), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_a_node_hears_what_another_has_written_and_reads_nothing_of_an_open_commit() {
    let server = Server::shared();
    let url = server.database();
    let nodes = [node(&url).await, node(&url).await];
    let id = open(&nodes[0], 1).await;
    let mut changed = nodes[1].changed();
    for size in 2..12 {
        changed.mark_unchanged();
        committed(&nodes[0], append(id, &[&stream("thing")])).await;
        while nodes[1].head(id).await.unwrap().unwrap().size < size {
            tokio::time::timeout(Duration::from_secs(5), changed.changed()).await.expect("woken").unwrap();
        }
    }
    // A row of size 0 that another node is about to fill is no ledger yet.
    let name = url.rsplit('/').next().unwrap();
    server.sql(
        name,
        &format!("INSERT INTO keiin_log.heads VALUES ('{}', 0, '', 0, '{}', 1, '', FALSE)", ledger(3), Uuid::nil()),
    );
    assert_eq!((nodes[0].head(ledger(3)).await, nodes[0].ledgers().await), (Ok(None), Ok(vec![id])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f12_a_server_that_is_killed_or_paused_is_answered_soon_and_loses_nothing() {
    let server = Server::start();
    let url = server.database();
    let nodes = [node(&url).await, node(&url).await];
    let ids = [open(&nodes[0], 1).await];
    let fleet = Fleet::launch(&nodes, 4, &ids, usize::MAX);
    let name = url.rsplit('/').next().unwrap().to_owned();
    for round in 0..if is_long() { 40 } else { 4 } {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let paused = round % 2 == 0;
        if paused {
            server.signal("STOP")
        } else {
            server.stop()
        }
        // While it is away: an append that comes now is answered within about two seconds, and a read as well.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let late = append(ids[0], &[&stream("thing")]);
        let asked = Instant::now();
        let (written, read) = tokio::join!(nodes[0].append(late), nodes[1].head(ids[0]));
        assert!(matches!(written, Outcome::Busy | Outcome::Unknown(_)), "{written:?}");
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        assert!(asked.elapsed() < Duration::from_millis(2_000), "{:?}", asked.elapsed());
        if paused {
            server.signal("CONT")
        } else {
            server.resume()
        }
        let back = Instant::now();
        at_last(&nodes[0], &append(ids[0], &[&stream("thing")])).await;
        assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    }
    let acked = fleet.land().await;
    assert!(acked.len() > 20);
    nothing_is_lost(&nodes[0], &ids, &acked).await;
    // Nothing was left behind that holds a ledger.
    assert_eq!(server.sql(&name, "SELECT count(*) FROM pg_prepared_xacts"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f19_an_answer_that_the_network_loses_is_found_out_and_never_doubled() {
    let server = Server::shared();
    let url = server.database();
    let wire = Wire::to(server.port()).await;
    let name = url.rsplit('/').next().unwrap();
    let log = node(&format!("postgres://postgres@127.0.0.1:{}/{name}", wire.port)).await;
    let id = open(&log, 1).await;
    let one = stream("thing");
    for round in 0..if is_long() { 400 } else { 20 } {
        let cut = if round % 2 == 0 { Cut::After } else { Cut::Before };
        wire.cut(cut);
        let append = append(id, &[&one, &one]);
        let expected = Span { first: 1 + 2 * round, last: 2 + 2 * round };
        match (log.append(append.clone()).await, cut) {
            (Outcome::Known(span), Cut::After) => assert_eq!(span, expected),
            (Outcome::Busy, Cut::Before) => assert_eq!(log.find_append(id, append.append_id).await, Ok(None)),
            (other, cut) => panic!("cut {cut:?}: {other:?}"),
        }
        assert!(wire.is_cut());
        assert_eq!(at_last(&log, &append).await, expected);
    }
    verified(&log, id).await;
}

/// A primary that waits for its standby, and both of them as one address.
fn replicated(name: &str) -> (Server, Server, String) {
    let primary = Server::start();
    primary.sql("postgres", &format!("CREATE DATABASE {name}"));
    let standby = Server::standby(&primary, "s1");
    primary.wait_for_standby("s1");
    let url = both(&primary, &standby, name);
    (primary, standby, url)
}

fn both(primary: &Server, standby: &Server, name: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{name}", primary.port(), standby.port())
}

/// What an operator or Patroni does.
fn promote(standby: &Server) {
    standby.promote();
    standby.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    standby.sql("postgres", "SELECT pg_reload_conf()");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_a_cancelled_wait_for_the_standby_is_no_acknowledgement() {
    let (primary, standby, url) = replicated("f14");
    let log = node(&url).await;
    let id = open(&log, 1).await;
    standby.stop();
    let append = append(id, &[&stream("thing")]);
    let waiting = tokio::spawn({
        let (log, append) = (log.clone(), append.clone());
        async move { log.append(append).await }
    });
    let stuck = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let deadline = Instant::now() + Duration::from_secs(5);
    while primary.sql("postgres", stuck) == "0" {
        assert!(Instant::now() < deadline, "nobody waits for the standby");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let asked = Instant::now();
    let outcome = waiting.await.unwrap();
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    // It is visible on the primary, and still not said to be there.
    assert_eq!(log.head(id).await.unwrap().unwrap().size, 2);
    assert!(log.find_append(id, append.append_id).await.is_err());
    let again = log.append(append.clone()).await;
    assert!(matches!(again, Outcome::Unknown(_) | Outcome::Busy), "{again:?}");
    standby.resume();
    assert_eq!(at_last(&log, &append).await, Span { first: 1, last: 1 });
    primary.stop();
    promote(&standby);
    assert_eq!(at_last(&log, &append).await, Span { first: 1, last: 1 });
    assert_eq!(verified(&log, id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f13_a_fail_over_loses_nothing_and_the_old_primary_is_fenced() {
    for round in 0..if is_long() { 100 } else { 2 } {
        let (primary, standby, url) = replicated("f13");
        let nodes = [node(&url).await, node(&url).await];
        let before = nodes[0].store().history().await.unwrap().unwrap();
        let ids = [open(&nodes[0], 1).await, open(&nodes[0], 2).await];
        let fleet = Fleet::launch(&nodes, 3, &ids, usize::MAX);
        tokio::time::sleep(Duration::from_millis(400)).await;
        let killed = round % 2 == 0;
        if killed {
            primary.stop()
        } else {
            primary.signal("STOP")
        }
        promote(&standby);
        let promoted = Instant::now();
        tokio::time::sleep(Duration::from_secs(3)).await;
        if killed {
            primary.resume()
        } else {
            primary.signal("CONT")
        }
        // The old primary is back, and says that it takes writes.
        assert_eq!(primary.sql("f13", "SELECT pg_is_in_recovery()"), "f");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut acked = fleet.land().await;
        acked.sort_by_key(|acked| acked.at);
        let first = acked.iter().find(|acked| acked.at > promoted).expect("writes are back");
        assert!(first.at - promoted < Duration::from_secs(10), "{:?}", first.at - promoted);
        let after = nodes[0].store().history().await.unwrap().unwrap();
        assert_eq!((after.0, after.1 > before.1), (before.0, true));
        for log in &nodes {
            nothing_is_lost(log, &ids, &acked).await;
        }
        // A node that starts now takes the newer of the two, whichever is named first.
        let fresh = node(&both(&primary, &standby, "f13")).await;
        assert_eq!(fresh.store().history().await.unwrap().unwrap(), after);
        nothing_is_lost(&fresh, &ids, &acked).await;
        // Alone, it can be told from the new one.
        let old = node(&primary.url("f13")).await;
        assert_eq!(old.store().history().await.unwrap().unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_a_standby_that_lags_behind_is_refused_with_the_number_that_is_missing() {
    let dir = TempDir::new("f15");
    let keys = Arc::new(Keyring::create(&dir.path().join("keys")).unwrap());
    let vault = Arc::new(
        keiin_eventlog::vault::Vault::open(dir.path().join("vault.db").as_path(), keys.kek().unwrap()).unwrap(),
    );
    let anchor = dir.path().join("anchor.db");
    let primary = Server::start();
    primary.sql("postgres", "CREATE DATABASE f15");
    let standby = Server::standby(&primary, "s1");
    let opened_at = async |url: String| {
        let store = PostgresStore::open(&Address::parse(&url).unwrap(), keys.clone()).await.unwrap();
        Log::open(Arc::new(store))
    };
    let log = opened_at(primary.url("f15")).await;
    let anchorer = Anchorer::open(anchor.as_path(), log.clone(), vault.clone(), keys.clone(), LOG_NAME).await.unwrap();
    let (behind, level) = (ledger(1), ledger(2));
    for id in [behind, level] {
        assert!(matches!(log.append(opened(id, &*keys.current())).await, Outcome::Committed(_)));
        committed(&log, append(id, &[&stream("thing"); 10])).await;
        anchorer.anchor_now(id).await.unwrap();
    }
    let lsn = primary.sql("postgres", "SELECT pg_current_wal_lsn()");
    let deadline = Instant::now() + Duration::from_secs(10);
    while standby.sql("postgres", &format!("SELECT pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn")) != "t" {
        assert!(Instant::now() < deadline, "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    standby.stop();
    committed(&log, append(behind, &[&stream("thing"); 7])).await;
    anchorer.anchor_now(behind).await.unwrap();
    primary.stop();
    standby.resume();
    promote(&standby);
    drop((log, anchorer));
    let log = opened_at(standby.url("f15")).await;
    let anchorer = Anchorer::open(anchor.as_path(), log.clone(), vault, keys, LOG_NAME).await.unwrap();
    assert_eq!(anchorer.refusals(), [(behind, Refusal::RolledBack { missing: 7 })]);
    let refused = log.append(append(behind, &[&stream("thing")])).await;
    assert!(matches!(&refused, Outcome::Refused(reason) if reason.contains("7 events")), "{refused:?}");
    committed(&log, append(level, &[&stream("thing")])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_and_a_node_keep_each_other_away() {
    let server = Server::shared();
    let url = server.database();
    let address = Address::parse(&url).unwrap();
    let refused = async |role| Presence::enter(&address, role).await.err().unwrap().reason;
    let node = Presence::enter(&address, Role::Node).await.unwrap();
    let other = Presence::enter(&address, Role::Node).await.unwrap();
    assert!(refused(Role::Mover).await.contains("stop every node"));
    drop(node);
    assert!(refused(Role::Mover).await.contains("stop every node"), "one is left");
    drop(other);
    // Whoever has just left is waited for.
    let mover = Presence::enter(&address, Role::Mover).await.unwrap();
    assert!(refused(Role::Node).await.contains("keiin migrate"));
    assert!(refused(Role::Mover).await.contains("another move"));
    drop(mover);
    Presence::enter(&address, Role::Node).await.unwrap();
}

/// Every table that has rows of companies, in the three kept databases: under the scope of one company, the role that the
/// server works as neither sees nor changes a row of the other, whatever it asks for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_of_a_company_is_out_of_reach_under_anothers_scope() {
    let (dir, server) = (TempDir::new("apart"), Server::shared());
    let urls = [0; 3].map(|_| server.database());
    let places = urls.each_ref().map(|url| Address::parse(url).unwrap());
    let keys = Arc::new(Keyring::create(&dir.path().join("keys")).unwrap());
    let vault = Arc::new(Vault::open(Place::Postgres(places[1].clone()), keys.kek().unwrap()).unwrap());
    let log = Log::open(Arc::new(PostgresStore::open(&places[0], keys.clone()).await.unwrap()));
    let anchor = Place::Postgres(places[2].clone());
    let anchorer = Anchorer::open(anchor, log.clone(), vault.clone(), keys.clone(), LOG_NAME).await.unwrap();
    let [ours, theirs] = [ledger(1), ledger(2)];
    for id in [ours, theirs] {
        vault.create_ledger(id).unwrap();
        let subjects = ["a@example.jp", "b@example.jp"].map(|fact| vault.subject_for(id, "address", fact).unwrap());
        let entry = Entry {
            kind: "thing".into(),
            lookup: id.as_bytes().to_vec(),
            ledger: id,
            owner: subjects[0],
            value: b"secret".to_vec(),
            created_us: 1,
            expires_us: None,
        };
        vault.put(&[entry]).unwrap();
        vault.erase_subject(id, subjects[1]).unwrap();
        assert!(matches!(log.append(opened(id, &*keys.current())).await, Outcome::Committed(_)));
        committed(&log, append(id, &[&stream("thing"); 300])).await;
        anchorer.anchor_now(id).await.unwrap();
    }
    for (url, schema, tables) in
        [(&urls[0], "keiin_log", 3), (&urls[1], "keiin_vault", 6), (&urls[2], "keiin_anchor", 2)]
    {
        let mut as_app = sqlx::PgConnection::connect(url).await.unwrap();
        let found: Vec<(String, String)> = sqlx::query_as(
            "SELECT c.relname::text, a.atttypid::regtype::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'ledger' ORDER BY 1",
        )
        .bind(schema)
        .fetch_all(&mut as_app)
        .await
        .unwrap();
        assert_eq!(found.len(), tables, "{found:?}");
        as_app.execute("SET ROLE keiin_app").await.unwrap();
        for (table, kind) in found {
            out_of_reach(&mut as_app, &format!("{schema}.{table}"), &kind, ours, theirs).await;
        }
    }
}

async fn out_of_reach(app: &mut sqlx::PgConnection, table: &str, kind: &str, ours: Uuid, theirs: Uuid) {
    let scope = |id: Uuid| if kind == "uuid" { id.to_string() } else { id.simple().to_string() };
    let is = |id: Uuid| match kind {
        "uuid" => format!("ledger = '{id}'"),
        _ => format!("ledger = '\\x{}'", id.simple()),
    };
    let run = async |app: &mut sqlx::PgConnection, scope: &str, sql: String| {
        let mut tx = app.begin().await.unwrap();
        tx.execute(AssertSqlSafe(format!("SET LOCAL keiin.scope = '{scope}'"))).await.unwrap();
        let done = tx.execute(AssertSqlSafe(sql)).await.map(|done| done.rows_affected()).map_err(|e| e.to_string());
        // What was done is taken back, so that every statement meets all rows.
        tx.rollback().await.unwrap();
        done
    };
    let (us, them) = (scope(ours), scope(theirs));
    let rows = async |app: &mut sqlx::PgConnection, scope: &str, which: &str| {
        run(app, scope, format!("SELECT FROM {table} WHERE {which}")).await.unwrap()
    };
    for id in [ours, theirs] {
        assert!(rows(app, "*", &is(id)).await > 0 && rows(app, &scope(id), &is(id)).await > 0, "{table} is empty");
    }
    assert_eq!(rows(app, &us, &is(theirs)).await, 0, "{table}");
    assert_eq!(rows(app, &us, "true").await, rows(app, "*", &is(ours)).await, "{table}");
    assert_eq!(rows(app, "", "true").await, 0, "{table} without a scope");

    let may = format!(
        "SELECT column_name::text FROM information_schema.column_privileges WHERE grantee = 'keiin_app'
         AND table_schema || '.' || table_name = '{table}' AND privilege_type = 'UPDATE' ORDER BY 1 LIMIT 1"
    );
    let column: String = sqlx::query_scalar(AssertSqlSafe(may)).fetch_one(&mut *app).await.unwrap();
    let change = format!("UPDATE {table} SET {column} = {column} WHERE {}", is(theirs));
    assert_eq!(run(app, &us, change.clone()).await, Ok(0), "{table}");
    assert!(run(app, &them, change).await.unwrap() > 0, "{table}: the control");
    let remove = format!("DELETE FROM {table} WHERE {}", is(theirs));
    match run(app, &them, remove.clone()).await {
        Ok(removed) => {
            assert!(removed > 0, "{table}: the control");
            assert_eq!(run(app, &us, remove).await, Ok(0), "{table}");
        }
        Err(refused) => assert!(refused.contains("permission denied"), "{table}: {refused}"),
    }
    // A row of theirs, as they have it, written by us: refused for whose it is, before anything else is looked at.
    let copy = format!(
        "CREATE TEMP TABLE copied ON COMMIT PRESERVE ROWS AS SELECT * FROM {table} WHERE {} LIMIT 1",
        is(theirs)
    );
    app.execute(AssertSqlSafe(format!("SET keiin.scope = '*'; {copy}; SET keiin.scope = ''"))).await.unwrap();
    let smuggle = format!("INSERT INTO {table} SELECT * FROM copied");
    let refused = run(app, &us, smuggle.clone()).await.unwrap_err();
    assert!(refused.contains("row-level security"), "{table}: {refused}");
    let refused = run(app, &them, smuggle).await.unwrap_err();
    assert!(refused.contains("duplicate key"), "{table}: the control: {refused}");
    app.execute("DROP TABLE copied").await.unwrap();
}

/// Of the nodes that meet in a database one leads; when it is gone, another one does, and not before it has waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_leads_and_another_takes_over() {
    let address = Address::parse(&Server::shared().database()).unwrap();
    let settle = Duration::from_secs(1);
    let leads = async |lead: &Lead| {
        for _ in 0..100 {
            if lead.is_ours() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    };
    let (began, first) = (Instant::now(), Lead::stand(&address, settle));
    assert!(leads(&first).await && began.elapsed() >= settle);
    let others = [Lead::stand(&address, settle), Lead::stand(&address, settle)];
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(first.is_ours() && !others.iter().any(Lead::is_ours));
    let ended = Instant::now();
    drop(first);
    while !others.iter().any(Lead::is_ours) {
        assert!(ended.elapsed() < Duration::from_secs(20), "nobody took over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ended.elapsed() >= settle);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(others.iter().filter(|lead| lead.is_ours()).count(), 1);
}
