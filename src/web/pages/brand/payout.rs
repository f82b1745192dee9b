//! One payout: who is paid, approvals, the file, the provider, and what became of each payment.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{CreatorId, MemberId, Payout, PayoutId};
use crate::domain::payout::pasted;
use crate::error::{Error, Result};
use crate::storage::sendings;
use crate::web::api::owed::{self, LineEntries, LinePath};
use crate::web::api::payout_views::{LineView, PayoutView};
use crate::web::api::payouts as api;
use crate::web::api::{approvals, payment, provider, settling};
use crate::web::extract::{ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::once::{Once, Paying};
use crate::web::pages::form;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui;

use super::{read, words};

#[derive(Template)]
#[template(path = "brand/payout.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    fresh_until: i64,
    payout: PayoutView,
    people: Vec<(CreatorId, String)>,
    me: MemberId,
    may_pay: bool,
    /// Whether the brand has an account at the provider.
    sends: bool,
    wrong: &'a str,
    pasted: &'a str,
}

impl Shown<'_> {
    fn name(&self, id: &CreatorId) -> &str {
        self.people.iter().find(|(known, _)| known == id).map_or("A creator", |(_, name)| name)
    }

    fn count(&self, which: impl Fn(&&LineView) -> bool) -> i64 {
        i64::try_from(self.payout.lines.iter().filter(which).count()).unwrap_or(i64::MAX)
    }

    fn over(&self) -> i64 {
        self.count(|line| line.state == "settled")
    }

    fn back(&self) -> i64 {
        self.count(|line| line.state == "failed")
    }

    fn all(&self) -> i64 {
        self.count(|_| true)
    }

    /// Payments of which somebody may say what became of them.
    fn open(&self) -> i64 {
        self.count(|line| is_open(line))
    }

    fn is_open(&self, line: &LineView) -> bool {
        is_open(line)
    }

    /// Payments that the provider could be handed.
    fn sendable(&self) -> i64 {
        let ours = |line: &&LineView| {
            line.state == "in_payout"
                && line.way.is_none()
                && line.sending.is_none()
                && line.method.as_deref() == Some("paypal")
        };
        if self.sends { self.count(ours) } else { 0 }
    }

    fn in_file(&self, line: &LineView) -> bool {
        line.state == "in_payout" && line.way.as_deref() == Some("file")
    }

    fn approved_by_me(&self) -> bool {
        self.payout.approvals.iter().any(|approval| approval.member_id == self.me)
    }

    /// The ids of all open payments: what is meant by "all" is what the page showed.
    fn open_ids(&self) -> String {
        let open = self.payout.lines.iter().filter(|line| is_open(line));
        open.map(try_of).collect::<Vec<_>>().join(" ")
    }
}

/// What a form says of a payment: which of its tries was looked at.
fn try_of(line: &LineView) -> String {
    format!("{}.{}", line.id, line.attempt)
}

fn is_open(line: &LineView) -> bool {
    let flying = line.sending.as_ref().is_some_and(|sending| sending.in_flight);
    line.state == "in_payout" && !flying
}

async fn page(
    app: App,
    at: At,
    id: PayoutId,
    (status, wrong): (StatusCode, &str),
    pasted: &str,
) -> Result<Response> {
    let Json(payout) = api::show(State(app.clone()), at.seat.caller()?, PathId(id)).await?;
    let mut ids: Vec<CreatorId> = payout.lines.iter().map(|line| line.creator_id).collect();
    ids.extend(payout.skipped.iter().map(|skipped| skipped.creator_id));
    let member = at.seat.member()?;
    let people = super::orders::people(&app, member.brand_id, &ids).await?;
    let csrf = at.csrf(&app);
    let content = Shown {
        home: &at.home,
        csrf: &csrf,
        once: form::once(&app),
        fresh_until: at.seat.session.fresh_until_ms(),
        payout,
        people: people.into_iter().map(|row| (row.id, row.name)).collect(),
        me: member.id,
        may_pay: at.seat.may(Scope::Money),
        sends: sendings::account(app.db(), member.brand_id).await?.is_some(),
        wrong,
        pasted,
    };
    at.render((status, "Payout", Area::Payouts), &csrf, &content)
}

/// One payout with its lines.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Payout>) -> Result<Response> {
    page(app, at, id.0, (StatusCode::OK, ""), "").await
}

#[derive(Template)]
#[template(path = "brand/payout_entries.html")]
struct Entries<'a> {
    home: &'a str,
    entries: LineEntries,
    name: String,
}

/// What the books say of one payment.
pub async fn entries(State(app): State<App>, at: At, id: ItemId<Payout>) -> Result<Response> {
    let path =
        LinePath { payout: id.0, line: at.get("line").parse().map_err(|_| Error::NotFound)? };
    let Json(entries) = owed::entries(State(app.clone()), at.seat.caller()?, path).await?;
    let brand = at.seat.member()?.brand_id;
    let people = super::orders::people(&app, brand, &[entries.creator_id]).await?;
    let name = people.into_iter().next().map_or_else(|| "A creator".to_owned(), |row| row.name);
    let content = Entries { home: &at.home, entries, name };
    at.render((StatusCode::OK, "Ledger of a payment", Area::Payouts), &at.csrf(&app), &content)
}

async fn after(app: App, sent: Sent, id: PayoutId, done: Result<&'static str>) -> Result<Response> {
    match done {
        Ok(name) => Ok(sent.at.see(&format!("/payouts/{id}?done={name}"))),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            let Sent { at, form } = sent;
            page(app, at, id, (status, &told), form.get("pasted")).await
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

/// Hands what can be sent to the provider.
pub async fn send(State(app): State<App>, sent: Sent, id: ItemId<Payout>) -> Result<Response> {
    let work = async {
        let once = named(&sent, id.0, &["send"])?;
        let caller = sent.at.seat.caller()?;
        provider::send(State(app.clone()), caller, PathId(id.0), once).await
    };
    match work.await {
        Ok(answer) => {
            let mut response = after(app, sent, id.0, Ok("sending")).await?;
            response.after = answer.after;
            Ok(response)
        }
        Err(error) => after(app, sent, id.0, Err(error)).await,
    }
}

/// Tries a payment that came back once more.
pub async fn retry(State(app): State<App>, sent: Sent, id: ItemId<Payout>) -> Result<Response> {
    let work = async {
        let line = sent.get("line");
        let path = LinePath { payout: id.0, line: line.parse().map_err(|_| Error::NotFound)? };
        let once = named(&sent, id.0, &["retry", line])?;
        let caller = sent.at.seat.caller()?;
        let answer = approvals::retry(State(app.clone()), caller, path, once).await?;
        let told = std::str::from_utf8(&answer.body).unwrap_or_default();
        let told = crate::storage::rows::parse(told).unwrap_or_default();
        let state = told.get("state").and_then(Value::as_str);
        Ok(if state == Some("in_payout") { "paid-again" } else { "approved-first" })
    };
    let done = work.await;
    after(app, sent, id.0, done).await
}

/// What became of one payment, as the API takes it.
fn said(
    (line, attempt): (&str, Option<i64>),
    outcome: &str,
    reference: &str,
    reason: &str,
) -> Value {
    let texts =
        [("line_id", line), ("outcome", outcome), ("reference", reference), ("reason", reason)];
    let told = texts.into_iter().filter(|(_, text)| !text.trim().is_empty());
    let mut told: Map<String, Value> =
        told.map(|(name, text)| (name.to_owned(), Value::from(text.trim()))).collect();
    told.extend(attempt.map(|attempt| ("attempt".to_owned(), Value::from(attempt))));
    Value::Object(told)
}

/// What the form says of payments: all that were open, those that were chosen, one of them, or a table of
/// references.
fn told(sent: &Sent, payout: &PayoutView) -> Result<Vec<Value>> {
    let typed = |line: &str| sent.get(&format!("ref.{line}")).to_owned();
    let reason = sent.get("reason");
    let table = sent.get("pasted");
    if sent.get("what") == "pasted" {
        let read = pasted(table)
            .map_err(|at| Error::invalid("table", format!("can't be read in line {at}")))?;
        return read
            .into_iter()
            .map(|one| {
                let id = one.line.to_string();
                let now = payout.lines.iter().find(|line| line.id == one.line);
                if now.is_some_and(|line| line.attempt != one.attempt) {
                    return Err(Error::invalid("table", format!("names an earlier try of {id}")));
                }
                let (outcome, why) = match &one.came_back {
                    None => ("settled", ""),
                    Some(why) => ("failed", why.as_str()),
                };
                Ok(said((&id, Some(one.attempt)), outcome, &one.reference, why))
            })
            .collect();
    }
    // `all`, `settled`, `failed` of what is chosen, or `settled line_…` of one.
    let (outcome, one) = sent.get("what").split_once(' ').unwrap_or((sent.get("what"), ""));
    let lines: Vec<&str> = match (outcome, one) {
        ("all", _) => sent.get("open").split(' ').filter(|id| !id.is_empty()).collect(),
        (_, "") => sent.form.all("line").collect(),
        _ => vec![one],
    };
    let outcome = if outcome == "all" { "settled" } else { outcome };
    let why = if outcome == "failed" { reason } else { "" };
    let told = |line: &str| {
        let (id, attempt) = line.split_once('.').unwrap_or((line, ""));
        said((id, attempt.parse().ok()), outcome, &typed(id), why)
    };
    Ok(lines.into_iter().map(told).collect())
}

/// Says what became of payments, of all in one step.
pub async fn settle(State(app): State<App>, sent: Sent, id: ItemId<Payout>) -> Result<Response> {
    let work = async {
        let found = api::show(State(app.clone()), sent.at.seat.caller()?, PathId(id.0)).await?;
        let lines = told(&sent, &found.0)?;
        if lines.is_empty() {
            return Err(Error::refused("nothing-to-settle", "choose at least one payment"));
        }
        let mut body = Map::new();
        body.insert("lines".to_owned(), Value::Array(lines));
        let body = Value::Object(body);
        let once = named(&sent, id.0, &["settle", &body.to_string()])?;
        let paying = Paying { once, body: read(&body)? };
        let caller = sent.at.seat.caller()?;
        settling::settle(State(app.clone()), caller, PathId(id.0), paying).await?;
        Ok(if sent.get("what").starts_with("failed") { "came-back" } else { "settled" })
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
