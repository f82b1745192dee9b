//! What GoAffPro tells of orders, told to ours: as orders of the store, or as evidence for the orders of
//! the store that tells them itself. An order that two stores tell never earns twice.

use std::collections::HashSet;

use super::Sync;
use crate::domain::ids::{OrderId, StoreId};
use crate::domain::order::{Affiliation, Delivery, Evidence, Report, order_id};
use crate::domain::time::{DAY_MS, Millis};
use crate::jobs::order::{Ingested, ingest};
use crate::jobs::shopify::Failed;
use crate::partners::goaffpro::{Kept, Unusable, snapshot};
use crate::storage::goaffpro::{self as rows, DueOrder, Namesake};
use crate::storage::{Statement, quarantine};

/// So many in a step.
const MOST: u32 = 25;
/// Two stores tell one order within so long.
const APART_MS: Millis = 3 * DAY_MS;
/// An order that may yet be told by another store is looked at again so often.
const AGAIN_MS: Millis = 3_600_000;
/// One that waits for the other store to tell it waits between so long and so long, and no longer than
const SOON_MS: Millis = 10 * 60_000;
/// so long in all.
const WAIT_MS: Millis = 90 * DAY_MS;

/// Tells what is due; tells how many, and what notes it.
pub(super) async fn due(sync: &Sync<'_>) -> Result<(u64, Vec<Statement>), Failed> {
    let (db, now_ms) = (sync.app.db(), sync.app.now_ms());
    let orders = rows::due(db, sync.brand, sync.store, now_ms, MOST).await?;
    let others = Others::find(sync, &orders).await?;
    let mut statements = Vec::new();
    for order in &orders {
        let done = match sync.settings.orders_from {
            Some(from) if !order.another => as_evidence(sync, order, from, &others, now_ms).await?,
            _ => as_order(sync, order, &others, now_ms).await?,
        };
        let Done { standing, ours, next_ms, problem } = done;
        if let Some(problem) = problem {
            statements.push(shown(sync, order, &problem));
        }
        let noted = rows::applied(sync.brand, sync.store, order, (standing, ours), next_ms);
        statements.push(noted);
    }
    Ok((orders.len() as u64, statements))
}

/// What became of an order.
struct Done {
    standing: &'static str,
    ours: Option<OrderId>,
    next_ms: Option<Millis>,
    problem: Option<String>,
}

/// Orders of ours that could be these.
struct Others {
    /// Of the brand's other stores, also of closed ones: what they told counts on.
    found: Vec<Namesake>,
    /// Of this store: what became an order before.
    own: HashSet<OrderId>,
    /// There is another store that may yet tell one.
    any: bool,
}

impl Others {
    async fn find(sync: &Sync<'_>, orders: &[DueOrder]) -> Result<Self, Failed> {
        let (db, brand) = (sync.app.db(), sync.brand);
        let none = Self { found: Vec::new(), own: HashSet::new(), any: false };
        let times = || orders.iter().map(|order| order.placed_at_ms);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(none) };
        let stores = rows::other_stores(db, brand, sync.store).await?;
        let from = sync.settings.orders_from;
        let mut ids: Vec<OrderId> = orders.iter().map(|order| own_id(sync, order)).collect();
        ids.extend(orders.iter().filter_map(|order| order.order_id));
        let theirs = |order: &DueOrder| from.map(|from| order_id(from, bare(&order.number)));
        ids.extend(orders.iter().filter_map(theirs));
        let by_id = rows::by_ids(db, brand, sync.store, &ids).await?;
        let (own, mut found): (Vec<Namesake>, Vec<Namesake>) =
            by_id.into_iter().partition(|n| n.store_id == sync.store);
        let bare = |order: &DueOrder| bare(&order.number).to_owned();
        let names: Vec<String> =
            orders.iter().map(bare).flat_map(|name| [format!("#{name}"), name]).collect();
        let around = (first - APART_MS, last + APART_MS);
        found.extend(rows::namesakes(db, brand, sync.store, &names, around).await?);
        Ok(Self { found, own: own.into_iter().map(|n| n.id).collect(), any: !stores.is_empty() })
    }

    /// Whether it is an order of this store already. The row may not say so: the run that told it may
    /// have died, or the row may have changed meanwhile.
    fn is_own(&self, sync: &Sync<'_>, order: &DueOrder) -> bool {
        self.own.contains(&own_id(sync, order))
    }

    /// The order of this store that GoAffPro's is: by the platform's own id, or by its name and time.
    /// (GoAffPro's own id of it says nothing elsewhere.)
    fn of_store(&self, order: &DueOrder, store: StoreId) -> Option<&Namesake> {
        let by_id = |n: &&Namesake| n.external_id == bare(&order.number);
        let here = || self.found.iter().filter(|n| n.store_id == store);
        let named = here().filter(|n| same_name(n, order));
        here().find(by_id).or_else(|| named.min_by_key(|n| apart(n, order)))
    }

    /// An order of any other store that may be this one: the one that it was taken for before, else by name
    /// and time, of several the one with its amount. Another amount tells no other order: two platforms reckon
    /// tax and gift cards differently. Only the brand knows, and may have said so.
    fn same(&self, order: &DueOrder, sync: &Sync<'_>) -> Option<&Namesake> {
        if order.another {
            return None;
        }
        let known = self.found.iter().find(|n| Some(n.id) == order.order_id);
        let minor = order.subtotal.rounded(sync.currency).ok();
        let likely = |n: &&Namesake| (Some(n.base_minor) != minor, apart(n, order));
        let named = self.found.iter().filter(|n| same_name(n, order));
        known.or_else(|| named.min_by_key(likely))
    }
}

fn own_id(sync: &Sync<'_>, order: &DueOrder) -> OrderId {
    order_id(sync.store, &order.external_id)
}

fn bare(number: &str) -> &str {
    number.trim().trim_start_matches('#')
}

fn apart(namesake: &Namesake, order: &DueOrder) -> Millis {
    (namesake.placed_at_ms - order.placed_at_ms).abs()
}

fn same_name(namesake: &Namesake, order: &DueOrder) -> bool {
    bare(&namesake.name) == bare(&order.number) && apart(namesake, order) <= APART_MS
}

/// What GoAffPro says of who brought it. Of an order that is nobody's (any more) it says something only where
/// it rejects it: that takes back what an earlier word gave.
fn affiliation(sync: &Sync<'_>, order: &DueOrder) -> Option<Affiliation> {
    let affiliate = order.affiliate_id.as_deref();
    let affiliate = affiliate.or_else(|| is_rejected(order).then_some(""))?;
    Some(Affiliation {
        affiliate: format!("{}/{affiliate}", sync.store),
        deal: order.deal_id,
        as_of_ms: order.as_of_ms,
        rejected: is_rejected(order),
    })
}

fn is_rejected(order: &DueOrder) -> bool {
    matches!(order.status.as_str(), "rejected" | "gone")
}

/// The other store tells the order; GoAffPro's word is evidence for it.
async fn as_evidence(
    sync: &Sync<'_>,
    order: &DueOrder,
    from: StoreId,
    others: &Others,
    now_ms: Millis,
) -> Result<Done, Failed> {
    if others.is_own(sync, order) {
        // It was taken for an order of its own before that was known.
        own(sync, order, true).await?;
    }
    let Some(theirs) = others.of_store(order, from) else {
        let age_ms = now_ms - order.placed_at_ms;
        let next_ms = now_ms + (age_ms / 8).clamp(SOON_MS, DAY_MS);
        let next_ms = (age_ms < WAIT_MS).then_some(next_ms);
        return Ok(Done { standing: "waiting", ours: None, next_ms, problem: None });
    };
    let mut problem = None;
    if let Some(told) = affiliation(sync, order) {
        let external_id = theirs.external_id.clone();
        let delivery = Delivery { external_id, report: Report::Affiliate(told) };
        problem = unusable(ingest(sync.app, sync.brand, from, &delivery).await?);
    }
    Ok(Done { standing: "matched", ours: Some(theirs.id), next_ms: None, problem })
}

/// An order of the store itself, unless another store seems to tell the same.
async fn as_order(
    sync: &Sync<'_>,
    order: &DueOrder,
    others: &Others,
    now_ms: Millis,
) -> Result<Done, Failed> {
    if let Some(same) = others.same(order, sync) {
        let problem = if others.is_own(sync, order) { own(sync, order, true).await? } else { None };
        return Ok(Done { standing: "held", ours: Some(same.id), next_ms: None, problem });
    }
    let problem = own(sync, order, false).await?;
    let young = others.any && now_ms - order.placed_at_ms <= APART_MS;
    let next_ms = young.then_some(now_ms + AGAIN_MS);
    let ours = Some(own_id(sync, order));
    Ok(Done { standing: "ours", ours, next_ms, problem })
}

/// Takes it as an order of the store; one that is held back comes to nothing.
async fn own(sync: &Sync<'_>, order: &DueOrder, held: bool) -> Result<Option<String>, Failed> {
    let kept = Kept {
        number: &order.number,
        subtotal: order.subtotal,
        status: &order.status,
        paid: order.paid,
        held,
        coupons: order.coupons.clone(),
        placed_at_ms: order.placed_at_ms,
        told_at_ms: order.told_at_ms.max(order.as_of_ms),
    };
    let mut affiliation = affiliation(sync, order);
    if let Some(told) = &mut affiliation {
        // What is rejected is voided as a whole.
        told.rejected = false;
    }
    let evidence =
        Evidence { email_hash: order.email_hash.clone(), affiliation, ..Evidence::default() };
    let made: Result<_, Unusable> = snapshot(&kept, sync.currency, evidence);
    let snapshot = match made {
        Ok(snapshot) => snapshot,
        Err(why) => return Ok(Some(why.to_string())),
    };
    let report = Report::Snapshot(Box::new(snapshot), Vec::new());
    let delivery = Delivery { external_id: order.external_id.clone(), report };
    Ok(unusable(ingest(sync.app, sync.brand, sync.store, &delivery).await?))
}

fn unusable(done: Ingested) -> Option<String> {
    match done {
        Ingested::Unusable(why) | Ingested::Noted(why) => Some(why),
        Ingested::Committed | Ingested::Unchanged => None,
    }
}

fn shown(sync: &Sync<'_>, order: &DueOrder, reason: &str) -> Statement {
    let hash = <sha2::Sha256 as sha2::Digest>::digest(
        format!("{}/{}", order.external_id, order.revision).as_bytes(),
    );
    let hash = crate::domain::merkle::hex(&hash);
    let (id, store, body) = (sync.app.new_id(), sync.store, None);
    let new = quarantine::NewQuarantined { id, store, reason, body_hash: &hash, body };
    quarantine::insert(sync.brand, &new, sync.app.now_ms())
}
