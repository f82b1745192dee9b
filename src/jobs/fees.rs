//! Planned fees whose day has come are posted, each once.

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::json::json;
use crate::domain::ledger::{Account, Cause, Earning, Holdings, Transaction};
use crate::domain::money::Currency;
use crate::domain::payout::all_at_once;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::fees::{self, FeeRow, FeeState};
use crate::storage::ledger::{self as books, BalanceRow};
use crate::storage::{DbError, brands};
use crate::web::extract::{By, note};

/// So many are read at once; what is left waits for the next run.
const PAGE: i64 = 200;

/// Posts what is due of every brand; tells how many fees were posted.
///
/// # Errors
/// [`Error`] if D1 was away: what was posted stays posted, the next run goes on.
pub async fn post_due(app: &App) -> Result<i64> {
    super::for_every_brand(app, |app, brand| Box::pin(post_brand(app, brand))).await
}

async fn post_brand(app: &App, brand: BrandId) -> Result<i64> {
    let Some(stored) = brands::find(app.db(), brand, app.now_ms()).await? else { return Ok(0) };
    let today = stored.brand.timezone.day(app.now_ms());
    let mut handled = 0;
    for fee in fees::due(app.db(), brand, today, PAGE).await? {
        handled += i64::from(post(app, brand, &fee).await?);
    }
    Ok(handled)
}

/// Posts a fee. If somebody else posts or cancels it meanwhile, or her balances change, the batch is
/// refused and the next run looks again.
async fn post(app: &App, brand: BrandId, fee: &FeeRow) -> Result<bool> {
    let posted = postings(app, brand, std::slice::from_ref(fee)).await?;
    let by = By { actor: Actor::Job("post_fees"), request_id: "" };
    let told = Some(json!({ "deal_id": fee.deal_id, "creator_id": fee.creator_id }));
    let now_ms = app.now_ms();
    let batch = vec![
        fees::decide(brand, (fee.id, fee.creator_id), FeeState::Posted, false, now_ms),
        books::post(brand, &posted, now_ms),
        note(app, brand, &by, "fee.post", &fee.id.to_string(), None, told),
    ];
    match app.db().run(batch).await {
        Ok(_) => Ok(true),
        Err(DbError::Constraint(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The transactions of fees of one creator, by what she has now.
///
/// # Errors
/// 503 if D1 is away.
pub async fn postings(app: &App, brand: BrandId, fees: &[FeeRow]) -> Result<Vec<Transaction>> {
    let Some(first) = fees.first() else { return Ok(Vec::new()) };
    let mut posted = Vec::new();
    for fees in fees.chunk_by(|a, b| a.currency == b.currency) {
        let currency = fees.first().map_or(first.currency, |fee| fee.currency);
        let held = holdings(app, brand, first.creator_id, currency).await?;
        let earned: Vec<(Cause, Earning)> = fees.iter().map(earning).collect();
        let made = all_at_once(&earned, held);
        posted.extend(made.map_err(|error| Error::Internal(error.to_string()))?);
    }
    Ok(posted)
}

fn earning(fee: &FeeRow) -> (Cause, Earning) {
    let earning = Earning {
        creator: fee.creator_id,
        day: Day::default(),
        currency: fee.currency,
        amount_minor: fee.amount_minor,
    };
    (Cause::Fee(fee.id), earning)
}

/// What a creator has that is hers at once, and what she owes.
///
/// # Errors
/// 503 if D1 is away.
pub async fn holdings(
    app: &App,
    brand: BrandId,
    creator: CreatorId,
    currency: Currency,
) -> Result<Holdings> {
    let all: Vec<BalanceRow> = app.db().all(books::balances(brand, creator)).await?;
    let holds = |account| {
        let fits = |row: &&BalanceRow| row.account == account && row.currency == currency;
        all.iter().find(fits).map_or(0, |row| row.amount_minor)
    };
    Ok(Holdings {
        pending_minor: 0,
        available_minor: holds(Account::Available),
        clawback_minor: holds(Account::Clawback),
    })
}
