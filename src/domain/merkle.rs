//! The Merkle tree over a brand's ledger (RFC 6962, SHA-256, salted leaves), grown leaf by leaf.
//!
//! To append and to name the root the frontier is enough: the roots of the complete subtrees that the
//! tree's size consists of, at most 50 hashes. Proofs are made of [`tiles`] and checked by [`check`].
//! The crate `ct-merkle` is the oracle in the tests; it keeps whole trees in memory.

pub mod check;
pub mod tiles;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A node's hash.
pub type Hash = [u8; 32];

/// The frontier of a tree of `size` leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Frontier {
    size: u64,
    /// Roots of complete subtrees, largest first, as hex.
    roots: Vec<HexHash>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct HexHash(Hash);

impl Serialize for HexHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}
/// The hash that 64 hexadecimal digits tell.
#[must_use]
pub fn unhex(text: &str) -> Option<Hash> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks(2).filter_map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    let whole = digits.len() == 64;
    Hash::try_from(pairs.collect::<Vec<u8>>()).ok().filter(|_| whole)
}

impl Frontier {
    /// The frontier of so many leaves, its roots as they were written; `None` if one is no hash.
    #[must_use]
    pub fn of(size: u64, roots: &[String]) -> Option<Self> {
        let roots: Option<Vec<Hash>> = roots.iter().map(|root| unhex(root)).collect();
        Some(Self::new(size, &roots?))
    }

    /// The frontier of so many leaves with these roots.
    #[must_use]
    pub fn new(size: u64, roots: &[Hash]) -> Self {
        Self { size, roots: roots.iter().copied().map(HexHash).collect() }
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf with this content.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut node = hash(&[&[0], leaf]);
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(HexHash(left)) = self.roots.pop() {
                node = node_hash(&left, &node);
            }
            size >>= 1;
        }
        self.roots.push(HexHash(node));
        self.size += 1;
    }

    /// The tree's root; of an empty tree the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut from_right = self.roots.iter().rev().map(|h| h.0);
        let Some(mut node) = from_right.next() else { return hash(&[]) };
        for left in from_right {
            node = node_hash(&left, &node);
        }
        node
    }
}

/// The salt of an entry: only the brand's key can make it, so that a proof about one entry lets nobody
/// guess its neighbours.
#[must_use]
pub fn salt(salt_key: &[u8; 32], sequence: i64) -> [u8; 16] {
    let mut salt = [0; 16];
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt_key) {
        mac.update(&sequence.to_be_bytes());
        salt.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
    }
    salt
}

/// The leaf of an entry: its salt, then its canonical text.
#[must_use]
pub fn leaf(salt_key: &[u8; 32], sequence: i64, canonical: &str) -> Vec<u8> {
    [salt(salt_key, sequence).as_slice(), canonical.as_bytes()].concat()
}

/// Small hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::rows::from_json;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    #[test]
    fn roots_agree_with_the_reference_implementation() {
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut frontier = Frontier::default();
        assert_eq!(
            hex(&frontier.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for n in 0..130u8 {
            let content = vec![n; usize::from(n % 5)];
            oracle.push(content.clone());
            frontier.push(&content);
            assert_eq!(frontier.root().as_slice(), oracle.root().as_bytes().as_slice(), "{n}");
            let text = serde_json::to_string(&frontier).unwrap();
            assert_eq!(from_json::<Frontier>(&text).unwrap(), frontier);
        }
        assert_eq!(frontier.size(), 130);
    }

    #[test]
    fn leaves_are_salted_per_entry_and_key() {
        assert_ne!(leaf(&[1; 32], 1, "x"), leaf(&[1; 32], 2, "x"));
        assert_ne!(leaf(&[1; 32], 1, "x"), leaf(&[2; 32], 1, "x"));
        assert_eq!(leaf(&[1; 32], 1, "x").len(), 17);
    }

    #[test]
    fn a_damaged_frontier_is_refused() {
        for text in [r#"{"size":1,"roots":["zz"]}"#, r#"{"size":1,"roots":["00"]}"#] {
            assert!(from_json::<Frontier>(text).is_none(), "{text}");
        }
    }
}
