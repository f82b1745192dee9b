//! Stores on GoAffPro: connecting one, what is set of it, and what it says of orders beside ours.

use http::StatusCode;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::{BrandId, DealId, OrderId, Store, StoreId};
use crate::domain::json::json;
use crate::domain::micros::Micros;
use crate::domain::money::Money;
use crate::domain::secret::same_secret;
use crate::domain::task::Kind;
use crate::error::{Error, Result};
use crate::jobs::goaffpro::{self as work, Api, Checked};
use crate::jobs::outbox::put;
use crate::jobs::shopify::{Failed, broken, token_context};
use crate::partners::goaffpro::{id, rows as listed};
use crate::partners::trouble::Trouble;
use crate::storage::goaffpro::{self as rows, Compared, NewStore, OtherStore, Settings};
use crate::storage::store_access::{self, AccessRow, State as Reached};
use crate::storage::stores as all_stores;
use crate::web::body::{FromJson, Wrong, body};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, view};
use crate::web::mail::tell_lost;
use crate::web::normal_host;

use super::affiliates::NumberedPath;
use super::stores::{NewStoreBody, StoreView, storefront};
use super::view::{List, Time};

/// A hint is followed at most so often.
const HINT_EVERY_MS: i64 = 60_000;

body! {
    /// A store on GoAffPro to connect.
    pub struct NewGoaffproStore {
        /// `goaffpro`
        platform: String,
        /// The shop that links lead to.
        storefront_url: String,
        /// GoAffPro's access token: Settings → Advanced → API keys.
        access_token: String,
        /// The connected store that tells the same orders itself: then GoAffPro's count as evidence only.
        orders_from: Option<StoreId>,
        /// What the site calls the ref code in an address; `ref` by default.
        ref_parameter: Option<String>,
    }
}

/// A shop to connect, by its platform.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum AnyStore {
    /// One on GoAffPro.
    Goaffpro(NewGoaffproStore),
    /// Any other.
    Other(NewStoreBody),
}

impl FromJson for AnyStore {
    fn from_json(value: &serde_json::Value) -> std::result::Result<Self, Wrong> {
        match value.get("platform").and_then(serde_json::Value::as_str) {
            Some("goaffpro") => NewGoaffproStore::from_json(value).map(Self::Goaffpro),
            _ => NewStoreBody::from_json(value).map(Self::Other),
        }
    }
    fn placeholder() -> Self {
        Self::Other(NewStoreBody::placeholder())
    }
}

/// Connects a store; nothing is called on the network.
pub(super) async fn create(
    app: &App,
    caller: &Caller<may::Admin>,
    new: NewGoaffproStore,
) -> Result<(StatusCode, Json<StoreView>)> {
    let mut checks = Checks::default();
    let storefront_url = storefront(app, &mut checks, &new.storefront_url).await?;
    let token = token(&mut checks, &new.access_token);
    let parameter = new.ref_parameter.as_deref().unwrap_or("ref");
    let parameter = checks.field("ref_parameter", parameter_name(parameter));
    checks.done()?;
    let (id, storefront_url): (StoreId, String) = (app.new_id(), checked(storefront_url)?);
    if let Some(from) = new.orders_from {
        tells_orders(app, caller.brand, id, from).await?;
    }
    let host = normal_host(storefront_url.split("://").nth(1).unwrap_or_default());
    // Two stores may share a shop: this one is told from it by its platform.
    let domain = format!("goaffpro:{host}");
    let unknown: [u8; 32] = app.random();
    let secret = super::stores::seal(app, id, &crate::domain::merkle::hex(&unknown))?;
    let store = NewStore {
        id,
        domain: &domain,
        storefront_url: &storefront_url,
        secret_sealed: &secret,
        token_sealed: &seal_token(app, id, &checked(token)?)?,
        orders_from: new.orders_from,
        ref_parameter: &checked(parameter)?,
    };
    let mut batch = rows::insert(caller.brand, &store, app.now_ms());
    let row = all_stores::StoreRow {
        id,
        platform: new.platform,
        shop_domain: domain.clone(),
        storefront_url: storefront_url.clone(),
        closed_at_ms: None,
        way: None,
        state: Some(Reached::Created),
        problem: None,
        scopes: None,
        currency: None,
        timezone: None,
        webhooks: None,
        webhook_seen_at_ms: None,
        connected_at_ms: None,
        checked_at_ms: None,
    };
    let view = super::stores::view(app, row);
    batch.push(caller.note(app, "store.create", id, None, Some(json::text(&view))));
    app.db().run(batch).await.map_err(|error| match error {
        error if error.is_constraint("stores.shop_domain") => {
            Error::refused("store-exists", "this shop is connected already")
        }
        error => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(view)))
}

fn token(checks: &mut Checks, text: &str) -> Option<String> {
    let token = checks.text("access_token", text, 500)?;
    let plain = token.bytes().all(|b| b.is_ascii_graphic());
    checks.field(
        "access_token",
        if plain { Ok(token) } else { Err("must be the token as GoAffPro shows it") },
    )
}

fn parameter_name(text: &str) -> std::result::Result<String, &'static str> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let ok = (1..=30).contains(&text.len()) && text.bytes().all(good) && text != "click_id";
    if ok {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 30 letters, digits, - or _, and not click_id")
    }
}

fn seal_token(app: &App, id: StoreId, token: &str) -> Result<String> {
    let sealed = app.config.data_key.seal(&token_context(id), token.as_bytes(), app.random());
    sealed.ok_or_else(|| Error::Internal("a token could not be sealed".to_owned()).into())
}

/// That a store is another one of the brand's that tells orders.
async fn tells_orders(app: &App, brand: BrandId, store: StoreId, from: StoreId) -> Result<()> {
    let others = rows::other_stores(app.db(), brand, store).await?;
    if others.iter().any(|other| other.id == from) {
        return Ok(());
    }
    Err(Error::invalid("orders_from", "must be another store of yours that isn't on GoAffPro"))
}

/// Where GoAffPro may say that something happened: unguessable, and only ever a hint.
#[must_use]
pub(super) fn hook_url(app: &App, store: StoreId) -> String {
    format!("{}/webhooks/goaffpro/{}", app.config.public_origin, hook(app, store))
}

fn hook(app: &App, store: StoreId) -> String {
    let mac = app.config.data_key.keyed_hash("goaffpro-hook", &[&store.to_string()]);
    format!("{store}.{mac}")
}

view! {
    /// A store on GoAffPro: how it is reached, and what is set of it.
    #[schema(as = GoaffproStore)]
    pub struct GoaffproView {
        id: StoreId,
        /// `created`, `connected` or `broken`.
        status: String,
        /// What is in the way, in words.
        #[schema(required)]
        problem: Option<String>,
        /// What was odd about GoAffPro's answers, in words.
        #[schema(required)]
        note: Option<String>,
        #[schema(required)]
        currency: Option<String>,
        /// The host of the shop's website, as GoAffPro tells it.
        #[schema(required)]
        website: Option<String>,
        ref_parameter: String,
        /// The store that tells the same orders itself.
        #[schema(required)]
        orders_from: Option<StoreId>,
        /// The store that seems to: set it as `orders_from` if it does.
        #[schema(required)]
        proposed_orders_from: Option<StoreId>,
        /// GoAffPro may call this when something happened; it is only a hint.
        webhook_url: String,
        /// When it last did; null: never, which is so where GoAffPro's plan has no webhooks.
        #[schema(required)]
        hinted_at: Option<Time>,
        #[schema(required)]
        orders_read_at: Option<Time>,
        /// When ninety days were read again last.
        #[schema(required)]
        swept_at: Option<Time>,
        #[schema(required)]
        affiliates_read_at: Option<Time>,
        #[schema(required)]
        ledger_read_at: Option<Time>,
    }
}

/// A store on GoAffPro with all that is known of it.
struct Known {
    access: AccessRow,
    settings: Settings,
    others: Vec<OtherStore>,
}

pub(super) async fn is_here(app: &App, brand: BrandId, store: StoreId) -> Result<()> {
    rows::settings(app.db(), brand, store).await?.map(drop).ok_or_else(|| Error::NotFound.into())
}

async fn known(app: &App, brand: BrandId, store: StoreId) -> Result<Known> {
    let settings = rows::settings(app.db(), brand, store).await?.ok_or(Error::NotFound)?;
    let access = store_access::find(app.db(), brand, store).await?.ok_or(Error::NotFound)?;
    let others = rows::other_stores(app.db(), brand, store).await?;
    Ok(Known { access, settings, others })
}

fn shown(app: &App, store: StoreId, known: Known) -> GoaffproView {
    let Known { access, settings, others } = known;
    let words = |text: String| Some(text).filter(|text| !text.is_empty());
    let host = |url: &str| normal_host(url.split("://").last().unwrap_or_default());
    let bare = |host: &str| host.trim_start_matches("www.").to_owned();
    let same = |other: &&OtherStore| {
        let website = bare(&settings.website);
        !website.is_empty()
            && [bare(&host(&other.storefront_url)), bare(&other.shop_domain)].contains(&website)
    };
    let proposed = others.iter().find(same).map(|other| other.id);
    let status = match access.state {
        Some(Reached::Connected) => "connected",
        Some(Reached::Broken | Reached::Uninstalled) => "broken",
        Some(Reached::Created) | None => "created",
    };
    GoaffproView {
        id: store,
        status: status.to_owned(),
        problem: access.problem.and_then(words),
        note: words(settings.note),
        currency: access.currency,
        website: words(settings.website.clone()),
        ref_parameter: settings.ref_parameter,
        orders_from: settings.orders_from,
        proposed_orders_from: proposed.filter(|id| Some(*id) != settings.orders_from),
        webhook_url: hook_url(app, store),
        hinted_at: settings.hinted_at_ms.map(Time),
        orders_read_at: settings.orders_read_at_ms.map(Time),
        swept_at: settings.swept_at_ms.map(Time),
        affiliates_read_at: settings.affiliates_read_at_ms.map(Time),
        ledger_read_at: settings.ledger_read_at_ms.map(Time),
    }
}

/// What is set and known of a store on GoAffPro.
#[utoipa::path(get, path = "/v1/stores/{id}/goaffpro", tag = "stores", security(("api_key" = ["read"])),
    params(("id" = StoreId, Path)), responses((status = 200, body = GoaffproView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Store>,
) -> Result<Json<GoaffproView>> {
    let known = known(&app, caller.brand, id.0).await?;
    Ok(Json(shown(&app, id.0, known)))
}

body! {
    /// What to set of a store on GoAffPro; what is absent stays.
    pub struct GoaffproChanges {
        access_token: Option<String>,
        /// null: GoAffPro's orders are orders of their own.
        orders_from: Option<Option<StoreId>>,
        ref_parameter: Option<String>,
    }
}

/// Sets what is given. Another store that tells the orders makes all of them be looked at again.
#[utoipa::path(patch, path = "/v1/stores/{id}/goaffpro", tag = "stores", request_body = GoaffproChanges,
    security(("api_key" = ["admin"])), params(("id" = StoreId, Path)),
    responses((status = 200, body = GoaffproView)))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Store>,
    Body(changes): Body<GoaffproChanges>,
) -> Result<Json<GoaffproView>> {
    caller.stepped_up(&app)?;
    let (brand, store) = (caller.brand, id.0);
    let before = known(&app, brand, store).await?;
    let mut checks = Checks::default();
    let token = changes.access_token.as_deref().and_then(|text| token(&mut checks, text));
    let parameter = changes.ref_parameter.as_deref();
    let parameter = parameter.and_then(|text| checks.field("ref_parameter", parameter_name(text)));
    checks.done()?;
    if let Some(Some(from)) = changes.orders_from {
        tells_orders(&app, brand, store, from).await?;
    }
    let mut batch = vec![rows::set(brand, store, parameter.as_deref(), changes.orders_from)];
    if let Some(token) = &token {
        batch.push(rows::keep_token(brand, store, &seal_token(&app, store, token)?));
    }
    if changes.orders_from.is_some_and(|from| from != before.settings.orders_from) {
        batch.push(rows::all_due(brand, store, app.now_ms()));
        batch.push(put(&app, brand, store, (Kind::GoaffproSync, "orders"), "{}"));
    }
    let told = |settings: &Settings| json!({ "orders_from": settings.orders_from, "ref_parameter": settings.ref_parameter });
    let mut after = before.settings.clone();
    after.orders_from = changes.orders_from.unwrap_or(after.orders_from);
    after.ref_parameter = parameter.unwrap_or(after.ref_parameter);
    let (old, new) = (
        told(&before.settings),
        json!({ "orders_from": after.orders_from,
        "ref_parameter": after.ref_parameter, "access_token": token.map(|_| "changed") }),
    );
    batch.push(caller.note(&app, "store.update", store, Some(old), Some(new)));
    app.db().run(batch).await?;
    let known = known(&app, brand, store).await?;
    Ok(Json(shown(&app, store, known)))
}

/// Tests the connection, keeps the currency, begins to read, and has GoAffPro hint at what is new where its
/// plan lets it.
pub(super) async fn connect(
    app: &App,
    caller: &Caller<may::Admin>,
    store: StoreId,
) -> Result<GoaffproView> {
    let brand = caller.brand;
    let before = known(app, brand, store).await?.access.changes;
    match work::check(app, brand, store).await {
        Ok(Checked { mut statements, config }) => {
            let told = json!({ "currency": config.currency, "store_name": config.name });
            statements.push(caller.note(app, "store.connect", store, None, Some(told)));
            app.db().run(statements).await?;
            register_hook(app, brand, store).await;
        }
        Err(Failed::Database(error)) => return Err(error.into()),
        Err(Failed::Platform(trouble)) => {
            let told = json!({ "problem": trouble.words() });
            let mut batch = vec![caller.note(app, "store.connect", store, None, Some(told))];
            // Whoever is slow, or asks for patience, still lets us in: that is told, and not kept.
            if matches!(trouble, Trouble::Disconnected(_)) {
                let (words, now_ms) = (trouble.words(), app.now_ms());
                batch.push(broken(brand, (store, before), words, now_ms));
                batch.extend(tell_lost(app, brand, store, words, now_ms).await?);
            }
            app.db().run(batch).await?;
            let mut view = shown(app, store, known(app, brand, store).await?);
            view.problem = Some(trouble.words().to_owned());
            return Ok(view);
        }
    }
    let known = known(app, brand, store).await?;
    Ok(shown(app, store, known))
}

/// Best effort: webhooks are a hint, and not in every plan.
async fn register_hook(app: &App, brand: BrandId, store: StoreId) {
    let url = hook_url(app, store);
    let registered: std::result::Result<bool, Trouble> = async {
        let Ok(api) = Api::open(app, brand, store).await else { return Ok(false) };
        let told = api.get(app, "/v1/admin/webhooks").await?;
        let here = |hook: &serde_json::Value| {
            hook.get("url").and_then(serde_json::Value::as_str) == Some(url.as_str())
        };
        if listed(&told, "webhooks").is_ok_and(|hooks| hooks.iter().any(here)) {
            return Ok(true);
        }
        let body = json!({ "topic": "orders/after", "url": url });
        let made = api.post(app, "/v1/admin/webhooks", &body).await?;
        Ok(id(&made, "id").is_some())
    }
    .await;
    if !matches!(registered, Ok(true)) {
        app.log.write(&json!({ "event": "goaffpro_without_hints", "store": store }));
    }
}

/// The token in the address that GoAffPro was told.
pub struct Hook(String);

impl Extract for Hook {
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self(call.id.to_owned()))
    }
}

/// A hint that something happened: new orders are looked for soon. What it says isn't read.
#[utoipa::path(post, path = "/webhooks/goaffpro/{id}", tag = "stores",
    params(("id" = String, Path)),
    responses((status = 204, description = "Also where it is ignored"), (status = 404)))]
pub async fn hint(State(app): State<App>, told: Hook) -> Result<crate::web::message::Response> {
    let store = told.0.split('.').next().and_then(|store| store.parse::<StoreId>().ok());
    let store = store.ok_or(Error::NotFound)?;
    if !same_secret(&hook(&app, store), &told.0) {
        return Err(Error::NotFound.into());
    }
    let found = all_stores::secrets(app.db(), store).await?.ok_or(Error::NotFound)?;
    let brand = found.brand_id;
    let access = store_access::find(app.db(), brand, store).await?;
    let reached = access.is_some_and(|access| {
        access.state == Some(Reached::Connected) && access.closed_at_ms.is_none()
    });
    // Whoever knows the address can't make us ask GoAffPro more often than this.
    let subject = format!("goaffpro-hint/{store}");
    if reached && matches!(app.limits.take(&subject, 1, HINT_EVERY_MS).await, Ok(None)) {
        let soon = put(&app, brand, store, (Kind::GoaffproSync, "orders"), "{}");
        app.db().run(vec![rows::hinted(brand, store, app.now_ms()), soon]).await?;
    }
    Ok(crate::web::message::Response::new(StatusCode::NO_CONTENT, "text/plain", Vec::new()))
}

view! {
    /// What GoAffPro says an order earns, beside what it earns here. Amounts are decimal texts, GoAffPro's with
    /// the decimals that it told.
    #[schema(as = GoaffproFigure)]
    pub struct FigureView {
        affiliate_id: Option<String>,
        /// `open`, `approved`, `rejected` or `gone`.
        status: String,
        /// What GoAffPro computes commission from.
        subtotal: String,
        #[schema(required)]
        commission: Option<String>,
        /// What it earns here; null while it is no order here.
        #[schema(required)]
        ours: Option<String>,
        /// Ours less GoAffPro's.
        #[schema(required)]
        difference: Option<String>,
    }
}

fn figure(told: &Compared) -> FigureView {
    let money = told.commission_minor.zip(told.currency);
    let ours = money.map(|(minor, currency)| Money::new(minor, currency));
    let difference = ours.zip(told.commission).map(|(ours, theirs)| Micros::from(ours) - theirs);
    FigureView {
        affiliate_id: told.affiliate_id.clone(),
        status: told.status.clone(),
        subtotal: told.subtotal.to_string(),
        commission: told.commission.map(|amount| amount.to_string()),
        ours: ours.map(Money::to_decimal),
        difference: difference.map(|amount| amount.to_string()),
    }
}

/// What GoAffPro says of an order, if it does.
pub(super) async fn figure_of(
    app: &App,
    brand: BrandId,
    order: OrderId,
) -> Result<Option<FigureView>> {
    Ok(rows::of_order(app.db(), brand, order).await?.as_ref().map(figure))
}

view! {
    /// An order as GoAffPro tells it, beside ours.
    #[schema(as = ComparedOrder)]
    pub struct ComparedView {
        external_id: String,
        number: String,
        placed_at: Time,
        /// `new`, `ours`, `matched` (evidence for another store's order), `waiting` (for that order to come)
        /// or `held` (another store tells an order of the same name placed within three days, so that it earns
        /// nothing here: set `orders_from` if that is the same shop, or say that it is `another_order`).
        state: String,
        /// The brand said that it is another order than any of another store.
        another_order: bool,
        /// Which order here.
        #[schema(required)]
        order_id: Option<OrderId>,
        #[schema(required)]
        deal_id: Option<DealId>,
        figure: FigureView,
    }
}

fn beside_ours(told: Compared) -> ComparedView {
    ComparedView {
        figure: figure(&told),
        external_id: told.external_id,
        number: told.number,
        placed_at: Time(told.placed_at_ms),
        state: told.standing,
        another_order: told.another,
        order_id: told.order_id,
        deal_id: told.deal_id,
    }
}

body! {
    /// What the brand says of an order that GoAffPro tells.
    pub struct ComparedChanges {
        /// true: it counts by itself, whatever other stores tell; false: it is held back where one tells the same.
        another_order: bool,
    }
}

/// Says whether an order is another one than any that another store tells; it is looked at again within a
/// minute.
#[utoipa::path(patch, path = "/v1/stores/{id}/comparison/{external_id}", tag = "stores",
    request_body = ComparedChanges, security(("api_key" = ["deals"])),
    params(("id" = StoreId, Path), ("external_id" = String, Path)),
    responses((status = 200, body = ComparedView)))]
pub async fn say(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    at: NumberedPath,
    Body(changes): Body<ComparedChanges>,
) -> Result<Json<ComparedView>> {
    let (brand, store, id) = (caller.brand, at.store, at.number.as_str());
    let find = || rows::compared_one(app.db(), brand, store, id);
    let before = find().await?.ok_or(Error::NotFound)?;
    let another = changes.another_order;
    if before.another == another {
        return Ok(Json(beside_ours(before)));
    }
    let told = |another| json!({ "external_id": id, "another_order": another });
    let (old, new) = (Some(told(before.another)), Some(told(another)));
    let batch = vec![
        rows::say_another(brand, store, id, another, app.now_ms()),
        put(&app, brand, store, (Kind::GoaffproSync, "orders"), "{}"),
        caller.note(&app, "store.compare", store, old, new),
    ];
    app.db().run(batch).await?;
    Ok(Json(beside_ours(find().await?.ok_or(Error::NotFound)?)))
}

/// GoAffPro's orders beside ours. With `differs=true` only those whose commission differs: a page may then
/// have fewer than `limit`.
#[utoipa::path(get, path = "/v1/stores/{id}/comparison", tag = "stores", security(("api_key" = ["read"])),
    params(("id" = StoreId, Path), ("state" = Option<String>, Query), ("differs" = Option<bool>, Query),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<ComparedView>)))]
pub async fn compare(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Store>,
    params: Params,
) -> Result<Json<List<ComparedView>>> {
    let params = params.only(&["state", "differs", "limit", "cursor"])?;
    is_here(&app, caller.brand, id.0).await?;
    let standing = params.get("state");
    if standing.is_some_and(|s| !["new", "ours", "matched", "waiting", "held"].contains(&s)) {
        return Err(Error::invalid("state", "must be new, ours, matched, waiting or held"));
    }
    let differs = match params.get("differs") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid("differs", "must be true or false")),
    };
    let page = params.page()?;
    let found = rows::compared(app.db(), caller.brand, id.0, &page, standing).await?;
    let mut list = List::page(found, &page, |told| told.external_id.clone(), beside_ours);
    if differs {
        let same = |figure: &FigureView| figure.difference.as_deref() == Some("0.00");
        list.keep(|told| !same(&told.figure));
    }
    Ok(Json(list))
}
