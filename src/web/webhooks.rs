//! Webhooks of stores: verify → load → decide → commit → 2xx. Acknowledged means committed.
//!
//! Only the body decides: headers are unsigned. Any doubt about the signature, the store or its
//! secret gets the same 401.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

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
use crate::jobs::{collections, connecting, privacy};
use crate::partners::shopify::{News, Parsed, parse, verify};
use crate::storage::store_access::{self, State};
use crate::storage::{privacy as shops, quarantine, stores};
use crate::web::memory::{Remembered, StoreSecrets};

/// The largest delivery.
pub const MAX_BODY: usize = 8 * 1024 * 1024;
/// The largest unusable body that is kept: a D1 row holds 2 MB.
pub const MAX_KEPT_BODY: usize = 1024 * 1024;
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
    let by_shopify = |secrets: &StoreSecrets, now_ms| {
        !secrets.custom && verify(body, signature, &secrets.live(now_ms))
    };
    let known = authenticate(app, store, &by_shopify).await?;
    let Known { store, brand, closed, removed, .. } = known;
    let hash_email = |address: &str| app.config.data_key.email_hash(brand, &normal_email(address));
    let parsed = parse(body, app.now_ms(), &hash_email);
    if closed && !matches!(parsed, Ok(Parsed::Privacy(_))) {
        return Err(Error::Unauthenticated.into());
    }
    match parsed {
        Ok(Parsed::Privacy(request)) => {
            privacy::take(app, brand, &request).await.map_err(|_| NOT_KEPT)?;
        }
        // What still arrives changes nothing, and isn't lost: the brand may replay it.
        Ok(Parsed::Delivery(_)) if removed => {
            set_aside(app, brand, store, "the shop had removed the app when this came", body)
                .await?;
        }
        Ok(Parsed::Delivery(delivery)) => keep(app, brand, store, delivery, body).await?,
        Ok(Parsed::News(news)) => heed(app, known, &news).await?,
        Ok(Parsed::Discount(discount)) => {
            code_watch::hint(app, brand, store, &discount).await.map_err(|_| NOT_KEPT)?;
        }
        Ok(Parsed::Collection(hint)) => {
            collections::hint(app, brand, store, &hint).await.map_err(|_| NOT_KEPT)?;
        }
        Ok(Parsed::Irrelevant) => {
            app.log.write(&json!({ "event": "webhook_irrelevant", "store": store }));
        }
        Err(unusable) => set_aside(app, brand, store, &unusable.to_string(), body).await?,
    }
    if known.seen_anew {
        // Nothing hangs on it: should it fail, the next hour tells.
        let _ = app.db().run(vec![store_access::seen(brand, store, app.now_ms())]).await;
    }
    Ok(StatusCode::OK)
}

/// A shop told something of the app. Anybody may tell as much of a shop by another topic, so the shop
/// is asked whether it is so.
async fn heed(app: &App, known: Known, news: &News) -> Result<()> {
    let Known { store, brand, .. } = known;
    app.log.write(&json!({ "event": "webhook_news", "store": store }));
    // The run of every minute does it: nothing follows the answer to a delivery.
    let app = &app.for_request();
    if !known.reached {
        return Ok(());
    }
    let task = match news {
        News::Scopes => connecting::again(app, brand, store),
        News::Removed(name) => {
            let told = match name {
                Some(name) => shops::store_of(app.db(), brand, name).await.map_err(|_| NOT_KEPT)?,
                None => Some(store),
            };
            if told != Some(store) {
                return Ok(());
            }
            connecting::told_removed(app, brand, store)
        }
    };
    app.db().run(vec![task]).await.map(drop).map_err(|_| NOT_KEPT.into())
}

/// A store that a delivery was signed for.
#[derive(Clone, Copy)]
pub struct Known {
    /// Which.
    pub store: StoreId,
    /// Whose.
    pub brand: BrandId,
    /// Its shop asked to be forgotten: it may repeat that, and nothing else.
    pub closed: bool,
    /// Its shop removed the app.
    removed: bool,
    /// It was tried to reach its shop.
    reached: bool,
    /// That it delivers is to be stored.
    seen_anew: bool,
}

/// The store and its brand, if `fits` says so of the store's secrets at this time.
///
/// # Errors
/// 401 for any doubt, 503 if nobody can tell.
pub async fn authenticate(
    app: &App,
    store: &str,
    fits: &(dyn Fn(&StoreSecrets, Millis) -> bool + Sync),
) -> Result<Known> {
    let store: StoreId = store.parse().map_err(|_| Error::Unauthenticated)?;
    let now_ms = app.now_ms();
    let signed = |secrets: &Option<Arc<StoreSecrets>>| {
        let secrets = secrets.as_ref()?;
        fits(secrets, now_ms).then(|| Known {
            store,
            brand: secrets.brand,
            closed: secrets.closed,
            removed: secrets.removed,
            reached: secrets.seen_at_ms.is_some(),
            seen_anew: secrets.is_seen_anew(now_ms),
        })
    };
    let (remembered, at_ms) = app.memory.secrets(store, now_ms);
    let secrets = match remembered {
        // Nothing is set aside because of what was so a moment ago; and nobody without a signature makes
        // us look.
        Remembered::Fresh(Some(secrets)) if secrets.removed && fits(&secrets, now_ms) => {
            load_secrets(app, store).await.unwrap_or(Some(secrets))
        }
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
            removed: row.state == Some(State::Uninstalled),
            seen_at_ms: row.state.map(|_| AtomicI64::new(row.webhook_seen_at_ms.unwrap_or(0))),
            custom: row.platform == "custom",
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
