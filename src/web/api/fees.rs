//! What creators are paid without an order: fees, and corrections by hand.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{AdjustmentId, Creator, CreatorId, Deal, DealId, FeeId};
use crate::domain::ledger::{Account, Cause, Earning, Holdings};
use crate::domain::money::Money;
use crate::domain::payout::at_once;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::ledger::{self as books, BalanceRow};
use crate::storage::{Statement, creators, deals, payouts as rows};
use crate::web::body::body;
use crate::web::extract::{Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, Once, Paying, contended};

use super::view::{List, Time};

body! {
    /// A fixed payment.
    pub struct NewFee {
        amount: Money,
        note: Option<Option<String>>,
    }
}

view! {
    /// A fixed payment, hers at once.
    #[schema(as = Fee)]
    pub struct FeeView {
        id: FeeId,
        deal_id: DealId,
        creator_id: CreatorId,
        amount: Money,
        #[schema(required)]
        note: Option<String>,
        created_at: Time,
    }
}

/// Pays a creator a fee: available at once, after what she owes back.
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
    let mut checks = Checks::default();
    if body.amount.minor <= 0 {
        checks.refuse("amount", "must be more than nothing");
    }
    let note = body.note.flatten().and_then(|note| checks.text("note", &note, 500));
    checks.done()?;
    let deal = deals::by_ids(app.db(), caller.brand, &[id.0], app.now_ms()).await?.pop();
    let deal = deal.ok_or(Error::NotFound)?;
    let now_ms = app.now_ms();
    let view = FeeView {
        id: app.new_id(),
        deal_id: deal.id,
        creator_id: deal.creator_id,
        amount: body.amount,
        note: note.clone(),
        created_at: Time(now_ms),
    };
    let fee = rows::NewFee {
        id: view.id,
        deal: deal.id,
        creator: deal.creator_id,
        amount: body.amount,
        note: note.as_deref(),
    };
    let insert = rows::insert_fee(caller.brand, &fee, now_ms);
    let told = json::text(&view);
    let note = caller.note(&app, "fee.create", view.deal_id, None, Some(told.clone()));
    let answer = (StatusCode::CREATED, told);
    let cause = Cause::Fee(view.id);
    post_at_once(
        &app,
        &caller,
        (cause, deal.creator_id, body.amount),
        [insert, note],
        &once,
        answer,
    )
    .await
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
        let all: Vec<BalanceRow> = app.db().all(books::balances(caller.brand, creator)).await?;
        let holds = |account| {
            let fits =
                |row: &&BalanceRow| row.account == account && row.currency == amount.currency;
            all.iter().find(fits).map_or(0, |row| row.amount_minor)
        };
        let holdings = Holdings {
            pending_minor: 0,
            available_minor: holds(Account::Available),
            clawback_minor: holds(Account::Clawback),
        };
        let posted = at_once(cause, earned, holdings).map_err(fault)?;
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
    if deals::by_ids(app.db(), caller.brand, &[id.0], app.now_ms()).await?.is_empty() {
        return Err(Error::NotFound.into());
    }
    let found = rows::fees(app.db(), caller.brand, id.0, &page).await?;
    let view = |row: rows::FeeRow| FeeView {
        id: row.id,
        deal_id: row.deal_id,
        creator_id: row.creator_id,
        amount: Money::new(row.amount_minor, row.currency),
        note: row.note,
        created_at: Time(row.created_at_ms),
    };
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), view)))
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
    creators::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
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
