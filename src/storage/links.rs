//! Links, the slugs they are served under, and codes.

use super::{Database, Freshness, Reading, Statement, bind, json_list, row, statements};
use crate::domain::ids::{BrandId, CodeId, DealId, LinkId, StoreId};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO links (brand_id, id, deal_id, store_id, slug, slug_key, host, target, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    INSERT_SLUG = "INSERT INTO slugs (brand_id, host, slug_key, link_id) VALUES (?1, ?2, ?3, ?4)";

    /// What is NULL stays; ?4 is 1 to close (once), 0 to open, at ?5.
    UPDATE = "
UPDATE links SET target = coalesce(?3, target), closed_at_ms = CASE ?4
  WHEN 1 THEN coalesce(closed_at_ms, ?5) WHEN 0 THEN NULL ELSE closed_at_ms END
WHERE brand_id = ?1 AND id = ?2";

    FIND = "
SELECT id, deal_id, slug, target, host, closed_at_ms FROM links WHERE brand_id = ?1 AND id = ?2";

    /// ?1 host, ?2 slug: what a redirect needs, in one read of four rows.
    RESOLVE = "
SELECT l.brand_id, l.id, l.deal_id, l.slug, l.target, l.closed_at_ms, t.storefront_url, b.timezone,
  CASE t.platform WHEN 'goaffpro' THEN (SELECT json_array(g.ref_parameter, a.ref_codes ->> '$[0]')
    FROM goaffpro_stores g CROSS JOIN affiliates a ON a.brand_id = g.brand_id AND a.deal_id = l.deal_id
      AND a.store_id = g.store_id AND a.ref_codes ->> '$[0]' IS NOT NULL
    WHERE g.brand_id = l.brand_id AND g.store_id = l.store_id) END AS affiliate
FROM slugs s JOIN links l ON l.brand_id = s.brand_id AND l.id = s.link_id
JOIN stores t ON t.brand_id = l.brand_id AND t.id = l.store_id
JOIN brands b ON b.id = l.brand_id
WHERE s.host = ?1 AND s.slug_key = ?2";

    /// ?1 a list of `<host>/<slug>`: as [`RESOLVE`], of many.
    RESOLVE_ALL = "
SELECT j.value AS key, l.brand_id, l.id, l.deal_id, l.slug, l.target,
  l.closed_at_ms, t.storefront_url, b.timezone,
  CASE t.platform WHEN 'goaffpro' THEN (SELECT json_array(g.ref_parameter, a.ref_codes ->> '$[0]')
    FROM goaffpro_stores g CROSS JOIN affiliates a ON a.brand_id = g.brand_id AND a.deal_id = l.deal_id
      AND a.store_id = g.store_id AND a.ref_codes ->> '$[0]' IS NOT NULL
    WHERE g.brand_id = l.brand_id AND g.store_id = l.store_id) END AS affiliate
FROM json_each(?1) j
CROSS JOIN slugs s ON s.host = substr(j.value, 1, instr(j.value, '/') - 1)
  AND s.slug_key = substr(j.value, instr(j.value, '/') + 1)
CROSS JOIN links l ON l.brand_id = s.brand_id AND l.id = s.link_id
CROSS JOIN stores t ON t.brand_id = l.brand_id AND t.id = l.store_id
CROSS JOIN brands b ON b.id = l.brand_id ORDER BY j.key";

    HOSTS_OF = "
SELECT s.host FROM links l JOIN hosts h ON h.brand_id = ?1
JOIN slugs s ON s.host = h.host AND s.slug_key = l.slug_key
WHERE l.brand_id = ?1 AND l.id = ?2 UNION SELECT ''";

    INSERT_CODE = "
INSERT INTO codes (brand_id, code_key, id, deal_id, code, state, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, 'active', ?6)";
}

/// A link to be stored.
#[derive(Debug, Clone)]
pub struct NewLink<'a> {
    /// Its id.
    pub id: LinkId,
    /// Whose.
    pub deal: DealId,
    /// Which store it leads to.
    pub store: StoreId,
    /// Its slug as typed.
    pub slug: &'a str,
    /// Its slug as compared.
    pub slug_key: &'a str,
    /// The host it is handed out on; empty for the product's own.
    pub host: &'a str,
    /// Where it leads.
    pub target: &'a str,
}

/// Stores a link and its slug; a slug that is taken aborts both.
#[must_use]
pub fn insert(brand: BrandId, link: &NewLink<'_>, now_ms: Millis) -> Vec<Statement> {
    vec![
        bind!(
            INSERT,
            brand,
            link.id,
            link.deal,
            link.store,
            link.slug,
            link.slug_key,
            link.host,
            link.target,
            now_ms,
        ),
        bind!(INSERT_SLUG, brand, link.host, link.slug_key, link.id),
    ]
}

row! {
    /// A link.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct LinkRow {
        /// Its id.
        pub id: LinkId,
        /// Whose.
        pub deal_id: DealId,
        /// Its slug.
        pub slug: String,
        /// Where it leads.
        pub target: String,
        /// The host it is handed out on.
        pub host: String,
        /// When it was closed, if it is.
        pub closed_at_ms: Option<Millis>,
    }
}

/// One link.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: LinkId) -> Reading<'_, Option<LinkRow>> {
    db.first(bind!(FIND, brand, id))
}

/// Changes what is given of a link: its target, and whether it is closed.
#[must_use]
pub fn update(
    brand: BrandId,
    id: LinkId,
    target: Option<&str>,
    closed: Option<bool>,
    now_ms: Millis,
) -> Statement {
    bind!(UPDATE, brand, id, target, closed, now_ms)
}

row! {
    /// What a redirect needs to know.
    #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
    pub struct Resolved {
        /// Whose link.
        pub brand_id: BrandId,
        /// Which link.
        pub id: LinkId,
        /// Which deal.
        pub deal_id: DealId,
        /// The slug as typed.
        pub slug: String,
        /// Where on the storefront.
        pub target: String,
        /// When it was closed, if it is.
        pub closed_at_ms: Option<Millis>,
        /// Which storefront.
        pub storefront_url: String,
        /// The brand's calendar.
        pub timezone: String,
        /// For a store on GoAffPro a list of two: the site's parameter and the ref code of the deal's affiliate.
        pub affiliate: Option<Vec<String>>,
    }
}

/// The link that `host` serves under a slug; a replica may answer.
///
/// # Errors
/// [`super::DbError`].
pub fn resolve<'a>(
    db: &'a dyn Database,
    host: &str,
    slug_key: &str,
) -> Reading<'a, Option<Resolved>> {
    db.ask(Freshness::Nearest, bind!(RESOLVE, host, slug_key), |rows| rows.first())
}

/// The links under many keys, `<host>/<slug>` each, of those there are and in their order; a replica
/// may answer.
///
/// # Errors
/// [`super::DbError`].
pub fn resolve_all<'a>(
    db: &'a dyn Database,
    keys: &[String],
) -> Reading<'a, Vec<(String, Resolved)>> {
    db.ask(Freshness::Nearest, bind!(RESOLVE_ALL, json_list(keys)), |rows| {
        let keys = rows.column("key")?;
        Ok(keys.into_iter().zip(rows.all()?).collect())
    })
}

/// Stores a code; one that another deal has aborts.
#[must_use]
pub fn insert_code(
    brand: BrandId,
    id: CodeId,
    deal: DealId,
    code: &str,
    now_ms: Millis,
) -> Statement {
    bind!(INSERT_CODE, brand, crate::domain::attribution::code_key(code), id, deal, code, now_ms)
}

/// The hosts that serve a link.
///
/// # Errors
/// [`super::DbError`].
pub fn hosts_of(db: &dyn Database, brand: BrandId, link: LinkId) -> Reading<'_, Vec<String>> {
    db.ask(Freshness::Primary, bind!(HOSTS_OF, brand, link), |rows| rows.column("host"))
}
