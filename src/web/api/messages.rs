//! Messages to creators and the conversations they stand in; when messages go out.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, Deal, DealId, EnrolmentId, MessageId, TemplateId};
use crate::domain::json::json;
use crate::error::{Error, Result};
use crate::storage::messages::{self as rows, ConversationRow, MessageRow, SettingsRow};
use crate::storage::rows::from_json;
use crate::storage::{Statement, templates};
use crate::web::body::body;
use crate::web::extract::{Acting, Body, Caller, Checks, Params, PathId, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::{Perhaps, contended};
use crate::web::outreach::{self, Origin, Outreach, load, opened, put, settings_of, settle};

use super::deals::find;
use super::templates::written;
use super::view::{List, Time};

body! {
    /// A message: from a template, or written for this deal.
    pub struct NewMessage {
        template_id: Option<String>,
        subject: Option<String>,
        text: Option<String>,
    }
}

view! {
    /// A message.
    #[schema(as = Message)]
    pub struct MessageView {
        id: MessageId,
        /// `out`: to the creator; `in`: from her.
        direction: String,
        /// `scheduled` (it waits for `due_at`), `cancelled`, `received`, or how its mail does: `waiting`,
        /// `sending`, `sent`, `failed`, `unknown`, `bounced`.
        state: String,
        /// Why, where there is something to say.
        #[schema(required)]
        reason: Option<String>,
        subject: String,
        text: String,
        /// Who wrote it, of what came: the address that the mail names, which nobody has proven.
        #[schema(required)]
        from: Option<String>,
        /// What is to be said of what came: attachments that were refused, for example.
        #[schema(required)]
        note: Option<String>,
        /// A machine wrote it: out of office, or a mail that came back.
        automatic: bool,
        #[schema(required)]
        template_id: Option<TemplateId>,
        #[schema(required)]
        enrolment_id: Option<EnrolmentId>,
        created_at: Time,
        #[schema(required)]
        due_at: Option<Time>,
        #[schema(required)]
        sent_at: Option<Time>,
    }
}

fn view(app: &App, row: MessageRow) -> MessageView {
    let mut parts = opened(app, &row.id.to_string(), &row.content).unwrap_or_default().into_iter();
    let mut next = || parts.next().unwrap_or_default();
    let (subject, text, from, note) = (next(), next(), next(), next());
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    MessageView {
        id: row.id,
        direction: row.direction,
        state: row.state,
        reason: some(row.reason),
        subject,
        text,
        from: some(from),
        note: some(note),
        automatic: row.automatic,
        template_id: row.template_id,
        enrolment_id: row.enrolment_id,
        created_at: Time(row.created_at_ms),
        due_at: row.due_at_ms.map(Time),
        sent_at: row.sent_at_ms.map(Time),
    }
}

/// Writes to the deal's creator. It goes out at once if her day allows it, and else waits for the next
/// window: `scheduled`. The message has its fields filled in now, whenever it goes out. Called again with the same
/// Idempotency-Key it writes nothing, and tells how that message does.
#[utoipa::path(post, path = "/v1/deals/{id}/messages", tag = "outreach", request_body = NewMessage,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path),
    ("Idempotency-Key" = Option<String>, Header)), responses((status = 201, body = MessageView),
    (status = 409, description = "She has no address, was erased, or wants no more messages")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    once: Perhaps,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<MessageView>)> {
    if let Some(once) = &once.0
        && let Some(told) = once.stored(&app, caller.brand).await?
    {
        return written_before(&app, (caller.brand, id.0), &told).await;
    }
    let (template, read) = source(&app, &caller, &new).await?;
    let outreach = load(&app, caller.brand, id.0).await?;
    let (message, batch) = writing(&app, &caller.acting(), &outreach, (template, &read))?;
    let name = (caller.brand, id.0, message);
    match &once.0 {
        None => _ = app.db().run(batch).await?,
        // Its text stands in the message alone.
        Some(once) => {
            let answer = (StatusCode::CREATED, json!([message]));
            let told = once.commit(&app, caller.brand, batch, answer).await?;
            let told = told.ok_or_else(contended)?;
            let told = String::from_utf8_lossy(&told.body).into_owned();
            if told != json!([message]) {
                return written_before(&app, (caller.brand, id.0), &told).await;
            }
        }
    }
    settle(&app, &outreach, name).await?;
    let row = rows::find(app.db(), name).await?.ok_or(Error::NotFound)?;
    Ok((StatusCode::CREATED, Json(view(&app, row))))
}

/// The message that the same call wrote before.
async fn written_before(
    app: &App,
    (brand, deal): (BrandId, DealId),
    told: &str,
) -> Result<(StatusCode, Json<MessageView>)> {
    let ids: Option<Vec<MessageId>> = from_json(told);
    let id = ids.and_then(|ids| ids.first().copied()).ok_or(Error::NotFound)?;
    let row = rows::find(app.db(), (brand, deal, id)).await?.ok_or(Error::NotFound)?;
    Ok((StatusCode::CREATED, Json(view(app, row))))
}

/// The batch that writes to a deal's creator, from a template or not; [`settle`] comes after it.
///
/// # Errors
/// 409 if she can't be written to; 422 naming the fields that are empty for her.
pub fn writing(
    app: &App,
    acting: &Acting<'_>,
    outreach: &Outreach,
    (template, read): (Option<TemplateId>, &outreach::Written),
) -> Result<(MessageId, Vec<Statement>)> {
    let draft = outreach.draft(read)?;
    let message: MessageId = app.new_id();
    let deal = outreach.deal.id;
    let name = (acting.brand, deal, message);
    let automatic = matches!(acting.by.actor, Actor::Job(_));
    let (mut batch, _) =
        put(app, outreach, name, &draft, Origin { template, step: None, automatic })?;
    let note = json!({ "message_id": message, "template_id": template });
    batch.push(acting.note(app, "message.send", deal, None, Some(note)));
    Ok((message, batch))
}

/// What a message is written from: a template of the brand, or the body itself.
async fn source(
    app: &App,
    caller: &Caller<may::Deals>,
    new: &NewMessage,
) -> Result<(Option<TemplateId>, outreach::Written)> {
    let Some(told) = &new.template_id else {
        let subject = new.subject.as_deref().unwrap_or_default();
        let (_, _, read) = written(subject, new.text.as_deref().unwrap_or_default())?;
        return Ok((None, read));
    };
    if new.subject.is_some() || new.text.is_some() {
        return Err(Error::invalid(
            "template_id",
            "say a template or a subject and a text, not both",
        ));
    }
    let id: TemplateId = told.parse().map_err(|e| Error::invalid("template_id", e))?;
    let row = templates::find(app.db(), caller.brand, id).await?.ok_or(Error::NotFound)?;
    Ok((Some(id), outreach::templates(&row.subject, &row.text)?))
}

/// A deal's messages, latest first.
#[utoipa::path(get, path = "/v1/deals/{id}/messages", tag = "outreach",
    security(("api_key" = ["read"])), params(("id" = DealId, Path), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<MessageView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller<may::Read>,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<MessageView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    find(&app, caller.brand, id.0).await?;
    let found = rows::list(app.db(), caller.brand, id.0, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(&app, row))))
}

/// A deal and one of its messages, in the path.
pub struct InDeal(pub(crate) DealId, pub(crate) MessageId);

impl Extract for InDeal {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let missing = |_| Error::NotFound;
        Ok(Self(call.id.parse().map_err(missing)?, call.second.parse().map_err(missing)?))
    }
}

/// Cancels a message that waits. One that has its mail already can't be: 409 `not-scheduled`.
#[utoipa::path(delete, path = "/v1/deals/{id}/messages/{message_id}", tag = "outreach",
    security(("api_key" = ["deals"])), params(("id" = DealId, Path), ("message_id" = MessageId, Path)),
    responses((status = 204, description = "Cancelled"),
    (status = 409, description = "It doesn't wait any more")))]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    which: InDeal,
) -> Result<Response> {
    let InDeal(deal, id) = which;
    let name = (caller.brand, deal, id);
    let late = || Error::refused("not-scheduled", "this message doesn't wait any more");
    let row = rows::find(app.db(), name).await?.ok_or(Error::NotFound)?;
    if row.due_at_ms.is_none() {
        return Err(late());
    }
    let note = json!({ "message_id": id });
    let note = caller.note(&app, "message.cancel", deal, None, Some(note));
    let done = app.db().run(vec![rows::cancel(name, "cancelled"), note]).await?;
    match done.first().map(rows::cancelled).transpose()? {
        Some(true) => Ok(Response::empty(StatusCode::NO_CONTENT)),
        _ => Err(late()),
    }
}

/// Says that somebody read everything in a deal's conversation.
#[utoipa::path(post, path = "/v1/deals/{id}/messages/read", tag = "outreach",
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 204, description = "Read")))]
pub async fn read(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
) -> Result<Response> {
    find(&app, caller.brand, id.0).await?;
    let note = caller.note(&app, "message.read", id.0, None, None);
    app.db().run(vec![rows::read(caller.brand, id.0), note]).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

view! {
    /// A deal's conversation.
    #[schema(as = Conversation)]
    pub struct ConversationView {
        deal_id: DealId,
        /// How many replies nobody has read.
        unread: i64,
        /// When something last went or came.
        last_at: Time,
    }
}

impl From<ConversationRow> for ConversationView {
    fn from(row: ConversationRow) -> Self {
        Self { deal_id: row.deal_id, unread: row.unread, last_at: Time(row.last_at_ms) }
    }
}

/// The brand's conversations; with `unread=true` those with replies that nobody has read.
#[utoipa::path(get, path = "/v1/messages", tag = "outreach", security(("api_key" = ["read"])),
    params(("unread" = Option<bool>, Query), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<ConversationView>)))]
pub async fn conversations(
    State(app): State<App>,
    caller: Caller<may::Read>,
    params: Params,
) -> Result<Json<List<ConversationView>>> {
    let params = params.only(&["unread", "limit", "cursor"])?;
    let unread = match params.get("unread") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid("unread", "must be `true` or `false`")),
    };
    let page = params.page()?;
    let found = rows::conversations(app.db(), caller.brand, unread, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.deal_id.to_string(), ConversationView::from)))
}

body! {
    /// When messages go out; what is absent stays.
    pub struct OutreachChanges {
        /// So many in a day of the brand, 0 to 10,000; what is beyond waits for the next.
        daily_limit: Option<i64>,
        /// The days of the week, from `monday` to `sunday`.
        days: Option<Vec<String>>,
        /// From this time of the recipient's day on: `09:00`.
        from: Option<String>,
        /// And before this one: `18:00`; `24:00` is the end of the day.
        to: Option<String>,
    }
}

view! {
    /// When messages go out.
    pub struct OutreachSettings {
        daily_limit: i64,
        days: Vec<&'static str>,
        from: String,
        to: String,
    }
}

const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn settings_view(row: SettingsRow) -> OutreachSettings {
    let settings = settings_of(row);
    let window = settings.window;
    let days = DAYS.iter().enumerate().filter(|(at, _)| window.days >> at & 1 == 1);
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    OutreachSettings {
        daily_limit: settings.daily_limit,
        days: days.map(|(_, day)| *day).collect(),
        from: clock(window.from_minute),
        to: clock(window.to_minute),
    }
}

fn minute(checks: &mut Checks, field: &str, text: &str) -> u16 {
    let parts = text.split_once(':').filter(|(hour, minute)| {
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        digits(hour) && digits(minute)
    });
    let read = parts.and_then(|(hour, minute)| {
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        Some(hour * 60 + minute).filter(|all| minute < 60 && *all <= 1440)
    });
    checks.field(field, read.ok_or("must be a time such as 09:00")).unwrap_or_default()
}

async fn settings_row(app: &App, brand: crate::domain::ids::BrandId) -> Result<SettingsRow> {
    let standard = crate::domain::outreach::Settings::default();
    let window = standard.window;
    let row = SettingsRow {
        daily_limit: standard.daily_limit,
        days: u16::from(window.days),
        from_minute: window.from_minute,
        to_minute: window.to_minute,
    };
    Ok(rows::settings(app.db(), brand).await?.unwrap_or(row))
}

/// When messages go out.
#[utoipa::path(get, path = "/v1/outreach-settings", tag = "outreach",
    security(("api_key" = ["read"])), responses((status = 200, body = OutreachSettings)))]
pub async fn show_settings(
    State(app): State<App>,
    caller: Caller<may::Read>,
) -> Result<Json<OutreachSettings>> {
    Ok(Json(settings_view(settings_row(&app, caller.brand).await?)))
}

/// Changes when messages go out; those that wait are looked at again when their time has come.
#[utoipa::path(patch, path = "/v1/outreach-settings", tag = "outreach", request_body = OutreachChanges,
    security(("api_key" = ["admin"])), responses((status = 200, body = OutreachSettings)))]
pub async fn update_settings(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(changes): Body<OutreachChanges>,
) -> Result<Json<OutreachSettings>> {
    let mut row = settings_row(&app, caller.brand).await?;
    let before = json::text(&settings_view(row));
    let mut checks = Checks::default();
    if let Some(limit) = changes.daily_limit {
        if !(0..=10_000).contains(&limit) {
            checks.refuse("daily_limit", "must be 0 to 10000");
        }
        row.daily_limit = limit;
    }
    if let Some(days) = &changes.days {
        let bit = |day: &String| DAYS.iter().position(|known| known == day).map(|at| 1_u16 << at);
        let bits: Option<Vec<u16>> = days.iter().map(bit).collect();
        row.days = bits.unwrap_or_default().into_iter().fold(0, |all, bit| all | bit);
        if row.days == 0 {
            checks.refuse("days", "must be days of the week, such as `monday`, and one at least");
        }
    }
    if let Some(from) = &changes.from {
        row.from_minute = minute(&mut checks, "from", from);
    }
    if let Some(to) = &changes.to {
        row.to_minute = minute(&mut checks, "to", to);
    }
    if row.from_minute >= row.to_minute {
        checks.refuse("to", "must be after `from`");
    }
    checks.done()?;
    let view = settings_view(row);
    let after = Some(json::text(&view));
    let note = caller.note(&app, "outreach.settings", caller.brand, Some(before), after);
    app.db().run(vec![rows::set(caller.brand, row), note]).await?;
    Ok(Json(view))
}
