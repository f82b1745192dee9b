//! Orders and why they belong to whom.

use crate::app::App;
use crate::domain::attribution::{Candidate, Decision, Method, Outcome, Reason};
use crate::domain::brand::{ClickOrder, EarnOn, Precedence};
use crate::domain::commission::OrderState;
use crate::domain::ids::{BrandId, ClaimId, Creator, Deal, DealId, Order, OrderId, Store, StoreId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::order_id;
use crate::error::{Error, Result};
use crate::storage::orders::{self as rows, Filter, OrderRow};
use crate::storage::{Page, deals, stores};
use crate::web::extract::{Caller, Params, PathId, encode_cursor};
use crate::web::handler::{Json, State};
use crate::web::json::{by_serde, view};

use super::view::{List, Time};

view! {
    /// An order of a store.
    #[schema(as = Order)]
    pub struct OrderView {
        pub(crate) id: OrderId,
        pub(crate) store_id: StoreId,
        /// The platform's id.
        pub(crate) external_id: String,
        pub(crate) name: String,
        /// Null while only a refund or cancellation of it is known.
        #[schema(required)]
        pub(crate) placed_at: Option<Time>,
        /// unpaid, paid, partially_refunded, refunded, cancelled or disputed.
        pub(crate) state: String,
        #[schema(required)]
        /// Whose it is.
        pub deal_id: Option<DealId>,
        /// What commission is computed from, after refunds.
        pub(crate) base: Money,
        /// What is posted for it.
        pub(crate) commission: Money,
    }
}

/// An order as it is shown; `currency` stands in while the order's own isn't known.
#[must_use]
pub fn view(row: OrderRow, currency: Currency) -> OrderView {
    let currency = row.currency.unwrap_or(currency);
    OrderView {
        id: row.id,
        store_id: row.store_id,
        external_id: row.external_id,
        name: row.name,
        placed_at: row.placed_at_ms.map(Time),
        state: row.state,
        deal_id: row.deal_id,
        base: Money::new(row.base_minor, currency),
        commission: Money::new(row.commission_minor, currency),
    }
}

/// The key of an order in a page.
#[must_use]
pub fn page_key(row: &OrderRow) -> String {
    format!("{}/{}", row.placed_at_ms.unwrap_or(0), row.id)
}

/// The brand's orders, latest first. With `state` (one of those of an order, or several with commas) or `attributed`
/// (`yes`: to a deal; `no`: to none) a page holds what fits of the next 1,000, so it may be shorter and still not be
/// the last.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", security(("api_key" = ["read"])),
    params(("deal_id" = Option<DealId>, Query), ("creator_id" = Option<String>, Query),
    ("store_id" = Option<StoreId>, Query), ("external_id" = Option<String>, Query),
    ("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("state" = Option<String>, Query), ("attributed" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<OrderView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<OrderView>>> {
    let params = params.only(&[
        "deal_id",
        "creator_id",
        "store_id",
        "external_id",
        "from",
        "to",
        "state",
        "attributed",
        "limit",
        "cursor",
    ])?;
    let narrowing = Narrowing::of(&params)?;
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    let page = order_page(&params)?;
    let (from_ms, to_ms) = params.period(&brand.timezone)?;
    let filter = Filter {
        deals: deals_of(&app, caller.brand, &params).await?,
        store: params.id::<Store>("store_id")?,
        from_ms,
        to_ms,
    };
    if let Some(external_id) = params.get("external_id") {
        let mut found = by_external_id(&app, caller.brand, external_id, &filter).await?;
        found.retain(|row| narrowing.fits(row));
        let data = found.into_iter().map(|row| view(row, brand.currency)).collect();
        return Ok(Json(List { data, next_cursor: None }));
    }
    if !narrowing.is_any() {
        let found = rows::list(app.db(), caller.brand, &filter, &page).await?;
        return Ok(Json(List::page(found, &page, page_key, |row| view(row, brand.currency))));
    }
    let (found, next) = narrowing.page(&app, caller.brand, &filter, &page).await?;
    let data = found.into_iter().map(|row| view(row, brand.currency)).collect();
    Ok(Json(List { data, next_cursor: next.map(|key| encode_cursor(&key)) }))
}

/// So many orders are looked at for a page of those that fit.
const LOOKED_AT: i64 = 1_000;

/// What no index leads to: how an order stands, and whether it is anybody's.
#[derive(Default)]
struct Narrowing {
    states: Vec<String>,
    attributed: Option<bool>,
}

impl Narrowing {
    fn of(params: &Params) -> Result<Self> {
        let states: Vec<String> = params
            .get("state")
            .iter()
            .flat_map(|text| text.split(','))
            .map(str::to_owned)
            .collect();
        let is_one = |state: &String| OrderState::ALL.iter().any(|one| one.as_str() == state);
        if !states.iter().all(is_one) {
            return Err(Error::invalid("state", "is no state of an order"));
        }
        let attributed = match params.get("attributed") {
            None => None,
            Some("yes") => Some(true),
            Some("no") => Some(false),
            Some(_) => return Err(Error::invalid("attributed", "must be yes or no")),
        };
        Ok(Self { states, attributed })
    }

    fn is_any(&self) -> bool {
        !self.states.is_empty() || self.attributed.is_some()
    }

    fn fits(&self, row: &OrderRow) -> bool {
        (self.states.is_empty() || self.states.contains(&row.state))
            && self.attributed.is_none_or(|attributed| attributed == row.deal_id.is_some())
    }

    /// A page of those that fit, and the key where the next one begins, if there may be more.
    async fn page(
        &self,
        app: &App,
        brand: BrandId,
        filter: &Filter,
        page: &Page,
    ) -> Result<(Vec<OrderRow>, Option<String>)> {
        let wide = Page { limit: LOOKED_AT, after: page.after.clone() };
        let mut found = rows::list(app.db(), brand, filter, &wide).await?;
        let is_end = i64::try_from(found.len()).is_ok_and(|n| n < LOOKED_AT);
        let mut next = found.last().filter(|_| !is_end).map(page_key);
        found.retain(|row| self.fits(row));
        let most = usize::try_from(page.limit).unwrap_or(usize::MAX);
        if found.len() > most {
            found.truncate(most);
            next = found.last().map(page_key);
        }
        Ok((found, next))
    }
}

/// `limit` and `cursor` of a list of orders: the cursor holds a time and an id.
///
/// # Errors
/// 422.
pub fn order_page(params: &Params) -> Result<Page> {
    let page = params.page()?;
    let ours = |key: &str| key.split_once('/').is_some_and(|(ms, _)| ms.parse::<i64>().is_ok());
    if !page.after.is_empty() && !ours(&page.after) {
        return Err(Error::invalid("cursor", "is none that this list gave"));
    }
    Ok(page)
}

/// The deals that `deal_id` and `creator_id` narrow a list to.
async fn deals_of(app: &App, brand: BrandId, params: &Params) -> Result<Option<Vec<DealId>>> {
    let deal = params.id::<Deal>("deal_id")?;
    let Some(creator) = params.id::<Creator>("creator_id")? else {
        return Ok(deal.map(|deal| vec![deal]));
    };
    let mut ids = deals::ids_of_creator(app.db(), brand, creator).await?;
    if let Some(deal) = deal {
        ids.retain(|id| *id == deal);
    }
    Ok(Some(ids))
}

/// Ids are derived from store and platform id, so that an order is found by its key in each store.
async fn by_external_id(
    app: &App,
    brand: BrandId,
    external_id: &str,
    filter: &Filter,
) -> Result<Vec<OrderRow>> {
    let all = Page { limit: 200, after: String::new() };
    let stores = stores::list(app.db(), brand, &all).await?;
    let ids: Vec<OrderId> = stores
        .iter()
        .filter(|store| filter.store.is_none_or(|wanted| wanted == store.id))
        .map(|store| order_id(store.id, external_id))
        .collect();
    let mut found = rows::list_by_ids(app.db(), brand, &ids).await?;
    found.retain(|row| {
        let of_deal = filter
            .deals
            .as_ref()
            .is_none_or(|deals| row.deal_id.is_some_and(|deal| deals.contains(&deal)));
        let in_period =
            row.placed_at_ms.is_none_or(|at| (filter.from_ms..filter.to_ms).contains(&at));
        of_deal && in_period
    });
    Ok(found)
}

/// One order.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders", security(("api_key" = ["read"])),
    params(("id" = OrderId, Path)), responses((status = 200, body = OrderView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Order>,
) -> Result<Json<OrderView>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    Ok(Json(view(row, brand.currency)))
}

view! {
    /// Why an order belongs to its deal, or to none.
    #[schema(as = AttributionOfOrder)]
    pub struct AttributionView {
        #[schema(required)]
        deal_id: Option<DealId>,
        #[schema(required)]
        method: Option<Method>,
        reason: Reason,
        candidates: Vec<CandidateView>,
        #[schema(required)]
        rules: Option<RulesView>,
        #[schema(required)]
        decided_at: Option<Time>,
        /// Who moved it by hand since, if somebody did; then `candidates` are what the rules said before.
        #[schema(required)]
        moved: Option<MovedView>,
    }
}

view! {
    /// A move of an order by hand.
    #[schema(as = MovedOrder)]
    struct MovedView {
        #[schema(required)]
        deal_id: Option<DealId>,
        #[schema(required)]
        from_deal_id: Option<DealId>,
        reason: String,
        at: Time,
        /// The member or key.
        by: String,
        /// The claim that was granted by it.
        #[schema(required)]
        claim_id: Option<ClaimId>,
        automatic: AutomaticView,
    }
}

view! {
    /// What the rules decided, before anybody moved the order.
    #[schema(as = AutomaticDecision)]
    struct AutomaticView {
        #[schema(required)]
        deal_id: Option<DealId>,
        reason: Reason,
    }
}

view! {
    /// One thing in an order that may say whose it is, and what became of it.
    #[schema(as = Candidate)]
    struct CandidateView {
        #[schema(required)]
        deal_id: Option<DealId>,
        method: Method,
        /// The code, click id or slug.
        evidence: String,
        /// When the click was.
        #[schema(required)]
        at: Option<Time>,
        outcome: Outcome,
        reason: Reason,
    }
}

by_serde!(Method, Reason, Outcome);

impl From<Candidate> for CandidateView {
    fn from(candidate: Candidate) -> Self {
        Self {
            deal_id: candidate.deal_id,
            method: candidate.method,
            evidence: candidate.evidence,
            at: candidate.at_ms.map(Time),
            outcome: candidate.outcome,
            reason: candidate.reason,
        }
    }
}

view! {
    /// The rules an order was decided by: those in force when it was placed.
    #[schema(as = Rules)]
    struct RulesView {
        window_days: u16,
        precedence: Precedence,
        clicks: ClickOrder,
        earn_on: EarnOn,
        count_test_orders: bool,
        hold_days: u16,
    }
}

/// Why this order.
#[utoipa::path(get, path = "/v1/orders/{id}/attribution", tag = "orders",
    security(("api_key" = ["read"])), params(("id" = OrderId, Path)),
    responses((status = 200, body = AttributionView)))]
pub async fn attribution(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Order>,
) -> Result<Json<AttributionView>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(match row.decision()? {
        Some(decision) => explain(decision),
        // A refund or cancellation came first; the order itself decides.
        None => AttributionView {
            deal_id: None,
            method: None,
            reason: Reason::NoCandidate,
            candidates: Vec::new(),
            rules: None,
            decided_at: None,
            moved: None,
        },
    }))
}

fn explain(decision: Decision) -> AttributionView {
    let deal_id = decision.winner.as_ref().map(|w| w.deal);
    AttributionView {
        deal_id,
        method: decision.winner.as_ref().map(|w| w.method),
        reason: decision.reason,
        candidates: decision.candidates.into_iter().map(CandidateView::from).collect(),
        rules: Some(RulesView {
            window_days: decision.rules.window_days,
            precedence: decision.rules.precedence,
            clicks: decision.rules.clicks,
            earn_on: decision.earning.earn_on,
            count_test_orders: decision.earning.count_test_orders,
            hold_days: decision.earning.hold_days,
        }),
        decided_at: Some(Time(decision.decided_at_ms)),
        moved: decision.moved.map(|moved| MovedView {
            deal_id,
            from_deal_id: moved.from_deal,
            reason: moved.reason,
            at: Time(moved.at_ms),
            by: moved.by,
            claim_id: moved.claim,
            automatic: AutomaticView {
                deal_id: moved.automatic.winner.map(|w| w.deal),
                reason: moved.automatic.reason,
            },
        }),
    }
}
