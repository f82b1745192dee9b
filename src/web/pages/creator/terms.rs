//! Terms: what the brand offers her and she answers, and what she asks for.

use askama::Template;

use super::words::{self, EN, Texts, Tone};
use super::{Filled, Her, HerForm, Told, Wrong, brand_of};
use crate::app::App;
use crate::domain::ids::{DealId, Offer, OfferId};
use crate::domain::time::Zone;
use crate::error::{Error, Result};
use crate::storage::offers::OfferRow;
use crate::storage::rows::parse;
use crate::web::api::me;
use crate::web::api::my_offers;
use crate::web::api::offers::OfferView;
use crate::web::api::view::List;
use crate::web::extract::{Body, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::brand::body;
use crate::web::pages::ui;

#[derive(Template)]
#[template(path = "creator/terms.html")]
struct Terms<'a> {
    t: &'static Texts,
    csrf: String,
    path: String,
    offers: Vec<Line>,
    /// Those that go on, with the rate that holds.
    deals: Vec<(DealId, String, Option<String>)>,
    first: bool,
    next: Option<String>,
    filled: Filled<'a>,
}

struct Line {
    id: OfferId,
    campaign: String,
    request: bool,
    waits: bool,
    word: &'static str,
    tone: Tone,
    date: String,
    lines: Vec<String>,
    note: Option<String>,
    answer: Option<String>,
    contract: Option<String>,
    document: String,
    hash: String,
}

fn line(row: &OfferRow, campaign: String, zone: &Zone, her: &Her) -> Line {
    let request = row.kind == "request";
    let (word, tone) = words::offer_state(&row.state, request);
    let day = |at: Option<i64>| at.map(|at| zone.day(at));
    let span = (day(row.starts_at_ms), day(row.ends_at_ms));
    let contract = parse(&row.document).ok();
    let contract = contract.as_ref().and_then(|told| told.get("contract")?.as_str());
    Line {
        id: row.id,
        campaign,
        request,
        waits: row.state == "waiting",
        word,
        tone,
        date: her.locale.date(zone.day(row.created_at_ms)),
        lines: words::terms(row.rate_bp, &row.rules, span, &her.locale),
        note: row.note.clone(),
        answer: row.answer.clone(),
        contract: contract.map(str::to_owned),
        document: row.document.clone(),
        hash: row.hash.clone(),
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
    let wanted = Params::of(&[("limit", "25"), ("cursor", cursor)]).page()?;
    let found = my_offers::of_creator(app, &her.me, &wanted).await?;
    let campaign = |deal: DealId| {
        let named = earnings.deals.iter().find(|known| known.id == deal);
        named.map(|deal| deal.campaign.clone()).unwrap_or_default()
    };
    let lines = found.iter().map(|row| line(row, campaign(row.deal_id), &zone, her)).collect();
    let found = List::page(found, &wanted, |row| row.id.to_string(), OfferView::from);
    let rate = |deal: &me::MyDeal| {
        deal.commission_percent.as_ref().map(|rate| her.locale.percent(&rate.0.to_percent()))
    };
    let open = earnings.deals.iter().filter(|deal| !deal.state.closed());
    let content = Terms {
        t: &EN,
        csrf: her.proof(app),
        path: her.path("terms"),
        offers: lines,
        deals: open.map(|deal| (deal.id, deal.campaign.clone(), rate(deal))).collect(),
        first: cursor.is_empty(),
        next: found.next_cursor,
        filled,
    };
    her.page(app, ("terms", EN.terms), told, &content)
}

/// What was offered to her and what she asked for, latest first.
pub async fn list(State(app): State<App>, her: Her, params: Params) -> Result<Response> {
    let params = params.only(&["cursor", "done"])?;
    let done = params.get("done").map(|what| match what {
        "accepted" => EN.done_accepted,
        "declined" => EN.done_declined,
        _ => EN.done_asked,
    });
    let cursor = params.get("cursor").unwrap_or_default();
    page(&app, &her, cursor, Told { done, wrong: None }, Filled { form: None, wrong: None }).await
}

async fn again(app: &App, sent: &HerForm, error: Box<Error>) -> Result<Response> {
    let wrong = Wrong::of(error)?;
    let filled = Filled { form: Some(&sent.form), wrong: Some(&wrong) };
    page(app, &sent.her, "", Told { done: None, wrong: Some(&wrong) }, filled).await
}

/// Asks for another rate.
pub async fn ask(State(app): State<App>, sent: HerForm) -> Result<Response> {
    let her = &sent.her;
    let work = async {
        let deal = sent.form.get("deal_id").parse();
        let deal = deal.map_err(|_| Error::invalid("deal_id", "must be chosen"))?;
        let told = [
            ("commission_percent", sent.form.get("commission_percent")),
            ("note", sent.form.get("note")),
        ];
        let new = Body(body(&told)?);
        my_offers::ask(State(app.clone()), her.me, her.request(), PathId(deal), new).await
    };
    match work.await {
        Ok(_) => Ok(her.see("terms?done=asked")),
        Err(error) => again(&app, &sent, error).await,
    }
}

/// Accepts or declines an offer. Who accepts says so twice: with the tick, and with the button.
pub async fn answer(State(app): State<App>, sent: HerForm) -> Result<Response> {
    let her = &sent.her;
    let offer = PathId(her.second::<Offer>()?);
    let accepts = sent.form.get("outcome") == "accepted";
    let work = async {
        if accepts && sent.form.get("agree") != "yes" {
            return Err(Error::invalid("agree", "must be ticked before you accept"));
        }
        let told = [
            ("outcome", sent.form.get("outcome")),
            ("hash", sent.form.get("hash")),
            ("note", sent.form.get("note")),
        ];
        let new = Body(body(&told)?);
        my_offers::answer(State(app.clone()), her.me, her.request(), offer, new).await
    };
    match work.await {
        Ok(_) if accepts => Ok(her.see("terms?done=accepted")),
        Ok(_) => Ok(her.see("terms?done=declined")),
        Err(error) => again(&app, &sent, error).await,
    }
}
