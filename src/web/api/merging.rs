//! Creators who may be the same, the brand's own fields of creators.

use http::StatusCode;

use crate::app::App;
use crate::domain::creator::FieldKind;
use crate::domain::ids::{BrandId, Creator, CreatorId, Field, FieldId};
use crate::domain::json::json;
use crate::error::{Error, Result};
use crate::storage::DbError;
use crate::storage::creators::{self as rows, CreatorRow, FieldRow};
use crate::storage::rows::from_json;
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, checked, encode_cursor, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, by_serde, view};
use crate::web::once::{ATTEMPTS, contended};

use super::creators::{CreatorView, email_hash, find, is_there};
use super::view::List;

/// So many creators a page of duplicates looks at.
const LOOKED_AT: i64 = 1000;

view! {
    /// Creators who may be the same person.
    pub struct Duplicates {
        /// What they share: `email` or `handle`.
        by: String,
        /// On which platform they have the handle; null for the one they go by, or an address.
        #[schema(required)]
        platform: Option<String>,
        /// Oldest first, at most 21.
        creators: Vec<CreatorView>,
    }
}

/// Creators who share an e-mail address or a handle. Case, space around and an `@` before a handle make no
/// other; a `+tag` or a dot does, since providers disagree about them, and so does another letter. Nobody is
/// merged by that. A page looks at 1,000 creators, so that it may be short though others follow.
#[utoipa::path(get, path = "/v1/creators/duplicates", tag = "creators",
    security(("api_key" = ["read"])), params(("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<Duplicates>)))]
pub async fn duplicates(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<Duplicates>>> {
    let after = params.only(&["cursor"])?.page()?.after;
    let found = rows::duplicates(app.db(), caller.brand, &after, LOOKED_AT).await?;
    let to = rows::looked_to(app.db(), caller.brand, &after, LOOKED_AT).await?;
    let mut ids: Vec<CreatorId> = found.iter().map(|row| row.id).collect();
    ids.extend(found.iter().flat_map(|row| row.others.iter().copied()));
    ids.sort();
    ids.dedup();
    let known = rows::by_ids(app.db(), caller.brand, &ids).await?;
    let one = |id: CreatorId| known.iter().find(|row| row.id == id).cloned().map(CreatorView::from);
    let data = found.into_iter().map(|row| Duplicates {
        creators: std::iter::once(row.id).chain(row.others).filter_map(one).collect(),
        by: row.kind,
        platform: row.platform,
    });
    let next_cursor = to.first().map(|id| encode_cursor(&id.to_string()));
    Ok(Json(List { data: data.collect(), next_cursor }))
}

body! {
    /// Who goes on in the creator of the address.
    pub struct Merge {
        from_id: String,
    }
}

/// Merges one creator into another, who stays: deals with all that is theirs, handles, notes, waiting fees,
/// offers and claims go over, tags are united, and what the one who stays doesn't have is taken from the
/// other. The address of one who has another isn't kept, but what is bought with it is a purchase of her own
/// from then on. Payment details, waiting invitations and access of the one who goes end; whoever signs in as
/// her does so as the other, if nobody does that yet. The ledger is never touched: who has entries, payouts
/// or orders has to be the one who stays, and if both do, neither can go.
#[utoipa::path(post, path = "/v1/creators/{id}/merge", tag = "creators", request_body = Merge,
    security(("api_key" = ["deals"])), params(("id" = CreatorId, Path)),
    responses((status = 200, body = CreatorView),
    (status = 409, description = "The books name the one who would go, or one of them isn't there any more")))]
pub async fn merge(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Creator>,
    Body(body): Body<Merge>,
) -> Result<Json<CreatorView>> {
    let mut checks = Checks::default();
    let other = checks.field("from_id", body.from_id.parse::<CreatorId>());
    if other == Some(id.0) {
        checks.refuse("from_id", "must be another creator");
    }
    checks.done()?;
    let other = checked(other)?;
    for _ in 0..ATTEMPTS {
        let into = find(&app, caller.brand, id.0).await?;
        let from = find(&app, caller.brand, other).await?;
        is_there(&into)?;
        is_there(&from)?;
        if rows::has_books(app.db(), caller.brand, from.id).await? {
            return Err(refused(&app, caller.brand, &into, &from).await?);
        }
        let united = united(into.clone(), &from);
        let before = json!({ "into": CreatorView::from(into.clone()), "from": CreatorView::from(from.clone()) });
        let mut batch = rows::merge(caller.brand, &from, into.id);
        let hash = email_hash(&app, caller.brand, &united);
        // All handles are there by now: only the row.
        batch.extend(rows::update(caller.brand, &united, hash).into_iter().take(1));
        let what = ("creator.merge", &*into.id.to_string());
        let after = json!({ "from_id": from.id });
        batch.extend(caller.note_of_creator(&app, into.id, what, Some(before), Some(after)));
        match app.db().run(batch).await {
            Ok(_) => return Ok(Json(find(&app, caller.brand, id.0).await?.into())),
            // One of them was changed, or got books, meanwhile: looked at anew.
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}

async fn refused(
    app: &App,
    brand: BrandId,
    into: &CreatorRow,
    from: &CreatorRow,
) -> Result<Box<Error>> {
    Ok(if rows::has_books(app.db(), brand, into.id).await? {
        let why = "both have orders, payments or balances of their own, which the books keep under each of \
            them for good: pay out and close the deals of one, and make new deals with the other only";
        Error::refused("both-have-books", why)
    } else {
        let why = format!(
            "{} has orders, payments or balances, which the books keep under her: merge {} into her",
            from.id, into.id
        );
        Error::refused("merge-the-other-way", why)
    })
}

/// The one who stays, with what she didn't have.
fn united(mut into: CreatorRow, from: &CreatorRow) -> CreatorRow {
    let or =
        |hers: &Option<String>, others: &Option<String>| hers.clone().or_else(|| others.clone());
    into.email = or(&into.email, &from.email);
    into.niche = or(&into.niche, &from.niche);
    into.country = or(&into.country, &from.country);
    into.language = or(&into.language, &from.language);
    into.followers = into.followers.or(from.followers);
    into.engagement_bp = into.engagement_bp.or(from.engagement_bp);
    let list = |text: &str| from_json::<Vec<String>>(text).unwrap_or_default();
    let mut tags = list(&into.tags);
    for tag in list(&from.tags) {
        if !tags.contains(&tag) && tags.len() < 50 {
            tags.push(tag);
        }
    }
    into.tags = json!(tags);
    let object = |text: &str| match crate::storage::rows::parse(text) {
        Ok(serde_json::Value::Object(values)) => values,
        _ => serde_json::Map::new(),
    };
    let mut fields = object(&from.fields);
    fields.extend(object(&into.fields));
    into.fields = serde_json::Value::Object(fields).to_string();
    into
}

by_serde!(FieldKind);
words!(FieldKind { "text" => Text, "number" => Number, "date" => Date, "choice" => Choice });

view! {
    /// A field of creators of the brand's own.
    #[schema(as = CreatorField)]
    pub struct FieldView {
        id: FieldId,
        name: String,
        kind: FieldKind,
        /// Of a choice.
        choices: Vec<String>,
    }
}

impl From<FieldRow> for FieldView {
    fn from(row: FieldRow) -> Self {
        Self { id: row.id, name: row.name, kind: row.kind, choices: row.choices }
    }
}

view! {
    /// The brand's own fields.
    pub struct FieldList {
        data: Vec<FieldView>,
    }
}

body! {
    /// A new field.
    pub struct NewField {
        name: String,
        kind: FieldKind,
        choices: Option<Vec<String>>,
    }
}

fn choices(checks: &mut Checks, kind: FieldKind, told: &[String]) -> Vec<String> {
    if kind != FieldKind::Choice {
        if !told.is_empty() {
            checks.refuse("choices", "only a choice has these");
        }
        return Vec::new();
    }
    if !(1..=100).contains(&told.len()) {
        checks.refuse("choices", "must be 1 to 100");
    }
    let mut kept: Vec<String> = Vec::new();
    for (index, one) in told.iter().enumerate().take(100) {
        let one = checks.text(&format!("choices[{index}]"), one, 60);
        kept.extend(one.filter(|one| !kept.contains(one)));
    }
    kept
}

/// The brand's own fields of creators.
#[utoipa::path(get, path = "/v1/creator-fields", tag = "creators", security(("api_key" = ["read"])),
    responses((status = 200, body = FieldList)))]
pub async fn fields(State(app): State<App>, caller: Caller) -> Result<Json<FieldList>> {
    let found = rows::fields(app.db(), caller.brand).await?;
    Ok(Json(FieldList { data: found.into_iter().map(FieldView::from).collect() }))
}

/// Adds a field, of which there are at most fifty.
#[utoipa::path(post, path = "/v1/creator-fields", tag = "creators", request_body = NewField,
    security(("api_key" = ["admin"])), responses((status = 201, body = FieldView),
    (status = 409, description = "There is one of this name, or there are fifty")))]
pub async fn add_field(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(new): Body<NewField>,
) -> Result<(StatusCode, Json<FieldView>)> {
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 60);
    let choices = choices(&mut checks, new.kind, &new.choices.unwrap_or_default());
    checks.done()?;
    let row = FieldRow { id: app.new_id(), name: checked(name)?, kind: new.kind, choices };
    let insert = rows::insert_field(caller.brand, &row, app.now_ms());
    let view = FieldView::from(row);
    let note = caller.note(&app, "creator_field.create", view.id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await.map_err(field_taken)?;
    Ok((StatusCode::CREATED, Json(view)))
}

fn field_taken(error: DbError) -> Box<Error> {
    if error.is_constraint("creator_fields.name") {
        Error::refused("too-many-fields", "a brand has at most fifty fields")
    } else if error.is_constraint("creator_fields_by_name") || error.is_constraint("UNIQUE") {
        Error::refused("field-exists", "there is a field of this name")
    } else {
        error.into()
    }
}

/// A field, or none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum FieldState {
    /// It is used.
    Active,
    /// It goes, with what creators have of it; for good.
    Removed,
}
words!(FieldState { "active" => Active, "removed" => Removed });

body! {
    /// What to change of a field; what is absent stays. Its kind can't change.
    pub struct FieldChanges {
        name: Option<String>,
        choices: Option<Vec<String>>,
        state: Option<FieldState>,
    }
}

/// Renames a field, changes its choices, or removes it. What creators have of it stays as it is when
/// choices go, and isn't shown any more when the field does.
#[utoipa::path(patch, path = "/v1/creator-fields/{id}", tag = "creators", request_body = FieldChanges,
    security(("api_key" = ["admin"])), params(("id" = FieldId, Path)),
    responses((status = 200, body = FieldView)))]
pub async fn update_field(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Field>,
    Body(told): Body<FieldChanges>,
) -> Result<Json<FieldView>> {
    let all = rows::fields(app.db(), caller.brand).await?;
    let mut row = all.into_iter().find(|row| row.id == id.0).ok_or(Error::NotFound)?;
    let before = json::text(&FieldView::from(row.clone()));
    let mut checks = Checks::default();
    let name = told.name.as_ref().and_then(|name| checks.text("name", name, 60));
    let choices = told.choices.as_ref().map(|told| choices(&mut checks, row.kind, told));
    checks.done()?;
    let removed = (told.state == Some(FieldState::Removed)).then(|| app.now_ms());
    let changes = (name.as_deref(), choices.as_deref());
    let update = rows::update_field(caller.brand, row.id, changes, removed);
    row.name = name.unwrap_or(row.name);
    row.choices = choices.unwrap_or(row.choices);
    let view = FieldView::from(row);
    let after = json!({ "field": view, "removed": removed.is_some() });
    let note = caller.note(&app, "creator_field.update", view.id, Some(before), Some(after));
    app.db().run(vec![update, note]).await.map_err(field_taken)?;
    Ok(Json(view))
}
