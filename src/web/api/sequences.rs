//! Sequences of messages, and taking deals into them.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{Deal, DealId, EnrolmentId, Sequence, SequenceId, TemplateId};
use crate::domain::json::json;
use crate::error::{Error, Result};
use crate::storage::sequences::{self as rows, EnrolmentRow, SequenceRow, Step};
use crate::storage::templates;
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Checks, Params, PathId, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::outreach;

use super::deals::find;
use super::view::{List, Time};

const HOUR_MS: i64 = 3_600_000;
/// The longest pause between two steps: a year.
const MAX_HOURS: i64 = 8760;

body! {
    /// A new sequence.
    pub struct NewSequence {
        name: String,
        /// Up to 20, in order.
        steps: Vec<NewStep>,
    }
}

body! {
    /// A step.
    pub struct NewStep {
        template_id: String,
        /// Days after the step before, or after the enrolment.
        delay_days: Option<i64>,
        /// Hours beside the days.
        delay_hours: Option<i64>,
    }
}

view! {
    /// A sequence.
    #[schema(as = Sequence)]
    pub struct SequenceView {
        id: SequenceId,
        name: String,
        steps: Vec<StepView>,
        created_at: Time,
        #[schema(required)]
        archived_at: Option<Time>,
    }
}

view! {
    /// A step.
    #[schema(as = SequenceStep)]
    pub struct StepView {
        template_id: TemplateId,
        /// After the step before, or after the enrolment.
        delay_hours: i64,
    }
}

impl From<SequenceRow> for SequenceView {
    fn from(row: SequenceRow) -> Self {
        let step =
            |step: Step| StepView { template_id: step.template_id, delay_hours: step.delay_hours };
        Self {
            id: row.id,
            name: row.name,
            steps: row.steps.into_iter().map(step).collect(),
            created_at: Time(row.created_at_ms),
            archived_at: row.archived_at_ms.map(Time),
        }
    }
}

fn steps(checks: &mut Checks, new: &[NewStep]) -> Vec<Step> {
    if new.is_empty() || new.len() > 20 {
        checks.refuse("steps", "must be between 1 and 20");
        return Vec::new();
    }
    let mut steps = Vec::new();
    for (place, step) in new.iter().enumerate() {
        let of = |field: &str| format!("steps[{place}].{field}");
        let template = checks.field(&of("template_id"), step.template_id.parse());
        let (days, hours) = (step.delay_days.unwrap_or(0), step.delay_hours.unwrap_or(0));
        let delay = days.saturating_mul(24).saturating_add(hours);
        if days < 0 || hours < 0 || delay > MAX_HOURS {
            checks.refuse(&of("delay_hours"), "must be 0 hours to 365 days in all");
        }
        if let Some(template_id) = template {
            steps.push(Step { template_id, delay_hours: delay });
        }
    }
    steps
}

/// Makes a sequence. Its steps never change: who wants others makes another and archives this one.
#[utoipa::path(post, path = "/v1/sequences", tag = "outreach", request_body = NewSequence,
    security(("api_key" = ["deals"])), responses((status = 201, body = SequenceView),
    (status = 404, description = "No such template")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewSequence>,
) -> Result<(StatusCode, Json<SequenceView>)> {
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 100).unwrap_or_default();
    let steps = steps(&mut checks, &new.steps);
    checks.done()?;
    for step in &steps {
        templates::find(app.db(), caller.brand, step.template_id).await?.ok_or(Error::NotFound)?;
    }
    let (id, created_at_ms) = (app.new_id(), app.now_ms());
    let row = SequenceRow { id, name, steps, created_at_ms, archived_at_ms: None };
    let insert = rows::insert(caller.brand, &row);
    let view = SequenceView::from(row);
    let note = caller.note(&app, "sequence.create", id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The brand's sequences, those that are archived too.
#[utoipa::path(get, path = "/v1/sequences", tag = "outreach", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<SequenceView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<SequenceView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), SequenceView::from)))
}

/// Archives a sequence: it takes no more deals; those in it go on.
#[utoipa::path(delete, path = "/v1/sequences/{id}", tag = "outreach",
    security(("api_key" = ["deals"])), params(("id" = SequenceId, Path)),
    responses((status = 204, description = "Archived")))]
pub async fn archive(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Sequence>,
) -> Result<Response> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    if row.archived_at_ms.is_none() {
        let note = caller.note(&app, "sequence.archive", id.0, None, None);
        app.db().run(vec![rows::archive(caller.brand, id.0, app.now_ms()), note]).await?;
    }
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

body! {
    /// Which sequence.
    pub struct NewEnrolment {
        sequence_id: String,
    }
}

view! {
    /// A deal in a sequence.
    #[schema(as = Enrolment)]
    pub struct EnrolmentView {
        id: EnrolmentId,
        sequence_id: SequenceId,
        /// How many steps were sent.
        steps_sent: i64,
        /// `running`, `finished` or `stopped`.
        state: String,
        /// Why it was stopped: `replied`, `moved`, `closed`, `declined`, `unsubscribed`, `by_hand`, or what
        /// kept a step from being sent.
        #[schema(required)]
        reason: Option<String>,
        #[schema(required)]
        next_at: Option<Time>,
        created_at: Time,
    }
}

impl From<EnrolmentRow> for EnrolmentView {
    fn from(row: EnrolmentRow) -> Self {
        Self {
            id: row.id,
            sequence_id: row.sequence_id,
            steps_sent: row.step,
            state: row.state,
            reason: Some(row.reason).filter(|reason| !reason.is_empty()),
            next_at: row.due_at_ms.map(Time),
            created_at: Time(row.created_at_ms),
        }
    }
}

/// Takes a deal into a sequence. All of its steps must be sendable as things are; what changes until
/// then is looked at again.
#[utoipa::path(post, path = "/v1/deals/{id}/sequences", tag = "outreach",
    request_body = NewEnrolment, security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = EnrolmentView),
    (status = 409, description = "It is in it, or the sequence is archived, or she can't be written to")))]
pub async fn enrol(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(new): Body<NewEnrolment>,
) -> Result<(StatusCode, Json<EnrolmentView>)> {
    let told = new.sequence_id.parse().map_err(|e| Error::invalid("sequence_id", e))?;
    let outreach = outreach::load(&app, caller.brand, id.0).await?;
    outreach.address()?;
    let sequence = rows::find(app.db(), caller.brand, told).await?.ok_or(Error::NotFound)?;
    if outreach.deal.closed_at_ms.is_some() {
        return Err(Error::refused("deal-closed", "this deal is closed"));
    }
    for step in &sequence.steps {
        let template = templates::find(app.db(), caller.brand, step.template_id).await?;
        let template = template.ok_or(Error::NotFound)?;
        outreach.draft(&outreach::templates(&template.subject, &template.text)?)?;
    }
    let (enrolment, now_ms): (EnrolmentId, _) = (app.new_id(), app.now_ms());
    let first = sequence.steps.first().map_or(0, |step| step.delay_hours);
    let name = (caller.brand, id.0, enrolment);
    let insert = rows::enrol(name, sequence.id, now_ms + first * HOUR_MS, now_ms);
    let what = json!({ "enrolment_id": enrolment, "sequence_id": sequence.id });
    let note = caller.note(&app, "deal.enrol", id.0, None, Some(what));
    match app.db().run(vec![insert, note]).await {
        Ok(_) => (),
        Err(error) if error.is_constraint("UNIQUE") => {
            return Err(Error::refused("already-enrolled", "this deal is in this sequence"));
        }
        Err(error) if error.is_constraint("enrolments.state") => {
            return Err(Error::refused("deal-closed", "this deal is closed"));
        }
        Err(error) if error.is_constraint("NOT NULL") => {
            return Err(Error::refused("sequence-archived", "this sequence takes no more deals"));
        }
        Err(error) => return Err(error.into()),
    }
    let found = rows::of_deal(app.db(), caller.brand, id.0).await?;
    let row = found.into_iter().find(|row| row.id == enrolment).ok_or(Error::NotFound)?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// The sequences that a deal is or was in, latest first.
#[utoipa::path(get, path = "/v1/deals/{id}/sequences", tag = "outreach",
    security(("api_key" = ["read"])), params(("id" = DealId, Path)),
    responses((status = 200, body = List<EnrolmentView>)))]
pub async fn enrolments(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
) -> Result<Json<List<EnrolmentView>>> {
    find(&app, caller.brand, id.0).await?;
    let found = rows::of_deal(app.db(), caller.brand, id.0).await?;
    let data = found.into_iter().map(EnrolmentView::from).collect();
    Ok(Json(List { data, next_cursor: None }))
}

/// A deal and one of its enrolments, in the path.
pub struct InDeal(DealId, EnrolmentId);

impl Extract for InDeal {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let missing = |_| Error::NotFound;
        Ok(Self(call.id.parse().map_err(missing)?, call.second.parse().map_err(missing)?))
    }
}

/// Takes a deal out of a sequence. A message of it that waits for its window is cancelled.
#[utoipa::path(delete, path = "/v1/deals/{id}/sequences/{enrolment_id}", tag = "outreach",
    security(("api_key" = ["deals"])), params(("id" = DealId, Path),
    ("enrolment_id" = EnrolmentId, Path)), responses((status = 204, description = "Stopped")))]
pub async fn unenrol(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    which: InDeal,
) -> Result<Response> {
    let InDeal(deal, id) = which;
    let found = rows::of_deal(app.db(), caller.brand, deal).await?;
    let row = found.into_iter().find(|row| row.id == id).ok_or(Error::NotFound)?;
    if row.state != "stopped" {
        let name = (caller.brand, deal, id);
        let note = json!({ "enrolment_id": id });
        let note = caller.note(&app, "deal.unenrol", deal, None, Some(note));
        let stop = [rows::stop(name, "by_hand"), rows::cancel_step(name, "by_hand"), note];
        app.db().run(stop.into()).await?;
    }
    Ok(Response::empty(StatusCode::NO_CONTENT))
}
