//! Saying what became of many payments at once: paying forty creators isn't forty calls.

use http::StatusCode;
use std::collections::BTreeSet;

use crate::app::App;
use crate::domain::ids::{Payout, PayoutId, PayoutLineId};
use crate::domain::money::Money;
use crate::domain::payout::{Way, pay};
use crate::error::{Error, Result};
use crate::storage::ledger as books;
use crate::storage::payouts::{self as rows, Ended, Found, LineRow, LineState};
use crate::web::body::body;
use crate::web::extract::{Caller, Checks, PathId, may};
use crate::web::handler::State;
use crate::web::json;
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, Paying, contended};

use super::fees::fault;
use super::payout_views::{PayoutView, state_name, view};
use super::payouts::{Outcome, find, of_this_try};

body! {
    /// What became of payments: of those that are named, or, with `outcome`, of all that are on their way
    /// and not in flight at the provider.
    pub struct Settlements {
        outcome: Option<Outcome>,
        /// Of all, with `outcome`.
        reference: Option<Option<String>>,
        /// Why they came back, with `outcome`.
        reason: Option<Option<String>>,
        /// 1 to 1000 payments of this payout, each once.
        lines: Option<Vec<LineSettlement>>,
    }
}

body! {
    /// What became of one payment.
    pub struct LineSettlement {
        line_id: PayoutLineId,
        outcome: Outcome,
        /// The bank's, or the provider's.
        reference: Option<Option<String>>,
        /// Why it came back.
        reason: Option<Option<String>>,
        /// Of which try: 409 if it was tried again since.
        attempt: Option<i64>,
    }
}

/// What is said of a payment, checked.
struct Said {
    line: Option<PayoutLineId>,
    outcome: Outcome,
    reference: Option<String>,
    reason: Option<String>,
    attempt: Option<i64>,
}

const MOST: usize = 1000;

fn read(body: Settlements) -> Result<Vec<Said>> {
    let mut checks = Checks::default();
    let mut text = |name: &str, text: Option<Option<String>>| {
        text.flatten().and_then(|text| checks.text(name, &text, 200))
    };
    let said = match (body.outcome, body.lines) {
        (Some(outcome), None) => {
            let (reference, reason) =
                (text("reference", body.reference), text("reason", body.reason));
            vec![Said { line: None, outcome, reference, reason, attempt: None }]
        }
        (None, Some(lines)) => {
            if body.reference.is_some() || body.reason.is_some() {
                return Err(Error::invalid("reference", "goes with outcome, or into each line"));
            }
            let mut seen = BTreeSet::new();
            if lines.is_empty() || lines.len() > MOST {
                return Err(Error::invalid("lines", "must be 1 to 1000"));
            }
            if let Some(twice) = lines.iter().find(|line| !seen.insert(line.line_id)) {
                return Err(Error::invalid(
                    "lines",
                    format!("{} stands there twice", twice.line_id),
                ));
            }
            let each = lines.into_iter().map(|line| Said {
                line: Some(line.line_id),
                outcome: line.outcome,
                reference: text("reference", line.reference),
                reason: text("reason", line.reason),
                attempt: line.attempt,
            });
            each.collect()
        }
        _ => return Err(Error::invalid("lines", "say outcome of all, or lines: one of the two")),
    };
    checks.done()?;
    Ok(said)
}

/// Which lines end, and how.
fn ended<'a>(said: &'a [Said], lines: &'a [LineRow]) -> Result<Vec<(&'a LineRow, &'a Said)>> {
    if let [all @ Said { line: None, .. }] = said {
        let open = lines.iter().filter(|line| line.state == LineState::InPayout);
        let ended: Vec<_> = open.filter(|line| !line.in_flight).map(|line| (line, all)).collect();
        if ended.is_empty() {
            let why = "no payment of it is on its way, or only its provider knows";
            return Err(Error::refused("nothing-to-settle", why));
        }
        return Ok(ended);
    }
    let mut ended = Vec::new();
    for one in said {
        let Some(line) = lines.iter().find(|line| Some(line.id) == one.line) else {
            return Err(Error::invalid("lines", "one of them is no payment of this payout"));
        };
        if line.state != LineState::InPayout {
            let state = state_name(line.state).replace('_', " ");
            return Err(Error::refused("not-in-payout", format!("{} is {state}", line.id)));
        }
        of_this_try(line, one.attempt)?;
        if line.in_flight {
            let why = format!("the provider tells what became of {}", line.id);
            return Err(Error::refused("in-flight", why));
        }
        ended.push((line, one));
    }
    Ok(ended)
}

/// Says what became of many payments, all in one step or none: they arrived, or their money is available
/// again.
#[utoipa::path(post, path = "/v1/payouts/{id}/settlement", tag = "payouts",
    request_body = Settlements, security(("api_key" = ["money"])), params(("id" = PayoutId, Path),
    ("Idempotency-Key" = String, Header)), responses((status = 200, body = PayoutView),
    (status = 409, description = "One of them is not on its way, or none is")))]
pub async fn settle(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Payout>,
    Paying { once, body }: Paying<Settlements>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let said = read(body)?;
    for _ in 0..ATTEMPTS {
        let above = super::brand::find(&app, caller.brand).await?.second_above;
        let Found { payout, mut lines, approvals } = find(&app, &caller, id.0).await?;
        let now_ms = app.now_ms();
        let (mut posted, mut ends) = (Vec::new(), Vec::new());
        for (line, said) in ended(&said, &lines)? {
            let (state, way) = match said.outcome {
                Outcome::Settled => (LineState::Settled, Way::Arrived),
                Outcome::Failed => (LineState::Failed, Way::Back),
            };
            let amount = Money::new(line.amount_minor, payout.currency);
            posted.extend(pay(line.id, line.creator_id, amount, way).map_err(fault)?);
            ends.push(Ended {
                line: line.id,
                revision: line.revision,
                state,
                reference: said.reference.clone(),
                reason: said.reason.clone(),
            });
        }
        let mut batch = vec![
            rows::settle_many(caller.brand, id.0, &ends, now_ms),
            books::post(caller.brand, &posted, now_ms),
        ];
        for end in ends {
            if let Some(line) = lines.iter_mut().find(|line| line.id == end.line) {
                line.state = end.state;
                line.settled_at_ms = Some(now_ms);
                (line.reference, line.reason) = (end.reference, end.reason);
            }
        }
        let told = json::text(&view(Found { payout, lines, approvals }, above));
        batch.push(caller.note(&app, "payout.settle_many", id.0, None, Some(told.clone())));
        let answer = (StatusCode::OK, told);
        if let Some(settled) = once.commit(&app, caller.brand, batch, answer).await? {
            return Ok(settled);
        }
    }
    Err(contended())
}
