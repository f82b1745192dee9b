//! Deals with their terms, links, codes and invitations.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, Pending};
use crate::domain::auth::TokenKind;
use crate::domain::deal::Terms;
use crate::domain::ids::{
    BrandId, CampaignId, CodeId, CreatorId, Deal, DealId, InvitationId, Link, LinkId, StoreId,
    TermsId,
};
use crate::domain::link::{Slug, SlugError, Target};
use crate::domain::secret::token_hash;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::deals::{self as rows, DealRow, DealUpdate, NewDeal, Start, TermsRow};
use crate::storage::links::{self, LinkRow, NewLink};
use crate::storage::rows::from_json;
use crate::storage::{DbError, Page, access, creators, stores};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, checked};
use crate::web::handler::{Json, State};
use crate::web::json::{by_serde, view};
use crate::web::redirect;

use super::view::{List, Percent, Time};

/// An invitation holds for a week.
const INVITATION_MS: Millis = 7 * 24 * 3_600_000;
/// A slug from a handle tries so many suffixes in turn, and as many at random.
const SLUG_ATTEMPTS: u32 = 8;
/// No terms start before this: 2000-01-01.
const EARLIEST_START_MS: Millis = 946_684_800_000;

view! {
    /// One creator in one campaign.
    #[schema(as = Deal)]
    pub struct DealView {
        id: DealId,
        creator_id: CreatorId,
        campaign_id: CampaignId,
        stage: String,
        state: LinkState,
        /// The terms in force now; where none are yet, those that come next.
        #[schema(required)]
        terms: Option<TermsView>,
        links: Vec<LinkView>,
        codes: Vec<CodeView>,
        tags: Vec<String>,
    }
}

/// Open or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = State)]
pub enum LinkState {
    /// It works.
    Open,
    /// It doesn't any more.
    Closed,
}

by_serde!(LinkState);
words!(LinkState { "open" => Open, "closed" => Closed });

impl LinkState {
    fn of(closed_at_ms: Option<Millis>) -> Self {
        if closed_at_ms.is_some() { Self::Closed } else { Self::Open }
    }

    fn closed(self) -> bool {
        self == Self::Closed
    }
}

view! {
    /// A version of commission terms.
    #[schema(as = Terms)]
    pub struct TermsView {
        id: TermsId,
        commission_percent: Percent,
        starts_at: Time,
    }
}

impl From<TermsRow> for TermsView {
    fn from(row: TermsRow) -> Self {
        Self {
            id: row.id,
            commission_percent: Percent(row.rate_bp),
            starts_at: Time(row.starts_at_ms),
        }
    }
}

view! {
    /// A personal link.
    #[schema(as = Link)]
    pub struct LinkView {
        id: LinkId,
        slug: String,
        target: String,
        /// The address to hand out.
        url: String,
        state: LinkState,
    }
}

view! {
    /// A discount code.
    #[schema(as = Code)]
    pub struct CodeView {
        id: CodeId,
        code: String,
        state: String,
    }
}

/// The address of a link on the host it is handed out on.
#[must_use]
pub fn link_url(app: &App, host: &str, slug: &str) -> String {
    if host.is_empty() {
        format!("{}/go/{slug}", app.config.public_origin)
    } else {
        format!("https://{host}/{slug}")
    }
}

fn view(app: &App, row: DealRow) -> DealView {
    DealView {
        id: row.id,
        creator_id: row.creator_id,
        campaign_id: row.campaign_id,
        stage: row.stage,
        state: LinkState::of(row.closed_at_ms),
        terms: row.terms.or(row.next_terms).map(TermsView::from),
        links: row
            .links
            .into_iter()
            .map(|link| LinkView {
                url: link_url(app, &link.host, &link.slug),
                id: link.id,
                slug: link.slug,
                target: link.target,
                state: LinkState::of(link.closed_at_ms),
            })
            .collect(),
        codes: row
            .codes
            .into_iter()
            .map(|code| CodeView { id: code.id, code: code.code, state: code.state })
            .collect(),
        tags: row.tags,
    }
}

/// A deal of the brand.
///
/// # Errors
/// 404.
pub fn find(app: &App, brand: BrandId, id: DealId) -> Pending<'_, Result<DealRow>> {
    Box::pin(
        async move { rows::find(app.db(), brand, id, app.now_ms()).await?.ok_or(Error::NotFound) },
    )
}

body! {
    /// A new deal.
    pub struct NewDealBody {
        creator_id: String,
        campaign_id: String,
        stage: Option<String>,
        commission_percent: Option<Percent>,
        starts_at: Option<Time>,
    }
}

/// Makes a deal, with its first terms if a rate is given.
#[utoipa::path(post, path = "/v1/deals", tag = "deals", request_body = NewDealBody,
    security(("api_key" = [])), responses((status = 201, body = DealView),
    (status = 404, description = "No such creator or campaign")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewDealBody>,
) -> Result<(StatusCode, Json<DealView>)> {
    let mut checks = Checks::default();
    let creator = checks.field("creator_id", new.creator_id.parse::<CreatorId>());
    let campaign_id = checks.field("campaign_id", new.campaign_id.parse::<CampaignId>());
    if new.starts_at.is_some() && new.commission_percent.is_none() {
        checks.refuse("starts_at", "needs a commission_percent that starts then");
    }
    check_start(&mut checks, new.starts_at);
    checks.done()?;
    let (creator, campaign_id) = (checked(creator)?, checked(campaign_id)?);
    let campaign = creators::campaign(app.db(), caller.brand, campaign_id).await?;
    let stages = campaign.ok_or(Error::NotFound)?.stages;
    let stage = stage_of(&stages, new.stage.as_deref())?;
    let id: DealId = app.new_id();
    let now_ms = app.now_ms();
    let deal = NewDeal { id, creator, campaign: campaign_id, stage: &stage };
    let mut batch = vec![rows::insert(caller.brand, &deal, now_ms)];
    if let Some(Percent(rate)) = new.commission_percent {
        let starts_at_ms = new.starts_at.map_or(now_ms, |at| at.0);
        let terms = Terms { id: app.new_id(), deal: id, starts_at_ms, rate };
        batch.push(rows::insert_terms(caller.brand, &terms, Start::Exactly, now_ms));
    }
    app.db().run(batch).await.map_err(missing_parent)?;
    Ok((StatusCode::CREATED, Json(view(&app, find(&app, caller.brand, id).await?))))
}

/// A reference to what isn't there, or is another brand's, is a 404.
fn missing_parent(error: DbError) -> Error {
    if error.is_constraint("FOREIGN KEY") { Error::NotFound } else { error.into() }
}

fn check_start(checks: &mut Checks, starts_at: Option<Time>) {
    if starts_at.is_some_and(|at| at.0 < EARLIEST_START_MS) {
        checks.refuse("starts_at", "must not be before the year 2000");
    }
}

/// A stage of the campaign; the first one where none is asked for.
fn stage_of(stages: &str, wanted: Option<&str>) -> Result<String> {
    let stages: Vec<String> = from_json(stages).unwrap_or_default();
    let found = match wanted {
        None => stages.into_iter().next(),
        Some(wanted) => stages.into_iter().find(|stage| stage == wanted),
    };
    found.ok_or_else(|| Error::invalid("stage", "must be a stage of the campaign"))
}

/// The brand's deals.
#[utoipa::path(get, path = "/v1/deals", tag = "deals", security(("api_key" = [])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<DealView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<DealView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let ids = rows::ids(app.db(), caller.brand, &page).await?;
    let found = rows::by_ids(app.db(), caller.brand, &ids, app.now_ms()).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(&app, row))))
}

/// One deal.
#[utoipa::path(get, path = "/v1/deals/{id}", tag = "deals", security(("api_key" = [])),
    params(("id" = DealId, Path)), responses((status = 200, body = DealView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
) -> Result<Json<DealView>> {
    Ok(Json(view(&app, find(&app, caller.brand, id.0).await?)))
}

body! {
    /// What to change of a deal; what is absent stays.
    pub struct DealChanges {
        stage: Option<String>,
        tags: Option<Vec<String>>,
        state: Option<LinkState>,
    }
}

/// Changes a deal.
#[utoipa::path(patch, path = "/v1/deals/{id}", tag = "deals", request_body = DealChanges,
    security(("api_key" = [])), params(("id" = DealId, Path)),
    responses((status = 200, body = DealView)))]
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    Body(changes): Body<DealChanges>,
) -> Result<Json<DealView>> {
    let deal = find(&app, caller.brand, id.0).await?;
    let mut checks = Checks::default();
    let tags = changes.tags.map(|tags| super::creators::tags(&mut checks, tags));
    checks.done()?;
    let mut update = DealUpdate { tags, closed: changes.state.map(LinkState::closed), stage: None };
    if let Some(stage) = &changes.stage {
        let campaign = creators::campaign(app.db(), caller.brand, deal.campaign_id).await?;
        update.stage = Some(stage_of(&campaign.ok_or(Error::NotFound)?.stages, Some(stage))?);
    }
    app.db().run(vec![rows::update(caller.brand, deal.id, &update, app.now_ms())]).await?;
    Ok(Json(view(&app, find(&app, caller.brand, deal.id).await?)))
}

body! {
    /// A new version of terms.
    pub struct NewTerms {
        commission_percent: Percent,
        starts_at: Option<Time>,
    }
}

/// Adds a version of terms. Past orders never change: one that would start before an order that
/// is already decided is refused.
#[utoipa::path(post, path = "/v1/deals/{id}/terms", tag = "deals", request_body = NewTerms,
    security(("api_key" = [])), params(("id" = DealId, Path)),
    responses((status = 201, body = TermsView)))]
pub async fn add_terms(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    Body(new): Body<NewTerms>,
) -> Result<(StatusCode, Json<TermsView>)> {
    find(&app, caller.brand, id.0).await?;
    let mut checks = Checks::default();
    check_start(&mut checks, new.starts_at);
    checks.done()?;
    let now_ms = app.now_ms();
    let terms = Terms {
        id: app.new_id(),
        deal: id.0,
        starts_at_ms: new.starts_at.map_or(now_ms, |at| at.0),
        rate: new.commission_percent.0,
    };
    let start = if new.starts_at.is_some() { Start::Exactly } else { Start::Soonest };
    let insert = rows::insert_terms(caller.brand, &terms, start, now_ms);
    app.db().run(vec![insert]).await.map_err(|error| match error {
        error if error.is_constraint("terms_before_decided_order") => Error::invalid(
            "starts_at",
            "an order placed after it is already decided; past orders never change",
        ),
        error => missing_parent(error),
    })?;
    let deal = find(&app, caller.brand, id.0).await?;
    let stored = deal.terms.into_iter().chain(deal.next_terms).find(|t| t.id == terms.id);
    let view = stored.map_or_else(
        || TermsView {
            id: terms.id,
            commission_percent: Percent(terms.rate),
            starts_at: Time(terms.starts_at_ms),
        },
        TermsView::from,
    );
    Ok((StatusCode::CREATED, Json(view)))
}

body! {
    /// A new link.
    pub struct NewLinkBody {
        slug: Option<String>,
        target: Option<String>,
        store_id: Option<String>,
    }
}

/// Makes a link; without a slug one is made from the creator's handle.
#[utoipa::path(post, path = "/v1/deals/{id}/links", tag = "links", request_body = NewLinkBody,
    security(("api_key" = [])), params(("id" = DealId, Path)),
    responses((status = 201, body = LinkView),
    (status = 409, description = "The slug is taken or reserved, or there is no store yet")))]
pub async fn add_link(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    Body(new): Body<NewLinkBody>,
) -> Result<(StatusCode, Json<LinkView>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    let mut checks = Checks::default();
    let target =
        checks.field("target", new.target.as_deref().map_or(Ok(Target::home()), Target::parse));
    let slug = match new.slug.as_deref().map(Slug::parse) {
        Some(Err(SlugError::Reserved)) => return Err(slug_taken()),
        Some(Err(error)) => checks.field("slug", Err(error)),
        Some(Ok(slug)) => Some(slug),
        None => None,
    };
    checks.done()?;
    let store = store_of(&app, caller.brand, new.store_id.as_deref()).await?;
    let target = checked(target)?;
    let host = super::brand::find(&app, caller.brand).await?.brand.link_domain.unwrap_or_default();
    let wanted = Wanted { brand: caller.brand, deal: deal.id, store, host: &host, target: &target };
    let link = match slug {
        Some(slug) => insert_link(&app, &wanted, &slug).await?.ok_or_else(slug_taken)?,
        None => link_from_handle(&app, &wanted, deal.creator_id).await?,
    };
    redirect::forget(&app, &host, &link.slug).await;
    Ok((StatusCode::CREATED, Json(link)))
}

fn slug_taken() -> Error {
    Error::refused("slug-taken", "this slug is taken or reserved")
}

/// The store that a link leads to: the one named, else the brand's first.
async fn store_of(app: &App, brand: BrandId, wanted: Option<&str>) -> Result<StoreId> {
    if let Some(text) = wanted {
        let id = text.parse().map_err(|e| Error::invalid("store_id", e))?;
        return Ok(stores::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?.id);
    }
    let first = Page { limit: 1, after: String::new() };
    let found = stores::list(app.db(), brand, &first).await?;
    found.into_iter().next().map(|s| s.id).ok_or_else(|| {
        Error::refused("no-store", "connect a store first: a link leads to its storefront")
    })
}

struct Wanted<'a> {
    brand: BrandId,
    deal: DealId,
    store: StoreId,
    host: &'a str,
    target: &'a Target,
}

/// The link with this slug, or `None` if somebody has the slug.
async fn insert_link(app: &App, wanted: &Wanted<'_>, slug: &Slug) -> Result<Option<LinkView>> {
    let id: LinkId = app.new_id();
    let key = slug.key();
    let link = NewLink {
        id,
        deal: wanted.deal,
        store: wanted.store,
        slug: slug.as_str(),
        slug_key: &key,
        host: wanted.host,
        target: wanted.target.as_str(),
    };
    match app.db().run(links::insert(wanted.brand, &link, app.now_ms())).await {
        Ok(_) => Ok(Some(LinkView {
            id,
            slug: slug.as_str().to_owned(),
            target: wanted.target.as_str().to_owned(),
            url: link_url(app, wanted.host, slug.as_str()),
            state: LinkState::Open,
        })),
        Err(error) if error.is_constraint("slug_key") => Ok(None),
        Err(error) => Err(missing_parent(error)),
    }
}

async fn link_from_handle(app: &App, wanted: &Wanted<'_>, creator: CreatorId) -> Result<LinkView> {
    let creator = creators::find(app.db(), wanted.brand, creator).await?.ok_or(Error::NotFound)?;
    for attempt in 0..2 * SLUG_ATTEMPTS {
        // Slugs on /go are shared by all brands: a handle that everyone has isn't counted up.
        let number = match attempt.checked_sub(SLUG_ATTEMPTS) {
            None => attempt,
            Some(_) => u32::from_be_bytes(app.random()) % 1_000_000,
        };
        let slug = Slug::suggested(&creator.handle, number);
        if let Some(link) = insert_link(app, wanted, &slug).await? {
            return Ok(link);
        }
    }
    Err(slug_taken())
}

fn link_view(app: &App, link: LinkRow) -> LinkView {
    LinkView {
        url: link_url(app, &link.host, &link.slug),
        id: link.id,
        slug: link.slug,
        target: link.target,
        state: LinkState::of(link.closed_at_ms),
    }
}

/// One link.
#[utoipa::path(get, path = "/v1/links/{id}", tag = "links", security(("api_key" = [])),
    params(("id" = LinkId, Path)), responses((status = 200, body = LinkView)))]
pub async fn show_link(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Link>,
) -> Result<Json<LinkView>> {
    let link = links::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(link_view(&app, link)))
}

body! {
    /// What to change of a link; what is absent stays.
    pub struct LinkChanges {
        target: Option<String>,
        state: Option<LinkState>,
    }
}

/// Leads a link elsewhere on the storefront, closes it or opens it again.
#[utoipa::path(patch, path = "/v1/links/{id}", tag = "links", request_body = LinkChanges,
    security(("api_key" = [])), params(("id" = LinkId, Path)),
    responses((status = 200, body = LinkView)))]
pub async fn update_link(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Link>,
    Body(changes): Body<LinkChanges>,
) -> Result<Json<LinkView>> {
    let target = changes.target.as_deref().map(Target::parse).transpose();
    let target = target.map_err(|e| Error::invalid("target", e))?;
    let closed = changes.state.map(LinkState::closed);
    let target = target.as_ref().map(Target::as_str);
    let update = links::update(caller.brand, id.0, target, closed, app.now_ms());
    app.db().run(vec![update]).await?;
    let link = links::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    for host in links::hosts_of(app.db(), caller.brand, link.id).await? {
        redirect::forget(&app, &host, &link.slug).await;
    }
    Ok(Json(link_view(&app, link)))
}

body! {
    /// An existing code to take over.
    pub struct NewCode {
        code: String,
        /// Must be false: the code exists in the store already.
        create_in_store: bool,
    }
}

/// Takes over a code that exists in the store.
#[utoipa::path(post, path = "/v1/deals/{id}/codes", tag = "codes", request_body = NewCode,
    security(("api_key" = [])), params(("id" = DealId, Path)),
    responses((status = 201, body = CodeView),
    (status = 409, description = "Another deal has the code")))]
pub async fn add_code(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    Body(new): Body<NewCode>,
) -> Result<(StatusCode, Json<CodeView>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    let mut checks = Checks::default();
    let code = checks.text("code", &new.code, 255);
    if new.create_in_store {
        checks.refuse("create_in_store", "must be false: only existing codes can be taken over");
    }
    checks.done()?;
    let (id, code): (CodeId, String) = (app.new_id(), checked(code)?);
    let insert = links::insert_code(caller.brand, id, deal.id, &code, app.now_ms());
    app.db().run(vec![insert]).await.map_err(|error| match error {
        error if error.is_constraint("codes.code_key") => {
            Error::refused("code-taken", "a deal of this brand has the code already")
        }
        error => missing_parent(error),
    })?;
    Ok((StatusCode::CREATED, Json(CodeView { id, code, state: "active".to_owned() })))
}

view! {
    /// An invitation to hand over; its address is shown only here.
    pub struct Invitation {
        /// Where to accept it. The token stands in the fragment, which no server sees.
        url: String,
        expires_at: Time,
    }
}

/// Invites the deal's creator.
#[utoipa::path(post, path = "/v1/deals/{id}/invitation", tag = "deals",
    security(("api_key" = [])), params(("id" = DealId, Path)),
    responses((status = 201, body = Invitation)))]
pub async fn invite(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
) -> Result<(StatusCode, Json<Invitation>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    let now_ms = app.now_ms();
    let token = TokenKind::Invitation.token(app.random());
    let id: InvitationId = app.new_id();
    let new = access::NewInvitation {
        id,
        deal: deal.id,
        creator: deal.creator_id,
        created_at_ms: now_ms,
        expires_at_ms: now_ms + INVITATION_MS,
    };
    let insert = access::insert_invitation(caller.brand, &token_hash(&token), &new);
    app.db().run(vec![insert]).await?;
    let url = format!("{}/invitation#{token}", app.config.public_origin);
    let view = Invitation { url, expires_at: Time(new.expires_at_ms) };
    Ok((StatusCode::CREATED, Json(view)))
}
