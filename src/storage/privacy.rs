//! What shops ask about their shoppers' data, and how it is worked off.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, DataRequestId, StoreId};
use crate::domain::time::Millis;

statements! {
    STORE_OF = "
SELECT id FROM stores WHERE brand_id = ?1 AND shop_domain = ?2 AND platform = 'shopify'";

    INSERT = "
INSERT INTO data_requests (brand_id, id, store_id, kind, cause, orders, received_at_ms, due_at_ms)
VALUES (?1, ?3, ?2, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (brand_id, store_id, cause) DO NOTHING";

    /// The same of a shop that is to be forgotten, unless that was asked before. It may come back
    /// and ask again later, so that its cause is the row itself.
    INSERT_CLOSING = "
INSERT INTO data_requests (brand_id, id, store_id, kind, cause, orders, received_at_ms, due_at_ms)
SELECT brand_id, ?3, id, ?4, ?3, '[]', ?5, ?6 FROM stores
WHERE brand_id = ?1 AND id = ?2 AND closed_at_ms IS NULL";

    /// ?3 now, ?4 until when the secret tells a repetition.
    CLOSE = "
UPDATE stores SET closed_at_ms = ?3, client_id = '', secret_sealed = '',
  previous_secrets = json_array(json_object('sealed', secret_sealed, 'until_ms', CAST(?4 AS INTEGER)))
WHERE brand_id = ?1 AND id = ?2 AND closed_at_ms IS NULL";

    /// Before [`CLOSE`], and under its condition.
    DROP_ACCESS = "
UPDATE store_access SET state = 'uninstalled', problem = '', token_sealed = NULL, token_until_ms = NULL,
  refresh_sealed = NULL, refresh_until_ms = NULL, renewing_until_ms = NULL, scopes = '', webhooks = '[]',
  look_at_ms = NULL, revision = revision + 1, changes = changes + 1
WHERE brand_id = ?1 AND store_id = ?2
  AND EXISTS (SELECT 1 FROM stores s WHERE s.brand_id = ?1 AND s.id = ?2 AND s.closed_at_ms IS NULL)";

    /// Whoever works at one of them now commits nothing any more.
    DROP_TASKS = "
UPDATE outbox SET state = iif(state = 'waiting', 'failed', state), payload = '{}',
  told = 'the shop asked to be forgotten', revision = revision + 1, changed_at_ms = ?3
WHERE brand_id = ?1 AND store_id = ?2
  AND EXISTS (SELECT 1 FROM stores s WHERE s.brand_id = ?1 AND s.id = ?2 AND s.closed_at_ms IS NULL)";

    /// What these tasks were to do isn't under way any more: codes are as when a task is given up, so that
    /// a shop which comes back can have them made.
    DROP_CODES = "
UPDATE codes SET pending = 0, reason = 'the shop asked to be forgotten', suggestion = NULL,
  in_store = iif(state <> 'creating', in_store, iif(counts = 1, 0, NULL)),
  code_key = iif(state = 'creating' AND counts = 0, id, code_key),
  state = CASE state WHEN 'creating' THEN 'failed' WHEN 'deactivated' THEN 'changed' ELSE 'deactivated' END
WHERE brand_id = ?1 AND store_id = ?2 AND (pending = 1 OR state = 'creating')
  AND EXISTS (SELECT 1 FROM stores s WHERE s.brand_id = ?1 AND s.id = ?2 AND s.closed_at_ms IS NULL)";

    DROP_SYNC = "
UPDATE store_syncs SET state = 'failed', problem = 'the shop asked to be forgotten', finished_at_ms = ?3
WHERE brand_id = ?1 AND store_id = ?2 AND state IN ('waiting', 'running')
  AND EXISTS (SELECT 1 FROM stores s WHERE s.brand_id = ?1 AND s.id = ?2 AND s.closed_at_ms IS NULL)";

    DROP_AUTHORIZATIONS = "
DELETE FROM store_authorizations WHERE brand_id = ?1 AND store_id = ?2";

    DROP_BODIES = "
UPDATE quarantine SET body = NULL WHERE brand_id = ?1 AND store_id = ?2 AND body IS NOT NULL";

    /// Redactions that aren't done, and those of shops since ?1 once more: deliveries of theirs may
    /// still have been under way.
    OPEN = "
SELECT brand_id, id, store_id, kind, orders, redacted FROM data_requests
WHERE kind IN ('customer_redaction', 'shop_redaction')
  AND (done_at_ms IS NULL OR (kind = 'shop_redaction' AND received_at_ms > ?1))
ORDER BY done_at_ms IS NOT NULL, received_at_ms LIMIT 20";

    /// Orders of a store that still tell who placed them. Those that were redacted don't.
    TELLING = "
SELECT external_id FROM orders WHERE brand_id = ?1 AND store_id = ?2
  AND json_extract(facts, '$.evidence[1].email_hash') IS NOT NULL LIMIT ?3";

    PROGRESS = "
UPDATE data_requests SET redacted = ?3, done_at_ms = coalesce(done_at_ms, ?4)
WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT d.id, d.store_id, d.kind, d.received_at_ms, d.due_at_ms, d.done_at_ms,
  (SELECT json_group_array(json_object('id', o.id, 'external_id', o.external_id, 'name', o.name,
       'placed_at', strftime('%FT%TZ', o.placed_at_ms / 1000, 'unixepoch'), 'state', o.state,
       'currency', o.currency, 'base_minor', o.base_minor, 'commission_minor', o.commission_minor,
       'email_hash', json_extract(o.facts, '$.evidence[1].email_hash')))
     FROM json_each(d.orders) j CROSS JOIN orders o ON o.brand_id = +?1 AND o.id = j.value ->> 0
     WHERE d.kind = 'data_request') AS stored
FROM data_requests d WHERE d.brand_id = ?1 AND d.id > ?2 ORDER BY d.id LIMIT ?3";

    FIND = "SELECT kind, done_at_ms FROM data_requests WHERE brand_id = ?1 AND id = ?2";

    COMPLETE = "
UPDATE data_requests SET done_at_ms = ?3
WHERE brand_id = ?1 AND id = ?2 AND kind = 'data_request' AND done_at_ms IS NULL";
}

/// A request to be stored.
#[derive(Debug, Clone)]
pub struct NewRequest<'a> {
    /// Its id.
    pub id: DataRequestId,
    /// Whose shop asked.
    pub store: StoreId,
    /// `data_request`, `customer_redaction` or `shop_redaction`.
    pub kind: &'static str,
    /// The same for a repetition and for nothing else.
    pub cause: &'a str,
    /// Pairs of our id and the platform's.
    pub orders: &'a str,
    /// When it came.
    pub received_at_ms: Millis,
    /// Until when it must be done.
    pub due_at_ms: Millis,
}

/// The brand's store of a shop, by the platform's name for it.
///
/// # Errors
/// [`super::DbError`].
pub fn store_of<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    shop_domain: &str,
) -> Reading<'a, Option<StoreId>> {
    let statement = bind!(STORE_OF, brand, shop_domain);
    db.ask(super::Freshness::Primary, statement, |rows| Ok(rows.column("id")?.pop()))
}

/// Stores a request, once.
#[must_use]
pub fn insert(brand: BrandId, new: &NewRequest<'_>) -> Statement {
    bind!(
        INSERT,
        brand,
        new.store,
        new.id,
        new.kind,
        new.cause,
        new.orders,
        new.received_at_ms,
        new.due_at_ms,
    )
}

/// Stores that a shop is to be forgotten, once, and closes its store: secrets, tokens, tasks and what is
/// in quarantine go. The last secret is accepted until `known_until_ms`, for repetitions only.
#[must_use]
pub fn close(brand: BrandId, new: &NewRequest<'_>, known_until_ms: Millis) -> Vec<Statement> {
    let now_ms = new.received_at_ms;
    vec![
        bind!(INSERT_CLOSING, brand, new.store, new.id, new.kind, now_ms, new.due_at_ms),
        bind!(DROP_ACCESS, brand, new.store),
        bind!(DROP_TASKS, brand, new.store, now_ms),
        bind!(DROP_CODES, brand, new.store),
        bind!(DROP_SYNC, brand, new.store, now_ms),
        bind!(DROP_AUTHORIZATIONS, brand, new.store),
        bind!(CLOSE, brand, new.store, now_ms, known_until_ms),
        bind!(DROP_BODIES, brand, new.store),
    ]
}

row! {
    /// A redaction that is to be worked off.
    #[derive(Debug, Clone)]
    pub struct OpenRedaction {
        /// Whose.
        pub brand_id: BrandId,
        /// Its id.
        pub id: DataRequestId,
        /// Of which store.
        pub store_id: StoreId,
        /// `customer_redaction` or `shop_redaction`.
        pub kind: String,
        /// Pairs of our id and the platform's.
        pub orders: Vec<(String, String)>,
        /// So many have been worked off.
        pub redacted: u32,
    }
    /// An order that tells who placed it.
    #[derive(Debug, Clone)]
    pub struct TellingRow {
        /// The platform's id.
        pub external_id: String,
    }
}

/// Redactions that aren't done, and those of shops that came after a moment.
///
/// # Errors
/// [`super::DbError`].
pub fn open(db: &dyn Database, again_since_ms: Millis) -> Reading<'_, Vec<OpenRedaction>> {
    db.all(bind!(OPEN, again_since_ms))
}

/// Orders of a store that tell who placed them.
///
/// # Errors
/// [`super::DbError`].
pub fn telling<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    limit: i64,
) -> Reading<'a, Vec<TellingRow>> {
    db.all(bind!(TELLING, brand, store, limit))
}

/// Stores how far a redaction has come, and when it was done, if it is.
#[must_use]
pub fn progress(request: &OpenRedaction, redacted: u32, done_at_ms: Option<Millis>) -> Statement {
    bind!(PROGRESS, request.brand_id, request.id, redacted, done_at_ms)
}

row! {
    /// A request in a list.
    #[derive(Debug, Clone)]
    pub struct RequestRow {
        /// Its id.
        pub id: DataRequestId,
        /// Which store's shop asked.
        pub store_id: StoreId,
        /// What.
        pub kind: String,
        /// When it came.
        pub received_at_ms: Millis,
        /// Until when it must be done.
        pub due_at_ms: Millis,
        /// When it was done, if it is.
        pub done_at_ms: Option<Millis>,
        /// What is stored of the orders that it asks about, as a JSON list.
        pub stored: String,
    }
    /// Where a request stands.
    #[derive(Debug, Clone)]
    pub struct RequestState {
        /// What it asks.
        pub kind: String,
        /// When it was done, if it is.
        pub done_at_ms: Option<Millis>,
    }
}

/// A page of the brand's requests.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<RequestRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

/// Where one request stands.
///
/// # Errors
/// [`super::DbError`].
pub fn find(
    db: &dyn Database,
    brand: BrandId,
    id: DataRequestId,
) -> Reading<'_, Option<RequestState>> {
    db.first(bind!(FIND, brand, id))
}

/// Notes that the brand has answered.
#[must_use]
pub fn complete(brand: BrandId, id: DataRequestId, now_ms: Millis) -> Statement {
    bind!(COMPLETE, brand, id, now_ms)
}
