//! Brings what deals come to, and the copy of it that lists are sorted by, up to date.

use crate::app::App;
use crate::error::Result;
use crate::storage::ranks;

/// So many brands in one run,
const BRANDS: i64 = 50;
/// so many months of deals in one batch,
const MONTHS: i64 = 200;
/// and so many batches of all brands; the next run goes on.
const BATCHES: usize = 100;

/// Adds up what changed. Lists do so for a little themselves before they are read.
///
/// # Errors
/// 503 if D1 is away.
pub async fn rank_all(app: &App) -> Result<i64> {
    let (mut told, mut batches) = (0, 0);
    for brand in ranks::brands(app.db(), BRANDS).await? {
        while batches < BATCHES {
            batches += 1;
            let some = ranks::refresh(app.db(), brand, MONTHS).await?;
            told += some;
            if some < MONTHS {
                break;
            }
        }
    }
    Ok(told)
}
