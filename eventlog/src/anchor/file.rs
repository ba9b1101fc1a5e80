//! The anchor's file: one row a ledger, changed only by compare-and-swap to a larger state.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use rusqlite_migration::{M, Migrations};
use uuid::Uuid;

use super::{AnchorError, Anchored};
use crate::checkpoint::Checkpoint;
use crate::note::Note;
use crate::record::Hash;
use crate::sqlite::{self, OpenError};

const STEPS: &[M<'_>] = &[M::up(include_str!("../../../migrations/sqlite/anchor/0001_anchor.sql"))];
/// Checkpoints of a ledger that are kept.
const KEPT: u64 = 10_000;
/// Writes after which the write-ahead log is moved into the file.
const CHECKPOINT_WRITES: usize = 500;

/// The opened file.
pub(super) struct AnchorFile {
    db: Mutex<Db>,
}

struct Db {
    conn: Connection,
    writes: usize,
    stopped: Option<String>,
}

const COLUMNS: &str = "SELECT ledger, generation, size, head, root, checkpoint FROM anchor";

type Raw = (Uuid, u16, u64, Hash, Hash, String);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let size = row.get::<_, i64>(2)? as u64;
    Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?, size, Hash(row.get(3)?), Hash(row.get(4)?), row.get(5)?))
}

fn anchored((ledger, generation, size, head, root, note): Raw) -> Result<Anchored, AnchorError> {
    let unfit = || AnchorError::File(format!("the row of ledger {ledger} does not agree with its own checkpoint"));
    let checkpoint = Note::parse(note.as_bytes()).map_err(|_| unfit())?;
    let says = Checkpoint::parse(checkpoint.text()).map_err(|_| unfit())?;
    if says.size != size || says.root != root {
        return Err(unfit());
    }
    Ok(Anchored { ledger, generation, size, head, root, checkpoint })
}

impl AnchorFile {
    pub fn open(path: &Path) -> Result<AnchorFile, OpenError> {
        let conn = sqlite::open(path, &Migrations::from_slice(STEPS))?;
        Ok(AnchorFile { db: Mutex::new(Db { conn, writes: 0, stopped: None }) })
    }

    pub fn open_reader(path: &Path) -> Result<AnchorFile, OpenError> {
        let conn = sqlite::open_reader(path)?;
        Ok(AnchorFile { db: Mutex::new(Db { conn, writes: 0, stopped: None }) })
    }

    fn db(&self) -> Result<MutexGuard<'_, Db>, AnchorError> {
        let db = self.db.lock().unwrap_or_else(|e| e.into_inner());
        match &db.stopped {
            Some(reason) => {
                Err(AnchorError::File(format!("stopped after a failed write ({reason}); restart the server")))
            }
            None => Ok(db),
        }
    }

    pub fn all(&self) -> Result<Vec<Anchored>, AnchorError> {
        let rows: Vec<Raw> = {
            let db = self.db()?;
            let mut query = db.conn.prepare(&format!("{COLUMNS} ORDER BY ledger"))?;
            query.query_map([], raw)?.collect::<rusqlite::Result<_>>()?
        };
        rows.into_iter().map(anchored).collect()
    }

    /// The signed checkpoint of this size, of the newest generation that has one.
    pub fn checkpoint(&self, ledger: Uuid, size: u64) -> Result<Option<Note>, AnchorError> {
        let db = self.db()?;
        let newest = "SELECT note FROM checkpoint WHERE ledger = ?1 AND size = ?2 ORDER BY generation DESC LIMIT 1";
        let found =
            db.conn.prepare_cached(newest)?.query_row(params![ledger.as_bytes(), size as i64], |row| row.get(0));
        let note: Option<String> = found.optional()?;
        let parse = |note: String| Note::parse(note.as_bytes());
        note.map(parse).transpose().map_err(|e| AnchorError::File(format!("a checkpoint of ledger {ledger}: {e}")))
    }

    /// Sizes of the kept checkpoints of a generation, newest first.
    pub fn sizes(&self, ledger: Uuid, generation: u16, limit: usize) -> Result<Vec<u64>, AnchorError> {
        let db = self.db()?;
        let mut query = db.conn.prepare_cached(
            "SELECT size FROM checkpoint WHERE ledger = ?1 AND generation = ?2 ORDER BY size DESC LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query.query_map(params![ledger.as_bytes(), generation, limit], |row| row.get::<_, i64>(0))?;
        Ok(rows.map(|size| size.map(|size| size as u64)).collect::<rusqlite::Result<_>>()?)
    }

    /// Puts each new state in the place of the one it grew from; all or none, durable when it returns.
    pub fn advance(&self, steps: &[(Option<Anchored>, Anchored)]) -> Result<(), AnchorError> {
        self.write(|tx| {
            for (from, to) in steps {
                if !swap(tx, from.as_ref(), to)? {
                    return Ok(Err(to.ledger));
                }
            }
            Ok(Ok(()))
        })?
        .map_err(|ledger| {
            AnchorError::File(format!("ledger {ledger} was anchored by somebody else; is a second server running?"))
        })
    }

    pub fn vault_generation(&self) -> Result<u64, AnchorError> {
        let generation =
            self.db()?.conn.query_row("SELECT vault_generation FROM state", [], |row| row.get::<_, i64>(0))?;
        Ok(generation as u64)
    }

    pub fn raise_vault_generation(&self, to: u64) -> Result<(), AnchorError> {
        let raise = "UPDATE state SET vault_generation = ?1 WHERE vault_generation < ?1";
        self.write(|tx| Ok(Ok(tx.execute(raise, [to as i64])?)))?
            .map(|_| ())
            .map_err(|()| AnchorError::File(String::new()))
    }

    /// An inner error takes the transaction back.
    fn write<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<T, E>>,
    ) -> Result<Result<T, E>, AnchorError> {
        let mut db = self.db()?;
        let write = |conn: &mut Connection| {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            if done.is_ok() {
                tx.commit()?
            } else {
                tx.rollback()?
            }
            rusqlite::Result::Ok(done)
        };
        let done = write(&mut db.conn);
        db.writes += 1;
        let checked = done.and_then(|done| {
            if db.writes >= CHECKPOINT_WRITES {
                sqlite::checkpoint(&db.conn, "PASSIVE")?;
                db.writes = 0;
            }
            Ok(done)
        });
        checked.map_err(|error| {
            if !sqlite::is_full(&error) && !sqlite::is_busy(&error) {
                db.stopped = Some(error.to_string());
            }
            error.into()
        })
    }
}

/// `false` = the anchor is not where `from` says, or `to` is not larger.
fn swap(tx: &Transaction<'_>, from: Option<&Anchored>, to: &Anchored) -> rusqlite::Result<bool> {
    let ledger = to.ledger.as_bytes();
    let note = to.checkpoint.to_string();
    let changed = match from {
        None => tx
            .prepare_cached("INSERT OR IGNORE INTO anchor VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![ledger, to.generation, to.size as i64, to.head.0, to.root.0, note])?,
        Some(from) => {
            let larger = to.generation == from.generation && to.size > from.size;
            if !larger && Some(to.generation) != from.generation.checked_add(1) {
                return Ok(false);
            }
            let mut update = tx.prepare_cached(
                "UPDATE anchor SET generation = ?2, size = ?3, head = ?4, root = ?5, checkpoint = ?6
                 WHERE ledger = ?1 AND generation = ?7 AND size = ?8 AND root = ?9",
            )?;
            let (size, was) = (to.size as i64, from.size as i64);
            update.execute(params![
                ledger, to.generation, size, to.head.0, to.root.0, note, from.generation, was, from.root.0
            ])?
        }
    };
    let keep = "INSERT OR REPLACE INTO checkpoint (ledger, generation, size, note) VALUES (?1, ?2, ?3, ?4)";
    tx.prepare_cached(keep)?.execute(params![ledger, to.generation, to.size as i64, note])?;
    // Now and then is enough; most ledgers never get there.
    if to.size.is_multiple_of(64) {
        let mut trim = tx.prepare_cached(
            "DELETE FROM checkpoint WHERE ledger = ?1 AND generation = ?2 AND size < (SELECT size FROM checkpoint
             WHERE ledger = ?1 AND generation = ?2 ORDER BY size DESC LIMIT 1 OFFSET ?3)",
        )?;
        trim.execute(params![ledger, to.generation, KEPT as i64])?;
    }
    Ok(changed == 1)
}
