//! Sending mails: at once after the request that caused them, and what was missed every minute.
//!
//! A mail is sent at most once. It is claimed before it is handed over; what became of a claim that
//! nobody settled can't be known, and it is never sent again but shown as `unknown`.

use crate::app::{App, MailName, NotSent, Outgoing, Pending};
use crate::domain::json::json;
use crate::domain::letter::Written;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::partners::email_events;
use crate::storage::DbError;
use crate::storage::mails::{self, Claimed, Settled};
use crate::storage::rows::parse;
use crate::web::mail::opened;

/// A claim that isn't settled by then never will be: the mail service has 20 s to answer.
const LOST_AFTER_MS: Millis = 10 * 60_000;
/// What surely wasn't taken is tried so often: at once, then after 1, 2, 4 and 8 minutes.
const MOST_TRIES: u32 = 5;
const FIRST_RETRY_MS: Millis = 60_000;
/// A run of the job sends at most so many, each of which costs two calls of D1, and begins none
/// later than this: a mail service that hangs must not keep the other jobs.
const MOST_A_RUN: u32 = 100;
const LONGEST_RUN_MS: Millis = 40_000;
/// A sign-in link no longer works then.
const SIGN_IN_MS: Millis = 10 * 60_000;
/// Other letters are of use for longer than their tries take; if nobody tried, then no longer.
const USEFUL_MS: Millis = 24 * 3_600_000;
/// How long a mail stays in the list.
const KEPT_MS: Millis = 90 * 24 * 3_600_000;

/// Sends these mails, if their command put them: what follows its answer.
#[must_use]
pub fn send_noted(app: App, names: Vec<MailName>) -> Pending<'static, ()> {
    Box::pin(async move {
        for name in names {
            if let Err(error) = send(&app, name).await {
                // The job finds it, or finds out that nobody knows.
                let detail = error.to_string();
                app.log.write(&json!({ "event": "mail_left", "mail": name.1, "detail": detail }));
            }
        }
    })
}

/// Sends what waits, and gives up on claims that nobody settled.
pub async fn send_waiting(app: &App) -> Result<i64> {
    let now_ms = app.now_ms();
    let lost = "the sending broke off: it may have arrived, so it is not sent again";
    app.db().run(vec![mails::lose(now_ms, lost)]).await?;
    let mut sent = 0;
    for name in mails::due(app.db(), now_ms, MOST_A_RUN).await? {
        if app.now_ms() - now_ms >= LONGEST_RUN_MS {
            break;
        }
        sent += i64::from(send(app, name).await?);
    }
    Ok(sent)
}

/// Takes what the mail service tells of a mail that it took: from its queue, which nobody else can put
/// anything into.
///
/// # Errors
/// There is no such mail, perhaps not yet: the queue tells it again a few times.
pub async fn told(app: &App, event: &str) -> Result<(), String> {
    let event = parse(event).unwrap_or_default();
    let Some(fate) = email_events::read(&event) else { return Ok(()) };
    let bounced_at_ms = fate.bounced.then(|| app.now_ms());
    let found = mails::told(app.db(), &fate.service_id, bounced_at_ms, &fate.words).await;
    match found.map_err(|error| error.to_string())? {
        Some(_) => Ok(()),
        None => Err("no mail has this id".to_owned()),
    }
}

/// Deletes old mails from the list.
pub async fn expire(app: &App) -> Result<i64> {
    let now_ms = app.now_ms();
    app.db().run(mails::expire(now_ms - KEPT_MS, app.new_id(), now_ms)).await?;
    Ok(1)
}

/// Sends one mail, if it still waits and nobody else does; tells whether it is on its way.
async fn send(app: &App, name: MailName) -> Result<bool, DbError> {
    let lost_at_ms = app.now_ms() + LOST_AFTER_MS;
    let Some(mail) = mails::claim(app.db(), name, lost_at_ms).await? else { return Ok(false) };
    let settled = hand_over(app, name, mail).await;
    if !settled.error.is_empty() {
        let (state, error) = (settled.state, &settled.error);
        let line =
            json!({ "event": "mail_not_sent", "mail": name.1, "state": state, "error": error });
        app.log.write(&line);
    }
    app.db().run(vec![mails::settle(name, &settled)]).await?;
    Ok(settled.state == "sent")
}

async fn hand_over(app: &App, name: MailName, mail: Claimed) -> Settled {
    let local = app.config.local;
    let now_ms = app.now_ms();
    let ended = |state, error: &str| Settled {
        state,
        error: error.to_owned(),
        due_at_ms: None,
        sent_at_ms: None,
        keeps_content: local,
        service_id: None,
    };
    let useful_ms = if mail.kind == "sign_in" { SIGN_IN_MS } else { USEFUL_MS };
    if now_ms - mail.created_at_ms >= useful_ms {
        return ended("failed", "it could not be sent while it was of use");
    }
    let content = mail.content.as_deref().and_then(|sealed| opened(app, name.1, sealed));
    let Some(Written { subject, text, html, envelope }) = content else {
        return ended("failed", "its content can't be opened with this DATA_KEY");
    };
    let sent = Settled { sent_at_ms: Some(now_ms), ..ended("sent", "") };
    match app.mailer.send(&Outgoing { to: mail.recipient, subject, text, html, envelope }).await {
        Ok(id) => Settled { service_id: Some(id).filter(|id| !id.is_empty()), ..sent },
        // The mailbox page of a local run shows it.
        Err(NotSent::NoService) if local => sent,
        Err(NotSent::NoService) => ended("failed", "no mail service is bound to this deployment"),
        Err(NotSent::Refused(why)) => ended("failed", &why),
        Err(NotSent::Unknown(why)) => ended("unknown", &why),
        Err(NotSent::Later(why)) if mail.tries >= MOST_TRIES => ended("failed", &why),
        Err(NotSent::Later(why)) => Settled {
            due_at_ms: Some(now_ms + (FIRST_RETRY_MS << mail.tries.saturating_sub(1))),
            keeps_content: true,
            ..ended("waiting", &why)
        },
    }
}
