//! Templates of messages.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, TemplateId};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO message_templates (brand_id, id, name, subject, text, created_at_ms, updated_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";

    /// ?6 the revision that was read: another aborts.
    UPDATE = "
UPDATE message_templates SET name = ?3, subject = ?4, text = ?5, updated_at_ms = ?7,
  revision = iif(revision = ?6, revision + 1, NULL) WHERE brand_id = ?1 AND id = ?2";

    /// A trigger refuses it while a sequence needs it.
    DELETE = "DELETE FROM message_templates WHERE brand_id = ?1 AND id = ?2";

    FIND = "
SELECT id, name, subject, text, revision, created_at_ms, updated_at_ms FROM message_templates
WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT id, name, subject, text, revision, created_at_ms, updated_at_ms FROM message_templates
WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
}

row! {
    /// A template.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TemplateRow {
        /// Its id.
        pub id: TemplateId,
        /// What the brand calls it.
        pub name: String,
        /// The subject, with fields.
        pub subject: String,
        /// The text, with fields.
        pub text: String,
        /// How often it was changed.
        pub revision: i64,
        /// Since when.
        pub created_at_ms: Millis,
        /// When it was changed.
        pub updated_at_ms: Millis,
    }
}

/// Stores a template.
#[must_use]
pub fn insert(brand: BrandId, row: &TemplateRow) -> Statement {
    bind!(INSERT, brand, row.id, &row.name, &row.subject, &row.text, row.created_at_ms)
}

/// Stores what a template is now; one that changed since it was read aborts.
#[must_use]
pub fn update(brand: BrandId, row: &TemplateRow, now_ms: Millis) -> Statement {
    bind!(UPDATE, brand, row.id, &row.name, &row.subject, &row.text, row.revision, now_ms)
}

/// Deletes a template; one that a sequence needs aborts (`template_in_use`).
#[must_use]
pub fn delete(brand: BrandId, id: TemplateId) -> Statement {
    bind!(DELETE, brand, id)
}

/// One template.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: TemplateId) -> Reading<'_, Option<TemplateRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A page of templates.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    page: &Page,
) -> Reading<'a, Vec<TemplateRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}
