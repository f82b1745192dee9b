//! How far stores' orders were fetched, and how complete each day is.

use super::rows::{Columns, FromRow};
use super::{Database, Freshness, Reading, Statement, bind, json_list, row, spelling, statements};
use crate::domain::ids::{BrandId, CreatorId, OrderId, StoreId};
use crate::domain::order::Facts;
use crate::domain::time::{Day, Millis};

statements! {
    /// One that runs makes `state` NULL, which aborts.
    BEGIN_BACKFILL = "
INSERT INTO store_syncs (brand_id, store_id, state, from_ms, to_ms) VALUES (?1, ?2, 'waiting', ?3, ?4)
ON CONFLICT (brand_id, store_id) DO UPDATE SET
  state = iif(state IN ('waiting', 'running'), NULL, 'waiting'), from_ms = excluded.from_ms,
  to_ms = excluded.to_ms, orders_total = NULL, orders_done = 0, ingested = 0, unchanged = 0,
  quarantined = 0, started_at_ms = NULL, finished_at_ms = NULL, problem = ''";

    /// With the first connection: one that there is stays.
    BEGIN_FIRST = "
INSERT INTO store_syncs (brand_id, store_id, state, to_ms) VALUES (?1, ?2, 'waiting', ?3)
ON CONFLICT (brand_id, store_id) DO UPDATE SET state = iif(state = 'none', 'waiting', state),
  to_ms = coalesce(to_ms, excluded.to_ms)";

    /// ?3 state, ?4 from when, ?5 orders in all, ?6 words; what is NULL stays.
    TELL_BACKFILL = "
UPDATE store_syncs SET state = ?3, from_ms = coalesce(?4, from_ms),
  orders_total = coalesce(?5, orders_total), problem = coalesce(?6, problem),
  started_at_ms = coalesce(started_at_ms, ?7),
  finished_at_ms = iif(?3 IN ('done', 'failed'), CAST(?7 AS INTEGER), NULL)
WHERE brand_id = ?1 AND store_id = ?2";

    ADD_PROGRESS = "
UPDATE store_syncs SET orders_done = orders_done + ?3, ingested = ingested + ?4,
  unchanged = unchanged + ?5, quarantined = quarantined + ?6
WHERE brand_id = ?1 AND store_id = ?2";

    FIND_SYNC = "
SELECT state, from_ms, to_ms, orders_total, orders_done, ingested, unchanged, quarantined,
  started_at_ms, finished_at_ms, problem, reconciled_to_ms
FROM store_syncs WHERE brand_id = ?1 AND store_id = ?2";

    RECONCILED = "
INSERT INTO store_syncs (brand_id, store_id, state, reconciled_to_ms) VALUES (?1, ?2, 'none', ?3)
ON CONFLICT (brand_id, store_id) DO UPDATE SET
  reconciled_to_ms = max(coalesce(reconciled_to_ms, 0), excluded.reconciled_to_ms)";

    /// Shopify stores of a brand that are connected.
    CONNECTED = "
SELECT a.store_id, a.timezone, coalesce((SELECT y.from_ms FROM store_syncs y WHERE y.brand_id = ?1
    AND y.store_id = a.store_id), a.connected_at_ms) AS since_ms FROM store_access a
CROSS JOIN stores s ON s.brand_id = a.brand_id AND s.id = a.store_id
WHERE a.brand_id = ?1 AND a.state = 'connected' AND s.platform = 'shopify' AND s.closed_at_ms IS NULL";

    /// ?3 a list of pairs, day and orders: found by us, where a webhook should have told.
    ADD_MISSED = "
INSERT INTO store_days (brand_id, store_id, day, missed)
SELECT +?1, +?2, value ->> 0, value ->> 1 FROM json_each(?3) WHERE true
ON CONFLICT (brand_id, store_id, day) DO UPDATE SET missed = missed + excluded.missed";

    /// A day that was compared after its end stays so.
    TELL_DAY = "
INSERT INTO store_days (brand_id, store_id, day, platform, known, compared_at_ms, over)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (brand_id, store_id, day) DO UPDATE SET platform = excluded.platform,
  known = excluded.known, compared_at_ms = excluded.compared_at_ms, over = max(over, excluded.over)";

    DAYS = "
SELECT store_id, day, platform, known, missed, compared_at_ms, over FROM store_days
WHERE brand_id = ?1 AND store_id = ?2 AND day BETWEEN ?3 AND ?4 ORDER BY day";

    /// Stores that a creator's deals lead to: by their links, and all of the brand's where a deal of hers
    /// has a code.
    STORES_OF_CREATOR = "
SELECT DISTINCT l.store_id AS id FROM deals d CROSS JOIN links l
  ON l.brand_id = +?1 AND l.deal_id = d.id WHERE d.brand_id = ?1 AND d.creator_id = ?2
UNION SELECT s.id FROM stores s WHERE s.brand_id = ?1 AND EXISTS (SELECT 1 FROM deals d
  CROSS JOIN codes c ON c.brand_id = +?1 AND c.deal_id = d.id
  WHERE d.brand_id = ?1 AND d.creator_id = ?2)";

    /// Orders of a store that were placed in a span of time and are known: by the index by time.
    KNOWN_COUNT = "
SELECT count(*) AS n FROM orders INDEXED BY orders_by_time
WHERE brand_id = +?1 AND placed_at_ms >= ?3 AND placed_at_ms < ?4 AND store_id = ?2";

    /// Which of these orders are known with a snapshot.
    KNOWN_OF = "
SELECT o.id FROM json_each(?2) j CROSS JOIN orders o ON o.brand_id = +?1 AND o.id = j.value
WHERE o.placed_at_ms IS NOT NULL";

    FACTS_OF = "
SELECT o.id, o.facts FROM json_each(?2) j CROSS JOIN orders o ON o.brand_id = +?1 AND o.id = j.value";

    /// Orders of the web shop that are nobody's and whose visits weren't told yet: placed from ?3 on, of
    /// those of that moment the ones after id ?6, and until ?4.
    WITHOUT_JOURNEY = "
SELECT external_id, placed_at_ms, id FROM orders INDEXED BY orders_by_time
WHERE brand_id = +?1 AND (placed_at_ms, id) > (?3, ?6) AND placed_at_ms <= ?4 AND store_id = ?2
  AND deal_id IS NULL AND state <> 'cancelled' AND facts ->> '$.evidence[1].web' = 1
  AND facts -> '$.journey' IS NULL
ORDER BY placed_at_ms, id LIMIT ?5";
}

/// How far a back-fill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody asked for one.
    None,
    /// It begins soon.
    Waiting,
    /// It is under way.
    Running,
    /// It is over.
    Done,
    /// It can't be done.
    Failed,
}

spelling!(State {
    None = "none",
    Waiting = "waiting",
    Running = "running",
    Done = "done",
    Failed = "failed",
});

row! {
    /// How far a store's orders were fetched.
    #[derive(Debug, Clone)]
    pub struct SyncRow {
        /// How far its back-fill is.
        pub state: State,
        /// Orders placed from then on.
        pub from_ms: Option<Millis>,
        /// Orders placed until then.
        pub to_ms: Option<Millis>,
        /// How many the platform says there are.
        pub orders_total: Option<i64>,
        /// How many were read.
        pub orders_done: i64,
        /// How many of these changed something.
        pub ingested: i64,
        /// How many were known as they are.
        pub unchanged: i64,
        /// How many couldn't be used.
        pub quarantined: i64,
        /// When it began.
        pub started_at_ms: Option<Millis>,
        /// When it was over.
        pub finished_at_ms: Option<Millis>,
        /// What is in the way, or what isn't shown, in words.
        pub problem: String,
        /// Changes of orders until then were fetched.
        pub reconciled_to_ms: Option<Millis>,
    }
}

row! {
    /// A store that can be asked.
    #[derive(Debug, Clone)]
    pub struct ConnectedRow {
        /// Which.
        pub store_id: StoreId,
        /// The shop's time zone, if it told.
        pub timezone: Option<String>,
        /// Since when its orders should be known: the start of its back-fill, or when it was first reached.
        pub since_ms: Option<Millis>,
    }
}

row! {
    /// How complete a day is.
    #[derive(Debug, Clone)]
    pub struct DayRow {
        /// Which store.
        pub store_id: StoreId,
        /// The shop's day.
        pub day: Day,
        /// Orders that the platform has.
        pub platform: Option<i64>,
        /// How many of these are known.
        pub known: Option<i64>,
        /// How many were missed by webhooks and found by us.
        pub missed: i64,
        /// When it was last compared.
        pub compared_at_ms: Option<Millis>,
        /// It was compared after its end.
        pub over: bool,
    }
}

row! {
    /// An order to ask about.
    #[derive(Debug, Clone)]
    pub struct AskedRow {
        /// The platform's id.
        pub external_id: String,
        /// When it was placed.
        pub placed_at_ms: Millis,
        /// Which.
        pub id: OrderId,
    }
}

/// What is known of an order.
#[derive(Debug, Clone)]
pub struct KnownFacts {
    /// Which.
    pub id: OrderId,
    /// What is known.
    pub facts: Facts,
}

impl FromRow for KnownFacts {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self { id: columns.read("id"), facts: columns.read("facts") }
    }
}

/// Begins a back-fill of the orders placed in a span of time; aborts if one is under way.
#[must_use]
pub fn begin(brand: BrandId, store: StoreId, from_ms: Option<Millis>, to_ms: Millis) -> Statement {
    bind!(BEGIN_BACKFILL, brand, store, from_ms, to_ms)
}

/// As [`begin`] of all orders until then, where none was begun: it never aborts.
#[must_use]
pub fn begin_first(brand: BrandId, store: StoreId, to_ms: Millis) -> Statement {
    bind!(BEGIN_FIRST, brand, store, to_ms)
}

/// What a step of a back-fill tells.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// How far it is.
    pub state: State,
    /// From when on it goes, if that is known by now.
    pub from_ms: Option<Millis>,
    /// How many orders there are, if that is known by now.
    pub total: Option<i64>,
    /// What is in the way.
    pub problem: Option<&'a str>,
}

/// Says how far a back-fill is.
#[must_use]
pub fn tell(brand: BrandId, store: StoreId, told: &Told<'_>, now_ms: Millis) -> Statement {
    let Told { state, from_ms, total, problem } = *told;
    bind!(TELL_BACKFILL, brand, store, state, from_ms, total, problem, now_ms)
}

/// How many orders a step read, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Orders read.
    pub done: i64,
    /// Orders that were new.
    pub new: i64,
    /// Known orders that changed.
    pub changed: i64,
    /// Orders known as they are.
    pub unchanged: i64,
    /// Orders that can't be used.
    pub quarantined: i64,
    /// New orders that webhooks should have told.
    pub missed: i64,
}

/// Adds to a back-fill's counts.
#[must_use]
pub fn add(brand: BrandId, store: StoreId, by: Progress) -> Statement {
    let ingested = by.new + by.changed;
    bind!(ADD_PROGRESS, brand, store, by.done, ingested, by.unchanged, by.quarantined)
}

/// How far a store's orders were fetched.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, store: StoreId) -> Reading<'_, Option<SyncRow>> {
    db.first(bind!(FIND_SYNC, brand, store))
}

/// Changes of orders until then were fetched.
#[must_use]
pub fn reconciled(brand: BrandId, store: StoreId, to_ms: Millis) -> Statement {
    bind!(RECONCILED, brand, store, to_ms)
}

/// The brand's stores that can be asked.
///
/// # Errors
/// [`super::DbError`].
pub fn connected(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<ConnectedRow>> {
    db.all(bind!(CONNECTED, brand))
}

/// Counts orders that were missed, by the day on which they were placed.
#[must_use]
pub fn add_missed(brand: BrandId, store: StoreId, days: &[(Day, i64)]) -> Statement {
    let days = days.iter().map(|(day, orders)| crate::domain::json::json!((day.0, *orders)));
    let list = crate::domain::json::list_of(&days.collect::<Vec<_>>());
    bind!(ADD_MISSED, brand, store, list)
}

/// A day as it was compared: how many orders the platform has, and how many of these are known.
#[must_use]
pub fn tell_day(
    brand: BrandId,
    store: StoreId,
    day: Day,
    (platform, known): (i64, i64),
    (now_ms, over): (Millis, bool),
) -> Statement {
    bind!(TELL_DAY, brand, store, day.0, platform, known, now_ms, over)
}

/// How complete a store's days are, both ends included.
#[must_use]
pub fn days(brand: BrandId, store: StoreId, (from, to): (Day, Day)) -> Statement {
    bind!(DAYS, brand, store, from.0, to.0)
}

row! {
    struct Counted {
        n: i64,
    }
}

/// The stores that a creator's deals lead to.
///
/// # Errors
/// [`super::DbError`].
pub fn stores_of(
    db: &dyn Database,
    brand: BrandId,
    creator: CreatorId,
) -> Reading<'_, Vec<StoreId>> {
    let stores = bind!(STORES_OF_CREATOR, brand, creator);
    db.ask(Freshness::Primary, stores, |rows| rows.column("id"))
}

/// How many orders of a store are known that were placed in a span of time.
///
/// # Errors
/// [`super::DbError`].
pub async fn known_count(
    db: &dyn Database,
    brand: BrandId,
    store: StoreId,
    (from_ms, to_ms): (Millis, Millis),
) -> Result<i64, super::DbError> {
    let row = db.first::<Counted>(bind!(KNOWN_COUNT, brand, store, from_ms, to_ms)).await?;
    Ok(row.map_or(0, |row| row.n))
}

/// Which of these orders are known.
///
/// # Errors
/// [`super::DbError`].
pub fn known_of<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[OrderId],
) -> Reading<'a, Vec<OrderId>> {
    db.ask(Freshness::Primary, bind!(KNOWN_OF, brand, json_list(ids)), |rows| rows.column("id"))
}

/// What is known of these orders.
///
/// # Errors
/// [`super::DbError`].
pub fn facts_of<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[OrderId],
) -> Reading<'a, Vec<KnownFacts>> {
    db.all(bind!(FACTS_OF, brand, json_list(ids)))
}

/// Orders of the web shop that are nobody's and whose visits weren't told yet, first placed first: of those
/// of the first moment the ones after this id, for shops tell whole seconds.
///
/// # Errors
/// [`super::DbError`].
pub fn without_journey<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    ((from_ms, after), until_ms): ((Millis, &str), Millis),
    limit: u32,
) -> Reading<'a, Vec<AskedRow>> {
    db.all(bind!(WITHOUT_JOURNEY, brand, store, from_ms, until_ms, limit, after))
}
