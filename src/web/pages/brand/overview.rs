//! Where a brand's pages begin: what needs a hand.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::error::Result;
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::notes::{self, FollowUpView};
use crate::web::api::orders::{self, OrderView};
use crate::web::api::payouts::{self, ListedView};
use crate::web::api::quarantine;
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui;

use super::orders::Names;
use super::words;

#[derive(Template)]
#[template(path = "brand/overview.html")]
struct Overview<'a> {
    home: &'a str,
    brand: &'a str,
    campaigns: Vec<CampaignView>,
    overdue: Vec<FollowUpView>,
    drafts: Vec<ListedView>,
    quarantined: i64,
    orders: Vec<OrderView>,
    names: Names,
}

/// What needs a hand, and what came in lately.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    let state = || State(app.clone());
    let some = |limit| Params::of(&[("limit", limit)]);
    let Json(campaigns) = campaigns::list(state(), at.seat.caller()?, some("20")).await?;
    let late = Params::of(&[("limit", "20"), ("state", "overdue")]);
    let Json(overdue) = notes::across(state(), at.seat.caller()?, late).await?;
    let Json(drafts) = payouts::list(state(), at.seat.caller()?, some("20")).await?;
    let Json(held) = quarantine::list(state(), at.seat.caller()?, some("100")).await?;
    let Json(orders) = orders::list(state(), at.seat.caller()?, some("10")).await?;
    let ids = orders.data.iter().filter_map(|order| order.deal_id).collect();
    let member = at.seat.member()?;
    let content = Overview {
        home: &at.home,
        brand: &member.brand,
        campaigns: campaigns.data,
        overdue: overdue.data,
        drafts: drafts.data.into_iter().filter(|payout| payout.state == "draft").collect(),
        quarantined: i64::try_from(held.data.len()).unwrap_or(i64::MAX),
        names: Names::of(&app, member.brand_id, ids).await?,
        orders: orders.data,
    };
    at.render((StatusCode::OK, "Overview", Area::Overview), &at.csrf(&app), &content)
}
