//! The application: its configuration and its ports to the world.
//!
//! Every way in (a request, a queue message, a cron trigger) gets an [`App`]. What lies behind the
//! ports differs: D1, Durable Objects and Queues in the worker; SQLite and doubles in the tests.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::domain::click::ClickKeys;
use crate::domain::ids::{Id, Kind, LinkId};
use crate::domain::secret::KeyRing;
use crate::domain::time::{Day, Millis};
use crate::storage::Database;
use crate::storage::click_counter::DayTotals;
use crate::web::memory::Memory;

/// A future that a port returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What an operator sets. It has secrets in it, so that it can't be printed: no `Debug`.
pub struct Config {
    /// `https://app.example`: all addresses in answers begin with it, never with a request's Host.
    pub public_origin: String,
    /// The operator's bearer token.
    pub operator_token: String,
    /// Signs click ids.
    pub click_keys: ClickKeys,
    /// Seal and hash what is stored.
    pub data_key: KeyRing,
    /// A laptop: loopback shops are allowed, link domains are taken as verified at once.
    pub local: bool,
    /// A fault that a known-bad build shows; always `None` in builds without the feature.
    pub canary: Option<Canary>,
}

/// Faults of known-bad builds: each is what a checker in `tests/` exists to catch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// Webhooks are acknowledged before they are committed.
    AckFirst,
    /// Orders are changed without the revision guard.
    NoGuard,
}

/// The time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> Millis;
}

/// Randomness fit for secrets.
pub trait Random: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The overflow queue: deliveries that D1 could not take now.
pub trait Queue: Send + Sync {
    /// Sends one message.
    ///
    /// # Errors
    /// What went wrong; the message was then not taken.
    fn send(&self, message: String) -> Pending<'_, Result<(), String>>;
}

/// Requests to other hosts.
pub trait HttpClient: Send + Sync {
    /// The body of `https://…` if the host answers 200 within a few seconds, at most 64 KiB.
    /// Redirects are not followed.
    ///
    /// # Errors
    /// What went wrong.
    fn get<'a>(&'a self, url: &'a str) -> Pending<'a, Result<String, String>>;
}

/// Live click totals, asked of the counter objects.
pub trait Clicks: Send + Sync {
    /// The totals of these links per day, both ends included, as the objects know them now.
    ///
    /// # Errors
    /// What went wrong; the stored totals still hold.
    fn totals<'a>(
        &'a self,
        links: &'a [LinkId],
        from: Day,
        to: Day,
    ) -> Pending<'a, Result<Vec<DayTotals>, String>>;
}

/// The data centre's cache in front of D1, for links.
pub trait EdgeCache: Send + Sync {
    /// What was put under this key within its time to live.
    fn get<'a>(&'a self, key: &'a str) -> Pending<'a, Option<String>>;
    /// Keeps a text for some seconds. Failing silently is fine: D1 is behind it.
    fn put<'a>(&'a self, key: &'a str, text: String, seconds: u32) -> Pending<'a, ()>;
    /// Forgets a key in this data centre.
    fn forget<'a>(&'a self, key: &'a str) -> Pending<'a, ()>;
}

/// Structured logs, one JSON object a line.
pub trait Log: Send + Sync {
    /// Writes one line.
    fn write(&self, line: &serde_json::Value);
}

/// The ports and the configuration.
#[derive(Clone)]
pub struct Ports {
    /// Settings and keys.
    pub config: Arc<Config>,
    /// What this isolate keeps in memory.
    pub memory: Arc<Memory>,
    /// D1 or SQLite.
    pub db: Arc<dyn Database>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The overflow queue.
    pub queue: Arc<dyn Queue>,
    /// Requests to other hosts.
    pub http: Arc<dyn HttpClient>,
    /// Live click totals.
    pub clicks: Arc<dyn Clicks>,
    /// The data centre's cache.
    pub cache: Arc<dyn EdgeCache>,
    /// Logs.
    pub log: Arc<dyn Log>,
}

/// A handle to the [`Ports`], cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Ports>);

impl std::ops::Deref for App {
    type Target = Ports;
    fn deref(&self) -> &Ports {
        &self.0
    }
}

impl App {
    /// An application over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self(Arc::new(ports))
    }

    /// The same application at another time: laptop builds load the past through it.
    #[cfg(feature = "local")]
    #[must_use]
    pub fn at(&self, now_ms: Millis) -> Self {
        struct Fixed(Millis);
        impl Clock for Fixed {
            fn now_ms(&self) -> Millis {
                self.0
            }
        }
        Self(Arc::new(Ports { clock: Arc::new(Fixed(now_ms)), ..(*self.0).clone() }))
    }

    /// The time.
    #[must_use]
    pub fn now_ms(&self) -> Millis {
        self.clock.now_ms()
    }

    /// Fresh random bytes.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// A new id.
    #[must_use]
    pub fn new_id<K: Kind>(&self) -> Id<K> {
        Id::new(self.now_ms(), self.random())
    }

    /// The database, as a plain reference.
    #[must_use]
    pub fn db(&self) -> &dyn Database {
        &*self.db
    }
}
