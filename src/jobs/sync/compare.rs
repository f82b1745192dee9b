//! The completeness meter: for each day of the shop's calendar, how many orders the platform has and how many
//! of these are known. Where the counts differ the ids are compared, and what is missing is fetched.

use serde_json::Value;

use super::{Work, fetch, settled_ms, zone_of};
use crate::domain::ids::OrderId;
use crate::domain::json::json;
use crate::domain::order::order_id;
use crate::domain::time::{Day, Millis};
use crate::jobs::orders_at_once::Missed;
use crate::jobs::outbox::Step;
use crate::jobs::shopify::Failed;
use crate::partners::at;
use crate::partners::shopify::admin::{self, orders};
use crate::storage::outbox::TaskRow;
use crate::storage::rows::parse;
use crate::storage::{Statement, syncs};

/// Days whose counts are compared in one step.
const DAYS_AT_ONCE: i64 = 10;

/// The payload that compares these days, both ends included.
pub(super) fn span(from: Day, to: Day) -> String {
    json!({ "day": from.0, "to": to.0 })
}

/// The payload that compares the days from a time on until today.
pub(super) fn since_time(from_ms: Millis) -> String {
    json!({ "from_ms": from_ms })
}

/// The payload that compares a day id by id, whatever the counts are.
pub(super) fn ids_of(day: Day) -> String {
    json!({ "day": day.0, "to": day.0, "ids": true })
}

/// The days that are compared id by id in this night, though their counts may be equal (an order may be
/// missing beside one that the shop deleted): yesterday, and one of those before that every shop shows. Each
/// day has its turn as such once: in a turn of 57 nights every second day, in the next the others.
pub(super) fn by_ids(today: Day) -> [Day; 2] {
    let back = 58 - today.0.rem_euclid(57);
    [today.plus(-1), today.plus(-back)]
}

/// One step: some days by their counts, or a page of the ids of one.
///
/// # Errors
/// [`Failed`].
pub async fn step(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let told = parse(&task.payload).unwrap_or_default();
    let now_ms = work.app.now_ms();
    let zone = zone_of(work.admin().await?.access.timezone.as_deref());
    let today = zone.day(now_ms);
    let first = match (at(&told, "/day").as_i64(), at(&told, "/from_ms").as_i64()) {
        (Some(day), _) => Day(day),
        // The day on which the shop's latest sixty begin is shown in part only.
        (None, Some(from_ms)) => zone.day(from_ms).plus(1),
        (None, None) => today,
    };
    let last = Day(at(&told, "/to").as_i64().unwrap_or(today.0).min(today.0));
    let mut day = first.max(last.plus(-400));
    if at(&told, "/ids").as_bool() == Some(true) {
        return ids(work, &told, (day, last)).await;
    }
    let mut statements = Vec::new();
    let (app, brand, store) = (work.app, work.brand, work.store);
    for _ in 0..DAYS_AT_ONCE {
        if day > last {
            return Ok(Step::Done(statements));
        }
        let times = (zone.start_of(day), zone.start_of(day.plus(1)));
        let platform = fetch::count(work, &search(times, now_ms)).await?;
        let span = (times.0, times.1.min(settled_ms(now_ms)));
        let known = syncs::known_count(app.db(), brand, store, span).await?;
        if known != platform {
            let payload = json!({ "day": day.0, "to": last.0, "ids": true });
            return Ok(Step::On { payload, due_at_ms: now_ms, statements });
        }
        statements.push(tell(work, day, (platform, known), times.1));
        day = day.plus(1);
    }
    Ok(Step::On { payload: span(day, last), due_at_ms: now_ms, statements })
}

/// Orders that were placed in that span; what is under way isn't missed.
fn search((from_ms, to_ms): (Millis, Millis), now_ms: Millis) -> String {
    fetch::search("created_at", from_ms, to_ms.min(settled_ms(now_ms)).max(from_ms))
}

fn tell(work: &Work<'_>, day: Day, (platform, known): (i64, i64), end_ms: Millis) -> Statement {
    let now_ms = work.app.now_ms();
    let over = settled_ms(now_ms) >= end_ms;
    let known = known.min(platform);
    syncs::tell_day(work.brand, work.store, day, (platform, known), (now_ms, over))
}

/// A page of a day's ids: which of them are known, and the others fetched.
async fn ids(work: &mut Work<'_>, told: &Value, (day, last): (Day, Day)) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let now_ms = app.now_ms();
    let zone = zone_of(work.admin().await?.access.timezone.as_deref());
    let times = (zone.start_of(day), zone.start_of(day.plus(1)));
    let end_ms = at(told, "/end").as_i64().unwrap_or(times.1.min(settled_ms(now_ms)));
    let search = fetch::search("created_at", times.0, end_ms.max(times.0));
    let after = at(told, "/after").as_str();
    let variables = json!({ "query": search, "after": after });
    let data = work.admin().await?.ask(app, admin::ORDER_IDS, &variables).await?;
    let listed = orders::nodes(at(&data, "/orders")).iter();
    let listed = listed.map(|one| orders::number(at(one, "/legacyResourceId")).to_owned());
    let listed: Vec<String> = listed.filter(|id| !id.is_empty()).take(250).collect();
    let all: Vec<OrderId> = listed.iter().map(|id| order_id(store, id)).collect();
    let known = syncs::known_of(app.db(), brand, &all).await?;
    let missing = listed.iter().zip(&all).filter(|(_, id)| !known.contains(id));
    let missing: Vec<String> = missing.map(|(text, _)| text.clone()).collect();
    let found = fetch::by_ids(work, &missing).await?;
    let row = super::found(work).await?;
    let since_ms = super::since(work, row.as_ref()).await?;
    let missed = Missed { zone: &zone, since_ms };
    let (progress, mut statements) = fetch::take(work, found, Some(missed)).await?;
    if progress.missed > 0 {
        let after = json!({ "store": store, "day": day.to_iso(), "missed": progress.missed });
        let done = ("compare_days", "orders.compare");
        statements.push(crate::jobs::noted(app, Some(brand), done, None, Some(after)));
    }
    let count = |list: &[String]| i64::try_from(list.len()).unwrap_or(0);
    let platform = at(told, "/platform").as_i64().unwrap_or(0) + count(&listed);
    let arrived = progress.done - progress.quarantined;
    let known = at(told, "/known").as_i64().unwrap_or(0) + count(&listed) - count(&missing);
    let known = known + arrived.min(count(&missing));
    if let Some(next) = orders::next_page(at(&data, "/orders")) {
        let payload = json!({ "day": day.0, "to": last.0, "ids": true, "after": next,
            "end": end_ms, "platform": platform, "known": known });
        return Ok(Step::On { payload, due_at_ms: now_ms, statements });
    }
    statements.push(tell(work, day, (platform, known), times.1));
    if day >= last {
        return Ok(Step::Done(statements));
    }
    Ok(Step::On { payload: span(day.plus(1), last), due_at_ms: now_ms, statements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_has_its_turn_once_while_every_shop_shows_it() {
        let nights: Vec<Day> = (20_000..20_400).map(Day).collect();
        for day in 20_100..20_300 {
            let turns = nights.iter().filter(|night| by_ids(**night)[1] == Day(day));
            let ages: Vec<i64> = turns.map(|night| night.0 - day).collect();
            assert_eq!(ages.len(), 1, "{day}: {ages:?}");
            assert!((2..=58).contains(&ages[0]), "{day}: {ages:?}");
        }
    }
}
