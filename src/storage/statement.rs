//! Monthly statements.

use super::ledger::EntryRow;
use super::{Database, DbError, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::ledger::Account;
use crate::domain::money::Currency;
use crate::domain::time::Millis;

statements! {
    /// What a creator was owed and had been paid before ?3, per currency.
    OPENING = "
SELECT currency, sum(iif(account = 'paid', 0, amount_minor)) AS owed_minor,
  sum(iif(account = 'paid', amount_minor, 0)) AS paid_minor FROM entries
WHERE brand_id = ?1 AND creator_id = ?2 AND posted_at_ms < ?3 GROUP BY currency ORDER BY currency";

    /// A creator's entries from ?3 until before ?4, after sequence ?5, with what caused them.
    ENTRIES = "
SELECT e.sequence, e.txn, e.day, e.posted_at_ms, e.account, e.currency, e.amount_minor, e.cause,
  e.cause_id, CASE e.cause
    WHEN 'order' THEN (SELECT o.name FROM orders o WHERE o.brand_id = ?1 AND o.id = e.cause_id)
    WHEN 'fee' THEN (SELECT f.note FROM fees f WHERE f.brand_id = ?1 AND f.id = e.cause_id)
    WHEN 'adjustment' THEN (SELECT a.reason FROM adjustments a
      WHERE a.brand_id = ?1 AND a.id = e.cause_id)
  END AS text
FROM entries e WHERE e.brand_id = ?1 AND e.creator_id = ?2 AND e.posted_at_ms >= ?3
  AND e.posted_at_ms < ?4 AND e.sequence > ?5 ORDER BY e.sequence LIMIT ?6";
}

row! {
    /// What somebody was owed, and had been paid, at a moment.
    pub struct OpeningRow {
        /// In which currency.
        pub currency: Currency,
        /// Owed: pending, available and in payouts, less what she owes back.
        pub owed_minor: i64,
        /// Paid so far.
        pub paid_minor: i64,
    }
    /// An entry of a statement.
    pub struct StatementRow {
        /// Its place in the ledger.
        pub sequence: i64,
        /// Its transaction.
        pub txn: i64,
        /// The day a pending amount becomes available.
        pub day: i64,
        /// When it was posted.
        pub posted_at_ms: Millis,
        /// On which account.
        pub account: Account,
        /// In which currency.
        pub currency: Currency,
        /// How much.
        pub amount_minor: i64,
        /// What kind of thing caused it.
        pub cause: String,
        /// Which.
        pub cause_id: String,
        /// The order's name, the fee's note, the adjustment's reason.
        pub text: Option<String>,
    }
}

impl StatementRow {
    /// The entry as it is sealed.
    #[must_use]
    pub fn entry(&self, creator: CreatorId) -> EntryRow {
        EntryRow {
            sequence: self.sequence,
            txn: self.txn,
            account: self.account.as_str().to_owned(),
            creator_id: Some(creator.to_string()),
            day: self.day,
            currency: self.currency.code().to_owned(),
            amount_minor: self.amount_minor,
            cause: self.cause.clone(),
            cause_id: self.cause_id.clone(),
            posted_at_ms: self.posted_at_ms,
        }
    }
}

/// A page of a statement: what was owed before, what after, and the entries between.
pub struct Page {
    /// Before the period.
    pub opening: Vec<OpeningRow>,
    /// At its end.
    pub closing: Vec<OpeningRow>,
    /// Its entries, as far as the page goes.
    pub entries: Vec<StatementRow>,
}

/// A creator's entries in a period, after a place in the ledger, with what she was owed around it: all
/// of one moment, so that they add up while the books go on.
///
/// # Errors
/// [`DbError`].
pub async fn page(
    db: &dyn Database,
    (brand, creator): (BrandId, CreatorId),
    (from_ms, to_ms): (Millis, Millis),
    (after, limit): (i64, i64),
) -> Result<Page, DbError> {
    let read: Vec<Statement> = vec![
        bind!(OPENING, brand, creator, from_ms),
        bind!(OPENING, brand, creator, to_ms),
        bind!(ENTRIES, brand, creator, from_ms, to_ms, after, limit),
    ];
    let results = db.run(read).await?;
    let [opening, closing, entries] = results.as_slice() else {
        return Err(DbError::Failed("three results".to_owned()));
    };
    Ok(Page { opening: opening.all()?, closing: closing.all()?, entries: entries.all()? })
}
