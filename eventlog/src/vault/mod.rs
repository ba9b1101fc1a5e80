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
mod moving;
mod subjects;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use rusqlite_migration::M;
use uuid::Uuid;

pub use self::entries::Entry;
pub use self::subjects::NewSubjectKey;
use crate::kept::{FatalHook, Kept, Place, Tables};
use crate::keys::KeyProvider;
use crate::seal::{self, BodyKey, Key, KeyName, KeyType, SealError};
use crate::sql::{OpenError, Scope, SqlError, Tx};
use crate::values;

const TABLES: Tables = Tables {
    sqlite: &[M::up(include_str!("../../../migrations/sqlite/vault/0001_vault.sql"))],
    postgres: ("keiin_vault", &[("vault", include_str!("../../../migrations/postgres/vault/0001_vault.sql"))]),
};
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
    #[error("{0} has another key there")]
    Exists(Uuid),
    /// A wrapped key or sealed value does not open.
    #[error("the vault does not open ({0}); is this the key-encryption key (keys/kek) it was written with?")]
    Sealed(#[from] SealError),
    /// A failed write to the file: it may be durable or not.
    #[error("the vault has stopped after a failed write ({0}); restart the server")]
    Stopped(String),
    /// The database: full, in use, away, or something else.
    #[error("vault: {0}")]
    Sql(#[from] SqlError),
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

/// The database, and the generation that it had when it was last asked.
struct Db {
    kept: Kept,
    seen: u64,
}

/// Unwrapped keys, so that sealing and opening ask the disk rarely and never wait for a write. They wipe themselves.
#[derive(Default)]
struct Hot {
    roots: HashMap<Uuid, Key>,
    epochs: HashMap<Uuid, u32>,
    bodies: HashMap<(Uuid, u32), BodyKey>,
    subjects: HashMap<(Uuid, Uuid, u16), Key>,
}

impl Vault {
    /// Opens or makes it.
    pub fn open(place: impl Into<Place>, kek: Arc<dyn KeyProvider>) -> Result<Vault, OpenError> {
        let place = &place.into();
        let unfit = |error: VaultError| OpenError::new(place, error);
        let vault = Vault::with(Kept::open(place, &TABLES)?, kek);
        let row = vault.db().and_then(|mut db| Ok(db.kept.row(Scope::All, "SELECT wipe_due FROM vault", &[])?));
        let wipe_due = match row.map_err(unfit)? {
            Some(row) => row.get::<bool>(0).map_err(|e| unfit(e.into()))?,
            None => return Err(OpenError::new(place, "its row of state is missing")),
        };
        if wipe_due {
            vault.db().and_then(|mut db| db.wipe()).map_err(unfit)?;
        }
        Ok(vault)
    }

    /// Opens one that exists, for reading, beside a process that writes.
    pub fn open_reader(place: impl Into<Place>, kek: Arc<dyn KeyProvider>) -> Result<Vault, OpenError> {
        Ok(Vault::with(Kept::open_reader(&place.into(), &TABLES)?, kek))
    }

    fn with(kept: Kept, kek: Arc<dyn KeyProvider>) -> Vault {
        Vault { kek: RwLock::new(kek), db: Mutex::new(Db { kept, seen: 0 }), hot: Mutex::default() }
    }

    /// Do several nodes write it?
    pub fn is_shared(&self) -> bool {
        self.db.lock().unwrap_or_else(|e| e.into_inner()).kept.is_shared()
    }

    /// Sets what is called once when a write to the file has failed and the process must end.
    pub fn on_fatal(&self, hook: FatalHook) {
        self.db.lock().unwrap_or_else(|e| e.into_inner()).kept.on_fatal(hook);
    }

    fn db(&self) -> Answer<MutexGuard<'_, Db>> {
        let db = self.db.lock().unwrap_or_else(|e| e.into_inner());
        match db.kept.stopped() {
            Some(reason) => Err(VaultError::Stopped(reason.to_owned())),
            None => Ok(db),
        }
    }

    fn hot(&self) -> MutexGuard<'_, Hot> {
        self.hot.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn kek(&self) -> Arc<dyn KeyProvider> {
        self.kek.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Raised by every erasure. A vault with a lower generation than the anchor remembers is an old copy. Another node's
    /// erasure takes effect here when this is asked: keys in memory are forgotten.
    pub fn generation(&self) -> Answer<u64> {
        let mut db = self.db()?;
        let generation = db.generation()?;
        if std::mem::replace(&mut db.seen, generation) != generation {
            *self.hot() = Hot::default();
        }
        Ok(generation)
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
        db.kept.write(Scope::Ledger(ledger), |tx| {
            let insert = "INSERT INTO tenant_root (ledger, wrapped) VALUES ($1, $2) ON CONFLICT (ledger) DO NOTHING";
            // Another node may have been faster.
            if tx.execute(insert, &values![ledger, root_wrapped])? == 0 {
                return Ok(());
            }
            insert_data_key(tx, ledger, 1, data_wrapped)
        })
    }

    /// Does this ledger have keys here?
    pub fn has_ledger(&self, ledger: Uuid) -> Answer<bool> {
        Ok(self.db()?.wrapped_root(ledger)?.is_some())
    }

    /// What seals bodies now: of the newest data key.
    pub fn current_body_key(&self, ledger: Uuid) -> Answer<BodyKey> {
        let known = self.hot().epochs.get(&ledger).copied();
        let epoch = match known {
            Some(epoch) => epoch,
            None => {
                let mut db = self.db()?;
                let epoch = db.newest_epoch(ledger)?;
                self.hot().epochs.insert(ledger, epoch);
                epoch
            }
        };
        self.body_key(ledger, epoch)
    }

    /// What opens bodies of an epoch.
    pub fn body_key(&self, ledger: Uuid, epoch: u32) -> Answer<BodyKey> {
        if let Some(key) = self.hot().bodies.get(&(ledger, epoch)) {
            return Ok(key.clone());
        }
        let mut db = self.db()?;
        let root = self.root(&mut db, ledger)?;
        let find = "SELECT wrapped FROM data_key WHERE ledger = $1 AND epoch = $2";
        let row = db.kept.row(Scope::Ledger(ledger), find, &values![ledger, epoch])?;
        let wrapped: Vec<u8> = row.ok_or(VaultError::NoKeys(ledger))?.get(0)?;
        let key = BodyKey::new(&seal::unwrap_key(&root, data_name(ledger, epoch), &wrapped)?, ledger, epoch);
        let mut hot = self.hot();
        hot.keep_bounded();
        hot.bodies.insert((ledger, epoch), key.clone());
        Ok(key)
    }

    /// Makes the next data key and answers its epoch. Older ones stay, for reading.
    pub fn rotate_data_key(&self, ledger: Uuid) -> Answer<u32> {
        let mut db = self.db()?;
        let epoch = db.newest_epoch(ledger)? + 1;
        let wrapped = wrap(&self.root(&mut db, ledger)?, data_name(ledger, epoch), &seal::fresh_key());
        db.kept.write(Scope::Ledger(ledger), |tx| insert_data_key(tx, ledger, epoch, wrapped))?;
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
                tx.execute(&format!("DELETE FROM {table} WHERE ledger = $1"), &values![ledger])?;
            }
            Ok(())
        })
    }

    /// Wraps every root key again under another key-encryption key, and uses that one from then on. Answers how many.
    pub fn rewrap(&self, kek: Arc<dyn KeyProvider>) -> Answer<usize> {
        let mut db = self.db()?;
        let count = db.kept.write(Scope::All, |tx| {
            let rows = tx.query("SELECT ledger, wrapped FROM tenant_root", &[])?;
            for row in &rows {
                let ledger: Uuid = row.get(0)?;
                let root = self.kek().unwrap(root_name(ledger), &row.get::<Vec<u8>>(1)?)?;
                let wrapped = kek.wrap(root_name(ledger), &root)?;
                tx.execute("UPDATE tenant_root SET wrapped = $2 WHERE ledger = $1", &values![ledger, wrapped])?;
            }
            tx.execute("UPDATE vault SET wipe_due = 1", &[])?;
            Ok::<_, VaultError>(rows.len())
        })?;
        *self.kek.write().unwrap_or_else(|e| e.into_inner()) = kek;
        db.wipe()?;
        Ok(count)
    }

    fn find_root(&self, db: &mut Db, ledger: Uuid) -> Answer<Option<Key>> {
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

    fn root(&self, db: &mut Db, ledger: Uuid) -> Answer<Key> {
        self.find_root(db, ledger)?.ok_or(VaultError::NoKeys(ledger))
    }

    fn hot_root(&self, ledger: Uuid) -> Answer<Key> {
        if let Some(root) = self.hot().roots.get(&ledger) {
            return Ok(root.clone());
        }
        let mut db = self.db()?;
        self.root(&mut db, ledger)
    }

    /// Deletes for good and answers the new generation.
    fn destroy(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<(), SqlError>) -> Answer<u64> {
        let mut db = self.db()?;
        let raised = db.kept.write(Scope::All, |tx| {
            work(tx)?;
            tx.execute("UPDATE vault SET generation = generation + 1, wipe_due = 1", &[])
        });
        *self.hot() = Hot::default();
        raised?;
        db.wipe()?;
        db.seen = db.generation()?;
        Ok(db.seen)
    }
}

impl Hot {
    fn keep_bounded(&mut self) {
        if self.bodies.len() + self.roots.len() + self.subjects.len() > HOT_KEYS {
            *self = Hot::default();
        }
    }
}

impl Db {
    fn generation(&mut self) -> Answer<u64> {
        let row = self.kept.row(Scope::All, "SELECT generation FROM vault", &[])?;
        let row = row.ok_or_else(|| SqlError::Failed("the vault's row of state is missing".to_owned()))?;
        Ok(row.get(0)?)
    }

    fn wrapped_root(&mut self, ledger: Uuid) -> Answer<Option<Vec<u8>>> {
        let find = "SELECT wrapped FROM tenant_root WHERE ledger = $1";
        let row = self.kept.row(Scope::Ledger(ledger), find, &values![ledger])?;
        Ok(row.map(|row| row.get(0)).transpose()?)
    }

    fn newest_epoch(&mut self, ledger: Uuid) -> Answer<u32> {
        let newest = "SELECT max(epoch) FROM data_key WHERE ledger = $1";
        let row = self.kept.row(Scope::Ledger(ledger), newest, &values![ledger])?;
        row.map_or(Ok(None), |row| row.get(0))?.ok_or(VaultError::NoKeys(ledger))
    }

    /// Leaves nothing of what was deleted. A crash before the end is made good at the next start.
    fn wipe(&mut self) -> Answer<()> {
        self.kept.compact()?;
        self.kept.write(Scope::All, |tx| tx.execute("UPDATE vault SET wipe_due = 0", &[]))?;
        if self.kept.checkpoint("TRUNCATE")? { Ok(()) } else { Err(SqlError::Busy.into()) }
    }
}

/// With several nodes, one after the other changes the keys of a ledger.
fn alone(tx: &mut Tx<'_>, ledger: Uuid) -> Result<(), SqlError> {
    if tx.is_postgres() {
        tx.query("SELECT 1 FROM tenant_root WHERE ledger = $1 FOR UPDATE", &values![ledger])?;
    }
    Ok(())
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

fn insert_data_key(tx: &mut Tx<'_>, ledger: Uuid, epoch: u32, wrapped: Vec<u8>) -> Answer<()> {
    let insert = "INSERT INTO data_key (ledger, epoch, wrapped) VALUES ($1, $2, $3)";
    tx.execute(insert, &values![ledger, epoch, wrapped])?;
    Ok(())
}
