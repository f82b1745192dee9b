//! What creators claim: each with what she was told, and the brand's decision.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::claim::ClaimState;
use crate::domain::ids::{Claim, CreatorId, DealId};
use crate::error::Result;
use crate::storage::deals;
use crate::web::api::claims::{self as api, ClaimView};
use crate::web::extract::{ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::once::Paying;
use crate::web::pages::form;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Html, Tone};

use super::deal_forms::once;
use super::read;

/// A claim as the page shows it.
struct Shown {
    claim: ClaimView,
    name: String,
    told: String,
    badge: Html,
    /// Her deals, of an open claim.
    deals: Vec<(DealId, String)>,
}

impl Shown {
    /// Whether it is the deal that she wants it for.
    fn wants(&self, deal: &DealId) -> bool {
        self.claim.deal_id.as_ref() == Some(deal)
    }

    fn open(&self) -> bool {
        self.claim.state == ClaimState::Open
    }
}

#[derive(Template)]
#[template(path = "brand/claims.html")]
struct Claims<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    state: &'a str,
    claims: Vec<Shown>,
    pager: Html,
    may_pay: bool,
    wrong: &'a str,
}

fn badge(state: ClaimState) -> Html {
    let (tone, text) = match state {
        ClaimState::Open => (Tone::Wait, "Waits for you"),
        ClaimState::Hers => (Tone::Good, "Hers already"),
        ClaimState::Unknown => (Tone::Plain, "No such order"),
        ClaimState::Granted => (Tone::Good, "Granted"),
        ClaimState::Declined => (Tone::Plain, "Declined"),
    };
    ui::badge(&tone, text)
}

fn told(claim: &ClaimView) -> String {
    let value = claim.answer.0.as_deref().and_then(|text| crate::storage::rows::parse(text).ok());
    let text = value
        .as_ref()
        .and_then(|value| value.get("text"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    crate::web::pages::form::sentence(text)
}

async fn page(app: App, at: At, (status, wrong): (StatusCode, &str)) -> Result<Response> {
    let brand = at.seat.member()?.brand_id;
    let state = if at.get("state").is_empty() { "open" } else { at.get("state") };
    let wanted = if state == "all" { "" } else { state };
    let asked = Params::of(&[("state", wanted), ("cursor", at.get("cursor")), ("limit", "25")]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let ids: Vec<CreatorId> = found.data.iter().map(|claim| claim.creator_id).collect();
    let people = super::orders::people(&app, brand, &ids).await?;
    let mut claims = Vec::with_capacity(found.data.len());
    for claim in found.data {
        let mut hers = Vec::new();
        if claim.state == ClaimState::Open {
            let ids = deals::ids_of_creator(app.db(), brand, claim.creator_id).await?;
            let rows = deals::by_ids(app.db(), brand, &ids, app.now_ms()).await?;
            hers = rows.into_iter().map(|row| (row.id, row.campaign)).collect();
        }
        let name = people.iter().find(|row| row.id == claim.creator_id).map(|row| row.name.clone());
        let (name, told, badge) = (name.unwrap_or_default(), told(&claim), badge(claim.state));
        claims.push(Shown { claim, name, told, badge, deals: hers });
    }
    let csrf = at.csrf(&app);
    let pager =
        ui::pager(&format!("{}/claims", at.home), &[("state", state)], found.next_cursor.as_ref());
    let content = Claims {
        home: &at.home,
        csrf: &csrf,
        once: form::once(&app),
        state,
        claims,
        pager,
        may_pay: at.seat.may(Scope::Money),
        wrong,
    };
    at.render((status, "Claims", Area::Orders), &csrf, &content)
}

/// Those that wait, or those in another state.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, (StatusCode::OK, "")).await
}

/// Grants or declines one. A form that is sent twice decides once.
pub async fn decide(State(app): State<App>, sent: Sent, id: ItemId<Claim>) -> Result<Response> {
    let work = async {
        let names = ["outcome", "note", "deal_id"];
        let said = names.map(|name| sent.get(name));
        let once = once(&sent, (&id.0.to_string(), "claim"), &said)?;
        let there = names.iter().zip(said).filter(|(_, text)| !text.trim().is_empty());
        let told: Map<String, Value> =
            there.map(|(name, text)| ((*name).to_owned(), text.into())).collect();
        let paying = Paying { once, body: read(&Value::Object(told))? };
        api::decide(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), paying).await
    };
    match work.await {
        Ok(_) => Ok(sent.at.see("/claims?done=decided")),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            page(app, sent.at, (status, &told)).await
        }
    }
}
