//! Filters that were saved.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, SegmentId};
use crate::domain::time::Millis;

statements! {
    /// ?8 the most there may be: one more makes its id NULL, which aborts.
    INSERT = "
INSERT INTO segments (brand_id, id, name, filter, sort, made_by, created_at_ms, changed_at_ms)
SELECT ?1, iif((SELECT count(*) FROM segments WHERE brand_id = ?1) < ?8, ?2, NULL), ?3, ?4, ?5, ?6, ?7, ?7";

    FIND = "
SELECT id, name, filter, sort, made_by, revision, created_at_ms, changed_at_ms FROM segments
WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT id, name, filter, sort, made_by, revision, created_at_ms, changed_at_ms FROM segments
WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    /// ?7 the revision that was read: another aborts.
    UPDATE = "
UPDATE segments SET name = ?3, filter = ?4, sort = ?5, changed_at_ms = ?6,
  revision = iif(revision = ?7, revision + 1, NULL) WHERE brand_id = ?1 AND id = ?2";

    DELETE = "DELETE FROM segments WHERE brand_id = ?1 AND id = ?2";
}

row! {
    /// A saved filter.
    #[derive(Debug, Clone)]
    pub struct SegmentRow {
        /// Its id.
        pub id: SegmentId,
        /// What the brand calls it.
        pub name: String,
        /// The filter's canonical text.
        pub filter: String,
        /// The sort's.
        pub sort: String,
        /// Who made it: a kind of actor and its id, with a space between.
        pub made_by: String,
        /// How often it was changed.
        pub revision: i64,
        /// When it was made.
        pub created_at_ms: Millis,
        /// When it was changed last.
        pub changed_at_ms: Millis,
    }
}

/// Stores a segment; where there are `most` already it aborts.
#[must_use]
pub fn insert(brand: BrandId, new: &SegmentRow, most: i64) -> Statement {
    let SegmentRow { id, name, filter, sort, made_by, created_at_ms, .. } = new;
    bind!(INSERT, brand, *id, name, filter, sort, made_by, *created_at_ms, most)
}

/// One segment.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: SegmentId) -> Reading<'_, Option<SegmentRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A page of segments.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<SegmentRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

/// Changes a segment from what was read; one that changed meanwhile aborts.
#[must_use]
pub fn update(brand: BrandId, segment: &SegmentRow) -> Statement {
    let SegmentRow { id, name, filter, sort, changed_at_ms, revision, .. } = segment;
    bind!(UPDATE, brand, *id, name, filter, sort, *changed_at_ms, *revision)
}

/// Removes a segment.
#[must_use]
pub fn delete(brand: BrandId, id: SegmentId) -> Statement {
    bind!(DELETE, brand, id)
}
