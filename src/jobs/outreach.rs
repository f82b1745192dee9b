//! Messages whose time has come, and the steps of sequences that are due.

use crate::app::App;
use crate::domain::ids::MessageId;
use crate::domain::json::json;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::messages as rows;
use crate::storage::sequences::{self, DueRow};
use crate::storage::templates;
use crate::web::outreach::{Origin, load, put, send_due, settle, templates as read, was_done};

use super::{mail, noted};

/// So many a run of each; the next run goes on.
const MOST_A_RUN: u32 = 40;
/// No other is begun later than this.
const LONGEST_RUN_MS: Millis = 20_000;
const HOUR_MS: Millis = 3_600_000;

/// Sends due steps of sequences, then messages that waited. What fails for one doesn't keep the others.
///
/// # Errors
/// 503; the last that failed.
pub async fn send_due_messages(app: &App) -> Result<i64> {
    let app = &app.for_request();
    let now_ms = app.now_ms();
    let (mut sent, mut failed) = (0, None);
    for due in sequences::due(app.db(), now_ms, MOST_A_RUN).await? {
        if app.now_ms() - now_ms >= LONGEST_RUN_MS {
            break;
        }
        match send_step(app, &due).await {
            Ok(()) => sent += 1,
            Err(error) => failed = Some(told(app, error)),
        }
    }
    for due in rows::due(app.db(), now_ms, MOST_A_RUN).await? {
        if app.now_ms() - now_ms >= LONGEST_RUN_MS {
            break;
        }
        match send_due(app, (due.brand_id, due.deal_id, due.id)).await {
            Ok(done) => sent += i64::from(done),
            Err(error) => failed = Some(told(app, error)),
        }
    }
    mail::send_noted(app.clone(), app.noted_mails()).await;
    failed.map_or(Ok(sent), Err)
}

fn told(app: &App, error: Box<Error>) -> Box<Error> {
    let detail = error.to_string();
    app.log.write(&json!({ "event": "message_left", "detail": detail }));
    error
}

/// Sends one step: its message and the place after it are one batch, which aborts if somebody else did
/// it or the sequence was stopped. A step that can't be sent to her stops the sequence, and says why.
async fn send_step(app: &App, due: &DueRow) -> Result<()> {
    let name = (due.brand_id, due.deal_id, due.id);
    let at = |step: i64| usize::try_from(step).ok().and_then(|step| due.steps.get(step));
    let Some(step) = at(due.step) else { return stop(app, due, "no such step").await };
    let template = templates::find(app.db(), due.brand_id, step.template_id).await?;
    let Some(template) = template else { return stop(app, due, "its template is gone").await };
    let outreach = load(app, due.brand_id, due.deal_id).await?;
    let drafted = read(&template.subject, &template.text).and_then(|text| outreach.draft(&text));
    let id: MessageId = app.new_id();
    let message = (due.brand_id, due.deal_id, id);
    let origin =
        Origin { template: Some(template.id), step: Some((due.id, due.step)), automatic: true };
    let put = drafted.and_then(|draft| put(app, &outreach, message, &draft, origin));
    let (mut batch, at_ms) = match put {
        Ok(put) => put,
        Err(error) => {
            let why = match *error {
                Error::Refused { rule, .. } => rule.to_owned(),
                Error::Invalid(wrong) => {
                    wrong.first().map(|w| w.reason.clone()).unwrap_or_default()
                }
                other => return Err(other.into()),
            };
            return stop(app, due, &why).await;
        }
    };
    // The next one counts from when this one goes out, which its window may have put off.
    let next = at(due.step + 1).map(|next| at_ms.max(app.now_ms()) + next.delay_hours * HOUR_MS);
    let note = json!({ "message_id": id, "template_id": template.id, "enrolment_id": due.id });
    batch.insert(0, sequences::advance(name, due.step, next));
    batch.push(noted(app, Some(due.brand_id), ("outreach", "message.send"), None, Some(note)));
    match app.db().run(batch).await {
        Ok(_) => settle(app, &outreach, message).await,
        Err(error) if was_done(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn stop(app: &App, due: &DueRow, why: &str) -> Result<()> {
    let name = (due.brand_id, due.deal_id, due.id);
    let after = json!({ "enrolment_id": due.id, "reason": why });
    let note = noted(app, Some(due.brand_id), ("outreach", "sequence.stop"), None, Some(after));
    app.db().run(vec![sequences::stop(name, why), note]).await?;
    Ok(())
}
