//! Commission tiers and the levels that deals reached.

use super::{Database, Freshness, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CampaignId, CreatorId, DealId, TermsId, TiersId};
use crate::domain::money::BasisPoints;
use crate::domain::terms::{CitedTerms, Rules, Terms};
use crate::domain::tiers::{Level, Metric, Period, Reached, Step, Sums, TieredDeal, Tiers};
use crate::domain::time::{Day, Millis};
use crate::storage::rows::{Columns, FromRow, spelling};

statements! {
    INSERT = "
INSERT INTO tiers (brand_id, id, campaign_id, metric, period, currency, falls_back, levels, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    END = "UPDATE tiers SET ended_at_ms = ?3 WHERE brand_id = ?1 AND id = ?2 AND ended_at_ms IS NULL";

    /// ?3: also those that ended.
    LIST = "
SELECT id, campaign_id, metric, period, currency, falls_back, levels, created_at_ms, ended_at_ms
FROM tiers WHERE brand_id = ?1 AND id > ?2 AND (?3 = 1 OR ended_at_ms IS NULL) ORDER BY id LIMIT ?4";

    FIND = "
SELECT id, campaign_id, metric, period, currency, falls_back, levels, created_at_ms, ended_at_ms
FROM tiers WHERE brand_id = ?1 AND id = ?2";

    DEALS = "
SELECT d.id, d.campaign_id, d.closed_at_ms IS NULL AS open,
  (SELECT json_group_array(json_object('id', t.id, 'starts_at_ms', t.starts_at_ms,
       'ends_at_ms', t.ends_at_ms, 'rate', t.rate_bp, 'rules', json(t.rules)) ORDER BY t.starts_at_ms, t.version)
     FROM terms t WHERE t.brand_id = ?1 AND t.deal_id = d.id) AS terms
FROM deals d INDEXED BY deals_by_creator WHERE d.brand_id = ?1 AND d.creator_id = ?2";

    /// ?3 first day of the month, ?4 of the quarter.
    SUMS = "
SELECT t.deal_id, t.currency,
  sum(iif(t.day >= ?3, t.orders, 0)) AS month_orders, sum(iif(t.day >= ?3, t.base_minor, 0)) AS month_base,
  sum(iif(t.day >= ?3, t.commission_minor, 0)) AS month_commission,
  sum(iif(t.day >= ?4, t.orders, 0)) AS quarter_orders, sum(iif(t.day >= ?4, t.base_minor, 0)) AS quarter_base,
  sum(iif(t.day >= ?4, t.commission_minor, 0)) AS quarter_commission,
  sum(t.orders) AS all_orders, sum(t.base_minor) AS all_base, sum(t.commission_minor) AS all_commission
FROM deals d INDEXED BY deals_by_creator
CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 GROUP BY t.deal_id, t.currency";

    REACHED = "
SELECT s.tiers_id AS tiers, s.deal_id AS deal, s.since, s.level
FROM deals d INDEXED BY deals_by_creator
CROSS JOIN tier_steps s ON s.brand_id = ?1 AND s.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2";

    /// Whose orders posted something since ?2, among the brand's last entries, if it has tiers.
    LATELY = "
SELECT DISTINCT creator_id FROM entries WHERE brand_id = ?1 AND sequence >
    (SELECT coalesce(max(sequence), 0) - 5000 FROM entries WHERE brand_id = ?1)
  AND cause = 'order' AND creator_id IS NOT NULL AND posted_at_ms >= ?2
  AND EXISTS (SELECT 1 FROM tiers WHERE brand_id = ?1 AND ended_at_ms IS NULL) LIMIT 150";

    /// A trigger refuses it when the deal has other terms by now, the key when it is there already.
    INSERT_STEP = "
INSERT INTO tier_steps (brand_id, deal_id, tiers_id, since, level, name, measured, versions, reached_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    STEPS = "
SELECT tiers_id, since, level, name, measured, reached_at_ms FROM tier_steps
WHERE brand_id = ?1 AND deal_id = ?2 ORDER BY reached_at_ms DESC, level DESC LIMIT 200";
}

spelling!(Metric { Orders = "orders", Revenue = "revenue", Commission = "commission" });
spelling!(Period { Month = "month", Quarter = "quarter", All = "all" });

/// Tiers with the times of their life.
#[derive(Debug, Clone)]
pub struct TiersRow {
    /// What they say.
    pub tiers: Tiers,
    /// Since when.
    pub created_at_ms: Millis,
    /// Until when.
    pub ended_at_ms: Option<Millis>,
}

impl FromRow for TiersRow {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            tiers: Tiers {
                id: columns.read("id"),
                campaign: columns.read("campaign_id"),
                metric: columns.read("metric"),
                period: columns.read("period"),
                currency: columns.read("currency"),
                falls_back: columns.read("falls_back"),
                levels: columns.read("levels"),
            },
            created_at_ms: columns.read("created_at_ms"),
            ended_at_ms: columns.read("ended_at_ms"),
        }
    }
}

impl FromRow for Level {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            name: columns.read("name"),
            threshold: columns.read("threshold"),
            rate: columns.read("rate"),
        }
    }
}

impl FromRow for Reached {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            tiers: columns.read("tiers"),
            deal: columns.read("deal"),
            since: columns.read("since"),
            level: columns.read("level"),
        }
    }
}

impl FromRow for Sums {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            deal: columns.read("deal_id"),
            currency: columns.read("currency"),
            month: (
                columns.read("month_orders"),
                columns.read("month_base"),
                columns.read("month_commission"),
            ),
            quarter: (
                columns.read("quarter_orders"),
                columns.read("quarter_base"),
                columns.read("quarter_commission"),
            ),
            all: (
                columns.read("all_orders"),
                columns.read("all_base"),
                columns.read("all_commission"),
            ),
        }
    }
}

row! {
    struct DealRow {
        id: DealId,
        campaign_id: CampaignId,
        open: bool,
        terms: Vec<DealTerms>,
    }
    struct DealTerms {
        id: TermsId,
        starts_at_ms: Millis,
        ends_at_ms: Option<Millis>,
        rate: BasisPoints,
        rules: Rules,
    }
    /// A level that a deal reached.
    pub struct StepRow {
        /// Of which tiers.
        pub tiers_id: TiersId,
        /// The first day of the period in which it holds; day 0 where it holds for good.
        pub since: Day,
        /// Its place among the levels, from 1 on.
        pub level: i64,
        /// What it is called.
        pub name: String,
        /// What was measured: orders or minor units.
        pub measured: i64,
        /// When.
        pub reached_at_ms: Millis,
    }
}

/// Stores tiers.
#[must_use]
pub fn insert(brand: BrandId, tiers: &Tiers, now_ms: Millis) -> Statement {
    bind!(
        INSERT,
        brand,
        tiers.id,
        tiers.campaign,
        tiers.metric,
        tiers.period,
        tiers.currency.code(),
        tiers.falls_back,
        serde_json::to_string(&tiers.levels).unwrap_or_default(),
        now_ms,
    )
}

/// Ends tiers: what was reached stays.
#[must_use]
pub fn end(brand: BrandId, id: TiersId, now_ms: Millis) -> Statement {
    bind!(END, brand, id, now_ms)
}

/// A page of the brand's tiers, those that ended too.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<TiersRow>> {
    db.all(bind!(LIST, brand, &page.after, true, page.limit))
}

/// One of the brand's tiers.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: TiersId) -> Reading<'_, Option<TiersRow>> {
    db.first(bind!(FIND, brand, id))
}

/// The levels that a deal reached, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn steps(db: &dyn Database, brand: BrandId, deal: DealId) -> Reading<'_, Vec<StepRow>> {
    db.all(bind!(STEPS, brand, deal))
}

/// The creators whose orders posted something since, of a brand with tiers; none of another.
///
/// # Errors
/// [`super::DbError`].
pub fn lately(db: &dyn Database, brand: BrandId, since_ms: Millis) -> Reading<'_, Vec<CreatorId>> {
    db.ask(Freshness::Primary, bind!(LATELY, brand, since_ms), |rows| rows.column("creator_id"))
}

/// Everything that decides what a creator reaches.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The brand's tiers that haven't ended.
    pub tiers: Vec<Tiers>,
    /// Her deals.
    pub deals: Vec<TieredDeal>,
    /// What they came to.
    pub sums: Vec<Sums>,
    /// What they reached before.
    pub reached: Vec<Reached>,
}

/// Where a creator stands; `month` and `quarter` are the first days of those that today is in.
///
/// # Errors
/// [`super::DbError`].
pub async fn standing(
    db: &dyn Database,
    brand: BrandId,
    creator: CreatorId,
    (month, quarter): (Day, Day),
) -> Result<Standing, super::DbError> {
    let batch = vec![
        bind!(LIST, brand, "", false, 200_i64),
        bind!(DEALS, brand, creator),
        bind!(SUMS, brand, creator, month.0, quarter.0),
        bind!(REACHED, brand, creator),
    ];
    let rows = db.run(batch).await?;
    let [tiers, deals, sums, reached] = rows.as_slice() else {
        return Err(super::DbError::Failed("a batch of four has four answers".to_owned()));
    };
    let deals: Vec<DealRow> = deals.all()?;
    let tiers: Vec<TiersRow> = tiers.all()?;
    Ok(Standing {
        tiers: tiers.into_iter().map(|row| row.tiers).collect(),
        deals: deals.into_iter().map(tiered).collect(),
        sums: sums.all()?,
        reached: reached.all()?,
    })
}

fn tiered(row: DealRow) -> TieredDeal {
    let terms = |t: DealTerms| Terms {
        deal: row.id,
        starts_at_ms: t.starts_at_ms,
        ends_at_ms: t.ends_at_ms,
        cited: CitedTerms { id: t.id, rate: t.rate, rules: t.rules },
    };
    let all = row.terms.into_iter().map(terms).collect();
    TieredDeal { id: row.id, campaign: row.campaign_id, open: row.open, terms: all }
}

/// Notes that a level is reached; refused if it was before, or if the deal has other terms by now.
#[must_use]
pub fn insert_step(brand: BrandId, step: &Step, now_ms: Millis) -> Statement {
    let Reached { tiers, deal, since, level } = step.reached;
    let (name, measured, versions) = (&step.name, step.measured, step.versions);
    bind!(INSERT_STEP, brand, deal, tiers, since.0, level, name, measured, versions, now_ms)
}
