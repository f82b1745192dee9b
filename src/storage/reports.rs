//! What reports sum up. Orders are summed from the totals kept per deal and day, clicks from the days that the
//! counters push: a report reads as many rows as there are deals and days with something on them, however
//! many orders there are.

use super::{Database, DbError, Freshness, Reading, Statement, bind, json_list, row, statements};
use crate::app::Pending;
use crate::domain::ids::{BrandId, CampaignId, CreatorId, DealId, PostId};
use crate::domain::json::{json, list_of};
use crate::domain::money::Currency;
use crate::domain::post::Formula;
use crate::domain::report::Figures;
use crate::domain::sorted::Sorted;
use crate::domain::time::{Day, Millis};

use super::posts::rates_of;

statements! {
    /// Of all deals, or those of the campaign ?5: by creator (?6 is 1), campaign (2), or campaign and stage (3).
    /// ?2 and ?3 days, ?4 currency, ?7 and ?8 the same days as times, ?9 at most so many; ?10 a JSON list of deals
    /// that it is about only, or NULL. (D1 takes five parts of a compound statement: what was seen is another one.)
    FIGURES = "
WITH part AS (SELECT id, creator_id, iif(closed_at_ms IS NULL, 0, 1) AS closed,
    CASE ?6 WHEN 1 THEN creator_id WHEN 2 THEN campaign_id ELSE campaign_id || '/' || stage END AS key
  FROM deals WHERE brand_id = ?1 AND (?5 IS NULL OR campaign_id = ?5)
    AND (?10 IS NULL OR id IN (SELECT value FROM json_each(?10))))
SELECT h.key, count(DISTINCT h.creator) AS creators, sum(h.deals) AS deals, sum(h.closed) AS closed,
  sum(h.orders) AS orders, sum(h.other_orders) AS other_orders, sum(h.revenue) AS revenue,
  sum(h.commission) AS commission, sum(h.fees) AS fees, sum(h.gifts) AS gifts
FROM (
  SELECT key, creator_id AS creator, 1 AS deals, closed, 0 AS orders, 0 AS other_orders, 0 AS revenue,
    0 AS commission, 0 AS fees, 0 AS gifts FROM part
  UNION ALL SELECT part.key, NULL, 0, 0, iif(t.currency = ?4, t.orders, 0), iif(t.currency = ?4, 0, t.orders),
    iif(t.currency = ?4, t.base_minor, 0), iif(t.currency = ?4, t.commission_minor, 0), 0, 0
  FROM part CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = part.id AND t.day BETWEEN ?2 AND ?3
  UNION ALL SELECT part.key, NULL, 0, 0, 0, 0, 0, 0, f.amount_minor, 0
  FROM part CROSS JOIN fees f INDEXED BY fees_by_deal ON f.brand_id = ?1 AND f.deal_id = part.id
  WHERE f.state = 'posted' AND f.currency = ?4 AND coalesce(f.decided_at_ms, f.created_at_ms) >= ?7
    AND coalesce(f.decided_at_ms, f.created_at_ms) < ?8
  UNION ALL SELECT part.key, NULL, 0, 0, 0, 0, 0, 0, 0, c.product_minor + c.shipping_minor
  FROM part CROSS JOIN deal_costs c ON c.brand_id = ?1 AND c.deal_id = part.id
  WHERE c.voided_at_ms IS NULL AND c.currency = ?4 AND c.day BETWEEN ?2 AND ?3
) h GROUP BY h.key LIMIT ?9";

    /// What was clicked and seen, of the same deals. ?6 to ?8 as in [`FIGURES`], ?4 the rates of all platforms, ?9 the deals.
    SEEN = "
WITH part AS (SELECT id, CASE ?6 WHEN 1 THEN creator_id WHEN 2 THEN campaign_id
    ELSE campaign_id || '/' || stage END AS key
  FROM deals WHERE brand_id = ?1 AND (?5 IS NULL OR campaign_id = ?5)
    AND (?9 IS NULL OR id IN (SELECT value FROM json_each(?9))))
SELECT h.key, sum(h.clicks) AS clicks, sum(h.uniques) AS uniques, sum(h.posts) AS posts,
  sum(h.with_impressions) AS with_impressions, sum(h.impressions) AS impressions, sum(h.valued) AS valued,
  sum(h.media) AS media
FROM (
  SELECT part.key, k.total AS clicks, k.uniques, 0 AS posts, 0 AS with_impressions, 0 AS impressions, 0 AS valued,
    0 AS media
  FROM part CROSS JOIN links l INDEXED BY links_by_deal ON l.brand_id = ?1 AND l.deal_id = part.id
  CROSS JOIN click_days k ON k.brand_id = ?1 AND k.link_id = l.id AND k.day BETWEEN ?2 AND ?3
  UNION ALL SELECT part.key, 0, 0, 1, p.impressions IS NOT NULL, coalesce(p.impressions, 0),
    iif(r.value ->> 'v', p.views, p.impressions) IS NOT NULL,
    coalesce((iif(r.value ->> 'v', p.views, p.impressions) * (r.value ->> 'c') + 500) / 1000, 0)
  FROM part CROSS JOIN posts p INDEXED BY posts_by_deal ON p.brand_id = ?1 AND p.deal_id = part.id
    AND p.published_at_ms >= ?7 AND p.published_at_ms < ?8
  LEFT JOIN json_each(?4) r ON r.value ->> 'p' = p.platform WHERE p.removed_at_ms IS NULL
) h GROUP BY h.key";

    CREATORS = "
SELECT c.id, c.name, c.handle FROM json_each(?2) j CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = j.value";

    /// All, or the one ?2.
    CAMPAIGNS = "
SELECT id, name, stages, archived_at_ms IS NOT NULL AS archived FROM campaigns
WHERE brand_id = ?1 AND (?2 IS NULL OR id = ?2) ORDER BY id LIMIT ?3";

    /// What codes, links and anything else brought in the currency ?4, on the days ?2 to ?3; ?6 deals, or NULL.
    SOURCES = "
SELECT coalesce(sum(t.orders), 0) AS orders, coalesce(sum(t.base_minor), 0) AS revenue,
  coalesce(sum(t.commission_minor), 0) AS commission, coalesce(sum(t.code_orders), 0) AS code_orders,
  coalesce(sum(t.code_base_minor), 0) AS code_revenue, coalesce(sum(t.code_commission_minor), 0) AS code_commission,
  coalesce(sum(t.link_orders), 0) AS link_orders, coalesce(sum(t.link_base_minor), 0) AS link_revenue,
  coalesce(sum(t.link_commission_minor), 0) AS link_commission
FROM deals d CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = d.id AND t.day BETWEEN ?2 AND ?3
WHERE d.brand_id = ?1 AND (?5 IS NULL OR d.campaign_id = ?5) AND t.currency = ?4
  AND (?6 IS NULL OR d.id IN (SELECT value FROM json_each(?6)))";

    /// Clicks by day. ?4 a campaign, or NULL; ?5 a JSON list of deals, or NULL.
    CLICKS = "
SELECT k.day, sum(k.total) AS clicks, sum(k.uniques) AS uniques
FROM deals d CROSS JOIN links l INDEXED BY links_by_deal ON l.brand_id = ?1 AND l.deal_id = d.id
CROSS JOIN click_days k ON k.brand_id = ?1 AND k.link_id = l.id AND k.day BETWEEN ?2 AND ?3
WHERE d.brand_id = ?1 AND (?4 IS NULL OR d.campaign_id = ?4)
  AND (?5 IS NULL OR d.id IN (SELECT value FROM json_each(?5))) GROUP BY k.day ORDER BY k.day";

    /// Creators by the month of their first deal (?2: a JSON list of months `m` and the time `s` at which they
    /// begin; 0 before the first), and what they brought in the currency ?3 in each month of the days ?4 to ?5.
    /// (Without MATERIALIZED the month of a creator would be looked up anew for each of her days.)
    COHORTS = "
WITH f AS MATERIALIZED (SELECT s.creator_id, coalesce((SELECT max(j.value ->> 'm') FROM json_each(?2) j
      WHERE j.value ->> 's' <= s.first_ms), 0) AS cohort
    FROM (SELECT creator_id, min(created_at_ms) AS first_ms FROM deals WHERE brand_id = ?1 GROUP BY creator_id) s)
SELECT f.cohort, CAST(strftime('%Y', t.day * 86400, 'unixepoch') AS INTEGER) * 12
    + CAST(strftime('%m', t.day * 86400, 'unixepoch') AS INTEGER) - 1 AS month,
  count(DISTINCT iif(t.orders > 0, f.creator_id, NULL)) AS creators, sum(t.orders) AS orders,
  sum(t.base_minor) AS revenue, sum(t.commission_minor) AS commission
FROM f CROSS JOIN deals d INDEXED BY deals_by_creator ON d.brand_id = ?1 AND d.creator_id = f.creator_id
CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = d.id AND t.day BETWEEN ?4 AND ?5
WHERE t.currency = ?3 GROUP BY f.cohort, month ORDER BY f.cohort, month";

    /// How many creators each month of [`COHORTS`] has.
    COHORT_SIZES = "
SELECT f.cohort, count(*) AS creators FROM (SELECT coalesce((SELECT max(j.value ->> 'm') FROM json_each(?2) j
      WHERE j.value ->> 's' <= s.first_ms), 0) AS cohort
    FROM (SELECT creator_id, min(created_at_ms) AS first_ms FROM deals WHERE brand_id = ?1 GROUP BY creator_id) s) f
GROUP BY f.cohort";

    /// For each post of ?2 (`p`, its deal `d`, the days from `f` to `t`, published on `m`): what the deal sold in
    /// the currency ?3 before that day and from it on.
    AROUND = "
SELECT j.value ->> 'p' AS post_id, sum(iif(t.day < j.value ->> 'm', t.orders, 0)) AS orders_before,
  sum(iif(t.day < j.value ->> 'm', t.base_minor, 0)) AS revenue_before,
  sum(iif(t.day >= j.value ->> 'm', t.orders, 0)) AS orders_after,
  sum(iif(t.day >= j.value ->> 'm', t.base_minor, 0)) AS revenue_after
FROM json_each(?2) j CROSS JOIN deal_days t ON t.brand_id = ?1 AND t.deal_id = j.value ->> 'd'
  AND t.day BETWEEN j.value ->> 'f' AND j.value ->> 't'
WHERE t.currency = ?3 GROUP BY j.key";

    /// The same of clicks.
    CLICKS_AROUND = "
SELECT j.value ->> 'p' AS post_id, sum(iif(k.day < j.value ->> 'm', k.uniques, 0)) AS clicks_before,
  sum(iif(k.day >= j.value ->> 'm', k.uniques, 0)) AS clicks_after
FROM json_each(?2) j CROSS JOIN links l INDEXED BY links_by_deal ON l.brand_id = ?1 AND l.deal_id = j.value ->> 'd'
CROSS JOIN click_days k ON k.brand_id = ?1 AND k.link_id = l.id AND k.day BETWEEN j.value ->> 'f' AND j.value ->> 't'
GROUP BY j.key";
}

row! {
    /// What deals brought and cost, by what they are of.
    struct FiguresRow {
        key: String,
        creators: i64,
        deals: i64,
        closed: i64,
        orders: i64,
        other_orders: i64,
        revenue: i64,
        commission: i64,
        fees: i64,
        gifts: i64,
    }
    /// What was clicked and seen.
    struct SeenRow {
        key: String,
        clicks: i64,
        uniques: i64,
        posts: i64,
        with_impressions: i64,
        impressions: i64,
        valued: i64,
        media: i64,
    }
    /// Who a creator is.
    #[derive(Debug, Clone)]
    pub struct CreatorName {
        /// Her id.
        pub id: CreatorId,
        /// Her name.
        pub name: String,
        /// Her handle.
        pub handle: String,
    }
    /// What a campaign is called, and its stages.
    #[derive(Debug, Clone)]
    pub struct CampaignName {
        /// Its id.
        pub id: CampaignId,
        /// Its name.
        pub name: String,
        /// Its stages in order.
        pub stages: Vec<String>,
        /// It was put away.
        pub archived: bool,
    }
    /// What codes and links brought.
    #[derive(Debug, Clone, Default)]
    pub struct SourcesRow {
        /// Orders in all.
        pub orders: i64,
        /// Revenue in all.
        pub revenue: i64,
        /// Commission in all.
        pub commission: i64,
        /// Orders by codes.
        pub code_orders: i64,
        /// Their revenue.
        pub code_revenue: i64,
        /// Their commission.
        pub code_commission: i64,
        /// Orders by links.
        pub link_orders: i64,
        /// Their revenue.
        pub link_revenue: i64,
        /// Their commission.
        pub link_commission: i64,
    }
    /// Clicks of a day.
    #[derive(Debug, Clone, Copy)]
    pub struct ClicksOfDay {
        /// Which.
        pub day: Day,
        /// All that count.
        pub clicks: i64,
        /// Unique ones.
        pub uniques: i64,
    }
    /// What creators of a month brought in a month.
    #[derive(Debug, Clone, Copy)]
    pub struct CohortRow {
        /// The month of their first deals.
        pub cohort: i64,
        /// In which month: years × 12 + months from 0.
        pub month: i64,
        /// How many of them sold something.
        pub creators: i64,
        /// How many orders.
        pub orders: i64,
        /// Their base after refunds.
        pub revenue: i64,
        /// Their commission.
        pub commission: i64,
    }
    /// How many creators a month has.
    #[derive(Debug, Clone, Copy)]
    pub struct CohortSize {
        /// Which month; 0: before the first that was asked for.
        pub cohort: i64,
        /// How many.
        pub creators: i64,
    }
    /// What a deal sold around the day of a post.
    #[derive(Debug, Clone, Copy)]
    pub struct SalesAround {
        /// Which post.
        pub post_id: PostId,
        /// Orders before.
        pub orders_before: i64,
        /// Revenue before.
        pub revenue_before: i64,
        /// Orders from its day on.
        pub orders_after: i64,
        /// Revenue from its day on.
        pub revenue_after: i64,
    }
    /// Which clicks a deal had around the day of a post.
    #[derive(Debug, Clone, Copy)]
    pub struct ClicksAround {
        /// Which post.
        pub post_id: PostId,
        /// Unique clicks before.
        pub clicks_before: i64,
        /// From its day on.
        pub clicks_after: i64,
    }
}

/// What figures are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Creators.
    Creator,
    /// Campaigns.
    Campaign,
    /// Stages of campaigns: `<campaign>/<stage>`.
    Stage,
}

/// Days of the brand, both ends included, and the same span as times.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    /// The first day.
    pub from: Day,
    /// The last.
    pub to: Day,
    /// When the first begins.
    pub from_ms: Millis,
    /// When the last has ended.
    pub to_ms: Millis,
}

/// Which deals and money a report is about.
#[derive(Debug, Clone)]
pub struct About {
    /// Whose.
    pub brand: BrandId,
    /// When.
    pub period: Period,
    /// In which currency.
    pub currency: Currency,
    /// Of one campaign, or all.
    pub campaign: Option<CampaignId>,
    /// Of these deals, or all.
    pub deals: Option<Vec<DealId>>,
}

/// What two statements of one batch answer, on its way.
type Both<'a, A, B> = Pending<'a, Result<(A, B), DbError>>;

/// Figures by what they are of, in the order of keys; `None` if there are more than `most`.
///
/// # Errors
/// [`DbError`].
pub fn figures<'a>(
    db: &'a dyn Database,
    about: &About,
    by: By,
    formula: &Formula,
    most: usize,
) -> Pending<'a, Result<Option<Sorted<String, Figures>>, DbError>> {
    let About { brand, period, currency, campaign, ref deals } = *about;
    let deals = deals.as_deref().map(json_list);
    let by: i64 = match by {
        By::Creator => 1,
        By::Campaign => 2,
        By::Stage => 3,
    };
    let (from, to, from_ms, to_ms) = (period.from.0, period.to.0, period.from_ms, period.to_ms);
    let (code, rates) = (currency.code(), rates_of(formula));
    let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
    let batch = vec![
        bind!(FIGURES, brand, from, to, code, campaign, by, from_ms, to_ms, limit, deals.clone()),
        bind!(SEEN, brand, from, to, rates, campaign, by, from_ms, to_ms, deals),
    ];
    let running = db.run_on(Freshness::Nearest, batch);
    Box::pin(async move {
        let mut results = running.await?.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let (rows, seen) = (next().all::<FiguresRow>()?, next().all::<SeenRow>()?);
        if rows.len() > most {
            return Ok(None);
        }
        let mut found = Sorted::new();
        for row in rows {
            let (key, figures) = row.keyed();
            found.insert(key, figures);
        }
        for row in seen {
            if let Some(figures) = found.get_mut(&row.key) {
                row.join(figures);
            }
        }
        Ok(Some(found))
    })
}

impl FiguresRow {
    fn keyed(self) -> (String, Figures) {
        let figures = Figures {
            creators: self.creators,
            deals: self.deals,
            closed: self.closed,
            orders: self.orders,
            other_orders: self.other_orders,
            revenue: self.revenue,
            commission: self.commission,
            fees: self.fees,
            gifts: self.gifts,
            ..Figures::default()
        };
        (self.key, figures)
    }
}

impl SeenRow {
    fn join(&self, figures: &mut Figures) {
        figures.clicks = self.clicks;
        figures.uniques = self.uniques;
        figures.posts = self.posts;
        figures.with_impressions = self.with_impressions;
        figures.impressions = self.impressions;
        figures.valued = self.valued;
        figures.media = self.media;
    }
}

/// Who these creators are.
///
/// # Errors
/// [`DbError`].
pub fn creators<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[&str],
) -> Reading<'a, Vec<CreatorName>> {
    db.ask(Freshness::Nearest, bind!(CREATORS, brand, json_list(ids)), |rows| rows.all())
}

/// The brand's campaigns, or one of them; at most `most`.
///
/// # Errors
/// [`DbError`].
pub fn campaigns(
    db: &dyn Database,
    brand: BrandId,
    one: Option<CampaignId>,
    most: i64,
) -> Reading<'_, Vec<CampaignName>> {
    db.ask(Freshness::Nearest, bind!(CAMPAIGNS, brand, one, most), |rows| rows.all())
}

/// The clicks of days, both ends included; of a campaign, of some deals.
pub(super) fn clicks(
    brand: BrandId,
    (from, to): (Day, Day),
    campaign: Option<CampaignId>,
    deals: Option<String>,
) -> Statement {
    bind!(CLICKS, brand, from.0, to.0, campaign, deals)
}

/// What codes and links brought, and the clicks of the period by day.
///
/// # Errors
/// [`DbError`].
pub fn sources<'a>(db: &'a dyn Database, about: &About) -> Both<'a, SourcesRow, Vec<ClicksOfDay>> {
    let About { brand, period, currency, campaign, ref deals } = *about;
    let (from, to, deals) = (period.from.0, period.to.0, deals.as_deref().map(json_list));
    let batch = vec![
        bind!(SOURCES, brand, from, to, currency.code(), campaign, deals.clone()),
        clicks(brand, (period.from, period.to), campaign, deals),
    ];
    let running = db.run_on(Freshness::Nearest, batch);
    Box::pin(async move {
        let mut results = running.await?.into_iter();
        let mut next = || results.next().unwrap_or_default();
        Ok((next().first()?.unwrap_or_default(), next().all()?))
    })
}

/// What creators brought by the month of their first deal, and how many each month has. `months`: each with
/// the time at which it begins.
///
/// # Errors
/// [`DbError`].
pub fn cohorts<'a>(
    db: &'a dyn Database,
    about: &About,
    months: &[(i64, Millis)],
) -> Both<'a, Vec<CohortRow>, Vec<CohortSize>> {
    let About { brand, period, currency, .. } = *about;
    let one = |(month, starts): &(i64, Millis)| json!({ "m": *month, "s": *starts });
    let months = list_of(&months.iter().map(one).collect::<Vec<_>>());
    let (from, to, code) = (period.from.0, period.to.0, currency.code());
    let batch =
        vec![bind!(COHORTS, brand, &months, code, from, to), bind!(COHORT_SIZES, brand, months)];
    let running = db.run_on(Freshness::Nearest, batch);
    Box::pin(async move {
        let mut results = running.await?.into_iter();
        let mut next = || results.next().unwrap_or_default();
        Ok((next().all()?, next().all()?))
    })
}

/// A post and the days around it.
#[derive(Debug, Clone, Copy)]
pub struct PostDays {
    /// Which post.
    pub post: PostId,
    /// Of which deal.
    pub deal: DealId,
    /// On which day it was published.
    pub on: Day,
}

/// What deals sold, and the clicks they had, within so many days before their posts and from then on.
///
/// # Errors
/// [`DbError`].
pub fn around<'a>(
    db: &'a dyn Database,
    (brand, currency): (BrandId, Currency),
    posts: &[PostDays],
    days: i64,
) -> Both<'a, Vec<SalesAround>, Vec<ClicksAround>> {
    let one = |post: &PostDays| {
        json!({ "p": post.post, "d": post.deal, "f": post.on.0 - days, "m": post.on.0,
            "t": post.on.0 + days - 1 })
    };
    let list = list_of(&posts.iter().map(one).collect::<Vec<_>>());
    let batch =
        vec![bind!(AROUND, brand, &list, currency.code()), bind!(CLICKS_AROUND, brand, list)];
    let running = db.run_on(Freshness::Nearest, batch);
    Box::pin(async move {
        let mut results = running.await?.into_iter();
        let mut next = || results.next().unwrap_or_default();
        Ok((next().all()?, next().all()?))
    })
}
