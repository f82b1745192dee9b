//! Templates of terms: what a brand offers again and again.

use askama::Template;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{TermTemplate, TermTemplateId};
use crate::error::Result;
use crate::storage::rows::parse;
use crate::web::api::brand;
use crate::web::api::term_templates::{self as api, TermTemplateView};
use crate::web::extract::{Body, Caller, Changing, ItemId, Params, PathId, may};
use crate::web::handler::{Json, State, Tagged, etag};
use crate::web::json;
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html};

use super::super::read;
use super::{Wrong, area, check};

const NAMES: [&str; 8] = [
    "name",
    "commission_percent",
    "flat_per_order",
    "cap_per_order",
    "cap_per_month",
    "first_order_only",
    "contract",
    "seen",
];

#[derive(Template)]
#[template(path = "brand/workflows/terms.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    id: Option<TermTemplateId>,
    filled: &'a [(String, String)],
    wrong: &'a Wrong,
    shown: Option<&'a TermTemplateView>,
    versions: Vec<TermTemplateView>,
    currency: &'static str,
    may_change: bool,
}

fn was<'a>(filled: &'a [(String, String)], name: &str) -> &'a str {
    filled.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn label(field: &str) -> String {
    let name = field.trim_start_matches("terms.").split('.').next().unwrap_or_default();
    match name {
        "name" => "The name".to_owned(),
        "commission_percent" => "The commission".to_owned(),
        "flat_per_order" => "The amount for each order".to_owned(),
        "cap_per_order" => "The most of an order".to_owned(),
        "cap_per_month" => "The most of a month".to_owned(),
        "contract" => "The contract".to_owned(),
        other => other.replace('_', " "),
    }
}

impl Page<'_> {
    fn line(&self, name: &str, label: &str, kind: &str, hint: &str) -> Html {
        let within = self.wrong.at(&format!("terms.{name}"));
        let wrong = if within.is_empty() { self.wrong.at(name) } else { within };
        let required = matches!(name, "name" | "commission_percent");
        let value = was(self.filled, name);
        ui::field(&Field { name, label, value, hint, kind, wrong, required })
    }

    fn money(&self, name: &str, label: &str, hint: &str) -> Html {
        self.line(name, &format!("{label}, {}", self.currency), "decimal", hint)
    }

    fn first_only(&self) -> Html {
        let on = was(self.filled, "first_order_only") == "yes";
        check("first_order_only", "Only a customer’s first order earns", on)
    }

    fn contract(&self) -> Html {
        let hint = "The words that the creator accepts with the terms. Empty: none.";
        let wrong = self.wrong.at("contract");
        area(("contract", "Contract", 8), was(self.filled, "contract"), (hint, wrong))
    }

    fn seen(&self) -> &str {
        was(self.filled, "seen")
    }

    fn summary(&self) -> Html {
        self.wrong.summary(&label)
    }

    fn is_open(&self) -> bool {
        self.shown.is_none_or(|view| view.state == "open")
    }
}

/// What the form is filled with of a template that is there.
fn filled(view: &TermTemplateView) -> Vec<(String, String)> {
    let shown = parse(&json::text(view)).unwrap_or_default();
    let terms = shown.get("terms").cloned().unwrap_or_default();
    let text = |value: Option<&Value>| {
        value.and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
    };
    let of = |name: &str| match name {
        "name" | "contract" => text(shown.get(name)),
        "commission_percent" => text(terms.get(name)),
        "first_order_only" => {
            let on = terms.get(name).and_then(Value::as_bool) == Some(true);
            if on { "yes".to_owned() } else { String::new() }
        }
        "seen" => etag(&json::text(view)),
        name => text(terms.get(name).and_then(|amount| amount.get("amount"))),
    };
    NAMES.iter().map(|name| ((*name).to_owned(), of(name))).collect()
}

/// The terms that a form asks for; what it has no field for stays as it is shown.
fn terms(filled: &[(String, String)], shown: Option<&Value>, currency: &str) -> Value {
    let mut terms = Map::new();
    let before = shown.and_then(|shown| shown.get("terms"));
    for name in ["starts_at", "ends_at"] {
        if let Some(kept) = before.and_then(|terms| terms.get(name)).filter(|at| !at.is_null()) {
            terms.insert(name.to_owned(), kept.clone());
        }
    }
    let rates = before.and_then(|terms| terms.get("rates")).and_then(Value::as_array);
    if let Some(rates) = rates.filter(|rates| !rates.is_empty()) {
        terms.insert("rates".to_owned(), rates.iter().map(rate).collect());
    }
    let said = was(filled, "commission_percent").trim();
    terms.insert("commission_percent".to_owned(), Value::from(said));
    for name in ["flat_per_order", "cap_per_order", "cap_per_month"] {
        let amount = was(filled, name).trim();
        if amount.is_empty() {
            continue;
        }
        let code = before.and_then(|terms| terms.get(name)).and_then(|told| told.get("currency"));
        let mut money = Map::new();
        money.insert("amount".to_owned(), Value::from(amount));
        money.insert("currency".to_owned(), code.cloned().unwrap_or_else(|| Value::from(currency)));
        terms.insert(name.to_owned(), Value::Object(money));
    }
    if was(filled, "first_order_only") == "yes" {
        terms.insert("first_order_only".to_owned(), Value::from(true));
    }
    Value::Object(terms)
}

/// A rate as it is shown, as it is asked for: by its collection, or by products, or for all.
fn rate(shown: &Value) -> Value {
    let mut rate = shown.as_object().cloned().unwrap_or_default();
    let collection = rate.remove("collection_id").filter(|id| !id.is_null());
    rate.retain(|_, value| !value.is_null());
    if let Some(id) = collection {
        rate.remove("product_ids");
        let mut named = Map::new();
        named.insert("collection_id".to_owned(), id);
        rate.insert("collection".to_owned(), Value::Object(named));
    }
    let none = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    if rate.get("product_ids").is_some_and(none) {
        rate.remove("product_ids");
    }
    Value::Object(rate)
}

async fn page(
    app: &App,
    at: &At,
    shown: Option<&TermTemplateView>,
    (filled, wrong): (&[(String, String)], &Wrong),
) -> Result<Response> {
    let mut versions = Vec::new();
    if let Some(view) = shown {
        let few = Params::of(&[("limit", "20")]);
        let (caller, id) = (at.seat.caller()?, PathId(view.id));
        let Json(found) = api::versions(State(app.clone()), caller, id, few).await?;
        versions = found.data;
    }
    let csrf = at.csrf(app);
    let stored = brand::find(app, at.seat.member()?.brand_id).await?.brand;
    let content = Page {
        home: &at.home,
        csrf: &csrf,
        id: shown.map(|view| view.id),
        filled,
        wrong,
        shown,
        versions,
        currency: stored.currency.code(),
        may_change: at.seat.may(Scope::Deals),
    };
    let title = if shown.is_some() { "Terms to offer" } else { "New terms to offer" };
    at.render((wrong.status, title, Area::Automations), &csrf, &content)
}

/// An empty one.
pub async fn new(State(app): State<App>, at: At) -> Result<Response> {
    let _: Caller<may::Deals> = at.seat.caller()?;
    page(&app, &at, None, (&[], &Wrong::default())).await
}

/// One with its versions.
pub async fn show(State(app): State<App>, at: At, id: ItemId<TermTemplate>) -> Result<Response> {
    let Tagged(view) = api::show(State(app.clone()), at.seat.caller()?, PathId(id.0)).await?;
    page(&app, &at, Some(&view), (&filled(&view), &Wrong::default())).await
}

fn of_form(sent: &Sent) -> Vec<(String, String)> {
    NAMES.iter().map(|name| ((*name).to_owned(), sent.get(name).to_owned())).collect()
}

/// What the form says, as the API takes it; of a template that is shown only what is another.
async fn asked(app: &App, sent: &Sent, shown: Option<&TermTemplateView>) -> Result<Value> {
    let stored = brand::find(app, sent.at.seat.member()?.brand_id).await?.brand;
    let (form, code) = (of_form(sent), stored.currency.code());
    let before = shown.map(|view| parse(&json::text(view)).unwrap_or_default());
    let mut told = Map::new();
    told.insert("name".to_owned(), Value::from(was(&form, "name")));
    let contract = was(&form, "contract");
    let contract = if contract.trim().is_empty() { Value::Null } else { Value::from(contract) };
    told.insert("contract".to_owned(), contract);
    let terms_told = terms(&form, before.as_ref(), code);
    let same = shown.map(|view| terms(&filled(view), before.as_ref(), code));
    if same.as_ref() != Some(&terms_told) {
        told.insert("terms".to_owned(), terms_told);
    }
    Ok(Value::Object(told))
}

/// Makes one.
pub async fn create(State(app): State<App>, sent: Sent) -> Result<Response> {
    let _: Caller<may::Deals> = sent.at.seat.caller()?;
    let work = async {
        let new = Body(read(&asked(&app, &sent, None).await?)?);
        api::create(State(app.clone()), sent.at.seat.caller()?, new).await
    };
    match work.await {
        Ok((_, Json(view))) => Ok(sent.at.see(&format!("/term-templates/{}?done=saved", view.id))),
        Err(error) => {
            let wrong = Wrong::of(*error)?;
            page(&app, &sent.at, None, (&of_form(&sent), &wrong)).await
        }
    }
}

/// Makes another version of one.
pub async fn save(
    State(app): State<App>,
    sent: Sent,
    id: ItemId<TermTemplate>,
) -> Result<Response> {
    let _: Caller<may::Deals> = sent.at.seat.caller()?;
    let state = || State(app.clone());
    let Tagged(view) = api::show(state(), sent.at.seat.caller()?, PathId(id.0)).await?;
    let work = async {
        let told = read(&asked(&app, &sent, Some(&view)).await?)?;
        let told = Changing::seen(told, sent.get("seen"));
        api::update(state(), sent.at.seat.caller()?, PathId(id.0), told).await
    };
    match work.await {
        Ok(_) => Ok(sent.at.see(&format!("/term-templates/{}?done=saved", id.0))),
        Err(error) => {
            let wrong = Wrong::of(*error)?;
            page(&app, &sent.at, Some(&view), (&of_form(&sent), &wrong)).await
        }
    }
}

/// Puts one away.
pub async fn archive(
    State(app): State<App>,
    sent: Sent,
    id: ItemId<TermTemplate>,
) -> Result<Response> {
    api::archive(State(app), sent.at.seat.caller()?, PathId(id.0)).await?;
    Ok(sent.at.see("/templates?done=removed"))
}
