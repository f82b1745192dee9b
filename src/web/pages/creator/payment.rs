//! Where she is paid: shown as far as anybody sees it, entered, and changed with a fresh passkey.

use askama::Template;

use super::words::{self, EN, Texts};
use super::{Filled, Her, HerForm, Told, Wrong, brand_of};
use crate::app::App;
use crate::error::{Error, Result};
use crate::web::api::payment::{self, DetailsView, NewDetails};
use crate::web::extract::{Body, Params};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::ui;

#[derive(Template)]
#[template(path = "creator/payment.html")]
struct Payment<'a> {
    t: &'static Texts,
    csrf: String,
    path: String,
    /// How she is paid now.
    now: Option<String>,
    /// From when on, if that is to come.
    used_from: Option<String>,
    /// Whether she can enter any: a change needs a passkey.
    may: bool,
    /// Until when her passkey counts as shown.
    fresh_until_ms: i64,
    filled: Filled<'a>,
}

async fn details(app: &App, her: &Her) -> Result<Option<DetailsView>> {
    match payment::show(State(app.clone()), her.me).await {
        Ok(Json(found)) => Ok(Some(found)),
        Err(error) if matches!(*error, Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn page(app: &App, her: &Her, told: Told<'_>, filled: Filled<'_>) -> Result<Response> {
    let zone = brand_of(app, her).await?.timezone;
    let found = details(app, her).await?;
    let waits = found.as_ref().filter(|details| details.usable_at.0 > app.now_ms());
    // The whole day after: so it is surely so by then, whatever the hour.
    let from = |details: &DetailsView| her.locale.date(zone.day(details.usable_at.0).plus(1));
    let content = Payment {
        t: &EN,
        csrf: her.proof(app),
        path: her.path("payment"),
        used_from: waits.map(|details| words::used_from(&from(details))),
        may: found.is_none() || her.session.has_passkey,
        now: found.map(|d| words::paid_to(&d.method, d.last4.as_deref(), d.country.as_deref())),
        fresh_until_ms: her.session.fresh_until_ms(),
        filled,
    };
    her.page(app, ("payment", EN.payment), told, &content)
}

/// Her payment details.
pub async fn show(State(app): State<App>, her: Her, params: Params) -> Result<Response> {
    let done = params.only(&["done"])?.get("done").map(|_| EN.done_payment);
    page(&app, &her, Told { done, wrong: None }, Filled { form: None, wrong: None }).await
}

/// Enters them.
pub async fn put(State(app): State<App>, sent: HerForm) -> Result<Response> {
    let her = &sent.her;
    let new = NewDetails {
        method: sent.form.get("method").to_owned(),
        email: sent.text("email"),
        holder: sent.text("holder"),
        iban: sent.text("iban"),
        bic: sent.text("bic"),
        routing_number: sent.text("routing_number"),
        account_number: sent.text("account_number"),
        account_type: sent.text("account_type"),
    };
    match payment::put(State(app.clone()), her.me, her.request(), Body(new)).await {
        Ok(_) => Ok(her.see("payment?done=1")),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let filled = Filled { form: Some(&sent.form), wrong: Some(&wrong) };
            page(&app, her, Told { done: None, wrong: Some(&wrong) }, filled).await
        }
    }
}
