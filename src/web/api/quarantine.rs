//! Deliveries of stores that could not be used.

use crate::app::App;
use crate::domain::creator::normal_email;
use crate::domain::ids::{BrandId, QuarantineId, Quarantined, StoreId};
use crate::domain::json::json;
use crate::domain::order::Delivery;
use crate::error::{Error, Result};
use crate::jobs::order::{self, Ingested, Overflow};
use crate::jobs::privacy;
use crate::partners::shopify::{Parsed, parse};
use crate::storage::quarantine::{self, QuarantinedRow, StoredQuarantined};
use crate::storage::rows::from_json;
use crate::web::extract::{Caller, Params, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::view::{List, Time};

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
pub async fn list(
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
        Ok(Parsed::News(_) | Parsed::Discount(_) | Parsed::Collection(_) | Parsed::Irrelevant) => {
            Ok(("irrelevant", None))
        }
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
