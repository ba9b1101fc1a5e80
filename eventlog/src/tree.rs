//! The Merkle tree of RFC 6962 over leaf hashes: roots, inclusion proofs, consistency proofs. Rules: `docs/LOG-FORMAT.md`, section 7.
//!
//! Invariant: a hash of level L and index I is the root of the full subtree over leaves I·2^L to (I+1)·2^L − 1. Such a
//! hash never changes as the tree grows, so it may be stored and cached for ever ([`crate::tiles`]).

use sha2::{Digest, Sha256};

use crate::record::Hash;

/// SHA-256(0x01 ‖ left ‖ right).
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// Root of the tree without leaves.
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// The right edge of a growing tree: enough to append leaves and to know the root, in O(log n) memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the largest full subtrees, left to right: one for each bit that is set in `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// The tree of `size` leaves whose full subtrees have these roots; `None` when their number does not fit.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Frontier> {
        (size.count_ones() as usize == peaks.len()).then_some(Frontier { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the largest full subtrees, left to right.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds the next leaf.
    pub fn append(&mut self, leaf_hash: Hash) {
        let fits = self.append_subtree(0, leaf_hash);
        debug_assert!(fits, "a single leaf fits everywhere");
    }

    /// Adds the root of the next 2^`level` leaves. False, and nothing added, when the tree's size is no multiple of that.
    pub fn append_subtree(&mut self, level: u8, root: Hash) -> bool {
        let Some(width) = 1u64.checked_shl(u32::from(level)).filter(|width| self.size.is_multiple_of(*width)) else {
            return false;
        };
        let Some(size) = self.size.checked_add(width) else { return false };
        let mut root = root;
        // Each set bit from `level` upwards is a peak of the same height as `root` has by then.
        for _ in 0..(self.size >> level).trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each set bit of the size");
            root = node(&left, &root);
        }
        self.peaks.push(root);
        self.size = size;
        true
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        self.peaks.iter().rev().copied().reduce(|right, left| node(&left, &right)).unwrap_or_else(empty_root)
    }
}

/// The full subtrees that cover leaves `start` to `end` − 1, left to right, as (level, index): what a reader who knows
/// the peaks at `start` must be given to reach the root at `end`.
pub fn cover(start: u64, end: u64) -> Vec<(u8, u64)> {
    let mut at = start;
    let mut all = vec![];
    while at < end {
        let aligned = at.trailing_zeros();
        let fits = (end - at).ilog2();
        let level = aligned.min(fits);
        all.push((level as u8, at >> level));
        at += 1 << level;
    }
    all
}

/// Where hashes of full subtrees come from: memory, tiles, a database.
pub trait Subtrees {
    /// Why a hash could not be had.
    type Error;
    /// Root of the full subtree over leaves `index`·2^`level` to (`index`+1)·2^`level` − 1.
    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Root of the tree of `size` leaves.
pub fn root<S: Subtrees + ?Sized>(from: &S, size: u64) -> Result<Hash, S::Error> {
    range(from, 0, size)
}

/// The siblings on the way from leaf `index` to the root of the tree of `size` leaves, leaf side first.
///
/// Panics unless `index` < `size`: the caller has looked.
pub fn inclusion<S: Subtrees + ?Sized>(from: &S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    assert!(index < size, "inclusion proof of a leaf outside the tree");
    let (mut start, mut end) = (0, size);
    let mut path = vec![];
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(from, middle, end)?);
            end = middle;
        } else {
            path.push(range(from, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The hashes that show the tree of `old` leaves to be the beginning of the tree of `new` leaves.
///
/// Panics unless 0 < `old` ≤ `new`: the empty tree begins every tree and needs no proof.
pub fn consistency<S: Subtrees + ?Sized>(from: &S, old: u64, new: u64) -> Result<Vec<Hash>, S::Error> {
    assert!(0 < old && old <= new, "consistency proof between sizes out of order");
    let (mut start, mut end) = (0, new);
    let mut proof = vec![];
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range(from, middle, end)?);
            end = middle;
        } else {
            proof.push(range(from, start, middle)?);
            start = middle;
        }
    }
    // Whoever checks knows the old root itself already, when the old tree is one full subtree.
    if start > 0 {
        proof.push(range(from, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

// Largest power of two below `n` (n > 1).
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

// Root over leaves start..end, where start is a multiple of the smallest power of two that is at least the width.
fn range<S: Subtrees + ?Sized>(from: &S, start: u64, end: u64) -> Result<Hash, S::Error> {
    let mut hashes = vec![];
    for (level, index) in cover(start, end) {
        hashes.push(from.subtree(level, index)?);
    }
    Ok(hashes.into_iter().rev().reduce(|right, left| node(&left, &right)).unwrap_or_else(empty_root))
}

/// Whether `path` leads from this leaf to this root (RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(index: u64, size: u64, leaf_hash: &Hash, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf_hash);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the tree (`old`, `old_root`) is the beginning of (`new`, `new_root`) (RFC 9162, section 2.1.4.2).
/// The empty tree is refused: a caller for whom it has a meaning knows what to do.
pub fn verify_consistency(old: u64, new: u64, proof: &[Hash], old_root: &Hash, new_root: &Hash) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let (seed, rest) = match proof.split_first() {
        None => return false,
        Some(_) if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
    };
    let shift = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut from_old, mut from_new) = (*seed, *seed);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            from_old = node(hash, &from_old);
            from_new = node(hash, &from_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node(&from_new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

/// All leaf hashes in memory: for tests and small ledgers.
impl Subtrees for [Hash] {
    type Error = std::convert::Infallible;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let start = (index << level) as usize;
        let mut all = Frontier::new();
        self[start..start + (1 << level)].iter().for_each(|hash| all.append(*hash));
        Ok(all.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|i| Hash::of_leaf(&i.to_be_bytes())).collect()
    }

    /// MTH of RFC 6962, section 2.1, word for word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            many => {
                let k = split(many.len() as u64) as usize;
                node(&mth(&many[..k]), &mth(&many[k..]))
            }
        }
    }

    fn infallible<T>(result: Result<T, std::convert::Infallible>) -> T {
        result.unwrap_or_else(|never| match never {})
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let all = leaves(70);
        let mut frontier = Frontier::new();
        for n in 0..=70 {
            assert_eq!(frontier.root(), mth(&all[..n]), "{n}");
            assert_eq!(infallible(root(&all[..], n as u64)), frontier.root());
            assert_eq!(Frontier::from_peaks(n as u64, frontier.peaks().to_vec()), Some(frontier.clone()));
            if n < 70 {
                frontier.append(all[n]);
            }
        }
        assert_eq!(Frontier::from_peaks(3, vec![Hash::ZERO]), None);
    }

    #[test]
    fn every_proof_holds_and_no_shorter_or_changed_one_does() {
        let all = leaves(40);
        for n in 1..=40u64 {
            let new_root = mth(&all[..n as usize]);
            for i in 0..n {
                let path = infallible(inclusion(&all[..], i, n));
                let leaf = all[i as usize];
                assert!(verify_inclusion(i, n, &leaf, &path, &new_root), "{i} of {n}");
                assert!(!verify_inclusion(i, n, &Hash::ZERO, &path, &new_root));
                assert!(path.is_empty() || !verify_inclusion(i, n, &leaf, &path[1..], &new_root));
                assert!(!verify_inclusion(i, n, &leaf, &[&path[..], &[leaf]].concat(), &new_root));
                let (old, old_root) = (i + 1, mth(&all[..=i as usize]));
                let proof = infallible(consistency(&all[..], old, n));
                assert!(verify_consistency(old, n, &proof, &old_root, &new_root), "{old} to {n}");
                assert!(!verify_consistency(old, n, &proof, &Hash::ZERO, &new_root));
                assert!(!verify_consistency(old, n, &proof, &old_root, &Hash::ZERO));
                assert!(proof.is_empty() || !verify_consistency(old, n, &proof[1..], &old_root, &new_root));
            }
        }
    }

    #[test]
    fn a_range_reaches_the_root_from_both_sides() {
        let all = leaves(50);
        for (first, end) in [(0, 50), (1, 50), (7, 13), (16, 32), (31, 33), (49, 50), (0, 1)] {
            let mut frontier = Frontier::new();
            all[..first as usize].iter().for_each(|hash| frontier.append(*hash));
            let mut range = Frontier::from_peaks(first, frontier.peaks().to_vec()).unwrap();
            all[first as usize..end as usize].iter().for_each(|hash| range.append(*hash));
            for (level, index) in cover(end, 50) {
                assert!(range.append_subtree(level, infallible(all[..].subtree(level, index))));
            }
            assert_eq!((range.size(), range.root()), (50, mth(&all)), "{first} to {end}");
        }
        let mut odd = Frontier::from_peaks(1, vec![Hash::ZERO]).unwrap();
        assert!(!odd.append_subtree(1, Hash::ZERO));
        assert!(!odd.append_subtree(64, Hash::ZERO));
    }
}
