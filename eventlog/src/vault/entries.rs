//! Sealed values found by a hash: for credentials and the like, whose meaning belongs to the layer above.

use uuid::Uuid;

use super::{Answer, Db, Vault};
use crate::seal::{self, Key};
use crate::sql::{Row, Scope, SqlError, Tx};
use crate::values;

/// One value.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is, a name of the layer above; at most 255 bytes.
    pub kind: String,
    /// What it is found by: a hash, never a secret itself. Unique within the kind, over all ledgers.
    pub lookup: Vec<u8>,
    /// The tenant whose root key seals it.
    pub ledger: Uuid,
    /// Whose it is; goes when that subject is erased.
    pub owner: Uuid,
    /// Sealed in the file, in the clear here.
    pub value: Vec<u8>,
    /// Microseconds since 1970-01-01 UTC.
    pub created_us: i64,
    /// `None` = never. The caller compares; [`Vault::purge_expired`] cleans up.
    pub expires_us: Option<i64>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({}, ledger {}, owner {}, value secret)", self.kind, self.ledger, self.owner)
    }
}

const COLUMNS: &str = "kind, lookup, ledger, owner, value, created_us, expires_us";

/// As stored: the value is a box.
fn entry(row: &Row) -> Result<Entry, SqlError> {
    Ok(Entry {
        kind: row.get(0)?,
        lookup: row.get(1)?,
        ledger: row.get(2)?,
        owner: row.get(3)?,
        value: row.get(4)?,
        created_us: row.get(5)?,
        expires_us: row.get(6)?,
    })
}

impl Entry {
    /// A value cannot be moved to another entry, owner or ledger.
    fn aad(&self) -> Vec<u8> {
        let mut aad = b"keiin/v1/entry-aad".to_vec();
        for part in [self.kind.as_bytes(), &self.lookup, self.ledger.as_bytes(), self.owner.as_bytes()] {
            aad.extend((part.len() as u64).to_be_bytes());
            aad.extend(part);
        }
        aad
    }

    fn sealed(&self, root: &Key) -> Vec<u8> {
        let salt = seal::fresh_salt();
        seal::close_box(&seal::kdf(root, "keiin/v1/entry", &[&salt]), &salt, &self.aad(), &self.value)
    }
}

fn insert(tx: &mut Tx<'_>, entry: &Entry, sealed: &[u8], if_there: &str) -> Result<u64, SqlError> {
    let insert = format!(
        "INSERT INTO entry ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kind, lookup) DO {if_there}"
    );
    let (kind, lookup) = (entry.kind.as_str(), entry.lookup.as_slice());
    let values = values![kind, lookup, entry.ledger, entry.owner, sealed, entry.created_us, entry.expires_us];
    tx.execute(&insert, &values)
}

impl Vault {
    /// Stores entries, all or none, each in the place of the one with the same kind and lookup.
    pub fn put(&self, entries: &[Entry]) -> Answer<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut db = self.db()?;
        let mut seal = |entry: &Entry| Ok(entry.sealed(&self.root(&mut db, entry.ledger)?));
        let sealed = entries.iter().map(&mut seal).collect::<Answer<Vec<_>>>()?;
        let replace = "UPDATE SET ledger = excluded.ledger, owner = excluded.owner, value = excluded.value,
                       created_us = excluded.created_us, expires_us = excluded.expires_us";
        db.kept.write(Scope::All, |tx| {
            let mut both = entries.iter().zip(&sealed);
            Ok(both.try_for_each(|(entry, sealed)| insert(tx, entry, sealed, replace).map(|_| ()))?)
        })
    }

    /// Stores an entry unless one with the same kind and lookup is there; `false` = nothing was stored.
    pub fn put_new(&self, entry: &Entry) -> Answer<bool> {
        let mut db = self.db()?;
        let sealed = entry.sealed(&self.root(&mut db, entry.ledger)?);
        Ok(db.kept.write(Scope::All, |tx| insert(tx, entry, &sealed, "NOTHING"))? == 1)
    }

    /// The entry that this lookup finds. Whose it is only the entry says, so this looks at every company's.
    pub fn get(&self, kind: &str, lookup: &[u8]) -> Answer<Option<Entry>> {
        let mut db = self.db()?;
        let find = format!("SELECT {COLUMNS} FROM entry WHERE kind = $1 AND lookup = $2");
        let row = db.kept.row(Scope::All, &find, &values![kind, lookup])?;
        row.map(|row| self.open_entry(&mut db, entry(&row)?)).transpose()
    }

    /// The entries of a kind in a ledger, of one owner or of all, oldest first.
    pub fn list(&self, kind: &str, ledger: Uuid, owner: Option<Uuid>) -> Answer<Vec<Entry>> {
        let mut db = self.db()?;
        let list = format!("SELECT {COLUMNS} FROM entry WHERE ledger = $1 AND kind = $2");
        let (scope, order) = (Scope::Ledger(ledger), "ORDER BY created_us, lookup");
        let rows = match owner {
            None => db.kept.query(scope, &format!("{list} {order}"), &values![ledger, kind])?,
            Some(owner) => {
                let list = format!("{list} AND owner = $3 {order}");
                db.kept.query(scope, &list, &values![ledger, kind, owner])?
            }
        };
        rows.iter().map(|row| self.open_entry(&mut db, entry(row)?)).collect()
    }

    /// Removes an entry; `false` = there was none.
    pub fn delete(&self, kind: &str, lookup: &[u8]) -> Answer<bool> {
        let delete = "DELETE FROM entry WHERE kind = $1 AND lookup = $2";
        Ok(self.db()?.kept.write(Scope::All, |tx| tx.execute(delete, &values![kind, lookup]))? > 0)
    }

    /// Removes what an owner has of a kind; answers how many.
    pub fn delete_owned(&self, ledger: Uuid, owner: Uuid, kind: &str) -> Answer<usize> {
        let delete = "DELETE FROM entry WHERE ledger = $1 AND owner = $2 AND kind = $3";
        let scope = Scope::Ledger(ledger);
        Ok(self.db()?.kept.write(scope, |tx| tx.execute(delete, &values![ledger, owner, kind]))? as usize)
    }

    /// Gets and removes an entry in one step: of many callers, one has it. For what may be used once.
    pub fn take(&self, kind: &str, lookup: &[u8]) -> Answer<Option<Entry>> {
        let mut db = self.db()?;
        let take = format!("DELETE FROM entry WHERE kind = $1 AND lookup = $2 RETURNING {COLUMNS}");
        let taken = db
            .kept
            .write(Scope::All, |tx| tx.row(&take, &values![kind, lookup])?.map(|row| entry(&row)).transpose())?;
        taken.map(|stored| self.open_entry(&mut db, stored)).transpose()
    }

    /// Removes every entry whose time is over; answers how many.
    pub fn purge_expired(&self, now_us: i64) -> Answer<usize> {
        let delete = "DELETE FROM entry WHERE expires_us <= $1";
        Ok(self.db()?.kept.write(Scope::All, |tx| tx.execute(delete, &values![now_us]))? as usize)
    }

    fn open_entry(&self, db: &mut Db, mut stored: Entry) -> Answer<Entry> {
        let root = self.root(db, stored.ledger)?;
        let secret = seal::kdf(&root, "keiin/v1/entry", &[&seal::salt_of(&stored.value)?]);
        stored.value = seal::open_box(&secret, &stored.aad(), &stored.value)?;
        Ok(stored)
    }
}
