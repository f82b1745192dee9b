//! Tasks at the platforms of stores, and who works at them.
//!
//! A task is put in the batch of what causes it. One worker holds a store's lease; every step of a
//! task is one batch, which aborts if the lease went to somebody else or the task changed meanwhile.

use super::{Database, DbError, Reading, Statement, bind, row, spelling, statements};
use crate::domain::ids::{BrandId, StoreId, TaskId};
use crate::domain::task::Kind;
use crate::domain::time::Millis;

statements! {
    /// One that waits already is done once more from where it is: whoever works at it now has read
    /// what was before.
    PUT_TASK = "
INSERT INTO outbox (brand_id, id, store_id, kind, subject, payload, state, due_at_ms, created_at_ms,
  changed_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7, ?8, ?8)
ON CONFLICT (brand_id, store_id, kind, subject) WHERE state = 'waiting' DO UPDATE SET
  due_at_ms = min(due_at_ms, excluded.due_at_ms), revision = revision + 1";

    /// As [`PUT_TASK`], where the store is connected.
    PUT_IF_CONNECTED = "
INSERT INTO outbox (brand_id, id, store_id, kind, subject, payload, state, due_at_ms, created_at_ms,
  changed_at_ms) SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'waiting', CAST(?7 AS INTEGER), CAST(?8 AS INTEGER),
  CAST(?8 AS INTEGER) FROM store_access
WHERE brand_id = ?1 AND store_id = ?3 AND state = 'connected'
ON CONFLICT (brand_id, store_id, kind, subject) WHERE state = 'waiting' DO UPDATE SET
  due_at_ms = min(due_at_ms, excluded.due_at_ms), revision = revision + 1";

    /// Stores that have something to do, longest waiting first.
    DUE_STORES = "
SELECT brand_id, store_id, min(due_at_ms) AS due_at_ms FROM outbox INDEXED BY outbox_due
WHERE state = 'waiting' AND due_at_ms <= ?1 GROUP BY brand_id, store_id ORDER BY 3 LIMIT ?2";

    NEXT_TASK = "
SELECT id, kind, subject, payload, tries, revision, created_at_ms,
  coalesce((SELECT a.changes FROM store_access a WHERE a.brand_id = ?1 AND a.store_id = ?2), 0) AS access_changes
FROM outbox INDEXED BY outbox_by_store
WHERE brand_id = ?1 AND store_id = ?2 AND state = 'waiting' AND due_at_ms <= ?3
ORDER BY due_at_ms LIMIT 1";

    /// ?3 the revision that was read: another aborts.
    STEP = "
UPDATE outbox SET revision = iif(revision = ?3, revision + 1, NULL), state = ?4, payload = ?5,
  told = ?6, tries = ?7, due_at_ms = ?8, changed_at_ms = ?9
WHERE brand_id = ?1 AND id = ?2";

    /// Tasks of a kind, newest first.
    TASKS = "
SELECT id, kind, subject, payload, state, told, tries, due_at_ms, created_at_ms, changed_at_ms
FROM outbox WHERE brand_id = ?1 AND store_id = ?2 AND kind = ?3 ORDER BY id DESC LIMIT ?4";

    /// What the shop hindered goes on, now that it lets us in.
    WAKE = "
UPDATE outbox SET due_at_ms = min(due_at_ms, ?3)
WHERE brand_id = ?1 AND store_id = ?2 AND state = 'waiting' AND told <> ''";

    /// What waits and what failed lately, of all brands: for the operator.
    OUTBOX_STANDING = "
SELECT (SELECT count(*) FROM outbox INDEXED BY outbox_due WHERE state = 'waiting') AS waiting,
  (SELECT min(due_at_ms) FROM outbox INDEXED BY outbox_due WHERE state = 'waiting') AS oldest_due_ms";

    /// ?3 holder, ?4 until when, ?5 now.
    TAKE_LEASE = "
INSERT INTO store_leases (brand_id, store_id, holder, until_ms) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (brand_id, store_id) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
WHERE until_ms <= ?5 RETURNING holder";

    /// Aborts if somebody else has it by now.
    HOLD_LEASE = "
UPDATE store_leases SET until_ms = iif(holder = ?3, CAST(?4 AS INTEGER), NULL)
WHERE brand_id = ?1 AND store_id = ?2";

    GIVE_LEASE = "
UPDATE store_leases SET until_ms = 0 WHERE brand_id = ?1 AND store_id = ?2 AND holder = ?3";

}

spelling!(Kind {
    RegisterWebhooks = "register_webhooks",
    Backfill = "backfill",
    Reconcile = "reconcile",
    CompareDays = "compare_days",
    RefetchOrder = "refetch_order",
    AskJourneys = "ask_journeys",
    GoaffproSync = "goaffpro_sync",
    GoaffproAffiliate = "goaffpro_affiliate",
    MakeCode = "make_code",
    AddCodes = "add_codes",
    SwitchCode = "switch_code",
    ChangeGroup = "change_group",
    LookAtCodes = "look_at_codes",
    LookAtCollections = "look_at_collections",
});

row! {
    /// A store that has something to do.
    #[derive(Debug, Clone)]
    pub struct DueRow {
        /// Whose.
        pub brand_id: BrandId,
        /// Which store.
        pub store_id: StoreId,
        /// Since when the longest waiting task is due.
        pub due_at_ms: Millis,
    }
}

row! {
    /// A task to be done.
    #[derive(Debug, Clone)]
    pub struct TaskRow {
        /// Its id.
        pub id: TaskId,
        /// What is to be done.
        pub kind: Kind,
        /// With what: an id, or ''.
        pub subject: String,
        /// JSON: where it is.
        pub payload: String,
        /// How often it was tried without getting on.
        pub tries: u32,
        /// How often it changed.
        pub revision: i64,
        /// When it was put.
        pub created_at_ms: Millis,
        /// How often somebody had changed what opens the store.
        pub access_changes: i64,
    }
}

row! {
    /// A task as it is shown.
    #[derive(Debug, Clone)]
    pub struct ShownTask {
        /// Its id.
        pub id: TaskId,
        /// With what.
        pub subject: String,
        /// JSON: where it is.
        pub payload: String,
        /// `waiting`, `done` or `failed`.
        pub state: String,
        /// What came of it, in words.
        pub told: String,
        /// How often it was tried without getting on.
        pub tries: u32,
        /// When it goes on.
        pub due_at_ms: Millis,
        /// When it was put.
        pub created_at_ms: Millis,
        /// When it last got on.
        pub changed_at_ms: Millis,
    }
}

row! {
    /// How the outbox does.
    #[derive(Debug, Clone)]
    pub struct Standing {
        /// How many tasks wait.
        pub waiting: i64,
        /// When the first of them is or was due.
        pub oldest_due_ms: Option<Millis>,
    }
}

/// What a task is about.
#[derive(Debug, Clone, Copy)]
pub struct NewTask<'a> {
    /// Its id, should there be none of the kind and subject yet.
    pub id: TaskId,
    /// At which store.
    pub store: StoreId,
    /// What is to be done.
    pub kind: Kind,
    /// With what: an id, or ''.
    pub subject: &'a str,
    /// JSON: where it begins.
    pub payload: &'a str,
    /// When it may begin.
    pub due_at_ms: Millis,
}

/// Puts a task, for the batch of what causes it.
#[must_use]
pub fn put(brand: BrandId, task: &NewTask<'_>, now_ms: Millis) -> Statement {
    let NewTask { id, store, kind, subject, payload, due_at_ms } = *task;
    bind!(PUT_TASK, brand, id, store, kind, subject, payload, due_at_ms, now_ms)
}

/// As [`put`], where the store is connected: elsewhere there is nobody to ask.
#[must_use]
pub fn put_if_connected(brand: BrandId, task: &NewTask<'_>, now_ms: Millis) -> Statement {
    Statement { sql: PUT_IF_CONNECTED.into(), ..put(brand, task, now_ms) }
}

/// Stores that have something to do.
///
/// # Errors
/// [`DbError`].
pub fn due(db: &dyn Database, now_ms: Millis, limit: u32) -> Reading<'_, Vec<DueRow>> {
    db.all(bind!(DUE_STORES, now_ms, limit))
}

/// The store's next task.
///
/// # Errors
/// [`DbError`].
pub fn next(
    db: &dyn Database,
    brand: BrandId,
    store: StoreId,
    now_ms: Millis,
) -> Reading<'_, Option<TaskRow>> {
    db.first(bind!(NEXT_TASK, brand, store, now_ms))
}

/// The latest tasks of a kind at a store.
///
/// # Errors
/// [`DbError`].
pub fn of_kind(
    db: &dyn Database,
    brand: BrandId,
    store: StoreId,
    kind: Kind,
    limit: u32,
) -> Reading<'_, Vec<ShownTask>> {
    db.all(bind!(TASKS, brand, store, kind, limit))
}

/// Has what the shop hindered go on now, as it lets us in again.
#[must_use]
pub fn wake(brand: BrandId, store: StoreId, now_ms: Millis) -> Statement {
    bind!(WAKE, brand, store, now_ms)
}

/// What waits.
///
/// # Errors
/// [`DbError`].
pub fn standing(db: &dyn Database) -> Reading<'_, Option<Standing>> {
    db.first(bind!(OUTBOX_STANDING))
}

/// Where a task stands after a step.
#[derive(Debug, Clone)]
pub struct Stepped {
    /// `waiting`, `done` or `failed`.
    pub state: &'static str,
    /// JSON: where it goes on.
    pub payload: String,
    /// What came of it, in words.
    pub told: String,
    /// How often it was tried without getting on.
    pub tries: u32,
    /// When it goes on.
    pub due_at_ms: Millis,
}

/// Changes a task, if it still is as it was read.
#[must_use]
pub fn step(brand: BrandId, task: &TaskRow, after: &Stepped, now_ms: Millis) -> Statement {
    let Stepped { state, payload, told, tries, due_at_ms } = after;
    bind!(STEP, brand, task.id, task.revision, *state, payload, told, *tries, *due_at_ms, now_ms)
}

row! {
    struct Holder {
        holder: String,
    }
}

/// Who works at a store until when.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Whose.
    pub brand: BrandId,
    /// Which store.
    pub store: StoreId,
    /// Who: a random name.
    pub holder: String,
}

/// Takes the lease, if nobody has it.
///
/// # Errors
/// [`DbError`].
pub async fn take(
    db: &dyn Database,
    lease: &Lease,
    until_ms: Millis,
    now_ms: Millis,
) -> Result<bool, DbError> {
    let Lease { brand, store, holder } = lease;
    let take = bind!(TAKE_LEASE, *brand, *store, holder, until_ms, now_ms);
    let taken = db.first::<Holder>(take).await?;
    Ok(taken.is_some_and(|row| row.holder == *holder))
}

/// Keeps the lease; aborts the batch if somebody else has it by now.
#[must_use]
pub fn hold(lease: &Lease, until_ms: Millis) -> Statement {
    bind!(HOLD_LEASE, lease.brand, lease.store, &lease.holder, until_ms)
}

/// Gives the lease back.
#[must_use]
pub fn give(lease: &Lease) -> Statement {
    bind!(GIVE_LEASE, lease.brand, lease.store, &lease.holder)
}
