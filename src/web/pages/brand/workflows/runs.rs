//! What automations did.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Automation, DealId, Run, RunId};
use crate::error::Result;
use crate::storage::automation_runs as rows;
use crate::storage::rows::parse;
use crate::web::api::automation_runs::{self as api, RunView, RunWithSteps, StepView};
use crate::web::api::automations;
use crate::web::extract::{ItemId, Params, PathId};
use crate::web::handler::{Json, State, Tagged};
use crate::web::message::Response;
use crate::web::pages::form::mendable;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Html};

use super::{Has, Picked, words};

#[derive(Template)]
#[template(path = "brand/workflows/runs.html")]
struct Listed<'a> {
    home: &'a str,
    id: String,
    name: String,
    state: &'a str,
    runs: Vec<RunView>,
    names: Vec<Picked>,
    pager: Html,
}

impl Listed<'_> {
    fn name(&self, deal: &DealId) -> &str {
        self.names.iter().find(|one| one.id == *deal).map_or("A deal", |one| &one.label)
    }

    fn state_choice(&self) -> Html {
        let all = [
            ("", "All"),
            ("running", "Running"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("stopped", "Stopped"),
        ];
        let all = all.map(|(value, text)| (value.to_owned(), text.to_owned()));
        ui::select("state", "State", &all, self.state)
    }
}

/// The runs of an automation, latest first.
pub async fn list(State(app): State<App>, at: At, id: ItemId<Automation>) -> Result<Response> {
    let (app, state) = (&app, || State(app.clone()));
    let Tagged(automation) = automations::show(state(), at.seat.caller()?, PathId(id.0)).await?;
    let known = ["running", "done", "failed", "stopped"];
    let only = known.iter().find(|known| **known == at.get("state")).copied().unwrap_or_default();
    let asked = Params::of(&[("limit", "50"), ("state", only), ("cursor", at.get("cursor"))]);
    let Json(found) = api::of_automation(state(), at.seat.caller()?, PathId(id.0), asked).await?;
    let ids: Vec<DealId> = found.data.iter().map(|run| run.deal_id).collect();
    let path = format!("{}/automations/{}/runs", at.home, id.0);
    let content = Listed {
        home: &at.home,
        id: id.0.to_string(),
        name: automation.name,
        state: only,
        names: super::named(app, &at, &ids).await?,
        pager: ui::pager(&path, &[("state", only)], found.next_cursor.as_ref()),
        runs: found.data,
    };
    at.render((StatusCode::OK, "Runs", Area::Automations), &at.csrf(app), &content)
}

#[derive(Template)]
#[template(path = "brand/workflows/run.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    /// What it is called; empty if it was removed since.
    automation: String,
    deal: String,
    run: RunView,
    steps: Vec<(StepView, String, String)>,
    may_change: bool,
    wrong: &'a str,
}

async fn page(
    app: App,
    at: At,
    id: RunId,
    (status, wrong): (StatusCode, &str),
) -> Result<Response> {
    let state = || State(app.clone());
    let Json(found) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let RunWithSteps { run, steps } = found;
    let of = PathId(run.automation_id);
    let automation = match automations::show(state(), at.seat.caller()?, of).await {
        Ok(Tagged(view)) => view.name,
        Err(_) => String::new(),
    };
    let has = Has::of(&app, &at).await?;
    // The steps that it began with: those of the automation may be others by now.
    let brand = at.seat.member()?.brand_id;
    let row = rows::find(app.db(), brand, id).await?;
    let written = row.and_then(|row| parse(&row.steps).ok()).unwrap_or_default();
    let steps = steps.into_iter().enumerate().map(|(place, step)| {
        let what =
            written.get(place).map_or_else(|| step.r#do.clone(), |one| words::step(one, &has));
        let told = parse(&crate::web::json::text(&step)).unwrap_or_default();
        let told = words::told(told.get("told").unwrap_or(&Value::Null));
        (step, what, told)
    });
    let steps = steps.collect();
    let names = super::named(&app, &at, &[run.deal_id]).await?;
    let csrf = at.csrf(&app);
    let content = Shown {
        home: &at.home,
        csrf: &csrf,
        automation,
        deal: names.into_iter().next().map_or_else(|| "A deal".to_owned(), |one| one.label),
        run,
        steps,
        may_change: at.seat.may(Scope::Deals),
        wrong,
    };
    at.render((status, "Run", Area::Automations), &csrf, &content)
}

/// One run with what each step did.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Run>) -> Result<Response> {
    page(app, at, id.0, (StatusCode::OK, "")).await
}

/// Tries a failed run again.
pub async fn retry(State(app): State<App>, sent: Sent, id: ItemId<Run>) -> Result<Response> {
    match api::retry(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await {
        Ok(_) => Ok(sent.at.see(&format!("/automation-runs/{}?done=run-retried", id.0))),
        Err(error) => {
            let (status, told) = mendable(*error)?;
            page(app, sent.at, id.0, (status, &told)).await
        }
    }
}
