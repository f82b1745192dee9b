//! A brand's automations: which there are, what each does, and whether it may.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Automation, AutomationId, DealId};
use crate::error::{Error, Result};
use crate::storage::automation_runs::{LatestRow, RunState, standing};
use crate::storage::rows::parse;
use crate::web::api::automation_runs::{self as runs, AutomationTrial, RunView, StepTrial};
use crate::web::api::automation_templates::{self as ready, AutomationTemplate};
use crate::web::api::automations::{self as api, AutomationView};
use crate::web::extract::{Body, Changing, ItemId, Params, PathId};
use crate::web::handler::{Json, State, Tagged, etag};
use crate::web::json;
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Html};

use super::super::{body, read};
use super::{Has, Picked, Wrong, choice, words};

/// An automation in a list.
pub struct Line {
    id: AutomationId,
    name: String,
    state: &'static str,
    trigger: String,
    first_only: bool,
    latest: Vec<LatestRow>,
}

impl Line {
    fn of(&self, state: RunState) -> usize {
        self.latest.iter().filter(|run| run.state == state).count()
    }

    fn failed(&self) -> usize {
        self.of(RunState::Failed)
    }

    fn stopped(&self) -> usize {
        self.of(RunState::Stopped)
    }
}

#[derive(Template)]
#[template(path = "brand/workflows/automations.html")]
struct Listed<'a> {
    home: &'a str,
    csrf: &'a str,
    lines: Vec<Line>,
    ready: Vec<AutomationTemplate>,
    has: Has,
    pager: Html,
    may_change: bool,
    wrong: &'a str,
}

impl Listed<'_> {
    fn group_choice(&self, template: &str) -> Html {
        let name = format!("group-{template}");
        choice((&name, "Codes of the group"), &self.has.group_choices(), "", ("", ""))
    }
}

/// A view as the API shows it.
pub fn shown(view: &AutomationView) -> Value {
    parse(&json::text(view)).unwrap_or_default()
}

async fn listed(app: App, at: At, (status, wrong): (StatusCode, &str)) -> Result<Response> {
    let asked = Params::of(&[("limit", "50"), ("cursor", at.get("cursor"))]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let Json(ready) = ready::list(at.seat.caller()?).await?;
    let has = Has::of(&app, &at).await?;
    let ids: Vec<AutomationId> = found.data.iter().map(|one| one.id).collect();
    let standing = standing(app.db(), at.seat.member()?.brand_id, &ids).await?;
    let lines = found.data.iter().map(|view| Line {
        id: view.id,
        name: view.name.clone(),
        state: view.state,
        trigger: words::trigger(shown(view).get("trigger").unwrap_or(&Value::Null), &has),
        first_only: view.runs == "first_time",
        latest: standing
            .iter()
            .find(|row| row.automation_id == view.id)
            .map(|row| row.latest.clone())
            .unwrap_or_default(),
    });
    let lines = lines.collect();
    let csrf = at.csrf(&app);
    let content = Listed {
        home: &at.home,
        csrf: &csrf,
        lines,
        ready: ready.data,
        has,
        pager: ui::pager(&format!("{}/automations", at.home), &[], found.next_cursor.as_ref()),
        may_change: at.seat.may(Scope::Deals),
        wrong,
    };
    at.render((status, "Automations", Area::Automations), &csrf, &content)
}

/// The automations, and what is ready to be used.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    listed(app, at, (StatusCode::OK, "")).await
}

/// Makes one of what is ready, switched off: what it would do is looked at first.
pub async fn from_template(State(app): State<App>, sent: Sent) -> Result<Response> {
    let template = sent.get("template").to_owned();
    let work = async {
        let group = sent.get(&format!("group-{template}"));
        let told = [("template", &*template), ("affiliate_group_id", group), ("state", "disabled")];
        ready::use_one(State(app.clone()), sent.at.seat.caller()?, Body(body(&told)?)).await
    };
    match work.await {
        Ok((_, Json(made))) => {
            Ok(sent.at.see(&format!("/automations/{}?done=automation", made.id)))
        }
        Err(error) => {
            let wrong = Wrong::of(*error)?;
            let told = match wrong.fields.first() {
                Some((field, _)) if field == "affiliate_group_id" => {
                    "Choose the group that the codes are made from.".to_owned()
                }
                Some((field, why)) => format!("{} {why}.", field.replace('_', " ")),
                None => wrong.told,
            };
            listed(app, sent.at, (wrong.status, &told)).await
        }
    }
}

#[derive(Template)]
#[template(path = "brand/workflows/automation.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    seen: String,
    automation: AutomationView,
    trigger: String,
    steps: Vec<String>,
    runs: Vec<RunView>,
    names: Vec<Picked>,
    deals: Vec<Picked>,
    deal: &'a str,
    find: &'a str,
    trial: Option<AutomationTrial>,
    may_change: bool,
    wrong: &'a str,
}

impl Page<'_> {
    fn name(&self, deal: &DealId) -> &str {
        self.names.iter().find(|one| one.id == *deal).map_or("A deal", |one| &one.label)
    }

    fn kind<'s>(&self, step: &'s StepTrial) -> &'s str {
        words::kind(&step.r#do)
    }

    fn deal_choice(&self) -> Html {
        let all = self.deals.iter().map(|one| (one.id.to_string(), one.label.clone()));
        choice(("deal", "Deal"), &all.collect::<Vec<_>>(), self.deal, ("", ""))
    }

    /// Why it wouldn't begin, but for being switched off, which is said beside it.
    fn held(&self) -> &str {
        let why = self.trial.as_ref().and_then(|trial| trial.why.as_deref()).unwrap_or_default();
        let off = self.automation.state == "disabled";
        let fits = self.trial.as_ref().is_some_and(|trial| trial.fits);
        match why {
            _ if off && !fits => "the deal doesn’t fit the conditions",
            _ if off => "",
            why => why,
        }
    }
}

async fn page(
    app: App,
    at: At,
    id: AutomationId,
    (status, wrong): (StatusCode, &str),
) -> Result<Response> {
    let state = || State(app.clone());
    let Tagged(view) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let has = Has::of(&app, &at).await?;
    let told = shown(&view);
    let trigger = told.get("trigger").unwrap_or(&Value::Null);
    let campaign = trigger.get("campaign_id").and_then(Value::as_str).unwrap_or_default();
    let deals = super::deals(&app, &at, campaign, at.get("find")).await?;
    // What is switched off is shown on the newest deal at once, before anybody switches it on.
    let first = deals.first().filter(|_| view.state == "disabled");
    let asked = at.get("deal").to_owned();
    let deal = if asked.is_empty() {
        first.map(|one| one.id.to_string()).unwrap_or_default()
    } else {
        asked
    };
    let mut trial = None;
    if !deal.is_empty() {
        let on = Body(body(&[("deal_id", &deal)])?);
        match runs::try_on(state(), at.seat.caller()?, PathId(id), on).await {
            Ok((_, Json(found))) => trial = Some(found),
            Err(error) => match *error {
                Error::NotFound | Error::Invalid(_) => (),
                other => return Err(other.into()),
            },
        }
    }
    let few = Params::of(&[("limit", "10")]);
    let Json(found) = runs::of_automation(state(), at.seat.caller()?, PathId(id), few).await?;
    let ids: Vec<DealId> = found.data.iter().map(|run| run.deal_id).collect();
    let steps = told.get("steps").and_then(Value::as_array).into_iter().flatten();
    let csrf = at.csrf(&app);
    let content = Page {
        home: &at.home,
        csrf: &csrf,
        seen: etag(&json::text(&view)),
        trigger: words::trigger(trigger, &has),
        steps: steps.map(|step| words::step(step, &has)).collect(),
        names: super::named(&app, &at, &ids).await?,
        runs: found.data,
        deals,
        deal: &deal,
        find: at.get("find"),
        trial,
        may_change: at.seat.may(Scope::Deals),
        wrong,
        automation: view,
    };
    let title = content.automation.name.clone();
    at.render((status, &title, Area::Automations), &csrf, &content)
}

/// What an automation does, what it did, and what it would do in a deal.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Automation>) -> Result<Response> {
    page(app, at, id.0, (StatusCode::OK, "")).await
}

/// Switches it on or off, as it was seen.
pub async fn switch(
    State(app): State<App>,
    sent: Sent,
    id: ItemId<Automation>,
) -> Result<Response> {
    let work = async {
        let told = body(&[("state", sent.get("state"))])?;
        let told = Changing::seen(told, sent.get("seen"));
        api::update(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), told).await
    };
    match work.await {
        Ok(Tagged(view)) => {
            let done = if view.state == "enabled" { "switched-on" } else { "switched-off" };
            Ok(sent.at.see(&format!("/automations/{}?done={done}", id.0)))
        }
        Err(error) => {
            let wrong = Wrong::of(*error)?;
            let told = match wrong.fields.as_slice() {
                [] => wrong.told,
                fields => {
                    let told = fields.iter().map(|(field, why)| format!("{field} {why}."));
                    told.collect::<Vec<_>>().join(" ")
                }
            };
            page(app, sent.at, id.0, (wrong.status, &told)).await
        }
    }
}

/// Removes it.
pub async fn remove(
    State(app): State<App>,
    sent: Sent,
    id: ItemId<Automation>,
) -> Result<Response> {
    api::remove(State(app), sent.at.seat.caller()?, PathId(id.0)).await?;
    Ok(sent.at.see("/automations?done=removed"))
}

/// Changes of an automation, from what a form says.
pub(super) fn changes<T: crate::web::body::FromJson>(
    map: serde_json::Map<String, Value>,
) -> Result<T> {
    read(&Value::Object(map))
}
