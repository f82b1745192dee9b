//! New ledger entries become leaves of the brand's Merkle tree, so that sealing never slows an
//! order down.

use crate::app::App;
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::domain::merkle::check::leaf_hash;
use crate::domain::merkle::tiles::{self, Growth};
use crate::domain::merkle::{Frontier, leaf};
use crate::error::{Error, Result};
use crate::storage::DbError;
use crate::storage::ledger::{self as books, EntryRow};
use crate::storage::proofs;

/// So many entries are read at once.
const PAGE: i64 = 2000;
/// After so many pages there is a head, whatever follows: verification goes from head to head.
const PAGES: usize = 8;
/// So many heads are made for a brand in one run: a request may make 1,000 queries.
const MAX_HEADS: usize = 50;

/// Seals every brand's new entries; tells how many.
///
/// # Errors
/// [`Error`] if D1 was away; the next run goes on.
pub async fn seal_all(app: &App) -> Result<i64> {
    super::for_every_brand(app, |app, brand| Box::pin(seal_brand(app, brand))).await
}

async fn seal_brand(app: &App, brand: BrandId) -> Result<i64> {
    let sealed = books::head(app.db(), brand).await?.map_or(0, |head| head.size);
    // A tree from before there were tiles gets them first.
    let size = proofs::tiled(app.db(), brand).await?;
    let edge = proofs::tiles(app.db(), brand, &tiles::needed(&[], size)).await?;
    let mut growth = Growth::of(size, edge);
    let mut handled = 0;
    for _ in 0..MAX_HEADS {
        let before = entries_in(&growth);
        let goal = if before < sealed { sealed } else { i64::MAX >> 11 };
        let more = grow(app, brand, &mut growth, goal).await?;
        let size = entries_in(&growth);
        if size == before {
            break;
        }
        let mut batch = vec![proofs::put_tiles(brand, &growth.changed())];
        if size > sealed {
            let (root, roots) = growth.head().ok_or_else(|| broken("a tile is missing"))?;
            let frontier = Frontier::new(growth.size(), &roots);
            batch.push(books::seal(brand, &frontier, root, app.now_ms()));
            let (was, is) = (json!({ "size": before.max(sealed) }), json!({ "size": size }));
            let what = ("seal_ledger", "ledger.seal");
            batch.push(super::noted(app, Some(brand), what, Some(was), Some(is)));
            handled += size - before;
        }
        match app.db().run(batch).await {
            Ok(_) => (),
            // Another run sealed the same entries.
            Err(DbError::Constraint(_)) => break,
            Err(error) => return Err(error.into()),
        }
        if !more && size >= sealed {
            break;
        }
    }
    Ok(handled)
}

fn entries_in(growth: &Growth) -> i64 {
    i64::try_from(growth.size()).unwrap_or(i64::MAX)
}

fn broken(what: &str) -> Box<Error> {
    Error::Internal(format!("the ledger's tree: {what}")).into()
}

/// Appends the entries that follow, some pages of them, up to a sequence; whole transactions only.
/// Tells whether there may be more.
async fn grow(app: &App, brand: BrandId, growth: &mut Growth, up_to: i64) -> Result<bool> {
    let salt_key = app.config.data_key.subkey("ledger-salt", Some(brand));
    for _ in 0..PAGES {
        let mut entries = books::entries(app.db(), brand, entries_in(growth), up_to, PAGE).await?;
        let full = i64::try_from(entries.len()).is_ok_and(|n| n >= PAGE);
        if full {
            whole_transactions(&mut entries);
        }
        for entry in &entries {
            // Sequences have no gaps: the leaf's index tells its entry.
            if entry.sequence != entries_in(growth) + 1 {
                return Err(broken(&format!("gap before entry {}", entry.sequence)));
            }
            let content = leaf(&salt_key, entry.sequence, &entry.canonical(brand));
            growth.push(leaf_hash(&content));
        }
        if !full {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Drops the last transaction of a full page, which may go on beyond it.
fn whole_transactions(entries: &mut Vec<EntryRow>) {
    let last = entries.last().map_or(0, |entry| entry.txn);
    let whole = entries.iter().take_while(|entry| entry.txn != last).count();
    if whole > 0 {
        entries.truncate(whole);
    }
}
