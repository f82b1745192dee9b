//! The edge redirect: from a slug to the storefront, with a fresh click id.
//!
//! A link comes from the isolate's memory, else the data centre's cache, else the nearest D1
//! replica; what is known is served stale while D1 is away. The click is counted after the answer
//! (DESIGN.md, "Redirect"); no cookie is read or set.

use std::sync::Arc;

use crate::app::App;
use crate::domain::ids::{BrandId, DealId, LinkId};
use crate::domain::json::json;
use crate::domain::link::{Target, is_slug, location, parse_origin};
use crate::domain::time::{Day, Millis, Zone};
use crate::error::{Error, Result};
use crate::partners::goaffpro::is_ref_code;
use crate::storage::links::{self, Resolved};
use crate::storage::rows::from_json;
use crate::web::MAX_URI;
use crate::web::memory::{Memory, Remembered};

/// More query parameters than this are no shopper's.
const MAX_PARAMETERS: usize = 100;
/// So many links are asked again in one call.
const MAX_REFRESHED: usize = 500;
/// How long the data centre's cache keeps a link, in seconds.
const CACHE_SECONDS: u32 = 30;

/// Where a link leads, ready to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Whose link.
    pub brand: BrandId,
    /// Which link.
    pub link: LinkId,
    /// Whose deal.
    pub deal: DealId,
    /// The slug as typed: `ref`.
    pub slug: String,
    /// `https://shop.example`
    pub storefront: String,
    /// Where on it.
    pub target: String,
    /// The parameter and the ref code by which another affiliate programme there knows whose visitor it is.
    pub affiliate: Option<(String, String)>,
    /// The link is closed: it leads to the home page and counts nothing.
    pub closed: bool,
    zone: Zone,
    /// The brand's day when this was read, and when it ends: days are looked up once a minute,
    /// not once a click.
    today: (Day, Millis),
}

impl Destination {
    /// A stored link, checked once more: what doesn't parse was put there by nobody's API and is
    /// not followed. `None` if not even the storefront can be trusted.
    fn check(resolved: Resolved, local: bool, now_ms: Millis) -> Option<Self> {
        let storefront = parse_origin(&resolved.storefront_url, local).ok()?;
        let target = Target::parse(&resolved.target).unwrap_or_else(|_| Target::home());
        let zone = Zone::named(&resolved.timezone).unwrap_or_else(Zone::utc);
        let today = zone.day(now_ms);
        Some(Self {
            brand: resolved.brand_id,
            link: resolved.id,
            deal: resolved.deal_id,
            slug: resolved.slug,
            storefront,
            target: target.as_str().to_owned(),
            // What isn't plain was put there by nobody's API.
            affiliate: resolved.affiliate.and_then(plain),
            closed: resolved.closed_at_ms.is_some(),
            today: (today, zone.start_of(today.plus(1))),
            zone,
        })
    }

    /// The brand's day at a moment.
    #[must_use]
    pub fn day(&self, now_ms: Millis) -> Day {
        let (today, ends_ms) = self.today;
        if now_ms < ends_ms && now_ms >= ends_ms - 23 * 3_600_000 {
            today
        } else {
            self.zone.day(now_ms)
        }
    }
}

/// A parameter and a ref code, if both may stand in an address.
fn plain(told: Vec<String>) -> Option<(String, String)> {
    let [name, code] = <[String; 2]>::try_from(told).ok()?;
    (is_slug(&name) && is_ref_code(&code)).then_some((name, code))
}

/// The answer to a visit of a link.
#[derive(Debug)]
pub enum Redirected {
    /// 302 to this address.
    To {
        /// Where to.
        location: String,
        /// What to count, if the visit is to be counted.
        counted: Option<Arc<Destination>>,
        /// Links were served stale: once this is answered, and a moment after, [`refresh`].
        refresh: bool,
    },
    /// Anything else.
    Refused(Box<Error>),
}

/// Answers a visit. `nonce` makes click ids of one millisecond differ.
pub async fn redirect(app: &App, host: &str, slug: &str, query: &str, nonce: u64) -> Redirected {
    if let Some(known) = redirect_known(app, host, slug, query, nonce) {
        return known;
    }
    let key = Memory::link_key(host, &slug.to_ascii_lowercase());
    let now_ms = app.now_ms();
    let remembered = app.memory.link(&key, now_ms);
    let looked_up = look_up(app, &key, now_ms).await;
    let found = match remembered {
        Remembered::Unknown => looked_up,
        Remembered::Fresh(found) | Remembered::Stale(found) | Remembered::Old(found) => {
            looked_up.or(Ok(found))
        }
    };
    match found {
        Ok(found) => answer(app, found, query, now_ms, nonce, false),
        Err(error) => Redirected::Refused(error),
    }
}

/// Asks again for the links that were served stale: many that were read together turn stale
/// together, and one call of D1 brings them all.
pub async fn refresh(app: &App) {
    let keys = app.memory.take_stale();
    for some in keys.chunks(MAX_REFRESHED) {
        let found = match links::resolve_all(app.db(), some).await {
            Ok(found) => found,
            // The next visit after a few seconds asks again.
            Err(error) => {
                app.log.write(&json!({ "event": "links_unread", "detail": error.to_string() }));
                continue;
            }
        };
        let now_ms = app.now_ms();
        // They come in the order they were asked for; those that are no more are left out.
        let mut found = found.into_iter().peekable();
        for key in some {
            let resolved = found.next_if(|(found, _)| found == key).map(|(_, resolved)| resolved);
            remember(app, key, resolved, now_ms);
        }
    }
}

/// Answers a visit if nothing has to be asked for it: nearly always.
#[must_use]
pub fn redirect_known(
    app: &App,
    host: &str,
    slug: &str,
    query: &str,
    nonce: u64,
) -> Option<Redirected> {
    if let Err(error) = acceptable(slug, query) {
        return Some(Redirected::Refused(error));
    }
    let key = Memory::link_key(host, &slug.to_ascii_lowercase());
    let now_ms = app.now_ms();
    match app.memory.link(&key, now_ms) {
        Remembered::Fresh(found) => Some(answer(app, found, query, now_ms, nonce, false)),
        // No shopper waits for what is known: it is asked again after the answer.
        Remembered::Stale(Some(found)) => {
            let refresh = app.memory.note_stale(&key, now_ms);
            Some(answer(app, Some(found), query, now_ms, nonce, refresh))
        }
        Remembered::Stale(None) | Remembered::Old(_) | Remembered::Unknown => None,
    }
}

fn acceptable(slug: &str, query: &str) -> Result<()> {
    if slug.len() + query.len() > MAX_URI {
        return Err(Error::UriTooLong.into());
    }
    if !is_slug(slug) {
        return Err(Error::NotFound.into());
    }
    if query.split('&').count() > MAX_PARAMETERS {
        return Err(Error::Malformed("too many query parameters".to_owned()).into());
    }
    Ok(())
}

fn answer(
    app: &App,
    found: Option<Arc<Destination>>,
    query: &str,
    now_ms: Millis,
    nonce: u64,
    refresh: bool,
) -> Redirected {
    let Some(d) = found else { return Redirected::Refused(Error::NotFound.into()) };
    if d.closed {
        return Redirected::To { location: format!("{}/", d.storefront), counted: None, refresh };
    }
    let click_id = app.config.click_keys.sign(d.link, now_ms, nonce);
    let affiliate = d.affiliate.as_ref().map(|(name, code)| (name.as_str(), code.as_str()));
    let location = location(&d.storefront, &d.target, (&d.slug, affiliate), &click_id, query);
    Redirected::To { location, counted: Some(d), refresh }
}

/// Asks the data centre's cache, then D1, and remembers what they said.
async fn look_up(app: &App, key: &str, now_ms: Millis) -> Result<Option<Arc<Destination>>> {
    let cached = app.cache.get(key).await;
    let cached = cached.and_then(|text| from_json::<Option<Resolved>>(&text));
    let resolved = match cached {
        Some(resolved) => resolved,
        None => {
            let (host, slug_key) = key.split_once('/').unwrap_or(("", key));
            let resolved = links::resolve(app.db(), host, slug_key).await.map_err(|error| {
                app.log.write(&json!({ "event": "link_unread", "detail": error.to_string() }));
                Error::Unavailable("the link can't be looked up just now")
            })?;
            app.cache
                .put(key, serde_json::to_string(&resolved).unwrap_or_default(), CACHE_SECONDS)
                .await;
            resolved
        }
    };
    Ok(remember(app, key, resolved, now_ms))
}

/// Checks what is stored of a link and remembers it.
fn remember(
    app: &App,
    key: &str,
    resolved: Option<Resolved>,
    now_ms: Millis,
) -> Option<Arc<Destination>> {
    let destination = resolved.and_then(|resolved| {
        let link = resolved.id;
        let (target, local) = (resolved.target.clone(), app.config.local);
        let checked = Destination::check(resolved, local, now_ms);
        if checked.as_ref().is_none_or(|d| d.target != target) {
            app.log.write(&json!({ "event": "stored_link_untrusted", "link": link }));
        }
        checked.map(Arc::new)
    });
    app.memory.remember_link(key.to_owned(), destination.clone(), now_ms);
    destination
}

/// Forgets a link that was made or changed, here and in the data centre's cache.
pub async fn forget(app: &App, host: &str, slug: &str) {
    let key = Memory::link_key(host, &slug.to_ascii_lowercase());
    app.memory.forget_link(&key);
    app.cache.forget(&key).await;
}
