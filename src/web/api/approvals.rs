//! Approvals: the one way in which money leaves what is available, for a payout or for another try of a
//! payment that failed.
//!
//! Above the amount that the brand sets two people approve, members with a passkey: an API key can't be
//! either. The first approval moves nothing. Whether two have is asked again by the database, in the
//! batch in which money leaves.

use http::StatusCode;
use std::collections::BTreeMap;

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{CreatorId, Payout, PayoutId, PayoutLineId};
use crate::domain::ledger::{self, Account, Earning, Transaction};
use crate::domain::letter::Letter;
use crate::domain::money::{Currency, Money};
use crate::domain::payout::{Way, needs_two, pay};
use crate::domain::sending::State as Sending;
use crate::domain::time::{Day, Millis};
use crate::error::{Error, Result};
use crate::storage::Statement;
use crate::storage::brands::StoredBrand;
use crate::storage::ledger as books;
use crate::storage::owed;
use crate::storage::payouts::{
    self as rows, ApprovalRow, Found, LineRow, LineState, PayableRow, PayoutState,
};
use crate::web::extract::{Caller, PathId, may};
use crate::web::handler::State;
use crate::web::json;
use crate::web::mail;
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, Once, contended};

use super::fees::fault;
use super::owed::LinePath;
use super::payout_views::{LineView, PayoutView, line_view, state_name, view};
use super::payouts::{a_draft, find, payable, unpayable};

/// An approval of what needs two people: the statement that notes it, and whether it is the second.
struct Agreed {
    note: Statement,
    row: ApprovalRow,
    enough: bool,
}

/// That the caller approves what needs two people.
async fn agreed(
    app: &App,
    caller: &Caller<may::Money>,
    subject: &str,
    approvals: &[ApprovalRow],
) -> Result<Agreed> {
    let Actor::Member(member_id) = caller.actor else {
        let detail = "two members approve this, each with her passkey: no API key does";
        return Err(Error::denied(StatusCode::FORBIDDEN, "needs-two-people", detail));
    };
    let person = rows::person_of(app.db(), caller.brand, member_id).await?;
    let person_id = person.ok_or(Error::Forbidden("this is for members of the brand"))?;
    let mut before = approvals.iter().filter(|approval| approval.subject == subject);
    if before.clone().any(|approval| approval.person_id == person_id) {
        let why = "you approved this; another person must too";
        return Err(Error::refused("approved-by-you", why));
    }
    let enough = before.any(|approval| approval.counts);
    let (subject, approved_at_ms) = (subject.to_owned(), app.now_ms());
    let note = rows::approve(caller.brand, &subject, member_id, approved_at_ms);
    let row = ApprovalRow { subject, person_id, member_id, approved_at_ms, counts: true };
    Ok(Agreed { note, row, enough })
}

/// Tells those who could be the second that a first approval is there. Whose address isn't one that a mail
/// can be sent to sees it on the page.
async fn tell_others(
    app: &App,
    caller: &Caller<may::Money>,
    brand: &StoredBrand,
    subject: &str,
) -> Result<Vec<Statement>> {
    let Actor::Member(member) = caller.actor else { return Ok(Vec::new()) };
    let others = owed::approvers(app.db(), caller.brand, member).await?;
    let letter = Letter::ApprovalNeeded { brand: &brand.brand.name };
    let mails = others.iter().filter_map(|other| {
        let cause = format!("approval/{subject}/{}", other.id);
        mail::compose(app, Some(caller.brand), &cause, &other.email, &letter).ok()
    });
    Ok(mails.collect())
}

/// Approves a payout: its money leaves what is available, all of it or none. Above the amount that the
/// brand set, the first of two approvals leaves it a draft.
#[utoipa::path(post, path = "/v1/payouts/{id}/approval", tag = "payouts",
    security(("api_key" = ["money"])), params(("id" = PayoutId, Path),
    ("Idempotency-Key" = String, Header)), responses((status = 200, body = PayoutView),
    (status = 403, description = "It needs two people, each with her passkey"),
    (status = 409, description = "No draft any more, approved by the same person before, or less \
        available than a line asks")))]
pub async fn approve(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Payout>,
    once: Once,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    caller.stepped_up(&app)?;
    for _ in 0..ATTEMPTS {
        let stored = super::brand::find(&app, caller.brand).await?;
        let mut found = find(&app, &caller, id.0).await?;
        a_draft(&found.payout)?;
        let now_ms = app.now_ms();
        let posted = leaving(&app, &stored, &found.lines, found.payout.currency).await?;
        let total = found.lines.iter().map(|line| line.amount_minor).sum();
        let total = Money::new(total, found.payout.currency);
        let mut batch = Vec::new();
        let mut enough = true;
        if found.payout.needs_two || needs_two(stored.second_above, total) {
            let subject = id.0.to_string();
            let agreed = agreed(&app, &caller, &subject, &found.approvals).await?;
            enough = agreed.enough;
            batch.push(agreed.note);
            found.approvals.push(agreed.row);
        }
        let action = if enough { "payout.approve" } else { "payout.approve_first" };
        if enough {
            batch.extend(rows::decide(caller.brand, &found.payout, PayoutState::Approved, now_ms));
            batch.push(books::post(caller.brand, &posted, now_ms));
            found.payout.state = PayoutState::Approved;
            found.payout.approved_at_ms = Some(now_ms);
            for line in &mut found.lines {
                line.state = LineState::InPayout;
            }
        } else {
            batch.push(rows::count_up(caller.brand, &found.payout));
            batch.extend(tell_others(&app, &caller, &stored, &id.0.to_string()).await?);
        }
        let told = json::text(&view(found, stored.second_above));
        batch.push(caller.note(&app, action, id.0, None, Some(told.clone())));
        let answer = (StatusCode::OK, told);
        if let Some(response) = once.commit(&app, caller.brand, batch, answer).await? {
            return Ok(response);
        }
    }
    Err(contended())
}

/// Tries a payment that failed once more: its money leaves what is available again, and it goes out under
/// a new reference, because the old one is known to have failed. What holds for approvals holds here.
#[utoipa::path(post, path = "/v1/payouts/{id}/lines/{line_id}/retry", tag = "payouts",
    security(("api_key" = ["money"])), params(("id" = PayoutId, Path),
    ("line_id" = PayoutLineId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = LineView),
    (status = 403, description = "It needs two people, each with her passkey"),
    (status = 409, description = "It didn't fail, the provider told that it arrived after all, \
        or less is available")))]
pub async fn retry(
    State(app): State<App>,
    caller: Caller<may::Money>,
    at: LinePath,
    once: Once,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    caller.stepped_up(&app)?;
    for _ in 0..ATTEMPTS {
        let stored = super::brand::find(&app, caller.brand).await?;
        let Found { payout, mut lines, approvals } = find(&app, &caller, at.payout).await?;
        lines.retain(|line| line.id == at.line);
        let posted = match lines.first() {
            None => return Err(Error::NotFound.into()),
            Some(line) if line.state != LineState::Failed => {
                let why = format!("this payment is {}", state_name(line.state).replace('_', " "));
                return Err(Error::refused("not-failed", why));
            }
            Some(line) if line.sending == Some(Sending::Contradicted) => {
                let why = "the provider told that it arrived after all: look there";
                return Err(Error::refused("contradicted", why));
            }
            Some(_) => leaving(&app, &stored, &lines, payout.currency).await?,
        };
        let mut line = lines.pop().ok_or(Error::NotFound)?;
        let amount = Money::new(line.amount_minor, payout.currency);
        let mut batch = Vec::new();
        let mut enough = true;
        if payout.needs_two || needs_two(stored.second_above, amount) {
            let subject = format!("{}/{}", line.id, line.attempt + 1);
            let agreed = agreed(&app, &caller, &subject, &approvals).await?;
            enough = agreed.enough;
            batch.push(agreed.note);
        }
        let action = if enough { "payout.retry" } else { "payout.retry_first" };
        if enough {
            batch.push(rows::retry(caller.brand, at.payout, &line));
            batch.push(books::post(caller.brand, &posted, app.now_ms()));
            (line.state, line.attempt) = (LineState::InPayout, line.attempt + 1);
            (line.reference, line.reason, line.settled_at_ms) = (None, None, None);
            (line.way, line.sending) = (None, None);
        } else {
            batch.push(rows::count_line_up(caller.brand, at.payout, &line));
            let subject = format!("{}/{}", line.id, line.attempt + 1);
            batch.extend(tell_others(&app, &caller, &stored, &subject).await?);
        }
        let told = json::text(&line_view(line, payout.currency));
        batch.push(caller.note(&app, action, at.line, None, Some(told.clone())));
        let answer = (StatusCode::OK, told);
        if let Some(response) = once.commit(&app, caller.brand, batch, answer).await? {
            return Ok(response);
        }
    }
    Err(contended())
}

/// The transactions with which lines leave, by what their creators have now.
async fn leaving(
    app: &App,
    stored: &StoredBrand,
    lines: &[LineRow],
    currency: Currency,
) -> Result<Vec<Transaction>> {
    let brand = &stored.brand;
    let (now_ms, today) = (app.now_ms(), brand.timezone.day(app.now_ms()));
    let creators: Vec<CreatorId> = lines.iter().map(|line| line.creator_id).collect();
    let until = (currency, today);
    let found = rows::payable(app.db(), brand.id, until, Some(&creators)).await?;
    decided(lines, &found, currency, today, now_ms)
}

/// The transactions of an approval: what is due becomes available first, then each line leaves.
fn decided(
    lines: &[LineRow],
    found: &[PayableRow],
    currency: Currency,
    today: Day,
    now_ms: Millis,
) -> Result<Vec<Transaction>> {
    let all = payable(found, today);
    let rows_of: BTreeMap<CreatorId, &[PayableRow]> = found
        .chunk_by(|a, b| a.creator_id == b.creator_id)
        .filter_map(|hers| Some((hers.first()?.creator_id, hers)))
        .collect();
    let mut posted = Vec::new();
    for line in lines {
        let has = all.get(&line.creator_id);
        if has.is_none_or(|has| has.available_minor < line.amount_minor) {
            let why = format!("{} of {} asks for more than is available", line.id, line.creator_id);
            return Err(Error::refused("not-enough-available", why));
        }
        match has.and_then(|has| has.usable_at_ms) {
            None => return Err(unpayable(line.creator_id, "no_payment_details")),
            Some(at) if at > now_ms => return Err(unpayable(line.creator_id, "details_changed")),
            Some(_) => (),
        }
        let hers = rows_of.get(&line.creator_id).copied().unwrap_or_default();
        let owed = hers.iter().find(|row| row.account == Account::Clawback);
        let mut clawback_minor = owed.map_or(0, |row| row.amount_minor);
        for due in hers.iter().filter(|row| row.account == Account::Pending && row.day <= today) {
            let earned = Earning {
                creator: line.creator_id,
                day: due.day,
                currency,
                amount_minor: due.amount_minor,
            };
            posted.extend(ledger::release(earned, clawback_minor).map_err(fault)?);
            clawback_minor = (clawback_minor + due.amount_minor).min(0);
        }
        let amount = Money::new(line.amount_minor, currency);
        posted.extend(pay(line.id, line.creator_id, amount, Way::Out).map_err(fault)?);
    }
    Ok(posted)
}
