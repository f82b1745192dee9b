//! A store's own page: how it stands, what is in the way, whether every order arrived.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Store, StoreId};
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::rows::parse;
use crate::web::api::collections::{self, CollectionView};
use crate::web::api::completeness::{self, BackfillView, Completeness};
use crate::web::api::connecting::{self, AnyConnection, ConnectionView, MaybeWanted};
use crate::web::api::custom;
use crate::web::api::goaffpro::{self, GoaffproView};
use crate::web::api::snippet::{self, SnippetView};
use crate::web::api::stores::{self as api, StoreView};
use crate::web::extract::{Body, ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html};

use super::super::{body, read};
use super::{Sum, Told, wording};

/// What one form on the page led to, and is shown this once.
#[derive(Default)]
pub struct Now {
    /// What was wrong.
    pub told: Told,
    pub(super) looked: Option<ConnectionView>,
    /// A secret that is never shown again.
    pub secret: Option<String>,
    pub(super) approve: Option<String>,
}

/// A webhook of the shop.
struct HookLine {
    topic: String,
    state: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "brand/stores/store.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    fresh_until: i64,
    name: String,
    store: StoreView,
    hooks: Vec<HookLine>,
    arrived: Option<Arrived>,
    collections: Vec<CollectionView>,
    goaffpro: Option<GoaffproView>,
    others: Vec<(String, String)>,
    may_admin: bool,
    callback: String,
    now: &'a Now,
}

/// Whether every order of a Shopify store arrived.
struct Arrived {
    days: Completeness,
    sum: Sum,
    backfill: BackfillView,
}

impl Page<'_> {
    fn field(&self, name: &'static str, label: &str, kind: &str, hint: &str) -> Html {
        let value = self.now.told.was(name);
        ui::field(&Field { name, label, kind, hint, value, ..Field::default() })
    }

    fn registered(&self) -> usize {
        self.hooks.iter().filter(|hook| hook.state == "registered").count()
    }

    /// Whether something about the connection can be done.
    fn is_open(&self) -> bool {
        self.store.status != "closed"
    }

    fn fetched(&self, done: &i64, of: &i64) -> Html {
        ui::progress(*done, *of, "Orders fetched")
    }

    fn orders_from(&self) -> Html {
        let now = self.goaffpro.as_ref().and_then(|told| told.orders_from);
        let now = now.map(|id| id.to_string()).unwrap_or_default();
        ui::select("orders_from", "The shop that tells the same orders itself", &self.others, &now)
    }

    fn other(&self, id: &StoreId) -> &str {
        let id = id.to_string();
        self.others.iter().find(|(known, _)| *known == id).map_or("another store", |(_, name)| name)
    }
}

impl Arrived {
    fn meter(&self, name: &str) -> Html {
        self.sum.meter(name)
    }

    /// A column a day: its orders, those that aren't known apart.
    fn chart(&self) -> Html {
        let days = &self.days.data;
        let most = days.iter().filter_map(|day| day.platform).max().unwrap_or(0).max(1);
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Html::default();
        };
        let step = 720 / i64::try_from(days.len()).unwrap_or(1).max(1);
        let mut bars = String::new();
        for (at, day) in (0..).zip(days) {
            let all = day.platform.unwrap_or(0).max(0);
            let known = day.known.unwrap_or(0).clamp(0, all);
            let tall = |count: i64| (count.saturating_mul(120) / most).max(i64::from(count > 0));
            let (x, wide) = (at * step, (step - 2).max(1));
            for (class, count, of) in [("lacks", all - known, all), ("has", known, known)] {
                let (high, top) = (tall(count), 124 - tall(of));
                bars.push_str(&format!(
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{wide}\" height=\"{high}\"/>"
                ));
            }
        }
        let width = step * i64::try_from(days.len()).unwrap_or(1);
        let day = |text: &str| Day::from_iso(text).map(|day| ui::date(&day)).unwrap_or_default();
        Html::of(format!(
            "<svg class=\"day-columns\" viewBox=\"0 0 {width} 125\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <line x1=\"0\" x2=\"{width}\" y1=\"124.5\" y2=\"124.5\"/>{bars}</svg>\
             <div class=\"day-ends soft\" aria-hidden=\"true\"><span>{}</span><span>{}</span></div>",
            day(&first.day),
            day(&last.day)
        ))
    }

    fn is_under_way(&self) -> bool {
        matches!(self.backfill.state, "waiting" | "running")
    }
}

/// The store's page.
///
/// # Errors
/// As the API's.
pub async fn page(app: App, at: At, id: StoreId, now: &Now) -> Result<Response> {
    let state = || State(app.clone());
    let Json(store) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let shopify = store.platform == "shopify";
    let mut arrived = None;
    let mut named = Vec::new();
    if shopify {
        let asked = Params::of(&[]);
        let Json(days) =
            completeness::of_store(state(), at.seat.caller()?, PathId(id), asked).await?;
        let Json(backfill) = completeness::show(state(), at.seat.caller()?, PathId(id)).await?;
        arrived = Some(Arrived { sum: Sum::of(&days), days, backfill });
        let many = Params::of(&[("limit", "100")]);
        let Json(found) = collections::list(state(), at.seat.caller()?, PathId(id), many).await?;
        named = found.data;
    }
    let (mut goaffpro, mut others) = (None, Vec::new());
    if store.platform == "goaffpro" {
        let Json(told) = goaffpro::show(state(), at.seat.caller()?, PathId(id)).await?;
        goaffpro = Some(told);
        let many = Params::of(&[("limit", "200")]);
        let Json(all) = api::list(state(), at.seat.caller()?, many).await?;
        others.push((String::new(), "None: GoAffPro’s orders count by themselves".to_owned()));
        let fit = all.data.iter().filter(|o| o.platform != "goaffpro" && o.status != "closed");
        others.extend(fit.map(|other| (other.id.to_string(), wording::name(other))));
    }
    let name = wording::name(&store);
    let csrf = at.csrf(&app);
    let content = Page {
        home: &at.home,
        csrf: &csrf,
        fresh_until: at.seat.session.fresh_until_ms(),
        hooks: hooks(store.webhooks.as_text()),
        arrived,
        collections: named,
        goaffpro,
        others,
        may_admin: at.seat.may(Scope::Admin),
        callback: connecting::callback_url(&app),
        now,
        name: name.clone(),
        store,
    };
    at.render((now.told.status, &name, Area::Stores), &csrf, &content)
}

fn hooks(listed: &str) -> Vec<HookLine> {
    let told = parse(listed).unwrap_or_default();
    let text = |row: &Value, name: &str| {
        row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let line = |row: &Value| HookLine {
        topic: text(row, "topic"),
        state: text(row, "state"),
        reason: text(row, "reason"),
    };
    told.as_array().into_iter().flatten().map(line).collect()
}

/// One store.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Store>) -> Result<Response> {
    page(app, at, id.0, &Now::default()).await
}

/// What a form led to: the store's page, with what was done or what is wrong.
async fn after(app: App, sent: Sent, id: StoreId, done: Result<&str>) -> Result<Response> {
    match done {
        Ok(name) => Ok(sent.at.see(&format!("/stores/{id}?done={name}"))),
        Err(error) => {
            let kept = ["storefront_url", "client_id", "from", "ref_parameter"];
            let told = Told::of(&sent, *error, &kept)?;
            page(app, sent.at, id, &Now { told, ..Now::default() }).await
        }
    }
}

/// Looks at the shop now, and shows what was seen.
pub async fn check(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let work =
        async { connecting::check(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await };
    match work.await {
        Ok((_, Json(AnyConnection::Shopify(looked)))) => {
            let now = Now { looked: Some(looked), ..Now::default() };
            page(app, sent.at, id.0, &now).await
        }
        Ok((_, Json(AnyConnection::Goaffpro(told)))) if told.problem.is_some() => {
            let wrong = told.problem.map(|text| crate::web::pages::form::sentence(&text));
            let told = Told { wrong: wrong.unwrap_or_default(), ..Told::default() };
            page(app, sent.at, id.0, &Now { told, ..Now::default() }).await
        }
        done => after(app, sent, id.0, done.map(|_| "checked")).await,
    }
}

/// Begins the approval in the shop: shows the way there, and gives the browser what ends it.
pub async fn authorize(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let work = async {
        let more: Vec<Value> = sent.get("scopes").split_whitespace().map(Value::from).collect();
        let mut wanted = serde_json::Map::new();
        wanted.insert("optional_scopes".to_owned(), Value::from(more));
        let wanted = MaybeWanted::of(read(&Value::Object(wanted))?);
        connecting::authorize(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), wanted)
            .await
    };
    match work.await {
        Ok(begun) => {
            let told = parse(std::str::from_utf8(&begun.body).unwrap_or_default());
            let url = told.ok().and_then(|told| told.get("url")?.as_str().map(str::to_owned));
            let now = Now { approve: url, ..Now::default() };
            let mut shown = page(app, sent.at, id.0, &now).await?;
            let cookies = begun.headers.into_iter().filter(|(name, _)| *name == "set-cookie");
            cookies.for_each(|(name, value)| shown.push(name, value));
            Ok(shown)
        }
        Err(error) => after(app, sent, id.0, Err(error)).await,
    }
}

/// Changes what opens a shop, or where its links lead.
pub async fn access(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let work = async {
        let names = ["storefront_url", "client_id", "client_secret", "access_token"];
        let fields = names.map(|name| (name, sent.get(name)));
        let changes = Body(body(&fields)?);
        api::update(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), changes).await
    };
    let done = work.await.map(|_| "saved");
    after(app, sent, id.0, done).await
}

/// Sets what is set of a store on GoAffPro.
pub async fn settings(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let work = async {
        let mut told = serde_json::Map::new();
        for name in ["access_token", "ref_parameter"] {
            if !sent.get(name).is_empty() {
                told.insert(name.to_owned(), Value::from(sent.get(name)));
            }
        }
        let from = Some(sent.get("orders_from")).filter(|text| !text.is_empty());
        told.insert("orders_from".to_owned(), from.map_or(Value::Null, Value::from));
        let changes = Body(read(&Value::Object(told))?);
        goaffpro::update(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), changes).await
    };
    let done = work.await.map(|_| "saved");
    after(app, sent, id.0, done).await
}

/// Makes a new secret for a shop whose own server reports its orders, and shows it this once.
pub async fn rotate(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let work =
        async { custom::rotate(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await };
    match work.await {
        Ok((_, Json(made))) => {
            let now = Now { secret: Some(made.signing_secret), ..Now::default() };
            page(app, sent.at, id.0, &now).await
        }
        Err(error) => after(app, sent, id.0, Err(error)).await,
    }
}

/// Fetches the orders from before the store was connected.
pub async fn backfill(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let work = async {
        let asked = Body(body(&[("from", sent.get("from"))])?);
        completeness::begin(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), asked).await
    };
    let done = work.await.map(|_| "backfill");
    after(app, sent, id.0, done).await
}

/// Lets go of a shop.
pub async fn disconnect(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let work = async {
        if sent.get("sure") != "yes" {
            return Err(Error::refused("not-sure", "tick the box if you mean it"));
        }
        connecting::disconnect(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await
    };
    let done = work.await.map(|_| "disconnected");
    after(app, sent, id.0, done).await
}

#[derive(Template)]
#[template(path = "brand/stores/snippet.html")]
struct Snippet<'a> {
    home: &'a str,
    name: String,
    store: StoreView,
    snippet: SnippetView,
}

/// The storefront snippet, to copy, and where it goes.
pub async fn snippet(State(app): State<App>, at: At, id: ItemId<Store>) -> Result<Response> {
    let state = || State(app.clone());
    let Json(store) = api::show(state(), at.seat.caller()?, PathId(id.0)).await?;
    let Json(snippet) = snippet::show(state(), at.seat.caller()?, PathId(id.0)).await?;
    let name = wording::name(&store);
    let content = Snippet { home: &at.home, name, store, snippet };
    at.render((StatusCode::OK, "Storefront snippet", Area::Stores), &at.csrf(&app), &content)
}
