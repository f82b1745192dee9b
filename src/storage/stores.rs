//! Connected shops and their sealed secrets.

use super::rows::from_json;
use super::store_access::{State, Way};
use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO stores (brand_id, id, platform, shop_domain, storefront_url, client_id, secret_sealed,
  created_at_ms) VALUES (?1, ?2, ?8, ?3, ?4, ?5, ?6, ?7)";

    /// The secret so far joins those that are still accepted; ?4 until when, ?5 now. A closed store
    /// has none, and opens again.
    ROTATE = "
UPDATE stores SET secret_sealed = ?3, closed_at_ms = NULL, previous_secrets = json_insert(
    (SELECT json_group_array(json(value)) FROM json_each(previous_secrets)
       WHERE json_extract(value, '$.until_ms') > ?5),
    iif(secret_sealed = '', '$[#-1]', '$[#]'),
    json_object('sealed', secret_sealed, 'until_ms', CAST(?4 AS INTEGER)))
WHERE brand_id = ?1 AND id = ?2";

    /// What is left out stays.
    CHANGE = "
UPDATE stores SET storefront_url = coalesce(?3, storefront_url), client_id = coalesce(?4, client_id)
WHERE brand_id = ?1 AND id = ?2";

    /// A shop that was forgotten, or removed the app, is connected anew: of any other it aborts. ?6 until
    /// when the secret so far is accepted, ?7 now.
    REOPEN = "
UPDATE stores SET storefront_url = ?3, client_id = ?4, closed_at_ms = NULL, secret_sealed = iif(
    closed_at_ms IS NOT NULL OR EXISTS (SELECT 1 FROM store_access a
      WHERE a.brand_id = ?1 AND a.store_id = ?2 AND a.state = 'uninstalled'), ?5, NULL),
  previous_secrets = json_insert(
    (SELECT json_group_array(json(value)) FROM json_each(previous_secrets)
       WHERE json_extract(value, '$.until_ms') > ?7),
    iif(secret_sealed = '', '$[#-1]', '$[#]'),
    json_object('sealed', secret_sealed, 'until_ms', CAST(?6 AS INTEGER)))
WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT s.id, s.platform, s.shop_domain, s.storefront_url, s.closed_at_ms, a.way, a.state, a.problem,
  a.scopes, a.currency, a.timezone, a.webhooks, a.webhook_seen_at_ms, a.connected_at_ms, a.checked_at_ms
FROM stores s LEFT JOIN store_access a ON a.brand_id = s.brand_id AND a.store_id = s.id
WHERE s.brand_id = ?1 AND s.id > ?2 ORDER BY s.id LIMIT ?3";

    FIND = "
SELECT s.id, s.platform, s.shop_domain, s.storefront_url, s.closed_at_ms, a.way, a.state, a.problem,
  a.scopes, a.currency, a.timezone, a.webhooks, a.webhook_seen_at_ms, a.connected_at_ms, a.checked_at_ms
FROM stores s LEFT JOIN store_access a ON a.brand_id = s.brand_id AND a.store_id = s.id
WHERE s.brand_id = ?1 AND s.id = ?2";

    /// A webhook names its store; the store says whose it is.
    SECRETS = "
SELECT s.brand_id, s.platform, s.secret_sealed, s.previous_secrets, s.closed_at_ms, a.state, a.webhook_seen_at_ms
FROM stores s LEFT JOIN store_access a ON a.brand_id = s.brand_id AND a.store_id = s.id
WHERE s.id = ?1";
}

row! {
    /// A store without its secrets.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StoreRow {
        /// Its id.
        pub id: StoreId,
        /// `shopify`
        pub platform: String,
        /// `shop.myshopify.com`
        pub shop_domain: String,
        /// `https://shop.example`
        pub storefront_url: String,
        /// When its shop asked to be forgotten, if it did.
        pub closed_at_ms: Option<Millis>,
        /// How its token comes; nothing of what follows is there before it was tried.
        pub way: Option<Way>,
        /// How it is reached.
        pub state: Option<State>,
        /// What is in the way, in words.
        pub problem: Option<String>,
        /// Scopes that the shop granted, between spaces.
        pub scopes: Option<String>,
        /// The shop's own currency.
        pub currency: Option<String>,
        /// The shop's time zone.
        pub timezone: Option<String>,
        /// A JSON list: which webhooks are registered there.
        pub webhooks: Option<String>,
        /// When a delivery was last verified, up to an hour late.
        pub webhook_seen_at_ms: Option<Millis>,
        /// When it was first reached.
        pub connected_at_ms: Option<Millis>,
        /// When it was last looked at.
        pub checked_at_ms: Option<Millis>,
    }
}

/// A store to be stored.
#[derive(Debug, Clone)]
pub struct NewStore<'a> {
    /// Its id.
    pub id: StoreId,
    /// `shopify`
    pub platform: &'static str,
    /// `shop.myshopify.com`; of a custom store its name, or the host of its storefront.
    pub shop_domain: &'a str,
    /// `https://shop.example`
    pub storefront_url: &'a str,
    /// The app's client id.
    pub client_id: &'a str,
    /// The app's client secret, sealed to the store's id.
    pub secret_sealed: &'a str,
}

/// Stores a store; the same shop twice in one brand aborts.
#[must_use]
pub fn insert(brand: BrandId, store: &NewStore<'_>, now_ms: Millis) -> Statement {
    bind!(
        INSERT,
        brand,
        store.id,
        store.shop_domain,
        store.storefront_url,
        store.client_id,
        store.secret_sealed,
        now_ms,
        store.platform,
    )
}

/// Replaces the secret; the old one is accepted until `old_until_ms`.
#[must_use]
pub fn rotate(
    brand: BrandId,
    id: StoreId,
    sealed: &str,
    old_until_ms: Millis,
    now_ms: Millis,
) -> Statement {
    bind!(ROTATE, brand, id, sealed, old_until_ms, now_ms)
}

/// Changes where links lead, or which app it is; what is `None` stays.
#[must_use]
pub fn change(
    brand: BrandId,
    id: StoreId,
    storefront_url: Option<&str>,
    client_id: Option<&str>,
) -> Statement {
    bind!(CHANGE, brand, id, storefront_url, client_id)
}

/// Connects a shop anew that was forgotten or removed the app; aborts for any other. The secret so
/// far is accepted until `old_until_ms`.
#[must_use]
pub fn reopen(
    brand: BrandId,
    store: &NewStore<'_>,
    old_until_ms: Millis,
    now_ms: Millis,
) -> Statement {
    let NewStore { id, storefront_url, client_id, secret_sealed, .. } = *store;
    bind!(REOPEN, brand, id, storefront_url, client_id, secret_sealed, old_until_ms, now_ms)
}

/// A page of the brand's stores.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<StoreRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

/// One store.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: StoreId) -> Reading<'_, Option<StoreRow>> {
    db.first(bind!(FIND, brand, id))
}

row! {
    /// What verifying a delivery needs.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SecretsRow {
        /// Whose store.
        pub brand_id: BrandId,
        /// `shopify`
        pub platform: String,
        /// The secret, sealed; empty if the store is closed.
        pub secret_sealed: String,
        /// When its shop asked to be forgotten, if it did.
        pub closed_at_ms: Option<Millis>,
        /// How its shop is reached, if that was ever tried.
        pub state: Option<State>,
        /// When a delivery was last verified, up to an hour late.
        pub webhook_seen_at_ms: Option<Millis>,
        previous_secrets: String,
    }
}

row! {
    /// A secret that was replaced.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PreviousSecret {
        /// The secret, sealed.
        pub sealed: String,
        /// Until when it is accepted.
        pub until_ms: Millis,
    }
}

impl SecretsRow {
    /// The secrets before the present one.
    #[must_use]
    pub fn previous(&self) -> Vec<PreviousSecret> {
        from_json(&self.previous_secrets).unwrap_or_default()
    }
}

/// The sealed secrets of a store.
///
/// # Errors
/// [`super::DbError`].
pub fn secrets(db: &dyn Database, id: StoreId) -> Reading<'_, Option<SecretsRow>> {
    db.first(bind!(SECRETS, id))
}
