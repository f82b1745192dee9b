//! Stores on GoAffPro: what is set of them, and its orders as it tells them.

use super::rows::FromColumn;
use super::{Database, Page, Reading, Statement, bind, json_list, row, statements};
use crate::domain::ids::{BrandId, DealId, OrderId, StoreId};
use crate::domain::micros::Micros;
use crate::domain::money::Currency;
use crate::domain::time::Millis;

statements! {
    INSERT_STORE = "
INSERT INTO stores (brand_id, id, platform, shop_domain, storefront_url, client_id, secret_sealed,
  created_at_ms) VALUES (?1, ?2, 'goaffpro', ?3, ?4, '', ?5, ?6)";

    INSERT_SETTINGS = "
INSERT INTO goaffpro_stores (brand_id, store_id, orders_from, ref_parameter) VALUES (?1, ?2, ?3, ?4)";

    INSERT_ACCESS = "
INSERT INTO store_access (brand_id, store_id, way, state, token_sealed) VALUES (?1, ?2, 'token', 'created', ?3)
ON CONFLICT (brand_id, store_id) DO UPDATE SET token_sealed = excluded.token_sealed, state = 'created',
  problem = '', revision = revision + 1, changes = changes + 1";

    SETTINGS = "
SELECT ref_parameter, website, orders_from, orders_since, visits_since, orders_read_at_ms, swept_at_ms,
  affiliates_read_at_ms, ledger_read_at_ms, note, hinted_at_ms
FROM goaffpro_stores WHERE brand_id = ?1 AND store_id = ?2";

    HINTED = "UPDATE goaffpro_stores SET hinted_at_ms = ?3 WHERE brand_id = ?1 AND store_id = ?2";

    /// What is NULL stays; ?5 says whether ?4 is to be set.
    SET = "
UPDATE goaffpro_stores SET ref_parameter = coalesce(?3, ref_parameter),
  orders_from = iif(?5, ?4, orders_from) WHERE brand_id = ?1 AND store_id = ?2";

    SET_WEBSITE = "UPDATE goaffpro_stores SET website = ?3 WHERE brand_id = ?1 AND store_id = ?2";

    /// The brand's other stores, for telling which of them has the same orders.
    OTHER_STORES = "
SELECT id, shop_domain, storefront_url FROM stores
WHERE brand_id = ?1 AND id <> ?2 AND platform <> 'goaffpro' AND closed_at_ms IS NULL LIMIT 100";

    ORDERS_READ = "
UPDATE goaffpro_stores SET orders_since = ?3, orders_read_at_ms = ?4, note = ?5
WHERE brand_id = ?1 AND store_id = ?2";

    SWEPT = "
UPDATE goaffpro_stores SET swept_at_ms = ?3, note = ?4 WHERE brand_id = ?1 AND store_id = ?2";

    VISITS_READ = "
UPDATE goaffpro_stores SET visits_since = ?3 WHERE brand_id = ?1 AND store_id = ?2";

    AFFILIATES_READ = "
UPDATE goaffpro_stores SET affiliates_read_at_ms = ?3 WHERE brand_id = ?1 AND store_id = ?2";

    LEDGER_READ = "
UPDATE goaffpro_stores SET ledger_read_at_ms = ?3 WHERE brand_id = ?1 AND store_id = ?2";

    /// ?3 a list of orders, ?4 now. Only what is told otherwise than before is written, and is due then.
    TELL = "
INSERT INTO goaffpro_orders (brand_id, store_id, external_id, number, affiliate_id, subtotal, commission,
  status, paid, coupons, email_hash, placed_at_ms, told_at_ms, as_of_ms, due_at_ms)
SELECT ?1, ?2, j.value ->> 'id', j.value ->> 'number', j.value ->> 'affiliate', j.value ->> 'subtotal',
  j.value ->> 'commission', j.value ->> 'status', j.value ->> 'paid', j.value -> 'coupons',
  j.value ->> 'email', j.value ->> 'placed', CAST(?4 AS INTEGER), CAST(?4 AS INTEGER), CAST(?4 AS INTEGER)
FROM json_each(?3) j WHERE true
ON CONFLICT (brand_id, store_id, external_id) DO UPDATE SET number = excluded.number,
  affiliate_id = excluded.affiliate_id, subtotal = excluded.subtotal, commission = excluded.commission,
  status = excluded.status, paid = excluded.paid, coupons = excluded.coupons,
  email_hash = excluded.email_hash, placed_at_ms = excluded.placed_at_ms,
  told_at_ms = max(told_at_ms + 1, excluded.told_at_ms), as_of_ms = max(as_of_ms + 1, excluded.as_of_ms),
  due_at_ms = excluded.due_at_ms, revision = revision + 1
WHERE (number, affiliate_id, subtotal, commission, status, paid, coupons, placed_at_ms) IS NOT
  (excluded.number, excluded.affiliate_id, excluded.subtotal, excluded.commission, excluded.status,
   excluded.paid, excluded.coupons, excluded.placed_at_ms)";

    /// ?3 ids of orders that GoAffPro has no more, ?4 now.
    GONE = "
UPDATE goaffpro_orders SET status = 'gone', told_at_ms = max(told_at_ms + 1, CAST(?4 AS INTEGER)),
  as_of_ms = max(as_of_ms + 1, CAST(?4 AS INTEGER)), due_at_ms = CAST(?4 AS INTEGER), revision = revision + 1
WHERE brand_id = ?1 AND store_id = ?2 AND external_id IN (SELECT value FROM json_each(?3))
  AND status <> 'gone'";

    /// Ids of the orders that are known between ?3 and ?4.
    BETWEEN = "
SELECT external_id FROM goaffpro_orders INDEXED BY goaffpro_orders_by_time
WHERE brand_id = ?1 AND store_id = ?2 AND placed_at_ms BETWEEN ?3 AND ?4 AND status <> 'gone' LIMIT 10000";

    /// ?3 now, ?4 how many: with the deal that the affiliate belonged to when the order was placed.
    DUE = "
SELECT o.external_id, o.number, o.affiliate_id, o.subtotal, o.status, o.paid, o.coupons, o.email_hash,
  o.placed_at_ms, o.told_at_ms, o.as_of_ms, o.order_id, o.another, o.revision,
  (SELECT d.deal_id FROM affiliate_deals d WHERE d.brand_id = o.brand_id AND d.store_id = o.store_id
     AND d.affiliate_id = o.affiliate_id AND d.starts_at_ms <= o.placed_at_ms
     ORDER BY d.starts_at_ms DESC LIMIT 1) AS deal_id
FROM goaffpro_orders o INDEXED BY goaffpro_orders_due
WHERE o.brand_id = +?1 AND o.store_id = +?2 AND o.due_at_ms <= ?3 ORDER BY o.due_at_ms LIMIT ?4";

    /// ?3 the order, ?7 the revision that was read: if it changed since, it stays due.
    APPLIED = "
UPDATE goaffpro_orders SET standing = ?4, order_id = ?5, due_at_ms = ?6, email_hash = NULL
WHERE brand_id = ?1 AND store_id = ?2 AND external_id = ?3 AND revision = ?7";

    /// All are looked at again.
    ALL_DUE = "
UPDATE goaffpro_orders SET due_at_ms = CAST(?3 AS INTEGER), as_of_ms = max(as_of_ms + 1, CAST(?3 AS INTEGER)),
  revision = revision + 1 WHERE brand_id = ?1 AND store_id = ?2";

    /// ?3 the order, ?4 whether it is another one than any of another store; ?5 now.
    SAY_ANOTHER = "
UPDATE goaffpro_orders SET another = ?4, as_of_ms = max(as_of_ms + 1, CAST(?5 AS INTEGER)),
  due_at_ms = CAST(?5 AS INTEGER), revision = revision + 1
WHERE brand_id = ?1 AND store_id = ?2 AND external_id = ?3";

    /// Orders of other stores with these names (?5), placed between ?2 and ?3; ?4 this store. Two stores on
    /// GoAffPro have nothing to do with each other.
    NAMESAKES = "
SELECT o.id, o.store_id, o.external_id, o.name, o.placed_at_ms, o.base_minor
FROM orders o INDEXED BY orders_by_time CROSS JOIN stores s ON s.brand_id = o.brand_id AND s.id = o.store_id
WHERE o.brand_id = +?1 AND o.placed_at_ms BETWEEN ?2 AND ?3 AND o.store_id <> ?4
  AND o.name IN (SELECT value FROM json_each(?5)) AND s.platform <> 'goaffpro' LIMIT 1000";

    /// Orders with these ids (?2), of this store (?3) or of one that isn't on GoAffPro, closed ones too.
    BY_IDS = "
SELECT o.id, o.store_id, o.external_id, o.name, o.placed_at_ms, o.base_minor
FROM json_each(?2) j CROSS JOIN orders o ON o.brand_id = ?1 AND o.id = j.value
CROSS JOIN stores s ON s.brand_id = o.brand_id AND s.id = o.store_id
WHERE o.placed_at_ms IS NOT NULL AND (o.store_id = ?3 OR s.platform <> 'goaffpro')";

    /// ?3 the id after which the page begins, ?5 a standing or NULL.
    COMPARED = "
SELECT g.external_id, g.number, g.affiliate_id, g.subtotal, g.commission, g.status, g.standing, g.another,
  g.placed_at_ms, g.order_id, o.commission_minor, o.base_minor, o.currency, o.deal_id
FROM goaffpro_orders g LEFT JOIN orders o ON o.brand_id = g.brand_id AND o.id = g.order_id
WHERE g.brand_id = ?1 AND g.store_id = ?2 AND g.external_id > ?3 AND (?5 IS NULL OR g.standing = ?5)
ORDER BY g.external_id LIMIT ?4";

    /// ?3 the order's id there.
    COMPARED_ONE = "
SELECT g.external_id, g.number, g.affiliate_id, g.subtotal, g.commission, g.status, g.standing, g.another,
  g.placed_at_ms, g.order_id, o.commission_minor, o.base_minor, o.currency, o.deal_id
FROM goaffpro_orders g LEFT JOIN orders o ON o.brand_id = g.brand_id AND o.id = g.order_id
WHERE g.brand_id = ?1 AND g.store_id = ?2 AND g.external_id = ?3";

    /// What GoAffPro says of one of our orders.
    OF_ORDER = "
SELECT g.external_id, g.number, g.affiliate_id, g.subtotal, g.commission, g.status, g.standing, g.another,
  g.placed_at_ms, g.order_id, o.commission_minor, o.base_minor, o.currency, o.deal_id
FROM goaffpro_orders g INDEXED BY goaffpro_orders_by_order
JOIN orders o ON o.brand_id = g.brand_id AND o.id = g.order_id
WHERE g.brand_id = ?1 AND g.order_id = ?2 LIMIT 1";
}

row! {
    /// What is set and known of a store on GoAffPro.
    #[derive(Debug, Clone)]
    pub struct Settings {
        /// What the site calls the ref code in an address.
        pub ref_parameter: String,
        /// The host of the shop's website, as GoAffPro tells it; '' before it did.
        pub website: String,
        /// The store that tells the same orders itself.
        pub orders_from: Option<StoreId>,
        /// Orders were read up to this id.
        pub orders_since: String,
        /// Visits were read up to this id.
        pub visits_since: String,
        /// When new orders were read last.
        pub orders_read_at_ms: Option<Millis>,
        /// When ninety days were read again last.
        pub swept_at_ms: Option<Millis>,
        /// When affiliates were read last.
        pub affiliates_read_at_ms: Option<Millis>,
        /// When its ledger was read last.
        pub ledger_read_at_ms: Option<Millis>,
        /// What was odd.
        pub note: String,
        /// When it last hinted at something, if that was heard.
        pub hinted_at_ms: Option<Millis>,
    }
    /// Another store of the brand.
    #[derive(Debug, Clone)]
    pub struct OtherStore {
        /// Its id.
        pub id: StoreId,
        /// `shop.myshopify.com`
        pub shop_domain: String,
        /// `https://shop.example`
        pub storefront_url: String,
    }
    /// An order that is due to be told to our orders.
    #[derive(Debug, Clone)]
    pub struct DueOrder {
        /// Its id there.
        pub external_id: String,
        /// The shop's number or name of it.
        pub number: String,
        /// Whose, there.
        pub affiliate_id: Option<String>,
        /// What commission is computed from.
        pub subtotal: Micros,
        /// `open`, `approved`, `rejected` or `gone`.
        pub status: String,
        /// It was paid.
        pub paid: bool,
        /// Codes used.
        pub coupons: Vec<String>,
        /// Keyed hash of the buyer's address.
        pub email_hash: Option<String>,
        /// When it was placed.
        pub placed_at_ms: Millis,
        /// When it was told so first.
        pub told_at_ms: Millis,
        /// Also when its affiliate was assigned.
        pub as_of_ms: Millis,
        /// Which order of ours.
        pub order_id: Option<OrderId>,
        /// The brand said that it is no order of another store.
        pub another: bool,
        /// How often it changed.
        pub revision: i64,
        /// The deal that its affiliate belonged to then.
        pub deal_id: Option<DealId>,
    }
    /// An order of ours that may be the same.
    #[derive(Debug, Clone)]
    pub struct Namesake {
        /// Which.
        pub id: OrderId,
        /// Of which store.
        pub store_id: StoreId,
        /// The platform's id.
        pub external_id: String,
        /// `#1001`
        pub name: String,
        /// When it was placed.
        pub placed_at_ms: Millis,
        /// Its base after refunds.
        pub base_minor: i64,
    }
    /// An order there beside ours.
    #[derive(Debug, Clone)]
    pub struct Compared {
        /// Its id there.
        pub external_id: String,
        /// The shop's number or name of it.
        pub number: String,
        /// Whose, there.
        pub affiliate_id: Option<String>,
        /// What commission is computed from.
        pub subtotal: Micros,
        /// What it earns there, where that is told.
        pub commission: Option<Micros>,
        /// `open`, `approved`, `rejected` or `gone`.
        pub status: String,
        /// How it stands to our orders.
        pub standing: String,
        /// The brand said that it is no order of another store.
        pub another: bool,
        /// When it was placed.
        pub placed_at_ms: Millis,
        /// Which order of ours.
        pub order_id: Option<OrderId>,
        /// What that earns.
        pub commission_minor: Option<i64>,
        /// From which base.
        pub base_minor: Option<i64>,
        /// In which currency.
        pub currency: Option<Currency>,
        /// Whose it is here.
        pub deal_id: Option<DealId>,
    }
}

impl FromColumn for Micros {
    fn from_column(value: &serde_json::Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
    fn placeholder() -> Self {
        Self::default()
    }
}

/// A store to be stored.
pub struct NewStore<'a> {
    /// Its id.
    pub id: StoreId,
    /// What tells it from the brand's other stores.
    pub domain: &'a str,
    /// `https://shop.example`
    pub storefront_url: &'a str,
    /// A secret that nobody knows, sealed: nothing that is signed comes from here.
    pub secret_sealed: &'a str,
    /// The access token, sealed.
    pub token_sealed: &'a str,
    /// The store that tells the same orders itself.
    pub orders_from: Option<StoreId>,
    /// What the site calls the ref code.
    pub ref_parameter: &'a str,
}

/// Stores a store and what reaches it.
#[must_use]
pub fn insert(brand: BrandId, new: &NewStore<'_>, now_ms: Millis) -> Vec<Statement> {
    let NewStore { id, domain, storefront_url, secret_sealed, token_sealed, .. } = *new;
    vec![
        bind!(INSERT_STORE, brand, id, domain, storefront_url, secret_sealed, now_ms),
        bind!(INSERT_SETTINGS, brand, id, new.orders_from, new.ref_parameter),
        keep_token(brand, id, token_sealed),
    ]
}

/// Keeps another access token; the store counts as not tried until it was.
#[must_use]
pub fn keep_token(brand: BrandId, store: StoreId, token_sealed: &str) -> Statement {
    bind!(INSERT_ACCESS, brand, store, token_sealed)
}

/// What is set of a store.
///
/// # Errors
/// [`super::DbError`].
pub fn settings(
    db: &dyn Database,
    brand: BrandId,
    store: StoreId,
) -> Reading<'_, Option<Settings>> {
    db.first(bind!(SETTINGS, brand, store))
}

/// Sets what is given.
#[must_use]
pub fn set(
    brand: BrandId,
    store: StoreId,
    ref_parameter: Option<&str>,
    orders_from: Option<Option<StoreId>>,
) -> Statement {
    bind!(SET, brand, store, ref_parameter, orders_from.flatten(), orders_from.is_some())
}

/// GoAffPro hinted at something.
#[must_use]
pub fn hinted(brand: BrandId, store: StoreId, now_ms: Millis) -> Statement {
    bind!(HINTED, brand, store, now_ms)
}

/// Keeps the host of the shop's website.
#[must_use]
pub fn set_website(brand: BrandId, store: StoreId, host: &str) -> Statement {
    bind!(SET_WEBSITE, brand, store, host)
}

/// The brand's other stores.
///
/// # Errors
/// [`super::DbError`].
pub fn other_stores(
    db: &dyn Database,
    brand: BrandId,
    store: StoreId,
) -> Reading<'_, Vec<OtherStore>> {
    db.all(bind!(OTHER_STORES, brand, store))
}

/// What a run has got through with, beside its cursor.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// New orders up to this id; what was odd.
    Orders(&'a str, &'a str),
    /// Ninety days were read again; what was odd.
    Swept(&'a str),
    /// Visits up to this id.
    Visits(&'a str),
    /// All affiliates.
    Affiliates,
    /// GoAffPro's ledger.
    Ledger,
}

/// Notes how far a run got.
#[must_use]
pub fn progress(brand: BrandId, store: StoreId, made: Progress<'_>, now_ms: Millis) -> Statement {
    match made {
        Progress::Orders(since, note) => bind!(ORDERS_READ, brand, store, since, now_ms, note),
        Progress::Swept(note) => bind!(SWEPT, brand, store, now_ms, note),
        Progress::Visits(since) => bind!(VISITS_READ, brand, store, since),
        Progress::Affiliates => bind!(AFFILIATES_READ, brand, store, now_ms),
        Progress::Ledger => bind!(LEDGER_READ, brand, store, now_ms),
    }
}

/// Keeps orders as they are told: a JSON list.
#[must_use]
pub fn tell(brand: BrandId, store: StoreId, orders: &str, now_ms: Millis) -> Statement {
    bind!(TELL, brand, store, orders, now_ms)
}

/// Marks orders that GoAffPro has no more.
#[must_use]
pub fn gone(brand: BrandId, store: StoreId, ids: &[String], now_ms: Millis) -> Statement {
    bind!(GONE, brand, store, json_list(ids), now_ms)
}

/// The ids of orders that are known between two moments.
///
/// # Errors
/// [`super::DbError`].
pub fn between(
    db: &dyn Database,
    brand: BrandId,
    store: StoreId,
    (from_ms, until_ms): (Millis, Millis),
) -> Reading<'_, Vec<String>> {
    db.ask(super::Freshness::Primary, bind!(BETWEEN, brand, store, from_ms, until_ms), |rows| {
        rows.column("external_id")
    })
}

/// Orders that are due to be told to ours.
///
/// # Errors
/// [`super::DbError`].
pub fn due(
    db: &dyn Database,
    brand: BrandId,
    store: StoreId,
    now_ms: Millis,
    limit: u32,
) -> Reading<'_, Vec<DueOrder>> {
    db.all(bind!(DUE, brand, store, now_ms, limit))
}

/// Notes what became of an order, unless it changed meanwhile; it is looked at again at `next_ms`.
#[must_use]
pub fn applied(
    brand: BrandId,
    store: StoreId,
    order: &DueOrder,
    (standing, ours): (&str, Option<OrderId>),
    next_ms: Option<Millis>,
) -> Statement {
    bind!(APPLIED, brand, store, &order.external_id, standing, ours, next_ms, order.revision)
}

/// Has all orders of a store looked at again.
#[must_use]
pub fn all_due(brand: BrandId, store: StoreId, now_ms: Millis) -> Statement {
    bind!(ALL_DUE, brand, store, now_ms)
}

/// Orders of other stores that have these names and were placed between these moments.
///
/// # Errors
/// [`super::DbError`].
pub fn namesakes<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    names: &[String],
    (from_ms, until_ms): (Millis, Millis),
) -> Reading<'a, Vec<Namesake>> {
    db.all(bind!(NAMESAKES, brand, from_ms, until_ms, store, json_list(names)))
}

/// Orders with these ids, of this store or of one that isn't on GoAffPro.
///
/// # Errors
/// [`super::DbError`].
pub fn by_ids<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    ids: &[OrderId],
) -> Reading<'a, Vec<Namesake>> {
    db.all(bind!(BY_IDS, brand, json_list(ids), store))
}

/// A page of orders there beside ours.
///
/// # Errors
/// [`super::DbError`].
pub fn compared<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    page: &Page,
    standing: Option<&str>,
) -> Reading<'a, Vec<Compared>> {
    db.all(bind!(COMPARED, brand, store, &page.after, page.limit, standing))
}

/// One order there beside ours.
///
/// # Errors
/// [`super::DbError`].
pub fn compared_one<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    external_id: &str,
) -> Reading<'a, Option<Compared>> {
    db.first(bind!(COMPARED_ONE, brand, store, external_id))
}

/// Says whether an order is another one than any that another store tells; it is looked at again.
#[must_use]
pub fn say_another(
    brand: BrandId,
    store: StoreId,
    external_id: &str,
    another: bool,
    now_ms: Millis,
) -> Statement {
    bind!(SAY_ANOTHER, brand, store, external_id, another, now_ms)
}

/// What GoAffPro says of one of our orders.
///
/// # Errors
/// [`super::DbError`].
pub fn of_order(
    db: &dyn Database,
    brand: BrandId,
    order: OrderId,
) -> Reading<'_, Option<Compared>> {
    db.first(bind!(OF_ORDER, brand, order))
}
