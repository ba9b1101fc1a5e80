//! The trail as it grows: pages oldest first, for whoever follows it.
//!
//! Invariant: rows of a ledger become visible in the order of their positions. So once the newest row is known, all rows
//! up to it are there, and a follower who has read up to it misses none, whatever the filter leaves out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keiin_eventlog::record::Hash;
use uuid::Uuid;

use super::{EventView, FROM, anchored, filter, view};
use crate::cursor::mac;
use crate::query::{Kind, OURS, Param, Params, Read, Refusal, Who};
use crate::table::cell;
use crate::view::col;
use crate::visit;

/// What a follower may ask for; `cursor` and `after` say where to begin. `visits=mine` asks for visits that concern the caller
/// and needs `visit.read`.
pub const FEED_PARAMS: &[Param] = &[
    Param { name: "actor", kind: Kind::Id },
    Param { name: "object", kind: Kind::Id },
    Param { name: "kind", kind: Kind::Text },
    Param { name: "cursor", kind: Kind::Text },
    Param { name: "after", kind: Kind::Number },
    Param { name: "visits", kind: Kind::OneOf(&["mine"]) },
];

/// Separates this cursor's MAC from those of the lists.
const LABEL: &[u8; 4] = b"feed";
/// How much of a record's hash a cursor holds.
const HASH_BYTES: usize = 8;

/// How far somebody has read: the position of a record and the beginning of its hash, so that a cursor from a history
/// that was taken back is noticed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Of the last record that was passed.
    pub position: u64,
    hash: [u8; HASH_BYTES],
}

impl Place {
    /// Of the record with this hash.
    pub fn new(position: u64, hash: Hash) -> Place {
        let mut start = [0; HASH_BYTES];
        start.copy_from_slice(&hash.0[..HASH_BYTES]);
        Place { position, hash: start }
    }

    /// Opaque to the caller; only what this deployment gave out for this ledger is read back.
    pub fn cursor(&self, key: &[u8; 32], ledger: Uuid) -> String {
        let body = [&LABEL[..], ledger.as_bytes(), &self.position.to_be_bytes(), &self.hash].concat();
        URL_SAFE_NO_PAD.encode([&body[..], &mac(key, &body)[..]].concat())
    }

    /// Reads a cursor; `None` if it was not sealed with this key, or for another ledger.
    pub fn of_cursor(key: &[u8; 32], ledger: Uuid, cursor: &str) -> Option<Place> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (body, given) = bytes.split_at_checked(bytes.len().checked_sub(16)?)?;
        let rest = body.strip_prefix(LABEL)?.strip_prefix(ledger.as_bytes())?;
        let (position, hash) = rest.split_first_chunk()?;
        let place = Place { position: u64::from_be_bytes(*position), hash: hash.try_into().ok()? };
        (mac(key, body) == given).then_some(place)
    }
}

/// The newest record of the company; `None` where there is none yet.
pub fn newest(read: &Read, who: &Who) -> Result<Option<Place>, Refusal> {
    one(read, who, "ORDER BY t.position DESC LIMIT 1", None)
}

/// The record at a position, whether the caller may see it or not.
pub fn place_at(read: &Read, who: &Who, position: u64) -> Result<Option<Place>, Refusal> {
    one(read, who, "AND t.position = ?", Some(position))
}

fn one(read: &Read, who: &Who, which: &str, position: Option<u64>) -> Result<Option<Place>, Refusal> {
    let sql = format!("SELECT t.position, t.hash FROM events t WHERE {OURS} {which}");
    let values = position.map(cell).into_iter().collect();
    let found = read.rows(who, &sql, values, |row| Ok(Place::new(col(row, "position")?, Hash(col(row, "hash")?))))?;
    Ok(found.into_iter().next())
}

/// At most `most` records that the caller may see and asked for, after one position and up to another, each with its place.
pub fn page(
    read: &Read,
    who: &Who,
    params: &Params,
    after: u64,
    to: u64,
    most: usize,
) -> Result<Vec<(Place, EventView)>, Refusal> {
    let anchored = anchored(read, who);
    // What is of visits that concern the caller, whoever did it, instead of what the caller did.
    let filter = match params.text("visits") {
        None => filter(who, params),
        Some(_) => visit::told_of(who),
    };
    let filter = filter.and("t.position > ?", Some(after)).and("t.position <= ?", Some(to));
    read.oldest(who, FROM, filter, most, |row| {
        Ok((Place::new(col(row, "position")?, Hash(col(row, "hash")?)), view(row, anchored)?))
    })
}
