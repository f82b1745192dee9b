//! Templates of messages, and what they say for a deal before anything is sent.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{DealId, Template, TemplateId};
use crate::error::{Error, Result};
use crate::storage::DbError;
use crate::storage::templates::{self as rows, TemplateRow};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Changing, Checks, Params, PathId, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::contended;
use crate::web::outreach::{self, Draft};

use super::view::{List, Time};

/// The longest subject that is written.
const MAX_SUBJECT: usize = 200;
/// The longest text that is written.
const MAX_TEXT: usize = 20_000;

body! {
    /// A new template.
    pub struct NewTemplate {
        name: String,
        /// One line, with merge fields such as `{{brand.name}}`.
        subject: String,
        /// Plain text, with merge fields.
        text: String,
    }
}

body! {
    /// What to change of a template; what is absent stays.
    pub struct TemplateChanges {
        name: Option<String>,
        subject: Option<String>,
        text: Option<String>,
    }
}

view! {
    /// A template.
    #[schema(as = MessageTemplate)]
    pub struct TemplateView {
        id: TemplateId,
        name: String,
        subject: String,
        text: String,
        created_at: Time,
        updated_at: Time,
    }
}

view! {
    /// A message as a creator would get it.
    pub struct MessagePreview {
        subject: String,
        text: String,
    }
}

impl From<TemplateRow> for TemplateView {
    fn from(row: TemplateRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            subject: row.subject,
            text: row.text,
            created_at: Time(row.created_at_ms),
            updated_at: Time(row.updated_at_ms),
        }
    }
}

impl From<Draft> for MessagePreview {
    fn from(draft: Draft) -> Self {
        Self { subject: draft.subject, text: draft.text }
    }
}

/// A text of several lines: not empty, not too long, no control characters but line breaks and tabs.
fn lines(checks: &mut Checks, field: &str, text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let value = if text.is_empty() {
        Err("must not be empty".to_owned())
    } else if text.chars().count() > MAX_TEXT {
        Err(format!("must have at most {MAX_TEXT} characters"))
    } else if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        Err("must not contain control characters".to_owned())
    } else {
        Ok(text.to_owned())
    };
    checks.field(field, value)
}

/// A subject and a text that somebody wrote, and the templates that they are.
///
/// # Errors
/// 422 naming all that is wrong.
pub(super) fn written(subject: &str, text: &str) -> Result<(String, String, outreach::Written)> {
    let mut checks = Checks::default();
    let subject = checks.text("subject", subject, MAX_SUBJECT);
    let text = lines(&mut checks, "text", text);
    checks.done()?;
    let (subject, text) = (subject.unwrap_or_default(), text.unwrap_or_default());
    let read = outreach::templates(&subject, &text)?;
    Ok((subject, text, read))
}

fn named(name: &str) -> Result<String> {
    let mut checks = Checks::default();
    let name = checks.text("name", name, 100);
    checks.done()?;
    Ok(name.unwrap_or_default())
}

/// Makes a template. A merge field that isn't known is refused.
#[utoipa::path(post, path = "/v1/message-templates", tag = "outreach", request_body = NewTemplate,
    security(("api_key" = ["deals"])), responses((status = 201, body = TemplateView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewTemplate>,
) -> Result<(StatusCode, Json<TemplateView>)> {
    let name = named(&new.name)?;
    let (subject, text, _) = written(&new.subject, &new.text)?;
    let (id, now_ms) = (app.new_id(), app.now_ms());
    let (created_at_ms, updated_at_ms) = (now_ms, now_ms);
    let row = TemplateRow { id, name, subject, text, revision: 0, created_at_ms, updated_at_ms };
    let insert = rows::insert(caller.brand, &row);
    let view = TemplateView::from(row);
    let note = caller.note(&app, "template.create", id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The brand's templates.
#[utoipa::path(get, path = "/v1/message-templates", tag = "outreach",
    security(("api_key" = ["read"])), params(("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<TemplateView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<TemplateView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), TemplateView::from)))
}

/// One template.
#[utoipa::path(get, path = "/v1/message-templates/{id}", tag = "outreach",
    security(("api_key" = ["read"])), params(("id" = TemplateId, Path)),
    responses((status = 200, body = TemplateView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Template>,
) -> Result<Tagged<TemplateView>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Tagged(row.into()))
}

/// Changes a template. What was sent stays as it was; steps of sequences that are still to come are
/// written from what it says then.
#[utoipa::path(patch, path = "/v1/message-templates/{id}", tag = "outreach",
    request_body = TemplateChanges, security(("api_key" = ["deals"])),
    params(("id" = TemplateId, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = TemplateView),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Template>,
    changing: Changing<TemplateChanges>,
) -> Result<Tagged<TemplateView>> {
    let mut row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let before = json::text(&TemplateView::from(row.clone()));
    changing.fits(&before)?;
    let changes = &changing.body;
    if let Some(name) = &changes.name {
        row.name = named(name)?;
    }
    let subject = changes.subject.as_ref().unwrap_or(&row.subject);
    let text = changes.text.as_ref().unwrap_or(&row.text);
    (row.subject, row.text, _) = written(subject, text)?;
    let now_ms = app.now_ms();
    let update = rows::update(caller.brand, &row, now_ms);
    let view = TemplateView::from(TemplateRow { updated_at_ms: now_ms, ..row });
    let after = Some(json::text(&view));
    let note = caller.note(&app, "template.update", id.0, Some(before), after);
    match app.db().run(vec![update, note]).await {
        Ok(_) => Ok(Tagged(view)),
        Err(DbError::Constraint(_)) => Err(contended()),
        Err(error) => Err(error.into()),
    }
}

/// Deletes a template. One that a sequence needs stays: 409 `template-in-use`.
#[utoipa::path(delete, path = "/v1/message-templates/{id}", tag = "outreach",
    security(("api_key" = ["deals"])), params(("id" = TemplateId, Path)),
    responses((status = 204, description = "Deleted"),
    (status = 409, description = "A sequence needs it")))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Template>,
) -> Result<Response> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let before = Some(json::text(&TemplateView::from(row)));
    let note = caller.note(&app, "template.delete", id.0, before, None);
    match app.db().run(vec![rows::delete(caller.brand, id.0), note]).await {
        Ok(_) => Ok(Response::empty(StatusCode::NO_CONTENT)),
        Err(error) if error.is_constraint("template_in_use") => {
            Err(Error::refused("template-in-use", "a sequence needs this template"))
        }
        Err(error) => Err(error.into()),
    }
}

body! {
    /// For which deal.
    pub struct PreviewOf {
        deal_id: String,
    }
}

body! {
    /// A message that isn't a template yet, and for which deal.
    pub struct PreviewOfText {
        deal_id: String,
        subject: String,
        text: String,
    }
}

fn deal_id(told: &str) -> Result<DealId> {
    told.parse().map_err(|e| Error::invalid("deal_id", e))
}

/// What a template says for a deal. Nothing is sent; a field that is empty for the deal is refused as it
/// would be before sending.
#[utoipa::path(post, path = "/v1/message-templates/{id}/preview", tag = "outreach",
    request_body = PreviewOf, security(("api_key" = ["read"])), params(("id" = TemplateId, Path)),
    responses((status = 200, body = MessagePreview)))]
pub async fn preview(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Template>,
    Body(of): Body<PreviewOf>,
) -> Result<Json<MessagePreview>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let read = outreach::templates(&row.subject, &row.text)?;
    let deal = outreach::load(&app, caller.brand, deal_id(&of.deal_id)?).await?;
    Ok(Json(deal.draft(&read)?.into()))
}

/// The same for a text that isn't saved.
#[utoipa::path(post, path = "/v1/messages/preview", tag = "outreach", request_body = PreviewOfText,
    security(("api_key" = ["read"])), responses((status = 200, body = MessagePreview)))]
pub async fn preview_text(
    State(app): State<App>,
    caller: Caller,
    Body(of): Body<PreviewOfText>,
) -> Result<Json<MessagePreview>> {
    let (_, _, read) = written(&of.subject, &of.text)?;
    let deal = outreach::load(&app, caller.brand, deal_id(&of.deal_id)?).await?;
    Ok(Json(deal.draft(&read)?.into()))
}
