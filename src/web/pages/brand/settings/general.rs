//! The brand itself, its payouts, what creators and keys may do, when messages go out, how what was seen is valued.

use std::fmt::Write;

use askama::Template;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::domain::money::Money;
use crate::domain::post::Platform;
use crate::error::{Error, Result};
use crate::web::api::brand::{self as api, BrandView};
use crate::web::api::media::{self, FormulaView};
use crate::web::api::messages::{self, OutreachSettings};
use crate::web::extract::{Body, Changing, Params};
use crate::web::handler::{Json, State, Tagged, etag};
use crate::web::json::text;
use crate::web::message::Response;
use crate::web::pages::form::Form;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{Field, Html, esc};

use super::super::read;
use super::{Base, Told, number, object, split};

const DAYS: [(&str, &str); 7] = [
    ("monday", "Mon"),
    ("tuesday", "Tue"),
    ("wednesday", "Wed"),
    ("thursday", "Thu"),
    ("friday", "Fri"),
    ("saturday", "Sat"),
    ("sunday", "Sun"),
];
const MEASURES: [(&str, &str); 2] = [("views", "Views"), ("impressions", "Impressions")];
const MEASURES_OR_NOT: [(&str, &str); 3] =
    [("", "As the rest"), ("views", "Views"), ("impressions", "Impressions")];

#[derive(Template)]
#[template(path = "brand/settings/general.html")]
struct Page<'a> {
    base: Base<'a>,
    brand: BrandView,
    seen: String,
    outreach: OutreachSettings,
    formula: FormulaView,
    told: &'a Told,
}

fn plain(amount: Option<&Money>) -> String {
    amount.map(|amount| amount.to_decimal()).unwrap_or_default()
}

fn payout_day(brand: &BrandView) -> String {
    brand.payout_schedule.as_ref().map(|schedule| schedule.day.to_string()).unwrap_or_default()
}

fn currencies(brand: &BrandView) -> String {
    let of = brand.payout_schedule.as_ref().and_then(|schedule| schedule.currencies.as_ref());
    let codes =
        of.map(|list| list.iter().map(|currency| currency.code()).collect::<Vec<_>>().join(", "));
    codes.unwrap_or_default()
}

impl Page<'_> {
    fn line(&self, (name, label, kind): (&'static str, &str, &str), hint: &str, now: &str) -> Html {
        let required = matches!(name, "name" | "timezone" | "homepage_url");
        let field = Field { name, label, kind, hint, required, ..Field::default() };
        self.told.part("brand").line(&field, now)
    }

    fn about(&self) -> Html {
        let brand = &self.brand;
        let zone = "Whose calendar days follow. It can’t change once there are orders: their days, holds and \
                    reports were counted by it";
        let mut html = String::new();
        for one in [
            self.line(("name", "Name", "text"), "As creators see it", &brand.name),
            self.line(
                ("homepage_url", "Home page", "url"),
                "Where links lead that name no other page",
                &brand.homepage_url,
            ),
            self.line(("timezone", "Time zone", "text"), zone, &brand.timezone),
        ] {
            let _ = write!(html, "{one}");
        }
        Html::of(html)
    }

    fn payouts(&self) -> Html {
        let brand = &self.brand;
        let code = brand.currency.code();
        let mut html = String::new();
        for one in [
            self.line(
                ("payout_minimum", &format!("Least payout, {code}"), "decimal"),
                "Less waits for the next one. Empty: any amount",
                &plain(brand.payout_minimum.as_ref()),
            ),
            self.line(
                ("second_approver_above", &format!("Two people above, {code}"), "decimal"),
                "A payout above this, or in another currency, needs two people. Empty: none does",
                &plain(brand.second_approver_above.as_ref()),
            ),
            self.line(
                ("payout_day", "Drafts on day of month", "decimal"),
                "1 to 28. Drafts are made by themselves; nobody is paid without approval. Empty: never",
                &payout_day(brand),
            ),
            self.line(
                ("payout_currencies", "In these currencies", "text"),
                "Such as USD, EUR. Empty: every one that somebody has something in",
                &currencies(brand),
            ),
        ] {
            let _ = write!(html, "{one}");
        }
        Html::of(html)
    }

    fn allowed(&self) -> Html {
        let part = self.told.part("brand");
        let links = part.check(
            (
                "creators_make_links",
                "Creators may make links themselves",
                "To any page of the shop, for their own deals.",
            ),
            self.brand.creators_make_links,
        );
        let keys = part.check(
            (
                "money_keys",
                "API keys may move money",
                "Otherwise only members do, each with her passkey.",
            ),
            self.brand.money_keys,
        );
        Html::of(format!("{links}{keys}"))
    }

    fn sending(&self) -> Html {
        let (part, now) = (self.told.part("outreach"), &self.outreach);
        let field = |name, label, kind, hint| Field { name, label, kind, hint, ..Field::default() };
        let limit = field("daily_limit", "Messages a day, at most", "decimal", "0 to 10,000");
        let from = field("from", "From", "text", "Of the recipient’s day, such as 09:00");
        let to = field("to", "To", "text", "Such as 18:00; 24:00 is the end of the day");
        let (limit, from, to) = (
            part.line(&limit, &now.daily_limit.to_string()),
            part.line(&from, &now.from),
            part.line(&to, &now.to),
        );
        let mut days = String::new();
        for (day, short) in DAYS {
            let one = part.check((day, short, ""), now.days.contains(&day));
            let _ = write!(days, "{one}");
        }
        Html::of(format!(
            "<div class=\"fields\">{limit}{from}{to}</div><fieldset class=\"settings-set\">\
             <legend>On these days</legend><div class=\"settings-days\">{days}</div></fieldset>"
        ))
    }

    fn own(&self, platform: Platform) -> (&'static str, String) {
        let own = self.formula.platforms.iter().find(|rate| rate.platform == platform);
        own.map_or(("", String::new()), |rate| {
            (measure(&text(&rate.measure)), rate.cpm.to_decimal())
        })
    }

    fn media(&self) -> Html {
        let part = self.told.part("media");
        let code = self.brand.currency.code();
        let now = measure(&text(&self.formula.default.measure));
        let cpm = self.formula.default.cpm.to_decimal();
        let label = format!("{code} per thousand");
        let field = Field { name: "cpm", label: &label, kind: "decimal", ..Field::default() };
        let (what, cpm) =
            (part.choice(("measure", "What counts"), &MEASURES, now), part.line(&field, &cpm));
        let mut rows = String::new();
        for platform in Platform::ALL {
            let (now, cpm) = self.own(platform);
            let name = platform.name();
            let (what, worth) = (format!("measure_{name}"), format!("cpm_{name}"));
            let chosen = part.value(&what, now);
            let mut options = String::new();
            for (value, told) in MEASURES_OR_NOT {
                let selected = if value == chosen { " selected" } else { "" };
                let _ = write!(options, "<option value=\"{value}\"{selected}>{told}</option>");
            }
            let _ = write!(
                rows,
                "<tr><th scope=\"row\">{name}</th><td><select class=\"form-select\" name=\"{what}\" aria-label=\"What counts on {name}\">{options}</select></td>\
                 <td><input class=\"form-control\" name=\"{worth}\" inputmode=\"decimal\" autocomplete=\"off\" value=\"{}\" aria-label=\"{code} per thousand on {name}\"></td></tr>",
                esc(part.value(&worth, &cpm)),
            );
        }
        Html::of(format!(
            "<div class=\"fields\">{what}{cpm}</div><details{}><summary>Platforms that differ</summary>\
             <div class=\"table-responsive\" tabindex=\"0\" role=\"region\" aria-label=\"Platforms, table\"><table class=\"table\">\
             <thead><tr><th scope=\"col\">Platform</th><th scope=\"col\">What counts</th><th scope=\"col\">{code} per thousand</th></tr></thead>\
             <tbody>{rows}</tbody></table></div></details>",
            if self.formula.platforms.is_empty() { "" } else { " open" }
        ))
    }
}

/// A measure by the word that the API has for it.
fn measure(json: &str) -> &'static str {
    if json.contains("impressions") { "impressions" } else { "views" }
}

async fn page(app: App, at: At, told: &Told) -> Result<Response> {
    let state = || State(app.clone());
    let Tagged(brand) = api::show(state(), at.seat.caller()?).await?;
    let Json(outreach) = messages::show_settings(state(), at.seat.caller()?).await?;
    let one = Params::of(&[("limit", "1")]);
    let Json(formulas) = media::list(state(), at.seat.caller()?, one).await?;
    let formula = formulas.data.into_iter().next().ok_or(Error::NotFound)?;
    let base = Base::of(&app, &at, "");
    let csrf = base.csrf.clone();
    let content = Page { base, seen: etag(&text(&brand)), brand, outreach, formula, told };
    at.render((told.status, "Settings", Area::Settings), &csrf, &content)
}

/// The brand.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, &Told::default()).await
}

/// What of the form differs from what is there: nothing else is said to the API, and so noted.
fn changes(form: &Form, now: &BrandView) -> Value {
    let mut said = Map::new();
    let code = now.currency.code();
    for (name, is) in
        [("name", &now.name), ("homepage_url", &now.homepage_url), ("timezone", &now.timezone)]
    {
        if form.get(name) != is {
            said.insert(name.to_owned(), Value::from(form.get(name)));
        }
    }
    let amounts = [
        ("payout_minimum", now.payout_minimum.as_ref()),
        ("second_approver_above", now.second_approver_above.as_ref()),
    ];
    for (name, is) in amounts {
        let typed = form.get(name).trim();
        if typed != plain(is) {
            let amount = json!({ "amount": typed, "currency": code });
            let amount = if typed.is_empty() { Value::Null } else { amount };
            said.insert(name.to_owned(), amount);
        }
    }
    let (day, list) = (form.get("payout_day").trim(), form.get("payout_currencies").trim());
    if day != payout_day(now) || list != currencies(now) {
        let codes: Vec<&str> = list.split([',', ' ']).filter(|code| !code.is_empty()).collect();
        let codes = if codes.is_empty() { Value::Null } else { Value::from(codes) };
        let schedule = object([("day", number(day)), ("currencies", codes)]);
        let never = day.is_empty() && list.is_empty();
        let schedule = if never { Value::Null } else { schedule };
        said.insert("payout_schedule".to_owned(), schedule);
    }
    let switches =
        [("creators_make_links", now.creators_make_links), ("money_keys", now.money_keys)];
    for (name, is) in switches {
        let on = form.get(name) == "yes";
        if on != is {
            said.insert(name.to_owned(), Value::from(on));
        }
    }
    Value::Object(said)
}

async fn save_brand(app: &App, at: &At, form: &Form) -> Result<()> {
    let caller = at.seat.caller()?;
    let Tagged(now) = api::show(State(app.clone()), at.seat.caller()?).await?;
    let changing = Changing::seen(read(&changes(form, &now))?, form.get("seen"));
    let _ = api::update(State(app.clone()), caller, changing).await?;
    Ok(())
}

async fn save_outreach(app: &App, at: &At, form: &Form) -> Result<()> {
    let days = DAYS.iter().map(|(day, _)| *day).filter(|day| form.get(day) == "yes");
    let days: Vec<&str> = days.collect();
    let said = object([
        ("daily_limit", number(form.get("daily_limit"))),
        ("days", Value::from(days)),
        ("from", Value::from(form.get("from"))),
        ("to", Value::from(form.get("to"))),
    ]);
    let body = Body(read(&said)?);
    let _ = messages::update_settings(State(app.clone()), at.seat.caller()?, body).await?;
    Ok(())
}

async fn save_media(app: &App, at: &At, form: &Form) -> Result<()> {
    let caller = at.seat.caller()?;
    let state = || State(app.clone());
    let Tagged(brand) = api::show(state(), at.seat.caller()?).await?;
    let one = Params::of(&[("limit", "1")]);
    let Json(formulas) = media::list(state(), at.seat.caller()?, one).await?;
    let version = formulas.data.first().map(|formula| formula.version.to_string());
    if version.as_deref() != Some(form.get("version")) {
        return Err(Error::refused("formula-changed", "somebody else changed it"));
    }
    let worth = |typed: &str| json!({ "amount": typed.trim(), "currency": brand.currency.code() });
    let own = Platform::ALL.iter().filter_map(|platform| {
        let name = platform.name();
        let [what, cpm] = ["measure", "cpm"].map(|kind| form.get(&format!("{kind}_{name}")));
        (!what.is_empty() || !cpm.is_empty())
            .then(|| json!({ "platform": name, "measure": what, "cpm": worth(cpm) }))
    });
    let said = object([
        ("default", json!({ "measure": form.get("measure"), "cpm": worth(form.get("cpm")) })),
        ("platforms", Value::from(own.collect::<Vec<_>>())),
    ]);
    let _ = media::create(state(), caller, Body(read(&said)?)).await?;
    Ok(())
}

/// One of its forms.
pub async fn save(State(app): State<App>, sent: Sent) -> Result<Response> {
    let (at, form) = split(sent);
    let done = match form.get("do") {
        "brand" => save_brand(&app, &at, &form).await,
        "outreach" => save_outreach(&app, &at, &form).await,
        "media" => save_media(&app, &at, &form).await,
        _ => Err(Error::NotFound.into()),
    };
    match done {
        Ok(()) => Ok(at.see("/settings?done=saved")),
        Err(error) => {
            let told = Told::of(form, *error)?;
            page(app, at, &told).await
        }
    }
}
