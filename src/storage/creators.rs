//! Creators and campaigns.

use super::{
    Database, Freshness, Page, Reading, Statement, access, bind, json_list, row, spelling,
    statements,
};
use crate::domain::creator::{FieldKind, normal_handle};
use crate::domain::ids::{BrandId, CampaignId, CreatorId, FieldId, PersonId};
use crate::domain::json::{json, list_of};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO creators (brand_id, id, name, handle, handle_key, email, email_hash, niche, followers,
  engagement_bp, tags, country, language, fields, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

    /// All that the API shows of her; ?15 the revision that was read: another aborts, as does one who was
    /// erased or merged.
    UPDATE = "
UPDATE creators SET name = ?3, handle = ?4, handle_key = ?5, email = ?6, email_hash = ?7, niche = ?8,
  followers = ?9, engagement_bp = ?10, tags = ?11, country = ?12, language = ?13, fields = ?14,
  revision = iif(revision = ?15 AND erased_at_ms IS NULL AND merged_into IS NULL, revision + 1, NULL)
WHERE brand_id = ?1 AND id = ?2";

    DROP_HANDLES = "DELETE FROM creator_handles WHERE brand_id = ?1 AND creator_id = ?2";

    /// ?3 is a JSON list of platform `p`, handle `h` and what is compared, `k`.
    PUT_HANDLES = "
INSERT INTO creator_handles (brand_id, creator_id, platform, handle, handle_key)
SELECT ?1, ?2, j.value ->> 'p', j.value ->> 'h', j.value ->> 'k' FROM json_each(?3) j WHERE true
ON CONFLICT DO NOTHING";

    FIND = "
SELECT c.id, c.name, c.handle, c.email, c.niche, c.followers, c.engagement_bp, c.tags, c.country,
  c.language, c.merged_into, c.revision, c.erased_at_ms, c.person_id,
  (SELECT json_group_object(j.key, j.value) FROM json_each(c.fields) j CROSS JOIN creator_fields f
     ON f.brand_id = ?1 AND f.id = j.key WHERE f.removed_at_ms IS NULL) AS fields,
  (SELECT json_group_array(json_object('platform', h.platform, 'handle', h.handle) ORDER BY h.platform, h.handle_key)
     FROM creator_handles h WHERE h.brand_id = ?1 AND h.creator_id = c.id) AS handles
FROM creators c WHERE c.brand_id = ?1 AND c.id = ?2";

    LIST = "
SELECT c.id, c.name, c.handle, c.email, c.niche, c.followers, c.engagement_bp, c.tags, c.country,
  c.language, c.merged_into, c.revision, c.erased_at_ms, c.person_id,
  (SELECT json_group_object(j.key, j.value) FROM json_each(c.fields) j CROSS JOIN creator_fields f
     ON f.brand_id = ?1 AND f.id = j.key WHERE f.removed_at_ms IS NULL) AS fields,
  (SELECT json_group_array(json_object('platform', h.platform, 'handle', h.handle) ORDER BY h.platform, h.handle_key)
     FROM creator_handles h WHERE h.brand_id = ?1 AND h.creator_id = c.id) AS handles
FROM creators c WHERE c.brand_id = ?1 AND c.id > ?2 AND c.merged_into IS NULL ORDER BY c.id LIMIT ?3";

    BY_IDS = "
SELECT c.id, c.name, c.handle, c.email, c.niche, c.followers, c.engagement_bp, c.tags, c.country,
  c.language, c.merged_into, c.revision, c.erased_at_ms, c.person_id,
  (SELECT json_group_object(j.key, j.value) FROM json_each(c.fields) j CROSS JOIN creator_fields f
     ON f.brand_id = ?1 AND f.id = j.key WHERE f.removed_at_ms IS NULL) AS fields,
  (SELECT json_group_array(json_object('platform', h.platform, 'handle', h.handle) ORDER BY h.platform, h.handle_key)
     FROM creator_handles h WHERE h.brand_id = ?1 AND h.creator_id = c.id) AS handles
FROM json_each(?2) i CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = i.value";

    /// The id of the ?3-th creator after ?2, where the next look begins.
    LOOKED_TO = "
SELECT id FROM creators WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT 1 OFFSET ?3";

    /// Of the next ?3 creators after ?2 those whom others share an address or a handle with, and none of
    /// them came before; at most 20 of each.
    DUPLICATES = "
SELECT f.id, f.kind, f.platform, f.others FROM (
  SELECT part.id, 'email' AS kind, NULL AS platform,
    (SELECT json_group_array(h.id) FROM (SELECT o.id FROM creators o WHERE o.brand_id = ?1
       AND o.email_hash = part.email_hash AND o.id > part.id ORDER BY o.id LIMIT 20) h) AS others
  FROM (SELECT id, email_hash FROM creators WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3) part
  WHERE part.email_hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM creators o WHERE o.brand_id = ?1
    AND o.email_hash = part.email_hash AND o.id < part.id)
  UNION ALL SELECT part.id, 'handle', NULL,
    (SELECT json_group_array(h.id) FROM (SELECT o.id FROM creators o WHERE o.brand_id = ?1
       AND o.handle_key = part.handle_key AND o.handle_key <> '' AND o.id > part.id ORDER BY o.id LIMIT 20) h)
  FROM (SELECT id, handle_key FROM creators WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3) part
  WHERE part.handle_key <> '' AND NOT EXISTS (SELECT 1 FROM creators o WHERE o.brand_id = ?1
    AND o.handle_key = part.handle_key AND o.handle_key <> '' AND o.id < part.id)
  UNION ALL SELECT part.id, 'handle', k.platform,
    (SELECT json_group_array(h.creator_id) FROM (SELECT o.creator_id FROM creator_handles o
       INDEXED BY creator_handles_by_key WHERE o.brand_id = ?1
       AND o.platform = k.platform AND o.handle_key = k.handle_key AND o.creator_id > part.id
       ORDER BY o.creator_id LIMIT 20) h)
  FROM (SELECT id FROM creators WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3) part
  CROSS JOIN creator_handles k ON k.brand_id = ?1 AND k.creator_id = part.id
  WHERE NOT EXISTS (SELECT 1 FROM creator_handles o INDEXED BY creator_handles_by_key
    WHERE o.brand_id = ?1 AND o.platform = k.platform
    AND o.handle_key = k.handle_key AND o.creator_id < part.id)
) f WHERE f.others <> '[]' ORDER BY f.id, f.kind, f.platform LIMIT 4000";

    /// The address of ?2, where ?3 has another, and those of who was merged into her before. Before
    /// [`MERGE`], which takes them from her.
    MERGE_ADDRESSES = "
UPDATE creators SET other_hashes = (
  SELECT nullif(trim(concat_ws(' ', creators.other_hashes, o.other_hashes,
    iif(creators.email_hash <> o.email_hash, o.email_hash, NULL))), '')
  FROM creators o WHERE o.brand_id = ?1 AND o.id = ?2)
WHERE brand_id = ?1 AND id = ?3";

    /// Who stays is named, all else goes; ?4 the revision that was read. One with books, or into one who
    /// isn't there, aborts.
    MERGE = "
UPDATE creators SET merged_into = ?3, name = 'Merged creator', handle = '', handle_key = '', email = NULL,
  email_hash = NULL, other_hashes = NULL, niche = NULL, followers = NULL, engagement_bp = NULL, tags = '[]',
  country = NULL, language = NULL, fields = '{}', person_id = NULL, revision = iif(revision = ?4, revision + 1, NULL)
WHERE brand_id = ?1 AND id = ?2";

    MERGE_EARLIER = "
UPDATE creators SET merged_into = ?3 WHERE brand_id = ?1 AND merged_into = ?2";

    MERGE_PERSON = "
UPDATE creators SET person_id = coalesce(person_id, ?3) WHERE brand_id = ?1 AND id = ?2";

    MERGE_HANDLES = "
INSERT INTO creator_handles (brand_id, creator_id, platform, handle, handle_key)
SELECT ?1, ?3, platform, handle, handle_key FROM creator_handles WHERE brand_id = ?1 AND creator_id = ?2
UNION ALL SELECT ?1, ?3, 'other', handle, handle_key FROM creators
WHERE brand_id = ?1 AND id = ?2 AND handle_key <> '' AND handle_key <>
  (SELECT handle_key FROM creators WHERE brand_id = ?1 AND id = ?3)
ON CONFLICT DO NOTHING";

    /// After whatever else names the deals of ?2 by her.
    MERGE_DEALS = "
UPDATE deals SET creator_id = ?3, revision = revision + 1 WHERE brand_id = ?1 AND creator_id = ?2";

    MERGE_FEES = "
UPDATE fees SET creator_id = ?3
WHERE brand_id = ?1 AND creator_id = ?2 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    MERGE_OFFERS = "
UPDATE offers SET creator_id = ?3
WHERE brand_id = ?1 AND creator_id = ?2 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    MERGE_INVITATIONS = "
UPDATE invitations SET creator_id = ?3 WHERE brand_id = ?1 AND creator_id = ?2 AND accepted_at_ms IS NOT NULL";

    MERGE_CLAIMS = "
UPDATE OR IGNORE claims SET creator_id = ?3 WHERE brand_id = ?1 AND creator_id = ?2";

    DROP_CLAIMS = "DELETE FROM claims WHERE brand_id = ?1 AND creator_id = ?2";

    DROP_DETAILS = "DELETE FROM payment_details WHERE brand_id = ?1 AND creator_id = ?2";

    /// Whether the books name her: the ledger, payouts, or orders of her deals.
    HAS_BOOKS = "
SELECT EXISTS (SELECT 1 FROM entries WHERE brand_id = ?1 AND creator_id = ?2)
  OR EXISTS (SELECT 1 FROM payout_lines WHERE brand_id = ?1 AND creator_id = ?2)
  OR EXISTS (SELECT 1 FROM deals d CROSS JOIN orders o INDEXED BY orders_by_deal ON o.brand_id = ?1 AND o.deal_id = d.id
       WHERE d.brand_id = ?1 AND d.creator_id = ?2) AS books";

    FIELDS = "
SELECT id, name, kind, choices FROM creator_fields
WHERE brand_id = ?1 AND removed_at_ms IS NULL ORDER BY id";

    /// More than fifty abort.
    INSERT_FIELD = "
INSERT INTO creator_fields (brand_id, id, name, kind, choices, created_at_ms)
VALUES (?1, ?2, iif((SELECT count(*) FROM creator_fields WHERE brand_id = ?1 AND removed_at_ms IS NULL) < 50,
  ?3, NULL), ?4, ?5, ?6)";

    UPDATE_FIELD = "
UPDATE creator_fields SET name = coalesce(?3, name), choices = coalesce(?4, choices), removed_at_ms = ?5
WHERE brand_id = ?1 AND id = ?2 AND removed_at_ms IS NULL";

    INSERT_CAMPAIGN = "
INSERT INTO campaigns (brand_id, id, name, stages, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";

    FIND_CAMPAIGN = "
SELECT id, name, stages, archived_at_ms, revision FROM campaigns WHERE brand_id = ?1 AND id = ?2";

    LIST_CAMPAIGNS = "
SELECT id, name, stages, archived_at_ms, revision FROM campaigns WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
}

spelling!(FieldKind { Text = "text", Number = "number", Date = "date", Choice = "choice" });

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
        /// Her handles on platforms.
        pub handles: Vec<HandleRow>,
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
        /// Where she lives, ISO 3166-1.
        pub country: Option<String>,
        /// What she speaks, BCP 47.
        pub language: Option<String>,
        /// The brand's own fields, a JSON object by their ids; removed ones aren't in it.
        pub fields: String,
        /// Who stayed of two who were the same, if that wasn't her.
        pub merged_into: Option<CreatorId>,
        /// How often she was changed.
        pub revision: i64,
        /// When she was erased.
        pub erased_at_ms: Option<Millis>,
        /// Who signs in as her.
        pub person_id: Option<PersonId>,
    }
    /// A handle on a platform.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct HandleRow {
        /// Where: `instagram`.
        pub platform: String,
        /// As it is written.
        pub handle: String,
    }
    /// A field of creators of the brand's own.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct FieldRow {
        /// Its id.
        pub id: FieldId,
        /// Its name.
        pub name: String,
        /// What it holds.
        pub kind: FieldKind,
        /// Of a choice: what there is to choose.
        pub choices: Vec<String>,
    }
    /// Creators who may be the same.
    #[derive(Debug, Clone)]
    pub struct DuplicateRow {
        /// The one who was there first.
        pub id: CreatorId,
        /// `email` or `handle`.
        pub kind: String,
        /// On which platform they have the handle; `None` for the one they go by.
        pub platform: Option<String>,
        /// The others, oldest first.
        pub others: Vec<CreatorId>,
    }
    struct Books {
        books: bool,
    }
}

/// Stores a creator with her handles.
#[must_use]
pub fn insert(
    brand: BrandId,
    creator: &CreatorRow,
    email_hash: Option<String>,
    now_ms: Millis,
) -> [Statement; 2] {
    let mut statement = of(INSERT, brand, creator, email_hash);
    statement.params.push(now_ms.into());
    [statement, put_handles(brand, creator)]
}

/// Stores all that can be changed of a creator, and her handles; aborts if she was changed since she was
/// read, was erased, or merged.
#[must_use]
pub fn update(brand: BrandId, creator: &CreatorRow, email_hash: Option<String>) -> [Statement; 3] {
    let mut statement = of(UPDATE, brand, creator, email_hash);
    statement.params.push(creator.revision.into());
    [statement, bind!(DROP_HANDLES, brand, creator.id), put_handles(brand, creator)]
}

fn of(
    sql: &'static str,
    brand: BrandId,
    creator: &CreatorRow,
    email_hash: Option<String>,
) -> Statement {
    bind!(
        sql,
        brand,
        creator.id,
        &creator.name,
        &creator.handle,
        normal_handle(&creator.handle),
        creator.email.as_ref(),
        email_hash,
        creator.niche.as_ref(),
        creator.followers,
        creator.engagement_bp,
        &creator.tags,
        creator.country.as_ref(),
        creator.language.as_ref(),
        &creator.fields,
    )
}

fn put_handles(brand: BrandId, creator: &CreatorRow) -> Statement {
    let one = |row: &HandleRow| json!({ "p": row.platform, "h": row.handle, "k": normal_handle(&row.handle) });
    let list = list_of(&creator.handles.iter().map(one).collect::<Vec<_>>());
    bind!(PUT_HANDLES, brand, creator.id, list)
}

/// Lets one creator go on in another: her deals, handles, waiting fees, offers and claims become the
/// other's, who takes over the person that signs in if she has none. What is sealed to the one who goes,
/// and what let her in, ends. Aborts if she has books, or was changed since.
#[must_use]
pub fn merge(brand: BrandId, from: &CreatorRow, into: CreatorId) -> Vec<Statement> {
    let id = from.id;
    vec![
        bind!(MERGE_FEES, brand, id, into),
        bind!(MERGE_OFFERS, brand, id, into),
        bind!(MERGE_HANDLES, brand, id, into),
        bind!(MERGE_ADDRESSES, brand, id, into),
        bind!(MERGE, brand, id, into, from.revision),
        bind!(MERGE_EARLIER, brand, id, into),
        bind!(MERGE_PERSON, brand, into, from.person_id),
        bind!(DROP_HANDLES, brand, id),
        bind!(MERGE_DEALS, brand, id, into),
        bind!(MERGE_INVITATIONS, brand, id, into),
        bind!(MERGE_CLAIMS, brand, id, into),
        bind!(DROP_CLAIMS, brand, id),
        bind!(DROP_DETAILS, brand, id),
        access::withdraw(brand, id),
        access::end_tokens(brand, id),
    ]
}

/// Whether the books name a creator, so that she has to stay.
///
/// # Errors
/// [`super::DbError`].
pub fn has_books(db: &dyn Database, brand: BrandId, id: CreatorId) -> Reading<'_, bool> {
    db.ask(Freshness::Primary, bind!(HAS_BOOKS, brand, id), |rows| {
        Ok(rows.first::<Books>()?.is_some_and(|row| row.books))
    })
}

/// Creators who may be the same as others, among the next `looked_at` after `after`.
///
/// # Errors
/// [`super::DbError`].
pub fn duplicates<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    after: &str,
    looked_at: i64,
) -> Reading<'a, Vec<DuplicateRow>> {
    db.all(bind!(DUPLICATES, brand, after, looked_at))
}

/// The last of the next `looked_at` creators after `after`, if there are so many.
///
/// # Errors
/// [`super::DbError`].
pub fn looked_to<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    after: &str,
    looked_at: i64,
) -> Reading<'a, Vec<CreatorId>> {
    let statement = bind!(LOOKED_TO, brand, after, looked_at - 1);
    db.ask(Freshness::Primary, statement, |rows| rows.column("id"))
}

/// The creators with these ids, in any order.
///
/// # Errors
/// [`super::DbError`].
pub fn by_ids<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[CreatorId],
) -> Reading<'a, Vec<CreatorRow>> {
    db.all(bind!(BY_IDS, brand, json_list(ids)))
}

/// The brand's own fields, oldest first.
///
/// # Errors
/// [`super::DbError`].
pub fn fields(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<FieldRow>> {
    db.all(bind!(FIELDS, brand))
}

/// Stores a field; a name that is taken, or more than fifty, aborts.
#[must_use]
pub fn insert_field(brand: BrandId, field: &FieldRow, now_ms: Millis) -> Statement {
    let choices = json_list(&field.choices);
    bind!(INSERT_FIELD, brand, field.id, &field.name, field.kind, choices, now_ms)
}

/// Changes a field's name or choices, where given, or removes it.
#[must_use]
pub fn update_field(
    brand: BrandId,
    id: FieldId,
    (name, choices): (Option<&str>, Option<&[String]>),
    removed_at_ms: Option<Millis>,
) -> Statement {
    bind!(UPDATE_FIELD, brand, id, name, choices.map(json_list), removed_at_ms)
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
        /// When it was put away.
        pub archived_at_ms: Option<Millis>,
        /// How often it was changed.
        pub revision: i64,
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
