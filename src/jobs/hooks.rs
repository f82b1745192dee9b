//! Outgoing webhooks: what waits is sent, each event at least once under the same id.
//!
//! Somebody who works at an endpoint takes it first, then claims what is due there, and only then sends. What
//! became of a claim that nobody recorded can't be known: it is sent again when the claim is over. An
//! endpoint that fails is left at once, and rests; several are worked at side by side, so that one that
//! stalls keeps no other from its turn.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use crate::app::{App, Pending, WebRequest};
use crate::domain::auth::Actor;
use crate::domain::hooks::{Answer, WINDOW_MS, answer, host_of, rest_ms, wait_ms, words};
use crate::domain::ids::{BrandId, EndpointId};
use crate::domain::json::{Fields, Raw, ToJson, json, list_of, text};
use crate::domain::letter::{Letter, is_one_address};
use crate::domain::money::{Currency, Money};
use crate::domain::time::{Day, Millis, to_rfc3339};
use crate::error::Result;
use crate::partners::signed;
use crate::storage::hooks::{self as rows, ClaimedRow, DueRow, Standing, TakenRow};
use crate::storage::rows::{from_json, parse};
use crate::storage::{DbError, Statement, brands};
use crate::web::api::deals::link_url;
use crate::web::extract::{By, note};
use crate::web::mail::compose;
use crate::web::normal_host;

/// A run looks at so many endpoints,
const MOST_ENDPOINTS: u32 = 20;
/// so many at once: a worker waits for six answers at a time at most.
const LANES: usize = 5;
/// It claims so many deliveries at once, so often in all: a worker makes a thousand requests at most, those
/// to D1 too.
const CLAIMED_AT_ONCE: u32 = 20;
const MOST_CLAIMS: u32 = 40;
/// News of orders become events first: so many of a brand at once, of so many brands, in so many rounds.
const MOST_NEWS: u32 = 500;
const MOST_BRANDS: u32 = 20;
const NEWS_ROUNDS: u32 = 10;
/// It begins nothing later than this.
const LONGEST_RUN_MS: Millis = 40_000;
/// Nobody else works at an endpoint, and tries what was claimed there, for so long: longer than a run and
/// the answer that it may still wait for.
const LEASE_MS: Millis = 90_000;

const BY: By<'static> = By { actor: Actor::Job("webhooks"), request_id: "" };

/// The name of an event, the same for every try and every endpoint: the `webhook-id`.
#[must_use]
pub fn event_id(brand: BrandId, sequence: i64) -> String {
    let brand = brand.to_string();
    format!("evt_{}_{sequence}", brand.rsplit('_').next().unwrap_or_default())
}

/// Sends what is due at the endpoints of all brands; tells how many events arrived.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away: the next run goes on.
pub async fn send_due(app: &App) -> Result<i64> {
    for _ in 0..NEWS_ROUNDS {
        let brands = rows::news(app.db(), MOST_BRANDS).await?;
        for row in &brands {
            app.db().run(rows::spread(row.brand_id, MOST_NEWS)).await?;
        }
        if brands.is_empty() {
            break;
        }
    }
    let due = rows::due(app.db(), None, app.now_ms(), MOST_ENDPOINTS).await?;
    Ok(send_to(app, due).await?)
}

/// Sends what a brand's commands caused: what follows their answers.
#[must_use]
pub fn send_noted(app: App, told: Vec<BrandId>) -> Pending<'static, ()> {
    Box::pin(async move {
        for brand in told {
            let sent = async {
                app.db().run(rows::spread(brand, MOST_NEWS)).await?;
                let due = rows::due(app.db(), Some(brand), app.now_ms(), MOST_ENDPOINTS).await?;
                send_to(&app, due).await
            };
            if let Err(error) = sent.await {
                let detail = error.to_string();
                app.log
                    .write(&json!({ "event": "webhooks_left", "brand": brand, "detail": detail }));
            }
        }
    })
}

/// Works at these endpoints, a few side by side.
async fn send_to(app: &App, due: Vec<DueRow>) -> Result<i64, DbError> {
    let run = Run { begun_ms: app.now_ms(), claims: AtomicU32::new(MOST_CLAIMS) };
    let (waiting, outcome) = (Mutex::new(VecDeque::from(due)), Mutex::new(Ok(0)));
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.pop_front());
    let lane = || async {
        while let Some(due) = next() {
            let told = at_endpoint(app, &due, &run).await;
            if let Ok(mut outcome) = outcome.lock() {
                match told {
                    Ok(sent) => *outcome = outcome.clone().map(|all| all + sent),
                    Err(error) => *outcome = Err(error),
                }
            }
        }
    };
    let mut lanes: Vec<_> = (0..LANES).map(|_| Box::pin(lane())).collect();
    poll_fn(|context| {
        lanes.retain_mut(|lane| lane.as_mut().poll(context).is_pending());
        if lanes.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    drop(lanes);
    outcome.into_inner().unwrap_or(Ok(0))
}

/// What a run may still do.
struct Run {
    begun_ms: Millis,
    claims: AtomicU32,
}

impl Run {
    fn is_late(&self, app: &App) -> bool {
        app.now_ms() - self.begun_ms >= LONGEST_RUN_MS
    }

    /// Whether it may claim once more.
    fn may_claim(&self, app: &App) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        !self.is_late(app)
            && self.claims.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

/// An endpoint that is ours for a while.
struct Work<'a> {
    app: &'a App,
    due: &'a DueRow,
    url: String,
    secrets: Vec<Vec<u8>>,
    /// Why nothing may be sent there, if so.
    refused: Option<&'static str>,
}

/// Sends an endpoint what is due there, until something doesn't arrive.
async fn at_endpoint(app: &App, due: &DueRow, run: &Run) -> Result<i64, DbError> {
    if !run.may_claim(app) {
        return Ok(0);
    }
    let now_ms = app.now_ms();
    let mut until_ms = now_ms + LEASE_MS;
    let taken = rows::take(app.db(), due, now_ms, until_ms).await?;
    let Some(taken) = taken else { return Ok(0) };
    let (mut failures, mut failing_since_ms) = (taken.failures, taken.failing_since_ms);
    let work = Work {
        app,
        due,
        secrets: secrets(app, due.id, &taken),
        refused: refused(app, &taken.url).await?,
        url: taken.url,
    };
    let mut arrived = 0;
    loop {
        let now_ms = app.now_ms();
        let claim = (now_ms, now_ms + LEASE_MS);
        let claimed = rows::claim(app.db(), due, claim, CLAIMED_AT_ONCE).await?;
        let all = claimed.len() == CLAIMED_AT_ONCE as usize;
        let pass = work.pass(claimed, run).await;
        arrived += pass.arrived;
        if pass.arrived > 0 {
            (failures, failing_since_ms) = (0, None);
        }
        let now_ms = app.now_ms();
        let mut standing =
            Standing { failures, failing_since_ms, pause: "", rest_until_ms: now_ms };
        if let Some(failed) = pass.failed {
            let since_ms = failing_since_ms.unwrap_or(now_ms);
            let over = now_ms - since_ms >= WINDOW_MS;
            standing = Standing {
                failures: failures.saturating_add(1),
                failing_since_ms: Some(since_ms),
                pause: match failed {
                    Answer::Gone => "gone",
                    _ if over => "failing",
                    _ => "",
                },
                rest_until_ms: now_ms + rest_ms(failures.saturating_add(1)),
            };
        }
        let goes_on = all && pass.failed.is_none() && run.may_claim(app);
        if goes_on {
            // Ours still: the lease is prolonged with what came of it.
            standing.rest_until_ms = now_ms + LEASE_MS;
        }
        let settled = list_of(&pass.settled);
        let mut batch = rows::settle(due, &settled, &standing, until_ms);
        if !standing.pause.is_empty() {
            batch.extend(paused(app, due, &work.url, standing).await?);
        }
        let results = match app.db().run(batch).await {
            Ok(results) => results,
            // Our time was over: how it stands is theirs to say who took it meanwhile.
            Err(DbError::Constraint(_)) => {
                app.db().run(vec![rows::settle_claims(due, &settled)]).await?;
                return Ok(arrived);
            }
            Err(error) => return Err(error),
        };
        match rows::leased(&results)? {
            Some(until) if goes_on => until_ms = until,
            _ => return Ok(arrived),
        }
    }
}

/// What came of a few tries, one after the other.
#[derive(Default)]
struct Pass {
    arrived: i64,
    failed: Option<Answer>,
    /// JSON of each.
    settled: Vec<String>,
}

impl Work<'_> {
    /// Sends what was claimed, in order, until something fails; what wasn't tried waits on as before.
    async fn pass(&self, mut claimed: Vec<ClaimedRow>, run: &Run) -> Pass {
        claimed.sort_by_key(|row| row.sequence);
        let mut pass = Pass::default();
        for row in claimed {
            if pass.failed.is_some() || run.is_late(self.app) {
                pass.settled.push(untried(&row, self.app.now_ms()));
                continue;
            }
            let (told, status, why) = self.send(&row).await;
            let now_ms = self.app.now_ms();
            let (state, due_ms, at_ms) = match told {
                Answer::Taken => ("delivered", now_ms, Some(now_ms)),
                _ if now_ms - row.first_tried_at_ms >= WINDOW_MS => ("failed", now_ms, None),
                Answer::Gone => ("waiting", now_ms, None),
                Answer::Failed(asked_ms) => {
                    let [random] = self.app.random();
                    ("waiting", now_ms + wait_ms(row.tries, asked_ms, random), None)
                }
            };
            match told {
                Answer::Taken => pass.arrived += 1,
                failed => pass.failed = Some(failed),
            }
            pass.settled.push(json!({ "sequence": row.sequence, "claimed": row.tries,
                "tries": row.tries, "state": state, "status": status, "error": why,
                "due": due_ms, "at": at_ms }));
        }
        pass
    }

    /// Hands one event over: what the answer means, its status, and why it doesn't count.
    async fn send(&self, row: &ClaimedRow) -> (Answer, Option<u16>, String) {
        let app = self.app;
        let failed = |why: &str| (Answer::Failed(0), None, why.to_owned());
        if let Some(why) = self.refused {
            return failed(&format!("not sent: the address {why}"));
        }
        let Some(body) = body(app, row) else {
            return failed("not sent: the event can't be written");
        };
        let (id, at_s) = (event_id(self.due.brand_id, row.sequence), app.now_ms().div_euclid(1000));
        let secrets: Vec<&[u8]> = self.secrets.iter().map(Vec::as_slice).collect();
        let signature = signed::sign(body.as_bytes(), &id, at_s, &secrets);
        if signature.is_empty() {
            return failed("not sent: the secret can't be opened");
        }
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "Tributary".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", at_s.to_string()),
            ("webhook-signature", signature),
        ];
        let url = self.url.clone();
        let request = WebRequest { method: "POST", url, headers, body: Some(&body), limit: 0 };
        match app.http.send(request).await {
            Ok(told) => match answer(told.status, &told.retry_after) {
                Answer::Taken => (Answer::Taken, Some(told.status), String::new()),
                failed => (failed, Some(told.status), words(told.status)),
            },
            // What the runtime says of it may name addresses: the log has none of that.
            Err(_) => failed("no answer: unreachable, or it took longer than 15 seconds"),
        }
    }
}

/// What was claimed and not tried after all.
fn untried(row: &ClaimedRow, now_ms: Millis) -> String {
    json!({ "sequence": row.sequence, "claimed": row.tries, "tries": row.tries.saturating_sub(1),
        "state": "waiting", "status": None::<u16>, "error": "", "due": now_ms, "at": None::<i64> })
}

/// The secrets that sign, the newest first.
fn secrets(app: &App, id: EndpointId, taken: &TakenRow) -> Vec<Vec<u8>> {
    let live = taken.previous_until_ms.is_some_and(|until| until > app.now_ms());
    let previous = taken.previous_sealed.as_ref().filter(|_| live);
    let sealed = std::iter::once(&taken.secret_sealed).chain(previous);
    sealed.filter_map(|sealed| app.config.data_key.open(&id.to_string(), sealed)).collect()
}

/// Why an address may not be sent to: its form, or because it is ours.
///
/// # Errors
/// [`DbError`]
pub async fn refused(app: &App, url: &str) -> Result<Option<&'static str>, DbError> {
    let host = match host_of(url, app.config.local) {
        Ok(host) => normal_host(host),
        Err(why) => return Ok(Some(why)),
    };
    let own = app.config.public_origin.split("://").nth(1).map(normal_host).unwrap_or_default();
    let leads = app.config.link_target.as_deref().map(normal_host).unwrap_or_default();
    let within = |ours: &str| {
        !ours.is_empty()
            && (host == ours || host.strip_suffix(ours).is_some_and(|sub| sub.ends_with('.')))
    };
    let loopback = app.config.local && matches!(&*host, "127.0.0.1" | "localhost" | "[::1]");
    if !loopback && (within(&own) || within(&leads)) {
        return Ok(Some("is Tributary's own"));
    }
    Ok(brands::host(app.db(), &host).await?.map(|_| "is a link domain"))
}

/// What is told of a pause, and that it is noted.
async fn paused(
    app: &App,
    due: &DueRow,
    url: &str,
    standing: Standing,
) -> Result<Vec<Statement>, DbError> {
    let told = Some(json!({ "state": "paused", "paused": standing.pause }));
    let id = due.id.to_string();
    let mut batch = vec![note(app, due.brand_id, &BY, "webhook_endpoint.pause", &id, None, told)];
    let owner = brands::owner(app.db(), due.brand_id).await?;
    if let Some(owner) = owner.filter(|owner| is_one_address(&owner.owner_email)) {
        let host = host_of(url, app.config.local).unwrap_or("?");
        let gone = standing.pause == "gone";
        let letter = Letter::WebhookPaused { brand: &owner.name, host, gone };
        // Once per time that it began to fail.
        let cause = format!("webhook/{id}/{}", standing.failing_since_ms.unwrap_or_default());
        let to = &owner.owner_email;
        batch.extend(compose(app, Some(due.brand_id), &cause, to, &letter));
    }
    Ok(batch)
}

/// What is sent: type, time, number in the brand, and what the row was then as the API shows such things.
fn body(app: &App, row: &ClaimedRow) -> Option<String> {
    let (kind, data, at_ms): (String, String, i64) = from_json(&row.event)?;
    let data = parse(&data).ok()?;
    let data = data.as_object()?;
    let of = |name: &str| data.get(name).and_then(serde_json::Value::as_str);
    let currency: Option<Currency> = of("currency").and_then(|code| code.parse().ok());
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in data {
        let number = value.as_i64();
        if let Some(name) = name.strip_suffix("_minor") {
            let money = number.zip(currency).map(|(minor, currency)| Money::new(minor, currency));
            fields.push((name.to_owned(), json!(money)));
        } else if let Some(name) = name.strip_suffix("_at_ms") {
            fields.push((format!("{name}_at"), json!(number.map(to_rfc3339))));
        } else if let Some(name) = name.strip_suffix("_day") {
            fields.push((format!("{name}_on"), json!(number.map(|day| Day(day).to_iso()))));
        } else {
            fields.push((name.clone(), value.to_string()));
        }
    }
    if let (Some(host), Some(slug)) = (of("host"), of("slug")) {
        fields.push(("url".to_owned(), json!(link_url(app, host, slug))));
    }
    let values: Vec<Raw<'_>> = fields.iter().map(|(_, value)| Raw(value)).collect();
    let names = fields.iter().map(|(name, _)| name.as_str());
    let data: Vec<(&str, &dyn ToJson)> =
        names.zip(values.iter().map(|value| value as &dyn ToJson)).collect();
    let data = text(&Fields(&data));
    Some(json!({ "type": kind, "timestamp": to_rfc3339(at_ms), "sequence": row.sequence,
        "data": Raw(&data) }))
}
