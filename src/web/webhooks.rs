//! Webhooks of stores: verify → load → decide → commit → 2xx. Acknowledged means committed.
//!
//! Only the body decides: headers are unsigned. Any doubt about the signature, the store or its
//! secret gets the same 401.

use std::sync::Arc;

use http::StatusCode;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::creator::normal_email;
use crate::domain::ids::{BrandId, QuarantineId, StoreId};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::domain::order::Delivery;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::jobs::code_watch;
use crate::jobs::order::{self, Ingested};
use crate::jobs::privacy;
use crate::partners::shopify::{Parsed, parse, verify};
use crate::storage::{quarantine, stores};
use crate::web::memory::{Remembered, StoreSecrets};

/// The largest delivery.
pub const MAX_BODY: usize = 8 * 1024 * 1024;
/// The largest unusable body that is kept: a D1 row holds 2 MB.
const MAX_KEPT_BODY: usize = 1024 * 1024;
/// A failed check reloads a store's secrets at most this often.
const RELOAD_AFTER_MS: Millis = 10_000;

/// The store is told to come back.
const NOT_KEPT: Error = Error::Unavailable("the delivery could not be kept just now");

/// Answers a delivery: 200 when it is committed, known, irrelevant or quarantined.
///
/// # Errors
/// 401 for any doubt, 413, and 503 when it could not be kept: the store comes back then.
pub async fn deliver(
    app: &App,
    store: &str,
    signature: Option<&str>,
    body: &[u8],
) -> Result<StatusCode> {
    if body.len() > MAX_BODY {
        return Err(Error::TooLarge.into());
    }
    let Known { store, brand, closed } = authenticate(app, store, signature, body).await?;
    let hash_email = |address: &str| app.config.data_key.email_hash(brand, &normal_email(address));
    let parsed = parse(body, app.now_ms(), &hash_email);
    if closed && !matches!(parsed, Ok(Parsed::Privacy(_))) {
        return Err(Error::Unauthenticated.into());
    }
    match parsed {
        Ok(Parsed::Privacy(request)) => {
            privacy::take(app, brand, &request).await.map_err(|_| NOT_KEPT)?;
        }
        Ok(Parsed::Delivery(delivery)) => keep(app, brand, store, delivery, body).await?,
        Ok(Parsed::Discount(discount)) => {
            code_watch::hint(app, brand, store, &discount).await.map_err(|_| NOT_KEPT)?;
        }
        Ok(Parsed::Irrelevant) => {
            app.log.write(&json!({ "event": "webhook_irrelevant", "store": store }));
        }
        Err(unusable) => set_aside(app, brand, store, &unusable.to_string(), body).await?,
    }
    Ok(StatusCode::OK)
}

/// A store that a delivery was signed for.
#[derive(Clone, Copy)]
struct Known {
    store: StoreId,
    brand: BrandId,
    /// Its shop asked to be forgotten: it may repeat that, and nothing else.
    closed: bool,
}

/// The store and its brand, if the body is signed with one of the store's live secrets.
async fn authenticate(
    app: &App,
    store: &str,
    signature: Option<&str>,
    body: &[u8],
) -> Result<Known> {
    let store: StoreId = store.parse().map_err(|_| Error::Unauthenticated)?;
    let now_ms = app.now_ms();
    let signed = |secrets: &Option<Arc<StoreSecrets>>| {
        let secrets = secrets.as_ref()?;
        let known = Known { store, brand: secrets.brand, closed: secrets.closed };
        verify(body, signature, &secrets.live(now_ms)).then_some(known)
    };
    let (remembered, at_ms) = app.memory.secrets(store, now_ms);
    let secrets = match remembered {
        Remembered::Fresh(secrets) => secrets,
        Remembered::Stale(secrets) | Remembered::Old(secrets) => {
            load_secrets(app, store).await.unwrap_or(secrets)
        }
        Remembered::Unknown => load_secrets(app, store).await?,
    };
    if let Some(known) = signed(&secrets) {
        return Ok(known);
    }
    // The secret may have changed a moment ago, in another isolate.
    if at_ms > 0 && now_ms - at_ms >= RELOAD_AFTER_MS {
        let secrets = load_secrets(app, store).await.unwrap_or(secrets);
        if let Some(known) = signed(&secrets) {
            return Ok(known);
        }
    }
    Err(Error::Unauthenticated.into())
}

async fn load_secrets(app: &App, store: StoreId) -> Result<Option<Arc<StoreSecrets>>> {
    let row = stores::secrets(app.db(), store).await.map_err(|error| {
        app.log.write(&json!({ "event": "secrets_unread", "detail": error.to_string() }));
        NOT_KEPT
    })?;
    let context = store.to_string();
    let ring = &app.config.data_key;
    let closed = row.as_ref().is_some_and(|row| row.closed_at_ms.is_some());
    if let Some(row) = row.as_ref().filter(|row| !closed && !ring.holds_key_of(&row.secret_sealed))
    {
        // Its key was retired too early: the shop comes back, and with it whoever can mend that.
        app.log.write(&json!({ "event": "unopened", "row": store, "brand": row.brand_id }));
        return Err(NOT_KEPT.into());
    }
    let open = |sealed: &str| ring.open(&context, sealed);
    let secrets = row.and_then(|row| {
        let previous =
            row.previous().into_iter().filter_map(|p| Some((open(&p.sealed)?, p.until_ms)));
        Some(Arc::new(StoreSecrets {
            brand: row.brand_id,
            previous: previous.collect(),
            // Of a closed store nothing: an empty secret fits no signature.
            current: if closed { Vec::new() } else { open(&row.secret_sealed)? },
            closed,
        }))
    });
    app.memory.remember_secrets(store, secrets.clone(), app.now_ms());
    Ok(secrets)
}

/// Commits a delivery, or hands it to the overflow queue when D1 can't take it now.
async fn keep(
    app: &App,
    brand: BrandId,
    store: StoreId,
    delivery: Delivery,
    body: &[u8],
) -> Result<()> {
    match order::ingest(app, brand, store, &delivery).await {
        Ok(Ingested::Unusable(reason) | Ingested::Noted(reason)) => {
            set_aside(app, brand, store, &reason, body).await
        }
        Ok(_) => Ok(()),
        Err(error) => {
            app.log.write(&json!({
                "event": "webhook_overflow", "store": store, "detail": error.to_string(),
            }));
            let message = order::Overflow { brand, store, delivery };
            let text =
                serde_json::to_string(&message).map_err(|e| Error::Internal(e.to_string()))?;
            // A message holds 128 KB; larger ones wait at the store.
            if text.len() > 120_000 {
                return Err(NOT_KEPT.into());
            }
            app.queue.send(text).await.map_err(|_| NOT_KEPT.into())
        }
    }
}

/// Puts an authentic but unusable delivery where the brand sees it.
async fn set_aside(
    app: &App,
    brand: BrandId,
    store: StoreId,
    reason: &str,
    body: &[u8],
) -> Result<()> {
    app.log.write(&json!({ "event": "webhook_quarantined", "store": store, "reason": reason }));
    let id: QuarantineId = app.new_id();
    let sealed = (body.len() <= MAX_KEPT_BODY)
        .then(|| app.config.data_key.seal(&id.to_string(), body, app.random()))
        .flatten();
    let hash = hex(&Sha256::digest(body));
    let new =
        quarantine::NewQuarantined { id, store, reason, body_hash: &hash, body: sealed.as_deref() };
    let insert = quarantine::insert(brand, &new, app.now_ms());
    app.db().run(vec![insert]).await.map(|_| ()).map_err(|_| NOT_KEPT.into())
}
