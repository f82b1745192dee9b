//! Who is owed what: everybody's balances in one currency, a row per creator; what the books say of one
//! payment; whom to ask for a second approval.

use super::{Database, Reading, bind, row, statements};
use crate::domain::ids::{BrandId, CreatorId, MemberId, PayoutId, PayoutLineId};
use crate::domain::ledger::Account;
use crate::domain::money::Currency;
use crate::domain::time::{Day, Millis};

statements! {
    /// ?3 today. What is due by today counts as free, whether or not it was released yet, as
    /// `Balances::of` counts it.
    OWED = "
SELECT b.creator_id, c.name,
  sum(iif(b.account = 'pending' AND b.day > ?3, 0, b.amount_minor)) AS free_minor,
  sum(iif(b.account = 'pending' AND b.day > ?3, b.amount_minor, 0)) AS pending_minor,
  min(iif(b.account = 'pending' AND b.day > ?3 AND b.amount_minor <> 0, b.day, NULL)) AS first_day,
  max(iif(b.account = 'pending' AND b.day > ?3 AND b.amount_minor <> 0, b.day, NULL)) AS last_day,
  (SELECT d.usable_at_ms FROM payment_details d WHERE d.brand_id = b.brand_id
    AND d.creator_id = b.creator_id) AS usable_at_ms
FROM balances b JOIN creators c ON c.brand_id = b.brand_id AND c.id = b.creator_id
WHERE b.brand_id = ?1 AND b.currency = ?2 AND b.account IN ('pending', 'available', 'clawback')
GROUP BY b.creator_id HAVING free_minor <> 0 OR pending_minor <> 0";

    /// Entries about a payment name its line, whichever try.
    OF_LINE = "
SELECT e.sequence, e.account, e.currency, e.amount_minor, e.cause, e.posted_at_ms
FROM entries e WHERE e.brand_id = ?1 AND e.creator_id = (SELECT l.creator_id FROM payout_lines l
    WHERE l.brand_id = ?1 AND l.payout_id = ?2 AND l.id = ?3)
  AND e.cause IN ('payout', 'settlement') AND e.cause_id = ?3 ORDER BY e.sequence LIMIT 200";

    /// What the lines of payouts come to. ?2 a JSON list of ids.
    TOTALS = "
SELECT payout_id, sum(amount_minor) AS amount_minor, count(*) AS lines,
  sum(state = 'settled') AS settled, sum(state = 'failed') AS failed FROM payout_lines
WHERE brand_id = ?1 AND payout_id IN (SELECT value FROM json_each(?2)) GROUP BY payout_id";

    /// Members who may approve, and who they are outside.
    APPROVERS = "
SELECT id, email FROM members WHERE brand_id = ?1 AND person_id IS NOT NULL AND role <> 'viewer'
  AND id <> ?2 ORDER BY id LIMIT 20";
}

row! {
    /// What somebody is owed in one currency.
    pub struct OwedRow {
        /// Who.
        pub creator_id: CreatorId,
        /// Her name.
        pub name: String,
        /// What could be paid today; negative if she owes something back.
        pub free_minor: i64,
        /// What becomes available later.
        pub pending_minor: i64,
        /// When the first of it does.
        pub first_day: Option<Day>,
        /// When the last of it does.
        pub last_day: Option<Day>,
        /// From when on her payment details are used, if there are any.
        pub usable_at_ms: Option<Millis>,
    }
    /// One entry about a payment.
    pub struct LineEntryRow {
        /// Where it stands in the ledger.
        pub sequence: i64,
        /// On which account.
        pub account: Account,
        /// In which currency.
        pub currency: Currency,
        /// How much, signed.
        pub amount_minor: i64,
        /// `payout`: it left, or came back; `settlement`: what became of it.
        pub cause: String,
        /// When.
        pub posted_at_ms: Millis,
    }
    /// What the lines of a payout come to.
    pub struct TotalRow {
        /// Which.
        pub payout_id: PayoutId,
        /// All that it pays, or paid.
        pub amount_minor: i64,
        /// To how many.
        pub lines: i64,
        /// How many of them arrived.
        pub settled: i64,
        /// How many of them came back.
        pub failed: i64,
    }
    /// Who may approve.
    pub struct ApproverRow {
        /// As which member.
        pub id: MemberId,
        /// Her address.
        pub email: String,
    }
}

/// Who is owed what in a currency on a day.
///
/// # Errors
/// [`super::DbError`].
pub fn owed(
    db: &dyn Database,
    brand: BrandId,
    currency: Currency,
    today: Day,
) -> Reading<'_, Vec<OwedRow>> {
    db.all(bind!(OWED, brand, currency.code(), today.0))
}

/// What the books say of a payment.
///
/// # Errors
/// [`super::DbError`].
pub fn of_line(
    db: &dyn Database,
    brand: BrandId,
    payout: PayoutId,
    line: PayoutLineId,
) -> Reading<'_, Vec<LineEntryRow>> {
    db.all(bind!(OF_LINE, brand, payout, line))
}

/// What the lines of these payouts come to.
///
/// # Errors
/// [`super::DbError`].
pub fn totals<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    payouts: &[PayoutId],
) -> Reading<'a, Vec<TotalRow>> {
    db.all(bind!(TOTALS, brand, super::json_list(payouts)))
}

/// Members who may approve, without this one.
///
/// # Errors
/// [`super::DbError`].
pub fn approvers(
    db: &dyn Database,
    brand: BrandId,
    but: MemberId,
) -> Reading<'_, Vec<ApproverRow>> {
    db.all(bind!(APPROVERS, brand, but))
}
