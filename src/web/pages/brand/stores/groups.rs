//! Affiliate groups: the rule that codes are made from, and the codes that were.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Group, GroupId};
use crate::domain::time::{Day, Zone, to_rfc3339};
use crate::error::{Error, Result};
use crate::web::api::codes::{self, CodeStateView, CodeView};
use crate::web::api::deals::LinkState;
use crate::web::api::groups::{self as api, GroupView};
use crate::web::api::{brand, stores};
use crate::web::extract::{Body, ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::brand::orders::Names;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html};

use super::super::read;
use super::codes::Rows;
use super::{Told, deals_named, tabs, wording};

/// What the form of a new group has.
const FIELDS: [&str; 23] = [
    "name",
    "store",
    "mode",
    "kind",
    "percent",
    "amount",
    "products",
    "collections",
    "buy_quantity",
    "buy_products",
    "buy_collections",
    "get_quantity",
    "least",
    "least_units",
    "starts",
    "ends",
    "limit",
    "once",
    "order",
    "product",
    "shipping",
    "pattern",
    "ends_with_deal",
];

#[derive(Template)]
#[template(path = "brand/stores/groups.html")]
struct Groups<'a> {
    home: &'a str,
    groups: Vec<GroupView>,
    pager: Html,
    may_change: bool,
}

/// The groups.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let asked = Params::of(&[("limit", "50"), ("cursor", at.get("cursor"))]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let content = Groups {
        home: &at.home,
        groups: found.data,
        pager: ui::pager(&format!("{}/stores/groups", at.home), &[], found.next_cursor.as_ref()),
        may_change: at.seat.may(Scope::Deals),
    };
    at.render((StatusCode::OK, "Affiliate groups", Area::Stores), &at.csrf(&app), &content)
}

#[derive(Template)]
#[template(path = "brand/stores/group_new.html")]
struct New<'a> {
    home: &'a str,
    csrf: &'a str,
    stores: Vec<(String, String)>,
    currency: &'static str,
    may_change: bool,
    told: &'a Told,
}

impl New<'_> {
    fn field(&self, name: &'static str, label: &str, kind: &str, hint: &str) -> Html {
        let value = self.told.was(name);
        ui::field(&Field { name, label, kind, hint, value, ..Field::default() })
    }

    fn choice(&self, name: &'static str, label: &str, options: &[(&str, &str)]) -> Html {
        let options = options.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned()));
        ui::select(name, label, &options.collect::<Vec<_>>(), self.told.was(name))
    }

    fn kind(&self) -> Html {
        let kinds = [
            ("percentage", "A share of the price"),
            ("amount", "An amount"),
            ("free_shipping", "Free shipping"),
            ("buy_x_get_y", "Buy some, get some"),
        ];
        self.choice("kind", "What a code takes off", &kinds)
    }

    fn mode(&self) -> Html {
        let modes = [
            ("one_discount", "One discount of the shop for all codes"),
            ("discount_per_code", "A discount for each code"),
        ];
        self.choice("mode", "In the shop", &modes)
    }

    fn store(&self) -> Html {
        ui::select("store", "Store", &self.stores, self.told.was("store"))
    }

    fn tick(&self, name: &'static str, label: &str) -> Html {
        let on = if self.told.was(name) == "yes" { " checked" } else { "" };
        let label = ui::esc(label);
        Html::of(format!(
            "<label class=\"tick\"><input type=\"checkbox\" name=\"{name}\" value=\"yes\"{on}> {label}</label>"
        ))
    }
}

async fn form(app: App, at: At, told: &Told) -> Result<Response> {
    let many = Params::of(&[("limit", "200")]);
    let Json(all) = stores::list(State(app.clone()), at.seat.caller()?, many).await?;
    let fit = all.data.iter().filter(|one| one.platform == "shopify" && one.status != "closed");
    let first = fit.clone().find_map(|one| one.currency.as_deref()?.parse().ok());
    let stored = brand::find(&app, at.seat.member()?.brand_id).await?.brand;
    let csrf = at.csrf(&app);
    let content = New {
        home: &at.home,
        csrf: &csrf,
        stores: fit.map(|one| (one.id.to_string(), wording::name(one))).collect(),
        currency: first.unwrap_or(stored.currency).code(),
        may_change: at.seat.may(Scope::Deals),
        told,
    };
    at.render((told.status, "New affiliate group", Area::Stores), &csrf, &content)
}

/// The form of a new group.
pub async fn ask(State(app): State<App>, at: At) -> Result<Response> {
    form(app, at, &Told::default()).await
}

/// What a form says, as the API's body.
struct Said<'a> {
    sent: &'a Sent,
    zone: Zone,
    currency: String,
}

impl Said<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        Some(self.sent.get(name).trim()).filter(|text| !text.is_empty())
    }

    fn yes(&self, name: &str) -> Value {
        Value::from(self.sent.get(name) == "yes")
    }

    /// A whole number; what isn't one is said by the API.
    fn number(&self, name: &str) -> Option<Value> {
        let text = self.text(name)?;
        Some(text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from))
    }

    fn money(&self, name: &str) -> Option<Value> {
        let amount = self.text(name)?;
        let pair = [("amount", amount), ("currency", &*self.currency)];
        Some(object(pair.map(|(name, text)| (name, Some(Value::from(text))))))
    }

    /// Ids between commas or spaces.
    fn items(&self, products: &str, collections: &str) -> Option<Value> {
        let ids = |name: &str| {
            let text = self.text(name)?;
            let ids = text.split([',', ' ', '\n', '\r']).filter(|id| !id.is_empty());
            Some(Value::from(ids.map(Value::from).collect::<Vec<_>>()))
        };
        let named = [("products", ids(products)), ("collections", ids(collections))];
        named.iter().any(|(_, ids)| ids.is_some()).then(|| object(named))
    }

    /// When a day begins, or ends, where the brand is.
    fn day(&self, name: &str, after: i64) -> Result<Option<Value>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let day = Day::from_iso(text).ok_or_else(|| Error::invalid(name, "must be a date"))?;
        Ok(Some(Value::from(to_rfc3339(self.zone.start_of(day.plus(after))))))
    }

    fn discount(&self) -> Result<Value> {
        let gives = self.sent.get("kind") == "buy_x_get_y";
        let on = self.items("products", "collections");
        let everything = || Some(object([("all", Some(Value::from(true)))]));
        let bought = self.items("buy_products", "buy_collections").or_else(everything);
        let percent = self.text("percent").map(Value::from);
        let get = object([
            ("quantity", self.number("get_quantity")),
            ("on", on.clone().or_else(everything)),
            ("percent", percent.clone()),
        ]);
        let least = [("subtotal", self.money("least")), ("quantity", self.number("least_units"))];
        let has_least = least.iter().any(|(_, value)| value.is_some());
        let beside = ["order", "product", "shipping"].map(|name| (name, Some(self.yes(name))));
        Ok(object([
            ("kind", Some(Value::from(self.sent.get("kind")))),
            ("percent", percent.filter(|_| !gives)),
            ("amount", self.money("amount")),
            ("on", on.filter(|_| !gives)),
            (
                "buy",
                gives.then(|| object([("quantity", self.number("buy_quantity")), ("on", bought)])),
            ),
            ("get", gives.then_some(get)),
            ("minimum", has_least.then(|| object(least))),
            ("starts_at", self.day("starts", 0)?),
            ("ends_at", self.day("ends", 1)?),
            ("usage_limit", self.number("limit")),
            ("once_per_customer", Some(self.yes("once"))),
            ("combines_with", Some(object(beside))),
        ]))
    }

    fn group(&self) -> Result<Value> {
        let text = |name: &str| self.text(name).map(Value::from);
        Ok(object([
            ("store_id", text("store")),
            ("name", Some(Value::from(self.sent.get("name")))),
            ("mode", text("mode")),
            ("code_pattern", text("pattern")),
            ("ends_with_deal", Some(self.yes("ends_with_deal"))),
            ("discount", Some(self.discount()?)),
        ]))
    }
}

/// The fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

/// Sets a group up.
pub async fn create(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let caller = sent.at.seat.caller()?;
        let stored = brand::find(&app, sent.at.seat.member()?.brand_id).await?.brand;
        let mut currency = stored.currency.code().to_owned();
        if let Ok(id) = sent.get("store").parse() {
            let reader = sent.at.seat.caller()?;
            let Json(store) = stores::show(State(app.clone()), reader, PathId(id)).await?;
            currency = store.currency.unwrap_or(currency);
        }
        let said = Said { sent: &sent, zone: stored.timezone, currency };
        let new = Body(read(&said.group()?)?);
        api::create(State(app.clone()), caller, new).await
    };
    match work.await {
        Ok((_, Json(made))) => Ok(sent.at.see(&format!("/stores/groups/{}?done=group", made.id))),
        Err(error) => {
            let told = Told::of(&sent, *error, &FIELDS)?;
            form(app, sent.at, &told).await
        }
    }
}

#[derive(Template)]
#[template(path = "brand/stores/group.html")]
struct Page<'a> {
    home: &'a str,
    /// The address that shows this again.
    here: String,
    csrf: &'a str,
    group: GroupView,
    rows: Html,
    counts: Vec<(Html, i64)>,
    waiting: bool,
    empty: bool,
    pager: Html,
    may_change: bool,
    told: &'a Told,
}

impl Page<'_> {
    fn field(&self, name: &'static str, label: &str, hint: &str, now: &str) -> Html {
        let was = self.told.was(name);
        let value = if was.is_empty() { now } else { was };
        ui::field(&Field { name, label, hint, value, ..Field::default() })
    }
}

/// How many of these codes are in each state.
fn counts(codes: &[CodeView]) -> Vec<(Html, i64)> {
    use CodeStateView::{Active, Changed, Creating, Deactivated, Failed, Gone};
    let all = [Active, Creating, Failed, Changed, Deactivated, Gone];
    let of = |state: CodeStateView| {
        let count = codes.iter().filter(|code| code.state == state).count();
        (super::super::words::code(&state), i64::try_from(count).unwrap_or(i64::MAX))
    };
    all.map(of).into_iter().filter(|(_, count)| *count > 0).collect()
}

async fn page(app: App, at: At, id: GroupId, told: &Told) -> Result<Response> {
    let state = || State(app.clone());
    let Json(group) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let text = id.to_string();
    let asked = Params::of(&[
        ("limit", "100"),
        ("affiliate_group_id", &text),
        ("cursor", at.get("cursor")),
    ]);
    let Json(found) = codes::list(state(), at.seat.caller()?, asked).await?;
    let deals = found.data.iter().map(|code| code.deal_id).collect();
    let names = Names::of(&app, at.seat.member()?.brand_id, deals).await?;
    let csrf = at.csrf(&app);
    let may_change = at.seat.may(Scope::Deals);
    let title = group.name.clone();
    let path = format!("{}/stores/groups/{id}", at.home);
    let content = Page {
        home: &at.home,
        here: at.here(&format!("/stores/groups/{id}")),
        csrf: &csrf,
        group,
        rows: Rows::of((&at.home, &csrf), &found.data, &names, &text, may_change)?,
        counts: counts(&found.data),
        waiting: found.data.iter().any(|code| code.pending),
        empty: found.data.is_empty(),
        pager: ui::pager(&path, &[], found.next_cursor.as_ref()),
        may_change,
        told,
    };
    at.render((told.status, &title, Area::Stores), &csrf, &content)
}

/// One group with its codes.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Group>) -> Result<Response> {
    page(app, at, id.0, &Told::default()).await
}

async fn after(app: App, sent: Sent, id: GroupId, done: Result<&str>) -> Result<Response> {
    match done {
        Ok(name) => Ok(sent.at.see(&format!("/stores/groups/{id}?done={name}"))),
        Err(error) => {
            let told = Told::of(&sent, *error, &["name", "pattern", "creators"])?;
            page(app, sent.at, id, &told).await
        }
    }
}

/// Changes a group's name, spelling, and whether codes end with deals.
pub async fn update(State(app): State<App>, sent: Sent, id: ItemId<Group>) -> Result<Response> {
    let work = async {
        let changes = object([
            ("name", Some(Value::from(sent.get("name")))),
            ("code_pattern", Some(Value::from(sent.get("pattern")))),
            ("ends_with_deal", Some(Value::from(sent.get("ends_with_deal") == "yes"))),
        ]);
        let changes = Body(read(&changes)?);
        api::update(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), changes).await
    };
    let done = work.await.map(|_| "saved");
    after(app, sent, id.0, done).await
}

/// Makes no more codes from it.
pub async fn archive(State(app): State<App>, sent: Sent, id: ItemId<Group>) -> Result<Response> {
    let work =
        async { api::archive(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await };
    let done = work.await.map(|_| "archived");
    after(app, sent, id.0, done).await
}

/// Makes a code for each of the creators that are named, a line each.
pub async fn add_codes(State(app): State<App>, sent: Sent, id: ItemId<Group>) -> Result<Response> {
    let work = async {
        let caller = sent.at.seat.caller()?;
        let brand = sent.at.seat.member()?.brand_id;
        let named = sent.get("creators").lines().map(str::trim).filter(|line| !line.is_empty());
        // One more than the API takes: it says so.
        let named: Vec<&str> = named.take(501).collect();
        let deals = deals_named(&app, brand, &named).await?.into_iter();
        let deals: Vec<Value> = deals.map(|id| Value::from(id.to_string())).collect();
        let new = Body(read(&object([("deal_ids", Some(Value::from(deals)))]))?);
        api::add_codes(State(app.clone()), caller, PathId(id.0), new).await
    };
    let done = work.await.map(|_| "codes");
    after(app, sent, id.0, done).await
}
