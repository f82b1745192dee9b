//! Checking proofs, as whoever holds a statement does it (RFC 9162, sections 2.1.3.2 and 2.1.4.2).

use super::{Hash, hash, node_hash};

/// The hash of a leaf with this content.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    hash(&[&[0], leaf])
}

/// The root that an inclusion proof of this leaf leads to, at `place` in a tree of `size` leaves;
/// `None` if the proof has another length than such a proof has.
#[must_use]
pub fn root_of(leaf: Hash, (place, size): (u64, u64), path: &[Hash]) -> Option<Hash> {
    (place < size).then_some(())?;
    let (mut node, mut last, mut root) = (place, size - 1, leaf);
    for sibling in path {
        (last > 0).then_some(())?;
        if node & 1 == 1 || node == last {
            root = node_hash(sibling, &root);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

/// Whether a consistency proof shows that the tree of the second head begins with that of the first.
#[must_use]
pub fn grew((old, old_root): (u64, Hash), (size, root): (u64, Hash), path: &[Hash]) -> bool {
    if old == size {
        return path.is_empty() && old_root == root;
    }
    if old == 0 || old > size || path.is_empty() {
        return false;
    }
    let own = [old_root];
    let mut hashes = own.iter().filter(|_| old.is_power_of_two()).chain(path);
    let (mut node, mut last) = (old - 1, size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let Some(first) = hashes.next() else { return false };
    let (mut from, mut to) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from = node_hash(sibling, &from);
            to = node_hash(sibling, &to);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            to = node_hash(&to, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from == old_root && to == root
}
