//! Whether a shop lets us in, and how it comes to do so.

use http::StatusCode;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, Store, StoreId};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::domain::secret::{same_secret, token_hash};
use crate::domain::session::{secret, set_cookie};
use crate::domain::store::grants;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::jobs::connecting::{self, Checked, Hook};
use crate::jobs::shopify::token_for;
use crate::partners::shopify::{Callback, admin, authorize_url};
use crate::partners::trouble::Trouble;
use crate::storage::store_access::{
    self, AuthorizationRow, NewAuthorization, State as Reached, Way,
};
use crate::storage::stores::StoreRow;
use crate::storage::{DbError, Statement, stores as rows};
use crate::web::body::{body, parse_body};
use crate::web::extract::{Body, By, Caller, PathId, may, note};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, ToJson, view};
use crate::web::message::Response;

use super::goaffpro::{self, GoaffproView};
use super::stores::{HookView, find, split, status};
use super::view::Time;

/// An authorization is to be approved within so long.
const APPROVAL_MS: Millis = 10 * 60_000;
/// The cookie that tells the browser in which an authorization was begun.
pub const COOKIE: &str = "__Host-connect";
/// Where a shop sends the browser back to: it must stand in the app's settings.
const CALLBACK: &str = "/connect/shopify/callback";
/// What is told of a store that the brand let go of.
const LET_GO: &str = "it was disconnected here: connect it again to go on";

view! {
    /// What a look at a shop told.
    #[schema(as = StoreConnection)]
    pub struct ConnectionView {
        /// As of the store.
        status: String,
        /// What is in the way, in words.
        #[schema(required)]
        problem: Option<String>,
        /// What the shop grants.
        scopes: Vec<String>,
        /// What it has to grant more.
        missing_scopes: Vec<String>,
        /// What it may grant more, and what that brings.
        optional_scopes: Vec<OptionalScope>,
        /// Which topics it delivers here.
        #[schema(value_type = Vec<HookView>)]
        webhooks: Vec<Hook>,
        /// What may be meant otherwise, in words.
        hints: Vec<String>,
        /// When it was looked at: now, or before, if that can't be done now.
        #[schema(required)]
        checked_at: Option<Time>,
    }
}

view! {
    /// A scope that a shop may grant.
    pub struct OptionalScope {
        scope: String,
        brings: String,
    }
}

/// A shop that isn't there any more can't be looked at.
fn open(row: StoreRow) -> Result<StoreRow> {
    if row.closed_at_ms.is_some() {
        let detail = "the shop asked to be forgotten: connect it anew with POST /v1/stores";
        return Err(Error::refused("store-closed", detail));
    }
    if row.platform != "shopify" {
        return Err(Error::refused("not-shopify", "this store isn't on Shopify"));
    }
    Ok(row)
}

/// Looks at the shop now: whether it lets us in, what it grants, and has it deliver its webhooks here.
#[utoipa::path(post, path = "/v1/stores/{id}/connection", tag = "stores",
    security(("api_key" = ["admin"])), params(("id" = StoreId, Path)), responses(
    (status = 200, body = AnyConnection),
    (status = 202, body = AnyConnection, description = "Somebody else works there: it is looked at after that"),
    (status = 409, description = "The store is closed, or on no platform")))]
pub async fn check(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Store>,
) -> Result<(StatusCode, Json<AnyConnection>)> {
    let row = find(&app, caller.brand, id.0).await?;
    if row.platform == "goaffpro" {
        caller.stepped_up(&app)?;
        let view = goaffpro::connect(&app, &caller, id.0).await?;
        return Ok((StatusCode::OK, Json(AnyConnection::Goaffpro(view))));
    }
    let (status, view) = check_shop(app, caller, row).await?;
    Ok((status, Json(AnyConnection::Shopify(view))))
}

/// How a store is connected, by its platform.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum AnyConnection {
    /// One on Shopify.
    Shopify(ConnectionView),
    /// One on GoAffPro.
    Goaffpro(GoaffproView),
}

impl ToJson for AnyConnection {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Shopify(view) => view.write(out),
            Self::Goaffpro(view) => view.write(out),
        }
    }
}

async fn check_shop(
    app: App,
    caller: Caller<may::Admin>,
    row: StoreRow,
) -> Result<(StatusCode, ConnectionView)> {
    let row = open(row)?;
    if app.config.local && app.config.platforms.shopify.is_none() {
        let words = "this local run reaches no Shopify: start it with SHOPIFY_ORIGIN";
        let view = as_it_stood(&row, words);
        noted(&app, &caller, row.id, &view, Vec::new()).await?;
        return Ok((StatusCode::OK, view));
    }
    match connecting::check(&app, caller.brand, row.id).await? {
        Checked::Looked(looked) => {
            let (found, work) = *looked;
            let mut statements = vec![work.hold()];
            statements.extend(found.statements);
            if found.hindered.is_some() {
                statements.push(connecting::again(&app, caller.brand, row.id));
            }
            let view = ConnectionView {
                status: found.state.name().to_owned(),
                problem: Some(found.problem).filter(|problem| !problem.is_empty()),
                missing_scopes: missing(&found.scopes),
                optional_scopes: optional(&found.scopes),
                scopes: split(&found.scopes),
                webhooks: found.hooks,
                hints: found.hints,
                checked_at: Some(Time(app.now_ms())),
            };
            let done = noted(&app, &caller, row.id, &view, statements).await;
            work.give().await;
            match done {
                // Somebody changed what opens the shop while it was looked at.
                Err(DbError::Constraint(_)) => later(&app, &caller, &row).await,
                done => {
                    done?;
                    app.memory.forget_secrets(row.id);
                    Ok((StatusCode::OK, view))
                }
            }
        }
        Checked::Hindered(trouble, statements) => {
            let mut view = as_it_stood(&row, trouble.words());
            if matches!(trouble, Trouble::Disconnected(_)) {
                let gone = row.state == Some(Reached::Uninstalled)
                    || trouble.words() == admin::NOT_INSTALLED;
                let state = if gone { Reached::Uninstalled } else { Reached::Broken };
                status(false, Some(state)).clone_into(&mut view.status);
                view.checked_at = Some(Time(app.now_ms()));
            }
            noted(&app, &caller, row.id, &view, statements).await?;
            Ok((StatusCode::OK, view))
        }
        Checked::Busy => later(&app, &caller, &row).await,
    }
}

/// Has a shop looked at where something else is done first.
async fn later(
    app: &App,
    caller: &Caller<may::Admin>,
    row: &StoreRow,
) -> Result<(StatusCode, ConnectionView)> {
    let view = as_it_stood(row, "something else is done at this shop: it is looked at then");
    let statements = vec![connecting::again(app, caller.brand, row.id)];
    noted(app, caller, row.id, &view, statements).await?;
    Ok((StatusCode::ACCEPTED, view))
}

/// What was known of a shop that can't be looked at now, and why it can't.
fn as_it_stood(row: &StoreRow, problem: &str) -> ConnectionView {
    let scopes = row.scopes.clone().unwrap_or_default();
    ConnectionView {
        status: status(false, row.state).to_owned(),
        problem: Some(problem.to_owned()),
        missing_scopes: if scopes.is_empty() { Vec::new() } else { missing(&scopes) },
        optional_scopes: if scopes.is_empty() { Vec::new() } else { optional(&scopes) },
        scopes: split(&scopes),
        webhooks: Vec::new(),
        hints: Vec::new(),
        checked_at: row.checked_at_ms.map(Time),
    }
}

fn missing(scopes: &str) -> Vec<String> {
    connecting::missing(scopes).into_iter().map(str::to_owned).collect()
}

fn optional(scopes: &str) -> Vec<OptionalScope> {
    let not_granted = admin::OPTIONAL_SCOPES.iter().filter(|(scope, _)| !grants(scopes, scope));
    let shown = |(scope, brings): &(&str, &str)| OptionalScope {
        scope: (*scope).to_owned(),
        brings: (*brings).to_owned(),
    };
    not_granted.map(shown).collect()
}

/// Commits a look, with a note of it.
async fn noted(
    app: &App,
    caller: &Caller<may::Admin>,
    id: StoreId,
    view: &ConnectionView,
    mut batch: Vec<Statement>,
) -> std::result::Result<(), DbError> {
    let told = json!({ "status": view.status, "problem": view.problem });
    batch.push(caller.note(app, "store.check", id, None, Some(told)));
    app.db().run(batch).await?;
    Ok(())
}

body! {
    /// What is to be approved besides what is needed.
    #[schema(as = AuthorizationScopes)]
    pub struct Wanted {
        /// Some of the scopes that `optional_scopes` of a connection names.
        optional_scopes: Option<Vec<String>>,
    }
}

/// The same, of a request that may have no body.
pub struct MaybeWanted(Wanted);

impl MaybeWanted {
    /// What a form wants.
    #[must_use]
    pub fn of(wanted: Wanted) -> Self {
        Self(wanted)
    }
}

impl Extract for MaybeWanted {
    fn extract(call: &Call<'_>) -> Result<Self> {
        // The document says that it may be null, too.
        if matches!(call.request.body.trim_ascii(), b"" | b"null") {
            return parse_body(b"{}").map(Self);
        }
        Body::extract(call).map(|Body(wanted)| Self(wanted))
    }
}

view! {
    /// An authorization that was begun.
    #[schema(as = StoreAuthorization)]
    pub struct Begun {
        /// Where to go to approve, in the browser that got this answer's cookie.
        url: String,
        /// Until when that counts.
        expires_at: Time,
    }
}

/// Begins the authorization of the store's app by its shop. The answer sets a cookie: only the browser
/// that has it can end what was begun, within ten minutes, once.
#[utoipa::path(post, path = "/v1/stores/{id}/authorization", tag = "stores",
    request_body(content = Option<Wanted>), security(("api_key" = ["admin"])),
    params(("id" = StoreId, Path)), responses((status = 200, body = Begun),
    (status = 409, description = "The store is closed, or has no app")))]
pub async fn authorize(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Store>,
    MaybeWanted(wanted): MaybeWanted,
) -> Result<Response> {
    caller.stepped_up(&app)?;
    let row = open(find(&app, caller.brand, id.0).await?)?;
    let more = wanted.optional_scopes.unwrap_or_default();
    let known = |scope: &String| admin::OPTIONAL_SCOPES.iter().any(|(name, _)| name == scope);
    if more.len() > admin::OPTIONAL_SCOPES.len() || !more.iter().all(known) {
        return Err(Error::invalid("optional_scopes", "must be some of the optional scopes"));
    }
    let access = store_access::find(app.db(), caller.brand, row.id).await?;
    let access = access.ok_or(Error::NotFound)?;
    if access.client_id.is_empty() {
        let detail = "this store has no client id: set client_id and client_secret of an app first";
        return Err(Error::refused("no-app", detail));
    }
    let needed = admin::NEEDED_SCOPES.iter().copied();
    let scopes: Vec<&str> = needed.chain(more.iter().map(String::as_str)).collect();
    let (state, browser) = (secret(app.random()), secret(app.random()));
    let expires_at_ms = app.now_ms() + APPROVAL_MS;
    let begun = store_access::begin_authorization(
        caller.brand,
        row.id,
        &NewAuthorization {
            state_hash: &token_hash(&state),
            browser_hash: &token_hash(&browser),
            actor: caller.actor,
            expires_at_ms,
        },
    );
    let note = caller.note(&app, "store.begin_authorization", row.id, None, None);
    app.db().run(vec![begun, note]).await?;
    let redirect = callback_url(&app);
    let (shop, client) = (&row.shop_domain, &access.client_id);
    let url = authorize_url(shop, client, &scopes.join(","), &redirect, &state);
    let url = match &app.config.platforms.shopify {
        Some(origin) => url.replacen(&["https://", shop].concat(), &double_of(origin, shop), 1),
        None => url,
    };
    let view = Begun { url, expires_at: Time(expires_at_ms) };
    let mut response = Response::json(StatusCode::OK, json::text(&view));
    response.push("set-cookie", set_cookie(COOKIE, &browser, Some(APPROVAL_MS / 1000)));
    Ok(response)
}

/// Where a shop sends the browser back to, whole.
#[must_use]
pub fn callback_url(app: &App) -> String {
    [&app.config.public_origin, CALLBACK].concat()
}

view! {
    /// A shop that was let go of.
    pub struct Disconnected {
        store_id: StoreId,
        /// `uninstalled`
        status: String,
    }
}

/// Lets go of a shop: what opens it is forgotten, nothing is asked there any more, and what it still delivers is set
/// aside. Its orders stay, and it can be connected again.
#[utoipa::path(delete, path = "/v1/stores/{id}/connection", tag = "stores",
    security(("api_key" = ["admin"])), params(("id" = StoreId, Path)), responses(
    (status = 200, body = Disconnected),
    (status = 409, description = "The store is closed, or its own server reports its orders")))]
pub async fn disconnect(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Store>,
) -> Result<Json<Disconnected>> {
    caller.stepped_up(&app)?;
    let row = find(&app, caller.brand, id.0).await?;
    if row.closed_at_ms.is_some() {
        return Err(Error::refused("store-closed", "the shop asked to be forgotten already"));
    }
    if row.platform == "custom" {
        let how = "this shop's own server reports its orders: give the store another signing secret, and keep it";
        return Err(Error::refused("custom-store", how));
    }
    if row.state != Some(Reached::Uninstalled) {
        let batch = vec![
            store_access::disconnect(caller.brand, row.id, LET_GO, app.now_ms()),
            caller.note(&app, "store.disconnect", row.id, None, None),
        ];
        app.db().run(batch).await?;
        app.memory.forget_secrets(row.id);
    }
    let status = Reached::Uninstalled.name().to_owned();
    Ok(Json(Disconnected { store_id: row.id, status }))
}

/// Where a browser on a laptop finds this shop: one double stands for all, and tells them by the host.
fn double_of(origin: &str, shop: &str) -> String {
    let name = shop.split('.').next().unwrap_or_default();
    let host = format!("//{name}.localhost");
    origin.replacen("//127.0.0.1", &host, 1).replacen("//localhost", &host, 1)
}

/// Why an authorization came to nothing, in words for whoever stands before the browser.
pub type NotAuthorized = &'static str;

/// It isn't the end of what this browser began, or that is over: nothing was changed.
pub const BEGIN_AGAIN: NotAuthorized =
    "This approval isn't good (any more). Begin again, in the same browser.";

/// Ends an authorization: checks what came back, gets the token, and keeps it.
///
/// # Errors
/// Why it came to nothing; the outer error if D1 was away.
pub async fn finish(
    app: &App,
    back: Option<Callback>,
    browser: Option<&str>,
) -> Result<Result<StoreId, NotAuthorized>> {
    let (Some(back), Some(browser)) = (back, browser) else { return Ok(Err(BEGIN_AGAIN)) };
    let Some(begun) = begun(app, &back, browser).await? else { return Ok(Err(BEGIN_AGAIN)) };
    let (brand, store) = (begun.brand_id, begun.store_id);
    let Some(access) = store_access::find(app.db(), brand, store).await? else {
        return Ok(Err(BEGIN_AGAIN));
    };
    let current = secrets(app, store).await?;
    if access.closed_at_ms.is_some()
        || access.shop_domain != back.shop
        || !back.is_authentic(&current, app.now_ms())
    {
        app.log.write(&json!({ "event": "authorization_refused", "store": store }));
        return Ok(Err(BEGIN_AGAIN));
    }
    // Spent before the code is: whoever comes a second time finds nothing to end.
    match app.db().run(vec![store_access::spend(&begun)]).await {
        Err(error) if error.is_constraint("uses") => return Ok(Err(BEGIN_AGAIN)),
        done => done.map(drop)?,
    }
    let Some(secret) = current.first().and_then(|s| std::str::from_utf8(s).ok()) else {
        return Ok(Err(BEGIN_AGAIN));
    };
    let asked = json!({ "client_id": access.client_id, "client_secret": secret, "code": back.code,
        "expiring": "1" });
    let token = match token_for(app, store, &access.shop_domain, &asked).await {
        Ok(token) => token,
        Err(trouble) => {
            let detail = trouble.words();
            app.log.write(
                &json!({ "event": "authorization_failed", "store": store, "detail": detail }),
            );
            return Ok(Err("The shop didn't give a token for this approval. Begin again."));
        }
    };
    let actor = Actor::of(&begun.actor_kind, &begun.actor_id).unwrap_or(Actor::Job("connect"));
    let told = Some(json!({ "way": Way::Code.name(), "scopes": token.scopes }));
    let batch = vec![
        store_access::authorize(brand, store, access.changes, &token),
        connecting::again(app, brand, store),
        kept(app, brand, actor, store, told),
    ];
    match app.db().run(batch).await {
        // Somebody connected it in another way meanwhile, or closed it.
        Err(DbError::Constraint(_)) => return Ok(Err(BEGIN_AGAIN)),
        done => done.map(drop)?,
    }
    app.memory.forget_secrets(store);
    Ok(Ok(store))
}

fn kept(
    app: &App,
    brand: BrandId,
    actor: Actor,
    store: StoreId,
    told: Option<String>,
) -> Statement {
    let id = hex(&app.random::<8>());
    let by = By { actor, request_id: &id };
    note(app, brand, &by, "store.authorize", &store.to_string(), None, told)
}

/// The authorization that this browser began and this is the end of, while it counts.
async fn begun(app: &App, back: &Callback, browser: &str) -> Result<Option<AuthorizationRow>> {
    let state_hash = token_hash(&back.state);
    let found = store_access::by_state(app.db(), &state_hash).await?;
    let browser_hash = token_hash(browser);
    Ok(found.filter(|begun| {
        same_secret(&begun.state_hash, &state_hash)
            && same_secret(&begun.browser_hash, &browser_hash)
            && begun.uses == 0
            && begun.expires_at_ms > app.now_ms()
    }))
}

/// The secrets of a store's app that hold now, the present one first.
async fn secrets(app: &App, store: StoreId) -> Result<Vec<Vec<u8>>> {
    let Some(row) = rows::secrets(app.db(), store).await? else { return Ok(Vec::new()) };
    let (context, now_ms) = (store.to_string(), app.now_ms());
    let previous = row.previous().into_iter().filter(|p| p.until_ms > now_ms).map(|p| p.sealed);
    let sealed = std::iter::once(row.secret_sealed.clone()).chain(previous);
    Ok(sealed.filter_map(|text| app.config.data_key.open(&context, &text)).collect())
}
