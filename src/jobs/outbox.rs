//! What is done at the platforms of stores: one worker per store, one step after the other.
//!
//! Each step of a task looks or changes something at the platform, and then is one batch: what came of
//! it, where the task goes on, and the lease, which aborts it if somebody else works there by now.
//! So a step may be done twice at the platform, never twice here; what changes something there looks
//! first whether it was done (`Trouble::Unknown`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::shopify::{Admin, Failed};
use crate::app::{App, Pending};
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::domain::task::{Kind, next_try_ms};
use crate::domain::time::Millis;
use crate::error::Result;
use crate::partners::trouble::Trouble;
use crate::storage::outbox::{self as rows, Lease, NewTask, Stepped, TaskRow};
use crate::storage::{DbError, Statement, collections};
use crate::web::mail::tell_lost;

/// Nobody else works at a store for so long after a step.
const LEASE_MS: Millis = 90_000;
/// A run begins no step later than this.
const LONGEST_RUN_MS: Millis = 40_000;
/// A run begins no step after so many statements, of all its stores: D1 takes a thousand in a request, and a step
/// takes up to three hundred (25 orders of GoAffPro, or a page of 50 that all changed).
const MOST_STATEMENTS: u32 = 600;
/// A step of many parts ends early after so many.
const NEARLY_ALL: u32 = 850;
/// The run of every minute looks at so many stores.
const MOST_STORES: u32 = 20;
/// What gets nowhere is given up after so many tries, which is about three days.
const MOST_TRIES: u32 = 80;
/// A person waits for somebody else's work so often,
const MOST_WAITS: u32 = 9;
/// and so long each time.
const WAIT_MS: u32 = 500;
/// A store that doesn't let us in is tried again so much later.
const LOCKED_OUT_MS: Millis = 3_600_000;

/// A run goes on after so many steps that were made of what had changed meanwhile.
const MOST_LOST: u32 = 10;

/// What a step came to.
pub enum Step {
    /// The task is done; the statements belong to it.
    Done(Vec<Statement>),
    /// It got on, and goes on at this time from this payload.
    On {
        /// JSON: where it goes on.
        payload: String,
        /// When.
        due_at_ms: Millis,
        /// What belongs to the step.
        statements: Vec<Statement>,
    },
    /// It can't be done, and why, in the brand's words.
    Failed(String, Vec<Statement>),
}

/// A store that is worked at. Its platform is opened when the first task needs it.
pub struct Work<'a> {
    /// The application.
    pub app: &'a App,
    /// Whose store.
    pub brand: BrandId,
    /// Which.
    pub store: StoreId,
    lease: Lease,
    admin: Option<Admin>,
    asked: Arc<AtomicU32>,
}

impl<'a> Work<'a> {
    /// The shop's Admin API.
    ///
    /// # Errors
    /// [`Failed`]: there is no way in, or not now.
    pub async fn admin(&mut self) -> Result<&mut Admin, Failed> {
        let admin = match self.admin.take() {
            Some(admin) => admin,
            None => Admin::open(self.app, self.brand, self.store).await?,
        };
        Ok(self.admin.insert(admin))
    }

    /// Takes the lease for a person who waits, who waits for others a few seconds at most; nothing if
    /// somebody else still works there then.
    ///
    /// # Errors
    /// [`DbError`]
    pub async fn take(
        app: &'a App,
        brand: BrandId,
        store: StoreId,
    ) -> Result<Option<Self>, DbError> {
        for waited in 0..MOST_WAITS {
            if waited > 0 {
                app.clock.pause(WAIT_MS).await;
            }
            let lease = Lease { brand, store, holder: hex(&app.random::<12>()) };
            let now_ms = app.now_ms();
            if rows::take(app.db(), &lease, now_ms + LEASE_MS, now_ms).await? {
                let asked = Arc::default();
                return Ok(Some(Self { app, brand, store, lease, admin: None, asked }));
            }
        }
        Ok(None)
    }

    /// Gives the lease back: what else is to be done there may begin.
    pub async fn give(self) {
        let _ = self.app.db().run(vec![rows::give(&self.lease)]).await;
    }

    /// The shop's Admin API for somebody who asks whether it opens, even if it removed the app.
    ///
    /// # Errors
    /// [`Failed`]
    pub async fn try_again(&mut self) -> Result<&mut Admin, Failed> {
        let admin = Admin::try_again(self.app, self.brand, self.store).await?;
        Ok(self.admin.insert(admin))
    }

    /// Whether a step of many parts should go on in another run: D1 takes no more of this one soon.
    #[must_use]
    pub fn is_nearly_over(&self) -> bool {
        self.asked.load(Ordering::Relaxed) >= NEARLY_ALL
    }

    /// Whether nobody else works here by now.
    async fn still_holds(&self) -> bool {
        self.app.db().run(vec![self.hold()]).await.is_ok()
    }

    /// Says again that we work here, beside what a long step writes.
    #[must_use]
    pub fn hold(&self) -> Statement {
        rows::hold(&self.lease, self.app.now_ms() + LEASE_MS)
    }
}

/// Puts a task for the batch of what causes it, and has it begun after the answer.
pub fn put(
    app: &App,
    brand: BrandId,
    store: StoreId,
    (kind, subject): (Kind, &str),
    payload: &str,
) -> Statement {
    let now_ms = app.now_ms();
    app.note_work(brand, store);
    let task = NewTask { id: app.new_id(), store, kind, subject, payload, due_at_ms: now_ms };
    rows::put(brand, &task, now_ms)
}

/// Works at the stores that have something to do; tells how many steps were made.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away: the next run goes on.
pub async fn run_due(app: &App) -> Result<i64> {
    let begun_ms = app.now_ms();
    let (app, asked) = &app.counting();
    let mut steps = 0;
    let mut failed = None;
    for due in rows::due(app.db(), begun_ms, MOST_STORES).await? {
        if is_over(app, begun_ms, asked) {
            break;
        }
        match run(app, (due.brand_id, due.store_id), begun_ms, asked).await {
            Ok(made) => steps += made,
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(steps), |error| Err(error.into()))
}

/// Works at these stores, if their commands put something: what follows an answer.
#[must_use]
pub fn run_noted(app: App, stores: Vec<(BrandId, StoreId)>) -> Pending<'static, ()> {
    Box::pin(async move {
        let (app, asked) = app.counting();
        for (brand, store) in stores {
            let begun_ms = app.now_ms();
            if let Err(error) = run(&app, (brand, store), begun_ms, &asked).await {
                let detail = error.to_string();
                app.log.write(&json!({ "event": "task_left", "store": store, "detail": detail }));
            }
        }
    })
}

/// Whether a run begins no step any more: what is due is so in the next.
fn is_over(app: &App, begun_ms: Millis, asked: &AtomicU32) -> bool {
    app.now_ms() - begun_ms >= LONGEST_RUN_MS || asked.load(Ordering::Relaxed) >= MOST_STATEMENTS
}

/// Works at one store, if nobody else does: what is due, one step after the other.
async fn run(
    app: &App,
    (brand, store): (BrandId, StoreId),
    begun_ms: Millis,
    asked: &Arc<AtomicU32>,
) -> Result<i64, DbError> {
    let lease = Lease { brand, store, holder: hex(&app.random::<12>()) };
    let now_ms = app.now_ms();
    if !rows::take(app.db(), &lease, now_ms + LEASE_MS, now_ms).await? {
        return Ok(0);
    }
    let mut work = Work { app, brand, store, lease, admin: None, asked: asked.clone() };
    let (mut steps, mut lost) = (0, 0);
    let done = loop {
        if is_over(app, begun_ms, asked) {
            break Ok(steps);
        }
        match rows::next(app.db(), brand, store, app.now_ms()).await {
            Ok(Some(task)) => match step(&mut work, &task).await {
                Ok(()) => steps += 1,
                // The task changed meanwhile, or somebody else works here.
                Err(DbError::Constraint(_)) if lost < MOST_LOST && work.still_holds().await => {
                    lost += 1;
                    // Or what opens the store: it is opened anew.
                    work.admin = None;
                }
                // It will be refused as long as it is what it is: what else is to be done here goes on.
                Err(DbError::Constraint(why) | DbError::Failed(why)) => {
                    match put_off(&work, &task, &why).await {
                        Ok(()) => lost = 0,
                        Err(DbError::Constraint(_)) => break Ok(steps),
                        Err(error) => break Err(error),
                    }
                }
                Err(error) => break Err(error),
            },
            Ok(None) => break Ok(steps),
            Err(error) => break Err(error),
        }
    };
    let _ = app.db().run(vec![rows::give(&work.lease)]).await;
    done
}

/// One step of one task, and its batch.
async fn step(work: &mut Work<'_>, task: &TaskRow) -> Result<(), DbError> {
    let app = work.app;
    let made = match handle(work, task).await {
        Ok(made) => made,
        Err(Failed::Database(error)) => return Err(error),
        Err(Failed::Platform(trouble)) => return hindered(work, task, trouble).await,
    };
    let now_ms = app.now_ms();
    let after = |state, payload: &str, told: &str, due_at_ms| Stepped {
        state,
        payload: payload.to_owned(),
        told: told.to_owned(),
        tries: 0,
        due_at_ms,
    };
    let (after, statements) = match made {
        Step::Done(statements) => (after("done", &task.payload, "", now_ms), statements),
        Step::On { payload, due_at_ms, statements } => {
            (after("waiting", &payload, "", due_at_ms), statements)
        }
        Step::Failed(words, statements) => {
            (after("failed", &task.payload, &words, now_ms), statements)
        }
    };
    commit(work, task, &after, statements).await
}

/// A step whose batch our own database refuses: the task waits as after any other try that got nowhere,
/// so that it neither asks the platform for ever nor keeps others from their turn.
async fn put_off(work: &Work<'_>, task: &TaskRow, why: &str) -> Result<(), DbError> {
    let (kind, store) = (task.kind.name(), work.store);
    work.app.log.write(&json!({ "event": "task_refused", "store": store, "task": task.id,
        "kind": kind, "detail": why }));
    let words = "what came of it can't be kept: this is looked into";
    hindered(work, task, Trouble::Later(None, words.to_owned())).await
}

/// A step that the platform hindered: the task waits, or is given up.
async fn hindered(work: &Work<'_>, task: &TaskRow, trouble: Trouble) -> Result<(), DbError> {
    let app = work.app;
    let now_ms = app.now_ms();
    let tries = task.tries + 1;
    let [random] = app.random();
    let (mut state, due_at_ms) = match &trouble {
        Trouble::Later(until_ms, _) => ("waiting", next_try_ms(tries, *until_ms, random, now_ms)),
        Trouble::Unknown(_) => ("waiting", next_try_ms(tries, None, random, now_ms)),
        Trouble::Disconnected(_) => ("waiting", now_ms + LOCKED_OUT_MS),
        Trouble::Refused(_) => ("failed", now_ms),
    };
    if tries >= MOST_TRIES && !task.kind.never_ends() {
        state = "failed";
    }
    let told = trouble.words().to_owned();
    let (kind, store) = (task.kind, work.store);
    app.log.write(&json!({ "event": "task_hindered", "store": store, "task": task.id,
        "kind": kind.name(), "detail": told }));
    let payload = task.payload.clone();
    let after = Stepped { state, payload, told, tries, due_at_ms };
    let mut statements = Vec::new();
    if let Trouble::Disconnected(problem) = &trouble {
        statements.push(super::shopify::broken(
            work.brand,
            (store, task.access_changes),
            problem,
            now_ms,
        ));
        statements.extend(tell_lost(app, work.brand, store, problem, now_ms).await?);
    }
    if state == "failed" {
        statements.extend(given_up(work, task, &after.told));
    } else {
        statements.extend(super::codes::waits(work, task, &trouble));
    }
    commit(work, task, &after, statements).await
}

async fn commit(
    work: &Work<'_>,
    task: &TaskRow,
    after: &Stepped,
    statements: Vec<Statement>,
) -> Result<(), DbError> {
    let now_ms = work.app.now_ms();
    let mut batch = vec![work.hold(), rows::step(work.brand, task, after, now_ms)];
    batch.extend(statements);
    work.app.db().run(batch).await.map(drop)
}

/// Does a step of a task: one line per kind.
async fn handle(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    match task.kind {
        Kind::RegisterWebhooks => super::connecting::register(work, task).await,
        Kind::Backfill
        | Kind::Reconcile
        | Kind::CompareDays
        | Kind::RefetchOrder
        | Kind::AskJourneys => super::sync::handle(work, task).await,
        Kind::GoaffproSync => super::goaffpro::step(work, &task.subject, &task.payload).await,
        Kind::GoaffproAffiliate => super::goaffpro::create(work, &task.subject).await,
        Kind::MakeCode => super::codes::make(work, task).await,
        Kind::AddCodes => super::group_codes::add(work, task).await,
        Kind::SwitchCode => super::codes::switch(work, task).await,
        Kind::ChangeGroup => super::codes::change_group(work, task).await,
        Kind::LookAtCodes => super::code_watch::look(work, task).await,
        Kind::LookAtCollections => super::collections::look(work, task).await,
    }
}

/// What else changes when a task is given up: one line per kind that has something to show for it.
fn given_up(work: &Work<'_>, task: &TaskRow, words: &str) -> Vec<Statement> {
    match task.kind {
        Kind::RegisterWebhooks | Kind::GoaffproSync | Kind::LookAtCodes => Vec::new(),
        kind @ (Kind::Backfill
        | Kind::Reconcile
        | Kind::CompareDays
        | Kind::RefetchOrder
        | Kind::AskJourneys) => {
            super::sync::given_up(work.app, work.brand, work.store, kind, words)
        }
        Kind::GoaffproAffiliate => {
            super::goaffpro::given_up(work.brand, work.store, &task.subject, words)
        }
        Kind::LookAtCollections => vec![collections::unseen(work.brand, work.store, words)],
        Kind::MakeCode | Kind::AddCodes | Kind::SwitchCode | Kind::ChangeGroup => {
            super::codes::given_up(work, task, words)
        }
    }
}
