//! Attribution and holds, with what they mean while they are typed.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::brand::{ClickOrder, EarnOn, Precedence};
use crate::domain::time::{Day, Zone};
use crate::error::{Error, Result};
use crate::web::api::brand::{self as api, BrandView};
use crate::web::extract::Changing;
use crate::web::handler::{State, Tagged, etag};
use crate::web::json::text;
use crate::web::message::Response;
use crate::web::pages::form::Form;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{Field, Html};

use super::super::read;
use super::meaning::{self, Example, Rules};
use super::{Base, Told, number, split};

const FIELDS: [&str; 8] = [
    "window_days",
    "precedence",
    "clicks",
    "hold_days",
    "earn_on",
    "count_test_orders",
    "clicked",
    "ordered",
];
const PRECEDENCES: [(&str, &str); 2] =
    [("code_first", "The code decides"), ("link_first", "The click decides")];
const CLICKS: [(&str, &str); 2] = [("last", "The last one"), ("first", "The first one")];
const EARNS: [(&str, &str); 2] = [("paid", "Once it is paid"), ("placed", "Once it is placed")];

/// The settings as a form has them.
struct Values {
    window_days: String,
    precedence: &'static str,
    clicks: &'static str,
    hold_days: String,
    earn_on: &'static str,
    count_test_orders: bool,
}

impl Values {
    fn of(brand: &BrandView) -> Self {
        Self {
            window_days: brand.attribution.window_days.to_string(),
            precedence: match brand.attribution.precedence {
                Precedence::CodeFirst => "code_first",
                Precedence::LinkFirst => "link_first",
            },
            clicks: match brand.attribution.clicks {
                ClickOrder::Last => "last",
                ClickOrder::First => "first",
            },
            hold_days: brand.hold_days.to_string(),
            earn_on: match brand.earn_on {
                EarnOn::Paid => "paid",
                EarnOn::Placed => "placed",
            },
            count_test_orders: brand.count_test_orders,
        }
    }
}

#[derive(Template)]
#[template(path = "brand/settings/rules.html")]
struct Page<'a> {
    base: Base<'a>,
    now: Values,
    seen: String,
    /// What stands in the fields, where it isn't what is saved.
    typed: Typed<'a>,
    told: &'a Told,
    zone: String,
    rules: Rules,
    example: Example,
}

/// What is typed: in the address, or in a form that couldn't be saved.
struct Typed<'a> {
    at: &'a At,
    form: Option<&'a Form>,
}

impl Typed<'_> {
    /// Whether anything is: then a box that isn't ticked is off.
    fn is_any(&self) -> bool {
        self.form.is_some() || !self.at.get("window_days").is_empty()
    }

    fn get<'b>(&'b self, name: &str, now: &'b str) -> &'b str {
        let typed = self.form.map_or_else(|| self.at.get(name), |form| form.get(name));
        if typed.is_empty() && self.form.is_none() { now } else { typed }
    }

    fn is_on(&self, name: &str, now: bool) -> bool {
        if self.is_any() { self.get(name, "") == "yes" } else { now }
    }
}

impl Page<'_> {
    fn days(&self, (name, label): (&'static str, &str), hint: &str, now: &str) -> Html {
        let part = self.told.part("rules");
        let wrong = part.meanwhile(name, now);
        let value = self.typed.get(name, now);
        let (kind, required) = ("decimal", true);
        let field = Field { name, label, hint, kind, required, value, wrong: &wrong };
        crate::web::pages::ui::field(&field)
    }

    fn choice(&self, name: &str, label: &str, options: &[(&str, &str)], now: &str) -> Html {
        let part = self.told.part("rules");
        let own = |(value, text): &(&str, &str)| ((*value).to_owned(), (*text).to_owned());
        let all: Vec<(String, String)> = options.iter().map(own).collect();
        let met = part.meanwhile(name, now);
        let label =
            if met.is_empty() { label.to_owned() } else { format!("{label} (changed meanwhile)") };
        crate::web::pages::ui::select(name, &label, &all, self.typed.get(name, now))
    }

    fn attribution(&self) -> Html {
        let now = &self.now;
        let window = "1 to 365 days between the click and the order";
        let all = [
            self.days(("window_days", "A click counts for, days"), window, &now.window_days),
            self.choice("precedence", "A code and a click disagree", &PRECEDENCES, now.precedence),
            self.choice("clicks", "Several clicks", &CLICKS, now.clicks),
        ];
        Html::of(all.map(|one| one.to_string()).concat())
    }

    fn earning(&self) -> Html {
        let now = &self.now;
        let hold = "0 to 365 days, for returns. Orders from before keep theirs";
        let all = [
            self.days(("hold_days", "Money is held for, days"), hold, &now.hold_days),
            self.choice("earn_on", "An order earns", &EARNS, now.earn_on),
        ];
        Html::of(all.map(|one| one.to_string()).concat())
    }

    fn tests(&self) -> Html {
        let on = self.typed.is_on("count_test_orders", self.now.count_test_orders);
        let label = (
            "count_test_orders",
            "Count test orders",
            "For trying things out. Off for a shop that sells.",
        );
        Told::default().part("").check(label, on)
    }

    fn dates(&self) -> Html {
        let field =
            |name, label, value| Field { name, label, value, kind: "date", ..Field::default() };
        let [clicked, ordered] = [self.example.clicked, self.example.ordered].map(Day::to_iso);
        let all = [
            crate::web::pages::ui::field(&field("clicked", "A click on", &clicked)),
            crate::web::pages::ui::field(&field("ordered", "An order on", &ordered)),
        ];
        Html::of(all.map(|one| one.to_string()).concat())
    }

    fn sentences(&self) -> Html {
        meaning::listed(&self.rules.sentences())
    }

    fn wanted(&self) -> String {
        FIELDS.join(",")
    }
}

/// The rules as they are typed: nothing where they make no sense.
fn rules(typed: &Typed<'_>, now: &Values, brand: &BrandView) -> Option<Rules> {
    let days = |name, now| typed.get(name, now).trim().parse::<i64>().ok();
    let rules = Rules {
        window_days: days("window_days", &now.window_days)?,
        precedence: match typed.get("precedence", now.precedence) {
            "link_first" => Precedence::LinkFirst,
            _ => Precedence::CodeFirst,
        },
        clicks: match typed.get("clicks", now.clicks) {
            "first" => ClickOrder::First,
            _ => ClickOrder::Last,
        },
        hold_days: days("hold_days", &now.hold_days)?,
        earn_on: match typed.get("earn_on", now.earn_on) {
            "placed" => EarnOn::Placed,
            _ => EarnOn::Paid,
        },
        count_test_orders: typed.is_on("count_test_orders", now.count_test_orders),
        payout_day: brand.payout_schedule.as_ref().map(|schedule| i64::from(schedule.day)),
    };
    rules.make_sense().then_some(rules)
}

async fn page(app: App, at: At, told: &Told) -> Result<Response> {
    let Tagged(brand) = api::show(State(app.clone()), at.seat.caller()?).await?;
    let (now, seen) = (Values::of(&brand), etag(&text(&brand)));
    let typed = Typed { at: &at, form: told.form.as_ref() };
    let understood = rules(&typed, &now, &brand);
    // What makes no sense isn't explained: what holds is.
    let held = Typed { at: &at, form: None };
    let rules = understood.or_else(|| rules(&held, &now, &brand)).unwrap_or(Rules {
        window_days: i64::from(brand.attribution.window_days),
        precedence: brand.attribution.precedence,
        clicks: brand.attribution.clicks,
        hold_days: i64::from(brand.hold_days),
        earn_on: brand.earn_on,
        count_test_orders: brand.count_test_orders,
        payout_day: None,
    });
    let zone = Zone::named(&brand.timezone).unwrap_or_else(Zone::utc);
    let usual = Example::of(&rules, zone.day(app.now_ms()));
    let day =
        |name| Day::from_iso(typed.get(name, "")).filter(|day| (0..=100_000).contains(&day.0));
    let example = Example {
        clicked: day("clicked").unwrap_or(usual.clicked),
        ordered: day("ordered").unwrap_or(usual.ordered),
    };
    let base = Base::of(&app, &at, "/rules");
    let csrf = base.csrf.clone();
    let content = Page { base, now, seen, typed, told, zone: brand.timezone, rules, example };
    at.render((told.status, "Attribution and holds", Area::Settings), &csrf, &content)
}

/// The rules, and what those mean that stand in the address.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, &Told::default()).await
}

fn changes(form: &Form, now: &Values) -> Value {
    let (mut said, mut attribution) = (Map::new(), Map::new());
    if form.get("window_days").trim() != now.window_days {
        attribution.insert("window_days".to_owned(), number(form.get("window_days")));
    }
    for (name, is) in [("precedence", now.precedence), ("clicks", now.clicks)] {
        if form.get(name) != is {
            attribution.insert(name.to_owned(), Value::from(form.get(name)));
        }
    }
    if !attribution.is_empty() {
        said.insert("attribution".to_owned(), Value::Object(attribution));
    }
    if form.get("hold_days").trim() != now.hold_days {
        said.insert("hold_days".to_owned(), number(form.get("hold_days")));
    }
    if form.get("earn_on") != now.earn_on {
        said.insert("earn_on".to_owned(), Value::from(form.get("earn_on")));
    }
    let tests = form.get("count_test_orders") == "yes";
    if tests != now.count_test_orders {
        said.insert("count_test_orders".to_owned(), Value::from(tests));
    }
    Value::Object(said)
}

async fn done(app: &App, at: &At, form: &Form) -> Result<()> {
    if form.get("do") != "rules" {
        return Err(Error::NotFound.into());
    }
    let caller = at.seat.caller()?;
    let Tagged(now) = api::show(State(app.clone()), at.seat.caller()?).await?;
    let said = read(&changes(form, &Values::of(&now)))?;
    let _ = api::update(State(app.clone()), caller, Changing::seen(said, form.get("seen"))).await?;
    Ok(())
}

/// Saves them, or only says what they would mean: without a script that is asked for by a button.
pub async fn save(State(app): State<App>, sent: Sent) -> Result<Response> {
    let (at, form) = split(sent);
    if form.get("explain") == "yes" {
        let told = Told { status: StatusCode::OK, form: Some(form), ..Told::default() };
        return page(app, at, &told).await;
    }
    match done(&app, &at, &form).await {
        Ok(()) => Ok(at.see("/settings/rules?done=saved")),
        Err(error) => {
            let told = Told::of(form, *error)?;
            page(app, at, &told).await
        }
    }
}
