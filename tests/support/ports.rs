//! Doubles of the ports: a clock that stands until it is told, outgoing HTTP that answers by script, mails, limits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tributary::app::{
    Assets, Clicks, Clock, EdgeCache, HttpClient, Limits, Log, Mailer, NotSent, Outgoing, Pending,
    Queue, Random, Signatures, Throttle, WebAnswer, WebRequest,
};
use tributary::domain::click::{SHARDS, shard_of};
use tributary::domain::ids::LinkId;
use tributary::domain::limit::Window;
use tributary::domain::time::Day;
use tributary::storage::click_counter::{Counter, DayTotals};

use super::sqlite::ObjectSql;

use super::*;

#[derive(Clone)]
pub struct TestClock(pub Arc<AtomicI64>);

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
pub struct Counting(pub AtomicU64);

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
    pub Scripts,
    pub Option<shopify::SmallShop>,
);

/// What an address answers next, and the bodies that it was asked with.
pub type Script = (Vec<Result<WebAnswer, String>>, Vec<String>);

#[derive(Clone, Default)]
pub struct Scripts(pub Arc<Mutex<HashMap<String, Script>>>, Arc<Mutex<Option<Answering>>>);

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
pub struct TestCounters(pub Arc<Mutex<Vec<Counter<ObjectSql>>>>);

impl TestCounters {
    pub fn new() -> Self {
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
pub struct BuiltAssets;

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
    pub clock: TestClock,
    pub windows: Arc<Mutex<HashMap<String, Window>>>,
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
pub struct P256;

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
