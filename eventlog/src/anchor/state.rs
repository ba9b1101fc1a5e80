//! What the anchor remembers: one row a ledger, changed only by compare-and-swap to a larger state.

use std::sync::{Mutex, MutexGuard};

use rusqlite_migration::M;
use uuid::Uuid;

use super::{AnchorError, Anchored};
use crate::checkpoint::Checkpoint;
use crate::kept::{FatalHook, Kept, Place, Tables};
use crate::note::Note;
use crate::record::Hash;
use crate::sql::{OpenError, Row, Scope, SqlError, ToValue, Tx, Value};
use crate::values;

const TABLES: Tables = Tables {
    sqlite: &[
        M::up(include_str!("../../../migrations/sqlite/anchor/0001_anchor.sql")),
        M::up(include_str!("../../../migrations/sqlite/anchor/0002_history.sql")),
    ],
    postgres: ("keiin_anchor", &[("anchor", include_str!("../../../migrations/postgres/anchor/0001_anchor.sql"))]),
};
/// Checkpoints of a ledger that are kept.
const KEPT: u64 = 10_000;

/// The opened anchor.
pub(super) struct State {
    db: Mutex<Kept>,
    shared: bool,
}

const COLUMNS: &str = "SELECT ledger, generation, size, head, root, checkpoint FROM anchor";

fn anchored(row: &Row) -> Result<Anchored, AnchorError> {
    let ledger: Uuid = row.get(0)?;
    let note: String = row.get(5)?;
    let unfit = || AnchorError::File(format!("the row of ledger {ledger} does not agree with its own checkpoint"));
    let checkpoint = Note::parse(note.as_bytes()).map_err(|_| unfit())?;
    let says = Checkpoint::parse(checkpoint.text()).map_err(|_| unfit())?;
    let (size, head, root) = (row.get(2)?, Hash(row.get(3)?), Hash(row.get(4)?));
    if says.size != size || says.root != root {
        return Err(unfit());
    }
    Ok(Anchored { ledger, generation: row.get(1)?, size, head, root, checkpoint })
}

impl State {
    pub fn open(place: &Place) -> Result<State, OpenError> {
        Ok(State::with(Kept::open(place, &TABLES)?))
    }

    pub fn open_reader(place: &Place) -> Result<State, OpenError> {
        Ok(State::with(Kept::open_reader(place, &TABLES)?))
    }

    fn with(db: Kept) -> State {
        State { shared: db.is_shared(), db: Mutex::new(db) }
    }

    /// Do several nodes write it?
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Sets what is called once when a write to the file has failed.
    pub fn on_fatal(&self, hook: FatalHook) {
        self.db.lock().unwrap_or_else(|e| e.into_inner()).on_fatal(hook);
    }

    fn db(&self) -> Result<MutexGuard<'_, Kept>, AnchorError> {
        let db = self.db.lock().unwrap_or_else(|e| e.into_inner());
        match db.stopped() {
            Some(reason) => {
                Err(AnchorError::File(format!("stopped after a failed write ({reason}); restart the server")))
            }
            None => Ok(db),
        }
    }

    pub fn all(&self) -> Result<Vec<Anchored>, AnchorError> {
        let rows = self.db()?.query(Scope::All, &format!("{COLUMNS} ORDER BY ledger"), &[])?;
        rows.iter().map(anchored).collect()
    }

    /// The rows of these ledgers, as they are now.
    pub fn some(&self, ledgers: &[Uuid]) -> Result<Vec<Anchored>, AnchorError> {
        let mut found = vec![];
        for some in ledgers.chunks(500) {
            let marks: Vec<String> = (1..=some.len()).map(|n| format!("${n}")).collect();
            let values: Vec<Value> = some.iter().map(|ledger| ledger.to_value()).collect();
            let sql = format!("{COLUMNS} WHERE ledger IN ({})", marks.join(", "));
            let rows = self.db()?.query(Scope::All, &sql, &values)?;
            found.extend(rows.iter().map(anchored).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(found)
    }

    /// The signed checkpoint of this size, of the newest generation that has one.
    pub fn checkpoint(&self, ledger: Uuid, size: u64) -> Result<Option<Note>, AnchorError> {
        let newest = "SELECT note FROM checkpoint WHERE ledger = $1 AND size = $2 ORDER BY generation DESC LIMIT 1";
        let row = self.db()?.row(Scope::Ledger(ledger), newest, &values![ledger, size])?;
        let note: Option<String> = row.map(|row| row.get(0)).transpose()?;
        let parse = |note: String| Note::parse(note.as_bytes());
        note.map(parse).transpose().map_err(|e| AnchorError::File(format!("a checkpoint of ledger {ledger}: {e}")))
    }

    /// Sizes of the kept checkpoints of a generation, newest first.
    pub fn sizes(&self, ledger: Uuid, generation: u16, limit: usize) -> Result<Vec<u64>, AnchorError> {
        let newest = "SELECT size FROM checkpoint WHERE ledger = $1 AND generation = $2 ORDER BY size DESC LIMIT $3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.db()?.query(Scope::Ledger(ledger), newest, &values![ledger, generation, limit])?;
        Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
    }

    /// Puts each new state in the place of the one it grew from; all or none, durable when it returns. The error names the
    /// first ledger that stands elsewhere.
    pub fn advance(&self, steps: &[(Option<Anchored>, Anchored)]) -> Result<Result<(), Uuid>, AnchorError> {
        let done = self.db()?.write(Scope::All, |tx| {
            for (from, to) in steps {
                if !swap(tx, from.as_ref(), to)? {
                    return Err(Halt::Elsewhere(to.ledger));
                }
            }
            Ok(())
        });
        match done {
            Ok(()) => Ok(Ok(())),
            Err(Halt::Elsewhere(ledger)) => Ok(Err(ledger)),
            Err(Halt::Sql(error)) => Err(error.into()),
        }
    }

    pub fn vault_generation(&self) -> Result<u64, AnchorError> {
        let row = self.db()?.row(Scope::All, "SELECT vault_generation FROM state", &[])?;
        let row = row.ok_or_else(|| AnchorError::File("its row of state is missing".into()))?;
        Ok(row.get(0)?)
    }

    pub fn raise_vault_generation(&self, to: u64) -> Result<(), AnchorError> {
        let raise = "UPDATE state SET vault_generation = $1 WHERE vault_generation < $1";
        self.db()?.write(Scope::All, |tx| tx.execute(raise, &values![to]).map(|_| ()))?;
        Ok(())
    }

    /// The newest timeline of a database that was seen, this one included; `remember` it.
    pub fn newest_timeline(&self, system: i64, timeline: i64, remember: bool) -> Result<i64, AnchorError> {
        let known = "SELECT timeline FROM history WHERE system = $1";
        let known = self.db()?.row(Scope::All, known, &values![system])?.map(|row| row.get::<i64>(0)).transpose()?;
        if let Some(known) = known.filter(|known| *known >= timeline) {
            return Ok(known);
        }
        if !remember {
            return Ok(timeline);
        }
        let raise = "INSERT INTO history (system, timeline) VALUES ($1, $2)
                     ON CONFLICT (system) DO UPDATE SET timeline = excluded.timeline
                     WHERE history.timeline < excluded.timeline";
        self.db()?.write(Scope::All, |tx| tx.execute(raise, &values![system, timeline]).map(|_| ()))?;
        Ok(timeline)
    }

    /// Remembers that a ledger lives on somewhere else. Its row stays as it is.
    pub fn set_moved(&self, ledger: Uuid, to: &str) -> Result<(), AnchorError> {
        let set = "UPDATE anchor SET moved_to = $2 WHERE ledger = $1";
        self.db()?.write(Scope::Ledger(ledger), |tx| tx.execute(set, &values![ledger, to]).map(|_| ()))?;
        Ok(())
    }

    /// Ledgers that live on somewhere else, and where.
    pub fn moved(&self) -> Result<Vec<(Uuid, String)>, AnchorError> {
        let moved = "SELECT ledger, moved_to FROM anchor WHERE moved_to IS NOT NULL";
        let rows = self.db()?.query(Scope::All, moved, &[])?;
        Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, SqlError>>()?)
    }
}

enum Halt {
    Elsewhere(Uuid),
    Sql(SqlError),
}

impl From<SqlError> for Halt {
    fn from(error: SqlError) -> Halt {
        Halt::Sql(error)
    }
}

/// `false` = the anchor is not where `from` says, or `to` is not larger.
fn swap(tx: &mut Tx<'_>, from: Option<&Anchored>, to: &Anchored) -> Result<bool, SqlError> {
    let note = to.checkpoint.to_string();
    let mut values = values![to.ledger, to.generation, to.size, to.head.0, to.root.0, note.as_str()].to_vec();
    let changed = match from {
        None => tx.execute(
            "INSERT INTO anchor (ledger, generation, size, head, root, checkpoint) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (ledger) DO NOTHING",
            &values,
        )?,
        Some(from) => {
            let larger = to.generation == from.generation && to.size > from.size;
            if !larger && Some(to.generation) != from.generation.checked_add(1) {
                return Ok(false);
            }
            values.extend(values![from.generation, from.size, from.root.0]);
            tx.execute(
                "UPDATE anchor SET generation = $2, size = $3, head = $4, root = $5, checkpoint = $6
                 WHERE ledger = $1 AND generation = $7 AND size = $8 AND root = $9",
                &values,
            )?
        }
    };
    if changed != 1 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO checkpoint (ledger, generation, size, note) VALUES ($1, $2, $3, $4)
         ON CONFLICT (ledger, generation, size) DO UPDATE SET note = excluded.note",
        &values![to.ledger, to.generation, to.size, note],
    )?;
    // Now and then is enough; most ledgers never get there.
    if to.size.is_multiple_of(64) {
        tx.execute(
            "DELETE FROM checkpoint WHERE ledger = $1 AND generation = $2 AND size < (SELECT size FROM checkpoint
             WHERE ledger = $1 AND generation = $2 ORDER BY size DESC LIMIT 1 OFFSET $3)",
            &values![to.ledger, to.generation, KEPT],
        )?;
    }
    Ok(true)
}
