//! What changed since the last time, in case webhooks were lost: every hour, and more of it every night.

use super::{Work, fetch, found, settled_ms, since, zone_of};
use crate::domain::json::json;
use crate::domain::time::Millis;
use crate::jobs::orders_at_once::Missed;
use crate::jobs::outbox::Step;
use crate::jobs::shopify::Failed;
use crate::partners::at;
use crate::storage::outbox::TaskRow;
use crate::storage::rows::parse;
use crate::storage::syncs;

/// Shopify's search lags behind: what was read is read again so far back.
const OVERLAP_MS: Millis = 2 * 3_600_000;
/// Every night so far.
const NIGHT_MS: Millis = 26 * 3_600_000;

/// One step: a page of the orders that changed.
///
/// # Errors
/// [`Failed`].
pub async fn step(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let told = parse(&task.payload).unwrap_or_default();
    let number = |name: &str| at(&told, name).as_i64();
    let now_ms = app.now_ms();
    let row = found(work).await?;
    let since_ms = since(work, row.as_ref()).await?;
    let (from_ms, to_ms) = match (number("/from"), number("/to")) {
        (Some(from_ms), Some(to_ms)) => (from_ms, to_ms),
        _ => {
            // A store that is connected by now begins here; what was before is the back-fill's.
            let done_ms = row.and_then(|row| row.reconciled_to_ms).unwrap_or(now_ms);
            let night = at(&told, "/night").as_bool() == Some(true);
            let back_ms = if night { NIGHT_MS } else { OVERLAP_MS };
            (done_ms - back_ms, settled_ms(now_ms))
        }
    };
    let search = fetch::search("updated_at", from_ms, to_ms.max(from_ms));
    let after = at(&told, "/after").as_str().map(str::to_owned);
    let (orders, next) = fetch::page(work, &search, after.as_deref()).await?;
    let zone = zone_of(work.admin().await?.access.timezone.as_deref());
    let missed = Missed { zone: &zone, since_ms };
    let (progress, mut statements) = fetch::take(work, orders, Some(missed)).await?;
    let missed = number("/missed").unwrap_or(0) + progress.missed;
    let changed = number("/changed").unwrap_or(0) + progress.changed;
    if let Some(next) = next {
        let payload = json!({ "from": from_ms, "to": to_ms, "after": next, "missed": missed,
            "changed": changed });
        return Ok(Step::On { payload, due_at_ms: now_ms, statements });
    }
    statements.push(syncs::reconciled(brand, store, to_ms));
    if missed > 0 {
        let after = json!({ "store": store, "missed": missed, "changed": changed });
        let done = ("reconcile", "orders.reconcile");
        statements.push(crate::jobs::noted(app, Some(brand), done, None, Some(after)));
    }
    Ok(Step::Done(statements))
}
