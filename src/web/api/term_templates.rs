//! Templates of terms: what a brand offers again and again, in versions.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{TermTemplate, TermTemplateId};
use crate::domain::money::Money;
use crate::error::{Error, Result};
use crate::storage::DbError;
use crate::storage::term_templates::{self as rows, TermTemplateRow};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Changing, Checks, Params, PathId, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::contended;

use super::collections;
use super::offers::long_text;
use super::terms::{NewTerms, RateView};
use super::view::{List, Percent, Time};

body! {
    /// A template of terms.
    pub struct NewTermTemplate {
        name: String,
        /// As a deal's terms.
        terms: NewTerms,
        /// The words of the contract that go with them.
        contract: Option<Option<String>>,
    }
}

body! {
    /// What to change of a template; what is absent stays. Each change makes a version.
    pub struct TermTemplateChanges {
        name: Option<String>,
        terms: Option<NewTerms>,
        contract: Option<Option<String>>,
    }
}

view! {
    /// What a template says.
    #[schema(as = TemplateTerms)]
    pub struct TemplateTermsView {
        commission_percent: Percent,
        /// Null: from when it is accepted on.
        #[schema(required)]
        starts_at: Option<Time>,
        #[schema(required)]
        ends_at: Option<Time>,
        rates: Vec<RateView>,
        #[schema(required)]
        flat_per_order: Option<Money>,
        first_order_only: bool,
        #[schema(required)]
        cap_per_order: Option<Money>,
        #[schema(required)]
        cap_per_month: Option<Money>,
    }
}

view! {
    /// A template of terms in one version.
    #[schema(as = TermTemplate)]
    pub struct TermTemplateView {
        id: TermTemplateId,
        /// From 1, one more with each change.
        version: i64,
        name: String,
        terms: TemplateTermsView,
        #[schema(required)]
        contract: Option<String>,
        /// `open`, or `archived`: it is offered no more.
        state: &'static str,
        /// Since when it says this.
        created_at: Time,
    }
}

impl From<TermTemplateRow> for TermTemplateView {
    fn from(row: TermTemplateRow) -> Self {
        let rules = row.rules;
        let terms = TemplateTermsView {
            commission_percent: Percent(row.rate_bp),
            starts_at: row.starts_at_ms.map(Time),
            ends_at: row.ends_at_ms.map(Time),
            rates: rules.rates.into_iter().map(RateView::from).collect(),
            flat_per_order: rules.flat,
            first_order_only: rules.first_order_only,
            cap_per_order: rules.order_cap,
            cap_per_month: rules.month_cap,
        };
        Self {
            id: row.id,
            version: row.version,
            name: row.name,
            terms,
            contract: row.contract,
            state: if row.archived_at_ms.is_some() { "archived" } else { "open" },
            created_at: Time(row.created_at_ms),
        }
    }
}

/// Puts what a body says of terms into the row.
fn set_terms(app: &App, row: &mut TermTemplateRow, new: NewTerms, checks: &mut Checks) {
    row.starts_at_ms = new.starts_at();
    // Of no deal yet: an offer says which.
    let terms = new.terms(checks, app.new_id(), app.new_id(), app.now_ms());
    row.rate_bp = terms.cited.rate;
    row.rules = terms.cited.rules;
    row.ends_at_ms = terms.ends_at_ms;
}

/// A template of the brand that may be offered.
///
/// # Errors
/// 422 if there is none, 409 if it was put away.
pub(super) async fn offered(
    app: &App,
    brand: crate::domain::ids::BrandId,
    told: &str,
) -> Result<TermTemplateRow> {
    let none = || Error::invalid("template_id", "must be a template of terms");
    let id: TermTemplateId = told.parse().map_err(|_| none())?;
    let row = rows::find(app.db(), brand, id).await?.ok_or_else(none)?;
    if row.archived_at_ms.is_some() { Err(archived()) } else { Ok(row) }
}

fn archived() -> Box<Error> {
    Error::refused("term-template-archived", "this template of terms was put away")
}

/// What the database's refusal of a template, or of an offer made from one, means.
pub(super) fn refused(error: DbError) -> Box<Error> {
    if error.is_constraint("term_template_archived") {
        return archived();
    }
    error.into()
}

/// Makes a template of terms.
#[utoipa::path(post, path = "/v1/term-templates", tag = "deals", request_body = NewTermTemplate,
    security(("api_key" = ["deals"])), responses((status = 201, body = TermTemplateView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(mut new): Body<NewTermTemplate>,
) -> Result<(StatusCode, Json<TermTemplateView>)> {
    collections::resolve(&app, &caller, &mut new.terms).await?;
    let mut checks = Checks::default();
    let mut row = TermTemplateRow {
        id: app.new_id(),
        version: 1,
        name: checks.text("name", &new.name, 100).unwrap_or_default(),
        rate_bp: new.terms.commission_percent.0,
        rules: crate::domain::terms::Rules::default(),
        starts_at_ms: None,
        ends_at_ms: None,
        contract: long_text(&mut checks, "contract", new.contract.flatten()),
        archived_at_ms: None,
        created_at_ms: app.now_ms(),
    };
    set_terms(&app, &mut row, new.terms, &mut checks);
    checks.done()?;
    let id = row.id;
    let mut batch = rows::insert(caller.brand, &row).to_vec();
    let view = TermTemplateView::from(row);
    batch.push(caller.note(&app, "term_template.create", id, None, Some(json::text(&view))));
    app.db().run(batch).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The brand's templates of terms.
#[utoipa::path(get, path = "/v1/term-templates", tag = "deals", security(("api_key" = ["read"])),
    params(("state" = Option<String>, Query, description = "`open` (if nothing is said) or `all`"),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<TermTemplateView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<TermTemplateView>>> {
    let params = params.only(&["state", "limit", "cursor"])?;
    let page = params.page()?;
    let all = match params.get("state") {
        None | Some("open") => false,
        Some("all") => true,
        Some(_) => return Err(Error::invalid("state", "must be open or all")),
    };
    let found = rows::list(app.db(), caller.brand, &page, all).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), TermTemplateView::from)))
}

/// One template of terms.
#[utoipa::path(get, path = "/v1/term-templates/{id}", tag = "deals",
    security(("api_key" = ["read"])), params(("id" = TermTemplateId, Path)),
    responses((status = 200, body = TermTemplateView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<TermTemplate>,
) -> Result<Tagged<TermTemplateView>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Tagged(row.into()))
}

/// What a template said in all its versions, latest first.
#[utoipa::path(get, path = "/v1/term-templates/{id}/versions", tag = "deals",
    security(("api_key" = ["read"])), params(("id" = TermTemplateId, Path),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<TermTemplateView>)))]
pub async fn versions(
    State(app): State<App>,
    caller: Caller,
    id: PathId<TermTemplate>,
    params: Params,
) -> Result<Json<List<TermTemplateView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let before = match page.after.as_str() {
        "" => i64::from(i32::MAX),
        told => told
            .parse::<i32>()
            .map(i64::from)
            .map_err(|_| Error::invalid("cursor", "is none that this list gave"))?,
    };
    rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let found = rows::versions(app.db(), caller.brand, id.0, before, page.limit).await?;
    Ok(Json(List::page(found, &page, |row| row.version.to_string(), TermTemplateView::from)))
}

/// Changes a template: a new version. What was offered before stays as it was.
#[utoipa::path(patch, path = "/v1/term-templates/{id}", tag = "deals",
    request_body = TermTemplateChanges, security(("api_key" = ["deals"])),
    params(("id" = TermTemplateId, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = TermTemplateView),
    (status = 409, description = "It was put away"),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<TermTemplate>,
    mut changing: Changing<TermTemplateChanges>,
) -> Result<Tagged<TermTemplateView>> {
    let mut row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let before = json::text(&TermTemplateView::from(row.clone()));
    changing.fits(&before)?;
    if row.archived_at_ms.is_some() {
        return Err(archived());
    }
    if let Some(terms) = &mut changing.body.terms {
        collections::resolve(&app, &caller, terms).await?;
    }
    let changes = changing.body;
    let mut checks = Checks::default();
    if let Some(name) = &changes.name {
        row.name = checks.text("name", name, 100).unwrap_or_default();
    }
    if let Some(contract) = changes.contract {
        row.contract = long_text(&mut checks, "contract", contract);
    }
    if let Some(terms) = changes.terms {
        set_terms(&app, &mut row, terms, &mut checks);
    }
    checks.done()?;
    row.version += 1;
    row.created_at_ms = app.now_ms();
    let mut batch = rows::advance(caller.brand, &row).to_vec();
    let view = TermTemplateView::from(row);
    let after = Some(json::text(&view));
    batch.push(caller.note(&app, "term_template.update", id.0, Some(before), after));
    match app.db().run(batch).await {
        Ok(_) => Ok(Tagged(view)),
        Err(error) if error.is_constraint("term_template_archived") => Err(refused(error)),
        Err(DbError::Constraint(_)) => Err(contended()),
        Err(error) => Err(error.into()),
    }
}

/// Puts a template away: nothing more is offered from it, its versions stay. Again is no fault.
#[utoipa::path(delete, path = "/v1/term-templates/{id}", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = TermTemplateId, Path)),
    responses((status = 204, description = "Put away")))]
pub async fn archive(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<TermTemplate>,
) -> Result<Response> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    if row.archived_at_ms.is_none() {
        let batch = vec![
            rows::archive(caller.brand, id.0, app.now_ms()),
            caller.note(&app, "term_template.archive", id.0, None, None),
        ];
        app.db().run(batch).await?;
    }
    Ok(Response::empty(StatusCode::NO_CONTENT))
}
