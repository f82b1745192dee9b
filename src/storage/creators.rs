//! Creators and campaigns.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CampaignId, CreatorId};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO creators (brand_id, id, name, handle, email, email_hash, niche, followers,
  engagement_bp, tags, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

    FIND = "
SELECT id, name, handle, email, niche, followers, engagement_bp, tags FROM creators
WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT id, name, handle, email, niche, followers, engagement_bp, tags FROM creators
WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    INSERT_CAMPAIGN = "
INSERT INTO campaigns (brand_id, id, name, stages, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";

    FIND_CAMPAIGN = "SELECT id, name, stages FROM campaigns WHERE brand_id = ?1 AND id = ?2";

    LIST_CAMPAIGNS = "
SELECT id, name, stages FROM campaigns WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
}

row! {
    /// A creator.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CreatorRow {
        /// Her id.
        pub id: CreatorId,
        /// Her name.
        pub name: String,
        /// Her handle.
        pub handle: String,
        /// Her address.
        pub email: Option<String>,
        /// What she is about.
        pub niche: Option<String>,
        /// How many follow her.
        pub followers: Option<i64>,
        /// Her engagement rate in basis points.
        pub engagement_bp: Option<u16>,
        /// Tags, a JSON list.
        pub tags: String,
    }
}

/// Stores a creator.
#[must_use]
pub fn insert(
    brand: BrandId,
    creator: &CreatorRow,
    email_hash: Option<String>,
    now_ms: Millis,
) -> Statement {
    bind!(
        INSERT,
        brand,
        creator.id,
        &creator.name,
        &creator.handle,
        creator.email.as_ref(),
        email_hash,
        creator.niche.as_ref(),
        creator.followers,
        creator.engagement_bp,
        &creator.tags,
        now_ms,
    )
}

/// One creator.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: CreatorId) -> Reading<'_, Option<CreatorRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A page of creators.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<CreatorRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

row! {
    /// A campaign.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CampaignRow {
        /// Its id.
        pub id: CampaignId,
        /// Its name.
        pub name: String,
        /// Its stages in order, a JSON list.
        pub stages: String,
    }
}

/// Stores a campaign.
#[must_use]
pub fn insert_campaign(brand: BrandId, campaign: &CampaignRow, now_ms: Millis) -> Statement {
    bind!(INSERT_CAMPAIGN, brand, campaign.id, &campaign.name, &campaign.stages, now_ms)
}

/// One campaign.
///
/// # Errors
/// [`super::DbError`].
pub fn campaign(
    db: &dyn Database,
    brand: BrandId,
    id: CampaignId,
) -> Reading<'_, Option<CampaignRow>> {
    db.first(bind!(FIND_CAMPAIGN, brand, id))
}

/// A page of campaigns.
///
/// # Errors
/// [`super::DbError`].
pub fn campaigns<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    page: &Page,
) -> Reading<'a, Vec<CampaignRow>> {
    db.all(bind!(LIST_CAMPAIGNS, brand, &page.after, page.limit))
}
