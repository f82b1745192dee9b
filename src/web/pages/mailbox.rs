//! The mailbox of a local run: what would have been sent. Deployed, there is no such page.

use askama::Template;
use http::StatusCode;

use super::{Page, render, time};
use crate::app::App;
use crate::domain::ids::{Mail, MailId};
use crate::error::{Error, Result};
use crate::storage::mails;
use crate::web::extract::PathId;
use crate::web::handler::State;
use crate::web::mail::opened;
use crate::web::message::Response;

/// So many mails are shown.
const MOST: u32 = 100;

#[derive(Template)]
#[template(path = "mailbox.html")]
struct Mailbox {
    mails: Vec<Line>,
}

struct Line {
    id: MailId,
    kind: String,
    to: String,
    state: String,
    error: String,
    at: String,
    subject: String,
    text: String,
    link: String,
}

fn is_local(app: &App) -> Result<()> {
    app.config.local.then_some(()).ok_or_else(|| Error::NotFound.into())
}

/// The latest mails of everyone.
pub async fn list(State(app): State<App>) -> Result<Response> {
    is_local(&app)?;
    let found = mails::recent(app.db(), MOST).await?;
    let lines = found.into_iter().map(|mail| {
        let written = mail.content.as_deref().and_then(|content| opened(&app, mail.id, content));
        let (subject, text) =
            written.map_or((mail.kind.clone(), String::new()), |w| (w.subject, w.text));
        let mut words = text.split_whitespace();
        let link = words.find(|word| word.starts_with(&app.config.public_origin));
        Line {
            id: mail.id,
            kind: mail.kind,
            to: mail.recipient,
            state: mail.state,
            error: mail.error,
            at: time(mail.created_at_ms),
            link: link.unwrap_or_default().to_owned(),
            subject,
            text,
        }
    });
    let page = Page { title: "Mailbox", width: "text", scripted: true, who: None };
    render(StatusCode::OK, &page, &Mailbox { mails: lines.collect() })
}

/// A mail as a mail reader would show it: a page that can do nothing.
pub async fn show(State(app): State<App>, id: PathId<Mail>) -> Result<Response> {
    is_local(&app)?;
    let found = mails::recent(app.db(), MOST).await?;
    let mail = found.into_iter().find(|mail| mail.id == id.0).ok_or(Error::NotFound)?;
    let written = mail.content.as_deref().and_then(|content| opened(&app, mail.id, content));
    let html = written.ok_or(Error::NotFound)?.html;
    let mut response = Response::new(StatusCode::OK, "text/html; charset=utf-8", html);
    let nothing = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    response.set("content-security-policy", nothing);
    Ok(response)
}
