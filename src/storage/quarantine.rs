//! Deliveries that were authentic but unusable.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{AuditId, BrandId, QuarantineId, StoreId};
use crate::domain::time::Millis;

statements! {
    /// The same delivery again is no second row; one whose body is gone is kept anew.
    INSERT = "
INSERT INTO quarantine (brand_id, id, store_id, reason, body_hash, body, received_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (brand_id, store_id, body_hash) DO UPDATE SET id = excluded.id,
  reason = excluded.reason, body = excluded.body, received_at_ms = excluded.received_at_ms,
  replayed_at_ms = NULL WHERE body IS NULL";

    LIST = "
SELECT id, store_id, reason, received_at_ms, replayed_at_ms, body IS NOT NULL AS replayable
FROM quarantine WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    FIND = "
SELECT id, store_id, reason, body, received_at_ms, replayed_at_ms FROM quarantine
WHERE brand_id = ?1 AND id = ?2";

    MARK = "
UPDATE quarantine SET replayed_at_ms = ?3, body = NULL WHERE brand_id = ?1 AND id = ?2";

    /// Before [`EXPIRE`], in the trail: ?3 its row's id, ?4 now.
    NOTE_EXPIRE = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id, before)
SELECT brand_id, ?3, ?4, 'job', 'expire_quarantine', 'quarantine.expire', brand_id, '',
  json_object('bodies', count(*)) FROM quarantine
WHERE brand_id = ?1 AND received_at_ms < ?2 AND body IS NOT NULL GROUP BY brand_id";

    EXPIRE = "
UPDATE quarantine SET body = NULL WHERE brand_id = ?1 AND received_at_ms < ?2 AND body IS NOT NULL";
}

/// A quarantined delivery to be stored.
#[derive(Debug, Clone)]
pub struct NewQuarantined<'a> {
    /// Its id.
    pub id: QuarantineId,
    /// Which store sent it.
    pub store: StoreId,
    /// Why it is unusable, in words for the brand.
    pub reason: &'a str,
    /// A hash of its body.
    pub body_hash: &'a str,
    /// The body, sealed to the id.
    pub body: Option<&'a str>,
}

/// Stores a quarantined delivery, once.
#[must_use]
pub fn insert(brand: BrandId, new: &NewQuarantined<'_>, now_ms: Millis) -> Statement {
    bind!(INSERT, brand, new.id, new.store, new.reason, new.body_hash, new.body, now_ms)
}

row! {
    /// A quarantined delivery in a list.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct QuarantinedRow {
        /// Its id.
        pub id: QuarantineId,
        /// Which store sent it.
        pub store_id: StoreId,
        /// Why it is unusable.
        pub reason: String,
        /// When it came.
        pub received_at_ms: Millis,
        /// When it was replayed, if it was.
        pub replayed_at_ms: Option<Millis>,
        /// Its body is still there.
        pub replayable: i64,
    }
}

/// A page of quarantined deliveries.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    page: &Page,
) -> Reading<'a, Vec<QuarantinedRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

row! {
    /// A quarantined delivery with its sealed body.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StoredQuarantined {
        /// Its id.
        pub id: QuarantineId,
        /// Which store sent it.
        pub store_id: StoreId,
        /// Why it is unusable.
        pub reason: String,
        /// The sealed body, while it is kept.
        pub body: Option<String>,
        /// When it came.
        pub received_at_ms: Millis,
        /// When it was replayed, if it was.
        pub replayed_at_ms: Option<Millis>,
    }
}

/// One quarantined delivery.
///
/// # Errors
/// [`super::DbError`].
pub fn find(
    db: &dyn Database,
    brand: BrandId,
    id: QuarantineId,
) -> Reading<'_, Option<StoredQuarantined>> {
    db.first(bind!(FIND, brand, id))
}

/// Marks a delivery as replayed and lets its body go.
#[must_use]
pub fn mark_replayed(brand: BrandId, id: QuarantineId, now_ms: Millis) -> Statement {
    bind!(MARK, brand, id, now_ms)
}

/// Lets the bodies of deliveries before a moment go, and notes it if there are any.
#[must_use]
pub fn expire(brand: BrandId, before_ms: Millis, note: AuditId, now_ms: Millis) -> Vec<Statement> {
    vec![bind!(NOTE_EXPIRE, brand, before_ms, note, now_ms), bind!(EXPIRE, brand, before_ms)]
}
