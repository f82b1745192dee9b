//! What a creator's pages show of her deals and orders, beyond what the API's lists tell.

use super::kept::kept;
use super::{Database, DbError, Freshness, Reading, Statement, bind, json_list, row, statements};
use crate::domain::attribution::Decision;
use crate::domain::ids::{BrandId, CreatorId, DealId, OrderId};
use crate::domain::money::Currency;
use crate::domain::time::{Day, Millis};

statements! {
    /// ?1 brand, ?2 deals, ?3 first day, ?4 last day: by calendar month, and by currency.
    MONTHS = "
SELECT t.currency, min(t.day) AS day, sum(t.orders) AS orders, sum(t.base_minor) AS base_minor,
  sum(t.commission_minor) AS commission_minor
FROM json_each(?2) j CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = j.value
WHERE t.day BETWEEN ?3 AND ?4
GROUP BY t.currency, strftime('%Y-%m', t.day * 86400, 'unixepoch') ORDER BY t.currency, 2";

    /// ?1 brand, ?2 deal, ?3 first day, ?4 last day.
    DAYS = "
SELECT currency, day, orders, base_minor, commission_minor FROM deal_days
WHERE brand_id = ?1 AND deal_id = ?2 AND day BETWEEN ?3 AND ?4 ORDER BY day, currency";

    /// Why these orders (?2) are whose they are, and when their commission becomes available.
    WHY = "
SELECT o.id, o.available_day, o.decision FROM json_each(?2) j
CROSS JOIN orders o ON o.brand_id = ?1 AND o.id = j.value ORDER BY o.id";

    /// When anything was posted for a creator first.
    FIRST = "
SELECT posted_at_ms FROM entries INDEXED BY entries_by_creator
WHERE brand_id = ?1 AND creator_id = ?2 ORDER BY sequence LIMIT 1";
}

row! {
    /// What deals brought in a month, or on a day, in one currency.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct MonthRow {
        /// In which currency.
        pub currency: Currency,
        /// It, or a day of the month.
        pub day: Day,
        /// Orders that aren't cancelled.
        pub orders: i64,
        /// Base after refunds.
        pub base_minor: i64,
        /// Commission.
        pub commission_minor: i64,
    }
    /// Why an order is whose it is.
    pub struct WhyRow {
        /// Which order.
        pub id: OrderId,
        /// When its commission becomes available.
        pub available_day: Option<Day>,
        /// The decision as JSON.
        pub decision: Option<String>,
    }
}

impl WhyRow {
    /// The decision, if one was made.
    ///
    /// # Errors
    /// [`DbError::Failed`] if it doesn't parse.
    pub fn decision(&self) -> Result<Option<Decision>, DbError> {
        self.decision.as_deref().map(kept).transpose()
    }
}

/// What deals brought month by month, both ends included.
#[must_use]
pub fn months(brand: BrandId, deals: &[DealId], from: Day, to: Day) -> Statement {
    bind!(MONTHS, brand, json_list(deals), from.0, to.0)
}

/// What a deal brought day by day, both ends included; a day without anything has no row.
#[must_use]
pub fn days(brand: BrandId, deal: DealId, from: Day, to: Day) -> Statement {
    bind!(DAYS, brand, deal, from.0, to.0)
}

/// Why these orders are whose they are.
///
/// # Errors
/// [`DbError`].
pub fn why<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    orders: &[OrderId],
) -> Reading<'a, Vec<WhyRow>> {
    db.all(bind!(WHY, brand, json_list(orders)))
}

/// When anything was posted for a creator first, if ever.
///
/// # Errors
/// [`DbError`].
pub fn first(db: &dyn Database, brand: BrandId, creator: CreatorId) -> Reading<'_, Option<Millis>> {
    db.ask(Freshness::Primary, bind!(FIRST, brand, creator), |rows| {
        Ok(rows.column("posted_at_ms")?.pop())
    })
}
