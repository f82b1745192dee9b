//! Conditions of automations: a filter that the deal has to fit when something happens.

use crate::app::App;
use crate::domain::filter::{Now, parse};
use crate::domain::ids::{BrandId, DealId};
use crate::error::{Error, Result};
use crate::storage::{brands, filter};

/// Reads conditions, and writes them as they are stored: '' for none.
///
/// # Errors
/// 422 with the place and what was expected there.
pub fn read(text: &str) -> Result<String> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let read = parse(text).map_err(|error| Error::invalid("conditions", error))?;
    Ok(read.to_string())
}

/// Those of these deals that fit, as things are now.
///
/// # Errors
/// 503.
pub async fn fitting(
    app: &App,
    brand: BrandId,
    conditions: &str,
    deals: &[DealId],
) -> Result<Vec<DealId>> {
    let Some(stored) = brands::find(app.db(), brand, app.now_ms()).await? else {
        return Ok(Vec::new());
    };
    // What was stored was read before; what can't be read any more fits nothing.
    let Ok(filter) = parse(conditions) else { return Ok(Vec::new()) };
    let zone = &stored.brand.timezone;
    let now = Now { today: zone.day(app.now_ms()), zone, currency: stored.brand.currency };
    Ok(filter::fitting(app.db(), brand, &filter, now, deals).await?)
}
