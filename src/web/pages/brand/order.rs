//! One order: why it is whose it is, and what people decide about it by hand.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{DealId, Order, OrderId};
use crate::error::Result;
use crate::web::api::by_hand::{self, DisputeView};
use crate::web::api::claims::{self, ClaimView};
use crate::web::api::deals;
use crate::web::api::orders::{self as api, AttributionView, OrderView};
use crate::web::extract::{ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::once::Paying;
use crate::web::pages::form;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui;

use super::deal_forms::once;
use super::orders::Names;
use super::{read, words};

#[derive(Template)]
#[template(path = "brand/order.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    order: OrderView,
    why: AttributionView,
    names: Names,
    disputes: Vec<DisputeView>,
    claims: Vec<ClaimView>,
    who: &'a str,
    found: Vec<(DealId, String)>,
    may_pay: bool,
    wrong: &'a str,
}

impl Shown<'_> {
    fn has_it(&self, deal: &DealId) -> bool {
        self.order.deal_id.as_ref() == Some(deal)
    }
}

/// Deals whose creators' names, handles or notes have these words.
async fn found(app: &App, at: &At, who: &str) -> Result<Vec<(DealId, String)>> {
    let words: String =
        who.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).take(100).collect();
    if words.trim().is_empty() {
        return Ok(Vec::new());
    }
    let asked = Params::of(&[("filter", &format!("\"{}\"", words.trim())), ("limit", "20")]);
    let Ok(Json(list)) = deals::list(State(app.clone()), at.seat.caller()?, asked).await else {
        return Ok(Vec::new());
    };
    let names =
        Names::of(app, at.seat.member()?.brand_id, list.data.iter().map(|deal| deal.id).collect())
            .await?;
    Ok(list.data.iter().map(|deal| (deal.id, names.get(&deal.id).to_owned())).collect())
}

async fn page(
    app: App,
    at: At,
    id: OrderId,
    (status, wrong): (StatusCode, &str),
) -> Result<Response> {
    let state = || State(app.clone());
    let Json(order) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let Json(why) = api::attribution(state(), at.seat.caller()?, PathId(id)).await?;
    let Json(disputes) = by_hand::disputes(state(), at.seat.caller()?, PathId(id)).await?;
    let waiting = Params::of(&[("state", "open"), ("limit", "200")]);
    let Json(claims) = claims::list(state(), at.seat.caller()?, waiting).await?;
    let mut ids: Vec<DealId> = why.candidates.iter().filter_map(|one| one.deal_id).collect();
    ids.extend(order.deal_id);
    ids.extend(why.moved.iter().filter_map(|moved| moved.from_deal_id));
    let names = Names::of(&app, at.seat.member()?.brand_id, ids).await?;
    let found = found(&app, &at, at.get("who")).await?;
    let title = format!("Order {}", order.name);
    let csrf = at.csrf(&app);
    let content = Shown {
        home: &at.home,
        csrf: &csrf,
        once: form::once(&app),
        claims: claims.data.into_iter().filter(|claim| claim.order_id == Some(id)).collect(),
        order,
        why,
        names,
        disputes: disputes.data,
        who: at.get("who"),
        found,
        may_pay: at.seat.may(Scope::Money),
        wrong,
    };
    at.render((status, &title, Area::Orders), &csrf, &content)
}

/// One order, with all that pointed to somebody and what became of it.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Order>) -> Result<Response> {
    page(app, at, id.0, (StatusCode::OK, "")).await
}

async fn after(
    app: App,
    sent: Sent,
    id: OrderId,
    (done, name): (Result<Response>, &str),
) -> Result<Response> {
    match done {
        Ok(_) => Ok(sent.at.see(&format!("/orders/{id}?done={name}"))),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            page(app, sent.at, id, (status, &told)).await
        }
    }
}

/// Moves it to another deal, or to nobody. A form that is sent twice moves it once.
pub async fn move_order(State(app): State<App>, sent: Sent, id: ItemId<Order>) -> Result<Response> {
    let work = async {
        let (deal, reason) = (sent.get("deal_id"), sent.get("reason"));
        let once = once(&sent, (&id.0.to_string(), "move"), &[deal, reason])?;
        let mut told = Map::new();
        if !deal.is_empty() {
            told.insert(
                "deal_id".to_owned(),
                if deal == "nobody" { Value::Null } else { deal.into() },
            );
        }
        told.insert("reason".to_owned(), reason.into());
        let paying = Paying { once, body: read(&Value::Object(told))? };
        by_hand::move_order(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), paying).await
    };
    let done = work.await;
    after(app, sent, id.0, (done, "order-moved")).await
}

/// Tells where a dispute stands.
pub async fn dispute(State(app): State<App>, sent: Sent, id: ItemId<Order>) -> Result<Response> {
    let work = async {
        let names = ["state", "reason", "external_id"];
        let said = names.map(|name| sent.get(name));
        let once = once(&sent, (&id.0.to_string(), "dispute"), &said)?;
        let there = names.iter().zip(said).filter(|(_, text)| !text.is_empty());
        let told = there.map(|(name, text)| ((*name).to_owned(), Value::from(text))).collect();
        let paying = Paying { once, body: read(&Value::Object(told))? };
        by_hand::dispute(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), paying).await
    };
    let done = work.await;
    after(app, sent, id.0, (done, "dispute")).await
}
