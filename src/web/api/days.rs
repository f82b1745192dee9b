//! A deal's performance day by day.

use crate::app::App;
use crate::domain::ids::Deal;
use crate::domain::money::Money;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::mine::{self, MonthRow};
use crate::storage::{Freshness, clicks};
use crate::web::extract::{Caller, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::money::with_live;
use super::view::{Date, List};

/// So many days are told at once.
const MOST_DAYS: i64 = 400;
/// So many where nothing is said.
const USUAL_DAYS: i64 = 30;

view! {
    /// What a deal brought on one day.
    pub struct PerformanceDay {
        /// A day of the brand.
        on: Date,
        /// Shoppers' clicks.
        clicks: i64,
        unique_clicks: i64,
        /// Orders placed that aren't cancelled.
        orders: i64,
        /// Base after refunds, per currency.
        revenue: Vec<Money>,
        commission: Vec<Money>,
    }
}

/// A deal's performance day by day, both ends included, days on which nothing was among them: the last 30 days
/// where nothing is said, 400 at most. Their sums are those of `GET /v1/deals/{id}/performance` for the same period.
#[utoipa::path(get, path = "/v1/deals/{id}/performance/days", tag = "money",
    security(("api_key" = ["read"])), params(("id" = crate::domain::ids::DealId, Path),
    ("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = List<PerformanceDay>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<PerformanceDay>>> {
    let params = params.only(&["from", "to"])?;
    let deal = super::deals::find(&app, caller.brand, id.0).await?;
    let zone = super::brand::find(&app, caller.brand).await?.brand.timezone;
    let (from_ms, to_ms) = params.period(&zone)?;
    let to = match params.get("to") {
        Some(_) => zone.day(to_ms - 1),
        None => zone.day(app.now_ms()),
    };
    let from = match params.get("from") {
        Some(_) => zone.day(from_ms),
        None => to.plus(1 - USUAL_DAYS),
    };
    let count = to.0 - from.0 + 1;
    if !(1..=MOST_DAYS).contains(&count) {
        return Err(Error::invalid(
            "from",
            "must be at most 400 days before the end, and not after it",
        ));
    }
    let (brand, links) = (caller.brand, deal.links.iter().map(|link| link.id).collect::<Vec<_>>());
    let reads =
        vec![mine::days(brand, deal.id, from, to), clicks::of_deals(brand, &[deal.id], from, to)];
    let results = app.db().run_on(Freshness::Primary, reads).await?;
    let [orders, stored] = results.as_slice() else {
        return Err(Error::Internal("two results".to_owned()).into());
    };
    let (orders, clicks): (Vec<MonthRow>, _) =
        (orders.all()?, with_live(&app, &links, stored.all()?, (from, to)).await);
    let day = |day: Day| {
        let of = || orders.iter().filter(move |row| row.day == day);
        let clicked = || clicks.iter().filter(move |row| row.day == day);
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        PerformanceDay {
            on: Date(day),
            clicks: count(clicked().map(|row| row.total).sum()),
            unique_clicks: count(clicked().map(|row| row.uniques).sum()),
            orders: of().map(|row| row.orders).sum(),
            revenue: of().map(|row| Money::new(row.base_minor, row.currency)).collect(),
            commission: of().map(|row| Money::new(row.commission_minor, row.currency)).collect(),
        }
    };
    let data = (0..count).map(|after| day(from.plus(after))).collect();
    Ok(Json(List { data, next_cursor: None }))
}
