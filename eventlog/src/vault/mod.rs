//! Keys and secrets, in a file apart from the log.
//!
//! The deployment's key (a [`KeyProvider`]) wraps one root key per tenant; the root wraps data keys (by epoch) and the
//! keys of persons (subjects), and what is sealed here is sealed under keys derived from it. Destroying a root ends a
//! tenant, destroying a subject's keys ends what was sealed for that person.
//!
//! Invariants:
//! * What a call made is on stable storage when it returns: a key is durable before any record uses it.
//! * What was erased is in no page, free page or write-ahead log of the file afterwards.
//! * A failed write stops the vault: everything is refused until a restart.
//!
//! The calls block on the disk; async callers use a blocking thread for those that write.

mod entries;
mod subjects;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rusqlite_migration::{M, Migrations};
use uuid::Uuid;

pub use self::entries::Entry;
pub use self::subjects::NewSubjectKey;
use crate::keys::KeyProvider;
use crate::seal::{self, Key, KeyName, KeyType, SealError};
use crate::sqlite::{self, OpenError, is_busy, is_full};

const STEPS: &[M<'_>] = &[M::up(include_str!("../../../migrations/sqlite/vault/0001_vault.sql"))];
/// Writes after which the write-ahead log is moved into the file.
const CHECKPOINT_WRITES: usize = 200;
/// Most unwrapped data keys kept in memory.
const HOT_KEYS: usize = 20_000;

/// Why the vault did not answer.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The tenant has no root key: never made, or destroyed.
    #[error("ledger {0} has no keys: it was never created here, or its keys were destroyed")]
    NoKeys(Uuid),
    /// The person's keys were destroyed; they cannot be made again.
    #[error("the keys of subject {0} were destroyed")]
    Erased(Uuid),
    /// Another key stands there already.
    #[error("subject {0} has another key of this version")]
    Exists(Uuid),
    /// A wrapped key or sealed value does not open.
    #[error("the vault does not open ({0}); is this the key-encryption key (keys/kek) it was written with?")]
    Sealed(#[from] SealError),
    /// Nothing was written; the same call may succeed later.
    #[error("no room for the vault; free space on its disk")]
    Full,
    /// Nothing was written; the same call may succeed later.
    #[error("the vault is in use by another process; try again")]
    Busy,
    /// A write failed: it may be durable or not.
    #[error("the vault has stopped after a failed write ({0}); restart the server")]
    Stopped(String),
    /// Reading failed.
    #[error("vault: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for VaultError {
    fn from(error: rusqlite::Error) -> VaultError {
        VaultError::Sqlite(error)
    }
}

/// Result of a call.
pub type Answer<T> = Result<T, VaultError>;

/// The opened vault.
pub struct Vault {
    kek: RwLock<Arc<dyn KeyProvider>>,
    // Locked before `hot` where both are.
    db: Mutex<Db>,
    hot: Mutex<Hot>,
}

/// The file and its one writer.
struct Db {
    conn: Connection,
    writes: usize,
    stopped: Option<String>,
}

/// Unwrapped keys, so that sealing and opening ask the disk rarely and never wait for a write. They wipe themselves.
#[derive(Default)]
struct Hot {
    roots: HashMap<Uuid, Key>,
    epochs: HashMap<Uuid, u32>,
    data: HashMap<(Uuid, u32), Key>,
    subjects: HashMap<(Uuid, Uuid, u16), Key>,
}

impl Vault {
    /// Opens or makes the file for its one writer.
    pub fn open(path: &Path, kek: Arc<dyn KeyProvider>) -> Result<Vault, OpenError> {
        let conn = sqlite::open(path, &Migrations::from_slice(STEPS))?;
        let at = |source| OpenError::Sqlite { path: path.display().to_string(), source };
        let secure: i64 = conn.query_row("PRAGMA secure_delete = ON", [], |row| row.get(0)).map_err(at)?;
        if secure != 1 {
            let reason = "this SQLite does not overwrite what it deletes".to_owned();
            return Err(OpenError::Unfit { path: path.display().to_string(), reason });
        }
        let wipe_due: bool = conn.query_row("SELECT wipe_due FROM vault", [], |row| row.get(0)).map_err(at)?;
        let vault = Vault::with(conn, kek);
        if wipe_due {
            let wiped = vault.db().and_then(|mut db| db.wipe());
            wiped.map_err(|e| OpenError::Unfit { path: path.display().to_string(), reason: e.to_string() })?;
        }
        Ok(vault)
    }

    /// Opens an existing file for reading, beside a process that writes.
    pub fn open_reader(path: &Path, kek: Arc<dyn KeyProvider>) -> Result<Vault, OpenError> {
        Ok(Vault::with(sqlite::open_reader(path)?, kek))
    }

    fn with(conn: Connection, kek: Arc<dyn KeyProvider>) -> Vault {
        let db = Mutex::new(Db { conn, writes: 0, stopped: None });
        Vault { kek: RwLock::new(kek), db, hot: Mutex::default() }
    }

    fn db(&self) -> Answer<MutexGuard<'_, Db>> {
        let db = self.db.lock().unwrap_or_else(|e| e.into_inner());
        match &db.stopped {
            Some(reason) => Err(VaultError::Stopped(reason.clone())),
            None => Ok(db),
        }
    }

    fn hot(&self) -> MutexGuard<'_, Hot> {
        self.hot.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn kek(&self) -> Arc<dyn KeyProvider> {
        self.kek.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Raised by every erasure. A vault with a lower generation than the anchor remembers is an old copy.
    pub fn generation(&self) -> Answer<u64> {
        Ok(generation(&self.db()?.conn)?)
    }

    /// Makes the root key and the first data key of a ledger; what is there stays.
    pub fn create_ledger(&self, ledger: Uuid) -> Answer<()> {
        let mut db = self.db()?;
        if db.wrapped_root(ledger)?.is_some() {
            return Ok(());
        }
        let root = seal::fresh_key();
        let root_wrapped = self.kek().wrap(root_name(ledger), &root)?;
        let data_wrapped = wrap(&root, data_name(ledger, 1), &seal::fresh_key());
        db.write(|tx| {
            let insert = "INSERT INTO tenant_root (ledger, wrapped) VALUES (?1, ?2)";
            tx.execute(insert, params![ledger.as_bytes(), root_wrapped])?;
            insert_data_key(tx, ledger, 1, &data_wrapped)
        })
    }

    /// Does this ledger have keys here?
    pub fn has_ledger(&self, ledger: Uuid) -> Answer<bool> {
        Ok(self.db()?.wrapped_root(ledger)?.is_some())
    }

    /// The newest data key and its epoch: what seals bodies now.
    pub fn current_data_key(&self, ledger: Uuid) -> Answer<(u32, Key)> {
        let known = self.hot().epochs.get(&ledger).copied();
        let epoch = match known {
            Some(epoch) => epoch,
            None => {
                let db = self.db()?;
                let epoch = db.newest_epoch(ledger)?;
                self.hot().epochs.insert(ledger, epoch);
                epoch
            }
        };
        Ok((epoch, self.data_key(ledger, epoch)?))
    }

    /// The data key of an epoch: what opens bodies of that epoch.
    pub fn data_key(&self, ledger: Uuid, epoch: u32) -> Answer<Key> {
        if let Some(key) = self.hot().data.get(&(ledger, epoch)) {
            return Ok(key.clone());
        }
        let db = self.db()?;
        let root = self.root(&db, ledger)?;
        let mut query = db.conn.prepare_cached("SELECT wrapped FROM data_key WHERE ledger = ?1 AND epoch = ?2")?;
        let wrapped: Option<Vec<u8>> =
            query.query_row(params![ledger.as_bytes(), epoch], |row| row.get(0)).optional()?;
        let wrapped = wrapped.ok_or(VaultError::NoKeys(ledger))?;
        let key = seal::unwrap_key(&root, data_name(ledger, epoch), &wrapped)?;
        let mut hot = self.hot();
        hot.keep_bounded();
        hot.data.insert((ledger, epoch), key.clone());
        Ok(key)
    }

    /// Makes the next data key and answers its epoch. Older ones stay, for reading.
    pub fn rotate_data_key(&self, ledger: Uuid) -> Answer<u32> {
        let mut db = self.db()?;
        let epoch = db.newest_epoch(ledger)? + 1;
        let wrapped = wrap(&self.root(&db, ledger)?, data_name(ledger, epoch), &seal::fresh_key());
        db.write(|tx| insert_data_key(tx, ledger, epoch, &wrapped))?;
        self.hot().epochs.insert(ledger, epoch);
        Ok(epoch)
    }

    /// The stream id of a unique fact (see [`seal::fingerprint`]).
    pub fn fingerprint(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<Uuid> {
        Ok(seal::fingerprint(&self.hot_root(ledger)?, ledger, namespace, fact))
    }

    /// The append id of a command with an Idempotency-Key (see [`seal::append_id`]).
    pub fn append_id(&self, ledger: Uuid, principal: Uuid, command: &str, idempotency_key: &str) -> Answer<Uuid> {
        Ok(seal::append_id(&self.hot_root(ledger)?, ledger, principal, command, idempotency_key))
    }

    /// Destroys every key and entry of a ledger, and answers the new generation. Its records stay and verify; nobody
    /// reads them again.
    pub fn destroy_ledger(&self, ledger: Uuid) -> Answer<u64> {
        self.destroy(|tx| {
            for table in ["tenant_root", "data_key", "subject_key", "erased_subject", "fingerprint", "entry"] {
                tx.execute(&format!("DELETE FROM {table} WHERE ledger = ?1"), [ledger.as_bytes()])?;
            }
            Ok(())
        })
    }

    /// Wraps every root key again under another key-encryption key, and uses that one from then on. Answers how many.
    pub fn rewrap(&self, kek: Arc<dyn KeyProvider>) -> Answer<usize> {
        let mut db = self.db()?;
        let rows: Vec<(Uuid, Vec<u8>)> = {
            let mut query = db.conn.prepare("SELECT ledger, wrapped FROM tenant_root")?;
            let rows = query.query_map([], |row| Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        let mut again = vec![];
        for (ledger, wrapped) in rows {
            let root = self.kek().unwrap(root_name(ledger), &wrapped)?;
            again.push((ledger, kek.wrap(root_name(ledger), &root)?));
        }
        db.write(|tx| {
            let mut update = tx.prepare("UPDATE tenant_root SET wrapped = ?2 WHERE ledger = ?1")?;
            for (ledger, wrapped) in &again {
                update.execute(params![ledger.as_bytes(), wrapped])?;
            }
            tx.execute("UPDATE vault SET wipe_due = 1", []).map(|_| ())
        })?;
        *self.kek.write().unwrap_or_else(|e| e.into_inner()) = kek;
        db.wipe()?;
        Ok(again.len())
    }

    fn find_root(&self, db: &Db, ledger: Uuid) -> Answer<Option<Key>> {
        if let Some(root) = self.hot().roots.get(&ledger) {
            return Ok(Some(root.clone()));
        }
        let Some(wrapped) = db.wrapped_root(ledger)? else { return Ok(None) };
        let root = self.kek().unwrap(root_name(ledger), &wrapped)?;
        let mut hot = self.hot();
        hot.keep_bounded();
        hot.roots.insert(ledger, root.clone());
        Ok(Some(root))
    }

    fn root(&self, db: &Db, ledger: Uuid) -> Answer<Key> {
        self.find_root(db, ledger)?.ok_or(VaultError::NoKeys(ledger))
    }

    fn hot_root(&self, ledger: Uuid) -> Answer<Key> {
        if let Some(root) = self.hot().roots.get(&ledger) {
            return Ok(root.clone());
        }
        let db = self.db()?;
        self.root(&db, ledger)
    }

    /// Deletes for good and answers the new generation.
    fn destroy(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Answer<u64> {
        let mut db = self.db()?;
        let raised = db.write(|tx| {
            work(tx)?;
            tx.execute("UPDATE vault SET generation = generation + 1, wipe_due = 1", [])?;
            generation(tx)
        });
        *self.hot() = Hot::default();
        let raised = raised?;
        db.wipe()?;
        Ok(raised)
    }
}

impl Hot {
    fn keep_bounded(&mut self) {
        if self.data.len() + self.roots.len() + self.subjects.len() > HOT_KEYS {
            *self = Hot::default();
        }
    }
}

impl Db {
    fn wrapped_root(&self, ledger: Uuid) -> Answer<Option<Vec<u8>>> {
        let mut query = self.conn.prepare_cached("SELECT wrapped FROM tenant_root WHERE ledger = ?1")?;
        Ok(query.query_row([ledger.as_bytes()], |row| row.get(0)).optional()?)
    }

    fn newest_epoch(&self, ledger: Uuid) -> Answer<u32> {
        let mut query = self.conn.prepare_cached("SELECT max(epoch) FROM data_key WHERE ledger = ?1")?;
        let epoch: Option<u32> = query.query_row([ledger.as_bytes()], |row| row.get(0))?;
        epoch.ok_or(VaultError::NoKeys(ledger))
    }

    /// One transaction, durable when it returns.
    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Answer<T> {
        let write = |conn: &mut Connection| {
            let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        };
        let done = write(&mut self.conn).map_err(|error| self.failed(error))?;
        self.writes += 1;
        if self.writes >= CHECKPOINT_WRITES {
            self.checkpoint("PASSIVE")?;
        }
        Ok(done)
    }

    fn failed(&mut self, error: rusqlite::Error) -> VaultError {
        if is_full(&error) {
            return VaultError::Full;
        }
        if is_busy(&error) {
            return VaultError::Busy;
        }
        self.stopped = Some(error.to_string());
        VaultError::Stopped(error.to_string())
    }

    fn checkpoint(&mut self, mode: &str) -> Answer<bool> {
        let done = sqlite::checkpoint(&self.conn, mode).map_err(|error| self.failed(error))?;
        self.writes = 0;
        Ok(done)
    }

    /// Leaves nothing of what was deleted. Overwriting deleted cells is not enough: rows that moved between pages leave
    /// stale copies in the pages they came from (4,000 rows, 400 deleted: parts of about 5 were still there), so the file
    /// is written anew. A crash before the end is made good at the next start.
    fn wipe(&mut self) -> Answer<()> {
        self.conn.execute_batch("VACUUM").map_err(|error| self.failed(error))?;
        self.write(|tx| tx.execute("UPDATE vault SET wipe_due = 0", []))?;
        if self.checkpoint("TRUNCATE")? { Ok(()) } else { Err(VaultError::Busy) }
    }
}

fn generation(conn: &Connection) -> rusqlite::Result<u64> {
    conn.query_row("SELECT generation FROM vault", [], |row| row.get::<_, i64>(0)).map(|n| n as u64)
}

fn root_name(ledger: Uuid) -> KeyName {
    KeyName { key_type: KeyType::TenantRoot, ledger, id: Uuid::nil(), version: 0 }
}

fn data_name(ledger: Uuid, epoch: u32) -> KeyName {
    KeyName { key_type: KeyType::Data, ledger, id: Uuid::nil(), version: epoch }
}

fn wrap(root: &Key, name: KeyName, key: &Key) -> Vec<u8> {
    seal::wrap_key(root, name, &seal::fresh_nonce(), key).to_vec()
}

fn insert_data_key(tx: &Transaction<'_>, ledger: Uuid, epoch: u32, wrapped: &[u8]) -> rusqlite::Result<()> {
    let insert = "INSERT INTO data_key (ledger, epoch, wrapped) VALUES (?1, ?2, ?3)";
    tx.execute(insert, params![ledger.as_bytes(), epoch, wrapped]).map(|_| ())
}
