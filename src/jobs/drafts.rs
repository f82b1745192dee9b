//! Drafts of payouts by the brand's schedule: never approvals.

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::error::{Error, Result};
use crate::storage::{DbError, brands, payouts as rows};
use crate::web::api::payouts::{drafted, insertion};
use crate::web::extract::{By, note};

/// Makes the drafts that are due of every brand; tells how many.
///
/// # Errors
/// [`Error`] if D1 was away: the next run makes them.
pub async fn draft_due(app: &App) -> Result<i64> {
    super::for_every_brand(app, |app, brand| Box::pin(draft_brand(app, brand))).await
}

/// All drafts of a day in one batch, with a row that there can be one of.
async fn draft_brand(app: &App, brand: BrandId) -> Result<i64> {
    let Some(stored) = brands::find(app.db(), brand, app.now_ms()).await? else { return Ok(0) };
    let Some(schedule) = &stored.schedule else { return Ok(0) };
    let now_ms = app.now_ms();
    let Some(due) = schedule.due(stored.brand.timezone.day(now_ms)) else { return Ok(0) };
    if rows::ran(app.db(), brand, due).await? {
        return Ok(0);
    }
    let currencies = match &schedule.currencies {
        Some(currencies) => currencies.clone(),
        None => rows::currencies(app.db(), brand).await?,
    };
    let by = By { actor: Actor::Job("draft_payouts"), request_id: "" };
    let mut batch = vec![rows::run(brand, due, now_ms)];
    let mut handled = 0;
    for currency in currencies {
        let drafted = match drafted(app, &stored, currency, None).await {
            Ok(drafted) => drafted,
            // Nobody is to be paid: no draft.
            Err(error) if matches!(*error, Error::Refused { .. }) => continue,
            Err(error) => return Err(error),
        };
        let (id, view, insert) = insertion(app, &stored, currency, &drafted);
        batch.extend(insert);
        let subject = id.to_string();
        batch.push(note(app, brand, &by, "payout.draft", &subject, None, Some(view)));
        handled += 1;
    }
    let told = Some(json!({ "due_on": due.to_iso(), "drafts": handled }));
    batch.push(note(app, brand, &by, "payout.schedule", &brand.to_string(), None, told));
    match app.db().run(batch).await {
        Ok(_) => Ok(handled),
        // Another run made them.
        Err(DbError::Constraint(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
