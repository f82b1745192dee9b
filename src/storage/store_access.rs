//! How stores' platforms are reached: sealed tokens, scopes, and what is in the way.

use super::{Database, Reading, Statement, bind, row, spelling, statements};
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::time::Millis;

statements! {
    FIND_ACCESS = "
SELECT s.client_id, s.secret_sealed, s.shop_domain, s.platform, s.closed_at_ms, a.way, a.state,
  a.problem, a.token_sealed, a.token_until_ms, a.refresh_sealed, a.refresh_until_ms,
  a.renewing_until_ms, a.scopes, a.currency, a.timezone, a.checked_at_ms, a.connected_at_ms, a.revision
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

    /// What the platform told.
    TELL_ACCESS = "
UPDATE store_access SET state = ?3, problem = ?4, checked_at_ms = ?5,
  connected_at_ms = iif(?3 = 'connected', coalesce(connected_at_ms, ?5), connected_at_ms),
  scopes = coalesce(?6, scopes), currency = coalesce(?7, currency), timezone = coalesce(?8, timezone)
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
        /// How often the token changed.
        pub revision: Option<i64>,
    }
}

impl AccessRow {
    /// Whether the shop granted this scope; `write_x` includes `read_x`.
    #[must_use]
    pub fn may(&self, scope: &str) -> bool {
        let granted = self.scopes.as_deref().unwrap_or_default();
        let written = scope.strip_prefix("read_").map(|rest| ["write_", rest].concat());
        granted.split(' ').any(|one| one == scope || Some(one) == written.as_deref())
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
}

/// Keeps what a look told.
#[must_use]
pub fn tell(brand: BrandId, store: StoreId, look: &Look<'_>, now_ms: Millis) -> Statement {
    let Look { state, problem, scopes, currency, timezone } = look;
    bind!(TELL_ACCESS, brand, store, *state, *problem, now_ms, *scopes, *currency, *timezone)
}
