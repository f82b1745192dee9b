//! Payment details, and the first answers to money calls.

use super::{Database, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::time::Millis;

statements! {
    DETAILS = "
SELECT method, last4, country, sealed, version, updated_at_ms, usable_at_ms FROM payment_details
WHERE brand_id = ?1 AND creator_id = ?2";

    /// The first entry; one that is there aborts.
    INSERT_DETAILS = "
INSERT INTO payment_details (brand_id, creator_id, method, last4, country, sealed, version,
  updated_at_ms, usable_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    /// A change of the version ?7 - 1: another that came before it makes the version NULL, which
    /// aborts.
    UPDATE_DETAILS = "
UPDATE payment_details SET method = ?3, last4 = ?4, country = ?5, sealed = ?6,
  version = iif(version + 1 = CAST(?7 AS INTEGER), version + 1, NULL), updated_at_ms = ?8,
  usable_at_ms = ?9
WHERE brand_id = ?1 AND creator_id = ?2";

    ANSWERED = "
SELECT request_hash, status, answer FROM idempotency WHERE brand_id = ?1 AND key = ?2";

    /// Two with one key: the second aborts.
    ANSWER = "
INSERT INTO idempotency (brand_id, key, request_hash, status, answer, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
}

row! {
    /// A creator's payment details.
    pub struct DetailsRow {
        /// `paypal`, `iban` or `ach`.
        pub method: String,
        /// Of the account.
        pub last4: Option<String>,
        /// Of the account.
        pub country: Option<String>,
        /// The details.
        pub sealed: String,
        /// How often they were entered.
        pub version: i64,
        /// When last.
        pub updated_at_ms: Millis,
        /// From when on they are used.
        pub usable_at_ms: Millis,
    }
}

/// A creator's payment details.
///
/// # Errors
/// [`super::DbError`].
pub fn details(
    db: &dyn Database,
    brand: BrandId,
    creator: CreatorId,
) -> Reading<'_, Option<DetailsRow>> {
    db.first(bind!(DETAILS, brand, creator))
}

/// Stores payment details: the first as version 1, a change as the version after the one it was
/// made from. Whoever comes second aborts.
#[must_use]
pub fn put_details(brand: BrandId, creator: CreatorId, row: &DetailsRow) -> Statement {
    let sql = if row.version == 1 { INSERT_DETAILS } else { UPDATE_DETAILS };
    bind!(
        sql,
        brand,
        creator,
        &row.method,
        row.last4.as_deref(),
        row.country.as_deref(),
        &row.sealed,
        row.version,
        row.updated_at_ms,
        row.usable_at_ms,
    )
}

row! {
    /// A first answer.
    pub struct AnsweredRow {
        /// Of the request that it answers.
        pub request_hash: String,
        /// Its status.
        pub status: u16,
        /// Its body.
        pub answer: String,
    }
}

/// The first answer to the call with this key.
///
/// # Errors
/// [`super::DbError`].
pub fn answered<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    key: &str,
) -> Reading<'a, Option<AnsweredRow>> {
    db.first(bind!(ANSWERED, brand, key))
}

/// Stores the first answer, in the batch of its effect; a second with the same key aborts it.
#[must_use]
pub fn answer(brand: BrandId, key: &str, row: &AnsweredRow, now_ms: Millis) -> Statement {
    bind!(ANSWER, brand, key, &row.request_hash, row.status, &row.answer, now_ms)
}
