//! Levels that creators reach. Looked at right after an order that counts, and once an hour for
//! whoever was missed when that failed.

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::json::json;
use crate::domain::tiers::{self, Period, Step};
use crate::domain::time::{Day, Millis, Zone};
use crate::error::Result;
use crate::storage::deals::{self, Start};
use crate::storage::tiers as rows;
use crate::storage::{DbError, brands};
use crate::web::extract::{By, note};

/// Whose orders posted something within two hours is looked at again.
const LATELY_MS: Millis = 2 * 3_600_000;

/// Looks again at who sold lately, of the brands that have tiers; tells how many levels were reached.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away: what was reached stays.
pub async fn climb_all(app: &App) -> Result<i64> {
    super::for_every_brand(app, |app, brand| Box::pin(climb_brand(app, brand))).await
}

async fn climb_brand(app: &App, brand: BrandId) -> Result<i64> {
    let now_ms = app.now_ms();
    let sold = rows::lately(app.db(), brand, now_ms - LATELY_MS).await?;
    if sold.is_empty() {
        return Ok(0);
    }
    let Some(stored) = brands::find(app.db(), brand, now_ms).await? else { return Ok(0) };
    let mut handled = 0;
    for creator in sold {
        handled += climb(app, brand, creator, &stored.brand.timezone).await?;
    }
    Ok(handled)
}

/// Starts the terms of the levels that a creator has reached; tells how many.
///
/// # Errors
/// [`DbError`].
pub async fn climb(
    app: &App,
    brand: BrandId,
    creator: CreatorId,
    zone: &Zone,
) -> Result<i64, DbError> {
    let now_ms = app.now_ms();
    let today = zone.day(now_ms);
    let first = |period| tiers::span(period, today).map_or(Day(0), |(first, _)| first);
    let periods = (first(Period::Month), first(Period::Quarter));
    let mut handled = 0;
    // A step gives its deal other terms, so that another one of the same deal needs a new look.
    for _ in 0..8 {
        let at = rows::standing(app.db(), brand, creator, periods).await?;
        let mut new_id = || app.new_id();
        let reached = at.tiers.iter().flat_map(|tiers| {
            tiers::steps(tiers, &at.deals, &at.sums, &at.reached, (zone, now_ms), &mut new_id)
        });
        let reached: Vec<Step> = reached.collect();
        let mut again = false;
        let mut done = Vec::new();
        for step in reached {
            if done.contains(&step.reached.deal) {
                again = true;
                continue;
            }
            done.push(step.reached.deal);
            handled += i64::from(start(app, brand, &step).await?);
        }
        if !again {
            break;
        }
    }
    Ok(handled)
}

/// Starts one level's terms; whoever came first did the same.
async fn start(app: &App, brand: BrandId, step: &Step) -> Result<bool, DbError> {
    let now_ms = app.now_ms();
    let mut batch = vec![rows::insert_step(brand, step, now_ms)];
    let reason = format!("{} {}", step.reached.tiers, step.name);
    for terms in &step.terms {
        batch.extend(deals::insert_terms(brand, terms, (Start::Soonest, None), &reason, now_ms));
    }
    let by = By { actor: Actor::Job("tiers"), request_id: "" };
    let told = json!({
        "tiers": step.reached.tiers,
        "level": step.name,
        "measured": step.measured,
        "rate_bp": step.terms.first().map(|terms| terms.cited.rate.points()),
    });
    let deal = step.reached.deal.to_string();
    batch.push(note(app, brand, &by, "tiers.reach", &deal, None, Some(told)));
    match app.db().run(batch).await {
        Ok(_) => Ok(true),
        Err(DbError::Constraint(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
