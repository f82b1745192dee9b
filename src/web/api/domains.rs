//! The brand's own link domain: which record to make, and how far it is.

use http::StatusCode;

use crate::app::App;
use crate::error::{Error, Result};
use crate::jobs::domains;
use crate::storage::hosts::{self, LinkHost};
use crate::storage::rows::parse;
use crate::web::extract::{Caller, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::limits;
use crate::web::normal_host;

use super::brand;
use super::view::Time;

/// So many checks may be asked for,
const CHECKS: u32 = 10;
/// in so many milliseconds.
const CHECKS_PERIOD_MS: i64 = 600_000;

view! {
    /// A brand's link domain.
    pub struct LinkDomain {
        /// The host that is wanted: one that waits, else the one in use. Null: the product's own.
        #[schema(required)]
        host: Option<String>,
        /// `pending`, `active` or `failed`; null without a host.
        #[schema(required)]
        state: Option<&'static str>,
        /// The DNS records to make.
        records: Vec<DnsRecord>,
        /// What is in the way, in words.
        #[schema(required)]
        problem: Option<String>,
        /// When it was looked at last.
        #[schema(required)]
        checked_at: Option<Time>,
        /// Since when it waits, or is served.
        #[schema(required)]
        since: Option<Time>,
        /// Whether certificate and routing are made by themselves; otherwise the operator adds the host to
        /// the worker by hand.
        automatic: bool,
        /// All hosts that serve the brand's links, the ones from before too.
        serving: Vec<ServingHost>,
    }
}

view! {
    /// A DNS record to make.
    pub struct DnsRecord {
        r#type: String,
        name: String,
        value: String,
        /// `traffic`: the one that is needed; `ownership` and `certificate` prove the same before it is made.
        purpose: String,
    }
}

view! {
    /// A host that serves a brand's links.
    pub struct ServingHost {
        host: String,
        #[schema(required)]
        since: Option<Time>,
        /// New links are handed out on it.
        current: bool,
    }
}

/// The brand's link domain: the record to make, and how far it is.
#[utoipa::path(get, path = "/v1/brand/link-domain", tag = "brand",
    security(("api_key" = ["read"])), responses((status = 200, body = LinkDomain)))]
pub async fn show(State(app): State<App>, caller: Caller) -> Result<Json<LinkDomain>> {
    Ok(Json(look(&app, &caller).await?.0))
}

/// Looks at the domain that waits now, and tries again what failed.
#[utoipa::path(post, path = "/v1/brand/link-domain/check", tag = "brand",
    security(("api_key" = ["admin"])), responses((status = 200, body = LinkDomain),
    (status = 409, description = "No domain waits")))]
pub async fn check(
    State(app): State<App>,
    caller: Caller<may::Admin>,
) -> Result<(StatusCode, Json<LinkDomain>)> {
    caller.stepped_up(&app)?;
    let (_, waiting) = look(&app, &caller).await?;
    let row = waiting.ok_or_else(|| Error::refused("no-domain-waits", "no link domain waits"))?;
    let subject = format!("link-domain/{}", caller.brand);
    limits::take(&app, &subject, CHECKS, CHECKS_PERIOD_MS).await?;
    let note = caller.note(&app, "domain.check", caller.brand, None, None);
    app.db().run(vec![note]).await?;
    domains::check(&app, &row, row.failed == 1).await?;
    Ok((StatusCode::OK, Json(look(&app, &caller).await?.0)))
}

/// The domain as it is shown, and its row if it waits.
async fn look<S>(app: &App, caller: &Caller<S>) -> Result<(LinkDomain, Option<LinkHost>)> {
    let rows = hosts::of_brand(app.db(), caller.brand).await?;
    let used = brand::find(app, caller.brand).await?.brand.link_domain;
    let waiting = rows.iter().find(|row| row.state == "pending").cloned();
    let current = || rows.iter().find(|row| Some(&row.host) == used.as_ref()).cloned();
    let serving = rows.iter().filter(|row| row.state == "active");
    let serving = serving.map(|row| ServingHost {
        host: row.host.clone(),
        since: Some(Time(row.since_ms.unwrap_or(row.created_at_ms))),
        current: Some(&row.host) == used.as_ref(),
    });
    let serving = serving.collect();
    let shown = waiting.clone().or_else(current);
    let state = shown.as_ref().map(|row| match (&*row.state, row.failed) {
        ("active", _) => "active",
        (_, 1) => "failed",
        _ => "pending",
    });
    let since = |row: &LinkHost| match state {
        Some("active") => row.since_ms.unwrap_or(row.created_at_ms),
        _ => row.created_at_ms,
    };
    let domain = LinkDomain {
        state,
        records: shown.as_ref().map_or_else(Vec::new, |row| records(app, row)),
        problem: shown.as_ref().map(|row| row.problem.clone()).filter(|words| !words.is_empty()),
        checked_at: shown.as_ref().and_then(|row| row.checked_at_ms).map(Time),
        since: shown.as_ref().map(|row| Time(since(row))),
        host: shown.map(|row| row.host),
        automatic: app.hostnames.is_some(),
        serving,
    };
    Ok((domain, waiting))
}

/// The record that leads here, and what Cloudflare asks for besides.
fn records(app: &App, row: &LinkHost) -> Vec<DnsRecord> {
    let own = normal_host(app.config.public_origin.split("://").nth(1).unwrap_or_default());
    let leads = DnsRecord {
        r#type: "CNAME".to_owned(),
        name: row.host.clone(),
        value: app.config.link_target.clone().unwrap_or(own),
        purpose: "traffic".to_owned(),
    };
    let kept = parse(&row.records).ok();
    let kept = kept.as_ref().and_then(|kept| kept.as_array()).map(Vec::as_slice);
    let more = kept.unwrap_or_default().iter().map(|record| {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        DnsRecord {
            r#type: text("type"),
            name: text("name"),
            value: text("value"),
            purpose: text("purpose"),
        }
    });
    std::iter::once(leads).chain(more).collect()
}
