//! Bytes that were changed where they are stored are never returned, on any engine.
#![cfg(feature = "sqlite")]

mod support;

use std::sync::Arc;

use keiin_eventlog::log::Log;
use keiin_eventlog::postgres::Address;
use keiin_eventlog::record::Record;
use keiin_eventlog::store::StoreError;
use keiin_eventlog::store::memory::MemoryStore;
use keiin_eventlog::store::postgres::PostgresStore;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_test_postgres::Server;
use support::*;
use uuid::Uuid;

/// Reads around a record whose leaf or body was changed: its neighbours are served, it is not.
async fn damage_is_named(log: &Log, id: Uuid, position: u64) {
    let damaged = log.read(id, 0, 20).await.unwrap_err();
    assert!(matches!(damaged, StoreError::Damaged { position: at, .. } if at == position), "{damaged}");
    assert!(log.read(id, position, 1).await.is_err());
    assert_eq!(log.read(id, 0, 3).await.unwrap().len(), 3);
    assert_eq!(log.read(id, position + 2, 3).await.unwrap().len(), 3);
}

#[tokio::test]
async fn damaged_bytes_are_never_returned_from_memory() {
    type Change = fn(&mut Record);
    let changes: [Change; 3] =
        [|record| record.body.as_mut().unwrap()[3] ^= 1, |record| record.leaf[71] ^= 1, |record| record.body = None];
    for change in changes {
        let store = Arc::new(MemoryStore::new(Arc::new(TwoKeys)));
        let log = Log::open(store.clone());
        let id = open(&log, 1).await;
        committed(&log, append(id, &[&stream("thing"); 12])).await;
        store.tamper(id, 5, change);
        damage_is_named(&log, id, 5).await;
    }
}

#[tokio::test]
async fn damaged_bytes_are_never_returned_from_sqlite() {
    for change in [
        "UPDATE record SET body = zeroblob(length(body)) WHERE no = 6",
        "UPDATE record SET body = NULL WHERE no = 6",
        "UPDATE record SET leaf = CAST(substr(leaf, 1, 71) || x'ee' || substr(leaf, 73) AS BLOB) WHERE no = 6",
        "UPDATE record SET leaf = (SELECT leaf FROM record WHERE no = 9) WHERE no = 6",
    ] {
        let dir = TempDir::new("damage");
        let path = dir.path().join("log.db");
        let log = Log::open(Arc::new(SqliteStore::open(&path, Arc::new(TwoKeys)).unwrap()));
        let id = open(&log, 1).await;
        let one = stream("thing");
        committed(&log, append(id, &[&one; 12])).await;
        rusqlite::Connection::open(&path).unwrap().execute_batch(change).unwrap();
        damage_is_named(&log, id, 5).await;
        assert!(log.read_stream(id, &one, 0, 20).await.is_err());
        // Another ledger does not notice, and this one still takes appends.
        let other = open(&log, 2).await;
        assert_eq!(verified(&log, other).await.len(), 1);
        committed(&log, append(id, &[&one])).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_bytes_are_never_returned_from_postgres() {
    let server = Server::shared();
    for change in [
        "SET body = decode(repeat('00', length(body)), 'hex')",
        "SET body = NULL",
        "SET leaf = set_byte(leaf, 71, get_byte(leaf, 71) # 1)",
        "SET leaf = (SELECT leaf FROM keiin_log.record WHERE position = 8)",
    ] {
        let url = server.database();
        let store = PostgresStore::open(&Address::parse(&url).unwrap(), Arc::new(TwoKeys)).await.unwrap();
        let log = Log::open(Arc::new(store));
        let id = open(&log, 1).await;
        let one = stream("thing");
        committed(&log, append(id, &[&one; 12])).await;
        let name = url.rsplit('/').next().unwrap();
        server.sql(name, &format!("UPDATE keiin_log.record {change} WHERE position = 5"));
        damage_is_named(&log, id, 5).await;
        assert!(log.read_stream(id, &one, 0, 20).await.is_err());
        assert!(log.leaf_hashes(id, 0, 20).await.is_err() || change.contains("body"));
        let other = open(&log, 2).await;
        assert_eq!(verified(&log, other).await.len(), 1);
        committed(&log, append(id, &[&one])).await;
    }
}
