//! Runs of automations, step by step.
//!
//! Whoever does a step takes the run for a while, does it, and stores what came of it with where the run goes on.
//! An action is done once for its cause (`auto/<run>/<step>`), so that a step whose end was lost is asked for again
//! and tells what it did. Only after a refusal, which did nothing, it is asked for under another name.

use std::collections::VecDeque;

use super::Budget;
use super::steps::{Step, read};
use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::automation::{At, Came, Next, after};
use crate::domain::ids::{BrandId, RunId};
use crate::domain::json::json;
use crate::domain::letter::Letter;
use crate::domain::time::{DAY_MS, Millis, to_rfc3339};
use crate::error::{Error, Result};
use crate::jobs::actions::{Action, Cause, Outcome, perform};
use crate::storage::automation_runs::{self as rows, Did, DueRow, GoesOn, RunState, TakenRow};
use crate::storage::automations::State;
use crate::storage::rows::{FromRow, from_json};
use crate::storage::{DbError, Statement, brands, members};
use crate::web::extract::{By, note};
use crate::web::mail::compose;

/// Nobody else does a run's next step for so long: longer than one can take.
const LEASE_MS: Millis = 120_000;
/// So many runs are looked up at once.
const PAGE: i64 = 40;

/// Goes on with runs that are due, of one brand or of all, each as far as it can; tells how many steps were done.
///
/// # Errors
/// 503; the last that failed.
pub(super) async fn go_on(app: &App, brand: Option<BrandId>, budget: &Budget) -> Result<i64> {
    let (mut handled, mut failed) = (0, None);
    while !budget.is_spent(app) {
        let found = rows::due(app.db(), brand, app.now_ms(), PAGE).await?;
        if found.is_empty() {
            break;
        }
        let before = handled;
        // One step of each in turn: a long one keeps the others from nothing.
        let mut due = VecDeque::from(found);
        let mut caused = false;
        while let Some(run) = due.pop_front() {
            if budget.is_spent(app) {
                break;
            }
            match step(app, run).await {
                Ok(Some(next)) => {
                    handled += 1;
                    caused = true;
                    due.extend(next);
                }
                Ok(None) => (),
                Err(error) => {
                    app.log.write(&json!({ "event": "automation_left", "run": run.id,
                        "detail": error.to_string() }));
                    failed = Some(error);
                }
            }
        }
        // What runs did may begin others.
        if caused && let Some(brand) = brand {
            super::begin_runs(app, brand, budget).await?;
        }
        if handled == before {
            break;
        }
    }
    failed.map_or(Ok(handled), Err)
}

/// What came of a step.
struct Done {
    came: Came,
    /// Whether nothing was to be done.
    unchanged: bool,
    /// What it did, in JSON.
    told: String,
    /// What goes with it into the batch.
    batch: Vec<Statement>,
}

impl Done {
    fn new(came: Came, told: String) -> Self {
        Self { came, unchanged: false, told, batch: Vec::new() }
    }
}

/// Does the next step of a run, unless somebody else does: `None`. Answers whether it goes on at once.
async fn step(app: &App, due: DueRow) -> Result<Option<Option<DueRow>>> {
    let now_ms = app.now_ms();
    let Some(run) = rows::take(app.db(), &due, now_ms, now_ms + LEASE_MS).await? else {
        return Ok(None);
    };
    let steps = read(&run.steps);
    let at = At {
        step: usize::try_from(run.step).unwrap_or(usize::MAX),
        steps: steps.as_ref().map_or(0, Vec::len),
        tries: run.tries,
    };
    let over = |why: &str| Done::new(Came::Over(why.to_owned()), json!({ "why": why }));
    let all = steps.unwrap_or_default();
    let done = match (&run.automation, &run.deal, all.get(at.step)) {
        // The pause at its end is over.
        (_, _, None) if at.step >= at.steps && at.steps > 0 => Done::new(Came::Done, "{}".into()),
        (Some(automation), _, _) if automation.state != State::Enabled => {
            over("the automation was switched off")
        }
        (_, Some(deal), _) if !deal.open => over("the deal is closed"),
        (Some(_), Some(_), Some(step)) => do_step(app, &due, &run, step, &all).await?,
        _ => over("its steps can't be read any more"),
    };
    settle(app, due, &run, at, done).await
}

/// Stores what came of a step, and where the run goes on.
async fn settle(
    app: &App,
    due: DueRow,
    run: &TakenRow,
    at: At,
    done: Done,
) -> Result<Option<Option<DueRow>>> {
    let (brand, id, now_ms) = (due.brand_id, due.id, app.now_ms());
    let refused = matches!(done.came, Came::Refused(_));
    let tried = run.tries.saturating_add(1);
    let waits = matches!(done.came, Came::Wait(_));
    let is_step = at.step < at.steps;
    let did_it = matches!(done.came, Came::Done | Came::Wait(_));
    let next = after(at, done.came, now_ms);
    let round = run.round + i64::from(refused);
    let (state, reason, step, tries, due_at_ms) = match &next {
        Next::Step { step, tries, due_at_ms } => {
            (RunState::Running, "", *step, *tries, Some(*due_at_ms))
        }
        Next::Done => (RunState::Done, "", at.steps, 0, None),
        Next::Failed(why) => (RunState::Failed, why.as_str(), at.step, tried, None),
        Next::Stopped(why) => (RunState::Stopped, why.as_str(), at.step, run.tries, None),
    };
    let step = u32::try_from(step).unwrap_or(run.step);
    let on = GoesOn { state, reason, step, tries, round, due_at_ms };
    let mut batch = vec![rows::go_on(brand, id, run.revision, &on, now_ms)];
    if is_step {
        let state = match (&next, did_it) {
            (_, true) if waits => "waiting",
            (_, true) if done.unchanged => "unchanged",
            (_, true) => "done",
            (Next::Step { .. }, false) => "trying",
            _ => "failed",
        };
        let made = from_json::<Made>(&done.told).and_then(|made| made.follow_up_id);
        let (told, made) = (done.told.as_str(), made.as_deref());
        let did = Did { step: run.step, state, told, tries: tried, made };
        batch.push(rows::tell(brand, id, &did, now_ms));
    }
    batch.extend(done.batch);
    if let Next::Failed(why) = &next {
        batch.extend(telling(app, brand, run, why).await?);
    }
    if due_at_ms.is_none() {
        let told = json!({ "automation_id": run.automation_id, "run_id": id, "cause": run.cause,
            "state": state.word(), "step": run.step });
        let by = By { actor: Actor::Job("automations"), request_id: "" };
        let deal = run.deal_id.to_string();
        batch.push(note(app, brand, &by, "automation.run", &deal, None, Some(told)));
    }
    match app.db().run(batch).await {
        Ok(_) => {
            let at_once = due_at_ms.is_some_and(|due_at_ms| due_at_ms <= now_ms);
            let next = DueRow { revision: run.revision + 1, ..due };
            Ok(Some(at_once.then_some(next)))
        }
        // Somebody else went on with it, or it was switched off meanwhile.
        Err(DbError::Constraint(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Mails to the owners and managers that an automation gave up a step: one each for the automation and day (of UTC),
/// however many runs fail.
async fn telling(
    app: &App,
    brand: BrandId,
    run: &TakenRow,
    why: &str,
) -> Result<Vec<Statement>, DbError> {
    let Some(automation) = &run.automation else { return Ok(Vec::new()) };
    let day = app.now_ms().div_euclid(DAY_MS);
    let mut mails = Vec::new();
    for member in members::to_tell(app.db(), brand).await? {
        let (brand_name, name) = (&member.brand, &automation.name);
        let letter = Letter::AutomationFailed { brand: brand_name, automation: name, why };
        let cause = format!("automation-failed/{}/{day}/{}", run.automation_id, member.id);
        // Whose address isn't one that a mail can be sent to sees it in the runs.
        mails.extend(compose(app, Some(brand), &cause, &member.email, &letter).ok());
    }
    Ok(mails)
}

/// What an action may have made that is looked at later.
struct Made {
    follow_up_id: Option<String>,
}

impl FromRow for Made {
    fn from_row(columns: &mut crate::storage::rows::Columns<'_>) -> Self {
        Self { follow_up_id: columns.or_default("follow_up_id") }
    }
}

async fn do_step(
    app: &App,
    due: &DueRow,
    run: &TakenRow,
    step: &Step,
    all: &[Step],
) -> Result<Done> {
    match step {
        Step::Wait(ms) => {
            let until = to_rfc3339(app.now_ms().saturating_add(*ms));
            Ok(Done::new(Came::Wait(*ms), json!({ "until": until })))
        }
        Step::Webhook(label) => tell_servers(app, due, run, label.as_deref()).await,
        Step::Act(action) => {
            let under_way = run.deal.as_ref().is_some_and(|deal| deal.codes_under_way > 0);
            let before = all.iter().take(usize::try_from(run.step).unwrap_or(0));
            let made_code = |step: &Step| matches!(step, Step::Act(action) if matches!(**action, Action::AssignCode(_)));
            if under_way
                && matches!(**action, Action::Message(_))
                && before.into_iter().any(made_code)
            {
                let why = "the code that it needs isn't made yet";
                return Ok(Done::new(Came::NotYet, json!({ "why": why })));
            }
            act(app, due, run, action).await
        }
    }
}

/// Does an action, as the run's doing.
async fn act(app: &App, due: &DueRow, run: &TakenRow, action: &Action) -> Result<Done> {
    let name = cause(due.id, run);
    let by_run = due.id.to_string();
    let by = By { actor: Actor::Job("automations"), request_id: &by_run };
    let (first, last) = brands::doing(due.brand_id, due.id);
    let cause = Cause { first: vec![first], last: vec![last], ..Cause::new(by, &name) };
    Ok(match perform(app, due.brand_id, run.deal_id, action, &cause).await {
        Ok(Outcome::Done(made)) => Done::new(Came::Done, made),
        Ok(Outcome::Unchanged) => Done { unchanged: true, ..Done::new(Came::Done, "{}".into()) },
        Ok(Outcome::Refused { rule, why }) => {
            let told = json!({ "rule": rule, "why": why });
            Done::new(Came::Refused(why), told)
        }
        Err(error) => {
            let why = error.to_string();
            if matches!(*error, Error::Internal(_)) {
                let detail = format!("{error:?}");
                app.log.write(&json!({ "event": "automation_step_failed", "run": due.id,
                    "detail": detail }));
            }
            let told = json!({ "why": why });
            Done::new(Came::Unreachable(why), told)
        }
    })
}

/// What names a step's action: the same until it is refused, which did nothing.
fn cause(id: RunId, run: &TakenRow) -> String {
    match run.round {
        0 => format!("auto/{id}/{}", run.step),
        round => format!("auto/{id}/{}/{round}", run.step),
    }
}

/// Puts an event for the brand's servers into the batch of the run's going on: once.
async fn tell_servers(
    app: &App,
    due: &DueRow,
    run: &TakenRow,
    label: Option<&str>,
) -> Result<Done> {
    if rows::listeners(app.db(), due.brand_id).await? == 0 {
        let why = "no webhook endpoint listens to automation.step";
        let told = json!({ "rule": "nobody-listens", "why": why });
        return Ok(Done::new(Came::Refused(why.to_owned()), told));
    }
    let (Some(deal), Some(automation)) = (&run.deal, &run.automation) else {
        let why = "the deal is gone";
        return Ok(Done::new(Came::Over(why.to_owned()), json!({ "why": why })));
    };
    let data = json!({ "automation_id": run.automation_id, "automation": automation.name,
        "run_id": due.id, "step": run.step, "label": label, "deal_id": run.deal_id,
        "creator_id": deal.creator_id, "campaign_id": deal.campaign_id, "stage": deal.stage });
    let batch = vec![rows::event(due.brand_id, &data)];
    Ok(Done { batch, ..Done::new(Came::Done, "{}".to_owned()) })
}
