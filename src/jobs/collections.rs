//! Which products are in the collections that terms name: fetched when terms first name one, looked at every
//! night, and soon after a shop hints that something changed.

use super::codes::{noted, on};
use super::outbox::{self, Step, Work};
use super::shopify::Failed;
use crate::app::App;
use crate::domain::collection::{MOST_PRODUCTS, difference};
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::json::{Raw, json};
use crate::domain::task::Kind;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::partners::at;
use crate::partners::shopify::admin;
use crate::partners::shopify::admin::collections::{self as pages, Hint, Page};
use crate::partners::trouble::Trouble;
use crate::storage::collections::{self as rows, CollectionRow, Found};
use crate::storage::outbox::TaskRow;
use crate::storage::{DbError, Statement};

/// A hint waits so long for others about the same collection.
const HINT_MS: Millis = 5_000;
/// A product changes with every sale of it, and hardly ever its collections: all are looked at, at most so
/// often.
const PRODUCTS_MS: Millis = 10 * 60_000;
/// The look that follows products.
const AFTER_PRODUCTS: &str = "products";

/// What is said of a collection that went.
const GONE: &str = "it was deleted in the shop: the products that it had count on";
/// What is said of one that grew too large.
const TOO_LARGE: &str = "it has more than 5,000 products by now: those that it had before count on";

/// What the shop says of a collection.
pub enum Read {
    /// It has these products.
    Found(Found),
    /// There is none of that name.
    Unknown,
    /// It has more products than are kept in step.
    TooLarge,
}

/// Asks the shop for a collection and all of its products. `identifier` is JSON, as Shopify wants it.
///
/// # Errors
/// [`Failed`].
pub async fn read(work: &mut Work<'_>, identifier: &str) -> Result<Read, Failed> {
    let app = work.app;
    let (mut products, mut after, mut first) = (Vec::new(), None::<String>, None::<Page>);
    loop {
        let asked = json!({ "identifier": Raw(identifier), "after": after });
        let data = work.admin().await?.ask(app, admin::COLLECTION, &asked).await?;
        let odd = || {
            let words = "Shopify answered in a form that isn't understood".to_owned();
            Failed::from(Trouble::Later(None, words))
        };
        let Some(mut page) = pages::page(&data).map_err(|_| odd())? else {
            return Ok(Read::Unknown);
        };
        products.append(&mut page.products);
        let most = u64::try_from(MOST_PRODUCTS).unwrap_or(u64::MAX);
        if page.count > most || products.len() > MOST_PRODUCTS {
            return Ok(Read::TooLarge);
        }
        let more = page.more.take();
        // The same place twice would never end.
        if more.is_some() && more == after {
            return Err(odd());
        }
        after = more;
        let first = first.get_or_insert(page);
        if after.is_none() {
            products.sort_unstable();
            products.dedup();
            let Page { external_id, title, handle, .. } = first.clone();
            return Ok(Read::Found(Found { external_id, title, handle, products }));
        }
    }
}

/// Has all collections of all shops looked at that were reached; tells how many shops.
///
/// # Errors
/// [`crate::error::Error`] if a brand failed.
pub async fn watch_all(app: &App) -> Result<i64> {
    super::for_every_brand(app, |app, brand| {
        Box::pin(async move {
            let stores = rows::stores(app.db(), brand).await?;
            let put = |store: &StoreId| {
                outbox::put(app, brand, *store, (Kind::LookAtCollections, ""), "{}")
            };
            let batch: Vec<_> = stores.iter().map(put).collect();
            if !batch.is_empty() {
                app.db().run(batch).await?;
            }
            Ok(i64::try_from(stores.len()).unwrap_or(i64::MAX))
        })
    })
    .await
}

/// A shop hints that something became of a collection or a product: if terms name such, it is looked at.
///
/// # Errors
/// [`DbError`].
pub async fn hint(
    app: &App,
    brand: BrandId,
    store: StoreId,
    hint: &Hint,
) -> std::result::Result<(), DbError> {
    let now_ms = app.now_ms();
    let at = (app.new_id(), store);
    let look = match hint {
        Hint::Collection(id) => {
            rows::put_look(brand, at, (id, Some(id)), true, (now_ms + HINT_MS, now_ms))
        }
        Hint::Product => {
            let subject = (AFTER_PRODUCTS, None);
            rows::put_look(brand, at, subject, false, (now_ms + PRODUCTS_MS, now_ms))
        }
    };
    app.db().run(vec![look]).await.map(drop)
}

/// Looks at a collection that the task names, or at all, one a step.
///
/// # Errors
/// [`Failed`].
pub async fn look(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let all = task.subject.is_empty() || task.subject == AFTER_PRODUCTS;
    if !all {
        return Ok(match rows::of_shop(app.db(), brand, store, &task.subject).await? {
            Some(known) => Step::Done(look_at(work, &known).await?),
            None => Step::Done(Vec::new()),
        });
    }
    let payload = crate::storage::rows::parse(&task.payload).unwrap_or_default();
    let after = at(&payload, "/after").as_str().unwrap_or_default();
    let next = rows::of_store(app.db(), brand, store, after, 1).await?.pop();
    let Some(known) = next else { return Ok(Step::Done(Vec::new())) };
    let statements = look_at(work, &known).await?;
    Ok(on(&json!({ "after": known.external_id }), app.now_ms(), statements))
}

/// What a look at one collection comes to. What can't be looked at keeps the products that it had: a rate
/// that was agreed doesn't end because somebody tidied up the shop.
async fn look_at(work: &mut Work<'_>, known: &CollectionRow) -> Result<Vec<Statement>, Failed> {
    let (app, brand) = (work.app, work.brand);
    let found = read(work, &pages::by_id(&known.external_id)).await?;
    let now_ms = app.now_ms();
    let (state, words) = match found {
        Read::Found(found) => {
            let had = rows::products(app.db(), brand, known.id).await?;
            let change = difference(&had, &found.products);
            let mut statements = vec![rows::looked(brand, known, &found, &change, now_ms)];
            let counts = (change.added.len(), change.removed.len());
            if counts != (0, 0) {
                let told = json!({ "collection": known.external_id, "added": counts.0, "removed": counts.1 });
                statements.push(noted(work, "collection.changed", known.id, told));
            }
            return Ok(statements);
        }
        Read::Unknown => ("gone", GONE),
        Read::TooLarge => ("too_large", TOO_LARGE),
    };
    let mut statements = vec![rows::problem(brand, known.id, (state, words), now_ms)];
    if known.state != state {
        let told = json!({ "collection": known.external_id, "state": state });
        statements.push(noted(work, "collection.lost", known.id, told));
    }
    Ok(statements)
}
