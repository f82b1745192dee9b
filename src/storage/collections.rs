//! Collections of shops that terms name: what a look found, and when products were in them.

use super::{
    Database, DbError, Freshness, Reading, Statement, bind, json_numbers, row, statements,
};
use crate::domain::collection::{Change, Span};
use crate::domain::ids::{BrandId, CollectionId, StoreId, TaskId};
use crate::domain::task::Kind;
use crate::domain::time::Millis;

/// The scope without which a shop shows no collections.
pub const SCOPE: &str = "read_products";

statements! {
    /// The first products hold since ever: no terms can have named it.
    INSERT_COLLECTION = "
INSERT INTO collections (brand_id, id, store_id, external_id, title, handle, state, products, change,
  changed_at_ms, looked_at_ms, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'current', ?7, ?8, 0, ?9, ?9)";

    /// Others hold from now on, but after all orders that are known (of one that was told in whole
    /// seconds, after its second). ?3 the revision that was read: another aborts.
    CHANGE_PRODUCTS = "
UPDATE collections SET revision = iif(revision = ?3, revision + 1, NULL), title = ?4, handle = ?5,
  state = 'current', problem = '', products = ?6, change = ?7, looked_at_ms = ?8,
  changed_at_ms = max(CAST(?8 AS INTEGER), changed_at_ms + 1, coalesce((SELECT max(placed_at_ms) + 1000
    FROM orders WHERE brand_id = ?1 AND placed_at_ms IS NOT NULL), 0))
WHERE brand_id = ?1 AND id = ?2";

    /// All is as it was.
    LOOKED_AT_COLLECTION = "
UPDATE collections SET title = ?3, handle = ?4, state = 'current', problem = '', looked_at_ms = ?5
WHERE brand_id = ?1 AND id = ?2";

    /// Its products stay as they were known last.
    COLLECTION_PROBLEM = "
UPDATE collections SET state = ?3, problem = ?4, looked_at_ms = ?5 WHERE brand_id = ?1 AND id = ?2";

    /// A look couldn't be; ?3 a store's.
    COLLECTIONS_UNSEEN = "
UPDATE collections SET problem = ?3 WHERE brand_id = ?1 AND store_id = ?2 AND state = 'current'";

    FIND_COLLECTION = "
SELECT id, store_id, external_id, title, handle, state, problem, products, changed_at_ms, looked_at_ms,
  created_at_ms, revision FROM collections WHERE brand_id = ?1 AND id = ?2";

    /// By the platform's id.
    COLLECTION_OF_SHOP = "
SELECT id, store_id, external_id, title, handle, state, problem, products, changed_at_ms, looked_at_ms,
  created_at_ms, revision FROM collections WHERE brand_id = ?1 AND store_id = ?2 AND external_id = ?3";

    COLLECTIONS_OF_STORE = "
SELECT id, store_id, external_id, title, handle, state, problem, products, changed_at_ms, looked_at_ms,
  created_at_ms, revision FROM collections INDEXED BY collections_by_shop
WHERE brand_id = ?1 AND store_id = ?2 AND external_id > ?3 ORDER BY external_id LIMIT ?4";

    /// The products that it has.
    PRODUCTS = "
SELECT json_group_array(product_id) AS products FROM collection_products
WHERE brand_id = ?1 AND collection_id = ?2 AND to_ms IS NULL";

    /// Products ?2 in any collection.
    SPANS = "
SELECT json_group_array(json_object('collection', p.collection_id, 'product', p.product_id,
  'from_ms', p.from_ms, 'to_ms', p.to_ms)) AS spans
FROM collections k CROSS JOIN json_each(?2) j CROSS JOIN collection_products p
  ON p.brand_id = ?1 AND p.collection_id = k.id AND p.product_id = j.value WHERE k.brand_id = ?1";

    /// A look ?9 at one collection ?7, or at all, if terms name such. As [`super::outbox`] puts tasks; ?8: who
    /// works at it now looks again.
    PUT_LOOK_AT_COLLECTIONS = "
INSERT INTO outbox (brand_id, id, store_id, kind, subject, payload, state, due_at_ms, created_at_ms,
  changed_at_ms) SELECT ?1, ?2, ?3, ?4, ?9, '{}', 'waiting', ?5, ?6, ?6
WHERE EXISTS (SELECT 1 FROM collections INDEXED BY collections_by_shop
  WHERE brand_id = ?1 AND store_id = ?3 AND external_id >= coalesce(?7, '') AND external_id <= coalesce(?7, 'a'))
ON CONFLICT (brand_id, store_id, kind, subject) WHERE state = 'waiting' DO UPDATE SET
  due_at_ms = min(due_at_ms, excluded.due_at_ms), revision = revision + ?8";

    /// Stores that were reached and have collections.
    STORES_WITH_COLLECTIONS = "
SELECT s.id FROM stores s CROSS JOIN store_access a ON a.brand_id = ?1 AND a.store_id = s.id
WHERE s.brand_id = ?1 AND s.closed_at_ms IS NULL AND a.state = 'connected'
  AND EXISTS (SELECT 1 FROM collections c WHERE c.brand_id = ?1 AND c.store_id = s.id)";
}

row! {
    /// A collection.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CollectionRow {
        /// Its id.
        pub id: CollectionId,
        /// Of which shop.
        pub store_id: StoreId,
        /// The platform's id: digits.
        pub external_id: String,
        /// Its title.
        pub title: String,
        /// The name in its address.
        pub handle: String,
        /// `current`, `gone` or `too_large`.
        pub state: String,
        /// What is in the way, in words.
        pub problem: String,
        /// How many products it has.
        pub products: i64,
        /// Since when these; 0 since it was found.
        pub changed_at_ms: Millis,
        /// When it was last looked at.
        pub looked_at_ms: Millis,
        /// When it was found.
        pub created_at_ms: Millis,
        /// Guards changes.
        pub revision: i64,
    }
    struct ProductsRow {
        products: Vec<u64>,
    }
    struct SpansRow {
        spans: Vec<Span>,
    }
}

/// What a look found of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The platform's id: digits.
    pub external_id: String,
    /// Its title.
    pub title: String,
    /// The name in its address.
    pub handle: String,
    /// Its products, each once.
    pub products: Vec<u64>,
}

fn written(change: &Change) -> String {
    let (added, removed) = (json_numbers(&change.added), json_numbers(&change.removed));
    ["{\"added\":", &added, ",\"removed\":", &removed, "}"].concat()
}

fn count(found: &Found) -> i64 {
    i64::try_from(found.products.len()).unwrap_or(i64::MAX)
}

/// Keeps a collection that was found for the first time; one that is known aborts.
#[must_use]
pub fn insert(
    brand: BrandId,
    (id, store): (CollectionId, StoreId),
    found: &Found,
    now_ms: Millis,
) -> Statement {
    let change = Change { added: found.products.clone(), removed: Vec::new() };
    let (title, handle) = (&found.title, &found.handle);
    bind!(
        INSERT_COLLECTION,
        brand,
        id,
        store,
        &found.external_id,
        title,
        handle,
        count(found),
        written(&change),
        now_ms
    )
}

/// Keeps what a look found of a collection that is known.
#[must_use]
pub fn looked(
    brand: BrandId,
    known: &CollectionRow,
    found: &Found,
    change: &Change,
    now_ms: Millis,
) -> Statement {
    let (title, handle) = (&found.title, &found.handle);
    if *change == Change::default() {
        return bind!(LOOKED_AT_COLLECTION, brand, known.id, title, handle, now_ms);
    }
    bind!(
        CHANGE_PRODUCTS,
        brand,
        known.id,
        known.revision,
        title,
        handle,
        count(found),
        written(change),
        now_ms
    )
}

/// A collection that can't be kept in step: `gone` or `too_large`.
#[must_use]
pub fn problem(
    brand: BrandId,
    id: CollectionId,
    (state, words): (&str, &str),
    now_ms: Millis,
) -> Statement {
    bind!(COLLECTION_PROBLEM, brand, id, state, words, now_ms)
}

/// Why the collections of a store couldn't be looked at.
#[must_use]
pub fn unseen(brand: BrandId, store: StoreId, words: &str) -> Statement {
    bind!(COLLECTIONS_UNSEEN, brand, store, words)
}

/// One collection.
///
/// # Errors
/// [`DbError`].
pub fn find(
    db: &dyn Database,
    brand: BrandId,
    id: CollectionId,
) -> Reading<'_, Option<CollectionRow>> {
    db.first(bind!(FIND_COLLECTION, brand, id))
}

/// One collection, by the platform's id.
///
/// # Errors
/// [`DbError`].
pub fn of_shop<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    external_id: &str,
) -> Reading<'a, Option<CollectionRow>> {
    db.first(bind!(COLLECTION_OF_SHOP, brand, store, external_id))
}

/// A store's collections by the platform's ids, as texts, after `after`.
///
/// # Errors
/// [`DbError`].
pub fn of_store<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    after: &str,
    limit: i64,
) -> Reading<'a, Vec<CollectionRow>> {
    db.all(bind!(COLLECTIONS_OF_STORE, brand, store, after, limit))
}

/// The products that a collection has.
///
/// # Errors
/// [`DbError`].
pub async fn products(
    db: &dyn Database,
    brand: BrandId,
    id: CollectionId,
) -> Result<Vec<u64>, DbError> {
    let row: Option<ProductsRow> = db.first(bind!(PRODUCTS, brand, id)).await?;
    Ok(row.map_or_else(Vec::new, |row| row.products))
}

/// When some products were in the brand's collections.
///
/// # Errors
/// [`DbError`].
pub async fn spans(
    db: &dyn Database,
    brand: BrandId,
    products: &[u64],
) -> Result<Vec<Span>, DbError> {
    let row: Option<SpansRow> = db.first(bind!(SPANS, brand, json_numbers(products))).await?;
    Ok(row.map_or_else(Vec::new, |row| row.spans))
}

/// Puts a look at a collection of a store, or at all, if there is one. `again`: also if somebody works at
/// such a look just now. `subject` is the task's.
#[must_use]
pub fn put_look(
    brand: BrandId,
    (task, store): (TaskId, StoreId),
    (subject, external_id): (&str, Option<&str>),
    again: bool,
    (due_at_ms, now_ms): (Millis, Millis),
) -> Statement {
    bind!(
        PUT_LOOK_AT_COLLECTIONS,
        brand,
        task,
        store,
        Kind::LookAtCollections,
        due_at_ms,
        now_ms,
        external_id,
        again,
        subject
    )
}

/// Stores whose collections can be looked at.
///
/// # Errors
/// [`DbError`].
pub fn stores(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<StoreId>> {
    let statement = bind!(STORES_WITH_COLLECTIONS, brand);
    db.ask(Freshness::Primary, statement, |rows| rows.column("id"))
}
