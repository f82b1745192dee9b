//! The whole product natively: the same router, SQL and decisions over SQLite, with doubles of
//! the ports that can be told to fail.
#![allow(dead_code, reason = "every test binary uses a part of this")]

pub mod cloudflare;
pub mod graphql_order;
pub mod loopback;
pub mod paypal;
pub mod people;
pub mod shop;
pub mod shopify;
pub mod sqlite;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::Request;
use serde_json::{Value, json};
use tributary::app::{
    App, Assets, Clicks, Clock, Config, EdgeCache, HttpClient, Limits, Log, Mailer, NotSent,
    Outgoing, Pending, Platforms, Ports, Queue, Random, Signatures, Throttle, WebAnswer,
    WebRequest,
};
use tributary::domain::click::{
    ClickKeys, RawVisit, SHARDS, WaitingClick, batches, object_name, shard_of,
};
use tributary::domain::ids::LinkId;
use tributary::domain::limit::{Window, network};
use tributary::domain::secret::{KeyRing, RootKey, Roots};
use tributary::domain::time::Day;
use tributary::jobs::paypal::{ORIGIN, Paypal};
use tributary::storage::click_counter::{Counter, DayTotals};
use tributary::web::memory::Memory;
use tributary::web::redirect::{Redirected, redirect};

use sqlite::{ObjectSql, Sqlite};

/// The time at which every test begins: 2026-11-22T08:00:00Z.
pub const NOW_MS: i64 = 1_795_334_400_000;
/// A phone's user agent: a shopper's.
pub const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

#[derive(Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Time passes without anybody waiting, but others have their turn.
    fn pause(&self, ms: u32) -> Pending<'_, ()> {
        self.0.fetch_add(i64::from(ms), Ordering::SeqCst);
        Box::pin(turn())
    }
}

/// A body as it is sent, with its type: JSON, or a text as a file.
pub fn sent(body: Option<Value>) -> (&'static str, Vec<u8>) {
    match body {
        None => ("", Vec::new()),
        Some(Value::String(file)) => ("text/csv", file.into_bytes()),
        Some(body) => ("application/json", body.to_string().into_bytes()),
    }
}

/// Lets others have their turn.
pub async fn turn() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Counts up: reproducible, and never the same twice.
struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let n = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            let mixed = (n ^ (n >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes();
            chunk.copy_from_slice(&mixed[..chunk.len()]);
        }
    }
}

/// A queue that keeps its messages, or refuses them.
#[derive(Clone, Default)]
pub struct TestQueue {
    pub messages: Arc<Mutex<Vec<String>>>,
    pub away: Arc<Mutex<bool>>,
}

impl Queue for TestQueue {
    fn send(&self, message: String) -> Pending<'_, Result<(), String>> {
        let sent = if *self.away.lock().unwrap() {
            Err("queue away".to_owned())
        } else {
            self.messages.lock().unwrap().push(message);
            Ok(())
        };
        Box::pin(async move { sent })
    }
}

/// Other hosts: what each address answers; PayPal; and what platforms are told to answer, in turn.
#[derive(Clone, Default)]
pub struct TestWeb(
    pub Arc<Mutex<HashMap<String, String>>>,
    pub paypal::Double,
    Scripts,
    pub Option<shopify::SmallShop>,
);

/// What an address answers next, and the bodies that it was asked with.
type Script = (Vec<Result<WebAnswer, String>>, Vec<String>);

#[derive(Clone, Default)]
struct Scripts(Arc<Mutex<HashMap<String, Script>>>, Arc<Mutex<Option<Answering>>>);

/// Answers a request by its address and body; what it doesn't know is somebody else's.
pub type Answering = Box<dyn FnMut(&WebRequest<'_>) -> Option<Result<WebAnswer, String>> + Send>;

impl TestWeb {
    /// What this address answers next, one answer after the other; without one it breaks off.
    pub fn script(&self, url: &str, answers: Vec<Result<WebAnswer, String>>) {
        self.2.0.lock().unwrap().entry(url.to_owned()).or_default().0.extend(answers);
    }

    /// Who answers before anybody else is asked.
    pub fn answer_by(&self, answering: Answering) {
        *self.2.1.lock().unwrap() = Some(answering);
    }

    /// The bodies that this address was asked with.
    pub fn asked(&self, url: &str) -> Vec<String> {
        self.2.0.lock().unwrap().get(url).map(|(_, asked)| asked.clone()).unwrap_or_default()
    }
}

impl HttpClient for TestWeb {
    fn get<'a>(&'a self, url: &'a str) -> Pending<'a, Result<String, String>> {
        let found = self.0.lock().unwrap().get(url).cloned().ok_or("no such host".to_owned());
        Box::pin(async move { found })
    }

    fn send<'a>(&'a self, request: WebRequest<'a>) -> Pending<'a, Result<WebAnswer, String>> {
        if request.url.starts_with("http://") {
            return Box::pin(async move { loopback::send(&request) });
        }
        if let Some(answering) = self.2.1.lock().unwrap().as_mut()
            && let Some(answer) = answering(&request)
        {
            return Box::pin(async move { answer });
        }
        let mut scripted = None;
        if let Some((answers, asked)) = self.2.0.lock().unwrap().get_mut(&request.url) {
            asked.push(request.body.unwrap_or_default().to_owned());
            scripted = Some((!answers.is_empty()).then(|| answers.remove(0)));
        }
        let own = request.url.starts_with(shopify::ORIGIN) && !matches!(scripted, Some(Some(_)));
        if let Some(shop) = self.3.as_ref().filter(|_| own) {
            let answer = shop.answer(&request);
            return Box::pin(async move {
                turn().await;
                answer
            });
        }
        if let Some(answer) = scripted {
            let answer = answer.unwrap_or_else(|| Err("reset".to_owned()));
            let most = request.limit;
            let cut = |answer: &WebAnswer| answer.body.len() <= most;
            let answer = answer.and_then(|a| if cut(&a) { Ok(a) } else { Err("too large".into()) });
            return Box::pin(async move { answer });
        }
        let answer = self.1.answer(&request);
        let answered = |(status, body)| WebAnswer { status, retry_after: String::new(), body };
        Box::pin(async move { answer.map(answered) })
    }
}

/// The counter objects, each with its own SQLite.
#[derive(Clone)]
pub struct TestCounters(Arc<Mutex<Vec<Counter<ObjectSql>>>>);

impl TestCounters {
    fn new() -> Self {
        let open = |shard| Counter::open(ObjectSql::new(), shard, None).unwrap();
        Self(Arc::new(Mutex::new((0..SHARDS).map(open).collect())))
    }
}

impl Clicks for TestCounters {
    fn totals<'a>(
        &'a self,
        links: &'a [LinkId],
        from: Day,
        to: Day,
    ) -> Pending<'a, Result<Vec<DayTotals>, String>> {
        let counters = self.0.lock().unwrap();
        let mut all = Vec::new();
        for link in links {
            let counter = &counters[shard_of(*link, SHARDS) as usize];
            all.extend(counter.totals(&[*link], from, to).unwrap());
        }
        Box::pin(async move { Ok(all) })
    }
}

/// A data centre's cache without a clock: entries stay until they are forgotten.
#[derive(Clone, Default)]
pub struct TestCache(pub Arc<Mutex<HashMap<String, String>>>);

impl EdgeCache for TestCache {
    fn get<'a>(&'a self, key: &'a str) -> Pending<'a, Option<String>> {
        let found = self.0.lock().unwrap().get(key).cloned();
        Box::pin(async move { found })
    }
    fn put<'a>(&'a self, key: &'a str, text: String, _: u32) -> Pending<'a, ()> {
        self.0.lock().unwrap().insert(key.to_owned(), text);
        Box::pin(async {})
    }
    fn forget<'a>(&'a self, key: &'a str) -> Pending<'a, ()> {
        self.0.lock().unwrap().remove(key);
        Box::pin(async {})
    }
}

/// The static assets as `build.rs` made them.
struct BuiltAssets;

impl Assets for BuiltAssets {
    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Option<Vec<u8>>> {
        let found = std::fs::read(format!("{}/assets{path}", env!("OUT_DIR"))).ok();
        Box::pin(async move { found })
    }
}

/// A mail service that keeps what it was given, or fails.
#[derive(Clone, Default)]
pub struct TestMailer {
    /// What it took, as `to`, `subject`, `text` and `html`.
    pub mails: Arc<Mutex<Vec<Value>>>,
    /// What it says instead, once for each, before it takes mails again.
    pub failing: Arc<Mutex<Vec<NotSent>>>,
}

impl TestMailer {
    /// The next mails fail like this.
    pub fn fail(&self, with: NotSent, times: usize) {
        *self.failing.lock().unwrap() = vec![with; times];
    }

    pub fn count(&self) -> usize {
        self.mails.lock().unwrap().len()
    }

    /// The last mail it took.
    #[track_caller]
    pub fn last(&self) -> Value {
        self.mails.lock().unwrap().last().expect("no mail was sent").clone()
    }
}

impl Mailer for TestMailer {
    fn send<'a>(&'a self, mail: &'a Outgoing) -> Pending<'a, Result<String, NotSent>> {
        let failed = self.failing.lock().unwrap().pop();
        // Of what nobody knows it may well have arrived.
        if !matches!(failed, Some(NotSent::NoService | NotSent::Later(_) | NotSent::Refused(_))) {
            let Outgoing { to, subject, text, html, envelope } = mail;
            let mut told = json!({ "to": to, "subject": subject, "text": text, "html": html });
            if !envelope.unsubscribe.is_empty() {
                told["sender"] = json!(envelope.sender);
                told["reply_to"] = json!(envelope.reply_to);
                told["unsubscribe"] = json!(envelope.unsubscribe);
            }
            self.mails.lock().unwrap().push(told);
        }
        let id = format!("service-{}", self.count());
        Box::pin(async move { failed.map_or(Ok(id), Err) })
    }
}

/// Attempts, counted by the decision that the objects use.
#[derive(Clone)]
pub struct TestLimits {
    clock: TestClock,
    windows: Arc<Mutex<HashMap<String, Window>>>,
    pub away: Arc<Mutex<bool>>,
}

impl Limits for TestLimits {
    fn take<'a>(
        &'a self,
        subject: &'a str,
        limit: u32,
        period_ms: i64,
    ) -> Pending<'a, Result<Option<i64>, String>> {
        let mut windows = self.windows.lock().unwrap();
        let taken = if *self.away.lock().unwrap() {
            Err("objects away".to_owned())
        } else {
            let running = windows.get(subject).copied();
            Ok(match Window::take(running, limit, period_ms, self.clock.now_ms()) {
                Ok(window) => {
                    windows.insert(subject.to_owned(), window);
                    None
                }
                Err(wait_ms) => Some(wait_ms),
            })
        };
        Box::pin(async move { taken })
    }
}

/// A rate limiter: how many requests each caller may still make, none counted until a test sets it.
#[derive(Clone, Default)]
pub struct TestThrottle {
    pub most: Arc<Mutex<Option<u32>>>,
    pub seen: Arc<Mutex<HashMap<String, u32>>>,
}

impl Throttle for TestThrottle {
    fn allow<'a>(&'a self, key: &'a str) -> Pending<'a, bool> {
        let mut seen = self.seen.lock().unwrap();
        let seen = seen.entry(key.to_owned()).or_default();
        *seen += 1;
        let allowed = self.most.lock().unwrap().is_none_or(|most| *seen <= most);
        Box::pin(async move { allowed })
    }
}

/// P-256 by a crate that the worker doesn't carry.
struct P256;

impl Signatures for P256 {
    fn is_key<'a>(&'a self, key: &'a [u8]) -> Pending<'a, bool> {
        let point = [&[4], key].concat();
        let good = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).is_ok();
        Box::pin(async move { good })
    }

    fn es256<'a>(
        &'a self,
        key: &'a [u8],
        message: &'a [u8],
        signature: &'a [u8; 64],
    ) -> Pending<'a, bool> {
        use p256::ecdsa::signature::Verifier;
        let point = [&[4], key].concat();
        let good = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).is_ok_and(|key| {
            p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok())
        });
        Box::pin(async move { good })
    }
}

/// Log lines, to look at.
#[derive(Clone, Default)]
pub struct TestLog(pub Arc<Mutex<Vec<Value>>>);

impl Log for TestLog {
    fn write(&self, line: &str) {
        self.0.lock().unwrap().push(line.parse().unwrap());
    }
}

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

/// A brand with a store, a creator and a deal at 10 %, and what names them.
pub struct Programme {
    pub key: String,
    pub brand: Value,
    pub store: String,
    pub creator: String,
    pub campaign: String,
    pub deal: String,
}

pub const SECRET: &str = "shpss_hush";

impl Programme {
    pub async fn new(product: &Product) -> Self {
        Self::with(product, "USD", "10").await
    }

    pub async fn with(product: &Product, currency: &str, percent: &str) -> Self {
        let made = product
            .call(
                "POST",
                "/v1/brands",
                Some(json!({ "name": "Casa", "currency": currency,
                    "homepage_url": "https://casa.example", "owner_email": "owner@casa.example" })),
                OPERATOR,
            )
            .await
            .expect(201);
        let key = made["api_key"].as_str().unwrap().to_owned();
        let post = async |path: &str, body: Value| {
            product.call("POST", path, Some(body), &key).await.expect(201)
        };
        let id = |json: &Value| json["id"].as_str().unwrap().to_owned();
        let store = id(&post(
            "/v1/stores",
            json!({ "platform": "shopify", "shop_domain": "casa.myshopify.com",
                "storefront_url": "https://shop.casa.example", "client_id": "client", "client_secret": SECRET }),
        )
        .await);
        let creator = id(&post(
            "/v1/creators",
            json!({ "name": "Anna", "handle": "@anna.home", "email": "anna@creator.example" }),
        )
        .await);
        let campaign = id(&post("/v1/campaigns", json!({ "name": "Autumn" })).await);
        let deal = id(&post(
            "/v1/deals",
            json!({ "creator_id": creator, "campaign_id": campaign, "commission_percent": percent,
                "starts_at": "2026-01-01T00:00:00Z" }),
        )
        .await);
        Self { brand: made["brand"].clone(), key, store, creator, campaign, deal }
    }

    pub async fn post(&self, product: &Product, path: &str, body: Value) -> Answer {
        product.call("POST", path, Some(body), &self.key).await
    }

    pub async fn get(&self, product: &Product, path: &str) -> Value {
        product.call("GET", path, None, &self.key).await.expect(200)
    }

    /// A deal with another creator, and a code of it.
    pub async fn rival(&self, product: &Product, code: &str) -> (String, String) {
        let creator = self
            .post(
                product,
                "/v1/creators",
                json!({ "name": "Berta", "handle": format!("berta-{code}") }),
            )
            .await
            .expect(201);
        let deal = self
            .post(
                product,
                "/v1/deals",
                json!({ "creator_id": creator["id"], "campaign_id": self.campaign,
                    "commission_percent": "20", "starts_at": "2026-01-01T00:00:00Z" }),
            )
            .await
            .expect(201);
        let deal = deal["id"].as_str().unwrap().to_owned();
        self.post(
            product,
            &format!("/v1/deals/{deal}/codes"),
            json!({ "code": code, "create_in_store": false }),
        )
        .await
        .expect(201);
        (deal, creator["id"].as_str().unwrap().to_owned())
    }

    pub async fn deliver(&self, product: &Product, body: &Value) -> u16 {
        product.deliver(&self.store, SECRET, body.to_string().as_bytes()).await
    }

    /// The balances in one currency.
    pub async fn balance(&self, product: &Product, creator: &str, currency: &str) -> Value {
        let all = self.get(product, &format!("/v1/creators/{creator}/balances")).await;
        let rows = all["data"].as_array().unwrap();
        rows.iter().find(|row| row["currency"] == currency).cloned().unwrap_or(Value::Null)
    }

    /// The one order with this platform id.
    pub async fn order(&self, product: &Product, external_id: u64) -> Value {
        let found = self.get(product, &format!("/v1/orders?external_id={external_id}")).await;
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found}");
        found["data"][0].clone()
    }

    /// The books can be rebuilt from an export. (Exports are limited: a test that asks too often has
    /// been told enough.)
    pub async fn audit(&self, product: &Product) {
        let export = product.call("GET", "/v1/ledger/export", None, &self.key).await;
        if export.status == 429 {
            return;
        }
        assert_eq!(export.status, 200, "{}", export.text);
        let mut audit = tributary::audit::Audit::default();
        let found = export.text.lines().try_for_each(|line| audit.line(line));
        let found = found.and_then(|()| audit.end());
        let report = found.unwrap_or_else(|found| panic!("{found:?}\n{}", export.text));
        assert_eq!(report.given, 0, "{report:?}");
    }

    /// Everything that must hold of the books at any time.
    pub async fn verify(&self, product: &Product) {
        let found = self.get(product, "/v1/ledger/verification").await;
        for (currency, sum) in found["sums"].as_object().unwrap() {
            assert!(
                sum.as_str().unwrap().bytes().all(|b| b == b'0' || b == b'.'),
                "{currency}: {sum}"
            );
        }
        assert_eq!(found["balances_match"], true, "{found}");
        assert_eq!(found["chain_intact"], true, "{found}");
        self.audit(product).await;
        assert_eq!(
            product.db.rows("SELECT deal_id, day, currency, orders, base_minor, commission_minor FROM deal_days WHERE orders <> 0 OR base_minor <> 0 OR commission_minor <> 0 ORDER BY deal_id, day, currency"),
            product.db.fold_of_orders(),
            "the totals of deals are the fold of their orders"
        );
        let method = "coalesce(json_extract(decision, '$.winner.method'), '')";
        let of = |methods: &str| {
            format!(
                "sum(({method} IN ({methods})) * (state <> 'cancelled')), sum(({method} IN ({methods})) * base_minor), sum(({method} IN ({methods})) * commission_minor)"
            )
        };
        let differ = format!("SELECT * FROM (SELECT deal_id, day, currency, code_orders, code_base_minor, code_commission_minor, link_orders, link_base_minor, link_commission_minor FROM deal_days
            EXCEPT SELECT deal_id, placed_day, currency, {}, {} FROM orders WHERE deal_id IS NOT NULL GROUP BY deal_id, placed_day, currency)
            WHERE (deal_id, day, currency) IN (SELECT deal_id, placed_day, currency FROM orders) OR code_orders <> 0 OR code_base_minor <> 0 OR code_commission_minor <> 0 OR link_orders <> 0 OR link_base_minor <> 0 OR link_commission_minor <> 0", of("'code'"), of("'link', 'journey'"));
        assert_eq!(
            product.db.rows(&differ),
            Vec::<Value>::new(),
            "what codes and links brought is the fold of their orders"
        );
    }
}
