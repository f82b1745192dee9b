//! What past orders would have earned by other rules.

use crate::app::App;
use crate::domain::brand::AttributionChange;
use crate::domain::ids::{CampaignId, CreatorId, DealId, TermsId};
use crate::domain::ingest::{FoundGenuine, evidence_of};
use crate::domain::money::{Currency, Money};
use crate::domain::order::Facts;
use crate::domain::simulation::{Changes, Filter, Simulation, Totals};
use crate::domain::sorted::Sorted;
use crate::error::{Error, Result};
use crate::storage::order_facts::Named;
use crate::storage::{collections as known_collections, simulations as rows};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Checks, period};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::limits;

use super::brand::AttributionChanges;
use super::collections;
use super::terms::NewTerms;
use super::tiers::NewTiers;

/// So many orders are simulated in one request: its time is limited.
const MOST: i64 = 100_000;
/// So many simulations are made for a brand in an hour.
const PER_HOUR: u32 = 60;
const HOUR_MS: i64 = 3_600_000;

body! {
    /// What if? Past orders by other rules. Nothing is changed.
    pub struct NewSimulation {
        changes: SimulatedChanges,
        filter: Option<SimulatedFilter>,
        /// A day of the brand's calendar, or a time. Absent: from the beginning.
        from: Option<String>,
        /// A day (included), or a time (excluded). Absent: to the end.
        to: Option<String>,
    }
}

body! {
    /// The other rules.
    pub struct SimulatedChanges {
        /// Terms that the deals of the filter would have had, without start and end.
        terms: Option<NewTerms>,
        /// Attribution rules that would have held for every order.
        attribution: Option<AttributionChanges>,
        /// Tiers that the creators of the filter's deals would have climbed, from nothing on at the
        /// beginning of the period, on top of the rates that they had.
        tiers: Option<NewTiers>,
    }
}

body! {
    /// Which deals it is about: those that fulfil all of it. Absent: all.
    pub struct SimulatedFilter {
        deal_ids: Option<Vec<DealId>>,
        creator_ids: Option<Vec<CreatorId>>,
        campaign_id: Option<CampaignId>,
    }
}

view! {
    /// What would have been earned by whom, and the difference in cost.
    #[schema(as = Simulation)]
    pub struct SimulationView {
        /// How many orders were looked at.
        orders: i64,
        /// All of it, per currency.
        cost: Vec<CostView>,
        /// By creator; only those for whom something was or would have been earned.
        creators: Vec<CreatorCostView>,
        /// By deal.
        deals: Vec<DealCostView>,
    }
}

view! {
    /// What was earned and would have been, in one currency; decimal texts.
    #[schema(as = SimulatedCost)]
    struct CostView {
        currency: Currency,
        before: String,
        after: String,
        /// `after` less `before`.
        difference: String,
        /// How many orders earn otherwise, or for somebody else.
        orders_changed: i64,
    }
}

view! {
    /// What a creator earned and would have.
    #[schema(as = SimulatedCreator)]
    struct CreatorCostView {
        creator_id: CreatorId,
        currency: Currency,
        before: String,
        after: String,
        difference: String,
    }
}

view! {
    /// What a deal brought and would have.
    #[schema(as = SimulatedDeal)]
    struct DealCostView {
        deal_id: DealId,
        creator_id: CreatorId,
        currency: Currency,
        before: String,
        after: String,
        difference: String,
        orders_changed: i64,
    }
}

/// Recomputes past orders under other terms, tiers or attribution rules, with the code that decides real
/// ones. Rules that look at other orders (first orders, caps of a month) see those of the period, in the
/// order in which they were placed.
#[utoipa::path(post, path = "/v1/simulations", tag = "money", request_body = NewSimulation,
    security(("api_key" = ["read"])), responses((status = 200, body = SimulationView),
    (status = 409, description = "Too many orders: narrow the period")))]
pub async fn simulate(
    State(app): State<App>,
    caller: Caller,
    Body(asked): Body<NewSimulation>,
) -> Result<Json<SimulationView>> {
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    let NewSimulation { mut changes, filter, from, to } = asked;
    if let Some(terms) = &mut changes.terms {
        collections::resolve_known(&app, brand.id, (terms, "changes.terms.rates")).await?;
    }
    let changes = checked(&app, changes, brand.currency)?;
    let range = period(&brand.timezone, from.as_deref(), to.as_deref())?;
    limits::take(&app, &format!("simulation/{}", brand.id), PER_HOUR, HOUR_MS).await?;
    let attributes = changes.attribution.is_some();
    let filter = filter_of(&app, &caller, filter).await?;
    let mut simulation = Simulation::new(changes, filter, brand.timezone.clone());
    let (mut after, mut read) = (None, 0);
    loop {
        let page = rows::page(app.db(), brand.id, range, after).await?;
        read += i64::try_from(page.read).unwrap_or(i64::MAX);
        if read > MOST {
            let why = "there are more than 100,000 orders in this period: narrow it";
            return Err(Error::refused("simulation-too-large", why));
        }
        let named = |past: &crate::domain::simulation::Past| {
            let placed = placed_at_ms(&past.facts);
            let evidence = evidence_of(&past.facts, &past.decision);
            Named::in_evidence(&evidence, placed, &FoundGenuine(&past.decision))
        };
        let named: Vec<Named> =
            if attributes { page.orders.iter().map(named).collect() } else { Vec::new() };
        let known = match attributes {
            true => rows::known(app.db(), brand.id, &named).await?,
            false => None,
        };
        let products = products_of(&page);
        simulation.know(known_collections::spans(app.db(), brand.id, &products).await?);
        for (place, past) in page.orders.iter().enumerate() {
            let loaded = known.as_ref().zip(named.get(place)).and_then(|(k, n)| k.loaded(n));
            simulation.take(past, loaded);
        }
        if page.last.is_none() {
            break;
        }
        after = page.last;
    }
    Ok(Json(view(simulation)))
}

fn products_of(page: &rows::Page) -> Vec<u64> {
    let lines = page.orders.iter().filter_map(|past| past.facts.snapshot.as_ref());
    let products = lines.flat_map(|snapshot| &snapshot.lines).filter_map(|l| l.product_id);
    let mut products: Vec<u64> = products.collect();
    products.sort_unstable();
    products.dedup();
    products
}

fn placed_at_ms(facts: &Facts) -> i64 {
    facts.snapshot.as_ref().map_or(0, |snapshot| snapshot.placed_at_ms)
}

fn checked(app: &App, asked: SimulatedChanges, currency: Currency) -> Result<Changes> {
    let mut checks = Checks::default();
    if asked.terms.is_none() && asked.attribution.is_none() && asked.tiers.is_none() {
        checks.refuse("changes", "must name other terms, tiers or attribution rules");
    }
    let mut changes = Changes::default();
    if let Some(terms) = asked.terms {
        if terms.starts_at.is_some() || terms.ends_at.is_some() {
            checks.refuse("changes.terms", "hold for the whole period: no start, no end");
        }
        let id: TermsId = app.new_id();
        changes.terms = Some(terms.terms(&mut checks, app.new_id(), id, 0).cited);
    }
    if let Some(rules) = asked.attribution {
        if rules.window_days.is_some_and(|days| !(1..=365).contains(&days)) {
            checks.refuse("changes.attribution.window_days", "must be 1 to 365");
        }
        changes.attribution = Some(AttributionChange {
            window_days: rules.window_days,
            precedence: rules.precedence,
            clicks: rules.clicks,
        });
    }
    if let Some(tiers) = asked.tiers {
        if tiers.campaign_id.is_some() {
            checks.refuse("changes.tiers.campaign_id", "is what the filter says");
        }
        changes.tiers = Some(tiers.tiers(&mut checks, app.new_id(), currency));
    }
    checks.done()?;
    Ok(changes)
}

/// The deals that fulfil all of a filter.
async fn filter_of(app: &App, caller: &Caller, asked: Option<SimulatedFilter>) -> Result<Filter> {
    let Some(asked) = asked else { return Ok(Filter::default()) };
    let mut deals = asked.deal_ids;
    if asked.creator_ids.is_some() || asked.campaign_id.is_some() {
        let creators = asked.creator_ids.as_deref();
        let found = rows::deals(app.db(), caller.brand, asked.campaign_id, creators).await?;
        deals = Some(match deals {
            None => found,
            Some(named) => named.into_iter().filter(|deal| found.contains(deal)).collect(),
        });
    }
    Ok(Filter { deals })
}

fn view(simulation: Simulation) -> SimulationView {
    let add = |sum: &mut Totals, other: &Totals| {
        sum.before_minor += other.before_minor;
        sum.after_minor += other.after_minor;
        sum.changed += other.changed;
    };
    let mut cost: Sorted<Currency, Totals> = Sorted::new();
    let mut creators: Sorted<(CreatorId, Currency), Totals> = Sorted::new();
    let mut deals = Vec::new();
    for ((creator_id, deal_id, currency), totals) in simulation.totals {
        cost.change(currency, |sum| add(sum, &totals));
        creators.change((creator_id, currency), |sum| add(sum, &totals));
        let [before, after, difference] = texts(totals, currency);
        let orders_changed = totals.changed;
        deals.push(DealCostView {
            deal_id,
            creator_id,
            currency,
            before,
            after,
            difference,
            orders_changed,
        });
    }
    let cost = cost.into_iter().map(|(currency, totals)| {
        let [before, after, difference] = texts(totals, currency);
        CostView { currency, before, after, difference, orders_changed: totals.changed }
    });
    let creators = creators.into_iter().map(|((creator_id, currency), totals)| {
        let [before, after, difference] = texts(totals, currency);
        CreatorCostView { creator_id, currency, before, after, difference }
    });
    let orders = simulation.orders;
    SimulationView { orders, cost: cost.collect(), creators: creators.collect(), deals }
}

fn texts(totals: Totals, currency: Currency) -> [String; 3] {
    let difference = totals.after_minor - totals.before_minor;
    [totals.before_minor, totals.after_minor, difference]
        .map(|minor| Money::new(minor, currency).to_decimal())
}
