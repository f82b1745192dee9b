//! The lists of creators and of deals: filtered, sorted, with the columns that somebody wants, as a file, and as the
//! way to change many at once.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{CreatorId, DealId};
use crate::domain::money::Money;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::deals::{self, DealRow};
use crate::storage::orders;
use crate::web::api::creators::{self, CreatorView};
use crate::web::api::deals as api;
use crate::web::api::money::{Performance, performance_of};
use crate::web::csv;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui::{self, Html};

use super::filtering::{self, Bar, bar, of_filter};

/// A column: its name in the address, its heading, and what the list is sorted by with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    name: &'static str,
    label: &'static str,
    sort: &'static str,
    /// Whether it is there where nobody chose.
    usual: bool,
}

const fn column(
    name: &'static str,
    label: &'static str,
    sort: &'static str,
    usual: bool,
) -> Column {
    Column { name, label, sort, usual }
}

const OF_CREATORS: [Column; 10] = [
    column("niche", "Niche", "", true),
    column("country", "Country", "", true),
    column("language", "Language", "", false),
    column("email", "E-mail", "", false),
    column("followers", "Followers", "followers", true),
    column("engagement", "Engagement", "", true),
    column("orders", "Orders", "", false),
    column("revenue", "Revenue", "", true),
    column("commission", "Commission", "", false),
    column("tags", "Tags", "", true),
];

const OF_DEALS: [Column; 12] = [
    column("campaign", "Campaign", "", true),
    column("stage", "Stage", "", true),
    column("rate", "Rate", "", true),
    column("code", "Code", "", true),
    column("link", "Link", "", false),
    column("clicks", "Clicks", "clicks", false),
    column("orders", "Orders", "orders", true),
    column("revenue", "Revenue", "revenue", true),
    column("commission", "Commission", "commission", true),
    column("conversion", "Conversion", "conversion", false),
    column("contact", "Last contact", "last_contact", false),
    column("tags", "Tags", "", false),
];

/// The columns that a list has.
struct Columns {
    all: &'static [Column],
    chosen: Vec<&'static str>,
    sort: String,
}

impl Columns {
    fn of(at: &At, all: &'static [Column]) -> Self {
        let told = at.get("columns");
        let wanted = |column: &&Column| match told {
            "" => column.usual,
            told => told.split(',').any(|name| name == column.name),
        };
        let chosen = all.iter().filter(wanted).map(|column| column.name).collect();
        Self { all, chosen, sort: at.get("sort").to_owned() }
    }

    fn has(&self, name: &str) -> bool {
        self.chosen.contains(&name)
    }

    /// The heading of a column: where the list can be sorted by it, the way to do so.
    fn head(&self, bar: &Bar<'_>, column: &Column) -> Html {
        let figures = [
            "followers",
            "clicks",
            "orders",
            "revenue",
            "commission",
            "conversion",
            "rate",
            "engagement",
        ];
        heading(bar, &self.sort, (column.label, column.sort), figures.contains(&column.name))
    }

    fn shown(&self) -> impl Iterator<Item = &'static Column> {
        self.all.iter().filter(|column| self.has(column.name))
    }
}

fn heading(bar: &Bar<'_>, sort: &str, (label, by): (&str, &str), number: bool) -> Html {
    let class = if number { " class=\"num\"" } else { "" };
    if by.is_empty() {
        return ui::html(format!("<th scope=\"col\"{class}>{}</th>", ui::esc(label)));
    }
    let (down, up) = (format!("-{by}"), by.to_owned());
    let (order, next) = match sort {
        told if told == down => (" aria-sort=\"descending\"", &up),
        told if told == up => (" aria-sort=\"ascending\"", &down),
        // Names begin at A, figures with the largest.
        _ if by == "name" => ("", &up),
        _ => ("", &down),
    };
    let href = ui::esc(&bar.query(&[("sort", next)]));
    ui::html(format!(
        "<th scope=\"col\"{class}{order}><a href=\"{href}\">{}</a></th>",
        ui::esc(label)
    ))
}

/// To the list with the columns that were ticked.
fn with_columns(at: &At, path: &str) -> Option<Response> {
    if !at.has("column") {
        return None;
    }
    let chosen: Vec<&str> = at.all("column").filter(|name| !name.is_empty()).collect();
    let kept = ["filter", "segment", "sort"].map(|name| (name, at.get(name)));
    // None at all is a choice, too.
    let chosen = if chosen.is_empty() { "none".to_owned() } else { chosen.join(",") };
    let asked = kept.into_iter().chain([("columns", chosen.as_str())]);
    Some(crate::web::pages::see(ui::address(&format!("{}{path}", at.home), asked)))
}

/// A deal with whose it is and what it brought.
struct DealLine {
    row: DealRow,
    name: String,
    handle: String,
    figures: Performance,
}

impl DealLine {
    fn codes(&self) -> String {
        self.row.codes.iter().map(|code| code.code.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn links(&self) -> String {
        self.row.links.iter().map(|link| link.slug.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn tags(&self) -> &[String] {
        &self.row.tags
    }

    /// Orders by unique clicks, in percent.
    fn conversion(&self) -> Option<String> {
        crate::web::api::money::conversion(self.figures.orders, self.figures.uniques)
    }
}

#[derive(Template)]
#[template(path = "brand/deals.html")]
struct Deals<'a> {
    home: &'a str,
    bar: Bar<'a>,
    filter_bar: Html,
    columns: Columns,
    lines: Vec<DealLine>,
    next: Option<String>,
    may_change: bool,
}

impl Deals<'_> {
    fn name_heading(&self) -> Html {
        heading(&self.bar, &self.columns.sort, ("Creator", "name"), false)
    }
}

/// A bar as it stands in its page.
pub(super) fn rendered(bar: &Bar<'_>) -> Result<Html> {
    Ok(ui::html(bar.render().map_err(|error| Error::Internal(error.to_string()))?))
}

/// So many pages of two hundred has a file: each asks D1 and the counters, and a request may ask a thousand times.
pub(super) const PAGES: usize = 25;

fn amounts(all: &[Money]) -> String {
    let told = all.iter().map(|one| format!("{} {}", one.to_decimal(), one.currency));
    told.collect::<Vec<_>>().join(" | ")
}

/// Half a list looks like a whole one.
pub(super) fn too_long() -> Box<Error> {
    Error::refused("file-too-long", "this list is too long for one file: narrow it by a filter")
}

/// A file that is saved under this name.
pub(super) fn as_file(lines: String, name: &str) -> Response {
    let mut response = Response::new(StatusCode::OK, "text/csv; charset=utf-8", lines);
    response.set("content-disposition", format!("attachment; filename=\"{name}.csv\""));
    response
}

/// The deals that the filter finds, with all columns, as a file.
async fn deals_file(app: App, at: At) -> Result<Response> {
    let mut file = String::new();
    let heads = [
        "deal_id",
        "creator_id",
        "creator",
        "handle",
        "campaign",
        "stage",
        "state",
        "commission_percent",
        "codes",
        "links",
        "clicks",
        "orders",
        "revenue",
        "commission",
        "tags",
    ];
    csv::line(&mut file, &heads);
    let bar = bar(&app, &at, ("/deals", ""), ("", "")).await?;
    let mut cursor = String::new();
    for _ in 0..PAGES {
        let asked = bar.params(&[("sort", at.get("sort")), ("cursor", &cursor), ("limit", "200")]);
        let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
        let ids: Vec<DealId> = found.data.iter().map(|deal| deal.id).collect();
        for line in deal_lines(&app, &at, &ids).await? {
            let DealLine { row, name, handle, figures } = &line;
            let rate = row.terms.as_ref().map(|terms| terms.rate_bp.to_percent());
            let state = if row.closed_at_ms.is_some() { "closed" } else { "open" };
            let cells = [
                row.id.to_string(),
                row.creator_id.to_string(),
                name.clone(),
                handle.clone(),
                row.campaign.clone(),
                row.stage.clone(),
                state.to_owned(),
                rate.unwrap_or_default(),
                line.codes(),
                line.links(),
                figures.clicks.to_string(),
                figures.orders.to_string(),
                amounts(&figures.revenue),
                amounts(&figures.commission),
                line.tags().join(" | "),
            ];
            csv::line(&mut file, &cells.each_ref().map(String::as_str));
        }
        match found.next_cursor {
            Some(next) => cursor = next,
            None => return Ok(as_file(file, "deals")),
        }
    }
    Err(too_long())
}

/// The creators that the filter finds, with all columns, as a file.
async fn creators_file(app: App, at: At) -> Result<Response> {
    let mut file = String::new();
    let heads = [
        "creator_id",
        "name",
        "handle",
        "email",
        "country",
        "language",
        "niche",
        "followers",
        "engagement_percent",
        "orders",
        "revenue",
        "commission",
        "tags",
    ];
    csv::line(&mut file, &heads);
    let bar = bar(&app, &at, ("/creators", ""), ("", "")).await?;
    let mut cursor = String::new();
    for _ in 0..PAGES {
        let asked = bar.params(&[("sort", at.get("sort")), ("cursor", &cursor), ("limit", "200")]);
        let Json(found) = creators::list(State(app.clone()), at.seat.caller()?, asked).await?;
        for line in of_their_deals(&app, &at, found.data).await? {
            let CreatorLine { creator, orders, revenue, commission } = &line;
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let followers = creator.followers.map(|n| n.to_string()).unwrap_or_default();
            let rate = creator.engagement_percent.as_ref().map(|rate| rate.0.to_percent());
            let cells = [
                creator.id.to_string(),
                creator.name.clone(),
                creator.handle.clone(),
                text(&creator.email),
                text(&creator.country),
                text(&creator.language),
                text(&creator.niche),
                followers,
                rate.unwrap_or_default(),
                orders.to_string(),
                amounts(revenue),
                amounts(commission),
                creator.tags.join(" | "),
            ];
            csv::line(&mut file, &cells.each_ref().map(String::as_str));
        }
        match found.next_cursor {
            Some(next) => cursor = next,
            None => return Ok(as_file(file, "creators")),
        }
    }
    Err(too_long())
}

/// The rows of deals in this order, with whose they are and what they brought.
async fn deal_lines(app: &App, at: &At, ids: &[DealId]) -> Result<Vec<DealLine>> {
    let brand = at.seat.member()?.brand_id;
    let mut rows = deals::by_ids(app.db(), brand, ids, app.now_ms()).await?;
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
    let hers: Vec<CreatorId> = rows.iter().map(|row| row.creator_id).collect();
    let people = super::orders::people(app, brand, &hers).await?;
    let mut figures = performance_of(app, brand, &rows, (Day::FIRST, Day::END)).await?;
    let line = |row: DealRow| {
        let who = people.iter().find(|one| one.id == row.creator_id);
        let (name, handle) =
            who.map(|one| (one.name.clone(), one.handle.clone())).unwrap_or_default();
        let figures = figures.get_mut(&row.id).map(std::mem::take).unwrap_or_default();
        DealLine { row, name, handle, figures }
    };
    Ok(rows.into_iter().map(line).collect())
}

/// The list of deals, with what was wrong with a segment's name.
pub(super) async fn deals_page(
    app: App,
    at: At,
    (status, told, name): (StatusCode, String, String),
) -> Result<Response> {
    let csrf = at.csrf(&app);
    let mut bar = bar(&app, &at, ("/deals", &csrf), (&told, &name)).await?;
    let asked =
        bar.params(&[("sort", at.get("sort")), ("cursor", at.get("cursor")), ("limit", "50")]);
    let found = api::list(State(app.clone()), at.seat.caller()?, asked).await;
    let (mut status, mut ids, mut next) = (status, Vec::new(), None);
    match found {
        Ok(Json(list)) => {
            ids.extend(list.data.iter().map(|deal| deal.id));
            next = list.next_cursor;
        }
        Err(error) => {
            bar.wrong = of_filter(error)?;
            status = StatusCode::UNPROCESSABLE_ENTITY;
        }
    }
    let content = Deals {
        home: &at.home,
        filter_bar: rendered(&bar)?,
        columns: Columns::of(&at, &OF_DEALS),
        lines: deal_lines(&app, &at, &ids).await?,
        next,
        may_change: at.seat.may(Scope::Deals),
        bar,
    };
    at.render((status, "Deals", Area::Deals), &csrf, &content)
}

/// The deals that a filter finds.
pub async fn deals(State(app): State<App>, at: At) -> Result<Response> {
    let elsewhere = filtering::redirected(&at, "/deals").or_else(|| with_columns(&at, "/deals"));
    match elsewhere {
        Some(there) => Ok(there),
        None if at.get("format") == "csv" => deals_file(app, at).await,
        None => deals_page(app, at, (StatusCode::OK, String::new(), String::new())).await,
    }
}

/// A creator with what her deals brought.
struct CreatorLine {
    creator: CreatorView,
    orders: i64,
    revenue: Vec<Money>,
    commission: Vec<Money>,
}

#[derive(Template)]
#[template(path = "brand/creators.html")]
struct Creators<'a> {
    home: &'a str,
    bar: Bar<'a>,
    filter_bar: Html,
    columns: Columns,
    lines: Vec<CreatorLine>,
    next: Option<String>,
    may_change: bool,
}

impl Creators<'_> {
    fn name_heading(&self) -> Html {
        heading(&self.bar, &self.columns.sort, ("Name", "name"), false)
    }
}

/// What the deals of these creators brought, all of them together.
async fn of_their_deals(
    app: &App,
    at: &At,
    creators: Vec<CreatorView>,
) -> Result<Vec<CreatorLine>> {
    let brand = at.seat.member()?.brand_id;
    let ids: Vec<CreatorId> = creators.iter().map(|creator| creator.id).collect();
    let sums = orders::totals_of_creators(app.db(), brand, &ids).await?;
    let line = |creator: CreatorView| {
        let mut line =
            CreatorLine { creator, orders: 0, revenue: Vec::new(), commission: Vec::new() };
        for sum in sums.iter().filter(|sum| sum.creator_id == line.creator.id) {
            line.orders += sum.orders;
            line.revenue.push(Money::new(sum.base_minor, sum.currency));
            line.commission.push(Money::new(sum.commission_minor, sum.currency));
        }
        line
    };
    Ok(creators.into_iter().map(line).collect())
}

/// The same of creators.
pub(super) async fn creators_page(
    app: App,
    at: At,
    (status, told, name): (StatusCode, String, String),
) -> Result<Response> {
    let csrf = at.csrf(&app);
    let mut bar = bar(&app, &at, ("/creators", &csrf), (&told, &name)).await?;
    let asked =
        bar.params(&[("sort", at.get("sort")), ("cursor", at.get("cursor")), ("limit", "50")]);
    let found = creators::list(State(app.clone()), at.seat.caller()?, asked).await;
    let (status, data, next) = match found {
        Ok(Json(list)) => (status, list.data, list.next_cursor),
        Err(error) => {
            bar.wrong = of_filter(error)?;
            (StatusCode::UNPROCESSABLE_ENTITY, Vec::new(), None)
        }
    };
    let content = Creators {
        home: &at.home,
        filter_bar: rendered(&bar)?,
        columns: Columns::of(&at, &OF_CREATORS),
        lines: of_their_deals(&app, &at, data).await?,
        next,
        may_change: at.seat.may(Scope::Deals),
        bar,
    };
    at.render((status, "Creators", Area::Creators), &csrf, &content)
}

/// The creators of whose deals a filter finds one.
pub async fn creators(State(app): State<App>, at: At) -> Result<Response> {
    let path = "/creators";
    let elsewhere = filtering::redirected(&at, path).or_else(|| with_columns(&at, path));
    match elsewhere {
        Some(there) => Ok(there),
        None if at.get("format") == "csv" => creators_file(app, at).await,
        None => creators_page(app, at, (StatusCode::OK, String::new(), String::new())).await,
    }
}
