//! Link domains on their way: what was seen of them, and what is to be removed at Cloudflare.
//!
//! Which host a brand has and serves is in [`super::brands`].

use super::{Database, Reading, Statement, bind, row, statements};
use crate::domain::ids::BrandId;
use crate::domain::time::Millis;

statements! {
    /// The jobs', of all brands: hosts are few, and wait for a week at most.
    DUE = "
SELECT host, brand_id, state, hostname_id, records, problem, failed, created_at_ms, checked_at_ms, since_ms, ours
FROM hosts WHERE state = 'pending' AND failed = 0 AND due_at_ms <= ?1 ORDER BY due_at_ms LIMIT 20";

    OF_BRAND = "
SELECT host, brand_id, state, hostname_id, records, problem, failed, created_at_ms, checked_at_ms, since_ms, ours
FROM hosts WHERE brand_id = ?1 ORDER BY created_at_ms DESC LIMIT 200";

    /// A custom hostname is about to be asked for: aborts if the host waits for this brand no more.
    ASK = "
INSERT INTO hosts (host, brand_id, state, created_at_ms)
VALUES ((SELECT host FROM hosts WHERE host = ?2 AND brand_id = ?1 AND state = 'pending'), ?1, 'pending', 0)
ON CONFLICT (host) DO UPDATE SET ours = 1, hostname_id = NULL";

    /// What a look at a host that still waits for this brand told.
    SAW = "
UPDATE hosts SET ours = ?9, hostname_id = ?3, records = ?4, problem = ?5, failed = ?6, checked_at_ms = ?7, due_at_ms = ?8
WHERE host = ?2 AND brand_id = ?1 AND state = 'pending'";

    /// A custom hostname whose host was given up while it was made.
    ORPHAN = "
INSERT INTO host_removals (hostname_id, host, due_at_ms)
SELECT ?2, ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM hosts WHERE host = ?1)
ON CONFLICT (hostname_id) DO NOTHING";

    /// The operator's. One whose host is wanted again is none (`hosts_wanted_again`).
    REMOVALS = "
SELECT r.hostname_id, r.host FROM host_removals r WHERE r.due_at_ms <= ?1 ORDER BY r.due_at_ms LIMIT 20";

    /// Before [`TAKE_REMOVAL`]: aborts unless it is still to be done.
    REQUIRE_REMOVAL = "
INSERT INTO host_removals (hostname_id, host, due_at_ms)
SELECT NULL, '', 0 WHERE NOT EXISTS (SELECT 1 FROM host_removals WHERE hostname_id = ?1)";

    TAKE_REMOVAL = "DELETE FROM host_removals WHERE hostname_id = ?1";

    REMOVE_LATER = "
INSERT INTO host_removals (hostname_id, host, due_at_ms)
SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM hosts WHERE host = ?2)
ON CONFLICT (hostname_id) DO NOTHING";
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
        /// 1 if we asked for its custom hostname.
        pub ours: i64,
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
    /// We asked for that.
    pub ours: bool,
    /// The DNS records to make, as JSON.
    pub records: &'a str,
    /// What is in the way.
    pub problem: &'a str,
    /// That won't go away by itself.
    pub failed: bool,
    /// When it is to be looked at again.
    pub due_at_ms: Millis,
}

/// Notes that a custom hostname is about to be asked for; aborts if the host waits for this brand no more.
#[must_use]
pub fn ask(brand: BrandId, host: &str) -> Statement {
    bind!(ASK, brand, host)
}

/// Keeps what was seen, if the host still waits for this brand. A custom hostname that nobody wants any
/// more is to be removed.
#[must_use]
pub fn saw(brand: BrandId, host: &str, seen: &Seen<'_>, now_ms: Millis) -> Vec<Statement> {
    let Seen { hostname_id, ours, records, problem, failed, due_at_ms } = *seen;
    let failed = i64::from(failed);
    let is_ours = i64::from(ours);
    let mut batch = vec![bind!(
        SAW,
        brand,
        host,
        hostname_id,
        records,
        problem,
        failed,
        now_ms,
        due_at_ms,
        is_ours
    )];
    batch.extend(hostname_id.filter(|_| ours).map(|id| bind!(ORPHAN, host, id)));
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
    }
}

/// Custom hostnames to be removed now.
///
/// # Errors
/// [`super::DbError`].
pub fn removals(db: &dyn Database, now_ms: Millis) -> Reading<'_, Vec<Removal>> {
    db.all(bind!(REMOVALS, now_ms))
}

/// Takes a removal, before it is done; aborts if its host is wanted again.
#[must_use]
pub fn take_removal(hostname_id: &str) -> Vec<Statement> {
    vec![bind!(REQUIRE_REMOVAL, hostname_id), bind!(TAKE_REMOVAL, hostname_id)]
}

/// It couldn't be removed now: later, unless its host is wanted again.
#[must_use]
pub fn remove_later(removal: &Removal, due_at_ms: Millis) -> Statement {
    bind!(REMOVE_LATER, &removal.hostname_id, &removal.host, due_at_ms)
}
