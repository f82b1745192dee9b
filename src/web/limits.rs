//! Limits as handlers use them.

use serde_json::json;

use crate::app::App;
use crate::domain::limit::seconds;
use crate::domain::time::Millis;
use crate::error::{Error, Result};

/// Counts an attempt of `subject` (`sign-in/<address>`: what is limited, and for whom).
///
/// # Errors
/// 429 if there were `limit` in the running period; 503 if nobody can tell.
pub async fn take(app: &App, subject: &str, limit: u32, period_ms: Millis) -> Result<()> {
    match app.limits.take(subject, limit, period_ms).await {
        Ok(None) => Ok(()),
        Ok(Some(wait_ms)) => Err(Error::TooMany(seconds(wait_ms))),
        Err(detail) => {
            app.log.write(&json!({ "event": "limit_unknown", "detail": detail }));
            Err(Error::Unavailable("attempts can't be counted just now"))
        }
    }
}
