//! Creators.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::creator::{
    FieldKind, country_of, is_email, language_of, normal_email, normal_handle, platform_of,
};
use crate::domain::ids::{BrandId, Creator, CreatorId};
use crate::domain::json::json;
use crate::domain::money::BasisPoints;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::creators::{self as rows, CreatorRow, FieldRow, HandleRow};
use crate::storage::rows::{from_json, parse};
use crate::storage::{DbError, access};
use crate::web::body::{FromJson, Wrong, body, wrong};
use crate::web::extract::{Body, Caller, Changing, Checks, Params, PathId, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, view};
use crate::web::once::{ATTEMPTS, contended};

use super::audit::Stored;
use super::filtering::{self, Asked, Of};
use super::view::{List, Percent};

view! {
    /// A person in the brand's CRM.
    #[schema(as = Creator)]
    pub struct CreatorView {
        id: CreatorId,
        name: String,
        handle: String,
        #[schema(required)]
        email: Option<String>,
        #[schema(required)]
        niche: Option<String>,
        #[schema(required)]
        followers: Option<i64>,
        #[schema(required)]
        engagement_percent: Option<Percent>,
        tags: Vec<String>,
        /// Her handles on platforms.
        handles: Vec<HandleView>,
        /// ISO 3166-1 alpha-2: `DE`.
        #[schema(required)]
        country: Option<String>,
        /// BCP 47: `de`, `pt-BR`.
        #[schema(required)]
        language: Option<String>,
        /// The brand's own fields by their ids, those that were filled in.
        #[schema(value_type = std::collections::BTreeMap<String, Object>)]
        fields: Stored,
        /// Who goes on as her, where she was merged into another.
        #[schema(required)]
        merged_into: Option<CreatorId>,
    }
}

view! {
    /// A handle on a platform.
    #[schema(as = Handle)]
    pub struct HandleView {
        /// `instagram`, `tiktok`, `youtube` or another: small letters, digits and `_`.
        platform: String,
        handle: String,
    }
}

impl From<CreatorRow> for CreatorView {
    fn from(row: CreatorRow) -> Self {
        let handle = |h: HandleRow| HandleView { platform: h.platform, handle: h.handle };
        Self {
            id: row.id,
            name: row.name,
            handle: row.handle,
            email: row.email,
            niche: row.niche,
            followers: row.followers,
            engagement_percent: row.engagement_bp.and_then(BasisPoints::new).map(Percent),
            tags: from_json(&row.tags).unwrap_or_default(),
            handles: row.handles.into_iter().map(handle).collect(),
            country: row.country,
            language: row.language,
            fields: Stored(Some(row.fields)),
            merged_into: row.merged_into,
        }
    }
}

body! {
    /// A handle on a platform.
    pub struct NewHandle {
        platform: String,
        handle: String,
    }
}

/// Values of the brand's own fields by their ids; null clears one.
pub struct FieldValues(Map<String, Value>);

impl FromJson for FieldValues {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        value
            .as_object()
            .cloned()
            .map(Self)
            .ok_or_else(|| wrong("invalid type, expected an object"))
    }

    fn placeholder() -> Self {
        Self(Map::new())
    }
}

impl utoipa::PartialSchema for FieldValues {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new().schema_type(Type::Object).into()
    }
}
impl utoipa::ToSchema for FieldValues {}

body! {
    /// A new creator.
    pub struct NewCreator {
        name: String,
        handle: String,
        email: Option<Option<String>>,
        niche: Option<Option<String>>,
        followers: Option<Option<i64>>,
        engagement_percent: Option<Option<Percent>>,
        tags: Option<Vec<String>>,
        handles: Option<Vec<NewHandle>>,
        country: Option<Option<String>>,
        language: Option<Option<String>>,
        fields: Option<FieldValues>,
    }
}

body! {
    /// What to change of a creator; what is absent stays, null clears.
    pub struct CreatorChanges {
        name: Option<String>,
        handle: Option<String>,
        email: Option<Option<String>>,
        niche: Option<Option<String>>,
        followers: Option<Option<i64>>,
        engagement_percent: Option<Option<Percent>>,
        tags: Option<Vec<String>>,
        /// All of them.
        handles: Option<Vec<NewHandle>>,
        country: Option<Option<String>>,
        language: Option<Option<String>>,
        /// Those that change.
        fields: Option<FieldValues>,
    }
}

impl CreatorChanges {
    /// Applies what is given to a row, and notes what is wrong with it.
    fn apply(&self, checks: &mut Checks, fields: &[FieldRow], row: &mut CreatorRow) {
        if let Some(name) = self.name.as_ref().and_then(|name| checks.text("name", name, 200)) {
            row.name = name;
        }
        if let Some(text) = self.handle.as_ref().and_then(|text| checks.text("handle", text, 100)) {
            row.handle = text;
        }
        if let Some(email) = &self.email {
            row.email = email.as_ref().map(|email| email.trim().to_owned());
            if row.email.as_deref().is_some_and(|email| !is_email(email)) {
                checks.refuse("email", "must be an e-mail address");
            }
        }
        if let Some(niche) = &self.niche {
            row.niche = niche.as_ref().and_then(|niche| checks.text("niche", niche, 200));
        }
        if let Some(followers) = self.followers {
            row.followers = followers;
            if followers.is_some_and(|n| !(0..=10_000_000_000).contains(&n)) {
                checks.refuse("followers", "must be zero or more");
            }
        }
        if let Some(percent) = self.engagement_percent {
            row.engagement_bp = percent.map(|p| p.0.points());
        }
        if let Some(told) = &self.tags {
            row.tags = json!(tags(checks, told.clone()));
        }
        if let Some(told) = &self.handles {
            row.handles = handles(checks, told);
        }
        let mut known =
            |name: &str, told: &Option<String>, read: fn(&str) -> Option<String>, why: &str| {
                let read = told.as_deref().map(read);
                if read == Some(None) {
                    checks.refuse(name, why);
                }
                read.flatten()
            };
        if let Some(told) = &self.country {
            row.country = known("country", told, country_of, "must be two letters such as DE");
        }
        if let Some(told) = &self.language {
            row.language =
                known("language", told, language_of, "must be a tag such as de or pt-BR");
        }
        if let Some(told) = &self.fields {
            row.fields = field_values(checks, fields, &row.fields, &told.0);
        }
    }
}

/// Handles on platforms, each once.
fn handles(checks: &mut Checks, told: &[NewHandle]) -> Vec<HandleRow> {
    if told.len() > 20 {
        checks.refuse("handles", "must be at most 20");
    }
    let mut kept: Vec<HandleRow> = Vec::new();
    for (index, one) in told.iter().enumerate().take(20) {
        let field = format!("handles[{index}]");
        let platform = platform_of(&one.platform)
            .ok_or("must be small letters, digits and _, such as instagram");
        let platform = checks.field(&format!("{field}.platform"), platform);
        let handle = checks.text(&format!("{field}.handle"), &one.handle, 100);
        let Some((platform, handle)) = platform.zip(handle) else { continue };
        let key = normal_handle(&handle);
        if key.is_empty() {
            checks.refuse(&format!("{field}.handle"), "must not be empty");
        }
        let same = |h: &HandleRow| h.platform == platform && normal_handle(&h.handle) == key;
        if !kept.iter().any(same) {
            kept.push(HandleRow { platform, handle });
        }
    }
    kept
}

/// What a creator has of the brand's own fields after a change, as JSON.
fn field_values(
    checks: &mut Checks,
    fields: &[FieldRow],
    before: &str,
    told: &Map<String, Value>,
) -> String {
    let mut values = match parse(before) {
        Ok(Value::Object(values)) => values,
        _ => Map::new(),
    };
    for (id, value) in told {
        let name = format!("fields.{id}");
        let Some(field) = fields.iter().find(|field| field.id.to_string() == *id) else {
            checks.refuse(&name, "is no field of this brand");
            continue;
        };
        if value.is_null() {
            values.remove(id);
        } else if let Some(value) = checks.field(&name, field_value(field, value)) {
            values.insert(id.clone(), value);
        }
    }
    Value::Object(values).to_string()
}

/// What is kept of a value of a field of the brand's own, or what is wrong with it.
pub(super) fn field_value(field: &FieldRow, value: &Value) -> Result<Value, &'static str> {
    let line = |text: &str| {
        let text = text.trim();
        let fits =
            !text.is_empty() && text.chars().count() <= 500 && !text.chars().any(char::is_control);
        fits.then(|| Value::from(text))
    };
    let text = value.as_str();
    match field.kind {
        FieldKind::Text => text.and_then(line).ok_or("must be a line of at most 500 characters"),
        FieldKind::Number => {
            let fits = value.as_f64().is_some_and(|n| n.abs() <= 9e15);
            fits.then(|| value.clone()).ok_or("must be a number")
        }
        FieldKind::Date => {
            let day =
                text.and_then(Day::from_iso).filter(|day| (Day::FIRST..Day::END).contains(day));
            day.map(|day| Value::from(day.to_iso())).ok_or("must be a date such as 2026-11-22")
        }
        FieldKind::Choice => {
            let chosen = text.filter(|text| field.choices.iter().any(|choice| choice == text));
            chosen.map(Value::from).ok_or("must be one of its choices")
        }
    }
}

/// The keyed hash of a creator's address.
pub(super) fn email_hash(app: &App, brand: BrandId, row: &CreatorRow) -> Option<String> {
    let email = row.email.as_deref().map(normal_email);
    email.map(|email| app.config.data_key.email_hash(brand, &email))
}

/// Signs up a creator.
#[utoipa::path(post, path = "/v1/creators", tag = "creators", request_body = NewCreator,
    security(("api_key" = ["deals"])), responses((status = 201, body = CreatorView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewCreator>,
) -> Result<(StatusCode, Json<CreatorView>)> {
    let mut checks = Checks::default();
    let fields = fields_of(&app, caller.brand, new.fields.as_ref()).await?;
    let mut creator = CreatorRow {
        id: app.new_id(),
        name: String::new(),
        handle: String::new(),
        handles: Vec::new(),
        email: None,
        niche: None,
        followers: None,
        engagement_bp: None,
        tags: "[]".to_owned(),
        country: None,
        language: None,
        fields: "{}".to_owned(),
        merged_into: None,
        revision: 0,
        erased_at_ms: None,
        person_id: None,
    };
    let told = CreatorChanges {
        name: Some(new.name),
        handle: Some(new.handle),
        email: new.email,
        niche: new.niche,
        followers: new.followers,
        engagement_percent: new.engagement_percent,
        tags: new.tags,
        handles: new.handles,
        country: new.country,
        language: new.language,
        fields: new.fields,
    };
    told.apply(&mut checks, &fields, &mut creator);
    checks.done()?;
    let hash = email_hash(&app, caller.brand, &creator);
    let mut batch = rows::insert(caller.brand, &creator, hash, app.now_ms()).to_vec();
    let view = CreatorView::from(creator);
    let what = ("creator.create", &*view.id.to_string());
    batch.extend(caller.note_of_creator(&app, view.id, what, None, Some(json::text(&view))));
    app.db().run(batch).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The brand's own fields, where a body names some.
async fn fields_of(app: &App, brand: BrandId, told: Option<&FieldValues>) -> Result<Vec<FieldRow>> {
    Ok(if told.is_some() { rows::fields(app.db(), brand).await? } else { Vec::new() })
}

/// Changes a creator. With another e-mail address, waiting invitations end: they went to the one before;
/// what was bought with the one before stays decided as it is.
#[utoipa::path(patch, path = "/v1/creators/{id}", tag = "creators", request_body = CreatorChanges,
    security(("api_key" = ["deals"])), params(("id" = CreatorId, Path),
    ("If-Match" = Option<String>, Header)), responses((status = 200, body = CreatorView),
    (status = 409, description = "She was erased, or merged into another"),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Creator>,
    changing: Changing<CreatorChanges>,
) -> Result<Tagged<CreatorView>> {
    for _ in 0..ATTEMPTS {
        let mut row = find(&app, caller.brand, id.0).await?;
        is_there(&row)?;
        let before = json::text(&CreatorView::from(row.clone()));
        let fields = fields_of(&app, caller.brand, changing.body.fields.as_ref()).await?;
        let address = row.email.clone();
        let mut checks = Checks::default();
        changing.body.apply(&mut checks, &fields, &mut row);
        checks.done()?;
        changing.fits(&before)?;
        let hash = email_hash(&app, caller.brand, &row);
        let mut batch = rows::update(caller.brand, &row, hash).to_vec();
        if address != row.email {
            batch.push(access::withdraw(caller.brand, row.id));
        }
        let view = CreatorView::from(row);
        let after = json::text(&view);
        let what = ("creator.update", &*view.id.to_string());
        batch.extend(caller.note_of_creator(&app, view.id, what, Some(before), Some(after)));
        match app.db().run(batch).await {
            Ok(_) => return Ok(Tagged(view)),
            // She was changed meanwhile: looked at anew.
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}

/// A creator of the brand.
///
/// # Errors
/// 404.
pub async fn find(app: &App, brand: BrandId, id: CreatorId) -> Result<CreatorRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

/// That a creator was neither erased nor merged.
///
/// # Errors
/// 409.
pub fn is_there(row: &CreatorRow) -> Result<()> {
    match (row.erased_at_ms, row.merged_into) {
        (None, None) => Ok(()),
        (_, Some(into)) => {
            Err(Error::refused("creator-merged", format!("this creator goes on as {into}")))
        }
        _ => Err(Error::refused("creator-erased", "this creator was erased")),
    }
}

/// Tags: short texts, each once, at most 50.
pub fn tags(checks: &mut Checks, tags: Vec<String>) -> Vec<String> {
    if tags.len() > 50 {
        checks.refuse("tags", "must be at most 50");
    }
    let mut kept: Vec<String> = Vec::new();
    for (index, tag) in tags.iter().enumerate().take(50) {
        let tag = checks.text(&format!("tags[{index}]"), tag, 60);
        kept.extend(tag.filter(|tag| !kept.contains(tag)));
    }
    kept
}

/// The brand's creators, without those who were merged into others: all of them in the order they were made, or
/// those of whose deals a filter or a segment finds at least one, sorted. Of a creator without deals no condition
/// about a deal holds. A page may be shorter than `limit`, even empty, and go on at `next_cursor`.
#[utoipa::path(get, path = "/v1/creators", tag = "creators", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query),
    ("filter" = Option<String>, Query, description = "A filter, as for deals: docs/filters.md",
        example = "followers >= 10000 AND tag = \"vip\" AND NOT \"yoga\""),
    ("sort" = Option<String>, Query,
        description = "`created`, `name` or `followers`; descending with `-` before it", example = "-followers"),
    ("segment" = Option<String>, Query,
        description = "A segment's id: its filter, and its sort if creators can be sorted so")),
    responses((status = 200, body = List<CreatorView>), (status = 404, description = "No such segment"),
    (status = 422, description = "What is wrong, with its place")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<CreatorView>>> {
    let params = params.only(filtering::PARAMS)?;
    if let Some(asked) = Asked::of(&app, caller.brand, Of::Creators, &params).await? {
        let brand = super::brand::find(&app, caller.brand).await?.brand;
        let (ids, next_cursor) = asked.page(&app, &brand, &params).await?;
        let ids: Vec<CreatorId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let mut found = rows::by_ids(app.db(), caller.brand, &ids).await?;
        found.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
        let data = found.into_iter().map(CreatorView::from).collect();
        return Ok(Json(List { data, next_cursor }));
    }
    let page = params.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), CreatorView::from)))
}

/// One creator; who was merged into another says so.
#[utoipa::path(get, path = "/v1/creators/{id}", tag = "creators", security(("api_key" = ["read"])),
    params(("id" = CreatorId, Path)), responses((status = 200, body = CreatorView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Creator>,
) -> Result<Tagged<CreatorView>> {
    Ok(Tagged(find(&app, caller.brand, id.0).await?.into()))
}
