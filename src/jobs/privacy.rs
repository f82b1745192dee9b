//! What shops ask about their shoppers' data: taken at once, redactions worked off by a job.
//!
//! Forgetting who placed an order is a fact of the order and takes the way of every delivery, so
//! that neither books nor attribution change and no late delivery brings it back.

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, DataRequestId};
use crate::domain::json::{self, json};
use crate::domain::merkle::hex;
use crate::domain::order::{Delivery, Report, order_id};
use crate::domain::privacy::{Ask, Request};
use crate::domain::time::{DAY_MS, Millis};
use crate::error::Result;
use crate::storage::DbError;
use crate::storage::audit::{self, Done, If};
use crate::storage::privacy::{self as rows, NewRequest, OpenRedaction};

use super::order;

/// Who does it, for the trail: shops sign requests, nobody else asks.
const JOB: Actor = Actor::Job("redact");
/// Shopify gives a month to act.
const DUE_MS: Millis = 30 * DAY_MS;
/// So long a shop that was forgotten may say so again: its retries end after hours.
const REPEATED_MS: Millis = DAY_MS;
/// So long deliveries of such a shop may still come out of the queue or quarantine.
const AGAIN_MS: Millis = 14 * DAY_MS;
/// Orders that one run works off: each takes up to three of a request's 1,000 queries.
const MAX_ORDERS: usize = 250;

/// Stores what a shop of the brand asks, once however often it comes. A shop that the brand
/// doesn't have asks for nothing.
///
/// # Errors
/// [`DbError`] if D1 was away: the shop comes back.
pub async fn take(app: &App, brand: BrandId, request: &Request) -> Result<(), DbError> {
    let found = rows::store_of(app.db(), brand, &request.shop_domain).await?;
    let Some(store) = found else { return Ok(()) };
    let (name, orders): (&str, &[String]) = match &request.ask {
        Ask::Tell { request, orders } => (request, orders),
        Ask::ForgetCustomer { orders } => ("", orders),
        Ask::ForgetShop => ("", &[]),
    };
    let pairs: Vec<_> = orders.iter().map(|id| json!([order_id(store, id), id])).collect();
    let orders = json::list_of(&pairs);
    let kind = request.ask.kind();
    let (id, now_ms): (DataRequestId, _) = (app.new_id(), app.now_ms());
    let new = NewRequest {
        id,
        store,
        kind,
        // Of ids alone: nobody can guess an address from it.
        cause: &hex(&Sha256::digest([kind, name, &orders].join("/"))),
        orders: &orders,
        received_at_ms: now_ms,
        due_at_ms: now_ms + DUE_MS,
    };
    let batch = match request.ask {
        Ask::ForgetShop => {
            let subject = &store.to_string();
            let (action, id) = ("store.forget", app.new_id());
            let done =
                Done { id, actor: JOB, action, subject, request_id: "", before: None, after: None };
            let mut batch = vec![audit::note_if(If::StoreIsOpen, brand, &done, now_ms)];
            batch.extend(rows::close(brand, &new, now_ms + REPEATED_MS));
            batch
        }
        _ => vec![rows::insert(brand, &new)],
    };
    app.db().run(batch).await?;
    app.memory.forget_secrets(store);
    Ok(())
}

/// Works off redactions; tells how many orders were looked at. Once an hour those of shops are
/// looked at again.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away; the next run goes on.
pub async fn redact_all(app: &App, hourly: bool) -> Result<i64> {
    let now_ms = app.now_ms();
    let since_ms = if hourly { now_ms - AGAIN_MS } else { now_ms };
    let mut left = MAX_ORDERS;
    let mut failed = None;
    for request in rows::open(app.db(), since_ms).await? {
        // What fails for one doesn't keep the job from the next.
        if let Err(error) = work_off(app, &request, &mut left).await {
            app.log.write(&json!({ "event": "redaction_failed", "request": request.id }));
            failed = Some(error);
        }
        if left == 0 {
            break;
        }
    }
    failed.map_or_else(|| Ok(i64::try_from(MAX_ORDERS - left).unwrap_or(0)), Err)
}

/// Works off one redaction, as far as `left` orders reach.
async fn work_off(app: &App, request: &OpenRedaction, left: &mut usize) -> Result<()> {
    let done = if request.kind == "shop_redaction" {
        forget_shop(app, request, left).await?
    } else {
        forget_customer(app, request, left).await?
    };
    let done_at_ms = (*left > 0).then_some(app.now_ms());
    let goes_on = If::RequestGoesOn { redacted: done, done: done_at_ms.is_some() };
    let told = |orders: u32| Some(json!({ "kind": request.kind, "orders_redacted": orders }));
    let noted = Done {
        id: app.new_id(),
        actor: JOB,
        action: "data_request.redact",
        subject: &request.id.to_string(),
        request_id: "",
        before: told(request.redacted),
        after: told(done),
    };
    let note = audit::note_if(goes_on, request.brand_id, &noted, app.now_ms());
    app.db().run(vec![note, rows::progress(request, done, done_at_ms)]).await?;
    Ok(())
}

/// Answers how many of its orders are worked off.
async fn forget_customer(app: &App, request: &OpenRedaction, left: &mut usize) -> Result<u32> {
    let mut done = request.redacted;
    for (_, external_id) in request.orders.iter().skip(done as usize).take(*left) {
        forget(app, request, external_id).await?;
        done += 1;
        *left -= 1;
    }
    Ok(done)
}

/// Answers how many orders of the shop were worked off so far.
async fn forget_shop(app: &App, request: &OpenRedaction, left: &mut usize) -> Result<u32> {
    let (brand, store) = (request.brand_id, request.store_id);
    let limit = i64::try_from(*left).unwrap_or(0);
    let mut done = request.redacted;
    for row in rows::telling(app.db(), brand, store, limit).await? {
        forget(app, request, &row.external_id).await?;
        done += 1;
        *left -= 1;
    }
    Ok(done)
}

async fn forget(app: &App, request: &OpenRedaction, external_id: &str) -> Result<()> {
    let delivery = Delivery { external_id: external_id.to_owned(), report: Report::Redacted };
    order::ingest(app, request.brand_id, request.store_id, &delivery).await?;
    Ok(())
}
