//! Keys and secrets, in a file of their own: tenant root keys, data keys, subject keys, and small sealed entries.
//!
//! Invariants:
//! * A key is durable here before any record uses it.
//! * Destroying a subject leaves nothing of its keys in the file, its free pages or its write-ahead log.
//! * The generation rises with every destruction; the anchor remembers it, so an older copy of this file is noticed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use rusqlite_migration::{M, Migrations};
use uuid::Uuid;

use crate::keys::KeyProvider;
use crate::seal::{self, Key, KeyName, KeyType, SealError, SubjectKeyId};
use crate::sqlite::{self, OpenError};

const MIGRATIONS: &[M<'static>] = &[M::up(include_str!("../../migrations/sqlite/vault/0001_vault.sql"))];

/// Why the vault did not answer.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite said no.
    #[error("vault: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The key-encryption key is not the one that wrapped this, or the row was changed.
    #[error("vault: {what} of ledger {ledger} cannot be opened ({source}); is this the right key-encryption key?")]
    Sealed {
        /// Which key or entry.
        what: &'static str,
        /// Whose.
        ledger: Uuid,
        /// What sealing said.
        source: SealError,
    },
    /// There is no such ledger or key: destroyed, or an older copy of the vault.
    #[error("vault: no {what} of ledger {ledger}; it was destroyed, or this is an older vault")]
    Missing {
        /// Which key.
        what: &'static str,
        /// Whose.
        ledger: Uuid,
    },
}

/// Result of asking the vault.
pub type Answer<T> = Result<T, VaultError>;

/// A small sealed value. `kind` and `lookup` find it; `ledger` and `owner` say whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What sort of value; chosen by the caller.
    pub kind: String,
    /// Usually a hash: what the caller can compute from what it is shown.
    pub lookup: Vec<u8>,
    /// The tenant whose root key seals the value.
    pub ledger: Uuid,
    /// Who or what it belongs to within the tenant.
    pub owner: Uuid,
    /// The value, in the clear here, sealed in the file.
    pub value: Vec<u8>,
    /// Microseconds UTC.
    pub created_us: i64,
    /// Microseconds UTC; the caller decides what has expired.
    pub expires_us: Option<i64>,
}

/// A subject key that was minted in memory.
pub struct NewSubjectKey {
    /// The person.
    pub subject: Uuid,
    /// From 1.
    pub version: u16,
    /// The key.
    pub key: Key,
}

/// The open vault.
pub struct Vault {
    kek: Arc<dyn KeyProvider>,
    connection: Mutex<Connection>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    roots: HashMap<Uuid, Key>,
    data: HashMap<(Uuid, u32), Key>,
    current: HashMap<Uuid, u32>,
    subjects: HashMap<(Uuid, Uuid, u16), Key>,
}

/// Subject keys held in memory before the cache is emptied.
const CACHED_SUBJECTS: usize = 100_000;

impl Vault {
    /// Opens the file or makes it.
    pub fn open(path: &Path, kek: Arc<dyn KeyProvider>) -> Answer<Vault> {
        let connection = sqlite::open(path, &Migrations::from_slice(MIGRATIONS))?;
        connection.execute_batch("PRAGMA secure_delete = ON")?;
        Ok(Vault { kek, connection: Mutex::new(connection), cache: Mutex::default() })
    }

    /// How many destructions there were.
    pub fn generation(&self) -> Answer<u64> {
        let generation: i64 = self.db().query_row("SELECT generation FROM state", [], |row| row.get(0))?;
        Ok(generation as u64)
    }

    // ---- Ledgers

    /// Makes root key and first data key of a ledger; nothing changes if they are there.
    pub fn create_ledger(&self, ledger: Uuid) -> Answer<()> {
        let root = seal::fresh_key();
        let wrapped = self.kek.wrap(root_name(ledger), &root).map_err(sealed("root key", ledger))?;
        let data = wrap(&root, data_name(ledger, 1), &seal::fresh_key());
        self.write(|db| {
            if db.execute("INSERT OR IGNORE INTO root_key VALUES (?1, ?2)", params![ledger.as_bytes(), wrapped])? == 1 {
                db.execute("INSERT INTO data_key VALUES (?1, 1, ?2)", params![ledger.as_bytes(), data])?;
            }
            Ok(())
        })
    }

    /// Adds a data key; records are sealed under it from now on. Returns its epoch.
    pub fn rotate_data_key(&self, ledger: Uuid) -> Answer<u32> {
        let root = self.root(ledger)?;
        let epoch = self.write(|db| {
            let last: i64 =
                db.query_row("SELECT max(epoch) FROM data_key WHERE ledger = ?1", [ledger.as_bytes()], |row| {
                    row.get(0)
                })?;
            let epoch = last as u32 + 1;
            let wrapped = wrap(&root, data_name(ledger, epoch), &seal::fresh_key());
            db.execute("INSERT INTO data_key VALUES (?1, ?2, ?3)", params![ledger.as_bytes(), epoch, wrapped])?;
            Ok(epoch)
        })?;
        self.cache().current.insert(ledger, epoch);
        Ok(epoch)
    }

    /// The data key that seals new records, and its epoch.
    pub fn current_data_key(&self, ledger: Uuid) -> Answer<(u32, Key)> {
        let known = self.cache().current.get(&ledger).copied();
        let epoch = match known {
            Some(epoch) => epoch,
            None => {
                let newest = "SELECT max(epoch) FROM data_key WHERE ledger = ?1";
                let epoch: Option<u32> = self.db().query_row(newest, [ledger.as_bytes()], |row| row.get(0))?;
                let epoch = epoch.ok_or(VaultError::Missing { what: "data key", ledger })?;
                self.cache().current.insert(ledger, epoch);
                epoch
            }
        };
        Ok((epoch, self.data_key(ledger, epoch)?))
    }

    /// The data key of an epoch.
    pub fn data_key(&self, ledger: Uuid, epoch: u32) -> Answer<Key> {
        if let Some(key) = self.cache().data.get(&(ledger, epoch)) {
            return Ok(key.clone());
        }
        let found = self.wrapped(
            "SELECT wrapped FROM data_key WHERE ledger = ?1 AND epoch = ?2",
            params![ledger.as_bytes(), epoch],
        )?;
        let wrapped = found.ok_or(VaultError::Missing { what: "data key", ledger })?;
        let key = seal::unwrap_key(&self.root(ledger)?, data_name(ledger, epoch), &wrapped)
            .map_err(sealed("data key", ledger))?;
        self.cache().data.insert((ledger, epoch), key.clone());
        Ok(key)
    }

    /// Destroys everything of a ledger: no body of it can be read again.
    pub fn destroy_ledger(&self, ledger: Uuid) -> Answer<u64> {
        let id = ledger.as_bytes();
        self.destroy(|db| {
            for table in ["root_key", "data_key", "subject_key", "subject_fact", "entry"] {
                db.execute(&format!("DELETE FROM {table} WHERE ledger = ?1"), [id])?;
            }
            Ok(())
        })
    }

    // ---- People

    /// Makes minted keys durable. Keys that are there already stay.
    pub fn put_subjects(&self, ledger: Uuid, keys: &[NewSubjectKey]) -> Answer<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let root = self.root(ledger)?;
        self.write(|db| {
            for new in keys {
                let wrapped = wrap(&root, subject_name(ledger, new.subject, new.version), &new.key);
                let row = params![ledger.as_bytes(), new.subject.as_bytes(), new.version, wrapped];
                db.execute("INSERT OR IGNORE INTO subject_key VALUES (?1, ?2, ?3, ?4)", row)?;
            }
            Ok(())
        })
    }

    /// A key of a person; `None` if there never was one or it was destroyed.
    pub fn subject_key(&self, ledger: Uuid, subject: Uuid, version: u16) -> Answer<Option<Key>> {
        if let Some(key) = self.cache().subjects.get(&(ledger, subject, version)) {
            return Ok(Some(key.clone()));
        }
        let sql = "SELECT wrapped FROM subject_key WHERE ledger = ?1 AND subject = ?2 AND version = ?3";
        let found = self.wrapped(sql, params![ledger.as_bytes(), subject.as_bytes(), version])?;
        let Some(wrapped) = found else { return Ok(None) };
        let key = seal::unwrap_key(&self.root(ledger)?, subject_name(ledger, subject, version), &wrapped)
            .map_err(sealed("subject key", ledger))?;
        let mut cache = self.cache();
        if cache.subjects.len() >= CACHED_SUBJECTS {
            cache.subjects.clear();
        }
        cache.subjects.insert((ledger, subject, version), key.clone());
        Ok(Some(key))
    }

    /// The newest key of a person, with its version.
    pub fn newest_subject_key(&self, ledger: Uuid, subject: Uuid) -> Answer<Option<(u16, Key)>> {
        let sql = "SELECT max(version) FROM subject_key WHERE ledger = ?1 AND subject = ?2";
        let version: Option<u16> =
            self.db().query_row(sql, params![ledger.as_bytes(), subject.as_bytes()], |row| row.get(0))?;
        let Some(version) = version else { return Ok(None) };
        Ok(self.subject_key(ledger, subject, version)?.map(|key| (version, key)))
    }

    /// The person behind a personal fact, made if there is none: durable when this returns, one id for one fact for ever.
    pub fn subject_for(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<Uuid> {
        let fingerprint = self.fingerprint(ledger, namespace, fact)?;
        if let Some(subject) = self.subject_of(ledger, fingerprint)? {
            return Ok(subject);
        }
        let fresh = fresh_id();
        let insert = "INSERT OR IGNORE INTO subject_fact VALUES (?1, ?2, ?3)";
        self.write(|db| Ok(db.execute(insert, params![ledger.as_bytes(), fingerprint.as_bytes(), fresh.as_bytes()])?))?;
        self.subject_of(ledger, fingerprint)?.ok_or(VaultError::Missing { what: "subject", ledger })
    }

    /// The person behind a personal fact, if there is one.
    pub fn find_subject(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<Option<Uuid>> {
        self.subject_of(ledger, self.fingerprint(ledger, namespace, fact)?)
    }

    fn subject_of(&self, ledger: Uuid, fingerprint: Uuid) -> Answer<Option<Uuid>> {
        let sql = "SELECT subject FROM subject_fact WHERE ledger = ?1 AND fingerprint = ?2";
        let found = self.db().query_row(sql, params![ledger.as_bytes(), fingerprint.as_bytes()], |row| id_at(row, 0));
        Ok(found.optional()?)
    }

    /// The stream id of a fact that is not personal.
    pub fn fingerprint(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<Uuid> {
        Ok(seal::fingerprint(&self.root(ledger)?, ledger, namespace, fact))
    }

    /// The append id of a command that came with an Idempotency-Key.
    pub fn append_id(&self, ledger: Uuid, principal: Uuid, command: &str, idempotency_key: &str) -> Answer<Uuid> {
        Ok(seal::append_id(&self.root(ledger)?, ledger, principal, command, idempotency_key))
    }

    /// Destroys a person's keys, facts and entries. Returns the vault's new generation.
    pub fn erase_subject(&self, ledger: Uuid, subject: Uuid) -> Answer<u64> {
        let row = [ledger.as_bytes(), subject.as_bytes()];
        self.destroy(|db| {
            db.execute("DELETE FROM subject_key WHERE ledger = ?1 AND subject = ?2", row)?;
            db.execute("DELETE FROM subject_fact WHERE ledger = ?1 AND subject = ?2", row)?;
            db.execute("DELETE FROM entry WHERE ledger = ?1 AND owner = ?2", row)?;
            Ok(())
        })
    }

    // ---- Entries

    /// Stores entries, all or none; one with the same kind and lookup is replaced.
    pub fn put(&self, entries: &[Entry]) -> Answer<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let sealed = entries.iter().map(|entry| self.seal_entry(entry)).collect::<Answer<Vec<_>>>()?;
        self.write(|db| {
            for (entry, value) in entries.iter().zip(&sealed) {
                insert_entry(db, "INSERT OR REPLACE", entry, value)?;
            }
            Ok(())
        })
    }

    /// Stores an entry unless one with the same kind and lookup is there. False: nothing was stored.
    pub fn put_new(&self, entry: &Entry) -> Answer<bool> {
        let value = self.seal_entry(entry)?;
        self.write(|db| Ok(insert_entry(db, "INSERT OR IGNORE", entry, &value)? == 1))
    }

    /// The entry with this kind and lookup.
    pub fn get(&self, kind: &str, lookup: &[u8]) -> Answer<Option<Entry>> {
        let sql = "SELECT kind, lookup, ledger, owner, value, created_us, expires_us FROM entry
                   WHERE kind = ?1 AND lookup = ?2";
        let found = self.db().prepare_cached(sql)?.query_row(params![kind, lookup], entry_at).optional()?;
        found.map(|entry| self.open_entry(entry)).transpose()
    }

    /// Entries of a kind in a ledger, of one owner or of all, oldest first.
    pub fn list(&self, kind: &str, ledger: Uuid, owner: Option<Uuid>) -> Answer<Vec<Entry>> {
        let found = {
            let db = self.db();
            let sql = "SELECT kind, lookup, ledger, owner, value, created_us, expires_us FROM entry
                       WHERE ledger = ?1 AND kind = ?2 AND (?3 IS NULL OR owner = ?3) ORDER BY created_us, lookup";
            let owner = owner.map(|o| *o.as_bytes());
            let mut statement = db.prepare_cached(sql)?;
            statement.query_map(params![ledger.as_bytes(), kind, owner], entry_at)?.collect::<Result<Vec<_>, _>>()?
        };
        found.into_iter().map(|entry| self.open_entry(entry)).collect()
    }

    /// Removes an entry. False: it was not there, so somebody else was first.
    pub fn delete(&self, kind: &str, lookup: &[u8]) -> Answer<bool> {
        self.write(
            |db| Ok(db.execute("DELETE FROM entry WHERE kind = ?1 AND lookup = ?2", params![kind, lookup])? == 1),
        )
    }

    /// Gives an entry and removes it; of two callers at once, one gets it.
    pub fn take(&self, kind: &str, lookup: &[u8]) -> Answer<Option<Entry>> {
        let Some(entry) = self.get(kind, lookup)? else { return Ok(None) };
        Ok(self.delete(kind, lookup)?.then_some(entry))
    }

    /// Removes an owner's entries of a kind; returns how many there were.
    pub fn delete_owned(&self, ledger: Uuid, owner: Uuid, kind: &str) -> Answer<usize> {
        let sql = "DELETE FROM entry WHERE ledger = ?1 AND owner = ?2 AND kind = ?3";
        self.write(|db| Ok(db.execute(sql, params![ledger.as_bytes(), owner.as_bytes(), kind])?))
    }

    fn seal_entry(&self, entry: &Entry) -> Answer<Vec<u8>> {
        let key = self.entry_key(entry.ledger, &entry.kind)?;
        let id = SubjectKeyId { ledger: entry.ledger, subject: entry.owner, version: 0 };
        seal::seal_value(&key, id, &seal::fresh_salt(), &entry.value).map_err(sealed("entry", entry.ledger))
    }

    fn open_entry(&self, mut entry: Entry) -> Answer<Entry> {
        let key = self.entry_key(entry.ledger, &entry.kind)?;
        let id = SubjectKeyId { ledger: entry.ledger, subject: entry.owner, version: 0 };
        entry.value = seal::open_value(&key, id, &entry.value).map_err(sealed("entry", entry.ledger))?;
        Ok(entry)
    }

    fn entry_key(&self, ledger: Uuid, kind: &str) -> Answer<Key> {
        Ok(seal::kdf(&self.root(ledger)?, "keiin/v1/entry", &[kind.as_bytes()]))
    }

    // ---- The key-encryption key

    /// Wraps every root key again under the provider's current key: one row a tenant.
    pub fn rewrap(&self, kek: &dyn KeyProvider) -> Answer<usize> {
        let ledgers: Vec<Uuid> = {
            let db = self.db();
            let mut statement = db.prepare("SELECT ledger FROM root_key")?;
            statement.query_map([], |row| id_at(row, 0))?.collect::<Result<_, _>>()?
        };
        let mut rows = vec![];
        for ledger in ledgers {
            let wrapped = kek.wrap(root_name(ledger), &self.root(ledger)?).map_err(sealed("root key", ledger))?;
            rows.push((ledger, wrapped));
        }
        // What the old key had wrapped must not stay readable in free pages.
        self.scrubbed(|db| {
            for (ledger, wrapped) in &rows {
                db.execute("UPDATE root_key SET wrapped = ?2 WHERE ledger = ?1", params![ledger.as_bytes(), wrapped])?;
            }
            Ok(())
        })?;
        Ok(rows.len())
    }

    // ---- Ways in

    fn root(&self, ledger: Uuid) -> Answer<Key> {
        if let Some(key) = self.cache().roots.get(&ledger) {
            return Ok(key.clone());
        }
        let found = self.wrapped("SELECT wrapped FROM root_key WHERE ledger = ?1", params![ledger.as_bytes()])?;
        let wrapped = found.ok_or(VaultError::Missing { what: "root key", ledger })?;
        let key = self.kek.unwrap(root_name(ledger), &wrapped).map_err(sealed("root key", ledger))?;
        self.cache().roots.insert(ledger, key.clone());
        Ok(key)
    }

    fn wrapped(&self, sql: &str, key: &[&dyn rusqlite::ToSql]) -> Answer<Option<Vec<u8>>> {
        Ok(self.db().prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?)
    }

    fn write<T>(&self, change: impl FnOnce(&Transaction) -> Answer<T>) -> Answer<T> {
        let mut db = self.db();
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }

    /// A change after which nothing of what it removed may be left anywhere in the file's surroundings.
    fn scrubbed<T>(&self, change: impl FnOnce(&Transaction) -> Answer<T>) -> Answer<T> {
        let answer = self.write(change)?;
        // Nobody reads this file for longer than a moment, so the write-ahead log can be emptied at once.
        sqlite::checkpoint(&self.db(), "TRUNCATE")?;
        Ok(answer)
    }

    fn destroy(&self, change: impl FnOnce(&Transaction) -> Answer<()>) -> Answer<u64> {
        let answer = self.scrubbed(|db| {
            change(db)?;
            let raise = "UPDATE state SET generation = generation + 1 RETURNING generation";
            Ok(db.query_row(raise, [], |row| row.get::<_, i64>(0))? as u64)
        });
        *self.cache() = Cache::default();
        answer
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn root_name(ledger: Uuid) -> KeyName {
    KeyName { key_type: KeyType::TenantRoot, ledger, id: Uuid::nil(), version: 0 }
}

fn data_name(ledger: Uuid, epoch: u32) -> KeyName {
    KeyName { key_type: KeyType::Data, ledger, id: Uuid::nil(), version: epoch }
}

fn subject_name(ledger: Uuid, subject: Uuid, version: u16) -> KeyName {
    KeyName { key_type: KeyType::Subject, ledger, id: subject, version: u32::from(version) }
}

fn wrap(parent: &Key, name: KeyName, key: &Key) -> Vec<u8> {
    seal::wrap_key(parent, name, &seal::fresh_nonce(), key).to_vec()
}

fn sealed(what: &'static str, ledger: Uuid) -> impl FnOnce(SealError) -> VaultError {
    move |source| VaultError::Sealed { what, ledger, source }
}

fn insert_entry(db: &Transaction, verb: &str, entry: &Entry, value: &[u8]) -> rusqlite::Result<usize> {
    let sql = format!("{verb} INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    db.execute(
        &sql,
        params![
            entry.kind,
            entry.lookup,
            entry.ledger.as_bytes(),
            entry.owner.as_bytes(),
            value,
            entry.created_us,
            entry.expires_us
        ],
    )
}

fn entry_at(row: &Row) -> rusqlite::Result<Entry> {
    Ok(Entry {
        kind: row.get(0)?,
        lookup: row.get(1)?,
        ledger: id_at(row, 2)?,
        owner: id_at(row, 3)?,
        value: row.get(4)?,
        created_us: row.get(5)?,
        expires_us: row.get(6)?,
    })
}

fn id_at(row: &Row, at: usize) -> rusqlite::Result<Uuid> {
    row.get::<_, [u8; 16]>(at).map(Uuid::from_bytes)
}

/// A random (version 4) id: a subject must not tell when the person was first seen.
fn fresh_id() -> Uuid {
    let key = seal::fresh_key();
    let bytes: [u8; 16] = key.expose()[..16].try_into().expect("16 of 32 bytes");
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::FileKek;

    fn vault(dir: &Path) -> Vault {
        Vault::open(&dir.join("vault.db"), Arc::new(FileKek::new(Key::new([7; 32])))).unwrap()
    }

    fn entry(ledger: Uuid, owner: Uuid) -> Entry {
        let (kind, lookup, value) = ("link".to_owned(), vec![1; 32], b"canary-value".to_vec());
        Entry { kind, lookup, ledger, owner, value, created_us: 1, expires_us: Some(2) }
    }

    #[test]
    fn keys_survive_a_restart_and_a_new_key_encryption_key() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Uuid::from_u128(1);
        let before = {
            let vault = vault(dir.path());
            vault.create_ledger(ledger).unwrap();
            vault.create_ledger(ledger).unwrap();
            assert_eq!(vault.rotate_data_key(ledger).unwrap(), 2);
            vault.rewrap(&FileKek::new(Key::new([8; 32]))).unwrap();
            *vault.current_data_key(ledger).unwrap().1.expose()
        };
        assert!(matches!(vault(dir.path()).data_key(ledger, 2), Err(VaultError::Sealed { .. })));
        let new = Vault::open(&dir.path().join("vault.db"), Arc::new(FileKek::new(Key::new([8; 32])))).unwrap();
        assert_eq!(*new.data_key(ledger, 2).unwrap().expose(), before);
    }

    #[test]
    fn one_fact_leads_to_one_person_until_they_are_erased() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, ledger) = (vault(dir.path()), Uuid::from_u128(1));
        vault.create_ledger(ledger).unwrap();
        let subject = vault.subject_for(ledger, "member", "a@b.jp").unwrap();
        assert_eq!(vault.subject_for(ledger, "member", "a@b.jp").unwrap(), subject);
        assert_ne!(vault.subject_for(ledger, "contact", "a@b.jp").unwrap(), subject);
        vault.put_subjects(ledger, &[NewSubjectKey { subject, version: 1, key: Key::new([3; 32]) }]).unwrap();
        vault.put(&[entry(ledger, subject)]).unwrap();
        let wrapped: Vec<u8> = vault.db().query_row("SELECT wrapped FROM subject_key", [], |r| r.get(0)).unwrap();
        let in_files = |needle: &[u8]| {
            let files = std::fs::read_dir(dir.path()).unwrap();
            let bytes: Vec<u8> = files.flat_map(|f| std::fs::read(f.unwrap().path()).unwrap()).collect();
            bytes.windows(needle.len()).any(|w| w == needle)
        };
        assert!(in_files(&wrapped), "the search must be able to find it");
        assert!(!in_files(b"canary-value"), "entries are sealed");

        assert_eq!(vault.erase_subject(ledger, subject).unwrap(), 1);
        assert_eq!(vault.generation().unwrap(), 1);
        assert!(vault.subject_key(ledger, subject, 1).unwrap().is_none());
        assert!(vault.get("link", &[1; 32]).unwrap().is_none());
        assert!(!in_files(&wrapped));
        assert_ne!(vault.subject_for(ledger, "member", "a@b.jp").unwrap(), subject);
    }

    #[test]
    fn of_two_that_take_one_entry_one_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, ledger) = (vault(dir.path()), Uuid::from_u128(1));
        vault.create_ledger(ledger).unwrap();
        assert!(vault.put_new(&entry(ledger, Uuid::from_u128(2))).unwrap());
        assert!(!vault.put_new(&entry(ledger, Uuid::from_u128(3))).unwrap());
        let won = std::thread::scope(|s| {
            let takers: Vec<_> = (0..8).map(|_| s.spawn(|| vault.take("link", &[1; 32]).unwrap())).collect();
            takers.into_iter().filter_map(|t| t.join().unwrap()).count()
        });
        assert_eq!(won, 1);
    }
}
