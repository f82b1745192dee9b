//! Daily click totals in D1, as the counter objects push them.

use super::click_counter::DayTotals;
use super::{Statement, bind, json_list, statements};
use crate::domain::ids::{BrandId, DealId};
use crate::domain::time::Day;

statements! {
    /// ?1 rows. Totals only grow, so that a push that arrives late changes nothing.
    PUSH = "
INSERT INTO click_days (brand_id, link_id, day, shard, deal_id, total, uniques, bot, prefetch, head)
SELECT json_extract(value, '$.brand_id'), json_extract(value, '$.link_id'),
  json_extract(value, '$.day'), json_extract(value, '$.shard'),
  json_extract(value, '$.deal_id'), json_extract(value, '$.total'),
  min(json_extract(value, '$.uniques'), json_extract(value, '$.total')),
  json_extract(value, '$.bot'), json_extract(value, '$.prefetch'), json_extract(value, '$.head')
FROM json_each(?1) WHERE true
ON CONFLICT (brand_id, link_id, day, shard) DO UPDATE SET total = excluded.total,
  uniques = excluded.uniques, bot = excluded.bot, prefetch = excluded.prefetch,
  head = excluded.head
WHERE excluded.total >= total AND excluded.bot >= bot AND excluded.prefetch >= prefetch
  AND excluded.head >= head AND (excluded.total, excluded.uniques, excluded.bot, excluded.prefetch, excluded.head)
    <> (total, uniques, bot, prefetch, head)";

    /// ?1 brand, ?2 deals, ?3 first day, ?4 last day.
    OF_DEALS = "
SELECT c.brand_id, c.link_id, c.deal_id, c.day, c.shard, c.total, c.uniques, c.bot, c.prefetch,
  c.head
FROM json_each(?2) j
CROSS JOIN links l INDEXED BY links_by_deal ON l.brand_id = ?1 AND l.deal_id = j.value
CROSS JOIN click_days c ON c.brand_id = ?1 AND c.link_id = l.id AND c.day BETWEEN ?3 AND ?4";
}

/// Stores totals.
#[must_use]
pub fn push(totals: &[DayTotals]) -> Statement {
    bind!(PUSH, serde_json::to_string(totals).unwrap_or_default())
}

/// The stored totals of deals' links over days, both ends included.
#[must_use]
pub fn of_deals(brand: BrandId, deals: &[DealId], from: Day, to: Day) -> Statement {
    bind!(OF_DEALS, brand, json_list(deals), from.0, to.0)
}
