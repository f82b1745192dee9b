//! What jobs load of codes and write about them: what is under way at the shop, and what was found there.

use super::codes::CodeState;
use super::{Database, Freshness, Reading, Statement, bind, row, statements};
use crate::domain::attribution::code_key;
use crate::domain::discount::Discount;
use crate::domain::ids::{BrandId, CodeId, DealId, GroupId, StoreId, TaskId};
use crate::domain::json::{json, list_of};
use crate::domain::time::Millis;

statements! {
    /// A code with all that making or switching it needs.
    CODE_AT_WORK = "
SELECT c.id, c.deal_id, c.code, c.state, c.pending, c.rule, c.base, c.attempt, c.discount, c.redeem, c.group_id,
  c.created_at_ms, c.in_store, c.reason, d.closed_at_ms,
  coalesce((SELECT g.ends_with_deal FROM affiliate_groups g WHERE g.brand_id = ?1 AND g.id = c.group_id),
    c.ends_with_deal) AS ends_with_deal
FROM codes c INDEXED BY codes_by_id CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = c.deal_id
WHERE c.brand_id = ?1 AND c.id = ?2";

    /// A group's codes that wait to be made.
    WAITING_CODES = "
SELECT c.id, c.deal_id, c.code, c.state, c.pending, c.rule, c.base, c.attempt, c.discount, c.redeem, c.group_id,
  c.created_at_ms, c.in_store, c.reason, d.closed_at_ms,
  (SELECT g.ends_with_deal FROM affiliate_groups g WHERE g.brand_id = ?1 AND g.id = ?2) AS ends_with_deal
FROM codes c INDEXED BY codes_by_group CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = c.deal_id
WHERE c.brand_id = ?1 AND c.group_id = ?2 AND c.state = 'creating' AND c.pending = 1 ORDER BY c.id LIMIT ?3";

    /// A group's codes that the shop has, by discounts of their own.
    MADE_CODES = "
SELECT c.id, c.deal_id, c.code, c.state, c.pending, c.rule, c.base, c.attempt, c.discount, c.redeem, c.group_id,
  c.created_at_ms, c.in_store, c.reason, NULL AS closed_at_ms, 0 AS ends_with_deal
FROM codes c INDEXED BY codes_by_group WHERE c.brand_id = ?1 AND c.group_id = ?2 AND c.id > ?3
  AND c.discount IS NOT NULL AND c.state IN ('active', 'changed') ORDER BY c.id LIMIT ?4";

    /// Codes of a store that nothing is under way about; ?4 one of them, ?5 those of a discount, if these
    /// aren't NULL.
    LOOKED_AT = "
SELECT c.id, c.deal_id, c.code, c.state, c.pending, c.rule, c.base, c.attempt, c.discount, c.redeem, c.group_id,
  c.created_at_ms, c.in_store, c.reason, NULL AS closed_at_ms, 0 AS ends_with_deal
FROM codes c INDEXED BY codes_by_id WHERE c.brand_id = ?1 AND c.store_id = ?2 AND c.id > ?3
  AND (?4 IS NULL OR c.id = ?4) AND (?5 IS NULL OR c.discount = ?5)
  AND c.pending = 0 AND c.state NOT IN ('creating', 'failed') ORDER BY c.id LIMIT ?6";

    /// ?2 a list of `i` id and `r` the platform's name of it; they are in the discount ?3.
    MADE = "
UPDATE codes SET state = 'active', counts = 1, pending = 0, discount = ?3, reason = '', suggestion = NULL,
  in_store = 1, ended = 0, redeem = (SELECT value ->> 'r' FROM json_each(?2) WHERE value ->> 'i' = codes.id)
WHERE brand_id = ?1 AND id IN (SELECT value ->> 'i' FROM json_each(?2)) AND pending = 1";

    FAILED = "
UPDATE codes SET state = 'failed', pending = 0, reason = ?3, suggestion = ?4, in_store = iif(counts = 1, 0, NULL),
  code_key = iif(counts = 1, code_key, id) WHERE brand_id = ?1 AND id = ?2 AND state = 'creating'";

    ALL_FAILED = "
UPDATE codes SET state = 'failed', pending = 0, reason = ?3, suggestion = NULL, in_store = iif(counts = 1, 0, NULL),
  code_key = iif(counts = 1, code_key, id)
WHERE brand_id = ?1 AND group_id = ?2 AND state = 'creating' AND pending = 1";

    RESPELL = "
UPDATE codes SET code = ?3, code_key = ?4, attempt = ?5
WHERE brand_id = ?1 AND id = ?2 AND state = 'creating' AND counts = 0";

    WAITS = "
UPDATE codes SET reason = ?3 WHERE brand_id = ?1 AND id = ?2 AND pending = 1";

    ALL_WAIT = "
UPDATE codes SET reason = ?3 WHERE brand_id = ?1 AND group_id = ?2 AND pending = 1 AND state = 'creating'";

    /// It is as it was to be: ?3 whether the shop has it.
    SWITCHED = "
UPDATE codes SET pending = 0, reason = '', in_store = ?3, redeem = iif(?3 = 0, NULL, redeem)
WHERE brand_id = ?1 AND id = ?2";

    /// The shop didn't do it.
    NOT_SWITCHED = "
UPDATE codes SET pending = 0, state = iif(state = 'deactivated', 'changed', 'deactivated'), reason = ?3
WHERE brand_id = ?1 AND id = ?2 AND pending = 1";

    /// What a look found. Only if nothing is under way about it.
    FOUND = "
UPDATE codes SET state = ?3, reason = ?4, in_store = ?5, discount = coalesce(?6, discount)
WHERE brand_id = ?1 AND id = ?2 AND pending = 0";

    /// A look at what the platform names ?5, if a code of ours is made of it. As [`super::outbox`] puts tasks.
    PUT_LOOK = "
INSERT INTO outbox (brand_id, id, store_id, kind, subject, payload, state, due_at_ms, created_at_ms,
  changed_at_ms) SELECT ?1, ?2, ?3, ?4, ?5, '{}', 'waiting', ?6, ?7, ?7
WHERE EXISTS (SELECT 1 FROM codes INDEXED BY codes_by_discount WHERE brand_id = ?1 AND discount = ?5)
ON CONFLICT (brand_id, store_id, kind, subject) WHERE state = 'waiting' DO NOTHING";

    /// Stores that were reached and have codes.
    WATCHED_STORES = "
SELECT s.id FROM stores s CROSS JOIN store_access a ON a.brand_id = ?1 AND a.store_id = s.id
WHERE s.brand_id = ?1 AND s.platform = 'shopify' AND s.closed_at_ms IS NULL AND a.state = 'connected'
  AND EXISTS (SELECT 1 FROM codes c WHERE c.brand_id = ?1 AND c.store_id = s.id)";
}

row! {
    /// A code that something is done about.
    #[derive(Debug, Clone)]
    pub struct CodeAtWork {
        /// Its id.
        pub id: CodeId,
        /// Whose.
        pub deal_id: DealId,
        /// It.
        pub code: String,
        /// How it does.
        pub state: CodeState,
        /// Something is under way about it.
        pub pending: bool,
        /// Its own rule.
        pub rule: Option<Discount>,
        /// Its first spelling, if that is ours.
        pub base: Option<String>,
        /// How often another was tried.
        pub attempt: u32,
        /// The platform's name of its discount.
        pub discount: Option<String>,
        /// The platform's name of it.
        pub redeem: Option<String>,
        /// Of which group.
        pub group_id: Option<GroupId>,
        /// When it was made.
        pub created_at_ms: Millis,
        /// Whether the last look found it.
        pub in_store: Option<bool>,
        /// What is in the way or has changed.
        pub reason: String,
        /// When its deal was closed, if it is.
        pub closed_at_ms: Option<Millis>,
        /// It ends with its deal.
        pub ends_with_deal: bool,
    }
}

/// A code that something is to be done about.
///
/// # Errors
/// [`super::DbError`].
pub fn at_work(db: &dyn Database, brand: BrandId, id: CodeId) -> Reading<'_, Option<CodeAtWork>> {
    db.first(bind!(CODE_AT_WORK, brand, id))
}

/// A group's codes that wait to be made, oldest first.
///
/// # Errors
/// [`super::DbError`].
pub fn waiting(
    db: &dyn Database,
    brand: BrandId,
    group: GroupId,
    limit: u32,
) -> Reading<'_, Vec<CodeAtWork>> {
    db.all(bind!(WAITING_CODES, brand, group, limit))
}

/// A group's codes with discounts of their own, after `after`.
///
/// # Errors
/// [`super::DbError`].
pub fn made_of_group<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    group: GroupId,
    after: &str,
    limit: u32,
) -> Reading<'a, Vec<CodeAtWork>> {
    db.all(bind!(MADE_CODES, brand, group, after, limit))
}

/// Which codes of a store a look is about.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All.
    All,
    /// One, by its id.
    One(&'a str),
    /// Those of a discount, by the platform's name of it.
    Of(&'a str),
}

/// Codes that a look is about, after `after`.
///
/// # Errors
/// [`super::DbError`].
pub fn looked_at<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    store: StoreId,
    which: Which<'_>,
    after: &str,
    limit: u32,
) -> Reading<'a, Vec<CodeAtWork>> {
    let (one, of) = match which {
        Which::All => (None, None),
        Which::One(id) => (Some(id), None),
        Which::Of(discount) => (None, Some(discount)),
    };
    db.all(bind!(LOOKED_AT, brand, store, after, one, of, limit))
}

/// The shop has these codes in a discount: each with the platform's name of it.
#[must_use]
pub fn made(brand: BrandId, discount: &str, codes: &[(CodeId, Option<String>)]) -> Statement {
    let one = |(id, redeem): &(CodeId, Option<String>)| json!({ "i": *id, "r": *redeem });
    bind!(MADE, brand, list_of(&codes.iter().map(one).collect::<Vec<_>>()), discount)
}

/// The shop didn't make a code, and why.
#[must_use]
pub fn failed(brand: BrandId, id: CodeId, words: &str, suggestion: Option<&str>) -> Statement {
    bind!(FAILED, brand, id, words, suggestion)
}

/// The shop made none of a group's codes that wait, and why.
#[must_use]
pub fn all_failed(brand: BrandId, group: GroupId, words: &str) -> Statement {
    bind!(ALL_FAILED, brand, group, words)
}

/// A code that waits gets another spelling; one that some deal has aborts.
#[must_use]
pub fn respell(brand: BrandId, id: CodeId, code: &str, attempt: u32) -> Statement {
    bind!(RESPELL, brand, id, code, code_key(code), attempt)
}

/// Why a code that is under way waits.
#[must_use]
pub fn waits(brand: BrandId, id: CodeId, words: &str) -> Statement {
    bind!(WAITS, brand, id, words)
}

/// Why a group's codes wait.
#[must_use]
pub fn all_wait(brand: BrandId, group: GroupId, words: &str) -> Statement {
    bind!(ALL_WAIT, brand, group, words)
}

/// The shop followed; tells whether it has the code now.
#[must_use]
pub fn switched(brand: BrandId, id: CodeId, in_store: bool) -> Statement {
    bind!(SWITCHED, brand, id, in_store)
}

/// The shop didn't follow.
#[must_use]
pub fn not_switched(brand: BrandId, id: CodeId, words: &str) -> Statement {
    bind!(NOT_SWITCHED, brand, id, words)
}

/// What a look found of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How it does.
    pub state: CodeState,
    /// What has changed, in words.
    pub reason: String,
    /// Whether it is in the shop.
    pub in_store: bool,
    /// The platform's name of its discount, if that wasn't known.
    pub discount: Option<String>,
}

/// Keeps what a look found, unless something is under way by now.
#[must_use]
pub fn found(brand: BrandId, id: CodeId, found: &Found) -> Statement {
    let Found { state, reason, in_store, discount } = found;
    bind!(FOUND, brand, id, *state, reason, *in_store, discount.as_deref())
}

/// Puts a look at a discount of the platform's, if codes of ours are made of it.
#[must_use]
pub fn put_look(
    brand: BrandId,
    (task, store): (TaskId, StoreId),
    discount: &str,
    due_at_ms: Millis,
    now_ms: Millis,
) -> Statement {
    let kind = crate::domain::task::Kind::LookAtCodes;
    bind!(PUT_LOOK, brand, task, store, kind, discount, due_at_ms, now_ms)
}

/// Stores whose codes are looked at every day.
///
/// # Errors
/// [`super::DbError`].
pub fn watched_stores(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<StoreId>> {
    db.ask(Freshness::Primary, bind!(WATCHED_STORES, brand), |rows| rows.column("id"))
}
