//! Tiles: the tree's hashes in blocks of 256, as C2SP tlog-tiles 0.1 lays them out, so that other people's programs read them.
//!
//! Invariant: a full tile never changes. A proof for a tree of n leaves reads at most a few tiles per 8 levels. Tiles are
//! a cache of what the records say; a caller that serves or signs what it computed from them checks the root first.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::str::FromStr;

use crate::record::Hash;
use crate::tree::{self, Frontier, Subtrees, node};

/// Hashes in a full tile.
pub const WIDTH: u16 = 256;
/// Levels of the tree that one level of tiles spans.
const HEIGHT: u8 = 8;

/// What a tile holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Holds {
    /// Hashes of the tree's level 8·L, where L is 0 to 63.
    Hashes(u8),
    /// The leaves themselves, each with its length before it.
    Entries,
}

/// The name of a tile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub holds: Holds,
    /// 0, 1, 2 … from the left.
    pub index: u64,
    /// 256 when full, 1 to 255 at the right edge.
    pub width: u16,
}

/// A text that names no tile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a tile: tile/<level or entries>/<index in groups of three digits>[.p/<width 1 to 255>]")]
pub struct BadTile;

impl Tile {
    /// The tile of hashes at this level and index in a tree of `size` leaves; `None` when the tree has no such tile.
    pub fn of(level: u8, index: u64, size: u64) -> Option<Tile> {
        let hashes = size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0);
        let left = hashes.checked_sub(index.checked_mul(u64::from(WIDTH))?).filter(|left| *left > 0)?;
        Some(Tile { holds: Holds::Hashes(level), index, width: left.min(u64::from(WIDTH)) as u16 })
    }

    /// Is it full, and so never to change?
    pub fn is_full(&self) -> bool {
        self.width == WIDTH
    }
}

/// The path below the log's address, `tile/0/x001/x234/067.p/112`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.holds {
            Holds::Hashes(level) => write!(f, "tile/{level}")?,
            Holds::Entries => write!(f, "tile/entries")?,
        }
        let digits = self.index.to_string();
        let padded = format!("{:0>1$}", digits, digits.len().div_ceil(3) * 3);
        let groups = padded.len() / 3;
        for group in 0..groups {
            let mark = if group + 1 < groups { "x" } else { "" };
            write!(f, "/{mark}{}", &padded[group * 3..group * 3 + 3])?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = BadTile;

    fn from_str(path: &str) -> Result<Tile, BadTile> {
        let (level, rest) = path.strip_prefix("tile/").and_then(|p| p.split_once('/')).ok_or(BadTile)?;
        let holds = match level {
            "entries" => Holds::Entries,
            level => Holds::Hashes(level.parse().ok().filter(|l| *l <= 63).ok_or(BadTile)?),
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|w| (1..WIDTH).contains(w)).ok_or(BadTile)?),
            None => (rest, WIDTH),
        };
        let digits: String = index.chars().filter(char::is_ascii_digit).collect();
        let tile = Tile { holds, index: digits.parse().map_err(|_| BadTile)?, width };
        // One spelling only: whatever else was between the digits shows here.
        if tile.to_string() == path { Ok(tile) } else { Err(BadTile) }
    }
}

/// Where tiles are kept.
pub trait TileReader {
    /// Why a tile could not be had.
    type Error;
    /// The first `width` hashes of the tile at this level and index. A wider tile may be cut to that.
    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<Hash>, Self::Error>;
}

/// Why a proof could not be made from tiles.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TileError<E> {
    /// The reader failed.
    #[error(transparent)]
    Reader(E),
    /// The reader gave fewer hashes than the tree's size demands.
    #[error("{0} is missing or shorter than the tree's size demands")]
    Short(Tile),
}

/// A tree of a given size, read tile by tile. Each tile is read once in the life of this value.
pub struct TiledTree<'a, R> {
    reader: &'a R,
    size: u64,
    read: RefCell<HashMap<(u8, u64), Vec<Hash>>>,
}

impl<'a, R: TileReader> TiledTree<'a, R> {
    /// The tree of `size` leaves over these tiles.
    pub fn new(reader: &'a R, size: u64) -> Self {
        TiledTree { reader, size, read: RefCell::default() }
    }

    /// Its root.
    pub fn root(&self) -> Result<Hash, TileError<R::Error>> {
        tree::root(self, self.size)
    }

    /// Inclusion path of a leaf (`index` < size).
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, TileError<R::Error>> {
        tree::inclusion(self, index, self.size)
    }

    /// Consistency proof from an older size (0 < `old` ≤ size).
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>, TileError<R::Error>> {
        tree::consistency(self, old, self.size)
    }

    /// Roots of the full subtrees that cover `start` to `end` − 1, left to right (`end` ≤ size): with `start` = 0 the
    /// peaks of the tree of `end` leaves, otherwise what leads from the tree of `start` leaves to it.
    pub fn cover(&self, start: u64, end: u64) -> Result<Vec<Hash>, TileError<R::Error>> {
        tree::cover(start, end).into_iter().map(|(level, index)| self.subtree(level, index)).collect()
    }

    /// How many tiles were read so far.
    pub fn tiles_read(&self) -> usize {
        self.read.borrow().len()
    }
}

impl<R: TileReader> Subtrees for TiledTree<'_, R> {
    type Error = TileError<R::Error>;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let (tile_level, inner) = (level / HEIGHT, level % HEIGHT);
        let first = index << inner;
        let tile = Tile::of(tile_level, first / u64::from(WIDTH), self.size);
        let tile = tile.expect("a full subtree of the tree lies in a tile of the tree");
        let mut read = self.read.borrow_mut();
        let hashes = match read.entry((tile_level, tile.index)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(self.reader.tile(tile_level, tile.index, tile.width).map_err(TileError::Reader)?)
            }
        };
        let at = (first % u64::from(WIDTH)) as usize;
        let hashes = hashes.get(at..at + (1 << inner)).ok_or(TileError::Short(tile))?;
        Ok(root_of_full(hashes))
    }
}

// Root over a power of two of hashes.
fn root_of_full(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            node(&root_of_full(left), &root_of_full(right))
        }
    }
}

/// A tile and its hashes, to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filled {
    /// Its name. `holds` is always hashes.
    pub tile: Tile,
    /// As many as the tile is wide.
    pub hashes: Vec<Hash>,
}

impl Filled {
    /// The bytes that are served: the hashes one after the other.
    pub fn bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| hash.0).collect()
    }
}

/// The hashes that a tile's bytes hold; `None` when they are no multiple of 32 or more than a tile.
pub fn hashes_of(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() <= usize::from(WIDTH)).then(|| hashes.iter().map(|hash| Hash(*hash)).collect())
}

/// The tiles at the right edge that are not full yet: what a writer keeps in memory between two commits.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edge {
    size: u64,
    /// Hashes of the partial tile of each level, from the leaves up; a level's list may be empty.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of the tree without leaves.
    pub fn new() -> Edge {
        Edge::default()
    }

    /// The edge of a stored tree, after a restart.
    pub fn load<R: TileReader>(reader: &R, size: u64) -> Result<Edge, TileError<R::Error>> {
        let mut edge = Edge { size, levels: vec![] };
        let mut hashes = size;
        while hashes > 0 {
            let (index, width) = (hashes / u64::from(WIDTH), (hashes % u64::from(WIDTH)) as u16);
            let level = edge.levels.len() as u8;
            let tile = Tile { holds: Holds::Hashes(level), index, width };
            let mut list =
                if width == 0 { vec![] } else { reader.tile(level, index, width).map_err(TileError::Reader)? };
            if list.len() < usize::from(width) {
                return Err(TileError::Short(tile));
            }
            list.truncate(usize::from(width));
            edge.levels.push(list);
            hashes /= u64::from(WIDTH);
        }
        Ok(edge)
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds leaf hashes. Returns the tiles to store: each that became full, then the changed partial ones. A partial tile
    /// takes the place of the narrower one with the same level and index.
    pub fn append(&mut self, leaf_hashes: &[Hash]) -> Vec<Filled> {
        let mut full = vec![];
        let mut changed = 0;
        for leaf_hash in leaf_hashes {
            self.size += 1;
            let mut hash = *leaf_hash;
            let mut level = 0;
            loop {
                if self.levels.len() == level {
                    self.levels.push(vec![]);
                }
                changed = changed.max(level + 1);
                self.levels[level].push(hash);
                if self.levels[level].len() < usize::from(WIDTH) {
                    break;
                }
                let hashes = std::mem::take(&mut self.levels[level]);
                hash = root_of_full(&hashes);
                let index = self.hashes_at(level) / u64::from(WIDTH) - 1;
                full.push(Filled { tile: Tile { holds: Holds::Hashes(level as u8), index, width: WIDTH }, hashes });
                level += 1;
            }
        }
        let partial = (0..changed).filter(|level| !self.levels[*level].is_empty()).map(|level| {
            let hashes = self.levels[level].clone();
            let index = self.hashes_at(level) / u64::from(WIDTH);
            Filled { tile: Tile { holds: Holds::Hashes(level as u8), index, width: hashes.len() as u16 }, hashes }
        });
        full.extend(partial);
        full
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut frontier = Frontier::new();
        for (level, hashes) in self.levels.iter().enumerate().rev() {
            for hash in hashes {
                let fits = frontier.append_subtree(level as u8 * HEIGHT, *hash);
                debug_assert!(fits, "tiles of higher levels end at multiples of lower ones");
            }
        }
        frontier.root()
    }

    fn hashes_at(&self, level: usize) -> u64 {
        self.size >> (level * usize::from(HEIGHT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tiles in memory; counts nothing, forgets nothing.
    #[derive(Default)]
    struct Shelf(HashMap<(Holds, u64), Vec<Hash>>);

    impl Shelf {
        fn put(&mut self, all: Vec<Filled>) {
            self.0.extend(all.into_iter().map(|f| ((f.tile.holds, f.tile.index), f.hashes)));
        }
    }

    impl TileReader for Shelf {
        type Error = String;

        fn tile(&self, level: u8, index: u64, _: u16) -> Result<Vec<Hash>, String> {
            self.0.get(&(Holds::Hashes(level), index)).cloned().ok_or(format!("no tile {level}/{index}"))
        }
    }

    fn leaf(i: u64) -> Hash {
        Hash::of_leaf(&i.to_be_bytes())
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        for (holds, index, width, path) in [
            (Holds::Hashes(0), 0, 256, "tile/0/000"),
            (Holds::Hashes(0), 273, 112, "tile/0/273.p/112"),
            (Holds::Hashes(1), 1_234_067, 256, "tile/1/x001/x234/067"),
            (Holds::Entries, 1_234_067, 8, "tile/entries/x001/x234/067.p/8"),
            (Holds::Hashes(63), 1_000, 1, "tile/63/x001/000.p/1"),
        ] {
            let tile = Tile { holds, index, width };
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
        for bad in [
            "tile/0/0", "tile/0/001/000", "tile/0/x000/001", "tile/64/000", "tile/00/000", "tile/0/000.p/0",
            "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/", "tile/0/000/", "tile/-1/000", "/tile/0/000",
            "tile/0/x001", "tile/0/00x1", "tile/0/+01",
        ] {
            assert_eq!(bad.parse::<Tile>(), Err(BadTile), "{bad}");
        }
    }

    #[test]
    fn a_tree_of_70000_has_the_tiles_of_the_specification() {
        let mut edge = Edge::new();
        let mut shelf = Shelf::default();
        let all: Vec<Hash> = (0..70_000).map(leaf).collect();
        all.chunks(999).for_each(|some| shelf.put(edge.append(some)));
        let widths = |level| {
            let mut all: Vec<_> = shelf.0.iter().filter(|((holds, _), _)| *holds == Holds::Hashes(level)).collect();
            all.sort_by_key(|((_, index), _)| *index);
            all.into_iter().map(|(_, hashes)| hashes.len()).collect::<Vec<_>>()
        };
        assert_eq!(widths(0), [vec![256; 273], vec![112]].concat());
        assert_eq!(widths(1), [256, 17]);
        assert_eq!(widths(2), [1]);
        assert_eq!(Tile::of(0, 273, 70_000).map(|t| t.width), Some(112));
        assert_eq!(Tile::of(3, 0, 70_000), None);
        assert_eq!(Edge::load(&shelf, 70_000).unwrap(), edge);

        let mut frontier = Frontier::new();
        all.iter().for_each(|hash| frontier.append(*hash));
        assert_eq!(edge.root(), frontier.root());
        for size in [1, 255, 256, 257, 65_536, 65_537, 69_999, 70_000] {
            let tree = TiledTree::new(&shelf, size);
            let root = tree.root().unwrap();
            assert_eq!(tree.cover(0, size).unwrap().len(), size.count_ones() as usize);
            for index in [0, size / 3, size - 1] {
                let tree = TiledTree::new(&shelf, size);
                let path = tree.inclusion(index).unwrap();
                assert!(tree::verify_inclusion(index, size, &all[index as usize], &path, &root), "{index} of {size}");
                assert!(tree.tiles_read() <= 6, "{} tiles", tree.tiles_read());
                let old = index + 1;
                let proof = tree.consistency(old).unwrap();
                let old_root = TiledTree::new(&shelf, old).root().unwrap();
                assert!(tree::verify_consistency(old, size, &proof, &old_root, &root), "{old} to {size}");
            }
        }
    }

    #[test]
    fn what_is_stored_does_not_depend_on_the_size_of_the_steps() {
        let all: Vec<Hash> = (0..1_000).map(leaf).collect();
        let (mut one, mut many) = (Shelf::default(), Shelf::default());
        one.put(Edge::new().append(&all));
        let mut edge = Edge::new();
        for (n, hash) in all.iter().enumerate() {
            many.put(edge.append(std::slice::from_ref(hash)));
            assert_eq!(Edge::load(&many, n as u64 + 1).unwrap(), edge);
        }
        assert!(one.0 == many.0);
        assert!(edge.append(&[]).is_empty());
    }

    #[test]
    fn a_short_or_missing_tile_is_an_error() {
        let mut shelf = Shelf::default();
        shelf.put(Edge::new().append(&[leaf(0), leaf(1)]));
        assert!(matches!(TiledTree::new(&shelf, 3).root(), Err(TileError::Short(_))));
        assert!(matches!(Edge::load(&shelf, 3), Err(TileError::Short(_))));
        assert!(matches!(TiledTree::new(&shelf, 600).root(), Err(TileError::Reader(_))));
        assert_eq!(hashes_of(&[0; 33]), None);
        assert_eq!(hashes_of(&[0; 64]), Some(vec![Hash::ZERO; 2]));
    }
}
