//! Creators and deals from files: who and what is known, and many at once, all or nothing.

use super::{Database, Freshness, Reading, Statement, access, bind, json_list, row, statements};
use crate::domain::deal::DealKind;
use crate::domain::ids::{
    BrandId, CampaignId, CreatorId, DealId, LinkId, MemberId, StoreId, TermsId,
};
use crate::domain::json::{json, list_of};
use crate::domain::time::Millis;

statements! {
    /// Who has one of the addresses whose hashes are ?2, one of the handles ?3, one of the ids ?4 or one of the
    /// handles on platforms ?5. Who was merged isn't among them, but the one she goes on as.
    KNOWN = "
SELECT c.id, c.name, c.handle, c.handle_key, c.email, c.email_hash, c.niche, c.followers, c.engagement_bp,
  c.tags, c.country, c.language, c.fields, c.revision, c.erased_at_ms,
  (SELECT json_group_array(h.platform || ' ' || h.handle_key) FROM creator_handles h
     WHERE h.brand_id = ?1 AND h.creator_id = c.id) AS handles,
  (SELECT json_group_array(m.id) FROM creators m INDEXED BY creators_merged
     WHERE m.brand_id = ?1 AND m.merged_into = c.id) AS merged
FROM (SELECT e.id FROM json_each(?2) j CROSS JOIN creators e INDEXED BY creators_by_email
        ON e.brand_id = ?1 AND e.email_hash = j.value
      UNION SELECT k.id FROM json_each(?3) j CROSS JOIN creators k INDEXED BY creators_by_handle
        ON k.brand_id = ?1 AND k.handle_key = j.value AND k.handle_key <> ''
      UNION SELECT coalesce(n.merged_into, n.id) FROM json_each(?4) j CROSS JOIN creators n
        ON n.brand_id = ?1 AND n.id = j.value
      UNION SELECT p.creator_id FROM json_each(?5) j CROSS JOIN creator_handles p INDEXED BY creator_handles_by_key
        ON p.brand_id = ?1 AND p.platform = j.value ->> 0 AND p.handle_key = j.value ->> 1) f
CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = f.id
WHERE c.merged_into IS NULL ORDER BY c.id";

    CAMPAIGNS = "SELECT id, name, stages, archived_at_ms FROM campaigns WHERE brand_id = ?1 ORDER BY id";

    /// Which of the ids ?2 are members'.
    MEMBERS = "
SELECT m.id FROM json_each(?2) j CROSS JOIN members m ON m.brand_id = ?1 AND m.id = j.value";

    /// Which of the ids ?2 are deals.
    DEALS = "
SELECT d.id, d.creator_id, d.campaign_id FROM json_each(?2) j
CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = j.value";

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

    /// Who was changed since she was read has no revision here, which aborts. Each is found by her id first (the
    /// LIMIT, which is never reached, keeps SQLite from joining the list with all of the brand).
    UPDATE_CREATORS = "
UPDATE creators SET name = h.value ->> 'n', handle = h.value ->> 'h', handle_key = h.value ->> 'k',
  email = h.value ->> 'e', email_hash = h.value ->> 'x', niche = h.value ->> 'w', followers = h.value ->> 'f',
  engagement_bp = h.value ->> 'b', tags = h.value -> 't', country = h.value ->> 'c', language = h.value ->> 'l',
  fields = h.value -> 'o',
  revision = iif(revision = h.value ->> 'r' AND erased_at_ms IS NULL AND merged_into IS NULL, revision + 1, NULL)
FROM (SELECT k.brand_id, k.id, j.value FROM json_each(?2) j
  CROSS JOIN creators k ON k.brand_id = ?1 AND k.id = j.value ->> 'i' LIMIT 100000) h
WHERE creators.brand_id = h.brand_id AND creators.id = h.id";

    /// A handle that she has stays as it is written.
    INSERT_HANDLES = "
INSERT INTO creator_handles (brand_id, creator_id, platform, handle, handle_key)
SELECT ?1, j.value ->> 'i', j.value ->> 'p', j.value ->> 'h', j.value ->> 'k' FROM json_each(?2) j
WHERE true ON CONFLICT DO NOTHING";

    /// A deal of one who has an open one in the campaign by now, or was erased, of a member who left, or in a
    /// campaign that was put away, has no stage here, which aborts.
    INSERT_DEALS = "
INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, kind, owner_id, created_at_ms, place)
SELECT ?1, j.value ->> 'i', j.value ->> 'c', j.value ->> 'g',
  iif(EXISTS (SELECT 1 FROM deals d INDEXED BY deals_by_creator WHERE d.brand_id = ?1
      AND d.creator_id = j.value ->> 'c' AND d.campaign_id = j.value ->> 'g' AND d.closed_at_ms IS NULL)
    OR EXISTS (SELECT 1 FROM creators c WHERE c.brand_id = ?1 AND c.id = j.value ->> 'c'
      AND c.erased_at_ms IS NOT NULL)
    OR EXISTS (SELECT 1 FROM campaigns g WHERE g.brand_id = ?1 AND g.id = j.value ->> 'g'
      AND g.archived_at_ms IS NOT NULL)
    OR j.value ->> 'o' IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members m WHERE m.brand_id = ?1
      AND m.id = j.value ->> 'o'), NULL, j.value ->> 's'),
  j.value -> 't', j.value ->> 'k', j.value ->> 'o', ?3,
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
        /// When she was erased.
        pub erased_at_ms: Option<Millis>,
        /// Her handles on platforms: platform, space, handle as compared.
        pub handles: Vec<String>,
        /// Who goes on as her.
        pub merged: Vec<CreatorId>,
    }
    /// A campaign.
    #[derive(Debug, Clone)]
    pub struct Board {
        /// Its id.
        pub id: CampaignId,
        /// Its name.
        pub name: String,
        /// Its stages, in order.
        pub stages: Vec<String>,
        /// When it was put away.
        pub archived_at_ms: Option<Millis>,
    }
    /// A deal that is there.
    #[derive(Debug, Clone)]
    pub struct DealThere {
        /// Its id.
        pub id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// In which campaign.
        pub campaign_id: CampaignId,
    }
}

/// What names creators in a file.
#[derive(Debug, Default)]
pub struct Names {
    /// Keyed hashes of addresses.
    pub hashes: Vec<String>,
    /// Handles as compared.
    pub handles: Vec<String>,
    /// Ids.
    pub ids: Vec<CreatorId>,
    /// Platforms with handles as compared.
    pub on_platforms: Vec<(String, String)>,
}

/// The creators who are named so, or those they go on as.
///
/// # Errors
/// [`super::DbError`].
pub fn known<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    names: &Names,
) -> Reading<'a, Vec<KnownCreator>> {
    let pair = |(platform, key): &(String, String)| json!([platform, key]);
    let pairs = list_of(&names.on_platforms.iter().map(pair).collect::<Vec<_>>());
    let (hashes, handles) = (json_list(&names.hashes), json_list(&names.handles));
    db.all(bind!(KNOWN, brand, hashes, handles, json_list(&names.ids), pairs))
}

/// All campaigns.
///
/// # Errors
/// [`super::DbError`].
pub fn boards(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<Board>> {
    db.all(bind!(CAMPAIGNS, brand))
}

/// Which of these are members of the brand.
///
/// # Errors
/// [`super::DbError`].
pub fn members<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[MemberId],
) -> Reading<'a, Vec<MemberId>> {
    let statement = bind!(MEMBERS, brand, json_list(ids));
    db.ask(Freshness::Primary, statement, |rows| rows.column("id"))
}

/// Which of these are deals of the brand.
///
/// # Errors
/// [`super::DbError`].
pub fn deals<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[DealId],
) -> Reading<'a, Vec<DealThere>> {
    db.all(bind!(DEALS, brand, json_list(ids)))
}

/// The open deals of these creators.
///
/// # Errors
/// [`super::DbError`].
pub fn open_deals<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    creators: &[CreatorId],
) -> Reading<'a, Vec<DealThere>> {
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
    pub kind: DealKind,
    /// The member who looks after it.
    pub owner: Option<MemberId>,
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

/// Changes creators to what is given here; aborts if one of them was changed since she was read. Invitations of
/// those whose address is `new` end: they went to none.
#[must_use]
pub fn update_creators(brand: BrandId, creators: &[ToStore], new: &[CreatorId]) -> Vec<Statement> {
    let all: Vec<String> = creators.iter().map(creator).collect();
    let mut batch = parts(&all, |list| bind!(UPDATE_CREATORS, brand, list));
    batch.extend(handles(brand, creators));
    if !new.is_empty() {
        batch.push(access::withdraw_all(brand, new));
    }
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
    let deal = |d: &ToDeal| json!({ "i": d.id, "c": d.creator, "g": d.campaign, "s": d.stage, "t": d.tags, "k": d.kind, "o": d.owner });
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
