//! Connecting a shop: what it grants, and its webhooks.

use super::outbox::{Step, Work};
use super::shopify::Failed;
use crate::partners::at;
use crate::partners::shopify::admin;
use crate::storage::store_access::{Look, State, tell};

/// Looks at the shop, and has it deliver its webhooks here.
///
/// # Errors
/// [`Failed`].
pub async fn register(work: &mut Work<'_>) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let data = work.admin().await?.ask(app, admin::SHOP, "{}").await?;
    let scopes = at(&data, "/currentAppInstallation/accessScopes").as_array();
    let scopes: Vec<&str> =
        scopes.into_iter().flatten().filter_map(|s| at(s, "/handle").as_str()).collect();
    let look = Look {
        state: State::Connected,
        problem: "",
        scopes: Some(&scopes.join(" ")),
        currency: at(&data, "/shop/currencyCode").as_str(),
        timezone: at(&data, "/shop/ianaTimezone").as_str(),
    };
    Ok(Step::Done(vec![tell(brand, store, &look, app.now_ms())]))
}
