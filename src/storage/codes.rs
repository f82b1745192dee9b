//! Codes of deals: what they are, what is under way about them at the shop, and what was found there.

use super::{
    Database, Freshness, Page, Reading, Statement, bind, json_list, row, spelling, statements,
};
use crate::domain::attribution::code_key;
use crate::domain::discount::Discount;
use crate::domain::ids::{BrandId, CodeId, CreatorId, DealId, GroupId, LinkId, StoreId};
use crate::domain::json::{json, list_of};
use crate::domain::time::Millis;

statements! {
    INSERT_CODE = "
INSERT INTO codes (brand_id, code_key, id, deal_id, code, created_at_ms, state, counts, pending, store_id,
  group_id, rule, base, attempt, ends_with_deal)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

    /// ?2 a list of `i` id, `k` key, `d` deal, `c` code, `b` base, `a` attempt. With a group ?4 they are to be
    /// made, without they are taken over.
    INSERT_CODES = "
INSERT INTO codes (brand_id, code_key, id, deal_id, code, created_at_ms, state, counts, pending, store_id,
  group_id, base, attempt)
SELECT ?1, j.value ->> 'k', j.value ->> 'i', j.value ->> 'd', j.value ->> 'c', ?3, iif(?4 IS NULL, 'active', 'creating'),
  ?4 IS NULL, ?4 IS NOT NULL, ?5, ?4, j.value ->> 'b', coalesce(j.value ->> 'a', 0) FROM json_each(?2) j";

    FIND_CODE = "
SELECT id, deal_id, code, state, pending, store_id, group_id, rule, reason, suggestion, in_store,
  ends_with_deal, created_at_ms FROM codes WHERE brand_id = ?1 AND id = ?2";

    /// What isn't NULL narrows: ?4 deal, ?5 state, ?6 group.
    LIST_CODES = "
SELECT id, deal_id, code, state, pending, store_id, group_id, rule, reason, suggestion, in_store,
  ends_with_deal, created_at_ms FROM codes INDEXED BY codes_by_id
WHERE brand_id = ?1 AND id > ?2 AND (?4 IS NULL OR deal_id = ?4) AND (?5 IS NULL OR state = ?5)
  AND (?6 IS NULL OR group_id = ?6) ORDER BY id LIMIT ?3";

    /// Of these keys, those that some code has.
    KNOWN_KEYS = "
SELECT code_key FROM codes WHERE brand_id = ?1 AND code_key IN (SELECT value FROM json_each(?2))";

    /// The deals that have these keys.
    OWNERS = "
SELECT code_key, deal_id FROM codes WHERE brand_id = ?1 AND code_key IN (SELECT value FROM json_each(?2))";

    /// A failed or vanished code is made anew: ?3 its text, ?4 its key. Another state aborts.
    BEGIN_AGAIN = "
UPDATE codes SET state = iif(state IN ('failed', 'gone') AND pending = 0, 'creating', NULL), pending = 1,
  code = iif(counts = 1, code, ?3), code_key = iif(counts = 1, code_key, ?4), base = ?5, attempt = 0,
  discount = NULL, redeem = NULL, reason = '', suggestion = NULL WHERE brand_id = ?1 AND id = ?2";

    /// ?3 what it is to be: deactivated, active, or (in a discount of many) made again as it is spelled.
    /// From another state than active or changed (to be deactivated) or deactivated it aborts.
    /// ?4: because its deal was closed.
    SWITCH = "
UPDATE codes SET state = iif(pending = 0 AND CASE ?3 WHEN 'deactivated' THEN state IN ('active', 'changed')
    ELSE state = 'deactivated' END, ?3, NULL), pending = 1, reason = '', ended = ?4,
  base = iif(?3 = 'creating', NULL, base) WHERE brand_id = ?1 AND id = ?2";

    /// Codes that end with a deal when it is closed (?3 0), or begin again with it (?3 1).
    OF_DEAL = "
SELECT c.id, c.store_id, c.group_id,
  (SELECT g.mode FROM affiliate_groups g WHERE g.brand_id = ?1 AND g.id = c.group_id) AS mode
FROM codes c INDEXED BY codes_by_deal WHERE c.brand_id = ?1 AND c.deal_id = ?2 AND c.pending = 0
  AND c.store_id IS NOT NULL AND (c.group_id IS NOT NULL OR c.rule IS NOT NULL)
  AND CASE ?3 WHEN 0 THEN c.state IN ('active', 'changed') AND coalesce((SELECT g.ends_with_deal
      FROM affiliate_groups g WHERE g.brand_id = ?1 AND g.id = c.group_id), c.ends_with_deal) = 1
    ELSE c.state = 'deactivated' AND c.ended = 1 END";

    /// ?2 a list of deals: whose they are, as codes are made from.
    HANDLES = "
SELECT d.id AS deal_id, d.creator_id, d.closed_at_ms, c.handle, c.email
FROM json_each(?2) j CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = j.value
CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = d.creator_id WHERE c.erased_at_ms IS NULL";

    KNOWN = "
SELECT k.id FROM json_each(?2) j CROSS JOIN codes k ON k.brand_id = ?1 AND k.id = j.value";

    /// Links that apply a code, by the hosts that serve them.
    LINKS_OF_CODE = "
SELECT l.id, l.slug FROM codes c INDEXED BY codes_by_id
CROSS JOIN links l INDEXED BY links_by_deal ON l.brand_id = ?1 AND l.deal_id = c.deal_id AND l.code_id = c.id
WHERE c.brand_id = ?1 AND c.id = ?2";
}

/// How a code does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeState {
    /// The shop is to make it.
    Creating,
    /// It works.
    Active,
    /// It was changed in the shop.
    Changed,
    /// The shop didn't make it.
    Failed,
    /// It was switched off.
    Deactivated,
    /// It was deleted in the shop.
    Gone,
}

spelling!(CodeState {
    Creating = "creating",
    Active = "active",
    Changed = "changed",
    Failed = "failed",
    Deactivated = "deactivated",
    Gone = "gone",
});

impl CodeState {
    /// Whether it stands in something that shoppers can use.
    #[must_use]
    pub fn works(self) -> bool {
        matches!(self, Self::Active | Self::Changed)
    }
}

/// A code to be stored.
#[derive(Debug, Clone)]
pub struct NewCode<'a> {
    /// Its id.
    pub id: CodeId,
    /// Whose.
    pub deal: DealId,
    /// It.
    pub code: &'a str,
    /// At which shop, if that is known.
    pub store: Option<StoreId>,
    /// How it is made; `None`: it was taken over.
    pub making: Option<Making<'a>>,
}

/// How a code is made.
#[derive(Debug, Clone)]
pub struct Making<'a> {
    /// In a group.
    pub group: Option<GroupId>,
    /// By a rule of its own.
    pub rule: Option<&'a Discount>,
    /// Its first spelling, if that is ours.
    pub base: Option<&'a str>,
    /// How often another was tried.
    pub attempt: u32,
    /// It ends with its deal.
    pub ends_with_deal: bool,
}

/// Stores a code; one that another deal has aborts.
#[must_use]
pub fn insert(brand: BrandId, new: &NewCode<'_>, now_ms: Millis) -> Statement {
    let making = new.making.as_ref();
    let made = making.is_some();
    bind!(
        INSERT_CODE,
        brand,
        code_key(new.code),
        new.id,
        new.deal,
        new.code,
        now_ms,
        if made { CodeState::Creating } else { CodeState::Active },
        !made,
        made,
        new.store,
        making.and_then(|making| making.group),
        making.and_then(|m| m.rule).map(|rule| serde_json::to_string(rule).unwrap_or_default()),
        making.and_then(|making| making.base),
        making.map_or(0, |making| making.attempt),
        making.is_some_and(|making| making.ends_with_deal),
    )
}

/// One of many codes to be stored.
#[derive(Debug, Clone)]
pub struct OneOfMany {
    /// Its id.
    pub id: CodeId,
    /// Whose.
    pub deal: DealId,
    /// It.
    pub code: String,
    /// Its first spelling, if that is ours.
    pub base: Option<String>,
    /// How often another was tried.
    pub attempt: u32,
}

/// Stores many codes: to be made in a group, or taken over. One that some deal has aborts all.
#[must_use]
pub fn insert_many(
    brand: BrandId,
    codes: &[OneOfMany],
    group: Option<GroupId>,
    store: Option<StoreId>,
    now_ms: Millis,
) -> Vec<Statement> {
    let one = |new: &OneOfMany| {
        json!({ "i": new.id, "k": code_key(&new.code), "d": new.deal, "c": new.code, "b": new.base,
            "a": new.attempt })
    };
    // A parameter holds two megabytes.
    let chunks = codes.chunks(2_000);
    let chunks = chunks.map(|some| list_of(&some.iter().map(one).collect::<Vec<_>>()));
    chunks.map(|list| bind!(INSERT_CODES, brand, list, now_ms, group, store)).collect()
}

row! {
    /// A code as it is shown.
    #[derive(Debug, Clone)]
    pub struct CodeRow {
        /// Its id.
        pub id: CodeId,
        /// Whose.
        pub deal_id: DealId,
        /// It.
        pub code: String,
        /// How it does.
        pub state: CodeState,
        /// The shop hasn't done yet what it is to do.
        pub pending: bool,
        /// At which shop.
        pub store_id: Option<StoreId>,
        /// Of which group.
        pub group_id: Option<GroupId>,
        /// Its own rule.
        pub rule: Option<Discount>,
        /// What is in the way or has changed, in words.
        pub reason: String,
        /// Another spelling, where this one is taken.
        pub suggestion: Option<String>,
        /// Whether the last look found it in the shop.
        pub in_store: Option<bool>,
        /// It ends with its deal.
        pub ends_with_deal: bool,
        /// When it was made or taken over.
        pub created_at_ms: Millis,
    }
}

row! {
    /// A code that ends or begins with its deal.
    #[derive(Debug, Clone)]
    pub struct DealsCode {
        /// Its id.
        pub id: CodeId,
        /// At which shop.
        pub store_id: StoreId,
        /// Of which group.
        pub group_id: Option<GroupId>,
        /// The group's mode.
        pub mode: Option<super::groups::Mode>,
    }
    /// Who has a code.
    #[derive(Debug, Clone)]
    pub struct OwnerRow {
        /// The code as it is compared.
        pub code_key: String,
        /// Whose.
        pub deal_id: DealId,
    }
    /// A deal with what its creator is called.
    #[derive(Debug, Clone)]
    pub struct HandleRow {
        /// The deal.
        pub deal_id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// When it was closed, if it is.
        pub closed_at_ms: Option<Millis>,
        /// Her handle.
        pub handle: String,
        /// Her address.
        pub email: Option<String>,
    }
    /// A link that applies a code.
    #[derive(Debug, Clone)]
    pub struct LinkOfCode {
        /// Which.
        pub id: LinkId,
        /// Its slug.
        pub slug: String,
    }
}

/// Which codes are meant; what is `None` doesn't narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this deal.
    pub deal: Option<DealId>,
    /// In this state.
    pub state: Option<CodeState>,
    /// Of this group.
    pub group: Option<GroupId>,
}

/// One code.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: CodeId) -> Reading<'_, Option<CodeRow>> {
    db.first(bind!(FIND_CODE, brand, id))
}

/// A page of codes.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    filter: &Filter,
    page: &Page,
) -> Reading<'a, Vec<CodeRow>> {
    let Filter { deal, state, group } = *filter;
    db.all(bind!(LIST_CODES, brand, &page.after, page.limit, deal, state, group))
}

/// Of these codes, as they are compared, those that some code has.
///
/// # Errors
/// [`super::DbError`].
pub fn known_keys<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    keys: &[String],
) -> Reading<'a, Vec<String>> {
    let statement = bind!(KNOWN_KEYS, brand, json_list(keys));
    db.ask(Freshness::Primary, statement, |rows| rows.column("code_key"))
}

/// Who has these codes.
///
/// # Errors
/// [`super::DbError`].
pub fn owners<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    keys: &[String],
) -> Reading<'a, Vec<OwnerRow>> {
    db.all(bind!(OWNERS, brand, json_list(keys)))
}

/// Makes a failed or vanished code anew; aborts if it is neither. `base` as for a new one.
#[must_use]
pub fn begin_again(brand: BrandId, id: CodeId, code: &str, base: Option<&str>) -> Statement {
    bind!(BEGIN_AGAIN, brand, id, code, code_key(code), base)
}

/// Switches a code to a state, for its shop to follow: deactivated, active, or (where it is in a discount of
/// many) to be made again; aborts if it is in another one than that asks for. `with_deal`: because its deal was closed.
#[must_use]
pub fn switch(brand: BrandId, id: CodeId, to: CodeState, with_deal: bool) -> Statement {
    bind!(SWITCH, brand, id, to, with_deal)
}

/// Codes that end with a deal, or begin again with it.
///
/// # Errors
/// [`super::DbError`].
pub fn of_deal(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    opened: bool,
) -> Reading<'_, Vec<DealsCode>> {
    db.all(bind!(OF_DEAL, brand, deal, opened))
}

/// Those of these deals that there are, with what their creators are called.
///
/// # Errors
/// [`super::DbError`].
pub fn handles<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deals: &[DealId],
) -> Reading<'a, Vec<HandleRow>> {
    db.all(bind!(HANDLES, brand, json_list(deals)))
}

/// Which of these are codes of the brand.
///
/// # Errors
/// [`super::DbError`].
pub fn known<'a>(db: &'a dyn Database, brand: BrandId, ids: &[CodeId]) -> Reading<'a, Vec<CodeId>> {
    let statement = bind!(KNOWN, brand, json_list(ids));
    db.ask(Freshness::Primary, statement, |rows| rows.column("id"))
}

/// Links that apply a code.
///
/// # Errors
/// [`super::DbError`].
pub fn links_of(db: &dyn Database, brand: BrandId, id: CodeId) -> Reading<'_, Vec<LinkOfCode>> {
    db.all(bind!(LINKS_OF_CODE, brand, id))
}
