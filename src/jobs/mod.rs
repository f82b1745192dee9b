//! What runs without a person waiting: the overflow queue's consumer and the cron jobs.
//!
//! Every job is safe to run twice and at the same time as another run of itself, and records its
//! last run for `GET /v1/status`.

pub mod actions;
pub mod bulk;
pub mod code_watch;
pub mod codes;
pub mod collections;
pub mod connecting;
pub mod domains;
pub mod drafts;
pub mod fees;
pub mod goaffpro;
pub mod group_codes;
pub mod hooks;
pub mod hostnames;
pub mod inbound;
pub mod mail;
pub mod order;
mod orders_at_once;
pub mod outbox;
pub mod outreach;
pub mod payments;
pub mod paypal;
pub mod privacy;
pub mod ranks;
pub mod release;
pub mod retention;
pub mod rewrap;
pub mod seal;
pub mod shopify;
pub mod sync;
pub mod tiers;
pub mod verify;

use crate::app::{App, Pending};
use crate::domain::auth::Actor;
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::storage::audit::{self, Done};
use crate::storage::jobs::{self, JobRun};
use crate::storage::{Statement, brands, quarantine};

const DAY_MINUTES: i64 = 24 * 60;
/// How long an unusable body is kept.
const QUARANTINE_BODY_MS: Millis = 14 * 24 * 3_600_000;

/// Runs what is due in the minute a trigger was meant for: sealing, and stores to be looked at, every five
/// minutes; what is due at stores; releases,
/// expiry, re-wrapping, tiers, planned fees and drafts of payouts every hour, old mails, retention and looks at codes
/// and collections every night (minutes apart, for each run has its own share of queries); redactions, webhooks,
/// mails, messages, payments and bulk actions that wait every minute; domain checks, which
/// may wait for other hosts, every minute and last.
pub async fn run_due(app: &App, scheduled_ms: Millis) {
    let minute = scheduled_ms.div_euclid(60_000);
    if minute % 5 == 0 {
        recorded(app, "seal_ledger", Box::pin(seal::seal_all(app))).await;
    }
    if minute % 5 == 4 {
        recorded(app, "schedule_syncs", sync::schedule(app, sync::Due::at(minute))).await;
    }
    match minute % 60 {
        1 => recorded(app, "release_holds", Box::pin(release::release_all(app))).await,
        2 => recorded(app, "expire_quarantine", Box::pin(expire_quarantine(app))).await,
        3 => recorded(app, "rewrap", Box::pin(rewrap::rewrap_all(app))).await,
        5 => recorded(app, "tiers", Box::pin(tiers::climb_all(app))).await,
        4 if minute % DAY_MINUTES == 4 => {
            recorded(app, "retention", Box::pin(retention::sweep(app))).await;
        }
        7 => recorded(app, "post_fees", Box::pin(fees::post_due(app))).await,
        8 => recorded(app, "draft_payouts", Box::pin(drafts::draft_due(app))).await,
        11 if minute % DAY_MINUTES == 11 => {
            recorded(app, "watch_codes", Box::pin(code_watch::watch_all(app))).await;
        }
        13 if minute % DAY_MINUTES == 13 => {
            let watch = Box::pin(collections::watch_all(app));
            recorded(app, "watch_collections", watch).await;
        }
        _ => (),
    }
    if minute % 5 == 1 {
        recorded(app, "look_at_stores", Box::pin(connecting::look_at_due(app))).await;
    }
    let redact = Box::pin(privacy::redact_all(app, minute % 60 == 6));
    recorded(app, "redact", redact).await;
    if minute % 1440 == 3 {
        recorded(app, "expire_mails", Box::pin(mail::expire(app))).await;
    }
    recorded(app, "rank_deals", Box::pin(ranks::rank_all(app))).await;
    recorded(app, "webhooks", Box::pin(hooks::send_due(app))).await;
    recorded(app, "send_mails", Box::pin(mail::send_waiting(app))).await;
    recorded(app, "outreach", Box::pin(outreach::send_due_messages(app))).await;
    recorded(app, "send_payouts", Box::pin(payments::send_due(app))).await;
    recorded(app, "bulk_actions", Box::pin(bulk::run_due(app))).await;
    recorded(app, "outbox", Box::pin(outbox::run_due(app))).await;
    recorded(app, "verify_domains", Box::pin(domains::verify_pending(app))).await;
}

/// Runs every job now, whatever the time: local runs and tests call it.
pub async fn run_all(app: &App) {
    recorded(app, "release_holds", Box::pin(release::release_all(app))).await;
    recorded(app, "tiers", Box::pin(tiers::climb_all(app))).await;
    recorded(app, "rank_deals", Box::pin(ranks::rank_all(app))).await;
    recorded(app, "post_fees", Box::pin(fees::post_due(app))).await;
    recorded(app, "draft_payouts", Box::pin(drafts::draft_due(app))).await;
    recorded(app, "watch_codes", Box::pin(code_watch::watch_all(app))).await;
    recorded(app, "watch_collections", Box::pin(collections::watch_all(app))).await;
    recorded(app, "seal_ledger", Box::pin(seal::seal_all(app))).await;
    recorded(app, "expire_quarantine", Box::pin(expire_quarantine(app))).await;
    recorded(app, "rewrap", Box::pin(rewrap::rewrap_all(app))).await;
    recorded(app, "retention", Box::pin(retention::sweep(app))).await;
    recorded(app, "redact", Box::pin(privacy::redact_all(app, true))).await;
    recorded(app, "expire_mails", Box::pin(mail::expire(app))).await;
    recorded(app, "webhooks", Box::pin(hooks::send_due(app))).await;
    recorded(app, "send_mails", Box::pin(mail::send_waiting(app))).await;
    recorded(app, "outreach", Box::pin(outreach::send_due_messages(app))).await;
    recorded(app, "send_payouts", Box::pin(payments::send_due(app))).await;
    recorded(app, "bulk_actions", Box::pin(bulk::run_due(app))).await;
    recorded(app, "look_at_stores", Box::pin(connecting::look_at_due(app))).await;
    recorded(app, "schedule_syncs", sync::schedule(app, sync::Due::ALL)).await;
    recorded(app, "outbox", Box::pin(outbox::run_due(app))).await;
    recorded(app, "verify_domains", Box::pin(domains::verify_pending(app))).await;
}

/// Notes what a job changes of a brand (of none: what is the operator's), in the batch that changes
/// it: `before` and `after` are counts, not what is counted.
fn noted(
    app: &App,
    brand: Option<BrandId>,
    (job, action): (&'static str, &'static str),
    before: Option<String>,
    after: Option<String>,
) -> Statement {
    let (id, actor) = (app.new_id(), Actor::Job(job));
    let subject = &brand.map_or_else(|| job.to_owned(), |brand| brand.to_string());
    let done = Done { id, actor, action, subject, request_id: "", before, after };
    audit::note(brand, &done, app.now_ms())
}

/// Does something for every brand. What fails for one is logged and doesn't keep it from the next;
/// the job then counts as failed.
async fn for_every_brand(
    app: &App,
    job: for<'a> fn(&'a App, BrandId) -> Pending<'a, Result<i64>>,
) -> Result<i64> {
    let mut handled = 0;
    let mut failed = None;
    for brand in brands::all_ids(app.db()).await? {
        match job(app, brand).await {
            Ok(done) => handled += done,
            Err(error) => {
                let detail = format!("{error:?}");
                app.log
                    .write(&json!({ "event": "job_failed_for", "brand": brand, "detail": detail }));
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(handled), Err)
}

/// Runs a job and stores how it went. A job that fails is logged and tried again at its next time.
async fn recorded(app: &App, name: &str, job: Pending<'_, Result<i64>>) {
    let started_at_ms = app.now_ms();
    let outcome = job.await;
    let (succeeded, handled, detail) = match &outcome {
        Ok(handled) => (1, *handled, String::new()),
        Err(error) => (0, 0, error.to_string()),
    };
    if let Err(error) = &outcome {
        let what = format!("{error:?}");
        app.log.write(&json!({ "event": "job_failed", "job": name, "detail": what }));
    }
    let finished_at_ms = app.now_ms();
    let name = name.to_owned();
    let run = JobRun { name, started_at_ms, finished_at_ms, succeeded, handled, detail };
    // Without a database there is nowhere to note it; the next run will tell.
    let _ = app.db().run(vec![jobs::record(&run)]).await;
    app.memory.remember_status(None, finished_at_ms);
}

async fn expire_quarantine(app: &App) -> Result<i64> {
    for_every_brand(app, |app, brand| {
        Box::pin(async move {
            let before_ms = app.now_ms() - QUARANTINE_BODY_MS;
            app.db().run(quarantine::expire(brand, before_ms, app.new_id(), app.now_ms())).await?;
            Ok(1)
        })
    })
    .await
}
