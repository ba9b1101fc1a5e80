//! The life of keys and ledgers: rotated, replaced, erased, closed, restored; and what an auditor then verifies.
#![cfg(feature = "sqlite")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::keys::{KeyError, Keyring};
use keiin_eventlog::life::{self, LifeError};
use keiin_eventlog::note::VerifierKey;
use keiin_eventlog::sign::{PublicKey, Signer};
use keiin_eventlog::store::Outcome;
use keiin_eventlog::verify::{Options, Report, Verdict, verify};
use support::node::{LOG_NAME, Node, stamp};
use support::*;
use uuid::Uuid;

fn check(bundle: &[u8], keys: Vec<VerifierKey>) -> Report {
    verify(bundle, &Options { keys, deep: true, ..Options::default() })
}

fn verified(bundle: &[u8], key: VerifierKey) -> Report {
    let report = check(bundle, vec![key]);
    assert_eq!((report.verdict, &report.reason), (Verdict::Verified, &None), "{report:?}");
    report
}

async fn open(node: &Node, n: u64, recovery: Option<PublicKey>) -> Uuid {
    let id = ledger(n);
    let origin = Origin::new(LOG_NAME, id, 1).unwrap();
    life::open(&node.log, &node.vault, origin, node.keys.current().public(), recovery, stamp()).await.unwrap();
    id
}

/// All signing keys are lost; the key-encryption key is not, and a new signer is there.
fn lose_signers(dir: &Path) {
    for file in fs::read_dir(dir.join("keys")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "pem") {
            fs::remove_file(path).unwrap();
        }
    }
    let pem = dir.join("keys/signing.pem");
    fs::write(&pem, signer(77).to_pem().as_bytes()).unwrap();
    fs::set_permissions(&pem, Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_verified_after_everything_that_can_happen_to_it() {
    let dir = TempDir::new("life");
    let recovery = signer(200);
    let node = Node::open(dir.path()).await;
    let first = node.keys.current().public();
    let id = open(&node, 1, Some(recovery.public())).await;
    open(&node, 1, Some(recovery.public())).await; // a second time: nothing happens
    node.fill(id, 60).await;
    let report = verified(&node.bundle(id).await, node.vkey(id, first));
    assert_eq!(report.events, 61);

    // Rotated: both keys are known, the old one signs the hand-over.
    let second = node.keys.rotate_signing().unwrap().public();
    node.fill(id, 3).await;
    life::rotate_key(&node.log, &node.keys, id, second, stamp()).await.unwrap().unwrap();
    assert!(life::rotate_key(&node.log, &node.keys, id, second, stamp()).await.unwrap().is_none());
    assert!(matches!(
        life::rotate_key(&node.log, &node.keys, id, recovery.public(), stamp()).await,
        Err(LifeError::Refused(..))
    ));
    node.fill(id, 3).await;
    let bundle = node.bundle(id).await;
    verified(&bundle, node.vkey(id, first));
    verified(&bundle, node.vkey(id, second));

    // A person erased: the vault forgets, the ledger says so, and nothing breaks.
    let person = node.vault.subject_for(id, "mail", "a@example.jp").unwrap();
    life::erase_subject(&node.log, &node.vault, id, person, stamp()).await.unwrap();
    assert!(node.vault.is_erased(id, person).unwrap());
    assert_eq!(life::erased_subjects(&node.log, id).await.unwrap(), [person]);
    verified(&node.bundle(id).await, node.vkey(id, second));

    // Replaced: every signing key is lost, the recovery key speaks for a new one.
    let early = life::replacement(&node.log, id, signer(77).public()).await.unwrap();
    let here =
        life::replace_key(&node.log, &node.keys, id, signer(77).public(), recovery.sign(&early.message()), stamp());
    assert!(matches!(here.await, Err(LifeError::Refused(..))), "the signer is not lost");
    node.close().await;
    lose_signers(dir.path());
    let node = Node::open(dir.path()).await;
    let third = node.keys.current().public();
    let refused = node.log.append(append(id, &[&stream("thing")])).await;
    assert_eq!(refused, Outcome::Refused("the key that must sign this ledger is not here".to_owned()));
    let what = life::replacement(&node.log, id, third).await.unwrap();
    let forged = signer(3).sign(&what.message());
    assert!(life::replace_key(&node.log, &node.keys, id, third, forged, stamp()).await.is_err());
    let proof = recovery.sign(&what.message());
    life::replace_key(&node.log, &node.keys, id, third, proof, stamp()).await.unwrap();
    node.fill(id, 4).await;
    let bundle = node.bundle(id).await;
    verified(&bundle, node.vkey(id, third));
    verified(&bundle, node.vkey(id, first));
    assert_eq!(check(&bundle, vec![node.vkey(id, signer(9).public())]).verdict, Verdict::Refuted);

    // Closed, and the bodies gone: the rest still verifies.
    life::close(&node.log, id, stamp()).await.unwrap();
    assert!(matches!(node.log.append(append(id, &[&stream("thing")])).await, Outcome::Refused(_)));
    verified(&node.bundle(id).await, node.vkey(id, third));
    life::drop_bodies(&node.log, &node.vault, id).await.unwrap();
    let report = verified(&node.bundle(id).await, node.vkey(id, third));
    assert!(report.not_established.iter().any(|gap| gap.to_string() == "bodies"), "{report:?}");
    assert!(node.vault.body_key(id, 1).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_rotated_while_everybody_writes() {
    let dir = TempDir::new("rotate-load");
    let node = Node::open(dir.path()).await;
    let id = open(&node, 1, None).await;
    let first = node.keys.current().public();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let log = node.log.clone();
            tokio::spawn(async move {
                let one = stream("thing");
                for _ in 0..60 {
                    assert!(matches!(log.append(append(id, &[&one])).await, Outcome::Committed(_)));
                }
            })
        })
        .collect();
    for _ in 0..5 {
        let next = node.keys.rotate_signing().unwrap().public();
        life::rotate_key(&node.log, &node.keys, id, next, stamp()).await.unwrap().unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let report = verified(&node.bundle(id).await, node.vkey(id, first));
    assert_eq!(report.events, 1 + 480 + 5);
    node.close().await;
    let node = Node::open(dir.path()).await;
    node.fill(id, 1).await;
    let newest = node.keys.current().public();
    verified(&node.bundle(id).await, node.vkey(id, newest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_ledger_is_verified_as_its_next_generation() {
    let dir = TempDir::new("restored");
    let node = Node::open(dir.path()).await;
    let id = open(&node, 1, None).await;
    node.fill(id, 20).await;
    node.close().await;
    fs::copy(dir.path().join("log.db"), dir.path().join("old.db")).unwrap();
    let node = Node::open(dir.path()).await;
    node.fill(id, 5).await;
    let before = node.anchorer.anchor_now(id).await.unwrap();
    node.close().await;
    fs::rename(dir.path().join("old.db"), dir.path().join("log.db")).unwrap();
    let node = Node::open(dir.path()).await;
    node.anchorer.restore(id, stamp()).await.unwrap();
    node.fill(id, 9).await;
    let key = node.keys.current().public();
    let bundle = node.bundle(id).await;
    verified(&bundle, node.vkey(id, key));
    // Who holds the old checkpoint sees that something was lost.
    let origin = before.checkpoint.text().lines().next().unwrap().to_owned();
    let keys = vec![node.vkey(id, key), VerifierKey::new(&origin, key).unwrap()];
    let options = Options { keys, checkpoints: vec![before.checkpoint.clone()], ..Options::default() };
    assert_ne!(verify(&bundle[..], &options).verdict, Verdict::Verified);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_from_a_backup_forgets_again_whom_the_ledger_says_to_forget() {
    let dir = TempDir::new("again");
    let node = Node::open(dir.path()).await;
    let id = open(&node, 1, None).await;
    let person = node.vault.subject_for(id, "mail", "a@example.jp").unwrap();
    node.close().await;
    let (vault, backup) = (dir.path().join("vault.db"), dir.path().join("backup.db"));
    fs::copy(&vault, &backup).unwrap();
    let node = Node::open(dir.path()).await;
    life::erase_subject(&node.log, &node.vault, id, person, stamp()).await.unwrap();
    node.anchorer.watch_vault().unwrap();
    node.close().await;
    fs::rename(&backup, &vault).unwrap();
    assert!(Node::try_open(dir.path()).await.is_err());
    // What `keiin restore` does before anybody is served.
    let keys = std::sync::Arc::new(Keyring::open(&dir.path().join("keys")).unwrap());
    let opened = keiin_eventlog::vault::Vault::open(&vault, keys.kek().unwrap()).unwrap();
    let opened = std::sync::Arc::new(opened);
    let store = keiin_eventlog::store::sqlite::SqliteStore::open_reader(&dir.path().join("log.db")).unwrap();
    let log = keiin_eventlog::log::Log::open(std::sync::Arc::new(store));
    assert!(!opened.is_erased(id, person).unwrap());
    assert_eq!(life::erase_again(&log, &opened, id).await.unwrap(), 1);
    assert_eq!(life::erase_again(&log, &opened, id).await.unwrap(), 0);
    assert!(opened.subject_key(id, person, 1).unwrap().is_none());
    drop((log, opened));
    let node = Node::open(dir.path()).await;
    assert!(node.vault.is_erased(id, person).unwrap());
}

#[test]
fn key_files_that_others_can_read_are_refused_with_the_fix() {
    let dir = TempDir::new("modes");
    let keys = dir.path().join("keys");
    Keyring::create(&keys).unwrap();
    assert!(matches!(Keyring::create(&keys), Err(KeyError::Exists(_))));
    for (file, mode, fix) in
        [("signing.pem", 0o640, "chmod 600"), ("kek", 0o604, "chmod 600"), ("", 0o750, "chmod 700")]
    {
        let path = keys.join(file);
        let good = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let told = Keyring::open(&keys).err().unwrap().to_string();
        assert!(told.contains(fix) && told.contains(file), "{told}");
        fs::set_permissions(&path, good).unwrap();
    }
    fs::write(keys.join("kek"), "not hex\n").unwrap();
    assert!(Keyring::open(&keys).err().unwrap().to_string().contains("64 hex digits"));
}

#[test]
fn rotated_keys_are_all_there_after_a_restart() {
    let dir = TempDir::new("rotation");
    let keys = dir.path().join("keys");
    let ring = Keyring::create(&keys).unwrap();
    let first = ring.current().public();
    let second = ring.rotate_signing().unwrap().public();
    let third = ring.rotate_signing().unwrap().public();
    assert_eq!(ring.public_keys(), [third, second, first]);
    let again = Keyring::open(&keys).unwrap();
    assert_eq!(again.current().public(), third);
    for public in [first, second, third] {
        assert_eq!(again.signer(&public).unwrap().public(), public);
    }
    for file in fs::read_dir(&keys).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// The three steps of a rotation, each followed by a crash.
#[test]
fn the_key_encryption_key_is_rotated_over_crashes() {
    let dir = TempDir::new("kek");
    let (keys, path) = (dir.path().join("keys"), dir.path().join("vault.db"));
    let open = |ring: &Keyring| keiin_eventlog::vault::Vault::open(&path, ring.kek().unwrap()).unwrap();
    let ring = Keyring::create(&keys).unwrap();
    let vault = open(&ring);
    vault.create_ledger(ledger(1)).unwrap();
    let key = *vault.body_key(ledger(1), 1).unwrap().record_secret(&[0; 16]).expose();
    drop(vault);
    let same = |vault: &keiin_eventlog::vault::Vault| {
        *vault.body_key(ledger(1), 1).unwrap().record_secret(&[0; 16]).expose() == key
    };
    ring.prepare_kek().unwrap();
    let ring = Keyring::open(&keys).unwrap();
    assert!(ring.kek_rotation_pending());
    let vault = open(&ring);
    assert!(same(&vault), "the old key still opens");
    assert_eq!(vault.rewrap(ring.kek().unwrap()).unwrap(), 1);
    drop(vault);
    let ring = Keyring::open(&keys).unwrap();
    let vault = open(&ring);
    assert!(same(&vault));
    vault.rewrap(ring.kek().unwrap()).unwrap();
    ring.finish_kek().unwrap();
    drop(vault);
    let ring = Keyring::open(&keys).unwrap();
    assert!(!ring.kek_rotation_pending());
    assert!(same(&open(&ring)));
}
