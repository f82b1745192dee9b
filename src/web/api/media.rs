//! Earned media value: how a brand values what was seen, and what its posts come to.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{BrandId, Campaign};
use crate::domain::money::{Currency, Money};
use crate::domain::post::{Formula, MAX_CPM_MINOR, Measure, Platform, Rate};
use crate::error::{Error, Result};
use crate::storage::posts::{self as rows, FormulaRow, SumsRow, Which};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, may};
use crate::web::handler::{Json, State};
use crate::web::json::{text, view};

use super::posts::deals_of;
use super::view::{List, Time};

words!(Measure { "impressions" => Impressions, "views" => Views });

body! {
    /// What a thousand are worth.
    pub struct NewRate {
        measure: Measure,
        /// In the brand's currency.
        cpm: Money,
    }
}

body! {
    /// What a thousand are worth on a platform.
    pub struct NewPlatformRate {
        platform: Platform,
        measure: Measure,
        /// In the brand's currency.
        cpm: Money,
    }
}

body! {
    /// How to value what was seen from now on.
    pub struct NewFormula {
        default: NewRate,
        /// Platforms that differ.
        platforms: Option<Vec<NewPlatformRate>>,
    }
}

view! {
    /// What a thousand are worth.
    #[schema(as = Rate)]
    struct RateView {
        measure: Measure,
        cpm: Money,
    }
}

view! {
    /// What a thousand are worth on a platform.
    #[schema(as = PlatformRate)]
    struct PlatformRateView {
        platform: Platform,
        measure: Measure,
        cpm: Money,
    }
}

view! {
    /// A version of the formula. Version 0 holds until the brand sets one.
    #[schema(as = MediaFormula)]
    pub struct FormulaView {
        version: i64,
        default: RateView,
        platforms: Vec<PlatformRateView>,
        /// Null for version 0.
        #[schema(required)]
        created_at: Option<Time>,
    }
}

fn view(formula: &Formula, currency: Currency, created_at: Option<Time>) -> FormulaView {
    let Rate { measure, cpm_minor } = formula.default;
    let own = formula.platforms.iter().map(|(platform, rate)| PlatformRateView {
        platform: *platform,
        measure: rate.measure,
        cpm: Money::new(rate.cpm_minor, currency),
    });
    FormulaView {
        version: formula.version,
        default: RateView { measure, cpm: Money::new(cpm_minor, currency) },
        platforms: own.collect(),
        created_at,
    }
}

/// The formula of a version (`formula=`), or the latest, and the brand's currency.
///
/// # Errors
/// 422 if there is no such version.
pub(super) async fn formula_of(
    app: &App,
    brand: BrandId,
    version: Option<&str>,
) -> Result<(Formula, Currency)> {
    let currency = super::brand::find(app, brand).await?.brand.currency;
    let none = || Error::invalid("formula", "is no version of the formula");
    let version: Option<i64> = version.map(|text| text.parse().map_err(|_| none())).transpose()?;
    if version.is_some_and(|version| !(0..=10_000).contains(&version)) {
        return Err(none());
    }
    let nobodys = || Formula::of_nobody(currency.exponent());
    if version == Some(0) {
        return Ok((nobodys(), currency));
    }
    match rows::formula(app.db(), brand, version).await? {
        Some(row) => Ok((row.formula()?, currency)),
        None if version.is_none() => Ok((nobodys(), currency)),
        None => Err(none()),
    }
}

fn rate_of(
    checks: &mut Checks,
    within: &str,
    (measure, cpm): (Measure, Money),
    currency: Currency,
) -> Rate {
    if cpm.currency != currency {
        checks.refuse(&format!("{within}.cpm.currency"), "must be the brand's currency");
    }
    if !(0..=MAX_CPM_MINOR).contains(&cpm.minor) {
        checks.refuse(&format!("{within}.cpm.amount"), "must be between 0 and 1000000 minor units");
    }
    Rate { measure, cpm_minor: cpm.minor }
}

/// Sets how what was seen is valued: a new version. What was told by an older one can be had again with
/// `formula=`.
#[utoipa::path(post, path = "/v1/media-formulas", tag = "posts", request_body = NewFormula,
    security(("api_key" = ["admin"])), responses((status = 201, body = FormulaView),
    (status = 409, description = "Somebody else set one at the same moment")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(new): Body<NewFormula>,
) -> Result<(StatusCode, Json<FormulaView>)> {
    let (latest, currency) = formula_of(&app, caller.brand, None).await?;
    let mut checks = Checks::default();
    let default = (new.default.measure, new.default.cpm);
    let default = rate_of(&mut checks, "default", default, currency);
    let mut platforms: Vec<(Platform, Rate)> = Vec::new();
    for (place, one) in new.platforms.unwrap_or_default().into_iter().enumerate().take(100) {
        let within = format!("platforms[{place}]");
        if platforms.iter().any(|(platform, _)| *platform == one.platform) {
            checks.refuse(&format!("{within}.platform"), "stands there twice");
        }
        let rate = rate_of(&mut checks, &within, (one.measure, one.cpm), currency);
        platforms.push((one.platform, rate));
    }
    checks.done()?;
    let formula = Formula { version: latest.version + 1, default, platforms };
    let now_ms = app.now_ms();
    let told = view(&formula, currency, Some(Time(now_ms)));
    let note = caller.note(&app, "media_formula.create", caller.brand, None, Some(text(&told)));
    let batch = vec![rows::insert_formula(caller.brand, &formula, now_ms), note];
    app.db().run(batch).await.map_err(|error| match error.is_constraint("media_formulas") {
        true => Error::refused(
            "formula-changed",
            "somebody else changed it, or it changed 10,000 times",
        ),
        false => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(told)))
}

/// The versions of the formula, latest first: the first holds.
#[utoipa::path(get, path = "/v1/media-formulas", tag = "posts", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<FormulaView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<FormulaView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let before = match page.after.as_str() {
        "" => 1_000_000,
        version => version
            .parse()
            .ok()
            .filter(|version| (0..=1_000_000).contains(version))
            .ok_or_else(|| Error::invalid("cursor", "is none that this list gave"))?,
    };
    let currency = super::brand::find(&app, caller.brand).await?.brand.currency;
    let found = rows::formulas(app.db(), caller.brand, before, page.limit).await?;
    let whole = i64::try_from(found.len()).is_ok_and(|n| n < page.limit);
    let formulas: Result<Vec<_>> = found
        .iter()
        .map(|row: &FormulaRow| Ok(view(&row.formula()?, currency, Some(Time(row.created_at_ms)))))
        .collect();
    let key = |view: &FormulaView| view.version.to_string();
    let mut list = List::page(formulas?, &page, key, |view| view);
    if whole && before > 0 {
        list.data.push(view(&Formula::of_nobody(currency.exponent()), currency, None));
    }
    Ok(Json(list))
}

view! {
    /// A metric over posts.
    struct Counted {
        /// Of those whose count is known; null if none is.
        #[schema(required)]
        total: Option<i64>,
        /// Of so many it is known.
        measured: i64,
        /// Of so many it isn't: they count as nothing known, not as zero.
        unmeasured: i64,
    }
}

view! {
    /// What posts on one platform come to.
    struct PlatformSums {
        platform: Platform,
        posts: i64,
        impressions: Counted,
        views: Counted,
        #[schema(required)]
        likes: Option<i64>,
        #[schema(required)]
        comments: Option<i64>,
        #[schema(required)]
        shares: Option<i64>,
        #[schema(required)]
        earned_media_value: Option<Money>,
        /// So many posts have a value.
        valued: i64,
    }
}

view! {
    /// What posts come to, by one version of the formula.
    pub struct MediaSummary {
        formula: i64,
        posts: i64,
        impressions: Counted,
        views: Counted,
        #[schema(required)]
        likes: Option<i64>,
        #[schema(required)]
        comments: Option<i64>,
        #[schema(required)]
        shares: Option<i64>,
        /// Null if no post has a value.
        #[schema(required)]
        earned_media_value: Option<Money>,
        /// So many posts have a value.
        valued: i64,
        platforms: Vec<PlatformSums>,
    }
}

/// A sum of what is known.
fn known(values: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    values.flatten().reduce(i64::saturating_add)
}

fn counted(total: Option<i64>, measured: i64, posts: i64) -> Counted {
    Counted { total, measured, unmeasured: posts - measured }
}

/// What posts come to: all, of a deal, a creator or a campaign, published within a period.
#[utoipa::path(get, path = "/v1/posts/summary", tag = "posts", security(("api_key" = ["read"])),
    params(("deal_id" = Option<String>, Query), ("creator_id" = Option<String>, Query),
    ("campaign_id" = Option<String>, Query), ("from" = Option<String>, Query),
    ("to" = Option<String>, Query), ("formula" = Option<i64>, Query)),
    responses((status = 200, body = MediaSummary)))]
pub async fn summary(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<MediaSummary>> {
    let names = ["deal_id", "creator_id", "campaign_id", "from", "to", "formula"];
    let params = params.only(&names)?;
    let campaign = params.id::<Campaign>("campaign_id")?;
    let deals = deals_of(&app, caller.brand, &params).await?;
    let which = match (&deals, campaign) {
        (None, None) => Which::All,
        (None, Some(campaign)) => Which::Of(campaign),
        (Some(deals), None) => Which::Deals(deals),
        (Some(_), Some(_)) => {
            return Err(Error::invalid("campaign_id", "can't be combined with a deal or creator"));
        }
    };
    let zone = super::brand::find(&app, caller.brand).await?.brand.timezone;
    let span = params.period(&zone)?;
    let (formula, currency) = formula_of(&app, caller.brand, params.get("formula")).await?;
    let sums = rows::sums(app.db(), caller.brand, which, span, &formula).await?;
    let posts: i64 = sums.iter().map(|row| row.posts).sum();
    let of = |count: fn(&SumsRow) -> Option<i64>| known(sums.iter().map(count));
    let many = |count: fn(&SumsRow) -> i64| sums.iter().map(count).sum::<i64>();
    let money = |minor: i64| Money::new(minor, currency);
    Ok(Json(MediaSummary {
        formula: formula.version,
        posts,
        impressions: counted(of(|r| r.impressions), many(|r| r.with_impressions), posts),
        views: counted(of(|r| r.views), many(|r| r.with_views), posts),
        likes: of(|r| r.likes),
        comments: of(|r| r.comments),
        shares: of(|r| r.shares),
        earned_media_value: of(|r| r.value_minor).map(money),
        valued: many(|r| r.valued),
        platforms: sums
            .into_iter()
            .map(|row| PlatformSums {
                platform: row.platform,
                posts: row.posts,
                impressions: counted(row.impressions, row.with_impressions, row.posts),
                views: counted(row.views, row.with_views, row.posts),
                likes: row.likes,
                comments: row.comments,
                shares: row.shares,
                earned_media_value: row.value_minor.map(money),
                valued: row.valued,
            })
            .collect(),
    }))
}
