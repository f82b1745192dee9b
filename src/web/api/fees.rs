//! What creators are paid without an order: fees, and corrections by hand.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{AdjustmentId, BrandId, Creator, CreatorId, Deal, DealId, Fee, FeeId};
use crate::domain::json::json;
use crate::domain::ledger::{Cause, Earning};
use crate::domain::money::Money;
use crate::domain::payout::at_once;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::jobs::fees::{holdings, postings};
use crate::storage::boards::FulfilledRow;
use crate::storage::deals::DealRow;
use crate::storage::fees::{self as rows, FeeRow, FeeState};
use crate::storage::ledger as books;
use crate::storage::{DbError, Statement, creators};
use crate::web::body::body;
use crate::web::extract::{Acting, Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, Once, Paying, contended};

use super::deals::stage_of;
use super::view::{Date, List, Time};

body! {
    /// A fixed payment: hers at once, or planned.
    pub struct NewFee {
        amount: Money,
        note: Option<Option<String>>,
        /// Not before this day of the brand.
        due_on: Option<Option<Date>>,
        /// Not before the deal reaches this stage of its campaign.
        stage: Option<Option<String>>,
    }
}

view! {
    /// A fixed payment.
    #[schema(as = Fee)]
    pub struct FeeView {
        id: FeeId,
        deal_id: DealId,
        creator_id: CreatorId,
        amount: Money,
        #[schema(required)]
        note: Option<String>,
        /// `planned`, `due` (to be posted within the hour), `posted` or `cancelled`.
        state: &'static str,
        #[schema(required)]
        due_on: Option<Date>,
        #[schema(required)]
        stage: Option<String>,
        created_at: Time,
        #[schema(required)]
        posted_at: Option<Time>,
        #[schema(required)]
        cancelled_at: Option<Time>,
    }
}

fn view(row: FeeRow, today: Day) -> FeeView {
    let at = |state| row.decided_at_ms.filter(|_| row.state == state).map(Time);
    FeeView {
        id: row.id,
        deal_id: row.deal_id,
        creator_id: row.creator_id,
        amount: Money::new(row.amount_minor, row.currency),
        state: match row.state {
            FeeState::Planned if row.is_due(today) => "due",
            FeeState::Planned => "planned",
            FeeState::Posted => "posted",
            FeeState::Cancelled => "cancelled",
        },
        due_on: row.due_day.map(Date),
        created_at: Time(row.created_at_ms),
        posted_at: at(FeeState::Posted),
        cancelled_at: at(FeeState::Cancelled),
        note: row.note,
        stage: row.stage,
    }
}

async fn today(app: &App, brand: BrandId) -> Result<Day> {
    Ok(super::brand::find(app, brand).await?.brand.timezone.day(app.now_ms()))
}

/// Agrees a fee: available at once, after what she owes back; or planned until a day, until the deal
/// reaches a stage, or both. Closing the deal doesn't cancel it.
#[utoipa::path(post, path = "/v1/deals/{id}/fees", tag = "payouts", request_body = NewFee,
    security(("api_key" = ["money"])), params(("id" = DealId, Path),
    ("Idempotency-Key" = String, Header)), responses((status = 201, body = FeeView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Deal>,
    Paying { once, body }: Paying<NewFee>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let (app, acting) = (&app, caller.acting());
    let agreed = agreed(app, caller.brand, body).await?;
    for _ in 0..ATTEMPTS {
        let deal = super::deals::find(app, caller.brand, id.0).await?;
        super::deals::not_erased(app, caller.brand, deal.creator_id).await?;
        let (fee, batch) = agreeing(app, &acting, &deal, &agreed).await?;
        let answer = (StatusCode::CREATED, json::text(&view(fee, agreed.today)));
        if let Some(response) = once.commit(app, caller.brand, batch, answer).await? {
            return Ok(response);
        }
    }
    Err(contended())
}

/// A fee as it was asked for, found to be one that can be agreed.
pub struct Agreed {
    amount: Money,
    note: Option<String>,
    due_day: Option<Day>,
    stage: Option<String>,
    today: Day,
}

impl Agreed {
    /// In words: `50.00 USD`.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} {}", self.amount.to_decimal(), self.amount.currency)
    }
}

/// A fee that a body asks for.
///
/// # Errors
/// 422.
pub async fn agreed(app: &App, brand: BrandId, body: NewFee) -> Result<Agreed> {
    let mut checks = Checks::default();
    if body.amount.minor <= 0 {
        checks.refuse("amount", "must be more than nothing");
    }
    let note = body.note.flatten().and_then(|note| checks.text("note", &note, 500));
    checks.done()?;
    Ok(Agreed {
        amount: body.amount,
        note,
        due_day: body.due_on.flatten().map(|date| date.0),
        stage: body.stage.flatten(),
        today: today(app, brand).await?,
    })
}

/// The batch that agrees a fee with a deal as it was read, and posts it if nothing is waited for. It aborts if
/// the deal reached the stage meanwhile, or what she has changed.
///
/// # Errors
/// 422 for a stage that the campaign hasn't; 503 if D1 is away.
pub async fn agreeing(
    app: &App,
    acting: &Acting<'_>,
    deal: &DealRow,
    agreed: &Agreed,
) -> Result<(FeeRow, Vec<Statement>)> {
    let (brand, now_ms) = (acting.brand, app.now_ms());
    if let Some(stage) = &agreed.stage {
        let campaign = creators::campaign(app.db(), brand, deal.campaign_id).await?;
        stage_of(&campaign.ok_or(Error::NotFound)?.stages, Some(stage))?;
    }
    let reached = agreed.stage.as_ref().is_some_and(|stage| *stage == deal.stage);
    let mut fee = FeeRow {
        id: app.new_id(),
        deal_id: deal.id,
        creator_id: deal.creator_id,
        currency: agreed.amount.currency,
        amount_minor: agreed.amount.minor,
        note: agreed.note.clone(),
        created_at_ms: now_ms,
        due_day: agreed.due_day,
        stage: agreed.stage.clone(),
        reached_at_ms: reached.then_some(now_ms),
        state: FeeState::Planned,
        decided_at_ms: None,
    };
    let mut batch = Vec::new();
    if fee.is_due(agreed.today) {
        (fee.state, fee.decided_at_ms) = (FeeState::Posted, Some(now_ms));
        let posted = postings(app, brand, std::slice::from_ref(&fee)).await?;
        batch.push(books::post(brand, &posted, now_ms));
    }
    batch.insert(0, rows::insert_fee(brand, &fee));
    let told = json::text(&view(fee.clone(), agreed.today));
    batch.push(acting.note(app, "fee.create", deal.id, None, Some(told)));
    Ok((fee, batch))
}

/// What follows for fees when a deal reaches a stage, for the batch in which it does, and before it:
/// those that waited for nothing else are posted, the others wait for their day.
///
/// # Errors
/// 503 if D1 is away.
pub async fn reached(
    app: &App,
    caller: &Acting<'_>,
    deal: DealId,
    stage: &str,
) -> Result<Vec<Statement>> {
    let (brand, now_ms) = (caller.brand, app.now_ms());
    let waiting = rows::waiting(app.db(), brand, deal, stage).await?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let today = today(app, brand).await?;
    let (mut batch, mut due) = (Vec::new(), Vec::new());
    for fee in waiting {
        if fee.due_day.is_some_and(|day| day > today) {
            batch.push(rows::reach(brand, fee.id, now_ms));
            continue;
        }
        batch.push(rows::decide(brand, (fee.id, fee.creator_id), FeeState::Posted, true, now_ms));
        let told = json!({ "deal_id": deal, "stage": stage });
        batch.push(caller.note(app, "fee.post", fee.id, None, Some(told)));
        due.push(fee);
    }
    due.sort_by_key(|fee| fee.currency);
    let posted = postings(app, brand, &due).await?;
    batch.push(books::post(brand, &posted, now_ms));
    Ok(batch)
}

/// What follows for fees of several deals that reach a stage because it becomes one with another: as
/// [`reached`], for the batch and before it.
///
/// # Errors
/// 503 if D1 is away.
pub async fn fulfilled<S>(
    app: &App,
    caller: &Caller<S>,
    waiting: Vec<FulfilledRow>,
    stage: &str,
) -> Result<Vec<Statement>> {
    let (brand, now_ms) = (caller.brand, app.now_ms());
    let mut batch = Vec::new();
    if waiting.is_empty() {
        return Ok(batch);
    }
    let today = today(app, brand).await?;
    let mut due: Vec<FeeRow> = Vec::new();
    for row in waiting {
        if row.due_day.is_some_and(|day| day > today) {
            batch.push(rows::reach(brand, row.id, now_ms));
            continue;
        }
        batch.push(rows::decide(brand, (row.id, row.creator_id), FeeState::Posted, true, now_ms));
        let told = json!({ "deal_id": row.deal_id, "stage": stage });
        batch.push(caller.note(app, "fee.post", row.id, None, Some(told)));
        due.push(FeeRow {
            id: row.id,
            deal_id: row.deal_id,
            creator_id: row.creator_id,
            currency: row.currency,
            amount_minor: row.amount_minor,
            note: None,
            created_at_ms: now_ms,
            due_day: row.due_day,
            stage: None,
            reached_at_ms: Some(now_ms),
            state: FeeState::Posted,
            decided_at_ms: Some(now_ms),
        });
    }
    for hers in due.chunk_by(|a, b| a.creator_id == b.creator_id) {
        let posted = postings(app, brand, hers).await?;
        batch.push(books::post(brand, &posted, now_ms));
    }
    Ok(batch)
}

/// The deal and the fee in the path.
pub struct FeePath {
    pub(crate) deal: DealId,
    pub(crate) fee: FeeId,
}

impl Extract for FeePath {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(deal) = PathId::<Deal>::extract(call)?;
        let second = Call { id: call.second, identity: call.identity.clone(), ..*call };
        let PathId(fee) = PathId::<Fee>::extract(&second)?;
        Ok(Self { deal, fee })
    }
}

/// Gives a planned fee up. Again is no fault.
#[utoipa::path(post, path = "/v1/deals/{id}/fees/{fee_id}/cancellation", tag = "payouts",
    security(("api_key" = ["money"])), params(("id" = DealId, Path), ("fee_id" = FeeId, Path)),
    responses((status = 200, body = FeeView), (status = 409, description = "It was posted")))]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller<may::Money>,
    at: FeePath,
) -> Result<Json<FeeView>> {
    let today = today(&app, caller.brand).await?;
    let find = async || rows::find(app.db(), caller.brand, at.deal, at.fee).await;
    let mut fee = find().await?.ok_or(Error::NotFound)?;
    if fee.state == FeeState::Planned {
        let batch = vec![
            rows::decide(
                caller.brand,
                (at.fee, fee.creator_id),
                FeeState::Cancelled,
                false,
                app.now_ms(),
            ),
            caller.note(&app, "fee.cancel", at.fee, None, None),
        ];
        match app.db().run(batch).await {
            // Somebody posted or cancelled it first: that stands.
            Ok(_) | Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
        fee = find().await?.ok_or(Error::NotFound)?;
    }
    match fee.state {
        FeeState::Posted => Err(Error::refused(
            "fee-posted",
            "this fee is in the books; take it back with an adjustment",
        )),
        _ => Ok(Json(view(fee, today))),
    }
}

/// Posts what is hers at once, with the statements that say why.
async fn post_at_once<S>(
    app: &App,
    caller: &Caller<S>,
    (cause, creator, amount): (Cause, CreatorId, Money),
    with: [Statement; 2],
    once: &Once,
    answer: (StatusCode, String),
) -> Result<Response> {
    let earned = Earning {
        creator,
        day: Day::default(),
        currency: amount.currency,
        amount_minor: amount.minor,
    };
    for _ in 0..ATTEMPTS {
        let held = holdings(app, caller.brand, creator, amount.currency).await?;
        let posted = at_once(cause, earned, held).map_err(fault)?;
        let mut batch = with.to_vec();
        batch.push(books::post(caller.brand, posted.as_slice(), app.now_ms()));
        if let Some(response) = once.commit(app, caller.brand, batch, answer.clone()).await? {
            return Ok(response);
        }
    }
    Err(contended())
}

/// A fault of ours.
pub fn fault(error: impl ToString) -> Error {
    Error::Internal(error.to_string())
}

/// A deal's fees.
#[utoipa::path(get, path = "/v1/deals/{id}/fees", tag = "payouts",
    security(("api_key" = ["read"])), params(("id" = DealId, Path),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<FeeView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<FeeView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    super::deals::find(&app, caller.brand, id.0).await?;
    let found = rows::fees(app.db(), caller.brand, id.0, &page).await?;
    let today = today(&app, caller.brand).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(row, today))))
}

body! {
    /// A correction by hand.
    pub struct NewAdjustment {
        /// Negative: taken back.
        amount: Money,
        reason: String,
    }
}

view! {
    /// A correction by hand.
    #[schema(as = Adjustment)]
    pub struct AdjustmentView {
        id: AdjustmentId,
        creator_id: CreatorId,
        amount: Money,
        reason: String,
        created_at: Time,
    }
}

/// Corrects what a creator has, by hand and with a reason.
#[utoipa::path(post, path = "/v1/creators/{id}/adjustments", tag = "payouts",
    request_body = NewAdjustment, security(("api_key" = ["money"])),
    params(("id" = CreatorId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = AdjustmentView)))]
pub async fn adjust(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Creator>,
    Paying { once, body }: Paying<NewAdjustment>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let mut checks = Checks::default();
    if body.amount.minor == 0 {
        checks.refuse("amount", "must not be nothing");
    }
    let reason = checks.text("reason", &body.reason, 500);
    checks.done()?;
    let creator = creators::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    if creator.merged_into.is_some() {
        super::creators::is_there(&creator)?;
    }
    let now_ms = app.now_ms();
    let view = AdjustmentView {
        id: app.new_id(),
        creator_id: id.0,
        amount: body.amount,
        reason: checked(reason)?,
        created_at: Time(now_ms),
    };
    let what = (view.id, id.0);
    let insert = rows::insert_adjustment(caller.brand, what, body.amount, &view.reason, now_ms);
    let told = json::text(&view);
    let note = caller.note(&app, "adjustment.create", id.0, None, Some(told.clone()));
    let cause = Cause::Adjustment(view.id);
    let answer = (StatusCode::CREATED, told);
    post_at_once(&app, &caller, (cause, id.0, body.amount), [insert, note], &once, answer).await
}
