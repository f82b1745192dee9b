//! Limits as handlers use them.

use crate::app::App;
use crate::domain::json::json;
use crate::domain::limit::seconds;
use crate::domain::secret::token_hash;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::web::caller::bearer;
use crate::web::message::Request;

/// The cookie of a session.
const SESSION: &str = "__Host-sid";

/// How long a caller who asks too much is told to wait: the limiter counts by so many seconds.
const PAUSE_SECONDS: u32 = 10;

/// The hash of what a request says who sends it by: a token, or a session's cookie.
#[must_use]
pub fn token_of(request: &Request<'_>) -> Option<String> {
    bearer(request).or_else(|| request.cookie(SESSION)).map(token_hash)
}

/// Refuses a caller who asks too much: whoever sends a token that is known here is counted by that,
/// anyone else by the network they come from. Anybody can make tokens up: one that this isolate has
/// never seen counts for its network until it was looked up and is somebody's. The health check is
/// free.
///
/// # Errors
/// 429.
pub async fn throttle(app: &App, request: &Request<'_>) -> Result<()> {
    let token = token_of(request);
    let nowhere = request.network.is_empty();
    let own = token.as_deref().filter(|token| nowhere || app.memory.knows_token(token));
    let caller = own.unwrap_or(request.network);
    if caller.is_empty() || request.path() == "/healthz" || app.throttle.allow(caller).await {
        return Ok(());
    }
    Err(Error::TooMany(PAUSE_SECONDS).into())
}

/// Counts an attempt of `subject` (`sign-in/<address>`: what is limited, and for whom).
///
/// # Errors
/// 429 if there were `limit` in the running period; 503 if nobody can tell.
pub async fn take(app: &App, subject: &str, limit: u32, period_ms: Millis) -> Result<()> {
    #[cfg(feature = "canary")]
    if app.config.canary == Some(crate::app::Canary::NoLimits) {
        return Ok(());
    }
    match app.limits.take(subject, limit, period_ms).await {
        Ok(None) => Ok(()),
        Ok(Some(wait_ms)) => Err(Error::TooMany(seconds(wait_ms)).into()),
        Err(detail) => {
            app.log.write(&json!({ "event": "limit_unknown", "detail": detail }));
            Err(Error::Unavailable("attempts can't be counted just now").into())
        }
    }
}
