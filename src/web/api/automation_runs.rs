//! Runs of automations: what began, what its steps did, and what one would do.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{Automation, AutomationId, BrandId, Deal, DealId, Run, RunId};
use crate::domain::json::{Raw, json};
use crate::error::{Error, Result};
use crate::jobs::actions::{Action, Foreseen, prepare};
use crate::jobs::automations::{Step, fitting, read_steps};
use crate::storage::automation_runs::{self as rows, RunRow, RunState, StepRow};
use crate::storage::automations::State as Standing;
use crate::storage::{DbError, actions, templates};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Params, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::{ToJson, view};
use crate::web::outreach;

use super::automations::find;
use super::view::{List, Time};

view! {
    /// A run of an automation.
    #[schema(as = AutomationRun)]
    pub struct RunView {
        id: RunId,
        automation_id: AutomationId,
        deal_id: DealId,
        /// What it was begun by: its kind, before the first `/`.
        cause: String,
        /// `running`, `done`, `failed` or `stopped`.
        state: &'static str,
        /// Why it failed or was stopped.
        #[schema(required)]
        reason: Option<String>,
        /// How many steps there are.
        steps: i64,
        /// The next one's place, from 0.
        step: i64,
        /// How often that was tried.
        tries: i64,
        /// When it goes on.
        #[schema(required)]
        next_at: Option<Time>,
        created_at: Time,
        #[schema(required)]
        ended_at: Option<Time>,
    }
}

view! {
    /// What a step of a run did.
    #[schema(as = AutomationRunStep)]
    pub struct StepView {
        /// Its place, from 0.
        step: i64,
        /// What it is to do.
        r#do: String,
        /// `done`, `unchanged` (nothing was to be done), `waiting` (its pause began), `trying` (it wasn't done
        /// yet), `failed`, or `next` (it wasn't come to).
        state: String,
        /// What it made, or what is in its way.
        told: Told,
        tries: i64,
        #[schema(required)]
        at: Option<Time>,
    }
}

/// What a step tells, as it is stored.
pub struct Told(String);

impl ToJson for Told {
    fn write(&self, out: &mut Vec<u8>) {
        Raw(&self.0).write(out);
    }
}
impl utoipa::PartialSchema for Told {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Object)
            .into()
    }
}
impl utoipa::ToSchema for Told {
    fn name() -> std::borrow::Cow<'static, str> {
        "AutomationTold".into()
    }
}

view! {
    /// A run with its steps.
    #[schema(as = AutomationRunWithSteps)]
    pub struct RunWithSteps {
        run: RunView,
        steps: Vec<StepView>,
    }
}

impl From<RunRow> for RunView {
    fn from(row: RunRow) -> Self {
        let steps = read_steps(&row.steps).map_or(0, |steps| steps.len());
        Self {
            id: row.id,
            automation_id: row.automation_id,
            deal_id: row.deal_id,
            cause: row.cause,
            state: row.state.word(),
            reason: Some(row.reason).filter(|why| !why.is_empty()),
            steps: i64::try_from(steps).unwrap_or(i64::MAX),
            step: row.step,
            tries: row.tries,
            next_at: row.due_at_ms.map(Time),
            created_at: Time(row.created_at_ms),
            ended_at: row.ended_at_ms.map(Time),
        }
    }
}

fn state_of(params: &Params) -> Result<Option<RunState>> {
    Ok(Some(match params.get("state") {
        None => return Ok(None),
        Some("running") => RunState::Running,
        Some("done") => RunState::Done,
        Some("failed") => RunState::Failed,
        Some("stopped") => RunState::Stopped,
        Some(_) => {
            return Err(Error::invalid("state", "must be running, done, failed or stopped"));
        }
    }))
}

/// An automation's runs, latest first.
#[utoipa::path(get, path = "/v1/automations/{id}/runs", tag = "automations", security(("api_key" = ["read"])),
    params(("id" = AutomationId, Path), ("state" = Option<String>, Query,
    description = "`running`, `done`, `failed` or `stopped`"), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<RunView>)))]
pub async fn of_automation(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Automation>,
    params: Params,
) -> Result<Json<List<RunView>>> {
    let params = params.only(&["limit", "cursor", "state"])?;
    let (page, state) = (params.page()?, state_of(&params)?);
    let found = rows::of_automation(app.db(), caller.brand, id.0, &page, state).await?;
    if found.is_empty() {
        find(&app, caller.brand, id.0).await?;
    }
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), RunView::from)))
}

/// What automations did in a deal, latest first.
#[utoipa::path(get, path = "/v1/deals/{id}/automation-runs", tag = "automations",
    security(("api_key" = ["read"])), params(("id" = DealId, Path), ("state" = Option<String>, Query,
    description = "`running`, `done`, `failed` or `stopped`"), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<RunView>)))]
pub async fn of_deal(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<RunView>>> {
    let params = params.only(&["limit", "cursor", "state"])?;
    let (page, state) = (params.page()?, state_of(&params)?);
    super::deals::find(&app, caller.brand, id.0).await?;
    let found = rows::of_deal(app.db(), caller.brand, id.0, &page, state).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), RunView::from)))
}

async fn with_steps(app: &App, brand: BrandId, row: RunRow) -> Result<RunWithSteps> {
    let told = rows::steps(app.db(), brand, row.id).await?;
    let steps = read_steps(&row.steps).unwrap_or_default();
    let views = steps.iter().enumerate().map(|(place, step)| {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        let known = told.iter().find(|told| told.step == place);
        StepView {
            step: place,
            r#do: step.word().to_owned(),
            state: known.map_or_else(|| "next".to_owned(), |row| row.state.clone()),
            told: Told(known.map_or_else(|| "{}".to_owned(), |row: &StepRow| row.told.clone())),
            tries: known.map_or(0, |row| row.tries),
            at: known.map(|row| Time(row.at_ms)),
        }
    });
    let steps = views.collect();
    Ok(RunWithSteps { run: row.into(), steps })
}

/// One run, with what each of its steps did.
#[utoipa::path(get, path = "/v1/automation-runs/{id}", tag = "automations", security(("api_key" = ["read"])),
    params(("id" = RunId, Path)), responses((status = 200, body = RunWithSteps)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Run>,
) -> Result<Json<RunWithSteps>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(with_steps(&app, caller.brand, row).await?))
}

/// Tries a failed run again, from the step that failed. A step that moves money needs the scope `money`.
#[utoipa::path(post, path = "/v1/automation-runs/{id}/retry", tag = "automations",
    security(("api_key" = ["deals"])), params(("id" = RunId, Path)),
    responses((status = 200, body = RunWithSteps), (status = 409, description = "It isn't failed")))]
pub async fn retry(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Run>,
) -> Result<Json<RunWithSteps>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let steps = read_steps(&row.steps).unwrap_or_default();
    for step in &steps {
        if let Step::Act(action) = step
            && !caller.scopes.allow(action.scope())
        {
            return Err(Error::Forbidden("a step of it needs the scope `money`").into());
        }
    }
    let told = json!({ "run_id": id.0, "step": row.step, "reason": row.reason });
    let note = caller.note(&app, "automation.retry", row.deal_id, Some(told), None);
    let batch = vec![rows::retry(caller.brand, id.0, app.now_ms()), note];
    match app.db().run(batch).await {
        Ok(_) => (),
        Err(DbError::Constraint(_)) => {
            return Err(Error::refused("not-failed", "only a run that failed is tried again"));
        }
        Err(error) => return Err(error.into()),
    }
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(with_steps(&app, caller.brand, row).await?))
}

body! {
    /// In which deal.
    pub struct TryOn {
        deal_id: String,
    }
}

view! {
    /// What an automation would do in a deal, as things are now. Nothing is changed.
    pub struct AutomationTrial {
        deal_id: DealId,
        /// Whether the deal fits the conditions.
        fits: bool,
        /// Whether it would begin if what starts it happened now.
        would_begin: bool,
        /// Why not.
        #[schema(required)]
        why: Option<String>,
        steps: Vec<StepTrial>,
    }
}

view! {
    /// What a step would do. What earlier steps make isn't there yet.
    pub struct StepTrial {
        /// Its place, from 0.
        step: i64,
        r#do: String,
        /// `change`, `unchanged`, `refused`, `wait` or `tell`.
        would: &'static str,
        #[schema(required)]
        before: Option<String>,
        #[schema(required)]
        after: Option<String>,
        /// Of `refused`: what is in the way.
        #[schema(required)]
        why: Option<String>,
    }
}

/// Tells what an automation would do in a deal: nothing is changed, and nothing sent.
#[utoipa::path(post, path = "/v1/automations/{id}/try", tag = "automations", request_body = TryOn,
    security(("api_key" = ["read"])), params(("id" = AutomationId, Path)),
    responses((status = 200, body = AutomationTrial)))]
pub async fn try_on(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Automation>,
    Body(on): Body<TryOn>,
) -> Result<(StatusCode, Json<AutomationTrial>)> {
    let deal: DealId = on.deal_id.parse().map_err(|e| Error::invalid("deal_id", e))?;
    let row = find(&app, caller.brand, id.0).await?;
    let now_ms = app.now_ms();
    let (deals, abouts) = actions::load_many(app.db(), caller.brand, &[deal], now_ms).await?;
    let (Some(found), Some(about)) = (deals.into_iter().next(), abouts.into_iter().next()) else {
        return Err(Error::NotFound.into());
    };
    let fits = row.conditions.is_empty()
        || fitting(&app, caller.brand, &row.conditions, &[deal]).await?.contains(&deal);
    let begun = rows::lately(app.db(), caller.brand, &[deal], now_ms).await?;
    let ever = begun.iter().find(|begun| begun.automation_id == id.0).map_or(0, |b| b.ever);
    let elsewhere = row.trigger.campaign.is_some_and(|campaign| campaign != found.campaign_id);
    let why = if row.state != Standing::Enabled {
        Some("it is switched off")
    } else if found.closed_at_ms.is_some() {
        Some("the deal is closed")
    } else if elsewhere {
        Some("the deal is of another campaign")
    } else if !fits {
        Some("the deal doesn't fit the conditions")
    } else if row.first_only && ever > 0 {
        Some("it ran in this deal already")
    } else {
        None
    };
    let mut steps = Vec::new();
    for (place, step) in read_steps(&row.steps).unwrap_or_default().iter().enumerate() {
        let (would, before, after, why) = match step {
            Step::Wait(ms) => ("wait", None, Some(format!("{} minutes", ms / 60_000)), None),
            Step::Webhook(label) => ("tell", None, label.clone(), None),
            Step::Act(action) => match prepare(&app, caller.brand, action).await {
                Ok(prepared) => {
                    let seen = prepared.foresee(&found, &about, now_ms);
                    foreseen(&app, (caller.brand, deal), action, seen).await?
                }
                Err(error) => ("refused", None, None, Some(in_words(*error)?)),
            },
        };
        let (step, r#do) = (i64::try_from(place).unwrap_or(0), step.word().to_owned());
        steps.push(StepTrial { step, r#do, would, before, after, why });
    }
    let (would_begin, why) = (why.is_none(), why.map(str::to_owned));
    let view = AutomationTrial { deal_id: deal, fits, would_begin, why, steps };
    Ok((StatusCode::OK, Json(view)))
}

type Would = (&'static str, Option<String>, Option<String>, Option<String>);

/// What is foreseen of an action; of a message what it would say, or which fields are empty yet.
async fn foreseen(
    app: &App,
    (brand, deal): (BrandId, DealId),
    action: &Action,
    seen: Foreseen,
) -> Result<Would> {
    Ok(match seen {
        Foreseen::Unchanged => ("unchanged", None, None, None),
        Foreseen::Refused(_, why) => ("refused", None, None, Some(why)),
        Foreseen::Change { before, after } => {
            let Action::Message(message) = action else {
                return Ok(("change", before, after, None));
            };
            let template = match message.template_id.parse() {
                Ok(id) => templates::find(app.db(), brand, id).await?,
                Err(_) => None,
            };
            let Some(template) = template else {
                return Ok(("refused", None, None, Some("its template is gone".to_owned())));
            };
            let outreach = outreach::load(app, brand, deal).await?;
            let written = outreach::templates(&template.subject, &template.text)?;
            match outreach.draft(&written) {
                Ok(draft) => {
                    let text = format!("{}\n\n{}", draft.subject, draft.text);
                    ("change", None, Some(text), None)
                }
                Err(error) => ("change", None, None, Some(in_words(*error)?)),
            }
        }
    })
}

/// What an error says of a deal.
///
/// # Errors
/// It itself, if it is about something else.
fn in_words(error: Error) -> Result<String> {
    match error {
        Error::Invalid(wrong) => {
            let all: Vec<String> = wrong.into_iter().map(|wrong| wrong.reason).collect();
            Ok(all.join("; "))
        }
        Error::Refused { detail, .. } => Ok(detail),
        Error::NotFound => Ok("what it names isn't there any more".to_owned()),
        other => Err(other.into()),
    }
}
