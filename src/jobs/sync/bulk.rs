//! A back-fill by a bulk operation: begun once, asked after, and its file read piece by piece.

use serde_json::Value;

use super::backfill::{Place, no_file, over, page_by_page, quoted, wait};
use super::{Work, fetch};
use crate::app::WebRequest;
use crate::domain::json::json;
use crate::jobs::outbox::Step;
use crate::jobs::shopify::Failed;
use crate::partners::at;
use crate::partners::shopify::admin::{self, orders, user_errors};
use crate::storage::syncs;

/// A step reads so many bytes of the file, some hundred orders: it must end well within its lease.
const PIECE: i64 = 512 * 1024;
/// An order that doesn't fit is read with so many.
const LARGEST_PIECE: i64 = 8 * 1024 * 1024;
/// Orders that are ingested together.
const TOGETHER: usize = 50;

/// One step: `bulk` in the payload is the operation, '' before it was begun.
pub(super) async fn step(work: &mut Work<'_>, place: &Place) -> Result<Step, Failed> {
    let operation = at(&place.rest, "/bulk").as_str().unwrap_or_default().to_owned();
    if operation.is_empty() {
        return begin(work, place).await;
    }
    let app = work.app;
    let variables = json!({ "id": operation });
    let data = work.admin().await?.ask(app, admin::BULK_STATUS, &variables).await?;
    let told = at(&data, "/bulkOperation");
    match at(told, "/status").as_str().unwrap_or_default() {
        "CREATED" | "RUNNING" => {
            Ok(wait(work, place, &format!("\"bulk\":{}", quoted(&operation)), 5_000))
        }
        "COMPLETED" => match at(told, "/url").as_str() {
            Some(url) => piece(work, place, &operation, url, size(told)).await,
            // Nothing was found.
            None => Ok(Step::Done(over(work, place))),
        },
        other => Ok(page_by_page(work, place, other)),
    }
}

fn size(told: &Value) -> i64 {
    let size = at(told, "/fileSize").as_str().and_then(|text| text.parse().ok());
    size.or(at(told, "/fileSize").as_i64()).unwrap_or(0)
}

/// Begins the operation, unless it was begun and the answer got lost.
async fn begin(work: &mut Work<'_>, place: &Place) -> Result<Step, Failed> {
    let app = work.app;
    let query = orders::bulk_query(&place.search(), fetch::products(work).await?);
    let data = work.admin().await?.ask(app, admin::BULK_LIST, "{}").await?;
    let ours = |one: &&Value| {
        let lives =
            matches!(at(one, "/status").as_str(), Some("CREATED" | "RUNNING" | "COMPLETED"));
        lives && at(one, "/query").as_str() == Some(&query)
    };
    let begun = orders::nodes(at(&data, "/bulkOperations")).iter().find(ours);
    if let Some(id) = begun.and_then(|one| at(one, "/id").as_str()) {
        return Ok(wait(work, place, &format!("\"bulk\":{}", quoted(id)), 0));
    }
    let variables = json!({ "query": query });
    let data = work.admin().await?.ask(app, admin::BULK_RUN, &variables).await?;
    let name = "bulkOperationRunQuery";
    if let Some(id) = at(&data, "/bulkOperationRunQuery/bulkOperation/id").as_str() {
        return Ok(wait(work, place, &format!("\"bulk\":{}", quoted(id)), 2_000));
    }
    let errors = user_errors(&data, name);
    if errors.iter().any(|error| error.code == "OPERATION_IN_PROGRESS") {
        return Ok(wait(work, place, "\"bulk\":\"\"", 60_000));
    }
    let why = errors.first().map_or("Shopify began no bulk operation", |error| &error.message);
    Ok(page_by_page(work, place, why))
}

/// Reads a piece of the file and ingests the orders in it.
async fn piece(
    work: &mut Work<'_>,
    place: &Place,
    operation: &str,
    url: &str,
    size: i64,
) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let begin = at(&place.rest, "/at").as_i64().unwrap_or(0).max(0);
    let length = at(&place.rest, "/piece").as_i64().unwrap_or(PIECE).clamp(PIECE, LARGEST_PIECE);
    if !is_shopifys(work, url) {
        return Ok(page_by_page(work, place, "the file lies somewhere else"));
    }
    let end = (begin + length).min(size);
    if begin >= end {
        return Ok(Step::Done(over(work, place)));
    }
    let range = format!("bytes={begin}-{}", end - 1);
    let request = WebRequest {
        method: "GET",
        url: url.to_owned(),
        headers: vec![("range", range)],
        body: None,
        limit: usize::try_from(LARGEST_PIECE + 1024).unwrap_or(usize::MAX),
    };
    let answer = app.http.send(request).await.map_err(|_| no_file("the file can't be read"))?;
    let whole = answer.status == 200 && begin == 0 && end == size;
    if answer.status != 206 && !whole {
        return Ok(match answer.status {
            // Its address was good for a week.
            403 | 404 | 410 => page_by_page(work, place, "the file is gone"),
            status => return Err(no_file(&format!("the file's host answered {status}"))),
        });
    }
    let (mut list, read) = orders::of_bulk(&answer.body, end == size);
    let read = i64::try_from(read).unwrap_or(i64::MAX);
    let rest = |at: i64, piece: i64| {
        format!("\"bulk\":{},\"at\":{at},\"piece\":{piece}", quoted(operation))
    };
    if read == 0 {
        let more = length * 2;
        return Ok(if more > LARGEST_PIECE {
            page_by_page(work, place, "an order is too large")
        } else {
            wait(work, place, &rest(begin, more), 0)
        });
    }
    let mut statements = Vec::new();
    while !list.is_empty() {
        let later = list.split_off(list.len().min(TOGETHER));
        if work.is_nearly_over() {
            // What was taken is known then: the same piece costs little the next time.
            return Ok(wait(work, place, &rest(begin, length), 1_000));
        }
        let (progress, more) = fetch::take(work, list, None).await?;
        statements.extend(more);
        statements.push(syncs::add(brand, store, progress));
        list = later;
    }
    if end == size {
        statements.extend(over(work, place));
        return Ok(Step::Done(statements));
    }
    let payload = place.payload(&rest(begin + read, PIECE));
    Ok(Step::On { payload, due_at_ms: app.now_ms(), statements })
}

/// Whether an address that an answer names is one where Shopify keeps such files: nothing else is asked.
fn is_shopifys(work: &Work<'_>, url: &str) -> bool {
    if let Some(origin) = &work.app.config.platforms.shopify {
        return url.strip_prefix(origin.as_str()).is_some_and(|rest| rest.starts_with('/'));
    }
    let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| {
        host == "storage.googleapis.com"
            || [".shopify.com", ".shopifycloud.com", ".shopifycdn.com"]
                .iter()
                .any(|end| host.ends_with(end))
    })
}
