//! A deal's links.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{BrandId, CodeId, CreatorId, Deal, DealId, Link, LinkId, StoreId};
use crate::domain::json::json;
use crate::domain::link::{Slug, SlugError, Target};
use crate::error::{Error, Result};
use crate::storage::links::{self, LinkRow, NewLink};
use crate::storage::{Page, Statement, creators, stores};
use crate::web::body::body;
use crate::web::extract::{Acting, Body, Caller, Checks, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self};
use crate::web::redirect;

use super::codes::ApplyCode;
use super::deals::{LinkState, LinkView, find, link_url, missing_parent};

/// A slug from a handle tries so many suffixes in turn, and as many at random.
const SLUG_ATTEMPTS: u32 = 8;

body! {
    /// A new link.
    pub struct NewLinkBody {
        slug: Option<String>,
        target: Option<String>,
        store_id: Option<String>,
        /// Whether the shop applies a code to who comes by the link: true for the deal's code, or the id of
        /// one of its codes.
        apply_code: Option<ApplyCode>,
    }
}

impl NewLinkBody {
    /// Which code it is to apply, if it says so.
    pub(super) fn apply_code(&self) -> Option<&ApplyCode> {
        self.apply_code.as_ref()
    }
}

/// Makes a link; without a slug one is made from the creator's handle.
#[utoipa::path(post, path = "/v1/deals/{id}/links", tag = "links", request_body = NewLinkBody,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = LinkView),
    (status = 409, description = "The slug is taken or reserved, or there is no store yet")))]
pub async fn add_link(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(new): Body<NewLinkBody>,
) -> Result<(StatusCode, Json<LinkView>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    let asked = asked(&app, caller.brand, &new).await?;
    let code = match &new.apply_code {
        Some(wanted) => wanted.code_of(&deal.codes)?,
        None => None,
    };
    let wanted = asked.wanted(deal.id, code);
    let link = make(&app, &caller.acting(), &wanted, asked.slug.clone(), deal.creator_id).await?;
    Ok((StatusCode::CREATED, Json(link)))
}

/// A link that a body asks for, found to be one that can be made.
pub(super) struct Asked {
    pub(super) slug: Option<Slug>,
    pub(super) host: String,
    target: Target,
    store: StoreId,
}

/// The link that a body asks for, but for the code that it applies.
pub(super) async fn asked(app: &App, brand: BrandId, new: &NewLinkBody) -> Result<Asked> {
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
    let store = store_of(app, brand, new.store_id.as_deref()).await?;
    let host = super::brand::find(app, brand).await?.brand.link_domain.unwrap_or_default();
    Ok(Asked { slug, host, target: checked(target)?, store })
}

impl Asked {
    fn wanted(&self, deal: DealId, code: Option<CodeId>) -> Wanted<'_> {
        Wanted { deal, store: self.store, host: &self.host, target: &self.target, code }
    }

    /// The batch that makes it, with its own slug or the one that is tried at this attempt for who has this handle.
    /// It aborts by `slug_key` if somebody has the slug.
    pub(super) fn batch(
        &self,
        app: &App,
        acting: &Acting<'_>,
        (deal, code): (DealId, Option<CodeId>),
        (handle, attempt): (&str, u32),
    ) -> Result<(LinkView, Vec<Statement>)> {
        let slug = match &self.slug {
            Some(slug) => slug.clone(),
            None => suggested(app, handle, attempt).ok_or_else(slug_taken)?,
        };
        Ok(linking(app, acting, &self.wanted(deal, code), &slug))
    }
}

/// Makes a link with this slug, or with one from the creator's handle.
///
/// # Errors
/// 409 if the slug is taken.
pub(super) async fn make(
    app: &App,
    acting: &Acting<'_>,
    wanted: &Wanted<'_>,
    slug: Option<Slug>,
    creator: CreatorId,
) -> Result<LinkView> {
    let link = match slug {
        Some(slug) => insert_link(app, acting, wanted, &slug).await?.ok_or_else(slug_taken)?,
        None => link_from_handle(app, acting, wanted, creator).await?,
    };
    redirect::forget(app, wanted.host, &link.slug).await;
    Ok(link)
}

pub(crate) fn slug_taken() -> Box<Error> {
    Error::refused("slug-taken", "this slug is taken or reserved")
}

/// The store that a link leads to: the one named, else the brand's first.
///
/// # Errors
/// 404, 409 if there is none yet, and 422.
pub async fn store_of(app: &App, brand: BrandId, wanted: Option<&str>) -> Result<StoreId> {
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

/// A link as it is wanted, but for its slug.
pub struct Wanted<'a> {
    /// Of which deal.
    pub deal: DealId,
    /// To which store's storefront.
    pub store: StoreId,
    /// The host that it is handed out on; empty for the product's own.
    pub host: &'a str,
    /// Where on the storefront.
    pub target: &'a Target,
    /// The code that it applies.
    pub code: Option<CodeId>,
}

/// The batch that makes a link with this slug. It aborts by `slug_key` if somebody has the slug.
pub fn linking(
    app: &App,
    acting: &Acting<'_>,
    wanted: &Wanted<'_>,
    slug: &Slug,
) -> (LinkView, Vec<Statement>) {
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
        code: wanted.code,
    };
    let view = LinkView {
        id,
        slug: slug.as_str().to_owned(),
        target: wanted.target.as_str().to_owned(),
        url: link_url(app, wanted.host, slug.as_str()),
        state: LinkState::Open,
        applies_code: wanted.code,
    };
    let mut batch = links::insert(acting.brand, &link, app.now_ms());
    batch.push(acting.note(app, "link.create", id, None, Some(json::text(&view))));
    (view, batch)
}

/// The link with this slug, or `None` if somebody has the slug.
async fn insert_link(
    app: &App,
    acting: &Acting<'_>,
    wanted: &Wanted<'_>,
    slug: &Slug,
) -> Result<Option<LinkView>> {
    let (view, batch) = linking(app, acting, wanted, slug);
    match app.db().run(batch).await {
        Ok(_) => Ok(Some(view)),
        Err(error) if error.is_constraint("slug_key") => Ok(None),
        Err(error) => Err(missing_parent(error)),
    }
}

/// The slug that is tried at an attempt, from 0 on, for who has this handle; `None` after the last.
pub fn suggested(app: &App, handle: &str, attempt: u32) -> Option<Slug> {
    // Slugs on /go are shared by all brands: a handle that everyone has isn't counted up.
    let number = match attempt.checked_sub(SLUG_ATTEMPTS) {
        None => attempt,
        Some(_) => u32::from_be_bytes(app.random()) % 1_000_000,
    };
    (attempt < 2 * SLUG_ATTEMPTS).then(|| Slug::suggested(handle, number))
}

async fn link_from_handle(
    app: &App,
    acting: &Acting<'_>,
    wanted: &Wanted<'_>,
    creator: CreatorId,
) -> Result<LinkView> {
    let creator = creators::find(app.db(), acting.brand, creator).await?.ok_or(Error::NotFound)?;
    let mut attempt = 0;
    while let Some(slug) = suggested(app, &creator.handle, attempt) {
        if let Some(link) = insert_link(app, acting, wanted, &slug).await? {
            return Ok(link);
        }
        attempt += 1;
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
        applies_code: link.code_id,
    }
}

/// One link.
#[utoipa::path(get, path = "/v1/links/{id}", tag = "links", security(("api_key" = ["read"])),
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
        /// As for a new link; false: it applies none any more.
        apply_code: Option<ApplyCode>,
    }
}

/// Leads a link elsewhere on the storefront, closes it or opens it again.
#[utoipa::path(patch, path = "/v1/links/{id}", tag = "links", request_body = LinkChanges,
    security(("api_key" = ["deals"])), params(("id" = LinkId, Path)),
    responses((status = 200, body = LinkView)))]
pub async fn update_link(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Link>,
    Body(changes): Body<LinkChanges>,
) -> Result<Json<LinkView>> {
    let target = changes.target.as_deref().map(Target::parse).transpose();
    let target = target.map_err(|e| Error::invalid("target", e))?;
    let closed = changes.state.map(LinkState::closed);
    let target = target.as_ref().map(Target::as_str);
    let before = links::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let code = match &changes.apply_code {
        Some(wanted) => {
            Some(wanted.code_of(&find(&app, caller.brand, before.deal_id).await?.codes)?)
        }
        None => None,
    };
    let before = json::text(&link_view(&app, before));
    let update = links::update(caller.brand, id.0, target, closed, code, app.now_ms());
    let changed = json!({ "target": target, "closed": closed, "code_id": code.flatten() });
    let note = caller.note(&app, "link.update", id.0, Some(before), Some(changed));
    app.db().run(vec![update, note]).await?;
    let link = links::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    for host in links::hosts_of(app.db(), caller.brand, link.id).await? {
        redirect::forget(&app, &host, &link.slug).await;
    }
    Ok(Json(link_view(&app, link)))
}
