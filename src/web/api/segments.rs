//! Filters that the brand saved.

use http::StatusCode;

use crate::app::App;
use crate::domain::filter::Sort;
use crate::domain::ids::{Segment, SegmentId};
use crate::error::{Error, Result};
use crate::storage::DbError;
use crate::storage::segments::{self as rows, SegmentRow};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Changing, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, view};
use crate::web::message::Response;

use super::audit::ActorView;
use super::filtering::{filter, sort};
use super::view::{List, Time};

/// So many a brand can have.
const MOST: i64 = 200;

view! {
    /// A filter that was saved, for everybody in the brand.
    #[schema(as = Segment)]
    pub struct SegmentView {
        id: SegmentId,
        name: String,
        /// In its canonical form.
        filter: String,
        sort: String,
        made_by: ActorView,
        created_at: Time,
        changed_at: Time,
    }
}

impl SegmentView {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// In its canonical form.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }
}

impl From<SegmentRow> for SegmentView {
    fn from(row: SegmentRow) -> Self {
        let (kind, id) = row.made_by.split_once(' ').unwrap_or_default();
        Self {
            id: row.id,
            name: row.name,
            filter: row.filter,
            sort: row.sort,
            made_by: ActorView { kind: kind.to_owned(), id: id.to_owned() },
            created_at: Time(row.created_at_ms),
            changed_at: Time(row.changed_at_ms),
        }
    }
}

body! {
    /// A new segment.
    pub struct NewSegment {
        name: String,
        /// In the filter language.
        filter: String,
        /// `created` where it is absent.
        sort: Option<String>,
    }
}

/// Saves a filter. Its text is kept in its canonical form.
#[utoipa::path(post, path = "/v1/segments", tag = "deals", request_body = NewSegment,
    security(("api_key" = ["deals"])), responses((status = 201, body = SegmentView),
    (status = 409, description = "The name is taken, or there are 200 already")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewSegment>,
) -> Result<(StatusCode, Json<SegmentView>)> {
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 100);
    checks.done()?;
    let sort = new.sort.as_deref().map_or(Ok(Sort::DEFAULT), sort)?;
    let now_ms = app.now_ms();
    let row = SegmentRow {
        id: app.new_id(),
        name: checked(name)?,
        filter: filter(&new.filter)?.to_string(),
        sort: sort.to_string(),
        made_by: format!("{} {}", caller.actor.kind(), caller.actor.id()),
        revision: 0,
        created_at_ms: now_ms,
        changed_at_ms: now_ms,
    };
    let insert = rows::insert(caller.brand, &row, MOST);
    let view = SegmentView::from(row);
    let note = caller.note(&app, "segment.create", view.id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(view)))
}

fn refused(error: DbError) -> Box<Error> {
    match error {
        error if error.is_constraint("segments.name") => {
            Error::refused("segment-name-taken", "there is a segment of this name")
        }
        error if error.is_constraint("segments.id") => {
            Error::refused("too-many-segments", "there are as many segments as there may be")
        }
        error if error.is_constraint("segments.revision") => super::brand::changed_meanwhile(),
        error => error.into(),
    }
}

/// The brand's segments.
#[utoipa::path(get, path = "/v1/segments", tag = "deals", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<SegmentView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<SegmentView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), SegmentView::from)))
}

/// One segment.
#[utoipa::path(get, path = "/v1/segments/{id}", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = SegmentId, Path)), responses((status = 200, body = SegmentView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Segment>,
) -> Result<Tagged<SegmentView>> {
    let found = rows::find(app.db(), caller.brand, id.0).await?;
    Ok(Tagged(found.ok_or(Error::NotFound)?.into()))
}

body! {
    /// What to change of a segment; what is absent stays.
    pub struct SegmentChanges {
        name: Option<String>,
        filter: Option<String>,
        sort: Option<String>,
    }
}

/// Changes a segment, for everybody.
#[utoipa::path(patch, path = "/v1/segments/{id}", tag = "deals", request_body = SegmentChanges,
    security(("api_key" = ["deals"])), params(("id" = SegmentId, Path),
    ("If-Match" = Option<String>, Header)), responses((status = 200, body = SegmentView),
    (status = 409, description = "The name is taken, or it was changed at the same moment"),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Segment>,
    changing: Changing<SegmentChanges>,
) -> Result<Tagged<SegmentView>> {
    let found = rows::find(app.db(), caller.brand, id.0).await?;
    let mut row = found.ok_or(Error::NotFound)?;
    let before = json::text(&SegmentView::from(row.clone()));
    changing.fits(&before)?;
    let SegmentChanges { name, filter: text, sort: order } = &changing.body;
    if let Some(name) = name {
        let mut checks = Checks::default();
        let name = checks.text("name", name, 100);
        checks.done()?;
        row.name = checked(name)?;
    }
    if let Some(text) = text {
        row.filter = filter(text)?.to_string();
    }
    if let Some(order) = order {
        row.sort = sort(order)?.to_string();
    }
    row.changed_at_ms = app.now_ms();
    let update = rows::update(caller.brand, &row);
    let view = SegmentView::from(row);
    let after = Some(json::text(&view));
    let note = caller.note(&app, "segment.update", id.0, Some(before), after);
    app.db().run(vec![update, note]).await.map_err(refused)?;
    Ok(Tagged(view))
}

/// Removes a segment.
#[utoipa::path(delete, path = "/v1/segments/{id}", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = SegmentId, Path)),
    responses((status = 204, description = "Removed")))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Segment>,
) -> Result<Response> {
    let found = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let before = Some(json::text(&SegmentView::from(found)));
    let note = caller.note(&app, "segment.delete", id.0, before, None);
    app.db().run(vec![rows::delete(caller.brand, id.0), note]).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}
