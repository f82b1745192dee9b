//! Campaigns and their stages.

use http::StatusCode;

use crate::app::App;
use crate::domain::deal::DEFAULT_STAGES;
use crate::domain::ids::{BrandId, Campaign, CampaignId};
use crate::domain::json::json;
use crate::error::{Error, Result};
use crate::storage::automations;
use crate::storage::boards;
use crate::storage::creators::{self as rows, CampaignRow};
use crate::storage::rows::from_json;
use crate::storage::{DbError, Statement};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Changing, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, by_serde, view};
use crate::web::once::{ATTEMPTS, contended};

use super::view::List;

view! {
    /// A board of stages.
    #[schema(as = Campaign)]
    pub struct CampaignView {
        id: CampaignId,
        name: String,
        /// In the order of the board.
        stages: Vec<String>,
        state: CampaignState,
    }
}

impl CampaignView {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> CampaignId {
        self.id
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// In the order of the board.
    #[must_use]
    pub fn stages(&self) -> &[String] {
        &self.stages
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == CampaignState::Open
    }
}

/// Whether a campaign goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// It does.
    Open,
    /// It was put away: no new deals begin in it.
    Archived,
}
by_serde!(CampaignState);
words!(CampaignState { "open" => Open, "archived" => Archived });

impl From<CampaignRow> for CampaignView {
    fn from(row: CampaignRow) -> Self {
        let stages = from_json(&row.stages).unwrap_or_default();
        let state = if row.archived_at_ms.is_some() {
            CampaignState::Archived
        } else {
            CampaignState::Open
        };
        Self { id: row.id, name: row.name, stages, state }
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
pub async fn create(
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
    let campaign = CampaignRow {
        id: app.new_id(),
        name: checked(name)?,
        stages: json!(stages),
        archived_at_ms: None,
        revision: 0,
    };
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
pub async fn list(
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
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Campaign>,
) -> Result<Tagged<CampaignView>> {
    Ok(Tagged(find(&app, caller.brand, id.0).await?.into()))
}

/// A campaign of the brand.
///
/// # Errors
/// 404.
pub async fn find(app: &App, brand: BrandId, id: CampaignId) -> Result<CampaignRow> {
    Ok(rows::campaign(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

body! {
    /// What to change of a campaign; what is absent stays.
    pub struct CampaignChanges {
        name: Option<String>,
        state: Option<CampaignState>,
    }
}

/// Renames a campaign, puts it away or takes it up again. Deals of one that was put away go on.
#[utoipa::path(patch, path = "/v1/campaigns/{id}", tag = "campaigns", request_body = CampaignChanges,
    security(("api_key" = ["deals"])), params(("id" = CampaignId, Path),
    ("If-Match" = Option<String>, Header)), responses((status = 200, body = CampaignView),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Campaign>,
    changing: Changing<CampaignChanges>,
) -> Result<Tagged<CampaignView>> {
    let mut checks = Checks::default();
    let name = changing.body.name.as_ref().and_then(|name| checks.text("name", name, 200));
    checks.done()?;
    for _ in 0..ATTEMPTS {
        let mut row = find(&app, caller.brand, id.0).await?;
        let before = json::text(&CampaignView::from(row.clone()));
        changing.fits(&before)?;
        row.name.clone_from(name.as_ref().unwrap_or(&row.name.clone()));
        row.archived_at_ms = match changing.body.state {
            Some(CampaignState::Archived) => row.archived_at_ms.or(Some(app.now_ms())),
            Some(CampaignState::Open) => None,
            None => row.archived_at_ms,
        };
        let view = CampaignView::from(row.clone());
        let batch = vec![
            boards::update_campaign(caller.brand, &row),
            caller.note(&app, "campaign.update", row.id, Some(before), Some(json::text(&view))),
        ];
        match app.db().run(batch).await {
            Ok(_) => return Ok(Tagged(view)),
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}

/// What is done to the stages of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum StageChange {
    /// `stage` is added, at `position` or as the last.
    Add,
    /// `stage` is called `name` from now on: its deals, and the fees that wait for it, go on under that name.
    Rename,
    /// `stages` is the new order of all of them.
    Order,
    /// `stage` goes, if no deal is there and no fee waits for it.
    Remove,
    /// `stage` goes, its deals come last in `into`, and what waited for it waits for that.
    Merge,
}
words!(StageChange { "add" => Add, "rename" => Rename, "order" => Order, "remove" => Remove, "merge" => Merge });

body! {
    /// One change of a campaign's stages.
    pub struct StageChanges {
        change: StageChange,
        stage: Option<String>,
        /// Of `rename`.
        name: Option<String>,
        /// Of `merge`.
        into: Option<String>,
        /// Of `add`: from 1.
        position: Option<i64>,
        /// Of `order`.
        stages: Option<Vec<String>>,
    }
}

impl StageChanges {
    /// Notes what is missing for this change, or has nothing to do with it.
    fn look(&self, checks: &mut Checks) {
        let wants = match self.change {
            StageChange::Add => ["stage", "position"].as_slice(),
            StageChange::Rename => &["stage", "name"],
            StageChange::Order => &["stages"],
            StageChange::Remove => &["stage"],
            StageChange::Merge => &["stage", "into"],
        };
        for (name, given) in [
            ("stage", self.stage.is_some()),
            ("name", self.name.is_some()),
            ("into", self.into.is_some()),
            ("position", self.position.is_some()),
            ("stages", self.stages.is_some()),
        ] {
            match (wants.contains(&name), given) {
                (true, false) if name != "position" => {
                    checks.refuse(name, "is needed for this change")
                }
                (false, true) => checks.refuse(name, "is nothing that this change takes"),
                _ => (),
            }
        }
    }

    /// The stages after the change, and which text stands for which: from and to.
    fn applied(&self, stages: &[String]) -> Result<(Vec<String>, String, String)> {
        let mut checks = Checks::default();
        self.look(&mut checks);
        let is_one = |text: &str| stages.iter().any(|stage| stage == text);
        let stage = self.stage.clone().unwrap_or_default();
        let must_be = self.change != StageChange::Add && self.stage.is_some();
        if must_be && !is_one(&stage) {
            checks.refuse("stage", "must be a stage of the campaign");
        }
        checks.done()?;
        let mut checks = Checks::default();
        let mut after = stages.to_vec();
        let mut to = String::new();
        match self.change {
            StageChange::Add => {
                let new = checked(checks.text("stage", &stage, 60)).unwrap_or_default();
                let last = i64::try_from(stages.len()).unwrap_or(i64::MAX);
                let at = self.position.unwrap_or(last + 1);
                if !(1..=last + 1).contains(&at) {
                    checks.refuse("position", "must be 1 to the number of stages and one more");
                }
                if is_one(&new) {
                    return Err(exists());
                }
                let at = usize::try_from(at - 1).unwrap_or(0).min(after.len());
                after.insert(at, new);
            }
            StageChange::Rename => {
                let name = self.name.clone().unwrap_or_default();
                to = checks.text("name", &name, 60).unwrap_or_default();
                if to != stage && is_one(&to) {
                    return Err(exists());
                }
                let renamed = after.iter_mut().filter(|one| **one == stage);
                renamed.for_each(|one| one.clone_from(&to));
            }
            StageChange::Order => {
                let told = self.stages.clone().unwrap_or_default();
                let sorted = |list: &[String]| {
                    let mut list = list.to_vec();
                    list.sort();
                    list
                };
                if sorted(&told) != sorted(stages) {
                    checks.refuse("stages", "must be all stages of the campaign, each once");
                }
                after = told;
            }
            StageChange::Remove => after.retain(|one| *one != stage),
            StageChange::Merge => {
                to = self.into.clone().unwrap_or_default();
                if !is_one(&to) || to == stage {
                    checks.refuse("into", "must be another stage of the campaign");
                }
                after.retain(|one| *one != stage);
            }
        }
        if after.is_empty() || after.len() > 50 {
            checks.refuse("stage", "a campaign has 1 to 50 stages");
        }
        checks.done()?;
        Ok((after, stage, to))
    }
}

fn exists() -> Box<Error> {
    Error::refused("stage-exists", "the campaign has a stage of this name; merge them instead")
}

/// Adds, renames, reorders, removes or merges stages, one change a call. A deal that comes to a stage by a
/// merge has reached it, and fees that waited for that are posted; by another name nothing is reached.
#[utoipa::path(post, path = "/v1/campaigns/{id}/stages", tag = "campaigns", request_body = StageChanges,
    security(("api_key" = ["deals"])), params(("id" = CampaignId, Path),
    ("If-Match" = Option<String>, Header)), responses((status = 200, body = CampaignView),
    (status = 409, description = "The stage isn't empty, or there is one of this name"),
    (status = 412, description = "Changed since it was read")))]
pub async fn change_stages(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Campaign>,
    changing: Changing<StageChanges>,
) -> Result<Tagged<CampaignView>> {
    let mut taken = false;
    for _ in 0..ATTEMPTS {
        let mut row = find(&app, caller.brand, id.0).await?;
        let view = CampaignView::from(row.clone());
        let before = json::text(&view);
        changing.fits(&before)?;
        let change = changing.body.change;
        let (after, from, to) = changing.body.applied(&view.stages)?;
        row.stages = json!(after);
        let mut batch = vec![boards::update_campaign(caller.brand, &row)];
        match change {
            StageChange::Rename if from != to => {
                batch.extend(boards::rename(caller.brand, row.id, (&from, &to)));
                batch.push(automations::rename_stage(caller.brand, row.id, (&from, &to)));
            }
            StageChange::Remove if taken => {
                return Err(Error::refused(
                    "stage-not-empty",
                    "deals are at this stage, or fees wait for it: merge it into another",
                ));
            }
            StageChange::Remove => batch.push(boards::nobody_at(caller.brand, row.id, &from)),
            StageChange::Merge => {
                batch.extend(fulfil(&app, &caller, row.id, (&from, &to)).await?);
                batch.extend(boards::merge(caller.brand, row.id, (&from, &to)));
                batch.push(automations::rename_stage(caller.brand, row.id, (&from, &to)));
            }
            _ => (),
        }
        let view = CampaignView::from(row.clone());
        batch.push(caller.note(
            &app,
            "campaign.stages",
            row.id,
            Some(before),
            Some(json::text(&view)),
        ));
        match app.db().run(batch).await {
            Ok(_) => return Ok(Tagged(view)),
            // Of a removal: looked at once more, so that it is known which of both refused.
            Err(DbError::Constraint(text)) => taken = text.contains("campaigns.name"),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}

/// So many fees a merge decides.
const MOST_FEES: i64 = 100;

/// What follows for fees when two stages become one.
async fn fulfil(
    app: &App,
    caller: &Caller<may::Deals>,
    campaign: CampaignId,
    stages: (&str, &str),
) -> Result<Vec<Statement>> {
    let found = boards::fulfilled(app.db(), caller.brand, campaign, stages, MOST_FEES + 1).await?;
    if i64::try_from(found.len()).is_ok_and(|n| n > MOST_FEES) {
        let why = "more than 100 fees wait for these stages: move their deals one by one first";
        return Err(Error::refused("too-many-fees", why));
    }
    super::fees::fulfilled(app, caller, found, stages.1).await
}
