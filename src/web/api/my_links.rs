//! Links that creators make themselves, where the brand lets them: to any page of its shops.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, DealId, StoreId};
use crate::domain::link::{Slug, SlugError, Target, parse_origin};
use crate::domain::time::DAY_MS;
use crate::error::{Error, Result};
use crate::storage::{Page, deals, stores};
use crate::web::body::body;
use crate::web::extract::{Acting, Body, By, Checks, Me, RequestId, checked};
use crate::web::handler::{Json, State};
use crate::web::limits;

use super::deals::LinkView;
use super::links::{Wanted, make, slug_taken, store_of};

/// So many links a creator makes within a day.
const A_DAY: u32 = 20;

body! {
    /// A link that a creator wants.
    pub struct MyNewLink {
        /// Of which of her deals.
        deal_id: DealId,
        /// Where it leads: a path, or the whole address of a page of the brand's shop; absent: its first page.
        page: Option<Option<String>>,
        /// Absent: from her handle.
        slug: Option<Option<String>>,
    }
}

/// Makes a link of one of her deals, if the brand lets its creators (`creators_make_links`). At most twenty within
/// a day.
#[utoipa::path(post, path = "/v1/me/links", tag = "creator", request_body = MyNewLink,
    security(("creator" = [])), responses((status = 201, body = LinkView),
    (status = 403, description = "The brand makes all links itself"),
    (status = 409, description = "The slug is taken or reserved, the deal is closed, or there is no store yet")))]
pub async fn create(
    State(app): State<App>,
    me: Me,
    RequestId(request_id): RequestId,
    Body(new): Body<MyNewLink>,
) -> Result<(StatusCode, Json<LinkView>)> {
    let mine = deals::ids_of_creator(app.db(), me.brand, me.creator).await?;
    if !mine.contains(&new.deal_id) {
        return Err(Error::invalid("deal_id", "is no deal of yours"));
    }
    let stored = super::brand::find(&app, me.brand).await?;
    if !stored.creators_make_links {
        return Err(Error::denied(
            StatusCode::FORBIDDEN,
            "links-by-brand",
            "the brand makes all links itself: ask it for another one",
        ));
    }
    let mut checks = Checks::default();
    let page = new.page.flatten().unwrap_or_default();
    let (store, path) = led_to(&app, me.brand, page.trim()).await?;
    let target = checks.field("page", Target::parse(&path));
    let slug = match new.slug.flatten().as_deref().map(str::trim) {
        None | Some("") => None,
        Some(text) => match Slug::parse(text) {
            Err(SlugError::Reserved) => return Err(slug_taken()),
            parsed => checks.field("slug", parsed),
        },
    };
    checks.done()?;
    let deal = super::deals::find(&app, me.brand, new.deal_id).await?;
    if deal.closed_at_ms.is_some() {
        return Err(Error::refused("deal-closed", "this deal is closed: its links earn nothing"));
    }
    limits::take(&app, &format!("links/{}/{}", me.brand, me.creator), A_DAY, DAY_MS).await?;
    let (target, host) = (checked(target)?, stored.brand.link_domain.unwrap_or_default());
    let wanted = Wanted { deal: deal.id, store, host: &host, target: &target, code: None };
    let by = By { actor: Actor::Creator(me.creator), request_id: &request_id };
    let link = make(&app, &Acting::later(me.brand, by), &wanted, slug, me.creator).await?;
    Ok((StatusCode::CREATED, Json(link)))
}

/// The shop and the path that somebody means who names a page by its whole address or by its path. An address that
/// is none of the brand's shops' is no path, and so refused as one.
async fn led_to(app: &App, brand: BrandId, page: &str) -> Result<(StoreId, String)> {
    if page.is_empty() || page.starts_with('/') {
        let path = if page.is_empty() { "/" } else { page };
        return Ok((store_of(app, brand, None).await?, path.to_owned()));
    }
    let all = Page { limit: 200, after: String::new() };
    for store in stores::list(app.db(), brand, &all).await? {
        if let Some(path) = path_at(page, &store.storefront_url) {
            return Ok((store.id, path));
        }
    }
    Err(Error::invalid(
        "page",
        "must be a path such as /products/jeans, or the address of a page of the brand's shop",
    ))
}

/// The path of an address at this storefront; a fragment stays behind.
fn path_at(address: &str, storefront: &str) -> Option<String> {
    let after_scheme = address.find("://")? + 3;
    let end = address.get(after_scheme..)?.find(['/', '?', '#']);
    let (origin, rest) = match end {
        Some(at) => address.split_at_checked(after_scheme + at)?,
        None => (address, ""),
    };
    let same = |told: &str| {
        let host = told.split("://").nth(1).unwrap_or_default();
        host.strip_prefix("www.").unwrap_or(host).to_owned()
    };
    let origin = parse_origin(&origin.to_ascii_lowercase(), true).ok()?;
    if same(&origin) != same(storefront) {
        return None;
    }
    let path = rest.split('#').next().unwrap_or_default();
    Some(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}

#[cfg(test)]
mod tests {
    use super::path_at;

    #[test]
    fn an_address_is_the_shops_or_none() {
        let shop = "https://shop.example";
        for (address, path) in [
            ("https://shop.example", Some("/")),
            ("https://shop.example/", Some("/")),
            ("HTTPS://Shop.Example/Products/X?variant=1#reviews", Some("/Products/X?variant=1")),
            ("https://www.shop.example/a", Some("/a")),
            ("http://shop.example/a", None),
            ("https://shop.example?x=1", Some("/?x=1")),
            ("https://shop.example.evil.example/a", None),
            ("https://shop.example@evil.example/a", None),
            ("https://evil.example/https://shop.example/", None),
            ("javascript://shop.example/%0aalert(1)", None),
            ("shop.example/a", None),
            ("", None),
        ] {
            assert_eq!(path_at(address, shop).as_deref(), path, "{address}");
        }
    }
}
