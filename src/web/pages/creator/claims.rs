//! Orders that she says are hers, and what she is told.

use askama::Template;

use super::words::{self, EN, Texts, Tone};
use super::{Filled, Her, HerForm, Told, Wrong, brand_of};
use crate::app::App;
use crate::domain::ids::{DealId, StoreId};
use crate::error::{Error, Result};
use crate::storage::rows::parse;
use crate::storage::{Page, stores};
use crate::web::api::claims::{self, MyClaimView, NewClaim};
use crate::web::api::me;
use crate::web::extract::{Body, Params};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::form::sentence;
use crate::web::pages::ui;

#[derive(Template)]
#[template(path = "creator/claims.html")]
struct Claims<'a> {
    t: &'static Texts,
    csrf: String,
    path: String,
    deals: Vec<(DealId, String)>,
    stores: Vec<(StoreId, String)>,
    claims: Vec<Line>,
    first: bool,
    next: Option<String>,
    filled: Filled<'a>,
}

struct Line {
    number: String,
    date: String,
    word: &'static str,
    tone: Tone,
    answer: String,
    note: Option<String>,
    decision: Option<String>,
}

fn line(claim: MyClaimView, date: String) -> Line {
    let (word, tone) = words::claim_state(claim.state);
    let answer = claim.answer.0.as_deref().and_then(|answer| parse(answer).ok());
    let text = answer.as_ref().and_then(|answer| answer.get("text")?.as_str().map(sentence));
    Line {
        number: claim.order_number,
        date,
        word,
        tone,
        answer: text.unwrap_or_default(),
        note: claim.note,
        decision: claim.decision_note,
    }
}

async fn page(
    app: &App,
    her: &Her,
    cursor: &str,
    told: Told<'_>,
    filled: Filled<'_>,
) -> Result<Response> {
    let zone = brand_of(app, her).await?.timezone;
    let Json(earnings) = me::earnings(State(app.clone()), her.me).await?;
    let all = Page { limit: 50, after: String::new() };
    let shops = stores::list(app.db(), her.me.brand, &all).await?;
    let host = |url: &str| url.split("://").nth(1).unwrap_or(url).to_owned();
    let wanted = Params::of(&[("limit", "25"), ("cursor", cursor)]);
    let Json(found) = claims::mine(State(app.clone()), her.me, wanted).await?;
    let claims = found.data.into_iter().map(|claim| {
        let date = her.locale.date(zone.day(claim.created_at.0));
        line(claim, date)
    });
    let content = Claims {
        t: &EN,
        csrf: her.proof(app),
        path: her.path("claims"),
        deals: earnings.deals.into_iter().map(|deal| (deal.id, deal.campaign)).collect(),
        stores: shops.into_iter().map(|store| (store.id, host(&store.storefront_url))).collect(),
        claims: claims.collect(),
        first: cursor.is_empty(),
        next: found.next_cursor,
        filled,
    };
    her.page(app, ("claims", EN.claims), told, &content)
}

/// Her claims, latest first.
pub async fn list(State(app): State<App>, her: Her, params: Params) -> Result<Response> {
    let params = params.only(&["cursor", "done"])?;
    let done = params.get("done").map(|_| EN.done_claim);
    let cursor = params.get("cursor").unwrap_or_default();
    page(&app, &her, cursor, Told { done, wrong: None }, Filled { form: None, wrong: None }).await
}

fn new_claim(sent: &HerForm) -> Result<NewClaim> {
    let deal = sent.text("deal_id").map(|id| id.parse()).transpose();
    let store = sent.text("store_id").map(|id| id.parse()).transpose();
    Ok(NewClaim {
        order_number: sent.form.get("order_number").trim().to_owned(),
        store_id: Some(store.map_err(|_| Error::invalid("store_id", "must be chosen"))?),
        deal_id: Some(deal.map_err(|_| Error::invalid("deal_id", "must be chosen"))?),
        note: Some(sent.text("note")),
    })
}

/// Claims an order.
pub async fn create(State(app): State<App>, sent: HerForm) -> Result<Response> {
    let her = &sent.her;
    let made = match new_claim(&sent) {
        Ok(new) => claims::create(State(app.clone()), her.me, her.request(), Body(new)).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(her.see("claims?done=1")),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let filled = Filled { form: Some(&sent.form), wrong: Some(&wrong) };
            page(&app, her, "", Told { done: None, wrong: Some(&wrong) }, filled).await
        }
    }
}
