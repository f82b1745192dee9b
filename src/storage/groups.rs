//! Affiliate groups: the rules that codes are made from.

use super::{Database, Page, Reading, Statement, bind, row, spelling, statements};
use crate::domain::discount::Discount;
use crate::domain::ids::{BrandId, GroupId, StoreId};
use crate::domain::time::Millis;

statements! {
    INSERT_GROUP = "
INSERT INTO affiliate_groups (brand_id, id, store_id, name, mode, rule, code_pattern, ends_with_deal, began_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    FIND_GROUP = "
SELECT id, store_id, name, mode, rule, code_pattern, ends_with_deal, discount, problem, began_at_ms,
  archived_at_ms, revision FROM affiliate_groups WHERE brand_id = ?1 AND id = ?2";

    LIST_GROUPS = "
SELECT id, store_id, name, mode, rule, code_pattern, ends_with_deal, discount, problem, began_at_ms,
  archived_at_ms, revision FROM affiliate_groups WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    /// ?3 the revision that was read: another aborts.
    UPDATE_GROUP = "
UPDATE affiliate_groups SET revision = iif(revision = ?3, revision + 1, NULL), name = ?4, rule = ?5,
  code_pattern = ?6, ends_with_deal = ?7, archived_at_ms = ?8 WHERE brand_id = ?1 AND id = ?2";

    /// Its discount is this one, or none any more.
    GROUPS_DISCOUNT = "
UPDATE affiliate_groups SET discount = ?3, problem = '' WHERE brand_id = ?1 AND id = ?2";

    GROUPS_PROBLEM = "
UPDATE affiliate_groups SET problem = ?3 WHERE brand_id = ?1 AND id = ?2";

    /// Aborts while codes of the group wait: whoever put them saw the task that would end now.
    NONE_WAITS = "
UPDATE affiliate_groups SET revision = iif(EXISTS (SELECT 1 FROM codes INDEXED BY codes_by_group
  WHERE brand_id = ?1 AND group_id = ?2 AND state = 'creating' AND pending = 1), NULL, revision)
WHERE brand_id = ?1 AND id = ?2";

    /// More codes for a task that waits anyway: whoever works at it goes on. One that got nowhere isn't
    /// tried more often for it.
    MORE_CODES = "
INSERT INTO outbox (brand_id, id, store_id, kind, subject, payload, state, due_at_ms, created_at_ms,
  changed_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, '{}', 'waiting', ?6, ?6, ?6)
ON CONFLICT (brand_id, store_id, kind, subject) WHERE state = 'waiting' DO UPDATE SET
  due_at_ms = iif(tries = 0, min(due_at_ms, excluded.due_at_ms), due_at_ms)";
}

/// How a group's codes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GroupMode)]
pub enum Mode {
    /// One discount of the shop carries all of them.
    OneDiscount,
    /// Each has its own.
    DiscountPerCode,
}

spelling!(Mode { OneDiscount = "one_discount", DiscountPerCode = "discount_per_code" });

row! {
    /// A group.
    #[derive(Debug, Clone)]
    pub struct GroupRow {
        /// Its id.
        pub id: GroupId,
        /// At which shop.
        pub store_id: StoreId,
        /// Its name.
        pub name: String,
        /// How its codes are made.
        pub mode: Mode,
        /// Its rule.
        pub rule: Discount,
        /// What codes are spelled like.
        pub code_pattern: String,
        /// Codes end with their deals.
        pub ends_with_deal: bool,
        /// The platform's name of its discount.
        pub discount: Option<String>,
        /// What the shop didn't do, in words.
        pub problem: String,
        /// When it was made.
        pub began_at_ms: Millis,
        /// When it was archived, if it was.
        pub archived_at_ms: Option<Millis>,
        /// How often it was changed.
        pub revision: i64,
    }
}

/// Stores a group; a store of another brand aborts.
#[must_use]
pub fn insert(brand: BrandId, group: &GroupRow) -> Statement {
    let rule = serde_json::to_string(&group.rule).unwrap_or_default();
    bind!(
        INSERT_GROUP,
        brand,
        group.id,
        group.store_id,
        &group.name,
        group.mode,
        rule,
        &group.code_pattern,
        group.ends_with_deal,
        group.began_at_ms,
    )
}

/// One group.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: GroupId) -> Reading<'_, Option<GroupRow>> {
    db.first(bind!(FIND_GROUP, brand, id))
}

/// A page of groups.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<GroupRow>> {
    db.all(bind!(LIST_GROUPS, brand, &page.after, page.limit))
}

/// Changes a group to what it is now; one that changed since it was read aborts.
#[must_use]
pub fn update(brand: BrandId, group: &GroupRow) -> Statement {
    let rule = serde_json::to_string(&group.rule).unwrap_or_default();
    bind!(
        UPDATE_GROUP,
        brand,
        group.id,
        group.revision,
        &group.name,
        rule,
        &group.code_pattern,
        group.ends_with_deal,
        group.archived_at_ms,
    )
}

/// Names a group's discount, or says that it has none any more.
#[must_use]
pub fn discount(brand: BrandId, id: GroupId, discount: Option<&str>) -> Statement {
    bind!(GROUPS_DISCOUNT, brand, id, discount)
}

/// What the shop didn't do for a group; '' if nothing.
#[must_use]
pub fn problem(brand: BrandId, id: GroupId, words: &str) -> Statement {
    bind!(GROUPS_PROBLEM, brand, id, words)
}

/// Aborts the batch while codes of the group wait.
#[must_use]
pub fn none_waits(brand: BrandId, id: GroupId) -> Statement {
    bind!(NONE_WAITS, brand, id)
}

/// Has a group's codes made, without disturbing whoever does so already.
#[must_use]
pub fn more_codes(
    brand: BrandId,
    (task, store): (crate::domain::ids::TaskId, StoreId),
    group: GroupId,
    now_ms: Millis,
) -> Statement {
    let kind = crate::domain::task::Kind::AddCodes;
    bind!(MORE_CODES, brand, task, store, kind, group.to_string(), now_ms)
}
