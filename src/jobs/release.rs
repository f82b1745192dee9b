//! Hold periods end: what is pending on a due day becomes available, one posting per creator and
//! day, in a batch for many creators. Until the job comes, reads count due days as available anyway.

use crate::app::App;
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::domain::ledger::{self, Earning, Transaction};
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::ledger::{self as books, DueRow};
use crate::storage::{DbError, brands};

/// So many due amounts are read at once.
const PAGE: i64 = 500;

/// Releases what is due of every brand; tells how many amounts were released.
///
/// # Errors
/// [`Error`] if D1 was away: what was released stays released, the next run goes on.
pub async fn release_all(app: &App) -> Result<i64> {
    super::for_every_brand(app, |app, brand| Box::pin(release_brand(app, brand))).await
}

async fn release_brand(app: &App, brand: BrandId) -> Result<i64> {
    let Some(stored) = brands::find(app.db(), brand, app.now_ms()).await? else { return Ok(0) };
    let today = stored.brand.timezone.day(app.now_ms());
    let mut handled = 0;
    let mut after = String::new();
    loop {
        let due = books::due(app.db(), brand, today, &after, PAGE).await?;
        handled += release_page(app, brand, &due, today).await?;
        match due.last() {
            Some(last) if due.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX) => {
                // A creator cut in half by the page comes whole with the next run.
                after = last.creator_id.to_string();
            }
            _ => return Ok(handled),
        }
    }
}

/// Due days of several creators in one batch. If an order changes one of their balances meanwhile, the
/// CHECKs on balances refuse all of it: then it is tried creator by creator, and the next run does the
/// rest.
async fn release_page(app: &App, brand: BrandId, due: &[DueRow], today: Day) -> Result<i64> {
    if let Some(released) = release(app, brand, due, today).await? {
        return Ok(released);
    }
    let mut released = 0;
    for creator in due.chunk_by(|a, b| a.creator_id == b.creator_id) {
        released += release(app, brand, creator, today).await?.unwrap_or(0);
    }
    Ok(released)
}

/// How many amounts were released; `None` if a balance has changed meanwhile, and nothing was.
async fn release(app: &App, brand: BrandId, due: &[DueRow], today: Day) -> Result<Option<i64>> {
    let mut creators: Vec<_> = due.iter().map(|row| row.creator_id).collect();
    creators.dedup();
    if creators.is_empty() {
        return Ok(Some(0));
    }
    let transactions = transactions(due)?;
    let told = json!({ "amounts": transactions.len(), "creators": creators.len() });
    let batch = vec![
        books::post(brand, &transactions, app.now_ms()),
        books::sweep(brand, &creators, today),
        super::noted(app, Some(brand), ("release_holds", "holds.release"), None, Some(told)),
    ];
    match app.db().run(batch).await {
        Ok(_) => Ok(Some(i64::try_from(transactions.len()).unwrap_or(0))),
        Err(DbError::Constraint(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn transactions(due: &[DueRow]) -> Result<Vec<Transaction>> {
    let mut made = Vec::new();
    for same in due.chunk_by(|a, b| (a.creator_id, a.currency) == (b.creator_id, b.currency)) {
        let mut clawback = same.first().map_or(0, |row| row.clawback_minor);
        for row in same {
            let earning = Earning {
                creator: row.creator_id,
                day: row.day,
                currency: row.currency,
                amount_minor: row.amount_minor,
            };
            let transaction =
                ledger::release(earning, clawback).map_err(|e| Error::Internal(e.to_string()))?;
            clawback = (clawback + row.amount_minor).min(0);
            made.extend(transaction);
        }
    }
    Ok(made)
}
