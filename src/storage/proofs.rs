//! The tiles of a brand's Merkle tree, its heads, and what verification reads of the ledger.

use super::ledger::HeadRow;
use super::{Database, DbError, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::json::json;
use crate::domain::merkle::tiles::{TileId, Tiles};

statements! {
    LAST_TILE = "
SELECT place, length(hashes) / 64 AS leaves FROM ledger_tiles WHERE brand_id = ?1 AND level = 0
ORDER BY place DESC LIMIT 1";

    /// ?2 a list of pairs, level and place.
    TILES = "
SELECT t.level, t.place, t.hashes FROM json_each(?2) j
CROSS JOIN ledger_tiles t ON t.brand_id = ?1 AND t.level = j.value ->> 0 AND t.place = j.value ->> 1";

    /// ?2 a list of level, place and hashes. Of two that seal at once the one that read more wins:
    /// what is shorter is a part of what is there.
    PUT_TILES = "
INSERT INTO ledger_tiles (brand_id, level, place, hashes)
SELECT ?1, j.value ->> 0, j.value ->> 1, j.value ->> 2 FROM json_each(?2) j WHERE true
ON CONFLICT (brand_id, level, place) DO UPDATE SET hashes = excluded.hashes
  WHERE length(excluded.hashes) > length(ledger_tiles.hashes)";

    /// The last head of at most ?2 entries.
    HEAD_UP_TO = "
SELECT size, root, frontier, sealed_at_ms FROM ledger_seals
WHERE brand_id = ?1 AND size <= ?2 ORDER BY size DESC LIMIT 1";

    /// The first head of more than ?2 entries.
    HEAD_AFTER = "
SELECT size, root, frontier, sealed_at_ms FROM ledger_seals
WHERE brand_id = ?1 AND size > ?2 ORDER BY size LIMIT 1";

    /// The creators after ?2, and how many there are at most.
    CREATORS_AFTER = "
SELECT id FROM creators WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    /// Balances of creators after ?2, up to ?3, that differ from the fold of their entries, in either
    /// direction.
    UNFOLDED = "
SELECT creator_id, sum(amount_minor) AS off_minor FROM (
  SELECT creator_id, currency, account, day, amount_minor FROM entries
    WHERE brand_id = ?1 AND creator_id > ?2 AND creator_id <= ?3
  UNION ALL
  SELECT creator_id, currency, account, day, -amount_minor FROM balances
    WHERE brand_id = ?1 AND creator_id > ?2 AND creator_id <= ?3)
GROUP BY creator_id, currency, account, day HAVING sum(amount_minor) <> 0 LIMIT 1";
}

row! {
    struct LastTile {
        place: u64,
        leaves: u64,
    }
    struct TileRow {
        level: u32,
        place: u64,
        hashes: String,
    }
}

/// How many leaves have their hashes in tiles.
///
/// # Errors
/// [`DbError`].
pub fn tiled(db: &dyn Database, brand: BrandId) -> Reading<'_, u64> {
    db.ask(super::Freshness::Primary, bind!(LAST_TILE, brand), |rows| {
        Ok(rows.first::<LastTile>()?.map_or(0, |last| last.place * 256 + last.leaves))
    })
}

/// These tiles, as far as they are there.
///
/// # Errors
/// [`DbError`]; one that is damaged.
pub fn tiles<'a>(db: &'a dyn Database, brand: BrandId, ids: &[TileId]) -> Reading<'a, Tiles> {
    let wanted: Vec<String> = ids.iter().map(|(level, place)| json!([level, place])).collect();
    let wanted = crate::domain::json::list_of(&wanted);
    db.ask(super::Freshness::Primary, bind!(TILES, brand, wanted), |rows| {
        let mut tiles = Tiles::default();
        for row in rows.all::<TileRow>()? {
            if !tiles.take((row.level, row.place), &row.hashes) {
                return Err(DbError::Failed("a tile of the ledger is damaged".to_owned()));
            }
        }
        Ok(tiles)
    })
}

/// Stores tiles: new ones, and those that grew.
#[must_use]
pub fn put_tiles(brand: BrandId, tiles: &[(TileId, String)]) -> Statement {
    let rows: Vec<String> =
        tiles.iter().map(|((level, place), hashes)| json!([level, place, hashes])).collect();
    bind!(PUT_TILES, brand, crate::domain::json::list_of(&rows))
}

/// The last head of at most so many entries.
///
/// # Errors
/// [`DbError`].
pub fn head_up_to(db: &dyn Database, brand: BrandId, size: i64) -> Reading<'_, Option<HeadRow>> {
    db.first(bind!(HEAD_UP_TO, brand, size))
}

/// The first head of more than so many entries.
///
/// # Errors
/// [`DbError`].
pub fn head_after(db: &dyn Database, brand: BrandId, size: i64) -> Reading<'_, Option<HeadRow>> {
    db.first(bind!(HEAD_AFTER, brand, size))
}

/// The creators after one.
///
/// # Errors
/// [`DbError`].
pub fn creators_after<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    after: &str,
    limit: i64,
) -> Reading<'a, Vec<CreatorId>> {
    db.ask(super::Freshness::Primary, bind!(CREATORS_AFTER, brand, after, limit), |rows| {
        rows.column("id")
    })
}

/// Whether every balance of the creators after one, up to another, is the fold of its entries.
///
/// # Errors
/// [`DbError`].
pub fn are_folds<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    after: &str,
    up_to: &str,
) -> Reading<'a, bool> {
    db.ask(super::Freshness::Primary, bind!(UNFOLDED, brand, after, up_to), |rows| {
        Ok(rows.is_empty())
    })
}
