//! What deals come to over all time and per month (`deal_totals`), and the copy of it that lists are sorted by.
//!
//! An order pays for neither: the entries that it posts say that its deal changed, and what comes without entries
//! leaves a row in `totals_to_tell`. These statements add those months up anew from `deal_days` and `click_days`,
//! every minute and before a list is read; how often and by whom at once makes no difference.

use super::{Database, DbError, Freshness, Reading, Statement, bind, json_list, row, statements};
use crate::domain::filter::Month;
use crate::domain::ids::{BrandId, DealId};
use crate::domain::json::{json, list_of};

statements! {
    /// Some brands in which something changed.
    BRANDS = "
SELECT b.id FROM brands b WHERE EXISTS (SELECT 1 FROM totals_to_tell t WHERE t.brand_id = b.id)
  OR coalesce((SELECT max(e.sequence) FROM entries e WHERE e.brand_id = b.id), 0)
    > coalesce((SELECT t.sequence FROM totals_told t WHERE t.brand_id = b.id), 0) LIMIT ?1";

    /// How far the entries go, and how far they were looked through.
    AHEAD = "
SELECT coalesce((SELECT max(sequence) FROM entries WHERE brand_id = ?1), 0) AS head,
  coalesce((SELECT sequence FROM totals_told WHERE brand_id = ?1), 0) AS told";

    /// The months of deals whose orders posted one of the next ?2 entries. Each transaction has one of the brand's.
    NOTE = "
INSERT INTO totals_to_tell (brand_id, deal_id, period)
SELECT DISTINCT ?1, o.deal_id, CAST(strftime('%Y', o.placed_day * 86400, 'unixepoch') AS INTEGER) * 12
  + CAST(strftime('%m', o.placed_day * 86400, 'unixepoch') AS INTEGER) - 1
FROM (SELECT coalesce((SELECT sequence FROM totals_told WHERE brand_id = ?1), 0) AS told) h
CROSS JOIN entries e ON e.brand_id = ?1 AND e.sequence > h.told AND e.sequence <= h.told + CAST(?2 AS INTEGER)
CROSS JOIN orders o ON o.brand_id = ?1 AND o.id = e.cause_id
WHERE e.cause = 'order' AND e.account = 'commission' AND o.deal_id IS NOT NULL ON CONFLICT DO NOTHING";

    /// They were looked through.
    FOLLOW = "
INSERT INTO totals_told (brand_id, sequence)
SELECT ?1, min(h.head, h.told + CAST(?2 AS INTEGER)) FROM (
  SELECT coalesce((SELECT max(sequence) FROM entries WHERE brand_id = ?1), 0) AS head,
    coalesce((SELECT sequence FROM totals_told WHERE brand_id = ?1), 0) AS told) h
WHERE h.head > h.told ON CONFLICT (brand_id) DO UPDATE SET sequence = excluded.sequence";

    CHANGED = "
SELECT deal_id, period FROM totals_to_tell WHERE brand_id = ?1 ORDER BY deal_id, period LIMIT ?2";

    /// ?2 months of deals: deal, month, its first and last day.
    TAKE = "
DELETE FROM totals_to_tell WHERE brand_id = ?1
  AND (deal_id, period) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))";

    ADD_UP = "
INSERT INTO deal_totals (brand_id, deal_id, period, currency, orders, base_minor, commission_minor, clicks, uniques)
SELECT ?1, h.deal_id, h.period, h.currency, sum(h.orders), sum(h.base), sum(h.commission), sum(h.clicks), sum(h.uniques)
FROM (
  SELECT j.value ->> 0 AS deal_id, j.value ->> 1 AS period, t.currency AS currency, t.orders AS orders,
    t.base_minor AS base, t.commission_minor AS commission, 0 AS clicks, 0 AS uniques
  FROM json_each(?2) j CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = j.value ->> 0
    AND t.day >= j.value ->> 2 AND t.day <= j.value ->> 3
  UNION ALL
  SELECT j.value ->> 0, j.value ->> 1, (SELECT currency FROM brands WHERE id = ?1), 0, 0, 0, t.total, t.uniques
  FROM json_each(?2) j CROSS JOIN links l INDEXED BY links_by_deal ON l.brand_id = ?1 AND l.deal_id = j.value ->> 0
    CROSS JOIN click_days t ON t.brand_id = ?1 AND t.link_id = l.id
    AND t.day >= j.value ->> 2 AND t.day <= j.value ->> 3
) h
GROUP BY h.deal_id, h.period, h.currency
ON CONFLICT (brand_id, deal_id, period, currency) DO UPDATE SET orders = excluded.orders,
  base_minor = excluded.base_minor, commission_minor = excluded.commission_minor, clicks = excluded.clicks,
  uniques = excluded.uniques
WHERE (excluded.orders, excluded.base_minor, excluded.commission_minor, excluded.clicks, excluded.uniques)
  <> (orders, base_minor, commission_minor, clicks, uniques)";

    /// All time: ?2 deals.
    ALL_TIME = "
INSERT INTO deal_totals (brand_id, deal_id, period, currency, orders, base_minor, commission_minor, clicks, uniques,
  last_day)
SELECT ?1, j.value, 0, t.currency, sum(t.orders), sum(t.base_minor), sum(t.commission_minor), sum(t.clicks),
  sum(t.uniques), coalesce((SELECT d.day FROM deal_days d WHERE d.brand_id = ?1 AND d.deal_id = j.value
    AND d.currency = t.currency AND d.orders > 0 ORDER BY d.day DESC LIMIT 1), 0)
FROM json_each(?2) j CROSS JOIN deal_totals t ON t.brand_id = ?1 AND t.deal_id = j.value AND t.period > 0
GROUP BY j.value, t.currency
ON CONFLICT (brand_id, deal_id, period, currency) DO UPDATE SET orders = excluded.orders,
  base_minor = excluded.base_minor, commission_minor = excluded.commission_minor, clicks = excluded.clicks,
  uniques = excluded.uniques, last_day = excluded.last_day
WHERE (excluded.orders, excluded.base_minor, excluded.commission_minor, excluded.clicks, excluded.uniques,
  excluded.last_day) <> (orders, base_minor, commission_minor, clicks, uniques, last_day)";

    RANK = "
INSERT INTO deal_ranks (brand_id, period, deal_id, orders, clicks, conversion, idle)
SELECT ?1, t.period, t.deal_id, sum(t.orders), sum(t.clicks),
  iif(sum(t.uniques) > 0, sum(t.orders) * 100 * 1000000 / max(1, sum(t.uniques)), -1), -max(t.last_day)
FROM json_each(?2) j CROSS JOIN deal_totals t ON t.brand_id = ?1 AND t.deal_id = j.value
GROUP BY t.deal_id, t.period
ON CONFLICT (brand_id, period, deal_id) DO UPDATE SET orders = excluded.orders, clicks = excluded.clicks,
  conversion = excluded.conversion, idle = excluded.idle
WHERE (excluded.orders, excluded.clicks, excluded.conversion, excluded.idle) <> (orders, clicks, conversion, idle)";

    RANK_MONEY = "
INSERT INTO deal_money_ranks (brand_id, period, currency, deal_id, base_minor, commission_minor, per_commission)
SELECT ?1, t.period, t.currency, t.deal_id, t.base_minor, t.commission_minor,
  iif(t.commission_minor > 0, CAST(t.base_minor * 1000000 / max(1, t.commission_minor) AS INTEGER), -1)
FROM json_each(?2) j CROSS JOIN deal_totals t ON t.brand_id = ?1 AND t.deal_id = j.value
WHERE true ON CONFLICT (brand_id, period, currency, deal_id) DO UPDATE SET base_minor = excluded.base_minor,
  commission_minor = excluded.commission_minor, per_commission = excluded.per_commission
WHERE (excluded.base_minor, excluded.commission_minor, excluded.per_commission)
  <> (base_minor, commission_minor, per_commission)";
}

/// So many entries are looked through in one batch,
const ENTRIES: i64 = 5000;
/// so many months added up in one,
const MONTHS: i64 = 200;
/// and so many batches are run for whoever needs them all.
const ROUNDS: usize = 40;

row! {
    struct Ahead {
        head: i64,
        told: i64,
    }
}

row! {
    struct Changed {
        deal_id: DealId,
        period: i64,
    }
}

/// At most `most` brands in which something changed.
///
/// # Errors
/// [`DbError`].
pub fn brands(db: &dyn Database, most: i64) -> Reading<'_, Vec<BrandId>> {
    db.ask(Freshness::Primary, bind!(BRANDS, most), |rows| rows.column("id"))
}

/// Brings at most `most` months of a brand's deals up to date; answers how many. Once it answers fewer, everything
/// is that was committed before it was called.
///
/// # Errors
/// [`DbError`].
pub async fn refresh(db: &dyn Database, brand: BrandId, most: i64) -> Result<i64, DbError> {
    let ahead: Option<Ahead> = db.first(bind!(AHEAD, brand)).await?;
    let mut ahead = ahead.map_or(0, |ahead| ahead.head - ahead.told);
    while ahead > 0 {
        db.run(note(brand, ENTRIES).into()).await?;
        ahead -= ENTRIES;
    }
    let changed: Vec<Changed> = db.all(bind!(CHANGED, brand, most)).await?;
    if !changed.is_empty() {
        db.run(tell(brand, &changed)).await?;
    }
    Ok(i64::try_from(changed.len()).unwrap_or(i64::MAX))
}

/// Notes the deals that the next `most` entries are about.
#[must_use]
pub fn note(brand: BrandId, most: i64) -> [Statement; 2] {
    [bind!(NOTE, brand, most), bind!(FOLLOW, brand, most)]
}

/// Brings all of a brand's deals up to date, but for what would take more than a request may ask for.
///
/// # Errors
/// [`DbError`].
pub async fn catch_up(db: &dyn Database, brand: BrandId) -> Result<(), DbError> {
    for _ in 0..ROUNDS {
        if refresh(db, brand, MONTHS).await? < MONTHS {
            break;
        }
    }
    Ok(())
}

/// One batch: what is taken off the list is added up from what stands at that moment.
fn tell(brand: BrandId, changed: &[Changed]) -> Vec<Statement> {
    let months = changed.iter().map(|one| {
        let month = Month(one.period);
        json!([one.deal_id, one.period, month.first().0, month.last().0])
    });
    let months = list_of(&months.collect::<Vec<_>>());
    let mut deals: Vec<DealId> = changed.iter().map(|one| one.deal_id).collect();
    deals.dedup();
    let deals = json_list(&deals);
    let mut batch: Vec<Statement> =
        [TAKE, ADD_UP].map(|sql| bind!(sql, brand, &months)).into_iter().collect();
    batch.extend([ALL_TIME, RANK, RANK_MONEY].map(|sql| bind!(sql, brand, &deals)));
    batch
}
