//! `keiin bench`: each load runs on files and on PostgreSQL, says what it measured, and leaves nothing behind.

use std::path::Path;

use keiin_test_postgres::Server as Postgres;
use keiin_tests::server::{binary, command, finish};
use serde_json::Value;

/// Each load, and what its figures must say: events, batch, ledgers. 200 events are asked for, in batches of 4 and in 2
/// ledgers, whose first records `verify` reads as well; `rebuild` folds three times, the root ledger's record included.
const LOADS: [(&str, [u64; 3]); 6] = [
    ("append", [200, 4, 2]),
    ("replay", [200, 100, 2]),
    ("verify", [202, 4, 2]),
    ("rebuild", [203, 100, 2]),
    ("http", [200, 1, 2]),
    ("documents", [200, 1, 1]),
];

/// One short run, with its temporary files in `tmp`.
fn bench((load, said): (&str, [u64; 3]), tmp: &Path, stores: &[&str]) -> Value {
    let few = ["--events", "200", "--batch", "4", "--clients", "2", "--ledgers", "2", "--format", "json"];
    let args = [&["bench", load], &few[..], stores].concat();
    let ran = finish(command(&args).env("TMPDIR", tmp));
    let figures = ran.expect(0).json();
    for key in ["events_per_s", "p50_us", "p99_us"] {
        assert!(figures[key].as_u64().is_some_and(|n| n > 0), "{load}: {key} in {figures}");
    }
    assert_eq!(["events", "batch", "ledgers"].map(|key| &figures[key]), said.map(Value::from).each_ref(), "{load}");
    assert_eq!(figures["clients"], 2, "{figures}");
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
    bench(LOADS[4], tmp.path(), &all);
    for url in &urls {
        let name = url.rsplit('/').next().expect("a name");
        let ours = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'keiin%'";
        assert_eq!(server.sql(name, ours), "0", "{url}");
    }
}

/// `growth` (`benches/bin/growth`) measures what it says, at each size, and shows it as a table.
#[test]
fn what_grows_is_measured_at_each_size() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let growth = |format: &str| {
        let mut command = std::process::Command::new(binary().with_file_name("growth"));
        command.args(["--subscribers", "5", "--idle-s", "0", "--format", format, "600", "1200"]);
        finish(command.env("TMPDIR", tmp.path())).expect(0)
    };
    let all: Vec<Value> = growth("json")
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON, one object a line"))
        .collect();
    let loads = |size: u64| all.iter().filter(move |line| line["size"] == size).map(|line| line["load"].as_str());
    let each = ["grow", "start", "fill", "serve", "list", "memory"].map(Some);
    let bundle = ["export", "verify", "verify --deep"].map(Some);
    assert_eq!(loads(600).collect::<Vec<_>>(), each);
    assert_eq!(loads(1_200).collect::<Vec<_>>(), [&each[..2], &bundle, &each[2..]].concat());
    for line in &all {
        let zero = line.as_object().expect("an object").iter().find(|(_, value)| **value == 0);
        assert_eq!(zero, None, "{line}");
    }
    let of = |load: &str, key: &str| all.iter().rfind(|line| line["load"] == load).map(|line| line[key].clone());
    assert_eq!(of("memory", "subscribers"), Some(Value::from(5)));
    assert!(of("verify", "events").and_then(|n| n.as_u64()) >= Some(1_200), "{all:?}");
    let table = growth("text").stdout;
    assert!(
        table.starts_with("| events | 600 | 1200 |\n") && table.contains("| memory: with_subscribers_mib |"),
        "{table}"
    );
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
