//! Boards: the stages of campaigns, and deals in their places.

use super::DbError;
use super::creators::CampaignRow;
use super::{Database, Freshness, Reading, Rows, Statement, bind, row, statements};
use crate::app::Pending;
use crate::domain::ids::{BrandId, CampaignId, CreatorId, DealId, FeeId, MemberId};
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::time::{Day, Millis};

statements! {
    /// ?6 the revision that was read: another aborts.
    UPDATE_CAMPAIGN = "
UPDATE campaigns SET name = ?3, stages = ?4, archived_at_ms = ?5,
  revision = iif(revision = ?6, revision + 1, NULL) WHERE brand_id = ?1 AND id = ?2";

    RENAME = "
UPDATE deals SET stage = ?4, revision = revision + 1
WHERE brand_id = ?1 AND campaign_id = ?2 AND stage = ?3";

    /// After those that are there, in the order they had.
    MERGE_STAGE = "
UPDATE deals SET stage = ?4, revision = revision + 1, place = h.place FROM (SELECT d.id, 1048576 * row_number()
    OVER (ORDER BY d.place, d.id) + coalesce((SELECT max(o.place) FROM deals o
      WHERE o.brand_id = ?1 AND o.campaign_id = ?2 AND o.stage = ?4), 0) AS place
    FROM deals d WHERE d.brand_id = ?1 AND d.campaign_id = ?2 AND d.stage = ?3) h
WHERE deals.brand_id = ?1 AND deals.id = h.id";

    MOVE_FEES = "
UPDATE fees SET stage = ?4 WHERE brand_id = ?1 AND state = 'planned' AND stage = ?3
  AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND campaign_id = ?2)";

    /// NULL, which aborts, while a fee waits for the stage ?3 that its deal is at, or for one that ends
    /// with this (?4) though a deal or a fee is there.
    CHECK_STAGES = "
UPDATE campaigns SET name = iif(EXISTS (SELECT 1 FROM deals d CROSS JOIN fees f INDEXED BY fees_by_deal
    ON f.brand_id = ?1 AND f.deal_id = d.id AND f.state = 'planned' AND f.stage = ?3 AND f.reached_at_ms IS NULL
    WHERE d.brand_id = ?1 AND d.campaign_id = ?2 AND d.stage = ?3) OR EXISTS (SELECT 1 FROM deals d
    WHERE d.brand_id = ?1 AND d.campaign_id = ?2 AND d.stage = ?4) OR EXISTS (SELECT 1 FROM deals d CROSS JOIN fees f
    INDEXED BY fees_by_deal ON f.brand_id = ?1 AND f.deal_id = d.id AND f.state = 'planned' AND f.stage = ?4
    WHERE d.brand_id = ?1 AND d.campaign_id = ?2), NULL, name)
WHERE brand_id = ?1 AND id = ?2";

    /// Fees that the merging of two stages fulfils: of deals at the one that wait for the other.
    FULFILLED = "
SELECT f.id, d.id AS deal_id, d.creator_id, f.currency, f.amount_minor, f.due_day
FROM deals d CROSS JOIN fees f INDEXED BY fees_by_deal ON f.brand_id = ?1 AND f.deal_id = d.id
WHERE d.brand_id = ?1 AND d.campaign_id = ?2 AND d.stage IN (?3, ?4) AND f.state = 'planned'
  AND f.stage IN (?3, ?4) AND f.reached_at_ms IS NULL ORDER BY d.creator_id, f.currency, f.id LIMIT ?5";

    /// ?4 and ?5: after this place and id. Of the deals of one stage.
    COLUMN = "
SELECT d.id, d.creator_id, d.place, d.stage, d.tags, d.kind, d.owner_id, d.closed_at_ms, d.contacted_at_ms,
  c.name, c.handle,
  (SELECT t.rate_bp FROM terms t WHERE t.brand_id = ?1 AND t.deal_id = d.id AND t.starts_at_ms <= ?7
     AND (t.ends_at_ms IS NULL OR t.ends_at_ms > ?7) ORDER BY t.starts_at_ms DESC, t.version DESC LIMIT 1) AS rate_bp,
  (SELECT count(*) FROM links l INDEXED BY links_by_deal WHERE l.brand_id = ?1 AND l.deal_id = d.id) AS links,
  (SELECT count(*) FROM codes k INDEXED BY codes_by_deal WHERE k.brand_id = ?1 AND k.deal_id = d.id) AS codes,
  (SELECT min(w.due_day) FROM follow_ups w INDEXED BY follow_ups_open_by_deal
     WHERE w.brand_id = ?1 AND w.deal_id = d.id AND w.done_at_ms IS NULL) AS follow_up_day
FROM deals d INDEXED BY deals_by_place CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = d.creator_id
WHERE d.brand_id = ?1 AND d.campaign_id = ?2 AND d.stage = ?3 AND d.place >= ?4
  AND (d.place > ?4 OR d.id > ?5) ORDER BY d.place, d.id LIMIT ?6";

    /// How many deals are at a stage, as far as ?4.
    COUNT = "
SELECT count(*) AS deals FROM (SELECT 1 FROM deals
WHERE brand_id = ?1 AND campaign_id = ?2 AND stage = ?3 LIMIT ?4) h";

    /// The place of the deal ?2, and those of its neighbours, ?3 not counted.
    NEIGHBOURS = "
SELECT d.stage, d.campaign_id, d.place,
  (SELECT o.place FROM deals o INDEXED BY deals_by_place WHERE o.brand_id = ?1 AND o.campaign_id = d.campaign_id
     AND o.stage = d.stage AND o.place <= d.place AND (o.place < d.place OR o.id < d.id) AND o.id <> ?3
     ORDER BY o.place DESC, o.id DESC LIMIT 1) AS before,
  (SELECT o.place FROM deals o INDEXED BY deals_by_place WHERE o.brand_id = ?1 AND o.campaign_id = d.campaign_id
     AND o.stage = d.stage AND o.place >= d.place AND (o.place > d.place OR o.id > d.id) AND o.id <> ?3
     ORDER BY o.place, o.id LIMIT 1) AS after
FROM deals d WHERE d.brand_id = ?1 AND d.id = ?2";

    /// Makes room between all deals of a stage; their order stays.
    SPREAD = "
UPDATE deals SET place = h.place FROM (SELECT id, 1048576 * row_number() OVER (ORDER BY place, id) AS place
    FROM deals WHERE brand_id = ?1 AND campaign_id = ?2 AND stage = ?3) h
WHERE deals.brand_id = ?1 AND deals.id = h.id";

    /// ?4 the place; where that is NULL, half a gap (?5) beside the deal ?6, after [`SPREAD`]; without
    /// either it comes last. ?7 the revision that was read: another aborts.
    PUT = "
UPDATE deals SET stage = ?3, place = coalesce(?4,
    (SELECT o.place + CAST(?5 AS INTEGER) FROM deals o WHERE o.brand_id = ?1 AND o.id = ?6),
    (SELECT 1048576 + max(o.place) FROM deals o WHERE o.brand_id = ?1 AND o.campaign_id = deals.campaign_id
      AND o.stage = ?3 AND o.id <> ?2), 1048576),
  revision = iif(revision = ?7, revision + 1, NULL)
WHERE brand_id = ?1 AND id = ?2";
}

row! {
    /// A fee that is fulfilled when two stages become one.
    #[derive(Debug, Clone)]
    pub struct FulfilledRow {
        /// Its id.
        pub id: FeeId,
        /// For which deal.
        pub deal_id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// In which currency.
        pub currency: Currency,
        /// How much.
        pub amount_minor: i64,
        /// Not before this day.
        pub due_day: Option<Day>,
    }
    /// A deal on a board.
    #[derive(Debug, Clone)]
    pub struct CardRow {
        /// Its id.
        pub id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// Its place in the column.
        pub place: i64,
        /// Its tags.
        pub tags: Vec<String>,
        /// Its kind.
        pub kind: crate::domain::deal::DealKind,
        /// The member who looks after it.
        pub owner_id: Option<MemberId>,
        /// When it was closed.
        pub closed_at_ms: Option<Millis>,
        /// When she was last written or spoken to.
        pub contacted_at_ms: Option<Millis>,
        /// Her name.
        pub name: String,
        /// Her handle.
        pub handle: String,
        /// Its rate now.
        pub rate_bp: Option<BasisPoints>,
        /// How many links it has.
        pub links: i64,
        /// How many codes it has.
        pub codes: i64,
        /// When the next of what is to be done is due.
        pub follow_up_day: Option<Day>,
    }
    /// Where a deal stands among others.
    #[derive(Debug, Clone)]
    pub struct NeighboursRow {
        /// At which stage.
        pub stage: String,
        /// Of which campaign.
        pub campaign_id: CampaignId,
        /// Its place.
        pub place: i64,
        /// The place of the one before it.
        pub before: Option<i64>,
        /// The place of the one after it.
        pub after: Option<i64>,
    }
    struct Counted {
        deals: i64,
    }
}

/// Changes a campaign to what this says; aborts if it was changed since it was read.
#[must_use]
pub fn update_campaign(brand: BrandId, campaign: &CampaignRow) -> Statement {
    let CampaignRow { id, name, stages, archived_at_ms, revision } = campaign;
    bind!(UPDATE_CAMPAIGN, brand, *id, name, stages, *archived_at_ms, *revision)
}

/// Deals and planned fees go on under a stage's new name, after the campaign has it.
#[must_use]
pub fn rename(brand: BrandId, campaign: CampaignId, (from, to): (&str, &str)) -> [Statement; 2] {
    [bind!(RENAME, brand, campaign, from, to), bind!(MOVE_FEES, brand, campaign, from, to)]
}

/// Deals and planned fees of one stage go on in another, after the fees that this fulfils are decided;
/// aborts if one isn't.
#[must_use]
pub fn merge(brand: BrandId, campaign: CampaignId, (from, to): (&str, &str)) -> [Statement; 3] {
    [
        bind!(MERGE_STAGE, brand, campaign, from, to),
        bind!(MOVE_FEES, brand, campaign, from, to),
        bind!(CHECK_STAGES, brand, campaign, to, from),
    ]
}

/// Aborts if a deal is at this stage, or a fee waits for it.
#[must_use]
pub fn nobody_at(brand: BrandId, campaign: CampaignId, stage: &str) -> Statement {
    bind!(CHECK_STAGES, brand, campaign, stage, stage)
}

/// Fees that are fulfilled when these stages become one, at most `limit`, by creator and currency.
///
/// # Errors
/// [`DbError`].
pub fn fulfilled<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    campaign: CampaignId,
    (from, to): (&str, &str),
    limit: i64,
) -> Reading<'a, Vec<FulfilledRow>> {
    db.all(bind!(FULFILLED, brand, campaign, from, to, limit))
}

/// Where a page of a column begins: after this place and id.
#[derive(Debug, Clone)]
pub struct After {
    /// The place.
    pub place: i64,
    /// The id.
    pub id: String,
}

/// So many deals of a column are counted.
pub const COUNTED: i64 = 1000;

/// The cards of a page of a column, and how many deals are at the stage.
pub type Column = (Vec<CardRow>, i64);

/// Columns of a board: of each the cards after a place, at most `limit`, and how many deals are there.
///
/// # Errors
/// [`DbError`].
pub fn columns<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    campaign: CampaignId,
    stages: &[String],
    (after, limit): (&After, i64),
    now_ms: Millis,
) -> Pending<'a, Result<Vec<Column>, DbError>> {
    let mut batch = Vec::new();
    for stage in stages {
        let (place, id) = (after.place, &after.id);
        batch.push(bind!(COLUMN, brand, campaign, stage, place, id, limit, now_ms));
        batch.push(bind!(COUNT, brand, campaign, stage, COUNTED + 1));
    }
    let running = db.run_on(Freshness::Primary, batch);
    Box::pin(async move {
        let results = running.await?;
        let mut columns = Vec::new();
        for pair in results.chunks(2) {
            let [cards, counted]: &[Rows; 2] = pair.try_into().map_err(|_| odd())?;
            let count = counted.first::<Counted>()?.map_or(0, |row| row.deals);
            columns.push((cards.all()?, count));
        }
        Ok(columns)
    })
}

fn odd() -> DbError {
    DbError::Failed("a column without a count".to_owned())
}

/// Where a deal stands among others, without `moved`.
///
/// # Errors
/// [`DbError`].
pub fn neighbours(
    db: &dyn Database,
    brand: BrandId,
    deal: DealId,
    moved: DealId,
) -> Reading<'_, Option<NeighboursRow>> {
    db.first(bind!(NEIGHBOURS, brand, deal, moved))
}

/// Where a deal is put in its column.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// Here.
    At(i64),
    /// Right before or after (`true`) this one, which has no room beside it yet.
    Beside(DealId, bool),
    /// After all others.
    Last,
}

/// Puts a deal to a place of a stage; aborts if it was changed since it was read.
#[must_use]
pub fn put(
    brand: BrandId,
    (deal, revision): (DealId, i64),
    (campaign, stage): (CampaignId, &str),
    place: Place,
) -> Vec<Statement> {
    let half = crate::domain::deal::GAP / 2;
    let (at, by, beside) = match place {
        Place::At(at) => (Some(at), None, None),
        Place::Beside(other, after) => (None, Some(if after { half } else { -half }), Some(other)),
        Place::Last => (None, None, None),
    };
    let mut batch = Vec::new();
    if beside.is_some() {
        batch.push(bind!(SPREAD, brand, campaign, stage));
    }
    batch.push(bind!(PUT, brand, deal, stage, at, by, beside, revision));
    batch
}
