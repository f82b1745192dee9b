//! Creators and deals from files: who and what is known, and many at once, all or nothing.

use super::{Database, Freshness, Reading, Statement, bind, json_list, row, statements};
use crate::domain::ids::{BrandId, CampaignId, CreatorId, DealId, LinkId, StoreId, TermsId};
use crate::domain::json::{json, list_of};
use crate::domain::time::Millis;

statements! {
    /// Who has one of the addresses whose hashes are ?2, or one of the handles ?3; nobody who was erased or merged.
    KNOWN = "
SELECT c.id, c.name, c.handle, c.handle_key, c.email, c.email_hash, c.niche, c.followers, c.engagement_bp,
  c.tags, c.country, c.language, c.fields, c.revision,
  (SELECT json_group_array(h.platform || ' ' || h.handle_key) FROM creator_handles h
     WHERE h.brand_id = ?1 AND h.creator_id = c.id) AS handles
FROM (SELECT e.id FROM json_each(?2) j CROSS JOIN creators e INDEXED BY creators_by_email
        ON e.brand_id = ?1 AND e.email_hash = j.value
      UNION SELECT k.id FROM json_each(?3) j CROSS JOIN creators k INDEXED BY creators_by_handle
        ON k.brand_id = ?1 AND k.handle_key = j.value AND k.handle_key <> ''
      UNION SELECT j.value FROM json_each(?4) j) f
CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = f.id
WHERE c.erased_at_ms IS NULL AND c.merged_into IS NULL ORDER BY c.id";

    FIELDS = "
SELECT id, name, kind, choices FROM creator_fields
WHERE brand_id = ?1 AND removed_at_ms IS NULL ORDER BY id";

    CAMPAIGNS = "SELECT id, name, stages FROM campaigns WHERE brand_id = ?1 AND archived_at_ms IS NULL ORDER BY id";

    /// The open deals of the creators ?2.
    OPEN_DEALS = "
SELECT d.id, d.creator_id, d.campaign_id FROM json_each(?2) j
CROSS JOIN deals d INDEXED BY deals_by_creator ON d.brand_id = ?1 AND d.creator_id = j.value
WHERE d.closed_at_ms IS NULL ORDER BY d.id";

    /// Which of the slugs ?3 are taken on the host ?2, or by the brand on another.
    TAKEN = "
SELECT j.value AS slug_key FROM json_each(?3) j
WHERE EXISTS (SELECT 1 FROM slugs WHERE host = ?2 AND slug_key = j.value)
  OR EXISTS (SELECT 1 FROM links WHERE brand_id = ?1 AND slug_key = j.value)";

    /// A creator whom somebody made meanwhile has no name here, which aborts.
    INSERT_CREATORS = "
INSERT INTO creators (brand_id, id, name, handle, handle_key, email, email_hash, niche, followers, engagement_bp,
  tags, country, language, fields, created_at_ms)
SELECT ?1, j.value ->> 'i', iif(EXISTS (SELECT 1 FROM creators c INDEXED BY creators_by_email WHERE c.brand_id = ?1
    AND c.email_hash = j.value ->> 'x') OR EXISTS (SELECT 1 FROM creators c INDEXED BY creators_by_handle
    WHERE c.brand_id = ?1 AND c.handle_key = j.value ->> 'k' AND c.handle_key <> ''
      AND (c.email_hash IS NULL OR j.value ->> 'x' IS NULL)), NULL, j.value ->> 'n'),
  j.value ->> 'h', j.value ->> 'k', j.value ->> 'e', j.value ->> 'x', j.value ->> 'w', j.value ->> 'f',
  j.value ->> 'b', j.value -> 't', j.value ->> 'c', j.value ->> 'l', j.value -> 'o', ?3
FROM json_each(?2) j";

    /// Who was changed since she was read has no revision here, which aborts.
    UPDATE_CREATORS = "
UPDATE creators SET name = j.value ->> 'n', handle = j.value ->> 'h', handle_key = j.value ->> 'k',
  email = j.value ->> 'e', email_hash = j.value ->> 'x', niche = j.value ->> 'w', followers = j.value ->> 'f',
  engagement_bp = j.value ->> 'b', tags = j.value -> 't', country = j.value ->> 'c', language = j.value ->> 'l',
  fields = j.value -> 'o',
  revision = iif(revision = j.value ->> 'r' AND erased_at_ms IS NULL AND merged_into IS NULL, revision + 1, NULL)
FROM json_each(?2) j WHERE creators.brand_id = ?1 AND creators.id = j.value ->> 'i'";

    /// A handle that she has stays as it is written.
    INSERT_HANDLES = "
INSERT INTO creator_handles (brand_id, creator_id, platform, handle, handle_key)
SELECT ?1, j.value ->> 'i', j.value ->> 'p', j.value ->> 'h', j.value ->> 'k' FROM json_each(?2) j
WHERE true ON CONFLICT DO NOTHING";

    /// A deal of one who has an open one in the campaign by now, or was erased, has no stage here, which aborts.
    INSERT_DEALS = "
INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, kind, created_at_ms, place)
SELECT ?1, j.value ->> 'i', j.value ->> 'c', j.value ->> 'g',
  iif(EXISTS (SELECT 1 FROM deals d INDEXED BY deals_by_creator WHERE d.brand_id = ?1
      AND d.creator_id = j.value ->> 'c' AND d.campaign_id = j.value ->> 'g' AND d.closed_at_ms IS NULL)
    OR EXISTS (SELECT 1 FROM creators c WHERE c.brand_id = ?1 AND c.id = j.value ->> 'c'
      AND c.erased_at_ms IS NOT NULL), NULL, j.value ->> 's'),
  j.value -> 't', j.value ->> 'k', ?3,
  coalesce((SELECT max(d.place) FROM deals d INDEXED BY deals_by_place WHERE d.brand_id = ?1
    AND d.campaign_id = j.value ->> 'g' AND d.stage = j.value ->> 's'), 0) + 1048576 * (j.key + 1)
FROM json_each(?2) j";

    INSERT_TERMS = "
INSERT INTO terms (brand_id, deal_id, starts_at_ms, version, id, rate_bp, created_at_ms, rules, reason)
SELECT ?1, j.value ->> 'd', j.value ->> 's', 1, j.value ->> 'i', j.value ->> 'r', ?3, ?4, ''
FROM json_each(?2) j";

    INSERT_LINKS = "
INSERT INTO links (brand_id, id, deal_id, store_id, slug, slug_key, host, target, created_at_ms)
SELECT ?1, j.value ->> 'i', j.value ->> 'd', ?3, j.value ->> 's', j.value ->> 'k', ?4, '/', ?5
FROM json_each(?2) j";

    INSERT_SLUGS = "
INSERT INTO slugs (brand_id, host, slug_key, link_id)
SELECT ?1, ?3, j.value ->> 'k', j.value ->> 'i' FROM json_each(?2) j";
}

row! {
    /// A creator who may be meant.
    #[derive(Debug, Clone)]
    pub struct KnownCreator {
        /// Her id.
        pub id: CreatorId,
        /// Her name.
        pub name: String,
        /// Her handle as written.
        pub handle: String,
        /// Her handle as compared.
        pub handle_key: String,
        /// Her address.
        pub email: Option<String>,
        /// Its keyed hash.
        pub email_hash: Option<String>,
        /// What she is about.
        pub niche: Option<String>,
        /// How many follow her.
        pub followers: Option<i64>,
        /// Her engagement rate in basis points.
        pub engagement_bp: Option<u16>,
        /// Her tags.
        pub tags: Vec<String>,
        /// ISO 3166-1.
        pub country: Option<String>,
        /// BCP 47.
        pub language: Option<String>,
        /// The brand's own fields, a JSON object by their ids.
        pub fields: String,
        /// How often she was changed.
        pub revision: i64,
        /// Her handles on platforms: platform, space, handle as compared.
        pub handles: Vec<String>,
    }
    /// A field of creators of the brand's own.
    #[derive(Debug, Clone)]
    pub struct Field {
        /// Its id.
        pub id: String,
        /// Its name.
        pub name: String,
        /// `text`, `number`, `date` or `choice`.
        pub kind: String,
        /// Of a choice: what there is to choose.
        pub choices: Vec<String>,
    }
    /// A campaign that isn't archived.
    #[derive(Debug, Clone)]
    pub struct Board {
        /// Its id.
        pub id: CampaignId,
        /// Its name.
        pub name: String,
        /// Its stages, in order.
        pub stages: Vec<String>,
    }
    /// An open deal.
    #[derive(Debug, Clone)]
    pub struct OpenDeal {
        /// Its id.
        pub id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// In which campaign.
        pub campaign_id: CampaignId,
    }
}

/// The creators who have one of these hashes of addresses, handles or ids.
///
/// # Errors
/// [`super::DbError`].
pub fn known<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    hashes: &[String],
    handles: &[String],
    ids: &[CreatorId],
) -> Reading<'a, Vec<KnownCreator>> {
    db.all(bind!(KNOWN, brand, json_list(hashes), json_list(handles), json_list(ids)))
}

/// The brand's own fields of creators.
///
/// # Errors
/// [`super::DbError`].
pub fn fields(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<Field>> {
    db.all(bind!(FIELDS, brand))
}

/// The campaigns that aren't archived.
///
/// # Errors
/// [`super::DbError`].
pub fn boards(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<Board>> {
    db.all(bind!(CAMPAIGNS, brand))
}

/// The open deals of these creators.
///
/// # Errors
/// [`super::DbError`].
pub fn open_deals<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    creators: &[CreatorId],
) -> Reading<'a, Vec<OpenDeal>> {
    db.all(bind!(OPEN_DEALS, brand, json_list(creators)))
}

/// Which of these slugs, as compared, can't be given any more on a host.
///
/// # Errors
/// [`super::DbError`].
pub fn taken<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    host: &str,
    slugs: &[String],
) -> Reading<'a, Vec<String>> {
    db.ask(Freshness::Primary, bind!(TAKEN, brand, host, json_list(slugs)), |rows| {
        rows.column("slug_key")
    })
}

/// A creator as she is to be stored, with her handles on platforms: platform, handle, handle as compared.
#[derive(Debug, Clone)]
pub struct ToStore {
    /// All of her.
    pub creator: KnownCreator,
    /// Handles that she hasn't yet.
    pub handles: Vec<(String, String, String)>,
}

/// A deal to be stored.
#[derive(Debug, Clone)]
pub struct ToDeal {
    /// Its id.
    pub id: DealId,
    /// Whose.
    pub creator: CreatorId,
    /// In which campaign.
    pub campaign: CampaignId,
    /// At which stage.
    pub stage: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// What is agreed, as people sort it.
    pub kind: &'static str,
    /// Its first terms: id, rate in basis points, start.
    pub terms: Option<(TermsId, u16, Millis)>,
    /// Its links: id, slug, slug as compared.
    pub links: Vec<(LinkId, String, String)>,
}

/// A parameter holds two megabytes: so many rows fit into one.
const AT_ONCE: usize = 1_000;

/// A statement for each part of the list that fits into a parameter.
fn parts(items: &[String], statement: impl Fn(String) -> Statement) -> Vec<Statement> {
    items.chunks(AT_ONCE).map(|some| statement(list_of(some))).collect()
}

fn creator(to: &ToStore) -> String {
    let c = &to.creator;
    json!({ "i": c.id, "n": c.name, "h": c.handle, "k": c.handle_key, "e": c.email, "x": c.email_hash,
        "w": c.niche, "f": c.followers, "b": c.engagement_bp, "t": c.tags, "c": c.country, "l": c.language,
        "o": crate::domain::json::Raw(&c.fields), "r": c.revision })
}

fn handles(brand: BrandId, creators: &[ToStore]) -> Vec<Statement> {
    let of = |to: &ToStore| {
        let id = to.creator.id;
        let one = |(p, h, k): &(String, String, String)| json!({ "i": id, "p": p, "h": h, "k": k });
        to.handles.iter().map(one).collect::<Vec<_>>()
    };
    parts(&creators.iter().flat_map(of).collect::<Vec<_>>(), |list| {
        bind!(INSERT_HANDLES, brand, list)
    })
}

/// Stores creators; aborts if one of them is there by now.
#[must_use]
pub fn insert_creators(brand: BrandId, creators: &[ToStore], now_ms: Millis) -> Vec<Statement> {
    let all: Vec<String> = creators.iter().map(creator).collect();
    let mut batch = parts(&all, |list| bind!(INSERT_CREATORS, brand, list, now_ms));
    batch.extend(handles(brand, creators));
    batch
}

/// Changes creators to what is given here; aborts if one of them was changed since she was read.
#[must_use]
pub fn update_creators(brand: BrandId, creators: &[ToStore]) -> Vec<Statement> {
    let all: Vec<String> = creators.iter().map(creator).collect();
    let mut batch = parts(&all, |list| bind!(UPDATE_CREATORS, brand, list));
    batch.extend(handles(brand, creators));
    batch
}

/// Stores deals with their first terms and links, which lead to the home page of `store`; aborts if a creator
/// has an open deal in the campaign by now, or a slug is taken. `rules` are those of all terms, as JSON.
#[must_use]
pub fn insert_deals(
    brand: BrandId,
    deals: &[ToDeal],
    rules: &str,
    (store, host): (Option<StoreId>, &str),
    now_ms: Millis,
) -> Vec<Statement> {
    let deal = |d: &ToDeal| json!({ "i": d.id, "c": d.creator, "g": d.campaign, "s": d.stage, "t": d.tags, "k": d.kind });
    let all: Vec<String> = deals.iter().map(deal).collect();
    let mut batch = parts(&all, |list| bind!(INSERT_DEALS, brand, list, now_ms));
    let terms = |d: &ToDeal| {
        let (id, rate, start) = d.terms?;
        Some(json!({ "d": d.id, "i": id, "r": rate, "s": start }))
    };
    let all: Vec<String> = deals.iter().filter_map(terms).collect();
    batch.extend(parts(&all, |list| bind!(INSERT_TERMS, brand, list, now_ms, rules)));
    let links = |d: &ToDeal| {
        let deal = d.id;
        let one = |(id, slug, key): &(LinkId, String, String)| json!({ "i": *id, "d": deal, "s": slug, "k": key });
        d.links.iter().map(one).collect::<Vec<_>>()
    };
    let all: Vec<String> = deals.iter().flat_map(links).collect();
    if let Some(store) = store {
        batch.extend(parts(&all, |list| bind!(INSERT_LINKS, brand, list, store, host, now_ms)));
        batch.extend(parts(&all, |list| bind!(INSERT_SLUGS, brand, list, host)));
    }
    batch
}
