//! Link domains on their way: what was seen of them, and what is to be removed at Cloudflare.
//!
//! Which host a brand has and serves is in [`super::brands`].

use super::{Database, Reading, Statement, bind, row, statements};
use crate::domain::ids::BrandId;
use crate::domain::time::Millis;

statements! {
    /// The jobs', of all brands: hosts are few, and wait for a week at most.
    DUE = "
SELECT host, brand_id, state, hostname_id, records, problem, failed, created_at_ms, checked_at_ms, since_ms
FROM hosts WHERE state = 'pending' AND failed = 0 AND due_at_ms <= ?1 ORDER BY due_at_ms LIMIT 20";

    OF_BRAND = "
SELECT host, brand_id, state, hostname_id, records, problem, failed, created_at_ms, checked_at_ms, since_ms
FROM hosts WHERE brand_id = ?1 ORDER BY created_at_ms DESC LIMIT 200";

    /// What a look at a host that still waits for this brand told.
    SAW = "
UPDATE hosts SET hostname_id = ?3, records = ?4, problem = ?5, failed = ?6, checked_at_ms = ?7, due_at_ms = ?8
WHERE host = ?2 AND brand_id = ?1 AND state = 'pending'";

    /// A custom hostname whose host was given up while it was made.
    ORPHAN = "
INSERT INTO host_removals (hostname_id, host, due_at_ms)
SELECT ?2, ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM hosts WHERE host = ?1)
ON CONFLICT (hostname_id) DO NOTHING";

    /// The operator's. One that a host has again stays.
    REMOVALS = "
SELECT r.hostname_id, r.host, (SELECT 1 FROM hosts h WHERE h.host = r.host) AS wanted
FROM host_removals r WHERE r.due_at_ms <= ?1 ORDER BY r.due_at_ms LIMIT 20";

    REMOVED = "DELETE FROM host_removals WHERE hostname_id = ?1";

    REMOVE_LATER = "UPDATE host_removals SET due_at_ms = ?2 WHERE hostname_id = ?1";
}

row! {
    /// A link domain.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct LinkHost {
        /// The host.
        pub host: String,
        /// Whose.
        pub brand_id: BrandId,
        /// `pending` or `active`.
        pub state: String,
        /// Its custom hostname's name at Cloudflare, once it has one.
        pub hostname_id: Option<String>,
        /// The DNS records to make, as JSON.
        pub records: String,
        /// What is in the way, in words; '' if nothing is.
        pub problem: String,
        /// 1 if that won't go away by itself.
        pub failed: i64,
        /// Since when the brand wants it.
        pub created_at_ms: Millis,
        /// When it was looked at last.
        pub checked_at_ms: Option<Millis>,
        /// Since when it is served.
        pub since_ms: Option<Millis>,
    }
}

/// Hosts that are to be looked at.
///
/// # Errors
/// [`super::DbError`].
pub fn due(db: &dyn Database, now_ms: Millis) -> Reading<'_, Vec<LinkHost>> {
    db.all(bind!(DUE, now_ms))
}

/// A brand's hosts, the latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn of_brand(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<LinkHost>> {
    db.all(bind!(OF_BRAND, brand))
}

/// What a look at a host told.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// Its custom hostname, if it has one.
    pub hostname_id: Option<&'a str>,
    /// The DNS records to make, as JSON.
    pub records: &'a str,
    /// What is in the way.
    pub problem: &'a str,
    /// That won't go away by itself.
    pub failed: bool,
    /// When it is to be looked at again.
    pub due_at_ms: Millis,
}

/// Keeps what was seen, if the host still waits for this brand. A custom hostname that nobody wants any
/// more is to be removed.
#[must_use]
pub fn saw(brand: BrandId, host: &str, seen: &Seen<'_>, now_ms: Millis) -> Vec<Statement> {
    let Seen { hostname_id, records, problem, failed, due_at_ms } = *seen;
    let failed = i64::from(failed);
    let mut batch =
        vec![bind!(SAW, brand, host, hostname_id, records, problem, failed, now_ms, due_at_ms)];
    batch.extend(hostname_id.map(|id| bind!(ORPHAN, host, id)));
    batch
}

row! {
    /// A custom hostname to be removed.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Removal {
        /// Its name at Cloudflare.
        pub hostname_id: String,
        /// Its host.
        pub host: String,
        /// 1 if a brand wants the host again.
        pub wanted: Option<i64>,
    }
}

/// Custom hostnames to be removed now.
///
/// # Errors
/// [`super::DbError`].
pub fn removals(db: &dyn Database, now_ms: Millis) -> Reading<'_, Vec<Removal>> {
    db.all(bind!(REMOVALS, now_ms))
}

/// It is removed, or wanted again.
#[must_use]
pub fn removed(hostname_id: &str) -> Statement {
    bind!(REMOVED, hostname_id)
}

/// It couldn't be removed now.
#[must_use]
pub fn remove_later(hostname_id: &str, due_at_ms: Millis) -> Statement {
    bind!(REMOVE_LATER, hostname_id, due_at_ms)
}
