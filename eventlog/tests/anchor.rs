//! Checkpoints, proofs and the refusal of a log that contradicts them, on real files.
#![cfg(feature = "sqlite")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_eventlog::anchor::{AnchorError, Anchorer, Refusal, Stamp};
use keiin_eventlog::log::Log;
use keiin_eventlog::record::Hash;
use keiin_eventlog::store::Outcome;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::tree;
use support::node::{LOG_NAME, Node};
use support::*;
use uuid::Uuid;

fn sql(path: &Path, text: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
}

/// A copy of the database as it is on disk now, nothing of it open.
fn copy(dir: &Path, from: &str, to: &str) {
    std::fs::copy(dir.join(from), dir.join(to)).unwrap();
    for beside in ["-wal", "-shm"] {
        let (from, to) = (dir.join(format!("{from}{beside}")), dir.join(format!("{to}{beside}")));
        let _ = std::fs::remove_file(&to);
        if from.exists() {
            std::fs::copy(from, to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_of_every_size_is_proved() {
    let dir = TempDir::new("proofs");
    let node = Node::open(dir.path()).await;
    let id = node.ledger(1).await;
    let mut roots: Vec<(u64, Hash)> = vec![];
    for more in [1, 3, 250, 1, 1, 44, 300, 212] {
        node.fill(id, more).await;
        let anchored = node.anchorer.anchor_now(id).await.unwrap();
        let leaves: Vec<Hash> = node.log.leaf_hashes(id, 0, 10_000).await.unwrap();
        assert_eq!(anchored.size, leaves.len() as u64);
        let Ok(root) = tree::root(&leaves[..], anchored.size);
        assert_eq!(anchored.root, root);
        assert_eq!(node.anchorer.checkpoint(id, anchored.size).unwrap().as_ref(), Some(&anchored.checkpoint));
        for position in [0, 1, anchored.size / 2, anchored.size - 1] {
            node.proves(id, position).await;
        }
        roots.push((anchored.size, root));
    }
    for (old, old_root) in &roots {
        for (new, new_root) in roots.iter().filter(|(new, _)| new >= old) {
            let shown = node.anchorer.consistency(id, *old, *new).await.unwrap();
            assert_eq!((shown.root_from, shown.root_to), (*old_root, *new_root));
            assert!(tree::verify_consistency(*old, *new, &shown.hashes, old_root, new_root));
        }
    }
    let size = roots.last().unwrap().0;
    assert!(matches!(node.anchorer.proof(id, size).await, Err(AnchorError::Beyond(n)) if n == size));
    assert!(node.anchorer.consistency(id, 0, 1).await.is_err());
    assert_eq!(node.anchorer.checkpoint_sizes(id, 3).unwrap().len(), 3);
    assert!(matches!(node.anchorer.anchor_now(ledger(9)).await, Err(AnchorError::NoLedger(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_anchored_within_a_second_and_survives_a_restart() {
    let dir = TempDir::new("follow");
    let (id, size) = {
        let node = Node::open(dir.path()).await;
        let follower = tokio::spawn(node.anchorer.clone().follow());
        for n in 0..200 {
            node.ledger(n).await;
        }
        let id = ledger(7);
        node.fill(id, 30).await;
        let begun = Instant::now();
        while node.anchorer.latest(id).is_none_or(|anchored| anchored.size < 31) {
            assert!(begun.elapsed() < Duration::from_secs(5), "never anchored: {:?}", node.anchorer.trouble());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        follower.abort();
        let _ = follower.await;
        let size = node.anchorer.latest(id).unwrap().size;
        node.close().await;
        (id, size)
    };
    let node = Node::open(dir.path()).await;
    assert_eq!(node.anchorer.latest(id).unwrap().size, size);
    assert_eq!(node.anchorer.refusals(), vec![]);
    node.fill(id, 300).await;
    node.proves(id, 330).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_or_changed_tiles_are_built_again() {
    let dir = TempDir::new("tiles");
    let id = {
        let node = Node::open(dir.path()).await;
        let id = node.ledger(1).await;
        node.fill(id, 700).await;
        node.anchorer.anchor_now(id).await.unwrap();
        node.close().await;
        id
    };
    for damage in [
        "DELETE FROM tile",
        "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 0",
        "UPDATE tile SET hashes = substr(hashes, 1, 64)",
    ] {
        sql(&dir.path().join("log.db"), damage);
        let node = Node::open(dir.path()).await;
        node.proves(id, 300).await;
        sql(&dir.path().join("log.db"), damage);
        node.fill(id, 1).await;
        node.proves(id, node.log.head(id).await.unwrap().unwrap().size - 1).await;
        node.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolled_back_log_is_refused_until_an_operator_lets_it_go_on() {
    let dir = TempDir::new("rollback");
    let (id, other) = (ledger(1), ledger(2));
    let lost = {
        let node = Node::open(dir.path()).await;
        node.ledger(1).await;
        node.ledger(2).await;
        node.fill(id, 300).await;
        node.anchorer.anchor_now(id).await.unwrap();
        node.anchorer.anchor_now(other).await.unwrap();
        node.close().await;
        copy(dir.path(), "log.db", "old.db");
        let node = Node::open(dir.path()).await;
        node.fill(id, 17).await;
        let lost = node.anchorer.anchor_now(id).await.unwrap();
        node.close().await;
        lost
    };
    copy(dir.path(), "old.db", "log.db");
    {
        let node = Node::open(dir.path()).await;
        assert_eq!(node.anchorer.refusals(), vec![(id, Refusal::RolledBack { missing: 17 })]);
        assert!(node.log.refusal(id).unwrap().contains("17 events below the checkpoint"));
        assert!(matches!(node.log.append(append(id, &[&stream("thing")])).await, Outcome::Refused(_)));
        assert!(node.log.read(id, 0, 1).await.is_err());
        assert!(matches!(node.anchorer.proof(id, 1).await, Err(AnchorError::Refused(..))));
        node.fill(other, 3).await;
        node.proves(other, 3).await;
        // Nothing to restore in a ledger that agrees.
        assert!(node.anchorer.restore(other, Stamp { time_us: 5, append_id: fresh() }).await.is_err());
        let restored = node.anchorer.restore(id, Stamp { time_us: 5, append_id: fresh() }).await.unwrap();
        assert_eq!((restored.generation, restored.size), (2, 302));
        assert!(restored.checkpoint.text().starts_with(&format!("{LOG_NAME}/{id}/2\n")));
        node.close().await;
    }
    let node = Node::open(dir.path()).await;
    assert_eq!(node.anchorer.refusals(), vec![]);
    node.fill(id, 5).await;
    node.proves(id, 306).await;
    node.proves(id, 10).await;
    assert!(lost.size > 302, "the new generation is shorter than what was lost: {}", lost.size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_record_is_refused_and_named() {
    let dir = TempDir::new("edit");
    let (id, other) = (ledger(1), ledger(2));
    {
        let node = Node::open(dir.path()).await;
        node.ledger(1).await;
        node.ledger(2).await;
        node.fill(id, 400).await;
        node.fill(other, 5).await;
        node.anchorer.anchor_now(id).await.unwrap();
        node.anchorer.anchor_now(other).await.unwrap();
        node.close().await;
    }
    let position_at = |at: u64| format!("{at:016x}");
    // One bit of the time in the leaf at position 123.
    let leaf = format!("substr(leaf, 9, 8) = x'{}' AND substr(leaf, 17, 16) = x'{}'", position_at(123), id.simple());
    let flip =
        format!("UPDATE record SET leaf = CAST(substr(leaf, 1, 71) || x'ff' || substr(leaf, 73) AS BLOB) WHERE {leaf}");
    copy(dir.path(), "log.db", "good.db");
    sql(&dir.path().join("log.db"), &flip);
    {
        let node = Node::open(dir.path()).await;
        let refused = node.anchorer.refusals();
        assert!(matches!(refused[..], [(l, Refusal::Changed { position: Some(123), .. })] if l == id), "{refused:?}");
        node.proves(other, 2).await;
        node.close().await;
    }
    // Somebody without the signing key, who makes the whole chain fit again: only the anchored root shows it.
    copy(dir.path(), "good.db", "log.db");
    rehash(&dir.path().join("log.db"), id, 123);
    let node = Node::open(dir.path()).await;
    let refused = node.anchorer.refusals();
    assert!(matches!(refused[..], [(l, Refusal::Changed { position: Some(123), .. })] if l == id), "{refused:?}");
    node.proves(other, 2).await;
}

/// Changes the time of one record and every link after it, the head included.
fn rehash(path: &Path, ledger: Uuid, position: u64) {
    let conn = rusqlite::Connection::open(path).unwrap();
    let mut query = conn.prepare("SELECT no, leaf FROM record WHERE substr(leaf, 17, 16) = ?1 ORDER BY no").unwrap();
    let rows = query.query_map([ledger.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: Vec<(i64, Vec<u8>)> = rows.map(Result::unwrap).collect();
    let mut last = None;
    for (at, (no, mut leaf)) in (0u64..).zip(rows) {
        if at == position {
            leaf[71] ^= 1;
        }
        if let Some(Hash(last)) = last {
            leaf[32..64].copy_from_slice(&last);
        }
        last = Some(Hash::of_leaf(&leaf));
        conn.execute("UPDATE record SET leaf = ?2 WHERE no = ?1", rusqlite::params![no, leaf]).unwrap();
    }
    let head = rusqlite::params![ledger.as_bytes(), last.unwrap().0];
    conn.execute("UPDATE ledger SET last_hash = ?2 WHERE id = ?1", head).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_vault_is_refused() {
    let dir = TempDir::new("old-vault");
    let id = ledger(1);
    {
        let node = Node::open(dir.path()).await;
        node.vault.create_ledger(id).unwrap();
        node.vault.subject_for(id, "mail", "a@example.jp").unwrap();
        node.close().await;
    }
    copy(dir.path(), "vault.db", "old.db");
    {
        let node = Node::open(dir.path()).await;
        let person = node.vault.find_subject(id, "mail", "a@example.jp").unwrap().unwrap();
        node.vault.erase_subject(id, person).unwrap();
        node.anchorer.watch_vault().unwrap();
        node.close().await;
    }
    copy(dir.path(), "old.db", "vault.db");
    let refused = Node::try_open(dir.path()).await.err();
    assert!(matches!(refused, Some(AnchorError::OldVault { vault: 0, anchor: 1 })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_the_server_proves_and_signs_nothing() {
    let dir = TempDir::new("reader");
    let node = Node::open(dir.path()).await;
    let id = node.ledger(1).await;
    node.fill(id, 20).await;
    node.anchorer.anchor_now(id).await.unwrap();
    node.fill(id, 1).await;
    let log = Log::open(Arc::new(SqliteStore::open_reader(&dir.path().join("log.db")).unwrap()));
    let reader = Anchorer::open_reader(&dir.path().join("anchor.db"), log.clone(), LOG_NAME).unwrap();
    let anchored = reader.latest(id).unwrap();
    assert_eq!(anchored.size, 21);
    let proof = reader.proof(id, 20).await.unwrap();
    let record = log.read(id, 20, 1).await.unwrap().remove(0);
    proof.verify(&record.hash(), &node.verifier(id)).unwrap();
    assert!(reader.proof(id, 21).await.is_err());
    assert!(matches!(log.append(append(id, &[&stream("thing")])).await, Outcome::Refused(_)));
    let root = reader.with_tree(&anchored, |tree| tree.root()).await.unwrap();
    assert_eq!(root, anchored.root);
}
