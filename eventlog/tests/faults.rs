//! Injected faults: what fails, fails as unknown, full or refused, never as done; and nothing is written twice.
#![cfg(feature = "sqlite")]

mod support;

use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keiin_eventlog::log::{Log, MAX_WAITING_KIB};
use keiin_eventlog::record::MAX_BODY;
use keiin_eventlog::store::faulty::{Fault, FaultyStore};
use keiin_eventlog::store::memory::MemoryStore;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::store::{Append, Outcome, Span, Store};
use support::*;

type Faulty = Arc<FaultyStore<MemoryStore>>;

fn faulty() -> (Faulty, Log) {
    let store = Arc::new(FaultyStore::new(MemoryStore::new(signer(1))));
    (store.clone(), Log::open(store))
}

#[tokio::test]
async fn a_commit_that_fails_before_or_after_is_unknown_and_its_retry_writes_it_once() {
    for fault in [Fault::Before, Fault::After] {
        for at in 1..=20 {
            let (store, log) = faulty();
            store.fail(at, fault);
            let one = stream("thing");
            let mut unknown = 0;
            for n in 0..20 {
                let append = if n == 0 { opened(ledger(1), &*signer(1)) } else { append(ledger(1), &[&one, &one]) };
                let expected = if n == 0 { Span { first: 0, last: 0 } } else { Span { first: 2 * n - 1, last: 2 * n } };
                let mut outcome = log.append(append.clone()).await;
                if n + 1 == at {
                    assert!(matches!(outcome, Outcome::Unknown(_)), "{fault:?} at commit {at}: {outcome:?}");
                    unknown += 1;
                    outcome = log.append(append.clone()).await;
                    let retry =
                        if fault == Fault::After { Outcome::Known(expected) } else { Outcome::Committed(expected) };
                    assert_eq!(outcome, retry, "{fault:?} at commit {at}");
                    assert_eq!(log.append(append).await, Outcome::Known(expected));
                } else {
                    assert_eq!(outcome, Outcome::Committed(expected), "{fault:?} at commit {at}, append {n}");
                }
            }
            assert_eq!((unknown, log.head(ledger(1)).await.unwrap().unwrap().size), (1, 39));
            assert_eq!(log.read(ledger(1), 0, 100).await.unwrap().len(), 39);
        }
    }
}

#[tokio::test]
async fn what_waits_behind_an_open_commit_becomes_one_further_commit() {
    let (store, log) = faulty();
    for n in 0..17 {
        let opened = log.append(opened(ledger(n), &*signer(1))).await;
        assert!(matches!(opened, Outcome::Committed(_)));
    }
    let before = store.commits();
    store.hold();
    let one = stream("thing");
    let send = |append: Append| {
        let log = log.clone();
        tokio::spawn(async move { log.append(append).await })
    };
    let first = send(append(ledger(16), &[&one]));
    while store.commits() == before {
        tokio::task::yield_now().await;
    }
    let waiting: Vec<_> = (0..64).map(|n| send(append(ledger(n % 16), &[&one]))).collect();
    // All of them are in the queue once every task has run up to its first wait.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.commits(), before + 1, "nothing passes the open commit");
    store.release();
    assert!(matches!(first.await.unwrap(), Outcome::Committed(_)));
    for task in waiting {
        assert!(matches!(task.await.unwrap(), Outcome::Committed(_)));
    }
    assert_eq!(store.commits(), before + 2);
    for n in 0..16 {
        let records = log.read(ledger(n), 1, 10).await.unwrap();
        let signed: Vec<_> = records.iter().map(|r| r.signature.is_some()).collect();
        assert_eq!(signed, [false, false, false, true], "four appends, one signature");
    }
}

/// Time stands still in this test: any timer on the way would wait for ever.
#[tokio::test(start_paused = true)]
async fn a_lone_append_waits_for_no_timer() {
    let (_store, log) = faulty();
    let begun = tokio::time::Instant::now();
    assert!(matches!(log.append(opened(ledger(1), &*signer(1))).await, Outcome::Committed(_)));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn too_many_waiting_appends_are_turned_away_and_nothing_else() {
    let (store, log) = faulty();
    assert!(matches!(log.append(opened(ledger(1), &*signer(1))).await, Outcome::Committed(_)));
    store.hold();
    let one = stream("thing");
    let big = || {
        let mut append = append(ledger(1), &[&one; 13]);
        append.drafts.iter_mut().for_each(|draft| draft.body = vec![7; MAX_BODY]);
        append
    };
    let fit = MAX_WAITING_KIB / big().bytes().div_ceil(1024);
    let send = |append| {
        let log = log.clone();
        tokio::spawn(async move { log.append(append).await })
    };
    let waiting: Vec<_> = (0..fit).map(|_| send(big())).collect();
    // Each task runs up to its first wait.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let more = tokio::time::timeout(Duration::from_secs(10), log.append(big())).await;
    assert_eq!(more.expect("an append that finds no room is told at once"), Outcome::Busy);
    store.release();
    for task in waiting {
        assert!(matches!(task.await.unwrap(), Outcome::Committed(_)));
    }
    assert!(matches!(log.append(big()).await, Outcome::Committed(_)));
}

// ---- The SQLite engine under a failing system: this test binary runs itself under strace.

/// Appends 40 times one after the other and says what happened to each; ends with code 3 when the store says fatal.
#[test]
fn child_that_appends() {
    let Ok(dir) = std::env::var("KEIIN_FAULT_DIR") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let fatal = Arc::new(AtomicBool::new(false));
        let told = fatal.clone();
        let store = SqliteStore::open(&std::path::Path::new(&dir).join("log.db"), signer(1)).unwrap();
        let store = Arc::new(store.on_fatal(Box::new(move |_| told.store(true, Ordering::SeqCst))));
        let one = keiin_eventlog::record::Stream::new("thing", uuid::Uuid::from_u128(5));
        println!("\nbegin");
        for n in 0..40u128 {
            let mut append = if n == 0 { opened(ledger(1), &*signer(1)) } else { append(ledger(1), &[&one]) };
            append.append_id = uuid::Uuid::from_u128(1_000 + n);
            let outcome = store.commit(vec![append]).await.remove(0);
            let reads = store.head(ledger(1)).await.is_ok();
            println!("append {n} {} reads={reads}", name(&outcome));
        }
        println!("fatal={}", fatal.load(Ordering::SeqCst));
    });
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Committed(_) => "committed",
        Outcome::Known(_) => "known",
        Outcome::Full => "full",
        Outcome::Unknown(_) => "unknown",
        _ => "other",
    }
}

fn under_strace(dir: &TempDir, inject: &str) -> Vec<String> {
    let run = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync,pwrite64", "-e", inject])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_appends", "--nocapture", "--test-threads=1"])
        .env("KEIIN_FAULT_DIR", dir.path())
        .output();
    let Output { stdout, stderr, .. } = run.expect("strace is needed: apt-get install strace");
    let text = String::from_utf8_lossy(&stdout).into_owned();
    let lines: Vec<String> = text.lines().map(str::to_owned).skip_while(|line| line != "begin").collect();
    assert!(lines.len() > 41, "the child did not finish: {text}\n{}", String::from_utf8_lossy(&stderr));
    lines
}

/// Outcomes by append, after checking that the store on disk holds what was acknowledged, and at most what was sent.
async fn check(dir: &TempDir, lines: &[String]) -> Vec<(String, bool)> {
    let outcomes: Vec<(String, bool)> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("append "))
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            (words[1].to_owned(), words[2] == "reads=true")
        })
        .collect();
    assert_eq!(outcomes.len(), 40);
    let store = SqliteStore::open(&dir.path().join("log.db"), signer(1)).unwrap();
    let mut there = 0;
    for (n, (outcome, _)) in outcomes.iter().enumerate() {
        let found = store.find_append(ledger(1), uuid::Uuid::from_u128(1_000 + n as u128)).await.unwrap();
        there += usize::from(found.is_some());
        match outcome.as_str() {
            "committed" => assert!(found.is_some(), "append {n} was acknowledged and is gone"),
            "unknown" => {}
            _ => assert!(found.is_none(), "append {n} was {outcome} and is there"),
        }
    }
    let size = store.head(ledger(1)).await.unwrap().map_or(0, |head| head.size);
    assert_eq!(size as usize, there);
    assert_eq!(store.read(ledger(1), 0, 100).await.unwrap().len(), there);
    outcomes
}

/// Finds in `lines` what the child said at its end.
fn fatal(lines: &[String]) -> bool {
    lines.iter().any(|line| line == "fatal=true")
}

#[tokio::test]
async fn f05_a_failed_sync_is_unknown_and_ends_the_store() {
    let step = if std::env::var("KEIIN_TEST_LONG").is_ok_and(|v| v == "1") { 1 } else { 7 };
    let mut hit = 0;
    for at in (10..=46).step_by(step) {
        let dir = TempDir::new("eio");
        let lines = under_strace(&dir, &format!("inject=fsync,fdatasync:error=EIO:when={at}"));
        let outcomes = check(&dir, &lines).await;
        let Some(first) = outcomes.iter().position(|(outcome, _)| outcome == "unknown") else { continue };
        hit += 1;
        assert!(outcomes[..first].iter().all(|(outcome, reads)| outcome == "committed" && *reads));
        assert!(
            outcomes[first..].iter().all(|(outcome, reads)| outcome == "unknown" && !*reads),
            "sync {at}: {outcomes:?}"
        );
        assert!(fatal(&lines), "the hook that ends the process was not called");
    }
    assert!(hit >= 3, "the injected failures hit only {hit} commits");
}

#[tokio::test]
async fn f04_a_full_disk_writes_nothing_and_the_store_goes_on_when_there_is_room() {
    let mut hit = 0;
    for at in [40, 73, 121] {
        let dir = TempDir::new("full");
        let lines = under_strace(&dir, &format!("inject=pwrite64:error=ENOSPC:when={at}..{}", at + 6));
        let outcomes = check(&dir, &lines).await;
        assert!(!fatal(&lines), "a full disk is no reason to end");
        let full = outcomes.iter().filter(|(outcome, _)| outcome == "full").count();
        assert!(outcomes.iter().all(|(outcome, reads)| ["full", "committed"].contains(&outcome.as_str()) && *reads));
        assert_eq!(outcomes.last().map(|(outcome, _)| outcome.as_str()), Some("committed"));
        hit += full;
    }
    assert!(hit >= 3, "the injected failures hit only {hit} appends");
}
