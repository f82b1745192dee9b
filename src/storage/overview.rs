//! What a brand's overview is made of: two periods side by side, and what needs a hand.

use super::reports::{self, ClicksOfDay, Period};
use super::{Database, DbError, Freshness, Statement, bind, row, statements};
use crate::app::Pending;
use crate::domain::ids::BrandId;
use crate::domain::money::Currency;
use crate::domain::time::{Day, Millis};

statements! {
    /// Orders by day and currency.
    DAYS = "
SELECT t.day, t.currency, sum(t.orders) AS orders, sum(t.base_minor) AS revenue,
  sum(t.commission_minor) AS commission
FROM deals d CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = d.id AND t.day BETWEEN ?2 AND ?3
WHERE d.brand_id = ?1 GROUP BY t.day, t.currency ORDER BY t.day, t.currency";

    /// Fees and gifts in the currency ?2: before the time and day ?4 and ?7, and from then on.
    SPENT = "
SELECT coalesce(sum(fees), 0) AS fees, coalesce(sum(gifts), 0) AS gifts, coalesce(sum(fees_before), 0) AS fees_before,
  coalesce(sum(gifts_before), 0) AS gifts_before FROM (
  SELECT iif(coalesce(f.decided_at_ms, f.created_at_ms) >= ?4, f.amount_minor, 0) AS fees, 0 AS gifts,
    iif(coalesce(f.decided_at_ms, f.created_at_ms) < ?4, f.amount_minor, 0) AS fees_before, 0 AS gifts_before
  FROM fees f WHERE f.brand_id = ?1 AND f.state = 'posted' AND f.currency = ?2
    AND coalesce(f.decided_at_ms, f.created_at_ms) >= ?3 AND coalesce(f.decided_at_ms, f.created_at_ms) < ?5
  UNION ALL SELECT 0, iif(c.day >= ?7, c.product_minor + c.shipping_minor, 0), 0,
    iif(c.day < ?7, c.product_minor + c.shipping_minor, 0)
  FROM deal_costs c WHERE c.brand_id = ?1 AND c.voided_at_ms IS NULL AND c.currency = ?2
    AND c.day BETWEEN ?6 AND ?8) h";

    /// What creators have in each currency, with what each owes back taken from what she has first. ?2 today: what is
    /// due by then counts as available, whether or not it was released yet, as `GET /v1/owed` counts it.
    OWED = "
SELECT h.currency, sum(h.pending) AS pending, sum(max(h.free, 0)) AS available, sum(min(h.free, 0)) AS clawback,
  sum(h.in_payout) AS in_payout, sum(h.paid) AS paid FROM (
  SELECT b.currency, b.creator_id, sum(iif(b.account = 'pending' AND b.day > ?2, b.amount_minor, 0)) AS pending,
    sum(iif(b.account IN ('available', 'clawback') OR b.account = 'pending' AND b.day <= ?2, b.amount_minor, 0)) AS free,
    sum(iif(b.account = 'in_payout', b.amount_minor, 0)) AS in_payout,
    sum(iif(b.account = 'paid', b.amount_minor, 0)) AS paid
  FROM balances b WHERE b.brand_id = ?1 GROUP BY b.currency, b.creator_id) h GROUP BY h.currency ORDER BY h.currency";

    /// Payments that were settled from ?3 to before ?4 and from then to before ?5.
    PAID = "
SELECT coalesce(sum(iif(l.settled_at_ms >= ?4, l.amount_minor, 0)), 0) AS paid,
  coalesce(sum(iif(l.settled_at_ms < ?4, l.amount_minor, 0)), 0) AS before
FROM payout_lines l INDEXED BY payout_lines_settled CROSS JOIN payouts p ON p.brand_id = ?1 AND p.id = l.payout_id
WHERE l.brand_id = ?1 AND l.settled_at_ms >= ?3 AND l.settled_at_ms < ?5 AND l.state = 'settled' AND p.currency = ?2";

    /// What needs a hand, each counted up to 1,000. ?2 today, ?3 the first day of which it is asked whether all
    /// orders arrived, ?4 the last; ?5 since when runs of automations count.
    TO_DO = "
SELECT (SELECT count(*) FROM (SELECT 1 FROM payouts INDEXED BY payouts_draft
    WHERE brand_id = ?1 AND state = 'draft' LIMIT 1000) part) AS drafts,
  (SELECT count(*) FROM (SELECT 1 FROM payout_lines INDEXED BY payout_lines_open
    WHERE brand_id = ?1 AND state IN ('in_payout', 'failed') AND state = 'in_payout' LIMIT 1000) part) AS unpaid,
  (SELECT count(*) FROM (SELECT 1 FROM payout_lines INDEXED BY payout_lines_open
    WHERE brand_id = ?1 AND state IN ('in_payout', 'failed') AND state = 'failed' LIMIT 1000) part) AS failed_payments,
  (SELECT count(*) FROM (SELECT 1 FROM codes INDEXED BY codes_failed
    WHERE brand_id = ?1 AND state = 'failed' LIMIT 1000) part) AS failed_codes,
  (SELECT count(*) FROM (SELECT 1 FROM quarantine INDEXED BY quarantine_open
    WHERE brand_id = ?1 AND replayed_at_ms IS NULL AND body IS NOT NULL LIMIT 1000) part) AS quarantined,
  (SELECT count(*) FROM (SELECT 1 FROM follow_ups INDEXED BY follow_ups_open
    WHERE brand_id = ?1 AND done_at_ms IS NULL AND due_day < ?2 LIMIT 1000) part) AS overdue,
  (SELECT count(*) FROM (SELECT 1 FROM stores s CROSS JOIN store_days k ON k.brand_id = ?1 AND k.store_id = s.id
      AND k.day BETWEEN ?3 AND ?4 WHERE s.brand_id = ?1 AND k.known < k.platform LIMIT 1000) part) AS incomplete_days,
  (SELECT count(*) FROM (SELECT 1 FROM conversations INDEXED BY conversations_unread
    WHERE brand_id = ?1 AND unread > 0 LIMIT 1000) part) AS unread,
  (SELECT count(*) FROM (SELECT 1 FROM claims INDEXED BY claims_by_state
    WHERE brand_id = ?1 AND state = 'open' LIMIT 1000) part) AS claims,
  (SELECT count(*) FROM (SELECT 1 FROM automation_runs INDEXED BY automation_runs_failed
    WHERE brand_id = ?1 AND state = 'failed' AND ended_at_ms >= ?5 LIMIT 1000) part) AS failed_runs";
}

row! {
    /// Orders of a day in a currency.
    #[derive(Debug, Clone, Copy)]
    pub struct OrdersOfDay {
        /// Which.
        pub day: Day,
        /// In which currency.
        pub currency: Currency,
        /// How many.
        pub orders: i64,
        /// Their base after refunds.
        pub revenue: i64,
        /// Their commission.
        pub commission: i64,
    }
    /// What was spent beside commission, in a period and in the one before.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct SpentRow {
        /// Fees.
        pub fees: i64,
        /// Gifts.
        pub gifts: i64,
        /// Fees before.
        pub fees_before: i64,
        /// Gifts before.
        pub gifts_before: i64,
    }
    /// What all creators together have in an account.
    #[derive(Debug, Clone)]
    pub struct OwedRow {
        /// In which currency.
        pub currency: Currency,
        /// In the hold period.
        pub pending: i64,
        /// What could be paid today.
        pub available: i64,
        /// Owed back: negative.
        pub clawback: i64,
        /// In payouts that were approved.
        pub in_payout: i64,
        /// Ever paid.
        pub paid: i64,
    }
    /// What was paid in a period and in the one before.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct PaidRow {
        /// In the period.
        pub paid: i64,
        /// Before.
        pub before: i64,
    }
    /// What needs a hand, each counted up to 1,000.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct ToDo {
        /// Payouts that nobody has approved.
        pub drafts: i64,
        /// Payments that were approved and aren't settled.
        pub unpaid: i64,
        /// Payments that failed.
        pub failed_payments: i64,
        /// Codes that their shops didn't make.
        pub failed_codes: i64,
        /// Deliveries in quarantine that can be replayed.
        pub quarantined: i64,
        /// Follow-ups whose day has passed.
        pub overdue: i64,
        /// Days of stores of which orders are missing.
        pub incomplete_days: i64,
        /// Conversations with replies that nobody has read.
        pub unread: i64,
        /// Claims that wait.
        pub claims: i64,
        /// Runs of automations that failed lately.
        pub failed_runs: i64,
    }
}

/// A period in which orders are compared with those before.
#[derive(Debug, Clone, Copy)]
pub struct TwoPeriods {
    /// The one before.
    pub before: Period,
    /// The one that it is about.
    pub period: Period,
}

/// What an overview is made of.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Orders by day and currency, of both periods.
    pub days: Vec<OrdersOfDay>,
    /// Clicks by day, of both.
    pub clicks: Vec<ClicksOfDay>,
    /// Fees and gifts.
    pub spent: SpentRow,
    /// What creators have now.
    pub owed: Vec<OwedRow>,
    /// What was paid.
    pub paid: PaidRow,
    /// What needs a hand.
    pub to_do: ToDo,
}

/// What an overview is made of. `asked`: the days of which it is asked whether all orders arrived, and the time
/// since which failed runs of automations count.
///
/// # Errors
/// [`DbError`].
pub fn overview<'a>(
    db: &'a dyn Database,
    (brand, currency): (BrandId, Currency),
    periods: &TwoPeriods,
    today: Day,
    asked: (Day, Day, Millis),
) -> Pending<'a, Result<Overview, DbError>> {
    let TwoPeriods { before, period } = *periods;
    let code = currency.code();
    let batch: Vec<Statement> = vec![
        bind!(DAYS, brand, before.from.0, period.to.0),
        reports::clicks(brand, (before.from, period.to), None, None),
        bind!(
            SPENT,
            brand,
            code,
            before.from_ms,
            period.from_ms,
            period.to_ms,
            before.from.0,
            period.from.0,
            period.to.0
        ),
        bind!(OWED, brand, today.0),
        bind!(PAID, brand, code, before.from_ms, period.from_ms, period.to_ms),
        bind!(TO_DO, brand, today.0, asked.0.0, asked.1.0, asked.2),
    ];
    let running = db.run_on(Freshness::Nearest, batch);
    Box::pin(async move {
        let mut results = running.await?.into_iter();
        let mut next = || results.next().unwrap_or_default();
        Ok(Overview {
            days: next().all()?,
            clicks: next().all()?,
            spent: next().first()?.unwrap_or_default(),
            owed: next().all()?,
            paid: next().first()?.unwrap_or_default(),
            to_do: next().first()?.unwrap_or_default(),
        })
    })
}
