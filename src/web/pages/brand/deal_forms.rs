//! What the forms of a deal's page do: each calls what the API calls, and the page says what was done or is wrong.

use serde_json::{Map, Value, json};

use crate::app::App;
use crate::domain::ids::{Deal, DealId};
use crate::domain::time::{Day, to_rfc3339};
use crate::error::{Error, Result};
use crate::web::api::costs::CostPath;
use crate::web::api::deals as api;
use crate::web::api::fees::FeePath;
use crate::web::api::messages::InDeal;
use crate::web::api::notes::{self, FollowUpPath};
use crate::web::api::{code_switch, collaboration, costs, fees, links, messages, offers, posts};
use crate::web::body::FromJson;
use crate::web::extract::{Body, Changing, ItemId, PathId};
use crate::web::handler::{Json, State, Tagged};
use crate::web::message::Response;
use crate::web::once::{Once, Paying, Perhaps};
use crate::web::pages::shell::Sent;

use super::deal::{Told, page};
use super::{body, collaboration as form, read};

/// What a form led to: the deal's page, with what was done or what is wrong.
async fn after(
    app: App,
    sent: Sent,
    id: DealId,
    (done, name): (Result<()>, &str),
) -> Result<Response> {
    match done {
        Ok(()) => Ok(sent.at.see(&format!("/deals/{id}?done={name}"))),
        Err(error) => {
            let told = Told::of(&sent, *error)?;
            page(app, sent.at, id, &told).await
        }
    }
}

/// The name of a form about money: sent twice it does once what it says.
pub(super) fn once(sent: &Sent, what: (&str, &str), told: &[&str]) -> Result<Once> {
    let actor = sent.at.seat.session.person_id.to_string();
    Once::of_form(sent.get("once"), &actor, &[&[what.0, what.1], told].concat())
}

/// An id in a field of a form.
pub(super) fn named<T: std::str::FromStr>(sent: &Sent, name: &str) -> Result<T> {
    sent.get(name).parse().map_err(|_| Error::NotFound.into())
}

/// The fields of a form that aren't empty, by the API's names.
fn said(pairs: &[(&str, &str)]) -> Map<String, Value> {
    let there = pairs.iter().filter(|(_, text)| !text.trim().is_empty());
    there.map(|(name, text)| ((*name).to_owned(), Value::from(text.trim()))).collect()
}

fn of<T: FromJson>(object: Map<String, Value>) -> Result<T> {
    read(&Value::Object(object))
}

/// Sets the commission, gives a code and makes a link: all that the form says, or nothing of it.
pub async fn collaboration(
    State(app): State<App>,
    sent: Sent,
    id: ItemId<Deal>,
) -> Result<Response> {
    let work = async {
        let Tagged(deal) =
            api::show(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await?;
        let brand =
            crate::web::api::brand::find(&app, sent.at.seat.member()?.brand_id).await?.brand;
        let caller = sent.at.seat.caller()?;
        let about = &*id.0.to_string();
        let named = !sent.get("once").is_empty();
        let once =
            named.then(|| once(&sent, (about, "collaboration"), &sent.form.told())).transpose()?;
        if let Some(once) = &once
            && once.stored(&app, caller.brand).await?.is_some()
        {
            return Ok("saved");
        }
        let Some(command) = form::command(&sent, &deal, &brand, app.now_ms())? else {
            return Ok("unchanged");
        };
        let (id, command) = (PathId(id.0), Body(read(&command)?));
        let _ = collaboration::set(State(app.clone()), caller, id, Perhaps(once), command).await?;
        Ok("saved")
    };
    match work.await {
        Ok(name) => after(app, sent, id.0, (Ok(()), name)).await,
        Err(error) => after(app, sent, id.0, (Err(error), "")).await,
    }
}

/// Switches a code off or on again, or has it tried again.
pub async fn code(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let (code, state) = (PathId(named(&sent, "id")?), State(app.clone()));
        if sent.get("to") == "retry" {
            let again = Body(body(&[("code", sent.get("spelling"))])?);
            return code_switch::retry(state, sent.at.seat.caller()?, code, again).await;
        }
        let changes = Body(body(&[("state", sent.get("to"))])?);
        code_switch::update(state, sent.at.seat.caller()?, code, changes).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "saved")).await
}

/// Leads a link elsewhere, closes it or opens it again.
pub async fn link(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let changes = Body(body(&[("target", sent.get("to_page")), ("state", sent.get("to"))])?);
        let link = PathId(named(&sent, "id")?);
        links::update_link(State(app.clone()), sent.at.seat.caller()?, link, changes).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "saved")).await
}

/// Changes what kind of deal it is, closes it or opens it again.
pub async fn settings(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let mut told = said(&[("kind", sent.get("kind")), ("state", sent.get("state"))]);
        if sent.get("with") == "tags" {
            let tags = sent.get("tags").split(',').map(str::trim).filter(|tag| !tag.is_empty());
            told.insert("tags".to_owned(), tags.collect::<Vec<_>>().into());
        }
        let changes = Changing::anyway(of(told)?);
        api::update(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), changes).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "saved")).await
}

/// Writes a note.
pub async fn note(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let told = json!({ "text": sent.get("text"), "contact": sent.get("contact") == "yes" });
        notes::add(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), Body(read(&told)?))
            .await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "note")).await
}

/// Writes down what is to be done.
pub async fn follow_up(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let new = Body(body(&[("text", sent.get("text")), ("due_on", sent.get("due_on"))])?);
        notes::add_follow_up(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), new).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "follow-up")).await
}

/// Says that it is done.
pub async fn followed_up(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let at = FollowUpPath(id.0, named(&sent, "id")?);
    let told = Body(read(&json!({ "done": true }))?);
    let done = notes::update_follow_up(State(app.clone()), sent.at.seat.caller()?, at, told).await;
    after(app, sent, id.0, (done.map(|_| ()), "follow-up-done")).await
}

/// Agrees on a fee. A form that is sent twice makes one.
pub async fn fee(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let names = ["amount", "note", "fee_due", "currency", "fee_stage"];
        let [amount, note, due_on, currency, stage] = names.map(|name| sent.get(name));
        let mut told = said(&[("note", note), ("due_on", due_on), ("stage", stage)]);
        told.insert("amount".to_owned(), json!({ "amount": amount, "currency": currency }));
        let about = &*id.0.to_string();
        let once = once(&sent, (about, "fee"), &[amount, note, due_on, currency, stage])?;
        let paying = Paying { once, body: of(told)? };
        fees::create(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), paying).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "fee")).await
}

/// Gives a planned fee up.
pub async fn cancel_fee(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let at = FeePath { deal: id.0, fee: named(&sent, "id")? };
    let done = fees::cancel(State(app.clone()), sent.at.seat.caller()?, at).await;
    after(app, sent, id.0, (done.map(|_| ()), "fee-cancelled")).await
}

/// Writes down what a gift cost. A form that is sent twice makes one.
pub async fn gift(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let names = ["product", "shipping", "currency", "gift_on", "gift_note"];
        let [product, shipping, currency, on, note] = names.map(|name| sent.get(name));
        let mut told = said(&[("on", on), ("note", note)]);
        for (name, amount) in [("product", product), ("shipping", shipping)] {
            if !amount.trim().is_empty() {
                told.insert(
                    name.to_owned(),
                    json!({ "amount": amount.trim(), "currency": currency }),
                );
            }
        }
        let about = &*id.0.to_string();
        let once = once(&sent, (about, "gift"), &[product, shipping, currency, on, note])?;
        let paying = Paying { once, body: of(told)? };
        costs::create(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), paying).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "gift")).await
}

/// A gift that was written down by mistake counts no more.
pub async fn void_gift(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let at = CostPath(id.0, named(&sent, "id")?);
    let done = costs::void(State(app.clone()), sent.at.seat.caller()?, at).await;
    after(app, sent, id.0, (done.map(|_| ()), "gift-void")).await
}

/// Offers the terms of a template.
pub async fn offer(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let told = [("template_id", sent.get("template_id")), ("note", sent.get("offer_note"))];
        let new = Body(body(&told)?);
        offers::create(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), new).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "offered")).await
}

/// Withdraws an offer, or answers what she asked for.
pub async fn answer(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let offer = PathId(named(&sent, "id")?);
        if sent.get("outcome") == "withdrawn" {
            return offers::withdraw(State(app.clone()), sent.at.seat.caller()?, offer)
                .await
                .map(|_| "withdrawn");
        }
        let told = Body(body(&[("outcome", sent.get("outcome")), ("note", sent.get("answer"))])?);
        offers::decide(State(app.clone()), sent.at.seat.caller()?, offer, told)
            .await
            .map(|_| "decided")
    };
    match work.await {
        Ok(name) => after(app, sent, id.0, (Ok(()), name)).await,
        Err(error) => after(app, sent, id.0, (Err(error), "")).await,
    }
}

/// Reports a post.
pub async fn post(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let brand =
            crate::web::api::brand::find(&app, sent.at.seat.member()?.brand_id).await?.brand;
        let day = Day::from_iso(sent.get("published")).filter(|day| (0..100_000).contains(&day.0));
        // Noon is that day, whatever the summer does.
        let noon = |day| to_rfc3339(brand.timezone.start_of(day) + 12 * 3_600_000);
        let published = day.map_or_else(|| sent.get("published").to_owned(), noon);
        let told = [
            ("url", sent.get("post_url")),
            ("platform", sent.get("platform")),
            ("published_at", &published),
        ];
        posts::create(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), Body(body(&told)?))
            .await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "post")).await
}

/// Tells how a post did.
pub async fn measure(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let mut told = Map::new();
        for name in ["impressions", "views", "likes", "comments", "shares"] {
            let text = sent.get(name).trim();
            if !text.is_empty() {
                let count: Result<i64, _> = text.parse();
                let count = count.map_err(|_| Error::invalid(name, "must be a whole number"))?;
                told.insert(name.to_owned(), count.into());
            }
        }
        let post = PathId(named(&sent, "id")?);
        posts::measure(State(app.clone()), sent.at.seat.caller()?, post, Body(of(told)?)).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "measured")).await
}

/// Invites the creator, and shows the link this once.
pub async fn invite(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let caller = sent.at.seat.caller()?;
    match api::invite(State(app.clone()), caller, PathId(id.0)).await {
        Ok((_, Json(made))) => page(app, sent.at, id.0, &Told::invited(made.url)).await,
        Err(error) => after(app, sent, id.0, (Err(error), "invited")).await,
    }
}

/// Takes an invitation back, with the access that came of it.
pub async fn uninvite(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let caller = sent.at.seat.caller()?;
    let done = api::uninvite(State(app.clone()), caller, PathId(id.0)).await;
    after(app, sent, id.0, (done.map(|_| ()), "uninvited")).await
}

/// Cancels a message that waits.
pub async fn cancel_message(
    State(app): State<App>,
    sent: Sent,
    id: ItemId<Deal>,
) -> Result<Response> {
    let which = InDeal(id.0, named(&sent, "id")?);
    let done = messages::cancel(State(app.clone()), sent.at.seat.caller()?, which).await;
    after(app, sent, id.0, (done.map(|_| ()), "message-cancelled")).await
}

/// Says that somebody read what came.
pub async fn messages_read(
    State(app): State<App>,
    sent: Sent,
    id: ItemId<Deal>,
) -> Result<Response> {
    let done = messages::read(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await;
    after(app, sent, id.0, (done.map(|_| ()), "read")).await
}
