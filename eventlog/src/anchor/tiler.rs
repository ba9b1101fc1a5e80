//! Tiles in the store: growing them, rebuilding them, proving from them. Tiles are a cache; whoever signs or serves what
//! came from them compares it with a root that did not.

use std::collections::HashMap;

use uuid::Uuid;

use super::AnchorError;
use crate::log::Log;
use crate::record::Hash;
use crate::store::TileRow;
use crate::tiles::{Edge, Filled, Holds, TileError, TileReader, TiledTree};

/// Leaves read and hashed at a time.
pub(super) const CHUNK: u64 = 8_192;

/// Tiles that were fetched so far. A miss says what to fetch.
#[derive(Default)]
pub struct Fetched(HashMap<(u8, u64), Vec<Hash>>);

/// A tile that has to be fetched first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Miss {
    level: u8,
    index: u64,
    width: u16,
}

impl TileReader for Fetched {
    type Error = Miss;

    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<Hash>, Miss> {
        let known = self.0.get(&(level, index)).filter(|hashes| hashes.len() >= usize::from(width));
        known.map(|hashes| hashes[..usize::from(width)].to_vec()).ok_or(Miss { level, index, width })
    }
}

/// Runs `ask` on the stored tree of `size` leaves, fetching tiles as it asks for them. `None` = a tile is not there.
pub(super) async fn with_tree<T>(
    log: &Log,
    ledger: Uuid,
    size: u64,
    ask: impl Fn(&TiledTree<'_, Fetched>) -> Result<T, TileError<Miss>>,
) -> Result<Option<T>, AnchorError> {
    with_tiles(log, ledger, |fetched| ask(&TiledTree::new(fetched, size))).await
}

async fn with_tiles<T>(
    log: &Log,
    ledger: Uuid,
    ask: impl Fn(&Fetched) -> Result<T, TileError<Miss>>,
) -> Result<Option<T>, AnchorError> {
    let mut fetched = Fetched::default();
    loop {
        // Bound by a name first: what borrows the tiles must end before the next await.
        let answer = ask(&fetched);
        match answer {
            Ok(done) => return Ok(Some(done)),
            Err(TileError::Short(_)) => return Ok(None),
            Err(TileError::Reader(miss)) => match log.tile(ledger, miss.level, miss.index).await? {
                Some(row) if row.hashes.len() >= usize::from(miss.width) => {
                    fetched.0.insert((miss.level, miss.index), row.hashes);
                }
                _ => return Ok(None),
            },
        }
    }
}

/// The edge of the stored tree of `size` leaves; `None` if the tiles are not all there.
pub(super) async fn load_edge(log: &Log, ledger: Uuid, size: u64) -> Result<Option<Edge>, AnchorError> {
    with_tiles(log, ledger, |fetched| Edge::load(fetched, size)).await
}

/// Reads the leaves from the edge's size up to `end` back from the store, twice, and grows the stored tree by them.
pub(super) async fn grow(log: &Log, ledger: Uuid, edge: &mut Edge, end: u64) -> Result<Option<Hash>, AnchorError> {
    let mut last = None;
    while edge.size() < end {
        let (from, count) = (edge.size(), (end - edge.size()).min(CHUNK));
        let hashes = log.leaf_hashes(ledger, from, count as usize).await?;
        // A bit that flips between disk and signature would be signed for ever, as has ended a public log before.
        let again = log.leaf_hashes(ledger, from, count as usize).await?;
        if hashes != again || hashes.len() as u64 != count {
            return Err(AnchorError::File(format!("ledger {ledger}: two reads from position {from} differ")));
        }
        last = hashes.last().copied();
        let tiles = edge.append(&hashes);
        log.store().put_tiles(ledger, tiles.into_iter().map(row).collect()).await?;
    }
    Ok(last)
}

fn row(filled: Filled) -> TileRow {
    let Holds::Hashes(level) = filled.tile.holds else { unreachable!("an edge fills tiles of hashes only") };
    TileRow { level, index: filled.tile.index, hashes: filled.hashes }
}
