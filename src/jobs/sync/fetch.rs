//! Orders out of the Admin API: pages, single ones, what is missing of their lines and refunds.

use serde_json::Value;

use crate::domain::creator::normal_email;
use crate::domain::ids::QuarantineId;
use crate::domain::json::{Raw, json};
use crate::domain::merkle::hex;
use crate::domain::order::Delivery;
use crate::domain::time::{Millis, to_rfc3339};
use crate::jobs::orders_at_once::{Missed, ingest_all};
use crate::jobs::outbox::Work;
use crate::jobs::shopify::Failed;
use crate::partners::at;
use crate::partners::shopify::admin::{self, orders};
use crate::storage::syncs::Progress;
use crate::storage::{Statement, quarantine};
use crate::web::webhooks::MAX_KEPT_BODY;

/// Orders whose refunds are asked for at once, and orders that are asked for by id.
const AT_ONCE: usize = 8;
/// No order has more pages of lines, and no refund: 1,000 lines are the most that is read.
const MOST_PAGES: u32 = 11;

/// A search for orders by one of their times, from then to then.
pub(super) fn search(field: &str, from_ms: Millis, to_ms: Millis) -> String {
    // Shops tell whole seconds.
    let whole = |at_ms: Millis| to_rfc3339(at_ms.div_euclid(1000) * 1000);
    let (from, to) = (whole(from_ms), whole(to_ms));
    format!("{field}:>='{from}' AND {field}:<'{to}'")
}

/// Whether lines may be asked which product they are.
pub(super) async fn products(work: &mut Work<'_>) -> Result<bool, Failed> {
    Ok(work.admin().await?.access.may("read_products"))
}

/// A page of fifty of the orders that a search finds, for 688 points of the 1,000 that a question may cost;
/// and where it goes on.
pub(super) async fn page(
    work: &mut Work<'_>,
    search: &str,
    after: Option<&str>,
) -> Result<(Vec<Value>, Option<String>), Failed> {
    let app = work.app;
    let products = products(work).await?;
    let variables = json!({ "query": search, "after": after, "products": products });
    let mut data = work.admin().await?.ask(app, admin::ORDERS_PAGE, &variables).await?;
    let next = orders::next_page(at(&data, "/orders")).map(str::to_owned);
    let list = data.pointer_mut("/orders/nodes").map(orders::orders).unwrap_or_default();
    Ok((list, next))
}

/// Orders by the platform's ids; those that the shop doesn't show are left out.
pub(super) async fn by_ids(work: &mut Work<'_>, ids: &[String]) -> Result<Vec<Value>, Failed> {
    let app = work.app;
    let products = products(work).await?;
    let mut found = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let gids: Vec<String> = some.iter().map(|id| orders::order_gid(id)).collect();
        let variables = json!({ "ids": gids, "products": products });
        let mut data = work.admin().await?.ask(app, admin::ORDERS_BY_ID, &variables).await?;
        found.extend(data.pointer_mut("/nodes").map(orders::orders).unwrap_or_default());
    }
    Ok(found)
}

/// How many orders a search finds.
pub(super) async fn count(work: &mut Work<'_>, search: &str) -> Result<i64, Failed> {
    let app = work.app;
    let variables = json!({ "query": search });
    let data = work.admin().await?.ask(app, admin::ORDERS_COUNT, &variables).await?;
    Ok(at(&data, "/ordersCount/count").as_i64().unwrap_or(0).clamp(0, 1_000_000_000))
}

/// Takes orders as they were read: completes them, ingests them, and answers what became of them with the
/// statements that belong to it. `missed`: see [`ingest_all`].
pub(super) async fn take(
    work: &mut Work<'_>,
    mut list: Vec<Value>,
    missed: Option<Missed<'_>>,
) -> Result<(Progress, Vec<Statement>), Failed> {
    complete_lines(work, &mut list).await?;
    complete_refunds(work, &mut list).await?;
    let (app, brand, store) = (work.app, work.brand, work.store);
    let hash_email = |address: &str| app.config.data_key.email_hash(brand, &normal_email(address));
    let mut statements = Vec::new();
    let (mut deliveries, mut places): (Vec<Delivery>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut unread = 0;
    for (place, order) in list.iter().enumerate() {
        match orders::delivery(order, app.now_ms(), &hash_email) {
            Ok(delivery) => {
                deliveries.push(delivery);
                places.push(place);
            }
            Err(unusable) => {
                unread += 1;
                statements.push(set_aside(work, &unusable.to_string(), order));
            }
        }
    }
    let taken = ingest_all(app, (brand, store), &deliveries, missed).await?;
    for (index, why) in &taken.told {
        if let Some(order) = places.get(*index).and_then(|place| list.get(*place)) {
            statements.push(set_aside(work, why, order));
        }
    }
    let mut progress = taken.progress;
    progress.done += unread;
    progress.quarantined += unread;
    Ok((progress, statements))
}

/// Puts an order that can't be used where the brand sees it, as if its webhook had come: so it can be
/// replayed.
fn set_aside(work: &Work<'_>, reason: &str, order: &Value) -> Statement {
    let app = work.app;
    let id: QuarantineId = app.new_id();
    let body = orders::body(order);
    // As of a webhook: a row of D1 holds 2 MB, and one that is refused would hold up all that follows.
    let sealed = (body.len() <= MAX_KEPT_BODY)
        .then(|| app.config.data_key.seal(&id.to_string(), body.as_bytes(), app.random()))
        .flatten();
    let hash = hex(&<sha2::Sha256 as sha2::Digest>::digest(body.as_bytes()));
    let store = work.store;
    let new =
        quarantine::NewQuarantined { id, store, reason, body_hash: &hash, body: sealed.as_deref() };
    quarantine::insert(work.brand, &new, app.now_ms())
}

/// Fetches the lines of orders that have more than a page shows. Lines of a later moment than the rest of
/// their order would say what never was together: such an order is read anew.
async fn complete_lines(work: &mut Work<'_>, list: &mut [Value]) -> Result<(), Failed> {
    let app = work.app;
    let products = products(work).await?;
    for order in list {
        let mut tries = 0;
        while let Some(mut after) = orders::next_page(at(order, "/lineItems")).map(str::to_owned) {
            tries += 1;
            let gid = at(order, "/id").as_str().unwrap_or_default().to_owned();
            let mut lines = Vec::new();
            let mut same = true;
            for _ in 0..MOST_PAGES {
                let variables = json!({ "id": gid, "after": after, "products": products });
                let mut data = work.admin().await?.ask(app, admin::ORDER_LINES, &variables).await?;
                same &= at(&data, "/order/updatedAt") == at(order, "/updatedAt");
                let more = data.pointer_mut("/order/lineItems/nodes").map(Value::take);
                lines.extend(orders::list(&more.unwrap_or_default()).iter().cloned());
                match orders::next_page(at(&data, "/order/lineItems")) {
                    Some(next) => after = next.to_owned(),
                    None => break,
                }
            }
            if same || tries > 3 {
                orders::add_nodes(order, "lineItems", lines);
                if let Some(info) = order.pointer_mut("/lineItems/pageInfo") {
                    *info = Value::Null;
                }
            } else {
                let id = orders::number(at(order, "/id")).to_owned();
                match by_ids(work, &[id]).await?.pop() {
                    Some(again) => *order = again,
                    None => break,
                }
            }
        }
    }
    Ok(())
}

/// Fetches the refunds of orders that have some. They are facts of their own, so they may be younger.
async fn complete_refunds(work: &mut Work<'_>, list: &mut [Value]) -> Result<(), Failed> {
    let app = work.app;
    let refunded = |order: &Value| !orders::list(at(order, "/refunds")).is_empty();
    let places: Vec<usize> =
        list.iter().enumerate().filter(|(_, order)| refunded(order)).map(|(at, _)| at).collect();
    for some in places.chunks(AT_ONCE) {
        let ids = some.iter().filter_map(|place| at(list.get(*place)?, "/id").as_str());
        let ids: Vec<&str> = ids.collect();
        let variables = json!({ "ids": Raw(&json!(ids)) });
        let mut data = work.admin().await?.ask(app, admin::ORDER_REFUNDS, &variables).await?;
        let found = data.pointer_mut("/nodes").map(orders::orders).unwrap_or_default();
        for mut told in found {
            let Some(order) = list.iter_mut().find(|o| at(o, "/id") == at(&told, "/id")) else {
                continue;
            };
            let mut refunds = told.pointer_mut("/refunds").map(Value::take).unwrap_or_default();
            for refund in refunds.as_array_mut().into_iter().flatten() {
                complete_refund(work, refund).await?;
            }
            if let Some(fields) = order.as_object_mut() {
                fields.insert("refunds".to_owned(), refunds);
            }
        }
    }
    Ok(())
}

async fn complete_refund(work: &mut Work<'_>, refund: &mut Value) -> Result<(), Failed> {
    let app = work.app;
    let mut next = orders::next_page(at(refund, "/refundLineItems")).map(str::to_owned);
    for _ in 0..MOST_PAGES {
        let Some(after) = next else { break };
        let gid = at(refund, "/id").as_str().unwrap_or_default();
        let variables = json!({ "id": gid, "after": after });
        let mut data = work.admin().await?.ask(app, admin::REFUND_LINES, &variables).await?;
        next = orders::next_page(at(&data, "/refund/refundLineItems")).map(str::to_owned);
        let more = data.pointer_mut("/refund/refundLineItems/nodes").map(Value::take);
        let more = orders::list(&more.unwrap_or_default()).to_vec();
        orders::add_nodes(refund, "refundLineItems", more);
    }
    Ok(())
}
