//! What past orders would have earned by other rules: a form, and what the simulation says to it. Nothing changes.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::money::{Currency, Money};
use crate::error::{Error, Result};
use crate::web::api::simulations::{self, CreatorCostView, SimulationView};
use crate::web::extract::{Body, Caller};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::brand::orders::{Names, people};
use crate::web::pages::brand::read;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Field, Html};

use super::{Asking, Choices, brand_of, sorted};
use crate::web::csv;
use crate::web::pages::brand::lists::as_file;

/// The rows of levels in the form.
const LEVELS: usize = 3;
/// So many rows a table of the answer has: the greatest differences.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "brand/reports/what_if.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    asking: Asking<'a>,
    choices: Choices,
    filled: &'a (dyn Fn(&str) -> String + Sync),
    wrong: String,
    found: Option<Shown>,
}

/// An answer with names.
struct Shown {
    view: SimulationView,
    names: Vec<(String, String)>,
    deals: Names,
}

impl Shown {
    /// Sorted as it is asked, else with the greatest differences first, and of it the first.
    async fn of(app: &App, at: &At, mut view: SimulationView, sort: &str) -> Result<Self> {
        let brand = at.seat.member()?.brand_id;
        let size = |difference: &str, currency: Currency| minor(difference, currency).abs();
        view.creators.sort_by_key(|row| std::cmp::Reverse(size(&row.difference, row.currency)));
        view.deals.sort_by_key(|row| std::cmp::Reverse(size(&row.difference, row.currency)));
        let amounts = |by: &str, [before, after, difference]: [&str; 3], currency| match by {
            "before" => Some(Some(minor(before, currency))),
            "after" => Some(Some(minor(after, currency))),
            "difference" => Some(Some(minor(difference, currency))),
            _ => None,
        };
        sorted(&mut view.creators, sort, |row, by| {
            amounts(by, [&row.before, &row.after, &row.difference], row.currency)
        });
        sorted(&mut view.deals, sort, |row, by| match by {
            "orders" => Some(Some(row.orders_changed)),
            _ => amounts(by, [&row.before, &row.after, &row.difference], row.currency),
        });
        view.creators.truncate(ROWS);
        view.deals.truncate(ROWS);
        let ids: Vec<_> = view.creators.iter().map(|row| row.creator_id).collect();
        let found = people(app, brand, &ids).await?;
        let names = found.into_iter().map(|row| (row.id.to_string(), row.name)).collect();
        let deals = view.deals.iter().map(|row| row.deal_id).collect();
        Ok(Self { deals: Names::of(app, brand, deals).await?, names, view })
    }

    fn name(&self, row: &CreatorCostView) -> &str {
        let id = row.creator_id.to_string();
        self.names.iter().find(|(other, _)| *other == id).map_or("A creator", |(_, name)| name)
    }

    /// The greatest of all amounts in a currency, for the bars of it.
    fn most(&self, currency: &Currency) -> i64 {
        let mine = self.view.creators.iter().filter(|row| row.currency == *currency);
        let both = mine.flat_map(|row| [&row.before, &row.after]);
        both.map(|text| minor(text, *currency)).max().unwrap_or(0)
    }
}

/// A decimal text of the API's in minor units.
fn minor(text: &str, currency: Currency) -> i64 {
    Money::parse(text, currency).map_or(0, |money| money.minor)
}

/// The larger of both.
fn larger(before: &str, after: &str, currency: &Currency) -> i64 {
    minor(before, *currency).max(minor(after, *currency))
}

/// An amount before and after, with a bar for each.
fn both(before: &str, after: &str, currency: &Currency, most: &i64) -> Html {
    let line = |what: &str, text: &str, second| {
        let bar = ui::bar(&minor(text, *currency), most, second);
        format!(
            "<td class=\"num\"><span class=\"visually-hidden\">{what} </span>{}{bar}</td>",
            ui::decimal(text, currency)
        )
    };
    Html::of(line("before", before, true) + &line("then", after, false))
}

/// A difference with its sign, in words beside it.
fn difference(text: &str, currency: &Currency) -> Html {
    let told = match minor(text, *currency) {
        0 => "the same",
        1.. => "more",
        _ => "less",
    };
    Html::of(format!("{}<small>{told}</small>", ui::decimal(text, currency)))
}

impl Page<'_> {
    fn line(&self, name: &str, label: &str, hint: &str, kind: &str) -> Html {
        let value = &(self.filled)(name);
        ui::field(&Field { name, label, hint, value, kind, ..Field::default() })
    }

    fn choice(&self, name: &str, label: &str, options: &[(&str, &str)]) -> Html {
        let all: Vec<(String, String)> =
            options.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect();
        ui::select(name, label, &all, &(self.filled)(name))
    }

    fn levels(&self) -> Html {
        let mut html = String::new();
        for n in 1..=LEVELS {
            let hint = if n == 1 { "Orders, or an amount" } else { "" };
            let fields = [
                self.line(&format!("from_{n}"), &format!("Level {n} from"), hint, "decimal"),
                self.line(&format!("rate_{n}"), &format!("Level {n}, %"), "", "decimal"),
            ];
            html.extend(fields.map(|field| field.to_string()));
        }
        Html::of(html)
    }

    /// The head of a column that the answer's tables are sorted by: it sends the form again.
    fn head(&self, label: &str, by: &str) -> Html {
        let (next, state, sign) = ui::sorting(&self.was("sort"), by);
        Html::of(format!(
            "<th scope=\"col\" class=\"num\"{state}><button form=\"what-if\" name=\"sort\" value=\"{next}\">\
             {label}{sign}</button></th>"
        ))
    }

    fn was(&self, name: &str) -> String {
        (self.filled)(name)
    }

    /// Whether any of these is filled in: then their part of the form is open.
    fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| !(self.filled)(name).is_empty())
    }
}

async fn page(
    app: &App,
    at: &At,
    filled: &(dyn Fn(&str) -> String + Sync),
    (status, wrong, found): (StatusCode, String, Option<SimulationView>),
) -> Result<Response> {
    let today = brand_of(app, at).await?.timezone.day(app.now_ms());
    let asking = Asking::of(at, "/reports/what-if", today);
    let found = match found {
        None => None,
        Some(view) => Some(Shown::of(app, at, view, &filled("sort")).await?),
    };
    let choices = Choices::of(app, at).await?;
    let csrf = &at.csrf(app);
    let content = Page { home: &at.home, csrf, asking, choices, filled, wrong, found };
    at.render((status, "What if?", Area::Reports), csrf, &content)
}

/// The form: the last 90 days, if nothing else is said.
pub async fn ask(State(app): State<App>, at: At) -> Result<Response> {
    let today = brand_of(&app, &at).await?.timezone.day(app.now_ms());
    let filled = |name: &str| match name {
        "from" => today.plus(-89).to_iso(),
        "to" => today.to_iso(),
        _ => String::new(),
    };
    page(&app, &at, &filled, (StatusCode::OK, String::new(), None)).await
}

/// The fields that are filled in, as an object: none if none is.
fn object(sent: &Sent, names: &[(&str, &str)]) -> Option<Map<String, Value>> {
    let said = names.iter().filter(|(_, field)| !sent.get(field).is_empty());
    let object: Map<String, Value> =
        said.map(|(name, field)| ((*name).to_owned(), Value::from(sent.get(field)))).collect();
    (!object.is_empty()).then_some(object)
}

/// The terms of the form, if a part of them is filled in.
fn terms(sent: &Sent, currency: Currency) -> Option<Value> {
    let mut terms = object(sent, &[("commission_percent", "rate")]).unwrap_or_default();
    for (name, field) in
        [("flat_per_order", "flat"), ("cap_per_order", "cap"), ("cap_per_month", "month_cap")]
    {
        if !sent.get(field).is_empty() {
            let mut money = Map::new();
            money.insert("amount".to_owned(), Value::from(sent.get(field)));
            money.insert("currency".to_owned(), Value::from(currency.code()));
            terms.insert(name.to_owned(), Value::Object(money));
        }
    }
    if sent.get("first_only") == "yes" {
        terms.insert("first_order_only".to_owned(), Value::from(true));
    }
    (!terms.is_empty()).then_some(Value::Object(terms))
}

/// The tiers of the form, if a level is filled in.
fn tiers(sent: &Sent) -> Option<Value> {
    let mut levels = Vec::new();
    for n in 1..=LEVELS {
        let (from, rate) = (format!("from_{n}"), format!("rate_{n}"));
        if let Some(mut level) =
            object(sent, &[("threshold", &from), ("commission_percent", &rate)])
        {
            level.insert("name".to_owned(), Value::from(format!("Level {n}")));
            levels.push(Value::Object(level));
        }
    }
    let mut tiers =
        object(sent, &[("metric", "metric"), ("period", "tier_period")]).unwrap_or_default();
    (!levels.is_empty()).then(|| {
        tiers.insert("levels".to_owned(), Value::Array(levels));
        Value::Object(tiers)
    })
}

/// What the form asks the API.
///
/// # Errors
/// 422.
fn asked(sent: &Sent, currency: Currency) -> Result<simulations::NewSimulation> {
    let mut changes = Map::new();
    if let Some(terms) = terms(sent, currency) {
        changes.insert("terms".to_owned(), terms);
    }
    if let Some(tiers) = tiers(sent) {
        changes.insert("tiers".to_owned(), tiers);
    }
    let mut rules =
        object(sent, &[("precedence", "precedence"), ("clicks", "clicks")]).unwrap_or_default();
    if !sent.get("window_days").is_empty() {
        let wrong = || Error::invalid("window_days", "must be 1 to 365");
        let days: u16 = sent.get("window_days").parse().map_err(|_| wrong())?;
        rules.insert("window_days".to_owned(), Value::from(days));
    }
    if !rules.is_empty() {
        changes.insert("attribution".to_owned(), Value::Object(rules));
    }
    let mut all = object(sent, &[("from", "from"), ("to", "to")]).unwrap_or_default();
    if let Some(filter) = object(sent, &[("campaign_id", "campaign_id")]) {
        all.insert("filter".to_owned(), Value::Object(filter));
    }
    all.insert("changes".to_owned(), Value::Object(changes));
    read(&Value::Object(all))
}

/// All deals of the answer as a file.
async fn file(app: &App, at: &At, found: &SimulationView) -> Result<Response> {
    let brand = at.seat.member()?.brand_id;
    let ids: Vec<_> = found.deals.iter().map(|row| row.creator_id).collect();
    let names = people(app, brand, &ids).await?;
    let mut lines = String::new();
    let heads = [
        "deal_id",
        "creator_id",
        "creator",
        "currency",
        "before",
        "after",
        "difference",
        "orders_changed",
    ];
    csv::line(&mut lines, &heads);
    for row in &found.deals {
        let name = names.iter().find(|one| one.id == row.creator_id);
        let cells = [
            &*row.deal_id.to_string(),
            &row.creator_id.to_string(),
            name.map_or("", |one| &one.name),
            row.currency.code(),
            &row.before,
            &row.after,
            &row.difference,
            &row.orders_changed.to_string(),
        ];
        csv::line(&mut lines, &cells);
    }
    Ok(as_file(lines, "what-if"))
}

/// What would have been.
pub async fn simulate(State(app): State<App>, sent: Sent) -> Result<Response> {
    let brand = brand_of(&app, &sent.at).await?;
    let work = async {
        let caller: Caller = sent.at.seat.caller()?;
        let new = asked(&sent, brand.currency)?;
        let Json(found) = simulations::simulate(State(app.clone()), caller, Body(new)).await?;
        Ok(found)
    };
    let answer = match work.await {
        Ok(found) if sent.get("format") == "csv" => return file(&app, &sent.at, &found).await,
        Ok(found) => (StatusCode::OK, String::new(), Some(found)),
        Err(error) => {
            let error: Box<Error> = error;
            let (status, told) = wrong(*error)?;
            (status, told, None)
        }
    };
    let filled = |name: &str| sent.get(name).to_owned();
    page(&app, &sent.at, &filled, answer).await
}
