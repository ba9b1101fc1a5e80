//! Persons: their keys, how they are found again by a fact, and how they are erased.

use uuid::Uuid;

use super::{Answer, Db, Vault, VaultError, alone, wrap};
use crate::seal::{self, Key, KeyName, KeyType};
use crate::sql::{Row, Scope, SqlError, Tx};
use crate::values;

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
        if keys.is_empty() {
            return Ok(());
        }
        let mut db = self.db()?;
        let root = self.root(&mut db, ledger)?;
        db.kept.write(Scope::Ledger(ledger), |tx| {
            alone(tx, ledger)?;
            for NewSubjectKey { subject, version, key } in keys {
                if is_erased(tx, ledger, *subject)? {
                    return Err(VaultError::Erased(*subject));
                }
                let at = values![ledger, *subject, *version];
                match tx.row(FIND, &at)?.map(|row| unwrapped(&row, &root, ledger, *subject, *version)).transpose()? {
                    Some(known) if known.expose() == key.expose() => {}
                    Some(_) => return Err(VaultError::Exists(*subject)),
                    None => insert_key(tx, ledger, *subject, *version, &root, key)?,
                }
            }
            Ok(())
        })
    }

    /// A version of a person's key; `None` once they were erased.
    pub fn subject_key(&self, ledger: Uuid, subject: Uuid, version: u16) -> Answer<Option<Key>> {
        if let Some(key) = self.hot().subjects.get(&(ledger, subject, version)) {
            return Ok(Some(key.clone()));
        }
        let mut db = self.db()?;
        let root = self.root(&mut db, ledger)?;
        let Some(key) = db.subject_key(&root, ledger, subject, version)? else { return Ok(None) };
        // Still under the file's lock: an erasure comes before or after, never between.
        let mut hot = self.hot();
        hot.keep_bounded();
        hot.subjects.insert((ledger, subject, version), key.clone());
        Ok(Some(key))
    }

    /// The newest key of a person and its version: what seals their fields now. `None` once they were erased.
    pub fn newest_subject_key(&self, ledger: Uuid, subject: Uuid) -> Answer<Option<(u16, Key)>> {
        let newest = "SELECT max(version) FROM subject_key WHERE ledger = $1 AND subject = $2";
        let row = self.db()?.kept.row(Scope::Ledger(ledger), newest, &values![ledger, subject])?;
        let version: Option<u16> = row.map_or(Ok(None), |row| row.get(0))?;
        let Some(version) = version else { return Ok(None) };
        Ok(self.subject_key(ledger, subject, version)?.map(|key| (version, key)))
    }

    /// The person that a personal fact leads to, made with a first key if there is none. Atomic and durable.
    /// `fact` must be canonical (see [`seal::fingerprint`]).
    pub fn subject_for(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<Uuid> {
        let mut db = self.db()?;
        let root = self.root(&mut db, ledger)?;
        let fingerprint = seal::fingerprint(&root, ledger, namespace, fact);
        if let Some(subject) = db.find(ledger, fingerprint)? {
            return Ok(subject);
        }
        db.kept.write(Scope::Ledger(ledger), |tx| {
            alone(tx, ledger)?;
            if let Some(row) = tx.row(LEADS_TO, &values![ledger, fingerprint])? {
                return Ok(row.get(0)?);
            }
            let minted = NewSubjectKey::mint();
            insert_key(tx, ledger, minted.subject, 1, &root, &minted.key)?;
            insert_fingerprint(tx, ledger, fingerprint, minted.subject)?;
            Ok(minted.subject)
        })
    }

    /// The person that a personal fact leads to, if there is one.
    pub fn find_subject(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<Option<Uuid>> {
        let mut db = self.db()?;
        let root = self.root(&mut db, ledger)?;
        db.find(ledger, seal::fingerprint(&root, ledger, namespace, fact))
    }

    /// Lets a fact lead to a person who is known already (a second address, a changed one). Answers whom it leads to:
    /// another person, if the fact was taken.
    pub fn link_subject(&self, ledger: Uuid, namespace: &str, fact: &str, subject: Uuid) -> Answer<Uuid> {
        let mut db = self.db()?;
        let root = self.root(&mut db, ledger)?;
        let fingerprint = seal::fingerprint(&root, ledger, namespace, fact);
        db.kept.write(Scope::Ledger(ledger), |tx| {
            alone(tx, ledger)?;
            if is_erased(tx, ledger, subject)? {
                return Err(VaultError::Erased(subject));
            }
            if let Some(row) = tx.row(LEADS_TO, &values![ledger, fingerprint])? {
                return Ok(row.get(0)?);
            }
            insert_fingerprint(tx, ledger, fingerprint, subject)?;
            Ok(subject)
        })
    }

    /// Lets a fact lead to nobody again.
    pub fn unlink_fact(&self, ledger: Uuid, namespace: &str, fact: &str) -> Answer<()> {
        let mut db = self.db()?;
        let root = self.root(&mut db, ledger)?;
        let fingerprint = seal::fingerprint(&root, ledger, namespace, fact);
        let delete = "DELETE FROM fingerprint WHERE ledger = $1 AND fingerprint = $2";
        db.kept.write(Scope::Ledger(ledger), |tx| tx.execute(delete, &values![ledger, fingerprint]))?;
        Ok(())
    }

    /// Destroys the keys of a person, what leads to them and what they own here, and answers the new generation. May be
    /// repeated.
    pub fn erase_subject(&self, ledger: Uuid, subject: Uuid) -> Answer<u64> {
        let both = values![ledger, subject];
        self.destroy(|tx| {
            alone(tx, ledger)?;
            tx.execute("DELETE FROM subject_key WHERE ledger = $1 AND subject = $2", &both)?;
            tx.execute("DELETE FROM fingerprint WHERE ledger = $1 AND subject = $2", &both)?;
            tx.execute("DELETE FROM entry WHERE ledger = $1 AND owner = $2", &both)?;
            let insert = "INSERT INTO erased_subject (ledger, subject) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            tx.execute(insert, &both).map(|_| ())
        })
    }

    /// Was this person erased?
    pub fn is_erased(&self, ledger: Uuid, subject: Uuid) -> Answer<bool> {
        Ok(self.db()?.kept.row(Scope::Ledger(ledger), ERASED, &values![ledger, subject])?.is_some())
    }
}

const FIND: &str = "SELECT wrapped FROM subject_key WHERE ledger = $1 AND subject = $2 AND version = $3";
const ERASED: &str = "SELECT 1 FROM erased_subject WHERE ledger = $1 AND subject = $2";
const LEADS_TO: &str = "SELECT subject FROM fingerprint WHERE ledger = $1 AND fingerprint = $2";

impl Db {
    fn subject_key(&mut self, root: &Key, ledger: Uuid, subject: Uuid, version: u16) -> Answer<Option<Key>> {
        let row = self.kept.row(Scope::Ledger(ledger), FIND, &values![ledger, subject, version])?;
        row.map(|row| unwrapped(&row, root, ledger, subject, version)).transpose()
    }

    fn find(&mut self, ledger: Uuid, fingerprint: Uuid) -> Answer<Option<Uuid>> {
        let row = self.kept.row(Scope::Ledger(ledger), LEADS_TO, &values![ledger, fingerprint])?;
        Ok(row.map(|row| row.get(0)).transpose()?)
    }
}

fn unwrapped(row: &Row, root: &Key, ledger: Uuid, subject: Uuid, version: u16) -> Answer<Key> {
    Ok(seal::unwrap_key(root, key_name(ledger, subject, version), &row.get::<Vec<u8>>(0)?)?)
}

fn is_erased(tx: &mut Tx<'_>, ledger: Uuid, subject: Uuid) -> Result<bool, SqlError> {
    Ok(tx.row(ERASED, &values![ledger, subject])?.is_some())
}

fn insert_key(tx: &mut Tx<'_>, ledger: Uuid, subject: Uuid, version: u16, root: &Key, key: &Key) -> Answer<()> {
    let wrapped = wrap(root, key_name(ledger, subject, version), key);
    let insert = "INSERT INTO subject_key (ledger, subject, version, wrapped) VALUES ($1, $2, $3, $4)";
    tx.execute(insert, &values![ledger, subject, version, wrapped])?;
    Ok(())
}

fn insert_fingerprint(tx: &mut Tx<'_>, ledger: Uuid, fingerprint: Uuid, subject: Uuid) -> Result<(), SqlError> {
    let insert = "INSERT INTO fingerprint (ledger, fingerprint, subject) VALUES ($1, $2, $3)";
    tx.execute(insert, &values![ledger, fingerprint, subject]).map(|_| ())
}
