//! The whole product natively: the same router, SQL and decisions over SQLite, with doubles of
//! the ports that can be told to fail.
#![allow(dead_code, reason = "every test binary uses a part of this")]

pub mod cloudflare;
pub mod graphql_order;
pub mod loopback;
pub mod paypal;
pub mod people;
pub mod ports;
pub mod programme;
pub mod shop;
pub mod shopify;
pub mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use http::Request;
use serde_json::{Value, json};
use tributary::app::{App, Config, Platforms, Ports};
use tributary::domain::click::{ClickKeys, RawVisit, SHARDS, WaitingClick, batches, object_name};
use tributary::domain::limit::network;
use tributary::domain::secret::{KeyRing, RootKey, Roots};
use tributary::jobs::paypal::{ORIGIN, Paypal};
use tributary::web::memory::Memory;
use tributary::web::redirect::{Redirected, redirect};

pub use ports::*;
pub use programme::*;
use sqlite::Sqlite;

/// The time at which every test begins: 2026-11-22T08:00:00Z.
pub const NOW_MS: i64 = 1_795_334_400_000;
/// A phone's user agent: a shopper's.
pub const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

/// The product with handles to everything around it.
pub struct Product {
    pub app: App,
    pub db: Sqlite,
    pub clock: TestClock,
    pub queue: TestQueue,
    pub web: TestWeb,
    pub counters: TestCounters,
    pub cache: TestCache,
    pub log: TestLog,
    pub mailer: TestMailer,
    pub limits: TestLimits,
    pub throttle: TestThrottle,
}

pub const OPERATOR: &str = "operator-token";

/// A ring of one, which the hashes come from too.
pub const KEYS: (&str, Option<&str>) = ("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", None);

impl Product {
    pub fn new() -> Self {
        Self::over(Sqlite::new(), true)
    }

    pub fn over(db: Sqlite, local: bool) -> Self {
        Self::with_keys(db, local, KEYS)
    }

    /// A deployment that reaches a small shop.
    pub fn with_shop() -> (Self, shopify::SmallShop) {
        let shop = shopify::SmallShop::default();
        let web = TestWeb(
            Arc::default(),
            paypal::Double::default(),
            Scripts::default(),
            Some(shop.clone()),
        );
        (Self::with_web(Sqlite::new(), false, KEYS, web), shop)
    }

    /// As after a restart with other `DATA_KEY` and `HASH_KEY`, over the same database.
    pub fn with_keys(db: Sqlite, local: bool, keys: (&str, Option<&str>)) -> Self {
        Self::with_web(db, local, keys, TestWeb::default())
    }

    fn with_web(db: Sqlite, local: bool, (data, hash): (&str, Option<&str>), web: TestWeb) -> Self {
        let clock = TestClock(Arc::new(AtomicI64::new(NOW_MS)));
        let (queue, cache, log) = (TestQueue::default(), TestCache::default(), TestLog::default());
        let counters = TestCounters::new();
        let (mailer, throttle) = (TestMailer::default(), TestThrottle::default());
        let (windows, away) = (Arc::default(), Arc::default());
        let limits = TestLimits { clock: clock.clone(), windows, away };
        let app = App::new(Ports {
            config: Arc::new(Config {
                public_origin: "https://app.tributary.test".to_owned(),
                reply_domain: Some("replies.tributary.test".to_owned()),
                operator_token: OPERATOR.to_owned(),
                click_keys: ClickKeys::new(&[9; 32]),
                data_key: KeyRing::new(
                    Roots::parse(data).unwrap(),
                    hash.map(|text| RootKey::from_base64(text).unwrap()),
                )
                .unwrap(),
                local,
                link_target: None,
                platforms: Platforms::default(),
                canary: None,
            }),
            memory: Arc::new(Memory::default()),
            db: Arc::new(db.clone()),
            clock: Arc::new(clock.clone()),
            random: Arc::new(Counting(AtomicU64::new(1))),
            queue: Arc::new(queue.clone()),
            http: Arc::new(web.clone()),
            provider: Arc::new(Paypal::new(Arc::new(web.clone()), ORIGIN.to_owned())),
            hostnames: None,
            signatures: Arc::new(P256),
            clicks: Arc::new(counters.clone()),
            cache: Arc::new(cache.clone()),
            assets: Arc::new(BuiltAssets),
            log: Arc::new(log.clone()),
            mailer: Arc::new(mailer.clone()),
            limits: Arc::new(limits.clone()),
            throttle: Arc::new(throttle.clone()),
        });
        Self { app, db, clock, queue, web, counters, cache, log, mailer, limits, throttle }
    }

    pub fn set_now(&self, now_ms: i64) {
        self.clock.0.store(now_ms, Ordering::SeqCst);
    }

    pub fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sends a request to the API as it would come in.
    pub async fn raw(&self, request: Request<Vec<u8>>) -> Answer {
        let (parts, body) = request.into_parts();
        let uri = parts.uri.to_string();
        let headers = parts.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap()));
        let id = tributary::web::request_id(&self.app);
        let told = |name: &str| parts.headers.get(name).map_or("", |v| v.to_str().unwrap());
        let network = network(told("cf-connecting-ip"));
        let request = tributary::web::message::Request {
            id: &id,
            method: parts.method.as_str(),
            uri: &uri,
            headers: headers.collect(),
            too_large: body.len() > tributary::web::most_of(told("content-type")),
            body: &body,
            network: &network,
            user_agent: told("user-agent"),
        };
        let mut response = tributary::web::serve_api(&self.app, request).await;
        if let Some(work) = response.after.take() {
            work.await;
        }
        let mut headers = http::HeaderMap::new();
        for (name, value) in &response.headers {
            let again = headers.append(*name, value.parse().unwrap());
            assert!(!again || *name == "set-cookie", "{name} twice");
        }
        let mut body = response.body;
        if let Some(mut stream) = response.stream {
            // What breaks off is as it is on the wire.
            while let Ok(Some(chunk)) = stream.next().await {
                body.extend(chunk);
            }
        }
        let text = String::from_utf8(body).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: response.status.as_u16(), headers, json, text }
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>, token: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                json.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        self.raw(request.body(body).unwrap()).await
    }

    /// Follows a link as a shopper would; the click is counted at once.
    pub async fn visit(
        &self,
        host: &str,
        slug: &str,
        query: &str,
        agent: &str,
    ) -> Result<String, u16> {
        static NONCE: AtomicU64 = AtomicU64::new(1);
        let nonce = NONCE.fetch_add(1, Ordering::SeqCst);
        match redirect(&self.app, host, slug, query, nonce).await {
            Redirected::To { location, counted, refresh: stale } => {
                if stale {
                    tributary::web::redirect::refresh(&self.app).await;
                }
                if let Some(destination) = counted {
                    let at_ms = self.app.now_ms();
                    let click = WaitingClick {
                        brand: destination.brand,
                        deal: destination.deal,
                        link: destination.link,
                        at_ms,
                        day: destination.day(at_ms),
                        visit: RawVisit::new(false, false, "203.0.113.7".into(), agent.to_owned()),
                    };
                    for (shard, batch) in batches(vec![click], SHARDS) {
                        assert!(object_name(shard).starts_with("clicks-"));
                        let mut counters = self.counters.0.lock().unwrap();
                        counters[shard as usize].absorb(&batch, at_ms, [shard as u8; 32]).unwrap();
                    }
                }
                Ok(location)
            }
            Redirected::Refused(error) => Err(error.status().as_u16()),
        }
    }

    /// Delivers a signed body; tells the status.
    pub async fn deliver(&self, store: &str, secret: &str, body: &[u8]) -> u16 {
        let signature = shop::sign(secret, body);
        self.deliver_signed(store, Some(&signature), body).await
    }

    pub async fn deliver_signed(&self, store: &str, signature: Option<&str>, body: &[u8]) -> u16 {
        match tributary::web::webhooks::deliver(&self.app, store, signature, body).await {
            Ok(status) => status.as_u16(),
            Err(error) => error.status().as_u16(),
        }
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Answer {
    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json
    }
}

/// Runs all of these at once, each going on when its turn comes, as requests in an isolate do.
pub async fn at_once<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = all.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in running.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(output) = one.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if running.iter().all(|(_, done)| done.is_some()) {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}
