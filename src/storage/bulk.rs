//! Actions on many deals: what was asked for, how far it is, and what became of each deal.

use super::actions::Came;
use super::{Database, Page, Reading, Statement, bind, json_list, row, spelling, statements};
use crate::domain::ids::{BrandId, BulkId, DealId};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO bulk_actions (brand_id, id, preview, action, kind, actor_kind, actor_id, request_id, state, deals,
  created_at_ms, due_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'running', ?9, ?10, ?10)";

    INSERT_DEALS = "
INSERT INTO bulk_deals (brand_id, bulk_id, place, deal_id)
SELECT ?1, ?2, j.key, j.value FROM json_each(?3) j";

    FIND = "
SELECT id, action, actor_kind, actor_id, request_id, state, reason, deals, done, unchanged, refused, failed,
  created_at_ms, finished_at_ms FROM bulk_actions WHERE brand_id = ?1 AND id = ?2";

    OF_PREVIEW = "
SELECT id, action, actor_kind, actor_id, request_id, state, reason, deals, done, unchanged, refused, failed,
  created_at_ms, finished_at_ms FROM bulk_actions WHERE brand_id = ?1 AND preview = ?2";

    /// Latest first, before the id ?2.
    LIST = "
SELECT id, action, actor_kind, actor_id, request_id, state, reason, deals, done, unchanged, refused, failed,
  created_at_ms, finished_at_ms FROM bulk_actions WHERE brand_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    /// Those after the place ?3.
    RESULTS = "
SELECT place, deal_id, outcome, rule, why, subject, at_ms FROM bulk_deals
WHERE brand_id = ?1 AND bulk_id = ?2 AND place > ?3 ORDER BY place LIMIT ?4";

    DUE = "
SELECT brand_id, id FROM bulk_actions WHERE due_at_ms <= ?1 ORDER BY due_at_ms LIMIT ?2";

    /// Until ?4, if nobody else works at it at ?3.
    TAKE = "
UPDATE bulk_actions SET due_at_ms = ?4 WHERE brand_id = ?1 AND id = ?2 AND state = 'running' AND due_at_ms <= ?3
RETURNING id, action, actor_kind, actor_id, request_id, state, reason, deals, done, unchanged, refused, failed,
  created_at_ms, finished_at_ms";

    /// NULL, which aborts, if it doesn't run any more; the lease goes on until ?3.
    HOLD = "
UPDATE bulk_actions SET kind = iif(state = 'running', kind, NULL), due_at_ms = ?3
WHERE brand_id = ?1 AND id = ?2";

    WAITING = "
SELECT place, deal_id FROM bulk_deals INDEXED BY bulk_deals_waiting
WHERE brand_id = ?1 AND bulk_id = ?2 AND outcome IS NULL ORDER BY place LIMIT ?3";

    /// What became of the deal at ?3 for the cause ?4, in the batch of that.
    TELL = "
UPDATE bulk_deals SET outcome = a.outcome, rule = a.rule, why = a.why, subject = a.subject, at_ms = a.at_ms
FROM deal_actions a WHERE bulk_deals.brand_id = ?1 AND bulk_deals.bulk_id = ?2 AND bulk_deals.place = ?3
  AND bulk_deals.outcome IS NULL AND a.brand_id = ?1 AND a.deal_id = bulk_deals.deal_id AND a.cause = ?4";

    FAIL = "
UPDATE bulk_deals SET outcome = 'failed', rule = 'internal', why = ?4, at_ms = ?5
WHERE brand_id = ?1 AND bulk_id = ?2 AND place = ?3 AND outcome IS NULL";

    TRY = "
UPDATE bulk_deals SET tries = tries + 1 WHERE brand_id = ?1 AND bulk_id = ?2 AND place = ?3
RETURNING tries";

    /// The lease ends at ?3; what doesn't run has none.
    GIVE = "
UPDATE bulk_actions SET due_at_ms = ?3 WHERE brand_id = ?1 AND id = ?2 AND state = 'running'";

    FINISH = "
UPDATE bulk_actions SET state = 'finished', finished_at_ms = ?3, due_at_ms = NULL
WHERE brand_id = ?1 AND id = ?2 AND state = 'running' AND NOT EXISTS (SELECT 1 FROM bulk_deals b
  INDEXED BY bulk_deals_waiting WHERE b.brand_id = ?1 AND b.bulk_id = ?2 AND b.outcome IS NULL)";

    /// To the state ?3 at ?4 from a state of the list ?5; another aborts.
    CHANGE = "
UPDATE bulk_actions SET state = iif(EXISTS (SELECT 1 FROM json_each(?5) j WHERE j.value = state), ?3, NULL),
  due_at_ms = iif(?3 = 'running', +?4, NULL), finished_at_ms = iif(?3 = 'cancelled', +?4, NULL), reason = ?6
WHERE brand_id = ?1 AND id = ?2";

    /// What a key may do now.
    KEY = "
SELECT k.scopes, b.money_keys FROM api_keys k JOIN brands b ON b.id = k.brand_id
WHERE k.brand_id = ?1 AND k.id = ?2 AND k.revoked_at_ms IS NULL AND (k.expires_at_ms IS NULL OR k.expires_at_ms > ?3)";
}

/// How an action on many deals does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkState {
    /// It is worked at.
    Running,
    /// It waits for somebody to let it go on.
    Paused,
    /// It was given up.
    Cancelled,
    /// Every deal has its result.
    Finished,
}

spelling!(BulkState { Running = "running", Paused = "paused", Cancelled = "cancelled", Finished = "finished" });

row! {
    /// An action on many deals.
    #[derive(Debug, Clone)]
    pub struct BulkRow {
        /// Its id.
        pub id: BulkId,
        /// What is done, in JSON.
        pub action: String,
        /// Who asked for it: `key` or `member`,
        pub actor_kind: String,
        /// which,
        pub actor_id: String,
        /// and by which request.
        pub request_id: String,
        /// How it does.
        pub state: BulkState,
        /// Why it ended early; empty if nobody but its author knows.
        pub reason: String,
        /// How many deals.
        pub deals: i64,
        /// With how many it was done.
        pub done: i64,
        /// With how many nothing was to be done.
        pub unchanged: i64,
        /// With how many a rule said no.
        pub refused: i64,
        /// With how many we failed.
        pub failed: i64,
        /// When it was asked for.
        pub created_at_ms: Millis,
        /// When it ended.
        pub finished_at_ms: Option<Millis>,
    }
    /// What became of a deal.
    #[derive(Debug, Clone)]
    pub struct ResultRow {
        /// Its place in the order of work.
        pub place: i64,
        /// Which.
        pub deal_id: DealId,
        /// What became of it; nothing yet.
        pub outcome: Option<Came>,
        /// The rule that refused.
        pub rule: String,
        /// Why, in words.
        pub why: String,
        /// The ids of what was made, a JSON object.
        pub subject: String,
        /// When.
        pub at_ms: Option<Millis>,
    }
    /// A deal that waits.
    #[derive(Debug, Clone, Copy)]
    pub struct WaitingRow {
        /// Its place.
        pub place: i64,
        /// Which.
        pub deal_id: DealId,
    }
    /// One that has something to do.
    #[derive(Debug, Clone, Copy)]
    pub struct DueRow {
        /// Whose.
        pub brand_id: BrandId,
        /// Which.
        pub id: BulkId,
    }
    /// What a key may do.
    #[derive(Debug, Clone)]
    pub struct KeyRow {
        /// Its scopes, as storage writes them.
        pub scopes: String,
        /// Whether keys may move money.
        pub money_keys: bool,
    }
}

/// An action on many deals, to be stored.
pub struct NewBulk<'a> {
    /// Its id.
    pub id: BulkId,
    /// The preview that it follows.
    pub preview: &'a str,
    /// What is done, in JSON,
    pub action: &'a str,
    /// and the word for it.
    pub kind: &'a str,
    /// Who asks for it.
    pub actor: crate::domain::auth::Actor,
    /// By which request.
    pub request_id: &'a str,
    /// To which deals, in the order of work.
    pub deals: &'a [DealId],
}

/// Stores it; a second one of the same preview aborts.
#[must_use]
pub fn insert(brand: BrandId, new: &NewBulk<'_>, now_ms: Millis) -> [Statement; 2] {
    let NewBulk { id, preview, action, kind, actor, request_id, deals } = *new;
    let count = i64::try_from(deals.len()).unwrap_or(i64::MAX);
    let (by, who) = (actor.kind(), actor.id());
    [
        bind!(INSERT, brand, id, preview, action, kind, by, who, request_id, count, now_ms),
        bind!(INSERT_DEALS, brand, id, json_list(deals)),
    ]
}

/// One of them.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: BulkId) -> Reading<'_, Option<BulkRow>> {
    db.first(bind!(FIND, brand, id))
}

/// The one that follows a preview.
///
/// # Errors
/// [`super::DbError`].
pub fn of_preview<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    preview: &str,
) -> Reading<'a, Option<BulkRow>> {
    db.first(bind!(OF_PREVIEW, brand, preview))
}

/// A page of them, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<BulkRow>> {
    // After all ids, whose alphabet ends with z.
    let before = if page.after.is_empty() { "bulk_~" } else { &page.after };
    db.all(bind!(LIST, brand, before, page.limit))
}

/// What became of the deals after a place, in the order of work.
///
/// # Errors
/// [`super::DbError`].
pub fn results(
    db: &dyn Database,
    (brand, id): (BrandId, BulkId),
    after: i64,
    limit: i64,
) -> Reading<'_, Vec<ResultRow>> {
    db.all(bind!(RESULTS, brand, id, after, limit))
}

/// Those that have something to do, longest first.
///
/// # Errors
/// [`super::DbError`].
pub fn due(db: &dyn Database, now_ms: Millis, most: u32) -> Reading<'_, Vec<DueRow>> {
    db.all(bind!(DUE, now_ms, most))
}

/// Takes one to work at until a time, if nobody else does.
///
/// # Errors
/// [`super::DbError`].
pub fn take(
    db: &dyn Database,
    due: DueRow,
    now_ms: Millis,
    until_ms: Millis,
) -> Reading<'_, Option<BulkRow>> {
    db.first(bind!(TAKE, due.brand_id, due.id, now_ms, until_ms))
}

/// The constraint by which [`hold`] aborts.
pub const STOPPED: &str = "bulk_actions.kind";

/// Goes on until a time; aborts if it is to go on no more.
#[must_use]
pub fn hold(bulk: DueRow, until_ms: Millis) -> Statement {
    bind!(HOLD, bulk.brand_id, bulk.id, until_ms)
}

/// The next deals that have no result.
///
/// # Errors
/// [`super::DbError`].
pub fn waiting(db: &dyn Database, bulk: DueRow, most: u32) -> Reading<'_, Vec<WaitingRow>> {
    db.all(bind!(WAITING, bulk.brand_id, bulk.id, most))
}

/// Tells what became of a deal, in the batch that did it for this cause and after it.
#[must_use]
pub fn tell(bulk: DueRow, place: i64, cause: &str) -> Statement {
    bind!(TELL, bulk.brand_id, bulk.id, place, cause)
}

/// Tells that we failed with a deal.
#[must_use]
pub fn fail(bulk: DueRow, place: i64, why: &str, now_ms: Millis) -> Statement {
    bind!(FAIL, bulk.brand_id, bulk.id, place, why, now_ms)
}

/// Counts a try that came to nothing; answers how many there were.
///
/// # Errors
/// [`super::DbError`].
pub fn tried(db: &dyn Database, bulk: DueRow, place: i64) -> Reading<'_, Vec<i64>> {
    let statement = bind!(TRY, bulk.brand_id, bulk.id, place);
    db.ask(super::Freshness::Primary, statement, |rows| rows.column("tries"))
}

/// Lets others work at it from a time on.
#[must_use]
pub fn give(bulk: DueRow, at_ms: Millis) -> Statement {
    bind!(GIVE, bulk.brand_id, bulk.id, at_ms)
}

/// Ends it if every deal has its result.
#[must_use]
pub fn finish(bulk: DueRow, now_ms: Millis) -> Statement {
    bind!(FINISH, bulk.brand_id, bulk.id, now_ms)
}

/// Changes how it does; aborts unless it is in one of the states `from`.
#[must_use]
pub fn change(
    bulk: DueRow,
    to: BulkState,
    from: &[&str],
    reason: &str,
    now_ms: Millis,
) -> Statement {
    bind!(CHANGE, bulk.brand_id, bulk.id, to, now_ms, json_list(from), reason)
}

/// What a key may do now; nothing if it is revoked or has expired.
///
/// # Errors
/// [`super::DbError`].
pub fn key<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    id: &str,
    now_ms: Millis,
) -> Reading<'a, Option<KeyRow>> {
    db.first(bind!(KEY, brand, id, now_ms))
}
