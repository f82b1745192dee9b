//! Link domains are served once they are verified: the product asks the domain itself, and only
//! where it reaches the product does it get the right answer.

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::domain::time::{DAY_MS, Millis};
use crate::error::Result;
use crate::storage::{DbError, brands};
use crate::web::extract::{By, note};

/// The path on which a domain proves that it leads here.
pub const PROOF_PATH: &str = ".well-known/tributary";

/// A domain may take a week to lead here.
const PENDING_MS: Millis = 7 * DAY_MS;

/// What a domain must answer: nobody else can know it.
#[must_use]
pub fn proof(app: &App, host: &str) -> String {
    let key = app.config.data_key.subkey(&format!("domain/{host}"), None);
    hex(&key)
}

/// Verifies the domains that wait for it; tells how many became active.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away.
pub async fn verify_pending(app: &App) -> Result<i64> {
    let mut handled = 0;
    let now_ms = app.now_ms();
    app.db().run(brands::expire_pending(now_ms - PENDING_MS, app.new_id(), now_ms)).await?;
    for pending in brands::pending_hosts(app.db()).await? {
        if verify(app, &pending.host).await {
            handled += i64::from(activate(app, pending.brand_id, &pending.host).await?);
        }
    }
    Ok(handled)
}

async fn verify(app: &App, host: &str) -> bool {
    let url = format!("https://{host}/{PROOF_PATH}");
    let answer = app.http.get(&url).await;
    answer.is_ok_and(|body| body.trim() == proof(app, host))
}

/// Serves and hands out the brand's links on the host, if it still waits for that: the brand may have
/// chosen another one while it was asked, or another brand this one.
async fn activate(app: &App, brand: BrandId, host: &str) -> Result<bool> {
    let by = By { actor: Actor::Job("verify_domains"), request_id: "" };
    let told = Some(json!({ "link_domain": host }));
    let mut batch = vec![brands::require_pending(brand, host)];
    batch.extend(brands::use_host(brand, host));
    batch.push(note(app, brand, &by, "domain.activate", &brand.to_string(), None, told));
    match app.db().run(batch).await {
        Ok(_) => app.memory.forget_host(host),
        Err(DbError::Constraint(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}
