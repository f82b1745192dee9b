//! Collections of shops that rates are for: naming one, and how those that are named stand.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;
use crate::domain::ids::{BrandId, CollectionId, Store, StoreId};
use crate::domain::json::json;
use crate::domain::store::grants;
use crate::error::{Error, Result};
use crate::jobs::collections::{Read, read};
use crate::jobs::outbox::Work;
use crate::jobs::shopify::Failed;
use crate::partners::shopify::admin::collections::{by_handle, by_id};
use crate::storage::collections::{self as rows, CollectionRow, Found, SCOPE};
use crate::storage::store_access::{self, State as Reached};
use crate::storage::{Page, stores};
use crate::web::body::{FromJson, Wrong, body};
use crate::web::extract::{Caller, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::stores::find as find_store;
use super::terms::NewTerms;
use super::view::{List, Time};

/// Terms name so many collections at most: what isn't known yet is fetched while somebody waits.
const MOST_NAMED: usize = 10;
/// A collection that is known isn't fetched again for new terms: it is kept in step.
const CURRENT: &str = "current";

body! {
    #[derive(Clone)]
    /// Names a collection of a Shopify store: by `collection_id`, or by the store with `id` or `handle`.
    pub struct NewCollection {
        /// The id that it has here (`GET /v1/stores/{id}/collections`).
        collection_id: Option<String>,
        /// Absent: the brand's first Shopify store.
        store_id: Option<String>,
        /// Shopify's id: digits, or `gid://shopify/Collection/…`.
        id: Option<String>,
        /// The name in its address.
        handle: Option<String>,
    }
}

#[derive(Clone)]
/// A collection as a rate names it and, once it was looked up, as it is known.
pub struct Named {
    asked: NewCollection,
    found: Option<CollectionRow>,
}

impl Named {
    /// Which it is: its id and title.
    pub(super) fn found(&self) -> Option<(CollectionId, &str)> {
        self.found.as_ref().map(|row| (row.id, row.title.as_str()))
    }
}

impl FromJson for Named {
    fn from_json(value: &serde_json::Value) -> std::result::Result<Self, Wrong> {
        NewCollection::from_json(value).map(|asked| Self { asked, found: None })
    }
    fn placeholder() -> Self {
        Self { asked: NewCollection::placeholder(), found: None }
    }
}
impl PartialSchema for Named {
    fn schema() -> RefOr<Schema> {
        NewCollection::schema()
    }
}
impl ToSchema for Named {
    fn name() -> std::borrow::Cow<'static, str> {
        NewCollection::name()
    }
}

view! {
    /// A collection that terms name.
    #[schema(as = Collection)]
    pub struct CollectionView {
        id: CollectionId,
        store_id: StoreId,
        /// Shopify's id.
        external_id: String,
        title: String,
        handle: String,
        /// `current`, `gone` (deleted in the shop) or `too_large`: then the products that it had count on.
        state: String,
        /// How many products are in it, as far as is known.
        products: i64,
        /// Since when these count; null where they are those that it was found with.
        #[schema(required)]
        products_since: Option<Time>,
        /// When the shop was last asked.
        looked_at: Time,
        /// What keeps it from being kept in step, in words.
        #[schema(required)]
        problem: Option<String>,
    }
}

impl From<CollectionRow> for CollectionView {
    fn from(row: CollectionRow) -> Self {
        Self {
            id: row.id,
            store_id: row.store_id,
            external_id: row.external_id,
            title: row.title,
            handle: row.handle,
            state: row.state,
            products: row.products,
            products_since: Some(row.changed_at_ms).filter(|ms| *ms > 0).map(Time),
            looked_at: Time(row.looked_at_ms),
            problem: Some(row.problem).filter(|words| !words.is_empty()),
        }
    }
}

/// The collections of a store that terms name, and how they stand.
#[utoipa::path(get, path = "/v1/stores/{id}/collections", tag = "stores",
    security(("api_key" = ["read"])), params(("id" = StoreId, Path),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<CollectionView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Store>,
    params: Params,
) -> Result<Json<List<CollectionView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    find_store(&app, caller.brand, id.0).await?;
    let found = rows::of_store(app.db(), caller.brand, id.0, &page.after, page.limit).await?;
    Ok(Json(List::page(found, &page, |row| row.external_id.clone(), CollectionView::from)))
}

/// Looks up the collections that new terms name. What isn't known yet is fetched now, so that no order
/// is ever decided without it.
///
/// # Errors
/// 404, 409 and 422 in words: nothing is changed then, but collections that were found stay known.
pub(crate) async fn resolve<S>(app: &App, caller: &Caller<S>, terms: &mut NewTerms) -> Result<()> {
    for (named, field) in all_named(terms, "rates")? {
        let found = match known(app, caller.brand, &named.asked, &field).await? {
            Some(known) => known,
            None => {
                let (store, asked) = identified(app, caller.brand, &named.asked, &field).await?;
                fetch(app, caller, store, (&asked, &field)).await?
            }
        };
        named.found = Some(found);
    }
    Ok(())
}

/// The same for who can't wait for a shop: what isn't known yet isn't fetched. `rates` names their field.
///
/// # Errors
/// 404 and 422.
pub(crate) async fn resolve_known(
    app: &App,
    brand: BrandId,
    (terms, rates): (&mut NewTerms, &str),
) -> Result<()> {
    for (named, field) in all_named(terms, rates)? {
        let unknown = "isn't known here yet: it is once a deal's terms name it by its id";
        let found = known(app, brand, &named.asked, &field).await?;
        named.found = Some(found.ok_or_else(|| Error::invalid(&field, unknown))?);
    }
    Ok(())
}

/// The collections that rates name, each with the name of its field.
fn all_named<'a>(terms: &'a mut NewTerms, rates: &str) -> Result<Vec<(&'a mut Named, String)>> {
    let mut all = Vec::new();
    for (place, rate) in terms.rates.iter_mut().flatten().enumerate() {
        if let Some(named) = &mut rate.collection {
            all.push((named, format!("{rates}[{place}].collection")));
        }
    }
    if all.len() > MOST_NAMED {
        return Err(Error::invalid(rates, "must name at most 10 collections"));
    }
    Ok(all)
}

/// A collection that is known, if it is.
async fn known(
    app: &App,
    brand: BrandId,
    asked: &NewCollection,
    field: &str,
) -> Result<Option<CollectionRow>> {
    let NewCollection { collection_id, store_id, id, handle } = asked;
    let one_way = match (collection_id, id, handle) {
        (Some(_), None, None) => store_id.is_none(),
        (None, Some(_), None) | (None, None, Some(_)) => true,
        _ => false,
    };
    if !one_way {
        let why = "must be named by collection_id, or by store_id with either id or handle";
        return Err(Error::invalid(field, why));
    }
    let found = match (collection_id, id) {
        (Some(text), _) => {
            let id = text.parse().map_err(|e| Error::invalid(field, e))?;
            let unknown = || Error::invalid(field, "no such collection is known here");
            Some(rows::find(app.db(), brand, id).await?.ok_or_else(unknown)?)
        }
        (None, Some(id)) => {
            let external = external_id(id).ok_or_else(|| not_an_id(field))?;
            let store = store_of(app, brand, store_id.as_deref(), field).await?;
            rows::of_shop(app.db(), brand, store, external).await?
        }
        // What a name in an address stands for may change: the shop is asked.
        (None, None) => None,
    };
    match found {
        Some(row) if row.state != CURRENT => Err(Error::invalid(field, &row.problem)),
        found => Ok(found),
    }
}

/// Shopify's id, if it is one.
fn external_id(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("gid://shopify/Collection/").unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    (plain && digits.parse::<i64>().is_ok()).then_some(digits)
}

fn not_an_id(field: &str) -> Box<Error> {
    Error::invalid(
        field,
        "id must be Shopify's id of the collection: digits, or gid://shopify/Collection/…",
    )
}

/// The store that is named, else the brand's first on Shopify.
async fn store_of(app: &App, brand: BrandId, wanted: Option<&str>, field: &str) -> Result<StoreId> {
    let row = match wanted {
        Some(text) => {
            let id = text.parse().map_err(|e| Error::invalid(format!("{field}.store_id"), e))?;
            stores::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?
        }
        None => {
            let all = Page { limit: 200, after: String::new() };
            let all = stores::list(app.db(), brand, &all).await?;
            let fits =
                |row: &stores::StoreRow| row.platform == "shopify" && row.closed_at_ms.is_none();
            let none = || Error::refused("no-store", "connect a Shopify store first");
            all.into_iter().find(fits).ok_or_else(none)?
        }
    };
    if row.platform != "shopify" || row.closed_at_ms.is_some() {
        let why = "collections are those of Shopify stores that are connected";
        return Err(Error::refused("store-without-collections", why));
    }
    Ok(row.id)
}

/// The store, and how Shopify is asked for the collection.
async fn identified(
    app: &App,
    brand: BrandId,
    asked: &NewCollection,
    field: &str,
) -> Result<(StoreId, String)> {
    let store = store_of(app, brand, asked.store_id.as_deref(), field).await?;
    let identifier = match (&asked.id, &asked.handle) {
        (Some(id), _) => by_id(external_id(id).ok_or_else(|| not_an_id(field))?),
        (None, handle) => {
            let handle = handle.as_deref().unwrap_or_default().trim();
            if handle.is_empty() || handle.len() > 255 || handle.contains(char::is_control) {
                return Err(Error::invalid(field, "handle must be the name in its address"));
            }
            by_handle(handle)
        }
    };
    let access = store_access::find(app.db(), brand, store).await?;
    let access = access.filter(|access| access.state == Some(Reached::Connected));
    let Some(access) = access else {
        let why = "the store isn't connected, so that its collections can't be read: see POST /v1/stores/{id}/connection";
        return Err(Error::refused("store-not-connected", why));
    };
    if !grants(access.scopes.as_deref().unwrap_or_default(), SCOPE) {
        let why = "the shop didn't grant the scope read_products, without which its collections can't be read: grant it, then POST /v1/stores/{id}/connection";
        return Err(Error::refused("scope-missing", why));
    }
    Ok((store, identifier))
}

/// Fetches a collection and its products, and keeps them.
async fn fetch<S>(
    app: &App,
    caller: &Caller<S>,
    store: StoreId,
    (identifier, field): (&str, &str),
) -> Result<CollectionRow> {
    let Some(mut work) = Work::take(app, caller.brand, store).await? else {
        let why = "something else is done at this shop just now: try again in a moment";
        return Err(Error::refused("store-busy", why));
    };
    let told = read(&mut work, identifier).await;
    let kept = match told {
        Ok(Read::Found(found)) => keep(app, caller, &work, &found).await,
        Ok(Read::Unknown) => Err(Error::invalid(field, "the shop has no such collection")),
        Ok(Read::TooLarge) => {
            let why = "has more than 5,000 products: give the rest of the shop a rate instead, or name a smaller one";
            Err(Error::invalid(field, why))
        }
        Err(Failed::Platform(trouble)) => {
            let why = format!("the collection could not be read: {}", trouble.words());
            Err(Error::refused("collection-not-read", why))
        }
        Err(Failed::Database(error)) => Err(error.into()),
    };
    work.give().await;
    kept
}

async fn keep<S>(
    app: &App,
    caller: &Caller<S>,
    work: &Work<'_>,
    found: &Found,
) -> Result<CollectionRow> {
    let (brand, store) = (caller.brand, work.store);
    let known = || rows::of_shop(app.db(), brand, store, &found.external_id);
    if let Some(known) = known().await? {
        if known.state != CURRENT {
            // It is there after all: what it has is taken over by a look.
            let look = rows::put_look(
                brand,
                (app.new_id(), store),
                (&known.external_id, Some(&known.external_id)),
                true,
                (app.now_ms(), app.now_ms()),
            );
            app.note_work(brand, store);
            app.db().run(vec![look]).await?;
        }
        return Ok(known);
    }
    let (id, now_ms): (CollectionId, _) = (app.new_id(), app.now_ms());
    let told = json!({ "collection": found.external_id, "title": found.title,
        "products": found.products.len() });
    let batch = vec![
        work.hold(),
        rows::insert(brand, (id, store), found, now_ms),
        caller.note(app, "collection.follow", id, None, Some(told)),
    ];
    app.db().run(batch).await?;
    known().await?.ok_or_else(|| Error::Internal("a collection is gone".to_owned()).into())
}
