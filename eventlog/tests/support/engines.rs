//! The engines that the contract is run on, each empty.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_eventlog::log::Log;
use keiin_eventlog::postgres::Address;
use keiin_eventlog::store::faulty::FaultyStore;
use keiin_eventlog::store::memory::MemoryStore;
use keiin_eventlog::store::postgres::PostgresStore;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::store::{Pending, Store};
use keiin_test_eventstore::Peer;
use keiin_test_postgres::Server;

use super::cluster::{engine, server};
use super::{TempDir, TwoKeys};

/// Opens an engine; a second call opens it again where it was.
pub type Open = Box<dyn Fn() -> Pending<'static, Arc<dyn Store>>>;

/// In memory.
pub async fn on_memory<F: Future<Output = ()>>(case: impl FnOnce(Log) -> F) {
    case(Log::open(Arc::new(MemoryStore::new(Arc::new(TwoKeys))))).await;
}

/// In memory, wrapped with no faults.
pub async fn on_faulty<F: Future<Output = ()>>(case: impl FnOnce(Log) -> F) {
    let store = MemoryStore::new(Arc::new(TwoKeys));
    case(Log::open(Arc::new(FaultyStore::new(store)))).await;
}

/// A file.
pub async fn on_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Log) -> F) {
    sqlite_again(async |open: Open| case(Log::open(open().await)).await).await;
}

/// A database of the shared server.
pub async fn on_postgres<F: Future<Output = ()>>(case: impl FnOnce(Log) -> F) {
    postgres_again(async |open: Open| case(Log::open(open().await)).await).await;
}

/// A cluster inside the process, and a real one if there is one.
pub async fn on_eventstore<F: Future<Output = ()>>(case: impl Fn(Log) -> F) {
    eventstore_again(async |open: Open| case(Log::open(open().await)).await).await;
}

/// A file that is opened several times.
pub async fn sqlite_again(case: impl AsyncFnOnce(Open)) {
    let dir = TempDir::new("contract");
    let path = dir.path().join("log.db");
    case(Box::new(move || {
        let path = path.clone();
        Box::pin(async move {
            // The one before may still be closing.
            let deadline = Instant::now() + Duration::from_secs(5);
            loop {
                match SqliteStore::open(&path, Arc::new(TwoKeys)) {
                    Ok(store) => {
                        let store: Arc<dyn Store> = Arc::new(store);
                        return store;
                    }
                    Err(error) => assert!(Instant::now() < deadline, "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    }))
    .await;
}

/// A database that is opened several times.
pub async fn postgres_again(case: impl AsyncFnOnce(Open)) {
    let url = Server::shared().database();
    case(Box::new(move || {
        let address = Address::parse(&url).unwrap();
        Box::pin(async move {
            let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&address, Arc::new(TwoKeys)).await.unwrap());
            store
        })
    }))
    .await;
}

/// A cluster and a mirror that are opened several times.
pub async fn eventstore_again(case: impl AsyncFn(Open)) {
    let peer = Peer::start().await;
    for (url, name) in [(peer.url(), "keiin".to_owned())].into_iter().chain(server()) {
        let dir = TempDir::new("contract-eventstore");
        let path = dir.path().to_owned();
        case(Box::new(move || {
            let store: Arc<dyn Store> = engine(&url, &name, &path, Arc::new(TwoKeys));
            Box::pin(async move { store })
        }))
        .await;
    }
}
