//! Templates: what is written to creators again and again; beside them the templates of terms and the sequences.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Template as Kind, TemplateId};
use crate::domain::template::FIELDS;
use crate::error::{Error, Result};
use crate::web::api::sequences::{self, SequenceView};
use crate::web::api::templates::{self as api, MessagePreview, TemplateView};
use crate::web::api::term_templates::{self, TermTemplateView};
use crate::web::extract::{Body, Caller, Changing, ItemId, Params, PathId, may};
use crate::web::handler::{Json, State, Tagged, etag};
use crate::web::json;
use crate::web::message::Response;
use crate::web::outreach;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html};

use super::super::read;
use super::{Picked, Wrong, area, choice};

#[derive(Template)]
#[template(path = "brand/workflows/templates.html")]
struct Listed<'a> {
    home: &'a str,
    messages: Vec<TemplateView>,
    terms: Vec<TermTemplateView>,
    sequences: Vec<SequenceView>,
    may_change: bool,
}

/// All of them. A brand has few: two hundred of each are shown.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let (state, many) = (|| State(app.clone()), || Params::of(&[("limit", "200")]));
    let Json(messages) = api::list(state(), at.seat.caller()?, many()).await?;
    let Json(terms) = term_templates::list(state(), at.seat.caller()?, many()).await?;
    let Json(sequences) = sequences::list(state(), at.seat.caller()?, many()).await?;
    let content = Listed {
        home: &at.home,
        messages: messages.data,
        terms: terms.data,
        sequences: sequences.data,
        may_change: at.seat.may(Scope::Deals),
    };
    at.render((StatusCode::OK, "Templates", Area::Automations), &at.csrf(&app), &content)
}

/// What a message would be, to whom and when.
struct Preview {
    to: String,
    /// Why it can't be sent; empty if it can.
    held: String,
    due_at_ms: i64,
    message: MessagePreview,
}

#[derive(Template)]
#[template(path = "brand/workflows/message.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    id: Option<TemplateId>,
    seen: &'a str,
    name: &'a str,
    subject: &'a str,
    text: &'a str,
    deal: &'a str,
    deals: Vec<Picked>,
    preview: Option<Preview>,
    wrong: Wrong,
    fields: &'static [(&'static str, &'static str)],
    may_change: bool,
}

impl Page<'_> {
    fn line(&self, name: &str, label: &str, value: &str) -> Html {
        let wrong = &*self.all(name);
        ui::field(&Field { name, label, value, wrong, required: true, ..Field::default() })
    }

    /// All that is wrong with a field: a text may name several that aren't known.
    fn all(&self, name: &str) -> String {
        let all = self.wrong.fields.iter().filter(|(field, _)| field == name);
        all.map(|(_, why)| format!("It {why}.")).collect::<Vec<_>>().join(" ")
    }

    fn text_area(&self) -> Html {
        let hint = "Plain text. What stands in {{ }} is filled in for each creator.";
        area(("text", "Text", 14), self.text, (hint, &self.all("text")))
    }

    fn deal_choice(&self) -> Html {
        let all = self.deals.iter().map(|one| (one.id.to_string(), one.label.clone()));
        choice(("deal", "As this deal would get it"), &all.collect::<Vec<_>>(), self.deal, ("", ""))
    }

    fn summary(&self) -> Html {
        self.wrong.summary(&|field| match field {
            "subject" => "The subject".to_owned(),
            "text" => "The text".to_owned(),
            "name" => "The name".to_owned(),
            other => other.replace('_', " "),
        })
    }
}

struct Writing<'a> {
    id: Option<TemplateId>,
    seen: &'a str,
    texts: [&'a str; 3],
    deal: &'a str,
    preview: Option<Preview>,
    wrong: Wrong,
}

async fn page(app: &App, at: &At, writing: Writing<'_>) -> Result<Response> {
    let Writing { id, seen, texts: [name, subject, text], deal, preview, wrong } = writing;
    let csrf = at.csrf(app);
    let deals = super::deals(app, at, "", "").await?;
    let first = deals.first().map(|one| one.id.to_string()).unwrap_or_default();
    let status = wrong.status;
    let may_change = at.seat.may(Scope::Deals);
    let content = Page {
        home: &at.home,
        csrf: &csrf,
        id,
        seen,
        name,
        subject,
        text,
        deal: if deal.is_empty() { &first } else { deal },
        deals,
        preview,
        wrong,
        fields: FIELDS,
        may_change,
    };
    let title = match id {
        Some(_) if may_change => "Edit the message",
        Some(_) => "Message",
        None => "New message",
    };
    at.render((status, title, Area::Automations), &csrf, &content)
}

/// An empty one.
pub async fn new(State(app): State<App>, at: At) -> Result<Response> {
    let _: Caller<may::Deals> = at.seat.caller()?;
    let (texts, wrong) = (["", "", ""], Wrong::default());
    page(&app, &at, Writing { id: None, seen: "", texts, deal: "", preview: None, wrong }).await
}

/// One that is there.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Kind>) -> Result<Response> {
    let Tagged(view) = api::show(State(app.clone()), at.seat.caller()?, PathId(id.0)).await?;
    let seen = etag(&json::text(&view));
    let texts = [view.name.as_str(), &view.subject, &view.text];
    let (id, wrong) = (Some(id.0), Wrong::default());
    page(&app, &at, Writing { id, seen: &seen, texts, deal: "", preview: None, wrong }).await
}

async fn previewed(app: &App, sent: &Sent) -> Result<Preview> {
    let [subject, text, deal] = ["subject", "text", "deal"].map(|name| sent.get(name));
    // Empty texts are said as such, not as fields that are missing.
    let told = serde_json::json!({ "deal_id": deal, "subject": subject, "text": text });
    let of = Body(read(&told)?);
    let at = &sent.at;
    let Json(message) = api::preview_text(State(app.clone()), at.seat.caller()?, of).await?;
    let deal = deal.parse().map_err(|e| Error::invalid("deal_id", e))?;
    let outreach = outreach::load(app, at.seat.member()?.brand_id, deal).await?;
    let (to, held) = match outreach.address() {
        Ok(to) => (to.to_owned(), String::new()),
        Err(error) => match *error {
            Error::Refused { detail, .. } => (String::new(), detail.to_string()),
            other => return Err(other.into()),
        },
    };
    Ok(Preview { to, held, due_at_ms: outreach.next(app.now_ms()), message })
}

async fn saved(app: &App, sent: &Sent, id: Option<TemplateId>) -> Result<TemplateId> {
    let caller = sent.at.seat.caller()?;
    let texts = ["name", "subject", "text"].map(|name| (name, sent.get(name)));
    let texts = texts.map(|(name, text)| (name.to_owned(), serde_json::Value::from(text)));
    let told = serde_json::Value::Object(texts.into_iter().collect());
    match id {
        Some(id) => {
            let told = Changing::seen(read(&told)?, sent.get("seen"));
            let Tagged(view) = api::update(State(app.clone()), caller, PathId(id), told).await?;
            Ok(view.id)
        }
        None => {
            let new = Body(read(&told)?);
            let (_, Json(view)) = api::create(State(app.clone()), caller, new).await?;
            Ok(view.id)
        }
    }
}

async fn sent(app: App, sent: Sent, id: Option<TemplateId>) -> Result<Response> {
    let (mut wrong, mut preview) = (Wrong::default(), None);
    if sent.get("act") == "preview" {
        match previewed(&app, &sent).await {
            Ok(found) => preview = Some(found),
            Err(error) => {
                wrong = Wrong::of(*error)?;
                if !wrong.fields.is_empty() {
                    wrong.told = "It can’t be sent to this creator like this.".to_owned();
                }
            }
        }
    } else {
        match saved(&app, &sent, id).await {
            Ok(id) => return Ok(sent.at.see(&format!("/templates/{id}?done=saved"))),
            Err(error) => wrong = Wrong::of(*error)?,
        }
    }
    let texts = ["name", "subject", "text"].map(|name| sent.get(name));
    let (seen, deal) = (sent.get("seen"), sent.get("deal"));
    page(&app, &sent.at, Writing { id, seen, texts, deal, preview, wrong }).await
}

/// Makes one, or shows what it would say.
pub async fn create(State(app): State<App>, form: Sent) -> Result<Response> {
    sent(app, form, None).await
}

/// Saves one, or shows what it would say.
pub async fn save(State(app): State<App>, form: Sent, id: ItemId<Kind>) -> Result<Response> {
    sent(app, form, Some(id.0)).await
}

/// Deletes one that no sequence needs.
pub async fn remove(State(app): State<App>, sent: Sent, id: ItemId<Kind>) -> Result<Response> {
    let (state, at) = (|| State(app.clone()), &sent.at);
    match api::remove(state(), at.seat.caller()?, PathId(id.0)).await {
        Ok(_) => Ok(at.see("/templates?done=removed")),
        Err(error) => {
            let wrong = Wrong::of(*error)?;
            let Tagged(view) = api::show(state(), at.seat.caller()?, PathId(id.0)).await?;
            let seen = etag(&json::text(&view));
            let texts = [view.name.as_str(), &view.subject, &view.text];
            let id = Some(id.0);
            page(&app, at, Writing { id, seen: &seen, texts, deal: "", preview: None, wrong }).await
        }
    }
}
