//! How stores' platforms are reached: sealed tokens, scopes, what is in the way, and authorizations
//! that were begun.

use super::{Database, Reading, Statement, bind, row, spelling, statements};
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, MemberId, StoreId};
use crate::domain::store::grants;
use crate::domain::time::Millis;

statements! {
    FIND_ACCESS = "
SELECT s.client_id, s.secret_sealed, s.shop_domain, s.platform, s.storefront_url, s.closed_at_ms, a.way,
  a.state, a.problem, a.token_sealed, a.token_until_ms, a.refresh_sealed, a.refresh_until_ms,
  a.renewing_until_ms, a.scopes, a.currency, a.timezone, a.checked_at_ms, a.connected_at_ms,
  a.webhooks, a.webhook_seen_at_ms, a.revision, coalesce(a.changes, 0) AS changes,
  (SELECT currency FROM brands WHERE id = ?1) AS brand_currency
FROM stores s LEFT JOIN store_access a ON a.brand_id = s.brand_id AND a.store_id = s.id
WHERE s.brand_id = ?1 AND s.id = ?2";

    /// A store that was never reached, as the brand's own app.
    BEGIN_ACCESS = "
INSERT INTO store_access (brand_id, store_id, way, state) VALUES (?1, ?2, ?3, 'created')
ON CONFLICT (brand_id, store_id) DO NOTHING";

    /// ?3 the revision that was read: who renewed first has done it.
    KEEP_TOKEN = "
UPDATE store_access SET revision = iif(revision = ?3, revision + 1, NULL), token_sealed = ?4,
  token_until_ms = ?5, refresh_sealed = coalesce(?6, refresh_sealed),
  refresh_until_ms = coalesce(?7, refresh_until_ms), renewing_until_ms = NULL,
  scopes = coalesce(?8, scopes)
WHERE brand_id = ?1 AND store_id = ?2";

    /// ?3 the revision that was read; until ?4 everybody else waits.
    CLAIM_RENEWAL = "
UPDATE store_access SET revision = iif(revision = ?3, revision + 1, NULL), renewing_until_ms = ?4
WHERE brand_id = ?1 AND store_id = ?2";

    /// A token that somebody pasted, in the place of whatever was there.
    PASTE = "
INSERT INTO store_access (brand_id, store_id, way, state, token_sealed, changes)
VALUES (?1, ?2, 'token', 'created', ?3, 1)
ON CONFLICT (brand_id, store_id) DO UPDATE SET way = excluded.way, state = excluded.state, problem = '',
  token_sealed = excluded.token_sealed, token_until_ms = NULL, refresh_sealed = NULL,
  refresh_until_ms = NULL, renewing_until_ms = NULL, scopes = '', revision = revision + 1,
  changes = changes + 1";

    /// The pair that came of a code: whole, whatever was there. ?8 the changes that were read: aborts if there
    /// was another since, or the store was closed.
    AUTHORIZE = "
INSERT INTO store_access (brand_id, store_id, way, state, token_sealed, token_until_ms, refresh_sealed,
  refresh_until_ms, scopes, changes)
VALUES (?1, ?2, 'code', 'created', ?3, ?4, ?5, ?6, coalesce(?7, ''),
  (SELECT 1 FROM stores WHERE brand_id = ?1 AND id = ?2 AND closed_at_ms IS NULL))
ON CONFLICT (brand_id, store_id) DO UPDATE SET way = excluded.way, state = excluded.state, problem = '',
  token_sealed = excluded.token_sealed, token_until_ms = excluded.token_until_ms,
  refresh_sealed = excluded.refresh_sealed, refresh_until_ms = excluded.refresh_until_ms,
  renewing_until_ms = NULL, scopes = excluded.scopes, revision = revision + 1,
  changes = iif(changes = ?8, changes + 1, NULL)";

    /// The app has another secret: tokens that it got are got anew. A pasted one is none of these, and
    /// what was authorized can be renewed with the new secret.
    RENEW_ACCESS = "
UPDATE store_access SET state = 'created', problem = '', token_sealed = iif(way = 'token', token_sealed, NULL),
  token_until_ms = NULL, renewing_until_ms = NULL, revision = revision + 1, changes = changes + 1
WHERE brand_id = ?1 AND store_id = ?2";

    /// Another app, or the same shop after it was gone: nothing of before opens it. Its webhooks go
    /// with the app.
    RESET_ACCESS = "
UPDATE store_access SET way = ?3, state = 'created', problem = '', token_sealed = NULL,
  token_until_ms = NULL, refresh_sealed = NULL, refresh_until_ms = NULL, renewing_until_ms = NULL,
  scopes = '', webhooks = '[]', webhook_seen_at_ms = NULL, look_at_ms = NULL, revision = revision + 1,
  changes = changes + 1
WHERE brand_id = ?1 AND store_id = ?2";

    /// What the platform told. ?11 the changes that were read: aborts if somebody changed what opens it since, or
    /// closed the store.
    TELL_ACCESS = "
UPDATE store_access SET changes = iif(changes = ?11 AND EXISTS (SELECT 1 FROM stores
    WHERE brand_id = ?1 AND id = ?2 AND closed_at_ms IS NULL), changes, NULL), state = ?3, problem = ?4, checked_at_ms = ?5,
  connected_at_ms = iif(?3 = 'connected', coalesce(connected_at_ms, ?5), connected_at_ms),
  lost_at_ms = iif(?3 = 'connected', NULL, lost_at_ms),
  scopes = coalesce(?6, scopes), currency = coalesce(?7, currency), timezone = coalesce(?8, timezone),
  webhooks = coalesce(?9, webhooks), look_at_ms = ?10
WHERE brand_id = ?1 AND store_id = ?2";

    /// What is gone stays gone until somebody connects it; what is in the way says so. ?5 when it is
    /// looked at again. ?6 the changes that were read: who was locked out before another knows nothing of now.
    BREAK_ACCESS = "
UPDATE store_access SET problem = ?3, checked_at_ms = ?4,
  lost_at_ms = iif(state = 'connected', CAST(?4 AS INTEGER), lost_at_ms),
  look_at_ms = iif(state = 'uninstalled' OR (SELECT platform FROM stores
    WHERE brand_id = ?1 AND id = ?2) <> 'shopify', NULL, ?5),
  state = iif(state = 'uninstalled', state, 'broken')
WHERE brand_id = ?1 AND store_id = ?2 AND changes = ?6 AND EXISTS (SELECT 1 FROM stores
  WHERE brand_id = ?1 AND id = ?2 AND closed_at_ms IS NULL)";

    /// The shop removed the app: with it go tokens and webhooks. ?3 the revision that was read.
    REMOVE_ACCESS = "
UPDATE store_access SET revision = iif(revision = ?3, revision + 1, NULL),
  lost_at_ms = iif(state = 'connected', CAST(?5 AS INTEGER), lost_at_ms), state = 'uninstalled',
  problem = ?4, checked_at_ms = ?5, token_sealed = NULL, token_until_ms = NULL, refresh_sealed = NULL,
  refresh_until_ms = NULL, renewing_until_ms = NULL, scopes = '', webhooks = '[]', look_at_ms = NULL,
  changes = changes + 1
WHERE brand_id = ?1 AND store_id = ?2";

    /// Whom to tell that a store is lost which is connected yet.
    OWNERS_TO_TELL = "
SELECT m.id, m.email, b.name AS brand, s.shop_domain AS shop FROM store_access a
CROSS JOIN stores s ON s.brand_id = a.brand_id AND s.id = a.store_id
CROSS JOIN brands b ON b.id = a.brand_id CROSS JOIN members m ON m.brand_id = a.brand_id
WHERE a.brand_id = ?1 AND a.store_id = ?2 AND a.state = 'connected' AND s.closed_at_ms IS NULL
  AND m.role = 'owner' AND m.joined_at_ms IS NOT NULL LIMIT 10";

    /// The brand let go of the shop: nothing that is kept opens it any more, not even the app's secret, which goes on
    /// verifying what is delivered.
    DISCONNECT = "
INSERT INTO store_access (brand_id, store_id, way, state, problem, checked_at_ms, changes)
VALUES (?1, ?2, 'token', 'uninstalled', ?3, ?4, 1)
ON CONFLICT (brand_id, store_id) DO UPDATE SET way = excluded.way, state = excluded.state,
  problem = excluded.problem, checked_at_ms = excluded.checked_at_ms, token_sealed = NULL,
  token_until_ms = NULL, refresh_sealed = NULL, refresh_until_ms = NULL, renewing_until_ms = NULL,
  scopes = '', webhooks = '[]', look_at_ms = NULL, lost_at_ms = NULL, revision = revision + 1,
  changes = changes + 1";

    /// A delivery was verified: at most one write an hour.
    SEEN = "
UPDATE store_access SET webhook_seen_at_ms = ?3
WHERE brand_id = ?1 AND store_id = ?2 AND coalesce(webhook_seen_at_ms, 0) < ?3 - 3500000";

    /// Stores to be looked at again.
    TO_LOOK = "
SELECT brand_id, store_id FROM store_access INDEXED BY store_access_to_look
WHERE look_at_ms <= ?1 ORDER BY look_at_ms LIMIT ?2";

    LOOK_LATER = "
UPDATE store_access SET look_at_ms = ?3 WHERE brand_id = ?1 AND store_id = ?2";

    /// The latest counts.
    BEGIN_AUTHORIZATION = "
INSERT INTO store_authorizations (brand_id, store_id, state_hash, browser_hash, actor_kind, actor_id,
  expires_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (brand_id, store_id) DO UPDATE SET state_hash = excluded.state_hash,
  browser_hash = excluded.browser_hash, actor_kind = excluded.actor_kind, actor_id = excluded.actor_id,
  expires_at_ms = excluded.expires_at_ms, uses = 0";

    /// A state says whose it is.
    BY_STATE = "
SELECT brand_id, store_id, state_hash, browser_hash, actor_kind, actor_id, expires_at_ms, uses
FROM store_authorizations WHERE state_hash = ?1";

    /// Once, and only the latest: anything else would set uses to 2, which its CHECK refuses.
    SPEND_AUTHORIZATION = "
UPDATE store_authorizations SET uses = iif(state_hash = ?3, uses + 1, 2)
WHERE brand_id = ?1 AND store_id = ?2";
}

/// How a store's token comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the client credentials of the brand's own app.
    Client,
    /// It was pasted.
    Token,
    /// By an authorization code, renewed with a refresh token.
    Code,
}

spelling!(Way { Client = "client", Token = "token", Code = "code" });

impl Way {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client_credentials",
            Self::Token => "access_token",
            Self::Code => "authorization",
        }
    }
}

/// How a store is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody tried.
    Created,
    /// It was reached.
    Connected,
    /// It can't be reached until somebody changes something.
    Broken,
    /// The shop removed the app.
    Uninstalled,
}

spelling!(State {
    Created = "created",
    Connected = "connected",
    Broken = "broken",
    Uninstalled = "uninstalled",
});

impl State {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Connected => "connected",
            Self::Broken => "broken",
            Self::Uninstalled => "uninstalled",
        }
    }
}

row! {
    /// A store with what reaches it. It has sealed secrets: no `Debug`.
    #[derive(Clone)]
    pub struct AccessRow {
        /// The app's client id.
        pub client_id: String,
        /// The app's client secret, sealed to the store's id.
        pub secret_sealed: String,
        /// `shop.myshopify.com`
        pub shop_domain: String,
        /// `shopify`
        pub platform: String,
        /// Where links lead.
        pub storefront_url: String,
        /// When its shop asked to be forgotten, if it did.
        pub closed_at_ms: Option<Millis>,
        /// How its token comes; nothing of what follows is there before it was tried.
        pub way: Option<Way>,
        /// How it is reached.
        pub state: Option<State>,
        /// What is in the way, in words; '' if nothing is.
        pub problem: Option<String>,
        /// The token, sealed to `<store>/token`.
        pub token_sealed: Option<String>,
        /// Until when it is good.
        pub token_until_ms: Option<Millis>,
        /// The refresh token, sealed to `<store>/refresh`.
        pub refresh_sealed: Option<String>,
        /// Until when that is good.
        pub refresh_until_ms: Option<Millis>,
        /// Somebody renews it now, and has until then.
        pub renewing_until_ms: Option<Millis>,
        /// Scopes that the shop granted, between spaces.
        pub scopes: Option<String>,
        /// The shop's own currency.
        pub currency: Option<String>,
        /// The shop's time zone.
        pub timezone: Option<String>,
        /// When it was last looked at.
        pub checked_at_ms: Option<Millis>,
        /// When it was first reached.
        pub connected_at_ms: Option<Millis>,
        /// A JSON list: which webhooks are registered there.
        pub webhooks: Option<String>,
        /// When a delivery was last verified, up to an hour late.
        pub webhook_seen_at_ms: Option<Millis>,
        /// How often the token changed.
        pub revision: Option<i64>,
        /// How often somebody changed what opens it.
        pub changes: i64,
        /// The brand's own currency.
        pub brand_currency: String,
    }
}

impl AccessRow {
    /// Whether the shop granted this scope; `write_x` includes `read_x`.
    #[must_use]
    pub fn may(&self, scope: &str) -> bool {
        grants(self.scopes.as_deref().unwrap_or_default(), scope)
    }
}

/// A store and how it is reached.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, store: StoreId) -> Reading<'_, Option<AccessRow>> {
    db.first(bind!(FIND_ACCESS, brand, store))
}

/// Begins to keep how a store is reached.
#[must_use]
pub fn begin(brand: BrandId, store: StoreId, way: Way) -> Statement {
    bind!(BEGIN_ACCESS, brand, store, way)
}

/// A token as it is kept.
#[derive(Clone, Default)]
pub struct NewToken {
    /// Sealed to `<store>/token`.
    pub token_sealed: String,
    /// Until when it is good; for ever without.
    pub token_until_ms: Option<Millis>,
    /// Sealed to `<store>/refresh`.
    pub refresh_sealed: Option<String>,
    /// Until when that is good.
    pub refresh_until_ms: Option<Millis>,
    /// The scopes that came with it, between spaces.
    pub scopes: Option<String>,
}

/// Keeps a token, if nobody else kept one since `revision`.
#[must_use]
pub fn keep(brand: BrandId, store: StoreId, revision: i64, new: &NewToken) -> Statement {
    let NewToken { token_sealed, token_until_ms, refresh_sealed, refresh_until_ms, scopes } = new;
    bind!(
        KEEP_TOKEN,
        brand,
        store,
        revision,
        token_sealed,
        *token_until_ms,
        refresh_sealed.as_deref(),
        *refresh_until_ms,
        scopes.as_deref(),
    )
}

/// Says that a token is being renewed, so that others wait.
#[must_use]
pub fn claim_renewal(brand: BrandId, store: StoreId, revision: i64, until_ms: Millis) -> Statement {
    bind!(CLAIM_RENEWAL, brand, store, revision, until_ms)
}

/// Keeps a token that somebody pasted, sealed to `<store>/token`; whatever was there goes.
#[must_use]
pub fn paste(brand: BrandId, store: StoreId, token_sealed: &str) -> Statement {
    bind!(PASTE, brand, store, token_sealed)
}

/// Keeps what came of an authorization code; whatever was there goes. Aborts if it changed since `changes`.
#[must_use]
pub fn authorize(brand: BrandId, store: StoreId, changes: i64, new: &NewToken) -> Statement {
    let NewToken { token_sealed, token_until_ms, refresh_sealed, refresh_until_ms, scopes } = new;
    let refresh_sealed = refresh_sealed.as_deref();
    let until_ms = *token_until_ms;
    bind!(
        AUTHORIZE,
        brand,
        store,
        token_sealed,
        until_ms,
        refresh_sealed,
        *refresh_until_ms,
        scopes.as_deref(),
        changes,
    )
}

/// The app's secret changed: its tokens are got anew.
#[must_use]
pub fn renew(brand: BrandId, store: StoreId) -> Statement {
    bind!(RENEW_ACCESS, brand, store)
}

/// Nothing of before opens the shop any more.
#[must_use]
pub fn reset(brand: BrandId, store: StoreId, way: Way) -> Statement {
    bind!(RESET_ACCESS, brand, store, way)
}

/// What a look at the platform told.
#[derive(Debug, Clone)]
pub struct Look<'a> {
    /// How the store is reached.
    pub state: State,
    /// What is in the way, in words for the brand.
    pub problem: &'a str,
    /// Scopes between spaces, if they were told.
    pub scopes: Option<&'a str>,
    /// The shop's currency, if it was told.
    pub currency: Option<&'a str>,
    /// The shop's time zone, if it was told.
    pub timezone: Option<&'a str>,
    /// A JSON list of its webhooks, if they were looked at.
    pub webhooks: Option<&'a str>,
    /// When it is looked at again.
    pub look_at_ms: Option<Millis>,
    /// What was read before of how often it was changed.
    pub changes: i64,
}

/// Keeps what a look told; aborts if somebody changed what opens the store since, or closed it.
#[must_use]
pub fn tell(brand: BrandId, store: StoreId, look: &Look<'_>, now_ms: Millis) -> Statement {
    let Look { state, problem, scopes, currency, timezone, webhooks, look_at_ms, changes } = look;
    bind!(
        TELL_ACCESS,
        brand,
        store,
        *state,
        *problem,
        now_ms,
        *scopes,
        *currency,
        *timezone,
        *webhooks,
        *look_at_ms,
        *changes,
    )
}

/// Keeps in words why a store can't be reached, and when it is looked at again; not if somebody changed since
/// `changes` what opens it, or closed it.
#[must_use]
pub fn broken(
    brand: BrandId,
    (store, changes): (StoreId, i64),
    problem: &str,
    look_at_ms: Millis,
    now_ms: Millis,
) -> Statement {
    bind!(BREAK_ACCESS, brand, store, problem, now_ms, look_at_ms, changes)
}

/// The shop removed the app; aborts if its token changed since `revision`.
#[must_use]
pub fn removed(
    brand: BrandId,
    store: StoreId,
    revision: i64,
    problem: &str,
    now_ms: Millis,
) -> Statement {
    bind!(REMOVE_ACCESS, brand, store, revision, problem, now_ms)
}

/// The brand let go of a shop; `problem` says so.
#[must_use]
pub fn disconnect(brand: BrandId, store: StoreId, problem: &str, now_ms: Millis) -> Statement {
    bind!(DISCONNECT, brand, store, problem, now_ms)
}

row! {
    /// An owner to be told that a store is lost.
    #[derive(Debug, Clone)]
    pub struct OwnerToTell {
        /// Which member.
        pub id: MemberId,
        /// Her address.
        pub email: String,
        /// The brand's name.
        pub brand: String,
        /// `shop.myshopify.com`
        pub shop: String,
    }
}

/// The owners to be told, should a store be lost now; nobody if it isn't connected.
///
/// # Errors
/// [`super::DbError`].
pub fn owners_to_tell(
    db: &dyn Database,
    brand: BrandId,
    store: StoreId,
) -> Reading<'_, Vec<OwnerToTell>> {
    db.all(bind!(OWNERS_TO_TELL, brand, store))
}

/// A delivery was verified.
#[must_use]
pub fn seen(brand: BrandId, store: StoreId, now_ms: Millis) -> Statement {
    bind!(SEEN, brand, store, now_ms)
}

row! {
    /// A store to be looked at.
    #[derive(Debug, Clone)]
    pub struct LookRow {
        /// Whose.
        pub brand_id: BrandId,
        /// Which.
        pub store_id: StoreId,
    }
}

/// Stores to be looked at again, longest waiting first.
///
/// # Errors
/// [`super::DbError`].
pub fn to_look(db: &dyn Database, now_ms: Millis, limit: u32) -> Reading<'_, Vec<LookRow>> {
    db.all(bind!(TO_LOOK, now_ms, limit))
}

/// Looks at a store again at this time.
#[must_use]
pub fn look_later(brand: BrandId, store: StoreId, at_ms: Millis) -> Statement {
    bind!(LOOK_LATER, brand, store, at_ms)
}

/// An authorization that is begun.
#[derive(Debug, Clone)]
pub struct NewAuthorization<'a> {
    /// Hash of the state.
    pub state_hash: &'a str,
    /// Hash of the secret in the cookie of the browser.
    pub browser_hash: &'a str,
    /// Who begins it.
    pub actor: Actor,
    /// Until when it counts.
    pub expires_at_ms: Millis,
}

/// Begins an authorization of a store; one that was begun before doesn't count any more.
#[must_use]
pub fn begin_authorization(
    brand: BrandId,
    store: StoreId,
    new: &NewAuthorization<'_>,
) -> Statement {
    let NewAuthorization { state_hash, browser_hash, actor, expires_at_ms } = new;
    bind!(
        BEGIN_AUTHORIZATION,
        brand,
        store,
        *state_hash,
        *browser_hash,
        actor.kind(),
        actor.id(),
        *expires_at_ms,
    )
}

row! {
    /// An authorization that was begun.
    #[derive(Clone)]
    pub struct AuthorizationRow {
        /// Whose.
        pub brand_id: BrandId,
        /// Which store's.
        pub store_id: StoreId,
        /// Hash of its state.
        pub state_hash: String,
        /// Hash of the secret in the cookie of the browser.
        pub browser_hash: String,
        /// Who began it: [`Actor::kind`].
        pub actor_kind: String,
        /// [`Actor::id`]
        pub actor_id: String,
        /// Until when it counts.
        pub expires_at_ms: Millis,
        /// How often it was used: at most once.
        pub uses: i64,
    }
}

/// The authorization with this state.
///
/// # Errors
/// [`super::DbError`].
pub fn by_state<'a>(
    db: &'a dyn Database,
    state_hash: &str,
) -> Reading<'a, Option<AuthorizationRow>> {
    db.first(bind!(BY_STATE, state_hash))
}

/// Uses an authorization; a second time aborts.
#[must_use]
pub fn spend(authorization: &AuthorizationRow) -> Statement {
    let AuthorizationRow { brand_id, store_id, state_hash, .. } = authorization;
    bind!(SPEND_AUTHORIZATION, *brand_id, *store_id, state_hash)
}
