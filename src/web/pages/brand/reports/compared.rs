//! Creators and campaigns compared.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::error::Result;
use crate::web::api::report_campaigns::{self, CampaignInReport, ReportOfCampaigns};
use crate::web::api::reports::{self as api, CreatorInReport, ReportOfCreators, ReportedFigures};
use crate::web::extract::{Caller, Params};
use crate::web::handler::State;
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui::{self, Html};

use super::{Asking, Choices, brand_of, mendable, most};

/// What the API is asked; a page has so many rows.
const ASKED: [&str; 10] = [
    "from",
    "to",
    "campaign_id",
    "currency",
    "filter",
    "segment",
    "sort",
    "high_orders",
    "high_return",
    "cursor",
];
const OF_CAMPAIGNS: [&str; 8] =
    ["from", "to", "campaign_id", "currency", "filter", "segment", "sort", "cursor"];

/// The same for a file.
fn with_format(asking: &Asking<'_>, names: &[&str]) -> Params {
    let names: Vec<&str> = names.iter().copied().filter(|name| *name != "cursor").collect();
    asking.params(&[&names[..], &["format"]].concat())
}

/// The columns of figures that both compare by, beside revenue: what each is called, and what it sorts by.
const COLUMNS: [(&str, &str); 9] = [
    ("Orders", "orders"),
    ("Unique clicks", "clicks"),
    ("Conversion", "conversion"),
    ("Commission", "commission"),
    ("Revenue ÷ commission", "revenue_per_commission"),
    ("Cost", "cost"),
    ("Return on spend", "return_on_spend"),
    ("Earned media value", "earned_media_value"),
    ("Deals", "deals"),
];

/// The heads of these columns.
fn heads(asking: &Asking<'_>) -> Html {
    let mut html = asking.head("Revenue", "revenue", "-revenue").to_string();
    for (label, by) in COLUMNS {
        html.push_str(&asking.head(label, by, "-revenue").to_string());
    }
    Html::of(html)
}

/// Figures as cells; revenue with a bar of the greatest.
fn cells(f: &ReportedFigures, share: Option<&str>, most: i64) -> Html {
    let none = || Html::of("–".to_owned());
    let parts = [("commission", f.commission), ("fees", f.fees), ("gifts", f.gifts)];
    let spent: Vec<String> = parts
        .iter()
        .filter(|(_, money)| money.minor != 0)
        .map(|(name, money)| format!("{} {name}", ui::money(money)))
        .collect();
    let spent = if f.cost == f.commission { String::new() } else { spent.join(", ") };
    let share = ui::tell(share, " %");
    let all = [
        format!(
            "{}<small>{share} of all</small>{}",
            ui::money(&f.revenue),
            ui::bar(&f.revenue.minor, &most, false)
        ),
        ui::count(&f.orders).to_string(),
        ui::count(&f.clicks.unique).to_string(),
        ui::tell(f.conversion_percent.as_deref(), " %").to_string(),
        ui::money(&f.commission).to_string(),
        ui::tell(f.revenue_per_commission.as_deref(), "").to_string(),
        format!("{}<small>{spent}</small>", ui::money(&f.cost)),
        ui::tell(f.return_on_spend.as_deref(), "×").to_string(),
        f.earned_media_value.as_ref().map_or_else(none, ui::money).to_string(),
        ui::count(&f.deals).to_string(),
    ];
    Html::of(all.iter().map(|cell| format!("<td class=\"num\">{cell}</td>")).collect())
}

/// Among the best so many percent.
fn top(percent: &i64) -> &'static str {
    if *percent == 5 { "Top 5 %" } else { "Top 10 %" }
}

/// The sums of all rows, as figures that matter.
fn totals(f: &ReportedFigures) -> Html {
    let all = [
        ui::stat("Revenue", ui::money(&f.revenue), "After refunds"),
        ui::stat("Orders", ui::count(&f.orders), ""),
        ui::stat("Cost", ui::money(&f.cost), "Commission, fees and gifts"),
        ui::stat("Return on spend", ui::tell(f.return_on_spend.as_deref(), "×"), ""),
    ];
    Html::of(all.iter().map(ToString::to_string).collect())
}

#[derive(Template)]
#[template(path = "brand/reports/creators.html")]
struct Creators<'a> {
    home: &'a str,
    asking: Asking<'a>,
    choices: Choices,
    wrong: String,
    found: Option<ReportOfCreators>,
}

impl Creators<'_> {
    fn cells(&self, row: &CreatorInReport) -> Html {
        let rows = self.found.iter().flat_map(|found| &found.data);
        let most = most(rows.map(|row| row.figures.revenue));
        cells(&row.figures, row.share_percent.as_deref(), most)
    }
}

/// Creators compared.
pub async fn creators(State(app): State<App>, at: At) -> Result<Response> {
    let today = brand_of(&app, &at).await?.timezone.day(app.now_ms());
    let asking = Asking::of(&at, "/reports/creators", today);
    if at.get("format") == "csv" {
        let asked = with_format(&asking, &ASKED);
        return api::creators(State(app), at.seat.caller()?, asked).await;
    }
    let caller: Caller = at.seat.caller()?;
    let found = api::report_of_creators(&app, caller.brand, &asking.params(&ASKED)).await;
    let (status, wrong, found) = match found {
        Ok((found, _)) => (StatusCode::OK, String::new(), Some(found)),
        Err(error) => {
            let (status, wrong) = mendable(*error)?;
            (status, wrong, None)
        }
    };
    let choices = Choices::of(&app, &at).await?;
    let content = Creators { home: &at.home, asking, choices, wrong, found };
    at.render((status, "Creators compared", Area::Reports), &at.csrf(&app), &content)
}

#[derive(Template)]
#[template(path = "brand/reports/campaigns.html")]
struct Campaigns<'a> {
    home: &'a str,
    asking: Asking<'a>,
    choices: Choices,
    wrong: String,
    found: Option<ReportOfCampaigns>,
}

impl Campaigns<'_> {
    fn cells(&self, row: &CampaignInReport) -> Html {
        let rows = self.found.iter().flat_map(|found| &found.data);
        let most = most(rows.map(|row| row.figures.revenue));
        cells(&row.figures, row.share_percent.as_deref(), most)
    }
}

/// Campaigns compared.
pub async fn campaigns(State(app): State<App>, at: At) -> Result<Response> {
    let today = brand_of(&app, &at).await?.timezone.day(app.now_ms());
    let asking = Asking::of(&at, "/reports/campaigns", today);
    if at.get("format") == "csv" {
        let asked = with_format(&asking, &OF_CAMPAIGNS);
        return report_campaigns::campaigns(State(app), at.seat.caller()?, asked).await;
    }
    let caller: Caller = at.seat.caller()?;
    let asked = asking.params(&OF_CAMPAIGNS);
    let (status, wrong, found) = match report_campaigns::report(&app, caller.brand, &asked).await {
        Ok((found, _)) => (StatusCode::OK, String::new(), Some(found)),
        Err(error) => {
            let (status, wrong) = mendable(*error)?;
            (status, wrong, None)
        }
    };
    let choices = Choices::of(&app, &at).await?;
    let content = Campaigns { home: &at.home, asking, choices, wrong, found };
    at.render((status, "Campaigns compared", Area::Reports), &at.csrf(&app), &content)
}
