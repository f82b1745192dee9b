//! A message to a deal's creator: from a template or written, looked at with its fields filled in, and sent.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Deal, DealId};
use crate::domain::template::FIELDS;
use crate::error::{Error, Result};
use crate::web::api::creators::{self, CreatorView};
use crate::web::api::deals as api;
use crate::web::api::messages;
use crate::web::api::templates::{self, MessagePreview, TemplateView};
use crate::web::extract::{Body, ItemId, Params, PathId};
use crate::web::handler::{Json, State, Tagged};
use crate::web::message::Response;
use crate::web::once::{Once, Perhaps};
use crate::web::pages::form;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui;

use super::body;

#[derive(Template)]
#[template(path = "brand/message.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    id: DealId,
    creator: CreatorView,
    templates: Vec<TemplateView>,
    chosen: &'a str,
    subject: &'a str,
    text: &'a str,
    preview: Option<MessagePreview>,
    wrong: &'a str,
    may_change: bool,
}

/// What stands in the form.
#[derive(Default)]
struct Draft {
    template: String,
    subject: String,
    text: String,
}

/// What a message says for this deal; what is empty for it is told as what is wrong.
async fn preview(app: &App, at: &At, id: DealId, draft: &Draft) -> Result<MessagePreview> {
    let told = [("deal_id", &*id.to_string()), ("subject", &draft.subject), ("text", &draft.text)];
    let of = Body(body(&told)?);
    Ok(templates::preview_text(State(app.clone()), at.seat.caller()?, of).await?.0)
}

async fn page(
    app: App,
    at: At,
    id: DealId,
    draft: &Draft,
    said: (StatusCode, &str),
) -> Result<Response> {
    let state = || State(app.clone());
    let Tagged(deal) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let Tagged(creator) =
        creators::show(state(), at.seat.caller()?, PathId(deal.creator_id)).await?;
    let all = Params::of(&[("limit", "200")]);
    let Json(templates) = templates::list(state(), at.seat.caller()?, all).await?;
    let (mut status, mut told) = (said.0, said.1.to_owned());
    let mut shown = None;
    if told.is_empty() && !draft.text.is_empty() {
        match preview(&app, &at, id, draft).await {
            Ok(found) => shown = Some(found),
            Err(error) => (status, told) = wrong(*error)?,
        }
    }
    let csrf = at.csrf(&app);
    let title = format!("Write to {}", creator.name);
    let content = Page {
        home: &at.home,
        csrf: &csrf,
        once: form::once(&app),
        id,
        creator,
        templates: templates.data,
        chosen: &draft.template,
        subject: &draft.subject,
        text: &draft.text,
        preview: shown,
        wrong: &told,
        may_change: at.seat.may(Scope::Deals),
    };
    at.render((status, &title, Area::Board), &csrf, &content)
}

/// The form, empty, from a template or as an answer.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Deal>) -> Result<Response> {
    let mut draft = Draft::default();
    if !at.get("template").is_empty() {
        let template = at.get("template").parse().map_err(|_| Error::NotFound)?;
        let Tagged(found) =
            templates::show(State(app.clone()), at.seat.caller()?, PathId(template)).await?;
        draft = Draft { template: found.id.to_string(), subject: found.subject, text: found.text };
    } else if !at.get("reply").is_empty() {
        let all = Params::of(&[("limit", "200")]);
        let Json(found) =
            messages::list(State(app.clone()), at.seat.caller()?, PathId(id.0), all).await?;
        let one = found.data.into_iter().find(|message| message.id.to_string() == at.get("reply"));
        let subject = one.ok_or(Error::NotFound)?.subject;
        let again = subject.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("re:"));
        draft.subject = if again { subject } else { format!("Re: {subject}") };
    }
    page(app, at, id.0, &draft, (StatusCode::OK, "")).await
}

/// Shows what the message says, or sends it.
pub async fn send(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let [template, subject, text] =
        ["template", "subject", "text"].map(|name| sent.get(name).to_owned());
    let draft = Draft { template, subject, text: text.replace("\r\n", "\n") };
    if sent.get("do") != "send" {
        return page(app, sent.at, id.0, &draft, (StatusCode::OK, "")).await;
    }
    let work = async {
        let template = draft.template.parse().ok();
        let same = match template {
            Some(template) => {
                let Tagged(found) =
                    templates::show(State(app.clone()), sent.at.seat.caller()?, PathId(template))
                        .await?;
                found.subject.trim() == draft.subject.trim()
                    && found.text.trim() == draft.text.trim()
            }
            None => false,
        };
        // What was changed is no template's any more.
        let told = if same {
            vec![("template_id", &*draft.template)]
        } else {
            vec![("subject", &*draft.subject), ("text", &*draft.text)]
        };
        let new = Body(body(&told)?);
        let actor = sent.at.seat.session.person_id.to_string();
        let named = [&*id.0.to_string(), "message", &draft.subject, &draft.text];
        let once = Once::of_form(sent.get("once"), &actor, &named)?;
        let (caller, deal) = (sent.at.seat.caller()?, PathId(id.0));
        messages::create(State(app.clone()), caller, deal, Perhaps(Some(once)), new).await
    };
    match work.await {
        Ok(_) => Ok(sent.at.see(&format!("/deals/{}?done=sent", id.0))),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            page(app, sent.at, id.0, &draft, (status, &told)).await
        }
    }
}
