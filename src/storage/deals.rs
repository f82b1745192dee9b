//! Deals and the versions of their terms.

use super::brands;
use super::codes::CodeRow;
use super::{
    Database, Freshness, Page, Reading, Statement, bind, json_list, row, spelling, statements,
};
use crate::domain::deal::DealKind;
use crate::domain::ids::{
    BrandId, CampaignId, CodeId, CreatorId, DealId, LinkId, MemberId, TermsId,
};
use crate::domain::json::{json, list_of};
use crate::domain::money::BasisPoints;
use crate::domain::terms::{Rules, Terms};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms, kind, place)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1048576 + coalesce((SELECT max(place) FROM deals
  WHERE brand_id = ?1 AND campaign_id = ?4 AND stage = ?5), 0))";

    /// What is NULL stays; ?5 is 1 to close (once), 0 to open, at ?6. ?7 the revision that was read:
    /// another aborts. So does a stage past the fees that wait for it. At another stage it comes last. ?9 is
    /// 1 to give it to the member ?10, or to nobody.
    UPDATE = "
UPDATE deals SET stage = coalesce(?3, stage), place = iif(?3 IS NULL OR ?3 = stage, place, 1048576 + coalesce(
    (SELECT max(o.place) FROM deals o WHERE o.brand_id = ?1 AND o.campaign_id = deals.campaign_id AND o.stage = ?3), 0)),
  kind = coalesce(?8, kind), owner_id = iif(?9 = 1, ?10, owner_id), tags = coalesce(?4, tags), closed_at_ms = CASE ?5
  WHEN 1 THEN coalesce(closed_at_ms, ?6) WHEN 0 THEN NULL ELSE closed_at_ms END,
  revision = iif(revision = ?7, revision + 1, NULL)
WHERE brand_id = ?1 AND id = ?2";

    CONTACTED = "
UPDATE deals SET contacted_at_ms = max(coalesce(contacted_at_ms, 0), ?3) WHERE brand_id = ?1 AND id = ?2";

    /// ?7: start as soon as ?3 allows and no order is decided, instead of exactly then: after all of its
    /// second, where one was told in whole seconds, for such an order sees the terms of that second.
    /// ?11: if other terms were agreed after that, no version is found, which aborts.
    INSERT_TERMS = "
INSERT INTO terms (brand_id, deal_id, starts_at_ms, version, id, rate_bp, created_at_ms, ends_at_ms, rules, reason)
SELECT ?1, ?2, iif(?7 = 1, max(?3, coalesce(
    (SELECT max(placed_at_ms + iif(placed_at_ms % 1000 = 0, 1000, 1)) FROM orders WHERE brand_id = ?1 AND deal_id = ?2
      AND placed_at_ms > (SELECT max(placed_at_ms) - 1000 FROM orders WHERE brand_id = ?1 AND deal_id = ?2)), 0)), ?3),
  iif(?11 IS NULL OR NOT EXISTS (SELECT 1 FROM terms WHERE brand_id = ?1 AND deal_id = ?2 AND created_at_ms > ?11),
    1 + (SELECT count(*) FROM terms WHERE brand_id = ?1 AND deal_id = ?2), NULL), ?4, ?5, ?6, ?8, ?9, ?10";

    /// From now on orders are counted by customer: first all that are known, by a trigger of `orders`.
    COUNT_CUSTOMERS = "
UPDATE orders SET seen = json_patch(coalesce(seen, '{}'), '{\"c\":1}')
WHERE brand_id = ?1 AND (SELECT counts_customers FROM brands WHERE id = ?1) = 0
  AND seen ->> 'c' IS NULL AND facts ->> '$.evidence[1].email_hash' IS NOT NULL
  AND facts ->> '$.snapshot.test' = 0";

    /// ?1 brand, ?2 deals, ?3 now.
    BY_IDS = "
SELECT d.id, d.creator_id, d.campaign_id, d.stage, d.tags, d.closed_at_ms, d.revision, c.name AS campaign,
  d.kind, d.owner_id, d.contacted_at_ms,
  (SELECT json_object('id', t.id, 'rate_bp', t.rate_bp, 'starts_at_ms', t.starts_at_ms,
       'ends_at_ms', t.ends_at_ms, 'rules', json(t.rules), 'reason', t.reason)
     FROM terms t WHERE t.brand_id = ?1 AND t.deal_id = d.id AND t.starts_at_ms <= ?3
       AND (t.ends_at_ms IS NULL OR t.ends_at_ms > ?3)
     ORDER BY t.starts_at_ms DESC, t.version DESC LIMIT 1) AS terms,
  (SELECT json_object('id', t.id, 'rate_bp', t.rate_bp, 'starts_at_ms', t.starts_at_ms,
       'ends_at_ms', t.ends_at_ms, 'rules', json(t.rules), 'reason', t.reason)
     FROM terms t WHERE t.brand_id = ?1 AND t.deal_id = d.id AND t.starts_at_ms > ?3
     ORDER BY t.starts_at_ms, t.version DESC LIMIT 1) AS next_terms,
  (SELECT json_group_array(json_object('id', l.id, 'slug', l.slug, 'target', l.target,
       'host', l.host, 'closed_at_ms', l.closed_at_ms, 'code_id', l.code_id))
     FROM links l INDEXED BY links_by_deal WHERE l.brand_id = ?1 AND l.deal_id = d.id) AS links,
  (SELECT json_group_array(json_object('id', k.id, 'deal_id', k.deal_id, 'code', k.code, 'state', k.state,
       'pending', k.pending, 'store_id', k.store_id, 'group_id', k.group_id, 'rule', json(k.rule),
       'reason', k.reason, 'suggestion', k.suggestion, 'in_store', k.in_store,
       'ends_with_deal', k.ends_with_deal, 'created_at_ms', k.created_at_ms))
     FROM codes k INDEXED BY codes_by_deal WHERE k.brand_id = ?1 AND k.deal_id = d.id) AS codes
FROM json_each(?2) j CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = j.value
CROSS JOIN campaigns c ON c.brand_id = ?1 AND c.id = d.campaign_id ORDER BY d.id";

    /// Open deals, all of them or ?2, of the campaign ?3, at the stage ?4, with the tag ?5, if these
    /// aren't NULL; ?6 now, ?7 limit.
    MATCHING = "
SELECT d.id AS deal_id, d.creator_id, (SELECT count(*) FROM terms WHERE brand_id = ?1 AND deal_id = d.id) AS versions,
  (SELECT t.rate_bp FROM terms t WHERE t.brand_id = ?1 AND t.deal_id = d.id AND t.starts_at_ms <= ?6
     AND (t.ends_at_ms IS NULL OR t.ends_at_ms > ?6) ORDER BY t.starts_at_ms DESC, t.version DESC LIMIT 1) AS rate_bp
FROM deals d WHERE d.brand_id = ?1 AND d.closed_at_ms IS NULL
  AND (?2 IS NULL OR d.id IN (SELECT value FROM json_each(?2))) AND (?3 IS NULL OR d.campaign_id = ?3)
  AND (?4 IS NULL OR d.stage = ?4) AND (?5 IS NULL OR EXISTS (SELECT 1 FROM json_each(d.tags) WHERE value = ?5))
ORDER BY d.id LIMIT ?7";

    /// As [`INSERT_TERMS`], for each deal `d` of ?2 a version with the id `i`. One that has not `n`
    /// versions makes its own NULL, which aborts all.
    INSERT_TERMS_OF_MANY = "
INSERT INTO terms (brand_id, deal_id, starts_at_ms, version, id, rate_bp, created_at_ms, ends_at_ms, rules,
  reason) SELECT ?1, j.value ->> 'd', iif(?6 = 1, max(?3, coalesce((SELECT max(placed_at_ms + iif(placed_at_ms % 1000 = 0, 1000, 1))
    FROM orders WHERE brand_id = ?1 AND deal_id = j.value ->> 'd' AND placed_at_ms > (SELECT max(placed_at_ms) - 1000
      FROM orders WHERE brand_id = ?1 AND deal_id = j.value ->> 'd')), 0)), ?3),
  iif((SELECT count(*) FROM terms WHERE brand_id = ?1 AND deal_id = j.value ->> 'd') = j.value ->> 'n',
    1 + (j.value ->> 'n'), NULL), j.value ->> 'i', ?4, ?5, ?7, ?8, ?9
FROM json_each(?2) j";

    /// All versions of one deal's terms, latest start first.
    TERMS = "
SELECT id, rate_bp, starts_at_ms, ends_at_ms, rules, reason FROM terms
WHERE brand_id = ?1 AND deal_id = ?2 ORDER BY starts_at_ms DESC, version DESC LIMIT 200";

    IDS = "SELECT id FROM deals WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    IDS_OF_CREATOR = "SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2 ORDER BY id";
}

spelling!(DealKind { Affiliate = "affiliate", Gifting = "gifting", Paid = "paid", Ambassador = "ambassador",
    Giveaway = "giveaway", UsageRights = "usage_rights" });

row! {
    /// A deal with its present terms, links and codes.
    #[derive(Debug, Clone)]
    pub struct DealRow {
        /// Its id.
        pub id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// In which campaign.
        pub campaign_id: CampaignId,
        /// The campaign's name.
        pub campaign: String,
        /// Its stage.
        pub stage: String,
        /// Its tags.
        pub tags: Vec<String>,
        /// When it was closed, if it is.
        pub closed_at_ms: Option<Millis>,
        /// How often it was changed.
        pub revision: i64,
        /// What kind of collaboration it is.
        pub kind: DealKind,
        /// The member who looks after it.
        pub owner_id: Option<MemberId>,
        /// When the creator was last written or spoken to, as far as it is known here.
        pub contacted_at_ms: Option<Millis>,
        /// The terms in force.
        pub terms: Option<TermsRow>,
        /// The terms that come next.
        pub next_terms: Option<TermsRow>,
        /// Its links.
        pub links: Vec<DealLink>,
        /// Its codes.
        pub codes: Vec<CodeRow>,
    }
}

row! {
    /// A version of terms.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TermsRow {
        /// Its id.
        pub id: TermsId,
        /// Its rate.
        pub rate_bp: BasisPoints,
        /// Since when.
        pub starts_at_ms: Millis,
        /// Until when.
        pub ends_at_ms: Option<Millis>,
        /// Everything beside the rate.
        pub rules: Rules,
        /// What made them; empty for a person.
        pub reason: String,
    }
}

row! {
    /// A link of a deal.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DealLink {
        /// Its id.
        pub id: LinkId,
        /// Its slug.
        pub slug: String,
        /// Where it leads.
        pub target: String,
        /// The host it is handed out on; empty for the product's own.
        pub host: String,
        /// When it was closed, if it is.
        pub closed_at_ms: Option<Millis>,
        /// The code that it applies.
        pub code_id: Option<CodeId>,
    }
}

/// A deal to be stored.
#[derive(Debug, Clone)]
pub struct NewDeal<'a> {
    /// Its id.
    pub id: DealId,
    /// Whose.
    pub creator: CreatorId,
    /// In which campaign.
    pub campaign: CampaignId,
    /// At which stage, where it comes last.
    pub stage: &'a str,
    /// Of which kind.
    pub kind: DealKind,
}

/// Stores a deal; a creator or campaign of another brand aborts.
#[must_use]
pub fn insert(brand: BrandId, deal: &NewDeal<'_>, now_ms: Millis) -> Statement {
    let NewDeal { id, creator, campaign, stage, kind } = *deal;
    bind!(INSERT, brand, id, creator, campaign, stage, "[]", now_ms, kind)
}

/// What to change of a deal; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct DealUpdate {
    /// Its stage.
    pub stage: Option<String>,
    /// Its tags.
    pub tags: Option<Vec<String>>,
    /// Whether it is closed.
    pub closed: Option<bool>,
    /// Its kind.
    pub kind: Option<DealKind>,
    /// The member who looks after it, or nobody.
    pub owner: Option<Option<MemberId>>,
}

/// Changes what is given of a deal; one that changed since it was read aborts.
#[must_use]
pub fn update(brand: BrandId, deal: &DealRow, update: &DealUpdate, now_ms: Millis) -> Statement {
    let tags = update.tags.as_ref().map(|tags| json_list(tags));
    let (id, stage, revision) = (deal.id, update.stage.as_ref(), deal.revision);
    let (kind, owner) = (update.kind, update.owner.flatten());
    let owned = update.owner.is_some();
    bind!(UPDATE, brand, id, stage, tags, update.closed, now_ms, revision, kind, owned, owner)
}

/// Notes that the deal's creator is written to.
#[must_use]
pub fn contacted(brand: BrandId, deal: DealId, now_ms: Millis) -> Statement {
    bind!(CONTACTED, brand, deal, now_ms)
}

/// When a version of terms starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the time it names; before an order that is decided it aborts.
    Exactly,
    /// Then, or right after the last order that is decided.
    Soonest,
}

/// Stores a version of terms; `reason` says what made it, empty for a person. Other terms that were agreed after
/// `seen_ms` abort it at `terms.version`. Where terms look at
/// customers, the brand's orders are counted by customer from then on.
#[must_use]
pub fn insert_terms(
    brand: BrandId,
    terms: &Terms,
    (start, seen_ms): (Start, Option<Millis>),
    reason: &str,
    now_ms: Millis,
) -> Vec<Statement> {
    let mut batch = vec![bind!(
        INSERT_TERMS,
        brand,
        terms.deal,
        terms.starts_at_ms,
        terms.cited.id,
        terms.cited.rate.points(),
        now_ms,
        start == Start::Soonest,
        terms.ends_at_ms,
        serde_json::to_string(&terms.cited.rules).unwrap_or_default(),
        reason,
        seen_ms,
    )];
    if terms.cited.rules.look_at_customers() {
        batch.extend([bind!(COUNT_CUSTOMERS, brand), brands::count_customers(brand)]);
    }
    batch
}

row! {
    /// A deal whose terms are to change.
    #[derive(Debug, Clone)]
    pub struct Matching {
        /// Which.
        pub deal_id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// How many versions of terms it has.
        pub versions: i64,
        /// Its rate now.
        pub rate_bp: Option<BasisPoints>,
    }
}

/// Which open deals are meant; what is `None` doesn't narrow.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These.
    pub deals: Option<Vec<DealId>>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// At this stage.
    pub stage: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
}

/// The open deals of a selection, at most `limit`.
///
/// # Errors
/// [`super::DbError`].
pub fn matching<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    selection: &Selection,
    limit: i64,
    now_ms: Millis,
) -> Reading<'a, Vec<Matching>> {
    let Selection { deals, campaign, stage, tag } = selection;
    let deals = deals.as_ref().map(|deals| json_list(deals));
    db.all(bind!(
        MATCHING,
        brand,
        deals,
        *campaign,
        stage.as_deref(),
        tag.as_deref(),
        now_ms,
        limit
    ))
}

/// Stores a version of the same terms for many deals, each with an id of its own; `reason` as for
/// [`insert_terms`]; aborts as a whole
/// when one of them has other terms by now.
#[must_use]
pub fn insert_terms_of_many(
    brand: BrandId,
    deals: &[(&Matching, TermsId)],
    terms: &Terms,
    (start, reason): (Start, &str),
    now_ms: Millis,
) -> Vec<Statement> {
    let one = |(deal, id): &(&Matching, TermsId)| json!({ "d": deal.deal_id, "n": deal.versions, "i": *id });
    let list = list_of(&deals.iter().map(one).collect::<Vec<_>>());
    let mut batch = vec![bind!(
        INSERT_TERMS_OF_MANY,
        brand,
        list,
        terms.starts_at_ms,
        terms.cited.rate.points(),
        now_ms,
        start == Start::Soonest,
        terms.ends_at_ms,
        serde_json::to_string(&terms.cited.rules).unwrap_or_default(),
        reason,
    )];
    if terms.cited.rules.look_at_customers() {
        batch.extend([bind!(COUNT_CUSTOMERS, brand), brands::count_customers(brand)]);
    }
    batch
}

/// All versions of a deal's terms, latest start first.
///
/// # Errors
/// [`super::DbError`].
pub fn terms(db: &dyn Database, brand: BrandId, deal: DealId) -> Reading<'_, Vec<TermsRow>> {
    db.all(bind!(TERMS, brand, deal))
}

/// Reads the deals with these ids as [`DealRow`]s, for a batch of reads.
#[must_use]
pub fn read_many(brand: BrandId, ids: &[DealId], now_ms: Millis) -> Statement {
    bind!(BY_IDS, brand, json_list(ids), now_ms)
}

/// The deals with these ids, with the terms in force now.
///
/// # Errors
/// [`super::DbError`].
pub fn by_ids<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[DealId],
    now_ms: Millis,
) -> Reading<'a, Vec<DealRow>> {
    db.all(read_many(brand, ids, now_ms))
}

/// The same, by ids as texts.
///
/// # Errors
/// [`super::DbError`].
pub fn by_ids_text<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[String],
    now_ms: Millis,
) -> Reading<'a, Vec<DealRow>> {
    db.all(bind!(BY_IDS, brand, json_list(ids), now_ms))
}

/// One deal.
///
/// # Errors
/// [`super::DbError`].
pub fn find(
    db: &dyn Database,
    brand: BrandId,
    id: DealId,
    now_ms: Millis,
) -> Reading<'_, Option<DealRow>> {
    db.first(bind!(BY_IDS, brand, json_list(&[id]), now_ms))
}

/// The ids of a page of deals.
///
/// # Errors
/// [`super::DbError`].
pub fn ids<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<DealId>> {
    let statement = bind!(IDS, brand, &page.after, page.limit);
    db.ask(Freshness::Primary, statement, |rows| rows.column("id"))
}

/// The ids of a creator's deals.
///
/// # Errors
/// [`super::DbError`].
pub fn ids_of_creator(
    db: &dyn Database,
    brand: BrandId,
    creator: CreatorId,
) -> Reading<'_, Vec<DealId>> {
    let statement = bind!(IDS_OF_CREATOR, brand, creator);
    db.ask(Freshness::Primary, statement, |rows| rows.column("id"))
}
