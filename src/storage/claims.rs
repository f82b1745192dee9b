//! Claims of creators that an order is theirs, and what the brand decided about them.

use super::{Database, Page, Reading, Statement, bind, row, spelling, statements};
use crate::domain::claim::ClaimState;
use crate::domain::ids::{BrandId, ClaimId, CreatorId, DealId, OrderId};
use crate::domain::time::Millis;

statements! {
    /// The twenty-first within a day aborts, and a second open one about the same order.
    INSERT = "
INSERT INTO claims (brand_id, id, creator_id, order_name, order_id, deal_id, state, answer, note,
  created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

    FIND = "
SELECT id, creator_id, order_name, order_id, deal_id, state, answer, note, created_at_ms,
  decided_at_ms, decision_note FROM claims WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT id, creator_id, order_name, order_id, deal_id, state, answer, note, created_at_ms,
  decided_at_ms, decision_note FROM claims
WHERE brand_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    /// As [`LIST`], in the state ?4.
    LIST_IN_STATE = "
SELECT id, creator_id, order_name, order_id, deal_id, state, answer, note, created_at_ms,
  decided_at_ms, decision_note FROM claims INDEXED BY claims_by_state
WHERE brand_id = +?1 AND state = +?4 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    /// As [`LIST`], of the creator ?4.
    LIST_OF_CREATOR = "
SELECT id, creator_id, order_name, order_id, deal_id, state, answer, note, created_at_ms,
  decided_at_ms, decision_note FROM claims INDEXED BY claims_by_creator
WHERE brand_id = +?1 AND creator_id = +?4 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    /// Aborts (an id is never NULL) unless the claim is there and open.
    REQUIRE_OPEN = "
INSERT INTO claims (brand_id, id, creator_id, order_name, state, answer, created_at_ms)
SELECT ?1, NULL, '', '', 'open', '{}', 0 WHERE NOT EXISTS (SELECT 1 FROM claims
  WHERE brand_id = ?1 AND id = ?2 AND state = 'open')";

    /// A claim that isn't open any more makes the count NULL, which aborts.
    DECIDE = "
UPDATE claims SET decisions = iif(state = 'open', decisions + 1, NULL), state = ?3, deal_id = ?4,
  decision_note = ?5, decided_at_ms = ?6 WHERE brand_id = ?1 AND id = ?2";
}

spelling!(ClaimState {
    Open = "open",
    Hers = "hers",
    Unknown = "unknown",
    Granted = "granted",
    Declined = "declined",
});

row! {
    /// A claim.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ClaimRow {
        /// Its id.
        pub id: ClaimId,
        /// Whose.
        pub creator_id: CreatorId,
        /// The order, as she named it.
        pub order_name: String,
        /// The order that it is, if one was found.
        pub order_id: Option<OrderId>,
        /// The deal she wants it for; once granted, the one it was moved to.
        pub deal_id: Option<DealId>,
        /// Where it stands.
        pub state: ClaimState,
        /// What she was told, as JSON.
        pub answer: String,
        /// What she says.
        pub note: Option<String>,
        /// When she claimed.
        pub created_at_ms: Millis,
        /// When the brand decided.
        pub decided_at_ms: Option<Millis>,
        /// What the brand says.
        pub decision_note: Option<String>,
    }
}

/// Stores a claim. Refused by `claims_of_a_day` if there were too many within a day, and by
/// `claims.order_id` if one about the same order is open.
#[must_use]
pub fn insert(brand: BrandId, claim: &ClaimRow) -> Statement {
    bind!(
        INSERT,
        brand,
        claim.id,
        claim.creator_id,
        &claim.order_name,
        claim.order_id,
        claim.deal_id,
        claim.state,
        &claim.answer,
        claim.note.as_deref(),
        claim.created_at_ms,
    )
}

/// One claim.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: ClaimId) -> Reading<'_, Option<ClaimRow>> {
    db.first(bind!(FIND, brand, id))
}

/// Whose claims, or which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of the brand.
    All,
    /// In this state.
    In(ClaimState),
    /// Of this creator.
    Of(CreatorId),
}

/// A page of claims, latest first; the page's key is the id of its last row.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    which: Which,
    page: &Page,
) -> Reading<'a, Vec<ClaimRow>> {
    // After all ids, whose alphabet ends with z.
    let before = if page.after.is_empty() { "claim_~" } else { &page.after };
    db.all(match which {
        Which::All => bind!(LIST, brand, before, page.limit),
        Which::In(state) => bind!(LIST_IN_STATE, brand, before, page.limit, state),
        Which::Of(creator) => bind!(LIST_OF_CREATOR, brand, before, page.limit, creator),
    })
}

/// Aborts its batch unless the claim is there and open.
#[must_use]
pub fn require_open(brand: BrandId, id: ClaimId) -> Statement {
    bind!(REQUIRE_OPEN, brand, id)
}

/// What the brand decides about an open claim; refused if it isn't open.
#[must_use]
pub fn decide(
    brand: BrandId,
    id: ClaimId,
    state: ClaimState,
    deal: Option<DealId>,
    note: Option<&str>,
    now_ms: Millis,
) -> Statement {
    bind!(DECIDE, brand, id, state, deal, note, now_ms)
}
