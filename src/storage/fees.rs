//! Fees, posted or planned, and adjustments.

use super::{Database, Page, Reading, Statement, bind, row, spelling, statements};
use crate::domain::ids::{AdjustmentId, BrandId, CreatorId, DealId, FeeId};
use crate::domain::money::{Currency, Money};
use crate::domain::time::{Day, Millis};

statements! {
    /// A stage that the deal is at already, or a creator who was erased, aborts.
    INSERT_FEE = "
INSERT INTO fees (brand_id, id, deal_id, creator_id, currency, amount_minor, note, created_at_ms,
  due_day, stage, reached_at_ms, state, decided_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

    FEES = "
SELECT id, deal_id, creator_id, currency, amount_minor, note, created_at_ms, due_day, stage,
  reached_at_ms, state, decided_at_ms FROM fees
WHERE brand_id = ?1 AND deal_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

    FIND_FEE = "
SELECT id, deal_id, creator_id, currency, amount_minor, note, created_at_ms, due_day, stage,
  reached_at_ms, state, decided_at_ms FROM fees
WHERE brand_id = ?1 AND id = ?3 AND deal_id = ?2";

    /// What waits for a deal to reach a stage that it hasn't reached yet.
    WAITING = "
SELECT id, deal_id, creator_id, currency, amount_minor, note, created_at_ms, due_day, stage,
  reached_at_ms, state, decided_at_ms FROM fees
WHERE brand_id = ?1 AND deal_id = ?2 AND state = 'planned' AND stage = ?3 AND reached_at_ms IS NULL
ORDER BY id";

    /// Planned, with a day that has come, and waiting for no stage any more. ?3 after this id.
    DUE_FEES = "
SELECT id, deal_id, creator_id, currency, amount_minor, note, created_at_ms, due_day, stage,
  reached_at_ms, state, decided_at_ms FROM fees
WHERE brand_id = ?1 AND state = 'planned' AND due_day <= ?2 AND (stage IS NULL OR reached_at_ms IS NOT NULL)
ORDER BY due_day, id LIMIT ?3";

    /// ?3 `posted` or `cancelled`; of one that is decided already it aborts. So does it if the fee is somebody
    /// else's than ?6 by now, who was merged: NULL; what is posted names whom it was read of.
    DECIDE_FEE = "
UPDATE fees SET state = iif(creator_id = ?6, ?3, NULL), decided_at_ms = ?4, reached_at_ms = iif(?5 = 1, ?4, reached_at_ms)
WHERE brand_id = ?1 AND id = ?2";

    REACH = "
UPDATE fees SET reached_at_ms = ?3 WHERE brand_id = ?1 AND id = ?2 AND state = 'planned'";

    INSERT_ADJUSTMENT = "
INSERT INTO adjustments (brand_id, id, creator_id, currency, amount_minor, reason, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
}

/// Where a fee stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeState {
    /// It waits.
    Planned,
    /// It is hers.
    Posted,
    /// Given up before it was.
    Cancelled,
}
spelling!(FeeState { Planned = "planned", Posted = "posted", Cancelled = "cancelled" });

row! {
    /// A fee.
    #[derive(Clone)]
    pub struct FeeRow {
        /// Its id.
        pub id: FeeId,
        /// For which deal.
        pub deal_id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// In which currency.
        pub currency: Currency,
        /// How much.
        pub amount_minor: i64,
        /// What for.
        pub note: Option<String>,
        /// When it was agreed.
        pub created_at_ms: Millis,
        /// Not before this day of the brand.
        pub due_day: Option<Day>,
        /// Not before its deal reaches this stage.
        pub stage: Option<String>,
        /// When the deal did.
        pub reached_at_ms: Option<Millis>,
        /// Where it stands.
        pub state: FeeState,
        /// When it was posted or cancelled.
        pub decided_at_ms: Option<Millis>,
    }
}

impl FeeRow {
    /// Whether what it waits for has come.
    #[must_use]
    pub fn is_due(&self, today: Day) -> bool {
        self.due_day.is_none_or(|day| day <= today)
            && (self.stage.is_none() || self.reached_at_ms.is_some())
    }
}

/// Stores a fee; its posting, where it is posted at once, is another statement of the same batch.
#[must_use]
pub fn insert_fee(brand: BrandId, fee: &FeeRow) -> Statement {
    bind!(
        INSERT_FEE,
        brand,
        fee.id,
        fee.deal_id,
        fee.creator_id,
        fee.currency.code(),
        fee.amount_minor,
        fee.note.as_ref(),
        fee.created_at_ms,
        fee.due_day.map(|day| day.0),
        fee.stage.as_ref(),
        fee.reached_at_ms,
        fee.state,
        fee.decided_at_ms,
    )
}

/// A page of a deal's fees.
///
/// # Errors
/// [`super::DbError`].
pub fn fees<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    page: &Page,
) -> Reading<'a, Vec<FeeRow>> {
    db.all(bind!(FEES, brand, deal, &page.after, page.limit))
}

/// One fee of a deal.
///
/// # Errors
/// [`super::DbError`].
pub fn find(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    id: FeeId,
) -> Reading<'_, Option<FeeRow>> {
    db.first(bind!(FIND_FEE, brand, deal, id))
}

/// What waits for a deal to reach a stage.
///
/// # Errors
/// [`super::DbError`].
pub fn waiting<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    stage: &str,
) -> Reading<'a, Vec<FeeRow>> {
    db.all(bind!(WAITING, brand, deal, stage))
}

/// Fees that are to be posted today.
///
/// # Errors
/// [`super::DbError`].
pub fn due(db: &dyn Database, brand: BrandId, today: Day, limit: i64) -> Reading<'_, Vec<FeeRow>> {
    db.all(bind!(DUE_FEES, brand, today.0, limit))
}

/// Posts or cancels a planned fee, once; the posting is another statement of the same batch.
/// `reached`: because its stage is reached now.
#[must_use]
pub fn decide(
    brand: BrandId,
    (id, creator): (FeeId, CreatorId),
    state: FeeState,
    reached: bool,
    now_ms: Millis,
) -> Statement {
    bind!(DECIDE_FEE, brand, id, state, now_ms, reached, creator)
}

/// Notes that a deal has reached the stage that a fee waits for; it still waits for its day.
#[must_use]
pub fn reach(brand: BrandId, id: FeeId, now_ms: Millis) -> Statement {
    bind!(REACH, brand, id, now_ms)
}

/// Stores a correction; its posting is another statement of the same batch.
#[must_use]
pub fn insert_adjustment(
    brand: BrandId,
    (id, creator): (AdjustmentId, CreatorId),
    amount: Money,
    reason: &str,
    now_ms: Millis,
) -> Statement {
    let Money { minor, currency } = amount;
    bind!(INSERT_ADJUSTMENT, brand, id, creator, currency.code(), minor, reason, now_ms)
}
