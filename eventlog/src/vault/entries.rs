//! Sealed values found by a hash: for credentials and the like, whose meaning belongs to the layer above.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use uuid::Uuid;

use super::{Answer, Db, Vault};
use crate::seal::{self, Key};

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

const COLUMNS: &str = "SELECT kind, lookup, ledger, owner, value, created_us, expires_us FROM entry";

/// As stored: the value is a box.
fn row(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        kind: row.get(0)?,
        lookup: row.get(1)?,
        ledger: Uuid::from_bytes(row.get(2)?),
        owner: Uuid::from_bytes(row.get(3)?),
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

fn insert(tx: &Transaction<'_>, verb: &str, entry: &Entry, sealed: &[u8]) -> rusqlite::Result<usize> {
    let insert = format!(
        "{verb} INTO entry (kind, lookup, ledger, owner, value, created_us, expires_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    );
    let (ledger, owner) = (entry.ledger.as_bytes(), entry.owner.as_bytes());
    tx.execute(&insert, params![entry.kind, entry.lookup, ledger, owner, sealed, entry.created_us, entry.expires_us])
}

impl Vault {
    /// Stores entries, all or none, each in the place of the one with the same kind and lookup.
    pub fn put(&self, entries: &[Entry]) -> Answer<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut db = self.db()?;
        let seal = |entry: &Entry| Ok(entry.sealed(&self.root(&db, entry.ledger)?));
        let sealed = entries.iter().map(seal).collect::<Answer<Vec<_>>>()?;
        db.write(|tx| {
            let mut both = entries.iter().zip(&sealed);
            both.try_for_each(|(entry, sealed)| insert(tx, "INSERT OR REPLACE", entry, sealed).map(|_| ()))
        })
    }

    /// Stores an entry unless one with the same kind and lookup is there; `false` = nothing was stored.
    pub fn put_new(&self, entry: &Entry) -> Answer<bool> {
        let mut db = self.db()?;
        let sealed = entry.sealed(&self.root(&db, entry.ledger)?);
        Ok(db.write(|tx| insert(tx, "INSERT OR IGNORE", entry, &sealed))? == 1)
    }

    /// The entry that this lookup finds.
    pub fn get(&self, kind: &str, lookup: &[u8]) -> Answer<Option<Entry>> {
        let db = self.db()?;
        db.find(kind, lookup)?.map(|stored| self.open_entry(&db, stored)).transpose()
    }

    /// The entries of a kind in a ledger, of one owner or of all, oldest first.
    pub fn list(&self, kind: &str, ledger: Uuid, owner: Option<Uuid>) -> Answer<Vec<Entry>> {
        let db = self.db()?;
        let of = owner.map(|owner| owner.into_bytes());
        let mut query = db.conn.prepare_cached(&format!(
            "{COLUMNS} WHERE ledger = ?1 AND kind = ?2 AND (?3 IS NULL OR owner = ?3) ORDER BY created_us, lookup"
        ))?;
        let rows = query.query_map(params![ledger.as_bytes(), kind, of], row)?;
        let found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        found.into_iter().map(|stored| self.open_entry(&db, stored)).collect()
    }

    /// Removes an entry; `false` = there was none.
    pub fn delete(&self, kind: &str, lookup: &[u8]) -> Answer<bool> {
        let delete = "DELETE FROM entry WHERE kind = ?1 AND lookup = ?2";
        Ok(self.db()?.write(|tx| tx.execute(delete, params![kind, lookup]))? > 0)
    }

    /// Removes what an owner has of a kind; answers how many.
    pub fn delete_owned(&self, ledger: Uuid, owner: Uuid, kind: &str) -> Answer<usize> {
        let delete = "DELETE FROM entry WHERE ledger = ?1 AND owner = ?2 AND kind = ?3";
        self.db()?.write(|tx| tx.execute(delete, params![ledger.as_bytes(), owner.as_bytes(), kind]))
    }

    /// Gets and removes an entry in one step: of many callers, one has it. For what may be used once.
    pub fn take(&self, kind: &str, lookup: &[u8]) -> Answer<Option<Entry>> {
        let mut db = self.db()?;
        let Some(stored) = db.find(kind, lookup)? else { return Ok(None) };
        let entry = self.open_entry(&db, stored)?;
        let delete = "DELETE FROM entry WHERE kind = ?1 AND lookup = ?2";
        db.write(|tx| tx.execute(delete, params![kind, lookup]))?;
        Ok(Some(entry))
    }

    /// Removes every entry whose time is over; answers how many.
    pub fn purge_expired(&self, now_us: i64) -> Answer<usize> {
        self.db()?.write(|tx| tx.execute("DELETE FROM entry WHERE expires_us <= ?1", [now_us]))
    }

    fn open_entry(&self, db: &Db, mut stored: Entry) -> Answer<Entry> {
        let root = self.root(db, stored.ledger)?;
        let secret = seal::kdf(&root, "keiin/v1/entry", &[&seal::salt_of(&stored.value)?]);
        stored.value = seal::open_box(&secret, &stored.aad(), &stored.value)?;
        Ok(stored)
    }
}

impl Db {
    fn find(&self, kind: &str, lookup: &[u8]) -> rusqlite::Result<Option<Entry>> {
        let mut query = self.conn.prepare_cached(&format!("{COLUMNS} WHERE kind = ?1 AND lookup = ?2"))?;
        query.query_row(params![kind, lookup], row).optional()
    }
}
