//! The writer's thread of the SQLite engine.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::plan::{Plan, View, plan, plan_fresh};
use super::{Job, Shared, read, stopped};
use crate::chain::{Append, Commit, Head, Span};
use crate::record::Stream;
use crate::sign::Signers;
use crate::sqlite::{checkpoint, is_busy, is_full, is_taken, say};
use crate::store::{Outcome, Read, StoreError, TileRow};

/// Estimated pages in the write-ahead log at which they are moved into the file.
const CHECKPOINT_PAGES: usize = 2_000;

/// Memory for pages (a negative `cache_size` is KiB): the right edges of the tables, and the leaves of the index by append
/// id that the next appends fall into.
const CACHE_KIB: i64 = 16_000;

/// The only one who writes.
pub(super) struct Writer {
    conn: Connection,
    signers: Arc<dyn Signers>,
    shared: Arc<Shared>,
    // Numbers of the ledgers met so far.
    ledgers: HashMap<Uuid, i64>,
    next_record: i64,
    pages: usize,
}

impl Writer {
    pub fn new(conn: Connection, signers: Arc<dyn Signers>, shared: Arc<Shared>) -> rusqlite::Result<Writer> {
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        let next_record = conn.query_row("SELECT ifnull(max(no), 0) + 1 FROM record", [], |row| row.get(0))?;
        Ok(Writer { conn, signers, shared, ledgers: HashMap::new(), next_record, pages: 0 })
    }

    /// Works until the store is dropped.
    pub fn run(mut self, jobs: mpsc::Receiver<Job>) {
        let mut next = jobs.recv().ok();
        while let Some(job) = next.take() {
            match job {
                Job::Commit(batch, answer) => {
                    let outcomes = self.commit(&batch);
                    let _ = answer.send(outcomes);
                }
                Job::DropBodies(ledger, answer) => {
                    let done = self.drop_bodies(ledger);
                    let _ = answer.send(done);
                }
                Job::Place(place, answer) => {
                    let done = self.put_place(&place);
                    let _ = answer.send(done);
                }
                Job::Apply(commits, answer) => {
                    // All that wait share one write.
                    let mut all = vec![(commits, answer)];
                    while all.len() < 256 {
                        match jobs.try_recv() {
                            Ok(Job::Apply(commits, answer)) => all.push((commits, answer)),
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    for (done, answer) in self.apply(all) {
                        let _ = answer.send(done);
                    }
                }
                Job::Tiles(ledger, tiles, answer) => {
                    // All that wait share one write.
                    let mut all = vec![(ledger, tiles, answer)];
                    while all.len() < 256 {
                        match jobs.try_recv() {
                            Ok(Job::Tiles(ledger, tiles, answer)) => all.push((ledger, tiles, answer)),
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    let done = self.put_tiles(&all);
                    for (_, _, answer) in all {
                        let _ = answer.send(done.clone());
                    }
                }
            }
            self.checkpoint();
            if next.is_none() {
                next = jobs.recv().ok();
            }
        }
        // A clean end leaves one file. If it cannot be, the next start does it.
        if !self.shared.is_dead() {
            let _ = checkpoint(&self.conn, "TRUNCATE");
        }
    }

    fn commit(&mut self, batch: &[Append]) -> Vec<Outcome> {
        let unknown = || Outcome::Unknown(stopped().to_string());
        if self.shared.is_dead() {
            return vec![unknown(); batch.len()];
        }
        let (plan, written) = match self.write(batch) {
            Ok(done) => done,
            // Nothing was written.
            Err(error) => return vec![self.failed(error); batch.len()],
        };
        if plan.commits.is_empty() {
            self.roll_back();
            return plan.outcomes;
        }
        // The commit point of the whole program is the COMMIT here.
        match written.and_then(|()| say(&self.conn, "COMMIT")) {
            Ok(()) => {
                self.shared.changed.send_modify(|n| *n += 1);
                plan.outcomes
            }
            Err(error) => {
                let instead = self.failed(error);
                plan.unwritten(instead)
            }
        }
    }

    /// Plans and inserts, in a transaction that is open afterwards. First as if all were new; the indexes say if not.
    fn write(&mut self, batch: &[Append]) -> rusqlite::Result<(Plan, rusqlite::Result<()>)> {
        let signers = self.signers.clone();
        self.begin()?;
        if let Some(plan) = plan_fresh(self, batch, &*signers)? {
            match self.insert(&plan.commits) {
                Err(error) if is_taken(&error) => {
                    self.take_back();
                    self.begin()?;
                }
                written => return Ok((plan, written)),
            }
        }
        let plan = plan(self, batch, &*signers)?;
        let written = self.insert(&plan.commits);
        Ok((plan, written))
    }

    fn begin(&self) -> rusqlite::Result<()> {
        say(&self.conn, "BEGIN IMMEDIATE")
    }

    fn roll_back(&mut self) {
        if !self.conn.is_autocommit() {
            let _ = say(&self.conn, "ROLLBACK");
        }
    }

    fn take_back(&mut self) {
        self.roll_back();
        // It may name ledgers that were just taken back.
        self.ledgers.clear();
    }

    /// Takes everything back and says what the callers are told. There are two kinds only: no room, or the end.
    fn failed(&mut self, error: rusqlite::Error) -> Outcome {
        self.take_back();
        if is_full(&error) {
            return Outcome::Full;
        }
        if is_busy(&error) {
            return Outcome::Busy;
        }
        self.shared.die(&format!("writing the log has failed: {error}"));
        Outcome::Unknown(format!("writing the log has failed: {error}"))
    }

    fn insert(&mut self, commits: &[Commit]) -> rusqlite::Result<()> {
        let mut no = self.next_record;
        for commit in commits {
            self.insert_commit(commit, no)?;
            no += commit.records.len() as i64;
        }
        self.next_record = no;
        Ok(())
    }

    fn insert_commit(&mut self, commit: &Commit, first_no: i64) -> rusqlite::Result<()> {
        let ledger = self.put_head(&commit.head)?;
        let conn = &self.conn;
        let mut bytes = 0;
        let mut record = conn.prepare_cached("INSERT INTO record (no, leaf, body) VALUES (?1, ?2, ?3)")?;
        for (no, new) in (first_no..).zip(&commit.records) {
            record.execute(params![no, new.leaf, new.body])?;
            bytes += new.leaf.len() + new.body.as_ref().map_or(0, Vec::len);
        }
        let (first, last) = (commit.spans.first(), commit.records.last());
        if let (Some(first), Some(last)) = (first, last) {
            let at = params![ledger, commit.head.size as i64 - 1, first.first as i64, first_no, last.signature];
            let insert =
                "INSERT INTO ledger_commit (ledger, last, first, record, signature) VALUES (?1, ?2, ?3, ?4, ?5)";
            conn.prepare_cached(insert)?.execute(at)?;
        }
        let mut append = conn.prepare_cached("INSERT INTO append (ledger, id, first, last) VALUES (?1, ?2, ?3, ?4)")?;
        for span in &commit.spans {
            let leaf = &commit.leaves[(span.first - commit.spans[0].first) as usize];
            append.execute(params![ledger, leaf.append_id.as_bytes(), span.first as i64, span.last as i64])?;
        }
        let mut place = conn.prepare_cached(
            "INSERT INTO stream_record (ledger, id, kind, version, position) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for leaf in &commit.leaves {
            let Stream { kind, id } = &leaf.stream;
            place.execute(params![ledger, id.as_bytes(), kind, leaf.stream_version as i64, leaf.position as i64])?;
        }
        self.pages += 5 + bytes / 2_000;
        Ok(())
    }

    fn put_head(&mut self, head: &Head) -> rusqlite::Result<i64> {
        let known = self.number(head.ledger)?;
        let sql = match known {
            Some(_) => {
                "UPDATE ledger SET size = ?3, last_hash = ?4, last_time_us = ?5, last_append = ?6,
                 generation = ?7, signer = ?8, closed = ?9 WHERE no = ?1"
            }
            None => {
                "INSERT INTO ledger (no, id, size, last_hash, last_time_us, last_append, generation, signer, closed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
            }
        };
        self.conn.prepare_cached(sql)?.execute(params![
            known,
            head.ledger.as_bytes(),
            head.size as i64,
            head.last.0,
            head.last_time_us as i64,
            head.last_append.as_bytes(),
            head.generation,
            head.signer,
            head.closed,
        ])?;
        let no = known.unwrap_or_else(|| self.conn.last_insert_rowid());
        self.ledgers.insert(head.ledger, no);
        Ok(no)
    }

    /// Writes commits that were made elsewhere. One that does not follow its ledger's head refuses only its own call.
    fn apply<T>(&mut self, all: Vec<(Vec<Commit>, T)>) -> Vec<(Read<()>, T)> {
        let mut done = vec![];
        let before = self.next_record;
        let written = self.transaction(|writer| {
            for (commits, _) in &all {
                done.push(writer.apply_in_order(commits)?);
            }
            Ok(())
        });
        if written.is_ok() && self.next_record > before {
            self.shared.changed.send_modify(|n| *n += 1);
        }
        if written.is_err() {
            self.next_record = before;
            done = vec![written; all.len()];
        }
        done.into_iter().zip(all).map(|(done, (_, answer))| (done, answer)).collect()
    }

    fn apply_in_order(&mut self, commits: &[Commit]) -> rusqlite::Result<Read<()>> {
        for commit in commits {
            let (ledger, first) = (commit.head.ledger, commit.head.size - commit.records.len() as u64);
            let head = View::head(self, ledger)?.unwrap_or_else(|| Head::empty(ledger));
            if commit.head.size <= head.size {
                continue;
            }
            if first != head.size || commit.leaves[0].prev != head.last {
                let reason = "the commit does not follow what the mirror holds".to_owned();
                return Ok(Err(StoreError::Damaged { ledger, position: first, reason }));
            }
            self.insert(std::slice::from_ref(commit))?;
        }
        Ok(Ok(()))
    }

    fn put_place(&mut self, place: &[u8]) -> Read<()> {
        self.transaction(|writer| {
            let put = "INSERT INTO mirror (no, place) VALUES (1, ?1) ON CONFLICT (no) DO UPDATE SET place = ?1";
            writer.conn.execute(put, [place])?;
            writer.pages += 1;
            Ok(())
        })
    }

    fn put_tiles<T>(&mut self, all: &[(Uuid, Vec<TileRow>, T)]) -> Read<()> {
        self.transaction(|writer| {
            for (ledger, tiles, _) in all {
                let Some(no) = writer.number(*ledger)? else { continue };
                let put = "INSERT INTO tile (ledger, level, idx, hashes) VALUES (?1, ?2, ?3, ?4)
                           ON CONFLICT (ledger, level, idx) DO UPDATE SET hashes = excluded.hashes";
                let mut put = writer.conn.prepare_cached(put)?;
                for tile in tiles {
                    let hashes: Vec<u8> = tile.hashes.iter().flat_map(|hash| hash.0).collect();
                    put.execute(params![no, tile.level, tile.index as i64, hashes])?;
                }
                writer.pages += 3 * tiles.len();
            }
            Ok(())
        })
    }

    fn drop_bodies(&mut self, ledger: Uuid) -> Read<()> {
        let row = read::ledger(&self.conn, ledger)?.filter(|row| row.head.closed);
        let Some(row) = row else {
            return Err(StoreError::Unavailable("only a closed ledger's bodies may be dropped".to_owned()));
        };
        self.transaction(|writer| {
            // Sealed bodies only (byte 2 of the leaf): those of ledger.* records name the signers and stay.
            writer.conn.execute(
                "UPDATE record SET body = NULL WHERE substr(leaf, 3, 1) = x'01' AND no IN (
                   SELECT r.no FROM ledger_commit c CROSS JOIN record r
                     ON r.no BETWEEN c.record AND c.record + c.last - c.first WHERE c.ledger = ?1)",
                [row.no],
            )?;
            writer.conn.execute("UPDATE ledger SET bodies_dropped = 1 WHERE no = ?1", [row.no])?;
            writer.pages += CHECKPOINT_PAGES;
            Ok(())
        })
    }

    fn transaction(&mut self, work: impl FnOnce(&mut Writer) -> rusqlite::Result<()>) -> Read<()> {
        if self.shared.is_dead() {
            return Err(stopped());
        }
        let done = self.begin().and_then(|()| work(self)).and_then(|()| say(&self.conn, "COMMIT"));
        done.map_err(|error| {
            let text = error.to_string();
            self.failed(error);
            StoreError::Unavailable(text)
        })
    }

    fn number(&mut self, ledger: Uuid) -> rusqlite::Result<Option<i64>> {
        if let Some(no) = self.ledgers.get(&ledger) {
            return Ok(Some(*no));
        }
        let found = read::ledger(&self.conn, ledger)?.map(|row| row.no);
        if let Some(no) = found {
            self.ledgers.insert(ledger, no);
        }
        Ok(found)
    }

    /// After the answers are out. A failed sync here is as fatal as one in a commit; no room only means later.
    fn checkpoint(&mut self) {
        if self.pages < CHECKPOINT_PAGES || self.shared.is_dead() {
            return;
        }
        match checkpoint(&self.conn, "PASSIVE") {
            Ok(_) => self.pages = 0,
            Err(error) if is_full(&error) || is_busy(&error) => self.pages = CHECKPOINT_PAGES / 2,
            Err(error) => self.shared.die(&format!("moving the write-ahead log into the file has failed: {error}")),
        }
    }
}

impl View for Writer {
    type Error = rusqlite::Error;

    fn head(&mut self, ledger: Uuid) -> rusqlite::Result<Option<Head>> {
        let row = read::ledger(&self.conn, ledger)?;
        if let Some(row) = &row {
            self.ledgers.insert(ledger, row.no);
        }
        Ok(row.map(|row| row.head))
    }

    fn find_append(&mut self, ledger: Uuid, append_id: Uuid) -> rusqlite::Result<Read<Option<Span>>> {
        match self.number(ledger)? {
            Some(no) => read::find_append(&self.conn, no, ledger, append_id),
            None => Ok(Ok(None)),
        }
    }

    fn version(&mut self, ledger: Uuid, stream: &Stream) -> rusqlite::Result<Option<u64>> {
        match self.number(ledger)? {
            Some(no) => read::version(&self.conn, no, stream),
            None => Ok(None),
        }
    }
}
