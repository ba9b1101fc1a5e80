//! The EventStoreDB client and the process-wide TLS provider. A binary of its own: what is tested is the state of the process.
#![cfg(feature = "eventstore")]

mod support;

use std::process::Command;
use std::sync::Arc;

use keiin_eventlog::log::Log;
use keiin_eventlog::store::Outcome;
use keiin_eventlog::store::eventstore::{EventStoreStore, OpenError};
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_test_eventstore::Peer;
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use support::cluster::engine;
use support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_finds_no_provider_and_leaves_one_that_others_can_use() {
    if std::env::var_os("KEIIN_TLS_CHILD").is_some() {
        return;
    }
    assert!(CryptoProvider::get_default().is_none(), "nothing of ours installs a provider");
    // How our own TLS is built: it neither needs nor makes a default.
    let plain = || {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        config.unwrap().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    plain();
    assert!(CryptoProvider::get_default().is_none());
    let peer = Peer::start().await;
    for n in 0..2 {
        // The second client of the process finds the provider of the first.
        let dir = TempDir::new("tls");
        let log = Log::open(engine(&peer.url(), "keiin", dir.path(), signer(1)));
        let outcome = log.append(opened(ledger(n), &*signer(1))).await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    }
    assert!(CryptoProvider::get_default().is_some());
    plain();
    // This panics where no default exists, because the client's closure has two providers.
    rustls::ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
}

#[tokio::test]
async fn a_provider_that_was_there_before_is_an_error_and_no_panic_in_the_background() {
    if std::env::var_os("KEIIN_TLS_CHILD").is_some() {
        aws_lc_rs::default_provider().install_default().unwrap();
        let dir = TempDir::new("tls");
        let mirror = SqliteStore::open(&dir.path().join("log.db"), signer(1)).unwrap();
        let refused = EventStoreStore::open("esdb://127.0.0.1:1?tls=false", mirror, signer(1)).err();
        assert!(matches!(refused, Some(OpenError::TlsProvider)), "{refused:?}");
        return;
    }
    let this = "a_provider_that_was_there_before_is_an_error_and_no_panic_in_the_background";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this])
        .env("KEIIN_TLS_CHILD", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}
