//! API keys: made with a name, scopes and an end, shown once, listed, revoked.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::{Actor, Scope, Scopes, TokenKind};
use crate::domain::ids::{Brand, BrandId, Key, KeyId};
use crate::domain::secret::token_hash;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::access::{self as rows, KeyRow, NewKey};
use crate::storage::audit::If;
use crate::storage::{DbError, Statement};
use crate::web::body::{body, words};
use crate::web::extract::{
    Body, By, Caller, Checks, Operator, Params, PathId, RequestId, checked, may, note,
};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};

use super::view::{List, Time};

words!(Scope {
    "read" => Read, "deals" => Deals, "money" => Money, "admin" => Admin,
    "conversions" => Conversions,
});

view! {
    /// An API key, without its text.
    #[schema(as = Key)]
    pub struct KeyView {
        id: KeyId,
        name: String,
        /// What it may do: `read`, `deals`, `money`, `admin`, `conversions`.
        scopes: Vec<&'static str>,
        created_at: Time,
        #[schema(required)]
        expires_at: Option<Time>,
        #[schema(required)]
        revoked_at: Option<Time>,
        /// To the hour.
        #[schema(required)]
        last_used_at: Option<Time>,
        /// `active`, `expired` or `revoked`.
        state: &'static str,
    }
}

fn view(row: KeyRow, now_ms: Millis) -> KeyView {
    let scopes = Scopes::from_text(&row.scopes).list();
    let expired = row.expires_at_ms.is_some_and(|end| end <= now_ms);
    KeyView {
        id: row.id,
        name: row.name,
        scopes: scopes.into_iter().map(Scope::as_str).collect(),
        created_at: Time(row.created_at_ms),
        expires_at: row.expires_at_ms.map(Time),
        revoked_at: row.revoked_at_ms.map(Time),
        last_used_at: row.last_used_at_ms.map(Time),
        state: match row.revoked_at_ms {
            Some(_) => "revoked",
            None if expired => "expired",
            None => "active",
        },
    }
}

body! {
    /// A new key.
    pub struct NewKeyBody {
        name: String,
        /// What it may do; never more than the key that makes it.
        scopes: Vec<Scope>,
        /// Until when it holds; absent: until it is revoked.
        expires_at: Option<Time>,
    }
}

view! {
    /// A new key with its text, which is shown only here.
    pub struct CreatedKey {
        key: KeyView,
        api_key: String,
    }
}

/// Makes a key. To rotate one, make another like it, use that, then revoke the first.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = NewKeyBody,
    security(("api_key" = ["admin"])), responses((status = 201, body = CreatedKey),
    (status = 403, description = "More scopes than the key has that asks")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(new): Body<NewKeyBody>,
) -> Result<(StatusCode, Json<CreatedKey>)> {
    caller.stepped_up(&app)?;
    let now_ms = app.now_ms();
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 100);
    if new.scopes.is_empty() {
        checks.refuse("scopes", "must name at least one");
    }
    if new.expires_at.is_some_and(|at| at.0 <= now_ms) {
        checks.refuse("expires_at", "must be in the future");
    }
    checks.done()?;
    let scopes = Scopes::of(&new.scopes);
    if !caller.scopes.include(scopes) {
        return Err(Error::Forbidden("a key can't make one that may do more than it may").into());
    }
    let expires_at_ms = new.expires_at.map(|at| at.0);
    let made = make(&app, &checked(name)?, scopes, expires_at_ms, now_ms);
    let told = Some(json::text(&made.view.key));
    let note = caller.note(&app, "key.create", made.view.key.id, None, told);
    app.db().run(vec![made.insert(caller.brand, now_ms), note]).await?;
    Ok((StatusCode::CREATED, Json(made.view)))
}

struct Made {
    view: CreatedKey,
    scopes: Scopes,
}

fn make(
    app: &App,
    name: &str,
    scopes: Scopes,
    expires_at_ms: Option<Millis>,
    now_ms: Millis,
) -> Made {
    let row = KeyRow {
        id: app.new_id(),
        name: name.to_owned(),
        scopes: scopes.to_text(),
        created_at_ms: now_ms,
        expires_at_ms,
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    let api_key = TokenKind::ApiKey.token(app.random());
    Made { view: CreatedKey { key: view(row, now_ms), api_key }, scopes }
}

impl Made {
    fn insert(&self, brand: BrandId, now_ms: Millis) -> Statement {
        let CreatedKey { key, api_key } = &self.view;
        let new = NewKey {
            id: key.id,
            name: &key.name,
            scopes: self.scopes,
            expires_at_ms: key.expires_at.as_ref().map(|at| at.0),
        };
        rows::insert_key(brand, &token_hash(api_key), &new, now_ms)
    }
}

body! {
    /// A key that the operator makes for a brand.
    pub struct RescueKey {
        name: String,
    }
}

/// Makes a key with every scope for a brand that has lost all of its own.
#[utoipa::path(post, path = "/v1/brands/{id}/keys", tag = "operator", request_body = RescueKey,
    security(("operator" = [])), params(("id" = BrandId, Path)),
    responses((status = 201, body = CreatedKey)))]
pub async fn create_for_brand(
    State(app): State<App>,
    _: Operator,
    RequestId(request_id): RequestId,
    Rescue { brand, new }: Rescue,
) -> Result<(StatusCode, Json<CreatedKey>)> {
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 100);
    checks.done()?;
    super::brand::find(&app, brand).await?;
    let now_ms = app.now_ms();
    let made = make(&app, &checked(name)?, Scopes::all(), None, now_ms);
    let by = By { actor: Actor::Operator, request_id: &request_id };
    let (id, told) = (made.view.key.id.to_string(), Some(json::text(&made.view.key)));
    let note = note(&app, brand, &by, "key.create", &id, None, told);
    app.db().run(vec![made.insert(brand, now_ms), note]).await?;
    Ok((StatusCode::CREATED, Json(made.view)))
}

/// The brand in the path and the key in the body.
pub struct Rescue {
    brand: BrandId,
    new: RescueKey,
}

impl crate::web::handler::Extract for Rescue {
    fn extract(call: &crate::web::handler::Call<'_>) -> Result<Self> {
        let PathId(brand) = PathId::<Brand>::extract(call)?;
        let Body(new) = Body::extract(call)?;
        Ok(Self { brand, new })
    }
}

/// The brand's keys, those that ended too.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", security(("api_key" = ["admin"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<KeyView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    params: Params,
) -> Result<Json<List<KeyView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let now_ms = app.now_ms();
    let found = rows::keys(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(row, now_ms))))
}

/// One key.
#[utoipa::path(get, path = "/v1/keys/{id}", tag = "keys", security(("api_key" = ["admin"])),
    params(("id" = KeyId, Path)), responses((status = 200, body = KeyView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Key>,
) -> Result<Json<KeyView>> {
    let row = rows::key_row(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(view(row, app.now_ms())))
}

/// Revokes a key: at once, and for ever. The last one that may make others stays.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", security(("api_key" = ["admin"])),
    params(("id" = KeyId, Path)), responses((status = 200, body = KeyView),
    (status = 409, description = "The last key with the scope admin")))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Key>,
) -> Result<Json<KeyView>> {
    caller.stepped_up(&app)?;
    let now_ms = app.now_ms();
    let row = rows::key_row(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    if row.revoked_at_ms.is_some() {
        return Ok(Json(view(row, now_ms)));
    }
    let before = json::text(&view(row, now_ms));
    let what = ("key.revoke", &*id.0.to_string());
    let note = caller.note_if(&app, If::KeyHolds, what, Some(before), None);
    let batch = vec![note, rows::end_key(caller.brand, id.0, now_ms)];
    app.db().run(batch).await.map_err(|error| match error {
        DbError::Constraint(_) => Error::refused(
            "last-admin-key",
            "no other key of this brand may make keys: make one first",
        ),
        error => error.into(),
    })?;
    let row = rows::key_row(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(view(row, now_ms)))
}
