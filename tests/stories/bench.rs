//! `keiin bench`: each load runs on files and on PostgreSQL, says what it measured, and leaves nothing behind.

use std::path::Path;

use keiin_test_postgres::Server as Postgres;
use keiin_tests::server::{command, finish};
use serde_json::Value;

const LOADS: [&str; 6] = ["append", "replay", "verify", "rebuild", "http", "documents"];
const KEYS: [&str; 6] = ["events_per_s", "p50_us", "p99_us", "events", "clients", "batch"];

/// One short run, with its temporary files in `tmp`.
fn bench(load: &str, tmp: &Path, stores: &[&str]) -> Value {
    let few = ["--events", "40", "--clients", "2", "--ledgers", "2", "--format", "json"];
    let args = [&["bench", load], &few[..], stores].concat();
    let ran = finish(command(&args).env("TMPDIR", tmp));
    let figures = ran.expect(0).json();
    for key in KEYS {
        assert!(figures[key].as_u64().is_some_and(|n| n > 0), "{load}: {key} in {figures}");
    }
    assert_eq!((figures["clients"].as_u64(), figures["ledgers"].as_u64()), (Some(2), Some(2)), "{figures}");
    assert!(figures["events"].as_u64() >= Some(40), "{figures}");
    assert_eq!(std::fs::read_dir(tmp).expect("it is there").count(), 0, "{load} leaves files behind");
    figures
}

#[test]
fn every_load_runs_on_files() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    for load in LOADS {
        assert_eq!(bench(load, tmp.path(), &[])["engine"], "sqlite");
    }
}

#[test]
fn every_load_runs_on_postgresql_and_leaves_the_databases_as_they_were() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let server = Postgres::shared();
    let urls = [server.database(), server.database(), server.database()];
    let [database, vault, anchor] = &urls;
    let all = ["--database", database, "--vault", vault, "--anchor", anchor];
    for load in LOADS {
        assert_eq!(bench(load, tmp.path(), &all[..2])["engine"], "postgresql");
    }
    bench("http", tmp.path(), &all);
    for url in &urls {
        let name = url.rsplit('/').next().expect("a name");
        let ours = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'keiin%'";
        assert_eq!(server.sql(name, ours), "0", "{url}");
    }
}

#[test]
fn a_database_in_use_is_refused_and_untouched() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let server = Postgres::shared();
    let (used, empty) = (server.database(), server.database());
    let data = tmp.path().join("data").display().to_string();
    finish(&mut command(&["init", "--data", &data, "--database", &used])).expect(0);
    let name = used.rsplit('/').next().expect("a name");
    let before = server.sql(name, "SELECT count(*), max(size) FROM keiin_log.heads");
    for stores in [&["--database", &used][..], &["--database", &empty, "--vault", &used]] {
        let args = [&["bench", "append", "--events", "10"], stores].concat();
        let refused = finish(&mut command(&args)).expect(2);
        assert!(refused.stderr.contains("holds data of Keiin's already"), "{}", refused.stderr);
    }
    assert_eq!(server.sql(name, "SELECT count(*), max(size) FROM keiin_log.heads"), before);
}
