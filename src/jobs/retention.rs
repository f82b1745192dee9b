//! What goes by itself after its time: docs/data.md has the list. How many of what went is noted in
//! the trails of the brands.

use crate::app::App;
use crate::error::Result;
use crate::storage::retention;

/// Lets go of everything whose time is over.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away; the next run does it.
pub async fn sweep(app: &App) -> Result<i64> {
    app.db().run(retention::sweep(app.new_id(), app.now_ms())).await?;
    Ok(1)
}
