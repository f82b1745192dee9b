//! Past orders, as a simulation reads them.

use super::kept::kept;
use super::order_facts::{self, Named, Remembered};
use super::{Database, DbError, Freshness, Reading, bind, row, statements};
use crate::domain::attribution::Decision;
use crate::domain::ids::{BrandId, CampaignId, CreatorId, DealId, OrderId};
use crate::domain::simulation::Past;
use crate::domain::time::Millis;

statements! {
    /// ?1 brand, ?2 from, ?3 to (exclusive), ?4 after time, ?5 after id, ?6 limit. Orders may be large:
    /// of a page only the first megabyte and what it ends in.
    PAGE = "
SELECT id, placed_at_ms, commission_minor, facts, decision FROM (
  SELECT o.id, o.placed_at_ms, o.commission_minor, o.facts, o.decision, length(o.facts) AS size,
    sum(length(o.facts)) OVER (ORDER BY o.placed_at_ms, o.id) AS so_far
  FROM orders o WHERE o.brand_id = ?1 AND o.placed_at_ms >= ?2 AND o.placed_at_ms < ?3
    AND (o.placed_at_ms, o.id) > (CAST(?4 AS INTEGER), ?5)
  ORDER BY o.placed_at_ms, o.id LIMIT ?6) part
WHERE so_far - size < 1000000 ORDER BY placed_at_ms, id";

    /// The deals of a campaign, and of creators; ?2 or ?3 (a list) may be NULL.
    DEALS = "
SELECT id FROM deals WHERE brand_id = ?1 AND (?2 IS NULL OR campaign_id = ?2)
  AND (?3 IS NULL OR creator_id IN (SELECT value FROM json_each(?3))) ORDER BY id";
}

/// So many orders are read at once.
const AT_ONCE: i64 = 500;

row! {
    struct PastRow {
        id: OrderId,
        placed_at_ms: Millis,
        commission_minor: i64,
        facts: String,
        decision: Option<String>,
    }
}

/// A page of past orders.
pub struct Page {
    /// Those that were decided, in the order in which they were placed.
    pub orders: Vec<Past>,
    /// How many were read.
    pub read: usize,
    /// The last one, after which the next page begins; `None` if there is none.
    pub last: Option<(Millis, OrderId)>,
}

/// A page of the orders placed in a period.
///
/// # Errors
/// [`DbError`]; facts of another form.
pub async fn page(
    db: &dyn Database,
    brand: BrandId,
    (from_ms, to_ms): (Millis, Millis),
    after: Option<(Millis, OrderId)>,
) -> Result<Page, DbError> {
    let (at_ms, id) = after.map_or((-1, String::new()), |(at_ms, id)| (at_ms, id.to_string()));
    // SQLite finds the place in the index by this alone: with the first day of all it would walk over
    // everything before the page, each time.
    let begin_ms = from_ms.max(at_ms);
    let rows = db
        .run_on(Freshness::Nearest, vec![bind!(PAGE, brand, begin_ms, to_ms, at_ms, id, AT_ONCE)]);
    let rows: Vec<PastRow> = rows.await?.pop().unwrap_or_default().all()?;
    let (read, last) = (rows.len(), rows.last().map(|row| (row.placed_at_ms, row.id)));
    let mut orders = Vec::with_capacity(read);
    for row in rows {
        let Some(decision) = row.decision.as_deref() else { continue };
        let decision: Decision = kept(decision)?;
        let commission_minor = row.commission_minor;
        orders.push(Past { facts: kept(&row.facts)?, decision, commission_minor });
    }
    Ok(Page { orders, read, last })
}

/// What the evidence of these names, as it is now; `None` if the brand is gone.
///
/// # Errors
/// [`DbError`].
pub async fn known(
    db: &dyn Database,
    brand: BrandId,
    named: &[Named],
) -> Result<Option<Remembered>, DbError> {
    let rows = db.run_on(Freshness::Nearest, vec![order_facts::load_all(brand, named)]).await?;
    rows.first().map_or(Ok(None), |rows| order_facts::remembered(rows, named))
}

/// The deals of a campaign and of creators, as far as each is asked for.
///
/// # Errors
/// [`DbError`].
pub fn deals<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    campaign: Option<CampaignId>,
    creators: Option<&[CreatorId]>,
) -> Reading<'a, Vec<DealId>> {
    let statement = bind!(DEALS, brand, campaign, creators.map(super::json_list));
    db.ask(Freshness::Primary, statement, |rows| rows.column("id"))
}
