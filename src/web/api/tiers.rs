//! Commission tiers: thresholds, and the rates that reaching them starts.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{CampaignId, Deal, DealId, Tiers as TiersKind, TiersId};
use crate::domain::money::{Currency, Money};
use crate::domain::tiers::{Level, Metric, Period, Tiers};
use crate::error::{Error, Result};
use crate::storage::audit::If;
use crate::storage::tiers::{self as rows, StepRow, TiersRow};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, by_serde, view};
use crate::web::message::Response;

use super::deals::{find, missing_parent};
use super::view::{List, Percent, Time};

words!(Metric { "orders" => Orders, "revenue" => Revenue, "commission" => Commission });
words!(Period { "month" => Month, "quarter" => Quarter, "all" => All });
by_serde!(Metric, Period);

body! {
    /// New tiers.
    pub struct NewTiers {
        /// Absent: for all campaigns.
        campaign_id: Option<String>,
        metric: Metric,
        period: Period,
        /// Absent: the brand's.
        currency: Option<Currency>,
        /// Rates end with the period in which they were reached.
        falls_back: Option<bool>,
        /// By rising threshold.
        levels: Vec<NewLevel>,
    }
}

body! {
    /// A level.
    pub struct NewLevel {
        name: String,
        /// A whole number of orders, or a decimal amount.
        threshold: String,
        commission_percent: Percent,
    }
}

view! {
    /// Commission tiers.
    #[schema(as = Tiers)]
    pub struct TiersView {
        id: TiersId,
        #[schema(required)]
        campaign_id: Option<CampaignId>,
        metric: Metric,
        period: Period,
        currency: Currency,
        falls_back: bool,
        levels: Vec<LevelView>,
        created_at: Time,
        #[schema(required)]
        ended_at: Option<Time>,
    }
}

view! {
    /// A level.
    #[schema(as = Level)]
    pub struct LevelView {
        name: String,
        threshold: String,
        commission_percent: Percent,
    }
}

/// A threshold or a measured value as text.
fn told(metric: Metric, value: i64, currency: Currency) -> String {
    match metric {
        Metric::Orders => value.to_string(),
        Metric::Revenue | Metric::Commission => Money::new(value, currency).to_decimal(),
    }
}

impl From<TiersRow> for TiersView {
    fn from(row: TiersRow) -> Self {
        let Tiers { id, campaign, metric, period, currency, falls_back, levels } = row.tiers;
        let level = |level: Level| LevelView {
            threshold: told(metric, level.threshold, currency),
            name: level.name,
            commission_percent: Percent(level.rate),
        };
        Self {
            id,
            campaign_id: campaign,
            metric,
            period,
            currency,
            falls_back,
            levels: levels.into_iter().map(level).collect(),
            created_at: Time(row.created_at_ms),
            ended_at: row.ended_at_ms.map(Time),
        }
    }
}

fn levels(
    checks: &mut Checks,
    new: Vec<NewLevel>,
    metric: Metric,
    currency: Currency,
) -> Vec<Level> {
    if new.is_empty() || new.len() > 20 {
        checks.refuse("levels", "must be between 1 and 20");
        return Vec::new();
    }
    let mut levels: Vec<Level> = Vec::with_capacity(new.len());
    for (place, level) in new.into_iter().enumerate() {
        let of = |field: &str| format!("levels[{place}].{field}");
        let name = checks.text(&of("name"), &level.name, 50).unwrap_or_default();
        let threshold = match metric {
            Metric::Orders => whole(&level.threshold),
            Metric::Revenue | Metric::Commission => {
                Money::parse(&level.threshold, currency).ok().map(|money| money.minor)
            }
        };
        let threshold = threshold.filter(|threshold| *threshold > 0).unwrap_or_else(|| {
            checks.refuse(
                &of("threshold"),
                "must be a whole number of orders, or an amount, above 0",
            );
            0
        });
        let rate = level.commission_percent.0;
        if levels.last().is_some_and(|before| before.threshold >= threshold) {
            checks.refuse(&of("threshold"), "must be above the level's before it");
        }
        if levels.last().is_some_and(|before| before.rate >= rate) {
            checks.refuse(&of("commission_percent"), "must be above the level's before it");
        }
        levels.push(Level { name, threshold, rate });
    }
    levels
}

impl NewTiers {
    /// The tiers that this body asks for, with everything that is wrong noted in `checks`.
    pub(super) fn tiers(self, checks: &mut Checks, id: TiersId, currency: Currency) -> Tiers {
        let currency = self.currency.unwrap_or(currency);
        let campaign = self.campaign_id.map(|id| checks.field("campaign_id", id.parse()));
        Tiers {
            id,
            campaign: campaign.flatten(),
            metric: self.metric,
            period: self.period,
            currency,
            falls_back: self.falls_back.unwrap_or(false),
            levels: levels(checks, self.levels, self.metric, currency),
        }
    }
}

/// A whole number within what the books take.
pub(super) fn whole(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// Sets up tiers. They count what was ordered before too; rates change from the moment on at which a
/// level is reached.
#[utoipa::path(post, path = "/v1/tiers", tag = "deals", request_body = NewTiers,
    security(("api_key" = ["deals"])), responses((status = 201, body = TiersView),
    (status = 404, description = "No such campaign")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewTiers>,
) -> Result<(StatusCode, Json<TiersView>)> {
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    let mut checks = Checks::default();
    let tiers = new.tiers(&mut checks, app.new_id(), brand.currency);
    checks.done()?;
    let id = tiers.id;
    let now_ms = app.now_ms();
    let insert = rows::insert(caller.brand, &tiers, now_ms);
    let view = TiersView::from(TiersRow { tiers, created_at_ms: now_ms, ended_at_ms: None });
    let note = caller.note(&app, "tiers.create", id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await.map_err(missing_parent)?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The brand's tiers, those that ended too.
#[utoipa::path(get, path = "/v1/tiers", tag = "deals", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<TiersView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<TiersView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.tiers.id.to_string(), TiersView::from)))
}

/// Ends tiers: rates that were reached stay.
#[utoipa::path(delete, path = "/v1/tiers/{id}", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = TiersId, Path)),
    responses((status = 204, description = "Ended")))]
pub async fn end(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<TiersKind>,
) -> Result<Response> {
    rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let what = ("tiers.end", &*id.0.to_string());
    let note = caller.note_if(&app, If::TiersHold, what, None, None);
    app.db().run(vec![note, rows::end(caller.brand, id.0, app.now_ms())]).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

view! {
    /// A level that a deal reached.
    #[schema(as = TierStep)]
    pub struct StepView {
        tiers_id: TiersId,
        name: String,
        /// Its place among the levels, from 1 on.
        level: i64,
        /// What was measured at that moment, in orders or minor units.
        measured: i64,
        reached_at: Time,
    }
}

/// The levels that a deal reached, latest first.
#[utoipa::path(get, path = "/v1/deals/{id}/tiers", tag = "deals",
    security(("api_key" = ["read"])), params(("id" = DealId, Path)),
    responses((status = 200, body = List<StepView>)))]
pub async fn steps(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
) -> Result<Json<List<StepView>>> {
    find(&app, caller.brand, id.0).await?;
    let found = rows::steps(app.db(), caller.brand, id.0).await?;
    let view = |row: StepRow| StepView {
        tiers_id: row.tiers_id,
        name: row.name,
        level: row.level,
        measured: row.measured,
        reached_at: Time(row.reached_at_ms),
    };
    Ok(Json(List { data: found.into_iter().map(view).collect(), next_cursor: None }))
}
