//! The EventStoreDB engine in tests: an app node with its mirror, and a real server where `KEIIN_TEST_EVENTSTORE` names one.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use keiin_eventlog::sign::Signers;
use keiin_eventlog::store::eventstore::EventStoreStore;
use keiin_eventlog::store::sqlite::SqliteStore;

use super::fresh;

/// One app node: the engine on the streams of this name, with a mirror in this directory.
pub fn engine(url: &str, name: &str, dir: &Path, signers: Arc<dyn Signers>) -> Arc<EventStoreStore> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mirror = loop {
        match SqliteStore::open(&dir.join("log.db"), signers.clone()) {
            Ok(mirror) => break mirror,
            // The one before may still be closing.
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Arc::new(EventStoreStore::open_named(url, name, mirror, signers).unwrap())
}

/// The connection string of a real server with a name for streams that it has never seen; without a server, the report of
/// `tests/run` says so.
pub fn server() -> Option<(String, String)> {
    static SAY: Once = Once::new();
    let server = std::env::var("KEIIN_TEST_EVENTSTORE").ok().filter(|url| !url.is_empty());
    SAY.call_once(|| {
        let line = match &server {
            Some(_) => "eventstore: the contract ran on the server of KEIIN_TEST_EVENTSTORE as well",
            None => "eventstore: skipped, KEIIN_TEST_EVENTSTORE names no server",
        };
        println!("{line}");
        if let Some(path) = std::env::var_os("KEIIN_TEST_REPORT") {
            let mut report = std::fs::File::options().append(true).create(true).open(path).unwrap();
            writeln!(report, "{line}").unwrap();
        }
    });
    // The server remembers every run.
    server.map(|url| (url, format!("keiin-test-{:016x}", RandomState::new().hash_one(fresh()))))
}
