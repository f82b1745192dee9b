//! Every order arrives: what webhooks don't tell is fetched from the shop.
//!
//! The back-fill of what was there before the store was connected ([`backfill`]), what changed since the last
//! time ([`reconcile`]), days compared with the platform's own count ([`compare`]), single orders, and what
//! the shop saw of visits. All of it takes the way of webhooks (`jobs/order`), so that nothing counts twice
//! and nothing is decided differently.

pub mod backfill;
pub mod bulk;
pub mod compare;
pub mod fetch;
pub mod journeys;
pub mod reconcile;

use super::outbox::{Step, Work};
use super::shopify::Failed;
use crate::app::{App, Pending};
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::json::json;
use crate::domain::task::Kind;
use crate::domain::time::{Day, Millis, Zone};
use crate::error::Result;
use crate::storage::outbox::{self as rows, NewTask, TaskRow};
use crate::storage::syncs::{self, ConnectedRow};
use crate::storage::{DbError, Statement};

/// Shopify takes so long at most to deliver what it delivers at once: what is younger isn't missed yet.
const UNDER_WAY_MS: Millis = 5 * 60_000;
/// Orders younger than this are shown to every app; older ones need `read_all_orders`.
pub(super) const SHOWN_MS: Millis = 60 * 24 * 3_600_000;

/// A store's back-fill, for the batch of what asks for it; that batch aborts if one is under way. Without
/// `from_ms`: all that the shop shows.
#[must_use]
pub fn backfill_task(
    app: &App,
    brand: BrandId,
    store: StoreId,
    from_ms: Option<Millis>,
) -> Vec<Statement> {
    let now_ms = app.now_ms();
    let put = super::outbox::put(app, brand, store, (Kind::Backfill, ""), "{}");
    vec![syncs::begin(brand, store, from_ms, now_ms), put]
}

/// Puts what is due at the brands' connected stores: every five minutes orders that are nobody's are asked
/// about, every hour what changed lately is fetched and the present day compared, every night more of it.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away: the next run makes up for it.
#[must_use]
pub fn schedule(app: &App, due: Due) -> Pending<'_, Result<i64>> {
    let job: for<'a> fn(&'a App, BrandId) -> Pending<'a, Result<i64>> = match due {
        Due { nightly: true, .. } => |app, brand| Box::pin(schedule_brand(app, brand, Due::ALL)),
        Due { later: true, .. } => {
            |app, brand| Box::pin(schedule_brand(app, brand, Due { nightly: false, ..Due::ALL }))
        }
        Due { hourly: true, .. } => {
            |app, brand| Box::pin(schedule_brand(app, brand, Due { hourly: true, ..Due::NOW }))
        }
        _ => |app, brand| Box::pin(schedule_brand(app, brand, Due::NOW)),
    };
    Box::pin(super::for_every_brand(app, job))
}

/// The back-fill that follows when a store was reached for the first time, for the batch that says so.
#[must_use]
pub fn first_backfill(app: &App, brand: BrandId, store: StoreId) -> [Statement; 2] {
    let now_ms = app.now_ms();
    let put = super::outbox::put(app, brand, store, (Kind::Backfill, ""), "{}");
    [syncs::begin_first(brand, store, now_ms), put]
}

/// What is due beside orders of a moment ago.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    hourly: bool,
    later: bool,
    nightly: bool,
}

impl Due {
    /// Nothing else.
    const NOW: Self = Self { hourly: false, later: false, nightly: false };
    /// All of it.
    pub const ALL: Self = Self { hourly: true, later: true, nightly: true };

    /// What is due in this minute since 1970, of those that end in 4 or 9.
    #[must_use]
    pub const fn at(minute: i64) -> Self {
        let hourly = minute % 60 < 5;
        let hour = minute.div_euclid(60);
        Self { hourly, later: hourly && hour % 6 == 3, nightly: hourly && hour % 24 == 3 }
    }
}

async fn schedule_brand(app: &App, brand: BrandId, due: Due) -> Result<i64> {
    let now_ms = app.now_ms();
    let mut batch = Vec::new();
    for store in syncs::connected(app.db(), brand).await? {
        let (from_ms, until_ms) = journeys::soon(now_ms);
        let span = ((from_ms, ""), until_ms);
        // Rows are written only where there is something to do.
        let asks = syncs::without_journey(app.db(), brand, store.store_id, span, 1).await?;
        batch.extend(due_at(app, brand, &store, (due, !asks.is_empty()), now_ms));
    }
    let put = i64::try_from(batch.len()).unwrap_or(0);
    if !batch.is_empty() {
        app.db().run(batch).await?;
    }
    Ok(put)
}

fn due_at(
    app: &App,
    brand: BrandId,
    store: &ConnectedRow,
    (due, asks): (Due, bool),
    now_ms: Millis,
) -> Vec<Statement> {
    let put = |kind, subject: &str, payload: &str| {
        let store = store.store_id;
        let task = NewTask { id: app.new_id(), store, kind, subject, payload, due_at_ms: now_ms };
        rows::put(brand, &task, now_ms)
    };
    let mut batch = Vec::new();
    if asks {
        let span = journeys::payload(journeys::soon(now_ms), "");
        batch.push(put(Kind::AskJourneys, "", &span));
    }
    let zone = zone_of(store.timezone.as_deref());
    if due.hourly {
        batch.push(put(Kind::Reconcile, "", "{}"));
        let today = zone.day(now_ms);
        batch.push(put(Kind::CompareDays, "today", &compare::span(today.plus(-1), today)));
    }
    if due.later {
        let span = journeys::payload(journeys::later(now_ms), "");
        batch.push(put(Kind::AskJourneys, "later", &span));
    }
    if due.nightly {
        batch.push(put(Kind::Reconcile, "night", &json!({ "night": true })));
        let today = zone.day(now_ms);
        batch.push(put(Kind::CompareDays, "night", &compare::span(today.plus(-14), today)));
        let known = |day: &Day| store.since_ms.is_some_and(|since| zone.start_of(*day) >= since);
        for day in compare::by_ids(today).into_iter().filter(known) {
            batch.push(put(Kind::CompareDays, &day.to_iso(), &compare::ids_of(day)));
        }
    }
    batch
}

/// Until when what a shop tells should have arrived: a whole second, as shops tell times.
pub(super) fn settled_ms(now_ms: Millis) -> Millis {
    (now_ms - UNDER_WAY_MS).div_euclid(1000) * 1000
}

/// The calendar of a shop; UTC while it isn't known.
pub(super) fn zone_of(name: Option<&str>) -> Zone {
    name.and_then(Zone::named).unwrap_or_else(Zone::utc)
}

/// One step of a task of ours.
///
/// # Errors
/// [`Failed`].
pub async fn handle(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    match task.kind {
        Kind::Backfill => backfill::step(work, task).await,
        Kind::Reconcile => reconcile::step(work, task).await,
        Kind::CompareDays => compare::step(work, task).await,
        Kind::RefetchOrder => refetch(work, &task.subject).await,
        _ => journeys::step(work, task).await,
    }
}

/// Fetches one order; one that the shop doesn't show (any more) stays as it is known.
async fn refetch(work: &mut Work<'_>, external_id: &str) -> Result<Step, Failed> {
    let orders = fetch::by_ids(work, &[external_id.to_owned()]).await?;
    let (_, statements) = fetch::take(work, orders, None).await?;
    Ok(Step::Done(statements))
}

/// What else changes when a task of ours is given up.
#[must_use]
pub fn given_up(
    app: &App,
    brand: BrandId,
    store: StoreId,
    kind: Kind,
    why: &str,
) -> Vec<Statement> {
    if kind != Kind::Backfill {
        return Vec::new();
    }
    let told =
        syncs::Told { state: syncs::State::Failed, from_ms: None, total: None, problem: Some(why) };
    vec![syncs::tell(brand, store, &told, app.now_ms())]
}

/// Since when webhooks should tell a store's orders: since its first back-fill was asked for, or it was first
/// reached.
pub(super) async fn since(
    work: &mut Work<'_>,
    row: Option<&syncs::SyncRow>,
) -> Result<Millis, Failed> {
    let connected_ms = work.admin().await?.access.connected_at_ms;
    Ok(connected_ms.or(row.and_then(|row| row.to_ms)).unwrap_or(Millis::MAX))
}

/// The store's back-fill row, which there is where a step of one runs.
pub(super) async fn found(work: &Work<'_>) -> Result<Option<syncs::SyncRow>, DbError> {
    syncs::find(work.app.db(), work.brand, work.store).await
}
