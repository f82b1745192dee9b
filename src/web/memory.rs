//! What an isolate keeps in memory: links, store secrets, what decides orders, and clicks on their
//! way.
//!
//! Plain data only, behind locks that are never held across an `await`.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::click::Waiting;
use crate::domain::ids::{BrandId, OrderId, StoreId};
use crate::domain::ingest::Loaded;
use crate::domain::sorted::Sorted;
use crate::domain::time::Millis;
use crate::storage::order_facts;
use crate::web::redirect::Destination;

/// How long a link is served without asking again. The data centre's cache may have been as old:
/// together a change is seen everywhere within a minute.
pub const LINK_FRESH_MS: Millis = 30_000;
/// A stale link that is being refreshed counts as fresh for so long.
const REFRESH_MS: Millis = 5_000;
/// A link that wasn't asked for longer than this is asked for before it is served.
pub const LINK_STALE_MS: Millis = 60_000;
/// How long store secrets are used without asking again.
pub const SECRETS_FRESH_MS: Millis = 60_000;
/// That deliveries of a store are verified is stored at most so often.
const SEEN_MS: Millis = 3_600_000;
/// At most so many links, known and unknown, in one isolate.
const MAX_LINKS: usize = 50_000;
/// At most so many stores.
const MAX_STORES: usize = 10_000;
/// At most so many brands whose facts are remembered, so many facts in all, and orders seen.
const MAX_BRANDS: usize = 200;
const MAX_FACTS: usize = 40_000;
const MAX_SEEN: usize = 40_000;
/// At most so many tokens that were somebody's.
const MAX_TOKENS: usize = 5_000;
/// How long the answer about the state of the jobs is given again.
pub const STATUS_FRESH_MS: Millis = 5_000;

/// An isolate's memory.
#[derive(Default)]
pub struct Memory {
    links: Mutex<Aging<String, Option<Arc<Destination>>>>,
    /// Stale links to be asked again, and since when somebody is about to.
    noted: Mutex<(Sorted<String, ()>, Millis)>,
    secrets: Mutex<Aging<StoreId, Option<Arc<StoreSecrets>>>>,
    facts: Mutex<HashMap<BrandId, order_facts::Remembered>>,
    seen: Mutex<HashSet<OrderId>>,
    waiting: Mutex<Waiting>,
    tokens: Mutex<Sorted<String, ()>>,
    status: Mutex<Option<(String, Millis)>>,
}

/// A store's opened secrets.
pub struct StoreSecrets {
    /// Whose store.
    pub brand: BrandId,
    /// Its secret.
    pub current: Vec<u8>,
    /// Those before it, and until when each is accepted.
    pub previous: Vec<(Vec<u8>, Millis)>,
    /// Its shop asked to be forgotten.
    pub closed: bool,
    /// Its shop removed the app.
    pub removed: bool,
    /// When a delivery was last verified, as far as is stored; nothing if the shop was never reached.
    pub seen_at_ms: Option<AtomicI64>,
    /// Whether its own server signs (`partners::signed`) instead of Shopify.
    pub custom: bool,
}

/// Something remembered, and whether it is still fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered<V> {
    /// As good as asked now.
    Fresh(V),
    /// To be asked again; good enough while nobody answers.
    Stale(V),
    /// The same, but older: to be asked before it is used.
    Old(V),
    /// Never asked.
    Unknown,
}

/// A bounded map that knows how old its values are.
struct Aging<K, V>(HashMap<K, (V, Millis)>);

impl<K, V> Default for Aging<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Aging<K, V> {
    fn put(&mut self, key: K, value: V, now_ms: Millis, max: usize) {
        if self.0.len() >= max && !self.0.contains_key(&key) {
            // The older half goes: rare, and cheaper than an order kept on every hit.
            let mut ages: Vec<Millis> = self.0.values().map(|(_, at)| *at).collect();
            let middle = ages.len() / 2;
            let (_, median, _) = ages.select_nth_unstable(middle);
            let median = *median;
            self.0.retain(|_, (_, at)| *at > median);
        }
        self.0.insert(key, (value, now_ms));
    }
}

impl StoreSecrets {
    /// Whether it is to be stored that a delivery was verified: once an hour for each isolate.
    #[must_use]
    pub fn is_seen_anew(&self, now_ms: Millis) -> bool {
        let Some(seen) = &self.seen_at_ms else { return false };
        seen.load(Ordering::Relaxed) < now_ms - SEEN_MS
            && seen.swap(now_ms, Ordering::Relaxed) < now_ms - SEEN_MS
    }

    /// The secrets that hold at a moment.
    #[must_use]
    pub fn live(&self, now_ms: Millis) -> Vec<&[u8]> {
        let previous = self.previous.iter().filter(|(_, until)| *until > now_ms);
        std::iter::once(self.current.as_slice())
            .chain(previous.map(|(secret, _)| secret.as_slice()))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// The key of a link in memory and in the data centre's cache.
    #[must_use]
    pub fn link_key(host: &str, slug_key: &str) -> String {
        let mut key = String::with_capacity(host.len() + slug_key.len() + 1);
        key.push_str(host);
        key.push('/');
        key.push_str(slug_key);
        key
    }

    /// What is remembered of a link; `None` in it means that the slug is known to be unknown.
    #[must_use]
    pub fn link(&self, key: &str, now_ms: Millis) -> Remembered<Option<Arc<Destination>>> {
        match lock(&self.links).0.get(key) {
            Some((link, at)) if now_ms - at < LINK_FRESH_MS => Remembered::Fresh(link.clone()),
            Some((link, at)) if now_ms - at < LINK_STALE_MS => Remembered::Stale(link.clone()),
            Some((link, _)) => Remembered::Old(link.clone()),
            None => Remembered::Unknown,
        }
    }

    /// Notes that a stale link is to be asked again; it counts as fresh for a moment. Whoever is
    /// told so has to ask for all that is noted.
    #[must_use]
    pub fn note_stale(&self, key: &str, now_ms: Millis) -> bool {
        if let Some((_, at)) = lock(&self.links).0.get_mut(key) {
            *at = now_ms - LINK_FRESH_MS + REFRESH_MS;
        }
        let mut noted = lock(&self.noted);
        let (keys, since_ms) = &mut *noted;
        // The one who was told before may have been stopped.
        let told = keys.is_empty() || now_ms - *since_ms >= REFRESH_MS;
        keys.insert(key.to_owned(), ());
        if told {
            *since_ms = now_ms;
        }
        told
    }

    /// The stale links noted so far, each once.
    #[must_use]
    pub fn take_stale(&self) -> Vec<String> {
        let keys = std::mem::take(&mut lock(&self.noted).0);
        keys.into_iter().map(|(key, ())| key).collect()
    }

    /// Remembers a link, or that there is none.
    pub fn remember_link(&self, key: String, link: Option<Arc<Destination>>, now_ms: Millis) {
        lock(&self.links).put(key, link, now_ms, MAX_LINKS);
    }

    /// Forgets a link that was changed.
    pub fn forget_link(&self, key: &str) {
        lock(&self.links).0.remove(key);
    }

    /// Forgets all links of a host.
    pub fn forget_host(&self, host: &str) {
        let prefix = format!("{host}/");
        lock(&self.links).0.retain(|key, _| !key.starts_with(&prefix));
    }

    /// What is remembered of a store's secrets, and since when.
    #[must_use]
    pub fn secrets(
        &self,
        store: StoreId,
        now_ms: Millis,
    ) -> (Remembered<Option<Arc<StoreSecrets>>>, Millis) {
        match lock(&self.secrets).0.get(&store) {
            Some((secrets, at)) if now_ms - at < SECRETS_FRESH_MS => {
                (Remembered::Fresh(secrets.clone()), *at)
            }
            Some((secrets, at)) => (Remembered::Stale(secrets.clone()), *at),
            None => (Remembered::Unknown, 0),
        }
    }

    /// Remembers a store's secrets, or that there is no such store.
    pub fn remember_secrets(
        &self,
        store: StoreId,
        secrets: Option<Arc<StoreSecrets>>,
        now_ms: Millis,
    ) {
        lock(&self.secrets).put(store, secrets, now_ms, MAX_STORES);
    }

    /// Forgets a store whose secret was changed.
    pub fn forget_secrets(&self, store: StoreId) {
        lock(&self.secrets).0.remove(&store);
    }

    /// What a decision about an order is made from that was never seen here, if all that it names
    /// is remembered. From now on the order counts as seen.
    #[must_use]
    pub fn facts_of_first(
        &self,
        brand: BrandId,
        order: OrderId,
        named: &order_facts::Named,
    ) -> Option<Loaded> {
        let mut seen = lock(&self.seen);
        if seen.len() >= MAX_SEEN {
            seen.clear();
        }
        let first = seen.insert(order);
        drop(seen);
        if first { lock(&self.facts).get(&brand)?.loaded(named) } else { None }
    }

    /// Remembers what a load found out. Never stale: the brand's version guards its use.
    pub fn remember_facts(&self, brand: BrandId, found: order_facts::Remembered) {
        let mut facts = lock(&self.facts);
        let all: usize = facts.values().map(order_facts::Remembered::len).sum();
        if facts.len() >= MAX_BRANDS || all + found.len() > MAX_FACTS {
            facts.clear();
        }
        match facts.entry(brand) {
            Entry::Occupied(mut known) => known.get_mut().add(found),
            Entry::Vacant(free) => _ = free.insert(found),
        }
    }

    /// Whether the token with this hash was somebody's when it was last looked up here.
    #[must_use]
    pub fn knows_token(&self, hash: &str) -> bool {
        lock(&self.tokens).get(hash).is_some()
    }

    /// Remembers that the token with this hash is somebody's.
    pub fn remember_token(&self, hash: String) {
        let mut tokens = lock(&self.tokens);
        if tokens.get(&hash).is_some() {
            return;
        }
        if tokens.values().count() >= MAX_TOKENS {
            *tokens = Sorted::default();
        }
        tokens.insert(hash, ());
    }

    /// What was answered about the state of the jobs a moment ago.
    #[must_use]
    pub fn status(&self, now_ms: Millis) -> Option<String> {
        let status = lock(&self.status);
        let fresh = status.as_ref().filter(|(_, at_ms)| now_ms - at_ms < STATUS_FRESH_MS);
        fresh.map(|(answer, _)| answer.clone())
    }

    /// Remembers what was answered about the state of the jobs; nothing once a job has run here.
    pub fn remember_status(&self, answer: Option<String>, now_ms: Millis) {
        *lock(&self.status) = answer.map(|answer| (answer, now_ms));
    }

    /// The clicks that wait to be counted.
    pub fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_for_all_stale_links() {
        let memory = Memory::default();
        assert!(memory.note_stale("/a", 0));
        assert!(!memory.note_stale("/b", 1));
        assert!(memory.note_stale("/a", REFRESH_MS), "the first was stopped");
        assert_eq!(memory.take_stale(), ["/a", "/b"]);
        assert!(memory.note_stale("/a", REFRESH_MS + 1));
    }

    #[test]
    fn what_is_old_is_stale_and_the_oldest_half_goes_first() {
        let memory = Memory::default();
        assert_eq!(memory.link("/a", 0), Remembered::Unknown);
        memory.remember_link("/a".into(), None, 0);
        assert_eq!(memory.link("/a", LINK_FRESH_MS - 1), Remembered::Fresh(None));
        assert_eq!(memory.link("/a", LINK_FRESH_MS), Remembered::Stale(None));
        memory.forget_link("/a");
        assert_eq!(memory.link("/a", 0), Remembered::Unknown);

        let mut aging = Aging::<u32, u32>::default();
        for n in 0..100 {
            aging.put(n, n, i64::from(n), 100);
        }
        aging.put(100, 100, 100, 100);
        assert!(aging.0.len() <= 51 && aging.0.contains_key(&99) && aging.0.contains_key(&100));
    }
}
