//! What people write down about deals: notes, and what is to be done.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{BrandId, Deal, DealId, FollowUp, FollowUpId, MemberId, Note, NoteId};
use crate::domain::json::json;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::notes::{self as rows, FollowUpRow, NoteRow};
use crate::storage::{DbError, Statement};
use crate::web::body::body;
use crate::web::extract::{
    Acting, Body, Caller, Checks, Params, PathId, checked, encode_cursor, may,
};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::view;
use crate::web::message::Response;

use super::deals::{find, not_erased, owner};
use super::view::{Date, List, Time};

/// The deal and the note in the path.
pub struct NotePath(DealId, NoteId);

impl Extract for NotePath {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(deal) = PathId::<Deal>::extract(call)?;
        let second = Call { id: call.second, identity: call.identity.clone(), ..*call };
        let PathId(note) = PathId::<Note>::extract(&second)?;
        Ok(Self(deal, note))
    }
}

/// The deal and the follow-up in the path.
pub struct FollowUpPath(pub(crate) DealId, pub(crate) FollowUpId);

impl Extract for FollowUpPath {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(deal) = PathId::<Deal>::extract(call)?;
        let second = Call { id: call.second, identity: call.identity.clone(), ..*call };
        let PathId(id) = PathId::<FollowUp>::extract(&second)?;
        Ok(Self(deal, id))
    }
}

view! {
    /// What somebody wrote about a deal.
    #[schema(as = Note)]
    pub struct NoteView {
        id: NoteId,
        deal_id: DealId,
        text: String,
        /// Whether it says that the creator was spoken to.
        contact: bool,
        author: Author,
        created_at: Time,
        #[schema(required)]
        changed_at: Option<Time>,
    }
}

view! {
    /// Who wrote it.
    struct Author {
        /// `member` or `key`.
        kind: String,
        id: String,
    }
}

impl From<NoteRow> for NoteView {
    fn from(row: NoteRow) -> Self {
        Self {
            id: row.id,
            deal_id: row.deal_id,
            text: row.text,
            contact: row.contact,
            author: Author { kind: row.author_kind, id: row.author_id },
            created_at: Time(row.created_at_ms),
            changed_at: row.changed_at_ms.map(Time),
        }
    }
}

/// Several lines of text: trimmed, not empty, at most 10,000 characters, no control characters but line
/// ends and tabs.
pub(crate) fn lines(checks: &mut Checks, field: &str, text: &str) -> Option<String> {
    let text = text.trim().replace("\r\n", "\n");
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let fits = if text.is_empty() {
        Err("must not be empty")
    } else if text.chars().count() > 10_000 {
        Err("must have at most 10000 characters")
    } else if text.chars().any(control) {
        Err("must not contain control characters")
    } else {
        Ok(text)
    };
    checks.field(field, fits)
}

body! {
    /// A new note.
    pub struct NewNote {
        text: String,
        /// That the creator was spoken to: it is her deal's last contact then, for good.
        contact: Option<bool>,
    }
}

/// Writes a note about a deal.
#[utoipa::path(post, path = "/v1/deals/{id}/notes", tag = "deals", request_body = NewNote,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = NoteView)))]
pub async fn add(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(new): Body<NewNote>,
) -> Result<(StatusCode, Json<NoteView>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    not_erased(&app, caller.brand, deal.creator_id).await?;
    let mut checks = Checks::default();
    let text = lines(&mut checks, "text", &new.text);
    checks.done()?;
    let row = NoteRow {
        id: app.new_id(),
        deal_id: deal.id,
        text: checked(text)?,
        contact: new.contact.unwrap_or(false),
        author_kind: caller.actor.kind().to_owned(),
        author_id: caller.actor.id(),
        created_at_ms: app.now_ms(),
        changed_at_ms: None,
    };
    // What it says stands in the note only, which can be deleted.
    let told = json!({ "note_id": row.id, "contact": row.contact });
    let batch = vec![
        rows::insert_note(caller.brand, &row, caller.actor),
        caller.note(&app, "note.create", deal.id, None, Some(told)),
    ];
    app.db().run(batch).await.map_err(gone)?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// What the database's refusal of a note or a follow-up means.
pub(crate) fn gone(error: DbError) -> Box<Error> {
    if error.is_constraint("creator_erased") {
        Error::refused("creator-erased", "this creator was erased")
    } else if error.is_constraint("owner_gone") {
        Error::invalid("owner_id", "must be a member of the brand")
    } else {
        error.into()
    }
}

/// A deal's notes, latest first.
#[utoipa::path(get, path = "/v1/deals/{id}/notes", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = DealId, Path), ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<NoteView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<NoteView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    find(&app, caller.brand, id.0).await?;
    let found = rows::notes(app.db(), caller.brand, id.0, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), NoteView::from)))
}

body! {
    /// What a note says from now on.
    pub struct NoteChanges {
        text: String,
    }
}

/// Changes what a note says.
#[utoipa::path(patch, path = "/v1/deals/{id}/notes/{note_id}", tag = "deals", request_body = NoteChanges,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path), ("note_id" = NoteId, Path)),
    responses((status = 200, body = NoteView)))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    NotePath(deal, id): NotePath,
    Body(told): Body<NoteChanges>,
) -> Result<Json<NoteView>> {
    rows::note(app.db(), caller.brand, deal, id).await?.ok_or(Error::NotFound)?;
    let mut checks = Checks::default();
    let text = lines(&mut checks, "text", &told.text);
    checks.done()?;
    let text = checked(text)?;
    let batch = vec![
        rows::update_note(caller.brand, deal, id, &text, app.now_ms()),
        caller.note(&app, "note.update", deal, None, Some(json!({ "note_id": id }))),
    ];
    app.db().run(batch).await?;
    Ok(Json(rows::note(app.db(), caller.brand, deal, id).await?.ok_or(Error::NotFound)?.into()))
}

/// Deletes a note, for good.
#[utoipa::path(delete, path = "/v1/deals/{id}/notes/{note_id}", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = DealId, Path), ("note_id" = NoteId, Path)),
    responses((status = 204, description = "Deleted")))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    NotePath(deal, id): NotePath,
) -> Result<Response> {
    rows::note(app.db(), caller.brand, deal, id).await?.ok_or(Error::NotFound)?;
    let batch = vec![
        rows::drop_note(caller.brand, deal, id),
        caller.note(&app, "note.delete", deal, None, Some(json!({ "note_id": id }))),
    ];
    app.db().run(batch).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

view! {
    /// What is to be done about a deal.
    #[schema(as = FollowUp)]
    pub struct FollowUpView {
        id: FollowUpId,
        deal_id: DealId,
        text: String,
        /// By the end of this day of the brand.
        due_on: Date,
        /// By which member.
        #[schema(required)]
        owner_id: Option<MemberId>,
        /// `open`, `overdue` or `done`.
        state: &'static str,
        created_at: Time,
        #[schema(required)]
        done_at: Option<Time>,
    }
}

fn view(row: FollowUpRow, today: Day) -> FollowUpView {
    FollowUpView {
        state: match row.done_at_ms {
            Some(_) => "done",
            None if row.due_day < today => "overdue",
            None => "open",
        },
        id: row.id,
        deal_id: row.deal_id,
        text: row.text,
        due_on: Date(row.due_day),
        owner_id: row.owner_id,
        created_at: Time(row.created_at_ms),
        done_at: row.done_at_ms.map(Time),
    }
}

pub(crate) async fn today(app: &App, brand: BrandId) -> Result<Day> {
    Ok(super::brand::find(app, brand).await?.brand.timezone.day(app.now_ms()))
}

body! {
    /// Something to be done.
    pub struct NewFollowUp {
        text: String,
        due_on: Date,
        owner_id: Option<Option<String>>,
    }
}

/// Writes down what is to be done about a deal, by when and by whom.
#[utoipa::path(post, path = "/v1/deals/{id}/follow-ups", tag = "deals", request_body = NewFollowUp,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = FollowUpView)))]
pub async fn add_follow_up(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(new): Body<NewFollowUp>,
) -> Result<(StatusCode, Json<FollowUpView>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    not_erased(&app, caller.brand, deal.creator_id).await?;
    let mut checks = Checks::default();
    let text = lines(&mut checks, "text", &new.text);
    let owner = owner(&app, caller.brand, &mut checks, new.owner_id.as_ref()).await?;
    checks.done()?;
    let what = (&*checked(text)?, new.due_on.0, owner.flatten());
    let (row, batch) = following_up(&app, &caller.acting(), deal.id, what);
    app.db().run(batch).await.map_err(gone)?;
    let today = today(&app, caller.brand).await?;
    Ok((StatusCode::CREATED, Json(view(row, today))))
}

/// The batch that writes down what is to be done about a deal: what, by the end of which day of the brand, and by
/// whom. [`gone`] tells why it aborts.
pub fn following_up(
    app: &App,
    acting: &Acting<'_>,
    deal: DealId,
    (text, due_day, owner_id): (&str, Day, Option<MemberId>),
) -> (FollowUpRow, Vec<Statement>) {
    let row = FollowUpRow {
        id: app.new_id(),
        deal_id: deal,
        text: text.to_owned(),
        due_day,
        owner_id,
        created_at_ms: app.now_ms(),
        done_at_ms: None,
    };
    let batch = vec![
        rows::insert_follow_up(acting.brand, &row),
        acting.note(app, "follow_up.create", deal, None, Some(noted(&row))),
    ];
    (row, batch)
}

/// What the trail says of it: not the text, which goes with the creator.
fn noted(row: &FollowUpRow) -> String {
    let due_on = Date(row.due_day);
    let done = row.done_at_ms.is_some();
    json!({ "follow_up_id": row.id, "due_on": due_on, "owner_id": row.owner_id, "done": done })
}

body! {
    /// What to change; what is absent stays.
    pub struct FollowUpChanges {
        text: Option<String>,
        due_on: Option<Date>,
        owner_id: Option<Option<String>>,
        done: Option<bool>,
    }
}

/// Changes what is to be done, or says that it was done.
#[utoipa::path(patch, path = "/v1/deals/{id}/follow-ups/{follow_up_id}", tag = "deals",
    request_body = FollowUpChanges, security(("api_key" = ["deals"])),
    params(("id" = DealId, Path), ("follow_up_id" = FollowUpId, Path)),
    responses((status = 200, body = FollowUpView)))]
pub async fn update_follow_up(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    FollowUpPath(deal, id): FollowUpPath,
    Body(told): Body<FollowUpChanges>,
) -> Result<Json<FollowUpView>> {
    let found = rows::follow_up(app.db(), caller.brand, deal, id).await?;
    let mut row = found.ok_or(Error::NotFound)?;
    let mut checks = Checks::default();
    let text = told.text.as_ref().and_then(|text| lines(&mut checks, "text", text));
    let owner = owner(&app, caller.brand, &mut checks, told.owner_id.as_ref()).await?;
    checks.done()?;
    let before = noted(&row);
    row.text = text.unwrap_or(row.text);
    row.due_day = told.due_on.map_or(row.due_day, |date| date.0);
    row.owner_id = owner.unwrap_or(row.owner_id);
    row.done_at_ms = match told.done {
        Some(true) => row.done_at_ms.or(Some(app.now_ms())),
        Some(false) => None,
        None => row.done_at_ms,
    };
    let batch = vec![
        rows::update_follow_up(caller.brand, &row),
        caller.note(&app, "follow_up.update", deal, Some(before), Some(noted(&row))),
    ];
    app.db().run(batch).await.map_err(gone)?;
    let today = today(&app, caller.brand).await?;
    Ok(Json(view(row, today)))
}

/// What is to be done about a deal, and what was, oldest first.
#[utoipa::path(get, path = "/v1/deals/{id}/follow-ups", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = DealId, Path), ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<FollowUpView>)))]
pub async fn follow_ups(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<FollowUpView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    find(&app, caller.brand, id.0).await?;
    let found = rows::follow_ups(app.db(), caller.brand, id.0, &page).await?;
    let today = today(&app, caller.brand).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(row, today))))
}

/// What is to be done across deals: `open` (soonest first, the overdue among them), `overdue` by the brand's
/// day, or `done` (latest first).
#[utoipa::path(get, path = "/v1/follow-ups", tag = "deals", security(("api_key" = ["read"])),
    params(("state" = Option<String>, Query, description = "`open` (where nothing is said), `overdue` or `done`"),
    ("owner_id" = Option<MemberId>, Query), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<FollowUpView>)))]
pub async fn across(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<FollowUpView>>> {
    let params = params.only(&["limit", "cursor", "state", "owner_id"])?;
    let (page, owner) = (params.page()?, params.id("owner_id")?);
    let today = today(&app, caller.brand).await?;
    let bad = || Error::invalid("cursor", "is none that this list gave");
    let place = match page.after.as_str() {
        "" => None,
        text => Some(place(text).ok_or_else(bad)?),
    };
    let (db, brand) = (app.db(), caller.brand);
    let done = params.get("state") == Some("done");
    let found = match params.get("state") {
        Some("done") => {
            let before = place.unwrap_or((1 << 52, "followup_~"));
            rows::done(db, brand, owner, before, page.limit).await?
        }
        Some("overdue") | Some("open") | None => {
            let overdue = params.get("state") == Some("overdue");
            let until = if overdue { today } else { Day::END };
            let (day, id) = place.unwrap_or((0, ""));
            rows::open(db, brand, owner, (Day(day), id), (until, page.limit)).await?
        }
        Some(_) => return Err(Error::invalid("state", "must be open, overdue or done")),
    };
    let key = |row: &FollowUpRow| match row.done_at_ms.filter(|_| done) {
        Some(at_ms) => format!("{at_ms}/{}", row.id),
        None => format!("{}/{}", row.due_day.0, row.id),
    };
    let full = i64::try_from(found.len()).is_ok_and(|n| n >= page.limit);
    let next_cursor = found.last().filter(|_| full).map(|row| encode_cursor(&key(row)));
    Ok(Json(List { data: found.into_iter().map(|row| view(row, today)).collect(), next_cursor }))
}

fn place(text: &str) -> Option<(i64, &str)> {
    let (at, id) = text.split_once('/')?;
    Some((at.parse().ok().filter(|at| (0..=1 << 52).contains(at))?, id))
}
