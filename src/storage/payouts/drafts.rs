//! Drafts: what can be paid, and the payouts that are proposed of it.

use serde_json::Value;

use crate::domain::ids::{BrandId, CreatorId, PayoutId, PayoutLineId};
use crate::domain::json::{self, json};
use crate::domain::ledger::Account;
use crate::domain::money::Currency;
use crate::domain::time::{Day, Millis};
use crate::storage::{
    Database, Freshness, FromColumn, Reading, Statement, bind, json_list, row, statements,
};

statements! {
    /// What everybody has of what can be paid until day ?4, and when her details can be used. ?3: a JSON
    /// list of creators, or NULL for all.
    PAYABLE = "
SELECT b.creator_id, b.account, b.day, b.amount_minor,
  (SELECT d.usable_at_ms FROM payment_details d WHERE d.brand_id = b.brand_id
    AND d.creator_id = b.creator_id) AS usable_at_ms
FROM balances b WHERE b.brand_id = ?1 AND b.currency = ?2
  AND b.account IN ('pending', 'available', 'clawback') AND (b.account <> 'pending' OR b.day <= ?4)
  AND (?3 IS NULL OR b.creator_id IN (SELECT value FROM json_each(?3)))
ORDER BY b.creator_id, b.account, b.day";

    INSERT_PAYOUT = "
INSERT INTO payouts (brand_id, id, currency, state, revision, created_at_ms, skipped, needs_two,
  skipped_total) SELECT ?1, ?2, ?3, 'draft', 0, ?4, ?5, b.second_above_minor IS NOT NULL
  AND (b.currency <> ?3 OR b.second_above_minor < ?6), ?7 FROM brands b WHERE b.id = ?1";

    /// ?3 a JSON list of lines: id, creator, minor units.
    INSERT_LINES = "
INSERT INTO payout_lines (brand_id, payout_id, id, creator_id, amount_minor, state)
SELECT ?1, ?2, j.value ->> 0, j.value ->> 1, j.value ->> 2, 'draft' FROM json_each(?3) j";

    /// Two runs of one day: the second aborts.
    RUN = "INSERT INTO payout_runs (brand_id, due_day, drafted_at_ms) VALUES (?1, ?2, ?3)";

    RAN = "SELECT due_day FROM payout_runs WHERE brand_id = ?1 AND due_day = ?2";

    CURRENCIES = "
SELECT DISTINCT currency FROM balances WHERE brand_id = ?1 AND amount_minor > 0
  AND account IN ('pending', 'available') ORDER BY currency";
}

row! {
    /// What somebody has of what can be paid.
    pub struct PayableRow {
        /// Who.
        pub creator_id: CreatorId,
        /// On which account.
        pub account: Account,
        /// On which day, for pending amounts.
        pub day: Day,
        /// How much.
        pub amount_minor: i64,
        /// From when on her payment details can be used, if there are any.
        pub usable_at_ms: Option<Millis>,
    }
}

/// What these creators (or all) have of what can be paid in a currency until a day, by creator.
///
/// # Errors
/// [`DbError`].
pub fn payable<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    (currency, today): (Currency, Day),
    creators: Option<&[CreatorId]>,
) -> Reading<'a, Vec<PayableRow>> {
    db.all(bind!(PAYABLE, brand, currency.code(), creators.map(json_list), today.0))
}

/// One creator's part of a new payout.
#[derive(Debug, Clone, Copy)]
pub struct NewLine {
    /// Its id.
    pub id: PayoutLineId,
    /// Whose.
    pub creator: CreatorId,
    /// How much.
    pub amount_minor: i64,
}

/// Somebody who has something and isn't paid with a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Who.
    pub creator: CreatorId,
    /// Why: `no_payment_details` and so on.
    pub reason: String,
    /// What she has.
    pub available_minor: i64,
}

impl FromColumn for Skipped {
    fn from_column(value: &Value) -> Option<Self> {
        let [creator, reason, available] = value.as_array()?.as_slice() else { return None };
        Some(Self {
            creator: CreatorId::from_column(creator)?,
            reason: String::from_column(reason)?,
            available_minor: available.as_i64()?,
        })
    }
    fn placeholder() -> Self {
        Self { creator: CreatorId::placeholder(), reason: String::new(), available_minor: 0 }
    }
}

/// Stores a draft.
#[must_use]
pub fn insert(
    brand: BrandId,
    (id, currency): (PayoutId, Currency),
    lines: &[NewLine],
    (skipped, skipped_total): (&[Skipped], i64),
    now_ms: Millis,
) -> Vec<Statement> {
    let total: i64 = lines.iter().map(|line| line.amount_minor).sum();
    let skipped = skipped.iter().map(|s| json!([s.creator, s.reason, s.available_minor]));
    let skipped = json::list_of(&skipped.collect::<Vec<_>>());
    let lines = lines.iter().map(|line| json!([line.id, line.creator, line.amount_minor]));
    let lines = json::list_of(&lines.collect::<Vec<_>>());
    vec![
        bind!(INSERT_PAYOUT, brand, id, currency.code(), now_ms, skipped, total, skipped_total),
        bind!(INSERT_LINES, brand, id, lines),
    ]
}

/// Notes that the drafts of a day were made; a second time aborts.
#[must_use]
pub fn run(brand: BrandId, due: Day, now_ms: Millis) -> Statement {
    bind!(RUN, brand, due.0, now_ms)
}

/// Whether the drafts of a day were made.
///
/// # Errors
/// [`DbError`].
pub fn ran(db: &dyn Database, brand: BrandId, due: Day) -> Reading<'_, bool> {
    db.ask(Freshness::Primary, bind!(RAN, brand, due.0), |rows| Ok(!rows.is_empty()))
}

/// The currencies in which anybody has something.
///
/// # Errors
/// [`DbError`].
pub fn currencies(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<Currency>> {
    db.ask(Freshness::Primary, bind!(CURRENCIES, brand), |rows| rows.column("currency"))
}
