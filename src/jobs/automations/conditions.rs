//! Conditions of automations: a filter that the deal has to fit.

use crate::app::App;
use crate::domain::ids::{BrandId, DealId};
use crate::error::{Error, Result};

/// Reads conditions, and writes them as they are stored.
///
/// # Errors
/// 422 with what is wrong.
pub fn read(text: &str) -> Result<String> {
    match text.trim() {
        "" => Ok(String::new()),
        _ => Err(Error::invalid("conditions", "aren't there yet")),
    }
}

/// Those of these deals that fit.
///
/// # Errors
/// 503.
pub async fn fitting(_: &App, _: BrandId, _: &str, deals: &[DealId]) -> Result<Vec<DealId>> {
    Ok(deals.to_vec())
}
