//! What is sealed under a key that isn't the active one any more, wherever it stands.
//!
//! [`SEALED`] lists every column that holds sealed text; one more is one entry more.

use super::{Database, Reading, Statement, bind, row, statements};
use crate::domain::time::Millis;

statements! {
    /// ?1 what the active key's texts begin with.
    STORES_LEFT = "
SELECT count(*) AS n FROM stores
WHERE secret_sealed <> '' AND substr(secret_sealed, 1, length(?1)) <> ?1";

    /// ?2 after id, ?3 limit.
    STORES = "
SELECT brand_id, id, secret_sealed AS sealed FROM stores
WHERE id > ?2 AND secret_sealed <> '' AND substr(secret_sealed, 1, length(?1)) <> ?1
ORDER BY id LIMIT ?3";

    /// ?1 brand, ?2 id, ?3 as it was read, ?4 the same, sealed anew. What somebody changed in
    /// between stays as they made it.
    STORES_REPLACE = "
UPDATE stores SET secret_sealed = ?4 WHERE brand_id = ?1 AND id = ?2 AND secret_sealed = ?3";

    PREVIOUS_LEFT = "
SELECT count(*) AS n FROM stores s, json_each(s.previous_secrets) j
WHERE substr(j.value ->> 'sealed', 1, length(?1)) <> ?1";

    PREVIOUS = "
SELECT s.brand_id, s.id, j.value ->> 'sealed' AS sealed FROM stores s, json_each(s.previous_secrets) j
WHERE s.id > ?2 AND substr(j.value ->> 'sealed', 1, length(?1)) <> ?1 ORDER BY s.id LIMIT ?3";

    /// Sealed text occurs nowhere else, and JSON writes it as it is.
    PREVIOUS_REPLACE = "
UPDATE stores SET previous_secrets = replace(previous_secrets, ?3, ?4)
WHERE brand_id = ?1 AND id = ?2 AND instr(previous_secrets, ?3) > 0";

    TOKEN_LEFT = "
SELECT count(*) AS n FROM store_access
WHERE token_sealed IS NOT NULL AND substr(token_sealed, 1, length(?1)) <> ?1";

    TOKENS = "
SELECT brand_id, store_id AS id, token_sealed AS sealed FROM store_access
WHERE store_id > ?2 AND token_sealed IS NOT NULL AND substr(token_sealed, 1, length(?1)) <> ?1
ORDER BY store_id LIMIT ?3";

    TOKEN_REPLACE = "
UPDATE store_access SET token_sealed = ?4 WHERE brand_id = ?1 AND store_id = ?2 AND token_sealed = ?3";

    REFRESH_LEFT = "
SELECT count(*) AS n FROM store_access
WHERE refresh_sealed IS NOT NULL AND substr(refresh_sealed, 1, length(?1)) <> ?1";

    REFRESHES = "
SELECT brand_id, store_id AS id, refresh_sealed AS sealed FROM store_access
WHERE store_id > ?2 AND refresh_sealed IS NOT NULL AND substr(refresh_sealed, 1, length(?1)) <> ?1
ORDER BY store_id LIMIT ?3";

    REFRESH_REPLACE = "
UPDATE store_access SET refresh_sealed = ?4 WHERE brand_id = ?1 AND store_id = ?2 AND refresh_sealed = ?3";

    QUARANTINE_LEFT = "
SELECT count(*) AS n FROM quarantine
WHERE body IS NOT NULL AND substr(body, 1, length(?1)) <> ?1";

    QUARANTINE = "
SELECT brand_id, id, body AS sealed FROM quarantine
WHERE id > ?2 AND body IS NOT NULL AND substr(body, 1, length(?1)) <> ?1 ORDER BY id LIMIT ?3";

    QUARANTINE_REPLACE = "
UPDATE quarantine SET body = ?4 WHERE brand_id = ?1 AND id = ?2 AND body = ?3";

    MAILS_LEFT = "
SELECT count(*) AS n FROM mails
WHERE content IS NOT NULL AND substr(content, 1, length(?1)) <> ?1";

    MAILS = "
SELECT brand_id, id, content AS sealed FROM mails
WHERE id > ?2 AND content IS NOT NULL AND substr(content, 1, length(?1)) <> ?1 ORDER BY id LIMIT ?3";

    MAILS_REPLACE = "
UPDATE mails SET content = ?4 WHERE brand_id = ?1 AND id = ?2 AND content = ?3";

    MESSAGES_LEFT = "
SELECT count(*) AS n FROM messages WHERE substr(content, 1, length(?1)) <> ?1";

    MESSAGES = "
SELECT brand_id, id, content AS sealed FROM messages
WHERE id > ?2 AND substr(content, 1, length(?1)) <> ?1 ORDER BY id LIMIT ?3";

    MESSAGES_REPLACE = "
UPDATE messages SET content = ?4 WHERE brand_id = ?1 AND id = ?2 AND content = ?3";

    DETAILS_LEFT = "
SELECT count(*) AS n FROM payment_details WHERE substr(sealed, 1, length(?1)) <> ?1";

    /// Named by what they are sealed to.
    DETAILS = "
SELECT brand_id, brand_id || '/' || creator_id || '/payment/' || version AS id, sealed
FROM payment_details
WHERE brand_id || '/' || creator_id || '/payment/' || version > ?2
  AND substr(sealed, 1, length(?1)) <> ?1 ORDER BY 2 LIMIT ?3";

    DETAILS_REPLACE = "
UPDATE payment_details SET sealed = ?4 WHERE brand_id = ?1
  AND brand_id || '/' || creator_id || '/payment/' || version = ?2 AND sealed = ?3";

    ACCOUNTS_LEFT = "
SELECT count(*) AS n FROM payout_providers WHERE substr(secret_sealed, 1, length(?1)) <> ?1";

    /// Named by what they are sealed to.
    ACCOUNTS = "
SELECT brand_id, brand_id || '/payout-provider/' || client_id AS id, secret_sealed AS sealed
FROM payout_providers WHERE brand_id || '/payout-provider/' || client_id > ?2
  AND substr(secret_sealed, 1, length(?1)) <> ?1 ORDER BY 2 LIMIT ?3";

    ACCOUNTS_REPLACE = "
UPDATE payout_providers SET secret_sealed = ?4 WHERE brand_id = ?1
  AND brand_id || '/payout-provider/' || client_id = ?2 AND secret_sealed = ?3";

    HOOKS_LEFT = "
SELECT count(*) AS n FROM webhook_endpoints WHERE substr(secret_sealed, 1, length(?1)) <> ?1";

    HOOKS = "
SELECT brand_id, id, secret_sealed AS sealed FROM webhook_endpoints
WHERE id > ?2 AND substr(secret_sealed, 1, length(?1)) <> ?1 ORDER BY id LIMIT ?3";

    HOOKS_REPLACE = "
UPDATE webhook_endpoints SET secret_sealed = ?4 WHERE brand_id = ?1 AND id = ?2 AND secret_sealed = ?3";

    HOOKS_BEFORE_LEFT = "
SELECT count(*) AS n FROM webhook_endpoints
WHERE previous_sealed IS NOT NULL AND substr(previous_sealed, 1, length(?1)) <> ?1";

    HOOKS_BEFORE = "
SELECT brand_id, id, previous_sealed AS sealed FROM webhook_endpoints
WHERE id > ?2 AND previous_sealed IS NOT NULL AND substr(previous_sealed, 1, length(?1)) <> ?1
ORDER BY id LIMIT ?3";

    HOOKS_BEFORE_REPLACE = "
UPDATE webhook_endpoints SET previous_sealed = ?4
WHERE brand_id = ?1 AND id = ?2 AND previous_sealed = ?3";

    RECORD = "
INSERT INTO rewraps (active, remaining, counted_at_ms) VALUES (?1, ?2, ?3)
ON CONFLICT (active) DO UPDATE SET remaining = excluded.remaining,
  counted_at_ms = excluded.counted_at_ms";

    REMAINING = "SELECT remaining AS n FROM rewraps WHERE active = ?1";
}

/// A column of sealed text.
pub struct Sealed {
    /// What holds it.
    pub of: &'static str,
    left: &'static str,
    page: &'static str,
    replace: &'static str,
    /// What may follow the row's id in the context that the text is sealed to.
    pub contexts: &'static [&'static str],
    /// So many rows are read at once: bodies are large.
    pub limit: i64,
}

/// Every column of sealed text.
pub const SEALED: &[Sealed] = &[
    Sealed {
        of: "stores",
        left: STORES_LEFT,
        page: STORES,
        replace: STORES_REPLACE,
        contexts: &[""],
        limit: 100,
    },
    Sealed {
        of: "replaced secrets of stores",
        left: PREVIOUS_LEFT,
        page: PREVIOUS,
        replace: PREVIOUS_REPLACE,
        contexts: &[""],
        limit: 100,
    },
    Sealed {
        of: "tokens of stores",
        left: TOKEN_LEFT,
        page: TOKENS,
        replace: TOKEN_REPLACE,
        contexts: &["/token"],
        limit: 100,
    },
    Sealed {
        of: "refresh tokens of stores",
        left: REFRESH_LEFT,
        page: REFRESHES,
        replace: REFRESH_REPLACE,
        contexts: &["/refresh"],
        limit: 100,
    },
    Sealed {
        of: "quarantine",
        left: QUARANTINE_LEFT,
        page: QUARANTINE,
        replace: QUARANTINE_REPLACE,
        contexts: &["", "/facts"],
        limit: 5,
    },
    Sealed {
        of: "mails",
        left: MAILS_LEFT,
        page: MAILS,
        replace: MAILS_REPLACE,
        contexts: &[""],
        limit: 50,
    },
    Sealed {
        of: "messages",
        left: MESSAGES_LEFT,
        page: MESSAGES,
        replace: MESSAGES_REPLACE,
        contexts: &[""],
        limit: 50,
    },
    Sealed {
        of: "payment details",
        left: DETAILS_LEFT,
        page: DETAILS,
        replace: DETAILS_REPLACE,
        contexts: &[""],
        limit: 100,
    },
    Sealed {
        of: "accounts at payout providers",
        left: ACCOUNTS_LEFT,
        page: ACCOUNTS,
        replace: ACCOUNTS_REPLACE,
        contexts: &[""],
        limit: 100,
    },
    Sealed {
        of: "webhook endpoints",
        left: HOOKS_LEFT,
        page: HOOKS,
        replace: HOOKS_REPLACE,
        contexts: &[""],
        limit: 100,
    },
    Sealed {
        of: "replaced secrets of webhook endpoints",
        left: HOOKS_BEFORE_LEFT,
        page: HOOKS_BEFORE,
        replace: HOOKS_BEFORE_REPLACE,
        contexts: &[""],
        limit: 100,
    },
];

row! {
    /// A sealed text and where it stands.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SealedRow {
        /// Whose.
        pub brand_id: String,
        /// The row's id, to which it is sealed.
        pub id: String,
        /// The text.
        pub sealed: String,
    }
    struct Count {
        n: i64,
    }
}

/// How many texts aren't sealed under the key whose texts begin like this.
///
/// # Errors
/// [`super::DbError`].
pub async fn left(db: &dyn Database, prefix: &str) -> Result<i64, super::DbError> {
    let counts = SEALED.iter().map(|column| bind!(column.left, prefix));
    let mut left = 0;
    for rows in db.run(counts.collect()).await? {
        left += rows.first::<Count>()?.map_or(0, |count| count.n);
    }
    Ok(left)
}

/// The next of a column's texts that aren't, by the ids of their rows.
///
/// # Errors
/// [`super::DbError`].
pub fn page<'a>(
    db: &'a dyn Database,
    column: &Sealed,
    prefix: &str,
    after: &str,
) -> Reading<'a, Vec<SealedRow>> {
    db.all(bind!(column.page, prefix, after, column.limit))
}

/// Puts a text that was sealed anew in the place of what was read, unless that has changed.
#[must_use]
pub fn replace(column: &Sealed, row: &SealedRow, sealed: String) -> Statement {
    bind!(column.replace, &row.brand_id, &row.id, &row.sealed, sealed)
}

/// Stores how many were left under this active key.
#[must_use]
pub fn record(active: u8, remaining: i64, now_ms: Millis) -> Statement {
    bind!(RECORD, u16::from(active), remaining, now_ms)
}

/// How many the last run left under this active key; `None` if none has run yet.
///
/// # Errors
/// [`super::DbError`].
pub fn remaining(db: &dyn Database, active: u8) -> Reading<'_, Option<i64>> {
    let statement = bind!(REMAINING, u16::from(active));
    db.ask(super::Freshness::Primary, statement, |rows| Ok(rows.first::<Count>()?.map(|c| c.n)))
}
