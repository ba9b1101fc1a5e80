//! Writing: lock, look, plan, insert, commit; and finding out what became of a commit that was not answered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{query, query_as};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::plan::{Plan, View, plan, plan_fresh};
use super::session::{ANSWER, Session, lock_what_is_free};
use super::{PostgresStore, read};
use crate::chain::{Append, Commit, Head, Span};
use crate::clear::OPENED;
use crate::record::{Stream, is_stream_kind};
use crate::sql::SqlError;
use crate::store::{Outcome, Read, StoreError, TileRow};

/// Most ledgers in one transaction: row-level security compares each row with each of them.
const LEDGERS: usize = 256;
/// How long one ledger is waited for that another node holds, and all of a call together.
const PATIENCE: [Duration; 2] = [Duration::from_millis(700), Duration::from_millis(1_500)];
/// How long a transaction is waited for whose commit was not answered.
const LOST: Duration = Duration::from_millis(1_000);

/// Most records that are planned where we are: a signature and some hashes, sooner done than handed to another thread.
const AT_ONCE: usize = 64;

/// How much time there must be to do a round again.
const AGAIN: Duration = Duration::from_millis(300);

type Answers = Vec<(usize, Outcome)>;

impl PostgresStore {
    pub(super) async fn write(&self, batch: Vec<Append>) -> Vec<Outcome> {
        let (batch, started) = (Arc::new(batch), Instant::now());
        let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
        let mut open: Vec<usize> = (0..batch.len()).collect();
        // A ledger that was passed over because another node holds it. Others are never held while it is waited for.
        let mut wait_for: Option<Uuid> = None;
        while !open.is_empty() && (wait_for.is_none() || started.elapsed() < PATIENCE[1]) {
            let part = part(&batch, &open);
            let same = |error: SqlError| part.iter().map(|at| (*at, outcome(&error))).collect();
            let until = Instant::now() + ANSWER;
            let mut answered = self.round(&batch, &part, wait_for, until, true).await;
            // Most likely something that was hoped to be new is there already. Nothing was written.
            if let Err(SqlError::Failed(_)) = answered {
                let time_left = until.saturating_duration_since(Instant::now()) > AGAIN;
                answered = match time_left {
                    true => self.round(&batch, &part, wait_for, until, false).await,
                    false => Err(SqlError::Busy),
                };
            }
            let answers: Answers = match (answered, wait_for) {
                (Ok(answers), _) => answers,
                (Err(SqlError::Away(_)), _) => break,
                (Err(SqlError::Busy), Some(held)) => {
                    part.iter().filter(|at| batch[**at].ledger == held).map(|at| (*at, Outcome::Busy)).collect()
                }
                (Err(error), _) => same(error),
            };
            answers.into_iter().for_each(|(at, outcome)| outcomes[at] = Some(outcome));
            open.retain(|at| outcomes[*at].is_none());
            wait_for = open.first().filter(|at| part.contains(at)).map(|at| batch[*at].ledger);
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Busy)).collect()
    }

    /// One transaction. Answers what is decided; appends to ledgers that another node holds are left out. `hope`: with no
    /// look at what nearly always is new, if that is all there is; the tables' indexes say if it is not.
    async fn round(
        &self,
        batch: &Arc<Vec<Append>>,
        part: &[usize],
        wait_for: Option<Uuid>,
        until: Instant,
        hope: bool,
    ) -> Result<Answers, SqlError> {
        let ledgers = distinct(part.iter().map(|at| batch[*at].ledger));
        let opens = |append: &Append| append.drafts.first().is_some_and(|draft| draft.event_kind == OPENED);
        let opening = distinct(part.iter().map(|at| &batch[*at]).filter(|a| opens(a)).map(|a| a.ledger));
        let (mut session, heads) = if opening.is_empty() && wait_for.is_none() {
            Session::locking(&self.pool, &self.room, &ledgers, PATIENCE[0], until).await?
        } else {
            let mut session = Session::writing(&self.pool, &self.room, &ledgers, PATIENCE[0], until).await?;
            if !opening.is_empty() {
                session.make_heads(&opening).await?;
            }
            if let Some(ledger) = wait_for {
                session.lock(&[ledger]).await?;
            }
            let heads = session.simple(lock_what_is_free(&ledgers)).await?;
            (session, heads)
        };
        let heads = read::heads(&heads)?;
        let elsewhere = session.held_elsewhere(&ledgers, &heads).await?;
        let mine: Vec<usize> = part.iter().copied().filter(|at| !elsewhere.contains(&batch[*at].ledger)).collect();
        if mine.is_empty() {
            session.roll_back().await?;
            return Ok(vec![]);
        }
        let appends: Vec<&Append> = mine.iter().map(|at| &batch[*at]).collect();
        let mut seen = Seen { heads, spans: HashMap::new(), versions: HashMap::new() };
        let mut plan = None;
        if hope && appends.iter().all(|append| append.is_all_new()) {
            plan = self.plan(batch, &mine, seen.clone(), true).await?;
        }
        let plan = match plan {
            Some(plan) => plan,
            None => {
                session.look(&appends, &mut seen).await?;
                self.plan(batch, &mine, seen, false).await?.expect("only hope ends without a plan")
            }
        };
        let named = |at: &usize| (batch[*at].ledger, batch[*at].append_id);
        let positive = |outcome: &Outcome| matches!(outcome, Outcome::Committed(_) | Outcome::Known(_));
        let (answers, wrote) = (plan.outcomes.iter(), !plan.commits.is_empty());
        let hoped: Vec<(Uuid, Uuid)> =
            mine.iter().zip(answers).filter(|(_, o)| positive(o)).map(|(at, _)| named(at)).collect();
        if wrote {
            if let Err(error) = session.insert(&plan.commits).await {
                session.roll_back().await?;
                return Err(error);
            }
        } else if !hoped.is_empty() {
            // Found is not yet durable: the commit makes it so.
            session.touch(&distinct(hoped.iter().map(|(ledger, _)| *ledger))).await?;
        } else {
            session.roll_back().await?;
            return Ok(mine.into_iter().zip(plan.outcomes).collect());
        }
        // The commit point of the whole program, on PostgreSQL, is here.
        let outcomes = match session.commit().await {
            Ok(()) => plan.outcomes,
            Err(SqlError::Unknown(reason)) => {
                let found = self.settle(&hoped, until).await;
                let settled = |(at, before): (&usize, Outcome)| match &found {
                    _ if !positive(&before) => before,
                    Ok(found) => found.get(&named(at)).map_or(Outcome::Busy, |span| Outcome::Known(*span)),
                    Err(_) => Outcome::Unknown(reason.clone()),
                };
                mine.iter().zip(plan.outcomes).map(settled).collect()
            }
            Err(error) => plan.unwritten(outcome(&error)),
        };
        if wrote {
            self.wake();
        }
        Ok(mine.into_iter().zip(outcomes).collect())
    }

    /// Chains and signs where we are if it is little, and on another thread otherwise.
    async fn plan(
        &self,
        batch: &Arc<Vec<Append>>,
        part: &[usize],
        mut seen: Seen,
        hope: bool,
    ) -> Result<Option<Plan>, SqlError> {
        let records: usize = part.iter().map(|at| batch[*at].drafts.len()).sum();
        let (all, places, signers) = (batch.clone(), part.to_vec(), self.signers.clone());
        let ledgers = seen.heads.len();
        let mut plan = move || {
            let appends: Vec<&Append> = places.iter().map(|at| &all[*at]).collect();
            let Ok(plan) = if hope {
                plan_fresh(&mut seen, &appends, &*signers)
            } else {
                plan(&mut seen, &appends, &*signers).map(Some)
            };
            plan
        };
        if records <= AT_ONCE && ledgers <= 1 {
            return Ok(plan());
        }
        tokio::task::spawn_blocking(plan).await.map_err(|e| SqlError::Failed(e.to_string()))
    }

    /// Which of these appends are durable, for certain: those that are not in the answer were not written and will not be.
    /// Waits for the transactions that may be writing them, then puts a commit of its own behind what it finds.
    pub(super) async fn settle(
        &self,
        wanted: &[(Uuid, Uuid)],
        until: Instant,
    ) -> Result<HashMap<(Uuid, Uuid), Span>, SqlError> {
        let ledgers = distinct(wanted.iter().map(|(ledger, _)| *ledger));
        let mut session = Session::writing(&self.pool, &self.room, &ledgers, LOST, until).await?;
        // A row that a lost transaction has made, but not committed, cannot be locked; making it waits as well.
        session.make_heads(&ledgers).await?;
        session.lock(&ledgers).await?;
        let mut found = session.appends(wanted).await?;
        found.retain(|key, _| wanted.contains(key));
        if found.is_empty() {
            session.roll_back().await?;
        } else {
            session.touch(&distinct(found.keys().map(|(ledger, _)| *ledger))).await?;
            session.commit().await?;
        }
        Ok(found)
    }

    pub(super) async fn write_tiles(&self, ledger: Uuid, tiles: Vec<TileRow>) -> Read<()> {
        let tiles: BTreeMap<(u8, u64), Vec<u8>> = tiles
            .into_iter()
            .map(|tile| ((tile.level, tile.index), tile.hashes.iter().flat_map(|hash| hash.0).collect()))
            .collect();
        let levels: Vec<i16> = tiles.keys().map(|(level, _)| i16::from(*level)).collect();
        let indexes: Vec<i64> = tiles.keys().map(|(_, index)| *index as i64).collect();
        let hashes: Vec<Vec<u8>> = tiles.into_values().collect();
        let mut session =
            Session::writing(&self.pool, &self.room, &[ledger], PATIENCE[0], Instant::now() + ANSWER).await?;
        let put = "INSERT INTO tile (ledger, level, idx, hashes)
                   SELECT $1, t.* FROM unnest($2::int2[], $3::int8[], $4::bytea[]) AS t (level, idx, hashes)
                   ON CONFLICT (ledger, level, idx) DO UPDATE SET hashes = excluded.hashes";
        // Losing them loses nothing.
        session.simple("SET LOCAL synchronous_commit = off".to_owned()).await?;
        session.execute(query(put).bind(ledger).bind(levels).bind(indexes).bind(hashes)).await?;
        Ok(session.commit().await?)
    }

    pub(super) async fn empty(&self, ledger: Uuid) -> Read<()> {
        let mut session =
            Session::writing(&self.pool, &self.room, &[ledger], PATIENCE[0], Instant::now() + ANSWER).await?;
        if !session.lock(&[ledger]).await?.values().any(|head| head.closed) {
            return Err(StoreError::Unavailable("only a closed ledger's bodies may be dropped".to_owned()));
        }
        session.take_time();
        // Sealed bodies only (byte 2 of the leaf): those of ledger.* records name the signers and stay.
        let take = "UPDATE record SET body = NULL WHERE ledger = $1 AND body IS NOT NULL AND get_byte(leaf, 2) = 1";
        session.execute(query(take).bind(ledger)).await?;
        session.execute(query("UPDATE heads SET bodies_dropped = TRUE WHERE ledger = $1").bind(ledger)).await?;
        Ok(session.commit().await?)
    }
}

impl Session {
    /// Rows of size 0 for ledgers that have none. Waits for another node that is making one of them.
    pub(super) async fn make_heads(&mut self, ledgers: &[Uuid]) -> Result<(), SqlError> {
        let empty = Head::empty(Uuid::nil());
        let sql = "INSERT INTO heads (ledger, size, last_hash, last_time_us, last_append, generation, signer, closed)
                   SELECT l, 0, $2, 0, $3, $4, $5, FALSE FROM unnest($1::uuid[]) AS l ORDER BY l ON CONFLICT DO NOTHING";
        let query = query(sql).bind(ledgers).bind(empty.last.0).bind(empty.last_append);
        self.execute(query.bind(i32::from(empty.generation)).bind(empty.signer)).await.map(|_| ())
    }

    /// Locks ledgers, in their order; waits for who holds them.
    pub(super) async fn lock(&mut self, ledgers: &[Uuid]) -> Result<HashMap<Uuid, Head>, SqlError> {
        let sql = "SELECT ledger, size, last_hash, last_time_us, last_append, generation, signer, closed FROM heads
                   WHERE ledger = ANY ($1) ORDER BY ledger FOR UPDATE";
        let rows = self.rows(query_as(sql).bind(ledgers)).await?;
        Ok(rows.into_iter().map(read::head).map(|head| (head.ledger, head)).collect())
    }

    /// Of the ledgers that could not be locked, those that exist.
    async fn held_elsewhere(&mut self, all: &[Uuid], held: &HashMap<Uuid, Head>) -> Result<BTreeSet<Uuid>, SqlError> {
        let missing: Vec<Uuid> = all.iter().filter(|ledger| !held.contains_key(ledger)).copied().collect();
        if missing.is_empty() {
            return Ok(BTreeSet::new());
        }
        let sql = "SELECT ledger FROM heads WHERE ledger = ANY ($1)";
        let rows: Vec<(Uuid,)> = self.rows(query_as(sql).bind(missing)).await?;
        Ok(rows.into_iter().map(|(ledger,)| ledger).collect())
    }

    /// Everything that planning asks for. A statement of its own, after the lock, so that it sees what the last holder
    /// has committed.
    async fn look(&mut self, appends: &[&Append], seen: &mut Seen) -> Result<(), SqlError> {
        let ids: Vec<(Uuid, Uuid)> = appends.iter().map(|append| (append.ledger, append.append_id)).collect();
        let streams = |append: &&Append| {
            let ledger = append.ledger;
            let expected = append.expect.iter().map(move |e| (ledger, e.stream.clone()));
            let written = append.drafts.iter().map(move |d| (ledger, d.stream.clone()));
            expected.chain(written).collect::<Vec<_>>()
        };
        // What is no name is refused by the plan, and must not fail the statement.
        let streams: BTreeMap<(Uuid, Uuid, String), (Uuid, Stream)> = appends
            .iter()
            .flat_map(streams)
            .filter(|(_, stream)| is_stream_kind(&stream.kind))
            .map(|(ledger, stream)| ((ledger, stream.id, stream.kind.clone()), (ledger, stream)))
            .collect();
        let streams: Vec<(Uuid, Stream)> = streams.into_values().collect();
        let borrowed: Vec<(Uuid, &Stream)> = streams.iter().map(|(ledger, stream)| (*ledger, stream)).collect();
        let (versions, spans) = self.versions_and_appends(&borrowed, &ids).await?;
        seen.versions = streams.into_iter().zip(versions).filter_map(|(of, version)| Some((of, version?))).collect();
        seen.spans = spans;
        Ok(())
    }

    /// Writes without changing anything, so that the commit is one.
    async fn touch(&mut self, ledgers: &[Uuid]) -> Result<(), SqlError> {
        let touched = self.execute(query("UPDATE heads SET size = size WHERE ledger = ANY ($1)").bind(ledgers)).await?;
        if touched == 0 { Err(SqlError::Failed("no ledger to commit on".to_owned())) } else { Ok(()) }
    }

    pub(super) async fn insert(&mut self, commits: &[Commit]) -> Result<(), SqlError> {
        let heads: BTreeMap<Uuid, &Head> = commits.iter().map(|c| (c.head.ledger, &c.head)).collect();
        let heads: Vec<&Head> = heads.into_values().collect();
        let all = || commits.iter();
        let leaves = || all().flat_map(|commit| &commit.leaves);
        let records = || all().flat_map(|commit| &commit.records);
        let sql = "WITH moved AS (
                     UPDATE heads h SET size = n.size, last_hash = n.last_hash, last_time_us = n.last_time_us,
                       last_append = n.last_append, generation = n.generation, signer = n.signer, closed = n.closed
                     FROM unnest($1::uuid[], $2::int8[], $3::bytea[], $4::int8[], $5::uuid[], $6::int4[], $7::bytea[],
                       $8::bool[]) AS n (ledger, size, last_hash, last_time_us, last_append, generation, signer, closed)
                     WHERE h.ledger = n.ledger RETURNING 1),
                   written AS (
                     INSERT INTO record (ledger, position, append_id, stream_id, stream_kind, stream_version, leaf, body,
                       signature)
                     SELECT * FROM unnest($9::uuid[], $10::int8[], $11::uuid[], $12::uuid[], $13::text[], $14::int8[],
                       $15::bytea[], $16::bytea[], $17::bytea[]) RETURNING 1)
                   SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM written)";
        let query = query_as(sql)
            .bind(heads.iter().map(|h| h.ledger).collect::<Vec<_>>())
            .bind(heads.iter().map(|h| h.size as i64).collect::<Vec<_>>())
            .bind(heads.iter().map(|h| h.last.0).collect::<Vec<_>>())
            .bind(heads.iter().map(|h| h.last_time_us as i64).collect::<Vec<_>>())
            .bind(heads.iter().map(|h| h.last_append).collect::<Vec<_>>())
            .bind(heads.iter().map(|h| i32::from(h.generation)).collect::<Vec<_>>())
            .bind(heads.iter().map(|h| h.signer).collect::<Vec<_>>())
            .bind(heads.iter().map(|h| h.closed).collect::<Vec<_>>())
            .bind(leaves().map(|leaf| leaf.ledger).collect::<Vec<_>>())
            .bind(leaves().map(|leaf| leaf.position as i64).collect::<Vec<_>>())
            .bind(leaves().map(|leaf| (leaf.index == 0).then_some(leaf.append_id)).collect::<Vec<_>>())
            .bind(leaves().map(|leaf| leaf.stream.id).collect::<Vec<_>>())
            .bind(leaves().map(|leaf| leaf.stream.kind.as_str()).collect::<Vec<_>>())
            .bind(leaves().map(|leaf| leaf.stream_version as i64).collect::<Vec<_>>())
            .bind(records().map(|record| record.leaf.as_slice()).collect::<Vec<_>>())
            .bind(records().map(|record| record.body.as_deref()).collect::<Vec<_>>())
            .bind(records().map(|record| record.signature).collect::<Vec<_>>());
        let done: Vec<(i64, i64)> = self.rows(query).await?;
        if done != [(heads.len() as i64, records().count() as i64)] {
            return Err(SqlError::Failed("not everything was written".to_owned()));
        }
        Ok(())
    }
}

/// What the database showed while the heads were held.
#[derive(Clone)]
struct Seen {
    heads: HashMap<Uuid, Head>,
    spans: read::Spans,
    versions: HashMap<(Uuid, Stream), u64>,
}

impl View for Seen {
    type Error = Infallible;

    fn head(&mut self, ledger: Uuid) -> Result<Option<Head>, Infallible> {
        Ok(self.heads.get(&ledger).filter(|head| head.size > 0).cloned())
    }

    fn find_append(&mut self, ledger: Uuid, append_id: Uuid) -> Result<Read<Option<Span>>, Infallible> {
        Ok(self.spans.get(&(ledger, append_id)).cloned().transpose())
    }

    fn version(&mut self, ledger: Uuid, stream: &Stream) -> Result<Option<u64>, Infallible> {
        Ok(self.versions.get(&(ledger, stream.clone())).copied())
    }
}

/// The appends to the first ledgers that are still open, as many as fit into one transaction.
fn part(batch: &[Append], open: &[usize]) -> Vec<usize> {
    let mut ledgers = BTreeSet::new();
    let mut part = vec![];
    for at in open {
        let ledger = batch[*at].ledger;
        if ledgers.contains(&ledger) || ledgers.len() < LEDGERS {
            ledgers.insert(ledger);
            part.push(*at);
        }
    }
    part
}

pub(super) fn distinct(ledgers: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    ledgers.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The answer to an append of which nothing was written.
fn outcome(error: &SqlError) -> Outcome {
    match error {
        SqlError::Full => Outcome::Full,
        SqlError::Busy | SqlError::Away(_) => Outcome::Busy,
        SqlError::Unknown(text) | SqlError::Failed(text) => {
            tracing::error!(reason = text, "writing the log has failed");
            Outcome::Unknown(text.clone())
        }
    }
}
