//! Where sales come from: codes against links, stages as a funnel, cohorts of creators, posts beside sales.

use crate::app::App;
use crate::domain::ids::{BrandId, CampaignId, CreatorId, DealId, PostId, SegmentId};
use crate::domain::money::{Currency, Money};
use crate::domain::post::Platform;
use crate::domain::report::{Figures, percent};
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::posts::{self, PostRow};
use crate::storage::reports::{self as rows, By, PostDays};
use crate::web::extract::{Caller, Params, encode_cursor};
use crate::web::handler::{Answer, Json, State};
use crate::web::json::view;
use crate::web::message::Response;

use super::orders::order_page;
use super::posts::deals_of;
use super::reports::{
    FIGURE_COLUMNS, ReportedClicks, ReportedFigures, asked, cells, figures, file, line, text,
};
use super::view::{Date, Time};

view! {
    /// What one kind of source brought.
    pub struct SourceInReport {
        /// `code`, `link` (clicks, `ref` and visits that the shop saw), or `other`: by hand, or by the word of
        /// another affiliate programme.
        source: &'static str,
        orders: i64,
        revenue: Money,
        commission: Money,
        /// Revenue ÷ orders, in whole minor units; null without orders.
        #[schema(required)]
        average_order: Option<Money>,
        /// Its part of the revenue.
        #[schema(required)]
        share_percent: Option<String>,
        /// Of links.
        #[schema(required)]
        clicks: Option<ReportedClicks>,
        /// Orders by links ÷ unique clicks.
        #[schema(required)]
        conversion_percent: Option<String>,
    }
}

view! {
    /// Codes against links.
    pub struct ReportOfSources {
        currency: Currency,
        #[schema(required)]
        from: Option<Date>,
        #[schema(required)]
        to: Option<Date>,
        orders: i64,
        revenue: Money,
        commission: Money,
        data: Vec<SourceInReport>,
    }
}

/// What codes brought and what links did, over days of the brand.
#[utoipa::path(get, path = "/v1/reports/sources", tag = "reports", security(("api_key" = ["read"])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("campaign_id" = Option<CampaignId>, Query), ("currency" = Option<String>, Query),
    ("filter" = Option<String>, Query, description = "Of deals, as for creators"), ("segment" = Option<SegmentId>, Query),
    ("format" = Option<String>, Query, description = "`csv`")),
    responses((status = 200, content((ReportOfSources = "application/json"),
        (String = "text/csv"))), (status = 404, description = "No such segment")))]
pub async fn sources(State(app): State<App>, caller: Caller, params: Params) -> Result<Response> {
    let params = params.only(NARROWED)?;
    let (report, csv) = report_of_sources(&app, caller.brand, &params).await?;
    if csv { Ok(file("sources", table_of_sources(&report))) } else { Json(report).answer() }
}

/// What those reports take that a filter narrows.
const NARROWED: &[&str] = &["from", "to", "campaign_id", "currency", "filter", "segment", "format"];

/// Codes against links, and whether that is to be a file.
pub(crate) async fn report_of_sources(
    app: &App,
    brand: BrandId,
    params: &Params,
) -> Result<(ReportOfSources, bool)> {
    let asked = asked(app, brand, params).await?;
    let currency = asked.about.currency;
    let (all, clicks) = rows::sources(app.db(), &asked.about).await?;
    let total = clicks.iter().map(|day| day.clicks).sum();
    let unique: i64 = clicks.iter().map(|day| day.uniques).sum();
    let of = |source, orders: i64, revenue: i64, commission| {
        let by_link = source == "link";
        let average = crate::domain::money::round_half_away(i128::from(revenue), orders.into());
        SourceInReport {
            source,
            orders,
            revenue: Money::new(revenue, currency),
            commission: Money::new(commission, currency),
            average_order: (orders > 0).then_some(Money::new(average, currency)),
            share_percent: text(percent(revenue, all.revenue)),
            clicks: by_link.then_some(ReportedClicks { total, unique }),
            conversion_percent: text(percent(orders, unique).filter(|_| by_link)),
        }
    };
    let data = vec![
        of("code", all.code_orders, all.code_revenue, all.code_commission),
        of("link", all.link_orders, all.link_revenue, all.link_commission),
        of(
            "other",
            all.orders - all.code_orders - all.link_orders,
            all.revenue - all.code_revenue - all.link_revenue,
            all.commission - all.code_commission - all.link_commission,
        ),
    ];
    let told = ReportOfSources {
        currency,
        from: asked.from,
        to: asked.to,
        orders: all.orders,
        revenue: Money::new(all.revenue, currency),
        commission: Money::new(all.commission, currency),
        data,
    };
    Ok((told, asked.csv))
}

fn table_of_sources(report: &ReportOfSources) -> String {
    let mut out = String::from(
        "source,currency,orders,revenue,commission,share_percent,unique_clicks,conversion_percent\r\n",
    );
    for row in &report.data {
        let clicks = row.clicks.as_ref().map(|clicks| clicks.unique.to_string());
        line(
            &mut out,
            &[
                row.source.to_owned(),
                report.currency.code().to_owned(),
                row.orders.to_string(),
                row.revenue.to_decimal(),
                row.commission.to_decimal(),
                row.share_percent.clone().unwrap_or_default(),
                clicks.unwrap_or_default(),
                row.conversion_percent.clone().unwrap_or_default(),
            ],
        );
    }
    out
}

view! {
    /// A stage of a campaign.
    pub struct StageInReport {
        stage: String,
        /// Deals that are at it now.
        deals: i64,
        /// Of these, closed ones.
        closed: i64,
        /// Deals that are at it or at a later one now.
        here_or_further: i64,
        /// Their part of the campaign's deals.
        #[schema(required)]
        share_percent: Option<String>,
        /// What the deals that are at it now brought in the period.
        figures: ReportedFigures,
    }
}

view! {
    /// A campaign's stages in the order of its board.
    pub struct FunnelOfCampaign {
        campaign_id: CampaignId,
        name: String,
        archived: bool,
        deals: i64,
        stages: Vec<StageInReport>,
    }
}

view! {
    /// Stages as funnels.
    pub struct ReportOfStages {
        currency: Currency,
        #[schema(required)]
        from: Option<Date>,
        #[schema(required)]
        to: Option<Date>,
        data: Vec<FunnelOfCampaign>,
    }
}

/// So many campaigns are shown with their stages, the oldest first.
const MOST_CAMPAIGNS: i64 = 200;

/// Where deals stand: a campaign's stages as a funnel. `from` and `to` bound what they brought, not which
/// deals are counted.
#[utoipa::path(get, path = "/v1/reports/stages", tag = "reports", security(("api_key" = ["read"])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("campaign_id" = Option<CampaignId>, Query), ("currency" = Option<String>, Query),
    ("filter" = Option<String>, Query, description = "Of deals, as for creators"), ("segment" = Option<SegmentId>, Query),
    ("format" = Option<String>, Query, description = "`csv`")),
    responses((status = 200, content((ReportOfStages = "application/json"),
        (String = "text/csv"))), (status = 404, description = "No such segment")))]
pub async fn stages(State(app): State<App>, caller: Caller, params: Params) -> Result<Response> {
    let params = params.only(NARROWED)?;
    let (report, csv) = report_of_stages(&app, caller.brand, &params).await?;
    if csv { Ok(file("stages", table_of_stages(&report))) } else { Json(report).answer() }
}

/// Stages as funnels, and whether that is to be a file.
pub(crate) async fn report_of_stages(
    app: &App,
    brand: BrandId,
    params: &Params,
) -> Result<(ReportOfStages, bool)> {
    let asked = asked(app, brand, params).await?;
    let about = &asked.about;
    let found = rows::figures(app.db(), about, By::Stage, &asked.formula, 20_000).await?;
    let found = found.ok_or_else(|| {
        Error::invalid("campaign_id", "there are too many stages: name a campaign")
    })?;
    let named = rows::campaigns(app.db(), brand, about.campaign, MOST_CAMPAIGNS).await?;
    let mut data = Vec::with_capacity(named.len());
    for campaign in named {
        let of = |stage: &str| -> Figures {
            found.get(&format!("{}/{stage}", campaign.id)).copied().unwrap_or_default()
        };
        let all: Vec<(String, Figures)> =
            campaign.stages.iter().map(|stage| (stage.clone(), of(stage))).collect();
        let deals: i64 = all.iter().map(|(_, figures)| figures.deals).sum();
        let mut left = deals;
        let stages = all.into_iter().map(|(stage, sums)| {
            let here_or_further = left;
            left -= sums.deals;
            StageInReport {
                stage,
                deals: sums.deals,
                closed: sums.closed,
                here_or_further,
                share_percent: text(percent(here_or_further, deals)),
                figures: figures(&sums, about.currency, asked.own),
            }
        });
        let stages = stages.collect();
        let (campaign_id, name, archived) = (campaign.id, campaign.name, campaign.archived);
        data.push(FunnelOfCampaign { campaign_id, name, archived, deals, stages });
    }
    let (currency, from, to) = (about.currency, asked.from, asked.to);
    Ok((ReportOfStages { currency, from, to, data }, asked.csv))
}

fn table_of_stages(report: &ReportOfStages) -> String {
    let mut out =
        format!("campaign_id,campaign,stage,here_or_further,share_percent,{FIGURE_COLUMNS}\r\n");
    for campaign in &report.data {
        for stage in &campaign.stages {
            let mut told = vec![
                campaign.campaign_id.to_string(),
                campaign.name.clone(),
                stage.stage.clone(),
                stage.here_or_further.to_string(),
                stage.share_percent.clone().unwrap_or_default(),
            ];
            told.extend(cells(&stage.figures));
            line(&mut out, &told);
        }
    }
    out
}

view! {
    /// What creators of one month brought in a month.
    pub struct MonthOfCohort {
        /// `2026-11`.
        month: String,
        /// How many of them sold something.
        creators: i64,
        orders: i64,
        revenue: Money,
        commission: Money,
    }
}

view! {
    /// The creators whose first deal was made in one month.
    pub struct CohortInReport {
        /// `2026-11`; null for all before the first month that was asked for.
        #[schema(required)]
        cohort: Option<String>,
        creators: i64,
        /// From that month (or the first that was asked for) to this one.
        months: Vec<MonthOfCohort>,
    }
}

view! {
    /// Cohorts of creators by month.
    pub struct ReportOfCohorts {
        currency: Currency,
        data: Vec<CohortInReport>,
    }
}

/// A month as years × 12 + months from 0.
fn month_of(day: Day) -> i64 {
    let (year, month, _) = day.to_civil();
    year * 12 + month - 1
}

fn first_day(month: i64) -> Day {
    Day::from_iso(&format!("{}-01", named(month))).unwrap_or(Day(0))
}

fn named(month: i64) -> String {
    format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}

/// Creators by the month of their first deal, and what they brought in each month since.
#[utoipa::path(get, path = "/v1/reports/cohorts", tag = "reports", security(("api_key" = ["read"])),
    params(("months" = Option<i64>, Query, description = "How many, up to this one: 1 to 24, or 12 if nothing is said"),
    ("currency" = Option<String>, Query), ("format" = Option<String>, Query, description = "`csv`")),
    responses((status = 200, content((ReportOfCohorts = "application/json"),
        (String = "text/csv")))))]
pub async fn cohorts(State(app): State<App>, caller: Caller, params: Params) -> Result<Response> {
    let params = params.only(&["months", "currency", "format"])?;
    let (report, csv) = report_of_cohorts(&app, caller.brand, &params).await?;
    if csv { Ok(file("cohorts", table_of_cohorts(&report))) } else { Json(report).answer() }
}

/// Cohorts, and whether they are to be a file.
pub(crate) async fn report_of_cohorts(
    app: &App,
    brand: BrandId,
    params: &Params,
) -> Result<(ReportOfCohorts, bool)> {
    let wrong = || Error::invalid("months", "must be 1 to 24");
    let count: i64 = params.get("months").map_or(Ok(12), |t| t.parse().map_err(|_| wrong()))?;
    if !(1..=24).contains(&count) {
        return Err(wrong());
    }
    let mut asked = asked(app, brand, params).await?;
    let last = month_of(asked.zone.day(app.now_ms()));
    let first = last - count + 1;
    let months: Vec<(i64, i64)> =
        (first..=last).map(|month| (month, asked.zone.start_of(first_day(month)))).collect();
    let (from, to) = (first_day(first), first_day(last + 1).plus(-1));
    asked.about.period = super::reports::period(&asked.zone, from, to);
    let currency = asked.about.currency;
    let (found, sizes) = rows::cohorts(app.db(), &asked.about, &months).await?;
    let data = sizes.into_iter().map(|size| {
        let months = (size.cohort.max(first)..=last).map(|month| {
            let here = found.iter().find(|row| row.cohort == size.cohort && row.month == month);
            let of = |read: fn(&rows::CohortRow) -> i64| here.map_or(0, read);
            MonthOfCohort {
                month: named(month),
                creators: of(|row| row.creators),
                orders: of(|row| row.orders),
                revenue: Money::new(of(|row| row.revenue), currency),
                commission: Money::new(of(|row| row.commission), currency),
            }
        });
        let cohort = (size.cohort > 0).then(|| named(size.cohort));
        CohortInReport { cohort, creators: size.creators, months: months.collect() }
    });
    Ok((ReportOfCohorts { currency, data: data.collect() }, asked.csv))
}

fn table_of_cohorts(report: &ReportOfCohorts) -> String {
    let mut out = String::from(
        "cohort,creators,month,creators_who_sold,currency,orders,revenue,commission\r\n",
    );
    for cohort in &report.data {
        for month in &cohort.months {
            line(
                &mut out,
                &[
                    cohort.cohort.clone().unwrap_or_default(),
                    cohort.creators.to_string(),
                    month.month.clone(),
                    month.creators.to_string(),
                    report.currency.code().to_owned(),
                    month.orders.to_string(),
                    month.revenue.to_decimal(),
                    month.commission.to_decimal(),
                ],
            );
        }
    }
    out
}

view! {
    /// A post beside what its deal sold around it.
    pub struct PostInReport {
        post_id: PostId,
        deal_id: DealId,
        platform: Platform,
        url: String,
        published_at: Time,
        #[schema(required)]
        impressions: Option<i64>,
        #[schema(required)]
        views: Option<i64>,
        #[schema(required)]
        earned_media_value: Option<Money>,
        /// In as many days before the day of the post,
        before: SalesAroundPost,
        /// and from that day on.
        after: SalesAroundPost,
    }
}

view! {
    /// What a deal sold in some days.
    pub struct SalesAroundPost {
        unique_clicks: i64,
        orders: i64,
        revenue: Money,
    }
}

view! {
    /// Posts beside sales.
    pub struct ReportOfPosts {
        currency: Currency,
        /// How many days before and after.
        days: i64,
        data: Vec<PostInReport>,
        #[schema(required)]
        next_cursor: Option<String>,
    }
}

/// Posts, published last first, beside what their deals sold in the days before and after. That one followed
/// the other doesn't say that it came of it: a deal may have several posts in these days.
#[utoipa::path(get, path = "/v1/reports/posts", tag = "reports", security(("api_key" = ["read"])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("deal_id" = Option<DealId>, Query), ("creator_id" = Option<CreatorId>, Query),
    ("currency" = Option<String>, Query), ("days" = Option<i64>, Query, description = "1 to 30, or 7 if nothing is said"),
    ("format" = Option<String>, Query, description = "`csv`: the page"),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, content((ReportOfPosts = "application/json"),
        (String = "text/csv")))))]
pub async fn posts(State(app): State<App>, caller: Caller, params: Params) -> Result<Response> {
    let params = params.only(&[
        "from",
        "to",
        "deal_id",
        "creator_id",
        "currency",
        "days",
        "format",
        "limit",
        "cursor",
    ])?;
    let (report, csv) = report_of_posts(&app, caller.brand, &params).await?;
    if csv { Ok(file("posts", table(&report.data))) } else { Json(report).answer() }
}

/// Posts beside sales, and whether that is to be a file.
pub(crate) async fn report_of_posts(
    app: &App,
    brand: BrandId,
    params: &Params,
) -> Result<(ReportOfPosts, bool)> {
    let wrong = || Error::invalid("days", "must be 1 to 30");
    let days: i64 = params.get("days").map_or(Ok(7), |text| text.parse().map_err(|_| wrong()))?;
    if !(1..=30).contains(&days) {
        return Err(wrong());
    }
    let page = order_page(params)?;
    let asked = asked(app, brand, params).await?;
    let deals = deals_of(app, brand, params).await?;
    let span = (asked.about.period.from_ms, asked.about.period.to_ms);
    let before = page.after.split_once('/').and_then(|(ms, id)| Some((ms.parse().ok()?, id)));
    let found = posts::list(app.db(), brand, deals.as_deref(), span, before, page.limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|n| n >= page.limit);
    let key = |row: &PostRow| encode_cursor(&format!("{}/{}", row.published_at_ms, row.id));
    let next_cursor = found.last().filter(|_| full).map(key);
    let of = |row: &PostRow| PostDays {
        post: row.id,
        deal: row.deal_id,
        on: asked.zone.day(row.published_at_ms),
    };
    let around: Vec<PostDays> = found.iter().map(of).collect();
    let currency = asked.about.currency;
    let (sales, clicks) = rows::around(app.db(), (brand, currency), &around, days).await?;
    let data: Vec<PostInReport> = found
        .into_iter()
        .filter(|row| row.removed_at_ms.is_none())
        .map(|row| {
            let sold = sales.iter().find(|sold| sold.post_id == row.id);
            let seen = clicks.iter().find(|seen| seen.post_id == row.id);
            let of = |orders: i64, revenue: i64, unique_clicks: i64| SalesAroundPost {
                unique_clicks,
                orders,
                revenue: Money::new(revenue, currency),
            };
            let (was, is) = sold.map_or(((0, 0), (0, 0)), |s| {
                ((s.orders_before, s.revenue_before), (s.orders_after, s.revenue_after))
            });
            let value = asked.formula.value(row.platform, &row.metrics());
            PostInReport {
                post_id: row.id,
                deal_id: row.deal_id,
                platform: row.platform,
                published_at: Time(row.published_at_ms),
                impressions: row.impressions,
                views: row.views,
                earned_media_value: value.map(|minor| Money::new(minor, asked.own)),
                url: row.url,
                before: of(was.0, was.1, seen.map_or(0, |seen| seen.clicks_before)),
                after: of(is.0, is.1, seen.map_or(0, |seen| seen.clicks_after)),
            }
        })
        .collect();
    Ok((ReportOfPosts { currency, days, data, next_cursor }, asked.csv))
}

fn table(data: &[PostInReport]) -> String {
    let mut out = String::from(
        "post_id,deal_id,platform,url,published_at,impressions,views,earned_media_value,currency,\
         unique_clicks_before,orders_before,revenue_before,unique_clicks_after,orders_after,revenue_after\r\n",
    );
    let count = |value: Option<i64>| value.map(|n| n.to_string()).unwrap_or_default();
    for row in data {
        line(
            &mut out,
            &[
                row.post_id.to_string(),
                row.deal_id.to_string(),
                row.platform.name().to_owned(),
                row.url.clone(),
                crate::domain::time::to_rfc3339(row.published_at.0),
                count(row.impressions),
                count(row.views),
                row.earned_media_value.map(Money::to_decimal).unwrap_or_default(),
                row.before.revenue.currency.code().to_owned(),
                row.before.unique_clicks.to_string(),
                row.before.orders.to_string(),
                row.before.revenue.to_decimal(),
                row.after.unique_clicks.to_string(),
                row.after.orders.to_string(),
                row.after.revenue.to_decimal(),
            ],
        );
    }
    out
}
