//! The one function that takes an order's delivery: load → decide → commit, called by webhooks,
//! by the overflow queue's consumer and by replays.

use serde::Serialize;

use super::tiers;
use crate::app::App;
use crate::domain::ids::{BrandId, CreatorId, OrderId, QuarantineId, StoreId};
use crate::domain::ingest::{self, Change, Loaded, Outcome, StoredOrder};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::domain::order::{Delivery, Report, order_id};
use crate::domain::task::Kind;
use crate::domain::time::Zone;
use crate::storage::order_facts::{self, Named};
use crate::storage::outbox::{self, NewTask};
use crate::storage::rows::from_json;
use crate::storage::{DbError, Param, Statement, orders, quarantine, row};

/// A loser of the guard loads and decides again so often.
const ATTEMPTS: u32 = 5;
/// A snapshot that a store changed later than this after the order is taken as one of a known order.
const FIRST_WITHIN_MS: i64 = 60_000;

/// An order is fetched whole so long after what asks for it: edits come in bunches.
const REFETCH_AFTER_MS: i64 = 5_000;

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// It changed something, and that is committed.
    Committed,
    /// It is committed, and the brand should look at something: the words for it.
    Noted(String),
    /// Everything in it was known.
    Unchanged,
    /// It can't be used: the reason, in words for the brand.
    Unusable(String),
}

row! {
    /// A delivery on its way through the overflow queue: extracted facts, no personal data.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Overflow {
        /// Whose.
        pub brand: BrandId,
        /// Which store sent it.
        pub store: StoreId,
        /// What it said.
        pub delivery: Delivery,
    }
}

/// Takes a delivery. Safe to call twice, in any order, and at the same time.
///
/// # Errors
/// [`DbError`] if D1 was away or the order too contended: the caller keeps the delivery.
pub async fn ingest(
    app: &App,
    brand: BrandId,
    store: StoreId,
    delivery: &Delivery,
) -> Result<Ingested, DbError> {
    ingest_beside(app, brand, store, delivery, &[]).await
}

/// As [`ingest`], with statements that belong into its batch if the order wasn't known before.
pub(super) async fn ingest_beside(
    app: &App,
    brand: BrandId,
    store: StoreId,
    delivery: &Delivery,
    if_new: &[Statement],
) -> Result<Ingested, DbError> {
    let order = order_id(store, &delivery.external_id);
    let keys = &app.config.click_keys;
    let mut named = Named::by(delivery, keys);
    if let Some(loaded) = from_memory(app, brand, order, delivery, &named)
        && let Attempt::Done(done) = attempt(app, (brand, store), delivery, loaded, if_new).await?
    {
        return Ok(done);
    }
    let mut refused = String::new();
    for _ in 0..ATTEMPTS {
        let rows = app.db().rows(order_facts::load(brand, order, &named)).await?;
        let Some((loaded, remembered)) = order_facts::loaded(&rows, &named)? else {
            return Ok(Ingested::Unusable("the brand does not exist any more".to_owned()));
        };
        if let Some(all) = named.with_the_rest(loaded.order.as_ref(), delivery, keys) {
            named = all;
            "the order names more than was loaded".clone_into(&mut refused);
            continue;
        }
        app.memory.remember_facts(brand, remembered);
        match attempt(app, (brand, store), delivery, loaded, if_new).await? {
            Attempt::Done(done) => return Ok(done),
            Attempt::Refused(why) => refused = why,
        }
    }
    Err(DbError::Constraint(refused))
}

/// What a first delivery is decided from, if this isolate remembers all of it. That it is the first
/// is a guess, which the database refuses if it is wrong: the order was never seen here, and the
/// store has hardly had time to change it.
fn from_memory(
    app: &App,
    brand: BrandId,
    order: OrderId,
    delivery: &Delivery,
    named: &Named,
) -> Option<Loaded> {
    let snapshot = order_facts::snapshot(delivery)?;
    let age_ms = snapshot.updated_at_ms.saturating_sub(snapshot.placed_at_ms);
    (age_ms <= FIRST_WITHIN_MS).then(|| app.memory.facts_of_first(brand, order, named)).flatten()
}

/// What became of an attempt.
enum Attempt {
    /// It is over.
    Done(Ingested),
    /// The database refused it, usually because somebody changed what it was decided from.
    Refused(String),
}

/// Decides and commits, once.
async fn attempt(
    app: &App,
    (brand, store): (BrandId, StoreId),
    delivery: &Delivery,
    mut loaded: Loaded,
    if_new: &[Statement],
) -> Result<Attempt, DbError> {
    let now_ms = app.now_ms();
    let keys = &app.config.click_keys;
    let mut outcome = ingest::decide(store, delivery, &loaded, keys, now_ms);
    if let Ok(Outcome::Asks(question)) = &outcome {
        loaded.others = order_facts::others(app.db(), brand, question).await?;
        outcome = ingest::decide(store, delivery, &loaded, keys, now_ms);
    }
    let change = match outcome {
        Ok(Outcome::Asks(_)) => return Ok(Attempt::Refused("asked twice".to_owned())),
        Ok(Outcome::Unchanged) => return Ok(Attempt::Done(Ingested::Unchanged)),
        Ok(Outcome::Changed(change)) => change,
        Err(unusable) => return Ok(Attempt::Done(Ingested::Unusable(unusable.to_string()))),
    };
    let commit = orders::commit(brand, &change, loaded.order.as_ref(), now_ms)?;
    if is_too_large(&commit) {
        let why = "the order is too large to keep".to_owned();
        return Ok(Attempt::Done(Ingested::Unusable(why)));
    }
    #[cfg(feature = "canary")]
    let commit = without_guard(app, commit);
    let mut batch = vec![commit];
    let knew = loaded.order.as_ref().is_some_and(|order| order.facts.snapshot.is_some());
    batch.extend(if_new.iter().filter(|_| !knew && change.facts.snapshot.is_some()).cloned());
    batch.extend(refetch(app, (brand, store), delivery, &change));
    match app.db().run(batch).await {
        Ok(_) => {
            if let (true, Some(standing)) = (loaded.tiers, change.standing) {
                climb(app, brand, standing.creator, &loaded.zone).await;
            }
            Ok(Attempt::Done(committed(loaded.order.as_ref(), &change)))
        }
        Err(DbError::Constraint(why)) => Ok(Attempt::Refused(why)),
        Err(error) => Err(error),
    }
}

/// Looks whether a creator reached a level of commission; what fails here is made up for by the job.
pub(super) async fn climb(app: &App, brand: BrandId, creator: CreatorId, zone: &Zone) {
    if let Err(error) = tiers::climb(app, brand, creator, zone).await {
        let why = error.to_string();
        app.log.write(&json!({ "event": "tiers_missed", "brand": brand, "detail": why }));
    }
}

/// An edit tells no amounts, and a refund nothing of an order that isn't known: then the order is fetched
/// whole, once for all that comes within a moment.
fn refetch(
    app: &App,
    (brand, store): (BrandId, StoreId),
    delivery: &Delivery,
    change: &Change,
) -> Option<Statement> {
    let wanted = match &delivery.report {
        Report::Edited(_) => true,
        Report::Refund(_) | Report::Dispute(..) => change.facts.snapshot.is_none(),
        _ => false,
    };
    let now_ms = app.now_ms();
    let task = NewTask {
        id: app.new_id(),
        store,
        kind: Kind::RefetchOrder,
        subject: &delivery.external_id,
        payload: "{}",
        due_at_ms: now_ms + REFETCH_AFTER_MS,
    };
    wanted.then(|| outbox::put_if_connected(brand, &task, now_ms))
}

/// Tells the brand of a refund that could not count.
pub(super) fn committed(before: Option<&StoredOrder>, change: &Change) -> Ingested {
    let known = before.map_or(0, |order| order.facts.foreign_refunds());
    if change.facts.foreign_refunds() > known {
        let words = "a refund is in another currency than its order: it is kept but counts nothing";
        return Ingested::Noted(words.to_owned());
    }
    Ingested::Committed
}

/// A row of D1 holds 2 MB; what is larger would be refused for ever.
pub(super) fn is_too_large(commit: &Statement) -> bool {
    let length = |param: &Param| match param {
        Param::Text(text) => text.len(),
        _ => 0,
    };
    commit.params.iter().map(length).sum::<usize>() > 1_500_000
}

/// The known-bad build that the test of 50 deliveries must catch.
#[cfg(feature = "canary")]
fn without_guard(app: &App, mut commit: Statement) -> Statement {
    if app.config.canary == Some(crate::app::Canary::NoGuard)
        && let std::borrow::Cow::Borrowed(sql) = commit.sql
    {
        commit.sql = orders::unguarded(sql).into();
    }
    commit
}

/// Takes a message of the overflow queue.
///
/// # Errors
/// What went wrong: the queue delivers it again later.
pub async fn consume(app: &App, message: &str) -> Result<(), String> {
    let Overflow { brand, store, delivery } = read(app, message)?;
    match ingest(app, brand, store, &delivery).await {
        Ok(Ingested::Unusable(reason) | Ingested::Noted(reason)) => {
            keep(app, brand, store, &reason, message).await
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// A message that can't be read is left to a later version, or to the one that wrote it.
fn read(app: &App, message: &str) -> Result<Overflow, String> {
    from_json(message).ok_or_else(|| {
        app.log.write(&json!({ "event": "overflow_unreadable" }));
        "the message has another form".to_owned()
    })
}

/// Takes a message that failed too often: it is kept where the brand sees it.
///
/// # Errors
/// What went wrong: the queue delivers it again later.
pub async fn consume_dead(app: &App, message: &str) -> Result<(), String> {
    let overflow = read(app, message)?;
    keep(app, overflow.brand, overflow.store, "it could not be committed for days", message).await
}

/// What the extracted facts of a quarantined delivery are sealed to; bodies are sealed to the id
/// alone, so that no body can ever pass for facts that were checked.
#[must_use]
pub fn facts_context(id: QuarantineId) -> String {
    format!("{id}/facts")
}

/// Quarantines the extracted facts; a replay takes them as it takes a body.
async fn keep(
    app: &App,
    brand: BrandId,
    store: StoreId,
    reason: &str,
    message: &str,
) -> Result<(), String> {
    let id: QuarantineId = app.new_id();
    let context = facts_context(id);
    let sealed = app.config.data_key.seal(&context, message.as_bytes(), app.random());
    let hash = hex(&<sha2::Sha256 as sha2::Digest>::digest(message.as_bytes()));
    let new =
        quarantine::NewQuarantined { id, store, reason, body_hash: &hash, body: sealed.as_deref() };
    let insert = quarantine::insert(brand, &new, app.now_ms());
    app.db().run(vec![insert]).await.map(|_| ()).map_err(|e| e.to_string())
}
