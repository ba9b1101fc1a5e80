//! Folding everything from zero. What is appended meanwhile is folded on top; readers see the old rows until the new ones
//! are whole.
//!
//! * SQLite: into tables beside the live ones, which are swapped in at the end, all ledgers at once.
//! * PostgreSQL: nobody who serves may make tables, so ledger after ledger: its rows are replaced in one transaction.

use keiin_eventlog::sql::postgres::Client;
use keiin_eventlog::sql::{Connection, Scope, SqlError};
use keiin_eventlog::store::StoreError;
use keiin_eventlog::values;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{HEADS, PAGE, Position, ReadModelError, Runner, fold, slowest};
use crate::database::sqlite;
use crate::fact::{Fact, Opener, Unreadable};
use crate::sink::Memory;

type Facts = Vec<Result<Fact, Unreadable>>;

/// One ledger, folded in memory.
struct Folded {
    memory: Memory,
    at: Vec<Position>,
    /// Records that were read.
    next: u64,
}

impl Runner {
    /// Folds everything from zero. Returns the records folded.
    pub async fn rebuild(&self) -> Result<u64, ReadModelError> {
        let _alone = self.rebuilding.lock().await;
        let in_place = self.shared.is_some();
        if !in_place {
            let tables = self.tables();
            self.lock().write(Scope::All, |tx| sqlite::create_beside(tx, &tables))?;
        }
        let (mut reached, mut count, mut after) = (vec![], 0, None);
        loop {
            let heads = self.log.heads(after, HEADS).await?;
            let Some(last) = heads.last() else { break };
            after = Some(last.ledger);
            for head in &heads {
                let at = vec![Position::default(); self.projections.len()];
                let mut folded = Folded { memory: Memory::of(head.ledger), at, next: 0 };
                if in_place {
                    self.replace(head.ledger, head.size, &mut folded).await?;
                } else {
                    self.fold_in_memory(head.ledger, head.size, &mut folded, true).await?;
                    self.lock().write(Scope::All, |tx| folded.memory.write_out(tx, "_beside", false))?;
                    reached.push((head.ledger, folded.at));
                }
                count += folded.next;
            }
        }
        if !in_place {
            self.swap_in(&reached)?;
        }
        self.catch_up().await?;
        Ok(count)
    }

    /// Folds a ledger up to `size`. With tables beside, rows of tables that only grow go there at once.
    async fn fold_in_memory(
        &self,
        ledger: Uuid,
        size: u64,
        folded: &mut Folded,
        beside: bool,
    ) -> Result<(), ReadModelError> {
        let opener = Opener { vault: &self.vault, ledger };
        let mut writes = vec![];
        let mut opening = self.open_page(ledger, folded.next, size);
        while folded.next < size {
            let facts = opening.await.expect("records are opened without a panic")?;
            if facts.is_empty() {
                break;
            }
            folded.next += facts.len() as u64;
            // The next page is read and opened on another core meanwhile.
            opening = self.open_page(ledger, folded.next, size);
            for fact in &facts {
                for (projection, position) in self.projections.iter().zip(&mut folded.at) {
                    fold(projection, fact, &opener, position, &mut writes);
                }
                writes.drain(..).for_each(|write| folded.memory.write(write));
            }
            if beside {
                self.lock().write(Scope::All, |tx| folded.memory.write_out(tx, "_beside", true))?;
            }
        }
        Ok(())
    }

    fn open_page(&self, ledger: Uuid, from: u64, size: u64) -> JoinHandle<Result<Facts, StoreError>> {
        let (log, vault) = (self.log.clone(), self.vault.clone());
        tokio::spawn(async move {
            let wanted = PAGE.min(size.saturating_sub(from) as usize);
            let records = if wanted == 0 { vec![] } else { log.read(ledger, from, wanted).await? };
            Ok(records.iter().map(|record| Fact::open(record, &vault)).collect())
        })
    }

    /// Puts the rebuilt tables in place, with the positions that they stand at.
    fn swap_in(&self, reached: &[(Uuid, Vec<Position>)]) -> Result<(), ReadModelError> {
        let mut connection = self.lock();
        connection.write(Scope::All, |tx| {
            sqlite::swap(tx, self.projections)?;
            for (ledger, at) in reached {
                tx.insert("positions", &POSITION, self.rows(*ledger, at))?;
            }
            Ok::<_, SqlError>(())
        })?;
        // If a reader is in the way now, the catch-up that follows tries again.
        let _ = self.forget(&connection);
        // Lower than before where records arrived meanwhile: they are folded again, on top of the new tables.
        self.done.send_modify(|done| {
            *done = reached.iter().map(|(ledger, at)| (*ledger, slowest(at).unwrap_or(0))).collect();
        });
        Ok(())
    }

    /// Replaces a ledger's rows by what is folded from zero.
    async fn replace(&self, ledger: Uuid, mut size: u64, folded: &mut Folded) -> Result<(), ReadModelError> {
        let Some(client) = &self.shared else { return Ok(()) };
        loop {
            self.fold_in_memory(ledger, size, folded, false).await?;
            let Some(further) = self.put_in_place(client.patient(PATIENCE), ledger, folded, size)? else {
                return Ok(());
            };
            // Somebody has folded on meanwhile; readers must not see less than before.
            size = further;
        }
    }

    /// In one transaction; or how far the live rows are beyond `size`, and nothing was done.
    fn put_in_place(
        &self,
        client: Client,
        ledger: Uuid,
        folded: &mut Folded,
        size: u64,
    ) -> Result<Option<u64>, ReadModelError> {
        let ahead = Connection::Postgres(client).write(Scope::Ledger(ledger), |tx| {
            self.claim(tx, ledger)?;
            let furthest =
                tx.row("SELECT coalesce(max(next), 0) FROM positions WHERE ledger = $1", &values![ledger])?;
            let furthest: u64 = furthest.map_or(Ok(0), |row| row.get(0))?;
            if furthest > size {
                return Ok::<_, SqlError>(Some(furthest));
            }
            for table in self.tables() {
                tx.execute(&format!("DELETE FROM {} WHERE ledger = $1", table.name), &values![ledger])?;
            }
            folded.memory.write_out(tx, "", false)?;
            tx.execute("DELETE FROM positions WHERE ledger = $1", &values![ledger])?;
            tx.insert("positions", &POSITION, self.rows(ledger, &folded.at))?;
            Ok(None)
        })?;
        Ok(ahead)
    }

    fn rows(&self, ledger: Uuid, at: &[Position]) -> Vec<Vec<crate::table::Value>> {
        let row =
            |(p, at): (&super::Projection, &Position)| values![p.name, ledger, at.next, at.stopped.clone()].to_vec();
        self.projections.iter().zip(at).map(row).collect()
    }
}

const POSITION: [&str; 4] = ["projection", "ledger", "next", "stopped"];
/// How long one statement of a replacement may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(600);
