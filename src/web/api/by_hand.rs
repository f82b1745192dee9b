//! What people of the brand decide about an order by hand: whose it is, and where a dispute stands.
//!
//! Each is decided from what is loaded and committed under the order's revision, like a delivery, and
//! again from the beginning if something came between.

use http::StatusCode;

use crate::app::App;
use crate::domain::attribution::DealFacts;
use crate::domain::dispute::{self, Dispute, DisputeState};
use crate::domain::ids::{BrandId, ClaimId, CreatorId, DealId, Order, OrderId};
use crate::domain::ingest::{self, Change, Loaded, Outcome};
use crate::domain::json::json;
use crate::domain::money::Currency;
use crate::domain::moved::{self, Hand, NotMoved};
use crate::domain::order::{Delivery, Facts, Report};
use crate::domain::time::Zone;
use crate::error::{Error, Result};
use crate::jobs::tiers;
use crate::storage::order_facts::{self, Named};
use crate::storage::orders::{self as rows, OrderRow};
use crate::storage::{Statement, personal};
use crate::web::body::{body, words};
use crate::web::extract::{Caller, Checks, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{by_serde, text, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, Paying, contended};

use super::fees::fault;
use super::orders::OrderView;
use super::view::{List, Time};

/// A creator, and the brand's calendar.
pub type Climber = (CreatorId, Zone);

/// Looks at the levels of who got an order, as is done after every delivery. What fails here is made up
/// for with her next order.
pub async fn climb(app: &App, brand: BrandId, climber: Option<Climber>) {
    let Some((creator, zone)) = climber else { return };
    if let Err(error) = tiers::climb(app, brand, creator, &zone).await {
        let why = error.to_string();
        app.log.write(&json!({ "event": "tiers_missed", "brand": brand, "detail": why }));
    }
}

/// An order with all that a decision about it is made from.
pub struct Held {
    row: OrderRow,
    loaded: Loaded,
    to: Option<DealFacts>,
    /// The order's, or the brand's while that isn't known.
    currency: Currency,
}

impl Held {
    /// What aborts a batch if the order changes meanwhile.
    pub fn unchanged(&self, brand: BrandId) -> Option<Statement> {
        let order = self.loaded.order.as_ref()?;
        Some(rows::require(brand, self.row.id, order.revision))
    }

    /// Who may reach a level of the brand's tiers by getting the order.
    pub fn climber(&self) -> Option<Climber> {
        let creator = self.to.as_ref()?.creator;
        self.loaded.tiers.then(|| (creator, self.loaded.zone.clone()))
    }

    /// Whose word about the order it is: of who gets it, or who has it.
    fn creator(&self) -> Option<CreatorId> {
        let has = self.loaded.order.as_ref().and_then(|order| order.standing);
        self.to.as_ref().map(|deal| deal.creator).or(has.map(|standing| standing.creator))
    }

    /// Notes what is done; the words that people choose go with the creator whom they are about.
    fn note<S>(
        &self,
        app: &App,
        caller: &Caller<S>,
        action: &'static str,
        before: Option<String>,
        after: String,
    ) -> Vec<Statement> {
        let (subject, after) = (self.row.id.to_string(), Some(after));
        match self.creator() {
            Some(creator) => {
                caller.note_of_creator(app, creator, (action, &subject), before, after).into()
            }
            None => vec![caller.note(app, action, subject, before, after)],
        }
    }

    /// Everything known of the order.
    fn facts(&self) -> Facts {
        self.loaded.order.as_ref().map(|order| order.facts.clone()).unwrap_or_default()
    }
}

/// Loads an order, and the deal that it may be moved to, all at one moment.
///
/// # Errors
/// 404 without the order, 422 without the deal.
pub async fn hold(app: &App, brand: BrandId, id: OrderId, to: Option<DealId>) -> Result<Held> {
    let named = Named::default();
    let mut batch = vec![rows::finding(brand, id), order_facts::load(brand, id, &named)];
    batch.extend(to.map(|to| order_facts::load_deal(brand, to)));
    let results = app.db().run(batch).await?;
    let [found, facts, deal @ ..] = results.as_slice() else { return Err(Error::NotFound.into()) };
    let row: OrderRow = found.first()?.ok_or(Error::NotFound)?;
    let (loaded, _) = order_facts::loaded(facts, &named)?.ok_or(Error::NotFound)?;
    let to = match deal.first() {
        None => None,
        Some(rows) => {
            let deal = order_facts::deal_of(rows, row.placed_at_ms.unwrap_or(0))?;
            Some(deal.ok_or_else(|| Error::invalid("deal_id", "is no deal of the brand"))?)
        }
    };
    if let Some(deal) = &to {
        let creator = personal::erased(app.db(), brand, deal.creator).await?;
        if creator.is_none_or(|creator| creator.erased_at_ms.is_some()) {
            return Err(Error::refused("creator-erased", "that deal's creator was erased"));
        }
    }
    let currency = match row.currency {
        Some(currency) => currency,
        None => super::brand::find(app, brand).await?.brand.currency,
    };
    Ok(Held { row, loaded, to, currency })
}

/// What is decided about an order, once what the decision asks of other orders is answered; `None` if it
/// changes nothing.
async fn decided<E>(
    app: &App,
    brand: BrandId,
    loaded: &mut Loaded,
    decide: impl Fn(&Loaded) -> std::result::Result<Outcome, E>,
) -> Result<std::result::Result<Option<Box<Change>>, E>> {
    let mut outcome = decide(loaded);
    if let Ok(Outcome::Asks(question)) = &outcome {
        loaded.others = order_facts::others(app.db(), brand, question).await?;
        outcome = decide(loaded);
    }
    Ok(match outcome {
        Ok(Outcome::Asks(_)) => return Err(contended()),
        Ok(Outcome::Unchanged) => Ok(None),
        Ok(Outcome::Changed(change)) => Ok(Some(change)),
        Err(error) => Err(error),
    })
}

/// The statements that move an order to the deal it was held for, and the order as it is then.
/// `None` if it is there already.
///
/// # Errors
/// 409, and which rule says no.
pub async fn moving<S>(
    app: &App,
    caller: &Caller<S>,
    mut held: Held,
    hand: Hand,
) -> Result<Option<(Vec<Statement>, OrderView)>> {
    let reason = hand.reason.clone();
    let claim = hand.claim;
    let order = (held.row.store_id, held.row.external_id.as_str());
    let to = held.to.as_ref();
    let decide = |loaded: &Loaded| moved::decide(order, loaded, to, hand.clone());
    let change = match decided(app, caller.brand, &mut held.loaded, decide).await? {
        Ok(Some(change)) => change,
        Ok(None) | Err(NotMoved::There) => return Ok(None),
        Err(error) => return Err(refusal(error)),
    };
    let now_ms = app.now_ms();
    let commit = rows::commit(caller.brand, &change, held.loaded.order.as_ref(), now_ms)?;
    let shown = changed(&held, &change);
    let before = json!({ "deal_id": held.row.deal_id });
    let after = json!({ "deal_id": shown.deal_id, "reason": reason, "claim_id": claim });
    let mut batch = vec![commit];
    batch.extend(held.note(app, caller, "order.move", Some(before), after));
    Ok(Some((batch, shown)))
}

fn refusal(error: NotMoved) -> Box<Error> {
    let rule = match error {
        NotMoved::Undecided => "order-incomplete",
        NotMoved::There => "order-there",
        NotMoved::BeforeTerms => "before-terms",
        NotMoved::SelfPurchase => "self-purchase",
        NotMoved::Unbalanced(_) => return fault(error).into(),
    };
    Error::refused(rule, error.to_string())
}

/// An order as a change leaves it.
fn changed(held: &Held, change: &Change) -> OrderView {
    let standing = change.standing;
    let row = OrderRow {
        name: change.name.clone(),
        state: change.state.as_str().to_owned(),
        currency: change.currency,
        base_minor: change.base_minor,
        commission_minor: standing.map_or(0, |s| s.commission_minor),
        deal_id: standing.map(|s| s.deal),
        ..held.row.clone()
    };
    super::orders::view(row, held.currency)
}

body! {
    /// Where an order goes.
    pub struct Move {
        /// Null: to nobody.
        deal_id: Option<Option<DealId>>,
        reason: String,
    }
}

/// Moves an order to another deal, or to none: the differences are posted on both sides, with the terms
/// that the new deal had when the order was placed, and nothing that is delivered later moves it again.
/// A closed deal may get an order so; nobody gets one that she bought herself.
#[utoipa::path(post, path = "/v1/orders/{id}/move", tag = "orders", request_body = Move,
    security(("api_key" = ["money"])), params(("id" = OrderId, Path),
    ("Idempotency-Key" = String, Header)), responses((status = 200, body = OrderView),
    (status = 409, description = "It is there, isn't complete, was placed before the deal's terms, \
        or the creator bought it herself")))]
pub async fn move_order(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Order>,
    Paying { once, body }: Paying<Move>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let mut checks = Checks::default();
    let reason = checks.text("reason", &body.reason, 500);
    if body.deal_id.is_none() {
        checks.refuse("deal_id", "is missing: null for none");
    }
    checks.done()?;
    let reason = checked(reason)?;
    for _ in 0..ATTEMPTS {
        let held = hold(&app, caller.brand, id.0, body.deal_id.flatten()).await?;
        let hand = by(&app, &caller, reason.clone(), None);
        let climber = held.climber();
        let moving = moving(&app, &caller, held, hand).await?;
        let (batch, shown) = moving.ok_or_else(|| refusal(NotMoved::There))?;
        let answer = (StatusCode::OK, text(&shown));
        if let Some(response) = once.commit(&app, caller.brand, batch, answer).await? {
            climb(&app, caller.brand, climber).await;
            return Ok(response);
        }
    }
    Err(contended())
}

/// The caller as who moves an order.
pub fn by<S>(app: &App, caller: &Caller<S>, reason: String, claim: Option<ClaimId>) -> Hand {
    Hand { reason, at_ms: app.now_ms(), by: caller.actor.id(), claim }
}

body! {
    /// Where a dispute stands.
    pub struct NewDispute {
        /// `open`, `won` or `lost`.
        state: DisputeState,
        reason: Option<Option<String>>,
        /// A dispute that the shop reported and that this ends; otherwise it is one kept by hand.
        external_id: Option<Option<String>>,
    }
}
words!(DisputeState { "open" => Open, "won" => Won, "lost" => Lost });
by_serde!(DisputeState);

/// Tells where a payment dispute of an order stands, for shops that don't report it. While one is open
/// the order earns nothing; won, it earns as before; lost, what it earned is gone.
#[utoipa::path(post, path = "/v1/orders/{id}/disputes", tag = "orders", request_body = NewDispute,
    security(("api_key" = ["money"])), params(("id" = OrderId, Path),
    ("Idempotency-Key" = String, Header)), responses((status = 200, body = OrderView)))]
pub async fn dispute(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Order>,
    Paying { once, body }: Paying<NewDispute>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let mut checks = Checks::default();
    let reason = body.reason.flatten().and_then(|reason| checks.text("reason", &reason, 500));
    let named = body.external_id.flatten();
    checks.done()?;
    let now_ms = app.now_ms();
    let reported = Dispute { state: body.state, at_ms: now_ms };
    for _ in 0..ATTEMPTS {
        let mut held = hold(&app, caller.brand, id.0, None).await?;
        let disputes = held.facts().disputes;
        let which = match &named {
            None => dispute::by_hand(&disputes, body.state),
            Some(id) if body.state != DisputeState::Open && disputes.get(id).is_some() => {
                id.clone()
            }
            Some(_) => {
                let why = "must be a dispute of this order, and be won or lost by this";
                return Err(Error::invalid("external_id", why));
            }
        };
        // The same word again isn't news.
        let known = disputes.get(&which).filter(|known| known.state == body.state).copied();
        let after = json!({ "dispute": which, "state": body.state, "reason": reason });
        let report = Report::Dispute(which, known.unwrap_or(reported));
        let delivery = Delivery { external_id: held.row.external_id.clone(), report };
        let (store, keys) = (held.row.store_id, &app.config.click_keys);
        let decide = |loaded: &Loaded| ingest::decide(store, &delivery, loaded, keys, now_ms);
        let change = decided(&app, caller.brand, &mut held.loaded, decide).await?;
        let Held { row, loaded, .. } = &held;
        let (batch, shown) = match change.map_err(fault)? {
            None => (Vec::new(), super::orders::view(row.clone(), held.currency)),
            Some(change) => {
                let commit = rows::commit(caller.brand, &change, loaded.order.as_ref(), now_ms)?;
                let mut batch = vec![commit];
                batch.extend(held.note(&app, &caller, "order.dispute", None, after));
                (batch, changed(&held, &change))
            }
        };
        let answer = (StatusCode::OK, text(&shown));
        if let Some(response) = once.commit(&app, caller.brand, batch, answer).await? {
            return Ok(response);
        }
    }
    Err(contended())
}

view! {
    /// A payment dispute of an order.
    #[schema(as = Dispute)]
    pub struct DisputeView {
        /// The platform's id, or `by_hand/1` and so on.
        external_id: String,
        state: DisputeState,
        /// When it was opened, or decided.
        at: Time,
    }
}

/// An order's disputes.
#[utoipa::path(get, path = "/v1/orders/{id}/disputes", tag = "orders",
    security(("api_key" = ["read"])), params(("id" = OrderId, Path)),
    responses((status = 200, body = List<DisputeView>)))]
pub async fn disputes(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Order>,
) -> Result<Json<List<DisputeView>>> {
    let held = hold(&app, caller.brand, id.0, None).await?;
    let view = |(external_id, d): (String, Dispute)| DisputeView {
        external_id,
        state: d.state,
        at: Time(d.at_ms),
    };
    let data = held.facts().disputes.into_iter().map(view).collect();
    Ok(Json(List { data, next_cursor: None }))
}
