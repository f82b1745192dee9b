//! Terms that wait for an answer: offers of the brand, and requests of creators.

use super::{Database, Page, Reading, Statement, bind, json_list, row, statements};
use crate::domain::ids::{BrandId, CreatorId, DealId, OfferId, TermTemplateId, TermsId};
use crate::domain::money::BasisPoints;
use crate::domain::terms::Rules;
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO offers (brand_id, id, deal_id, creator_id, kind, rate_bp, rules, starts_at_ms, ends_at_ms,
  document, hash, note, state, created_at_ms, template_id, template_version)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'waiting', ?13, ?14, ?15)";

    /// What was answered before makes the revision 2, which aborts.
    ANSWER = "
UPDATE offers SET state = ?3, answer = ?4, terms_id = ?5, decided_at_ms = ?6, revision = revision + 1
WHERE brand_id = ?1 AND id = ?2";

    FIND = "
SELECT id, deal_id, creator_id, kind, rate_bp, rules, starts_at_ms, ends_at_ms, document, hash, note, state,
  answer, terms_id, template_id, template_version, created_at_ms, decided_at_ms FROM offers WHERE brand_id = ?1 AND id = ?2";

    /// ?2 before id, ?3 limit, ?4 state or NULL, ?5 kind or NULL. Latest first.
    LIST = "
SELECT id, deal_id, creator_id, kind, rate_bp, rules, starts_at_ms, ends_at_ms, document, hash, note, state,
  answer, terms_id, template_id, template_version, created_at_ms, decided_at_ms FROM offers
WHERE brand_id = ?1 AND id < ?2 AND (?4 IS NULL OR state = ?4) AND (?5 IS NULL OR kind = ?5)
ORDER BY id DESC LIMIT ?3";

    /// Of the deals in ?4.
    LIST_OF_DEALS = "
SELECT o.id, o.deal_id, o.creator_id, o.kind, o.rate_bp, o.rules, o.starts_at_ms, o.ends_at_ms, o.document,
  o.hash, o.note, o.state, o.answer, o.terms_id, o.template_id, o.template_version, o.created_at_ms, o.decided_at_ms
FROM json_each(?4) j CROSS JOIN offers o INDEXED BY offers_by_deal ON o.brand_id = ?1 AND o.deal_id = j.value
WHERE o.id < ?2 ORDER BY o.id DESC LIMIT ?3";
}

row! {
    /// Terms that wait for an answer, or had one.
    #[derive(Debug, Clone)]
    pub struct OfferRow {
        /// Its id.
        pub id: OfferId,
        /// For which deal.
        pub deal_id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// `offer` by the brand, `request` by the creator.
        pub kind: String,
        /// The rate.
        pub rate_bp: BasisPoints,
        /// Everything beside it.
        pub rules: Rules,
        /// From when on at the soonest; at once if nothing is said.
        pub starts_at_ms: Option<Millis>,
        /// Until when.
        pub ends_at_ms: Option<Millis>,
        /// The text that is agreed to.
        pub document: String,
        /// Its SHA-256 in hex.
        pub hash: String,
        /// What whoever made it said to it.
        pub note: Option<String>,
        /// `waiting`, `accepted`, `declined` or `withdrawn`.
        pub state: String,
        /// What whoever answered said.
        pub answer: Option<String>,
        /// The version of terms that it became.
        pub terms_id: Option<TermsId>,
        /// The template that it was copied from,
        pub template_id: Option<TermTemplateId>,
        /// in its version then.
        pub template_version: Option<i64>,
        /// When it was made.
        pub created_at_ms: Millis,
        /// When it was answered.
        pub decided_at_ms: Option<Millis>,
    }
}

/// Stores an offer or a request that waits; the second of a kind for one deal aborts.
#[must_use]
pub fn insert(brand: BrandId, offer: &OfferRow) -> Statement {
    bind!(
        INSERT,
        brand,
        offer.id,
        offer.deal_id,
        offer.creator_id,
        &offer.kind,
        offer.rate_bp.points(),
        serde_json::to_string(&offer.rules).unwrap_or_default(),
        offer.starts_at_ms,
        offer.ends_at_ms,
        &offer.document,
        &offer.hash,
        offer.note.as_deref(),
        offer.created_at_ms,
        offer.template_id,
        offer.template_version,
    )
}

/// Answers one that waits; aborts if it was answered before.
#[must_use]
pub fn answer(
    brand: BrandId,
    id: OfferId,
    state: &str,
    (answer, terms): (Option<&str>, Option<TermsId>),
    now_ms: Millis,
) -> Statement {
    bind!(ANSWER, brand, id, state, answer, terms, now_ms)
}

/// One offer or request.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: OfferId) -> Reading<'_, Option<OfferRow>> {
    db.first(bind!(FIND, brand, id))
}

/// The key before which a page begins, latest first.
fn before(page: &Page) -> &str {
    if page.after.is_empty() { "~" } else { &page.after }
}

/// A page of the brand's offers and requests, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    (state, kind): (Option<&str>, Option<&str>),
    page: &Page,
) -> Reading<'a, Vec<OfferRow>> {
    db.all(bind!(LIST, brand, before(page), page.limit, state, kind))
}

/// A page of those of some deals, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn list_of_deals<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deals: &[DealId],
    page: &Page,
) -> Reading<'a, Vec<OfferRow>> {
    db.all(bind!(LIST_OF_DEALS, brand, before(page), page.limit, json_list(deals)))
}
