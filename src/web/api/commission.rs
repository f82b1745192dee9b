//! What an order earns and why, line by line.

use crate::app::App;
use crate::domain::attribution::Decision;
use crate::domain::commission::{self, LineShare};
use crate::domain::ids::{BrandId, CollectionId, Order, OrderId, TermsId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::Facts;
use crate::domain::terms::CitedTerms;
use crate::error::{Error, Result};
use crate::storage::{collections, deals, orders};
use crate::web::extract::{Caller, Me, PathId};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::goaffpro::{FigureView, figure_of};
use super::view::Percent;

view! {
    /// What an order earns and why.
    #[schema(as = CommissionOfOrder)]
    pub struct CommissionView {
        order_id: OrderId,
        /// What commission is computed from, after refunds.
        base: Money,
        commission: Money,
        /// The version of terms that the order uses; null where it has no deal.
        #[schema(required)]
        terms_id: Option<TermsId>,
        #[schema(required)]
        commission_percent: Option<Percent>,
        #[schema(required)]
        flat_per_order: Option<Money>,
        first_order_only: bool,
        #[schema(required)]
        cap_per_order: Option<Money>,
        #[schema(required)]
        cap_per_month: Option<Money>,
        /// Which of its customer's orders it was, where the terms look at that.
        #[schema(required)]
        customer_order: Option<i64>,
        /// Which of its customer's orders it is as the shop counts, once it told.
        #[schema(required)]
        customer_order_index: Option<i64>,
        /// Where that differs from what was counted here when the order was decided, in words.
        #[schema(required)]
        customer_order_note: Option<String>,
        /// What was left of the month's cap when it first earned.
        #[schema(required)]
        left_of_month: Option<Money>,
        /// The lines that earn, with the rate that holds for each.
        lines: Vec<LineView>,
        /// What GoAffPro says that it earns, where it tells the order; null for creators.
        #[schema(required)]
        goaffpro: Option<FigureView>,
    }
}

view! {
    /// A line of an order and its rate.
    #[schema(as = CommissionOfLine)]
    struct LineView {
        line_id: String,
        #[schema(required)]
        product_id: Option<String>,
        /// Its base after refunds that name it.
        base: Money,
        commission_percent: Percent,
        /// The rate that won, from 1 on by its place in the terms; null for the terms' own.
        #[schema(required)]
        rate: Option<i64>,
        /// What that rate is called.
        #[schema(required)]
        label: Option<String>,
        /// The collection that it is for, in which the product was when the order was placed.
        #[schema(required)]
        collection: Option<CollectionOfLine>,
    }
}

view! {
    /// The collection that a line earned by.
    struct CollectionOfLine {
        id: CollectionId,
        /// As it is called now.
        title: String,
    }
}

/// What the collections that these lines earned by are called.
async fn with_titles(
    app: &App,
    brand: BrandId,
    mut view: CommissionView,
) -> Result<CommissionView> {
    let mut known: Vec<(CollectionId, String)> = Vec::new();
    for of in view.lines.iter_mut().filter_map(|line| line.collection.as_mut()) {
        if !known.iter().any(|(id, _)| *id == of.id) {
            let found = collections::find(app.db(), brand, of.id).await?;
            known.push((of.id, found.map_or_else(String::new, |row| row.title)));
        }
        if let Some((_, title)) = known.iter().find(|(id, _)| *id == of.id) {
            of.title.clone_from(title);
        }
    }
    Ok(view)
}

fn line(share: LineShare, terms: &CitedTerms, currency: Currency) -> LineView {
    let rule = share.rule.and_then(|place| terms.rules.rates.get(place));
    LineView {
        line_id: share.line.to_string(),
        product_id: share.product.map(|id| id.to_string()),
        base: Money::new(share.net_minor, currency),
        commission_percent: Percent(share.rate),
        rate: share.rule.and_then(|place| i64::try_from(place).ok()).map(|place| place + 1),
        label: rule.map(|rule| rule.label.clone()).filter(|label| !label.is_empty()),
        collection: rule
            .and_then(|rule| rule.collection)
            .map(|id| CollectionOfLine { id, title: String::new() }),
    }
}

/// What was counted when the order was decided stays; that the shop counts otherwise is said.
fn note(counted: Option<i64>, by_shop: Option<i64>) -> Option<String> {
    let (counted, by_shop) =
        counted.zip(by_shop).filter(|(counted, by_shop)| counted != by_shop)?;
    Some(format!(
        "the shop counts this as order number {by_shop} of the customer, here it was number {counted} when it was decided"
    ))
}

/// `currency` stands in while the order's own isn't known.
fn explain(
    order_id: OrderId,
    facts: &Facts,
    decision: Option<&Decision>,
    currency: Currency,
) -> CommissionView {
    let currency = facts.snapshot.as_ref().map_or(currency, |snapshot| snapshot.currency);
    let terms = decision.and_then(|d| d.winner.as_ref()).map(|winner| &winner.terms);
    let rules = terms.map(|terms| &terms.rules);
    let seen = decision.and_then(|decision| decision.seen).unwrap_or_default();
    let earning = decision.map(|decision| decision.earning).unwrap_or_default();
    let shares = terms.map(|terms| {
        commission::line_shares(facts, terms, seen, decision.map_or(&[][..], |d| &d.members))
    });
    let minor = decision.map_or(0, |decision| commission::commission(facts, decision));
    let by_shop = facts.journey.as_ref().and_then(|journey| journey.customer_order);
    CommissionView {
        order_id,
        base: Money::new(commission::amounts(facts, &earning).base_minor, currency),
        commission: Money::new(minor, currency),
        terms_id: terms.map(|terms| terms.id),
        commission_percent: terms.map(|terms| Percent(terms.rate)),
        flat_per_order: rules.and_then(|rules| rules.flat),
        first_order_only: rules.is_some_and(|rules| rules.first_order_only),
        cap_per_order: rules.and_then(|rules| rules.order_cap),
        cap_per_month: rules.and_then(|rules| rules.month_cap),
        customer_order: seen.customer_index,
        customer_order_index: by_shop,
        customer_order_note: note(seen.customer_index, by_shop),
        left_of_month: seen.month_left_minor.map(|minor| Money::new(minor, currency)),
        lines: terms.map_or_else(Vec::new, |terms| {
            shares.into_iter().flatten().map(|share| line(share, terms, currency)).collect()
        }),
        goaffpro: None,
    }
}

/// What an order earns and why.
#[utoipa::path(get, path = "/v1/orders/{id}/commission", tag = "orders",
    security(("api_key" = ["read"])), params(("id" = OrderId, Path)),
    responses((status = 200, body = CommissionView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Order>,
) -> Result<Json<CommissionView>> {
    let kept = orders::facts(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let currency = super::brand::find(&app, caller.brand).await?.brand.currency;
    let goaffpro = figure_of(&app, caller.brand, id.0).await?;
    let explained = explain(id.0, &kept.facts, kept.decision.as_ref(), currency);
    let explained = with_titles(&app, caller.brand, explained).await?;
    Ok(Json(CommissionView { goaffpro, ..explained }))
}

/// What one of the creator's orders earns her and why.
#[utoipa::path(get, path = "/v1/me/orders/{id}/commission", tag = "creator",
    security(("creator" = [])), params(("id" = OrderId, Path)),
    responses((status = 200, body = CommissionView)))]
pub async fn mine(
    State(app): State<App>,
    me: Me,
    id: PathId<Order>,
) -> Result<Json<CommissionView>> {
    let kept = orders::facts(app.db(), me.brand, id.0).await?.ok_or(Error::NotFound)?;
    let hers = deals::ids_of_creator(app.db(), me.brand, me.creator).await?;
    let winner = kept.decision.as_ref().and_then(|decision| decision.winner.as_ref());
    if winner.is_none_or(|winner| !hers.contains(&winner.deal)) {
        return Err(Error::NotFound.into());
    }
    let currency = super::brand::find(&app, me.brand).await?.brand.currency;
    let explained = explain(id.0, &kept.facts, kept.decision.as_ref(), currency);
    Ok(Json(with_titles(&app, me.brand, explained).await?))
}
