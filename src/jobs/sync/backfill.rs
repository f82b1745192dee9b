//! The orders from before a store was connected: page by page, or by a bulk operation where there are many.

use serde_json::Value;

use super::{Work, bulk, compare, fetch, found};
use crate::domain::json::json;
use crate::domain::task::Kind;
use crate::domain::time::Millis;
use crate::jobs::outbox::{Step, put};
use crate::jobs::shopify::Failed;
use crate::partners::at;
use crate::partners::trouble::Trouble;
use crate::storage::outbox::TaskRow;
use crate::storage::rows::parse;
use crate::storage::syncs::{self, State, Told};

/// Above so many orders a bulk operation is quicker, and costs the shop less.
const BULK_FROM: i64 = 5_000;
/// Shopify opened in 2006: no order is older.
const FIRST_ORDER_MS: Millis = 1_136_073_600_000;
/// What the brand is told where the shop shows its latest orders only.
const SIXTY_DAYS: &str = "The shop shows the orders of the last 60 days only: grant the scope \
read_all_orders and start again to get older ones.";

/// Where a back-fill is.
pub(super) struct Place {
    /// Orders placed from then on.
    pub from_ms: Millis,
    /// Orders placed until then.
    pub to_ms: Millis,
    /// The rest of the payload: a cursor, or where a bulk operation is.
    pub rest: Value,
}

impl Place {
    /// The search that it works off.
    pub fn search(&self) -> String {
        fetch::search("created_at", self.from_ms, self.to_ms)
    }

    /// The payload that goes on with these fields, written as JSON without their braces.
    pub fn payload(&self, rest: &str) -> String {
        format!("{{\"from\":{},\"to\":{},{rest}}}", self.from_ms, self.to_ms)
    }
}

/// One step of a back-fill.
///
/// # Errors
/// [`Failed`].
pub async fn step(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let rest = parse(&task.payload).unwrap_or_default();
    let times = (at(&rest, "/from").as_i64(), at(&rest, "/to").as_i64());
    let (Some(from_ms), Some(to_ms)) = times else { return begin(work).await };
    let place = Place { from_ms, to_ms, rest };
    if at(&place.rest, "/bulk").is_string() {
        return bulk::step(work, &place).await;
    }
    let after = at(&place.rest, "/after").as_str().map(str::to_owned);
    let (orders, next) = fetch::page(work, &place.search(), after.as_deref()).await?;
    let (progress, mut statements) = fetch::take(work, orders, None).await?;
    let (app, brand, store) = (work.app, work.brand, work.store);
    statements.push(syncs::add(brand, store, progress));
    Ok(match next {
        Some(next) => Step::On {
            payload: place.payload(&format!("\"after\":{}", json!(next))),
            due_at_ms: app.now_ms(),
            statements,
        },
        None => {
            statements.extend(over(work, &place));
            Step::Done(statements)
        }
    })
}

/// Counts what there is and decides how it is fetched.
async fn begin(work: &mut Work<'_>) -> Result<Step, Failed> {
    let Some(row) = found(work).await? else { return Ok(Step::Done(Vec::new())) };
    let (app, brand, store) = (work.app, work.brand, work.store);
    let now_ms = app.now_ms();
    let to_ms = row.to_ms.unwrap_or(now_ms);
    let wanted_ms = row.from_ms.unwrap_or(FIRST_ORDER_MS).max(FIRST_ORDER_MS);
    let all = work.admin().await?.access.may("read_all_orders");
    let shown_ms = if all { FIRST_ORDER_MS } else { now_ms - super::SHOWN_MS };
    let place = Place { from_ms: wanted_ms.max(shown_ms), to_ms, rest: Value::Null };
    let total = fetch::count(work, &place.search()).await?;
    let problem = if wanted_ms < shown_ms { SIXTY_DAYS } else { "" };
    let told = Told {
        state: State::Running,
        from_ms: Some(place.from_ms),
        total: Some(total),
        problem: Some(problem),
    };
    let statements = vec![syncs::tell(brand, store, &told, now_ms)];
    let rest = if total > BULK_FROM { "\"bulk\":\"\"" } else { "\"after\":null" };
    Ok(Step::On { payload: place.payload(rest), due_at_ms: now_ms, statements })
}

/// What ends a back-fill: its days are compared, and what changed since then is fetched.
pub(super) fn over(work: &Work<'_>, place: &Place) -> Vec<crate::storage::Statement> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let now_ms = app.now_ms();
    let told = Told { state: State::Done, from_ms: None, total: None, problem: None };
    vec![
        syncs::tell(brand, store, &told, now_ms),
        // Changes from while it ran are found from here on.
        syncs::reconciled(brand, store, place.to_ms),
        put(app, brand, store, (Kind::Reconcile, ""), "{}"),
        put(
            app,
            brand,
            store,
            (Kind::CompareDays, "backfill"),
            &compare::since_time(place.from_ms),
        ),
    ]
}

/// Bulk operations didn't do: the same page by page. Orders that were read count twice among the read ones.
pub(super) fn page_by_page(work: &Work<'_>, place: &Place, why: &str) -> Step {
    let app = work.app;
    app.log.write(&json!({ "event": "bulk_left", "store": work.store, "detail": why }));
    let payload = place.payload("\"after\":null");
    Step::On { payload, due_at_ms: app.now_ms(), statements: Vec::new() }
}

/// A step that waits a while.
pub(super) fn wait(work: &Work<'_>, place: &Place, rest: &str, ms: Millis) -> Step {
    let due_at_ms = work.app.now_ms() + ms;
    Step::On { payload: place.payload(rest), due_at_ms, statements: Vec::new() }
}

/// A file that can't be had now.
pub(super) fn no_file(words: &str) -> Failed {
    Trouble::Later(None, words.to_owned()).into()
}

/// A text as JSON, for a payload.
pub(super) fn quoted(text: &str) -> String {
    json!(text)
}
