//! Persons: their keys, how they are found again by a fact, and how they are erased.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::{Answer, Db, Vault, VaultError, wrap};
use crate::seal::{self, Key, KeyName, KeyType};

/// A key of a person that was minted in memory.
#[derive(Clone, Debug)]
pub struct NewSubjectKey {
    /// The person.
    pub subject: Uuid,
    /// From 1.
    pub version: u16,
    /// Seals the person's fields.
    pub key: Key,
}

impl NewSubjectKey {
    /// A new person with a first key. It exists in memory only until [`Vault::put_subjects`].
    pub fn mint() -> NewSubjectKey {
        let subject = uuid::Builder::from_random_bytes(seal::fresh_salt()).into_uuid();
        NewSubjectKey { subject, version: 1, key: seal::fresh_key() }
    }
}

fn key_name(ledger: Uuid, subject: Uuid, version: u16) -> KeyName {
    KeyName { key_type: KeyType::Subject, ledger, id: subject, version: u32::from(version) }
}

impl Vault {
    /// A new person with a first key, durable.
    pub fn create_subject(&self, ledger: Uuid) -> Answer<NewSubjectKey> {
        let minted = NewSubjectKey::mint();
        self.put_subjects(ledger, std::slice::from_ref(&minted))?;
        Ok(minted)
    }

    /// Stores keys that were minted in memory, all or none. The same keys may be put again.
    pub fn put_subjects(&self, ledger: Uuid, keys: &[NewSubjectKey]) -> Answer<()> {
        let mut db = self.db()?;
        let root = self.root(&db, ledger)?;
        let mut new = vec![];
        for minted in keys {
            if db.is_erased(ledger, minted.subject)? {
                return Err(VaultError::Erased(minted.subject));
            }
            match db.subject_key(&root, ledger, minted.subject, minted.version)? {
                Some(known) if known.expose() == minted.key.expose() => {}
                Some(_) => return Err(VaultError::Exists(minted.subject)),
                None => new.push((minted, wrap(&root, key_name(ledger, minted.subject, minted.version), &minted.key))),
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        db.write(|tx| {
            new.iter().try_for_each(|(minted, wrapped)| insert_key(tx, ledger, minted.subject, minted.version, wrapped))
        })
    }

    /// A version of a person's key; `None` once they were erased.
    pub fn subject_key(&self, ledger: Uuid, subject: Uuid, version: u16) -> Answer<Option<Key>> {
        if let Some(key) = self.hot().subjects.get(&(ledger, subject, version)) {
            return Ok(Some(key.clone()));
        }
        let db = self.db()?;
        let root = self.root(&db, ledger)?;
        let Some(key) = db.subject_key(&root, ledger, subject, version)? else { return Ok(None) };
        // Still under the file's lock: an erasure comes before or after, never between.
        let mut hot = self.hot();
        hot.keep_bounded();
        hot.subjects.insert((ledger, subject, version), key.clone());
        Ok(Some(key))
    }

    /// The newest key of a person and its version: what seals their fields now. `None` once they were erased.
    pub fn newest_subject_key(&self, ledger: Uuid, subject: Uuid) -> Answer<Option<(u16, Key)>> {
        let newest = "SELECT max(version) FROM subject_key WHERE ledger = ?1 AND subject = ?2";
        let both = [ledger.as_bytes(), subject.as_bytes()];
        let version: Option<u16> = self.db()?.conn.prepare_cached(newest)?.query_row(both, |row| row.get(0))?;
        let Some(version) = version else { return Ok(None) };
        Ok(self.subject_key(ledger, subject, version)?.map(|key| (version, key)))
    }

    /// The person that a personal fact leads to, made with a first key if there is none. Atomic and durable.
    /// `fact` must be canonical (see [`seal::fingerprint`]).
    pub fn subject_for(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<Uuid> {
        let mut db = self.db()?;
        let root = self.root(&db, ledger)?;
        let fingerprint = seal::fingerprint(&root, ledger, namespace, fact);
        if let Some(subject) = find(&db.conn, ledger, fingerprint)? {
            return Ok(subject);
        }
        let minted = NewSubjectKey::mint();
        let wrapped = wrap(&root, key_name(ledger, minted.subject, 1), &minted.key);
        db.write(|tx| {
            insert_key(tx, ledger, minted.subject, 1, &wrapped)?;
            insert_fingerprint(tx, ledger, fingerprint, minted.subject)
        })?;
        Ok(minted.subject)
    }

    /// The person that a personal fact leads to, if there is one.
    pub fn find_subject(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<Option<Uuid>> {
        let db = self.db()?;
        let root = self.root(&db, ledger)?;
        Ok(find(&db.conn, ledger, seal::fingerprint(&root, ledger, namespace, fact))?)
    }

    /// Lets a fact lead to a person who is known already (a second address, a changed one). Answers whom it leads to:
    /// another person, if the fact was taken.
    pub fn link_subject(&self, ledger: Uuid, namespace: &str, fact: &str, subject: Uuid) -> Answer<Uuid> {
        let mut db = self.db()?;
        let root = self.root(&db, ledger)?;
        if db.is_erased(ledger, subject)? {
            return Err(VaultError::Erased(subject));
        }
        let fingerprint = seal::fingerprint(&root, ledger, namespace, fact);
        if let Some(holder) = find(&db.conn, ledger, fingerprint)? {
            return Ok(holder);
        }
        db.write(|tx| insert_fingerprint(tx, ledger, fingerprint, subject))?;
        Ok(subject)
    }

    /// Lets a fact lead to nobody again.
    pub fn unlink_fact(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<()> {
        let mut db = self.db()?;
        let root = self.root(&db, ledger)?;
        let fingerprint = seal::fingerprint(&root, ledger, namespace, fact);
        let delete = "DELETE FROM fingerprint WHERE ledger = ?1 AND fingerprint = ?2";
        db.write(|tx| tx.execute(delete, [ledger.as_bytes(), fingerprint.as_bytes()]).map(|_| ()))
    }

    /// Destroys the keys of a person, what leads to them and what they own here, and answers the new generation. May be
    /// repeated.
    pub fn erase_subject(&self, ledger: Uuid, subject: Uuid) -> Answer<u64> {
        let both = [ledger.as_bytes(), subject.as_bytes()];
        self.destroy(|tx| {
            tx.execute("DELETE FROM subject_key WHERE ledger = ?1 AND subject = ?2", both)?;
            tx.execute("DELETE FROM fingerprint WHERE ledger = ?1 AND subject = ?2", both)?;
            tx.execute("DELETE FROM entry WHERE ledger = ?1 AND owner = ?2", both)?;
            tx.execute("INSERT OR IGNORE INTO erased_subject (ledger, subject) VALUES (?1, ?2)", both).map(|_| ())
        })
    }

    /// Was this person erased?
    pub fn is_erased(&self, ledger: Uuid, subject: Uuid) -> Answer<bool> {
        self.db()?.is_erased(ledger, subject)
    }
}

impl Db {
    fn is_erased(&self, ledger: Uuid, subject: Uuid) -> Answer<bool> {
        let mut query = self.conn.prepare_cached("SELECT 1 FROM erased_subject WHERE ledger = ?1 AND subject = ?2")?;
        Ok(query.exists([ledger.as_bytes(), subject.as_bytes()])?)
    }

    fn subject_key(&self, root: &Key, ledger: Uuid, subject: Uuid, version: u16) -> Answer<Option<Key>> {
        let query = "SELECT wrapped FROM subject_key WHERE ledger = ?1 AND subject = ?2 AND version = ?3";
        let mut query = self.conn.prepare_cached(query)?;
        let at = params![ledger.as_bytes(), subject.as_bytes(), version];
        let wrapped: Option<Vec<u8>> = query.query_row(at, |row| row.get(0)).optional()?;
        wrapped.map(|wrapped| Ok(seal::unwrap_key(root, key_name(ledger, subject, version), &wrapped)?)).transpose()
    }
}

fn find(conn: &Connection, ledger: Uuid, fingerprint: Uuid) -> rusqlite::Result<Option<Uuid>> {
    let mut query = conn.prepare_cached("SELECT subject FROM fingerprint WHERE ledger = ?1 AND fingerprint = ?2")?;
    let both = [ledger.as_bytes(), fingerprint.as_bytes()];
    query.query_row(both, |row| row.get(0).map(Uuid::from_bytes)).optional()
}

fn insert_key(tx: &Transaction<'_>, ledger: Uuid, subject: Uuid, version: u16, wrapped: &[u8]) -> rusqlite::Result<()> {
    let insert = "INSERT INTO subject_key (ledger, subject, version, wrapped) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(insert, params![ledger.as_bytes(), subject.as_bytes(), version, wrapped]).map(|_| ())
}

fn insert_fingerprint(tx: &Transaction<'_>, ledger: Uuid, fingerprint: Uuid, subject: Uuid) -> rusqlite::Result<()> {
    let insert = "INSERT INTO fingerprint (ledger, fingerprint, subject) VALUES (?1, ?2, ?3)";
    tx.execute(insert, [ledger.as_bytes(), fingerprint.as_bytes(), subject.as_bytes()]).map(|_| ())
}
