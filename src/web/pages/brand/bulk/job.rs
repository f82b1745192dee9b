//! Bulk actions at work: how far one is, what became of each deal, and earlier ones.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Bulk, BulkId, DealId};
use crate::domain::time::to_rfc3339;
use crate::error::{Error, Result};
use crate::storage::rows::parse;
use crate::web::api::bulk::{self as api, BulkView, ResultView};
use crate::web::api::view::List;
use crate::web::csv;
use crate::web::extract::{Caller, ItemId, Params, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::text;
use crate::web::message::Response;
use crate::web::pages::form::{mendable, sentence};
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Html, Tone};

use super::super::workflows::{self, Has, Picked, words};

/// A page of results has so many.
const ROWS: &str = "50";

/// What a job does, in a sentence.
fn what(job: &BulkView, has: &Has) -> String {
    words::step(&parse(&text(&job.action)).unwrap_or(Value::Null), has)
}

/// How a job does, in a word.
fn state(job: &BulkView) -> Html {
    let (tone, text) = match job.state {
        "running" => (Tone::Wait, "Running"),
        "paused" => (Tone::Wait, "Paused"),
        "cancelled" => (Tone::Bad, "Cancelled"),
        _ => (Tone::Good, "Finished"),
    };
    ui::badge(&tone, text)
}

/// How many deals have their result.
fn over(job: &BulkView) -> i64 {
    job.done + job.unchanged + job.refused + job.failed
}

/// What became of a deal, in a word.
fn outcome(outcome: &str) -> Html {
    let (tone, text) = match outcome {
        "done" => (Tone::Good, "Done"),
        "unchanged" => (Tone::Plain, "Nothing to do"),
        "refused" => (Tone::Bad, "Refused"),
        "failed" => (Tone::Bad, "Failed: a fault of ours"),
        _ => (Tone::Wait, "Waiting"),
    };
    ui::badge(&tone, text)
}

#[derive(Template)]
#[template(path = "brand/bulk/jobs.html")]
struct Jobs<'a> {
    home: &'a str,
    jobs: Vec<(BulkView, String)>,
    pager: Html,
}

/// The brand's bulk actions, latest first.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let asked = Params::of(&[("limit", ROWS), ("cursor", at.get("cursor"))]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let has = Has::of(&app, &at).await?;
    let pager = ui::pager(&format!("{}/bulk/jobs", at.home), &[], found.next_cursor.as_ref());
    let jobs = found.data.into_iter().map(|job| (what(&job, &has), job));
    let jobs = jobs.map(|(what, job)| (job, what)).collect();
    let content = Jobs { home: &at.home, jobs, pager };
    at.render((StatusCode::OK, "Bulk actions", Area::Board), &at.csrf(&app), &content)
}

#[derive(Template)]
#[template(path = "brand/bulk/job.html")]
struct Shown<'a> {
    home: &'a str,
    /// The address that shows this again.
    here: String,
    csrf: &'a str,
    job: BulkView,
    what: String,
    results: Vec<ResultView>,
    names: Vec<Picked>,
    pager: Html,
    may_change: bool,
    wrong: &'a str,
}

impl Shown<'_> {
    fn name(&self, deal: &DealId) -> &str {
        self.names.iter().find(|one| one.id == *deal).map_or("A deal", |one| &one.label)
    }

    fn is_open(&self) -> bool {
        matches!(self.job.state, "running" | "paused")
    }

    fn over(&self) -> Html {
        ui::count(&over(&self.job))
    }

    /// Whether nobody worked at some.
    fn left(&self) -> bool {
        self.job.deals > over(&self.job)
    }

    fn waiting(&self) -> Html {
        ui::count(&(self.job.deals - over(&self.job)))
    }

    fn progress(&self) -> Html {
        ui::progress(over(&self.job), self.job.deals, "Deals with their result")
    }

    fn reason(&self, result: &ResultView) -> String {
        result.reason.as_deref().map(sentence).unwrap_or_default()
    }
}

async fn results(app: &App, at: &At, id: BulkId, page: (&str, &str)) -> Result<List<ResultView>> {
    let asked = Params::of(&[("limit", page.0), ("cursor", page.1)]);
    let Json(found) =
        api::results(State(app.clone()), at.seat.caller()?, PathId(id), asked).await?;
    Ok(found)
}

async fn page(
    app: &App,
    at: &At,
    id: BulkId,
    (status, wrong): (StatusCode, &str),
) -> Result<Response> {
    let Json(job) = api::show(State(app.clone()), at.seat.caller()?, PathId(id)).await?;
    let found = results(app, at, id, (ROWS, at.get("cursor"))).await?;
    let ids: Vec<DealId> = found.data.iter().map(|one| one.deal_id).collect();
    let has = Has::of(app, at).await?;
    let csrf = &at.csrf(app);
    let path = format!("{}/bulk/{id}", at.home);
    let content = Shown {
        home: &at.home,
        here: at.here(&format!("/bulk/{id}")),
        csrf,
        what: what(&job, &has),
        job,
        names: workflows::named(app, at, &ids).await?,
        pager: ui::pager(&path, &[], found.next_cursor.as_ref()),
        results: found.data,
        may_change: at.seat.may(Scope::Deals),
        wrong,
    };
    at.render((status, "Bulk action", Area::Board), csrf, &content)
}

/// How far it is, and what became of each deal.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Bulk>) -> Result<Response> {
    page(&app, &at, id.0, (StatusCode::OK, "")).await
}

/// Pauses it, lets it go on, or ends it.
pub async fn change(State(app): State<App>, sent: Sent, id: ItemId<Bulk>) -> Result<Response> {
    let work = async {
        let caller: Caller<may::Deals> = sent.at.seat.caller()?;
        let (state, id) = (State(app.clone()), PathId(id.0));
        match sent.get("to") {
            "pause" => api::pause(state, caller, id).await,
            "resume" => api::resume(state, caller, id).await,
            "cancel" => api::cancel(state, caller, id).await,
            _ => Err(Error::invalid("to", "must be one of those listed")),
        }
    };
    match work.await {
        Ok(_) => Ok(sent.at.see(&format!("/bulk/{}?done=bulk-{}", id.0, sent.get("to")))),
        Err(error) => {
            let (status, told) = mendable(*error)?;
            page(&app, &sent.at, id.0, (status, &told)).await
        }
    }
}

/// What became of each deal, as a file.
pub async fn file(State(app): State<App>, at: At, id: ItemId<Bulk>) -> Result<Response> {
    let mut lines = String::new();
    csv::line(&mut lines, &["deal_id", "deal", "outcome", "rule", "reason", "at"]);
    let mut cursor = String::new();
    loop {
        let found = results(&app, &at, id.0, ("200", &cursor)).await?;
        let ids: Vec<DealId> = found.data.iter().map(|one| one.deal_id).collect();
        let names = workflows::named(&app, &at, &ids).await?;
        for one in &found.data {
            let name = names.iter().find(|name| name.id == one.deal_id);
            let name = name.map_or("", |name| &name.label);
            let when = one.at.map(|at| to_rfc3339(at.0)).unwrap_or_default();
            let (rule, reason) = (one.rule.as_deref(), one.reason.as_deref());
            let (rule, reason) = (rule.unwrap_or_default(), reason.unwrap_or_default());
            let id = one.deal_id.to_string();
            csv::line(&mut lines, &[&id, name, one.outcome, rule, reason, &when]);
        }
        match found.next_cursor {
            Some(next) => cursor = next,
            None => break,
        }
    }
    let mut response = Response::new(StatusCode::OK, "text/csv; charset=utf-8", lines);
    response.set("content-disposition", "attachment; filename=\"bulk-action.csv\"".to_owned());
    Ok(response)
}
