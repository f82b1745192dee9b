//! The report that compares creators, and what all reports share: whose figures, when, in which
//! currency, as JSON or as a file. `docs/reports.md` says what each figure is.

use http::StatusCode;

use crate::app::App;
use crate::domain::decimal::Decimal;
use crate::domain::ids::{BrandId, Campaign, CampaignId, CreatorId, SegmentId};
use crate::domain::money::{Currency, Money};
use crate::domain::post::Formula;
use crate::domain::report::{Figures, HighRule, Row, Sort, per, percent, rank, top};
use crate::domain::sorted::Sorted;
use crate::domain::time::{Day, Millis, Zone};
use crate::error::{Error, Result};
use crate::storage::Page;
use crate::storage::reports::{self as rows, About, By, CreatorName, Period};
use crate::web::csv;
use crate::web::extract::{Caller, Params, encode_cursor};
use crate::web::handler::{Answer, Json, State};
use crate::web::json::view;
use crate::web::message::Response;

use super::media::formula_of;
use super::view::Date;

/// A report compares at most so many creators or campaigns.
pub(super) const MOST: usize = 10_000;
/// A filter of a report finds at most so many deals.
const MOST_DEALS: usize = 20_000;

/// What a report is asked for.
pub(super) struct Asked {
    /// Whose, when, in which currency.
    pub about: About,
    /// The brand's own currency, in which media are valued.
    pub own: Currency,
    /// Whose calendar its days are of.
    pub zone: Zone,
    /// How media are valued.
    pub formula: Formula,
    /// The first day, if one was said.
    pub from: Option<Date>,
    /// The last.
    pub to: Option<Date>,
    /// As a file.
    pub csv: bool,
}

/// Days as a period of the brand.
pub(super) fn period(zone: &Zone, from: Day, to: Day) -> Period {
    let (from_ms, to_ms): (Millis, Millis) = (zone.start_of(from), zone.start_of(to.plus(1)));
    Period { from, to, from_ms, to_ms }
}

/// A day of a parameter, if it is said.
fn day(params: &Params, name: &'static str) -> Result<Option<Day>> {
    let wrong = || Error::invalid(name, "must be a date such as 2026-11-22");
    let Some(text) = params.get(name) else { return Ok(None) };
    Day::from_iso(text).filter(|day| day.is_nameable()).map(Some).ok_or_else(wrong)
}

/// Reads what all reports take: `from` and `to`, days of the brand, both included; `currency`,
/// `campaign_id`, `filter` and `segment` of deals, `format`.
///
/// # Errors
/// 422; 404 for no such segment.
pub(super) async fn asked(app: &App, brand: BrandId, params: &Params) -> Result<Asked> {
    let found = super::brand::find(app, brand).await?.brand;
    let (from, to) = (day(params, "from")?, day(params, "to")?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Error::invalid("from", "must not be after `to`"));
    }
    let currency = match params.get("currency") {
        None => found.currency,
        Some(code) => code.parse().map_err(|e| Error::invalid("currency", e))?,
    };
    let csv = match params.get("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Error::invalid("format", "must be json or csv")),
    };
    let campaign = params.id::<Campaign>("campaign_id")?;
    let (formula, own) = formula_of(app, brand, None).await?;
    let span = (from.unwrap_or(Day::FIRST), to.unwrap_or(Day::END.plus(-1)));
    let period = period(&found.timezone, span.0, span.1);
    let deals = match (params.get("filter"), params.id("segment")?) {
        (None, None) => None,
        narrowed => Some(super::filtering::all(app, &found, narrowed, MOST_DEALS).await?),
    };
    let about = About { brand, period, currency, campaign, deals };
    let (from, to) = (from.map(Date), to.map(Date));
    Ok(Asked { about, own, zone: found.timezone, formula, from, to, csv })
}

/// A file for spreadsheets.
pub(super) fn file(name: &str, text: String) -> Response {
    let mut response = Response::new(StatusCode::OK, "text/csv; charset=utf-8", text.into_bytes());
    response.set("content-disposition", format!("attachment; filename=\"{name}.csv\""));
    response
}

/// A quotient in JSON and in a cell.
pub(super) fn text(value: Option<Decimal>) -> Option<String> {
    value.map(|value| value.to_string())
}

view! {
    /// Clicks.
    pub struct ReportedClicks {
        /// Shoppers' clicks, without bots, prefetches and HEAD requests.
        pub(super) total: i64,
        /// One visitor, one link, one hour.
        pub(super) unique: i64,
    }
}

view! {
    /// What deals brought and cost. Money is in the report's currency, but media in the brand's.
    pub struct ReportedFigures {
        deals: i64,
        /// Orders in the report's currency that aren't cancelled.
        orders: i64,
        /// Orders in other currencies: their money stands in no figure here.
        other_orders: i64,
        /// Base after refunds.
        revenue: Money,
        commission: Money,
        /// Fees that were posted.
        fees: Money,
        /// Products and shipping of gifts.
        gifts: Money,
        /// All three.
        cost: Money,
        clicks: ReportedClicks,
        /// Orders of all currencies ÷ unique clicks; null without clicks.
        #[schema(required)]
        conversion_percent: Option<String>,
        /// Revenue for each unit of commission; null without commission.
        #[schema(required)]
        revenue_per_commission: Option<String>,
        /// Revenue for each unit of cost; null where nothing was spent.
        #[schema(required)]
        return_on_spend: Option<String>,
        /// Posts that count, published in the period.
        posts: i64,
        /// Of the posts that tell; null if none does.
        #[schema(required)]
        impressions: Option<i64>,
        /// Of the posts that can be valued; null if none can.
        #[schema(required)]
        earned_media_value: Option<Money>,
    }
}

/// Figures as they are shown.
pub(super) fn figures(f: &Figures, currency: Currency, own: Currency) -> ReportedFigures {
    let money = |minor| Money::new(minor, currency);
    ReportedFigures {
        deals: f.deals,
        orders: f.orders,
        other_orders: f.other_orders,
        revenue: money(f.revenue),
        commission: money(f.commission),
        fees: money(f.fees),
        gifts: money(f.gifts),
        cost: money(f.cost()),
        clicks: ReportedClicks { total: f.clicks, unique: f.uniques },
        conversion_percent: text(percent(f.all_orders(), f.uniques)),
        revenue_per_commission: text(per(f.revenue, f.commission)),
        return_on_spend: text(per(f.revenue, f.cost())),
        posts: f.posts,
        impressions: (f.with_impressions > 0).then_some(f.impressions),
        earned_media_value: (f.valued > 0).then_some(Money::new(f.media, own)),
    }
}

/// The names of the columns that [`cells`] fills.
pub(super) const FIGURE_COLUMNS: &str = "currency,deals,orders,other_orders,revenue,commission,fees,\
    gifts,cost,clicks,unique_clicks,conversion_percent,revenue_per_commission,return_on_spend,posts,\
    impressions,earned_media_value";

/// Figures as cells of a file.
pub(super) fn cells(f: &ReportedFigures) -> Vec<String> {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_default();
    vec![
        f.revenue.currency.code().to_owned(),
        f.deals.to_string(),
        f.orders.to_string(),
        f.other_orders.to_string(),
        f.revenue.to_decimal(),
        f.commission.to_decimal(),
        f.fees.to_decimal(),
        f.gifts.to_decimal(),
        f.cost.to_decimal(),
        f.clicks.total.to_string(),
        f.clicks.unique.to_string(),
        or_none(&f.conversion_percent),
        or_none(&f.revenue_per_commission),
        or_none(&f.return_on_spend),
        f.posts.to_string(),
        f.impressions.map(|seen| seen.to_string()).unwrap_or_default(),
        f.earned_media_value.map(Money::to_decimal).unwrap_or_default(),
    ]
}

/// One line of a file.
pub(super) fn line(out: &mut String, cells: &[String]) {
    csv::line(out, &cells.iter().map(String::as_str).collect::<Vec<_>>());
}

view! {
    /// Some of the rows, and which part of the revenue they bring.
    pub struct PartOfRevenue {
        /// How many rows.
        count: i64,
        revenue: Money,
        /// Null where there is no revenue.
        #[schema(required)]
        share_percent: Option<String>,
    }
}

view! {
    /// Who is a high performer: at least so many orders, and revenue of so many times the cost.
    pub struct HighPerformers {
        orders: i64,
        return_on_spend: String,
        count: i64,
        revenue: Money,
        #[schema(required)]
        share_percent: Option<String>,
    }
}

view! {
    /// What a creator brought and cost.
    pub struct CreatorInReport {
        creator_id: CreatorId,
        name: String,
        handle: String,
        figures: ReportedFigures,
        /// Her place by revenue among all, from 1.
        place: i64,
        /// 5 or 10 if she is among the best so many percent by revenue.
        #[schema(required)]
        top_percent: Option<i64>,
        high_performer: bool,
        #[schema(required)]
        share_percent: Option<String>,
    }
}

view! {
    /// Creators compared.
    pub struct ReportOfCreators {
        currency: Currency,
        #[schema(required)]
        from: Option<Date>,
        #[schema(required)]
        to: Option<Date>,
        /// How many creators have deals.
        creators: i64,
        totals: ReportedFigures,
        top_5_percent: PartOfRevenue,
        top_10_percent: PartOfRevenue,
        high_performers: HighPerformers,
        data: Vec<CreatorInReport>,
        #[schema(required)]
        next_cursor: Option<String>,
    }
}

/// What comparisons take.
pub(super) const COMPARED: &[&str] = &[
    "from",
    "to",
    "campaign_id",
    "currency",
    "filter",
    "segment",
    "sort",
    "format",
    "limit",
    "cursor",
];

/// Everything that a comparison rests on: all rows with their places by revenue, and their sums.
pub(super) struct Compared {
    pub asked: Asked,
    all: Vec<Row>,
    pub totals: Figures,
    page: Page,
    sort: Sort,
}

/// Reads them.
///
/// # Errors
/// 422; 404 for no such segment.
pub(super) async fn compared(
    app: &App,
    brand: BrandId,
    params: &Params,
    by: By,
) -> Result<Compared> {
    let page = params.page()?;
    let sort = Sort::parse(params.get("sort").unwrap_or("-revenue"))
        .ok_or_else(|| Error::invalid("sort", "is no measure of this report"))?;
    let asked = asked(app, brand, params).await?;
    let found = rows::figures(app.db(), &asked.about, by, &asked.formula, MOST).await?;
    let found = found.ok_or_else(too_many)?;
    let mut all: Vec<Row> =
        found.into_iter().map(|(key, figures)| Row { key, figures, place: 0 }).collect();
    let totals = all.iter().fold(Figures::default(), |sum, row| sum.plus(&row.figures));
    rank(&mut all);
    Ok(Compared { asked, all, totals, page, sort })
}

fn too_many() -> Box<Error> {
    Error::invalid("campaign_id", "there are more than 10,000: narrow the report to a campaign")
}

impl Compared {
    /// The rows with the first places, in this report's currency.
    fn part(&self, which: impl Fn(&Row) -> bool) -> (i64, i64) {
        let of = self.all.iter().filter(|row| which(row));
        of.fold((0, 0), |(count, revenue), row| (count + 1, row.figures.revenue + revenue))
    }

    fn best(&self, first: usize) -> PartOfRevenue {
        let (count, revenue) = self.part(|row| row.place <= first);
        PartOfRevenue { count, revenue: self.money(revenue), share_percent: self.share(revenue) }
    }

    fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.asked.about.currency)
    }

    /// Its part of all revenue.
    pub fn share(&self, revenue: i64) -> Option<String> {
        text(percent(revenue, self.totals.revenue))
    }

    /// Figures as they are told.
    pub fn shown(&self, figures_of: &Figures) -> ReportedFigures {
        figures(figures_of, self.asked.about.currency, self.asked.own)
    }

    /// The rows of the page, in the order that was asked for, and where the next begins. A file has all.
    pub fn rows(&mut self) -> Result<(Vec<Row>, Option<String>)> {
        let mut all = std::mem::take(&mut self.all);
        self.sort.apply(&mut all);
        if self.asked.csv {
            return Ok((all, None));
        }
        let start = start(&all, &self.page.after)?;
        let limit = usize::try_from(self.page.limit).unwrap_or(0);
        let end = (start + limit).min(all.len());
        let page: Vec<Row> = all.drain(start.min(end)..end).collect();
        // Whoever stood after the page stands at its place now.
        let more = all.len() > start;
        let last = page.last().filter(|_| more);
        let cursor = last.map(|row| encode_cursor(&format!("{end}/{}", row.key)));
        Ok((page, cursor))
    }
}

/// Where a page begins: after the row that the cursor names, or at its place if that is gone.
fn start(all: &[Row], after: &str) -> Result<usize> {
    if after.is_empty() {
        return Ok(0);
    }
    let none = || Error::invalid("cursor", "is none that this report gave");
    let (place, key) = after.split_once('/').ok_or_else(none)?;
    let place: usize = place.parse().map_err(|_| none())?;
    let found = all.iter().position(|row| row.key == key);
    Ok(found.map_or(place.min(all.len()), |at| at + 1))
}

/// The rule that was asked for.
fn high_rule(params: &Params) -> Result<HighRule> {
    let mut rule = HighRule::USUAL;
    if let Some(text) = params.get("high_orders") {
        let wrong = || Error::invalid("high_orders", "must be 1 to 1000000");
        let orders = text.parse().map_err(|_| wrong())?;
        rule.orders = Some(orders).filter(|n| (1..=1_000_000).contains(n)).ok_or_else(wrong)?;
    }
    if let Some(text) = params.get("high_return") {
        let wrong =
            || Error::invalid("high_return", "must be 0 to 1000, with two decimals at most");
        let value: Decimal = text.parse().map_err(|_| wrong())?;
        let hundredths = value.rounded(2);
        let exact = Decimal::new(hundredths, 2) == value && (0..=100_000).contains(&hundredths);
        rule.return_hundredths = Some(hundredths).filter(|_| exact).ok_or_else(wrong)?;
    }
    Ok(rule)
}

/// Creators with deals, compared over days of the brand: what they brought and cost, who is among the best
/// 5 % and 10 % by revenue, and which part of it these bring. Orders and clicks are those that are known by
/// now; clicks of the last five minutes may be missing.
#[utoipa::path(get, path = "/v1/reports/creators", tag = "reports", security(("api_key" = ["read"])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("campaign_id" = Option<CampaignId>, Query), ("currency" = Option<String>, Query),
    ("filter" = Option<String>, Query, description = "Of deals: only those that it finds are summed (docs/filters.md)"),
    ("segment" = Option<SegmentId>, Query, description = "A saved filter"),
    ("sort" = Option<String>, Query, description = "`revenue`, `orders`, `clicks`, `conversion`, `commission`, \
    `revenue_per_commission`, `cost`, `return_on_spend`, `earned_media_value`, `impressions` or `deals`; `-` \
    before it begins with the greatest. `-revenue` if nothing is said"),
    ("high_orders" = Option<i64>, Query, description = "5 if nothing is said"),
    ("high_return" = Option<String>, Query, description = "3 if nothing is said"),
    ("format" = Option<String>, Query, description = "`csv`: all rows"),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, content((ReportOfCreators = "application/json"),
        (String = "text/csv"))), (status = 404, description = "No such segment")))]
pub async fn creators(State(app): State<App>, caller: Caller, params: Params) -> Result<Response> {
    let params = params.only(&[COMPARED, &["high_orders", "high_return"]].concat())?;
    let (report, csv) = report_of_creators(&app, caller.brand, &params).await?;
    if csv { Ok(file("creators", table(&report.data))) } else { Json(report).answer() }
}

/// Creators compared, and whether that is to be a file: then all rows are there.
pub(crate) async fn report_of_creators(
    app: &App,
    brand: BrandId,
    params: &Params,
) -> Result<(ReportOfCreators, bool)> {
    let rule = high_rule(params)?;
    let mut report = compared(app, brand, params, By::Creator).await?;
    let firsts = (top(&report.all, 5), top(&report.all, 10));
    let creators = i64::try_from(report.all.len()).unwrap_or(i64::MAX);
    let (best_5, best_10) = (report.best(firsts.0), report.best(firsts.1));
    let high = report.high(rule);
    let (page, next_cursor) = report.rows()?;
    let ids: Vec<&str> = page.iter().map(|row| row.key.as_str()).collect();
    let mut names = Sorted::new();
    for row in rows::creators(app.db(), brand, &ids).await? {
        names.insert(row.id.to_string(), row);
    }
    let named = page.iter().filter_map(|row| Some((row, names.get(&row.key)?)));
    let data = named.map(|(row, who)| report.creator(row, who, firsts, rule)).collect();
    let told = ReportOfCreators {
        currency: report.asked.about.currency,
        from: report.asked.from,
        to: report.asked.to,
        creators,
        totals: report.shown(&report.totals),
        top_5_percent: best_5,
        top_10_percent: best_10,
        high_performers: high,
        data,
        next_cursor,
    };
    Ok((told, report.asked.csv))
}

fn table(rows: &[CreatorInReport]) -> String {
    let mut out = format!(
        "creator_id,name,handle,place,top_percent,high_performer,share_percent,{FIGURE_COLUMNS}\r\n"
    );
    for row in rows {
        let mut told = vec![
            row.creator_id.to_string(),
            row.name.clone(),
            row.handle.clone(),
            row.place.to_string(),
            row.top_percent.map(|n| n.to_string()).unwrap_or_default(),
            row.high_performer.to_string(),
            row.share_percent.clone().unwrap_or_default(),
        ];
        told.extend(cells(&row.figures));
        line(&mut out, &told);
    }
    out
}

impl Compared {
    /// Who fulfils the rule, and which part of the revenue they bring.
    fn high(&self, rule: HighRule) -> HighPerformers {
        let (count, revenue) = self.part(|row| rule.fits(&row.figures));
        HighPerformers {
            orders: rule.orders,
            return_on_spend: Decimal::new(rule.return_hundredths, 2).to_string(),
            count,
            revenue: self.money(revenue),
            share_percent: self.share(revenue),
        }
    }

    /// A creator's row. `firsts`: which places are the best 5 % and 10 %.
    fn creator(
        &self,
        row: &Row,
        who: &CreatorName,
        firsts: (usize, usize),
        rule: HighRule,
    ) -> CreatorInReport {
        let best = |first: usize| row.place <= first;
        CreatorInReport {
            creator_id: who.id,
            name: who.name.clone(),
            handle: who.handle.clone(),
            figures: self.shown(&row.figures),
            place: i64::try_from(row.place).unwrap_or(i64::MAX),
            top_percent: if best(firsts.0) { Some(5) } else { best(firsts.1).then_some(10) },
            high_performer: rule.fits(&row.figures),
            share_percent: self.share(row.figures.revenue),
        }
    }
}
