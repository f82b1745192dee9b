//! Orders: committing what was decided, and listing.
//!
//! A commit is one row, whose triggers do the rest. [`super::order_facts`] loads what is decided from.

use super::rows::{Columns, FromRow};
use super::{
    Database, DbError, Freshness, Page, Param, Reading, Statement, bind, json_list, row, statements,
};
use crate::domain::attribution::Decision;
use crate::domain::ids::{BrandId, CreatorId, DealId, OrderId, StoreId};
use crate::domain::ingest::{Change, StoredOrder, Taken};
use crate::domain::json::{json, list_of};
use crate::domain::money::Currency;
use crate::domain::order::Facts;
use crate::domain::time::{Day, Millis};
use crate::storage::kept::kept;
use crate::storage::ledger;

statements! {
    /// The row is the whole commit: triggers refuse it when what it was decided from has changed
    /// since (?17, ?20), post its entries (?18), keep its deal's totals and count its customer's orders.
    INSERT = "
INSERT INTO orders (brand_id, id, store_id, external_id, name, placed_at_ms, placed_day, state,
  currency, base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision,
  decided_from, decision_version, postings, changed_at_ms, seen, revision)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17, ?18, ?19,
  ?20, 1)";

    /// As [`INSERT`], of many orders, all or none: ?2 lists what [`INSERT`] is given for each.
    INSERT_ALL = "
INSERT INTO orders (brand_id, id, store_id, external_id, name, placed_at_ms, placed_day, state,
  currency, base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision,
  decided_from, decision_version, postings, changed_at_ms, seen, revision)
SELECT +?1, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
  value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
  value ->> 14, value ->> 15, value ->> 16, value ->> 16, value ->> 17, value ->> 18, value ->> 19, 1
FROM json_each(?2)";

    /// As [`INSERT`], guarded by the revision that was read: ?21. What was seen before stays
    /// (a patch takes out what is null, so the nulls go first).
    UPDATE = "
UPDATE orders SET name = ?5, placed_at_ms = ?6, placed_day = ?7, state = ?8, currency = ?9,
  base_minor = ?10, commission_minor = ?11, deal_id = ?12, creator_id = ?13, available_day = ?14,
  facts = ?15, decision = ?16, decided_from = ?17,
  decision_version = coalesce(?17, decision_version), postings = ?18, changed_at_ms = ?19,
  seen = iif(?20 IS NULL, seen, json_patch(coalesce(seen, '{}'), json_patch('{}', ?20))),
  revision = iif(revision = ?21, revision + 1, NULL)
WHERE brand_id = ?1 AND id = ?2 AND store_id = ?3 AND external_id = ?4";

    /// An update that moves neither deal nor time nor name leaves their indexes alone: one row written.
    UPDATE_IN_PLACE = "
UPDATE orders SET state = ?3, base_minor = ?4, commission_minor = ?5,
  available_day = ?6, facts = ?7, decision = ?8, postings = ?9, changed_at_ms = ?10,
  revision = iif(revision = ?11, revision + 1, NULL)
WHERE brand_id = ?1 AND id = ?2";

    FIND = "
SELECT id, store_id, external_id, name, placed_at_ms, state, currency, base_minor,
  commission_minor, deal_id, decision FROM orders WHERE brand_id = ?1 AND id = ?2";

    /// Aborts when the order has changed since it had the revision ?3, and changes nothing itself.
    REQUIRE = "
UPDATE orders SET revision = iif(revision = ?3, revision, NULL) WHERE brand_id = ?1 AND id = ?2";

    FACTS = "SELECT facts, decision FROM orders WHERE brand_id = ?1 AND id = ?2";

    /// ?1 brand, ?2 from, ?3 to (exclusive), ?4 store or NULL, ?5 before time, ?6 before id, ?7 limit.
    LIST = "
SELECT id, store_id, external_id, name, placed_at_ms, state, currency, base_minor,
  commission_minor, deal_id, NULL AS decision FROM orders
WHERE brand_id = ?1 AND placed_at_ms >= ?2 AND placed_at_ms < ?3
  AND (placed_at_ms, id) < (?5, ?6) AND (?4 IS NULL OR store_id = ?4)
ORDER BY placed_at_ms DESC, id DESC LIMIT ?7";

    /// As [`LIST`], of the deals in ?8.
    LIST_OF_DEALS = "
SELECT o.id, o.store_id, o.external_id, o.name, o.placed_at_ms, o.state, o.currency, o.base_minor,
  o.commission_minor, o.deal_id, NULL AS decision
FROM json_each(?8) j CROSS JOIN orders o INDEXED BY orders_by_deal
  ON o.brand_id = ?1 AND o.deal_id = j.value
WHERE o.placed_at_ms >= ?2 AND o.placed_at_ms < ?3
  AND (o.placed_at_ms, o.id) < (?5, ?6) AND (?4 IS NULL OR o.store_id = ?4)
ORDER BY o.placed_at_ms DESC, o.id DESC LIMIT ?7";

    LIST_BY_IDS = "
SELECT o.id, o.store_id, o.external_id, o.name, o.placed_at_ms, o.state, o.currency, o.base_minor,
  o.commission_minor, o.deal_id, NULL AS decision
FROM json_each(?2) j CROSS JOIN orders o ON o.brand_id = ?1 AND o.id = j.value ORDER BY o.id";

    /// Orders of these names (?4 a JSON list), latest first: by the index alone, over a span of time, for
    /// an index of names would cost every order a row.
    NAMED = "
SELECT o.id, o.store_id, o.external_id, o.name, o.placed_at_ms, o.state, o.currency, o.base_minor,
  o.commission_minor, o.deal_id, o.decision
FROM (SELECT id FROM orders INDEXED BY orders_by_time WHERE brand_id = +?1 AND placed_at_ms >= ?2
    AND placed_at_ms < ?3 AND name IN (SELECT value FROM json_each(?4))
  ORDER BY placed_at_ms DESC LIMIT 50) f
CROSS JOIN orders o ON o.brand_id = +?1 AND o.id = f.id ORDER BY o.placed_at_ms DESC, o.id DESC";

    HAS_ANY = "SELECT 1 AS found FROM orders WHERE brand_id = ?1 LIMIT 1";

    /// ?1 brand, ?2 deals, ?3 first day, ?4 last day.
    PERFORMANCE = "
SELECT t.deal_id, t.currency, sum(t.orders) AS orders, sum(t.base_minor) AS base_minor,
  sum(t.commission_minor) AS commission_minor
FROM json_each(?2) j CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = j.value
WHERE t.day BETWEEN ?3 AND ?4 GROUP BY t.deal_id, t.currency ORDER BY t.deal_id, t.currency";

    TOTALS_OF_CREATORS = "
SELECT d.creator_id, t.currency, sum(t.orders) AS orders, sum(t.base_minor) AS base_minor,
  sum(t.commission_minor) AS commission_minor
FROM json_each(?2) j CROSS JOIN deals d ON d.brand_id = ?1 AND d.creator_id = j.value
CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = d.id
GROUP BY d.creator_id, t.currency ORDER BY d.creator_id, t.currency";
}

row! {
    /// An order as the API shows it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OrderRow {
    /// Its id.
    pub id: OrderId,
    /// Its store.
    pub store_id: StoreId,
    /// The platform's id.
    pub external_id: String,
    /// `#1001`.
    pub name: String,
    /// When it was placed, once known.
    pub placed_at_ms: Option<Millis>,
    /// Where it stands.
    pub state: String,
    /// Its currency, once known.
    pub currency: Option<Currency>,
    /// Base after refunds.
    pub base_minor: i64,
    /// Commission posted.
    pub commission_minor: i64,
    /// Its deal.
    pub deal_id: Option<DealId>,
    /// The decision as JSON; only [`find`] and [`named`] read it.
    pub decision: Option<String>,
    }
}

impl OrderRow {
    /// The decision, if it was read and made.
    ///
    /// # Errors
    /// [`DbError::Failed`] if it doesn't parse.
    pub fn decision(&self) -> Result<Option<Decision>, DbError> {
        self.decision.as_deref().map(kept).transpose()
    }
}

/// The statement that commits a change: the order's row, whole or not at all.
///
/// # Errors
/// [`DbError::Failed`] if a part can't be written as JSON.
pub fn commit(
    brand: BrandId,
    change: &Change,
    before: Option<&StoredOrder>,
    now_ms: Millis,
) -> Result<Statement, DbError> {
    let to_json = |e: serde_json::Error| DbError::Failed(format!("JSON: {e}"));
    let facts = serde_json::to_string(&change.facts).map_err(to_json)?;
    let decision =
        change.decision.as_ref().map(serde_json::to_string).transpose().map_err(to_json)?;
    let postings =
        (!change.transactions.is_empty()).then(|| ledger::postings(&change.transactions));
    let standing = change.standing;
    let commission = standing.map_or(0, |s| s.commission_minor);
    let day = standing.map(|s| s.available_day.0);
    if before.is_some_and(|before| is_in_place(change, before)) {
        return Ok(bind!(
            UPDATE_IN_PLACE,
            brand,
            change.id,
            change.state.as_str(),
            change.base_minor,
            commission,
            day,
            facts,
            decision,
            postings,
            now_ms,
            change.from_revision,
        ));
    }
    let mut statement = bind!(
        INSERT,
        brand,
        change.id,
        change.store,
        &change.external_id,
        &change.name,
        change.placed_at_ms,
        standing.map(|s| s.placed_day.0),
        change.state.as_str(),
        change.currency.map(Currency::code),
        change.base_minor,
        commission,
        standing.map(|s| s.deal),
        standing.map(|s| s.creator),
        day,
        facts,
        decision,
        change.decided_from,
        postings,
        now_ms,
        change.taken.as_ref().map(|taken| seen(taken, change.from_revision)),
    );
    if let Some(revision) = change.from_revision {
        statement.sql = UPDATE.into();
        statement.params.push(Param::from(revision));
    }
    Ok(statement)
}

/// The statement that commits first deliveries of many orders, given those that commit each; `None` if
/// one of them is no first delivery.
#[must_use]
pub fn commit_all(brand: BrandId, commits: &[Statement]) -> Option<Statement> {
    let mut rows = Vec::with_capacity(commits.len());
    for commit in commits {
        if commit.sql != INSERT {
            return None;
        }
        let params = commit.params.iter().map(|param| match param {
            Param::Null => "null".to_owned(),
            Param::Int(n) => n.to_string(),
            Param::Text(text) => json!(text),
        });
        rows.push(list_of(&params.collect::<Vec<_>>()));
    }
    Some(bind!(INSERT_ALL, brand, list_of(&rows)))
}

/// Whether a change moves neither the order's deal nor its time nor its name.
fn is_in_place(change: &Change, before: &StoredOrder) -> bool {
    let snapshot = before.facts.snapshot.as_ref();
    snapshot.map(|s| s.placed_at_ms) == change.placed_at_ms
        && snapshot.map(|s| s.name.as_str()).unwrap_or_default() == change.name
        && snapshot.map(|s| s.currency) == change.currency
        && before.standing.map(|s| s.deal) == change.standing.map(|s| s.deal)
        && change.decided_from.is_none()
        && change.taken.is_none()
}

/// What the triggers check and count: `c` counts the order among its customer's, of which `n` were
/// counted before; the deal `d` earned `m` between the days `f` and `t`, as looked up at revision `r`.
fn seen(taken: &Taken, revision: Option<i64>) -> String {
    let month = taken.month.as_ref();
    json!({
        "c": taken.counts.then_some(1_u16),
        "n": taken.customer_orders,
        "d": month.map(|month| month.0),
        "f": month.map(|month| month.1.0),
        "t": month.map(|month| month.2.0),
        "m": month.map(|month| month.3),
        "r": month.map(|_| revision.unwrap_or(0)),
    })
}

/// One order with its decision.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: OrderId) -> Reading<'_, Option<OrderRow>> {
    db.first(finding(brand, id))
}

/// The statement of [`find`], to be read with others.
#[must_use]
pub fn finding(brand: BrandId, id: OrderId) -> Statement {
    bind!(FIND, brand, id)
}

/// Orders that the shop calls by one of these names, placed within a span of time; latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn named<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    names: &[String],
    (from_ms, to_ms): (Millis, Millis),
) -> Reading<'a, Vec<OrderRow>> {
    db.all(bind!(NAMED, brand, from_ms, to_ms, json_list(names)))
}

/// Aborts its batch when the order has changed since it had this revision.
#[must_use]
pub fn require(brand: BrandId, id: OrderId, revision: i64) -> Statement {
    bind!(REQUIRE, brand, id, revision)
}

/// What is known of an order and what was decided about it.
#[derive(Debug, Clone)]
pub struct KeptOrder {
    /// The merged facts.
    pub facts: Facts,
    /// The decision, once made.
    pub decision: Option<Decision>,
}

impl FromRow for KeptOrder {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self { facts: columns.read("facts"), decision: columns.read("decision") }
    }
}

/// The facts of one order and the decision about it.
///
/// # Errors
/// [`super::DbError`].
pub fn facts(db: &dyn Database, brand: BrandId, id: OrderId) -> Reading<'_, Option<KeptOrder>> {
    db.first(bind!(FACTS, brand, id))
}

/// Whether the brand has any order.
///
/// # Errors
/// [`super::DbError`].
pub fn any(db: &dyn Database, brand: BrandId) -> Reading<'_, bool> {
    db.ask(Freshness::Primary, bind!(HAS_ANY, brand), |rows| Ok(!rows.is_empty()))
}

/// What a list of orders is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only of these deals.
    pub deals: Option<Vec<DealId>>,
    /// Only of this store.
    pub store: Option<StoreId>,
    /// Placed at or after.
    pub from_ms: Millis,
    /// Placed before.
    pub to_ms: Millis,
}

/// A page of orders, latest first. The page's key is `<placed_at_ms>/<id>`.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    filter: &Filter,
    page: &Page,
) -> Reading<'a, Vec<OrderRow>> {
    let (before_ms, before_id) = match page.after.split_once('/') {
        Some((ms, id)) => (ms.parse::<i64>().unwrap_or(0), id.to_owned()),
        None => (filter.to_ms, String::new()),
    };
    // SQLite finds the page in the index by this, not by the pair of time and id.
    let end_ms = filter.to_ms.min(before_ms.saturating_add(1));
    let common: Vec<Param> = vec![
        brand.into(),
        filter.from_ms.into(),
        end_ms.into(),
        filter.store.into(),
        before_ms.into(),
        before_id.into(),
        page.limit.into(),
    ];
    let statement = match &filter.deals {
        None => Statement { sql: LIST.into(), params: common },
        Some(deals) => {
            let mut params = common;
            params.push(json_list(deals).into());
            Statement { sql: LIST_OF_DEALS.into(), params }
        }
    };
    db.all(statement)
}

/// The orders with these ids.
///
/// # Errors
/// [`super::DbError`].
pub fn list_by_ids<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[OrderId],
) -> Reading<'a, Vec<OrderRow>> {
    db.all(bind!(LIST_BY_IDS, brand, json_list(ids)))
}

row! {
    /// What a deal's orders come to in one currency.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DealTotals {
    /// Whose.
    pub deal_id: DealId,
    /// In which currency.
    pub currency: Currency,
    /// Orders that aren't cancelled.
    pub orders: i64,
    /// Base after refunds.
    pub base_minor: i64,
    /// Commission.
    pub commission_minor: i64,
    }
}

/// The totals of deals over days, both ends included.
#[must_use]
pub fn performance(brand: BrandId, deals: &[DealId], from: Day, to: Day) -> Statement {
    bind!(PERFORMANCE, brand, json_list(deals), from.0, to.0)
}

row! {
    /// What the orders of a creator's deals come to in one currency, over all time.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CreatorTotals {
    /// Whose.
    pub creator_id: CreatorId,
    /// In which currency.
    pub currency: Currency,
    /// Orders that aren't cancelled.
    pub orders: i64,
    /// Base after refunds.
    pub base_minor: i64,
    /// Commission.
    pub commission_minor: i64,
    }
}

/// What the deals of these creators brought in all.
///
/// # Errors
/// [`super::DbError`].
pub fn totals_of_creators<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    creators: &[CreatorId],
) -> Reading<'a, Vec<CreatorTotals>> {
    db.all(bind!(TOTALS_OF_CREATORS, brand, json_list(creators)))
}

/// The same statement without its guard: for the known-bad build only.
#[cfg(feature = "canary")]
#[must_use]
pub fn unguarded(sql: &'static str) -> &'static str {
    match sql {
        INSERT => UNGUARDED_INSERT,
        UPDATE_IN_PLACE => UNGUARDED_UPDATE_IN_PLACE,
        other => other,
    }
}

#[cfg(feature = "canary")]
const UNGUARDED_INSERT: &str = "
INSERT OR REPLACE INTO orders (brand_id, id, store_id, external_id, name, placed_at_ms, placed_day,
  state, currency, base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision,
  decided_from, postings, changed_at_ms, seen, revision)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, 1)";

#[cfg(feature = "canary")]
const UNGUARDED_UPDATE_IN_PLACE: &str = "
UPDATE orders SET state = ?3, base_minor = ?4, commission_minor = ?5,
  available_day = ?6, facts = ?7, decision = ?8, postings = ?9, changed_at_ms = ?10,
  revision = ?11 + 1
WHERE brand_id = ?1 AND id = ?2";
