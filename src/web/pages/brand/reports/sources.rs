//! Where sales come from: stages as a funnel, codes against links, cohorts of creators, posts beside sales.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::money::{Currency, Money};
use crate::error::Result;
use crate::web::api::report_sources::{
    self as api, CohortInReport, FunnelOfCampaign, PostInReport, ReportOfCohorts, ReportOfPosts,
    ReportOfSources, ReportOfStages, SourceInReport, StageInReport,
};
use crate::web::extract::{Caller, Params};
use crate::web::handler::State;
use crate::web::message::Response;
use crate::web::pages::brand::orders::Names;
use crate::web::pages::chart::{Chart, Series, Shape, chart};
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui::{self, Html};

use super::{Asking, Choices, brand_of, hundredths, mendable, most, sorted};

/// So many pages of 200 posts are read to be sorted.
const MOST_SORTED: usize = 5;
/// So many posts a page shows.
const POSTS_SHOWN: usize = 200;
const NARROWED: [&str; 6] = ["from", "to", "campaign_id", "currency", "filter", "segment"];
const AS_FILE: [&str; 7] = ["from", "to", "campaign_id", "currency", "filter", "segment", "format"];

/// What came of a report: itself, or what is wrong with what was asked.
fn told<T>(found: Result<(T, bool)>) -> Result<(StatusCode, String, Option<T>)> {
    match found {
        Ok((found, _)) => Ok((StatusCode::OK, String::new(), Some(found))),
        Err(error) => {
            let (status, wrong) = mendable(*error)?;
            Ok((status, wrong, None))
        }
    }
}

#[derive(Template)]
#[template(path = "brand/reports/stages.html")]
struct Stages<'a> {
    home: &'a str,
    asking: Asking<'a>,
    choices: Choices,
    wrong: String,
    found: Option<ReportOfStages>,
}

/// Stages of every campaign as a funnel.
pub async fn stages(State(app): State<App>, at: At) -> Result<Response> {
    let today = brand_of(&app, &at).await?.timezone.day(app.now_ms());
    let asking = Asking::of(&at, "/reports/stages", today);
    if at.get("format") == "csv" {
        return api::stages(State(app), at.seat.caller()?, asking.params(&AS_FILE)).await;
    }
    let caller: Caller = at.seat.caller()?;
    let found = api::report_of_stages(&app, caller.brand, &asking.params(&NARROWED)).await;
    let (status, wrong, mut found) = told(found)?;
    let key = |row: &StageInReport, by: &str| match by {
        "deals" => Some(Some(row.deals)),
        "further" => Some(Some(row.here_or_further)),
        "orders" => Some(Some(row.figures.orders)),
        "revenue" => Some(Some(row.figures.revenue.minor)),
        "commission" => Some(Some(row.figures.commission.minor)),
        _ => None,
    };
    for campaign in found.iter_mut().flat_map(|found| &mut found.data) {
        sorted(&mut campaign.stages, at.get("sort"), key);
    }
    let choices = Choices::of(&app, &at).await?;
    let content = Stages { home: &at.home, asking, choices, wrong, found };
    at.render((status, "Stages as a funnel", Area::Reports), &at.csrf(&app), &content)
}

/// The most that a stage of the campaign brought.
fn most_of(campaign: &FunnelOfCampaign) -> i64 {
    most(campaign.stages.iter().map(|stage| stage.figures.revenue))
}

#[derive(Template)]
#[template(path = "brand/reports/sources.html")]
struct Sources<'a> {
    asking: Asking<'a>,
    choices: Choices,
    wrong: String,
    found: Option<ReportOfSources>,
}

impl Sources<'_> {
    fn most(&self) -> i64 {
        most(self.found.iter().flat_map(|found| &found.data).map(|row| row.revenue))
    }
}

/// What a source is called.
fn source(name: &str) -> &'static str {
    match name {
        "code" => "Codes",
        "link" => "Links",
        _ => "Other",
    }
}

/// What it is.
fn source_hint(name: &str) -> &'static str {
    match name {
        "code" => "A discount code decided the order",
        "link" => "A click, a ref, or a visit that the shop saw",
        _ => "Moved by hand, or by the word of another programme",
    }
}

/// Codes against links.
pub async fn sources(State(app): State<App>, at: At) -> Result<Response> {
    let today = brand_of(&app, &at).await?.timezone.day(app.now_ms());
    let asking = Asking::of(&at, "/reports/sources", today);
    if at.get("format") == "csv" {
        return api::sources(State(app), at.seat.caller()?, asking.params(&AS_FILE)).await;
    }
    let caller: Caller = at.seat.caller()?;
    let found = api::report_of_sources(&app, caller.brand, &asking.params(&NARROWED)).await;
    let (status, wrong, mut found) = told(found)?;
    let key = |row: &SourceInReport, by: &str| match by {
        "orders" => Some(Some(row.orders)),
        "revenue" => Some(Some(row.revenue.minor)),
        "commission" => Some(Some(row.commission.minor)),
        "average" => Some(row.average_order.map(|money| money.minor)),
        "clicks" => Some(row.clicks.as_ref().map(|clicks| clicks.unique)),
        "conversion" => Some(hundredths(row.conversion_percent.as_deref())),
        _ => None,
    };
    if let Some(found) = &mut found {
        sorted(&mut found.data, at.get("sort"), key);
    }
    let choices = Choices::of(&app, &at).await?;
    let content = Sources { asking, choices, wrong, found };
    at.render((status, "Codes against links", Area::Reports), &at.csrf(&app), &content)
}

#[derive(Template)]
#[template(path = "brand/reports/cohorts.html")]
struct Cohorts<'a> {
    asking: Asking<'a>,
    wrong: String,
    found: Option<ReportOfCohorts>,
    months: Vec<String>,
}

/// A month as HTML.
fn month(name: &str) -> Html {
    Html::of(format!("<time datetime=\"{0}\">{0}</time>", ui::esc(name)))
}

impl Cohorts<'_> {
    /// What a cohort brought in a month, the darker the more.
    fn cell(&self, cohort: &CohortInReport, name: &str) -> Html {
        let Some(found) = cohort.months.iter().find(|month| month.month == *name) else {
            return Html::of("<td></td>".to_owned());
        };
        let rows = self.found.iter().flat_map(|found| &found.data).flat_map(|one| &one.months);
        let most = i128::from(most(rows.map(|month| month.revenue)).max(1));
        let part = i128::from(found.revenue.minor.max(0));
        let heat = if part == 0 { 0 } else { 1 + (part * 4 / most).min(3) };
        Html::of(format!(
            "<td class=\"num heat-{heat}\">{}<small>{} of {} sold, {} orders</small></td>",
            ui::money(&found.revenue),
            found.creators,
            cohort.creators,
            ui::count(&found.orders),
        ))
    }

    /// What all of a cohort's months brought.
    fn sum(&self, cohort: &CohortInReport) -> Html {
        let minor = cohort.months.iter().map(|month| month.revenue.minor).sum();
        let currency = self.found.as_ref().map_or(Currency::NONE, |found| found.currency);
        ui::money(&Money::new(minor, currency))
    }

    /// All revenue by month, and the part of creators who were new in it.
    fn chart(&self) -> Html {
        let Some(found) = &self.found else { return Html::default() };
        let rows = self.months.iter().map(|name| {
            let (mut all, mut new) = (0, 0);
            for cohort in &found.data {
                let here = cohort.months.iter().find(|month| month.month == *name);
                let minor = here.map_or(0, |month| month.revenue.minor);
                all += minor;
                if cohort.cohort.as_ref() == Some(name) {
                    new += minor;
                }
            }
            let money = |minor| ui::money(&Money::new(minor, found.currency));
            (month(name), vec![money(all), money(new)])
        });
        let series = |name, shape| Series { name, shape, right: false };
        chart(&Chart {
            title: "Revenue by month",
            lead: "Of all creators, and of those whose first deal was made in that month.",
            of: "Month",
            series: &[series("All creators", Shape::Bars), series("New in the month", Shape::Line)],
            rows: rows.collect(),
        })
    }
}

/// Cohorts of creators by month.
pub async fn cohorts(State(app): State<App>, at: At) -> Result<Response> {
    let today = brand_of(&app, &at).await?.timezone.day(app.now_ms());
    let asking = Asking::of(&at, "/reports/cohorts", today);
    let names = ["months", "currency"];
    if at.get("format") == "csv" {
        let asked = asking.params(&["months", "currency", "format"]);
        return api::cohorts(State(app), at.seat.caller()?, asked).await;
    }
    let caller: Caller = at.seat.caller()?;
    let found = api::report_of_cohorts(&app, caller.brand, &asking.params(&names)).await;
    let (status, wrong, mut found) = told(found)?;
    let mut months: Vec<String> = Vec::new();
    let all = found.iter().flat_map(|found| &found.data).flat_map(|one| &one.months);
    months.extend(all.map(|month| month.month.clone()));
    months.sort();
    months.dedup();
    let key = |row: &CohortInReport, by: &str| match by {
        "creators" => Some(Some(row.creators)),
        "revenue" => Some(Some(row.months.iter().map(|month| month.revenue.minor).sum())),
        _ => None,
    };
    if let Some(found) = &mut found {
        sorted(&mut found.data, at.get("sort"), key);
    }
    let content = Cohorts { asking, wrong, found, months };
    at.render((status, "Cohorts of creators", Area::Reports), &at.csrf(&app), &content)
}

#[derive(Template)]
#[template(path = "brand/reports/posts.html")]
struct Posts<'a> {
    home: &'a str,
    asking: Asking<'a>,
    wrong: String,
    found: Option<ReportOfPosts>,
    names: Names,
}

impl Posts<'_> {
    fn most(&self) -> i64 {
        let rows = self.found.iter().flat_map(|found| &found.data);
        most(rows.flat_map(|row| [row.before.revenue, row.after.revenue]))
    }

    /// Whether the posts of the period are more than are read to be sorted.
    fn too_many(&self) -> bool {
        !self.asking.get("sort").is_empty()
            && self.found.as_ref().is_some_and(|found| found.next_cursor.is_some())
    }

    fn head(&self, label: &str, by: &str) -> Html {
        self.asking.head(label, by, "")
    }

    /// The way to what comes next, where the latest come first: what is sorted is on one page.
    fn pager(&self) -> Html {
        if !self.asking.get("sort").is_empty() {
            return Html::default();
        }
        self.asking.pager(self.found.as_ref().and_then(|found| found.next_cursor.as_ref()))
    }
}

/// What posts are sorted by.
fn of_post(row: &PostInReport, by: &str) -> Option<Option<i64>> {
    match by {
        "impressions" => Some(row.impressions),
        "media" => Some(row.earned_media_value.map(|money| money.minor)),
        "clicks" => Some(Some(row.after.unique_clicks - row.before.unique_clicks)),
        "orders" => Some(Some(row.after.orders - row.before.orders)),
        "revenue" => Some(Some(row.after.revenue.minor - row.before.revenue.minor)),
        _ => None,
    }
}

/// The posts of a period as the page has them: the latest first, page by page; or sorted, for which at most
/// [`MOST_SORTED`] pages of them are read and the first of one shown.
async fn posts_of(
    app: &App,
    caller: &Caller,
    asked: &(dyn Fn(&str) -> Params + Sync),
    (sort, cursor): (&str, &str),
) -> Result<(ReportOfPosts, bool)> {
    if sort.is_empty() {
        return api::report_of_posts(app, caller.brand, &asked(cursor)).await;
    }
    let (mut all, csv) = api::report_of_posts(app, caller.brand, &asked("")).await?;
    for _ in 1..MOST_SORTED {
        let Some(next) = all.next_cursor.take() else { break };
        let (page, _) = api::report_of_posts(app, caller.brand, &asked(&next)).await?;
        all.data.extend(page.data);
        all.next_cursor = page.next_cursor;
    }
    sorted(&mut all.data, sort, of_post);
    all.data.truncate(POSTS_SHOWN);
    Ok((all, csv))
}

/// Posts beside sales.
pub async fn posts(State(app): State<App>, at: At) -> Result<Response> {
    let brand = brand_of(&app, &at).await?;
    let asking = Asking::of(&at, "/reports/posts", brand.timezone.day(app.now_ms()));
    let asked = |cursor: &str, format: &str| {
        Params::of(&[
            ("from", &*asking.from),
            ("to", &*asking.to),
            ("currency", at.get("currency")),
            ("days", at.get("days")),
            ("limit", "200"),
            ("cursor", cursor),
            ("format", format),
        ])
    };
    let caller: Caller = at.seat.caller()?;
    if at.get("format") == "csv" {
        return api::posts(State(app), caller, asked("", "csv")).await;
    }
    let place = (at.get("sort"), at.get("cursor"));
    let found = posts_of(&app, &caller, &|cursor| asked(cursor, ""), place).await;
    let (status, wrong, found) = told(found)?;
    let ids = found.iter().flat_map(|found| &found.data).map(|row| row.deal_id).collect();
    let names = Names::of(&app, brand.id, ids).await?;
    let content = Posts { home: &at.home, asking, wrong, found, names };
    at.render((status, "Posts beside sales", Area::Reports), &at.csrf(&app), &content)
}
