//! Outgoing webhooks: where a brand has events told, and what became of each.

use http::StatusCode;

use crate::app::App;
use crate::domain::hooks::EVENTS;
use crate::domain::ids::{BrandId, Endpoint, EndpointId};
use crate::domain::json::json;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::jobs::hooks::{event_id, refused};
use crate::partners::signed;
use crate::storage::hooks::{
    self as rows, DeliveryRow, DeliveryState, EndpointRow, EndpointState, NewEndpoint,
};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::view;

use super::view::{List, Time};

/// The secret before signs so long too.
const OLD_SECRET_MS: Millis = 24 * 3_600_000;

words!(EndpointState { "active" => Active, "paused" => Paused });

view! {
    /// Where events are told.
    #[schema(as = WebhookEndpoint)]
    pub struct EndpointView {
        id: EndpointId,
        url: String,
        /// Which types; all if there is none.
        events: Vec<String>,
        description: String,
        /// `active` or `paused`.
        state: &'static str,
        /// Why: `by_hand`, `failing` (nothing arrived for three days), `gone` (it answered 410).
        #[schema(required)]
        paused_because: Option<String>,
        /// Since when nothing that was tried arrived.
        #[schema(required)]
        failing_since: Option<Time>,
        /// Until when the secret before the last change signs too.
        #[schema(required)]
        previous_secret_until: Option<Time>,
        created_at: Time,
    }
}

fn view(row: EndpointRow, now_ms: Millis) -> EndpointView {
    EndpointView {
        id: row.id,
        url: row.url,
        events: row.events,
        description: row.description,
        state: match row.state {
            EndpointState::Active => "active",
            EndpointState::Paused => "paused",
        },
        paused_because: Some(row.paused).filter(|why| !why.is_empty()),
        failing_since: row.failing_since_ms.map(Time),
        previous_secret_until: row.previous_until_ms.filter(|until| *until > now_ms).map(Time),
        created_at: Time(row.created_at_ms),
    }
}

/// What is noted: an address may hold a secret, so its host stands for it.
fn noted(view: &EndpointView) -> String {
    let host = view.url.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', '?']).next().unwrap_or_default();
    json!({ "host": host, "events": view.events, "description": view.description,
        "state": view.state })
}

view! {
    /// A new endpoint with its secret, which is shown only here.
    pub struct CreatedEndpoint {
        endpoint: EndpointView,
        /// `whsec_…`, as Standard Webhooks has it.
        secret: String,
    }
}

view! {
    /// A new secret of an endpoint, which is shown only here.
    pub struct EndpointSecret {
        endpoint_id: EndpointId,
        /// `whsec_…`
        secret: String,
        /// Until when the one before signs too.
        previous_until: Time,
    }
}

body! {
    /// A new endpoint.
    pub struct NewEndpointBody {
        /// `https://` at a public host name, without a port, a user or a fragment.
        url: String,
        /// Which types are told; absent or empty: all.
        events: Option<Vec<String>>,
        description: Option<String>,
    }
}

body! {
    /// What to change of an endpoint; what is absent stays.
    pub struct EndpointChanges {
        url: Option<String>,
        events: Option<Vec<String>>,
        description: Option<String>,
        /// `active` sends on, what waits first.
        state: Option<EndpointState>,
    }
}

view! {
    /// An event on its way to an endpoint, or there.
    #[schema(as = WebhookDelivery)]
    pub struct DeliveryView {
        /// The event's name: its `webhook-id`.
        id: String,
        sequence: i64,
        /// What it tells.
        event: String,
        /// `waiting`, `delivered` or `failed` (given up).
        state: &'static str,
        tries: u32,
        /// What was answered last.
        #[schema(required)]
        last_status: Option<u16>,
        /// Why that doesn't count.
        #[schema(required)]
        last_error: Option<String>,
        created_at: Time,
        #[schema(required)]
        last_tried_at: Option<Time>,
        #[schema(required)]
        delivered_at: Option<Time>,
        /// Not before, while it waits.
        #[schema(required)]
        next_try_at: Option<Time>,
    }
}

fn delivery_view(brand: BrandId, row: DeliveryRow) -> DeliveryView {
    let waits = row.state == DeliveryState::Waiting;
    DeliveryView {
        id: event_id(brand, row.sequence),
        sequence: row.sequence,
        event: row.kind,
        state: match row.state {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        },
        tries: row.tries,
        last_status: row.status,
        last_error: Some(row.error).filter(|why| !why.is_empty()),
        created_at: Time(row.created_at_ms),
        last_tried_at: row.last_tried_at_ms.map(Time),
        delivered_at: row.delivered_at_ms.map(Time),
        // What is due at once has no time yet.
        next_try_at: Some(row.due_at_ms.max(row.created_at_ms)).filter(|_| waits).map(Time),
    }
}

/// The types, each once, in the order of the catalogue.
fn types(checks: &mut Checks, wanted: &[String]) -> Vec<String> {
    if wanted.iter().any(|one| !EVENTS.contains(&one.as_str())) {
        checks.refuse("events", &format!("must be of: {}", EVENTS.join(", ")));
    }
    let named = |event: &&str| wanted.iter().any(|one| one == event);
    EVENTS.into_iter().filter(|event| named(event)).map(str::to_owned).collect()
}

async fn address(app: &App, checks: &mut Checks, url: &str) -> Result<()> {
    if let Some(why) = refused(app, url).await? {
        checks.refuse("url", why);
    }
    Ok(())
}

fn described(checks: &mut Checks, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    checks.text("description", text, 200).unwrap_or_default()
}

async fn find(app: &App, brand: BrandId, id: EndpointId) -> Result<EndpointRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

/// A new secret and how it is kept.
fn secret(app: &App, id: EndpointId) -> Result<(String, String)> {
    let secret = signed::secret(app.random());
    let sealed = app.config.data_key.seal(&id.to_string(), secret.as_bytes(), app.random());
    let fault = || Error::Internal("a secret can't be sealed".to_owned());
    Ok((secret, sealed.ok_or_else(fault)?))
}

/// Has events told to an address, signed with a secret that is shown only here.
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks",
    request_body = NewEndpointBody, security(("api_key" = ["admin"])),
    responses((status = 201, body = CreatedEndpoint),
    (status = 409, description = "The brand has 20 endpoints")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(new): Body<NewEndpointBody>,
) -> Result<(StatusCode, Json<CreatedEndpoint>)> {
    caller.stepped_up(&app)?;
    let mut checks = Checks::default();
    address(&app, &mut checks, &new.url).await?;
    let events = types(&mut checks, &new.events.unwrap_or_default());
    let description = described(&mut checks, &new.description.unwrap_or_default());
    checks.done()?;
    let (id, now_ms) = (app.new_id(), app.now_ms());
    let (secret, sealed) = secret(&app, id)?;
    let insert = NewEndpoint {
        id,
        url: &new.url,
        events: &json!(events),
        description: &description,
        secret_sealed: &sealed,
    };
    let insert = rows::insert(caller.brand, &insert, now_ms);
    let endpoint = EndpointView {
        id,
        url: new.url,
        events,
        description,
        state: "active",
        paused_because: None,
        failing_since: None,
        previous_secret_until: None,
        created_at: Time(now_ms),
    };
    let note = caller.note(&app, "webhook_endpoint.create", id, None, Some(noted(&endpoint)));
    app.db().run(vec![insert, note]).await.map_err(|error| {
        if error.is_constraint("webhook_endpoints_most") {
            return Error::refused(
                "too-many-endpoints",
                "a brand has 20 webhook endpoints at most",
            );
        }
        error.into()
    })?;
    Ok((StatusCode::CREATED, Json(CreatedEndpoint { endpoint, secret })))
}

/// The brand's endpoints.
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks",
    security(("api_key" = ["admin"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<EndpointView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    params: Params,
) -> Result<Json<List<EndpointView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let (found, now_ms) = (rows::list(app.db(), caller.brand, &page).await?, app.now_ms());
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(row, now_ms))))
}

/// One endpoint.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{id}", tag = "webhooks",
    security(("api_key" = ["admin"])), params(("id" = EndpointId, Path)),
    responses((status = 200, body = EndpointView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Endpoint>,
) -> Result<Json<EndpointView>> {
    Ok(Json(view(find(&app, caller.brand, id.0).await?, app.now_ms())))
}

/// Changes an endpoint, pauses it or has it go on. While it is paused nothing is kept for it; what waited
/// before is sent when it goes on.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{id}", tag = "webhooks",
    request_body = EndpointChanges, security(("api_key" = ["admin"])),
    params(("id" = EndpointId, Path)), responses((status = 200, body = EndpointView)))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Endpoint>,
    Body(changes): Body<EndpointChanges>,
) -> Result<Json<EndpointView>> {
    caller.stepped_up(&app)?;
    let mut row = find(&app, caller.brand, id.0).await?;
    let now_ms = app.now_ms();
    let before = noted(&view(row.clone(), now_ms));
    let mut checks = Checks::default();
    if let Some(url) = changes.url {
        address(&app, &mut checks, &url).await?;
        row.url = url;
    }
    if let Some(events) = changes.events {
        row.events = types(&mut checks, &events);
    }
    if let Some(text) = changes.description {
        row.description = described(&mut checks, &text);
    }
    checks.done()?;
    match changes.state {
        Some(EndpointState::Active) => {
            (row.state, row.paused) = (EndpointState::Active, String::new())
        }
        Some(EndpointState::Paused) if row.state == EndpointState::Active => {
            (row.state, row.paused) = (EndpointState::Paused, "by_hand".to_owned());
        }
        Some(EndpointState::Paused) | None => (),
    }
    let change = rows::change(caller.brand, &row, &json!(row.events), now_ms);
    let after = noted(&view(row, now_ms));
    let note = caller.note(&app, "webhook_endpoint.update", id.0, Some(before), Some(after));
    app.db().run(vec![change, note]).await?;
    app.note_hooks(caller.brand);
    Ok(Json(view(find(&app, caller.brand, id.0).await?, now_ms)))
}

/// Removes an endpoint, with its log and what waits for it.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{id}", tag = "webhooks",
    security(("api_key" = ["admin"])), params(("id" = EndpointId, Path)),
    responses((status = 200, body = EndpointView)))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Endpoint>,
) -> Result<Json<EndpointView>> {
    caller.stepped_up(&app)?;
    let shown = view(find(&app, caller.brand, id.0).await?, app.now_ms());
    let note = caller.note(&app, "webhook_endpoint.delete", id.0, Some(noted(&shown)), None);
    app.db().run(vec![rows::delete(caller.brand, id.0), note]).await?;
    Ok(Json(shown))
}

/// Gives an endpoint a new secret. For 24 hours the one before signs beside it; one before that doesn't.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/secret", tag = "webhooks",
    security(("api_key" = ["admin"])), params(("id" = EndpointId, Path)),
    responses((status = 201, body = EndpointSecret)))]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Endpoint>,
) -> Result<(StatusCode, Json<EndpointSecret>)> {
    caller.stepped_up(&app)?;
    let row = find(&app, caller.brand, id.0).await?;
    let until_ms = app.now_ms() + OLD_SECRET_MS;
    let (secret, sealed) = secret(&app, row.id)?;
    let change = rows::rotate(caller.brand, row.id, &sealed, until_ms);
    let note = caller.note(&app, "webhook_endpoint.rotate_secret", row.id, None, None);
    app.db().run(vec![change, note]).await?;
    let previous_until = Time(until_ms);
    let made = EndpointSecret { endpoint_id: row.id, secret, previous_until };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Sends an endpoint an event of the type `webhook.test`, after the answer.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/test", tag = "webhooks",
    security(("api_key" = ["admin"])), params(("id" = EndpointId, Path)),
    responses((status = 201, body = DeliveryView),
    (status = 409, description = "The endpoint is paused")))]
pub async fn test(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Endpoint>,
) -> Result<(StatusCode, Json<DeliveryView>)> {
    let row = active(&app, caller.brand, id.0).await?;
    let mut batch = rows::test(caller.brand, row.id, app.now_ms()).to_vec();
    batch.push(caller.note(&app, "webhook_endpoint.test", row.id, None, None));
    app.db().run(batch).await?;
    app.note_hooks(caller.brand);
    let last = rows::deliveries(app.db(), caller.brand, row.id, (i64::MAX >> 10, 1)).await?;
    let last = last.into_iter().next().ok_or(Error::NotFound)?;
    Ok((StatusCode::CREATED, Json(delivery_view(caller.brand, last))))
}

async fn active(app: &App, brand: BrandId, id: EndpointId) -> Result<EndpointRow> {
    let row = find(app, brand, id).await?;
    if row.state == EndpointState::Paused {
        return Err(Error::refused("endpoint-paused", "this endpoint is paused: resume it first"));
    }
    Ok(row)
}

/// What was told to an endpoint in 30 days, and what waits; latest first.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{id}/deliveries", tag = "webhooks",
    security(("api_key" = ["admin"])), params(("id" = EndpointId, Path),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<DeliveryView>)))]
pub async fn deliveries(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Endpoint>,
    params: Params,
) -> Result<Json<List<DeliveryView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let row = find(&app, caller.brand, id.0).await?;
    let before = match page.after.as_str() {
        "" => i64::MAX >> 10,
        text => text.parse().map_err(|_| Error::invalid("cursor", "is none of this list"))?,
    };
    let brand = caller.brand;
    let found = rows::deliveries(app.db(), brand, row.id, (before, page.limit)).await?;
    let key = |row: &DeliveryRow| row.sequence.to_string();
    Ok(Json(List::page(found, &page, key, |row| delivery_view(brand, row))))
}

/// The endpoint and the delivery in the path.
pub struct DeliveryPath {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The event's name.
    pub delivery: String,
}

impl Extract for DeliveryPath {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(endpoint) = PathId::<Endpoint>::extract(call)?;
        Ok(Self { endpoint, delivery: call.second.to_owned() })
    }
}

/// Sends an event again, also one that arrived, under the same id.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/deliveries/{delivery_id}/resend",
    tag = "webhooks", security(("api_key" = ["admin"])), params(("id" = EndpointId, Path),
    ("delivery_id" = String, Path)), responses((status = 200, body = DeliveryView),
    (status = 409, description = "The endpoint is paused")))]
pub async fn resend(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    at: DeliveryPath,
) -> Result<Json<DeliveryView>> {
    let (brand, id) = (caller.brand, at.endpoint);
    let sequence = at.delivery.rsplit('_').next().and_then(|text| text.parse::<u32>().ok());
    let sequence = i64::from(sequence.ok_or(Error::NotFound)?);
    if event_id(brand, sequence) != at.delivery {
        return Err(Error::NotFound.into());
    }
    rows::delivery(app.db(), brand, id, sequence).await?.ok_or(Error::NotFound)?;
    active(&app, brand, id).await?;
    let mut batch = rows::resend(brand, id, sequence, app.now_ms()).to_vec();
    batch.push(caller.note(&app, "webhook_endpoint.resend", &at.delivery, None, None));
    app.db().run(batch).await?;
    app.note_hooks(brand);
    let row = rows::delivery(app.db(), brand, id, sequence).await?.ok_or(Error::NotFound)?;
    Ok(Json(delivery_view(brand, row)))
}
