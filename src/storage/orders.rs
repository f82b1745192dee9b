//! Orders: loading what a decision needs, committing it, and listing.
//!
//! Load is one statement, commit one batch of at most four: two calls of D1 for an attributed
//! order, one for a repeat.

use serde_json::json;

use super::{
    Database, DbError, Freshness, Page, Param, Reading, Rows, Statement, bind, json_list, row,
    statements,
};
use crate::domain::attribution::{Decision, Known, KnownCode, KnownLink, code_key};
use crate::domain::brand::{AttributionRules, EarningRules};
use crate::domain::click::ClickKeys;
use crate::domain::ids::{BrandId, CreatorId, DealId, OrderId, StoreId};
use crate::domain::ingest::{Change, Loaded, Standing, StoredOrder};
use crate::domain::ledger::Holdings;
use crate::domain::money::Currency;
use crate::domain::order::{Delivery, Evidence, Facts, Report, order_id};
use crate::domain::time::{Day, Millis, Zone, latest_meant};
use crate::storage::ledger;

statements! {
    /// ?1 brand, ?2 order, ?3 placed_at_ms, ?4 code keys, ?5 link ids, ?6 slug key. What a subquery
    /// returns is text again: only `json()` makes it part of the object around it. CROSS JOIN keeps
    /// the order of the joins: by itself SQLite walks all codes of the brand first. Compared with a
    /// bare parameter, a statement with a join or an order is planned again with every new value:
    /// hence the plus.
    LOAD = "
SELECT o.revision, o.facts, o.decision, o.deal_id, o.creator_id, o.available_day, o.currency,
  o.base_minor, o.commission_minor, o.state, o.placed_at_ms,
  b.timezone, b.hold_days, b.earn_on, b.count_test_orders,
  (SELECT json_object('window_days', window_days, 'precedence', precedence, 'clicks', clicks)
     FROM attribution_rules WHERE brand_id = +?1 AND starts_at_ms <= +?3
     ORDER BY starts_at_ms DESC LIMIT 1) AS rules,
  (SELECT json_group_array(json_object('code_key', c.code_key, 'deal', json_object(
       'deal', d.id, 'creator', d.creator_id, 'email_hash', r.email_hash,
       'closed_at_ms', d.closed_at_ms,
       'terms', json((SELECT json_object('id', t.id, 'rate', t.rate_bp) FROM terms t
          WHERE t.brand_id = +?1 AND t.deal_id = d.id AND t.starts_at_ms <= +?3
          ORDER BY t.starts_at_ms DESC, t.version DESC LIMIT 1)),
       'terms_versions', (SELECT count(*) FROM terms t WHERE t.brand_id = +?1 AND t.deal_id = d.id))))
     FROM json_each(?4) j
     CROSS JOIN codes c ON c.brand_id = +?1 AND c.code_key = j.value
     CROSS JOIN deals d ON d.brand_id = +?1 AND d.id = c.deal_id
     CROSS JOIN creators r ON r.brand_id = +?1 AND r.id = d.creator_id) AS codes,
  (SELECT json_group_array(json_object('link', l.id, 'slug_key', l.slug_key, 'deal', json_object(
       'deal', d.id, 'creator', d.creator_id, 'email_hash', r.email_hash,
       'closed_at_ms', d.closed_at_ms,
       'terms', json((SELECT json_object('id', t.id, 'rate', t.rate_bp) FROM terms t
          WHERE t.brand_id = +?1 AND t.deal_id = d.id AND t.starts_at_ms <= +?3
          ORDER BY t.starts_at_ms DESC, t.version DESC LIMIT 1)),
       'terms_versions', (SELECT count(*) FROM terms t WHERE t.brand_id = +?1 AND t.deal_id = d.id))))
     FROM (SELECT id, slug_key, deal_id FROM links
             WHERE brand_id = +?1 AND id IN (SELECT value FROM json_each(?5))
           UNION SELECT id, slug_key, deal_id FROM links WHERE brand_id = +?1 AND slug_key = +?6) l
     CROSS JOIN deals d ON d.brand_id = +?1 AND d.id = l.deal_id
     CROSS JOIN creators r ON r.brand_id = +?1 AND r.id = d.creator_id) AS links,
  (SELECT amount_minor FROM balances WHERE brand_id = +?1 AND creator_id = o.creator_id
     AND currency = o.currency AND account = 'pending' AND day = o.available_day) AS pending_minor,
  (SELECT amount_minor FROM balances WHERE brand_id = +?1 AND creator_id = o.creator_id
     AND currency = o.currency AND account = 'available' AND day = 0) AS available_minor,
  (SELECT amount_minor FROM balances WHERE brand_id = +?1 AND creator_id = o.creator_id
     AND currency = o.currency AND account = 'clawback' AND day = 0) AS clawback_minor
FROM brands b LEFT JOIN orders o ON o.brand_id = +?1 AND o.id = +?2
WHERE b.id = +?1";

    /// The terms of the deal must still be the ones that were read: else revision is NULL and the
    /// batch aborts. ?17 deal or NULL, ?18 number of versions.
    INSERT = "
INSERT INTO orders (brand_id, id, store_id, external_id, name, placed_at_ms, state, currency,
  base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision, revision)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
  iif(?17 IS NULL OR (SELECT count(*) FROM terms WHERE brand_id = ?1 AND deal_id = ?17) = ?18, ?16, NULL))";

    /// As [`INSERT`], guarded by the revision that was read: ?16.
    UPDATE = "
UPDATE orders SET name = ?5, placed_at_ms = ?6, state = ?7, currency = ?8, base_minor = ?9,
  commission_minor = ?10, deal_id = ?11, creator_id = ?12, available_day = ?13, facts = ?14,
  decision = ?15, revision = iif(revision = ?16
    AND (?17 IS NULL OR (SELECT count(*) FROM terms WHERE brand_id = ?1 AND deal_id = ?17) = ?18),
    revision + 1, NULL)
WHERE brand_id = ?1 AND id = ?2";

    /// An update that moves neither deal nor time leaves their indexes alone: one row written.
    UPDATE_IN_PLACE = "
UPDATE orders SET name = ?3, state = ?4, base_minor = ?5, commission_minor = ?6,
  available_day = ?7, facts = ?8, decision = ?9, revision = iif(revision = ?10, revision + 1, NULL)
WHERE brand_id = ?1 AND id = ?2";

    /// ?1 brand, ?2 changes. The guard of the order comes before it in the batch.
    ADD_TOTALS = "
INSERT INTO deal_days (brand_id, deal_id, day, currency, orders, base_minor, commission_minor)
SELECT ?1, json_extract(value, '$.deal'), json_extract(value, '$.day'),
  json_extract(value, '$.currency'), json_extract(value, '$.orders'),
  json_extract(value, '$.base'), json_extract(value, '$.commission')
FROM json_each(?2) WHERE true
ON CONFLICT (brand_id, deal_id, day, currency) DO UPDATE SET orders = orders + excluded.orders,
  base_minor = base_minor + excluded.base_minor,
  commission_minor = commission_minor + excluded.commission_minor";

    /// The same where a total falls: a new row could not hold it, an old one can.
    SUBTRACT_TOTALS = "
UPDATE deal_days SET orders = orders + json_extract(?2, '$.orders'),
  base_minor = base_minor + json_extract(?2, '$.base'),
  commission_minor = commission_minor + json_extract(?2, '$.commission')
WHERE brand_id = ?1 AND deal_id = json_extract(?2, '$.deal') AND day = json_extract(?2, '$.day')
  AND currency = json_extract(?2, '$.currency')";

    FIND = "
SELECT id, store_id, external_id, name, placed_at_ms, state, currency, base_minor,
  commission_minor, deal_id, decision FROM orders WHERE brand_id = ?1 AND id = ?2";

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

    HAS_ANY = "SELECT 1 AS found FROM orders WHERE brand_id = ?1 LIMIT 1";

    /// ?1 brand, ?2 deals, ?3 first day, ?4 last day.
    PERFORMANCE = "
SELECT t.deal_id, t.currency, sum(t.orders) AS orders, sum(t.base_minor) AS base_minor,
  sum(t.commission_minor) AS commission_minor
FROM json_each(?2) j CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = j.value
WHERE t.day BETWEEN ?3 AND ?4 GROUP BY t.deal_id, t.currency ORDER BY t.deal_id, t.currency";
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
        /// The decision as JSON; only [`find`] reads it.
        pub decision: Option<String>,
    }
}

impl OrderRow {
    /// The decision, if it was read and made.
    ///
    /// # Errors
    /// [`DbError::Failed`] if it doesn't parse.
    pub fn decision(&self) -> Result<Option<Decision>, DbError> {
        parse_json(self.decision.as_deref())
    }
}

row! {
    struct LoadedRow {
        revision: Option<i64>,
        facts: Option<String>,
        decision: Option<String>,
        deal_id: Option<DealId>,
        creator_id: Option<CreatorId>,
        available_day: Option<i64>,
        currency: Option<Currency>,
        base_minor: Option<i64>,
        commission_minor: Option<i64>,
        state: Option<String>,
        placed_at_ms: Option<Millis>,
        timezone: String,
        hold_days: u16,
        earn_on: crate::domain::brand::EarnOn,
        count_test_orders: i64,
        rules: Option<String>,
        codes: Option<String>,
        links: Option<String>,
        pending_minor: Option<i64>,
        available_minor: Option<i64>,
        clawback_minor: Option<i64>,
    }
}

fn parse_json<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, DbError> {
    text.map(serde_json::from_str)
        .transpose()
        .map_err(|e| DbError::Failed(format!("stored JSON: {e}")))
}

/// The statement that loads everything the decision about `delivery` depends on.
#[must_use]
pub fn load(brand: BrandId, store: StoreId, delivery: &Delivery, keys: &ClickKeys) -> Statement {
    let none = Evidence::default();
    let (evidence, placed_at_ms) = match &delivery.report {
        Report::Snapshot(snapshot, _) => (&snapshot.evidence, latest_meant(snapshot.placed_at_ms)),
        _ => (&none, 0),
    };
    let codes: Vec<_> =
        evidence.codes.iter().filter(|c| c.is_code).map(|c| code_key(&c.code)).collect();
    let links: Vec<_> =
        evidence.clicks.iter().filter_map(|t| keys.verify(t)).map(|c| c.link).collect();
    let slug = evidence.bare_ref.as_ref().map(|slug| slug.to_ascii_lowercase());
    bind!(
        LOAD,
        brand,
        order_id(store, &delivery.external_id),
        placed_at_ms,
        json_list(&codes),
        json_list(&links),
        slug,
    )
}

/// What [`load`] found; `None` if the brand is gone.
///
/// # Errors
/// [`DbError::Failed`] if a row doesn't have the form that the code expects.
pub fn loaded(rows: &Rows) -> Result<Option<Loaded>, DbError> {
    let Some(row) = rows.first::<LoadedRow>()? else { return Ok(None) };
    let zone = Zone::named(&row.timezone).unwrap_or_else(Zone::utc);
    let known = Known {
        codes: parse_json::<Vec<KnownCode>>(row.codes.as_deref())?.unwrap_or_default(),
        links: parse_json::<Vec<KnownLink>>(row.links.as_deref())?.unwrap_or_default(),
    };
    let rules: AttributionRules = parse_json(row.rules.as_deref())?.unwrap_or_default();
    let earning = EarningRules {
        earn_on: row.earn_on,
        count_test_orders: row.count_test_orders != 0,
        hold_days: row.hold_days,
    };
    let holdings = Holdings {
        pending_minor: row.pending_minor.unwrap_or(0),
        available_minor: row.available_minor.unwrap_or(0),
        clawback_minor: row.clawback_minor.unwrap_or(0),
    };
    let order = stored_order(&row, &zone)?;
    Ok(Some(Loaded { order, rules, earning, zone, known, holdings }))
}

fn stored_order(row: &LoadedRow, zone: &Zone) -> Result<Option<StoredOrder>, DbError> {
    let (Some(revision), Some(facts)) = (row.revision, row.facts.as_deref()) else {
        return Ok(None);
    };
    let facts: Facts = parse_json(Some(facts))?.unwrap_or_default();
    let standing = match (row.deal_id, row.creator_id, row.currency, row.placed_at_ms) {
        (Some(deal), Some(creator), Some(currency), Some(placed)) => Some(Standing {
            deal,
            creator,
            available_day: Day(row.available_day.unwrap_or(0)),
            currency,
            base_minor: row.base_minor.unwrap_or(0),
            commission_minor: row.commission_minor.unwrap_or(0),
            placed_day: zone.day(placed),
            counts: row.state.as_deref() != Some("cancelled"),
        }),
        _ => None,
    };
    Ok(Some(StoredOrder {
        revision,
        facts,
        decision: parse_json(row.decision.as_deref())?,
        standing,
    }))
}

/// The batch that commits a change: the guarded order first, then postings and totals.
///
/// # Errors
/// [`DbError::Failed`] if a part can't be written as JSON.
pub fn commit(
    brand: BrandId,
    change: &Change,
    before: Option<&StoredOrder>,
    now_ms: Millis,
) -> Result<Vec<Statement>, DbError> {
    let to_json = |e: serde_json::Error| DbError::Failed(format!("JSON: {e}"));
    let facts = serde_json::to_string(&change.facts).map_err(to_json)?;
    let decision =
        change.decision.as_ref().map(serde_json::to_string).transpose().map_err(to_json)?;
    let mut batch = vec![order_statement(brand, change, before, facts, decision)];
    if !change.transactions.is_empty() {
        batch.push(ledger::post(brand, &change.transactions, now_ms));
    }
    for total in &change.totals {
        let json = json!({
            "deal": total.deal, "day": total.day, "currency": total.currency,
            "orders": total.orders, "base": total.base_minor, "commission": total.commission_minor,
        });
        let falls = total.orders < 0 || total.base_minor < 0 || total.commission_minor < 0;
        batch.push(if falls {
            bind!(SUBTRACT_TOTALS, brand, json.to_string())
        } else {
            bind!(ADD_TOTALS, brand, json!([json]).to_string())
        });
    }
    Ok(batch)
}

fn order_statement(
    brand: BrandId,
    change: &Change,
    before: Option<&StoredOrder>,
    facts: String,
    decision: Option<String>,
) -> Statement {
    let standing = change.standing;
    let commission = standing.map_or(0, |s| s.commission_minor);
    let day = standing.map(|s| s.available_day.0);
    let deal = standing.map(|s| s.deal);
    if let (Some(revision), Some(before)) = (change.from_revision, before) {
        let placed = before.facts.snapshot.as_ref().map(|s| s.placed_at_ms);
        let currency = before.facts.snapshot.as_ref().map(|s| s.currency);
        let in_place = placed == change.placed_at_ms
            && currency == change.currency
            && before.standing.map(|s| s.deal) == deal
            && change.terms_seen.is_none();
        if in_place {
            return bind!(
                UPDATE_IN_PLACE,
                brand,
                change.id,
                &change.name,
                change.state.as_str(),
                change.base_minor,
                commission,
                day,
                facts,
                decision,
                revision,
            );
        }
    }
    bind!(
        if change.from_revision.is_some() { UPDATE } else { INSERT },
        brand,
        change.id,
        change.store,
        &change.external_id,
        &change.name,
        change.placed_at_ms,
        change.state.as_str(),
        change.currency.map(Currency::code),
        change.base_minor,
        commission,
        deal,
        standing.map(|s| s.creator),
        day,
        facts,
        decision,
        change.from_revision.unwrap_or(1),
        change.terms_seen.map(|(deal, _)| deal),
        change.terms_seen.map(|(_, versions)| versions),
    )
}

/// One order with its decision.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: OrderId) -> Reading<'_, Option<OrderRow>> {
    db.first(bind!(FIND, brand, id))
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
    let common: Vec<Param> = vec![
        brand.into(),
        filter.from_ms.into(),
        filter.to_ms.into(),
        filter.store.into(),
        before_ms.into(),
        before_id.into(),
        page.limit.into(),
    ];
    let statement = match &filter.deals {
        None => Statement { sql: LIST, params: common },
        Some(deals) => {
            let mut params = common;
            params.push(json_list(deals).into());
            Statement { sql: LIST_OF_DEALS, params }
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
INSERT OR REPLACE INTO orders (brand_id, id, store_id, external_id, name, placed_at_ms, state,
  currency, base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision,
  revision)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
  iif(?17 IS NULL OR (SELECT count(*) FROM terms WHERE brand_id = ?1 AND deal_id = ?17) = ?18, ?16, NULL))";

#[cfg(feature = "canary")]
const UNGUARDED_UPDATE_IN_PLACE: &str = "
UPDATE orders SET name = ?3, state = ?4, base_minor = ?5, commission_minor = ?6,
  available_day = ?7, facts = ?8, decision = ?9, revision = ?10 + 1
WHERE brand_id = ?1 AND id = ?2";
