//! What the shop saw of the visits before orders that are nobody's: it knows a few minutes after the order.

use super::Work;
use crate::domain::json::json;
use crate::domain::order::{Delivery, Report};
use crate::domain::time::Millis;
use crate::jobs::order;
use crate::jobs::outbox::Step;
use crate::jobs::shopify::Failed;
use crate::partners::at;
use crate::partners::shopify::admin::{self, orders};
use crate::storage::outbox::TaskRow;
use crate::storage::rows::parse;
use crate::storage::syncs;

/// Orders that are asked about at once.
const AT_ONCE: u32 = 50;
/// An order is asked about so long after it was placed, and again each time until it is older than that.
const SOON_MS: (Millis, Millis) = (2 * 60_000, 17 * 60_000);
/// Then every six hours, until two days are over.
const LATER_MS: Millis = 48 * 3_600_000;

/// When orders of a moment ago were placed.
pub(super) const fn soon(now_ms: Millis) -> (Millis, Millis) {
    (now_ms - SOON_MS.1, now_ms - SOON_MS.0)
}

/// When older ones were.
pub(super) const fn later(now_ms: Millis) -> (Millis, Millis) {
    (now_ms - LATER_MS, now_ms - SOON_MS.1)
}

/// The payload that asks about orders that were placed between these, of those of the first moment the
/// ones after this id.
pub(super) fn payload((from_ms, until_ms): (Millis, Millis), id: &str) -> String {
    json!({ "after": from_ms, "until": until_ms, "id": id })
}

/// One step: some orders.
///
/// # Errors
/// [`Failed`].
pub async fn step(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let told = parse(&task.payload).unwrap_or_default();
    let number = |name: &str| at(&told, name).as_i64().unwrap_or(0);
    let after = at(&told, "/id").as_str().unwrap_or_default();
    let span = ((number("/after"), after), number("/until"));
    let asked = syncs::without_journey(app.db(), brand, store, span, AT_ONCE).await?;
    let Some(last) = asked.last() else { return Ok(Step::Done(Vec::new())) };
    let gids: Vec<String> = asked.iter().map(|one| orders::order_gid(&one.external_id)).collect();
    let variables = json!({ "ids": gids });
    let data = work.admin().await?.ask(app, admin::JOURNEYS, &variables).await?;
    for order in orders::list(at(&data, "/nodes")) {
        let external_id = orders::number(at(order, "/legacyResourceId")).to_owned();
        let Some(journey) = orders::journey(order) else { continue };
        if asked.iter().any(|one| one.external_id == external_id) {
            let delivery = Delivery { external_id, report: Report::Journey(journey) };
            order::ingest(app, brand, store, &delivery).await?;
        }
    }
    if asked.len() < AT_ONCE as usize {
        return Ok(Step::Done(Vec::new()));
    }
    let payload = payload((last.placed_at_ms, span.1), &last.id.to_string());
    Ok(Step::On { payload, due_at_ms: app.now_ms(), statements: Vec::new() })
}
