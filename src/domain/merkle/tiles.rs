//! The hashes of a brand's tree in tiles, and the proofs that are made of them (RFC 6962, RFC 9162).
//!
//! A tile holds up to 256 neighbouring hashes of one level: level 0 those of the leaves, level 1
//! those of full tiles of level 0, and so on. Hashes of complete subtrees never change, so tiles only
//! grow; and whatever a proof needs stands in the tiles above its leaf and along the tree's right
//! edge: three rows for a million entries, however many entries there are.

use super::{Hash, hex, node_hash, unhex};
use crate::domain::sorted::Sorted;

/// How many hashes a full tile has: 2^8.
const FULL: u64 = 1 << HEIGHT;
const HEIGHT: u32 = 8;

/// Which tile: its level and its place among those of its level.
pub type TileId = (u32, u64);

/// Tiles that were loaded, or grown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tiles(Sorted<TileId, Vec<Hash>>);

/// The tiles that proofs about the tree of `size` leaves need: those above the leaves at these
/// places, and those along its right edge.
#[must_use]
pub fn needed(places: &[u64], size: u64) -> Vec<TileId> {
    let mut wanted: Sorted<TileId, ()> = Sorted::new();
    for place in places.iter().copied().chain([size]) {
        let mut level = 0;
        // Above this there is no complete subtree.
        while size >> (HEIGHT * level) > 0 {
            wanted.insert((level, place >> (HEIGHT * (level + 1))), ());
            level += 1;
        }
    }
    wanted.into_iter().map(|(id, ())| id).collect()
}

/// The tiles that a consistency proof from the tree of `old` leaves to that of `size` needs.
#[must_use]
pub fn needed_since(old: u64, size: u64) -> Vec<TileId> {
    needed(&[old.saturating_sub(1), old], size)
}

impl Tiles {
    /// Takes over a tile as it is stored; false if that is no list of hashes.
    #[must_use]
    pub fn take(&mut self, id: TileId, hashes: &str) -> bool {
        let mut read = Vec::new();
        for at in 0..hashes.len().div_ceil(64) {
            match hashes.get(at * 64..(at + 1) * 64).and_then(unhex) {
                Some(hash) => read.push(hash),
                None => return false,
            }
        }
        self.0.insert(id, read);
        true
    }

    /// Takes over what others hold.
    pub fn extend(&mut self, others: Self) {
        for (id, hashes) in others.0 {
            self.0.insert(id, hashes);
        }
    }

    /// The tile as it is stored: its hashes in hex, one after the other.
    #[must_use]
    pub fn text(&self, id: TileId) -> String {
        self.0.get(&id).into_iter().flatten().map(|hash| hex(hash)).collect()
    }

    /// The root of the complete subtree number `index` of 2^`level` leaves.
    fn node(&self, level: u32, index: u64) -> Option<Hash> {
        if level.is_multiple_of(HEIGHT) {
            let tile = self.0.get(&(level / HEIGHT, index / FULL))?;
            return tile.get(usize::try_from(index % FULL).ok()?).copied();
        }
        let (left, right) =
            (self.node(level - 1, index * 2)?, self.node(level - 1, index * 2 + 1)?);
        Some(node_hash(&left, &right))
    }

    /// The root over the leaves from `start` until before `end`; `None` if a hash is missing.
    #[must_use]
    pub fn root(&self, start: u64, end: u64) -> Option<Hash> {
        let size = end.checked_sub(start).filter(|size| *size > 0)?;
        if size.is_power_of_two() && start.is_multiple_of(size) {
            return self.node(size.trailing_zeros(), start / size);
        }
        let middle = start + split(size);
        Some(node_hash(&self.root(start, middle)?, &self.root(middle, end)?))
    }

    /// The roots of the complete subtrees that a tree of this size consists of, largest first.
    #[must_use]
    pub fn frontier(&self, size: u64) -> Option<Vec<Hash>> {
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        levels.map(|level| self.node(level, (size >> level) - 1)).collect()
    }

    /// The inclusion proof of the leaf at `place` in the tree of `size` leaves; `None` if a hash is
    /// missing or there is no such leaf.
    #[must_use]
    pub fn inclusion(&self, place: u64, size: u64) -> Option<Vec<Hash>> {
        (place < size).then_some(())?;
        let (mut start, mut end, mut path) = (0, size, Vec::new());
        while end - start > 1 {
            let middle = start + split(end - start);
            if place < middle {
                path.push(self.root(middle, end)?);
                end = middle;
            } else {
                path.push(self.root(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The proof that the tree of `size` leaves begins with the whole tree of `old`; `None` if a hash
    /// is missing, or there is nothing that could be shown.
    #[must_use]
    pub fn consistency(&self, old: u64, size: u64) -> Option<Vec<Hash>> {
        (old > 0 && old <= size).then_some(())?;
        let (mut start, mut end, mut path, mut whole) = (0, size, Vec::new(), true);
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.root(middle, end)?);
                end = middle;
            } else {
                path.push(self.root(start, middle)?);
                start = middle;
                whole = false;
            }
        }
        // Whoever checks knows the old root itself.
        if !whole {
            path.push(self.root(start, end)?);
        }
        path.reverse();
        Some(path)
    }
}

/// The largest power of two below a size of at least 2.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// A tree while leaves are appended to it.
#[derive(Debug, Clone, Default)]
pub struct Growth {
    size: u64,
    tiles: Tiles,
    touched: Vec<TileId>,
}

impl Growth {
    /// Goes on with a tree of this size; `tiles` are those that [`needed`] names for it.
    #[must_use]
    pub fn of(size: u64, tiles: Tiles) -> Self {
        Self { size, tiles, touched: Vec::new() }
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the leaf with this hash.
    pub fn push(&mut self, leaf: Hash) {
        let (mut hash, mut place) = (leaf, self.size);
        self.size += 1;
        for level in 0.. {
            let id = (level, place / FULL);
            if self.touched.last() != Some(&id) && !self.touched.contains(&id) {
                self.touched.push(id);
            }
            self.tiles.0.change(id, |tile| tile.push(hash));
            if place % FULL != FULL - 1 {
                break;
            }
            // The tile is full: its root is a hash of the level above.
            place /= FULL;
            match self.full(level, place) {
                Some(root) => hash = root,
                None => break,
            }
        }
    }

    /// The root of a full tile, whose place in the level above isn't filled yet.
    fn full(&self, level: u32, place: u64) -> Option<Hash> {
        let under = HEIGHT * level + HEIGHT - 1;
        Some(node_hash(
            &self.tiles.node(under, place * 2)?,
            &self.tiles.node(under, place * 2 + 1)?,
        ))
    }

    /// The root and the frontier; `None` for an empty tree, or if a tile was missing.
    #[must_use]
    pub fn head(&self) -> Option<(Hash, Vec<Hash>)> {
        Some((self.tiles.root(0, self.size)?, self.tiles.frontier(self.size)?))
    }

    /// The tiles that changed since it was last asked, as they are stored; those that are full and
    /// aren't needed any more are let go.
    pub fn changed(&mut self) -> Vec<(TileId, String)> {
        let changed = std::mem::take(&mut self.touched);
        let edge = needed(&[], self.size);
        let told = changed.iter().map(|id| (*id, self.tiles.text(*id))).collect();
        for id in changed.iter().filter(|id| !edge.contains(id)) {
            self.tiles.0.remove(id);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{self, leaf_hash};
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use sha2::Sha256;
    use std::collections::BTreeSet;

    fn content(n: u64) -> Vec<u8> {
        n.to_string().into_bytes()
    }

    /// What storage does: only the tiles that are named are there.
    fn stored(all: &Tiles, ids: &[TileId]) -> Tiles {
        let mut found = Tiles::default();
        for id in ids {
            let text = all.text(*id);
            assert!(text.is_empty() || found.take(*id, &text));
        }
        found
    }

    fn grown(size: u64, step: u64) -> Tiles {
        let mut all = Tiles::default();
        let mut growth = Growth::default();
        for n in 0..size {
            growth.push(leaf_hash(&content(n)));
            if n % step == 0 || n + 1 == size {
                for (id, text) in growth.changed() {
                    let before = all.text(id);
                    assert!(text.starts_with(&before) && text.len() > before.len());
                    assert!(all.take(id, &text));
                }
                // As a later run does.
                growth = Growth::of(n + 1, stored(&all, &needed(&[], n + 1)));
                let (root, frontier) = growth.head().unwrap();
                assert_eq!(root, super::super::Frontier::new(n + 1, &frontier).root());
            }
        }
        all
    }

    #[test]
    fn proofs_agree_with_the_reference_implementation() {
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let tiles = grown(600, 97);
        let mut roots = vec![[0; 32]];
        for n in 0..600 {
            oracle.push(content(n));
            roots.push(oracle.root().as_bytes().as_slice().try_into().unwrap());
        }
        for size in [1_u64, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 600] {
            let at = usize::try_from(size).unwrap();
            for place in (0..size).step_by(1 + at / 40) {
                let path = stored(&tiles, &needed(&[place], size)).inclusion(place, size).unwrap();
                if size == 600 {
                    let theirs = oracle.prove_inclusion(usize::try_from(place).unwrap());
                    assert_eq!(path.concat(), theirs.as_bytes(), "{place} in {size}");
                }
                let leaf = leaf_hash(&content(place));
                assert_eq!(check::root_of(leaf, (place, size), &path), Some(roots[at]));
                assert_ne!(check::root_of(leaf, (place + 1, size), &path), Some(roots[at]));
            }
            for old in (1..=size).step_by(1 + at / 40) {
                let path = stored(&tiles, &needed_since(old, size)).consistency(old, size).unwrap();
                if size == 600 && old < size {
                    let added = usize::try_from(size - old).unwrap();
                    assert_eq!(path.concat(), oracle.prove_consistency(added).as_bytes(), "{old}");
                }
                let from = (old, roots[usize::try_from(old).unwrap()]);
                assert!(check::grew(from, (size, roots[at]), &path), "{old} to {size}");
                let other = (old, roots[usize::try_from(old - 1).unwrap()]);
                assert!(!check::grew(other, (size, roots[at]), &path), "{old} to {size}");
            }
        }
        assert_eq!(tiles.inclusion(600, 600), None);
        assert_eq!(tiles.consistency(0, 600), None);
        assert_eq!(tiles.consistency(601, 600), None);
    }

    #[test]
    fn a_tree_goes_on_growing_after_its_changes_were_told() {
        let mut growth = Growth::default();
        let mut frontier = super::super::Frontier::default();
        let mut told = Tiles::default();
        for (until, changes) in [(300, 3), (301, 1), (800, 4)] {
            for n in growth.size()..until {
                growth.push(leaf_hash(&content(n)));
                frontier.push(&content(n));
            }
            let changed = growth.changed();
            // The tiles of leaves, each once, and the one above them when one got full.
            let ids: BTreeSet<TileId> = changed.iter().map(|(id, _)| *id).collect();
            assert_eq!((growth.size(), ids.len(), changed.len()), (until, changes, changes));
            let mut part = Tiles::default();
            assert!(changed.iter().all(|(id, text)| part.take(*id, text)));
            told.extend(part);
            assert_eq!(growth.head().unwrap().0, frontier.root());
            assert_eq!(told.root(0, until), Some(frontier.root()));
            assert_eq!(growth.changed(), []);
        }
        assert_eq!(told.root(7, 7), None);
        assert_eq!(Tiles::default().root(0, 0), None);
    }

    #[test]
    fn proofs_of_another_length_show_nothing() {
        let (leaf, other) = (leaf_hash(b"a"), leaf_hash(b"b"));
        assert_eq!(check::root_of(leaf, (0, 1), &[]), Some(leaf));
        assert_eq!(check::root_of(leaf, (0, 1), &[other]), None);
        assert_eq!(check::root_of(leaf, (0, 2), &[]), None);
        assert_eq!(check::root_of(leaf, (0, 2), &[other, other]), None);
        assert_eq!(check::root_of(leaf, (1, 1), &[]), None);
        assert!(check::grew((1, leaf), (1, leaf), &[]));
        assert!(!check::grew((1, leaf), (1, leaf), &[leaf]));
        assert!(!check::grew((1, leaf), (1, other), &[]));
        // No tree shrinks, and none begins with nothing.
        assert!(!check::grew((3, leaf), (1, leaf), &[leaf]));
        assert!(!check::grew((0, leaf), (1, leaf), &[leaf]));
        assert!(!check::grew((1, leaf), (2, leaf), &[]));
    }

    #[test]
    fn a_million_leaves_need_three_tiles() {
        assert_eq!(needed(&[12_345], 1_000_000).len(), 3 + 2);
        assert_eq!(needed(&[], 1_000_000).len(), 3);
        assert_eq!(needed(&[], 0), []);
    }

    #[test]
    fn what_is_no_tile_is_refused() {
        for bad in ["0", &"0".repeat(63), &"x".repeat(64), &"ä".repeat(32), &"0".repeat(65)] {
            assert!(!Tiles::default().take((0, 0), bad), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]
        /// Beyond one level of tiles, and however the leaves came.
        #[test]
        fn any_leaf_of_any_tree_is_shown(size in 1_u64..70_000, place: prop::sample::Index, old: prop::sample::Index) {
            let mut growth = Growth::default();
            let mut frontier = super::super::Frontier::default();
            let old = 1 + old.index(usize::try_from(size).unwrap()) as u64;
            let mut old_root = [0; 32];
            for n in 0..size {
                growth.push(leaf_hash(&content(n)));
                frontier.push(&content(n));
                if n + 1 == old {
                    old_root = frontier.root();
                }
            }
            let (root, _) = growth.head().unwrap();
            prop_assert_eq!(root, frontier.root());
            let place = place.index(usize::try_from(size).unwrap()) as u64;
            let tiles = stored(&growth.tiles, &needed(&[place], size));
            let path = tiles.inclusion(place, size).unwrap();
            prop_assert_eq!(check::root_of(leaf_hash(&content(place)), (place, size), &path), Some(root));
            let tiles = stored(&growth.tiles, &needed_since(old, size));
            let path = tiles.consistency(old, size).unwrap();
            prop_assert!(check::grew((old, old_root), (size, root), &path));
        }
    }
}
