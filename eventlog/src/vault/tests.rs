//! The vault on a real file: restarts, single use, erasure down to the bytes.

use std::sync::Arc;

use uuid::Uuid;

use super::{Entry, NewSubjectKey, Vault, VaultError};
use crate::kept::Place;
use crate::keys::FileKek;
use crate::postgres::Address;
use crate::seal::{BodyKey, Key};
use crate::sql::{Scope, SqlError, Tx};
use crate::values;

const LEDGER: Uuid = Uuid::from_u128(7);

fn kek(seed: u8) -> Arc<FileKek> {
    Arc::new(FileKek::new(Key::new([seed; 32])))
}

struct Dir(std::path::PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("keiin-vault-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    fn open(&self, seed: u8) -> Vault {
        Vault::open(&self.0.join("vault.db"), kek(seed)).unwrap()
    }

    /// Is this anywhere in the vault's files?
    fn holds(&self, needle: &[u8]) -> bool {
        let files = std::fs::read_dir(&self.0).unwrap();
        files.into_iter().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn entry(lookup: &str, owner: Uuid, value: &str) -> Entry {
    Entry {
        kind: "thing".into(),
        lookup: lookup.as_bytes().to_vec(),
        ledger: LEDGER,
        owner,
        value: value.as_bytes().to_vec(),
        created_us: 5,
        expires_us: Some(10),
    }
}

/// Two keys are the same if they give the same secrets.
fn secret(key: &BodyKey) -> [u8; 32] {
    *key.record_secret(&[0; 16]).expose()
}

#[test]
fn keys_are_there_again_after_a_restart() {
    let dir = Dir::new("restart");
    let vault = dir.open(1);
    assert!(matches!(vault.current_body_key(LEDGER), Err(VaultError::NoKeys(_))));
    for ledger in [LEDGER, Uuid::nil()] {
        vault.create_ledger(ledger).unwrap();
        vault.create_ledger(ledger).unwrap();
    }
    let first = vault.current_body_key(LEDGER).unwrap();
    assert_eq!((first.epoch(), vault.rotate_data_key(LEDGER).unwrap()), (1, 2));
    let second = vault.current_body_key(LEDGER).unwrap();
    assert!(second.epoch() == 2 && secret(&first) != secret(&second));
    let person = vault.subject_for(LEDGER, "mail", "a@example.jp").unwrap();
    let append = vault.append_id(LEDGER, person, "invite", "k").unwrap();
    drop(vault);

    let vault = dir.open(1);
    assert_eq!(secret(&vault.body_key(LEDGER, 1).unwrap()), secret(&first));
    assert_eq!(secret(&vault.current_body_key(LEDGER).unwrap()), secret(&second));
    assert_eq!(vault.subject_for(LEDGER, "mail", "a@example.jp").unwrap(), person);
    assert_eq!(vault.find_subject(LEDGER, "mail", "a@example.jp").unwrap(), Some(person));
    assert_eq!(vault.find_subject(Uuid::nil(), "mail", "a@example.jp").unwrap(), None);
    assert_eq!(vault.append_id(LEDGER, person, "invite", "k").unwrap(), append);
    drop(vault);
    assert!(matches!(dir.open(2).current_body_key(LEDGER), Err(VaultError::Sealed(_))));
}

#[test]
fn minted_keys_may_be_put_again_but_not_replaced() {
    let dir = Dir::new("mint");
    let vault = dir.open(1);
    vault.create_ledger(LEDGER).unwrap();
    let minted = [NewSubjectKey::mint(), NewSubjectKey::mint()];
    vault.put_subjects(LEDGER, &minted).unwrap();
    vault.put_subjects(LEDGER, &minted).unwrap();
    let other = NewSubjectKey { key: NewSubjectKey::mint().key, ..minted[0].clone() };
    assert!(matches!(vault.put_subjects(LEDGER, &[NewSubjectKey::mint(), other]), Err(VaultError::Exists(_))));
    let newest = vault.newest_subject_key(LEDGER, minted[1].subject).unwrap().unwrap();
    assert_eq!((newest.0, newest.1.expose()), (1, minted[1].key.expose()));
}

#[test]
fn what_may_be_used_once_is_taken_once() {
    let dir = Dir::new("take");
    let vault = dir.open(1);
    vault.create_ledger(LEDGER).unwrap();
    let owner = Uuid::from_u128(3);
    let token = entry("hash", owner, "canary value");
    vault.put(std::slice::from_ref(&token)).unwrap();
    assert!(!dir.holds(b"canary value"));
    assert_eq!(vault.get("thing", b"hash").unwrap().as_ref(), Some(&token));
    assert_eq!(vault.get("other", b"hash").unwrap(), None);
    assert_eq!(vault.take("thing", b"hash").unwrap(), Some(token));
    assert_eq!(vault.take("thing", b"hash").unwrap(), None);
    for n in ["a", "b", "c"] {
        vault.put(&[entry(n, if n == "c" { Uuid::from_u128(4) } else { owner }, n)]).unwrap();
    }
    assert_eq!(vault.list("thing", LEDGER, None).unwrap().len(), 3);
    assert_eq!(vault.list("thing", LEDGER, Some(owner)).unwrap().len(), 2);
    assert_eq!(vault.delete_owned(LEDGER, owner, "thing").unwrap(), 2);
    assert!(!vault.delete("thing", b"a").unwrap());
    assert_eq!((vault.purge_expired(9).unwrap(), vault.purge_expired(10).unwrap()), (0, 1));
}

/// A copied row, as somebody with the file but without keys could make one, does not open.
#[test]
fn an_entry_cannot_be_given_to_another_owner() {
    let dir = Dir::new("moved");
    let vault = dir.open(1);
    vault.create_ledger(LEDGER).unwrap();
    vault.put(&[entry("hash", Uuid::from_u128(3), "v")]).unwrap();
    let stolen = values![Uuid::from_u128(4)];
    vault.db().unwrap().kept.write(Scope::All, |tx| tx.execute("UPDATE entry SET owner = $1", &stolen)).unwrap();
    assert!(matches!(vault.get("thing", b"hash"), Err(VaultError::Sealed(_))));
}

#[test]
fn erased_is_in_no_byte_of_the_files() {
    let dir = Dir::new("erase");
    let vault = dir.open(1);
    vault.create_ledger(LEDGER).unwrap();
    let people: Vec<Uuid> =
        (0..400).map(|n| vault.subject_for(LEDGER, "mail", &format!("{n}@example.jp")).unwrap()).collect();
    for (n, person) in people.iter().enumerate() {
        vault.put(&[entry(&format!("lookup {n:05}"), *person, &"v".repeat(n))]).unwrap();
    }
    let victims = [people[0], people[57], people[399]];
    let mut needles = vec![b"lookup 00057".to_vec()];
    for victim in victims {
        let read = "SELECT wrapped FROM subject_key WHERE subject = $1 UNION SELECT value FROM entry WHERE owner = $1
                    UNION SELECT fingerprint FROM fingerprint WHERE subject = $1";
        let rows = vault.db().unwrap().kept.query(Scope::All, read, &values![victim]).unwrap();
        needles.extend(rows.iter().map(|row| row.get::<Vec<u8>>(0).unwrap()));
    }
    assert_eq!(needles.len(), 10);
    assert!(needles.iter().all(|needle| dir.holds(needle)), "the search finds what is there");
    for victim in victims {
        vault.erase_subject(LEDGER, victim).unwrap();
    }
    assert!(!needles.iter().any(|needle| dir.holds(needle)), "something erased was found");
    assert_eq!(vault.generation().unwrap(), 3);
    assert!(vault.subject_key(LEDGER, people[57], 1).unwrap().is_none());
    assert_eq!(vault.find_subject(LEDGER, "mail", "57@example.jp").unwrap(), None);
    assert!(vault.find_subject(LEDGER, "mail", "58@example.jp").unwrap().is_some());
    let again = NewSubjectKey { subject: people[57], ..NewSubjectKey::mint() };
    assert!(matches!(vault.put_subjects(LEDGER, &[again]), Err(VaultError::Erased(_))));
}

/// Killed after the erasure was durable and before the file was written anew.
#[test]
fn an_interrupted_erasure_is_finished_at_the_next_start() {
    let dir = Dir::new("interrupted");
    let vault = dir.open(1);
    vault.create_ledger(LEDGER).unwrap();
    vault.put(&[entry("canary lookup", Uuid::from_u128(3), "v")]).unwrap();
    let interrupted = |tx: &mut Tx<'_>| {
        tx.execute("UPDATE vault SET wipe_due = 1", &[])?;
        tx.execute("DELETE FROM entry", &[])
    };
    vault.db().unwrap().kept.write::<_, SqlError>(Scope::All, interrupted).unwrap();
    assert!(dir.holds(b"canary lookup"), "still in the write-ahead log");
    drop(vault);
    let vault = dir.open(1);
    assert!(!dir.holds(b"canary lookup"));
    let due = vault.db().unwrap().kept.row(Scope::All, "SELECT wipe_due FROM vault", &[]).unwrap().unwrap();
    assert_eq!(due.get::<i64>(0), Ok(0));
}

#[test]
fn a_destroyed_ledger_has_no_keys_and_the_others_have() {
    let dir = Dir::new("destroy");
    let vault = dir.open(1);
    let other = Uuid::from_u128(8);
    for ledger in [LEDGER, other] {
        vault.create_ledger(ledger).unwrap();
    }
    let root = vault.db().unwrap().wrapped_root(LEDGER).unwrap().unwrap();
    assert!(dir.holds(&root));
    vault.destroy_ledger(LEDGER).unwrap();
    assert!(!dir.holds(&root));
    assert!(matches!(vault.body_key(LEDGER, 1), Err(VaultError::NoKeys(_))));
    vault.body_key(other, 1).unwrap();
}

#[test]
fn another_key_encryption_key_takes_over() {
    let dir = Dir::new("rewrap");
    let vault = dir.open(1);
    vault.create_ledger(LEDGER).unwrap();
    let before = vault.db().unwrap().wrapped_root(LEDGER).unwrap().unwrap();
    let key = vault.body_key(LEDGER, 1).unwrap();
    vault.rewrap(kek(2)).unwrap();
    assert!(!dir.holds(&before));
    drop(vault);
    assert!(dir.open(1).body_key(LEDGER, 1).is_err());
    assert_eq!(secret(&dir.open(2).body_key(LEDGER, 1).unwrap()), secret(&key));
}

/// The vault of two nodes: what one does, the other knows.
#[test]
fn two_nodes_share_a_vault() {
    let address = Address::parse(&keiin_test_postgres::Server::shared().database()).unwrap();
    let open = || Vault::open(Place::Postgres(address.clone()), kek(1)).unwrap();
    let nodes = [open(), open()];
    std::thread::scope(|scope| nodes.iter().for_each(|node| _ = scope.spawn(|| node.create_ledger(LEDGER).unwrap())));
    let [a, b] = &nodes;
    assert_eq!(secret(&a.body_key(LEDGER, 1).unwrap()), secret(&b.body_key(LEDGER, 1).unwrap()));
    assert_eq!(a.rotate_data_key(LEDGER).unwrap(), 2);
    assert_eq!(secret(&b.body_key(LEDGER, 2).unwrap()), secret(&a.body_key(LEDGER, 2).unwrap()));

    // One fact leads to one person, whoever asks first.
    let found = std::sync::Mutex::new(std::collections::BTreeSet::new());
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (node, found) = (&nodes[n % 2], &found);
            scope.spawn(move || {
                let person = node.subject_for(LEDGER, "mail", "a@example.jp").unwrap();
                found.lock().unwrap().insert(person);
            });
        }
    });
    let people = found.into_inner().unwrap();
    assert_eq!(people.len(), 1);
    let person = people.into_iter().next().unwrap();

    // What may be used once is used once.
    a.put(&[entry("once", person, "v")]).unwrap();
    let taken = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..16)
            .map(|n| {
                scope.spawn({
                    let node = &nodes[n % 2];
                    move || node.take("thing", b"once").unwrap()
                })
            })
            .collect();
        takers.into_iter().filter_map(|taker| taker.join().unwrap()).count()
    });
    assert_eq!(taken, 1);

    // An erasure reaches the keys that the other node holds in memory, as soon as it asks for the generation.
    assert!(b.subject_key(LEDGER, person, 1).unwrap().is_some());
    assert_eq!((a.erase_subject(LEDGER, person).unwrap(), b.generation().unwrap()), (1, 1));
    assert!(b.subject_key(LEDGER, person, 1).unwrap().is_none());
    let again = NewSubjectKey { subject: person, ..NewSubjectKey::mint() };
    assert!(matches!(b.put_subjects(LEDGER, &[again]), Err(VaultError::Erased(_))));
    a.destroy_ledger(LEDGER).unwrap();
    b.generation().unwrap();
    assert!(matches!(b.body_key(LEDGER, 1), Err(VaultError::NoKeys(_))));
}
