//! Fees, adjustments, payouts, payment details, and the first answers to money calls.

use super::{Database, DbError, Page, Reading, Statement, bind, row, spelling, statements};
use crate::domain::ids::{AdjustmentId, BrandId, CreatorId, DealId, FeeId, PayoutId, PayoutLineId};
use crate::domain::json::{self, json};
use crate::domain::ledger::Account;
use crate::domain::money::{Currency, Money};
use crate::domain::time::{Day, Millis};

statements! {
    INSERT_FEE = "
INSERT INTO fees (brand_id, id, deal_id, creator_id, currency, amount_minor, note, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    FEES = "
SELECT id, deal_id, creator_id, currency, amount_minor, note, created_at_ms FROM fees
WHERE brand_id = ?1 AND deal_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

    INSERT_ADJUSTMENT = "
INSERT INTO adjustments (brand_id, id, creator_id, currency, amount_minor, reason, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    DETAILS = "
SELECT method, last4, country, sealed, version, updated_at_ms, usable_at_ms FROM payment_details
WHERE brand_id = ?1 AND creator_id = ?2";

    /// The first entry; one that is there aborts.
    INSERT_DETAILS = "
INSERT INTO payment_details (brand_id, creator_id, method, last4, country, sealed, version,
  updated_at_ms, usable_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    /// A change of the version ?7 - 1: another that came before it makes the version NULL, which
    /// aborts.
    UPDATE_DETAILS = "
UPDATE payment_details SET method = ?3, last4 = ?4, country = ?5, sealed = ?6,
  version = iif(version + 1 = CAST(?7 AS INTEGER), version + 1, NULL), updated_at_ms = ?8,
  usable_at_ms = ?9
WHERE brand_id = ?1 AND creator_id = ?2";

    /// What everybody has of what can be paid, and when her details can be used. ?3: a JSON list of
    /// creators, or NULL for all.
    PAYABLE = "
SELECT b.creator_id, b.account, b.day, b.amount_minor,
  (SELECT d.usable_at_ms FROM payment_details d WHERE d.brand_id = b.brand_id
    AND d.creator_id = b.creator_id) AS usable_at_ms
FROM balances b WHERE b.brand_id = ?1 AND b.currency = ?2
  AND b.account IN ('pending', 'available', 'clawback')
  AND (?3 IS NULL OR b.creator_id IN (SELECT value FROM json_each(?3)))
ORDER BY b.creator_id, b.account, b.day";

    INSERT_PAYOUT = "
INSERT INTO payouts (brand_id, id, currency, state, revision, created_at_ms)
VALUES (?1, ?2, ?3, 'draft', 0, ?4)";

    /// ?3 a JSON list of lines: id, creator, minor units.
    INSERT_LINES = "
INSERT INTO payout_lines (brand_id, payout_id, id, creator_id, amount_minor, state)
SELECT ?1, ?2, j.value ->> 0, j.value ->> 1, j.value ->> 2, 'draft' FROM json_each(?3) j";

    FIND = "
SELECT id, currency, state, revision, created_at_ms, approved_at_ms FROM payouts
WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT id, currency, state, revision, created_at_ms, approved_at_ms FROM payouts
WHERE brand_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    LINES = "
SELECT l.id, l.creator_id, l.amount_minor, l.state, l.revision, l.reference, l.reason,
  l.settled_at_ms FROM payout_lines l WHERE l.brand_id = ?1 AND l.payout_id = ?2 ORDER BY l.id";

    LINES_OF = "
SELECT l.id, l.payout_id, l.amount_minor, l.state, l.reference, l.reason, l.settled_at_ms,
  p.currency, p.approved_at_ms
FROM payout_lines l JOIN payouts p ON p.brand_id = l.brand_id AND p.id = l.payout_id
WHERE l.brand_id = ?1 AND l.creator_id = ?2 AND l.id < ?3
  AND l.state IN ('in_payout', 'settled', 'failed')
ORDER BY l.id DESC LIMIT ?4";

    /// ?3 the revision that was decided from: another aborts, because revision can't be NULL.
    DECIDE = "
UPDATE payouts SET revision = iif(revision = ?3, revision + 1, NULL), state = ?4,
  approved_at_ms = ?5 WHERE brand_id = ?1 AND id = ?2";

    MOVE_LINES = "
UPDATE payout_lines SET state = ?3, revision = revision + 1 WHERE brand_id = ?1 AND payout_id = ?2";

    /// As [`DECIDE`], of a line.
    SETTLE = "
UPDATE payout_lines SET revision = iif(revision = ?4, revision + 1, NULL), state = ?5,
  reference = ?6, reason = ?7, settled_at_ms = ?8
WHERE brand_id = ?1 AND payout_id = ?2 AND id = ?3";

    /// Where the money of a payout goes.
    TARGETS = "
SELECT l.id, l.creator_id, c.name, l.amount_minor, l.state, d.method, d.sealed, d.version,
  d.usable_at_ms
FROM payout_lines l JOIN creators c ON c.brand_id = l.brand_id AND c.id = l.creator_id
LEFT JOIN payment_details d ON d.brand_id = l.brand_id AND d.creator_id = l.creator_id
WHERE l.brand_id = ?1 AND l.payout_id = ?2 ORDER BY l.id";

    ANSWERED = "
SELECT request_hash, status, answer FROM idempotency WHERE brand_id = ?1 AND key = ?2";

    /// Two with one key: the second aborts.
    ANSWER = "
INSERT INTO idempotency (brand_id, key, request_hash, status, answer, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
}

/// A fixed payment.
pub struct NewFee<'a> {
    /// Its id.
    pub id: FeeId,
    /// For which deal.
    pub deal: DealId,
    /// Whose.
    pub creator: CreatorId,
    /// How much.
    pub amount: Money,
    /// What for.
    pub note: Option<&'a str>,
}

/// Stores a fee; its posting is another statement of the same batch.
#[must_use]
pub fn insert_fee(brand: BrandId, fee: &NewFee<'_>, now_ms: Millis) -> Statement {
    let Money { minor, currency } = fee.amount;
    bind!(
        INSERT_FEE,
        brand,
        fee.id,
        fee.deal,
        fee.creator,
        currency.code(),
        minor,
        fee.note,
        now_ms
    )
}

row! {
    /// A fee.
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
        /// When it was posted.
        pub created_at_ms: Millis,
    }
}

/// A page of a deal's fees.
///
/// # Errors
/// [`DbError`].
pub fn fees<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    page: &Page,
) -> Reading<'a, Vec<FeeRow>> {
    db.all(bind!(FEES, brand, deal, &page.after, page.limit))
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

row! {
    /// A creator's payment details.
    pub struct DetailsRow {
        /// `paypal`, `iban` or `ach`.
        pub method: String,
        /// Of the account.
        pub last4: Option<String>,
        /// Of the account.
        pub country: Option<String>,
        /// The details.
        pub sealed: String,
        /// How often they were entered.
        pub version: i64,
        /// When last.
        pub updated_at_ms: Millis,
        /// From when on they are used.
        pub usable_at_ms: Millis,
    }
}

/// A creator's payment details.
///
/// # Errors
/// [`DbError`].
pub fn details(
    db: &dyn Database,
    brand: BrandId,
    creator: CreatorId,
) -> Reading<'_, Option<DetailsRow>> {
    db.first(bind!(DETAILS, brand, creator))
}

/// Stores payment details: the first as version 1, a change as the version after the one it was
/// made from. Whoever comes second aborts.
#[must_use]
pub fn put_details(brand: BrandId, creator: CreatorId, row: &DetailsRow) -> Statement {
    let sql = if row.version == 1 { INSERT_DETAILS } else { UPDATE_DETAILS };
    bind!(
        sql,
        brand,
        creator,
        &row.method,
        row.last4.as_deref(),
        row.country.as_deref(),
        &row.sealed,
        row.version,
        row.updated_at_ms,
        row.usable_at_ms,
    )
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

/// What these creators (or all) have of what can be paid in a currency, by creator.
///
/// # Errors
/// [`DbError`].
pub fn payable<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    currency: Currency,
    creators: Option<&[CreatorId]>,
) -> Reading<'a, Vec<PayableRow>> {
    db.all(bind!(PAYABLE, brand, currency.code(), creators.map(super::json_list)))
}

/// Where a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutState {
    /// Proposed: nothing has moved.
    Draft,
    /// The money is on its way.
    Approved,
    /// Given up as a draft.
    Cancelled,
}
spelling!(PayoutState { Draft = "draft", Approved = "approved", Cancelled = "cancelled" });

/// Where a line of a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// Proposed.
    Draft,
    /// On its way.
    InPayout,
    /// It arrived.
    Settled,
    /// It came back.
    Failed,
    /// Given up with its draft.
    Cancelled,
}
spelling!(LineState {
    Draft = "draft",
    InPayout = "in_payout",
    Settled = "settled",
    Failed = "failed",
    Cancelled = "cancelled",
});

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

/// Stores a draft.
#[must_use]
pub fn insert(
    brand: BrandId,
    id: PayoutId,
    currency: Currency,
    lines: &[NewLine],
    now_ms: Millis,
) -> Vec<Statement> {
    let lines = lines.iter().map(|line| json!([line.id, line.creator, line.amount_minor]));
    let lines = json::list_of(&lines.collect::<Vec<_>>());
    vec![
        bind!(INSERT_PAYOUT, brand, id, currency.code(), now_ms),
        bind!(INSERT_LINES, brand, id, lines),
    ]
}

row! {
    /// A payout.
    pub struct PayoutRow {
        /// Its id.
        pub id: PayoutId,
        /// In which currency.
        pub currency: Currency,
        /// Where it stands.
        pub state: PayoutState,
        /// How often it was decided.
        pub revision: i64,
        /// When it was drafted.
        pub created_at_ms: Millis,
        /// When it was approved.
        pub approved_at_ms: Option<Millis>,
    }
    /// A line of a payout.
    pub struct LineRow {
        /// Its id.
        pub id: PayoutLineId,
        /// Whose.
        pub creator_id: CreatorId,
        /// How much.
        pub amount_minor: i64,
        /// Where it stands.
        pub state: LineState,
        /// How often it was decided.
        pub revision: i64,
        /// The bank's, or the provider's.
        pub reference: Option<String>,
        /// Why it came back.
        pub reason: Option<String>,
        /// When it arrived or came back.
        pub settled_at_ms: Option<Millis>,
    }
    /// A payment as its creator sees it.
    pub struct MyLineRow {
        /// Its id.
        pub id: PayoutLineId,
        /// With which payout.
        pub payout_id: PayoutId,
        /// How much.
        pub amount_minor: i64,
        /// Where it stands.
        pub state: LineState,
        /// The bank's, or the provider's.
        pub reference: Option<String>,
        /// Why it came back.
        pub reason: Option<String>,
        /// When it arrived or came back.
        pub settled_at_ms: Option<Millis>,
        /// In which currency.
        pub currency: Currency,
        /// When it was approved.
        pub approved_at_ms: Option<Millis>,
    }
    /// Where the money of a line goes.
    pub struct TargetRow {
        /// The line.
        pub id: PayoutLineId,
        /// To whom.
        pub creator_id: CreatorId,
        /// Her name.
        pub name: String,
        /// How much.
        pub amount_minor: i64,
        /// Where the line stands.
        pub state: LineState,
        /// How she is paid.
        pub method: Option<String>,
        /// Her payment details.
        pub sealed: Option<String>,
        /// Their version.
        pub version: Option<i64>,
        /// From when on they are used.
        pub usable_at_ms: Option<Millis>,
    }
}

/// One payout with its lines.
///
/// # Errors
/// [`DbError`].
pub async fn find(
    db: &dyn Database,
    brand: BrandId,
    id: PayoutId,
) -> Result<Option<(PayoutRow, Vec<LineRow>)>, DbError> {
    let rows = db.run(vec![bind!(FIND, brand, id), bind!(LINES, brand, id)]).await?;
    let [payout, lines] = rows.as_slice() else { return Ok(None) };
    let Some(payout) = payout.first()? else { return Ok(None) };
    Ok(Some((payout, lines.all()?)))
}

/// A page of the brand's payouts, latest first; the page's key is the id of its last row.
///
/// # Errors
/// [`DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<PayoutRow>> {
    // After all ids, whose alphabet ends with z.
    let before = if page.after.is_empty() { "payout_~" } else { &page.after };
    db.all(bind!(LIST, brand, before, page.limit))
}

/// A page of a creator's payments, latest first.
///
/// # Errors
/// [`DbError`].
pub fn of_creator<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    creator: CreatorId,
    page: &Page,
) -> Reading<'a, Vec<MyLineRow>> {
    let before = if page.after.is_empty() { "line_~" } else { &page.after };
    db.all(bind!(LINES_OF, brand, creator, before, page.limit))
}

/// Decides a draft, with all its lines; the batch aborts if somebody else did.
#[must_use]
pub fn decide(
    brand: BrandId,
    payout: &PayoutRow,
    state: PayoutState,
    now_ms: Millis,
) -> Vec<Statement> {
    let approved = state == PayoutState::Approved;
    let lines = if approved { LineState::InPayout } else { LineState::Cancelled };
    let approved_at_ms = approved.then_some(now_ms);
    vec![
        bind!(DECIDE, brand, payout.id, payout.revision, state, approved_at_ms),
        bind!(MOVE_LINES, brand, payout.id, lines),
    ]
}

/// Stores what became of a line; the batch aborts if somebody else did.
#[must_use]
pub fn settle(
    brand: BrandId,
    payout: PayoutId,
    line: &LineRow,
    state: LineState,
    (reference, reason): (Option<&str>, Option<&str>),
    now_ms: Millis,
) -> Statement {
    bind!(SETTLE, brand, payout, line.id, line.revision, state, reference, reason, now_ms)
}

/// Where the money of a payout goes.
///
/// # Errors
/// [`DbError`].
pub fn targets(db: &dyn Database, brand: BrandId, id: PayoutId) -> Reading<'_, Vec<TargetRow>> {
    db.all(bind!(TARGETS, brand, id))
}

row! {
    /// A first answer.
    pub struct AnsweredRow {
        /// Of the request that it answers.
        pub request_hash: String,
        /// Its status.
        pub status: u16,
        /// Its body.
        pub answer: String,
    }
}

/// The first answer to the call with this key.
///
/// # Errors
/// [`DbError`].
pub fn answered<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    key: &str,
) -> Reading<'a, Option<AnsweredRow>> {
    db.first(bind!(ANSWERED, brand, key))
}

/// Stores the first answer, in the batch of its effect; a second with the same key aborts it.
#[must_use]
pub fn answer(brand: BrandId, key: &str, row: &AnsweredRow, now_ms: Millis) -> Statement {
    bind!(ANSWER, brand, key, &row.request_hash, row.status, &row.answer, now_ms)
}
