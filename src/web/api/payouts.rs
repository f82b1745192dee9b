//! Paying creators: payouts from draft to settlement.
//!
//! Whatever moves money is decided from what is loaded, committed in one batch with its first
//! answer, and decided anew if the books changed in between: their CHECKs and revisions refuse it.

use http::StatusCode;
use std::collections::BTreeMap;

use crate::app::App;
use crate::domain::ids::{CreatorId, Payout, PayoutId, PayoutLine, PayoutLineId};
use crate::domain::ledger::{self, Account, Balances, Earning, Transaction};
use crate::domain::money::{Currency, Money};
use crate::domain::payout::{Way, pay};
use crate::domain::time::{Day, Millis};
use crate::error::{Error, Result};
use crate::storage::creators;
use crate::storage::ledger as books;
use crate::storage::payouts::{
    self as rows, LineRow, LineState, NewLine, PayableRow, PayoutRow, PayoutState,
};
use crate::web::body::{body, words};
use crate::web::extract::{Caller, Checks, Params, PathId, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, Once, Paying, contended};

use super::fees::fault;
use super::view::{List, Time};

/// So many creators are paid with one payout.
const MOST_LINES: usize = 1000;

view! {
    /// Payments to creators, made together.
    #[schema(as = Payout)]
    pub struct PayoutView {
        id: PayoutId,
        /// `draft`, `approved` or `cancelled`.
        state: &'static str,
        currency: Currency,
        lines: Vec<LineView>,
        total: Money,
        created_at: Time,
        #[schema(required)]
        approved_at: Option<Time>,
        /// Who has something but isn't paid with it; of a new draft only.
        skipped: Vec<SkippedView>,
    }
}

view! {
    /// One creator's part of a payout.
    #[schema(as = PayoutLine)]
    pub struct LineView {
        id: PayoutLineId,
        creator_id: CreatorId,
        amount: Money,
        /// `draft`, `in_payout`, `settled`, `failed` or `cancelled`.
        state: &'static str,
        #[schema(required)]
        reference: Option<String>,
        #[schema(required)]
        reason: Option<String>,
        #[schema(required)]
        settled_at: Option<Time>,
    }
}

view! {
    /// Somebody who isn't paid, and why.
    #[schema(as = SkippedCreator)]
    pub struct SkippedView {
        creator_id: CreatorId,
        available: Money,
        /// `no_payment_details`, `details_changed` (they wait two days), `below_minimum` or
        /// `nothing_available`.
        reason: &'static str,
    }
}

fn line_view(line: LineRow, currency: Currency) -> LineView {
    LineView {
        id: line.id,
        creator_id: line.creator_id,
        amount: Money::new(line.amount_minor, currency),
        state: state_name(line.state),
        reference: line.reference,
        reason: line.reason,
        settled_at: line.settled_at_ms.map(Time),
    }
}

/// The name of a line's state in the API.
#[must_use]
pub fn state_name(state: LineState) -> &'static str {
    match state {
        LineState::Draft => "draft",
        LineState::InPayout => "in_payout",
        LineState::Settled => "settled",
        LineState::Failed => "failed",
        LineState::Cancelled => "cancelled",
    }
}

fn view(payout: &PayoutRow, lines: Vec<LineRow>, skipped: Vec<SkippedView>) -> PayoutView {
    let total = lines.iter().map(|line| line.amount_minor).sum();
    PayoutView {
        id: payout.id,
        state: match payout.state {
            PayoutState::Draft => "draft",
            PayoutState::Approved => "approved",
            PayoutState::Cancelled => "cancelled",
        },
        currency: payout.currency,
        lines: lines.into_iter().map(|line| line_view(line, payout.currency)).collect(),
        total: Money::new(total, payout.currency),
        created_at: Time(payout.created_at_ms),
        approved_at: payout.approved_at_ms.map(Time),
        skipped,
    }
}

body! {
    /// Whom to pay.
    pub struct NewPayout {
        currency: Currency,
        /// Absent: everyone who has at least the minimum, and payment details.
        creator_ids: Option<Vec<CreatorId>>,
    }
}

/// What somebody could be paid.
struct Payable {
    available_minor: i64,
    usable_at_ms: Option<Millis>,
}

/// What each creator could be paid today, by her rows.
fn payable(rows: &[PayableRow], today: Day) -> BTreeMap<CreatorId, Payable> {
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

/// Why somebody isn't paid.
fn hindrance(found: &Payable, minimum_minor: i64, now_ms: Millis) -> Option<&'static str> {
    match found.usable_at_ms {
        _ if found.available_minor <= 0 => Some("nothing_available"),
        None => Some("no_payment_details"),
        Some(at) if at > now_ms => Some("details_changed"),
        _ if found.available_minor < minimum_minor => Some("below_minimum"),
        _ => None,
    }
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
    let stored = super::brand::find(&app, caller.brand).await?.brand;
    let named = body.creator_ids;
    if named.as_ref().is_some_and(|ids| ids.is_empty() || ids.len() > MOST_LINES) {
        return Err(Error::invalid("creator_ids", "must be 1 to 1000"));
    }
    let (lines, skipped) = drafted(&app, &stored, body.currency, named.as_deref()).await?;
    let (now_ms, id) = (app.now_ms(), app.new_id());
    let payout = PayoutRow {
        id,
        currency: body.currency,
        state: PayoutState::Draft,
        revision: 0,
        created_at_ms: now_ms,
        approved_at_ms: None,
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
    });
    let told = json::text(&view(&payout, shown.collect(), skipped));
    let mut batch = rows::insert(caller.brand, id, body.currency, &lines, now_ms);
    batch.push(caller.note(&app, "payout.draft", id, None, Some(told.clone())));
    let answer = (StatusCode::CREATED, told);
    once.commit(&app, caller.brand, batch, answer).await?.ok_or_else(contended)
}

/// Who is paid how much, and who isn't.
async fn drafted(
    app: &App,
    brand: &crate::domain::brand::Brand,
    currency: Currency,
    named: Option<&[CreatorId]>,
) -> Result<(Vec<NewLine>, Vec<SkippedView>)> {
    let now_ms = app.now_ms();
    let today = brand.timezone.day(now_ms);
    let found = rows::payable(app.db(), brand.id, currency, named).await?;
    let all = payable(&found, today);
    let minimum = brand.payout_minimum.filter(|minimum| minimum.currency == currency);
    let minimum_minor = if named.is_some() { 0 } else { minimum.map_or(0, |m| m.minor) };
    let (mut lines, mut skipped) = (Vec::new(), Vec::new());
    for (creator, found) in &all {
        match hindrance(found, minimum_minor, now_ms) {
            None if lines.len() < MOST_LINES => lines.push(NewLine {
                id: app.new_id(),
                creator: *creator,
                amount_minor: found.available_minor,
            }),
            None => {}
            Some(reason) => skipped.push(SkippedView {
                creator_id: *creator,
                available: Money::new(found.available_minor, currency),
                reason,
            }),
        }
    }
    if let Some(named) = named {
        for creator in named {
            if !lines.iter().any(|line| line.creator == *creator) {
                let why = skipped.iter().find(|s| s.creator_id == *creator).map(|s| s.reason);
                creators::find(app.db(), brand.id, *creator).await?.ok_or_else(|| {
                    Error::invalid("creator_ids", format!("{creator} is nobody of the brand"))
                })?;
                return Err(unpayable(*creator, why.unwrap_or("nothing_available")));
            }
        }
    }
    skipped.retain(|skipped| skipped.reason != "nothing_available");
    if lines.is_empty() {
        return Err(Error::refused("nothing-to-pay", "nobody can be paid in this currency now"));
    }
    Ok((lines, skipped))
}

fn unpayable(creator: CreatorId, reason: &'static str) -> Box<Error> {
    let rule = match reason {
        "no_payment_details" => "no-payment-details",
        "details_changed" => "payment-details-changed",
        _ => "nothing-available",
    };
    Error::refused(rule, format!("{creator} can't be paid: {}", reason.replace('_', " ")))
}

async fn find(
    app: &App,
    caller: &Caller<impl Sized>,
    id: PayoutId,
) -> Result<(PayoutRow, Vec<LineRow>)> {
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
    let (payout, lines) = find(&app, &caller, id.0).await?;
    Ok(Json(view(&payout, lines, Vec::new())))
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
    }
}

/// The brand's payouts, latest first, without their lines.
#[utoipa::path(get, path = "/v1/payouts", tag = "payouts", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<ListedView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<ListedView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    let listed = |row: PayoutRow| {
        let PayoutView { id, state, currency, created_at, approved_at, .. } =
            view(&row, Vec::new(), Vec::new());
        ListedView { id, state, currency, created_at, approved_at }
    };
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), listed)))
}

/// That a payout is a draft still.
fn a_draft(payout: &PayoutRow) -> Result<()> {
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

/// Approves a payout: its money leaves what is available, all of it or none.
#[utoipa::path(post, path = "/v1/payouts/{id}/approval", tag = "payouts",
    security(("api_key" = ["money"])), params(("id" = PayoutId, Path),
    ("Idempotency-Key" = String, Header)), responses((status = 200, body = PayoutView),
    (status = 409, description = "No draft any more, or less available than a line asks")))]
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
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    for _ in 0..ATTEMPTS {
        let (mut payout, mut lines) = find(&app, &caller, id.0).await?;
        a_draft(&payout)?;
        let (now_ms, today) = (app.now_ms(), brand.timezone.day(app.now_ms()));
        let creators: Vec<CreatorId> = lines.iter().map(|line| line.creator_id).collect();
        let found = rows::payable(app.db(), caller.brand, payout.currency, Some(&creators)).await?;
        let posted = leaving(&lines, &found, payout.currency, today, now_ms)?;
        let mut batch = rows::decide(caller.brand, &payout, PayoutState::Approved, now_ms);
        batch.push(books::post(caller.brand, &posted, now_ms));
        payout.state = PayoutState::Approved;
        payout.approved_at_ms = Some(now_ms);
        for line in &mut lines {
            line.state = LineState::InPayout;
        }
        let told = json::text(&view(&payout, lines, Vec::new()));
        batch.push(caller.note(&app, "payout.approve", payout.id, None, Some(told.clone())));
        let answer = (StatusCode::OK, told);
        if let Some(response) = once.commit(&app, caller.brand, batch, answer).await? {
            return Ok(response);
        }
    }
    Err(contended())
}

/// The transactions of an approval: what is due becomes available first, then each line leaves.
fn leaving(
    lines: &[LineRow],
    found: &[PayableRow],
    currency: Currency,
    today: Day,
    now_ms: Millis,
) -> Result<Vec<Transaction>> {
    let all = payable(found, today);
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
        let hers = || found.iter().filter(|row| row.creator_id == line.creator_id);
        let owed = hers().find(|row| row.account == Account::Clawback);
        let mut clawback_minor = owed.map_or(0, |row| row.amount_minor);
        for due in hers().filter(|row| row.account == Account::Pending && row.day <= today) {
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

/// Gives a draft up.
#[utoipa::path(delete, path = "/v1/payouts/{id}", tag = "payouts",
    security(("api_key" = ["money"])), params(("id" = PayoutId, Path)),
    responses((status = 200, body = PayoutView), (status = 409, description = "No draft any more")))]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Payout>,
) -> Result<Json<PayoutView>> {
    let (payout, _) = find(&app, &caller, id.0).await?;
    a_draft(&payout)?;
    let mut batch = rows::decide(caller.brand, &payout, PayoutState::Cancelled, app.now_ms());
    batch.push(caller.note(&app, "payout.cancel", id.0, None, None));
    app.db().run(batch).await?;
    let (payout, lines) = find(&app, &caller, id.0).await?;
    Ok(Json(view(&payout, lines, Vec::new())))
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
    }
}

/// The payout and the line in the path.
pub struct LinePath {
    payout: PayoutId,
    line: PayoutLineId,
}

impl Extract for LinePath {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(payout) = PathId::<Payout>::extract(call)?;
        let second = Call { id: call.second, identity: call.identity.clone(), ..*call };
        let PathId(line) = PathId::<PayoutLine>::extract(&second)?;
        Ok(Self { payout, line })
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
    let (payout, lines) = find(&app, &caller, at.payout).await?;
    let mut line = lines.into_iter().find(|line| line.id == at.line).ok_or(Error::NotFound)?;
    if line.state != LineState::InPayout {
        let why = format!("this payment is {}", state_name(line.state).replace('_', " "));
        return Err(Error::refused("not-in-payout", why));
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
