//! New ledger entries become leaves of the brand's Merkle tree, so that sealing never slows an
//! order down; and verification recomputes all of it.

use serde::Serialize;

use crate::app::App;
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::domain::merkle::{Frontier, hex, leaf};
use crate::error::{Error, Result};
use crate::storage::DbError;
use crate::storage::ledger::{self as books, SumRow};

/// So many entries are read at once.
const PAGE: i64 = 1000;
/// So many pages are read in one run: a request may make 1,000 queries.
const MAX_PAGES: usize = 900;

/// Seals every brand's new entries; tells how many.
///
/// # Errors
/// [`Error`] if D1 was away; the next run goes on.
pub async fn seal_all(app: &App) -> Result<i64> {
    super::for_every_brand(app, |app, brand| Box::pin(seal_brand(app, brand))).await
}

async fn seal_brand(app: &App, brand: BrandId) -> Result<i64> {
    let head = books::head(app.db(), brand).await?;
    let mut frontier = head.map(|h| h.frontier()).transpose()?.unwrap_or_default();
    let before = frontier.size();
    grow(app, brand, &mut frontier, i64::MAX >> 11).await?;
    if frontier.size() == before {
        return Ok(0);
    }
    let sealed = books::seal(brand, &frontier, app.now_ms());
    let (was, is) = (json!({ "size": before }), json!({ "size": frontier.size() }));
    let note = super::noted(app, Some(brand), ("seal_ledger", "ledger.seal"), Some(was), Some(is));
    match app.db().run(vec![sealed, note]).await {
        Ok(_) => Ok(i64::try_from(frontier.size() - before).unwrap_or(0)),
        // Another run sealed the same entries.
        Err(DbError::Constraint(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Appends entries after the frontier's size, up to a sequence.
async fn grow(app: &App, brand: BrandId, frontier: &mut Frontier, up_to: i64) -> Result<()> {
    let salt_key = app.config.data_key.subkey("ledger-salt", Some(brand));
    for _ in 0..MAX_PAGES {
        let after = i64::try_from(frontier.size()).unwrap_or(i64::MAX);
        let entries = books::entries(app.db(), brand, after, up_to, PAGE).await?;
        for entry in &entries {
            // Sequences have no gaps: the leaf's index tells its entry.
            if entry.sequence != i64::try_from(frontier.size()).unwrap_or(i64::MAX) + 1 {
                return Err(Error::Internal(format!("gap before entry {}", entry.sequence)).into());
            }
            frontier.push(&leaf(&salt_key, entry.sequence, &entry.canonical(brand)));
        }
        if entries.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(())
}

/// So many entries are verified in one request.
const LARGEST_VERIFIED: i64 = 900_000;

/// The latest head of a brand's tree as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Head {
    /// Entries sealed.
    pub size: i64,
    /// Root of the Merkle tree over them, SHA-256 in hex.
    pub root: String,
    /// When it was sealed.
    pub sealed_at: String,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Sums per currency.
    pub sums: Vec<SumRow>,
    /// Every transaction sums to zero, and every balance is the fold of its entries.
    pub balances_match: bool,
    /// The tree recomputed from the entries has the sealed root.
    pub chain_intact: bool,
    /// The sealed head.
    pub head: Option<Head>,
}

/// Recomputes a brand's sums, balances and tree.
///
/// # Errors
/// [`Error`] if D1 was away.
pub async fn verify(app: &App, brand: BrandId) -> Result<Verification> {
    let results = app.db().run(books::checks(brand)).await?;
    let [sums, unbalanced, unfolded] = results.as_slice() else {
        return Err(Error::Internal("three checks".to_owned()).into());
    };
    let sums: Vec<SumRow> = sums.all()?;
    let nothing_off = unbalanced.is_empty() && unfolded.is_empty();
    let entries: i64 = sums.iter().map(|s| s.entries).sum();
    let last = sums.iter().map(|s| s.last).max().unwrap_or(0);
    let head = books::head(app.db(), brand).await?;
    let mut chain_intact = entries == last;
    if head.as_ref().is_some_and(|head| head.size > LARGEST_VERIFIED) {
        return Err(Error::refused(
            "ledger-too-large",
            "the ledger is too large to be verified in one request",
        ));
    }
    if let Some(head) = &head {
        let mut frontier = Frontier::default();
        let grown = grow(app, brand, &mut frontier, head.size).await;
        chain_intact = chain_intact && grown.is_ok() && hex(&frontier.root()) == head.root;
    }
    Ok(Verification {
        balances_match: nothing_off && sums.iter().all(|s| s.sum_minor == 0),
        sums,
        chain_intact,
        head: head.map(|h| Head {
            size: h.size,
            root: h.root,
            sealed_at: crate::domain::time::to_rfc3339(h.sealed_at_ms),
        }),
    })
}
