//! What creators published, its metrics with their history, and how brands value it.

use serde_json::Value;

use super::rows::parse;
use super::{
    Database, DbError, Param, Reading, Statement, bind, json_list, row, spelling, statements,
};
use crate::domain::ids::{BrandId, CampaignId, DealId, PostId};
use crate::domain::json::{json, list_of};
use crate::domain::post::{Formula, Measure, Metrics, Platform, Rate, Source};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO posts (brand_id, id, deal_id, platform, url, url_key, published_at_ms, reported_by, created_at_ms)
SELECT ?1, j.value ->> 'id', j.value ->> 'deal', j.value ->> 'platform', j.value ->> 'url', j.value ->> 'key',
  j.value ->> 'published', ?3, ?4 FROM json_each(?2) j";

    /// What is told again of the same moment completes it; what was left out of a list stays unknown.
    MEASURE = "
INSERT INTO post_metrics (brand_id, post_id, measured_at_ms, source, noted_at_ms, impressions, views, likes,
  comments, shares)
SELECT ?1, j.value ->> 'id', j.value ->> 'at', ?3, ?4, j.value ->> 'impressions', j.value ->> 'views',
  j.value ->> 'likes', j.value ->> 'comments', j.value ->> 'shares' FROM json_each(?2) j WHERE true
ON CONFLICT (brand_id, post_id, measured_at_ms) DO UPDATE SET source = excluded.source,
  noted_at_ms = excluded.noted_at_ms, impressions = coalesce(excluded.impressions, impressions),
  views = coalesce(excluded.views, views), likes = coalesce(excluded.likes, likes),
  comments = coalesce(excluded.comments, comments), shares = coalesce(excluded.shares, shares)";

    /// What is NULL stays; ?5 is 1 to take it out at ?6, 0 to count it again.
    UPDATE = "
UPDATE posts SET published_at_ms = coalesce(?3, published_at_ms), platform = coalesce(?4, platform),
  removed_at_ms = CASE ?5 WHEN 1 THEN coalesce(removed_at_ms, ?6) WHEN 0 THEN NULL ELSE removed_at_ms END
WHERE brand_id = ?1 AND id = ?2";

    FIND = "
SELECT id, deal_id, platform, url, published_at_ms, reported_by, removed_at_ms, created_at_ms, measured_at_ms,
  impressions, views, likes, comments, shares FROM posts WHERE brand_id = ?1 AND id = ?2";

    /// ?2 from, ?3 to, ?4 and ?5 before this time and id, ?6 limit.
    LIST = "
SELECT id, deal_id, platform, url, published_at_ms, reported_by, removed_at_ms, created_at_ms, measured_at_ms,
  impressions, views, likes, comments, shares FROM posts INDEXED BY posts_by_time
WHERE brand_id = ?1 AND published_at_ms >= ?2 AND published_at_ms < ?3 AND (published_at_ms, id) < (?4, ?5)
ORDER BY published_at_ms DESC, id DESC LIMIT ?6";

    /// As [`LIST`], of the deals in ?7.
    LIST_OF_DEALS = "
SELECT p.id, p.deal_id, p.platform, p.url, p.published_at_ms, p.reported_by, p.removed_at_ms, p.created_at_ms,
  p.measured_at_ms, p.impressions, p.views, p.likes, p.comments, p.shares
FROM json_each(?7) j CROSS JOIN posts p INDEXED BY posts_by_deal ON p.brand_id = ?1 AND p.deal_id = j.value
WHERE p.published_at_ms >= ?2 AND p.published_at_ms < ?3 AND (p.published_at_ms, p.id) < (?4, ?5)
ORDER BY p.published_at_ms DESC, p.id DESC LIMIT ?6";

    /// The measurements of a post before ?3, latest first.
    HISTORY = "
SELECT measured_at_ms, source, noted_at_ms, impressions, views, likes, comments, shares FROM post_metrics
WHERE brand_id = ?1 AND post_id = ?2 AND measured_at_ms < ?3 ORDER BY measured_at_ms DESC LIMIT ?4";

    /// Per platform: ?2 from, ?3 to, ?4 the rates of all platforms (`p`, `v` counts views, `c` CPM).
    SUMS = "
SELECT p.platform, count(*) AS posts, count(p.impressions) AS with_impressions, sum(p.impressions) AS impressions,
  count(p.views) AS with_views, sum(p.views) AS views, sum(p.likes) AS likes, sum(p.comments) AS comments,
  sum(p.shares) AS shares,
  count(iif(r.value ->> 'v', p.views, p.impressions)) AS valued,
  sum((iif(r.value ->> 'v', p.views, p.impressions) * (r.value ->> 'c') + 500) / 1000) AS value_minor
FROM posts p INDEXED BY posts_by_time LEFT JOIN json_each(?4) r ON r.value ->> 'p' = p.platform
WHERE p.brand_id = ?1 AND p.published_at_ms >= ?2 AND p.published_at_ms < ?3 AND p.removed_at_ms IS NULL
  AND (?5 IS NULL OR EXISTS (SELECT 1 FROM deals d WHERE d.brand_id = ?1 AND d.id = p.deal_id
    AND d.campaign_id = ?5))
GROUP BY p.platform ORDER BY p.platform";

    /// As [`SUMS`], of the deals in ?5.
    SUMS_OF_DEALS = "
SELECT p.platform, count(*) AS posts, count(p.impressions) AS with_impressions, sum(p.impressions) AS impressions,
  count(p.views) AS with_views, sum(p.views) AS views, sum(p.likes) AS likes, sum(p.comments) AS comments,
  sum(p.shares) AS shares,
  count(iif(r.value ->> 'v', p.views, p.impressions)) AS valued,
  sum((iif(r.value ->> 'v', p.views, p.impressions) * (r.value ->> 'c') + 500) / 1000) AS value_minor
FROM json_each(?5) j CROSS JOIN posts p INDEXED BY posts_by_deal ON p.brand_id = ?1 AND p.deal_id = j.value
LEFT JOIN json_each(?4) r ON r.value ->> 'p' = p.platform
WHERE p.published_at_ms >= ?2 AND p.published_at_ms < ?3 AND p.removed_at_ms IS NULL
GROUP BY p.platform ORDER BY p.platform";

    /// The deals of posts with these keys.
    KNOWN = "
SELECT p.id, p.url_key, p.deal_id, p.impressions, p.views, p.likes, p.comments, p.shares
FROM json_each(?2) j
CROSS JOIN posts p INDEXED BY posts_by_url ON p.brand_id = ?1 AND p.url_key = j.value";

    FORMULA = "
SELECT version, rates, created_at_ms FROM media_formulas
WHERE brand_id = ?1 AND version = coalesce(?2, (SELECT max(version) FROM media_formulas WHERE brand_id = ?1))";

    FORMULAS = "
SELECT version, rates, created_at_ms FROM media_formulas
WHERE brand_id = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3";

    /// The version after the latest, which was ?2 when it was read.
    INSERT_FORMULA = "
INSERT INTO media_formulas (brand_id, version, rates, created_at_ms)
SELECT ?1, iif((SELECT coalesce(max(version), 0) FROM media_formulas WHERE brand_id = ?1) = ?2, ?3, NULL), ?4, ?5";
}

spelling!(Platform {
    Instagram = "instagram",
    TikTok = "tiktok",
    YouTube = "youtube",
    Facebook = "facebook",
    X = "x",
    Pinterest = "pinterest",
    Twitch = "twitch",
    Blog = "blog",
    Podcast = "podcast",
    Other = "other",
});

spelling!(Source { Brand = "brand", Creator = "creator" });

row! {
    /// A post with the latest that is known of each metric.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PostRow {
        /// Its id.
        pub id: PostId,
        /// For which deal.
        pub deal_id: DealId,
        /// Where.
        pub platform: Platform,
        /// Its address; empty once its creator was erased.
        pub url: String,
        /// When it was published.
        pub published_at_ms: Millis,
        /// Who told of it.
        pub reported_by: Source,
        /// When it was taken out, if it was.
        pub removed_at_ms: Option<Millis>,
        /// When it was told.
        pub created_at_ms: Millis,
        /// When it was measured last.
        pub measured_at_ms: Option<Millis>,
        /// Impressions.
        pub impressions: Option<i64>,
        /// Views.
        pub views: Option<i64>,
        /// Likes.
        pub likes: Option<i64>,
        /// Comments.
        pub comments: Option<i64>,
        /// Shares.
        pub shares: Option<i64>,
    }
    /// What was told at one time.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct MeasuredRow {
        /// As of when.
        pub measured_at_ms: Millis,
        /// Who told it.
        pub source: Source,
        /// When.
        pub noted_at_ms: Millis,
        /// Impressions.
        pub impressions: Option<i64>,
        /// Views.
        pub views: Option<i64>,
        /// Likes.
        pub likes: Option<i64>,
        /// Comments.
        pub comments: Option<i64>,
        /// Shares.
        pub shares: Option<i64>,
    }
    /// What posts on one platform come to.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SumsRow {
        /// Where.
        pub platform: Platform,
        /// How many posts.
        pub posts: i64,
        /// Of how many the impressions are known.
        pub with_impressions: i64,
        /// Impressions of these.
        pub impressions: Option<i64>,
        /// Of how many the views are known.
        pub with_views: i64,
        /// Views of these.
        pub views: Option<i64>,
        /// Likes, where known.
        pub likes: Option<i64>,
        /// Comments, where known.
        pub comments: Option<i64>,
        /// Shares, where known.
        pub shares: Option<i64>,
        /// How many have a value.
        pub valued: i64,
        /// Their value in minor units.
        pub value_minor: Option<i64>,
    }
    /// A post that is known by its address.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct KnownRow {
        /// Which.
        pub id: PostId,
        /// What it is recognised by.
        pub url_key: String,
        /// Whose.
        pub deal_id: DealId,
        /// Impressions.
        pub impressions: Option<i64>,
        /// Views.
        pub views: Option<i64>,
        /// Likes.
        pub likes: Option<i64>,
        /// Comments.
        pub comments: Option<i64>,
        /// Shares.
        pub shares: Option<i64>,
    }
    /// A version of a formula.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct FormulaRow {
        /// Which version.
        pub version: i64,
        /// Its rates.
        rates: String,
        /// Since when.
        pub created_at_ms: Millis,
    }
}

impl PostRow {
    /// What is known of how it did.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let Self { impressions, views, likes, comments, shares, .. } = *self;
        Metrics { impressions, views, likes, comments, shares }
    }
}

impl KnownRow {
    /// What is known of how it did.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let Self { impressions, views, likes, comments, shares, .. } = *self;
        Metrics { impressions, views, likes, comments, shares }
    }
}

/// A post to be stored.
#[derive(Debug, Clone)]
pub struct NewPost {
    /// Its id.
    pub id: PostId,
    /// For which deal.
    pub deal: DealId,
    /// Where.
    pub platform: Platform,
    /// Its address.
    pub url: String,
    /// What it is recognised by: one a brand has is refused by `posts.url_key`.
    pub key: String,
    /// When it was published.
    pub published_at_ms: Millis,
}

/// Stores posts.
#[must_use]
pub fn insert(brand: BrandId, posts: &[NewPost], source: Source, now_ms: Millis) -> Statement {
    let one = |post: &NewPost| {
        json!({ "id": post.id, "deal": post.deal, "platform": post.platform.name(), "url": post.url,
            "key": post.key, "published": post.published_at_ms })
    };
    let list = list_of(&posts.iter().map(one).collect::<Vec<_>>());
    bind!(INSERT, brand, list, source, now_ms)
}

/// Keeps what was measured of posts at a time. The 1,001st time of a post is refused by `measurements`.
#[must_use]
pub fn measure(
    brand: BrandId,
    measured: &[(PostId, Millis, Metrics)],
    source: Source,
    now_ms: Millis,
) -> Statement {
    let one = |(id, at_ms, metrics): &(PostId, Millis, Metrics)| {
        json!({ "id": *id, "at": *at_ms, "impressions": metrics.impressions, "views": metrics.views,
            "likes": metrics.likes, "comments": metrics.comments, "shares": metrics.shares })
    };
    let list = list_of(&measured.iter().map(one).collect::<Vec<_>>());
    bind!(MEASURE, brand, list, source, now_ms)
}

/// What to change of a post; what is `None` stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostUpdate {
    /// When it was published.
    pub published_at_ms: Option<Millis>,
    /// Where.
    pub platform: Option<Platform>,
    /// Whether it is taken out.
    pub removed: Option<bool>,
}

/// Changes what is given of a post.
#[must_use]
pub fn update(brand: BrandId, id: PostId, update: &PostUpdate, now_ms: Millis) -> Statement {
    let PostUpdate { published_at_ms, platform, removed } = *update;
    bind!(UPDATE, brand, id, published_at_ms, platform, removed, now_ms)
}

/// One post.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: PostId) -> Reading<'_, Option<PostRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A span of time in which posts were published.
pub type Span = (Millis, Millis);

/// A page of posts, latest first; `before` is the time and id of the last row that was seen.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deals: Option<&[DealId]>,
    (from_ms, to_ms): Span,
    before: Option<(Millis, &str)>,
    limit: i64,
) -> Reading<'a, Vec<PostRow>> {
    let (before_ms, before_id) = before.unwrap_or((to_ms, ""));
    // SQLite finds the page in the index by this, not by the pair of time and id.
    let end_ms = to_ms.min(before_ms.saturating_add(1));
    let mut params: Vec<Param> = vec![
        brand.into(),
        from_ms.into(),
        end_ms.into(),
        before_ms.into(),
        before_id.into(),
        limit.into(),
    ];
    db.all(match deals {
        None => Statement { sql: LIST.into(), params },
        Some(deals) => {
            params.push(json_list(deals).into());
            Statement { sql: LIST_OF_DEALS.into(), params }
        }
    })
}

/// What was measured of a post before a time, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn history<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    id: PostId,
    before_ms: Millis,
    limit: i64,
) -> Reading<'a, Vec<MeasuredRow>> {
    db.all(bind!(HISTORY, brand, id, before_ms, limit))
}

/// Which posts are summed up.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All of the brand.
    All,
    /// Of a campaign.
    Of(CampaignId),
    /// Of these deals.
    Deals(&'a [DealId]),
}

/// What posts come to per platform, without those that were taken out.
///
/// # Errors
/// [`super::DbError`].
pub fn sums<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    which: Which<'_>,
    (from_ms, to_ms): Span,
    formula: &Formula,
) -> Reading<'a, Vec<SumsRow>> {
    let rate = |platform: Platform| {
        let rate = formula.rate(platform);
        let views = i64::from(rate.measure == Measure::Views);
        json!({ "p": platform.name(), "v": views, "c": rate.cpm_minor })
    };
    let rates = list_of(&Platform::ALL.map(rate));
    db.all(match which {
        Which::All => bind!(SUMS, brand, from_ms, to_ms, rates, None::<CampaignId>),
        Which::Of(campaign) => bind!(SUMS, brand, from_ms, to_ms, rates, campaign),
        Which::Deals(deals) => {
            bind!(SUMS_OF_DEALS, brand, from_ms, to_ms, rates, json_list(deals))
        }
    })
}

/// The posts that the brand has of these keys.
///
/// # Errors
/// [`super::DbError`].
pub fn known<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    keys: &[String],
) -> Reading<'a, Vec<KnownRow>> {
    db.all(bind!(KNOWN, brand, json_list(keys)))
}

/// One version of the brand's formula, or the latest.
///
/// # Errors
/// [`super::DbError`].
pub fn formula(
    db: &dyn Database,
    brand: BrandId,
    version: Option<i64>,
) -> Reading<'_, Option<FormulaRow>> {
    db.first(bind!(FORMULA, brand, version))
}

/// The versions before one, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn formulas<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    before: i64,
    limit: i64,
) -> Reading<'a, Vec<FormulaRow>> {
    db.all(bind!(FORMULAS, brand, before, limit))
}

/// Stores a version; aborts unless the one before it is the latest.
#[must_use]
pub fn insert_formula(brand: BrandId, formula: &Formula, now_ms: Millis) -> Statement {
    let version = formula.version;
    let kept = |platform: Option<Platform>, rate: Rate| {
        let views = i64::from(rate.measure == Measure::Views);
        json!({ "p": platform.map(Platform::name), "v": views, "c": rate.cpm_minor })
    };
    let own = formula.platforms.iter().map(|(platform, rate)| kept(Some(*platform), *rate));
    let rates: Vec<String> = std::iter::once(kept(None, formula.default)).chain(own).collect();
    bind!(INSERT_FORMULA, brand, version - 1, version, list_of(&rates), now_ms)
}

impl FormulaRow {
    /// The formula.
    ///
    /// # Errors
    /// What is kept can't be read: a fault of ours.
    pub fn formula(&self) -> Result<Formula, DbError> {
        let fault = || DbError::Failed("a media formula can't be read".to_owned());
        let read = |rate: &Value| {
            let count = |name| rate.get(name).and_then(Value::as_i64);
            let measure = if count("v")? == 1 { Measure::Views } else { Measure::Impressions };
            Some(Rate { measure, cpm_minor: count("c")? })
        };
        let kept = parse(&self.rates).map_err(|_| fault())?;
        let kept = kept.as_array().ok_or_else(fault)?;
        let default = kept.first().and_then(read).ok_or_else(fault)?;
        let own = kept.iter().skip(1).map(|rate| {
            let name = rate.get("p").and_then(Value::as_str)?;
            Some((Platform::named(name)?, read(rate)?))
        });
        let platforms = own.collect::<Option<Vec<_>>>().ok_or_else(fault)?;
        Ok(Formula { version: self.version, default, platforms })
    }
}
