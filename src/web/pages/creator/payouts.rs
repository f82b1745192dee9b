//! What was paid to her, and what is missing for the next payout.

use askama::Template;

use super::home::{Minimum, minimum, read};
use super::words::{self, EN, Texts, Tone};
use super::{Her, Told, brand_of};
use crate::app::App;
use crate::error::Result;
use crate::web::api::money::balances_of;
use crate::web::api::payment;
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::ui;

#[derive(Template)]
#[template(path = "creator/payouts.html")]
struct Payouts {
    t: &'static Texts,
    path: String,
    details: String,
    available: Vec<(String, Option<Minimum>)>,
    lines: Vec<Line>,
    first: bool,
    next: Option<String>,
}

struct Line {
    amount: String,
    word: &'static str,
    tone: Tone,
    approved: Option<String>,
    settled: Option<String>,
    reference: Option<String>,
    failed: bool,
    reason: Option<String>,
}

/// Her payouts, latest first.
pub async fn list(State(app): State<App>, her: Her, params: Params) -> Result<Response> {
    let params = params.only(&["cursor"])?;
    let (brand, locale) = (brand_of(&app, &her).await?, her.locale);
    let cursor = params.get("cursor").unwrap_or_default();
    let wanted = Params::of(&[("limit", "50"), ("cursor", cursor)]);
    let Json(found) = payment::mine(State(app.clone()), her.me, wanted).await?;
    let balances = balances_of(&app, &brand, her.me.creator).await?;
    let available = balances.iter().map(|b| {
        let amount = read(&b.available, b.currency);
        (locale.money(amount), minimum(&brand, amount, &locale))
    });
    let day = |at: crate::web::api::view::Time| locale.date(brand.timezone.day(at.0));
    let lines = found.data.into_iter().map(|line| {
        let (word, tone) = words::payment_state(line.state);
        Line {
            amount: locale.money(line.amount),
            word,
            tone,
            approved: line.approved_at.map(day),
            settled: line.settled_at.map(day),
            failed: line.state == "failed",
            reference: line.reference,
            reason: line.reason.filter(|reason| !reason.is_empty()),
        }
    });
    let content = Payouts {
        t: &EN,
        path: her.path("payouts"),
        details: her.path("payment"),
        available: available.collect(),
        lines: lines.collect(),
        first: cursor.is_empty(),
        next: found.next_cursor,
    };
    her.page(&app, ("payouts", EN.payouts), Told::default(), &content)
}
