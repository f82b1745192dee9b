//! Paying creators: who is owed what and why, a draft of everybody or of those who were chosen, and the
//! payouts before.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::error::Result;
use crate::web::api::owed::{self, OwedList};
use crate::web::api::payouts::{self as api, ListedView};
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::once::{Once, Paying};
use crate::web::pages::form;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Html};

use super::{read, words};

/// So many payouts of before stand on the page: what each comes to is counted from its lines.
const BEFORE: &str = "10";
/// So many creators stand on a page.
const OWED: &str = "100";

#[derive(Template)]
#[template(path = "brand/payouts.html")]
struct Payouts<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    owed: OwedList,
    owed_pager: Html,
    payouts: Vec<ListedView>,
    pager: Html,
    may_pay: bool,
    wrong: &'a str,
}

impl Payouts<'_> {
    fn owes_back(&self) -> bool {
        self.owed.totals.clawback.minor > 0
    }
}

async fn listed(app: App, at: At, (status, wrong): (StatusCode, &str)) -> Result<Response> {
    let state = || State(app.clone());
    let asked = [("cursor", at.get("before")), ("limit", BEFORE), ("totals", "true")];
    let Json(found) = api::list(state(), at.seat.caller()?, Params::of(&asked)).await?;
    let currency = at.get("currency");
    let asked = [("currency", currency), ("cursor", at.get("cursor")), ("limit", OWED)];
    let Json(owed) = owed::list(state(), at.seat.caller()?, Params::of(&asked)).await?;
    let csrf = at.csrf(&app);
    let path = format!("{}/payouts", at.home);
    let content = Payouts {
        home: &at.home,
        csrf: &csrf,
        once: form::once(&app),
        owed_pager: ui::pager(&path, &[("currency", currency)], owed.next_cursor.as_ref()),
        owed,
        pager: earlier(&path, currency, found.next_cursor.as_ref()),
        payouts: found.data,
        may_pay: at.seat.may(Scope::Money),
        wrong,
    };
    at.render((status, "Payouts", Area::Payouts), &csrf, &content)
}

/// The way to payouts further back; the list of creators stays where it begins.
fn earlier(path: &str, currency: &str, next: Option<&String>) -> Html {
    let Some(next) = next else { return Html::default() };
    let asked = [("currency", currency), ("before", next)];
    let href = ui::esc(&format!("{}#history", ui::address(path, asked.into_iter())));
    let icon = ui::icon("chevron-right");
    Html::of(format!(
        "<nav class=\"pager\" aria-label=\"Earlier payouts\"><a class=\"btn\" href=\"{href}\">Earlier payouts {icon}</a></nav>"
    ))
}

/// Who is owed what, and the payouts, latest first.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    listed(app, at, (StatusCode::OK, "")).await
}

/// Drafts a payout of everybody who can be paid, or of those who were chosen.
pub async fn draft(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let (currency, who) = (sent.get("currency"), sent.get("who"));
        let chosen: Vec<&str> = sent.form.all("creator").collect();
        let actor = sent.at.seat.session.person_id.to_string();
        let home = sent.at.home.as_str();
        let mut told = vec![home, "draft", currency, who];
        let mut said = serde_json::Map::new();
        said.insert("currency".to_owned(), Value::from(currency));
        if who == "chosen" {
            told.extend(&chosen);
            let ids = chosen.iter().map(|id| Value::from(*id)).collect();
            said.insert("creator_ids".to_owned(), Value::Array(ids));
        }
        let once = Once::of_form(sent.get("once"), &actor, &told)?;
        let paying = Paying { once, body: read(&Value::Object(said))? };
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
            let none = sent.get("who") == "chosen" && sent.form.all("creator").next().is_none();
            let told = if none { "Choose at least one creator." } else { &told };
            listed(app, sent.at, (status, told)).await
        }
    }
}
