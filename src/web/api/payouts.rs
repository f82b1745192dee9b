//! Paying creators: payouts from draft to settlement.
//!
//! Whatever moves money is decided from what is loaded, committed in one batch with its first
//! answer, and decided anew if the books changed in between: their CHECKs and revisions refuse it.

use http::StatusCode;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::app::App;
use crate::domain::ids::{CreatorId, Payout, PayoutId, PayoutLineId};
use crate::domain::ledger::Balances;
use crate::domain::money::{Currency, Money};
use crate::domain::payout::{Way, needs_two, pay};
use crate::domain::time::{Day, Millis};
use crate::error::{Error, Result};
use crate::storage::brands::StoredBrand;
use crate::storage::ledger as books;
use crate::storage::payouts::{
    self as rows, Found, LineRow, LineState, NewLine, PayableRow, PayoutRow, PayoutState, Skipped,
};
use crate::storage::{Statement, creators, owed};
use crate::web::body::{body, words};
use crate::web::extract::{Caller, Checks, Params, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::{Paying, contended};

use super::fees::fault;
use super::owed::{LinePath, hindrance};
use super::payout_views::{LineView, PayoutView, line_view, payout_state, state_name, view};
use super::view::{List, Time};

/// So many creators are paid with one payout.
const MOST_LINES: usize = 1000;
/// So many who aren't paid are listed; the rest is counted.
const MOST_SKIPPED: usize = 500;

body! {
    /// Whom to pay.
    pub struct NewPayout {
        currency: Currency,
        /// Absent: everyone who has at least the minimum, and payment details.
        creator_ids: Option<Vec<CreatorId>>,
    }
}

/// What somebody could be paid.
pub struct Payable {
    /// So much.
    pub available_minor: i64,
    /// From when on her payment details are used, if there are any.
    pub usable_at_ms: Option<Millis>,
}

/// What each creator could be paid today, by her rows.
pub fn payable(rows: &[PayableRow], today: Day) -> BTreeMap<CreatorId, Payable> {
    let mut all = BTreeMap::new();
    for hers in rows.chunk_by(|a, b| a.creator_id == b.creator_id) {
        let Some(first) = hers.first() else { continue };
        let balances = hers.iter().map(|row| (row.account, row.day, row.amount_minor));
        let available_minor = Balances::of(balances, today).available_minor;
        let usable_at_ms = first.usable_at_ms;
        all.insert(first.creator_id, Payable { available_minor, usable_at_ms });
    }
    all
}

/// Drafts a payout: nothing moves yet.
#[utoipa::path(post, path = "/v1/payouts", tag = "payouts", request_body = NewPayout,
    security(("api_key" = ["money"])), params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = PayoutView),
    (status = 409, description = "Somebody who was named can't be paid, or nobody can")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Money>,
    Paying { once, body }: Paying<NewPayout>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let stored = super::brand::find(&app, caller.brand).await?;
    let named = body.creator_ids;
    if named.as_ref().is_some_and(|ids| ids.is_empty() || ids.len() > MOST_LINES) {
        return Err(Error::invalid("creator_ids", "must be 1 to 1000"));
    }
    let drafted = drafted(&app, &stored, body.currency, named.as_deref()).await?;
    let (id, told, mut batch) = insertion(&app, &stored, body.currency, &drafted);
    batch.push(caller.note(&app, "payout.draft", id, None, Some(told.clone())));
    let answer = (StatusCode::CREATED, told);
    once.commit(&app, caller.brand, batch, answer).await?.ok_or_else(contended)
}

/// Whom a draft pays how much, and who has something but isn't paid: of many some.
pub struct Drafted {
    lines: Vec<NewLine>,
    skipped: Vec<Skipped>,
    skipped_total: i64,
}

/// A draft's id, how the API shows it, and the statements that store it.
pub fn insertion(
    app: &App,
    brand: &StoredBrand,
    currency: Currency,
    Drafted { lines, skipped, skipped_total }: &Drafted,
) -> (PayoutId, String, Vec<Statement>) {
    let (now_ms, id) = (app.now_ms(), app.new_id());
    let total = lines.iter().map(|line| line.amount_minor).sum();
    let payout = PayoutRow {
        id,
        currency,
        state: PayoutState::Draft,
        revision: 0,
        created_at_ms: now_ms,
        approved_at_ms: None,
        needs_two: needs_two(brand.second_above, Money::new(total, currency)),
        skipped: skipped.clone(),
        skipped_total: *skipped_total,
    };
    let shown = lines.iter().map(|line| LineRow {
        id: line.id,
        creator_id: line.creator,
        amount_minor: line.amount_minor,
        state: LineState::Draft,
        revision: 0,
        reference: None,
        reason: None,
        settled_at_ms: None,
        attempt: 1,
        way: None,
        sending: None,
        batch: None,
        told: None,
        due_at_ms: None,
        sending_attempt: None,
        in_flight: false,
    });
    let found = Found { payout, lines: shown.collect(), approvals: Vec::new() };
    let skipped = (skipped.as_slice(), *skipped_total);
    let insert = rows::insert(brand.brand.id, (id, currency), lines, skipped, now_ms);
    let told = json::text(&view(found, brand.second_above));
    (id, told, insert)
}

/// Who is paid how much, and who isn't.
///
/// # Errors
/// 409 if somebody who is named can't be paid, or nobody can.
pub async fn drafted(
    app: &App,
    stored: &StoredBrand,
    currency: Currency,
    named: Option<&[CreatorId]>,
) -> Result<Drafted> {
    let brand = &stored.brand;
    let now_ms = app.now_ms();
    let today = brand.timezone.day(now_ms);
    let found = rows::payable(app.db(), brand.id, (currency, today), named).await?;
    // Of more than one payout holds, those first who have most: who is left has more the next time.
    let mut all: Vec<(CreatorId, Payable)> = payable(&found, today).into_iter().collect();
    all.sort_by_key(|(creator, hers)| (Reverse(hers.available_minor), *creator));
    let minimum = brand.payout_minimum.filter(|minimum| minimum.currency == currency);
    let minimum_minor = if named.is_some() { 0 } else { minimum.map_or(0, |m| m.minor) };
    let (mut lines, mut skipped) = (Vec::new(), Vec::new());
    for (creator, found) in &all {
        let (creator, available_minor) = (*creator, found.available_minor);
        let full = (lines.len() >= MOST_LINES).then_some("too_many");
        match hindrance(available_minor, found.usable_at_ms, minimum_minor, now_ms).or(full) {
            None => {
                lines.push(NewLine { id: app.new_id(), creator, amount_minor: available_minor })
            }
            Some(reason) => {
                skipped.push(Skipped { creator, reason: reason.to_owned(), available_minor });
            }
        }
    }
    if let Some(named) = named {
        let paid: BTreeSet<CreatorId> = lines.iter().map(|line| line.creator).collect();
        for creator in named {
            if !paid.contains(creator) {
                let why = skipped.iter().find(|s| s.creator == *creator);
                creators::find(app.db(), brand.id, *creator).await?.ok_or_else(|| {
                    Error::invalid("creator_ids", format!("{creator} is nobody of the brand"))
                })?;
                return Err(unpayable(*creator, why.map_or("nothing_available", |s| &s.reason)));
            }
        }
    }
    skipped.retain(|skipped| skipped.reason != "nothing_available");
    if lines.is_empty() {
        return Err(Error::refused("nothing-to-pay", "nobody can be paid in this currency now"));
    }
    let skipped_total = i64::try_from(skipped.len()).unwrap_or(i64::MAX);
    skipped.truncate(MOST_SKIPPED);
    Ok(Drafted { lines, skipped, skipped_total })
}

/// That somebody who is to be paid can't be.
pub fn unpayable(creator: CreatorId, reason: &str) -> Box<Error> {
    let rule = match reason {
        "no_payment_details" => "no-payment-details",
        "details_changed" => "payment-details-changed",
        _ => "nothing-available",
    };
    Error::refused(rule, format!("{creator} can't be paid: {}", reason.replace('_', " ")))
}

/// A payout of the caller's brand.
///
/// # Errors
/// 404.
pub async fn find<S>(app: &App, caller: &Caller<S>, id: PayoutId) -> Result<Found> {
    rows::find(app.db(), caller.brand, id).await?.ok_or(Error::NotFound.into())
}

/// One payout.
#[utoipa::path(get, path = "/v1/payouts/{id}", tag = "payouts", security(("api_key" = ["read"])),
    params(("id" = PayoutId, Path)), responses((status = 200, body = PayoutView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Payout>,
) -> Result<Json<PayoutView>> {
    shown(&app, &caller, id.0).await
}

async fn shown<S>(app: &App, caller: &Caller<S>, id: PayoutId) -> Result<Json<PayoutView>> {
    let above = super::brand::find(app, caller.brand).await?.second_above;
    let mut shown = view(find(app, caller, id).await?, above);
    let told = rows::destinations(app.db(), caller.brand, id).await?;
    let mut told: BTreeMap<_, _> = told.into_iter().map(|row| (row.id, row)).collect();
    for line in &mut shown.lines {
        if let Some(row) = told.remove(&line.id) {
            (line.method, line.last4) = (Some(row.method), row.last4);
            line.details_since = Some(Time(row.updated_at_ms));
        }
    }
    Ok(Json(shown))
}

view! {
    /// A payout in a list.
    #[schema(as = ListedPayout)]
    pub struct ListedView {
        id: PayoutId,
        /// `draft`, `approved` or `cancelled`.
        state: &'static str,
        currency: Currency,
        created_at: Time,
        #[schema(required)]
        approved_at: Option<Time>,
        /// All that it pays. It and the next three are null unless `totals=true` asks for them.
        #[schema(required)]
        total: Option<Money>,
        /// To how many.
        #[schema(required)]
        lines: Option<i64>,
        /// How many of these payments arrived.
        #[schema(required)]
        settled: Option<i64>,
        /// How many came back.
        #[schema(required)]
        failed: Option<i64>,
    }
}

/// The brand's payouts, latest first, without their lines.
#[utoipa::path(get, path = "/v1/payouts", tag = "payouts", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query),
    ("totals" = Option<bool>, Query)), responses((status = 200, body = List<ListedView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<ListedView>>> {
    let params = params.only(&["limit", "cursor", "totals"])?;
    let page = params.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    let ids: Vec<PayoutId> = found.iter().map(|row| row.id).collect();
    let told = match params.get("totals") {
        None | Some("false") => Vec::new(),
        Some("true") => owed::totals(app.db(), caller.brand, &ids).await?,
        Some(_) => return Err(Error::invalid("totals", "must be true or false")),
    };
    let of = |id: PayoutId| told.iter().find(|row| row.payout_id == id);
    let listed = |row: PayoutRow| ListedView {
        total: of(row.id).map(|told| Money::new(told.amount_minor, row.currency)),
        lines: of(row.id).map(|told| told.lines),
        settled: of(row.id).map(|told| told.settled),
        failed: of(row.id).map(|told| told.failed),
        id: row.id,
        state: payout_state(row.state),
        currency: row.currency,
        created_at: Time(row.created_at_ms),
        approved_at: row.approved_at_ms.map(Time),
    };
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), listed)))
}

/// That a payout is a draft still.
///
/// # Errors
/// 409.
pub fn a_draft(payout: &PayoutRow) -> Result<()> {
    match payout.state {
        PayoutState::Draft => Ok(()),
        PayoutState::Approved => {
            Err(Error::refused("payout-approved", "this payout was approved before"))
        }
        PayoutState::Cancelled => {
            Err(Error::refused("payout-cancelled", "this payout was cancelled"))
        }
    }
}

/// Gives a draft up.
#[utoipa::path(delete, path = "/v1/payouts/{id}", tag = "payouts",
    security(("api_key" = ["money"])), params(("id" = PayoutId, Path)),
    responses((status = 200, body = PayoutView), (status = 409, description = "No draft any more")))]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Payout>,
) -> Result<Json<PayoutView>> {
    let payout = find(&app, &caller, id.0).await?.payout;
    a_draft(&payout)?;
    let mut batch = rows::decide(caller.brand, &payout, PayoutState::Cancelled, app.now_ms());
    batch.push(caller.note(&app, "payout.cancel", id.0, None, None));
    app.db().run(batch).await?;
    shown(&app, &caller, id.0).await
}

/// What became of a payment.
#[derive(Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentOutcome)]
pub enum Outcome {
    /// It arrived.
    Settled,
    /// It came back.
    Failed,
}
words!(Outcome { "settled" => Settled, "failed" => Failed });

body! {
    /// What became of a payment.
    pub struct Settlement {
        outcome: Outcome,
        /// The bank's, or the provider's.
        reference: Option<Option<String>>,
        /// Why it came back.
        reason: Option<Option<String>>,
        /// Of which try: 409 if it was tried again since.
        attempt: Option<i64>,
    }
}

/// What was said of one try isn't said of the next.
///
/// # Errors
/// 409.
pub fn of_this_try(line: &LineRow, attempt: Option<i64>) -> Result<()> {
    match attempt {
        Some(said) if said != line.attempt => {
            let why = format!("{} was tried again since: it is try {} now", line.id, line.attempt);
            Err(Error::refused("tried-again", why))
        }
        _ => Ok(()),
    }
}

/// Says what became of a payment: it arrived, or its money is available again.
#[utoipa::path(post, path = "/v1/payouts/{id}/lines/{line_id}/settlement", tag = "payouts",
    request_body = Settlement, security(("api_key" = ["money"])), params(("id" = PayoutId, Path),
    ("line_id" = PayoutLineId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = LineView),
    (status = 409, description = "Not on its way, or settled before")))]
pub async fn settle(
    State(app): State<App>,
    caller: Caller<may::Money>,
    at: LinePath,
    Paying { once, body }: Paying<Settlement>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let mut checks = Checks::default();
    let mut text = |name: &str, text: Option<Option<String>>| {
        text.flatten().and_then(|text| checks.text(name, &text, 200))
    };
    let (reference, reason) = (text("reference", body.reference), text("reason", body.reason));
    checks.done()?;
    let Found { payout, lines, .. } = find(&app, &caller, at.payout).await?;
    let mut line = lines.into_iter().find(|line| line.id == at.line).ok_or(Error::NotFound)?;
    if line.state != LineState::InPayout {
        let why = format!("this payment is {}", state_name(line.state).replace('_', " "));
        return Err(Error::refused("not-in-payout", why));
    }
    of_this_try(&line, body.attempt)?;
    if line.in_flight {
        return Err(Error::refused("in-flight", "the provider tells what became of this payment"));
    }
    let (state, way) = match body.outcome {
        Outcome::Settled => (LineState::Settled, Way::Arrived),
        Outcome::Failed => (LineState::Failed, Way::Back),
    };
    let now_ms = app.now_ms();
    let amount = Money::new(line.amount_minor, payout.currency);
    let posted = pay(line.id, line.creator_id, amount, way).map_err(fault)?;
    let told = (reference.as_deref(), reason.as_deref());
    let mut batch = vec![
        rows::settle(caller.brand, at.payout, &line, state, told, now_ms),
        books::post(caller.brand, posted.as_slice(), now_ms),
    ];
    line.state = state;
    line.settled_at_ms = Some(now_ms);
    (line.reference, line.reason) = (reference, reason);
    let told = json::text(&line_view(line, payout.currency));
    batch.push(caller.note(&app, "payout.settle", at.line, None, Some(told.clone())));
    let answer = (StatusCode::OK, told);
    let settled = once.commit(&app, caller.brand, batch, answer).await?;
    // Nothing but another settlement can be in the way.
    settled.ok_or_else(|| Error::refused("not-in-payout", "this payment was settled before"))
}
