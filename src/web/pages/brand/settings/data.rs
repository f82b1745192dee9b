//! What shops ask about their shoppers' data, and the books: looked through, and taken away as a file.

use askama::Template;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::error::{Error, Result};
use crate::web::api::export;
use crate::web::api::money::{self, VerificationView};
use crate::web::api::privacy::{self, DataRequestView};
use crate::web::extract::{Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Html, Tone};

use super::{Base, Told, scroll, split};

#[derive(Template)]
#[template(path = "brand/settings/data.html")]
struct Page<'a> {
    base: Base<'a>,
    requests: Vec<DataRequestView>,
    pager: Html,
    checked: Option<VerificationView>,
    may_take: bool,
    told: &'a Told,
}

fn kind(request: &DataRequestView) -> &'static str {
    match request.kind.as_str() {
        "data_request" => "A customer asks what is stored",
        "customer_redaction" => "A customer is forgotten",
        _ => "A shop is forgotten",
    }
}

/// A state that needs a hand.
fn bad(text: &str) -> Html {
    ui::badge(&Tone::Bad, text)
}

fn state(request: &DataRequestView) -> Html {
    if request.state == "done" { ui::good("Done") } else { ui::badge(&Tone::Wait, "Open") }
}

impl Page<'_> {
    fn is_open(&self, request: &DataRequestView) -> bool {
        request.kind == "data_request" && request.state == "open"
    }
}

async fn page(app: App, at: At, told: &Told) -> Result<Response> {
    let state = || State(app.clone());
    let asked = Params::of(&[("cursor", at.get("cursor"))]);
    let (requests, next) = if at.seat.may(Scope::Admin) {
        let Json(found) = privacy::list(state(), at.seat.caller()?, asked).await?;
        (found.data, found.next_cursor)
    } else {
        (Vec::new(), None)
    };
    let checked = if at.get("check") == "books" {
        let rest = Params::of(&[("cursor", at.get("rest"))]);
        let Json(found) = money::verification(state(), at.seat.caller()?, rest).await?;
        Some(found)
    } else {
        None
    };
    let base = Base::of(&app, &at, "/data");
    let csrf = base.csrf.clone();
    let content = Page {
        base,
        requests,
        pager: ui::pager(&format!("{}/settings/data", at.home), &[], next.as_ref()),
        checked,
        may_take: at.seat.may(Scope::Money),
        told,
    };
    at.render((told.status, "Data and books", Area::Settings), &csrf, &content)
}

/// Requests, and the books.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, &Told::default()).await
}

/// Notes that a customer was told.
pub async fn save(State(app): State<App>, sent: Sent) -> Result<Response> {
    let (at, form) = split(sent);
    let work = async {
        let caller = at.seat.caller()?;
        let id = form.get("id").parse().map_err(|_| Error::NotFound)?;
        privacy::complete(State(app.clone()), caller, PathId(id)).await
    };
    match work.await {
        Ok(_) => Ok(at.see("/settings/data?done=answered")),
        Err(error) => {
            let told = Told::of(form, *error)?;
            page(app, at, &told).await
        }
    }
}

/// Everything that the ledger follows from, and the ledger, as a file.
pub async fn books(State(app): State<App>, at: At) -> Result<Response> {
    let rest = Params::of(&[("cursor", at.get("cursor"))]);
    export::export(State(app), at.seat.caller()?, rest).await
}
