//! The application over the worker's bindings.

use std::sync::Arc;
use std::time::Duration;

use worker::send::{SendFuture, SendWrapper};
use worker::{AbortController, Cache, Delay, Env, Fetch, Request, RequestInit, RequestRedirect};
use worker::{Response, js_sys};

use super::clicks::Counters;
use super::d1::D1;
#[cfg(feature = "canary")]
use crate::app::Canary;
use crate::app::{App, Clock, Config, EdgeCache, HttpClient, Log, Pending, Ports, Queue, Random};
use crate::domain::click::ClickKeys;
use crate::domain::secret::RootKey;
use crate::domain::time::Millis;
use crate::web::memory::Memory;
use crate::web::normal_host;

/// A domain's proof takes at most this long.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// And is at most this large.
const MAX_FETCHED: usize = 64 * 1024;

/// The application, or the name of what isn't configured.
pub fn app(env: &Env) -> Result<App, String> {
    let text = |name: &str| env.var(name).ok().map(|value| value.to_string());
    let needed = |name: &str| text(name).filter(|v| !v.is_empty()).ok_or(name.to_owned());
    let key = |name: &str| RootKey::from_base64(&needed(name)?).ok_or(name.to_owned());
    let config = Config {
        public_origin: needed("PUBLIC_ORIGIN")?.trim_end_matches('/').to_owned(),
        operator_token: needed("OPERATOR_TOKEN")?,
        click_keys: ClickKeys::new(key("CLICK_KEY")?.bytes()),
        data_key: key("DATA_KEY")?,
        local: text("LOCAL").as_deref() == Some("1"),
        #[cfg(feature = "canary")]
        canary: match text("CANARY").as_deref() {
            Some("ack_first") => Some(Canary::AckFirst),
            Some("no_guard") => Some(Canary::NoGuard),
            _ => None,
        },
        #[cfg(not(feature = "canary"))]
        canary: None,
    };
    let binding = js_sys::Reflect::get(env, &"DB".into()).map_err(|_| "DB".to_owned())?;
    if binding.is_undefined() {
        return Err("DB".to_owned());
    }
    Ok(App::new(Ports {
        config: Arc::new(config),
        memory: Arc::new(Memory::default()),
        db: Arc::new(D1::new(binding)),
        clock: Arc::new(WorkerClock),
        random: Arc::new(WorkerRandom),
        queue: Arc::new(Overflow(env.clone())),
        http: Arc::new(Web),
        clicks: Arc::new(Counters::new(env.clone())),
        cache: Arc::new(DataCentre(SendWrapper::new(Cache::default()))),
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
        Box::pin(SendFuture::new(async move {
            let queue = self.0.queue("OVERFLOW").map_err(|e| e.to_string())?;
            // A JSON text: objects would arrive empty (workers-rs #1013).
            queue.send(message).await.map_err(|e| e.to_string())
        }))
    }
}

struct Web;

impl HttpClient for Web {
    fn get<'a>(&'a self, url: &'a str) -> Pending<'a, Result<String, String>> {
        Box::pin(SendFuture::new(async move {
            let mut init = RequestInit::new();
            init.with_redirect(RequestRedirect::Manual);
            let request = Request::new_with_init(url, &init).map_err(|e| e.to_string())?;
            let controller = AbortController::default();
            let signal = controller.signal();
            let fetch = Fetch::Request(request);
            let fetched = std::pin::pin!(fetch.send_with_signal(&signal));
            let late = std::pin::pin!(Delay::from(FETCH_TIMEOUT));
            let mut response: Response = match futures_select(fetched, late).await {
                Some(response) => response.map_err(|e| e.to_string())?,
                None => {
                    controller.abort();
                    return Err("no answer in time".to_owned());
                }
            };
            if response.status_code() != 200 {
                return Err(format!("answered {}", response.status_code()));
            }
            let text = response.text().await.map_err(|e| e.to_string())?;
            if text.len() > MAX_FETCHED { Err("too large".to_owned()) } else { Ok(text) }
        }))
    }
}

/// The first future's outcome, or `None` if the second is done before.
async fn futures_select<F: Future + Unpin, L: Future + Unpin>(
    mut first: F,
    mut late: L,
) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(output) = std::pin::Pin::new(&mut first).poll(cx) {
            return std::task::Poll::Ready(Some(output));
        }
        std::pin::Pin::new(&mut late).poll(cx).map(|_| None)
    })
    .await
}

/// The Cache API: on custom domains only, and per data centre. Elsewhere nothing is found.
struct DataCentre(SendWrapper<Cache>);

fn cache_url(key: &str) -> String {
    format!("https://links.tributary.internal/{key}")
}

impl EdgeCache for DataCentre {
    fn get<'a>(&'a self, key: &'a str) -> Pending<'a, Option<String>> {
        Box::pin(SendFuture::new(async move {
            let mut found = self.0.get(cache_url(key), true).await.ok()??;
            found.text().await.ok()
        }))
    }

    fn put<'a>(&'a self, key: &'a str, text: String, seconds: u32) -> Pending<'a, ()> {
        Box::pin(SendFuture::new(async move {
            let Ok(response) = Response::ok(text) else { return };
            let headers = response.headers().clone();
            let _ = headers.set("cache-control", &format!("max-age={seconds}"));
            let _ = self.0.put(cache_url(key), response.with_headers(headers)).await;
        }))
    }

    fn forget<'a>(&'a self, key: &'a str) -> Pending<'a, ()> {
        Box::pin(SendFuture::new(async move {
            let _ = self.0.delete(cache_url(key), true).await;
        }))
    }
}

struct Console;

impl Log for Console {
    fn write(&self, line: &serde_json::Value) {
        worker::console_log!("{line}");
    }
}
