//! Brings the copy of totals that lists are sorted by up to date.

use crate::app::App;
use crate::error::Result;
use crate::storage::ranks;

/// So many brands in one run,
const BRANDS: i64 = 50;
/// so many deals in one batch,
const DEALS: i64 = 200;
/// and so many batches of a brand; the next run goes on.
const BATCHES: usize = 10;

/// Ranks what changed. Lists do so for a few deals themselves before they are read.
///
/// # Errors
/// 503 if D1 is away.
pub async fn rank_all(app: &App) -> Result<i64> {
    let mut ranked = 0;
    for brand in ranks::brands(app.db(), BRANDS).await? {
        for _ in 0..BATCHES {
            let some = ranks::refresh(app.db(), brand, DEALS).await?;
            ranked += some;
            if some < DEALS {
                break;
            }
        }
    }
    Ok(ranked)
}
