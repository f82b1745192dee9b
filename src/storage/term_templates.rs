//! Templates of terms, and what each said in its versions.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, TermTemplateId};
use crate::domain::money::BasisPoints;
use crate::domain::terms::Rules;
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO term_templates (brand_id, id, version, created_at_ms) VALUES (?1, ?2, 1, ?3)";

    INSERT_VERSION = "
INSERT INTO term_template_versions (brand_id, template_id, version, name, rate_bp, rules, starts_at_ms,
  ends_at_ms, contract, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

    /// ?3 the version that was read: another aborts.
    ADVANCE = "
UPDATE term_templates SET version = iif(version = ?3, version + 1, NULL) WHERE brand_id = ?1 AND id = ?2";

    ARCHIVE = "
UPDATE term_templates SET archived_at_ms = coalesce(archived_at_ms, ?3) WHERE brand_id = ?1 AND id = ?2";

    FIND = "
SELECT t.id, v.version, v.name, v.rate_bp, v.rules, v.starts_at_ms, v.ends_at_ms, v.contract, t.archived_at_ms,
  v.created_at_ms FROM term_templates t
CROSS JOIN term_template_versions v ON v.brand_id = ?1 AND v.template_id = t.id AND v.version = t.version
WHERE t.brand_id = ?1 AND t.id = ?2";

    LIST = "
SELECT t.id, v.version, v.name, v.rate_bp, v.rules, v.starts_at_ms, v.ends_at_ms, v.contract, t.archived_at_ms,
  v.created_at_ms FROM term_templates t
CROSS JOIN term_template_versions v ON v.brand_id = ?1 AND v.template_id = t.id AND v.version = t.version
WHERE t.brand_id = ?1 AND t.id > ?2 AND (?4 = 1 OR t.archived_at_ms IS NULL) ORDER BY t.id LIMIT ?3";

    /// Before the version ?3, latest first.
    VERSIONS = "
SELECT v.template_id AS id, v.version, v.name, v.rate_bp, v.rules, v.starts_at_ms, v.ends_at_ms, v.contract,
  (SELECT t.archived_at_ms FROM term_templates t WHERE t.brand_id = ?1 AND t.id = ?2) AS archived_at_ms,
  v.created_at_ms
FROM term_template_versions v WHERE v.brand_id = ?1 AND v.template_id = ?2 AND v.version < ?3
ORDER BY v.version DESC LIMIT ?4";
}

row! {
    /// A template of terms as it is in one version.
    #[derive(Debug, Clone)]
    pub struct TermTemplateRow {
        /// Its id.
        pub id: TermTemplateId,
        /// Which version, from 1.
        pub version: i64,
        /// What the brand calls it.
        pub name: String,
        /// The rate.
        pub rate_bp: BasisPoints,
        /// Everything beside it.
        pub rules: Rules,
        /// From when on at the soonest.
        pub starts_at_ms: Option<Millis>,
        /// Until when.
        pub ends_at_ms: Option<Millis>,
        /// The words of the contract.
        pub contract: Option<String>,
        /// When it was put away, if it was.
        pub archived_at_ms: Option<Millis>,
        /// Since when it says this.
        pub created_at_ms: Millis,
    }
}

/// Stores a template with its first version.
#[must_use]
pub fn insert(brand: BrandId, row: &TermTemplateRow) -> [Statement; 2] {
    [bind!(INSERT, brand, row.id, row.created_at_ms), insert_version(brand, row)]
}

fn insert_version(brand: BrandId, row: &TermTemplateRow) -> Statement {
    bind!(
        INSERT_VERSION,
        brand,
        row.id,
        row.version,
        &row.name,
        row.rate_bp.points(),
        serde_json::to_string(&row.rules).unwrap_or_default(),
        row.starts_at_ms,
        row.ends_at_ms,
        row.contract.as_ref(),
        row.created_at_ms,
    )
}

/// Stores the version that follows the one before it; aborts if that isn't the present one any more, or
/// the template was put away (`term_template_archived`).
#[must_use]
pub fn advance(brand: BrandId, row: &TermTemplateRow) -> [Statement; 2] {
    [bind!(ADVANCE, brand, row.id, row.version - 1), insert_version(brand, row)]
}

/// Puts a template away; what was offered from it stays.
#[must_use]
pub fn archive(brand: BrandId, id: TermTemplateId, now_ms: Millis) -> Statement {
    bind!(ARCHIVE, brand, id, now_ms)
}

/// A template in its present version.
///
/// # Errors
/// [`super::DbError`].
pub fn find(
    db: &dyn Database,
    brand: BrandId,
    id: TermTemplateId,
) -> Reading<'_, Option<TermTemplateRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A page of templates; `all`: those that were put away too.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    page: &Page,
    all: bool,
) -> Reading<'a, Vec<TermTemplateRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit, all))
}

/// What a template said before a version, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn versions(
    db: &dyn Database,
    brand: BrandId,
    id: TermTemplateId,
    before: i64,
    limit: i64,
) -> Reading<'_, Vec<TermTemplateRow>> {
    db.all(bind!(VERSIONS, brand, id, before, limit))
}
