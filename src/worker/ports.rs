//! The application over the worker's bindings.

use std::sync::Arc;

use worker::send::SendFuture;
use worker::{Env, js_sys};

use super::bindings;
use super::clicks::Counters;
use super::d1::D1;
#[cfg(feature = "canary")]
use crate::app::Canary;
use crate::app::{
    App, Assets, Clock, Config, EdgeCache, Hostnames, HttpClient, Limits, Log, Mailer, NotSent,
    Outgoing, Pending, Platforms, Ports, Queue, Random, Signatures, Throttle, WebAnswer,
    WebRequest,
};
use crate::domain::click::ClickKeys;
use crate::domain::secret::{KeyRing, RootKey, Roots};
use crate::domain::time::Millis;
use crate::jobs::hostnames::Cloudflare;
use crate::jobs::paypal::{self, Paypal};
use crate::web::memory::Memory;
use crate::web::normal_host;

/// A domain's proof takes at most this long.
const FETCH_TIMEOUT_MS: u32 = 5000;
/// And is at most this large.
const MAX_FETCHED: usize = 64 * 1024;
/// Whoever else is asked has so long to answer.
const SEND_TIMEOUT_MS: u32 = 20_000;
/// Receivers of events have so long.
const TELL_TIMEOUT_MS: u32 = 15_000;

/// The application, or the name of what isn't configured.
pub fn app(env: &Env) -> Result<App, String> {
    let bound = |name: &str| js_sys::Reflect::get(env, &name.into());
    let text = |name: &str| bound(name).ok().and_then(|value| value.as_string());
    let needed = |name: &str| text(name).filter(|v| !v.is_empty()).ok_or(name.to_owned());
    let roots = |name: &str| Roots::parse(&needed(name)?).ok_or(name.to_owned());
    // What is there must be good: a slip must not change what every hash comes out of.
    let lasting = match text("HASH_KEY") {
        Some(text) => Some(RootKey::from_base64(&text).ok_or("HASH_KEY")?),
        None => None,
    };
    let local = text("LOCAL").as_deref() == Some("1");
    let config = Config {
        public_origin: needed("PUBLIC_ORIGIN")?.trim_end_matches('/').to_owned(),
        operator_token: needed("OPERATOR_TOKEN")?,
        click_keys: ClickKeys::of(&roots("CLICK_KEY")?).ok_or("CLICK_KEY")?,
        data_key: KeyRing::new(roots("DATA_KEY")?, lasting).ok_or("HASH_KEY")?,
        local,
        link_target: text("LINK_TARGET").filter(|host| !host.is_empty()),
        reply_domain: text("REPLY_DOMAIN").filter(|host| !host.is_empty()),
        platforms: Platforms::told(local, text("SHOPIFY_ORIGIN"), text("GOAFFPRO_ORIGIN"))?,
        #[cfg(feature = "canary")]
        canary: match text("CANARY").as_deref() {
            Some("ack_first") => Some(Canary::AckFirst),
            Some("no_guard") => Some(Canary::NoGuard),
            Some("no_limits") => Some(Canary::NoLimits),
            Some("tells_known") => Some(Canary::TellsKnown),
            Some("unspent") => Some(Canary::Unspent),
            _ => None,
        },
        #[cfg(not(feature = "canary"))]
        canary: None,
    };
    let paypal = paypal::origin(config.local, text("PAYPAL_ORIGIN"))?;
    let told = (text("CLOUDFLARE_ZONE"), text("CLOUDFLARE_TOKEN"), text("CLOUDFLARE_ORIGIN"));
    let hostnames = Cloudflare::told(Arc::new(Web), config.local, told.0, told.1, told.2)?;
    let binding = bound("DB").map_err(|_| "DB".to_owned())?;
    if binding.is_undefined() {
        return Err("DB".to_owned());
    }
    Ok(App::new(Ports {
        limits: Arc::new(Attempts(env.clone(), config.data_key.clone())),
        throttle: Arc::new(Limiter(env.clone())),
        mailer: Arc::new(MailService(env.clone())),
        config: Arc::new(config),
        memory: Arc::new(Memory::default()),
        db: Arc::new(D1::new(binding)),
        clock: Arc::new(WorkerClock),
        random: Arc::new(WorkerRandom),
        queue: Arc::new(Overflow(env.clone())),
        http: Arc::new(Web),
        provider: Arc::new(Paypal::new(Arc::new(Web), paypal)),
        hostnames: hostnames.map(|port| Arc::new(port) as Arc<dyn Hostnames>),
        signatures: Arc::new(WebCrypto),
        clicks: Arc::new(Counters::new(env.clone())),
        cache: Arc::new(DataCentre),
        assets: Arc::new(Deployed(env.clone())),
        log: Arc::new(Console),
    }))
}

/// The product's own host, as hosts are compared.
pub fn own_host(app: &App) -> String {
    normal_host(app.config.public_origin.split("://").nth(1).unwrap_or_default())
}

struct WorkerClock;

impl Clock for WorkerClock {
    fn now_ms(&self) -> Millis {
        super::glue::now_ms()
    }

    fn pause(&self, ms: u32) -> Pending<'_, ()> {
        Box::pin(SendFuture::new(bindings::sleep(ms)))
    }
}

struct WorkerRandom;

impl Random for WorkerRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // crypto.getRandomValues can't fail here; were it to, an all-zero secret must not be used.
        if getrandom::fill(bytes).is_err() {
            worker::console_error!("{{\"event\":\"no_randomness\"}}");
            std::process::abort();
        }
    }
}

struct Overflow(Env);

impl Queue for Overflow {
    fn send(&self, message: String) -> Pending<'_, Result<(), String>> {
        Box::pin(SendFuture::new(async move { bindings::enqueue(&self.0, &message).await }))
    }
}

/// Attempts, counted by an object per subject.
struct Attempts(Env, KeyRing);

impl Limits for Attempts {
    fn take<'a>(
        &'a self,
        subject: &'a str,
        limit: u32,
        period_ms: Millis,
    ) -> Pending<'a, Result<Option<Millis>, String>> {
        Box::pin(SendFuture::new(async move {
            // Subjects are people's addresses too: the object's name must not tell.
            let object = self.1.keyed_hash("limits", &[subject]);
            let question = format!("{limit} {period_ms}");
            let told = bindings::ask(&self.0, "ATTEMPTS", &object, "", question.as_bytes()).await?;
            if told.is_empty() { Ok(None) } else { told.parse().map(Some).map_err(|_| told) }
        }))
    }
}

/// The rate limiter of the data centre.
struct Limiter(Env);

impl Throttle for Limiter {
    fn allow<'a>(&'a self, key: &'a str) -> Pending<'a, bool> {
        Box::pin(SendFuture::new(async move { bindings::allowed(&self.0, key).await }))
    }
}

struct MailService(Env);

impl Mailer for MailService {
    fn send<'a>(&'a self, mail: &'a Outgoing) -> Pending<'a, Result<String, NotSent>> {
        Box::pin(SendFuture::new(async move {
            bindings::mail(&self.0, mail).await.map_err(|told| NotSent::from_service(&told))
        }))
    }
}

struct Web;

impl HttpClient for Web {
    fn get<'a>(&'a self, url: &'a str) -> Pending<'a, Result<String, String>> {
        Box::pin(SendFuture::new(async move {
            bindings::look(url, FETCH_TIMEOUT_MS, MAX_FETCHED).await
        }))
    }

    fn send<'a>(&'a self, request: WebRequest<'a>) -> Pending<'a, Result<WebAnswer, String>> {
        Box::pin(SendFuture::new(async move {
            let most_ms = if request.limit == 0 { TELL_TIMEOUT_MS } else { SEND_TIMEOUT_MS };
            let mut text = bindings::send(&request, most_ms).await?;
            let head = text.find('\n').ok_or("no status")?;
            // The body may be large: it is not copied while its head is there too.
            let body = text.split_off(head + 1);
            let (status, retry_after) =
                text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
            let status = status.parse().map_err(|_| "no status".to_owned())?;
            Ok(WebAnswer { status, retry_after: retry_after.to_owned(), body })
        }))
    }
}

struct WebCrypto;

impl Signatures for WebCrypto {
    fn is_key<'a>(&'a self, key: &'a [u8]) -> Pending<'a, bool> {
        Box::pin(SendFuture::new(bindings::is_key(key)))
    }

    fn es256<'a>(
        &'a self,
        key: &'a [u8],
        message: &'a [u8],
        signature: &'a [u8; 64],
    ) -> Pending<'a, bool> {
        Box::pin(SendFuture::new(bindings::es256(key, message, signature)))
    }
}

/// The Cache API: on custom domains only, and per data centre. Elsewhere nothing is found.
struct DataCentre;

fn cache_url(key: &str) -> String {
    format!("https://links.tributary.internal/{key}")
}

impl EdgeCache for DataCentre {
    fn get<'a>(&'a self, key: &'a str) -> Pending<'a, Option<String>> {
        Box::pin(SendFuture::new(async move { bindings::cached(&cache_url(key)).await }))
    }

    fn put<'a>(&'a self, key: &'a str, text: String, seconds: u32) -> Pending<'a, ()> {
        Box::pin(SendFuture::new(async move {
            bindings::cache(&cache_url(key), &text, seconds).await;
        }))
    }

    fn forget<'a>(&'a self, key: &'a str) -> Pending<'a, ()> {
        Box::pin(SendFuture::new(async move { bindings::uncache(&cache_url(key)).await }))
    }
}

/// Workers Static Assets. Requests for them come to the worker first: link domains have none.
struct Deployed(Env);

impl Assets for Deployed {
    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Option<Vec<u8>>> {
        Box::pin(SendFuture::new(async move { bindings::asset(&self.0, path).await }))
    }
}

struct Console;

impl Log for Console {
    fn write(&self, line: &str) {
        worker::console_log!("{line}");
    }
}
