//! Stores on no platform that is known here: their own servers report what happens (`conversions`).

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{Store, StoreId};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::partners::signed;
use crate::storage::store_access::Way;
use crate::storage::stores::{self as rows, NewStore, StoreRow};
use crate::web::extract::{Caller, Checks, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};

use super::stores::{StoreView, row_of, seal, store_exists, storefront, view};
use super::view::Time;

/// The old secret is accepted for so long after a change: a shop has to be deployed anew.
const OLD_SECRET_MS: Millis = 24 * 3_600_000;

/// Connects a shop of the brand's own making. Its secret is told here and never again.
pub(super) async fn create(
    app: &App,
    caller: &Caller<may::Admin>,
    storefront_url: &str,
    name: Option<&str>,
) -> Result<(StatusCode, Json<StoreView>)> {
    let mut checks = Checks::default();
    let origin = storefront(app, &mut checks, storefront_url).await?;
    let host = origin.as_deref().and_then(|url| url.split("://").nth(1)).unwrap_or_default();
    let name = name.map_or(Some(host.to_owned()), |name| checks.text("name", name, 100));
    checks.done()?;
    let (id, origin, name) = (app.new_id(), checked(origin)?, checked(name)?);
    let secret = signed::secret(app.random());
    let sealed = seal(app, id, &secret)?;
    let store = NewStore {
        id,
        platform: "custom",
        shop_domain: &name,
        storefront_url: &origin,
        client_id: "",
        secret_sealed: &sealed,
    };
    let insert = rows::insert(caller.brand, &store, app.now_ms());
    let mut view = view(app, row_of(&store, Way::Client, false));
    let note = caller.note(app, "store.create", id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await.map_err(store_exists)?;
    app.memory.forget_secrets(id);
    view.signing_secret = Some(secret);
    Ok((StatusCode::CREATED, Json(view)))
}

view! {
    /// A new secret of a custom store, which is shown only here.
    pub struct SigningSecret {
        store_id: StoreId,
        /// `whsec_…`, as Standard Webhooks has it.
        signing_secret: String,
        /// Until when what the one before signs is accepted.
        previous_until: Time,
    }
}

/// Gives a custom store a new secret; the one before is accepted for another day.
#[utoipa::path(post, path = "/v1/stores/{id}/signing-secret", tag = "stores",
    security(("api_key" = ["admin"])), params(("id" = StoreId, Path)),
    responses((status = 201, body = SigningSecret),
    (status = 409, description = "It is a store of a platform, which has a secret of its own")))]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Store>,
) -> Result<(StatusCode, Json<SigningSecret>)> {
    caller.stepped_up(&app)?;
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    is_custom(&row)?;
    let secret = signed::secret(app.random());
    let now_ms = app.now_ms();
    let until_ms = now_ms + OLD_SECRET_MS;
    let sealed = seal(&app, row.id, &secret)?;
    let change = rows::rotate(caller.brand, row.id, &sealed, until_ms, now_ms);
    let note = caller.note(&app, "store.rotate_secret", row.id, None, None);
    app.db().run(vec![change, note]).await?;
    app.memory.forget_secrets(row.id);
    let made =
        SigningSecret { store_id: row.id, signing_secret: secret, previous_until: Time(until_ms) };
    Ok((StatusCode::CREATED, Json(made)))
}

/// That a store's orders are reported by its own server.
///
/// # Errors
/// 409.
pub(super) fn is_custom(row: &StoreRow) -> Result<()> {
    (row.platform == "custom").then_some(()).ok_or_else(|| {
        Error::refused("not-a-custom-store", "the orders of this store come from its platform")
    })
}
