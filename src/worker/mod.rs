//! The worker: the only ring that names workers-rs, compiled for WebAssembly only.
//!
//! Its entry points translate and delegate. Statics hold plain data and the application, whose
//! bindings live as long as the isolate; nothing awaits another request's future.

mod attempts;
mod bindings;
mod click_counter;
mod clicks;
mod d1;
mod glue;
mod ports;

use std::cell::{Cell, OnceCell};
use std::pin::Pin;
use std::sync::Arc;

use http::StatusCode;
use worker::js_sys::JSON;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::{Context, Env, MessageBatch, MessageExt, ScheduleContext, ScheduledEvent, event};
use worker::{QueueRetryOptionsBuilder, web_sys};

use crate::app::App;
use crate::domain::json::json;
use crate::domain::limit::network;
use crate::error::Error;
use crate::jobs;
use crate::partners::inbound_mail;
use crate::web::message::Request;
use crate::web::redirect::{Destination, Redirected, redirect, redirect_known, refresh};
use crate::web::{self, Entry};
use glue::{Facts, MoreFacts};

/// Stale links are asked again together, after this long.
const GATHER_STALE_MS: u32 = 250;

thread_local! {
    static APP: OnceCell<App> = const { OnceCell::new() };
    /// Makes click ids of one millisecond differ: random per isolate, then counted.
    static NONCE: Cell<u64> = const { Cell::new(0) };
}

/// The isolate's application; made with the first request.
fn app(env: &Env) -> Result<App, String> {
    APP.with(|slot| {
        if let Some(app) = slot.get() {
            return Ok(app.clone());
        }
        let app = ports::app(env)?;
        NONCE.set(u64::from_be_bytes(app.random()));
        Ok(slot.get_or_init(|| app).clone())
    })
}

fn next_nonce() -> u64 {
    let nonce = NONCE.get().wrapping_add(1);
    NONCE.set(nonce);
    nonce
}

#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    ctx: Context,
) -> worker::Result<web_sys::Response> {
    let app = match app(&env) {
        Ok(app) => app,
        Err(missing) => {
            worker::console_error!("{{\"event\":\"misconfigured\",\"detail\":\"{missing}\"}}");
            return Ok(glue::text(
                StatusCode::SERVICE_UNAVAILABLE,
                "this deployment is not configured",
                true,
            ));
        }
    };
    let facts = Facts::of(&request);
    #[cfg(feature = "local")]
    let app = glue::laptop::now_ms(&request).map_or(app.clone(), |now_ms| app.at(now_ms));
    let own_host = ports::own_host(&app);
    let host = web::normal_host(facts.host());
    match web::entry(&host, &own_host, facts.path()) {
        Entry::Link { host, slug } => Ok(visit(&app, &ctx, &facts, host, slug).await),
        Entry::Webhook(store) => webhook(&app, &ctx, &request, &facts, store).await,
        Entry::Product => api(&app, &ctx, request, &facts).await,
    }
}

/// Answers a visit of a link that is in memory, without a promise; everything else is `fetch`'s.
/// scripts/lib/entry.mjs calls it first.
#[wasm_bindgen(js_name = visit)]
pub fn visit_known(
    request: &web_sys::Request,
    ctx: worker::worker_sys::Context,
) -> Option<web_sys::Response> {
    let app = APP.with(|slot| slot.get().cloned())?;
    let facts = Facts::of(request);
    // Laptop builds may be told the time: `fetch` looks.
    if cfg!(feature = "local") || !matches!(facts.method(), "GET" | "HEAD") {
        return None;
    }
    let own_host = ports::own_host(&app);
    let host = web::normal_host(facts.host());
    let Entry::Link { host, slug } = web::entry(&host, &own_host, facts.path()) else {
        return None;
    };
    match redirect_known(&app, host, slug, facts.query(), next_nonce())? {
        Redirected::To { location, counted, refresh } => {
            after(&app, &Context::new(ctx), &facts, counted, refresh);
            Some(glue::found(&location, host.is_empty()))
        }
        // The proof of a domain is asked for at what is no slug.
        Redirected::Refused(_) => None,
    }
}

/// A redirect: answered first, counted afterwards.
async fn visit(
    app: &App,
    ctx: &Context,
    facts: &Facts,
    host: &str,
    slug: &str,
) -> web_sys::Response {
    if !matches!(facts.method(), "GET" | "HEAD") {
        return glue::method_not_allowed("GET, HEAD", host.is_empty());
    }
    if slug == jobs::domains::PROOF_PATH && !host.is_empty() {
        return glue::text(StatusCode::OK, &jobs::domains::proof(app, host), false);
    }
    match redirect(app, host, slug, facts.query(), next_nonce()).await {
        Redirected::To { location, counted, refresh } => {
            after(app, ctx, facts, counted, refresh);
            glue::found(&location, host.is_empty())
        }
        Redirected::Refused(error) => rendered(error, host.is_empty()),
    }
}

/// What follows an answered visit: counting it, and asking for a stale link again.
fn after(app: &App, ctx: &Context, facts: &Facts, counted: Option<Arc<Destination>>, stale: bool) {
    if let Some(destination) = counted {
        clicks::record(app, ctx, &destination, facts);
    }
    if stale {
        let app = app.clone();
        afterwards(ctx, async move {
            bindings::sleep(GATHER_STALE_MS).await;
            refresh(&app).await;
        });
    }
}

/// Goes on with this after the answer. Boxed, so that there is one such promise in the binary and
/// not one for each future.
fn afterwards(ctx: &Context, future: impl Future<Output = ()> + 'static) {
    let future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
    ctx.wait_until(future);
}

async fn webhook(
    app: &App,
    _ctx: &Context,
    request: &web_sys::Request,
    facts: &Facts,
    store: &str,
) -> worker::Result<web_sys::Response> {
    if facts.method() != "POST" {
        return Ok(glue::method_not_allowed("POST", true));
    }
    let more = MoreFacts::of(request);
    if more.content_length() > web::webhooks::MAX_BODY {
        return Ok(rendered(Error::TooLarge.into(), true));
    }
    let Some(body) = glue::body(request, web::webhooks::MAX_BODY).await else {
        return Ok(rendered(Error::TooLarge.into(), true));
    };
    #[cfg(feature = "canary")]
    if app.config.canary == Some(crate::app::Canary::AckFirst) {
        let (app, store) = (app.clone(), store.to_owned());
        let signature = more.signature().map(str::to_owned);
        afterwards(_ctx, async move {
            let _ = web::webhooks::deliver(&app, &store, signature.as_deref(), &body).await;
        });
        return Ok(glue::empty(StatusCode::OK));
    }
    match web::webhooks::deliver(app, store, more.signature(), &body).await {
        Ok(status) => Ok(glue::empty(status)),
        Err(error) => Ok(rendered(error, true)),
    }
}

async fn api(
    app: &App,
    ctx: &Context,
    request: web_sys::Request,
    facts: &Facts,
) -> worker::Result<web_sys::Response> {
    let more = MoreFacts::of(&request);
    let body = glue::body(&request, web::most_of(more.content_type())).await;
    let network = network(facts.visitor_address());
    let request = Request {
        id: &web::request_id(app),
        method: facts.method(),
        uri: facts.uri(),
        headers: more.api_headers(),
        too_large: body.is_none(),
        body: body.as_deref().unwrap_or_default(),
        network: &network,
        user_agent: facts.user_agent(),
    };
    let mut response = web::serve_api(app, request).await;
    if let Some(work) = response.after.take() {
        afterwards(ctx, async move {
            // The answer leaves first, so that its time doesn't tell what there is to do.
            bindings::sleep(0).await;
            work.await;
        });
    }
    Ok(glue::response(response))
}

fn rendered(error: Box<Error>, on_own_host: bool) -> web_sys::Response {
    if let Error::Internal(detail) = &*error {
        worker::console_error!("{}", json!({ "event": "internal", "detail": detail }));
    }
    glue::finished(error.into(), on_own_host)
}

#[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds, whole by nature")]
fn schedule_ms(event: &ScheduledEvent) -> i64 {
    event.schedule() as i64
}

/// The overflow queue, which wakes bulk actions too, and its dead letters; what the mail service tells. Never an `Err`: it would end the isolate.
#[event(queue)]
async fn queue(batch: MessageBatch<String>, env: Env, _ctx: Context) -> worker::Result<()> {
    let Ok(app) = app(&env) else {
        batch.retry_all();
        return Ok(());
    };
    if batch.queue().ends_with("-mail-events") {
        return mail_events(&app, &batch).await;
    }
    let dead = batch.queue().ends_with("-dead");
    let messages = batch.raw_iter().map(|message| Some((message.body().as_string()?, message)));
    let Some(messages) = messages.collect::<Option<Vec<_>>>() else {
        batch.retry_all();
        return Ok(());
    };
    let (wakes, messages): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|(body, _)| jobs::bulk::is_wake(body));
    for (body, message) in messages {
        let taken = if dead {
            jobs::order::consume_dead(&app, &body).await
        } else {
            jobs::order::consume(&app, &body).await
        };
        match taken {
            Ok(()) => message.ack(),
            Err(_) => message.retry_with_options(&later(message.timestamp().as_millis())),
        }
    }
    if !wakes.is_empty() {
        // However many there are they say the same. What fails here the job of the minute does.
        jobs::bulk::woken(&app).await;
        wakes.iter().for_each(|(_, message)| message.ack());
    }
    Ok(())
}

/// What the mail service tells: its events come as objects.
async fn mail_events(app: &App, batch: &MessageBatch<String>) -> worker::Result<()> {
    for message in batch.raw_iter() {
        let body = message.body();
        let text = body.as_string().or_else(|| JSON::stringify(&body).ok()?.as_string());
        match jobs::mail::told(app, &text.unwrap_or_default()).await {
            Ok(()) => message.ack(),
            Err(_) => message.retry_with_options(&later(message.timestamp().as_millis())),
        }
    }
    Ok(())
}

/// A message is tried again after half its age, from five seconds to an hour: a hundred tries then
/// outlast the days that the queue keeps it.
fn later(sent_ms: u64) -> worker::QueueRetryOptions {
    let age_seconds = worker::Date::now().as_millis().saturating_sub(sent_ms) / 1000;
    let delay = u32::try_from(age_seconds / 2).unwrap_or(u32::MAX).clamp(5, 3600);
    QueueRetryOptionsBuilder::new().with_delay_seconds(delay).build()
}

/// A mail that came to the reply domain. Never an `Err`: it would end the isolate. Whoever wrote what can't
/// be kept is told so by her mail service.
#[event(email)]
async fn email(
    message: worker::ForwardableEmailMessage,
    env: Env,
    _ctx: Context,
) -> worker::Result<()> {
    use inbound_mail::MAX_MAIL;
    let Ok(app) = app(&env) else {
        message.set_reject("try again later");
        return Ok(());
    };
    let envelope: &worker::EmailMessage = message.as_ref();
    let recipient = envelope.to();
    // Said by the runtime, which has the whole mail already.
    if message.raw_size() > MAX_MAIL as f64 {
        message.set_reject("this mail is too large");
        return Ok(());
    }
    let raw = bindings::bytes(&message.raw(), MAX_MAIL).await;
    let taken = match raw {
        Ok(raw) => jobs::inbound::receive(&app, &recipient, &raw).await,
        Err(_) => jobs::inbound::Taken::Later,
    };
    if taken == jobs::inbound::Taken::Later {
        message.set_reject("try again later");
    }
    Ok(())
}

/// The cron trigger of every minute. A trigger named `all` runs every job at once; only local
/// runs can fire it.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _ctx: ScheduleContext) {
    if let Ok(app) = app(&env) {
        if event.cron() == "all" {
            jobs::run_all(&app).await;
        } else {
            jobs::run_due(&app, schedule_ms(&event)).await;
        }
    }
}
