//! GoAffPro: whose affiliates are whose, and what it says of orders beside ours.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{DealId, Store, StoreId};
use crate::error::{Error, Result};
use crate::web::api::affiliates::{self as api, AffiliateView, NumberedPath};
use crate::web::api::goaffpro::{self, ComparedView};
use crate::web::api::stores;
use crate::web::extract::{Body, ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::brand::orders::Names;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Html};

use super::super::{body, read};
use super::{Told, deal_named, wording};

const PAGE: &str = "50";

const STATES: [(&str, &str); 4] =
    [("", "All"), ("proposed", "Proposed"), ("assigned", "Matched"), ("unknown", "Nobody found")];

const STANDINGS: [(&str, &str); 6] = [
    ("", "All"),
    ("held", "Held back"),
    ("waiting", "Waiting for the shop’s order"),
    ("ours", "Counted"),
    ("matched", "Evidence for the shop’s order"),
    ("new", "Not looked at yet"),
];

fn choices(name: &str, states: &[(&str, &str)], chosen: &str) -> Html {
    let options: Vec<(String, String)> =
        states.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect();
    ui::select(name, "State", &options, chosen)
}

#[derive(Template)]
#[template(path = "brand/stores/affiliates.html")]
struct Affiliates<'a> {
    home: &'a str,
    csrf: &'a str,
    store: StoreId,
    name: String,
    rows: Vec<AffiliateView>,
    names: Names,
    state: Html,
    pager: Html,
    may_change: bool,
    told: &'a Told,
}

impl Affiliates<'_> {
    /// All proposals of the page, each with its deal: what was seen is what is confirmed.
    fn proposals(&self) -> String {
        let pair = |row: &AffiliateView| {
            let deal = row.proposed_deal_id.filter(|_| row.state == "proposed")?;
            Some(format!("{}:{deal}", row.id))
        };
        self.rows.iter().filter_map(pair).collect::<Vec<_>>().join(" ")
    }

    fn called<'b>(&self, row: &'b AffiliateView) -> &'b str {
        row.name.as_deref().or(row.ref_codes.first().map(String::as_str)).unwrap_or(&row.id)
    }
}

async fn page(app: App, at: At, id: StoreId, told: &Told) -> Result<Response> {
    let here = || State(app.clone());
    let Json(store) = stores::show(here(), at.seat.caller()?, PathId(id)).await?;
    let state = at.get("state");
    let asked = Params::of(&[("limit", PAGE), ("state", state), ("cursor", at.get("cursor"))]);
    let Json(found) = api::list(here(), at.seat.caller()?, PathId(id), asked).await?;
    let deals = found.data.iter().flat_map(|row| [row.deal_id, row.proposed_deal_id]).flatten();
    let names = Names::of(&app, at.seat.member()?.brand_id, deals.collect()).await?;
    let csrf = at.csrf(&app);
    let path = format!("{}/stores/{id}/affiliates", at.home);
    let content = Affiliates {
        home: &at.home,
        csrf: &csrf,
        store: id,
        name: wording::name(&store),
        rows: found.data,
        names,
        state: choices("state", &STATES, state),
        pager: ui::pager(&path, &[("state", state)], found.next_cursor.as_ref()),
        may_change: at.seat.may(Scope::Deals),
        told,
    };
    at.render((told.status, "Affiliates", Area::Stores), &csrf, &content)
}

/// The affiliates, and the deals they may belong to.
pub async fn list(State(app): State<App>, at: At, id: ItemId<Store>) -> Result<Response> {
    page(app, at, id.0, &Told::default()).await
}

/// What the form says of which affiliates: each with its deal, or with none.
async fn asked(app: &App, sent: &Sent) -> Result<Vec<(String, Option<DealId>)>> {
    if !sent.get("pairs").is_empty() {
        let pair = |text: &str| {
            let (number, deal) = text.split_once(':')?;
            Some((number.to_owned(), Some(deal.parse().ok()?)))
        };
        let pairs: Option<Vec<_>> = sent.get("pairs").split_whitespace().map(pair).collect();
        return Ok(pairs.filter(|all| all.len() <= 50).ok_or(Error::NotFound)?);
    }
    let number = sent.get("affiliate").to_owned();
    if sent.get("creator").trim().is_empty() && sent.get("nobody") == "yes" {
        return Ok(vec![(number, None)]);
    }
    let brand = sent.at.seat.member()?.brand_id;
    Ok(vec![(number, Some(deal_named(app, brand, sent.get("creator")).await?))])
}

/// Has affiliates belong to deals: proposals that were confirmed, one by hand, or one to nobody any more.
pub async fn assign(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let work = async {
        for (number, deal) in asked(&app, &sent).await? {
            if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) || number.len() > 20
            {
                return Err(Error::NotFound.into());
            }
            let at = NumberedPath { store: id.0, number };
            let (state, caller) = (State(app.clone()), sent.at.seat.caller()?);
            match deal {
                Some(deal) => {
                    let deal = Body(body(&[("deal_id", &deal.to_string())])?);
                    let _ = api::assign(state, caller, at, deal).await?;
                }
                None => drop(api::unassign(state, caller, at).await?),
            }
        }
        Ok(())
    };
    let done: Result<()> = work.await;
    match done {
        Ok(()) => Ok(sent.at.see(&format!("/stores/{}/affiliates?done=saved", id.0))),
        Err(error) => {
            let told = Told::of(&sent, *error, &[])?;
            page(app, sent.at, id.0, &told).await
        }
    }
}

#[derive(Template)]
#[template(path = "brand/stores/comparison.html")]
struct Beside<'a> {
    home: &'a str,
    csrf: &'a str,
    store: StoreId,
    name: String,
    rows: Vec<ComparedView>,
    names: Names,
    state: Html,
    differs: bool,
    pager: Html,
    may_change: bool,
}

/// GoAffPro's orders beside ours.
pub async fn compare(State(app): State<App>, at: At, id: ItemId<Store>) -> Result<Response> {
    let here = || State(app.clone());
    let Json(store) = stores::show(here(), at.seat.caller()?, PathId(id.0)).await?;
    let (state, differs) = (at.get("state"), at.get("differs") == "yes");
    let only = if differs { "true" } else { "" };
    let asked =
        [("limit", PAGE), ("state", state), ("differs", only), ("cursor", at.get("cursor"))];
    let Json(found) =
        goaffpro::compare(here(), at.seat.caller()?, PathId(id.0), Params::of(&asked)).await?;
    let deals = found.data.iter().filter_map(|row| row.deal_id).collect();
    let names = Names::of(&app, at.seat.member()?.brand_id, deals).await?;
    let csrf = at.csrf(&app);
    let path = format!("{}/stores/{}/comparison", at.home, id.0);
    let query = [("state", state), ("differs", at.get("differs"))];
    let content = Beside {
        home: &at.home,
        csrf: &csrf,
        store: id.0,
        name: wording::name(&store),
        rows: found.data,
        names,
        state: choices("state", &STANDINGS, state),
        differs,
        pager: ui::pager(&path, &query, found.next_cursor.as_ref()),
        may_change: at.seat.may(Scope::Deals),
    };
    at.render((StatusCode::OK, "GoAffPro beside ours", Area::Stores), &csrf, &content)
}

/// Says whether an order is another one than any that another store tells.
pub async fn say(State(app): State<App>, sent: Sent, id: ItemId<Store>) -> Result<Response> {
    let number = sent.get("order").to_owned();
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) || number.len() > 20 {
        return Err(Error::NotFound.into());
    }
    let mut told = Map::new();
    told.insert("another_order".to_owned(), Value::from(sent.get("another") == "yes"));
    let told = Body(read(&Value::Object(told))?);
    let at = NumberedPath { store: id.0, number };
    let _ = goaffpro::say(State(app.clone()), sent.at.seat.caller()?, at, told).await?;
    Ok(sent.at.see(&format!("/stores/{}/comparison?done=saved", id.0)))
}
