//! Paying creators: drafts, approvals, what became of each payment.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{CreatorId, Payout, PayoutId};
use crate::domain::money::Money;
use crate::error::{Error, Result};
use crate::web::api::payouts::{self as api, LinePath, ListedView, PayoutView};
use crate::web::api::{approvals, brand, payment};
use crate::web::extract::{ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::once::{Once, Paying};
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Html};

use super::{body, read, words};

#[derive(Template)]
#[template(path = "brand/payouts.html")]
struct Payouts<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    currency: &'static str,
    minimum: Option<Money>,
    payouts: Vec<ListedView>,
    pager: Html,
    may_pay: bool,
    wrong: &'a str,
}

fn once(app: &App) -> String {
    crate::domain::merkle::hex(&app.random::<16>())
}

async fn listed(app: App, at: At, (status, wrong): (StatusCode, &str)) -> Result<Response> {
    let asked = Params::of(&[("cursor", at.get("cursor"))]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let stored = brand::find(&app, at.seat.member()?.brand_id).await?.brand;
    let csrf = at.csrf(&app);
    let content = Payouts {
        home: &at.home,
        csrf: &csrf,
        once: once(&app),
        currency: stored.currency.code(),
        minimum: stored.payout_minimum,
        payouts: found.data,
        pager: ui::pager(&format!("{}/payouts", at.home), &[], found.next_cursor.as_ref()),
        may_pay: at.seat.may(Scope::Money),
        wrong,
    };
    at.render((status, "Payouts", Area::Payouts), &csrf, &content)
}

/// The payouts, latest first.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    listed(app, at, (StatusCode::OK, "")).await
}

/// Drafts a payout of everybody who can be paid.
pub async fn draft(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let currency = sent.get("currency");
        let actor = sent.at.seat.session.person_id.to_string();
        let home = sent.at.home.as_str();
        let once = Once::of_form(sent.get("once"), &actor, &[home, "draft", currency])?;
        let paying = Paying { once, body: body(&[("currency", currency)])? };
        api::create(State(app.clone()), sent.at.seat.caller()?, paying).await
    };
    match work.await {
        Ok(answer) => {
            let told = std::str::from_utf8(&answer.body).unwrap_or_default();
            let told = crate::storage::rows::parse(told).unwrap_or_default();
            let id = told.get("id").and_then(Value::as_str).unwrap_or_default();
            Ok(sent.at.see(&format!("/payouts/{id}?done=drafted")))
        }
        Err(error) => {
            let (status, told) = wrong(*error)?;
            listed(app, sent.at, (status, &told)).await
        }
    }
}

#[derive(Template)]
#[template(path = "brand/payout.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    fresh_until: i64,
    payout: PayoutView,
    people: Vec<(CreatorId, String)>,
    may_pay: bool,
    wrong: &'a str,
}

impl Shown<'_> {
    fn name(&self, id: &CreatorId) -> &str {
        self.people.iter().find(|(known, _)| known == id).map_or("A creator", |(_, name)| name)
    }

    fn over(&self) -> i64 {
        let over = self.payout.lines.iter().filter(|line| line.state == "settled");
        i64::try_from(over.count()).unwrap_or(i64::MAX)
    }

    fn all(&self) -> i64 {
        i64::try_from(self.payout.lines.len()).unwrap_or(i64::MAX)
    }
}

async fn page(
    app: App,
    at: At,
    id: PayoutId,
    (status, wrong): (StatusCode, &str),
) -> Result<Response> {
    let Json(payout) = api::show(State(app.clone()), at.seat.caller()?, PathId(id)).await?;
    let mut ids: Vec<CreatorId> = payout.lines.iter().map(|line| line.creator_id).collect();
    ids.extend(payout.skipped.iter().map(|skipped| skipped.creator_id));
    let people = super::orders::people(&app, at.seat.member()?.brand_id, &ids).await?;
    let csrf = at.csrf(&app);
    let content = Shown {
        home: &at.home,
        csrf: &csrf,
        once: once(&app),
        fresh_until: at.seat.session.fresh_until_ms(),
        payout,
        people: people.into_iter().map(|row| (row.id, row.name)).collect(),
        may_pay: at.seat.may(Scope::Money),
        wrong,
    };
    at.render((status, "Payout", Area::Payouts), &csrf, &content)
}

/// One payout with its lines.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Payout>) -> Result<Response> {
    page(app, at, id.0, (StatusCode::OK, "")).await
}

async fn after(app: App, sent: Sent, id: PayoutId, done: Result<&'static str>) -> Result<Response> {
    match done {
        Ok(name) => Ok(sent.at.see(&format!("/payouts/{id}?done={name}"))),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            page(app, sent.at, id, (status, &told)).await
        }
    }
}

/// The name of a form about a payout: sent twice it does once what it says.
fn named(sent: &Sent, id: PayoutId, told: &[&str]) -> Result<Once> {
    let actor = sent.at.seat.session.person_id.to_string();
    Once::of_form(sent.get("once"), &actor, &[&[&*id.to_string()], told].concat())
}

/// Approves it: asks for a fresh passkey as the API does.
pub async fn approve(State(app): State<App>, sent: Sent, id: ItemId<Payout>) -> Result<Response> {
    let work = async {
        let once = named(&sent, id.0, &["approve"])?;
        let caller = sent.at.seat.caller()?;
        let answer = approvals::approve(State(app.clone()), caller, PathId(id.0), once).await?;
        let told = std::str::from_utf8(&answer.body).unwrap_or_default();
        let told = crate::storage::rows::parse(told).unwrap_or_default();
        let state = told.get("state").and_then(Value::as_str);
        Ok(if state == Some("approved") { "approved" } else { "approved-first" })
    };
    let done = work.await;
    after(app, sent, id.0, done).await
}

/// Cancels a draft.
pub async fn cancel(State(app): State<App>, sent: Sent, id: ItemId<Payout>) -> Result<Response> {
    let done = api::cancel(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await;
    after(app, sent, id.0, done.map(|_| "cancelled")).await
}

/// Says what became of one payment.
pub async fn settle(State(app): State<App>, sent: Sent, id: ItemId<Payout>) -> Result<Response> {
    let work = async {
        let names = ["line", "outcome", "reference", "reason"];
        let [line, outcome, reference, reason] = names.map(|name| sent.get(name));
        let at = LinePath { payout: id.0, line: line.parse().map_err(|_| Error::NotFound)? };
        let once = named(&sent, id.0, &["settle", line, outcome, reference, reason])?;
        let told = [("outcome", outcome), ("reference", reference), ("reason", reason)];
        let said = told.into_iter().filter(|(_, text)| !text.is_empty());
        let said = said.map(|(name, text)| (name.to_owned(), Value::from(text))).collect();
        let paying = Paying { once, body: read(&Value::Object(said))? };
        let caller = sent.at.seat.caller()?;
        api::settle(State(app.clone()), caller, at, paying).await?;
        Ok(if outcome == "settled" { "settled" } else { "came-back" })
    };
    let done = work.await;
    after(app, sent, id.0, done).await
}

/// The file for the bank or PayPal. It opens payment details and is noted, so it is asked for by a form.
pub async fn export(State(app): State<App>, sent: Sent, id: ItemId<Payout>) -> Result<Response> {
    let asked = Params::of(&[("format", sent.get("format"))]);
    match payment::export(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), asked).await {
        Ok(file) => Ok(file),
        Err(error) => after(app, sent, id.0, Err(error)).await,
    }
}
