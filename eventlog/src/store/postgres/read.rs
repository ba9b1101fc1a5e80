//! Queries of the PostgreSQL engine, one statement each, so that each sees one state. Whatever leaves here was checked
//! against its hash.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, query_as};
use uuid::Uuid;

use super::session::Session;
use crate::chain::{Head, Span};
use crate::postgres::sql_error;
use crate::record::{Hash, Leaf, Record, Stream};
use crate::sql::SqlError;
use crate::store::page::{self, LeafChain, Page};
use crate::store::{Indexed, Read, StoreError, TileRow};

type HeadRow = (Uuid, i64, [u8; 32], i64, Uuid, i32, [u8; 32], bool);

/// A row of `heads`; one of size 0 is no ledger, but may be locked.
pub(super) fn head(row: HeadRow) -> Head {
    let (ledger, size, last, last_time_us, last_append, generation, signer, closed) = row;
    Head {
        ledger,
        size: size as u64,
        last: Hash(last),
        last_time_us: last_time_us as u64,
        last_append,
        generation: generation as u16,
        signer,
        closed,
    }
}

/// Heads by their ledgers.
pub(super) fn heads(rows: &[PgRow]) -> Result<HashMap<Uuid, Head>, SqlError> {
    let head = |row| HeadRow::from_row(row).map(head).map(|head| (head.ledger, head));
    rows.iter().map(head).collect::<Result<_, _>>().map_err(sql_error)
}

/// Of a page: the ledger's size, last leaf hash and whether its bodies are gone, then one record, if there is one.
type PageRow = (i64, [u8; 32], bool, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Of a stream: the same, then the leaf before and the leaf after the record.
type StreamRow =
    (i64, [u8; 32], bool, i64, i64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Number of a stream and its version, if it has one; or the place of an append's first record, ledger, id and leaf.
type SeenRow = (Option<i64>, Option<i64>, Option<Uuid>, Option<Uuid>, Option<Vec<u8>>);
/// Where appends stand. The column is not believed alone: the record must say the same.
pub(super) type Spans = HashMap<(Uuid, Uuid), Read<Span>>;

impl Session {
    pub async fn head(mut self, ledger: Uuid) -> Read<Option<Head>> {
        let sql = "SELECT ledger, size, last_hash, last_time_us, last_append, generation, signer, closed
                   FROM heads WHERE ledger = $1 AND size > 0";
        let rows = self.rows(query_as(sql).bind(ledger)).await?;
        self.done();
        Ok(rows.into_iter().next().map(head))
    }

    pub async fn heads(mut self, after: Option<Uuid>, limit: usize) -> Read<Vec<Head>> {
        let sql = "SELECT ledger, size, last_hash, last_time_us, last_append, generation, signer, closed
                   FROM heads WHERE ($1::uuid IS NULL OR ledger > $1) AND size > 0 ORDER BY ledger LIMIT $2";
        let rows = self.rows(query_as(sql).bind(after).bind(number(limit))).await?;
        self.done();
        Ok(rows.into_iter().map(head).collect())
    }

    /// Records from `from` on, with one neighbour on each side, which the checks need.
    pub async fn page(mut self, ledger: Uuid, from: u64, limit: usize) -> Read<Vec<Record>> {
        let sql = "SELECT h.size, h.last_hash, h.bodies_dropped, r.position, r.leaf,
                          CASE WHEN r.position BETWEEN $2 AND $3 - 1 THEN r.body END, r.signature
                   FROM heads h LEFT JOIN record r
                     ON r.ledger = h.ledger AND r.ledger = $1 AND r.position BETWEEN $2 - 1 AND $3
                   WHERE h.ledger = $1 AND h.size > 0 ORDER BY r.position";
        let end = from.saturating_add(limit as u64).min(i64::MAX as u64 - 1);
        if from >= end {
            return Ok(vec![]);
        }
        let rows: Vec<PageRow> = self.rows(query_as(sql).bind(ledger).bind(from as i64).bind(end as i64)).await?;
        self.done();
        let Some(&(size, last_hash, bodies_dropped, ..)) = rows.first() else { return Ok(vec![]) };
        let expected = (size as u64).saturating_sub(from).min(limit as u64) as usize;
        if expected == 0 {
            return Ok(vec![]);
        }
        let damaged = |position: u64, reason: &str| StoreError::Damaged { ledger, position, reason: reason.to_owned() };
        let (mut before, mut records, mut last_hash) = (None, Vec::with_capacity(expected), Hash(last_hash));
        for (_, _, _, position, leaf, body, signature) in rows {
            let (Some(position), Some(leaf)) = (position.map(|p| p as u64), leaf) else { break };
            if position < from {
                before = Some(leaf);
            } else if position < from + expected as u64 {
                if position != from + records.len() as u64 {
                    break;
                }
                records.push(Record {
                    leaf,
                    body,
                    signature: signature.map(|s| array(ledger, position, s)).transpose()?,
                });
            } else {
                last_hash = Leaf::decode(&leaf).map_err(|e| damaged(position, e.0))?.prev;
            }
        }
        if records.len() < expected || (from > 0 && before.is_none()) {
            let gap = if from > 0 && before.is_none() { from - 1 } else { from + records.len() as u64 };
            return Err(damaged(gap, "record is missing"));
        }
        Page { first: from, before, records, last_hash, bodies_dropped }.check(ledger)
    }

    /// The way of [`Session::page`] without bodies, for trees over a whole ledger.
    pub async fn leaf_hashes(mut self, ledger: Uuid, from: u64, limit: usize) -> Read<Vec<Hash>> {
        let sql = "SELECT h.size, h.last_hash, r.leaf FROM heads h LEFT JOIN record r
                     ON r.ledger = h.ledger AND r.ledger = $1 AND r.position BETWEEN $2 AND $3
                   WHERE h.ledger = $1 AND h.size > 0 ORDER BY r.position";
        let start = LeafChain::start(from);
        let end = from.saturating_add(limit as u64).min(i64::MAX as u64);
        if from >= end {
            return Ok(vec![]);
        }
        let query = query_as(sql).bind(ledger).bind(start as i64).bind(end as i64);
        let rows: Vec<(i64, [u8; 32], Option<Vec<u8>>)> = self.rows(query).await?;
        self.done();
        let Some(&(size, last_hash, _)) = rows.first() else { return Ok(vec![]) };
        let expected = (size as u64).saturating_sub(from).min(limit as u64) as usize;
        if expected == 0 {
            return Ok(vec![]);
        }
        let mut chain = LeafChain::new(ledger, from, expected);
        for leaf in rows.iter().map_while(|row| row.2.as_ref()) {
            chain.push(leaf)?;
        }
        chain.finish(size as u64, Hash(last_hash))
    }

    pub async fn stream_version(mut self, ledger: Uuid, stream: &Stream) -> Read<Option<u64>> {
        let (versions, _) = self.versions_and_appends(&[(ledger, stream)], &[]).await?;
        self.done();
        Ok(versions[0])
    }

    /// Records of a stream from version `from` on, each with its neighbours.
    pub async fn stream_records(mut self, ledger: Uuid, of: &Stream, from: u64, limit: usize) -> Read<Vec<Record>> {
        let sql =
            "SELECT h.size, h.last_hash, h.bodies_dropped, r.position, r.stream_version, r.leaf, r.body, r.signature,
                          (SELECT b.leaf FROM record b WHERE b.ledger = $1 AND b.position = r.position - 1),
                          (SELECT a.leaf FROM record a WHERE a.ledger = $1 AND a.position = r.position + 1)
                   FROM (SELECT * FROM record WHERE stream_id = $2 AND stream_kind = $3 AND stream_version >= $4
                           AND ledger = $1 ORDER BY stream_version LIMIT $5) r
                   JOIN heads h ON h.ledger = $1 ORDER BY r.stream_version";
        let query =
            query_as(sql).bind(ledger).bind(of.id).bind(&of.kind).bind(number(from as usize)).bind(number(limit));
        let rows: Vec<StreamRow> = self.rows(query).await?;
        self.done();
        let damaged = |position: u64, reason: &str| StoreError::Damaged { ledger, position, reason: reason.to_owned() };
        let mut records = Vec::with_capacity(rows.len());
        for (version, row) in (from..).zip(rows) {
            let (size, last_hash, bodies_dropped, position, found, leaf, body, signature, before, after) = row;
            let position = position as u64;
            if found as u64 != version {
                return Err(damaged(position, "the stream's record before it is missing"));
            }
            let last_hash = match after {
                Some(leaf) => Leaf::decode(&leaf).map_err(|e| damaged(position + 1, e.0))?.prev,
                None if position + 1 == size as u64 => Hash(last_hash),
                None => return Err(damaged(position + 1, "record is missing")),
            };
            let record = Record { leaf, body, signature: signature.map(|s| array(ledger, position, s)).transpose()? };
            let page = Page { first: position, before, records: vec![record], last_hash, bodies_dropped };
            let record = page.check(ledger)?.remove(0);
            page::check_in_stream(&record, ledger, position, of, version)?;
            records.push(record);
        }
        Ok(records)
    }

    pub async fn find_append(mut self, ledger: Uuid, id: Uuid) -> Result<Option<Span>, SqlError> {
        let found = self.appends(&[(ledger, id)]).await?;
        self.done();
        Ok(found.into_values().next())
    }

    /// Counts what the columns say that the indexes are built on. The indexes themselves are the server's to look after.
    pub async fn indexed(mut self, ledger: Uuid, size: u64) -> Read<Indexed> {
        self.take_time();
        let sql = "SELECT count(r.append_id) FILTER (WHERE r.position < $2), count(*) FILTER (WHERE r.position < $2),
                          count(r.signature) FILTER (WHERE r.position < $2), max(r.position), max(h.size)
                   FROM record r JOIN heads h ON h.ledger = $1 WHERE r.ledger = $1";
        type Row = (i64, i64, i64, Option<i64>, Option<i64>);
        let rows: Vec<Row> = self.rows(query_as(sql).bind(ledger).bind(size as i64)).await?;
        self.done();
        let Some((appends, streamed, commits, last, size)) = rows.into_iter().next() else {
            return Ok(Indexed::default());
        };
        if last >= size && last.is_some() {
            let (position, reason) = (last.unwrap_or_default() as u64, "a record beyond the ledger's end".to_owned());
            return Err(StoreError::Damaged { ledger, position, reason });
        }
        Ok(Indexed { appends: appends as u64, streamed: streamed as u64, commits: commits as u64 })
    }

    pub async fn tile(mut self, ledger: Uuid, level: u8, index: u64) -> Read<Option<TileRow>> {
        let sql = "SELECT hashes FROM tile WHERE ledger = $1 AND level = $2 AND idx = $3";
        let query = query_as(sql).bind(ledger).bind(i16::from(level)).bind(index as i64);
        let rows: Vec<(Vec<u8>,)> = self.rows(query).await?;
        self.done();
        Ok(rows.into_iter().next().map(|(bytes,)| {
            let hashes = bytes.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect();
            TileRow { level, index, hashes }
        }))
    }

    /// The cluster's number and its timeline.
    pub async fn history(mut self) -> Read<(i64, i64)> {
        let sql =
            "SELECT system_identifier, ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int8
                   FROM pg_control_system()";
        let rows = self.rows(query_as(sql)).await?;
        self.done();
        rows.into_iter().next().ok_or_else(|| StoreError::Unavailable("the server does not name itself".to_owned()))
    }

    /// Where these appends stand, as far as they are visible.
    pub async fn appends(&mut self, wanted: &[(Uuid, Uuid)]) -> Result<HashMap<(Uuid, Uuid), Span>, SqlError> {
        let seen = self.versions_and_appends(&[], wanted).await?.1;
        let damaged = |error: StoreError| SqlError::Failed(error.to_string());
        seen.into_iter().map(|(id, span)| Ok((id, span.map_err(damaged)?))).collect()
    }

    /// Versions of the last records of these streams, in the same order, and where these appends stand.
    pub async fn versions_and_appends(
        &mut self,
        of: &[(Uuid, &Stream)],
        wanted: &[(Uuid, Uuid)],
    ) -> Result<(Vec<Option<u64>>, Spans), SqlError> {
        // Appends without a join: the planner would walk through the whole index for it.
        let sql =
            "SELECT s.n, (SELECT r.stream_version FROM record r WHERE r.stream_id = s.id AND r.stream_kind = s.kind
                                  AND r.ledger = s.ledger ORDER BY r.stream_version DESC LIMIT 1),
                          NULL::uuid, NULL::uuid, NULL::bytea
                   FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS s (ledger, id, kind, n)
                   UNION ALL SELECT NULL, position, ledger, append_id, leaf FROM record WHERE append_id = ANY ($4)";
        let ledgers: Vec<Uuid> = of.iter().map(|(ledger, _)| *ledger).collect();
        let ids: Vec<Uuid> = of.iter().map(|(_, stream)| stream.id).collect();
        let kinds: Vec<&str> = of.iter().map(|(_, stream)| stream.kind.as_str()).collect();
        let appends: Vec<Uuid> = wanted.iter().map(|(_, id)| *id).collect();
        let rows: Vec<SeenRow> = self.rows(query_as(sql).bind(ledgers).bind(ids).bind(kinds).bind(appends)).await?;
        let (mut versions, mut spans) = (vec![None; of.len()], HashMap::new());
        for row in rows {
            match row {
                (Some(n), version, ..) => versions[n as usize - 1] = version.map(|v| v as u64),
                (None, Some(first), Some(ledger), Some(id), Some(leaf)) => {
                    let first = first as u64;
                    let count = Leaf::decode(&leaf).map_or(1, |leaf| leaf.count);
                    let span = Span { first, last: first + u64::from(count) - 1 };
                    let checked = page::check_append(Some(&leaf), ledger, id, span).map(|()| span);
                    spans.insert((ledger, id), checked);
                }
                _ => return Err(SqlError::Failed("an append without its place".to_owned())),
            }
        }
        Ok((versions, spans))
    }
}

fn array(ledger: Uuid, position: u64, bytes: Vec<u8>) -> Read<[u8; 64]> {
    let reason = "signature has not 64 bytes".to_owned();
    bytes.try_into().map_err(|_| StoreError::Damaged { ledger, position, reason })
}

fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
