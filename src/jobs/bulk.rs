//! Bulk actions: one action on many deals, deal by deal.
//!
//! Whoever works at one has its lease; each deal is one batch (`actions::perform`) that holds the lease, does the
//! action and tells its result, so that a run may end anywhere and another goes on. A run takes so many statements;
//! it is begun after the answer and goes on by messages of the queue, which only wake: what is due stands in D1, and
//! the job of every minute looks for it too.

use std::sync::atomic::Ordering;

use super::actions::{Action, Cause, perform_prepared, prepare};
use super::{mail, noted};
use crate::app::App;
use crate::domain::auth::{Actor, Scope, Scopes};
use crate::domain::json::json;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::bulk::{self as rows, BulkRow, BulkState, DueRow, STOPPED};
use crate::storage::members;
use crate::web::extract::By;

/// What a message of the queue says that wakes bulk actions.
const WAKE: &str = "{\"wake\":\"bulk\"}";
/// Nobody else works at one for so long after a deal.
const LEASE_MS: Millis = 60_000;
/// A run begins no deal later than this.
const LONGEST_RUN_MS: Millis = 20_000;
/// A woken run begins no deal after so many statements: D1 takes a thousand in a request, a deal about fifteen.
const MOST_WOKEN: u32 = 700;
/// The job of the minute leaves most of its request to others.
const MOST_A_MINUTE: u32 = 200;
/// So many bulk actions are looked at in a run,
const MOST_BULKS: u32 = 10;
/// and so many deals at a time.
const PAGE: u32 = 50;
/// After a failure that isn't ours it goes on so much later;
const LATER_MS: Millis = 5_000;
/// a deal that was tried so often failed.
const MOST_TRIES: i64 = 20;

/// Whether a message of the queue is for bulk actions.
#[must_use]
pub fn is_wake(message: &str) -> bool {
    message == WAKE
}

/// Has somebody go on soon. If the queue is away the job of the minute does.
pub async fn wake(app: App) {
    let _ = app.queue.send(WAKE.to_owned()).await;
}

/// Goes on with what is due, in a request of its own.
pub async fn woken(app: &App) {
    if let Err(error) = run(app, MOST_WOKEN).await {
        let detail = error.to_string();
        app.log.write(&json!({ "event": "bulk_left", "detail": detail }));
    }
}

/// Goes on with what is due, and has others go on with the rest; tells how many deals were worked at.
///
/// # Errors
/// 503 if D1 was away: the next run goes on.
pub async fn run_due(app: &App) -> Result<i64> {
    run(app, MOST_A_MINUTE).await
}

async fn run(app: &App, most: u32) -> Result<i64> {
    let app = app.for_request();
    let begun_ms = app.now_ms();
    let (app, asked) = app.counting();
    let goes_on =
        || asked.load(Ordering::Relaxed) < most && app.now_ms() - begun_ms < LONGEST_RUN_MS;
    let (mut handled, mut failed, mut more) = (0, None, false);
    for due in rows::due(app.db(), begun_ms, MOST_BULKS).await? {
        if !goes_on() {
            more = true;
            break;
        }
        match work(&app, due, &goes_on).await {
            Ok((done, left)) => {
                handled += done;
                more |= left;
            }
            Err(error) => failed = Some(error),
        }
    }
    mail::send_noted(app.clone(), app.noted_mails()).await;
    if more {
        wake(app).await;
    }
    failed.map_or(Ok(handled), Err)
}

/// Works at one as long as that goes on; tells how many deals have a result by it, and whether there are more for
/// right now.
async fn work(app: &App, bulk: DueRow, goes_on: &(dyn Fn() -> bool + Sync)) -> Result<(i64, bool)> {
    let now_ms = app.now_ms();
    let taken = rows::take(app.db(), bulk, now_ms, now_ms + LEASE_MS).await?;
    let Some(row) = taken else { return Ok((0, false)) };
    let action = Action::read(&row.action)?;
    let Some(actor) = author(app, bulk, &row, action.scope()).await? else {
        return give_up(app, bulk).await.map(|()| (0, false));
    };
    let prepared = prepare(app, bulk.brand_id, &action).await;
    let prepared = prepared.map(|prepared| prepared.seen_at(row.created_at_ms));
    let name = format!("bulk/{}", bulk.id);
    let mut handled = 0;
    loop {
        let page = rows::waiting(app.db(), bulk, PAGE).await?;
        if page.is_empty() {
            app.db().run(vec![rows::finish(bulk, app.now_ms())]).await?;
            return Ok((handled, false));
        }
        for deal in page {
            if !goes_on() {
                app.db().run(vec![rows::give(bulk, app.now_ms())]).await?;
                return Ok((handled, true));
            }
            let cause = Cause {
                by: By { actor, request_id: &row.request_id },
                name: &name,
                first: vec![rows::hold(bulk, app.now_ms() + LEASE_MS)],
                last: vec![rows::tell(bulk, deal.place, &name)],
                stop: Some(STOPPED),
            };
            let asked = (&action, &prepared);
            match perform_prepared(app, bulk.brand_id, deal.deal_id, asked, &cause).await {
                Ok(_) => handled += 1,
                Err(error) => match *error {
                    // Somebody paused or cancelled it.
                    Error::Refused { .. } => return Ok((handled, false)),
                    Error::TooMany(seconds) => {
                        let wait_ms = (Millis::from(seconds) * 1000).clamp(LATER_MS, 3_600_000);
                        app.db().run(vec![rows::give(bulk, app.now_ms() + wait_ms)]).await?;
                        return Ok((handled, false));
                    }
                    error => {
                        if !left(app, bulk, deal.place, error).await? {
                            return Ok((handled, false));
                        }
                        handled += 1;
                    }
                },
            }
        }
    }
}

/// What follows for a deal with which something went wrong: it failed, if that was our fault or it was tried too
/// often; else it is tried again a little later (`false`).
async fn left(app: &App, bulk: DueRow, place: i64, error: Error) -> Result<bool> {
    let passing = matches!(error, Error::Unavailable(_));
    let tries = rows::tried(app.db(), bulk, place).await?;
    if passing && tries.first().is_none_or(|tries| *tries < MOST_TRIES) {
        app.db().run(vec![rows::give(bulk, app.now_ms() + LATER_MS)]).await?;
        return Ok(false);
    }
    let detail = error.to_string();
    app.log.write(
        &json!({ "event": "bulk_deal_failed", "bulk": bulk.id, "detail": format!("{error:?}") }),
    );
    let now_ms = app.now_ms();
    app.db().run(vec![rows::fail(bulk, place, &detail, now_ms)]).await?;
    Ok(true)
}

/// Who asked for it, if they may still do it.
async fn author(app: &App, bulk: DueRow, row: &BulkRow, scope: Scope) -> Result<Option<Actor>> {
    let (brand, now_ms) = (bulk.brand_id, app.now_ms());
    if row.actor_kind == "member" {
        let Ok(id) = row.actor_id.parse() else { return Ok(None) };
        let member = members::find(app.db(), brand, id).await?;
        let may = member.is_some_and(|member| member.role.scopes().allow(scope));
        return Ok(may.then_some(Actor::Member(id)));
    }
    let Ok(id) = row.actor_id.parse() else { return Ok(None) };
    let key = rows::key(app.db(), brand, &row.actor_id, now_ms).await?;
    let may = key.is_some_and(|key| {
        let scopes = Scopes::from_text(&key.scopes);
        let scopes = if key.money_keys { scopes } else { scopes.without(Scope::Money) };
        scopes.allow(scope)
    });
    Ok(may.then_some(Actor::Key(id)))
}

/// Ends one whose author may not do this any more.
async fn give_up(app: &App, bulk: DueRow) -> Result<()> {
    let why = "whoever asked for it may not do this any more";
    let told = Some(json!({ "bulk_action_id": bulk.id, "reason": why }));
    let what = ("bulk_actions", "bulk.cancel");
    let batch = vec![
        rows::change(bulk, BulkState::Cancelled, &["running"], why, app.now_ms()),
        noted(app, Some(bulk.brand_id), what, None, told),
    ];
    match app.db().run(batch).await {
        // Somebody else did so, or paused it: the next run looks again.
        Ok(_) | Err(crate::storage::DbError::Constraint(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
