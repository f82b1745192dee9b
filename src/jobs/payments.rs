//! Payments by a provider: sent once each, and asked about until it is known what became of them.
//!
//! A payment is claimed before it is handed over, with a row in the trail, and only then are the
//! payment details opened. What became of a claim that nobody recorded can't be known: the same request
//! goes out again under the same name, which the provider takes for the same payment. Under another name
//! it never goes out.

use crate::app::{App, Payment};
use crate::domain::auth::Actor;
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::domain::ledger::Transaction;
use crate::domain::money::Money;
use crate::domain::payout::{Way, pay};
use crate::domain::sending::{LEASE_MS, Next, Standing, State, Told};
use crate::domain::time::Millis;
use crate::error::Result;
use crate::partners::paypal;
use crate::storage::payouts::{self as rows, LineState};
use crate::storage::sendings::{self, PaymentRow, SendingRow};
use crate::storage::{DbError, Statement, ledger as books};
use crate::web::api::payment::{details, receiver};
use crate::web::api::provider::secret_of;
use crate::web::extract::{By, note};

/// A run sends or asks about so many, and begins none later than this.
const MOST_A_RUN: u32 = 50;
const LONGEST_RUN_MS: Millis = 40_000;

const BY: By<'static> = By { actor: Actor::Job("send_payouts"), request_id: "" };

/// Sends what waits and asks about what is under way; tells how many it looked at.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away: the next run goes on.
pub async fn send_due(app: &App) -> Result<i64> {
    let begun_ms = app.now_ms();
    let mut handled = 0;
    let mut failed = None;
    // Of one brand after the other, so that each is signed in once.
    let mut due = sendings::due(app.db(), begun_ms, MOST_A_RUN).await?;
    due.sort_by_key(|row| row.brand_id);
    for of_brand in due.chunk_by(|a, b| a.brand_id == b.brand_id) {
        let Some(first) = of_brand.first() else { continue };
        let token = match signed_in(app, first.brand_id).await {
            Ok(token) => token,
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        for row in of_brand {
            if app.now_ms() - begun_ms >= LONGEST_RUN_MS {
                return Ok(handled);
            }
            match one(app, row, token.as_ref()).await {
                Ok(()) => handled += 1,
                Err(error) => failed = Some(error),
            }
        }
    }
    failed.map_or(Ok(handled), Err)
}

/// What opens the provider for this brand, or why nothing does.
async fn signed_in(app: &App, brand: BrandId) -> Result<Result<String, String>> {
    let Some(account) = sendings::account(app.db(), brand).await? else {
        return Ok(Err("no account".to_owned()));
    };
    let Some(secret) = secret_of(app, brand, &account) else {
        return Ok(Err("the account's secret can't be opened".to_owned()));
    };
    let signed = app.provider.sign_in(&account.client_id, &secret).await;
    if let Err(why) = &signed {
        app.log.write(&json!({ "event": "provider_refused", "brand": brand, "detail": why }));
    }
    Ok(signed)
}

fn standing(row: &SendingRow, now_ms: Millis) -> Standing {
    Standing {
        state: row.state,
        doubtful: row.doubtful,
        tries: row.tries,
        first_sent_at_ms: row.first_sent_at_ms.unwrap_or(now_ms),
    }
}

/// Sends a payment or asks about it.
async fn one(app: &App, row: &SendingRow, token: Result<&String, &String>) -> Result<()> {
    let done = match (token, &row.batch) {
        (Ok(token), Some(batch)) => {
            let told = app.provider.ask(token, batch, &row.reference).await;
            record(app, row, told, true).await
        }
        (Ok(token), None) => send(app, row, token).await,
        // Nobody was asked: nothing more is known than before.
        (Err(why), _) => {
            let told = match row.state {
                State::Waiting => Told::Later(why.clone()),
                _ => Told::Nothing(why.clone()),
            };
            record(app, row, told, true).await
        }
    };
    match done {
        // Another run has it.
        Err(DbError::Constraint(_)) => Ok(()),
        other => Ok(other?),
    }
}

/// Claims a payment and hands it over.
async fn send(app: &App, row: &SendingRow, token: &str) -> Result<(), DbError> {
    let now_ms = app.now_ms();
    if !standing(row, now_ms).repeatable(now_ms) {
        return record(app, row, Told::Nothing("too late to repeat".to_owned()), true).await;
    }
    let line = row.line_id.to_string();
    let told = Some(json!({ "reference": row.reference, "attempt": row.attempt }));
    let noted = note(app, row.brand_id, &BY, "payout.send", &line, None, told);
    let claimed = sendings::claim(app.db(), row, vec![noted], (now_ms, LEASE_MS)).await?;
    let Some((row, target)) = claimed else { return Ok(()) };
    let told = match payable(app, &row, &target) {
        Ok((receiver, amount)) => {
            let (reference, currency) = (row.reference.as_str(), target.currency);
            let payment = Payment { reference, receiver: &receiver, amount: &amount, currency };
            app.provider.pay(token, payment).await
        }
        // This time nothing was asked for; whether it was before, `doubtful` knows.
        Err(why) => Told::Refused(why.to_owned()),
    };
    record(app, &row, told, false).await
}

/// Where to and how much, if it still is as it was when it was claimed first.
fn payable(
    app: &App,
    row: &SendingRow,
    target: &PaymentRow,
) -> Result<(String, String), &'static str> {
    if target.line_state != LineState::InPayout || target.line_attempt != row.attempt {
        return Err("the line is not in payout");
    }
    // With other details it would be another request under the same name.
    if target.version.is_none() || target.version != row.details_version {
        return Err("payment details changed");
    }
    if target.usable_at_ms.is_some_and(|at| at > app.now_ms()) {
        return Err("payment details changed");
    }
    let told = details(app, row.brand_id, target.creator_id, &target.sealed, target.version);
    let receiver = told.as_ref().and_then(receiver).ok_or("payment details can't be opened")?;
    let amount = Money::new(target.amount_minor, target.currency);
    let amount = paypal::amount(amount).ok_or("PayPal doesn't pay this amount")?;
    Ok((receiver, amount))
}

/// Notes what was told, and settles the line if that ends it.
async fn record(app: &App, row: &SendingRow, told: Told, asked: bool) -> Result<(), DbError> {
    let now_ms = app.now_ms();
    let before = standing(row, now_ms);
    let tries = before.tries + i64::from(asked);
    let next = Standing { tries, ..before }.next(told, now_ms);
    let mut batch = vec![sendings::record(row, &next, asked)];
    if next.state != row.state {
        batch.extend(settlement(app, row, &next, now_ms).await?);
    }
    app.db().run(batch).await.map(drop)
}

/// The rest of the batch in which a payment comes to its end.
async fn settlement(
    app: &App,
    row: &SendingRow,
    next: &Next,
    now_ms: Millis,
) -> Result<Vec<Statement>, DbError> {
    let (brand, line) = (row.brand_id, row.line_id.to_string());
    let told = || Some(json!({ "reference": row.reference, "told": next.told }));
    let (state, way) = match next.state {
        State::Settled => (LineState::Settled, Way::Arrived),
        State::Failed => (LineState::Failed, Way::Back),
        // People look after it: nothing moves.
        State::Contradicted | State::Unknown => {
            let action = match next.state {
                State::Unknown => "payout.lost",
                _ => "payout.contradiction",
            };
            let (event, reference) = (action.replace('.', "_"), &row.reference);
            app.log.write(&json!({ "event": event, "reference": reference, "told": next.told }));
            return Ok(vec![note(app, brand, &BY, action, &line, None, told())]);
        }
        _ => return Ok(Vec::new()),
    };
    let Some(found) = rows::find(app.db(), brand, row.payout_id).await? else {
        return Ok(Vec::new());
    };
    let of_this = |l: &&rows::LineRow| l.id == row.line_id && l.attempt == row.attempt;
    let Some(line_row) = found.lines.iter().find(of_this) else { return Ok(Vec::new()) };
    let amount = Money::new(line_row.amount_minor, found.payout.currency);
    let posted: Vec<Transaction> = pay(row.line_id, line_row.creator_id, amount, way)
        .map_err(|error| DbError::Failed(error.to_string()))?
        .into_iter()
        .collect();
    let name = next.batch.as_deref().or(row.batch.as_deref());
    let reason = (state == LineState::Failed).then_some(next.told.as_str());
    Ok(vec![
        rows::settle(brand, row.payout_id, line_row, state, (name, reason), now_ms),
        books::post(brand, &posted, now_ms),
        note(app, brand, &BY, "payout.settle", &line, None, told()),
    ])
}
