//! Creators and campaigns.

use http::StatusCode;

use crate::app::App;
use crate::domain::creator::{is_email, normal_email};
use crate::domain::deal::DEFAULT_STAGES;
use crate::domain::ids::{BrandId, Campaign, CampaignId, Creator, CreatorId};
use crate::domain::json::json;
use crate::error::{Error, Result};
use crate::storage::creators::{self as rows, CampaignRow, CreatorRow};
use crate::storage::rows::from_json;
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};

use super::listed::{Column, Listed, listed};
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
    }
}

impl From<CreatorRow> for CreatorView {
    fn from(row: CreatorRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            handle: row.handle,
            email: row.email,
            niche: row.niche,
            followers: row.followers,
            engagement_percent: row
                .engagement_bp
                .and_then(crate::domain::money::BasisPoints::new)
                .map(Percent),
            tags: from_json(&row.tags).unwrap_or_default(),
        }
    }
}

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
    }
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
    let name = checks.text("name", &new.name, 200);
    let handle = checks.text("handle", &new.handle, 100);
    let email = new.email.flatten().map(|email| email.trim().to_owned());
    if email.as_deref().is_some_and(|email| !is_email(email)) {
        checks.refuse("email", "must be an e-mail address");
    }
    let niche = new.niche.flatten().and_then(|niche| checks.text("niche", &niche, 200));
    let followers = new.followers.flatten();
    if followers.is_some_and(|n| !(0..=10_000_000_000).contains(&n)) {
        checks.refuse("followers", "must be zero or more");
    }
    let tags = tags(&mut checks, new.tags.unwrap_or_default());
    checks.done()?;
    let creator = CreatorRow {
        id: app.new_id(),
        name: checked(name)?,
        handle: checked(handle)?,
        email,
        niche,
        followers,
        engagement_bp: new.engagement_percent.flatten().map(|p| p.0.points()),
        tags: json!(tags),
    };
    let key = &app.config.data_key;
    let hash = creator.email.as_deref().map(|e| key.email_hash(caller.brand, &normal_email(e)));
    let insert = rows::insert(caller.brand, &creator, hash, app.now_ms());
    let view = CreatorView::from(creator);
    let what = ("creator.create", &*view.id.to_string());
    let note = caller.note_of_creator(&app, view.id, what, None, Some(json::text(&view)));
    let mut batch = vec![insert];
    batch.extend(note);
    app.db().run(batch).await?;
    Ok((StatusCode::CREATED, Json(view)))
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

/// The brand's creators.
#[utoipa::path(get, path = "/v1/creators", tag = "creators", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query),
    ("format" = Option<String>, Query)), responses((status = 200, body = List<CreatorView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Listed<CreatorView>> {
    listed(params, &FILE, |params| Box::pin(rows_of(&app, caller.brand, params))).await
}

async fn rows_of(app: &App, brand: BrandId, params: Params) -> Result<List<CreatorView>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), brand, &page).await?;
    Ok(List::page(found, &page, |row| row.id.to_string(), CreatorView::from))
}

/// The list's columns in a file, beside handles and the brand's own fields.
const FILE: [Column; 10] = [
    ("id", "id"),
    ("name", "name"),
    ("handle", "handle"),
    ("email", "email"),
    ("country", "country"),
    ("language", "language"),
    ("niche", "niche"),
    ("followers", "followers"),
    ("engagement_percent", "engagement_percent"),
    ("tags", "tags"),
];

/// One creator.
#[utoipa::path(get, path = "/v1/creators/{id}", tag = "creators", security(("api_key" = ["read"])),
    params(("id" = CreatorId, Path)), responses((status = 200, body = CreatorView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Creator>,
) -> Result<Json<CreatorView>> {
    let found = rows::find(app.db(), caller.brand, id.0).await?;
    Ok(Json(found.ok_or(Error::NotFound)?.into()))
}

view! {
    /// A board of stages.
    #[schema(as = Campaign)]
    pub struct CampaignView {
        id: CampaignId,
        name: String,
        stages: Vec<String>,
    }
}

impl From<CampaignRow> for CampaignView {
    fn from(row: CampaignRow) -> Self {
        let stages = from_json(&row.stages).unwrap_or_default();
        Self { id: row.id, name: row.name, stages }
    }
}

body! {
    /// A new campaign.
    pub struct NewCampaign {
        name: String,
        stages: Option<Vec<String>>,
    }
}

/// Makes a campaign.
#[utoipa::path(post, path = "/v1/campaigns", tag = "campaigns", request_body = NewCampaign,
    security(("api_key" = ["deals"])), responses((status = 201, body = CampaignView)))]
pub async fn create_campaign(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewCampaign>,
) -> Result<(StatusCode, Json<CampaignView>)> {
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 200);
    let stages = match new.stages {
        Some(stages) => stages_of(&mut checks, &stages),
        None => DEFAULT_STAGES.map(str::to_owned).to_vec(),
    };
    checks.done()?;
    let campaign = CampaignRow { id: app.new_id(), name: checked(name)?, stages: json!(stages) };
    let insert = rows::insert_campaign(caller.brand, &campaign, app.now_ms());
    let view = CampaignView::from(campaign);
    let note = caller.note(&app, "campaign.create", view.id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

fn stages_of(checks: &mut Checks, stages: &[String]) -> Vec<String> {
    if !(1..=50).contains(&stages.len()) {
        checks.refuse("stages", "must be 1 to 50");
    }
    let mut kept: Vec<String> = Vec::new();
    for (index, stage) in stages.iter().enumerate().take(50) {
        let field = format!("stages[{index}]");
        if let Some(stage) = checks.text(&field, stage, 60) {
            if kept.contains(&stage) {
                checks.refuse(&field, "stands there twice");
            }
            kept.push(stage);
        }
    }
    kept
}

/// The brand's campaigns.
#[utoipa::path(get, path = "/v1/campaigns", tag = "campaigns", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<CampaignView>)))]
pub async fn list_campaigns(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<CampaignView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::campaigns(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), CampaignView::from)))
}

/// One campaign.
#[utoipa::path(get, path = "/v1/campaigns/{id}", tag = "campaigns", security(("api_key" = ["read"])),
    params(("id" = CampaignId, Path)), responses((status = 200, body = CampaignView)))]
pub async fn show_campaign(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Campaign>,
) -> Result<Json<CampaignView>> {
    let found = rows::campaign(app.db(), caller.brand, id.0).await?;
    Ok(Json(found.ok_or(Error::NotFound)?.into()))
}
