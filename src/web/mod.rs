//! The ways in by HTTP: the edge redirect and the webhooks, matched before any router is built,
//! and the JSON API and the pages with their URL tables.

pub mod api;
pub mod assets;
pub mod body;
pub mod caller;
pub mod csv;
pub mod extract;
pub mod handler;
pub mod json;
pub mod limits;
pub mod listed;
pub mod mail;
pub mod memory;
pub mod message;
pub mod noting;
pub mod once;
pub mod outreach;
pub mod pages;
pub mod redirect;
pub mod webhooks;

use http::StatusCode;

use crate::app::{App, Pending};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::domain::session::{SESSION_COOKIE, set_cookie};
use crate::error::{Error, Result};
use crate::jobs;
use message::{Request, Response};

/// The largest body of an API call. Webhooks have their own limit.
pub const MAX_API_BODY: usize = 1024 * 1024;
/// The largest form: a file of that size in its fields, each byte of it written as three at most, and more.
const MAX_FORM: usize = 4 * MAX_API_BODY;

/// The largest body of a call of the API or of a page's form, by what the call says that it is.
#[must_use]
pub fn most_of(content_type: &str) -> usize {
    let form = "application/x-www-form-urlencoded";
    let is_form =
        content_type.get(..form.len()).is_some_and(|told| told.eq_ignore_ascii_case(form));
    if is_form { MAX_FORM } else { MAX_API_BODY }
}

/// The longest path and query that is looked at.
pub const MAX_URI: usize = 8 * 1024;

/// Which of the product's parts a request is for, by host and path alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A link: the host it is served on (`""`: the product's own, under `/go/`) and the slug.
    Link {
        /// In small letters, without a port.
        host: &'a str,
        /// As asked for, not validated.
        slug: &'a str,
    },
    /// A webhook of the store with this id.
    Webhook(&'a str),
    /// Anything else on the product's own host.
    Product,
}

/// Tells where a request belongs. `host` is the request's host in small letters without port,
/// `own_host` the product's. Link domains serve slugs and nothing else; the names of this machine
/// are always the product's.
#[must_use]
pub fn entry<'a>(host: &'a str, own_host: &str, path: &'a str) -> Entry<'a> {
    let own = host == own_host || matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "");
    if !own {
        return Entry::Link { host, slug: path.strip_prefix('/').unwrap_or(path) };
    }
    if let Some(slug) = path.strip_prefix("/go/") {
        return Entry::Link { host: "", slug };
    }
    match path.strip_prefix("/webhooks/shopify/") {
        Some(store) => Entry::Webhook(store),
        None => Entry::Product,
    }
}

/// A Host header in the form that [`entry`] compares: small letters, no port, no final dot.
#[must_use]
pub fn normal_host(host: &str) -> String {
    let name = if host.starts_with('[') {
        host.split_inclusive(']').next().unwrap_or(host)
    } else {
        host.split(':').next().unwrap_or(host)
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Answers a request to the API or for a page: handler, request id, logs.
pub async fn serve_api(app: &App, request: Request<'_>) -> Response {
    let app = &app.for_request();
    let request_id = request.id.to_owned();
    let started_ms = app.now_ms();
    let answered = if request.uri.len() > MAX_URI {
        Err(Error::UriTooLong.into())
    } else if request.too_large {
        Err(Error::TooLarge.into())
    } else {
        answer(app, &request).await
    };
    let signed_out =
        answered.as_ref().is_err_and(|error| matches!(**error, Error::Unauthenticated));
    let mut response = answered.unwrap_or_else(|error| {
        if pages::wants_page(&request) { pages::failed(error) } else { Response::from(error) }
    });
    // What a page asks by itself may be late: in a moment when a passkey gave the session another secret, say.
    let asked = request.header(caller::BY_ITSELF).is_none();
    if signed_out && asked && request.header("cookie").is_some_and(|c| c.contains(SESSION_COOKIE)) {
        response.push("set-cookie", set_cookie(SESSION_COOKIE, "", Some(0)));
    }
    let (mails, stores) = (app.noted_mails(), app.noted_work());
    #[cfg(feature = "canary")]
    if app.config.canary == Some(crate::app::Canary::TellsKnown) {
        jobs::mail::send_noted(app.clone(), mails.clone()).await;
    }
    if !mails.is_empty() {
        then(&mut response, jobs::mail::send_noted(app.clone(), mails));
    }
    if !stores.is_empty() {
        then(&mut response, jobs::outbox::run_noted(app.clone(), stores));
    }
    let told = app.noted_hooks();
    if !told.is_empty() {
        then(&mut response, jobs::automations::run_noted(app.clone(), told.clone()));
        then(&mut response, jobs::hooks::send_noted(app.clone(), told));
    }
    if app.noted_bulk() {
        then(&mut response, Box::pin(jobs::bulk::wake(app.clone())));
    }
    let status = response.status;
    if response.internal.is_some() || status.is_server_error() || is_sampled(&request_id) {
        app.log.write(&json!({
            "event": "request", "request_id": request_id, "method": request.method,
            "path": loggable(request.path()), "status": status.as_u16(), "ms": app.now_ms() - started_ms,
            "detail": response.internal,
        }));
    }
    if response.stream.is_none() {
        response.set("content-length", response.body.len().to_string());
    }
    if request.method == "HEAD" {
        response.body.clear();
        response.stream = None;
    }
    response.set("x-request-id", request_id);
    secure(&mut response, true);
    response
}

/// Adds to what is done after the answer.
fn then(response: &mut Response, next: Pending<'static, ()>) {
    response.after = Some(match response.after.take() {
        Some(first) => Box::pin(async move {
            first.await;
            next.await;
        }),
        None => next,
    });
}

/// A path without what may be a secret or somebody's address: no segment of ours is as long as a
/// token, or has other characters.
fn loggable(path: &str) -> String {
    let ours = |s: &&str| {
        s.len() <= 40 && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    let mut shown = String::new();
    for segment in path.split('/').skip(1) {
        shown.push('/');
        shown.push_str(Some(segment).filter(ours).unwrap_or("…"));
    }
    shown
}

async fn answer(app: &App, request: &Request<'_>) -> Result<Response> {
    limits::throttle(app, request).await?;
    handler::dispatch(&[api::TABLE, pages::TABLE], app, request).await
}

/// What browsers are told with every answer but redirects, unless it says otherwise itself.
const FOR_ALL: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// And with pages: nothing comes from elsewhere, nothing runs that stands in the page itself.
const FOR_PAGES: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), \
         publickey-credentials-create=(self), publickey-credentials-get=(self)",
    ),
];

/// What is no page can do nothing, should a browser take it for one.
const FOR_DATA: &[(&str, &str)] =
    &[("content-security-policy", "default-src 'none'; frame-ancestors 'none'")];

/// Makes an answer safe to meet in a browser. Nothing allows other origins anything but the storefront
/// snippet (`web::assets`): there are no other `access-control-…` headers anywhere.
pub fn secure(response: &mut Response, on_own_host: bool) {
    let page = response.header("content-type").is_some_and(|t| t.starts_with("text/html"));
    let sets = [FOR_ALL, if page { FOR_PAGES } else { FOR_DATA }, &[transport(on_own_host)]];
    for (name, value) in sets.concat() {
        response.set(name, value);
    }
}

/// Only HTTPS from now on. What else lives under a brand's link domain is the brand's business.
#[must_use]
pub fn transport(on_own_host: bool) -> (&'static str, &'static str) {
    let year = if on_own_host { "max-age=31536000; includeSubDomains" } else { "max-age=31536000" };
    ("strict-transport-security", year)
}

/// A new name for a request.
#[must_use]
pub fn request_id(app: &App) -> String {
    hex(&app.random::<8>())
}

/// One request in 256 is logged although nothing went wrong: logs cost more than requests.
fn is_sampled(request_id: &str) -> bool {
    request_id.starts_with("00")
}

/// A short answer in JSON.
#[must_use]
pub fn json_response(status: StatusCode, body: String) -> Response {
    Response::json(status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_belong_by_host_and_path() {
        let own = |path| entry("app.example", "app.example", path);
        assert_eq!(own("/go/anna"), Entry::Link { host: "", slug: "anna" });
        assert_eq!(own("/webhooks/shopify/store_1"), Entry::Webhook("store_1"));
        assert_eq!(own("/v1/brand"), Entry::Product);
        assert_eq!(own("/anna"), Entry::Product);
        let domain = |path| entry("go.casa.example", "app.example", path);
        assert_eq!(domain("/anna"), Entry::Link { host: "go.casa.example", slug: "anna" });
        assert_eq!(domain("/v1/brand"), Entry::Link { host: "go.casa.example", slug: "v1/brand" });
        assert_eq!(entry("localhost", "app.example", "/healthz"), Entry::Product);
    }

    #[test]
    fn logs_tell_neither_tokens_nor_addresses() {
        let id = "quarantine_01h455vb4pex5vsknk084sn02q";
        let path = format!("/v1/quarantine/{id}/replay");
        assert_eq!(loggable(&path), path);
        let key = format!("tbk_{}", "A".repeat(43));
        assert_eq!(loggable(&format!("/v1/{key}/x")), "/v1/…/x");
        assert_eq!(loggable("/v1/ada@example.com"), "/v1/…");
        assert_eq!(loggable("/v1/ada%40example.com/"), "/v1/…/");
    }

    #[test]
    fn hosts_are_compared_without_case_port_and_dot() {
        assert_eq!(normal_host("Go.Casa.Example.:8787"), "go.casa.example");
        assert_eq!(normal_host("[::1]:8787"), "[::1]");
        assert_eq!(normal_host(""), "");
    }
}
