//! Moving a ledger's keys to another vault.

use uuid::Uuid;

use super::{Answer, Vault, VaultError, alone, root_name};
use crate::sql::{Row, Scope, SqlError, Value};
use crate::values;

/// What belongs to a ledger beside its root key. All of it is wrapped or sealed under that key, so it moves as it is.
const TABLES: [(&str, &[&str]); 5] = [
    ("data_key", &["ledger", "epoch", "wrapped"]),
    ("subject_key", &["ledger", "subject", "version", "wrapped"]),
    ("erased_subject", &["ledger", "subject"]),
    ("fingerprint", &["ledger", "fingerprint", "subject"]),
    ("entry", &["kind", "lookup", "ledger", "owner", "value", "created_us", "expires_us"]),
];

impl Vault {
    /// Copies what this vault has of a ledger to another one, the root key wrapped again under that one's
    /// key-encryption key. May be repeated; refuses if the other vault has another root key for the ledger. Answers how
    /// many rows went over.
    pub fn copy_to(&self, to: &Vault, ledger: Uuid) -> Answer<u64> {
        let scope = Scope::Ledger(ledger);
        let mut from = self.db()?;
        let root = self.root(&mut from, ledger)?;
        let mut tables = vec![];
        for (table, columns) in TABLES {
            let select = format!("SELECT {} FROM {table} WHERE ledger = $1", columns.join(", "));
            let rows = from.kept.query(scope, &select, &values![ledger])?;
            tables.push((table, columns, rows.iter().map(Row::values).map(<[Value]>::to_vec).collect::<Vec<_>>()));
        }
        drop(from);
        let wrapped = to.kek().wrap(root_name(ledger), &root)?;
        let mut db = to.db()?;
        if let Some(known) = to.find_root(&mut db, ledger)?
            && known.expose() != root.expose()
        {
            return Err(VaultError::Exists(ledger));
        }
        let copied = db.kept.write(Scope::All, |tx| {
            let insert = "INSERT INTO tenant_root (ledger, wrapped) VALUES ($1, $2) ON CONFLICT (ledger) DO NOTHING";
            tx.execute(insert, &values![ledger, wrapped])?;
            alone(tx, ledger)?;
            let mut copied = 1;
            for (table, columns, rows) in &tables {
                tx.execute(&format!("DELETE FROM {table} WHERE ledger = $1"), &values![ledger])?;
                tx.insert(table, columns, rows.clone())?;
                copied += rows.len() as u64;
            }
            Ok::<_, SqlError>(copied)
        })?;
        drop(db);
        *to.hot() = Default::default();
        Ok(copied)
    }
}
