//! Stores and the deliveries of theirs that could not be used.

use http::StatusCode;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::creator::normal_email;
use crate::domain::ids::{BrandId, QuarantineId, Quarantined, Store, StoreId};
use crate::domain::json::json;
use crate::domain::link::parse_origin;
use crate::domain::order::Delivery;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::jobs::order::{self, Ingested, Overflow};
use crate::jobs::privacy;
use crate::partners::shopify::{Parsed, parse};
use crate::storage::brands;
use crate::storage::quarantine::{self, QuarantinedRow, StoredQuarantined};
use crate::storage::rows::from_json;
use crate::storage::stores::{self as rows, NewStore, StoreRow};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};
use crate::web::normal_host;

use super::view::{List, Time};

/// The old secret is accepted for so long after a change: Shopify may sign with it for an hour.
const OLD_SECRET_MS: Millis = 3_600_000;

view! {
    /// A connected shop.
    #[schema(as = Store)]
    pub struct StoreView {
        id: StoreId,
        platform: String,
        shop_domain: String,
        storefront_url: String,
        /// Where the shop delivers its webhooks.
        webhook_url: String,
        status: String,
    }
}

fn view(app: &App, row: StoreRow) -> StoreView {
    StoreView {
        webhook_url: format!("{}/webhooks/shopify/{}", app.config.public_origin, row.id),
        id: row.id,
        platform: row.platform,
        shop_domain: row.shop_domain,
        storefront_url: row.storefront_url,
        // Nothing is called on the network here; the connection says more once it is checked.
        status: if row.closed_at_ms.is_some() { "closed" } else { "created" }.to_owned(),
    }
}

body! {
    /// A shop to connect.
    pub struct NewStoreBody {
        platform: Platform,
        shop_domain: String,
        storefront_url: String,
        client_id: String,
        client_secret: String,
    }
}

/// Shop platforms.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Shopify.
    Shopify,
}

words!(Platform { "shopify" => Shopify });

/// Connects a shop.
#[utoipa::path(post, path = "/v1/stores", tag = "stores", request_body = NewStoreBody,
    security(("api_key" = ["admin"])), responses((status = 201, body = StoreView),
    (status = 409, description = "The brand has this shop already")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(new): Body<NewStoreBody>,
) -> Result<(StatusCode, Json<StoreView>)> {
    caller.stepped_up(&app)?;
    let Platform::Shopify = new.platform;
    let mut checks = Checks::default();
    let shop_domain = checks.field("shop_domain", shop_domain(&new.shop_domain));
    let storefront = parse_origin(&new.storefront_url, app.config.local);
    let storefront_url = checks.field("storefront_url", storefront);
    let client_id = checks.text("client_id", &new.client_id, 200);
    let client_secret = checks.text("client_secret", &new.client_secret, 200);
    if let Some(url) = &storefront_url {
        let host = normal_host(url.split("://").nth(1).unwrap_or_default());
        let own = normal_host(app.config.public_origin.split("://").nth(1).unwrap_or_default());
        let same_port = *url == app.config.public_origin;
        let loops = if app.config.local { same_port } else { host == own };
        let serving = brands::host(app.db(), &host).await?.is_some_and(|row| row.state == "active");
        if loops || serving {
            checks.refuse("storefront_url", "must not be a host that links are served on");
        }
    }
    checks.done()?;
    let id: StoreId = app.new_id();
    let (shop_domain, storefront_url) = (checked(shop_domain)?, checked(storefront_url)?);
    let sealed = seal(&app, id, &checked(client_secret)?)?;
    let store = NewStore {
        id,
        shop_domain: &shop_domain,
        storefront_url: &storefront_url,
        client_id: &checked(client_id)?,
        secret_sealed: &sealed,
    };
    let insert = rows::insert(caller.brand, &store, app.now_ms());
    let row = StoreRow {
        id,
        platform: "shopify".to_owned(),
        shop_domain: shop_domain.clone(),
        storefront_url: storefront_url.clone(),
        closed_at_ms: None,
    };
    let view = view(&app, row);
    let note = caller.note(&app, "store.create", id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await.map_err(|error| match error {
        error if error.is_constraint("stores.shop_domain") => {
            Error::refused("store-exists", "this shop is connected already")
        }
        error => error.into(),
    })?;
    app.memory.forget_secrets(id);
    Ok((StatusCode::CREATED, Json(view)))
}

/// `shop.myshopify.com` in small letters (reference: shopify-goaffpro.md section 4).
fn shop_domain(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "must be the shop's name such as casa.myshopify.com";
    let domain = text.trim().to_ascii_lowercase();
    let name = domain.strip_suffix(".myshopify.com").ok_or(WRONG)?;
    let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if name.is_empty() || name.starts_with('-') || name.len() > 100 || !good {
        return Err(WRONG);
    }
    Ok(domain)
}

fn seal(app: &App, id: StoreId, secret: &str) -> Result<String> {
    app.config
        .data_key
        .seal(&id.to_string(), secret.as_bytes(), app.random())
        .ok_or_else(|| Error::Internal("a secret could not be sealed".to_owned()).into())
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

async fn find(app: &App, brand: BrandId, id: StoreId) -> Result<StoreRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

body! {
    /// A store's secret to change.
    pub struct StoreChanges {
        client_secret: String,
    }
}

/// Changes the secret; the old one is accepted for another hour.
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
    let mut checks = Checks::default();
    let secret = checks.text("client_secret", &changes.client_secret, 200);
    checks.done()?;
    let secret = checked(secret)?;
    let present = rows::secrets(app.db(), row.id).await?.ok_or(Error::NotFound)?;
    let key = &app.config.data_key;
    // The same again is no rotation: it must not shorten the life of the secret before it.
    if key.open(&row.id.to_string(), &present.secret_sealed).as_deref() != Some(secret.as_bytes()) {
        let sealed = seal(&app, row.id, &secret)?;
        let now_ms = app.now_ms();
        let until_ms = now_ms + OLD_SECRET_MS;
        let rotate = rows::rotate(caller.brand, row.id, &sealed, until_ms, now_ms);
        let note = caller.note(&app, "store.rotate_secret", row.id, None, None);
        app.db().run(vec![rotate, note]).await?;
    }
    app.memory.forget_secrets(row.id);
    Ok(Json(view(&app, row)))
}

view! {
    /// A delivery that was authentic but unusable.
    #[schema(as = QuarantinedDelivery)]
    pub struct QuarantinedView {
        id: QuarantineId,
        store_id: StoreId,
        /// Why it could not be used.
        reason: String,
        received_at: Time,
        #[schema(required)]
        replayed_at: Option<Time>,
        /// Its body is still kept, so that it can be replayed.
        replayable: bool,
    }
}

impl From<QuarantinedRow> for QuarantinedView {
    fn from(row: QuarantinedRow) -> Self {
        Self {
            id: row.id,
            store_id: row.store_id,
            reason: row.reason,
            received_at: Time(row.received_at_ms),
            replayed_at: row.replayed_at_ms.map(Time),
            replayable: row.replayable == 1,
        }
    }
}

/// Deliveries that were authentic but unusable.
#[utoipa::path(get, path = "/v1/quarantine", tag = "stores", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<QuarantinedView>)))]
pub async fn quarantine(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<QuarantinedView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = quarantine::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), QuarantinedView::from)))
}

view! {
    /// What a replay did.
    pub struct Replayed {
        id: QuarantineId,
        /// `committed`, `unchanged`, `irrelevant`, or `unusable` as before.
        outcome: &'static str,
        /// Why it is still unusable.
        #[schema(required)]
        reason: Option<String>,
    }
}

/// Takes a quarantined delivery once more, as if it came now.
#[utoipa::path(post, path = "/v1/quarantine/{id}/replay", tag = "stores",
    security(("api_key" = ["admin"])), params(("id" = QuarantineId, Path)),
    responses((status = 200, body = Replayed),
    (status = 409, description = "Replayed before, or its body is gone")))]
pub async fn replay(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Quarantined>,
) -> Result<Json<Replayed>> {
    let found = quarantine::find(app.db(), caller.brand, id.0).await?;
    let row = found.ok_or(Error::NotFound)?;
    let gone =
        || Error::refused("not-replayable", "this delivery was replayed or is not kept any more");
    let sealed = row.body.as_deref().ok_or_else(gone)?;
    let key = &app.config.data_key;
    if !key.holds_key_of(sealed) {
        return Err(Error::refused("key-retired", "the key that seals this delivery was retired"));
    }
    let (outcome, reason) = match key.open(&row.id.to_string(), sealed) {
        Some(body) => take_body_again(&app, caller.brand, &row, &body).await?,
        None => {
            let facts = key.open(&order::facts_context(row.id), sealed).ok_or_else(gone)?;
            // As text, which is how everything else reads them: one parser less in the module.
            let facts = String::from_utf8(facts).map_err(|_| gone())?;
            let overflow: Overflow = from_json(&facts).ok_or_else(gone)?;
            ingest(&app, caller.brand, row.store_id, &overflow.delivery).await?
        }
    };
    if reason.is_none() {
        let mark = quarantine::mark_replayed(caller.brand, row.id, app.now_ms());
        let done = json!({ "outcome": outcome });
        let note = caller.note(&app, "quarantine.replay", row.id, None, Some(done));
        app.db().run(vec![mark, note]).await?;
    }
    Ok(Json(Replayed { id: row.id, outcome, reason }))
}

/// A body as it came is read again.
async fn take_body_again(
    app: &App,
    brand: BrandId,
    row: &StoredQuarantined,
    body: &[u8],
) -> Result<(&'static str, Option<String>)> {
    let key = &app.config.data_key;
    let hash_email = |address: &str| key.email_hash(brand, &normal_email(address));
    match parse(body, app.now_ms(), &hash_email) {
        Ok(Parsed::Delivery(delivery)) => ingest(app, brand, row.store_id, &delivery).await,
        Ok(Parsed::Privacy(request)) => {
            privacy::take(app, brand, &request).await?;
            Ok(("committed", None))
        }
        // A hint to look: every day it is looked anyway.
        Ok(Parsed::Discount(_) | Parsed::Irrelevant) => Ok(("irrelevant", None)),
        Err(unusable) => Ok(("unusable", Some(unusable.to_string()))),
    }
}

async fn ingest(
    app: &App,
    brand: BrandId,
    store: StoreId,
    delivery: &Delivery,
) -> Result<(&'static str, Option<String>)> {
    Ok(match order::ingest(app, brand, store, delivery).await? {
        Ingested::Committed => ("committed", None),
        Ingested::Unchanged => ("unchanged", None),
        Ingested::Noted(_) => ("committed", None),
        Ingested::Unusable(reason) => ("unusable", Some(reason)),
    })
}
