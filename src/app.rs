//! The application: its configuration and its ports to the world.
//!
//! Every way in (a request, a queue message, a cron trigger) gets an [`App`]. What lies behind the
//! ports differs: D1, Durable Objects and Queues in the worker; SQLite and doubles in the tests.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::click::ClickKeys;
use crate::domain::ids::{BrandId, Id, Kind, LinkId, MailId, StoreId};
use crate::domain::letter::Envelope;
use crate::domain::money::Currency;
use crate::domain::secret::KeyRing;
use crate::domain::sending::Told;
use crate::domain::time::{Day, Millis};
use crate::partners::cloudflare::Told as Hostname;
use crate::storage::Database;
use crate::storage::click_counter::DayTotals;
use crate::storage::counting::Counting;
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
    /// Where link domains have to lead to, by a CNAME record; `None`: the product's own host.
    pub link_target: Option<String>,
    /// Where the platforms of stores are.
    pub platforms: Platforms,
    /// The domain whose mails come here, so that replies to messages do; `None`: they go to the sender.
    pub reply_domain: Option<String>,
    /// A fault that a known-bad build shows; always `None` in builds without the feature.
    pub canary: Option<Canary>,
}

/// Where calls to the platforms of stores go.
#[derive(Clone, Default)]
pub struct Platforms {
    /// One origin for all Shopify shops, of a local run; a deployment asks each shop itself.
    pub shopify: Option<String>,
    /// One origin instead of GoAffPro's, of a local run.
    pub goaffpro: Option<String>,
}

impl Platforms {
    /// What the operator told. A deployment must not be talked into asking another place.
    ///
    /// # Errors
    /// What is wrong.
    pub fn told(
        local: bool,
        shopify: Option<String>,
        goaffpro: Option<String>,
    ) -> Result<Self, String> {
        for (name, told) in [("SHOPIFY_ORIGIN", &shopify), ("GOAFFPRO_ORIGIN", &goaffpro)] {
            if !local && told.is_some() {
                return Err(format!("{name} is for local runs only"));
            }
        }
        Ok(Self { shopify, goaffpro })
    }
}

/// Faults of known-bad builds: each is what a checker in `tests/` exists to catch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// Webhooks are acknowledged before they are committed.
    AckFirst,
    /// Orders are changed without the revision guard.
    NoGuard,
    /// Attempts aren't counted.
    NoLimits,
    /// Mails are sent before the answer, which so tells by its time whether there was one.
    TellsKnown,
    /// Links, invitations, challenges and recovery codes aren't spent.
    Unspent,
}

/// The time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> Millis;

    /// Lets so many milliseconds pass, for what asks us to be slower.
    fn pause(&self, ms: u32) -> Pending<'_, ()>;
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

    /// Sends a request and tells the answer, whatever it is. 20 seconds; redirects are not followed.
    ///
    /// # Errors
    /// There was no answer, none whole, or one beyond the limit: the request may have been done
    /// nevertheless.
    fn send<'a>(&'a self, request: WebRequest<'a>) -> Pending<'a, Result<WebAnswer, String>>;
}

/// A request to another host. It may hold secrets, so that it can't be printed: no `Debug`.
pub struct WebRequest<'a> {
    /// `POST`
    pub method: &'static str,
    /// `https://…`
    pub url: String,
    /// Names in small letters, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, if there is one.
    pub body: Option<&'a str>,
    /// How many bytes the answer may have; 0: its body isn't looked at, and it has 15 seconds.
    pub limit: usize,
}

/// What another host answered. It may hold secrets: no `Debug`.
pub struct WebAnswer {
    /// `200`
    pub status: u16,
    /// `Retry-After` as it came, '' without one.
    pub retry_after: String,
    /// The body as text.
    pub body: String,
}

/// A payment as a provider is asked to make it. No `Debug`: it tells where somebody is paid.
pub struct Payment<'a> {
    /// Its name, for ever: whatever has this name is this payment.
    pub reference: &'a str,
    /// Where to.
    pub receiver: &'a str,
    /// How much, as the provider writes it.
    pub amount: &'a str,
    /// In which currency.
    pub currency: Currency,
}

/// A service that pays creators for brands.
pub trait PayoutProvider: Send + Sync {
    /// Signs in: what opens the calls below, for a while.
    ///
    /// # Errors
    /// Why not, in words that tell no secret. Nothing was paid.
    fn sign_in<'a>(
        &'a self,
        client_id: &'a str,
        secret: &'a str,
    ) -> Pending<'a, Result<String, String>>;

    /// Asks for a payment. The same payment asked for again is the same payment.
    fn pay<'a>(&'a self, token: &'a str, payment: Payment<'a>) -> Pending<'a, Told>;

    /// Asks what became of a payment, by the provider's name of it and ours.
    fn ask<'a>(&'a self, token: &'a str, batch: &'a str, reference: &'a str) -> Pending<'a, Told>;
}

/// Custom hostnames: hosts of brands for which somebody else makes certificates, and leads them here.
pub trait Hostnames: Send + Sync {
    /// Looks for a host's.
    fn find<'a>(&'a self, host: &'a str) -> Pending<'a, Hostname>;

    /// Asks for one.
    fn create<'a>(&'a self, host: &'a str) -> Pending<'a, Hostname>;

    /// Asks what became of one.
    fn show<'a>(&'a self, id: &'a str) -> Pending<'a, Hostname>;

    /// Tries one again that failed.
    fn again<'a>(&'a self, id: &'a str) -> Pending<'a, Hostname>;

    /// Gives one up; `Missing` when it is gone.
    fn remove<'a>(&'a self, id: &'a str) -> Pending<'a, Hostname>;
}

/// Signatures by P-256 with SHA-256 (ES256), which every runtime can check.
pub trait Signatures: Send + Sync {
    /// Whether x and y are a key: a point on the curve.
    fn is_key<'a>(&'a self, key: &'a [u8]) -> Pending<'a, bool>;

    /// Whether `signature` (r and s) of `message` was made with the key (x and y).
    fn es256<'a>(
        &'a self,
        key: &'a [u8],
        message: &'a [u8],
        signature: &'a [u8; 64],
    ) -> Pending<'a, bool>;
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

/// The files that are deployed beside the worker: styles, scripts, texts.
pub trait Assets: Send + Sync {
    /// The file at this path, whole. Names come from the build, never from a request.
    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Option<Vec<u8>>>;
}

/// Structured logs, one JSON object a line.
pub trait Log: Send + Sync {
    /// Writes one line.
    fn write(&self, line: &str);
}

/// A mail as it goes out: to one recipient.
pub struct Outgoing {
    /// The one address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For readers without HTML, and for those who prefer it.
    pub text: String,
    /// The same, laid out.
    pub html: String,
    /// What comes with it.
    pub envelope: Envelope,
}

/// Why a mail is not known to be on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSent {
    /// There is no mail service here.
    NoService,
    /// It was surely not taken, and may be later. In words for people.
    Later(String),
    /// It was surely not taken, and never will be.
    Refused(String),
    /// Nobody can tell.
    Unknown(String),
}

impl NotSent {
    /// What an error of the mail service (its code and its message) means.
    #[must_use]
    pub fn from_service(told: &str) -> Self {
        let code = told.split(' ').next().unwrap_or_default();
        let (later, words) = match code {
            "NO_SERVICE" => return Self::NoService,
            "E_RATE_LIMIT_EXCEEDED" => (true, "the mail service asks to send more slowly"),
            "E_DAILY_LIMIT_EXCEEDED" => (true, "the mail service's daily limit is reached"),
            "E_RECIPIENT_SUPPRESSED" => {
                (false, "bounced: this address refused mails before, so nothing is sent to it")
            }
            "E_RECIPIENT_NOT_ALLOWED" => (false, "the mail service may not send to this address"),
            "E_SENDER_NOT_VERIFIED" | "E_SENDER_DOMAIN_NOT_AVAILABLE" => {
                (false, "the sender's domain is not set up with the mail service")
            }
            "E_VALIDATION_ERROR"
            | "E_FIELD_MISSING"
            | "E_TOO_MANY_RECIPIENTS"
            | "E_CONTENT_TOO_LARGE" => (false, "the mail service refused the mail's form"),
            _ => return Self::Unknown("the mail service gave no clear answer".to_owned()),
        };
        if later { Self::Later(words.to_owned()) } else { Self::Refused(words.to_owned()) }
    }
}

/// Hands mails to the mail service.
pub trait Mailer: Send + Sync {
    /// Hands one over; answers the service's name for it, by which it tells later what became of it.
    ///
    /// # Errors
    /// What is known of it if it isn't known to be on its way.
    fn send<'a>(&'a self, mail: &'a Outgoing) -> Pending<'a, Result<String, NotSent>>;
}

/// Exact counts of attempts, whichever data centre they come to.
pub trait Limits: Send + Sync {
    /// Counts one attempt of `subject`, of which `limit` are allowed in the period that begins with
    /// the first: `None`, or how long to wait if it isn't allowed and wasn't counted.
    ///
    /// # Errors
    /// What went wrong; whoever asks should then not go on.
    fn take<'a>(
        &'a self,
        subject: &'a str,
        limit: u32,
        period_ms: Millis,
    ) -> Pending<'a, Result<Option<Millis>, String>>;
}

/// Roughly how much one caller may ask of the API, per data centre.
pub trait Throttle: Send + Sync {
    /// Counts a request of this caller; tells whether it may go on.
    fn allow<'a>(&'a self, key: &'a str) -> Pending<'a, bool>;
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
    /// The service that pays creators.
    pub provider: Arc<dyn PayoutProvider>,
    /// Who makes certificates for link domains; `None` where the operator adds them by hand.
    pub hostnames: Option<Arc<dyn Hostnames>>,
    /// Signatures of passkeys.
    pub signatures: Arc<dyn Signatures>,
    /// Live click totals.
    pub clicks: Arc<dyn Clicks>,
    /// The data centre's cache.
    pub cache: Arc<dyn EdgeCache>,
    /// Static files.
    pub assets: Arc<dyn Assets>,
    /// Logs.
    pub log: Arc<dyn Log>,
    /// The mail service.
    pub mailer: Arc<dyn Mailer>,
    /// Exact counts of attempts.
    pub limits: Arc<dyn Limits>,
    /// Roughly how much a caller may ask.
    pub throttle: Arc<dyn Throttle>,
}

/// A handle to the [`Ports`], cheap to clone.
#[derive(Clone)]
pub struct App {
    ports: Arc<Ports>,
    /// What commands through this handle left to do: whoever answers does it afterwards.
    left: Arc<Mutex<Left>>,
}

/// What is done after an answer.
#[derive(Default)]
struct Left {
    mails: Vec<MailName>,
    stores: Vec<(BrandId, StoreId)>,
    hooks: Vec<BrandId>,
    bulk: bool,
}

/// What names a mail: whose it is (nobody's but the recipient's, without a brand) and its id.
pub type MailName = (Option<BrandId>, MailId);

impl std::ops::Deref for App {
    type Target = Ports;
    fn deref(&self) -> &Ports {
        &self.ports
    }
}

impl App {
    /// An application over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { ports: Arc::new(ports), left: Arc::default() }
    }

    /// The same application, for one request: it learns of its own mails only.
    #[must_use]
    pub fn for_request(&self) -> Self {
        Self { ports: self.ports.clone(), left: Arc::default() }
    }

    /// The same application, which counts the statements that it has D1 run from here on.
    #[must_use]
    pub fn counting(&self) -> (Self, Arc<AtomicU32>) {
        let count = Arc::new(AtomicU32::new(0));
        let db = Counting { inner: self.db.clone(), count: count.clone() };
        let ports = Ports { db: Arc::new(db), ..(*self.ports).clone() };
        (Self { ports: Arc::new(ports), left: self.left.clone() }, count)
    }

    /// Notes that a mail was composed, so that it is sent after the answer.
    pub fn note_mail(&self, name: MailName) {
        self.left().mails.push(name);
    }

    /// Notes that there is a task for a store, so that it is begun after the answer.
    pub fn note_work(&self, brand: BrandId, store: StoreId) {
        let mut left = self.left();
        if !left.stores.contains(&(brand, store)) {
            left.stores.push((brand, store));
        }
    }

    /// Notes that something of a brand may have changed that it has told, so that this begins after the
    /// answer.
    pub fn note_hooks(&self, brand: BrandId) {
        let mut left = self.left();
        if !left.hooks.contains(&brand) {
            left.hooks.push(brand);
        }
    }

    /// Notes that a bulk action has something to do, so that it begins after the answer.
    pub fn note_bulk(&self) {
        self.left().bulk = true;
    }

    /// Whether one was noted since it was last asked.
    #[must_use]
    pub fn noted_bulk(&self) -> bool {
        std::mem::take(&mut self.left().bulk)
    }

    /// The brands that were noted since it was last asked.
    #[must_use]
    pub fn noted_hooks(&self) -> Vec<BrandId> {
        std::mem::take(&mut self.left().hooks)
    }

    /// The mails that were noted since it was last asked.
    #[must_use]
    pub fn noted_mails(&self) -> Vec<MailName> {
        std::mem::take(&mut self.left().mails)
    }

    /// The stores that were noted since it was last asked.
    #[must_use]
    pub fn noted_work(&self) -> Vec<(BrandId, StoreId)> {
        std::mem::take(&mut self.left().stores)
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
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
            fn pause(&self, _: u32) -> Pending<'_, ()> {
                Box::pin(async {})
            }
        }
        Self::new(Ports { clock: Arc::new(Fixed(now_ms)), ..(*self.ports).clone() })
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
