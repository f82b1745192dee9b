//! The ledger: posting, balances, releases, sealing and verification.

use serde_json::Value;

use super::kept::kept;
use super::{Database, DbError, Freshness, FromColumn, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::json::{self, json};
use crate::domain::ledger::{Account, Transaction};
use crate::domain::merkle::Frontier;
use crate::domain::money::Currency;
use crate::domain::time::{Day, Millis};

statements! {
    /// ?1 brand, ?2 entries, ?3 now. The sequence is taken inside the batch: commit order.
    // The plus: see the one that loads an order.
    POST = "
INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor,
  cause, cause_id, posted_at_ms)
SELECT ?1, h.head + 1 + j.key, h.head + 1 + json_extract(j.value, '$.t'),
  json_extract(j.value, '$.a'), json_extract(j.value, '$.c'), json_extract(j.value, '$.d'),
  json_extract(j.value, '$.u'), json_extract(j.value, '$.m'), json_extract(j.value, '$.k'),
  json_extract(j.value, '$.i'), ?3
FROM (SELECT coalesce(max(sequence), 0) AS head FROM entries WHERE brand_id = +?1) h, json_each(?2) j
ORDER BY j.key";

    BALANCES = "
SELECT currency, account, day, amount_minor FROM balances
WHERE brand_id = ?1 AND creator_id = ?2 AND amount_minor <> 0 ORDER BY currency, account, day";

    /// ?1 brand, ?2 today, ?3 after creator, ?4 limit of rows.
    DUE = "
SELECT p.creator_id, p.currency, p.day, p.amount_minor,
  coalesce((SELECT c.amount_minor FROM balances c WHERE c.brand_id = ?1
    AND c.creator_id = p.creator_id AND c.currency = p.currency AND c.account = 'clawback'
    AND c.day = 0), 0) AS clawback_minor
FROM balances p WHERE p.brand_id = ?1 AND p.creator_id > ?3 AND p.account = 'pending'
  AND p.day <= ?2 AND p.amount_minor > 0
ORDER BY p.creator_id, p.currency, p.day LIMIT ?4";

    /// A day that was released leaves no row behind.
    SWEEP = "
DELETE FROM balances WHERE brand_id = ?1 AND creator_id IN (SELECT value FROM json_each(?2))
  AND account = 'pending' AND day <= ?3 AND amount_minor = 0";

    HEAD = "
SELECT size, root, frontier, sealed_at_ms FROM ledger_seals
WHERE brand_id = ?1 ORDER BY size DESC LIMIT 1";

    /// ?1 brand, ?2 after sequence, ?3 up to sequence, ?4 limit.
    ENTRIES = "
SELECT sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id,
  posted_at_ms FROM entries
WHERE brand_id = ?1 AND sequence > ?2 AND sequence <= ?3 ORDER BY sequence LIMIT ?4";

    SEAL = "
INSERT INTO ledger_seals (brand_id, size, root, frontier, sealed_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";

    SUMS = "
SELECT currency, count(*) AS entries, sum(sequence = txn) AS transactions,
  sum(amount_minor) AS sum_minor, max(sequence) AS last FROM entries WHERE brand_id = ?1
GROUP BY currency ORDER BY currency";

    UNBALANCED = "
SELECT txn FROM entries WHERE brand_id = ?1 GROUP BY txn, currency
HAVING sum(amount_minor) <> 0 LIMIT 1";

    /// Balances that differ from the fold of their entries, in either direction.
    UNFOLDED = "
SELECT creator_id, currency, account, day, sum(amount_minor) AS off_minor FROM (
  SELECT creator_id, currency, account, day, amount_minor FROM entries
    WHERE brand_id = ?1 AND creator_id IS NOT NULL
  UNION ALL
  SELECT creator_id, currency, account, day, -amount_minor FROM balances WHERE brand_id = ?1)
GROUP BY creator_id, currency, account, day HAVING sum(amount_minor) <> 0 LIMIT 1";

    /// The first entry that no seal covers yet.
    UNSEALED = "
SELECT min(posted_at_ms) AS oldest_ms FROM entries WHERE brand_id = ?1
  AND sequence > coalesce((SELECT max(size) FROM ledger_seals WHERE brand_id = ?1), 0)";
}

/// Transactions as the JSON list of entries that [`post`] and the triggers on orders put into the
/// ledger: `t` the place of the transaction's first entry, then account, creator, day, currency,
/// minor units, and the cause (which the triggers know).
#[must_use]
pub fn postings(transactions: &[Transaction]) -> String {
    let mut entries = Vec::new();
    for transaction in transactions {
        let first = entries.len();
        for entry in transaction.entries() {
            entries.push(json!({
                "t": first, "a": entry.account, "c": entry.creator, "d": entry.day,
                "u": entry.currency, "m": entry.amount_minor,
                "k": transaction.cause().kind(), "i": transaction.cause().id(),
            }));
        }
    }
    json::list_of(&entries)
}

/// The statement that posts transactions. What they are posted for is guarded before it in the
/// same batch; the books' own limits are CHECKs.
#[must_use]
pub fn post(brand: BrandId, transactions: &[Transaction], now_ms: Millis) -> Statement {
    bind!(POST, brand, postings(transactions), now_ms)
}

row! {
    /// What one account of a creator holds.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct BalanceRow {
    /// In which currency.
    pub currency: Currency,
    /// On which account.
    pub account: Account,
    /// On which day, for pending amounts.
    pub day: Day,
    /// How much.
    pub amount_minor: i64,
    }
}

impl FromColumn for Account {
    fn from_column(value: &Value) -> Option<Self> {
        let name = value.as_str()?;
        Self::ALL.into_iter().find(|account| account.as_str() == name)
    }
    fn placeholder() -> Self {
        Self::Pending
    }
}

/// The rows of a creator's balances.
#[must_use]
pub fn balances(brand: BrandId, creator: CreatorId) -> Statement {
    bind!(BALANCES, brand, creator)
}

row! {
    /// A pending amount whose day has come.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DueRow {
    /// Whose.
    pub creator_id: CreatorId,
    /// In which currency.
    pub currency: Currency,
    /// On which day it became available.
    pub day: Day,
    /// How much.
    pub amount_minor: i64,
    /// The creator's claw-back in that currency, zero or negative.
    pub clawback_minor: i64,
    }
}

/// Amounts due on or before `today` of creators after `after`.
///
/// # Errors
/// [`super::DbError`].
pub fn due<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    today: Day,
    after: &str,
    limit: i64,
) -> Reading<'a, Vec<DueRow>> {
    db.all(bind!(DUE, brand, today.0, after, limit))
}

/// Removes a creator's emptied days.
#[must_use]
pub fn sweep(brand: BrandId, creators: &[CreatorId], today: Day) -> Statement {
    bind!(SWEEP, brand, super::json_list(creators), today.0)
}

row! {
    /// The head of a brand's Merkle tree.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct HeadRow {
    /// Entries sealed.
    pub size: i64,
    /// The root, in hex.
    pub root: String,
    /// What is needed to go on, as JSON.
    pub frontier: String,
    /// When it was sealed.
    pub sealed_at_ms: Millis,
    }
}

impl HeadRow {
    /// The frontier.
    ///
    /// # Errors
    /// [`DbError::Failed`] if it is damaged.
    pub fn frontier(&self) -> Result<Frontier, DbError> {
        kept(&self.frontier)
    }
}

/// The latest head.
///
/// # Errors
/// [`super::DbError`].
pub fn head(db: &dyn Database, brand: BrandId) -> Reading<'_, Option<HeadRow>> {
    db.first(bind!(HEAD, brand))
}

row! {
    /// An entry as it is sealed: every column, in a fixed order.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct EntryRow {
    /// Its place.
    pub sequence: i64,
    /// Its transaction.
    pub txn: i64,
    /// Its account.
    pub account: String,
    /// Whose.
    pub creator_id: Option<String>,
    /// Its day.
    pub day: i64,
    /// Its currency.
    pub currency: String,
    /// Its amount.
    pub amount_minor: i64,
    /// Its cause.
    pub cause: String,
    /// The cause's id.
    pub cause_id: String,
    /// When it was posted.
    pub posted_at_ms: Millis,
    }
}

impl EntryRow {
    /// The text that is a leaf of the tree: changing it changes every head after it. The form is
    /// for ever; a new one would need a new version mark.
    #[must_use]
    pub fn canonical(&self, brand: BrandId) -> String {
        json!([
            1_i64,
            brand,
            self.sequence,
            self.txn,
            self.account,
            self.creator_id,
            self.day,
            self.currency,
            self.amount_minor,
            self.cause,
            self.cause_id,
            self.posted_at_ms
        ])
    }
}

/// Entries after one sequence up to another.
///
/// # Errors
/// [`super::DbError`].
pub fn entries(
    db: &dyn Database,
    brand: BrandId,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Reading<'_, Vec<EntryRow>> {
    db.all(bind!(ENTRIES, brand, after, up_to, limit))
}

/// Stores a head. Two sealers that meet collide on its size.
#[must_use]
pub fn seal(brand: BrandId, frontier: &Frontier, now_ms: Millis) -> Statement {
    let size = i64::try_from(frontier.size()).unwrap_or(i64::MAX);
    bind!(SEAL, brand, size, crate::domain::merkle::hex(&frontier.root()), json!(frontier), now_ms)
}

row! {
    /// Sums of a brand's entries in one currency.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SumRow {
    /// The currency.
    pub currency: Currency,
    /// How many entries.
    pub entries: i64,
    /// How many transactions begin among them.
    pub transactions: i64,
    /// Their sum: zero, if the books are right.
    pub sum_minor: i64,
    /// The last sequence.
    pub last: i64,
    }
}

/// The checks of a brand's books in one batch: sums, an unbalanced transaction, a balance that is
/// not the fold of its entries.
#[must_use]
pub fn checks(brand: BrandId) -> Vec<Statement> {
    vec![bind!(SUMS, brand), bind!(UNBALANCED, brand), bind!(UNFOLDED, brand)]
}

/// When the oldest entry was posted that is not sealed yet.
///
/// # Errors
/// [`super::DbError`].
pub fn oldest_unsealed(db: &dyn Database, brand: BrandId) -> Reading<'_, Option<Millis>> {
    db.ask(Freshness::Primary, bind!(UNSEALED, brand), |rows| {
        Ok(rows.column("oldest_ms")?.pop().flatten())
    })
}
