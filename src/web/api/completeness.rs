//! Whether every order arrived: the back-fill of a store, and how complete each day is.

use http::StatusCode;

use crate::app::App;
use crate::domain::decimal::Decimal;
use crate::domain::ids::{BrandId, Store, StoreId};
use crate::domain::json::json;
use crate::domain::time::{Day, Millis, Zone, parse_rfc3339};
use crate::error::{Error, Result};
use crate::jobs::sync;
use crate::storage::store_access::{self, AccessRow};
use crate::storage::syncs::{self, DayRow, State as SyncState, SyncRow};
use crate::storage::{Freshness, Statement};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Me, Params, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::view::Time;

/// Days that are shown at once.
const MOST_DAYS: i64 = 400;
/// Days that are shown if nothing is said.
const DAYS: i64 = 30;

body! {
    /// Which orders to fetch.
    pub struct BackfillBody {
        /// Orders placed from then on; absent: all that the shop shows.
        from: Option<String>,
    }
}

view! {
    /// How far the orders from before a store was connected were fetched.
    #[schema(as = Backfill)]
    pub struct BackfillView {
        /// `none`, `waiting`, `running`, `done` or `failed`.
        state: &'static str,
        #[schema(required)]
        orders_total: Option<i64>,
        orders_done: i64,
        ingested: i64,
        unchanged: i64,
        quarantined: i64,
        #[schema(required)]
        from: Option<Time>,
        #[schema(required)]
        to: Option<Time>,
        #[schema(required)]
        started_at: Option<Time>,
        #[schema(required)]
        finished_at: Option<Time>,
        /// What is in the way, or what the shop doesn't show.
        #[schema(required)]
        problem: Option<String>,
        /// Changes of orders until then were looked for.
        #[schema(required)]
        reconciled_to: Option<Time>,
    }
}

const fn name(state: SyncState) -> &'static str {
    match state {
        SyncState::None => "none",
        SyncState::Waiting => "waiting",
        SyncState::Running => "running",
        SyncState::Done => "done",
        SyncState::Failed => "failed",
    }
}

fn view(row: Option<SyncRow>) -> BackfillView {
    let state = row.as_ref().map_or(SyncState::None, |row| row.state);
    let time = |read: fn(&SyncRow) -> Option<Millis>| row.as_ref().and_then(read).map(Time);
    let count = |read: fn(&SyncRow) -> i64| row.as_ref().map_or(0, read);
    BackfillView {
        state: name(state),
        orders_total: row.as_ref().and_then(|row| row.orders_total),
        orders_done: count(|row| row.orders_done),
        ingested: count(|row| row.ingested),
        unchanged: count(|row| row.unchanged),
        quarantined: count(|row| row.quarantined),
        from: time(|row| row.from_ms),
        to: time(|row| row.to_ms),
        started_at: time(|row| row.started_at_ms),
        finished_at: time(|row| row.finished_at_ms),
        problem: row.as_ref().map(|row| row.problem.clone()).filter(|words| !words.is_empty()),
        reconciled_to: time(|row| row.reconciled_to_ms),
    }
}

async fn store(app: &App, brand: BrandId, id: StoreId) -> Result<AccessRow> {
    Ok(store_access::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

/// Fetches the orders from before the store was connected. What was fetched before changes nothing.
#[utoipa::path(post, path = "/v1/stores/{id}/backfill", tag = "stores", request_body = BackfillBody,
    security(("api_key" = ["admin"])), params(("id" = StoreId, Path)),
    responses((status = 202, body = BackfillView),
    (status = 409, description = "One is under way, or the store can't be asked")))]
pub async fn begin(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Store>,
    Body(asked): Body<BackfillBody>,
) -> Result<(StatusCode, Json<BackfillView>)> {
    let row = store(&app, caller.brand, id.0).await?;
    let from_ms = match &asked.from {
        None => None,
        Some(text) => Some(
            parse_rfc3339(text)
                .or_else(|| Day::from_iso(text).map(|day| Zone::utc().start_of(day)))
                .filter(|from_ms| (0..app.now_ms()).contains(from_ms))
                .ok_or_else(|| {
                    Error::invalid("from", "must be a time in the past, such as 2026-10-01")
                })?,
        ),
    };
    if row.platform != "shopify" || row.closed_at_ms.is_some() {
        let why = "orders are fetched from connected Shopify stores only";
        return Err(Error::refused("not-fetched", why));
    }
    let mut batch = sync::backfill_task(&app, caller.brand, id.0, from_ms);
    let after = json!({ "from": from_ms.map(Time) });
    batch.push(caller.note(&app, "store.backfill", id.0, None, Some(after)));
    app.db().run(batch).await.map_err(|error| match error {
        error if error.is_constraint("store_syncs.state") => {
            Error::refused("backfill-running", "a back-fill of this store is under way")
        }
        error => error.into(),
    })?;
    let row = syncs::find(app.db(), caller.brand, id.0).await?;
    Ok((StatusCode::ACCEPTED, Json(view(row))))
}

/// How far the orders from before the store was connected were fetched.
#[utoipa::path(get, path = "/v1/stores/{id}/backfill", tag = "stores",
    security(("api_key" = ["read"])), params(("id" = StoreId, Path)),
    responses((status = 200, body = BackfillView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Store>,
) -> Result<Json<BackfillView>> {
    store(&app, caller.brand, id.0).await?;
    Ok(Json(view(syncs::find(app.db(), caller.brand, id.0).await?)))
}

view! {
    /// How complete a day of a store is.
    #[schema(as = CompletenessOfDay)]
    struct DayView {
        /// The shop's day.
        day: String,
        /// Orders that the platform has.
        #[schema(required)]
        platform: Option<i64>,
        /// How many of these are known.
        #[schema(required)]
        known: Option<i64>,
        /// How many webhooks missed, so that we had to find them.
        missed: i64,
        /// Of the platform's orders so many are known, in percent: not told before the day was compared
        /// after its end.
        #[schema(required)]
        percent: Option<String>,
        #[schema(required)]
        compared_at: Option<Time>,
    }
}

view! {
    /// How complete a store's days are.
    pub struct Completeness {
        store_id: StoreId,
        /// The calendar that the days are of.
        timezone: String,
        data: Vec<DayView>,
    }
}

/// Known of the platform's orders in percent, rounded down: 100 is said of all only.
#[must_use]
pub fn percent(known: i64, platform: i64) -> String {
    if platform <= 0 {
        return "100".to_owned();
    }
    let points = known.clamp(0, platform).saturating_mul(10_000).div_euclid(platform);
    Decimal::new(points, 2).to_string()
}

fn day_view(row: DayRow) -> DayView {
    let told = row.known.zip(row.platform).filter(|_| row.over);
    DayView {
        day: row.day.to_iso(),
        platform: row.platform,
        known: row.known,
        missed: row.missed,
        percent: told.map(|(known, platform)| percent(known, platform)),
        compared_at: row.compared_at_ms.map(Time),
    }
}

/// The days that a call asks for, both ends included.
fn span(params: &Params, today: Day) -> Result<(Day, Day)> {
    let day = |name: &str| match params.get(name) {
        None => Ok(None),
        Some(text) => Day::from_iso(text)
            .map(Some)
            .ok_or_else(|| Error::invalid(name, "must be a date such as 2026-11-22")),
    };
    let to = day("to")?.unwrap_or(today);
    let from = day("from")?.unwrap_or_else(|| to.plus(1 - DAYS));
    if from > to {
        return Err(Error::invalid("from", "must not be after `to`"));
    }
    Ok((from.max(to.plus(1 - MOST_DAYS)), to))
}

/// How complete a store's days are: orders that the platform has, and how many of these are known.
#[utoipa::path(get, path = "/v1/stores/{id}/completeness", tag = "stores",
    security(("api_key" = ["read"])), params(("id" = StoreId, Path),
    ("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = Completeness)))]
pub async fn of_store(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Store>,
    params: Params,
) -> Result<Json<Completeness>> {
    let params = params.only(&["from", "to"])?;
    let row = store(&app, caller.brand, id.0).await?;
    let zone = row.timezone.as_deref().and_then(Zone::named).unwrap_or_else(Zone::utc);
    let days = span(&params, zone.day(app.now_ms()))?;
    let found = app.db().all::<DayRow>(syncs::days(caller.brand, id.0, days)).await?;
    Ok(Json(Completeness {
        store_id: id.0,
        timezone: zone.name().to_owned(),
        data: found.into_iter().map(day_view).collect(),
    }))
}

view! {
    /// How complete a day is that a creator's orders may be in.
    #[schema(as = MyCompletenessOfDay)]
    struct MyDayView {
        day: String,
        /// Null before the day was compared with the shop after its end.
        #[schema(required)]
        percent: Option<String>,
    }
}

view! {
    /// How complete the days are of the stores that a creator's deals lead to.
    pub struct MyCompleteness {
        /// The brand's name.
        brand: String,
        data: Vec<MyDayView>,
    }
}

/// How complete the days are of the stores that the creator's deals lead to.
#[utoipa::path(get, path = "/v1/me/completeness", tag = "creator", security(("creator" = [])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = MyCompleteness)))]
pub async fn mine(State(app): State<App>, me: Me, params: Params) -> Result<Json<MyCompleteness>> {
    let params = params.only(&["from", "to"])?;
    let brand = super::brand::find(&app, me.brand).await?.brand;
    let days = span(&params, brand.timezone.day(app.now_ms()))?;
    let stores = syncs::stores_of(app.db(), me.brand, me.creator).await?;
    let asked: Vec<Statement> =
        stores.iter().map(|store| syncs::days(me.brand, *store, days)).collect();
    let mut all: Vec<DayRow> = Vec::new();
    if !asked.is_empty() {
        for rows in app.db().run_on(Freshness::Nearest, asked).await? {
            all.extend(rows.all::<DayRow>()?);
        }
    }
    all.sort_by_key(|row| row.day);
    let same_day = all.chunk_by(|a, b| a.day == b.day);
    let data = same_day.filter_map(|rows| {
        let told = |row: &DayRow| row.known.zip(row.platform).filter(|_| row.over);
        let sums = rows.iter().try_fold((0, 0), |(known, platform), row| {
            told(row).map(|(k, p)| (known + k, platform + p))
        });
        let day = rows.first()?.day.to_iso();
        Some(MyDayView { day, percent: sums.map(|(known, platform)| percent(known, platform)) })
    });
    Ok(Json(MyCompleteness { brand: brand.name, data: data.collect() }))
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_hundred_is_said_of_all_only() {
        assert_eq!(percent(7, 7), "100");
        assert_eq!(percent(0, 0), "100");
        assert_eq!(percent(999_999, 1_000_000), "99.99");
        assert_eq!(percent(2, 3), "66.66");
        assert_eq!(percent(0, 3), "0");
        assert_eq!(percent(9, 3), "100");
    }
}
