//! Collections of shops that terms name: which products were in them, and when.
//!
//! Membership is kept as spans of time. What was found at a shop holds from then on, after the last
//! order that is known, so that no order ever finds another membership than the one before it did:
//! an order's own is a pure function of when it was placed. The first that is found holds for the
//! time before, too, for no terms could name the collection earlier.

use serde::Serialize;

use super::ids::CollectionId;
use super::time::Millis;

/// The most products of a collection that is kept in step.
pub const MOST_PRODUCTS: usize = 5_000;

/// Since when and until when a product was in a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The collection.
    pub collection: CollectionId,
    /// The platform's id of the product.
    pub product: u64,
    /// Since then, inclusive.
    pub from_ms: Millis,
    /// Until then, exclusive; `None`: still.
    pub to_ms: Option<Millis>,
}

impl Span {
    /// Whether it holds at a time.
    #[must_use]
    pub fn holds(&self, at_ms: Millis) -> bool {
        self.from_ms <= at_ms && self.to_ms.is_none_or(|to_ms| at_ms < to_ms)
    }
}

/// What an order has to know of collections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Those that its terms name.
    pub collections: Vec<CollectionId>,
    /// The products of its lines.
    pub products: Vec<u64>,
    /// When it was placed.
    pub at_ms: Millis,
}

/// In which of the collections that an order's terms name a product of its was when it was placed.
/// An order keeps one of each product, also of those that were in none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The platform's id of the product.
    pub product: u64,
    /// The collections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub collections: Vec<CollectionId>,
}

/// What these spans come to for an order, by product.
#[must_use]
pub fn members(spans: &[Span], wanted: &Wanted) -> Vec<Member> {
    let one = |product: &u64| {
        let has = |collection: &&CollectionId| {
            let of = |s: &Span| s.collection == **collection && s.product == *product;
            spans.iter().any(|span| of(span) && span.holds(wanted.at_ms))
        };
        Member {
            product: *product,
            collections: wanted.collections.iter().filter(has).copied().collect(),
        }
    };
    wanted.products.iter().map(one).collect()
}

/// What became of a collection's products.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// New ones.
    pub added: Vec<u64>,
    /// Those that are in it no more.
    pub removed: Vec<u64>,
}

/// What leads from one list of products to another; both without repetitions, in any order.
#[must_use]
pub fn difference(known: &[u64], found: &[u64]) -> Change {
    let sorted = |list: &[u64]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list.dedup();
        list
    };
    let (known, found) = (sorted(known), sorted(found));
    let beyond = |list: &[u64], other: &[u64]| {
        list.iter().filter(|id| other.binary_search(id).is_err()).copied().collect()
    };
    Change { added: beyond(&found, &known), removed: beyond(&known, &found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection(n: u8) -> CollectionId {
        CollectionId::from_bytes([n; 16])
    }

    #[test]
    fn a_product_is_in_a_collection_from_its_coming_to_its_going() {
        let span = |n, product, from_ms, to_ms| Span {
            collection: collection(n),
            product,
            from_ms,
            to_ms,
        };
        let spans = [
            span(1, 7, 0, Some(100)),
            span(1, 7, 200, None),
            span(2, 7, 50, None),
            span(3, 8, 0, None),
        ];
        let at = |at_ms| {
            let (collections, products) = (vec![collection(1), collection(2)], vec![7, 8]);
            let found = members(&spans, &Wanted { collections, products, at_ms });
            assert_eq!(found[1], Member { product: 8, collections: vec![] }, "nobody asked for 3");
            found[0].collections.iter().map(|id| id.bytes()[0]).collect::<Vec<_>>()
        };
        assert_eq!([at(0), at(49)], [[1], [1]]);
        assert_eq!([at(50), at(99)], [[1, 2], [1, 2]]);
        assert_eq!([at(100), at(199)], [[2], [2]]);
        assert_eq!(at(200), [1, 2]);
    }

    #[test]
    fn differences_lead_from_one_to_the_other() {
        let change = |known: &[u64], found: &[u64]| difference(known, found);
        assert_eq!(change(&[3, 1], &[1, 3, 3]), Change::default());
        let most = u64::MAX;
        let made = change(&[1, 2, most], &[9, 2]);
        assert_eq!(made, Change { added: vec![9], removed: vec![1, most] });
        assert_eq!(change(&[], &[5]).added, [5]);
        assert_eq!(change(&[5], &[]).removed, [5]);
    }
}
