//! Bulk actions: one action on many deals, first as a preview, then as a job with a result for each deal.

use http::StatusCode;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{BrandId, Bulk, BulkId, DealId};
use crate::domain::json::{Raw, json};
use crate::domain::merkle::hex;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::jobs::actions::{Action, check};
use crate::storage::actions::Came;
use crate::storage::bulk::{self as rows, BulkRow, BulkState, DueRow, NewBulk, ResultRow};
use crate::storage::{DbError, Page};
use crate::web::body::{FromJson, Wrong, body};
use crate::web::extract::{Body, Caller, Params, PathId, encode_cursor, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, ToJson, view};
use crate::web::message::Response;
use crate::web::once::{Perhaps, contended};

use super::bulk_preview::{BulkPreview, Seen, called, foresee, preview};
use super::filtering;
use super::view::{List, Time};

/// So many deals can be named.
const MOST_NAMED: usize = 1000;
/// So many a filter may find.
const MOST_FOUND: usize = 5000;
/// What a preview is called can be named for so long.
const PREVIEW_MS: Millis = 3_600_000;

/// What is to be done, and as it was written.
pub struct Asked {
    action: Action,
    text: String,
}

impl FromJson for Asked {
    fn from_json(value: &Value) -> std::result::Result<Self, Wrong> {
        Action::from_json(value).map(|action| Self { action, text: value.to_string() })
    }
    fn placeholder() -> Self {
        Self { action: Action::placeholder(), text: String::new() }
    }
}
impl PartialSchema for Asked {
    fn schema() -> RefOr<Schema> {
        Action::schema()
    }
}
impl ToSchema for Asked {
    fn name() -> std::borrow::Cow<'static, str> {
        Action::name()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Action::schemas(schemas);
    }
}

body! {
    /// An action on many deals.
    pub struct NewBulkAction {
        action: Asked,
        /// To these: 1 to 1000.
        deal_ids: Option<Vec<String>>,
        /// Instead: to those that a filter finds, 5000 at most.
        filter: Option<String>,
        /// To those of a segment, and of these to those that the filter finds, if there is one.
        segment: Option<String>,
        /// True: only tell what it would do.
        preview: Option<bool>,
        /// What a preview was called, within an hour: this does what it showed, and is refused if it would be
        /// something else by now.
        hash: Option<String>,
    }
}

view! {
    /// An action on many deals.
    #[schema(as = BulkAction)]
    pub struct BulkView {
        id: BulkId,
        action: Written,
        /// `running`, `paused`, `cancelled` or `finished`.
        state: &'static str,
        /// Why it was cancelled, if nobody did it.
        #[schema(required)]
        reason: Option<String>,
        /// How many deals it is about,
        deals: i64,
        /// with how many it was done,
        done: i64,
        /// with how many nothing was to be done,
        unchanged: i64,
        /// to how many it can't be done,
        refused: i64,
        /// and with how many we failed.
        failed: i64,
        created_at: Time,
        #[schema(required)]
        finished_at: Option<Time>,
    }
}

/// An object that was written as JSON before.
pub struct Written(String);

impl ToJson for Written {
    fn write(&self, out: &mut Vec<u8>) {
        Raw(&self.0).write(out);
    }
}
impl PartialSchema for Written {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().into()
    }
}
impl ToSchema for Written {}

impl From<BulkRow> for BulkView {
    fn from(row: BulkRow) -> Self {
        Self {
            id: row.id,
            action: Written(row.action),
            state: word(row.state),
            reason: Some(row.reason).filter(|reason| !reason.is_empty()),
            deals: row.deals,
            done: row.done,
            unchanged: row.unchanged,
            refused: row.refused,
            failed: row.failed,
            created_at: Time(row.created_at_ms),
            finished_at: row.finished_at_ms.map(Time),
        }
    }
}

fn word(state: BulkState) -> &'static str {
    match state {
        BulkState::Running => "running",
        BulkState::Paused => "paused",
        BulkState::Cancelled => "cancelled",
        BulkState::Finished => "finished",
    }
}

view! {
    /// What became of a deal.
    #[schema(as = BulkResult)]
    pub struct ResultView {
        deal_id: DealId,
        /// `waiting`, `done`, `unchanged`, `refused` or `failed`.
        outcome: &'static str,
        /// The rule that refused it: `no-address`.
        #[schema(required)]
        rule: Option<String>,
        /// Why, in words.
        #[schema(required)]
        reason: Option<String>,
        /// The ids of what was made.
        made: Written,
        #[schema(required)]
        at: Option<Time>,
    }
}

impl From<ResultRow> for ResultView {
    fn from(row: ResultRow) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            deal_id: row.deal_id,
            outcome: match row.outcome {
                None => "waiting",
                Some(Came::Done) => "done",
                Some(Came::Unchanged) => "unchanged",
                Some(Came::Refused) => "refused",
                Some(Came::Failed) => "failed",
            },
            rule: some(row.rule),
            reason: some(row.why),
            made: Written(row.subject),
            at: row.at_ms.map(Time),
        }
    }
}

/// Does one thing to many deals. First with `preview`: what it would do, and what that is called; then with its
/// `hash`: the action becomes a job, which works at one deal after the other and keeps a result for each. The deals
/// are those of the preview, whatever changes later. Each deal is done for itself: a rule that refuses one keeps no
/// other (new terms for all deals or none of them: `/v1/terms/bulk`). A preview has one job, however often it is asked for. A fee
/// needs the scope `money` and an Idempotency-Key.
#[utoipa::path(post, path = "/v1/bulk-actions", tag = "deals", request_body = NewBulkAction,
    security(("api_key" = ["deals"])), params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "A preview", body = BulkPreview), (status = 201, body = BulkView),
    (status = 409, description = "It would do something else than the preview says")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    once: Perhaps,
    Body(mut new): Body<NewBulkAction>,
) -> Result<Response> {
    let previews = new.preview.unwrap_or(false);
    if previews == new.hash.is_some() {
        let why = "say `preview: true`, or the hash that a preview was called";
        return Err(Error::invalid("hash", why));
    }
    if !previews && new.action.action.scope() == Scope::Money {
        once.needed()?;
    }
    if let Some(once) = &once.0
        && let Some(answer) = once.answered(&app, caller.brand).await?
    {
        return Ok(answer);
    }
    let prepared = check(&app, &caller, &mut new.action.action, "action").await?;
    if let Some(hash) = &new.hash
        && let Some(row) = rows::of_preview(app.db(), caller.brand, hash).await?
    {
        return Ok(Response::json(StatusCode::CREATED, json::text(&BulkView::from(row))));
    }
    let deals = selected(&app, caller.brand, &new).await?;
    let seen = foresee(&app, caller.brand, &prepared, &deals).await?;
    match &new.hash {
        None => {
            let made = format!("{}.{}", app.now_ms(), hex(&app.random::<4>()));
            let hash = called(&made, &new.action.text, &seen);
            Ok(Response::json(StatusCode::OK, json::text(&preview(seen, hash))))
        }
        Some(hash) => {
            let (made, _) = hash.rsplit_once('.').unwrap_or_default();
            let (made_ms, _) = made.split_once('.').unwrap_or_default();
            let made_ms: Millis = made_ms.parse().unwrap_or(0);
            let now_ms = app.now_ms();
            let fresh = made_ms <= now_ms && now_ms - made_ms < PREVIEW_MS;
            if !fresh || called(made, &new.action.text, &seen) != *hash {
                return Err(preview_changed());
            }
            begin(&app, &caller, once, (hash, &new.action), &seen).await
        }
    }
}

fn preview_changed() -> Box<Error> {
    let why = "this isn't what the preview says any more: look at another";
    Error::refused("preview-changed", why)
}

/// The deals that a body names or finds, each once, in the order of their ids.
async fn selected(app: &App, brand: BrandId, new: &NewBulkAction) -> Result<Vec<DealId>> {
    let filters = new.filter.is_some() || new.segment.is_some();
    let named = match &new.deal_ids {
        Some(_) if filters => {
            return Err(Error::invalid("deal_ids", "say ids, or a filter or segment, not both"));
        }
        Some(named) => named,
        None if filters => return found(app, brand, new).await,
        None => return Err(Error::invalid("deal_ids", "say which deals, or a filter or segment")),
    };
    if named.is_empty() || named.len() > MOST_NAMED {
        return Err(Error::invalid("deal_ids", "must be 1 to 1000"));
    }
    let mut deals: Vec<DealId> = Vec::with_capacity(named.len());
    for (place, text) in named.iter().enumerate() {
        let id = text.parse().map_err(|e| Error::invalid(format!("deal_ids[{place}]"), e))?;
        deals.push(id);
    }
    deals.sort_by_key(|deal| deal.bytes());
    deals.dedup();
    Ok(deals)
}

/// The deals that a filter or segment finds now.
async fn found(app: &App, brand: BrandId, new: &NewBulkAction) -> Result<Vec<DealId>> {
    let segment = new.segment.as_deref().map(str::parse).transpose();
    let segment = segment.map_err(|e| Error::invalid("segment", e))?;
    let brand = super::brand::find(app, brand).await?.brand;
    let which = (new.filter.as_deref(), segment);
    let mut deals = filtering::all(app, &brand, which, MOST_FOUND).await.map_err(|error| {
        // It is named in the body, not in the address.
        match *error {
            Error::NotFound => Error::invalid("segment", "is no segment"),
            other => other.into(),
        }
    })?;
    if deals.is_empty() {
        return Err(Error::invalid("filter", "finds no deal"));
    }
    deals.sort_by_key(|deal| deal.bytes());
    deals.dedup();
    Ok(deals)
}

/// Makes the job.
async fn begin(
    app: &App,
    caller: &Caller<may::Deals>,
    once: Perhaps,
    (preview, asked): (&str, &Asked),
    seen: &[Seen],
) -> Result<Response> {
    let deals: Vec<DealId> = seen.iter().map(|one| one.deal).collect();
    let now_ms = app.now_ms();
    let by = caller.acting().by;
    let new = NewBulk {
        id: app.new_id(),
        preview,
        action: &asked.text,
        kind: asked.action.word(),
        actor: by.actor,
        request_id: by.request_id,
        deals: &deals,
    };
    let view = json::text(&BulkView {
        id: new.id,
        action: Written(asked.text.clone()),
        state: word(BulkState::Running),
        reason: None,
        deals: i64::try_from(deals.len()).unwrap_or(i64::MAX),
        done: 0,
        unchanged: 0,
        refused: 0,
        failed: 0,
        created_at: Time(now_ms),
        finished_at: None,
    });
    let mut batch = rows::insert(caller.brand, &new, now_ms).to_vec();
    let told = json!({ "do": new.kind, "deals": deals.len() });
    batch.push(caller.note(app, "bulk.create", new.id, None, Some(told)));
    app.note_bulk();
    if let Some(once) = &once.0 {
        let answer = (StatusCode::CREATED, view);
        return once.commit(app, caller.brand, batch, answer).await?.ok_or_else(contended);
    }
    match app.db().run(batch).await {
        Ok(_) => Ok(Response::json(StatusCode::CREATED, view)),
        // The same was asked for a moment before.
        Err(error @ DbError::Constraint(_)) => {
            let there = rows::of_preview(app.db(), caller.brand, preview).await?;
            let row = there.ok_or_else(|| Box::<Error>::from(error))?;
            Ok(Response::json(StatusCode::CREATED, json::text(&BulkView::from(row))))
        }
        Err(error) => Err(error.into()),
    }
}

async fn find(app: &App, brand: BrandId, id: BulkId) -> Result<BulkRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

/// The brand's bulk actions, latest first.
#[utoipa::path(get, path = "/v1/bulk-actions", tag = "deals", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<BulkView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<BulkView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), BulkView::from)))
}

/// One bulk action: how it does and how far it is.
#[utoipa::path(get, path = "/v1/bulk-actions/{id}", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = BulkId, Path)), responses((status = 200, body = BulkView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Bulk>,
) -> Result<Json<BulkView>> {
    Ok(Json(find(&app, caller.brand, id.0).await?.into()))
}

/// What became of each deal, in the order of work.
#[utoipa::path(get, path = "/v1/bulk-actions/{id}/results", tag = "deals",
    security(("api_key" = ["read"])), params(("id" = BulkId, Path), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<ResultView>)))]
pub async fn results(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Bulk>,
    params: Params,
) -> Result<Json<List<ResultView>>> {
    let Page { limit, after } = params.only(&["limit", "cursor"])?.page()?;
    let bad = || Error::invalid("cursor", "is none that this list gave");
    let after: i64 = match after.as_str() {
        "" => -1,
        text => {
            let place: u32 = text.parse().map_err(|_| bad())?;
            i64::from(place)
        }
    };
    find(&app, caller.brand, id.0).await?;
    let found = rows::results(app.db(), (caller.brand, id.0), after, limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|n| n >= limit);
    let last = found.last().filter(|_| full);
    let next_cursor = last.map(|row| encode_cursor(&row.place.to_string()));
    let data = found.into_iter().map(ResultView::from).collect();
    Ok(Json(List { data, next_cursor }))
}

/// Changes how a bulk action does; again is no fault.
async fn change(
    app: &App,
    caller: &Caller<may::Deals>,
    id: BulkId,
    (to, from, action): (BulkState, &[&str], &'static str),
) -> Result<Json<BulkView>> {
    let row = find(app, caller.brand, id).await?;
    if row.state == to {
        return Ok(Json(row.into()));
    }
    let bulk = DueRow { brand_id: caller.brand, id };
    let now_ms = app.now_ms();
    let was = json!({ "state": word(row.state), "done": row.done });
    let batch = vec![
        rows::change(bulk, to, from, "", now_ms),
        caller.note(app, action, id, Some(was), Some(json!({ "state": word(to) }))),
    ];
    let ended = |state| Error::refused("bulk-ended", format!("it is {} already", word(state)));
    match app.db().run(batch).await {
        Ok(_) => Ok(Json(find(app, caller.brand, id).await?.into())),
        Err(DbError::Constraint(_)) => {
            let row = find(app, caller.brand, id).await?;
            if row.state == to { Ok(Json(row.into())) } else { Err(ended(row.state)) }
        }
        Err(error) => Err(error.into()),
    }
}

/// Stops a bulk action until it is resumed: once this is answered, no further deal is changed.
#[utoipa::path(post, path = "/v1/bulk-actions/{id}/pause", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = BulkId, Path)),
    responses((status = 200, body = BulkView), (status = 409, description = "It has ended")))]
pub async fn pause(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Bulk>,
) -> Result<Json<BulkView>> {
    change(&app, &caller, id.0, (BulkState::Paused, &["running"], "bulk.pause")).await
}

/// Lets a paused bulk action go on.
#[utoipa::path(post, path = "/v1/bulk-actions/{id}/resume", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = BulkId, Path)),
    responses((status = 200, body = BulkView), (status = 409, description = "It has ended")))]
pub async fn resume(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Bulk>,
) -> Result<Json<BulkView>> {
    let row = find(&app, caller.brand, id.0).await?;
    let money = Action::read(&row.action).is_ok_and(|action| action.scope() == Scope::Money);
    if money && !caller.scopes.allow(Scope::Money) {
        return Err(Error::Forbidden("this needs the scope `money`").into());
    }
    app.note_bulk();
    change(&app, &caller, id.0, (BulkState::Running, &["paused"], "bulk.resume")).await
}

/// Ends a bulk action early: once this is answered, no further deal is changed. What was done stays.
#[utoipa::path(post, path = "/v1/bulk-actions/{id}/cancel", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = BulkId, Path)),
    responses((status = 200, body = BulkView), (status = 409, description = "It has ended")))]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Bulk>,
) -> Result<Json<BulkView>> {
    let from = &["running", "paused"];
    change(&app, &caller, id.0, (BulkState::Cancelled, from, "bulk.cancel")).await
}
