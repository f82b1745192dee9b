//! Creators' claims: "this order is mine", what they are told, and what the brand decides.

use http::StatusCode;

use crate::app::App;
use crate::domain::attribution::{Candidate, Method, Outcome, Reason};
use crate::domain::auth::Actor;
use crate::domain::claim::{Answer, ClaimState, names_of};
use crate::domain::ids::{Claim, ClaimId, CreatorId, DealId, OrderId, StoreId};
use crate::domain::json::json;
use crate::domain::letter::Letter;
use crate::domain::time::{DAY_MS, Millis};
use crate::error::{Error, Result};
use crate::storage::claims::{self as rows, ClaimRow, Which};
use crate::storage::orders::{self, OrderRow};
use crate::storage::{Statement, audit, deals};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Me, Params, PathId, RequestId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{by_serde, text, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, Paying, contended};
use crate::web::{limits, mail};

use super::audit::Stored;
use super::by_hand::{by, climb, hold, moving};
use super::view::{List, Time};

/// Orders are found that were placed within so long.
/// So often a creator may look for an order within a day.
const SEARCHES_A_DAY: u32 = 60;
const SPAN_MS: Millis = 400 * DAY_MS;
/// Whoever claimed twenty within a day waits for at most so many seconds.
const WAIT_S: u32 = 86_400;

by_serde!(ClaimState);
words!(ClaimState {
    "open" => Open, "hers" => Hers, "unknown" => Unknown, "granted" => Granted,
    "declined" => Declined,
});

body! {
    /// An order that a creator says is hers.
    pub struct NewClaim {
        /// As the shop calls it, with or without `#`.
        order_number: String,
        /// Where several shops have an order of that number.
        store_id: Option<Option<StoreId>>,
        /// Which of her deals it is for.
        deal_id: Option<Option<DealId>>,
        note: Option<Option<String>>,
    }
}

view! {
    /// Why an order is hers or isn't, by her own evidence.
    #[schema(as = ClaimAnswer)]
    pub struct AnswerView {
        /// `hers`, `not_hers`, `unknown_order` or `several_stores`.
        result: &'static str,
        /// In words.
        text: &'static str,
        #[schema(required)]
        reason: Option<Reason>,
        /// By what it is another creator's, if it is one's.
        #[schema(required)]
        another_creators: Option<Method>,
        candidates: Vec<OwnCandidateView>,
        /// The stores that have an order of that number, if several do.
        stores: Vec<StoreId>,
    }
}

view! {
    /// Something of hers in an order, and what became of it.
    #[schema(as = OwnCandidate)]
    struct OwnCandidateView {
        deal_id: Option<DealId>,
        method: Method,
        /// Her code, if it is one.
        #[schema(required)]
        code: Option<String>,
        /// When the click was.
        #[schema(required)]
        at: Option<Time>,
        outcome: Outcome,
        reason: Reason,
    }
}

impl From<Candidate> for OwnCandidateView {
    fn from(candidate: Candidate) -> Self {
        Self {
            deal_id: candidate.deal_id,
            method: candidate.method,
            // A click id stands for somebody's visit: that there was one is enough.
            code: Some(candidate.evidence).filter(|_| candidate.method == Method::Code),
            at: candidate.at_ms.map(Time),
            outcome: candidate.outcome,
            reason: candidate.reason,
        }
    }
}

view! {
    /// A creator's claim, as she sees it.
    #[schema(as = MyClaim)]
    pub struct MyClaimView {
        pub(crate) id: ClaimId,
        pub(crate) order_number: String,
        /// `open`, `hers`, `unknown`, `granted` or `declined`.
        pub(crate) state: ClaimState,
        /// What was so when she claimed.
        #[schema(value_type = AnswerView)]
        pub(crate) answer: Stored,
        #[schema(required)]
        pub(crate) note: Option<String>,
        pub(crate) created_at: Time,
        #[schema(required)]
        pub(crate) decided_at: Option<Time>,
        #[schema(required)]
        pub(crate) decision_note: Option<String>,
    }
}

view! {
    /// A creator's claim, as the brand sees it.
    #[schema(as = Claim)]
    pub struct ClaimView {
        id: ClaimId,
        creator_id: CreatorId,
        order_number: String,
        #[schema(required)]
        order_id: Option<OrderId>,
        /// The deal she wants it for; once granted, the one that has it.
        #[schema(required)]
        deal_id: Option<DealId>,
        /// `open`, `hers`, `unknown`, `granted` or `declined`.
        state: ClaimState,
        /// What she was told.
        #[schema(value_type = AnswerView)]
        answer: Stored,
        #[schema(required)]
        note: Option<String>,
        created_at: Time,
        #[schema(required)]
        decided_at: Option<Time>,
        #[schema(required)]
        decision_note: Option<String>,
    }
}

impl From<ClaimRow> for MyClaimView {
    fn from(row: ClaimRow) -> Self {
        Self {
            id: row.id,
            order_number: row.order_name,
            state: row.state,
            answer: Stored(Some(row.answer)),
            note: row.note,
            created_at: Time(row.created_at_ms),
            decided_at: row.decided_at_ms.map(Time),
            decision_note: row.decision_note,
        }
    }
}

impl From<ClaimRow> for ClaimView {
    fn from(row: ClaimRow) -> Self {
        Self {
            id: row.id,
            creator_id: row.creator_id,
            order_number: row.order_name,
            order_id: row.order_id,
            deal_id: row.deal_id,
            state: row.state,
            answer: Stored(Some(row.answer)),
            note: row.note,
            created_at: Time(row.created_at_ms),
            decided_at: row.decided_at_ms.map(Time),
            decision_note: row.decision_note,
        }
    }
}

/// Claims an order, and is told at once why it is hers or isn't. One that isn't waits for the brand. At
/// most twenty within a day; one open claim about an order.
#[utoipa::path(post, path = "/v1/me/claims", tag = "creator", request_body = NewClaim,
    security(("creator" = [])), responses((status = 201, body = MyClaimView),
    (status = 409, description = "A claim about this order is open")))]
pub async fn create(
    State(app): State<App>,
    me: Me,
    RequestId(request_id): RequestId,
    Body(new): Body<NewClaim>,
) -> Result<(StatusCode, Json<MyClaimView>)> {
    let mut checks = Checks::default();
    let number = checks.text("order_number", &new.order_number, 64);
    let note = new.note.flatten().and_then(|note| checks.text("note", &note, 500));
    let deals = deals::ids_of_creator(app.db(), me.brand, me.creator).await?;
    let deal = new.deal_id.flatten();
    if deal.is_some_and(|deal| !deals.contains(&deal)) {
        checks.refuse("deal_id", "is no deal of yours");
    }
    checks.done()?;
    let (number, now_ms) = (checked(number)?, app.now_ms());
    // The search is bounded before it begins; the table's trigger counts what is kept.
    limits::take(&app, &format!("claim/{}/{}", me.brand, me.creator), SEARCHES_A_DAY, DAY_MS)
        .await?;
    let span = (now_ms - SPAN_MS, now_ms + DAY_MS);
    let mut found = orders::named(app.db(), me.brand, &names_of(&number), span).await?;
    if let Some(store) = new.store_id.flatten() {
        found.retain(|order| order.store_id == store);
    }
    let (state, order, answer) = told(found, me.creator, &deals)?;
    let claim = ClaimRow {
        id: app.new_id(),
        creator_id: me.creator,
        order_name: number,
        order_id: order,
        deal_id: deal,
        state,
        answer: text(&answer),
        note,
        created_at_ms: now_ms,
        decided_at_ms: None,
        decision_note: None,
    };
    let subject = claim.id.to_string();
    let done = audit::Done {
        id: app.new_id(),
        actor: Actor::Creator(me.creator),
        action: "claim.create",
        subject: &subject,
        request_id: &request_id,
        before: None,
        after: Some(json!({ "order_number": claim.order_name, "order_id": order })),
    };
    let mut batch = vec![rows::insert(me.brand, &claim)];
    batch.extend(audit::note_of_creator(me.brand, done, me.creator, now_ms));
    match app.db().run(batch).await {
        Ok(_) => Ok((StatusCode::CREATED, Json(claim.into()))),
        Err(error) if error.is_constraint("claims_of_a_day") => Err(Error::TooMany(WAIT_S).into()),
        Err(error) if error.is_constraint("claims.order_id") => Err(Error::refused(
            "claim-open",
            "you claimed this order before: the brand will answer",
        )),
        Err(error) => Err(error.into()),
    }
}

/// What a creator is told of the orders that were found under a number: of each store the latest counts.
fn told(
    found: Vec<OrderRow>,
    creator: CreatorId,
    deals: &[DealId],
) -> Result<(ClaimState, Option<OrderId>, AnswerView)> {
    let mut stores: Vec<StoreId> = Vec::new();
    for order in &found {
        if !stores.contains(&order.store_id) {
            stores.push(order.store_id);
        }
    }
    let view = |result, text| AnswerView {
        result,
        text,
        reason: None,
        another_creators: None,
        candidates: Vec::new(),
        stores: Vec::new(),
    };
    if stores.len() > 1 {
        let text = "several shops have an order of this number: say which one you mean";
        let view = AnswerView { stores, ..view("several_stores", text) };
        return Ok((ClaimState::Unknown, None, view));
    }
    let latest = found.first();
    let decision = latest.map(OrderRow::decision).transpose()?.flatten();
    let (Some(order), Some(decision)) = (latest, decision) else {
        let text = "no order of this number came from the brand's shops in the last 400 days";
        return Ok((ClaimState::Unknown, None, view("unknown_order", text)));
    };
    let answer = Answer::of(&decision, creator, deals);
    let (state, result) = match answer.hers {
        true => (ClaimState::Hers, "hers"),
        false => (ClaimState::Open, "not_hers"),
    };
    let view = AnswerView {
        reason: Some(answer.reason),
        another_creators: answer.others,
        candidates: answer.candidates.into_iter().map(OwnCandidateView::from).collect(),
        ..view(result, words(answer.hers, answer.reason, answer.others))
    };
    Ok((state, Some(order.id), view))
}

/// Why, in words.
fn words(hers: bool, reason: Reason, others: Option<Method>) -> &'static str {
    match (hers, reason, others) {
        (true, Reason::Moved, _) => "the brand gave you this order",
        (true, ..) => "this order is yours",
        (_, Reason::Moved, None) => "the brand decided that this order is nobody's",
        (_, _, Some(Method::Code)) => "it went to another creator's code",
        (_, _, Some(Method::Link | Method::Journey)) => "it went to another creator's link",
        (_, _, Some(Method::Affiliate)) => "another affiliate programme gave it to another creator",
        (_, _, Some(Method::Hand)) => "the brand gave it to another creator",
        (_, Reason::OutsideWindow, _) => "the click on your link was too long before the order",
        (_, Reason::DealClosed, _) => "your deal was closed when the order was placed",
        (_, Reason::BeforeTerms, _) => "the order was placed before your deal's first terms",
        (_, Reason::SelfPurchase, _) => "you bought it yourself",
        (_, Reason::TestOrder, _) => "it is a test order",
        (_, Reason::NoCandidate, _) => "nothing in the order names you",
        _ => "what in the order is yours did not count",
    }
}

/// Her claims, latest first.
#[utoipa::path(get, path = "/v1/me/claims", tag = "creator", security(("creator" = [])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<MyClaimView>)))]
pub async fn mine(
    State(app): State<App>,
    me: Me,
    params: Params,
) -> Result<Json<List<MyClaimView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), me.brand, Which::Of(me.creator), &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), MyClaimView::from)))
}

/// The brand's claims, latest first.
#[utoipa::path(get, path = "/v1/claims", tag = "orders", security(("api_key" = ["read"])),
    params(("state" = Option<ClaimState>, Query), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<ClaimView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<ClaimView>>> {
    let params = params.only(&["state", "limit", "cursor"])?;
    let page = params.page()?;
    let which = match params.get("state") {
        None => Which::All,
        Some(word) => Which::In(
            crate::storage::rows::from_json(&json!(word))
                .ok_or_else(|| Error::invalid("state", "is no state of a claim"))?,
        ),
    };
    let found = rows::list(app.db(), caller.brand, which, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), ClaimView::from)))
}

body! {
    /// What the brand decides.
    pub struct ClaimDecision {
        outcome: Decided,
        /// The creator reads it.
        note: Option<Option<String>>,
        /// Which of her deals gets the order, if she has several and didn't say.
        deal_id: Option<Option<DealId>>,
    }
}

/// What a claim comes to.
#[derive(Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Decided {
    /// The order is hers from now on.
    Granted,
    /// It isn't.
    Declined,
}
words!(Decided { "granted" => Granted, "declined" => Declined });

view! {
    /// What became of a claim. What the creator wrote isn't repeated: first answers are kept for a while.
    #[schema(as = DecidedClaim)]
    pub struct DecidedView {
        id: ClaimId,
        creator_id: CreatorId,
        order_id: OrderId,
        /// The deal that has the order now, if the claim was granted.
        #[schema(required)]
        deal_id: Option<DealId>,
        /// `granted` or `declined`.
        state: ClaimState,
        decided_at: Time,
    }
}

/// Decides a claim, once. Granting moves the order to her deal, as by hand; she is told by mail.
#[utoipa::path(post, path = "/v1/claims/{id}/decision", tag = "orders",
    request_body = ClaimDecision, security(("api_key" = ["money"])),
    params(("id" = ClaimId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DecidedView),
    (status = 409, description = "It isn't open, or the order can't be moved: as moving by hand")))]
pub async fn decide(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Claim>,
    Paying { once, body }: Paying<ClaimDecision>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let mut checks = Checks::default();
    let note = body.note.flatten().and_then(|note| checks.text("note", &note, 500));
    checks.done()?;
    let mut letter = None;
    for _ in 0..ATTEMPTS {
        let mut claim = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
        let (ClaimState::Open, Some(order)) = (claim.state, claim.order_id) else {
            let why = "there is nothing to decide, or it was decided before";
            return Err(Error::refused("claim-not-open", why));
        };
        let (mut batch, mut climber) = (Vec::new(), None);
        claim.state = ClaimState::Declined;
        if body.outcome == Decided::Granted {
            let deal = deal_for(&app, &caller, &claim, body.deal_id.flatten()).await?;
            let held = hold(&app, caller.brand, order, Some(deal)).await?;
            // What is said to her stands with the claim, which goes with her; this doesn't.
            let hand = by(&app, &caller, "her claim was granted".to_owned(), Some(claim.id));
            let there = held.unchanged(caller.brand);
            climber = held.climber();
            // It may be hers by now: then it must still be so when the claim is decided.
            let moved = moving(&app, &caller, held, hand).await?;
            batch.push(moved.map_or_else(|| there.into_iter().collect(), |(batch, _)| batch));
            (claim.state, claim.deal_id) = (ClaimState::Granted, Some(deal));
        }
        if letter.is_none() {
            letter = tell(&app, &caller, &claim).await?;
        }
        let mut batch = batch.concat();
        let now_ms = app.now_ms();
        let told = DecidedView {
            id: claim.id,
            creator_id: claim.creator_id,
            order_id: order,
            deal_id: claim.deal_id.filter(|_| body.outcome == Decided::Granted),
            state: claim.state,
            decided_at: Time(now_ms),
        };
        let note = note.as_deref();
        batch.push(rows::require_open(caller.brand, claim.id));
        batch.push(rows::decide(caller.brand, claim.id, claim.state, claim.deal_id, note, now_ms));
        let after = json!({ "state": claim.state, "deal_id": told.deal_id });
        batch.push(caller.note(&app, "claim.decide", claim.id, None, Some(after)));
        batch.extend(letter.clone());
        let answer = (StatusCode::OK, text(&told));
        if let Some(response) = once.commit(&app, caller.brand, batch, answer).await? {
            climb(&app, caller.brand, climber).await;
            return Ok(response);
        }
    }
    Err(contended())
}

/// The deal of hers that gets the order.
async fn deal_for<S>(
    app: &App,
    caller: &Caller<S>,
    claim: &ClaimRow,
    named: Option<DealId>,
) -> Result<DealId> {
    let hers = deals::ids_of_creator(app.db(), caller.brand, claim.creator_id).await?;
    match (named.or(claim.deal_id), hers.as_slice()) {
        (Some(deal), hers) if hers.contains(&deal) => Ok(deal),
        (None, [only]) => Ok(*only),
        (Some(_), _) => Err(Error::invalid("deal_id", "is no deal of the creator's")),
        (None, _) => Err(Error::invalid("deal_id", "say which: she has none or several")),
    }
}

/// The mail that tells a creator what became of her claim, if she has an address.
async fn tell<S>(app: &App, caller: &Caller<S>, claim: &ClaimRow) -> Result<Option<Statement>> {
    let found = mail::creators_address(app, caller.brand, claim.creator_id).await?;
    let Some((to, brand)) = found else { return Ok(None) };
    let granted = claim.state == ClaimState::Granted;
    let letter = Letter::ClaimDecided { brand: &brand, order: &claim.order_name, granted };
    let cause = format!("claim/{}", claim.id);
    mail::compose(app, Some(caller.brand), &cause, &to, &letter).map(Some)
}
