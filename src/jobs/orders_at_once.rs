//! Many orders at once, as a store tells them page by page: what is known costs nothing but a look, and all
//! that are new are one statement. Everything that is out of the ordinary takes the way that webhooks take.

use super::order::{self, Ingested};
use crate::app::App;
use crate::domain::ids::{BrandId, CreatorId, OrderId, StoreId};
use crate::domain::ingest::{self, Outcome};
use crate::domain::order::{Delivery, Facts, order_id};
use crate::domain::time::{Day, Millis, Zone};
use crate::storage::order_facts::{self, Named};
use crate::storage::syncs::{self, Progress};
use crate::storage::{DbError, Param, Statement, orders};

/// One statement takes rows of so many bytes: a parameter of D1 holds 2 MB.
const MOST_BYTES: usize = 600_000;

/// What became of many orders.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// How many were new, changed, known.
    pub progress: Progress,
    /// Those that can't be used, or should be looked at, by their place, and why.
    pub told: Vec<(usize, String)>,
}

/// Orders that are new although webhooks should have told them: those placed since the store was connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missed<'a> {
    /// The shop's calendar, by whose days they are counted.
    pub zone: &'a Zone,
    /// Since when webhooks should tell.
    pub since_ms: Millis,
}

/// Takes the orders of one store. Safe to call twice. What was missed is counted in the batch that takes it.
///
/// # Errors
/// [`DbError`] if D1 was away: some of them may be taken.
pub(super) async fn ingest_all(
    app: &App,
    (brand, store): (BrandId, StoreId),
    deliveries: &[Delivery],
    missed: Option<Missed<'_>>,
) -> Result<Taken, DbError> {
    let ids: Vec<OrderId> = deliveries.iter().map(|d| order_id(store, &d.external_id)).collect();
    let known = syncs::facts_of(app.db(), brand, &ids).await?;
    let mut taken = Taken::default();
    taken.progress.done = i64::try_from(deliveries.len()).unwrap_or(i64::MAX);
    let (mut new, mut alone) = (Vec::new(), Vec::new());
    for (place, (id, delivery)) in ids.iter().zip(deliveries).enumerate() {
        match known.iter().find(|known| known.id == *id) {
            None => new.push((place, delivery)),
            Some(known) if says_nothing_new(&known.facts, delivery) => {
                taken.progress.unchanged += 1
            }
            Some(known) => alone.push((place, delivery, known.facts.snapshot.is_some())),
        }
    }
    let rest = commit_new(app, (brand, store), &new, missed, &mut taken).await?;
    alone.extend(rest.into_iter().map(|(place, delivery)| (place, delivery, false)));
    for (place, delivery, knew) in alone {
        let (if_new, orders) = count(brand, store, &[delivery], missed);
        let done = order::ingest_beside(app, brand, store, delivery, &if_new).await?;
        let progress = &mut taken.progress;
        match done {
            Ingested::Unchanged => progress.unchanged += 1,
            Ingested::Committed | Ingested::Noted(_) if knew => progress.changed += 1,
            Ingested::Committed | Ingested::Noted(_) => {
                progress.new += 1;
                progress.missed += orders;
            }
            Ingested::Unusable(_) => progress.quarantined += 1,
        }
        if let Ingested::Noted(why) | Ingested::Unusable(why) = done {
            taken.told.push((place, why));
        }
    }
    Ok(taken)
}

fn says_nothing_new(known: &Facts, delivery: &Delivery) -> bool {
    known.merge(&delivery.report).is_ok_and(|told| told.forgetting() == *known)
}

/// Counts missed orders by the days on which they were placed: the statement, if there are any, and how many.
fn count(
    brand: BrandId,
    store: StoreId,
    new: &[&Delivery],
    missed: Option<Missed<'_>>,
) -> (Vec<Statement>, i64) {
    let Some(Missed { zone, since_ms }) = missed else { return (Vec::new(), 0) };
    let mut days: Vec<(Day, i64)> = Vec::new();
    let snapshots = new.iter().filter_map(|delivery| order_facts::snapshot(delivery));
    for snapshot in snapshots.filter(|snapshot| snapshot.placed_at_ms >= since_ms) {
        let day = zone.day(snapshot.placed_at_ms);
        match days.iter_mut().find(|(known, _)| *known == day) {
            Some((_, orders)) => *orders += 1,
            None => days.push((day, 1)),
        }
    }
    let orders = days.iter().map(|(_, orders)| orders).sum();
    let statement = (!days.is_empty()).then(|| syncs::add_missed(brand, store, &days));
    (statement.into_iter().collect(), orders)
}

/// An order that was decided and waits for its statement.
struct Decided<'a> {
    place: usize,
    delivery: &'a Delivery,
    commit: Statement,
    creator: Option<CreatorId>,
}

/// Commits first deliveries, as many as one statement holds at a time; answers those that it left.
async fn commit_new<'a>(
    app: &App,
    (brand, store): (BrandId, StoreId),
    new: &[(usize, &'a Delivery)],
    missed: Option<Missed<'_>>,
    taken: &mut Taken,
) -> Result<Vec<(usize, &'a Delivery)>, DbError> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let keys = &app.config.click_keys;
    let named: Vec<Named> = new.iter().map(|(_, delivery)| Named::by(delivery, keys)).collect();
    let rows = app.db().rows(order_facts::load_all(brand, &named)).await?;
    let Some(remembered) = order_facts::remembered(&rows, &named)? else {
        return Ok(new.to_vec());
    };
    let now_ms = app.now_ms();
    let (mut decided, mut left, mut zone) = (Vec::new(), Vec::new(), None);
    for ((place, delivery), named) in new.iter().zip(&named) {
        let Some(loaded) = remembered.loaded(named) else {
            left.push((*place, *delivery));
            continue;
        };
        let Ok(Outcome::Changed(change)) = ingest::decide(store, delivery, &loaded, keys, now_ms)
        else {
            left.push((*place, *delivery));
            continue;
        };
        let commit = orders::commit(brand, &change, None, now_ms)?;
        if order::is_too_large(&commit) || change.facts.foreign_refunds() > 0 {
            left.push((*place, *delivery));
            continue;
        }
        let creator = change.standing.filter(|_| loaded.tiers).map(|standing| standing.creator);
        decided.push(Decided { place: *place, delivery, commit, creator });
        zone = Some(loaded.zone);
    }
    let mut climbers: Vec<CreatorId> = Vec::new();
    let mut rest = decided.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(fitting(rest));
        rest = later;
        let commits: Vec<Statement> = now.iter().map(|one| one.commit.clone()).collect();
        let mut batch: Vec<Statement> = orders::commit_all(brand, &commits).into_iter().collect();
        let deliveries: Vec<&Delivery> = now.iter().map(|one| one.delivery).collect();
        let (counted, orders) = count(brand, store, &deliveries, missed);
        batch.extend(counted);
        match app.db().run(batch).await {
            Ok(_) => {
                taken.progress.new += i64::try_from(now.len()).unwrap_or(0);
                taken.progress.missed += orders;
                climbers.extend(now.iter().filter_map(|one| one.creator));
            }
            // One of them relies on what has changed, or came by another way just now.
            Err(DbError::Constraint(_)) => {
                left.extend(now.iter().map(|one| (one.place, one.delivery)));
            }
            Err(error) => return Err(error),
        }
    }
    climbers.sort_unstable();
    climbers.dedup();
    if let Some(zone) = zone {
        for creator in climbers {
            order::climb(app, brand, creator, &zone).await;
        }
    }
    Ok(left)
}

/// How many of these fit into one statement, at least one.
fn fitting(all: &[Decided<'_>]) -> usize {
    let mut bytes = 0;
    let bytes_of = |one: &Decided<'_>| -> usize {
        let length = |param: &Param| match param {
            Param::Text(text) => text.len() + text.len() / 4,
            _ => 8,
        };
        one.commit.params.iter().map(length).sum()
    };
    let fit = all.iter().take_while(|one| {
        bytes += bytes_of(one);
        bytes <= MOST_BYTES
    });
    fit.count().max(1)
}
