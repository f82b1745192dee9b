//! What people write down about deals: notes, what is to be done, and what gifts cost.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, CostId, DealId, FollowUpId, MemberId, NoteId};
use crate::domain::money::Currency;
use crate::domain::time::{Day, Millis};

statements! {
    INSERT_NOTE = "
INSERT INTO notes (brand_id, deal_id, id, text, contact, author_kind, author_id, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    FIND_NOTE = "
SELECT id, deal_id, text, contact, author_kind, author_id, created_at_ms, changed_at_ms FROM notes
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    /// Latest first, before the id ?3.
    NOTES = "
SELECT id, deal_id, text, contact, author_kind, author_id, created_at_ms, changed_at_ms FROM notes
WHERE brand_id = ?1 AND deal_id = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";

    UPDATE_NOTE = "
UPDATE notes SET text = ?4, changed_at_ms = ?5 WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    DROP_NOTE = "DELETE FROM notes WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    INSERT_FOLLOW_UP = "
INSERT INTO follow_ups (brand_id, deal_id, id, text, due_day, owner_id, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    FIND_FOLLOW_UP = "
SELECT id, deal_id, text, due_day, owner_id, created_at_ms, done_at_ms FROM follow_ups
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    OF_DEAL = "
SELECT id, deal_id, text, due_day, owner_id, created_at_ms, done_at_ms FROM follow_ups
WHERE brand_id = ?1 AND deal_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

    UPDATE_FOLLOW_UP = "
UPDATE follow_ups SET text = ?4, due_day = ?5, owner_id = ?6, done_at_ms = ?7
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    /// What isn't done and due from day ?2 (after the id ?3) until before ?4, soonest first.
    OPEN = "
SELECT id, deal_id, text, due_day, owner_id, created_at_ms, done_at_ms FROM follow_ups INDEXED BY follow_ups_open
WHERE brand_id = ?1 AND done_at_ms IS NULL AND due_day >= ?2 AND (due_day > ?2 OR id > ?3) AND due_day < ?4
ORDER BY due_day, id LIMIT ?5";

    OPEN_OF = "
SELECT id, deal_id, text, due_day, owner_id, created_at_ms, done_at_ms FROM follow_ups
INDEXED BY follow_ups_open_by_owner WHERE brand_id = ?1 AND owner_id = ?6 AND done_at_ms IS NULL
  AND due_day >= ?2 AND (due_day > ?2 OR id > ?3) AND due_day < ?4 ORDER BY due_day, id LIMIT ?5";

    /// What is done, latest first, before the time ?2 and id ?3.
    DONE = "
SELECT id, deal_id, text, due_day, owner_id, created_at_ms, done_at_ms FROM follow_ups INDEXED BY follow_ups_done
WHERE brand_id = ?1 AND done_at_ms IS NOT NULL AND done_at_ms <= ?2 AND (done_at_ms < ?2 OR id < ?3)
ORDER BY done_at_ms DESC, id DESC LIMIT ?4";

    DONE_OF = "
SELECT id, deal_id, text, due_day, owner_id, created_at_ms, done_at_ms FROM follow_ups
INDEXED BY follow_ups_done_by_owner WHERE brand_id = ?1 AND owner_id = ?5 AND done_at_ms IS NOT NULL
  AND done_at_ms <= ?2 AND (done_at_ms < ?2 OR id < ?3) ORDER BY done_at_ms DESC, id DESC LIMIT ?4";

    INSERT_COST = "
INSERT INTO deal_costs (brand_id, deal_id, id, currency, product_minor, shipping_minor, day, note, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    FIND_COST = "
SELECT id, deal_id, currency, product_minor, shipping_minor, day, note, created_at_ms, voided_at_ms FROM deal_costs
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    COSTS = "
SELECT id, deal_id, currency, product_minor, shipping_minor, day, note, created_at_ms, voided_at_ms FROM deal_costs
WHERE brand_id = ?1 AND deal_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

    VOID = "
UPDATE deal_costs SET voided_at_ms = coalesce(voided_at_ms, ?4) WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    /// What a deal cost beside commission from a time and day to others, by currency: ?3 and ?4 times, the
    /// end excluded, ?5 and ?6 days, the end included.
    SPENT = "
SELECT currency, sum(fees_minor) AS fees_minor, sum(gifts_minor) AS gifts_minor FROM (
  SELECT currency, amount_minor AS fees_minor, 0 AS gifts_minor FROM fees INDEXED BY fees_by_deal
  WHERE brand_id = ?1 AND deal_id = ?2 AND state = 'posted' AND coalesce(decided_at_ms, created_at_ms) >= ?3
    AND coalesce(decided_at_ms, created_at_ms) < ?4
  UNION ALL SELECT currency, 0, product_minor + shipping_minor FROM deal_costs
  WHERE brand_id = ?1 AND deal_id = ?2 AND voided_at_ms IS NULL AND day BETWEEN ?5 AND ?6) h
GROUP BY currency ORDER BY currency";
}

row! {
    /// A note.
    #[derive(Debug, Clone)]
    pub struct NoteRow {
        /// Its id.
        pub id: NoteId,
        /// About which deal.
        pub deal_id: DealId,
        /// What it says.
        pub text: String,
        /// Whether it says that the creator was spoken to.
        pub contact: bool,
        /// Who wrote it: `member`, `key`, …
        pub author_kind: String,
        /// Which.
        pub author_id: String,
        /// When.
        pub created_at_ms: Millis,
        /// When it was changed last.
        pub changed_at_ms: Option<Millis>,
    }
    /// What is to be done about a deal.
    #[derive(Debug, Clone)]
    pub struct FollowUpRow {
        /// Its id.
        pub id: FollowUpId,
        /// About which deal.
        pub deal_id: DealId,
        /// What.
        pub text: String,
        /// By the end of which day of the brand.
        pub due_day: Day,
        /// By which member.
        pub owner_id: Option<MemberId>,
        /// When it was written down.
        pub created_at_ms: Millis,
        /// When it was done.
        pub done_at_ms: Option<Millis>,
    }
    /// What a gift cost.
    #[derive(Debug, Clone)]
    pub struct CostRow {
        /// Its id.
        pub id: CostId,
        /// For which deal.
        pub deal_id: DealId,
        /// In which currency.
        pub currency: Currency,
        /// The products, in minor units.
        pub product_minor: i64,
        /// Sending them.
        pub shipping_minor: i64,
        /// On which day of the brand.
        pub day: Day,
        /// What for.
        pub note: Option<String>,
        /// When it was written down.
        pub created_at_ms: Millis,
        /// When it was found to be wrong.
        pub voided_at_ms: Option<Millis>,
    }
    /// What a deal cost beside commission, in one currency.
    #[derive(Debug, Clone)]
    pub struct SpentRow {
        /// Which currency.
        pub currency: Currency,
        /// Fees that were posted.
        pub fees_minor: i64,
        /// Gifts.
        pub gifts_minor: i64,
    }
}

/// Stores a note; its author is who calls.
#[must_use]
pub fn insert_note(brand: BrandId, note: &NoteRow, author: Actor) -> Statement {
    let NoteRow { deal_id, id, text, contact, created_at_ms, .. } = note;
    let (kind, by) = (author.kind(), author.id());
    bind!(INSERT_NOTE, brand, *deal_id, *id, text, *contact, kind, by, *created_at_ms)
}

/// One note of a deal.
///
/// # Errors
/// [`super::DbError`].
pub fn note(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    id: NoteId,
) -> Reading<'_, Option<NoteRow>> {
    db.first(bind!(FIND_NOTE, brand, deal, id))
}

/// A page of a deal's notes, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn notes<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    page: &Page,
) -> Reading<'a, Vec<NoteRow>> {
    // After all ids, whose alphabet ends with z.
    let before = if page.after.is_empty() { "note_~" } else { &page.after };
    db.all(bind!(NOTES, brand, deal, before, page.limit))
}

/// Changes what a note says.
#[must_use]
pub fn update_note(
    brand: BrandId,
    deal: DealId,
    id: NoteId,
    text: &str,
    now_ms: Millis,
) -> Statement {
    bind!(UPDATE_NOTE, brand, deal, id, text, now_ms)
}

/// Deletes a note.
#[must_use]
pub fn drop_note(brand: BrandId, deal: DealId, id: NoteId) -> Statement {
    bind!(DROP_NOTE, brand, deal, id)
}

/// Stores what is to be done; an owner who is no member aborts.
#[must_use]
pub fn insert_follow_up(brand: BrandId, row: &FollowUpRow) -> Statement {
    let FollowUpRow { deal_id, id, text, due_day, owner_id, created_at_ms, .. } = row;
    bind!(INSERT_FOLLOW_UP, brand, *deal_id, *id, text, due_day.0, *owner_id, *created_at_ms)
}

/// One of them.
///
/// # Errors
/// [`super::DbError`].
pub fn follow_up(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    id: FollowUpId,
) -> Reading<'_, Option<FollowUpRow>> {
    db.first(bind!(FIND_FOLLOW_UP, brand, deal, id))
}

/// A page of a deal's, oldest first.
///
/// # Errors
/// [`super::DbError`].
pub fn follow_ups<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    page: &Page,
) -> Reading<'a, Vec<FollowUpRow>> {
    db.all(bind!(OF_DEAL, brand, deal, &page.after, page.limit))
}

/// Stores one as it is now; an owner who is no member aborts.
#[must_use]
pub fn update_follow_up(brand: BrandId, row: &FollowUpRow) -> Statement {
    let FollowUpRow { deal_id, id, text, due_day, owner_id, done_at_ms, .. } = row;
    bind!(UPDATE_FOLLOW_UP, brand, *deal_id, *id, text, due_day.0, *owner_id, *done_at_ms)
}

/// A page of what isn't done across deals, due before `until`, soonest first, after a day and id.
///
/// # Errors
/// [`super::DbError`].
pub fn open<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    owner: Option<MemberId>,
    (after, id): (Day, &str),
    (until, limit): (Day, i64),
) -> Reading<'a, Vec<FollowUpRow>> {
    let mut statement = bind!(OPEN, brand, after.0, id, until.0, limit);
    if let Some(owner) = owner {
        statement.sql = OPEN_OF.into();
        statement.params.push(owner.into());
    }
    db.all(statement)
}

/// A page of what is done across deals, latest first, before a time and id.
///
/// # Errors
/// [`super::DbError`].
pub fn done<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    owner: Option<MemberId>,
    (before, id): (Millis, &str),
    limit: i64,
) -> Reading<'a, Vec<FollowUpRow>> {
    let mut statement = bind!(DONE, brand, before, id, limit);
    if let Some(owner) = owner {
        statement.sql = DONE_OF.into();
        statement.params.push(owner.into());
    }
    db.all(statement)
}

/// Stores what a gift cost.
#[must_use]
pub fn insert_cost(brand: BrandId, row: &CostRow) -> Statement {
    bind!(
        INSERT_COST,
        brand,
        row.deal_id,
        row.id,
        row.currency.code(),
        row.product_minor,
        row.shipping_minor,
        row.day.0,
        row.note.as_ref(),
        row.created_at_ms,
    )
}

/// One of a deal's costs.
///
/// # Errors
/// [`super::DbError`].
pub fn cost(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    id: CostId,
) -> Reading<'_, Option<CostRow>> {
    db.first(bind!(FIND_COST, brand, deal, id))
}

/// A page of a deal's costs, oldest first.
///
/// # Errors
/// [`super::DbError`].
pub fn costs<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    page: &Page,
) -> Reading<'a, Vec<CostRow>> {
    db.all(bind!(COSTS, brand, deal, &page.after, page.limit))
}

/// A cost counts no more; again is no fault.
#[must_use]
pub fn void(brand: BrandId, deal: DealId, id: CostId, now_ms: Millis) -> Statement {
    bind!(VOID, brand, deal, id, now_ms)
}

/// What a deal cost beside commission, by currency: fees that were posted from a time to another
/// (excluded), gifts from a day to another (included).
///
/// # Errors
/// [`super::DbError`].
pub fn spent(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    times: (Millis, Millis),
    days: (Day, Day),
) -> Reading<'_, Vec<SpentRow>> {
    db.all(bind!(SPENT, brand, deal, times.0, times.1, days.0.0, days.1.0))
}
