//! Stores and the deliveries of theirs that could not be used.

use http::StatusCode;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::{BrandId, Store, StoreId};
use crate::domain::json::json;
use crate::domain::link::parse_origin;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::jobs::connecting;
use crate::jobs::shopify::sealed_text;
use crate::partners::shopify::shop_name;
use crate::storage::store_access::{self, AccessRow, State as Reached, Way};
use crate::storage::stores::{self as rows, NewStore, StoreRow};
use crate::storage::{DbError, Statement, brands, privacy as shops};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, ToJson, view};
use crate::web::normal_host;

use super::goaffpro::{self, AnyStore};
use super::view::{List, Time};

/// The old secret is accepted for so long after a change: Shopify may sign with it for an hour.
const OLD_SECRET_MS: Millis = 3_600_000;

view! {
    /// A shop, and how it is reached. Its secrets and tokens are never shown.
    #[schema(as = Store)]
    pub struct StoreView {
        id: StoreId,
        platform: String,
        /// Of a custom store its name.
        shop_domain: String,
        storefront_url: String,
        /// Where the shop delivers its webhooks; of a custom store where its server reports orders.
        webhook_url: String,
        /// `created` (nobody tried), `connected`, `broken` (something must be changed), `uninstalled`
        /// (the shop removed the app) or `closed` (it asked to be forgotten).
        status: String,
        /// What is in the way, in words.
        #[schema(required)]
        problem: Option<String>,
        /// Shopify: `client_credentials`, `access_token` or `authorization`.
        #[schema(required)]
        way: Option<String>,
        /// What the shop granted, as of the last look.
        scopes: Vec<String>,
        /// What it has to grant more; null until it was looked at.
        #[schema(required)]
        missing_scopes: Option<Vec<String>>,
        /// The shop's own currency.
        #[schema(required)]
        currency: Option<String>,
        /// The shop's time zone.
        #[schema(required)]
        timezone: Option<String>,
        /// Which topics it delivers here, as of the last look.
        #[schema(value_type = Vec<HookView>)]
        webhooks: Listed,
        /// When a delivery was last verified, up to an hour late.
        #[schema(required)]
        webhook_seen_at: Option<Time>,
        /// When it was first reached.
        #[schema(required)]
        connected_at: Option<Time>,
        /// When it was last looked at.
        #[schema(required)]
        checked_at: Option<Time>,
        /// What a custom store signs with, told when it is made; null ever after.
        #[schema(required)]
        pub(super) signing_secret: Option<String>,
    }
}

view! {
    /// A topic that a shop should deliver.
    #[schema(as = StoreWebhook)]
    pub struct HookView {
        /// `ORDERS_CREATE`
        topic: String,
        /// `registered`, `missing` (it will be tried again) or `refused`.
        state: String,
        /// Why it isn't registered.
        #[schema(required)]
        reason: Option<String>,
    }
}

/// A JSON list as it is stored.
pub struct Listed(String);

impl Listed {
    /// As it is stored.
    #[must_use]
    pub fn as_text(&self) -> &str {
        &self.0
    }
}

impl ToJson for Listed {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
}

/// Names between spaces, one by one.
pub fn split(names: &str) -> Vec<String> {
    names.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// How a store stands, by its name in the API.
pub fn status(closed: bool, state: Option<Reached>) -> &'static str {
    if closed { "closed" } else { state.unwrap_or(Reached::Created).name() }
}

/// Where what is reported of a store's orders goes.
fn hook_url(app: &App, row: &StoreRow) -> String {
    match row.platform.as_str() {
        "custom" => {
            format!("{}/webhooks/custom/{}/conversions", app.config.public_origin, row.id)
        }
        "goaffpro" => goaffpro::hook_url(app, row.id),
        _ => connecting::webhook_url(app, row.id).1,
    }
}

pub(super) fn view(app: &App, row: StoreRow) -> StoreView {
    let shopify = row.platform == "shopify";
    let webhook_url = hook_url(app, &row);
    let scopes = row.scopes.unwrap_or_default();
    let missing = || connecting::missing(&scopes).into_iter().map(str::to_owned).collect();
    StoreView {
        webhook_url,
        signing_secret: None,
        id: row.id,
        platform: row.platform,
        shop_domain: row.shop_domain,
        storefront_url: row.storefront_url,
        status: status(row.closed_at_ms.is_some(), row.state).to_owned(),
        problem: row.problem.filter(|problem| !problem.is_empty()),
        way: shopify.then(|| row.way.unwrap_or(Way::Client).name().to_owned()),
        missing_scopes: (shopify && row.state == Some(Reached::Connected)).then(missing),
        scopes: split(&scopes),
        currency: row.currency,
        timezone: row.timezone,
        webhooks: Listed(row.webhooks.unwrap_or_else(|| "[]".to_owned())),
        webhook_seen_at: row.webhook_seen_at_ms.map(Time),
        connected_at: row.connected_at_ms.map(Time),
        checked_at: row.checked_at_ms.map(Time),
    }
}

body! {
    /// A shop to connect: with the client credentials of the brand's own app, or with the token and the
    /// API secret key of an old custom app.
    pub struct NewStoreBody {
        platform: Platform,
        /// Shopify: the shop's name such as casa.myshopify.com.
        shop_domain: Option<String>,
        storefront_url: String,
        /// Shopify: the app's client id; an old custom app may leave it out.
        client_id: Option<String>,
        /// Shopify: the app's client secret, or the API secret key of an old custom app: it signs webhooks.
        client_secret: Option<String>,
        /// Shopify: the Admin API access token of an old custom app.
        access_token: Option<String>,
        /// Custom: what the brand calls it; absent: its host.
        name: Option<String>,
    }
}

/// Shop platforms.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Shopify.
    Shopify,
    /// Any other shop, whose own server reports its orders.
    Custom,
}

words!(Platform { "shopify" => Shopify, "custom" => Custom });

/// Connects a shop, or one anew that was closed or removed the app: it keeps its id and all that is
/// known of it. Nothing is called on the network.
#[utoipa::path(post, path = "/v1/stores", tag = "stores", request_body = AnyStore,
    security(("api_key" = ["admin"])), responses((status = 201, body = StoreView),
    (status = 409, description = "The brand has this shop already")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(new): Body<AnyStore>,
) -> Result<(StatusCode, Json<StoreView>)> {
    caller.stepped_up(&app)?;
    let new = match new {
        AnyStore::Goaffpro(new) => return goaffpro::create(&app, &caller, new).await,
        AnyStore::Other(new) => new,
    };
    if let Platform::Custom = new.platform {
        only_of(&[
            ("shop_domain", &new.shop_domain),
            ("client_id", &new.client_id),
            ("client_secret", &new.client_secret),
            ("access_token", &new.access_token),
        ])?;
        return super::custom::create(&app, &caller, &new.storefront_url, new.name.as_deref())
            .await;
    }
    only_of(&[("name", &new.name)])?;
    let told = |name: &str, text: Option<String>| {
        text.ok_or_else(|| Error::invalid(name, format!("missing field `{name}`")))
    };
    let shop = told("shop_domain", new.shop_domain)?;
    let secret = told("client_secret", new.client_secret)?;
    let mut checks = Checks::default();
    let named = shop_name(shop.trim()).ok_or(NO_SHOP);
    let shop_domain = checks.field("shop_domain", named);
    let storefront_url = storefront(&app, &mut checks, &new.storefront_url).await?;
    let client_id = match (&new.client_id, &new.access_token) {
        (None, Some(_)) => Some(String::new()),
        (told, _) => checks.text("client_id", told.as_deref().unwrap_or_default(), 200),
    };
    let secret = checks.text("client_secret", &secret, 200);
    let token = new.access_token.as_deref().map(|text| token(&mut checks, text));
    checks.done()?;
    let (shop_domain, storefront_url) = (checked(shop_domain)?, checked(storefront_url)?);
    let (client_id, secret) = (checked(client_id)?, checked(secret)?);
    let token = token.map(checked).transpose()?;
    let fresh: StoreId = app.new_id();
    let mut store = NewStore {
        id: fresh,
        platform: "shopify",
        shop_domain: &shop_domain,
        storefront_url: &storefront_url,
        client_id: &client_id,
        secret_sealed: "",
    };
    let way = token.as_ref().map_or(Way::Client, |_| Way::Token);
    let sealed = seal(&app, fresh, &secret)?;
    store.secret_sealed = &sealed;
    let mut batch = vec![rows::insert(caller.brand, &store, app.now_ms())];
    batch.extend(pasted(&app, caller.brand, fresh, token.as_deref())?);
    let row = row_of(&store, way, token.is_some());
    let shown = json::text(&view(&app, row));
    batch.push(caller.note(&app, "store.create", fresh, None, Some(shown)));
    match app.db().run(batch).await {
        Ok(_) => {}
        Err(error) if error.is_constraint("stores.shop_domain") => {
            let found = shops::store_of(app.db(), caller.brand, &shop_domain).await?;
            store.id = found.ok_or(Error::NotFound)?;
            let sealed = seal(&app, store.id, &secret)?;
            let store = NewStore { secret_sealed: &sealed, ..store };
            reopen(&app, &caller, &store, way, token.as_deref()).await?;
            let row = find(&app, caller.brand, store.id).await?;
            return Ok((StatusCode::CREATED, Json(view(&app, row))));
        }
        Err(error) => return Err(error.into()),
    }
    let row = row_of(&store, way, token.is_some());
    Ok((StatusCode::CREATED, Json(view(&app, row))))
}

/// A store as it is before anybody tried to reach it.
pub(super) fn row_of(store: &NewStore<'_>, way: Way, kept: bool) -> StoreRow {
    StoreRow {
        id: store.id,
        platform: store.platform.to_owned(),
        shop_domain: store.shop_domain.to_owned(),
        storefront_url: store.storefront_url.to_owned(),
        closed_at_ms: None,
        way: Some(way),
        state: kept.then_some(Reached::Created),
        problem: None,
        scopes: None,
        currency: None,
        timezone: None,
        webhooks: None,
        webhook_seen_at_ms: None,
        connected_at_ms: None,
        checked_at_ms: None,
    }
}

/// Connects a shop anew that was closed or removed the app; any other is connected already.
async fn reopen(
    app: &App,
    caller: &Caller<may::Admin>,
    store: &NewStore<'_>,
    way: Way,
    token: Option<&str>,
) -> Result<()> {
    let (brand, now_ms) = (caller.brand, app.now_ms());
    let mut batch = vec![
        rows::reopen(brand, store, now_ms + OLD_SECRET_MS, now_ms),
        store_access::reset(brand, store.id, way),
    ];
    batch.extend(pasted(app, brand, store.id, token)?);
    batch.push(caller.note(app, "store.reopen", store.id, None, None));
    app.db().run(batch).await.map_err(|error| match error {
        error if error.is_constraint("stores.secret_sealed") => {
            Error::refused("store-exists", "this shop is connected already")
        }
        error => error.into(),
    })?;
    app.memory.forget_secrets(store.id);
    Ok(())
}

/// What keeps a token that was pasted.
fn pasted(
    app: &App,
    brand: BrandId,
    store: StoreId,
    token: Option<&str>,
) -> Result<Option<Statement>> {
    let Some(token) = token else { return Ok(None) };
    let sealed = sealed_text(app, store, token).ok_or_else(unsealed)?;
    Ok(Some(store_access::paste(brand, store, &sealed)))
}

/// Refuses fields that another platform has.
fn only_of(others: &[(&str, &Option<String>)]) -> Result<()> {
    let other = others.iter().find(|(_, value)| value.is_some());
    other
        .map_or(Ok(()), |(name, _)| Err(Error::invalid(*name, "is nothing that this platform has")))
}

/// The shop may be connected already.
pub(super) fn store_exists(error: DbError) -> Box<Error> {
    match error {
        error if error.is_constraint("stores.shop_domain") => {
            Error::refused("store-exists", "this shop is connected already")
        }
        error => error.into(),
    }
}

const NO_SHOP: &str = "must be the shop's name such as casa.myshopify.com";

/// Where links may lead: a shop's own origin, and nowhere that links are served on.
pub(super) async fn storefront(
    app: &App,
    checks: &mut Checks,
    text: &str,
) -> Result<Option<String>> {
    let storefront_url = checks.field("storefront_url", parse_origin(text, app.config.local));
    let Some(url) = &storefront_url else { return Ok(None) };
    let host = normal_host(url.split("://").nth(1).unwrap_or_default());
    let own = normal_host(app.config.public_origin.split("://").nth(1).unwrap_or_default());
    let same_port = *url == app.config.public_origin;
    let loops = if app.config.local { same_port } else { host == own };
    let serving = brands::host(app.db(), &host).await?.is_some_and(|row| row.state == "active");
    if loops || serving {
        checks.refuse("storefront_url", "must not be a host that links are served on");
    }
    Ok(storefront_url)
}

/// A token travels in a header.
fn token(checks: &mut Checks, text: &str) -> Option<String> {
    let good = (8..=500).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let told = if good { Ok(text.to_owned()) } else { Err("must be an Admin API access token") };
    checks.field("access_token", told)
}

pub(super) fn seal(app: &App, id: StoreId, secret: &str) -> Result<String> {
    let sealed = app.config.data_key.seal(&id.to_string(), secret.as_bytes(), app.random());
    sealed.ok_or_else(unsealed)
}

fn unsealed() -> Box<Error> {
    Error::Internal("a secret could not be sealed".to_owned()).into()
}

/// The brand's stores.
#[utoipa::path(get, path = "/v1/stores", tag = "stores", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<StoreView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<StoreView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(&app, row))))
}

/// One store.
#[utoipa::path(get, path = "/v1/stores/{id}", tag = "stores", security(("api_key" = ["read"])),
    params(("id" = StoreId, Path)), responses((status = 200, body = StoreView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Store>,
) -> Result<Json<StoreView>> {
    Ok(Json(view(&app, find(&app, caller.brand, id.0).await?)))
}

/// A store of the brand.
pub async fn find(app: &App, brand: BrandId, id: StoreId) -> Result<StoreRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

body! {
    /// What changes of a store; what is left out stays.
    pub struct StoreChanges {
        storefront_url: Option<String>,
        /// The brand's own app: its tokens are got anew, by its client credentials.
        client_id: Option<String>,
        /// The old one is accepted for another hour.
        client_secret: Option<String>,
        /// The token of an old custom app, in the place of whatever opened the shop.
        access_token: Option<String>,
    }
}

/// Changes a store's secrets, or where its links lead. A closed store opens again with its secret.
#[utoipa::path(patch, path = "/v1/stores/{id}", tag = "stores", request_body = StoreChanges,
    security(("api_key" = ["admin"])), params(("id" = StoreId, Path)),
    responses((status = 200, body = StoreView)))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Store>,
    Body(changes): Body<StoreChanges>,
) -> Result<Json<StoreView>> {
    caller.stepped_up(&app)?;
    let row = find(&app, caller.brand, id.0).await?;
    match row.platform.as_str() {
        "custom" => {
            let how = "this store's secret is made here: POST /v1/stores/{id}/signing-secret";
            return Err(Error::refused("custom-store", how));
        }
        "goaffpro" => {
            let how = "this store is on GoAffPro: PATCH /v1/stores/{id}/goaffpro";
            return Err(Error::refused("goaffpro-store", how));
        }
        _ => {}
    }
    let StoreChanges { storefront_url, client_id, client_secret, access_token } = changes;
    let mut checks = Checks::default();
    if [&storefront_url, &client_id, &client_secret, &access_token].iter().all(|f| f.is_none()) {
        checks.refuse("client_secret", "nothing is to be changed");
    }
    let url = match storefront_url {
        Some(text) => storefront(&app, &mut checks, &text).await?,
        None => None,
    };
    let client = client_id.and_then(|text| checks.text("client_id", &text, 200));
    let secret = client_secret.and_then(|text| checks.text("client_secret", &text, 200));
    let token = access_token.and_then(|text| token(&mut checks, &text));
    checks.done()?;
    let access = store_access::find(app.db(), caller.brand, row.id).await?;
    let access = access.ok_or(Error::NotFound)?;
    let key = &app.config.data_key;
    // The same again is no rotation: it must not shorten the life of the secret before it.
    let present = key.open(&row.id.to_string(), &access.secret_sealed);
    let secret = secret.filter(|secret| present.as_deref() != Some(secret.as_bytes()));
    // Whoever names an app wants its tokens, even if another way was taken meanwhile.
    let own = access.way.unwrap_or(Way::Client) == Way::Client;
    let client = client.filter(|client| !own || *client != access.client_id);
    let url = url.filter(|url| *url != access.storefront_url);
    let changed = Changed { url, client, secret, token };
    if let Some(action) = changed.action() {
        let mut batch = changed.statements(&app, caller.brand, &access, row.id)?;
        let told = changed.told();
        batch.push(caller.note(&app, action, row.id, None, told));
        app.db().run(batch).await?;
    }
    app.memory.forget_secrets(row.id);
    Ok(Json(view(&app, find(&app, caller.brand, id.0).await?)))
}

/// What really changes of a store.
struct Changed {
    url: Option<String>,
    client: Option<String>,
    secret: Option<String>,
    token: Option<String>,
}

impl Changed {
    /// What it is called in the trail; nothing if nothing changes.
    fn action(&self) -> Option<&'static str> {
        let more = self.url.is_some() || self.client.is_some() || self.token.is_some();
        match (more, &self.secret) {
            (true, _) => Some("store.update"),
            (false, Some(_)) => Some("store.rotate_secret"),
            (false, None) => None,
        }
    }

    /// What the trail tells of it: where links lead, and of what opens the shop only that it changed.
    fn told(&self) -> Option<String> {
        let Self { url, client, secret, token } = self;
        (self.action() == Some("store.update")).then(|| {
            let (app, key, pasted) = (client.is_some(), secret.is_some(), token.is_some());
            json!({ "storefront_url": url, "app_changed": app, "secret_changed": key,
                "token_changed": pasted })
        })
    }

    fn statements(
        &self,
        app: &App,
        brand: BrandId,
        access: &AccessRow,
        id: StoreId,
    ) -> Result<Vec<Statement>> {
        let now_ms = app.now_ms();
        let mut batch = Vec::new();
        if let Some(secret) = &self.secret {
            let sealed = seal(app, id, secret)?;
            batch.push(rows::rotate(brand, id, &sealed, now_ms + OLD_SECRET_MS, now_ms));
        }
        if self.url.is_some() || self.client.is_some() {
            batch.push(rows::change(brand, id, self.url.as_deref(), self.client.as_deref()));
        }
        match (&self.client, &self.secret, &self.token) {
            (_, _, Some(token)) => batch.extend(pasted(app, brand, id, Some(token))?),
            (Some(_), _, None) => batch.push(store_access::reset(brand, id, Way::Client)),
            (None, Some(_), None) => batch.push(store_access::renew(brand, id)),
            (None, None, None) => return Ok(batch),
        }
        // Whoever was connected once is looked at by itself; who never was, when somebody asks.
        if access.state.is_some_and(|state| state != Reached::Created) {
            batch.push(connecting::again(app, brand, id));
        }
        Ok(batch)
    }
}
