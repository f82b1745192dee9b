//! What creators published: reported by the brand or by themselves, measured, valued.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, Creator, Deal, DealId, Post, PostId};
use crate::domain::money::{Currency, Money};
use crate::domain::post::{Formula, MAX_COUNT, Measure, Metrics, Platform, PostUrl, Source};
use crate::domain::time::{DAY_MS, Millis};
use crate::error::{Error, Result};
use crate::storage::posts::{self as rows, MeasuredRow, NewPost, PostRow, PostUpdate};
use crate::storage::{DbError, Page, Statement, audit, deals};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Me, Params, PathId, RequestId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{by_serde, text, view};
use crate::web::limits;

use super::media::formula_of;
use super::orders::order_page;
use super::view::{List, Time};

/// So many posts a creator reports within a day, and as many measurements.
const REPORTS_A_DAY: u32 = 200;
/// So often she measures one post within a day.
const MEASURED_A_DAY: u32 = 24;
/// What she measured may be so much later than our clock.
const CLOCKS_MS: Millis = 300_000;

words!(Platform {
    "instagram" => Instagram, "tiktok" => TikTok, "youtube" => YouTube, "facebook" => Facebook, "x" => X,
    "pinterest" => Pinterest, "twitch" => Twitch, "blog" => Blog, "podcast" => Podcast,
    "other" => Other,
});
by_serde!(Platform, Source, Measure);

body! {
    /// What a platform tells of a post. What is absent or null isn't known, which isn't zero.
    pub struct NewMetrics {
        impressions: Option<Option<i64>>,
        views: Option<Option<i64>>,
        likes: Option<Option<i64>>,
        comments: Option<Option<i64>>,
        shares: Option<Option<i64>>,
        /// As of when; absent: now.
        measured_at: Option<Option<Time>>,
    }
}

body! {
    /// Something that was published.
    #[schema(as = NewPost)]
    pub struct PostBody {
        platform: Platform,
        /// Its address.
        url: String,
        published_at: Time,
        metrics: Option<Option<NewMetrics>>,
    }
}

body! {
    /// Something that a creator published.
    pub struct MyNewPost {
        /// For which of her deals.
        deal_id: DealId,
        platform: Platform,
        /// Its address.
        url: String,
        published_at: Time,
        metrics: Option<Option<NewMetrics>>,
    }
}

body! {
    /// What to change of a post.
    #[schema(as = PostChange)]
    pub struct PostChange {
        platform: Option<Platform>,
        published_at: Option<Time>,
        /// One that is removed counts nowhere.
        state: Option<PostState>,
    }
}

/// Whether a post counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum PostState {
    /// It does.
    Open,
    /// It doesn't.
    Removed,
}
words!(PostState { "open" => Open, "removed" => Removed });

view! {
    /// What is known of how a post did; null: never measured.
    #[schema(as = Metrics)]
    pub struct MetricsView {
        #[schema(required)]
        pub(crate) impressions: Option<i64>,
        #[schema(required)]
        pub(crate) views: Option<i64>,
        #[schema(required)]
        pub(crate) likes: Option<i64>,
        #[schema(required)]
        pub(crate) comments: Option<i64>,
        #[schema(required)]
        pub(crate) shares: Option<i64>,
    }
}

impl From<Metrics> for MetricsView {
    fn from(Metrics { impressions, views, likes, comments, shares }: Metrics) -> Self {
        Self { impressions, views, likes, comments, shares }
    }
}

view! {
    /// Something that was published.
    #[schema(as = Post)]
    pub struct PostView {
        pub(crate) id: PostId,
        pub(crate) deal_id: DealId,
        pub(crate) platform: Platform,
        /// Empty once its creator was erased.
        pub(crate) url: String,
        pub(crate) published_at: Time,
        /// `open` or `removed`.
        pub(crate) state: &'static str,
        pub(crate) reported_by: Source,
        pub(crate) created_at: Time,
        /// The latest that is known of each.
        pub(crate) metrics: MetricsView,
        #[schema(required)]
        pub(crate) measured_at: Option<Time>,
        /// By the formula of that version; null: what the formula counts wasn't measured.
        #[schema(required)]
        pub(crate) earned_media_value: Option<Money>,
        pub(crate) formula: i64,
    }
}

view! {
    /// What was told of a post at one time.
    pub struct Measurement {
        measured_at: Time,
        source: Source,
        noted_at: Time,
        metrics: MetricsView,
    }
}

fn view(row: PostRow, formula: &Formula, currency: Currency) -> PostView {
    let metrics = row.metrics();
    let value = formula.value(row.platform, &metrics);
    PostView {
        id: row.id,
        deal_id: row.deal_id,
        platform: row.platform,
        url: row.url,
        published_at: Time(row.published_at_ms),
        state: if row.removed_at_ms.is_some() { "removed" } else { "open" },
        reported_by: row.reported_by,
        created_at: Time(row.created_at_ms),
        metrics: metrics.into(),
        measured_at: row.measured_at_ms.map(Time),
        earned_media_value: value.map(|minor| Money::new(minor, currency)),
        formula: formula.version,
    }
}

impl From<MeasuredRow> for Measurement {
    fn from(row: MeasuredRow) -> Self {
        let MeasuredRow { impressions, views, likes, comments, shares, .. } = row;
        Self {
            measured_at: Time(row.measured_at_ms),
            source: row.source,
            noted_at: Time(row.noted_at_ms),
            metrics: MetricsView { impressions, views, likes, comments, shares },
        }
    }
}

/// What was measured, and as of when.
fn metrics_of(
    checks: &mut Checks,
    within: &str,
    new: NewMetrics,
    now_ms: Millis,
) -> (Millis, Metrics) {
    let mut count = |name: &str, told: Option<Option<i64>>| {
        let told = told.flatten();
        if told.is_some_and(|count| !(0..=MAX_COUNT).contains(&count)) {
            checks.refuse(&format!("{within}{name}"), "must be between 0 and 20000000000");
        }
        told
    };
    let metrics = Metrics {
        impressions: count("impressions", new.impressions),
        views: count("views", new.views),
        likes: count("likes", new.likes),
        comments: count("comments", new.comments),
        shares: count("shares", new.shares),
    };
    if metrics.is_empty() {
        checks.refuse(&format!("{within}impressions"), "nothing is told");
    }
    let at_ms = new.measured_at.flatten().map_or(now_ms, |at| at.0);
    not_to_come(checks, &format!("{within}measured_at"), at_ms, now_ms);
    (at_ms, metrics)
}

/// Nothing is measured or published before it happens; clocks and days differ.
fn not_to_come(checks: &mut Checks, field: &str, at_ms: Millis, now_ms: Millis) {
    if at_ms > now_ms + DAY_MS {
        checks.refuse(field, "must not be in the future");
    }
}

/// What a report comes to: the post, its measurement, and the statements that keep both.
struct Report {
    post: NewPost,
    measured: Option<(Millis, Metrics)>,
}

impl Report {
    fn of(app: &App, deal: DealId, body: PostBody) -> Result<Self> {
        let (mut checks, now_ms) = (Checks::default(), app.now_ms());
        let url = checks.field("url", PostUrl::parse(&body.url));
        not_to_come(&mut checks, "published_at", body.published_at.0, now_ms);
        let metrics = body.metrics.flatten();
        let measured = metrics.map(|new| metrics_of(&mut checks, "metrics.", new, now_ms));
        checks.done()?;
        let PostUrl { url, key } = checked(url)?;
        let (platform, published_at_ms) = (body.platform, body.published_at.0);
        let post = NewPost { id: app.new_id(), deal, platform, url, key, published_at_ms };
        Ok(Self { post, measured })
    }

    fn statements(&self, brand: BrandId, source: Source, now_ms: Millis) -> Vec<Statement> {
        let mut batch = vec![rows::insert(brand, std::slice::from_ref(&self.post), source, now_ms)];
        if let Some((at_ms, metrics)) = self.measured {
            batch.push(rows::measure(brand, &[(self.post.id, at_ms, metrics)], source, now_ms));
        }
        batch
    }

    fn view(
        self,
        source: Source,
        formula: &Formula,
        currency: Currency,
        now_ms: Millis,
    ) -> PostView {
        let Metrics { impressions, views, likes, comments, shares } =
            self.measured.map(|(_, metrics)| metrics).unwrap_or_default();
        let row = PostRow {
            id: self.post.id,
            deal_id: self.post.deal,
            platform: self.post.platform,
            url: self.post.url,
            published_at_ms: self.post.published_at_ms,
            reported_by: source,
            removed_at_ms: None,
            created_at_ms: now_ms,
            measured_at_ms: self.measured.map(|(at_ms, _)| at_ms),
            impressions,
            views,
            likes,
            comments,
            shares,
        };
        view(row, formula, currency)
    }
}

pub(super) fn refused(error: DbError) -> Box<Error> {
    if error.is_constraint("posts.url_key") {
        Error::refused("post-known", "this post was reported before")
    } else if error.is_constraint("measurements") {
        Error::refused("measured-often", "this post was measured 1,000 times")
    } else {
        error.into()
    }
}

/// Reports something that was published for a deal.
#[utoipa::path(post, path = "/v1/deals/{id}/posts", tag = "posts", request_body = PostBody,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = PostView),
    (status = 409, description = "The post was reported before, or the creator was erased")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(body): Body<PostBody>,
) -> Result<(StatusCode, Json<PostView>)> {
    let deal = super::deals::find(&app, caller.brand, id.0).await?;
    super::deals::not_erased(&app, caller.brand, deal.creator_id).await?;
    let report = Report::of(&app, deal.id, body)?;
    let (formula, currency) = formula_of(&app, caller.brand, None).await?;
    let now_ms = app.now_ms();
    let mut batch = report.statements(caller.brand, Source::Brand, now_ms);
    let view = report.view(Source::Brand, &formula, currency, now_ms);
    let what = ("post.create", &*view.id.to_string());
    batch.extend(caller.note_of_creator(&app, deal.creator_id, what, None, Some(text(&view))));
    app.db().run(batch).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The brand's posts, published last first.
#[utoipa::path(get, path = "/v1/posts", tag = "posts", security(("api_key" = ["read"])),
    params(("deal_id" = Option<DealId>, Query), ("creator_id" = Option<String>, Query),
    ("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("formula" = Option<i64>, Query), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<PostView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<PostView>>> {
    let params =
        params.only(&["deal_id", "creator_id", "from", "to", "limit", "cursor", "formula"])?;
    let page = order_page(&params)?;
    let deals = deals_of(&app, caller.brand, &params).await?;
    listed(&app, caller.brand, deals, &params, &page).await
}

async fn listed(
    app: &App,
    brand: BrandId,
    deals: Option<Vec<DealId>>,
    params: &Params,
    page: &Page,
) -> Result<Json<List<PostView>>> {
    let zone = super::brand::find(app, brand).await?.brand.timezone;
    let span = params.period(&zone)?;
    let before = page.after.split_once('/').and_then(|(ms, id)| Some((ms.parse().ok()?, id)));
    let (formula, currency) = formula_of(app, brand, params.get("formula")).await?;
    let found = rows::list(app.db(), brand, deals.as_deref(), span, before, page.limit).await?;
    let key = |row: &PostRow| format!("{}/{}", row.published_at_ms, row.id);
    Ok(Json(List::page(found, page, key, |row| view(row, &formula, currency))))
}

/// The deals that `deal_id` and `creator_id` narrow to.
pub(super) async fn deals_of(
    app: &App,
    brand: BrandId,
    params: &Params,
) -> Result<Option<Vec<DealId>>> {
    let deal = params.id::<Deal>("deal_id")?;
    let Some(creator) = params.id::<Creator>("creator_id")? else {
        return Ok(deal.map(|deal| vec![deal]));
    };
    let mut ids = deals::ids_of_creator(app.db(), brand, creator).await?;
    if let Some(deal) = deal {
        ids.retain(|id| *id == deal);
    }
    Ok(Some(ids))
}

async fn found(app: &App, brand: BrandId, id: PostId) -> Result<PostRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

async fn shown(app: &App, brand: BrandId, id: PostId) -> Result<PostView> {
    let row = found(app, brand, id).await?;
    let (formula, currency) = formula_of(app, brand, None).await?;
    Ok(view(row, &formula, currency))
}

/// One post.
#[utoipa::path(get, path = "/v1/posts/{id}", tag = "posts", security(("api_key" = ["read"])),
    params(("id" = PostId, Path)), responses((status = 200, body = PostView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Post>,
) -> Result<Json<PostView>> {
    Ok(Json(shown(&app, caller.brand, id.0).await?))
}

/// Changes a post. Its address stays: report another post for that.
#[utoipa::path(patch, path = "/v1/posts/{id}", tag = "posts", request_body = PostChange,
    security(("api_key" = ["deals"])), params(("id" = PostId, Path)),
    responses((status = 200, body = PostView)))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Post>,
    Body(change): Body<PostChange>,
) -> Result<Json<PostView>> {
    let (before, now_ms) = (found(&app, caller.brand, id.0).await?, app.now_ms());
    let mut checks = Checks::default();
    if let Some(at) = change.published_at {
        not_to_come(&mut checks, "published_at", at.0, now_ms);
    }
    checks.done()?;
    let update = PostUpdate {
        published_at_ms: change.published_at.map(|at| at.0),
        platform: change.platform,
        removed: change.state.map(|state| state == PostState::Removed),
    };
    let deal = super::deals::find(&app, caller.brand, before.deal_id).await?;
    let (formula, currency) = formula_of(&app, caller.brand, None).await?;
    let mut after = before.clone();
    after.published_at_ms = update.published_at_ms.unwrap_or(after.published_at_ms);
    after.platform = update.platform.unwrap_or(after.platform);
    match update.removed {
        Some(true) => after.removed_at_ms = after.removed_at_ms.or(Some(now_ms)),
        Some(false) => after.removed_at_ms = None,
        None => (),
    }
    let told = |row| Some(text(&view(row, &formula, currency)));
    let what = ("post.update", &*id.0.to_string());
    let mut batch = vec![rows::update(caller.brand, id.0, &update, now_ms)];
    batch.extend(caller.note_of_creator(&app, deal.creator_id, what, told(before), told(after)));
    app.db().run(batch).await?;
    Ok(Json(shown(&app, caller.brand, id.0).await?))
}

/// Tells how a post did. What is told again of the same moment completes it; of each metric the latest counts.
#[utoipa::path(post, path = "/v1/posts/{id}/metrics", tag = "posts", request_body = NewMetrics,
    security(("api_key" = ["deals"])), params(("id" = PostId, Path)),
    responses((status = 201, body = PostView),
    (status = 409, description = "The post was measured too often")))]
pub async fn measure(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Post>,
    Body(new): Body<NewMetrics>,
) -> Result<(StatusCode, Json<PostView>)> {
    let (post, now_ms) = (found(&app, caller.brand, id.0).await?, app.now_ms());
    let mut checks = Checks::default();
    let (at_ms, metrics) = metrics_of(&mut checks, "", new, now_ms);
    checks.done()?;
    let told = text(&MetricsView::from(metrics));
    let measured = [(post.id, at_ms, metrics)];
    let mut batch = vec![rows::measure(caller.brand, &measured, Source::Brand, now_ms)];
    batch.push(caller.note(&app, "post.measure", post.id, None, Some(told)));
    app.db().run(batch).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(shown(&app, caller.brand, id.0).await?)))
}

/// How a post did over time, latest first.
#[utoipa::path(get, path = "/v1/posts/{id}/metrics", tag = "posts",
    security(("api_key" = ["read"])), params(("id" = PostId, Path),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<Measurement>)))]
pub async fn history(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Post>,
    params: Params,
) -> Result<Json<List<Measurement>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let before_ms: Millis = match page.after.as_str() {
        "" => 9_000_000_000_000_000,
        ms => ms.parse().map_err(|_| Error::invalid("cursor", "is none that this list gave"))?,
    };
    let post = found(&app, caller.brand, id.0).await?;
    let all = rows::history(app.db(), caller.brand, post.id, before_ms, page.limit).await?;
    let key = |row: &MeasuredRow| row.measured_at_ms.to_string();
    Ok(Json(List::page(all, &page, key, Measurement::from)))
}

/// That a deal is hers.
async fn hers(app: &App, me: &Me, deal: DealId) -> Result<bool> {
    Ok(deals::ids_of_creator(app.db(), me.brand, me.creator).await?.contains(&deal))
}

/// Reports something that she published.
#[utoipa::path(post, path = "/v1/me/posts", tag = "creator", request_body = MyNewPost,
    security(("creator" = [])), responses((status = 201, body = PostView),
    (status = 409, description = "The post was reported before")))]
pub async fn create_mine(
    State(app): State<App>,
    me: Me,
    RequestId(request_id): RequestId,
    Body(body): Body<MyNewPost>,
) -> Result<(StatusCode, Json<PostView>)> {
    if !hers(&app, &me, body.deal_id).await? {
        return Err(Error::invalid("deal_id", "is no deal of yours"));
    }
    let MyNewPost { deal_id, platform, url, published_at, metrics } = body;
    let report = Report::of(&app, deal_id, PostBody { platform, url, published_at, metrics })?;
    limited(&app, &me).await?;
    let (formula, currency) = formula_of(&app, me.brand, None).await?;
    let now_ms = app.now_ms();
    let mut batch = report.statements(me.brand, Source::Creator, now_ms);
    let view = report.view(Source::Creator, &formula, currency, now_ms);
    batch.extend(noted(&app, &me, &request_id, "post.create", view.id, text(&view)));
    app.db().run(batch).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(view)))
}

async fn limited(app: &App, me: &Me) -> Result<()> {
    let subject = format!("posts/{}/{}", me.brand, me.creator);
    limits::take(app, &subject, REPORTS_A_DAY, DAY_MS).await
}

fn noted(
    app: &App,
    me: &Me,
    request_id: &str,
    action: &'static str,
    post: PostId,
    after: String,
) -> [Statement; 2] {
    let subject = post.to_string();
    let done = audit::Done {
        id: app.new_id(),
        actor: Actor::Creator(me.creator),
        action,
        subject: &subject,
        request_id,
        before: None,
        after: Some(after),
    };
    audit::note_of_creator(me.brand, done, me.creator, app.now_ms())
}

/// What she published, latest first.
#[utoipa::path(get, path = "/v1/me/posts", tag = "creator", security(("creator" = [])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<PostView>)))]
pub async fn list_mine(
    State(app): State<App>,
    me: Me,
    params: Params,
) -> Result<Json<List<PostView>>> {
    let params = params.only(&["from", "to", "limit", "cursor"])?;
    let page = order_page(&params)?;
    let deals = deals::ids_of_creator(app.db(), me.brand, me.creator).await?;
    listed(&app, me.brand, Some(deals), &params, &page).await
}

/// Tells how a post of hers did.
#[utoipa::path(post, path = "/v1/me/posts/{id}/metrics", tag = "creator",
    request_body = NewMetrics, security(("creator" = [])), params(("id" = PostId, Path)),
    responses((status = 201, body = PostView)))]
pub async fn measure_mine(
    State(app): State<App>,
    me: Me,
    RequestId(request_id): RequestId,
    id: PathId<Post>,
    Body(new): Body<NewMetrics>,
) -> Result<(StatusCode, Json<PostView>)> {
    let post = found(&app, me.brand, id.0).await?;
    if !hers(&app, &me, post.deal_id).await? {
        return Err(Error::NotFound.into());
    }
    let (mut checks, now_ms) = (Checks::default(), app.now_ms());
    let (at_ms, metrics) = metrics_of(&mut checks, "", new, now_ms);
    if at_ms > now_ms + CLOCKS_MS {
        checks.refuse("measured_at", "must not be in the future");
    }
    checks.done()?;
    let subject = format!("measured/{}/{}", me.brand, post.id);
    limits::take(&app, &subject, MEASURED_A_DAY, DAY_MS).await?;
    limited(&app, &me).await?;
    let told = text(&MetricsView::from(metrics));
    let measured = [(post.id, at_ms, metrics)];
    let mut batch = vec![rows::measure(me.brand, &measured, Source::Creator, now_ms)];
    batch.extend(noted(&app, &me, &request_id, "post.measure", post.id, told));
    app.db().run(batch).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(shown(&app, me.brand, id.0).await?)))
}
