//! Where brands have events told, and what is on its way there. Events are written by triggers of
//! `schema.sql`, on the tables that change; those of orders write news, which become events here.

use super::{Database, Page, Reading, Rows, Statement, bind, row, spelling, statements};
use crate::domain::ids::{BrandId, EndpointId};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO webhook_endpoints (brand_id, id, url, events, description, secret_sealed, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    FIND = "
SELECT id, url, events, description, state, paused, previous_until_ms, failing_since_ms, created_at_ms
FROM webhook_endpoints WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT id, url, events, description, state, paused, previous_until_ms, failing_since_ms, created_at_ms
FROM webhook_endpoints WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    /// ?8 now. Who begins again does so with what waits, at once; who pauses stays failing as before.
    CHANGE = "
UPDATE webhook_endpoints SET url = ?3, events = ?4, description = ?5, state = ?6, paused = ?7,
  failures = iif(?6 = 'active' AND state = 'paused', 0, failures),
  failing_since_ms = iif(?6 = 'active' AND state = 'paused', NULL, failing_since_ms),
  due_at_ms = iif(?6 = 'active' AND state = 'paused', +?8, due_at_ms)
WHERE brand_id = ?1 AND id = ?2";

    DELETE = "DELETE FROM webhook_endpoints WHERE brand_id = ?1 AND id = ?2";

    /// The secret before signs until ?4 too.
    ROTATE = "
UPDATE webhook_endpoints SET previous_sealed = secret_sealed, previous_until_ms = ?4, secret_sealed = ?3
WHERE brand_id = ?1 AND id = ?2";

    /// An event for one endpoint alone.
    TEST_EVENT = "
INSERT INTO webhook_events (brand_id, sequence, type, data)
SELECT id, webhook_sequence + 1, 'webhook.test', '{}' FROM brands WHERE id = ?1";

    TEST_DELIVERY = "
INSERT INTO webhook_deliveries (brand_id, endpoint_id, sequence)
SELECT id, ?2, webhook_sequence FROM brands WHERE id = ?1";

    LAST = "
SELECT d.sequence, e.type AS kind, d.state, d.tries, d.status, d.error, d.due_at_ms, d.created_at_ms,
  d.last_tried_at_ms, d.delivered_at_ms
FROM webhook_deliveries d JOIN webhook_events e ON e.brand_id = d.brand_id AND e.sequence = d.sequence
WHERE d.brand_id = ?1 AND d.endpoint_id = ?2 AND d.sequence < ?3
ORDER BY d.sequence DESC LIMIT ?4";

    ONE = "
SELECT d.sequence, e.type AS kind, d.state, d.tries, d.status, d.error, d.due_at_ms, d.created_at_ms,
  d.last_tried_at_ms, d.delivered_at_ms
FROM webhook_deliveries d JOIN webhook_events e ON e.brand_id = d.brand_id AND e.sequence = d.sequence
WHERE d.brand_id = ?1 AND d.endpoint_id = ?2 AND d.sequence = ?3";

    /// From its first try again.
    RESEND = "
UPDATE webhook_deliveries SET state = 'waiting', due_at_ms = ?4, first_tried_at_ms = NULL
WHERE brand_id = ?1 AND endpoint_id = ?2 AND sequence = ?3";

    WAKE = "UPDATE webhook_endpoints SET due_at_ms = ?3 WHERE brand_id = ?1 AND id = ?2";

    /// Brands that have news of orders: ?1 how many. Each step goes to the next brand, however much the
    /// one before has.
    NEWS = "
WITH RECURSIVE found (brand_id) AS (
  SELECT min(brand_id) FROM order_news
  UNION ALL
  SELECT (SELECT min(n.brand_id) FROM order_news n WHERE n.brand_id > found.brand_id) FROM found
  WHERE found.brand_id IS NOT NULL LIMIT ?1)
SELECT brand_id FROM found WHERE brand_id IS NOT NULL";

    /// A brand's oldest news as events, where an endpoint listens for them; ?2 how many news. An update
    /// that repeats what was is no event.
    SPREAD = "
INSERT INTO webhook_events (brand_id, sequence, type, data, created_at_ms)
SELECT ?1, (SELECT webhook_sequence FROM brands WHERE id = ?1) + row_number() OVER (ORDER BY s.id, s.part),
  s.kind, s.data, s.created_at_ms
FROM (
  SELECT f.id, f.created_at_ms, p.value AS part, iif(p.value = 0,
      iif(f.was ->> 4 IS NULL, 'order.created', 'order.updated'),
      iif(f.was ->> 8 IS NULL, 'commission.created', 'commission.updated')) AS kind,
    iif(p.value = 0, json_object('id', told ->> 0, 'store_id', told ->> 1, 'external_id', told ->> 2,
      'name', told ->> 3, 'placed_at_ms', told ->> 4, 'state', told ->> 5, 'currency', told ->> 6,
      'base_minor', told ->> 7, 'deal_id', told ->> 8, 'creator_id', told ->> 9),
    json_patch(json_object('order_id', told ->> 0, 'deal_id', told ->> 8, 'creator_id', told ->> 9,
      'currency', told ->> 6, 'base_minor', told ->> 7, 'commission_minor', told ->> 10,
      'available_day', told ->> 11, 'order_state', told ->> 5),
      iif(was IS NULL, '{}', json_object('previous_deal_id', was ->> 8, 'previous_commission_minor', was ->> 10)))) AS data
  FROM (SELECT id, created_at_ms, told, was FROM order_news WHERE brand_id = ?1 ORDER BY id LIMIT ?2) f
    CROSS JOIN json_each('[0, 1]') p
  WHERE iif(p.value = 0,
    was ->> 4 IS NULL OR told ->> 5 <> was ->> 5 OR told ->> 7 <> was ->> 7 OR told ->> 8 IS NOT was ->> 8
      OR told ->> 6 IS NOT was ->> 6 OR told ->> 3 <> was ->> 3,
    (told ->> 8 IS NOT NULL OR was ->> 8 IS NOT NULL) AND (was ->> 4 IS NULL OR told ->> 5 <> was ->> 5
      OR told ->> 7 <> was ->> 7 OR told ->> 10 <> was ->> 10 OR told ->> 8 IS NOT was ->> 8
      OR told ->> 11 IS NOT was ->> 11))) s
WHERE EXISTS (SELECT 1 FROM webhook_endpoints e WHERE e.brand_id = ?1 AND e.state = 'active'
  AND (e.events = '[]' OR instr(e.events, json_quote(s.kind)) > 0))
ORDER BY 2";

    /// The news that [`SPREAD`] took.
    FORGET = "
DELETE FROM order_news WHERE brand_id = ?1 AND id IN (
  SELECT n.id FROM order_news n WHERE n.brand_id = ?1 ORDER BY n.id LIMIT ?2)";

    /// Endpoints of all brands that something waits for.
    DUE = "
SELECT brand_id, id FROM webhook_endpoints WHERE due_at_ms <= ?1 AND state = 'active'
ORDER BY due_at_ms LIMIT ?2";

    DUE_OF_BRAND = "
SELECT brand_id, id FROM webhook_endpoints WHERE brand_id = ?1 AND due_at_ms <= ?2 AND state = 'active'";

    /// Nobody else works there until ?4.
    TAKE = "
UPDATE webhook_endpoints SET due_at_ms = ?4
WHERE brand_id = ?1 AND id = ?2 AND state = 'active' AND due_at_ms <= ?3
RETURNING url, secret_sealed, previous_sealed, previous_until_ms, failures, failing_since_ms";

    /// ?3 now, ?4 until when nobody else tries them, ?5 how many.
    CLAIM = "
UPDATE webhook_deliveries SET due_at_ms = ?4, tries = tries + 1, last_tried_at_ms = ?3,
  first_tried_at_ms = coalesce(first_tried_at_ms, ?3)
WHERE brand_id = ?1 AND endpoint_id = ?2 AND state = 'waiting' AND sequence IN (
  SELECT d.sequence FROM webhook_deliveries d WHERE d.brand_id = ?1 AND d.endpoint_id = ?2
    AND d.state = 'waiting' AND d.due_at_ms <= ?3 ORDER BY d.due_at_ms, d.sequence LIMIT ?5)
RETURNING sequence, tries, first_tried_at_ms,
  (SELECT json_array(e.type, e.data, e.created_at_ms) FROM webhook_events e
    WHERE e.brand_id = webhook_deliveries.brand_id AND e.sequence = webhook_deliveries.sequence) AS event";

    /// ?3 what became of claimed ones: sequence, the tries that were claimed, and what stands there then. One
    /// that somebody else has by now stays theirs.
    SETTLE = "
UPDATE webhook_deliveries SET state = j.value ->> 'state', tries = j.value ->> 'tries',
  status = j.value ->> 'status', error = j.value ->> 'error', due_at_ms = j.value ->> 'due',
  delivered_at_ms = j.value ->> 'at'
FROM json_each(?3) j
WHERE brand_id = ?1 AND endpoint_id = ?2 AND sequence = j.value ->> 'sequence'
  AND webhook_deliveries.state = 'waiting' AND tries = j.value ->> 'claimed'";

    /// How an endpoint stands after a pass: ?3 failures in a row, ?4 since when, ?5 why it is paused or '',
    /// ?6 not looked at before. Only while it is theirs who took it until ?7: else NULL aborts.
    STANDING = "
UPDATE webhook_endpoints SET failures = iif(due_at_ms = ?7, ?3, NULL), failing_since_ms = ?4,
  paused = iif(state = 'active', ?5, paused), state = iif(?5 = '', state, 'paused'),
  due_at_ms = (SELECT max(min(d.due_at_ms), +?6) FROM webhook_deliveries d
    WHERE d.brand_id = ?1 AND d.endpoint_id = ?2 AND d.state = 'waiting')
WHERE brand_id = ?1 AND id = ?2 RETURNING due_at_ms";
}

/// Whether an endpoint is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// It is.
    Active,
    /// Not now.
    Paused,
}
spelling!(EndpointState { Active = "active", Paused = "paused" });

/// What becomes of an event at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried when its time comes.
    Waiting,
    /// It arrived.
    Delivered,
    /// It was given up.
    Failed,
}
spelling!(DeliveryState { Waiting = "waiting", Delivered = "delivered", Failed = "failed" });

row! {
    /// An endpoint, without its secrets.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct EndpointRow {
        /// Its id.
        pub id: EndpointId,
        /// Where.
        pub url: String,
        /// Which types; all if there is none.
        pub events: Vec<String>,
        /// In the brand's words.
        pub description: String,
        /// Whether it is sent to.
        pub state: EndpointState,
        /// Why not: `by_hand`, `failing`, `gone`; '' if it is.
        pub paused: String,
        /// Until when the secret before signs too.
        pub previous_until_ms: Option<Millis>,
        /// Since when nothing arrived that was tried.
        pub failing_since_ms: Option<Millis>,
        /// When it was made.
        pub created_at_ms: Millis,
    }

    /// An event on its way to an endpoint, or there.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DeliveryRow {
        /// The event's number in the brand.
        pub sequence: i64,
        /// What it tells.
        pub kind: String,
        /// How it stands.
        pub state: DeliveryState,
        /// How often it was tried.
        pub tries: u32,
        /// What was answered last.
        pub status: Option<u16>,
        /// Why that doesn't count, in words.
        pub error: String,
        /// When it is tried next.
        pub due_at_ms: Millis,
        /// When it happened.
        pub created_at_ms: Millis,
        /// When it was tried last.
        pub last_tried_at_ms: Option<Millis>,
        /// When it arrived.
        pub delivered_at_ms: Option<Millis>,
    }

    /// An endpoint that something waits for.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DueRow {
        /// Whose.
        pub brand_id: BrandId,
        /// Which.
        pub id: EndpointId,
    }

    /// What sending to an endpoint needs.
    pub struct TakenRow {
        /// Where.
        pub url: String,
        /// Sealed to the endpoint's id.
        pub secret_sealed: String,
        /// The one before.
        pub previous_sealed: Option<String>,
        /// Until when that signs too.
        pub previous_until_ms: Option<Millis>,
        /// How often it failed in a row.
        pub failures: u32,
        /// Since when.
        pub failing_since_ms: Option<Millis>,
    }

    /// A delivery that is ours to try.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ClaimedRow {
        /// The event's number in the brand.
        pub sequence: i64,
        /// How often it was tried, this time too.
        pub tries: u32,
        /// When first.
        pub first_tried_at_ms: Millis,
        /// JSON: type, data (JSON as text), and when it happened.
        pub event: String,
    }
}

/// A new endpoint.
pub struct NewEndpoint<'a> {
    /// Its id.
    pub id: EndpointId,
    /// Where.
    pub url: &'a str,
    /// A JSON list of types.
    pub events: &'a str,
    /// In the brand's words.
    pub description: &'a str,
    /// Sealed to the id.
    pub secret_sealed: &'a str,
}

/// Adds an endpoint. Refused by `webhook_endpoints_most` above 20.
#[must_use]
pub fn insert(brand: BrandId, new: &NewEndpoint<'_>, now_ms: Millis) -> Statement {
    let NewEndpoint { id, url, events, description, secret_sealed } = *new;
    bind!(INSERT, brand, id, url, events, description, secret_sealed, now_ms)
}

/// One endpoint.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: EndpointId) -> Reading<'_, Option<EndpointRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A page of the brand's endpoints.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    page: &Page,
) -> Reading<'a, Vec<EndpointRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

/// Changes an endpoint to this row.
#[must_use]
pub fn change(brand: BrandId, row: &EndpointRow, events: &str, now_ms: Millis) -> Statement {
    bind!(CHANGE, brand, row.id, &row.url, events, &row.description, row.state, &row.paused, now_ms)
}

/// Removes an endpoint, with what was on its way there.
#[must_use]
pub fn delete(brand: BrandId, id: EndpointId) -> Statement {
    bind!(DELETE, brand, id)
}

/// Gives an endpoint another secret; the one it has signs for a while.
#[must_use]
pub fn rotate(brand: BrandId, id: EndpointId, sealed: &str, until_ms: Millis) -> Statement {
    bind!(ROTATE, brand, id, sealed, until_ms)
}

/// An event for this endpoint alone.
#[must_use]
pub fn test(brand: BrandId, id: EndpointId, now_ms: Millis) -> [Statement; 3] {
    [bind!(TEST_EVENT, brand), bind!(TEST_DELIVERY, brand, id), bind!(WAKE, brand, id, now_ms)]
}

/// Deliveries of an endpoint before this number, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn deliveries(
    db: &dyn Database,
    brand: BrandId,
    id: EndpointId,
    (before, limit): (i64, i64),
) -> Reading<'_, Vec<DeliveryRow>> {
    db.all(bind!(LAST, brand, id, before, limit))
}

/// One delivery.
///
/// # Errors
/// [`super::DbError`].
pub fn delivery(
    db: &dyn Database,
    brand: BrandId,
    id: EndpointId,
    sequence: i64,
) -> Reading<'_, Option<DeliveryRow>> {
    db.first(bind!(ONE, brand, id, sequence))
}

/// Has a delivery tried again from the start, at once.
#[must_use]
pub fn resend(brand: BrandId, id: EndpointId, sequence: i64, now_ms: Millis) -> [Statement; 2] {
    [bind!(RESEND, brand, id, sequence, now_ms), bind!(WAKE, brand, id, now_ms)]
}

row! {
    /// A brand that has news of orders.
    pub struct NewsRow {
        /// Which.
        pub brand_id: BrandId,
    }
}

/// The first `most` brands that have news of orders.
///
/// # Errors
/// [`super::DbError`].
pub fn news(db: &dyn Database, most: u32) -> Reading<'_, Vec<NewsRow>> {
    db.all(bind!(NEWS, most))
}

/// Makes events of a brand's oldest news of orders, `most` at most: in one batch, so that each is told
/// once however many do so at once.
#[must_use]
pub fn spread(brand: BrandId, most: u32) -> Vec<Statement> {
    vec![bind!(SPREAD, brand, most), bind!(FORGET, brand, most)]
}

/// Endpoints that something waits for: of one brand, or the first `most` of all.
///
/// # Errors
/// [`super::DbError`].
pub fn due(
    db: &dyn Database,
    brand: Option<BrandId>,
    now_ms: Millis,
    most: u32,
) -> Reading<'_, Vec<DueRow>> {
    db.all(match brand {
        Some(brand) => bind!(DUE_OF_BRAND, brand, now_ms),
        None => bind!(DUE, now_ms, most),
    })
}

/// Takes an endpoint, if nobody works there.
///
/// # Errors
/// [`super::DbError`].
pub fn take<'a>(
    db: &'a dyn Database,
    due: &DueRow,
    now_ms: Millis,
    until_ms: Millis,
) -> Reading<'a, Option<TakenRow>> {
    db.first(bind!(TAKE, due.brand_id, due.id, now_ms, until_ms))
}

/// Claims what is due at an endpoint.
///
/// # Errors
/// [`super::DbError`]; claimed or not, what isn't settled is tried again when the claim is over.
pub fn claim<'a>(
    db: &'a dyn Database,
    due: &DueRow,
    (now_ms, until_ms): (Millis, Millis),
    most: u32,
) -> Reading<'a, Vec<ClaimedRow>> {
    db.all(bind!(CLAIM, due.brand_id, due.id, now_ms, until_ms, most))
}

/// How an endpoint stands after a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How often it failed in a row.
    pub failures: u32,
    /// Since when.
    pub failing_since_ms: Option<Millis>,
    /// Why it is paused now; '' if it isn't.
    pub pause: &'static str,
    /// It isn't looked at before.
    pub rest_until_ms: Millis,
}

/// Stores what became of claimed deliveries (a JSON list) and how the endpoint stands.
#[must_use]
pub fn settle(
    due: &DueRow,
    settled: &str,
    standing: &Standing,
    until_ms: Millis,
) -> Vec<Statement> {
    let Standing { failures, failing_since_ms, pause, rest_until_ms } = *standing;
    vec![
        bind!(SETTLE, due.brand_id, due.id, settled),
        bind!(
            STANDING,
            due.brand_id,
            due.id,
            failures,
            failing_since_ms,
            pause,
            rest_until_ms,
            until_ms
        ),
    ]
}

row! {
    struct Leased {
        due_at_ms: Option<Millis>,
    }
}

/// Until when an endpoint is theirs whose [`settle`] answered this; `None` if nothing waits there any more.
///
/// # Errors
/// [`super::DbError`].
pub fn leased(results: &[Rows]) -> Result<Option<Millis>, super::DbError> {
    let told = results.get(1).map(Rows::first::<Leased>).transpose()?;
    Ok(told.flatten().and_then(|row| row.due_at_ms))
}

/// What became of claimed ones alone, where the endpoint is somebody else's by now.
#[must_use]
pub fn settle_claims(due: &DueRow, settled: &str) -> Statement {
    bind!(SETTLE, due.brand_id, due.id, settled)
}
