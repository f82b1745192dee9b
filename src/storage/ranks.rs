//! The copy of per-deal totals that lists are sorted by.
//!
//! Totals are kept by triggers with the books; what sorts them has an index for each measure, which an order
//! shouldn't pay for. So the triggers only note which deals changed, and these statements bring the copy up to date.

use super::{Database, DbError, Reading, Statement, bind, json_list, statements};
use crate::domain::ids::{BrandId, DealId};

statements! {
    /// Some brands with deals whose totals changed.
    BRANDS = "SELECT DISTINCT brand_id FROM deals_to_rank LIMIT ?1";

    /// Some deals of a brand whose totals changed.
    CHANGED = "SELECT deal_id FROM deals_to_rank WHERE brand_id = ?1 ORDER BY deal_id LIMIT ?2";

    /// ?1 brand, ?2 deals.
    TAKE = "DELETE FROM deals_to_rank WHERE brand_id = ?1 AND deal_id IN (SELECT value FROM json_each(?2))";

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

/// At most `most` brands that have deals to bring up to date.
///
/// # Errors
/// [`DbError`].
pub fn brands(db: &dyn Database, most: i64) -> Reading<'_, Vec<BrandId>> {
    db.ask(super::Freshness::Primary, bind!(BRANDS, most), |rows| rows.column("brand_id"))
}

/// Brings at most `most` deals of a brand up to date; answers how many.
///
/// # Errors
/// [`DbError`].
pub async fn refresh(db: &dyn Database, brand: BrandId, most: i64) -> Result<i64, DbError> {
    let changed = bind!(CHANGED, brand, most);
    let deals: Vec<DealId> =
        db.ask(super::Freshness::Primary, changed, |rows| rows.column("deal_id")).await?;
    if !deals.is_empty() {
        db.run(of(brand, &deals)).await?;
    }
    Ok(i64::try_from(deals.len()).unwrap_or(i64::MAX))
}

fn of(brand: BrandId, deals: &[DealId]) -> Vec<Statement> {
    let list = json_list(deals);
    [TAKE, RANK, RANK_MONEY].map(|sql| bind!(sql, brand, &list)).into()
}
