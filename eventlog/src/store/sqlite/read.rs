//! Queries of the SQLite engine. Whatever leaves here was checked against its hash.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::super::page::{self, LeafChain, Page};
use crate::chain::{Head, Span};
use crate::record::{Hash, Leaf, Record, Stream};
use crate::sqlite::{is_corrupt, say};
use crate::store::{Indexed, Read, StoreError, TileRow};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        StoreError::Unavailable(error.to_string())
    }
}

/// A ledger's row.
pub(super) struct LedgerRow {
    /// Its number in the other tables.
    pub no: i64,
    /// Where it ends.
    pub head: Head,
    /// Were the bodies taken away?
    pub bodies_dropped: bool,
}

const LEDGER: &str =
    "SELECT no, size, last_hash, last_time_us, last_append, generation, signer, closed, bodies_dropped, id
    FROM ledger";

fn ledger_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    let head = Head {
        ledger: Uuid::from_bytes(row.get(9)?),
        size: row.get::<_, i64>(1)? as u64,
        last: Hash(row.get(2)?),
        last_time_us: row.get::<_, i64>(3)? as u64,
        last_append: Uuid::from_bytes(row.get(4)?),
        generation: row.get(5)?,
        signer: row.get(6)?,
        closed: row.get(7)?,
    };
    Ok(LedgerRow { no: row.get(0)?, head, bodies_dropped: row.get(8)? })
}

/// Runs queries that must see one state.
pub(super) fn in_snapshot<T>(conn: &Connection, query: impl FnOnce(&Connection) -> Read<T>) -> Read<T> {
    say(conn, "BEGIN")?;
    let result = query(conn);
    say(conn, "ROLLBACK")?;
    result
}

pub(super) fn ledger(conn: &Connection, ledger: Uuid) -> rusqlite::Result<Option<LedgerRow>> {
    let mut query = conn.prepare_cached(&format!("{LEDGER} WHERE id = ?1"))?;
    query.query_row([ledger.as_bytes()], ledger_row).optional()
}

pub(super) fn heads(conn: &Connection, after: Option<Uuid>, limit: usize) -> Read<Vec<Head>> {
    let after = after.map_or(vec![], |id| id.as_bytes().to_vec());
    let mut query = conn.prepare_cached(&format!("{LEDGER} WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
    let rows = query.query_map(params![after, number(limit)], |row| Ok(ledger_row(row)?.head))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Where an append stands. The index is not believed alone: the record it leads to must say the same.
pub(super) fn find_append(conn: &Connection, no: i64, ledger: Uuid, id: Uuid) -> rusqlite::Result<Read<Option<Span>>> {
    let mut query = conn.prepare_cached("SELECT first, last FROM append WHERE ledger = ?1 AND id = ?2")?;
    let span = |row: &Row<'_>| Ok(Span { first: row.get::<_, i64>(0)? as u64, last: row.get::<_, i64>(1)? as u64 });
    let Some(span) = query.query_row(params![no, id.as_bytes()], span).optional()? else { return Ok(Ok(None)) };
    let mut query = conn.prepare_cached(
        "SELECT r.leaf FROM ledger_commit c CROSS JOIN record r ON r.no = c.record + ?2 - c.first
         WHERE c.ledger = ?1 AND c.last >= ?2 ORDER BY c.last LIMIT 1",
    )?;
    let leaf: Option<Vec<u8>> = query.query_row(params![no, span.first as i64], |row| row.get(0)).optional()?;
    Ok(page::check_append(leaf.as_deref(), ledger, id, span).map(|()| Some(span)))
}

/// Counts the entries of a ledger in every index that decides something.
pub(super) fn indexed(conn: &Connection, row: &LedgerRow, size: u64) -> Read<Indexed> {
    let count = |table: &str, position: &str| -> Read<u64> {
        let sql =
            format!("SELECT count(*) FILTER (WHERE {position} < ?2), max({position}) FROM {table} WHERE ledger = ?1");
        let mut query = conn.prepare_cached(&sql)?;
        let (count, last): (i64, Option<i64>) =
            query.query_row(params![row.no, size as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let beyond = last.filter(|last| *last as u64 >= row.head.size);
        let reason = || format!("the table {table} leads beyond the ledger's end");
        let damaged = |last| StoreError::Damaged { ledger: row.head.ledger, position: last as u64, reason: reason() };
        beyond.map_or(Ok(count as u64), |last| Err(damaged(last)))
    };
    Ok(Indexed {
        appends: count("append", "first")?,
        streamed: count("stream_record", "position")?,
        commits: count("ledger_commit", "last")?,
    })
}

/// Pages, the order of rows in every table, indexes against their tables; then rows of the indexes that are no ledger's.
///
/// One row in the wrong place is enough to lead a later search of any other ledger astray, once more rows stand beside it.
pub(super) fn broken(conn: &Connection) -> Read<Option<String>> {
    let checked: rusqlite::Result<String> = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    match checked {
        Ok(said) if said == "ok" => {}
        Ok(said) => return Ok(Some(said)),
        Err(error) if is_corrupt(&error) => return Ok(Some(error.to_string())),
        Err(error) => return Err(error.into()),
    }
    for table in ["append", "stream_record", "ledger_commit"] {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE ledger NOT IN (SELECT no FROM ledger))");
        if conn.query_row(&sql, [], |row| row.get(0))? {
            return Ok(Some(format!("a row of the table {table} belongs to no ledger")));
        }
    }
    let kinds = [
        ("append", "typeof(first) || typeof(last) <> 'integerinteger' OR typeof(id) <> 'blob'"),
        (
            "stream_record",
            "typeof(version) || typeof(position) <> 'integerinteger' OR typeof(id) || typeof(kind) <> 'blobtext'",
        ),
        (
            "ledger_commit",
            "typeof(first) || typeof(last) || typeof(record) <> 'integerintegerinteger' OR typeof(signature) <> 'blob'",
        ),
    ];
    for (table, other) in kinds {
        if conn.query_row(&format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {other})"), [], |row| row.get(0))? {
            return Ok(Some(format!("a value in the table {table} is of another kind than its column")));
        }
    }
    Ok(None)
}

/// Version of a stream's last record.
pub(super) fn version(conn: &Connection, ledger: i64, stream: &Stream) -> rusqlite::Result<Option<u64>> {
    let mut query = conn.prepare_cached(
        "SELECT version FROM stream_record WHERE ledger = ?1 AND id = ?2 AND kind = ?3 ORDER BY version DESC LIMIT 1",
    )?;
    let version = |row: &Row<'_>| row.get::<_, i64>(0).map(|version| version as u64);
    query.query_row(params![ledger, stream.id.as_bytes(), stream.kind], version).optional()
}

/// Records from `from` on. Reads one neighbour on each side, which the checks need.
pub(super) fn page(conn: &Connection, row: &LedgerRow, from: u64, limit: usize) -> Read<Vec<Record>> {
    let ledger = row.head.ledger;
    let expected = row.head.size.saturating_sub(from).min(limit as u64) as usize;
    if expected == 0 {
        return Ok(vec![]);
    }
    let mut query = conn.prepare_cached(
        "SELECT r.leaf, r.body, CASE WHEN r.no = c.record + c.last - c.first THEN c.signature END
         FROM ledger_commit c CROSS JOIN record r
           ON r.no BETWEEN c.record + max(0, ?2 - c.first) AND c.record + c.last - c.first
         WHERE c.ledger = ?1 AND c.last >= ?2 ORDER BY c.last, r.no LIMIT ?3",
    )?;
    let start = from.saturating_sub(1);
    let more = expected + (from - start) as usize + 1;
    let rows = query.query_map(params![row.no, start as i64, number(more)], |row| {
        Ok(Record { leaf: row.get(0)?, body: row.get(1)?, signature: row.get(2)? })
    })?;
    let mut records = rows.collect::<rusqlite::Result<Vec<Record>>>()?;
    let damaged = |position: u64, reason: &str| StoreError::Damaged { ledger, position, reason: reason.to_owned() };
    let before = if from > start && !records.is_empty() { Some(records.remove(0).leaf) } else { None };
    if records.len() < expected {
        return Err(damaged(from + records.len() as u64, "record is missing"));
    }
    let last_hash = match records.get(expected) {
        Some(next) => Leaf::decode(&next.leaf).map_err(|e| damaged(from + expected as u64, e.0))?.prev,
        None => row.head.last,
    };
    records.truncate(expected);
    Page { first: from, before, records, last_hash, bodies_dropped: row.bodies_dropped }.check(ledger)
}

/// Leaf hashes from `from` on: the way of [`page`] without bodies, for trees over a whole ledger.
pub(super) fn leaf_hashes(conn: &Connection, row: &LedgerRow, from: u64, limit: usize) -> Read<Vec<Hash>> {
    let ledger = row.head.ledger;
    let expected = row.head.size.saturating_sub(from).min(limit as u64) as usize;
    if expected == 0 {
        return Ok(vec![]);
    }
    let mut query = conn.prepare_cached(
        "SELECT r.leaf FROM ledger_commit c CROSS JOIN record r
           ON r.no BETWEEN c.record + max(0, ?2 - c.first) AND c.record + c.last - c.first
         WHERE c.ledger = ?1 AND c.last >= ?2 ORDER BY c.last, r.no LIMIT ?3",
    )?;
    let start = LeafChain::start(from);
    let more = expected + (from - start) as usize + 1;
    let mut rows = query.query(params![row.no, start as i64, number(more)])?;
    let mut chain = LeafChain::new(ledger, from, expected);
    while let Some(found) = rows.next()? {
        chain.push(found.get_ref(0)?.as_blob().unwrap_or_default())?;
    }
    chain.finish(row.head.size, row.head.last)
}

pub(super) fn stream_records(
    conn: &Connection,
    row: &LedgerRow,
    of: &Stream,
    from: u64,
    limit: usize,
) -> Read<Vec<Record>> {
    let ledger = row.head.ledger;
    let Some(version) = version(conn, row.no, of)? else { return Ok(vec![]) };
    let expected = (version + 1).saturating_sub(from).min(limit as u64) as usize;
    let mut query = conn.prepare_cached(
        "SELECT position FROM stream_record WHERE ledger = ?1 AND id = ?2 AND kind = ?3 AND version >= ?4
         ORDER BY version LIMIT ?5",
    )?;
    let wanted = params![row.no, of.id.as_bytes(), of.kind, from as i64, number(expected)];
    let positions = query.query_map(wanted, |row| row.get::<_, i64>(0))?;
    let positions = positions.map(|p| p.map(|p| p as u64)).collect::<rusqlite::Result<Vec<u64>>>()?;
    let mut records = Vec::with_capacity(positions.len());
    // Records that stand in a row are read in a row.
    for run in positions.chunk_by(|a, b| a + 1 == *b) {
        records.extend(page(conn, row, run[0], run.len())?);
    }
    for ((version, position), record) in (from..).zip(&positions).zip(&records) {
        page::check_in_stream(record, ledger, *position, of, version)?;
    }
    if records.len() < expected {
        let position = positions.last().copied().unwrap_or_default();
        return Err(StoreError::Damaged { ledger, position, reason: "the stream's next record is missing".to_owned() });
    }
    Ok(records)
}

pub(super) fn tile(conn: &Connection, ledger: i64, level: u8, index: u64) -> Read<Option<TileRow>> {
    let mut query = conn.prepare_cached("SELECT hashes FROM tile WHERE ledger = ?1 AND level = ?2 AND idx = ?3")?;
    let bytes: Option<Vec<u8>> = query.query_row(params![ledger, level, index as i64], |row| row.get(0)).optional()?;
    Ok(bytes.map(|bytes| {
        let hashes = bytes.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect();
        TileRow { level, index, hashes }
    }))
}

pub(super) fn place(conn: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    conn.query_row("SELECT place FROM mirror", [], |row| row.get(0)).optional()
}

fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
