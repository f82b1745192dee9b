//! Automations: what is done by itself when something happens in a deal.

use http::StatusCode;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, Ref, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;
use crate::domain::automation::MOST_STEPS;
use crate::domain::ids::{Automation, AutomationId, BrandId, CampaignId};
use crate::domain::json::{Raw, list_of};
use crate::domain::money::Currency;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::jobs::actions::{Action, check};
use crate::jobs::automations::{Step, StepBody, read_conditions};
use crate::storage::DbError;
use crate::storage::automations::{self as rows, AutomationRow, State as Standing};
use crate::web::body::{FromJson, Wrong, body, words};
use crate::web::extract::{Body, Caller, Changing, Checks, Params, PathId, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, ToJson, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, contended};

use super::automation_triggers::{TriggerBody, TriggerView, stage_known, trigger_view};
use super::view::{List, Time};

/// How often an automation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(as = AutomationRuns, rename_all = "snake_case")]
pub enum Runs {
    /// With every cause, once.
    EveryTime,
    /// Once in a deal.
    FirstTime,
}
words!(Runs { "every_time" => EveryTime, "first_time" => FirstTime });

/// Whether an automation begins runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(as = AutomationState, rename_all = "snake_case")]
pub enum StateWord {
    /// It does.
    Enabled,
    /// It doesn't, and what ran was stopped.
    Disabled,
}
words!(StateWord { "enabled" => Enabled, "disabled" => Disabled });

body! {
    /// A new automation.
    pub struct NewAutomation {
        name: String,
        trigger: TriggerBody,
        /// A filter that the deal has to fit when something happens; absent: any deal.
        conditions: Option<String>,
        /// Absent: every time.
        runs: Option<Runs>,
        /// 1 to 20, in order.
        steps: Vec<StepBody>,
        /// Absent: enabled.
        state: Option<StateWord>,
    }
}

body! {
    /// What to change of an automation; what is absent stays. Runs that began go on as they began.
    pub struct AutomationChanges {
        name: Option<String>,
        trigger: Option<TriggerBody>,
        /// Null for any deal.
        conditions: Option<Option<String>>,
        runs: Option<Runs>,
        steps: Option<Vec<StepBody>>,
        state: Option<StateWord>,
    }
}

/// Steps as they are shown: as they were written.
pub struct StepsView(pub(super) String);

impl ToJson for StepsView {
    fn write(&self, out: &mut Vec<u8>) {
        Raw(&self.0).write(out);
    }
}
impl PartialSchema for StepsView {
    fn schema() -> RefOr<Schema> {
        let one = Ref::from_schema_name(StepBody::name());
        ArrayBuilder::new().items(one).into()
    }
}
impl ToSchema for StepsView {
    fn name() -> std::borrow::Cow<'static, str> {
        "AutomationSteps".into()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((StepBody::name().into_owned(), StepBody::schema()));
        StepBody::schemas(schemas);
    }
}

view! {
    /// An automation.
    #[schema(as = Automation)]
    pub struct AutomationView {
        pub(super) id: AutomationId,
        name: String,
        /// `enabled` or `disabled`.
        state: &'static str,
        trigger: TriggerView,
        /// A filter that the deal has to fit.
        #[schema(required)]
        conditions: Option<String>,
        /// `every_time` or `first_time`.
        runs: &'static str,
        steps: StepsView,
        created_at: Time,
        changed_at: Time,
    }
}

impl From<AutomationRow> for AutomationView {
    fn from(row: AutomationRow) -> Self {
        Self {
            id: row.id,
            state: if row.state == Standing::Enabled { "enabled" } else { "disabled" },
            trigger: trigger_view(&row.trigger),
            conditions: Some(row.conditions).filter(|text| !text.is_empty()),
            runs: if row.first_only { "first_time" } else { "every_time" },
            steps: StepsView(row.steps),
            created_at: Time(row.created_at_ms),
            changed_at: Time(row.changed_at_ms),
            name: row.name,
        }
    }
}

/// That steps can be asked for by this caller, and what they name is there. As they are stored.
///
/// # Errors
/// 403, 409, 422; 503.
pub(super) async fn checked_steps(
    app: &App,
    caller: &Caller<may::Deals>,
    campaign: Option<CampaignId>,
    steps: &[StepBody],
) -> Result<String> {
    if steps.is_empty() || steps.len() > MOST_STEPS {
        return Err(Error::invalid("steps", "must be between 1 and 20"));
    }
    let mut checks = Checks::default();
    for (place, body) in steps.iter().enumerate() {
        let at = format!("steps[{place}]");
        let Step::Act(action) = &body.step else { continue };
        let mut action = action.clone();
        match check(app, caller, &mut action, &at).await {
            Ok(_) => (),
            Err(error) => match *error {
                Error::Invalid(wrong) => {
                    wrong.iter().for_each(|wrong| checks.refuse(&wrong.field, &wrong.reason));
                }
                other => return Err(other.into()),
            },
        }
        if let Action::Move(to) = &*action {
            let field = format!("{at}.stage");
            stage_known(app, caller.brand, campaign, (&to.stage, &field), &mut checks).await?;
        }
    }
    checks.done()?;
    Ok(list_of(&steps.iter().map(|body| body.text.clone()).collect::<Vec<_>>()))
}

/// The steps that are stored, as they were written.
///
/// # Errors
/// 500: what is stored can't be read.
fn stored_steps(list: &str) -> Result<Vec<StepBody>> {
    let fault = || Error::Internal("stored steps can't be read".to_owned());
    let parsed = crate::storage::rows::parse(list).map_err(|_| fault())?;
    let items = parsed.as_array().ok_or_else(fault)?;
    let read: Result<Vec<StepBody>, Wrong> = items.iter().map(StepBody::from_json).collect();
    Ok(read.map_err(|_| fault())?)
}

fn conditions(text: Option<&String>) -> Result<String> {
    text.map_or(Ok(String::new()), |text| read_conditions(text))
}

/// What the database refused.
pub(super) fn refused(error: DbError) -> Box<Error> {
    if error.is_constraint("automations_most") {
        Error::refused("too-many-automations", "a brand has 100 automations at most")
    } else {
        error.into()
    }
}

/// What a brand's automations are read by: its currency, and its day.
pub(super) async fn today(app: &App, brand: BrandId) -> Result<(Currency, Day)> {
    let brand = super::brand::find(app, brand).await?.brand;
    Ok((brand.currency, brand.timezone.day(app.now_ms())))
}

/// Makes an automation. It begins with what happens from now on. A step that moves money needs the scope `money`.
#[utoipa::path(post, path = "/v1/automations", tag = "automations", request_body = NewAutomation,
    security(("api_key" = ["deals"])), responses((status = 201, body = AutomationView),
    (status = 409, description = "There are 100 already, or a step names what is closed")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewAutomation>,
) -> Result<(StatusCode, Json<AutomationView>)> {
    let now = today(&app, caller.brand).await?;
    let row = made(&app, &caller, now, new).await?;
    let mut batch = rows::insert(caller.brand, &row);
    let view = AutomationView::from(row);
    let told = Some(json::text(&view));
    batch.push(caller.note(&app, "automation.create", view.id, None, told));
    app.db().run(batch).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The automation that a body asks for.
///
/// # Errors
/// 403, 409, 422; 503.
pub(super) async fn made(
    app: &App,
    caller: &Caller<may::Deals>,
    now: (Currency, Day),
    new: NewAutomation,
) -> Result<AutomationRow> {
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 100).unwrap_or_default();
    checks.done()?;
    let trigger = new.trigger.trigger(app, caller.brand, now).await?;
    let conditions = conditions(new.conditions.as_ref())?;
    let steps = checked_steps(app, caller, trigger.campaign, &new.steps).await?;
    let now_ms = app.now_ms();
    Ok(AutomationRow {
        id: app.new_id(),
        name,
        trigger,
        conditions,
        first_only: new.runs == Some(Runs::FirstTime),
        steps,
        state: standing(new.state.unwrap_or(StateWord::Enabled)),
        revision: 0,
        from_sequence: 0,
        since_day: now.1,
        looked_day: None,
        looked_to: String::new(),
        created_at_ms: now_ms,
        changed_at_ms: now_ms,
    })
}

fn standing(word: StateWord) -> Standing {
    match word {
        StateWord::Enabled => Standing::Enabled,
        StateWord::Disabled => Standing::Disabled,
    }
}

/// The brand's automations.
#[utoipa::path(get, path = "/v1/automations", tag = "automations", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<AutomationView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<AutomationView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), AutomationView::from)))
}

/// One automation.
///
/// # Errors
/// 404.
pub(super) async fn find(app: &App, brand: BrandId, id: AutomationId) -> Result<AutomationRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

/// One automation.
#[utoipa::path(get, path = "/v1/automations/{id}", tag = "automations", security(("api_key" = ["read"])),
    params(("id" = AutomationId, Path)), responses((status = 200, body = AutomationView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Automation>,
) -> Result<Tagged<AutomationView>> {
    Ok(Tagged(find(&app, caller.brand, id.0).await?.into()))
}

/// Changes an automation, or switches it on or off. What runs goes on with the steps that it began with; when it is
/// switched off it is stopped. One that is switched on, or gets another trigger, begins with what happens from now on.
#[utoipa::path(patch, path = "/v1/automations/{id}", tag = "automations", request_body = AutomationChanges,
    security(("api_key" = ["deals"])), params(("id" = AutomationId, Path),
    ("If-Match" = Option<String>, Header)), responses((status = 200, body = AutomationView),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Automation>,
    changing: Changing<AutomationChanges>,
) -> Result<Tagged<AutomationView>> {
    let now = today(&app, caller.brand).await?;
    for _ in 0..ATTEMPTS {
        let mut row = find(&app, caller.brand, id.0).await?;
        let before = json::text(&AutomationView::from(row.clone()));
        changing.fits(&before)?;
        let was = row.clone();
        apply(&app, &caller, now, (&changing.body, &mut row)).await?;
        let enabled = row.state == Standing::Enabled;
        let begins = enabled && (was.state != row.state || was.trigger != row.trigger);
        let now_ms = app.now_ms();
        let mut batch = rows::update(caller.brand, &row, begins.then_some(now.1), now_ms);
        row.changed_at_ms = now_ms;
        let view = AutomationView::from(row);
        let told = Some(json::text(&view));
        batch.push(caller.note(&app, "automation.update", view.id, Some(before), told));
        match app.db().run(batch).await {
            Ok(_) => return Ok(Tagged(view)),
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}

/// Makes the changes that a body asks for. Whoever leaves it switched on must be able to ask for all that it does.
async fn apply(
    app: &App,
    caller: &Caller<may::Deals>,
    now: (Currency, Day),
    (changes, row): (&AutomationChanges, &mut AutomationRow),
) -> Result<()> {
    if let Some(name) = &changes.name {
        let mut checks = Checks::default();
        row.name = checks.text("name", name, 100).unwrap_or_default();
        checks.done()?;
    }
    if let Some(trigger) = &changes.trigger {
        row.trigger = trigger.trigger(app, caller.brand, now).await?;
    }
    if let Some(told) = &changes.conditions {
        row.conditions = conditions(told.as_ref())?;
    }
    if let Some(runs) = changes.runs {
        row.first_only = runs == Runs::FirstTime;
    }
    let was = row.state;
    row.state = changes.state.map_or(was, standing);
    let asks = row.state == Standing::Enabled
        && (was != row.state || changes.trigger.is_some() || changes.conditions.is_some());
    match &changes.steps {
        Some(steps) => {
            row.steps = checked_steps(app, caller, row.trigger.campaign, steps).await?;
        }
        None if asks || changes.runs.is_some() => {
            checked_steps(app, caller, row.trigger.campaign, &stored_steps(&row.steps)?).await?;
        }
        None => (),
    }
    Ok(())
}

/// Removes an automation: what runs is stopped, and what it did is still shown.
#[utoipa::path(delete, path = "/v1/automations/{id}", tag = "automations", security(("api_key" = ["deals"])),
    params(("id" = AutomationId, Path)), responses((status = 204, description = "Removed")))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Automation>,
) -> Result<Response> {
    for _ in 0..ATTEMPTS {
        let mut row = find(&app, caller.brand, id.0).await?;
        let before = json::text(&AutomationView::from(row.clone()));
        row.state = Standing::Removed;
        let mut batch = rows::update(caller.brand, &row, None, app.now_ms());
        batch.push(caller.note(&app, "automation.remove", id.0, Some(before), None));
        match app.db().run(batch).await {
            Ok(_) => return Ok(Response::empty(StatusCode::NO_CONTENT)),
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}
