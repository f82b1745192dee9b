//! Orders and refunds that a shop's own server reports: with an API key, or signed by the store.
//!
//! They go the way of webhooks (`jobs/order`): the same report twice is one, and refunds may come before
//! their orders.

use http::StatusCode;

use crate::app::App;
use crate::domain::attribution::Method;
use crate::domain::creator::normal_email;
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::link::percent_decode;
use crate::domain::order::{Delivery, Facts, order_id};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::jobs::order::{self as orders, Ingested};
use crate::partners::signed::{self, Headers};
use crate::storage::{orders as rows, stores};
use crate::web::body::parse_body;
use crate::web::extract::{Body, Caller, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::view;
use crate::web::memory::StoreSecrets;
use crate::web::webhooks::{Known, authenticate};

use super::conversion_facts::{self as facts, NewConversion, NewConversionRefund};
use super::custom::is_custom;
use super::orders::OrderView;

view! {
    /// What became of a report.
    pub struct Conversion {
        /// `committed`, or `unchanged`: everything in it was known, or is older than what is.
        outcome: &'static str,
        /// The order; null while only a refund of it is known.
        #[schema(required)]
        order: Option<OrderView>,
        /// How its deal was found; null if it has none.
        #[schema(required)]
        attribution: Option<Method>,
    }
}

type Answer = Result<(StatusCode, Json<Conversion>)>;

/// Reports an order, whole, as it is now; again whenever something changed.
#[utoipa::path(post, path = "/v1/conversions", tag = "conversions", request_body = NewConversion,
    security(("api_key" = ["deals"]), ("api_key" = ["conversions"])),
    responses((status = 201, body = Conversion, description = "The order is new"),
    (status = 200, body = Conversion, description = "It was known"),
    (status = 409, description = "The store's orders come from its platform")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Conversions>,
    Body(new): Body<NewConversion>,
) -> Answer {
    let store = named(&app, caller.brand, new.store_id.as_deref()).await?;
    report(&app, caller.brand, store, new, None).await
}

/// Reports a refund of an order, which may come later.
#[utoipa::path(post, path = "/v1/conversions/{external_id}/refunds", tag = "conversions",
    request_body = NewConversionRefund,
    security(("api_key" = ["deals"]), ("api_key" = ["conversions"])),
    params(("external_id" = String, Path, description = "The shop's own id of the order")),
    responses((status = 201, body = Conversion, description = "The refund is new"),
    (status = 200, body = Conversion, description = "It was known"),
    (status = 409, description = "The store's orders come from its platform")))]
pub async fn refund(
    State(app): State<App>,
    caller: Caller<may::Conversions>,
    ExternalId(external_id): ExternalId,
    Body(new): Body<NewConversionRefund>,
) -> Answer {
    let store = named(&app, caller.brand, new.store_id.as_deref()).await?;
    give_back(&app, caller.brand, store, &external_id, &new).await
}

/// As `POST /v1/conversions`, signed with the store's secret as Standard Webhooks tells it.
#[utoipa::path(post, path = "/webhooks/custom/{id}/conversions", tag = "conversions",
    request_body = NewConversion,
    params(("id" = StoreId, Path), ("webhook-id" = String, Header),
    ("webhook-timestamp" = String, Header), ("webhook-signature" = String, Header)),
    responses((status = 201, body = Conversion, description = "The order is new"),
    (status = 200, body = Conversion, description = "It was known"),
    (status = 401, description = "Any doubt about store, secret, signature or time")))]
pub async fn create_signed(State(app): State<App>, signed: Signed) -> Answer {
    let Known { store, brand, .. } = signed.verified(&app).await?;
    let new: NewConversion = parse_body(&signed.body)?;
    same_store(store, new.store_id.as_deref())?;
    report(&app, brand, store, new, signed.at_ms()).await
}

/// As `POST /v1/conversions/{external_id}/refunds`, signed.
#[utoipa::path(post, path = "/webhooks/custom/{id}/conversions/{external_id}/refunds",
    tag = "conversions", request_body = NewConversionRefund,
    params(("id" = StoreId, Path), ("external_id" = String, Path), ("webhook-id" = String, Header),
    ("webhook-timestamp" = String, Header), ("webhook-signature" = String, Header)),
    responses((status = 201, body = Conversion, description = "The refund is new"),
    (status = 200, body = Conversion, description = "It was known"),
    (status = 401, description = "Any doubt about store, secret, signature or time")))]
pub async fn refund_signed(State(app): State<App>, signed: Signed) -> Answer {
    let Known { store, brand, .. } = signed.verified(&app).await?;
    let external_id = facts::shop_id(&signed.external_id);
    let external_id = external_id.map_err(|wrong| Error::invalid("external_id", wrong))?;
    let new: NewConversionRefund = parse_body(&signed.body)?;
    same_store(store, new.store_id.as_deref())?;
    give_back(&app, brand, store, &external_id, &new).await
}

/// The shop's own id in a path that has no other.
pub struct ExternalId(String);

impl Extract for ExternalId {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let read = facts::shop_id(&percent_decode(call.id));
        read.map(Self).map_err(|wrong| Error::invalid("external_id", wrong))
    }
}

/// A request that a store may have signed: nothing of it is looked at before that is certain.
pub struct Signed {
    store: String,
    external_id: String,
    id: String,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

impl Extract for Signed {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let header = |name: &str| call.request.header(name).unwrap_or_default().to_owned();
        Ok(Self {
            store: call.id.to_owned(),
            external_id: percent_decode(call.second),
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body: call.request.body.to_vec(),
        })
    }
}

impl Signed {
    /// When it was signed; certain once it is verified.
    fn at_ms(&self) -> Option<Millis> {
        self.timestamp.parse::<Millis>().ok()?.checked_mul(1000)
    }

    /// The store that signed it.
    async fn verified(&self, app: &App) -> Result<Known> {
        let headers =
            Headers { id: &self.id, timestamp: &self.timestamp, signature: &self.signature };
        let fits = |secrets: &StoreSecrets, now_ms| {
            secrets.custom && signed::verify(&self.body, headers, &secrets.live(now_ms), now_ms)
        };
        let known = authenticate(app, &self.store, &fits).await?;
        if known.closed { Err(Error::Unauthenticated.into()) } else { Ok(known) }
    }
}

/// The brand's custom store that a body names.
async fn named(app: &App, brand: BrandId, store: Option<&str>) -> Result<StoreId> {
    let id = store.ok_or_else(|| Error::invalid("store_id", "missing field `store_id`"))?;
    let id: StoreId = id.parse().map_err(|wrong| Error::invalid("store_id", wrong))?;
    let row = stores::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?;
    is_custom(&row)?;
    Ok(row.id)
}

/// A signed body may name the store once more.
fn same_store(store: StoreId, told: Option<&str>) -> Result<()> {
    let other = told.is_some_and(|told| told.parse() != Ok(store));
    if other { Err(Error::invalid("store_id", "must be the store that signed")) } else { Ok(()) }
}

async fn report(
    app: &App,
    brand: BrandId,
    store: StoreId,
    new: NewConversion,
    signed_ms: Option<Millis>,
) -> Answer {
    let known = known(app, brand, store, &new.external_id).await?;
    let hash = |address: &str| app.config.data_key.email_hash(brand, &normal_email(address));
    let delivery = facts::order(new, known.as_ref(), (signed_ms, app.now_ms()), &hash)?;
    let is_new = known.is_none_or(|facts| facts.snapshot.is_none());
    take(app, brand, store, &delivery, is_new).await
}

async fn give_back(
    app: &App,
    brand: BrandId,
    store: StoreId,
    external_id: &str,
    new: &NewConversionRefund,
) -> Answer {
    let known = known(app, brand, store, external_id).await?;
    let delivery = facts::refund(new, external_id, known.as_ref())?;
    let is_new = known.is_none_or(|facts| facts.refunds.get(&new.id).is_none());
    take(app, brand, store, &delivery, is_new).await
}

/// What is known of the order so far.
async fn known(
    app: &App,
    brand: BrandId,
    store: StoreId,
    external_id: &str,
) -> Result<Option<Facts>> {
    let found = rows::facts(app.db(), brand, order_id(store, external_id)).await?;
    Ok(found.map(|kept| kept.facts))
}

/// Commits a report and tells what the order is now.
async fn take(
    app: &App,
    brand: BrandId,
    store: StoreId,
    delivery: &Delivery,
    is_new: bool,
) -> Answer {
    let done = orders::ingest(app, brand, store, delivery).await;
    // Many may report one order at a time: whoever lost too often comes back, as when D1 is away.
    let done = done.map_err(|_| Error::Unavailable("the report could not be kept just now"))?;
    let outcome = match done {
        Ingested::Committed | Ingested::Noted(_) => "committed",
        Ingested::Unchanged => "unchanged",
        Ingested::Unusable(why) => return Err(Error::refused("unusable", why)),
    };
    let id = order_id(store, &delivery.external_id);
    let row = rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?;
    let winner = row.decision()?.and_then(|decision| decision.winner);
    let told = row.placed_at_ms.is_some();
    let currency = super::brand::find(app, brand).await?.brand.currency;
    let answer = Conversion {
        outcome,
        order: told.then(|| super::orders::view(row, currency)),
        attribution: winner.map(|winner| winner.method),
    };
    let created = is_new && outcome == "committed";
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(answer)))
}
