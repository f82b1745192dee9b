//! GoAffPro's affiliates, the deals they belong to, and what it counts for them.

use super::{Database, Page, Reading, Statement, bind, row, spelling, statements};
use crate::domain::ids::{BrandId, DealId, StoreId};
use crate::domain::time::{Day, Millis};

statements! {
    /// ?3 a list of affiliates, ?4 when they were read. Who belongs to a deal needs no matching.
    TELL_AFFILIATES = "
INSERT INTO affiliates (brand_id, store_id, id, name, email_hash, ref_codes, coupons, status, commission, read_at_ms)
SELECT ?1, ?2, j.value ->> 'id', j.value ->> 'name', j.value ->> 'email', j.value -> 'ref_codes',
  j.value -> 'coupons', j.value ->> 'status', j.value ->> 'commission', CAST(?4 AS INTEGER)
FROM json_each(?3) j WHERE true
ON CONFLICT (brand_id, store_id, id) DO UPDATE SET name = iif(deal_id IS NULL, excluded.name, NULL),
  email_hash = iif(deal_id IS NULL, excluded.email_hash, NULL), ref_codes = excluded.ref_codes,
  coupons = excluded.coupons, status = excluded.status, commission = excluded.commission,
  read_at_ms = excluded.read_at_ms, gone_at_ms = NULL
WHERE erased_at_ms IS NULL";

    /// Who wasn't told since ?3.
    AFFILIATES_GONE = "
UPDATE affiliates SET gone_at_ms = ?4, name = NULL, email_hash = NULL
WHERE brand_id = ?1 AND store_id = ?2 AND read_at_ms < ?3 AND gone_at_ms IS NULL";

    /// A list of pairs: an affiliate and its sums.
    TELL_SUMS = "
UPDATE affiliates SET sums = (SELECT json(j.value -> 1) FROM json_each(?3) j WHERE j.value ->> 0 = affiliates.id)
WHERE brand_id = ?1 AND store_id = ?2 AND erased_at_ms IS NULL
  AND id IN (SELECT value ->> 0 FROM json_each(?3))";

    /// ?3 the id after which the page begins, ?5 `assigned`, `proposed`, `unknown` or NULL. Proposed is the
    /// deal that has one of her coupons as a code, or one of her ref codes as a slug, or the newest open deal
    /// of the creator with her address.
    AFFILIATES = "
SELECT * FROM (SELECT a.id, a.name, a.ref_codes, a.coupons, a.status, a.commission, a.deal_id, a.sums,
  a.gone_at_ms, a.erased_at_ms,
  iif(a.deal_id IS NULL, (SELECT c.deal_id FROM json_each(a.coupons) j
     CROSS JOIN codes c ON c.brand_id = a.brand_id AND c.code_key = j.value LIMIT 1), NULL) AS by_coupon,
  iif(a.deal_id IS NULL, (SELECT l.deal_id FROM json_each(a.ref_codes) j
     CROSS JOIN links l ON l.brand_id = a.brand_id AND l.slug_key = lower(j.value) LIMIT 1), NULL) AS by_ref_code,
  iif(a.deal_id IS NULL, (SELECT d.id FROM creators c CROSS JOIN deals d ON d.brand_id = a.brand_id
       AND d.creator_id = c.id AND d.closed_at_ms IS NULL
     WHERE c.brand_id = a.brand_id AND c.email_hash = a.email_hash ORDER BY d.id DESC LIMIT 1), NULL) AS by_email
FROM affiliates a WHERE a.brand_id = ?1 AND a.store_id = ?2 AND a.id > ?3)
WHERE ?5 IS NULL OR ?5 = CASE WHEN deal_id IS NOT NULL THEN 'assigned'
  WHEN coalesce(by_coupon, by_ref_code, by_email) IS NOT NULL THEN 'proposed' ELSE 'unknown' END
ORDER BY id LIMIT ?4";

    AFFILIATE = "
SELECT id, name, ref_codes, coupons, status, commission, deal_id, sums, gone_at_ms, erased_at_ms,
  NULL AS by_coupon, NULL AS by_ref_code, NULL AS by_email
FROM affiliates WHERE brand_id = ?1 AND store_id = ?2 AND id = ?3";

    OF_DEAL = "
SELECT id, name, ref_codes, coupons, status, commission, deal_id, sums, gone_at_ms, erased_at_ms,
  NULL AS by_coupon, NULL AS by_ref_code, NULL AS by_email
FROM affiliates INDEXED BY affiliates_by_deal WHERE brand_id = ?1 AND deal_id = ?2 AND store_id = ?3";

    /// ?5 since when, ?4 to which deal (NULL: to none any more), ?6 now.
    BELONGS = "
INSERT INTO affiliate_deals (brand_id, store_id, affiliate_id, starts_at_ms, deal_id, created_at_ms)
VALUES (?1, ?2, ?3, ?5, ?4, ?6)";

    BELONGS_NOW = "
UPDATE affiliates SET deal_id = ?4, name = NULL, email_hash = NULL
WHERE brand_id = ?1 AND store_id = ?2 AND id = ?3";

    /// Orders of an affiliate since ?4 are told anew, ?5 now.
    ANEW = "
UPDATE goaffpro_orders SET as_of_ms = max(as_of_ms + 1, CAST(?5 AS INTEGER)), due_at_ms = CAST(?5 AS INTEGER),
  revision = revision + 1
WHERE brand_id = ?1 AND store_id = ?2 AND affiliate_id = ?3 AND placed_at_ms >= ?4";

    /// ?3 a list of triples: an affiliate, a day, how many visits. Whose they are is told as of that day.
    TELL_VISITS = "
INSERT INTO affiliate_clicks (brand_id, deal_id, day, store_id, affiliate_id, clicks)
SELECT ?1, coalesce((SELECT d.deal_id FROM affiliate_deals d WHERE d.brand_id = ?1 AND d.store_id = ?2
    AND d.affiliate_id = j.value ->> 0 AND d.starts_at_ms <= j.value ->> 3 ORDER BY d.starts_at_ms DESC LIMIT 1), ''),
  j.value ->> 1, ?2, j.value ->> 0, j.value ->> 2
FROM json_each(?3) j WHERE true
ON CONFLICT (brand_id, deal_id, day, store_id, affiliate_id) DO UPDATE SET clicks = clicks + excluded.clicks";

    VISITS = "
SELECT coalesce(sum(clicks), 0) AS clicks FROM affiliate_clicks
WHERE brand_id = ?1 AND deal_id = ?2 AND day BETWEEN ?3 AND ?4";

    ASK_AFFILIATE = "
INSERT INTO affiliate_requests (brand_id, deal_id, store_id, ref_code, coupon, percent, state, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'creating', ?7)
ON CONFLICT (brand_id, deal_id, store_id) DO UPDATE SET ref_code = excluded.ref_code,
  coupon = excluded.coupon, percent = excluded.percent, problem = '',
  state = CASE state WHEN 'failed' THEN 'creating' END";

    REQUEST = "
SELECT deal_id, store_id, ref_code, coupon, percent, state, problem, affiliate_id
FROM affiliate_requests WHERE brand_id = ?1 AND deal_id = ?2 AND store_id = ?3";

    REQUESTS_OF_DEAL = "
SELECT deal_id, store_id, ref_code, coupon, percent, state, problem, affiliate_id
FROM affiliate_requests WHERE brand_id = ?1 AND deal_id = ?2 ORDER BY store_id";

    ANSWER_REQUEST = "
UPDATE affiliate_requests SET state = ?4, problem = ?5, affiliate_id = ?6
WHERE brand_id = ?1 AND deal_id = ?2 AND store_id = ?3";

    /// Whom an affiliate is asked for.
    PERSON = "
SELECT c.name, c.email FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id
WHERE d.brand_id = ?1 AND d.id = ?2";
}

row! {
    /// An affiliate.
    #[derive(Debug, Clone)]
    pub struct AffiliateRow {
        /// Its id there.
        pub id: String,
        /// The name, while it belongs to no deal.
        pub name: Option<String>,
        /// Ref codes, the first the one to hand out.
        pub ref_codes: Vec<String>,
        /// Coupons.
        pub coupons: Vec<String>,
        /// `approved`, …
        pub status: String,
        /// What it earns there, in words.
        pub commission: String,
        /// The deal it belongs to.
        pub deal_id: Option<DealId>,
        /// What GoAffPro's ledger says: JSON.
        pub sums: String,
        /// When GoAffPro had it no more.
        pub gone_at_ms: Option<Millis>,
        /// When it was erased with its creator.
        pub erased_at_ms: Option<Millis>,
        /// The deal that has one of its coupons.
        pub by_coupon: Option<DealId>,
        /// The deal that has one of its ref codes as a slug.
        pub by_ref_code: Option<DealId>,
        /// The newest open deal of the creator with its address.
        pub by_email: Option<DealId>,
    }
    /// How many visits.
    struct Visits {
        clicks: i64,
    }
    /// An affiliate that a deal asked for.
    #[derive(Debug, Clone)]
    pub struct RequestRow {
        /// Which deal.
        pub deal_id: DealId,
        /// At which store.
        pub store_id: StoreId,
        /// The ref code it is to have.
        pub ref_code: Option<String>,
        /// The coupon it is to have.
        pub coupon: Option<String>,
        /// Its rate there.
        pub percent: Option<String>,
        /// Where it stands.
        pub state: RequestState,
        /// Why it failed, in words.
        pub problem: String,
        /// Which affiliate came of it.
        pub affiliate_id: Option<String>,
    }
    /// Whom an affiliate is asked for.
    pub struct Person {
        /// Her name.
        pub name: String,
        /// Her address.
        pub email: Option<String>,
    }
}

/// Where a request for an affiliate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// It is being asked for.
    Creating,
    /// It is there.
    Active,
    /// It can't be had, and why stands beside it.
    Failed,
}

spelling!(RequestState { Creating = "creating", Active = "active", Failed = "failed" });
/// Keeps affiliates as they are told: a JSON list.
#[must_use]
pub fn tell_affiliates(brand: BrandId, store: StoreId, all: &str, read_at_ms: Millis) -> Statement {
    bind!(TELL_AFFILIATES, brand, store, all, read_at_ms)
}

/// Marks the affiliates that weren't told since a run began.
#[must_use]
pub fn affiliates_gone(
    brand: BrandId,
    store: StoreId,
    since_ms: Millis,
    now_ms: Millis,
) -> Statement {
    bind!(AFFILIATES_GONE, brand, store, since_ms, now_ms)
}

/// Keeps what GoAffPro's ledger says: a JSON list of pairs.
#[must_use]
pub fn tell_sums(brand: BrandId, store: StoreId, sums: &str) -> Statement {
    bind!(TELL_SUMS, brand, store, sums)
}

/// A page of affiliates with the deals they may belong to.
///
/// # Errors
/// [`super::DbError`].
pub fn affiliates<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    page: &Page,
    state: Option<&str>,
) -> Reading<'a, Vec<AffiliateRow>> {
    db.all(bind!(AFFILIATES, brand, store, &page.after, page.limit, state))
}

/// One affiliate.
///
/// # Errors
/// [`super::DbError`].
pub fn affiliate<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    id: &str,
) -> Reading<'a, Option<AffiliateRow>> {
    db.first(bind!(AFFILIATE, brand, store, id))
}

/// The affiliate that belongs to a deal at a store.
///
/// # Errors
/// [`super::DbError`].
pub fn of_deal(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    store: StoreId,
) -> Reading<'_, Option<AffiliateRow>> {
    db.first(bind!(OF_DEAL, brand, deal, store))
}

/// Has an affiliate belong to a deal (or to none) from a moment on, and its orders since then told anew.
#[must_use]
pub fn belongs(
    brand: BrandId,
    (store, affiliate): (StoreId, &str),
    deal: Option<DealId>,
    starts_at_ms: Millis,
    now_ms: Millis,
) -> Vec<Statement> {
    vec![
        bind!(BELONGS, brand, store, affiliate, deal, starts_at_ms, now_ms),
        bind!(BELONGS_NOW, brand, store, affiliate, deal),
        bind!(ANEW, brand, store, affiliate, starts_at_ms, now_ms),
    ]
}

/// Adds visits: a JSON list of affiliate, day, number and a moment of that day.
#[must_use]
pub fn tell_visits(brand: BrandId, store: StoreId, visits: &str) -> Statement {
    bind!(TELL_VISITS, brand, store, visits)
}

/// How many visits GoAffPro counted for a deal, both days included.
///
/// # Errors
/// [`super::DbError`].
pub async fn visits(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    (from, to): (Day, Day),
) -> Result<i64, super::DbError> {
    let row = db.first::<Visits>(bind!(VISITS, brand, deal, from.0, to.0)).await?;
    Ok(row.map_or(0, |row| row.clicks))
}

/// Asks for an affiliate; aborts unless the last one that was asked for failed.
#[must_use]
pub fn ask_affiliate(brand: BrandId, new: &RequestRow, now_ms: Millis) -> Statement {
    bind!(
        ASK_AFFILIATE,
        brand,
        new.deal_id,
        new.store_id,
        new.ref_code.as_deref(),
        new.coupon.as_deref(),
        new.percent.as_deref(),
        now_ms,
    )
}

/// The affiliate that a deal asked for at a store.
///
/// # Errors
/// [`super::DbError`].
pub fn request(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    store: StoreId,
) -> Reading<'_, Option<RequestRow>> {
    db.first(bind!(REQUEST, brand, deal, store))
}

/// The affiliates that a deal asked for.
///
/// # Errors
/// [`super::DbError`].
pub fn requests(db: &dyn Database, brand: BrandId, deal: DealId) -> Reading<'_, Vec<RequestRow>> {
    db.all(bind!(REQUESTS_OF_DEAL, brand, deal))
}

/// Notes what became of a request.
#[must_use]
pub fn answer_request(
    brand: BrandId,
    (deal, store): (DealId, StoreId),
    state: RequestState,
    problem: &str,
    affiliate: Option<&str>,
) -> Statement {
    bind!(ANSWER_REQUEST, brand, deal, store, state, problem, affiliate)
}

/// Whom an affiliate is asked for.
///
/// # Errors
/// [`super::DbError`].
pub fn person(db: &dyn Database, brand: BrandId, deal: DealId) -> Reading<'_, Option<Person>> {
    db.first(bind!(PERSON, brand, deal))
}
